/* conn_http1.c - conn.h with our own HTTP/1.1: one epoll set, a descriptor in it for as long as its connection lives, one send and one recv per
 * request where the network lets it be so.
 *
 * libcurl makes the connections (http1_connect.h) and, through a second driver inside this one, does what is not HTTP/1.1 over one's own
 * connection: HTTP/2, requests through a proxy, and limited rates. What a user holds while idle is a struct per connection: all buffers belong
 * to exchanges, and those to whoever has a request in flight. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "loadgen/engine/conn_driver.h"
#include "loadgen/engine/content_decode.h"
#include "loadgen/engine/http1_connect.h"
#include "loadgen/engine/http1_origin.h"
#include "loadgen/engine/http1_parse.h"

#define EPOLL_EVENTS_MAX 256
#define RECEIVE_BYTES (64u << 10)
#define REQUEST_BYTES_MAX (BODY_BYTES_MAX + (1u << 20))
#define KEPT_REQUEST_BYTES (64u << 10)
#define LINKS_PER_USER_MAX 32u /* hosts that a journey visits; the one that was idle longest goes */
#define DEADLINE_SLOTS 256u    /* of the wheel, */
#define DEADLINE_SLOT_US 10000 /* which is how late a time-out may be noticed */
#define ERROR_TEXT_BYTES 256u

struct engine;
struct user_conn;
struct exchange;

enum link_state { LINK_CONNECTING, LINK_READY, LINK_DEAD };
struct link {          /* one connection */
    struct link *next; /* of the user; of the dead ones */
    struct user_conn *owner;
    struct http1_origin *origin;
    struct attempt *attempt; /* while it connects; for TLS as long as it lives */
    CURL *easy;              /* TLS */
    int fd;
    enum link_state state;
    bool polls_write;
    char ip[64];
    const struct conn_certificate *certificate;
};
struct exchange {                /* one request and its answer */
    struct exchange *next, **at; /* in its slot of the wheel, or (next only) in the idle or the broken list */
    struct user_conn *owner;
    struct link *link;
    struct buf out;   /* the request, and its body when it is small */
    struct span body; /* what is sent after it */
    size_t sent, body_sent;
    struct http1_parser parser;
    struct buf decoded;
    int64_t sent_us, ready_us, first_us, deadline_us;
    int64_t dns_us, connect_us, tls_us;
    int64_t connect_timeout_ms;
    bool fresh, is_head;
    enum conn_error broken; /* of an exchange that failed where no callback may run */
    char error_text[ERROR_TEXT_BYTES];
};
struct user_conn {
    struct conn base;
    struct engine *engine;
    void *user;
    struct link *links; /* the one used last comes first */
    struct exchange *exchange;
    struct conn *other; /* of the inner driver; NULL: never needed */
    unsigned n_links;
    bool other_busy;
};
struct engine {
    struct conn_engine base;
    struct conn_config config;
    int epoll;
    struct connector *connector;
    struct conn_engine *other;
    struct http1_origins origins;
    struct exchange *idle, *broken;
    size_t n_idle, n_running;
    struct link *dead; /* events of this turn may still name them */
    struct exchange *wheel[DEADLINE_SLOTS];
    int64_t wheel_tick;
    bool no_pwait2; /* kernel older than 5.11 */
    char in[RECEIVE_BYTES];
};

/* ---- deadlines ---- */

static void wheel_add(struct engine *e, struct exchange *x)
{
    struct exchange **slot = &e->wheel[(size_t)(x->deadline_us / DEADLINE_SLOT_US) % DEADLINE_SLOTS];
    x->next = *slot;
    if (x->next)
        x->next->at = &x->next;
    x->at = slot;
    *slot = x;
}

static void wheel_remove(struct exchange *x)
{
    if (!x->at)
        return;
    *x->at = x->next;
    if (x->next)
        x->next->at = x->at;
    x->at = NULL;
}

/* ---- exchanges ---- */

static void exchange_free(struct exchange *x)
{
    buf_done(&x->out);
    buf_done(&x->decoded);
    http1_done(&x->parser);
    free(x);
}

