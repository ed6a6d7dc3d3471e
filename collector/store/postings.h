/* postings.h - which series carry a label: name -> value -> ascending series ids.
 *
 *   struct postings p = {0};
 *   r = postings_add(&p, name, value, id);                    // ids only grow
 *   const struct label_values *lv = postings_of(&p, name);     // NULL: no series has it
 *   const struct posting *po = label_values_find(lv, value);   // NULL likewise
 *   for (size_t at = 0; (po = label_values_next(lv, &at)); ) ...
 *
 * Names and values are symbols. Everything here needs the index's lock; pointers are good while it is held. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "collector/store/u32map.h"
#include "lib/base/macros.h"

struct posting {
    uint32_t value, n; /* n 0: a free slot */
    union {
        uint32_t one;  /* n == 1: most values of an instance label name a single series or few */
        uint32_t *ids; /* room for n rounded up to a power of two, at least 4 */
    };
};
struct label_values {
    uint32_t name;
    size_t used, cap;
    struct posting *slots;
};
struct postings {
    struct label_values **names;
    size_t n, cap;
    struct u32map at; /* name -> index in names */
};
void postings_done(struct postings *p);
/* -ENOMEM: the id may be missing here; the owner must not use it. */
MUST_USE int postings_add(struct postings *p, uint32_t name, uint32_t value, uint32_t id);
const struct label_values *postings_of(const struct postings *p, uint32_t name);
const struct posting *label_values_find(const struct label_values *lv, uint32_t value);
const struct posting *label_values_next(const struct label_values *lv, size_t *at);
static inline const uint32_t *posting_ids(const struct posting *po)
{
    return po->n == 1 ? &po->one : po->ids;
}
