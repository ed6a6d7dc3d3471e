/* hdr.h - HDR histogram: fixed memory, 3 significant digits, microseconds up to an hour. Recorded by one thread, merged
 * by another, never averaged.
 *
 *   struct hdr *h;
 *   r = hdr_new(3600000000, 3, &h);        // highest value, significant digits
 *   hdr_record(h, 1234);                   // clamps to the highest and counts hdr_clamped()
 *   p99 = hdr_percentile(h, 99.0);
 *
 * Layout and arithmetic: Gil Tene's HdrHistogram (hdrhistogram.org): buckets of powers of two, each in linear
 * sub-buckets, so that every value keeps its digits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"

struct hdr;
/* -EINVAL: digits not 1..5 or highest < 2; -ENOMEM. */
MUST_USE int hdr_new(int64_t highest, int digits, struct hdr **ret);
void hdr_free(struct hdr *h);
void hdr_reset(struct hdr *h);
void hdr_record(struct hdr *h, int64_t value); /* negative counts as 0 */
void hdr_record_n(struct hdr *h, int64_t value, uint64_t count);
/* Add all of `from`. -EINVAL when highest or digits differ. */
MUST_USE int hdr_merge(struct hdr *into, const struct hdr *from);
uint64_t hdr_count(const struct hdr *h);
uint64_t hdr_clamped(const struct hdr *h);
int64_t hdr_min(const struct hdr *h); /* as recorded, not rounded; 0 when empty */
int64_t hdr_max(const struct hdr *h);
double hdr_mean(const struct hdr *h); /* of what was recorded (clamped), not of the buckets; 0 when empty */
/* Highest value equivalent to the one at the percentile (0..100, nearest rank), and never above hdr_max(); 0 when empty. */
int64_t hdr_percentile(const struct hdr *h, double percentile);
/* What it was made with. */
int64_t hdr_highest(const struct hdr *h);
int hdr_digits(const struct hdr *h);
/* Its buckets one by one, as HdrHistogram counts them: their number, up to the last one in use; the count of one; `count` more in one
 * (-EINVAL: there is no such bucket). */
size_t hdr_buckets_used(const struct hdr *h);
uint64_t hdr_bucket(const struct hdr *h, size_t index);
MUST_USE int hdr_bucket_add(struct hdr *h, size_t index, uint64_t count);
/* How many values are <= value (by equivalence). */
uint64_t hdr_count_at_or_below(const struct hdr *h, int64_t value);
size_t hdr_memory_bytes(const struct hdr *h);
/* Walk the recorded values upwards, each the highest of its bucket (never above hdr_max()): *at = 0 first; false at the end. */
bool hdr_next(const struct hdr *h, size_t *at, int64_t *ret_value, uint64_t *ret_count);