static struct exchange *exchange_take(struct engine *e)
{
    struct exchange *x = e->idle;
    if (x) {
        e->idle = x->next;
        e->n_idle--;
        return x;
    }
    x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    buf_init(&x->out, REQUEST_BYTES_MAX);
    buf_init(&x->decoded, BODY_BYTES_MAX);
    http1_init(&x->parser);
    return x;
}

static void exchange_give_back(struct engine *e, struct exchange *x)
{
    if (e->n_idle >= IDLE_TRANSFERS_MAX) {
        exchange_free(x);
        return;
    }
    if (x->out.cap > KEPT_REQUEST_BYTES)
        buf_done(&x->out);
    if (x->decoded.cap > KEPT_REQUEST_BYTES)
        buf_done(&x->decoded);
    x->owner = NULL;
    x->link = NULL;
    x->next = e->idle;
    e->idle = x;
    e->n_idle++;
}

/* Off its user and off the wheel; still the caller's. */
static void exchange_detach(struct exchange *x)
{
    wheel_remove(x);
    x->owner->exchange = NULL;
    x->owner->engine->n_running--;
}

/* ---- links ---- */

static void link_close(struct link *l)
{
    struct user_conn *c = l->owner;
    struct engine *e = c->engine;
    if (l->state == LINK_DEAD)
        return;
    attempt_free(l->attempt);
    if (l->fd >= 0 && !l->easy)
        close(l->fd);
    l->attempt = NULL;
    l->easy = NULL;
    l->fd = -1;
    l->state = LINK_DEAD;
    http1_origin_drop(&e->origins, l->origin);
    l->origin = NULL;
    struct link **at = &c->links;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    c->n_links--;
    l->next = e->dead;
    e->dead = l;
}

static void bury_links(struct engine *e)
{
    while (e->dead) {
        struct link *l = e->dead;
        e->dead = l->next;
        free(l);
    }
}

/* Poll for room to write as well, or no more. */
MUST_USE static int poll_write(struct link *l, bool write)
{
    if (l->polls_write == write)
        return 0;
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0u), .data.ptr = l};
    l->polls_write = write;
    return epoll_ctl(l->owner->engine->epoll, EPOLL_CTL_MOD, l->fd, &event) < 0 ? -errno : 0;
}

/* Bytes out: how many, -EAGAIN, or another errno. */
static ssize_t link_send(struct link *l, const char *bytes, size_t n)
{
    if (!l->easy) {
        ssize_t sent = send(l->fd, bytes, n, MSG_NOSIGNAL);
        return sent < 0 ? -errno : sent;
    }
    size_t sent = 0;
    CURLcode code = curl_easy_send(l->easy, bytes, n, &sent);
    return code == CURLE_OK ? (ssize_t)sent : code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}

/* Bytes in: how many, 0 at the end, -EAGAIN, or another errno. */
static ssize_t link_recv(struct link *l, char *to, size_t n)
{
    if (!l->easy) {
        ssize_t got = recv(l->fd, to, n, 0);
        return got < 0 ? -errno : got;
    }
    size_t got = 0;
    CURLcode code = curl_easy_recv(l->easy, to, n, &got);
    return code == CURLE_OK ? (ssize_t)got : code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}

/* ---- what came of it ---- */

/* Tell the user. The exchange and, where it cannot go on, the link are gone after it. */
static void finish(struct exchange *x, int64_t now_us, enum conn_error error, const char *text)
{
    struct user_conn *c = x->owner;
    struct engine *e = c->engine;
    struct link *l = x->link;
    struct conn_response response = {
        .error = error,
        .error_text = text,
        .ip = "",
        .sent_us = x->sent_us,
        .done_us = now_us,
        .fresh = x->fresh,
        .dns_us = x->dns_us,
        .connect_us = x->connect_us,
        .tls_us = x->tls_us,
    };
    if (l) {
        response.certificate = l->certificate;
        response.ip = l->ip;
    }
    if (error == CONN_OK) {
        response.raw = response.body = buf_view(&x->parser.body);
        int r = x->parser.encoded ? content_of(x->parser.headers, response.raw, &x->decoded, &response.body) : 0;
        if (r < 0) {
            response.raw = response.body = (struct span){0};
            response.error = r == -ENOSPC ? CONN_TOO_LARGE : CONN_PROTOCOL;
            response.error_text = CONTENT_BROKEN;
        } else {
            response.status = x->parser.status;
            response.version = x->parser.version;
            response.headers = x->parser.headers;
            response.sets_cookies = x->parser.sets_cookies;
        }
        if (x->first_us > x->ready_us)
            response.first_byte_us = x->first_us - x->ready_us;
    }
    exchange_detach(x);
    bool whole = error == CONN_OK && x->sent == x->out.len && x->body_sent == x->body.len;
    if (l && !(whole && x->parser.keep_alive))
        link_close(l);                         /* its memory stays for this turn */
    e->config.on_response(c->user, &response); /* may send, close, anything */
    exchange_give_back(e, x);
}

