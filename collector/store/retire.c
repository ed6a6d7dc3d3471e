/* Retention: what is over leaves, by age, by size and by series.
 *
 * The writer drops extents as a whole, once none of the group's series is kept that long. Where neighbours differ (selectors with
 * a retention of their own), the compactor buries the days of those that are over like deletions (tombstone.h), so that the files
 * are rewritten without them and nothing of it needs steps of its own. Readers leave out what is older than a series' own retention at
 * once (reader.c). */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

#define RETIRE_AT_ONCE 64 /* rows per transaction: some megabytes, so that commits do not wait long */
#define DAY_MS INT64_C(86400000)
#define SIZE_STEP_MS 600000
#define BURY_AT_ONCE 4096u /* tombstones per transaction: commits of samples wait for it */

/* ---- who is spared ---- */
struct retiring {
    const struct store *store;
    const struct retention *keep;
    int64_t now_ms;
    bool by_age;
    uint32_t
        group; /* the series that were asked about last, and where the longest retention of samples and of rollups begins */
    int64_t cutoff_ms, rollup_cutoff_ms;
};

static struct retiring retiring(const struct store *s, bool by_age)
{
    return (struct retiring){
        .store = s, .keep = s->view.keep, .now_ms = store_now_ms(s), .by_age = by_age, .group = UINT32_MAX};
}

static uint32_t group_end(uint32_t group, uint32_t n_series)
{
    uint32_t end = extent_series_of(group) + EXTENT_SERIES_MAX;
    return end < n_series ? end : n_series;
}

static bool is_pinned(const struct retiring *t, const struct extent_ref *ref)
{
    uint32_t end = t->keep->n_pins ? group_end(ref->group, t->store->index.n) : 0;
    for (uint32_t id = extent_series_of(ref->group); id < end; id++)
        if (retention_pins(t->keep, &t->store->index, id, ref->min_ms, ref->max_ms))
            return true;
    return false;
}

static void look_at_group(struct retiring *t, uint32_t group)
{
    const struct series_index *ix = &t->store->index;
    uint32_t from = extent_series_of(group), to = group_end(group, t->store->index.n);
    bool differ;
    if (t->group == extent_floats_of(group))
        return;
    t->group = extent_floats_of(group);
    t->cutoff_ms = retention_cutoff_ms(t->now_ms, retention_longest(t->keep, ix, from, to, &differ));
    t->rollup_cutoff_ms = retention_cutoff_ms(t->now_ms, retention_longest_rollups(t->keep, ix, from, to));
}

/* Rollups are made with the file of a day (part_move.c): may samples be without those still that will outlive them? */
static bool awaits_rollups(const struct store *s, const struct retention *keep, const struct extent_ref *ref)
{
    return s->db && !ref->part && !(ref->group & EXTENT_KINDS) && retention_outlives(keep) &&
           (ref->id > atomic_load(&s->rolled_id) || ref->min_ms >= atomic_load(&s->rolled_before_ms));
}

/* The caller asks about what is over by the least retention. */
static bool is_spared(void *ctx, const struct extent_ref *ref)
{
    struct retiring *t = ctx;
    bool rollups = ref->group & EXTENT_ROLLUPS, own = t->keep->rules || (rollups && t->keep->rollups_ms != 0);
    bool waits = t->by_age && awaits_rollups(t->store, t->keep, ref);
    if (t->by_age && (own || waits)) {
        look_at_group(t, ref->group);
        if (ref->max_ms >= (rollups || waits ? t->rollup_cutoff_ms : t->cutoff_ms))
            return true;
    }
    return is_pinned(t, ref);
}

/* ---- other retentions, other pins ---- */
struct new_keep {
    const struct store_pin *pins;
    size_t n_pins;
    int64_t keep_ms;
    const struct store_retention *rules; /* NULL: the pins change */
    size_t n_rules;
    bool rollups; /* these change: keep_ms is theirs, the rules say which are fine */
    int error;
};

static void take_keep(struct store *s, void *ctx)
{
    struct new_keep *n = ctx;
    struct retention *old = s->view.keep, *keep;
    n->error = n->rollups ? retention_with_rollups(old, n->keep_ms, n->rules, n->n_rules, &keep)
               : n->rules ? retention_with_rules(old, n->keep_ms, n->rules, n->n_rules, &keep)
                          : retention_with_pins(old, n->pins, n->n_pins, &keep);
    if (n->error < 0)
        return;
    pthread_mutex_lock(&s->view_lock);
    s->view.keep = keep;
    pthread_mutex_unlock(&s->view_lock);
    retention_release(old);
    s->retention_due_us = mono_us(); /* what is over or not pinned any more goes now */
}

