#include "loadgen/hurl/json_text.h"

#include <errno.h>

#include "lib/base/character.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

/* ---- checking ---- */

struct check {
    const char *at, *end;
    const char *reason;
    unsigned depth;
};

static void check_blanks(struct check *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
}

static bool wrong(struct check *c, const char *reason)
{
    c->reason = reason;
    return false;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool check_string(struct check *c)
{
    for (c->at++; c->at < c->end; c->at++) {
        unsigned char b = (unsigned char)*c->at;
        if (b == '"') {
            c->at++;
            return true;
        }
        if (b < 0x20)
            return wrong(c, "a control character in a string");
        if (b != '\\')
            continue;
        if (++c->at == c->end)
            break;
        if (*c->at == 'u') {
            if (c->end - c->at < 5 || !is_hex(c->at[1]) || !is_hex(c->at[2]) || !is_hex(c->at[3]) || !is_hex(c->at[4]))
                return wrong(c, "a bad \\u escape");
            c->at += 4;
        } else if (!*c->at || !strchr("\"\\/bfnrt", *c->at)) {
            return wrong(c, "an unknown escape");
        }
    }
    return wrong(c, "a string without end");
}

static bool check_digits(struct check *c)
{
    const char *start = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return c->at > start;
}

static bool check_number(struct check *c)
{
    if (*c->at == '-')
        c->at++;
    const char *start = c->at;
    if (!check_digits(c) || (*start == '0' && c->at - start > 1))
        return wrong(c, "a malformed number");
    if (c->at < c->end && *c->at == '.') {
        c->at++;
        if (!check_digits(c))
            return wrong(c, "a malformed number");
    }
    if (c->at < c->end && (*c->at | 0x20) == 'e') {
        c->at++;
        if (c->at < c->end && (*c->at == '+' || *c->at == '-'))
            c->at++;
        if (!check_digits(c))
            return wrong(c, "a malformed number");
    }
    return true;
}

static bool check_word(struct check *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return wrong(c, "an unknown word");
    c->at += n;
    return true;
}

static bool check_value(struct check *c);

static bool check_members(struct check *c, char close)
{
    if (++c->depth > JSON_DEPTH_MAX)
        return wrong(c, "nesting too deep");
    c->at++;
    check_blanks(c);
    if (c->at < c->end && *c->at == close) {
        c->at++;
        c->depth--;
        return true;
    }
    for (;;) {
        check_blanks(c);
        if (close == '}') {
            if (c->at == c->end || *c->at != '"')
                return wrong(c, "no key in quotes where one is due");
            if (!check_string(c))
                return false;
            check_blanks(c);
            if (c->at == c->end || *c->at != ':')
                return wrong(c, "no ':' behind a key");
            c->at++;
            check_blanks(c);
        }
        if (!check_value(c))
            return false;
        check_blanks(c);
        if (c->at == c->end || (*c->at != ',' && *c->at != close))
            return wrong(c, close == '}' ? "no ',' or '}' where one is due" : "no ',' or ']' where one is due");
        if (*c->at++ == close) {
            c->depth--;
            return true;
        }
    }
}

static bool check_value(struct check *c)
{
    if (c->at == c->end)
        return wrong(c, "an end where a value is due");
    switch (*c->at) {
    case '{':
        return check_members(c, '}');
    case '[':
        return check_members(c, ']');
    case '"':
        return check_string(c);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        if (*c->at == '-' || (*c->at >= '0' && *c->at <= '9'))
            return check_number(c);
        return wrong(c, "no value where one is due");
    }
}

int json_text_check(struct span text, struct span *ret_root, char *why, size_t why_bytes)
{
    if (text.len == 0) {
        snprintf(why, why_bytes, "it is empty");
        return -EINVAL;
    }
    struct check c = {.at = text.ptr, .end = text.ptr + text.len};
    if (!span_is_utf8(text)) {
        snprintf(why, why_bytes, "it is not UTF-8");
        return -EINVAL;
    }
    check_blanks(&c);
    const char *start = c.at;
    bool good = check_value(&c);
    const char *end = c.at;
    if (good) {
        check_blanks(&c);
        if (c.at != c.end)
            good = wrong(&c, "more behind the value");
    }
    if (!good) {
        snprintf(why, why_bytes, "%s at byte %zu", c.reason, (size_t)(c.at - text.ptr) + 1);
        return -EINVAL;
    }
    *ret_root = span_of(start, (size_t)(end - start));
    return 0;
}

/* ---- walking checked text ---- */

enum json_text_type json_text_type(struct span value)
{
    switch (value.len ? value.ptr[0] : 'n') {
    case '{':
        return JSON_TEXT_OBJECT;
    case '[':
        return JSON_TEXT_ARRAY;
    case '"':
        return JSON_TEXT_STRING;
    case 't':
    case 'f':
        return JSON_TEXT_BOOL;
    case 'n':
        return JSON_TEXT_NULL;
    default:
        return JSON_TEXT_NUMBER;
    }
}

static void skip_space(struct span *s)
{
    while (s->len && (s->ptr[0] == ' ' || s->ptr[0] == '\n' || s->ptr[0] == '\r' || s->ptr[0] == '\t')) {
        s->ptr++;
        s->len--;
    }
}

static size_t string_bytes(struct span s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '"')
            return i + 1;
        if (s.ptr[i] == '\\')
            i++;
    }
    return s.len;
}

