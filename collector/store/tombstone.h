/* tombstone.h - what was deleted and is not removed from the extents yet.
 *
 *   struct tombstones *ts = …;                                   // of a view; NULL: nothing is deleted
 *   list = tombstones_of(ts, group, &n);                          // those of a group of series
 *   if (tombstones_hide(list, n, extent, ord, t_ms)) …            // is this sample deleted?
 *   tombstones_hold(ts); tombstones_release(ts);
 *
 * A deletion seals first, so all that it means lies in extents up to a number: what is written afterwards has a higher one and
 * lives, the same series at the same times too. Sets are immutable; the writer replaces them. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/store/extent_dir.h"
#include "lib/base/macros.h"

#define TOMBSTONE_WORDS 2u /* a bit for each of a group's 128 series */
struct tombstone {
    int64_t row;             /* in the table, 0: none */
    uint32_t group, last_id; /* extents up to this one */
    uint64_t ords[TOMBSTONE_WORDS];
    int64_t min_ms, max_ms; /* inclusive */
};
struct tombstones {
    atomic_uint holders;
    size_t n;
    struct tombstone list[]; /* by group */
};
/* A set of what the old one has (NULL: nothing) and n more, to be released. -ENOMEM. */
MUST_USE int tombstones_with(const struct tombstones *old, const struct tombstone *more, size_t n,
                             struct tombstones **ret);
/* Without those whose `gone` is true; *ret NULL: nothing is left. -ENOMEM. */
MUST_USE int tombstones_without(const struct tombstones *old, const bool *gone, struct tombstones **ret);
void tombstones_hold(struct tombstones *ts);
/* NULL is fine, for both. The last holder frees it. */
void tombstones_release(struct tombstones *ts);

const struct tombstone *tombstones_of(const struct tombstones *ts, uint32_t group, size_t *ret_n);
/* May the extent have what the tombstone hides? */
bool tombstone_touches(const struct tombstone *t, const struct extent_ref *ref);
bool tombstones_touch(const struct tombstones *ts, const struct extent_ref *ref);
/* Some of the series' samples in the extent, perhaps? */
bool tombstones_concern(const struct tombstone *list, size_t n, const struct extent_ref *ref, unsigned ord);
/* All of the series' samples in the extent? */
bool tombstones_hide_all(const struct tombstone *list, size_t n, const struct extent_ref *ref, unsigned ord);
static inline bool tombstones_hide(const struct tombstone *list, size_t n, uint32_t extent, unsigned ord, int64_t t_ms)
{
    for (size_t i = 0; i < n; i++)
        if (extent <= list[i].last_id && list[i].ords[ord / 64] >> ord % 64 & 1 && t_ms >= list[i].min_ms &&
            t_ms <= list[i].max_ms)
            return true;
    return false;
}
