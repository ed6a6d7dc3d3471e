#include "loadgen/hurl/html.h"

#include <libxml/HTMLparser.h>

#include "lib/base/character.h"

#define ENTITY_BYTES_MAX 32u /* the longest name has 8 */

void html_escape(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            buf_str(out, "&amp;");
            break;
        case '<':
            buf_str(out, "&lt;");
            break;
        case '>':
            buf_str(out, "&gt;");
            break;
        case '"':
            buf_str(out, "&quot;");
            break;
        case '\'':
            buf_str(out, "&#x27;");
            break;
        default:
            buf_char(out, text.ptr[i]);
        }
    }
}

/* The HTML standard's replacements of the numbers 0x80 to 0x9f; 0: none. */
static const uint16_t WINDOWS_1252[] = {0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                        0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
                                        0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                        0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

static void put_character(struct buf *out, uint32_t c)
{
    if (c >= 0x80 && c <= 0x9f && WINDOWS_1252[c - 0x80])
        c = WINDOWS_1252[c - 0x80];
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = 0xfffd;
    char bytes[UTF8_BYTES_MAX];
    buf_bytes(out, bytes, utf8_put(bytes, c));
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

static bool digit_or_letter(char c)
{
    char lower = (char)(c | 0x20);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

/* A number behind &#: how many characters it takes, 0 when there is none. */
static size_t number_at(struct span text, uint32_t *ret)
{
    bool hex = text.len > 1 && (text.ptr[1] | 0x20) == 'x';
    size_t start = hex ? 2 : 1, n = start;
    uint32_t v = 0;
    for (; n < text.len && digit_of(text.ptr[n]) < (hex ? 16 : 10); n++)
        v = v > 0x10ffff ? v : v * (hex ? 16 : 10) + (uint32_t)digit_of(text.ptr[n]);
    *ret = v;
    return n > start ? n : 0;
}

static bool name_of(struct span name, uint32_t *ret)
{
    char text[ENTITY_BYTES_MAX];
    if (name.len == 0 || name.len >= sizeof text)
        return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    const htmlEntityDesc *known = htmlEntityLookup((const xmlChar *)text);
    if (known)
        *ret = known->value;
    else if (strcmp(text, "apos") == 0) /* XML's, and HTML 5's */
        *ret = '\'';
    return known || strcmp(text, "apos") == 0;
}

/* A name behind &: with its semicolon any, without it the longest of those that HTML has had from the start (up to U+00FF). */
static size_t name_at(struct span text, uint32_t *ret)
{
    size_t n = 0;
    while (n < text.len && n < ENTITY_BYTES_MAX && digit_or_letter(text.ptr[n]))
        n++;
    if (n < text.len && text.ptr[n] == ';' && name_of(span_of(text.ptr, n), ret))
        return n;
    for (; n > 1; n--)
        if (name_of(span_of(text.ptr, n), ret) && *ret <= 0xff && *ret != '\'')
            return n;
    return 0;
}

void html_unescape(struct buf *out, struct span text)
{
    while (text.len) {
        size_t n = span_find(text, '&');
        buf_span(out, span_of(text.ptr, n));
        text = span_from(text, n);
        if (text.len == 0)
            break;
        text = span_from(text, 1);
        uint32_t c;
        n = text.len && text.ptr[0] == '#' ? number_at(text, &c) : name_at(text, &c);
        if (n == 0) {
            buf_char(out, '&');
            continue;
        }
        put_character(out, c);
        text = span_from(text, n);
        if (text.len && text.ptr[0] == ';')
            text = span_from(text, 1);
    }
}
