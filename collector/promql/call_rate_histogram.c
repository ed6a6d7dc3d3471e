/* call_rate_histogram.c - rate and its family over windows of native histograms.
 *
 * As with floats: the last less the first, and at each reset what was there before it. The counts decide how far it is
 * extrapolated; each bucket goes along. */
#include <errno.h>
#include <math.h>

#include "collector/promql/calls.h"

static const struct promql_expr *place_of(const struct range_call *c)
{
    return c->call->call.args[0];
}

static const struct labels *labels_of(const struct range_call *c)
{
    return &c->source->series[c->index].labels;
}

MUST_USE static int warn_of_kind(const struct range_call *c, const char *kind)
{
    return eval_warn(c->ev, place_of(c), "this native histogram metric is not a %s: \"" SPAN_FMT "\"", kind,
                     SPAN_ARG(labels_get(labels_of(c), SPAN("__name__"))));
}

/* w += sign * h. 1: done; 0: they do not go together, which was told. */
MUST_USE static int combine(const struct range_call *c, struct native_work *w, const struct native_histogram *h,
                            int sign)
{
    struct native_notes notes = {false, false};
    int r = native_work_add(w, h, sign, &notes);
    if (r == -EINVAL)
        return warn_mixed_schemas(c->ev, place_of(c), labels_of(c));
    if (r == 0 && notes.reconciled)
        r = eval_info(c->ev, place_of(c), "mismatched custom buckets were reconciled during %s",
                      sign > 0 ? "addition" : "subtraction");
    return r < 0 ? r : 1;
}

/* Do the samples [first, behind) have one kind of buckets, and of a counter's histograms are none gauges? 1: go on; 0: not, told. */
MUST_USE static int check_kinds(const struct range_call *c, size_t first, size_t behind, bool custom)
{
    const struct range_detail *d = c->call->call.function->detail;
    for (size_t i = first; i < behind; i++) {
        const struct native_histogram *h = c->raw->histograms[i];
        int r = d->is_counter && h->hint == HISTOGRAM_GAUGE ? warn_of_kind(c, "counter") : 0;
        if (r == 0 && native_is_custom(h) != custom)
            return warn_mixed_schemas(c->ev, place_of(c), labels_of(c));
        if (r < 0)
            return r;
    }
    return 1;
}

MUST_USE static int reset_at(const struct range_call *c, size_t i, const struct native_histogram *before, bool *ret)
{
    *ret = start_is_reset(c->raw, i);
    return *ret ? 0 : native_detect_reset(c->temporary, c->raw->histograms[i], before, ret);
}

/* The growth over a window of two samples at least. 1: in *w; 0: none. */
MUST_USE static int growth_of(struct range_call *c, size_t step, struct native_work *w)
{
    const struct range_detail *d = c->call->call.function->detail;
    const struct native_histogram **h = c->raw->histograms;
    size_t lo = c->lo[step], hi = c->hi[step];
    const struct native_histogram *before = h[lo], *last = h[hi - 1];
    struct native_histogram nothing;
    bool reset = false;
    int r = d->is_counter && before->hint == HISTOGRAM_GAUGE ? warn_of_kind(c, "counter") : 0;
    if (r == 0 && d->is_counter)
        r = reset_at(c, lo + 1, before, &reset);
    if (r < 0)
        return r;
    if (reset) { /* what the first one looks like does not matter then */
        const struct native_histogram *second = h[lo + 1];
        nothing =
            (struct native_histogram){.schema = second->schema, .bounds = second->bounds, .n_bounds = second->n_bounds};
        before = &nothing;
    }
    int32_t schema = last->schema < before->schema ? last->schema : before->schema;
    for (size_t i = lo + 1; d->is_counter && i + 1 < hi; i++)
        schema = h[i]->schema < schema ? h[i]->schema : schema;
    r = check_kinds(c, d->is_counter ? lo + 1 : hi - 1, hi, native_is_custom(before));
    if (r <= 0 || (r = native_work_init(w, c->temporary, last)) < 0 || (r = native_work_coarsen(w, schema)) < 0 ||
        (r = combine(c, w, before, -1)) <= 0)
        return r;
    for (size_t i = lo + 1; d->is_counter && i < hi; i++) {
        if ((r = reset_at(c, i, before, &reset)) < 0 || (reset && (r = combine(c, w, before, 1)) <= 0))
            return r;
        before = h[i];
    }
    if (!d->is_counter && (h[lo]->hint != HISTOGRAM_GAUGE || last->hint != HISTOGRAM_GAUGE) &&
        (r = warn_of_kind(c, "gauge")) < 0)
        return r;
    w->hint = HISTOGRAM_GAUGE;
    return 1;
}

int rate_of_histograms(struct range_call *c, size_t step, const struct native_histogram **ret)
{
    const struct range_detail *d = c->call->call.function->detail;
    size_t lo = c->lo[step], hi = c->hi[step];
    bool started = d->is_counter && hi > lo && starts_inside(c->raw, lo, c->ends_ms[step] - c->source->range_ms);
    struct native_work w;
    int r;
    if (hi - lo < (started ? 1 : 2))
        return 0;
    const struct native_histogram *first = c->raw->histograms[lo];
    if (hi - lo == 1) {
        if ((r = native_work_init(&w, c->temporary, first)) < 0)
            return r;
    } else {
        if (d->is_counter && (r = look_for_overlap(c, lo, hi)) < 0)
            return r;
        if ((r = growth_of(c, step, &w)) <= 0 || (started && (r = combine(c, &w, first, 1)) <= 0))
            return r;
    }
    native_work_scale(&w, extrapolation_factor(c, step, first->count, w.count.value, started));
    return native_work_give(&w, NATIVE_COMPACT, ret);
}

