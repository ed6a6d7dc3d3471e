/* call_over_time.c - one number out of each window: the *_over_time functions. */
#include "collector/promql/calls.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"

static int range_sum(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        struct kahan k = {0};
        for (size_t i = c->lo[s]; i < c->hi[s]; i++)
            kahan_add(&k, c->raw->values[i]);
        c->present[s] = c->hi[s] > c->lo[s];
        c->values[s] = kahan_value(&k);
    }
    return 0;
}

/* Of sums of buckets, which are exact when they are here (store_read_rolled), or what was asked for. */
static int range_avg_of_sums(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        struct kahan sum = {0}, n = {0};
        for (size_t i = c->lo[s]; i < c->hi[s]; i++) {
            kahan_add(&sum, c->raw->values[i]);
            kahan_add(&n, c->raw->counts[i]);
        }
        c->present[s] = c->hi[s] > c->lo[s];
        c->values[s] = kahan_value(&sum) / kahan_value(&n);
    }
    return 0;
}

static int range_avg(struct range_call *c)
{
    if (c->raw->counts)
        return range_avg_of_sums(c);
    for (size_t s = 0; s < c->grid.n; s++) {
        struct running_mean m = {0};
        for (size_t i = c->lo[s]; i < c->hi[s]; i++)
            running_mean_add(&m, c->raw->values[i]);
        c->present[s] = c->hi[s] > c->lo[s];
        if (c->present[s])
            c->values[s] = running_mean_value(&m);
    }
    return 0;
}

static int range_count(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        double count = (double)(c->hi[s] - c->lo[s]);
        if (c->raw->counts)
            count = 0;
        for (size_t i = c->lo[s]; c->raw->counts && i < c->hi[s]; i++)
            count += c->raw->counts[i];
        c->present[s] = c->hi[s] > c->lo[s];
        c->values[s] = count;
    }
    return 0;
}

static int range_present(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        c->present[s] = c->hi[s] > c->lo[s];
        c->values[s] = 1;
    }
    return 0;
}

/* first and last, as values or as the seconds of their samples */
static int range_edge(struct range_call *c, bool last, bool time)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        c->present[s] = c->hi[s] > c->lo[s];
        if (!c->present[s])
            continue;
        size_t i = last ? c->hi[s] - 1 : c->lo[s];
        if (!time && raw_histogram(c->raw, i)) {
            int r = range_put_histogram(c, s, c->raw->histograms[i]);
            if (r < 0)
                return r;
            continue;
        }
        c->values[s] = time ? (double)c->raw->t_ms[i] / 1000.0 : c->raw->values[i];
    }
    return 0;
}

static int range_last(struct range_call *c)
{
    return range_edge(c, true, false);
}

static int range_first(struct range_call *c)
{
    return range_edge(c, false, false);
}

static int range_ts_of_last(struct range_call *c)
{
    return range_edge(c, true, true);
}

static int range_ts_of_first(struct range_call *c)
{
    return range_edge(c, false, true);
}

/* The extreme of a sliding window in amortised O(1): a queue of the samples that may still become it, best first. NaN
 * counts only where there is nothing else; of equals the last one stands. */
static int range_extreme(struct range_call *c, bool max, bool time)
{
    const double *v = c->raw->values;
    size_t *queue, first = 0, behind = 0, seen = c->lo[0];
    int r = eval_scratch(c->ev, c->raw->n * sizeof *queue, &queue);
    if (r < 0)
        return r;
    for (size_t s = 0; s < c->grid.n; s++) {
        size_t lo = c->lo[s], hi = c->hi[s];
        for (; seen < hi; seen++) {
            if (isnan(v[seen]))
                continue;
            while (behind > first && (max ? v[queue[behind - 1]] <= v[seen] : v[queue[behind - 1]] >= v[seen]))
                behind--;
            queue[behind++] = seen;
        }
        while (first < behind && queue[first] < lo)
            first++;
        c->present[s] = hi > lo;
        if (!c->present[s])
            continue;
        size_t best = first < behind ? queue[first] : hi - 1;
        c->values[s] = time ? (double)c->raw->t_ms[best] / 1000.0 : v[best];
    }
    return 0;
}

static int range_max(struct range_call *c)
{
    return range_extreme(c, true, false);
}

static int range_min(struct range_call *c)
{
    return range_extreme(c, false, false);
}

static int range_ts_of_max(struct range_call *c)
{
    return range_extreme(c, true, true);
}

static int range_ts_of_min(struct range_call *c)
{
    return range_extreme(c, false, true);
}

static double variance(const double *v, size_t n)
{
    struct kahan mean = {0}, square = {0};
    for (size_t i = 0; i < n; i++) {
        double delta = v[i] - (mean.sum + mean.c);
        kahan_add(&mean, delta / (double)(i + 1));
        kahan_add(&square, delta * (v[i] - (mean.sum + mean.c)));
    }
    return (square.sum + square.c) / (double)n;
}

