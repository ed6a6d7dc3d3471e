/* The writer thread: takes all that queued, makes one commit of it, tells the senders; between commits it keeps house. */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"

#define GROUP_MAX 64 /* requests of one commit */
#define PATIENCE_US_MAX 1000
#define SEAL_LEAD 16u     /* a sixteenth of a head comes meanwhile, not half: memory */
#define SEAL_STEPS_MAX 32 /* groups of a seal between two commits, with many series: some 4 ms */
#define HELD_STEPS_MAX 4  /* groups merged, which have several seals' samples: some 4 ms */
#define RETENTION_EVERY_US 60000000
#define PROBE_EVERY_US 1000000
#define SYNC_EVERY_US 500000 /* durability normal: a power cut costs a second at most, the sync included */
#define TRUNCATE_EVERY_US 30000000
#define COMMIT_PAGES_BYTES 16384 /* pages that a transaction touches besides its blobs: leaf, inner, first */

void store_wrote(struct store *s, size_t bytes)
{
    s->wal_bytes += bytes + COMMIT_PAGES_BYTES;
}

/* ---- the transaction ---- */
/* Series [from, to) as rows, block by block. */
static int put_series(struct store *s, uint32_t from, uint32_t to)
{
    int r = 0;
    while (r == 0 && from < to) {
        uint32_t block_end = series_block_start(from) + SERIES_ROW_IDS, id = 0;
        struct span row;
        r = series_rows_make(&s->series_rows, &s->index, from, block_end < to ? block_end : to, &row, &id, &from);
        if (r < 0 || row.len == 0)
            continue;
        db_bind_i64(s->db, SQL_SERIES_PUT, 1, id);
        db_bind_blob(s->db, SQL_SERIES_PUT, 2, row.ptr, row.len);
        r = db_run(s->db, SQL_SERIES_PUT);
        store_wrote(s, row.len);
    }
    return r;
}

static int save_series(struct store *s)
{
    return put_series(s, s->saved_series, s->index.n);
}

int store_fold_series(struct store *s, bool all)
{
    uint32_t to = all ? s->saved_series : series_block_start(s->saved_series);
    int r = 0;
    for (uint32_t from = s->fold_from; r == 0 && from < to; from += SERIES_ROW_IDS) {
        db_bind_i64(s->db, SQL_SERIES_FORGET, 1, from);
        db_bind_i64(s->db, SQL_SERIES_FORGET, 2, from + SERIES_ROW_IDS - 1);
        r = db_run(s->db, SQL_SERIES_FORGET);
        if (r == 0)
            r = put_series(s, from, from + SERIES_ROW_IDS < to ? from + SERIES_ROW_IDS : to);
    }
    return r;
}

static int save_families(struct store *s)
{
    size_t at = 0;
    const struct metadata *m;
    int r = 0;
    while (r == 0 && (m = families_next_unsaved(&s->families, &at)) != NULL) {
        db_bind_text(s->db, SQL_FAMILY_PUT, 1, m->name);
        db_bind_i64(s->db, SQL_FAMILY_PUT, 2, m->type);
        db_bind_text(s->db, SQL_FAMILY_PUT, 3, m->unit.len ? m->unit : SPAN(""));
        db_bind_text(s->db, SQL_FAMILY_PUT, 4, m->help.len ? m->help : SPAN(""));
        r = db_run(s->db, SQL_FAMILY_PUT);
    }
    return r;
}

static int save_samples(struct store *s)
{
    const uint8_t *record;
    size_t n;
    int r = headlog_end(&s->log, &record, &n);
    if (r == 0 && s->commit_samples)
        r = store_save_histograms(s);
    if (r < 0 || headlog_count(&s->log) == 0)
        return r;
    size_t pages = 0;
    r = log_slots_put(&s->slots, s->db, s->log_seq + 1, record, n, &pages);
    s->wal_bytes += pages;
    store_count(s, COUNT_LOG_BYTES, n);
    return r;
}

