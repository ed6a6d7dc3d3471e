#include "collector/store/u32map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FREE UINT32_MAX

static struct u32map_slot *slot_of(const struct u32map *m, uint32_t key)
{
    size_t i = u32_hash(key) & (m->cap - 1);
    while (m->slots[i].key != key && m->slots[i].key != FREE)
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

static int grow(struct u32map *m)
{
    struct u32map bigger = {.used = m->used, .cap = m->cap ? m->cap * 2 : 16};
    bigger.slots = malloc(bigger.cap * sizeof *bigger.slots);
    if (!bigger.slots)
        return -ENOMEM;
    memset(bigger.slots, 0xff, bigger.cap * sizeof *bigger.slots);
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].key != FREE)
            *slot_of(&bigger, m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

int u32map_put(struct u32map *m, uint32_t key, uint32_t value)
{
    if (m->used >= m->cap / 4 * 3) {
        int r = grow(m);
        if (r < 0)
            return r;
    }
    struct u32map_slot *s = slot_of(m, key);
    m->used += s->key == FREE;
    *s = (struct u32map_slot){key, value};
    return 0;
}

void u32map_set(struct u32map *m, uint32_t key, uint32_t value)
{
    slot_of(m, key)->value = value;
}

bool u32map_get(const struct u32map *m, uint32_t key, uint32_t *ret)
{
    if (m->used == 0)
        return false;
    const struct u32map_slot *s = slot_of(m, key);
    if (s->key == FREE)
        return false;
    *ret = s->value;
    return true;
}

void u32map_done(struct u32map *m)
{
    free(m->slots);
    *m = (struct u32map){0};
}
