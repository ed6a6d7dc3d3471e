/* services.c - all services, most trouble first; and one of them with its graphs, dependencies, coverage and alerts. */
#include <math.h>

#include "tui/view/views.h"

double rank_trouble(const char *key, const json_t *row)
{
    (void)key;
    const char *state = row_text(row, "state");
    double trouble = row_number(row, "trouble");
    double by_state = strcmp(state, "crit") == 0   ? 3e9
                      : strcmp(state, "warn") == 0 ? 2e9
                      : strcmp(state, "ok") == 0   ? 0
                                                   : 1e9;
    return by_state + (isfinite(trouble) ? trouble : 0);
}

static void draw_state(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    const struct state_look *look = screen_state_now(app, row_text(r->row, "state"));
    cells_printf(c, cell.x, cell.y, cell.w, look->style, "%s %s", look->shape, look->state);
}
static void draw_name(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cells_text(c, cell.x, cell.y, cell.w, STYLE_BOLD, r->key);
}
static void draw_why(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    cells_text(c, cell.x, cell.y, cell.w, screen_state_now(app, row_text(r->row, "state"))->style,
               row_text(r->row, "why"));
}
static void draw_throughput_line(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    char track[512];
    snprintf(track, sizeof track, "throughput|%s", r->key);
    view_spark(app, c, cell, track);
}

/* A column per signal: the table of signals is the table of functions. */
#define SIGNAL_COLUMN(function, signal, warn_above)                                                                    \
    static void function(const struct app *app, struct cells *c, struct box cell, const struct row *r)                 \
    {                                                                                                                  \
        (void)app;                                                                                                     \
        double v = row_in(r->row, "signals", signal);                                                                  \
        cell_number(c, cell, signal, v, v > (warn_above) ? STYLE_WARN : STYLE_PLAIN);                                  \
    }
SIGNAL_COLUMN(draw_throughput, "throughput_rps", INFINITY)
SIGNAL_COLUMN(draw_errors, "error_ratio", 0.01)
SIGNAL_COLUMN(draw_p95, "response_seconds:p95", 1)
SIGNAL_COLUMN(draw_inflight, "inflight", INFINITY)
SIGNAL_COLUMN(draw_cache, "cache_hit_ratio", INFINITY)
SIGNAL_COLUMN(draw_database, "db_connections_ratio", 0.8)

static const struct column COLUMNS[] = {
    {"state", 10, false, 0, draw_state},
    {"service", 16, false, 0, draw_name},
    {"req/s", 7, true, 1, draw_throughput},
    {"errors", 7, true, 1, draw_errors},
    {"p95", 8, true, 1, draw_p95},
    {"in flight", 9, true, 3, draw_inflight},
    {"cache", 6, true, 4, draw_cache},
    {"db pool", 7, true, 5, draw_database},
    {"req/s over time", 18, false, 6, draw_throughput_line},
    {"why", 0, false, 2, draw_why},
};

static void draw_service_graphs(struct app *app, struct cells *c, struct box box, const char *service, int across)
{
    static const struct {
        const char *title, *track, *signal;
        enum cell_style style;
    } GRAPHS[] = {{"requests/s", "throughput", "", STYLE_NOW},
                  {"errors", "errors", "error_ratio", STYLE_CRIT},
                  {"p95", "p95", "seconds", STYLE_WARN},
                  {"in flight", "inflight", "", STYLE_OK}};
    int lines = (int)ARRAY_LEN(GRAPHS) / across, w = (box.w - 2 * (across - 1)) / across, h = box.h / lines;
    for (int i = 0; i < (int)ARRAY_LEN(GRAPHS); i++) {
        char track[512];
        snprintf(track, sizeof track, "%s|%s", GRAPHS[i].track, service);
        struct box at = {box.x + i % across * (w + 2), box.y + i / across * h, w, h};
        view_graph(app, c, at,
                   &(struct graph_of){
                       .title = GRAPHS[i].title, .track = track, .signal = GRAPHS[i].signal, .style = GRAPHS[i].style});
    }
}

void view_services(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    size_t n = table_rows(app, VIEW_SERVICES, "services", rank_trouble, NULL, &rows);
    uint64_t more = model_more(app_model(app), "services");
    if (n == 0) {
        app->lists[VIEW_SERVICES].rows = 0;
        cells_text(c, box.x, box.y, box.w, STYLE_UNKNOWN,
                   app->filters[VIEW_SERVICES].text[0] ? "no service matches the filter"
                                                       : "\xe2\x97\x8b no service is known yet");
        return;
    }
    struct box list = box;
    if (more > 0 && box.h > 3) {
        list.h--;
        cells_printf(c, box.x, box.y + box.h - 1, box.w, STYLE_DIM,
                     "and %llu services with less trouble that the stream leaves out (:query finds them)",
                     (unsigned long long)more);
    }
    int free_lines = list.h - (int)n - 2;
    if (free_lines < 8) {
        table_draw(app, c, list, VIEW_SERVICES, COLUMNS, ARRAY_LEN(COLUMNS), rows, n);
        return;
    }
    int y = list.y + list.h - free_lines;
    list.h = (int)n + 1;
    table_draw(app, c, list, VIEW_SERVICES, COLUMNS, ARRAY_LEN(COLUMNS), rows, n);
    const char *selected = app->lists[VIEW_SERVICES].key;
    struct box detail =
        screen_section(c, (struct box){box.x, y, box.w, free_lines > 18 ? 18 : free_lines}, selected, "Enter: more");
    draw_service_graphs(app, c, detail, selected, box.w >= 150 ? 4 : 2);
}

