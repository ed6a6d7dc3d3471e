#include "tests/support/check.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "loadgen/engine/http1_parse.h"

/* What an answer is read as, in one line: so that two ways to read it can be compared. */
static void describe(struct http1_parser *p, int r, size_t used, struct buf *out)
{
    buf_clear(out);
    if (r < 0)
        buf_printf(out, "error: %s", http1_error_text(p->error));
    else if (r == 0)
        buf_str(out, "not whole");
    else
        buf_printf(out, "%d %d %s%s used=%zu [" SPAN_FMT "] {" SPAN_FMT "}", p->version, p->status,
                   p->keep_alive ? "keep" : "close", p->encoded ? " encoded" : "", used, SPAN_ARG(p->headers),
                   SPAN_ARG(p->content));
}

/* The bytes in two pieces, split at `at`; or each byte by itself where at is SIZE_MAX. Then the connection's end, where the answer is not whole. */
static void read_split(struct http1_parser *p, struct span text, bool is_head, size_t at, struct buf *out)
{
    size_t done = 0, used = 0;
    int r = 0;
    char bytes[512]; /* as a connection's: the next bytes come over the last ones */
    http1_begin(p, is_head);
    while (r == 0 && done < text.len) {
        size_t n = at == SIZE_MAX ? 1 : done < at ? at - done : text.len - done;
        if (n <= sizeof bytes)
            memset(bytes, '?', sizeof bytes);
        r = http1_feed(p, n <= sizeof bytes ? memcpy(bytes, text.ptr + done, n) : text.ptr + done, n, &used);
        done += r < 0 ? n : used;
        if (r == 0 && used != n)
            check_failed("not whole, but only %zu of %zu bytes were taken", used, n);
    }
    if (r == 0)
        r = http1_end(p);
    describe(p, r, done, out);
}

static void check_every_split(struct span text, bool is_head, const char *want)
{
    struct http1_parser p;
    struct buf got;
    http1_init(&p);
    buf_init(&got, BODY_BYTES_MAX);
    for (size_t at = 0; at <= text.len + 1; at++) {
        read_split(&p, text, is_head, at > text.len ? SIZE_MAX : at, &got);
        if (strcmp(got.data, want) != 0)
            check_failed("split at %zu of:\n" SPAN_FMT "\ngave:   %s\nwanted: %s", at, SPAN_ARG(text), got.data, want);
    }
    http1_done(&p);
    buf_done(&got);
}

#define OK "HTTP/1.1 200 OK\r\n"

