#include "collector/promql/shared_times.h"

#include "collector/promql/calls.h"
#include "collector/promql/columns.h"

struct shared_times *shared_times_new(struct arena *a)
{
    struct shared_times *sh = arena_alloc(a, sizeof *sh);
    if (sh)
        *sh = (struct shared_times){.arena = a, .number = 1};
    return sh;
}

/* Note the times. Old arrays stay in the arena: doubling keeps the waste below what is used. */
static void keep(struct shared_times *sh, const struct raw *raw)
{
    sh->number++;
    sh->n = 0;
    if (raw->n > sh->cap) {
        size_t cap = 2 * sh->cap > raw->n ? 2 * sh->cap : raw->n;
        int64_t *t_ms = arena_array(sh->arena, cap, sizeof *t_ms);
        if (!t_ms)
            return;
        sh->t_ms = t_ms;
        sh->cap = cap;
    }
    memcpy(sh->t_ms, raw->t_ms, raw->n * sizeof *raw->t_ms);
    sh->n = raw->n;
}

bool shared_times_are(struct shared_times *sh, const struct raw *raw, size_t steps, const size_t *lo, const size_t *hi)
{
    if (!sh)
        return false;
    if (raw->n == 0) { /* its windows, all empty, take the place of those in lo and hi */
        sh->n = 0;
        return false;
    }
    if (sh->n == raw->n && sh->steps == steps && sh->lo == lo && sh->hi == hi &&
        memcmp(sh->t_ms, raw->t_ms, raw->n * sizeof *raw->t_ms) == 0)
        return true;
    keep(sh, raw);
    sh->steps = steps;
    sh->lo = lo;
    sh->hi = hi;
    return false;
}

/* ---- rate, increase, delta: see extrapolation_factor (call_rate.c), whose operations these are, in the same order ---- */
struct edge {
    uint32_t first, last;             /* samples of the window */
    double sampled, to_start, to_end; /* ms */
    double scale; /* what growth is multiplied with, unless the counter's zero is nearer than to_start */
};
#define NO_WINDOW UINT32_MAX /* as `first`: fewer than two samples */

static double scale_of(const struct edge *e, double to_start, double range_s, bool is_rate)
{
    double factor = (e->sampled + to_start + e->to_end) / e->sampled;
    return is_rate ? factor / range_s : factor;
}

static void edge_of(const struct range_source *src, const struct shared_times *sh, size_t s, bool is_rate,
                    struct edge *e)
{
    size_t lo = sh->lo[s], hi = sh->hi[s];
    *e = (struct edge){.first = NO_WINDOW};
    if (hi - lo < 2)
        return;
    int64_t end = src->ends_ms[s], first_ms = sh->t_ms[lo], last_ms = sh->t_ms[hi - 1];
    e->first = (uint32_t)lo;
    e->last = (uint32_t)hi - 1;
    e->sampled = (double)(last_ms - first_ms);
    double average = e->sampled / (double)(hi - lo - 1), threshold = average * 1.1;
    e->to_start = (double)(first_ms - (end - src->range_ms));
    e->to_end = (double)(end - last_ms);
    if (e->to_start >= threshold)
        e->to_start = average / 2;
    if (e->to_end >= threshold)
        e->to_end = average / 2;
    e->scale = scale_of(e, e->to_start, (double)src->range_ms / 1000.0, is_rate);
}

static bool have_edges(struct shared_times *sh, const struct range_source *src, bool is_rate)
{
    if (sh->n == 0 || sh->n >= NO_WINDOW)
        return false;
    if (!sh->edges && !(sh->edges = arena_array(sh->arena, sh->steps, sizeof *sh->edges)))
        return false;
    if (sh->edges_of != sh->number)
        for (size_t s = 0; s < sh->steps; s++)
            edge_of(src, sh, s, is_rate, &sh->edges[s]);
    sh->edges_of = sh->number;
    return true;
}

/* Resets are rare: their sum is asked for windows of series that have some. *reset is the window's first one. */
static double grown_by_resets(const double *v, const struct edge *e, double growth, size_t *reset)
{
    if (*reset <= e->first)
        *reset = (size_t)e->first + 1;
    while (*reset <= e->last && !(v[*reset] < v[*reset - 1]))
        ++*reset;
    for (size_t i = *reset; i <= e->last; i++)
        if (v[i] < v[i - 1])
            growth += v[i - 1];
    return growth;
}

bool rates_of_shared_times(struct range_call *c)
{
    struct shared_times *sh = c->source->shared;
    const struct range_detail *d = c->call->call.function->detail;
    const struct raw *raw = c->raw;
    size_t from = (size_t)(c->ends_ms - c->source->ends_ms), reset = 0;
    if (!sh || raw->start_ms || !sh->lo || sh->lo + from != c->lo || !have_edges(sh, c->source, d->is_rate))
        return false;
    const struct edge *edges = sh->edges + from;
    const double *v = raw->values, range_s = (double)c->source->range_ms / 1000.0;
    double *values = c->values;
    bool *present = c->present, is_counter = d->is_counter, resets = is_counter && column_falls(v, raw->n);
    for (size_t s = 0, n = c->grid.n; s < n; s++) {
        const struct edge *e = &edges[s];
        if (e->first == NO_WINDOW)
            continue;
        double first = v[e->first], growth = v[e->last] - first, scale = e->scale;
        if (resets)
            growth = grown_by_resets(v, e, growth, &reset);
        if (is_counter && e->sampled * first < e->to_start * growth && growth > 0 && first >= 0)
            scale = scale_of(e, e->sampled * (first / growth), range_s, d->is_rate);
        values[s] = growth * scale;
        present[s] = true;
    }
    return true;
}
