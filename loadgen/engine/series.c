#include "loadgen/engine/series.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/metric/hdr_codec.h"

struct packed { /* an encoded histogram; NULL: an empty one */
    char *bytes;
    size_t n;
};
struct entry {
    struct series_point point;
    struct series_step_point *steps;
    struct packed response, service, *step_response;
    unsigned ticks;
};
struct run_series {
    size_t n_steps, n, cap, bytes;
    struct entry *list;
    unsigned ticks; /* of a whole point */
    struct hdr *merged;
    struct buf encoded;
};

int series_new(size_t n_steps, struct run_series **ret)
{
    struct run_series *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->n_steps = n_steps;
    s->ticks = 1;
    buf_init(&s->encoded, 1u << 20);
    if (hdr_new(STATS_HIGHEST_US, STATS_DIGITS, &s->merged) < 0) {
        series_free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

static void entry_done(struct run_series *s, struct entry *e)
{
    free(e->response.bytes);
    free(e->service.bytes);
    s->bytes -= e->response.n + e->service.n;
    for (size_t i = 0; e->step_response && i < s->n_steps; i++) {
        free(e->step_response[i].bytes);
        s->bytes -= e->step_response[i].n;
    }
    free(e->step_response);
    free(e->steps);
}

void series_free(struct run_series *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        entry_done(s, &s->list[i]);
    free(s->list);
    hdr_free(s->merged);
    buf_done(&s->encoded);
    free(s);
}

static struct series_times times_of(const struct hdr *h)
{
    return (struct series_times){hdr_count(h), hdr_percentile(h, 50), hdr_percentile(h, 95), hdr_percentile(h, 99),
                                 hdr_max(h)};
}

/* The packed histogram and `more` (NULL: nothing) become one, and their times. The maximum is kept as it was recorded. */
MUST_USE static int absorb(struct run_series *s, struct packed *p, struct series_times *times, const struct hdr *more)
{
    if (!more || hdr_count(more) == 0)
        return 0;
    const struct hdr *sum = more;
    if (p->n) {
        hdr_reset(s->merged);
        int r = hdr_decode_add(span_of(p->bytes, p->n), s->merged);
        if (r == 0)
            r = hdr_merge(s->merged, more);
        if (r < 0)
            return r;
        sum = s->merged;
    }
    buf_clear(&s->encoded);
    hdr_encode(sum, &s->encoded);
    char *bytes = buf_error(&s->encoded) ? NULL : malloc(s->encoded.len);
    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, s->encoded.data, s->encoded.len);
    s->bytes += s->encoded.len - p->n;
    free(p->bytes);
    *p = (struct packed){bytes, s->encoded.len};
    int64_t max_us = times->max_us > hdr_max(more) ? times->max_us : hdr_max(more);
    *times = times_of(sum);
    times->max_us = max_us;
    return 0;
}

static void add_plain(struct series_point *to, const struct series_point *from)
{
    to->seconds += from->seconds;
    to->planned += from->planned;
    to->cpu_s += from->cpu_s;
    to->open = from->open;
    to->in_flight = from->in_flight;
    if (from->lag_max_us > to->lag_max_us)
        to->lag_max_us = from->lag_max_us;
    if (from->hiccup_max_us > to->hiccup_max_us)
        to->hiccup_max_us = from->hiccup_max_us;
}

MUST_USE static int absorb_stats(struct run_series *s, struct entry *e, const struct run_stats *interval)
{
    struct hdr *response = stats_all(interval, false), *service = stats_all(interval, true);
    int r = absorb(s, &e->response, &e->point.response, response);
    if (r == 0)
        r = absorb(s, &e->service, &e->point.service, service);
    hdr_free(response);
    hdr_free(service);
    stats_add_sessions(&e->point.sessions, &interval->sessions);
    stats_add_requests(&e->point.requests, &interval->requests);
    e->point.received_bytes += interval->received_bytes;
    for (size_t i = 0; i < s->n_steps; i++) {
        const struct step_stats *step = &interval->steps[i];
        uint64_t total = stats_step_total(step);
        e->steps[i].count += total;
        e->steps[i].failed += total - step->outcomes[OUTCOME_OK];
        for (size_t k = 0; k < OUTCOMES; k++)
            e->point.outcomes[k] += step->outcomes[k];
        if (r == 0)
            r = absorb(s, &e->step_response[i], &e->steps[i].response, step->response);
    }
    return r;
}

/* Decoded anew: merging is rare. */
MUST_USE static int absorb_packed(struct run_series *s, struct packed *p, struct series_times *times,
                                  const struct packed *from, const struct series_times *from_times)
{
    if (from->n == 0)
        return 0;
    struct hdr *more;
    int r = hdr_new(STATS_HIGHEST_US, STATS_DIGITS, &more);
    if (r < 0)
        return r;
    r = hdr_decode_add(span_of(from->bytes, from->n), more);
    if (r == 0)
        r = absorb(s, p, times, more);
    if (r == 0 && from_times->max_us > times->max_us)
        times->max_us = from_times->max_us;
    hdr_free(more);
    return r;
}

MUST_USE static int absorb_entry(struct run_series *s, struct entry *to, const struct entry *from)
{
    int r = absorb_packed(s, &to->response, &to->point.response, &from->response, &from->point.response);
    if (r == 0)
        r = absorb_packed(s, &to->service, &to->point.service, &from->service, &from->point.service);
    add_plain(&to->point, &from->point);
    stats_add_sessions(&to->point.sessions, &from->point.sessions);
    stats_add_requests(&to->point.requests, &from->point.requests);
    to->point.received_bytes += from->point.received_bytes;
    for (size_t k = 0; k < OUTCOMES; k++)
        to->point.outcomes[k] += from->point.outcomes[k];
    for (size_t i = 0; i < s->n_steps; i++) {
        to->steps[i].count += from->steps[i].count;
        to->steps[i].failed += from->steps[i].failed;
        if (r == 0)
            r = absorb_packed(s, &to->step_response[i], &to->steps[i].response, &from->step_response[i],
                              &from->steps[i].response);
    }
    to->ticks += from->ticks;
    return r;
}

/* Neighbours become one point. */
MUST_USE static int coarsen(struct run_series *s)
{
    int r = 0;
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i += 2) {
        if (i + 1 < s->n) {
            if (r == 0)
                r = absorb_entry(s, &s->list[i], &s->list[i + 1]);
            entry_done(s, &s->list[i + 1]);
        }
        s->list[kept++] = s->list[i];
    }
    s->n = kept;
    s->ticks *= 2;
    return r;
}

