/* result.c - runs a query from end to end: the steps, the evaluation, and an answer that owns its memory. */
#include <errno.h>
#include <math.h>

#include "collector/promql/eval.h"

#include "lib/base/clock.h"
#include "lib/base/limits.h"

struct owned_result {
    struct promql_result result; /* first: promql_result_free gets its address */
    struct arena arena;
};

void promql_result_free(struct promql_result *r)
{
    if (!r)
        return;
    struct owned_result *o = (struct owned_result *)r;
    arena_done(&o->arena);
    free(o);
}

MUST_USE static int copy_notes(const struct eval *ev, const struct note *first, struct arena *a, const char ***ret)
{
    const char **list = arena_array(a, ev->n_notes + 1, sizeof *list);
    size_t n = 0;
    if (!list)
        return -ENOMEM;
    for (const struct note *note = first; note; note = note->next)
        if (!(list[n++] = arena_dup(a, span_str(note->text))))
            return -ENOMEM;
    *ret = list;
    return 0;
}

/* The metadata labels of whoever lost its meaning go now; what became equal by that is put together. */
MUST_USE static int drop_names(struct eval *ev, const struct promql_expr *e, struct matrix *m, size_t steps)
{
    for (size_t i = 0; i < m->n; i++) {
        struct series *s = &m->series[i];
        if (!s->drop_name)
            continue;
        struct label *pairs = arena_array(&ev->arena, s->labels.n, sizeof *pairs);
        if (!pairs)
            return -ENOMEM;
        s->labels = labels_without(&s->labels, NULL, 0, true, pairs);
    }
    return matrix_merge_equal(ev, e, m, steps);
}

static int by_labels(const void *a, const void *b)
{
    return labels_compare(&((const struct promql_series *)a)->labels, &((const struct promql_series *)b)->labels);
}

/* Copies; the steps that show the same one share it. NULL when none is there. */
MUST_USE static int give_histograms(const struct column *c, size_t steps, struct arena *a,
                                    const struct native_histogram ***ret)
{
    const struct native_histogram **out = NULL, *last = NULL;
    struct native_histogram *copy = NULL;
    for (size_t s = 0; s < steps; s++) {
        if (!c->present[s] || !c->histograms[s])
            continue;
        if (!out && !(out = arena_array(a, steps, sizeof *out)))
            return -ENOMEM;
        int r = c->histograms[s] == last ? 0 : native_copy(a, c->histograms[s], &copy);
        if (r < 0)
            return r;
        last = c->histograms[s];
        out[s] = copy;
    }
    *ret = out;
    return 0;
}

MUST_USE static int give_vector(struct eval *ev, const struct promql_expr *e, struct vector *v, struct arena *a,
                                struct promql_result *ret)
{
    struct matrix m;
    int r = materialise_in(ev, v, a, &m); /* no second copy of what may be most of the query's memory */
    if (r < 0 || (r = drop_names(ev, e, &m, v->steps)) < 0)
        return r;
    ret->series = arena_array(a, m.n, sizeof *ret->series);
    if (!ret->series)
        return -ENOMEM;
    for (size_t i = 0; i < m.n; i++) {
        struct promql_series *s = &ret->series[i];
        s->values = m.columns[i].values;
        s->present = m.columns[i].present;
        if (labels_copy(a, &m.series[i].labels, &s->labels) < 0)
            return -ENOMEM;
        if (m.columns[i].histograms && (r = give_histograms(&m.columns[i], v->steps, a, &s->histograms)) < 0)
            return r;
    }
    ret->n_series = m.n;
    if (!ev->instant || !m.ordered)
        qsort(ret->series, m.n, sizeof *ret->series, by_labels);
    return 0;
}

