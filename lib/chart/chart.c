#include "lib/chart/chart.h"

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
#define TICKS_X 8

const char *const chart_class_names[CHART_CLASSES] = {"c-actual", "c-plan", "c-last", "c-grid",
                                                      "c-axis",   "c-text", "c-mark", "c-alert"};

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

int64_t chart_time_step_ms(int64_t range_ms, unsigned ticks)
{
    static const int64_t SECONDS[] = {1,   2,    5,    10,   15,    30,    60,    120,   300,    600,
                                      900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800};
    for (size_t i = 0; i < ARRAY_LEN(SECONDS); i++)
        if (SECONDS[i] * 1000 * (int64_t)ticks >= range_ms)
            return SECONDS[i] * 1000;
    return SECONDS[ARRAY_LEN(SECONDS) - 1] * 1000 * (range_ms / (604800000ll * ticks) + 1);
}

/* ---- building the list ---- */

struct drawing {
    const struct chart_spec *spec;
    struct chart *c;
    double x0, x1, y0, y1, top; /* the plot's corners; its largest value */
    int error;
};

static struct chart_shape *shape(struct drawing *d, enum chart_shape_kind kind, enum chart_class look, size_t n)
{
    struct chart *c = d->c;
    if (d->error)
        return NULL;
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        struct chart_shape *more = realloc(c->shapes, cap * sizeof *more);
        if (!more) {
            d->error = -ENOMEM;
            return NULL;
        }
        c->shapes = more;
        c->cap = cap;
    }
    struct chart_shape *s = &c->shapes[c->n];
    *s = (struct chart_shape){.kind = kind, .look = look, .points = calloc(n ? n : 1, sizeof *s->points), .n = n};
    if (!s->points) {
        d->error = -ENOMEM;
        return NULL;
    }
    c->n++;
    return s;
}

static void path(struct drawing *d, enum chart_class look, double xa, double ya, double xb, double yb)
{
    struct chart_shape *s = shape(d, CHART_PATH, look, 2);
    if (!s)
        return;
    s->points[0][0] = xa;
    s->points[0][1] = ya;
    s->points[1][0] = xb;
    s->points[1][1] = yb;
}

static void words(struct drawing *d, enum chart_class look, double x, double y, int anchor, const char *text)
{
    struct chart_shape *s = shape(d, CHART_WORDS, look, 1);
    if (!s)
        return;
    s->points[0][0] = x;
    s->points[0][1] = y;
    s->anchor = anchor;
    s->words = strdup(text);
    if (!s->words)
        d->error = -ENOMEM;
}

static double x_of(const struct drawing *d, int64_t t_ms)
{
    double range = (double)(d->spec->end_ms - d->spec->start_ms);
    double x = d->x0 + (d->x1 - d->x0) * (double)(t_ms - d->spec->start_ms) / range;
    return x < d->x0 ? d->x0 : x > d->x1 ? d->x1 : x;
}

static double y_of(const struct drawing *d, double v)
{
    return d->y1 - (d->y1 - d->y0) * v / d->top;
}

static void format_tick(char text[32], double v, double step)
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

static void draw_axes(struct drawing *d)
{
    const struct chart_spec *spec = d->spec;
    double step = chart_step(d->top, TICKS_Y);
    for (int i = 0; i * step <= d->top * (1 + 1e-9); i++) {
        char text[32];
        double y = y_of(d, i * step);
        format_tick(text, i * step, step);
        path(d, i ? CHART_GRID : CHART_AXIS, d->x0, y, d->x1, y);
        words(d, CHART_TEXT, d->x0 - 6, y + 4, 1, text);
    }
    int64_t every = chart_time_step_ms(spec->end_ms - spec->start_ms, TICKS_X);
    int64_t offset = tz_offset_ms(spec->tz, spec->start_ms, NULL);
    int64_t local = spec->start_ms + offset, first = local - ((local % every) + every) % every;
    for (int64_t t = first - offset; t <= spec->end_ms; t += every) {
        char text[TZ_TEXT_MAX];
        if (t < spec->start_ms)
            continue;
        tz_format_clock(text, spec->tz, t, every < 60000);
        path(d, CHART_GRID, x_of(d, t), d->y0, x_of(d, t), d->y1);
        words(d, CHART_TEXT, x_of(d, t), d->y1 + 16, x_of(d, t) > d->x1 - 20 ? 1 : 0, text);
    }
}

