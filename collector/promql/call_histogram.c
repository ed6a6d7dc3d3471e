/* call_histogram.c - quantiles and fractions of classic histograms (series with le labels).
 * Semantics: prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile. */
#include "collector/promql/calls.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"

struct bucket {
    double upper, count;
};
struct bucket_series {
    double upper;
    size_t column;
};
/* The histograms of a vector: group h has the bucket series [starts[h], starts[h + 1]), ascending by bound. */
struct histograms {
    struct matrix input;
    struct label_table table; /* labels without le */
    struct bucket_series *list;
    size_t *starts;
    struct bucket *room; /* for one histogram at one step */
};

static int by_upper(const void *a, const void *b)
{
    double x = ((const struct bucket_series *)a)->upper, y = ((const struct bucket_series *)b)->upper;
    return (x > y) - (x < y);
}

static int warn_bad_le(struct eval *ev, const struct promql_expr *place, const struct labels *ls, struct span le)
{
    struct span name = labels_get(ls, SPAN("__name__"));
    if (name.len)
        return eval_warn(ev, place,
                         "bucket label \"le\" is missing or has a malformed value of \"" SPAN_FMT
                         "\" for metric name \"" SPAN_FMT "\"",
                         SPAN_ARG(le), SPAN_ARG(name));
    return eval_warn(ev, place, "bucket label \"le\" is missing or has a malformed value of \"" SPAN_FMT "\"",
                     SPAN_ARG(le));
}

MUST_USE static int gather(struct eval *ev, const struct promql_expr *arg, const struct grid *g, struct histograms *h)
{
    struct vector *from;
    *h = (struct histograms){0};
    label_table_init(&h->table, &ev->arena);
    int r = eval_vector(ev, arg, g, &from);
    if (r < 0 || (r = materialise(ev, from, &h->input)) < 0)
        return r;
    size_t n = h->input.n, most = 0;
    for (size_t i = 0; i < n; i++)
        most = h->input.series[i].labels.n > most ? h->input.series[i].labels.n : most;
    struct label *room = arena_array(&ev->arena, most, sizeof *room);
    size_t *of = arena_array(&ev->arena, n, sizeof *of);
    double *upper = arena_array(&ev->arena, n, sizeof *upper);
    h->list = arena_array(&ev->arena, n, sizeof *h->list);
    h->room = arena_array(&ev->arena, n, sizeof *h->room);
    if (!room || !of || !upper || !h->list || !h->room)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct labels *ls = &h->input.series[i].labels;
        struct span le = labels_get(ls, SPAN("le"));
        of[i] = SIZE_MAX;
        r = parse_f64_span(le, &upper[i]);
        if (r < 0 && r != -ERANGE) {
            if ((r = warn_bad_le(ev, arg, ls, le)) < 0)
                return r;
            continue;
        }
        static const struct span LE[] = {SPAN_INIT("le")};
        struct labels key = labels_without(ls, LE, 1, false, room);
        bool is_new;
        if ((r = label_table_intern(&h->table, &key, &of[i], &is_new)) < 0)
            return r;
    }
    h->starts = arena_array(&ev->arena, h->table.n + 2, sizeof *h->starts);
    if (!h->starts)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (of[i] != SIZE_MAX)
            h->starts[of[i] + 2]++;
    for (size_t i = 2; i < h->table.n + 2; i++)
        h->starts[i] += h->starts[i - 1];
    for (size_t i = 0; i < n; i++)
        if (of[i] != SIZE_MAX)
            h->list[h->starts[of[i] + 1]++] = (struct bucket_series){upper[i], i};
    for (size_t i = 0; i < h->table.n; i++)
        qsort(h->list + h->starts[i], h->starts[i + 1] - h->starts[i], sizeof *h->list, by_upper);
    return 0;
}

/* The buckets of histogram i at a step: equal bounds put together. */
static size_t buckets_at(const struct histograms *h, size_t i, size_t step)
{
    size_t n = 0;
    for (size_t k = h->starts[i]; k < h->starts[i + 1]; k++) {
        const struct column *c = &h->input.columns[h->list[k].column];
        if (!c->present[step])
            continue;
        if (n && h->room[n - 1].upper == h->list[k].upper)
            h->room[n - 1].count += c->values[step];
        else
            h->room[n++] = (struct bucket){h->list[k].upper, c->values[step]};
    }
    return n;
}

