#include <errno.h>

#include "lib/base/limits.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/parser.h"

/* ---- literals in bytes ---- */

int parse_bytes_literal(struct hurl_parser *p, struct span *ret)
{
    struct hurl_place at = place_of(p);
    bool base64 = looking_at(p, "base64,");
    advance(p, base64 ? 7 : 4);
    struct span rest = rest_of(p);
    size_t n = span_find(rest, ';');
    if (n == rest.len)
        return parse_fail(p, at, "%s has no closing ';'", base64 ? "base64," : "hex,");
    buf_clear(&p->scratch);
    struct span text = span_of(rest.ptr, n);
    int r = base64 ? base64_decode(&p->scratch, text, false) : hex_decode(&p->scratch, text);
    if (r < 0)
        return parse_fail(p, at, "these bytes are not %s", base64 ? "base64" : "pairs of hex digits");
    if (buf_error(&p->scratch))
        return -ENOMEM;
    advance(p, n + 1);
    return keep_span(p, buf_view(&p->scratch), ret);
}

int parse_file_literal(struct hurl_parser *p, struct hurl_template *ret)
{
    struct hurl_place at = place_of(p);
    advance(p, 5);
    skip_blanks(p);
    PARSE_TRY(parse_text(p, TEXT_FILENAME, ret));
    if (peek(p) != ';')
        return parse_fail(p, at, "file, has no closing ';'");
    advance(p, 1);
    return ret->n ? 0 : parse_fail(p, at, "file, needs the name of a file");
}

/* ---- JSON with templates: checked here, sent as it is written ---- */

struct json_parse {
    struct text_builder b;
    unsigned depth;
};
MUST_USE static int json_value(struct json_parse *j);

static void json_copy(struct json_parse *j, size_t n)
{
    struct hurl_parser *p = j->b.p;
    buf_bytes(&p->scratch, p->text.ptr + p->c.at, n);
    advance(p, n);
}

static void json_space(struct json_parse *j)
{
    while (!at_end(j->b.p) && strchr(" \t\r\n", peek(j->b.p)))
        json_copy(j, 1);
}

MUST_USE static int json_unexpected(struct json_parse *j, const char *wanted)
{
    struct hurl_parser *p = j->b.p;
    if (at_end(p))
        return parse_fail(p, place_of(p), "the file ends inside a JSON body: expected %s", wanted);
    return parse_fail(p, place_of(p), "JSON: expected %s, found '" SPAN_FMT "'", wanted, SPAN_ARG(found_here(p)));
}

MUST_USE static int json_string(struct json_parse *j)
{
    struct hurl_parser *p = j->b.p;
    struct hurl_place at = place_of(p);
    json_copy(j, 1);
    for (;;) {
        char c = peek(p);
        if (at_end(p) || c == '\n')
            return parse_fail(p, at, "this JSON string has no closing quote");
        if (looking_at(p, "{{")) {
            const struct hurl_expr *e;
            PARSE_TRY(parse_expr(p, &e));
            PARSE_TRY(text_expr(&j->b, e, HURL_PART_EXPR_IN_JSON));
        } else if (c == '\\') {
            char escaped = peek_at(p, 1);
            if (!escaped || !strchr("\"\\/bfnrtu", escaped))
                return parse_fail(p, place_of(p), "JSON has no such escape");
            for (size_t i = 2; escaped == 'u' && i < 6; i++)
                if (!peek_at(p, i) || !strchr("0123456789abcdefABCDEF", peek_at(p, i)))
                    return parse_fail(p, place_of(p), "JSON: \\u takes four hex digits");
            json_copy(j, escaped == 'u' ? 6 : 2);
        } else if ((unsigned char)c < 0x20) {
            return parse_fail(p, place_of(p), "JSON strings have no raw control characters");
        } else {
            json_copy(j, 1);
            if (c == '"')
                return 0;
        }
    }
}

static size_t digits_at(const struct hurl_parser *p, size_t from)
{
    size_t n = 0;
    while (peek_at(p, from + n) >= '0' && peek_at(p, from + n) <= '9')
        n++;
    return n;
}

