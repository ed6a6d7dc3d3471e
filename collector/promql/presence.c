/* presence.c - what an alert's expression decides on, whether it decides for or against: filters give 0 or 1 instead of taking
 * series away. A label set that is in its answer and not in the expression's own is well; one that is in neither has no data. */
#include <errno.h>

#include "collector/promql/ast.h"
#include "collector/promql/functions.h"
#include "lib/base/limits.h"

#define PARSE_BYTES_MAX (64u << 20)

/* false: it asks for absence. The tree is the caller's own. */
static bool widen(struct promql_expr *e)
{
    struct promql_expr *const *parts, *room[2];
    size_t n = expr_children(e, &parts, room);
    if (e->kind == NODE_CALL && span_starts(span_str(e->call.function->name), SPAN("absent")))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!widen(parts[i]))
            return false;
    if (e->kind != NODE_BINARY)
        return true;
    if (token_is_comparison(e->binary.op)) {
        e->binary.returns_bool = true;
    } else if (e->binary.op == TOKEN_UNLESS) {
        struct promql_expr left = *e->binary.left;
        *e = left;
    }
    return true;
}

int promql_format_presence(struct span text, struct buf *out)
{
    struct arena arena;
    struct promql_expr *e = NULL;
    struct parse_error error;
    arena_init(&arena, PARSE_BYTES_MAX);
    int r = promql_parse(text, &arena, &e, &error);
    if (r == 0) {
        struct promql_expr *selectors = e->first_selector; /* the root may be replaced by a part of it */
        if (widen(e))
            promql_format(e, out);
        else
            r = -EDOM;
        e->first_selector = selectors;
    }
    promql_expr_done(e);
    arena_done(&arena);
    return r;
}
