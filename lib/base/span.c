#include "lib/base/span.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/macros.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.len && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i] && lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

/* An exhausted rest has a NULL pointer; "a," leaves an empty piece that is still to come. */
bool span_cut(struct span *rest, char sep, struct span *ret_piece)
{
    if (!rest->ptr)
        return false;
    size_t n = span_find(*rest, sep);
    *ret_piece = (struct span){rest->ptr, n};
    if (n == rest->len)
        *rest = (struct span){NULL, 0};
    else
        *rest = (struct span){rest->ptr + n + 1, rest->len - n - 1};
    return true;
}

size_t span_search(struct span hay, struct span needle)
{
    if (needle.len == 0)
        return 0;
    const char *at = hay.len ? memmem(hay.ptr, hay.len, needle.ptr, needle.len) : NULL;
    return at ? (size_t)(at - hay.ptr) : hay.len;
}

char *span_dup(struct span s)
{
    char *copy = s.len < SIZE_MAX ? malloc(s.len + 1) : NULL;
    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

/* Bytes of the sequence starting at p (n are left), 0 when it is not well-formed: Unicode's table 3-7. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t len;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2)
        return 0;
    if (p[0] < 0xe0) {
        len = 2;
    } else if (p[0] < 0xf0) {
        len = 3;
        if (p[0] == 0xe0)
            low = 0xa0;
        else if (p[0] == 0xed)
            high = 0x9f;
    } else if (p[0] < 0xf5) {
        len = 4;
        if (p[0] == 0xf0)
            low = 0x90;
        else if (p[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (n < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

bool span_is_utf8(struct span s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;
    while (i < s.len) {
        uint64_t word;
        if (s.len - i >= sizeof word) { /* names and values are nearly always ASCII */
            memcpy(&word, p + i, sizeof word);
            if (!(word & 0x8080808080808080u)) {
                i += sizeof word;
                continue;
            }
        }
        size_t n = utf8_sequence(p + i, s.len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

#define DISTANCE_WORD_MAX 64u /* longer words are no option or key of ours: they are "far" */

/* Levenshtein's two-row table; a swap of neighbours counts 1 too (the commonest slip), which needs a third
 * row. */
size_t span_distance(struct span a, struct span b, size_t max)
{
    size_t gap = a.len > b.len ? a.len - b.len : b.len - a.len;
    if (gap > max || a.len > DISTANCE_WORD_MAX || b.len > DISTANCE_WORD_MAX)
        return span_equal(a, b) ? 0 : max + 1;
    size_t rows[3][DISTANCE_WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        last[j] = j;
    memset(before, 0, sizeof rows[0]);
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b.len] > max ? max + 1 : last[b.len];
}
