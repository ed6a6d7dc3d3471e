/* charset.h - text in another character set than UTF-8, by the C library's iconv.
 *
 *   r = charset_decode(SPAN("iso-8859-1"), bytes, &out);
 *
 * Names are those of Content-Type headers, read as browsers and hurl read them (WHATWG Encoding, 4.2): iso-8859-1 and ascii are windows-1252,
 * gb2312 is GBK. */
#pragma once

#include "lib/base/buf.h"

/* Append as UTF-8. -ENOENT: no character set of that name; -EILSEQ: the bytes are not of it; -ENOSPC, -ENOMEM: the buffer's. */
MUST_USE int charset_decode(struct span name, struct span bytes, struct buf *out);
