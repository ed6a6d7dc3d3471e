/* Connections: who is let in, what each is doing, and the sweeper that ends those that take too long. */
#include <errno.h>
#include <linux/tcp.h> /* tcpi_bytes_received and _acked, which netinet/tcp.h lacks */

#define TCP_CLOSE_WAIT 8 /* of netinet/tcp.h, which cannot be included beside it */

#include <gnutls/gnutls.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/httpd/httpd_internal.h"

/* ---- admission ---- */
static uintptr_t address_count(struct httpd *h, const char *peer)
{
    return (uintptr_t)strmap_get(&h->per_address, span_str(peer));
}

enum MHD_Result connection_admit(void *ctx, const struct sockaddr *addr, socklen_t len)
{
    (void)len;
    struct httpd *h = ctx;
    char peer[INET6_ADDRSTRLEN];
    address_text(addr, peer, sizeof peer);
    enum refusal why = REFUSED_COUNT;
    if (atomic_load(&h->connections_open) >= (long)h->config.connections_max) {
        why = REFUSED_CONNECTIONS;
    } else {
        pthread_mutex_lock(&h->connections_lock);
        if (address_count(h, peer) >= h->config.connections_per_address_max)
            why = REFUSED_ADDRESS;
        pthread_mutex_unlock(&h->connections_lock);
    }
    if (why == REFUSED_COUNT)
        return MHD_YES;
    stats_refused(h, why, peer);
    return MHD_NO; /* closed at once: a 503 would cost what we are short of */
}

static void address_add(struct httpd *h, const char *peer, intptr_t by)
{
    uintptr_t n = address_count(h, peer) + (uintptr_t)by;
    if (n == 0)
        (void)strmap_remove(&h->per_address, span_str(peer));
    else if (strmap_put(&h->per_address, span_str(peer), (void *)n) < 0 && by > 0)
        log_warn("connection not counted per address", "peer", "%s", peer); /* out of memory: it may run all the same */
}

/* libmicrohttpd gave the session what the server started with: a renewed certificate is for new connections. */
static void use_certificate(struct connection *c, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = info ? info->tls_session : NULL;
    if (!session || !c->web)
        return;
    int r = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, web_config_credentials(c->web));
    if (r == 0)
        r = gnutls_priority_set_direct(session, web_config_priorities(c->web), NULL);
    if (r < 0)
        log_error("the TLS session keeps its first certificate", "error", "%s", gnutls_strerror(r));
    gnutls_certificate_server_set_request(session, web_config_requires_client_certificate(c->web) ? GNUTLS_CERT_REQUEST
                                                                                                  : GNUTLS_CERT_IGNORE);
}

static void connection_started(struct httpd *h, struct MHD_Connection *mhd, void **context)
{
    struct connection *c = calloc(1, sizeof *c);
    *context = c;
    if (!c)
        return; /* its requests are refused */
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *addr = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    c->fd = fd ? fd->connect_fd : -1;
    if (addr)
        address_text(addr->client_addr, c->peer, sizeof c->peer);
    c->web = httpd_web_config(h);
    use_certificate(c, mhd);
    connection_phase(c, PHASE_HEADERS);
    pthread_mutex_lock(&h->connections_lock);
    c->next = h->connections;
    if (c->next)
        c->next->prev = c;
    else
        pthread_cond_signal(&h->connections_changed); /* the sweeper sleeps while there is none */
    h->connections = c;
    address_add(h, c->peer, 1);
    pthread_mutex_unlock(&h->connections_lock);
    atomic_fetch_add(&h->connections_open, 1);
}

static void connection_closed(struct httpd *h, void **context)
{
    struct connection *c = *context;
    *context = NULL;
    if (!c)
        return;
    atomic_fetch_sub(&h->connections_open, 1);
    pthread_mutex_lock(&h->connections_lock); /* from here on the sweeper leaves its descriptor alone */
    if (c->prev)
        c->prev->next = c->next;
    else
        h->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    address_add(h, c->peer, -1);
    pthread_mutex_unlock(&h->connections_lock);
    web_config_free(c->web);
    free(c);
}

void connection_changed(void *ctx, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        connection_started(ctx, mhd, context);
    else
        connection_closed(ctx, context);
}

void connection_phase(struct connection *c, enum phase phase)
{
    atomic_store_explicit(&c->phase_us, mono_us(), memory_order_relaxed);
    if (phase == PHASE_BODY)
        atomic_store_explicit(&c->body_bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&c->phase, (int)phase, memory_order_release);
}

/* ---- the sweeper ---- */
/* libmicrohttpd tells of a request only when its first line is complete. That the next one has begun on an idle
 * connection shows in the bytes that arrived. */
static enum refusal sweep_idle(const struct httpd *h, struct connection *c, const struct tcp_info *info,
                               bool first_look, int64_t elapsed_us, int64_t now)
{
    if (first_look) {
        c->seen_bytes = info->tcpi_bytes_received;
        c->seen_us = 0;
    } else if (info->tcpi_bytes_received > c->seen_bytes && c->seen_us == 0) {
        c->seen_us = now;
    }
    if (c->seen_us && now - c->seen_us > h->config.header_deadline_ms * 1000)
        return REFUSED_HEADER_DEADLINE;
    return elapsed_us > h->config.idle_deadline_ms * 1000 ? REFUSED_IDLE : REFUSED_COUNT;
}

