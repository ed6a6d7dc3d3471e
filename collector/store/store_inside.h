/* store_inside.h - the store's one struct, and which file does what with it. For this folder's files and its tests only.
 *
 *   store.c    open, close, submit, numbers          load.c    from the files into memory at start
 *   writer.c   the writer thread: commit, upkeep      ingest.c  one request: series, refusals, head, log record
 *   seal.c     head -> extents                        hold.c    a few seals' extents wait to be merged before they are written
 *   compact.c small extents -> larger ones, on a thread of its own
 *   renew.c   head.db is written anew at the end
 *   part.c     files of days and weeks that are over  part_move.c makes them
 *   source.c  fetches extents' bytes; the readers' connections
 *   reader.c   views and samples                      select.c  matchers -> series; label names and values
 *   reader_columns.c  what readers fill                narrow.c  has a series a sample in the times?
 *   rollup_read.c  rollups in the place of samples      rollup_make.c  makes them, for part_move.c
 *   delete.c   deletions: tombstones, until the extents are rewritten
 *   lookup.c   finds series for decoders
 *   histogram_store.c   what is different of native histograms
 *   retire.c   what is over leaves: by age, by size, by series
 *   exemplar_store.c    exemplars: the table, start, deletion, retention, reading
 *   watch.c    names that commits tell of
 *
 * Who may touch what: fields under "writer" belong to the writer thread (and to store_open before it runs). `view` is read and
 * replaced under view_lock. index and extents have locks of their own. Counters are relaxed atomics. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "collector/store/cut.h"
#include "collector/store/exemplars.h"
#include "collector/store/extent.h"
#include "collector/store/extent_dir.h"
#include "collector/store/families.h"
#include "collector/store/head.h"
#include "collector/store/headlog.h"
#include "collector/store/log_slots.h"
#include "collector/store/histogram_extent.h"
#include "collector/store/histogram_log.h"
#include "collector/store/retention.h"
#include "collector/store/rollup_extent.h"
#include "collector/store/series_index.h"
#include "collector/store/series_rows.h"
#include "collector/store/store.h"
#include "collector/store/tombstone.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/thread.h"
#include "lib/db/db.h"

#define READ_CONNECTIONS_IDLE_MAX 16
#define PART_PATH_MAX 4096
#define STORE_LAST_MERGE_US 4000000 /* at the end: SIGTERM has 10 s for everything */
#define DAY_OVER_MS 3600000         /* after midnight UTC: what comes later than this is rare */
#define STORE_PAGE_BYTES 2048 /* docs/store.md: 17.4 B written per sample, against 21.7 with 4096; reading is as fast */

/* What a reader sees: commits up to seq, series below n_series, extents up to last_extent without what `dead` hides. */
struct store_view {
    struct head *active, *frozen; /* frozen: being sealed, or NULL */
    uint32_t seq, n_series, last_extent;
    struct tombstones *dead;  /* NULL: nothing is deleted */
    uint64_t dead_generation; /* of the deletions; not of their ends */
    struct retention *keep;
};

/* ---- work for the writer ---- */
enum job_kind { JOB_WRITE, JOB_CALL };
struct job {
    enum job_kind kind;
    struct write_request *request; /* JOB_WRITE: the job's */
    size_t request_bytes;
    bool derived; /* JOB_WRITE: nobody was promised that it survives a power cut */
    store_done done;
    void *ctx;
    struct store_written written;
    void (*call)(struct store *s, void *ctx); /* JOB_CALL: between two commits */
};

struct seal {
    bool running;
    uint32_t next_group, n_groups;
    struct gathered gathered;
    struct cutter cutter; /* its extents are made, but not in the file yet */
    int64_t retry_us;     /* after a failure: not before */
};

/* Extents of the last seals that are not in the file yet. */
struct hold {
    unsigned seals;
    uint64_t samples;
    size_t bytes;
    uint32_t last_id;  /* the newest of them */
    uint64_t last_seq; /* the log has them up to here */
    bool due;          /* they are to be written */
    bool running;      /* the writing has begun; */
    bool merges;       /* those of a group as one */
    uint32_t next_group, n_groups;
};