static enum conn_error error_of(const struct http1_parser *p)
{
    switch (p->error) {
    case HTTP1_HEAD_TOO_LARGE:
    case HTTP1_BODY_TOO_LARGE:
        return CONN_TOO_LARGE;
    case HTTP1_CUT_EMPTY:
    case HTTP1_CUT_HEAD:
    case HTTP1_CUT_BODY:
        return CONN_RESET;
    default:
        return CONN_PROTOCOL;
    }
}

static bool try_again(struct exchange *x);

static void fail(struct exchange *x, enum conn_error error, const char *text)
{
    if (!try_again(x))
        finish(x, mono_us(), error, text);
}

/* Failed where the caller must not be called back: told in the next turn. */
static void fail_later(struct exchange *x, enum conn_error error, const char *text)
{
    struct engine *e = x->owner->engine;
    wheel_remove(x);
    x->broken = error;
    snprintf(x->error_text, sizeof x->error_text, "%s", text);
    x->next = e->broken;
    e->broken = x;
}

/* ---- sending ---- */

/* Send what is left. 0: all of it, or the rest when there is room; -errno. */
MUST_USE static int flush(struct exchange *x)
{
    struct link *l = x->link;
    while (x->sent < x->out.len || x->body_sent < x->body.len) {
        bool head = x->sent < x->out.len;
        ssize_t n = head ? link_send(l, x->out.data + x->sent, x->out.len - x->sent)
                         : link_send(l, x->body.ptr + x->body_sent, x->body.len - x->body_sent);
        if (n == -EAGAIN)
            return poll_write(l, true); /* again from the same byte with the same length: GnuTLS wants it so */
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? (int)n : -EPIPE;
        *(head ? &x->sent : &x->body_sent) += (size_t)n;
    }
    return poll_write(l, false);
}

/* Its connection is there. */
static void begin(struct exchange *x)
{
    struct link *l = x->link;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
    l->state = LINK_READY;
    x->ready_us = mono_us();
    int r = epoll_ctl(l->owner->engine->epoll, EPOLL_CTL_ADD, l->fd, &event);
    if (r < 0 && errno == EEXIST)
        r = epoll_ctl(l->owner->engine->epoll, EPOLL_CTL_MOD, l->fd, &event);
    r = r < 0 ? -errno : flush(x);
    if (r < 0)
        finish(x, mono_us(), CONN_RESET, strerror(-r));
}

static void on_connected(void *link, const struct connected *got)
{
    struct link *l = link;
    struct exchange *x = l->owner->exchange;
    x->dns_us = got->dns_us;
    x->connect_us = got->connect_us;
    x->tls_us = got->tls_us;
    memcpy(l->ip, got->ip, sizeof l->ip);
    if (got->error != CONN_OK) {
        char text[CONNECTOR_ERROR_BYTES]; /* the attempt's goes with it */
        snprintf(text, sizeof text, "%s", got->error_text);
        finish(x, mono_us(), got->error, text);
        return;
    }
    l->fd = got->fd;
    l->easy = got->easy;
    l->certificate = got->certificate;
    if (!l->easy) {
        attempt_free(l->attempt);
        l->attempt = NULL;
    }
    begin(x);
}

/* Close the link that has been idle longest: it is the last. */
static void make_room(struct user_conn *c)
{
    struct link *last = c->links;
    while (last && last->next)
        last = last->next;
    if (last && c->n_links >= LINKS_PER_USER_MAX)
        link_close(last);
}

