#include <errno.h>
#include <math.h>

#include "collector/promql/parser.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"

int parse_number(struct parser *p, double *ret, bool *ret_is_duration)
{
    struct token t = p->token;
    struct span text = token_text(p, t);
    parser_advance(p);
    struct buf quoted;
    buf_init(&quoted, PROBLEM_TEXT_MAX / 2);
    quote_go(&quoted, text);
    int r;
    *ret_is_duration = t.type == TOKEN_DURATION;
    if (t.type == TOKEN_DURATION) {
        int64_t ms;
        r = parse_duration_ms(text, &ms);
        if (r < 0)
            parser_fail(p, -EINVAL, t.start, t.end,
                        r == -ERANGE ? "duration out of range" : "not a valid duration string: %s",
                        buf_error(&quoted) ? "" : quoted.data);
        else
            *ret = (double)ms / 1000.0;
    } else {
        r = number_parse(text, ret);
        if (r < 0)
            parser_fail(p, -EINVAL, t.start, t.end, "error parsing number: %s: invalid syntax or out of range",
                        buf_error(&quoted) ? "" : quoted.data);
    }
    buf_done(&quoted);
    return r < 0 ? -EINVAL : 0;
}

MUST_USE static int duration_node(struct parser *p, enum token_type op, size_t start, struct duration_expr *left,
                                  struct duration_expr *right, struct duration_expr **ret)
{
    struct duration_expr *d = arena_alloc(p->arena, sizeof *d);
    if (!d)
        return parser_no_memory(p);
    *d = (struct duration_expr){.op = op, .left = left, .right = right, .start = start, .end = p->last_end};
    *ret = d;
    return 0;
}

MUST_USE static int parse_duration_level(struct parser *p, int min_precedence, struct duration_expr **ret);

/* min_of(a, b), max_of(a, b): plain identifiers to the lexer. */
static bool min_or_max(const struct parser *p, enum token_type *ret)
{
    struct span word = token_text(p, p->token);
    if (p->token.type != TOKEN_IDENTIFIER)
        return false;
    bool min = span_equal_nocase(word, SPAN("min_of"));
    *ret = min ? TOKEN_MIN : TOKEN_MAX;
    return min || span_equal_nocase(word, SPAN("max_of"));
}

MUST_USE static int expect(struct parser *p, enum token_type t, const char *what)
{
    return parser_accept(p, t) ? 0 : parser_unexpected(p, "duration expression", what);
}

MUST_USE static int parse_min_max(struct parser *p, enum token_type op, struct duration_expr **ret)
{
    size_t start = p->token.start;
    struct duration_expr *left, *right;
    parser_advance(p);
    int r = expect(p, TOKEN_LEFT_PAREN, "\"(\"");
    if (r == 0)
        r = parse_duration_level(p, 0, &left);
    if (r == 0)
        r = expect(p, TOKEN_COMMA, "\",\"");
    if (r == 0)
        r = parse_duration_level(p, 0, &right);
    if (r == 0)
        r = expect(p, TOKEN_RIGHT_PAREN, "\")\"");
    return r < 0 ? r : duration_node(p, op, start, left, right, ret);
}

/* A number, a duration, step(), range(), min_of(), max_of() or something in parentheses. */
MUST_USE static int parse_duration_term(struct parser *p, struct duration_expr **ret)
{
    size_t start = p->token.start;
    enum token_type op = p->token.type;
    int r;
    if (op == TOKEN_NUMBER || op == TOKEN_DURATION) {
        double seconds;
        bool is_duration;
        if ((r = parse_number(p, &seconds, &is_duration)) < 0 || (r = duration_node(p, op, start, NULL, NULL, ret)) < 0)
            return r;
        (*ret)->seconds = seconds;
        return 0;
    }
    if (op == TOKEN_STEP || op == TOKEN_RANGE) {
        parser_advance(p);
        if ((r = expect(p, TOKEN_LEFT_PAREN, "\"(\"")) < 0 || (r = expect(p, TOKEN_RIGHT_PAREN, "\")\"")) < 0)
            return r;
        return duration_node(p, op, start, NULL, NULL, ret);
    }
    if (op == TOKEN_LEFT_PAREN) {
        struct duration_expr *inner;
        parser_advance(p);
        if ((r = parse_duration_level(p, 0, &inner)) < 0 || (r = expect(p, TOKEN_RIGHT_PAREN, "\")\"")) < 0)
            return r;
        return duration_node(p, TOKEN_LEFT_PAREN, start, inner, NULL, ret);
    }
    if (min_or_max(p, &op))
        return parse_min_max(p, op, ret);
    return parser_unexpected(p, "duration expression", "number, duration, step(), or range()");
}

static int duration_precedence(enum token_type t)
{
    switch (t) {
    case TOKEN_ADD:
    case TOKEN_SUB:
        return 1;
    case TOKEN_MUL:
    case TOKEN_DIV:
    case TOKEN_MOD:
        return 2;
    case TOKEN_POW:
        return 3;
    default:
        return -1;
    }
}

