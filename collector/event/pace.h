/* pace.h - "on pace for": what an event will have come to at its end, with an interval.
 *
 *   struct pace p;
 *   if (pace_forecast(actual, plan, n, remaining, total, &p)) … p.low … p.at … p.high
 *
 * The pace is what came in over what was planned so far; the rest of the plan comes in at that pace. The interval covers
 * PACE_COVERAGE of the cases under this model: what comes in per cell scatters around pace × plan with a variance in proportion
 * (quasi-Poisson), neighbouring cells may be alike (first-order autocorrelation), and the pace itself is known only as well as so
 * many cells can tell. It knows nothing of faults to come. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PACE_COVERAGE 0.80
#define PACE_CELLS_MIN 3u

struct pace {
    double at, low, high, pace;
};
/* n complete cells; those without a plan (NAN or 0) do not count. remaining: what is planned from now on; total: what came in so
 * far. false: fewer than PACE_CELLS_MIN cells, or nothing came in: nothing can be said. */
bool pace_forecast(const double *actual, const double *plan, size_t n, double remaining, double total,
                   struct pace *ret);
