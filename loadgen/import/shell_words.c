#include "loadgen/import/shell_words.h"

#include <errno.h>

#include "lib/base/buf.h"
#include "lib/base/character.h"
#include "lib/base/limits.h"

struct lexer {
    struct span text;
    size_t at;
    uint32_t line;
    size_t line_start;
    const char *file;
    struct problems *problems;
    struct buf word;
    bool warned;
};

static char next(struct lexer *x)
{
    char c = x->text.ptr[x->at++];
    if (c == '\n') {
        x->line++;
        x->line_start = x->at;
    }
    return c;
}

static char peek(const struct lexer *x, size_t ahead)
{
    return x->text.len - x->at > ahead ? x->text.ptr[x->at + ahead] : '\0';
}

static bool more(const struct lexer *x)
{
    return x->at < x->text.len;
}

static void warn_of_expansion(struct lexer *x)
{
    if (!x->warned)
        problem_add(x->problems, PROBLEM_WARNING, x->file, x->line, (uint32_t)(x->at - x->line_start + 1),
                    "a shell would put something in place of this; it is taken as it is");
    x->warned = true;
}

static void put_character(struct buf *out, uint32_t code)
{
    char bytes[UTF8_BYTES_MAX];
    buf_bytes(out, bytes, utf8_put(bytes, code));
}

/* Up to `digits` hex digits; 0 when there is none. */
static uint32_t hex_number(struct lexer *x, unsigned digits)
{
    uint32_t code = 0;
    for (; digits && hex_digit_value(peek(x, 0)) >= 0; digits--)
        code = code << 4 | (uint32_t)hex_digit_value(next(x));
    return code;
}

/* Chrome writes characters beyond the basic plane as two \u: a pair of surrogates. */
static uint32_t utf16_number(struct lexer *x)
{
    uint32_t code = hex_number(x, 4);
    if (code < 0xd800 || code > 0xdbff || peek(x, 0) != '\\' || peek(x, 1) != 'u')
        return code;
    size_t at = x->at;
    x->at += 2;
    uint32_t low = hex_number(x, 4);
    if (low >= 0xdc00 && low <= 0xdfff)
        return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    x->at = at;
    return code;
}

/* Behind the backslash of $'…'. */
static void ansi_escape(struct lexer *x)
{
    static const char FROM[] = "abefnrtvE\\'\"?", TO[] = "\a\b\033\f\n\r\t\v\033\\'\"?";
    char c = next(x);
    const char *known = strchr(FROM, c);
    if (known && c) {
        buf_char(&x->word, TO[known - FROM]);
    } else if (c == 'x') {
        buf_char(&x->word, (char)hex_number(x, 2));
    } else if (c == 'u') {
        put_character(&x->word, utf16_number(x));
    } else if (c == 'U') {
        put_character(&x->word, hex_number(x, 8) & 0x1fffff);
    } else if (c >= '0' && c <= '7') {
        unsigned code = (unsigned)(c - '0');
        for (unsigned i = 0; i < 2 && peek(x, 0) >= '0' && peek(x, 0) <= '7'; i++)
            code = code * 8 + (unsigned)(next(x) - '0');
        buf_char(&x->word, (char)code);
    } else {
        buf_char(&x->word, '\\');
        buf_char(&x->word, c);
    }
}

MUST_USE static int quoted(struct lexer *x, char quote, bool ansi)
{
    uint32_t line = x->line, column = (uint32_t)(x->at - x->line_start);
    while (more(x)) {
        char c = next(x);
        if (c == quote)
            return 0;
        if (ansi && c == '\\' && more(x)) {
            ansi_escape(x);
        } else if (quote == '"' && c == '\\' && more(x) && strchr("$`\"\\\n!", peek(x, 0))) {
            char escaped = next(x);
            if (escaped != '\n')
                buf_char(&x->word, escaped);
        } else {
            if (quote == '"' && (c == '`' || (c == '$' && peek(x, 0) != '"' && peek(x, 0) != ' ')))
                warn_of_expansion(x);
            buf_char(&x->word, c);
        }
    }
    problem_add(x->problems, PROBLEM_ERROR, x->file, line, column, "this quote is not closed");
    return -EINVAL;
}

MUST_USE static int one_word(struct lexer *x)
{
    int r = 0;
    while (r == 0 && more(x) && !strchr(" \t\r\n;&|", peek(x, 0))) {
        char c = next(x);
        if (c == '\'' || c == '"') {
            r = quoted(x, c, false);
        } else if (c == '$' && peek(x, 0) == '\'') {
            next(x);
            r = quoted(x, '\'', true);
        } else if (c == '\\' && more(x)) {
            char escaped = next(x);
            if (escaped == '\r' && peek(x, 0) == '\n')
                escaped = next(x);
            if (escaped != '\n')
                buf_char(&x->word, escaped);
        } else {
            if (c == '`' || (c == '$' && peek(x, 0) != ' '))
                warn_of_expansion(x);
            buf_char(&x->word, c);
        }
    }
    return r;
}

int shell_words(struct arena *a, struct span text, const char *file, struct shell_word **ret, size_t *ret_n,
                struct problems *ps)
{
    struct lexer x = {.text = text, .line = 1, .file = file, .problems = ps};
    struct shell_word *words = NULL;
    size_t n = 0, cap = 0;
    int r = 0;
    buf_init(&x.word, IMPORT_COMMAND_BYTES_MAX);
    while (r == 0 && more(&x)) {
        char c = peek(&x, 0);
        if (strchr(" \t\r\n;&|", c)) {
            if (n && strchr("\n;&|", c))
                words[n - 1].ends_command = true;
            next(&x);
            continue;
        }
        if (c == '\\' && (peek(&x, 1) == '\n' || (peek(&x, 1) == '\r' && peek(&x, 2) == '\n'))) {
            while (next(&x) != '\n')
                ;
            continue;
        }
        if (c == '#') {
            while (more(&x) && peek(&x, 0) != '\n')
                next(&x);
            continue;
        }
        struct shell_word word = {.line = x.line, .column = (uint32_t)(x.at - x.line_start + 1)};
        buf_clear(&x.word);
        r = one_word(&x);
        bool ok = true;
        word.text = arena_span(a, buf_view(&x.word), &ok);
        if (n == cap) {
            struct shell_word *bigger = arena_array(a, cap = cap ? 2 * cap : 64, sizeof *bigger);
            if (bigger && n)
                memcpy(bigger, words, n * sizeof *words);
            words = bigger;
        }
        if (!words || !ok || buf_error(&x.word))
            r = -ENOMEM;
        else
            words[n++] = word;
    }
    buf_done(&x.word);
    if (r < 0)
        return r;
    *ret = words;
    *ret_n = n;
    return 0;
}
