/* rollup_extent.h - an extent of rollups: what up to 128 neighbouring series come to in the buckets of one day, as one BLOB.
 *
 *   struct rollup_writer *w;
 *   r = rollup_writer_new(&w);
 *   rollup_writer_begin(w, group, extents);
 *   r = rollup_writer_add(w, ord, &list, beyond);                 // series in ascending order
 *   r = rollup_writer_end(w, &bytes, &n_bytes);                    // malloc; the caller frees
 *
 *   r = extent_open(&x, bytes, n_bytes);  … x.rollups …            // as any extent
 *   if (rollup_find(&x, ord, &at)) { r = rollup_clock(&x, &at, &clock); r = rollup_values(&x, &at, wanted, values); }
 *
 * In the table ext of a file of a day or week such extents have group = series id / 128 + 2^29 (buckets of an hour) or + 2^28
 * (five minutes). Series whose buckets have the same times and counts (those of one scrape) share a clock. Bytes (little-endian):
 *
 *   0   "CrR1"
 *   4   u32 CRC-32C of all bytes from 8 on
 *   8   u32 group, with the bit of its length
 *   12  u16 series, 1..128        14  u16 clocks, 1..128
 *   16  i64 time of the first sample that it stands for          24  i64 of the last
 *   32  u16 extents of samples that it was made of: those of its group and day in the same file
 *   34  per clock: u16 buckets (1..289), u16 bytes
 *   ..  per series, ascending: u8 ord (id % 128), u8 clock, u16 bytes
 *   ..  the clocks: ends of the buckets, times of their first samples, of their last ones (each a column of times), counts (a
 *       column like start times)
 *   ..  the series: u8 flags, then columns of values, one value per bucket: first, last unless 1 is set, min unless 2, max unless 4,
 *       sum, lost unless 8
 *
 * Flags: 1 last is first; 2 min is first; 4 max is last; 8 nothing was lost; 16 all samples are integers (rollup.h); 32 it stands for
 * samples that the file does not have any more. The columns are column.h's. */
#pragma once

#include "collector/store/extent.h"
#include "collector/store/rollup.h"

static inline int64_t rollup_length_ms(uint32_t group)
{
    return group & EXTENT_ROLLUPS_1H ? ROLLUP_1H_MS : ROLLUP_5M_MS;
}

struct rollup_writer;
MUST_USE int rollup_writer_new(struct rollup_writer **ret);
void rollup_writer_free(struct rollup_writer *w);
/* group with one of EXTENT_ROLLUPS; extents: how many it was made of. */
void rollup_writer_begin(struct rollup_writer *w, uint32_t group, size_t extents);
/* 1..ROLLUPS_MAX of them. beyond: they stand for more than what is there. -ENOMEM. */
MUST_USE int rollup_writer_add(struct rollup_writer *w, unsigned ord, const struct rollup_list *list, bool beyond);
/* *ret_min_ms, *ret_max_ms: as in its head. -ENOMEM. At least one series was added. */
MUST_USE int rollup_writer_end(struct rollup_writer *w, uint8_t **ret_bytes, size_t *ret_n, int64_t *ret_min_ms,
                               int64_t *ret_max_ms);

struct rollup_series { /* where one series stands */
    unsigned ord, clock;
    size_t buckets, clock_at, clock_bytes, at, bytes;
    bool integers, beyond;
};
bool rollup_find(const struct extent *x, unsigned ord, struct rollup_series *ret);
unsigned rollup_extents(const struct extent *x); /* that it was made of */
struct rollup_clock {
    int64_t ends_ms[ROLLUPS_MAX], firsts_ms[ROLLUPS_MAX], lasts_ms[ROLLUPS_MAX], counts[ROLLUPS_MAX];
};
/* at->buckets of each; ends ascend and are ends, firsts and lasts lie within their bucket, counts are 1..2^32-1. -EBADMSG. */
MUST_USE int rollup_clock(const struct extent *x, const struct rollup_series *at, struct rollup_clock *ret);
enum rollup_field { ROLLUP_FIRST, ROLLUP_LAST, ROLLUP_MIN, ROLLUP_MAX, ROLLUP_SUM, ROLLUP_LOST, ROLLUP_FIELDS };
/* at->buckets values of each wanted field (a mask of 1 << field), maybe also of others. -EBADMSG. */
MUST_USE int rollup_values(const struct extent *x, const struct rollup_series *at, unsigned wanted,
                           double ret[ROLLUP_FIELDS][ROLLUPS_MAX]);
/* All of a series. -EBADMSG, -ENOMEM. */
MUST_USE int rollup_read(const struct extent *x, const struct rollup_series *at, struct rollup_list *ret);
/* extent_open()'s: is the directory right? */
bool rollup_extent_holds(const struct extent *x);
