#include "tui/plan.h"

#include <math.h>

#include "lib/wire/url.h"

#define ASK_EVERY_MS 60000 /* an import during the sale replaces the plan */
#define MINUTE_MS 60000

json_t *plan_event(const struct app *app)
{
    void *at = json_object_iter(model_section(app_model(app), "event")); /* the section has one row */
    return json_object_iter_value(at);
}

/* "orders:plan|de/EUR" */
static void track_name(char *track, size_t n, const struct plan_line *line, const char *market, const char *currency)
{
    snprintf(track, n, "%s:%s|%s/%s", line->figure, line->which, market, currency);
}

static const struct plan_line LINES[] = {
    {"orders", "plan", NULL}, {"orders", "last", NULL}, {"revenue", "plan", NULL}, {"revenue", "last", NULL}};

void plan_track(struct app *app)
{
    const char *name, *market;
    json_t *event, *row;
    json_object_foreach(model_section(&app->live, "event"), name, event)
    {
        json_object_foreach(json_object_get(event, "markets"), market, row)
        {
            for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
                char track[512];
                double v = row_in(row, LINES[i].figure, LINES[i].which);
                if (isnan(v))
                    continue;
                track_name(track, sizeof track, &LINES[i], market, row_text(row, "currency"));
                history_note(&app->history, track, app->live.t_ms, v);
            }
        }
    }
}

/* ---- the curves ------------------------------------------------------------------------------------------- */

void plan_tick(struct app *app)
{
    struct curves *c = &app->curves;
    const char *name = json_object_iter_key(json_object_iter(model_section(&app->live, "event")));
    if (!app->wire.send || !name)
        return;
    bool same = strcmp(c->event, name) == 0;
    if (same && c->asked_mono_ms && app->mono_ms - c->asked_mono_ms < ASK_EVERY_MS)
        return;
    if (!same) {
        json_decref(c->markets);
        c->markets = NULL;
        snprintf(c->event, sizeof c->event, "%s", name);
    }
    struct buf path;
    buf_init(&path, 4096);
    buf_str(&path, "/api/crest/v1/events/");
    url_encode(&path, span_str(name));
    c->asked_mono_ms = app->mono_ms > 0 ? app->mono_ms : 1;
    if (buf_error(&path) == 0 && app->wire.send(app->wire.ctx, REQUEST_EVENT, ++app->tag, path.data, NULL) < 0)
        app_say(app, true, "cannot ask for the plan");
    buf_done(&path);
}

void plan_take(struct app *app, const json_t *data)
{
    struct curves *c = &app->curves;
    json_t *markets = json_object_get(data, "markets");
    if (!json_is_object(markets) || strcmp(row_text(data, "name"), c->event) != 0)
        return;
    json_decref(c->markets);
    c->markets = json_incref(markets);
    c->starts_ms = row_time(data, "starts");
    c->ends_ms = row_time(data, "ends");
}

static double curve_at(const struct curves *c, const json_t *market, const struct plan_line *line, int64_t t_ms)
{
    const json_t *curve = json_object_get(market, line->which);
    int64_t since = t_ms - c->starts_ms, minute = since / MINUTE_MS - (since % MINUTE_MS < 0 ? 1 : 0);
    int64_t at = minute - row_time(curve, "first_minute");
    const json_t *v = at < 0 ? NULL : json_array_get(json_object_get(curve, line->figure), (size_t)at);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

size_t plan_window(const struct app *app, const struct plan_line *line, int64_t to_ms, unsigned seconds, size_t columns,
                   double *out)
{
    const struct curves *c = &app->curves;
    char prefix[64], suffix[64] = "";
    size_t known = 0;
    int64_t end_ms = history_end_ms(to_ms, seconds, columns),
            width_ms = columns ? (int64_t)seconds * 1000 / (int64_t)columns : 1;
    snprintf(prefix, sizeof prefix, "%s:%s|", line->figure, line->which);
    if (line->currency)
        snprintf(suffix, sizeof suffix, "/%s", line->currency);
    history_window_sum(app_history(app), prefix, suffix, to_ms, seconds, columns, out);
    for (size_t i = 0; i < columns; i++) {
        int64_t t = end_ms - (int64_t)(columns - i) * width_ms + width_ms / 2;
        if (t > to_ms)
            t = to_ms; /* the last column is not over */
        const char *name;
        json_t *market;
        double sum = NAN;
        json_object_foreach(c->markets, name, market)
        {
            if (line->currency && strcmp(row_text(market, "currency"), line->currency) != 0)
                continue;
            double v = curve_at(c, market, line, t);
            if (!isnan(v))
                sum = (isnan(sum) ? 0 : sum) + v;
        }
        if (!isnan(sum))
            out[i] = sum;
        known += isnan(out[i]) ? 0 : 1;
    }
    return known;
}

int64_t plan_edge_ms(const struct app *app, int64_t to_ms, unsigned seconds)
{
    const struct curves *c = &app->curves;
    int64_t half_ms = (int64_t)seconds * 500, ahead_ms = c->starts_ms + half_ms;
    if (!c->markets || app->shown_ms || c->starts_ms - to_ms > half_ms || ahead_ms <= to_ms)
        return to_ms;
    if (c->ends_ms < ahead_ms)
        ahead_ms = c->ends_ms;
    return ahead_ms > to_ms ? ahead_ms : to_ms;
}

bool plan_is_over(const struct app *app)
{
    const json_t *row = plan_event(app);
    int64_t ends_ms = row_time(row, "ends");
    return row && ends_ms > 0 && app_shown_ms(app) >= ends_ms;
}

double plan_sum(const struct app *app, const char *object, const char *part)
{
    double sum = NAN;
    const char *market;
    json_t *row;
    json_object_foreach(json_object_get(plan_event(app), "markets"), market, row)
    {
        const json_t *of = json_object_get(row, object);
        double v = row_in(of, "orders", part);
        if (isnan(v) && strcmp(object, "on_pace_for") == 0 &&
            !isnan(row_in(json_object_get(row, "total"), "orders", "plan")))
            return NAN; /* a planned market of which it is not said yet */
        if (!isnan(v))
            sum = (isnan(sum) ? 0 : sum) + v;
    }
    return sum;
}
