#include "collector/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "collector/store/store_inside.h"
#include "collector/store/set_aside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

#define SEAL_INTERVAL_MS 600000
#define CHECKED_BYTES_MAX                                                                                              \
    (32 << 20) /* a head.db up to this is looked through at start: some 20 ms; a larger one as it is read */
#define KEY_BYTES_MAX ((LABELS_MAX) * (LABEL_NAME_BYTES_MAX + LABEL_VALUE_BYTES_MAX + 16u))
#define PART_BYTES_MIN (64u << 10) /* a day with less is not worth a file */
#define WRITE_CACHE_KIB 512        /* inner pages; records and extents are written once, and read by others */

int64_t store_now_ms(const struct store *s)
{
    return s->config.now_ms ? s->config.now_ms(s->config.now_ctx) : unix_ms();
}

/* ---- open and close ---- */
static struct store *store_new(const struct store_config *config)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->config = *config;
    if (s->config.series_max == 0)
        s->config.series_max = STORE_SERIES_MAX;
    if (s->config.future_ms_max == 0)
        s->config.future_ms_max = STORE_FUTURE_MS;
    if (s->config.labels_max == 0)
        s->config.labels_max = LABELS_MAX;
    if (s->config.label_name_bytes_max == 0)
        s->config.label_name_bytes_max = LABEL_NAME_BYTES_MAX;
    if (s->config.label_value_bytes_max == 0)
        s->config.label_value_bytes_max = LABEL_VALUE_BYTES_MAX;
    if (s->config.seal_interval_ms <= 0)
        s->config.seal_interval_ms = SEAL_INTERVAL_MS;
    if (exemplars_new(STORE_EXEMPLARS_MAX, STORE_SERIES_EXEMPLARS_MAX, &s->exemplars) < 0) {
        free(s);
        return NULL;
    }
    s->lock_fd = -1;
    s->next_extent = 1;
    s->fold_from = UINT32_MAX;
    s->next_part = 1;
    s->size_cutoff_ms = INT64_MIN;
    atomic_init(&s->newest_ms, INT64_MIN);
    atomic_init(&s->oldest_ms, INT64_MAX);
    extent_dir_init(&s->extents);
    families_init(&s->families);
    headlog_bases_init(&s->log_bases);
    log_slots_init(&s->slots);
    buf_init(&s->key, KEY_BYTES_MAX);
    strmap_init(&s->watched, STORE_WATCH_MAX);
    pthread_mutex_init(&s->view_lock, NULL);
    pthread_mutex_init(&s->pool_lock, NULL);
    pthread_mutex_init(&s->parts_lock, NULL);
    s->part_bytes_min = PART_BYTES_MIN;
    extent_source_init(&s->late_source, s, true);
    histogram_log_init(&s->histlog);
    pthread_mutex_init(&s->compactor.lock, NULL);
    pthread_mutex_init(&s->compactor.wake_lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->compactor.wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_rwlockattr_t prefer_writer;
    pthread_rwlockattr_init(&prefer_writer);
    pthread_rwlockattr_setkind_np(&prefer_writer, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->read_gate, &prefer_writer);
    pthread_rwlockattr_destroy(&prefer_writer);
    return s;
}

static void store_free(struct store *s)
{
    extent_source_done(&s->late_source);
    store_connections_close(s);
    store_parts_free(s);
    db_close(s->db);
    queue_free(s->queue);
    head_release(s->view.active);
    head_release(s->view.frozen);
    tombstones_release(s->view.dead);
    retention_release(s->view.keep);
    gathered_done(&s->seal.gathered);
    cutter_done(&s->seal.cutter);
    loaded_extent_free(&s->late);
    loaded_extent_free(&s->late_histograms);
    headlog_done(&s->log);
    histogram_log_done(&s->histlog);
    exemplars_free(s->exemplars);
    free(s->packed);
    headlog_bases_done(&s->log_bases);
    log_slots_done(&s->slots);
    buf_done(&s->key);
    series_rows_done(&s->series_rows);
    families_done(&s->families);
    strmap_done(&s->watched);
    extent_dir_done(&s->extents);
    series_index_done(&s->index);
    pthread_mutex_destroy(&s->view_lock);
    pthread_mutex_destroy(&s->pool_lock);
    pthread_mutex_destroy(&s->parts_lock);
    pthread_mutex_destroy(&s->compactor.lock);
    pthread_mutex_destroy(&s->compactor.wake_lock);
    pthread_cond_destroy(&s->compactor.wake);
    pthread_rwlock_destroy(&s->read_gate);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->file);
    free(s->path);
    free(s);
}

