/* template_lex.h - the tokens and constants of a template's actions, for template_parse.c.
 *
 * The parser sets `at` and `action_end` to the inside of an action; lex_next() then reads one token after the other. Token texts and
 * names are pieces of the template's text, resolved strings live in the arena. */
#pragma once

#include "collector/template/template_value.h"
#include "lib/base/arena.h"
#include "lib/base/problem.h"

enum token_kind {
    TOKEN_END, /* of the action */
    TOKEN_PIPE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_DECLARE, /* := */
    TOKEN_ASSIGN,  /* = */
    TOKEN_COMMA,
    TOKEN_WORD,
    TOKEN_VARIABLE, /* "$x" without its fields */
    TOKEN_FIELD,    /* ".a", or "." alone */
    TOKEN_NUMBER,
    TOKEN_STRING, /* with its quotes */
    TOKEN_RAW,
    TOKEN_CHAR
};
struct token {
    enum token_kind kind;
    size_t start, end;
    bool spaced; /* a blank stands before it */
};
struct lexer {
    struct span text;
    struct arena *arena;
    struct parse_error *error;
    size_t at;         /* next byte */
    size_t action_end; /* where "}}" (or " -}}") of this action begins */
    struct token token;
};

/* Note the error at its place and return code. */
int lex_fail(struct lexer *l, int code, size_t start, size_t end, const char *format, ...) PRINTF_LIKE(5, 6);
/* Zeroed memory; NULL with *r = -ENOMEM noted. */
void *lex_alloc(struct lexer *l, size_t bytes, int *r);
struct span lex_piece(const struct lexer *l, size_t start, size_t end);
struct span lex_text(const struct lexer *l); /* of the token */
bool lex_is_blank(char c);
/* Past the closing quote of what opens at `at`, or 0. */
size_t lex_quoted_end(const struct lexer *l, size_t at, size_t end);
MUST_USE int lex_next(struct lexer *l);
/* The token's value: the bytes between its quotes, escapes resolved; Go's number and character constants. */
MUST_USE int lex_unquote(struct lexer *l, struct span *ret);
MUST_USE int lex_number(struct lexer *l, struct template_value *ret);
MUST_USE int lex_char(struct lexer *l, struct template_value *ret);
