#include "collector/store/symbols.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/limits.h"

#define SLAB_BYTES (64u << 10)
#define SLOTS_FIRST 1024u

struct symbol_slab {
    struct symbol_slab *older;
    uint8_t bytes[];
};

int symbols_init(struct symbols *sy)
{
    *sy = (struct symbols){.seed = hash_seed(), .cap = SLOTS_FIRST};
    sy->slots = calloc(sy->cap, sizeof *sy->slots);
    return sy->slots ? 0 : -ENOMEM;
}

void symbols_done(struct symbols *sy)
{
    for (size_t i = 0; i < SYMBOL_SEGMENTS_MAX && sy->segments[i]; i++)
        free(sy->segments[i]);
    for (struct symbol_slab *s = sy->slab; s;) {
        struct symbol_slab *older = s->older;
        free(s);
        s = older;
    }
    free(sy->slots);
    *sy = (struct symbols){0};
}

static struct symbol_slot *slot_of(const struct symbols *sy, struct span text, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    size_t i = hash & (sy->cap - 1);
    for (;; i = (i + 1) & (sy->cap - 1)) {
        struct symbol_slot *s = &sy->slots[i];
        if (s->id_plus_1 == 0 || (s->tag == tag && span_equal(symbols_text(sy, s->id_plus_1 - 1), text)))
            return s;
    }
}

bool symbols_find(const struct symbols *sy, struct span text, uint32_t *ret_id)
{
    const struct symbol_slot *s = slot_of(sy, text, hash_bytes(text.ptr, text.len, sy->seed));
    if (s->id_plus_1 == 0)
        return false;
    *ret_id = s->id_plus_1 - 1;
    return true;
}

static int grow(struct symbols *sy)
{
    size_t cap = sy->cap * 2;
    struct symbol_slot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < sy->cap; i++) {
        if (sy->slots[i].id_plus_1 == 0)
            continue;
        struct span text = symbols_text(sy, sy->slots[i].id_plus_1 - 1);
        size_t at = hash_bytes(text.ptr, text.len, sy->seed) & (cap - 1);
        while (slots[at].id_plus_1)
            at = (at + 1) & (cap - 1);
        slots[at] = sy->slots[i];
    }
    free(sy->slots);
    sy->slots = slots;
    sy->cap = cap;
    return 0;
}

static uint8_t *text_room(struct symbols *sy, size_t n)
{
    if (sy->slab_bytes - sy->slab_used < n) {
        size_t bytes = n > SLAB_BYTES ? n : SLAB_BYTES;
        struct symbol_slab *s = malloc(sizeof *s + bytes);
        if (!s)
            return NULL;
        s->older = sy->slab;
        sy->slab = s;
        sy->slab_bytes = bytes;
        sy->slab_used = 0;
    }
    uint8_t *p = sy->slab->bytes + sy->slab_used;
    sy->slab_used += n;
    return p;
}

int symbols_intern(struct symbols *sy, struct span text, uint32_t *ret_id)
{
    assert(text.len <= LABEL_VALUE_BYTES_MAX);
    uint64_t hash = hash_bytes(text.ptr, text.len, sy->seed);
    struct symbol_slot *s = slot_of(sy, text, hash);
    if (s->id_plus_1) {
        *ret_id = s->id_plus_1 - 1;
        return 0;
    }
    if (sy->n == SYMBOL_SEGMENT * SYMBOL_SEGMENTS_MAX)
        return -ENOSPC;
    if (sy->n >= sy->cap / 4 * 3) {
        int r = grow(sy);
        if (r < 0)
            return r;
        s = slot_of(sy, text, hash);
    }
    const uint8_t ***segment = &sy->segments[sy->n / SYMBOL_SEGMENT];
    if (!*segment && !(*segment = calloc(SYMBOL_SEGMENT, sizeof **segment)))
        return -ENOMEM;
    uint16_t length = (uint16_t)text.len;
    uint8_t *p = text_room(sy, sizeof length + text.len);
    if (!p)
        return -ENOMEM;
    memcpy(p, &length, sizeof length);
    if (text.len)
        memcpy(p + sizeof length, text.ptr, text.len);
    (*segment)[sy->n % SYMBOL_SEGMENT] = p;
    *s = (struct symbol_slot){(uint32_t)(hash >> 32), sy->n + 1};
    *ret_id = sy->n++;
    return 0;
}
