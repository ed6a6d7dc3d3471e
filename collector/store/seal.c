/* Sealing: the frozen head becomes extents, group by group between commits; then one transaction writes them and trims the log.
 * And its opposite, retention. */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

#define RETIRE_AT_ONCE 64 /* rows per transaction: some megabytes, so that commits do not wait long */
#define SEAL_RETRY_US 5000000
#define DAY_MS INT64_C(86400000)
#define SIZE_STEP_MS 600000

/* ---- one group of the frozen head ---- */
static int take_run(void *ctx, const struct head_run *run)
{
    struct gathered *g = ctx;
    int r = gathered_reserve(g, run->n);
    for (size_t i = 0; r == 0 && i < run->n; i++)
        gathered_add(g, head_run_ms(run, i), run->starts ? run->starts[i] : 0, run->bits[i]);
    return r;
}

static int gather_group(struct store *s, uint32_t group, struct gathered *g)
{
    int r = 0;
    gathered_clear(g);
    for (unsigned ord = 0; r == 0 && ord < EXTENT_SERIES_MAX; ord++) {
        uint32_t id = group * EXTENT_SERIES_MAX + ord;
        if (!head_has(s->view.frozen, id))
            continue;
        gathered_begin(g, ord);
        r = head_read(s->view.frozen, id, s->view.seq, INT64_MIN, INT64_MAX, take_run, g);
        if (r == 0)
            r = gathered_end(g);
    }
    return r;
}

static int seal_group(struct store *s, uint32_t group)
{
    struct gathered *g = &s->seal.gathered;
    size_t cut = s->seal.cutter.n;
    int r = gather_group(s, group, g);
    if (r == 0 && g->n_series)
        r = cutter_cut(&s->seal.cutter, group, 0, g);
    if (r == 0)
        r = store_gather_head_histograms(s, group, g);
    if (r == 0 && g->n_series)
        r = cutter_cut(&s->seal.cutter, group | EXTENT_HISTOGRAMS, 0, g);
    if (r < 0)
        cutter_keep(&s->seal.cutter, cut); /* the group comes again as a whole */
    gathered_done(g);                      /* between seals a writer holds no memory for them */
    return r;
}

/* ---- the seal ---- */
int store_seal_start(struct store *s)
{
    if (s->view.frozen || s->view.active->samples == 0)
        return 0;
    struct head *fresh;
    int r = head_new(&fresh);
    if (r < 0)
        return r;
    pthread_mutex_lock(&s->view_lock);
    s->view.frozen = s->view.active;
    s->view.active = fresh;
    pthread_mutex_unlock(&s->view_lock);
    headlog_bases_forget(&s->log_bases); /* what is sealed is trimmed; the new head's records stand without it */
    s->seal.running = true;
    s->seal.next_group = 0;
    s->seal.n_groups = (s->index.n + EXTENT_SERIES_MAX - 1) / EXTENT_SERIES_MAX;
    s->head_since_us = 0;
    return 0;
}

int store_put_extent(struct store *s, const struct extent_ref *ref)
{
    db_bind_i64(s->db, SQL_EXT_PUT, 1, ref->id);
    db_bind_i64(s->db, SQL_EXT_PUT, 2, ref->group);
    db_bind_i64(s->db, SQL_EXT_PUT, 3, ref->min_ms);
    db_bind_i64(s->db, SQL_EXT_PUT, 4, ref->max_ms);
    db_bind_i64(s->db, SQL_EXT_PUT, 5, ref->n_bytes);
    db_bind_i64(s->db, SQL_EXT_PUT, 6, ref->level);
    db_bind_blob(s->db, SQL_EXT_PUT, 7, ref->bytes, ref->n_bytes);
    return db_run(s->db, SQL_EXT_PUT);
}

static int write_extents(struct store *s, int64_t last_log_seq)
{
    size_t bytes = 0;
    int r = db_begin(s->db);
    for (size_t i = 0; r == 0 && i < s->seal.cutter.n; i++) {
        struct extent_ref *ref = &s->seal.cutter.extents[i];
        r = store_put_extent(s, ref);
        bytes += ref->n_bytes;
    }
    if (r == 0) {
        db_bind_i64(s->db, SQL_LOG_TRIM, 1, last_log_seq);
        r = db_run(s->db, SQL_LOG_TRIM);
    }
    if (r == 0) {
        db_bind_i64(s->db, SQL_HISTLOG_TRIM, 1, last_log_seq);
        r = db_run(s->db, SQL_HISTLOG_TRIM);
    }
    if (r == 0)
        r = store_fold_series(s, false);
    if (r == 0)
        r = db_commit(s->db);
    else
        db_rollback(s->db);
    if (r == 0 && s->fold_from < series_block_start(s->saved_series))
        s->fold_from = s->saved_series % SERIES_ROW_IDS ? series_block_start(s->saved_series) : UINT32_MAX;
    store_wrote(s, bytes);
    return r;
}

