/* The columns that a reader fills: samples at their end, and in the order of their times. */
#include <assert.h>
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

/* And from the first histogram on for those. */
static int need_histograms(struct sample_columns *c)
{
    if (!c->histograms)
        c->histograms = calloc(c->cap, sizeof(*c->histograms));
    return c->histograms ? 0 : -ENOMEM;
}

static int make_room(struct sample_columns *c, size_t n, bool starts)
{
    int r = reader_reserve(c, n);
    return r == 0 && starts ? need_starts(c) : r;
}

/* All but their times, for which there is room. bits are the double's. */
static void put_samples(struct sample_columns *c, const uint64_t *bits, const int64_t *starts, size_t n)
{
    memcpy(c->value + c->n, bits, n * sizeof *bits);
    if (c->start_ms && starts)
        memcpy(c->start_ms + c->n, starts, n * sizeof *starts);
    else if (c->start_ms)
        memset(c->start_ms + c->n, 0, n * sizeof *starts);
    if (c->histograms)
        memset(c->histograms + c->n, 0, n * sizeof(*c->histograms));
    for (size_t i = 0; c->count && i < n; i++) /* samples are one each */
        c->count[c->n + i] = 1;
    c->n += n;
}

int reader_append(struct reading *in, const int64_t *t_ms, const uint64_t *bits, const int64_t *starts, size_t n)
{
    struct sample_columns *c = in->columns;
    int r = n ? make_room(c, n, starts != NULL) : 0;
    if (r < 0 || n == 0)
        return r;
    if (c->n && t_ms[0] <= c->t_ms[c->n - 1])
        in->ascending = false;
    memcpy(c->t_ms + c->n, t_ms, n * sizeof *t_ms);
    put_samples(c, bits, starts, n);
    return 0;
}

int reader_append_run(void *ctx, const struct head_run *run)
{
    struct reading *in = ctx;
    struct sample_columns *c = in->columns;
    int r = make_room(c, run->n, run->starts != NULL);
    if (r < 0)
        return r;
    int64_t last = c->n ? c->t_ms[c->n - 1] : INT64_MIN;
    for (size_t i = 0; i < run->n; i++) {
        int64_t t = head_run_ms(run, i);
        in->ascending = in->ascending && (t > last || c->n + i == 0);
        c->t_ms[c->n + i] = last = t;
    }
    put_samples(c, run->bits, run->starts, run->n);
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
    int r = make_room(c, 1, start_ms != 0);
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
/* What is out of order is runs that ascend: extents that lie between each other's samples, late ones. They are merged as blocks, which
 * costs little more than copying; samples one by one, as after sorting, would cost several times what reading did. */
struct runs {
    const int64_t *t_ms;
    size_t *order, *other; /* places in the columns; each as long as those */
    size_t *ends;          /* of the runs */
    size_t n;
};

static void find_runs(struct runs *in, size_t n)
{
    in->n = 0;
    for (size_t i = 0; i < n; i++) {
        in->order[i] = i;
        if (i + 1 == n || in->t_ms[i + 1] <= in->t_ms[i])
            in->ends[in->n++] = i + 1;
    }
}

static size_t count_runs(const struct sample_columns *c)
{
    size_t runs = 1;
    for (size_t i = 1; i < c->n; i++)
        runs += c->t_ms[i] <= c->t_ms[i - 1];
    return runs;
}

/* How many of the places [from, to) are before t_ms, or at it: steps that double, and then halve. */
static size_t leading(const struct runs *in, size_t from, size_t to, int64_t t_ms, bool at_it)
{
    size_t low = from, step = 1;
#define IS_BEFORE(i) (in->t_ms[in->order[i]] < t_ms || (at_it && in->t_ms[in->order[i]] == t_ms))
    while (low < to && to - low >= step && IS_BEFORE(low + step - 1)) {
        low += step;
        step *= 2;
    }
    size_t high = to - low < step ? to : low + step - 1; /* the first that is not lies in [low, high] */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (IS_BEFORE(mid))
            low = mid + 1;
        else
            high = mid;
    }
#undef IS_BEFORE
    return low - from;
}

/* Two neighbouring runs; of two at one time the one of the first run stays in front. */
static void merge_runs(struct runs *in, size_t from, size_t middle, size_t to)
{
    size_t a = from, b = middle, at = from;
    while (a < middle && b < to) {
        size_t n = leading(in, a, middle, in->t_ms[in->order[b]], true);
        memcpy(in->other + at, in->order + a, n * sizeof *in->order);
        a += n;
        at += n;
        if (a == middle)
            break;
        n = leading(in, b, to, in->t_ms[in->order[a]], false);
        memcpy(in->other + at, in->order + b, n * sizeof *in->order);
        b += n;
        at += n;
    }
    memcpy(in->other + at, in->order + a, (middle - a) * sizeof *in->order);
    at += middle - a;
    memcpy(in->other + at, in->order + b, (to - b) * sizeof *in->order);
}

static void merge_all(struct runs *in)
{
    while (in->n > 1) {
        size_t from = 0, n = 0;
        for (size_t i = 0; i < in->n; i += 2) {
            bool pair = i + 1 < in->n;
            size_t to = in->ends[pair ? i + 1 : i];
            if (pair)
                merge_runs(in, from, in->ends[i], to);
            else
                memcpy(in->other + from, in->order + from, (to - from) * sizeof *in->order);
            in->ends[n++] = from = to;
        }
        in->n = n;
        size_t *merged = in->other;
        in->other = in->order;
        in->order = merged;
    }
}

/* Of the places, those whose time is not that of the one before. */
static size_t drop_doubles(struct runs *in, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || in->t_ms[in->order[i]] != in->t_ms[in->order[kept - 1]])
            in->order[kept++] = in->order[i];
    return kept;
}

#define ITEM_BYTES 8
static_assert(sizeof(int64_t) == ITEM_BYTES && sizeof(double) == ITEM_BYTES &&
                  sizeof(struct native_histogram *) == ITEM_BYTES && sizeof(size_t) >= ITEM_BYTES,
              "columns are put in order by one function, through the places that are not needed any more");

static void put_column(void *column, const struct runs *in, size_t n)
{
    char *from = column, *to = (char *)in->other;
    for (size_t i = 0; column && i < n; i++)
        memcpy(to + i * ITEM_BYTES, from + in->order[i] * ITEM_BYTES, ITEM_BYTES);
    if (column && n)
        memcpy(from, to, n * ITEM_BYTES);
}

/* Late samples lie in extents of their own or behind in the head. Of two at one time the one that came first stays. */
int reader_put_in_order(struct sample_columns *c)
{
    size_t n = c->n;
    if (n < 2)
        return 0;
    size_t *places = calloc(2 * n + count_runs(c), sizeof *places);
    if (!places)
        return -ENOMEM;
    struct runs in = {.t_ms = c->t_ms, .order = places, .other = places + n, .ends = places + 2 * n};
    find_runs(&in, n);
    merge_all(&in);
    c->n = drop_doubles(&in, n);
    put_column(c->start_ms, &in, c->n);
    put_column(c->value, &in, c->n);
    put_column(c->histograms, &in, c->n);
    put_column(c->count, &in, c->n);
    put_column(c->t_ms, &in, c->n);
    free(places);
    return 0;
}
