/* call_rate.c - how fast something changes: rate and its family, regressions, changes and resets.
 * Semantics: prometheus.io/docs/prometheus/latest/querying/functions. */
#include "collector/promql/calls.h"
#include "collector/promql/shared_times.h"

#include <math.h>

/* ---- counter resets ---- */

/* A start time lies between the two samples, or exactly on the one before when that one had a start before it, too (a delta).
 * A start on the first sample itself means that the start is not known. */
bool start_is_reset(const struct raw *raw, size_t i)
{
    if (!raw->start_ms || raw->start_ms[i] == 0)
        return false;
    int64_t start = raw->start_ms[i], before = raw->t_ms[i - 1], start_before = raw->start_ms[i - 1];
    if (start >= raw->t_ms[i])
        return false;
    return start > before || (start == before && start_before != 0 && start_before < before);
}

/* Did the counter start anew between sample i - 1 and sample i? */
static inline bool is_reset(const struct raw *raw, size_t i)
{
    return raw->values[i] < raw->values[i - 1] || start_is_reset(raw, i);
}

bool starts_inside(const struct raw *raw, size_t first, int64_t open_ms)
{
    return raw->start_ms && raw->start_ms[first] != 0 && raw->start_ms[first] > open_ms &&
           raw->start_ms[first] < raw->t_ms[first];
}

int look_for_overlap(const struct range_call *c, size_t lo, size_t hi)
{
    const struct raw *raw = c->raw;
    for (size_t i = lo + 1; raw->start_ms && i < hi; i++) {
        int64_t start = raw->start_ms[i];
        if (start != 0 && start < raw->t_ms[i - 1] && start != raw->start_ms[i - 1])
            return eval_warn(c->ev, c->call->call.args[0],
                             "sample has start time that overlaps with previous sample timestamp for metric \"" SPAN_FMT
                             "\"",
                             SPAN_ARG(labels_get(&c->source->series[c->index].labels, SPAN("__name__"))));
    }
    return 0;
}

/* ---- rate, increase, delta ---- */

/* Growth between the first and the last sample of a window is stretched to the window's edges: to an edge that is near
 * (within 1.1 average distances) all the way, else by half a distance; a counter never below where it would have been 0.
 * Where a counter is known to have started, it was 0 then, and nothing is guessed on that side. */
double extrapolation_factor(const struct range_call *c, size_t step, double first, double growth, bool started)
{
    const struct range_detail *d = c->call->call.function->detail;
    const struct raw *raw = c->raw;
    size_t lo = c->lo[step], hi = c->hi[step];
    int64_t end = c->ends_ms[step], first_ms = raw->t_ms[lo], last_ms = raw->t_ms[hi - 1];
    double sampled = (double)(last_ms - (started ? raw->start_ms[lo] : first_ms)); /* all in ms */
    double average = hi - lo > 1 ? (double)(last_ms - first_ms) / (double)(hi - lo - 1) : 0;
    double threshold = average * 1.1;
    double to_start = started ? 0 : (double)(first_ms - (end - c->source->range_ms));
    double to_end = (double)(end - last_ms);
    if (to_start >= threshold)
        to_start = average / 2;
    if (d->is_counter && !started && growth > 0 && first >= 0 && sampled * first < to_start * growth)
        to_start = sampled * (first / growth); /* where it would have been 0 */
    if (to_end >= threshold)
        to_end = average / 2;
    double factor = sampled == 0 ? 1 : (sampled + (started ? 0 : to_start) + to_end) / sampled;
    return d->is_rate ? factor / ((double)c->source->range_ms / 1000.0) : factor;
}

/* The window's first reset stays known from step to step, so a step costs what is new in its window (and its resets), not
 * the window's size. */
