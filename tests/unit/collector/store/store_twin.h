/* store_twin.h - a naive store for the model test: every sample in one sorted array per series, with the operation that wrote it and the
 * one that deleted it, so that what a reader of any operation sees is there without copies.
 *
 *   twin_put(&ts, &sample, op);                       // 1: kept, 0: refused, by the rules of store.h
 *   twin_delete(&ts, min_ms, max_ms, op);
 *   if (twin_sees(&ts.samples[k], op)) …             // a view of that operation has it
 *   twin_forget(&ts, oldest_op, is_over, ctx);        // what no view can have any more
 *
 * Exemplars belong to no view: the newest of a series, in order. */
#pragma once

#include "tests/support/check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/metric/sample.h"

#define TWIN_ALIVE UINT64_MAX

struct twin_sample {
    int64_t t_ms, start_ms;
    double value;
    uint64_t seed;       /* histogram_of() it, whose sum is the value; 0: a float */
    uint64_t born, died; /* operations; TWIN_ALIVE */
};
struct twin_exemplar {
    int64_t t_ms;
    double value;
    unsigned trace; /* its one label: a digit */
};
struct twin_series {
    struct twin_sample *samples; /* ascending; of one time by birth, of which the last may be alive */
    size_t n, cap;
    struct twin_exemplar exemplars[STORE_SERIES_EXEMPLARS_MAX];
    size_t n_exemplars;
};

static inline void twin_done(struct twin_series *ts)
{
    free(ts->samples);
    *ts = (struct twin_series){0};
}

/* The first that is not before. */
static inline size_t twin_place(const struct twin_series *ts, int64_t t_ms)
{
    size_t low = 0, high = ts->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (ts->samples[mid].t_ms < t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static inline bool twin_sees(const struct twin_sample *s, uint64_t op)
{
    return s->born <= op && op < s->died;
}

/* The one that is alive; NULL: none. */
static inline const struct twin_sample *twin_find(const struct twin_series *ts, int64_t t_ms)
{
    for (size_t at = twin_place(ts, t_ms); at < ts->n && ts->samples[at].t_ms == t_ms; at++)
        if (ts->samples[at].died == TWIN_ALIVE)
            return &ts->samples[at];
    return NULL;
}

static inline int twin_put(struct twin_series *ts, const struct twin_sample *s, uint64_t op)
{
    const struct twin_sample *known = twin_find(ts, s->t_ms);
    if (known)
        return known->seed == s->seed && f64_bits(known->value) == f64_bits(s->value);
    if (ts->n == ts->cap) {
        ts->cap = ts->cap ? ts->cap * 2 : 16;
        ts->samples = realloc(ts->samples, ts->cap * sizeof *ts->samples);
        assert_non_null(ts->samples);
    }
    size_t at = s->t_ms == INT64_MAX ? ts->n : twin_place(ts, s->t_ms + 1);
    memmove(ts->samples + at + 1, ts->samples + at, (ts->n - at) * sizeof *ts->samples);
    ts->samples[at] = *s;
    ts->samples[at].born = op;
    ts->samples[at].died = TWIN_ALIVE;
    ts->n++;
    return 1;
}

/* How many. */
static inline size_t twin_delete(struct twin_series *ts, int64_t min_ms, int64_t max_ms, uint64_t op)
{
    size_t n = 0, kept = 0;
    for (size_t at = twin_place(ts, min_ms); at < ts->n && ts->samples[at].t_ms <= max_ms; at++) {
        if (ts->samples[at].died != TWIN_ALIVE)
            continue;
        ts->samples[at].died = op;
        n++;
    }
    for (size_t i = 0; i < ts->n_exemplars; i++)
        if (ts->exemplars[i].t_ms < min_ms || ts->exemplars[i].t_ms > max_ms)
            ts->exemplars[kept++] = ts->exemplars[i];
    ts->n_exemplars = kept;
    return n;
}

/* What died before the oldest view's operation, and what is over. */
static inline void twin_forget(struct twin_series *ts, uint64_t oldest_op,
                               bool (*is_over)(const void *ctx, int64_t t_ms), const void *ctx)
{
    size_t kept = 0;
    for (size_t i = 0; i < ts->n; i++)
        if (ts->samples[i].died > oldest_op && !is_over(ctx, ts->samples[i].t_ms))
            ts->samples[kept++] = ts->samples[i];
    ts->n = kept;
}

static inline int twin_compare_exemplars(const struct twin_exemplar *a, const struct twin_exemplar *b)
{
    if (a->t_ms != b->t_ms)
        return a->t_ms < b->t_ms ? -1 : 1;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->trace > b->trace) - (a->trace < b->trace);
}

/* 1: kept or known, 0: out of order. */
static inline int twin_put_exemplar(struct twin_series *ts, const struct twin_exemplar *x)
{
    for (size_t i = 0; i < ts->n_exemplars; i++)
        if (twin_compare_exemplars(&ts->exemplars[i], x) == 0)
            return 1;
    if (ts->n_exemplars && twin_compare_exemplars(x, &ts->exemplars[ts->n_exemplars - 1]) < 0)
        return 0;
    if (ts->n_exemplars == STORE_SERIES_EXEMPLARS_MAX)
        memmove(ts->exemplars, ts->exemplars + 1, --ts->n_exemplars * sizeof *ts->exemplars);
    ts->exemplars[ts->n_exemplars++] = *x;
    return 1;
}
