#include "collector/promql/eval.h"

#include <errno.h>
#include <stdarg.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"

/* ---- errors, notes, limits ---- */

int eval_fail(struct eval *ev, enum promql_error_kind kind, const struct promql_expr *place, const char *format, ...)
{
    if (ev->error->kind != PROMQL_OK)
        return -ECANCELED;
    ev->error->kind = kind;
    va_list args;
    va_start(args, format);
    vsnprintf(ev->error->text, sizeof ev->error->text, format, args);
    va_end(args);
    ev->error->line = place ? place->line : 0;
    ev->error->column = place ? place->column : 0;
    return -ECANCELED;
}

#define GONE_EVERY_US 100000

static bool is_gone(struct eval *ev, int64_t now_us)
{
    if (!ev->is_gone || now_us - ev->gone_asked_us < GONE_EVERY_US)
        return false;
    ev->gone_asked_us = now_us;
    return ev->is_gone(ev->gone_ctx);
}

int eval_check(struct eval *ev)
{
    int64_t now_us = mono_us();
    if ((ev->cancelled && atomic_load_explicit(ev->cancelled, memory_order_relaxed)) || is_gone(ev, now_us))
        return eval_fail(ev, PROMQL_CANCELED, NULL, "query was canceled in expression evaluation");
    if (ev->deadline_mono_us && now_us >= ev->deadline_mono_us)
        return eval_fail(ev, PROMQL_TIMEOUT, NULL, "query timed out in expression evaluation");
    return 0;
}

int eval_tick(struct eval *ev)
{
    return (ev->ticks++ & 15) == 0 ? eval_check(ev) : 0;
}

int eval_hold(struct eval *ev, uint64_t n)
{
    ev->samples_now += n;
    if (ev->samples_now > ev->samples_peak)
        ev->samples_peak = ev->samples_now;
    if (ev->samples_now <= ev->samples_max)
        return 0;
    return eval_fail(ev, PROMQL_EXECUTION, NULL,
                     "query processing would load too many samples into memory in query execution (limit %llu)",
                     (unsigned long long)ev->samples_max);
}

int eval_scratch(struct eval *ev, size_t bytes, void *ret_pointer)
{
    if (bytes > ev->scratch_bytes || !ev->scratch) {
        size_t bigger =
            ev->scratch_bytes < bytes / 2 ? bytes : 2 * bytes; /* what is left behind stays below what is used */
        void *p = arena_alloc(&ev->arena, bigger);
        if (!p)
            return -ENOMEM;
        ev->scratch = p;
        ev->scratch_bytes = bigger;
    }
    memcpy(ret_pointer, &ev->scratch, sizeof ev->scratch);
    return 0;
}

struct deferred {
    void (*fn)(void *arg);
    void *arg;
    struct deferred *next;
};

int eval_defer(struct eval *ev, void (*fn)(void *arg), void *arg)
{
    struct deferred *d = arena_alloc(&ev->arena, sizeof *d);
    if (!d) {
        fn(arg);
        return -ENOMEM;
    }
    *d = (struct deferred){fn, arg, ev->deferred};
    ev->deferred = d;
    return 0;
}

void eval_finish(struct eval *ev)
{
    for (struct deferred *d = ev->deferred; d; d = d->next)
        d->fn(d->arg);
    if (ev->reader)
        store_reader_close(ev->reader);
    arena_done(&ev->arena);
}

/* ---- vectors and matrices ---- */

MUST_USE static int column_in(struct eval *ev, struct arena *a, size_t steps, struct column *ret)
{
    ret->values = arena_array(a, steps, sizeof *ret->values);
    ret->present = arena_array(a, steps, sizeof *ret->present);
    ret->histograms = NULL;
    ret->arena = &ev->arena;
    if (a != &ev->arena && a->used_bytes > ev->arena.max_bytes - ev->arena.used_bytes)
        return -ENOMEM; /* both together are the query's */
    return ret->values && ret->present ? 0 : -ENOMEM;
}

int column_new(struct eval *ev, size_t steps, struct column *ret)
{
    return column_in(ev, &ev->arena, steps, ret);
}

static void done_arena(void *arg)
{
    arena_done(arg);
}

