/* call_label.c - functions that change labels or the order of series. */
#include "collector/promql/calls.h"

#include <errno.h>
#include <math.h>

#include "lib/base/limits.h"

/* ---- label_replace, label_join ---- */

static int fetch_same(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    struct vector *from = v->state;
    return from->fetch(ev, from, i, c);
}

/* The series of `from` under new labels. Where two become equal their columns are put together. */
MUST_USE static int relabelled(struct eval *ev, const struct promql_expr *call, struct vector *from,
                               struct series *series, const struct grid *g, struct vector **ret)
{
    struct label_table table;
    label_table_init(&table, &ev->arena);
    bool unique = true;
    for (size_t i = 0; unique && i < from->n; i++) {
        size_t at;
        int r = label_table_intern(&table, &series[i].labels, &at, &unique);
        if (r < 0)
            return r;
    }
    struct vector *v;
    int r = vector_new(ev, 0, g, fetch_same, from, &v);
    if (r < 0)
        return r;
    v->series = series;
    v->n = from->n;
    v->ordered = from->ordered;
    *ret = v;
    if (unique)
        return 0;
    struct matrix m;
    if ((r = materialise(ev, v, &m)) < 0 || (r = matrix_merge_equal(ev, call, &m, g->n)) < 0)
        return r;
    return matrix_vector(ev, &m, g, ret);
}

/* The label set with `name` set; a new name keeps the series from losing it at the end. */
MUST_USE static int set_label(struct eval *ev, const struct series *from, struct span name, struct span value,
                              struct series *ret)
{
    struct label *room = arena_array(&ev->arena, from->labels.n + 1, sizeof *room);
    bool ok = room != NULL;
    struct span copy = arena_span(&ev->arena, value, &ok);
    if (!ok)
        return -ENOMEM;
    ret->labels = labels_with(&from->labels, name, copy, room);
    ret->drop_name = from->drop_name && !span_equal(name, SPAN("__name__"));
    return 0;
}

static void free_regex(void *arg)
{
    regex_free(arg);
}

int call_label_replace(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct span texts[4]; /* destination, replacement, source, pattern */
    int r = 0;
    for (size_t i = 0; r == 0 && i < 4; i++)
        r = eval_string(ev, call->call.args[i + 1], &texts[i]);
    struct regex *re;
    struct parse_error why = {0};
    if (r == 0 && (r = regex_compile(texts[3], REGEX_ANCHORED, &re, &why)) < 0)
        return r == -ENOMEM ? r
                            : eval_fail(ev, PROMQL_EXECUTION, call->call.args[4],
                                        "invalid regular expression in label_replace(): " SPAN_FMT ": %s",
                                        SPAN_ARG(texts[3]), why.text);
    if (r < 0 || (r = eval_defer(ev, free_regex, re)) < 0)
        return r;
    if (texts[0].len == 0 || !span_is_utf8(texts[0]))
        return eval_fail(ev, PROMQL_EXECUTION, call->call.args[1],
                         "invalid destination label name in label_replace(): " SPAN_FMT, SPAN_ARG(texts[0]));
    struct vector *from;
    if ((r = eval_vector(ev, call->call.args[0], g, &from)) < 0)
        return r;
    struct series *series = arena_array(&ev->arena, from->n, sizeof *series);
    struct buf value;
    if (!series)
        return -ENOMEM;
    buf_init(&value, LABEL_VALUE_BYTES_MAX);
    for (size_t i = 0; r == 0 && i < from->n; i++) {
        struct span groups[64];
        size_t n_groups = 0;
        int found =
            regex_search(re, labels_get(&from->series[i].labels, texts[2]), 0, groups, ARRAY_LEN(groups), &n_groups);
        if (found < 0) {
            r = eval_fail(ev, PROMQL_EXECUTION, call, "regular expression exceeds its match limit");
        } else if (!found) {
            series[i] = from->series[i];
        } else {
            buf_clear(&value);
            regex_expand(re, texts[1], groups, n_groups < ARRAY_LEN(groups) ? n_groups : ARRAY_LEN(groups), &value);
            r = buf_error(&value) ? eval_fail(ev, PROMQL_EXECUTION, call, "label value in label_replace() is too long")
                                  : set_label(ev, &from->series[i], texts[0], buf_view(&value), &series[i]);
        }
        if (r == 0)
            r = eval_tick(ev);
    }
    buf_done(&value);
    return r < 0 ? r : relabelled(ev, call, from, series, g, &ret->vector);
}

