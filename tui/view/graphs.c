/* graphs.c - lines of values over time, and the moment that is shown as a line through all of them. */
#include <math.h>

#include "tui/plan.h"
#include "tui/view/views.h"

/* The cell column of the shown moment, -1: none in this time. */
static int cursor_at(const struct app *app, int cells_wide, int64_t to_ms, int64_t span_ms)
{
    if (!app->shown_ms || span_ms <= 0)
        return -1;
    int64_t into = app->shown_ms - (to_ms - span_ms);
    return into < 0 || into >= span_ms ? -1 : (int)(into * cells_wide / span_ms);
}

void view_area(struct app *app, struct cells *c, struct box area, const double *v, size_t n, double low, double top,
               enum cell_style style, int64_t to_ms, int64_t span_ms)
{
    int cursor = cursor_at(app, area.w, to_ms, span_ms);
    struct box left = area, right = area;
    size_t per_cell = graph_columns(app->graphs, 1), left_n = n;
    if (cursor >= 0) { /* what came later is dim */
        left.w = cursor + 1;
        right.x += left.w;
        right.w -= left.w;
        left_n = (size_t)left.w * per_cell < n ? (size_t)left.w * per_cell : n;
        graph_area(c, right, v + left_n, n - left_n, low, top, app->graphs, STYLE_DIM);
    }
    graph_area(c, left, v, left_n, low, top, app->graphs, style);
    if (app->n_hot < HOT_MAX)
        app->hot[app->n_hot++] = (struct hot){.box = area, .from_ms = to_ms - span_ms, .span_ms = span_ms};
}

void view_cursor(const struct app *app, struct cells *c, struct box area, int64_t to_ms, int64_t span_ms)
{
    int cursor = cursor_at(app, area.w, to_ms, span_ms);
    for (int y = 0; cursor >= 0 && y < area.h; y++)
        cells_put(c, area.x + cursor, area.y + y, app->graphs == GRAPH_ASCII ? ':' : 0x2502, STYLE_TITLE);
}

static unsigned window_s(const struct app *app)
{
    return app->window_s < HISTORY_SECONDS ? app->window_s : HISTORY_SECONDS;
}

static size_t values_of(const struct app *app, const struct graph_of *g, int64_t to_ms, unsigned seconds, size_t n,
                        double *out)
{
    return g->suffix ? history_window_sum(app_history(app), g->track, g->suffix, to_ms, seconds, n, out)
                     : history_window(app_history(app), g->track, to_ms, seconds, n, out);
}

/* "plan 85" behind the title; returns the columns used. */
static int draw_beside(const struct app *app, struct cells *c, int x, int y, int columns, const struct graph_of *g,
                       const char *which, enum cell_style style)
{
    char text[WORDS_MAX];
    double v = NAN;
    struct plan_line line = {g->figure, which, g->currency};
    int64_t at_ms = app_shown_ms(app), starts_ms = app->curves.starts_ms;
    bool known = plan_window(app, &line, at_ms, 1, 1, &v) > 0;
    if (!known && app->curves.markets && starts_ms > at_ms) /* before doors open: what they open with */
        known = plan_window(app, &line, starts_ms, 1, 1, &v) > 0;
    if (!known)
        return 0;
    int w = (int)strlen(which) + 1 + cells_text_width(words_signal(text, g->signal, v));
    return w > columns ? 0 : cells_printf(c, x, y, columns, style, "%s %s", which, text) + 1;
}

