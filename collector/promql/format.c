/* format.c - an expression as Prometheus prints it on one line. */
#include "collector/promql/ast.h"
#include "collector/promql/functions.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"

static void format_expr(const struct promql_expr *e, struct buf *out);

static void format_label_list(const struct span *labels, size_t n, struct buf *out)
{
    buf_char(out, '(');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(out, ", ");
        if (label_name_is_plain(labels[i]))
            buf_span(out, labels[i]);
        else
            quote_go(out, labels[i]);
    }
    buf_char(out, ')');
}

static void format_number(double v, struct buf *out)
{
    char text[NUMBER_TEXT_MAX];
    size_t n = format_f64_g(text, v);
    buf_bytes(out, text, n);
}

static void format_seconds(double seconds, struct buf *out)
{
    char text[NUMBER_TEXT_MAX];
    if (seconds < 0) {
        buf_char(out, '-');
        seconds = -seconds;
    }
    int64_t ms = seconds < 9e15 ? (int64_t)(seconds * 1000.0 + 0.5) : INT64_MAX;
    size_t n = format_duration_ms(text, ms);
    buf_bytes(out, text, n);
}

static void format_duration(const struct duration_expr *d, struct buf *out)
{
    switch (d->op) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
        format_seconds(d->seconds, out);
        return;
    case TOKEN_STEP:
        buf_str(out, "step()");
        return;
    case TOKEN_RANGE:
        buf_str(out, "range()");
        return;
    case TOKEN_LEFT_PAREN:
        buf_char(out, '(');
        format_duration(d->left, out);
        buf_char(out, ')');
        return;
    case TOKEN_MIN:
    case TOKEN_MAX:
        buf_str(out, d->op == TOKEN_MIN ? "min_of(" : "max_of(");
        format_duration(d->left, out);
        buf_str(out, ", ");
        format_duration(d->right, out);
        buf_char(out, ')');
        return;
    default:
        if (d->left) {
            format_duration(d->left, out);
            buf_printf(out, " %s ", token_spelling(d->op));
        } else if (d->op == TOKEN_SUB) {
            buf_char(out, '-');
        }
        format_duration(d->right, out);
    }
}

static void format_timing(const struct timing *t, struct buf *out)
{
    if (t->at == AT_TIME)
        buf_printf(out, " @ %.3f", (double)t->at_ms / 1000.0);
    else if (t->at != AT_NONE)
        buf_str(out, t->at == AT_START ? " @ start()" : " @ end()");
    if (t->offset) {
        buf_str(out, " offset ");
        format_duration(t->offset, out);
    }
}

static void format_extension(enum extension x, struct buf *out)
{
    if (x != EXTENSION_NONE)
        buf_str(out, x == EXTENSION_ANCHORED ? " anchored" : " smoothed");
}

static void format_matchers(const struct promql_expr *e, struct buf *out)
{
    size_t n = e->selector.n, shown = 0;
    bool named = e->selector.name.len > 0;
    buf_span(out, e->selector.name);
    for (size_t i = 0; i + (named ? 1 : 0) < n; i++) {
        const struct matcher *m = &e->selector.matchers[i];
        buf_str(out, shown++ ? "," : "{");
        if (m->type == MATCH_EQUAL && span_equal(m->name, SPAN("__name__")) && m->value.len > 0)
            quote_go(out, m->value);
        else
            matcher_format(out, m);
    }
    if (shown)
        buf_char(out, '}');
    else if (!named)
        buf_str(out, "{}");
}

static void format_selector(const struct promql_expr *e, struct buf *out)
{
    format_matchers(e, out);
    format_extension(e->selector.extension, out);
    format_timing(&e->selector.timing, out);
}

static void format_matrix(const struct promql_expr *e, struct buf *out)
{
    const struct promql_expr *s = e->matrix.selector;
    format_matchers(s, out);
    buf_char(out, '[');
    format_duration(e->matrix.range, out);
    buf_char(out, ']');
    format_extension(s->selector.extension, out);
    format_timing(&s->selector.timing, out);
}

static void format_subquery_suffix(const struct promql_expr *e, struct buf *out)
{
    buf_char(out, '[');
    format_duration(e->subquery.range, out);
    buf_char(out, ':');
    if (e->subquery.step)
        format_duration(e->subquery.step, out);
    buf_char(out, ']');
    format_timing(&e->subquery.timing, out);
}

static void format_fill(const struct matching *m, struct buf *out)
{
    if (m->fill_left && m->fill_right && f64_bits(m->fill_left_value) == f64_bits(m->fill_right_value)) {
        buf_str(out, " fill (");
        format_number(m->fill_left_value, out);
        buf_char(out, ')');
        return;
    }
    if (m->fill_left) {
        buf_str(out, " fill_left (");
        format_number(m->fill_left_value, out);
        buf_char(out, ')');
    }
    if (m->fill_right) {
        buf_str(out, " fill_right (");
        format_number(m->fill_right_value, out);
        buf_char(out, ')');
    }
}

/* The operator with its modifiers. */
static void format_operator(const struct promql_expr *e, struct buf *out)
{
    const struct matching *m = &e->binary.matching;
    buf_printf(out, "%s%s", token_spelling(e->binary.op), e->binary.returns_bool ? " bool" : "");
    bool grouped = m->card == CARD_MANY_TO_ONE || m->card == CARD_ONE_TO_MANY;
    if (m->n_labels > 0 || m->on || grouped) {
        buf_str(out, m->on ? " on " : " ignoring ");
        format_label_list(m->labels, m->n_labels, out);
    }
    if (grouped) {
        buf_str(out, m->card == CARD_MANY_TO_ONE ? " group_left " : " group_right ");
        format_label_list(m->include, m->n_include, out);
    }
    format_fill(m, out);
}

