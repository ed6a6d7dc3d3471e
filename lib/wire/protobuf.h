/* protobuf.h - the protobuf wire format by hand: tags, varints, length-delimited fields. Internal to lib/wire.
 *
 *   field   = varint(number << 3 | type) payload
 *   payload = 0: varint | 1: 8 bytes little-endian | 2: varint length, bytes | 5: 4 bytes little-endian
 *
 *   struct pb in = {bytes, bytes + n};
 *   uint32_t field, type;
 *   while (pb_more(&in)) {
 *       if (!pb_tag(&in, &field, &type)) return -EBADMSG;        // every reader: false is broken input
 *       ...
 *       else if (!pb_skip(&in, type)) return -EBADMSG;           // fields we do not know
 *   }
 *
 * Groups (types 3 and 4) are refused: proto3 has none. Source: protobuf.dev/programming-guides/encoding. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "fixed64 fields are copied as they are: little-endian machines only"
#endif

enum { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb {
    const unsigned char *at, *end;
};

static inline bool pb_more(const struct pb *p)
{
    return p->at < p->end;
}
static inline size_t pb_left(const struct pb *p)
{
    return (size_t)(p->end - p->at);
}
static inline bool pb_varint(struct pb *p, uint64_t *ret)
{
    if (LIKELY(p->at < p->end && *p->at < 0x80)) {
        *ret = *p->at++;
        return true;
    }
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && p->at < p->end; shift += 7) {
        unsigned char b = *p->at++;
        if (shift == 63 && b > 1)
            return false; /* more than 64 bits */
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *ret = v;
            return true;
        }
    }
    return false;
}
static inline bool pb_tag(struct pb *p, uint32_t *ret_field, uint32_t *ret_type)
{
    uint64_t v;
    if (!pb_varint(p, &v) || v > UINT32_MAX || v < 8)
        return false;
    *ret_field = (uint32_t)(v >> 3);
    *ret_type = (uint32_t)(v & 7);
    return true;
}
static inline bool pb_bytes(struct pb *p, struct pb *ret)
{
    uint64_t n;
    if (!pb_varint(p, &n) || n > pb_left(p))
        return false;
    *ret = (struct pb){p->at, p->at + n};
    p->at += n;
    return true;
}
static inline bool pb_span(struct pb *p, struct span *ret)
{
    struct pb bytes;
    if (!pb_bytes(p, &bytes))
        return false;
    *ret = span_of((const char *)bytes.at, pb_left(&bytes));
    return true;
}
static inline bool pb_double(struct pb *p, double *ret)
{
    if (pb_left(p) < sizeof *ret)
        return false;
    memcpy(ret, p->at, sizeof *ret); /* never through arithmetic: NaN payloads are data */
    p->at += sizeof *ret;
    return true;
}
static inline bool pb_int64(struct pb *p, int64_t *ret)
{
    uint64_t v;
    if (!pb_varint(p, &v))
        return false;
    *ret = (int64_t)v;
    return true;
}
static inline int64_t pb_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
static inline bool pb_skip(struct pb *p, uint32_t type)
{
    uint64_t v;
    struct pb bytes;
    switch (type) {
    case PB_VARINT:
        return pb_varint(p, &v);
    case PB_BYTES:
        return pb_bytes(p, &bytes);
    case PB_FIXED64:
    case PB_FIXED32: {
        size_t n = type == PB_FIXED64 ? 8 : 4;
        if (pb_left(p) < n)
            return false;
        p->at += n;
        return true;
    }
    default:
        return false;
    }
}

/* ---- writing: sizes first, then bytes into room that is known to be there ---- */

static inline size_t pb_varint_size(uint64_t v)
{
    return (size_t)(64 - __builtin_clzll(v | 1) + 6) / 7;
}
/* One-byte tags only (field < 16). Empty fields are left out, as proto3 does. */
static inline size_t pb_bytes_size(size_t n)
{
    return n ? 1 + pb_varint_size(n) + n : 0;
}
static inline unsigned char *pb_put_varint(unsigned char *to, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *to++ = (unsigned char)(v | 0x80);
    *to++ = (unsigned char)v;
    return to;
}
static inline unsigned char *pb_put_head(unsigned char *to, unsigned field, size_t n)
{
    *to++ = (unsigned char)(field << 3 | PB_BYTES);
    return pb_put_varint(to, n);
}
static inline unsigned char *pb_put_span(unsigned char *to, unsigned field, struct span s)
{
    if (s.len == 0)
        return to;
    to = pb_put_head(to, field, s.len);
    memcpy(to, s.ptr, s.len);
    return to + s.len;
}
