/* pair_table.h - label pairs as numbers: each text is kept once, for all series of all targets.
 *
 *   struct pair_table *t;
 *   r = pair_table_new(&t);
 *   r = pair_table_take(t, &pair, &id);           // counted: the same pair gives the same id
 *   const struct label *l = pair_table_at(t, id);  // while it is taken
 *   pair_table_release(t, id);
 *
 * Ten thousand series of twenty like services have a few hundred different pairs. One thread. */
#pragma once

#include "lib/metric/labels.h"

struct pair_table;
MUST_USE int pair_table_new(struct pair_table **ret);
void pair_table_free(struct pair_table *t); /* NULL is fine */
MUST_USE int pair_table_take(struct pair_table *t, const struct label *pair, uint32_t *ret_id);
void pair_table_release(struct pair_table *t, uint32_t id);
/* Moves when a pair is taken. */
const struct label *pair_table_at(const struct pair_table *t, uint32_t id);
size_t pair_table_count(const struct pair_table *t);
