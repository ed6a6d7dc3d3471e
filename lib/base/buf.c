#include "lib/base/buf.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/base/number.h"

#define FIRST_BYTES 64u

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_done(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->data, b->data + n, b->len + 1);
}

void buf_truncate(struct buf *b, size_t len)
{
    assert(len <= b->len);
    if (len == b->len)
        return;
    b->len = len;
    b->data[len] = '\0';
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (UNLIKELY(b->error))
        return NULL;
    if (UNLIKELY(n > b->max || b->len > b->max - n)) {
        b->error = -ENOSPC;
        return NULL;
    }
    size_t need = b->len + n;
    if (LIKELY(b->data && need < b->cap)) /* one byte more for the NUL */
        return b->data + b->len;
    size_t cap = b->cap ? b->cap : FIRST_BYTES;
    while (cap <= need)
        cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
    if (cap - 1 > b->max)
        cap = b->max + 1; /* need <= max, so this still fits */
    char *data = realloc(b->data, cap);
    if (!data) {
        b->error = -ENOMEM;
        return NULL;
    }
    b->data = data;
    b->cap = cap;
    data[b->len] = '\0';
    return data + b->len;
}

void buf_grew(struct buf *b, size_t n)
{
    if (b->error)
        return;
    assert(n < b->cap - b->len);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_bytes_grow(struct buf *b, const void *p, size_t n)
{
    char *at = buf_reserve(b, n);
    if (!at)
        return;
    if (n)
        memcpy(at, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    if (b->error)
        return;
    va_list again;
    va_copy(again, args);
    size_t room = b->data ? b->cap - b->len : 0;
    int n = vsnprintf(room ? b->data + b->len : NULL, room, format, args);
    if (n < 0) {
        b->error = -EINVAL; /* a wide character that cannot be printed: none of ours */
    } else if ((size_t)n < room) {
        b->len += (size_t)n;
    } else {
        if (room)
            b->data[b->len] = '\0';
        char *at = buf_reserve(b, (size_t)n);
        if (at) {
            vsnprintf(at, (size_t)n + 1, format, again);
            b->len += (size_t)n;
        }
    }
    va_end(again);
}

void buf_f64(struct buf *b, double v)
{
    char text[NUMBER_TEXT_MAX];
    buf_bytes(b, text, format_f64(text, v));
}

void buf_u64(struct buf *b, uint64_t v)
{
    char text[20];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_bytes(b, text + at, sizeof text - at);
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_char(b, '-');
    buf_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

char *buf_take(struct buf *b, size_t *ret_len)
{
    char *data = b->data ? b->data : calloc(1, 1);
    if (ret_len)
        *ret_len = b->len;
    buf_init(b, b->max);
    return data;
}
