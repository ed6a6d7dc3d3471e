#include <errno.h>

#include "lib/base/number.h"
#include "loadgen/hurl/parser.h"

/* Digits, '.', exponent: a number's text at the cursor, consumed. */
static struct span take_number(struct hurl_parser *p, bool *ret_float)
{
    size_t n = peek(p) == '-';
    *ret_float = false;
    for (;; n++) {
        char c = peek_at(p, n);
        if (c >= '0' && c <= '9')
            continue;
        char before = n ? peek_at(p, n - 1) : '\0';
        bool exponent_sign = (c == '+' || c == '-') && (before == 'e' || before == 'E');
        if (c == '.' || c == 'e' || c == 'E' || exponent_sign) {
            *ret_float = true;
            continue;
        }
        break;
    }
    struct span s = span_of(p->text.ptr + p->c.at, n);
    advance(p, n);
    return s;
}

MUST_USE static int parse_number(struct hurl_parser *p, struct hurl_operand *ret)
{
    bool is_float;
    struct span text = take_number(p, &is_float);
    if (!is_float && parse_i64_span(text, INT64_MIN, INT64_MAX, &ret->integer) == 0) {
        ret->kind = HURL_OPERAND_INT;
        ret->number = (double)ret->integer;
        return 0;
    }
    if (parse_f64_span(text, &ret->number) < 0)
        return parse_fail(p, ret->at, "'" SPAN_FMT "' is no number", SPAN_ARG(text));
    ret->kind = HURL_OPERAND_FLOAT;
    return 0;
}

/* /regex/ with \/ for a slash; other backslashes belong to the expression. */
MUST_USE static int parse_slash_pattern(struct hurl_parser *p, struct hurl_operand *ret)
{
    advance(p, 1);
    buf_clear(&p->scratch);
    while (peek(p) != '/') {
        char c = peek(p);
        if (at_end(p) || c == '\n')
            return parse_fail(p, ret->at, "this regular expression has no closing '/'");
        if (c == '\\' && peek_at(p, 1) == '/') {
            advance(p, 1);
        } else if (c == '\\' && peek_at(p, 1) && peek_at(p, 1) != '\n') {
            buf_char(&p->scratch, c);
            advance(p, 1);
        }
        buf_char(&p->scratch, peek(p));
        advance(p, 1);
    }
    advance(p, 1);
    if (buf_error(&p->scratch))
        return -ENOMEM;
    ret->kind = HURL_OPERAND_PATTERN;
    return keep_span(p, buf_view(&p->scratch), &ret->bytes);
}

MUST_USE static int parse_fenced_operand(struct hurl_parser *p, struct hurl_operand *ret)
{
    struct hurl_body body = {0};
    PARSE_TRY(parse_fenced(p, &body));
    if (body.kind == HURL_BODY_BYTES) {
        ret->kind = HURL_OPERAND_BYTES;
        ret->bytes = body.bytes;
        return 0;
    }
    if (body.kind == HURL_BODY_GRAPHQL)
        return parse_fail(p, ret->at, "graphql is for request bodies, not for values");
    ret->kind = HURL_OPERAND_TEXT;
    ret->text = body.text;
    return 0;
}

static bool starts_number(const struct hurl_parser *p)
{
    char c = peek(p) == '-' ? peek_at(p, 1) : peek(p);
    return c >= '0' && c <= '9';
}

int parse_operand(struct hurl_parser *p, struct hurl_operand *ret)
{
    ret->at = place_of(p);
    if (looking_at(p, "```"))
        return parse_fenced_operand(p, ret);
    if (peek(p) == '"' || peek(p) == '`') {
        ret->kind = HURL_OPERAND_TEXT;
        enum text_flavour flavour = peek(p) == '"' ? TEXT_QUOTED : TEXT_ONELINE;
        advance(p, 1);
        return parse_text(p, flavour, &ret->text);
    }
    if (looking_at(p, "{{")) {
        ret->kind = HURL_OPERAND_EXPR;
        return parse_expr(p, &ret->expr);
    }
    if (peek(p) == '/')
        return parse_slash_pattern(p, ret);
    if (starts_number(p))
        return parse_number(p, ret);
    if (looking_at(p, "base64,") || looking_at(p, "hex,")) {
        ret->kind = HURL_OPERAND_BYTES;
        return parse_bytes_literal(p, &ret->bytes);
    }
    if (looking_at(p, "file,")) {
        ret->kind = HURL_OPERAND_FILE;
        return parse_file_literal(p, &ret->text);
    }
    struct span word = peek_word(p);
    static const struct {
        const char *word;
        enum hurl_operand_kind kind;
        bool value;
    } LITERALS[] = {
        {"true", HURL_OPERAND_BOOL, true}, {"false", HURL_OPERAND_BOOL, false}, {"null", HURL_OPERAND_NULL, false}};
    for (size_t i = 0; i < ARRAY_LEN(LITERALS); i++)
        if (span_equal(word, span_str(LITERALS[i].word))) {
            advance(p, word.len);
            ret->kind = LITERALS[i].kind;
            ret->boolean = LITERALS[i].value;
            return 0;
        }
    if (at_end(p) || peek(p) == '\n' || peek(p) == '#')
        return parse_fail(p, ret->at, "a value is missing here");
    return parse_fail(p, ret->at, "expected a value, found '" SPAN_FMT "' (texts stand in quotes)",
                      SPAN_ARG(found_here(p)));
}

