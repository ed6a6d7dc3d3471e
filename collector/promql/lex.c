#include "collector/promql/lex.h"

#include <errno.h>
#include <math.h>

#include "lib/base/character.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"

static const struct {
    const char *text;
    enum token_type type;
} WORDS[] = {
    {"and", TOKEN_AND},
    {"or", TOKEN_OR},
    {"unless", TOKEN_UNLESS},
    {"atan2", TOKEN_ATAN2},
    {"sum", TOKEN_SUM},
    {"avg", TOKEN_AVG},
    {"count", TOKEN_COUNT},
    {"min", TOKEN_MIN},
    {"max", TOKEN_MAX},
    {"group", TOKEN_GROUP},
    {"stddev", TOKEN_STDDEV},
    {"stdvar", TOKEN_STDVAR},
    {"topk", TOKEN_TOPK},
    {"bottomk", TOKEN_BOTTOMK},
    {"count_values", TOKEN_COUNT_VALUES},
    {"quantile", TOKEN_QUANTILE},
    {"limitk", TOKEN_LIMITK},
    {"limit_ratio", TOKEN_LIMIT_RATIO},
    {"offset", TOKEN_OFFSET},
    {"smoothed", TOKEN_SMOOTHED},
    {"anchored", TOKEN_ANCHORED},
    {"by", TOKEN_BY},
    {"without", TOKEN_WITHOUT},
    {"on", TOKEN_ON},
    {"ignoring", TOKEN_IGNORING},
    {"group_left", TOKEN_GROUP_LEFT},
    {"group_right", TOKEN_GROUP_RIGHT},
    {"fill", TOKEN_FILL},
    {"fill_left", TOKEN_FILL_LEFT},
    {"fill_right", TOKEN_FILL_RIGHT},
    {"bool", TOKEN_BOOL},
    {"start", TOKEN_START},
    {"end", TOKEN_STOP},
    {"step", TOKEN_STEP},
    {"range", TOKEN_RANGE},
    {"inf", TOKEN_NUMBER},
    {"nan", TOKEN_NUMBER},
};
static const char *const SIGNS[TOKEN_TYPES] = {
    [TOKEN_COMMA] = ",",       [TOKEN_COLON] = ":",       [TOKEN_LEFT_PAREN] = "(",   [TOKEN_RIGHT_PAREN] = ")",
    [TOKEN_LEFT_BRACE] = "{",  [TOKEN_RIGHT_BRACE] = "}", [TOKEN_LEFT_BRACKET] = "[", [TOKEN_RIGHT_BRACKET] = "]",
    [TOKEN_EQL] = "=",         [TOKEN_EQL_REGEX] = "=~",  [TOKEN_NEQ_REGEX] = "!~",   [TOKEN_AT] = "@",
    [TOKEN_ADD] = "+",         [TOKEN_SUB] = "-",         [TOKEN_MUL] = "*",          [TOKEN_DIV] = "/",
    [TOKEN_MOD] = "%",         [TOKEN_POW] = "^",         [TOKEN_EQLC] = "==",        [TOKEN_NEQ] = "!=",
    [TOKEN_LTE] = "<=",        [TOKEN_LSS] = "<",         [TOKEN_GTE] = ">=",         [TOKEN_GTR] = ">",
    [TOKEN_TRIM_UPPER] = "</", [TOKEN_TRIM_LOWER] = ">/",
};

const char *token_spelling(enum token_type t)
{
    if (SIGNS[t] || t == TOKEN_NUMBER)
        return SIGNS[t];
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (WORDS[i].type == t)
            return WORDS[i].text;
    return NULL;
}

bool token_is_word(enum token_type t)
{
    return t == TOKEN_IDENTIFIER || t == TOKEN_METRIC_IDENTIFIER || t == TOKEN_ATAN2 || t >= TOKEN_AND;
}

