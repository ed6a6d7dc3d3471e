/* store_load.h - the series and values that the store is measured with, and requests of them.
 *
 *   struct store_load *l = store_load_new(0, 10000, 10000, 2000);
 *   store_load_round(l, t_ms, into, ctx);      // one scrape; full requests go to `into`
 *   store_load_flush(l, into, ctx);            // what is left, as a smaller one
 *   store_load_free(l);
 *
 * Of ten series four are http_requests_total{code,instance,job,route,shard}, four http_request_duration_seconds_bucket{instance,job,le,
 * route,shard}, one process_resident_memory_bytes and one up; instance and shard are a series' own, jobs a tenth of all. Counters rise by
 * irregular integers, 0.5 to 500 a step (log-uniform, ±50 %), memory moves in 4 KiB steps 70 % of the time, up is 1; 250 neighbours share a
 * millisecond. Values depend on the series alone, so that every order of asking gives the same. One thread at a time uses a load;
 * several loads over parts of the same series are independent. Ends the program when there is no memory. */
#pragma once

#include "lib/base/buf.h"
#include "lib/metric/sample.h"
#include "tests/support/check.h"

struct store_load;
/* Series first … first + n - 1 of `all`. */
struct store_load *store_load_new(unsigned first, unsigned n, unsigned all, unsigned samples_per_request);
void store_load_free(struct store_load *l);

/* A whole request; the callee takes its bytes (and calls buf_done). */
typedef void (*store_load_request)(void *ctx, struct buf *body, unsigned samples);
/* One scrape of all its series at t_ms. */
void store_load_round(struct store_load *l, int64_t t_ms, store_load_request into, void *ctx);
void store_load_flush(struct store_load *l, store_load_request into, void *ctx);
/* Series at, at + 1, … (n of them, counted within the load) go and new ones, never seen before, take their places. */
void store_load_churn(struct store_load *l, unsigned at, unsigned n);

/* The n-th series' labels and its next value, for those that need no requests. */
const struct labels *store_load_labels(const struct store_load *l, unsigned n);
double store_load_next(struct store_load *l, unsigned n);
