/* Rollups in the place of samples: which buckets are whole, what they come to, and the samples of the rest.
 *
 * A rollup was made of all extents of its group and day that its file has. While the reader lists exactly those, it says of each of
 * their samples what they say; what else there is of the day (late samples in head.db or in the heads, deletions, native
 * histograms, the end of a series' own retention) divides or hides buckets, whose samples are read then. */
#include <errno.h>
#include <math.h>

#include "collector/store/reader_inside.h"
#include "lib/base/clock.h"

#define DAY_MS INT64_C(86400000)
#define DIRT_MAX 32u /* times that rollups cannot speak for; more grow into one */

struct rolling {
    struct store_reader *rd;
    const struct store_rolling *how;
    struct reading *in;
    uint32_t id;
    unsigned ord;
    int64_t cutoff_ms; /* of the series' samples */
    struct time_range dirt[DIRT_MAX];
    size_t n_dirt, n_series_dirt; /* the first ones: of the series, on any day */
    struct rollup_series at;      /* of the extent that is being looked at */
    const struct rollup_clock *clock;
    double values[ROLLUP_FIELDS][ROLLUPS_MAX];
    double bound; /* of all sums */
    bool exact;
};

static void add_dirt(struct rolling *g, int64_t min_ms, int64_t max_ms)
{
    if (g->n_dirt < DIRT_MAX) {
        g->dirt[g->n_dirt++] = (struct time_range){min_ms, max_ms};
        return;
    }
    struct time_range *last = &g->dirt[DIRT_MAX - 1];
    last->min_ms = min_ms < last->min_ms ? min_ms : last->min_ms;
    last->max_ms = max_ms > last->max_ms ? max_ms : last->max_ms;
}

static bool is_dirty(const struct rolling *g, int64_t min_ms, int64_t max_ms)
{
    for (size_t i = 0; i < g->n_dirt; i++)
        if (g->dirt[i].min_ms <= max_ms && g->dirt[i].max_ms >= min_ms)
            return true;
    return false;
}

/* Does an edge part samples of these times? */
static bool is_divided(const struct store_rolling *how, int64_t min_ms, int64_t max_ms)
{
    size_t low = 0, high = how->n_edges; /* the first edge at or behind min_ms */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (how->edges_ms[mid] < min_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low < how->n_edges && how->edges_ms[low] < max_ms;
}

/* Behind the first n_longer, which are buckets of another length. */
static int cover(struct time_ranges *c, size_t n_longer, int64_t min_ms, int64_t max_ms)
{
    if (c->n > n_longer && c->list[c->n - 1].max_ms == min_ms - 1) {
        c->list[c->n - 1].max_ms = max_ms;
        return 0;
    }
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        struct time_range *list = realloc(c->list, cap * sizeof *list);
        if (!list)
            return -ENOMEM;
        c->list = list;
        c->cap = cap;
    }
    c->list[c->n++] = (struct time_range){min_ms, max_ms};
    return 0;
}

static bool is_covered(const struct time_ranges *c, size_t n, int64_t t_ms)
{
    for (size_t i = n; i-- > 0;) /* what was covered last is the likeliest */
        if (c->list[i].min_ms <= t_ms && c->list[i].max_ms >= t_ms)
            return true;
    return false;
}

static int by_time(const void *a, const void *b)
{
    const struct time_range *x = a, *y = b;
    return (x->min_ms > y->min_ms) - (x->min_ms < y->min_ms);
}

static void join(struct time_ranges *c)
{
    size_t n = 0;
    if (c->n)
        qsort(c->list, c->n, sizeof *c->list, by_time);
    for (size_t i = 0; i < c->n; i++)
        if (n && c->list[n - 1].max_ms + 1 == c->list[i].min_ms)
            c->list[n - 1].max_ms = c->list[i].max_ms;
        else
            c->list[n++] = c->list[i];
    c->n = n;
}

/* ---- what else there is of the series ---- */
static int note_run(void *ctx, const struct head_run *run)
{
    struct rolling *g = ctx;
    int64_t min_ms = INT64_MAX, max_ms = INT64_MIN;
    for (size_t i = 0; i < run->n; i++) {
        int64_t t_ms = head_run_ms(run, i);
        min_ms = t_ms < min_ms ? t_ms : min_ms;
        max_ms = t_ms > max_ms ? t_ms : max_ms;
    }
    if (run->n)
        add_dirt(g, min_ms, max_ms);
    return 0;
}

