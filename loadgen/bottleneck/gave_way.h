/* gave_way.h - the step that gave way first in a run: whose bound broke in the earliest second, and of those of the same second the one
 * that is farthest beyond its limit.
 *
 *   struct gave_way first;
 *   if (gave_way_find(&result, &config, 0, &first)) ... first.of->scope, first.of->slo, first.second ... */
#pragma once

#include "loadgen/engine/run.h"

struct gave_way {
    const struct run_threshold *of; /* of the result */
    double second;                  /* of the run; INFINITY: no second by itself shows it */
    double strain;                  /* its value in parts of its limit */
};
/* Of the thresholds that were not met, in what was measured from from_s on. false: there are none. */
bool gave_way_find(const struct run_result *result, const struct run_config *config, double from_s,
                   struct gave_way *ret);
/* A value in parts of its limit; INFINITY when the limit is 0. No data is no strain: at a low rate a step of few sessions may not be reached. */
double threshold_strain(const struct run_threshold *t);