static int seal_finish(struct store *s)
{
    struct seal *seal = &s->seal;
    struct head *frozen = s->view.frozen;
    uint32_t first = s->next_extent;
    for (size_t i = 0; i < seal->cutter.n; i++)
        seal->cutter.extents[i].id = seal->cutter.extents[i].since = first + (uint32_t)i;
    int r = s->db ? write_extents(s, (int64_t)frozen->last_seq) : 0;
    if (r < 0)
        return r;
    /* From here on the file has them: what is left cannot be taken back, so a missing list entry would hide data. */
    for (size_t i = 0; i < seal->cutter.n; i++) {
        struct extent_ref ref = seal->cutter.extents[i];
        if (s->db) {
            free(ref.bytes);
            ref.bytes = NULL;
        }
        while (extent_dir_add(&s->extents, &ref) < 0)
            sleep_us(10000); /* no memory for 40 bytes: nothing else goes on either */
    }
    s->next_extent = first + (uint32_t)seal->cutter.n;
    seal->cutter.n = 0;
    seal->running = false;
    pthread_mutex_lock(&s->view_lock);
    s->view.frozen = NULL;
    s->view.last_extent = s->next_extent - 1;
    pthread_mutex_unlock(&s->view_lock);
    head_release(frozen);
    store_count(s, COUNT_SEALS, 1);
    store_compactor_wake(s);
    return 0;
}

int store_seal_step(struct store *s)
{
    struct seal *seal = &s->seal;
    if (!seal->running)
        return 0;
    int64_t started = mono_us();
    int r = 0;
    if (seal->next_group < seal->n_groups) {
        r = seal_group(s, seal->next_group);
        if (r == 0)
            seal->next_group++;
    } else {
        r = seal_finish(s);
    }
    store_count(s, COUNT_SEAL_US, (uint64_t)(mono_us() - started));
    if (r < 0) {
        store_count(s, COUNT_SEAL_FAILURES, 1);
        seal->retry_us = mono_us() + SEAL_RETRY_US;
        return r;
    }
    return seal->running;
}

int store_seal_all(struct store *s)
{
    int r;
    do
        r = store_seal_step(s); /* one that is under way already */
    while (r > 0);
    if (r == 0)
        r = store_seal_start(s);
    while (r == 0 && s->seal.running) {
        r = store_seal_step(s);
        r = r > 0 ? 0 : r;
    }
    return r;
}

/* ---- retention ---- */
static bool has_pinned_name(const struct store *s, uint32_t group, const struct store_pin *pin)
{
    struct label pairs[LABELS_MAX];
    uint32_t first = extent_series_of(group);
    for (uint32_t ord = 0; ord < EXTENT_SERIES_MAX && first + ord < s->index.n; ord++) {
        const struct series *series = series_index_at(&s->index, first + ord);
        if (!series)
            continue;
        struct labels labels = series_labels(&s->index, series, pairs);
        struct span name = labels_get(&labels, SPAN("__name__"));
        for (const char *const *prefix = pin->name_prefixes; *prefix; prefix++)
            if (span_starts(name, span_str(*prefix)))
                return true;
    }
    return false;
}

static bool is_pinned(void *ctx, const struct extent_ref *ref)
{
    const struct store *s = ctx;
    for (size_t i = 0; i < s->n_pins; i++)
        if (s->pins[i].start_ms <= ref->max_ms && s->pins[i].end_ms >= ref->min_ms &&
            has_pinned_name(s, ref->group, &s->pins[i]))
            return true;
    return false;
}

struct new_pins {
    struct store_pin *list;
    size_t n;
};

static void take_pins(struct store *s, void *ctx)
{
    struct new_pins *pins = ctx;
    free(s->pins);
    s->pins = pins->list;
    s->n_pins = pins->n;
    s->config.retention_waits = false;
    s->retention_due_us = mono_us(); /* what is not pinned any more goes now */
}

int store_set_pins(struct store *s, const struct store_pin *pins, size_t n)
{
    struct new_pins taken = {calloc(n ? n : 1, sizeof *taken.list), n};
    if (!taken.list)
        return -ENOMEM;
    if (n)
        memcpy(taken.list, pins, n * sizeof *pins);
    int r = store_call(s, take_pins, &taken);
    if (r < 0)
        free(taken.list);
    return r;
}

/* Drop up to RETIRE_AT_ONCE extents that ended before it and are not pinned: how many, or an error. */
static int retire_before(struct store *s, int64_t cutoff_ms)
{
    struct extent_ref refs[RETIRE_AT_ONCE];
    size_t n = extent_dir_ended(&s->extents, cutoff_ms, is_pinned, s, refs, RETIRE_AT_ONCE);
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

/* Pages that head.db uses and the days' files; free pages are used again before the file grows. */
static uint64_t bytes_used(struct store *s)
{
    if (!s->db)
        return extent_dir_totals(&s->extents).bytes;
    int64_t pages = number_of(s, SQL_PAGES) - number_of(s, SQL_FREE_PAGES);
    return (uint64_t)(pages > 0 ? pages : 0) * STORE_PAGE_BYTES + store_parts_bytes(s);
}

/* What goes next: the oldest day; of the newest day the extents that end first, ten minutes at a time. */
static bool next_cutoff(struct store *s, int64_t *ret_cutoff_ms)
{
    int64_t oldest_ms = extent_dir_first_end(&s->extents, is_pinned, s), from_ms, newest_ms, day_ms;
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
        r = retire_before(s, s->size_cutoff_ms);
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
    int64_t cutoff_ms;
    int r = 0;
    if (s->config.retention_waits)
        return 0;
    if (s->config.retention_ms > 0 && !__builtin_sub_overflow(store_now_ms(s), s->config.retention_ms, &cutoff_ms))
        r = retire_before(s, cutoff_ms);
    if (r >= 0 && r < RETIRE_AT_ONCE && s->config.retention_bytes)
        return retire_for_size(s); /* after each step it is measured again */
    return r < 0 ? r : r == RETIRE_AT_ONCE;
}
