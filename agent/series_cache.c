#include "agent/series_cache.h"

#include <errno.h>

#include "lib/base/hash.h"
#include "lib/base/limits.h"

void series_cache_init(struct series_cache *c, struct pair_table *pairs)
{
    *c = (struct series_cache){.pairs = pairs};
}

static void release(struct series_cache *c, const uint32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pair_table_release(c->pairs, ids[i]);
}

static void forget(struct series_cache *c, struct cached_series *e)
{
    release(c, e->ids, (size_t)e->n_scraped + e->n_final);
    free(e->ids);
}

void series_cache_done(struct series_cache *c)
{
    for (size_t i = 0; i < c->n; i++)
        forget(c, &c->list[i]);
    free(c->list);
    free(c->slots);
    free(c->twins);
    *c = (struct series_cache){.pairs = c->pairs};
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

/* ---- finding ---- */

static bool is(const struct series_cache *c, const struct cached_series *e, const struct labels *scraped)
{
    if (e->n_scraped != scraped->n)
        return false;
    for (size_t i = 0; i < scraped->n; i++) {
        const struct label *known = pair_table_at(c->pairs, e->ids[i]), *l = &scraped->pairs[i];
        if (!span_equal(known->value, l->value) || !span_equal(known->name, l->name))
            return false;
    }
    return true;
}

int64_t series_cache_next(struct series_cache *c, const struct labels *scraped)
{
    if (c->expected >= c->n || !is(c, &c->list[c->expected], scraped))
        return -ENOENT;
    return (int64_t)c->expected++;
}

int64_t series_cache_find(struct series_cache *c, const struct labels *scraped, uint64_t hash)
{
    for (size_t at = hash & (c->n_slots - 1); c->n_slots && c->slots[at]; at = (at + 1) & (c->n_slots - 1)) {
        size_t index = c->slots[at] - 1;
        if (c->list[index].hash == (uint32_t)hash && is(c, &c->list[index], scraped)) {
            c->expected = index + 1;
            return (int64_t)index;
        }
    }
    return -ENOENT;
}

/* ---- adding ---- */

MUST_USE static int grow(struct series_cache *c)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap + c->cap / 4 + 16 : 64;
        struct cached_series *list = reallocarray(c->list, cap, sizeof *list);
        if (!list)
            return -ENOMEM;
        c->list = list;
        c->cap = cap;
    }
    if ((c->n + 1) * 4 > c->n_slots * 3) {
        size_t n = c->n_slots ? c->n_slots * 2 : 128;
        uint32_t *slots = reallocarray(c->slots, n, sizeof *slots);
        if (!slots)
            return -ENOMEM;
        c->slots = slots;
        c->n_slots = n;
        place_all(c);
    }
    return 0;
}

/* Append the labels' numbers to ids[*n]. On failure what was appended has been released. */
MUST_USE static int take(struct series_cache *c, const struct labels *labels, uint32_t *ids)
{
    for (size_t i = 0; i < labels->n; i++) {
        int r = pair_table_take(c->pairs, &labels->pairs[i], &ids[i]);
        if (r < 0) {
            release(c, ids, i);
            return r;
        }
    }
    return 0;
}

int64_t series_cache_add(struct series_cache *c, const struct labels *scraped, uint64_t hash,
                         const struct labels *final)
{
    static const struct labels NONE = {0};
    if (!final)
        final = &NONE;
    size_t n = scraped->n + final->n;
    if (scraped->n > UINT16_MAX || final->n > UINT16_MAX)
        return -EINVAL;
    uint32_t *ids = malloc(n ? n * sizeof *ids : 1);
    if (!ids || grow(c) < 0 || take(c, scraped, ids) < 0) {
        free(ids);
        return -ENOMEM;
    }
    if (take(c, final, ids + scraped->n) < 0) {
        release(c, ids, scraped->n);
        free(ids);
        return -ENOMEM;
    }
    c->list[c->n] = (struct cached_series){.ids = ids,
                                           .hash = (uint32_t)hash,
                                           .round = c->round - 1,
                                           .n_scraped = (uint16_t)scraped->n,
                                           .n_final = (uint16_t) final->n};
    place(c, (uint32_t)c->n++);
    c->expected = c->n;
    c->unpaired = true;
    return (int64_t)c->n - 1;
}

