/* http_client.h - HTTP requests: a client with its own multi handle that lives in the caller's event loop, and a blocking
 * call for command lines. Here and in loadgen/engine only: curl.h.
 *
 *   struct http_client *c;
 *   r = http_client_new(&c);
 *   r = http_send(c, &request, on_done, ctx, &id);        // copied; on_done is called exactly once, from http_client_step
 *   poll http_client_fd(c) for reading, up to http_client_timeout_ms(c), then http_client_step(c);
 *   http_client_free(c);                                    // pending requests end with -ECANCELED
 *
 *   r = http_fetch(&request, &response);                   // blocking, for CLIs, tests and worker threads
 *   http_response_done(&response);
 *
 * Redirects are not followed unless asked. Not thread-safe: one client per thread. The proxy environment is ignored unless
 * request.proxy says so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"

struct http_credentials {             /* all optional; texts NUL-terminated */
    const char *user, *password;      /* Basic */
    const char *password_file;        /* read at each request */
    const char *bearer, *bearer_file; /* read at each request, trimmed */
    const char *auth_file;            /* one line, read at each request: USER:PASSWORD (Basic) or a token (Bearer) */
    const char *authorization_type;   /* scheme before the token, default "Bearer" */
    const char *ca_file, *cert_file, *key_file, *server_name;
    bool insecure_skip_verify;
    const char *ca_pem, *cert_pem, *key_pem; /* inline twins */
};
struct http_request {
    const char *method; /* NULL: GET, or POST with a body */
    const char *url;
    const char *const *headers; /* "Name: value", ended by NULL; may be NULL */
    struct span body;
    const struct http_credentials *credentials;
    const char *proxy;
    const char *unix_socket;
    int64_t timeout_ms;         /* whole request; 0: 30 s */
    int64_t connect_timeout_ms; /* 0: the timeout */
    size_t body_bytes_max;      /* decoded response body; 0: BODY_BYTES_MAX */
    bool follow_redirects;      /* up to 10 */
    bool accept_encoding;       /* gzip; decoded transparently, counted decoded against the limit */
    bool no_reuse;              /* a fresh connection, closed afterwards */
    /* The body of a 2xx response as it comes, in pieces of at most 16 KB, instead of in response.body: for streams. Then
     * timeout_ms 0 means no end (name resolution and connecting still end after 30 s) and body_bytes_max bounds other answers
     * only; what the pieces add up to is bounded by the receiver. false ends the request with -ECANCELED. It must not send,
     * cancel, step or free. */
    bool (*on_data)(void *ctx, struct span piece);
    void *on_data_ctx;
};
struct http_response {
    int error;            /* 0, or -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH (name), -EPROTO (TLS,
                                         malformed), -EFBIG (over body_bytes_max), -ECANCELED, -EINVAL (URL, header),
                                         -errno of a credentials file that cannot be read */
    char error_text[256]; /* one sentence for people; never a secret */
    int status;           /* 0 when no response came */
    struct buf headers;   /* "name: value\n" lines, names lower-cased */
    struct buf body;
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us; /* each from the start */
    char peer[64];                                               /* address that answered */
};
struct http_client;
typedef void (*http_done)(void *ctx, struct http_response *response); /* response lives until it returns */

MUST_USE int http_client_new(struct http_client **ret);
void http_client_free(struct http_client *c);
int http_client_fd(const struct http_client *c);             /* an epoll descriptor */
int64_t http_client_timeout_ms(const struct http_client *c); /* until step wants to be called; -1: no need */
void http_client_step(struct http_client *c);
size_t http_client_pending(const struct http_client *c);
/* Everything that is wrong with a request is told through its callback. Only these are returned, and then there is none:
 * -ENOMEM; -EAGAIN: HTTP_REQUESTS_MAX are on their way; -ESHUTDOWN: called back from http_client_free. ret_id may be NULL. */
MUST_USE int http_send(struct http_client *c, const struct http_request *request, http_done done, void *ctx,
                       uint64_t *ret_id);
/* Ends it with -ECANCELED (its callback runs at once). Unknown ids are ignored. */
void http_cancel(struct http_client *c, uint64_t id);
/* 0 whatever the status; response->error as return value when no response came. Always http_response_done() it. */
MUST_USE int http_fetch(const struct http_request *request, struct http_response *response);
void http_response_done(struct http_response *response);
/* First header of that name, empty when absent. */
struct span http_response_header(const struct http_response *response, const char *name);
/* Retry-After (seconds or HTTP date) in ms from now; -1: none. */
int64_t http_retry_after_ms(const struct http_response *response);
