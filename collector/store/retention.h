/* retention.h - how long the samples of a series are kept: the retention, selectors that have another one, and the windows of
 * events that outlive both.
 *
 *   struct retention *k;
 *   r = retention_new(keep_ms, rules, n_rules, false, &k);          // rules are copied
 *   r = retention_with_pins(k, pins, n, &with_pins);                 // the same rules
 *   int64_t keep_ms = retention_of(k, &index, id);                   // 0: for ever
 *   retention_release(k);
 *
 * Sets are immutable and counted; the writer replaces the one of the store's view. What a series' rule is, is found once and
 * remembered; any thread may ask. */
#pragma once

#include <stdatomic.h>

#include "collector/store/series_index.h"
#include "collector/store/store.h"

struct retention_rules;
struct retention {
    atomic_uint holders;
    int64_t keep_ms;    /* of series that no rule matches; 0: for ever */
    int64_t rollups_ms; /* of rollups, where the series' samples are not kept longer; 0: as those, < 0: for ever */
    bool waits;         /* nothing is dropped yet */
    struct retention_rules *rules; /* NULL: there are none */
    struct retention_rules *fine;  /* whose series have rollups of five minutes; NULL: none have */
    size_t n_pins;
    struct store_pin pins[];
};
/* -E2BIG: more than STORE_RETENTIONS_MAX rules; -EINVAL: a matcher's regex; -ENOMEM. */
MUST_USE int retention_new(int64_t keep_ms, const struct store_retention *rules, size_t n, bool waits,
                           struct retention **ret);
/* Those rules and these pins; nothing waits any more. -ENOMEM. */
MUST_USE int retention_with_pins(const struct retention *k, const struct store_pin *pins, size_t n,
                                 struct retention **ret);
/* These rules and those pins. -ENOMEM and retention_new()'s. */
MUST_USE int retention_with_rules(const struct retention *k, int64_t keep_ms, const struct store_retention *rules,
                                  size_t n, struct retention **ret);
/* The same with these for rollups: series that one of `fine` matches (its keep_ms means nothing) have the finer ones. -E2BIG, -EINVAL,
 * -ENOMEM. */
MUST_USE int retention_with_rollups(const struct retention *k, int64_t rollups_ms, const struct store_retention *fine,
                                    size_t n, struct retention **ret);
void retention_hold(struct retention *k);
void retention_release(struct retention *k); /* NULL is fine; the last holder frees it */

/* How long the series' samples are kept, 0: for ever. *ret_own (may be NULL): by a rule. A series whose rule cannot be told (a
 * regex went over its match limit, no memory) is kept as long as any. */
int64_t retention_of(const struct retention *k, const struct series_index *ix, uint32_t id, bool *ret_own);
/* Of the series ids [from, to): the longest, and whether they differ. 0: for ever. */
int64_t retention_longest(const struct retention *k, const struct series_index *ix, uint32_t from, uint32_t to,
                          bool *ret_differ);
/* The same of rollups: never shorter than samples. */
int64_t retention_of_rollups(const struct retention *k, const struct series_index *ix, uint32_t id);
int64_t retention_longest_rollups(const struct retention *k, const struct series_index *ix, uint32_t from, uint32_t to);
/* May a series' rollups be kept when its samples are not? */
bool retention_outlives(const struct retention *k);
/* Has the series rollups of five minutes? */
bool retention_is_fine(const struct retention *k, const struct series_index *ix, uint32_t id);
/* The shortest that there is; 0: for ever. */
int64_t retention_least(const struct retention *k);
/* What is before it is over: now - keep_ms; INT64_MIN: nothing is. */
int64_t retention_cutoff_ms(int64_t now_ms, int64_t keep_ms);

/* Is there a pin that touches the times and has a prefix of the series' name? */
bool retention_pins(const struct retention *k, const struct series_index *ix, uint32_t id, int64_t min_ms,
                    int64_t max_ms);
