/* remote_run.h - both ends of a run on several machines, as `run` sees them: --workers, and what a worker gives the run that it starts.
 *
 *   code = remote_segment_read(o, &config, journeys, &part);       // --segment 0/3, --start-at, --results-to
 *   remote_part_begin(&part);                                       // sleeps until second 0
 *   remote_part_tick(&part, &tick); remote_part_end(&part, &result);
 *
 *   if (remote_wanted(o)) r = remote_run(o, &config, plan, &event, &hooks, &result); */
#pragma once

#include "lib/base/options.h"
#include "loadgen/engine/plan_file.h"
#include "loadgen/rehearse.h"

struct remote_part {
    int fd; /* of --results-to; -1: none */
    int64_t start_ms;
    struct buf line;
};
/* EXIT_OK, or an exit code after saying why. */
MUST_USE int remote_segment_read(const struct options *o, struct run_config *config, struct journeys *journeys,
                                 struct remote_part *part);
void remote_part_begin(const struct remote_part *part);
void remote_part_tick(struct remote_part *part, const struct run_tick *tick);
void remote_part_end(struct remote_part *part, const struct run_result *result);
void remote_part_done(struct remote_part *part);

bool remote_wanted(const struct options *o);
/* As run_execute, of a plan or without one (NULL), of an event when one is wanted; what went wrong stands on stderr. */
MUST_USE int remote_run(const struct options *o, const struct run_config *config, const struct plan_file *plan,
                        const struct rehearse *event, const struct run_hooks *hooks, struct run_result *result);
