#include <errno.h>
#include <math.h>

#include "collector/promql/parser.h"
#include "lib/base/quote.h"

bool word_may_name_metric(enum token_type t)
{
    switch (t) {
    case TOKEN_ON:
    case TOKEN_IGNORING:
    case TOKEN_GROUP_LEFT:
    case TOKEN_GROUP_RIGHT:
    case TOKEN_BOOL:
    case TOKEN_ATAN2:
        return false;
    default:
        return token_is_word(t);
    }
}

/* ---- {matchers} ---- */

MUST_USE static int add_matcher(struct parser *p, struct promql_expr *e, enum match_type type, struct span name,
                                struct span value, size_t start, size_t end)
{
    struct matcher empty = {0};
    int r = parser_append(p, &e->selector.matchers, e->selector.n, sizeof empty, &empty);
    if (r < 0)
        return r;
    struct parse_error why = {0};
    r = matcher_init(&e->selector.matchers[e->selector.n], type, name, value, &why);
    if (r == -ENOMEM)
        return parser_no_memory(p);
    if (r < 0)
        return parser_fail(p, r, start, end, "%s", why.text);
    e->selector.n++;
    return 0;
}

MUST_USE static int unquote_token(struct parser *p, struct token t, struct span *ret)
{
    const char *why = "";
    int r = string_unquote(token_text(p, t), p->arena, ret, &why);
    if (r == -EINVAL)
        return parser_fail(p, r, t.start, t.end, "error unquoting string: %s", why);
    return r < 0 ? parser_no_memory(p) : 0;
}

static bool match_operator(enum token_type t, enum match_type *ret)
{
    switch (t) {
    case TOKEN_EQL:
        *ret = MATCH_EQUAL;
        return true;
    case TOKEN_NEQ:
        *ret = MATCH_NOT_EQUAL;
        return true;
    case TOKEN_EQL_REGEX:
        *ret = MATCH_REGEX;
        return true;
    case TOKEN_NEQ_REGEX:
        *ret = MATCH_NOT_REGEX;
        return true;
    default:
        return false;
    }
}

/* name="value", "quoted name"="value", or "metric name" alone. */
MUST_USE static int parse_matcher(struct parser *p, struct promql_expr *e)
{
    struct token label = p->token;
    struct span name, value;
    bool quoted = label.type == TOKEN_STRING;
    if (!quoted && label.type != TOKEN_IDENTIFIER)
        return parser_unexpected(p, "label matching", "identifier or \"}\"");
    parser_advance(p);
    int r = 0;
    if (!quoted)
        name = token_text(p, label);
    else if ((r = unquote_token(p, label, &name)) < 0)
        return r;
    enum match_type type;
    if (!match_operator(p->token.type, &type)) {
        if (quoted && (p->token.type == TOKEN_COMMA || p->token.type == TOKEN_RIGHT_BRACE))
            return add_matcher(p, e, MATCH_EQUAL, SPAN("__name__"), name, label.start, label.end);
        return parser_unexpected(p, "label matching", quoted ? "\",\" or \"}\"" : "label matching operator");
    }
    parser_advance(p);
    if (p->token.type != TOKEN_STRING)
        return parser_unexpected(p, "label matching", "string");
    struct token text = p->token;
    parser_advance(p);
    if ((r = unquote_token(p, text, &value)) < 0)
        return r;
    return add_matcher(p, e, type, name, value, label.start, text.end);
}

MUST_USE static int parse_matchers(struct parser *p, struct promql_expr *e)
{
    parser_advance(p); /* { */
    while (p->token.type != TOKEN_RIGHT_BRACE) {
        int r = parse_matcher(p, e);
        if (r < 0)
            return r;
        if (p->token.type == TOKEN_RIGHT_BRACE)
            break;
        if (!parser_accept(p, TOKEN_COMMA))
            return parser_unexpected(p, "label matching", "\",\" or \"}\"");
    }
    parser_advance(p);
    return 0;
}

