/* outputs.h - the files that a run is written into: a table of options, each with what writes it.
 *
 *   if (outputs_to_stdout(options)) ...            // then the summary has to go elsewhere
 *   good = outputs_write(options, &config, &result, &more); */
#pragma once

#include <stdio.h>

#include "lib/base/options.h"
#include "loadgen/compare/saved_run.h"
#include "loadgen/report_page.h"

/* Does one of them go to stdout ("-")? */
bool outputs_to_stdout(const struct options *o);
/* Content into a file; "-" is stdout. */
MUST_USE int output_put(const char *path, struct span content);
/* All that were asked for; more (may be NULL) is the page's. false: one could not be written, which stands on stderr. */
bool outputs_write(const struct options *o, const struct run_config *config, const struct run_result *result,
                   const struct report_more *more);
/* What changed since an older run: in words to `to`, as the page's section to `section`. */
MUST_USE int outputs_compare(const struct saved_run *before, const struct run_config *config,
                             const struct run_result *result, FILE *to, struct buf *section);
