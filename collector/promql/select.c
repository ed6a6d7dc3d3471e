/* select.c - where series come from: selectors, ranges of them, subqueries. Each series is read once per selector, for all
 * steps; a window over its samples slides along the steps. Ranges and lookback are left-open. */
#include <errno.h>

#include "collector/promql/columns.h"
#include "collector/promql/shared_times.h"

/* The times that a selector or subquery looks at, one per step: the @ time or the step's, less the offset. */
MUST_USE static int reference_times(struct eval *ev, const struct promql_expr *e, const struct timing *t,
                                    const struct grid *g, int64_t **ret)
{
    int64_t offset_ms = 0;
    if (t->offset) {
        int r = eval_duration(ev, e, t->offset, true, &offset_ms);
        if (r < 0)
            return r;
    }
    int64_t *times = arena_array(&ev->arena, g->n, sizeof *times);
    if (!times)
        return -ENOMEM;
    for (size_t s = 0; s < g->n; s++) {
        int64_t at = t->at == AT_TIME    ? t->at_ms
                     : t->at == AT_START ? ev->start_ms
                     : t->at == AT_END   ? ev->end_ms
                                         : grid_time(g, s);
        if (__builtin_sub_overflow(at, offset_ms, &times[s]))
            times[s] = offset_ms > 0 ? INT64_MIN : INT64_MAX;
    }
    *ret = times;
    return 0;
}

/* `time` less `ms`, stopping at the end of time. */
static int64_t back(int64_t time, int64_t ms)
{
    int64_t t;
    return __builtin_sub_overflow(time, ms, &t) ? INT64_MIN : t;
}

struct stored { /* the series of one selector, and the samples of the one read last */
    const struct promql_expr *e;
    struct store_series *series;
    size_t n;
    struct sample_columns columns;
    const struct native_histogram **histograms; /* of the samples, with their hints; NULL: only floats */
    struct arena *arena;                        /* of those, forgotten with the next series */
    int64_t min_ms, max_ms;
    uint64_t held;
    bool rolled; /* rollups may stand for samples */
    struct store_rolling rolling;
    /* instant selectors */
    int64_t *times;
    int64_t lookback_ms;
    enum selector_column what;
};

static void done_columns(void *arg)
{
    sample_columns_done(arg);
}

MUST_USE static int find_series(struct eval *ev, const struct promql_expr *e, int64_t min_ms, int64_t max_ms,
                                struct stored **ret)
{
    struct stored *s = arena_alloc(&ev->arena, sizeof *s);
    if (!s)
        return -ENOMEM;
    sample_columns_init(&s->columns);
    int r = eval_defer(ev, done_columns, &s->columns);
    if (r < 0 || (r = eval_arena(ev, &s->arena)) < 0)
        return r;
    s->e = e;
    s->min_ms = min_ms;
    s->max_ms = max_ms;
    s->rolled = eval_sees_gone(ev);
    s->rolling = (struct store_rolling){.as = STORE_ROLLED_ENDS, .fine = ev->rollups == PROMQL_ROLLUPS_5M};
    struct store_selection selection = {
        .matchers = e->selector.matchers, .n_matchers = e->selector.n, .min_ms = min_ms, .max_ms = max_ms};
    r = store_select(ev->reader, &selection, &ev->arena, &s->series, &s->n);
    if (r == -E2BIG)
        return eval_fail(ev, PROMQL_EXECUTION, e, "regular expression exceeds its match limit");
    if (r < 0)
        return r == -ENOMEM ? r : eval_fail(ev, PROMQL_INTERNAL, e, "cannot select series: %s", strerror(-r));
    *ret = s;
    return 0;
}

static bool sample_is_stale(const struct stored *s, size_t k)
{
    return s->histograms && s->histograms[k] ? native_histogram_is_stale(s->histograms[k])
                                             : is_stale(s->columns.value[k]);
}

