/* event_facts.h - an event as the collector tells it: when it is, its plan and its last event by the minute.
 *
 *   struct event_facts e;
 *   r = event_facts_read(data, &e, why, sizeof why);       // "data" of GET /api/crest/v1/events/NAME, or an item of the list
 *   struct minutes measured = {0};
 *   r = event_facts_samples(result, e.starts_ms, MINUTE_ORDERS, &measured);   // data.result of query_range
 *   event_facts_done(&e);
 *
 * And the PromQL that measures it: rises of counters of customers (source=""), per minute from doors open, never extrapolated. */
#pragma once

#include "lib/wire/json.h"
#include "loadgen/rehearsal/minutes.h"

struct event_facts {
    json_t *data;                                    /* the texts are its */
    const char *name;                                /* NULL: there is no such event */
    const char *title, *zone, *service, *last_event; /* NULL: not given */
    int64_t starts_ms, ends_ms;
    bool plan_is_growth; /* the plan is the last event times `growth` */
    double growth;       /* NAN: not given */
    struct minutes plan, last;
};
/* -EINVAL with why, -ENOMEM. */
MUST_USE int event_facts_read(json_t *data, struct event_facts *ret, char *why, size_t why_bytes);
void event_facts_done(struct event_facts *e);

/* The expression for a value: MINUTE_ORDERS or MINUTE_REQUESTS. Appended. */
void event_facts_query(const struct event_facts *e, enum minute_value value, struct buf *out);
/* A matrix of one series at the ends of minutes, added to `to`. -EINVAL: it is none; -E2BIG, -ENOMEM. */
MUST_USE int event_facts_samples(const json_t *result, int64_t starts_ms, enum minute_value value, struct minutes *to);
