/* aggregate.c - aggregations that take series one by one: each group keeps a few numbers per step. */
#include "collector/promql/aggregate.h"
#include "collector/promql/columns.h"

#include <errno.h>
#include <math.h>

int grouping_init(struct eval *ev, const struct promql_expr *e, const struct series *series, size_t n,
                  struct grouping *ret)
{
    *ret = (struct grouping){.without = e->aggregate.without};
    label_table_init(&ret->table, &ev->arena);
    int r = label_names_sorted(&ev->arena, e->aggregate.labels, e->aggregate.n_labels, &ret->names, &ret->n);
    if (r < 0)
        return r;
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = series[i].labels.n > most ? series[i].labels.n : most;
    struct label *room = arena_array(&ev->arena, most, sizeof *room);
    ret->of = arena_array(&ev->arena, n, sizeof *ret->of);
    ret->drop_name = arena_array(&ev->arena, n, sizeof *ret->drop_name);
    if (!room || !ret->of || !ret->drop_name)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct labels *ls = &series[i].labels;
        struct labels group = ret->without ? labels_without(ls, ret->names, ret->n, true, room)
                                           : labels_keep(ls, ret->names, ret->n, room);
        bool is_new;
        if ((r = label_table_intern(&ret->table, &group, &ret->of[i], &is_new)) < 0)
            return r;
    }
    return 0;
}

int grouping_vector(struct eval *ev, const struct grouping *gr, struct column *columns, const struct grid *g,
                    struct vector **ret)
{
    struct matrix m = {.columns = columns, .n = gr->table.n};
    m.series = arena_array(&ev->arena, m.n, sizeof *m.series);
    if (!m.series)
        return -ENOMEM;
    for (size_t i = 0; i < m.n; i++)
        m.series[i] = (struct series){gr->table.sets[i], gr->drop_name[i]};
    return matrix_vector(ev, &m, g, ret);
}

/* What one group knows at one step. */
struct cell {
    double n; /* values so far */
    union {
        struct running_mean mean;
        double extreme;
        struct {
            double mean, square; /* Welford: mean and sum of squared differences from it */
        } spread;
    };
};

static void add_spread(struct cell *c, double x)
{
    if (c->n == 1) {
        c->spread.mean = x;
        c->spread.square = isfinite(x) ? 0 : NAN;
        return;
    }
    double delta = x - c->spread.mean;
    c->spread.mean += delta / c->n;
    c->spread.square += delta * (x - c->spread.mean);
}

static void cell_add(enum token_type op, struct cell *c, double x)
{
    c->n++;
    switch (op) {
    case TOKEN_AVG:
        running_mean_add(&c->mean, x);
        break;
    case TOKEN_MAX:
        if (c->n == 1 || x > c->extreme || isnan(c->extreme))
            c->extreme = x;
        break;
    case TOKEN_MIN:
        if (c->n == 1 || x < c->extreme || isnan(c->extreme))
            c->extreme = x;
        break;
    case TOKEN_STDDEV:
    case TOKEN_STDVAR:
        add_spread(c, x);
        break;
    default: /* count, group: n is all */
        break;
    }
}

static double cell_value(enum token_type op, const struct cell *c)
{
    switch (op) {
    case TOKEN_AVG:
        return running_mean_value(&c->mean);
    case TOKEN_MAX:
    case TOKEN_MIN:
        return c->extreme;
    case TOKEN_COUNT:
        return c->n;
    case TOKEN_STDVAR:
        return c->spread.square / c->n;
    case TOKEN_STDDEV:
        return sqrt(c->spread.square / c->n);
    default:
        return 1; /* group */
    }
}

/* All groups' steps: of group i at step s the one at i * steps + s. Sums, which most queries spend their time with, stand in columns. */
struct cells {
    enum token_type op;
    size_t n;
    struct cell *list; /* NULL for sums */
    double *sum, *c;   /* kahan_add's two, for sums alone */
    bool *present;
};

MUST_USE static int cells_new(struct eval *ev, enum token_type op, size_t n, struct cells *ret)
{
    *ret = (struct cells){.op = op, .n = n};
    if (op != TOKEN_SUM)
        return (ret->list = arena_array(&ev->arena, n, sizeof *ret->list)) ? 0 : -ENOMEM;
    ret->sum = arena_array(&ev->arena, n, sizeof *ret->sum);
    ret->c = arena_array(&ev->arena, n, sizeof *ret->c);
    ret->present = arena_array(&ev->arena, n, sizeof *ret->present);
    return ret->sum && ret->c && ret->present ? 0 : -ENOMEM;
}

/* Add a series' column to its group, whose cells begin at `first`. */
static void cells_add(struct cells *cells, size_t first, const struct column *column, size_t steps)
{
    if (cells->list) {
        for (size_t s = 0; s < steps; s++)
            if (column->present[s])
                cell_add(cells->op, &cells->list[first + s], column->values[s]);
        return;
    }
    for (size_t s = 0, end; s < steps; s = end) { /* runs of what is present; mostly one */
        const bool *gap = memchr(column->present + s, column->present[s] ? false : true, steps - s);
        end = gap ? (size_t)(gap - column->present) : steps;
        if (!column->present[s])
            continue;
        columns_add_kahan(cells->sum + first + s, cells->c + first + s, column->values + s, end - s);
        memset(cells->present + first + s, true, end - s);
    }
}

