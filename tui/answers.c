#include "tui/answers.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"
#include "lib/wire/url.h"
#include "tui/plan.h"

const struct tracked TRACKED[] = {
    {"orders", "markets", NULL, "orders_per_minute", "commerce:orders_per_minute"},
    {"revenue", "markets", NULL, "revenue_per_minute", "commerce:revenue_per_minute"},
    {"throughput", "services", "signals", "throughput_rps", "commerce:throughput_rps"},
    {"errors", "services", "signals", "error_ratio", "commerce:error_ratio"},
    {"p95", "services", "signals", "response_seconds:p95", "commerce:response_seconds:p95"},
    {"inflight", "services", "signals", "inflight", "commerce:inflight"},
    {"step", "steps", NULL, "rps", NULL},
};
const size_t TRACKED_N = ARRAY_LEN(TRACKED);

static double member_of(const struct tracked *d, const json_t *row)
{
    return d->object ? row_in(row, d->object, d->member) : row_number(row, d->member);
}

void answers_track(struct app *app)
{
    for (size_t i = 0; i < TRACKED_N; i++) {
        const char *key;
        json_t *row;
        json_object_foreach(model_section(&app->live, TRACKED[i].section), key, row)
        {
            char track[512];
            double v = member_of(&TRACKED[i], row);
            if (isnan(v))
                continue;
            snprintf(track, sizeof track, "%s|%s", TRACKED[i].track, key);
            history_note(&app->history, track, app->live.t_ms, v);
        }
    }
}

/* ---- asking ----------------------------------------------------------------------------------------------- */

static void ask(struct app *app, enum app_request kind, struct buf *path)
{
    int r = buf_error(path);
    if (r == 0)
        r = app->wire.send ? app->wire.send(app->wire.ctx, kind, ++app->tag, path->data, NULL) : -ENOTCONN;
    if (r < 0 && r != -ENOTCONN)
        app_say(app, true, "cannot ask the collector: %s", strerror(-r));
    buf_done(path);
}

static void add_range(struct buf *path, int64_t from_ms, int64_t to_ms, int64_t step_ms)
{
    char from[NUMBER_TEXT_MAX], to[NUMBER_TEXT_MAX], step[NUMBER_TEXT_MAX];
    format_seconds_ms(from, from_ms);
    format_seconds_ms(to, to_ms);
    format_seconds_ms(step, step_ms);
    buf_printf(path, "&start=%s&end=%s&step=%s", from, to, step);
}

void answers_ask_history(struct app *app, enum app_request kind, int64_t to_ms)
{
    struct buf query, path;
    buf_init(&query, 4096);
    buf_init(&path, 16384);
    buf_str(&query, "{__name__=~\"");
    for (size_t i = 0, n = 0; i < TRACKED_N; i++)
        if (TRACKED[i].metric)
            buf_printf(&query, "%s%s", n++ ? "|" : "", TRACKED[i].metric);
    buf_str(&query, "\"}");
    buf_str(&path, "/api/v1/query_range?query=");
    url_encode(&path, buf_view(&query));
    add_range(&path, (to_ms / 1000 - HISTORY_SECONDS + 1) * 1000, to_ms / 1000 * 1000, 2000);
    buf_done(&query);
    ask(app, kind, &path);
}

static void ask_instant(struct app *app, enum app_request kind, const char *query, int64_t t_ms)
{
    struct buf path;
    char t[NUMBER_TEXT_MAX];
    buf_init(&path, 16384);
    buf_str(&path, "/api/v1/query?query=");
    url_encode(&path, span_str(query));
    format_seconds_ms(t, t_ms);
    buf_printf(&path, "&time=%s", t);
    ask(app, kind, &path);
}

