/* column.h - the codec of one column of an extent: times, start times or values of one series. The only codec for now.
 *
 *   uint8_t *p = column_put_times(p, t_ms, n);           // at most COLUMN_BYTES(n) bytes each
 *   p = column_put_values(p, bits, n, scratch);
 *   r = column_get_times(&at, end, n, t_ms);             // -EBADMSG: not such a column
 *   r = column_get_values(&at, end, n, bits);
 *
 * Every bit of a value comes back: NaN payloads, -0, stale markers. Bytes (little-endian, v = varint, z = zigzag varint):
 *
 *   times   := z t[0]  z (t[1]-t[0])  residuals: second differences, from t[2] on
 *   starts  := z s[0]  residuals: s[i]-s[i-1], from s[1] on
 *   values  := mode u8, then
 *     0 constant         z of the integer
 *     1 constant         8 bytes of bits
 *     2 decimal, delta   exceptions, e u8, z m[0], residuals: m[i]-m[i-1]
 *     3 decimal, delta²  exceptions, e u8, z m[0], z (m[1]-m[0]), residuals: second differences
 *     4 xor              8 bytes of bits[0], residuals: bits[i]^bits[i-1]
 *     5 decimal, plain   exceptions, e u8, residuals: m[i], from m[0] on
 *   A decimal is m / 10^e, m an integer below 2^53 in size: the division gives back the very bits (both sides are exact
 *   doubles, so the quotient is the double nearest to the decimal number). Values that are none (NaN, infinities, -0)
 *   are exceptions := v count, count × {v index - previous index, 8 bytes}; their m repeats the one before.
 *   Residuals are residual.h's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"

#define COLUMN_SAMPLES_MAX 2048u /* so that reading a few of them decodes little, and what is decoded stays in cache */
#define COLUMN_BLOCK 64u
/* Upper bound of any one column of n values. */
#define COLUMN_BYTES(n) (64 + 9 * (size_t)(n) + 12 * ((size_t)(n) / COLUMN_BLOCK + 1))

/* 1 <= n <= COLUMN_SAMPLES_MAX everywhere. Times ascend strictly. */
uint8_t *column_put_times(uint8_t *p, const int64_t *t_ms, size_t n);
uint8_t *column_put_starts(uint8_t *p, const int64_t *start_ms, size_t n);
/* `scratch` holds 2 * n numbers. */
uint8_t *column_put_values(uint8_t *p, const uint64_t *bits, size_t n, uint64_t *scratch);
/* Only the mode that is most often the smallest is tried: for what is soon merged and written anew. */
uint8_t *column_put_values_quickly(uint8_t *p, const uint64_t *bits, size_t n, uint64_t *scratch);

MUST_USE int column_get_times(const uint8_t **at, const uint8_t *end, size_t n, int64_t *t_ms);
MUST_USE int column_get_starts(const uint8_t **at, const uint8_t *end, size_t n, int64_t *start_ms);
MUST_USE int column_get_values(const uint8_t **at, const uint8_t *end, size_t n, uint64_t *bits);
