#include <errno.h>
#include <stdarg.h>

#include "lib/base/buf.h"
#include "lib/base/number.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/jsonpath_tree.h"
#include "lib/base/limits.h"

#define INDEX_MAX 9007199254740991

struct path_parser {
    struct arena *arena;
    struct span text;
    size_t at;
    unsigned depth;
    char *why;
    size_t why_bytes;
};

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int try_r = (call);                                                                                            \
        if (try_r < 0)                                                                                                 \
            return try_r;                                                                                              \
    } while (0)

PRINTF_LIKE(2, 3) static int fail(struct path_parser *p, const char *format, ...)
{
    char words[160];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    snprintf(p->why, p->why_bytes, "%s at character %zu", words, p->at + 1);
    return -EINVAL;
}

static char peek(const struct path_parser *p)
{
    return p->at < p->text.len ? p->text.ptr[p->at] : '\0';
}

static bool looking_at(const struct path_parser *p, const char *word)
{
    return span_starts(span_from(p->text, p->at), span_str(word));
}

static void skip_blanks(struct path_parser *p)
{
    while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
        p->at++;
}

static bool take(struct path_parser *p, const char *word)
{
    if (!looking_at(p, word))
        return false;
    p->at += strlen(word);
    return true;
}

/* Grows by doubling; items move. */
static void *push(struct arena *a, void *list, size_t *n, size_t item_bytes)
{
    char *items;
    memcpy(&items, list, sizeof items);
    if (*n == 0 || (*n >= 2 && (*n & (*n - 1)) == 0)) {
        char *more = arena_array(a, *n < 2 ? 2 : *n * 2, item_bytes);
        if (!more)
            return NULL;
        if (*n)
            memcpy(more, items, *n * item_bytes);
        items = more;
        memcpy(list, &items, sizeof items);
    }
    return items + (*n)++ * item_bytes;
}

MUST_USE static int parse_integer(struct path_parser *p, int64_t *ret)
{
    size_t start = p->at;
    if (peek(p) == '-')
        p->at++;
    while (peek(p) >= '0' && peek(p) <= '9')
        p->at++;
    struct span digits = span_of(p->text.ptr + start, p->at - start);
    if (parse_i64_span(digits, -INDEX_MAX, INDEX_MAX, ret) < 0) {
        p->at = start;
        return fail(p, "expected an index");
    }
    return 0;
}

/* 'name' or "name": the escapes are JSON's, and \' between single quotes. Gives JSON text with its quotes. */
MUST_USE static int parse_quoted(struct path_parser *p, struct span *ret_json)
{
    char quote = peek(p);
    size_t start = p->at++;
    struct buf json;
    buf_init(&json, JSONPATH_TEXT_BYTES_MAX * 2);
    buf_char(&json, '"');
    while (p->at < p->text.len && peek(p) != quote) {
        char c = p->text.ptr[p->at++];
        if (c == '\\' && p->at < p->text.len) {
            char escaped = p->text.ptr[p->at++];
            if (escaped != '\'')
                buf_char(&json, '\\');
            buf_char(&json, escaped);
        } else if (c == '"') {
            buf_str(&json, "\\\"");
        } else {
            buf_char(&json, c);
        }
    }
    buf_char(&json, '"');
    int r = 0;
    char why[80];
    struct span root;
    bool ok = true;
    if (peek(p) != quote) {
        p->at = start;
        r = fail(p, "a name without closing quote");
    } else if (buf_error(&json)) {
        r = -ENOMEM;
    } else if (json_text_check(buf_view(&json), &root, why, sizeof why) < 0) {
        p->at = start;
        r = fail(p, "a malformed name");
    } else {
        p->at++;
        *ret_json = arena_span(p->arena, root, &ok);
        r = ok ? 0 : -ENOMEM;
    }
    buf_done(&json);
    return r;
}

MUST_USE static int parse_filter(struct path_parser *p, const struct jsonpath_filter **ret);
MUST_USE static int parse_segments(struct path_parser *p, struct jsonpath *path);

MUST_USE static int parse_index_or_slice(struct path_parser *p, struct jsonpath_selector *s)
{
    s->kind = SELECT_INDEX;
    s->step = 1;
    if (peek(p) != ':') {
        TRY(parse_integer(p, &s->index));
        skip_blanks(p);
        if (peek(p) != ':')
            return 0;
        s->has_start = true;
        s->start = s->index;
    }
    s->kind = SELECT_SLICE;
    p->at++;
    skip_blanks(p);
    if (peek(p) != ':' && peek(p) != ']' && peek(p) != ',') {
        TRY(parse_integer(p, &s->end));
        s->has_end = true;
        skip_blanks(p);
    }
    if (peek(p) == ':') {
        p->at++;
        skip_blanks(p);
        if (peek(p) != ']' && peek(p) != ',')
            TRY(parse_integer(p, &s->step));
    }
    return 0;
}

