/* federate_protobuf.c - samples as io.prometheus.client.MetricFamily messages, each behind its length (a varint):
 *
 *   MetricFamily  1 name, 3 type, 4 metric …
 *   Metric        1 label …, 5 untyped, 6 time stamp in ms, 7 histogram
 *   LabelPair     1 name, 2 value        Untyped  1 value (double)
 *   Histogram     4 count, 2 sum, 5 schema (zigzag), 6 zero threshold, 8 zero count (doubles), 9 and 12 negative and positive spans,
 *                 11 and 14 their counts (packed doubles)
 *   BucketSpan    1 offset (zigzag), 2 length
 *
 * A family is one message, or several of about a megabyte. */
#include "collector/http/federate_page.h"

#include <errno.h>

#include "lib/base/limits.h"

#define FAMILY_BYTES (1u << 20)
enum { FAMILY_UNTYPED = 3, FAMILY_HISTOGRAM = 4, FAMILY_GAUGE_HISTOGRAM = 5 };
enum { WIRE_VARINT, WIRE_DOUBLE, WIRE_BYTES };

static void varint(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_char(b, (char)(v | 0x80));
    buf_char(b, (char)v);
}

static void key(struct buf *b, unsigned field, unsigned wire)
{
    varint(b, field << 3 | wire);
}

static void put_int(struct buf *b, unsigned field, int64_t v)
{
    key(b, field, WIRE_VARINT);
    varint(b, (uint64_t)v);
}

static void put_zigzag(struct buf *b, unsigned field, int32_t v)
{
    put_int(b, field, (int64_t)((uint32_t)v << 1 ^ (uint32_t)(v >> 31)));
}

static void put_double(struct buf *b, unsigned field, double v)
{
    key(b, field, WIRE_DOUBLE);
    buf_bytes(b, &v, sizeof v); /* little-endian, as every machine we build for */
}

static void put_bytes(struct buf *b, unsigned field, struct span v)
{
    key(b, field, WIRE_BYTES);
    varint(b, v.len);
    buf_span(b, v);
}

static void put_message(struct buf *b, unsigned field, struct buf *message)
{
    put_bytes(b, field, buf_view(message));
    buf_clear(message);
}

static void put_side(struct federate_page *p, struct buf *b, unsigned spans_field, const struct histogram_span *spans,
                     size_t n_spans, const double *counts, size_t n)
{
    for (size_t i = 0; i < n_spans; i++) {
        put_zigzag(&p->part, 1, spans[i].offset);
        put_int(&p->part, 2, spans[i].length);
        put_message(b, spans_field, &p->part);
    }
    if (n)
        put_bytes(b, spans_field + 2, span_of((const char *)counts, n * sizeof *counts));
}

static void put_histogram(struct federate_page *p, const struct native_histogram *h)
{
    struct buf b;
    buf_init(&b, ANSWER_PIECE_BYTES_MAX);
    put_double(&b, 2, h->sum);
    put_double(&b, 4, h->count);
    put_zigzag(&b, 5, h->schema);
    put_double(&b, 6, h->zero_threshold);
    put_double(&b, 8, h->zero_count);
    put_side(p, &b, 9, h->negative_spans, h->n_negative_spans, h->negative, h->n_negative);
    put_side(p, &b, 12, h->positive_spans, h->n_positive_spans, h->positive, h->n_positive);
    if (buf_error(&b))
        p->metric.error = buf_error(&b);
    put_message(&p->metric, 7, &b);
    buf_done(&b);
}

static void put_label(void *ctx, struct span name, struct span value)
{
    struct federate_page *p = ctx;
    char scratch[LABEL_NAME_BYTES_MAX];
    put_bytes(&p->part, 1, federate_name(p, name, scratch, sizeof scratch));
    put_bytes(&p->part, 2, value);
    put_message(&p->metric, 1, &p->part);
}

void federate_protobuf_end(struct federate_page *p, struct buf *out)
{
    if (p->family.len) {
        varint(out, p->family.len);
        buf_span(out, buf_view(&p->family));
        buf_clear(&p->family);
    }
}

static void begin_family(struct federate_page *p, struct span name, int type)
{
    char scratch[LABEL_VALUE_BYTES_MAX];
    put_bytes(&p->family, 1, federate_name(p, name, scratch, sizeof scratch));
    put_int(&p->family, 3, type);
    p->name = name;
    p->type = type;
}

void federate_protobuf_add(struct federate_page *p, struct buf *out, const struct federate_sample *s)
{
    const struct native_histogram *h = s->histogram;
    struct span name = labels_get(s->labels, SPAN("__name__"));
    int type = !h ? FAMILY_UNTYPED : h->hint == HISTOGRAM_GAUGE ? FAMILY_GAUGE_HISTOGRAM : FAMILY_HISTOGRAM;
    if (h && h->schema == HISTOGRAM_CUSTOM_SCHEMA)
        return; /* the message has no field for bounds */
    if (p->family.len && (!span_equal(name, p->name) || type != p->type || p->family.len > FAMILY_BYTES))
        federate_protobuf_end(p, out);
    if (p->family.len == 0)
        begin_family(p, name, type);
    federate_each_label(s->labels, put_label, p);
    if (h) {
        put_histogram(p, h);
    } else {
        put_double(&p->part, 1, s->value);
        put_message(&p->metric, 5, &p->part);
    }
    put_int(&p->metric, 6, s->t_ms);
    if (buf_error(&p->metric) || buf_error(&p->part))
        out->error = -ENOSPC; /* a page without one of its samples would be a lie */
    put_message(&p->family, 4, &p->metric);
}