/* Almost equal, as Prometheus's test of small deltas has it. */
static bool nearly_equal(double a, double b, double tolerance)
{
    double difference = fabs(a - b), sum = fabs(a) + fabs(b);
    if (a == 0 || b == 0 || sum < 2.2250738585072014e-308)
        return difference < tolerance * 2.2250738585072014e-308;
    return difference / fmin(sum, 1.7976931348623157e308) < tolerance;
}

/* Scrapes and recording rules may leave a bucket below its predecessor: it is lifted. true: by more than rounding. */
static bool make_monotonic(struct bucket *b, size_t n)
{
    bool forced = false;
    double before = b[0].count;
    for (size_t i = 1; i < n; i++) {
        if (b[i].count == before)
            continue;
        bool small = nearly_equal(before, b[i].count, 1e-12);
        if (small || b[i].count < before) {
            forced |= !small;
            b[i].count = before;
        } else {
            before = b[i].count;
        }
    }
    return forced;
}

static double bucket_quantile(double q, struct bucket *b, size_t n, bool *ret_forced)
{
    if (isnan(q))
        return NAN;
    if (q < 0 || q > 1)
        return q < 0 ? -INFINITY : INFINITY;
    if (n == 0 || !isinf(b[n - 1].upper) || b[n - 1].upper < 0)
        return NAN;
    *ret_forced = make_monotonic(b, n);
    double observations = b[n - 1].count;
    if (n < 2 || observations == 0 || isnan(observations))
        return NAN;
    double rank = q * observations;
    size_t i = 0;
    while (i < n - 1 && !(b[i].count >= rank))
        i++;
    if (i == n - 1)
        return b[n - 2].upper;
    if (i == 0 && b[0].upper <= 0)
        return b[0].upper;
    double start = 0, end = b[i].upper, count = b[i].count;
    if (i > 0) {
        start = b[i - 1].upper;
        count -= b[i - 1].count;
        rank -= b[i - 1].count;
    }
    return start + (end - start) * (rank / count);
}

/* How many observations lie below v: inside a bucket by its share, in an infinite one none of it. */
static double rank_of(double v, const struct bucket *b, size_t n)
{
    double rank = 0;
    for (size_t i = 0; i < n; i++) {
        double lower = i > 0 ? b[i - 1].upper : b[0].upper > 0 ? 0 : -INFINITY;
        if (lower >= v)
            return rank;
        if (b[i].upper > v)
            return isinf(lower) ? b[i].count : rank + (b[i].count - rank) * (v - lower) / (b[i].upper - lower);
        rank = b[i].count;
    }
    return b[n - 1].count;
}

static double bucket_fraction(double lower, double upper, const struct bucket *b, size_t n)
{
    if (n == 0 || !isinf(b[n - 1].upper) || b[n - 1].upper < 0)
        return NAN;
    double count = b[n - 1].count;
    if (count == 0 || isnan(lower) || isnan(upper) || isnan(count))
        return NAN;
    if (lower >= upper)
        return 0;
    return (fmin(rank_of(upper, b, n), count) - fmin(rank_of(lower, b, n), count)) / count;
}

MUST_USE static int check_quantile(struct eval *ev, const struct promql_expr *place, const double *q, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        if (q[s] >= 0 && q[s] <= 1)
            continue;
        char text[NUMBER_TEXT_MAX];
        format_f64_g(text, q[s]);
        int r = eval_warn(ev, place, "quantile value should be between 0 and 1, got %s", text);
        if (r < 0)
            return r;
    }
    return 0;
}

static int note_forced(struct eval *ev, const struct promql_expr *place, const struct labels *ls)
{
    static const char TEXT[] = "input to histogram_quantile needed to be fixed for monotonicity (see "
                               "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
    struct span name = labels_get(ls, SPAN("__name__"));
    return name.len ? eval_info(ev, place, "%s for metric name \"" SPAN_FMT "\"", TEXT, SPAN_ARG(name))
                    : eval_info(ev, place, "%s", TEXT);
}

/* One column of quantiles of histogram i. */
MUST_USE static int quantile_column(struct eval *ev, const struct promql_expr *place, const struct histograms *h,
                                    size_t i, const double *q, size_t steps, struct column *ret)
{
    bool any_forced = false;
    int r = eval_tick(ev);
    if (r < 0 || (r = column_new(ev, steps, ret)) < 0)
        return r;
    for (size_t s = 0; s < steps; s++) {
        bool forced = false;
        size_t n = buckets_at(h, i, s);
        ret->present[s] = n > 0;
        if (n > 0)
            ret->values[s] = bucket_quantile(q[s], h->room, n, &forced);
        any_forced |= forced;
    }
    return any_forced ? note_forced(ev, place, &h->table.sets[i]) : 0;
}

