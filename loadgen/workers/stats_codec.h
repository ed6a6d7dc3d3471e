/* stats_codec.h - counters on their way from a worker to its coordinator: words on one line, histograms whole, so that they are merged and
 * never averaged.
 *
 *   stats_encode(stats, &out);                       // "3 1 …": n_steps n_journeys, then all fields in order
 *   r = stats_decode_add(&rest, into);               // takes its words off the front of rest; adds them
 *
 * Numbers are decimal, sums in whole microseconds, histograms HdrHistogram's V2 bytes in base64 ("-": empty), texts base64. */
#pragma once

#include "lib/base/buf.h"
#include "loadgen/engine/stats.h"

void stats_encode(const struct run_stats *s, struct buf *out);
/* -EINVAL: not such words, or of other journeys; `into` may then have part of them. -ENOMEM. */
MUST_USE int stats_decode_add(struct span *rest, struct run_stats *into);
/* The next blank-separated word; false at the end. */
bool take_word(struct span *rest, struct span *ret);