MUST_USE static int json_number(struct json_parse *j)
{
    struct hurl_parser *p = j->b.p;
    size_t n = peek(p) == '-', digits = digits_at(p, n);
    if (digits == 0 || (digits > 1 && peek_at(p, n) == '0'))
        return json_unexpected(j, "a number without leading zeros");
    n += digits;
    if (peek_at(p, n) == '.') {
        digits = digits_at(p, n + 1);
        if (digits == 0)
            return json_unexpected(j, "a number with digits behind its point");
        n += 1 + digits;
    }
    if (peek_at(p, n) == 'e' || peek_at(p, n) == 'E') {
        size_t sign = peek_at(p, n + 1) == '+' || peek_at(p, n + 1) == '-';
        digits = digits_at(p, n + 1 + sign);
        if (digits == 0)
            return json_unexpected(j, "a number with digits in its exponent");
        n += 1 + sign + digits;
    }
    json_copy(j, n);
    return 0;
}

MUST_USE static int json_members(struct json_parse *j, char close)
{
    struct hurl_parser *p = j->b.p;
    json_copy(j, 1);
    json_space(j);
    if (peek(p) == close) {
        json_copy(j, 1);
        return 0;
    }
    for (;;) {
        if (close == '}') {
            if (peek(p) != '"')
                return json_unexpected(j, "a key in quotes");
            PARSE_TRY(json_string(j));
            json_space(j);
            if (peek(p) != ':')
                return json_unexpected(j, "':'");
            json_copy(j, 1);
            json_space(j);
        }
        PARSE_TRY(json_value(j));
        json_space(j);
        char c = peek(p);
        if (c != ',' && c != close)
            return json_unexpected(j, close == '}' ? "',' or '}'" : "',' or ']'");
        json_copy(j, 1);
        if (c == close)
            return 0;
        json_space(j);
    }
}

static int json_value(struct json_parse *j)
{
    struct hurl_parser *p = j->b.p;
    char c = peek(p);
    if (looking_at(p, "{{")) {
        const struct hurl_expr *e;
        PARSE_TRY(parse_expr(p, &e));
        return text_expr(&j->b, e, HURL_PART_EXPR);
    }
    if (c == '{' || c == '[') {
        if (++j->depth > JSON_DEPTH_MAX)
            return parse_fail(p, place_of(p), "JSON nested deeper than %u", JSON_DEPTH_MAX);
        PARSE_TRY(json_members(j, c == '{' ? '}' : ']'));
        j->depth--;
        return 0;
    }
    if (c == '"')
        return json_string(j);
    struct span word = peek_word(p);
    if (span_equal(word, SPAN("true")) || span_equal(word, SPAN("false")) || span_equal(word, SPAN("null"))) {
        json_copy(j, word.len);
        return 0;
    }
    return c == '-' || (c >= '0' && c <= '9') ? json_number(j) : json_unexpected(j, "a value");
}

int parse_json_template(struct hurl_parser *p, struct hurl_template *ret)
{
    struct json_parse j = {0};
    text_start(&j.b, p);
    PARSE_TRY(json_value(&j));
    return text_finish(&j.b, ret);
}

/* ---- XML: up to the end of its root element ---- */

/* Bytes up to and including `end`, or 0 when it does not come. */
static size_t through(struct span s, const char *end)
{
    size_t n = span_search(s, span_str(end));
    return n == s.len ? 0 : n + strlen(end);
}

/* The length of the tag at s, quotes respected; 0: not closed. */
static size_t tag_bytes(struct span s)
{
    char quote = 0;
    for (size_t i = 1; i < s.len; i++) {
        char c = s.ptr[i];
        if (quote)
            quote = c == quote ? '\0' : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return i + 1;
    }
    return 0;
}

