/* series_cache.h - the series of a target: from the page's labels to the final ones, without relabelling twice.
 *
 *   series_cache_begin(c);                                    // a page comes
 *   i = series_cache_next(c, &labels);                        // nearly always: pages keep their order
 *   if (i < 0) i = series_cache_find(c, &labels, hash);
 *   if (i < 0) i = series_cache_add(c, &labels, hash, &final); // final NULL: relabelling dropped it
 *   c->list[i].round = c->round;                              // seen
 *   r = series_cache_pair_twins(c);                           // those that relabelling made equal, when some were added
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
    uint32_t twin;               /* > 0: others have the same final labels, c->twins[twin - 1] is theirs */
};
/* Several series of a page with the same final labels are one: who came last in which round, and its time stamp. */
struct twins {
    uint32_t round;
    int64_t t_ms;
};
struct series_cache {
    struct pair_table *pairs;
    struct cached_series *list;
    uint32_t *slots; /* index + 1; 0: free */
    struct twins *twins;
    size_t n_twins;
    bool unpaired; /* final labels came since the twins were found */
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
/* Find the entries whose final labels are equal. Cheap when no final labels have come since the last time. -ENOMEM. */
MUST_USE int series_cache_pair_twins(struct series_cache *c);
/* May a sample of this entry leave, or has a twin's left in this round with the same time stamp? Remembers it as the last one. */
bool series_cache_admit(struct series_cache *c, const struct cached_series *e, int64_t t_ms);
/* Has a twin of it left in this round? */
bool series_cache_twin_left(const struct series_cache *c, const struct cached_series *e);
/* Forget all that this round did not see; gone() is called for those with final labels. */
void series_cache_sweep(struct series_cache *c,
                        void (*gone)(void *ctx, const struct cached_series *e, const struct labels *final), void *ctx);
