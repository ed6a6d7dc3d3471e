/* plan.h - when sessions arrive: a rate over time, integrated, never added up step by step.
 *
 *   struct plan plan;
 *   r = plan_parse_stages(&plan, SPAN("30s:5,10s:5-40,2m:40"), why, sizeof why);
 *   r = plan_add(&plan, &(struct plan_stage){.curve = PLAN_SINE, .seconds = 600, .from = 5, .to = 50, .scale_s = 120});
 *   struct arrivals a;
 *   arrivals_init(&a, &plan, worker, workers, &rng, sessions_max);
 *   int64_t at_us;
 *   while (arrivals_next(&a, &at_us)) ...                      // microseconds from the start, rising
 *
 * The k-th arrival (from 0) of an even plan is where the integral of the rate passes k + 1/2: the count of a plan is its integral,
 * rounded, whatever the stages; workers take every n-th of them and their union is the plan. A Poisson stage spaces arrivals
 * exponentially in that integral (its count varies as it must); an exact one has the even stage's count, at uniform places of the
 * integral: a Poisson process, given its count. Each worker makes its own share, and the union of the shares is such a process again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"
#include "loadgen/hurl/random.h"
#include "lib/base/limits.h"

enum plan_curve {
    PLAN_LINE,  /* the rate runs straight from..to */
    PLAN_SINE,  /* between from (at the start) and to, once up and down in scale_s seconds */
    PLAN_DECAY, /* from `from` towards `to`; the distance shrinks to 1/e in scale_s seconds */
    PLAN_TRACE  /* recorded arrivals: trace_us, rising, from the stage's start */
};
enum plan_spacing { PLAN_EVEN, PLAN_POISSON, PLAN_EXACT };
struct plan_stage {
    double seconds, from, to; /* rates per second; `users` of a closed plan */
    enum plan_curve curve;
    enum plan_spacing spacing; /* PLAN_EVEN: as the plan's. A trace has its own. */
    double scale_s;
    const int64_t *trace_us; /* borrowed */
    size_t n_trace;
    /* made by plan_add */
    double start_s, before, arrivals; /* seconds and arrivals before this stage; its own arrivals */
};
struct plan {
    struct plan_stage *stages;
    size_t n;
    enum plan_spacing spacing;
    bool closed;              /* rates are numbers of users that loop: nothing arrives */
    double seconds, arrivals; /* of all stages */
};
/* "DURATION:RATE" or "DURATION:FROM-TO", separated by commas; rates per second. -EINVAL with why. */
MUST_USE int plan_parse_stages(struct plan *p, struct span text, char *why, size_t why_bytes);
/* One stage of a constant rate, or from..to. */
MUST_USE int plan_constant(struct plan *p, double rate_from, double rate_to, int64_t duration_ms);
/* A stage behind the others. -E2BIG: PLAN_STAGES_MAX are there; -ENOMEM. */
MUST_USE int plan_add(struct plan *p, const struct plan_stage *stage);
/* `steps` even stages of rates from..to, together that long. The same errors. */
MUST_USE int plan_add_stairs(struct plan *p, double from, double to, unsigned steps, double seconds,
                             enum plan_spacing spacing);
/* A rush: from `base` to `peak` within rise_s, there for hold_s, then back towards base (decay_s to 1/e), together that long. */
MUST_USE int plan_add_spike(struct plan *p, double base, double peak, double rise_s, double hold_s, double decay_s,
                            double seconds, enum plan_spacing spacing);
/* Multiply every rate (recorded arrivals stay as they are), divide every time: so many times more, so many times faster. The rates of a
 * plan that is made faster stay what they are. A trace's times are the caller's to divide, before. */
void plan_scale(struct plan *p, double rates, double speed);
void plan_done(struct plan *p);
/* The planned rate at a time, 0 outside. Of a trace: its mean. */
double plan_rate(const struct plan *p, double second);
/* The highest planned rate; of recorded arrivals their mean. */
double plan_peak(const struct plan *p);
/* Arrivals from the start to a time: the integral. */
double plan_integral(const struct plan *p, double second);
/* Arrivals of the plan: the integral, rounded. Exact but for PLAN_POISSON, where it is the mean. */
uint64_t plan_count(const struct plan *p);

/* A stretch of a run with a name: figures are also given by phase; what belongs to a warm-up is in no figure and no threshold. A
 * step belongs to the phase in which it was meant to start. */
struct plan_phase {
    const char *name;
    double start_s, end_s;
    bool warmup;
};

struct arrivals {
    const struct plan *plan;
    struct rng *rng; /* for all but PLAN_EVEN */
    uint64_t worker, workers;
    uint64_t left;  /* sessions_max's share */
    size_t stage;   /* plan->n: over */
    bool entered;   /* the stage's state below is set */
    double at;      /* integral of the arrival before */
    uint64_t index; /* the next of an even stage */
    uint64_t exact; /* left in an exact stage */
};
/* sessions_max: of all workers together; 0: no bound. A closed plan has no arrivals. */
void arrivals_init(struct arrivals *a, const struct plan *plan, uint64_t worker, uint64_t workers, struct rng *rng,
                   uint64_t sessions_max);
/* false: the plan is over. */
bool arrivals_next(struct arrivals *a, int64_t *ret_us);
