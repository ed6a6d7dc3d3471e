#include "lib/metric/native_histogram.h"

#include <errno.h>

#define EXACT_MAX 9007199254740992.0 /* 2^53: sums of integers are exact up to here */

static const char *wrong_side(const struct histogram_span *spans, size_t n_spans, const double *counts, size_t n)
{
    uint64_t named = 0;
    int64_t end = 0;
    for (size_t i = 0; i < n_spans; i++) {
        if (i > 0 && spans[i].offset < 0)
            return "a histogram's bucket spans overlap";
        named += spans[i].length;
        end += (int64_t)spans[i].offset + (int64_t)spans[i].length;
        if (end > INT32_MAX)
            return "a histogram's buckets lie beyond all numbers";
    }
    if (named != n)
        return "a histogram's spans name another number of buckets than it has";
    for (size_t i = 0; i < n; i++)
        if (counts[i] < 0)
            return "a histogram's bucket count is negative";
    return NULL;
}

static const char *wrong_custom(const struct native_histogram *h)
{
    if (h->n_negative_spans > 0 || h->n_negative > 0 || h->zero_count != 0 || h->zero_threshold != 0)
        return "a histogram with custom buckets has a zero or negative bucket";
    for (size_t i = 0; i < h->n_bounds; i++)
        if (isnan(h->bounds[i]) || (i > 0 && h->bounds[i] <= h->bounds[i - 1]))
            return "a histogram's custom bounds do not rise";
    if (h->n_bounds && isinf(h->bounds[0]) && h->bounds[0] < 0)
        return "a histogram's custom bounds do not rise";
    if (h->n_bounds && isinf(h->bounds[h->n_bounds - 1]))
        return "a histogram's last custom bound is infinite, which goes without saying";
    int64_t end = 0;
    for (size_t i = 0; i < h->n_positive_spans; i++) {
        if (h->positive_spans[i].offset < 0)
            return "a histogram has a bucket before its custom bounds";
        end += (int64_t)h->positive_spans[i].offset + (int64_t)h->positive_spans[i].length;
    }
    return end > (int64_t)h->n_bounds + 1 ? "a histogram has a bucket beyond its custom bounds" : NULL;
}

static const char *wrong_sum(const struct native_histogram *h)
{
    double total = h->zero_count;
    for (size_t i = 0; i < h->n_positive; i++)
        total += h->positive[i];
    for (size_t i = 0; i < h->n_negative; i++)
        total += h->negative[i];
    if (h->is_float || h->count > EXACT_MAX || total > EXACT_MAX) /* floats round; Prometheus does not compare either */
        return NULL;
    if (isnan(h->sum) ? total > h->count : total != h->count)
        return "a histogram's buckets do not add up to its count";
    return NULL;
}

static const char *wrong(const struct native_histogram *h)
{
    const char *why = wrong_side(h->negative_spans, h->n_negative_spans, h->negative, h->n_negative);
    if (!why)
        why = wrong_side(h->positive_spans, h->n_positive_spans, h->positive, h->n_positive);
    if (!why && (h->count < 0 || h->zero_count < 0))
        why = "a histogram's count is negative";
    if (!why && h->schema == HISTOGRAM_CUSTOM_SCHEMA)
        why = wrong_custom(h);
    else if (!why && (h->schema < HISTOGRAM_SCHEMA_MIN || h->schema > HISTOGRAM_SCHEMA_MAX))
        why = "a histogram's schema is not -4..8 or -53";
    else if (!why && h->n_bounds)
        why = "a histogram with exponential buckets has custom bounds";
    return why ? why : wrong_sum(h);
}

int native_histogram_check(const struct native_histogram *h, const char **ret_why)
{
    const char *why = wrong(h);
    if (!why)
        return 0;
    *ret_why = why;
    return -EINVAL;
}
