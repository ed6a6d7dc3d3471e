#include "lib/match/regex_texts.h"

#include <errno.h>
#include <string.h>

/* Alternations of literals may be long (a dashboard's "all instances"), also behind a prefix; products must not
 * multiply out. */
#define TEXTS_MAX 65536u
#define PRODUCT_MAX 256u
#define PRODUCT_BYTES_MAX (256u << 10)

MUST_USE static int text_append(struct arena *a, struct text *t, const char *bytes, size_t len)
{
    if (len > t->cap - t->len) {
        size_t cap = 2 * (t->len + len) + 8;
        char *grown = arena_alloc(a, cap);
        if (!grown)
            return -ENOMEM;
        if (t->len > 0)
            memcpy(grown, t->bytes, t->len);
        t->bytes = grown;
        t->cap = cap;
    }
    if (len > 0)
        memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    return 0;
}

int texts_empty(struct arena *a, struct texts *ret)
{
    struct text *list = arena_array(a, 1, sizeof *list);
    if (!list)
        return -ENOMEM;
    *ret = (struct texts){list, 1, 1, true};
    return 0;
}

int texts_literal(struct arena *a, const char *bytes, size_t len, struct texts *ret)
{
    int r = texts_empty(a, ret);
    return r ? r : text_append(a, &ret->list[0], bytes, len);
}

void texts_inexact(struct texts *t)
{
    size_t common = t->list[0].len;
    for (size_t i = 1; i < t->n; i++) {
        size_t same = 0;
        while (same < common && same < t->list[i].len && t->list[i].bytes[same] == t->list[0].bytes[same])
            same++;
        common = same;
    }
    t->list[0].len = common;
    t->n = 1;
    t->exact = false;
}

void texts_unknown(struct texts *t)
{
    t->list[0].len = 0;
    t->n = 1;
    t->exact = false;
}

static size_t total_bytes(const struct texts *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        n += t->list[i].len;
    return n;
}

static bool product_is_small(const struct texts *seq, const struct texts *item)
{
    bool few = seq->n == 1 || seq->n <= PRODUCT_MAX / item->n;
    return few && total_bytes(seq) * item->n + total_bytes(item) * seq->n <= PRODUCT_BYTES_MAX;
}

/* Every text of seq followed by every text of item. */
MUST_USE static int multiply(struct arena *a, struct texts *seq, const struct texts *item)
{
    size_t n = seq->n * item->n;
    struct text *list = arena_array(a, n, sizeof *list);
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct text *head = &seq->list[i / item->n], *tail = &item->list[i % item->n];
        int r = text_append(a, &list[i], head->bytes, head->len);
        if (r == 0)
            r = text_append(a, &list[i], tail->bytes, tail->len);
        if (r < 0)
            return r;
    }
    *seq = (struct texts){list, n, n, true};
    return 0;
}

int texts_append(struct arena *a, struct texts *seq, struct texts *item)
{
    if (!seq->exact)
        return 0;
    if (seq->n == 1 && seq->list[0].len == 0) {
        *seq = *item;
        return 0;
    }
    if (item->exact && item->n > 1 && product_is_small(seq, item))
        return multiply(a, seq, item);
    bool exact = item->exact && item->n == 1;
    if (!exact)
        texts_inexact(item);
    if (!exact && seq->n > 1) {
        texts_inexact(seq);
        return 0;
    }
    for (size_t i = 0; i < seq->n; i++) {
        int r = text_append(a, &seq->list[i], item->list[0].bytes, item->list[0].len);
        if (r < 0)
            return r;
    }
    seq->exact = exact;
    return 0;
}

int texts_either(struct arena *a, struct texts *either, struct texts *other)
{
    bool exact = either->exact && other->exact && either->n + other->n <= TEXTS_MAX;
    if (!exact) {
        texts_inexact(either);
        texts_inexact(other);
    }
    size_t n = either->n + other->n;
    if (n > either->cap) {
        size_t cap = 2 * n;
        struct text *list = arena_array(a, cap, sizeof *list);
        if (!list)
            return -ENOMEM;
        memcpy(list, either->list, either->n * sizeof *list);
        either->list = list;
        either->cap = cap;
    }
    memcpy(either->list + either->n, other->list, other->n * sizeof *other->list);
    either->n = n;
    if (!exact)
        texts_inexact(either); /* what the two prefixes share */
    return 0;
}
