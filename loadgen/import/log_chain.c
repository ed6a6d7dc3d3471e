#include "loadgen/import/log_chain.h"

#include <errno.h>
#include <math.h>

#define HOUR_US 3600000000
#define SESSION_REQUESTS_MAX 10000u /* of a simulated session: as SESSION_STEPS_MAX under load */

/* ---- the chain ---- */

struct ranked {
    size_t route;
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->route > y->route) - (x->route < y->route);
}

/* Who goes through `out` goes on at once. */
static void bridge(double (*m)[LOG_TABLE], size_t n, size_t out)
{
    double away = 0;
    for (size_t j = 0; j < n; j++)
        away += j == out ? 0 : m[out][j];
    for (size_t i = 0; i < n; i++) {
        if (i == out || m[i][out] == 0)
            continue;
        for (size_t j = 0; j < n && away > 0; j++)
            if (j != out)
                m[i][j] += m[i][out] * m[out][j] / away;
        m[i][out] = 0;
    }
    for (size_t j = 0; j < n; j++)
        m[out][j] = 0;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Pauses of the routes that are this one, as quantiles in the middle of equal shares. */
MUST_USE static int fill_step(struct log_chain *c, size_t step, const struct log_group *g,
                              const struct log_routes *routes, const size_t *order)
{
    struct log_times all = {0};
    int r = 0;
    for (size_t i = 0; i < log_routes_count(routes); i++)
        for (size_t k = 0; r == 0 && order[i] == c->route[step] && k < g->think[i].n && k < LOG_THINKS_KEPT; k++)
            r = log_times_add(&all, g->think[i].us[k]);
    if (all.n)
        qsort(all.at, all.n, sizeof *all.at, by_time);
    c->n_thinks[step] = all.n < LOG_CHAIN_THINKS ? all.n : LOG_CHAIN_THINKS;
    for (size_t k = 0; k < c->n_thinks[step]; k++)
        c->think_ms[step][k] = (all.at[(2 * k + 1) * all.n / (2 * c->n_thinks[step])] + 500) / 1000;
    free(all.at);
    const struct log_route *route = log_routes_at(routes, c->route[step]);
    c->duration_us[step] = route->timed ? (double)route->duration_us / (double)route->timed : 0;
    return r;
}

/* The rows of the chain, each adding up to 1. */
static void fill_probabilities(struct log_chain *c, double (*m)[LOG_TABLE])
{
    for (size_t i = 0; i <= c->n; i++) {
        size_t from = i ? c->route[i - 1] + 1 : 0;
        double sum = 0;
        for (size_t j = i ? 0 : 1; j <= c->n; j++) /* nobody comes and goes without a request */
            sum += m[from][j ? c->route[j - 1] + 1 : 0];
        for (size_t j = i ? 0 : 1; j <= c->n && sum > 0; j++)
            c->p[i][j] = m[from][j ? c->route[j - 1] + 1 : 0] / sum;
        if (sum <= 0)
            c->p[i][i ? 0 : c->n > 0] = 1;
    }
}

int log_chain_new(const struct log_group *g, const struct log_routes *routes, const size_t *order,
                  struct log_chain **ret)
{
    size_t n = log_routes_count(routes);
    struct log_chain *c = calloc(1, sizeof *c);
    double(*m)[LOG_TABLE] = calloc(LOG_TABLE, sizeof *m);
    struct ranked *ranks = calloc(n + 1, sizeof *ranks);
    if (!c || !m || !ranks) {
        free(c);
        free(m);
        free(ranks);
        return -ENOMEM;
    }
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= n; j++) {
            size_t from = i ? order[i - 1] + 1 : 0, to = j ? order[j - 1] + 1 : 0;
            m[from][to] += g->next[i][j];
            if (j)
                ranks[to - 1].count += g->next[i][j];
        }
    for (size_t i = 0; i < n; i++)
        ranks[i].route = i;
    qsort(ranks, n, sizeof *ranks, by_count);
    for (size_t i = 0; i < n && ranks[i].count; i++) {
        if (c->n < LOG_STEPS_MAX) {
            c->count[c->n] = ranks[i].count;
            c->route[c->n++] = ranks[i].route;
        } else {
            c->left_out += ranks[i].count;
            c->routes_left_out++;
            bridge(m, n + 1, ranks[i].route + 1);
        }
    }
    fill_probabilities(c, m);
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->n; i++)
        r = fill_step(c, i, g, routes, order);
    free(m);
    free(ranks);
    if (r < 0)
        log_chain_free(c);
    else
        *ret = c;
    return r;
}

void log_chain_free(struct log_chain *c)
{
    free(c);
}

/* ---- the chain at work ---- */

static size_t next_step(const struct log_chain *c, size_t at, struct rng *rng)
{
    double u = rng_unit(rng);
    for (size_t j = 0; j <= c->n; j++) {
        if (u < c->p[at][j])
            return j;
        u -= c->p[at][j];
    }
    return 0;
}

