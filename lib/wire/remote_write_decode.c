#include "lib/wire/remote_write_decode.h"

#include <errno.h>
#include <snappy-c.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"

#define POOL_CHUNK_FIRST 64u
#define POOL_CHUNK_MAX 8192u /* items */
/* A snappy element of three bytes makes at most 64: a body that claims more is lying, and is refused before anything is
 * allocated for it. */
#define SNAPPY_RATIO_MAX 22u
#define SERIES_BYTES_USUAL 150u /* of a series with one sample */

/* ---- memory ----------------------------------------------------------------------------------------------- */

void *decoder_room(struct decoder *d, size_t n, size_t item_bytes, int *ret_error)
{
    struct arena *a = &d->w->arena;
    size_t bytes;
    void *p = size_mul(n, item_bytes, &bytes) < 0 ? NULL : arena_room(a, bytes);
    if (!p) /* an arena gives NULL for both reasons */
        *ret_error = n > (a->max_bytes - a->used_bytes) / item_bytes ? -EFBIG : -ENOMEM;
    return p;
}

void *decoder_alloc(struct decoder *d, size_t n, size_t item_bytes, int *ret_error)
{
    void *p = decoder_room(d, n, item_bytes, ret_error);
    return p && n ? memset(p, 0, n * item_bytes) : p;
}

int pool_more(struct decoder *d, struct pool *p, size_t n, size_t room)
{
    if (LIKELY(n + room <= p->left))
        return 0;
    if (p->chunk < POOL_CHUNK_FIRST)
        p->chunk = POOL_CHUNK_FIRST;
    else if (p->chunk < POOL_CHUNK_MAX)
        p->chunk *= 2;
    size_t want = 2 * (n + room) > p->chunk ? 2 * (n + room) : p->chunk;
    int error = 0;
    char *items = decoder_room(d, want, p->item_bytes, &error);
    if (!items)
        return error;
    if (n)
        memcpy(items, p->items, n * p->item_bytes);
    p->items = items;
    p->left = want;
    return 0;
}

/* ---- requests --------------------------------------------------------------------------------------------- */

/* How often a field stands at the top level: from tags and lengths alone, one step per series. */
MUST_USE static bool count_fields(struct pb in, uint32_t wanted, size_t *ret)
{
    uint32_t field, type;
    while (pb_more(&in)) {
        if (!pb_tag(&in, &field, &type) || !pb_skip(&in, type))
            return false;
        *ret += field == wanted;
    }
    return true;
}

/* Where all series are known there is one entry, so fields are counted only once another one comes. */
int decoder_series_room(struct decoder *d, uint32_t field, struct pb rest)
{
    size_t n = 0;
    int r = 0;
    if (LIKELY(d->w->n_series + 2 <= d->cap_series))
        return 0;
    if (!count_fields(rest, field, &n))
        return -EBADMSG;
    size_t cap = d->w->n_series + 3 + n;
    struct write_series *list = decoder_room(d, cap, sizeof *list, &r);
    if (!list)
        return r;
    if (d->w->n_series)
        memcpy(list, d->w->series, d->w->n_series * sizeof *list);
    d->w->series = list;
    d->cap_series = cap;
    return 0;
}

/* WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; } */
int decode_request_1(struct decoder *d, struct pb in)
{
    int r = 0;
    while (r == 0 && pb_more(&in)) {
        uint32_t field, type;
        if (!pb_tag(&in, &field, &type))
            return -EBADMSG;
        if (field == 1 || field == 3)
            r = type != PB_BYTES ? -EBADMSG
                : field == 1     ? decode_series(d, &SERIES_FIELDS_1, &in)
                                 : decode_metadata(d, &in);
        else if (!pb_skip(&in, type))
            r = -EBADMSG;
    }
    return r < 0 ? r : decoder_end_run(d);
}

/* Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; } Symbols may stand anywhere, so they come
 * first. */
