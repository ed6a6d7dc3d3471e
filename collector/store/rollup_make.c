#include "collector/store/rollup_make.h"

#include <errno.h>

enum { TIERS = 2 };
static const struct tier {
    uint32_t kind;
    int64_t length_ms;
} TIER[TIERS] = {{EXTENT_ROLLUPS_1H, ROLLUP_1H_MS}, {EXTENT_ROLLUPS_5M, ROLLUP_5M_MS}};

/* What the series of a group come to on one day. */
struct rollup_work {
    struct rollup_list lists[TIERS][EXTENT_SERIES_MAX];
    bool beyond[TIERS][EXTENT_SERIES_MAX]; /* some buckets stand for samples that are gone */
    bool fine[EXTENT_SERIES_MAX];
    struct rollup_list old, merged; /* of one series */
};

void rollup_maker_init(struct rollup_maker *m, struct store *s, struct extent_source *src,
                       const struct tombstones *dead)
{
    *m = (struct rollup_maker){.store = s, .source = src, .dead = dead, .keep = store_hold_retention(s)};
}

void rollup_maker_done(struct rollup_maker *m)
{
    for (size_t t = 0; m->work && t < TIERS; t++)
        for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++)
            rollup_list_done(&m->work->lists[t][ord]);
    if (m->work) {
        rollup_list_done(&m->work->old);
        rollup_list_done(&m->work->merged);
    }
    free(m->work);
    free(m->refs);
    gathered_done(&m->gathered);
    rollup_writer_free(m->writer);
    retention_release(m->keep);
    *m = (struct rollup_maker){0};
}

int rollup_maker_add(struct rollup_maker *m, const struct extent_ref *ref)
{
    if (m->n_refs == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        struct extent_ref *refs = realloc(m->refs, cap * sizeof *refs);
        if (!refs)
            return -ENOMEM;
        m->refs = refs;
        m->cap = cap;
    }
    m->refs[m->n_refs++] = *ref;
    return 0;
}

size_t rollup_rows_max(const struct extent_ref *refs, size_t n)
{
    size_t rows = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || refs[i].group != refs[i - 1].group ||
            day_start_ms(refs[i].min_ms) != day_start_ms(refs[i - 1].min_ms))
            rows += TIERS;
    return rows;
}

/* ---- from samples ---- */
/* The series' samples in these extents, in order, each time once. */
static int gather(struct rollup_maker *m, const struct extent_ref *refs, struct loaded_extent *loaded, size_t n,
                  unsigned ord)
{
    struct gathered *g = &m->gathered;
    uint64_t bits[EXTENT_SAMPLES_MAX];
    size_t n_dead;
    const struct tombstone *dead = tombstones_of(m->dead, refs[0].group, &n_dead);
    int r = 0;
    gathered_clear(g);
    gathered_begin(g, ord);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct extent_series at;
        const int64_t *t;
        if (!extent_find(&loaded[i].extent, ord, &at))
            continue;
        r = loaded_extent_times(&loaded[i], &at, &t);
        if (r == 0)
            r = extent_values(&loaded[i].extent, &at, bits, NULL);
        if (r == 0)
            r = gathered_reserve(g, at.samples);
        bool some_dead = tombstones_concern(dead, n_dead, &refs[i], ord);
        for (size_t k = 0; r == 0 && k < at.samples; k++)
            if (!some_dead || !tombstones_hide(dead, n_dead, refs[i].id, ord, t[k]))
                gathered_add(g, t[k], 0, bits[k]);
    }
    return r < 0 ? r : gathered_end(g);
}

static int roll_up(struct rollup_maker *m, unsigned ord)
{
    const struct gathered *g = &m->gathered;
    int r = 0;
    for (size_t i = 0; r == 0 && i < g->n; i++) {
        double value;
        memcpy(&value, &g->bits[i], sizeof value);
        for (size_t t = 0; r == 0 && t < TIERS; t++)
            if (TIER[t].kind == EXTENT_ROLLUPS_1H || m->work->fine[ord])
                r = rollup_list_add(&m->work->lists[t][ord], TIER[t].length_ms, g->t_ms[i], value);
    }
    return r;
}