void answers_ask_past(struct app *app, int64_t t_ms)
{
    app->past_from_ms = t_ms;
    app->past_waiting = 2;
    ask_instant(app, REQUEST_PAST, "{__name__=~\"commerce:[a-z_0-9]+(:p95)?\",__name__!~\"commerce:route_.*\"}", t_ms);
    ask_instant(app, REQUEST_PAST_ALERTS, "ALERTS", t_ms);
}

void answers_ask_explore(struct app *app)
{
    struct explore *e = &app->explore;
    if (e->query[0] == '\0')
        return;
    int64_t to = app_edge_ms(app), step = (int64_t)app->window_s * 1000 / 200;
    step = step < 1000 ? 1000 : step / 1000 * 1000;
    struct buf path;
    buf_init(&path, 16384);
    buf_str(&path, "/api/v1/query_range?query=");
    url_encode(&path, span_str(e->query));
    add_range(&path, to - (int64_t)app->window_s * 1000, to, step);
    e->asked_mono_ms = app->mono_ms > 0 ? app->mono_ms : 1;
    if (!app->wire.send) {
        snprintf(e->error, sizeof e->error, "a replay has no collector to ask");
        buf_done(&path);
        return;
    }
    e->waiting = true;
    ask(app, REQUEST_EXPLORE, &path);
    e->tag = app->tag;
}

/* ---- answers ---------------------------------------------------------------------------------------------- */

/* The result array of a query's answer; NULL with words in `why`. The caller json_decref()s *ret_root. */
static json_t *result_of(int status, struct span body, const char *error, json_t **ret_root, char *why, size_t n)
{
    struct parse_error bad;
    *ret_root = NULL;
    if (status == 0) {
        snprintf(why, n, "%s", error);
        return NULL;
    }
    json_t *root = json_read(body, &bad);
    json_t *result = json_object_get(json_object_get(root, "data"), "result");
    if (json_is_array(result)) {
        *ret_root = root;
        return result;
    }
    const char *words = row_text(root, "error");
    snprintf(why, n, "%s (HTTP %d)", words[0] ? words : "this is no answer to a query", status);
    json_decref(root);
    return NULL;
}

/* [t, "value"]; false when it is none. */
static bool point_of(const json_t *pair, int64_t *ret_t_ms, double *ret_value)
{
    const json_t *t = json_array_get(pair, 0);
    const char *text = json_string_value(json_array_get(pair, 1));
    if (!json_is_number(t) || !text || parse_f64_span(span_str(text), ret_value) < 0)
        return false;
    *ret_t_ms = (int64_t)llround(json_number_value(t) * 1000);
    return true;
}

static void row_key(const json_t *metric, const char *section, char *key, size_t n)
{
    if (strcmp(section, "markets") == 0)
        snprintf(key, n, "%s/%s/%s/%s", row_text(metric, "service"), row_text(metric, "market"),
                 row_text(metric, "channel"), row_text(metric, "currency"));
    else
        snprintf(key, n, "%s", row_text(metric, "service"));
}

static void take_history(struct history *into, const json_t *result)
{
    size_t i, p;
    json_t *series, *pair;
    json_array_foreach(result, i, series)
    {
        const json_t *metric = json_object_get(series, "metric");
        const char *name = row_text(metric, "__name__");
        for (size_t d = 0; d < TRACKED_N; d++) {
            if (!TRACKED[d].metric || strcmp(TRACKED[d].metric, name) != 0)
                continue;
            char key[448], track[512];
            row_key(metric, TRACKED[d].section, key, sizeof key);
            snprintf(track, sizeof track, "%s|%s", TRACKED[d].track, key);
            json_array_foreach(json_object_get(series, "values"), p, pair)
            {
                int64_t t;
                double v;
                if (point_of(pair, &t, &v))
                    history_note(into, track, t, v);
            }
        }
    }
}

static json_t *row_for_writing(struct model *m, const char *section, const char *key)
{
    json_t *rows = json_object_get(m->sections, section);
    if (!rows) {
        if (json_object_set_new(m->sections, section, json_object()) < 0)
            return NULL;
        rows = json_object_get(m->sections, section);
    }
    json_t *row = json_object_get(rows, key);
    if (row)
        return row;
    return json_object_set_new(rows, key, json_object()) == 0 ? json_object_get(rows, key) : NULL;
}

