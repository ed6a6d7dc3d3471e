/* Compaction: extents of one group and day that a few seals left behind become a longer one, whose columns are smaller and which
 * costs one fetch. Reading, merging and encoding is done here, aside and niced; the writer only swaps, in one transaction for
 * several groups.
 *
 * The merged extent stands for all of its parts, so it may take their place only when no open reader's view has some of them and
 * not the others: a swap waits until the oldest view has all. A reader that had listed a part and finds it gone lists again.
 *
 * What was deleted is left out, and extents that have some are rewritten by themselves within the hour. That waits for readers
 * too: those that were opened before the deletion still see it. */
#include <assert.h>
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define FAN_IN 8u               /* alike extents that become one; more, when there are */
#define SWAP_BYTES (256u << 10) /* of new extents in a transaction: commits of samples wait for it */
#define SWAP_GROUPS 64u
#define NICE 10
#define HOUR_US INT64_C(3600000000)
#define FIRST_US INT64_C(300000000) /* a collector that is restarted often must not put it off for ever */

struct merge_rule {
    size_t least;   /* that many alike become one */
    bool days_over; /* of a day that is over, any two; and extents with what was deleted */
};
static const struct merge_rule AFTER_SEAL = {FAN_IN, false}, HOURLY = {FAN_IN, true}, AT_LAST = {2, false},
                               NOW = {2, true};

struct merge { /* one group's part of a swap */
    uint32_t group, ids[EXTENT_ALIKE_MAX], since;
    size_t parts;
    size_t first, n; /* of cutter.extents */
    bool drops;      /* some samples were deleted */
};
struct swap {
    struct merge merges[SWAP_GROUPS];
    size_t n_merges, bytes, n_swapped;
    uint64_t parts_swapped, purged;
    struct tombstones *dead; /* what was left out */
    uint64_t dead_generation;
    struct cutter cutter;
    int error;
};

/* ---- the writer's part ---- */
struct oldest_view store_oldest_view(struct store *s)
{
    pthread_mutex_lock(&s->view_lock);
    struct oldest_view oldest = {s->view.last_extent, s->view.dead_generation};
    for (const struct store_reader *rd = s->readers; rd; rd = rd->next) {
        if (rd->view.last_extent < oldest.last_extent)
            oldest.last_extent = rd->view.last_extent;
        if (rd->view.dead_generation < oldest.dead_generation)
            oldest.dead_generation = rd->view.dead_generation;
    }
    pthread_mutex_unlock(&s->view_lock);
    return oldest;
}

struct tombstones *store_hold_tombstones(struct store *s, uint64_t *ret_generation)
{
    pthread_mutex_lock(&s->view_lock);
    struct tombstones *dead = s->view.dead;
    tombstones_hold(dead);
    *ret_generation = s->view.dead_generation;
    pthread_mutex_unlock(&s->view_lock);
    return dead;
}

static int write_merge(struct store *s, const struct swap *w, const struct merge *m)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < m->parts; i++) {
        db_bind_i64(s->db, SQL_EXT_DELETE, 1, m->ids[i]);
        r = db_run(s->db, SQL_EXT_DELETE);
    }
    for (size_t i = m->first; r == 0 && i < m->first + m->n; i++)
        r = store_put_extent(s, &w->cutter.extents[i]);
    return r;
}

/* Those merges that still stand, in one transaction. */
static void swap_now(struct store *s, void *ctx)
{
    struct swap *w = ctx;
    uint32_t next = s->next_extent;
    struct oldest_view oldest = store_oldest_view(s);
    bool current = w->dead_generation == s->view.dead_generation; /* else it may have what was deleted meanwhile */
    bool stands[SWAP_GROUPS] = {false};
    size_t bytes = 0;
    int r = db_begin(s->db);
    for (size_t i = 0; r == 0 && i < w->n_merges; i++) {
        struct merge *m = &w->merges[i];
        stands[i] = current && m->since <= oldest.last_extent &&
                    (!m->drops || oldest.dead_generation >= w->dead_generation) &&
                    extent_dir_has(&s->extents, m->group, m->ids, m->parts) &&
                    extent_dir_reserve(&s->extents, m->group, m->n) == 0;
        if (!stands[i])
            continue;
        for (size_t k = m->first; k < m->first + m->n; k++) {
            w->cutter.extents[k].id = next++;
            w->cutter.extents[k].since = m->since;
            bytes += w->cutter.extents[k].n_bytes;
        }
        r = write_merge(s, w, m);
    }
    if (r == 0)
        r = db_commit(s->db);
    else
        db_rollback(s->db);
    store_wrote(s, bytes);
    w->error = r;
    if (r < 0)
        return;
    for (size_t i = 0; i < w->n_merges; i++) {
        const struct merge *m = &w->merges[i];
        if (!stands[i])
            continue;
        for (size_t k = m->first; k < m->first + m->n; k++) { /* the file has them now */
            free(w->cutter.extents[k].bytes);
            w->cutter.extents[k].bytes = NULL;
        }
        extent_dir_replace(&s->extents, m->group, m->ids, m->parts, w->cutter.extents + m->first, m->n);
        w->n_swapped++;
        w->parts_swapped += m->parts > 1 ? m->parts : 0;
        w->purged += m->parts == 1;
    }
    s->next_extent = next;
    pthread_mutex_lock(&s->view_lock);
    s->view.last_extent = next - 1;
    pthread_mutex_unlock(&s->view_lock);
}

