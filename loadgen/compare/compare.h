/* compare.h - what changed between two runs beyond noise.
 *
 *   struct comparison *c;
 *   r = compare_runs(before, now, &c);
 *   compare_text(stdout, c);                 compare_html(&out, c);
 *   compare_free(c);
 *
 * A step's quantile changed when the runs' points (its values second by second) differ by a rank test, and by more than a twentieth over the whole run; a share
 * of failures when a two-proportion test says so, by more than a thousandth. One test in COMPARE_ERROR would find a change
 * where there is none; the error is divided among all tests that were made (Bonferroni), so that many steps do not make one. Noise is what
 * goes on within the runs: what a busier machine does to all of one run is a change. A void run says nothing, and runs under different load are compared, but it is said. */
#pragma once

#include <stdio.h>

#include "lib/base/buf.h"
#include "loadgen/compare/saved_run.h"

#define COMPARE_ERROR 0.01
#define COMPARE_TIME_MIN 0.05   /* of the old value */
#define COMPARE_SHARE_MIN 0.001 /* of all steps */
#define COMPARE_LOAD_MAX 0.1    /* rates that differ by more are another load */

enum change { CHANGE_NONE, CHANGE_BETTER, CHANGE_WORSE, CHANGE_UNKNOWN };
const char *change_name(enum change c); /* "within noise", "better", "worse", "unknown" */

struct compared {
    const struct saved_step *old, *now; /* one is NULL when only one run has the step */
    struct compared_value {
        double old, now; /* microseconds, or a share; NAN: no data */
        double p;        /* NAN: could not be tested */
        enum change change;
    } quantiles[SAVED_QUANTILES], failures;
};
struct comparison {
    const struct saved_run *old, *now; /* borrowed */
    bool is_void, other_load;
    struct compared *steps;
    size_t n;
};
/* -ENOMEM. */
MUST_USE int compare_runs(const struct saved_run *old, const struct saved_run *now, struct comparison **ret);
void compare_free(struct comparison *c); /* NULL is fine */
/* How many values of all steps changed so. */
size_t compare_count(const struct comparison *c, enum change change);
void compare_text(FILE *to, const struct comparison *c);
/* A section of the report's page. */
void compare_html(struct buf *out, const struct comparison *c);
