/* rule_doubts.c - what `check rules` finds beside mistakes: rules that are there twice, and expressions that can hardly be meant
 * (promql_each_doubt). */
#include <errno.h>

#include "collector/promql/promql.h"
#include "collector/rules/rule_set.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"

#define PARSE_BYTES_MAX (64u << 20)
#define PIECE_BYTES 60 /* of the expression in a message */

struct where {
    const struct group_def *group;
    const struct rule_def *def;
    struct problems *problems;
};

static void note_doubt(void *ctx, size_t start, size_t end, const char *words)
{
    const struct where *w = ctx;
    struct span piece = span_of(w->def->expr.ptr + start, end - start);
    bool cut = piece.len > PIECE_BYTES;
    if (cut)
        piece.len = PIECE_BYTES;
    while (cut && piece.len && ((unsigned char)piece.ptr[piece.len] & 0xc0) == 0x80)
        piece.len--;
    struct buf text;
    buf_init(&text, 4 * PIECE_BYTES);
    for (size_t i = 0; i < piece.len; i++) /* on one line */
        buf_char(&text, piece.ptr[i] == '\n' || piece.ptr[i] == '\t' ? ' ' : piece.ptr[i]);
    problem_add(w->problems, PROBLEM_WARNING, w->group->file.ptr, w->def->line, 0, SPAN_FMT ": %s%s: %s",
                SPAN_ARG(w->def->name), text.data ? text.data : "", cut ? "…" : "", words);
    buf_done(&text);
}

static void doubt_expression(const struct where *w)
{
    struct arena arena;
    struct promql_expr *e = NULL;
    struct parse_error error;
    arena_init(&arena, PARSE_BYTES_MAX);
    if (promql_parse(w->def->expr, &arena, &e, &error) == 0)
        promql_each_doubt(e, w->def->kind == RULE_RECORD, note_doubt, (void *)(uintptr_t)w);
    promql_expr_done(e);
    arena_done(&arena);
}

/* Same kind, name and labels, in one file: promtool's measure. */
MUST_USE static int note_repeated(const struct where *w, struct strmap *seen)
{
    struct buf key;
    buf_init(&key, 1 << 20);
    buf_span(&key, w->group->file);
    buf_str(&key, w->def->kind == RULE_ALERT ? ";alert;" : ";record;");
    buf_span(&key, w->def->name);
    labels_format(&key, &w->def->labels);
    int r = buf_error(&key);
    if (r == 0 && strmap_has(seen, buf_view(&key))) {
        const struct rule_def *first = strmap_get(seen, buf_view(&key));
        problem_add(w->problems, PROBLEM_WARNING, w->group->file.ptr, w->def->line, 0,
                    SPAN_FMT ": there is a rule with this name and these labels in line %u, too",
                    SPAN_ARG(w->def->name), first->line);
    } else if (r == 0) {
        r = strmap_put(seen, buf_view(&key), (void *)(uintptr_t)w->def);
    }
    buf_done(&key);
    return r;
}

int rule_set_doubts(const struct rule_set *set, struct problems *problems)
{
    struct strmap seen;
    int r = 0;
    strmap_init(&seen, set->n_rules + 1);
    for (size_t g = 0; g < set->n_groups && r == 0; g++)
        for (size_t i = 0; i < set->groups[g].n_rules && r == 0; i++) {
            struct where w = {&set->groups[g], &set->groups[g].rules[i], problems};
            doubt_expression(&w);
            r = note_repeated(&w, &seen);
        }
    strmap_done(&seen);
    return r;
}
