/* event.c - the sale: orders and revenue by market and currency beside plan and last event, services, alerts, notes. */
#include <math.h>

#include "tui/plan.h"
#include "tui/view/views.h"

/* A market with several channels or services: the event knows it as a whole only. */
static size_t rows_of_market(const struct app *app, const json_t *row)
{
    size_t n = 0;
    const char *key;
    json_t *other;
    json_object_foreach(model_section(app_model(app), "markets"), key, other)
    {
        n += strcmp(row_text(other, "market"), row_text(row, "market")) == 0 &&
                     strcmp(row_text(other, "currency"), row_text(row, "currency")) == 0
                 ? 1
                 : 0;
    }
    return n;
}

/* The event's market that this row is the whole of; NULL: there is none, or the row is a part of it. */
static const json_t *event_market(const struct app *app, const json_t *row)
{
    json_t *market = json_object_get(json_object_get(plan_event(app), "markets"), row_text(row, "market"));
    if (!market || strcmp(row_text(market, "currency"), row_text(row, "currency")) != 0)
        return NULL;
    return json_is_true(json_object_get(row, "whole")) || rows_of_market(app, row) == 1 ? market : NULL;
}

static bool is_part(const struct app *app, const json_t *row)
{
    return !json_is_true(json_object_get(row, "whole")) && rows_of_market(app, row) > 1;
}

/* {"now","plan","last"} of a market in the event's row; NAN without an event. */
static double planned(const struct app *app, const json_t *row, const char *figure, const char *which)
{
    return row_in(event_market(app, row), figure, which);
}

static int compare_markets(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    return strcmp(x->key, y->key);
}

/* Rows of markets, the largest plan first and then by name: not by what comes in now, because rows and graphs that change places
 * each second cannot be read. */