/* ---- merging, aside ---- */
static int gather_series(struct gathered *g, struct loaded_extent *parts, const struct extent_ref *refs, size_t n,
                         unsigned ord, const struct tombstone *dead, size_t n_dead, size_t *dropped)
{
    static_assert(EXTENT_ALIKE_MAX * EXTENT_SAMPLES_MAX * EXTENT_SERIES_MAX <= 4u << 20,
                  "what is gathered at once stays bounded");
    uint64_t bits[EXTENT_SAMPLES_MAX];
    int64_t starts[EXTENT_SAMPLES_MAX];
    int r = 0;
    gathered_begin(g, ord);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct extent_series at;
        const int64_t *t;
        if (parts[i].extent.histograms) {
            r = store_gather_histograms(g, &parts[i], &refs[i], ord, dead, n_dead, dropped);
            parts[i].damaged = parts[i].damaged || r == -EBADMSG;
            continue;
        }
        if (!extent_find(&parts[i].extent, ord, &at))
            continue;
        r = loaded_extent_times(&parts[i], &at, &t);
        if (r == 0)
            r = extent_values(&parts[i].extent, &at, bits, starts);
        if (r == 0)
            r = gathered_reserve(g, at.samples);
        bool some_dead = tombstones_concern(dead, n_dead, &refs[i], ord);
        for (size_t k = 0; r == 0 && k < at.samples; k++) {
            if (some_dead && tombstones_hide(dead, n_dead, refs[i].id, ord, t[k]))
                ++*dropped;
            else
                gathered_add(g, t[k], starts[k], bits[k]);
        }
        if (r == -EBADMSG)
            parts[i].damaged = true;
    }
    return r < 0 ? r : gathered_end(g);
}

int store_gather(struct extent_source *src, const struct extent_ref *refs, size_t n, const struct tombstones *dead,
                 struct loaded_extent *parts, struct gathered *g, size_t *ret_dropped)
{
    size_t n_dead, dropped = 0;
    const struct tombstone *list = tombstones_of(dead, refs[0].group, &n_dead);
    int r = 0;
    memset(parts, 0, n * sizeof *parts);
    gathered_clear(g);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = store_load_extent(src, &refs[i], &parts[i]);
    for (unsigned ord = 0; r == 0 && ord < EXTENT_SERIES_MAX; ord++)
        r = gather_series(g, parts, refs, n, ord, list, n_dead, &dropped);
    if (r == 0)
        *ret_dropped = dropped;
    return r;
}

int store_merge(struct extent_source *src, const struct extent_ref *refs, size_t n, const struct tombstones *dead,
                struct gathered *g, struct cutter *c, size_t *ret_dropped)
{
    struct loaded_extent parts[EXTENT_ALIKE_MAX];
    unsigned level = 0;
    for (size_t i = 0; i < n; i++)
        level = refs[i].level > level ? refs[i].level : level;
    int r = store_gather(src, refs, n, dead, parts, g, ret_dropped);
    if (r == 0)
        r = cutter_cut(c, refs[0].group, n > 1 && level < EXTENT_LEVEL_FULL - 1 ? level + 1 : level, g);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].damaged) /* the CRC was right and the column is not: it stays as it is, and is not tried again */
            extent_dir_mark_bad(&src->store->extents, refs[i].group, refs[i].id);
        loaded_extent_free(&parts[i]);
    }
    return r;
}

/* One extent by itself is rewritten for what was deleted. */
static int merge_group(struct extent_source *src, const struct extent_ref *refs, size_t n, struct gathered *g,
                       struct swap *w)
{
    struct merge *m = &w->merges[w->n_merges];
    *m = (struct merge){.group = refs[0].group, .parts = n, .first = w->cutter.n};
    size_t dropped = 0;
    for (size_t i = 0; i < n; i++) {
        m->ids[i] = refs[i].id;
        m->since = refs[i].since > m->since ? refs[i].since : m->since;
        m->since = refs[i].id > m->since ? refs[i].id : m->since;
    }
    int r = store_merge(src, refs, n, w->dead, g, &w->cutter, &dropped);
    if (r < 0)
        return r;
    m->drops = dropped > 0;
    m->n = w->cutter.n - m->first;
    for (size_t i = m->first; i < w->cutter.n; i++)
        w->bytes += w->cutter.extents[i].n_bytes;
    w->n_merges++;
    return 0;
}

