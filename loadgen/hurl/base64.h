/* base64.h - RFC 4648: standard and URL-safe alphabets.
 *
 *   base64_encode(&out, bytes, false);
 *   r = base64_decode(&out, SPAN("aGk="), false);          // -EINVAL: not base64
 *
 * Padding is written by the standard alphabet only and is optional when reading; blanks and newlines between
 * characters are skipped. */
#pragma once

#include "lib/base/buf.h"

void base64_encode(struct buf *out, struct span bytes, bool url_safe);
MUST_USE int base64_decode(struct buf *out, struct span text, bool url_safe);
/* Pairs of hex digits, blanks between them skipped. -EINVAL. */
MUST_USE int hex_decode(struct buf *out, struct span text);
