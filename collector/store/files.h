/* files.h - a data folder's files as they lie there: read only, row by row, also while a collector has the folder open.
 *
 *   struct store_files *f;
 *   r = store_files_open(dir, &f, why, sizeof why);
 *   r = store_files_series(f, &walk);               // then families, log, extents, in any order
 *   store_files_close(f);
 *
 * Each walk gives what is good to the sink and what is damaged to `fault`, and goes on. Rows are copied out in short
 * transactions, so that a collector's checkpoints are not held up; an extent that is merged, moved or dropped
 * meanwhile is left out where it is gone: whoever took its place was made from checked bytes. */
#pragma once

#include "collector/store/extent.h"
#include "collector/store/histogram_log.h"
#include "lib/metric/labels.h"
#include "lib/metric/sample.h"

struct store_fault {
    const char *file;  /* its name in the folder */
    const char *table; /* NULL: the file as a whole */
    int64_t row;
    const char *what;
    const char *series;     /* labels of the series, or of one of them; "": not known */
    int64_t min_ms, max_ms; /* its stretch of time; min_ms > max_ms: not known */
};
struct store_row {
    const char *file;
    int64_t id;
    uint8_t level;
    size_t bytes;
};
struct store_walk {
    void *ctx;
    /* Each may be NULL; a negative result ends the walk and is returned. */
    int (*series)(void *ctx, uint32_t id, const struct labels *labels, size_t bytes); /* bytes: of its key */
    int (*family)(void *ctx, const struct metadata *m);
    int (*sample)(void *ctx, uint32_t id, const struct sample *s);               /* of the log */
    int (*histogram)(void *ctx, uint32_t id, const struct histogram_item *item); /* of the log */
    int (*record)(void *ctx, const struct store_row *row);                       /* of the log, read to its end */
    int (*extent)(void *ctx, const struct store_row *row, const struct extent *x);
    void (*fault)(void *ctx, const struct store_fault *fault);
};
struct store_files;
/* -ENOENT: no data folder; -EUCLEAN: not a store's, another version's, or too damaged to be opened; why says which. */
MUST_USE int store_files_open(const char *dir, struct store_files **ret, char *why, size_t why_bytes);
void store_files_close(struct store_files *f);
/* SQLite's own structure of every file. Faults only. */
MUST_USE int store_files_structure(struct store_files *f, const struct store_walk *walk);
MUST_USE int store_files_series(struct store_files *f, const struct store_walk *walk);
MUST_USE int store_files_families(struct store_files *f, const struct store_walk *walk);
MUST_USE int store_files_log(struct store_files *f, const struct store_walk *walk); /* histograms' too */
/* Exemplars, and the lists of days' files and of deletions: rows that cannot be, files that are not there. Faults only. */
struct store_lists {
    uint64_t deletions, exemplars;
};
MUST_USE int store_files_lists(struct store_files *f, const struct store_walk *walk, struct store_lists *ret);
MUST_USE int store_files_extents(struct store_files *f, const struct store_walk *walk);
/* Names and sizes of head.db (its WAL with it) and of the files that it names; the spans live as long as f. */
struct store_file {
    const char *name;
    uint64_t bytes;
    bool missing;
};
MUST_USE int store_files_list(struct store_files *f, struct store_file **ret, size_t *ret_n);
/* The series' labels as {a="b"}, "" when its row is not there or damaged. Lives until the next call. */
const char *store_files_name(struct store_files *f, uint32_t id);