/* ---- one service ------------------------------------------------------------------------------------------ */

static bool of_service(const struct app *app, const char *key, const json_t *row)
{
    (void)key;
    return strcmp(row_text(row, "service"), app->service) == 0;
}

static int draw_signals(const struct app *app, struct cells *c, struct box box, const json_t *row)
{
    static const int WIDTH = 44;
    const char *name;
    json_t *value;
    int per_line = box.w / WIDTH > 0 ? box.w / WIDTH : 1, i = 0;
    json_object_foreach(json_object_get(row, "signals"), name, value)
    {
        char text[WORDS_MAX];
        int x = box.x + i % per_line * WIDTH, y = box.y + i / per_line;
        if (y >= box.y + box.h)
            break;
        cells_text(c, x, y, 30, STYLE_DIM, name);
        cells_text_right(c, x + 30, y, 11, STYLE_PLAIN, words_signal(text, name, row_in(row, "signals", name)));
        i++;
    }
    (void)app;
    return (i + per_line - 1) / per_line;
}

static void draw_blind(const struct app *app, struct cells *c, struct box box)
{
    if (box.h <= 0)
        return;
    if (view_cures(app, c, box, 0, app->service) > box.h)
        cells_text_right(c, box.x, box.y + box.h - 1, box.w, STYLE_DIM, " more: 5, Enter on its coverage ");
}

static int draw_dependencies(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    size_t n = table_rows(app, VIEWS, "dependencies", NULL, of_service, &rows);
    int y = 0;
    if (n == 0)
        cells_text(c, box.x, box.y + y++, box.w, STYLE_DIM, "none known");
    for (size_t i = 0; i < n && y < box.h; i++, y++) {
        char failures[WORDS_MAX], p95[WORDS_MAX], oldest[WORDS_MAX];
        double failing = row_number(rows[i].row, "failure_ratio"),
               waits = row_number(rows[i].row, "oldest_inflight_seconds");
        cells_printf(c, box.x, box.y + y, box.w, failing > .05 || waits > 2 ? STYLE_CRIT : STYLE_PLAIN,
                     "%-24s failures %s   p95 %s   oldest in flight %s", row_text(rows[i].row, "dependency"),
                     words_ratio(failures, failing),
                     words_seconds(p95, row_number(rows[i].row, "response_seconds:p95")), words_seconds(oldest, waits));
    }
    return y;
}

void view_service(struct app *app, struct cells *c, struct box box)
{
    const json_t *row = model_row(app_model(app), "services", app->service);
    const struct state_look *look = screen_state_now(app, row_text(row, "state"));
    int x = box.x +
            cells_printf(c, box.x, box.y, box.w / 2, look->style, "%s %s %s", look->shape, app->service, look->state) +
            2;
    cells_text(c, x, box.y, box.x + box.w - x, STYLE_PLAIN,
               row ? row_text(row, "why") : "not among the services of this moment");
    int height = (box.h - 1) / 4 > 3 ? (box.h - 1) / 4 : 3, y = box.y + 1;
    draw_service_graphs(app, c, (struct box){box.x, y, box.w, 2 * height}, app->service, 2);
    struct box rest = {box.x, y + 2 * height, box.w, box.y + box.h - y - 2 * height};
    int used = 0;
    if (rest.h >= 3)
        used = 1 + draw_dependencies(
                       app, c, screen_section(c, (struct box){rest.x, rest.y, rest.w, rest.h}, "dependencies", NULL));
    rest.y += used;
    rest.h -= used;
    if (rest.h >= 3) {
        struct box at = screen_section(c, rest, "alerts", "Enter: chart");
        struct row *rows;
        size_t n = table_rows(app, VIEWS, "alerts", rank_alert, of_service, &rows);
        at.h = (int)n + 1 < at.h ? (int)n + 1 : at.h;
        used = n > 0 ? 1 + at.h : 2;
        if (view_alert_table(app, c, at, VIEW_SERVICE, of_service) == 0)
            cells_text(c, at.x, at.y, at.w, app_is_old(app) ? STYLE_UNKNOWN : STYLE_OK,
                       app_is_old(app) ? "none when it was last known" : "none");
        rest.y += used;
        rest.h -= used;
    }
    if (rest.h >= 2) {
        struct box at = screen_section(c, rest, "signals", NULL);
        used = draw_signals(app, c, at, row);
        draw_blind(app, c, (struct box){at.x, at.y + used, at.w, at.h - used});
    }
}