/* Samples of series i, or rollups in their place. */
MUST_USE static int read_columns(struct eval *ev, struct stored *s, size_t i)
{
    struct sample_columns *c = &s->columns;
    uint32_t id = s->series[i].id;
    if (!s->rolled)
        return store_read(ev->reader, id, s->min_ms, s->max_ms, c);
    int r = store_read_rolled(ev->reader, id, s->min_ms, s->max_ms, &s->rolling, c);
    if (r == 0 && c->count && !c->exact && s->rolling.as == STORE_ROLLED_SUM && !eval_sees_gone(ev))
        return store_read(ev->reader, id, s->min_ms, s->max_ms, c); /* the order of adding counts */
    if (r == 0 && c->n_gone)
        r = eval_warn(ev, s->e, "rollups stand for samples that are gone: the answer is as near as they can tell");
    return r;
}

/* Read series i. */
MUST_USE static int read_samples(struct eval *ev, struct stored *s, size_t i, bool drop_stale)
{
    int r = eval_tick(ev);
    if (r < 0)
        return r;
    struct sample_columns *c = &s->columns;
    if (s->histograms)
        arena_reset(s->arena);
    s->histograms = NULL;
    r = read_columns(ev, s, i);
    if (r == 0 && c->histograms && c->n)
        r = read_histograms(ev, s->series[i].id, s->min_ms, s->max_ms, s->e->selector.counts_and_sums, s->arena, c,
                            &s->histograms);
    if (r < 0)
        return r == -ENOMEM ? r : eval_fail(ev, PROMQL_INTERNAL, NULL, "cannot read samples: %s", strerror(-r));
    ev->samples_read += c->n;
    eval_release(ev, s->held);
    s->held = c->n;
    if ((r = eval_hold(ev, s->held)) < 0)
        return r;
    if (!drop_stale)
        return 0;
    size_t kept = 0;
    if (!s->histograms && !column_has_nan(c->value, c->n))
        return 0; /* a stale marker is a NaN, and mostly there is none */
    for (size_t k = 0; k < c->n; k++) {
        if (sample_is_stale(s, k))
            continue;
        c->t_ms[kept] = c->t_ms[k];
        c->value[kept] = c->value[k];
        if (c->start_ms)
            c->start_ms[kept] = c->start_ms[k];
        if (s->histograms)
            s->histograms[kept] = s->histograms[k];
        if (c->count)
            c->count[kept] = c->count[k];
        kept++;
    }
    c->n = kept;
    return 0;
}

/* Sample k's histogram as the column's at a step. The steps of one sample share the copy. */
MUST_USE static int put_histogram(struct column *col, const struct native_histogram *h, size_t s, size_t steps,
                                  const struct native_histogram **last, struct native_histogram **copy)
{
    int r = col->histograms ? 0 : column_histograms(col, steps);
    if (r < 0 || (h != *last && (r = native_copy(col->arena, h, copy)) < 0))
        return r;
    *last = h;
    col->histograms[s] = *copy;
    return 0;
}

static int fetch_instant(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    struct stored *st = v->state;
    const struct native_histogram *last = NULL;
    struct native_histogram *copy = NULL;
    int r = read_samples(ev, st, i, false);
    if (r < 0)
        return r;
    const struct sample_columns *samples = &st->columns;
    size_t next = 0; /* the first sample behind the step's time */
    bool any = false;
    c->histograms = NULL;
    for (size_t s = 0; s < v->steps; s++) {
        int64_t time = st->times[s];
        while (next < samples->n && samples->t_ms[next] <= time)
            next++;
        c->present[s] =
            next > 0 && samples->t_ms[next - 1] > back(time, st->lookback_ms) && !sample_is_stale(st, next - 1);
        if (st->what == SELECT_START)
            c->present[s] = c->present[s] && samples->start_ms && samples->start_ms[next - 1] != 0;
        if (!c->present[s])
            continue;
        c->values[s] = st->what == SELECT_VALUE  ? samples->value[next - 1]
                       : st->what == SELECT_TIME ? (double)samples->t_ms[next - 1] / 1000.0
                                                 : (double)samples->start_ms[next - 1] / 1000.0;
        any = true;
        if (st->what == SELECT_VALUE && st->histograms && st->histograms[next - 1] &&
            (r = put_histogram(c, st->histograms[next - 1], s, v->steps, &last, &copy)) < 0)
            return r;
    }
    return any;
}

