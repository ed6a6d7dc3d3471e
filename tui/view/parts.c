/* parts.c - what several views draw. */
#include <math.h>

#include "tui/view/views.h"

const struct view_def VIEW_DEFS[VIEWS] = {
    [VIEW_EVENT] = {"Event", view_event},
    [VIEW_SERVICES] = {"Services", view_services},
    [VIEW_JOURNEYS] = {"Journeys", view_journeys},
    [VIEW_ALERTS] = {"Alerts", view_alerts},
    [VIEW_TARGETS] = {"Targets", view_targets},
    [VIEW_EXPLORE] = {"Explore", view_explore},
    [VIEW_SERVICE] = {"Service", view_service},
    [VIEW_BLIND] = {"Blind", view_blind},
    [VIEW_HELP] = {"Help", view_help},
};

void cell_text(struct cells *c, struct box cell, const json_t *row, const char *member)
{
    cells_text(c, cell.x, cell.y, cell.w, STYLE_PLAIN, row_text(row, member));
}

void cell_number(struct cells *c, struct box cell, const char *signal, double v, enum cell_style style)
{
    char text[WORDS_MAX];
    words_signal(text, signal, v);
    cells_text_right(c, cell.x, cell.y, cell.w, isnan(v) ? STYLE_DIM : style, text);
}

/* ---- alerts ----------------------------------------------------------------------------------------------- */

double rank_alert(const char *key, const json_t *row)
{
    (void)key;
    bool firing = strcmp(row_text(row, "state"), "firing") == 0, page = strcmp(row_text(row, "severity"), "page") == 0;
    return (firing ? page ? 3e15 : 2e15 : page ? 1e15 : 0) - (double)row_time(row, "since");
}

static void draw_severity(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    bool firing = strcmp(row_text(r->row, "state"), "firing") == 0;
    bool page = strcmp(row_text(r->row, "severity"), "page") == 0;
    const char *severity = row_text(r->row, "severity");
    cells_printf(c, cell.x, cell.y, cell.w,
                 !firing ? STYLE_DIM
                 : page  ? STYLE_CRIT
                         : STYLE_WARN,
                 "%s %s",
                 !firing ? "\xe2\x97\x8b"
                 : page  ? "\xe2\x96\xa0"
                         : "\xe2\x96\xb2",
                 !firing       ? "pending"
                 : page        ? "PAGE"
                 : severity[0] ? severity
                               : "firing");
}

static void draw_since(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    char text[WORDS_MAX];
    int64_t since = row_time(r->row, "since");
    cells_text_right(c, cell.x, cell.y, cell.w, STYLE_PLAIN,
                     since ? words_age(text, app_shown_ms(app) - since) : "\xe2\x80\x93");
}

static void draw_alert_name(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_text(c, cell, r->row, "name");
}

static void draw_alert_service(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_text(c, cell, r->row, "service");
}

static void draw_value(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_number(c, cell, "", row_number(r->row, "value"), STYLE_PLAIN);
}

static void draw_summary(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    const char *text = row_text(r->row, "summary");
    cells_text(c, cell.x, cell.y, cell.w, STYLE_PLAIN, text[0] ? text : row_text(r->row, "description"));
}

size_t view_alert_table(struct app *app, struct cells *c, struct box box, enum view_id view,
                        bool (*keep)(const struct app *app, const char *key, const json_t *row))
{
    static const struct column COLUMNS[] = {
        {"", 10, false, 0, draw_severity},
        {"since", 11, true, 0, draw_since},
        {"service", 14, false, 3, draw_alert_service},
        {"alert", 22, false, 2, draw_alert_name},
        {"value", 8, true, 4, draw_value},
        {"what", 0, false, 0, draw_summary},
    };
    struct row *rows;
    size_t n = table_rows(app, view, "alerts", rank_alert, keep, &rows);
    if (n > 0)
        table_draw(app, c, box, view, COLUMNS, ARRAY_LEN(COLUMNS), rows, n);
    return n;
}

/* What an alert says: summary, description, its labels, its value and expression; as view_wrapped. */
static int draw_alert(struct cells *c, struct box box, const json_t *row)
{
    char value[WORDS_MAX], line[WORDS_MAX + 16];
    struct buf labels;
    buf_init(&labels, 16384);
    const char *name;
    json_t *text;
    json_object_foreach(json_object_get(row, "labels"), name, text)
    {
        buf_printf(&labels, "%s%s=\"%s\"", labels.len ? " " : "", name,
                   json_is_string(text) ? json_string_value(text) : "");
    }
    snprintf(line, sizeof line, "value %s", words_count(value, row_number(row, "value")));
    const struct {
        const char *text;
        enum cell_style style;
    } PARTS[] = {{row_text(row, "summary"), STYLE_BOLD},
                 {row_text(row, "description"), STYLE_PLAIN},
                 {labels.data && !buf_error(&labels) ? labels.data : "", STYLE_DIM},
                 {line, STYLE_DIM},
                 {row_text(row, "expr"), STYLE_DIM},
                 {row_text(row, "runbook"), STYLE_DIM}};
    int y = 0;
    for (size_t i = 0; i < ARRAY_LEN(PARTS); i++)
        y += view_wrapped(c, (struct box){box.x, box.y + y, box.w, box.h > y ? box.h - y : 0}, 0, PARTS[i].style,
                          PARTS[i].text);
    buf_done(&labels);
    return y;
}

void view_alerts(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    size_t n = table_rows(app, VIEW_ALERTS, "alerts", rank_alert, NULL, &rows);
    /* the same row that the table selects below */
    const struct list *l = &app->lists[VIEW_ALERTS];
    const json_t *row = n > 0 ? rows[l->at > 0 && (size_t)l->at < n ? l->at : 0].row : NULL;
    if (l->key[0] != '\0' && model_row(app_model(app), "alerts", l->key))
        row = model_row(app_model(app), "alerts", l->key);
    int lines = row ? 1 + draw_alert(c, (struct box){box.x, box.y, box.w, 0}, row) : 0;
    int free_lines = box.h - (int)n - 2, most = free_lines > box.h / 2 ? free_lines : box.h / 2;
    int detail = box.h < 10 ? 0 : lines < most ? lines : most;
    struct box list = {box.x, box.y, box.w, box.h - detail};
    if (view_alert_table(app, c, list, VIEW_ALERTS, NULL) == 0) {
        bool filtered = app->filters[VIEW_ALERTS].text[0] != '\0';
        bool old = app_is_old(app);
        cells_text(c, box.x, box.y, box.w,
                   filtered ? STYLE_PLAIN
                   : old    ? STYLE_UNKNOWN
                            : STYLE_OK,
                   filtered ? "no alert matches the filter"
                   : old    ? "\xe2\x97\x8b no alert fired when it was last known"
                            : "\xe2\x97\x8f no alert fires, none is pending");
        return;
    }
    row = model_row(app_model(app), "alerts", l->key);
    if (!detail || !row)
        return;
    draw_alert(c,
               screen_section(c, (struct box){box.x, box.y + box.h - detail, box.w, detail}, row_text(row, "name"),
                              "Enter: its chart"),
               row);
}
