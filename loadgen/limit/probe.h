/* probe.h - one run at one rate and what it says about the server: did it keep the SLO, was the generator able to ask at all.
 *
 *   struct probe_plan plan = {.settle_ms = 5000, .measure_ms = 20000, .spacing = PLAN_EXACT};
 *   struct limit_probe probe;
 *   r = probe_run(&config, &plan, 40, &hooks, &probe);
 *   limit_search_tell(&search, probe.answer, probe.strain, probe.served_rate);
 *
 * Sessions of the settling time are a warm-up: they load the server and count for nothing. */
#pragma once

#include "loadgen/engine/run.h"
#include "loadgen/limit/search.h"

struct probe_plan {
    int64_t settle_ms, measure_ms;
    enum plan_spacing spacing;
};
struct limit_probe {
    double rate;
    int64_t started_ms; /* unix, its settling included */
    double settle_s, measured_s;
    enum limit_answer answer;
    bool interrupted;               /* the user's wish: it says nothing */
    double strain;                  /* the worst threshold's value in parts of its limit */
    double served_rate;             /* sessions per second that completed while it measured */
    double throughput;              /* answered requests per second */
    double concurrency;             /* requests at the server: throughput times mean service time (Little's law) */
    int64_t p50_us, p95_us, p99_us; /* response, all steps; 0: nothing was sent */
    double error_ratio;             /* of steps; NAN: none */
    char why[200];                  /* broken or void: the reason */
    char gave_way[160];             /* broken: the step whose threshold broke first; "" when none did */
    double gave_way_s;              /* in which second of the measuring */
    double recovery_s; /* broken: until the SLO was met again at a low rate; NAN: not looked at, or never */
};
/* config: without a plan and phases of its own. -errno when it could not be run. */
MUST_USE int probe_run(const struct run_config *config, const struct probe_plan *plan, double rate,
                       const struct run_hooks *hooks, struct limit_probe *ret);
