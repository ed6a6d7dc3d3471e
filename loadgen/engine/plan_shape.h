/* plan_shape.h - a phase of a plan file: its keys to the stages of a plan.
 *
 *   {name: peak, duration: 10m, rate: 40, arrivals: poisson, warmup: false}
 *   rate: 40 | 5-40                                          a constant, a ramp
 *   stairs: {from: 10, to: 40, steps: 4}                     as many even steps
 *   spike: {base: 5, peak: 200, rise: 2s, hold: 30s, decay: 1m}   the rest of the duration falls back to base, to 1/e in `decay`
 *   sine: {low: 5, high: 50, period: 20m}                    begins at low
 *   trace: {file: arrivals.csv, speed: 2}                    recorded arrivals; the duration is theirs
 *   users: 50 | 10-50                                        users that loop; then every phase has them
 *
 * arrivals: even (default), poisson, exact (Poisson, with the even plan's count). */
#pragma once

#include "lib/wire/yaml.h"
#include "loadgen/engine/plan.h"
#include "loadgen/engine/trace.h"

struct plan_shape {
    const char *name; /* as the document has it; NULL: not given */
    bool warmup;
    double seconds;
    struct trace trace; /* the caller's: trace_done when the plan is */
};
/* Adds the phase's stages to the plan. -EINVAL: problems were added; -ENOMEM. */
MUST_USE int plan_shape_read(const struct yaml *doc, const struct yaml_node *node, struct plan *plan,
                             struct plan_shape *ret, struct problems *problems);
/* "40" or "5-40". -EINVAL */
MUST_USE int plan_range_parse(struct span text, double max, double *ret_from, double *ret_to);
/* "even", "poisson", "exact"; NULL is even. -EINVAL. */
MUST_USE int plan_spacing_parse(const char *text, enum plan_spacing *ret);
