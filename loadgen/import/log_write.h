/* log_write.h - what an imported log becomes on disk: a journey per class of visitors with its data, the arrivals, a plan.
 *
 *   r = log_write_class(&w, LOG_PEOPLE, chain, group, routes);         // people.hurl, people.csv, people.arrivals.csv
 *   r = log_write_plan(&w);                                     // plan.yml
 */
#pragma once

#include "lib/base/problem.h"
#include "loadgen/import/log_chain.h"

struct log_writer {
    const char *dir, *title;         /* title: the logs' names */
    const struct log_routes *routes; /* of the class being written */
    struct problems *problems;
    const char *classes[LOG_CLASSES]; /* those written so far */
    size_t n_classes;
    int64_t first_us; /* of all sessions: what arrivals count from */
};
extern const char *const LOG_CLASS_NAMES[LOG_CLASSES];
/* -EINVAL: a problem was added; -ENOMEM, -EIO. A class without sessions is left out. */
MUST_USE int log_write_class(struct log_writer *w, enum log_class class, const struct log_chain *c,
                             const struct log_group *g, const struct log_routes *routes);
MUST_USE int log_write_plan(struct log_writer *w);
/* The name of a step: as in the journey. */
void log_step_name(const struct log_routes *routes, size_t route, struct buf *out);
