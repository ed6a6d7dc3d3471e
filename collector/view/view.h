/* view.h - what the consoles show of signals, alerts and targets, as rows of the stream's sections (docs/stream.md).
 *
 *   struct view *v;
 *   r = view_new(&(struct view_config){.query = q, .store = s, .rules = ru}, &v);
 *   r = view_add_sources(v, live);        // services, markets, steps, dependencies, alerts, targets, coverage, status
 *   view_committed(v, &info);             // from the commit hook: samples a second
 *   live_stop(live); view_free(v);
 *
 * The `commerce:` signals and the agents' series are read once per frame, through the query engine, and all sections are
 * drawn from that. Only live's thread renders. */
#pragma once

#include "collector/live/live.h"
#include "collector/query/query.h"
#include "collector/rules/rules.h"
#include "collector/store/store.h"

struct view;
struct view_config { /* borrowed */
    struct query_engine *query;
    struct store *store; /* NULL: no store of our own */
    struct rules *rules;
};
MUST_USE int view_new(const struct view_config *config, struct view **ret);
void view_free(struct view *v); /* NULL is fine */
MUST_USE int view_add_sources(struct view *v, struct live *l);
/* Any thread. */
void view_committed(struct view *v, const struct commit_info *info);
