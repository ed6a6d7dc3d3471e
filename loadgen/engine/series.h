/* series.h - a run second by second, in bounded memory: what charts are drawn from.
 *
 *   struct run_series *s;
 *   r = series_new(n_steps, &s);
 *   r = series_add(s, &point, interval);               // each tick; point: what is no histogram
 *   for (size_t i = 0; i < series_count(s); i++) { const struct series_point *p = series_at(s, i); ... series_step(s, i, step) ... }
 *   series_free(s);
 *
 * A point is a second at first. When there are RUN_SERIES_POINTS_MAX of them, or RUN_SERIES_BYTES_MAX, neighbours become one point, and from then on
 * a point is twice as long: counts are added, quantiles are those of the merged histograms (kept encoded), never means of quantiles. */
#pragma once

#include "lib/base/limits.h"
#include "loadgen/engine/stats.h"

struct series_times {
    uint64_t count;
    int64_t p50_us, p95_us, p99_us, max_us; /* 0 when count is 0 */
};
struct series_point {
    double second, seconds;   /* where it starts, how long it is */
    double planned;           /* sessions that the plan has in it */
    double cpu_s;             /* the generator's own */
    unsigned open, in_flight; /* at its end */
    int64_t lag_max_us, hiccup_max_us;
    /* filled by series_add */
    struct session_counts sessions;
    struct request_counts requests;
    uint64_t outcomes[OUTCOMES], received_bytes;
    struct series_times response, service;
};
struct series_step_point {
    uint64_t count, failed;
    struct series_times response;
};
struct run_series;
MUST_USE int series_new(size_t n_steps, struct run_series **ret);
void series_free(struct run_series *s);
/* `interval` is what was counted during the point. -ENOMEM. */
MUST_USE int series_add(struct run_series *s, const struct series_point *point, const struct run_stats *interval);
size_t series_count(const struct run_series *s);
const struct series_point *series_at(const struct run_series *s, size_t i);
const struct series_step_point *series_step(const struct run_series *s, size_t i, size_t step);
/* How many ticks a point holds now: 1, 2, 4 … */
unsigned series_ticks(const struct run_series *s);
