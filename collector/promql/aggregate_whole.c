/* aggregate_whole.c - aggregations that compare the series of a group with each other. Their input is materialised. */
#include <errno.h>
#include <math.h>
#include <xxhash.h>

#include "collector/promql/aggregate.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

int compare_nan_last(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

static int by_value_nan_first(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

double quantile_of(double q, double *values, size_t n)
{
    if (n == 0 || isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    qsort(values, n, sizeof *values, by_value_nan_first);
    double rank = q * (double)(n - 1);
    size_t lower = (size_t)floor(rank), upper = lower + 1 < n ? lower + 1 : n - 1;
    double weight = rank - floor(rank);
    return values[lower] * (1 - weight) + values[upper] * weight;
}

/* The members of each group, in one array: group i has [starts[i], starts[i + 1]). */
struct members {
    size_t *list, *starts;
};

MUST_USE static int members_of(struct eval *ev, const struct grouping *gr, size_t n, struct members *ret)
{
    ret->starts = arena_array(&ev->arena, gr->table.n + 2, sizeof *ret->starts);
    ret->list = arena_array(&ev->arena, n, sizeof *ret->list);
    if (!ret->starts || !ret->list)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        ret->starts[gr->of[i] + 2]++;
    for (size_t i = 2; i < gr->table.n + 2; i++)
        ret->starts[i] += ret->starts[i - 1];
    for (size_t i = 0; i < n; i++)
        ret->list[ret->starts[gr->of[i] + 1]++] = i;
    return 0;
}

/* ---- topk, bottomk, limitk, limit_ratio ---- */

struct candidate {
    double value;
    size_t series;
    const struct labels *labels;
};

static int compare_candidates(const struct candidate *x, const struct candidate *y, int direction)
{
    if (isnan(x->value) || isnan(y->value)) {
        if (isnan(x->value) != isnan(y->value))
            return isnan(x->value) - isnan(y->value);
        return labels_compare(x->labels, y->labels);
    }
    int c = (x->value > y->value) - (x->value < y->value);
    return c ? direction * c : labels_compare(x->labels, y->labels);
}

static int largest_first(const void *a, const void *b)
{
    return compare_candidates(a, b, -1);
}

static int smallest_first(const void *a, const void *b)
{
    return compare_candidates(a, b, 1);
}

static int by_candidate_labels(const void *a, const void *b)
{
    return labels_compare(((const struct candidate *)a)->labels, ((const struct candidate *)b)->labels);
}

/* Prometheus's Hash() of a label set, so that limit_ratio picks the same series: XXH64 over length-prefixed names and values. */
static uint64_t stable_hash(struct buf *b, const struct labels *ls)
{
    buf_clear(b);
    for (size_t i = 0; i < ls->n; i++) {
        struct span parts[2] = {ls->pairs[i].name, ls->pairs[i].value};
        for (size_t k = 0; k < 2; k++) {
            size_t n = parts[k].len;
            if (n < 255) {
                buf_char(b, (char)(unsigned char)n);
            } else {
                char prefix[4] = {(char)255, (char)(n & 255), (char)(n >> 8 & 255), (char)(n >> 16 & 255)};
                buf_bytes(b, prefix, sizeof prefix);
            }
            buf_span(b, parts[k]);
        }
    }
    return XXH64(b->data ? b->data : "", b->len, 0);
}

/* Is the series in the part of the hash space that the ratio names? Negative ratios name the complement's end. */
static bool ratio_picks(double ratio, double place)
{
    return ratio >= 0 ? place < ratio : place >= 1 + ratio;
}

struct selection { /* what decides which members of a group stay at a step */
    enum token_type op;
    const double *parameter;
    double *places; /* limit_ratio: per series 0..1 */
};

/* The k of topk and friends at a step; 0: nothing is selected. */
MUST_USE static int parameter_k(struct eval *ev, const struct promql_expr *e, double p, size_t *ret)
{
    if (isnan(p))
        return eval_fail(ev, PROMQL_EXECUTION, e->aggregate.parameter, "Parameter value is NaN");
    if (!(p > -9.3e18 && p < 9.3e18)) {
        char text[NUMBER_TEXT_MAX];
        format_f64_g(text, p);
        return eval_fail(ev, PROMQL_EXECUTION, e->aggregate.parameter, "Scalar value %s overflows int64", text);
    }
    *ret = p < 1 ? 0 : p > 1e15 ? SIZE_MAX : (size_t)p;
    return 0;
}

/* Keep of candidates[n] those that the operator selects, in its order; returns how many. */
static size_t select_candidates(const struct selection *sel, struct candidate *candidates, size_t n, size_t k,
                                double ratio)
{
    size_t kept = 0;
    switch (sel->op) {
    case TOKEN_TOPK:
    case TOKEN_BOTTOMK:
        qsort(candidates, n, sizeof *candidates, sel->op == TOKEN_TOPK ? largest_first : smallest_first);
        return k < n ? k : n;
    case TOKEN_LIMITK:
        qsort(candidates, n, sizeof *candidates, by_candidate_labels);
        return k < n ? k : n;
    default:
        for (size_t i = 0; i < n; i++)
            if (ratio_picks(ratio, sel->places[candidates[i].series]))
                candidates[kept++] = candidates[i];
        return kept;
    }
}

MUST_USE static int prepare_selection(struct eval *ev, const struct promql_expr *e, const struct grid *g,
                                      const struct matrix *m, struct selection *sel)
{
    for (size_t s = 0; s < g->n; s++) {
        double p = sel->parameter[s];
        size_t k;
        int r = 0;
        if (sel->op != TOKEN_LIMIT_RATIO)
            r = parameter_k(ev, e, p, &k);
        else if (isnan(p))
            r = eval_fail(ev, PROMQL_EXECUTION, e->aggregate.parameter, "Ratio value is NaN");
        else if (p < -1 || p > 1) {
            char text[NUMBER_TEXT_MAX];
            format_f64_g(text, p);
            r = eval_warn(ev, e->aggregate.parameter, "ratio value should be between -1 and 1, got %s, capping to %d",
                          text, p < 0 ? -1 : 1);
        }
        if (r < 0)
            return r;
    }
    if (sel->op != TOKEN_LIMIT_RATIO)
        return 0;
    sel->places = arena_array(&ev->arena, m->n, sizeof *sel->places);
    if (!sel->places)
        return -ENOMEM;
    struct buf b;
    buf_init(&b, 64u << 20);
    for (size_t i = 0; i < m->n; i++)
        sel->places[i] = (double)stable_hash(&b, &m->series[i].labels) / 18446744073709551615.0;
    int r = buf_error(&b);
    buf_done(&b);
    return r;
}

MUST_USE static int note_ignored(struct eval *ev, const struct promql_expr *e, const struct promql_expr *place)
{
    return eval_info(ev, place, "ignored histogram in %s aggregation", token_spelling(e->aggregate.op));
}

/* Select per step; the series keep their columns, with what was not selected taken out. */
MUST_USE static int select_series(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct matrix *m,
                                  const struct grouping *gr, const struct members *mb, const double *parameter,
                                  struct vector **ret)
{
    struct selection sel = {.op = e->aggregate.op, .parameter = parameter};
    int r = prepare_selection(ev, e, g, m, &sel);
    if (r < 0)
        return r;
    struct candidate *candidates = arena_array(&ev->arena, m->n, sizeof *candidates);
    size_t *order = arena_array(&ev->arena, m->n, sizeof *order), n_order = 0;
    if (!candidates || !order)
        return -ENOMEM;
    bool by_value = sel.op == TOKEN_TOPK || sel.op == TOKEN_BOTTOMK;
    for (size_t group = 0; group < gr->table.n; group++) {
        for (size_t s = 0; s < g->n; s++) {
            size_t n = 0, k = 0;
            double p = parameter[s];
            if ((r = eval_tick(ev)) < 0 || (sel.op != TOKEN_LIMIT_RATIO && (r = parameter_k(ev, e, p, &k)) < 0))
                return r;
            for (size_t i = mb->starts[group]; i < mb->starts[group + 1]; i++) {
                size_t series = mb->list[i];
                struct column *c = &m->columns[series];
                if (c->present[s] && by_value && column_histogram(c, s)) {
                    if (k > 0 && (r = note_ignored(ev, e, e)) < 0)
                        return r;
                } else if (c->present[s]) {
                    candidates[n++] = (struct candidate){c->values[s], series, &m->series[series].labels};
                }
                c->present[s] = false;
            }
            n = select_candidates(&sel, candidates, n, k, p < -1 ? -1 : p > 1 ? 1 : p);
            for (size_t i = 0; i < n; i++)
                m->columns[candidates[i].series].present[s] = true;
            for (size_t i = 0; g->n == 1 && i < n; i++)
                order[n_order++] = candidates[i].series;
        }
    }
    if (g->n > 1)
        return matrix_vector(ev, m, g, ret);
    struct matrix picked = {.n = n_order, .ordered = sel.op == TOKEN_TOPK || sel.op == TOKEN_BOTTOMK};
    picked.series = arena_array(&ev->arena, n_order, sizeof *picked.series);
    picked.columns = arena_array(&ev->arena, n_order, sizeof *picked.columns);
    if (!picked.series || !picked.columns)
        return -ENOMEM;
    for (size_t i = 0; i < n_order; i++) {
        picked.series[i] = m->series[order[i]];
        picked.columns[i] = m->columns[order[i]];
    }
    return matrix_vector(ev, &picked, g, ret);
}

/* ---- quantile ---- */

MUST_USE static int quantile_groups(struct eval *ev, const struct promql_expr *e, const struct grid *g,
                                    const struct matrix *m, struct grouping *gr, const struct members *mb,
                                    const double *q, struct vector **ret)
{
    struct column *columns = arena_array(&ev->arena, gr->table.n, sizeof *columns);
    double *values = arena_array(&ev->arena, m->n, sizeof *values);
    if (!columns || !values)
        return -ENOMEM;
    for (size_t s = 0; s < g->n; s++) {
        if (q[s] >= 0 && q[s] <= 1)
            continue;
        char text[NUMBER_TEXT_MAX];
        format_f64_g(text, q[s]);
        int r = eval_warn(ev, e->aggregate.parameter, "quantile value should be between 0 and 1, got %s", text);
        if (r < 0)
            return r;
    }
    for (size_t group = 0; group < gr->table.n; group++) {
        int r = column_new(ev, g->n, &columns[group]);
        if (r < 0)
            return r;
        for (size_t s = 0; s < g->n; s++) {
            size_t n = 0;
            if ((r = eval_tick(ev)) < 0)
                return r;
            for (size_t i = mb->starts[group]; i < mb->starts[group + 1]; i++) {
                const struct column *c = &m->columns[mb->list[i]];
                if (c->present[s] && column_histogram(c, s)) {
                    if ((r = note_ignored(ev, e, e->aggregate.expr)) < 0)
                        return r;
                } else if (c->present[s]) {
                    values[n++] = c->values[s];
                }
            }
            columns[group].present[s] = n > 0;
            if (n > 0)
                columns[group].values[s] = quantile_of(q[s], values, n);
        }
        for (size_t i = mb->starts[group]; i < mb->starts[group + 1]; i++)
            gr->drop_name[group] |= m->series[mb->list[i]].drop_name;
    }
    return grouping_vector(ev, gr, columns, g, ret);
}

/* ---- count_values ---- */

/* Go's FormatFloat(v, 'f', -1, 64): as format_f64, but never with an exponent. */
static size_t format_plain(char *text, size_t room, double v)
{
    char shortest[NUMBER_TEXT_MAX], digits[NUMBER_TEXT_MAX];
    format_f64(shortest, v);
    const char *mark = isfinite(v) ? strchr(shortest, 'e') : NULL;
    int64_t exponent;
    if (!mark || parse_i64_span(span_str(mark + (mark[1] == '+' ? 2 : 1)), -400, 400, &exponent) < 0)
        return (size_t)snprintf(text, room, "%s", shortest);
    size_t n = 0, len = 0;
    for (const char *c = shortest; c < mark; c++)
        if (*c >= '0' && *c <= '9')
            digits[n++] = *c;
    if (exponent < 0) /* the shortest digits are the correctly rounded ones at their length */
        return (size_t)snprintf(text, room, "%.*f", (int)((int64_t)n - 1 - exponent), v);
    if (v < 0)
        text[len++] = '-';
    for (size_t i = 0; i <= (size_t)exponent; i++) /* from 1e21 on: more places than digits */
        text[len++] = i < n ? digits[i] : '0';
    text[len] = '\0';
    return len;
}

/* The value at a step as a label's value. */
MUST_USE static int value_text(struct eval *ev, const struct column *c, size_t s, struct span *ret)
{
    bool ok = true;
    if (!column_histogram(c, s)) {
        char text[400];
        *ret = arena_span(&ev->arena, span_of(text, format_plain(text, sizeof text, c->values[s])), &ok);
        return ok ? 0 : -ENOMEM;
    }
    struct buf text;
    buf_init(&text, LABEL_VALUE_BYTES_MAX);
    int r = native_format(&ev->arena, c->histograms[s], &text);
    if (r == 0)
        *ret = arena_span(&ev->arena, buf_view(&text), &ok);
    buf_done(&text);
    return r == -ENOSPC ? eval_fail(ev, PROMQL_EXECUTION, NULL, "label value in count_values is too long")
           : ok         ? r
                        : -ENOMEM;
}

MUST_USE static int count_values(struct eval *ev, const struct promql_expr *e, const struct grid *g,
                                 struct vector *from, struct vector **ret)
{
    struct span label;
    struct matrix m;
    struct gathered counts;
    gathered_init(ev, &counts);
    int r = eval_string(ev, e->aggregate.parameter, &label);
    if (r < 0)
        return r;
    if (label.len == 0 || !span_is_utf8(label))
        return eval_fail(ev, PROMQL_EXECUTION, e->aggregate.parameter, "invalid label name \"" SPAN_FMT "\"",
                         SPAN_ARG(label));
    /* by (...) keeps the new label, too */
    size_t n_names = e->aggregate.n_labels;
    struct span *names = arena_array(&ev->arena, n_names + 1, sizeof *names);
    if (!names)
        return -ENOMEM;
    memcpy(names, e->aggregate.labels ? e->aggregate.labels : names, n_names * sizeof *names);
    if (!e->aggregate.without)
        names[n_names++] = label;
    if ((r = label_names_sorted(&ev->arena, names, n_names, &names, &n_names)) < 0 ||
        (r = materialise(ev, from, &m)) < 0)
        return r;
    for (size_t i = 0; i < m.n; i++) {
        const struct labels *ls = &m.series[i].labels;
        struct label *room = arena_array(&ev->arena, ls->n + 1, sizeof *room),
                     *room2 = arena_array(&ev->arena, ls->n + 1, sizeof *room2);
        if (!room || !room2)
            return -ENOMEM;
        if ((r = eval_tick(ev)) < 0)
            return r;
        for (size_t s = 0; s < g->n; s++) {
            if (!m.columns[i].present[s])
                continue;
            struct span value;
            if ((r = value_text(ev, &m.columns[i], s, &value)) < 0)
                return r;
            struct labels all = labels_with(ls, label, value, room);
            struct labels group = e->aggregate.without ? labels_without(&all, names, n_names, true, room2)
                                                       : labels_keep(&all, names, n_names, room2);
            struct column *c;
            if ((r = gathered_column(ev, &counts, &group, m.series[i].drop_name, g->n, &c)) < 0)
                return r;
            c->present[s] = true;
            c->values[s]++;
        }
    }
    return matrix_vector(ev, &counts.out, g, ret);
}

int eval_aggregate_whole(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct vector *from,
                         struct vector **ret)
{
    if (e->aggregate.op == TOKEN_COUNT_VALUES)
        return count_values(ev, e, g, from, ret);
    struct matrix m;
    struct grouping gr;
    struct members mb;
    double *parameter;
    int r = eval_scalar(ev, e->aggregate.parameter, g, &parameter);
    if (r < 0 || (r = materialise(ev, from, &m)) < 0 || (r = grouping_init(ev, e, m.series, m.n, &gr)) < 0 ||
        (r = members_of(ev, &gr, m.n, &mb)) < 0)
        return r;
    if (e->aggregate.op == TOKEN_QUANTILE)
        return quantile_groups(ev, e, g, &m, &gr, &mb, parameter, ret);
    return select_series(ev, e, g, &m, &gr, &mb, parameter, ret);
}
