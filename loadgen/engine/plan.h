/* plan.h - when sessions arrive: a rate over time, integrated, never added up step by step.
 *
 *   struct plan plan;
 *   r = plan_parse_stages(&plan, SPAN("30s:5,10s:5-40,2m:40"), why, sizeof why);
 *   struct arrivals a;
 *   arrivals_init(&a, &plan, worker, workers, &rng, sessions_max);
 *   int64_t at_us;
 *   while (arrivals_next(&a, &at_us)) ...                      // microseconds from the start, rising
 *
 * The k-th arrival (from 0) of an even plan is where the integral of the rate passes k + 1/2: the count of a plan is its integral,
 * rounded, whatever the stages; workers take every n-th of them and their union is the plan. A Poisson plan spaces arrivals
 * exponentially in that integral (its count varies as it must); each worker makes its own share of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"
#include "loadgen/hurl/random.h"
#include "lib/base/limits.h"

struct plan_stage {
    double seconds, from, to; /* the rate runs straight from..to */
    double start_s, before;   /* seconds and arrivals before this stage */
};
enum plan_spacing { PLAN_EVEN, PLAN_POISSON };
struct plan {
    struct plan_stage *stages;
    size_t n;
    enum plan_spacing spacing;
    double seconds, arrivals; /* of all stages */
};
/* "DURATION:RATE" or "DURATION:FROM-TO", separated by commas; rates per second. -EINVAL with why. */
MUST_USE int plan_parse_stages(struct plan *p, struct span text, char *why, size_t why_bytes);
/* One stage of a constant rate, or from..to. */
MUST_USE int plan_constant(struct plan *p, double rate_from, double rate_to, int64_t duration_ms);
void plan_done(struct plan *p);
/* The planned rate at a time, 0 outside. */
double plan_rate(const struct plan *p, double second);
/* Arrivals from the start to a time: the integral. */
double plan_integral(const struct plan *p, double second);
/* Arrivals of the even plan: the integral, rounded. */
uint64_t plan_count(const struct plan *p);

struct arrivals {
    const struct plan *plan;
    struct rng *rng; /* for PLAN_POISSON */
    double at;       /* integral of the arrival before */
    uint64_t index, stride, left;
    size_t stage;
};
/* sessions_max: of all workers together; 0: no bound. */
void arrivals_init(struct arrivals *a, const struct plan *plan, uint64_t worker, uint64_t workers, struct rng *rng,
                   uint64_t sessions_max);
/* false: the plan is over. */
bool arrivals_next(struct arrivals *a, int64_t *ret_us);
