#include <errno.h>
#include <math.h>

#include "lib/chart/chart_draw.h"

#define TICKS_X 8

static bool is_shown(const double p[2])
{
    return isfinite(p[0]) && isfinite(p[1]) && p[0] >= 0 && p[1] >= 0;
}

static double highest(const struct chart_xy_spec *spec, int axis)
{
    double top = 0;
    for (size_t i = 0; i < spec->n_dots; i++)
        for (size_t k = 0; k < spec->dots[i].n; k++) {
            const double *p = spec->dots[i].points[k];
            if (is_shown(p) && p[axis] > top)
                top = p[axis];
        }
    return board_top(top);
}

struct plot {
    struct board b;
    double right, top; /* the largest x and y of the axes */
};

static double x_of(const struct plot *p, double v)
{
    return p->b.x0 + (p->b.x1 - p->b.x0) * v / p->right;
}

static double y_of(const struct plot *p, double v)
{
    return p->b.y1 - (p->b.y1 - p->b.y0) * v / p->top;
}

static void draw_x(struct plot *p, const char *name)
{
    double step = chart_step(p->right, TICKS_X);
    for (int i = 0; i * step <= p->right * (1 + 1e-9); i++) {
        char text[32];
        double x = x_of(p, i * step);
        board_tick(text, i * step, step);
        board_path(&p->b, CHART_GRID, x, p->b.y0, x, p->b.y1);
        board_words(&p->b, CHART_TEXT, x, p->b.y1 + 16, x > p->b.x1 - 20 ? 1 : 0, text);
    }
    board_words(&p->b, CHART_TEXT, p->b.x1, p->b.y1 + 32, 1, name);
}

static void draw_joined(struct plot *p, const struct chart_dots *d)
{
    size_t shown = 0;
    for (size_t i = 0; i < d->n; i++)
        shown += is_shown(d->points[i]);
    struct chart_shape *s = shown ? board_shape(&p->b, CHART_PATH, d->look, shown) : NULL;
    if (!s)
        return;
    for (size_t i = 0, at = 0; i < d->n; i++)
        if (is_shown(d->points[i])) {
            s->points[at][0] = x_of(p, d->points[i][0]);
            s->points[at++][1] = y_of(p, d->points[i][1]);
        }
}

static void draw_single(struct plot *p, const struct chart_dots *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct chart_shape *s = is_shown(d->points[i]) ? board_shape(&p->b, CHART_DOT, d->look, 1) : NULL;
        if (s) {
            s->points[0][0] = x_of(p, d->points[i][0]);
            s->points[0][1] = y_of(p, d->points[i][1]);
        }
    }
}

int chart_xy_draw(const struct chart_xy_spec *spec, struct chart **ret)
{
    struct plot p = {.right = highest(spec, 0), .top = highest(spec, 1)};
    int r = board_init(&p.b, spec->title, spec->width, spec->height);
    if (r < 0)
        return r;
    p.b.y1 -= 16; /* the name of x has a row of its own */
    board_scale_y(&p.b, p.top);
    draw_x(&p, spec->x_name);
    for (size_t i = 0; i < spec->n_dots; i++) {
        if (spec->dots[i].joined)
            draw_joined(&p, &spec->dots[i]);
        else
            draw_single(&p, &spec->dots[i]);
    }
    double x = p.b.x0;
    for (size_t i = 0; i < spec->n_dots; i++)
        x = board_legend(&p.b, x, spec->dots[i].look, spec->dots[i].name);
    board_unit(&p.b, spec->unit);
    return board_take(&p.b, ret);
}
