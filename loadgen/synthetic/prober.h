/* prober.h - runs journeys on their schedules for ever, a thread each: one that hangs holds up no other. Remembers how each went.
 *
 *   struct prober *p;
 *   r = prober_start(&(struct prober_config){.base = &config, .every_ms = 30000, .artifacts = a}, &p);
 *   prober_read(p, write_metrics, w);          // any time, any thread
 *   prober_free(p, 5000);                       // no run starts any more; running ones have 5 s, then they are cut
 *
 * A run is one session of one journey: passed when it completed, failed when a step did or it was cut. What is due while the run before goes
 * on is skipped and counted. */
#pragma once

#include "loadgen/engine/run.h"
#include "loadgen/synthetic/artifacts.h"

struct prober_config {
    const struct run_config *base; /* journeys, hosts, time-outs, run_id: the prober's name; grace_ms bounds a run */
    int64_t every_ms;
    struct artifacts *artifacts; /* NULL: failures are only counted */
};
struct journey_state {
    const struct journey *journey;
    bool known, up; /* has there been a run; did the last one pass */
    double duration_s;
    int64_t last_run_ms, last_success_ms; /* unix; 0: never */
    uint64_t passed, failed, skipped;
};
struct step_state { /* as in journeys.steps */
    bool known, up;
    double response_s; /* of the last time that it was sent */
};
struct prober_view {
    const struct journeys *journeys;
    const struct journey_state *states; /* one per journey */
    const struct step_state *steps;     /* one per step */
    const struct run_stats *total;      /* all runs since the start */
    uint64_t artifacts_failed;
};
struct prober;
MUST_USE int prober_start(const struct prober_config *config, struct prober **ret);
/* No run starts any more; running ones have so long, then they are cut. Returns when all are over: what they came to can still be read. */
void prober_stop(struct prober *p, int64_t drain_ms);
/* Stops first where that was not done. NULL is fine. */
void prober_free(struct prober *p, int64_t drain_ms);
/* Runs that are over: has there been one since the last look? */
uint64_t prober_runs(struct prober *p);
/* Calls `read` with the state of now, which must not keep it. */
void prober_read(struct prober *p, void (*read)(void *ctx, const struct prober_view *view), void *ctx);
