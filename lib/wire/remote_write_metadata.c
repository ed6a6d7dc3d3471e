#include "lib/wire/remote_write_decode.h"

#include <errno.h>

static enum metric_type type_of_number(uint64_t number)
{
    static const enum metric_type TYPES[] = {
        METRIC_TYPE_UNKNOWN,         METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE, METRIC_TYPE_HISTOGRAM,
        METRIC_TYPE_GAUGE_HISTOGRAM, METRIC_TYPE_SUMMARY, METRIC_TYPE_INFO,  METRIC_TYPE_STATESET,
    };
    return number < ARRAY_LEN(TYPES) ? TYPES[number] : METRIC_TYPE_UNKNOWN;
}

static int keep_metadata(struct decoder *d, const struct metadata *x)
{
    if (d->w->n_metadata == d->cap_metadata) {
        size_t cap = d->cap_metadata ? 2 * d->cap_metadata : 64;
        int error = 0;
        struct metadata *list = decoder_room(d, cap, sizeof *list, &error);
        if (!list)
            return error;
        if (d->w->n_metadata)
            memcpy(list, d->w->metadata, d->w->n_metadata * sizeof *list);
        d->w->metadata = list;
        d->cap_metadata = cap;
    }
    d->w->metadata[d->w->n_metadata++] = *x;
    return 0;
}

/* MetricMetadata { MetricType type = 1; string metric_family_name = 2; string help = 4; string unit = 5; } */
int decode_metadata(struct decoder *d, struct pb *in)
{
    struct pb m;
    uint32_t field, type;
    uint64_t number = 0;
    struct metadata x = {0};
    if (!pb_bytes(in, &m))
        return -EBADMSG;
    while (pb_more(&m)) {
        if (!pb_tag(&m, &field, &type))
            return -EBADMSG;
        bool ok = field == 1 && type == PB_VARINT                        ? pb_varint(&m, &number)
                  : field == 2 && type == PB_BYTES                       ? pb_span(&m, &x.name)
                  : field == 4 && type == PB_BYTES                       ? pb_span(&m, &x.help)
                  : field == 5 && type == PB_BYTES                       ? pb_span(&m, &x.unit)
                  : field == 1 || field == 2 || field == 4 || field == 5 ? false
                                                                         : pb_skip(&m, type);
        if (!ok)
            return -EBADMSG;
    }
    x.type = type_of_number(number);
    bool good = x.name.len > 0 && span_is_utf8(x.name) && span_is_utf8(x.help) && span_is_utf8(x.unit);
    return good ? keep_metadata(d, &x) : 0;
}

/* Metadata { type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; } of the series' metric. */
bool decode_series_metadata(struct pb *in, struct series_metadata *ret)
{
    struct pb m;
    uint32_t field, type;
    struct series_metadata x = {.present = true};
    if (!pb_bytes(in, &m))
        return false;
    while (pb_more(&m)) {
        if (!pb_tag(&m, &field, &type))
            return false;
        bool known = field == 1 || field == 3 || field == 4;
        uint64_t *to = field == 1 ? &x.type : field == 3 ? &x.help : &x.unit;
        if (known ? type != PB_VARINT || !pb_varint(&m, to) : !pb_skip(&m, type))
            return false;
    }
    *ret = x;
    return true;
}

/* A metric's family, as 1.0 names it: a histogram's _bucket, _sum and _count are one. */
static struct span family_of(struct span name, enum metric_type type)
{
    static const struct span SUFFIXES[] = {SPAN_INIT("_bucket"), SPAN_INIT("_count"), SPAN_INIT("_sum")};
    if (type != METRIC_TYPE_HISTOGRAM && type != METRIC_TYPE_SUMMARY && type != METRIC_TYPE_GAUGE_HISTOGRAM)
        return name;
    for (size_t i = 0; i < ARRAY_LEN(SUFFIXES); i++)
        if (name.len > SUFFIXES[i].len && span_equal(span_from(name, name.len - SUFFIXES[i].len), SUFFIXES[i]))
            return span_of(name.ptr, name.len - SUFFIXES[i].len);
    return name;
}

int keep_series_metadata(struct decoder *d, const struct series_metadata *m, const struct labels *labels)
{
    if (m->help >= d->n_symbols || m->unit >= d->n_symbols)
        return -EBADMSG;
    struct metadata x = {.type = type_of_number(m->type), .help = d->symbols[m->help], .unit = d->symbols[m->unit]};
    x.name = family_of(labels_get(labels, SPAN("__name__")), x.type);
    if (x.name.len == 0 || (x.type == METRIC_TYPE_UNKNOWN && x.help.len == 0 && x.unit.len == 0))
        return 0;
    if (!span_is_utf8(x.help) || !span_is_utf8(x.unit))
        return 0;
    const struct metadata *last = d->w->n_metadata ? &d->w->metadata[d->w->n_metadata - 1] : NULL;
    if (last && last->type == x.type && span_equal(last->name, x.name)) /* every series of a family repeats it */
        return 0;
    return keep_metadata(d, &x);
}