static int note_histogram(void *ctx, const struct histogram_item *item UNUSED)
{
    *(bool *)ctx = true;
    return 0;
}

static void note_deleted(struct rolling *g, const struct read_group *of)
{
    for (size_t i = 0; i < of->n_dead; i++)
        if (of->dead[i].ords[g->ord / 64] >> g->ord % 64 & 1)
            add_dirt(g, of->dead[i].min_ms, of->dead[i].max_ms);
}

/* Has it native histograms at these times? They have no rollups, and what both are together is asked of samples. */
static int find_histograms(struct rolling *g, bool *ret)
{
    const struct store_view *v = &g->rd->view;
    const struct reading *in = g->in;
    struct read_group *of = &g->rd->histograms;
    int r = reader_enter_group(g->rd, of, g->id / EXTENT_SERIES_MAX | EXTENT_HISTOGRAMS);
    *ret = false;
    for (size_t i = 0; r == 0 && !*ret && i < of->n_refs && of->refs[i].min_ms <= in->max_ms; i++) {
        struct histogram_series at;
        if (of->refs[i].max_ms < in->min_ms || of->refs[i].bad)
            continue;
        r = reader_load(g->rd, of, i);
        *ret = r < 0 || histogram_extent_find(&of->loaded[i].extent, g->ord, &at); /* gone or damaged: read all */
        r = r == -ENOENT || r == -EBADMSG ? 0 : r;
    }
    if (r == 0 && v->frozen)
        r = head_read_histograms(v->frozen, g->id, v->seq, in->min_ms, in->max_ms, note_histogram, ret);
    return r < 0 ? r : head_read_histograms(v->active, g->id, v->seq, in->min_ms, in->max_ms, note_histogram, ret);
}

static int note_series_dirt(struct rolling *g)
{
    const struct store_view *v = &g->rd->view;
    int r = 0;
    note_deleted(g, &g->rd->floats);
    note_deleted(g, &g->rd->hours);
    note_deleted(g, &g->rd->minutes);
    if (v->frozen)
        r = head_read(v->frozen, g->id, v->seq, g->in->min_ms, g->in->max_ms, note_run, g);
    if (r == 0)
        r = head_read(v->active, g->id, v->seq, g->in->min_ms, g->in->max_ms, note_run, g);
    g->n_series_dirt = g->n_dirt;
    return r;
}

/* Are the extents that the reader lists of the day those that the rollup was made of? What lies elsewhere becomes dirt. */
static bool is_of(struct rolling *g, const struct extent_ref *ref, unsigned made_of)
{
    const struct read_group *floats = &g->rd->floats;
    int64_t day_ms = day_start_ms(ref->min_ms);
    size_t low = 0, high = floats->n_refs, same = 0;
    g->n_dirt = g->n_series_dirt;
    while (low < high) { /* the first of the day: they are sorted, and none crosses midnight */
        size_t mid = low + (high - low) / 2;
        if (floats->refs[mid].min_ms < day_ms)
            low = mid + 1;
        else
            high = mid;
    }
    for (size_t i = low; i < floats->n_refs && floats->refs[i].min_ms - day_ms < DAY_MS; i++) {
        if (floats->refs[i].part != ref->part)
            add_dirt(g, floats->refs[i].min_ms, floats->refs[i].max_ms);
        else
            same += !floats->refs[i].bad;
    }
    return made_of > 0 && same == made_of;
}

