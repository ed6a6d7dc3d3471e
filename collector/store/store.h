/* store.h - the time-series store: label set -> samples, in SQLite files, acknowledged only once committed.
 *
 *   struct store *s;
 *   r = store_open(&(struct store_config){.path = "crest-data"}, &s, why, sizeof why);   // path NULL: in memory
 *   r = store_submit(s, request, on_written, ctx);          // takes the request; the callback says what was kept
 *
 *   struct store_reader *rd;
 *   r = store_reader_open(s, &rd);                            // a consistent view; never blocks the writer
 *   r = store_select(rd, &selection, &arena, &series, &n);
 *   for each series: r = store_read(rd, series[i].id, min_ms, max_ms, &columns);
 *   store_reader_close(rd);
 *   store_close(s);                                           // drains, seals, trims, truncates the WAL
 *
 * One writer thread owns head and hot file. It commits as soon as it is idle, taking everything queued meanwhile (no timer);
 * callbacks run on it after the commit, must be short and must not wait for the store (store_write, store_seal). Readers may
 * be on any thread, each reader on one at a time.
 *
 * Rules of writing: any time stamp is legal; order does not matter; a sample with a known (series, time) and equal bits is
 * silently accepted; with another value, or a float where a native histogram is, it is refused ("duplicate timestamp, different
 * value"). Start times are not compared. An exemplar must not be older than its series' newest, and its series must have samples.
 * A known sample in a damaged extent, or under more than 64 extents over one instant, may not be recognised: then both are
 * kept and readers give the one that came first. A commit is visible to readers opened after its callback. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/metric_writer.h"
#include "lib/match/matcher.h"
#include "lib/metric/sample.h"

struct store;
/* Series that all matchers match are kept that long instead of the retention, be it longer; 0: for ever. */
struct store_retention {
    const struct matcher *matchers;
    size_t n_matchers;
    int64_t keep_ms;
};
enum store_durability { STORE_FULL, STORE_NORMAL }; /* survives a power cut / survives kill -9 */
struct store_config {
    const char *path; /* data folder, made when missing; NULL: in memory */
    enum store_durability durability;
    int64_t retention_ms;                     /* 0: for ever */
    const struct store_retention *retentions; /* of some series; the first that matches counts. Copied */
    size_t n_retentions;
    int64_t
        rollup_retention_ms; /* of rollups: 0: as long as their samples, which they never leave before; < 0: for ever */
    const struct store_retention
        *fine_rollups; /* series that have rollups of 5 minutes, too; keep_ms means nothing. Copied */
    size_t n_fine_rollups;
    uint64_t
        retention_bytes;  /* of head.db's pages in use and the days' files: above, the oldest go first; 0: no bound */
    bool retention_waits; /* for the first store_set_pins: nothing is dropped before */
    uint64_t series_max;  /* 0: 10 million; known series go on at the cap */
    unsigned labels_max;  /* per series, as the next two for a new one; 0 each: those of limits.h, which are the most */
    unsigned label_name_bytes_max, label_value_bytes_max;
    int64_t future_ms_max;    /* samples further ahead of the clock are refused; 0: 10 minutes; <0: no limit (tests) */
    int64_t seal_interval_ms; /* 0: 10 minutes of head before it is sealed into extents */
    int64_t (*now_ms)(void *ctx); /* NULL: unix_ms; for tests */
    void *now_ctx;
};
/* -EUCLEAN: not a store or another version's (why says which and what to do); -EWOULDBLOCK: another process has it open. */
MUST_USE int store_open(const struct store_config *config, struct store **ret, char *why, size_t why_bytes);
void store_close(struct store *s);

