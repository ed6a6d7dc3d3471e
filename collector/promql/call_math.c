/* call_math.c - functions that change each value by itself, scalars and time. */
#include "collector/promql/calls.h"

#include <errno.h>
#include <math.h>
#include <time.h>

/* ---- value by value ---- */

struct mapped {
    struct vector *from;
    double (*fn)(double v, const double *args);
    const double *args[2]; /* columns of the scalar arguments */
    size_t n_args;
};

static int fetch_mapped(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    const struct mapped *m = v->state;
    int r = m->from->fetch(ev, m->from, i, c);
    if (r > 0 && c->histograms)
        r = column_only_floats(c, v->steps);
    double args[2] = {0, 0};
    for (size_t s = 0; r > 0 && s < v->steps; s++) {
        if (!c->present[s])
            continue;
        for (size_t a = 0; a < m->n_args; a++)
            args[a] = m->args[a][s];
        c->values[s] = m->fn(c->values[s], args);
    }
    return r;
}

/* A vector like `from`, whose series lose their names. */
MUST_USE static int renamed_vector(struct eval *ev, struct vector *from, const struct grid *g, vector_fetch fetch,
                                   void *state, struct vector **ret)
{
    struct vector *v;
    int r = vector_new(ev, from->n, g, fetch, state, &v);
    if (r < 0)
        return r;
    for (size_t i = 0; i < v->n; i++)
        v->series[i] = (struct series){from->series[i].labels, true};
    v->ordered = from->ordered;
    *ret = v;
    return 0;
}

int call_map(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    const struct map_detail *d = call->call.function->detail;
    struct mapped *m = arena_alloc(&ev->arena, sizeof *m);
    if (!m)
        return -ENOMEM;
    int r = eval_vector(ev, call->call.args[0], g, &m->from);
    for (size_t i = 1; r == 0 && i < call->call.n; i++) {
        double *column;
        if ((r = eval_scalar(ev, call->call.args[i], g, &column)) == 0)
            m->args[m->n_args++] = column;
    }
    if (r == 0 && m->n_args == 0 && d->default_arg) {
        double *column = arena_array(&ev->arena, g->n, sizeof *column);
        for (size_t s = 0; column && s < g->n; s++)
            column[s] = d->default_arg;
        m->args[m->n_args++] = column;
        r = column ? 0 : -ENOMEM;
    }
    m->fn = d->fn;
    return r < 0 ? r : renamed_vector(ev, m->from, g, fetch_mapped, m, &ret->vector);
}

static double map_round(double v, const double *args)
{
    double inverse = 1.0 / args[0]; /* as Prometheus: 1/0.1 is exact where 0.1 is not */
    return floor(v * inverse + 0.5) / inverse;
}

