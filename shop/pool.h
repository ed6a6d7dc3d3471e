/* pool.h - N database sessions that requests share: taken, held (also while waiting for the gateway), given
 * back. A resource that can be exhausted, as connection pools are; it holds no SQLite lock. Waiters are woken
 * one per session given back, in no promised order. Thread-safe. */
#pragma once

#include "shop/shop.h"

struct pool;
struct pool_counts {
    unsigned max, used, waiting, idle_in_transaction;
};
MUST_USE int pool_new(unsigned sessions, struct pool **ret);
void pool_free(struct pool *p);
/* -ETIMEDOUT after timeout_ms. *ret_waited_us is set in both cases. */
MUST_USE int pool_take(struct pool *p, int64_t timeout_ms, int64_t *ret_waited_us);
void pool_give(struct pool *p);
/* Between the two: the session waits inside a transaction (+1, -1). */
void pool_idle_in_transaction(struct pool *p, int change);
void pool_resize(struct pool *p, unsigned sessions);
void pool_count(struct pool *p, struct pool_counts *ret);
