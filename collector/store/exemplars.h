/* exemplars.h - the newest exemplars of all series, in memory and in the table exemplar: a few per series, and so many in all.
 *
 *   struct exemplars *e;
 *   r = exemplars_new(total_max, series_max, &e);
 *   r = exemplars_load(e, row, bytes, &series);                       // at start, rows ascending
 *   r = exemplars_append(e, series, &exemplar, t_ms);              // the writer: 0, or a reason why not
 *   r = exemplars_save(e, &sink);  exemplars_keep(e);              // the commit: its rows, within its transaction
 *   exemplars_undo(e);                                             // or it failed
 *   r = exemplars_list(e, series, min_ms, max_ms, arena, &list, &n);     // any thread
 *
 * Rules (Prometheus's tsdb/exemplar.go): an exemplar of a series is not older than the newest one there (by time, then value, then
 * labels). Other than there all of the series' exemplars are looked at for an equal one, so that a request that comes again changes
 * nothing. When a series has its number, or all together have theirs, the oldest goes.
 *
 * A row's bytes (little-endian, v = varint, z = zigzag varint): u32 CRC-32C of what follows, v series id, z time, 8 bytes value,
 * labels (series_key.h). Rows ascend in the order of coming. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/metric/sample.h"

struct exemplars;
MUST_USE int exemplars_new(uint32_t total_max, uint32_t series_max, struct exemplars **ret);
/* NULL is fine. */
void exemplars_free(struct exemplars *e);

/* ---- the writer ---- */
/* One row. 0 and the series' id; -EBADMSG: damaged, it is left out; -ENOMEM. */
MUST_USE int exemplars_load(struct exemplars *e, int64_t row, struct span bytes, uint32_t *ret_series);
enum exemplar_answer {
    EXEMPLAR_TAKEN,
    EXEMPLAR_KNOWN,        /* an equal one is there */
    EXEMPLAR_OUT_OF_ORDER, /* older than the series' newest */
    EXEMPLAR_TOO_LONG,     /* its labels have more than 128 characters together (OpenMetrics) */
};
/* Labels are checked already. An exemplar_answer, or -ENOMEM. Not to be seen by others before exemplars_keep(). */
MUST_USE int exemplars_append(struct exemplars *e, uint32_t series, const struct exemplar *x, int64_t t_ms);
/* Forget those of the series with min_ms <= t <= max_ms, with the next exemplars_keep(). */
void exemplars_forget(struct exemplars *e, uint32_t series, int64_t min_ms, int64_t max_ms);
/* The same with those that are over, in the order of coming, up to `most`. Returns how many. */
size_t exemplars_forget_over(struct exemplars *e, bool (*is_over)(void *ctx, uint32_t series, int64_t t_ms), void *ctx,
                             size_t most);
bool exemplars_changed(const struct exemplars *e); /* since keep or undo */
/* Each new row and each that goes, within a transaction; stops at the first negative result. -ENOMEM. */
struct exemplar_sink {
    void *ctx;
    int (*put)(void *ctx, int64_t row, struct span bytes);
    int (*drop)(void *ctx, int64_t row);
};
MUST_USE int exemplars_save(struct exemplars *e, const struct exemplar_sink *sink);
void exemplars_keep(struct exemplars *e);
void exemplars_undo(struct exemplars *e);

/* ---- any thread ---- */
/* In order of time, in the arena. -ENOMEM. */
MUST_USE int exemplars_list(struct exemplars *e, uint32_t series, int64_t min_ms, int64_t max_ms, struct arena *arena,
                            struct exemplar **ret, size_t *ret_n);
uint32_t exemplars_count(struct exemplars *e);
