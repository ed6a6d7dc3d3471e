#include "lib/metric/exposition_created.h"

#include <errno.h>

#include "lib/base/hash.h"

void created_clear(struct created *c)
{
    if (c->used > 0)
        memset(c->slots, 0, c->cap * sizeof *c->slots);
    c->used = 0;
}

void created_done(struct created *c)
{
    free(c->slots);
    *c = (struct created){0};
}

uint64_t created_key(const struct labels *ls, struct span but)
{
    uint64_t h = hash_seed();
    for (size_t i = 0; i < ls->n; i++) {
        if (span_equal(ls->pairs[i].name, but) || span_equal(ls->pairs[i].name, SPAN("__name__")))
            continue;
        h = hash_bytes(ls->pairs[i].name.ptr, ls->pairs[i].name.len, h);
        h = hash_bytes(ls->pairs[i].value.ptr, ls->pairs[i].value.len, h);
    }
    return h ? h : 1;
}

static struct created_slot *find_slot(const struct created *c, uint64_t key)
{
    size_t at = key & (c->cap - 1);
    while (c->slots[at].key != 0 && c->slots[at].key != key)
        at = (at + 1) & (c->cap - 1);
    return &c->slots[at];
}

MUST_USE static int grow(struct created *c)
{
    struct created larger = {.cap = c->cap ? 2 * c->cap : 64};
    larger.slots = calloc(larger.cap, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < c->cap; i++)
        if (c->slots[i].key != 0)
            *find_slot(&larger, c->slots[i].key) = c->slots[i];
    larger.used = c->used;
    free(c->slots);
    *c = larger;
    return 0;
}

int created_put(struct created *c, uint64_t key, int64_t start_ms)
{
    if (2 * (c->used + 1) > c->cap) {
        int r = grow(c);
        if (r < 0)
            return r;
    }
    struct created_slot *slot = find_slot(c, key);
    c->used += slot->key == 0;
    *slot = (struct created_slot){key, start_ms};
    return 0;
}

int64_t created_get(const struct created *c, uint64_t key)
{
    return c->used ? find_slot(c, key)->start_ms : 0; /* a free slot has 0 */
}
