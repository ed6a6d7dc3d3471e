#include "collector/store/series_index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "collector/store/series_key.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"

#define SLOTS_FIRST 1024u
#define SLAB_IDS 16384u /* 64 KB of symbol pairs */

struct pair_slab {
    struct pair_slab *older;
    uint32_t ids[SLAB_IDS];
};
static_assert(SLAB_IDS >= 2 * LABELS_MAX, "a slab holds the longest label set");

int series_index_init(struct series_index *ix, uint32_t max)
{
    *ix = (struct series_index){
        .max = max < SERIES_LIMIT ? max : SERIES_LIMIT, .cap = SLOTS_FIRST, .seed = hash_seed(), .slab_used = SLAB_IDS};
    pthread_rwlockattr_t prefer_writer; /* or queries that overlap for ever would hold up ingest */
    pthread_rwlockattr_init(&prefer_writer);
    pthread_rwlockattr_setkind_np(&prefer_writer, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&ix->lock, &prefer_writer);
    pthread_rwlockattr_destroy(&prefer_writer);
    ix->slots = calloc(ix->cap, sizeof *ix->slots);
    int r = symbols_init(&ix->symbols);
    return ix->slots ? r : -ENOMEM;
}

void series_index_done(struct series_index *ix)
{
    postings_done(&ix->postings);
    symbols_done(&ix->symbols);
    for (size_t i = 0; i < SERIES_SEGMENTS_MAX; i++)
        free(ix->segments[i]);
    for (struct pair_slab *s = ix->slab; s;) {
        struct pair_slab *older = s->older;
        free(s);
        s = older;
    }
    free(ix->keys.bytes);
    free(ix->keys.at);
    free(ix->slots);
    pthread_rwlock_destroy(&ix->lock);
}

uint64_t series_index_hash(const struct series_index *ix, struct span key)
{
    return hash_bytes(key.ptr, key.len, ix->seed);
}

/* ---- keys ---- */
/* One that is not kept, for want of room or memory, is compared label by label. */
static void keep_key(struct series_keys *k, uint32_t id, struct span key)
{
    size_t need = sizeof(uint32_t) + key.len;
    if (need > STORE_KEYS_BYTES || k->used > STORE_KEYS_BYTES - need || id >= STORE_KEYS_BYTES / 16)
        return;
    if (id >= k->ids) {
        uint32_t ids = id + id / 2 + 1024;
        uint32_t *at = realloc(k->at, ids * sizeof *at);
        if (!at)
            return;
        memset(at + k->ids, 0, (ids - k->ids) * sizeof *at);
        k->at = at;
        k->ids = ids;
    }
    if (k->cap - k->used < need) {
        size_t cap = k->cap + need + (64u << 10);
        uint8_t *bytes = realloc(k->bytes, cap);
        if (!bytes)
            return;
        k->bytes = bytes;
        k->cap = cap;
    }
    uint32_t n = (uint32_t)key.len;
    memcpy(k->bytes + k->used, &n, sizeof n);
    memcpy(k->bytes + k->used + sizeof n, key.ptr, n);
    k->at[id] = (uint32_t)k->used + 1;
    k->used += need;
}

/* Empty: it is not kept. */
static struct span kept_key(const struct series_keys *k, uint32_t id)
{
    if (id >= k->ids || k->at[id] == 0)
        return span_of(NULL, 0);
    const uint8_t *kept = k->bytes + k->at[id] - 1;
    uint32_t n;
    memcpy(&n, kept, sizeof n);
    return span_of((const char *)kept + sizeof n, n);
}

static bool is_key_of(const struct series_index *ix, uint32_t id, const struct series *s, struct span key)
{
    struct span kept = kept_key(&ix->keys, id);
    if (kept.len == 0)
        return series_key_names(key, &ix->symbols, s->pairs, s->n_pairs);
    return kept.len == key.len && memcmp(kept.ptr, key.ptr, key.len) == 0;
}

/* ---- finding ---- */
bool series_index_find(const struct series_index *ix, struct span key, uint64_t hash, uint32_t *ret_id)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = hash & (ix->cap - 1); ix->slots[i].id_plus_1; i = (i + 1) & (ix->cap - 1)) {
        if (ix->slots[i].tag != tag)
            continue;
        uint32_t id = ix->slots[i].id_plus_1 - 1;
        const struct series *s = series_index_at(ix, id);
        if (s->hash == hash && is_key_of(ix, id, s, key)) {
            *ret_id = id;
            return true;
        }
    }
    return false;
}

bool series_index_find_next(const struct series_index *ix, struct series_walk *walk, struct span key,
                            uint64_t *ret_hash, uint32_t *ret_id)
{
    uint32_t id = walk->last + 1;
    const struct series *next = walk->in_order && id < ix->n ? series_index_at(ix, id) : NULL;
    if (!next || !is_key_of(ix, id, next, key)) {
        *ret_hash = series_index_hash(ix, key);
        if (!series_index_find(ix, key, *ret_hash, &id))
            return false;
    }
    walk->in_order = id == walk->last + 1;
    walk->last = *ret_id = id;
    return true;
}

