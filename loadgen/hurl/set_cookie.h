/* set_cookie.h - one Set-Cookie header, by RFC 6265's rules for reading it.
 *
 *   struct set_cookie c;
 *   r = set_cookie_parse(SPAN("id=7; Path=/; Secure"), &c);     // spans point into the text
 *
 * The `cookie` query and the engine's jar read through here. Draft rfc6265bis where it is stricter (size
 * limits). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"
#include "lib/base/limits.h"

struct set_cookie {
    struct span name, value;
    struct span expires, domain, path, same_site; /* as written; ptr NULL: not given; the last one wins */
    bool has_max_age, secure, http_only;
    int64_t max_age_s;
    bool has_expires_time;
    int64_t expires_s; /* Unix time of `expires` */
};
/* -EINVAL: no cookie (no name and no value, control characters, too long). */
MUST_USE int set_cookie_parse(struct span text, struct set_cookie *ret);
/* Control characters other than a tab: never in a cookie, wherever it comes from. */
bool cookie_has_control(struct span s);
/* RFC 6265 5.1.1: any of the usual date forms, seconds since the epoch. -EINVAL. */
MUST_USE int cookie_date_parse(struct span text, int64_t *ret_s);