int store_set_pins(struct store *s, const struct store_pin *pins, size_t n)
{
    struct new_keep keep = {.pins = pins, .n_pins = n};
    int r = store_call(s, take_keep, &keep);
    return r < 0 ? r : keep.error;
}

int store_set_retention(struct store *s, int64_t retention_ms, const struct store_retention *retentions, size_t n)
{
    static const struct store_retention NONE = {0};
    struct new_keep keep = {.keep_ms = retention_ms, .rules = n ? retentions : &NONE, .n_rules = n};
    int r = store_call(s, take_keep, &keep);
    return r < 0 ? r : keep.error;
}

int store_set_rollups(struct store *s, int64_t retention_ms, const struct store_retention *fine, size_t n)
{
    struct new_keep keep = {.keep_ms = retention_ms, .rules = fine, .n_rules = n, .rollups = true};
    int r = store_call(s, take_keep, &keep);
    return r < 0 ? r : keep.error;
}

struct retention *store_hold_retention(struct store *s)
{
    pthread_mutex_lock(&s->view_lock);
    struct retention *keep = s->view.keep;
    retention_hold(keep);
    pthread_mutex_unlock(&s->view_lock);
    return keep;
}

/* Drop up to RETIRE_AT_ONCE extents that ended before it and are not spared: how many, or an error. */
static int retire_before(struct store *s, int64_t cutoff_ms, bool by_age)
{
    struct extent_ref refs[RETIRE_AT_ONCE];
    struct retiring t = retiring(s, by_age);
    size_t n = extent_dir_ended(&s->extents, cutoff_ms, is_spared, &t, refs, RETIRE_AT_ONCE);
    int r = n && s->db ? db_begin(s->db) : 0;
    for (size_t i = 0; r == 0 && s->db && i < n; i++) {
        if (refs[i].part) /* goes with its file */
            continue;
        db_bind_i64(s->db, SQL_EXT_DELETE, 1, refs[i].id);
        r = db_run(s->db, SQL_EXT_DELETE);
    }
    if (n && s->db) {
        if (r == 0)
            r = db_commit(s->db);
        else
            db_rollback(s->db);
        store_wrote(s, n * 8192);
    }
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        extent_dir_remove(&s->extents, refs[i].group, refs[i].id);
    store_part_extents_gone(s, refs, n);
    store_count(s, COUNT_RETIRED_EXTENTS, n);
    if (n)
        store_publish_span(s);
    if (n && !s->db)
        (void)store_forget_some_tombstones(s); /* nobody compacts in memory: with the extents their deletions go */
    return (int)n;
}

/* ---- by size ---- */
static int64_t number_of(struct store *s, int statement)
{
    int64_t n = db_step(s->db, statement) > 0 ? db_i64(s->db, statement, 0) : 0;
    db_reset(s->db, statement);
    return n;
}

/* Pages that head.db uses and the days' files; free pages are used again before the file grows, and what a file that is written
 * anew within the hour leaves out must not cost another day. */
static uint64_t bytes_used(struct store *s)
{
    if (!s->db)
        return extent_dir_totals(&s->extents).bytes;
    int64_t pages = number_of(s, SQL_PAGES) - number_of(s, SQL_FREE_PAGES);
    uint64_t parts = store_parts_bytes(s), leaving = store_parts_leaving_bytes(s);
    return (uint64_t)(pages > 0 ? pages : 0) * STORE_PAGE_BYTES + parts - (leaving < parts ? leaving : parts);
}

/* What goes next: the oldest day; of the newest day the extents that end first, ten minutes at a time. */
static bool next_cutoff(struct store *s, int64_t *ret_cutoff_ms)
{
    struct retiring t = retiring(s, false);
    int64_t oldest_ms = extent_dir_first_end(&s->extents, is_spared, &t), from_ms, newest_ms, day_ms;
    extent_dir_span(&s->extents, &from_ms, &newest_ms);
    if (oldest_ms == INT64_MAX)
        return false;
    bool last_day = day_start_ms(oldest_ms) >= day_start_ms(newest_ms);
    if (last_day || __builtin_add_overflow(day_start_ms(oldest_ms), DAY_MS, &day_ms))
        day_ms = oldest_ms + SIZE_STEP_MS;
    *ret_cutoff_ms = day_ms;
    return true;
}

