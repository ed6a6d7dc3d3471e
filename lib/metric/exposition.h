/* exposition.h - reads Prometheus text 0.0.4 and OpenMetrics 1.0 pages.
 *
 *   struct exposition_events ev = {.ctx = me, .sample = on_sample, .metadata = on_metadata};
 *   struct parse_error err;
 *   r = exposition_parse(EXPOSITION_TEXT, page, &ev, &err);      // -EINVAL: err has line and column
 *
 * Events come in page order while parsing; spans point into the page or into a scratch buffer that lives until the
 * callback returns. A callback that returns negative stops the parse with that value. A malformed page gives events up to
 * the error: the caller drops them (a scrape is all or nothing). Nothing is allocated per sample.
 * Formats: github.com/prometheus/docs exposition_formats.md; OpenMetrics 1.0 specification. What is enforced of each is
 * listed at the top of exposition.c; .strict adds what the specifications forbid and Prometheus takes (for linting).
 *
 * Start times: _created samples stand behind the series they belong to, so at the first sample of a counter, histogram or
 * summary family of OpenMetrics its _created lines are looked up ahead, as far as the family goes without a break. They
 * are also given as samples of their own, as Prometheus stores them. */
#pragma once

#include "lib/base/problem.h"
#include "lib/metric/sample.h"

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

struct exposition_sample {
    struct labels labels; /* sorted, __name__ included, le/quantile normalised as Prometheus 3 does ("1" -> "1.0") */
    double value;
    bool has_time;
    int64_t t_ms;                    /* the page's own timestamp */
    int64_t start_ms;                /* from _created of OpenMetrics: 0 unknown */
    const struct exemplar *exemplar; /* NULL: none */
    const struct native_histogram
        *histogram;     /* NULL: a float; only with .native_histograms, until the callback returns */
    struct span family; /* the metric family of the last TYPE it belongs to, or its own name */
    enum metric_type type;
    struct span series; /* the page's bytes that name it, foo{a="b"}: a key for caches */
};
struct exposition_events {
    void *ctx;
    int (*sample)(void *ctx, const struct exposition_sample *s);
    int (*metadata)(void *ctx, const struct metadata *m); /* may be NULL; once per TYPE/HELP/UNIT line, growing */
    bool strict;
    bool native_histograms; /* OpenMetrics: values may be histograms, as exposition_native.h draws them */
};
/* -EINVAL: malformed, *ret_error says where; -ENOMEM; what a callback returned. ret_error is set for the first two. */
MUST_USE int exposition_parse(enum exposition_format format, struct span page, const struct exposition_events *events,
                              struct parse_error *ret_error);
/* From a Content-Type header. -EINVAL: missing or neither (Prometheus 3 fails the scrape; a fallback is the caller's). */
MUST_USE int exposition_format_of(struct span content_type, enum exposition_format *ret);
/* The Accept header that a scrape sends. */
extern const char EXPOSITION_ACCEPT[];
