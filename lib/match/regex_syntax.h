/* regex_syntax.h - reads RE2 syntax (github.com/google/re2/blob/main/doc/syntax.txt, as Go's regexp/syntax
 * takes it) and says the same in PCRE2's. Nothing of the pattern reaches PCRE2 unread, so what RE2 refuses
 * cannot slip through.
 *
 *   struct regex_syntax syn;
 *   r = regex_syntax_read(pattern, REGEX_ANCHORED, &arena, &syn, &err);
 *
 * While reading it learns what can be known without matching: the exact texts that the pattern stands for
 * when they are few, a prefix of every match, and the shape .*text.* that needs no engine.
 *
 * Where we differ from RE2, each refused or documented in docs, never silently another match:
 * - groups nest 250 deep (RE2: 1000); a quantifier after a flag group, a(?i)*, is refused;
 * - \pC also covers unassigned code points, and scripts are those of PCRE2's Unicode version;
 * - a literal U+FFFD in the pattern does not match a byte that is no UTF-8 (a dot or class does, as in RE2). */
#pragma once

#include "lib/match/regex.h"

enum regex_shape {
    REGEX_SHAPE_OTHER,    /* needs the engine */
    REGEX_SHAPE_LITERALS, /* exactly one of literals[] */
    REGEX_SHAPE_DOTS      /* before literal after, where before and after are nothing, .* or .+ */
};
enum regex_dots { REGEX_DOTS_NONE, REGEX_DOTS_STAR, REGEX_DOTS_PLUS };

struct regex_syntax {
    struct span pcre;      /* the pattern for PCRE2 */
    size_t n_groups;       /* capturing groups */
    struct span *names;    /* [n_groups + 1], empty where unnamed; [0] is the whole match */
    struct span *literals; /* sorted, unique; REGEX_SHAPE_LITERALS only */
    size_t n_literals;
    struct span prefix;     /* every match starts with it */
    enum regex_shape shape; /* of an anchored, case-sensitive pattern, else OTHER */
    enum regex_dots before, after;
    struct span literal;
};

/* All results live in the arena. -EINVAL: *ret_error says where; -ENOMEM: too large for the arena. */
MUST_USE int regex_syntax_read(struct span pattern, int flags, struct arena *arena, struct regex_syntax *ret,
                               struct parse_error *ret_error);
