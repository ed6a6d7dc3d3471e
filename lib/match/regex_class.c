#include "lib/match/regex_reader.h"

#include <errno.h>

#include "lib/base/character.h"

#define RUNE_MAX 0x10ffffu
#define CLASS_TEXTS_MAX 16u /* [123] is the texts 1, 2, 3; a larger class is just a class */

uint32_t reader_rune(struct regex_reader *p)
{
    unsigned char c = (unsigned char)p->text[p->at++];
    if (c < 0x80)
        return c;
    int extra = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    uint32_t rune = c & (0x3fu >> extra);
    while (extra-- > 0)
        rune = rune << 6 | ((unsigned char)p->text[p->at++] & 0x3fu);
    return rune;
}

void reader_emit_rune(struct regex_reader *p, uint32_t rune)
{
    if (rune < 0x80 && char_is_word((char)rune))
        buf_char(&p->out, (char)rune);
    else
        buf_printf(&p->out, "\\x{%x}", rune);
}

/* ---- escapes ---- */

/* Why a letter behind a backslash is refused; RE2 gives "invalid escape sequence" for all of them. */
static const char *escape_refusal(char c)
{
    static const struct {
        const char *letters, *what;
    } refused[] = {
        {"123456789kg", "back-references are not supported"},
        {"K", "\\K (reset the match start) is not supported"},
        {"G", "\\G (where the last match ended) is not supported"},
        {"Z", "\\Z is not supported: \\z is the end of the text"},
        {"C", "\\C (one byte) is not supported"},
        {"R", "\\R (any line break) is not supported: write \\r?\\n"},
        {"X", "\\X (grapheme cluster) is not supported"},
        {"N", "\\N is not supported"},
        {"hHV", "\\h, \\H and \\V are not supported: write a class"},
        {"E", "\\E without \\Q"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (strchr(refused[i].letters, c))
            return refused[i].what;
    return "no such escape";
}

MUST_USE static int read_hex_escape(struct regex_reader *p, size_t start, uint32_t *ret)
{
    bool braces = reader_more(p) && p->text[p->at] == '{';
    if (braces)
        p->at++;
    uint32_t rune = 0;
    size_t digits = 0;
    for (; reader_more(p) && digits < (braces ? 9u : 2u); digits++, p->at++) {
        char c = p->text[p->at];
        uint32_t digit;
        if (char_is_digit(c))
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a' + 10);
        else
            break;
        rune = rune * 16 + digit;
        if (rune > RUNE_MAX)
            break;
    }
    bool closed = !braces || (reader_more(p) && p->text[p->at] == '}');
    if (digits < (braces ? 1u : 2u) || !closed || rune > RUNE_MAX)
        return FAIL(p, start, p->at, "invalid escape sequence: `%.*s`: \\xHH or \\x{HEX} up to 10FFFF wanted",
                    PIECE(p, start, p->at));
    if (braces)
        p->at++;
    if (rune >= 0xd800 && rune <= 0xdfff)
        return FAIL(p, start, p->at, "invalid escape sequence: `%.*s`: a surrogate", PIECE(p, start, p->at));
    *ret = rune;
    return 0;
}

int reader_char_escape(struct regex_reader *p, size_t start, uint32_t *ret)
{
    if (!reader_more(p))
        return FAIL(p, start, p->len, "trailing backslash at end of expression");
    char c = p->text[p->at];
    /* One digit other than 0 is a back-reference, more are octal. */
    bool octal = c == '0' ||
                 (c >= '1' && c <= '7' && p->at + 1 < p->len && p->text[p->at + 1] >= '0' && p->text[p->at + 1] <= '7');
    if (octal) {
        uint32_t rune = 0;
        for (int i = 0; i < 3 && reader_more(p) && p->text[p->at] >= '0' && p->text[p->at] <= '7'; i++)
            rune = rune * 8 + (uint32_t)(p->text[p->at++] - '0');
        *ret = rune;
        return 0;
    }
    static const char names[] = "afnrtv", values[] = "\a\f\n\r\t\v";
    const char *named = strchr(names, c);
    if (c != '\0' && named) {
        p->at++;
        *ret = (unsigned char)values[named - names];
        return 0;
    }
    if (c == 'x') {
        p->at++;
        return read_hex_escape(p, start, ret);
    }
    if ((unsigned char)c < 0x80 && (c == '_' || !char_is_word(c))) {
        p->at++;
        *ret = (unsigned char)c;
        return 0;
    }
    (void)reader_rune(p);
    return FAIL(p, start, p->at, "invalid escape sequence: `%.*s`: %s", PIECE(p, start, p->at), escape_refusal(c));
}

static bool is_category(struct span name)
{
    static const char *const categories[] = {
        "C", "Cc", "Cf", "Co", "Cs", "L",  "Ll", "Lm", "Lo", "Lt", "Lu", "M",  "Mc", "Me", "Mn", "N",  "Nd", "Nl", "No",
        "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S",  "Sc", "Sk", "Sm", "So", "Z",  "Zl", "Zp", "Zs", "Any"};
    for (size_t i = 0; i < ARRAY_LEN(categories); i++)
        if (span_equal(name, span_str(categories[i])))
            return true;
    return false;
}

/* \pN \p{Name} \p{^Name} \P…: at is behind the p. */
MUST_USE static int read_property(struct regex_reader *p, size_t start, bool negated)
{
    struct span name = {NULL, 0};
    if (reader_more(p) && p->text[p->at] == '{') {
        struct span rest = span_of(p->text + p->at + 1, p->len - p->at - 1);
        size_t end = span_find(rest, '}');
        if (end < rest.len) {
            name = span_of(rest.ptr, end);
            p->at += end + 2;
            if (name.len > 0 && name.ptr[0] == '^') {
                negated = !negated;
                name = span_from(name, 1);
            }
        }
    } else if (reader_more(p)) {
        size_t from = p->at;
        (void)reader_rune(p);
        name = span_of(p->text + from, p->at - from);
    }
    bool category = is_category(name);
    bool script = name.len > 2 && name.ptr[0] >= 'A' && name.ptr[0] <= 'Z';
    for (size_t i = 0; i < name.len; i++)
        script = script && char_is_word(name.ptr[i]);
    if (!category && !script)
        return FAIL(p, start, p->at, "invalid character class range: `%.*s`", PIECE(p, start, p->at));
    buf_printf(&p->out, "\\%c{%s" SPAN_FMT "}", negated ? 'P' : 'p', category ? "" : "sc:", SPAN_ARG(name));
    return 0;
}

int reader_class_escape(struct regex_reader *p, bool in_class)
{
    if (p->at + 1 >= p->len || p->text[p->at] != '\\')
        return 0;
    size_t start = p->at;
    char c = p->text[p->at + 1];
    switch (c) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
        buf_char(&p->out, '\\');
        buf_char(&p->out, c);
        break;
    case 's': /* PCRE2's ASCII one has the vertical tab, RE2's has not */
        buf_str(&p->out, p->unicode ? "\\s" : in_class ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]");
        break;
    case 'S':
        buf_str(&p->out, p->unicode ? "\\S"
                         : in_class ? "\\x00-\\x08\\x0b\\x0e-\\x1f\\x21-\\x{10ffff}"
                                    : "[^\\t\\n\\f\\r\\x20]");
        break;
    case 'p':
    case 'P': {
        p->at += 2;
        int r = read_property(p, start, c == 'P');
        return r < 0 ? r : 1;
    }
    default:
        return 0;
    }
    p->at += 2;
    return 1;
}

/* ---- classes ---- */

struct class_texts {
    uint32_t runes[CLASS_TEXTS_MAX];
    size_t n;
    bool exact;
};

static void class_add(struct class_texts *c, uint32_t low, uint32_t high)
{
    if (high - low >= CLASS_TEXTS_MAX - c->n)
        c->exact = false;
    for (uint32_t rune = low; c->exact && rune <= high; rune++)
        c->runes[c->n++] = rune;
}

/* [:name:] or [:^name:] inside a class; as in read_class_escape. */
MUST_USE static int read_posix_class(struct regex_reader *p)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "word",  "xdigit"};
    if (!reader_at(p, "[:"))
        return 0;
    struct span rest = span_of(p->text + p->at + 2, p->len - p->at - 2);
    size_t end = span_search(rest, SPAN(":]"));
    if (end == rest.len)
        return 0;
    struct span name = span_of(rest.ptr, end);
    if (name.len > 0 && name.ptr[0] == '^')
        name = span_from(name, 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!span_equal(name, span_str(names[i])))
            continue;
        buf_bytes(&p->out, p->text + p->at, end + 4);
        p->at += end + 4;
        return 1;
    }
    return FAIL(p, p->at, p->at + end + 4, "invalid character class range: `%.*s`", PIECE(p, p->at, p->at + end + 4));
}

