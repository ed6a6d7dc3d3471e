#include "loadgen/engine/secrets.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/wire/url.h"
#include "loadgen/hurl/json_text.h"

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

/* As forms send it: a blank is a plus. */
static void form_encode(struct buf *out, struct span text)
{
    size_t start = out->len;
    url_encode(out, text);
    struct span encoded = span_from(buf_view(out), start);
    size_t to = start;
    for (size_t i = 0; i < encoded.len; i++, to++) {
        bool blank = span_starts(span_from(encoded, i), SPAN("%20"));
        out->data[to] = blank ? '+' : encoded.ptr[i];
        i += blank ? 2 : 0;
    }
    if (buf_error(out) == 0)
        buf_truncate(out, to);
}

int secrets_add(struct secrets *s, struct span text)
{
    static void (*const FORMS[])(struct buf *, struct span) = {url_encode, form_encode, json_text_escape};
    if (text.len < SHORTEST)
        return 0;
    struct buf form;
    buf_init(&form, 1u << 20);
    int r = add_form(s, text);
    for (size_t i = 0; i < ARRAY_LEN(FORMS) && r == 0; i++) {
        buf_clear(&form);
        FORMS[i](&form, text);
        r = buf_error(&form) ? buf_error(&form) : add_form(s, buf_view(&form));
    }
    buf_done(&form);
    return r;
}

int secrets_add_value(struct secrets *s, const struct hurl_value *v)
{
    if (v->kind == HURL_VALUE_NONE || v->kind == HURL_VALUE_BYTES || v->kind == HURL_VALUE_NULL ||
        v->kind == HURL_VALUE_BOOL)
        return 0;
    struct buf text;
    buf_init(&text, 1u << 25);
    int r = hurl_value_print(v, &text);
    if (r == -EINVAL)
        r = hurl_value_to_json(v, &text);
    if (r == 0)
        r = buf_error(&text) ? buf_error(&text) : secrets_add(s, buf_view(&text));
    buf_done(&text);
    return r;
}

int secrets_copy(struct secrets *s, const struct secrets *from)
{
    int r = 0;
    for (size_t i = 0; i < from->n && r == 0; i++)
        r = add_form(s, from->list[i]);
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

void secrets_hide_in(char *text, size_t room, const struct secrets *s)
{
    if (s->n == 0)
        return;
    struct buf out;
    buf_init(&out, 1u << 20);
    secrets_hide(&out, s, span_str(text));
    snprintf(text, room, "%s",
             buf_error(&out) ? "[not shown: no memory to look for secrets in it]"
             : out.data      ? out.data
                             : "");
    buf_done(&out);
}
