/* digest.h - HTTP Digest authentication, the client's side (RFC 7616, and RFC 2069 where a server offers no qop).
 *
 *   struct digest_challenge c;
 *   if (digest_challenge_read(header_value, &c) == 0)                  // of WWW-Authenticate; spans point into it
 *       r = digest_answer(&out, &c, &(struct digest_request){...});    // value of Authorization
 *
 * Algorithms MD5 and SHA-256, with and without -sess; qop auth. A nonce is used once: nc is 1. */
#pragma once

#include "lib/base/buf.h"

struct digest_challenge {
    struct span realm, nonce, opaque, algorithm; /* without quotes; opaque.ptr NULL: not given */
    bool auth;                                   /* qop=auth is offered */
};
struct digest_request {
    struct span method, uri; /* uri: path and query as in the request line */
    struct span user, password;
    struct span cnonce;
};
/* -EINVAL: no Digest challenge, or one without realm and nonce; -ENOTSUP: an algorithm or qop of another kind. */
MUST_USE int digest_challenge_read(struct span value, struct digest_challenge *ret);
/* Append "Digest username=…". -ENOMEM, -ENOSPC: the buffer's. */
MUST_USE int digest_answer(struct buf *out, const struct digest_challenge *c, const struct digest_request *q);