static void every_split_of_an_answer_gives_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
        bool is_head;
    } cases[] = {
        {OK "Content-Length: 5\r\n\r\nhello", "11 200 keep used=43 [Content-Length: 5\r\n] {hello}"},
        {OK "Content-Length: 0\r\n\r\n", "11 200 keep used=38 [Content-Length: 0\r\n] {}"},
        {OK "Content-Length: 5\r\n\r\nhelloHTTP/1.1", "11 200 keep used=43 [Content-Length: 5\r\n] {hello}"},
        {OK "content-length: 3, 3\r\nCONTENT-LENGTH:3\r\n\r\nabc",
         "11 200 keep used=62 [content-length: 3, 3\r\nCONTENT-LENGTH:3\r\n] {abc}"},
        {"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", "11 200 keep used=37 [Content-Length: 2\n] {hi}"},
        {"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", "11 200 keep used=36 [Content-Length: 1\r\n] {x}"},
        {OK "\r\nto the end", "11 200 close used=29 [] {to the end}"},
        {OK "Connection: keep-alive\r\n\r\n", "11 200 close used=43 [Connection: keep-alive\r\n] {}"},
        {OK "Connection: x, Close\r\nContent-Length: 1\r\n\r\nx",
         "11 200 close used=61 [Connection: x, Close\r\nContent-Length: 1\r\n] {x}"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "10 200 close used=39 [Content-Length: 1\r\n] {x}"},
        {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
         "10 200 keep used=63 [Connection: Keep-Alive\r\nContent-Length: 1\r\n] {x}"},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", "11 204 keep used=46 [Content-Length: 9\r\n] {}"},
        {"HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n",
         "11 304 keep used=46 [Transfer-Encoding: chunked\r\n] {}"},
        {OK "Content-Length: 900\r\n\r\n", "11 200 keep used=40 [Content-Length: 900\r\n] {}", true},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=\"1\";y\r\n0123456789\r\n0\r\n\r\n",
         "11 200 keep used=83 [Transfer-Encoding: chunked\r\n] {abc0123456789}"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2 \t\r\nhi\r\n000;z\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n",
         "11 200 keep used=86 [Transfer-Encoding: chunked\r\n] {hi}"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n",
         "11 200 keep used=55 [Transfer-Encoding: chunked\r\n] {hi}"},
        {OK "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
         "11 200 close used=77 [Content-Length: 7\r\nTransfer-Encoding: chunked\r\n] {x}"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\n" OK
         "Content-Length: 2\r\n\r\nok",
         "11 200 keep used=118 [Content-Length: 2\r\n] {ok}"},
        {"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nbytes", "11 101 close used=38 [Upgrade: x\r\n] {}"},
        {OK "X-Long: a\r\n  b\r\n\tc\r\nContent-Length: 1\r\n\r\nx",
         "11 200 keep used=59 [X-Long: a    b  \tc\r\nContent-Length: 1\r\n] {x}"},
        {OK "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nzz",
         "11 200 keep encoded used=64 [Content-Encoding: gzip\r\nContent-Length: 2\r\n] {zz}"},
        {OK "X-Empty:\r\nContent-Length:1\r\n\r\nx", "11 200 keep used=48 [X-Empty:\r\nContent-Length:1\r\n] {x}"},
        /* what is wrong has a name */
        {"HTTP/2 200\r\n\r\n", "error: the answer is not HTTP/1.x"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "error: the answer is not HTTP/1.x"},
        {"\x16\x03\x01", "error: the answer is not HTTP/1.x"},
        {"HTTP/1.1 2x0 OK\r\n\r\n", "error: the answer is not HTTP/1.x"},
        {"HTTP/1.1 20000 OK\r\n\r\n", "error: the answer is not HTTP/1.x"},
        {"HTTP/1.1 099 OK\r\n\r\n", "error: the answer is not HTTP/1.x"},
        {"HTTP/1.1\r\n\r\n", "error: the answer is not HTTP/1.x"},
        {OK "No colon here\r\n\r\n", "error: a header line is not 'Name: value'"},
        {OK ": no name\r\n\r\n", "error: a header line is not 'Name: value'"},
        {OK "Content-Length : 5\r\n\r\nhello", "error: a header line is not 'Name: value'"},
        {OK " folded: nothing\r\n\r\n", "error: a header line is not 'Name: value'"},
        {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "error: the Content-Length is not one number"},
        {OK "Content-Length: -5\r\n\r\n", "error: the Content-Length is not one number"},
        {OK "Content-Length: +5\r\n\r\n", "error: the Content-Length is not one number"},
        {OK "Content-Length: 0x5\r\n\r\n", "error: the Content-Length is not one number"},
        {OK "Content-Length: 5,\r\n\r\nhello", "error: the Content-Length is not one number"},
        {OK "Content-Length: 99999999999999999999\r\n\r\n", "error: the Content-Length is not one number"},
        {OK "Content-Length:\r\n\r\n", "error: the Content-Length is not one number"},
        {OK "Content-Length: 40000000\r\n\r\n", "error: the body is over the limit"},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "error: the Transfer-Encoding is not chunked"},
        {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         "error: the Transfer-Encoding is not chunked"},
        {OK "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "error: a chunk is not as its size says"},
        {OK "Transfer-Encoding: chunked\r\n\r\n\r\n", "error: a chunk is not as its size says"},
        {OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n", "error: a chunk is not as its size says"},
        {OK "Transfer-Encoding: chunked\r\n\r\n3 4\r\nabc\r\n", "error: a chunk is not as its size says"},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\rxabc\r\n", "error: a chunk is not as its size says"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", "error: a chunk is not as its size says"},
        {OK "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", "error: a chunk is not as its size says"},
        {OK "Transfer-Encoding: chunked\r\n\r\nfffffff0\r\n", "error: the body is over the limit"},
        {"", "error: closed without an answer"},
        {"HTTP/1.", "error: closed within the headers"},
        {OK "Content-Length: 5\r\n", "error: closed within the headers"},
        {OK "Content-Length: 5\r\n\r\nhell", "error: closed before the body was whole"},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "error: closed before the body was whole"},
        {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n", "error: closed before the body was whole"},
        {"HTTP/1.1 100 Continue\r\n\r\n", "error: closed within the headers"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_every_split(span_str(cases[i].text), cases[i].is_head, cases[i].want);
    static const char NUL[] = OK "X: a\0b\r\n\r\n";
    check_every_split(span_of(NUL, sizeof NUL - 1), false, "error: a header line is not 'Name: value'");
}

/* Feed the piece for ever: it must end, with that error, soon. */
static void check_ends(const char *start, const char *piece, enum http1_error want)
{
    struct http1_parser p;
    size_t used, fed = 0, n = strlen(piece);
    http1_init(&p);
    http1_begin(&p, false);
    int r = http1_feed(&p, start, strlen(start), &used);
    while (r == 0 && fed < 2u * BODY_BYTES_MAX) {
        r = http1_feed(&p, piece, n, &used);
        fed += n;
    }
    if (r >= 0 || p.error != want)
        check_failed("%s… after %zu bytes: %s", piece, fed, http1_error_text(p.error));
    size_t again;
    assert_int_equal(http1_feed(&p, piece, n, &again), -EPROTO); /* and so it stays */
    http1_done(&p);
}

static void what_has_no_end_ends_at_a_limit(void **state)
{
    (void)state;
    check_ends(OK, "X-Header: value\r\n", HTTP1_HEAD_TOO_LARGE);
    check_ends(OK "X: ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", HTTP1_HEAD_TOO_LARGE);
    check_ends("", "HTTP/1.1 100 Continue\r\n\r\n", HTTP1_HEAD_TOO_LARGE);
    check_ends(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: value\r\n", HTTP1_HEAD_TOO_LARGE);
    check_ends(OK "Transfer-Encoding: chunked\r\n\r\n1;", "extension", HTTP1_BAD_CHUNK);
    check_ends(OK "Transfer-Encoding: chunked\r\n\r\n", "00000000", HTTP1_BAD_CHUNK);
    char chunk[4096 + 16] = "1000\r\n";
    memset(chunk + 6, 'b', 4096);
    memcpy(chunk + 6 + 4096, "\r\n", 3);
    check_ends(OK "Transfer-Encoding: chunked\r\n\r\n", chunk, HTTP1_BODY_TOO_LARGE);
    chunk[6 + 4096] = '\0';
    check_ends(OK "\r\n", chunk + 6, HTTP1_BODY_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_of_an_answer_gives_the_same),
        cmocka_unit_test(what_has_no_end_ends_at_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
