/* How many series carry which label: what /api/v1/status/tsdb tells. */
#include <errno.h>

#include "collector/store/store_inside.h"

struct counted {
    uint64_t count;
    uint32_t name, value; /* value UINT32_MAX: the name alone */
};
/* The `max` largest, as a heap whose root is the least of them. */
struct largest {
    struct counted *list;
    size_t n, max;
};

static bool before(const struct counted *a, const struct counted *b)
{
    if (a->count != b->count)
        return a->count < b->count;
    return a->name != b->name ? a->name > b->name : a->value > b->value; /* symbols of old series first */
}

static void sink_root(struct largest *l)
{
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < l->n && before(&l->list[left], &l->list[least]))
            least = left;
        if (right < l->n && before(&l->list[right], &l->list[least]))
            least = right;
        if (least == i)
            return;
        struct counted swap = l->list[i];
        l->list[i] = l->list[least];
        l->list[least] = swap;
        i = least;
    }
}

static void offer(struct largest *l, struct counted c)
{
    if (l->n == l->max) {
        if (l->max == 0 || !before(&l->list[0], &c))
            return;
        l->list[0] = c;
        sink_root(l);
        return;
    }
    size_t i = l->n++;
    for (; i && before(&c, &l->list[(i - 1) / 2]); i = (i - 1) / 2)
        l->list[i] = l->list[(i - 1) / 2];
    l->list[i] = c;
}

static int by_size(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;
    return before(x, y) ? 1 : before(y, x) ? -1 : 0;
}

static int texts_of(const struct symbols *sy, struct largest *l, struct arena *arena, struct store_counts *ret)
{
    struct store_count *list = arena_array(arena, l->n, sizeof *list);
    if (!list)
        return -ENOMEM;
    if (l->n)
        qsort(l->list, l->n, sizeof *l->list, by_size);
    for (size_t i = 0; i < l->n; i++) {
        bool ok = true;
        list[i] = (struct store_count){.name = arena_span(arena, symbols_text(sy, l->list[i].name), &ok),
                                       .count = l->list[i].count};
        if (ok && l->list[i].value != UINT32_MAX)
            list[i].value = arena_span(arena, symbols_text(sy, l->list[i].value), &ok);
        if (!ok)
            return -ENOMEM;
    }
    *ret = (struct store_counts){list, l->n};
    return 0;
}

enum { METRICS, VALUES, BYTES, PAIRS, TABLES };

static void count_label(const struct symbols *sy, const struct label_values *lv, bool is_metric, struct largest *tables,
                        uint64_t *label_pairs)
{
    const struct posting *po;
    uint64_t bytes = 0;
    for (size_t at = 0; (po = label_values_next(lv, &at)) != NULL;) {
        struct counted pair = {po->n, lv->name, po->value};
        bytes += (uint64_t)symbols_text(sy, po->value).len * po->n;
        offer(&tables[PAIRS], pair);
        if (is_metric)
            offer(&tables[METRICS], pair);
    }
    *label_pairs += lv->used;
    offer(&tables[VALUES], (struct counted){lv->used, lv->name, UINT32_MAX});
    offer(&tables[BYTES], (struct counted){bytes, lv->name, UINT32_MAX});
}

int store_cardinality(struct store *s, size_t limit, struct arena *arena, struct store_cardinality *ret)
{
    struct series_index *ix = &s->index;
    struct largest tables[TABLES] = {0};
    struct store_cardinality found = {0};
    uint32_t metric = UINT32_MAX;
    int r = 0;
    for (size_t i = 0; r == 0 && i < TABLES; i++) {
        tables[i] = (struct largest){.list = malloc((limit ? limit : 1) * sizeof *tables[i].list), .max = limit};
        r = tables[i].list ? 0 : -ENOMEM;
    }
    if (r == 0) {
        pthread_rwlock_rdlock(&ix->lock);
        (void)!symbols_find(&ix->symbols, SPAN("__name__"), &metric);
        for (size_t i = 0; i < ix->postings.n; i++)
            count_label(&ix->symbols, ix->postings.names[i], ix->postings.names[i]->name == metric, tables,
                        &found.label_pairs);
        pthread_rwlock_unlock(&ix->lock);
        r = texts_of(&ix->symbols, &tables[METRICS], arena, &found.series_by_metric);
    }
    if (r == 0)
        r = texts_of(&ix->symbols, &tables[VALUES], arena, &found.values_by_label);
    if (r == 0)
        r = texts_of(&ix->symbols, &tables[BYTES], arena, &found.bytes_by_label);
    if (r == 0)
        r = texts_of(&ix->symbols, &tables[PAIRS], arena, &found.series_by_pair);
    for (size_t i = 0; i < TABLES; i++)
        free(tables[i].list);
    if (r == 0) {
        found.extents = extent_dir_totals(&s->extents).extents;
        *ret = found;
    }
    return r;
}
