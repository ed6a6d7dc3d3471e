/* run.h - a whole run: workers, a tick each second, one result with its verdict.
 *
 *   struct run_result result;
 *   r = run_execute(&config, &hooks, &result);
 *   return run_exit_code(&result);
 *   run_result_done(&result);
 *
 * The calling thread coordinates: it merges the workers' counters once a second and hands them to the hooks. */
#pragma once

#include "loadgen/engine/config.h"
#include "loadgen/engine/series.h"
#include "loadgen/engine/stats.h"

#define RUN_BUSY_RATIO 0.8 /* of its cores: above, the generator measures itself */
#define RUN_REASONS_MAX 8

enum run_verdict { RUN_PASSED, RUN_FAILED, RUN_THRESHOLD, RUN_VOID, RUN_INTERRUPTED };
const char *run_verdict_name(enum run_verdict v);

struct run_tick {
    double second, interval_s; /* since the start; length of this interval */
    double planned_rate;       /* sessions per second now; 0 without a plan */
    unsigned open, in_flight;
    double cpu_ratio;                         /* of the generator's cores, in this interval */
    const struct hdr *hiccup;                 /* of the machine, in this interval */
    const struct run_stats *interval, *total; /* total: all so far, warm-up included */
    const struct plan_phase *phase;           /* now; NULL: the run has none */
    const struct run_threshold *thresholds;   /* as they stand */
    size_t n_thresholds;
    bool last;
};
enum run_wish { RUN_GO_ON, RUN_STOP, RUN_ABORT }; /* stop: start nothing more, let running sessions finish */
struct run_hooks {
    void *ctx;
    void (*tick)(void *ctx, const struct run_tick *tick); /* once a second and at the end; may be NULL */
    enum run_wish (*wish)(void *ctx);                     /* asked every 50 ms; may be NULL */
    void (*wait)(void *ctx, int64_t timeout_ms);          /* instead of sleeping; may be NULL */
    /* Why the wish was to stop: then the verdict is `threshold` with this sentence, else `interrupted`. May be NULL, and give it. */
    const char *(*reason)(void *ctx);
};
struct run_threshold {
    const struct journey_step *step; /* NULL: of more than one */
    const struct threshold *of;      /* NULL: the journey's own @slo */
    const struct hurl_slo *slo;
    char scope[160]; /* "cart/pay", "customers", "all steps", "cart in peak" */
    double value;    /* microseconds or ratio; NaN: no data, which is not met */
    bool met;
};
struct run_phase {
    const struct plan_phase *of;
    struct run_stats *stats;
};
struct run_result {
    enum run_verdict verdict;
    char reasons[RUN_REASONS_MAX][200];
    size_t n_reasons;
    struct run_stats *total;  /* what figures and thresholds are of: without the warm-up */
    struct run_stats *warmup; /* NULL: there was none */
    struct run_phase *phases; /* all of them; NULL: the run was one */
    size_t n_phases;
    struct run_series *series; /* second by second, the warm-up included */
    struct run_threshold *thresholds;
    size_t n_thresholds;
    int64_t started_ms; /* unix */
    double duration_s;  /* until the last session was over */
    double cpu_ratio;   /* of the generator's cores, outside the warm-up */
    unsigned seconds, busy_seconds;
    unsigned cores;
    struct hdr *hiccup; /* stalls of the machine, outside the warm-up */
};
/* -errno when it could not be run at all; a bad verdict is no error. */
MUST_USE int run_execute(const struct run_config *config, const struct run_hooks *hooks, struct run_result *ret);
void run_result_done(struct run_result *r);
int run_exit_code(const struct run_result *r);
