#include "collector/state/state.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "collector/state/state_sql.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/thread.h"

#define BATCH_MAX 64              /* changes of one commit: bounds how long the first of them waits */
#define WAL_BYTES_MAX (4ll << 20) /* checkpoint above, between commits */

struct change {
    state_change fn;
    void *arg;
    state_done done;
    int result;
};
struct state {
    struct db *db;
    struct queue *queue;
    struct thread *thread;
    const char **sql; /* ours and the rooms', one table */
    size_t sql_count;
    const struct state_room **rooms;
    size_t n_rooms;
    atomic_uint_least64_t committed, failed, commits, commit_failures, commit_us, wal_bytes;
};

int state_base(const struct state *st, const struct state_room *room)
{
    size_t base = STATE_SQL_COUNT;
    for (size_t i = 0; i < st->n_rooms; i++) {
        if (st->rooms[i] == room)
            return (int)base;
        base += st->rooms[i]->sql_count;
    }
    assert(!"a room that was not given to state_open");
    return -1;
}

MUST_USE static int join_tables(struct state *st)
{
    st->sql_count = STATE_SQL_COUNT;
    for (size_t i = 0; i < st->n_rooms; i++)
        st->sql_count += st->rooms[i]->sql_count;
    st->sql = calloc(st->sql_count, sizeof *st->sql);
    if (!st->sql)
        return -ENOMEM;
    memcpy(st->sql, STATE_SQL, sizeof STATE_SQL);
    size_t at = STATE_SQL_COUNT;
    for (size_t i = 0; i < st->n_rooms; i++)
        for (size_t k = 0; k < st->rooms[i]->sql_count; k++)
            st->sql[at++] = st->rooms[i]->sql[k];
    return 0;
}

/* Bring one room's tables from its stored version to the newest, all or nothing. */
MUST_USE static int migrate_in_transaction(struct state *st, const struct state_room *room)
{
    int64_t version = 0;
    db_bind_text(st->db, STATE_SQL_VERSION_GET, 1, span_str(room->name));
    int r = db_step(st->db, STATE_SQL_VERSION_GET);
    if (r > 0) {
        version = db_i64(st->db, STATE_SQL_VERSION_GET, 0);
        db_reset(st->db, STATE_SQL_VERSION_GET);
    }
    if (r < 0)
        return r;
    int64_t newest = 0;
    while (room->migrations[newest])
        newest++;
    if (version > newest)
        return -EOVERFLOW;
    if (version == newest)
        return 0;
    for (; version < newest; version++) {
        r = db_exec(st->db, room->migrations[version]);
        if (r < 0)
            return r;
    }
    db_bind_text(st->db, STATE_SQL_VERSION_PUT, 1, span_str(room->name));
    db_bind_i64(st->db, STATE_SQL_VERSION_PUT, 2, newest);
    return db_run(st->db, STATE_SQL_VERSION_PUT);
}

MUST_USE static int migrate(struct state *st, const struct state_room *room, char *why, size_t why_bytes)
{
    int r = db_begin(st->db);
    if (r == 0)
        r = migrate_in_transaction(st, room);
    if (r == 0)
        r = db_commit(st->db);
    if (r == 0)
        return 0;
    if (why)
        (void)snprintf(why, why_bytes, "state.db, tables of '%s': %s", room->name,
                       r == -EOVERFLOW ? "written by a newer version of this program" : db_why(st->db));
    db_rollback(st->db);
    return r;
}

/* ---- the writer ---- */

/* After a failure inside SQLite (disk full, I/O error, no memory) the whole transaction may be gone: then what was done in it
 * before has failed too. */
static void fail_undone(struct change **changes, size_t n, int result)
{
    for (size_t i = 0; i < n; i++)
        if (changes[i]->result == 0)
            changes[i]->result = result;
}

