/* http_transfer.h - one request of the HTTP client: a libcurl easy handle that is set up, and read out when
 * it ended. Internal to http_client.c; handles go back to its pool and are used again.
 *
 *   r = transfer_new(&t);
 *   r = transfer_prepare(t, &request, &pems);   // -ENOMEM, or a refusal that stands in t->response
 *   ...the multi handle runs t->easy...
 *   transfer_finish(t, code);                   // fills t->response
 *   transfer_clear(t);                          // ready for the next request
 *   transfer_free(t);
 */
#pragma once

#include <curl/curl.h>

#include "lib/wire/http_client.h"

/* libcurl with GnuTLS takes PEM texts only as files: each text becomes a memfd once and keeps its path for
 * the client's life, because connections are reused by path and a path must never come to mean another
 * certificate. */
#define PEM_FILES_MAX 256 /* distinct certificates, keys and CAs of one client: a reload brings a new client */
struct pem_files {
    struct pem_file {
        char *text;
        int fd;
    } files[PEM_FILES_MAX];
    size_t n;
};
void pem_files_done(struct pem_files *pems);

#define TRANSFER_REDIRECTS_MAX 10
struct transfer {
    CURL *easy;
    struct http_response response;
    uint64_t id; /* 0: in the pool */
    uint32_t slot;
    bool in_multi;
    http_done done;
    void *ctx;
    bool (*on_data)(void *ctx, struct span piece);
    void *on_data_ctx;
    bool refused; /* by on_data */
    /* what libcurl points to while it runs */
    struct curl_slist *headers, *connect_to;
    char *body;
    char curl_error[CURL_ERROR_SIZE];
    /* for the words of an error */
    char host_port[128];
    int64_t timeout_ms, connect_timeout_ms;
    size_t body_bytes_max;
    bool through_proxy, is_https;
    struct transfer *next; /* in the pool, or among those that failed before they started */
};
MUST_USE int transfer_new(struct transfer **ret);
void transfer_free(struct transfer *t);
void transfer_clear(struct transfer *t);
/* -ENOMEM; any other failure (bad URL, unreadable credentials) is also in t->response, to be delivered. */
MUST_USE int transfer_prepare(struct transfer *t, const struct http_request *request, struct pem_files *pems);
void transfer_finish(struct transfer *t, CURLcode code);
/* Set response.error and its sentence. Returns the error. */
int transfer_fail(struct transfer *t, int error, const char *format, ...) PRINTF_LIKE(3, 4);
/* libcurl's callbacks, ctx is the transfer. */
size_t transfer_on_body(char *data, size_t size, size_t n, void *ctx);
size_t transfer_on_header(char *data, size_t size, size_t n, void *ctx);