/* Hand over what was merged and begin anew. -EAGAIN: readers, or a deletion, were in the way of some. */
static int hand_over(struct store *s, struct swap *w)
{
    if (w->n_merges == 0)
        return 0;
    int r = store_call(s, swap_now, w);
    r = r < 0 ? r : w->error;
    store_count(s, COUNT_MERGED_EXTENTS, w->parts_swapped);
    store_count(s, COUNT_PURGED_EXTENTS, w->purged);
    if (r == 0 && w->n_swapped < w->n_merges)
        r = -EAGAIN;
    cutter_keep(&w->cutter, 0);
    w->n_merges = w->n_swapped = w->bytes = 0;
    w->parts_swapped = w->purged = 0;
    return r;
}

struct round {
    struct extent_source src;
    struct swap *swap;
    struct gathered *gathered;
    bool later; /* something could not be swapped yet */
};

static int add_merge(struct store *s, struct round *rd, const struct extent_ref *refs, size_t n)
{
    struct swap *w = rd->swap;
    int r = merge_group(&rd->src, refs, n, rd->gathered, w);
    if (r == -ENOENT || r == -EBADMSG) /* retired meanwhile, or damaged: without it another time */
        r = 0;
    if (r == 0 && (w->bytes >= SWAP_BYTES || w->n_merges == SWAP_GROUPS))
        r = hand_over(s, w);
    rd->later = rd->later || r == -EAGAIN;
    return r == -EAGAIN ? 0 : r;
}

static int merge_alike(struct store *s, struct round *rd, const struct merge_rule *rule)
{
    struct extent_ref refs[EXTENT_ALIKE_MAX];
    struct extent_wanted wanted = {.least = rule->least, .over_before_ms = INT64_MIN};
    if (rule->days_over && __builtin_sub_overflow(store_now_ms(s), DAY_OVER_MS, &wanted.over_before_ms))
        wanted.over_before_ms = INT64_MIN;
    int r = 0;
    for (uint32_t group = 0; r == 0 && mono_us() < atomic_load(&s->compactor.until_us); group++) {
        wanted.last_id = store_oldest_view(s).last_extent;
        size_t n = extent_dir_alike(&s->extents, &group, &wanted, refs);
        if (n == 0)
            break;
        r = add_merge(s, rd, refs, n);
    }
    return r;
}

/* Extents of head.db that have what was deleted, each by itself; those of days' files are part.c's. */
static int purge(struct store *s, struct round *rd)
{
    const struct tombstones *dead = rd->swap->dead;
    int r = 0;
    for (size_t i = 0; r == 0 && dead && i < dead->n; i++) {
        struct extent_ref *refs = NULL;
        size_t n = 0;
        if (i && dead->list[i].group == dead->list[i - 1].group)
            continue; /* each extent once: the list is by group */
        r = extent_dir_list(&s->extents, dead->list[i].group, UINT32_MAX, &refs, &n);
        for (size_t k = 0; r == 0 && k < n && mono_us() < atomic_load(&s->compactor.until_us); k++)
            if (refs[k].part == 0 && !refs[k].bad && tombstones_touch(dead, &refs[k]))
                r = add_merge(s, rd, &refs[k], 1);
        free(refs);
    }
    return r;
}

/* Everything there is to merge now. -EAGAIN: some of it later. */
static int compact_round(struct store *s, const struct merge_rule *rule)
{
    AUTO_FREE struct swap *w = calloc(1, sizeof *w);
    AUTO_FREE struct gathered *g = calloc(1, sizeof *g);
    if (!w || !g)
        return -ENOMEM;
    struct round round = {.swap = w, .gathered = g};
    extent_source_init(&round.src, s, false);
    w->dead = store_hold_tombstones(s, &w->dead_generation);
    int r = merge_alike(s, &round, rule);
    if (r == 0)
        r = hand_over(s, w); /* what is rewritten next may be a part of one of these */
    round.later = round.later || r == -EAGAIN;
    r = r == -EAGAIN ? 0 : r;
    if (r == 0 && rule->days_over)
        r = purge(s, &round);
    if (r == 0)
        r = hand_over(s, w);
    extent_source_done(&round.src);
    gathered_done(g);
    cutter_done(&w->cutter);
    tombstones_release(w->dead);
    return r == 0 && round.later ? -EAGAIN : r;
}