MUST_USE static int parse_xml(struct hurl_parser *p, struct hurl_template *ret)
{
    struct hurl_place at = place_of(p);
    struct span all = rest_of(p), s = all;
    long depth = 0;
    do {
        size_t n;
        bool element = false;
        if (span_starts(s, SPAN("<?")))
            n = through(s, "?>");
        else if (span_starts(s, SPAN("<!--")))
            n = through(s, "-->");
        else if (span_starts(s, SPAN("<![CDATA[")))
            n = through(s, "]]>");
        else if (span_starts(s, SPAN("<"))) {
            n = tag_bytes(s);
            element = n > 0 && s.ptr[1] != '!';
        } else {
            n = span_find(s, '<'); /* text */
            if (n == s.len)
                n = 0;
        }
        if (n == 0)
            return parse_fail(p, at, "this XML body does not end");
        if (element && s.ptr[1] == '/')
            depth--;
        else if (element && s.ptr[n - 2] != '/')
            depth++;
        s = span_from(s, n);
        if (element && depth <= 0)
            break;
    } while (true);
    if (depth < 0)
        return parse_fail(p, at, "this XML body closes an element that it did not open");
    size_t bytes = all.len - s.len;
    void *document = xpath_document_new(span_of(all.ptr, bytes), false);
    if (!document)
        return parse_fail(p, at, "this XML body is not well-formed");
    xpath_document_free(document);
    PARSE_TRY(text_constant(p, span_of(all.ptr, bytes), ret));
    advance(p, bytes);
    return 0;
}

/* ---- ``` fenced ``` ---- */

static const struct {
    const char *type;
    enum hurl_body_kind kind;
    char bytes;    /* 'b' base64, 'h' hex */
    bool verbatim; /* {{ is no template */
} FENCES[] = {
    {"", HURL_BODY_TEXT, 0, false},           {"raw", HURL_BODY_TEXT, 0, true},
    {"json", HURL_BODY_JSON, 0, false},       {"xml", HURL_BODY_XML, 0, false},
    {"graphql", HURL_BODY_GRAPHQL, 0, false}, {"base64", HURL_BODY_BYTES, 'b', false},
    {"hex", HURL_BODY_BYTES, 'h', false},
};

static bool at_graphql_variables(const struct hurl_parser *p)
{
    if (p->c.at != p->c.line_start || !looking_at(p, "variables"))
        return false;
    size_t n = 9;
    while (peek_at(p, n) && strchr(" \t\r\n", peek_at(p, n)))
        n++;
    return peek_at(p, n) == '{';
}

/* The content up to the closing fence, which is consumed. */
MUST_USE static int fenced_text(struct hurl_parser *p, struct hurl_place open, bool escapes, bool templates,
                                bool graphql, struct hurl_body *ret)
{
    struct text_builder b;
    text_start(&b, p);
    while (!looking_at(p, "```")) {
        if (at_end(p))
            return parse_fail(p, open, "``` has no closing ```");
        if (graphql && at_graphql_variables(p)) {
            PARSE_TRY(text_finish(&b, &ret->text));
            advance(p, 9);
            while (peek(p) && strchr(" \t\r\n", peek(p)))
                advance(p, 1);
            ret->has_variables = true;
            PARSE_TRY(parse_json_template(p, &ret->variables));
            while (peek(p) && strchr(" \t\r\n", peek(p)))
                advance(p, 1);
            if (!looking_at(p, "```"))
                return parse_fail(p, place_of(p), "expected ``` behind the graphql variables");
            advance(p, 3);
            return 0;
        }
        if (templates && looking_at(p, "{{")) {
            const struct hurl_expr *e;
            PARSE_TRY(parse_expr(p, &e));
            PARSE_TRY(text_expr(&b, e, HURL_PART_EXPR));
        } else if (escapes && peek(p) == '\\') {
            PARSE_TRY(text_escape(&b, "\\`bfnrtu"));
        } else {
            text_char(&b, peek(p));
            advance(p, 1);
        }
    }
    advance(p, 3);
    return text_finish(&b, &ret->text);
}

MUST_USE static int fenced_bytes(struct hurl_parser *p, struct hurl_place open, char kind, struct hurl_body *ret)
{
    struct span rest = rest_of(p);
    size_t n = span_search(rest, SPAN("```"));
    if (n == rest.len)
        return parse_fail(p, open, "``` has no closing ```");
    buf_clear(&p->scratch);
    struct span text = span_of(rest.ptr, n);
    if ((kind == 'b' ? base64_decode(&p->scratch, text, false) : hex_decode(&p->scratch, text)) < 0)
        return parse_fail(p, open, "these bytes are not %s", kind == 'b' ? "base64" : "pairs of hex digits");
    if (buf_error(&p->scratch))
        return -ENOMEM;
    advance(p, n + 3);
    return keep_span(p, buf_view(&p->scratch), &ret->bytes);
}