MUST_USE static int parse_selector(struct path_parser *p, struct jsonpath_selector *s)
{
    char c = peek(p);
    if (c == '\'' || c == '"') {
        s->kind = SELECT_NAME;
        struct span json;
        TRY(parse_quoted(p, &json));
        return json_text_string(p->arena, json, &s->name);
    }
    if (c == '*') {
        s->kind = SELECT_WILDCARD;
        p->at++;
        return 0;
    }
    if (c == '?') {
        s->kind = SELECT_FILTER;
        p->at++;
        return parse_filter(p, &s->filter);
    }
    return parse_index_or_slice(p, s);
}

MUST_USE static int parse_brackets(struct path_parser *p, struct jsonpath_segment *segment)
{
    size_t open = p->at++;
    for (;;) {
        skip_blanks(p);
        struct jsonpath_selector s = {0};
        TRY(parse_selector(p, &s));
        struct jsonpath_selector *kept = push(p->arena, &segment->selectors, &segment->n, sizeof *kept);
        if (!kept)
            return -ENOMEM;
        *kept = s;
        skip_blanks(p);
        if (take(p, "]"))
            return 0;
        if (!take(p, ",")) {
            if (p->at == p->text.len)
                p->at = open;
            return fail(p, "expected ',' or ']'");
        }
    }
}

static bool is_name_char(char c)
{
    unsigned char u = (unsigned char)c;
    return ((u | 0x20) >= 'a' && (u | 0x20) <= 'z') || (u >= '0' && u <= '9') || u == '_' || u == '-' || u >= 0x80;
}

