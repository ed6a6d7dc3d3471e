/* hdr_codec.h - an HDR histogram as bytes: HdrHistogram's V2 encoding (github.com/HdrHistogram/HdrHistogram, AbstractHistogram.
 * encodeIntoByteBuffer), without its compression. Small: only buckets in use, runs of empty ones as one number.
 *
 *   struct buf out;
 *   hdr_encode(h, &out);
 *   r = hdr_decode_add(span, sum);           // adds what the bytes hold
 *
 *   cookie 0x1c849313 | payload bytes | offset 0 | digits | lowest 1 (64) | highest (64) | ratio 1.0 (64) | counts, big endian;
 *   counts are zigzag LEB128 (64 bits in 9 bytes): n > 0 is a bucket's count, n < 0 are -n empty buckets. The format has no minimum, maximum
 *   and sum: a decoded histogram knows them to its digits. */
#pragma once

#include "lib/base/buf.h"
#include "lib/metric/hdr.h"

#define HDR_V2_COOKIE 0x1c849313u
#define HDR_V2_COMPRESSED_COOKIE 0x1c849314u

/* Append; errors stick in the buffer. */
void hdr_encode(const struct hdr *h, struct buf *out);
/* -EINVAL: no such bytes, or of a histogram with another highest value or other digits. `into` is then unchanged or has part of them. */
MUST_USE int hdr_decode_add(struct span bytes, struct hdr *into);
