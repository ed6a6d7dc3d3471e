/* results.h - what a test program's output says: one outcome per test, also for tests that never came to an end.
 *
 *   results_parse(RESULTS_CMOCKA, log, &(struct results_end){.status = 139}, on_test, ctx);
 *
 * Every test that started yields exactly one outcome. A program that crashed, hung, leaked or left early although all
 * its tests passed yields one failed outcome more, so a broken run can never look green. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/span.h"

enum outcome { OUTCOME_PASSED, OUTCOME_FAILED, OUTCOME_SKIPPED };
enum results_format {
    RESULTS_CMOCKA, /* cmocka 1.1's standard output */
    RESULTS_TAP     /* top-level lines of TAP 13, as node's test runner prints */
};
struct results_end {
    int status; /* exit code, or 128 + signal */
    bool timed_out;
    const char *program;
};
/* name: the test's; output: what it printed; why: NULL or what went wrong beyond the output. All valid in the call. */
typedef void results_fn(void *ctx, struct span name, enum outcome outcome, struct span output, const char *why);
void results_parse(enum results_format format, struct span log, const struct results_end *end, results_fn *fn,
                   void *ctx);
