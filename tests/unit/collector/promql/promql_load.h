/* promql_load.h - puts the loads of PromQL test scripts into a store. */
#pragma once

#include "tests/unit/collector/promql/promql_script.h"

#include "collector/store/store.h"

struct segment { /* between two `clear`s */
    struct store *store;
    struct arena arena;
};

static void segment_start(struct segment *g)
{
    char why[256] = "";
    *g = (struct segment){0};
    if (store_open(&(struct store_config){.future_ms_max = -1}, &g->store, why, sizeof why) < 0)
        check_failed("no store: %s", why);
    arena_init(&g->arena, 512u << 20);
}

static void segment_end(struct segment *g)
{
    store_close(g->store);
    arena_done(&g->arena);
}

/* The request's series with these labels: a later line of a load replaces an earlier one. */
static struct write_series *series_for(struct write_request *w, const struct labels *ls)
{
    for (size_t i = 0; i < w->n_series; i++)
        if (labels_equal(&w->series[i].labels, ls))
            return &w->series[i];
    return &w->series[w->n_series++];
}

static void fill_samples(struct write_request *w, struct write_series *ws, const struct line *l, int64_t step_ms,
                         const struct line *stamps)
{
    *ws = (struct write_series){0};
    ws->samples = arena_array(&w->arena, l->n, sizeof *ws->samples);
    ws->histograms = arena_array(&w->arena, l->n, sizeof *ws->histograms);
    assert_int_equal(labels_copy(&w->arena, &l->labels, &ws->labels), 0);
    for (size_t i = 0; i < l->n; i++) {
        if (!l->points[i].present)
            continue;
        int64_t t_ms = (int64_t)i * step_ms, start_ms = 0;
        if (stamps && i < stamps->n && stamps->points[i].present)
            start_ms = t_ms + (int64_t)llround(stamps->points[i].value * 1000);
        if (l->points[i].histogram)
            ws->histograms[ws->n_histograms++] = (struct histogram_sample){t_ms, start_ms, l->points[i].histogram};
        else
            ws->samples[ws->n_samples++] =
                (struct sample){.t_ms = t_ms, .start_ms = start_ms, .value = l->points[i].value};
    }
}

/* ---- load_with_nhcb: classic histograms also become native ones with custom buckets ---- */

struct classic_bucket {
    double upper, count;
};
struct classic { /* one histogram at one time */
    int64_t t_ms;
    struct classic_bucket buckets[64];
    size_t n;
    double count, sum;
    bool has_count;
};
struct converted {
    struct labels labels;
    struct classic *times;
    size_t n;
};

static struct classic *classic_at(struct converted *c, int64_t t_ms)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->times[i].t_ms == t_ms)
            return &c->times[i];
    c->times[c->n] = (struct classic){.t_ms = t_ms};
    return &c->times[c->n++];
}

static int by_bucket_bound(const void *a, const void *b)
{
    double x = ((const struct classic_bucket *)a)->upper, y = ((const struct classic_bucket *)b)->upper;
    return (x > y) - (x < y);
}

static const struct native_histogram *convert(struct arena *a, struct classic *c)
{
    qsort(c->buckets, c->n, sizeof *c->buckets, by_bucket_bound);
    double count = c->has_count ? c->count : c->n ? c->buckets[c->n - 1].count : 0;
    if (c->n == 0 || !isinf(c->buckets[c->n - 1].upper))
        c->buckets[c->n++] = (struct classic_bucket){INFINITY, count};
    struct native_histogram *h = arena_alloc(a, sizeof *h);
    *h = (struct native_histogram){
        .schema = HISTOGRAM_CUSTOM_SCHEMA, .is_float = true, .count = count, .sum = c->sum, .n_positive = c->n};
    h->positive = arena_array(a, c->n, sizeof *h->positive);
    h->bounds = arena_array(a, c->n, sizeof *h->bounds);
    one_span(a, 0, c->n, &h->positive_spans, &h->n_positive_spans);
    for (size_t i = 0; i < c->n; i++) {
        h->positive[i] = c->buckets[i].count - (i ? c->buckets[i - 1].count : 0);
        if (i + 1 < c->n)
            h->bounds[h->n_bounds++] = c->buckets[i].upper;
    }
    struct native_work w;
    const struct native_histogram *compact;
    check_ok(native_work_init(&w, a, h));
    check_ok(native_work_give(&w, NATIVE_COMPACT, &compact));
    return compact;
}

