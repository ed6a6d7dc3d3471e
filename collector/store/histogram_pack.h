/* histogram_pack.h - one native histogram as bytes: what the head keeps, the log writes, and extents are made of.
 *
 *   uint8_t *end = histogram_pack(bytes, h);                        // at most histogram_pack_bound(h) bytes
 *   r = histogram_open(&at, end, &packed);                           // -EBADMSG; at moves behind it
 *   r = histogram_unpack(&packed, arena, &h);                        // the same histogram, bit for bit
 *
 * Equal histograms have equal bytes. Bytes (little-endian, v = varint, z = zigzag varint):
 *
 *   u8 flags: 1 float, 2 and 4 the reset hint (0..3), 8 the counts are doubles
 *   layout := z schema, 8 bytes zero threshold, v positive spans, v negative spans, v custom bounds,
 *             per positive span, then per negative span: z offset, v length; per bound: 8 bytes
 *   8 bytes sum, then either (whole numbers up to 2^53)
 *     v count, v zero count, per positive bucket: z difference to the bucket before (the first: to 0), the negative ones likewise
 *   or with flag 8
 *     8 bytes count, 8 bytes zero count, 8 bytes per positive, then per negative bucket
 *
 * There are as many buckets as the spans name. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/metric/sample.h"

#define HISTOGRAM_BUCKETS_MAX 8192u /* of one histogram, and its bounds: clients stop at 160 */
#define HISTOGRAM_SPANS_MAX 4096u
#define HISTOGRAM_PACK_BYTES_MAX (256u << 10) /* all of these together: 8 B per bucket and bound, 15 per span */
#define HISTOGRAM_COLUMNS 3u                  /* count, zero count, sum; then the positive, then the negative buckets */

/* -EINVAL: it has more buckets, bounds or spans than are stored (*ret_why says which). */
MUST_USE int histogram_pack_check(const struct native_histogram *h, const char **ret_why);
size_t histogram_pack_bound(const struct native_histogram *h);
/* It passed native_histogram_check() and histogram_pack_check(). */
uint8_t *histogram_pack(uint8_t *p, const struct native_histogram *h);

/* Where the parts stand; nothing is copied. */
struct histogram_layout {
    const uint8_t *bytes, *spans; /* spans: of the first one */
    size_t n_bytes;
    int32_t schema;
    double zero_threshold;
    size_t n_positive_spans, n_negative_spans, n_bounds, n_positive, n_negative;
};
struct packed_histogram {
    const uint8_t *bytes;
    size_t n_bytes;
    bool is_float;
    enum histogram_reset_hint hint;
    struct histogram_layout layout;
};
MUST_USE int histogram_layout_open(const uint8_t **at, const uint8_t *end, struct histogram_layout *ret);
static inline size_t histogram_layout_columns(const struct histogram_layout *l)
{
    return HISTOGRAM_COLUMNS + l->n_positive + l->n_negative;
}
MUST_USE int histogram_open(const uint8_t **at, const uint8_t *end, struct packed_histogram *ret);
/* The bits of count, zero count, sum and the buckets: histogram_layout_columns() of them. */
void histogram_columns(const struct packed_histogram *packed, uint64_t *bits);
/* Put one together again from its columns. */
uint8_t *histogram_pack_columns(uint8_t *p, bool is_float, enum histogram_reset_hint hint,
                                const struct histogram_layout *layout, const uint64_t *bits);
#define HISTOGRAM_PACK_BOUND(layout) (1 + (layout)->n_bytes + 10 * histogram_layout_columns(layout))

/* Schema, threshold, spans and bounds, in the arena; the counts are not set. -ENOMEM. */
MUST_USE int histogram_layout_unpack(const struct histogram_layout *layout, struct arena *arena,
                                     struct native_histogram *ret);
/* -ENOMEM: also over the arena's limit. */
MUST_USE int histogram_unpack(const struct packed_histogram *packed, struct arena *arena, struct native_histogram *ret);
/* Sets the counts of a histogram whose layout was unpacked: its buckets in the arena. -ENOMEM. */
MUST_USE int histogram_set_columns(struct native_histogram *h, const struct histogram_layout *layout,
                                   const uint64_t *bits, struct arena *arena);