/* Extents that overlap, so that one series' samples may lie in several of them. */
static int roll_up_run(struct rollup_maker *m, const struct extent_ref *refs, size_t n)
{
    struct loaded_extent *loaded = calloc(n, sizeof *loaded);
    int r = loaded ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = store_load_extent(m->source, &refs[i], &loaded[i]);
    for (unsigned ord = 0; r == 0 && ord < EXTENT_SERIES_MAX; ord++) {
        r = gather(m, refs, loaded, n, ord);
        if (r == 0)
            r = roll_up(m, ord);
    }
    for (size_t i = 0; loaded && i < n; i++)
        loaded_extent_free(&loaded[i]);
    free(loaded);
    return r;
}

/* refs ascend by their first time. */
static int roll_up_day(struct rollup_maker *m, const struct extent_ref *refs, size_t n)
{
    int r = 0;
    for (size_t from = 0, to; r == 0 && from < n; from = to) {
        int64_t max_ms = refs[from].max_ms;
        for (to = from + 1; to < n && refs[to].min_ms <= max_ms; to++)
            max_ms = refs[to].max_ms > max_ms ? refs[to].max_ms : max_ms;
        r = roll_up_run(m, refs + from, to - from);
    }
    return r;
}

/* ---- from older ones ---- */
static bool is_deleted(const struct tombstone *dead, size_t n, const struct extent_ref *ref, unsigned ord,
                       const struct rollup *b)
{
    struct extent_ref bucket = *ref;
    bucket.min_ms = b->first_ms;
    bucket.max_ms = b->last_ms;
    return tombstones_concern(dead, n, &bucket, ord);
}

/* Of each bucket the one of more samples. */
static int merge_series(struct rollup_maker *m, const struct extent_ref *ref, struct rollup_list *now, unsigned ord,
                        bool *ret_beyond)
{
    struct rollup_work *w = m->work;
    size_t n_dead, i = 0, k = 0;
    const struct tombstone *dead = tombstones_of(m->dead, ref->group, &n_dead);
    const struct rollup_list *old = &w->old;
    int r = 0;
    rollup_list_clear(&w->merged);
    w->merged.integers = now->integers;
    while (r == 0 && (i < now->n || k < old->n)) {
        const struct rollup *a = i < now->n ? &now->rollups[i] : NULL, *b = k < old->n ? &old->rollups[k] : NULL;
        if (b && is_deleted(dead, n_dead, ref, ord, b)) {
            k++;
            continue;
        }
        bool same = a && b && a->end_ms == b->end_ms;
        bool take_old = b && (!a || b->end_ms < a->end_ms || (same && b->count > a->count));
        i += same || !take_old;
        k += same || take_old;
        if (take_old) {
            *ret_beyond = true;
            w->merged.integers = w->merged.integers && old->integers;
        }
        r = rollup_list_take(&w->merged, take_old ? b : a);
    }
    struct rollup_list merged = w->merged;
    w->merged = *now;
    *now = merged;
    return r;
}

static int merge_old(struct rollup_maker *m, const struct extent_ref *ref)
{
    size_t t = ref->group & EXTENT_ROLLUPS_1H ? 0 : 1;
    struct loaded_extent loaded;
    int r = store_load_extent(m->source, ref, &loaded);
    if (r == -EBADMSG || r == -ENOENT)
        return 0; /* damaged, or the retention took it */
    if (r < 0)
        return r;
    for (unsigned ord = 0; r == 0 && ord < EXTENT_SERIES_MAX; ord++) {
        struct rollup_series at;
        if (!rollup_find(&loaded.extent, ord, &at))
            continue;
        r = rollup_read(&loaded.extent, &at, &m->work->old);
        if (r == 0)
            r = merge_series(m, ref, &m->work->lists[t][ord], ord, &m->work->beyond[t][ord]);
        else if (r == -EBADMSG)
            r = 0;
    }
    loaded_extent_free(&loaded);
    return r;
}