MUST_USE static int simulate(const struct log_chain *c, const struct log_times *starts, struct rng *rng,
                             struct log_times *requests, struct log_fidelity *f)
{
    int r = 0;
    for (size_t s = 0; r == 0 && s < starts->n; s++) {
        size_t step = next_step(c, 0, rng), length = 0;
        double at = (double)starts->at[s];
        while (r == 0 && step && length < SESSION_REQUESTS_MAX) {
            if (length && c->n_thinks[step - 1]) {
                int64_t think_ms = c->think_ms[step - 1][rng_next(rng) % c->n_thinks[step - 1]];
                hdr_record(f->thinks.planned, think_ms * 1000);
                at += (double)think_ms * 1000;
            }
            r = log_times_add(requests, (int64_t)at);
            f->planned_share[step - 1]++;
            f->planned_requests++;
            length++;
            at += c->duration_us[step - 1];
            step = next_step(c, step, rng);
        }
        hdr_record(f->lengths.planned, (int64_t)length);
    }
    return r;
}

/* ---- the comparison ---- */

static void sort_times(struct log_times *t)
{
    if (t->n)
        qsort(t->at, t->n, sizeof *t->at, by_time);
}

static void record_gaps(const struct log_times *t, struct hdr *h)
{
    for (size_t i = 1; i < t->n; i++)
        hdr_record(h, t->at[i] - t->at[i - 1]);
}

static double distance(const struct hdr *a, const struct hdr *b)
{
    double n = (double)hdr_count(a), m = (double)hdr_count(b), largest = 0;
    const struct hdr *both[] = {a, b};
    if (n == 0 || m == 0)
        return n == m ? 0 : 1;
    for (size_t k = 0; k < 2; k++) {
        size_t at = 0;
        int64_t value;
        uint64_t count;
        while (hdr_next(both[k], &at, &value, &count)) {
            double d = fabs((double)hdr_count_at_or_below(a, value) / n - (double)hdr_count_at_or_below(b, value) / m);
            largest = d > largest ? d : largest;
        }
    }
    return largest;
}

/* The requests of the chain's routes, by their time; shares are counted on the way. */
MUST_USE static int actual_requests(const struct log_chain *c, const struct log_group *g, const size_t *order,
                                    struct log_times *ret, struct log_fidelity *f)
{
    size_t step_of[LOG_ROUTES_MAX + 1];
    int r = 0;
    for (size_t i = 0; i <= LOG_ROUTES_MAX; i++)
        step_of[i] = SIZE_MAX;
    for (size_t i = 0; i < c->n; i++)
        step_of[c->route[i]] = i;
    for (size_t i = 0; r == 0 && i < g->requests.n; i++) {
        size_t step = step_of[order[log_request_route(g->requests.at[i])]];
        if (step == SIZE_MAX)
            continue;
        r = log_times_add(ret, log_request_time(g->requests.at[i]));
        f->actual_share[step]++;
        f->actual_requests++;
    }
    return r;
}

MUST_USE static int make_pair(struct log_pair *p, int64_t highest)
{
    int r = hdr_new(highest, 3, &p->actual);
    return r < 0 ? r : hdr_new(highest, 3, &p->planned);
}

int log_chain_compare(const struct log_chain *c, struct log_group *g, const size_t *order, struct rng *rng,
                      struct log_fidelity *ret)
{
    struct log_fidelity f = {.sessions = g->sessions};
    struct log_times actual = {0}, planned = {0};
    int r = make_pair(&f.gaps, HOUR_US);
    if (r == 0)
        r = make_pair(&f.starts, HOUR_US);
    if (r == 0)
        r = make_pair(&f.thinks, HOUR_US);
    if (r == 0)
        r = make_pair(&f.lengths, 1000000);
    if (r == 0)
        r = hdr_merge(f.thinks.actual, g->thinks);
    if (r == 0)
        r = hdr_merge(f.lengths.actual, g->lengths);
    sort_times(&g->starts);
    sort_times(&g->requests);
    if (r == 0)
        r = actual_requests(c, g, order, &actual, &f);
    if (r == 0)
        r = simulate(c, &g->starts, rng, &planned, &f);
    if (r == 0) {
        sort_times(&planned);
        record_gaps(&actual, f.gaps.actual);
        record_gaps(&planned, f.gaps.planned);
        record_gaps(&g->starts, f.starts.actual);
        record_gaps(&g->starts, f.starts.planned); /* the trace has them as they were */
        struct log_pair *pairs[] = {&f.gaps, &f.starts, &f.thinks, &f.lengths};
        for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
            pairs[i]->ks = distance(pairs[i]->actual, pairs[i]->planned);
        for (size_t i = 0; i < c->n; i++) {
            f.actual_share[i] /= f.actual_requests ? (double)f.actual_requests : 1;
            f.planned_share[i] /= f.planned_requests ? (double)f.planned_requests : 1;
            double d = fabs(f.actual_share[i] - f.planned_share[i]);
            f.share_error = d > f.share_error ? d : f.share_error;
        }
    }
    free(actual.at);
    free(planned.at);
    if (r < 0)
        log_fidelity_done(&f);
    else
        *ret = f;
    return r;
}

void log_fidelity_done(struct log_fidelity *f)
{
    struct log_pair *pairs[] = {&f->gaps, &f->starts, &f->thinks, &f->lengths};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        hdr_free(pairs[i]->actual);
        hdr_free(pairs[i]->planned);
        *pairs[i] = (struct log_pair){0};
    }
}