int series_cache_rename(struct series_cache *c, size_t index, const struct labels *final)
{
    struct cached_series *e = &c->list[index];
    size_t n = e->n_scraped + final->n;
    uint32_t *ids = final->n > UINT16_MAX ? NULL : malloc(n ? n * sizeof *ids : 1);
    if (!ids || take(c, final, ids + e->n_scraped) < 0) {
        free(ids);
        return -ENOMEM;
    }
    memcpy(ids, e->ids, e->n_scraped * sizeof *ids);
    release(c, e->ids + e->n_scraped, e->n_final);
    free(e->ids);
    e->ids = ids;
    e->n_final = (uint16_t) final->n;
    c->unpaired = true;
    return 0;
}

/* ---- labels ---- */

static struct labels labels_of(const struct series_cache *c, const uint32_t *ids, size_t n, struct label *pairs)
{
    for (size_t i = 0; i < n; i++)
        pairs[i] = *pair_table_at(c->pairs, ids[i]);
    return (struct labels){pairs, n};
}

struct labels series_cache_final(const struct series_cache *c, const struct cached_series *e, struct label *pairs)
{
    return labels_of(c, e->ids + e->n_scraped, e->n_final, pairs);
}

struct labels series_cache_scraped(const struct series_cache *c, const struct cached_series *e, struct label *pairs)
{
    return labels_of(c, e->ids, e->n_scraped, pairs);
}

/* ---- twins ---- */

static bool same_final(const struct cached_series *a, const struct cached_series *b)
{
    return a->n_final == b->n_final &&
           memcmp(a->ids + a->n_scraped, b->ids + b->n_scraped, a->n_final * sizeof *a->ids) == 0;
}

MUST_USE static int new_twins(struct series_cache *c, struct cached_series *e)
{
    if ((c->n_twins & (c->n_twins - 1)) == 0) { /* it doubles */
        struct twins *list = reallocarray(c->twins, c->n_twins ? c->n_twins * 2 : 1, sizeof *list);
        if (!list)
            return -ENOMEM;
        c->twins = list;
    }
    c->twins[c->n_twins++] = (struct twins){.round = c->round - 1};
    e->twin = (uint32_t)c->n_twins;
    return 0;
}

int series_cache_pair_twins(struct series_cache *c)
{
    size_t n_slots = 16;
    if (!c->unpaired)
        return 0;
    while (n_slots < c->n * 2)
        n_slots *= 2;
    AUTO_FREE uint32_t *slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    c->n_twins = 0;
    for (size_t i = 0; i < c->n; i++)
        c->list[i].twin = 0;
    for (size_t i = 0; i < c->n; i++) {
        struct cached_series *e = &c->list[i], *other = NULL;
        if (e->n_final == 0)
            continue;
        size_t at = hash_bytes(e->ids + e->n_scraped, e->n_final * sizeof *e->ids, hash_seed()) & (n_slots - 1);
        for (; slots[at] && !other; at = (at + 1) & (n_slots - 1))
            if (same_final(&c->list[slots[at] - 1], e))
                other = &c->list[slots[at] - 1];
        if (!other) {
            slots[at] = (uint32_t)i + 1;
            continue;
        }
        if (!other->twin && new_twins(c, other) < 0)
            return -ENOMEM;
        e->twin = other->twin;
    }
    c->unpaired = false;
    return 0;
}

bool series_cache_admit(struct series_cache *c, const struct cached_series *e, int64_t t_ms)
{
    struct twins *t = e->twin ? &c->twins[e->twin - 1] : NULL;
    if (!t)
        return true;
    if (t->round == c->round && t->t_ms == t_ms)
        return false;
    *t = (struct twins){c->round, t_ms};
    return true;
}

bool series_cache_twin_left(const struct series_cache *c, const struct cached_series *e)
{
    return e->twin && c->twins[e->twin - 1].round == c->round;
}

/* ---- forgetting ---- */

void series_cache_sweep(struct series_cache *c,
                        void (*gone)(void *ctx, const struct cached_series *e, const struct labels *final), void *ctx)
{
    struct label pairs[LABELS_MAX + 1];
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++) {
        struct cached_series *e = &c->list[i];
        if (e->round == c->round) {
            c->list[kept++] = *e;
            continue;
        }
        if (e->n_final) {
            struct labels final = series_cache_final(c, e, pairs);
            gone(ctx, e, &final);
        }
        forget(c, e);
    }
    if (kept == c->n)
        return;
    c->n = kept;
    place_all(c);
}
