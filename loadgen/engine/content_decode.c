#include "loadgen/engine/content_decode.h"

#include <brotli/decode.h>
#include <errno.h>
#include <zlib.h>

#define PIECE_BYTES 16384u
#define INPUT_BYTES_MAX (1u << 30) /* zlib counts in 32 bits */

enum { WINDOW_GZIP = 15 + 16, WINDOW_ZLIB = 15, WINDOW_RAW = -15 };

/* One stream after the other while there are bytes: gzip files may be joined. */
MUST_USE static int inflate_all(z_stream *z, bool joined, struct buf *out)
{
    for (;;) {
        char *to = buf_reserve(out, PIECE_BYTES);
        if (!to)
            return buf_error(out);
        z->next_out = (unsigned char *)to;
        z->avail_out = PIECE_BYTES;
        int r = inflate(z, Z_NO_FLUSH);
        buf_grew(out, PIECE_BYTES - z->avail_out);
        if (r == Z_MEM_ERROR)
            return -ENOMEM;
        if (r == Z_STREAM_END) {
            if (!joined || z->avail_in == 0 || z->next_in[0] != 0x1f) /* what is no further member is padding */
                return 0;
            if (inflateReset(z) != Z_OK)
                return -EBADMSG;
        } else if (r != Z_OK || (z->avail_in == 0 && z->avail_out > 0)) {
            return -EBADMSG;
        }
    }
}

MUST_USE static int decode_zlib(struct span body, int window, struct buf *out)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)body.ptr, .avail_in = (unsigned)body.len};
    if (inflateInit2(&z, window) != Z_OK)
        return -ENOMEM;
    int r = inflate_all(&z, window == WINDOW_GZIP, out);
    inflateEnd(&z);
    return r;
}

MUST_USE static int decode_brotli(struct span body, struct buf *out)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (!state)
        return -ENOMEM;
    const uint8_t *in = (const uint8_t *)body.ptr;
    size_t in_left = body.len;
    int r = -EAGAIN;
    while (r == -EAGAIN) {
        char *to = buf_reserve(out, PIECE_BYTES);
        if (!to) {
            r = buf_error(out);
            break;
        }
        uint8_t *next = (uint8_t *)to;
        size_t left = PIECE_BYTES;
        BrotliDecoderResult got = BrotliDecoderDecompressStream(state, &in_left, &in, &left, &next, NULL);
        buf_grew(out, PIECE_BYTES - left);
        if (got == BROTLI_DECODER_RESULT_SUCCESS)
            r = 0;
        else if (got != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT)
            r = -EBADMSG; /* an error, or an end that is missing */
    }
    BrotliDecoderDestroyInstance(state);
    return r;
}

MUST_USE static int decode_one(struct span encoding, struct span body, struct buf *out)
{
    size_t before = out->len;
    if (body.len > INPUT_BYTES_MAX)
        return -ENOSPC;
    if (span_equal_nocase(encoding, SPAN("gzip")) || span_equal_nocase(encoding, SPAN("x-gzip")))
        return decode_zlib(body, WINDOW_GZIP, out);
    if (span_equal_nocase(encoding, SPAN("br")))
        return decode_brotli(body, out);
    if (span_equal_nocase(encoding, SPAN("deflate"))) {
        int r = decode_zlib(body, WINDOW_ZLIB, out);
        if (r != -EBADMSG)
            return r;
        buf_truncate(out, before);
        return decode_zlib(body, WINDOW_RAW, out);
    }
    if (span_equal_nocase(encoding, SPAN("identity"))) {
        buf_span(out, body);
        return buf_error(out);
    }
    return -ENOTSUP;
}

int content_decode(struct span encodings, struct span body, struct buf *out)
{
    struct span list[CONTENT_ENCODINGS_MAX], rest = encodings, one;
    size_t n = 0;
    while (span_cut(&rest, ',', &one)) {
        if (n == CONTENT_ENCODINGS_MAX)
            return -ENOTSUP;
        one = span_trim(one);
        if (one.len)
            list[n++] = one;
    }
    if (n == 0) {
        buf_span(out, body);
        return buf_error(out);
    }
    struct buf between[2];
    buf_init(&between[0], out->max);
    buf_init(&between[1], out->max);
    int r = 0;
    while (n > 1 && r == 0) { /* the last one was put on last */
        struct buf *to = &between[n % 2];
        buf_clear(to);
        r = decode_one(list[--n], body, to);
        body = buf_view(to);
    }
    if (r == 0)
        r = decode_one(list[0], body, out);
    buf_done(&between[0]);
    buf_done(&between[1]);
    return r;
}

int content_of(struct span headers, struct span raw, struct buf *decoded, struct span *ret_body)
{
    struct span rest = headers, line;
    *ret_body = raw;
    while (raw.len && span_cut(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':');
        if (!span_equal_nocase(span_of(line.ptr, colon), SPAN("content-encoding")))
            continue;
        buf_clear(decoded);
        int r = content_decode(span_from(line, colon + 1), raw, decoded);
        if (r == 0)
            *ret_body = buf_view(decoded);
        return r == -ENOTSUP ? 1 : r;
    }
    return 0;
}
