/* events.h - the events that were imported: kept in state.db, read into memory, their windows pinned in the store.
 *
 *   struct events *ev;
 *   r = events_open(state, store, &ev);                      // EVENTS_STATE_ROOM is one of the state's rooms
 *   r = events_put(ev, &source, user, &problems, …);          // blocking: never from a server thread
 *   struct event *e = events_get(ev, SPAN("cyber-monday"));   // event_free(e) when done; NULL: there is none
 *   e = events_current(ev, now_ms);
 *   events_free(ev);                                          // after state_close
 *
 * A window's commerce:, commerce_, ALERTS and up series outlive the retention from the first import on. */
#pragma once

#include "collector/event/event.h"
#include "collector/state/state.h"
#include "collector/store/store.h"
#include "lib/wire/json.h"

struct events;
extern const struct state_room EVENTS_STATE_ROOM;
/* What cannot be read any more (a time zone that is gone) is logged, left in the table and not served. store may be NULL. */
MUST_USE int events_open(struct state *state, struct store *store, struct events **ret);
void events_free(struct events *ev); /* NULL is fine */
/* Read, keep, pin; an event of the same name is replaced, one of the same texts left alone. -EINVAL: problems knows; -ENOSPC: EVENTS_MAX. *ret (may be NULL): the
 * event, for event_free. */
MUST_USE int events_put(struct events *ev, const struct event_source *source, struct span user, int64_t now_ms,
                        struct problems *problems, struct event **ret);
/* -ENOENT: there is none of that name. Its window is not pinned any more. */
MUST_USE int events_remove(struct events *ev, struct span name);
struct event *events_get(struct events *ev, struct span name);
/* The one that is running (of several the one that began last), else the next, else the one that ended last, within a day. */
struct event *events_current(struct events *ev, int64_t now_ms);
/* The i-th by time of doors open; NULL past the last. */
struct event *events_at(struct events *ev, size_t i);
/* Changes whenever an event is imported or removed. */
uint64_t events_version(struct events *ev);

/* A source as JSON body of POST /api/crest/v1/events, and back. -EINVAL: *ret_wrong says what. */
void event_source_json(const struct event_source *s, struct json_writer *j);
MUST_USE int event_source_from_json(const json_t *body, struct event_source *ret, const char **ret_wrong);
struct event_beside;
/* {"name","title","zone","starts","ends","phases","markets",…}; with `minutes` plan and last by the minute. */
void event_json(const struct event *e, int64_t now_ms, const struct event_beside *minutes, struct json_writer *j);
