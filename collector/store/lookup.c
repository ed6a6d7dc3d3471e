/* Finding series for decoders, on their threads. */
#include "collector/store/store_inside.h"

#define FINDS_MAX 512u /* some 30 us; then a writer that waits gets its turn */

void store_lookup_begin(struct store_lookup *l, struct store *s)
{
    *l = (struct store_lookup){.store = s};
    pthread_rwlock_rdlock(&s->index.lock);
}

void store_lookup_end(struct store_lookup *l)
{
    pthread_rwlock_unlock(&l->store->index.lock);
}

static void count_find(struct store_lookup *l)
{
    if (++l->finds % FINDS_MAX)
        return;
    pthread_rwlock_unlock(&l->store->index.lock);
    pthread_rwlock_rdlock(&l->store->index.lock);
}

bool store_lookup_next(void *lookup, struct span bytes, size_t *ret_key_bytes, uint32_t *ret_id)
{
    struct store_lookup *l = lookup;
    count_find(l);
    struct series_walk walk = {l->last, l->in_order};
    bool found = series_index_next_begins(&l->store->index, &walk, bytes, ret_key_bytes, ret_id);
    l->last = walk.last;
    return found;
}

bool store_lookup_find(void *lookup, struct span key, uint32_t *ret_id)
{
    struct store_lookup *l = lookup;
    count_find(l);
    struct series_walk walk = {l->last, l->in_order};
    uint64_t hash;
    bool found = series_index_find_next(&l->store->index, &walk, key, &hash, ret_id);
    l->last = walk.last;
    l->in_order = walk.in_order;
    return found;
}
