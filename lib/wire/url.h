/* url.h - http(s) URLs, percent-encoding and query strings.
 *
 *   struct url u;
 *   r = url_parse(&u, SPAN("http://127.0.0.1:9480/metrics?x=1"), &err_text);   // spans point into the text
 *
 * RFC 3986; scheme http or https only, host lower-cased by nobody: compare without case. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"

struct url {
    struct span scheme, user, password, host, path, query, fragment; /* path may be empty; IPv6 host without [] */
    uint16_t port;                                                   /* given, else 80 or 443 */
    bool port_given;
};
/* -EINVAL, *ret_why a constant sentence. */
MUST_USE int url_parse(struct url *u, struct span text, const char **ret_why);
/* Append with everything but unreserved characters percent-encoded. */
void url_encode(struct buf *out, struct span text);
/* Append decoded; plus_is_space for form bodies. A bad escape is kept as it is. */
void url_decode(struct buf *out, struct span text, bool plus_is_space);
/* Append a path that starts with "/" without its /./ and /../ (RFC 3986 5.2.4). */
void url_squeeze_dots(struct buf *out, struct span path);
/* Resolve `reference` (absolute, scheme-relative, absolute path or relative path) against base (RFC 3986 5.2). */
MUST_USE int url_resolve(struct buf *out, const struct url *base, struct span reference);
/* Is the host a loopback one: localhost, *.localhost, 127.0.0.0/8, ::1 ? By text, no lookup. */
bool url_host_is_loopback(struct span host);
