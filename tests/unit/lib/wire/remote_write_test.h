/* remote_write_test.h - protobuf by hand, independent of the code under test, and requests made of it.
 *
 *   struct buf raw = new_buf(), series = new_buf();
 *   put_label(&series, 1, "__name__", "up");
 *   put_sample(&series, 2, 1.0, 1000);
 *   put_message(&raw, 1, &series);                                  // takes the bytes of `series`
 *   struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);   // frees `raw` */
#pragma once

#include "tests/support/check.h"

#include <snappy-c.h>

#include "lib/base/limits.h"
#include "lib/wire/remote_write.h"

static inline void put_varint(struct buf *b, uint64_t v)
{
    do {
        unsigned char c = v & 0x7f;
        v >>= 7;
        buf_char(b, (char)(v ? c | 0x80 : c));
    } while (v);
}

static inline void put_int(struct buf *b, unsigned field, uint64_t v)
{
    put_varint(b, (uint64_t)field << 3);
    put_varint(b, v);
}

static inline void put_zigzag(struct buf *b, unsigned field, int64_t v)
{
    put_int(b, field, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static inline void put_double(struct buf *b, unsigned field, double v)
{
    put_varint(b, (uint64_t)field << 3 | 1);
    buf_bytes(b, &v, sizeof v);
}

static inline void put_span(struct buf *b, unsigned field, struct span s)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, s.len);
    buf_span(b, s);
}

/* A message inside: its bytes are moved into b. */
static inline void put_message(struct buf *b, unsigned field, struct buf *inner)
{
    put_span(b, field, buf_view(inner));
    buf_done(inner);
}

static inline struct buf new_buf(void)
{
    struct buf b;
    buf_init(&b, 64u << 20);
    return b;
}

static inline void put_label(struct buf *b, unsigned field, const char *name, const char *value)
{
    struct buf l = new_buf();
    put_span(&l, 1, span_str(name));
    put_span(&l, 2, span_str(value));
    put_message(b, field, &l);
}

static inline void put_sample(struct buf *b, unsigned field, double v, int64_t t_ms)
{
    struct buf s = new_buf();
    put_double(&s, 1, v);
    put_int(&s, 2, (uint64_t)t_ms);
    put_message(b, field, &s);
}

static inline struct buf compressed(const struct buf *raw)
{
    struct buf b = new_buf();
    size_t n = snappy_max_compressed_length(raw->len);
    char *to = buf_reserve(&b, n);
    assert_int_equal(snappy_compress(raw->data ? raw->data : "", raw->len, to, &n), SNAPPY_OK);
    buf_grew(&b, n);
    return b;
}

static inline int decode_as(enum remote_write_protocol protocol, struct buf *raw, struct write_request **w,
                            struct remote_write_report *report)
{
    struct buf body = compressed(raw);
    int r = remote_write_decode(protocol, buf_view(&body), w, report);
    buf_done(&body);
    return r;
}

static inline struct write_request *must_decode(enum remote_write_protocol protocol, struct buf *raw,
                                                struct remote_write_report *report)
{
    struct write_request *w = NULL;
    check_ok(decode_as(protocol, raw, &w, report));
    buf_done(raw);
    return w;
}

/* ---- histograms ---- */

static inline void put_bucket_span(struct buf *h, unsigned field, int32_t offset, uint32_t length)
{
    struct buf s = new_buf();
    put_zigzag(&s, 1, offset);
    put_int(&s, 2, length);
    put_message(h, field, &s);
}

static inline void put_packed_zigzag(struct buf *h, unsigned field, const int64_t *v, size_t n)
{
    struct buf p = new_buf();
    for (size_t i = 0; i < n; i++)
        put_varint(&p, (uint64_t)v[i] << 1 ^ (uint64_t)(v[i] >> 63));
    put_message(h, field, &p);
}

static inline struct buf integer_histogram(void)
{
    struct buf h = new_buf();
    put_int(&h, 1, 21);
    put_double(&h, 3, 18.5);
    put_zigzag(&h, 4, -1);
    put_double(&h, 5, 1e-128);
    put_int(&h, 6, 2);
    put_bucket_span(&h, 8, -3, 1);
    put_packed_zigzag(&h, 9, (int64_t[]){4}, 1);
    put_bucket_span(&h, 11, -2, 2);
    put_bucket_span(&h, 11, 3, 2);
    put_packed_zigzag(&h, 12, (int64_t[]){1, 2, -1}, 3);
    put_zigzag(&h, 12, 7); /* not packed: as good */
    put_int(&h, 14, 2);
    put_int(&h, 15, 123456);
    return h;
}

static inline struct buf custom_histogram(void)
{
    struct buf h = new_buf(), bounds = new_buf();
    double v[] = {0.5, 1, 2.5};
    put_double(&h, 2, 6.5);
    put_double(&h, 3, 9);
    put_zigzag(&h, 4, HISTOGRAM_CUSTOM_SCHEMA);
    put_bucket_span(&h, 11, 0, 2);
    put_bucket_span(&h, 11, 1, 1);
    put_double(&h, 13, 1.5);
    put_double(&h, 13, 2);
    put_double(&h, 13, 3);
    buf_bytes(&bounds, v, sizeof v);
    put_message(&h, 16, &bounds);
    put_int(&h, 14, 3);
    put_int(&h, 15, 99);
    return h;
}

static inline struct buf series_with(unsigned field, struct buf *message)
{
    struct buf raw = new_buf(), s = new_buf();
    put_label(&s, 1, "__name__", "h");
    put_message(&s, field, message);
    put_message(&raw, 1, &s);
    return raw;
}

/* ---- a request of protocol 2 ---- */

static inline struct buf request_2(void)
{
    static const char *const SYMBOLS[] = {
        "", "__name__", "http_seconds_bucket", "job", "shop", "Help", "seconds", "up", "trace_id", "t1"};
    struct buf raw = new_buf(), s = new_buf(), m = new_buf(), refs = new_buf();
    for (size_t i = 0; i < ARRAY_LEN(SYMBOLS); i++)
        put_span(&raw, 4, span_str(SYMBOLS[i]));
    buf_bytes(&refs, "\x01\x02\x03\x04", 4);
    put_span(&s, 1, buf_view(&refs));
    put_double(&m, 1, 5);
    put_int(&m, 2, 1000);
    put_int(&m, 3, 900);
    put_message(&s, 2, &m);
    struct buf x = new_buf();
    put_span(&x, 1, SPAN("\x08\x09"));
    put_double(&x, 2, 0.5);
    put_int(&x, 3, 1000);
    put_message(&s, 4, &x);
    put_int(&m, 1, 3);
    put_int(&m, 3, 5);
    put_int(&m, 4, 6);
    put_message(&s, 5, &m);
    put_message(&raw, 5, &s);
    put_int(&s, 1, 1); /* refs one by one */
    put_int(&s, 1, 7);
    struct buf h = integer_histogram();
    put_int(&h, 17, 42);
    put_message(&s, 3, &h);
    put_message(&raw, 5, &s);
    buf_done(&refs);
    return raw;
}