static int range_extrapolated(struct range_call *c)
{
    const struct range_detail *d = c->call->call.function->detail;
    const struct raw *raw = c->raw;
    size_t reset = 0, looked_at = 0;
    if (rates_of_shared_times(c))
        return 0;
    for (size_t s = 0; s < c->grid.n; s++) {
        size_t lo = c->lo[s], hi = c->hi[s];
        bool started = d->is_counter && hi > lo && starts_inside(raw, lo, c->ends_ms[s] - c->source->range_ms);
        if (hi - lo < (started ? 1 : 2))
            continue;
        double growth = raw->values[hi - 1] - (started ? 0 : raw->values[lo]);
        if (d->is_counter) {
            if (reset <= lo)
                reset = lo + 1;
            while (reset < hi && !is_reset(raw, reset))
                reset++;
            for (size_t i = reset; i < hi; i++)
                if (is_reset(raw, i))
                    growth += raw->values[i - 1];
            int r = looked_at < hi ? look_for_overlap(c, lo, hi) : 0;
            if (r < 0)
                return r;
            looked_at = hi;
        }
        c->values[s] = growth * extrapolation_factor(c, s, raw->values[lo], growth, started);
        c->present[s] = true;
    }
    return 0;
}

/* The last two samples only. */
static int range_instant(struct range_call *c)
{
    const struct range_detail *d = c->call->call.function->detail;
    const struct raw *raw = c->raw;
    for (size_t s = 0; s < c->grid.n; s++) {
        size_t lo = c->lo[s], hi = c->hi[s];
        if (hi - lo < 2)
            continue;
        double last = raw->values[hi - 1], before = raw->values[hi - 2];
        int64_t ms = raw->t_ms[hi - 1] - raw->t_ms[hi - 2];
        if (ms == 0)
            continue;
        bool now = raw_histogram(raw, hi - 1), then = raw_histogram(raw, hi - 2);
        if (now || then) {
            const struct native_histogram *h = NULL;
            int r = now && then ? instant_of_histograms(c, hi - 1, (double)ms / 1000.0, &h)
                                : warn_mixed_floats(c->ev, c->call->call.args[0], &c->source->series[c->index].labels);
            if (r < 0 || (h && (r = range_put_histogram(c, s, h)) < 0))
                return r;
            continue;
        }
        double v = d->is_rate && is_reset(raw, hi - 1) ? last : last - before;
        c->values[s] = d->is_rate ? v / ((double)ms / 1000.0) : v;
        c->present[s] = true;
    }
    return 0;
}

/* ---- regressions ---- */

struct line {
    double slope, intercept;
};

static struct line linear_regression(const struct raw *raw, size_t lo, size_t hi, int64_t zero_ms)
{
    struct kahan x = {0}, y = {0}, xy = {0}, x2 = {0};
    double n = 0, first = raw->values[lo];
    bool constant = true;
    for (size_t i = lo; i < hi; i++) {
        double v = raw->values[i], dx = (double)(raw->t_ms[i] - zero_ms) / 1000.0;
        constant &= v == first || i == lo;
        n++;
        kahan_add(&x, dx);
        kahan_add(&y, v);
        kahan_add(&xy, dx * v);
        kahan_add(&x2, dx * dx);
    }
    if (constant)
        return isinf(first) ? (struct line){NAN, NAN} : (struct line){0, first};
    double sx = x.sum + x.c, sy = y.sum + y.c, sxy = xy.sum + xy.c, sx2 = x2.sum + x2.c;
    double slope = (sxy - sx * sy / n) / (sx2 - sx * sx / n);
    return (struct line){slope, sy / n - slope * sx / n};
}

static int range_deriv(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        if (c->hi[s] - c->lo[s] < 2)
            continue;
        c->values[s] = linear_regression(c->raw, c->lo[s], c->hi[s], c->raw->t_ms[c->lo[s]]).slope;
        c->present[s] = true;
    }
    return 0;
}

static int range_predict_linear(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        if (c->hi[s] - c->lo[s] < 2)
            continue;
        struct line l = linear_regression(c->raw, c->lo[s], c->hi[s], grid_time(&c->grid, s));
        c->values[s] = l.slope * c->args[0][s] + l.intercept;
        c->present[s] = true;
    }
    return 0;
}

