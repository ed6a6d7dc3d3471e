/* live.h - the terminal that shows a run while it goes on; the only part that knows lib/term/term.h.
 *
 *   if (term_capable(NULL)) r = live_open(&config, planned_s, &live);
 *   live_tick(live, &tick);                  // each second
 *   if (live_poll(live, stops)) ...          // often: new sizes, and what the user asks for
 *   live_close(live);                        // the terminal is as it was */
#pragma once

#include "loadgen/engine/run.h"

struct live;
/* -ENOTSUP: this terminal cannot; -ENOMEM. */
MUST_USE int live_open(const struct run_config *config, double planned_s, struct live **ret);
void live_close(struct live *l); /* NULL is fine */
void live_tick(struct live *l, const struct run_tick *tick);
/* stops: how often the run was asked to end. true: the user asks for it now (q, Ctrl-C). */
bool live_poll(struct live *l, unsigned stops);