/* A file of a day or a week. */
struct part {
    uint32_t id;
    int64_t from_ms;
    unsigned days;
    char *name;                     /* in the folder */
    uint32_t extents;               /* the writer's: in use; when none is left the file goes */
    uint64_t bytes;                 /* of the file */
    bool retired;                   /* the writer's: it has rows that are not in use any more */
    _Atomic uint64_t retired_bytes; /* of them, as far as they were dropped since the start */
    bool damaged;                   /* it could not be read at start */
};
struct idle_connection {
    struct db *db;
    uint32_t part;
};
/* Who fetches extents: a reader, the compactor, or the writer; on one thread at a time. */
struct extent_source {
    struct store *store;
    bool writer; /* head.db through the writer's own connection */
    struct db *hot, *part_db;
    uint32_t part;
};

/* The thread that merges; it wakes after each seal. */
struct compactor {
    struct thread *thread;
    pthread_mutex_t lock; /* of a round: the thread's, or store_compact()'s */
    pthread_mutex_t wake_lock;
    pthread_cond_t wake;
    bool due, stop;
    int64_t hourly_due_us;
    _Atomic int64_t until_us; /* end the round where it is then */
};

/* An extent in use: its bytes, and the time column that was decoded last, because neighbours share it. */
struct loaded_extent {
    struct extent extent;
    uint8_t *bytes;
    int64_t *times;
    unsigned times_column; /* EXTENT_SERIES_MAX: none */
    bool damaged;          /* a column of it could not be decoded */
};

enum store_counter {
    COUNT_SAMPLES,
    COUNT_HISTOGRAMS,
    COUNT_EXEMPLARS,
    COUNT_BAD_EXEMPLARS,
    COUNT_DUPLICATES,
    COUNT_REQUESTS,
    COUNT_COMMITS,
    COUNT_COMMIT_US,
    COUNT_COMMIT_FAILURES,
    COUNT_LOG_BYTES,
    COUNT_SEALS,
    COUNT_SEAL_FAILURES,
    COUNT_SEAL_US,
    COUNT_CHECKPOINTS,
    COUNT_BAD_LOG_RECORDS,
    COUNT_BAD_LOG_SAMPLES,
    COUNT_BAD_SERIES_ROWS,
    COUNT_RETIRED_EXTENTS,
    COUNT_SIZE_RETIRED,
    COUNT_MERGED_EXTENTS,
    COUNT_PURGED_EXTENTS,
    COUNT_DELETED_SERIES,
    COUNT_MOVED_DAYS,
    COUNT_MOVED_WEEKS,
    COUNT_MOVE_FAILURES,
    COUNT_BAD_PARTS,
    COUNT_SET_ASIDE,
    COUNT_MERGE_US,
    COUNT_MERGE_FAILURES,
    COUNT_QUEUE_FULL,
    STORE_COUNTERS
};

struct store {
    struct store_config config;
    char *path, *file; /* NULL: in memory */
    int lock_fd;

    struct series_index index;
    struct extent_dir extents;
    struct families families;

    pthread_mutex_t view_lock;
    struct store_view view;
    struct store_reader *readers; /* open ones, under view_lock */
    struct compactor compactor;

    struct queue *queue;
    struct thread *writer;
    atomic_size_t queued_bytes;
    struct commit_hook hook;

    pthread_mutex_t pool_lock; /* of the idle read-only connections */
    struct idle_connection pool[READ_CONNECTIONS_IDLE_MAX];
    size_t n_pool;
    pthread_mutex_t parts_lock; /* of the list; the writer changes it */
    struct part *parts;
    size_t n_parts;
    uint32_t next_part;      /* the compactor's */
    uint64_t part_bytes_min; /* a day with less stays in head.db */
    /* The compactor's: days before rolled_before_ms, as far as their extents have numbers up to rolled_id, have the rollups that they
     * will have. */
    _Atomic uint32_t rolled_id;
    _Atomic int64_t rolled_before_ms;
    pthread_rwlock_t
        read_gate; /* held for reading during a fetch; the writer closes it to get rid of an overgrown WAL */

