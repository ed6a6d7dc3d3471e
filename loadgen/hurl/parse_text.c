#include <errno.h>

#include "lib/base/character.h"
#include "lib/base/number.h"
#include "loadgen/hurl/generate.h"
#include "loadgen/hurl/parser.h"

void text_start(struct text_builder *b, struct hurl_parser *p)
{
    *b = (struct text_builder){.p = p, .out = {.at = place_of(p)}};
    buf_clear(&p->scratch);
}

void text_char(struct text_builder *b, char c)
{
    buf_char(&b->p->scratch, c);
}

MUST_USE static int flush_text(struct text_builder *b)
{
    struct buf *scratch = &b->p->scratch;
    if (buf_error(scratch))
        return -ENOMEM;
    if (scratch->len == 0)
        return 0;
    struct arena *a = &b->p->file->arena;
    struct hurl_part *part = list_push(a, &b->out.parts, &b->out.n, sizeof *part);
    if (!part)
        return -ENOMEM;
    part->kind = HURL_PART_TEXT;
    int r = keep_span(b->p, buf_view(scratch), &part->text);
    buf_clear(scratch);
    return r;
}

int text_expr(struct text_builder *b, const struct hurl_expr *e, enum hurl_part_kind kind)
{
    PARSE_TRY(flush_text(b));
    struct hurl_part *part = list_push(&b->p->file->arena, &b->out.parts, &b->out.n, sizeof *part);
    if (!part)
        return -ENOMEM;
    part->kind = kind;
    part->expr = e;
    return 0;
}

int text_finish(struct text_builder *b, struct hurl_template *ret)
{
    PARSE_TRY(flush_text(b));
    *ret = b->out;
    return 0;
}

int text_constant(struct hurl_parser *p, struct span text, struct hurl_template *ret)
{
    struct text_builder b;
    text_start(&b, p);
    buf_span(&p->scratch, text);
    return text_finish(&b, ret);
}

/* \u{1F600}: 1 to 8 hex digits between braces. */
MUST_USE static int unicode_escape(struct text_builder *b, struct hurl_place at)
{
    struct hurl_parser *p = b->p;
    if (peek(p) != '{')
        return parse_fail(p, at, "\\u needs braces, as in \\u{1F600}");
    advance(p, 1);
    uint32_t code = 0;
    unsigned digits = 0;
    for (; hex_digit_value(peek(p)) >= 0 && digits < 8; digits++) {
        code = code << 4 | (uint32_t)hex_digit_value(peek(p));
        advance(p, 1);
    }
    if (digits == 0 || peek(p) != '}')
        return parse_fail(p, at, "\\u{…} takes 1 to 8 hex digits");
    advance(p, 1);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return parse_fail(p, at, "\\u{%X} is no character", (unsigned)code);
    char bytes[UTF8_BYTES_MAX];
    buf_bytes(&p->scratch, bytes, utf8_put(bytes, code));
    return 0;
}

int text_escape(struct text_builder *b, const char *allowed)
{
    struct hurl_parser *p = b->p;
    struct hurl_place at = place_of(p);
    char c = peek_at(p, 1);
    if (c == '\0' || !strchr(allowed, c))
        return parse_fail(p, at, "unknown escape '\\%.1s'%s", c && c != '\n' ? (char[2]){c, 0} : "",
                          strchr(allowed, '\\') ? " (a backslash itself is \\\\)" : "");
    advance(p, 2);
    switch (c) {
    case 'b':
        text_char(b, '\b');
        return 0;
    case 'f':
        text_char(b, '\f');
        return 0;
    case 'n':
        text_char(b, '\n');
        return 0;
    case 'r':
        text_char(b, '\r');
        return 0;
    case 't':
        text_char(b, '\t');
        return 0;
    case 'u':
        return unicode_escape(b, at);
    default:
        text_char(b, c);
        return 0;
    }
}

/* ---- {{expressions}} ---- */

