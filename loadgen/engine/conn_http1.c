/* conn_http1.c - conn.h with our own HTTP/1.1: one epoll set, a descriptor in it for as long as its connection lives, one send and one recv per
 * request where the network lets it be so.
 *
 * libcurl makes the connections (http1_connect.h) and, through a second driver inside this one, does what is not HTTP/1.1 over one's own
 * connection: HTTP/2, requests through a proxy, and limited rates. What a user holds while idle is a struct per connection: all buffers belong
 * to exchanges, and those to whoever has a request in flight. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "loadgen/engine/content_decode.h"
#include "loadgen/engine/deadline_wheel.h"
#include "loadgen/engine/http1_link.h"
#include "loadgen/engine/http1_parse.h"

#define EPOLL_EVENTS_MAX 256
#define RECEIVE_BYTES (64u << 10)
#define REQUEST_BYTES_MAX (BODY_BYTES_MAX + (1u << 20))
#define KEPT_REQUEST_BYTES (64u << 10)
#define ERROR_TEXT_BYTES 256u

struct user_conn;
struct exchange {             /* one request and its answer */
    struct deadline deadline; /* first: one is the other */
    struct exchange *next;    /* in the idle or the broken list */
    struct user_conn *owner;
    struct link *link;
    struct buf out;   /* the request, and its body when it is small */
    struct span body; /* what is sent after it */
    size_t sent, body_sent;
    struct http1_parser parser;
    struct buf decoded;
    int64_t sent_us, ready_us, first_us;
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
    struct link_owner links;
    struct exchange *exchange;
    struct conn *other; /* of the inner driver; NULL: never needed */
    bool other_busy;
};
struct engine {
    struct conn_engine base;
    struct conn_config config;
    struct link_room room;
    struct connector *connector;
    struct conn_engine *other;
    struct exchange *idle, *broken;
    size_t n_idle, n_running;
    struct deadline_wheel deadlines;
    bool no_pwait2; /* kernel older than 5.11 */
    char in[RECEIVE_BYTES];
};

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
    deadline_clear(&x->deadline);
    x->owner->exchange = NULL;
    x->owner->engine->n_running--;
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
        response.raw = response.body = x->parser.content;
        int r = x->parser.encoded ? content_of(x->parser.headers, response.raw, &x->decoded, &response.body) : 0;
        response.undecoded = r > 0;
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
    deadline_clear(&x->deadline);
    if (x->link)
        link_close(x->link); /* no event may finish it meanwhile */
    x->link = NULL;
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
            return link_poll_write(l, true); /* again from the same byte with the same length: GnuTLS wants it so */
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? (int)n : -EPIPE;
        *(head ? &x->sent : &x->body_sent) += (size_t)n;
    }
    return link_poll_write(l, false);
}

/* Its connection is there. */
static void begin(struct exchange *x)
{
    struct link *l = x->link;
    l->state = LINK_READY;
    x->ready_us = mono_us();
    int r = link_poll(l);
    if (r == 0)
        r = flush(x);
    if (r < 0)
        finish(x, mono_us(), CONN_RESET, strerror(-r));
}

static struct user_conn *owner_of(const struct link *l)
{
    return (struct user_conn *)((char *)l->owner - offsetof(struct user_conn, links));
}

static void on_connected(void *link, const struct connected *got)
{
    struct link *l = link;
    struct exchange *x = owner_of(l)->exchange;
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

/* A new connection for the exchange; takes over the hold on the origin. */
MUST_USE static int connect_link(struct exchange *x, struct http1_origin *o)
{
    struct link *l = link_new(&x->owner->links, o);
    if (!l)
        return -ENOMEM;
    x->link = l;
    x->fresh = true;
    struct conn_request way = o->way;
    way.connect_timeout_ms = x->connect_timeout_ms;
    return connector_start(x->owner->engine->connector, &way, o->secure, l, &l->attempt);
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

/* ---- receiving ---- */

/* `ends`: behind what is there to be read the connection is over. A plain one is told of but once (EPOLLET): it is read until nothing is left. */
static void on_readable(struct link *l, bool ends)
{
    struct engine *e = owner_of(l)->engine;
    struct exchange *x = owner_of(l)->exchange;
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
            bool full = !l->easy && (size_t)n == sizeof e->in;
            if (ends || (n > 0 && used < (size_t)n) || (full && link_has_more(l)))
                x->parser.keep_alive = false; /* closed, or bytes after the answer: nobody knows whose */
            finish(x, now_us ? now_us : mono_us(), CONN_OK, "");
            return;
        }
        if (!l->easy && (size_t)n < sizeof e->in && !ends)
            return; /* all that was there */
    }
}

