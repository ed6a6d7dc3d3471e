/* report_charts.h - the charts of a run's page, from its series. Private to the page. */
#pragma once

#include "lib/base/buf.h"
#include "loadgen/engine/run.h"

/* One <figure> each, with its numbers as a table to open. Nothing at all when the run has no series. -ENOMEM. */
MUST_USE int report_charts(const struct run_config *config, const struct run_result *result, struct buf *out);
