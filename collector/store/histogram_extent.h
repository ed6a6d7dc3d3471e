/* histogram_extent.h - an extent of native histograms: those of up to 128 neighbouring series over one stretch of time, as one BLOB.
 *
 *   struct histogram_extent_writer *w;
 *   r = histogram_extent_writer_new(&w);
 *   histogram_extent_begin(w, group);
 *   r = histogram_extent_add(w, ord, t_ms, start_ms, packed, n);      // series in ascending order
 *   r = histogram_extent_end(w, &bytes, &n_bytes);                     // malloc; the caller frees
 *
 *   r = extent_open(&x, bytes, n_bytes);  … x.histograms …              // as any extent
 *   if (histogram_extent_find(&x, ord, &at)) r = histogram_extent_times(&x, &at, t_ms);
 *   r = histogram_extent_read(&x, &at, from, to, sink, ctx);            // the samples of these indices
 *
 * In the table ext such extents have group = series id / 128 + 2^30, so that they are listed, merged, moved and deleted like all
 * others and never mixed with them. Bytes (little-endian, v = varint):
 *
 *   0   "CrH1"
 *   4   u32 CRC-32C of all bytes from 8 on
 *   8   u32 group (with the 2^30)
 *   12  u16 series, 1..128        14  u16 0
 *   16  i64 first time            24  i64 last time
 *   32  per series, ascending: u8 ord (id % 128), u8 1 when it has start times, u16 samples (1..2048), u32 bytes
 *   ..  the series' bytes, in this order, without gaps:
 *         times; start times, if any (both column.h's)
 *         bundles until there are as many samples: v samples, v bytes of what follows, u8 kind
 *           0 packed histograms (histogram_pack.h), one after the other
 *           1 u8 1 of float histograms, reset hints (a column like start times), the layout that all have (histogram_pack.h), then a
 *             column of values for each of: count, zero count, sum, positive buckets, negative buckets
 *   A bundle of columns ends where the layout changes, and where it has as many values as fit memory. */
#pragma once

#include "collector/store/extent.h"
#include "collector/store/histogram_pack.h"

#define HISTOGRAM_BUNDLE_VALUES_MAX (1u << 20) /* of one bundle: 8 MB while it is coded */

struct histogram_extent_writer;
MUST_USE int histogram_extent_writer_new(struct histogram_extent_writer **ret);
void histogram_extent_writer_free(struct histogram_extent_writer *w);
void histogram_extent_begin(struct histogram_extent_writer *w, uint32_t group);
/* packed: the addresses of packed histograms, whole and well-formed. start_ms NULL: all 0. n within 1..EXTENT_SAMPLES_MAX, times
 * ascending, ord above the one before. -ENOMEM. */
MUST_USE int histogram_extent_add(struct histogram_extent_writer *w, unsigned ord, const int64_t *t_ms,
                                  const int64_t *start_ms, const uint64_t *packed, size_t n);
/* -ENOMEM. At least one series was added. */
MUST_USE int histogram_extent_end(struct histogram_extent_writer *w, uint8_t **ret_bytes, size_t *ret_n);

struct histogram_series { /* where one series stands */
    unsigned ord;
    bool has_starts;
    size_t samples, at, bytes;
};
bool histogram_extent_find(const struct extent *x, unsigned ord, struct histogram_series *ret);
/* at->samples of them. -EBADMSG. */
MUST_USE int histogram_extent_times(const struct extent *x, const struct histogram_series *at, int64_t *t_ms);
struct histogram_row {
    size_t index;
    int64_t t_ms, start_ms;
    bool is_float, new_layout; /* new_layout: not the row's before */
    enum histogram_reset_hint hint;
    const struct histogram_layout *layout; /* points into the extent's bytes */
    const uint64_t *bits;                  /* histogram_layout_columns(); until the sink returns */
};
typedef int (*histogram_row_sink)(void *ctx, const struct histogram_row *row);
/* Indices [from, to), ascending; bundles outside are passed over. Stops at the first negative result. -EBADMSG, -ENOMEM. */
MUST_USE int histogram_extent_read(const struct extent *x, const struct histogram_series *at, size_t from, size_t to,
                                   histogram_row_sink sink, void *ctx);
/* extent_open()'s: is the directory right? */
bool histogram_extent_holds(const struct extent *x);