static size_t market_rows(struct app *app, enum view_id view, struct row **ret)
{
    size_t n = table_rows(app, view, "markets", NULL, NULL, ret);
    const json_t *markets = json_object_get(plan_event(app), "markets");
    for (size_t i = 0; i < n; i++) {
        const json_t *market = json_object_get(markets, row_text((*ret)[i].row, "market"));
        double plan = row_in(json_object_get(market, "total"), "orders", "plan");
        (*ret)[i].rank = isnan(plan) ? 0 : plan;
    }
    qsort(*ret, n, sizeof **ret, compare_markets);
    return n;
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
    if (is_part(app, r->row))
        return; /* the plan is of the market */
    cell_number(c, cell, "", planned(app, r->row, "orders", "plan"), STYLE_PLAN);
}
static void draw_orders_last(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    if (is_part(app, r->row))
        return; /* the plan is of the market */
    cell_number(c, cell, "", planned(app, r->row, "orders", "last"), STYLE_LAST);
}
static void draw_revenue(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    (void)app;
    cell_number(c, cell, "", row_number(r->row, "revenue_per_minute"), STYLE_BOLD);
}
static void draw_revenue_plan(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    if (is_part(app, r->row))
        return; /* the plan is of the market */
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

static void draw_so_far(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    if (is_part(app, r->row))
        return; /* the plan is of the market */
    cell_number(c, cell, "", row_in(json_object_get(event_market(app, r->row), "total"), "orders", "now"), STYLE_PLAIN);
}
/* "101 (96-106) 72 %": where the market's orders will end, four times in five between the two; and of the plan. Without the interval
 * where the column is narrow; when the event is over, what the market came to. */
static void draw_pace(const struct app *app, struct cells *c, struct box cell, const struct row *r)
{
    const json_t *pace = json_object_get(json_object_get(event_market(app, r->row), "on_pace_for"), "orders");
    char at[WORDS_MAX], low[WORDS_MAX], high[WORDS_MAX], share[WORDS_MAX], text[4 * WORDS_MAX + 16];
    double v = row_number(pace, "at"), of = row_number(pace, "plan"), most = row_number(pace, "high");
    if (plan_is_over(app)) {
        const json_t *total = json_object_get(event_market(app, r->row), "total");
        v = most = row_in(total, "orders", "now");
        of = row_in(total, "orders", "plan");
    }
    if (isnan(v))
        return;
    snprintf(text, sizeof text, "%s (%s-%s) %s", words_count(at, round(v)),
             words_count(low, round(row_number(pace, "low"))), words_count(high, round(most)),
             of > 0 ? words_ratio(share, v / of) : "");
    if (plan_is_over(app) || cells_text_width(text) > cell.w)
        snprintf(text, sizeof text, "%s %s", at, of > 0 ? share : "");
    cells_text_right(c, cell.x, cell.y, cell.w, most < of ? STYLE_WARN : STYLE_PLAIN, text);
}

static const struct column COLUMNS[] = {
    {"market", 8, false, 0, draw_market},
    {"channel", 8, false, 4, draw_channel},
    {"service", 10, false, 6, draw_market_service},
    {"orders/min", 10, true, 0, draw_orders},
    {"revenue/min", 11, true, 0, draw_revenue},
    {"", 4, false, 0, draw_currency},
    {"orders/min over time", 0, false, 1, draw_orders_line},
};
#define EVENT_CHANNEL 1
#define EVENT_PACE 7
#define WIDE 100 /* columns from which the interval of a pace has room */
#define PACE_NARROW_WIDTH 11
static const struct column EVENT_COLUMNS[] = {
    {"market", 8, false, 0, draw_market},
    {"channel", 7, false, 7, draw_channel},
    {"service", 10, false, 8, draw_market_service},
    {"orders/min", 10, true, 0, draw_orders},
    {"plan", 6, true, 2, draw_orders_plan},
    {"last", 6, true, 4, draw_orders_last},
    {"so far", 7, true, 6, draw_so_far},
    {"on pace for", 24, true, 1, draw_pace},
    {"revenue/min", 11, true, 0, draw_revenue},
    {"plan", 7, true, 3, draw_revenue_plan},
    {"", 4, false, 0, draw_currency},
    {"orders/min over time", 0, false, 5, draw_orders_line},
};

static bool same_market(const json_t *a, const json_t *b)
{
    return strcmp(row_text(a, "market"), row_text(b, "market")) == 0 &&
           strcmp(row_text(a, "currency"), row_text(b, "currency")) == 0;
}

/* All channels of a market as one row; NULL without memory. It lives until the next drawing. */
static json_t *whole_market(struct app *app, const struct row *rows, size_t n, const json_t *of)
{
    static const char *const FIGURES[] = {"orders_per_minute", "revenue_per_minute"};
    json_t *whole = json_pack("{s:s,s:s,s:s,s:b}", "market", row_text(of, "market"), "channel", "all", "currency",
                              row_text(of, "currency"), "whole", 1);
    if (!whole || json_array_append_new(app->made, whole) < 0)
        return NULL;
    for (size_t f = 0; f < ARRAY_LEN(FIGURES); f++) {
        double sum = NAN;
        for (size_t i = 0; i < n; i++) {
            double v = same_market(rows[i].row, of) ? row_number(rows[i].row, FIGURES[f]) : NAN;
            sum = isnan(v) ? sum : (isnan(sum) ? 0 : sum) + v;
        }
        if (isfinite(sum) && json_object_set_new(whole, FIGURES[f], json_real(sum)) < 0)
            return NULL;
    }
    return whole;
}

/* A channel of a market with others that had no order as far as is remembered: its row would only push others away. */
static bool is_idle(const struct app *app, const struct row *r)
{
    char track[512];
    double mean;
    snprintf(track, sizeof track, "orders|%s", r->key);
    return is_part(app, r->row) && !(row_number(r->row, "orders_per_minute") > 0) &&
           history_window(app_history(app), track, app_edge_ms(app), HISTORY_SECONDS, 1, &mean) > 0 && mean == 0;
}

/* A market of the event that comes in several rows gets one for all of them, its parts below it. */
static size_t with_whole_markets(struct app *app, struct row **rows, size_t n, bool *ret_any)
{
    struct row *out = arena_array(&app->frame, 2 * n + 1, sizeof *out);
    size_t used = 0;
    *ret_any = false;
    if (!out || !plan_event(app))
        return n;
    for (size_t i = 0; i < n; i++) {
        const json_t *row = (*rows)[i].row;
        bool is_first = true;
        for (size_t k = 0; k < i; k++)
            is_first = is_first && !same_market((*rows)[k].row, row);
        if (!is_first)
            continue; /* stands below its market already */
        json_t *whole = rows_of_market(app, row) > 1 ? whole_market(app, *rows, n, row) : NULL;
        char *key = arena_printf(&app->frame, "%s/%s", row_text(row, "market"), row_text(row, "currency"));
        if (whole && key) {
            out[used++] = (struct row){key, whole, 0};
            *ret_any = true;
        }
        for (size_t k = i; k < n; k++)
            if (same_market((*rows)[k].row, row) && !is_idle(app, &(*rows)[k]))
                out[used++] = (*rows)[k];
    }
    *rows = out;
    return used;
}

/* ---- the first line: how far it is, and what it will come to ------------------------------------------------ */

struct piece {
    enum cell_style style;
    char text[200];
};

/* Long words, or short ones for a narrow terminal. Returns how many pieces there are. */
static size_t countdown_pieces(const struct app *app, bool brief, struct piece pieces[4])
{
    char a[WORDS_MAX], b[WORDS_MAX], share[WORDS_MAX], words[160];
    double now = plan_sum(app, "total", "now"), plan = plan_sum(app, "total", "plan"),
           last = plan_sum(app, "total", "last"), pace = plan_sum(app, "on_pace_for", "at"),
           whole = plan_sum(app, "on_pace_for", "plan");
    size_t n = 0;
    bool over = plan_is_over(app);
    if (over) {
        pace = now;
        whole = plan;
    }
    screen_event_words(app, words, sizeof words);
    pieces[n].style = STYLE_BOLD;
    snprintf(pieces[n++].text, sizeof pieces->text, "%s", words);
    if (!isnan(now) && !isnan(plan)) {
        pieces[n].style = STYLE_PLAIN;
        snprintf(pieces[n++].text, sizeof pieces->text,
                 brief  ? "%s of %s orders"
                 : over ? "%s orders in all, plan %s"
                        : "%s orders so far, plan %s",
                 words_count(a, round(now)), words_count(b, round(plan)));
    } else if (!isnan(now)) {
        pieces[n].style = STYLE_PLAIN;
        snprintf(pieces[n++].text, sizeof pieces->text, over ? "%s orders in all" : "%s orders so far",
                 words_count(a, round(now)));
    }
    if (!isnan(last) && !brief) {
        pieces[n].style = STYLE_LAST;
        snprintf(pieces[n++].text, sizeof pieces->text, "last event %s", words_count(a, round(last)));
    }
    if (!isnan(pace) && whole > 0) {
        pieces[n].style = pace < .95 * whole ? STYLE_WARN : STYLE_OK;
        words_ratio(share, pace / whole);
        if (brief || over)
            snprintf(pieces[n++].text, sizeof pieces->text, over ? "final %s" : "pace %s", share);
        else
            snprintf(pieces[n++].text, sizeof pieces->text, "on pace for %s of %s (%s)", words_count(a, round(pace)),
                     words_count(b, round(whole)), share);
    }
    return n;
}

static void draw_countdown(struct app *app, struct cells *c, struct box line)
{
    struct piece pieces[4];
    size_t n = countdown_pieces(app, false, pieces);
    int width = 0, x = line.x;
    for (size_t i = 0; i < n; i++)
        width += cells_text_width(pieces[i].text) + (i > 0 ? 3 : 0);
    if (width > line.w)
        n = countdown_pieces(app, true, pieces);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            x += cells_text(c, x, line.y, line.x + line.w - x, STYLE_DIM, " \xc2\xb7 ");
        x += cells_text(c, x, line.y, line.x + line.w - x, pieces[i].style, pieces[i].text);
    }
}