int call_label_join(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct span *texts =
        arena_array(&ev->arena, call->call.n, sizeof *texts); /* [1] destination, [2] separator, sources */
    struct vector *from;
    int r = texts ? 0 : -ENOMEM;
    for (size_t i = 1; r == 0 && i < call->call.n; i++) {
        r = eval_string(ev, call->call.args[i], &texts[i]);
        if (r == 0 && i != 2 && (texts[i].len == 0 || !span_is_utf8(texts[i])))
            return eval_fail(ev, PROMQL_EXECUTION, call->call.args[i],
                             "invalid %s label name in label_join(): " SPAN_FMT, i == 1 ? "destination" : "source",
                             SPAN_ARG(texts[i]));
    }
    if (r < 0 || (r = eval_vector(ev, call->call.args[0], g, &from)) < 0)
        return r;
    struct series *series = arena_array(&ev->arena, from->n, sizeof *series);
    struct buf value;
    if (!series)
        return -ENOMEM;
    buf_init(&value, LABEL_VALUE_BYTES_MAX);
    for (size_t i = 0; r == 0 && i < from->n; i++) {
        buf_clear(&value);
        for (size_t k = 3; k < call->call.n; k++) {
            if (k > 3)
                buf_span(&value, texts[2]);
            buf_span(&value, labels_get(&from->series[i].labels, texts[k]));
        }
        r = buf_error(&value) ? eval_fail(ev, PROMQL_EXECUTION, call, "label value in label_join() is too long")
                              : set_label(ev, &from->series[i], texts[1], buf_view(&value), &series[i]);
        if (r == 0)
            r = eval_tick(ev);
    }
    buf_done(&value);
    return r < 0 ? r : relabelled(ev, call, from, series, g, &ret->vector);
}

/* ---- absent ---- */

int labels_of_absent(struct eval *ev, const struct promql_expr *arg, struct labels *ret)
{
    *ret = (struct labels){0};
    arg = unwrap_parens(arg);
    if (arg->kind == NODE_MATRIX)
        arg = arg->matrix.selector;
    if (arg->kind != NODE_SELECTOR)
        return 0;
    struct label_builder b;
    label_builder_init(&b, &ev->arena);
    const struct matcher *ms = arg->selector.matchers;
    for (size_t i = 0; i < arg->selector.n; i++) {
        if (span_equal(ms[i].name, SPAN("__name__")))
            continue;
        bool named_before = false; /* a label named twice is nobody's */
        for (size_t k = 0; k < i; k++)
            named_before |= ms[k].type == MATCH_EQUAL && span_equal(ms[k].name, ms[i].name);
        if (ms[i].type == MATCH_EQUAL && !named_before)
            label_builder_set(&b, ms[i].name, ms[i].value);
        else
            label_builder_remove(&b, ms[i].name);
    }
    int r = label_builder_finish(&b, ret);
    return r == -E2BIG ? eval_fail(ev, PROMQL_EXECUTION, arg, "too many labels in the selector") : r;
}

/* ---- sorting ---- */

struct sortable {
    double value;
    size_t index;
    const struct labels *labels;
};

static int ascending(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    int c = compare_nan_last(x->value, y->value);
    return c ? c : labels_compare(x->labels, y->labels);
}

static int descending(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    if (isnan(x->value) || isnan(y->value))
        return ascending(a, b);
    int c = compare_nan_last(y->value, x->value);
    return c ? c : labels_compare(x->labels, y->labels);
}

/* Ordering is for instant queries: the series of a range are ordered by labels anyway. */
MUST_USE static int warn_of_range(struct eval *ev, const struct promql_expr *call, const struct grid *g)
{
    if (g->n == 1 && ev->instant)
        return 0;
    return eval_warn(ev, call, "sort is ineffective for range queries since results are always ordered by labels");
}

MUST_USE static int reorder(struct eval *ev, const struct matrix *m, const size_t *order, const struct grid *g,
                            struct vector **ret)
{
    struct matrix sorted = {.n = m->n, .ordered = true};
    sorted.series = arena_array(&ev->arena, m->n, sizeof *sorted.series);
    sorted.columns = arena_array(&ev->arena, m->n, sizeof *sorted.columns);
    if (!sorted.series || !sorted.columns)
        return -ENOMEM;
    for (size_t i = 0; i < m->n; i++) {
        sorted.series[i] = m->series[order[i]];
        sorted.columns[i] = m->columns[order[i]];
    }
    return matrix_vector(ev, &sorted, g, ret);
}

