/* hash.h - a seeded 64-bit hash for hash tables fed by strangers, and a string map.
 *
 *   struct strmap m;
 *   strmap_init(&m, 10000);
 *   r = strmap_put(&m, SPAN("route"), ptr);   // the key is copied
 *   void *p = strmap_get(&m, SPAN("route"));
 *
 * hash_seed() is random per process, so collisions cannot be prepared. Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

uint64_t hash_seed(void);
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed);

struct strmap_entry;
struct strmap {
    struct strmap_entry *slots;
    size_t used, cap, max;
};
void strmap_init(struct strmap *m, size_t max_entries);
/* Frees keys and table, not the values. */
void strmap_done(struct strmap *m);
/* NULL when absent (or stored as NULL: use strmap_has). */
void *strmap_get(const struct strmap *m, struct span key);
bool strmap_has(const struct strmap *m, struct span key);
/* Insert or replace. -ENOSPC over max_entries, -ENOMEM. */
MUST_USE int strmap_put(struct strmap *m, struct span key, void *value);
/* Remove; returns the value or NULL. */
void *strmap_remove(struct strmap *m, struct span key);
/* Walk: start with *at = 0; false at the end. Order is unspecified; do not change the map while walking. */
bool strmap_next(const struct strmap *m, size_t *at, struct span *ret_key, void **ret_value);
