/* ast.h - the tree of a parsed expression, shared by parser, type check, printer and engine; nobody else sees inside.
 *
 * Nodes live in the parse's arena and are not changed after promql_parse: an expression may be evaluated by many
 * threads at once. Only regexes are outside the arena; the root's list of selectors finds them again. */
#pragma once

#include "collector/promql/lex.h"
#include "collector/promql/promql.h"

/* Times of queries, 3 million years around 1970: nothing that is added to them overflows. */
#define PROMQL_TIME_MAX_MS 1e17

enum node_kind {
    NODE_NUMBER,
    NODE_STRING,
    NODE_SELECTOR, /* instant vector selector */
    NODE_MATRIX,   /* selector[range] */
    NODE_SUBQUERY,
    NODE_CALL,
    NODE_AGGREGATE,
    NODE_BINARY,
    NODE_UNARY,
    NODE_PAREN
};

/* A duration: one literal, or arithmetic that may ask for the query's step and range. op is TOKEN_NUMBER for a number,
 * TOKEN_DURATION for 5m (seconds both), TOKEN_STEP, TOKEN_RANGE, TOKEN_MIN, TOKEN_MAX, TOKEN_LEFT_PAREN around `left`,
 * or an arithmetic operator (left NULL: a sign). */
struct duration_expr {
    enum token_type op;
    double seconds;
    struct duration_expr *left, *right;
    size_t start, end;
};

enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END };
enum extension { EXTENSION_NONE, EXTENSION_ANCHORED, EXTENSION_SMOOTHED };
struct timing {                   /* of selectors and subqueries */
    struct duration_expr *offset; /* NULL: none */
    enum at_kind at;
    int64_t at_ms;
};
enum matching_card { CARD_ONE_TO_ONE, CARD_MANY_TO_ONE, CARD_ONE_TO_MANY, CARD_MANY_TO_MANY };
struct matching {
    enum matching_card card;
    bool on, has_labels; /* has_labels: on(...) or ignoring(...) was written */
    struct span *labels;
    size_t n_labels;
    bool has_include;
    struct span *include; /* of group_left/right */
    size_t n_include;
    bool fill_left, fill_right;
    double fill_left_value, fill_right_value;
};

struct promql_function;
struct promql_expr {
    enum node_kind kind;
    enum promql_type type;
    size_t start, end; /* bytes in the text */
    uint32_t line, column;
    unsigned height;
    bool invariant;                     /* the same at every step */
    struct promql_expr *first_selector; /* of the root: every selector, by selector.next */
    union {
        struct {
            double value;
            bool is_duration; /* written as one: 5m */
        } number;
        struct span string;
        struct {
            struct span name;         /* written before the braces; may be empty */
            struct matcher *matchers; /* with the name as the last one */
            size_t n, cap;
            struct timing timing;
            enum extension extension;
            bool may_match_empty; /* info()'s second argument */
            bool counts_and_sums; /* of native histograms no more is used */
            struct promql_expr *next;
        } selector;
        struct {
            struct promql_expr *selector; /* holds timing and extension */
            struct duration_expr *range;
        } matrix;
        struct {
            struct promql_expr *expr;
            struct duration_expr *range, *step; /* step NULL: the default */
            struct timing timing;
        } subquery;
        struct {
            const struct promql_function *function;
            struct promql_expr **args;
            size_t n;
        } call;
        struct {
            enum token_type op;
            bool without, has_grouping;
            struct span *labels;
            size_t n_labels;
            struct promql_expr *parameter; /* NULL: the aggregation has none */
            struct promql_expr *expr;
        } aggregate;
        struct {
            enum token_type op;
            size_t op_start, op_end;
            bool returns_bool;
            struct matching matching;
            struct promql_expr *left, *right;
        } binary;
        struct {
            bool negative;
            struct promql_expr *expr;
        } unary;
        struct promql_expr *paren;
    };
};

/* Types, arities and all that needs no data (check.c). Sets types and `invariant`. */
MUST_USE int check_expr(struct span text, struct promql_expr *e, struct parse_error *ret_error);
/* Find the selectors of whose native histograms only counts and sums are used; both flags start as false. */
void mark_counts_and_sums(struct promql_expr *e, bool counts, bool buckets);
/* Prometheus's words for a type: "scalar", "instant vector", "range vector", "string". */
const char *type_name(enum promql_type t);
/* Without the parentheses around it. */
static inline const struct promql_expr *unwrap_parens(const struct promql_expr *e)
{
    while (e->kind == NODE_PAREN)
        e = e->paren;
    return e;
}
/* The direct parts of a node, in the order they stand; 0 for a leaf. */
size_t expr_children(const struct promql_expr *e, struct promql_expr *const **ret, struct promql_expr *room[2]);

/* Seconds of a duration. -EINVAL with the reason: division by zero. */
MUST_USE int duration_seconds(const struct duration_expr *d, double step_s, double range_s, double *ret,
                              const char **ret_why);
/* The same in milliseconds. -EINVAL, -ERANGE with the reason; durations that must be positive are checked. */
MUST_USE int duration_ms(const struct duration_expr *d, int64_t step_ms, int64_t range_ms, bool may_be_negative,
                         int64_t *ret, const char **ret_why);
/* Does it not depend on the query? */
bool duration_is_constant(const struct duration_expr *d);
