/* httpd_internal.h - what the files of lib/httpd share: the server, a connection, a request, a stream.
 *
 * Who touches what: libmicrohttpd's pool threads run every callback of a connection, one at a time. A
 * deferred request belongs to its owner (any thread) until the answer; the two meet in `state` and in
 * MHD_resume_connection. The sweeper reads a connection's atomics only. Locks: lock (deferred, streams) may
 * be held while taking a stream's mutex, never the other way round; connections_lock is a leaf. Neither
 * connections_lock nor lock is held while a handler, read or done runs; libmicrohttpd's own locks come last.
 */
#pragma once

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/thread.h"
#include "lib/httpd/httpd.h"

/* ---- counting ---- */
enum refusal {
    REFUSED_CONNECTIONS,
    REFUSED_ADDRESS,
    REFUSED_HEADER_DEADLINE,
    REFUSED_BODY_DEADLINE,
    REFUSED_REPLY_DEADLINE,
    REFUSED_IDLE,
    REFUSED_MALFORMED,
    REFUSED_HOST,
    REFUSED_ORIGIN,
    REFUSED_CREDENTIALS,
    REFUSED_AUTH_BUSY,
    REFUSED_BODY_SIZE,
    REFUSED_STOPPING,
    REFUSED_ABORTED,
    REFUSED_COUNT
};
#define HTTPD_BUCKETS 14u
#define HTTPD_STATUSES 36u
struct route_stats {
    atomic_ulong status[HTTPD_STATUSES]; /* as HTTPD_STATUS_LIST of httpd_stats.c, the last is any other */
    atomic_ulong bucket[HTTPD_BUCKETS + 1];
    atomic_ulong total_us;
};

/* ---- the address it listens on ---- */
struct listen_address {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    char host[64]; /* as one writes it in a URL, without [] */
    bool loopback, wildcard;
};

/* ---- a connection ---- */
enum phase { PHASE_HEADERS, PHASE_BODY, PHASE_HANDLER, PHASE_REPLY, PHASE_STREAM, PHASE_IDLE };
struct connection {
    struct connection *prev, *next; /* under connections_lock */
    int fd;
    char peer[INET6_ADDRSTRLEN];
    atomic_int phase;         /* written by the pool thread, read by the sweeper */
    atomic_llong phase_us;    /* mono_us of its beginning, written before phase */
    atomic_ullong body_bytes; /* received so far */
    atomic_uint turn;         /* requests completed */
    atomic_bool cut;          /* the sweeper shut it down */
    /* the sweeper's notes: what it saw in which phase of which turn */
    int seen_phase;
    unsigned seen_turn;
    bool seen_closed; /* the client's end */
    uint64_t seen_bytes;
    int64_t seen_us; /* IDLE: when bytes of the next request were first seen; REPLY: begin of the window */
    /* the pool thread's */
    struct web_config *web; /* whose certificate the TLS session has */
    bool certificate_checked;
};

/* ---- a request ---- */
enum request_state { REQUEST_RUNNING, REQUEST_DEFERRED, REQUEST_ANSWERED, REQUEST_ABANDONED };
enum auth_state { AUTH_UNKNOWN, AUTH_RIGHT, AUTH_WRONG, AUTH_BUSY };
struct pair {
    struct span name, value;
};
struct reply_header {
    struct reply_header *next;
    char *name, *value;
};
struct httpd_request {
    struct httpd *h;
    struct connection *connection;
    struct MHD_Connection *mhd; /* NULL until the headers are complete */
    atomic_int state;
    atomic_int refs;                   /* libmicrohttpd's side, and the owner's of a deferred one */
    struct httpd_request *prev, *next; /* deferred list, under h->lock */
    struct arena arena;
    int64_t started_us;
    int fd;
    char peer[INET6_ADDRSTRLEN];
    struct span target, method, path, query; /* in the arena; path decoded */
    struct pair *headers;
    size_t headers_n;
    struct pair *params;
    size_t params_n;
    bool form; /* params point into body */
    struct pair segments[HTTP_SEGMENTS_MAX];
    size_t segments_n;
    const struct httpd_route *route;
    size_t stats_at;
    struct web_config *web; /* who may come in; has the user's name */
    const char *user;
    enum auth_state auth;
    struct buf body;
    size_t body_bytes_max;
    bool drain;  /* the answer is known, the body is thrown away */
    bool linger; /* the answer leaves before the body has come */
    size_t drained_bytes;
    bool judged;  /* let in or refused */
    bool handled; /* the handler ran */
    bool close_after;
    struct reply_header *reply_headers, **reply_headers_end;
    struct MHD_Response *response;
    int status;
    struct httpd_stream *stream; /* the response's, for linking it at the answer */
    int sent_status;             /* libmicrohttpd's side only */
};

/* ---- a stream ---- */
struct httpd_stream {
    struct httpd *h; /* NULL: was never sent */
    struct MHD_Connection *mhd;
    struct httpd_stream *prev, *next; /* under h->lock */
    struct httpd_stream_ops ops;
    void *ctx;
    pthread_mutex_t mutex;
    bool suspended, wake_pending, closing;
};

