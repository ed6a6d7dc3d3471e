/* families.h - what is known about metric families: type, unit, help.
 *
 *   struct families f;
 *   families_init(&f);
 *   r = families_put(&f, &metadata);                       // the writer; news are marked for the next transaction
 *   while ((m = families_next_unsaved(&f, &at))) ...        // rows to write; families_saved(&f) after the commit
 *   r = families_list(&f, name, &arena, &list, &n);         // any thread */
#pragma once

#include <pthread.h>

#include "lib/base/hash.h"
#include "lib/metric/sample.h"

struct family {
    struct metadata metadata; /* texts are the family's own */
    bool unsaved;
};
struct families {
    pthread_mutex_t lock;
    struct strmap by_name; /* -> struct family * */
    bool unsaved;          /* is there one? the writer's */
};
void families_init(struct families *f);
void families_done(struct families *f);
/* Unknown families beyond FAMILIES_MAX and texts over LABEL_VALUE_BYTES_MAX are left out silently: metadata is a comfort.
 * -ENOMEM. `saved`: it comes from the file. */
MUST_USE int families_put(struct families *f, const struct metadata *m, bool saved);
/* The writer's, which alone changes families: no lock. */
const struct metadata *families_next_unsaved(const struct families *f, size_t *at);
void families_saved(struct families *f);
/* One family, or all with an empty name, sorted by name. -ENOMEM. */
MUST_USE int families_list(struct families *f, struct span name, struct arena *arena, struct metadata **ret,
                           size_t *ret_n);
