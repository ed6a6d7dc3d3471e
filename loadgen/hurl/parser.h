/* parser.h - what the files of the parser share: a cursor over the text with line and column, the arena, the
 * problems.
 *
 *   PARSE_TRY(parse_quoted(p, &text));             // -EINVAL: the problem was added; the caller returns it
 *
 * Each parse_x reads one piece at the cursor. On -EINVAL the cursor may stand anywhere: the caller of the
 * line goes on with the next one. Private to this room. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/problem.h"
#include "loadgen/hurl/tree.h"

struct hurl_cursor {
    size_t at;
    uint32_t line;
    size_t line_start;
};
struct hurl_pending { /* settings waiting for their request */
    bool any;
    struct hurl_place first_at;
    struct span step;
    struct hurl_place step_at;
    struct hurl_think think;
    struct hurl_slo *slos;
    struct hurl_goto *gotos;
    size_t n_slos, n_gotos;
    struct span *jar_cookies;
    size_t n_jar_cookies;
    bool money, always, clears_jar;
};
#define SECTIONS_MAX 16u /* more than the language has */
struct hurl_parser {
    struct span text;
    struct hurl_cursor c;
    struct hurl_file *file;
    struct problems *problems;
    struct buf scratch;
    struct hurl_pending pending;
    const struct hurl_section_def *sections[SECTIONS_MAX]; /* of the request that is read */
    size_t n_sections;
    bool weight_given;
};

#define PARSE_TRY(call)                                                                                                \
    do {                                                                                                               \
        int try_r = (call);                                                                                            \
        if (try_r < 0)                                                                                                 \
            return try_r;                                                                                              \
    } while (0)

/* ---- cursor ---- */
static inline bool at_end(const struct hurl_parser *p)
{
    return p->c.at >= p->text.len;
}
/* The byte `ahead` of the cursor; 0 past the end. */
static inline char peek_at(const struct hurl_parser *p, size_t ahead)
{
    return p->text.len - p->c.at > ahead ? p->text.ptr[p->c.at + ahead] : '\0';
}
static inline char peek(const struct hurl_parser *p)
{
    return peek_at(p, 0);
}
static inline void advance(struct hurl_parser *p, size_t n)
{
    for (; n > 0 && !at_end(p); n--)
        if (p->text.ptr[p->c.at++] == '\n') {
            p->c.line++;
            p->c.line_start = p->c.at;
        }
}
static inline struct hurl_place place_of(const struct hurl_parser *p)
{
    return (struct hurl_place){p->c.line, (uint32_t)(p->c.at - p->c.line_start + 1)};
}
static inline struct span rest_of(const struct hurl_parser *p)
{
    return span_from(p->text, p->c.at);
}
bool looking_at(const struct hurl_parser *p, const char *word);
/* Spaces, tabs, carriage returns. */
void skip_blanks(struct hurl_parser *p);
/* To the start of the next line. */
void skip_line(struct hurl_parser *p);
/* Blanks and a comment, then the line's end (consumed) or the end of the text. */
MUST_USE int parse_line_end(struct hurl_parser *p, const char *after);
/* [A-Za-z][A-Za-z0-9_-]*, not consumed. Empty when there is none. */
struct span peek_word(const struct hurl_parser *p);

/* ---- errors and memory ---- */
/* Adds the problem, gives -EINVAL. */
int parse_fail(struct hurl_parser *p, struct hurl_place at, const char *format, ...) PRINTF_LIKE(3, 4);
/* A piece of what stands at the cursor, for messages; never empty. */
struct span found_here(const struct hurl_parser *p);
/* A new zeroed item at the end of an arena list: `list` is the address of the items' pointer. NULL without
 * memory. Items move: keep no pointers to earlier ones. */
void *list_push(struct arena *a, void *list, size_t *n, size_t item_bytes);
/* A copy in the file's arena, NUL-terminated behind its end. */
MUST_USE int keep_span(struct hurl_parser *p, struct span s, struct span *ret);
/* The slot of a variable, made when new. */
MUST_USE int slot_for(struct hurl_parser *p, struct span name, uint32_t *ret);

/* ---- parse_text.c ---- */
enum text_flavour { TEXT_QUOTED, TEXT_VALUE, TEXT_URL, TEXT_KEY, TEXT_ONELINE, TEXT_FILENAME };
/* Text with expressions up to the flavour's end. QUOTED and ONELINE start behind the opening mark and consume
 * the closing one. */
MUST_USE int parse_text(struct hurl_parser *p, enum text_flavour flavour, struct hurl_template *ret);
/* At '"'. */
MUST_USE int parse_quoted(struct hurl_parser *p, struct hurl_template *ret);
/* At "{{": to behind "}}". */
MUST_USE int parse_expr(struct hurl_parser *p, const struct hurl_expr **ret);
/* The numbers that a random function takes, behind its name. */
MUST_USE int parse_function_numbers(struct hurl_parser *p, enum hurl_function function, const char *name,
                                    int64_t *ret_low, int64_t *ret_high);
/* Makes templates out of pieces. */
struct text_builder {
    struct hurl_parser *p;
    struct hurl_template out;
};
void text_start(struct text_builder *b, struct hurl_parser *p);
void text_char(struct text_builder *b, char c);
MUST_USE int text_expr(struct text_builder *b, const struct hurl_expr *e, enum hurl_part_kind kind);
MUST_USE int text_finish(struct text_builder *b, struct hurl_template *ret);
/* One escape sequence at '\'; allowed lists the characters that may follow it. Its bytes go to the builder.
 */
MUST_USE int text_escape(struct text_builder *b, const char *allowed);
/* A template that is just this text. */
MUST_USE int text_constant(struct hurl_parser *p, struct span text, struct hurl_template *ret);

/* ---- parse_query.c ---- */
MUST_USE int parse_query(struct hurl_parser *p, struct hurl_query *ret);
/* Filters as long as there are some; stops before a word that is none. */
MUST_USE int parse_filters(struct hurl_parser *p, struct hurl_filter **ret, size_t *ret_n, bool in_expr);
MUST_USE int parse_predicate(struct hurl_parser *p, struct hurl_predicate *ret);
MUST_USE int parse_operand(struct hurl_parser *p, struct hurl_operand *ret);

/* ---- parse_body.c ---- */
bool looking_at_body(const struct hurl_parser *p);
MUST_USE int parse_body(struct hurl_parser *p, struct hurl_body *ret);
/* At "```". Gives the kind of body that the type names. */
MUST_USE int parse_fenced(struct hurl_parser *p, struct hurl_body *ret);
/* At "base64," or "hex,": the decoded bytes. */
MUST_USE int parse_bytes_literal(struct hurl_parser *p, struct span *ret);
/* At "file,": the name. */
MUST_USE int parse_file_literal(struct hurl_parser *p, struct hurl_template *ret);
MUST_USE int parse_json_template(struct hurl_parser *p, struct hurl_template *ret);

/* ---- settings.c ---- */
/* At the '#' of a line that is only a comment; consumes the line. */
MUST_USE int parse_setting(struct hurl_parser *p);
/* ---- parse_options.c ---- */
MUST_USE int parse_option(struct hurl_parser *p, struct hurl_option *ret);
