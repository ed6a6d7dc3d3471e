/* event_live.h - the section "event" of the stream: the present beside plan and last event, countdown, "on pace for".
 *
 *   struct event_live *v;
 *   r = event_live_new(query, events, &v);
 *   struct frame_source source = event_live_source(v);
 *   event_live_free(v);                          // after live_stop
 *
 * Totals are read from doors open on in pieces, so that a restart in the middle of a long sale never holds the stream up; until
 * they are complete they are absent. */
#pragma once

#include "collector/event/events.h"
#include "collector/live/live.h"
#include "collector/query/query.h"

struct event_live;
MUST_USE int event_live_new(struct query_engine *query, struct events *events, struct event_live **ret);
void event_live_free(struct event_live *v); /* NULL is fine */
struct frame_source event_live_source(struct event_live *v);