static int range_smoothing(struct range_call *c)
{
    for (size_t s = 0; s < c->grid.n; s++) {
        double sf = c->args[0][s], tf = c->args[1][s];
        if (c->hi[s] == c->lo[s])
            continue;
        if (!(sf > 0 && sf < 1))
            return eval_fail(c->ev, PROMQL_EXECUTION, c->call,
                             "invalid smoothing factor. Expected: 0 < sf < 1, got: %f", sf);
        if (!(tf > 0 && tf < 1))
            return eval_fail(c->ev, PROMQL_EXECUTION, c->call, "invalid trend factor. Expected: 0 < tf < 1, got: %f",
                             tf);
        if (c->hi[s] - c->lo[s] < 2)
            continue;
        const double *v = c->raw->values + c->lo[s];
        double before = 0, now = v[0], trend = v[1] - v[0];
        for (size_t i = 1; i < c->hi[s] - c->lo[s]; i++) {
            if (i > 1)
                trend = tf * (now - before) + (1 - tf) * trend;
            double next = sf * v[i] + (1 - sf) * (now + trend);
            before = now;
            now = next;
        }
        c->values[s] = now;
        c->present[s] = true;
    }
    return 0;
}

/* ---- changes and resets: counted between neighbours, so a running count answers every window ---- */

static bool is_change(const struct raw *raw, size_t i)
{
    double before = raw->values[i - 1], now = raw->values[i];
    return now != before && !(isnan(now) && isnan(before));
}

/* The same where histograms may be among the samples: 1, 0 or negative. From one kind to the other is both. */
MUST_USE static int counts_as(const struct range_call *c, size_t i, bool (*counts)(const struct raw *raw, size_t i))
{
    const struct native_histogram *before = raw_histogram(c->raw, i - 1), *now = raw_histogram(c->raw, i);
    if (!before && !now)
        return counts(c->raw, i);
    if (!before || !now)
        return 1;
    if (counts == is_change)
        return !native_equal(now, before);
    bool reset = start_is_reset(c->raw, i);
    int r = reset ? 0 : native_detect_reset(c->temporary, now, before, &reset);
    arena_reset(c->temporary);
    return r < 0 ? r : reset;
}

static int range_count_pairs(struct range_call *c, bool (*counts)(const struct raw *raw, size_t i))
{
    const struct raw *raw = c->raw;
    size_t from = 0, to = 0; /* pairs (i - 1, i) with from < i <= to are in `n` */
    double n = 0;
    bool *mixed = NULL; /* per sample, where histograms make the question dear */
    if (raw->histograms) {
        int r = eval_scratch(c->ev, raw->n * sizeof *mixed, &mixed);
        for (size_t i = 1; r >= 0 && i < raw->n; i++) {
            r = counts_as(c, i, counts);
            mixed[i] = r > 0;
        }
        if (r < 0)
            return r;
    }
    for (size_t s = 0; s < c->grid.n; s++) {
        size_t lo = c->lo[s], hi = c->hi[s];
        if (hi == lo)
            continue;
        if (lo > to) { /* nothing of the last window is left */
            from = to = lo;
            n = 0;
        }
        for (; to + 1 < hi; to++)
            n += mixed ? mixed[to + 1] : counts(raw, to + 1);
        for (; from < lo; from++)
            n -= mixed ? mixed[from + 1] : counts(raw, from + 1);
        c->values[s] = n;
        c->present[s] = true;
    }
    return 0;
}

static int range_changes(struct range_call *c)
{
    return range_count_pairs(c, is_change);
}

static int range_resets(struct range_call *c)
{
    return range_count_pairs(c, is_reset);
}

#define OF_BOTH .takes = RANGE_EITHER, .of_histograms = rate_of_histograms, .between_edges = true
const struct range_detail RANGE_rate = {.fn = range_extrapolated, .is_counter = true, .is_rate = true, OF_BOTH};
const struct range_detail RANGE_increase = {.fn = range_extrapolated, .is_counter = true, OF_BOTH};
const struct range_detail RANGE_delta = {.fn = range_extrapolated, OF_BOTH};
const struct range_detail RANGE_irate = {.fn = range_instant, .takes = RANGE_ANY, .is_rate = true};
const struct range_detail RANGE_idelta = {.fn = range_instant, .takes = RANGE_ANY};
const struct range_detail RANGE_deriv = {.fn = range_deriv, .takes = RANGE_TWO_FLOATS};
const struct range_detail RANGE_predict_linear = {.fn = range_predict_linear, .takes = RANGE_TWO_FLOATS};
const struct range_detail RANGE_changes = {.fn = range_changes, .takes = RANGE_ANY};
const struct range_detail RANGE_resets = {.fn = range_resets, .takes = RANGE_ANY};
const struct range_detail RANGE_double_exponential_smoothing = {.fn = range_smoothing, .takes = RANGE_TWO_FLOATS};