MUST_USE static int give_scalar(const double *column, size_t steps, struct arena *a, struct promql_result *ret)
{
    struct promql_series *s = ret->series = arena_alloc(a, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->values = arena_array(a, steps, sizeof *s->values);
    s->present = arena_array(a, steps, sizeof *s->present);
    if (!s->values || !s->present)
        return -ENOMEM;
    memcpy(s->values, column, steps * sizeof *s->values);
    memset(s->present, true, steps * sizeof *s->present);
    ret->n_series = 1;
    return 0;
}

static int matrix_by_labels(const void *a, const void *b)
{
    return labels_compare(&((const struct promql_matrix_series *)a)->labels,
                          &((const struct promql_matrix_series *)b)->labels);
}

/* A range selector or subquery as the whole of an instant query: the samples as they are. */
MUST_USE static int give_samples(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct arena *a,
                                 struct promql_result *ret)
{
    struct range_source src;
    size_t lo = 0, hi = 0; /* they stand from one series to the next: see shared_times.h */
    int r = eval_range(ev, e, g, &src);
    if (r < 0)
        return r;
    ret->matrix = arena_array(a, src.n, sizeof *ret->matrix);
    if (!ret->matrix)
        return -ENOMEM;
    for (size_t i = 0; i < src.n; i++) {
        struct raw raw;
        if ((r = src.load(ev, &src, i, &raw)) < 0)
            return r;
        range_windows(&src, 1, &raw, &lo, &hi);
        if (lo == hi)
            continue;
        struct promql_matrix_series *s = &ret->matrix[ret->n_matrix];
        s->n = hi - lo;
        if ((r = eval_hold(ev, s->n)) < 0)
            return r;
        int64_t *t = arena_array(a, s->n, sizeof *t);
        double *values = arena_array(a, s->n, sizeof *values);
        if (!t || !values)
            return -ENOMEM;
        memcpy(t, raw.t_ms + lo, s->n * sizeof *t);
        memcpy(values, raw.values + lo, s->n * sizeof *values);
        s->t_ms = t;
        s->values = values;
        if (raw.histograms) {
            bool *all = arena_array(&ev->arena, s->n, sizeof *all);
            if (!all)
                return -ENOMEM;
            memset(all, true, s->n * sizeof *all);
            struct column window = {.present = all, .histograms = raw.histograms + lo};
            if ((r = give_histograms(&window, s->n, a, &s->histograms)) < 0)
                return r;
        }
        struct labels ls = src.series[i].labels;
        if (src.series[i].drop_name) {
            struct label *pairs = arena_array(&ev->arena, ls.n, sizeof *pairs);
            if (!pairs)
                return -ENOMEM;
            ls = labels_without(&ls, NULL, 0, true, pairs);
        }
        if ((r = labels_copy(a, &ls, &s->labels)) < 0)
            return r;
        ret->n_matrix++;
    }
    qsort(ret->matrix, ret->n_matrix, sizeof *ret->matrix, matrix_by_labels);
    for (size_t i = 1; i < ret->n_matrix; i++)
        if (labels_equal(&ret->matrix[i - 1].labels, &ret->matrix[i].labels))
            return eval_fail(ev, PROMQL_EXECUTION, e, SAME_LABELSET);
    return 0;
}

MUST_USE static int run(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct owned_result *o)
{
    struct promql_result *res = &o->result;
    *res = (struct promql_result){.type = e->type, .start_ms = g->start_ms, .step_ms = g->step_ms, .n_steps = g->n};
    struct value v;
    int r;
    if (e->type == PROMQL_MATRIX) {
        r = give_samples(ev, unwrap_parens(e), g, &o->arena, res);
    } else if ((r = eval_expr(ev, e, g, &v)) < 0) {
        return r;
    } else if (e->type == PROMQL_SCALAR) {
        r = give_scalar(v.scalar, g->n, &o->arena, res);
    } else if (e->type == PROMQL_VECTOR) {
        r = give_vector(ev, e, v.vector, &o->arena, res);
    } else {
        bool ok = true;
        res->string = arena_span(&o->arena, v.string, &ok);
        r = ok ? 0 : -ENOMEM;
    }
    if (r < 0)
        return r;
    res->samples_read = ev->samples_read;
    res->samples_peak = ev->samples_peak;
    if ((r = eval_close_notes(ev)) < 0)
        return r;
    if (copy_notes(ev, ev->warnings, &o->arena, &res->warnings) < 0 ||
        copy_notes(ev, ev->infos, &o->arena, &res->infos) < 0)
        return -ENOMEM;
    return 0;
}

/* 0, or the error is set. */
MUST_USE static int plan_steps(struct eval *ev, const struct promql_expr *e, const struct promql_params *p,
                               struct grid *ret)
{
    ev->instant = p->step_ms == 0;
    if (!(fabs((double)p->start_ms) <= PROMQL_TIME_MAX_MS && fabs((double)p->end_ms) <= PROMQL_TIME_MAX_MS))
        return eval_fail(ev, PROMQL_BAD_DATA, NULL, "timestamp out of bounds");
    *ret = (struct grid){p->start_ms, p->step_ms, 1};
    if (ev->instant) {
        if (p->start_ms != p->end_ms)
            return eval_fail(ev, PROMQL_BAD_DATA, NULL, "an instant query has one time, not a range");
        return 0;
    }
    if (p->step_ms < 0)
        return eval_fail(ev, PROMQL_BAD_DATA, NULL,
                         "zero or negative query resolution step widths are not accepted. Try a positive integer");
    if (p->end_ms < p->start_ms)
        return eval_fail(ev, PROMQL_BAD_DATA, NULL, "end timestamp must not be before start time");
    if (e->type != PROMQL_SCALAR && e->type != PROMQL_VECTOR)
        return eval_fail(ev, PROMQL_BAD_DATA, NULL,
                         "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                         type_name(e->type));
    uint64_t steps = ((uint64_t)p->end_ms - (uint64_t)p->start_ms) / (uint64_t)p->step_ms + 1;
    if (steps > ev->samples_max)
        return eval_hold(ev, steps);
    ret->n = (size_t)steps;
    return 0;
}

#define ROLLUP_LOOKBACK_MS 3600000 /* the last sample of a bucket of an hour is as new as one can be */

static void set_limits(struct eval *ev, const struct promql_params *p)
{
    ev->start_ms = p->start_ms;
    ev->end_ms = p->end_ms;
    ev->step_ms = p->step_ms;
    ev->lookback_ms = p->lookback_ms > 0 && p->lookback_ms <= 1000000000000000 ? p->lookback_ms : LOOKBACK_MS;
    ev->rollups = p->rollups;
    if (eval_sees_gone(ev) && ev->lookback_ms < ROLLUP_LOOKBACK_MS)
        ev->lookback_ms = ROLLUP_LOOKBACK_MS;
    ev->subquery_step_ms = p->subquery_step_ms > 0 ? p->subquery_step_ms : SUBQUERY_STEP_MS;
    ev->samples_max = p->samples_max ? p->samples_max : QUERY_SAMPLES_MAX;
    ev->deadline_mono_us = p->deadline_mono_us;
    ev->cancelled = p->cancelled;
    ev->is_gone = p->is_gone;
    ev->gone_ctx = p->gone_ctx;
    ev->gone_asked_us = mono_us();
}

int promql_eval(struct store *s, const struct promql_expr *e, const struct promql_params *params,
                struct promql_result **ret, struct promql_error *ret_error)
{
    *ret_error = (struct promql_error){0};
    struct eval ev = {.error = ret_error};
    size_t bytes_max = params->bytes_max ? (size_t)params->bytes_max : QUERY_BYTES_MAX;
    arena_init(&ev.arena, bytes_max);
    set_limits(&ev, params);
    struct grid g;
    struct owned_result *o = calloc(1, sizeof *o);
    int r = o ? plan_steps(&ev, e, params, &g) : -ENOMEM;
    if (o)
        arena_init(&o->arena, bytes_max);
    if (r == 0 && (r = store_reader_open(s, &ev.reader)) < 0)
        eval_fail(&ev, PROMQL_INTERNAL, NULL, "cannot read the store: %s", strerror(-r));
    if (r == 0 && eval_sees_gone(&ev))
        store_reader_see_gone(ev.reader);
    if (r == 0)
        r = run(&ev, e, &g, o);
    eval_finish(&ev);
    if (r == 0) {
        o->result.bytes = o->arena.used_bytes;
        *ret = &o->result;
        return 0;
    }
    if (o)
        promql_result_free(&o->result);
    if (ret_error->kind == PROMQL_OK && r == -ENOMEM)
        eval_fail(&ev, PROMQL_EXECUTION, NULL,
                  "query processing would load too many samples into memory in query execution (memory limit "
                  "%zu bytes)",
                  bytes_max);
    else if (ret_error->kind == PROMQL_OK)
        eval_fail(&ev, PROMQL_INTERNAL, NULL, "%s", strerror(-r));
    return r;
}