/* Histograms have no order. */
static int fetch_only_floats(struct eval *ev, struct vector *v, size_t i, struct column *c)
{
    struct vector *from = v->state;
    int r = from->fetch(ev, from, i, c);
    return r <= 0 ? r : column_only_floats(c, v->steps);
}

int call_sort(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    int r = warn_of_range(ev, call, g);
    struct vector *from;
    struct matrix m;
    if (r < 0 || (r = eval_vector(ev, call->call.args[0], g, &from)) < 0)
        return r;
    struct vector *floats;
    if ((r = vector_new(ev, 0, g, fetch_only_floats, from, &floats)) < 0)
        return r;
    floats->series = from->series;
    floats->n = from->n;
    if (g->n != 1) {
        ret->vector = floats;
        return 0;
    }
    if ((r = materialise(ev, floats, &m)) < 0)
        return r;
    struct sortable *list = arena_array(&ev->arena, m.n, sizeof *list);
    size_t *order = arena_array(&ev->arena, m.n, sizeof *order);
    if (!list || !order)
        return -ENOMEM;
    for (size_t i = 0; i < m.n; i++)
        list[i] = (struct sortable){m.columns[i].values[0], i, &m.series[i].labels};
    qsort(list, m.n, sizeof *list, strcmp(call->call.function->name, "sort") == 0 ? ascending : descending);
    for (size_t i = 0; i < m.n; i++)
        order[i] = list[i].index;
    return reorder(ev, &m, order, g, &ret->vector);
}

static bool digit_at(struct span s, size_t i)
{
    return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
}

/* Runs of digits compare as numbers: "4m5" before "4m600". */
static int natural_compare(struct span a, struct span b)
{
    size_t i = 0, k = 0;
    while (i < a.len && k < b.len) {
        if (digit_at(a, i) && digit_at(b, k)) {
            while (i < a.len && a.ptr[i] == '0' && digit_at(a, i + 1))
                i++;
            while (k < b.len && b.ptr[k] == '0' && digit_at(b, k + 1))
                k++;
            size_t n = 0, m = 0;
            while (digit_at(a, i + n))
                n++;
            while (digit_at(b, k + m))
                m++;
            int c = n != m ? (n > m) - (n < m) : memcmp(a.ptr + i, b.ptr + k, n);
            if (c)
                return c;
            i += n;
            k += m;
            continue;
        }
        if (a.ptr[i] != b.ptr[k])
            return (unsigned char)a.ptr[i] < (unsigned char)b.ptr[k] ? -1 : 1;
        i++;
        k++;
    }
    return (i < a.len) - (k < b.len);
}

struct by_label {
    const struct span *names;
    size_t n;
    bool descending;
};

static int compare_by_labels(const void *a, const void *b, void *ctx)
{
    const struct sortable *x = a, *y = b;
    const struct by_label *by = ctx;
    int c = 0;
    for (size_t i = 0; c == 0 && i < by->n; i++)
        c = natural_compare(labels_get(x->labels, by->names[i]), labels_get(y->labels, by->names[i]));
    if (c == 0)
        c = labels_compare(x->labels, y->labels);
    return by->descending ? -c : c;
}

int call_sort_by_label(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    int r = warn_of_range(ev, call, g);
    struct vector *from;
    struct matrix m;
    if (r < 0 || (r = eval_vector(ev, call->call.args[0], g, &from)) < 0)
        return r;
    if (g->n != 1) {
        ret->vector = from;
        return 0;
    }
    struct span *names = arena_array(&ev->arena, call->call.n, sizeof *names);
    struct by_label by = {names, call->call.n - 1, strcmp(call->call.function->name, "sort_by_label_desc") == 0};
    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < by.n; i++)
        if ((r = eval_string(ev, call->call.args[i + 1], &names[i])) < 0)
            return r;
    if ((r = materialise(ev, from, &m)) < 0)
        return r;
    struct sortable *list = arena_array(&ev->arena, m.n, sizeof *list);
    size_t *order = arena_array(&ev->arena, m.n, sizeof *order);
    if (!list || !order)
        return -ENOMEM;
    for (size_t i = 0; i < m.n; i++)
        list[i] = (struct sortable){0, i, &m.series[i].labels};
    qsort_r(list, m.n, sizeof *list, compare_by_labels, &by);
    for (size_t i = 0; i < m.n; i++)
        order[i] = list[i].index;
    return reorder(ev, &m, order, g, &ret->vector);
}