/* The smoothed histogram of a step: sample `next` is the first behind its time. 0: there is none. */
MUST_USE static int smooth_histogram(struct eval *ev, const struct stored *st, const struct series *series,
                                     struct column *c, size_t next, size_t s, size_t steps)
{
    const struct sample_columns *samples = &st->columns;
    const struct native_histogram *h = st->histograms[next - 1];
    int64_t time = st->times[s];
    int r;
    if (next < samples->n && samples->t_ms[next] <= time + st->lookback_ms) {
        r = histogram_between(ev, st->e, c->arena, h, samples->t_ms[next - 1], st->histograms[next],
                              samples->t_ms[next], time, h->hint != HISTOGRAM_GAUGE, &h);
        if (r == -EINVAL)
            return warn_mixed_schemas(ev, st->e, &series->labels);
    } else {
        struct native_histogram *copy;
        if ((r = native_copy(c->arena, h, &copy)) == 0)
            h = copy;
    }
    if (r < 0 || (!c->histograms && (r = column_histograms(c, steps)) < 0))
        return r;
    c->histograms[s] = h;
    return 1;
}

/* Do floats and histograms meet within the lookback before and behind the time? */
static bool mixes_types(const struct stored *st, int64_t time)
{
    bool floats = false, histograms = false;
    for (size_t k = 0; st->histograms && k < st->columns.n; k++) {
        int64_t t = st->columns.t_ms[k];
        if (t <= back(time, st->lookback_ms) || t > time + st->lookback_ms)
            continue;
        floats |= !st->histograms[k];
        histograms |= st->histograms[k] != NULL;
    }
    return floats && histograms;
}

/* The value at each step, interpolated between the neighbours of the step's time; behind the last sample it is carried on. */
static int fetch_smoothed(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    struct stored *st = v->state;
    int r = read_samples(ev, st, i, true);
    if (r < 0)
        return r;
    const struct sample_columns *samples = &st->columns;
    size_t next = 0;
    bool any = false;
    c->histograms = NULL;
    for (size_t s = 0; s < v->steps; s++) {
        int64_t time = st->times[s];
        while (next < samples->n && samples->t_ms[next] <= time)
            next++;
        c->present[s] = next > 0 && samples->t_ms[next - 1] > back(time, st->lookback_ms);
        if (c->present[s] && mixes_types(st, time)) {
            c->present[s] = false;
            if ((r = warn_mixed_floats(ev, st->e, &v->series[i].labels)) < 0)
                return r;
        }
        if (c->present[s] && st->histograms && st->histograms[next - 1]) {
            if ((r = smooth_histogram(ev, st, &v->series[i], c, next, s, v->steps)) < 0)
                return r;
            c->present[s] = r > 0;
            any |= c->present[s];
            continue;
        }
        if (!c->present[s])
            continue;
        any = true;
        c->values[s] = samples->value[next - 1];
        if (next < samples->n && samples->t_ms[next] <= time + st->lookback_ms) {
            double part =
                (double)(time - samples->t_ms[next - 1]) / (double)(samples->t_ms[next] - samples->t_ms[next - 1]);
            c->values[s] += (samples->value[next] - c->values[s]) * part;
        }
    }
    return any;
}

int eval_selector(struct eval *ev, const struct promql_expr *e, const struct grid *g, enum selector_column what,
                  struct vector **ret)
{
    int64_t *times;
    struct stored *st;
    struct vector *v;
    bool smoothed = e->selector.extension == EXTENSION_SMOOTHED && what == SELECT_VALUE;
    int r = reference_times(ev, e, &e->selector.timing, g, &times);
    if (r < 0 ||
        (r = find_series(ev, e, back(times[0], ev->lookback_ms - 1), times[g->n - 1] + (smoothed ? ev->lookback_ms : 0),
                         &st)) < 0 ||
        (r = vector_new(ev, st->n, g, smoothed ? fetch_smoothed : fetch_instant, st, &v)) < 0)
        return r;
    st->times = times;
    st->lookback_ms = ev->lookback_ms;
    st->what = what;
    for (size_t i = 0; i < st->n; i++)
        v->series[i] = (struct series){st->series[i].labels, what != SELECT_VALUE};
    *ret = v;
    return 0;
}