static int save_news(struct store *s)
{
    bool news =
        s->commit_samples || exemplars_changed(s->exemplars) || s->families.unsaved || s->saved_series < s->index.n;
    if (!s->db || !news)
        return 0;
    int r = db_begin(s->db);
    if (r == 0)
        r = save_series(s);
    if (r == 0)
        r = save_families(s);
    if (r == 0)
        r = save_samples(s);
    if (r == 0)
        r = store_save_exemplars(s);
    if (r == 0)
        r = db_commit(s->db);
    else
        db_rollback(s->db);
    if (r == 0)
        log_slots_keep(&s->slots);
    else
        log_slots_undo(&s->slots);
    return r;
}

/* SQLite carries the pragma out while it parses it: what fails afterwards, without memory, has become lazy all the same. */
static int set_lazy(struct store *s, bool lazy)
{
    if (s->lazy == lazy)
        return 0;
    s->lazy = true;
    int r = db_exec(s->db, lazy ? "PRAGMA synchronous = 1" : "PRAGMA synchronous = 2");
    s->lazy = lazy || r < 0;
    return r;
}

/* What is derived does not wait for the disk: the next commit that does takes it along, in order. */
static int save(struct store *s, bool derived)
{
    if (!s->db || s->config.durability == STORE_NORMAL)
        return save_news(s);
    int r = set_lazy(s, derived);
    if (r == 0)
        r = save_news(s);
    (void)!set_lazy(s, false); /* if it fails, so does the next commit, before anything is acknowledged */
    return r;
}

void store_publish_span(struct store *s)
{
    int64_t oldest, newest;
    extent_dir_span(&s->extents, &oldest, &newest);
    const struct head *heads[] = {s->view.active, s->view.frozen};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        if (!heads[i])
            continue;
        oldest = heads[i]->min_ms < oldest ? heads[i]->min_ms : oldest;
        newest = heads[i]->max_ms > newest ? heads[i]->max_ms : newest;
    }
    atomic_store_explicit(&s->oldest_ms, oldest, memory_order_relaxed);
    atomic_store_explicit(&s->newest_ms, newest, memory_order_relaxed);
}

static void publish(struct store *s)
{
    head_keep(s->view.active);
    if (s->commit_samples) {
        s->log_seq++;
        s->view.active->last_seq = (uint64_t)s->log_seq;
        if (s->head_since_us == 0)
            s->head_since_us = mono_us();
        if (s->unsynced_us == 0)
            s->unsynced_us = mono_us();
    }
    if (exemplars_changed(s->exemplars)) {
        exemplars_keep(s->exemplars);
        s->unsynced_us = s->unsynced_us ? s->unsynced_us : mono_us();
    }
    if (s->saved_series < s->index.n && s->saved_series % SERIES_ROW_IDS != 0 && !s->series_damaged &&
        series_block_start(s->saved_series) < s->fold_from)
        s->fold_from = series_block_start(s->saved_series); /* a block in more than one row */
    s->saved_series = s->index.n;
    families_saved(&s->families);
    pthread_mutex_lock(&s->view_lock);
    s->view.seq = s->seq;
    s->view.n_series = s->index.n;
    pthread_mutex_unlock(&s->view_lock);
    if (s->commit_newest_ms > atomic_load_explicit(&s->newest_ms, memory_order_relaxed))
        atomic_store_explicit(&s->newest_ms, s->commit_newest_ms, memory_order_relaxed);
    if (s->commit_oldest_ms < atomic_load_explicit(&s->oldest_ms, memory_order_relaxed))
        atomic_store_explicit(&s->oldest_ms, s->commit_oldest_ms, memory_order_relaxed);
    atomic_store_explicit(&s->live_series, s->index.live, memory_order_relaxed);
}

static void answer(struct store *s, struct job *job, int error, const char *why)
{
    struct store_written *w = &job->written;
    if (error < 0) {
        *w = (struct store_written){.error = error == -ENOSPC || error == -ENOMEM ? error : -EIO};
        (void)snprintf(w->why, sizeof w->why, "%s", why);
    }
    for (size_t i = 0; i < STORE_REFUSED_REASONS; i++)
        store_count_refused(s, (enum store_refusal)i, w->refused[i]);
    store_count(s, COUNT_SAMPLES, w->samples);
    store_count(s, COUNT_HISTOGRAMS, w->histograms);
    store_count(s, COUNT_EXEMPLARS, w->exemplars);
    atomic_fetch_sub_explicit(&s->queued_bytes, job->request_bytes, memory_order_relaxed);
    write_request_free(job->request);
    if (job->done)
        job->done(job->ctx, w);
    free(job);
}