/* Words and values stand apart; what is missing at the line's end is for the caller to say. */
MUST_USE static int parse_blank(struct hurl_parser *p, const char *behind)
{
    if (!at_end(p) && !strchr(" \t\r\n#", peek(p)))
        return parse_fail(p, place_of(p), "expected a blank behind %s, found '" SPAN_FMT "'", behind,
                          SPAN_ARG(found_here(p)));
    skip_blanks(p);
    return 0;
}

/* The argument of `word`, as its table says. */
MUST_USE static int parse_arg(struct hurl_parser *p, const char *word, enum hurl_arg arg, struct hurl_operand *ret)
{
    if (arg == HURL_ARG_NONE)
        return 0;
    PARSE_TRY(parse_blank(p, word));
    struct hurl_place at = place_of(p);
    if (arg == HURL_ARG_ATTRIBUTE) {
        struct span name = peek_word(p);
        if (name.len > 0) {
            advance(p, name.len);
            *ret = (struct hurl_operand){.kind = HURL_OPERAND_TEXT, .at = at};
            return text_constant(p, name, &ret->text);
        }
    }
    struct hurl_cursor start = p->c;
    PARSE_TRY(parse_operand(p, ret));
    bool text = ret->kind == HURL_OPERAND_TEXT;
    bool expr = ret->kind == HURL_OPERAND_EXPR;
    static const char *const WANTED[] = {
        [HURL_ARG_TEXT] = "a text in quotes",
        [HURL_ARG_PATTERN] = "a regular expression, \"…\" or /…/",
        [HURL_ARG_INT] = "a whole number",
        [HURL_ARG_NUMBER] = "a number or a text in quotes",
        [HURL_ARG_ATTRIBUTE] = "an attribute name",
        [HURL_ARG_VALUE] = "a value",
        [HURL_ARG_STRING] = "a text in quotes or bytes",
    };
    bool good = false;
    switch (arg) {
    case HURL_ARG_NONE:
    case HURL_ARG_ATTRIBUTE:
    case HURL_ARG_TEXT:
        good = text;
        break;
    case HURL_ARG_PATTERN:
        good = text || ret->kind == HURL_OPERAND_PATTERN;
        break;
    case HURL_ARG_INT:
        good = expr || ret->kind == HURL_OPERAND_INT;
        break;
    case HURL_ARG_NUMBER:
        good = text || expr || ret->kind == HURL_OPERAND_INT || ret->kind == HURL_OPERAND_FLOAT;
        break;
    case HURL_ARG_VALUE:
        good = ret->kind != HURL_OPERAND_PATTERN;
        break;
    case HURL_ARG_STRING:
        good = text || expr || ret->kind == HURL_OPERAND_BYTES || ret->kind == HURL_OPERAND_FILE;
        break;
    }
    if (good)
        return 0;
    p->c = start;
    return parse_fail(p, at, "%s needs %s, found '" SPAN_FMT "'", word, WANTED[arg], SPAN_ARG(found_here(p)));
}