static void draw_services_strip(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    size_t n = table_rows(app, VIEWS, "services", rank_trouble, NULL, &rows);
    int x = box.x, y = box.y;
    for (size_t i = 0; i < n; i++) {
        const struct state_look *look = screen_state_now(app, row_text(rows[i].row, "state"));
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
    size_t n = table_rows(app, VIEWS, "annotations", rank_time, NULL, &rows);
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

/* The currencies that orders are paid in, in the order of the markets; each has a graph of its own because they are not added up. */
static size_t currencies(struct app *app, const char **ret, size_t max)
{
    struct row *rows;
    size_t n = market_rows(app, VIEWS, &rows), found = 0;
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
               &(struct graph_of){.title = "orders/min",
                                  .track = "orders|",
                                  .suffix = "",
                                  .signal = "",
                                  .figure = "orders",
                                  .style = STYLE_NOW});
    for (size_t i = 0; i < n; i++) {
        char title[64];
        struct box at = {box.x + (w + 2) * ((int)i + 1), box.y, w, box.h};
        snprintf(title, sizeof title, "revenue/min %s", money[i]);
        char suffix[32]; /* tracks end in the currency */
        snprintf(suffix, sizeof suffix, "/%s", money[i]);
        view_graph(app, c, at,
                   &(struct graph_of){.title = title,
                                      .track = "revenue|",
                                      .suffix = suffix,
                                      .signal = "",
                                      .figure = "revenue",
                                      .currency = money[i],
                                      .style = STYLE_OK});
    }
}

void view_event(struct app *app, struct cells *c, struct box box)
{
    struct row *rows;
    struct box rest = box;
    bool has_event = plan_event(app) != NULL;
    size_t n = market_rows(app, VIEW_EVENT, &rows);
    bool has_parts;
    n = with_whole_markets(app, &rows, n, &has_parts);
    struct column columns[ARRAY_LEN(EVENT_COLUMNS)];
    memcpy(columns, EVENT_COLUMNS, sizeof columns);
    if (has_parts)
        columns[EVENT_CHANNEL].drop = 0; /* else parts and whole look alike */
    if (plan_is_over(app))
        columns[EVENT_PACE].title = "final";
    if (plan_is_over(app) || box.w < WIDE)
        columns[EVENT_PACE].width = PACE_NARROW_WIDTH;
    if (has_event)
        draw_countdown(app, c, take_lines(&rest, 1));
    if (box.h >= 14) {
        draw_graphs(app, c, take_lines(&rest, box.h / 3));
        if (box.h >= 20)
            take_lines(&rest, 1);
    }
    size_t alerts = json_object_size(model_section(app_model(app), "alerts"));
    int below = rest.h >= 12 ? 2 + 1 + (alerts ? 2 + (int)(alerts < 4 ? alerts : 4) : 0) + 4 : 2;
    int table = rest.h - below > 2 ? rest.h - below : 3;
    if (table > (int)n + 1)
        table = (int)n + 1;
    struct box list = take_lines(&rest, table);
    if (n > 0)
        table_draw(app, c, list, VIEW_EVENT, has_event ? columns : COLUMNS,
                   has_event ? ARRAY_LEN(EVENT_COLUMNS) : ARRAY_LEN(COLUMNS), rows, n);
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
