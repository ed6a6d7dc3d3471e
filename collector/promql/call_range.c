/* call_range.c - runs a range function over each series of a selector's or subquery's range. */
#include "collector/promql/calls.h"

#include <errno.h>

struct ranged {
    struct range_source source;
    const struct range_detail *detail;
    struct range_call call; /* with what is the same for every series */
    size_t *lo, *hi;
    struct arena *arena; /* for series with histograms: of one series */
};

static bool ends_with(struct span s, struct span end)
{
    return s.len >= end.len && memcmp(s.ptr + s.len - end.len, end.ptr, end.len) == 0;
}

/* rate() of what is no counter by its type, or does not look like one where it has none, is told once per name. */
MUST_USE static int look_for_counter(struct eval *ev, const struct promql_expr *call, const struct labels *ls)
{
    static const struct span ENDS[] = {SPAN_INIT("_total"), SPAN_INIT("_sum"), SPAN_INIT("_count"),
                                       SPAN_INIT("_bucket")};
    struct span name = labels_get(ls, SPAN("__name__")), type = labels_get(ls, SPAN("__type__"));
    if (name.len && type.len && !span_equal(type, SPAN("counter")) && !span_equal(type, SPAN("histogram")))
        return eval_info(
            ev, call->call.args[0],
            "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got "
            "\"" SPAN_FMT "\": \"" SPAN_FMT "\"",
            SPAN_ARG(type), SPAN_ARG(name));
    if (type.len)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++)
        if (name.len == 0 || ends_with(name, ENDS[i]))
            return 0;
    return eval_info(ev, call->call.args[0],
                     "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"" SPAN_FMT "\"",
                     SPAN_ARG(name));
}

#define PIECE_SAMPLES 4000000u /* looked at between two looks at the clock: some 10 ms */

/* A function may look at every sample of every window, so long windows at many steps are cut into runs of steps. */
MUST_USE static int run_in_pieces(struct eval *ev, struct ranged *rg, size_t series, const struct raw *raw,
                                  struct column *column)
{
    const struct grid *g = &rg->call.grid;
    for (size_t from = 0, to; from < g->n; from = to) {
        size_t work = 0;
        to = raw->n < PIECE_SAMPLES / g->n ? g->n : from; /* few samples: all at once */
        for (; to < g->n && work < PIECE_SAMPLES; to++)
            work += rg->hi[to] - rg->lo[to];
        struct range_call c = rg->call;
        c.ev = ev;
        c.index = series;
        c.raw = raw;
        c.grid = (struct grid){grid_time(g, from), g->step_ms, to - from};
        c.ends_ms = rg->source.ends_ms + from;
        c.lo = rg->lo + from;
        c.hi = rg->hi + from;
        c.values = column->values + from;
        c.present = column->present + from;
        c.column = column;
        c.first_step = from;
        for (size_t i = 0; i < ARRAY_LEN(c.args); i++)
            c.args[i] = c.args[i] ? c.args[i] + from : NULL;
        int r = rg->source.extension != EXTENSION_NONE && rg->detail->between_edges ? range_extended(&c)
                                                                                    : rg->detail->fn(&c);
        if (r < 0 || (to < g->n && (r = eval_check(ev)) < 0))
            return r;
    }
    return 0;
}

int range_put_histogram(struct range_call *c, size_t step, const struct native_histogram *h)
{
    struct native_histogram *copy;
    int r = c->column->histograms ? 0 : column_histograms(c->column, c->steps);
    if (r < 0 || (r = native_copy(c->column->arena, h, &copy)) < 0)
        return r;
    c->column->histograms[c->first_step + step] = copy;
    c->present[step] = true;
    return 0;
}

/* The series' floats alone, and each window of them. */
MUST_USE static int floats_of(struct ranged *rg, const struct raw *raw, struct raw *ret, size_t *lo, size_t *hi)
{
    size_t n = 0, *before = arena_array(rg->arena, raw->n + 1, sizeof *before);
    double *values = arena_array(rg->arena, raw->n, sizeof *values);
    int64_t *t_ms = arena_array(rg->arena, raw->n, sizeof *t_ms);
    int64_t *start_ms = raw->start_ms ? arena_array(rg->arena, raw->n, sizeof *start_ms) : NULL;
    double *counts = raw->counts ? arena_array(rg->arena, raw->n, sizeof *counts) : NULL;
    if (!before || !values || !t_ms || (raw->start_ms && !start_ms) || (raw->counts && !counts))
        return -ENOMEM;
    for (size_t i = 0; i < raw->n; i++) {
        before[i] = n;
        if (raw->histograms[i])
            continue;
        values[n] = raw->values[i];
        t_ms[n] = raw->t_ms[i];
        if (start_ms)
            start_ms[n] = raw->start_ms[i];
        if (counts)
            counts[n] = raw->counts[i];
        n++;
    }
    before[raw->n] = n;
    for (size_t s = 0; s < rg->call.steps; s++) {
        lo[s] = before[rg->lo[s]];
        hi[s] = before[rg->hi[s]];
    }
    *ret = (struct raw){t_ms, start_ms, values, NULL, n, counts};
    return 0;
}

