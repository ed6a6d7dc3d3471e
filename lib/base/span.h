/* span.h - a piece of somebody else's bytes: pointer and length, not owned, not NUL-terminated.
 *
 *   struct span method = span_str("GET");
 *   if (span_equal(method, SPAN("POST"))) ...
 *   log_info("got", "method", SPAN_FMT, SPAN_ARG(method));
 *
 * {NULL, 0} is the empty span and equals every other empty span. The bytes live as long as their owner says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *ptr;
    size_t len;
};

#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
#define SPAN_INIT(literal)                                                                                             \
    {                                                                                                                  \
        "" literal, sizeof(literal) - 1                                                                                \
    } /* for static initialisers */
#define SPAN_FMT "%.*s"
#define SPAN_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct span span_of(const char *ptr, size_t len)
{
    return (struct span){ptr, len};
}
/* NULL gives the empty span. */
static inline struct span span_str(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}
static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
/* Byte order, shorter first on a tie: <0, 0, >0. The order of labels everywhere. */
static inline int span_compare(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}
static inline bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}
/* The rest of s from byte n on (empty when n >= len). */
static inline struct span span_from(struct span s, size_t n)
{
    return n >= s.len ? (struct span){NULL, 0} : (struct span){s.ptr + n, s.len - n};
}
/* Index of the first byte c, or s.len. */
static inline size_t span_find(struct span s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : s.len;
}
/* Without leading and trailing blanks (space, tab, CR, LF). */
struct span span_trim(struct span s);
/* ASCII case ignored: header names, keywords. */
bool span_equal_nocase(struct span a, struct span b);
/* Cut the first piece up to `sep` off *rest (the separator is consumed). false when *rest is exhausted. */
bool span_cut(struct span *rest, char sep, struct span *ret_piece);
/* First occurrence of needle in hay, or hay.len. */
size_t span_search(struct span hay, struct span needle);
/* A NUL-terminated copy from malloc, or NULL without memory; the caller frees. */
char *span_dup(struct span s);
/* Valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? The empty span is. */
bool span_is_utf8(struct span s);
/* Edit distance, for "did you mean" suggestions; at most `max` + 1. */
size_t span_distance(struct span a, struct span b, size_t max);
