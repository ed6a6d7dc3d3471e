/* targets.c - what is scraped and how that went; which of the eight signals each service is blind to, and the cure. */
#include <math.h>

#include "tui/view/views.h"

static double rank_target(const char *key, const json_t *row)
{
    (void)key;
    const char *health = row_text(row, "health");
    return strcmp(health, "down") == 0 ? 2 : strcmp(health, "up") == 0 ? 0 : 1;
}

static void draw_health(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    const char *health = row_text(r->row, "health");
    bool up = strcmp(health, "up") == 0, down = strcmp(health, "down") == 0;
    const struct state_look *look = screen_state_now(app, up ? "ok" : down ? "crit" : "unknown");
    cells_printf(c, cell.x, cell.y, cell.w, look->style, "%s %s%s", look->shape,
                 app_is_old(app) && (up || down) ? "was " : "", up || down ? health : "unknown");
}
static void draw_target(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cells_text(c, cell.x, cell.y, cell.w, STYLE_BOLD, r->key);
}
static void draw_service(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_text(c, cell, r->row, "service");
}
static void draw_last(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    char text[WORDS_MAX];
    int64_t t = row_time(r->row, "last_scrape");
    cells_text_right(c, cell.x, cell.y, cell.w, STYLE_PLAIN,
                     t ? words_age(text, app_shown_ms(app) - t) : "\xe2\x80\x93");
}
static void draw_duration(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_number(c, cell, "seconds", row_number(r->row, "duration_seconds"), STYLE_PLAIN);
}
static void draw_error(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    const char *error = row_text(r->row, "error");
    cells_text(c, cell.x, cell.y, cell.w, error[0] ? STYLE_CRIT : STYLE_DIM,
               error[0] ? error : row_text(r->row, "url"));
}

static const struct column COLUMNS[] = {
    {"health", 10, false, 0, draw_health},   {"target", 26, false, 0, draw_target},
    {"service", 16, false, 2, draw_service}, {"scraped", 11, true, 1, draw_last},
    {"took", 8, true, 3, draw_duration},     {"error", 0, false, 0, draw_error},
};

/* ---- coverage --------------------------------------------------------------------------------------------- */

static const char *const SIGNALS[] = {"response_time", "errors", "throughput", "checkout",
                                      "payments",      "api",    "cache",      "database"};
static const char *const SIGNALS_SHORT[] = {"resp", "errs", "thru", "chkt", "pay", "api", "cache", "db"};

static size_t blind_of(const json_t *row)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
        const json_t *signal = json_object_get(json_object_get(row, "signals"), SIGNALS[i]);
        n += !json_is_true(json_object_get(signal, "present")) &&
             !json_is_true(json_object_get(signal, "not_applicable"));
    }
    return n;
}

static double rank_blind(const char *key, const json_t *row)
{
    (void)key;
    return (double)blind_of(row);
}

static void draw_coverage_row(struct cells *c, struct box line, int name_w, int step, const struct row *r)
{
    cells_text(c, line.x, line.y, name_w, STYLE_BOLD, r->key);
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
        const json_t *signal = json_object_get(json_object_get(r->row, "signals"), SIGNALS[i]);
        bool present = json_is_true(json_object_get(signal, "present"));
        bool none = json_is_true(json_object_get(signal, "not_applicable"));
        cells_text(c, line.x + name_w + 1 + (int)i * step, line.y, step - 1,
                   present ? STYLE_OK
                   : none  ? STYLE_DIM
                           : STYLE_WARN,
                   present ? "\xe2\x97\x8f"
                   : none  ? "n/a"
                           : "blind");
    }
}

/* The cures of the selected service, else of all: as much as there is room for. */
static void draw_cures(const struct app *app, struct cells *c, struct box box, const struct row *rows, size_t n, int at)
{
    int y = 0;
    if (box.h <= 0)
        return;
    for (size_t r = 0; r < n && y <= box.h; r++)
        if (at < 0 || (size_t)at == r)
            y += view_cures(app, c, (struct box){box.x, box.y + y, box.w, box.h - y}, 0, rows[r].key);
    if (y > box.h)
        cells_text_right(c, box.x, box.y + box.h - 1, box.w, STYLE_DIM, " Enter on a service: all of it ");
}