static int retire_for_size(struct store *s)
{
    uint64_t limit = s->config.retention_bytes, used = limit ? bytes_used(s) : 0;
    int r = 0;
    if (limit && used > limit && s->size_cutoff_ms == INT64_MIN && !next_cutoff(s, &s->size_cutoff_ms))
        s->size_cutoff_ms = INT64_MIN;
    if (s->size_cutoff_ms != INT64_MIN) { /* a day goes as a whole, so that its file does */
        r = retire_before(s, s->size_cutoff_ms, false);
        s->size_cutoff_ms = r == RETIRE_AT_ONCE ? s->size_cutoff_ms : INT64_MIN;
        store_count(s, COUNT_SIZE_RETIRED, r > 0 ? (uint64_t)r : 0);
    }
    uint64_t over = limit && used > limit && r == 0 ? used - limit : 0; /* and nothing may go */
    if (over && atomic_load_explicit(&s->over_bytes, memory_order_relaxed) == 0)
        log_warn("more is stored than retention_size, and what is left is pinned or not sealed yet", "bytes", "%llu",
                 (unsigned long long)used, "retention_size", "%llu", (unsigned long long)limit);
    if (r == 0)
        atomic_store_explicit(&s->over_bytes, over, memory_order_relaxed);
    return r;
}

int store_retire(struct store *s)
{
    const struct retention *keep = s->view.keep;
    int64_t cutoff_ms = retention_cutoff_ms(store_now_ms(s), retention_least(keep));
    int r = 0;
    if (keep->waits)
        return 0;
    if (cutoff_ms > INT64_MIN)
        r = retire_before(s, cutoff_ms, true);
    if (cutoff_ms > INT64_MIN && r >= 0 && r < RETIRE_AT_ONCE) {
        int more = store_retire_exemplars(s);
        if (more != 0)
            return more;
    }
    if (r >= 0 && r < RETIRE_AT_ONCE && s->config.retention_bytes)
        return retire_for_size(s); /* after each step it is measured again */
    return r < 0 ? r : r == RETIRE_AT_ONCE;
}

/* ---- series that are over before their neighbours ---- */
struct burial {
    struct store *store;
    const struct retention *keep;
    struct extent_source *source;
    int64_t now_ms;
    uint32_t n_series;
    struct burial_keep {
        int64_t keep_ms[EXTENT_SERIES_MAX]; /* of the group's series, 0: for ever, or there is none */
        int64_t least_ms;                   /* of them */
    } samples, rollups;
    struct tombstone list[BURY_AT_ONCE];
    size_t n;
    int error;
};

/* The series whose samples of the extent's day are over. */
static bool over_on_day(const struct burial *b, const struct extent_ref *ref, uint64_t ords[TOMBSTONE_WORDS])
{
    const int64_t *keep_ms = (ref->group & EXTENT_ROLLUPS ? &b->rollups : &b->samples)->keep_ms;
    int64_t day_ms = day_start_ms(ref->min_ms), end_ms;
    bool any = false;
    memset(ords, 0, TOMBSTONE_WORDS * sizeof *ords);
    if (__builtin_add_overflow(day_ms, DAY_MS - 1, &end_ms))
        return false;
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        if (keep_ms[ord] == 0 || end_ms >= retention_cutoff_ms(b->now_ms, keep_ms[ord]) ||
            retention_pins(b->keep, &b->store->index, extent_series_of(ref->group) + ord, day_ms, end_ms))
            continue;
        ords[ord / 64] |= UINT64_C(1) << ord % 64;
        any = true;
    }
    return any;
}

/* 1: the extent has samples of one of them, 0: it has none, or it is damaged or gone. */
static int has_any(struct burial *b, const struct extent_ref *ref, const uint64_t ords[TOMBSTONE_WORDS])
{
    struct loaded_extent x;
    struct extent_series at;
    struct histogram_series of_histograms;
    struct rollup_series of_rollups;
    int r = store_load_extent(b->source, ref, &x);
    if (r < 0)
        return r == -ENOENT || r == -EBADMSG ? 0 : r;
    for (unsigned ord = 0; r == 0 && ord < EXTENT_SERIES_MAX; ord++)
        r = (ords[ord / 64] >> ord % 64 & 1) &&
            (x.extent.histograms ? histogram_extent_find(&x.extent, ord, &of_histograms)
             : x.extent.rollups  ? rollup_find(&x.extent, ord, &of_rollups)
                                 : extent_find(&x.extent, ord, &at));
    loaded_extent_free(&x);
    return r;
}

static void bury(struct store *s, void *ctx)
{
    struct burial *b = ctx;
    b->error = store_write_held(s); /* a deletion is about numbers that the file has */
    if (b->error == 0)
        b->error = store_bury(s, b->list, b->n);
}

static int bury_listed(struct burial *b)
{
    int r = b->n ? store_call(b->store, bury, b) : 0;
    r = r < 0 ? r : b->error;
    b->n = 0;
    return r;
}

