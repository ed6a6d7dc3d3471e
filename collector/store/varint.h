/* varint.h - the small numbers inside the store's records: LEB128 and zigzag, as protobuf has them.
 *
 *   p = varint_put(p, zigzag(-3));               // at most VARINT_BYTES_MAX bytes
 *   uint64_t v;
 *   if (!varint_get(&at, end, &v)) ...           // false: cut off, or longer than 64 bits */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VARINT_BYTES_MAX 10

static inline uint8_t *varint_put(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}
static inline bool varint_get(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    uint64_t v = 0;
    const uint8_t *p = *at;
    for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
        uint8_t b = *p++;
        if (shift == 63 && b > 1)
            return false;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *at = p;
            *ret = v;
            return true;
        }
    }
    return false;
}
/* Small magnitudes of either sign become small numbers. Differences are taken modulo 2^64, so any two times work. */
static inline uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}
static inline uint64_t unzigzag(uint64_t v)
{
    return v >> 1 ^ (0 - (v & 1));
}