int parse_fenced(struct hurl_parser *p, struct hurl_body *ret)
{
    struct hurl_place open = place_of(p);
    advance(p, 3);
    struct span rest = rest_of(p);
    struct span head = span_of(rest.ptr, span_find(rest, '\n'));
    if (span_search(head, SPAN("```")) < head.len) { /* all on one line: no type */
        ret->kind = HURL_BODY_TEXT;
        return fenced_text(p, open, false, true, false, ret);
    }
    struct span words = span_trim(head), type = {0}, attribute;
    bool escapes = false, templates = true;
    if (!span_cut(&words, ',', &type))
        type = (struct span){0};
    type = span_trim(type);
    bool known = false;
    char bytes = 0;
    for (size_t i = 0; i < ARRAY_LEN(FENCES); i++)
        if (span_equal(type, span_str(FENCES[i].type))) {
            known = true;
            ret->kind = FENCES[i].kind;
            bytes = FENCES[i].bytes;
            templates = !FENCES[i].verbatim;
        }
    if (!known && !span_equal(type, SPAN("escape")) && !span_equal(type, SPAN("novariable")))
        return parse_fail(p, place_of(p),
                          "unknown type '" SPAN_FMT "' behind ``` (json, xml, graphql, hex, base64, raw)",
                          SPAN_ARG(type));
    if (!known) { /* attributes without a type */
        ret->kind = HURL_BODY_TEXT;
        words = span_trim(head);
    }
    while (span_cut(&words, ',', &attribute)) {
        attribute = span_trim(attribute);
        if (span_equal(attribute, SPAN("escape")))
            escapes = true;
        else if (span_equal(attribute, SPAN("novariable")) || span_equal(attribute, SPAN("novariables")))
            templates = false;
        else
            return parse_fail(p, place_of(p), "unknown attribute '" SPAN_FMT "' behind ``` (escape, novariable)",
                              SPAN_ARG(attribute));
    }
    advance(p, head.len + 1);
    if (ret->kind == HURL_BODY_BYTES)
        return fenced_bytes(p, open, bytes, ret);
    return fenced_text(p, open, escapes, templates, ret->kind == HURL_BODY_GRAPHQL, ret);
}

/* ---- any body ---- */

bool looking_at_body(const struct hurl_parser *p)
{
    char c = peek(p);
    if (c && strchr("{[\"`<-0123456789", c))
        return true;
    if (looking_at(p, "base64,") || looking_at(p, "hex,") || looking_at(p, "file,"))
        return true;
    struct span word = peek_word(p);
    return span_equal(word, SPAN("true")) || span_equal(word, SPAN("false")) || span_equal(word, SPAN("null"));
}

int parse_body(struct hurl_parser *p, struct hurl_body *ret)
{
    *ret = (struct hurl_body){.at = place_of(p)};
    char c = peek(p);
    if (looking_at(p, "```")) {
        PARSE_TRY(parse_fenced(p, ret));
    } else if (c == '`') {
        ret->kind = HURL_BODY_TEXT;
        advance(p, 1);
        PARSE_TRY(parse_text(p, TEXT_ONELINE, &ret->text));
    } else if (c == '<') {
        ret->kind = HURL_BODY_XML;
        PARSE_TRY(parse_xml(p, &ret->text));
    } else if (looking_at(p, "base64,") || looking_at(p, "hex,")) {
        ret->kind = HURL_BODY_BYTES;
        PARSE_TRY(parse_bytes_literal(p, &ret->bytes));
    } else if (looking_at(p, "file,")) {
        ret->kind = HURL_BODY_FILE;
        PARSE_TRY(parse_file_literal(p, &ret->text));
    } else {
        ret->kind = HURL_BODY_JSON;
        PARSE_TRY(parse_json_template(p, &ret->text));
    }
    return parse_line_end(p, "the body");
}
