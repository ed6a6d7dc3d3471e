/* histogram_head.h - the head's native histograms: packed, per series newest first, from slabs of their own.
 *
 *   r = histogram_head_new(&h);
 *   r = histogram_head_append(h, id, &item, seq);             // copies the bytes; visible to views at seq or later
 *   histogram_head_undo(h);  histogram_head_keep(h);           // as head.h's
 *   r = histogram_head_read(h, id, seq, min_ms, max_ms, sink, ctx);
 *   histogram_head_free(h);
 *
 * One writer, readers without a lock: an item is complete before its series points to it, and never changes. A head makes one of
 * these with its first histogram, so that who sends none pays for none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"

struct histogram_item {
    int64_t t_ms, start_ms;
    const uint8_t *bytes; /* histogram_pack.h's; in the head's memory when it comes from there */
    size_t n_bytes;
};
struct histogram_head;
MUST_USE int histogram_head_new(struct histogram_head **ret);
/* NULL is fine. */
void histogram_head_free(struct histogram_head *h);
/* -ENOMEM: nothing was added. */
MUST_USE int histogram_head_append(struct histogram_head *h, uint32_t id, const struct histogram_item *item,
                                   uint32_t seq);
/* The item at that time, committed or not. */
bool histogram_head_find(const struct histogram_head *h, uint32_t id, int64_t t_ms, struct histogram_item *ret);
bool histogram_head_has(const struct histogram_head *h, uint32_t id);
int64_t histogram_head_newest_ms(const struct histogram_head *h, uint32_t id); /* INT64_MIN: it has none */
void histogram_head_keep(struct histogram_head *h);
/* How many were taken back. */
size_t histogram_head_undo(struct histogram_head *h);
size_t histogram_head_bytes(const struct histogram_head *h); /* of memory */
/* Items with min_ms <= t <= max_ms that a view at `seq` sees, in order of arrival. Stops at the first negative result. */
typedef int (*histogram_sink)(void *ctx, const struct histogram_item *item);
MUST_USE int histogram_head_read(const struct histogram_head *h, uint32_t id, uint32_t seq, int64_t min_ms,
                                 int64_t max_ms, histogram_sink sink, void *ctx);