void view_graph(struct app *app, struct cells *c, struct box box, const struct graph_of *g)
{
    static const struct {
        const char *which;
        enum cell_style style;
    } BESIDE[] = {{"plan", STYLE_PLAN}, {"last", STYLE_LAST}};
    char text[WORDS_MAX], window[WORDS_MAX];
    if (box.w < 8 || box.h < 2)
        return;
    struct box area = {box.x, box.y + 1, box.w, box.h - 1};
    size_t n = graph_columns(app->graphs, area.w), known, known_beside[2] = {0};
    double *v = arena_array(&app->frame, 3 * n + 1, sizeof *v),
           now = NAN; /* of this second, not the mean of a column */
    if (!v)
        return;
    unsigned seconds = window_s(app);
    int64_t to_ms = g->figure ? plan_edge_ms(app, app_edge_ms(app), seconds) : app_edge_ms(app),
            end_ms = history_end_ms(to_ms, seconds, n), span_ms = (int64_t)seconds * 1000 / (int64_t)n * (int64_t)n;
    known = values_of(app, g, to_ms, seconds, n, v);
    values_of(app, g, app_shown_ms(app), 1, 1, &now);
    double top = graph_top(v, n, 0);
    for (size_t i = 0; g->figure && i < ARRAY_LEN(BESIDE); i++) {
        double *beside = v + (i + 1) * n;
        struct plan_line line = {g->figure, BESIDE[i].which, g->currency};
        known_beside[i] = plan_window(app, &line, to_ms, seconds, n, beside);
        if (known_beside[i] > 0)
            top = graph_top(beside, n, top);
    }
    int x = box.x + cells_text(c, box.x, box.y, box.w, STYLE_BOLD, g->title) + 1;
    x += cells_text(c, x, box.y, box.x + box.w - x, g->style, words_signal(text, g->signal, now)) + 1;
    for (size_t i = 0; g->figure && i < ARRAY_LEN(BESIDE); i++)
        x += draw_beside(app, c, x, box.y, box.x + box.w - x, g, BESIDE[i].which, BESIDE[i].style);
    if (known == 0 && known_beside[0] == 0 && known_beside[1] == 0) {
        cells_text(c, area.x, area.y, area.w, STYLE_DIM, "no values yet");
        return;
    }
    view_area(app, c, area, v, n, 0, top, g->style, end_ms, span_ms);
    for (size_t i = ARRAY_LEN(BESIDE); i-- > 0;)
        if (known_beside[i] > 0)
            graph_line(c, area, v + (i + 1) * n, n, 0, top, app->graphs, BESIDE[i].style, i == 0 ? 1 : 2);
    view_cursor(app, c, area, end_ms, span_ms);
    char scale[2 * WORDS_MAX + 8];
    snprintf(scale, sizeof scale, "%s max \xc2\xb7 %s", words_signal(text, g->signal, top),
             seconds % 60 ? words_age(window, (int64_t)seconds * 1000)
                          : (snprintf(window, sizeof window, "%u min", seconds / 60), window));
    if (cells_text_width(scale) + x + 1 < box.x + box.w)
        cells_text_right(c, box.x, box.y, box.w, STYLE_DIM, scale);
}

void view_spark(const struct app *app, struct cells *c, struct box cell, const char *track)
{
    double v[512];
    enum graph_mode mode = app->graphs;
    size_t n = graph_columns(mode, cell.w);
    if (n == 0)
        return;
    if (n > ARRAY_LEN(v))
        n = ARRAY_LEN(v);
    unsigned seconds = window_s(app);
    int64_t to_ms = app_edge_ms(app);
    if (history_window(app_history(app), track, to_ms, seconds, n, v) == 0)
        return;
    double top = graph_top(v, n, 0);
    if (mode == GRAPH_ASCII) { /* one line of ASCII has four heights */
        for (size_t i = 0; i < n; i++)
            if (!isnan(v[i]))
                cells_put(c, cell.x + (int)i, cell.y,
                          (uint32_t) "_.-^"[v[i] <= 0     ? 0
                                            : v[i] >= top ? 3
                                                          : (int)(v[i] / top * 4)],
                          STYLE_NOW);
    } else {
        graph_area(c, cell, v, n, 0, top, mode, STYLE_NOW);
    }
    view_cursor(app, c, cell, history_end_ms(to_ms, seconds, n), (int64_t)seconds * 1000 / (int64_t)n * (int64_t)n);
}