MUST_USE static int add_entry(struct run_series *s, const struct series_point *point)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct entry *list = realloc(s->list, cap * sizeof *list);
        if (!list)
            return -ENOMEM;
        s->list = list;
        s->cap = cap;
    }
    struct entry e = {.point = {.second = point->second}};
    e.steps = calloc(s->n_steps ? s->n_steps : 1, sizeof *e.steps);
    e.step_response = calloc(s->n_steps ? s->n_steps : 1, sizeof *e.step_response);
    if (!e.steps || !e.step_response) {
        entry_done(s, &e);
        return -ENOMEM;
    }
    s->list[s->n++] = e;
    return 0;
}

int series_add(struct run_series *s, const struct series_point *point, const struct run_stats *interval)
{
    bool whole = s->n == 0 || s->list[s->n - 1].ticks >= s->ticks;
    int r = 0;
    if (whole && s->n > 1 && (s->n >= RUN_SERIES_POINTS_MAX || s->bytes > RUN_SERIES_BYTES_MAX)) {
        r = coarsen(s);
        whole = s->list[s->n - 1].ticks >= s->ticks;
    }
    if (r == 0 && whole)
        r = add_entry(s, point);
    if (r < 0)
        return r;
    struct entry *e = &s->list[s->n - 1];
    add_plain(&e->point, point);
    e->ticks++;
    return absorb_stats(s, e, interval);
}

size_t series_count(const struct run_series *s)
{
    return s->n;
}

const struct series_point *series_at(const struct run_series *s, size_t i)
{
    return &s->list[i].point;
}

const struct series_step_point *series_step(const struct run_series *s, size_t i, size_t step)
{
    return &s->list[i].steps[step];
}

unsigned series_ticks(const struct run_series *s)
{
    return s->ticks;
}