static double map_sgn(double v, const double *args)
{
    (void)args;
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

static double map_clamp_min(double v, const double *args)
{
    return isnan(v) || isnan(args[0]) ? NAN : fmax(v, args[0]);
}

static double map_clamp_max(double v, const double *args)
{
    return isnan(v) || isnan(args[0]) ? NAN : fmin(v, args[0]);
}

static double map_deg(double v, const double *args)
{
    (void)args;
    return v * 180 / M_PI;
}

static double map_rad(double v, const double *args)
{
    (void)args;
    return v * M_PI / 180;
}

#define MAP_LIBM(name, function)                                                                                       \
    static double map_##name(double v, const double *args)                                                             \
    {                                                                                                                  \
        (void)args;                                                                                                    \
        return function(v);                                                                                            \
    }                                                                                                                  \
    const struct map_detail MAP_##name = {map_##name, 0}
MAP_LIBM(abs, fabs);
MAP_LIBM(ceil, ceil);
MAP_LIBM(floor, floor);
MAP_LIBM(sqrt, sqrt);
MAP_LIBM(exp, exp);
MAP_LIBM(ln, log);
MAP_LIBM(log2, log2);
MAP_LIBM(log10, log10);
MAP_LIBM(sin, sin);
MAP_LIBM(cos, cos);
MAP_LIBM(tan, tan);
MAP_LIBM(asin, asin);
MAP_LIBM(acos, acos);
MAP_LIBM(atan, atan);
MAP_LIBM(sinh, sinh);
MAP_LIBM(cosh, cosh);
MAP_LIBM(tanh, tanh);
MAP_LIBM(asinh, asinh);
MAP_LIBM(acosh, acosh);
MAP_LIBM(atanh, atanh);
const struct map_detail MAP_round = {map_round, 1};
const struct map_detail MAP_sgn = {map_sgn, 0};
const struct map_detail MAP_clamp_min = {map_clamp_min, 0};
const struct map_detail MAP_clamp_max = {map_clamp_max, 0};
const struct map_detail MAP_deg = {map_deg, 0};
const struct map_detail MAP_rad = {map_rad, 0};

/* clamp(v, min, max): a step where min > max has no result. */
static int fetch_clamped(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    const struct mapped *m = v->state;
    int r = m->from->fetch(ev, m->from, i, c);
    if (r > 0 && c->histograms)
        r = column_only_floats(c, v->steps);
    if (r <= 0)
        return r;
    bool any = false;
    for (size_t s = 0; s < v->steps; s++) {
        double min = m->args[0][s], max = m->args[1][s];
        c->present[s] = c->present[s] && !(max < min);
        if (!c->present[s])
            continue;
        c->values[s] = isnan(c->values[s]) || isnan(min) || isnan(max) ? NAN : fmax(min, fmin(max, c->values[s]));
        any = true;
    }
    return any;
}

int call_clamp(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct mapped *m = arena_alloc(&ev->arena, sizeof *m);
    double *min, *max;
    if (!m)
        return -ENOMEM;
    int r = eval_vector(ev, call->call.args[0], g, &m->from);
    if (r < 0 || (r = eval_scalar(ev, call->call.args[1], g, &min)) < 0 ||
        (r = eval_scalar(ev, call->call.args[2], g, &max)) < 0)
        return r;
    m->args[0] = min;
    m->args[1] = max;
    return renamed_vector(ev, m->from, g, fetch_clamped, m, &ret->vector);
}

/* ---- scalars ---- */

int call_constant(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    const char *name = call->call.function->name;
    double v = strcmp(name, "pi") == 0      ? M_PI
               : strcmp(name, "start") == 0 ? (double)ev->start_ms / 1000.0
               : strcmp(name, "end") == 0   ? (double)ev->end_ms / 1000.0
               : strcmp(name, "step") == 0  ? (double)ev->step_ms / 1000.0
                                            : (double)(ev->end_ms - ev->start_ms) / 1000.0;
    ret->scalar = arena_array(&ev->arena, g->n, sizeof *ret->scalar);
    for (size_t s = 0; ret->scalar && s < g->n; s++)
        ret->scalar[s] = v;
    return ret->scalar ? 0 : -ENOMEM;
}

int call_time(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    (void)call;
    ret->scalar = arena_array(&ev->arena, g->n, sizeof *ret->scalar);
    for (size_t s = 0; ret->scalar && s < g->n; s++)
        ret->scalar[s] = (double)grid_time(g, s) / 1000.0;
    return ret->scalar ? 0 : -ENOMEM;
}

int call_min_max_of(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    bool min = strcmp(call->call.function->name, "min_of") == 0;
    double *a, *b;
    int r = eval_scalar(ev, call->call.args[0], g, &a);
    if (r < 0 || (r = eval_scalar(ev, call->call.args[1], g, &b)) < 0)
        return r;
    for (size_t s = 0; s < g->n; s++)
        a[s] = isnan(a[s]) || isnan(b[s]) ? NAN : min ? fmin(a[s], b[s]) : fmax(a[s], b[s]);
    ret->scalar = a;
    return 0;
}

int call_scalar(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct vector *from;
    struct column c;
    int r = eval_vector(ev, call->call.args[0], g, &from);
    if (r < 0 || (r = column_scratch(ev, g->n, &c)) < 0)
        return r;
    double *out = arena_array(&ev->arena, g->n, sizeof *out);
    size_t *seen = arena_array(&ev->arena, g->n, sizeof *seen);
    if (!out || !seen)
        return -ENOMEM;
    for (size_t i = 0; i < from->n; i++) {
        column_again(&c);
        if ((r = from->fetch(ev, from, i, &c)) < 0)
            return r;
        for (size_t s = 0; r > 0 && s < g->n; s++)
            if (c.present[s] && !column_histogram(&c, s)) {
                out[s] = c.values[s];
                seen[s]++;
            }
    }
    for (size_t s = 0; s < g->n; s++)
        if (seen[s] != 1)
            out[s] = NAN;
    ret->scalar = out;
    return 0;
}

static int fetch_scalar_column(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    (void)ev;
    (void)i;
    memcpy(c->values, v->state, v->steps * sizeof *c->values);
    memset(c->present, true, v->steps * sizeof *c->present);
    c->histograms = NULL;
    return v->steps > 0;
}

int call_vector(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    double *column;
    int r = eval_scalar(ev, call->call.args[0], g, &column);
    return r < 0 ? r : vector_new(ev, 1, g, fetch_scalar_column, column, &ret->vector);
}

/* ---- time stamps and calendars ---- */

struct stamped {
    struct vector *from;
    struct grid grid;
};

static int fetch_step_time(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    struct stamped *st = v->state;
    int r = st->from->fetch(ev, st->from, i, c);
    c->histograms = NULL;
    for (size_t s = 0; r > 0 && s < v->steps; s++)
        c->values[s] = (double)grid_time(&st->grid, s) / 1000.0;
    return r;
}

int call_timestamp(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    const struct promql_expr *arg = unwrap_parens(call->call.args[0]);
    if (arg->kind == NODE_SELECTOR) /* only a selector still knows when its samples were taken */
        return eval_selector(ev, arg, g, SELECT_TIME, &ret->vector);
    struct stamped *st = arena_alloc(&ev->arena, sizeof *st);
    if (!st)
        return -ENOMEM;
    st->grid = *g;
    int r = eval_vector(ev, arg, g, &st->from);
    return r < 0 ? r : renamed_vector(ev, st->from, g, fetch_step_time, st, &ret->vector);
}

int call_start_timestamp(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    const struct promql_expr *arg = unwrap_parens(call->call.args[0]);
    if (arg->kind == NODE_SELECTOR)
        return eval_selector(ev, arg, g, SELECT_START, &ret->vector);
    return vector_new(ev, 0, g, NULL, NULL, &ret->vector); /* what is calculated has no start */
}

static double calendar(double v, int (*pick)(const struct tm *t))
{
    if (!(fabs(v) < 6e16)) /* gmtime's year is an int */
        return NAN;
    time_t seconds = (time_t)v;
    struct tm t;
    return gmtime_r(&seconds, &t) ? (double)pick(&t) : NAN;
}

static int pick_minute(const struct tm *t)
{
    return t->tm_min;
}
static int pick_hour(const struct tm *t)
{
    return t->tm_hour;
}
static int pick_day_of_month(const struct tm *t)
{
    return t->tm_mday;
}
static int pick_day_of_week(const struct tm *t)
{
    return t->tm_wday;
}
static int pick_day_of_year(const struct tm *t)
{
    return t->tm_yday + 1;
}
static int pick_month(const struct tm *t)
{
    return t->tm_mon + 1;
}
static int pick_year(const struct tm *t)
{
    return t->tm_year + 1900;
}
static int pick_days_in_month(const struct tm *t)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = t->tm_year + 1900;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return DAYS[t->tm_mon] + (t->tm_mon == 1 && leap);
}
#define MAP_CALENDAR(name)                                                                                             \
    static double map_##name(double v, const double *args)                                                             \
    {                                                                                                                  \
        (void)args;                                                                                                    \
        return calendar(v, pick_##name);                                                                               \
    }                                                                                                                  \
    const struct map_detail MAP_##name = {map_##name, 0}
MAP_CALENDAR(minute);
MAP_CALENDAR(hour);
MAP_CALENDAR(day_of_month);
MAP_CALENDAR(day_of_week);
MAP_CALENDAR(day_of_year);
MAP_CALENDAR(days_in_month);
MAP_CALENDAR(month);
MAP_CALENDAR(year);

int call_calendar(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    if (call->call.n > 0)
        return call_map(ev, call, g, ret);
    const struct map_detail *d = call->call.function->detail;
    double *column = arena_array(&ev->arena, g->n, sizeof *column);
    if (!column)
        return -ENOMEM;
    for (size_t s = 0; s < g->n; s++)
        column[s] = d->fn((double)grid_time(g, s) / 1000.0, NULL);
    return vector_new(ev, 1, g, fetch_scalar_column, column, &ret->vector);
}