int eval_arena(struct eval *ev, struct arena **ret)
{
    struct arena *a = arena_alloc(&ev->arena, sizeof *a);
    if (!a)
        return -ENOMEM;
    arena_init(a, ev->arena.max_bytes);
    int r = eval_defer(ev, done_arena, a);
    if (r == 0)
        *ret = a;
    return r;
}

int column_scratch(struct eval *ev, size_t steps, struct column *ret)
{
    int r = column_new(ev, steps, ret);
    return r < 0 ? r : eval_arena(ev, &ret->arena);
}

void column_again(struct column *c)
{
    if (c->histograms)
        arena_reset(c->arena);
    c->histograms = NULL;
}

int column_histograms(struct column *c, size_t steps)
{
    c->histograms = arena_array(c->arena, steps, sizeof *c->histograms);
    return c->histograms ? 0 : -ENOMEM;
}

int column_only_floats(struct column *c, size_t steps)
{
    if (c->histograms)
        for (size_t s = 0; s < steps; s++)
            c->present[s] = c->present[s] && !c->histograms[s];
    c->histograms = NULL;
    return memchr(c->present, true, steps * sizeof *c->present) != NULL;
}

int column_move(struct column *to, const struct column *from, size_t step, size_t steps)
{
    const struct native_histogram *h = column_histogram(from, step);
    if (h && !to->histograms) {
        int r = column_histograms(to, steps);
        if (r < 0)
            return r;
    }
    to->present[step] = true;
    to->values[step] = from->values[step];
    if (to->histograms)
        to->histograms[step] = h;
    return 0;
}

int vector_new(struct eval *ev, size_t n, const struct grid *g, vector_fetch fetch, void *state, struct vector **ret)
{
    struct vector *v = arena_alloc(&ev->arena, sizeof *v);
    struct series *series = arena_array(&ev->arena, n, sizeof *series);
    if (!v || !series)
        return -ENOMEM;
    *v = (struct vector){.series = series, .n = n, .steps = g->n, .fetch = fetch, .state = state};
    *ret = v;
    return 0;
}

int materialise_in(struct eval *ev, struct vector *v, struct arena *a, struct matrix *ret)
{
    struct matrix m = {.ordered = v->ordered};
    m.series = arena_array(&ev->arena, v->n, sizeof *m.series);
    m.columns = arena_array(&ev->arena, v->n, sizeof *m.columns);
    if (!m.series || !m.columns)
        return -ENOMEM;
    struct column next = {0};
    for (size_t i = 0; i < v->n; i++) {
        int r = next.values ? 0 : column_in(ev, a, v->steps, &next);
        if (r < 0)
            return r;
        r = v->fetch(ev, v, i, &next);
        if (r < 0)
            return r;
        if (r == 0)
            continue; /* the next series takes the column */
        if ((r = eval_hold(ev, v->steps)) < 0)
            return r;
        m.series[m.n] = v->series[i];
        m.columns[m.n++] = next;
        next = (struct column){0};
    }
    *ret = m;
    return 0;
}

int materialise(struct eval *ev, struct vector *v, struct matrix *ret)
{
    return materialise_in(ev, v, &ev->arena, ret);
}

static int fetch_column(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    (void)ev;
    const struct column *from = &((const struct column *)v->state)[i];
    memcpy(c->values, from->values, v->steps * sizeof *c->values);
    memcpy(c->present, from->present, v->steps * sizeof *c->present);
    c->histograms = NULL;
    if (from->histograms) { /* the histograms themselves stay where they are */
        int r = column_histograms(c, v->steps);
        if (r < 0)
            return r;
        memcpy(c->histograms, from->histograms, v->steps * sizeof(void *));
    }
    return memchr(c->present, true, v->steps * sizeof *c->present) != NULL;
}

int matrix_vector(struct eval *ev, const struct matrix *m, const struct grid *g, struct vector **ret)
{
    int r = vector_new(ev, 0, g, fetch_column, m->columns, ret);
    if (r < 0)
        return r;
    (*ret)->series = m->series;
    (*ret)->n = m->n;
    (*ret)->ordered = m->ordered;
    return 0;
}

