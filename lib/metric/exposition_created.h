/* exposition_created.h - start times by label set, for one metric family at a time.
 *
 *   created_clear(&c);
 *   r = created_put(&c, created_key(labels, SPAN("le")), start_ms);
 *   start_ms = created_get(&c, key);            // 0: unknown
 *   created_done(&c);
 *
 * The key is a 64-bit hash seeded per process; two series of one family sharing it by chance would share a start time. */
#pragma once

#include "lib/metric/labels.h"

struct created_slot {
    uint64_t key; /* 0: free */
    int64_t start_ms;
};
struct created {
    struct created_slot *slots;
    size_t used, cap; /* cap is 0 or a power of two */
};

void created_clear(struct created *c);
void created_done(struct created *c);
/* The labels without the metric name and `but` (le, quantile). Never 0. */
uint64_t created_key(const struct labels *ls, struct span but);
/* -ENOMEM. */
MUST_USE int created_put(struct created *c, uint64_t key, int64_t start_ms);
int64_t created_get(const struct created *c, uint64_t key);
