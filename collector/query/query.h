/* query.h - one way to ask, two makers: the local engine over our store, and a remote PromQL endpoint.
 *
 *   struct query_engine *q;
 *   r = query_local_new(store, &limits, &q);                   // or query_remote_new("http://…", …)
 *   r = query_run(q, &request, &result, &error);                // blocking: rules, CLI, tests
 *   r = query_submit(q, &request, on_done, ctx);                // from the HTTP server: worker threads, one per core
 *   query_free(q);
 *
 * The fair queue serves origins (client addresses) in turn, so one dashboard cannot starve the others; rules do not
 * queue here. Full queue: -EAGAIN (503). */
#pragma once

#include "collector/promql/promql.h"

struct query_engine;
struct query_limits {
    uint64_t samples_max, bytes_max;                   /* 0: limits.h */
    int64_t timeout_ms, lookback_ms, subquery_step_ms; /* 0: limits.h */
    unsigned workers;                                  /* 0: one per core */
};
struct query_request {
    struct span text;
    int64_t start_ms, end_ms, step_ms; /* as promql_params */
    int64_t timeout_ms, lookback_ms;   /* 0: the engine's */
    enum promql_rollups rollups;
    struct span origin;         /* who asks, for fairness */
    bool (*is_gone)(void *ctx); /* of query_submit's ctx: has who asks left? Asked now and then while it
                                  * runs: PROMQL_CANCELED then. May be NULL */
};
MUST_USE int query_local_new(struct store *s, const struct query_limits *limits, struct query_engine **ret);
/* -EOPNOTSUPP until the remote engine is written; url is kept. */
MUST_USE int query_remote_new(const char *url, const struct query_limits *limits, struct query_engine **ret);
void query_free(struct query_engine *q); /* cancels and waits */
/* 0 and *ret (the caller frees with promql_result_free), or negative and *ret_error. The text of a bad expression is as
 * Prometheus words it, place included: "1:5: parse error: unexpected end of input". */
MUST_USE int query_run(struct query_engine *q, const struct query_request *request, struct promql_result **ret,
                       struct promql_error *ret_error);
/* done runs on a worker thread, exactly once, with either a result (taken by done) or NULL and an error. The request is copied. */
typedef void (*query_done)(void *ctx, struct promql_result *result, const struct promql_error *error);
MUST_USE int query_submit(struct query_engine *q, const struct query_request *request, query_done done, void *ctx);
/* Other blocking reads on a worker thread (series, labels): fn runs there exactly once with cancelled = true when the engine is stopping. */
MUST_USE int query_submit_work(struct query_engine *q, struct span origin, void (*fn)(void *ctx, bool cancelled),
                               void *ctx);
int64_t query_lookback_ms(const struct query_engine *q); /* where a request gives none */
struct store *query_store(struct query_engine *q);       /* NULL for a remote one */
void query_stats(const struct query_engine *q, struct metric_writer *w);