/* Can the head take more? Sealing failed for so long that memory must be protected. */
static bool head_is_full(const struct store *s)
{
    uint64_t frozen = s->view.frozen ? head_load(s->view.frozen) : 0;
    return (s->view.frozen || s->hold.due) && head_load(s->view.active) > STORE_HEAD_OVERFLOW * frozen &&
           head_load(s->view.active) > STORE_HEAD_OVERFLOW * (uint64_t)STORE_HEAD_SAMPLES;
}

/* As many of the requests as one record takes; returns how many. */
static size_t commit_some(struct store *s, struct job **jobs, size_t n)
{
    int64_t started_us = mono_us();
    s->seq++;
    s->commit_samples = 0;
    s->commit_newest_ms = s->commit_scraped_newest_ms = INT64_MIN;
    s->commit_oldest_ms = INT64_MAX;
    for (uint32_t i = 0; i < s->n_watched; i++)
        s->watched_ms[i] = INT64_MIN;
    headlog_begin(&s->log, &s->log_bases);
    histogram_log_begin(&s->histlog);
    bool full = head_is_full(s);
    int r = full ? -ENOSPC : 0;
    size_t taken = 0;
    bool all_derived = true;
    s->after_derived = false;
    while (taken < n && r == 0 && headlog_bytes(&s->log) + histogram_log_bytes(&s->histlog) < STORE_RECORD_BYTES) {
        all_derived = all_derived && jobs[taken]->derived;
        s->after_derived = s->after_derived || jobs[taken]->derived;
        r = store_ingest(s, jobs[taken++]);
    }
    if (r == 0)
        r = save(s, all_derived);
    else if (taken == 0)
        taken = n;
    if (r < 0) {
        head_undo(s->view.active);
        exemplars_undo(s->exemplars);
        headlog_bases_forget(&s->log_bases);
        store_count(s, COUNT_COMMIT_FAILURES, 1);
        if (r != -ENOMEM)
            atomic_store_explicit(&s->read_only, true, memory_order_relaxed);
    } else {
        publish(s);
        store_count(s, COUNT_COMMITS, 1);
        if (s->commit_samples || s->db == NULL)
            atomic_store_explicit(&s->read_only, false, memory_order_relaxed);
    }
    const char *why = full                    ? "too much waits to be sealed, which fails"
                      : s->db && r != -ENOMEM ? db_why(s->db)
                                              : strerror(-r);
    int64_t done_us = mono_us();
    store_count(s, COUNT_COMMIT_US, (uint64_t)(done_us - started_us));
    if (r == 0 && s->commit_samples && s->hook.committed) {
        struct commit_info info = {s->commit_scraped_newest_ms, s->commit_samples, done_us, s->watched_ms,
                                   s->n_watched};
        s->hook.committed(s->hook.ctx, &info);
    }
    for (size_t i = 0; i < taken; i++)
        answer(s, jobs[i], r, why);
    return taken;
}

static void work(struct store *s, struct job **jobs, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (jobs[i]->kind == JOB_CALL) {
            jobs[i]->call(s, jobs[i]->ctx);
            free(jobs[i++]);
            continue;
        }
        size_t writes = 1;
        while (i + writes < n && jobs[i + writes]->kind == JOB_WRITE)
            writes++;
        i += commit_some(s, jobs + i, writes);
    }
}

