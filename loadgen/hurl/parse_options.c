#include <errno.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/hurl/parser.h"

/* The text up to blank, comment or line end. */
static struct span peek_plain(const struct hurl_parser *p)
{
    size_t n = 0;
    while (peek_at(p, n) && !strchr(" \t\r\n#", peek_at(p, n)))
        n++;
    return span_of(p->text.ptr + p->c.at, n);
}

MUST_USE static int read_count(struct hurl_parser *p, struct hurl_option *o, struct span word)
{
    bool all; /* older files write `retry: true` */
    if (o->def->kind == HURL_OPTION_RETRY && parse_bool(word, &all) == 0) {
        o->integer = all ? -1 : 0;
        return 0;
    }
    if (parse_i64_span(word, -1, INT32_MAX, &o->integer) < 0)
        return parse_fail(p, place_of(p), "%s needs a whole number (-1: no limit), found '" SPAN_FMT "'", o->def->name,
                          SPAN_ARG(word));
    return 0;
}

int hurl_option_time(const struct hurl_option_def *def, struct span word, int64_t *ret_ms)
{
    static const struct {
        struct span unit;
        int64_t ms;
    } UNITS[] = {{SPAN_INIT("ms"), 1}, {SPAN_INIT("s"), 1000}, {SPAN_INIT("m"), 60000}, {SPAN_INIT("h"), 3600000}};
    size_t digits = 0;
    while (digits < word.len && word.ptr[digits] >= '0' && word.ptr[digits] <= '9')
        digits++;
    struct span unit = span_from(word, digits);
    int64_t scale = unit.len ? 0 : def->seconds ? 1000 : 1, value;
    for (size_t i = 0; i < ARRAY_LEN(UNITS); i++)
        if (unit.len && span_equal(unit, UNITS[i].unit))
            scale = UNITS[i].ms;
    if (scale == 0 || parse_i64_span(span_of(word.ptr, digits), 0, 1000000000, &value) < 0)
        return -EINVAL;
    *ret_ms = value * scale;
    return 0;
}

MUST_USE static int read_time(struct hurl_parser *p, struct hurl_option *o, struct span word)
{
    if (hurl_option_time(o->def, word, &o->integer) < 0)
        return parse_fail(p, place_of(p), "%s needs a time such as 500ms, 10s or 1m, found '" SPAN_FMT "'",
                          o->def->name, SPAN_ARG(word));
    return 0;
}

/* name=value; a bare value is read as null, boolean or number when it is one, else as text. */
MUST_USE static int read_definition(struct hurl_parser *p, struct hurl_option *o)
{
    struct span name = peek_word(p);
    struct hurl_place at = place_of(p);
    if (name.len == 0)
        return parse_fail(p, at, "variable needs name=value, found '" SPAN_FMT "'", SPAN_ARG(found_here(p)));
    advance(p, name.len);
    skip_blanks(p);
    if (peek(p) != '=')
        return parse_fail(p, place_of(p), "expected '=' behind the variable's name");
    advance(p, 1);
    skip_blanks(p);
    PARSE_TRY(slot_for(p, name, &o->slot));
    struct span plain = peek_plain(p);
    o->value.at = place_of(p);
    char c = peek(p);
    bool number = c == '-' || (c >= '0' && c <= '9');
    double any;
    if (c == '"' || (number && parse_f64_span(plain, &any) == 0) || span_equal(plain, SPAN("true")) ||
        span_equal(plain, SPAN("false")) || span_equal(plain, SPAN("null")))
        return parse_operand(p, &o->value);
    o->value.kind = HURL_OPERAND_TEXT;
    return parse_text(p, TEXT_VALUE, &o->value.text);
}

int parse_option(struct hurl_parser *p, struct hurl_option *ret)
{
    *ret = (struct hurl_option){.at = place_of(p)};
    size_t n = 0;
    while (peek_at(p, n) && !strchr(": \t\r\n#", peek_at(p, n)))
        n++;
    struct span name = span_of(p->text.ptr + p->c.at, n);
    ret->def = hurl_option_find(name);
    if (!ret->def) {
        const char *near = hurl_option_suggest(name);
        return parse_fail(p, ret->at, "unknown option '" SPAN_FMT "'%s%s%s", SPAN_ARG(name),
                          near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    advance(p, n);
    skip_blanks(p);
    if (peek(p) != ':')
        return parse_fail(p, place_of(p), "expected ':' behind the option's name");
    advance(p, 1);
    skip_blanks(p);
    if (ret->def->type == HURL_OPTION_TEXT)
        return parse_text(p, TEXT_VALUE, &ret->text);
    if (ret->def->type == HURL_OPTION_DEFINITION)
        return read_definition(p, ret);
    if (looking_at(p, "{{"))
        return parse_text(p, TEXT_VALUE, &ret->text);
    struct span word = peek_plain(p);
    if (ret->def->type == HURL_OPTION_BOOL) {
        if (parse_bool(word, &ret->boolean) < 0)
            return parse_fail(p, place_of(p), "%s is true or false, found '" SPAN_FMT "'", ret->def->name,
                              SPAN_ARG(word));
    } else if (ret->def->type == HURL_OPTION_COUNT) {
        PARSE_TRY(read_count(p, ret, word));
    } else {
        PARSE_TRY(read_time(p, ret, word));
    }
    advance(p, word.len);
    return 0;
}

int hurl_parse_option(struct hurl_file *f, struct span line, struct hurl_option *ret, struct problems *problems)
{
    struct hurl_parser p = {.text = line, .c = {.line = 1}, .file = f, .problems = problems};
    buf_init(&p.scratch, CONFIG_BYTES_MAX);
    int r = parse_option(&p, ret);
    if (r == 0)
        r = parse_line_end(&p, "the option");
    buf_done(&p.scratch);
    return r;
}
