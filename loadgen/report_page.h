/* report_page.h - a run as one HTML file: the verdict first, then what it rests on; charts inline, no script, no outside request.
 *
 *   r = report_page(&config, &result, &(struct report_more){.title = "peak.yml"}, &out);
 *
 * Charts come from the run's series, figures from its histograms: what a chart shows as a point's p99 is that of the point. */
#pragma once

#include "lib/base/buf.h"
#include "loadgen/engine/run.h"

struct run_limit;
/* A section that the caller writes, HTML, behind the thresholds: what changed since another run. */
struct report_more {
    const char *title;             /* NULL: "Load run" */
    struct span verdict;           /* HTML that stands behind the verdict's sentence; may be empty */
    struct span section;           /* HTML; may be empty */
    const struct run_limit *limit; /* what gave way: a section before that one, and in the JSON; may be NULL */
};
/* more may be NULL. -ENOMEM; -ENOSPC: over the buffer's limit. */
MUST_USE int report_page(const struct run_config *config, const struct run_result *result,
                         const struct report_more *more, struct buf *out);
