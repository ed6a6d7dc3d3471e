/* check.c - what the grammar cannot say: types, arities, which modifier fits which operand. Wording is Prometheus's. */
#include <errno.h>
#include <stdarg.h>

#include "collector/promql/ast.h"
#include "collector/promql/functions.h"
#include "lib/base/quote.h"

struct check {
    struct span text;
    struct parse_error *error;
};

static int fail(struct check *c, int code, size_t start, size_t end, const char *format, ...) PRINTF_LIKE(5, 6);
static int fail(struct check *c, int code, size_t start, size_t end, const char *format, ...)
{
    char text[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    parse_error_set(c->error, code, c->text.ptr, start, end, "%s", text);
    return code;
}

const char *type_name(enum promql_type t)
{
    static const char *const NAMES[] = {"scalar", "instant vector", "range vector", "string"};
    return NAMES[t];
}

size_t expr_children(const struct promql_expr *e, struct promql_expr *const **ret, struct promql_expr *room[2])
{
    size_t n = 0;
    *ret = room;
    switch (e->kind) {
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_SELECTOR:
        break;
    case NODE_MATRIX:
        room[n++] = e->matrix.selector;
        break;
    case NODE_SUBQUERY:
        room[n++] = e->subquery.expr;
        break;
    case NODE_CALL:
        *ret = e->call.args;
        return e->call.n;
    case NODE_AGGREGATE:
        if (e->aggregate.parameter)
            room[n++] = e->aggregate.parameter;
        room[n++] = e->aggregate.expr;
        break;
    case NODE_BINARY:
        room[n++] = e->binary.left;
        room[n++] = e->binary.right;
        break;
    case NODE_UNARY:
        room[n++] = e->unary.expr;
        break;
    case NODE_PAREN:
        room[n++] = e->paren;
        break;
    }
    return n;
}

MUST_USE static int check(struct check *c, struct promql_expr *e);

MUST_USE static int check_selector(struct check *c, struct promql_expr *e)
{
    e->type = PROMQL_VECTOR;
    e->invariant = e->selector.timing.at != AT_NONE;
    bool any = e->selector.may_match_empty;
    size_t n = e->selector.n;
    if (e->selector.name.len > 0) {
        for (size_t i = 0; i + 1 < n; i++)
            if (span_equal(e->selector.matchers[i].name, SPAN("__name__")))
                return fail(c, -EINVAL, e->start, e->end,
                            "metric name must not be set twice: \"" SPAN_FMT "\" or \"" SPAN_FMT "\"",
                            SPAN_ARG(e->selector.name), SPAN_ARG(e->selector.matchers[i].value));
        return 0;
    }
    for (size_t i = 0; i < n && !any; i++)
        any = !matcher_matches_empty(&e->selector.matchers[i]);
    if (!any)
        return fail(c, -EINVAL, e->start, e->end, "vector selector must contain at least one non-empty matcher");
    return 0;
}

MUST_USE static int expect_type(struct check *c, struct promql_expr *e, enum promql_type want, const char *context)
{
    int r = check(c, e);
    if (r < 0 || e->type == want)
        return r;
    return fail(c, -EINVAL, e->start, e->end, "expected type %s in %s, got %s", type_name(want), context,
                type_name(e->type));
}

MUST_USE static int check_aggregate(struct check *c, struct promql_expr *e)
{
    e->type = PROMQL_VECTOR;
    int r = expect_type(c, e->aggregate.expr, PROMQL_VECTOR, "aggregation expression");
    if (r < 0)
        return r;
    e->invariant = e->aggregate.expr->invariant;
    struct promql_expr *parameter = e->aggregate.parameter;
    if (!parameter)
        return 0;
    r = expect_type(c, parameter, e->aggregate.op == TOKEN_COUNT_VALUES ? PROMQL_STRING : PROMQL_SCALAR,
                    "aggregation parameter");
    e->invariant &= r == 0 && parameter->invariant;
    return r;
}

/* Which modifiers a binary operator may carry, the sides' types known. */
MUST_USE static int check_matching(struct check *c, struct promql_expr *e)
{
    struct matching *m = &e->binary.matching;
    enum token_type op = e->binary.op;
    const char *spelling = token_spelling(op);
    enum promql_type lt = e->binary.left->type, rt = e->binary.right->type;
    if (lt != PROMQL_SCALAR && lt != PROMQL_VECTOR)
        return fail(c, -EINVAL, e->binary.left->start, e->binary.left->end,
                    "binary expression must contain only scalar and instant vector types");
    if (rt != PROMQL_SCALAR && rt != PROMQL_VECTOR)
        return fail(c, -EINVAL, e->binary.right->start, e->binary.right->end,
                    "binary expression must contain only scalar and instant vector types");
    bool fill = m->fill_left || m->fill_right;
    if (lt != PROMQL_VECTOR || rt != PROMQL_VECTOR) {
        if (m->n_labels > 0)
            return fail(c, -EINVAL, e->start, e->end, "vector matching only allowed between instant vectors");
        if (fill)
            return fail(c, -EINVAL, e->start, e->end, "filling in missing series only allowed between instant vectors");
        if (token_is_set_operator(op))
            return fail(c, -EINVAL, e->start, e->end, "set operator \"%s\" not allowed in binary scalar expression",
                        spelling);
        return 0;
    }
    if (token_is_set_operator(op)) {
        if (m->card != CARD_ONE_TO_ONE)
            return fail(c, -EINVAL, e->start, e->end, "no grouping allowed for \"%s\" operation", spelling);
        if (fill)
            return fail(c, -EINVAL, e->start, e->end, "filling in missing series not allowed for set operators");
        m->card = CARD_MANY_TO_MANY;
    }
    return 0;
}

MUST_USE static int check_binary(struct check *c, struct promql_expr *e)
{
    struct promql_expr *left = e->binary.left, *right = e->binary.right;
    const struct matching *m = &e->binary.matching;
    int r = check(c, left);
    if (r < 0 || (r = check(c, right)) < 0)
        return r;
    e->invariant = left->invariant && right->invariant;
    bool scalars = left->type == PROMQL_SCALAR && right->type == PROMQL_SCALAR;
    e->type = scalars ? PROMQL_SCALAR : PROMQL_VECTOR;
    bool comparison = token_is_comparison(e->binary.op);
    if (e->binary.returns_bool && !comparison)
        return fail(c, -EINVAL, e->binary.op_start, e->binary.op_end,
                    "bool modifier can only be used on comparison operators");
    if (comparison && !e->binary.returns_bool && scalars)
        return fail(c, -EINVAL, e->binary.op_start, e->binary.op_end,
                    "comparisons between scalars must use BOOL modifier");
    for (size_t i = 0; m->on && i < m->n_labels; i++)
        for (size_t j = 0; j < m->n_include; j++)
            if (span_equal(m->labels[i], m->include[j]))
                return fail(c, -EINVAL, e->binary.op_start, e->binary.op_end,
                            "label \"" SPAN_FMT "\" must not occur in ON and GROUP clause at once",
                            SPAN_ARG(m->labels[i]));
    return check_matching(c, e);
}

MUST_USE static int check_arity(struct check *c, const struct promql_expr *e)
{
    const struct promql_function *f = e->call.function;
    size_t n = e->call.n;
    if (f->variadic == 0) {
        if (n != (size_t)f->n_args)
            return fail(c, -EINVAL, e->start, e->end, "expected %d argument(s) in call to \"%s\", got %zu", f->n_args,
                        f->name, n);
        return 0;
    }
    size_t least = (size_t)f->n_args - 1, most = least + (size_t)(f->variadic > 0 ? f->variadic : 0);
    if (n < least)
        return fail(c, -EINVAL, e->start, e->end, "expected at least %zu argument(s) in call to \"%s\", got %zu", least,
                    f->name, n);
    if (f->variadic > 0 && n > most)
        return fail(c, -EINVAL, e->start, e->end, "expected at most %zu argument(s) in call to \"%s\", got %zu", most,
                    f->name, n);
    return 0;
}

/* info(v, {selector}): the second argument is label matchers, not a metric. */
MUST_USE static int check_info(struct check *c, struct promql_expr *e)
{
    struct promql_expr *s = e->call.args[1];
    if (s->kind != NODE_SELECTOR)
        return fail(c, -EINVAL, s->start, s->end, "expected label selectors only");
    if (s->selector.name.len > 0)
        return fail(c, -EINVAL, s->start, s->end, "expected label selectors only, got vector selector instead");
    s->selector.may_match_empty = true;
    return 0;
}

/* anchored and smoothed change what a range holds: only functions that know them may see such a range. */
MUST_USE static int check_extension(struct check *c, const struct promql_expr *call, const struct promql_expr *arg)
{
    static const char *const SMOOTHED[] = {"delta", "increase", "rate"};
    static const char *const ANCHORED[] = {"changes", "delta", "increase", "rate", "resets"};
    arg = unwrap_parens(arg);
    if (arg->kind != NODE_MATRIX)
        return 0;
    enum extension x = arg->matrix.selector->selector.extension;
    if (x == EXTENSION_NONE)
        return 0;
    bool anchored = x == EXTENSION_ANCHORED;
    const char *const *names = anchored ? ANCHORED : SMOOTHED;
    size_t n = anchored ? ARRAY_LEN(ANCHORED) : ARRAY_LEN(SMOOTHED);
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], call->call.function->name) == 0)
            return 0;
    return fail(c, -EINVAL, call->start, call->end, "%s modifier can only be used with: %s - not with %s",
                anchored ? "anchored" : "smoothed",
                anchored ? "changes, delta, increase, rate, resets" : "delta, increase, rate",
                call->call.function->name);
}

