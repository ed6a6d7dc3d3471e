/* live_view.h - a run on a screen of cells, once a second: rates, steps, thresholds, and how far to trust it. It knows no terminal.
 *
 *   struct live_view v;
 *   live_view_init(&v, &config, planned_s);
 *   r = live_view_update(&v, &tick);             // what the tick says is copied
 *   live_view_draw(&v, &cells, GRAPH_BRAILLE);
 *   live_view_done(&v);
 *
 * The second's figures stand beside those of the whole run: the former show what is going on, the latter what will be judged. */
#pragma once

#include "lib/term/graph.h"
#include "loadgen/engine/run.h"

#define LIVE_SECONDS 240u /* of history in the graphs; NAN: not yet, or nothing */

struct live_times {
    int64_t p50_us, p95_us, p99_us; /* -1: nothing */
};
struct live_step {
    uint64_t count, failed, failed_now;
    struct live_times now, all;
};
struct live_view {
    const struct run_config *config;
    double planned_s; /* length of the plan; 0: not known */
    double second, planned_rate, started_rate, request_rate, failed_rate, cpu_ratio;
    unsigned open, in_flight, stops; /* stops: how often it was asked to end */
    int64_t lag_p99_us, hiccup_max_us;
    struct session_counts sessions;
    struct request_counts requests;
    char phase[80];
    bool warmup;
    struct live_step *steps; /* one per step of the journeys */
    struct live_times all;
    struct live_threshold {
        char text[200];
        bool met, known;
    } * thresholds;
    size_t n_thresholds;
    double rate[LIVE_SECONDS], planned[LIVE_SECONDS], p95_ms[LIVE_SECONDS]; /* the newest is the last */
};
MUST_USE int live_view_init(struct live_view *v, const struct run_config *config, double planned_s);
void live_view_done(struct live_view *v);
/* -ENOMEM. */
MUST_USE int live_view_update(struct live_view *v, const struct run_tick *tick);
void live_view_draw(const struct live_view *v, struct cells *c, enum graph_mode mode);
