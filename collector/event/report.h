/* report.h - what an event came to, as one self-contained HTML file: readable without JavaScript, prints on A4.
 *
 *   struct report_sources from = {.query = q, .events = ev, .annotations = an, .firings = f};
 *   r = report_write(&from, event, &html, &error);
 *
 * Blocking: a query worker or a command. The same data give the same bytes: nothing in it depends on the clock; of an event that
 * is running it says what the newest sample knows. Every figure names its PromQL; totals are reset-aware differences of stored
 * counters. */
#pragma once

#include "collector/event/annotations.h"
#include "collector/event/events.h"
#include "collector/event/firings.h"
#include "collector/query/query.h"

struct report_sources {
    struct query_engine *query;
    struct events *events;
    struct annotations *annotations;
    struct firings *firings;
};
/* An event without a sample is a report, too: it says so, beside its plan. -ENOMEM, -E2BIG; errors of queries are in ret_error. */
MUST_USE int report_write(const struct report_sources *from, struct event *e, struct buf *out,
                          struct promql_error *ret_error);
