/* buf.h - a growing byte buffer that is born with a limit.
 *
 *   struct buf b;
 *   buf_init(&b, BODY_BYTES_MAX);
 *   buf_str(&b, "{\"status\":");            // appends never fail one by one:
 *   buf_printf(&b, "%d}", 1);               // the first failure sticks in b.error
 *   if (buf_error(&b)) ...                  // -ENOSPC over the limit, -ENOMEM
 *   char *text = buf_take(&b, &n);          // the caller frees; the buffer is empty again
 *
 * After an error appends do nothing, so a chain is checked once at its end. data is always NUL-terminated when
 * not NULL (the NUL is not counted). */
#pragma once

#include <stdarg.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

struct buf {
    char *data;
    size_t len, cap, max; /* bytes */
    int error;            /* 0 or the first negative errno */
};

void buf_init(struct buf *b, size_t max_bytes);
/* Free the bytes; the buffer may be used again with the same limit. */
void buf_done(struct buf *b);
/* Forget content and error, keep the memory. */
static inline void buf_clear(struct buf *b)
{
    b->len = 0;
    b->error = 0;
    if (b->data)
        b->data[0] = '\0';
}
/* Drop the first n bytes (n <= len), e.g. what was consumed. */
void buf_consume(struct buf *b, size_t n);
/* Keep the first len bytes (len <= the buffer's). */
void buf_truncate(struct buf *b, size_t len);
/* Make room for n more bytes and return where to write them (then buf_grew), NULL on error. */
char *buf_reserve(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);
void buf_bytes_grow(struct buf *b, const void *p, size_t n); /* of buf_bytes, where there is no room yet */
static inline void buf_bytes(struct buf *b, const void *p, size_t n)
{
    if (UNLIKELY(b->error || n >= b->cap - b->len)) { /* one byte more for the NUL; cap 0: no data */
        buf_bytes_grow(b, p, n);
        return;
    }
    if (n)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}
static inline void buf_char(struct buf *b, char c)
{
    buf_bytes(b, &c, 1);
}
static inline void buf_str(struct buf *b, const char *text)
{
    buf_bytes(b, text, strlen(text));
}
static inline void buf_span(struct buf *b, struct span s)
{
    buf_bytes(b, s.ptr, s.len);
}
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);
/* Shortest decimal that reads back to the same double, as Go's strconv 'f'/-1 with 'e' below 1e-6 and from 1e21
 * (see number.h). */
void buf_f64(struct buf *b, double v);
void buf_u64(struct buf *b, uint64_t v);
void buf_i64(struct buf *b, int64_t v);
/* The content, NUL-terminated, from malloc; *ret_len may be NULL. An empty buffer gives "" (or NULL without
 * memory). The buffer is empty afterwards. */
char *buf_take(struct buf *b, size_t *ret_len);
static inline int buf_error(const struct buf *b)
{
    return b->error;
}
static inline struct span buf_view(const struct buf *b)
{
    return (struct span){b->data, b->len};
}
