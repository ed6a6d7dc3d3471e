/* doubts.c - what an expression says and can hardly mean: it can never give anything, or it gives a number where nothing is
 * known. Only what is sure from the text alone is told. */
#include <math.h>
#include <stdarg.h>

#include "collector/promql/ast.h"
#include "collector/promql/functions.h"

struct finder {
    promql_doubt fn;
    void *ctx;
};

static void tell(const struct finder *f, const struct promql_expr *e, const char *format, ...) PRINTF_LIKE(3, 4);
static void tell(const struct finder *f, const struct promql_expr *e, const char *format, ...)
{
    char words[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    f->fn(f->ctx, e->start, e->end, words);
}

static bool listed(const struct span *labels, size_t n, struct span name)
{
    for (size_t i = 0; i < n; i++)
        if (span_equal(labels[i], name))
            return true;
    return false;
}

static bool is_vector_call(const struct promql_expr *e)
{
    e = unwrap_parens(e);
    return e->kind == NODE_CALL && strcmp(e->call.function->name, "vector") == 0;
}

/* Of what a vector's labels come: through parentheses, signs, arithmetic and comparison with scalars, and functions that keep them. */
static const struct promql_expr *source(const struct promql_expr *e)
{
    for (;;) {
        e = unwrap_parens(e);
        if (e->kind == NODE_UNARY) {
            e = e->unary.expr;
        } else if (e->kind == NODE_BINARY && e->binary.right->type == PROMQL_SCALAR) {
            e = e->binary.left;
        } else if (e->kind == NODE_BINARY && e->binary.left->type == PROMQL_SCALAR) {
            e = e->binary.right;
        } else if (e->kind == NODE_MATRIX) {
            e = e->matrix.selector;
        } else if (e->kind == NODE_CALL && e->call.n == 1 &&
                   (e->call.args[0]->type == PROMQL_VECTOR || e->call.args[0]->type == PROMQL_MATRIX) &&
                   e->call.function->returns == PROMQL_VECTOR && strncmp(e->call.function->name, "absent", 6) != 0 &&
                   strcmp(e->call.function->name, "info") != 0) {
            e = e->call.args[0];
        } else {
            return e;
        }
    }
}

/* The only value that a label of the vector can have, if that is sure. */
static bool fixed_value(const struct promql_expr *e, struct span name, struct span *ret)
{
    e = source(e);
    if (e->kind == NODE_AGGREGATE && e->aggregate.op != TOKEN_COUNT_VALUES &&
        listed(e->aggregate.labels, e->aggregate.n_labels, name) != e->aggregate.without)
        return fixed_value(e->aggregate.expr, name, ret);
    if (e->kind != NODE_SELECTOR)
        return false;
    for (size_t i = 0; i < e->selector.n; i++) {
        const struct matcher *m = &e->selector.matchers[i];
        if (m->type == MATCH_EQUAL && m->value.len && span_equal(m->name, name)) {
            *ret = m->value;
            return true;
        }
    }
    return false;
}

/* An aggregation with by (…): it has no other labels. */
static const struct promql_expr *grouped(const struct promql_expr *e)
{
    e = source(e);
    bool picks =
        e->kind == NODE_AGGREGATE &&
        (e->aggregate.op == TOKEN_TOPK || e->aggregate.op == TOKEN_BOTTOMK || e->aggregate.op == TOKEN_LIMITK ||
         e->aggregate.op == TOKEN_LIMIT_RATIO || e->aggregate.op == TOKEN_COUNT_VALUES);
    return e->kind == NODE_AGGREGATE && !e->aggregate.without && !picks ? e : NULL;
}

static void doubt_labels(const struct finder *f, const struct promql_expr *e)
{
    const struct matching *m = &e->binary.matching;
    const struct promql_expr *sides[2] = {grouped(e->binary.left), grouped(e->binary.right)};
    static const char *const NAMES[2] = {"left", "right"};
    for (size_t s = 0; s < 2 && m->on; s++)
        for (size_t i = 0; i < m->n_labels && sides[s]; i++)
            if (!listed(sides[s]->aggregate.labels, sides[s]->aggregate.n_labels, m->labels[i]))
                tell(f, e,
                     "on (" SPAN_FMT
                     "): the %s side is aggregated without that label, so only series that lack it match",
                     SPAN_ARG(m->labels[i]), NAMES[s]);
    for (size_t s = 0; s < 2 && !m->on && sides[0] && sides[1]; s++)
        for (size_t i = 0; i < sides[s]->aggregate.n_labels; i++) {
            struct span name = sides[s]->aggregate.labels[i];
            const struct promql_expr *other = sides[1 - s];
            if (!listed(m->labels, m->n_labels, name) &&
                !listed(other->aggregate.labels, other->aggregate.n_labels, name)) {
                tell(f, e,
                     "the %s side has the label " SPAN_FMT
                     " and the other one cannot have it: they never match; say on (…)",
                     NAMES[s], SPAN_ARG(name));
                return;
            }
        }
}

static void doubt_values(const struct finder *f, const struct promql_expr *e)
{
    const struct matching *m = &e->binary.matching;
    const struct promql_expr *left = source(e->binary.left);
    while (left->kind == NODE_AGGREGATE)
        left = source(left->aggregate.expr);
    for (size_t i = 0; left->kind == NODE_SELECTOR && i < left->selector.n; i++) {
        struct span name = left->selector.matchers[i].name, a, b;
        if (span_equal(name, SPAN("__name__")) || listed(m->labels, m->n_labels, name) != m->on)
            continue;
        if (fixed_value(e->binary.left, name, &a) && fixed_value(e->binary.right, name, &b) && !span_equal(a, b)) {
            tell(f, e,
                 "the label " SPAN_FMT " is \"" SPAN_FMT "\" on the left and \"" SPAN_FMT
                 "\" on the right: they never match; leave it out with on (…) or ignoring (…)",
                 SPAN_ARG(name), SPAN_ARG(a), SPAN_ARG(b));
            return;
        }
    }
}

/* ---- selectors ---- */
static void doubt_selector(const struct finder *f, const struct promql_expr *e)
{
    for (size_t i = 0; i < e->selector.n; i++) {
        const struct matcher *m = &e->selector.matchers[i];
        for (size_t k = 0; k < e->selector.n && m->type == MATCH_EQUAL; k++) {
            const struct matcher *other = &e->selector.matchers[k];
            if (k != i && span_equal(m->name, other->name) && matcher_matches(other, m->value) == 0) {
                tell(f, e,
                     "no series has " SPAN_FMT "=\"" SPAN_FMT "\" and " SPAN_FMT "%s\"" SPAN_FMT
                     "\": it never gives anything",
                     SPAN_ARG(m->name), SPAN_ARG(m->value), SPAN_ARG(m->name), match_type_text(other->type),
                     SPAN_ARG(other->value));
                return;
            }
        }
    }
}

/* ---- ranges that exclude each other: x > 5 and x < 3 ---- */
struct interval {
    double low, high;
    bool open_low, open_high;
};

static bool interval_of(const struct promql_expr *e, struct interval *ret)
{
    const struct promql_expr *limit = unwrap_parens(e->binary.right);
    double sign = 1;
    if (limit->kind == NODE_UNARY) {
        sign = limit->unary.negative ? -1 : 1;
        limit = unwrap_parens(limit->unary.expr);
    }
    if (limit->kind != NODE_NUMBER || e->binary.returns_bool)
        return false;
    double v = sign * limit->number.value;
    enum token_type op = e->binary.op;
    *ret = (struct interval){-INFINITY, INFINITY, op == TOKEN_GTR, op == TOKEN_LSS};
    if (op == TOKEN_GTR || op == TOKEN_GTE || op == TOKEN_EQLC)
        ret->low = v;
    if (op == TOKEN_LSS || op == TOKEN_LTE || op == TOKEN_EQLC)
        ret->high = v;
    return op == TOKEN_GTR || op == TOKEN_GTE || op == TOKEN_LSS || op == TOKEN_LTE || op == TOKEN_EQLC;
}

static bool same_text(const struct promql_expr *a, const struct promql_expr *b)
{
    struct buf x, y;
    buf_init(&x, 65536);
    buf_init(&y, 65536);
    promql_format(a, &x);
    promql_format(b, &y);
    bool same = !buf_error(&x) && !buf_error(&y) && span_equal(buf_view(&x), buf_view(&y));
    buf_done(&x);
    buf_done(&y);
    return same;
}

static void doubt_ranges(const struct finder *f, const struct promql_expr *e)
{
    const struct promql_expr *a = unwrap_parens(e->binary.left), *b = unwrap_parens(e->binary.right);
    struct interval x, y;
    if (e->binary.matching.has_labels || a->kind != NODE_BINARY || b->kind != NODE_BINARY || !interval_of(a, &x) ||
        !interval_of(b, &y) || !same_text(unwrap_parens(a->binary.left), unwrap_parens(b->binary.left)))
        return;
    double low = x.low > y.low ? x.low : y.low, high = x.high < y.high ? x.high : y.high;
    bool open = (x.low == low && x.open_low) || (y.low == low && y.open_low) || (x.high == high && x.open_high) ||
                (y.high == high && y.open_high);
    if (low > high || (low == high && open))
        tell(f, e, "no value is in both ranges: it never gives anything");
}

/* ---- ratios ---- */
static const struct promql_expr *only_selector(const struct promql_expr *e)
{
    e = source(e);
    while (e->kind == NODE_AGGREGATE)
        e = source(e->aggregate.expr);
    return e->kind == NODE_SELECTOR ? e : NULL;
}

static bool has_matcher(const struct promql_expr *s, const struct matcher *m)
{
    for (size_t i = 0; i < s->selector.n; i++) {
        const struct matcher *o = &s->selector.matchers[i];
        if (o->type == m->type && span_equal(o->name, m->name) && span_equal(o->value, m->value))
            return true;
    }
    return false;
}

/* Part of its whole: the same metric with more matchers. */
static const struct matcher *narrowed(const struct promql_expr *part, const struct promql_expr *whole)
{
    const struct matcher *extra = NULL;
    for (size_t i = 0; i < whole->selector.n; i++)
        if (!has_matcher(part, &whole->selector.matchers[i]))
            return NULL;
    for (size_t i = 0; i < part->selector.n && !extra; i++)
        if (!has_matcher(whole, &part->selector.matchers[i]))
            extra = &part->selector.matchers[i];
    return extra;
}

static const struct promql_expr *filled(const struct promql_expr *e)
{
    e = unwrap_parens(e);
    return e->kind == NODE_BINARY && e->binary.op == TOKEN_OR && is_vector_call(e->binary.right) ? e : NULL;
}

static void doubt_ratio(const struct finder *f, const struct promql_expr *e, bool wants_zero)
{
    const struct promql_expr *part = only_selector(e->binary.left), *whole = only_selector(e->binary.right);
    if (filled(e->binary.right) && e->binary.left->type == PROMQL_VECTOR)
        tell(f, e->binary.right,
             "without data the ratio is divided by a made-up number: it looks well where nothing is known");
    const struct matcher *extra = part && whole && !e->binary.matching.fill_left ? narrowed(part, whole) : NULL;
    if (extra && wants_zero)
        tell(f, e,
             "while no series has " SPAN_FMT "%s\"" SPAN_FMT
             "\" the ratio has no value, though there is data: '… or 0 * …' in the numerator makes it 0",
             SPAN_ARG(extra->name), match_type_text(extra->type), SPAN_ARG(extra->value));
}

static bool is_ratio(const struct promql_expr *e)
{
    e = source(e);
    return e->kind == NODE_BINARY && e->binary.op == TOKEN_DIV && e->binary.right->type == PROMQL_VECTOR;
}

/* wants_zero: a 0 says something here: it is recorded, or a comparison asks for small values. */
static void doubt(const struct finder *f, const struct promql_expr *e, bool wants_zero)
{
    struct promql_expr *const *parts, *room[2];
    size_t n = expr_children(e, &parts, room);
    bool passes = wants_zero;
    if (e->kind == NODE_SELECTOR)
        doubt_selector(f, e);
    if (e->kind == NODE_BINARY) {
        const struct matching *m = &e->binary.matching;
        bool vectors = e->binary.left->type == PROMQL_VECTOR && e->binary.right->type == PROMQL_VECTOR;
        bool meets =
            vectors && e->binary.op != TOKEN_OR && e->binary.op != TOKEN_UNLESS && !m->fill_left && !m->fill_right;
        if (token_is_comparison(e->binary.op))
            passes = e->binary.op == TOKEN_LSS || e->binary.op == TOKEN_LTE;
        if (meets) {
            doubt_labels(f, e);
            doubt_values(f, e);
        }
        if (e->binary.op == TOKEN_AND)
            doubt_ranges(f, e);
        if (e->binary.op == TOKEN_DIV)
            doubt_ratio(f, e, wants_zero);
        if (filled(e) && is_ratio(e->binary.left))
            tell(f, e, "without data the ratio has a made-up value: nothing known looks like something known");
    }
    for (size_t i = 0; i < n; i++)
        doubt(f, parts[i], passes);
}

void promql_each_doubt(const struct promql_expr *e, bool recorded, promql_doubt fn, void *ctx)
{
    doubt(&(struct finder){fn, ctx}, e, recorded);
}
