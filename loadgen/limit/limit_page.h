/* limit_page.h - a search for the limit as one HTML file: the verdict first, what gave way, the curve of latency against rate, throughput against
 * concurrency with the scalability law's curve, every probe.
 *
 *   r = limit_page(&result, &config, &out); */
#pragma once

#include "loadgen/limit/limit_report.h"

/* -ENOMEM; -ENOSPC: over the buffer's limit. */
MUST_USE int limit_page(const struct limit_result *r, const struct run_config *config, struct buf *out);
