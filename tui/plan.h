/* plan.h - what was planned and what the last event brought in, minute by minute, beside what the graphs show.
 *
 *   plan_tick(app);                                         // asks for the event's curves when they are needed
 *   n = plan_window(app, &(struct plan_line){"orders", "plan", NULL}, to_ms, seconds, columns, out);
 *
 * The curves come from GET /api/crest/v1/events/NAME (docs/event.md). Where they are not known (a replay, a collector that has
 * no such answer, a last event that is counted from the store) the values that the stream named second by second stand in. */
#pragma once

#include "tui/app.h"

struct plan_line {
    const char *figure;   /* orders, revenue: per minute */
    const char *which;    /* plan, last */
    const char *currency; /* of the markets that are added up; NULL: all (orders only) */
};
/* The event that is shown, NULL: there is none. */
json_t *plan_event(const struct app *app);
/* It has ended at the moment that is shown: its figures are final, nothing is on pace for anything. */
bool plan_is_over(const struct app *app);
/* Notes what the newest frame's event row says of this minute. */
void plan_track(struct app *app);
void plan_tick(struct app *app);
/* The answer; NULL: there is none, or it is no such answer. */
void plan_take(struct app *app, const json_t *data);
/* As history_window: a value per column, NAN where nothing is known; returns how many are. */
size_t plan_window(const struct app *app, const struct plan_line *line, int64_t to_ms, unsigned seconds, size_t columns,
                   double *out);
/* Where graphs with a plan end: at to_ms (now), or ahead of it while doors are about to open or have just opened, so that the plan and the
 * last event are seen from the first second. */
int64_t plan_edge_ms(const struct app *app, int64_t to_ms, unsigned seconds);
/* Orders over all markets: `part` of each market's `object` ("total", "on_pace_for"). NAN: not known; on_pace_for is not known
 * as long as it is not said of each market that has a plan. */
double plan_sum(const struct app *app, const char *object, const char *part);
