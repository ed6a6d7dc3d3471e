#include "collector/store/families.h"

#include <errno.h>

#include "lib/base/limits.h"

void families_init(struct families *f)
{
    *f = (struct families){0};
    pthread_mutex_init(&f->lock, NULL);
    strmap_init(&f->by_name, FAMILIES_MAX);
}

static void family_free(struct family *family)
{
    if (!family)
        return;
    free((char *)family->metadata.name.ptr);
    free((char *)family->metadata.unit.ptr);
    free((char *)family->metadata.help.ptr);
    free(family);
}

void families_done(struct families *f)
{
    size_t at = 0;
    struct span name;
    void *family;
    while (strmap_next(&f->by_name, &at, &name, &family))
        family_free(family);
    strmap_done(&f->by_name);
    pthread_mutex_destroy(&f->lock);
}

static bool copy(struct span from, struct span *ret)
{
    char *p = span_dup(from);
    if (p)
        *ret = span_of(p, from.len);
    return p != NULL;
}

static struct family *family_of(const struct metadata *m, bool unsaved)
{
    struct family *family = calloc(1, sizeof *family);
    if (!family)
        return NULL;
    family->unsaved = unsaved;
    family->metadata.type = m->type;
    if (copy(m->name, &family->metadata.name) && copy(m->unit, &family->metadata.unit) &&
        copy(m->help, &family->metadata.help))
        return family;
    family_free(family);
    return NULL;
}

static bool same(const struct metadata *a, const struct metadata *b)
{
    return a->type == b->type && span_equal(a->unit, b->unit) && span_equal(a->help, b->help);
}

int families_put(struct families *f, const struct metadata *m, bool saved)
{
    if (m->name.len == 0 || m->name.len > LABEL_VALUE_BYTES_MAX || m->unit.len > LABEL_VALUE_BYTES_MAX ||
        m->help.len > LABEL_VALUE_BYTES_MAX)
        return 0;
    struct family *old = strmap_get(&f->by_name, m->name);
    if (old && same(&old->metadata, m))
        return 0;
    struct family *fresh = family_of(m, !saved);
    if (!fresh)
        return -ENOMEM;
    pthread_mutex_lock(&f->lock);
    int r = strmap_put(&f->by_name, m->name, fresh);
    pthread_mutex_unlock(&f->lock);
    if (r < 0) {
        family_free(fresh);
        return r == -ENOSPC ? 0 : r;
    }
    family_free(old);
    f->unsaved = f->unsaved || !saved;
    return 0;
}

const struct metadata *families_next_unsaved(const struct families *f, size_t *at)
{
    struct span name;
    void *value;
    while (f->unsaved && strmap_next(&f->by_name, at, &name, &value)) {
        const struct family *family = value;
        if (family->unsaved)
            return &family->metadata;
    }
    return NULL;
}

void families_saved(struct families *f)
{
    size_t at = 0;
    struct span name;
    void *value;
    while (f->unsaved && strmap_next(&f->by_name, &at, &name, &value))
        ((struct family *)value)->unsaved = false;
    f->unsaved = false;
}

static int by_name(const void *a, const void *b)
{
    return span_compare(((const struct metadata *)a)->name, ((const struct metadata *)b)->name);
}

static void give(const struct metadata *m, struct arena *arena, struct metadata *ret, bool *ok)
{
    ret->type = m->type;
    ret->name = arena_span(arena, m->name, ok);
    ret->unit = arena_span(arena, m->unit, ok);
    ret->help = arena_span(arena, m->help, ok);
}

static int list_locked(const struct families *f, struct span name, struct arena *arena, struct metadata **ret,
                       size_t *ret_n)
{
    const struct family *one = name.len ? strmap_get(&f->by_name, name) : NULL;
    size_t n = name.len ? one != NULL : f->by_name.used, given = 0, at = 0;
    struct metadata *list = arena_array(arena, n, sizeof *list);
    bool ok = list != NULL;
    if (ok && one)
        give(&one->metadata, arena, &list[given++], &ok);
    struct span key;
    void *family;
    while (ok && name.len == 0 && strmap_next(&f->by_name, &at, &key, &family))
        give(&((const struct family *)family)->metadata, arena, &list[given++], &ok);
    if (!ok)
        return -ENOMEM;
    qsort(list, n, sizeof *list, by_name);
    *ret = list;
    *ret_n = n;
    return 0;
}

int families_list(struct families *f, struct span name, struct arena *arena, struct metadata **ret, size_t *ret_n)
{
    pthread_mutex_lock(&f->lock);
    int r = list_locked(f, name, arena, ret, ret_n);
    pthread_mutex_unlock(&f->lock);
    return r;
}
