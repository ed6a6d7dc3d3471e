/* match.c - operators between two vectors: which series meet (their signatures), and what comes out.
 *
 * A signature is the labels of on(...), or all but ignoring(...) and the metadata. At each step a signature has at most
 * one series on the "one" side; which one that is may change from step to step (series come and go), and so may the
 * labels of the result: results are gathered by their labels. */
#include <errno.h>

#include "collector/promql/eval.h"

struct signature_rule {
    bool on;
    struct span *names;
    size_t n;
};

MUST_USE static int signature_rule_init(struct eval *ev, const struct matching *m, struct signature_rule *ret)
{
    ret->on = m->on;
    return label_names_sorted(&ev->arena, m->labels, m->n_labels, &ret->names, &ret->n);
}

static struct labels signature_of(const struct signature_rule *rule, const struct labels *ls, struct label *room)
{
    return rule->on ? labels_keep(ls, rule->names, rule->n, room)
                    : labels_without(ls, rule->names, rule->n, true, room);
}

/* Room for the labels of any series on both sides, plus those that group_left adds. */
MUST_USE static int label_room(struct eval *ev, const struct vector *a, const struct vector *b, size_t more,
                               struct label **ret)
{
    size_t most = 0;
    for (size_t i = 0; i < a->n; i++)
        most = a->series[i].labels.n > most ? a->series[i].labels.n : most;
    for (size_t i = 0; i < b->n; i++)
        most = b->series[i].labels.n > most ? b->series[i].labels.n : most;
    *ret = arena_array(&ev->arena, most + more + 1, sizeof **ret);
    return *ret ? 0 : -ENOMEM;
}

/* ---- and, or, unless ---- */

struct masked {
    struct vector *from;
    size_t *signature;     /* per series: index, or SIZE_MAX: nothing on the other side has it */
    bool *const *presence; /* per signature and step: does the other side have a value? */
    bool keep_where_present;
};

static int fetch_masked(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    const struct masked *m = v->state;
    int r = m->from->fetch(ev, m->from, i, c);
    if (r <= 0)
        return r;
    const bool *other = m->signature[i] == SIZE_MAX ? NULL : m->presence[m->signature[i]];
    bool any = false;
    for (size_t s = 0; s < v->steps; s++) {
        c->present[s] = c->present[s] && (other && other[s]) == m->keep_where_present;
        any |= c->present[s];
    }
    return any;
}

struct presence {
    struct label_table table;
    bool **steps; /* per signature */
    size_t cap;
};

