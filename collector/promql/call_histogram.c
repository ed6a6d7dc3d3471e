/* call_histogram.c - quantiles and fractions of histograms, classic (series with le labels) and native; what else native ones
 * tell.
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
struct native_series { /* what was asked of a series' native histograms: a column per answer */
    struct series series;
    struct column *answers;
};
/* The histograms of a vector: classic histogram h has the bucket series [starts[h], starts[h + 1]), ascending by bound. */
struct histograms {
    struct matrix input;      /* floats: buckets of classic histograms */
    struct label_table table; /* labels without le */
    struct bucket_series *list;
    size_t *starts;
    struct bucket *room; /* for one histogram at one step */
    bool **shadowed;     /* per classic histogram, NULL: never: the steps with a native one of the same labels */
    struct native_series *natives;
    size_t n_natives;
};
/* What is asked. */
struct question {
    const struct promql_expr *arg; /* the vector */
    const char *function;
    size_t n;         /* answers */
    const double **q; /* quantiles; NULL: a fraction */
    const double *lower, *upper;
};

static int by_upper(const void *a, const void *b)
{
    double x = ((const struct bucket_series *)a)->upper, y = ((const struct bucket_series *)b)->upper;
    return (x > y) - (x < y);
}

/* " for metric name ..." where there is one. */
static const char *of_metric(const struct labels *ls, char *room, size_t n)
{
    struct span name = labels_get(ls, SPAN("__name__"));
    room[0] = '\0';
    if (name.len)
        snprintf(room, n, " for metric name \"" SPAN_FMT "\"", SPAN_ARG(name));
    return room;
}

static int warn_bad_le(struct eval *ev, const struct promql_expr *place, const struct labels *ls, struct span le)
{
    char metric[PROBLEM_TEXT_MAX];
    return eval_warn(ev, place, "bucket label \"le\" is missing or has a malformed value of \"" SPAN_FMT "\"%s",
                     SPAN_ARG(le), of_metric(ls, metric, sizeof metric));
}

/* ---- native histograms: asked as they come, then forgotten ---- */

MUST_USE static int tell_of_nan(struct eval *ev, const struct question *ask, struct native_nan nan,
                                const struct labels *ls)
{
    char metric[PROBLEM_TEXT_MAX];
    of_metric(ls, metric, sizeof metric);
    if (!ask->q && nan.skewed)
        return eval_info(ev, ask->arg,
                         "input to histogram_fraction has NaN observations, which are excluded from all fractions%s",
                         metric);
    if (nan.result || nan.skewed)
        return eval_info(ev, ask->arg, "input to histogram_quantile has NaN observations, result is %s%s",
                         nan.result ? "NaN" : "skewed higher", metric);
    return 0;
}