/* ---- a rollup ---- */
/* 1: the extent is there and has the series, at g->at and g->clock; 0: it has not, or is damaged; -ESTALE: it moved. */
static int open_rollup(struct rolling *g, struct read_group *of, size_t i)
{
    struct loaded_extent *x = &of->loaded[i];
    int r = of->refs[i].bad ? -EBADMSG : reader_load(g->rd, of, i);
    if (r == -ENOENT)
        return -ESTALE;
    if (r < 0 || !rollup_find(&x->extent, g->ord, &g->at))
        return r == -EBADMSG ? 0 : r;
    if (x->times_column != g->at.clock) {
        if (!x->times && !(x->times = malloc(sizeof(struct rollup_clock))))
            return -ENOMEM;
        x->times_column = EXTENT_SERIES_MAX;
        r = rollup_clock(&x->extent, &g->at, (struct rollup_clock *)x->times);
        if (r == 0)
            x->times_column = g->at.clock;
    }
    g->clock = (const struct rollup_clock *)x->times;
    if (r == -EBADMSG) {
        extent_dir_mark_bad(&g->rd->store->extents, of->refs[i].group, of->refs[i].id);
        of->refs[i].bad = true;
    }
    return r == -EBADMSG ? 0 : r < 0 ? r : 1;
}

static unsigned wanted_of(enum store_rolled as)
{
    static const unsigned WANTED[] = {
        [STORE_ROLLED_FIRST] = 1u << ROLLUP_FIRST,
        [STORE_ROLLED_LAST] = 1u << ROLLUP_LAST,
        [STORE_ROLLED_MIN] = 1u << ROLLUP_MIN,
        [STORE_ROLLED_MAX] = 1u << ROLLUP_MAX,
        [STORE_ROLLED_SUM] = 1u << ROLLUP_MIN | 1u << ROLLUP_MAX | 1u << ROLLUP_SUM,
        [STORE_ROLLED_ENDS] = 1u << ROLLUP_LAST,
        [STORE_ROLLED_COUNTER] = 1u << ROLLUP_LOST,
    };
    return as == STORE_ROLLED_COUNT ? 0 : WANTED[as];
}

/* Room for one more, with a count. */
static int need_counts(struct sample_columns *c)
{
    int r = reader_reserve(c, 1);
    if (r < 0 || c->count)
        return r;
    c->count = malloc(c->cap * sizeof *c->count);
    if (!c->count)
        return -ENOMEM;
    for (size_t i = 0; i < c->n; i++)
        c->count[i] = 1;
    return 0;
}

static int give(struct rolling *g, int64_t t_ms, double value, double count)
{
    struct sample_columns *c = g->in->columns;
    int r = need_counts(c);
    if (r < 0)
        return r;
    if (c->n && t_ms <= c->t_ms[c->n - 1])
        g->in->ascending = false;
    if (c->start_ms)
        c->start_ms[c->n] = 0;
    c->t_ms[c->n] = t_ms;
    c->value[c->n] = value;
    c->count[c->n++] = count;
    return 0;
}

/* The first and the last sample, and between them a counter that rises to what was lost and falls to 0. */
static int give_ends(struct rolling *g, size_t i)
{
    int64_t first_ms = g->clock->firsts_ms[i], last_ms = g->clock->lasts_ms[i];
    double count = (double)g->clock->counts[i], lost = g->values[ROLLUP_LOST][i];
    bool falls = g->how->as == STORE_ROLLED_COUNTER && lost > 0 && last_ms - first_ms >= 3;
    int r = 0;
    if (last_ms > first_ms)
        r = give(g, first_ms, g->values[ROLLUP_FIRST][i], 1);
    if (r == 0 && falls)
        r = give(g, first_ms + 1, lost, 0);
    if (r == 0 && falls)
        r = give(g, first_ms + 2, 0, 0);
    return r < 0 ? r : give(g, last_ms, g->values[ROLLUP_LAST][i], last_ms > first_ms ? count - 1 : count);
}

static int give_bucket(struct rolling *g, size_t i)
{
    static const enum rollup_field FIELD[] = {[STORE_ROLLED_FIRST] = ROLLUP_FIRST,
                                              [STORE_ROLLED_LAST] = ROLLUP_LAST,
                                              [STORE_ROLLED_MIN] = ROLLUP_MIN,
                                              [STORE_ROLLED_MAX] = ROLLUP_MAX,
                                              [STORE_ROLLED_SUM] = ROLLUP_SUM};
    double count = (double)g->clock->counts[i];
    if (g->how->as >= STORE_ROLLED_ENDS)
        return give_ends(g, i);
    if (g->how->as == STORE_ROLLED_COUNT)
        return give(g, g->clock->lasts_ms[i], count, count);
    if (g->how->as == STORE_ROLLED_SUM) {
        g->exact = g->exact && g->at.integers;
        g->bound += rollup_bound((uint32_t)g->clock->counts[i], g->values[ROLLUP_MIN][i], g->values[ROLLUP_MAX][i]);
    }
    return give(g, g->clock->lasts_ms[i], g->values[FIELD[g->how->as]][i], count);
}

