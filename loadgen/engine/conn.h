/* conn.h - connections of virtual users: open, send, on_response, close. The scheduler knows nothing else of the network.
 *
 *   struct conn_engine *e;                                       // one per thread
 *   r = conn_engine_new(&CONN_HTTP1, &(struct conn_config){.on_response = on_response}, &e);
 *   struct conn *c;
 *   r = conn_open(e, user, &c);                                  // a user; no traffic yet
 *   r = conn_send(c, &request);                                  // one request at a time per user
 *   conn_engine_wait(e, 5000);                                   // I/O; on_response(user, &response) runs in here
 *   conn_close(c);                                               // a request in flight is given up, without a callback
 *   conn_engine_free(e);
 *
 * A struct conn is all connections of one user, to as many hosts as the journey visits: they stay open between its requests and are
 * shared with nobody, as in a browser. Redirects are not followed, cookies not kept: both are the caller's, so that each hop is a
 * request of its own. Two drivers: our own HTTP/1.1 engine, and curl_multi, which also speaks HTTP/2. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

enum conn_error {
    CONN_OK,
    CONN_DNS,
    CONN_CONNECT,
    CONN_TLS,
    CONN_TIMEOUT,
    CONN_RESET,     /* closed or broken before the answer was whole */
    CONN_TOO_LARGE, /* headers or body over their limits */
    CONN_PROTOCOL   /* not HTTP, or a URL that cannot be asked */
};
enum conn_http { CONN_HTTP_ANY, CONN_HTTP_10, CONN_HTTP_11, CONN_HTTP_2 };
enum conn_family { CONN_FAMILY_ANY, CONN_FAMILY_4, CONN_FAMILY_6 };

/* How a connection is made, where that is not simply "to the URL's host". NULL: as usual. Connections that were made in different ways are different
 * connections. Texts are what libcurl's option of the same name takes. */
struct conn_route {
    const char *proxy;          /* "http://host:port", "socks5h://…"; the environment's proxies are never used */
    const char *no_proxy;       /* hosts that the proxy is not for, comma separated */
    const char *const *resolve; /* "host:port:address" */
    size_t n_resolve;
    const char *const *connect_to; /* "host:port:host:port" */
    size_t n_connect_to;
    const char *unix_socket;
    const char *ca_file; /* NULL: the engine's */
    const char *cert_file, *key_file;
    const char *key_password;
    const char *pinned_key; /* "sha256//…" or a file: the server's public key must be that */
};
/* Copied by conn_send, but for the body: its bytes must live until the response or the close. */
struct conn_request {
    const char *method, *url;
    const char *const *headers; /* "Name: value" */
    size_t n_headers;
    struct span body;
    bool has_body;
    int64_t connect_timeout_ms, timeout_ms; /* > 0 */
    int64_t now_us;                         /* mono_us, when the caller has just looked at it; 0: it has not */
    enum conn_http http;
    enum conn_family family;
    bool insecure;                  /* certificates are not checked */
    bool compressed;                /* ask for gzip, deflate, brotli; the body comes decoded */
    bool path_as_is;                /* /../ is not squeezed */
    const struct conn_route *route; /* NULL: straight to the URL's host */
    int64_t limit_rate;             /* bytes per second, each way; 0: as fast as it goes */
};
/* The server's own certificate. */
struct conn_certificate {
    const char *subject, *issuer; /* "C=DE, O=Shop, CN=shop.test", in the certificate's order */
    const char *serial_number;    /* "1e:e8:b1" */
    const char *alt_names;        /* "DNS:shop.test, IP Address:127.0.0.1"; "" when it has none */
    const char *pem;
    int64_t starts_s, expires_s; /* Unix time */
};
/* Lives until on_response returns. */
struct conn_response {
    enum conn_error error;
    const char *error_text; /* for people; "" when there is none */
    int status, version;    /* 0 without a response; version 10, 11, 20 */
    struct span headers;    /* "Name: value\r\n" lines of the final response */
    struct span body;       /* decoded, where its Content-Encoding is one that we know */
    struct span raw;        /* as it came; the same bytes when there was nothing to decode */
    bool undecoded;         /* it has a Content-Encoding that we do not know, and is as it came */
    bool sets_cookies;      /* there is a Set-Cookie among the headers */
    const char *ip;
    int64_t sent_us, done_us; /* mono_us */
    bool fresh;               /* a connection was made for it */
    /* What the time went to: durations, 0 for what did not happen. The rest of done - sent is the transfer of the answer. */
    int64_t dns_us, connect_us, tls_us;
    int64_t first_byte_us;                      /* from the ready connection to the answer's first byte */
    const struct conn_certificate *certificate; /* NULL: not TLS, or not known */
};

struct conn_config {
    void (*on_response)(void *user, const struct conn_response *response);
    const char *user_agent;
    const char *ca_file; /* NULL: the system's */
};
struct conn_engine;
struct conn;
struct conn_driver;

extern const struct conn_driver
    CONN_HTTP1; /* our own HTTP/1.1; what a request wants of HTTP/2, proxies and rates goes through the other */
extern const struct conn_driver CONN_CURL; /* curl_multi; CONN_HTTP_ANY is HTTP/2 where TLS offers it */

MUST_USE int conn_engine_new(const struct conn_driver *driver, const struct conn_config *config,
                             struct conn_engine **ret);
/* After every conn of it was closed. NULL is fine. */
void conn_engine_free(struct conn_engine *e);
/* Wait for I/O up to timeout_us (0: only look), then handle it. Callbacks may send, open and close. 0, or -errno when the engine itself is
 * broken. */
MUST_USE int conn_engine_wait(struct conn_engine *e, int64_t timeout_us);
MUST_USE int conn_open(struct conn_engine *e, void *user, struct conn **ret);
/* 0: on_response comes later, exactly once, never from in here. -EBUSY: one is in flight; -ENOMEM. */
MUST_USE int conn_send(struct conn *c, const struct conn_request *request);
void conn_close(struct conn *c); /* NULL is fine */
/* "dns", "connect", "tls", "timeout", "reset", "too_large", "protocol". */
const char *conn_error_name(enum conn_error error);