    /* writer */
    struct db *db; /* NULL: in memory */
    struct headlog_writer log;
    struct log_slots slots;         /* where its records stand */
    struct headlog_bases log_bases; /* of the records since the last seal began */
    struct histogram_log histlog;
    struct exemplars *exemplars; /* has a lock of its own */
    uint8_t *packed;             /* scratch of one histogram; NULL: there was none */
    struct buf key;              /* scratch of one series key */
    struct series_walk walk;     /* of series that came by their keys */
    uint32_t seq;                /* of the commit being made */
    int64_t log_seq;             /* last row of headlog */
    struct series_rows series_rows;
    uint32_t saved_series; /* ids below are in the table series */
    uint32_t fold_from;    /* blocks from this id on may be in several rows; UINT32_MAX: none is */
    bool series_damaged;   /* a row could not be read: it stays, to keep its ids taken, so nothing is folded */
    uint32_t next_extent;
    struct seal seal;
    struct hold hold;
    struct extent_source late_source;
    struct loaded_extent late; /* the extent that the last late sample was compared with */
    uint32_t late_id;
    struct loaded_extent late_histograms;
    uint32_t late_histograms_id;
    int64_t size_cutoff_ms; /* what is above retention_bytes goes up to here; INT64_MIN: nothing does */
    int64_t commit_newest_ms, commit_oldest_ms, commit_scraped_newest_ms;
    uint64_t commit_samples;
    struct strmap watched; /* metric name -> its number + 1 */
    int64_t watched_ms[STORE_WATCH_MAX];
    uint32_t n_watched;
    int64_t head_since_us, retention_due_us, probe_due_us, truncate_due_us;
    size_t siblings;          /* requests about the last commit: in it, or queued at its end */
    int64_t patience_us;      /* to wait for as many again */
    int64_t unsynced_us;      /* durability normal: the first commit since the log was synced; 0: none */
    bool lazy, after_derived; /* commits do not wait for the disk; the last commit had what rules record */
    size_t wal_bytes;         /* written since the last complete checkpoint, roughly */

    _Atomic int64_t newest_ms, oldest_ms;
    atomic_bool read_only, closing;
    atomic_uint_fast64_t live_series, head_samples, head_bytes, wal_file_bytes, tombstones, over_bytes;
    atomic_uint_fast64_t counters[STORE_COUNTERS];
    atomic_uint_fast64_t refused[STORE_REFUSED_REASONS];
};

static inline void store_count(struct store *s, enum store_counter c, uint64_t n)
{
    atomic_fetch_add_explicit(&s->counters[c], n, memory_order_relaxed);
}
int64_t store_now_ms(const struct store *s);

/* load.c */
MUST_USE int store_load(struct store *s, char *why, size_t why_bytes);

/* ingest.c: put the request's samples into the active head and the log record; fills job->written but its error. -ENOMEM: the
 * whole commit must be undone. */
MUST_USE int store_ingest(struct store *s, struct job *job);

void store_refuse(const struct store *s, struct job *job, const struct write_series *ws, enum store_refusal reason,
                  uint64_t n, const char *detail);
/* Is there a float sample at that time already, in the heads or sealed? Damaged or unreadable extents cannot tell and count as
 * "no": the reader merges what is doubled. */
bool store_find_float(struct store *s, uint32_t id, int64_t t_ms, uint64_t *ret_bits);

/* histogram_store.c: native histograms in the store's ways. */
/* As store_find_float(): 0 there is none, 1 another one, 2 the same as the packed one. */
MUST_USE int store_find_histogram(struct store *s, uint32_t id, int64_t t_ms, struct span packed);
MUST_USE int store_save_histograms(struct store *s); /* the commit's record, within its transaction */
MUST_USE int store_load_histograms(struct store *s); /* the log's, after headlog's */
/* A group of the frozen head; of extents of histograms: into g, as store_gather() does. */
MUST_USE int store_gather_head_histograms(struct store *s, uint32_t group, struct gathered *g);
MUST_USE int store_gather_histograms(struct gathered *g, const struct loaded_extent *part, const struct extent_ref *ref,
                                     unsigned ord, const struct tombstone *dead, size_t n_dead, size_t *dropped);

/* exemplar_store.c */
MUST_USE int store_save_exemplars(struct store *s); /* within a transaction */
MUST_USE int store_load_exemplars(struct store *s); /* after the series */
/* Within a transaction of the writer: those of what was deleted. exemplars_keep() after its commit, or exemplars_undo(). */
MUST_USE int store_delete_exemplars(struct store *s, const struct tombstone *dead, size_t n);
/* The writer's: drop some of those that are over by the retention of their series. 1: there are more. */
int store_retire_exemplars(struct store *s);

/* watch.c: does somebody watch the new series' name? */
void store_watch_series(struct store *s, struct series *series);

