#include <errno.h>

#include "collector/rules/rules_internal.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"

#define QUEUE_WAIT_US 1000000 /* the store's queue is full: its writer needs that long at most, or has trouble */
#define QUEUE_POLL_US 2000

/* ---- series of a rule ---- */
MUST_USE static int pack(const struct labels *labels, struct buf *into)
{
    buf_init(into, 64u << 20);
    labels_pack(into, labels);
    int r = buf_error(into);
    if (r < 0)
        buf_done(into);
    return r;
}

MUST_USE static int note_series(struct rule *r, const struct labels *labels)
{
    struct buf key;
    int e = pack(labels, &key);
    if (e < 0)
        return e;
    e = strmap_put(&r->series, buf_view(&key), (void *)r->generation);
    buf_done(&key);
    return e;
}

/* Call fn for the packed labels of each vanished series. */
MUST_USE static int each_vanished(const struct rule *r, int (*fn)(void *ctx, struct span packed), void *ctx)
{
    size_t at = 0;
    struct span key;
    void *generation;
    while (strmap_next(&r->series, &at, &key, &generation)) {
        if ((uintptr_t)generation == r->generation)
            continue;
        int e = fn(ctx, key);
        if (e < 0)
            return e;
    }
    return 0;
}

struct span_list {
    struct arena arena;
    struct span *list;
    size_t n, cap;
};
static int list_key(void *ctx, struct span key)
{
    struct span_list *l = ctx;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        struct span *more = reallocarray(l->list, cap, sizeof *more);
        if (!more)
            return -ENOMEM;
        l->list = more;
        l->cap = cap;
    }
    bool ok = true;
    l->list[l->n++] = arena_span(&l->arena, key, &ok); /* removing an entry frees the map's key */
    return ok ? 0 : -ENOMEM;
}

int series_forget_vanished(struct rule *r)
{
    struct span_list l = {0};
    arena_init(&l.arena, RULE_WRITE_BYTES_MAX);
    int e = each_vanished(r, list_key, &l);
    for (size_t i = 0; i < l.n && e == 0; i++)
        (void)strmap_remove(&r->series, l.list[i]);
    free(l.list);
    arena_done(&l.arena);
    return e;
}

/* ---- samples ---- */
MUST_USE static int copy_doubles(struct arena *a, double *const *from, size_t n, double **to)
{
    *to = arena_array(a, n, sizeof **to);
    if (!*to)
        return -ENOMEM;
    if (n)
        memcpy(*to, *from, n * sizeof **to);
    return 0;
}
MUST_USE static int copy_spans(struct arena *a, struct histogram_span *const *from, size_t n,
                               struct histogram_span **to)
{
    *to = arena_array(a, n, sizeof **to);
    if (!*to)
        return -ENOMEM;
    if (n)
        memcpy(*to, *from, n * sizeof **to);
    return 0;
}

MUST_USE static int copy_histogram(struct arena *a, const struct native_histogram *h,
                                   const struct native_histogram **ret)
{
    struct native_histogram *copy = arena_alloc(a, sizeof *copy);
    if (!copy)
        return -ENOMEM;
    *copy = *h;
    int r = copy_spans(a, &h->positive_spans, h->n_positive_spans, &copy->positive_spans);
    if (r == 0)
        r = copy_spans(a, &h->negative_spans, h->n_negative_spans, &copy->negative_spans);
    if (r == 0)
        r = copy_doubles(a, &h->positive, h->n_positive, &copy->positive);
    if (r == 0)
        r = copy_doubles(a, &h->negative, h->n_negative, &copy->negative);
    if (r == 0)
        r = copy_doubles(a, &h->bounds, h->n_bounds, &copy->bounds);
    *ret = copy;
    return r;
}