static const struct {
    const char *name;
    enum hurl_function function;
} FUNCTIONS[] = {
    {"newUuid", HURL_NEW_UUID},
    {"newDate", HURL_NEW_DATE},
    {"getEnv", HURL_GET_ENV},
    {"randomBool", HURL_RANDOM_BOOL},
    {"randomInt", HURL_RANDOM_INT},
    {"randomString", HURL_RANDOM_STRING},
    {"randomWord", HURL_RANDOM_WORD},
    {"randomFirstName", HURL_RANDOM_FIRST_NAME},
    {"randomLastName", HURL_RANDOM_LAST_NAME},
    {"randomFullName", HURL_RANDOM_FULL_NAME},
    {"randomEmail", HURL_RANDOM_EMAIL},
};

MUST_USE static int parse_get_env(struct hurl_parser *p, struct hurl_expr *e)
{
    skip_blanks(p);
    struct hurl_place at = place_of(p);
    if (peek(p) != '"')
        return parse_fail(p, at, "getEnv needs the name of an environment variable in quotes");
    struct hurl_template name;
    PARSE_TRY(parse_quoted(p, &name));
    if (!hurl_template_static(&name, &e->name) || e->name.len == 0)
        return parse_fail(p, at, "getEnv needs a plain name");
    return 0;
}

MUST_USE static int parse_plain_number(struct hurl_parser *p, const char *function, int64_t min, int64_t max,
                                       int64_t *ret)
{
    skip_blanks(p);
    size_t n = peek(p) == '-';
    while (peek_at(p, n) >= '0' && peek_at(p, n) <= '9')
        n++;
    if (parse_i64_span(span_of(p->text.ptr + p->c.at, n), min, max, ret) < 0)
        return parse_fail(p, place_of(p), "%s needs a whole number from %lld to %lld, found '" SPAN_FMT "'", function,
                          (long long)min, (long long)max, SPAN_ARG(found_here(p)));
    advance(p, n);
    return 0;
}

int parse_function_numbers(struct hurl_parser *p, enum hurl_function function, const char *name, int64_t *ret_low,
                           int64_t *ret_high)
{
    if (function == HURL_RANDOM_STRING)
        return parse_plain_number(p, name, 1, RANDOM_STRING_MAX, ret_low);
    if (function != HURL_RANDOM_INT)
        return 0;
    PARSE_TRY(parse_plain_number(p, name, -RANDOM_INT_MAX, RANDOM_INT_MAX, ret_low));
    return parse_plain_number(p, name, *ret_low, RANDOM_INT_MAX, ret_high);
}

