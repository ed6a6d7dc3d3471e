#include "lib/wire/remote_read.h"

#include <errno.h>
#include <snappy-c.h>

#include "lib/base/limits.h"
#include "lib/wire/remote_write_decode.h"

static size_t matcher_bytes(const struct remote_read_matcher *m)
{
    return 2 + pb_bytes_size(m->name.len) + pb_bytes_size(m->value.len);
}

static size_t query_bytes(const struct remote_read_query *q)
{
    size_t n = 1 + pb_varint_size((uint64_t)q->min_ms) + 1 + pb_varint_size((uint64_t)q->max_ms);
    for (size_t i = 0; i < q->n_matchers; i++)
        n += pb_bytes_size(matcher_bytes(&q->matchers[i]));
    return n;
}

static unsigned char *put_number(unsigned char *to, unsigned field, uint64_t v)
{
    *to++ = (unsigned char)(field << 3 | PB_VARINT);
    return pb_put_varint(to, v);
}

int remote_read_encode(const struct remote_read_query *q, struct buf *body)
{
    size_t inner = query_bytes(q), n = pb_bytes_size(inner) + 2, packed = snappy_max_compressed_length(n);
    AUTO_FREE unsigned char *raw = malloc(n);
    if (!raw)
        return -ENOMEM;
    unsigned char *to = pb_put_head(raw, 1, inner);
    to = put_number(to, 1, (uint64_t)q->min_ms);
    to = put_number(to, 2, (uint64_t)q->max_ms);
    for (size_t i = 0; i < q->n_matchers; i++) {
        const struct remote_read_matcher *m = &q->matchers[i];
        to = pb_put_head(to, 3, matcher_bytes(m));
        to = put_number(to, 1, m->type);
        to = pb_put_span(to, 2, m->name);
        to = pb_put_span(to, 3, m->value);
    }
    to = put_number(to, 2, 0); /* SAMPLES */
    char *at = buf_reserve(body, packed);
    if (!at)
        return buf_error(body);
    if (snappy_compress((const char *)raw, (size_t)(to - raw), at, &packed) != SNAPPY_OK)
        return -EINVAL;
    buf_grew(body, packed);
    return 0;
}

/* ReadResponse: the one result's bytes; none is an empty one. */
MUST_USE static int only_result(struct pb in, struct pb *ret)
{
    bool found = false;
    *ret = (struct pb){in.at, in.at};
    while (pb_more(&in)) {
        uint32_t field, type;
        if (!pb_tag(&in, &field, &type))
            return -EBADMSG;
        if (field != 1) {
            if (!pb_skip(&in, type))
                return -EBADMSG;
            continue;
        }
        if (found || type != PB_BYTES || !pb_bytes(&in, ret))
            return -EBADMSG;
        found = true;
    }
    return 0;
}

int remote_read_decode(struct span body, struct write_request **ret, struct remote_write_report *ret_report)
{
    struct decoder d;
    struct pb in = {0}, result = {0};
    int r = decoder_begin(&d, ret_report);
    if (r < 0)
        return r;
    r = decoder_decompress(&d, body, &in);
    if (r == 0)
        r = only_result(in, &result);
    if (r == 0)
        r = decode_request_1(&d, result);
    if (r < 0) {
        write_request_free(d.w);
        return r;
    }
    *ret = d.w;
    return 0;
}