/* writer.c */
void store_writer_main(void *store);
/* Run `call` on the writer thread between two commits and wait. -ESHUTDOWN. */
MUST_USE int store_call(struct store *s, void (*call)(struct store *s, void *ctx), void *ctx);
/* Roughly what a transaction adds to the WAL. */
void store_wrote(struct store *s, size_t bytes);
void store_publish_span(struct store *s);
/* Within a transaction: blocks of series that came in several rows, as one row each; the unfinished last one only with `all`.
 * After its commit fold_from is the caller's to set. */
MUST_USE int store_fold_series(struct store *s, bool all);

/* seal.c */
/* Freeze the active head, unless one is frozen, it is empty, or what is held must be written before. -ENOMEM. */
MUST_USE int store_seal_start(struct store *s);
/* One group of series, or the closing transaction. 1: there is more to do, 0: done, or a negative error (tried again later). */
int store_seal_step(struct store *s);
/* All of it, now. */
MUST_USE int store_seal_all(struct store *s);

/* The same, but what may be held is not written: the log keeps it. */
MUST_USE int store_seal_held(struct store *s);
/* Put it into the table, within a transaction; the writer's. */
MUST_USE int store_put_extent(struct store *s, const struct extent_ref *ref);
/* Within a transaction: what the log has up to seq is in extents; and after its commit. */
MUST_USE int store_trim_log(struct store *s, int64_t seq);
void store_log_trimmed(struct store *s, int64_t seq);

/* hold.c, the writer's */
/* May the extents of the seal, all made, wait? */
bool store_may_hold(const struct store *s);
/* They do; last_id is the last one's. Before the frozen head goes. */
void store_hold(struct store *s, uint32_t last_id);
/* Within a transaction that trims the log behind them: all that are held, as they are; and after its commit. */
MUST_USE int store_put_held(struct store *s, size_t *bytes);
void store_held_written(struct store *s);
/* When it is due: one group is merged, or all are written. hurry: not waiting for readers. 1: there is more to do, 0: done, or readers
 * are waited for, or a negative error (tried again later). No seal runs meanwhile. */
int store_write_held_step(struct store *s, bool hurry);
/* All of it, now. */
MUST_USE int store_write_held(struct store *s);

/* retire.c */
/* Drop extents that ended before the retention, some at a time. 1: there are more. */
int store_retire(struct store *s);
/* The current retentions, held. */
struct retention *store_hold_retention(struct store *s);
/* The compactor's: bury what is over of series that stand beside others which are not. */
MUST_USE int store_bury_expired(struct store *s);

/* delete.c */
/* The writer's: hide from views from now on what the tombstones say, and remember it. -E2BIG: too many; -ENOMEM, and the file's
 * errors. */
MUST_USE int store_bury(struct store *s, struct tombstone *list, size_t n);
MUST_USE int store_load_tombstones(struct store *s); /* after the extents */
/* The writer's: drop some of those that hide nothing any more. 1: there may be more. */
int store_forget_some_tombstones(struct store *s);
/* The compactor's: all of them. */
MUST_USE int store_forget_tombstones(struct store *s);

/* compact.c */
/* What all open readers agree on. The writer's, or with compactor.lock. */
struct oldest_view {
    uint32_t last_extent;
    uint64_t dead_generation;
};
struct oldest_view store_oldest_view(struct store *s);
/* The current deletions, held. */
struct tombstones *store_hold_tombstones(struct store *s, uint64_t *ret_generation);
/* Of n extents of a group: all samples that `dead` does not hide, in g, per series. parts[n] is left loaded for loaded_extent_free(), those with
 * a damaged column marked. *ret_dropped: how many were hidden. -ENOENT, -EBADMSG, -ENOMEM. */
MUST_USE int store_gather(struct extent_source *src, const struct extent_ref *refs, size_t n,
                          const struct tombstones *dead, struct loaded_extent *parts, struct gathered *g,
                          size_t *ret_dropped);
/* Two or more extents of a group, or one by itself, as new ones that c gets; r < 0: nothing was appended. What is damaged is marked. As
 * store_gather(). */
MUST_USE int store_merge(struct extent_source *src, const struct extent_ref *refs, size_t n,
                         const struct tombstones *dead, struct gathered *g, struct cutter *c, size_t *ret_dropped);