MUST_USE static int decode_request_2(struct decoder *d, struct pb in)
{
    size_t n_symbols = 0;
    int r = 0;
    if (!count_fields(in, 4, &n_symbols))
        return -EBADMSG;
    struct span *symbols = decoder_alloc(d, n_symbols, sizeof *symbols, &r);
    if (!symbols)
        return r;
    for (struct pb scan = in; pb_more(&scan);) {
        uint32_t field, type;
        if (!pb_tag(&scan, &field, &type))
            return -EBADMSG;
        if (field != 4 ? !pb_skip(&scan, type) : type != PB_BYTES || !pb_span(&scan, &symbols[d->n_symbols++]))
            return -EBADMSG;
    }
    bool first_is_empty = d->n_symbols > 0 && symbols[0].len == 0; /* by the specification */
    d->symbols = symbols;
    while (r == 0 && pb_more(&in)) {
        uint32_t field, type;
        if (!pb_tag(&in, &field, &type))
            return -EBADMSG;
        if (field == 5)
            r = type == PB_BYTES && first_is_empty ? decode_series(d, &SERIES_FIELDS_2, &in) : -EBADMSG;
        else if (!pb_skip(&in, type))
            r = -EBADMSG;
    }
    return r;
}

int decoder_decompress(struct decoder *d, struct span body, struct pb *ret)
{
    size_t n = 0;
    int r = 0;
    if (body.len == 0 || snappy_uncompressed_length(body.ptr, body.len, &n) != SNAPPY_OK)
        return -EBADMSG;
    if (n > BODY_BYTES_MAX)
        return -EFBIG;
    if (n / SNAPPY_RATIO_MAX > body.len)
        return -EBADMSG;
    char *raw = decoder_room(d, n, 1, &r);
    if (!raw)
        return r;
    if (snappy_uncompress(body.ptr, body.len, raw, &n) != SNAPPY_OK)
        return -EBADMSG;
    *ret = (struct pb){(const unsigned char *)raw, (const unsigned char *)raw + n};
    return 0;
}

int decoder_begin(struct decoder *d, struct remote_write_report *report)
{
    *report = (struct remote_write_report){0};
    *d = (struct decoder){
        .w = write_request_new(WRITE_REQUEST_BYTES_MAX),
        .report = report,
        .labels.item_bytes = sizeof(struct label),
        .samples.item_bytes = sizeof(struct sample),
        .histograms.item_bytes = sizeof(struct histogram_sample),
        .exemplars.item_bytes = sizeof(struct exemplar),
        .ids.item_bytes = sizeof(uint32_t),
    };
    return d->w ? 0 : -ENOMEM;
}

int remote_write_decode_known(enum remote_write_protocol protocol, struct span body,
                              const struct remote_write_known *known, struct write_request **ret,
                              struct remote_write_report *ret_report)
{
    struct decoder d;
    struct pb in = {0};
    int r = decoder_begin(&d, ret_report);
    if (r < 0)
        return r;
    d.known = protocol == REMOTE_WRITE_1 ? known : NULL;
    r = decoder_decompress(&d, body, &in);
    if (d.known) /* a run that outgrows its list is copied: make it long at once */
        d.samples.chunk = d.ids.chunk = pb_left(&in) / SERIES_BYTES_USUAL;
    if (r == 0)
        r = protocol == REMOTE_WRITE_2 ? decode_request_2(&d, in) : decode_request_1(&d, in);
    if (r < 0) {
        write_request_free(d.w);
        return r;
    }
    *ret = d.w;
    return 0;
}

int remote_write_decode(enum remote_write_protocol protocol, struct span body, struct write_request **ret,
                        struct remote_write_report *ret_report)
{
    return remote_write_decode_known(protocol, body, NULL, ret, ret_report);
}

/* ---- headers ---------------------------------------------------------------------------------------------- */

int remote_write_protocol_of(struct span content_type, struct span content_encoding, enum remote_write_protocol *ret)
{
    struct span rest = content_type, piece;
    if (!span_equal_nocase(span_trim(content_encoding), SPAN("snappy")))
        return -EPROTONOSUPPORT;
    if (!span_cut(&rest, ';', &piece) || !span_equal_nocase(span_trim(piece), SPAN("application/x-protobuf")))
        return -EPROTONOSUPPORT;
    enum remote_write_protocol protocol = REMOTE_WRITE_1;
    while (span_cut(&rest, ';', &piece)) {
        struct span parameter = span_trim(piece);
        size_t equals = span_find(parameter, '=');
        if (!span_equal_nocase(span_trim(span_of(parameter.ptr, equals)), SPAN("proto")))
            continue;
        struct span value = span_trim(span_from(parameter, equals + 1));
        if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
            value = span_of(value.ptr + 1, value.len - 2);
        if (span_equal(value, SPAN("prometheus.WriteRequest")))
            protocol = REMOTE_WRITE_1;
        else if (span_equal(value, SPAN("io.prometheus.write.v2.Request")))
            protocol = REMOTE_WRITE_2;
        else
            return -EPROTONOSUPPORT;
    }
    *ret = protocol;
    return 0;
}
