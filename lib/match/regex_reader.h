/* regex_reader.h - the state that the two halves of the pattern reader share: regex_syntax.c (groups,
 * sequences, quantifiers) and regex_class.c (escapes and classes). Not for others. */
#pragma once

#include "lib/match/regex_syntax.h"
#include "lib/match/regex_texts.h"

enum { FLAG_CASELESS = 1, FLAG_MULTILINE = 2, FLAG_DOTALL = 4, FLAG_UNGREEDY = 8 };

struct regex_reader {
    const char *text;
    size_t len, at;
    unsigned flags;
    bool anchored, unicode;
    struct arena *arena;
    struct buf out; /* PCRE2's pattern */
    struct span *names;
    size_t n_groups, names_cap;
    struct parse_error *error;
    /* the shape so far of a pattern without alternation: before literal after */
    bool dots_only;
    enum regex_dots before, after;
    struct text literal;
};

#define FAIL(p, start, end, ...) (parse_error_set((p)->error, -EINVAL, (p)->text, (start), (end), __VA_ARGS__), -EINVAL)
/* The bytes [start, end) of the pattern as %.*s arguments; long pieces are cut for the message. */
#define PIECE(p, start, end) (int)((end) - (start) > 60 ? 60 : (end) - (start)), (p)->text + (start)

static inline bool reader_more(const struct regex_reader *p)
{
    return p->at < p->len;
}
static inline bool reader_at(const struct regex_reader *p, const char *text)
{
    return span_starts(span_of(p->text + p->at, p->len - p->at), span_str(text));
}
static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool char_is_word(char c)
{
    return char_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The next code point; the pattern was checked to be UTF-8. */
uint32_t reader_rune(struct regex_reader *p);
/* The same in and outside of a class, and no metacharacter in either. */
void reader_emit_rune(struct regex_reader *p, uint32_t rune);
/* An escape that stands for one character; at is behind the backslash at `start`. */
MUST_USE int reader_char_escape(struct regex_reader *p, size_t start, uint32_t *ret);
/* \d \D \s \S \w \W \pN ...: 1 when one stood here and was written out, 0 when not, or -EINVAL. */
MUST_USE int reader_class_escape(struct regex_reader *p, bool in_class);
/* [...]: at is on the bracket. */
MUST_USE int reader_class(struct regex_reader *p, struct texts *ret);
