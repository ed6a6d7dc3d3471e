/* ingest.h - a remote-write sender for tests, which knows exactly what was acknowledged.
 *
 *   int status = ingest(url, "k", 50, t_ms, value);     // one sample at t_ms of each of k{series="0"} … k{series="49"}
 *   204: acknowledged; negative: no answer came */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/span.h"

/* url: the collector's, without a path. */
int ingest(const char *url, const char *metric, size_t n_series, int64_t t_ms, double value);
/* Any body with the headers of remote write 1.0; *ret_answer (may be NULL) from malloc. */
int ingest_body(const char *url, struct span body, char **ret_answer);