static int decode_values(struct rolling *g, struct read_group *of, size_t i)
{
    unsigned wanted = wanted_of(g->how->as);
    int r = wanted ? rollup_values(&of->loaded[i].extent, &g->at, wanted, g->values) : 0;
    if (r != -EBADMSG)
        return r;
    extent_dir_mark_bad(&g->rd->store->extents, of->refs[i].group, of->refs[i].id);
    of->refs[i].bad = true;
    return r;
}

/* ---- whole buckets ---- */
/* Cover the day's buckets that may be taken and are not covered by longer ones. */
static int cover_day(struct rolling *g, const struct extent_ref *ref, size_t n_longer)
{
    struct time_ranges *c = &g->rd->covered;
    int64_t length_ms = rollup_length_ms(ref->group), day_ms = day_start_ms(ref->min_ms), end_ms = day_ms;
    int r = 0;
    for (; r == 0 && end_ms <= day_ms + DAY_MS; end_ms += length_ms) {
        int64_t min_ms = end_ms == day_ms ? day_ms : end_ms - length_ms + 1;
        int64_t max_ms = end_ms == day_ms + DAY_MS ? end_ms - 1 : end_ms;
        if (min_ms < g->in->min_ms || max_ms > g->in->max_ms || min_ms < g->cutoff_ms ||
            is_divided(g->how, min_ms, max_ms) || is_dirty(g, min_ms, max_ms) || is_covered(c, n_longer, min_ms) ||
            is_covered(c, n_longer, max_ms))
            continue;
        r = cover(c, n_longer, min_ms, max_ms);
    }
    return r;
}

static int give_covered(struct rolling *g, struct read_group *of, size_t i, size_t first)
{
    const struct time_ranges *c = &g->rd->covered;
    int r = first < c->n ? decode_values(g, of, i) : 0;
    for (size_t k = 0; r == 0 && k < g->at.buckets; k++) {
        while (first < c->n && c->list[first].max_ms < g->clock->lasts_ms[k])
            first++;
        if (first < c->n && c->list[first].min_ms <= g->clock->firsts_ms[k])
            r = give_bucket(g, k);
    }
    return r;
}

static int take_whole(struct rolling *g, struct read_group *of, size_t i, size_t n_longer)
{
    struct time_ranges *c = &g->rd->covered;
    const struct extent_ref *ref = &of->refs[i];
    int found = open_rollup(g, of, i);
    if (found < 0 || ref->bad || !of->loaded[i].bytes)
        return found < 0 ? found : 0;
    bool none = !found && ref->group & EXTENT_ROLLUPS_1H; /* the hours have every series that has samples on the day */
    if ((!found && !none) || (found && g->at.beyond) || !is_of(g, ref, rollup_extents(&of->loaded[i].extent)))
        return 0;
    size_t n = c->n, given = g->in->columns->n;
    bool joins = n > n_longer; /* the last range may grow */
    struct time_range last = joins ? c->list[n - 1] : (struct time_range){0};
    int r = cover_day(g, ref, n_longer);
    if (r == 0 && found)
        r = give_covered(g, of, i, joins ? n - 1 : n);
    if (r != -EBADMSG)
        return r;
    c->n = n; /* as if it was not there */
    if (joins)
        c->list[n - 1] = last;
    g->in->columns->n = given;
    return 0;
}

static int take_all_whole(struct rolling *g, struct read_group *of)
{
    size_t n_longer = g->rd->covered.n;
    int r = 0;
    for (size_t i = 0; r == 0 && i < of->n_refs; i++)
        if (of->refs[i].min_ms <= g->in->max_ms && of->refs[i].max_ms >= g->in->min_ms)
            r = take_whole(g, of, i, n_longer);
    return r;
}