static void format_aggregate_head(const struct promql_expr *e, struct buf *out)
{
    buf_str(out, token_spelling(e->aggregate.op));
    if (e->aggregate.without || e->aggregate.n_labels > 0) {
        buf_str(out, e->aggregate.without ? " without " : " by ");
        format_label_list(e->aggregate.labels, e->aggregate.n_labels, out);
        buf_char(out, ' ');
    }
    buf_char(out, '(');
}

static void format_aggregate(const struct promql_expr *e, struct buf *out)
{
    format_aggregate_head(e, out);
    if (e->aggregate.parameter) {
        format_expr(e->aggregate.parameter, out);
        buf_str(out, ", ");
    }
    format_expr(e->aggregate.expr, out);
    buf_char(out, ')');
}

static void format_expr(const struct promql_expr *e, struct buf *out)
{
    switch (e->kind) {
    case NODE_NUMBER:
        if (e->number.is_duration)
            format_seconds(e->number.value, out);
        else
            format_number(e->number.value, out);
        return;
    case NODE_STRING:
        quote_go(out, e->string);
        return;
    case NODE_SELECTOR:
        format_selector(e, out);
        return;
    case NODE_MATRIX:
        format_matrix(e, out);
        return;
    case NODE_SUBQUERY:
        format_expr(e->subquery.expr, out);
        format_subquery_suffix(e, out);
        return;
    case NODE_CALL:
        buf_str(out, e->call.function->name);
        buf_char(out, '(');
        for (size_t i = 0; i < e->call.n; i++) {
            if (i)
                buf_str(out, ", ");
            format_expr(e->call.args[i], out);
        }
        buf_char(out, ')');
        return;
    case NODE_AGGREGATE:
        format_aggregate(e, out);
        return;
    case NODE_BINARY:
        format_expr(e->binary.left, out);
        buf_char(out, ' ');
        format_operator(e, out);
        buf_char(out, ' ');
        format_expr(e->binary.right, out);
        return;
    case NODE_UNARY:
        buf_char(out, e->unary.negative ? '-' : '+');
        format_expr(e->unary.expr, out);
        return;
    case NODE_PAREN:
        buf_char(out, '(');
        format_expr(e->paren, out);
        buf_char(out, ')');
        return;
    }
}

void promql_format(const struct promql_expr *e, struct buf *out)
{
    format_expr(e, out);
}

/* ---- over several lines: what is longer than LINE_BYTES is taken apart ---- */
#define LINE_BYTES 100

static void indent(unsigned level, struct buf *out)
{
    for (unsigned i = 0; i < level; i++)
        buf_str(out, "  ");
}

static bool is_long(const struct promql_expr *e)
{
    struct buf line;
    buf_init(&line, LINE_BYTES + 1); /* printing stops there: the rest of a long expression costs nothing */
    format_expr(e, &line);
    bool is = line.len > LINE_BYTES || buf_error(&line);
    buf_done(&line);
    return is;
}

static void pretty_expr(const struct promql_expr *e, unsigned level, bool indented, struct buf *out);

static void pretty_parts(struct promql_expr *const *parts, size_t n, unsigned level, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i ? ",\n" : "\n");
        pretty_expr(parts[i], level + 1, true, out);
    }
    buf_char(out, '\n');
    indent(level, out);
    buf_char(out, ')');
}

static void pretty_expr(const struct promql_expr *e, unsigned level, bool indented, struct buf *out)
{
    bool splits = e->kind == NODE_SUBQUERY || e->kind == NODE_CALL || e->kind == NODE_AGGREGATE ||
                  e->kind == NODE_BINARY || e->kind == NODE_PAREN || e->kind == NODE_UNARY;
    bool inner = e->kind == NODE_BINARY || e->kind == NODE_SUBQUERY; /* the first part stands at the line's begin */
    if (!splits || !is_long(e)) {
        if (indented)
            indent(level, out);
        format_expr(e, out);
        return;
    }
    if (indented && !inner)
        indent(level, out);
    if (e->kind == NODE_CALL) {
        buf_printf(out, "%s(", e->call.function->name);
        pretty_parts(e->call.args, e->call.n, level, out);
    } else if (e->kind == NODE_PAREN) {
        buf_char(out, '(');
        pretty_parts((struct promql_expr *const[]){e->paren}, 1, level, out);
    } else if (e->kind == NODE_AGGREGATE) {
        struct promql_expr *parts[2] = {e->aggregate.parameter, e->aggregate.expr};
        size_t skipped = e->aggregate.parameter ? 0 : 1;
        format_aggregate_head(e, out);
        pretty_parts(parts + skipped, 2 - skipped, level, out);
    } else if (e->kind == NODE_UNARY) {
        buf_char(out, e->unary.negative ? '-' : '+');
        pretty_expr(e->unary.expr, level, false, out);
    } else if (e->kind == NODE_SUBQUERY) {
        pretty_expr(e->subquery.expr, level, indented, out);
        format_subquery_suffix(e, out);
    } else {
        pretty_expr(e->binary.left, level + 1, indented, out);
        buf_char(out, '\n');
        indent(level, out);
        format_operator(e, out);
        buf_char(out, '\n');
        pretty_expr(e->binary.right, level + 1, true, out);
    }
}

void promql_format_pretty(const struct promql_expr *e, struct buf *out)
{
    pretty_expr(e, 0, true, out);
}