void token_describe(struct span text, struct token t, struct buf *out)
{
    struct span piece = span_of(text.ptr + t.start, t.end - t.start);
    switch (t.type) {
    case TOKEN_END:
        buf_str(out, "end of input");
        return;
    case TOKEN_STRING:
        buf_str(out, "string ");
        break;
    case TOKEN_NUMBER:
        buf_str(out, "number ");
        break;
    case TOKEN_DURATION:
        buf_str(out, "duration ");
        break;
    case TOKEN_IDENTIFIER:
        buf_str(out, "identifier ");
        break;
    case TOKEN_METRIC_IDENTIFIER:
        buf_str(out, "metric identifier ");
        break;
    default:
        if (token_is_operator(t.type))
            buf_printf(out, "<op:" SPAN_FMT ">", SPAN_ARG(piece));
        else if (token_is_aggregation(t.type))
            buf_printf(out, "<aggr:" SPAN_FMT ">", SPAN_ARG(piece));
        else if (t.type >= TOKEN_OFFSET && t.type <= TOKEN_BOOL)
            buf_printf(out, "<" SPAN_FMT ">", SPAN_ARG(piece));
        else
            quote_go(out, piece);
        return;
    }
    if (piece.len > 10 && t.type != TOKEN_IDENTIFIER && t.type != TOKEN_METRIC_IDENTIFIER) {
        size_t cut = 10;
        while (cut > 0 && ((unsigned char)piece.ptr[cut] & 0xc0) == 0x80)
            cut--;
        quote_go(out, span_of(piece.ptr, cut));
        buf_str(out, "...");
        return;
    }
    quote_go(out, piece);
}

void lexer_init(struct lexer *lx, struct span text)
{
    *lx = (struct lexer){.text = text};
}

