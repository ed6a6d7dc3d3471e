/* redact.h - what was sent and answered, fit to be kept and shown: without passwords, tokens, cookies and card numbers.
 *
 *   redact_headers(&out, SPAN("Cookie: s=1\r\nAccept: text/html\r\n"), &secrets);      // Cookie: [removed]
 *   redact_url(&out, url, &secrets);                                                    // ?token=[removed]
 *   redact_body(&out, body, &secrets, 65536);                                           // "key ***"
 *
 * Removed are values of names that tell a secret (JSON and XML members, form and query parameters, HTML and multipart fields), the given
 * secrets wherever they stand, and numbers that pass for a card's (Luhn). A body that is no text is only measured. Errors stick in the buffer. */
#pragma once

#include "loadgen/engine/secrets.h"

/* Lines "Name: value", ended by \n, \r\n or the end. */
void redact_headers(struct buf *out, struct span lines, const struct secrets *secrets);
void redact_url(struct buf *out, struct span url, const struct secrets *secrets);
/* About the first max_bytes of it, and how much there was. */
void redact_body(struct buf *out, struct span body, const struct secrets *secrets, size_t max_bytes);