/* ---- writing ---- */
enum store_refusal {                       /* per reason counted in crest_store_refused_samples_total{reason} */
                     STORE_REFUSED_LABELS, /* break labels.h or its limits */
                     STORE_REFUSED_SERIES_CAP,
                     STORE_REFUSED_FUTURE,
                     STORE_REFUSED_DUPLICATE, /* same time, other value */
                     STORE_REFUSED_HISTOGRAM, /* breaks native_histogram.h's rules, or is larger than is stored */
                     STORE_REFUSED_EXEMPLAR,  /* out of order, or its labels are too long */
                     STORE_REFUSED_REASONS
};
struct store_written {
    int error; /* 0; -ENOSPC disk full, -EIO: nothing of the request was kept, a retry is right */
    uint64_t samples, histograms, exemplars; /* kept (equal duplicates count as kept) */
    uint64_t refused[STORE_REFUSED_REASONS];
    char why[256]; /* first refusal or the error, with the series */
};
typedef void (*store_done)(void *ctx, const struct store_written *written);
/* Count what was refused before it came to the store: all refusals are told in one place. Any thread. */
void store_count_refused(struct store *s, enum store_refusal reason, uint64_t n);
/* Which series label bytes of remote write name: for who decodes it, on any thread, so that known labels need no decoding
 * (remote_write_decode_known). Adding series waits for it for some hundred finds at most.
 *
 *   struct store_lookup lookup;
 *   store_lookup_begin(&lookup, store);
 *   ... store_lookup_next(&lookup, bytes, &n, &id) || store_lookup_find(&lookup, key, &id) ...
 *   store_lookup_end(&lookup); */
struct store_lookup {
    struct store *store;
    uint32_t last, finds;
    bool in_order;
};
void store_lookup_begin(struct store_lookup *l, struct store *s);
bool store_lookup_find(void *lookup, struct span key, uint32_t *ret_id);
/* Senders repeat their series in order: do the bytes begin with the key of the one that comes next in it? False says nothing. */
bool store_lookup_next(void *lookup, struct span bytes, size_t *ret_key_bytes, uint32_t *ret_id);
void store_lookup_end(struct store_lookup *l);
/* Takes `request` in every case but -EAGAIN (queue full: 503) and -ESHUTDOWN, when it stays the caller's. */
MUST_USE int store_submit(struct store *s, struct write_request *request, store_done done, void *ctx);
/* The same and wait. */
MUST_USE int store_write(struct store *s, struct write_request *request, struct store_written *ret);
/* The same for what is derived from samples that are stored (recorded rules): nobody was told that it is safe, so its commit does
 * not wait for the disk. It survives kill -9; a power cut may take what no other commit has followed. */
MUST_USE int store_write_derived(struct store *s, struct write_request *request, struct store_written *ret);
/* Called after each commit on the writer thread; set up once, before the first write. */
struct commit_info {
    int64_t
        newest_ms; /* newest sample time of this commit (not of the store), derived requests left out; INT64_MIN: none */
    uint64_t samples;
    int64_t mono_us;           /* when the commit was done */
    const int64_t *watched_ms; /* as newest_ms, for each watched name by its number; until the hook returns */
    uint32_t n_watched;
};
struct commit_hook {
    void *ctx;
    void (*committed)(void *ctx, const struct commit_info *info);
};
void store_set_commit_hook(struct store *s, struct commit_hook hook);
/* Take other retentions from now on: the retention, and those of some series (copied; the first that matches counts). What is
 * older than its series' own retention is hidden from readers opened from now on and leaves the files with compaction, by whole
 * days; what was dropped stays so. -E2BIG: more than STORE_RETENTIONS_MAX; -ENOMEM, -ESHUTDOWN. */
MUST_USE int store_set_retention(struct store *s, int64_t retention_ms, const struct store_retention *retentions,
                                 size_t n);
/* Take another retention of rollups, and other series with finer ones, from now on, as in the configuration. Errors as above. */
MUST_USE int store_set_rollups(struct store *s, int64_t retention_ms, const struct store_retention *fine, size_t n);
/* Windows that outlive every retention: an extent that touches one is kept when it, or one of the 127 series stored beside it,
 * has a name with one of the prefixes (ended by NULL; the texts must live as long as the store). Of those beside it the ones that
 * another retention than its own is for may go. Replaces the pins before. */