static bool ends_word(char c)
{
    return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The length of the value at the start of s. */
static size_t value_bytes(struct span s)
{
    if (s.len == 0)
        return 0;
    if (s.ptr[0] == '"')
        return string_bytes(s);
    if (s.ptr[0] != '{' && s.ptr[0] != '[') {
        size_t n = 0;
        while (n < s.len && !ends_word(s.ptr[n]))
            n++;
        return n;
    }
    size_t depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"')
            i += string_bytes(span_from(s, i)) - 1;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return i + 1;
    }
    return s.len;
}

static void cut(struct span *s, size_t n)
{
    n = n > s->len ? s->len : n;
    s->ptr += n;
    s->len -= n;
}

struct json_text_walk json_text_walk(struct span value)
{
    struct json_text_walk w = {{NULL, 0}};
    if (value.len >= 2 && (value.ptr[0] == '{' || value.ptr[0] == '['))
        w.rest = span_of(value.ptr + 1, value.len - 2);
    skip_space(&w.rest);
    return w;
}

/* Behind a value: the comma and the blanks around it. */
static void next_one(struct json_text_walk *w)
{
    skip_space(&w->rest);
    cut(&w->rest, 1);
    skip_space(&w->rest);
}

bool json_text_item(struct json_text_walk *w, struct span *ret_value)
{
    if (w->rest.len == 0)
        return false;
    size_t n = value_bytes(w->rest);
    *ret_value = span_of(w->rest.ptr, n);
    cut(&w->rest, n);
    next_one(w);
    return true;
}

bool json_text_member(struct json_text_walk *w, struct span *ret_key, struct span *ret_value)
{
    if (w->rest.len == 0)
        return false;
    size_t n = string_bytes(w->rest);
    *ret_key = span_of(w->rest.ptr, n);
    cut(&w->rest, n);
    next_one(w); /* the colon */
    return json_text_item(w, ret_value);
}

size_t json_text_count(struct span value)
{
    struct json_text_walk w = json_text_walk(value);
    struct span key, item;
    size_t n = 0;
    if (json_text_type(value) == JSON_TEXT_OBJECT)
        while (json_text_member(&w, &key, &item))
            n++;
    else
        while (json_text_item(&w, &item))
            n++;
    return n;
}

/* ---- strings ---- */

static uint32_t hex4(const char *at)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* One \uXXXX, or a surrogate pair; a lone surrogate becomes U+FFFD. Returns the bytes read. */
static size_t unicode_escape(struct span s, uint32_t *ret_code)
{
    uint32_t code = hex4(s.ptr + 2);
    if (code >= 0xd800 && code <= 0xdbff && s.len >= 12 && s.ptr[6] == '\\' && s.ptr[7] == 'u') {
        uint32_t low = hex4(s.ptr + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *ret_code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            return 12;
        }
    }
    *ret_code = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
    return 6;
}

/* Unescape the inside of a string; to has room for in.len bytes (an escape never grows). */
static size_t unescape(char *to, struct span in)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len;) {
        if (in.ptr[i] != '\\') {
            to[n++] = in.ptr[i++];
            continue;
        }
        static const char FROM[] = "bfnrt", INTO[] = "\b\f\n\r\t";
        char c = in.ptr[i + 1];
        if (c == 'u') {
            uint32_t code;
            i += unicode_escape(span_from(in, i), &code);
            n += utf8_put(to + n, code);
            continue;
        }
        const char *at = strchr(FROM, c);
        to[n++] = at ? INTO[at - FROM] : c;
        i += 2;
    }
    return n;
}

