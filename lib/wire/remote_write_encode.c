#include <errno.h>
#include <snappy-c.h>

#include "lib/base/limits.h"
#include "lib/wire/protobuf.h"
#include "lib/wire/remote_write.h"

#define REQUEST_BYTES_GOAL (4u << 20) /* so that 20,000 samples of one moment are one request */
/* Snappy's library looks back no further than this, so compressing piece by piece gives the bytes that one call would. */
#define FRAGMENT_BYTES 65536u
#define PACKED_BYTES_KEPT (512u << 10)

struct remote_write_encoder {
    struct buf raw;    /* not compressed yet; beyond FRAGMENT_BYTES only for a series that is larger alone */
    struct buf packed; /* snappy elements of what came before */
    size_t bytes;      /* uncompressed, of both */
    size_t samples;
};

int remote_write_encoder_new(struct remote_write_encoder **ret)
{
    struct remote_write_encoder *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    buf_init(&e->raw, BODY_BYTES_MAX);
    buf_init(&e->packed, 2ul * BODY_BYTES_MAX);
    *ret = e;
    return 0;
}

void remote_write_encoder_free(struct remote_write_encoder *e)
{
    if (!e)
        return;
    buf_done(&e->raw);
    buf_done(&e->packed);
    free(e);
}

size_t remote_write_samples(const struct remote_write_encoder *e)
{
    return e->samples;
}

size_t remote_write_bytes(const struct remote_write_encoder *e)
{
    return e->bytes;
}

/* Compress `raw`. A block is varint(uncompressed bytes) elements; the elements of several blocks in a row are one block again. */
MUST_USE static int pack(struct remote_write_encoder *e)
{
    size_t n = snappy_max_compressed_length(e->raw.len), head = pb_varint_size(e->raw.len);
    char *to = buf_reserve(&e->packed, n);
    if (!to) {
        int error = buf_error(&e->packed);
        e->packed.error = 0; /* what is there stays good */
        return error;
    }
    if (snappy_compress(e->raw.data, e->raw.len, to, &n) != SNAPPY_OK || n < head)
        return -EIO;
    memmove(to, to + head, n - head);
    buf_grew(&e->packed, n - head);
    buf_clear(&e->raw);
    return 0;
}

/* Room for n more bytes, or the reason why not; nothing is added then. */
MUST_USE static int room_for(struct remote_write_encoder *e, size_t n, unsigned char **ret)
{
    if (n > BODY_BYTES_MAX)
        return -EMSGSIZE;
    if (e->bytes > 0 && e->bytes + n > REQUEST_BYTES_GOAL)
        return -E2BIG;
    if (e->raw.len > 0 && e->raw.len + n > FRAGMENT_BYTES) {
        int r = pack(e);
        if (r < 0)
            return r;
    }
    char *to = buf_reserve(&e->raw, n);
    if (!to) {
        int error = buf_error(&e->raw);
        e->raw.error = 0;
        return error == -ENOSPC ? -E2BIG : error;
    }
    *ret = (unsigned char *)to;
    return 0;
}

static void added(struct remote_write_encoder *e, size_t n)
{
    buf_grew(&e->raw, n);
    e->bytes += n;
}

static size_t label_size(const struct label *l)
{
    return pb_bytes_size(l->name.len) + pb_bytes_size(l->value.len);
}

static size_t sample_size(const struct sample *s)
{
    return (f64_bits(s->value) ? 9 : 0) + (s->t_ms ? 1 + pb_varint_size((uint64_t)s->t_ms) : 0);
}

/* Stops counting beyond BODY_BYTES_MAX: such a series is refused anyway. */
static size_t series_size(const struct labels *labels, const struct sample *samples, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < labels->n && total <= BODY_BYTES_MAX; i++) {
        size_t inner = label_size(&labels->pairs[i]);
        total += 1 + pb_varint_size(inner) + inner;
    }
    for (size_t i = 0; i < n && total <= BODY_BYTES_MAX; i++)
        total += 2 + sample_size(&samples[i]); /* at most 20 bytes: a one-byte length */
    return total;
}