MUST_USE static int read_class_char(struct regex_reader *p, size_t class_start, uint32_t *ret)
{
    if (!reader_more(p))
        return FAIL(p, class_start, p->len, "missing closing ]: `%.*s`", PIECE(p, class_start, p->len));
    size_t start = p->at;
    if (p->text[p->at] != '\\') {
        *ret = reader_rune(p);
        return 0;
    }
    p->at++;
    return reader_char_escape(p, start, ret);
}

MUST_USE static int read_class_range(struct regex_reader *p, size_t class_start, struct class_texts *known)
{
    size_t start = p->at;
    uint32_t low, high;
    int r = read_class_char(p, class_start, &low);
    if (r < 0)
        return r;
    high = low;
    if (p->at + 1 < p->len && p->text[p->at] == '-' && p->text[p->at + 1] != ']') {
        p->at++;
        r = read_class_char(p, class_start, &high);
        if (r < 0)
            return r;
    }
    if (high < low)
        return FAIL(p, start, p->at, "invalid character class range: `%.*s`", PIECE(p, start, p->at));
    reader_emit_rune(p, low);
    if (high > low) {
        buf_char(&p->out, '-');
        reader_emit_rune(p, high);
    }
    class_add(known, low, high);
    return 0;
}

int reader_class(struct regex_reader *p, struct texts *ret)
{
    size_t start = p->at++;
    struct class_texts known = {.exact = !(p->flags & FLAG_CASELESS)};
    buf_char(&p->out, '[');
    if (reader_more(p) && p->text[p->at] == '^') {
        buf_char(&p->out, '^');
        p->at++;
        known.exact = false;
    }
    for (bool first = true; first || !reader_more(p) || p->text[p->at] != ']'; first = false) {
        int r = read_posix_class(p);
        if (r == 0)
            r = reader_class_escape(p, true);
        if (r > 0)
            known.exact = false;
        else if (r == 0)
            r = read_class_range(p, start, &known);
        if (r < 0)
            return r;
    }
    p->at++;
    buf_char(&p->out, ']');
    int r = texts_empty(p->arena, ret);
    if (r < 0 || !known.exact) {
        if (r == 0)
            texts_unknown(ret);
        return r;
    }
    for (size_t i = 0; i < known.n; i++) {
        char bytes[4];
        struct texts one;
        r = texts_literal(p->arena, bytes, utf8_put(bytes, known.runes[i]), &one);
        if (r == 0 && i > 0)
            r = texts_either(p->arena, ret, &one);
        else if (r == 0)
            *ret = one;
        if (r < 0)
            return r;
    }
    return 0;
}
