#include "lib/metric/labels.h"

#include <errno.h>

#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/quote.h"

/* Relabelling starts from more labels (service discovery's __meta_*) than a series may keep. */
#define BUILDER_LABELS_MAX (8u * LABELS_MAX)

#define NAME_LABEL SPAN("__name__")

struct span labels_get(const struct labels *ls, struct span name)
{
    for (size_t i = 0; i < ls->n; i++)
        if (span_equal(ls->pairs[i].name, name))
            return ls->pairs[i].value;
    return (struct span){NULL, 0};
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!span_equal(a->pairs[i].name, b->pairs[i].name) || !span_equal(a->pairs[i].value, b->pairs[i].value))
            return false;
    return true;
}

int labels_compare(const struct labels *a, const struct labels *b)
{
    size_t n = a->n < b->n ? a->n : b->n;
    for (size_t i = 0; i < n; i++) {
        int c = span_compare(a->pairs[i].name, b->pairs[i].name);
        if (c == 0)
            c = span_compare(a->pairs[i].value, b->pairs[i].value);
        if (c != 0)
            return c;
    }
    return (a->n > b->n) - (a->n < b->n);
}

uint64_t labels_hash(const struct labels *ls)
{
    /* Chained, so that {a="bc"} and {ab="c"} differ: each hash is the seed of the next. */
    uint64_t h = hash_seed();
    for (size_t i = 0; i < ls->n; i++) {
        h = hash_bytes(ls->pairs[i].name.ptr, ls->pairs[i].name.len, h);
        h = hash_bytes(ls->pairs[i].value.ptr, ls->pairs[i].value.len, h);
    }
    return h;
}

static uint64_t fnv1a(uint64_t h, struct span s)
{
    const uint64_t prime = 1099511628211u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * prime;
    return (h ^ 0xff) * prime; /* the separator */
}

uint64_t labels_fingerprint(const struct labels *ls)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < ls->n; i++)
        h = fnv1a(fnv1a(h, ls->pairs[i].name), ls->pairs[i].value);
    return h;
}

int labels_copy(struct arena *a, const struct labels *ls, struct labels *ret)
{
    struct label *pairs = arena_array(a, ls->n, sizeof *pairs);
    bool ok = pairs != NULL;
    for (size_t i = 0; ok && i < ls->n; i++) {
        pairs[i].name = arena_span(a, ls->pairs[i].name, &ok);
        pairs[i].value = arena_span(a, ls->pairs[i].value, &ok);
    }
    if (!ok)
        return -ENOMEM;
    *ret = (struct labels){pairs, ls->n};
    return 0;
}

int labels_check(const struct labels *ls, const char **ret_why)
{
    const char *why = NULL;
    if (ls->n > LABELS_MAX)
        why = "too many labels";
    for (size_t i = 0; !why && i < ls->n; i++) {
        struct span name = ls->pairs[i].name, value = ls->pairs[i].value;
        int order = i ? span_compare(ls->pairs[i - 1].name, name) : -1;
        if (name.len == 0)
            why = "empty label name";
        else if (order == 0)
            why = "duplicate label name";
        else if (order > 0)
            why = "labels not sorted by name";
        else if (value.len == 0)
            why = "empty label value";
        else if (name.len > LABEL_NAME_BYTES_MAX)
            why = "label name too long";
        else if (value.len > LABEL_VALUE_BYTES_MAX)
            why = "label value too long";
        else if (!span_is_utf8(name))
            why = "label name is not valid UTF-8";
        else if (!span_is_utf8(value))
            why = "label value is not valid UTF-8";
    }
    if (!why)
        return 0;
    *ret_why = why;
    return -EINVAL;
}

