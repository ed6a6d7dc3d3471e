/* explore.c - any PromQL: the selected series as a graph, all of them as a table. */
#include <math.h>

#include "tui/view/views.h"

/* At the shown moment, else the newest. */
static double value_of(const struct app *app, const struct explore_series *s)
{
    const struct explore *e = &app->explore;
    if (!app->shown_ms)
        return s->last;
    int64_t at = e->step_ms > 0 ? (app->shown_ms - e->from_ms) / e->step_ms : -1;
    return at >= 0 && (size_t)at < e->n_points ? s->values[at] : NAN;
}

static void draw_series_graph(struct app *app, struct cells *c, struct box box, const struct explore_series *s)
{
    const struct explore *e = &app->explore;
    size_t n = graph_columns(app->graphs, box.w);
    double *v = arena_array(&app->frame, n + 1, sizeof *v), low = 0, high = -INFINITY;
    if (!v || n == 0 || box.h < 2)
        return;
    for (size_t i = 0; i < n; i++) {
        v[i] = e->n_points > 0 ? s->values[i * e->n_points / n] : NAN;
        if (isfinite(v[i]) && v[i] < low)
            low = v[i];
        if (isfinite(v[i]) && v[i] > high)
            high = v[i];
    }
    char top[WORDS_MAX], bottom[WORDS_MAX], from[WORDS_MAX], to[WORDS_MAX];
    high = graph_top(&high, 1, 0);
    struct box area = {box.x, box.y, box.w, box.h - 1};
    int64_t span_ms = e->to_ms - e->from_ms + e->step_ms;
    view_area(app, c, area, v, n, low, high, STYLE_NOW, e->to_ms + e->step_ms, span_ms);
    view_cursor(app, c, area, e->to_ms + e->step_ms, span_ms);
    cells_printf(c, box.x, box.y + box.h - 1, box.w, STYLE_DIM, "%s to %s UTC \xc2\xb7 %s at the top, %s at the bottom",
                 words_clock(from, e->from_ms), words_clock(to, e->to_ms), words_count(top, high),
                 words_count(bottom, low));
}

static void draw_series_row(struct app *app, struct cells *c, struct box line, size_t i)
{
    const struct explore *e = &app->explore;
    const struct explore_series *s = &e->series[i];
    int graph = line.w >= 100 ? 30 : 16;
    char text[WORDS_MAX];
    cells_text(c, line.x, line.y, line.w - graph - 14, STYLE_PLAIN, s->labels[0] ? s->labels : "{}");
    cells_text_right(c, line.x + line.w - graph - 13, line.y, 12, STYLE_BOLD, words_count(text, value_of(app, s)));
    size_t n = graph_columns(app->graphs, graph);
    double v[128];
    for (size_t k = 0; k < n && k < ARRAY_LEN(v); k++)
        v[k] = e->n_points > 0 ? s->values[k * e->n_points / n] : NAN;
    struct box area = {line.x + line.w - graph, line.y, graph, 1};
    graph_area(c, area, v, n, 0, graph_top(v, n, 0), app->graphs, STYLE_NOW);
    view_cursor(app, c, area, e->to_ms + e->step_ms, e->to_ms - e->from_ms + e->step_ms);
}

/* Rows that the filter shows; indices into the series. */
static size_t shown_series(struct app *app, size_t *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < app->explore.n_series; i++)
        if (filter_shows(&app->filters[VIEW_EXPLORE], app->explore.series[i].labels))
            ret[n++] = i;
    return n;
}

void view_explore(struct app *app, struct cells *c, struct box box)
{
    const struct explore *e = &app->explore;
    struct list *l = &app->lists[VIEW_EXPLORE];
    size_t shown[EXPLORE_SERIES_MAX], n = shown_series(app, shown);
    int x = box.x + cells_text(c, box.x, box.y, box.w, STYLE_TITLE, "query ");
    cells_text(c, x, box.y, box.x + box.w - x, STYLE_PLAIN, e->query[0] ? e->query : "none yet: e types one");
    screen_hot(app, (struct box){box.x, box.y, box.w, 1}, 'e', 0);
    l->rows = (int)n;
    if (e->error[0] != '\0') {
        cells_text(c, box.x, box.y + 2, box.w, STYLE_CRIT, e->error);
        return;
    }
    if (n == 0) {
        cells_text(c, box.x, box.y + 2, box.w, STYLE_DIM,
                   e->query[0] == '\0'                   ? "for example: sum by (service) (commerce:throughput_rps)"
                   : !app->live.t_ms                     ? "waiting for the collector"
                   : e->waiting || e->asked_mono_ms == 0 ? "asking"
                                                         : "no series");
        return;
    }
    if (l->at >= (int)n)
        l->at = (int)n - 1;
    int graph = (box.h - 1) / 2;
    draw_series_graph(app, c, (struct box){box.x, box.y + 1, box.w, graph}, &e->series[shown[l->at]]);
    struct box table = {box.x, box.y + 2 + graph, box.w, box.h - graph - 2};
    l->height = table.h;
    if (l->top > l->at)
        l->top = l->at;
    if (l->at >= l->top + l->height)
        l->top = l->at - l->height + 1;
    for (int y = 0; y < table.h && l->top + y < (int)n; y++) {
        struct box line = {table.x, table.y + y, table.w, 1};
        draw_series_row(app, c, line, shown[l->top + y]);
        screen_hot(app, line, 0, l->top + y);
        if (l->top + y == l->at)
            cells_reverse(c, line);
    }
    if (e->hidden_series > 0)
        cells_printf(c, box.x, box.y + 1 + graph, box.w, STYLE_WARN, "%zu more series are not shown", e->hidden_series);
}