/* A new connection for the exchange; takes over the hold on the origin. */
MUST_USE static int connect_link(struct exchange *x, struct http1_origin *o)
{
    struct user_conn *c = x->owner;
    struct engine *e = c->engine;
    make_room(c);
    struct link *l = calloc(1, sizeof *l);
    if (!l) {
        http1_origin_drop(&e->origins, o);
        return -ENOMEM;
    }
    *l = (struct link){.owner = c, .origin = o, .fd = -1, .state = LINK_CONNECTING, .next = c->links};
    c->links = l;
    c->n_links++;
    x->link = l;
    x->fresh = true;
    struct conn_request way = o->way;
    way.connect_timeout_ms = x->connect_timeout_ms;
    return connector_start(e->connector, &way, o->secure, l, &l->attempt);
}

/* A connection that was used before and broke before a byte of this answer came: the server had closed it already. As browsers and libcurl do, the
 * request is sent once more over a new one. false: it is not so. */
static bool try_again(struct exchange *x)
{
    struct link *l = x->link;
    if (x->fresh || x->parser.started || l->state != LINK_READY)
        return false;
    struct http1_origin *o = l->origin;
    o->holders++;
    link_close(l);
    x->link = NULL;
    x->sent = x->body_sent = 0;
    http1_begin(&x->parser, x->is_head);
    int r = connect_link(x, o);
    if (r < 0) {
        if (x->link)
            link_close(x->link);
        x->link = NULL;
        fail_later(x, CONN_CONNECT, strerror(-r));
    }
    return true;
}

static struct link *find_link(struct user_conn *c, const struct conn_request *q)
{
    for (struct link **at = &c->links; *at; at = &(*at)->next) {
        struct link *l = *at;
        if (!http1_origin_serves(l->origin, q))
            continue;
        *at = l->next;
        l->next = c->links;
        c->links = l;
        return l;
    }
    return NULL;
}

/* ---- receiving ---- */

static void on_readable(struct link *l)
{
    struct engine *e = l->owner->engine;
    struct exchange *x = l->owner->exchange;
    if (x && x->link != l)
        x = NULL;
    for (;;) {
        ssize_t n = link_recv(l, e->in, sizeof e->in);
        if (n == -EAGAIN)
            return;
        if (n == -EINTR)
            continue;
        if (!x) { /* idle: the server closes it, or says what nobody asked */
            link_close(l);
            return;
        }
        size_t used = 0;
        int64_t now_us = n > 0 ? mono_us() : 0; /* for all of the answer, when it comes in one piece */
        if (!x->parser.started)
            x->first_us = now_us;
        int r = n > 0 ? http1_feed(&x->parser, e->in, (size_t)n, &used) : n == 0 ? http1_end(&x->parser) : 0;
        if (n < 0) {
            fail(x, CONN_RESET, strerror((int)-n));
            return;
        }
        if (r < 0) {
            fail(x, error_of(&x->parser), http1_error_text(x->parser.error));
            return;
        }
        if (r > 0) {
            if (n > 0 && used < (size_t)n)
                x->parser.keep_alive = false; /* bytes after the answer: nobody knows whose */
            finish(x, now_us ? now_us : mono_us(), CONN_OK, "");
            return;
        }
        if (!l->easy && (size_t)n < sizeof e->in)
            return; /* all that was there */
    }
}

static void on_event(struct link *l, uint32_t events)
{
    struct exchange *x = l->owner->exchange;
    if (events & EPOLLOUT && x && x->link == l) {
        int r = flush(x);
        if (r < 0 && (!(events & ~(uint32_t)EPOLLOUT) || poll_write(l, false) < 0)) {
            fail(x, CONN_RESET, strerror(-r));
            return;
        } /* else an answer may have come before the server hung up */
    }
    if (events & ~(uint32_t)EPOLLOUT)
        on_readable(l);
}

/* ---- a turn ---- */

static void expire(struct engine *e, int64_t now_us)
{
    int64_t tick = now_us / DEADLINE_SLOT_US;
    if (e->wheel_tick < tick - (int64_t)DEADLINE_SLOTS)
        e->wheel_tick = tick - (int64_t)DEADLINE_SLOTS;
    for (; e->wheel_tick < tick; e->wheel_tick++) {
        struct exchange **slot = &e->wheel[(size_t)e->wheel_tick % DEADLINE_SLOTS], *x = *slot;
        while (x) {
            if (x->deadline_us > now_us) {
                x = x->next;
                continue;
            }
            finish(x, now_us, CONN_TIMEOUT, "no whole answer in time");
            x = *slot; /* the callback may have changed the list */
        }
    }
}

