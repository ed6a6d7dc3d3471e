/* think.h - how long a user thinks before a step: one draw of what `# @think` says.
 *
 *   int64_t us = think_draw(&entry->think, &rng);
 *
 * The exponential with a cut is the exponential's part below the cut, as a distribution of its own: nothing piles up at the cut. Recorded
 * times are drawn with equal chances from those that were seen. */
#pragma once

#include "loadgen/hurl/random.h"
#include "loadgen/hurl/tree.h"

int64_t think_draw(const struct hurl_think *t, struct rng *rng);
