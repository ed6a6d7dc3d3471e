#include "agent/series_cache.h"

#include <errno.h>

#include "lib/base/limits.h"

#define KEY_BYTES_MAX (LABELS_MAX * (LABEL_NAME_BYTES_MAX + LABEL_VALUE_BYTES_MAX + 2ul))

void series_cache_init(struct series_cache *c)
{
    *c = (struct series_cache){0};
    buf_init(&c->key, KEY_BYTES_MAX);
}

void series_cache_done(struct series_cache *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->list[i].final.pairs);
    free(c->list);
    free(c->slots);
    buf_done(&c->key);
    *c = (struct series_cache){0};
}

static void place(struct series_cache *c, uint32_t index)
{
    size_t at = c->list[index].hash & (c->n_slots - 1);
    while (c->slots[at])
        at = (at + 1) & (c->n_slots - 1);
    c->slots[at] = index + 1;
}

static void place_all(struct series_cache *c)
{
    memset(c->slots, 0, c->n_slots * sizeof *c->slots);
    for (size_t i = 0; i < c->n; i++)
        place(c, (uint32_t)i);
}

int64_t series_cache_find(struct series_cache *c, const struct labels *scraped, uint64_t hash)
{
    buf_clear(&c->key);
    for (size_t i = 0; i < scraped->n; i++) {
        buf_span(&c->key, scraped->pairs[i].name);
        buf_char(&c->key, 0);
        buf_span(&c->key, scraped->pairs[i].value);
        buf_char(&c->key, 0);
    }
    if (buf_error(&c->key))
        return buf_error(&c->key);
    for (size_t at = hash & (c->n_slots - 1); c->n_slots && c->slots[at]; at = (at + 1) & (c->n_slots - 1)) {
        const struct cached_series *e = &c->list[c->slots[at] - 1];
        if (e->hash == hash && e->key_bytes == c->key.len && memcmp(e->key, c->key.data, c->key.len) == 0)
            return (int64_t)c->slots[at] - 1;
    }
    return -ENOENT;
}

MUST_USE static int grow(struct series_cache *c)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap + c->cap / 2 : 64;
        struct cached_series *list = realloc(c->list, cap * sizeof *list);
        if (!list)
            return -ENOMEM;
        c->list = list;
        c->cap = cap;
    }
    if ((c->n + 1) * 4 > c->n_slots * 3) {
        size_t n = c->n_slots ? c->n_slots * 2 : 128;
        uint32_t *slots = realloc(c->slots, n * sizeof *slots);
        if (!slots)
            return -ENOMEM;
        c->slots = slots;
        c->n_slots = n;
        place_all(c);
    }
    return 0;
}

/* One allocation for final labels and key. */
MUST_USE static int fill(struct cached_series *e, const struct labels *final, struct span key)
{
    size_t n = final ? final->n : 0, bytes = n * sizeof(struct label) + key.len;
    for (size_t i = 0; i < n; i++)
        bytes += final->pairs[i].name.len + final->pairs[i].value.len;
    char *memory = malloc(bytes ? bytes : 1);
    if (!memory)
        return -ENOMEM;
    struct label *pairs = (struct label *)(void *)memory;
    char *at = memory + n * sizeof(struct label);
    for (size_t i = 0; i < n; i++) {
        struct span parts[2] = {final->pairs[i].name, final->pairs[i].value};
        for (int k = 0; k < 2; k++) {
            memcpy(at, parts[k].ptr, parts[k].len);
            parts[k].ptr = at;
            at += parts[k].len;
        }
        pairs[i] = (struct label){parts[0], parts[1]};
    }
    if (key.len)
        memcpy(at, key.ptr, key.len);
    e->final = (struct labels){pairs, n};
    e->key = at;
    e->key_bytes = (uint32_t)key.len;
    return 0;
}

int64_t series_cache_add(struct series_cache *c, uint64_t hash, const struct labels *final)
{
    if (grow(c) < 0)
        return -ENOMEM;
    c->list[c->n] = (struct cached_series){.hash = hash, .round = c->round - 1};
    int r = fill(&c->list[c->n], final, buf_view(&c->key));
    if (r < 0)
        return r;
    c->n++;
    place(c, (uint32_t)(c->n - 1));
    return (int64_t)c->n - 1;
}

int series_cache_rename(struct series_cache *c, size_t index, const struct labels *final)
{
    struct cached_series *e = &c->list[index];
    struct label *old = e->final.pairs;
    int r = fill(e, final, span_of(e->key, e->key_bytes));
    if (r == 0)
        free(old);
    return r;
}

void series_cache_scraped(const struct cached_series *e, struct label *pairs, struct labels *ret)
{
    struct span rest = span_of(e->key, e->key_bytes), name, value;
    ret->pairs = pairs;
    ret->n = 0;
    while (rest.len && ret->n <= LABELS_MAX && span_cut(&rest, 0, &name) && span_cut(&rest, 0, &value))
        pairs[ret->n++] = (struct label){name, value};
}

void series_cache_sweep(struct series_cache *c, void (*gone)(void *ctx, const struct cached_series *e), void *ctx)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++) {
        struct cached_series *e = &c->list[i];
        if (e->round == c->round) {
            c->list[kept++] = *e;
            continue;
        }
        if (e->final.n)
            gone(ctx, e);
        free(e->final.pairs);
    }
    if (kept == c->n)
        return;
    c->n = kept;
    place_all(c);
}
