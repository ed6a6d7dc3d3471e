/* hints.c - whether a native histogram that counts was reset since the sample before it.
 *
 * Writers seldom say so. Prometheus finds it out when it stores: samples of one chunk follow upon each other without a reset, the
 * first of a chunk is not known. So: "no reset" where the sample before it has the same layout and nothing fell, else
 * "unknown"; gauges stay gauges. Where only counts and sums are asked for, the buckets are looked at here and then left out, so
 * a reset between samples that were read is said, too. */
#include <errno.h>

#include "collector/promql/eval.h"

#define FAR_BACK_MS 7200000 /* no sample within the lookback: one look further back */

static bool same_layout(const struct native_histogram *a, const struct native_histogram *b)
{
    if (a->schema != b->schema || a->zero_threshold != b->zero_threshold || a->n_bounds != b->n_bounds)
        return false;
    for (size_t i = 0; i < a->n_bounds; i++)
        if (a->bounds[i] != b->bounds[i])
            return false;
    return true;
}

/* Has the counter fallen from one histogram to the next? Hints do not count. */
MUST_USE static int fell(struct arena *temporary, const struct native_histogram *now,
                         const struct native_histogram *before, bool *ret)
{
    struct native_histogram unknown = *now;
    unknown.hint = HISTOGRAM_RESET_UNKNOWN;
    int r = native_detect_reset(temporary, &unknown, before, ret);
    arena_reset(temporary);
    return r;
}

MUST_USE static int hint_of(struct arena *temporary, const struct native_histogram *now,
                            const struct native_histogram *before, enum histogram_reset_hint *ret)
{
    bool reset = true;
    int r = 0;
    *ret = now->hint == HISTOGRAM_GAUGE ? HISTOGRAM_GAUGE : HISTOGRAM_RESET_UNKNOWN;
    if (*ret == HISTOGRAM_GAUGE || !before || before->hint == HISTOGRAM_GAUGE || now->hint == HISTOGRAM_RESET_YES ||
        native_histogram_is_stale(before) || native_histogram_is_stale(now) || !same_layout(now, before))
        return 0;
    r = fell(temporary, now, before, &reset);
    if (r == 0 && !reset)
        *ret = HISTOGRAM_RESET_NO;
    return r;
}

/* Read again from where the sample before the first one may be; *first is that one's index then. */
MUST_USE static int read_from_before(struct eval *ev, uint32_t series, int64_t min_ms, int64_t max_ms,
                                     struct sample_columns *c, size_t *first)
{
    const int64_t distances[2] = {ev->lookback_ms, FAR_BACK_MS};
    *first = 0;
    for (size_t i = 0; i < 2 && *first == 0; i++) {
        int64_t from;
        if (__builtin_sub_overflow(min_ms, distances[i], &from))
            from = INT64_MIN;
        int r = store_read(ev->reader, series, from, max_ms, c);
        if (r < 0)
            return r;
        while (*first < c->n && c->t_ms[*first] < min_ms)
            ++*first;
    }
    return 0;
}

int read_histograms(struct eval *ev, uint32_t series, int64_t min_ms, int64_t max_ms, bool counts_and_sums,
                    struct arena *a, struct sample_columns *c, const struct native_histogram ***ret)
{
    size_t first = 0;
    struct arena temporary;
    int r = 0;
    if (c->histograms[0] && c->histograms[0]->hint != HISTOGRAM_GAUGE &&
        (r = read_from_before(ev, series, min_ms, max_ms, c, &first)) < 0)
        return r;
    size_t n = c->n - first;
    const struct native_histogram **out = arena_array(a, n, sizeof *out);
    struct native_histogram *copies = arena_array(a, n, sizeof *copies);
    if (!out || !copies)
        return -ENOMEM;
    arena_init(&temporary, ev->arena.max_bytes);
    const struct native_histogram *read_before = NULL; /* in the range that was asked for */
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct native_histogram *h = c->histograms[first + i];
        if (!h)
            continue;
        copies[i] = *h;
        out[i] = &copies[i];
        r = hint_of(&temporary, h, first + i > 0 ? c->histograms[first + i - 1] : NULL, &copies[i].hint);
        if (r < 0 || !counts_and_sums)
            continue;
        bool reset = false;
        if (copies[i].hint == HISTOGRAM_RESET_UNKNOWN && read_before && !native_histogram_is_stale(h)) {
            r = fell(&temporary, h, read_before, &reset);
            copies[i].hint = reset ? HISTOGRAM_RESET_YES : HISTOGRAM_RESET_NO;
        }
        if (!native_histogram_is_stale(h))
            read_before = h;
        copies[i] = (struct native_histogram){
            .schema = h->schema, .is_float = true, .hint = copies[i].hint, .count = h->count, .sum = h->sum};
    }
    arena_done(&temporary);
    if (r < 0)
        return r;
    memmove(c->t_ms, c->t_ms + first, n * sizeof *c->t_ms);
    memmove(c->value, c->value + first, n * sizeof *c->value);
    if (c->start_ms)
        memmove(c->start_ms, c->start_ms + first, n * sizeof *c->start_ms);
    c->n = n;
    *ret = out;
    return 0;
}