int json_text_string(struct arena *a, struct span value, struct span *ret)
{
    struct span inside = span_of(value.ptr + 1, value.len - 2);
    if (inside.len == 0 || !memchr(inside.ptr, '\\', inside.len)) {
        *ret = inside;
        return 0;
    }
    char *to = arena_alloc(a, inside.len);
    if (!to)
        return -ENOMEM;
    *ret = span_of(to, unescape(to, inside));
    return 0;
}

bool json_text_string_is(struct span value, struct span text)
{
    struct span inside = span_of(value.ptr + 1, value.len - 2);
    if (inside.len == 0 || !memchr(inside.ptr, '\\', inside.len))
        return span_equal(inside, text);
    if (inside.len < text.len)
        return false;
    char *to = malloc(inside.len);
    bool same = to && span_equal(span_of(to, unescape(to, inside)), text);
    free(to);
    return same;
}

bool json_text_number(struct span value, int64_t *ret_integer, double *ret_number)
{
    if (parse_i64_span(value, INT64_MIN, INT64_MAX, ret_integer) == 0) {
        *ret_number = (double)*ret_integer;
        return true;
    }
    if (parse_f64_span(value, ret_number) < 0)
        *ret_number = value.len && value.ptr[0] == '-' ? -1e308 * 10 : 1e308 * 10; /* out of range only */
    return false;
}

/* ---- equality ---- */

static bool equal_numbers(struct span a, struct span b)
{
    int64_t ia = 0, ib = 0;
    double da = 0, db = 0;
    bool both = json_text_number(a, &ia, &da) & json_text_number(b, &ib, &db);
    return both ? ia == ib : da == db;
}

static bool equal_strings(struct span a, struct span b)
{
    if (span_equal(a, b))
        return true;
    if (!memchr(b.ptr, '\\', b.len))
        return json_text_string_is(a, span_of(b.ptr + 1, b.len - 2));
    char *text = malloc(b.len);
    if (!text)
        return false;
    bool same = json_text_string_is(a, span_of(text, unescape(text, span_of(b.ptr + 1, b.len - 2))));
    free(text);
    return same;
}

static bool equal_arrays(struct span a, struct span b)
{
    struct json_text_walk wa = json_text_walk(a), wb = json_text_walk(b);
    struct span va, vb;
    for (;;) {
        bool more_a = json_text_item(&wa, &va), more_b = json_text_item(&wb, &vb);
        if (more_a != more_b)
            return false;
        if (!more_a)
            return true;
        if (!json_text_equal(va, vb))
            return false;
    }
}

static bool equal_objects(struct span a, struct span b)
{
    if (json_text_count(a) != json_text_count(b))
        return false;
    struct json_text_walk wa = json_text_walk(a), wb = json_text_walk(b);
    struct span ka, va, kb, vb;
    while (json_text_member(&wa, &ka, &va)) {
        /* usually in the same order: look at the next member of b first */
        if (json_text_member(&wb, &kb, &vb) && equal_strings(ka, kb)) {
            if (!json_text_equal(va, vb))
                return false;
            continue;
        }
        bool found = false;
        struct json_text_walk all = json_text_walk(b);
        while (!found && json_text_member(&all, &kb, &vb))
            found = equal_strings(ka, kb) && json_text_equal(va, vb);
        if (!found)
            return false;
    }
    return true;
}

bool json_text_equal(struct span a, struct span b)
{
    enum json_text_type type = json_text_type(a);
    if (type != json_text_type(b))
        return false;
    switch (type) {
    case JSON_TEXT_NULL:
        return true;
    case JSON_TEXT_BOOL:
        return a.ptr[0] == b.ptr[0];
    case JSON_TEXT_NUMBER:
        return equal_numbers(a, b);
    case JSON_TEXT_STRING:
        return equal_strings(a, b);
    case JSON_TEXT_ARRAY:
        return equal_arrays(a, b);
    case JSON_TEXT_OBJECT:
        return equal_objects(a, b);
    }
    return false;
}

void json_text_escape(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        switch (c) {
        case '"':
            buf_str(out, "\\\"");
            break;
        case '\\':
            buf_str(out, "\\\\");
            break;
        case '\n':
            buf_str(out, "\\n");
            break;
        case '\r':
            buf_str(out, "\\r");
            break;
        case '\t':
            buf_str(out, "\\t");
            break;
        default:
            if (c < 0x20)
                buf_printf(out, "\\u%04x", c);
            else
                buf_char(out, (char)c);
        }
    }
}