void labels_format(struct buf *out, const struct labels *ls)
{
    struct span metric = labels_get(ls, NAME_LABEL);
    bool plain = metric_name_is_plain(metric);
    if (plain)
        buf_span(out, metric);
    else if (metric.len == 0 && ls->n == 0)
        buf_str(out, "{}");
    const char *before = "{";
    if (!plain && metric.len > 0) {
        buf_str(out, before);
        quote_go(out, metric);
        before = ", ";
    }
    for (size_t i = 0; i < ls->n; i++) {
        struct span name = ls->pairs[i].name;
        if (span_equal(name, NAME_LABEL))
            continue;
        buf_str(out, before);
        before = ", ";
        if (label_name_is_plain(name))
            buf_span(out, name);
        else
            quote_go(out, name);
        buf_char(out, '=');
        quote_go(out, ls->pairs[i].value);
    }
    if (before[0] == ',')
        buf_char(out, '}');
}

static bool name_is_plain(struct span name, bool colon)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0;
}

bool label_name_is_plain(struct span name)
{
    return name_is_plain(name, false);
}

bool metric_name_is_plain(struct span name)
{
    return name_is_plain(name, true);
}

void label_value_escape(struct buf *out, struct span value)
{
    size_t done = 0;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c != '\\' && c != '"' && c != '\n')
            continue;
        buf_bytes(out, value.ptr + done, i - done);
        char pair[2] = {'\\', c == '\n' ? 'n' : c};
        buf_bytes(out, pair, 2);
        done = i + 1;
    }
    if (done < value.len)
        buf_bytes(out, value.ptr + done, value.len - done);
}

/* ---- builder ---- */

void label_builder_init(struct label_builder *b, struct arena *arena)
{
    *b = (struct label_builder){.arena = arena};
}

static struct label *builder_find(const struct label_builder *b, struct span name)
{
    for (size_t i = 0; i < b->n; i++)
        if (span_equal(b->pairs[i].name, name))
            return &b->pairs[i];
    return NULL;
}

/* Room for one more pair; arenas cannot grow in place, so the old array is left behind and doubling bounds
 * the waste. */
MUST_USE static int builder_grow(struct label_builder *b)
{
    if (b->n < b->cap)
        return 0;
    if (b->n >= BUILDER_LABELS_MAX)
        return -E2BIG;
    size_t cap = b->cap ? 2 * b->cap : 16;
    struct label *pairs = arena_array(b->arena, cap, sizeof *pairs);
    if (!pairs)
        return -ENOMEM;
    if (b->n > 0)
        memcpy(pairs, b->pairs, b->n * sizeof *pairs);
    b->pairs = pairs;
    b->cap = cap;
    return 0;
}

void label_builder_set(struct label_builder *b, struct span name, struct span value)
{
    if (value.len == 0) {
        label_builder_remove(b, name);
        return;
    }
    if (b->error)
        return;
    bool ok = true;
    struct label *known = builder_find(b, name);
    if (known) {
        struct span copy = arena_span(b->arena, value, &ok);
        if (ok)
            known->value = copy;
        else
            b->error = -ENOMEM;
        return;
    }
    b->error = builder_grow(b);
    if (b->error)
        return;
    struct label added = {arena_span(b->arena, name, &ok), arena_span(b->arena, value, &ok)};
    if (ok)
        b->pairs[b->n++] = added;
    else
        b->error = -ENOMEM;
}

void label_builder_from(struct label_builder *b, const struct labels *ls)
{
    for (size_t i = 0; i < ls->n; i++)
        label_builder_set(b, ls->pairs[i].name, ls->pairs[i].value);
}

void label_builder_remove(struct label_builder *b, struct span name)
{
    struct label *known = builder_find(b, name);
    if (known)
        *known = b->pairs[--b->n];
}

struct span label_builder_get(const struct label_builder *b, struct span name)
{
    const struct label *known = builder_find(b, name);
    return known ? known->value : (struct span){NULL, 0};
}

static int compare_names(const void *a, const void *b)
{
    return span_compare(((const struct label *)a)->name, ((const struct label *)b)->name);
}

int label_builder_finish(struct label_builder *b, struct labels *ret)
{
    if (b->error)
        return b->error;
    if (b->n > LABELS_MAX)
        return -E2BIG;
    if (b->n > 1)
        qsort(b->pairs, b->n, sizeof *b->pairs, compare_names);
    *ret = (struct labels){b->pairs, b->n};
    return 0;
}