struct kinds { /* samples of a window */
    size_t floats, histograms;
};

/* Anchored and smoothed windows see beyond their ends. */
static struct kinds kinds_of(const struct eval *ev, const struct ranged *rg, const struct raw *raw, size_t s)
{
    size_t lo = rg->lo[s], hi = rg->hi[s];
    int64_t end = rg->source.ends_ms[s], open = end - rg->source.range_ms;
    if (rg->source.extension != EXTENSION_NONE)
        while (lo > 0 && raw->t_ms[lo - 1] > open - ev->lookback_ms)
            lo--;
    if (rg->source.extension == EXTENSION_SMOOTHED)
        while (hi < raw->n && raw->t_ms[hi] <= end + ev->lookback_ms)
            hi++;
    struct kinds k = {0, 0};
    for (size_t i = lo; i < hi; i++)
        (*(raw->histograms[i] ? &k.histograms : &k.floats))++;
    return k;
}

/* Histograms are in the window of the step: what becomes of it. */
MUST_USE static int take_histograms(struct eval *ev, struct ranged *rg, struct range_call *c, size_t s, struct kinds k)
{
    const struct promql_expr *place = rg->call.call->call.args[0];
    const struct labels *ls = &rg->source.series[c->index].labels;
    const struct native_histogram *h = NULL;
    if (rg->detail->takes != RANGE_EITHER) {
        if (k.floats == 0)
            return 0;
        return eval_info(
            ev, place,
            "ignored histograms in a range containing both floats and histograms for metric name \"" SPAN_FMT "\"",
            SPAN_ARG(labels_get(ls, SPAN("__name__"))));
    }
    c->present[s] = false;
    if (k.floats > 0)
        return warn_mixed_floats(ev, place, ls);
    bool extended = rg->source.extension != EXTENSION_NONE && rg->detail->between_edges;
    int r = extended ? extended_rate_of_histograms(c, s, &h) : rg->detail->of_histograms(c, s, &h);
    if (r == 0 && h)
        r = range_put_histogram(c, s, h);
    arena_reset(c->temporary);
    return r;
}

/* A series with histograms: the function runs over the floats, then windows with histograms are looked at one by one. */
MUST_USE static int run_mixed(struct eval *ev, struct ranged *rg, size_t series, const struct raw *raw,
                              struct column *column)
{
    size_t steps = rg->call.steps, *lo = rg->lo, *hi = rg->hi;
    struct raw floats;
    arena_reset(rg->arena);
    size_t *float_lo = arena_array(rg->arena, steps, sizeof *float_lo),
           *float_hi = arena_array(rg->arena, steps, sizeof *float_hi);
    if (!float_lo || !float_hi)
        return -ENOMEM;
    int r = floats_of(rg, raw, &floats, float_lo, float_hi);
    if (r < 0)
        return r;
    if (floats.n > 0) {
        rg->lo = float_lo;
        rg->hi = float_hi;
        r = run_in_pieces(ev, rg, series, &floats, column);
        rg->lo = lo;
        rg->hi = hi;
    }
    struct range_call c = rg->call;
    c.ev = ev;
    c.index = series;
    c.raw = raw;
    c.ends_ms = rg->source.ends_ms;
    c.lo = lo;
    c.hi = hi;
    c.values = column->values;
    c.present = column->present;
    c.column = column;
    for (size_t s = 0; r == 0 && s < steps; s++) {
        struct kinds k = kinds_of(ev, rg, raw, s);
        if (k.histograms > 0)
            r = take_histograms(ev, rg, &c, s, k);
        if (r == 0 && (s & 15) == 0)
            r = eval_check(ev);
    }
    return r;
}

static int fetch_ranged(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    struct ranged *rg = v->state;
    struct raw raw;
    int r = rg->source.load(ev, &rg->source, i, &raw);
    if (r < 0)
        return r;
    c->histograms = NULL;
    memset(c->present, 0, v->steps * sizeof *c->present);
    if (raw.n == 0)
        return 0;
    range_windows(&rg->source, v->steps, &raw, rg->lo, rg->hi);
    if (rg->source.extension == EXTENSION_ANCHORED && !rg->detail->between_edges)
        extend_windows_by_anchor(&rg->source, ev->lookback_ms, v->steps, &raw, rg->lo, rg->hi);
    bool mixed = raw.histograms && rg->detail->takes != RANGE_ANY;
    r = mixed ? run_mixed(ev, rg, i, &raw, c) : run_in_pieces(ev, rg, i, &raw, c);
    if (r < 0)
        return r;
    if (!memchr(c->present, true, v->steps * sizeof *c->present))
        return 0;
    if (rg->detail->is_counter && !c->histograms &&
        (r = look_for_counter(ev, rg->call.call, &rg->source.series[i].labels)) < 0)
        return r;
    return 1;
}