static void tell_broken(struct engine *e)
{
    size_t n = 0;
    for (const struct exchange *x = e->broken; x; x = x->next)
        n++;
    while (e->broken && n-- > 0) { /* callbacks may break others, and close these */
        struct exchange *x = e->broken;
        e->broken = x->next;
        enum conn_error error = x->broken;
        x->broken = CONN_OK;
        finish(x, mono_us(), error, x->error_text);
    }
}

/* epoll in microseconds, where the kernel can. */
static int wait_for_events(struct engine *e, struct epoll_event *events, int64_t timeout_us)
{
    if (!e->no_pwait2) {
        struct timespec t = {.tv_sec = timeout_us / 1000000, .tv_nsec = timeout_us % 1000000 * 1000};
        int n = epoll_pwait2(e->epoll, events, EPOLL_EVENTS_MAX, &t, NULL);
        if (n >= 0 || errno != ENOSYS)
            return n;
        e->no_pwait2 = true;
    }
    return epoll_wait(e->epoll, events, EPOLL_EVENTS_MAX, (int)((timeout_us + 999) / 1000));
}

/* The earlier of a time-out and what is due at an absolute time (-1: nothing). */
static int64_t sooner(int64_t timeout_us, int64_t due_us)
{
    if (due_us < 0)
        return timeout_us;
    int64_t left = due_us ? due_us - mono_us() : 0;
    return left < timeout_us ? left : timeout_us;
}

static int engine_wait(struct conn_engine *base, int64_t timeout_us)
{
    struct engine *e = (struct engine *)base;
    struct epoll_event events[EPOLL_EVENTS_MAX];
    bury_links(e);
    timeout_us = e->broken ? 0 : sooner(timeout_us, connector_due_us(e->connector));
    if (e->other)
        timeout_us = sooner(timeout_us, e->other->driver->due_us(e->other));
    if (e->n_running && timeout_us > DEADLINE_SLOT_US)
        timeout_us = DEADLINE_SLOT_US;
    int n = wait_for_events(e, events, timeout_us > 0 ? timeout_us : 0);
    if (n < 0 && errno != EINTR)
        return -errno;
    bool other = false;
    for (int i = 0; i < n; i++) {
        struct link *l = events[i].data.ptr;
        if (events[i].data.u64 & 1) {
            int r = connector_work(e->connector, (int)(events[i].data.u64 >> 1), events[i].events);
            if (r < 0)
                return r;
        } else if (events[i].data.ptr == e) {
            other = true;
        } else if (l->state == LINK_READY) {
            on_event(l, events[i].events);
        }
    }
    int64_t now_us = mono_us();
    int r = connector_timers(e->connector, now_us);
    if (r < 0)
        return r;
    tell_broken(e);
    expire(e, now_us);
    if (e->other && (other || sooner(1, e->other->driver->due_us(e->other)) <= 0))
        return conn_engine_wait(e->other, 0);
    return 0;
}

/* ---- the driver ---- */

static void engine_free(struct conn_engine *base)
{
    struct engine *e = (struct engine *)base;
    conn_engine_free(e->other);
    bury_links(e);
    while (e->idle) {
        struct exchange *x = e->idle;
        e->idle = x->next;
        exchange_free(x);
    }
    http1_origins_free(&e->origins);
    connector_free(e->connector);
    if (e->epoll >= 0)
        close(e->epoll);
    free(e);
}

static int engine_new(const struct conn_config *config, struct conn_engine **ret)
{
    struct engine *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->config = *config;
    if (!e->config.user_agent)
        e->config.user_agent = "crest-loadgen";
    e->wheel_tick = mono_us() / DEADLINE_SLOT_US;
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    int r = e->epoll < 0 ? -errno : connector_new(e->epoll, config->ca_file, on_connected, &e->connector);
    if (r < 0) {
        engine_free(&e->base);
        return r;
    }
    *ret = &e->base;
    return 0;
}

static int user_open(struct conn_engine *base, void *user, struct conn **ret)
{
    struct user_conn *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->engine = (struct engine *)base;
    c->user = user;
    *ret = &c->base;
    return 0;
}

