/* calls.h - the functions of PromQL, each as the engine calls it; functions.c puts them into the table. */
#pragma once

#include "collector/promql/eval.h"

/* ---- call_math.c: value by value ---- */
struct map_detail {
    double (*fn)(double v, const double *args);
    double default_arg; /* for an optional scalar argument; 0: none */
};
int call_map(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_clamp(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
extern const struct map_detail MAP_abs, MAP_ceil, MAP_floor, MAP_round, MAP_sqrt, MAP_exp, MAP_ln, MAP_log2, MAP_log10,
    MAP_sgn, MAP_clamp_min, MAP_clamp_max, MAP_sin, MAP_cos, MAP_tan, MAP_asin, MAP_acos, MAP_atan, MAP_sinh, MAP_cosh,
    MAP_tanh, MAP_asinh, MAP_acosh, MAP_atanh, MAP_deg, MAP_rad, MAP_minute, MAP_hour, MAP_day_of_month,
    MAP_day_of_week, MAP_day_of_year, MAP_days_in_month, MAP_month, MAP_year;
int call_calendar(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_start_timestamp(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_timestamp(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
/* pi, start, end, step, range */
int call_constant(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_time(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_min_max_of(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_scalar(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_vector(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);

/* ---- over ranges ---- */
struct range_call { /* one series of a range, for a run of steps: everything per step starts at the run's first */
    struct eval *ev;
    const struct promql_expr *call;
    struct grid grid; /* of the run */
    const struct range_source *source;
    const int64_t *ends_ms;
    size_t index;          /* of the series in the source */
    const double *args[2]; /* columns of the scalar arguments, in their order */
    const struct raw *raw;
    const size_t *lo, *hi; /* per step: the window's samples are [lo, hi) */
    double *values;        /* the result */
    bool *present;
    struct column *column; /* the whole one, in which the run starts at first_step: for histograms as results */
    size_t first_step, steps;
    struct arena *temporary; /* for one step's calculation with histograms */
};
enum range_takes {
    RANGE_FLOATS,     /* histograms between floats are left out, and that is told */
    RANGE_TWO_FLOATS, /* the same; one float is nothing */
    RANGE_EITHER,     /* both kinds in a window give nothing, and that is told */
    RANGE_ANY         /* fn sees all samples */
};
struct range_detail {
    int (*fn)(struct range_call *c); /* 0 or negative */
    enum range_takes takes;
    /* RANGE_EITHER: one window of histograms alone. *ret NULL: no result. */
    int (*of_histograms)(struct range_call *c, size_t step, const struct native_histogram **ret);
    bool keeps_name, averages;
    bool is_counter, is_rate, between_edges; /* of the rate family: rate, increase, delta look at both edges */
    bool rolls;                              /* rollups `as` know what it wants of a window */
    enum store_rolled as;
};
/* A copy of the histogram becomes the result of the step. */
MUST_USE int range_put_histogram(struct range_call *c, size_t step, const struct native_histogram *h);
static inline const struct native_histogram *raw_histogram(const struct raw *raw, size_t i)
{
    return raw->histograms ? raw->histograms[i] : NULL;
}
int call_range(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_absent_over_time(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
/* call_rate.c */
extern const struct range_detail RANGE_rate, RANGE_increase, RANGE_delta, RANGE_irate, RANGE_idelta, RANGE_deriv,
    RANGE_predict_linear, RANGE_changes, RANGE_resets, RANGE_double_exponential_smoothing;
/* call_extended.c: rate, increase and delta of anchored and smoothed ranges; changes and resets see the anchor, too. */
int range_extended(struct range_call *c);
void extend_windows_by_anchor(const struct range_source *src, int64_t lookback_ms, size_t steps, const struct raw *raw,
                              size_t *lo, const size_t *hi);
/* Do the start times say that the counter began anew with sample i? */
bool start_is_reset(const struct raw *raw, size_t i);
/* Is the counter known to have started inside the window, before its first sample? */
bool starts_inside(const struct raw *raw, size_t first, int64_t open_ms);
MUST_USE int look_for_overlap(const struct range_call *c, size_t lo, size_t hi);
/* What growth is multiplied with: rate and its family. `first` is the window's first value, `started` as starts_inside. */
double extrapolation_factor(const struct range_call *c, size_t step, double first, double growth, bool started);
/* call_rate_histogram.c */
int rate_of_histograms(struct range_call *c, size_t step, const struct native_histogram **ret);
int extended_rate_of_histograms(struct range_call *c, size_t step, const struct native_histogram **ret);
/* irate and idelta of two histograms, samples i - 1 and i. *ret NULL: none. */
MUST_USE int instant_of_histograms(struct range_call *c, size_t i, double seconds, const struct native_histogram **ret);
/* call_over_time.c */
extern const struct range_detail RANGE_avg, RANGE_min, RANGE_max, RANGE_sum, RANGE_count, RANGE_quantile, RANGE_stddev,
    RANGE_stdvar, RANGE_last, RANGE_first, RANGE_present, RANGE_mad, RANGE_ts_of_first, RANGE_ts_of_last,
    RANGE_ts_of_min, RANGE_ts_of_max;

/* ---- call_label.c: labels and order ---- */
int call_label_replace(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_label_join(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_absent(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
/* The labels that absent() gives: the equality matchers of its selector. */
MUST_USE int labels_of_absent(struct eval *ev, const struct promql_expr *arg, struct labels *ret);
/* sort, sort_desc, sort_by_label, sort_by_label_desc */
int call_sort(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_sort_by_label(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);

/* ---- call_histogram.c ---- */
int call_histogram_quantile(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_histogram_quantiles(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
int call_histogram_fraction(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
struct native_detail {
    int (*fn)(struct arena *temporary, const struct native_histogram *h, double *ret);
};
int call_native(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
extern const struct native_detail NATIVE_count, NATIVE_sum, NATIVE_avg, NATIVE_stddev, NATIVE_stdvar;

/* ---- call_info.c ---- */
int call_info(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret);
