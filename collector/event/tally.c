#include "collector/event/tally.h"

#include <errno.h>
#include <inttypes.h>

#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

#define PIECE_MS (30 * 60000ll)          /* read at once */
#define BEFORE_MS ((int64_t)LOOKBACK_MS) /* what the counters began with */

struct series {
    uint64_t hash;
    size_t group;
    double value;
    int64_t t_ms;
    bool seen; /* value and t_ms are set */
};
struct tally {
    struct tally_config config;
    char *selector;
    int64_t until_ms;
    size_t n_cells;
    struct series *series;
    size_t n_series, cap_series;
    struct tally_group *groups;
    size_t n_groups, cap_groups;
    unsigned resets, unknown_births;
    struct promql_result *targets; /* up at the start */
};

int tally_new(const struct tally_config *config, struct tally **ret)
{
    struct tally *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->config = *config;
    t->selector = strdup(config->selector);
    t->until_ms = config->start_ms - BEFORE_MS;
    if (config->cell_ms > 0)
        t->n_cells = (size_t)((config->end_ms - config->start_ms + config->cell_ms - 1) / config->cell_ms);
    if (!t->selector) {
        tally_free(t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

static void group_done(struct tally *t, struct tally_group *g)
{
    for (size_t i = 0; g->values && i < t->config.n_by; i++)
        free(g->values[i]);
    free(g->values);
    free(g->cells);
}

void tally_free(struct tally *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_groups; i++)
        group_done(t, &t->groups[i]);
    free(t->groups);
    free(t->series);
    free(t->selector);
    promql_result_free(t->targets);
    free(t);
}

size_t tally_n(const struct tally *t)
{
    return t->n_groups;
}

const struct tally_group *tally_group(const struct tally *t, size_t i)
{
    return &t->groups[i];
}

size_t tally_cells(const struct tally *t)
{
    return t->n_cells;
}

unsigned tally_resets(const struct tally *t)
{
    return t->resets;
}

unsigned tally_unknown_births(const struct tally *t)
{
    return t->unknown_births;
}

unsigned tally_series(const struct tally *t)
{
    return (unsigned)t->n_series;
}

static int by_values(const void *a, const void *b, void *arg)
{
    const struct tally *t = arg;
    const struct tally_group *x = a, *y = b;
    for (size_t i = 0; i < t->config.n_by; i++) {
        int c = strcmp(x->values[i], y->values[i]);
        if (c)
            return c;
    }
    return 0;
}

void tally_sort(struct tally *t)
{
    AUTO_FREE struct tally_group *sorted = calloc(t->n_groups + 1, sizeof *sorted);
    AUTO_FREE size_t *to = calloc(t->n_groups + 1, sizeof *to);
    if (!sorted || !to || t->n_groups == 0)
        return;
    memcpy(sorted, t->groups, t->n_groups * sizeof *sorted);
    qsort_r(sorted, t->n_groups, sizeof *sorted, by_values, t);
    for (size_t i = 0; i < t->n_groups; i++)
        for (size_t k = 0; k < t->n_groups; k++)
            if (t->groups[i].values == sorted[k].values)
                to[i] = k;
    for (size_t i = 0; i < t->n_series; i++)
        t->series[i].group = to[t->series[i].group];
    memcpy(t->groups, sorted, t->n_groups * sizeof *sorted);
}

/* ---- groups and series ---- */

MUST_USE static int find_group(struct tally *t, const struct labels *labels, size_t *ret)
{
    for (size_t i = 0; i < t->n_groups; i++) {
        size_t k = 0;
        while (k < t->config.n_by &&
               span_equal(labels_get(labels, span_str(t->config.by[k])), span_str(t->groups[i].values[k])))
            k++;
        if (k == t->config.n_by) {
            *ret = i;
            return 0;
        }
    }
    if (t->n_groups == t->cap_groups) {
        size_t cap = t->cap_groups ? 2 * t->cap_groups : 16;
        struct tally_group *more = cap <= TALLY_GROUPS_MAX ? realloc(t->groups, cap * sizeof *more) : NULL;
        if (!more)
            return cap <= TALLY_GROUPS_MAX ? -ENOMEM : -E2BIG;
        t->groups = more;
        t->cap_groups = cap;
    }
    struct tally_group g = {.values = calloc(t->config.n_by + 1, sizeof *g.values),
                            .cells = t->n_cells ? calloc(t->n_cells, sizeof *g.cells) : NULL};
    bool ok = g.values && (g.cells || !t->n_cells);
    for (size_t k = 0; ok && k < t->config.n_by; k++) {
        g.values[k] = span_dup(labels_get(labels, span_str(t->config.by[k])));
        ok = g.values[k];
    }
    if (!ok) {
        group_done(t, &g);
        return -ENOMEM;
    }
    *ret = t->n_groups;
    t->groups[t->n_groups++] = g;
    return 0;
}

static uint64_t hash_of(const struct labels *labels)
{
    uint64_t h = 0;
    for (size_t i = 0; i < labels->n; i++) {
        h = hash_bytes(labels->pairs[i].name.ptr, labels->pairs[i].name.len, h);
        h = hash_bytes(labels->pairs[i].value.ptr, labels->pairs[i].value.len, h);
    }
    return h;
}

/* Answers come in the same order each time, so the hint is right but for the first. */
MUST_USE static int find_series(struct tally *t, const struct labels *labels, size_t *hint, struct series **ret)
{
    uint64_t hash = hash_of(labels);
    for (size_t i = 0; i < t->n_series; i++) {
        size_t at = (*hint + i) % t->n_series;
        if (t->series[at].hash == hash) {
            *hint = at + 1;
            *ret = &t->series[at];
            return 0;
        }
    }
    if (t->n_series == t->cap_series) {
        size_t cap = t->cap_series ? 2 * t->cap_series : 64;
        struct series *more = cap <= TALLY_SERIES_MAX ? realloc(t->series, cap * sizeof *more) : NULL;
        if (!more)
            return cap <= TALLY_SERIES_MAX ? -ENOMEM : -E2BIG;
        t->series = more;
        t->cap_series = cap;
    }
    struct series s = {.hash = hash};
    int r = find_group(t, labels, &s.group);
    if (r < 0)
        return r;
    t->series[t->n_series] = s;
    *ret = &t->series[t->n_series++];
    return 0;
}

/* ---- births ---- */

static bool same_target(const struct labels *a, const struct labels *b)
{
    return span_equal(labels_get(a, SPAN("job")), labels_get(b, SPAN("job"))) &&
           span_equal(labels_get(a, SPAN("instance")), labels_get(b, SPAN("instance")));
}

static const double *value_for(const struct promql_result *r, const struct labels *labels)
{
    for (size_t i = 0; r && i < r->n_series; i++)
        if (r->series[i].present[0] && same_target(&r->series[i].labels, labels))
            return &r->series[i].values[0];
    return NULL;
}

MUST_USE static int ask_at(struct tally *t, const char *text, int64_t at_ms, struct promql_result **ret,
                           struct promql_error *ret_error)
{
    struct query_request q = {.text = span_str(text), .start_ms = at_ms, .end_ms = at_ms};
    return query_run(t->config.query, &q, ret, ret_error);
}

/* Does a series that begins at t_ms begin at 0? */
MUST_USE static int begins_at_zero(struct tally *t, const struct labels *labels, int64_t t_ms, bool *ret,
                                   struct promql_error *ret_error)
{
    struct promql_result *started = NULL;
    if (!t->targets) {
        int r = ask_at(t, "up == 1", t->config.start_ms, &t->targets, ret_error);
        if (r < 0)
            return r;
    }
    *ret = value_for(t->targets, labels) != NULL;
    if (*ret)
        return 0;
    int r = ask_at(t, "process_start_time_seconds", t_ms, &started, ret_error);
    if (r < 0)
        return r;
    const double *s = value_for(started, labels);
    *ret = s && *s * 1000 >= (double)t->config.start_ms;
    promql_result_free(started);
    return 0;
}

/* ---- counting ---- */

static void add(struct tally *t, size_t group, int64_t from_ms, int64_t to_ms, double rise)
{
    struct tally_group *g = &t->groups[group];
    g->total += rise;
    if (!t->n_cells || rise == 0)
        return;
    int64_t cell_ms = t->config.cell_ms, from = from_ms - t->config.start_ms, to = to_ms - t->config.start_ms;
    if (from < 0)
        from = 0;
    if (to - from <= TALLY_SPREAD_MS)
        from = to - 1;
    for (int64_t c = from / cell_ms; c < (int64_t)t->n_cells && c * cell_ms < to; c++) {
        int64_t begin = c * cell_ms > from ? c * cell_ms : from, end = (c + 1) * cell_ms < to ? (c + 1) * cell_ms : to;
        g->cells[c] += rise * (double)(end - begin) / (double)(to - from);
    }
}

MUST_USE static int fold(struct tally *t, const struct promql_matrix_series *m, size_t *hint,
                         struct promql_error *ret_error)
{
    struct series *s = NULL;
    if (m->n == 0)
        return 0;
    int r = find_series(t, &m->labels, hint, &s);
    for (size_t i = 0; r == 0 && i < m->n; i++) {
        int64_t at_ms = m->t_ms[i];
        double v = m->values[i];
        if ((m->histograms && m->histograms[i]) || v != v || (s->seen && at_ms <= s->t_ms))
            continue;
        if (at_ms > t->config.start_ms) {
            double before = s->value;
            int64_t from_ms = s->t_ms;
            if (!s->seen) {
                bool zero = false;
                r = begins_at_zero(t, &m->labels, at_ms, &zero, ret_error);
                if (r < 0)
                    return r;
                before = zero ? 0 : v;
                from_ms = at_ms;
                t->unknown_births += !zero;
            }
            t->resets += v < before;
            add(t, s->group, from_ms, at_ms, counter_delta(before, v));
        }
        s->value = v;
        s->t_ms = at_ms;
        s->seen = true;
    }
    return r;
}

int tally_advance(struct tally *t, int64_t to_ms, int64_t budget_us, struct promql_error *ret_error)
{
    int64_t until_us = mono_us() + budget_us;
    if (to_ms > t->config.end_ms)
        to_ms = t->config.end_ms;
    while (t->until_ms < to_ms) {
        AUTO_FREE char *text = NULL;
        struct promql_result *result = NULL;
        int64_t piece_ms = to_ms - t->until_ms < PIECE_MS ? to_ms - t->until_ms : PIECE_MS;
        int64_t at_ms = t->until_ms + piece_ms, back_ms = piece_ms;
        if (t->until_ms > t->config.start_ms && piece_ms < PIECE_MS)
            back_ms += TALLY_SPREAD_MS; /* what was on its way when we looked last */
        if (asprintf(&text, "%s[%" PRId64 "ms]", t->selector, back_ms) < 0) {
            text = NULL;
            return -ENOMEM;
        }
        int r = ask_at(t, text, at_ms, &result, ret_error);
        size_t hint = 0;
        for (size_t i = 0; r == 0 && i < result->n_matrix; i++)
            r = fold(t, &result->matrix[i], &hint, ret_error);
        promql_result_free(result);
        if (r < 0)
            return r;
        t->until_ms = at_ms;
        if (budget_us && mono_us() >= until_us && t->until_ms < to_ms)
            return 1;
    }
    return 0;
}
