/* limit_report.h - what a search for the limit found: the curve in words, as a chart of characters, and as JSON (docs/loadgen-limit.md has its
 * schema).
 *
 *   limit_report_text(stdout, &result);
 *   limit_report_json(&out, &result, &config); */
#pragma once

#include <stdio.h>

#include "lib/base/buf.h"
#include "loadgen/bottleneck/server_limit.h"
#include "loadgen/limit/probe.h"
#include "loadgen/limit/usl.h"

struct limit_result {
    struct limit_search search;
    struct limit_probe probes[LIMIT_PROBES_MAX]; /* search.n of them, in their order */
    enum usl_state usl_state;
    struct usl_fit usl; /* when USL_FITTED */
    struct server_limit server;
    double requests_per_session;
    int64_t started_ms;
    double seconds;
    bool interrupted;
};
/* The fit to all probes that are not void. */
void limit_result_fit(struct limit_result *r);
/* The probes by their rate up to the lowest that broke, as a collector's signals are held against them: those that were kept without
 * their settling and without what is left of a probe before them in windows of rates; the one that broke whole. What is normal: those up to half of the rate
 * that broke (the lowest, when there are none). Returns how many. */
size_t limit_result_spans(const struct limit_result *r, struct load_span spans[LIMIT_PROBES_MAX]);
/* The probe at the lowest rate that broke; NULL: none did. */
const struct limit_probe *limit_first_broken(const struct limit_result *r);
size_t limit_probes_by_rate(const struct limit_result *r, const struct limit_probe *sorted[LIMIT_PROBES_MAX]);

/* ---- sentences, without their full stop ---- */

/* Where the limit is, or why that is not known. */
void limit_say_end(struct buf *out, const struct limit_result *r);
/* The step that gave way first; false, and nothing is said: no probe broke. */
bool limit_say_gave_way(struct buf *out, const struct limit_result *r);
/* The fit, or why there is none. */
void limit_say_usl(struct buf *out, const struct limit_result *r);

/* ---- reports ---- */

/* One line of what happened. */
void limit_report_probe(FILE *to, const struct limit_probe *p, size_t number);
void limit_report_text(FILE *to, const struct limit_result *r, const char *run_id);
void limit_report_json(struct buf *out, const struct limit_result *r, const struct run_config *config);
int limit_exit_code(const struct limit_result *r);
