/* symbols.h - every label name and value once, as a 32-bit id.
 *
 *   struct symbols sy;
 *   r = symbols_init(&sy);
 *   r = symbols_intern(&sy, SPAN("shop"), &id);        // same text, same id
 *   struct span text = symbols_text(&sy, id);          // lives as long as the table
 *
 * Ids are dense from 0. Texts never move: a thread that learnt an id through a lock may read its text without one. Interning
 * and finding need the owner's lock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

#define SYMBOL_SEGMENT 8192u
#define SYMBOL_SEGMENTS_MAX 8192u /* 67 million texts: 10 million series with 6 texts of their own each */

struct symbol_slot {
    uint32_t tag, id_plus_1; /* 0: free */
};
struct symbol_slab;
struct symbols {
    const uint8_t **segments[SYMBOL_SEGMENTS_MAX]; /* each text: u16 length, bytes */
    uint32_t n;
    struct symbol_slot *slots;
    size_t cap;
    struct symbol_slab *slab;
    size_t slab_used, slab_bytes;
    uint64_t seed;
};
MUST_USE int symbols_init(struct symbols *sy);
void symbols_done(struct symbols *sy);
/* -ENOMEM, -ENOSPC (table full). At most LABEL_VALUE_BYTES_MAX bytes. */
MUST_USE int symbols_intern(struct symbols *sy, struct span text, uint32_t *ret_id);
bool symbols_find(const struct symbols *sy, struct span text, uint32_t *ret_id);
static inline struct span symbols_text(const struct symbols *sy, uint32_t id)
{
    const uint8_t *p = sy->segments[id / SYMBOL_SEGMENT][id % SYMBOL_SEGMENT];
    uint16_t n;
    memcpy(&n, p, sizeof n);
    return span_of((const char *)p + sizeof n, n);
}
