/* u32map.h - a small hash map from 32-bit ids to 32-bit numbers: label names to their postings, values to verdicts.
 *
 *   struct u32map m = {0};
 *   r = u32map_put(&m, symbol, 7);           // insert or replace; -ENOMEM
 *   if (u32map_get(&m, symbol, &v)) ...
 *   u32map_done(&m);
 *
 * UINT32_MAX is no key. Ids are our own dense numbers, so a plain multiplicative hash does. Not thread-safe for writing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"

struct u32map_slot {
    uint32_t key, value;
};
struct u32map {
    struct u32map_slot *slots;
    size_t used, cap; /* cap: 0 or a power of two */
};
static inline size_t u32_hash(uint32_t key)
{
    return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}
MUST_USE int u32map_put(struct u32map *m, uint32_t key, uint32_t value);
bool u32map_get(const struct u32map *m, uint32_t key, uint32_t *ret);
/* Another value for a key that is there: cannot fail. */
void u32map_set(struct u32map *m, uint32_t key, uint32_t value);
void u32map_done(struct u32map *m);