/* The byte at `ahead` from here, 0 past the end. */
static char peek(const struct lexer *lx, size_t ahead)
{
    return lx->at + ahead < lx->text.len ? lx->text.ptr[lx->at + ahead] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct token token(const struct lexer *lx, enum token_type type, size_t start)
{
    return (struct token){type, start, lx->at};
}

static struct token failed(struct lexer *lx, size_t start, const char *message)
{
    lx->failed = true;
    parse_error_set(&lx->error, -EINVAL, lx->text.ptr, start, lx->at > start ? lx->at : start, "%s", message);
    return token(lx, TOKEN_ERROR, start);
}

/* The same with the character at the current place quoted as Go's %q shows a rune: 'x'. */
static struct token failed_at(struct lexer *lx, size_t start, const char *message, size_t at)
{
    if (at >= lx->text.len) {
        char text[120];
        snprintf(text, sizeof text, "%s: %s", message, "end of input");
        return failed(lx, start, text);
    }
    size_t n = 1;
    while (at + n < lx->text.len && n < 4 && ((unsigned char)lx->text.ptr[at + n] & 0xc0) == 0x80)
        n++;
    struct buf b;
    buf_init(&b, PROBLEM_TEXT_MAX);
    buf_printf(&b, "%s: ", message);
    if (n == 1 && lx->text.ptr[at] == '\'') {
        buf_str(&b, "'\\''");
    } else {
        size_t from = b.len;
        quote_go(&b, span_of(lx->text.ptr + at, n));
        if (!buf_error(&b)) {
            b.data[from] = '\'';
            b.data[b.len - 1] = '\'';
        }
    }
    struct token t = failed(lx, start, buf_error(&b) ? message : b.data);
    buf_done(&b);
    return t;
}

static void skip_blanks(struct lexer *lx)
{
    for (;;) {
        while (is_space(peek(lx, 0)))
            lx->at++;
        if (peek(lx, 0) != '#')
            return;
        while (lx->at < lx->text.len && peek(lx, 0) != '\n' && peek(lx, 0) != '\r')
            lx->at++;
    }
}

static struct token lex_string(struct lexer *lx)
{
    size_t start = lx->at;
    char quote = peek(lx, 0);
    lx->at++;
    for (;;) {
        if (lx->at >= lx->text.len)
            return failed(lx, start, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
        char c = peek(lx, 0);
        lx->at++;
        if (c == quote)
            break;
        if (quote == '`')
            continue;
        if (c == '\n') {
            lx->at--;
            return failed(lx, start, "unterminated quoted string");
        }
        if (c == '\\') {
            if (lx->at >= lx->text.len)
                return failed(lx, start, "escape sequence not terminated");
            lx->at++;
        }
    }
    if (!span_is_utf8(span_of(lx->text.ptr + start, lx->at - start)))
        return failed(lx, start, "invalid UTF-8 rune");
    return token(lx, TOKEN_STRING, start);
}

/* Consume digits with single underscores between them; false when an underscore stands wrong. */
static bool digits(struct lexer *lx, bool (*is)(char))
{
    while (is(peek(lx, 0)) || peek(lx, 0) == '_') {
        if (peek(lx, 0) == '_' && !is(peek(lx, 1)))
            return false;
        lx->at++;
    }
    return true;
}

static bool lex_plain_number(struct lexer *lx)
{
    if (peek(lx, 0) == '0' && (peek(lx, 1) == 'x' || peek(lx, 1) == 'X')) {
        lx->at += 2;
        return digits(lx, is_hex) && peek(lx, 0) != '.' && !is_alpha(peek(lx, 0));
    }
    if (!digits(lx, is_digit))
        return false;
    if (peek(lx, 0) == '.') {
        lx->at++;
        if (peek(lx, 0) == '_' || peek(lx, 0) == '.' || !digits(lx, is_digit))
            return false;
    }
    if (peek(lx, 0) == 'e' || peek(lx, 0) == 'E') {
        lx->at++;
        if (peek(lx, 0) == '+' || peek(lx, 0) == '-')
            lx->at++;
        if (!is_digit(peek(lx, 0)) || !digits(lx, is_digit))
            return false;
        if (peek(lx, 0) == '.')
            return false;
    }
    return peek(lx, 0) != '.' && !is_alpha(peek(lx, 0)) && !is_digit(peek(lx, 0));
}

/* 1h30m: whether the units make sense is the parser's to say. */
static bool lex_plain_duration(struct lexer *lx)
{
    size_t parts = 0;
    while (is_digit(peek(lx, 0))) {
        while (is_digit(peek(lx, 0)))
            lx->at++;
        char unit = peek(lx, 0);
        if (!unit || !strchr("smhdwy", unit))
            return false;
        lx->at++;
        if (unit == 'm' && peek(lx, 0) == 's')
            lx->at++;
        parts++;
    }
    return parts > 0 && !is_alpha(peek(lx, 0)) && peek(lx, 0) != '.';
}

static struct token lex_number(struct lexer *lx)
{
    size_t start = lx->at;
    if (lex_plain_number(lx))
        return token(lx, TOKEN_NUMBER, start);
    size_t number_end = lx->at;
    lx->at = start;
    if (lex_plain_duration(lx))
        return token(lx, TOKEN_DURATION, start);
    if (lx->at < number_end)
        lx->at = number_end;
    if (lx->at < lx->text.len && (is_alpha(peek(lx, 0)) || peek(lx, 0) == '.'))
        lx->at++;
    struct buf b;
    buf_init(&b, PROBLEM_TEXT_MAX);
    buf_str(&b, "bad number or duration syntax: ");
    quote_go(&b, span_of(lx->text.ptr + start, lx->at - start));
    struct token t = failed(lx, start, buf_error(&b) ? "bad number or duration syntax" : b.data);
    buf_done(&b);
    return t;
}

static bool paren_follows(const struct lexer *lx)
{
    size_t ahead = 0;
    while (is_space(peek(lx, ahead)))
        ahead++;
    return peek(lx, ahead) == '(';
}

static struct token lex_word(struct lexer *lx)
{
    size_t start = lx->at;
    bool colon = false, colons_allowed = !lx->in_brackets && !lx->in_braces;
    while (is_alpha(peek(lx, 0)) || is_digit(peek(lx, 0)) || (colons_allowed && peek(lx, 0) == ':')) {
        colon |= peek(lx, 0) == ':';
        lx->at++;
    }
    struct span word = span_of(lx->text.ptr + start, lx->at - start);
    if (lx->in_braces)
        return token(lx, TOKEN_IDENTIFIER, start);
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++) {
        if (!span_equal_nocase(word, span_str(WORDS[i].text)))
            continue;
        enum token_type type = WORDS[i].type;
        if (type >= TOKEN_FILL && type <= TOKEN_FILL_RIGHT && !paren_follows(lx))
            break; /* an ordinary name: only fill(...) is the modifier */
        return token(lx, type, start);
    }
    return token(lx, colon ? TOKEN_METRIC_IDENTIFIER : TOKEN_IDENTIFIER, start);
}

/* What stands between { and }: names, strings, the four matching operators. */
static struct token lex_in_braces(struct lexer *lx, size_t start, char c)
{
    lx->at++;
    char next = peek(lx, 0);
    switch (c) {
    case ',':
        return token(lx, TOKEN_COMMA, start);
    case '=':
        lx->at += next == '~';
        return token(lx, next == '~' ? TOKEN_EQL_REGEX : TOKEN_EQL, start);
    case '!':
        if (next != '~' && next != '=')
            return failed_at(lx, start, "unexpected character after '!' inside braces", lx->at);
        lx->at++;
        return token(lx, next == '~' ? TOKEN_NEQ_REGEX : TOKEN_NEQ, start);
    case '{':
        return failed(lx, start, "unexpected left brace '{'");
    case '}':
        lx->in_braces = false;
        return token(lx, TOKEN_RIGHT_BRACE, start);
    default:
        return failed_at(lx, start, "unexpected character inside braces", start);
    }
}

static struct token lex_comparison(struct lexer *lx, size_t start, char c)
{
    char next = peek(lx, 0);
    if (c == '=') {
        if (next == '~')
            return failed(lx, start, "unexpected character after '=': '~'");
        lx->at += next == '=';
        return token(lx, next == '=' ? TOKEN_EQLC : TOKEN_EQL, start);
    }
    if (c == '!') {
        if (next != '=')
            return failed_at(lx, start, "unexpected character after '!'", lx->at);
        lx->at++;
        return token(lx, TOKEN_NEQ, start);
    }
    bool less = c == '<';
    lx->at += next == '=' || next == '/';
    if (next == '=')
        return token(lx, less ? TOKEN_LTE : TOKEN_GTE, start);
    if (next == '/')
        return token(lx, less ? TOKEN_TRIM_UPPER : TOKEN_TRIM_LOWER, start);
    return token(lx, less ? TOKEN_LSS : TOKEN_GTR, start);
}

static struct token lex_sign(struct lexer *lx, size_t start, char c)
{
    static const char SINGLE[] = "+-*/%^,@";
    static const enum token_type TYPES[] = {TOKEN_ADD, TOKEN_SUB, TOKEN_MUL,   TOKEN_DIV,
                                            TOKEN_MOD, TOKEN_POW, TOKEN_COMMA, TOKEN_AT};
    const char *at = c ? strchr(SINGLE, c) : NULL;
    lx->at++;
    if (at)
        return token(lx, TYPES[at - SINGLE], start);
    switch (c) {
    case '=':
    case '!':
    case '<':
    case '>':
        return lex_comparison(lx, start, c);
    case '(':
        lx->paren_depth++;
        return token(lx, TOKEN_LEFT_PAREN, start);
    case ')':
        if (lx->paren_depth == 0)
            return failed(lx, start, "unexpected right parenthesis ')'");
        lx->paren_depth--;
        return token(lx, TOKEN_RIGHT_PAREN, start);
    case '{':
        lx->in_braces = true;
        return token(lx, TOKEN_LEFT_BRACE, start);
    case '[':
        if (lx->in_brackets)
            return failed(lx, start, "unexpected left bracket '['");
        lx->in_brackets = true;
        return token(lx, TOKEN_LEFT_BRACKET, start);
    case ']':
        if (!lx->in_brackets)
            return failed(lx, start, "unexpected right bracket ']'");
        lx->in_brackets = false;
        return token(lx, TOKEN_RIGHT_BRACKET, start);
    case ':':
        return token(lx, TOKEN_COLON, start); /* in brackets only: elsewhere it starts a name */
    default:
        return failed_at(lx, start, "unexpected character", start);
    }
}

struct token lexer_next(struct lexer *lx)
{
    if (lx->failed)
        return token(lx, TOKEN_ERROR, lx->at);
    skip_blanks(lx);
    size_t start = lx->at;
    if (lx->at >= lx->text.len) {
        if (lx->in_braces)
            return failed(lx, start, "unexpected end of input inside braces");
        if (lx->in_brackets)
            return failed(lx, start, lx->paren_depth ? "unclosed left parenthesis" : "unclosed left bracket");
        if (lx->paren_depth)
            return failed(lx, start, "unclosed left parenthesis");
        return token(lx, TOKEN_END, start);
    }
    char c = peek(lx, 0);
    if (c == '"' || c == '\'' || c == '`')
        return lex_string(lx);
    if (is_alpha(c) || (c == ':' && !lx->in_brackets && !lx->in_braces))
        return lex_word(lx);
    if (lx->in_braces)
        return lex_in_braces(lx, start, c);
    if (is_digit(c) || (c == '.' && is_digit(peek(lx, 1))))
        return lex_number(lx);
    return lex_sign(lx, start, c);
}

/* ---- literals ---- */

static int digit_of(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* One escape behind its backslash; consumes it from *s. */
MUST_USE static int unescape(struct span *s, char quote, char *out, size_t *out_len, const char **ret_why)
{
    static const char FROM[] = "abfnrtv\\", TO[] = "\a\b\f\n\r\t\v\\";
    char c = s->len ? s->ptr[0] : '\0';
    const char *at = c ? strchr(FROM, c) : NULL;
    if (at || c == quote) {
        out[(*out_len)++] = at ? TO[at - FROM] : quote;
        *s = span_from(*s, 1);
        return 0;
    }
    size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
    int base = n == 3 ? 8 : 16;
    if (n == 0) {
        *ret_why = "unknown escape sequence";
        return -EINVAL;
    }
    if (n != 3)
        *s = span_from(*s, 1);
    if (s->len < n) {
        *ret_why = "escape sequence not terminated";
        return -EINVAL;
    }
    uint32_t rune = 0;
    for (size_t i = 0; i < n; i++) {
        int d = digit_of(s->ptr[i]);
        if (d >= base) {
            *ret_why = "illegal character in escape sequence";
            return -EINVAL;
        }
        rune = rune * (uint32_t)base + (uint32_t)d;
    }
    *s = span_from(*s, n);
    if (n <= 3) { /* a byte, not a rune */
        if (rune > 255) {
            *ret_why = "escape sequence is an invalid Unicode code point";
            return -EINVAL;
        }
        out[(*out_len)++] = (char)(unsigned char)rune;
        return 0;
    }
    if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) {
        *ret_why = "escape sequence is an invalid Unicode code point";
        return -EINVAL;
    }
    *out_len += utf8_put(out + *out_len, rune);
    return 0;
}

int string_unquote(struct span quoted, struct arena *arena, struct span *ret, const char **ret_why)
{
    char quote = quoted.ptr[0];
    struct span s = span_of(quoted.ptr + 1, quoted.len - 2);
    char *out = arena_dup(arena, s);
    if (!out)
        return -ENOMEM;
    if (quote == '`') {
        *ret = span_of(out, s.len);
        return 0;
    }
    size_t n = 0; /* an escape is never shorter than what it stands for */
    while (s.len > 0) {
        if (s.ptr[0] != '\\') {
            out[n++] = s.ptr[0];
            s = span_from(s, 1);
            continue;
        }
        s = span_from(s, 1);
        int r = unescape(&s, quote, out, &n, ret_why);
        if (r < 0)
            return r;
    }
    *ret = span_of(out, n);
    return 0;
}

int number_parse(struct span text, double *ret)
{
    char plain[512]; /* without underscores; a longer number is refused */
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '_')
            continue;
        if (n + 1 >= sizeof plain)
            return -EINVAL;
        plain[n++] = text.ptr[i];
    }
    plain[n] = '\0';
    int base = n > 2 && plain[0] == '0' && (plain[1] == 'x' || plain[1] == 'X') ? 16 : 0;
    if (base == 0 && n > 1 && plain[0] == '0' && strspn(plain, "01234567") == n)
        base = 8; /* Go's ParseInt with base 0 */
    if (base) {
        uint64_t v = 0;
        for (size_t i = base == 16 ? 2 : 1; i < n; i++) {
            if (v > (uint64_t)(INT64_MAX - digit_of(plain[i])) / (uint64_t)base)
                return base == 8 ? parse_f64_span(span_of(plain, n), ret) : -EINVAL;
            v = v * (uint64_t)base + (uint64_t)digit_of(plain[i]);
        }
        *ret = (double)v;
        return 0;
    }
    int r = parse_f64_span(span_of(plain, n), ret);
    return r == -ERANGE ? -EINVAL : r;
}