static void on_other_response(void *user, const struct conn_response *response)
{
    struct user_conn *c = user;
    c->other_busy = false;
    c->engine->config.on_response(c->user, response);
}

/* What libcurl speaks better: HTTP/2, to proxies, slowly. */
static bool is_for_other(const struct conn_request *q)
{
    return q->http == CONN_HTTP_2 || q->limit_rate > 0 || (q->route && q->route->proxy);
}

MUST_USE static int make_other(struct engine *e)
{
    struct conn_config config = e->config;
    config.on_response = on_other_response;
    int r = conn_engine_new(&CONN_CURL, &config, &e->other);
    if (r < 0)
        return r;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = e};
    if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->other->driver->poll_fd(e->other), &event) == 0)
        return 0;
    r = -errno;
    conn_engine_free(e->other);
    e->other = NULL;
    return r;
}

MUST_USE static int send_other(struct user_conn *c, const struct conn_request *request)
{
    struct engine *e = c->engine;
    struct conn_request q = *request;
    if (q.http == CONN_HTTP_ANY)
        q.http = CONN_HTTP_11;
    int r = e->other ? 0 : make_other(e);
    if (r == 0 && !c->other)
        r = conn_open(e->other, c, &c->other);
    if (r == 0)
        r = conn_send(c->other, &q);
    c->other_busy = r == 0;
    return r;
}

/* Over the connection that is there, or a new one. Failures of the network are told later; -errno: nothing was begun. */
MUST_USE static int start(struct exchange *x, const struct conn_request *q)
{
    struct user_conn *c = x->owner;
    struct engine *e = c->engine;
    struct link *l = find_link(c, q);
    struct http1_origin *o = NULL;
    const char *why;
    if (!l) {
        int r = http1_origin_get(&e->origins, q, e->config.user_agent, &o, &why);
        if (r < 0)
            return r;
    }
    int r = http1_write_request(l ? l->origin : o, q, &x->out, &x->body);
    if (r < 0) {
        http1_origin_drop(&e->origins, o);
        return r;
    }
    if (!l) {
        r = connect_link(x, o);
        if (r < 0 && x->link)
            link_close(x->link);
        return r;
    }
    x->link = l;
    x->ready_us = x->sent_us;
    r = flush(x);
    if (r < 0 && !try_again(x))
        fail_later(x, CONN_RESET, strerror(-r));
    return 0;
}

static int user_send(struct conn *base, const struct conn_request *request)
{
    struct user_conn *c = (struct user_conn *)base;
    struct engine *e = c->engine;
    if (c->exchange || c->other_busy)
        return -EBUSY;
    if (is_for_other(request))
        return send_other(c, request);
    struct exchange *x = exchange_take(e);
    if (!x)
        return -ENOMEM;
    x->owner = c;
    x->link = NULL;
    x->at = NULL;
    x->sent = x->body_sent = 0;
    x->dns_us = x->connect_us = x->tls_us = x->first_us = 0;
    x->fresh = false;
    x->broken = CONN_OK;
    x->is_head = strcmp(request->method, "HEAD") == 0;
    x->connect_timeout_ms = request->connect_timeout_ms;
    buf_clear(&x->out);
    http1_begin(&x->parser, x->is_head);
    x->sent_us = mono_us();
    x->deadline_us = x->sent_us + request->timeout_ms * 1000;
    c->exchange = x;
    e->n_running++;
    wheel_add(e, x);
    int r = start(x, request);
    if (r < 0) {
        exchange_detach(x);
        exchange_give_back(e, x);
    }
    return r;
}

static void user_close(struct conn *base)
{
    struct user_conn *c = (struct user_conn *)base;
    struct engine *e = c->engine;
    struct exchange *x = c->exchange;
    if (x) {
        if (x->broken != CONN_OK) {
            struct exchange **at = &e->broken;
            while (*at && *at != x)
                at = &(*at)->next;
            if (*at)
                *at = x->next;
        }
        exchange_detach(x);
        exchange_give_back(e, x);
    }
    while (c->links)
        link_close(c->links);
    conn_close(c->other);
    free(c);
}

const struct conn_driver CONN_HTTP1 = {
    .engine_new = engine_new,
    .engine_free = engine_free,
    .engine_wait = engine_wait,
    .open = user_open,
    .send = user_send,
    .close = user_close,
};
