/* select.c - where series come from: selectors, ranges of them, subqueries. Each series is read once per selector, for all
 * steps; a window over its samples slides along the steps. Ranges and lookback are left-open. */
#include <errno.h>
#include <math.h>

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
    struct store_series *series;
    size_t n;
    struct sample_columns columns;
    int64_t min_ms, max_ms;
    uint64_t held;
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
    if (r < 0)
        return r;
    s->min_ms = min_ms;
    s->max_ms = max_ms;
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

/* Read series i; native histograms are not evaluated yet and are left out. */
MUST_USE static int read_samples(struct eval *ev, struct stored *s, size_t i, bool drop_stale)
{
    int r = eval_tick(ev);
    if (r < 0)
        return r;
    struct sample_columns *c = &s->columns;
    r = store_read(ev->reader, s->series[i].id, s->min_ms, s->max_ms, c);
    if (r < 0)
        return r == -ENOMEM ? r : eval_fail(ev, PROMQL_INTERNAL, NULL, "cannot read samples: %s", strerror(-r));
    ev->samples_read += c->n;
    eval_release(ev, s->held);
    s->held = c->n;
    if ((r = eval_hold(ev, s->held)) < 0)
        return r;
    if (!drop_stale && !c->histograms)
        return 0;
    size_t kept = 0;
    bool may_be_stale = c->histograms != NULL;
    for (size_t k = 0; k < c->n; k++) /* a stale marker is a NaN, and mostly there is none */
        may_be_stale |= isnan(c->value[k]);
    for (size_t k = 0; may_be_stale && k < c->n; k++) {
        if ((drop_stale && is_stale(c->value[k])) || (c->histograms && c->histograms[k]))
            continue;
        c->t_ms[kept] = c->t_ms[k];
        c->value[kept] = c->value[k];
        if (c->start_ms)
            c->start_ms[kept] = c->start_ms[k];
        kept++;
    }
    if (may_be_stale)
        c->n = kept;
    return 0;
}

static int fetch_instant(struct eval *ev, struct vector *v, size_t i, double *values, bool *present)
{
    struct stored *st = v->state;
    int r = read_samples(ev, st, i, false);
    if (r < 0)
        return r;
    const struct sample_columns *c = &st->columns;
    size_t next = 0; /* the first sample behind the step's time */
    bool any = false;
    for (size_t s = 0; s < v->steps; s++) {
        int64_t time = st->times[s];
        while (next < c->n && c->t_ms[next] <= time)
            next++;
        present[s] = next > 0 && c->t_ms[next - 1] > back(time, st->lookback_ms) && !is_stale(c->value[next - 1]);
        if (st->what == SELECT_START)
            present[s] = present[s] && c->start_ms && c->start_ms[next - 1] != 0;
        if (!present[s])
            continue;
        values[s] = st->what == SELECT_VALUE  ? c->value[next - 1]
                    : st->what == SELECT_TIME ? (double)c->t_ms[next - 1] / 1000.0
                                              : (double)c->start_ms[next - 1] / 1000.0;
        any = true;
    }
    return any;
}

/* The value at each step, interpolated between the neighbours of the step's time; behind the last sample it is carried on. */
static int fetch_smoothed(struct eval *ev, struct vector *v, size_t i, double *values, bool *present)
{
    struct stored *st = v->state;
    int r = read_samples(ev, st, i, true);
    if (r < 0)
        return r;
    const struct sample_columns *c = &st->columns;
    size_t next = 0;
    bool any = false;
    for (size_t s = 0; s < v->steps; s++) {
        int64_t time = st->times[s];
        while (next < c->n && c->t_ms[next] <= time)
            next++;
        present[s] = next > 0 && c->t_ms[next - 1] > back(time, st->lookback_ms);
        if (!present[s])
            continue;
        any = true;
        values[s] = c->value[next - 1];
        if (next < c->n && c->t_ms[next] <= time + st->lookback_ms) {
            double part = (double)(time - c->t_ms[next - 1]) / (double)(c->t_ms[next] - c->t_ms[next - 1]);
            values[s] += (c->value[next] - values[s]) * part;
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
        *ret = (struct raw){c->t_ms, c->start_ms, c->value, c->n};
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

struct inner { /* a subquery's expression over its own steps */
    struct vector *vector;
    struct grid grid;
    double *values;
    bool *present;
    int64_t *t_ms;
};

static int load_subquery(struct eval *ev, struct range_source *src, size_t i, struct raw *ret)
{
    struct inner *in = src->state;
    int r = eval_tick(ev);
    if (r < 0 || (r = in->vector->fetch(ev, in->vector, i, in->values, in->present)) < 0)
        return r;
    size_t n = 0;
    for (size_t s = 0; r > 0 && s < in->grid.n; s++)
        if (in->present[s]) {
            in->t_ms[n] = grid_time(&in->grid, s);
            in->values[n++] = in->values[s];
        }
    *ret = (struct raw){in->t_ms, NULL, in->values, n};
    return 0;
}

#define SUBQUERY_STEP_MS 60000 /* where [range:] names none: Prometheus's default evaluation interval */

/* The steps inside all windows: multiples of the resolution, from the first behind the earliest window's open end. */
MUST_USE static int subquery_grid(struct eval *ev, const struct promql_expr *e, const struct range_source *src,
                                  size_t steps, struct grid *ret)
{
    int64_t step_ms = SUBQUERY_STEP_MS;
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
    in->values = arena_array(&ev->arena, in->grid.n, sizeof *in->values);
    in->present = arena_array(&ev->arena, in->grid.n, sizeof *in->present);
    in->t_ms = arena_array(&ev->arena, in->grid.n, sizeof *in->t_ms);
    src->series = in->vector->series;
    src->n = in->vector->n;
    return in->values && in->present && in->t_ms ? 0 : -ENOMEM;
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
