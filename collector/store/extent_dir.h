/* extent_dir.h - the list of extents in memory: which rows hold a group's samples of a time.
 *
 *   struct extent_dir dir;
 *   extent_dir_init(&dir);
 *   r = extent_dir_add(&dir, &(struct extent_ref){.id = 7, .group = 0, …});           // writer
 *   r = extent_dir_list(&dir, group, last_id, &refs, &n);                               // any thread; malloc, free(refs)
 *
 * Extents are immutable and numbered in the order of making, so a reader's view is "up to this number"; one that took others'
 * place is in the views that had all of them. Adding, replacing and removing is the writer's; everything takes the lock for a moment. In a store without files, and
 * while they are held, the refs own the extents' bytes. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"

#define EXTENT_LEVEL_FULL 255u
struct extent_ref {
    uint32_t id, group, n_bytes;
    uint32_t since; /* in views from this extent on: its own number, or the last of those it was merged from */
    uint8_t level;  /* how often its samples were merged; EXTENT_LEVEL_FULL: never again */
    bool bad;       /* damaged: skipped by readers */
    bool held;      /* in memory, not in a file yet (hold.c) */
    uint32_t part;  /* the file that has its row, 0: head.db */
    uint32_t lacks; /* retire.c's: of these series (their bits' hash, never 0) it has none; 0: nobody has looked */
    int64_t min_ms, max_ms;
    uint8_t *bytes; /* NULL: in a file */
};
struct extent_group;
struct tombstone;
struct extent_dir {
    pthread_rwlock_t lock;
    struct extent_group **groups; /* of each group of series four: floats, and its EXTENT_KINDS */
    uint32_t n_groups;
    uint64_t n, n_bytes, n_rollup_bytes, n_bad;
};
void extent_dir_init(struct extent_dir *dir);
void extent_dir_done(struct extent_dir *dir);
/* Takes ref->bytes. -ENOMEM. */
MUST_USE int extent_dir_add(struct extent_dir *dir, const struct extent_ref *ref);
/* The group's refs up to last_id, in order of min_ms; *ret may be NULL when there are none. */
MUST_USE int extent_dir_list(struct extent_dir *dir, uint32_t group, uint32_t last_id, struct extent_ref **ret,
                             size_t *ret_n);
/* Has the group, its histograms included and with `rollups` those, an extent (up to last_id) that touches the range? */
bool extent_dir_overlaps(struct extent_dir *dir, uint32_t group, uint32_t last_id, int64_t min_ms, int64_t max_ms,
                         bool rollups);
/* Has the group an extent of any kind? */
bool extent_dir_has_group(struct extent_dir *dir, uint32_t group);
/* The first group behind all that have one. */
uint32_t extent_dir_end(struct extent_dir *dir);
/* Latest time of the group, its histograms included, INT64_MIN: it has no extent. */
int64_t extent_dir_newest_ms(struct extent_dir *dir, uint32_t group);
/* The extents of a group that hold t_ms in their range: at most max of them, in ascending order. The writer's: it remembers the
 * gap that t_ms lies in, so that a long backfill does not search for every sample. Returns how many there are. */
size_t extent_dir_at(struct extent_dir *dir, uint32_t group, int64_t t_ms, struct extent_ref *refs, size_t max);
/* A copy of the bytes in memory. -ENOENT: removed, or written to a file meanwhile. */
MUST_USE int extent_dir_copy(struct extent_dir *dir, uint32_t group, uint32_t id, uint8_t **ret, size_t *ret_n);
/* How many of the group are held; *ret, the writer's to look at until it changes something, are all of the group's. */
size_t extent_dir_held(struct extent_dir *dir, uint32_t group, const struct extent_ref **ret);
/* Those of the group are in head.db now. */
void extent_dir_written(struct extent_dir *dir, uint32_t group);
/* What follows passes over those that are held, where nothing else is said.
 *
 * Extents of a group that should be one: of one day and level, when there are `least` of them; once the day is over all that are not
 * full, when there are two. *at, which begins with 0, is moved to what has some; refs[EXTENT_ALIKE_MAX] in ascending order of
 * time. 0: there are none. */
#define EXTENT_ALIKE_MAX 16u
struct extent_wanted {
    uint32_t last_id;       /* no later one */
    size_t least;           /* >= 2 */
    int64_t over_before_ms; /* days before this one's get no more samples, or few */
    bool held;              /* also those that are held */
};
size_t extent_dir_alike(struct extent_dir *dir, uint32_t *at, const struct extent_wanted *wanted,
                        struct extent_ref *refs);
/* All that lies on the days from one on, damaged ones left out; malloc. -ENOMEM. */
MUST_USE int extent_dir_of_days(struct extent_dir *dir, int64_t from_ms, unsigned days, struct extent_ref **ret,
                                size_t *ret_n);
#define WEEK_DAYS 7
#define DAY_PARTS_MAX 2u
/* What each day has, up to max days that begin before before_ms; returns how many. */
struct extent_day {
    int64_t day_ms;
    uint64_t hot_bytes, part_bytes; /* of samples, in head.db and in files of their own */
    uint32_t parts[DAY_PARTS_MAX];  /* those files; mostly one */
    size_t n_parts;
};
size_t extent_dir_days(struct extent_dir *dir, int64_t before_ms, struct extent_day *days, size_t max);
/* Is there an extent (a damaged one counts) that the tombstone touches? */
bool extent_dir_hides(struct extent_dir *dir, const struct tombstone *t);
/* Its row is in another file now. Nothing when it is not there any more. */
void extent_dir_moved(struct extent_dir *dir, uint32_t group, uint32_t id, uint32_t part);
/* Room for n more, so that extent_dir_replace() cannot fail. -ENOMEM. */
MUST_USE int extent_dir_reserve(struct extent_dir *dir, uint32_t group, size_t n);
/* Are all of them still there? */
bool extent_dir_has(struct extent_dir *dir, uint32_t group, const uint32_t *ids, size_t n);
/* All at once for everyone who looks. extent_dir_reserve() was called for the n_refs. */
void extent_dir_replace(struct extent_dir *dir, uint32_t group, const uint32_t *ids, size_t n,
                        const struct extent_ref *refs, size_t n_refs);
/* Remember which series it lacks. */
void extent_dir_lacks(struct extent_dir *dir, uint32_t group, uint32_t id, uint32_t lacks);
/* Remember that it is damaged; counted once. */
void extent_dir_mark_bad(struct extent_dir *dir, uint32_t group, uint32_t id);
/* Ids and groups of up to max extents that end before cutoff_ms, but not those that spared(ctx, ref) wants kept. spared NULL:
 * none. It is called under the lock and must not ask the directory. */
size_t extent_dir_ended(struct extent_dir *dir, int64_t cutoff_ms,
                        bool (*spared)(void *ctx, const struct extent_ref *ref), void *ctx, struct extent_ref *refs,
                        size_t max);
/* The earliest end of an extent that is not spared, INT64_MAX: there is none. */
int64_t extent_dir_first_end(struct extent_dir *dir, bool (*spared)(void *ctx, const struct extent_ref *ref),
                             void *ctx);
void extent_dir_remove(struct extent_dir *dir, uint32_t group, uint32_t id);
/* Over all extents of samples: earliest and latest time; INT64_MAX and INT64_MIN when there are none. */
void extent_dir_span(struct extent_dir *dir, int64_t *ret_min_ms, int64_t *ret_max_ms);
struct extent_totals {
    uint64_t extents, bytes, rollup_bytes, bad;
};
struct extent_totals extent_dir_totals(struct extent_dir *dir);
