/* text_out.h - the store's samples as OpenMetrics text with time stamps, and what that text cannot carry.
 *
 *   struct text_export e = {.store = s, .selections = list, .n = n, .min_ms = …, .max_ms = …, .write = to_stdout};
 *   r = store_export(&e);                        // e.left_out_… say what was left out
 *
 * Families stand together, series by series, each in time order: what promtool's tsdb create-blocks-from openmetrics and our own import
 * read. A family whose samples do not fit its type, whose name two types claim, or whose bounds a reader would write differently
 * (le="1"), goes out as unknown, each metric by its own name. Left out: stale markers, series without a metric name, and native
 * histograms unless they are asked for: our own import reads those (exposition_native.h), promtool does not. A NaN's payload
 * becomes NaN, start times stay behind. An exemplar stands behind the first sample from its time on that has none yet, of counters'
 * _total and histograms' _bucket only, as the text wants it; others are left out. */
#pragma once

#include "collector/store/store.h"

#define STORE_EXPORT_BYTES_MAX ((size_t)2 << 30) /* series of one metric, and the list of all metrics */

struct text_export {
    struct store *store;
    const struct store_selection *selections; /* a series that matches any; none: all */
    size_t n_selections;
    int64_t min_ms, max_ms;
    bool native_histograms;
    int (*write)(void *ctx, const char *text, size_t n); /* a negative result ends it */
    void *ctx;
    uint64_t series, samples;
    uint64_t stale, histograms, nans, nameless; /* nans: with a payload that the text has no word for */
    uint64_t exemplars;                         /* left out */
};
/* -ENOMEM, -E2BIG (a regular expression), what write returned, or the store's error. */
MUST_USE int store_export(struct text_export *e);
