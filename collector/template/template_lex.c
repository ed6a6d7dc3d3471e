#include "collector/template/template_lex.h"

#include <errno.h>
#include <stdarg.h>

#include "lib/base/character.h"
#include "lib/base/number.h"

int lex_fail(struct lexer *l, int code, size_t start, size_t end, const char *format, ...)
{
    char words[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    parse_error_set(l->error, code, l->text.ptr, start, end, "%s", words);
    return code;
}

void *lex_alloc(struct lexer *l, size_t bytes, int *r)
{
    void *at = arena_alloc(l->arena, bytes);
    if (!at)
        *r = lex_fail(l, -ENOMEM, l->at, l->at, "out of memory");
    return at;
}

struct span lex_piece(const struct lexer *l, size_t start, size_t end)
{
    return span_of(l->text.ptr + start, end - start);
}
struct span lex_text(const struct lexer *l)
{
    return lex_piece(l, l->token.start, l->token.end);
}

/* ---- tokens ---- */
bool lex_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}
static size_t word_end(const struct lexer *l, size_t at)
{
    while (at < l->action_end && is_word(l->text.ptr[at]))
        at++;
    return at;
}
/* Past the closing quote, or 0. */
size_t lex_quoted_end(const struct lexer *l, size_t at, size_t end)
{
    const char *s = l->text.ptr;
    char quote = s[at++];
    for (; at < end; at++) {
        if (s[at] == quote)
            return at + 1;
        if (quote != '`' && s[at] == '\n')
            return 0;
        if (quote != '`' && s[at] == '\\')
            at++;
    }
    return 0;
}

static size_t number_end(const struct lexer *l, size_t at)
{
    const char *s = l->text.ptr;
    if (s[at] == '+' || s[at] == '-')
        at++;
    while (at < l->action_end && (is_word(s[at]) || s[at] == '.' ||
                                  ((s[at] == '+' || s[at] == '-') && (s[at - 1] == 'e' || s[at - 1] == 'E'))))
        at++;
    return at;
}

int lex_next(struct lexer *l)
{
    const char *s = l->text.ptr;
    size_t at = l->at, end = l->action_end;
    while (at < end && lex_is_blank(s[at]))
        at++;
    struct token *k = &l->token;
    *k = (struct token){.kind = TOKEN_END, .start = at, .end = at, .spaced = at > l->at};
    l->at = at;
    if (at == end)
        return 0;
    char c = s[at], d = at + 1 < end ? s[at + 1] : '\0';
    size_t to = at + 1;
    if (c == '|')
        k->kind = TOKEN_PIPE;
    else if (c == '(')
        k->kind = TOKEN_OPEN;
    else if (c == ')')
        k->kind = TOKEN_CLOSE;
    else if (c == ',')
        k->kind = TOKEN_COMMA;
    else if (c == '=')
        k->kind = TOKEN_ASSIGN;
    else if (c == ':' && d == '=')
        k->kind = TOKEN_DECLARE, to++;
    else if (c == '$')
        k->kind = TOKEN_VARIABLE, to = word_end(l, to);
    else if ((c >= '0' && c <= '9') || ((c == '.' || c == '+' || c == '-') && d >= '0' && d <= '9'))
        k->kind = TOKEN_NUMBER, to = number_end(l, at);
    else if (c == '.')
        k->kind = TOKEN_FIELD, to = word_end(l, to);
    else if (c == '"' || c == '`' || c == '\'')
        k->kind = c == '"' ? TOKEN_STRING : c == '`' ? TOKEN_RAW : TOKEN_CHAR, to = lex_quoted_end(l, at, end);
    else if (is_word(c))
        k->kind = TOKEN_WORD, to = word_end(l, at);
    else
        return lex_fail(l, -EINVAL, at, at + 1, "unexpected \"%c\" in an action", c);
    k->end = l->at = to;
    return 0;
}