/* Labels do not lie on one another: alerts choose first, and what finds no room is a line without its label. */
static void draw_label(struct drawing *d, const struct chart_mark *m, double (*taken)[2], size_t *n)
{
    double half = 3.2 * (double)strlen(m->label) + 3, x = x_of(d, m->start_ms);
    int anchor = x - half < d->x0 ? -1 : x + half > d->x1 ? 1 : 0;
    double from = anchor < 0 ? x : anchor > 0 ? x - 2 * half : x - half, to = from + 2 * half;
    for (size_t i = 0; i < *n; i++)
        if (from < taken[i][1] && to > taken[i][0])
            return;
    taken[*n][0] = from;
    taken[(*n)++][1] = to;
    words(d, CHART_TEXT, x, d->y0 - 3, anchor, m->label);
}

static bool is_outside(const struct drawing *d, const struct chart_mark *m)
{
    return m->end_ms < d->spec->start_ms || m->start_ms > d->spec->end_ms;
}

static void draw_marks(struct drawing *d)
{
    AUTO_FREE double(*taken)[2] = calloc(d->spec->n_marks + 1, sizeof *taken);
    size_t n = 0;
    if (!taken) {
        d->error = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < d->spec->n_marks; i++) {
        const struct chart_mark *m = &d->spec->marks[i];
        enum chart_class look = m->alert ? CHART_ALERT : CHART_MARK;
        double x = x_of(d, m->start_ms), to = x_of(d, m->end_ms);
        if (is_outside(d, m))
            continue;
        struct chart_shape *bar = to > x + 1 ? shape(d, CHART_BAR, look, 2) : NULL;
        if (bar) {
            bar->points[0][0] = x;
            bar->points[0][1] = d->y0;
            bar->points[1][0] = to;
            bar->points[1][1] = d->y1;
        }
        path(d, look, x, d->y0, x, d->y1);
    }
    for (int alerts = 1; alerts >= 0; alerts--)
        for (size_t i = 0; i < d->spec->n_marks; i++)
            if (d->spec->marks[i].alert == (alerts == 1) && !is_outside(d, &d->spec->marks[i]))
                draw_label(d, &d->spec->marks[i], taken, &n);
}

static void draw_line(struct drawing *d, const struct chart_line *l)
{
    size_t i = 0;
    while (i < l->n) {
        size_t from = i;
        while (i < l->n && !isnan(l->values[i]) && l->start_ms + (int64_t)i * l->step_ms <= d->spec->end_ms)
            i++;
        if (i == from) {
            i++;
            continue;
        }
        struct chart_shape *s = shape(d, CHART_PATH, l->look, i - from + (i - from == 1));
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
    double x = d->x0;
    for (size_t i = 0; i < d->spec->n_lines; i++) {
        path(d, d->spec->lines[i].look, x, 10, x + 26, 10);
        words(d, CHART_TEXT, x + 31, 14, -1, d->spec->lines[i].name);
        x += 31 + 7 * (double)strlen(d->spec->lines[i].name) + 18;
    }
    if (d->spec->unit)
        words(d, CHART_TEXT, d->x1, 14, 1, d->spec->unit);
}

int chart_draw(const struct chart_spec *spec, struct chart **ret)
{
    struct chart *c = calloc(1, sizeof *c);
    if (!c || spec->end_ms <= spec->start_ms) {
        free(c);
        return c ? -EINVAL : -ENOMEM;
    }
    c->width = spec->width > 0 ? spec->width : WIDTH;
    c->height = spec->height > 0 ? spec->height : HEIGHT;
    c->title = strdup(spec->title);
    struct drawing d = {.spec = spec, .c = c, .x0 = LEFT, .y0 = TOP, .error = c->title ? 0 : -ENOMEM};
    d.x1 = c->width - RIGHT;
    d.y1 = c->height - BOTTOM;
    for (size_t i = 0; i < spec->n_lines; i++)
        for (size_t k = 0; k < spec->lines[i].n; k++)
            if (isfinite(spec->lines[i].values[k]) && spec->lines[i].values[k] > d.top)
                d.top = spec->lines[i].values[k];
    double step = chart_step(d.top, TICKS_Y);
    d.top = d.top > 0 ? ceil(d.top / step - 1e-9) * step : 1;
    draw_axes(&d);
    draw_marks(&d);
    for (size_t i = spec->n_lines; i-- > 0;) /* the first one on top */
        draw_line(&d, &spec->lines[i]);
    draw_legend(&d);
    if (d.error) {
        chart_free(c);
        return d.error;
    }
    *ret = c;
    return 0;
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