/* Behind a dot: * or a name. */
MUST_USE static int parse_dotted(struct path_parser *p, struct jsonpath_segment *segment)
{
    struct jsonpath_selector s = {.kind = SELECT_WILDCARD};
    if (!take(p, "*")) {
        size_t start = p->at;
        while (is_name_char(peek(p)))
            p->at++;
        if (p->at == start)
            return fail(p, "expected a name, '*' or '['");
        s.kind = SELECT_NAME;
        bool ok = true;
        s.name = arena_span(p->arena, span_of(p->text.ptr + start, p->at - start), &ok);
        if (!ok)
            return -ENOMEM;
    }
    struct jsonpath_selector *kept = push(p->arena, &segment->selectors, &segment->n, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = s;
    return 0;
}

static int parse_segments(struct path_parser *p, struct jsonpath *path)
{
    path->singular = true;
    for (;;) {
        struct jsonpath_segment segment = {0};
        if (take(p, "..")) {
            segment.descendant = true;
            if (peek(p) == '[')
                TRY(parse_brackets(p, &segment));
            else
                TRY(parse_dotted(p, &segment));
        } else if (take(p, ".")) {
            if (peek(p) == '[')
                return fail(p, "'.[' (write '[' alone)");
            TRY(parse_dotted(p, &segment));
        } else if (peek(p) == '[') {
            TRY(parse_brackets(p, &segment));
        } else {
            return 0;
        }
        bool one =
            segment.n == 1 && (segment.selectors[0].kind == SELECT_NAME || segment.selectors[0].kind == SELECT_INDEX);
        if (segment.descendant || !one)
            path->singular = false;
        struct jsonpath_segment *kept = push(p->arena, &path->segments, &path->n, sizeof *kept);
        if (!kept)
            return -ENOMEM;
        *kept = segment;
    }
}

/* ---- filters ---- */

MUST_USE static int parse_inner_path(struct path_parser *p, const struct jsonpath **ret)
{
    struct jsonpath *path = arena_alloc(p->arena, sizeof *path);
    if (!path)
        return -ENOMEM;
    path->relative = peek(p) == '@';
    p->at++;
    TRY(parse_segments(p, path));
    *ret = path;
    return 0;
}

/* Of RFC 9535 2.4: which kind of argument each takes. */
static const struct function {
    struct span name;
    enum jsonpath_operand_kind kind;
    bool takes_nodes, takes_pattern;
} FUNCTIONS[] = {
    {SPAN_INIT("length"), OPERAND_LENGTH, false, false}, {SPAN_INIT("count"), OPERAND_COUNT, true, false},
    {SPAN_INIT("value"), OPERAND_VALUE, true, false},    {SPAN_INIT("match"), OPERAND_MATCH, false, true},
    {SPAN_INIT("search"), OPERAND_SEARCH, false, true},
};

MUST_USE static int parse_operand(struct path_parser *p, struct jsonpath_operand *o);

/* An argument that is one value: a literal, a path to at most one, a function that gives one. */
MUST_USE static int parse_value_argument(struct path_parser *p, const struct function *f,
                                         const struct jsonpath_operand **ret)
{
    struct jsonpath_operand *inner = arena_alloc(p->arena, sizeof *inner);
    if (!inner)
        return -ENOMEM;
    skip_blanks(p);
    TRY(parse_operand(p, inner));
    if (inner->kind == OPERAND_MATCH || inner->kind == OPERAND_SEARCH ||
        (inner->kind == OPERAND_PATH && !inner->path->singular))
        return fail(p, SPAN_FMT "() takes one value", SPAN_ARG(f->name));
    *ret = inner;
    return 0;
}

MUST_USE static int parse_function(struct path_parser *p, struct jsonpath_operand *o)
{
    size_t start = p->at, i = 0;
    while (is_name_char(peek(p)))
        p->at++;
    struct span name = span_of(p->text.ptr + start, p->at - start);
    while (i < ARRAY_LEN(FUNCTIONS) && !span_equal(name, FUNCTIONS[i].name))
        i++;
    if (i == ARRAY_LEN(FUNCTIONS)) {
        p->at = start;
        return fail(p, "there is no function '" SPAN_FMT "' (length, count, value, match, search)", SPAN_ARG(name));
    }
    const struct function *f = &FUNCTIONS[i];
    if (++p->depth > JSONPATH_DEPTH_MAX)
        return fail(p, "functions nested deeper than %u", JSONPATH_DEPTH_MAX);
    p->at++; /* ( */
    skip_blanks(p);
    o->kind = f->kind;
    if (f->takes_nodes && peek(p) != '@' && peek(p) != '$')
        return fail(p, SPAN_FMT "() takes a path that starts with @ or $", SPAN_ARG(name));
    if (f->takes_nodes)
        TRY(parse_inner_path(p, &o->path));
    else
        TRY(parse_value_argument(p, f, &o->inner));
    skip_blanks(p);
    if (f->takes_pattern) {
        if (!take(p, ","))
            return fail(p, SPAN_FMT "() takes a value and a pattern", SPAN_ARG(name));
        TRY(parse_value_argument(p, f, &o->pattern));
        skip_blanks(p);
    }
    p->depth--;
    return take(p, ")") ? 0 : fail(p, "expected ')'");
}

MUST_USE static int parse_literal(struct path_parser *p, struct jsonpath_operand *o)
{
    o->kind = OPERAND_LITERAL;
    char c = peek(p);
    if (c == '\'' || c == '"')
        return parse_quoted(p, &o->literal);
    size_t start = p->at;
    while (is_name_char(peek(p)) || peek(p) == '.' || peek(p) == '+')
        p->at++;
    struct span text = span_of(p->text.ptr + start, p->at - start), root;
    char why[80];
    if (text.len == 0 || json_text_check(text, &root, why, sizeof why) < 0) {
        p->at = start;
        return fail(p, "expected @, $, a number, a text in quotes, true, false or null");
    }
    bool ok = true;
    o->literal = arena_span(p->arena, root, &ok);
    return ok ? 0 : -ENOMEM;
}

static bool at_function(const struct path_parser *p)
{
    size_t n = p->at;
    while (n < p->text.len && is_name_char(p->text.ptr[n]))
        n++;
    return n > p->at && n < p->text.len && p->text.ptr[n] == '(';
}

static int parse_operand(struct path_parser *p, struct jsonpath_operand *o)
{
    if (peek(p) == '@' || peek(p) == '$') {
        o->kind = OPERAND_PATH;
        return parse_inner_path(p, &o->path);
    }
    return at_function(p) ? parse_function(p, o) : parse_literal(p, o);
}

MUST_USE static int parse_compare(struct path_parser *p, enum jsonpath_compare *ret, bool *ret_found)
{
    static const struct {
        const char *text;
        enum jsonpath_compare compare;
    } OPS[] = {{"==", COMPARE_EQ}, {"!=", COMPARE_NE}, {"<=", COMPARE_LE},
               {">=", COMPARE_GE}, {"<", COMPARE_LT},  {">", COMPARE_GT}};
    *ret_found = false;
    for (size_t i = 0; i < ARRAY_LEN(OPS); i++)
        if (take(p, OPS[i].text)) {
            *ret = OPS[i].compare;
            *ret_found = true;
            return 0;
        }
    return peek(p) == '=' ? fail(p, "unknown operator (==, !=, <, <=, >, >=)") : 0;
}

MUST_USE static int parse_comparison(struct path_parser *p, struct jsonpath_filter *f)
{
    TRY(parse_operand(p, &f->a));
    skip_blanks(p);
    bool compares;
    TRY(parse_compare(p, &f->compare, &compares));
    if (f->a.kind == OPERAND_MATCH || f->a.kind == OPERAND_SEARCH) {
        if (compares)
            return fail(p, "match() and search() are conditions: they cannot be compared");
        f->kind = FILTER_REGEX;
        return 0;
    }
    if (!compares) {
        if (f->a.kind != OPERAND_PATH)
            return fail(p, "a value alone is no condition");
        f->kind = FILTER_EXISTS;
        return 0;
    }
    f->kind = FILTER_COMPARE;
    skip_blanks(p);
    TRY(parse_operand(p, &f->b));
    if (f->b.kind == OPERAND_MATCH || f->b.kind == OPERAND_SEARCH)
        return fail(p, "match() and search() are conditions: they cannot be compared");
    if ((f->a.kind == OPERAND_PATH && !f->a.path->singular) || (f->b.kind == OPERAND_PATH && !f->b.path->singular))
        return fail(p, "a comparison needs paths to one value");
    return 0;
}

MUST_USE static int parse_basic(struct path_parser *p, const struct jsonpath_filter **ret)
{
    struct jsonpath_filter *f = arena_alloc(p->arena, sizeof *f);
    if (!f)
        return -ENOMEM;
    *ret = f;
    skip_blanks(p);
    if (++p->depth > JSONPATH_DEPTH_MAX)
        return fail(p, "conditions nested deeper than %u", JSONPATH_DEPTH_MAX);
    if (peek(p) == '!') {
        p->at++;
        f->kind = FILTER_NOT;
        TRY(parse_basic(p, &f->left));
    } else if (peek(p) == '(') {
        p->at++;
        TRY(parse_filter(p, ret));
        skip_blanks(p);
        if (!take(p, ")"))
            return fail(p, "expected ')'");
    } else {
        TRY(parse_comparison(p, f));
    }
    p->depth--;
    return 0;
}

MUST_USE static int parse_and(struct path_parser *p, const struct jsonpath_filter **ret)
{
    TRY(parse_basic(p, ret));
    for (;;) {
        skip_blanks(p);
        if (!take(p, "&&"))
            return 0;
        struct jsonpath_filter *f = arena_alloc(p->arena, sizeof *f);
        if (!f)
            return -ENOMEM;
        f->kind = FILTER_AND;
        f->left = *ret;
        TRY(parse_basic(p, &f->right));
        *ret = f;
    }
}

static int parse_filter(struct path_parser *p, const struct jsonpath_filter **ret)
{
    if (++p->depth > JSONPATH_DEPTH_MAX)
        return fail(p, "conditions nested deeper than %u", JSONPATH_DEPTH_MAX);
    TRY(parse_and(p, ret));
    for (;;) {
        skip_blanks(p);
        if (!take(p, "||"))
            break;
        struct jsonpath_filter *f = arena_alloc(p->arena, sizeof *f);
        if (!f)
            return -ENOMEM;
        f->kind = FILTER_OR;
        f->left = *ret;
        TRY(parse_and(p, &f->right));
        *ret = f;
    }
    p->depth--;
    return 0;
}

int jsonpath_compile(struct arena *a, struct span text, const struct jsonpath **ret, char *why, size_t why_bytes)
{
    struct path_parser p = {.arena = a, .text = span_trim(text), .why = why, .why_bytes = why_bytes};
    if (p.text.len > JSONPATH_TEXT_BYTES_MAX)
        return fail(&p, "longer than %u bytes", JSONPATH_TEXT_BYTES_MAX);
    if (peek(&p) != '$')
        return fail(&p, "a JSONPath starts with $");
    p.at++;
    struct jsonpath *path = arena_alloc(a, sizeof *path);
    if (!path)
        return -ENOMEM;
    TRY(parse_segments(&p, path));
    if (p.at < p.text.len)
        return fail(&p, "unexpected '%c'", peek(&p));
    *ret = path;
    return 0;
}
