/* catalogue.h - 500 products, the same for a given seed, and the cache in front of them.
 *
 * Products are constant once made. The cache remembers when each product was last read from the "origin"; a
 * miss costs a database session and origin_ms (the caller does that), then catalogue_filled. Thread-safe. */
#pragma once

#include "shop/shop.h"

struct product {
    char sku[12], name[64];
    int64_t price_minor[MARKETS];
};
struct catalogue;
MUST_USE int catalogue_new(uint64_t seed, struct catalogue **ret);
void catalogue_free(struct catalogue *c);
const struct product *catalogue_product(const struct catalogue *c, size_t index);
/* Index of a SKU, or -ENOENT. */
int catalogue_find(const struct catalogue *c, struct span sku);
/* Indexes whose name holds the text (ASCII case ignored); all for an empty text; at most max. */
size_t catalogue_search(const struct catalogue *c, struct span text, size_t *indexes, size_t max);
/* Fresh within ttl_ms? */
bool catalogue_cached(struct catalogue *c, size_t index, int64_t now_ms, int64_t ttl_ms);
void catalogue_filled(struct catalogue *c, size_t index, int64_t now_ms);
void catalogue_flush(struct catalogue *c);
