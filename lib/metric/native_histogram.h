/* native_histogram.h - the rules that a native histogram keeps, whoever made it.
 *
 *   const char *why;
 *   if (native_histogram_check(h, &why) < 0) … refuse it, with the reason …
 *   if (native_histogram_is_stale(h)) … the series has ended …
 *
 * The rules are Prometheus's (model/histogram, Validate): without them a reader could not tell where a bucket lies. */
#pragma once

#include "lib/metric/sample.h"

#define HISTOGRAM_SCHEMA_MIN (-4)
#define HISTOGRAM_SCHEMA_MAX 8

/* Schema -4..8 or custom bounds that rise and are finite; spans that do not overlap and name as many buckets as there are; no
 * negative count; an integer histogram's buckets add up to its count (when its sum is NaN: to no more than it, as NaN observations
 * have no bucket). -EINVAL: *ret_why says which rule is broken. */
MUST_USE int native_histogram_check(const struct native_histogram *h, const char **ret_why);

/* The stale marker of a histogram series is a histogram whose sum is it. */
static inline bool native_histogram_is_stale(const struct native_histogram *h)
{
    return is_stale(h->sum);
}
