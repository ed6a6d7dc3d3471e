/* matcher.h - one label matcher: name, operator, value.
 *
 *   struct matcher m;
 *   r = matcher_init(&m, MATCH_REGEX, SPAN("job"), SPAN("shop|api"), &err);
 *   if (matcher_matches(&m, value) > 0) ...        // a missing label is the empty value
 *   matcher_done(&m);
 *
 * Name and value are copied. */
#pragma once

#include "lib/match/regex.h"

enum match_type { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX };
struct matcher {
    enum match_type type;
    struct span name, value;
    struct regex *regex; /* for the two regex types */
};
MUST_USE int matcher_init(struct matcher *m, enum match_type type, struct span name, struct span value,
                          struct parse_error *ret_error);
void matcher_done(struct matcher *m);
/* 1, 0 or -E2BIG (regex over its match limit). */
int matcher_matches(const struct matcher *m, struct span value);
/* Does it match a series that lacks the label? */
bool matcher_matches_empty(const struct matcher *m);
/* "=", "!=", "=~", "!~". */
const char *match_type_text(enum match_type t);
/* job="shop" with the value quoted. */
void matcher_format(struct buf *out, const struct matcher *m);
