/* series_cache.h - the series of a target: from the page's labels to the final ones, without relabelling twice.
 *
 *   series_cache_begin(c);                                    // a page comes
 *   i = series_cache_next(c, &labels);                        // nearly always: pages keep their order
 *   if (i < 0) i = series_cache_find(c, &labels, hash);
 *   if (i < 0) i = series_cache_add(c, &labels, hash, &final); // final NULL: relabelling dropped it
 *   c->list[i].round = c->round;                              // seen
 *   series_cache_sweep(c, on_gone, ctx);                      // those not seen: stale markers; then forgotten
 *
 * Labels are numbers of a pair_table, so a series takes some 80 bytes. Indexes are stable until the sweep. One thread. */
#pragma once

#include "agent/pair_table.h"

struct cached_series {
    uint32_t *ids; /* of the page's labels, then of the final ones */
    uint32_t hash, round;
    uint16_t n_scraped, n_final; /* n_final 0: dropped by metric_relabel_configs */
    bool own_time;               /* its last sample had the page's own time stamp: no stale marker */
    bool sent;                   /* a sample of it has left */
};
struct series_cache {
    struct pair_table *pairs;
    struct cached_series *list;
    uint32_t *slots; /* index + 1; 0: free */
    size_t n, cap, n_slots;
    size_t expected; /* index that comes next if the page is as the one before */
    uint32_t round;
};
/* The table is borrowed; caches that trade places share one. */
void series_cache_init(struct series_cache *c, struct pair_table *pairs);
void series_cache_done(struct series_cache *c);
static inline void series_cache_begin(struct series_cache *c)
{
    c->round++;
    c->expected = 0;
}
/* Index if it is the series that followed the last one found, else -ENOENT. */
int64_t series_cache_next(struct series_cache *c, const struct labels *scraped);
/* Index, or -ENOENT. The hash is the caller's, the same for the same labels. */
int64_t series_cache_find(struct series_cache *c, const struct labels *scraped, uint64_t hash);
/* For labels that are not there. Index or -ENOMEM. */
int64_t series_cache_add(struct series_cache *c, const struct labels *scraped, uint64_t hash,
                         const struct labels *final);
/* New final labels for an entry, the page's stay. */
MUST_USE int series_cache_rename(struct series_cache *c, size_t index, const struct labels *final);
/* The final labels, the page's labels of an entry, in pairs[LABELS_MAX + 1]; valid until a series is added or forgotten. */
struct labels series_cache_final(const struct series_cache *c, const struct cached_series *e, struct label *pairs);
struct labels series_cache_scraped(const struct series_cache *c, const struct cached_series *e, struct label *pairs);
/* Forget all that this round did not see; gone() is called for those with final labels. */
void series_cache_sweep(struct series_cache *c,
                        void (*gone)(void *ctx, const struct cached_series *e, const struct labels *final), void *ctx);