/* ---- the server ---- */
struct route_facts {
    size_t rank;     /* the higher wins */
    size_t stats_at; /* routes with one path share their numbers */
};
struct httpd {
    struct httpd_config config;
    struct listen_address address;
    uint16_t port;
    struct MHD_Daemon *daemon;
    struct auth *auth; /* NULL: no web config */
    struct lingerer *linger;
    char mhd_words[256]; /* the last thing libmicrohttpd said while it started */
    atomic_bool started, stopping;
    size_t routes_n;
    struct httpd_route *table;  /* config.routes, then the daemon's; config.routes is it from the start on */
    struct route_facts *routes; /* [routes_n], beside table */
    struct route_stats *stats;  /* [routes_n + 1], the last for what no route answered */
    atomic_ulong refused[REFUSED_COUNT];
    atomic_long connections_open, in_flight, handlers_running;

    pthread_mutex_t web_lock; /* a leaf */
    struct web_config *web;

    pthread_mutex_t connections_lock;
    pthread_cond_t connections_changed;
    struct connection *connections;
    struct strmap per_address; /* peer -> connections, as a number in the pointer */
    bool sweeper_stop;
    struct thread *sweeper;

    pthread_mutex_t lock;
    pthread_cond_t deferred_changed;
    struct httpd_request *deferred;
    size_t deferred_n; /* including answered ones whose owner has not let go yet */
    struct httpd_stream *streams;
    size_t streams_n;
    bool streams_closing;
};

/* listen.c */
MUST_USE int listen_parse(const char *text, struct listen_address *ret, char *why, size_t why_bytes);
/* A non-blocking listening socket; *ret_port is the port it got. */
MUST_USE int listen_open(const struct listen_address *a, int *ret_fd, uint16_t *ret_port, char *why, size_t why_bytes);
/* Address without port; IPv4 in IPv6 is written as IPv4. */
void address_text(const struct sockaddr *addr, char *text, size_t text_bytes);

/* httpd.c: the web config of now, for web_config_free */
struct web_config *httpd_web_config(struct httpd *h);

/* httpd_daemon.c */
extern const struct httpd_route HTTPD_DAEMON_ROUTES[]; /* ended by {0}; the reload is the last */

/* connection.c */
MUST_USE int connections_init(struct httpd *h); /* starts the sweeper */
void connections_done(struct httpd *h);
enum MHD_Result connection_admit(void *ctx, const struct sockaddr *addr, socklen_t len);
void connection_changed(void *ctx, struct MHD_Connection *mhd, void **context,
                        enum MHD_ConnectionNotificationCode what);
void connection_phase(struct connection *c, enum phase phase);

/* guard.c: each answers the request itself and returns true when it is refused */
bool guard_host(struct httpd_request *r);
bool guard_origin(struct httpd_request *r);
bool guard_certificate(struct httpd_request *r);
bool guard_credentials(struct httpd_request *r); /* after auth_check has an answer */
bool guard_wants_credentials(const struct httpd_request *r);

/* auth.c */
MUST_USE int auth_init(struct httpd *h);
void auth_stop(struct httpd *h); /* lets go of those who wait */
void auth_done(struct httpd *h);
void auth_forget(struct httpd *h); /* what was checked against another web config than the server's */
/* Sets r->auth. True: the connection is suspended, and serve_access is called again when r->auth has the answer;
 * until then r belongs to the auth thread. */
MUST_USE bool auth_check(struct httpd_request *r);

/* linger.c */
MUST_USE int linger_init(struct httpd *h);
void linger_done(struct httpd *h);
/* The connection is about to be closed while its client still sends: keep the socket until that has ended. */
void linger_add(struct httpd *h, int fd);

/* serve.c: libmicrohttpd's callbacks */
enum MHD_Result serve_access(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
                             const char *version, const char *data, size_t *data_len, void **request);
void *serve_first_line(void *ctx, const char *target, struct MHD_Connection *mhd);
void serve_completed(void *ctx, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode how);

/* route.c */
size_t route_rank(const char *path);
MUST_USE int routes_check(const struct httpd_route *routes, size_t *ret_n, char *why, size_t why_bytes);
/* Find the request's route and fill route, segments and body limit, or answer 404 or 405 and return false. */
bool route_find(struct httpd_request *r);

/* request.c */
struct httpd_request *request_new(struct httpd *h, struct connection *c, const char *target);
void request_unref(struct httpd_request *r);
/* -EINVAL, -ENOMEM: the headers cannot be used */
MUST_USE int request_headers(struct httpd_request *r, struct MHD_Connection *mhd, const char *method);
/* Split query and form; -EINVAL: too many */
MUST_USE int request_params(struct httpd_request *r);
bool request_is_form(const struct httpd_request *r);

/* reply.c */
/* Hand a finished response over (NULL: none could be made, the connection closes): to the pool thread at
 * once, or by waking the suspended connection. False when nobody wants it any more (it was destroyed). */
bool request_answer(struct httpd_request *r, struct MHD_Response *response, int status);
bool reply_headers_add(struct httpd_request *r, struct MHD_Response *response, const char *content_type);

/* stream.c */
void stream_link(struct httpd *h, struct httpd_stream *s);
void streams_close(struct httpd *h); /* all of them, and those to come */

/* httpd_stats.c */
void stats_answered(struct httpd *h, size_t at, int status, int64_t us); /* us < 0: a stream, not timed */
/* Count, and log at most one line a minute per reason. peer may be NULL. */
void stats_refused(struct httpd *h, enum refusal why, const char *peer);