static bool cells_value(const struct cells *cells, size_t i, double *ret)
{
    if (!cells->list) {
        *ret = kahan_value(&(struct kahan){cells->sum[i], cells->c[i]});
        return cells->present[i];
    }
    *ret = cells->list[i].n > 0 ? cell_value(cells->op, &cells->list[i]) : 0;
    return cells->list[i].n > 0;
}

/* The sums of native histograms, where there are any: one per cell. */
struct histogram_groups {
    const struct promql_expr *e;
    size_t steps;
    struct histogram_mean **means; /* NULL: no histogram yet; per cell, NULL: none there */
    struct arena *scratch;
};

/* What the aggregation makes of the column's histograms; only floats are left in it. */
MUST_USE static int take_histograms(struct eval *ev, struct histogram_groups *hg, struct column *c, size_t first,
                                    size_t n_cells, const struct labels *ls)
{
    enum token_type op = hg->e->aggregate.op;
    bool sums = op == TOKEN_SUM || op == TOKEN_AVG;
    if (op == TOKEN_COUNT || op == TOKEN_GROUP)
        return 0; /* any value counts */
    if (sums && !hg->means && !(hg->means = arena_array(&ev->arena, n_cells, sizeof *hg->means)))
        return -ENOMEM;
    for (size_t s = 0; s < hg->steps; s++) {
        const struct native_histogram *h = c->histograms[s];
        if (!c->present[s] || !h)
            continue;
        c->present[s] = false;
        int r;
        if (!sums) {
            r = eval_info(ev, hg->e->aggregate.expr, "ignored histogram in %s aggregation", token_spelling(op));
            if (r < 0)
                return r;
            continue;
        }
        struct histogram_mean **m = &hg->means[first + s];
        if (!*m && !(*m = arena_alloc(&ev->arena, sizeof **m)))
            return -ENOMEM;
        (*m)->averages = op == TOKEN_AVG;
        bool compatible = !(*m)->incompatible;
        if ((r = histogram_mean_add(*m, &ev->arena, hg->scratch, h)) < 0)
            return r;
        if (compatible && (*m)->incompatible && (r = warn_mixed_schemas(ev, hg->e->aggregate.expr, ls)) < 0)
            return r;
    }
    return 0;
}

/* Put the sum of a cell's histograms into the column; floats and histograms in one cell give nothing. */
MUST_USE static int close_histograms(struct eval *ev, const struct histogram_groups *hg, size_t cell, size_t step,
                                     struct column *c)
{
    struct histogram_mean *m = hg->means ? hg->means[cell] : NULL;
    const struct native_histogram *h;
    int r;
    if (!m)
        return 0;
    if (c->present[step]) {
        c->present[step] = false;
        return eval_warn(ev, hg->e->aggregate.expr, "encountered a mix of histograms and floats for aggregation");
    }
    if ((r = histogram_mean_notes(ev, m, hg->e->aggregate.expr)) < 0 || (r = histogram_mean_give(m, &h)) < 0)
        return r;
    if (!h)
        return 0;
    if (!c->histograms && (r = column_histograms(c, hg->steps)) < 0)
        return r;
    c->present[step] = true;
    c->histograms[step] = h;
    return 0;
}

MUST_USE static int close_groups(struct eval *ev, const struct grouping *gr, const struct cells *cells,
                                 const struct histogram_groups *hg, const struct grid *g, struct vector **ret)
{
    struct column *columns = arena_array(&ev->arena, gr->table.n, sizeof *columns);
    if (!columns)
        return -ENOMEM;
    for (size_t i = 0; i < gr->table.n; i++) {
        int r = column_new(ev, g->n, &columns[i]);
        if (r < 0)
            return r;
        for (size_t s = 0; s < g->n; s++) {
            columns[i].present[s] = cells_value(cells, i * g->n + s, &columns[i].values[s]);
            if ((r = close_histograms(ev, hg, i * g->n + s, s, &columns[i])) < 0)
                return r;
        }
    }
    return grouping_vector(ev, gr, columns, g, ret);
}

int eval_aggregate(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct vector **ret)
{
    enum token_type op = e->aggregate.op;
    struct vector *from;
    int r = eval_vector(ev, e->aggregate.expr, g, &from);
    if (r < 0)
        return r;
    if (token_takes_parameter(op))
        return eval_aggregate_whole(ev, e, g, from, ret);
    struct grouping gr;
    if ((r = grouping_init(ev, e, from->series, from->n, &gr)) < 0 ||
        (r = eval_hold(ev, (uint64_t)gr.table.n * g->n)) < 0)
        return r;
    size_t n_cells;
    struct column scratch;
    if (__builtin_mul_overflow(gr.table.n, g->n, &n_cells))
        return -ENOMEM;
    struct cells cells;
    if ((r = cells_new(ev, op, n_cells, &cells)) < 0 || (r = column_scratch(ev, g->n, &scratch)) < 0)
        return r;
    struct histogram_groups hg = {.e = e, .steps = g->n, .scratch = scratch.arena};
    for (size_t i = 0; i < from->n; i++) {
        column_again(&scratch);
        if ((r = from->fetch(ev, from, i, &scratch)) < 0)
            return r;
        if (r == 0)
            continue;
        size_t first = gr.of[i] * g->n;
        gr.drop_name[gr.of[i]] |= from->series[i].drop_name;
        if (scratch.histograms && (r = take_histograms(ev, &hg, &scratch, first, n_cells, &from->series[i].labels)) < 0)
            return r;
        cells_add(&cells, first, &scratch, g->n);
    }
    return close_groups(ev, &gr, &cells, &hg, g, ret);
}
