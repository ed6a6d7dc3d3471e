/* date.h - dates as hurl's filters write and read them: the specifiers of Rust's chrono, to which hurl hands its formats
 * (docs.rs/chrono, format::strftime), in English. Dates are microseconds since the epoch, UTC.
 *
 *   r = hurl_date_format(SPAN("%a, %d %b %Y"), us, &out);
 *   r = hurl_date_parse(SPAN("2024-12-31 +0200"), SPAN("%F %z"), &us); */
#pragma once

#include <stdint.h>

#include "lib/base/buf.h"

/* Append. -EINVAL: a specifier that there is none of. */
MUST_USE int hurl_date_format(struct span format, int64_t us, struct buf *out);
/* Without a time of day it is midnight, without an offset UTC. -EINVAL: the text is not of the format, or says no date; or no such
 * specifier. */
MUST_USE int hurl_date_parse(struct span text, struct span format, int64_t *ret_us);
