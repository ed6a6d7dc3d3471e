/* event_actual.h - what an event really brought in, by market: two tallies and what is drawn from them.
 *
 *   struct event_actual *a;
 *   r = event_actual_new(query, event, 60000, &a);
 *   r = event_actual_advance(a, to_ms, budget_us, &error);      // 1: there is more to read
 *   double orders = event_actual_total(a, market, CURVE_ORDERS);
 *   event_actual_free(a);
 *
 * Orders are commerce_orders_total, money commerce_revenue_minor_units_total in the market's own currency, both with
 * source="" (customers) and the event's service when it names one. */
#pragma once

#include "collector/event/event.h"
#include "collector/event/tally.h"

struct event_actual;
MUST_USE int event_actual_new(struct query_engine *query, struct event *e, int64_t cell_ms, struct event_actual **ret);
void event_actual_free(struct event_actual *a); /* NULL is fine */
MUST_USE int event_actual_advance(struct event_actual *a, int64_t to_ms, int64_t budget_us,
                                  struct promql_error *ret_error);
/* Orders, or revenue in major units; NAN: there is no such counter (sessions are never known). */
double event_actual_total(const struct event_actual *a, size_t market, enum curve_value value);
/* The same for a cell. */
double event_actual_cell(const struct event_actual *a, size_t market, enum curve_value value, size_t cell);
size_t event_actual_cells(const struct event_actual *a);
const struct tally *event_actual_tally(const struct event_actual *a, enum curve_value value);
/* Money in currencies that are not the market's, or of markets that the event does not have: not in any figure. */
bool event_actual_has_strangers(const struct event_actual *a);
