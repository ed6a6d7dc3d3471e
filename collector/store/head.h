/* head.h - the newest samples, in memory: what the log holds and no extent does yet.
 *
 *   struct head *h;
 *   r = head_new(&h);
 *   r = head_append(h, id, &sample, seq);           // writer; visible to readers whose view is at seq or later
 *   head_undo(h);                                    // the commit failed: take back what came since head_keep()
 *   n = head_read(h, id, seq, min_ms, max_ms, sink, ctx);       // readers, no lock
 *   head_release(h);                                 // the last holder frees it at once
 *
 * One writer appends; readers read at the same time without a lock. A sample carries the number of its commit and counts for a
 * reader only when its view is not older: so a reader sees whole commits, and the same ones for as long as it likes. A sealed
 * head is frozen (no appends) and lives until its last reader is gone.
 *
 * Per series there are two chains of blocks: lane 0 holds samples in ascending order of time (nearly all), lane 1 what came
 * late, in order of arrival. Blocks come from big slabs; there is no allocation per sample. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/store/histogram_head.h"
#include "collector/store/series_index.h"
#include "lib/base/macros.h"
#include "lib/metric/sample.h"

enum { HEAD_LANES = 2 };
#define HEAD_SEGMENT 4096u

struct head_block;
struct head_chain {
    _Atomic(struct head_block *) newest[HEAD_LANES];
};
struct head_slab;
struct head {
    atomic_uint holders;
    _Atomic(struct head_chain *) segments[SERIES_LIMIT / HEAD_SEGMENT];
    struct head_slab *slab;
    _Atomic(struct histogram_head *) histograms; /* NULL while there are none */
    /* the writer's */
    uint64_t samples;
    size_t bytes; /* of slabs */
    int64_t min_ms, max_ms;
    uint32_t *appended; /* since head_keep(): id | lane in the top bit */
    size_t n_appended, appended_cap;
    uint64_t last_seq; /* log row of the newest sample in here */
};
MUST_USE int head_new(struct head **ret);
void head_hold(struct head *h);
/* NULL is fine. */
void head_release(struct head *h);

/* ---- the writer ---- */
/* -ENOMEM: nothing was added. */
MUST_USE int head_append(struct head *h, uint32_t id, const struct sample *s, uint32_t seq);
/* Hints, some appends ahead: fetch the block that a sample of the series will go to, and then the block's end. */
void head_expect(const struct head *h, uint32_t id);
void head_expect_end(const struct head *h, uint32_t id);
/* head_append of a native histogram; its bytes are copied. */
MUST_USE int head_append_histogram(struct head *h, uint32_t id, const struct histogram_item *item, uint32_t seq);
/* Memory that must be freed by sealing, as a number of samples: a histogram takes that of many. */
uint64_t head_load(const struct head *h);
/* Is there a float sample at that time? Looks at all, committed or not. */
bool head_find(const struct head *h, uint32_t id, int64_t t_ms, uint64_t *ret_bits);
bool head_find_histogram(const struct head *h, uint32_t id, int64_t t_ms, struct histogram_item *ret);
/* The latest time of the series here, INT64_MIN: it has none. */
int64_t head_newest_ms(const struct head *h, uint32_t id);
/* Forget how to undo: what was appended so far stays. */
void head_keep(struct head *h);
/* Take back what was appended since the last head_keep(). */
void head_undo(struct head *h);

/* ---- readers and the sealer ---- */
/* Has the series samples here? (Perhaps only such that a view does not see yet.) */
bool head_has(const struct head *h, uint32_t id);
/* Call `sink` for runs of samples with min_ms <= t <= max_ms that a view at `seq` sees: t is head_run_ms(); starts NULL: all
 * 0. Runs of lane 0 ascend, and so do the times inside; those of lane 1 need not. Stops at the first negative result. */
struct head_run {
    int64_t base_ms;
    const int32_t *offset;
    const uint64_t *bits;
    const int64_t *starts;
    size_t n;
};
static inline int64_t head_run_ms(const struct head_run *run, size_t i)
{
    return (int64_t)((uint64_t)run->base_ms + (uint64_t)run->offset[i]);
}
typedef int (*head_sink)(void *ctx, const struct head_run *run);
MUST_USE int head_read(const struct head *h, uint32_t id, uint32_t seq, int64_t min_ms, int64_t max_ms, head_sink sink,
                       void *ctx);
/* The histograms, in order of arrival. */
MUST_USE int head_read_histograms(const struct head *h, uint32_t id, uint32_t seq, int64_t min_ms, int64_t max_ms,
                                  histogram_sink sink, void *ctx);
bool head_has_histograms(const struct head *h, uint32_t id);
