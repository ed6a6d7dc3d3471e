/* credentials.h - who a request says that it is.
 *
 *   r = credentials_find(&out, scope, request, options, &url, &why);           // "user:password", or nothing
 *
 * In this order: [BasicAuth], the option `user`, the URL, the netrc file. */
#pragma once

#include "lib/wire/url.h"
#include "loadgen/engine/entry_options.h"

/* Append; nothing when there are none. -EINVAL with *why; -ENOMEM. */
MUST_USE int credentials_find(struct buf *out, struct hurl_scope *s, const struct hurl_request *q,
                              const struct entry_options *o, const struct url *url, struct hurl_failure *why);