/* ---- constants ---- */
/* One escape behind its backslash: a byte (\x, octal) or a character. Returns the bytes read, 0 when there is no such escape. */
static size_t escape(struct span s, char quote, uint32_t *ret, bool *ret_is_byte)
{
    static const char FROM[] = "abfnrtv\\", TO[] = "\a\b\f\n\r\t\v\\";
    char c = s.len ? *s.ptr : '\0';
    const char *simple = c ? strchr(FROM, c) : NULL;
    *ret_is_byte = false;
    if (simple || (c && c == quote)) {
        *ret = (unsigned char)(simple ? TO[simple - FROM] : c);
        return 1;
    }
    bool octal = c >= '0' && c <= '7';
    size_t digits = octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, at = octal ? 0 : 1;
    if (digits == 0 || s.len < at + digits)
        return 0;
    uint32_t v = 0;
    for (size_t i = at; i < at + digits; i++) {
        int d = hex_digit_value(s.ptr[i]);
        if (d < 0 || (octal && d > 7))
            return 0;
        v = v * (octal ? 8 : 16) + (uint32_t)d;
    }
    *ret_is_byte = octal || c == 'x';
    if (*ret_is_byte ? v > 255 : v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
        return 0;
    *ret = v;
    return at + digits;
}

/* The bytes between the quotes, escapes resolved. */
int lex_unquote(struct lexer *l, struct span *ret)
{
    struct span s = lex_text(l);
    char quote = *s.ptr;
    s = span_of(s.ptr + 1, s.len - 2);
    int r = 0;
    char *to = lex_alloc(l, s.len + 1, &r), *start = to;
    if (!to)
        return r;
    while (s.len) {
        if (*s.ptr != '\\' || quote == '`') {
            if (*s.ptr != '\r' || quote != '`') /* Go drops carriage returns of raw strings */
                *to++ = *s.ptr;
            s = span_from(s, 1);
            continue;
        }
        uint32_t c;
        bool is_byte;
        size_t n = escape(span_from(s, 1), quote, &c, &is_byte);
        if (n == 0)
            return lex_fail(l, -EINVAL, (size_t)(s.ptr - l->text.ptr), l->token.end, "unknown escape in a string");
        if (is_byte)
            *to++ = (char)c;
        else
            to += utf8_put(to, c);
        s = span_from(s, n + 1);
    }
    *ret = span_of(start, (size_t)(to - start));
    return 0;
}

/* Go's number constants: 12, 1_000, 0x1f, 0o17, 0b101, 1.5, 1e3; whole numbers are ints. */
int lex_number(struct lexer *l, struct template_value *ret)
{
    struct span all = lex_text(l), s = all;
    bool negative = *s.ptr == '-';
    if (*s.ptr == '-' || *s.ptr == '+')
        s = span_from(s, 1);
    unsigned base = 10;
    if (s.len > 2 && *s.ptr == '0' && strchr("xXoObB", s.ptr[1])) {
        base = s.ptr[1] == 'x' || s.ptr[1] == 'X' ? 16 : s.ptr[1] == 'o' || s.ptr[1] == 'O' ? 8 : 2;
        s = span_from(s, 2);
    } else if (s.len > 1 && *s.ptr == '0' && !memchr(s.ptr, '.', s.len) && !memchr(s.ptr, 'e', s.len) &&
               !memchr(s.ptr, 'E', s.len)) {
        base = 8; /* 017, as Go and C read it */
    }
    uint64_t v = 0;
    bool whole = s.len > 0, fits = true;
    for (size_t i = 0; i < s.len && whole; i++) {
        if (s.ptr[i] == '_' && i > 0)
            continue;
        int d = hex_digit_value(s.ptr[i]);
        if (d < 0 || (unsigned)d >= base)
            whole = false;
        else if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v))
            fits = false;
    }
    if (whole && fits && v <= INT64_MAX) {
        *ret = template_int(negative ? -(int64_t)v : (int64_t)v);
        return 0;
    }
    double f;
    if (!whole && base == 10 && parse_f64_span(all, &f) == 0) {
        *ret = template_float(f);
        return 0;
    }
    return lex_fail(l, -EINVAL, l->token.start, l->token.end,
                    whole ? "number too large: " SPAN_FMT : "bad number syntax: \"" SPAN_FMT "\"", SPAN_ARG(all));
}

int lex_char(struct lexer *l, struct template_value *ret)
{
    struct span s;
    int r = lex_unquote(l, &s);
    if (r < 0)
        return r;
    unsigned char c = s.len ? (unsigned char)*s.ptr : 0;
    size_t want = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (s.len != want || !span_is_utf8(s))
        return lex_fail(l, -EINVAL, l->token.start, l->token.end, "malformed character constant");
    uint32_t v = want == 1 ? c : c & (0x7fu >> want);
    for (size_t i = 1; i < want; i++)
        v = v << 6 | ((unsigned char)s.ptr[i] & 0x3f);
    *ret = template_int((int64_t)v);
    return 0;
}
