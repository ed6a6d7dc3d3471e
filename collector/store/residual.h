/* residual.h - what a column's prediction leaves, in few bits.
 *
 *   struct residual_layout l = residual_layout_of(r, n);        // the smallest of three, and its size
 *   p = residuals_put(p, l.kind, r, n);
 *   r = residuals_get(&at, end, n, out);                          // -EBADMSG
 *
 * Bytes (little-endian, v = varint, z = zigzag varint):
 *
 *   residuals := layout u8, then (nothing at all when there is none to keep)
 *     0 whole     one block of all
 *     1 blocks    blocks of 64 (the last may be shorter)
 *     2 sparse    v count, count × {v index - previous index, z residual}; the others are 0
 *   block := u8 width (0..64) | 0x80 when a shift follows, [shift u8], z base, then each (residual >> shift) - base,
 *     `width` bits, packed from the low bit of the first byte on, padded to a byte. The bits lost to the shift are 0 in all of
 *     the block; the base is the block's least. */
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/macros.h"

struct residual_layout {
    unsigned kind;
    size_t bytes; /* the kind's byte included */
};
struct residual_layout residual_layout_of(const uint64_t *r, size_t n);
uint8_t *residuals_put(uint8_t *p, unsigned kind, const uint64_t *r, size_t n);
MUST_USE int residuals_get(const uint8_t **at, const uint8_t *end, size_t n, uint64_t *r);

/* Little-endian, whatever the machine; one move each: byte by byte they were half of what decoding took. */
static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}
static inline uint8_t *put64(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof v);
    return p + 8;
}
