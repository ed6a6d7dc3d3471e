#include "loadgen/import/postman_script.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"

void put_variable_name(struct buf *out, struct span name)
{
    size_t start = out->len;
    for (size_t i = 0; i < name.len && i < 100; i++) {
        char c = name.ptr[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', inner = (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (out->len == start && !letter)
            buf_char(out, 'v');
        buf_char(out, letter || inner ? c : '_');
    }
    if (out->len == start)
        buf_char(out, 'v');
    if (buf_error(out))
        return;
    struct span put = span_of(out->data + start, out->len - start);
    if (span_starts(put, SPAN("new")) || span_starts(put, SPAN("random")) || span_equal(put, SPAN("getEnv")))
        buf_char(out, '_'); /* the language has functions of such names */
}

static bool is_word_byte(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

/* Behind `what` in the line, blanks skipped; empty (ptr NULL): it is not there. */
static struct span behind(struct span line, const char *what)
{
    size_t at = span_search(line, span_str(what));
    return at == line.len ? (struct span){0} : span_trim(span_from(line, at + strlen(what)));
}

/* 'text' or "text" at the start; *ret_rest is what follows. false: none stands there. */
static bool take_quoted(struct span s, struct span *ret_text, struct span *ret_rest)
{
    if (s.len == 0 || (s.ptr[0] != '"' && s.ptr[0] != '\'' && s.ptr[0] != '`'))
        return false;
    size_t end = span_find(span_from(s, 1), s.ptr[0]);
    if (end + 1 >= s.len)
        return false;
    *ret_text = span_of(s.ptr + 1, end);
    *ret_rest = span_trim(span_from(s, end + 2));
    return span_find(*ret_text, '\\') == ret_text->len;
}

/* .a.b[0]['c'] at the start, as the rest of a JSONPath. */
static size_t take_path(struct span s, struct buf *path)
{
    size_t i = 0;
    while (i < s.len) {
        size_t n = 0;
        if (s.ptr[i] == '?' && i + 1 < s.len && s.ptr[i + 1] == '.')
            i++;
        if (s.ptr[i] == '.') {
            while (i + 1 + n < s.len && is_word_byte(s.ptr[i + 1 + n]))
                n++;
            if (n == 0 || (i + 1 + n < s.len && s.ptr[i + 1 + n] == '('))
                break; /* a call: .length may be asked, .map() not */
            buf_span(path, span_of(s.ptr + i, n + 1));
            i += n + 1;
        } else if (s.ptr[i] == '[') {
            n = span_find(span_from(s, i), ']');
            if (n == s.len - i)
                break;
            struct span inner = span_of(s.ptr + i + 1, n - 1), text, rest;
            uint64_t index;
            if (parse_u64_span(inner, 1000000, &index) < 0 && !(take_quoted(inner, &text, &rest) && rest.len == 0))
                break;
            buf_span(path, span_of(s.ptr + i, n + 1));
            i += n + 1;
        } else {
            break;
        }
    }
    return i;
}

/* What stands at the start of s as a query: the body's JSON, a name for it, a header, the status. The bytes it takes; 0: none. */
static size_t take_query(struct script *s, struct span text, struct buf *query)
{
    static const char *const BODIES[] = {"pm.response.json()", "JSON.parse(responseBody)"};
    struct buf path;
    size_t taken = 0;
    buf_init(&path, IMPORT_VALUE_BYTES_MAX);
    buf_char(&path, '$');
    for (size_t i = 0; i < ARRAY_LEN(BODIES) && !taken; i++)
        if (span_starts(text, span_str(BODIES[i])))
            taken = strlen(BODIES[i]);
    for (size_t i = 0; i < s->n_names && !taken; i++)
        if (span_starts(text, s->body_names[i]) &&
            (text.len == s->body_names[i].len || !is_word_byte(text.ptr[s->body_names[i].len]))) {
            taken = s->body_names[i].len;
            buf_clear(&path);
            buf_span(&path, s->body_paths[i]);
        }
    buf_clear(query);
    if (taken) {
        taken += take_path(span_from(text, taken), &path);
        buf_str(query, "jsonpath ");
        draft_quoted(query, buf_view(&path));
    } else if (span_starts(text, SPAN("pm.response.code"))) {
        taken = strlen("pm.response.code");
        buf_str(query, "status");
    } else if (span_starts(text, SPAN("pm.response.headers.get("))) {
        struct span name, rest;
        if (take_quoted(span_from(text, strlen("pm.response.headers.get(")), &name, &rest) && rest.len &&
            rest.ptr[0] == ')') {
            taken = (size_t)(rest.ptr + 1 - text.ptr);
            buf_str(query, "header ");
            draft_quoted(query, name);
        }
    }
    if (buf_error(&path) || buf_error(query))
        taken = 0;
    buf_done(&path);
    return taken;
}

/* const data = pm.response.json().data; */
MUST_USE static int body_name(struct script *s, struct span line, bool *ret)
{
    static const char *const WORDS[] = {"const ", "let ", "var "};
    struct span name = {0};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (span_starts(line, span_str(WORDS[i])))
            name = span_from(line, strlen(WORDS[i]));
    size_t n = 0;
    while (n < name.len && is_word_byte(name.ptr[n]))
        n++;
    struct span value = behind(name, "=");
    struct buf query;
    buf_init(&query, 2 * IMPORT_VALUE_BYTES_MAX);
    size_t taken = n ? take_query(s, value, &query) : 0;
    struct span rest = span_trim(span_from(value, taken)), prefix = SPAN("jsonpath \"");
    bool ok = true;
    *ret = taken && (rest.len == 0 || span_equal(rest, SPAN(";"))) && s->n_names < SCRIPT_NAMES_MAX &&
           span_starts(buf_view(&query), prefix) && span_find(buf_view(&query), '\\') == query.len;
    if (*ret) {
        s->body_names[s->n_names] = arena_span(&s->draft->arena, span_of(name.ptr, n), &ok);
        s->body_paths[s->n_names++] =
            arena_span(&s->draft->arena, span_of(query.data + prefix.len, query.len - prefix.len - 1), &ok);
    }
    buf_done(&query);
    return ok ? 0 : -ENOMEM;
}

/* pm.environment.set("token", QUERY) */
MUST_USE static int setting(struct script *s, struct span line, bool *ret)
{
    static const char *const CALLS[] = {
        "pm.environment.set(", "pm.collectionVariables.set(",     "pm.globals.set(",
        "pm.variables.set(",   "postman.setEnvironmentVariable(", "postman.setGlobalVariable("};
    struct span name, rest = {0};
    for (size_t i = 0; i < ARRAY_LEN(CALLS) && !rest.ptr; i++)
        rest = behind(line, CALLS[i]);
    *ret = false;
    if (!take_quoted(rest, &name, &rest) || rest.len == 0 || rest.ptr[0] != ',')
        return 0;
    rest = span_trim(span_from(rest, 1));
    struct buf query, variable;
    buf_init(&query, 2 * IMPORT_VALUE_BYTES_MAX);
    buf_init(&variable, 256);
    size_t taken = take_query(s, rest, &query);
    rest = span_trim(span_from(rest, taken));
    int r = 0;
    if (taken && rest.len && rest.ptr[0] == ')') {
        put_variable_name(&variable, name);
        *ret = true;
        r = buf_error(&variable)
                ? -ENOMEM
                : draft_pair_add(s->draft, &s->request->captures, buf_view(&variable), buf_view(&query));
    }
    buf_done(&query);
    buf_done(&variable);
    return r;
}

/* The value of a comparison as Hurl writes it: a number, true, false, null or a text. */
static bool put_value(struct buf *out, struct span text)
{
    struct span quoted, rest;
    double number;
    text = span_trim(text);
    if (take_quoted(text, &quoted, &rest) && rest.len == 0) {
        draft_quoted(out, quoted);
        return true;
    }
    if (parse_f64_span(text, &number) == 0 || span_equal(text, SPAN("true")) || span_equal(text, SPAN("false")) ||
        span_equal(text, SPAN("null"))) {
        buf_span(out, text);
        return true;
    }
    return false;
}

/* pm.expect(QUERY).to.eql(VALUE) and its kin. */
MUST_USE static int expectation(struct script *s, struct span line, bool *ret)
{
    static const struct {
        const char *words, *predicate;
        bool value;
    } WORDS[] = {{".to.eql(", "==", true},
                 {".to.equal(", "==", true},
                 {".to.be.equal(", "==", true},
                 {".to.eq(", "==", true},
                 {".to.not.eql(", "!=", true},
                 {".to.be.above(", ">", true},
                 {".to.be.below(", "<", true},
                 {".to.be.at.least(", ">=", true},
                 {".to.be.at.most(", "<=", true},
                 {".to.include(", "contains", true},
                 {".to.exist", "exists", false},
                 {".to.be.true", "== true", false},
                 {".to.be.false", "== false", false},
                 {".to.not.be.empty", "not isEmpty", false}};
    struct span rest = behind(line, "pm.expect(");
    *ret = false;
    if (!rest.ptr)
        return 0;
    struct buf assert_line;
    buf_init(&assert_line, 4 * IMPORT_VALUE_BYTES_MAX);
    size_t taken = take_query(s, rest, &assert_line);
    rest = span_trim(span_from(rest, taken));
    bool status = span_equal(buf_view(&assert_line), SPAN("status"));
    if (taken && rest.len && rest.ptr[0] == ')') {
        rest = span_from(rest, 1);
        for (size_t i = 0; i < ARRAY_LEN(WORDS) && !*ret; i++) {
            if (!span_starts(rest, span_str(WORDS[i].words)))
                continue;
            struct span value = span_from(rest, strlen(WORDS[i].words));
            value.len = span_find(value, ')');
            buf_printf(&assert_line, " %s", WORDS[i].predicate);
            uint64_t code;
            if (WORDS[i].value)
                buf_char(&assert_line, ' ');
            *ret = !WORDS[i].value || put_value(&assert_line, value);
            if (*ret && status && i < 4 && parse_u64_span(span_trim(value), 999, &code) == 0 && code >= 100) {
                s->request->status = (int)code;
                buf_clear(&assert_line);
            }
        }
    }
    int r = *ret && assert_line.len
                ? draft_pair_add(s->draft, &s->request->asserts, buf_view(&assert_line), (struct span){0})
                : 0;
    if (buf_error(&assert_line))
        r = -ENOMEM;
    buf_done(&assert_line);
    return r;
}

/* pm.response.to.have.status(200), .to.be.ok, .to.have.header("X") */
MUST_USE static int response_is(struct script *s, struct span line, bool *ret)
{
    struct span status = behind(line, "to.have.status("), header = behind(line, "to.have.header("), name, rest;
    uint64_t code;
    *ret = false;
    if (span_search(line, SPAN("pm.response")) == line.len)
        return 0;
    if (status.ptr && parse_u64_span(span_of(status.ptr, span_find(status, ')')), 999, &code) == 0 && code >= 100) {
        s->request->status = (int)code;
        *ret = true;
    } else if (behind(line, "to.be.ok").ptr || behind(line, "to.be.success").ptr) {
        *ret = true;
        return draft_pair_add(s->draft, &s->request->asserts, SPAN("status < 300"), (struct span){0});
    } else if (header.ptr && take_quoted(header, &name, &rest)) {
        struct buf text;
        buf_init(&text, IMPORT_VALUE_BYTES_MAX);
        buf_str(&text, "header ");
        draft_quoted(&text, name);
        buf_str(&text, " exists");
        *ret = !buf_error(&text);
        int r = *ret ? draft_pair_add(s->draft, &s->request->asserts, buf_view(&text), (struct span){0}) : 0;
        buf_done(&text);
        return r;
    }
    return 0;
}

/* Lines that ask nothing: braces, comments, the head of a test. */
static bool is_frame(struct span line)
{
    static const char *const STARTS[] = {"//", "/*", "*", "}", ")", "pm.test(", "console.", "{", "\"use strict\""};
    if (line.len == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(STARTS); i++)
        if (span_starts(line, span_str(STARTS[i])))
            return true;
    return false;
}

int script_line(struct script *s, struct span line, bool *ret_understood)
{
    static int (*const SENTENCES[])(struct script *, struct span, bool *) = {body_name, setting, expectation,
                                                                             response_is};
    line = span_trim(line);
    for (size_t i = 0; i < ARRAY_LEN(SENTENCES); i++) {
        int r = SENTENCES[i](s, line, ret_understood);
        if (r < 0 || *ret_understood)
            return r;
    }
    bool test = span_starts(line, SPAN("pm.test("));
    *ret_understood = is_frame(line) && (!test || span_search(line, SPAN("pm.expect(")) == line.len);
    return 0;
}
