#include "loadgen/hurl/base64.h"

#include <errno.h>

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL_SAFE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64_encode(struct buf *out, struct span bytes, bool url_safe)
{
    const char *alphabet = url_safe ? URL_SAFE : STANDARD;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        const unsigned char *at = (const unsigned char *)bytes.ptr + i;
        uint32_t group = (uint32_t)at[0] << 16;
        if (left > 1)
            group |= (uint32_t)at[1] << 8;
        if (left > 2)
            group |= at[2];
        buf_char(out, alphabet[group >> 18]);
        buf_char(out, alphabet[group >> 12 & 63]);
        if (left > 1)
            buf_char(out, alphabet[group >> 6 & 63]);
        else if (!url_safe)
            buf_char(out, '=');
        if (left > 2)
            buf_char(out, alphabet[group & 63]);
        else if (!url_safe)
            buf_char(out, '=');
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int base64_decode(struct buf *out, struct span text, bool url_safe)
{
    const char *alphabet = url_safe ? URL_SAFE : STANDARD;
    uint32_t group = 0;
    unsigned have = 0, padding = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_blank(c))
            continue;
        if (c == '=') {
            padding++;
            continue;
        }
        const char *at = c ? strchr(alphabet, c) : NULL;
        if (!at || padding > 0)
            return -EINVAL;
        group = group << 6 | (uint32_t)(at - alphabet);
        if (++have == 4) {
            buf_char(out, (char)(group >> 16));
            buf_char(out, (char)(group >> 8));
            buf_char(out, (char)group);
            group = 0;
            have = 0;
        }
    }
    if (have == 1 || (padding > 0 && (have + padding) != 4))
        return -EINVAL;
    if (have >= 2)
        buf_char(out, (char)(group >> (have == 2 ? 4 : 10)));
    if (have == 3)
        buf_char(out, (char)(group >> 2));
    return 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int hex_decode(struct buf *out, struct span text)
{
    int high = -1;
    for (size_t i = 0; i < text.len; i++) {
        if (is_blank(text.ptr[i]))
            continue;
        int n = nibble(text.ptr[i]);
        if (n < 0)
            return -EINVAL;
        if (high < 0) {
            high = n;
        } else {
            buf_char(out, (char)(high << 4 | n));
            high = -1;
        }
    }
    return high < 0 ? 0 : -EINVAL;
}
