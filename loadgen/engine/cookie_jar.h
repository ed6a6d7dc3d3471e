/* cookie_jar.h - the cookies of one virtual user, by RFC 6265 and rfc6265bis where it is stricter.
 *
 *   struct cookie_jar jar;
 *   cookie_jar_init(&jar);
 *   cookie_jar_store(&jar, &url, set_cookie_header, unix_ms());    // refused ones are simply not kept
 *   cookie_jar_header(&jar, &url, unix_ms(), &out);                 // "a=1; b=2", or nothing
 *   cookie_jar_clear(&jar);                                         // the next session starts anew
 *   cookie_jar_done(&jar);
 *
 * Domain (no public-suffix list: a domain without a dot is refused unless it is the host itself), path, expiry by wall clock,
 * Secure (a loopback host counts as secure, as in browsers), __Secure- and __Host- prefixes. Limits: COOKIES_MAX, the oldest goes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/wire/url.h"
#include "lib/base/limits.h"

struct cookie;
struct cookie_jar {
    struct cookie **list; /* in order of creation */
    size_t n, cap;
};
void cookie_jar_init(struct cookie_jar *j);
void cookie_jar_clear(struct cookie_jar *j); /* keeps the list's memory */
void cookie_jar_done(struct cookie_jar *j);
/* One Set-Cookie value of a response from url. 0: kept, replaced or removed; -EINVAL: not a cookie; -EPERM: refused by the rules;
 * -ENOMEM. */
MUST_USE int cookie_jar_store(struct cookie_jar *j, const struct url *url, struct span set_cookie, int64_t now_ms);
/* Append the Cookie header's value for a request to url; longer paths first, then older ones. The number of cookies. */
size_t cookie_jar_header(struct cookie_jar *j, const struct url *url, int64_t now_ms, struct buf *out);
size_t cookie_jar_count(const struct cookie_jar *j);
/* Cookies of a Netscape cookie file, curl's form: domain, subdomains too, path, secure, expiry, name, value between tabs; other lines are passed
 * over, so are expired ones, and those that no server could have set (no domain, control characters, too long). -ENOMEM. */
MUST_USE int cookie_jar_read(struct cookie_jar *j, struct span text, int64_t now_ms);
/* One such line whose fields stand between any blanks; others are passed over. -ENOMEM. */
MUST_USE int cookie_jar_add(struct cookie_jar *j, struct span line, int64_t now_ms);
void cookie_jar_write(const struct cookie_jar *j, struct buf *out);