MUST_USE static int check_call(struct check *c, struct promql_expr *e)
{
    const struct promql_function *f = e->call.function;
    e->type = f->returns;
    e->invariant = !f->needs_time;
    int r = check_arity(c, e);
    if (r == 0 && strcmp(f->name, "info") == 0 && e->call.n > 1)
        r = check_info(c, e);
    for (size_t i = 0; r == 0 && i < e->call.n; i++) {
        struct promql_expr *arg = e->call.args[i];
        enum promql_type want = f->args[i < (size_t)f->n_args ? i : (size_t)f->n_args - 1];
        if ((r = check(c, arg)) < 0)
            break;
        if (arg->type != want)
            return fail(c, -EINVAL, arg->start, arg->end, "expected type %s in call to function \"%s\", got %s",
                        type_name(want), f->name, type_name(arg->type));
        e->invariant &= arg->invariant;
        r = check_extension(c, e, arg);
    }
    return r;
}

static int check(struct check *c, struct promql_expr *e)
{
    int r = 0;
    switch (e->kind) {
    case NODE_NUMBER:
        e->type = PROMQL_SCALAR;
        e->invariant = true;
        return 0;
    case NODE_STRING:
        e->type = PROMQL_STRING;
        e->invariant = true;
        return 0;
    case NODE_SELECTOR:
        return check_selector(c, e);
    case NODE_MATRIX:
        r = check(c, e->matrix.selector);
        e->type = PROMQL_MATRIX;
        e->invariant = e->matrix.selector->invariant;
        return r;
    case NODE_SUBQUERY:
        r = check(c, e->subquery.expr);
        e->type = PROMQL_MATRIX;
        e->invariant = e->subquery.timing.at != AT_NONE;
        if (r == 0 && e->subquery.expr->type != PROMQL_VECTOR)
            return fail(c, -EINVAL, e->start, e->end, "subquery is only allowed on instant vector, got %s instead",
                        e->subquery.expr->type == PROMQL_MATRIX ? "matrix" : type_name(e->subquery.expr->type));
        return r;
    case NODE_CALL:
        return check_call(c, e);
    case NODE_AGGREGATE:
        return check_aggregate(c, e);
    case NODE_BINARY:
        return check_binary(c, e);
    case NODE_UNARY:
        r = check(c, e->unary.expr);
        e->type = e->unary.expr->type;
        e->invariant = e->unary.expr->invariant;
        if (r == 0 && e->type != PROMQL_SCALAR && e->type != PROMQL_VECTOR)
            return fail(c, -EINVAL, e->start, e->end,
                        "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"",
                        type_name(e->type));
        return r;
    case NODE_PAREN:
        r = check(c, e->paren);
        e->type = e->paren->type;
        e->invariant = e->paren->invariant;
        return r;
    }
    return r;
}

