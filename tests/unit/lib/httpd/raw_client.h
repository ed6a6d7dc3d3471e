/* raw_client.h - a client that sends exactly the bytes a test wants, at the pace it wants.
 *
 *   int fd = raw_connect(port);
 *   raw_send(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
 *   struct raw_reply reply = raw_read(fd);          // one whole answer; fails the test after 30 s
 *   assert_int_equal(reply.status, 200);
 *   raw_done(&reply);
 *
 * status 0: the connection ended before an answer was complete. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"

#define RAW_TIMEOUT_MS 30000 /* a busy machine */

struct raw_reply {
    int status;
    struct buf head, body; /* status line and headers; body with chunks put together */
};

static inline int raw_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

/* What the peer does not take any more is no failure: it may have answered and closed. */
static inline void raw_send_bytes(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        p += sent;
        n -= (size_t)sent;
    }
}

static inline void raw_send(int fd, const char *text)
{
    raw_send_bytes(fd, text, strlen(text));
}

/* One byte, or -1 at the end of the connection. */
static inline int raw_byte(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, RAW_TIMEOUT_MS) <= 0)
        fail_msg("no answer within %d ms", RAW_TIMEOUT_MS);
    char c;
    return recv(fd, &c, 1, 0) == 1 ? (unsigned char)c : -1;
}

static inline bool raw_line(int fd, struct buf *line)
{
    buf_clear(line);
    for (;;) {
        int c = raw_byte(fd);
        if (c < 0)
            return false;
        buf_char(line, (char)c);
        if (c == '\n')
            return true;
    }
}

static inline struct span raw_header(const struct raw_reply *reply, const char *name)
{
    struct span rest = buf_view(&reply->head), line;
    while (span_cut(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':');
        if (colon < line.len && span_equal_nocase(span_of(line.ptr, colon), span_str(name)))
            return span_trim(span_from(line, colon + 1));
    }
    return span_of(NULL, 0);
}

static inline bool raw_body_bytes(int fd, struct buf *body, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        int c = raw_byte(fd);
        if (c < 0)
            return false;
        buf_char(body, (char)c);
    }
    return true;
}

/* One chunk into body; its size, 0 for the last, -1 when the connection ended. */
static inline long raw_chunk(int fd, struct buf *body)
{
    struct buf line;
    buf_init(&line, 1 << 20);
    long n = -1;
    if (raw_line(fd, &line)) {
        n = strtol(line.data, NULL, 16);
        if (!raw_body_bytes(fd, body, (uint64_t)n) || !raw_line(fd, &line))
            n = -1;
    }
    buf_done(&line);
    return n;
}

static inline struct raw_reply raw_read_head(int fd)
{
    struct raw_reply reply = {0};
    struct buf line;
    buf_init(&reply.head, 1 << 20);
    buf_init(&reply.body, 64 << 20);
    buf_init(&line, 1 << 20);
    while (raw_line(fd, &line)) {
        buf_span(&reply.head, buf_view(&line));
        if (span_trim(buf_view(&line)).len == 0 && reply.head.len > 2) {
            assert_true(span_starts(buf_view(&reply.head), SPAN("HTTP/1.1 ")));
            reply.status = (int)strtol(reply.head.data + 9, NULL, 10);
            break;
        }
    }
    buf_done(&line);
    return reply;
}

static inline struct raw_reply raw_read_of(int fd, bool is_head)
{
    struct raw_reply reply = raw_read_head(fd);
    if (!reply.status || is_head || reply.status == 204 || reply.status == 304)
        return reply;
    struct span length = raw_header(&reply, "Content-Length");
    uint64_t n = 0;
    bool whole = true;
    if (length.ptr) {
        assert_int_equal(parse_u64_span(length, UINT64_MAX, &n), 0);
        whole = raw_body_bytes(fd, &reply.body, n);
    } else if (raw_header(&reply, "Transfer-Encoding").ptr) {
        long chunk;
        while ((chunk = raw_chunk(fd, &reply.body)) > 0)
            ;
        whole = chunk == 0;
    } else {
        while (raw_body_bytes(fd, &reply.body, 1))
            ;
    }
    if (!whole)
        reply.status = 0;
    return reply;
}

static inline struct raw_reply raw_read(int fd)
{
    return raw_read_of(fd, false);
}

static inline void raw_done(struct raw_reply *reply)
{
    buf_done(&reply->head);
    buf_done(&reply->body);
}

/* A request on a connection of its own. */
static inline struct raw_reply raw_ask(uint16_t port, const char *request)
{
    int fd = raw_connect(port);
    raw_send(fd, request);
    struct raw_reply reply = raw_read_of(fd, strncmp(request, "HEAD ", 5) == 0);
    close(fd);
    return reply;
}

static inline bool raw_body_is(const struct raw_reply *reply, const char *text)
{
    return span_equal(buf_view(&reply->body), span_str(text));
}

static inline bool raw_body_has(const struct raw_reply *reply, const char *text)
{
    return span_search(buf_view(&reply->body), span_str(text)) < reply->body.len;
}

/* Ask, and compare status and body. */
static inline void raw_expect(uint16_t port, const char *request, int status, const char *body)
{
    struct raw_reply reply = raw_ask(port, request);
    if (reply.status != status || (body && !raw_body_is(&reply, body)))
        fail_msg("%s-> %d '%s', not %d '%s'", request, reply.status, reply.body.data ? reply.body.data : "", status,
                 body ? body : "*");
    raw_done(&reply);
}

/* Is the connection ended by the server within ms? What it still sends is thrown away. */
static inline bool raw_ends_within(int fd, int ms)
{
    int64_t until = mono_us() + (int64_t)ms * 1000;
    for (;;) {
        int64_t left = (until - mono_us()) / 1000;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char junk[4096];
        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            return false;
        if (recv(fd, junk, sizeof junk, 0) <= 0)
            return true;
    }
}