static int range_stdvar(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        c->present[s] = c->hi[s] > c->lo[s];
        if (c->present[s])
            c->values[s] = variance(c->raw->values + c->lo[s], c->hi[s] - c->lo[s]);
    }
    return 0;
}

static int range_stddev(struct range_call *c)
{
    int r = range_stdvar(c);
    for (size_t s = 0; r == 0 && s < c->grid.n; s++)
        if (c->present[s])
            c->values[s] = sqrt(c->values[s]);
    return r;
}

/* The window's values in scratch memory: quantiles sort them. */
MUST_USE static int copy_window(struct range_call *c, size_t s, double **ret)
{
    size_t n = c->hi[s] - c->lo[s];
    int r = eval_scratch(c->ev, n * sizeof **ret, ret);
    if (r == 0 && n)
        memcpy(*ret, c->raw->values + c->lo[s], n * sizeof **ret);
    return r;
}

static int range_quantile(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        size_t n = c->hi[s] - c->lo[s];
        double q = c->args[0][s], *values;
        if (n == 0)
            continue;
        int r = 0;
        if (!(q >= 0 && q <= 1)) {
            char text[NUMBER_TEXT_MAX];
            format_f64_g(text, q);
            r = eval_warn(c->ev, c->call->call.args[0], "quantile value should be between 0 and 1, got %s", text);
        }
        if (r < 0 || (r = copy_window(c, s, &values)) < 0)
            return r;
        c->values[s] = quantile_of(q, values, n);
        c->present[s] = true;
    }
    return 0;
}

/* Median absolute deviation; one NaN makes it NaN. */
static int range_mad(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        size_t n = c->hi[s] - c->lo[s];
        double *values;
        if (n == 0)
            continue;
        int r = copy_window(c, s, &values);
        if (r < 0)
            return r;
        bool nan = false;
        for (size_t i = 0; i < n; i++)
            nan |= isnan(values[i]);
        double median = quantile_of(0.5, values, n);
        for (size_t i = 0; i < n; i++)
            values[i] = fabs(values[i] - median);
        c->values[s] = nan ? NAN : quantile_of(0.5, values, n);
        c->present[s] = true;
    }
    return 0;
}

/* sum and avg of a window of histograms */
static int sum_of_histograms(struct range_call *c, size_t step, const struct native_histogram **ret)
{
    const struct range_detail *d = c->call->call.function->detail;
    const struct promql_expr *place = c->call->call.args[0];
    struct histogram_mean m = {.averages = d->averages};
    int r = 0;
    for (size_t i = c->lo[step]; r == 0 && i < c->hi[step]; i++)
        r = histogram_mean_add(&m, c->temporary, c->temporary, c->raw->histograms[i]);
    if (r == 0 && m.incompatible)
        return warn_mixed_schemas(c->ev, place, &c->source->series[c->index].labels);
    if (r < 0 || (r = histogram_mean_notes(c->ev, &m, place)) < 0)
        return r;
    return histogram_mean_give(&m, ret);
}

const struct range_detail RANGE_avg = {.fn = range_avg,
                                       .takes = RANGE_EITHER,
                                       .of_histograms = sum_of_histograms,
                                       .averages = true,
                                       .rolls = true,
                                       .as = STORE_ROLLED_SUM};
const struct range_detail RANGE_min = {.fn = range_min, .rolls = true, .as = STORE_ROLLED_MIN};
const struct range_detail RANGE_max = {.fn = range_max, .rolls = true, .as = STORE_ROLLED_MAX};
const struct range_detail RANGE_sum = {
    .fn = range_sum, .takes = RANGE_EITHER, .of_histograms = sum_of_histograms, .rolls = true, .as = STORE_ROLLED_SUM};
const struct range_detail RANGE_count = {
    .fn = range_count, .takes = RANGE_ANY, .rolls = true, .as = STORE_ROLLED_COUNT};
const struct range_detail RANGE_quantile = {.fn = range_quantile};
const struct range_detail RANGE_stddev = {.fn = range_stddev};
const struct range_detail RANGE_stdvar = {.fn = range_stdvar};
const struct range_detail RANGE_last = {
    .fn = range_last, .takes = RANGE_ANY, .keeps_name = true, .rolls = true, .as = STORE_ROLLED_LAST};
const struct range_detail RANGE_first = {
    .fn = range_first, .takes = RANGE_ANY, .keeps_name = true, .rolls = true, .as = STORE_ROLLED_FIRST};
const struct range_detail RANGE_present = {
    .fn = range_present, .takes = RANGE_ANY, .rolls = true, .as = STORE_ROLLED_COUNT};
const struct range_detail RANGE_mad = {.fn = range_mad};
const struct range_detail RANGE_ts_of_first = {.fn = range_ts_of_first, .takes = RANGE_ANY};
const struct range_detail RANGE_ts_of_last = {
    .fn = range_ts_of_last, .takes = RANGE_ANY, .rolls = true, .as = STORE_ROLLED_LAST};
const struct range_detail RANGE_ts_of_min = {.fn = range_ts_of_min};
const struct range_detail RANGE_ts_of_max = {.fn = range_ts_of_max};
