/* extent.h - one sealed piece: up to 128 neighbouring series over one stretch of time, as one BLOB.
 *
 *   struct extent_writer *w;                                   // sealing
 *   r = extent_writer_new(&w);
 *   extent_begin(w, group, false);
 *   r = extent_add(w, ord, t_ms, start_ms, bits, n);           // series in ascending order
 *   r = extent_end(w, &bytes, &n_bytes);                       // malloc; the caller frees
 *
 *   struct extent x;                                           // reading; the bytes stay the caller's
 *   r = extent_open(&x, bytes, n_bytes);                        // -EBADMSG: CRC or structure is wrong
 *   if (extent_find(&x, ord, &at)) { n = extent_samples(&x, &at); r = extent_times(...); r = extent_values(...); }
 *
 * Series that share their times (the samples of one scrape) share one time column. Bytes (little-endian):
 *
 *   0   "CrX1"
 *   4   u32 CRC-32C of all bytes from 8 on
 *   8   u32 group (series id / 128)
 *   12  u16 series, 1..128        14  u16 time columns, 1..128
 *   16  i64 first time            24  i64 last time
 *   32  per time column: u16 samples, u16 bytes                      (samples 1..EXTENT_SAMPLES_MAX)
 *   ..  per series, ascending: u8 ord (id % 128), u8 time column | 0x80 when it has start times, u16 bytes
 *   ..  the time columns, then the series' columns (values, then start times), in these orders, without gaps
 *
 * The columns are column.h's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/store/column.h"
#include "lib/base/macros.h"

#define EXTENT_SERIES_MAX 128u /* a group; a row of them stays below some 100 KB at 1 s scrapes and 10 minutes */
#define EXTENT_SAMPLES_MAX COLUMN_SAMPLES_MAX /* per series; a column's size fits 16 bits */
#define EXTENT_BYTES_MAX                                                                                               \
    (8u << 20) /* 128 series of 2048 incompressible samples with start times, and what describes them */

/* In a group's number, at most one of them: native histograms of the series whose group is the rest (histogram_extent.h), or
 * rollups of their floats (rollup_extent.h), which stand in files of days and weeks only. */
#define EXTENT_HISTOGRAMS 0x40000000u
#define EXTENT_ROLLUPS_1H 0x20000000u
#define EXTENT_ROLLUPS_5M 0x10000000u
#define EXTENT_ROLLUPS (EXTENT_ROLLUPS_1H | EXTENT_ROLLUPS_5M)
#define EXTENT_KINDS (EXTENT_HISTOGRAMS | EXTENT_ROLLUPS)
#define EXTENT_MAGIC_HISTOGRAMS "CrH1"
#define EXTENT_MAGIC_ROLLUPS "CrR1"
static inline uint32_t extent_floats_of(uint32_t group) /* the group of the same series' samples */
{
    return group & ~EXTENT_KINDS;
}
static inline bool extent_group_exists(int64_t group, int64_t series_max)
{
    int64_t kind = group & EXTENT_KINDS;
    return group >= 0 && (kind & (kind - 1)) == 0 && group - kind < series_max / EXTENT_SERIES_MAX;
}
static inline uint32_t extent_series_of(uint32_t group) /* id of its first series */
{
    return extent_floats_of(group) * EXTENT_SERIES_MAX;
}

struct extent_writer;
MUST_USE int extent_writer_new(struct extent_writer **ret);
void extent_writer_free(struct extent_writer *w);
/* quick: less time, more bytes (column_put_values_quickly). */
void extent_begin(struct extent_writer *w, uint32_t group, bool quick);
/* start_ms NULL: all 0. n within 1..EXTENT_SAMPLES_MAX, times ascending, ord above the one before. -ENOMEM. */
MUST_USE int extent_add(struct extent_writer *w, unsigned ord, const int64_t *t_ms, const int64_t *start_ms,
                        const uint64_t *bits, size_t n);
/* -ENOMEM. At least one series was added. */
MUST_USE int extent_end(struct extent_writer *w, uint8_t **ret_bytes, size_t *ret_n);

struct extent {
    const uint8_t *bytes;
    size_t n_bytes;
    uint32_t group;
    unsigned n_series, n_times;
    int64_t min_ms, max_ms;
    bool histograms; /* of native histograms: histogram_extent.h reads it, extent_find() finds nothing */
    bool rollups;    /* of rollups: rollup_extent.h does */
};
struct extent_series {   /* where one series stands */
    unsigned ord, times; /* times: number of its time column */
    bool has_starts;
    size_t samples;
    size_t times_at, times_bytes, values_at, values_bytes;
};
MUST_USE int extent_open(struct extent *x, const uint8_t *bytes, size_t n_bytes);
bool extent_find(const struct extent *x, unsigned ord, struct extent_series *ret);
/* Decode `at->samples` values each. -EBADMSG. */
MUST_USE int extent_times(const struct extent *x, const struct extent_series *at, int64_t *t_ms);
/* start_ms (may be NULL) is filled with 0 when the series has none. */
MUST_USE int extent_values(const struct extent *x, const struct extent_series *at, uint64_t *bits, int64_t *start_ms);
