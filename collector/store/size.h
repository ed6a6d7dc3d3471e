/* size.h - what takes the room in a data folder: by metric, by label, by label pair.
 *
 *   struct store_size size;
 *   r = store_size(dir, &size, why, sizeof why);
 *   store_size_done(&size);
 *
 * Read only; a collector may have the folder open. A series' bytes are its columns and its share of time columns it has in common
 * with others, its rollups among them; samples of the log count with the log's mean. */
#pragma once

#include "collector/store/files.h"
#include "lib/base/arena.h"

#define STORE_SIZE_PAIRS_MAX 4000000u /* label pairs that are told apart; further ones are counted in .pairs_cut */

struct store_share {
    struct span name, value;                 /* of a metric: value is it; of a label: value is empty */
    uint64_t series, samples, bytes, values; /* values: of a label, how many it has */
};
struct store_shares {
    struct store_share **list; /* by bytes, most first */
    size_t n;
};
struct store_size {
    struct arena arena;
    uint64_t files, file_bytes, extents, extent_bytes, rollup_bytes, log_bytes, log_samples, series, samples, faults,
        pairs_cut;
    int64_t oldest_ms, newest_ms; /* oldest > newest: no samples */
    struct store_shares metrics, labels, pairs;
};
MUST_USE int store_size(const char *dir, struct store_size *ret, char *why, size_t why_bytes);
void store_size_done(struct store_size *size);