/* ---- housekeeping ---- */
static void checkpoint(struct store *s)
{
    /* Right after the rules have recorded nobody waits for them: a good moment to be early. */
    size_t due = s->after_derived ? STORE_WAL_BYTES / 4 * 3 : STORE_WAL_BYTES;
    if (atomic_load_explicit(&s->closing, memory_order_relaxed)) /* which copies all of it, once */
        due = STORE_WAL_BYTES_MAX;
    if (!s->db || s->wal_bytes < due)
        return;
    int r = db_checkpoint(s->db, false);
    store_count(s, COUNT_CHECKPOINTS, 1);
    s->wal_bytes = r == 0 ? 0 : STORE_WAL_BYTES * 3 / 4; /* readers were in the way: again a little later */
    int64_t file_bytes = db_wal_bytes(s->db);
    atomic_store_explicit(&s->wal_file_bytes, (uint64_t)file_bytes, memory_order_relaxed);
    if (r < 0 && file_bytes > (int64_t)STORE_WAL_BYTES_MAX && mono_us() >= s->truncate_due_us) {
        /* Ours overlap for ever: a moment without any. Another program's reader we could only wait for, so not often. */
        s->truncate_due_us = mono_us() + TRUNCATE_EVERY_US;
        pthread_rwlock_wrlock(&s->read_gate);
        r = db_checkpoint(s->db, true);
        pthread_rwlock_unlock(&s->read_gate);
        if (r == 0)
            s->wal_bytes = 0;
    }
}

/* Durability normal: commits wait for no disk, but not for ever. */
static void sync_log(struct store *s, int64_t now_us)
{
    if (!s->db || s->config.durability != STORE_NORMAL || s->unsynced_us == 0 ||
        now_us - s->unsynced_us < SYNC_EVERY_US)
        return;
    if (db_sync_log(s->db) < 0) { /* as with a commit: senders are told until writing works again */
        store_count(s, COUNT_COMMIT_FAILURES, 1);
        atomic_store_explicit(&s->read_only, true, memory_order_relaxed);
        s->unsynced_us = now_us;
    } else {
        s->unsynced_us = 0;
    }
}

static bool seal_is_due(const struct store *s, int64_t now_us)
{
    uint64_t samples = head_load(s->view.active), per_series = (uint64_t)s->index.live * STORE_HEAD_SAMPLES_PER_SERIES;
    if (samples == 0 || s->head_since_us == 0)
        return false;
    return samples >= (per_series > STORE_HEAD_SAMPLES ? per_series : STORE_HEAD_SAMPLES) ||
           now_us - s->head_since_us >= s->config.seal_interval_ms * 1000;
}

/* The disk was full. Nobody may try again for long while the front door answers 503, so the writer does. */
static void probe(struct store *s)
{
    if (!s->db || db_run(s->db, SQL_PROBE_PUT) < 0 || db_run(s->db, SQL_PROBE_DELETE) < 0)
        return;
    atomic_store_explicit(&s->read_only, false, memory_order_relaxed);
    s->seal.retry_us = 0;
}

/* One group between two commits is enough for few series or senders that pause. With many series and senders that do not, the next head
 * would be full before this one is sealed: memory for both. */
static bool seal_lags(const struct store *s)
{
    const struct seal *seal = &s->seal;
    return seal->running && (uint64_t)seal->next_group * s->view.frozen->samples <
                                SEAL_LEAD * (uint64_t)seal->n_groups * s->view.active->samples;
}

static int seal_some(struct store *s)
{
    int r = store_seal_step(s);
    for (unsigned n = 1; r > 0 && n < SEAL_STEPS_MAX && seal_lags(s); n++)
        r = store_seal_step(s);
    return r;
}

/* Done when half of the next head has come. */
static int write_some_held(struct store *s, bool hurry)
{
    int r = store_write_held_step(s, hurry);
    for (unsigned n = 1; r > 0 && n < HELD_STEPS_MAX; n++) {
        const struct hold *h = &s->hold;
        if ((uint64_t)h->next_group * STORE_HEAD_SAMPLES >= 2 * (uint64_t)h->n_groups * s->view.active->samples)
            break;
        r = store_write_held_step(s, hurry);
    }
    return r;
}

