/* event.c - the sale: orders and revenue by market and currency beside plan and last event, services, alerts, notes. */
#include <math.h>

#include "tui/view/views.h"

/* {"now","plan","last"} of a market in the event's row; NAN without an event. */
static double planned(const struct app *app, const json_t *market, const char *figure, const char *which)
{
    const char *name;
    json_t *event;
    json_object_foreach(model_section(app_model(app), "event"), name, event)
    {
        const json_t *markets = json_object_get(event, "markets");
        const json_t *of = json_object_get(json_object_get(markets, row_text(market, "market")), figure);
        if (of)
            return row_number(of, which);
    }
    return NAN;
}

static double rank_orders(const char *key, const json_t *row)
{
    (void)key;
    return row_number(row, "orders_per_minute");
}

static void draw_market(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_text(c, cell, r->row, "market");
}
static void draw_channel(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_text(c, cell, r->row, "channel");
}
static void draw_market_service(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_text(c, cell, r->row, "service");
}
static void draw_orders(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    double now = row_number(r->row, "orders_per_minute"), plan = planned(app, r->row, "orders", "plan");
    cell_number(c, cell, "", now, now < plan / 2 ? STYLE_WARN : STYLE_BOLD);
}
static void draw_orders_plan(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    cell_number(c, cell, "", planned(app, r->row, "orders", "plan"), STYLE_PLAN);
}
static void draw_orders_last(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    cell_number(c, cell, "", planned(app, r->row, "orders", "last"), STYLE_LAST);
}
static void draw_revenue(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_number(c, cell, "", row_number(r->row, "revenue_per_minute"), STYLE_BOLD);
}
static void draw_revenue_plan(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    cell_number(c, cell, "", planned(app, r->row, "revenue", "plan"), STYLE_PLAN);
}
static void draw_currency(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_text(c, cell, r->row, "currency");
}
static void draw_orders_line(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    char track[512];
    snprintf(track, sizeof track, "orders|%s", r->key);
    view_spark(app, c, cell, track);
}

static const struct column COLUMNS[] = {
    {"market", 8, false, 0, draw_market},           {"channel", 8, false, 4, draw_channel},
    {"service", 10, false, 6, draw_market_service}, {"orders/min", 10, true, 0, draw_orders},
    {"plan", 7, true, 2, draw_orders_plan},         {"last", 7, true, 3, draw_orders_last},
    {"revenue/min", 11, true, 0, draw_revenue},     {"", 4, false, 0, draw_currency},
    {"plan", 8, true, 5, draw_revenue_plan},        {"orders/min over time", 0, false, 1, draw_orders_line},
};

static double sum_of(const struct app *app, const char *which)
{
    double sum = NAN;
    const char *name, *market;
    json_t *event, *row;
    json_object_foreach(model_section(app_model(app), "event"), name, event)
    {
        json_object_foreach(json_object_get(event, "markets"), market, row)
        {
            double v = row_in(row, "orders", which);
            if (!isnan(v))
                sum = (isnan(sum) ? 0 : sum) + v;
        }
    }
    return sum;
}

static void draw_services_strip(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    struct filter kept = app->filters[VIEW_EVENT]; /* the filter is for the markets */
    app->filters[VIEW_EVENT] = (struct filter){0};
    size_t n = table_rows(app, VIEW_EVENT, "services", rank_trouble, NULL, &rows);
    app->filters[VIEW_EVENT] = kept;
    int x = box.x, y = box.y;
    for (size_t i = 0; i < n; i++) {
        const struct state_look *look = screen_state(row_text(rows[i].row, "state"));
        char text[160];
        snprintf(text, sizeof text, "%s %s %s", look->shape, rows[i].key, look->state);
        int w = cells_text_width(text);
        if (x + w > box.x + box.w) {
            x = box.x;
            y++;
        }
        if (y >= box.y + box.h) {
            cells_text_right(c, box.x, box.y + box.h - 1, box.w, STYLE_DIM, " and more: 2");
            return;
        }
        x += cells_text(c, x, y, box.x + box.w - x, look->style, text) + 3;
    }
    if (n == 0)
        cells_text(c, box.x, box.y, box.w, STYLE_UNKNOWN, "\xe2\x97\x8b no service is known yet");
}

static double rank_time(const char *key, const json_t *row)
{
    (void)key;
    return (double)row_time(row, "t");
}

