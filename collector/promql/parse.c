#include "collector/promql/parser.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>

#include "collector/promql/functions.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"

/* ---- state ---- */

void parser_advance(struct parser *p)
{
    p->last_end = p->token.end;
    p->token = lexer_next(&p->lexer);
}

bool parser_accept(struct parser *p, enum token_type t)
{
    if (p->token.type != t)
        return false;
    parser_advance(p);
    return true;
}

int parser_fail(struct parser *p, int code, size_t start, size_t end, const char *format, ...)
{
    if (p->error->code)
        return p->error->code;
    char text[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    parse_error_set(p->error, code, p->lexer.text.ptr, start, end, "%s", text);
    return code;
}

int parser_no_memory(struct parser *p)
{
    return parser_fail(p, -ENOMEM, 0, 0, "expression needs too much memory");
}

int parser_unexpected(struct parser *p, const char *context, const char *expected)
{
    if (p->token.type == TOKEN_ERROR) {
        if (!p->error->code)
            *p->error = p->lexer.error;
        return p->error->code;
    }
    struct buf what;
    buf_init(&what, PROBLEM_TEXT_MAX / 2);
    token_describe(p->lexer.text, p->token, &what);
    int r = parser_fail(p, -EINVAL, p->token.start, p->token.end, "unexpected %s%s%s%s%s",
                        buf_error(&what) ? "token" : what.data, *context ? " in " : "", context,
                        *expected ? ", expected " : "", expected);
    buf_done(&what);
    return r;
}

int parser_enter(struct parser *p)
{
    if (++p->depth <= QUERY_DEPTH_MAX)
        return 0;
    return parser_fail(p, -EINVAL, p->token.start, p->token.end,
                       "expression is nested too deeply (more than %u levels)", QUERY_DEPTH_MAX);
}

int parser_node(struct parser *p, enum node_kind kind, size_t start, struct promql_expr **ret)
{
    struct promql_expr *e = arena_alloc(p->arena, sizeof *e);
    if (!e)
        return parser_no_memory(p);
    e->kind = kind;
    e->start = start;
    e->end = p->last_end;
    e->height = 1;
    *ret = e;
    return 0;
}

int parser_append(struct parser *p, void *array_pointer, size_t n, size_t size, const void *item)
{
    void **array = array_pointer;
    if ((n & (n - 1)) == 0) { /* full at every power of two */
        char *bigger = arena_array(p->arena, n ? 2 * n : 1, size);
        if (!bigger)
            return parser_no_memory(p);
        if (n)
            memcpy(bigger, *array, n * size);
        *array = bigger;
    }
    memcpy((char *)*array + n * size, item, size);
    return 0;
}

/* `e` stands above `part` in the tree. */
MUST_USE static int stand_above(struct parser *p, struct promql_expr *e, const struct promql_expr *part)
{
    if (part->height + 1 > e->height)
        e->height = part->height + 1;
    if (e->height <= QUERY_HEIGHT_MAX)
        return 0;
    return parser_fail(p, -EINVAL, e->start, e->end, "expression has too many parts in a row (more than %u)",
                       QUERY_HEIGHT_MAX);
}

/* ---- operands ---- */

MUST_USE static int parse_arguments(struct parser *p, struct promql_expr *call, struct promql_expr ***ret,
                                    size_t *ret_n)
{
    struct promql_expr **args = NULL;
    size_t n = 0;
    parser_advance(p); /* ( */
    while (p->token.type != TOKEN_RIGHT_PAREN) {
        struct promql_expr *arg = NULL;
        int r = parse_expression(p, 0, &arg);
        if (r < 0)
            return r;
        if ((r = parser_append(p, &args, n++, sizeof(struct promql_expr *), &arg)) < 0 ||
            (r = stand_above(p, call, arg)) < 0)
            return r;
        if (p->token.type == TOKEN_RIGHT_PAREN)
            break;
        struct token comma = p->token;
        if (!parser_accept(p, TOKEN_COMMA))
            return parser_unexpected(p, "", "");
        if (p->token.type == TOKEN_RIGHT_PAREN)
            return parser_fail(p, -EINVAL, comma.start, comma.end, "trailing commas not allowed in function call args");
    }
    parser_advance(p);
    *ret = args;
    *ret_n = n;
    return 0;
}

MUST_USE static int parse_call(struct parser *p, struct token name, struct promql_expr **ret)
{
    struct promql_expr *e = NULL;
    int r = parser_node(p, NODE_CALL, name.start, &e);
    if (r < 0)
        return r;
    struct span text = token_text(p, name);
    e->call.function = promql_function_find(text);
    if (!e->call.function) {
        struct buf quoted;
        buf_init(&quoted, PROBLEM_TEXT_MAX / 2);
        quote_go(&quoted, text);
        r = parser_fail(p, -EINVAL, name.start, name.end, "unknown function with name %s",
                        buf_error(&quoted) ? "\"...\"" : quoted.data);
        buf_done(&quoted);
        return r;
    }
    if ((r = parse_arguments(p, e, &e->call.args, &e->call.n)) < 0)
        return r;
    e->end = p->last_end;
    *ret = e;
    return 0;
}

MUST_USE static int parse_by_or_without(struct parser *p, struct promql_expr *e)
{
    e->aggregate.without = p->token.type == TOKEN_WITHOUT;
    e->aggregate.has_grouping = true;
    parser_advance(p);
    return parse_grouping(p, &e->aggregate.labels, &e->aggregate.n_labels);
}

MUST_USE static int parse_aggregate(struct parser *p, struct token op, struct promql_expr **ret)
{
    struct promql_expr *e = NULL;
    int r = parser_node(p, NODE_AGGREGATE, op.start, &e);
    if (r < 0)
        return r;
    e->aggregate.op = op.type;
    bool before = p->token.type == TOKEN_BY || p->token.type == TOKEN_WITHOUT;
    if (before && (r = parse_by_or_without(p, e)) < 0)
        return r;
    if (p->token.type != TOKEN_LEFT_PAREN)
        return parser_unexpected(p, "aggregation", "");
    struct promql_expr **args;
    size_t n;
    if ((r = parse_arguments(p, e, &args, &n)) < 0)
        return r;
    if (!before && (p->token.type == TOKEN_BY || p->token.type == TOKEN_WITHOUT) && (r = parse_by_or_without(p, e)) < 0)
        return r;
    e->end = p->last_end;
    size_t wanted = token_takes_parameter(op.type) ? 2 : 1;
    if (n == 0)
        return parser_fail(p, -EINVAL, e->start, e->end, "no arguments for aggregate expression provided");
    if (n != wanted)
        return parser_fail(p, -EINVAL, e->start, e->end,
                           "wrong number of arguments for aggregate expression provided, expected %zu, got %zu", wanted,
                           n);
    e->aggregate.parameter = wanted == 2 ? args[0] : NULL;
    e->aggregate.expr = args[wanted - 1];
    *ret = e;
    return 0;
}

/* A word in the place of an operand: aggregation, call or metric. */
MUST_USE static int parse_word(struct parser *p, struct promql_expr **ret)
{
    struct token name = p->token;
    parser_advance(p);
    enum token_type next = p->token.type;
    if (token_is_aggregation(name.type) && (next == TOKEN_LEFT_PAREN || next == TOKEN_BY || next == TOKEN_WITHOUT))
        return parse_aggregate(p, name, ret);
    if (next == TOKEN_LEFT_PAREN &&
        (name.type == TOKEN_IDENTIFIER || (name.type >= TOKEN_START && name.type <= TOKEN_RANGE)))
        return parse_call(p, name, ret);
    return parse_selector(p, &name, ret);
}

MUST_USE static int parse_paren(struct parser *p, struct promql_expr **ret)
{
    size_t start = p->token.start;
    parser_advance(p);
    struct promql_expr *inner = NULL, *e = NULL;
    int r = parse_expression(p, 0, &inner);
    if (r < 0)
        return r;
    if (p->token.type != TOKEN_RIGHT_PAREN)
        return parser_unexpected(p, "", "");
    parser_advance(p);
    if ((r = parser_node(p, NODE_PAREN, start, &e)) < 0)
        return r;
    e->paren = inner;
    *ret = e;
    return stand_above(p, e, inner);
}

MUST_USE static int parse_literal(struct parser *p, struct promql_expr **ret)
{
    struct token t = p->token;
    struct promql_expr *e = NULL;
    int r;
    if (t.type != TOKEN_STRING) {
        double value;
        bool is_duration;
        if ((r = parse_number(p, &value, &is_duration)) < 0 || (r = parser_node(p, NODE_NUMBER, t.start, &e)) < 0)
            return r;
        e->number.value = value;
        e->number.is_duration = is_duration;
        *ret = e;
        return 0;
    }
    parser_advance(p);
    if ((r = parser_node(p, NODE_STRING, t.start, &e)) < 0)
        return r;
    const char *why = "";
    r = string_unquote(token_text(p, t), p->arena, &e->string, &why);
    if (r == -EINVAL)
        return parser_fail(p, r, t.start, t.end, "error unquoting string: %s", why);
    if (r < 0)
        return parser_no_memory(p);
    *ret = e;
    return 0;
}

enum { PRECEDENCE_MUL = 5, PRECEDENCE_POW = 6 };

MUST_USE static int parse_unary(struct parser *p, struct promql_expr **ret)
{
    struct token sign = p->token;
    parser_advance(p);
    struct promql_expr *inner = NULL, *e = NULL;
    int r = parse_expression(p, PRECEDENCE_MUL + 1, &inner);
    if (r < 0)
        return r;
    if (inner->kind == NODE_NUMBER) {
        if (sign.type == TOKEN_SUB)
            inner->number.value = -inner->number.value;
        inner->start = sign.start;
        *ret = inner;
        return 0;
    }
    if ((r = parser_node(p, NODE_UNARY, sign.start, &e)) < 0)
        return r;
    e->unary.negative = sign.type == TOKEN_SUB;
    e->unary.expr = inner;
    e->end = inner->end;
    *ret = e;
    return stand_above(p, e, inner);
}

MUST_USE static int parse_operand(struct parser *p, struct promql_expr **ret)
{
    struct promql_expr *e = NULL;
    int r;
    switch (p->token.type) {
    case TOKEN_ADD:
    case TOKEN_SUB:
        return parse_unary(p, ret); /* what follows a sign has had its postfixes */
    case TOKEN_LEFT_PAREN:
        r = parse_paren(p, &e);
        break;
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
    case TOKEN_STRING:
        r = parse_literal(p, &e);
        break;
    case TOKEN_LEFT_BRACE:
        r = parse_selector(p, NULL, &e);
        break;
    default:
        r = word_may_name_metric(p->token.type) ? parse_word(p, &e) : parser_unexpected(p, "", "");
    }
    if (r == 0)
        r = parse_postfix(p, &e);
    if (r < 0)
        return r;
    *ret = e;
    return 0;
}

/* ---- operators ---- */

static int precedence(enum token_type t)
{
    switch (t) {
    case TOKEN_OR:
        return 1;
    case TOKEN_AND:
    case TOKEN_UNLESS:
        return 2;
    case TOKEN_ADD:
    case TOKEN_SUB:
        return 4;
    case TOKEN_MUL:
    case TOKEN_DIV:
    case TOKEN_MOD:
    case TOKEN_ATAN2:
        return PRECEDENCE_MUL;
    case TOKEN_POW:
        return PRECEDENCE_POW;
    default:
        return token_is_operator(t) ? 3 : -1; /* comparisons and the trim operators */
    }
}

MUST_USE static int parse_fill(struct parser *p, struct matching *m)
{
    while (p->token.type >= TOKEN_FILL && p->token.type <= TOKEN_FILL_RIGHT) {
        enum token_type which = p->token.type;
        parser_advance(p);
        parser_advance(p); /* ( : the lexer made it a modifier because of it */
        bool negative = p->token.type == TOKEN_SUB;
        if (negative || p->token.type == TOKEN_ADD)
            parser_advance(p);
        if (p->token.type != TOKEN_NUMBER && p->token.type != TOKEN_DURATION)
            return parser_unexpected(p, "fill modifier", "number");
        double value;
        bool is_duration;
        int r = parse_number(p, &value, &is_duration);
        if (r < 0)
            return r;
        if (!parser_accept(p, TOKEN_RIGHT_PAREN))
            return parser_unexpected(p, "fill modifier", "\")\"");
        value = negative ? -value : value;
        if (which != TOKEN_FILL_RIGHT) {
            m->fill_left = true;
            m->fill_left_value = value;
        }
        if (which != TOKEN_FILL_LEFT) {
            m->fill_right = true;
            m->fill_right_value = value;
        }
    }
    return 0;
}

/* bool, on/ignoring, group_left/right, fill: what may stand between an operator and its right side. */
MUST_USE static int parse_modifiers(struct parser *p, struct promql_expr *e)
{
    struct matching *m = &e->binary.matching;
    e->binary.returns_bool = parser_accept(p, TOKEN_BOOL);
    if (p->token.type == TOKEN_ON || p->token.type == TOKEN_IGNORING) {
        m->on = p->token.type == TOKEN_ON;
        m->has_labels = true;
        parser_advance(p);
        int r = parse_grouping(p, &m->labels, &m->n_labels);
        if (r < 0)
            return r;
        if (p->token.type == TOKEN_GROUP_LEFT || p->token.type == TOKEN_GROUP_RIGHT) {
            m->card = p->token.type == TOKEN_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
            parser_advance(p);
            m->has_include = p->token.type == TOKEN_LEFT_PAREN;
            if (m->has_include && (r = parse_grouping(p, &m->include, &m->n_include)) < 0)
                return r;
        }
    }
    return parse_fill(p, m);
}

int parse_expression(struct parser *p, int min_precedence, struct promql_expr **ret)
{
    int r = parser_enter(p);
    if (r < 0)
        return r;
    struct promql_expr *left = NULL;
    if ((r = parse_operand(p, &left)) < 0)
        return r;
    int prec;
    while ((prec = precedence(p->token.type)) >= 0 && prec >= min_precedence) {
        struct promql_expr *e = NULL;
        if ((r = parser_node(p, NODE_BINARY, left->start, &e)) < 0)
            return r;
        e->binary.op = p->token.type;
        e->binary.op_start = p->token.start;
        parser_advance(p);
        if ((r = parse_modifiers(p, e)) < 0)
            return r;
        e->binary.op_end = p->last_end;
        e->binary.left = left;
        if ((r = parse_expression(p, prec == PRECEDENCE_POW ? prec : prec + 1, &e->binary.right)) < 0)
            return r;
        e->end = e->binary.right->end;
        if ((r = stand_above(p, e, left)) < 0 || (r = stand_above(p, e, e->binary.right)) < 0)
            return r;
        left = e;
    }
    p->depth--;
    *ret = left;
    return 0;
}

/* ---- entry ---- */

static void release_selectors(struct promql_expr *first)
{
    for (struct promql_expr *s = first; s; s = s->selector.next) {
        for (size_t i = 0; i < s->selector.n; i++)
            matcher_done(&s->selector.matchers[i]);
        s->selector.n = 0;
    }
}

/* Line and column of every node: the engine names places long after the text is gone. breaks[]: the bytes of the n
 * line ends, ascending. */
static void set_places(const size_t *breaks, size_t n, struct promql_expr *e)
{
    size_t low = 0, high = n; /* how many line ends stand before it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (breaks[middle] < e->start)
            low = middle + 1;
        else
            high = middle;
    }
    e->line = (uint32_t)low + 1;
    e->column = (uint32_t)(e->start - (low ? breaks[low - 1] + 1 : 0)) + 1;
    struct promql_expr *room[2], *const *parts;
    size_t n_parts = expr_children(e, &parts, room);
    for (size_t i = 0; i < n_parts; i++)
        set_places(breaks, n, parts[i]);
}

MUST_USE static int find_places(struct parser *p, struct promql_expr *e)
{
    struct span text = p->lexer.text;
    size_t *breaks = NULL, n = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\n') {
            int r = parser_append(p, &breaks, n++, sizeof *breaks, &i);
            if (r < 0)
                return r;
        }
    set_places(breaks, n, e);
    return 0;
}

static void parser_init(struct parser *p, struct span text, struct arena *arena, struct parse_error *error)
{
    *error = (struct parse_error){0};
    *p = (struct parser){.arena = arena, .error = error};
    lexer_init(&p->lexer, text.ptr ? text : SPAN(""));
    p->token = lexer_next(&p->lexer);
}

int promql_parse(struct span text, struct arena *arena, struct promql_expr **ret, struct parse_error *ret_error)
{
    if (text.len > QUERY_TEXT_BYTES_MAX) {
        parse_error_set(ret_error, -EINVAL, "", 0, 0, "expression is longer than %u bytes", QUERY_TEXT_BYTES_MAX);
        return -EINVAL;
    }
    struct parser p;
    parser_init(&p, text, arena, ret_error);
    struct promql_expr *e = NULL;
    int r = p.token.type == TOKEN_END
                ? parser_fail(&p, -EINVAL, p.token.start, p.token.end, "no expression found in input")
                : parse_expression(&p, 0, &e);
    if (r == 0 && p.token.type != TOKEN_END)
        r = parser_unexpected(&p, "", "");
    if (r == 0)
        r = check_expr(p.lexer.text, e, ret_error);
    if (r == 0)
        r = find_places(&p, e);
    if (r < 0) {
        release_selectors(p.selectors);
        return r;
    }
    mark_counts_and_sums(e, false, false);
    e->first_selector = p.selectors;
    *ret = e;
    return 0;
}

void promql_expr_done(struct promql_expr *e)
{
    if (e)
        release_selectors(e->first_selector);
}

enum promql_type promql_expr_type(const struct promql_expr *e)
{
    return e->type;
}

void promql_each_selector(const struct promql_expr *e, void (*fn)(void *ctx, const struct matcher *matchers, size_t n),
                          void *ctx)
{
    for (const struct promql_expr *s = e->first_selector; s; s = s->selector.next)
        fn(ctx, s->selector.matchers, s->selector.n);
}

int promql_parse_selector(struct span text, struct arena *arena, struct matcher **ret, size_t *ret_n,
                          struct parse_error *ret_error)
{
    struct parser p;
    parser_init(&p, text, arena, ret_error);
    struct promql_expr *e = NULL;
    struct token name = p.token;
    int r;
    if (name.type == TOKEN_LEFT_BRACE) {
        r = parse_selector(&p, NULL, &e);
    } else if (word_may_name_metric(name.type)) {
        parser_advance(&p);
        r = parse_selector(&p, &name, &e);
    } else {
        r = parser_unexpected(&p, "", "");
    }
    if (r == 0 && p.token.type != TOKEN_END)
        r = parser_unexpected(&p, "", "");
    if (r < 0) {
        release_selectors(p.selectors);
        return r;
    }
    *ret = e->selector.matchers;
    *ret_n = e->selector.n;
    return 0;
}
