/* run_files.h - every file that a run reads, and what it is called where the run is made: for workers elsewhere.
 *
 *   struct run_files files;
 *   run_files_init(&files);
 *   r = run_files_add(&files, "peak.yml");                  // and the plan's own: plan_file_trace_path
 *   r = run_files_add_journeys(&files, js, &problems);      // journeys, feeds, think times, bodies, parts of forms, certificates
 *   for (i...) send(run_files_name(&files, i), files.list[i].path);
 *   run_files_done(&files);
 *
 * Names are below the folder that all have in common, so that each lies beside the others as it does here. */
#pragma once

#include "lib/base/problem.h"
#include "loadgen/engine/journeys.h"

struct run_file {
    char *path; /* as it is read here */
    char *
        absolute; /* without "." and "..", links not followed: a link is sent as what it leads to, under its own name */
};
struct run_files {
    struct run_file *list;
    size_t n;
    size_t common; /* bytes of the folder that all are below, with its slash */
};
void run_files_init(struct run_files *f);
void run_files_done(struct run_files *f);
/* Known ones are fine. -E2BIG: more than ORDER_ARGS_MAX; -ENOMEM. */
MUST_USE int run_files_add(struct run_files *f, const char *path);
/* What the journeys read. -EINVAL: a name that is known only while the run goes on, or a place that workers do not have; problems were added. */
MUST_USE int run_files_add_journeys(struct run_files *f, const struct journeys *js, struct problems *ps);
/* Valid until another is added. */
const char *run_files_name(const struct run_files *f, size_t i);
/* The name of one that was added by this path; NULL: none was, or no memory. */
const char *run_files_find(const struct run_files *f, const char *path);