int check_expr(struct span text, struct promql_expr *e, struct parse_error *ret_error)
{
    struct check c = {text, ret_error};
    return check(&c, e);
}

/* What a call or operator does with native histograms: only counts and sums are looked at, or buckets are needed below. */
static bool only_counts(const struct promql_expr *e)
{
    static const char *const NAMES[] = {"histogram_count", "histogram_sum", "histogram_avg"};
    for (size_t i = 0; e->kind == NODE_CALL && i < ARRAY_LEN(NAMES); i++)
        if (strcmp(e->call.function->name, NAMES[i]) == 0)
            return true;
    return false;
}

static bool needs_buckets(const struct promql_expr *e)
{
    static const char *const NAMES[] = {"histogram_quantile", "histogram_quantiles", "histogram_fraction"};
    for (size_t i = 0; e->kind == NODE_CALL && i < ARRAY_LEN(NAMES); i++)
        if (strcmp(e->call.function->name, NAMES[i]) == 0)
            return true;
    return e->kind == NODE_SUBQUERY || (e->kind == NODE_BINARY && token_is_trim(e->binary.op));
}

void mark_counts_and_sums(struct promql_expr *e, bool counts, bool buckets)
{
    counts |= only_counts(e);
    buckets |= needs_buckets(e);
    if (e->kind == NODE_SELECTOR)
        e->selector.counts_and_sums = counts && !buckets;
    struct promql_expr *room[2], *const *parts;
    size_t n = expr_children(e, &parts, room);
    for (size_t i = 0; i < n; i++)
        mark_counts_and_sums(parts[i], counts, buckets);
}
