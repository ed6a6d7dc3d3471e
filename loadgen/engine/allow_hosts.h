/* allow_hosts.h - where load may go: loopback always, other hosts only when a file names them.
 *
 *   struct allow_hosts *a = NULL;
 *   r = allow_hosts_load("hosts.txt", &a, &problems);
 *   if (!allow_hosts_permits(a, SPAN("shop.example"), 443)) ...     // a may be NULL: loopback only
 *
 * One per line: HOST, HOST:PORT, *.DOMAIN or *.DOMAIN:PORT (a star stands for one or more leading labels); IPv6 addresses in
 * brackets; # starts a comment. Names are compared as text, without case: what a name resolves to is not looked at. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/problem.h"
#include "lib/base/span.h"

struct allow_hosts;
MUST_USE int allow_hosts_load(const char *path, struct allow_hosts **ret, struct problems *problems);
/* The same from text; `name` is for messages. */
MUST_USE int allow_hosts_parse(const char *name, struct span text, struct allow_hosts **ret, struct problems *problems);
void allow_hosts_free(struct allow_hosts *a);
bool allow_hosts_permits(const struct allow_hosts *a, struct span host, uint16_t port);
