/* check.h - reads every byte of a data folder and tells what is bad: SQLite's structure of each file, each CRC, each
 * column of each extent to its last value.
 *
 *   struct store_checked checked;
 *   r = store_check(dir, on_fault, ctx, &checked, why, sizeof why);      // 0 also with faults: checked.faults
 *
 * Read only; a collector may have the folder open. */
#pragma once

#include "collector/store/files.h"

struct store_checked {
    uint64_t files, series, families, records, log_samples, extents, columns, samples;
    uint64_t histograms;      /* native ones, of log and extents */
    uint64_t rollups;         /* buckets */
    struct store_lists lists; /* deletions: of groups of series, not cleaned up yet */
    uint64_t unnamed;         /* columns and log samples of series that no row names: nobody can read them */
    uint64_t faults;
};
/* -ENOENT, -EUCLEAN, -ENOMEM… as store_files_open: nothing could be checked, why says what. */
MUST_USE int store_check(const char *dir, void (*fault)(void *ctx, const struct store_fault *fault), void *ctx,
                         struct store_checked *ret, char *why, size_t why_bytes);
