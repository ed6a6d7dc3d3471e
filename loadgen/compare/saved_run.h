/* saved_run.h - what --json wrote of a run, read back: as much of it as a comparison needs. The schema is in docs/loadgen.md.
 *
 *   struct saved_run *run;
 *   r = saved_run_load("before.json", &run, why, sizeof why);
 *   saved_run_free(run); */
#pragma once

#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

enum saved_quantile { SAVED_P50, SAVED_P95, SAVED_P99, SAVED_QUANTILES };
struct saved_step {
    char *journey, *name;
    double count, failed;
    double response_us[SAVED_QUANTILES]; /* NAN: nothing was recorded */
    /* Second by second (or a multiple, in a long run), outside the warm-up, where the step ran. */
    double *points[SAVED_QUANTILES];
    size_t n_points;
};
struct saved_run {
    char *run, *started, *verdict;
    double duration_s;
    double sessions_planned, requests_per_s; /* planned: 0 in a run of looping users */
    struct saved_step *steps;
    size_t n_steps;
};
/* -EINVAL with why: it is no result; also -ENOMEM, and what reading the file gives. */
MUST_USE int saved_run_load(const char *path, struct saved_run **ret, char *why, size_t why_bytes);
MUST_USE int saved_run_read(struct span json, struct saved_run **ret, char *why, size_t why_bytes);
void saved_run_free(struct saved_run *run); /* NULL is fine */
