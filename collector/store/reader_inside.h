/* reader_inside.h - between reader.c, which reads samples, reader_columns.c, which puts them into columns, and rollup_read.c, which
 * reads rollups in their place. */
#pragma once

#include "collector/store/store_inside.h"

/* What is being read: the columns, whether they are still in order, and times to be left out. */
struct reading {
    struct sample_columns *columns;
    bool ascending;
    int64_t min_ms, max_ms;
    const struct time_range *skip; /* ascending, none touches the next */
    size_t n_skip;
};
void reader_clear_columns(struct sample_columns *c);
/* Room for n more. -ENOMEM. */
MUST_USE int reader_reserve(struct sample_columns *c, size_t n);
/* Samples behind what the columns have. -ENOMEM. */
MUST_USE int reader_append(struct reading *in, const int64_t *t_ms, const uint64_t *bits, const int64_t *starts,
                           size_t n);
MUST_USE int reader_append_run(void *reading, const struct head_run *run);
MUST_USE int reader_append_histogram(struct reading *in, int64_t t_ms, int64_t start_ms,
                                     const struct native_histogram *h);
/* Sort, and of two at one time keep the first. -ENOMEM. */
MUST_USE int reader_put_in_order(struct sample_columns *c);
/* The group's extents, listed anew when another group was there. -ENOMEM. */
MUST_USE int reader_enter_group(struct store_reader *rd, struct read_group *g, uint32_t group);
void reader_leave_group(struct store_reader *rd, struct read_group *g);
/* Load extent i of the group. -ENOENT: it is not there any more; -EBADMSG: damaged. */
MUST_USE int reader_load(struct store_reader *rd, struct read_group *g, size_t i);
/* Of the series' floats, sealed or not, all that `in` asks for, behind what the columns have. */
MUST_USE int reader_read_floats(struct store_reader *rd, uint32_t id, struct reading *in);
/* narrow.c: has the series a sample in the times that is not sealed, one that is? true as well where it cannot be told, or only with
 * much work. */
bool reader_head_has(const struct head *h, uint32_t id, uint32_t seq, int64_t min_ms, int64_t max_ms);
bool reader_sealed_has(struct store_reader *rd, uint32_t id, int64_t min_ms, int64_t max_ms);
/* Samples before it are over by the series' own retention; INT64_MIN: none are. */
int64_t reader_cutoff_of(const struct store_reader *rd, uint32_t id);
