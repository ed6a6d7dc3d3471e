/* hiccup.h - how often and how long the machine itself stalls: a thread that wants to wake up every millisecond and records by how
 * much it could not. What it sees, every measurement of this run suffers from as well.
 *
 *   struct hiccup *h;
 *   r = hiccup_start(&h);
 *   hiccup_take(h, interval);          // what was recorded since, added to a histogram of STATS_HIGHEST_US and STATS_DIGITS
 *   hiccup_stop(h);
 *
 * After Gil Tene's jHiccup. A stall of n milliseconds is recorded as one of each n, n - 1, … 1: whoever had wanted to wake up during it
 * would have waited that long. */
#pragma once

#include "lib/base/macros.h"
#include "lib/metric/hdr.h"

struct hiccup;
MUST_USE int hiccup_start(struct hiccup **ret);
void hiccup_stop(struct hiccup *h); /* NULL is fine */
MUST_USE int hiccup_take(struct hiccup *h, struct hdr *into);
