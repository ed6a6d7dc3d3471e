/* promql.h - the query language of Prometheus 3: parse, print, evaluate over a store.
 *
 *   struct promql_expr *e;
 *   r = promql_parse(text, &arena, &e, &err);                  // err: position, words
 *   struct promql_params p = {.start_ms = t, .end_ms = t, .step_ms = 0};     // instant
 *   r = promql_eval(store, e, &p, &result, &error);
 *   promql_result_free(result);
 *   promql_expr_done(e);                                       // its regexes; the rest is the arena's
 *
 * Evaluation is vectorised: a value is series × steps; each series is read once per selector. Instant queries are one step.
 * Semantics: prometheus.io/docs/prometheus/latest/querying, reference/promql.md; ranges and lookback are left-open. */
#pragma once

#include <stdatomic.h>

#include "collector/store/store.h"
#include "lib/base/problem.h"

struct promql_expr; /* opaque; lives in the parse's arena, its compiled regexes until promql_expr_done */
enum promql_type { PROMQL_SCALAR, PROMQL_VECTOR, PROMQL_MATRIX, PROMQL_STRING };

/* -EINVAL: syntax or type error; -ENOMEM. Messages follow Prometheus's wording where it is known. */
MUST_USE int promql_parse(struct span text, struct arena *arena, struct promql_expr **ret,
                          struct parse_error *ret_error);
/* Release what the arena does not own. NULL is fine. */
void promql_expr_done(struct promql_expr *e);
enum promql_type promql_expr_type(const struct promql_expr *e);
/* Print it as Prometheus's formatter would on one line. */
void promql_format(const struct promql_expr *e, struct buf *out);
/* The same over several lines where one would be longer than 100 bytes, as Prometheus's Pretty does. */
void promql_format_pretty(const struct promql_expr *e, struct buf *out);
/* The expression of a text with its filters opened: comparisons give 0 or 1, what unless takes away stays. Its answer has every
 * label set that there is data for. Negative errno as promql_parse's; -EDOM: it asks for absence, so that data is never missing. */
MUST_USE int promql_format_presence(struct span text, struct buf *out);
/* The tree as JSON, in the form of Prometheus's /api/v1/parse_query. */
struct json_writer;
void promql_write_tree(const struct promql_expr *e, struct json_writer *j);
/* Call for each vector selector of the expression: rule dependencies, coverage, lint. */
void promql_each_selector(const struct promql_expr *e, void (*fn)(void *ctx, const struct matcher *matchers, size_t n),
                          void *ctx);
/* Call for what the expression says and can hardly mean, with its place in the text: it can never give anything, or it gives a number
 * where nothing is known. recorded: the result is kept, so that a value that is missing is missed. */
typedef void (*promql_doubt)(void *ctx, size_t start, size_t end, const char *words);
void promql_each_doubt(const struct promql_expr *e, bool recorded, promql_doubt fn, void *ctx);
/* Parse a series selector alone (match[] parameters): matchers live in the arena but own regexes: matcher_done each. */
MUST_USE int promql_parse_selector(struct span text, struct arena *arena, struct matcher **ret, size_t *ret_n,
                                   struct parse_error *ret_error);

/* Whether rollups may stand for samples (docs/store.md): where the answer stays the same; never; also for samples that the retention
 * took, with a warning, in buckets of 5 minutes where there are such or of an hour. */
enum promql_rollups { PROMQL_ROLLUPS_SAME, PROMQL_ROLLUPS_OFF, PROMQL_ROLLUPS_5M, PROMQL_ROLLUPS_1H };
struct promql_params {
    int64_t start_ms, end_ms, step_ms; /* start == end and step 0: an instant query */
    int64_t lookback_ms;               /* 0: LOOKBACK_MS */
    int64_t subquery_step_ms;          /* of [range:]; 0: SUBQUERY_STEP_MS */
    enum promql_rollups rollups;
    uint64_t samples_max, bytes_max; /* 0: limits.h */
    int64_t deadline_mono_us;        /* 0: none */
    const atomic_bool *cancelled;    /* NULL: cannot be cancelled */
    bool (*is_gone)(void *ctx);      /* who asked, now and then; then it is cancelled. NULL: never */
    void *gone_ctx;
};
enum promql_error_kind {
    PROMQL_OK,
    PROMQL_BAD_DATA,
    PROMQL_EXECUTION,
    PROMQL_TIMEOUT,
    PROMQL_CANCELED,
    PROMQL_INTERNAL
};
struct promql_error {
    enum promql_error_kind
        kind; /* Prometheus's errorType: bad_data 400, execution 422, timeout 503, canceled 503, internal 500 */
    char text[PROBLEM_TEXT_MAX];
    uint32_t line, column; /* 0 when it has no place */
};
struct promql_series {
    struct labels labels;
    double *values;                             /* one per step */
    bool *present;                              /* is there a value at that step? */
    const struct native_histogram **histograms; /* NULL, or one per step (NULL where float) */
};
struct promql_matrix_series { /* raw samples: an instant query of a range selector */
    struct labels labels;
    const int64_t *t_ms;
    const double *values;
    const struct native_histogram **histograms;
    size_t n;
};
struct promql_result {
    enum promql_type type;
    int64_t start_ms, step_ms;
    size_t n_steps;
    struct promql_series
        *series; /* VECTOR: any number; SCALAR: one without labels. Order: as Prometheus gives it (sorted by labels for
                                     ranges; result order for instant vectors, which sort() and topk() rely on) */
    size_t n_series;
    struct promql_matrix_series *matrix;
    size_t n_matrix;
    struct span string;
    const char **warnings, **infos;      /* ended by NULL; with "(line:col)" */
    uint64_t samples_read, samples_peak; /* read in all; held at once */
    size_t bytes;                        /* of memory that the result holds */
    int64_t queue_us, parse_us, eval_us; /* filled in by query.h */
};
MUST_USE int promql_eval(struct store *s, const struct promql_expr *e, const struct promql_params *params,
                         struct promql_result **ret, struct promql_error *ret_error);
void promql_result_free(struct promql_result *r);
