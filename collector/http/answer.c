#include "collector/http/answer.h"

#include <errno.h>
#include <zlib.h>

#include "lib/base/limits.h"

struct answer {
    struct answer_source source;
    struct http_room *room;
    void *ctx;
    struct buf plain; /* written and not sent yet */
    size_t sent;      /* of it */
    bool ended;       /* the source has no more */
    bool packed;      /* gzip */
    bool finished;    /* its last byte is out */
    z_stream z;
};

static void answer_free(void *ctx)
{
    struct answer *a = ctx;
    if (a->packed)
        (void)deflateEnd(&a->z);
    atomic_fetch_sub_explicit(&a->room->answers_bytes, a->source.held_bytes, memory_order_relaxed);
    a->source.done(a->ctx);
    buf_done(&a->plain);
    free(a);
}

static void fill(struct answer *a, size_t bytes)
{
    buf_consume(&a->plain, a->sent);
    a->sent = 0;
    while (!a->ended && a->plain.len < bytes && !buf_error(&a->plain))
        a->ended = !a->source.next(a->ctx, &a->plain);
}

static ssize_t read_plain(struct answer *a, char *at, size_t max)
{
    if (a->sent == a->plain.len)
        fill(a, 1);
    if (buf_error(&a->plain))
        return -2; /* the client must not take a part for the whole */
    size_t n = a->plain.len - a->sent;
    if (n == 0)
        return -1;
    n = n < max ? n : max;
    memcpy(at, a->plain.data + a->sent, n);
    a->sent += n;
    return (ssize_t)n;
}

static ssize_t read_packed(struct answer *a, char *at, size_t max)
{
    a->z.next_out = (Bytef *)at;
    a->z.avail_out = max < UINT32_MAX ? (uInt)max : UINT32_MAX;
    uInt room = a->z.avail_out;
    while (!a->finished && a->z.avail_out == room) {
        if (a->sent == a->plain.len)
            fill(a, 1);
        if (buf_error(&a->plain))
            return -2;
        size_t n = a->plain.len - a->sent;
        a->z.next_in = (Bytef *)(a->plain.data ? a->plain.data + a->sent : NULL);
        a->z.avail_in = n < UINT32_MAX ? (uInt)n : UINT32_MAX;
        uInt given = a->z.avail_in;
        int r = deflate(&a->z, a->ended && given == n ? Z_FINISH : Z_NO_FLUSH);
        a->sent += given - a->z.avail_in;
        a->finished = r == Z_STREAM_END;
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
            return -2;
    }
    return a->z.avail_out == room ? -1 : (ssize_t)(room - a->z.avail_out);
}

static ssize_t answer_read(void *ctx, char *at, size_t max)
{
    struct answer *a = ctx;
    return a->packed ? read_packed(a, at, max) : read_plain(a, at, max);
}

static void send_long(struct httpd_request *r, struct answer *a, const char *content_type)
{
    static const struct httpd_stream_ops OPS = {.read = answer_read, .done = answer_free};
    struct httpd_stream *stream;
    httpd_reply_header(r, "Vary", "Accept-Encoding");
    a->packed = httpd_accepts_gzip(r) && deflateInit2(&a->z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    if (a->packed)
        httpd_reply_header(r, "Content-Encoding", "gzip");
    httpd_reply_stream(r, 200, content_type, &OPS, a, &stream);
}

void answer_send(struct httpd_request *r, struct http_room *room, const char *content_type,
                 const struct answer_source *source, void *ctx)
{
    struct answer *a = calloc(1, sizeof *a);
    if (!a) {
        source->done(ctx);
        httpd_reply_error(r, 500, "internal", "out of memory");
        return;
    }
    a->source = *source;
    a->room = room;
    a->ctx = ctx;
    buf_init(&a->plain, ANSWER_PIECE_BYTES_MAX);
    size_t held = atomic_fetch_add_explicit(&room->answers_bytes, source->held_bytes, memory_order_relaxed);
    fill(a, ANSWER_WHOLE_BYTES);
    if (buf_error(&a->plain)) {
        httpd_reply_error(r, 422, "execution", "one point of the answer takes more than %lu bytes",
                          (unsigned long)ANSWER_PIECE_BYTES_MAX);
    } else if (a->ended) {
        httpd_reply(r, 200, content_type, &a->plain);
    } else if (held + source->held_bytes > ANSWERS_BYTES_MAX) {
        httpd_reply_header(r, "Retry-After", "1");
        httpd_reply_error(r, 503, "unavailable",
                          "answers that clients are still taking hold %zu bytes (limit %lu): try again later", held,
                          (unsigned long)ANSWERS_BYTES_MAX);
    } else {
        send_long(r, a, content_type);
        return;
    }
    answer_free(a);
}
