/* call_range.c - runs a range function over each series of a selector's or subquery's range. */
#include "collector/promql/calls.h"

#include <errno.h>

struct ranged {
    struct range_source source;
    const struct range_detail *detail;
    struct range_call call; /* with what is the same for every series */
    size_t *lo, *hi;
};

static bool ends_with(struct span s, struct span end)
{
    return s.len >= end.len && memcmp(s.ptr + s.len - end.len, end.ptr, end.len) == 0;
}

/* rate() of what does not look like a counter is told, once per name. */
MUST_USE static int look_for_counter(struct eval *ev, const struct promql_expr *call, const struct labels *ls)
{
    static const struct span ENDS[] = {SPAN_INIT("_total"), SPAN_INIT("_sum"), SPAN_INIT("_count"),
                                       SPAN_INIT("_bucket")};
    struct span name = labels_get(ls, SPAN("__name__"));
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
                                  double *values, bool *present)
{
    const struct grid *g = &rg->call.grid;
    for (size_t from = 0, to; from < g->n; from = to) {
        size_t work = 0;
        for (to = from; to < g->n && work < PIECE_SAMPLES; to++)
            work += rg->hi[to] - rg->lo[to];
        struct range_call c = rg->call;
        c.ev = ev;
        c.index = series;
        c.raw = raw;
        c.grid = (struct grid){grid_time(g, from), g->step_ms, to - from};
        c.ends_ms = rg->source.ends_ms + from;
        c.lo = rg->lo + from;
        c.hi = rg->hi + from;
        c.values = values + from;
        c.present = present + from;
        for (size_t i = 0; i < ARRAY_LEN(c.args); i++)
            c.args[i] = c.args[i] ? c.args[i] + from : NULL;
        int r = rg->source.extension != EXTENSION_NONE && rg->detail->between_edges ? range_extended(&c)
                                                                                    : rg->detail->fn(&c);
        if (r < 0 || (to < g->n && (r = eval_check(ev)) < 0))
            return r;
    }
    return 0;
}

static int fetch_ranged(struct eval *ev, struct vector *v, size_t i, double *values, bool *present)
{
    struct ranged *rg = v->state;
    struct raw raw;
    int r = rg->source.load(ev, &rg->source, i, &raw);
    if (r < 0)
        return r;
    memset(present, 0, v->steps * sizeof *present);
    if (raw.n == 0)
        return 0;
    range_windows(&rg->source, v->steps, &raw, rg->lo, rg->hi);
    if (rg->source.extension == EXTENSION_ANCHORED && !rg->detail->between_edges)
        extend_windows_by_anchor(&rg->source, ev->lookback_ms, v->steps, &raw, rg->lo, rg->hi);
    if ((r = run_in_pieces(ev, rg, i, &raw, values, present)) < 0)
        return r;
    if (!memchr(present, true, v->steps * sizeof *present))
        return 0;
    if (rg->detail->is_counter && (r = look_for_counter(ev, rg->call.call, &rg->source.series[i].labels)) < 0)
        return r;
    return 1;
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
    rg->lo = arena_array(&ev->arena, g->n, sizeof *rg->lo);
    rg->hi = arena_array(&ev->arena, g->n, sizeof *rg->hi);
    if (!rg->lo || !rg->hi)
        return -ENOMEM;
    size_t n_args = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < call->call.n; i++) {
        const struct promql_expr *arg = call->call.args[i];
        double *column;
        if (arg->type == PROMQL_MATRIX)
            r = eval_range(ev, arg, g, &rg->source);
        else if ((r = eval_scalar(ev, arg, g, &column)) == 0)
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

static int fetch_absence(struct eval *ev, struct vector *v, size_t i, double *values, bool *present)
{
    (void)ev;
    (void)i;
    bool any = false;
    const bool *seen = v->state;
    for (size_t s = 0; s < v->steps; s++) {
        present[s] = !seen[s];
        values[s] = 1;
        any |= present[s];
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
    if (r < 0 || (r = column_new(ev, g->n, &c)) < 0)
        return r;
    for (size_t i = 0; i < from->n; i++) {
        if ((r = from->fetch(ev, from, i, c.values, c.present)) < 0)
            return r;
        for (size_t s = 0; r > 0 && s < g->n; s++)
            seen[s] |= c.present[s];
    }
    if ((r = vector_new(ev, 1, g, fetch_absence, seen, &ret->vector)) < 0)
        return r;
    return labels_of_absent(ev, call->call.args[0], &ret->vector->series[0].labels);
}