/* ---- buckets whose samples are gone ---- */
/* The first of n ascending times behind t_ms. */
static size_t behind(const int64_t *t, size_t n, int64_t t_ms)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (t[mid] <= t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Does the bucket stand for more samples of its day than the first n of the columns? Then it takes their place. One that ends at midnight
 * has two parts, each with its own day's extents. */
static int take_gone_bucket(struct rolling *g, const struct extent_ref *ref, size_t i, size_t n)
{
    struct sample_columns *c = g->in->columns;
    int64_t end_ms = g->clock->ends_ms[i], after_ms = end_ms - rollup_length_ms(ref->group);
    int64_t day_ms = day_start_ms(ref->min_ms);
    after_ms = after_ms < day_ms ? day_ms - 1 : after_ms;
    end_ms = end_ms - day_ms == DAY_MS ? end_ms - 1 : end_ms;
    size_t from = behind(c->t_ms, n, after_ms), to = behind(c->t_ms, n, end_ms);
    double there = 0;
    for (size_t k = from; k < to; k++)
        there += is_stale(c->value[k]) ? 0 : c->count[k];
    if (there >= (double)g->clock->counts[i])
        return 0;
    for (size_t k = from; k < to; k++)
        c->count[k] = -1; /* to be dropped */
    c->n_gone++;
    return give_bucket(g, i);
}

static int take_gone_of(struct rolling *g, struct read_group *of, size_t i, size_t n)
{
    int64_t cutoff_ms =
        retention_cutoff_ms(g->rd->now_ms, retention_of_rollups(g->rd->view.keep, &g->rd->store->index, g->id));
    int r = open_rollup(g, of, i);
    if (r <= 0 || (r = decode_values(g, of, i)) < 0)
        return r == -EBADMSG ? 0 : r;
    for (size_t k = 0; r == 0 && k < g->at.buckets; k++) {
        struct extent_ref bucket = of->refs[i];
        bucket.min_ms = g->clock->firsts_ms[k];
        bucket.max_ms = g->clock->lasts_ms[k];
        if (bucket.max_ms >= cutoff_ms && !tombstones_concern(of->dead, of->n_dead, &bucket, g->ord))
            r = take_gone_bucket(g, &of->refs[i], k, n);
    }
    return r;
}

static void drop_replaced(struct sample_columns *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (c->count[i] < 0)
            continue;
        c->t_ms[n] = c->t_ms[i];
        c->value[n] = c->value[i];
        if (c->start_ms)
            c->start_ms[n] = c->start_ms[i];
        c->count[n++] = c->count[i];
    }
    c->n = n;
}

/* The columns are in order, and are so again. */
static int take_gone(struct rolling *g, struct read_group *of)
{
    struct sample_columns *c = g->in->columns;
    size_t n = c->n;
    int r = need_counts(c);
    for (size_t i = 0; r == 0 && i < of->n_refs; i++)
        if (of->refs[i].min_ms <= g->in->max_ms && of->refs[i].max_ms >= g->in->min_ms)
            r = take_gone_of(g, of, i, n);
    if (r == 0 && c->n != n) {
        drop_replaced(c);
        r = reader_put_in_order(c);
    }
    return r;
}

/* What was read around the times that were asked for, to know which buckets are whole, goes. */
static void trim(struct sample_columns *c, int64_t min_ms, int64_t max_ms)
{
    size_t from = min_ms == INT64_MIN ? 0 : behind(c->t_ms, c->n, min_ms - 1), to = behind(c->t_ms, c->n, max_ms);
    c->n = to - from;
    if (from == 0)
        return;
    memmove(c->t_ms, c->t_ms + from, c->n * sizeof *c->t_ms);
    memmove(c->value, c->value + from, c->n * sizeof *c->value);
    if (c->start_ms)
        memmove(c->start_ms, c->start_ms + from, c->n * sizeof *c->start_ms);
    if (c->count)
        memmove(c->count, c->count + from, c->n * sizeof *c->count);
}

/* ---- reading ---- */
/* Do any of them, samples or sums of buckets, add up exactly in any order? */
static bool adds_up(const struct rolling *g)
{
    const struct sample_columns *c = g->in->columns;
    double bound = g->bound;
    bool exact = g->exact && g->how->as == STORE_ROLLED_SUM;
    for (size_t i = 0; exact && i < c->n; i++) {
        if ((c->count && c->count[i] != 1) || is_stale(c->value[i]))
            continue; /* the bound has the sums of several */
        exact = rollup_is_integer(c->value[i]);
        bound += fabs(c->value[i]);
    }
    return exact && bound <= ROLLUP_EXACT_MAX;
}