int parse_filters(struct hurl_parser *p, struct hurl_filter **ret, size_t *ret_n, bool in_expr)
{
    for (;;) {
        size_t before = p->c.at;
        skip_blanks(p);
        struct span word = peek_word(p);
        if (word.len == 0)
            return 0;
        if (p->c.at == before)
            return parse_blank(p, "a query or filter");
        const struct hurl_filter_def *def = hurl_filter_find(word);
        if (!def) {
            if (!in_expr)
                return 0;
            const char *near = hurl_filter_suggest(word);
            return parse_fail(p, place_of(p), "unknown filter '" SPAN_FMT "'%s%s%s", SPAN_ARG(word),
                              near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
        }
        struct hurl_filter filter = {.def = def, .at = place_of(p)};
        advance(p, word.len);
        for (size_t i = 0; i < HURL_FILTER_ARGS_MAX; i++)
            PARSE_TRY(parse_arg(p, def->name, def->args[i], &filter.args[i]));
        struct hurl_filter *kept = list_push(&p->file->arena, ret, ret_n, sizeof *kept);
        if (!kept)
            return -ENOMEM;
        *kept = filter;
    }
}

/* name[Attribute] of a cookie, the attribute of a certificate, when they are plain text. */
MUST_USE static int check_attribute(struct hurl_parser *p, const struct hurl_query *q)
{
    struct span name;
    if (!hurl_template_static(&q->arg.text, &name))
        return 0;
    if (q->def->kind == HURL_QUERY_COOKIE) {
        size_t open = span_find(name, '[');
        if (open == name.len)
            return 0;
        name = span_from(name, open + 1);
        if (name.len == 0 || name.ptr[name.len - 1] != ']')
            return parse_fail(p, q->arg.at, "a cookie's attribute stands in brackets, as in \"sid[Max-Age]\"");
        name.len--;
    }
    return hurl_attribute_known(q->def->kind, name)
               ? 0
               : parse_fail(p, q->arg.at, "a %s has no attribute '" SPAN_FMT "'", q->def->name, SPAN_ARG(name));
}

int parse_query(struct hurl_parser *p, struct hurl_query *ret)
{
    *ret = (struct hurl_query){.at = place_of(p)};
    struct span word = peek_word(p);
    if (word.len == 0)
        return parse_fail(p, ret->at, "expected a query such as jsonpath \"$.id\", found '" SPAN_FMT "'",
                          SPAN_ARG(found_here(p)));
    ret->def = hurl_query_find(word);
    if (!ret->def) {
        const char *near = hurl_query_suggest(word);
        return parse_fail(p, ret->at, "unknown query '" SPAN_FMT "'%s%s%s", SPAN_ARG(word),
                          near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    advance(p, word.len);
    PARSE_TRY(parse_arg(p, ret->def->name, ret->def->arg, &ret->arg));
    PARSE_TRY(check_attribute(p, ret));
    struct span variable;
    uint32_t slot; /* what it names may be set from outside, or by a capture with a made-up name */
    if (ret->def->kind == HURL_QUERY_VARIABLE && hurl_template_static(&ret->arg.text, &variable))
        PARSE_TRY(slot_for(p, variable, &slot));
    return parse_filters(p, &ret->filters, &ret->n_filters, false);
}

/* == and friends are no words. */
static struct span peek_symbol(const struct hurl_parser *p)
{
    size_t n = 0;
    while (n < 3 && peek_at(p, n) && strchr("=!<>", peek_at(p, n)))
        n++;
    return span_of(p->text.ptr + p->c.at, n);
}

int parse_predicate(struct hurl_parser *p, struct hurl_predicate *ret)
{
    if (p->c.at == 0 || !strchr(" \t", p->text.ptr[p->c.at - 1])) /* parse_filters has skipped the blanks */
        PARSE_TRY(parse_blank(p, "a query or filter"));
    *ret = (struct hurl_predicate){.at = place_of(p)};
    struct span word = peek_word(p);
    if (span_equal(word, SPAN("not"))) {
        ret->negated = true;
        advance(p, word.len);
        skip_blanks(p);
        word = peek_word(p);
    }
    struct hurl_place at = place_of(p);
    if (word.len == 0)
        word = peek_symbol(p);
    if (word.len == 0)
        return parse_fail(p, at, "expected a predicate such as == or exists, found '" SPAN_FMT "'",
                          SPAN_ARG(found_here(p)));
    ret->def = hurl_predicate_find(word);
    if (!ret->def) {
        const char *near = hurl_predicate_suggest(word);
        if (!near)
            near = hurl_filter_suggest(word);
        return parse_fail(p, at, "unknown filter or predicate '" SPAN_FMT "'%s%s%s", SPAN_ARG(word),
                          near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    advance(p, word.len);
    return parse_arg(p, ret->def->name, ret->def->arg, &ret->operand);
}
