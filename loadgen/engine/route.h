/* route.h - where a request really goes: resolve, connect-to and unix-socket send it elsewhere than its URL says.
 *
 *   route_target(request.route, &host, &port);       // before asking allow_hosts_permits */
#pragma once

#include "loadgen/engine/conn.h"

/* *host and *port of a URL become those that are connected to; spans point into the route. false: no host at all, a socket of this machine.
 * A NULL route changes nothing. */
bool route_target(const struct conn_route *route, struct span *host, uint16_t *port);
/* The proxy that the request goes through; false: none. */
bool route_proxy(const struct conn_route *route, struct span *ret_host, uint16_t *ret_port);