MUST_USE static int new_series(struct output *out, const struct labels *labels, struct write_series **ret)
{
    if (!out->request) {
        out->request = write_request_new(RULE_WRITE_BYTES_MAX);
        if (!out->request)
            return -ENOMEM;
        out->request->derived = true;
    }
    struct arena *a = &out->request->arena;
    if (out->n == out->cap) {
        size_t cap = out->cap ? 2 * out->cap : 64;
        struct write_series *more = arena_array(a, cap, sizeof *more);
        if (!more)
            return -ENOSPC;
        if (out->n)
            memcpy(more, out->series, out->n * sizeof *more);
        out->series = more;
        out->cap = cap;
    }
    struct write_series *s = &out->series[out->n];
    int r = labels_copy(a, labels, &s->labels);
    if (r < 0)
        return r;
    out->n++;
    *ret = s;
    return 0;
}

MUST_USE static int add_sample(struct output *out, const struct labels *labels, int64_t t_ms, double value)
{
    struct write_series *s;
    int r = new_series(out, labels, &s);
    if (r < 0)
        return r;
    s->samples = arena_alloc(&out->request->arena, sizeof *s->samples);
    if (!s->samples)
        return -ENOSPC;
    *s->samples = (struct sample){.t_ms = t_ms, .value = value};
    s->n_samples = 1;
    return 0;
}

MUST_USE static int add_histogram(struct output *out, const struct labels *labels, int64_t t_ms,
                                  const struct native_histogram *h)
{
    struct write_series *s;
    int r = new_series(out, labels, &s);
    if (r < 0)
        return r;
    s->histograms = arena_alloc(&out->request->arena, sizeof *s->histograms);
    if (!s->histograms)
        return -ENOSPC;
    s->histograms->t_ms = t_ms;
    s->n_histograms = 1;
    return copy_histogram(&out->request->arena, h, &s->histograms->histogram);
}

int output_add(struct output *out, struct rule *r, const struct labels *labels, int64_t t_ms, double value,
               const struct native_histogram *histogram)
{
    int e = histogram ? add_histogram(out, labels, t_ms, histogram) : add_sample(out, labels, t_ms, value);
    return e < 0 ? e : note_series(r, labels);
}

int output_stale(struct output *out, const struct labels *labels, int64_t t_ms)
{
    return add_sample(out, labels, t_ms, stale_marker());
}

struct vanishing {
    struct output *out;
    int64_t t_ms;
};
static int mark_stale(void *ctx, struct span packed)
{
    struct vanishing *v = ctx;
    struct label_box *labels = NULL;
    int r = label_box_unpack(packed, &labels);
    if (r == 0)
        r = output_stale(v->out, &labels->labels, v->t_ms);
    free(labels);
    return r;
}

int output_vanished(struct output *out, struct rule *r, int64_t t_ms)
{
    return each_vanished(r, mark_stale, &(struct vanishing){out, t_ms});
}

/* ---- into the store ---- */
void output_done(struct output *out)
{
    write_request_free(out->request);
    *out = (struct output){0};
}

int output_flush(struct output *out, struct store *store, char *why, size_t why_bytes)
{
    if (!out->request || !store) {
        output_done(out);
        return 0;
    }
    out->request->series = out->series;
    out->request->n_series = out->n;
    struct store_written written = {0};
    int r;
    int64_t give_up_us = mono_us() + QUEUE_WAIT_US;
    while ((r = store_write_derived(store, out->request, &written)) == -EAGAIN && mono_us() < give_up_us)
        sleep_us(QUEUE_POLL_US);
    if (r != -EAGAIN && r != -ESHUTDOWN)
        out->request = NULL; /* the store has it */
    output_done(out);
    uint64_t refused = 0;
    for (size_t i = 0; i < STORE_REFUSED_REASONS; i++)
        refused += written.refused[i];
    if (r == 0)
        r = written.error ? written.error : refused ? -EINVAL : 0;
    if (r < 0)
        (void)snprintf(why, why_bytes, "%s", written.why[0] ? written.why : strerror(-r));
    return r;
}