static void copy_labels(json_t *row, const json_t *metric)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metric, name, value)
    {
        if (strcmp(name, "__name__") != 0 && json_object_set(row, name, value) < 0)
            return; /* without memory the row is thinner */
    }
}

/* The state of a moment that no frame was seen of: services and markets from their series. Whether a service was well is not
 * known: that needs its alerts. */
static void take_past(struct app *app, const json_t *result)
{
    size_t i;
    json_t *series;
    json_array_foreach(result, i, series)
    {
        const json_t *metric = json_object_get(series, "metric");
        const char *name = row_text(metric, "__name__");
        int64_t t;
        double v;
        if (strncmp(name, "commerce:", 9) != 0 || !point_of(json_object_get(series, "value"), &t, &v))
            continue;
        bool is_market = row_text(metric, "market")[0] != '\0';
        char key[448];
        row_key(metric, is_market ? "markets" : "services", key, sizeof key);
        json_t *row = row_for_writing(&app->past, is_market ? "markets" : "services", key);
        if (!row)
            return;
        copy_labels(row, metric);
        json_t *number = isfinite(v) ? json_real(v) : json_string(v > 0 ? "+Inf" : "-Inf");
        if (isnan(v) || is_market) {
            if (!isnan(v) && json_object_set(row, name + 9, number) < 0)
                app_say(app, true, "out of memory");
            json_decref(number);
            continue;
        }
        json_t *signals = json_object_get(row, "signals");
        if (!signals && json_object_set_new(row, "signals", json_object()) == 0)
            signals = json_object_get(row, "signals");
        if (!signals || json_object_set(signals, name + 9, number) < 0)
            app_say(app, true, "out of memory");
        json_decref(number);
    }
    app->past.t_ms = app->past_from_ms;
}

static void take_past_alerts(struct app *app, const json_t *result)
{
    size_t i;
    json_t *series;
    json_array_foreach(result, i, series)
    {
        const json_t *metric = json_object_get(series, "metric");
        char key[32];
        snprintf(key, sizeof key, "past-%zu", i);
        json_t *row = row_for_writing(&app->past, "alerts", key);
        if (!row)
            return;
        copy_labels(row, metric);
        json_t *name = json_object_get(metric, "alertname"), *state = json_object_get(metric, "alertstate");
        if ((name && json_object_set(row, "name", name) < 0) || (state && json_object_set(row, "state", state) < 0))
            return;
    }
}

void explore_clear(struct explore *e)
{
    for (size_t i = 0; i < e->n_series; i++) {
        free(e->series[i].labels);
        free(e->series[i].values);
    }
    e->n_series = e->hidden_series = e->n_points = 0;
}

static char *labels_text(const json_t *metric)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_str(&b, row_text(metric, "__name__"));
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)metric, name, value)
    {
        if (strcmp(name, "__name__") != 0)
            buf_printf(&b, "%s%s=%s", n++ ? " " : b.len ? "  " : "", name, json_string_value(value));
    }
    return buf_take(&b, NULL);
}