static void run_one(struct state *st, struct change **changes, size_t at)
{
    struct change *c = changes[at];
    c->result = 0;
    if (!db_in_transaction(st->db))
        c->result = db_begin(st->db);
    if (c->result == 0)
        c->result = db_run(st->db, STATE_SQL_SAVEPOINT);
    if (c->result < 0)
        return;
    int r = c->fn(st->db, c->arg);
    if (r >= 0)
        r = db_run(st->db, STATE_SQL_RELEASE);
    c->result = r < 0 ? r : 0;
    if (r >= 0)
        return;
    if (db_in_transaction(st->db)) {
        r = db_run(st->db, STATE_SQL_ROLLBACK_TO);
        if (r == 0)
            r = db_run(st->db, STATE_SQL_RELEASE);
        if (r < 0) {
            log_error("state change could not be undone alone", "error", "%s", db_why(st->db));
            db_rollback(st->db);
        }
    }
    if (!db_in_transaction(st->db))
        fail_undone(changes, at, c->result);
}

static void count(struct state *st, struct change **changes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        atomic_fetch_add_explicit(changes[i]->result < 0 ? &st->failed : &st->committed, 1, memory_order_relaxed);
}

static void run_batch(struct state *st, struct change **changes, size_t n)
{
    int64_t start_us = mono_us();
    for (size_t i = 0; i < n; i++)
        run_one(st, changes, i);
    if (db_in_transaction(st->db)) {
        int r = db_commit(st->db);
        if (r < 0) {
            atomic_fetch_add_explicit(&st->commit_failures, 1, memory_order_relaxed);
            log_error("state commit failed", "error", "%s", db_why(st->db), "changes", "%zu", n);
            fail_undone(changes, n, r);
        }
    }
    atomic_fetch_add_explicit(&st->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&st->commit_us, (uint_least64_t)(mono_us() - start_us), memory_order_relaxed);
    count(st, changes, n);
    for (size_t i = 0; i < n; i++) {
        if (changes[i]->done)
            changes[i]->done(changes[i]->arg, changes[i]->result);
        free(changes[i]);
    }
}

static void checkpoint_when_long(struct state *st)
{
    int64_t bytes = db_wal_bytes(st->db);
    if (bytes > WAL_BYTES_MAX) {
        int r = db_checkpoint(st->db, false);
        if (r < 0 && r != -EBUSY)
            log_warn("state checkpoint failed", "error", "%s", db_why(st->db));
        bytes = db_wal_bytes(st->db);
    }
    atomic_store_explicit(&st->wal_bytes, (uint_least64_t)bytes, memory_order_relaxed);
}

static void writer_main(void *arg)
{
    struct state *st = arg;
    void *items[BATCH_MAX];
    for (;;) {
        size_t n = queue_pop_all(st->queue, items, BATCH_MAX, -1);
        if (n == 0)
            return; /* closed and drained */
        struct change *changes[BATCH_MAX];
        for (size_t i = 0; i < n; i++)
            changes[i] = items[i];
        run_batch(st, changes, n);
        checkpoint_when_long(st);
    }
}

/* ---- life ---- */
MUST_USE static int open_file(struct state *st, const char *dir, char *why, size_t why_bytes)
{
    AUTO_FREE char *path = NULL;
    if (dir) {
        int r = dir_make(dir);
        if (r < 0) {
            if (why)
                (void)snprintf(why, why_bytes, "%s: %s", dir, strerror(-r));
            return r;
        }
        if (asprintf(&path, "%s/state.db", dir) < 0) {
            path = NULL;
            return -ENOMEM;
        }
    }
    struct db_options options = {.sync = DB_SYNC_FULL,
                                 .sql = st->sql,
                                 .sql_count = st->sql_count,
                                 .migrations = STATE_MIGRATIONS,
                                 .application_id = STATE_APPLICATION_ID};
    return db_open(path, &options, &st->db, why, why_bytes);
}