static int parse_duration_level(struct parser *p, int min_precedence, struct duration_expr **ret)
{
    int r = parser_enter(p);
    if (r < 0)
        return r;
    struct duration_expr *left;
    size_t start = p->token.start;
    if (p->token.type == TOKEN_ADD || p->token.type == TOKEN_SUB) {
        enum token_type sign = p->token.type;
        parser_advance(p);
        struct duration_expr *inner;
        if ((r = parse_duration_level(p, 3, &inner)) < 0 || (r = duration_node(p, sign, start, NULL, inner, &left)) < 0)
            return r;
    } else if ((r = parse_duration_term(p, &left)) < 0) {
        return r;
    }
    int prec;
    unsigned in_a_row = 0;
    while ((prec = duration_precedence(p->token.type)) >= 0 && prec >= min_precedence) {
        enum token_type op = p->token.type;
        struct duration_expr *right;
        if (++in_a_row > 200)
            return parser_fail(p, -EINVAL, start, p->token.end, "duration expression is too long");
        parser_advance(p);
        if ((r = parse_duration_level(p, op == TOKEN_POW ? prec : prec + 1, &right)) < 0 ||
            (r = duration_node(p, op, start, left, right, &left)) < 0)
            return r;
    }
    p->depth--;
    *ret = left;
    return 0;
}

/* A constant duration is judged now, one that asks for the query's step when there is a query. */
MUST_USE static int judge(struct parser *p, const struct duration_expr *d, bool may_be_negative)
{
    if (!duration_is_constant(d))
        return 0;
    int64_t ms;
    const char *why = "";
    int r = duration_ms(d, 0, 0, may_be_negative, &ms, &why);
    return r < 0 ? parser_fail(p, -EINVAL, d->start, d->end, "%s", why) : 0;
}

int parse_duration(struct parser *p, struct duration_expr **ret)
{
    int r = parse_duration_level(p, 0, ret);
    return r < 0 ? r : judge(p, *ret, false);
}

int parse_offset(struct parser *p, struct duration_expr **ret)
{
    size_t start = p->token.start;
    enum token_type sign = p->token.type, op;
    bool is_signed = sign == TOKEN_ADD || sign == TOKEN_SUB;
    if (is_signed)
        parser_advance(p);
    switch (p->token.type) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
    case TOKEN_STEP:
    case TOKEN_RANGE:
    case TOKEN_LEFT_PAREN:
        break;
    default:
        if (!min_or_max(p, &op))
            return parser_unexpected(p, "offset", "number, duration, step(), or range()");
    }
    struct duration_expr *term;
    int r = parse_duration_term(p, &term);
    if (r == 0 && is_signed)
        r = duration_node(p, sign, start, NULL, term, &term);
    if (r < 0)
        return r;
    *ret = term;
    return judge(p, term, true);
}

/* ---- values ---- */

bool duration_is_constant(const struct duration_expr *d)
{
    if (d->op == TOKEN_STEP || d->op == TOKEN_RANGE)
        return false;
    return (!d->left || duration_is_constant(d->left)) && (!d->right || duration_is_constant(d->right));
}

int duration_seconds(const struct duration_expr *d, double step_s, double range_s, double *ret, const char **ret_why)
{
    double left = 0, right = 0;
    int r = d->left ? duration_seconds(d->left, step_s, range_s, &left, ret_why) : 0;
    if (r == 0 && d->right)
        r = duration_seconds(d->right, step_s, range_s, &right, ret_why);
    if (r < 0)
        return r;
    switch (d->op) {
    case TOKEN_STEP:
        *ret = step_s;
        break;
    case TOKEN_RANGE:
        *ret = range_s;
        break;
    case TOKEN_LEFT_PAREN:
        *ret = left;
        break;
    case TOKEN_ADD:
        *ret = left + right;
        break;
    case TOKEN_SUB:
        *ret = left - right;
        break;
    case TOKEN_MUL:
        *ret = left * right;
        break;
    case TOKEN_DIV:
    case TOKEN_MOD:
        if (right == 0) {
            *ret_why = d->op == TOKEN_DIV ? "division by zero" : "modulo by zero";
            return -EINVAL;
        }
        *ret = d->op == TOKEN_DIV ? left / right : fmod(left, right);
        break;
    case TOKEN_POW:
        *ret = pow(left, right);
        break;
    case TOKEN_MIN:
        *ret = fmin(left, right);
        break;
    case TOKEN_MAX:
        *ret = fmax(left, right);
        break;
    default:
        *ret = d->seconds;
    }
    return 0;
}

int duration_ms(const struct duration_expr *d, int64_t step_ms, int64_t range_ms, bool may_be_negative, int64_t *ret,
                const char **ret_why)
{
    double s;
    int r = duration_seconds(d, (double)step_ms / 1000.0, (double)range_ms / 1000.0, &s, ret_why);
    if (r < 0)
        return r;
    if (!may_be_negative && !(s > 0)) {
        *ret_why = "duration must be greater than 0";
        return -EINVAL;
    }
    /* 30,000 years: sums of them with time stamps stay far from overflow, however deep subqueries are nested. */
    if (!(fabs(s) <= 1e12)) {
        *ret_why = "duration out of range";
        return -ERANGE;
    }
    *ret = (int64_t)llround(s * 1000.0);
    if (!may_be_negative && *ret <= 0) {
        *ret_why = "duration must be greater than 0";
        return -EINVAL;
    }
    return 0;
}
