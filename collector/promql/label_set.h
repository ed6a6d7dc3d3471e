/* label_set.h - cheap transformations of label sets, and a table that finds an equal one again.
 *
 *   struct label_table t;
 *   label_table_init(&t, arena);
 *   r = label_table_intern(&t, &labels, &index, &is_new);   // dense indexes from 0
 *
 * Results share names and values with what they came from; only the array of pairs is new. Name lists must be sorted. */
#pragma once

#include "lib/metric/labels.h"

/* __name__, __type__ and __unit__: what operations that change the meaning of a value take away. */
bool label_is_metadata(struct span name);
/* Only the pairs whose name is in names[n] (sorted), into out (room for ls->n pairs). */
struct labels labels_keep(const struct labels *ls, const struct span *names, size_t n, struct label *out);
/* Without the pairs in names[n] (sorted) and, if asked, without metadata. */
struct labels labels_without(const struct labels *ls, const struct span *names, size_t n, bool metadata_too,
                             struct label *out);
/* The set with one label replaced, added or (empty value) removed, into out (room for ls->n + 1 pairs). */
struct labels labels_with(const struct labels *ls, struct span name, struct span value, struct label *out);
/* A copy of the array of pairs. -ENOMEM. */
MUST_USE int labels_keep_pairs(struct arena *a, const struct labels *ls, struct labels *ret);
/* A sorted copy without repetitions. -ENOMEM. */
MUST_USE int label_names_sorted(struct arena *a, const struct span *names, size_t n, struct span **ret, size_t *ret_n);

struct label_table_slot;
struct label_table {
    struct arena *arena;
    struct label_table_slot *slots;
    struct labels *sets; /* by index */
    size_t n, cap;
};
void label_table_init(struct label_table *t, struct arena *a);
/* The index of the set, which is copied (pairs only) when it is new. -ENOMEM. */
MUST_USE int label_table_intern(struct label_table *t, const struct labels *ls, size_t *ret_index, bool *ret_is_new);
/* false: not there. */
bool label_table_find(const struct label_table *t, const struct labels *ls, size_t *ret_index);