MUST_USE int store_compactor_start(struct store *s);
void store_compactor_stop(struct store *s); /* waits for it; the writer must still be there */
void store_compactor_wake(struct store *s);
/* When the thread has stopped and the writer not yet: seal, and merge what there is, for some seconds at most. true: it did not, as
 * store_renew() is due. */
bool store_compact_last(struct store *s);

/* renew.c: at the end head.db is written anew. The writer's. */
/* Is it worth it, once the log is not needed any more, and does a stop have the time for it? */
bool store_renew_is_due(struct store *s);
/* Everything is sealed, and may be held. Extents are merged on the way, until then. On an error the file is as it was, and the list
 * of extents is not to be used any more. */
MUST_USE int store_renew(struct store *s, int64_t merge_until_us);

/* part.c */
/* At start, before head.db's extents are listed: the days' files' extents. -ENOMEM, or an error of head.db; a file that is
 * damaged or away is set aside and counted. */
MUST_USE int store_parts_load(struct store *s);
void store_parts_free(struct store *s);
/* part_move.c, the compactor's: move what is over. last_id: the newest extent that is in a file. */
MUST_USE int store_move_days(struct store *s, uint32_t last_id);
/* Of all files; the writer's. */
uint64_t store_parts_bytes(const struct store *s);
/* Of it, what the next compaction frees: files that lost much are written anew. */
uint64_t store_parts_leaving_bytes(const struct store *s);
/* The writer's: these extents are gone from the directory; files without any go too. */
void store_part_extents_gone(struct store *s, const struct extent_ref *refs, size_t n);
/* Its file. -ENOENT: there is no such part any more. */
MUST_USE int store_part_path(struct store *s, uint32_t part, char path[PART_PATH_MAX]);

/* source.c */
MUST_USE int store_connection_get(struct store *s, uint32_t part, struct db **ret); /* read-only */
void store_connection_put(struct store *s, uint32_t part, struct db *db);
void store_connections_close(struct store *s);
void store_connections_forget(struct store *s, uint32_t part); /* close idle ones */
void extent_source_init(struct extent_source *src, struct store *s, bool writer);
void extent_source_done(struct extent_source *src); /* gives its connections back; may be used again */
/* A copy of the row; malloc. -ENOENT: not in that file (any more). */
MUST_USE int extent_source_bytes(struct extent_source *src, const struct extent_ref *ref, uint8_t **ret, size_t *ret_n);
/* Fetch and check. -ENOENT: retired or moved meanwhile; -EBADMSG: damaged (marked and counted); else the file's error. On
 * success loaded_extent_free() is the caller's. */
MUST_USE int store_load_extent(struct extent_source *src, const struct extent_ref *ref, struct loaded_extent *ret);
void loaded_extent_free(struct loaded_extent *x);
/* The series' times in the extent (x's memory, at->samples of them). -EBADMSG, -ENOMEM. */
MUST_USE int loaded_extent_times(struct loaded_extent *x, const struct extent_series *at, const int64_t **ret);
/* The sealed value of the series at that time. -ENOENT: there is none; -EIO…: could not be told. The writer's. */
MUST_USE int store_sealed_value(struct store *s, uint32_t id, int64_t t_ms, uint64_t *ret_bits);

/* reader.c */
struct reader_overlap { /* the last answer about a group's extents */
    uint32_t group;
    bool overlaps;
    int64_t min_ms, max_ms;
};
struct store_reader {
    struct store *store;
    struct store_reader *next, *previous;
    struct store_view view;
    struct extent_source source;
    /* the group that is being read */
    struct read_group {
        uint32_t group;
        struct extent_ref *refs;
        struct loaded_extent *loaded; /* per ref */
        size_t n_refs;
        const struct tombstone *dead; /* of the group */
        size_t n_dead;
    } floats, histograms, hours, minutes; /* the last two: rollups */
    size_t loaded_bytes;
    bool gone; /* it sees what the retention took by its rollups */
    struct time_ranges {
        struct time_range {
            int64_t min_ms, max_ms; /* inclusive */
        } * list;
        size_t n, cap;
    } covered;      /* rollup_read.c's: by rollups, of the series that is being read */
    int64_t now_ms; /* what the retentions of series go by */
    struct reader_overlap overlap;
};
/* May the series have samples in the range? false is sure. narrow: looks at the times of samples, too. */
bool store_may_have(struct store_reader *rd, uint32_t id, int64_t min_ms, int64_t max_ms, bool narrow);
