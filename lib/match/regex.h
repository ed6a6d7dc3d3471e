/* regex.h - regular expressions as Prometheus users write them (RE2 syntax), on PCRE2 with match limits. The
 * only user of pcre2.h.
 *
 *   struct regex *re;
 *   r = regex_compile(SPAN("get|post.*"), REGEX_ANCHORED, &re, &err);
 *   if (regex_match(re, value) > 0) ...
 *
 * DOTALL, DOLLAR_ENDONLY, UTF, MATCH_INVALID_UTF. What RE2 refuses (look-around, back-references, possessive,
 * atomic, conditionals, recursion, \K, callouts) is refused with its place. Literal, prefix and
 * alternation-of-literals fast paths are inside. A compiled regex may be used by many threads at once. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/problem.h"

struct regex;
enum regex_flags {
    REGEX_ANCHORED = 1, /* must match the whole text: ^(?:pattern)$ */
    REGEX_CASELESS = 2,
    REGEX_UNICODE = 4 /* \d \w \s \b are Unicode's, as in Rust's regular expressions; RE2's are ASCII */
};
/* -EINVAL (not this syntax, or over 1 MB) and -ENOMEM, both with words in *ret_error. */
MUST_USE int regex_compile(struct span pattern, int flags, struct regex **ret, struct parse_error *ret_error);
void regex_free(struct regex *re);
/* 1 yes, 0 no, -E2BIG: over the match limit, some 10 ms of work or 32 MB of backtracking (the caller makes it an error,
 * never a "no"). */
int regex_match(const struct regex *re, struct span text);
/* Search from byte `from` (0 when the pattern is anchored); fills up to max groups (group 0 is the whole match; unset groups are {NULL,0});
 * *ret_n is the pattern's group count + 1. 1, 0 or -E2BIG. */
int regex_search(const struct regex *re, struct span text, size_t from, struct span *groups, size_t max, size_t *ret_n);
/* Append `replacement` expanded as Go's Regexp.Expand does: $1, ${1}, $name, ${name}, $$; the longest name
 * wins ($1x is the group named 1x: empty when there is none). */
void regex_expand(const struct regex *re, struct span replacement, const struct span *groups, size_t n,
                  struct buf *out);
/* The literals that the whole pattern is an alternation of ("a|b|c"), when it is: *ret_n of them in the
 * regex's memory. 0 when it is not. For looking postings up without matching. */
size_t regex_literals(const struct regex *re, const struct span **ret);
/* The literal that every match starts with (anchored patterns), may be empty. */
struct span regex_prefix(const struct regex *re);
struct span regex_pattern(const struct regex *re);
