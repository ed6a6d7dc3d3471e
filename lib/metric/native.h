/* native.h - what is calculated with native histograms: copies, sums, differences, resets, quantiles, trimming.
 *
 *   struct native_work w;
 *   r = native_work_init(&w, arena, h);                    // a copy of h to calculate with
 *   r = native_work_add(&w, other, +1, &notes);            // -EINVAL: exponential meets custom buckets
 *   native_work_scale(&w, 0.5);
 *   r = native_work_give(&w, NATIVE_COMPACT, &result);     // in the arena
 *
 * Semantics: Prometheus docs/specs/native_histograms.md. Histograms with exponential buckets meet at the lower of their
 * resolutions and the wider of their zero buckets, those with custom bounds at the bounds that they have in common. Sums keep
 * what rounding takes away (Kahan-Neumaier) beside each number. Nothing here changes its input. */
#pragma once

#include "lib/metric/native_histogram.h"

static inline bool native_is_custom(const struct native_histogram *h)
{
    return h->schema == HISTOGRAM_CUSTOM_SCHEMA;
}
/* The upper bound of bucket `index`; a custom bound below the first is -Inf, above the last +Inf. */
double native_bound(const struct native_histogram *h, int64_t index);
/* A deep copy. -ENOMEM. */
MUST_USE int native_copy(struct arena *a, const struct native_histogram *h, struct native_histogram **ret);
/* Same buckets (empty ones included) with the same bits in every number; hints do not count. */
bool native_equal(const struct native_histogram *a, const struct native_histogram *b);
/* Was the counter reset between `before` and `now`? The hint of `now` decides where it has one. -ENOMEM: of the arena,
 * which takes what is only needed here. */
MUST_USE int native_detect_reset(struct arena *a, const struct native_histogram *now,
                                 const struct native_histogram *before, bool *ret);

/* ---- buckets as they lie on the axis ---- */
struct native_bucket {
    double lower, upper, count;
    bool lower_inclusive, upper_inclusive;
};
/* All buckets from the lowest to the highest, the zero bucket among them where it holds something. */
MUST_USE int native_buckets(struct arena *a, const struct native_histogram *h, struct native_bucket **ret,
                            size_t *ret_n);
/* {count:10, sum:5, [-1,-0.5):2, ...}: as Prometheus writes it; empty buckets are left out. */
MUST_USE int native_format(struct arena *a, const struct native_histogram *h, struct buf *out);

/* ---- calculating ---- */
struct native_list { /* ascending indexes */
    int32_t *index;
    double *count, *lost;
    size_t n;
};
struct native_work {
    struct arena *arena;
    struct arena *scratch; /* for what a call needs only itself; NULL: the same one */
    int32_t schema;
    enum histogram_reset_hint hint;
    double zero_threshold;
    struct native_number {
        double value, lost;
    } zero, count, sum;
    struct native_list positive, negative;
    const double *bounds;
    size_t n_bounds;
};
struct native_notes {
    bool collision;  /* one was a reset, the other was none */
    bool reconciled; /* custom bounds differed */
};
MUST_USE int native_work_init(struct native_work *w, struct arena *a, const struct native_histogram *h);
/* Add the other histogram, or subtract it (sign -1). Sets in *notes what is true, and clears nothing. -EINVAL: one has
 * exponential buckets and the other custom ones (w is as it was); -ENOMEM. */
MUST_USE int native_work_add(struct native_work *w, const struct native_histogram *other, int sign,
                             struct native_notes *notes);
/* Lower the resolution to `schema`, if it is higher; custom buckets stay. -ENOMEM. */
MUST_USE int native_work_coarsen(struct native_work *w, int32_t schema);
void native_work_scale(struct native_work *w, double factor);
/* Division by 0 leaves no buckets. */
void native_work_divide(struct native_work *w, double divisor);
/* Has some number become infinite, or at least this large? */
bool native_work_reaches(const struct native_work *w, double limit);
/* A copy in the arena that shares nothing that changes. -ENOMEM. */
MUST_USE int native_work_copy(const struct native_work *w, struct arena *a, struct native_work *ret);
enum native_finish {
    NATIVE_PLAIN = 0,
    NATIVE_COMPACT = 1, /* without empty buckets */
    NATIVE_EXACT = 2    /* what rounding took away is added at last */
};
/* The histogram, in the work's arena. -ENOMEM. */
MUST_USE int native_work_give(const struct native_work *w, unsigned finish, const struct native_histogram **ret);

/* ---- estimates ---- */
struct native_nan {      /* the sum is NaN, so observations may have been */
    bool result, skewed; /* the result is NaN for that; it is skewed higher (or leaves them out) */
};
/* The q-quantile; interpolation is linear in the zero bucket and custom buckets, else exponential. */
MUST_USE int native_quantile(struct arena *a, double q, const struct native_histogram *h, double *ret,
                             struct native_nan *ret_nan);
/* The share of observations between the two. */
MUST_USE int native_fraction(struct arena *a, double lower, double upper, const struct native_histogram *h, double *ret,
                             struct native_nan *ret_nan);
MUST_USE int native_variance(struct arena *a, const struct native_histogram *h, double *ret);
/* Only the observations below (keep_below) or above the limit; the sum is estimated anew when something goes. */
MUST_USE int native_trim(struct arena *a, const struct native_histogram *h, double limit, bool keep_below,
                         const struct native_histogram **ret);
