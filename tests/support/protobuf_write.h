/* protobuf_write.h - protobuf's bytes for tests: what a sender of another make would send.
 *
 *   struct buf m = {0}; buf_init(&m, 1 << 20);
 *   pbw_int(&m, 2, 1000);  pbw_double(&m, 1, 0.5);  pbw_zigzag(&m, 4, -1);
 *   pbw_message(&whole, 5, &m);                         // m is empty again */
#pragma once

#include "lib/base/buf.h"

static inline void pbw_varint(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_char(b, (char)(v | 0x80));
    buf_char(b, (char)v);
}
static inline void pbw_int(struct buf *b, unsigned field, int64_t v)
{
    pbw_varint(b, field << 3);
    pbw_varint(b, (uint64_t)v);
}
static inline void pbw_zigzag(struct buf *b, unsigned field, int64_t v)
{
    pbw_int(b, field, (int64_t)((uint64_t)v << 1 ^ (uint64_t)(v >> 63)));
}
static inline void pbw_double(struct buf *b, unsigned field, double v)
{
    pbw_varint(b, field << 3 | 1);
    buf_bytes(b, &v, sizeof v); /* little-endian, as every machine we build for */
}
static inline void pbw_span(struct buf *b, unsigned field, struct span v)
{
    pbw_varint(b, field << 3 | 2);
    pbw_varint(b, v.len);
    buf_span(b, v);
}
static inline void pbw_message(struct buf *b, unsigned field, struct buf *m)
{
    pbw_span(b, field, buf_view(m));
    buf_clear(m);
}
