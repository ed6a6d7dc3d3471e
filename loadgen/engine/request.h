/* request.h - from a tree's entry to the bytes of a request: options, URL, headers, body; and from a redirect to the next one.
 *
 *   r = entry_options_read(&rq.options, scope, entry, config, &rq.out, &why);       // before the step: delay, skip, location …
 *   r = request_build(&rq, scope, entry, jar, config, &why);
 *   conn_send(conn, &rq.out);
 *   r = request_follow(&rq, location, status, jar, config, &why);       // the next hop of a redirect, in rq.out
 *
 * Buffers are reused from step to step. */
#pragma once

#include "loadgen/engine/config.h"
#include "loadgen/engine/cookie_jar.h"
#include "loadgen/engine/entry_options.h"

#define CONTENT_TYPE_BYTES_MAX 96

struct request {
    struct entry_options options;
    struct conn_request out;
    struct buf url, body, headers;     /* headers: lines, each ended by NUL */
    char type[CONTENT_TYPE_BYTES_MAX]; /* that the body has by itself; "": none */
    struct buf origin;                 /* "http://host:port" that the journey meant, before --target */
    struct url at;                     /* out.url in its parts */
    struct buf known;                  /* the origin that was asked last, */
    struct url known_url;              /* in its parts: no need to look at it again for the next request */
    const char **lines;
    size_t lines_cap;
    bool drop_credentials; /* a redirect led to another host */
    struct buf challenge;  /* of Digest, that the server has sent; empty: none yet */
    /* the parts that redirects take along */
    const struct hurl_entry *entry;
    const char *user_agent; /* of the user's class, unless the journey writes one; NULL: the generator's */
};
void request_init(struct request *rq);
void request_done(struct request *rq);
/* -EINVAL with *why; -EPERM: the host is not allowed (*why says which and how to allow it); -ENOMEM. */
MUST_USE int request_build(struct request *rq, struct hurl_scope *s, const struct hurl_entry *e, struct cookie_jar *jar,
                           const struct run_config *c, struct hurl_failure *why);
/* An answer with status 401: 1 when it asks for Digest and the answer to that stands in rq->out now, 0 when there is nothing to answer with.
 * Errors are request_build's. */
MUST_USE int request_answer_challenge(struct request *rq, struct hurl_scope *s, struct span headers,
                                      struct cookie_jar *jar, const struct run_config *c, struct hurl_failure *why);
/* Is it a redirect that hurl follows? */
bool request_redirects(int status);
/* The same errors as request_build. */
MUST_USE int request_follow(struct request *rq, struct hurl_scope *s, struct span location, int status,
                            struct cookie_jar *jar, const struct run_config *c, struct hurl_failure *why);
