/* netrc.h - user and password of a host from a netrc file, as curl reads one.
 *
 *   r = netrc_find(path, SPAN("shop.test"), SPAN(""), &credentials);      // "user:password" appended
 *
 * Words: machine NAME, default, login, password; account and macdef are passed over; # starts a comment. */
#pragma once

#include "lib/base/buf.h"

/* Append "login:password" of the machine's first entry (with this login, when one is wanted). -ENOENT: none; -errno when the file cannot be read. */
MUST_USE int netrc_find(const char *path, struct span host, struct span login, struct buf *out);
