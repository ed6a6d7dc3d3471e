/* journeys.c - the steps of a sale as a funnel: what comes through, how fast, and what fails, business apart from technical. */
#include <math.h>

#include "tui/view/views.h"

static double rank_step(const char *key, const json_t *row)
{
    (void)key;
    return -row_number(row, "index");
}

/* The largest rate of the same service: visitors may enter at any step. */
static double mouth_of(const struct app *app, const json_t *step)
{
    double most = 0;
    const char *key;
    json_t *row;
    json_object_foreach(model_section(app_model(app), "steps"), key, row)
    {
        double rps = row_number(row, "rps");
        if (rps > most && strcmp(row_text(row, "service"), row_text(step, "service")) == 0)
            most = rps;
    }
    return most;
}

static void draw_step(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_text(c, cell, r->row, "step");
}
static void draw_service(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_text(c, cell, r->row, "service");
}
static void draw_rate(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_number(c, cell, "", row_number(r->row, "rps"), STYLE_PLAIN);
}
static void draw_p95(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    double v = row_number(r->row, "response_seconds:p95");
    cell_number(c, cell, "seconds", v, v > 1 ? STYLE_WARN : STYLE_PLAIN);
}
static void draw_failures(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    double v = row_number(r->row, "failure_ratio");
    cell_number(c, cell, "_ratio", v, v > .05 ? STYLE_CRIT : v > .01 ? STYLE_WARN : STYLE_PLAIN);
}
/* What did not succeed but did not fail technically: declined, out of stock. */
static void draw_business(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    double all = row_number(r->row, "error_ratio"), technical = row_number(r->row, "failure_ratio");
    double business = all - technical;
    cell_number(c, cell, "_ratio", business < 0 ? 0 : business, business > .1 ? STYLE_WARN : STYLE_PLAIN);
}
static void draw_funnel(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    double rps = row_number(r->row, "rps"), mouth = mouth_of(app, r->row);
    if (isnan(rps) || mouth <= 0)
        return;
    char text[WORDS_MAX];
    int room = cell.w - 6, w = (int)lround(rps / mouth * room);
    cells_fill(c, (struct box){cell.x, cell.y, w > 0 ? w : 1, 1}, app->graphs == GRAPH_ASCII ? '#' : 0x2588, STYLE_NOW);
    cells_text(c, cell.x + (w > 0 ? w : 1) + 1, cell.y, 6, STYLE_DIM, words_ratio(text, rps / mouth));
}

void view_journeys(struct app *app, struct cells *c, struct box box)
{
    static const struct column COLUMNS[] = {
        {"step", 14, false, 0, draw_step},
        {"service", 12, false, 3, draw_service},
        {"per s", 7, true, 0, draw_rate},
        {"p95", 8, true, 0, draw_p95},
        {"failures", 8, true, 0, draw_failures},
        {"declined", 8, true, 1, draw_business},
        {"share of the busiest step", 0, false, 2, draw_funnel},
    };
    struct row *rows;
    size_t n = table_rows(app, VIEW_JOURNEYS, "steps", rank_step, NULL, &rows);
    if (n == 0) {
        app->lists[VIEW_JOURNEYS].rows = 0;
        cells_text(c, box.x, box.y, box.w, STYLE_UNKNOWN,
                   app->filters[VIEW_JOURNEYS].text[0]
                       ? "no step matches the filter"
                       : "\xe2\x97\x8b no journey is known: no service brings its checkout steps");
        return;
    }
    struct box list = {box.x, box.y, box.w, box.h > 4 ? box.h - 2 : box.h};
    table_draw(app, c, list, VIEW_JOURNEYS, COLUMNS, ARRAY_LEN(COLUMNS), rows, n);
    if (box.h > 4)
        cells_text(c, box.x, box.y + box.h - 1, box.w, STYLE_DIM,
                   "failures: errors and time-outs \xc2\xb7 declined: cards and stock, what the business refused");
}
