/* eval.h - what the engine's files share. Nobody outside collector/promql includes it.
 *
 * A query is evaluated for all its steps at once: a scalar is a column with one number per step, a vector a list of
 * series whose columns are produced one after another, when somebody asks (fetch). So sum(rate(x[5m])) holds one series'
 * samples, one column and the groups' sums, however many series there are; only who needs all series at once (sorting,
 * topk, the right side of a match) materialises them.
 *
 * Everything lives in the query's arena until the query ends. Functions return 0 or a negative errno; what the user is
 * told stands in ev->error (eval_fail sets it; a bare -ENOMEM from the arena is told as the memory limit). */
#pragma once

#include "collector/promql/ast.h"
#include "collector/promql/functions.h"
#include "collector/promql/label_set.h"
#include "lib/base/kahan.h"
#include "lib/metric/native.h"

struct grid { /* the steps: start, start + step, ... */
    int64_t start_ms, step_ms;
    size_t n;
};
static inline int64_t grid_time(const struct grid *g, size_t step)
{
    return g->start_ms + (int64_t)step * g->step_ms;
}

struct note { /* a warning or info */
    const char *text;
    struct note *next;
};
struct deferred;
struct eval {
    struct store_reader *reader;
    struct arena arena;
    struct promql_error *error;
    int64_t start_ms, end_ms, step_ms; /* of the query: @ start(), @ end(), step(), range() */
    bool instant;
    int64_t lookback_ms, subquery_step_ms, deadline_mono_us;
    enum promql_rollups rollups;
    const atomic_bool *cancelled;
    bool (*is_gone)(void *ctx);
    void *gone_ctx;
    int64_t gone_asked_us;
    uint64_t samples_now, samples_peak, samples_max, samples_read; /* held now, most at once, the limit, read in all */
    unsigned ticks;
    struct note *warnings, *infos;
    size_t n_notes;
    struct lifted_note *lifted;
    struct deferred *deferred;
    void *scratch; /* eval_scratch */
    size_t scratch_bytes;
};

/* May rollups stand for samples that the retention took? */
static inline bool eval_sees_gone(const struct eval *ev)
{
    return ev->rollups >= PROMQL_ROLLUPS_5M;
}

/* ---- values ---- */
struct series {
    struct labels labels;
    bool drop_name; /* its metadata labels go when the query ends (delayed removal of __name__) */
};
struct vector;
struct column {
    double *values;
    bool *present;
    const struct native_histogram **histograms; /* NULL: only floats; else per step, NULL where the value is one */
    struct arena *arena;                        /* where the histograms live */
};
/* Fill the column (grid's n steps) of series i; what it held before is overwritten. 1: present at some step, 0: at none,
 * negative: failed. Called once per series, in ascending order. */
typedef int (*vector_fetch)(struct eval *ev, struct vector *v, size_t i, struct column *c);
struct vector {
    struct series *series;
    size_t n;
    size_t steps;
    bool ordered; /* the order means something (sort, topk): keep it */
    vector_fetch fetch;
    void *state;
};
struct value {
    enum promql_type type;
    double *scalar; /* one per step */
    struct vector *vector;
    struct span string;
};
struct matrix { /* a materialised vector; series without any value are left out */
    struct series *series;
    struct column *columns;
    size_t n;
    bool ordered;
};

/* ---- eval.c ---- */
MUST_USE int eval_expr(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct value *ret);
MUST_USE int eval_vector(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct vector **ret);
MUST_USE int eval_scalar(struct eval *ev, const struct promql_expr *e, const struct grid *g, double **ret);
/* The text of a string argument. */
MUST_USE int eval_string(struct eval *ev, const struct promql_expr *e, struct span *ret);
MUST_USE int vector_new(struct eval *ev, size_t n, const struct grid *g, vector_fetch fetch, void *state,
                        struct vector **ret);
MUST_USE int materialise(struct eval *ev, struct vector *v, struct matrix *ret);
/* The columns' numbers in this arena, which together with the query's own keeps the query's limit; labels and histograms where they are. */
MUST_USE int materialise_in(struct eval *ev, struct vector *v, struct arena *a, struct matrix *ret);
/* The same columns again as a vector. */
MUST_USE int matrix_vector(struct eval *ev, const struct matrix *m, const struct grid *g, struct vector **ret);
/* For columns that stay: their histograms are in the query's arena. */
MUST_USE int column_new(struct eval *ev, size_t steps, struct column *ret);
/* For one column after the other: column_again() forgets the histograms of the one before. */
MUST_USE int column_scratch(struct eval *ev, size_t steps, struct column *ret);
void column_again(struct column *c);
/* Room for histograms, all steps without one. */
MUST_USE int column_histograms(struct column *c, size_t steps);
/* The histogram at a step, or NULL. */
static inline const struct native_histogram *column_histogram(const struct column *c, size_t step)
{
    return c->histograms ? c->histograms[step] : NULL;
}
/* An arena that goes with the query. */
MUST_USE int eval_arena(struct eval *ev, struct arena **ret);
/* Take the histograms out: 1 if floats are left, else 0. */
int column_only_floats(struct column *c, size_t steps);
/* One value of a column into another, the histogram as it is. -ENOMEM. */
MUST_USE int column_move(struct column *to, const struct column *from, size_t step, size_t steps);
/* Put together series with equal labels; at a step where two have a value: Prometheus's "same labelset" error. */
MUST_USE int matrix_merge_equal(struct eval *ev, const struct promql_expr *place, struct matrix *m, size_t steps);

