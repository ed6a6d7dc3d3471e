/* parser.h - what the three files of the parser share: the state, one token of look-ahead, errors.
 *
 * Functions return 0 or a negative errno; the first error found stays in p->error (lexer errors win: the text is cut
 * there). */
#pragma once

#include "collector/promql/ast.h"

struct parser {
    struct lexer lexer;
    struct token token; /* the next one, not consumed */
    size_t last_end;    /* of the token consumed last */
    unsigned depth;
    struct arena *arena;
    struct promql_expr *selectors; /* all made so far, also on failure: they own regexes */
    struct parse_error *error;
};

static inline struct span token_text(const struct parser *p, struct token t)
{
    return span_of(p->lexer.text.ptr + t.start, t.end - t.start);
}
/* Consume the token. */
void parser_advance(struct parser *p);
/* Consume it if it is of that type. */
bool parser_accept(struct parser *p, enum token_type t);
/* "unexpected X in CONTEXT, expected WHAT"; both may be "". Returns the negative errno. */
int parser_unexpected(struct parser *p, const char *context, const char *expected);
int parser_fail(struct parser *p, int code, size_t start, size_t end, const char *format, ...) PRINTF_LIKE(5, 6);
int parser_no_memory(struct parser *p);
/* One level deeper; -EINVAL past QUERY_DEPTH_MAX. Every enter needs its leave (p->depth--). */
MUST_USE int parser_enter(struct parser *p);
MUST_USE int parser_node(struct parser *p, enum node_kind kind, size_t start, struct promql_expr **ret);
/* Append to an array in the arena. */
MUST_USE int parser_append(struct parser *p, void *array_pointer, size_t n, size_t size, const void *item);

/* parse.c */
MUST_USE int parse_expression(struct parser *p, int min_precedence, struct promql_expr **ret);
/* parse_selector.c: `name` is the token consumed before, or NULL when the selector starts with a brace. */
MUST_USE int parse_selector(struct parser *p, const struct token *name, struct promql_expr **ret);
/* (a, "b.c", by): the labels of by, on, group_left, ... */
MUST_USE int parse_grouping(struct parser *p, struct span **ret, size_t *ret_n);
/* [range], [range:step], offset, @, anchored, smoothed behind *e, as many as there are. */
MUST_USE int parse_postfix(struct parser *p, struct promql_expr **e);
/* Could a metric be called so without quotes? */
bool word_may_name_metric(enum token_type t);
/* parse_duration.c */
MUST_USE int parse_duration(struct parser *p, struct duration_expr **ret); /* between brackets: full arithmetic */
MUST_USE int parse_offset(struct parser *p, struct duration_expr **ret);   /* one term with a sign */
/* Number or duration token -> seconds; the token is consumed. */
MUST_USE int parse_number(struct parser *p, double *ret, bool *ret_is_duration);
