#include "loadgen/bottleneck/server_limit.h"

#include <math.h>
#include <stdlib.h>

#define AT_ONCE_MS 2000     /* nearer to each other than this: rates over windows cannot tell which was first, */
#define AT_ONCE_SAMPLES 2   /* nor can so many samples */
#define BASE_SHARE 4u       /* of a run: the first quarter */
#define BASE_BEFORE_BREAK 2 /* of what was before the step gave way: the first half */

/* ---- points ---- */

/* A series' samples as the load grew, each with its span's load. Both from malloc. */
struct placed {
    struct bend_point *points;
    const struct signal_point **samples;
    size_t *spans;
    size_t n, n_base;
};

static void placed_done(struct placed *p)
{
    free(p->points);
    free(p->samples);
    free(p->spans);
}

/* The first sample at or after a time. */
static size_t first_at(const struct signal_series *s, int64_t t_ms)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->points[middle].t_ms < t_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* false: no memory. */
static bool place(const struct signal_series *s, const struct load_span *spans, size_t n, struct placed *p)
{
    *p = (struct placed){.points = calloc(s->n + 1, sizeof *p->points),
                         .samples = calloc(s->n + 1, sizeof *p->samples),
                         .spans = calloc(s->n + 1, sizeof *p->spans)};
    if (!p->points || !p->samples || !p->spans)
        return false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = first_at(s, spans[i].start_ms); k < s->n && s->points[k].t_ms < spans[i].end_ms && p->n < s->n;
             k++) {
            p->points[p->n] = (struct bend_point){spans[i].load, s->points[k].value};
            p->samples[p->n] = &s->points[k];
            p->spans[p->n++] = i;
            p->n_base += spans[i].is_base;
        }
    return true;
}

/* Between samples, usually. */
static int64_t interval_of(const struct signal_series *s)
{
    return s->n < 2 ? 0 : (s->points[s->n - 1].t_ms - s->points[0].t_ms) / (int64_t)(s->n - 1);
}

static enum bend_state look(const struct signal_series *s, const struct limit_question *q, struct server_bend *ret)
{
    struct placed p;
    struct bend bend;
    enum bend_state state = BEND_TOO_LITTLE;
    if (place(s, q->spans, q->n, &p))
        state = bend_find(p.points, p.n, p.n_base, &s->signal->rule, &bend);
    if (state == BEND_FOUND) {
        const struct load_span *span = &q->spans[p.spans[bend.at]];
        int64_t t_ms = p.samples[bend.at]->t_ms;
        *ret = (struct server_bend){.signal = s->signal,
                                    .symptom = s->symptom,
                                    .span = p.spans[bend.at],
                                    .t_ms = t_ms,
                                    .interval_ms = interval_of(s),
                                    .second = (double)(t_ms - span->told_from_ms) / 1000,
                                    .rate = span->rate,
                                    .bend = bend};
        snprintf(ret->service, sizeof ret->service, "%s", s->service);
        snprintf(ret->where, sizeof ret->where, "%s", s->where);
    }
    placed_done(&p);
    return state;
}

/* ---- the order ---- */

static int by_time(const void *a, const void *b)
{
    const struct server_bend *x = a, *y = b;
    if (x->span != y->span)
        return x->span < y->span ? -1 : 1;
    return (x->t_ms > y->t_ms) - (x->t_ms < y->t_ms);
}

/* Causes before what they cause, then as the table has them. */
static int by_rank(const void *a, const void *b)
{
    const struct server_bend *x = a, *y = b;
    if (x->symptom != y->symptom)
        return x->symptom - y->symptom;
    if (x->signal != y->signal)
        return x->signal < y->signal ? -1 : 1;
    return by_time(a, b);
}

/* b bent behind first, as the load grew. Probes by their rate are not in the order of time. */
static bool is_at_once(const struct server_bend *first, const struct server_bend *b)
{
    int64_t interval_ms = first->interval_ms > b->interval_ms ? first->interval_ms : b->interval_ms;
    int64_t near_ms = AT_ONCE_SAMPLES * interval_ms > AT_ONCE_MS ? AT_ONCE_SAMPLES * interval_ms : AT_ONCE_MS;
    return b->t_ms >= first->t_ms && b->t_ms - first->t_ms <= near_ms;
}

static void sort(struct server_limit *l)
{
    qsort(l->bends, l->n, sizeof *l->bends, by_time);
    for (l->at_once = 1; l->at_once < l->n; l->at_once++)
        if (!is_at_once(&l->bends[0], &l->bends[l->at_once]))
            break;
    qsort(l->bends, l->at_once, sizeof *l->bends, by_rank);
}

