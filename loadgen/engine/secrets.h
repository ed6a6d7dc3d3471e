/* secrets.h - texts that must not be shown: --secret, --secrets-file, HURL_SECRET_…, captures marked `redact`.
 *
 *   struct secrets s;
 *   secrets_init(&s);
 *   r = secrets_add(&s, SPAN("hunter2"));
 *   secrets_hide(&out, &s, text);              // "password ***"
 *   secrets_done(&s);
 *
 * Hidden are the text itself, a beginning of it that was cut off, and what it looks like in a URL, in a form and in JSON. One or two bytes are
 * no secret: they stand everywhere. */
#pragma once

#include "lib/base/buf.h"
#include "loadgen/hurl/value.h"

#define SECRET_START_BYTES 6u /* so much of a secret is taken for it, even when the rest was cut off */
#define SECRETS_MAX 4096u

struct secrets {
    struct span *list; /* owned copies */
    size_t n, cap;
};
void secrets_init(struct secrets *s);
void secrets_done(struct secrets *s);
/* -E2BIG: more than SECRETS_MAX; -ENOMEM. Known and empty ones are fine. */
MUST_USE int secrets_add(struct secrets *s, struct span text);
/* As a template or JSON would write it. Bytes have no text that could be shown; nothing, null, true and false tell nothing. The same errors. */
MUST_USE int secrets_add_value(struct secrets *s, const struct hurl_value *v);
/* All of `from`, too. The same errors. */
MUST_USE int secrets_copy(struct secrets *s, const struct secrets *from);
/* Append text with *** for each secret. */
void secrets_hide(struct buf *out, const struct secrets *s, struct span text);
/* The same within a text of that room, which may be cut for it. */
void secrets_hide_in(char *text, size_t room, const struct secrets *s);
