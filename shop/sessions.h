/* sessions.h - visitors, found by the cookie sid: market, channel, CSRF token, how far the checkout is, what was noted.
 * Thread-safe: a session is copied out and its changes are put back whole. */
#pragma once

#include "shop/shop.h"

#define SESSION_ID_BYTES 33 /* 32 hex digits and NUL */

struct noted { /* articles, the first noted first */
    uint16_t products[NOTED_MAX];
    unsigned n;
};
struct session {
    char id[SESSION_ID_BYTES], csrf[SESSION_ID_BYTES];
    enum market market;
    enum channel channel;
    bool has_address, has_shipping;
    int64_t checkout_started_us; /* 0: not begun */
    int64_t seen_ms;
    struct noted wishlist, compared;
};
struct sessions;
MUST_USE int sessions_new(struct sessions **ret);
void sessions_free(struct sessions *s);
/* The known session (-ENOENT: none, or idle too long). */
MUST_USE int sessions_find(struct sessions *s, struct span id, int64_t now_ms, struct session *ret);
/* -ENOSPC: SHOP_SESSIONS_MAX visitors within the idle time. */
MUST_USE int sessions_create(struct sessions *s, enum market market, enum channel channel, int64_t now_ms,
                             struct session *ret);
/* A new CSRF token for the visitor, also in *session. -EIO. */
MUST_USE int sessions_renew_token(struct sessions *s, struct session *session);
void sessions_put(struct sessions *s, const struct session *session);