int state_open(const char *dir, const struct state_room *const *rooms, size_t n, struct state **ret, char *why,
               size_t why_bytes)
{
    if (why && why_bytes)
        *why = '\0';
    struct state *st = calloc(1, sizeof *st);
    if (!st)
        return -ENOMEM;
    st->n_rooms = n;
    st->rooms = calloc(n ? n : 1, sizeof *st->rooms);
    int r = st->rooms ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && r == 0; i++)
        st->rooms[i] = rooms[i];
    if (r == 0)
        r = join_tables(st);
    if (r == 0)
        r = open_file(st, dir, why, why_bytes);
    for (size_t i = 0; i < n && r == 0; i++)
        r = migrate(st, rooms[i], why, why_bytes);
    if (r == 0)
        r = queue_new(STATE_QUEUE_MAX, &st->queue);
    if (r == 0)
        r = thread_start("state", writer_main, st, &st->thread);
    if (r < 0) {
        if (why && why_bytes && !*why)
            (void)snprintf(why, why_bytes, "state.db: %s", strerror(-r));
        state_close(st);
        return r;
    }
    *ret = st;
    return 0;
}

void state_close(struct state *st)
{
    if (!st)
        return;
    if (st->queue)
        queue_close(st->queue);
    thread_join(st->thread);
    queue_free(st->queue);
    db_close(st->db);
    free(st->sql);
    free(st->rooms);
    free(st);
}

/* ---- changes ---- */
int state_submit(struct state *st, state_change change, void *arg, state_done done)
{
    struct change *c = malloc(sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct change){.fn = change, .arg = arg, .done = done};
    int r = queue_push_wait(st->queue, c);
    if (r < 0)
        free(c);
    return r;
}

struct waiting {
    state_change change;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
    int result;
};

static int run_waiting(struct db *db, void *arg)
{
    struct waiting *w = arg;
    return w->change(db, w->arg);
}

static void waiting_done(void *arg, int result)
{
    struct waiting *w = arg;
    pthread_mutex_lock(&w->lock);
    w->result = result;
    w->done = true;
    pthread_cond_signal(&w->ended); /* under the lock: the waiter's stack is gone once it has it */
    pthread_mutex_unlock(&w->lock);
}

int state_run(struct state *st, state_change change, void *arg)
{
    struct waiting w = {
        .change = change, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    int r = state_submit(st, run_waiting, &w, waiting_done);
    if (r < 0)
        return r;
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.ended, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.ended);
    pthread_mutex_destroy(&w.lock);
    return w.result;
}

void state_stats(const struct state *st, struct metric_writer *w)
{
    metric_family(w, "crest_state_changes_total", METRIC_COUNTER, "State changes by result.");
    metric_value(w, (double)atomic_load_explicit(&st->committed, memory_order_relaxed), "result", "committed", NULL);
    metric_value(w, (double)atomic_load_explicit(&st->failed, memory_order_relaxed), "result", "failed", NULL);
    metric_family(w, "crest_state_commits_total", METRIC_COUNTER, "Transactions of state.db.");
    metric_value(w, (double)atomic_load_explicit(&st->commits, memory_order_relaxed), NULL);
    metric_family(w, "crest_state_commit_failures_total", METRIC_COUNTER,
                  "Transactions of state.db that failed as a whole.");
    metric_value(w, (double)atomic_load_explicit(&st->commit_failures, memory_order_relaxed), NULL);
    metric_family(w, "crest_state_commit_seconds_total", METRIC_COUNTER, "Time spent in changes and their commits.");
    metric_value(w, (double)atomic_load_explicit(&st->commit_us, memory_order_relaxed) / 1e6, NULL);
    metric_family(w, "crest_state_queue_depth", METRIC_GAUGE, "State changes waiting.");
    metric_value(w, (double)queue_depth(st->queue), NULL);
    metric_family(w, "crest_state_wal_bytes", METRIC_GAUGE, "Size of state.db's write-ahead log.");
    metric_value(w, (double)atomic_load_explicit(&st->wal_bytes, memory_order_relaxed), NULL);
}
