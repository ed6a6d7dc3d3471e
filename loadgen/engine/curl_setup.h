/* curl_setup.h - what both drivers tell libcurl about making a connection, and how they read what came of it.
 *
 *   r = curl_set_way(easy, request, engine_ca_file, &lists);    // trust, proxy, resolve, connect-to, socket, family, time-out
 *   ...the transfer...
 *   curl_lists_done(&lists);                                    // libcurl does not copy them
 *   enum conn_error e = curl_error_of(code);
 *
 * The environment's proxies are never used. */
#pragma once

#include <curl/curl.h>

#include "loadgen/engine/conn.h"

struct curl_lists {
    struct curl_slist *connect_to;
};
/* -ENOMEM; -EINVAL: libcurl does not know what is asked for, or a "resolve" is not host:port:address. */
MUST_USE int curl_set_way(CURL *easy, const struct conn_request *q, const char *ca_file, struct curl_lists *ret);
void curl_lists_done(struct curl_lists *l);
enum conn_error curl_error_of(CURLcode code);

/* Certificates that were seen, each read once: servers have few. */
struct certificate_list;
void certificate_list_free(struct certificate_list *l);
/* The peer's, while the handle has its TLS connection. NULL: there is none, or no memory. Lives as long as the list, which is made at first. */
const struct conn_certificate *certificate_of(struct certificate_list **list, CURL *easy);