/* ---- ranges ---- */

static int load_stored(struct eval *ev, struct range_source *src, size_t i, struct raw *ret)
{
    struct stored *st = src->state;
    int r = read_samples(ev, st, i, true);
    const struct sample_columns *c = &st->columns;
    if (r == 0)
        *ret = (struct raw){c->t_ms, c->start_ms, c->value, st->histograms, c->n, c->count};
    return r;
}

MUST_USE static int range_of_selector(struct eval *ev, const struct promql_expr *e, const struct grid *g,
                                      struct range_source *src)
{
    const struct promql_expr *selector = e->matrix.selector;
    struct stored *st;
    src->extension = selector->selector.extension;
    int64_t before_ms = src->extension == EXTENSION_NONE ? 0 : ev->lookback_ms;
    int64_t behind_ms = src->extension == EXTENSION_SMOOTHED ? ev->lookback_ms : 0;
    int r = eval_duration(ev, e, e->matrix.range, false, &src->range_ms);
    if (r < 0 || (r = reference_times(ev, e, &selector->selector.timing, g, &src->ends_ms)) < 0 ||
        (r = find_series(ev, selector, back(src->ends_ms[0], src->range_ms + before_ms - 1),
                         src->ends_ms[g->n - 1] + behind_ms, &st)) < 0)
        return r;
    src->n = st->n;
    src->series = arena_array(&ev->arena, st->n, sizeof *src->series);
    if (!src->series)
        return -ENOMEM;
    for (size_t i = 0; i < st->n; i++)
        src->series[i] = (struct series){st->series[i].labels, false};
    src->state = st;
    src->load = load_stored;
    return 0;
}

/* The edges of the windows, both of each: two ascending lists become one. */
MUST_USE static int edges_of(struct eval *ev, const struct range_source *src, size_t steps, struct store_rolling *ret)
{
    int64_t *edges = arena_array(&ev->arena, 2 * steps, sizeof *edges);
    size_t n = 0;
    if (!edges)
        return -ENOMEM;
    for (size_t opens = 0, ends = 0; opens < steps || ends < steps;) {
        int64_t open = opens < steps ? back(src->ends_ms[opens], src->range_ms) : INT64_MAX;
        if (opens < steps && open <= src->ends_ms[ends]) /* every end has its open edge before it */
            opens++;
        else
            open = src->ends_ms[ends++];
        if (n == 0 || edges[n - 1] != open)
            edges[n++] = open;
    }
    ret->edges_ms = edges;
    ret->n_edges = n;
    return 0;
}

int eval_range_rolled(struct eval *ev, struct range_source *src, size_t steps, enum store_rolled as)
{
    struct stored *st = src->state;
    if (src->load != load_stored || src->extension != EXTENSION_NONE || ev->rollups == PROMQL_ROLLUPS_OFF)
        return 0;
    st->rolled = true;
    st->rolling.as = as;
    return edges_of(ev, src, steps, &st->rolling);
}

struct inner { /* a subquery's expression over its own steps */
    struct vector *vector;
    struct grid grid;
    struct column column;
    int64_t *t_ms;
};

/* What follows upon what in a subquery is not what followed in the series: hints of resets lose their meaning. */
MUST_USE static int forget_hint(struct column *c, size_t s)
{
    enum histogram_reset_hint hint = c->histograms[s]->hint;
    if (hint != HISTOGRAM_RESET_YES && hint != HISTOGRAM_RESET_NO)
        return 0;
    struct native_histogram *h = arena_alloc(c->arena, sizeof *h);
    if (!h)
        return -ENOMEM;
    *h = *c->histograms[s];
    h->hint = HISTOGRAM_RESET_UNKNOWN;
    c->histograms[s] = h;
    return 0;
}