static int read_rolled(struct rolling *g, int64_t min_ms, int64_t max_ms)
{
    struct store_reader *rd = g->rd;
    struct reading *in = g->in;
    uint32_t group = g->id / EXTENT_SERIES_MAX;
    bool histograms = false;
    int r = reader_enter_group(rd, &rd->floats, group);
    if (r == 0)
        r = reader_enter_group(rd, &rd->hours, group | EXTENT_ROLLUPS_1H);
    if (r == 0)
        r = reader_enter_group(rd, &rd->minutes, group | EXTENT_ROLLUPS_5M);
    rd->covered.n = 0;
    if (r < 0 || (rd->hours.n_refs == 0 && rd->minutes.n_refs == 0) || (r = find_histograms(g, &histograms)) < 0 ||
        histograms)
        return r < 0 ? r : store_read(rd, g->id, min_ms, max_ms, in->columns);
    if (in->min_ms < g->cutoff_ms &&
        retention_pins(rd->view.keep, &rd->store->index, g->id, in->min_ms, g->cutoff_ms - 1))
        r = store_read(rd, g->id, in->min_ms, in->max_ms, in->columns); /* what is pinned stands between what is over */
    else if (in->max_ms >= g->cutoff_ms) {
        if (g->how->as < STORE_ROLLED_ENDS && (r = note_series_dirt(g)) == 0 &&
            (r = take_all_whole(g, &rd->hours)) == 0)
            r = take_all_whole(g, &rd->minutes);
        join(&rd->covered);
        struct reading rest = *in;
        rest.min_ms = in->min_ms < g->cutoff_ms ? g->cutoff_ms : in->min_ms;
        rest.skip = rd->covered.list;
        rest.n_skip = rd->covered.n;
        if (r == 0)
            r = reader_read_floats(rd, g->id, &rest);
        if (r == 0 && !rest.ascending)
            r = reader_put_in_order(in->columns);
    }
    if (r == 0 && rd->gone && g->how->fine)
        r = take_gone(g, &rd->minutes);
    if (r == 0 && rd->gone)
        r = take_gone(g, &rd->hours);
    if (r == 0)
        trim(in->columns, min_ms, max_ms);
    in->columns->exact = r == 0 && adds_up(g);
    return r;
}

int store_read_rolled(struct store_reader *rd, uint32_t id, int64_t min_ms, int64_t max_ms,
                      const struct store_rolling *how, struct sample_columns *columns)
{
    enum { TRIES = 1000 };
    struct rolling g = {.rd = rd, .how = how, .id = id, .ord = id % EXTENT_SERIES_MAX};
    struct reading in;
    int r = -ESTALE;
    if (id >= rd->view.n_series || min_ms > max_ms)
        return store_read(rd, id, min_ms, max_ms, columns);
    g.cutoff_ms = reader_cutoff_of(rd, id);
    for (int tries = 0; r == -ESTALE && tries < TRIES; tries++) {
        if (tries > 0) { /* the files were written anew; the list follows right after them */
            reader_leave_group(rd, &rd->floats);
            reader_leave_group(rd, &rd->hours);
            reader_leave_group(rd, &rd->minutes);
            sleep_us(tries > 1 ? 1000 : 0);
        }
        reader_clear_columns(columns);
        in = (struct reading){.columns = columns, .ascending = true, .min_ms = min_ms, .max_ms = max_ms};
        if (rd->gone && __builtin_sub_overflow(min_ms, ROLLUP_1H_MS, &in.min_ms))
            in.min_ms = INT64_MIN;
        if (rd->gone && __builtin_add_overflow(max_ms, ROLLUP_1H_MS, &in.max_ms))
            in.max_ms = INT64_MAX;
        g.in = &in;
        g.n_dirt = g.n_series_dirt = 0;
        g.bound = 0;
        g.exact = true;
        r = read_rolled(&g, min_ms, max_ms);
    }
    if (r < 0)
        columns->n = 0;
    return r == -ESTALE ? -EIO : r;
}
