/* log_report.h - how faithful an imported log's plan is: what was beside what a run of the plan would do.
 *
 *   log_report_print(&report, stdout);
 *   log_report_json(&report, &out);
 *
 * Everything in it was counted or simulated; nothing is a promise. */
#pragma once

#include <stdio.h>

#include "loadgen/import/log_chain.h"

struct log_report_class {
    const char *name;
    const struct log_routes *routes;
    const struct log_chain *chain;
    const struct log_fidelity *fidelity;
};
struct log_report {
    uint64_t lines, bad, assets, bodies, refused, other; /* lines, and why requests were left out */
    uint64_t requests;                                   /* that are in the plan */
    uint64_t crowded, times_left_out;
    int64_t first_us, last_us;
    bool whole_seconds, has_clients, has_durations;
    struct log_report_class classes[LOG_CLASSES];
    size_t n_classes;
};
void log_report_print(const struct log_report *r, FILE *to);
void log_report_json(const struct log_report *r, struct buf *out);