int parse_selector(struct parser *p, const struct token *name, struct promql_expr **ret)
{
    struct promql_expr *e;
    int r = parser_node(p, NODE_SELECTOR, name ? name->start : p->token.start, &e);
    if (r < 0)
        return r;
    e->selector.next = p->selectors;
    p->selectors = e;
    if (p->token.type == TOKEN_LEFT_BRACE && (r = parse_matchers(p, e)) < 0)
        return r;
    if (name) {
        e->selector.name = token_text(p, *name);
        r = add_matcher(p, e, MATCH_EQUAL, SPAN("__name__"), e->selector.name, name->start, name->end);
        if (r < 0)
            return r;
    }
    e->end = p->last_end;
    *ret = e;
    return 0;
}

/* ---- (labels) ---- */

int parse_grouping(struct parser *p, struct span **ret, size_t *ret_n)
{
    struct span *labels = NULL;
    size_t n = 0;
    if (!parser_accept(p, TOKEN_LEFT_PAREN))
        return parser_unexpected(p, "grouping opts", "\"(\"");
    while (p->token.type != TOKEN_RIGHT_PAREN) {
        struct token t = p->token;
        struct span label = token_text(p, t);
        if (t.type != TOKEN_STRING && (!token_is_word(t.type) || t.type == TOKEN_METRIC_IDENTIFIER))
            return parser_unexpected(p, "grouping opts", "label");
        parser_advance(p);
        int r = t.type == TOKEN_STRING ? unquote_token(p, t, &label) : 0;
        if (r == 0 && label.len == 0)
            r = parser_fail(p, -EINVAL, t.start, t.end, "unexpected empty string in grouping opts, expected label");
        if (r == 0)
            r = parser_append(p, &labels, n++, sizeof label, &label);
        if (r < 0)
            return r;
        if (p->token.type == TOKEN_RIGHT_PAREN)
            break;
        if (!parser_accept(p, TOKEN_COMMA))
            return parser_unexpected(p, "grouping opts", "\",\" or \")\"");
    }
    parser_advance(p);
    *ret = labels;
    *ret_n = n;
    return 0;
}

/* ---- what stands behind an operand ---- */

MUST_USE static int parse_brackets(struct parser *p, struct promql_expr **e)
{
    struct promql_expr *inner = *e, *outer;
    size_t open = p->token.start;
    struct duration_expr *range, *step = NULL;
    parser_advance(p);
    if (p->token.type == TOKEN_RIGHT_BRACKET || p->token.type == TOKEN_COLON)
        return parser_unexpected(p, "subquery or range selector", "number, duration, step(), or range()");
    int r = parse_duration(p, &range);
    if (r < 0)
        return r;
    bool subquery = parser_accept(p, TOKEN_COLON);
    if (subquery && p->token.type != TOKEN_RIGHT_BRACKET && (r = parse_duration(p, &step)) < 0)
        return r;
    if (p->token.type != TOKEN_RIGHT_BRACKET)
        return subquery ? parser_unexpected(p, "subquery selector", "number, duration, step(), range(), or \"]\"")
                        : parser_unexpected(p, "subquery or range", "\":\" or \"]\"");
    parser_advance(p);
    if ((r = parser_node(p, subquery ? NODE_SUBQUERY : NODE_MATRIX, inner->start, &outer)) < 0)
        return r;
    if (inner->height + 1 > outer->height)
        outer->height = inner->height + 1;
    if (subquery) {
        outer->subquery.expr = inner;
        outer->subquery.range = range;
        outer->subquery.step = step;
    } else {
        const char *why = inner->kind != NODE_SELECTOR           ? "ranges only allowed for vector selectors"
                          : inner->selector.timing.offset        ? "no offset modifiers allowed before range"
                          : inner->selector.timing.at != AT_NONE ? "no @ modifiers allowed before range"
                          : inner->selector.extension != EXTENSION_NONE
                              ? "no anchored or smoothed modifiers allowed before range"
                              : NULL;
        if (why)
            return parser_fail(p, -EINVAL, open, p->last_end, "%s", why);
        outer->matrix.selector = inner;
        outer->matrix.range = range;
    }
    *e = outer;
    return 0;
}

/* The timing that a modifier behind e sets, NULL when e cannot have one. */
static struct timing *timing_of(struct promql_expr *e)
{
    switch (e->kind) {
    case NODE_SELECTOR:
        return &e->selector.timing;
    case NODE_MATRIX:
        return &e->matrix.selector->selector.timing;
    case NODE_SUBQUERY:
        return &e->subquery.timing;
    default:
        return NULL;
    }
}