int matrix_merge_equal(struct eval *ev, const struct promql_expr *place, struct matrix *m, size_t steps)
{
    struct label_table table;
    label_table_init(&table, &ev->arena);
    size_t kept = 0;
    for (size_t i = 0; i < m->n; i++) {
        size_t at;
        bool is_new;
        int r = label_table_intern(&table, &m->series[i].labels, &at, &is_new);
        if (r < 0)
            return r;
        if (is_new) { /* indexes are dense, so `at` is `kept` */
            m->series[kept] = m->series[i];
            m->columns[kept++] = m->columns[i];
            continue;
        }
        struct column *into = &m->columns[at], *from = &m->columns[i];
        for (size_t s = 0; s < steps; s++) {
            if (!from->present[s])
                continue;
            if (into->present[s])
                return eval_fail(ev, PROMQL_EXECUTION, place, SAME_LABELSET);
            if ((r = column_move(into, from, s, steps)) < 0)
                return r;
        }
        m->series[at].drop_name |= m->series[i].drop_name;
    }
    m->n = kept;
    return 0;
}

void gathered_init(struct eval *ev, struct gathered *ga)
{
    *ga = (struct gathered){0};
    label_table_init(&ga->table, &ev->arena);
}

MUST_USE static int gathered_grow(struct eval *ev, struct gathered *ga)
{
    size_t cap = ga->cap ? 2 * ga->cap : 16;
    struct series *series = arena_array(&ev->arena, cap, sizeof *series);
    struct column *columns = arena_array(&ev->arena, cap, sizeof *columns);
    if (!series || !columns)
        return -ENOMEM;
    if (ga->out.n) {
        memcpy(series, ga->out.series, ga->out.n * sizeof *series);
        memcpy(columns, ga->out.columns, ga->out.n * sizeof *columns);
    }
    ga->out.series = series;
    ga->out.columns = columns;
    ga->cap = cap;
    return 0;
}

int gathered_column(struct eval *ev, struct gathered *ga, const struct labels *ls, bool drop_name, size_t steps,
                    struct column **ret)
{
    size_t at;
    bool is_new;
    int r = label_table_intern(&ga->table, ls, &at, &is_new);
    if (r < 0 || (is_new && at >= ga->cap && (r = gathered_grow(ev, ga)) < 0))
        return r;
    if (is_new) {
        ga->out.series[at] = (struct series){ga->table.sets[at], false};
        if ((r = column_new(ev, steps, &ga->out.columns[at])) < 0 || (r = eval_hold(ev, steps)) < 0)
            return r;
        ga->out.n = at + 1;
    }
    ga->out.series[at].drop_name |= drop_name;
    *ret = &ga->out.columns[at];
    return 0;
}

/* ---- what does not depend on the step is evaluated once ---- */

struct broadcast {
    struct vector *once;
};

static int fetch_broadcast(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    struct vector *once = ((struct broadcast *)v->state)->once;
    int r = once->fetch(ev, once, i, c);
    if (r <= 0) {
        memset(c->present, 0, v->steps * sizeof *c->present);
        return r;
    }
    const struct native_histogram *h = column_histogram(c, 0);
    if (!h)
        c->histograms = NULL;
    else if ((r = column_histograms(c, v->steps)) < 0)
        return r;
    for (size_t s = 0; s < v->steps; s++) {
        c->values[s] = c->values[0];
        if (h)
            c->histograms[s] = h;
    }
    memset(c->present, true, v->steps * sizeof *c->present);
    return 1;
}

MUST_USE static int eval_here(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct value *ret);

MUST_USE static int eval_once(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct value *ret)
{
    struct grid one = {g->start_ms, g->step_ms, 1};
    struct value v;
    int r = eval_here(ev, e, &one, &v);
    if (r < 0)
        return r;
    if (v.type == PROMQL_SCALAR) {
        double *column = arena_array(&ev->arena, g->n, sizeof *column);
        if (!column)
            return -ENOMEM;
        for (size_t s = 0; s < g->n; s++)
            column[s] = v.scalar[0];
        v.scalar = column;
    } else if (v.type == PROMQL_VECTOR) {
        struct broadcast *b = arena_alloc(&ev->arena, sizeof *b);
        struct vector *wide;
        if (!b)
            return -ENOMEM;
        b->once = v.vector;
        if ((r = vector_new(ev, 0, g, fetch_broadcast, b, &wide)) < 0)
            return r;
        wide->series = b->once->series;
        wide->n = b->once->n;
        wide->ordered = b->once->ordered;
        v.vector = wide;
    }
    *ret = v;
    return 0;
}

