#include "lib/chart/chart.h"

#include <errno.h>
#include <math.h>

#include "lib/chart/chart_draw.h"

#define TICKS_X 8

int64_t chart_time_step_ms(int64_t range_ms, unsigned ticks)
{
    static const int64_t SECONDS[] = {1,   2,    5,    10,   15,    30,    60,    120,   300,    600,
                                      900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800};
    for (size_t i = 0; i < ARRAY_LEN(SECONDS); i++)
        if (SECONDS[i] * 1000 * (int64_t)ticks >= range_ms)
            return SECONDS[i] * 1000;
    return SECONDS[ARRAY_LEN(SECONDS) - 1] * 1000 * (range_ms / (604800000ll * ticks) + 1);
}

struct drawing {
    const struct chart_spec *spec;
    struct board board;
    double top; /* its largest value */
};

static double x_of(const struct drawing *d, int64_t t_ms)
{
    const struct board *b = &d->board;
    double range = (double)(d->spec->end_ms - d->spec->start_ms);
    double x = b->x0 + (b->x1 - b->x0) * (double)(t_ms - d->spec->start_ms) / range;
    return x < b->x0 ? b->x0 : x > b->x1 ? b->x1 : x;
}

static double y_of(const struct drawing *d, double v)
{
    const struct board *b = &d->board;
    return b->y1 - (b->y1 - b->y0) * v / d->top;
}

static void draw_axes(struct drawing *d)
{
    struct board *b = &d->board;
    const struct chart_spec *spec = d->spec;
    board_scale_y(b, d->top);
    int64_t every = chart_time_step_ms(spec->end_ms - spec->start_ms, TICKS_X);
    int64_t offset = tz_offset_ms(spec->tz, spec->start_ms, NULL);
    int64_t local = spec->start_ms + offset, first = local - ((local % every) + every) % every;
    for (int64_t t = first - offset; t <= spec->end_ms; t += every) {
        char text[TZ_TEXT_MAX];
        if (t < spec->start_ms)
            continue;
        tz_format_clock(text, spec->tz, t, every < 60000);
        board_path(b, CHART_GRID, x_of(d, t), b->y0, x_of(d, t), b->y1);
        board_words(b, CHART_TEXT, x_of(d, t), b->y1 + 16, x_of(d, t) > b->x1 - 20 ? 1 : 0, text);
    }
}

/* Labels do not lie on one another: alerts choose first, and what finds no room is a line without its label. */
static void draw_label(struct drawing *d, const struct chart_mark *m, double (*taken)[2], size_t *n)
{
    struct board *b = &d->board;
    double half = 3.2 * (double)strlen(m->label) + 3, x = x_of(d, m->start_ms);
    int anchor = x - half < b->x0 ? -1 : x + half > b->x1 ? 1 : 0;
    double from = anchor < 0 ? x : anchor > 0 ? x - 2 * half : x - half, to = from + 2 * half;
    for (size_t i = 0; i < *n; i++)
        if (from < taken[i][1] && to > taken[i][0])
            return;
    taken[*n][0] = from;
    taken[(*n)++][1] = to;
    board_words(b, CHART_TEXT, x, b->y0 - 3, anchor, m->label);
}

static bool is_outside(const struct drawing *d, const struct chart_mark *m)
{
    return m->end_ms < d->spec->start_ms || m->start_ms > d->spec->end_ms;
}

static void draw_marks(struct drawing *d)
{
    struct board *b = &d->board;
    AUTO_FREE double(*taken)[2] = calloc(d->spec->n_marks + 1, sizeof *taken);
    size_t n = 0;
    if (!taken) {
        b->error = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < d->spec->n_marks; i++) {
        const struct chart_mark *m = &d->spec->marks[i];
        enum chart_class look = m->alert ? CHART_ALERT : CHART_MARK;
        double x = x_of(d, m->start_ms), to = x_of(d, m->end_ms);
        if (is_outside(d, m))
            continue;
        struct chart_shape *bar = to > x + 1 ? board_shape(b, CHART_BAR, look, 2) : NULL;
        if (bar) {
            bar->points[0][0] = x;
            bar->points[0][1] = b->y0;
            bar->points[1][0] = to;
            bar->points[1][1] = b->y1;
        }
        board_path(b, look, x, b->y0, x, b->y1);
    }
    for (int alerts = 1; alerts >= 0; alerts--)
        for (size_t i = 0; i < d->spec->n_marks; i++)
            if (d->spec->marks[i].alert == (alerts == 1) && !is_outside(d, &d->spec->marks[i]))
                draw_label(d, &d->spec->marks[i], taken, &n);
}

static void draw_line(struct drawing *d, const struct chart_line *l)
{
    struct board *b = &d->board;
    size_t i = 0;
    while (i < l->n) {
        size_t from = i;
        while (i < l->n && !isnan(l->values[i]) && l->start_ms + (int64_t)i * l->step_ms <= d->spec->end_ms)
            i++;
        if (i == from) {
            i++;
            continue;
        }
        struct chart_shape *s = board_shape(b, CHART_PATH, l->look, i - from + (i - from == 1));
        if (!s)
            return;
        for (size_t k = from; k < i; k++) {
            s->points[k - from][0] = x_of(d, l->start_ms + (int64_t)k * l->step_ms);
            s->points[k - from][1] = y_of(d, l->values[k]);
        }
        if (i - from == 1) { /* one value alone is a short dash, not nothing */
            s->points[1][0] = s->points[0][0] + 2;
            s->points[1][1] = s->points[0][1];
        }
    }
}

static void draw_legend(struct drawing *d)
{
    struct board *b = &d->board;
    double x = b->x0;
    for (size_t i = 0; i < d->spec->n_lines; i++)
        x = board_legend(b, x, d->spec->lines[i].look, d->spec->lines[i].name);
    board_unit(b, d->spec->unit);
}

int chart_draw(const struct chart_spec *spec, struct chart **ret)
{
    struct drawing d = {.spec = spec};
    if (spec->end_ms <= spec->start_ms)
        return -EINVAL;
    int r = board_init(&d.board, spec->title, spec->width, spec->height);
    if (r < 0)
        return r;
    for (size_t i = 0; i < spec->n_lines; i++)
        for (size_t k = 0; k < spec->lines[i].n; k++)
            if (isfinite(spec->lines[i].values[k]) && spec->lines[i].values[k] > d.top)
                d.top = spec->lines[i].values[k];
    d.top = board_top(d.top);
    draw_axes(&d);
    draw_marks(&d);
    for (size_t i = spec->n_lines; i-- > 0;) /* the first one on top */
        draw_line(&d, &spec->lines[i]);
    draw_legend(&d);
    return board_take(&d.board, ret);
}
