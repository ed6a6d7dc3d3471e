/* http1_link.h - the connections of conn_http1.c's users: a descriptor or a TLS handle, and where it leads. Private to that driver.
 *
 *   struct link *l = link_find(c, request);                  // one that is there and leads where the request wants to go
 *   struct link *l = link_new(c, origin);                     // takes over the hold on the origin; not connected yet
 *   n = link_send(l, bytes, n); n = link_recv(l, to, n);
 *   link_close(l);                                            // its memory stays until links_bury, as events of this turn may name it
 */
#pragma once

#include <sys/types.h>

#include "loadgen/engine/conn_driver.h"
#include "loadgen/engine/http1_connect.h"
#include "loadgen/engine/http1_origin.h"

#define LINKS_PER_USER_MAX 32u /* hosts that a journey visits; the one that was idle longest goes */

struct link_owner;
enum link_state { LINK_CONNECTING, LINK_READY, LINK_DEAD };
struct link {
    struct link *next; /* of the owner; of the dead ones */
    struct link_owner *owner;
    struct http1_origin *origin;
    struct attempt *attempt; /* while it connects; for TLS as long as it lives */
    CURL *easy;              /* TLS; NULL: plain */
    int fd;
    enum link_state state;
    bool polls_write;
    char ip[64];
    const struct conn_certificate *certificate;
};
/* What all links of an engine share. */
struct link_room {
    int epoll;
    struct http1_origins origins;
    struct link *dead;
};
struct link_owner { /* a user's links, the one used last first */
    struct link_room *room;
    struct link *links;
    unsigned n;
};
struct link *link_find(struct link_owner *c, const struct conn_request *q); /* NULL: there is none */
/* Closes the oldest one where there are too many. NULL without memory: then the origin is let go. */
struct link *link_new(struct link_owner *c, struct http1_origin *o);
void link_close(struct link *l);
void links_bury(struct link_room *room);
/* Poll for what comes. A plain link is told of once for all that has come: read it until it gives less than was asked for. -errno. */
MUST_USE int link_poll(struct link *l);
/* And for room to write as well, or no more. */
MUST_USE int link_poll_write(struct link *l, bool write);
/* How many bytes, -EAGAIN, or another errno; link_recv: 0 at the end. A send that was refused with -EAGAIN is to be repeated with the same bytes and
 * the same length: GnuTLS wants it so. */
ssize_t link_send(struct link *l, const char *bytes, size_t n);
ssize_t link_recv(struct link *l, char *to, size_t n);
/* A plain link: is there more to be read, be it the end? */
bool link_has_more(const struct link *l);
