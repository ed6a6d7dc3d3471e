/* tree_json.c - an expression's tree as Prometheus's /api/v1/parse_query shows it (its web/api/v1/translate_ast.go): what
 * its own page, and editors, draw queries from. */
#include "collector/promql/ast.h"
#include "collector/promql/functions.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"

static void write_expr(const struct promql_expr *e, struct json_writer *j);

static void key_str(struct json_writer *j, const char *key, const char *text)
{
    jw_key(j, key);
    jw_str(j, text);
}

static void key_span(struct json_writer *j, const char *key, struct span text)
{
    jw_key(j, key);
    jw_text(j, text);
}

static void key_bool(struct json_writer *j, const char *key, bool v)
{
    jw_key(j, key);
    jw_bool(j, v);
}

static void key_expr(struct json_writer *j, const char *key, const struct promql_expr *e)
{
    jw_key(j, key);
    if (e)
        write_expr(e, j);
    else
        jw_null(j);
}

static void key_list(struct json_writer *j, const char *key, const struct span *list, size_t n)
{
    jw_key(j, key);
    jw_array(j);
    for (size_t i = 0; i < n; i++)
        jw_text(j, list[i]);
    jw_end(j);
}

/* Arithmetic over step() or range() has no value before the query has times: 0 there, as Prometheus. */
static void key_duration(struct json_writer *j, const char *key, const struct duration_expr *d)
{
    int64_t ms = 0;
    const char *why;
    if (d && duration_is_constant(d) && duration_ms(d, 0, 0, true, &ms, &why) < 0)
        ms = 0;
    jw_key(j, key);
    jw_i64(j, ms);
}

static void write_timing(struct json_writer *j, const struct timing *t)
{
    key_duration(j, "offset", t->offset);
    jw_key(j, "timestamp");
    if (t->at == AT_TIME)
        jw_i64(j, t->at_ms);
    else
        jw_null(j);
    jw_key(j, "startOrEnd");
    if (t->at == AT_START || t->at == AT_END)
        jw_str(j, t->at == AT_START ? "start" : "end");
    else
        jw_null(j);
}

static void write_selector(struct json_writer *j, const struct promql_expr *e)
{
    key_span(j, "name", e->selector.name);
    jw_key(j, "matchers");
    jw_array(j);
    for (size_t i = 0; i < e->selector.n; i++) {
        const struct matcher *m = &e->selector.matchers[i];
        jw_object(j);
        key_span(j, "name", m->name);
        key_span(j, "value", m->value);
        key_str(j, "type", match_type_text(m->type));
        jw_end(j);
    }
    jw_end(j);
    key_bool(j, "anchored", e->selector.extension == EXTENSION_ANCHORED);
    key_bool(j, "smoothed", e->selector.extension == EXTENSION_SMOOTHED);
    write_timing(j, &e->selector.timing);
}

static void key_fill(struct json_writer *j, const char *key, bool given, double v)
{
    jw_key(j, key);
    if (given)
        jw_f64(j, v);
    else
        jw_null(j);
}

static void write_binary(struct json_writer *j, const struct promql_expr *e)
{
    static const char *const CARDS[] = {[CARD_ONE_TO_ONE] = "one-to-one",
                                        [CARD_MANY_TO_ONE] = "many-to-one",
                                        [CARD_ONE_TO_MANY] = "one-to-many",
                                        [CARD_MANY_TO_MANY] = "many-to-many"};
    const struct matching *m = &e->binary.matching;
    key_str(j, "op", token_spelling(e->binary.op));
    key_bool(j, "bool", e->binary.returns_bool);
    key_expr(j, "lhs", e->binary.left);
    key_expr(j, "rhs", e->binary.right);
    jw_key(j, "matching");
    if (e->binary.left->type != PROMQL_VECTOR || e->binary.right->type != PROMQL_VECTOR) {
        jw_null(j);
        return;
    }
    jw_object(j);
    key_str(j, "card", CARDS[token_is_set_operator(e->binary.op) ? CARD_MANY_TO_MANY : m->card]);
    key_list(j, "labels", m->labels, m->n_labels);
    key_bool(j, "on", m->on);
    key_list(j, "include", m->include, m->n_include);
    jw_key(j, "fillValues");
    jw_object(j);
    key_fill(j, "lhs", m->fill_left, m->fill_left_value);
    key_fill(j, "rhs", m->fill_right, m->fill_right_value);
    jw_end(j);
    jw_end(j);
}