int remote_write_add(struct remote_write_encoder *e, const struct labels *labels, const struct sample *samples,
                     size_t n)
{
    if (n == 0)
        return 0;
    size_t size = series_size(labels, samples, n);
    unsigned char *to = NULL;
    int r = room_for(e, 1 + pb_varint_size(size) + size, &to);
    if (r < 0)
        return r;
    unsigned char *start = to;
    to = pb_put_head(to, 1, size);
    for (size_t i = 0; i < labels->n; i++) {
        to = pb_put_head(to, 1, label_size(&labels->pairs[i]));
        to = pb_put_span(to, 1, labels->pairs[i].name);
        to = pb_put_span(to, 2, labels->pairs[i].value);
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = f64_bits(samples[i].value);
        to = pb_put_head(to, 2, sample_size(&samples[i]));
        if (bits) { /* by bits: -0 is not the default */
            *to++ = 1 << 3 | PB_FIXED64;
            memcpy(to, &bits, sizeof bits);
            to += sizeof bits;
        }
        if (samples[i].t_ms) {
            *to++ = 2 << 3 | PB_VARINT;
            to = pb_put_varint(to, (uint64_t)samples[i].t_ms);
        }
    }
    added(e, (size_t)(to - start));
    e->samples += n;
    return 0;
}

/* MetricMetadata.MetricType; its numbers are those of both protocols. */
static unsigned type_number(enum metric_type t)
{
    static const unsigned char NUMBERS[] = {
        [METRIC_TYPE_UNKNOWN] = 0,   [METRIC_TYPE_COUNTER] = 1,         [METRIC_TYPE_GAUGE] = 2,
        [METRIC_TYPE_HISTOGRAM] = 3, [METRIC_TYPE_GAUGE_HISTOGRAM] = 4, [METRIC_TYPE_SUMMARY] = 5,
        [METRIC_TYPE_INFO] = 6,      [METRIC_TYPE_STATESET] = 7,
    };
    return (size_t)t < ARRAY_LEN(NUMBERS) ? NUMBERS[t] : 0;
}

int remote_write_metadata(struct remote_write_encoder *e, const struct metadata *m)
{
    if (m->name.len > BODY_BYTES_MAX || m->help.len > BODY_BYTES_MAX || m->unit.len > BODY_BYTES_MAX)
        return -EMSGSIZE;
    unsigned type = type_number(m->type);
    size_t size = (type ? 2 : 0) + pb_bytes_size(m->name.len) + pb_bytes_size(m->help.len) + pb_bytes_size(m->unit.len);
    unsigned char *to = NULL;
    int r = room_for(e, 1 + pb_varint_size(size) + size, &to);
    if (r < 0)
        return r;
    unsigned char *start = to;
    to = pb_put_head(to, 3, size);
    if (type) {
        *to++ = 1 << 3 | PB_VARINT;
        *to++ = (unsigned char)type;
    }
    to = pb_put_span(to, 2, m->name);
    to = pb_put_span(to, 4, m->help);
    to = pb_put_span(to, 5, m->unit);
    added(e, (size_t)(to - start));
    return 0;
}

static void keep_small(struct buf *b, size_t most)
{
    if (b->cap > most)
        buf_done(b); /* one giant series must not stay for life */
    else
        buf_clear(b);
}

int remote_write_finish(struct remote_write_encoder *e, struct buf *body)
{
    unsigned char head[10];
    int r = e->raw.len ? pack(e) : 0;
    if (r == 0) {
        buf_bytes(body, head, (size_t)(pb_put_varint(head, e->bytes) - head));
        buf_span(body, buf_view(&e->packed));
        r = buf_error(body);
    }
    e->samples = e->bytes = 0;
    keep_small(&e->raw, 4 * FRAGMENT_BYTES);
    keep_small(&e->packed, PACKED_BYTES_KEPT);
    return r;
}
