/* native_estimate.c - what native histograms tell about single observations: quantiles, fractions, variance. */
#include <errno.h>
#include <math.h>

#include "lib/metric/native.h"

/* Observations in a bucket around zero, of a histogram without any on one side, lie on the other. Fractions do so with custom
 * buckets, too, as Prometheus has it: the first one starts at 0 then. */
static void narrow_zero(const struct native_histogram *h, struct native_bucket *b)
{
    if (h->n_negative == 0 && h->n_positive > 0)
        b->lower = 0;
    else if (h->n_positive == 0 && h->n_negative > 0)
        b->upper = 0;
}

/* Where in the bucket the share `part` (0..1) of its observations ends. */
static double inside(const struct native_histogram *h, const struct native_bucket *b, double part)
{
    if (native_is_custom(h) || (b->lower <= 0 && b->upper >= 0))
        return b->lower + (b->upper - b->lower) * part;
    double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper));
    if (b->lower > 0)
        return exp2(lower + (upper - lower) * part);
    return -exp2(upper + (lower - upper) * (1 - part));
}

int native_quantile(struct arena *a, double q, const struct native_histogram *h, double *ret,
                    struct native_nan *ret_nan)
{
    *ret_nan = (struct native_nan){false, false};
    *ret = q < 0 ? -INFINITY : q > 1 ? INFINITY : NAN;
    if (!(q >= 0 && q <= 1) || h->count == 0)
        return 0;
    struct native_bucket *list, b = {0};
    size_t n, i = 0;
    int r = native_buckets(a, h, &list, &n);
    if (r < 0)
        return r;
    bool may_hold_nan = isnan(h->sum), forward = may_hold_nan || q < 0.5; /* from the nearer end, else from below */
    double rank = forward ? q * h->count : (1 - q) * h->count, count = 0;
    while (i < n) {
        b = forward ? list[i] : list[n - 1 - i];
        i++;
        count += b.count;
        if (b.count != 0 && count >= rank)
            break;
    }
    if (!native_is_custom(h) && b.lower < 0 && b.upper > 0) {
        narrow_zero(h, &b);
    } else if (native_is_custom(h) && isinf(b.lower)) {
        if (b.upper <= 0) {
            *ret = b.upper;
            return 0;
        }
        b.lower = 0;
    } else if (native_is_custom(h) && isinf(b.upper)) {
        *ret = b.lower;
        return 0;
    }
    count = fmin(count, h->count); /* rounding may have made it more */
    if (count < rank) {            /* there are observations outside of all buckets */
        ret_nan->result = may_hold_nan;
        *ret = may_hold_nan ? NAN : b.upper;
        return 0;
    }
    rank = forward ? rank - (count - b.count) : count - rank;
    for (; may_hold_nan && i < n; i++)
        count += list[i].count;
    ret_nan->skewed = may_hold_nan && count < h->count;
    *ret = inside(h, &b, rank / b.count);
    return 0;
}

/* How many observations lie below v, which is inside the bucket; `before` are below the bucket. */
static double rank_inside(const struct native_histogram *h, const struct native_bucket *b, double before, double v)
{
    if (native_is_custom(h) || (b->lower <= 0 && b->upper >= 0)) {
        if (isinf(b->lower))
            return b->count;
        return before + b->count * (v - b->lower) / (b->upper - b->lower);
    }
    double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper)), at = log2(fabs(v));
    double part = v > 0 ? (at - lower) / (upper - lower) : 1 - (at - upper) / (lower - upper);
    return before + b->count * part;
}

/* How many lie below v, of `all` in buckets. */
static double rank_of(const struct native_histogram *h, const struct native_bucket *list, size_t n, double v,
                      double all)
{
    double rank = 0;
    for (size_t i = 0; i < n; i++) {
        struct native_bucket b = list[i];
        if (b.lower <= 0 && b.upper >= 0)
            narrow_zero(h, &b);
        if (b.lower >= v)
            return fmin(rank, all);
        if (b.upper > v)
            return fmin(rank_inside(h, &b, rank, v), all);
        rank += b.count;
    }
    return all;
}

int native_fraction(struct arena *a, double lower, double upper, const struct native_histogram *h, double *ret,
                    struct native_nan *ret_nan)
{
    *ret_nan = (struct native_nan){false, false};
    *ret = h->count == 0 || isnan(lower) || isnan(upper) ? NAN : 0;
    if (isnan(*ret) || lower >= upper)
        return 0;
    struct native_bucket *list;
    size_t n;
    int r = native_buckets(a, h, &list, &n);
    if (r < 0)
        return r;
    double all = h->count;
    if (isnan(h->sum)) {
        all = 0;
        for (size_t i = 0; i < n; i++)
            all += list[i].count;
        ret_nan->skewed = all < h->count;
    }
    *ret = (rank_of(h, list, n, upper, all) - rank_of(h, list, n, lower, all)) / h->count;
    return 0;
}

int native_variance(struct arena *a, const struct native_histogram *h, double *ret)
{
    struct native_bucket *list;
    size_t n;
    int r = native_buckets(a, h, &list, &n);
    if (r < 0)
        return r;
    double mean = h->sum / h->count, sum = 0, lost = 0;
    for (size_t i = 0; i < n; i++) {
        const struct native_bucket *b = &list[i];
        if (b->count == 0)
            continue;
        double middle = 0;
        if (native_is_custom(h))
            middle = (b->lower + b->upper) / 2;
        else if (b->lower > 0 || b->upper < 0)
            middle = b->upper < 0 ? -sqrt(b->lower * b->upper) : sqrt(b->lower * b->upper);
        double x = b->count * (middle - mean) * (middle - mean), t = sum + x;
        if (isinf(t))
            lost = 0;
        else
            lost += fabs(sum) >= fabs(x) ? (sum - t) + x : (x - t) + sum;
        sum = t;
    }
    *ret = (sum + lost) / h->count;
    return 0;
}