static const char *type_word(enum promql_type t)
{
    static const char *const WORDS[] = {
        [PROMQL_SCALAR] = "scalar", [PROMQL_VECTOR] = "vector", [PROMQL_MATRIX] = "matrix", [PROMQL_STRING] = "string"};
    return WORDS[t];
}

static void write_call(struct json_writer *j, const struct promql_expr *e)
{
    const struct promql_function *f = e->call.function;
    jw_key(j, "func");
    jw_object(j);
    key_str(j, "name", f->name);
    jw_key(j, "argTypes");
    jw_array(j);
    for (int i = 0; i < f->n_args; i++)
        jw_str(j, type_word(f->args[i]));
    jw_end(j);
    jw_key(j, "variadic");
    jw_i64(j, f->variadic);
    key_str(j, "returnType", type_word(f->returns));
    jw_end(j);
    jw_key(j, "args");
    jw_array(j);
    for (size_t i = 0; i < e->call.n; i++)
        write_expr(e->call.args[i], j);
    jw_end(j);
}

/* Go's FormatFloat(v, 'f', -1): the shortest digits that read back, never an exponent. */
static void write_number(struct json_writer *j, double v)
{
    char text[NUMBER_TEXT_MAX], plain[400], digits[32];
    size_t n = format_f64(text, v), k = 0, at = 0, used = 0;
    const char *e = memchr(text, 'e', n);
    if (!e) {
        jw_text(j, span_of(text, n));
        return;
    }
    int64_t exponent = 0;
    if (parse_i64_span(span_of(e + (e[1] == '+' ? 2 : 1), n - (size_t)(e - text) - (e[1] == '+' ? 2 : 1)), -400, 400,
                       &exponent) < 0)
        exponent = 0;
    for (; text + at < e; at++)
        if (text[at] >= '0' && text[at] <= '9' && used < sizeof digits)
            digits[used++] = text[at];
    if (text[0] == '-')
        plain[k++] = '-';
    if (exponent < 0) {
        plain[k++] = '0';
        plain[k++] = '.';
        for (int64_t i = -1; i > exponent; i--)
            plain[k++] = '0';
    }
    for (size_t i = 0; i < used; i++) /* from 1e21 on all digits stand before the point, there are 17 of them */
        plain[k++] = digits[i];
    for (int64_t i = (int64_t)used - 1; i < exponent; i++)
        plain[k++] = '0';
    jw_text(j, span_of(plain, k));
}

static void write_expr(const struct promql_expr *e, struct json_writer *j)
{
    static const char *const KINDS[] = {
        [NODE_NUMBER] = "numberLiteral",  [NODE_STRING] = "stringLiteral", [NODE_SELECTOR] = "vectorSelector",
        [NODE_MATRIX] = "matrixSelector", [NODE_SUBQUERY] = "subquery",    [NODE_CALL] = "call",
        [NODE_AGGREGATE] = "aggregation", [NODE_BINARY] = "binaryExpr",    [NODE_UNARY] = "unaryExpr",
        [NODE_PAREN] = "parenExpr",
    };
    jw_object(j);
    key_str(j, "type", KINDS[e->kind]);
    switch (e->kind) {
    case NODE_NUMBER:
        jw_key(j, "val");
        write_number(j, e->number.value);
        break;
    case NODE_STRING:
        key_span(j, "val", e->string);
        break;
    case NODE_SELECTOR:
        write_selector(j, e);
        break;
    case NODE_MATRIX:
        key_duration(j, "range", e->matrix.range);
        write_selector(j, e->matrix.selector);
        break;
    case NODE_SUBQUERY:
        key_expr(j, "expr", e->subquery.expr);
        key_duration(j, "range", e->subquery.range);
        key_duration(j, "step", e->subquery.step);
        write_timing(j, &e->subquery.timing);
        break;
    case NODE_CALL:
        write_call(j, e);
        break;
    case NODE_AGGREGATE:
        key_str(j, "op", token_spelling(e->aggregate.op));
        key_expr(j, "expr", e->aggregate.expr);
        key_expr(j, "param", e->aggregate.parameter);
        key_list(j, "grouping", e->aggregate.labels, e->aggregate.n_labels);
        key_bool(j, "without", e->aggregate.without);
        break;
    case NODE_BINARY:
        write_binary(j, e);
        break;
    case NODE_UNARY:
        key_str(j, "op", e->unary.negative ? "-" : "+");
        key_expr(j, "expr", e->unary.expr);
        break;
    case NODE_PAREN:
        key_expr(j, "expr", e->paren);
        break;
    }
    jw_end(j);
}

void promql_write_tree(const struct promql_expr *e, struct json_writer *j)
{
    write_expr(e, j);
}
