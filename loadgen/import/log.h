/* log.h - access logs as a plan: sessions by visitor, arrivals as they were, routes and their order as a Markov chain.
 *
 *   struct log_options o = {.gap_ms = 1800000};
 *   r = import_logs(files, n, "imported", &o, stdout, &problems);
 *
 * Lines are streamed: memory is bounded by visitors at once, routes and 10 million arrivals (limits.h), not by the log. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/problem.h"

struct log_options {
    const char *format;        /* NULL: by the first line; see log_format.h */
    const char *const *fields; /* of JSON lines */
    size_t n_fields;
    const char *session; /* the field that names a visitor; NULL: client address and user agent */
    int64_t gap_ms;      /* a longer pause begins a new session */
    bool assets, posts;  /* keep them */
};
/* Writes people.hurl, people.csv, people.arrivals.csv, the same for bots, plan.yml and fidelity.json into the folder (made when
 * it is missing), and the fidelity report to `report`. -EINVAL: problems has why; -ENOMEM. Lines that cannot be read are counted, the
 * first of them are warnings with their place. */
MUST_USE int import_logs(const char *const *files, size_t n, const char *dir, const struct log_options *o, FILE *report,
                         struct problems *ps);