MUST_USE static int parse_offset_modifier(struct parser *p, struct promql_expr *e)
{
    parser_advance(p);
    struct duration_expr *offset;
    int r = parse_offset(p, &offset);
    if (r < 0)
        return r;
    struct timing *t = timing_of(e);
    if (!t)
        return parser_fail(p, -EINVAL, e->start, e->end,
                           "offset modifier must be preceded by an instant vector selector or range vector "
                           "selector or a subquery");
    if (t->offset)
        return parser_fail(p, -EINVAL, e->start, e->end, "offset may not be set multiple times");
    t->offset = offset;
    e->end = p->last_end;
    return 0;
}

MUST_USE static int parse_at_time(struct parser *p, const struct promql_expr *e, struct timing *t)
{
    bool negative = p->token.type == TOKEN_SUB, is_duration;
    if (negative || p->token.type == TOKEN_ADD)
        parser_advance(p);
    if (p->token.type != TOKEN_NUMBER && p->token.type != TOKEN_DURATION)
        return parser_unexpected(p, "@", "timestamp");
    double seconds;
    int r = parse_number(p, &seconds, &is_duration);
    if (r < 0)
        return r;
    seconds = negative ? -seconds : seconds;
    if (!(fabs(seconds) <= PROMQL_TIME_MAX_MS / 1000.0))
        return parser_fail(p, -EINVAL, e->start, e->end, "timestamp out of bounds for @ modifier: %f", seconds);
    t->at = AT_TIME;
    t->at_ms = (int64_t)round(seconds * 1000.0);
    return 0;
}

MUST_USE static int parse_at(struct parser *p, struct promql_expr *e)
{
    parser_advance(p);
    struct timing given = {0}, *t = timing_of(e);
    if (p->token.type == TOKEN_START || p->token.type == TOKEN_STOP) {
        given.at = p->token.type == TOKEN_START ? AT_START : AT_END;
        parser_advance(p);
        if (!parser_accept(p, TOKEN_LEFT_PAREN) || !parser_accept(p, TOKEN_RIGHT_PAREN))
            return parser_unexpected(p, "@", "timestamp");
    } else {
        int r = parse_at_time(p, e, &given);
        if (r < 0)
            return r;
    }
    if (!t)
        return parser_fail(p, -EINVAL, e->start, e->end,
                           "@ modifier must be preceded by an instant vector selector or range vector selector or "
                           "a subquery");
    if (t->at != AT_NONE)
        return parser_fail(p, -EINVAL, e->start, e->end, "@ <timestamp> may not be set multiple times");
    t->at = given.at;
    t->at_ms = given.at_ms;
    e->end = p->last_end;
    return 0;
}

MUST_USE static int parse_extension(struct parser *p, struct promql_expr *e)
{
    enum extension x = p->token.type == TOKEN_ANCHORED ? EXTENSION_ANCHORED : EXTENSION_SMOOTHED;
    const char *word = x == EXTENSION_ANCHORED ? "anchored" : "smoothed";
    parser_advance(p);
    if (e->kind == NODE_SUBQUERY)
        return parser_fail(p, -EINVAL, e->start, e->end, "%s modifier is not supported for subqueries", word);
    if (e->kind != NODE_SELECTOR && e->kind != NODE_MATRIX)
        return parser_fail(p, -EINVAL, e->start, e->end, "%s modifier not implemented", word);
    struct promql_expr *s = e->kind == NODE_MATRIX ? e->matrix.selector : e;
    if (s->selector.extension != EXTENSION_NONE && s->selector.extension != x)
        return parser_fail(p, -EINVAL, e->start, e->end, "anchored and smoothed modifiers cannot be used together");
    s->selector.extension = x;
    e->end = p->last_end;
    return 0;
}

int parse_postfix(struct parser *p, struct promql_expr **e)
{
    for (;;) {
        int r;
        switch (p->token.type) {
        case TOKEN_LEFT_BRACKET:
            r = parse_brackets(p, e);
            break;
        case TOKEN_OFFSET:
            r = parse_offset_modifier(p, *e);
            break;
        case TOKEN_AT:
            r = parse_at(p, *e);
            break;
        case TOKEN_ANCHORED:
        case TOKEN_SMOOTHED:
            r = parse_extension(p, *e);
            break;
        default:
            return 0;
        }
        if (r < 0)
            return r;
    }
}
