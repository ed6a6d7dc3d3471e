/* rule_test.h - promtool's unit tests of rules: input series, and what alerts and expressions they give at which time.
 *
 *   struct rule_test_config config = {.run = "Checkout.*"};
 *   r = rule_test_run(&config, paths, n, &report);          // 0: all passed; 1: some failed
 *   rule_test_junit(&report, &out);
 *   rule_test_done(&report);
 *
 * The format is promtool's in full: prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules. Verdicts are promtool's, too: every
 * group runs at each evaluation_interval in the order of group_eval_order, whatever its own interval; an error of a rule ends its test; an
 * expected NaN is never met. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/problem.h"

struct rule_test_config {
    const char *run;            /* names of tests that run, a regex; NULL: all */
    bool ignore_unknown_fields; /* of test and rule files: warnings */
};
struct rule_test_case {
    char *name;     /* of the test in the file, or unnamed#N */
    char *failures; /* joined by line breaks; NULL: it passed */
    double seconds;
};
struct rule_test_file {
    const char *path; /* borrowed */
    char *error;      /* it could not be read; NULL: it could */
    struct rule_test_case *cases;
    size_t n;
};
struct rule_test_report {
    struct rule_test_file *files;
    size_t n;
};
/* 0: every test passed, 1: not so; negative: no memory. `progress` gets promtool's lines. */
MUST_USE int rule_test_run(const struct rule_test_config *config, const char *const *paths, size_t n, FILE *progress,
                           struct rule_test_report *ret);
void rule_test_junit(const struct rule_test_report *report, struct buf *out);
void rule_test_done(struct rule_test_report *report);
