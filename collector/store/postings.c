#include "collector/store/postings.h"

#include <errno.h>
#include <stdlib.h>

void postings_done(struct postings *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct label_values *lv = p->names[i];
        for (size_t v = 0; v < lv->cap; v++)
            if (lv->slots[v].n > 1)
                free(lv->slots[v].ids);
        free(lv->slots);
        free(lv);
    }
    free(p->names);
    u32map_done(&p->at);
    *p = (struct postings){0};
}

const struct label_values *postings_of(const struct postings *p, uint32_t name)
{
    uint32_t at;
    return u32map_get(&p->at, name, &at) ? p->names[at] : NULL;
}

static struct posting *slot_of(const struct label_values *lv, uint32_t value)
{
    size_t i = u32_hash(value) & (lv->cap - 1);
    while (lv->slots[i].n && lv->slots[i].value != value)
        i = (i + 1) & (lv->cap - 1);
    return &lv->slots[i];
}

const struct posting *label_values_find(const struct label_values *lv, uint32_t value)
{
    const struct posting *po = lv && lv->used ? slot_of(lv, value) : NULL;
    return po && po->n ? po : NULL;
}

const struct posting *label_values_next(const struct label_values *lv, size_t *at)
{
    while (lv && *at < lv->cap) {
        const struct posting *po = &lv->slots[(*at)++];
        if (po->n)
            return po;
    }
    return NULL;
}

static int grow_values(struct label_values *lv)
{
    struct label_values bigger = {.name = lv->name, .used = lv->used, .cap = lv->cap ? lv->cap * 2 : 4};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < lv->cap; i++)
        if (lv->slots[i].n)
            *slot_of(&bigger, lv->slots[i].value) = lv->slots[i];
    free(lv->slots);
    *lv = bigger;
    return 0;
}

static int add_name(struct postings *p, uint32_t name, struct label_values **ret)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        struct label_values **names = realloc(p->names, cap * sizeof(*names));
        if (!names)
            return -ENOMEM;
        p->names = names;
        p->cap = cap;
    }
    struct label_values *lv = calloc(1, sizeof *lv);
    if (!lv)
        return -ENOMEM;
    lv->name = name;
    int r = u32map_put(&p->at, name, (uint32_t)p->n);
    if (r < 0) {
        free(lv);
        return r;
    }
    p->names[p->n++] = lv;
    *ret = lv;
    return 0;
}

static int append(struct posting *po, uint32_t id)
{
    uint32_t n = po->n, *ids = NULL;
    if (n == 0) {
        po->one = id;
    } else if (n == 1) {
        ids = malloc(4 * sizeof *ids);
        if (!ids)
            return -ENOMEM;
        ids[0] = po->one;
        ids[1] = id;
        po->ids = ids;
    } else {
        if (n >= 4 && (n & (n - 1)) == 0) { /* full */
            ids = realloc(po->ids, (size_t)n * 2 * sizeof *ids);
            if (!ids)
                return -ENOMEM;
            po->ids = ids;
        }
        po->ids[n] = id;
    }
    po->n = n + 1;
    return 0;
}

int postings_add(struct postings *p, uint32_t name, uint32_t value, uint32_t id)
{
    uint32_t at;
    struct label_values *lv = u32map_get(&p->at, name, &at) ? p->names[at] : NULL;
    int r = lv ? 0 : add_name(p, name, &lv);
    if (r == 0 && lv->used >= lv->cap / 4 * 3)
        r = grow_values(lv);
    if (r < 0)
        return r;
    struct posting *po = slot_of(lv, value);
    lv->used += po->n == 0;
    po->value = value;
    return append(po, id);
}