static int load_subquery(struct eval *ev, struct range_source *src, size_t i, struct raw *ret)
{
    struct inner *in = src->state;
    struct column *c = &in->column;
    int r = eval_tick(ev);
    column_again(c);
    if (r < 0 || (r = in->vector->fetch(ev, in->vector, i, c)) < 0)
        return r;
    size_t n = 0;
    for (size_t s = 0; r > 0 && s < in->grid.n; s++) {
        if (!c->present[s])
            continue;
        if (column_histogram(c, s) && (r = forget_hint(c, s)) < 0)
            return r;
        in->t_ms[n] = grid_time(&in->grid, s);
        c->values[n] = c->values[s];
        if (c->histograms)
            c->histograms[n] = c->histograms[s];
        n++;
        r = 1;
    }
    *ret = (struct raw){in->t_ms, NULL, c->values, c->histograms, n, NULL};
    return 0;
}

/* The steps inside all windows: multiples of the resolution, from the first behind the earliest window's open end. */
MUST_USE static int subquery_grid(struct eval *ev, const struct promql_expr *e, const struct range_source *src,
                                  size_t steps, struct grid *ret)
{
    int64_t step_ms = ev->subquery_step_ms;
    int r = e->subquery.step ? eval_duration(ev, e, e->subquery.step, false, &step_ms) : 0;
    if (r < 0)
        return r;
    int64_t open = back(src->ends_ms[0], src->range_ms), end = src->ends_ms[steps - 1];
    int64_t start = open / step_ms * step_ms;
    if (start <= open)
        start += step_ms;
    uint64_t n = end < start ? 0 : ((uint64_t)end - (uint64_t)start) / (uint64_t)step_ms + 1;
    *ret = (struct grid){start, step_ms, (size_t)n};
    return eval_hold(ev, n);
}

MUST_USE static int range_of_subquery(struct eval *ev, const struct promql_expr *e, const struct grid *g,
                                      struct range_source *src)
{
    struct inner *in = arena_alloc(&ev->arena, sizeof *in);
    if (!in)
        return -ENOMEM;
    int r = eval_duration(ev, e, e->subquery.range, false, &src->range_ms);
    if (r < 0 || (r = reference_times(ev, e, &e->subquery.timing, g, &src->ends_ms)) < 0 ||
        (r = subquery_grid(ev, e, src, g->n, &in->grid)) < 0)
        return r;
    src->state = in;
    src->load = load_subquery;
    if (in->grid.n == 0)
        return 0; /* no step falls into the window: no series */
    if ((r = eval_vector(ev, e->subquery.expr, &in->grid, &in->vector)) < 0)
        return r;
    if ((r = column_scratch(ev, in->grid.n, &in->column)) < 0)
        return r;
    in->t_ms = arena_array(&ev->arena, in->grid.n, sizeof *in->t_ms);
    src->series = in->vector->series;
    src->n = in->vector->n;
    return in->t_ms ? 0 : -ENOMEM;
}

int eval_range(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct range_source *ret)
{
    e = unwrap_parens(e);
    struct range_source src = {0};
    int r = e->kind == NODE_MATRIX ? range_of_selector(ev, e, g, &src) : range_of_subquery(ev, e, g, &src);
    if (r < 0)
        return r;
    *ret = src;
    if (src.extension == EXTENSION_NONE) /* the others move the windows' edges */
        ret->shared = shared_times_new(&ev->arena);
    return 0;
}

void range_windows(const struct range_source *src, size_t steps, const struct raw *raw, size_t *lo, size_t *hi)
{
    size_t first = 0, behind = 0;
    if (shared_times_are(src->shared, raw, steps, lo, hi))
        return;
    for (size_t s = 0; s < steps; s++) {
        int64_t end = src->ends_ms[s], open = back(end, src->range_ms);
        while (behind < raw->n && raw->t_ms[behind] <= end)
            behind++;
        while (first < behind && raw->t_ms[first] <= open)
            first++;
        lo[s] = first;
        hi[s] = behind;
    }
}
