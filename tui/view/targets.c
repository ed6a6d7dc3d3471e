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
    (void)app;
    const char *health = row_text(r->row, "health");
    bool up = strcmp(health, "up") == 0, down = strcmp(health, "down") == 0;
    cells_printf(c, cell.x, cell.y, cell.w,
                 up     ? STYLE_OK
                 : down ? STYLE_CRIT
                        : STYLE_UNKNOWN,
                 "%s %s",
                 up     ? "\xe2\x97\x8f"
                 : down ? "\xe2\x96\xa0"
                        : "\xe2\x97\x8b",
                 up || down ? health : "unknown");
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
    {"health", 9, false, 0, draw_health},    {"target", 26, false, 0, draw_target},
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
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++)
        n += json_is_true(json_object_get(json_object_get(json_object_get(row, "signals"), SIGNALS[i]), "present")) ? 0
                                                                                                                    : 1;
    return n;
}

static double rank_blind(const char *key, const json_t *row)
{
    (void)key;
    return (double)blind_of(row);
}

static void draw_coverage(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    size_t n = table_rows(app, VIEW_TARGETS, "coverage", rank_blind, NULL, &rows);
    bool wide = box.w >= 130;
    int step = wide ? 14 : 6, name_w = 16;
    cells_fill(c, (struct box){box.x, box.y, box.w, 1}, ' ', STYLE_HEAD);
    cells_text(c, box.x, box.y, name_w, STYLE_HEAD, "service");
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++)
        cells_text(c, box.x + name_w + 1 + (int)i * step, box.y, step - 1, STYLE_HEAD,
                   wide ? SIGNALS[i] : SIGNALS_SHORT[i]);
    int y = box.y + 1;
    for (size_t r = 0; r < n && y < box.y + box.h; r++) {
        const json_t *signals = json_object_get(rows[r].row, "signals");
        cells_text(c, box.x, y, name_w, STYLE_BOLD, rows[r].key);
        for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
            bool present = json_is_true(json_object_get(json_object_get(signals, SIGNALS[i]), "present"));
            cells_text(c, box.x + name_w + 1 + (int)i * step, y, step - 1, present ? STYLE_OK : STYLE_WARN,
                       present ? "\xe2\x97\x8f" : "blind");
        }
        y++;
    }
    for (size_t r = 0; r < n && y < box.y + box.h; r++)
        for (size_t i = 0; i < ARRAY_LEN(SIGNALS) && y < box.y + box.h; i++) {
            const json_t *signal = json_object_get(json_object_get(rows[r].row, "signals"), SIGNALS[i]);
            if (!signal || json_is_true(json_object_get(signal, "present")) || row_text(signal, "cure")[0] == '\0')
                continue;
            bool all = blind_of(rows[r].row) == ARRAY_LEN(SIGNALS);
            if (all && i > 0)
                break; /* one cure will do to begin with */
            int x = box.x + cells_printf(c, box.x, y, box.w, STYLE_WARN, "%s is blind to %s: ", rows[r].key,
                                         all ? "all eight" : SIGNALS[i]);
            cells_text(c, x, y++, box.x + box.w - x, STYLE_PLAIN, row_text(signal, "cure"));
        }
    if (n == 0)
        cells_text(c, box.x, box.y + 1, box.w, STYLE_UNKNOWN, "\xe2\x97\x8b no service is known yet");
}

void view_targets(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    size_t n = table_rows(app, VIEW_TARGETS, "targets", rank_target, NULL, &rows);
    int lines = (int)n + 1 < box.h / 2 ? (int)n + 1 : box.h / 2;
    if (n > 0) {
        table_draw(app, c, (struct box){box.x, box.y, box.w, lines}, VIEW_TARGETS, COLUMNS, ARRAY_LEN(COLUMNS), rows,
                   n);
    } else {
        app->lists[VIEW_TARGETS].rows = 0;
        lines = 1;
        cells_text(c, box.x, box.y, box.w, STYLE_UNKNOWN,
                   app->filters[VIEW_TARGETS].text[0] ? "no target matches the filter"
                                                      : "\xe2\x97\x8b no target is known: does a crest-agent send?");
    }
    struct box rest = {box.x, box.y + lines + 1, box.w, box.h - lines - 1};
    if (rest.h >= 3)
        draw_coverage(app, c, screen_section(c, rest, "coverage: eight signals of each service", NULL));
}
