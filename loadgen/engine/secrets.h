/* secrets.h - texts that must not be shown: --secret, --secrets-file, captures marked `redact`.
 *
 *   struct secrets s;
 *   secrets_init(&s);
 *   r = secrets_add(&s, SPAN("hunter2"));
 *   secrets_hide(&out, &s, text);              // "password ***"
 *   secrets_done(&s);
 *
 * Hidden are the text itself, a beginning of it that was cut off, and what it looks like in a URL. One or two bytes are no secret: they stand
 * everywhere. */
#pragma once

#include "lib/base/buf.h"

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
/* Append text with *** for each secret. */
void secrets_hide(struct buf *out, const struct secrets *s, struct span text);
