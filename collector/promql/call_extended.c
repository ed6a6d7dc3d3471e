/* call_extended.c - rate, increase and delta over anchored and smoothed ranges: nothing is extrapolated.
 *
 * anchored: the window starts with the last sample at or before its open end. smoothed: the values at both ends of the
 * window are interpolated between their neighbours; where a counter was reset in between it is taken to have started
 * from 0. Neighbours count within the lookback. The rate is per second of the whole range. */
#include "collector/promql/calls.h"

struct edges {
    double left, right;
    size_t first, behind; /* samples strictly between the two: [first, behind) */
};

static double interpolated(const struct raw *raw, size_t before, int64_t time, bool is_counter)
{
    double a = raw->values[before], b = raw->values[before + 1];
    double part = (double)(time - raw->t_ms[before]) / (double)(raw->t_ms[before + 1] - raw->t_ms[before]);
    if (is_counter && b < a)
        a = 0;
    return a + (b - a) * part;
}

/* The window's values at its ends. false: it has no sample to speak of. */
static bool find_edges(const struct range_call *c, size_t step, struct edges *ret)
{
    const struct raw *raw = c->raw;
    size_t lo = c->lo[step], hi = c->hi[step];
    int64_t end = c->ends_ms[step], open = end - c->source->range_ms;
    bool smoothed = c->source->extension == EXTENSION_SMOOTHED;
    bool is_counter = ((const struct range_detail *)c->call->call.function->detail)->is_counter;
    bool before = lo > 0 && raw->t_ms[lo - 1] > open - c->ev->lookback_ms;
    bool behind = smoothed && hi < raw->n && raw->t_ms[hi] <= end + c->ev->lookback_ms;
    if (hi == lo && !(smoothed && before && behind)) /* only before, only behind, or nothing */
        return false;
    bool left_exact = before && raw->t_ms[lo - 1] == open, right_exact = hi > lo && raw->t_ms[hi - 1] == end;
    if (!before) {
        ret->left = raw->values[lo];
        ret->first = lo + 1;
    } else {
        bool between = smoothed && !left_exact && lo < raw->n; /* hi > lo or behind: there is a neighbour */
        ret->left = between ? interpolated(raw, lo - 1, open, is_counter) : raw->values[lo - 1];
        ret->first = lo;
    }
    if (smoothed && behind && !right_exact && hi > 0) {
        ret->right = interpolated(raw, hi - 1, end, is_counter);
        ret->behind = hi;
    } else {
        ret->right = raw->values[hi - 1];
        ret->behind = hi - 1;
    }
    return true;
}

int range_extended(struct range_call *c)
{
    const struct range_detail *d = c->call->call.function->detail;
    for (size_t s = 0; s < c->grid.n; s++) {
        struct edges e;
        if (!find_edges(c, s, &e))
            continue;
        double growth = e.right - e.left, before = e.left;
        for (size_t i = e.first; d->is_counter && i < e.behind; i++) {
            if (c->raw->values[i] < before)
                growth += before;
            before = c->raw->values[i];
        }
        if (d->is_counter && e.right < before)
            growth += before;
        c->values[s] = d->is_rate ? growth / ((double)c->source->range_ms / 1000.0) : growth;
        c->present[s] = true;
    }
    return 0;
}

void extend_windows_by_anchor(const struct range_source *src, int64_t lookback_ms, size_t steps, const struct raw *raw,
                              size_t *lo, const size_t *hi)
{
    for (size_t s = 0; s < steps; s++)
        if (hi[s] > lo[s] && lo[s] > 0 && raw->t_ms[lo[s] - 1] > src->ends_ms[s] - src->range_ms - lookback_ms)
            lo[s]--;
}
