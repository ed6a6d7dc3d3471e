#include "tui/app.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"
#include "lib/term/term.h"
#include "tui/answers.h"
#include "tui/command.h"
#include "tui/keys.h"
#include "tui/plan.h"
#include "lib/base/limits.h"

#define MESSAGE_MS 6000
#define STALE_MS 3000                /* docs/stream.md: three seconds without a frame */
#define EXPLORE_EVERY_MS 5000        /* a query a few seconds old is still news; the collector has others to serve */
#define SCRUB_BACK_MS (86400000 * 7) /* farther than a week back is for Explore */

int app_new(const struct app_config *config, struct app **ret)
{
    struct app *app = calloc(1, sizeof *app);
    if (!app)
        return -ENOMEM;
    app->wire = config->wire;
    app->graphs = config->ascii ? GRAPH_ASCII : config->graphs;
    app->ascii = config->ascii;
    app->window_s = 300;
    app->mouse = true;
    snprintf(app->address, sizeof app->address, "%s", config->address);
    snprintf(app->link_words, sizeof app->link_words, "connecting");
    history_init(&app->history);
    history_init(&app->past_history);
    arena_init(&app->frame, CONSOLE_FRAME_BYTES_MAX);
    app->made = json_array();
    int r = app->made ? model_init(&app->live) : -ENOMEM;
    if (r == 0)
        r = timeline_new(&app->timeline);
    if (r < 0) {
        app_free(app);
        return r;
    }
    *ret = app;
    return 0;
}

void app_free(struct app *app)
{
    if (!app)
        return;
    model_done(&app->live);
    model_done(&app->past);
    timeline_free(app->timeline);
    history_done(&app->history);
    history_done(&app->past_history);
    arena_done(&app->frame);
    explore_clear(&app->explore);
    json_decref(app->curves.markets);
    json_decref(app->made);
    for (size_t i = 0; i < VIEWS; i++)
        filter_done(&app->filters[i]);
    free(app->save_path);
    free(app->save_styles_path);
    free(app);
}

/* ---- time ------------------------------------------------------------------------------------------------- */

int64_t app_now_ms(const struct app *app)
{
    return app->live.t_ms ? app->live.t_ms + (app->mono_ms - app->frame_mono_ms) : 0;
}

int64_t app_shown_ms(const struct app *app)
{
    return app->shown_ms ? app->shown_ms : app_now_ms(app);
}

int64_t app_stale_s(const struct app *app)
{
    int64_t ms = app->mono_ms - app->frame_mono_ms;
    return app->live.t_ms && ms >= STALE_MS ? ms / 1000 : 0;
}

bool app_is_old(const struct app *app)
{
    return !app->shown_ms && (app_stale_s(app) > 0 || (app->wire.send && !app->connected));
}

const struct model *app_model(const struct app *app)
{
    return app->shown_ms && app->has_past ? &app->past : &app->live;
}

int64_t app_edge_ms(const struct app *app)
{
    return app->shown_ms ? app->edge_ms : app_now_ms(app);
}

const struct history *app_history(const struct app *app)
{
    unsigned window_s = app->window_s < HISTORY_SECONDS ? app->window_s : HISTORY_SECONDS;
    bool older = app->shown_ms && app->edge_ms < app_now_ms(app) - (int64_t)(HISTORY_SECONDS - window_s) * 1000;
    return older && app->wire.send ? &app->past_history : &app->history;
}

void app_say(struct app *app, bool bad, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(app->message, sizeof app->message, format, args);
    va_end(args);
    app->message_is_bad = bad;
    app->message_until_ms = app->mono_ms + MESSAGE_MS;
}

/* ---- the past --------------------------------------------------------------------------------------------- */

static void forget_past(struct app *app)
{
    if (app->has_past)
        model_done(&app->past);
    app->has_past = false;
    app->past_waiting = 0;
}

/* Graphs stand still while the moment moves within them; when it leaves them they follow, with a quarter of their time after it. */
static void set_edge(struct app *app, int64_t now_ms)
{
    bool explores = app->view == VIEW_EXPLORE || app->window_s < HISTORY_SECONDS; /* the other graphs are shorter */
    int64_t window = (int64_t)(explores ? app->window_s : HISTORY_SECONDS) * 1000, was = app->edge_ms;
    if (!was)
        app->edge_ms = app->shown_ms > now_ms - window ? now_ms : app->shown_ms + window / 4;
    else if (app->shown_ms > app->edge_ms || app->shown_ms <= app->edge_ms - window)
        app->edge_ms = app->shown_ms + window / 4;
    if (app->edge_ms > now_ms)
        app->edge_ms = now_ms;
    if (app->edge_ms != was)
        app->explore.asked_mono_ms = 0;
}

