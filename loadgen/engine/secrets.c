#include "loadgen/engine/secrets.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/wire/url.h"

#define SHORTEST 3u

void secrets_init(struct secrets *s)
{
    *s = (struct secrets){0};
}

void secrets_done(struct secrets *s)
{
    for (size_t i = 0; i < s->n; i++)
        free((char *)(uintptr_t)s->list[i].ptr);
    free(s->list);
    secrets_init(s);
}

MUST_USE static int add_form(struct secrets *s, struct span text)
{
    for (size_t i = 0; i < s->n; i++)
        if (span_equal(s->list[i], text))
            return 0;
    if (s->n == SECRETS_MAX)
        return -E2BIG;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 8;
        struct span *list = realloc(s->list, cap * sizeof *list);
        if (!list)
            return -ENOMEM;
        s->list = list;
        s->cap = cap;
    }
    char *kept = span_dup(text);
    if (!kept)
        return -ENOMEM;
    s->list[s->n++] = span_of(kept, text.len);
    return 0;
}

int secrets_add(struct secrets *s, struct span text)
{
    if (text.len < SHORTEST)
        return 0;
    struct buf encoded;
    buf_init(&encoded, 1u << 20);
    url_encode(&encoded, text);
    int r = add_form(s, text);
    if (r == 0)
        r = buf_error(&encoded) ? buf_error(&encoded) : add_form(s, buf_view(&encoded));
    buf_done(&encoded);
    return r;
}

/* How much of the text is the secret: all of it, or a beginning of SECRET_START_BYTES and more; 0: it is none. */
static size_t hidden_bytes(struct span text, struct span secret)
{
    size_t n = 0;
    while (n < text.len && n < secret.len && text.ptr[n] == secret.ptr[n])
        n++;
    return n == secret.len || n >= SECRET_START_BYTES ? n : 0;
}

void secrets_hide(struct buf *out, const struct secrets *s, struct span text)
{
    size_t plain = 0;
    for (size_t at = 0; at < text.len;) {
        size_t longest = 0;
        for (size_t i = 0; i < s->n; i++)
            if (text.ptr[at] == s->list[i].ptr[0]) {
                size_t n = hidden_bytes(span_from(text, at), s->list[i]);
                longest = n > longest ? n : longest;
            }
        if (longest == 0) {
            at++;
            continue;
        }
        buf_span(out, span_of(text.ptr + plain, at - plain));
        buf_str(out, "***");
        at += longest;
        plain = at;
    }
    buf_span(out, span_from(text, plain));
}