static void on_event(struct link *l, uint32_t events)
{
    struct exchange *x = owner_of(l)->exchange;
    if (events & EPOLLOUT && x && x->link == l) {
        int r = flush(x);
        if (r < 0 && (!(events & ~(uint32_t)EPOLLOUT) || link_poll_write(l, false) < 0)) {
            fail(x, CONN_RESET, strerror(-r));
            return;
        } /* else an answer may have come before the server hung up */
    }
    if (events & ~(uint32_t)EPOLLOUT)
        on_readable(l, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* ---- a turn ---- */

static void expire(struct engine *e, int64_t now_us)
{
    struct deadline *d;
    while ((d = deadline_passed(&e->deadlines, now_us)))
        finish((struct exchange *)d, now_us, CONN_TIMEOUT, "no whole answer in time");
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
    links_bury(&e->room);
    timeout_us = e->broken ? 0 : sooner(timeout_us, connector_due_us(e->connector));
    if (e->other)
        timeout_us = sooner(timeout_us, e->other->driver->due_us(e->other));
    if (e->n_running && timeout_us > DEADLINE_SLOT_US)
        timeout_us = DEADLINE_SLOT_US;
    int n = conn_driver_poll(e->room.epoll, &e->no_pwait2, events, EPOLL_EVENTS_MAX, timeout_us);
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
    links_bury(&e->room);
    while (e->idle) {
        struct exchange *x = e->idle;
        e->idle = x->next;
        exchange_free(x);
    }
    http1_origins_free(&e->room.origins);
    connector_free(e->connector);
    if (e->room.epoll >= 0)
        close(e->room.epoll);
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
    deadline_wheel_init(&e->deadlines, mono_us());
    e->room.epoll = epoll_create1(EPOLL_CLOEXEC);
    int r = e->room.epoll < 0 ? -errno : connector_new(e->room.epoll, config->ca_file, on_connected, &e->connector);
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
    c->links.room = &c->engine->room;
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
    if (epoll_ctl(e->room.epoll, EPOLL_CTL_ADD, e->other->driver->poll_fd(e->other), &event) == 0)
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
    struct link *l = link_find(&c->links, q);
    struct http1_origin *o = NULL;
    const char *why;
    if (!l) {
        int r = http1_origin_get(&e->room.origins, q, e->config.user_agent, &o, &why);
        if (r < 0)
            return r;
    }
    int r = http1_write_request(l ? l->origin : o, q, &x->out, &x->body);
    if (r < 0) {
        http1_origin_drop(&e->room.origins, o);
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
    x->sent = x->body_sent = 0;
    x->dns_us = x->connect_us = x->tls_us = x->first_us = 0;
    x->fresh = false;
    x->broken = CONN_OK;
    x->is_head = request->method[0] == 'H' && strcmp(request->method, "HEAD") == 0;
    x->connect_timeout_ms = request->connect_timeout_ms;
    buf_clear(&x->out);
    http1_begin(&x->parser, x->is_head);
    x->sent_us = request->now_us ? request->now_us : mono_us();
    c->exchange = x;
    e->n_running++;
    deadline_set(&e->deadlines, &x->deadline, x->sent_us + request->timeout_ms * 1000);
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
    while (c->links.links)
        link_close(c->links.links);
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
