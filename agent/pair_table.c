#include "agent/pair_table.h"

#include <errno.h>

#include "lib/base/hash.h"

#define NONE UINT32_MAX

struct pair {
    struct label label; /* one allocation, at name.ptr; NULL: this id is free */
    uint32_t hash, refs;
    uint32_t next; /* of the pairs in the same slot; of the free ids */
};
struct pair_table {
    struct pair *list;
    uint32_t *slots; /* first id of each chain */
    size_t n, cap, n_slots, used;
    uint32_t first_free;
};

int pair_table_new(struct pair_table **ret)
{
    struct pair_table *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->first_free = NONE;
    *ret = t;
    return 0;
}

void pair_table_free(struct pair_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        free((char *)(uintptr_t)t->list[i].label.name.ptr);
    free(t->list);
    free(t->slots);
    free(t);
}

const struct label *pair_table_at(const struct pair_table *t, uint32_t id)
{
    return &t->list[id].label;
}

size_t pair_table_count(const struct pair_table *t)
{
    return t->used;
}

static uint32_t hash_of(const struct label *l)
{
    return (uint32_t)hash_bytes(l->value.ptr, l->value.len, hash_bytes(l->name.ptr, l->name.len, hash_seed()));
}

static void chain(struct pair_table *t, uint32_t id)
{
    uint32_t *slot = &t->slots[t->list[id].hash & (t->n_slots - 1)];
    t->list[id].next = *slot;
    *slot = id;
}

/* Room for one more, in both arrays. */
MUST_USE static int grow(struct pair_table *t)
{
    if (t->first_free == NONE && t->n == t->cap) {
        size_t cap = t->cap ? t->cap + t->cap / 2 : 64;
        struct pair *list = t->cap < NONE / 2 ? reallocarray(t->list, cap, sizeof *list) : NULL;
        if (!list)
            return -ENOMEM;
        t->list = list;
        t->cap = cap;
    }
    if (t->used < t->n_slots)
        return 0;
    size_t n_slots = t->n_slots ? t->n_slots * 2 : 64;
    uint32_t *slots = reallocarray(t->slots, n_slots, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    t->slots = slots;
    t->n_slots = n_slots;
    memset(slots, 0xff, n_slots * sizeof *slots);
    for (uint32_t id = 0; id < t->n; id++)
        if (t->list[id].label.name.ptr)
            chain(t, id);
    return 0;
}

int pair_table_take(struct pair_table *t, const struct label *pair, uint32_t *ret_id)
{
    uint32_t hash = hash_of(pair);
    for (uint32_t id = t->n_slots ? t->slots[hash & (t->n_slots - 1)] : NONE; id != NONE; id = t->list[id].next) {
        struct pair *p = &t->list[id];
        if (p->hash != hash || !span_equal(p->label.name, pair->name) || !span_equal(p->label.value, pair->value))
            continue;
        p->refs++;
        *ret_id = id;
        return 0;
    }
    char *text = malloc(pair->name.len + pair->value.len + 1);
    if (!text || grow(t) < 0) {
        free(text);
        return -ENOMEM;
    }
    uint32_t id = t->first_free;
    if (id != NONE)
        t->first_free = t->list[id].next;
    else
        id = (uint32_t)t->n++;
    memcpy(text, pair->name.ptr, pair->name.len);
    if (pair->value.len)
        memcpy(text + pair->name.len, pair->value.ptr, pair->value.len);
    t->list[id] =
        (struct pair){.label = {span_of(text, pair->name.len), span_of(text + pair->name.len, pair->value.len)},
                      .hash = hash,
                      .refs = 1};
    chain(t, id);
    t->used++;
    *ret_id = id;
    return 0;
}

void pair_table_release(struct pair_table *t, uint32_t id)
{
    struct pair *p = &t->list[id];
    if (--p->refs)
        return;
    uint32_t *at = &t->slots[p->hash & (t->n_slots - 1)];
    while (*at != id)
        at = &t->list[*at].next;
    *at = p->next;
    free((char *)(uintptr_t)p->label.name.ptr);
    *p = (struct pair){.next = t->first_free};
    t->first_free = id;
    t->used--;
}