int call_histogram_quantile(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    double *q;
    struct histograms h;
    int r = eval_scalar(ev, call->call.args[0], g, &q);
    if (r < 0 || (r = check_quantile(ev, call->call.args[0], q, g->n)) < 0 ||
        (r = gather(ev, call->call.args[1], g, &h)) < 0)
        return r;
    struct matrix out = {.n = h.table.n};
    out.series = arena_array(&ev->arena, out.n, sizeof *out.series);
    out.columns = arena_array(&ev->arena, out.n, sizeof *out.columns);
    if (!out.series || !out.columns)
        return -ENOMEM;
    for (size_t i = 0; i < out.n; i++) {
        out.series[i] = (struct series){h.table.sets[i], true};
        if ((r = quantile_column(ev, call->call.args[1], &h, i, q, g->n, &out.columns[i])) < 0)
            return r;
    }
    return matrix_vector(ev, &out, g, &ret->vector);
}

/* histogram_quantiles(v, "label", q1, q2, ...): each quantile under its own value of the label. */
int call_histogram_quantiles(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct histograms h;
    struct span label;
    size_t n_q = call->call.n - 2;
    int r = eval_string(ev, call->call.args[1], &label);
    if (r < 0 || (r = gather(ev, call->call.args[0], g, &h)) < 0)
        return r;
    if (label.len == 0 || !span_is_utf8(label))
        return eval_fail(ev, PROMQL_EXECUTION, call->call.args[1], "invalid label name \"" SPAN_FMT "\"",
                         SPAN_ARG(label));
    struct matrix out = {0};
    out.series = arena_array(&ev->arena, h.table.n * n_q, sizeof *out.series);
    out.columns = arena_array(&ev->arena, h.table.n * n_q, sizeof *out.columns);
    if (!out.series || !out.columns)
        return -ENOMEM;
    for (size_t k = 0; k < n_q; k++) {
        double *q;
        if ((r = eval_scalar(ev, call->call.args[k + 2], g, &q)) < 0 ||
            (r = check_quantile(ev, call->call.args[k + 2], q, g->n)) < 0)
            return r;
        char text[NUMBER_TEXT_MAX];
        size_t n = format_f64_le(text, q[0]);
        bool ok = true;
        struct span value = arena_span(&ev->arena, span_of(text, n), &ok);
        if (!ok)
            return -ENOMEM;
        for (size_t i = 0; i < h.table.n; i++) {
            struct label *room = arena_array(&ev->arena, h.table.sets[i].n + 1, sizeof *room);
            if (!room)
                return -ENOMEM;
            out.series[out.n] = (struct series){labels_with(&h.table.sets[i], label, value, room), true};
            if ((r = quantile_column(ev, call->call.args[0], &h, i, q, g->n, &out.columns[out.n++])) < 0)
                return r;
        }
    }
    return matrix_vector(ev, &out, g, &ret->vector);
}

int call_histogram_fraction(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    double *lower, *upper;
    struct histograms h;
    int r = eval_scalar(ev, call->call.args[0], g, &lower);
    if (r < 0 || (r = eval_scalar(ev, call->call.args[1], g, &upper)) < 0 ||
        (r = gather(ev, call->call.args[2], g, &h)) < 0)
        return r;
    struct matrix out = {.n = h.table.n};
    out.series = arena_array(&ev->arena, out.n, sizeof *out.series);
    out.columns = arena_array(&ev->arena, out.n, sizeof *out.columns);
    if (!out.series || !out.columns)
        return -ENOMEM;
    for (size_t i = 0; i < out.n; i++) {
        out.series[i] = (struct series){h.table.sets[i], true};
        if ((r = eval_tick(ev)) < 0 || (r = column_new(ev, g->n, &out.columns[i])) < 0)
            return r;
        for (size_t s = 0; s < g->n; s++) {
            size_t n = buckets_at(&h, i, s);
            out.columns[i].present[s] = n > 0;
            if (n > 0)
                out.columns[i].values[s] = bucket_fraction(lower[s], upper[s], h.room, n);
        }
    }
    return matrix_vector(ev, &out, g, &ret->vector);
}