struct store_pin {
    int64_t start_ms, end_ms;
    const char *const *name_prefixes;
};
MUST_USE int store_set_pins(struct store *s, const struct store_pin *pins, size_t n);
/* Let commits tell of samples of these metric names (commit_info.watched_ms). Numbers are dense from 0, a name keeps its number; UINT32_MAX
 * for those over STORE_WATCH_MAX. Waits for the writer. -ENOMEM, -ESHUTDOWN. */
MUST_USE int store_watch(struct store *s, const struct span *names, size_t n, uint32_t *ret_numbers);
/* Seal the head into extents and trim the log now (tests, before a backup). */
MUST_USE int store_seal(struct store *s);
/* Merge small extents now, as a thread of the store does after each seal. What an open reader still needs apart stays. */
MUST_USE int store_compact(struct store *s);

/* Delete the samples of the matching series within the selections' times, as far as they are acknowledged; durable, and hidden
 * from readers opened from now on. What is written afterwards lives, also at the same times. Compaction removes them from the
 * files. *ret_series: how many matched. -E2BIG: too many deletions wait for that (or a regex went over its match limit); -ENOMEM;
 * -ENOSPC and the file's errors: nothing is deleted; -ESHUTDOWN. */
struct store_selection;
MUST_USE int store_delete(struct store *s, const struct store_selection *selections, size_t n, uint64_t *ret_series);
/* Remove what was deleted from the files now. Waits some seconds for readers that were opened before the deletion; what they
 * still need then goes with a later compaction. */
MUST_USE int store_clean(struct store *s);

/* ---- reading ---- */
struct store_reader;
MUST_USE int store_reader_open(struct store *s, struct store_reader **ret);
void store_reader_close(struct store_reader *rd);
struct store_selection {
    const struct matcher *matchers; /* all must match */
    size_t n_matchers;
    int64_t min_ms, max_ms; /* inclusive; series without a sample there may still be given */
    size_t limit;           /* 0: none; more are cut, *ret_n == limit + 1 tells */
    bool
        narrow; /* look closer for who has no sample there; with many extents in the times those near it are given, too */
};
struct store_series {
    uint32_t id; /* dense, never reused while the process lives */
    struct labels labels;
};
/* Series that match, ordered by id, in the arena. -E2BIG: a regex went over its match limit; -ENOMEM: arena limit. */
MUST_USE int store_select(struct store_reader *rd, const struct store_selection *selection, struct arena *arena,
                          struct store_series **ret, size_t *ret_n);
/* Parallel columns, ascending times; reused from series to series. start_ms is NULL while every value is 0. count is NULL but for
 * store_read_rolled(). histograms is NULL while
 * every sample is a float; else histograms[i] is NULL for floats, and of a histogram value[i] is its sum (so is_stale() tells stale
 * markers of both). The histograms live as long as the columns' content. */
struct sample_columns {
    int64_t *t_ms, *start_ms;
    double *value;
    const struct native_histogram **histograms;
    double *count; /* of samples that it stands for; NULL: each is a sample */
    bool exact;    /* store_read_rolled() as sums: any of them add up exactly, in any order */
    size_t n_gone; /* of them, those that stand for samples that the retention took */
    size_t n, cap;
    struct arena memory; /* the histograms' */
};
void sample_columns_init(struct sample_columns *c);
void sample_columns_done(struct sample_columns *c);
/* Replace the columns' content by the series' samples with min_ms <= t <= max_ms, stale markers included. Samples in damaged
 * extents are left out (store_stats counts those); samples that the retention took since the reader was opened may be. */
MUST_USE int store_read(struct store_reader *rd, uint32_t id, int64_t min_ms, int64_t max_ms,
                        struct sample_columns *columns);
