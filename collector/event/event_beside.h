/* event_beside.h - what an event is measured by: its plan and its last event, from files or from what another event brought in.
 *
 *   struct event_beside *b;
 *   r = event_beside_new(query, events, event, &b);
 *   r = event_beside_advance(b, budget_us, &error);             // 1: another event is still being read, its curves are absent
 *   double plan = curve_at(event_beside_plan(b, market), CURVE_ORDERS, minute);
 *   event_beside_free(b);
 *
 * `last: EVENT` is read from the store, minute by minute; growth makes a plan of it as of a file. Of another event only markets of
 * the same name count, and money only in the same currency. */
#pragma once

#include "collector/event/events.h"
#include "collector/query/query.h"

struct event_beside;
MUST_USE int event_beside_new(struct query_engine *query, struct events *events, struct event *e,
                              struct event_beside **ret);
void event_beside_free(struct event_beside *b); /* NULL is fine */
/* Read on until budget_us have passed (0: without end). 0: all there is is known, 1: there is more. */
MUST_USE int event_beside_advance(struct event_beside *b, int64_t budget_us, struct promql_error *ret_error);
/* NULL: there is none, or not yet. */
const struct curve *event_beside_plan(const struct event_beside *b, size_t market);
const struct curve *event_beside_last(const struct event_beside *b, size_t market);
/* `last` names an event that is not here. */
bool event_beside_misses_last(const struct event_beside *b);
