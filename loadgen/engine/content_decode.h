/* content_decode.h - bodies that came compressed: gzip, deflate, br, as Content-Encoding names them.
 *
 *   r = content_of(headers, raw, &decoded, &body);      // decoded was made with its limit: a bomb ends there
 *
 * Shared by all drivers of conn.h, so that both give the same bytes. */
#pragma once

#include "lib/base/buf.h"

#define CONTENT_ENCODINGS_MAX 4u             /* of one body; real ones have one */
#define CONTENT_ACCEPTED "gzip, deflate, br" /* value of Accept-Encoding */

#define CONTENT_BROKEN "the body is not as its Content-Encoding says, or over the limit once decoded"

/* Append the body as it was before `encodings` ("gzip", "gzip, br": the last was applied last). deflate is read with and without zlib's frame, as
 * servers disagree. -EBADMSG: the bytes are not that, or end too early; -ENOTSUP: an encoding of another name, or too many; -ENOSPC: more than
 * the buffer's limit; -ENOMEM. */
MUST_USE int content_decode(struct span encodings, struct span body, struct buf *out);
/* The body of a response with these header lines ("Name: value\r\n"): raw itself where there is nothing to decode, else in *decoded, whose content before is forgotten.
 * 1: the encoding is not known, and the body raw. The errors of content_decode but for -ENOTSUP. */
MUST_USE int content_of(struct span headers, struct span raw, struct buf *decoded, struct span *ret_body);
