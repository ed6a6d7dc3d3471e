/* httpd.h - the HTTP server of every daemon: a route table, bounded bodies, own deadlines, answers now or later,
 * streams. The only user of microhttpd.h.
 *
 *   static const struct httpd_route ROUTES[] = {
 *       {"GET", "/api/v1/label/{name}/values", 0, on_label_values, .help = "values of a label"},
 *       {"POST", "/api/v1/write", WRITE_BODY_BYTES_MAX, on_write}, {0}};
 *   struct httpd_config config = {.listen = "127.0.0.1:9480", .routes = ROUTES, .ctx = collector};
 *   r = httpd_start(&config, &h, why, sizeof why);
 *   daemon_print_listening(httpd_address(h), httpd_port(h));
 *   httpd_stop(h, 5000);
 *
 * Handlers run on the server's own threads (2 by default) and must never block: no SQL, no query, no wait. A handler
 * either answers before it returns, or calls httpd_defer and answers later, exactly once, from any thread. A HEAD
 * request runs the GET handler and sends no body. Unknown path 404, known path with another method 405 with Allow,
 * body over the limit 413 before it is read. A path without {names} wins over one with names, which wins over "…*";
 * order matters only among equals.
 *
 * Security (DESIGN §2.8): loopback unless web_config has credentials (-EPERM with reason and cure); a Host that is
 * neither a loopback name, the listen address (for 0.0.0.0 and [::] the one the client reached), nor in
 * allowed_hosts: 403; a changing request (not GET/HEAD) with an Origin whose host and port differ from Host and that
 * is not in allowed_hosts: 403; credentials checked before any handler (401), /-/healthy excepted.
 *
 * Deadlines: headers HTTP_HEADER_DEADLINE_MS, body HTTP_BODY_DEADLINE_MS or 64 KB/s, taking the
 * answer 60 s or 16 KB/s, idle 120 s; a sweeper shuts slow ones down, counted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/metric_writer.h"
#include "lib/wire/web_config.h"

struct httpd;
struct httpd_request; /* valid until it was answered */
typedef void (*httpd_handler)(struct httpd_request *request, void *ctx);

struct httpd_route {
    const char *method;    /* "GET", "POST", …; "GET|POST" for both */
    const char *path;      /* {x} matches one segment; a trailing "*" matches the rest */
    size_t body_bytes_max; /* 0: no body allowed but form parameters up to API_BODY_BYTES_MAX when POST */
    httpd_handler handler;
    const char *help;
};
struct httpd_config {   /* what it points to must live until httpd_stop */
    const char *listen; /* "ADDR:PORT", "[::1]:PORT"; port 0 picks one */
    const struct httpd_route *routes;
    void *ctx;                        /* given to handlers */
    struct web_config *web_config;    /* the server holds one more of it; NULL: none */
    struct httpd_daemon *daemon;      /* httpd_daemon.h: routes about the program itself; NULL: none */
    const char *const *allowed_hosts; /* further Host names (external_url's), ended by NULL; may be NULL */
    unsigned threads;                 /* 0: 2 */
    unsigned connections_max, connections_per_address_max; /* 0: limits.h; fewer when descriptors are short */
    int64_t reply_deadline_ms, idle_deadline_ms;           /* 0: 60 s, 120 s */
    int64_t header_deadline_ms, body_deadline_ms;          /* 0: limits.h */
    const char *server_name;                               /* log lines */
};
/* -EPERM: not loopback without credentials; -EADDRINUSE; -EINVAL: listen text. why gets a sentence with the cure. */
MUST_USE int httpd_start(const struct httpd_config *config, struct httpd **ret, char *why, size_t why_bytes);
/* Answers new requests with 503, waits up to grace_ms for deferred ones (those left get 503; their owners may still
 * answer into the void, with nothing but httpd_reply_* and the request's own accessors), ends streams, ends. NULL is
 * fine. */
void httpd_stop(struct httpd *h, int64_t grace_ms);
/* New credentials and certificates, from the next request and the next connection on; the old ones end with those that hold them.
 * -EOPNOTSUPP: there was none at the start, or TLS would go on or off: that needs a restart; -EPERM: not loopback, and it asks for no
 * credentials. Then the old ones stay and why gets a sentence. */
