#include "lib/chart/chart_draw.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"

#define WIDTH 720
#define HEIGHT 240
#define LEFT 58
#define RIGHT 10
#define TOP 34
#define BOTTOM 24
#define TICKS_Y 5

const char *const chart_class_names[CHART_CLASSES] = {"c-actual", "c-plan", "c-last", "c-grid",
                                                      "c-axis",   "c-text", "c-mark", "c-alert"};

int board_init(struct board *b, const char *title, double width, double height)
{
    *b = (struct board){.x0 = LEFT, .y0 = TOP};
    b->c = calloc(1, sizeof *b->c);
    if (!b->c)
        return -ENOMEM;
    b->c->width = width > 0 ? width : WIDTH;
    b->c->height = height > 0 ? height : HEIGHT;
    b->x1 = b->c->width - RIGHT;
    b->y1 = b->c->height - BOTTOM;
    b->c->title = strdup(title);
    if (b->c->title)
        return 0;
    chart_free(b->c);
    return -ENOMEM;
}

int board_take(struct board *b, struct chart **ret)
{
    if (b->error)
        chart_free(b->c);
    else
        *ret = b->c;
    return b->error;
}

double chart_step(double range, unsigned ticks)
{
    if (!(range > 0) || !isfinite(range) || ticks == 0)
        return 1;
    double raw = range / ticks, power = pow(10, floor(log10(raw)));
    static const double STEPS[] = {1, 2, 5, 10};
    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++)
        if (STEPS[i] * power >= raw * (1 - 1e-9))
            return STEPS[i] * power;
    return 10 * power;
}

struct chart_shape *board_shape(struct board *b, enum chart_shape_kind kind, enum chart_class look, size_t n)
{
    struct chart *c = b->c;
    if (b->error)
        return NULL;
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        struct chart_shape *more = realloc(c->shapes, cap * sizeof *more);
        if (!more) {
            b->error = -ENOMEM;
            return NULL;
        }
        c->shapes = more;
        c->cap = cap;
    }
    struct chart_shape *s = &c->shapes[c->n];
    *s = (struct chart_shape){.kind = kind, .look = look, .points = calloc(n ? n : 1, sizeof *s->points), .n = n};
    if (!s->points) {
        b->error = -ENOMEM;
        return NULL;
    }
    c->n++;
    return s;
}

void board_path(struct board *b, enum chart_class look, double xa, double ya, double xb, double yb)
{
    struct chart_shape *s = board_shape(b, CHART_PATH, look, 2);
    if (!s)
        return;
    s->points[0][0] = xa;
    s->points[0][1] = ya;
    s->points[1][0] = xb;
    s->points[1][1] = yb;
}

void board_words(struct board *b, enum chart_class look, double x, double y, int anchor, const char *text)
{
    struct chart_shape *s = board_shape(b, CHART_WORDS, look, 1);
    if (!s)
        return;
    s->points[0][0] = x;
    s->points[0][1] = y;
    s->anchor = anchor;
    s->words = strdup(text);
    if (!s->words)
        b->error = -ENOMEM;
}

void board_tick(char text[32], double v, double step)
{
    int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    if (v == 0)
        snprintf(text, 32, "0");
    else if (step >= 1e6)
        snprintf(text, 32, "%.*fM", fmod(step, 1e6) != 0 ? 1 : 0, v / 1e6);
    else if (step >= 1e4)
        snprintf(text, 32, "%.*fk", fmod(step, 1e3) != 0 ? 1 : 0, v / 1e3);
    else
        snprintf(text, 32, "%.*f", decimals, v);
}

double board_top(double v)
{
    double step = chart_step(v, TICKS_Y);
    return v > 0 ? ceil(v / step - 1e-9) * step : 1;
}

void board_scale_y(struct board *b, double top)
{
    double step = chart_step(top, TICKS_Y);
    for (int i = 0; i * step <= top * (1 + 1e-9); i++) {
        char text[32];
        double y = b->y1 - (b->y1 - b->y0) * i * step / top;
        board_tick(text, i * step, step);
        board_path(b, i ? CHART_GRID : CHART_AXIS, b->x0, y, b->x1, y);
        board_words(b, CHART_TEXT, b->x0 - 6, y + 4, 1, text);
    }
}

double board_legend(struct board *b, double x, enum chart_class look, const char *name)
{
    board_path(b, look, x, 10, x + 26, 10);
    board_words(b, CHART_TEXT, x + 31, 14, -1, name);
    return x + 31 + 7 * (double)strlen(name) + 18;
}

void board_unit(struct board *b, const char *unit)
{
    if (unit)
        board_words(b, CHART_TEXT, b->x1, 14, 1, unit);
}

void chart_free(struct chart *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++) {
        free(c->shapes[i].points);
        free(c->shapes[i].words);
    }
    free(c->shapes);
    free(c->title);
    free(c);
}