/* ---- dispatch ---- */

static int fetch_negated(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    struct vector *from = v->state;
    int r = from->fetch(ev, from, i, c);
    for (size_t s = 0; r > 0 && s < v->steps; s++) {
        c->values[s] = -c->values[s];
        if (c->present[s] && column_histogram(c, s)) {
            int failed = histogram_scaled(c->arena, c->histograms[s], -1, &c->histograms[s]);
            if (failed < 0)
                return failed;
        }
    }
    return r;
}

MUST_USE static int eval_unary(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct value *ret)
{
    struct value v;
    int r = eval_expr(ev, e->unary.expr, g, &v);
    if (r < 0)
        return r;
    if (!e->unary.negative) {
        *ret = v;
        return 0;
    }
    if (v.type == PROMQL_SCALAR) {
        for (size_t s = 0; s < g->n; s++)
            v.scalar[s] = -v.scalar[s];
        *ret = v;
        return 0;
    }
    struct vector *out;
    if ((r = vector_new(ev, v.vector->n, g, fetch_negated, v.vector, &out)) < 0)
        return r;
    for (size_t i = 0; i < out->n; i++)
        out->series[i] = (struct series){v.vector->series[i].labels, true};
    out->ordered = v.vector->ordered;
    *ret = (struct value){.type = PROMQL_VECTOR, .vector = out};
    return 0;
}

static int eval_here(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct value *ret)
{
    struct value v = {.type = e->type};
    int r = eval_tick(ev);
    if (r < 0)
        return r;
    switch (e->kind) {
    case NODE_NUMBER:
        v.scalar = arena_array(&ev->arena, g->n, sizeof *v.scalar);
        if (!v.scalar)
            return -ENOMEM;
        for (size_t s = 0; s < g->n; s++)
            v.scalar[s] = e->number.value;
        break;
    case NODE_STRING:
        v.string = e->string;
        break;
    case NODE_SELECTOR:
        r = eval_selector(ev, e, g, SELECT_VALUE, &v.vector);
        break;
    case NODE_CALL:
        r = e->call.function->call(ev, e, g, &v);
        break;
    case NODE_AGGREGATE:
        r = eval_aggregate(ev, e, g, &v.vector);
        break;
    case NODE_BINARY:
        r = eval_binary(ev, e, g, &v);
        break;
    case NODE_UNARY:
        r = eval_unary(ev, e, g, &v);
        break;
    case NODE_PAREN:
        r = eval_expr(ev, e->paren, g, &v);
        break;
    case NODE_MATRIX:
    case NODE_SUBQUERY: /* functions open these with eval_range, the query itself with its own code */
        r = eval_fail(ev, PROMQL_INTERNAL, e, "range vector in the place of a value");
        break;
    }
    if (r < 0)
        return r;
    *ret = v;
    return 0;
}

int eval_expr(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct value *ret)
{
    return e->invariant && g->n > 1 ? eval_once(ev, e, g, ret) : eval_here(ev, e, g, ret);
}

int eval_vector(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct vector **ret)
{
    struct value v;
    int r = eval_expr(ev, e, g, &v);
    if (r < 0)
        return r;
    *ret = v.vector;
    return 0;
}

int eval_scalar(struct eval *ev, const struct promql_expr *e, const struct grid *g, double **ret)
{
    struct value v;
    int r = eval_expr(ev, e, g, &v);
    if (r < 0)
        return r;
    *ret = v.scalar;
    return 0;
}

int eval_string(struct eval *ev, const struct promql_expr *e, struct span *ret)
{
    const struct promql_expr *s = unwrap_parens(e);
    if (s->kind != NODE_STRING)
        return eval_fail(ev, PROMQL_INTERNAL, e, "not a string literal");
    *ret = s->string;
    return 0;
}

int eval_duration(struct eval *ev, const struct promql_expr *place, const struct duration_expr *d, bool may_be_negative,
                  int64_t *ret)
{
    const char *why = "";
    int r = duration_ms(d, ev->step_ms, ev->end_ms - ev->start_ms, may_be_negative, ret, &why);
    return r < 0 ? eval_fail(ev, PROMQL_EXECUTION, place, "%s", why) : 0;
}
