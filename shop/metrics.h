/* metrics.h - what the shop counts. Relaxed atomics, any thread; written out by shop_metrics_write. Names:
 * docs/shop.md. */
#pragma once

#include "lib/base/metric_writer.h"
#include "shop/orders.h"
#include "shop/pool.h"

#define DURATION_BOUNDS 20
#define INFLIGHT_SLOTS 4096 /* requests and calls tracked at once; more are counted nowhere but served */
#define ROUTE_STATUSES 8    /* different status codes remembered per route */

struct duration {
    atomic_ulong counts[DURATION_BOUNDS + 1];
    atomic_ulong sum_us;
};
struct route_metrics {
    const char *method, *route;
    atomic_int active;
    struct {
        atomic_int status; /* 0: free */
        struct duration by_source[SOURCES];
    } statuses[ROUTE_STATUSES];
};
struct inflight_slot {
    atomic_llong start_us; /* 0: free */
    atomic_int kind;       /* step, or STEPS + dependency */
    atomic_int source;
};
struct shop_metrics {
    struct route_metrics *routes; /* as many as routes */
    size_t n_routes;
    atomic_ulong operations[STEPS][OUTCOMES][SOURCES];
    struct duration operation_seconds[STEPS][SOURCES];
    atomic_ulong payments[PAYMENTS][MARKETS][CHANNELS][SOURCES];
    atomic_ulong checkouts_started[MARKETS][CHANNELS][SOURCES];
    struct duration checkout_seconds[MARKETS][CHANNELS][SOURCES];
    atomic_ulong orders[MARKETS][CHANNELS][SOURCES], units[MARKETS][CHANNELS][SOURCES],
        revenue_minor[MARKETS][CHANNELS][SOURCES];
    struct duration dependency_seconds[DEPENDENCIES][4][SOURCES]; /* ok, error, timeout, rate_limited */
    atomic_long quota_limit, quota_used;                          /* -1: never told */
    atomic_ulong cache_hits, cache_misses;
    struct duration pool_wait;
    struct inflight_slot inflight[INFLIGHT_SLOTS];
};
enum call_outcome { CALL_OK, CALL_ERROR, CALL_TIMEOUT, CALL_RATE_LIMITED, CALL_OUTCOMES };

MUST_USE int shop_metrics_new(size_t n_routes, struct shop_metrics **ret);
void shop_metrics_free(struct shop_metrics *m);
/* Name a route and the status codes that exist from the start with 0 (ended by 0). */
void shop_metrics_route(struct shop_metrics *m, size_t index, const char *method, const char *route,
                        const int *statuses);
void shop_metrics_request(struct shop_metrics *m, size_t route, int status, enum source source, int64_t us);
void duration_record(struct duration *d, int64_t us);
static inline void count_add(atomic_ulong *c, unsigned long n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}
/* A slot for oldest-in-flight, or -1 when all are taken; give it back with inflight_end. */
int inflight_begin(struct shop_metrics *m, int kind, enum source source, int64_t now_us);
void inflight_end(struct shop_metrics *m, int slot);
void shop_metrics_write(struct shop_metrics *m, struct pool *pool, struct orders *orders,
                        const struct catalogue *catalogue, struct metric_writer *w);
