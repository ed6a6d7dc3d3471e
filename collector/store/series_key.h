/* series_key.h - the name of a series as bytes: its sorted labels in the encoding of remote write 1.0.
 *
 *   series_key_build(&buf, &labels);                              // into a buf, for label sets that came without
 *   r = series_key_parse(key, pairs, LABELS_MAX, &n);              // back; -EBADMSG
 *   if (series_key_names(key, &symbols, pair_ids, n_pairs)) ...     // the same label set?
 *
 * Per label: 0x0a, length of the rest, 0x0a, length, name, 0x12, length, value; lengths are varints. A sender's bytes are this
 * key already when it sorts its labels, as the protocol demands: then no label is decoded on the way to its series. It is also
 * how the series table keeps labels. */
#pragma once

#include <stdbool.h>

#include "collector/store/symbols.h"
#include "lib/metric/labels.h"

void series_key_build(struct buf *out, const struct labels *labels);
MUST_USE int series_key_parse(struct span key, struct label *pairs, size_t max, size_t *ret_n);
/* Are these bytes the key of the labels whose symbols are ids[0] = name, ids[1] = value, …? */
bool series_key_names(struct span key, const struct symbols *sy, const uint32_t *ids, size_t n_pairs);