static char *path_in(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (path)
        (void)snprintf(path, n, "%s/%s", folder, name);
    return path;
}

/* One process per folder: two writers would damage the file, whatever SQLite's locks say. */
static int lock_folder(struct store *s, char *why, size_t why_bytes)
{
    AUTO_FREE char *path = path_in(s->path, STORE_LOCK_FILE);
    if (!path)
        return -ENOMEM;
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (s->lock_fd < 0) {
        int r = -errno;
        (void)snprintf(why, why_bytes, "%s: %s", path, strerror(-r));
        return r;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    int r = errno == EWOULDBLOCK ? -EWOULDBLOCK : -errno;
    (void)snprintf(why, why_bytes, "%s: %s", s->path,
                   r == -EWOULDBLOCK ? "another process has this data folder open" : strerror(-r));
    return r;
}

/* A page that nobody reads today could stop the writer tomorrow. */
static int check_structure(struct store *s)
{
    struct stat st;
    return stat(s->file, &st) == 0 && st.st_size <= CHECKED_BYTES_MAX ? db_quick_check(s->db) : 0;
}

static int open_file(struct store *s, char *why, size_t why_bytes)
{
    s->path = span_dup(span_str(s->config.path));
    s->file = s->path ? path_in(s->path, STORE_FILE) : NULL;
    if (!s->file)
        return -ENOMEM;
    int r = dir_make(s->path);
    if (r < 0) {
        (void)snprintf(why, why_bytes, "%s: %s", s->path, strerror(-r));
        return r;
    }
    r = lock_folder(s, why, why_bytes);
    if (r == 0 && (r = store_set_aside_orphans(s->path)) < 0)
        (void)snprintf(why, why_bytes, "%s: " STORE_FILE " is missing and what is there cannot be set aside: %s",
                       s->path, strerror(-r));
    if (r < 0)
        return r;
    store_count(s, COUNT_SET_ASIDE, (uint64_t)r);
    const struct db_options options = {.sync = s->config.durability == STORE_NORMAL ? DB_SYNC_NORMAL : DB_SYNC_FULL,
                                       .page_bytes = STORE_PAGE_BYTES,
                                       .journal_bytes_max = STORE_WAL_BYTES + (STORE_WAL_BYTES >> 2),
                                       .cache_kib = WRITE_CACHE_KIB,
                                       .sql = STORE_SQL,
                                       .sql_count = STORE_STATEMENTS,
                                       .migrations = STORE_MIGRATIONS,
                                       .application_id = STORE_APPLICATION_ID};
    r = db_open(s->file, &options, &s->db, why, why_bytes);
    if (r == -EOVERFLOW) /* a newer schema: for us, another version's folder */
        return -EUCLEAN;
    if (r == 0 && (r = check_structure(s)) < 0)
        (void)snprintf(why, why_bytes, "%s: %s", s->file, db_why(s->db));
    return r < 0 ? r : store_load(s, why, why_bytes);
}

static int set_rollups(struct store *s, const struct store_config *config)
{
    struct retention *keep;
    int r = retention_with_rollups(s->view.keep, config->rollup_retention_ms, config->fine_rollups,
                                   config->n_fine_rollups, &keep);
    if (r < 0)
        return r;
    retention_release(s->view.keep);
    s->view.keep = keep;
    return 0;
}

static int open_store(const struct store_config *config, struct store **ret, char *why, size_t why_bytes)
{
    why[0] = '\0';
    struct store *s = store_new(config);
    int r = s ? 0 : -ENOMEM;
    if (r == 0)
        r = series_index_init(&s->index,
                              s->config.series_max < SERIES_LIMIT ? (uint32_t)s->config.series_max : SERIES_LIMIT);
    if (r == 0)
        r = series_rows_init(&s->series_rows);
    if (r == 0)
        r = headlog_init(&s->log);
    if (r == 0)
        r = retention_new(config->retention_ms, config->retentions, config->n_retentions, config->retention_waits,
                          &s->view.keep);
    if (r == 0)
        r = set_rollups(s, config);
    if (r == 0)
        r = head_new(&s->view.active);
    if (r == 0 && config->path)
        r = open_file(s, why, why_bytes);
    if (r == 0)
        r = queue_new(WRITE_QUEUE_MAX, &s->queue);
    if (r == 0) {
        s->head_since_us = s->view.active->samples ? mono_us() : 0;
        s->retention_due_us = mono_us();
        atomic_store_explicit(&s->live_series, s->index.live, memory_order_relaxed);
        store_publish_span(s);
        atomic_store_explicit(&s->tombstones, s->view.dead ? s->view.dead->n : 0, memory_order_relaxed);
        r = thread_start("store-writer", store_writer_main, s, &s->writer);
        if (r == 0 && (r = store_compactor_start(s)) < 0) {
            queue_close(s->queue);
            thread_join(s->writer);
        }
    }
    if (r < 0) {
        if (!why[0])
            (void)snprintf(why, why_bytes, "%s: %s", config->path ? config->path : "in-memory store", strerror(-r));
        if (s)
            store_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

int store_open(const struct store_config *config, struct store **ret, char *why, size_t why_bytes)
{
    char ignored[1];
    why = why_bytes ? why : ignored;
    why_bytes = why_bytes ? why_bytes : sizeof ignored;
    int r = open_store(config, ret, why, why_bytes);
    if (r != -EUCLEAN || !config->path || store_set_aside(config->path) <= 0)
        return r;
    r = open_store(config, ret, why, why_bytes);
    if (r == 0)
        store_count(*ret, COUNT_SET_ASIDE, 1);
    return r;
}

/* The last block of series is unfinished while the store is open; what stays on disk is one row each. */
static void fold_series(struct store *s)
{
    if (s->fold_from == UINT32_MAX || db_begin(s->db) < 0)
        return;
    if (store_fold_series(s, true) < 0 || db_commit(s->db) < 0)
        db_rollback(s->db); /* no room: several rows are as good */
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_compactor_stop(s);
    atomic_store_explicit(&s->closing, true, memory_order_relaxed);
    bool renews = store_compact_last(s);
    queue_close(s->queue);
    thread_join(s->writer); /* after this we are the writer */
    int r = renews ? store_seal_held(s) : store_seal_all(s);
    if (s->db && r == 0) { /* otherwise the log keeps what could not be sealed */
        store_connections_close(s);
        fold_series(s);
        if (!renews)
            (void)!log_slots_drop(&s->slots, s->db); /* without room for it they stay, and are used again */
        /* Without room for it the pages stay and are used later, and the log keeps what is held. */
        if (renews || store_renew_is_due(s))
            (void)!store_renew(s, renews ? mono_us() + STORE_LAST_MERGE_US : 0);
    }
    store_free(s);
}

/* ---- writing ---- */
static int submit(struct store *s, struct write_request *request, bool derived, store_done done, void *ctx)
{
    size_t bytes = request->arena.used_bytes + sizeof *request;
    if (atomic_fetch_add_explicit(&s->queued_bytes, bytes, memory_order_relaxed) + bytes > WRITE_QUEUE_BYTES_MAX)
        goto full;
    struct job *job = malloc(sizeof *job);
    if (!job)
        goto full;
    *job = (struct job){
        .kind = JOB_WRITE, .request = request, .request_bytes = bytes, .derived = derived, .done = done, .ctx = ctx};
    int r = queue_push(s->queue, job);
    if (r == 0)
        return 0;
    free(job);
    if (r == -ESHUTDOWN) {
        atomic_fetch_sub_explicit(&s->queued_bytes, bytes, memory_order_relaxed);
        return r;
    }
full:
    atomic_fetch_sub_explicit(&s->queued_bytes, bytes, memory_order_relaxed);
    store_count(s, COUNT_QUEUE_FULL, 1);
    return -EAGAIN;
}

int store_submit(struct store *s, struct write_request *request, store_done done, void *ctx)
{
    return submit(s, request, false, done, ctx);
}

struct waited_write {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool done;
    struct store_written written;
};

static void wake(void *ctx, const struct store_written *written)
{
    struct waited_write *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->written = *written;
    w->done = true;
    pthread_cond_signal(&w->over);
    pthread_mutex_unlock(&w->lock);
}

static int write_and_wait(struct store *s, struct write_request *request, bool derived, struct store_written *ret)
{
    struct waited_write w = {.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};
    int r = submit(s, request, derived, wake, &w);
    if (r < 0)
        return r;
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.over, &w.lock);
    pthread_mutex_unlock(&w.lock);
    *ret = w.written;
    return 0;
}

int store_write(struct store *s, struct write_request *request, struct store_written *ret)
{
    return write_and_wait(s, request, false, ret);
}

int store_write_derived(struct store *s, struct write_request *request, struct store_written *ret)
{
    return write_and_wait(s, request, true, ret);
}

void store_set_commit_hook(struct store *s, struct commit_hook hook)
{
    s->hook = hook; /* before the first write, whose queueing orders the two */
}

static void seal_now(struct store *s, void *ctx)
{
    *(int *)ctx = store_seal_all(s);
}

int store_seal(struct store *s)
{
    int sealed = 0;
    int r = store_call(s, seal_now, &sealed);
    return r < 0 ? r : sealed;
}

/* ---- numbers ---- */
void store_count_refused(struct store *s, enum store_refusal reason, uint64_t n)
{
    atomic_fetch_add_explicit(&s->refused[reason], n, memory_order_relaxed);
}

int64_t store_newest_ms(const struct store *s)
{
    return atomic_load_explicit(&s->newest_ms, memory_order_relaxed);
}
int64_t store_oldest_ms(const struct store *s)
{
    return atomic_load_explicit(&s->oldest_ms, memory_order_relaxed);
}
uint64_t store_series_count(const struct store *s)
{
    return atomic_load_explicit(&s->live_series, memory_order_relaxed);
}
bool store_is_read_only(const struct store *s)
{
    return atomic_load_explicit(&s->read_only, memory_order_relaxed);
}

static const struct {
    enum store_counter counter;
    const char *name, *help;
    double unit;
} COUNTERS[] = {
    {COUNT_SAMPLES, "crest_store_samples_total", "Samples kept, equal duplicates included.", 1},
    {COUNT_HISTOGRAMS, "crest_store_histograms_total", "Native histograms kept, equal duplicates included.", 1},
    {COUNT_EXEMPLARS, "crest_store_exemplars_total", "Exemplars kept, equal duplicates included.", 1},
    {COUNT_BAD_EXEMPLARS, "crest_store_damaged_exemplars_total", "Rows of exemplars found damaged at start.", 1},
    {COUNT_DUPLICATES, "crest_store_duplicate_samples_total", "Samples that were there already with the same value.",
     1},
    {COUNT_COMMITS, "crest_store_commits_total", "Commits of the writer.", 1},
    {COUNT_COMMIT_US, "crest_store_commit_seconds_total", "Time spent in them.", 1e-6},
    {COUNT_COMMIT_FAILURES, "crest_store_commit_failures_total", "Commits that failed; their senders were told.", 1},
    {COUNT_LOG_BYTES, "crest_store_log_bytes_total", "Bytes of log records written.", 1},
    {COUNT_SEALS, "crest_store_seals_total", "Heads sealed into extents.", 1},
    {COUNT_SEAL_US, "crest_store_seal_seconds_total", "Time spent on it.", 1e-6},
    {COUNT_SEAL_FAILURES, "crest_store_seal_failures_total", "Failed tries; the log keeps the samples.", 1},
    {COUNT_CHECKPOINTS, "crest_store_checkpoints_total", "Checkpoints of the write-ahead log.", 1},
    {COUNT_MERGED_EXTENTS, "crest_store_merged_extents_total", "Extents merged into longer ones.", 1},
    {COUNT_PURGED_EXTENTS, "crest_store_purged_extents_total", "Extents rewritten without what was deleted.", 1},
    {COUNT_DELETED_SERIES, "crest_store_deleted_series_total", "Series that deletions matched.", 1},
    {COUNT_MOVED_DAYS, "crest_store_moved_days_total", "Days that moved into files of their own.", 1},
    {COUNT_MOVED_WEEKS, "crest_store_moved_weeks_total", "Weeks whose days moved into one file.", 1},
    {COUNT_MOVE_FAILURES, "crest_store_move_failures_total", "Failed tries; the day stays in head.db.", 1},
    {COUNT_BAD_PARTS, "crest_store_damaged_parts_total",
     "Files of days or weeks set aside at start because they are damaged.", 1},
    {COUNT_SET_ASIDE, "crest_store_heads_set_aside_total",
     "Whether head.db was set aside at start because it was damaged, or missing beside files of days.", 1},
    {COUNT_MERGE_US, "crest_store_merge_seconds_total", "CPU time spent on it.", 1e-6},
    {COUNT_MERGE_FAILURES, "crest_store_merge_failures_total", "Failed tries; the extents stay as they are.", 1},
    {COUNT_SIZE_RETIRED, "crest_store_size_retired_extents_total",
     "Of those dropped, extents that went for retention_size.", 1},
    {COUNT_RETIRED_EXTENTS, "crest_store_retired_extents_total", "Extents that the retention dropped.", 1},
    {COUNT_BAD_LOG_RECORDS, "crest_store_damaged_log_records_total",
     "Log records found damaged at start: their samples are lost.", 1},
    {COUNT_BAD_LOG_SAMPLES, "crest_store_damaged_log_samples_total",
     "Samples lost at start because the log told them by their difference to a damaged record's.", 1},
    {COUNT_BAD_SERIES_ROWS, "crest_store_damaged_series_rows_total",
     "Rows of series found damaged at start: their samples cannot be read.", 1},
    {COUNT_QUEUE_FULL, "crest_store_queue_full_total", "Write requests turned away because the queue was full.", 1},
};
static const char *const REASONS[STORE_REFUSED_REASONS] = {
    [STORE_REFUSED_LABELS] = "labels",       [STORE_REFUSED_SERIES_CAP] = "series_cap",
    [STORE_REFUSED_FUTURE] = "future",       [STORE_REFUSED_DUPLICATE] = "duplicate",
    [STORE_REFUSED_HISTOGRAM] = "histogram", [STORE_REFUSED_EXEMPLAR] = "exemplar",
};

static double load(const atomic_uint_fast64_t *n)
{
    return (double)atomic_load_explicit(n, memory_order_relaxed);
}

static void gauge(struct metric_writer *w, const char *name, const char *help, double value)
{
    metric_family(w, name, METRIC_GAUGE, help);
    metric_value(w, value, NULL);
}

void store_stats(const struct store *s, struct metric_writer *w)
{
    for (size_t i = 0; i < ARRAY_LEN(COUNTERS); i++) {
        metric_family(w, COUNTERS[i].name, METRIC_COUNTER, COUNTERS[i].help);
        metric_value(w, load(&s->counters[COUNTERS[i].counter]) * COUNTERS[i].unit, NULL);
    }
    metric_family(w, "crest_store_refused_samples_total", METRIC_COUNTER, "Samples refused, by reason.");
    for (size_t i = 0; i < STORE_REFUSED_REASONS; i++)
        metric_value(w, load(&s->refused[i]), "reason", REASONS[i], NULL);
    struct extent_totals extents = extent_dir_totals((struct extent_dir *)&s->extents); /* takes its lock */
    gauge(w, "crest_store_series", "Series known.", load(&s->live_series));
    gauge(w, "crest_store_head_samples", "Samples in memory, not sealed yet.", load(&s->head_samples));
    gauge(w, "crest_store_head_bytes", "Memory that they take.", load(&s->head_bytes));
    gauge(w, "crest_store_extents", "Sealed extents.", (double)extents.extents);
    gauge(w, "crest_store_extent_bytes", "Their size.", (double)extents.bytes);
    gauge(w, "crest_store_rollup_bytes", "Of it, rollups of files of days and weeks.", (double)extents.rollup_bytes);
    gauge(w, "crest_store_damaged_extents", "Extents found damaged since the start; they are skipped.",
          (double)extents.bad);
    gauge(w, "crest_store_exemplars_held", "Exemplars there are.", (double)exemplars_count(s->exemplars));
    gauge(w, "crest_store_tombstones", "Deletions not removed from the files yet, by group of 128 series.",
          load(&s->tombstones));
    gauge(w, "crest_store_over_size_bytes",
          "Stored above retention_size although nothing more may go: it is pinned or not sealed yet.",
          load(&s->over_bytes));
    gauge(w, "crest_store_wal_bytes", "Size of the write-ahead log at the last checkpoint.", load(&s->wal_file_bytes));
    gauge(w, "crest_store_queue_depth", "Write requests waiting.", (double)queue_depth(s->queue));
    gauge(w, "crest_store_queue_bytes", "Their size.",
          (double)atomic_load_explicit(&s->queued_bytes, memory_order_relaxed));
    gauge(w, "crest_store_read_only", "1 while writing fails (disk full) and ingest is refused.",
          store_is_read_only(s));
}