static void gather_classic(struct arena *a, struct converted *list, size_t *n, const struct line *l, int64_t step_ms)
{
    static const struct span ENDS[] = {SPAN_INIT("_bucket"), SPAN_INIT("_count"), SPAN_INIT("_sum")};
    struct span name = labels_get(&l->labels, SPAN("__name__")), le = labels_get(&l->labels, SPAN("le"));
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++) {
        double upper = 0;
        if (name.len <= ENDS[i].len || memcmp(name.ptr + name.len - ENDS[i].len, ENDS[i].ptr, ENDS[i].len) != 0 ||
            (i == 0 && parse_f64_span(le, &upper) < 0))
            continue;
        struct label_builder b;
        struct labels base;
        label_builder_init(&b, a);
        label_builder_from(&b, &l->labels);
        label_builder_remove(&b, SPAN("le"));
        label_builder_set(&b, SPAN("__name__"), span_of(name.ptr, name.len - ENDS[i].len));
        check_ok(label_builder_finish(&b, &base));
        size_t at = 0;
        while (at < *n && !labels_equal(&list[at].labels, &base))
            at++;
        if (at == *n)
            list[(*n)++] = (struct converted){.labels = base, .times = arena_array(a, 256, sizeof *list->times)};
        for (size_t k = 0; k < l->n; k++) {
            if (!l->points[k].present || l->points[k].histogram || isnan(l->points[k].value))
                continue;
            struct classic *c = classic_at(&list[at], (int64_t)k * step_ms);
            if (i == 0) {
                bool known = false; /* the first one of a bound counts */
                for (size_t m = 0; m < c->n; m++)
                    known |= c->buckets[m].upper == upper;
                if (!known)
                    c->buckets[c->n++] = (struct classic_bucket){upper, l->points[k].value};
            } else if (i == 1) {
                c->count = l->points[k].value;
                c->has_count = true;
            } else {
                c->sum = l->points[k].value;
            }
        }
    }
}

static void add_converted(struct write_request *w, const struct converted *c)
{
    struct write_series *ws = series_for(w, &c->labels);
    *ws = (struct write_series){0};
    assert_int_equal(labels_copy(&w->arena, &c->labels, &ws->labels), 0);
    ws->histograms = arena_array(&w->arena, c->n, sizeof *ws->histograms);
    for (size_t i = 0; i < c->n; i++)
        ws->histograms[ws->n_histograms++] =
            (struct histogram_sample){c->times[i].t_ms, 0, convert(&w->arena, &c->times[i])};
}

/* ---- a load ---- */

/* Consumes the block at *at. */
static void load(struct segment *g, const struct script *sc, size_t *at)
{
    struct span rest = sc->lines[*at];
    bool nhcb = span_equal(next_token(&rest), SPAN("load_with_nhcb"));
    int64_t step_ms = time_ms(next_token(&rest));
    size_t n = 0, n_converted = 0;
    for (++*at; *at + n < sc->n && sc->lines[*at + n].len; n++)
        ;
    struct write_request *w = write_request_new(512u << 20);
    assert_non_null(w);
    w->series = arena_array(&w->arena, 4 * n, sizeof *w->series);
    struct converted *converted = arena_array(&g->arena, n, sizeof *converted);
    struct line stamps = {0};
    for (size_t i = 0; i < n; i++) {
        struct line l;
        parse_line(&g->arena, sc->lines[*at + i], &l);
        if (l.start_stamps) {
            stamps = l;
            continue;
        }
        bool stamped = stamps.points && labels_equal(&stamps.labels, &l.labels);
        fill_samples(w, series_for(w, &l.labels), &l, step_ms, stamped ? &stamps : NULL);
        stamps = (struct line){0};
        if (nhcb)
            gather_classic(&g->arena, converted, &n_converted, &l, step_ms);
    }
    for (size_t i = 0; i < n_converted; i++)
        add_converted(w, &converted[i]);
    *at += n;
    struct store_written written;
    check_ok(store_write(g->store, w, &written));
    if (written.error || written.why[0])
        check_failed("%s:%zu: not loaded: %s", sc->file, *at, written.why);
}
