/* redact.h - what was sent and answered, fit to be kept and shown: without passwords, tokens, cookies and card numbers.
 *
 *   redact_headers(&out, SPAN("Cookie: s=1\r\nAccept: text/html\r\n"));      // Cookie: [removed]
 *   redact_url(&out, url, secrets, n);                                       // ?token=[removed]
 *   redact_body(&out, body, secrets, n, 65536);
 *
 * Removed are values of names that tell a secret (JSON and XML members, form and query parameters, HTML and multipart fields), the given
 * secrets wherever they stand, and numbers that pass for a card's (Luhn). A body that is no text is only measured. Errors stick in the buffer. */
#pragma once

#include "lib/base/buf.h"

#define REDACT_SECRET_BYTES_MIN 4u /* shorter ones stand everywhere by chance */

/* Lines "Name: value", ended by \n, \r\n or the end. */
void redact_headers(struct buf *out, struct span lines);
void redact_url(struct buf *out, struct span url, const struct span *secrets, size_t n_secrets);
/* About the first max_bytes of it, and how much there was. */
void redact_body(struct buf *out, struct span body, const struct span *secrets, size_t n_secrets, size_t max_bytes);
