/* faults.h - the faults that PUT /control switches; read by every request without a lock. */
#pragma once

#include "lib/wire/json.h"
#include "shop/shop.h"

struct shop_faults {
    atomic_bool cache_enabled;
    atomic_llong cache_ttl_ms, cache_origin_ms, db_latency_ms, shop_latency_ms;
    _Atomic double shop_error_ratio;
};
struct gateway_faults {
    atomic_llong latency_ms, jitter_ms;
    _Atomic double decline_ratio, error_ratio, hang_ratio, rate_limit_rps;
};
/* Read the members that `object` has into the fields of `into`; unknown members and wrong values are refused
 * as a whole: -EINVAL with words in why, nothing changed. */
struct fault_field {
    const char *name;
    enum { FAULT_MS, FAULT_RATIO, FAULT_RATE, FAULT_BOOL } type;
    size_t offset;
};
MUST_USE int faults_read(const json_t *object, const struct fault_field *fields, void *into, char *why,
                         size_t why_bytes);
void faults_write(struct json_writer *j, const struct fault_field *fields, const void *from);
extern const struct fault_field CACHE_FIELDS[], DB_FIELDS[], SHOP_FIELDS[], GATEWAY_FIELDS[]; /* ended by {0} */
/* A random number in [0, 1), per thread. */
double random_ratio(void);