/* One deadline after the other, each with the least rate: who takes the answer drop by drop would hold its memory. */
static enum refusal sweep_reply(const struct httpd *h, struct connection *c, const struct tcp_info *info,
                                bool first_look, int64_t now)
{
    if (!first_look && now - c->seen_us <= h->config.reply_deadline_ms * 1000)
        return REFUSED_COUNT;
    double seconds = (double)(now - c->seen_us) / 1e6, bytes = (double)(info->tcpi_bytes_acked - c->seen_bytes);
    if (!first_look && bytes < seconds * HTTP_REPLY_BYTES_PER_S_MIN)
        return REFUSED_REPLY_DEADLINE;
    c->seen_bytes = info->tcpi_bytes_acked;
    c->seen_us = now;
    return REFUSED_COUNT;
}

/* Two looks in a row find the client's end closed while we wait for more of it. libmicrohttpd misses an end that arrives
 * together with the last bytes (it polls by edges and does not read again after a short read). */
static bool sweep_left(struct connection *c, int phase, const struct tcp_info *info)
{
    bool waiting = phase == PHASE_HEADERS || phase == PHASE_BODY || phase == PHASE_IDLE;
    bool closed = waiting && info->tcpi_state == TCP_CLOSE_WAIT;
    bool twice = closed && c->seen_closed;
    c->seen_closed = closed;
    return twice;
}

static enum refusal sweep_one(const struct httpd *h, struct connection *c, int64_t now)
{
    int phase = atomic_load_explicit(&c->phase, memory_order_acquire);
    unsigned turn = atomic_load_explicit(&c->turn, memory_order_relaxed);
    int64_t elapsed_us = now - atomic_load_explicit(&c->phase_us, memory_order_relaxed);
    double body_bytes = (double)atomic_load_explicit(&c->body_bytes, memory_order_relaxed);
    bool first_look = c->seen_phase != phase || c->seen_turn != turn;
    c->seen_phase = phase;
    c->seen_turn = turn;
    if (phase == PHASE_HANDLER || phase == PHASE_STREAM)
        return REFUSED_COUNT;
    struct tcp_info info = {0};
    socklen_t info_len = sizeof info;
    (void)getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &info_len);
    if (first_look)
        c->seen_closed = false;
    if (sweep_left(c, phase, &info))
        return phase == PHASE_IDLE ? REFUSED_IDLE : REFUSED_ABORTED;
    if (phase == PHASE_HEADERS)
        return elapsed_us > h->config.header_deadline_ms * 1000 ? REFUSED_HEADER_DEADLINE : REFUSED_COUNT;
    if (phase == PHASE_REPLY)
        return sweep_reply(h, c, &info, first_look, now);
    if (phase == PHASE_IDLE)
        return sweep_idle(h, c, &info, first_look, elapsed_us, now);
    bool slow = body_bytes < (double)elapsed_us / 1e6 * HTTP_BODY_BYTES_PER_S_MIN;
    return slow && elapsed_us > h->config.body_deadline_ms * 1000 ? REFUSED_BODY_DEADLINE : REFUSED_COUNT;
}

static void sweep(struct httpd *h)
{
    int64_t now = mono_us();
    for (struct connection *c = h->connections; c; c = c->next) {
        if (atomic_load_explicit(&c->cut, memory_order_relaxed))
            continue;
        enum refusal why = sweep_one(h, c, now);
        if (why == REFUSED_COUNT)
            continue;
        atomic_store_explicit(&c->cut, true, memory_order_relaxed);
        stats_refused(h, why, c->peer);
        /* Nothing unsent may stay in the kernel for a peer that does not take it. */
        static const struct linger AT_ONCE = {.l_onoff = 1, .l_linger = 0};
        if (why != REFUSED_IDLE && why != REFUSED_ABORTED)
            (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &AT_ONCE, sizeof AT_ONCE);
        (void)shutdown(c->fd, SHUT_RDWR); /* its pool thread sees the end and cleans up */
    }
}

static void sweeper_main(void *arg)
{
    struct httpd *h = arg;
    const struct httpd_config *config = &h->config;
    const int64_t deadlines[] = {config->header_deadline_ms, config->body_deadline_ms, config->reply_deadline_ms,
                                 config->idle_deadline_ms};
    int64_t period_ms = 250;
    for (size_t i = 0; i < ARRAY_LEN(deadlines); i++)
        if (deadlines[i] / 8 < period_ms)
            period_ms = deadlines[i] < 80 ? 10 : deadlines[i] / 8;
    pthread_mutex_lock(&h->connections_lock);
    while (!h->sweeper_stop) {
        if (!h->connections) {
            pthread_cond_wait(&h->connections_changed, &h->connections_lock);
            continue;
        }
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (period_ms % 1000) * 1000000;
        until.tv_sec += period_ms / 1000 + until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&h->connections_changed, &h->connections_lock, &until);
        sweep(h);
    }
    pthread_mutex_unlock(&h->connections_lock);
}

int connections_init(struct httpd *h)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&h->connections_lock, NULL);
    pthread_cond_init(&h->connections_changed, &attr);
    pthread_condattr_destroy(&attr);
    strmap_init(&h->per_address, h->config.connections_max + 64u); /* admission may overshoot by a few */
    return thread_start("http-sweeper", sweeper_main, h, &h->sweeper);
}

void connections_done(struct httpd *h)
{
    pthread_mutex_lock(&h->connections_lock);
    h->sweeper_stop = true;
    pthread_cond_signal(&h->connections_changed);
    pthread_mutex_unlock(&h->connections_lock);
    thread_join(h->sweeper);
    strmap_done(&h->per_address);
    pthread_cond_destroy(&h->connections_changed);
    pthread_mutex_destroy(&h->connections_lock);
}