int parse_expr(struct hurl_parser *p, const struct hurl_expr **ret)
{
    struct hurl_place open = place_of(p);
    advance(p, 2);
    skip_blanks(p);
    struct hurl_expr *e = arena_alloc(&p->file->arena, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->at = place_of(p);
    struct span word = peek_word(p);
    if (word.len == 0)
        return parse_fail(p, e->at, "expected a variable name after '{{', found '" SPAN_FMT "'",
                          SPAN_ARG(found_here(p)));
    advance(p, word.len);
    const char *function = "";
    for (size_t i = 0; i < ARRAY_LEN(FUNCTIONS); i++)
        if (span_equal(word, span_str(FUNCTIONS[i].name))) {
            e->function = FUNCTIONS[i].function;
            function = FUNCTIONS[i].name;
        }
    /* texts inside an expression have their own scratch: the outer one may hold an unfinished text */
    struct buf outer = p->scratch;
    buf_init(&p->scratch, outer.max);
    int r = 0;
    if (e->function == HURL_NO_FUNCTION) {
        r = keep_span(p, word, &e->name);
        if (r == 0)
            r = slot_for(p, e->name, &e->slot);
    } else if (e->function == HURL_GET_ENV) {
        r = parse_get_env(p, e);
    } else {
        r = parse_function_numbers(p, e->function, function, &e->low, &e->high);
    }
    if (r == 0)
        r = parse_filters(p, &e->filters, &e->n_filters, true);
    buf_done(&p->scratch);
    p->scratch = outer;
    if (r < 0)
        return r;
    skip_blanks(p);
    if (!looking_at(p, "}}"))
        return at_end(p) || peek(p) == '\n'
                   ? parse_fail(p, open, "'{{' without '}}' on its line")
                   : parse_fail(p, place_of(p), "expected a filter or '}}', found '" SPAN_FMT "'",
                                SPAN_ARG(found_here(p)));
    advance(p, 2);
    *ret = e;
    return 0;
}

/* ---- the flavours of text ---- */

static const struct {
    const char *escapes;
} FLAVOURS[] = {
    [TEXT_QUOTED] = {"\"`#/\\bfnrtu"}, [TEXT_VALUE] = {"\"`#/\\bfnrtu"},   [TEXT_URL] = {"\"`#/\\bfnrtu"},
    [TEXT_KEY] = {"#:/\\bfnrtu"},      [TEXT_ONELINE] = {"\"`#/\\bfnrtu"}, [TEXT_FILENAME] = {";# {}\\bfnrtu"},
};

static bool is_key_char(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= '0' && u <= '9') || ((u | 0x20) >= 'a' && (u | 0x20) <= 'z') || u >= 0x80 ||
           (c && strchr("_-.[]@$", c));
}

/* Does c end a text of this flavour (closing marks are the caller's)? */
static bool ends_text(enum text_flavour flavour, char c)
{
    switch (flavour) {
    case TEXT_QUOTED:
        return c == '"';
    case TEXT_VALUE:
        return c == '\n' || c == '#';
    case TEXT_URL:
        return c == '\n' || c == '#' || c == ' ' || c == '\t' || c == '\r';
    case TEXT_KEY:
        return !is_key_char(c);
    case TEXT_ONELINE:
        return c == '`' || c == '\n';
    case TEXT_FILENAME:
        return c == ';' || c == '\n' || c == '#';
    }
    return true;
}

int parse_text(struct hurl_parser *p, enum text_flavour flavour, struct hurl_template *ret)
{
    struct hurl_place start = place_of(p);
    if (flavour == TEXT_QUOTED || flavour == TEXT_ONELINE)
        start.column--; /* the opening mark */
    struct text_builder b;
    text_start(&b, p);
    size_t meant = 0; /* bytes up to the last escape: a blank that was escaped is no layout */
    while (!at_end(p)) {
        char c = peek(p);
        if (looking_at(p, "{{")) {
            const struct hurl_expr *e;
            PARSE_TRY(parse_expr(p, &e));
            PARSE_TRY(text_expr(&b, e, HURL_PART_EXPR));
            meant = 0;
        } else if (c == '\\') {
            PARSE_TRY(text_escape(&b, FLAVOURS[flavour].escapes));
            meant = p->scratch.len;
        } else if (ends_text(flavour, c)) {
            break;
        } else {
            text_char(&b, c);
            advance(p, 1);
        }
    }
    if (flavour == TEXT_QUOTED || flavour == TEXT_ONELINE) {
        if (peek(p) != (flavour == TEXT_QUOTED ? '"' : '`'))
            return parse_fail(p, start, "this text has no closing %s", flavour == TEXT_QUOTED ? "quote" : "backtick");
        advance(p, 1);
    }
    if (flavour == TEXT_VALUE || flavour == TEXT_FILENAME)
        while (p->scratch.len > meant && strchr(" \t\r", p->scratch.data[p->scratch.len - 1]))
            p->scratch.len--; /* blanks before the line's end are layout */
    return text_finish(&b, ret);
}

int parse_quoted(struct hurl_parser *p, struct hurl_template *ret)
{
    advance(p, 1);
    return parse_text(p, TEXT_QUOTED, ret);
}