MUST_USE int httpd_set_web_config(struct httpd *h, struct web_config *wc, char *why, size_t why_bytes);
uint16_t httpd_port(const struct httpd *h);
const char *httpd_address(const struct httpd *h);
/* Families crest_http_*: requests by route and status, seconds by route, refused by reason, what is open now. */
void httpd_stats(const struct httpd *h, struct metric_writer *w);

/* ---- the request ---- */
struct span httpd_method(const struct httpd_request *r);
struct span httpd_path(const struct httpd_request *r);
/* Its route's place in config.routes; those of the daemon come behind. */
size_t httpd_route_index(const struct httpd_request *r);
/* A {name} of the route's path, decoded; "*" gives the rest. */
struct span httpd_segment(const struct httpd_request *r, const char *name);
/* First form or query parameter of that name (the form's come first, as in Go), decoded; empty span with ptr NULL when absent. */
struct span httpd_param(const struct httpd_request *r, const char *name);
/* All of that name: the i-th, false past the last (match[] of the query API). */
bool httpd_param_at(const struct httpd_request *r, const char *name, size_t i, struct span *ret);
/* Every parameter in order, the form first: for checks and for passing on. */
bool httpd_param_index(const struct httpd_request *r, size_t i, struct span *ret_name, struct span *ret_value);
struct span httpd_header(const struct httpd_request *r, const char *name);
struct span httpd_cookie(const struct httpd_request *r, const char *name);
struct span httpd_body(const struct httpd_request *r);
/* The body as malloc'd bytes, out of the request (the writer queue keeps it); the caller frees. */
char *httpd_body_take(struct httpd_request *r, size_t *ret_len);
const char *httpd_peer(const struct httpd_request *r);   /* address without port */
const char *httpd_user(const struct httpd_request *r);   /* who web_config let in; NULL: nobody */
int64_t httpd_started_us(const struct httpd_request *r); /* mono_us at the first byte */
struct arena *httpd_arena(struct httpd_request *r);      /* lives with the request */

/* ---- the answer ---- */
/* Before the reply; repeated names are repeated headers (Set-Cookie). A value with a line break makes the reply a
 * 500. Set by default: X-Content-Type-Options: nosniff; with text/html also X-Frame-Options: DENY and Referrer-
 * Policy: same-origin. */
void httpd_reply_header(struct httpd_request *r, const char *name, const char *value);
/* Takes the body's bytes (the buf is empty afterwards). content_type NULL: none. gzip when the client accepts it and
 * the body is large enough to gain. A body with an error set becomes a 500. */
void httpd_reply(struct httpd_request *r, int status, const char *content_type, struct buf *body);
/* For a handler that holds compressed bytes: then it sets Content-Encoding and Vary, and the bytes go out as they are. */
bool httpd_accepts_gzip(const struct httpd_request *r);
void httpd_reply_text(struct httpd_request *r, int status, const char *format, ...) PRINTF_LIKE(3, 4);
void httpd_reply_empty(struct httpd_request *r, int status);
/* {"status":"error","errorType":…,"error":…}, Prometheus's shape. */
void httpd_reply_error(struct httpd_request *r, int status, const char *error_type, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* From the handler only: the answer comes later; the request stays valid until then, also when the client has gone. */
void httpd_defer(struct httpd_request *r);
/* Has the client of a deferred request gone away? (A poll of its socket: cheap enough for once per 100 ms.) */
bool httpd_is_gone(struct httpd_request *r);

/* ---- long answers ---- */
/* Status and headers now, body by chunks from `read`, called on a server thread: returns bytes written into at (>0),
 * 0 for "nothing yet" (then httpd_stream_wake continues), -1 for the end, -2 to cut the connection. `done` runs
 * exactly once; *ret_stream is NULL when it has run already (no memory, a header that cannot be sent, the server
 * stopped). From a handler nothing is read before it returns; from another thread the stream may be read, and be
 * over, before this returns. Neither read nor done may take a lock that is held here or around httpd_stop. A client
 * that is gone is only noticed by sending to it: send something (a comment) every 10 s. */
struct httpd_stream;
struct httpd_stream_ops {
    ssize_t (*read)(void *ctx, char *at, size_t max);
    void (*done)(void *ctx);
};
void httpd_reply_stream(struct httpd_request *r, int status, const char *content_type,
                        const struct httpd_stream_ops *ops, void *ctx, struct httpd_stream **ret_stream);
/* There is something to read; any thread, cheap when it is already awake. Not after done. */
void httpd_stream_wake(struct httpd_stream *s);