static void ask_older_graphs(struct app *app)
{
    if (!app->wire.send || app_history(app) != &app->past_history || app->past_history_ms == app->edge_ms)
        return;
    history_clear(&app->past_history);
    app->past_history_ms = app->edge_ms;
    answers_ask_history(app, REQUEST_PAST_HISTORY, app->edge_ms);
}

void app_scrub_to(struct app *app, int64_t t_ms)
{
    int64_t now = app_now_ms(app);
    forget_past(app);
    if (app->shown_ms && t_ms == 0)
        app->explore.asked_mono_ms = 0;
    app->shown_ms = 0;
    if (t_ms == 0 || now == 0) {
        app->edge_ms = app->past_history_ms = 0;
        return;
    }
    if (t_ms < now - SCRUB_BACK_MS)
        t_ms = now - SCRUB_BACK_MS;
    app->shown_ms = t_ms > now ? now : t_ms;
    set_edge(app, now);
    int r = timeline_at(app->timeline, app->shown_ms, &app->past);
    app->has_past = r == 0;
    if (r == -ENOENT && model_init(&app->past) == 0) {
        app->has_past = true;
        app->past.t_ms = app->shown_ms;
        if (app->wire.send)
            answers_ask_past(app, app->shown_ms);
        else
            app_say(app, true, "the replay begins later");
    } else if (r < 0) {
        app_say(app, true, "out of memory");
        app->shown_ms = app->edge_ms = 0;
    }
    ask_older_graphs(app);
}

void app_window(struct app *app, unsigned seconds)
{
    app->window_s = seconds;
    app->explore.asked_mono_ms = 0;
    if (app->shown_ms)
        app_scrub_to(app, app->shown_ms);
}

void app_scrub(struct app *app, int64_t by_ms)
{
    int64_t now = app_now_ms(app), to = app_shown_ms(app) + by_ms;
    if (!app->shown_ms && by_ms > 0)
        return;
    app_scrub_to(app, to >= now ? 0 : to);
}

/* ---- views ------------------------------------------------------------------------------------------------ */

void app_show(struct app *app, enum view_id view)
{
    if (view == app->view)
        return;
    if (app->n_back == ARRAY_LEN(app->back)) {
        memmove(app->back, app->back + 1, sizeof app->back - sizeof app->back[0]);
        app->n_back--;
    }
    app->back[app->n_back++] = app->view;
    app->view = view;
}

void app_go_back(struct app *app)
{
    struct parse_error unused;
    struct filter *filter = &app->filters[app->view];
    if (app->shown_ms)
        app_scrub_to(app, 0);
    else if (filter->text[0] != '\0' && filter_set(filter, "", &unused) == 0)
        return;
    else if (app->n_back > 0)
        app->view = app->back[--app->n_back];
}

void app_move(struct app *app, int rows)
{
    struct list *l = &app->lists[app->view];
    int at = l->at + rows;
    l->at = at >= l->rows ? (l->rows > 0 ? l->rows - 1 : 0) : at < 0 ? 0 : at;
    l->key[0] = '\0';
}

void app_query(struct app *app, const char *query)
{
    if (strlen(query) >= sizeof app->explore.query) {
        app_say(app, true, "the query is longer than %zu bytes", sizeof app->explore.query - 1);
        return;
    }
    snprintf(app->explore.query, sizeof app->explore.query, "%s", query);
    explore_clear(&app->explore);
    app->explore.error[0] = '\0';
    app->explore.asked_mono_ms = 0;
    app->lists[VIEW_EXPLORE] = (struct list){0};
}