/* A neighbouring day with the same series joins the one before. */
static int add_burial(struct burial *b, const struct extent_ref *ref, const uint64_t ords[TOMBSTONE_WORDS],
                      uint32_t last_id)
{
    int64_t day_ms = day_start_ms(ref->min_ms);
    struct tombstone *last = b->n ? &b->list[b->n - 1] : NULL;
    if (last && last->group == ref->group && memcmp(last->ords, ords, sizeof last->ords) == 0 &&
        last->max_ms + 1 >= day_ms) {
        last->max_ms = day_ms + DAY_MS - 1;
        return 0;
    }
    int r = b->n == BURY_AT_ONCE ? bury_listed(b) : 0;
    if (r < 0)
        return r;
    struct tombstone *t = &b->list[b->n++];
    *t = (struct tombstone){.group = ref->group, .last_id = last_id, .min_ms = day_ms, .max_ms = day_ms + DAY_MS - 1};
    memcpy(t->ords, ords, sizeof t->ords);
    return 0;
}

static int bury_in_group(struct burial *b, uint32_t group, uint32_t last_id)
{
    struct store *s = b->store;
    struct extent_ref *refs = NULL;
    size_t n = 0;
    int64_t least_ms = (group & EXTENT_ROLLUPS ? &b->rollups : &b->samples)->least_ms;
    int r = extent_dir_list(&s->extents, group, last_id, &refs, &n);
    for (size_t i = 0; r == 0 && i < n && refs[i].max_ms < retention_cutoff_ms(b->now_ms, least_ms); i++) {
        uint64_t ords[TOMBSTONE_WORDS];
        if (refs[i].bad || awaits_rollups(s, b->keep, &refs[i]) || !over_on_day(b, &refs[i], ords))
            continue;
        uint32_t looked_for = (uint32_t)hash_bytes(ords, sizeof ords, 0) | 1;
        if (refs[i].lacks == looked_for)
            continue; /* it had none of them the last time */
        r = has_any(b, &refs[i], ords);
        if (r > 0)
            r = add_burial(b, &refs[i], ords, last_id);
        else if (r == 0)
            extent_dir_lacks(&s->extents, group, refs[i].id, looked_for);
    }
    free(refs);
    return r;
}

static void note_keep(struct burial_keep *k, uint32_t ord, int64_t keep_ms)
{
    k->keep_ms[ord] = keep_ms;
    if (keep_ms && (k->least_ms == 0 || keep_ms < k->least_ms))
        k->least_ms = keep_ms;
}

/* false: all of its series are kept equally long, so that its extents go as a whole. */
static bool differs(struct burial *b, uint32_t group)
{
    uint32_t from = group * EXTENT_SERIES_MAX, to = group_end(group, b->n_series);
    bool differ;
    (void)retention_longest(b->keep, &b->store->index, from, to, &differ);
    b->samples.least_ms = b->rollups.least_ms = 0;
    for (uint32_t id = from; differ && id < from + EXTENT_SERIES_MAX; id++) {
        bool is = id < to && series_index_at(&b->store->index, id);
        note_keep(&b->samples, id - from, is ? retention_of(b->keep, &b->store->index, id, NULL) : 0);
        note_keep(&b->rollups, id - from, is ? retention_of_rollups(b->keep, &b->store->index, id) : 0);
    }
    return differ;
}

static int bury_in_kinds(struct burial *b, uint32_t group, uint32_t last_id)
{
    static const uint32_t KINDS[] = {0, EXTENT_HISTOGRAMS, EXTENT_ROLLUPS_1H, EXTENT_ROLLUPS_5M};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(KINDS); i++)
        r = bury_in_group(b, group | KINDS[i], last_id);
    return r;
}

int store_bury_expired(struct store *s)
{
    struct retention *keep = store_hold_retention(s);
    AUTO_FREE struct burial *b = keep->rules && !keep->waits ? calloc(1, sizeof *b) : NULL;
    int r = keep->rules && !keep->waits && !b ? -ENOMEM : 0;
    if (b) {
        struct extent_source source;
        extent_source_init(&source, s, false);
        b->store = s;
        b->keep = keep;
        b->source = &source;
        b->now_ms = store_now_ms(s);
        pthread_mutex_lock(&s->view_lock);
        uint32_t last_id = s->view.last_extent;
        b->n_series = s->view.n_series;
        pthread_mutex_unlock(&s->view_lock);
        for (uint32_t group = 0; r == 0 && group * EXTENT_SERIES_MAX < b->n_series; group++) {
            if (mono_us() >= atomic_load(&s->compactor.until_us) || !differs(b, group))
                continue;
            r = bury_in_kinds(b, group, last_id);
        }
        if (r == 0)
            r = bury_listed(b);
        extent_source_done(&source);
    }
    retention_release(keep);
    return r == -E2BIG ? 0 : r; /* too many deletions wait: next time */
}
