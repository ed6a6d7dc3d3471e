/* series_cache.h - the series of one target: what a page calls them, what leaves, and who is still there.
 *
 *   series_cache_begin(c);                                   // a scrape starts
 *   e = series_cache_find(c, &scraped_labels, hash);          // by the page's labels
 *   if (!e) r = series_cache_add(c, &scraped, hash, final, &e);  // final NULL: relabelled away
 *   e->round = c->round;                                      // seen
 *   series_cache_sweep(c, on_gone, ctx);                      // those not seen: stale markers; then forgotten
 *
 * An entry is one allocation: final labels and the page's labels as key. Indexes are stable until the sweep. One thread. */
#pragma once

#include "lib/metric/labels.h"

struct cached_series {
    uint64_t hash;
    struct labels final; /* n 0: dropped by metric_relabel_configs */
    char *key;           /* name, 0, value, 0, …; allocated together with final */
    uint32_t key_bytes, round;
    bool own_time; /* its last sample had the page's own time stamp: no stale marker */
    bool sent;     /* a sample of it has left */
};
struct series_cache {
    struct cached_series *list;
    uint32_t *slots; /* index + 1; 0: free */
    size_t n, cap, n_slots;
    uint32_t round;
    struct buf key; /* scratch */
};
void series_cache_init(struct series_cache *c);
void series_cache_done(struct series_cache *c);
static inline void series_cache_begin(struct series_cache *c)
{
    c->round++;
}
/* Index, or -ENOENT, -ENOMEM. Leaves the key in scratch for series_cache_add. */
int64_t series_cache_find(struct series_cache *c, const struct labels *scraped, uint64_t hash);
/* After a find that gave -ENOENT for the same labels. Index or -ENOMEM. */
int64_t series_cache_add(struct series_cache *c, uint64_t hash, const struct labels *final);
/* New final labels for an entry, its key stays. */
MUST_USE int series_cache_rename(struct series_cache *c, size_t index, const struct labels *final);
/* The page's labels of an entry, rebuilt from its key into pairs[LABELS_MAX + 1]. */
void series_cache_scraped(const struct cached_series *e, struct label *pairs, struct labels *ret);
/* Forget all that this round did not see; gone() is called for those with labels. */
void series_cache_sweep(struct series_cache *c, void (*gone)(void *ctx, const struct cached_series *e), void *ctx);