struct held_writing {
    int error;
    uint32_t last_id;
};

/* What is over may be held still. */
static void write_held(struct store *s, void *ctx)
{
    struct held_writing *w = ctx;
    w->error = store_write_held(s);
    w->last_id = w->error == 0 ? s->next_extent - 1 : 0;
}

static int compact(struct store *s, struct merge_rule rule)
{
    int64_t started = cpu_thread_us();
    uint64_t merged;
    struct held_writing held = {0};
    int r = 0;
    pthread_mutex_lock(&s->compactor.lock);
    if (rule.days_over)
        r = store_call(s, write_held, &held); /* what failed was counted, and is tried again */
    if (r == 0 && rule.days_over)
        r = store_bury_expired(s);
    if (r < 0) /* no memory, or the file's error: merging does not need it */
        log_warn("what is over by its series' retention cannot go yet", "error", "%s", strerror(-r));
    do { /* merged ones may be alike again; each round has less to do */
        merged = atomic_load_explicit(&s->counters[COUNT_MERGED_EXTENTS], memory_order_relaxed);
        r = compact_round(s, &rule);
    } while (r == 0 && merged != atomic_load_explicit(&s->counters[COUNT_MERGED_EXTENTS], memory_order_relaxed));
    if (rule.days_over && (r == 0 || r == -EAGAIN)) {
        int moved = store_move_days(s, held.last_id);
        r = moved < 0 ? moved : r;
        if (r == 0 || r == -EAGAIN) {
            int forgotten = store_forget_tombstones(s);
            r = forgotten < 0 ? forgotten : r;
        }
    }
    pthread_mutex_unlock(&s->compactor.lock);
    store_count(s, COUNT_MERGE_US, (uint64_t)(cpu_thread_us() - started));
    if (r < 0 && r != -EAGAIN && r != -ESHUTDOWN)
        store_count(s, COUNT_MERGE_FAILURES, 1);
    return r;
}

int store_compact(struct store *s)
{
    int r = s->db ? compact(s, NOW) : 0;
    return r == -EAGAIN ? 0 : r;
}

static void look_at_file(struct store *s, void *ctx)
{
    *(bool *)ctx = store_renew_is_due(s);
}

bool store_compact_last(struct store *s)
{
    bool renews = false;
    if (s->db && store_call(s, look_at_file, &renews) == 0 && !renews && store_seal(s) == 0) {
        atomic_store(&s->compactor.until_us, mono_us() + STORE_LAST_MERGE_US);
        (void)!compact(s, AT_LAST); /* as far as it gets: the rest stays as it is */
    }
    return renews;
}

/* ---- the thread ---- */
/* Sleep until there is work. NULL: the end. */
static const struct merge_rule *next_work(struct compactor *c)
{
    const struct merge_rule *rule = NULL;
    pthread_mutex_lock(&c->wake_lock);
    while (!rule && !c->stop) {
        struct timespec until = {.tv_sec = c->hourly_due_us / 1000000};
        if (c->due)
            rule = &AFTER_SEAL;
        else if (mono_us() >= c->hourly_due_us)
            rule = &HOURLY;
        else
            pthread_cond_timedwait(&c->wake, &c->wake_lock, &until);
    }
    rule = c->stop ? NULL : rule;
    c->due = false;
    if (rule == &HOURLY)
        c->hourly_due_us = mono_us() + HOUR_US;
    pthread_mutex_unlock(&c->wake_lock);
    return rule;
}

static void compactor_main(void *arg)
{
    struct store *s = arg;
    const struct merge_rule *rule;
    thread_nice(NICE);
    while ((rule = next_work(&s->compactor)) != NULL)
        (void)!compact(s, *rule); /* what failed was counted and is tried next time */
}

int store_compactor_start(struct store *s)
{
    atomic_store(&s->compactor.until_us, INT64_MAX);
    s->compactor.hourly_due_us = mono_us() + FIRST_US;
    return s->db ? thread_start("store-compact", compactor_main, s, &s->compactor.thread) : 0;
}

void store_compactor_wake(struct store *s)
{
    pthread_mutex_lock(&s->compactor.wake_lock);
    s->compactor.due = true;
    pthread_cond_signal(&s->compactor.wake);
    pthread_mutex_unlock(&s->compactor.wake_lock);
}

void store_compactor_stop(struct store *s)
{
    atomic_store(&s->compactor.until_us, 0);
    pthread_mutex_lock(&s->compactor.wake_lock);
    s->compactor.stop = true;
    pthread_cond_signal(&s->compactor.wake);
    pthread_mutex_unlock(&s->compactor.wake_lock);
    thread_join(s->compactor.thread);
    s->compactor.thread = NULL;
}