/* at: the selected row of rows, below 0: none. In the view's list the first of them is row `first`. */
static void draw_coverage(struct app *app, struct cells *c, struct box box, const struct row *rows, size_t n, int at,
                          int first)
{
    bool wide = box.w >= 130;
    int step = wide ? 14 : 6, name_w = 16;
    cells_fill(c, (struct box){box.x, box.y, box.w, 1}, ' ', STYLE_HEAD);
    cells_text(c, box.x, box.y, name_w, STYLE_HEAD, "service");
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++)
        cells_text(c, box.x + name_w + 1 + (int)i * step, box.y, step - 1, STYLE_HEAD,
                   wide ? SIGNALS[i] : SIGNALS_SHORT[i]);
    int room = box.h - 1, shown = (int)n < room - room / 3 ? (int)n : room - room / 3;
    int top = at >= shown ? at - shown + 1 : 0;
    for (int i = 0; i < shown; i++) {
        struct box line = {box.x, box.y + 1 + i, box.w, 1};
        draw_coverage_row(c, line, name_w, step, &rows[top + i]);
        screen_hot(app, line, 0, first + top + i);
        if (top + i == at)
            cells_reverse(c, line);
    }
    draw_cures(app, c, (struct box){box.x, box.y + 1 + shown, box.w, room - shown}, rows, n, at);
    if (n == 0)
        cells_text(c, box.x, box.y + 1, box.w, STYLE_UNKNOWN, "\xe2\x97\x8b no service is known yet");
}

/* Targets and below them the coverage are one list. Returns the selected row of all. */
static int find_selected(struct list *l, const struct row *targets, size_t n, const struct row *coverage, size_t m)
{
    for (size_t i = 0; l->key[0] != '\0' && i < n + m; i++)
        if (strcmp(i < n ? targets[i].key : coverage[i - n].key, l->key) == 0) {
            l->at = (int)i;
            break;
        }
    if (l->at >= (int)(n + m))
        l->at = n + m > 0 ? (int)(n + m) - 1 : 0;
    return l->at;
}

void view_targets(struct app *app, struct cells *c, struct box box)
{
    struct row *rows, *coverage;
    struct list *l = &app->lists[VIEW_TARGETS];
    size_t n = table_rows(app, VIEW_TARGETS, "targets", rank_target, NULL, &rows);
    size_t m = table_rows(app, VIEW_TARGETS, "coverage", rank_blind, NULL, &coverage);
    int at = find_selected(l, rows, n, coverage, m);
    bool in_targets = at < (int)n;
    int lines = (int)n + 1 < box.h / 2 ? (int)n + 1 : box.h / 2;
    if (n > 0) {
        table_draw(app, c, (struct box){box.x, box.y, box.w, lines}, in_targets ? VIEW_TARGETS : VIEWS, COLUMNS,
                   ARRAY_LEN(COLUMNS), rows, n);
        for (int i = 0; !in_targets && i < lines - 1; i++)
            screen_hot(app, (struct box){box.x, box.y + 1 + i, box.w, 1}, 0, i);
    } else {
        lines = 1;
        cells_text(c, box.x, box.y, box.w, STYLE_UNKNOWN,
                   app->filters[VIEW_TARGETS].text[0] ? "no target matches the filter"
                                                      : "\xe2\x97\x8b no target is known: does a crest-agent send?");
    }
    l->rows = (int)(n + m); /* the table knows its own only */
    if (!in_targets)
        snprintf(l->key, sizeof l->key, "%s", m > 0 ? coverage[at - (int)n].key : "");
    struct box rest = {box.x, box.y + lines + 1, box.w, box.h - lines - 1};
    if (rest.h >= 3)
        draw_coverage(app, c, screen_section(c, rest, "coverage: eight signals of each service", "Enter: the cures"),
                      coverage, m, in_targets ? -1 : at - (int)n, (int)n);
}
