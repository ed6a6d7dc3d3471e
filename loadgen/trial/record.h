/* record.h - all that one run of one file came to: the words for people, the JSON for machines, the counts.
 *
 *   struct record r;
 *   record_init(&r, &record_config, journey, source);
 *   r = trial_run(journey, &(struct trial_config){.listener = &r.listener, …}, &r.result);
 *   ... r.log, r.json, r.failures ...
 *   record_done(&r);
 *
 * The JSON is hurl's: entries with asserts, calls, captures, time. Bodies go to files where the config names a folder. Secrets are in none of it. */
#pragma once

#include "loadgen/trial/show.h"

struct record_config {
    bool (*stopped)(void *ctx);
    const char *store;     /* folder of the bodies, ended without a slash; NULL: they are not kept */
    const char *file_root; /* where `output` writes; NULL: beside the journey */
    const char *output;    /* --output: the last body; "-": stdout; NULL: nowhere */
    bool include;          /* with its head */
    bool color, error_long, json;
    bool timeline, curl; /* for --report-html; for --curl */
};
struct record_failure {
    char *text; /* file:line:col: title: words */
    bool runtime;
    unsigned line;
};
struct record {
    struct trial_listener listener;
    struct trial_result result;
    int error; /* trial_run's own */
    const struct record_config *c;
    const struct secrets *secrets; /* set, with show.secrets, before it runs: captures add to them */
    const struct journey *journey;
    struct show show;
    unsigned number; /* of the run, in file names */
    int64_t started_ms;
    struct buf log, json; /* json: the entries, with commas */
    struct buf timeline;  /* a line per request: entry, line, method, URL, status, ms; tabs between */
    struct buf commands;  /* a line per entry: what curl would be told */
    struct buf output;    /* what --output is given */
    struct record_failure *failures;
    size_t n_failures;
    /* of the entry that runs */
    struct buf asserts, calls, captures, curl;
    size_t entry, n_calls;
    char **stored;              /* files of bodies */
    size_t n_stored, n_secrets; /* how many were known when they were written */
    const struct hurl_entry *at;
};
/* source: the file's text, borrowed. */
void record_init(struct record *r, const struct record_config *c, const struct journey *j, struct span source,
                 unsigned number);
/* After its trial: what was told before a secret was captured is hidden now. */
void record_finish(struct record *r);
void record_done(struct record *r);