static void take_explore(struct app *app, const json_t *result)
{
    struct explore *e = &app->explore;
    explore_clear(e);
    int64_t span_ms = (int64_t)app->window_s * 1000;
    e->step_ms = span_ms / 200 < 1000 ? 1000 : span_ms / 200 / 1000 * 1000;
    e->n_points = (size_t)(span_ms / e->step_ms) + 1;
    if (e->n_points > EXPLORE_POINTS_MAX)
        e->n_points = EXPLORE_POINTS_MAX;
    size_t i, p;
    json_t *series, *pair;
    e->from_ms = 0;
    json_array_foreach(result, i, series)
    {
        json_array_foreach(json_object_get(series, "values"), p, pair)
        {
            int64_t t;
            double v;
            if (point_of(pair, &t, &v) && t > e->to_ms)
                e->to_ms = t;
        }
    }
    e->from_ms = e->to_ms - (int64_t)(e->n_points - 1) * e->step_ms;
    json_array_foreach(result, i, series)
    {
        if (e->n_series == EXPLORE_SERIES_MAX) {
            e->hidden_series++;
            continue;
        }
        struct explore_series *s = &e->series[e->n_series];
        *s = (struct explore_series){.labels = labels_text(json_object_get(series, "metric")),
                                     .values = calloc(e->n_points, sizeof(double)),
                                     .last = NAN};
        if (!s->labels || !s->values) {
            free(s->labels);
            free(s->values);
            return;
        }
        for (p = 0; p < e->n_points; p++)
            s->values[p] = NAN;
        json_array_foreach(json_object_get(series, "values"), p, pair)
        {
            int64_t t;
            double v;
            if (!point_of(pair, &t, &v) || t < e->from_ms || t > e->to_ms)
                continue;
            s->values[(t - e->from_ms) / e->step_ms] = v;
            s->last = v;
        }
        e->n_series++;
    }
}

static void take_note(struct app *app, int status, struct span body, const char *error)
{
    if (status / 100 == 2)
        app_say(app, false, "the note is written");
    else if (status == 404 || status == 405)
        app_say(app, true, "this collector takes no notes (HTTP %d)", status);
    else if (status == 0)
        app_say(app, true, "the note is not written: %s", error);
    else
        app_say(app, true, "the note is not written: HTTP %d " SPAN_FMT, status, SPAN_ARG(body));
}

void app_answer(struct app *app, enum app_request kind, uint64_t tag, int status, struct span body, const char *error)
{
    char why[256] = "";
    json_t *root, *result = NULL;
    app->answered = true;
    if (kind == REQUEST_NOTE) {
        take_note(app, status, body, error);
        return;
    }
    if (kind == REQUEST_EVENT) { /* without the curves the stream's own values of plan and last event stand in */
        struct parse_error unused;
        root = status == 200 ? json_read(body, &unused) : NULL;
        plan_take(app, json_object_get(root, "data"));
        json_decref(root);
        return;
    }
    if (kind == REQUEST_EXPLORE) {
        if (tag != app->explore.tag)
            return; /* of a query that is no longer asked for */
        app->explore.waiting = false;
        app->explore.error[0] = '\0';
        app->explore.to_ms = 0;
    }
    result = result_of(status, body, error, &root, why, sizeof why);
    bool is_past = kind == REQUEST_PAST || kind == REQUEST_PAST_ALERTS || kind == REQUEST_PAST_HISTORY;
    bool elsewhere =
        kind == REQUEST_PAST_HISTORY ? app->edge_ms != app->past_history_ms : app->shown_ms != app->past_from_ms;
    if (is_past && (!app->shown_ms || elsewhere)) {
        json_decref(root);
        return; /* we are elsewhere by now */
    }
    if ((kind == REQUEST_PAST || kind == REQUEST_PAST_ALERTS) && app->past_waiting > 0)
        app->past_waiting--;
    if (!result && kind == REQUEST_EXPLORE)
        snprintf(app->explore.error, sizeof app->explore.error, "%s", why);
    else if (!result && is_past)
        app_say(app, true, "the past is not known: %s", why);
    else if (kind == REQUEST_EXPLORE)
        take_explore(app, result);
    else if (kind == REQUEST_HISTORY && result)
        take_history(&app->history, result);
    else if (kind == REQUEST_PAST_HISTORY)
        take_history(&app->past_history, result);
    else if (kind == REQUEST_PAST)
        take_past(app, result);
    else if (kind == REQUEST_PAST_ALERTS)
        take_past_alerts(app, result);
    json_decref(root);
}
