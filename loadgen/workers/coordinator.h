/* coordinator.h - a run made by several machines: the same plan, each worker a segment of it, started together; their counters are merged.
 *
 *   struct workers w = {.urls = urls, .n = 3, .credentials = &credentials, .order = buf_view(&order)};
 *   r = workers_run(&config, &w, &hooks, &result, why, sizeof why);
 *
 * Each worker's clock is compared with ours first, and each is told its own time of second 0. One that dies, says nothing for WORKER_SILENT_MS or
 * speaks another language is left: what it had told counts, the sessions that its part of the plan still had are dropped, those it had open
 * are unfinished, the run has failed and says so. The others go on. */
#pragma once

#include "lib/wire/http_client.h"
#include "loadgen/engine/run.h"

#define WORKER_SILENT_MS 15000

struct workers {
    const char *const *urls; /* "http://host:9482" */
    unsigned n;              /* 1..WORKERS_MAX */
    const struct http_credentials *credentials;
    struct span order; /* arguments and files (order.h), the same for all */
};
/* -errno with a sentence when it could not begin: a worker that cannot be reached or refuses, no memory. */
MUST_USE int workers_run(const struct run_config *config, const struct workers *workers, const struct run_hooks *hooks,
                         struct run_result *ret, char *why, size_t why_bytes);
