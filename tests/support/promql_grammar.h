/* promql_grammar.h - random PromQL expressions that Prometheus 2.42 can read and that mean there what they mean now.
 *
 *   promql_random_expression(&r, &out);          // appended: an instant vector
 *
 * They are over the metrics temperature, requests_total, restarts_total, sparse, flags and latency_bucket with labels job (a, b, c) and
 * instance (i0 to i3). What 2.42 answers differently by design is not said, or said in a
 * way that it cannot show; each such difference stands by name in the grammar. */
#pragma once

#include "lib/base/buf.h"
#include "tests/support/check.h"

void promql_random_expression(struct check_random *r, struct buf *out);