int instant_of_histograms(struct range_call *c, size_t i, double seconds, const struct native_histogram **ret)
{
    const struct range_detail *d = c->call->call.function->detail;
    const struct native_histogram *now = c->raw->histograms[i], *before = c->raw->histograms[i - 1];
    bool some_gauge = now->hint == HISTOGRAM_GAUGE || before->hint == HISTOGRAM_GAUGE;
    bool all_gauges = now->hint == HISTOGRAM_GAUGE && before->hint == HISTOGRAM_GAUGE;
    bool reset = false;
    struct native_work w;
    int r = 0;
    arena_reset(c->temporary);
    if (d->is_rate && some_gauge)
        r = warn_of_kind(c, "counter");
    else if (!d->is_rate && !all_gauges)
        r = warn_of_kind(c, "gauge");
    if (r == 0 && d->is_rate)
        r = reset_at(c, i, before, &reset);
    if (r < 0 || (r = native_work_init(&w, c->temporary, now)) < 0 || (!reset && (r = combine(c, &w, before, -1)) <= 0))
        return r;
    w.hint = HISTOGRAM_GAUGE;
    if (d->is_rate)
        native_work_divide(&w, seconds);
    return native_work_give(&w, NATIVE_COMPACT, ret);
}

/* ---- anchored and smoothed ---- */

struct ends {           /* of a window, and the histograms that stand at them */
    size_t first, last; /* samples */
    bool left_is_between, right_is_between;
    const struct native_histogram *left, *right;
};

MUST_USE static int end_between(struct range_call *c, size_t before, int64_t time_ms,
                                const struct native_histogram **ret)
{
    const struct range_detail *d = c->call->call.function->detail;
    int r = histogram_between(c->ev, place_of(c), c->temporary, c->raw->histograms[before], c->raw->t_ms[before],
                              c->raw->histograms[before + 1], c->raw->t_ms[before + 1], time_ms, d->is_counter, ret);
    return r == -EINVAL ? warn_mixed_schemas(c->ev, place_of(c), labels_of(c)) : r < 0 ? r : 1;
}

/* 1: found; 0: the window has nothing. */
MUST_USE static int find_ends(struct range_call *c, size_t step, struct ends *ret)
{
    const struct raw *raw = c->raw;
    size_t lo = c->lo[step], hi = c->hi[step];
    int64_t end = c->ends_ms[step], open = end - c->source->range_ms;
    bool smoothed = c->source->extension == EXTENSION_SMOOTHED;
    bool before = lo > 0 && raw->t_ms[lo - 1] > open - c->ev->lookback_ms;
    bool exact = hi > lo && raw->t_ms[hi - 1] == end;
    bool behind = smoothed && !exact && hi < raw->n && raw->t_ms[hi] <= end + c->ev->lookback_ms;
    if (hi == lo && !(before && behind))
        return 0;
    *ret = (struct ends){.first = before ? lo - 1 : lo, .last = behind ? hi : hi - 1};
    ret->left_is_between = smoothed && before && raw->t_ms[ret->first] < open;
    ret->right_is_between = behind;
    const struct native_histogram **h = raw->histograms;
    int r = check_kinds(c, ret->first, ret->last + 1, native_is_custom(h[ret->first]));
    if (r <= 0)
        return r;
    ret->left = h[ret->first];
    ret->right = h[ret->last];
    if (ret->left_is_between && (r = end_between(c, ret->first, open, &ret->left)) <= 0)
        return r;
    if (ret->right_is_between && (r = end_between(c, ret->last - 1, end, &ret->right)) <= 0)
        return r;
    return 1;
}

/* Add what resets inside the window took away. 1, or 0: told. */
MUST_USE static int correct_for_resets(struct range_call *c, const struct ends *e, struct native_work *w)
{
    const struct native_histogram **h = c->raw->histograms, *before = e->left;
    size_t first = e->first + 1;
    bool reset = false;
    int r = 0;
    if (e->left_is_between && (r = native_detect_reset(c->temporary, h[first], h[e->first], &reset)) < 0)
        return r;
    if (reset) /* the left end knows of it */
        before = h[first++];
    if (first > e->last) /* nothing lies between the ends */
        return 1;
    for (size_t i = first; i <= e->last; i++) {
        const struct native_histogram *now = i == e->last ? e->right : h[i];
        if ((r = native_detect_reset(c->temporary, now, before, &reset)) < 0 ||
            (reset && (r = combine(c, w, before, 1)) <= 0))
            return r;
        before = now;
    }
    return 1;
}

int extended_rate_of_histograms(struct range_call *c, size_t step, const struct native_histogram **ret)
{
    const struct range_detail *d = c->call->call.function->detail;
    struct ends e;
    struct native_work w;
    int r = find_ends(c, step, &e);
    if (r <= 0)
        return r;
    if (!d->is_counter && (e.left->hint != HISTOGRAM_GAUGE || e.right->hint != HISTOGRAM_GAUGE) &&
        (r = warn_of_kind(c, "gauge")) < 0)
        return r;
    if ((r = native_work_init(&w, c->temporary, e.right)) < 0 || (r = combine(c, &w, e.left, -1)) <= 0 ||
        (d->is_counter && (r = correct_for_resets(c, &e, &w)) <= 0))
        return r;
    if (d->is_rate)
        native_work_divide(&w, (double)c->source->range_ms / 1000.0);
    w.hint = HISTOGRAM_GAUGE;
    return native_work_give(&w, NATIVE_COMPACT, ret);
}
