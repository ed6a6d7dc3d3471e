#include "collector/store/tombstone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct tombstones *new_set(size_t n)
{
    struct tombstones *ts = malloc(sizeof *ts + n * sizeof ts->list[0]);
    if (ts) {
        atomic_init(&ts->holders, 1);
        ts->n = n;
    }
    return ts;
}

static int by_group(const void *a, const void *b)
{
    const struct tombstone *x = a, *y = b;
    return (x->group > y->group) - (x->group < y->group);
}

int tombstones_with(const struct tombstones *old, const struct tombstone *more, size_t n, struct tombstones **ret)
{
    size_t n_old = old ? old->n : 0;
    struct tombstones *ts = new_set(n_old + n);
    if (!ts)
        return -ENOMEM;
    if (n_old)
        memcpy(ts->list, old->list, n_old * sizeof ts->list[0]);
    if (n)
        memcpy(ts->list + n_old, more, n * sizeof ts->list[0]);
    if (ts->n)
        qsort(ts->list, ts->n, sizeof ts->list[0], by_group);
    *ret = ts;
    return 0;
}

int tombstones_without(const struct tombstones *old, const bool *gone, struct tombstones **ret)
{
    struct tombstones *ts = new_set(old->n);
    if (!ts)
        return -ENOMEM;
    ts->n = 0;
    for (size_t i = 0; i < old->n; i++)
        if (!gone[i])
            ts->list[ts->n++] = old->list[i];
    if (ts->n == 0) {
        tombstones_release(ts);
        ts = NULL;
    }
    *ret = ts;
    return 0;
}

void tombstones_hold(struct tombstones *ts)
{
    if (ts)
        atomic_fetch_add_explicit(&ts->holders, 1, memory_order_relaxed);
}

void tombstones_release(struct tombstones *ts)
{
    if (ts && atomic_fetch_sub_explicit(&ts->holders, 1, memory_order_acq_rel) == 1)
        free(ts);
}

const struct tombstone *tombstones_of(const struct tombstones *ts, uint32_t group, size_t *ret_n)
{
    size_t low = 0, high = ts ? ts->n : 0, n = 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (ts->list[mid].group < group)
            low = mid + 1;
        else
            high = mid;
    }
    while (ts && low + n < ts->n && ts->list[low + n].group == group)
        n++;
    *ret_n = n;
    return n ? &ts->list[low] : NULL;
}

bool tombstone_touches(const struct tombstone *t, const struct extent_ref *ref)
{
    return ref->group == t->group && ref->id <= t->last_id && ref->min_ms <= t->max_ms && ref->max_ms >= t->min_ms;
}

bool tombstones_touch(const struct tombstones *ts, const struct extent_ref *ref)
{
    size_t n;
    const struct tombstone *list = tombstones_of(ts, ref->group, &n);
    for (size_t i = 0; i < n; i++)
        if (tombstone_touches(&list[i], ref))
            return true;
    return false;
}

bool tombstones_concern(const struct tombstone *list, size_t n, const struct extent_ref *ref, unsigned ord)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].ords[ord / 64] >> ord % 64 & 1 && tombstone_touches(&list[i], ref))
            return true;
    return false;
}

bool tombstones_hide_all(const struct tombstone *list, size_t n, const struct extent_ref *ref, unsigned ord)
{
    for (size_t i = 0; i < n; i++)
        if (ref->id <= list[i].last_id && list[i].ords[ord / 64] >> ord % 64 & 1 && list[i].min_ms <= ref->min_ms &&
            list[i].max_ms >= ref->max_ms)
            return true;
    return false;
}
