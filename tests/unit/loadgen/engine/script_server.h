/* script_server.h - a server that plays what a test wrote, one connection after the other: the bytes of a hostile or a strange one. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/thread.h"
#include "tests/support/check.h"
#include "tests/support/identity.h"

struct script_server;
struct peer {
    int fd;
    gnutls_session_t tls; /* NULL: plain */
    struct buf in;
};
typedef void (*talk_fn)(struct script_server *s, struct peer *p);
struct script_server {
    talk_fn talk; /* with one connection, until it returns */
    const void *script;
    int listener;
    uint16_t port;
    _Atomic bool stop;
    _Atomic unsigned connections;
    gnutls_certificate_credentials_t credentials; /* NULL: plain */
    struct thread *thread;
};

static inline ssize_t peer_recv(struct peer *p, void *to, size_t n)
{
    return p->tls ? gnutls_record_recv(p->tls, to, n) : recv(p->fd, to, n, 0);
}

/* false: the client has gone. */
static inline bool peer_send(struct peer *p, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = p->tls ? gnutls_record_send(p->tls, bytes, n) : send(p->fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static inline bool peer_say(struct peer *p, const char *text)
{
    return peer_send(p, text, strlen(text));
}

/* The next request, whole (Content-Length at most): its first line up to the blank after the target. false: there is none. */
static inline bool peer_hears(struct peer *p, char *line, size_t n)
{
    for (;;) {
        struct span all = buf_view(&p->in);
        size_t head = span_search(all, SPAN("\r\n\r\n"));
        if (head < all.len) {
            size_t body = 0, at = span_search(all, SPAN("Content-Length: "));
            for (size_t i = at + 16; at < head && i < head && all.ptr[i] >= '0' && all.ptr[i] <= '9'; i++)
                body = body * 10 + (size_t)(all.ptr[i] - '0');
            if (all.len >= head + 4 + body) {
                snprintf(line, n, SPAN_FMT, SPAN_ARG(span_of(all.ptr, span_search(all, SPAN(" HTTP/")))));
                buf_consume(&p->in, head + 4 + body);
                return true;
            }
        }
        char *to = buf_reserve(&p->in, 65536);
        ssize_t got = to ? peer_recv(p, to, 65536) : -1;
        if (got <= 0)
            return false;
        buf_grew(&p->in, (size_t)got);
    }
}

static inline void script_talk(struct script_server *s, int fd)
{
    struct peer p = {.fd = fd};
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    buf_init(&p.in, 64 << 20);
    bool ready = true;
    if (s->credentials) {
        assert_int_equal(gnutls_init(&p.tls, GNUTLS_SERVER | GNUTLS_NO_SIGNAL), 0);
        gnutls_set_default_priority(p.tls);
        gnutls_credentials_set(p.tls, GNUTLS_CRD_CERTIFICATE, s->credentials);
        gnutls_transport_set_int(p.tls, fd);
        int r;
        while ((r = gnutls_handshake(p.tls)) < 0 && !gnutls_error_is_fatal(r))
            continue;
        ready = r == 0;
    }
    if (ready)
        s->talk(s, &p);
    if (p.tls)
        gnutls_deinit(p.tls);
    buf_done(&p.in);
}

static inline void script_main(void *arg)
{
    struct script_server *s = arg;
    while (!atomic_load(&s->stop)) {
        struct pollfd ready = {.fd = s->listener, .events = POLLIN};
        if (poll(&ready, 1, 20) <= 0)
            continue;
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        atomic_fetch_add(&s->connections, 1);
        script_talk(s, fd);
        close(fd);
    }
}

/* id NULL: plain. */
static inline struct script_server *script_start(talk_fn talk, const void *script, const struct identity *id)
{
    struct script_server *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->talk = talk;
    s->script = script;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    if (id) {
        assert_int_equal(gnutls_certificate_allocate_credentials(&s->credentials), 0);
        gnutls_datum_t certificate = {(unsigned char *)(uintptr_t)id->certificate_pem,
                                      (unsigned)strlen(id->certificate_pem)};
        gnutls_datum_t key = {(unsigned char *)(uintptr_t)id->key_pem, (unsigned)strlen(id->key_pem)};
        assert_int_equal(gnutls_certificate_set_x509_key_mem(s->credentials, &certificate, &key, GNUTLS_X509_FMT_PEM),
                         0);
    }
    check_ok(thread_start("script", script_main, s, &s->thread));
    return s;
}

static inline void script_stop(struct script_server *s)
{
    atomic_store(&s->stop, true);
    thread_join(s->thread);
    close(s->listener);
    if (s->credentials)
        gnutls_certificate_free_credentials(s->credentials);
    free(s);
}