/* A row of steps for signature `at`. */
MUST_USE static int presence_row(struct eval *ev, struct presence *p, size_t at, size_t steps)
{
    if (at >= p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 16;
        bool **bigger = arena_array(&ev->arena, cap, sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        if (p->cap)
            memcpy(bigger, p->steps, p->cap * sizeof *bigger);
        p->steps = bigger;
        p->cap = cap;
    }
    p->steps[at] = arena_array(&ev->arena, steps, sizeof **p->steps);
    return p->steps[at] ? 0 : -ENOMEM;
}

MUST_USE static int presence_add(struct eval *ev, struct presence *p, const struct signature_rule *rule,
                                 const struct labels *ls, struct label *room, const bool *present, size_t steps)
{
    struct labels signature = signature_of(rule, ls, room);
    size_t at;
    bool is_new;
    int r = label_table_intern(&p->table, &signature, &at, &is_new);
    if (r == 0 && is_new)
        r = presence_row(ev, p, at, steps);
    for (size_t s = 0; r == 0 && s < steps; s++)
        p->steps[at][s] |= present[s];
    return r;
}

MUST_USE static int masked_new(struct eval *ev, struct vector *from, const struct presence *p,
                               const struct signature_rule *rule, struct label *room, bool keep_where_present,
                               const struct grid *g, struct vector **ret)
{
    struct masked *m = arena_alloc(&ev->arena, sizeof *m);
    struct vector *v;
    if (!m)
        return -ENOMEM;
    int r = vector_new(ev, 0, g, fetch_masked, m, &v);
    if (r < 0)
        return r;
    *m = (struct masked){.from = from, .presence = p->steps, .keep_where_present = keep_where_present};
    m->signature = arena_array(&ev->arena, from->n, sizeof *m->signature);
    if (!m->signature)
        return -ENOMEM;
    for (size_t i = 0; i < from->n; i++) {
        struct labels signature = signature_of(rule, &from->series[i].labels, room);
        if (!label_table_find(&p->table, &signature, &m->signature[i]))
            m->signature[i] = SIZE_MAX;
    }
    v->series = from->series;
    v->n = from->n;
    v->ordered = from->ordered;
    *ret = v;
    return 0;
}

int eval_set_operation(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct vector **ret)
{
    struct signature_rule rule;
    struct vector *left, *right;
    struct label *room;
    int r = signature_rule_init(ev, &e->binary.matching, &rule);
    if (r < 0 || (r = eval_vector(ev, e->binary.left, g, &left)) < 0 ||
        (r = eval_vector(ev, e->binary.right, g, &right)) < 0 || (r = label_room(ev, left, right, 0, &room)) < 0)
        return r;
    struct presence p = {0};
    label_table_init(&p.table, &ev->arena);
    if (e->binary.op != TOKEN_OR) { /* the right side only says where; the left side flows through */
        struct column scratch;
        if ((r = column_scratch(ev, g->n, &scratch)) < 0)
            return r;
        for (size_t i = 0; i < right->n; i++) {
            column_again(&scratch);
            r = right->fetch(ev, right, i, &scratch);
            if (r > 0)
                r = presence_add(ev, &p, &rule, &right->series[i].labels, room, scratch.present, g->n);
            if (r < 0)
                return r;
        }
        return masked_new(ev, left, &p, &rule, room, e->binary.op == TOKEN_AND, g, ret);
    }
    struct matrix both, more;
    if ((r = materialise(ev, left, &both)) < 0)
        return r;
    for (size_t i = 0; i < both.n; i++)
        if ((r = presence_add(ev, &p, &rule, &both.series[i].labels, room, both.columns[i].present, g->n)) < 0)
            return r;
    struct vector *rest;
    if ((r = masked_new(ev, right, &p, &rule, room, false, g, &rest)) < 0 || (r = materialise(ev, rest, &more)) < 0)
        return r;
    struct matrix all = {.n = both.n + more.n, .ordered = both.ordered && more.ordered};
    all.series = arena_array(&ev->arena, all.n, sizeof *all.series);
    all.columns = arena_array(&ev->arena, all.n, sizeof *all.columns);
    if (!all.series || !all.columns)
        return -ENOMEM;
    memcpy(all.series, both.series, both.n * sizeof *all.series);
    memcpy(all.series + both.n, more.series, more.n * sizeof *all.series);
    memcpy(all.columns, both.columns, both.n * sizeof *all.columns);
    memcpy(all.columns + both.n, more.columns, more.n * sizeof *all.columns);
    if ((r = matrix_merge_equal(ev, e, &all, g->n)) < 0)
        return r;
    return matrix_vector(ev, &all, g, ret);
}

/* ---- arithmetic and comparisons ---- */

/* One step of one signature: which series of the "one" side, and how many of the "many" side, have a value. */
struct meeting {
    size_t *one;   /* per step: index of its series + 1 */
    bool *matched; /* per step: the many side had a value where the one side had, too */
    bool *many;    /* per step: the many side had a value */
};
struct matcher_state {
    struct eval *ev;
    const struct promql_expr *e;
    const struct matching *m;
    struct signature_rule rule;
    size_t steps;
    bool many_is_left;
    struct label_table signatures;
    struct meeting *meetings;
    size_t meetings_cap;
    struct gathered results;
    struct label *room, *room2;
};

MUST_USE static int meeting_of(struct matcher_state *st, const struct labels *ls, size_t *ret)
{
    struct eval *ev = st->ev;
    struct labels signature = signature_of(&st->rule, ls, st->room);
    bool is_new;
    int r = label_table_intern(&st->signatures, &signature, ret, &is_new);
    if (r < 0 || !is_new)
        return r;
    if (*ret >= st->meetings_cap) {
        size_t cap = st->meetings_cap ? 2 * st->meetings_cap : 16;
        struct meeting *bigger = arena_array(&ev->arena, cap, sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        if (st->meetings_cap)
            memcpy(bigger, st->meetings, st->meetings_cap * sizeof *bigger);
        st->meetings = bigger;
        st->meetings_cap = cap;
    }
    struct meeting *meeting = &st->meetings[*ret];
    meeting->one = arena_array(&ev->arena, st->steps, sizeof *meeting->one);
    meeting->matched = arena_array(&ev->arena, st->steps, sizeof *meeting->matched);
    meeting->many = arena_array(&ev->arena, st->steps, sizeof *meeting->many);
    return meeting->one && meeting->matched && meeting->many ? 0 : -ENOMEM;
}

static int fail_duplicate(struct matcher_state *st, const struct labels *signature, const struct labels *a,
                          const struct labels *b)
{
    struct buf text;
    buf_init(&text, 4 * PROBLEM_TEXT_MAX);
    bool swap = labels_compare(a, b) > 0; /* always the same message, whatever order the series came in */
    buf_str(&text, "found duplicate series for the match group ");
    if (signature->n)
        labels_format(&text, signature);
    else
        buf_str(&text, "{}");
    buf_printf(&text, " on the %s hand-side of the operation: [", st->many_is_left ? "right" : "left");
    labels_format(&text, swap ? b : a);
    buf_str(&text, ", ");
    labels_format(&text, swap ? a : b);
    buf_str(&text, "];many-to-many matching not allowed: matching labels must be unique on one side");
    int r = eval_fail(st->ev, PROMQL_EXECUTION, st->e, "%s", buf_error(&text) ? "duplicate series" : text.data);
    buf_done(&text);
    return r;
}

/* The labels of the result of a many-side and a one-side series; either may be a stand-in of fill(). */
static struct labels result_labels(struct matcher_state *st, const struct labels *many, const struct labels *one)
{
    const struct matching *m = st->m;
    bool arithmetic = !token_is_comparison(st->e->binary.op) && !token_is_trim(st->e->binary.op);
    struct labels ls = labels_without(many, NULL, 0, arithmetic, st->room);
    if (m->card == CARD_ONE_TO_ONE)
        ls = m->on ? labels_keep(&ls, st->rule.names, st->rule.n, st->room2)
                   : labels_without(&ls, st->rule.names, st->rule.n, false, st->room2);
    for (size_t i = 0; i < m->n_include; i++) {
        struct label *target = ls.pairs == st->room ? st->room2 : st->room;
        ls = labels_with(&ls, m->include[i], labels_get(one, m->include[i]), target);
    }
    return ls;
}

MUST_USE static int result_column(struct matcher_state *st, const struct labels *many, const struct labels *one,
                                  bool drop_name, struct column **ret)
{
    struct labels ls = result_labels(st, many, one);
    return gathered_column(st->ev, &st->results, &ls, drop_name, st->steps, ret);
}

struct operand {
    double value;
    const struct native_histogram *histogram; /* NULL: the value counts */
};

static struct operand operand_at(const struct column *c, size_t step)
{
    return (struct operand){c->values[step], column_histogram(c, step)};
}

/* 1: the result is in *ret, 0: there is none. */
MUST_USE static int operate(struct matcher_state *st, struct arena *a, struct operand left, struct operand right,
                            struct operand *ret)
{
    enum token_type op = st->e->binary.op;
    bool holds = true;
    *ret = (struct operand){0, NULL};
    if (left.histogram || right.histogram || token_is_trim(op)) {
        int r = histogram_operate(st->ev, st->e, a, left.histogram, left.value, right.histogram, right.value, &holds,
                                  &ret->histogram);
        if (r != 0)
            return r == HISTOGRAM_INCOMPATIBLE ? 0 : r;
        if (st->e->binary.returns_bool)
            *ret = (struct operand){holds, NULL};
        return holds || st->e->binary.returns_bool;
    }
    ret->value = binary_operate(op, left.value, right.value);
    if (token_is_comparison(op) && !st->e->binary.returns_bool) {
        holds = ret->value != 0;
        ret->value = left.value;
    }
    return holds;
}

/* Put one result down. many and one are the values of those sides. */
MUST_USE static int put_result(struct matcher_state *st, struct column *out, size_t step, struct operand many,
                               struct operand one)
{
    struct operand result;
    int r = operate(st, out->arena, st->many_is_left ? many : one, st->many_is_left ? one : many, &result);
    if (r <= 0)
        return r;
    if (out->present[step])
        return eval_fail(st->ev, PROMQL_EXECUTION, st->e,
                         st->m->card == CARD_ONE_TO_ONE
                             ? SAME_LABELSET
                             : "multiple matches for labels: grouping labels must ensure unique matches");
    if (result.histogram && !out->histograms && (r = column_histograms(out, st->steps)) < 0)
        return r;
    if (result.histogram && result.histogram == many.histogram) { /* which is gone with its series */
        struct native_histogram *copy;
        if ((r = native_copy(out->arena, result.histogram, &copy)) < 0)
            return r;
        result.histogram = copy;
    }
    out->present[step] = true;
    out->values[step] = result.value;
    if (out->histograms)
        out->histograms[step] = result.histogram;
    return 0;
}

/* Learn which series of the one side stands for a signature at which step. */
MUST_USE static int meet_one_side(struct matcher_state *st, const struct matrix *one)
{
    for (size_t i = 0; i < one->n; i++) {
        size_t at;
        int r = meeting_of(st, &one->series[i].labels, &at);
        if (r < 0)
            return r;
        for (size_t s = 0; s < st->steps; s++) {
            if (!one->columns[i].present[s])
                continue;
            size_t *seat = &st->meetings[at].one[s];
            if (*seat)
                return fail_duplicate(st, &st->signatures.sets[at], &one->series[*seat - 1].labels,
                                      &one->series[i].labels);
            *seat = i + 1;
        }
    }
    return 0;
}

MUST_USE static int match_series(struct matcher_state *st, const struct series *many, const struct column *values,
                                 const struct matrix *one)
{
    static const struct labels NONE = {0};
    bool fill = st->m->fill_right; /* for a missing one side; see fill_many_side */
    double fill_value = st->m->fill_right_value;
    bool drop_name = many->drop_name || st->e->binary.returns_bool;
    size_t at, last = SIZE_MAX;
    int r = meeting_of(st, &many->labels, &at);
    struct column *out = NULL;
    for (size_t s = 0; r == 0 && s < st->steps; s++) {
        struct meeting *meeting = &st->meetings[at];
        size_t seat = meeting->one[s];
        if (!values->present[s])
            continue;
        if (st->m->card == CARD_ONE_TO_ONE && (seat ? meeting->matched[s] : fill && meeting->many[s]))
            return eval_fail(st->ev, PROMQL_EXECUTION, st->e,
                             "multiple matches for labels: many-to-one matching must be explicit "
                             "(group_left/group_right)");
        meeting->many[s] = true;
        if (!seat && !fill)
            continue;
        meeting->matched[s] = true;
        if (!out || seat != last) {
            const struct labels *labels = seat ? &one->series[seat - 1].labels : &NONE;
            if ((r = result_column(st, &many->labels, labels, drop_name, &out)) < 0)
                return r;
            last = seat;
        }
        r = put_result(st, out, s, operand_at(values, s),
                       seat ? operand_at(&one->columns[seat - 1], s) : (struct operand){fill_value, NULL});
    }
    return r;
}

/* fill for the many side: steps of a signature where only the one side has a value. As in Prometheus fill_left is the
 * many side's also under group_right, which trades the sides. */
MUST_USE static int fill_many_side(struct matcher_state *st, const struct matrix *one)
{
    double fill_value = st->m->fill_left_value;
    for (size_t at = 0; at < st->signatures.n; at++) {
        const struct meeting *meeting = &st->meetings[at];
        struct column *out = NULL;
        size_t last = 0;
        for (size_t s = 0; s < st->steps; s++) {
            size_t seat = meeting->one[s];
            if (!seat || meeting->many[s])
                continue;
            int r = 0;
            if (seat != last)
                r = result_column(st, &st->signatures.sets[at], &one->series[seat - 1].labels,
                                  st->e->binary.returns_bool, &out);
            last = seat;
            if (r == 0)
                r = put_result(st, out, s, (struct operand){fill_value, NULL}, operand_at(&one->columns[seat - 1], s));
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int eval_vector_match(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct vector **ret)
{
    const struct matching *m = &e->binary.matching;
    struct matcher_state st = {.ev = ev, .e = e, .m = m, .steps = g->n, .many_is_left = m->card != CARD_ONE_TO_MANY};
    label_table_init(&st.signatures, &ev->arena);
    gathered_init(ev, &st.results);
    struct vector *left, *right;
    int r = signature_rule_init(ev, m, &st.rule);
    if (r < 0 || (r = eval_vector(ev, e->binary.left, g, &left)) < 0 ||
        (r = eval_vector(ev, e->binary.right, g, &right)) < 0 ||
        (r = label_room(ev, left, right, m->n_include, &st.room)) < 0 ||
        (r = label_room(ev, left, right, m->n_include, &st.room2)) < 0)
        return r;
    struct vector *many = st.many_is_left ? left : right;
    struct matrix one;
    struct column scratch;
    if ((r = materialise(ev, st.many_is_left ? right : left, &one)) < 0 || (r = meet_one_side(&st, &one)) < 0 ||
        (r = column_scratch(ev, g->n, &scratch)) < 0)
        return r;
    for (size_t i = 0; i < many->n; i++) {
        column_again(&scratch);
        r = many->fetch(ev, many, i, &scratch);
        if (r > 0)
            r = match_series(&st, &many->series[i], &scratch, &one);
        if (r < 0)
            return r;
    }
    if (m->fill_left && (r = fill_many_side(&st, &one)) < 0)
        return r;
    st.results.out.ordered = many->ordered;
    return matrix_vector(ev, &st.results.out, g, ret);
}
