/* series_index.h - finds a series by its labels, and the series that carry a label.
 *
 *   struct series_index ix;
 *   r = series_index_init(&ix, SERIES_MAX);
 *   uint64_t hash = series_index_hash(&ix, key);
 *   if (!series_index_find(&ix, key, hash, &id)) r = series_index_add(&ix, &labels, hash, &id);
 *
 * Ids are dense from 0 and never reused while the process lives; after a restart there may be gaps (series that died), which
 * series_index_at() shows as NULL. One writer, the store's: it reads without a lock and takes `lock` for adding. Readers take
 * `lock` for finding series, symbols and postings; a series whose id they learnt from the store's view they may read without. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "collector/store/postings.h"
#include "collector/store/symbols.h"
#include "lib/metric/labels.h"

#define SERIES_SEGMENT 4096u
#define SERIES_SEGMENTS_MAX 4096u
#define SERIES_LIMIT (SERIES_SEGMENT * SERIES_SEGMENTS_MAX) /* 16.7 million; the user's cap lies below */

struct series {
    const uint32_t *pairs; /* n_pairs × {name, value} symbols, sorted by name; NULL: there is no such series */
    uint32_t n_pairs;
    uint32_t watch; /* the writer's: number of its watched name + 1 */
    uint64_t hash;
    int64_t max_ms; /* the writer's: no sample of the series is later than this */
};
struct series_slot {
    uint32_t tag, id_plus_1; /* 0: free */
};
struct pair_slab;
/* The keys of the first series as they are: compared at once instead of label by label. */
struct series_keys {
    uint8_t *bytes; /* each: u32 length, key */
    size_t used, cap;
    uint32_t *at; /* by id: place + 1, 0: it has none */
    uint32_t ids;
};
struct series_index {
    pthread_rwlock_t lock;
    struct symbols symbols;
    struct postings postings;
    struct series *segments[SERIES_SEGMENTS_MAX];
    uint32_t n;         /* ids given out */
    uint32_t live, max; /* series there are, and may be */
    struct series_slot *slots;
    size_t cap;
    struct pair_slab *slab;
    size_t slab_used;
    struct series_keys keys;
    uint64_t seed;
};
/* What a sender's series came to so far: it repeats them in the same order, and ids were given in it, so the next is likely the neighbour
 * of the last. {0} to begin with. */
struct series_walk {
    uint32_t last;
    bool in_order;
};
MUST_USE int series_index_init(struct series_index *ix, uint32_t max);
void series_index_done(struct series_index *ix);
uint64_t series_index_hash(const struct series_index *ix, struct span key);
bool series_index_find(const struct series_index *ix, struct span key, uint64_t hash, uint32_t *ret_id);
/* The same, trying the walk's next first: that saves the hash and two visits to far memory. *ret_hash is set unless it was found so. */
bool series_index_find_next(const struct series_index *ix, struct series_walk *walk, struct span key,
                            uint64_t *ret_hash, uint32_t *ret_id);
/* Do the bytes begin with the key of the walk's neighbour? Only where that is kept whole; false says nothing. */
bool series_index_next_begins(const struct series_index *ix, struct series_walk *walk, struct span bytes,
                              size_t *ret_key_bytes, uint32_t *ret_id);
/* The labels are not there yet and hold labels.h's rules; key is theirs (series_key_build) and hash is its. -ENOSPC: the cap is reached; -ENOMEM. */
MUST_USE int series_index_add(struct series_index *ix, const struct labels *labels, struct span key, uint64_t hash,
                              uint32_t *ret_id);
/* Ids below `id` that were not given out stay gaps: for restoring series, in ascending order. */
MUST_USE int series_index_skip_to(struct series_index *ix, uint32_t id);
/* NULL: a gap. id < the n that the caller learnt. */
static inline struct series *series_index_at(const struct series_index *ix, uint32_t id)
{
    struct series *segment = ix->segments[id / SERIES_SEGMENT];
    struct series *s = segment ? &segment[id % SERIES_SEGMENT] : NULL;
    return s && s->pairs ? s : NULL;
}
/* The symbol of the series' value for the name, UINT32_MAX: it has no such label. */
static inline uint32_t series_value(const struct series *s, uint32_t name)
{
    for (uint32_t i = 0; i < s->n_pairs; i++)
        if (s->pairs[2 * i] == name)
            return s->pairs[2 * i + 1];
    return UINT32_MAX;
}
/* The labels with their texts in the table's memory; pairs[s->n_pairs] is the caller's. */
struct labels series_labels(const struct series_index *ix, const struct series *s, struct label *pairs);