static void draw_notes(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    size_t n = table_rows(app, VIEW_HELP, "annotations", rank_time, NULL, &rows);
    for (size_t i = 0; i < n && (int)i < box.h; i++) {
        char clock[WORDS_MAX];
        int x = box.x + cells_printf(c, box.x, box.y + (int)i, box.w, STYLE_DIM, "%s %-6s ",
                                     words_clock(clock, row_time(rows[i].row, "t")), row_text(rows[i].row, "kind"));
        cells_text(c, x, box.y + (int)i, box.x + box.w - x, STYLE_PLAIN, row_text(rows[i].row, "text"));
    }
    if (n == 0)
        cells_text(c, box.x, box.y, box.w, STYLE_DIM, "none yet; n writes one");
}

static struct box take_lines(struct box *rest, int lines)
{
    struct box top = {rest->x, rest->y, rest->w, lines < rest->h ? lines : rest->h};
    rest->y += top.h;
    rest->h -= top.h;
    return top;
}

/* The currencies that orders are paid in, most orders first; each has a graph of its own because they are not added up. */
static size_t currencies(struct app *app, const char **ret, size_t max)
{
    struct row *rows;
    struct filter kept = app->filters[VIEW_EVENT];
    app->filters[VIEW_EVENT] = (struct filter){0};
    size_t n = table_rows(app, VIEW_EVENT, "markets", rank_orders, NULL, &rows), found = 0;
    app->filters[VIEW_EVENT] = kept;
    for (size_t i = 0; i < n && found < max; i++) {
        const char *currency = row_text(rows[i].row, "currency");
        size_t k = 0;
        while (k < found && strcmp(ret[k], currency) != 0)
            k++;
        if (k == found && currency[0] != '\0')
            ret[found++] = currency;
    }
    return found;
}

static void draw_graphs(struct app *app, struct cells *c, struct box box)
{
    const char *money[3];
    size_t n = currencies(app, money, box.w >= 150 ? 3 : box.w >= 100 ? 2 : 1);
    int parts = (int)n + 1, w = (box.w - 2 * (parts - 1)) / parts;
    view_graph(app, c, (struct box){box.x, box.y, w, box.h},
               &(struct graph_of){"orders/min", "orders|", "", "", sum_of(app, "plan"), STYLE_NOW});
    for (size_t i = 0; i < n; i++) {
        char title[64];
        struct box at = {box.x + (w + 2) * ((int)i + 1), box.y, w, box.h};
        snprintf(title, sizeof title, "revenue/min %s", money[i]);
        char suffix[32]; /* tracks end in the currency */
        snprintf(suffix, sizeof suffix, "/%s", money[i]);
        view_graph(app, c, at, &(struct graph_of){title, "revenue|", suffix, "", NAN, STYLE_OK});
    }
}

void view_event(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    struct box rest = box;
    size_t n = table_rows(app, VIEW_EVENT, "markets", rank_orders, NULL, &rows);
    if (box.h >= 14) {
        draw_graphs(app, c, take_lines(&rest, box.h / 3));
        take_lines(&rest, 1);
    }
    size_t alerts = json_object_size(model_section(app_model(app), "alerts"));
    int below = rest.h >= 12 ? 2 + 1 + (alerts ? 2 + (int)(alerts < 4 ? alerts : 4) : 0) + 4 : 2;
    int table = rest.h - below > 2 ? rest.h - below : 3;
    if (table > (int)n + 1)
        table = (int)n + 1;
    struct box list = take_lines(&rest, table);
    if (n > 0)
        table_draw(app, c, list, VIEW_EVENT, COLUMNS, ARRAY_LEN(COLUMNS), rows, n);
    else
        cells_text(c, list.x, list.y, list.w, STYLE_UNKNOWN,
                   app->filters[VIEW_EVENT].text[0]
                       ? "no market matches the filter"
                       : "\xe2\x97\x8b orders are not known: no service brings commerce:orders_per_minute");
    if (rest.h < 2)
        return;
    if (rest.h >= 14)
        take_lines(&rest, 1);
    struct box strip = screen_section(c, take_lines(&rest, rest.h >= 12 ? 3 : 2), "services", "2");
    draw_services_strip(app, c, strip);
    if (alerts && rest.h >= 4) {
        struct box at = screen_section(c, take_lines(&rest, 2 + (int)(alerts < 4 ? alerts : 4)), "alerts", "4");
        view_alert_table(app, c, at, VIEWS, NULL);
    }
    if (rest.h >= 2)
        draw_notes(app, c, screen_section(c, rest, "annotations", "n"));
}
