/* http_server.h - a small HTTP/1.1 server in a thread for engine tests: it can freeze, hang up, and count what it is asked. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/thread.h"
#include "tests/support/check.h"

#define SERVER_CONNECTIONS 1000

struct asked {
    struct span method, target, headers, body; /* headers: "Name: value\r\n" lines */
};
struct http_server;
/* Writes a whole response, or leaves `out` empty to hang up. */
typedef void (*answer_fn)(struct http_server *s, const struct asked *q, struct buf *out);
struct http_server {
    answer_fn answer;
    int listener;
    uint16_t port;
    _Atomic bool stop;
    _Atomic int64_t freeze_at_us, freeze_us; /* it sleeps once, for everybody */
    _Atomic unsigned requests, connections;
    struct thread *thread;
    struct pollfd fds[SERVER_CONNECTIONS + 1];
    struct buf in[SERVER_CONNECTIONS + 1];
    nfds_t n;
};

static inline void respond(struct buf *out, int status, const char *headers, const char *body)
{
    buf_printf(out, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body), body);
}

static inline struct span asked_header(const struct asked *q, const char *name)
{
    struct span rest = q->headers, line;
    while (span_cut(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':');
        if (span_equal_nocase(span_of(line.ptr, colon), span_str(name)))
            return span_trim(span_from(line, colon + 1));
    }
    return (struct span){0};
}

/* One request at the start of the bytes: its length, 0 when it is not whole. */
static inline size_t whole_request(struct span s, struct asked *q)
{
    if (s.len && s.ptr[0] == 0x16) { /* a TLS hello: answered as a plain server does */
        *q = (struct asked){.target = SPAN("/garbage")};
        return s.len;
    }
    size_t head = span_search(s, SPAN("\r\n\r\n"));
    if (head == s.len)
        return 0;
    size_t line = span_find(s, '\n');
    struct span first = span_of(s.ptr, line), word;
    span_cut(&first, ' ', &q->method);
    span_cut(&first, ' ', &word);
    q->target = word;
    q->headers = span_of(s.ptr + line + 1, head + 2 - line - 1);
    struct span length = asked_header(q, "content-length");
    size_t body = 0;
    for (size_t i = 0; i < length.len; i++)
        body = body * 10 + (size_t)(length.ptr[i] - '0');
    if (s.len < head + 4 + body)
        return 0;
    q->body = span_of(s.ptr + head + 4, body);
    return head + 4 + body;
}

static inline void drop_connection(struct http_server *s, nfds_t i)
{
    close(s->fds[i].fd);
    buf_done(&s->in[i]);
    s->n--;
    s->fds[i] = s->fds[s->n];
    s->in[i] = s->in[s->n];
}

/* false: the connection is gone. */
static inline bool serve(struct http_server *s, nfds_t i)
{
    char *to = buf_reserve(&s->in[i], 16384);
    ssize_t got = to ? recv(s->fds[i].fd, to, 16384, MSG_DONTWAIT) : -1;
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    buf_grew(&s->in[i], (size_t)got);
    struct asked q;
    size_t n;
    while ((n = whole_request(buf_view(&s->in[i]), &q)) > 0) {
        struct buf out;
        buf_init(&out, 8 << 20);
        atomic_fetch_add(&s->requests, 1);
        s->answer(s, &q, &out);
        size_t sent = 0;
        while (sent < out.len) {
            ssize_t w = send(s->fds[i].fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);
            if (w <= 0)
                break;
            sent += (size_t)w;
        }
        bool hang_up = out.len == 0;
        buf_done(&out);
        if (hang_up)
            return false;
        buf_consume(&s->in[i], n);
    }
    return true;
}

static inline void server_main(void *arg)
{
    struct http_server *s = arg;
    s->fds[0] = (struct pollfd){.fd = s->listener, .events = POLLIN};
    s->n = 1;
    while (!atomic_load(&s->stop)) {
        poll(s->fds, s->n, 20);
        int64_t freeze_at = atomic_load(&s->freeze_at_us);
        if (freeze_at && mono_us() >= freeze_at) {
            atomic_store(&s->freeze_at_us, 0);
            sleep_us(atomic_load(&s->freeze_us));
        }
        for (nfds_t i = s->n; i-- > 1;)
            if (s->fds[i].revents && !serve(s, i))
                drop_connection(s, i);
        while (s->n <= SERVER_CONNECTIONS) {
            int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0)
                break;
            int one = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            atomic_fetch_add(&s->connections, 1);
            s->fds[s->n] = (struct pollfd){.fd = fd, .events = POLLIN};
            buf_init(&s->in[s->n], 8 << 20);
            s->n++;
        }
    }
    while (s->n > 1)
        drop_connection(s, s->n - 1);
}

static inline struct http_server *server_start(answer_fn answer)
{
    struct http_server *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->answer = answer;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->listener, 1024), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    check_ok(thread_start("test-server", server_main, s, &s->thread));
    return s;
}

static inline void server_stop(struct http_server *s)
{
    atomic_store(&s->stop, true);
    thread_join(s->thread);
    close(s->listener);
    free(s);
}