/* ---- rows ---- */
static int put_tier(struct rollup_maker *m, size_t t, uint32_t group, const struct extent_ref *like, size_t extents,
                    rollup_put put, void *ctx)
{
    const struct rollup_work *w = m->work;
    struct extent_ref row = {.group = group | TIER[t].kind, .level = EXTENT_LEVEL_FULL, .since = like->since};
    size_t n_series = 0, n_bytes;
    int r = 0;
    rollup_writer_begin(m->writer, row.group, extents);
    for (unsigned ord = 0; r == 0 && ord < EXTENT_SERIES_MAX; ord++) {
        const struct rollup_list *l = &w->lists[t][ord];
        if (l->n == 0 || l->n > ROLLUPS_MAX)
            continue;
        r = rollup_writer_add(m->writer, ord, l, w->beyond[t][ord]);
        n_series++;
    }
    if (r < 0 || n_series == 0)
        return r;
    r = rollup_writer_end(m->writer, &row.bytes, &n_bytes, &row.min_ms, &row.max_ms);
    if (r < 0)
        return r;
    row.n_bytes = (uint32_t)n_bytes;
    r = put(ctx, &row);
    free(row.bytes);
    return r;
}

static void clear_day(struct rollup_work *w)
{
    for (size_t t = 0; t < TIERS; t++)
        for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++)
            rollup_list_clear(&w->lists[t][ord]);
    memset(w->beyond, 0, sizeof w->beyond);
}

/* n_samples extents of samples, then those of rollups. */
static int make_day(struct rollup_maker *m, const struct extent_ref *refs, size_t n_samples, size_t n, rollup_put put,
                    void *ctx)
{
    struct extent_ref like = {0};
    clear_day(m->work);
    int r = roll_up_day(m, refs, n_samples);
    if (r == -EBADMSG || r == -ENOENT || r == -ERANGE) { /* a column is damaged: its samples are what there is */
        clear_day(m->work);
        n_samples = 0;
        r = 0;
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        like.since = refs[i].since > like.since ? refs[i].since : like.since;
        if (refs[i].group & EXTENT_ROLLUPS)
            r = merge_old(m, &refs[i]);
    }
    for (size_t t = 0; r == 0 && t < TIERS; t++)
        r = put_tier(m, t, extent_floats_of(refs[0].group), &like, n_samples, put, ctx);
    return r;
}

/* By day; samples before rollups, each by time. */
static int by_day(const void *a, const void *b)
{
    const struct extent_ref *x = a, *y = b;
    int64_t x_day = day_start_ms(x->min_ms), y_day = day_start_ms(y->min_ms);
    if (x_day != y_day)
        return x_day < y_day ? -1 : 1;
    uint32_t x_kind = x->group & EXTENT_KINDS, y_kind = y->group & EXTENT_KINDS;
    if (x_kind != y_kind)
        return x_kind < y_kind ? -1 : 1;
    if (x->min_ms != y->min_ms)
        return x->min_ms < y->min_ms ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

int rollup_maker_group(struct rollup_maker *m, rollup_put put, void *ctx)
{
    size_t n = m->n_refs;
    int r = 0;
    m->n_refs = 0;
    if (n == 0)
        return 0;
    if (!m->work)
        m->work = calloc(1, sizeof *m->work);
    if (!m->work || (!m->writer && rollup_writer_new(&m->writer) < 0))
        return -ENOMEM;
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++)
        m->work->fine[ord] = retention_is_fine(m->keep, &m->store->index, extent_series_of(m->refs[0].group) + ord);
    qsort(m->refs, n, sizeof *m->refs, by_day);
    for (size_t from = 0, samples, to; r == 0 && from < n; from = to) {
        int64_t day_ms = day_start_ms(m->refs[from].min_ms);
        for (samples = from; samples < n && !(m->refs[samples].group & EXTENT_KINDS) &&
                             day_start_ms(m->refs[samples].min_ms) == day_ms;)
            samples++;
        for (to = samples; to < n && day_start_ms(m->refs[to].min_ms) == day_ms;)
            to++;
        r = make_day(m, m->refs + from, samples - from, to - from, put, ctx);
    }
    return r;
}
