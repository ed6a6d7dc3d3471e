/* regex_texts.h - what is known of the texts that a piece of a pattern can match, bottom-up while it is read.
 *
 *   struct texts seq = texts_empty(), item;
 *   r = texts_literal(arena, "ab", 2, &item);
 *   r = texts_append(arena, &seq, &item);      // seq: exactly {"ab"}
 *   texts_inexact(&item);                      // a class, a dot, ...
 *   r = texts_append(arena, &seq, &item);      // seq: starts with "ab"
 *
 * exact: precisely the texts list[0..n). Not exact: every match starts with list[0] (which may be empty). */
#pragma once

#include "lib/base/arena.h"

struct text {
    char *bytes;
    size_t len, cap;
};
struct texts {
    struct text *list;
    size_t n, cap;
    bool exact;
};

/* Exactly the empty text. -ENOMEM. */
MUST_USE int texts_empty(struct arena *a, struct texts *ret);
MUST_USE int texts_literal(struct arena *a, const char *bytes, size_t len, struct texts *ret);
/* Forget all but what every text starts with. */
void texts_inexact(struct texts *t);
/* Nothing is known. */
void texts_unknown(struct texts *t);
/* seq then item; takes item over. -ENOMEM. */
MUST_USE int texts_append(struct arena *a, struct texts *seq, struct texts *item);
/* either or other; takes other over. -ENOMEM. */
MUST_USE int texts_either(struct arena *a, struct texts *either, struct texts *other);