/* Take the histograms out of the column. */
MUST_USE static int ask_natives(struct eval *ev, const struct question *ask, const struct series *series,
                                struct column *c, size_t steps, struct arena *temporary, struct native_series *ret)
{
    int r = 0;
    *ret = (struct native_series){*series, arena_array(&ev->arena, ask->n, sizeof *ret->answers)};
    ret->series.drop_name = true;
    for (size_t k = 0; ret->answers && r == 0 && k < ask->n; k++)
        r = column_new(ev, steps, &ret->answers[k]);
    if (r < 0 || !ret->answers)
        return -ENOMEM;
    for (size_t s = 0; s < steps; s++) {
        if (!c->present[s] || !c->histograms[s])
            continue;
        for (size_t k = 0; r == 0 && k < ask->n; k++) {
            struct native_nan nan;
            struct column *answer = &ret->answers[k];
            r = ask->q ? native_quantile(temporary, ask->q[k][s], c->histograms[s], &answer->values[s], &nan)
                       : native_fraction(temporary, ask->lower[s], ask->upper[s], c->histograms[s], &answer->values[s],
                                         &nan);
            answer->present[s] = true;
            if (r == 0)
                r = tell_of_nan(ev, ask, nan, &series->labels);
        }
        arena_reset(temporary);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Native histograms are asked; the floats are kept, as buckets of classic ones. */
MUST_USE static int read_all(struct eval *ev, const struct question *ask, const struct grid *g, struct histograms *h)
{
    struct vector *from;
    struct column scratch;
    struct arena *temporary;
    int r = eval_vector(ev, ask->arg, g, &from);
    if (r < 0 || (r = column_scratch(ev, g->n, &scratch)) < 0 || (r = eval_arena(ev, &temporary)) < 0)
        return r;
    h->input.series = arena_array(&ev->arena, from->n, sizeof *h->input.series);
    h->input.columns = arena_array(&ev->arena, from->n, sizeof *h->input.columns);
    h->natives = arena_array(&ev->arena, from->n, sizeof *h->natives);
    if (!h->input.series || !h->input.columns || !h->natives)
        return -ENOMEM;
    for (size_t i = 0; i < from->n; i++) {
        column_again(&scratch);
        r = from->fetch(ev, from, i, &scratch);
        bool any = r > 0;
        if (any && scratch.histograms) {
            r = ask_natives(ev, ask, &from->series[i], &scratch, g->n, temporary, &h->natives[h->n_natives++]);
            const struct native_histogram **histograms = scratch.histograms;
            any = column_only_floats(&scratch, g->n);
            scratch.histograms = histograms; /* column_again shall know */
        }
        struct column *kept = &h->input.columns[h->input.n];
        if (r < 0 || (any && ((r = column_new(ev, g->n, kept)) < 0 || (r = eval_hold(ev, g->n)) < 0)))
            return r;
        if (!any)
            continue;
        memcpy(kept->values, scratch.values, g->n * sizeof *kept->values);
        memcpy(kept->present, scratch.present, g->n * sizeof *kept->present);
        h->input.series[h->input.n++] = from->series[i];
    }
    return 0;
}

static size_t buckets_at(const struct histograms *h, size_t i, size_t step);

/* Where a native histogram and a classic one have the same labels neither is taken. */
MUST_USE static int look_for_both(struct eval *ev, const struct question *ask, size_t steps, struct histograms *h)
{
    h->shadowed = arena_array(&ev->arena, h->table.n, sizeof *h->shadowed);
    if (!h->shadowed)
        return -ENOMEM;
    for (size_t i = 0; i < h->n_natives; i++) {
        size_t classic;
        const struct labels *ls = &h->natives[i].series.labels;
        if (!label_table_find(&h->table, ls, &classic))
            continue;
        bool *both = arena_array(&ev->arena, steps, sizeof *both);
        if (!both)
            return -ENOMEM;
        for (size_t s = 0; s < steps; s++) {
            if (!h->natives[i].answers[0].present[s] || buckets_at(h, classic, s) == 0)
                continue;
            both[s] = true;
            for (size_t k = 0; k < ask->n; k++)
                h->natives[i].answers[k].present[s] = false;
            char metric[PROBLEM_TEXT_MAX];
            int r = eval_warn(ev, ask->arg, "vector contains a mix of classic and native histograms%s",
                              of_metric(ls, metric, sizeof metric));
            if (r < 0)
                return r;
        }
        h->shadowed[classic] = both;
    }
    return 0;
}

MUST_USE static int gather(struct eval *ev, const struct question *ask, const struct grid *g, struct histograms *h)
{
    *h = (struct histograms){0};
    label_table_init(&h->table, &ev->arena);
    int r = read_all(ev, ask, g, h);
    if (r < 0)
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
            if ((r = warn_bad_le(ev, ask->arg, ls, le)) < 0)
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
    return look_for_both(ev, ask, g->n, h);
}

/* The buckets of histogram i at a step: equal bounds put together. */
static size_t buckets_at(const struct histograms *h, size_t i, size_t step)
{
    size_t n = 0;
    if (h->shadowed[i] && h->shadowed[i][step])
        return 0;
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

/* Scrapes and recording rules may leave a bucket below its predecessor: it is lifted. What was more than rounding is added to
 * *forced. */
static void make_monotonic(struct bucket *b, size_t n, struct lifted *forced)
{
    double before = b[0].count;
    for (size_t i = 1; i < n; i++) {
        if (b[i].count == before)
            continue;
        bool small = nearly_equal(before, b[i].count, 1e-12);
        if (!small && b[i].count < before)
            lifted_add(forced, b[i].upper, before - b[i].count);
        if (small || b[i].count < before)
            b[i].count = before;
        else
            before = b[i].count;
    }
}

static double bucket_quantile(double q, struct bucket *b, size_t n, struct lifted *forced)
{
    if (isnan(q))
        return NAN;
    if (q < 0 || q > 1)
        return q < 0 ? -INFINITY : INFINITY;
    if (n == 0 || !isinf(b[n - 1].upper) || b[n - 1].upper < 0)
        return NAN;
    make_monotonic(b, n, forced);
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

/* One column of quantiles of classic histogram i. */
MUST_USE static int quantile_column(struct eval *ev, const struct promql_expr *place, const struct histograms *h,
                                    size_t i, const double *q, const struct grid *g, struct column *ret)
{
    int r = eval_tick(ev);
    if (r < 0 || (r = column_new(ev, g->n, ret)) < 0)
        return r;
    for (size_t s = 0; r == 0 && s < g->n; s++) {
        struct lifted forced = {.n = 0};
        size_t n = buckets_at(h, i, s);
        ret->present[s] = n > 0;
        if (n > 0)
            ret->values[s] = bucket_quantile(q[s], h->room, n, &forced);
        if (forced.n)
            r = eval_info_lifted(ev, place, labels_get(&h->table.sets[i], SPAN("__name__")), grid_time(g, s), &forced);
    }
    return r;
}

/* The answers of native and classic histograms in one vector: `columns` has ask->n per classic one. `names`: NULL, or a
 * label's value per answer. */
MUST_USE static int give_answers(struct eval *ev, const struct question *ask, const struct histograms *h,
                                 const struct column *columns, struct span label, const struct span *names,
                                 const struct grid *g, struct vector **ret)
{
    struct matrix out = {0};
    size_t most = (h->n_natives + h->table.n) * ask->n;
    out.series = arena_array(&ev->arena, most, sizeof *out.series);
    out.columns = arena_array(&ev->arena, most, sizeof *out.columns);
    if (!out.series || !out.columns)
        return -ENOMEM;
    for (size_t k = 0; k < ask->n; k++)
        for (size_t i = 0; i < h->n_natives + h->table.n; i++) {
            bool native = i < h->n_natives;
            const struct labels *ls = native ? &h->natives[i].series.labels : &h->table.sets[i - h->n_natives];
            struct series *series = &out.series[out.n];
            *series = (struct series){*ls, true};
            out.columns[out.n++] = native ? h->natives[i].answers[k] : columns[(i - h->n_natives) * ask->n + k];
            if (!names)
                continue;
            struct label *room = arena_array(&ev->arena, ls->n + 1, sizeof *room);
            if (!room)
                return -ENOMEM;
            series->labels = labels_with(ls, label, names[k], room);
        }
    return matrix_vector(ev, &out, g, ret);
}

MUST_USE static int answer_quantiles(struct eval *ev, const struct question *ask, struct span label,
                                     const struct span *names, const struct grid *g, struct vector **ret)
{
    struct histograms h;
    int r = gather(ev, ask, g, &h);
    if (r < 0)
        return r;
    struct column *columns = arena_array(&ev->arena, h.table.n * ask->n, sizeof *columns);
    if (!columns)
        return -ENOMEM;
    for (size_t i = 0; i < h.table.n; i++)
        for (size_t k = 0; k < ask->n; k++)
            if ((r = quantile_column(ev, ask->arg, &h, i, ask->q[k], g, &columns[i * ask->n + k])) < 0)
                return r;
    return give_answers(ev, ask, &h, columns, label, names, g, ret);
}

int call_histogram_quantile(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    double *q;
    int r = eval_scalar(ev, call->call.args[0], g, &q);
    if (r < 0 || (r = check_quantile(ev, call->call.args[0], q, g->n)) < 0)
        return r;
    const double *list[1] = {q};
    struct question ask = {.arg = call->call.args[1], .n = 1, .q = list};
    return answer_quantiles(ev, &ask, SPAN(""), NULL, g, &ret->vector);
}

/* histogram_quantiles(v, "label", q1, q2, ...): each quantile under its own value of the label. */
int call_histogram_quantiles(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct span label;
    size_t n = call->call.n - 2;
    struct span *names = arena_array(&ev->arena, n, sizeof *names);
    const double **list = arena_array(&ev->arena, n, sizeof *list);
    if (!names || !list)
        return -ENOMEM;
    int r = eval_string(ev, call->call.args[1], &label);
    if (r < 0)
        return r;
    if (label.len == 0 || !span_is_utf8(label))
        return eval_fail(ev, PROMQL_EXECUTION, call->call.args[1], "invalid label name \"" SPAN_FMT "\"",
                         SPAN_ARG(label));
    for (size_t k = 0; k < n; k++) {
        double *q;
        char text[NUMBER_TEXT_MAX];
        bool ok = true;
        if ((r = eval_scalar(ev, call->call.args[k + 2], g, &q)) < 0 ||
            (r = check_quantile(ev, call->call.args[k + 2], q, g->n)) < 0)
            return r;
        list[k] = q;
        names[k] = arena_span(&ev->arena, span_of(text, format_f64_le(text, q[0])), &ok);
        if (!ok)
            return -ENOMEM;
    }
    struct question ask = {.arg = call->call.args[0], .n = n, .q = list};
    return answer_quantiles(ev, &ask, label, names, g, &ret->vector);
}

int call_histogram_fraction(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    double *lower, *upper;
    struct histograms h;
    int r = eval_scalar(ev, call->call.args[0], g, &lower);
    if (r < 0 || (r = eval_scalar(ev, call->call.args[1], g, &upper)) < 0)
        return r;
    struct question ask = {.arg = call->call.args[2], .n = 1, .lower = lower, .upper = upper};
    if ((r = gather(ev, &ask, g, &h)) < 0)
        return r;
    struct column *columns = arena_array(&ev->arena, h.table.n, sizeof *columns);
    if (!columns)
        return -ENOMEM;
    for (size_t i = 0; i < h.table.n; i++) {
        if ((r = eval_tick(ev)) < 0 || (r = column_new(ev, g->n, &columns[i])) < 0)
            return r;
        for (size_t s = 0; s < g->n; s++) {
            size_t n = buckets_at(&h, i, s);
            columns[i].present[s] = n > 0;
            if (n > 0)
                columns[i].values[s] = bucket_fraction(lower[s], upper[s], h.room, n);
        }
    }
    return give_answers(ev, &ask, &h, columns, SPAN(""), NULL, g, &ret->vector);
}

/* ---- histogram_count, _sum, _avg, _stddev, _stdvar: of native histograms only ---- */

struct told {
    struct vector *from;
    const struct native_detail *detail;
    struct arena *temporary;
};

static int fetch_told(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    const struct told *t = v->state;
    int r = t->from->fetch(ev, t->from, i, c);
    bool any = false;
    const struct native_histogram **histograms = c->histograms;
    if (r < 0)
        return r;
    for (size_t s = 0; s < v->steps; s++) {
        c->present[s] = r > 0 && histograms && c->present[s] && histograms[s];
        any |= c->present[s];
    }
    for (size_t s = 0; any && s < v->steps; s++) {
        if (!c->present[s])
            continue;
        int failed = t->detail->fn(t->temporary, histograms[s], &c->values[s]);
        arena_reset(t->temporary);
        if (failed < 0)
            return failed;
    }
    c->histograms = NULL;
    return any;
}

int call_native(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct told *t = arena_alloc(&ev->arena, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->detail = call->call.function->detail;
    int r = eval_arena(ev, &t->temporary);
    if (r < 0 || (r = eval_vector(ev, call->call.args[0], g, &t->from)) < 0 ||
        (r = vector_new(ev, t->from->n, g, fetch_told, t, &ret->vector)) < 0)
        return r;
    for (size_t i = 0; i < t->from->n; i++)
        ret->vector->series[i] = (struct series){t->from->series[i].labels, true};
    ret->vector->ordered = t->from->ordered;
    return 0;
}

static int native_count(struct arena *a, const struct native_histogram *h, double *ret)
{
    (void)a;
    *ret = h->count;
    return 0;
}

static int native_sum(struct arena *a, const struct native_histogram *h, double *ret)
{
    (void)a;
    *ret = h->sum;
    return 0;
}

static int native_avg(struct arena *a, const struct native_histogram *h, double *ret)
{
    (void)a;
    *ret = h->sum / h->count;
    return 0;
}

static int native_deviation(struct arena *a, const struct native_histogram *h, double *ret)
{
    int r = native_variance(a, h, ret);
    *ret = r == 0 ? sqrt(*ret) : *ret;
    return r;
}

const struct native_detail NATIVE_count = {native_count};
const struct native_detail NATIVE_sum = {native_sum};
const struct native_detail NATIVE_avg = {native_avg};
const struct native_detail NATIVE_stddev = {native_deviation};
const struct native_detail NATIVE_stdvar = {native_variance};