/* The same with rollups (docs/store.md) in the place of samples: what a bucket comes to stands at the time of its last sample, stale
 * markers left out. No bucket that an edge divides is taken (a sample at an edge lies before it), nor one whose samples have changed
 * since or are not what store_read() would give. So who asks about the stretches between edges only is told the same by both. With
 * store_reader_see_gone() buckets stand for samples that are gone, too, edges or not: n_gone of the columns. */
enum store_rolled {
    STORE_ROLLED_FIRST, /* the value of a bucket: its first sample's, and so on */
    STORE_ROLLED_LAST,
    STORE_ROLLED_MIN,
    STORE_ROLLED_MAX,
    STORE_ROLLED_SUM,
    STORE_ROLLED_COUNT,  /* samples have 1 */
    STORE_ROLLED_ENDS,   /* only what is gone: its first and its last sample */
    STORE_ROLLED_COUNTER /* the same, and a fall between them for what resets took away */
};
struct store_rolling {
    enum store_rolled as;
    bool fine;               /* buckets of 5 minutes as well, of what is gone */
    const int64_t *edges_ms; /* ascending */
    size_t n_edges;
};
MUST_USE int store_read_rolled(struct store_reader *rd, uint32_t id, int64_t min_ms, int64_t max_ms,
                               const struct store_rolling *how, struct sample_columns *columns);
/* From now on the reader sees what the retention took, by the rollups that are left of it (not so store_read). */
void store_reader_see_gone(struct store_reader *rd);
/* Sorted names, or values of one name, of the series that match any of the selections (none: all), in the arena. */
MUST_USE int store_label_names(struct store_reader *rd, const struct store_selection *selections, size_t n,
                               struct arena *arena, struct span **ret, size_t *ret_n);
MUST_USE int store_label_values(struct store_reader *rd, struct span name, const struct store_selection *selections,
                                size_t n, struct arena *arena, struct span **ret, size_t *ret_n);
/* Metadata of one metric family, or of all with an empty name; in the arena, sorted by name. */
MUST_USE int store_metadata(struct store_reader *rd, struct span name, struct arena *arena, struct metadata **ret,
                            size_t *ret_n);
/* Exemplars of the matching series that are in the selection's times, in order of time; series without any are left out. They belong to no
 * view: those that are committed now, without those that are older than their series is kept (and not pinned). The newest 128 of a series and 65,536 of all are kept. -E2BIG and -ENOMEM as store_select(). */
struct store_exemplars {
    struct labels series;
    struct exemplar *exemplars;
    size_t n;
};
MUST_USE int store_exemplars(struct store_reader *rd, const struct store_selection *selection, struct arena *arena,
                             struct store_exemplars **ret, size_t *ret_n);
/* How the series spread over names and labels: of each list the `limit` largest, in the arena. The index is locked for new
 * series meanwhile, some 10 ms per million label pairs. -ENOMEM. */
struct store_count {
    struct span name, value; /* series_by_metric: __name__ and the metric; by label: value is empty */
    uint64_t count;
};
struct store_counts {
    struct store_count *list;
    size_t n;
};
struct store_cardinality {
    struct store_counts series_by_metric, values_by_label, bytes_by_label,
        series_by_pair; /* bytes: of values, per series */
    uint64_t label_pairs, extents;
};
MUST_USE int store_cardinality(struct store *s, size_t limit, struct arena *arena, struct store_cardinality *ret);
/* Newest sample time over all series, INT64_MIN when empty; oldest likewise INT64_MAX. */
int64_t store_newest_ms(const struct store *s);
int64_t store_oldest_ms(const struct store *s);
uint64_t store_series_count(const struct store *s);
/* Is the disk full (ingest answers 503 until a write succeeds)? */
bool store_is_read_only(const struct store *s);
void store_stats(const struct store *s, struct metric_writer *w);
