/* rollup_make.h - the rollups of a file of a day or week in the making; between part_move.c, which writes the file, and rollup_make.c.
 *
 *   struct rollup_maker maker;
 *   rollup_maker_init(&maker, store, &source, dead);
 *   r = rollup_maker_add(&maker, &ref);                      // of one group after the other: samples that went into the file, and
 *                                                             // rollups of the files that it replaces
 *   r = rollup_maker_group(&maker, put, ctx);                  // a row for each day and length of bucket
 *   rollup_maker_done(&maker);
 *
 * What the samples come to is counted anew; where an older rollup stands for more samples than there are, because the retention took
 * some, it stays. What was deleted is in neither. */
#pragma once

#include "collector/store/store_inside.h"

struct rollup_maker {
    struct store *store;
    struct extent_source *source;
    const struct tombstones *dead;
    struct retention *keep;
    struct extent_ref *refs; /* of the group */
    size_t n_refs, cap;
    struct gathered gathered;
    struct rollup_writer *writer;
    struct rollup_work *work;
};
void rollup_maker_init(struct rollup_maker *m, struct store *s, struct extent_source *src,
                       const struct tombstones *dead);
void rollup_maker_done(struct rollup_maker *m);
/* An extent of floats or of rollups. -ENOMEM. */
MUST_USE int rollup_maker_add(struct rollup_maker *m, const struct extent_ref *ref);
/* put: a row without a number, whose bytes stay the maker's; negative: stop with it. Forgets the group. -ENOMEM, the files' errors. */
typedef int (*rollup_put)(void *ctx, const struct extent_ref *ref);
MUST_USE int rollup_maker_group(struct rollup_maker *m, rollup_put put, void *ctx);
/* At most so many rows come of these refs. */
size_t rollup_rows_max(const struct extent_ref *refs, size_t n);