bool series_index_next_begins(const struct series_index *ix, struct series_walk *walk, struct span bytes,
                              size_t *ret_key_bytes, uint32_t *ret_id)
{
    uint32_t id = walk->last + 1;
    struct span key = walk->in_order ? kept_key(&ix->keys, id) : span_of(NULL, 0);
    if (key.len == 0 || key.len > bytes.len || memcmp(key.ptr, bytes.ptr, key.len) != 0)
        return false;
    *ret_key_bytes = key.len;
    walk->last = *ret_id = id;
    return true;
}

static void put_slot(struct series_slot *slots, size_t cap, uint64_t hash, uint32_t id)
{
    size_t i = hash & (cap - 1);
    while (slots[i].id_plus_1)
        i = (i + 1) & (cap - 1);
    slots[i] = (struct series_slot){(uint32_t)(hash >> 32), id + 1};
}

static int grow_slots(struct series_index *ix)
{
    size_t cap = ix->cap * 2;
    struct series_slot *slots = calloc(cap, sizeof *slots), *old = ix->slots;
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < ix->cap; i++) {
        if (ix->slots[i].id_plus_1 == 0)
            continue;
        uint32_t id = ix->slots[i].id_plus_1 - 1;
        put_slot(slots, cap, series_index_at(ix, id)->hash, id);
    }
    pthread_rwlock_wrlock(&ix->lock);
    ix->slots = slots;
    ix->cap = cap;
    pthread_rwlock_unlock(&ix->lock);
    free(old);
    return 0;
}

static uint32_t *pair_room(struct series_index *ix, size_t n)
{
    if (SLAB_IDS - ix->slab_used < n) {
        struct pair_slab *s = malloc(sizeof *s);
        if (!s)
            return NULL;
        s->older = ix->slab;
        ix->slab = s;
        ix->slab_used = 0;
    }
    uint32_t *p = ix->slab->ids + ix->slab_used;
    ix->slab_used += n;
    return p;
}

static int intern_pairs(struct series_index *ix, const struct labels *labels, uint32_t *ids)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < labels->n; i++) {
        r = symbols_intern(&ix->symbols, labels->pairs[i].name, &ids[2 * i]);
        if (r == 0)
            r = symbols_intern(&ix->symbols, labels->pairs[i].value, &ids[2 * i + 1]);
    }
    return r;
}

static int add_locked(struct series_index *ix, const struct labels *labels, uint64_t hash)
{
    struct series **segment = &ix->segments[ix->n / SERIES_SEGMENT];
    if (!*segment && !(*segment = calloc(SERIES_SEGMENT, sizeof **segment)))
        return -ENOMEM;
    uint32_t *ids = pair_room(ix, 2 * (labels->n ? labels->n : 1)); /* {} has a pointer too: NULL is a gap */
    int r = ids ? intern_pairs(ix, labels, ids) : -ENOMEM;
    if (r < 0)
        return r;
    uint32_t id =
        ix->n++; /* from here on the id is used up: a failure below leaves a gap that no posting can confuse */
    for (size_t i = 0; r == 0 && i < labels->n; i++)
        r = postings_add(&ix->postings, ids[2 * i], ids[2 * i + 1], id);
    if (r < 0)
        return r;
    (*segment)[id % SERIES_SEGMENT] =
        (struct series){.pairs = ids, .n_pairs = (uint32_t)labels->n, .hash = hash, .max_ms = INT64_MIN};
    ix->live++;
    return 0;
}

int series_index_add(struct series_index *ix, const struct labels *labels, struct span key, uint64_t hash,
                     uint32_t *ret_id)
{
    if (ix->live >= ix->max || ix->n >= SERIES_LIMIT)
        return -ENOSPC;
    int r = ix->live >= ix->cap / 8 * 5 ? grow_slots(ix) : 0;
    if (r < 0)
        return r;
    pthread_rwlock_wrlock(&ix->lock);
    r = add_locked(ix, labels, hash);
    if (r == 0) {
        *ret_id = ix->n - 1;
        put_slot(ix->slots, ix->cap, hash, *ret_id);
        keep_key(&ix->keys, *ret_id, key);
    }
    pthread_rwlock_unlock(&ix->lock);
    return r;
}

int series_index_skip_to(struct series_index *ix, uint32_t id)
{
    if (id < ix->n || id > SERIES_LIMIT)
        return -EINVAL;
    ix->n = id;
    return 0;
}

struct labels series_labels(const struct series_index *ix, const struct series *s, struct label *pairs)
{
    for (uint32_t i = 0; i < s->n_pairs; i++)
        pairs[i] = (struct label){symbols_text(&ix->symbols, s->pairs[2 * i]),
                                  symbols_text(&ix->symbols, s->pairs[2 * i + 1])};
    return (struct labels){pairs, s->n_pairs};
}