/* Results gathered by their labels, for operations that learn these only value by value. */
struct gathered {
    struct label_table table;
    struct matrix out;
    size_t cap;
};
void gathered_init(struct eval *ev, struct gathered *ga);
/* The column of these labels, made when it is new. Valid until the next call. */
MUST_USE int gathered_column(struct eval *ev, struct gathered *ga, const struct labels *ls, bool drop_name,
                             size_t steps, struct column **ret);

/* Set the error (the first one stays); returns -ECANCELED. `place` may be NULL. */
int eval_fail(struct eval *ev, enum promql_error_kind kind, const struct promql_expr *place, const char *format, ...)
    PRINTF_LIKE(4, 5);
#define SAME_LABELSET "vector cannot contain metrics with the same labelset"
/* Time to stop (cancelled, deadline)? */
MUST_USE int eval_check(struct eval *ev);
/* The same, now and then: call it once per series, or per step where a step is work. */
MUST_USE int eval_tick(struct eval *ev);
/* Account for n more samples in memory, or give n back. */
MUST_USE int eval_hold(struct eval *ev, uint64_t n);
static inline void eval_release(struct eval *ev, uint64_t n)
{
    ev->samples_now -= n < ev->samples_now ? n : ev->samples_now;
}
/* Memory for one calculation: the next call takes it back. *ret_pointer is any pointer's address. */
MUST_USE int eval_scratch(struct eval *ev, size_t bytes, void *ret_pointer);
/* Run fn(arg) when the query ends. */
MUST_USE int eval_defer(struct eval *ev, void (*fn)(void *arg), void *arg);
/* Everything deferred, the reader, the arena. */
void eval_finish(struct eval *ev);
/* "PromQL warning: TEXT (line:col)", once per text. */
int eval_warn(struct eval *ev, const struct promql_expr *place, const char *format, ...) PRINTF_LIKE(3, 4);
int eval_info(struct eval *ev, const struct promql_expr *place, const char *format, ...) PRINTF_LIKE(3, 4);

/* Buckets of classic histograms that were lifted to the one below, at one step. */
struct lifted {
    double min_bucket, max_bucket, max_difference;
    unsigned n;
};
static inline void lifted_add(struct lifted *l, double bucket, double difference)
{
    l->min_bucket = l->n == 0 || bucket < l->min_bucket ? bucket : l->min_bucket;
    l->max_bucket = l->n == 0 || bucket > l->max_bucket ? bucket : l->max_bucket;
    l->max_difference = l->n == 0 || difference > l->max_difference ? difference : l->max_difference;
    l->n++;
}
/* An info for all such steps of a metric, with what they have in common; "" as the name: no name. */
MUST_USE int eval_info_lifted(struct eval *ev, const struct promql_expr *place, struct span metric, int64_t time_ms,
                              const struct lifted *l);
/* Put those infos among the others. */
MUST_USE int eval_close_notes(struct eval *ev);

/* ---- select.c ---- */
/* A selector's column, of the newest sample of the lookback at each step: its value, its time or its start time (where
 * that is known) in seconds. */
enum selector_column { SELECT_VALUE, SELECT_TIME, SELECT_START };
MUST_USE int eval_selector(struct eval *ev, const struct promql_expr *e, const struct grid *g,
                           enum selector_column what, struct vector **ret);

/* hints.c: the histograms of the columns just read (of that series and time), each with the hint that Prometheus would give
 * it: whether the counter was reset between the sample before and this one. counts_and_sums: nobody asks for buckets, they are
 * left out. -ENOMEM and store_read's errors. */
MUST_USE int read_histograms(struct eval *ev, uint32_t series, int64_t min_ms, int64_t max_ms, bool counts_and_sums,
                             struct arena *a, struct sample_columns *c, const struct native_histogram ***ret);
/* Samples of one series, ascending, without stale markers. */
struct raw {
    const int64_t *t_ms;
    const int64_t *start_ms; /* NULL: none known */
    const double *values;
    const struct native_histogram **histograms; /* NULL: only floats */
    size_t n;
    const double *counts; /* of samples that each stands for (rollups); NULL: one */
};
struct range_source;
typedef int (*range_load)(struct eval *ev, struct range_source *src, size_t i, struct raw *ret);
struct range_source { /* a range vector: for each step the samples in (end - range, end] */
    struct series *series;
    size_t n;
    int64_t range_ms;
    int64_t *ends_ms;            /* per step, ascending */
    struct shared_times *shared; /* shared_times.h; may be NULL */
    range_load load;             /* once per series, ascending; the samples stand until the next load */
    void *state;
    enum extension
        extension; /* samples outside the windows are loaded, too: the lookback before, smoothed also behind */
};
MUST_USE int eval_range(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct range_source *ret);
/* Right behind it: each window is asked for one number only, which rollups know as well. Nothing happens where they cannot be
 * used. -ENOMEM. */
