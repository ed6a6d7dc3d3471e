/* histogram_test.h - native histograms for the store's tests: made by a seed, compared bit by bit.
 *
 *   struct native_histogram *h = histogram_of(&arena, seed);         // the same seed, the same histogram
 *   request_add_histogram(w, "rpc_seconds|job=a", 1000, h);
 *   check_histogram(columns.histograms[0], h); */
#pragma once

#include "tests/unit/collector/store/store_test.h"

static inline uint64_t histogram_next(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline size_t histogram_side(struct arena *a, uint64_t *seed, bool custom, struct histogram_span **ret_spans,
                                    size_t *ret_n_spans)
{
    size_t n = histogram_next(seed) % 4, buckets = 0;
    struct histogram_span *spans = arena_array(a, n, sizeof *spans);
    for (size_t i = 0; i < n; i++) {
        spans[i].offset = (int32_t)(histogram_next(seed) % 3) - (i == 0 && !custom ? 2 : 0);
        spans[i].length = (uint32_t)(histogram_next(seed) % 5);
        buckets += spans[i].length;
    }
    *ret_spans = spans;
    *ret_n_spans = n;
    return buckets;
}

static inline void histogram_counts(struct native_histogram *h, double *counts, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++) {
        counts[i] = (double)(histogram_next(seed) % 1000);
        if (h->is_float)
            counts[i] = counts[i] / 8 + 0.1;
        h->count += counts[i];
    }
}

/* One of 8 layouts, so that neighbours often share theirs; integer and float, exponential and custom, gauges, stale ones. */
static inline struct native_histogram *histogram_of(struct arena *a, uint64_t seed)
{
    uint64_t layout = histogram_next(&seed) % 8;
    struct native_histogram *h = arena_alloc(a, sizeof *h);
    assert_non_null(h);
    h->hint = (enum histogram_reset_hint)(histogram_next(&seed) % 4);
    h->sum = (double)(int64_t)(histogram_next(&seed) % 100000) / 7;
    if (histogram_next(&seed) % 16 == 0)
        h->sum = f64_from_bits(0x7ff8dead00000000ull | (histogram_next(&seed) & 0xffff)); /* a NaN with a payload */
    if (layout == 0) { /* a stale marker: nothing but the sum */
        h->sum = stale_marker();
        return h;
    }
    bool custom = layout == 1;
    h->is_float = layout % 2 == 0 || custom;
    h->schema = custom ? HISTOGRAM_CUSTOM_SCHEMA : (int32_t)(layout % 13) - 4;
    uint64_t shape = layout * 77;
    h->n_positive = histogram_side(a, &shape, custom, &h->positive_spans, &h->n_positive_spans);
    if (!custom) {
        h->n_negative = histogram_side(a, &shape, custom, &h->negative_spans, &h->n_negative_spans);
        h->zero_threshold = 1e-128 * (double)layout;
        h->zero_count = (double)(histogram_next(&seed) % 50);
        h->count = h->zero_count;
    } else {
        h->n_bounds = 24;
        h->bounds = arena_array(a, h->n_bounds, sizeof *h->bounds);
        for (size_t i = 0; i < h->n_bounds; i++)
            h->bounds[i] = 0.05 * (double)(i + 1);
    }
    h->positive = arena_array(a, h->n_positive, sizeof *h->positive);
    h->negative = arena_array(a, h->n_negative, sizeof *h->negative);
    histogram_counts(h, h->positive, h->n_positive, &seed);
    histogram_counts(h, h->negative, h->n_negative, &seed);
    return h;
}

static inline bool histogram_spans_equal(const struct histogram_span *a, const struct histogram_span *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].offset != b[i].offset || a[i].length != b[i].length)
            return false;
    return true;
}

static inline bool histogram_bits_equal(const double *a, const double *b, size_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

static inline bool histogram_equal(const struct native_histogram *a, const struct native_histogram *b)
{
    return a->schema == b->schema && a->is_float == b->is_float && a->hint == b->hint &&
           f64_bits(a->zero_threshold) == f64_bits(b->zero_threshold) &&
           f64_bits(a->zero_count) == f64_bits(b->zero_count) && f64_bits(a->count) == f64_bits(b->count) &&
           f64_bits(a->sum) == f64_bits(b->sum) && a->n_positive_spans == b->n_positive_spans &&
           a->n_negative_spans == b->n_negative_spans && a->n_positive == b->n_positive &&
           a->n_negative == b->n_negative && a->n_bounds == b->n_bounds &&
           histogram_spans_equal(a->positive_spans, b->positive_spans, a->n_positive_spans) &&
           histogram_spans_equal(a->negative_spans, b->negative_spans, a->n_negative_spans) &&
           histogram_bits_equal(a->positive, b->positive, a->n_positive) &&
           histogram_bits_equal(a->negative, b->negative, a->n_negative) &&
           histogram_bits_equal(a->bounds, b->bounds, a->n_bounds);
}

static inline void check_histogram(const struct native_histogram *got, const struct native_histogram *want)
{
    if (!got || !histogram_equal(got, want))
        check_failed("another histogram: schema %d count %g sum %g buckets %zu and %zu, not %d %g %g %zu %zu",
                     got ? got->schema : 0, got ? got->count : 0, got ? got->sum : 0, got ? got->n_positive : 0,
                     got ? got->n_negative : 0, want->schema, want->count, want->sum, want->n_positive,
                     want->n_negative);
}

static inline void request_add_histogram(struct write_request *w, const char *text, int64_t t_ms,
                                         const struct native_histogram *h)
{
    struct write_series *ws = request_series(w, text, 1);
    ws->histograms = arena_array(&w->arena, 1, sizeof *ws->histograms);
    ws->histograms[ws->n_histograms++] = (struct histogram_sample){.t_ms = t_ms, .histogram = h};
}

/* One that must be kept; its start time is half of its time. h lives until the call is back. */
static inline void put_histogram(struct store *s, const char *text, int64_t t_ms, const struct native_histogram *h)
{
    struct write_request *w = request_new();
    request_add_histogram(w, text, t_ms, h);
    w->series[w->n_series - 1].histograms[0].start_ms = t_ms / 2;
    struct store_written written = write_now(s, w);
    if (written.error || written.histograms != 1)
        check_failed("histogram of %s at %lld: %d %s", text, (long long)t_ms, written.error, written.why);
}
