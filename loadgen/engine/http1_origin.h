/* http1_origin.h - where requests go and how: what is the same for every request to one server, made once and shared by all users of an engine.
 *
 *   struct http1_origin *o;
 *   r = http1_origin_get(&table, request, "crest-loadgen", &o);    // made at first; the caller holds it
 *   if (http1_origin_serves(o, &request)) ...                       // the quick question, request by request
 *   r = http1_write_request(o, &request, &out);
 *   http1_origin_drop(&table, o);
 *
 * Two requests have one origin when their URLs begin with the same "http://host:port" and their connections are made the same way. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "loadgen/engine/conn.h"

struct http1_origin {
    struct http1_origin *next;
    size_t holders;
    struct arena arena;
    struct conn_request way; /* url ("http://host:port"), route, family, insecure: what makes a connection there */
    struct conn_route route;
    size_t prefix_len;         /* of way.url */
    struct span fixed;         /* Host, User-Agent, Accept as they stand in a request without such headers of its own */
    struct span host_line;     /* the first of them */
    struct span authorization; /* line of user:password in the URL; empty: none */
    const char *user_agent;
    bool secure;
};
struct http1_origins {
    struct http1_origin *first;
    size_t n;
};
/* -EINVAL: the URL is none, *ret_why says why; -ENOMEM. */
MUST_USE int http1_origin_get(struct http1_origins *table, const struct conn_request *q, const char *user_agent,
                              struct http1_origin **ret, const char **ret_why);
/* Does the request go there? */
bool http1_origin_serves(const struct http1_origin *o, const struct conn_request *q);
void http1_origin_drop(struct http1_origins *table,
                       struct http1_origin *o); /* NULL is fine; some that nobody holds are kept */
void http1_origins_free(struct http1_origins *table);
/* Append the request; *ret_body: what is to be sent after it (small and chunked bodies are appended themselves). -EINVAL: a header line without a
 * colon; -ENOSPC, -ENOMEM of the buffer. */
MUST_USE int http1_write_request(const struct http1_origin *o, const struct conn_request *q, struct buf *out,
                                 struct span *ret_body);
