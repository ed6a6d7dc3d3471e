/* threshold.h - the bounds of a run: each step's `# @slo` and those of the plan, evaluated on what was counted so far.
 *
 *   r = thresholds_make(&config, &list, &n);
 *   thresholds_evaluate(&config, total, phases, list, n);          // sets value and met
 *   free(list); */
#pragma once

#include "loadgen/engine/run.h"

MUST_USE int thresholds_make(const struct run_config *c, struct run_threshold **ret, size_t *ret_n);
/* `phases` is one run_stats per phase of the configuration; NULL: it has none. */
void thresholds_evaluate(const struct run_config *c, const struct run_stats *total, const struct run_phase *phases,
                         struct run_threshold *list, size_t n);
/* Is there a value, and is it over the bound? */
bool threshold_broken(const struct run_threshold *t);
