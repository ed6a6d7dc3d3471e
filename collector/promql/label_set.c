#include "collector/promql/label_set.h"

#include <errno.h>

bool label_is_metadata(struct span name)
{
    return span_equal(name, SPAN("__name__")) || span_equal(name, SPAN("__type__")) ||
           span_equal(name, SPAN("__unit__"));
}

/* Is `name` in the sorted list from *at on? Both sides ascend, so *at only moves forward. */
static bool in_list(struct span name, const struct span *names, size_t n, size_t *at)
{
    while (*at < n) {
        int c = span_compare(names[*at], name);
        if (c >= 0)
            return c == 0;
        (*at)++;
    }
    return false;
}

struct labels labels_keep(const struct labels *ls, const struct span *names, size_t n, struct label *out)
{
    struct labels kept = {out, 0};
    size_t at = 0;
    for (size_t i = 0; i < ls->n; i++)
        if (in_list(ls->pairs[i].name, names, n, &at))
            out[kept.n++] = ls->pairs[i];
    return kept;
}

struct labels labels_without(const struct labels *ls, const struct span *names, size_t n, bool metadata_too,
                             struct label *out)
{
    struct labels kept = {out, 0};
    size_t at = 0;
    for (size_t i = 0; i < ls->n; i++)
        if (!in_list(ls->pairs[i].name, names, n, &at) && !(metadata_too && label_is_metadata(ls->pairs[i].name)))
            out[kept.n++] = ls->pairs[i];
    return kept;
}

struct labels labels_with(const struct labels *ls, struct span name, struct span value, struct label *out)
{
    struct labels changed = {out, 0};
    bool placed = value.len == 0;
    for (size_t i = 0; i < ls->n; i++) {
        int c = span_compare(ls->pairs[i].name, name);
        if (c >= 0 && !placed) {
            out[changed.n++] = (struct label){name, value};
            placed = true;
        }
        if (c != 0)
            out[changed.n++] = ls->pairs[i];
    }
    if (!placed)
        out[changed.n++] = (struct label){name, value};
    return changed;
}

int labels_keep_pairs(struct arena *a, const struct labels *ls, struct labels *ret)
{
    struct label *pairs = arena_array(a, ls->n, sizeof *pairs);
    if (!pairs)
        return -ENOMEM;
    if (ls->n)
        memcpy(pairs, ls->pairs, ls->n * sizeof *pairs);
    *ret = (struct labels){pairs, ls->n};
    return 0;
}

static int compare_spans(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

int label_names_sorted(struct arena *a, const struct span *names, size_t n, struct span **ret, size_t *ret_n)
{
    struct span *sorted = arena_array(a, n, sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    size_t kept = 0;
    if (n) {
        memcpy(sorted, names, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, compare_spans);
    }
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !span_equal(sorted[kept - 1], sorted[i]))
            sorted[kept++] = sorted[i];
    *ret = sorted;
    *ret_n = kept;
    return 0;
}

/* ---- table: open addressing, at most half full ---- */

struct label_table_slot {
    uint64_t hash;
    size_t index_plus_1; /* 0: free */
};

void label_table_init(struct label_table *t, struct arena *a)
{
    *t = (struct label_table){.arena = a};
}

static struct label_table_slot *find_slot(const struct label_table *t, const struct labels *ls, uint64_t hash)
{
    for (size_t i = hash & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
        struct label_table_slot *s = &t->slots[i];
        if (s->index_plus_1 == 0 || (s->hash == hash && labels_equal(&t->sets[s->index_plus_1 - 1], ls)))
            return s;
    }
}

/* Old arrays stay in the arena: doubling keeps the waste below what is used. */
MUST_USE static int grow(struct label_table *t)
{
    size_t cap = t->cap ? 2 * t->cap : 16;
    struct label_table_slot *slots = arena_array(t->arena, cap, sizeof *slots);
    struct labels *sets = arena_array(t->arena, cap / 2, sizeof *sets);
    if (!slots || !sets)
        return -ENOMEM;
    if (t->n)
        memcpy(sets, t->sets, t->n * sizeof *sets);
    for (size_t i = 0; i < t->cap; i++) {
        if (t->slots[i].index_plus_1 == 0)
            continue;
        size_t at = t->slots[i].hash & (cap - 1);
        while (slots[at].index_plus_1)
            at = (at + 1) & (cap - 1);
        slots[at] = t->slots[i];
    }
    t->slots = slots;
    t->sets = sets;
    t->cap = cap;
    return 0;
}

int label_table_intern(struct label_table *t, const struct labels *ls, size_t *ret_index, bool *ret_is_new)
{
    if (2 * t->n >= t->cap && grow(t) < 0)
        return -ENOMEM;
    uint64_t hash = labels_hash(ls);
    struct label_table_slot *s = find_slot(t, ls, hash);
    *ret_is_new = s->index_plus_1 == 0;
    if (*ret_is_new) {
        if (labels_keep_pairs(t->arena, ls, &t->sets[t->n]) < 0)
            return -ENOMEM;
        *s = (struct label_table_slot){hash, ++t->n};
    }
    *ret_index = s->index_plus_1 - 1;
    return 0;
}

bool label_table_find(const struct label_table *t, const struct labels *ls, size_t *ret_index)
{
    if (t->n == 0)
        return false;
    const struct label_table_slot *s = find_slot(t, ls, labels_hash(ls));
    if (s->index_plus_1 == 0)
        return false;
    *ret_index = s->index_plus_1 - 1;
    return true;
}