/* Room for one more, which may be that of the latest. */
static struct server_bend *room(struct server_limit *l, const struct server_bend *new)
{
    if (l->n < SERVER_BENDS_MAX)
        return &l->bends[l->n++];
    size_t latest = 0;
    for (size_t i = 1; i < l->n; i++)
        if (by_time(&l->bends[i], &l->bends[latest]) > 0)
            latest = i;
    l->more++;
    return by_time(new, &l->bends[latest]) < 0 ? &l->bends[latest] : NULL;
}

void server_limit_judge(const struct signal_set *signals, const struct limit_question *q, struct server_limit *l)
{
    l->in_probes = q->in_probes;
    l->left_out = signals->left_out;
    for (size_t i = 0; i < signals->n; i++) {
        struct server_bend bend;
        enum bend_state state = look(&signals->list[i], q, &bend);
        l->series += signals->list[i].n > 0;
        l->judged += state != BEND_TOO_LITTLE;
        struct server_bend *to = state == BEND_FOUND ? room(l, &bend) : NULL;
        if (to)
            *to = bend;
    }
    l->state = l->n        ? SERVER_LIMIT_FOUND
               : l->judged ? SERVER_LIMIT_NONE
               : l->series ? SERVER_LIMIT_TOO_LITTLE
                           : SERVER_LIMIT_NO_SIGNALS;
    if (l->n)
        sort(l);
}

void server_limit_find(const struct limit_question *q, struct server_limit *l)
{
    struct signal_set signals;
    int64_t start_ms = q->spans[0].start_ms, end_ms = q->spans[0].end_ms;
    for (size_t i = 1; i < q->n; i++) {
        start_ms = q->spans[i].start_ms < start_ms ? q->spans[i].start_ms : start_ms;
        end_ms = q->spans[i].end_ms > end_ms ? q->spans[i].end_ms : end_ms;
    }
    *l = (struct server_limit){.in_probes = q->in_probes};
    snprintf(l->collector, sizeof l->collector, "%s", q->collector);
    if (signals_fetch(q->collector, q->auth_file, start_ms, end_ms, &signals, l->why, sizeof l->why) < 0) {
        l->state = SERVER_LIMIT_UNREACHABLE;
        return;
    }
    server_limit_judge(&signals, q, l);
    signals_done(&signals);
}

/* ---- a run's spans ---- */

static bool is_warmup(const struct run_config *c, double second)
{
    for (size_t i = 0; i < c->n_phases; i++)
        if (c->phases[i].warmup && second >= c->phases[i].start_s && second < c->phases[i].end_s)
            return true;
    return false;
}

/* A second's count is chance, in part: the mean with its neighbours. */
static void smooth(struct load_span *spans, size_t n)
{
    double before = spans[0].rate;
    for (size_t i = 0; i < n; i++) {
        double here = spans[i].rate, after = i + 1 < n ? spans[i + 1].rate : here;
        spans[i].rate = spans[i].load = (before + here + after) / 3;
        before = here;
    }
}

struct load_span *load_spans_of_run(const struct run_config *c, const struct run_result *r, double gave_way_s,
                                    size_t *ret_n)
{
    size_t points = r->series ? series_count(r->series) : 0, n = 0;
    struct load_span *spans = calloc(points + 1, sizeof *spans);
    double first_s = NAN, last_s = 0;
    for (size_t i = 0; spans && i < points; i++) {
        const struct series_point *p = series_at(r->series, i);
        if (is_warmup(c, p->second) || !(p->seconds > 0))
            continue;
        first_s = n == 0 ? p->second : first_s;
        last_s = p->second + p->seconds;
        double rate = (double)p->requests.completed / p->seconds;
        spans[n++] = (struct load_span){.start_ms = r->started_ms + llround(p->second * 1000),
                                        .end_ms = r->started_ms + llround(last_s * 1000),
                                        .told_from_ms = r->started_ms,
                                        .load = rate,
                                        .rate = rate};
    }
    if (n == 0) {
        free(spans);
        return NULL;
    }
    smooth(spans, n);
    double base_s = fmin((last_s - first_s) / BASE_SHARE, fmax(0, gave_way_s - first_s) / BASE_BEFORE_BREAK);
    int64_t base_end_ms = r->started_ms + llround((first_s + base_s) * 1000);
    for (size_t i = 0; i < n; i++)
        spans[i].is_base = spans[i].end_ms <= base_end_ms;
    *ret_n = n;
    return spans;
}