static void open_query(struct app *app, const char *format, ...) PRINTF_LIKE(2, 3);
static void open_query(struct app *app, const char *format, ...)
{
    char query[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(query, sizeof query, format, args);
    va_end(args);
    app_query(app, query);
    app_show(app, VIEW_EXPLORE);
}

static void open_blind(struct app *app, const char *service)
{
    snprintf(app->service, sizeof app->service, "%s", service);
    app->lists[VIEW_BLIND] = (struct list){0};
    app_show(app, VIEW_BLIND);
}

static void open_service(struct app *app, const char *service)
{
    if (service[0] == '\0')
        return;
    if (service != app->service)
        snprintf(app->service, sizeof app->service, "%s", service);
    app->lists[VIEW_SERVICE] = (struct list){0};
    app_show(app, VIEW_SERVICE);
}

void app_open(struct app *app)
{
    const struct model *m = app_model(app);
    const char *key = app->lists[app->view].key;
    const json_t *row;
    switch (app->view) {
    case VIEW_EVENT:
        if ((row = model_row(m, "markets", key)))
            open_query(app, "commerce:orders_per_minute{service=\"%s\",market=\"%s\"}", row_text(row, "service"),
                       row_text(row, "market"));
        break;
    case VIEW_SERVICES:
        if (model_row(m, "services", key))
            open_service(app, key);
        break;
    case VIEW_JOURNEYS:
        if ((row = model_row(m, "steps", key)))
            open_query(app, "commerce:route_operation_seconds:p95{service=\"%s\"}", row_text(row, "service"));
        break;
    case VIEW_ALERTS:
    case VIEW_SERVICE:
        if (!(row = model_row(m, "alerts", key)))
            break;
        if (row_text(row, "expr")[0] != '\0')
            open_query(app, "%s", row_text(row, "expr"));
        else
            open_query(app, "ALERTS{alertname=\"%s\"}", row_text(row, "name"));
        break;
    case VIEW_TARGETS:
        if ((row = model_row(m, "targets", key)))
            open_service(app, row_text(row, "service"));
        else if (model_row(m, "coverage", key))
            open_blind(app, key);
        break;
    case VIEW_BLIND:
        open_service(app, app->service);
        break;
    case VIEW_EXPLORE:
        app_input(app, INPUT_QUERY, app->explore.query);
        break;
    case VIEW_HELP:
    case VIEWS:
        break;
    }
}

void app_note(struct app *app, const char *text)
{
    if (!app->wire.send) {
        app_say(app, true, "a replay takes no notes");
        return;
    }
    struct buf body;
    struct json_writer j;
    buf_init(&body, 8192);
    jw_init(&j, &body);
    jw_object(&j);
    jw_key(&j, "t");
    jw_i64(&j, app_shown_ms(app));
    jw_key(&j, "kind");
    jw_str(&j, "note");
    jw_key(&j, "text");
    jw_str(&j, text);
    const char *user = getenv("USER");
    if (user && user[0] != '\0') {
        jw_key(&j, "user");
        jw_str(&j, user);
    }
    jw_end(&j);
    int r = buf_error(&body);
    if (r == 0)
        r = app->wire.send(app->wire.ctx, REQUEST_NOTE, ++app->tag, "/api/crest/v1/annotations", body.data);
    if (r < 0)
        app_say(app, true, "the note is not written: %s", strerror(-r));
    buf_done(&body);
}

/* ---- the stream ------------------------------------------------------------------------------------------- */

void app_frame(struct app *app, const struct sse_event *event, int64_t mono_ms)
{
    struct parse_error error;
    app->mono_ms = mono_ms;
    uint64_t frames = app->live.frames;
    if (model_apply(&app->live, event->name, event->data, &error) < 0) {
        app->bad_frames++;
        app_say(app, true, "a frame of the stream is not understood: %s", error.text);
        return;
    }
    if (app->live.frames == frames)
        return; /* an event of a kind that we do not know */
    app->frame_mono_ms = mono_ms;
    answers_track(app);
    plan_track(app);
    timeline_add(app->timeline, event->name, app->live.t_ms, event->data);
}

void app_connected(struct app *app, int64_t mono_ms)
{
    app->mono_ms = mono_ms;
    if (app->ever_connected && !app->connected)
        app_say(app, false, "connected again");
    app->connected = app->ever_connected = true;
    app->backfilled = false;
    app->curves.asked_mono_ms = 0;
}

void app_disconnected(struct app *app, const char *words)
{
    app->connected = false;
    snprintf(app->link_words, sizeof app->link_words, "%s", words);
}

void app_tick(struct app *app, int64_t mono_ms)
{
    app->mono_ms = mono_ms;
    if (app->live.t_ms && !app->backfilled && app->wire.send) {
        app->backfilled = true;
        answers_ask_history(app, REQUEST_HISTORY, app->live.t_ms);
    }
    if (app->live.t_ms)
        plan_tick(app);
    const struct explore *e = &app->explore;
    bool due = e->asked_mono_ms == 0 || (!app->shown_ms && mono_ms - e->asked_mono_ms >= EXPLORE_EVERY_MS);
    if (app->view == VIEW_EXPLORE && due && app->live.t_ms && (!e->waiting || e->asked_mono_ms == 0))
        answers_ask_explore(app);
}
