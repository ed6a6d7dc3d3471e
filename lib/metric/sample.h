/* sample.h - the data model (DESIGN §4): label set -> (time, optional start time, float64 | native histogram).
 *
 * Times are int64 milliseconds since the epoch; any value is legal, negative too. start_ms 0 means "not known".
 * NaN payloads are data: the stale marker is one of them, never normalise a NaN. */
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lib/metric/labels.h"

#define STALE_BITS 0x7ff0000000000002ULL /* Prometheus model/value: "no longer exposed" */
#define NAN_BITS 0x7ff8000000000001ULL   /* the ordinary NaN that Prometheus stores */

struct sample {
    int64_t t_ms, start_ms;
    double value;
};
static inline uint64_t f64_bits(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}
static inline double f64_from_bits(uint64_t b)
{
    double v;
    memcpy(&v, &b, sizeof v);
    return v;
}
static inline double stale_marker(void)
{
    return f64_from_bits(STALE_BITS);
}
static inline bool is_stale(double v)
{
    return f64_bits(v) == STALE_BITS;
}

/* A native histogram (Prometheus docs/specs/native_histograms.md). Integer histograms carry absolute bucket counts
 * here, as doubles too (exact to 2^53): one shape for all readers. Plain data; arrays belong to somebody else. */
#define HISTOGRAM_CUSTOM_SCHEMA (-53)
struct histogram_span {
    int32_t offset; /* gap to the previous span's end; for the first: the first bucket's index */
    uint32_t length;
};
enum histogram_reset_hint { HISTOGRAM_RESET_UNKNOWN, HISTOGRAM_RESET_YES, HISTOGRAM_RESET_NO, HISTOGRAM_GAUGE };
struct native_histogram {
    int32_t schema; /* -4..8, or HISTOGRAM_CUSTOM_SCHEMA with bounds */
    bool is_float;
    enum histogram_reset_hint hint;
    double zero_threshold, zero_count, count, sum;
    struct histogram_span *positive_spans, *negative_spans;
    size_t n_positive_spans, n_negative_spans;
    double *positive, *negative; /* absolute counts, one per bucket that the spans name */
    size_t n_positive, n_negative;
    double *bounds; /* custom upper bounds without +Inf */
    size_t n_bounds;
};
struct histogram_sample {
    int64_t t_ms, start_ms;
    const struct native_histogram *histogram;
};
struct exemplar {
    struct labels labels;
    int64_t t_ms; /* has_time false: the sample's */
    double value;
    bool has_time;
};

enum metric_type {
    METRIC_TYPE_UNKNOWN,
    METRIC_TYPE_COUNTER,
    METRIC_TYPE_GAUGE,
    METRIC_TYPE_HISTOGRAM,
    METRIC_TYPE_GAUGE_HISTOGRAM,
    METRIC_TYPE_SUMMARY,
    METRIC_TYPE_INFO,
    METRIC_TYPE_STATESET
};
/* "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown". */
const char *metric_type_name(enum metric_type t);
/* Also reads text format's "untyped". false: no such type. */
bool metric_type_parse(struct span text, enum metric_type *ret);

struct metadata {
    struct span name; /* metric family */
    enum metric_type type;
    struct span unit, help;
};

/* What one write request brings: plain data in its own arena, filled by lib/wire (remote write) or by rules, read by the
 * store, which takes it over. */
struct write_series {
    struct labels labels; /* none when `known` is set */
    struct span key;      /* the raw label bytes of remote write 1.0 (identity without decoding), or empty */
    struct sample *samples;
    struct histogram_sample *histograms;
    struct exemplar *exemplars;
    uint32_t n_samples, n_histograms, n_exemplars;
    uint32_t known; /* the store's id of the series + 1, which it told the decoder; 0: to be found by labels */
    /* NULL, or this stands for many series that are known, of one sample each: samples[i] is of the id run[i]. Nothing else is set. */
    const uint32_t *run;
};
struct write_request {
    struct arena arena; /* owns everything below */
    bool derived;       /* computed from samples that are here already (rules): wakes no rule */
    struct write_series *series;
    struct metadata *metadata;
    size_t n_series, n_metadata;
};
/* NULL without memory. */
struct write_request *write_request_new(size_t arena_bytes_max);
void write_request_free(struct write_request *w);
