/* binary.c - operators where one side at least is a scalar; what the operators mean. */
#include <errno.h>
#include <math.h>

#include "collector/promql/eval.h"

double binary_operate(enum token_type op, double a, double b)
{
    switch (op) {
    case TOKEN_ADD:
        return a + b;
    case TOKEN_SUB:
        return a - b;
    case TOKEN_MUL:
        return a * b;
    case TOKEN_DIV:
        return a / b;
    case TOKEN_MOD:
        return fmod(a, b);
    case TOKEN_POW:
        return pow(a, b);
    case TOKEN_ATAN2:
        return atan2(a, b);
    case TOKEN_EQLC:
        return a == b;
    case TOKEN_NEQ:
        return a != b;
    case TOKEN_GTR:
        return a > b;
    case TOKEN_LSS:
        return a < b;
    case TOKEN_GTE:
        return a >= b;
    case TOKEN_LTE:
        return a <= b;
    default:
        return NAN;
    }
}

struct with_scalar {
    const struct promql_expr *e;
    struct vector *from;
    const double *scalar;
    enum token_type op;
    bool scalar_left, filter; /* filter: a comparison without bool keeps the vector's value */
};

/* One step where the vector has a histogram, or the operator is made for one. */
MUST_USE static int histogram_with_scalar(struct eval *ev, const struct with_scalar *w, struct column *c, size_t s,
                                          size_t steps)
{
    const struct native_histogram *h = column_histogram(c, s), *result;
    bool keep;
    int r = w->scalar_left ? histogram_operate(ev, w->e, c->arena, NULL, w->scalar[s], h, c->values[s], &keep, &result)
                           : histogram_operate(ev, w->e, c->arena, h, c->values[s], NULL, w->scalar[s], &keep, &result);
    if (r < 0)
        return r;
    c->present[s] = r != HISTOGRAM_INCOMPATIBLE && keep;
    if (c->present[s] && !c->histograms && (r = column_histograms(c, steps)) < 0)
        return r;
    if (c->histograms)
        c->histograms[s] = c->present[s] ? result : NULL;
    return 0;
}

static int fetch_with_scalar(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    const struct with_scalar *w = v->state;
    int r = w->from->fetch(ev, w->from, i, c);
    if (r <= 0)
        return r;
    bool any = false, slow = c->histograms || token_is_trim(w->op);
    for (size_t s = 0; s < v->steps; s++) {
        if (!c->present[s])
            continue;
        if (slow && (token_is_trim(w->op) || c->histograms[s])) {
            if ((r = histogram_with_scalar(ev, w, c, s, v->steps)) < 0)
                return r;
            any |= c->present[s];
            continue;
        }
        double result = w->scalar_left ? binary_operate(w->op, w->scalar[s], c->values[s])
                                       : binary_operate(w->op, c->values[s], w->scalar[s]);
        if (!w->filter)
            c->values[s] = result;
        else if (result == 0)
            c->present[s] = false;
        any |= c->present[s];
    }
    return any;
}

MUST_USE static int vector_with_scalar(struct eval *ev, const struct promql_expr *e, const struct grid *g,
                                       struct vector **ret)
{
    bool scalar_left = e->binary.left->type == PROMQL_SCALAR;
    struct with_scalar *w = arena_alloc(&ev->arena, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->e = e;
    w->op = e->binary.op;
    w->scalar_left = scalar_left;
    w->filter = token_is_comparison(w->op) && !e->binary.returns_bool;
    double *scalar;
    struct vector *v;
    int r = eval_vector(ev, scalar_left ? e->binary.right : e->binary.left, g, &w->from);
    if (r < 0 || (r = eval_scalar(ev, scalar_left ? e->binary.left : e->binary.right, g, &scalar)) < 0 ||
        (r = vector_new(ev, w->from->n, g, fetch_with_scalar, w, &v)) < 0)
        return r;
    w->scalar = scalar;
    for (size_t i = 0; i < v->n; i++) {
        v->series[i] = w->from->series[i];
        v->series[i].drop_name |= !w->filter && !token_is_trim(w->op);
    }
    v->ordered = w->from->ordered;
    *ret = v;
    return 0;
}

int eval_binary(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct value *ret)
{
    struct value v = {.type = e->type};
    enum promql_type lt = e->binary.left->type, rt = e->binary.right->type;
    int r;
    if (lt == PROMQL_SCALAR && rt == PROMQL_SCALAR) {
        if (token_is_trim(e->binary.op))
            return eval_fail(ev, PROMQL_EXECUTION, e, "operator \"%s\" not allowed for Scalar operations",
                             token_spelling(e->binary.op));
        double *left, *right;
        if ((r = eval_scalar(ev, e->binary.left, g, &left)) < 0 ||
            (r = eval_scalar(ev, e->binary.right, g, &right)) < 0)
            return r;
        for (size_t s = 0; s < g->n; s++)
            left[s] = binary_operate(e->binary.op, left[s], right[s]);
        v.scalar = left;
    } else if (lt == PROMQL_SCALAR || rt == PROMQL_SCALAR) {
        r = vector_with_scalar(ev, e, g, &v.vector);
    } else if (token_is_set_operator(e->binary.op)) {
        r = eval_set_operation(ev, e, g, &v.vector);
    } else {
        r = eval_vector_match(ev, e, g, &v.vector);
    }
    if (r < 0)
        return r;
    *ret = v;
    return 0;
}
