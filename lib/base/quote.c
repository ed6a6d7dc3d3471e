#include "lib/base/quote.h"

/* The letter that stands behind the backslash for control characters that have one, else 0. */
static char short_escape(unsigned char c)
{
    switch (c) {
    case '\a':
        return 'a';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    case '"':
    case '\\':
        return (char)c;
    default:
        return 0;
    }
}

/* Length of the valid UTF-8 sequence at the front, 0 when there is none. */
static size_t sequence_length(struct span s)
{
    for (size_t n = 2; n <= 4 && n <= s.len; n++)
        if (span_is_utf8(span_of(s.ptr, n)))
            return n;
    return 0;
}

void quote_go(struct buf *out, struct span text)
{
    buf_char(out, '"');
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x80) {
            size_t n = sequence_length(span_from(text, i));
            if (n == 0) {
                buf_printf(out, "\\x%02x", c);
                i++;
            } else if (n == 2 && c == 0xc2 && (unsigned char)text.ptr[i + 1] < 0xa0) { /* C1 controls */
                buf_printf(out, "\\u%04x", (unsigned char)text.ptr[i + 1]);
                i += n;
            } else {
                buf_bytes(out, text.ptr + i, n);
                i += n;
            }
            continue;
        }
        char letter = short_escape(c);
        if (letter) {
            char pair[2] = {'\\', letter};
            buf_bytes(out, pair, 2);
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(out, "\\x%02x", c);
        } else {
            buf_char(out, (char)c);
        }
        i++;
    }
    buf_char(out, '"');
}
