/* results.h - what a part of a run tells its coordinator, line by line: the counters of each second, then what it came to.
 *
 *   tick SECOND_MS INTERVAL_MS OPEN IN_FLIGHT WARM STATS
 *   end VERDICT DURATION_MS CPU_PPM CORES SECONDS BUSY_SECONDS REASONS .REASON… WARM PHASES STATS [STATS of the warm-up] STATS…
 *
 * (stats_codec.h has STATS; VERDICT is enum run_verdict's number, REASONs are base64 behind a dot.) */
#pragma once

#include <stdio.h>

#include "loadgen/engine/run.h"

/* Errors stick in the buffer. */
void results_tick(struct buf *out, const struct run_tick *tick);
void results_end(struct buf *out, const struct run_result *result);

struct results_second {
    double second, interval_s;
    unsigned open, in_flight;
    bool warm;
    struct run_stats *stats; /* given; added to */
};
/* A "tick" line behind its word. -EINVAL, -ENOMEM. */
MUST_USE int results_read_tick(struct span rest, struct results_second *to);
/* An "end" line behind its word, added to `into`, whose total, warmup and phases are made; cores and duration are the most of all. The
 * verdict and the reasons are left to the caller. */
MUST_USE int results_read_end(struct span rest, struct run_result *into, enum run_verdict *ret_verdict,
                              char reasons[RUN_REASONS_MAX][200], size_t *ret_reasons);