MUST_USE int eval_range_rolled(struct eval *ev, struct range_source *src, size_t steps, enum store_rolled as);
/* Sample indexes [lo, hi) of each step's window. */
void range_windows(const struct range_source *src, size_t steps, const struct raw *raw, size_t *lo, size_t *hi);
/* An offset's or range's milliseconds in this query. */
MUST_USE int eval_duration(struct eval *ev, const struct promql_expr *place, const struct duration_expr *d,
                           bool may_be_negative, int64_t *ret);

/* ---- binary.c, aggregate.c ---- */
MUST_USE int eval_binary(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct value *ret);
MUST_USE int eval_vector_match(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct vector **ret);
MUST_USE int eval_set_operation(struct eval *ev, const struct promql_expr *e, const struct grid *g,
                                struct vector **ret);
MUST_USE int eval_aggregate(struct eval *ev, const struct promql_expr *e, const struct grid *g, struct vector **ret);
/* Arithmetic; for comparisons 1 or 0. */
double binary_operate(enum token_type op, double a, double b);

/* ---- histogram.c: what operators and functions do with native histograms ---- */
/* h times the factor, without empty buckets, in `a`. */
MUST_USE int histogram_scaled(struct arena *a, const struct native_histogram *h, double factor,
                              const struct native_histogram **ret);
/* An operator whose sides are not both floats (NULL: the number). A comparison's result is the left histogram; *ret_keep false:
 * it does not hold. HISTOGRAM_INCOMPATIBLE: there is no result, not even of `bool`, and that was told at `e`. */
#define HISTOGRAM_INCOMPATIBLE 1
MUST_USE int histogram_operate(struct eval *ev, const struct promql_expr *e, struct arena *a,
                               const struct native_histogram *left_h, double left,
                               const struct native_histogram *right_h, double right, bool *ret_keep,
                               const struct native_histogram **ret);
/* Interpolate; a counter that was reset in between starts from 0. -EINVAL: the two do not go together. */
MUST_USE int histogram_between(struct eval *ev, const struct promql_expr *place, struct arena *a,
                               const struct native_histogram *before, int64_t before_ms,
                               const struct native_histogram *behind, int64_t behind_ms, int64_t time_ms,
                               bool is_counter, const struct native_histogram **ret);
/* Sums and averages of histograms, in one pass. */
struct histogram_mean {
    struct native_work work;
    double n;
    bool averages, incremental, incompatible;
    bool reset_seen, no_reset_seen, reconciled;
};
/* Add one; `a` holds the work, `scratch` what is needed until the call returns. What contradicts is remembered, and told by
 * histogram_mean_notes. */
MUST_USE int histogram_mean_add(struct histogram_mean *m, struct arena *a, struct arena *scratch,
                                const struct native_histogram *h);
/* NULL: the histograms do not go together. */
MUST_USE int histogram_mean_give(struct histogram_mean *m, const struct native_histogram **ret);
MUST_USE int histogram_mean_notes(struct eval *ev, const struct histogram_mean *m, const struct promql_expr *place);
/* The warnings that several places give, of the series' name. */
MUST_USE int warn_mixed_floats(struct eval *ev, const struct promql_expr *place, const struct labels *ls);
MUST_USE int warn_mixed_schemas(struct eval *ev, const struct promql_expr *place, const struct labels *ls);

/* ---- sums (Kahan-Neumaier) and quantiles ---- */
/* A running mean that turns to the incremental form when the sum would overflow. */
struct running_mean {
    struct kahan k;
    double n;
    bool incremental;
};
static inline void running_mean_add(struct running_mean *m, double x)
{
    m->n++;
    if (m->n == 1) {
        m->k = (struct kahan){x, 0};
        return;
    }
    if (!m->incremental) {
        struct kahan next = m->k;
        kahan_add(&next, x);
        if (!__builtin_isinf(next.sum)) {
            m->k = next;
            return;
        }
        m->incremental = true;
        m->k.sum /= m->n - 1;
        m->k.c /= m->n - 1;
    }
    double q = (m->n - 1) / m->n;
    m->k.sum *= q;
    m->k.c *= q;
    kahan_add(&m->k, x / m->n);
}
static inline double running_mean_value(const struct running_mean *m)
{
    if (m->incremental)
        return m->k.sum + m->k.c;
    return m->k.sum / m->n + m->k.c / m->n;
}
/* The q-quantile (0..1, interpolated; -Inf/+Inf outside, NaN for NaN); sorts values[n], NaN first. */
double quantile_of(double q, double *values, size_t n);
/* Order of floats with NaN last (descending: largest first, NaN last too). */
int compare_nan_last(double a, double b);