/* Let rollups stand for samples as far as the function is told the same by them, or the query asks for them. */
MUST_USE static int roll(struct eval *ev, struct ranged *rg)
{
    const struct range_detail *d = rg->detail;
    if (!d->rolls && !eval_sees_gone(ev))
        return 0;
    enum store_rolled as = d->rolls ? d->as : d->is_counter ? STORE_ROLLED_COUNTER : STORE_ROLLED_ENDS;
    return eval_range_rolled(ev, &rg->source, rg->call.steps, as);
}

int call_range(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct ranged *rg = arena_alloc(&ev->arena, sizeof *rg);
    if (!rg)
        return -ENOMEM;
    rg->detail = call->call.function->detail;
    rg->call.call = call;
    rg->call.grid = *g;
    rg->call.source = &rg->source;
    rg->call.steps = g->n;
    rg->lo = arena_array(&ev->arena, g->n, sizeof *rg->lo);
    rg->hi = arena_array(&ev->arena, g->n, sizeof *rg->hi);
    if (!rg->lo || !rg->hi)
        return -ENOMEM;
    size_t n_args = 0;
    int r = eval_arena(ev, &rg->arena);
    if (r == 0)
        r = eval_arena(ev, &rg->call.temporary);
    for (size_t i = 0; r == 0 && i < call->call.n; i++) {
        const struct promql_expr *arg = call->call.args[i];
        double *column;
        if (arg->type == PROMQL_MATRIX) {
            r = eval_range(ev, arg, g, &rg->source);
            if (r == 0)
                r = roll(ev, rg);
        } else if ((r = eval_scalar(ev, arg, g, &column)) == 0)
            rg->call.args[n_args++] = column;
    }
    if (r < 0 || (r = vector_new(ev, rg->source.n, g, fetch_ranged, rg, &ret->vector)) < 0)
        return r;
    for (size_t i = 0; i < rg->source.n; i++) {
        ret->vector->series[i] = rg->source.series[i];
        ret->vector->series[i].drop_name |= !rg->detail->keeps_name;
    }
    return 0;
}

static int fetch_absence(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    (void)ev;
    (void)i;
    c->histograms = NULL;
    bool any = false;
    const bool *seen = v->state;
    for (size_t s = 0; s < v->steps; s++) {
        c->present[s] = !seen[s];
        c->values[s] = 1;
        any |= c->present[s];
    }
    return any;
}

int call_absent_over_time(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct range_source src;
    bool *seen = arena_array(&ev->arena, g->n, sizeof *seen);
    size_t *lo = arena_array(&ev->arena, g->n, sizeof *lo), *hi = arena_array(&ev->arena, g->n, sizeof *hi);
    if (!seen || !lo || !hi)
        return -ENOMEM;
    int r = eval_range(ev, call->call.args[0], g, &src);
    if (r == 0)
        r = eval_range_rolled(ev, &src, g->n, STORE_ROLLED_COUNT);
    for (size_t i = 0; r == 0 && i < src.n; i++) {
        struct raw raw;
        if ((r = src.load(ev, &src, i, &raw)) < 0)
            break;
        range_windows(&src, g->n, &raw, lo, hi);
        for (size_t s = 0; s < g->n; s++)
            seen[s] |= hi[s] > lo[s];
    }
    if (r < 0 || (r = vector_new(ev, 1, g, fetch_absence, seen, &ret->vector)) < 0)
        return r;
    return labels_of_absent(ev, call->call.args[0], &ret->vector->series[0].labels);
}

int call_absent(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct vector *from;
    struct column c;
    bool *seen = arena_array(&ev->arena, g->n, sizeof *seen);
    if (!seen)
        return -ENOMEM;
    int r = eval_vector(ev, call->call.args[0], g, &from);
    if (r < 0 || (r = column_scratch(ev, g->n, &c)) < 0)
        return r;
    for (size_t i = 0; i < from->n; i++) {
        column_again(&c);
        if ((r = from->fetch(ev, from, i, &c)) < 0)
            return r;
        for (size_t s = 0; r > 0 && s < g->n; s++)
            seen[s] |= c.present[s];
    }
    if ((r = vector_new(ev, 1, g, fetch_absence, seen, &ret->vector)) < 0)
        return r;
    return labels_of_absent(ev, call->call.args[0], &ret->vector->series[0].labels);
}
