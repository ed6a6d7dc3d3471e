/* The columns that a reader fills: samples at their end, and in the order of their times. */
#include <errno.h>

#include "collector/store/reader_inside.h"

void sample_columns_init(struct sample_columns *c)
{
    *c = (struct sample_columns){0};
    arena_init(&c->memory, QUERY_BYTES_MAX);
}

void sample_columns_done(struct sample_columns *c)
{
    free(c->t_ms);
    free(c->start_ms);
    free(c->value);
    free(c->histograms);
    free(c->count);
    arena_done(&c->memory);
    sample_columns_init(c);
}

int reader_reserve(struct sample_columns *c, size_t n)
{
    if (c->cap - c->n >= n)
        return 0;
    size_t cap = c->cap ? c->cap : 256;
    while (cap - c->n < n)
        cap *= 2;
    int64_t *t = realloc(c->t_ms, cap * sizeof *t);
    if (t)
        c->t_ms = t;
    double *value = t ? realloc(c->value, cap * sizeof *value) : NULL;
    if (!value)
        return -ENOMEM;
    c->value = value;
    if (c->start_ms) {
        int64_t *starts = realloc(c->start_ms, cap * sizeof *starts);
        if (!starts)
            return -ENOMEM;
        c->start_ms = starts;
    }
    if (c->histograms) {
        const struct native_histogram **histograms = realloc(c->histograms, cap * sizeof(*histograms));
        if (!histograms)
            return -ENOMEM;
        c->histograms = histograms;
    }
    if (c->count) {
        double *count = realloc(c->count, cap * sizeof *count);
        if (!count)
            return -ENOMEM;
        c->count = count;
    }
    c->cap = cap;
    return 0;
}

/* From the first start time on there is a column for them. */
static int need_starts(struct sample_columns *c)
{
    if (!c->start_ms)
        c->start_ms = calloc(c->cap, sizeof *c->start_ms);
    return c->start_ms ? 0 : -ENOMEM;
}

/* Samples are one each. */
static void count_ones(struct sample_columns *c, size_t n)
{
    for (size_t i = 0; c->count && i < n; i++)
        c->count[c->n + i] = 1;
}

/* And from the first histogram on for those. */
static int need_histograms(struct sample_columns *c)
{
    if (!c->histograms)
        c->histograms = calloc(c->cap, sizeof(*c->histograms));
    return c->histograms ? 0 : -ENOMEM;
}

int reader_append(struct reading *in, const int64_t *t_ms, const uint64_t *bits, const int64_t *starts, size_t n)
{
    struct sample_columns *c = in->columns;
    int r = n ? reader_reserve(c, n) : 0;
    if (r == 0 && n && starts)
        r = need_starts(c);
    if (r < 0 || n == 0)
        return r;
    if (c->n && t_ms[0] <= c->t_ms[c->n - 1])
        in->ascending = false;
    memcpy(c->t_ms + c->n, t_ms, n * sizeof *t_ms);
    memcpy(c->value + c->n, bits, n * sizeof *bits); /* bits are the double's */
    if (c->start_ms && starts)
        memcpy(c->start_ms + c->n, starts, n * sizeof *starts);
    else if (c->start_ms)
        memset(c->start_ms + c->n, 0, n * sizeof *starts);
    if (c->histograms)
        memset(c->histograms + c->n, 0, n * sizeof(*c->histograms));
    count_ones(c, n);
    c->n += n;
    return 0;
}

int reader_append_run(void *ctx, const struct head_run *run)
{
    struct reading *in = ctx;
    struct sample_columns *c = in->columns;
    int r = reader_reserve(c, run->n);
    if (r == 0 && run->starts)
        r = need_starts(c);
    if (r < 0)
        return r;
    int64_t last = c->n ? c->t_ms[c->n - 1] : INT64_MIN;
    for (size_t i = 0; i < run->n; i++) {
        int64_t t = head_run_ms(run, i);
        in->ascending = in->ascending && (t > last || c->n + i == 0);
        c->t_ms[c->n + i] = last = t;
    }
    memcpy(c->value + c->n, run->bits, run->n * sizeof *run->bits);
    if (c->start_ms && run->starts)
        memcpy(c->start_ms + c->n, run->starts, run->n * sizeof *run->starts);
    else if (c->start_ms)
        memset(c->start_ms + c->n, 0, run->n * sizeof *run->starts);
    if (c->histograms)
        memset(c->histograms + c->n, 0, run->n * sizeof(*c->histograms));
    count_ones(c, run->n);
    c->n += run->n;
    return 0;
}

void reader_clear_columns(struct sample_columns *c)
{
    c->n = 0;
    free(c->start_ms);
    free(c->histograms);
    free(c->count);
    c->start_ms = NULL;
    c->histograms = NULL;
    c->count = NULL;
    c->exact = false;
    c->n_gone = 0;
    arena_reset(&c->memory);
}

int reader_append_histogram(struct reading *in, int64_t t_ms, int64_t start_ms, const struct native_histogram *h)
{
    struct sample_columns *c = in->columns;
    int r = reader_reserve(c, 1);
    if (r == 0 && start_ms)
        r = need_starts(c);
    if (r == 0)
        r = need_histograms(c);
    if (r < 0)
        return r;
    if (c->n && t_ms <= c->t_ms[c->n - 1])
        in->ascending = false;
    c->t_ms[c->n] = t_ms;
    c->value[c->n] = h->sum;
    if (c->start_ms)
        c->start_ms[c->n] = start_ms;
    c->histograms[c->n++] = h;
    return 0;
}

/* ---- order ---- */
struct row {
    int64_t t_ms, start_ms;
    double value, count;
    const struct native_histogram *histogram;
    size_t order;
};
static int by_time_then_order(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->t_ms != y->t_ms)
        return x->t_ms < y->t_ms ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Late samples lie in extents of their own or behind in the head. Of two at one time the one that came first stays. */
int reader_put_in_order(struct sample_columns *c)
{
    struct row *rows = malloc(c->n * sizeof *rows);
    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < c->n; i++)
        rows[i] = (struct row){.t_ms = c->t_ms[i],
                               .start_ms = c->start_ms ? c->start_ms[i] : 0,
                               .value = c->value[i],
                               .count = c->count ? c->count[i] : 1,
                               .histogram = c->histograms ? c->histograms[i] : NULL,
                               .order = i};
    qsort(rows, c->n, sizeof *rows, by_time_then_order);
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (i && rows[i].t_ms == rows[i - 1].t_ms)
            continue;
        c->t_ms[n] = rows[i].t_ms;
        if (c->start_ms)
            c->start_ms[n] = rows[i].start_ms;
        if (c->histograms)
            c->histograms[n] = rows[i].histogram;
        if (c->count)
            c->count[n] = rows[i].count;
        c->value[n++] = rows[i].value;
    }
    c->n = n;
    free(rows);
    return 0;
}
