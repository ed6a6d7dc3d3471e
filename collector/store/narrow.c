/* narrow.c - has a series a sample in the times? A closer look than the list of extents gives, for lists of series and labels. */
#include <errno.h>

#include "collector/store/histogram_extent.h"
#include "collector/store/reader_inside.h"

#define LOOKED_AT_MAX 16u /* extents of a group; those who ask for longer times get who is near, too */
#define ONE_IS_ENOUGH (-EALREADY)

static int stop_at_run(void *ctx UNUSED, const struct head_run *run)
{
    return run->n ? ONE_IS_ENOUGH : 0;
}

static int stop_at_item(void *ctx UNUSED, const struct histogram_item *item UNUSED)
{
    return ONE_IS_ENOUGH;
}

bool reader_head_has(const struct head *h, uint32_t id, uint32_t seq, int64_t min_ms, int64_t max_ms)
{
    return head_read(h, id, seq, min_ms, max_ms, stop_at_run, NULL) < 0 ||
           head_read_histograms(h, id, seq, min_ms, max_ms, stop_at_item, NULL) < 0;
}

static bool any_between(const int64_t *t, size_t n, int64_t min_ms, int64_t max_ms)
{
    for (size_t i = 0; i < n && t[i] <= max_ms; i++)
        if (t[i] >= min_ms)
            return true;
    return false;
}

/* true where it cannot be looked at, too. */
static bool extent_has(struct loaded_extent *x, unsigned ord, int64_t min_ms, int64_t max_ms)
{
    if (x->extent.histograms) {
        struct histogram_series at;
        int64_t t[EXTENT_SAMPLES_MAX];
        return histogram_extent_find(&x->extent, ord, &at) &&
               (histogram_extent_times(&x->extent, &at, t) < 0 || any_between(t, at.samples, min_ms, max_ms));
    }
    struct extent_series at;
    const int64_t *t;
    return extent_find(&x->extent, ord, &at) &&
           (loaded_extent_times(x, &at, &t) < 0 || any_between(t, at.samples, min_ms, max_ms));
}

static bool group_has(struct store_reader *rd, struct read_group *g, uint32_t group, unsigned ord, int64_t min_ms,
                      int64_t max_ms)
{
    unsigned looked = 0;
    if (reader_enter_group(rd, g, group) < 0)
        return true;
    for (size_t i = 0; i < g->n_refs && g->refs[i].min_ms <= max_ms; i++) {
        if (g->refs[i].max_ms < min_ms || g->refs[i].bad)
            continue;
        if (++looked > LOOKED_AT_MAX || reader_load(rd, g, i) < 0 || extent_has(&g->loaded[i], ord, min_ms, max_ms))
            return true;
    }
    return false;
}

bool reader_sealed_has(struct store_reader *rd, uint32_t id, int64_t min_ms, int64_t max_ms)
{
    uint32_t group = id / EXTENT_SERIES_MAX;
    unsigned ord = id % EXTENT_SERIES_MAX;
    return rd->gone || group_has(rd, &rd->floats, group, ord, min_ms, max_ms) ||
           group_has(rd, &rd->histograms, group | EXTENT_HISTOGRAMS, ord, min_ms, max_ms);
}
