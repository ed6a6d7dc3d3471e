/* http1_parse.h - an HTTP/1.x response, read from whatever pieces the network brings.
 *
 *   struct http1_parser p;
 *   http1_init(&p);                                   // once; buffers are kept from answer to answer
 *   http1_begin(&p, is_head_request);
 *   r = http1_feed(&p, bytes, n, &used);              // 1: whole, after `used` bytes; 0: more is needed
 *   r = http1_end(&p);                                // the peer has closed: 1 when that is how the body ends
 *   p.status, p.version, p.headers, p.content, p.keep_alive
 *   http1_done(&p);
 *
 * RFC 9112: Content-Length, chunked with extensions and trailers, bodies that end with the connection, no body after HEAD, 1xx, 204 and 304;
 * interim answers (100, 103) are passed over; folded header lines are unfolded. A wrong answer is an error that has a name, never a guess: two
 * different lengths, a length beside chunks that is believed, a chunk size with something else in it. The pieces do not matter: every way to
 * split the same bytes gives the same result. An answer that comes in one piece is not copied. */
#pragma once

#include <stdint.h>

#include "lib/base/buf.h"

#define HTTP1_HEAD_BYTES_MAX                                                                                           \
    (256u << 10) /* of one answer, interim ones and trailers with it; browsers give up at about as much */
#define HTTP1_HEADER_LINES_MAX 1000u
#define HTTP1_CHUNK_LINE_BYTES_MAX 4096u /* size and extensions of one chunk */

enum http1_error {
    HTTP1_GOOD,
    HTTP1_NOT_HTTP,
    HTTP1_BAD_HEADER,
    HTTP1_BAD_LENGTH,
    HTTP1_BAD_ENCODING,
    HTTP1_BAD_CHUNK,
    HTTP1_HEAD_TOO_LARGE,
    HTTP1_BODY_TOO_LARGE,
    HTTP1_CUT_EMPTY, /* closed before a byte of it came */
    HTTP1_CUT_HEAD,
    HTTP1_CUT_BODY,
    HTTP1_NO_MEMORY
};
struct http1_parser {
    /* valid when whole; headers and content may stand in the bytes that were fed last */
    int status, version; /* version 10 or 11 */
    struct span headers; /* "Name: value\r\n" lines of the final response */
    struct span content; /* the body as sent: not decoded */
    bool keep_alive;     /* another request may follow on the connection */
    bool encoded;        /* there is a Content-Encoding */
    bool sets_cookies;   /* there is a Set-Cookie */
    bool started;        /* a byte has come */
    enum http1_error error;
    /* private */
    struct buf head, body; /* what came in pieces */
    bool borrows;          /* headers stand in the caller's bytes */
    int state;
    bool is_head, chunked, has_length, closes, keeps, folded;
    size_t head_bytes, line_bytes, lines, fields;
    char line_first;
    uint64_t left; /* of the body or the chunk */
    unsigned digits;
};
void http1_init(struct http1_parser *p);
void http1_done(struct http1_parser *p);
/* Ready for the answer to a new request. Large buffers of the answer before are given back. */
void http1_begin(struct http1_parser *p, bool is_head);
/* Take in the next bytes. 1: the answer is whole, *ret_used of them belonged to it; 0: all were taken, more is needed; -EPROTO: p->error says
 * what is wrong, and so it stays. */
MUST_USE int http1_feed(struct http1_parser *p, const char *bytes, size_t n, size_t *ret_used);
/* The peer has closed the connection. 1: that was the end of the body; -EPROTO: p->error is one of HTTP1_CUT_…. */
MUST_USE int http1_end(struct http1_parser *p);
/* For people: "the chunk size is not a number". */
const char *http1_error_text(enum http1_error error);
