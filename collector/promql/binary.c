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
    struct vector *from;
    const double *scalar;
    enum token_type op;
    bool scalar_left, filter; /* filter: a comparison without bool keeps the vector's value */
};

static int fetch_with_scalar(struct eval *ev, struct vector *v, size_t i, double *values, bool *present)
{
    const struct with_scalar *w = v->state;
    int r = w->from->fetch(ev, w->from, i, values, present);
    if (r <= 0)
        return r;
    bool any = false;
    for (size_t s = 0; s < v->steps; s++) {
        if (!present[s])
            continue;
        double result = w->scalar_left ? binary_operate(w->op, w->scalar[s], values[s])
                                       : binary_operate(w->op, values[s], w->scalar[s]);
        if (!w->filter)
            values[s] = result;
        else if (result == 0)
            present[s] = false;
        any |= present[s];
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
        v->series[i].drop_name |= !w->filter;
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
