/* http1_connect.h - connections for the HTTP/1.1 engine, made by libcurl: names, addresses, proxies' tunnels, TLS. What speaks over them is not
 * its business.
 *
 *   struct connector *k;
 *   r = connector_new(epoll, on_connected, ctx, &k);
 *   r = connector_start(k, request, link, &attempt);             // on_connected(link, &result) comes from connector_work, once
 *   attempt_free(attempt);                                        // gives up, or closes a TLS connection; a plain one is the taker's
 *   connector_work(k, fd, events); connector_timers(k);
 *   connector_free(k);
 *
 * A plain connection's descriptor is handed out and libcurl forgets it: what is left of it here is nothing. A TLS connection stays with its
 * attempt, read and written with curl_easy_recv and curl_easy_send; each has a connection cache of its own (libcurl searches the whole cache on
 * every call: 206 us of it at 8,000 connections).
 *
 * Descriptors of libcurl stand in the epoll set as CONNECTOR_MARK(fd). */
#pragma once

#include <curl/curl.h>

#include "loadgen/engine/conn.h"

#define CONNECTOR_MARK(fd) ((uint64_t)(fd) << 1 | 1) /* odd: no pointer is */
#define CONNECTOR_ERROR_BYTES CURL_ERROR_SIZE

struct connector;
struct attempt;
struct connected {
    enum conn_error error;
    const char *error_text;
    int fd;     /* plain: the taker's from now on; TLS: to be polled only */
    CURL *easy; /* TLS: where to send and receive; NULL: plain */
    char ip[64];
    int64_t dns_us, connect_us, tls_us;
    const struct conn_certificate *certificate;
};
typedef void (*on_connected_fn)(void *link, const struct connected *c);

MUST_USE int connector_new(int epoll, const char *ca_file, on_connected_fn on_connected, struct connector **ret);
void connector_free(struct connector *k); /* after all its attempts; NULL is fine */
/* -EINVAL, -ENOMEM: nothing was begun. */
MUST_USE int connector_start(struct connector *k, const struct conn_request *q, bool secure, void *link,
                             struct attempt **ret);
void attempt_free(struct attempt *a); /* NULL is fine */
/* Events of a marked descriptor. -EIO: libcurl is broken. */
MUST_USE int connector_work(struct connector *k, int fd, uint32_t events);
/* What is due, and what has come of all of it. */
MUST_USE int connector_timers(struct connector *k, int64_t now_us);
int64_t connector_due_us(const struct connector *k); /* -1: nothing is */
