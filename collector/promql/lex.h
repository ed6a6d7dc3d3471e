/* lex.h - cuts a PromQL text into tokens with places.
 *
 *   struct lexer lx;
 *   lexer_init(&lx, text);
 *   struct token t = lexer_next(&lx);     // TOKEN_ERROR: lx.error says why; TOKEN_END at the end, again and again
 *
 * Comments and blanks are skipped. What a word or a colon means depends on where it stands: between braces words
 * are plain identifiers, between brackets a colon separates a subquery's step. A struct lexer may be copied to look
 * ahead. Tokens point into the text. */
#pragma once

#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/problem.h"
#include "lib/base/span.h"

enum token_type {
    TOKEN_END,
    TOKEN_ERROR,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACE,
    TOKEN_RIGHT_BRACE,
    TOKEN_LEFT_BRACKET,
    TOKEN_RIGHT_BRACKET,
    TOKEN_EQL,
    TOKEN_EQL_REGEX,
    TOKEN_NEQ_REGEX,
    TOKEN_AT,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_DURATION,
    TOKEN_IDENTIFIER,
    TOKEN_METRIC_IDENTIFIER, /* an identifier with a colon */
    /* operators, first to last */
    TOKEN_ADD,
    TOKEN_SUB,
    TOKEN_MUL,
    TOKEN_DIV,
    TOKEN_MOD,
    TOKEN_POW,
    TOKEN_ATAN2,
    TOKEN_EQLC,
    TOKEN_NEQ,
    TOKEN_LTE,
    TOKEN_LSS,
    TOKEN_GTE,
    TOKEN_GTR,
    TOKEN_TRIM_UPPER, /* </ keeps what is below */
    TOKEN_TRIM_LOWER, /* >/ keeps what is above */
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_UNLESS,
    /* aggregations */
    TOKEN_SUM,
    TOKEN_AVG,
    TOKEN_COUNT,
    TOKEN_MIN,
    TOKEN_MAX,
    TOKEN_GROUP,
    TOKEN_STDDEV,
    TOKEN_STDVAR,
    TOKEN_TOPK,
    TOKEN_BOTTOMK,
    TOKEN_COUNT_VALUES,
    TOKEN_QUANTILE,
    TOKEN_LIMITK,
    TOKEN_LIMIT_RATIO,
    /* keywords */
    TOKEN_OFFSET,
    TOKEN_SMOOTHED,
    TOKEN_ANCHORED,
    TOKEN_BY,
    TOKEN_WITHOUT,
    TOKEN_ON,
    TOKEN_IGNORING,
    TOKEN_GROUP_LEFT,
    TOKEN_GROUP_RIGHT,
    TOKEN_FILL,
    TOKEN_FILL_LEFT,
    TOKEN_FILL_RIGHT,
    TOKEN_BOOL,
    /* words that stand for a piece of the query's time range */
    TOKEN_START,
    TOKEN_STOP, /* end() */
    TOKEN_STEP,
    TOKEN_RANGE,
    TOKEN_TYPES
};

struct token {
    enum token_type type;
    size_t start, end; /* bytes in the text */
};
struct lexer {
    struct span text;
    size_t at;
    unsigned paren_depth;
    bool in_braces, in_brackets;
    bool failed;
    struct parse_error error;
};

void lexer_init(struct lexer *lx, struct span text);
struct token lexer_next(struct lexer *lx);
/* The type's fixed spelling ("+", "sum", "offset"), or NULL where it has none (string, number, identifier). */
const char *token_spelling(enum token_type t);
static inline bool token_is_operator(enum token_type t)
{
    return t >= TOKEN_ADD && t <= TOKEN_UNLESS;
}
static inline bool token_is_comparison(enum token_type t)
{
    return t >= TOKEN_EQLC && t <= TOKEN_GTR;
}
static inline bool token_is_trim(enum token_type t)
{
    return t == TOKEN_TRIM_UPPER || t == TOKEN_TRIM_LOWER;
}
static inline bool token_is_set_operator(enum token_type t)
{
    return t >= TOKEN_AND && t <= TOKEN_UNLESS;
}
static inline bool token_is_aggregation(enum token_type t)
{
    return t >= TOKEN_SUM && t <= TOKEN_LIMIT_RATIO;
}
/* Takes a parameter before its vector? */
static inline bool token_takes_parameter(enum token_type t)
{
    return t >= TOKEN_TOPK && t <= TOKEN_LIMIT_RATIO;
}
/* A word: identifier, aggregation, keyword or operator that is written as one. */
bool token_is_word(enum token_type t);
/* How error messages name it: `identifier "foo"`, `<by>`, `end of input`. */
void token_describe(struct span text, struct token t, struct buf *out);

/* Take the quotes off and the escapes out. -EINVAL: not such a string (*ret_why says so); -ENOMEM. */
MUST_USE int string_unquote(struct span quoted, struct arena *arena, struct span *ret, const char **ret_why);
/* A number as PromQL writes it: 1_000, 0x1F, 017 (octal), 1e3, .5, Inf, NaN. -EINVAL. */
MUST_USE int number_parse(struct span text, double *ret);