/* Returns how long the writer may sleep. */
static int64_t keep_house(struct store *s)
{
    int64_t now_us = mono_us();
    atomic_store_explicit(&s->head_samples, s->view.active->samples + (s->view.frozen ? s->view.frozen->samples : 0),
                          memory_order_relaxed);
    atomic_store_explicit(&s->head_bytes, s->view.active->bytes + (s->view.frozen ? s->view.frozen->bytes : 0),
                          memory_order_relaxed);
    checkpoint(s);
    sync_log(s, now_us);
    if (now_us >= s->seal.retry_us) {
        bool due = seal_is_due(s, now_us);
        if (!s->seal.running && s->hold.due && write_some_held(s, due) > 0)
            return 0;
        if (!s->seal.running && due && store_seal_start(s) < 0)
            s->seal.retry_us = now_us + PROBE_EVERY_US;
        if (s->seal.running && seal_some(s) > 0)
            return 0;
    }
    if (now_us >= s->retention_due_us && store_retire(s) > 0)
        return 0;
    if (now_us >= s->retention_due_us)
        s->retention_due_us = now_us + RETENTION_EVERY_US;
    if (atomic_load_explicit(&s->read_only, memory_order_relaxed) && now_us >= s->probe_due_us) {
        probe(s);
        s->probe_due_us = now_us + PROBE_EVERY_US;
    }
    int64_t sleep = s->retention_due_us - now_us;
    if (s->head_since_us) {
        int64_t seal_us = s->head_since_us + s->config.seal_interval_ms * 1000 - now_us;
        sleep = seal_us < sleep ? seal_us : sleep;
    }
    if (s->unsynced_us && s->config.durability == STORE_NORMAL) {
        int64_t sync_us = s->unsynced_us + SYNC_EVERY_US - now_us;
        sleep = sync_us < sleep ? sync_us : sleep;
    }
    bool uneasy = s->seal.running || s->hold.due || atomic_load_explicit(&s->read_only, memory_order_relaxed);
    sleep = uneasy && sleep > PROBE_EVERY_US ? PROBE_EVERY_US : sleep;
    return sleep < 1000 ? 1000 : sleep;
}

/* Several senders, each with its next request soon after its answer: a moment's wait makes one commit, one fsync and one page's remainder
 * of what would be two of each. As many are waited for as there were about the last commit, twice as long as that took at most, in
 * which their next requests are decoded; one sender alone is never. */
static size_t wait_for_siblings(struct store *s, void **items, size_t n)
{
    if (!s->db || s->config.durability == STORE_NORMAL || n == 0)
        return n;
    int64_t now_us = mono_us(), until_us = now_us + s->patience_us;
    while (n < s->siblings && n < GROUP_MAX && now_us < until_us) {
        size_t more = queue_pop_all(s->queue, items + n, GROUP_MAX - n, until_us - now_us);
        if (more == 0)
            break;
        n += more;
        now_us = mono_us();
    }
    return n;
}

static void count_siblings(struct store *s, size_t n, int64_t took_us)
{
    s->siblings = n + queue_depth(s->queue);
    s->patience_us = took_us * 2 < PATIENCE_US_MAX ? took_us * 2 : PATIENCE_US_MAX;
}

void store_writer_main(void *arg)
{
    struct store *s = arg;
    void *items[GROUP_MAX];
    int64_t sleep_us = 0;
    for (;;) {
        size_t n = queue_pop_all(s->queue, items, GROUP_MAX, sleep_us);
        if (n == 0 && queue_is_closed(s->queue) && queue_depth(s->queue) == 0)
            return;
        n = wait_for_siblings(s, items, n);
        int64_t start_us = mono_us();
        work(s, (struct job **)items, n);
        if (n)
            count_siblings(s, n, mono_us() - start_us);
        sleep_us = keep_house(s);
    }
}

/* ---- calls ---- */
struct waited_call {
    void (*call)(struct store *s, void *ctx);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool done;
};

static void run_waited(struct store *s, void *ctx)
{
    struct waited_call *c = ctx;
    c->call(s, c->ctx);
    pthread_mutex_lock(&c->lock);
    c->done = true;
    pthread_cond_signal(&c->over);
    pthread_mutex_unlock(&c->lock);
}

int store_call(struct store *s, void (*call)(struct store *s, void *ctx), void *ctx)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return -ENOMEM;
    struct waited_call c = {
        .call = call, .ctx = ctx, .lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};
    *job = (struct job){.kind = JOB_CALL, .call = run_waited, .ctx = &c};
    int r = queue_push_wait(s->queue, job);
    if (r < 0) {
        free(job);
        return r;
    }
    pthread_mutex_lock(&c.lock);
    while (!c.done)
        pthread_cond_wait(&c.over, &c.lock);
    pthread_mutex_unlock(&c.lock);
    return 0;
}
