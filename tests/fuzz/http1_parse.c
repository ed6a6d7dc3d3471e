/* Any bytes as an HTTP/1.1 answer: read whole, byte by byte, and in pieces of a size that the first byte gives; all three must say the same. What is
 * whole and compressed is decoded, within its limit. */
#include <errno.h>
#include <stdlib.h>

#include "loadgen/engine/content_decode.h"
#include "loadgen/engine/http1_parse.h"

#define DECODED_BYTES_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Pieces of `step` bytes; then the end. *ret_used: how many bytes were taken. */
static int read_in_steps(struct http1_parser *p, bool is_head, struct span text, size_t step, size_t *ret_used)
{
    size_t at = 0, used = 0;
    int r = 0;
    http1_begin(p, is_head);
    while (r == 0 && at < text.len) {
        size_t piece = text.len - at < step ? text.len - at : step;
        r = http1_feed(p, text.ptr + at, piece, &used);
        if (r >= 0 && (used > piece || (r == 0 && used != piece)))
            abort();
        at += r < 0 ? 0 : used;
    }
    *ret_used = at;
    return r ? r : http1_end(p);
}

static void check_same(const struct http1_parser *a, const struct http1_parser *b)
{
    if (a->error != b->error)
        abort();
    if (a->error)
        return;
    if (a->status != b->status || a->version != b->version || a->keep_alive != b->keep_alive ||
        a->encoded != b->encoded || a->sets_cookies != b->sets_cookies || !span_equal(a->headers, b->headers) ||
        !span_equal(a->content, b->content))
        abort();
}

static void check_decoding(const struct http1_parser *p)
{
    struct buf decoded;
    struct span body;
    buf_init(&decoded, DECODED_BYTES_MAX);
    int r = content_of(p->headers, p->content, &decoded, &body);
    if (decoded.len > DECODED_BYTES_MAX || (r < 0 && r != -EBADMSG && r != -ENOSPC && r != -ENOMEM))
        abort();
    buf_done(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    bool is_head = data[0] & 1;
    size_t step = (data[0] >> 1) + 2u, used[3];
    struct span text = span_of((const char *)data + 1, n - 1);
    struct http1_parser parsers[3];
    const size_t steps[3] = {text.len ? text.len : 1, 1, step};
    for (size_t i = 0; i < 3; i++) {
        http1_init(&parsers[i]);
        int r = read_in_steps(&parsers[i], is_head, text, steps[i], &used[i]);
        if ((r < 0) != (parsers[i].error != HTTP1_GOOD) || (r > 0 && i > 0 && used[i] != used[0]))
            abort();
        if (i > 0)
            check_same(&parsers[0], &parsers[i]);
    }
    if (!parsers[0].error)
        check_decoding(&parsers[0]);
    for (size_t i = 0; i < 3; i++)
        http1_done(&parsers[i]);
    return 0;
}
