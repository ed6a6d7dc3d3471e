#include "collector/store/size.h"

#include <errno.h>
#include <stdlib.h>

#include "collector/store/histogram_extent.h"
#include "collector/store/rollup_extent.h"
#include "collector/store/series_index.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"

#define ENTRY_BYTES 4                     /* a column's line in its extent */
#define ARENA_BYTES_MAX ((size_t)2 << 30) /* texts and counts of STORE_SIZE_PAIRS_MAX pairs */

struct use { /* of one series */
    uint64_t bytes;
    uint32_t samples, log_samples;
};
struct sizing {
    struct store_size size;
    struct use *uses;
    uint32_t n_uses;
    struct strmap metrics, labels, pairs;
    struct buf key;
};

static struct use *use_of(struct sizing *z, uint32_t id)
{
    if (id >= SERIES_LIMIT)
        return NULL;
    if (id >= z->n_uses) {
        uint32_t n = id + id / 2 + 1024;
        struct use *uses = realloc(z->uses, n * sizeof *uses);
        if (!uses)
            return NULL;
        memset(uses + z->n_uses, 0, (n - z->n_uses) * sizeof *uses);
        z->uses = uses;
        z->n_uses = n;
    }
    return &z->uses[id];
}

static void on_fault(void *ctx, const struct store_fault *fault UNUSED)
{
    ((struct sizing *)ctx)->size.faults++;
}

static void span_time(struct sizing *z, int64_t min_ms, int64_t max_ms)
{
    if (min_ms < z->size.oldest_ms)
        z->size.oldest_ms = min_ms;
    if (max_ms > z->size.newest_ms)
        z->size.newest_ms = max_ms;
}

static int histograms_of(struct sizing *z, const struct extent *x)
{
    struct histogram_series at;
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        if (!histogram_extent_find(x, ord, &at))
            continue;
        struct use *use = use_of(z, extent_series_of(x->group) + ord);
        if (!use)
            return -ENOMEM;
        use->bytes += at.bytes + ENTRY_BYTES;
        use->samples += (uint32_t)at.samples;
        z->size.samples += at.samples;
    }
    return 0;
}

static int rollups_of(struct sizing *z, const struct extent *x)
{
    struct rollup_series at;
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        if (!rollup_find(x, ord, &at))
            continue;
        struct use *use = use_of(z, extent_series_of(x->group) + ord);
        if (!use)
            return -ENOMEM;
        use->bytes += at.bytes + ENTRY_BYTES;
    }
    return 0;
}

static int on_extent(void *ctx, const struct store_row *row, const struct extent *x)
{
    struct sizing *z = ctx;
    unsigned users[EXTENT_SERIES_MAX] = {0};
    struct extent_series at;
    z->size.extents++;
    z->size.extent_bytes += row->bytes;
    if (x->rollups) {
        z->size.rollup_bytes += row->bytes;
        return rollups_of(z, x);
    }
    span_time(z, x->min_ms, x->max_ms);
    if (x->histograms)
        return histograms_of(z, x);
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++)
        if (extent_find(x, ord, &at))
            users[at.times]++;
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        if (!extent_find(x, ord, &at))
            continue;
        struct use *use = use_of(z, x->group * EXTENT_SERIES_MAX + ord);
        if (!use)
            return -ENOMEM;
        use->bytes += at.values_bytes + ENTRY_BYTES + at.times_bytes / users[at.times];
        use->samples += (uint32_t)at.samples;
        z->size.samples += at.samples;
    }
    return 0;
}

static int on_sample(void *ctx, uint32_t id, const struct sample *s)
{
    struct sizing *z = ctx;
    struct use *use = use_of(z, id);
    if (!use)
        return -ENOMEM;
    use->log_samples++;
    use->samples++;
    z->size.samples++;
    z->size.log_samples++;
    span_time(z, s->t_ms, s->t_ms);
    return 0;
}

static int on_histogram(void *ctx, uint32_t id, const struct histogram_item *item)
{
    const struct sample s = {.t_ms = item->t_ms};
    return on_sample(ctx, id, &s);
}

static int on_record(void *ctx, const struct store_row *row)
{
    ((struct sizing *)ctx)->size.log_bytes += row->bytes;
    return 0;
}

/* -ENOSPC: the map is full. */
static int share_of(struct sizing *z, struct strmap *map, struct span name, struct span value, struct store_share **ret)
{
    buf_clear(&z->key);
    buf_span(&z->key, name);
    buf_char(&z->key, '\0');
    buf_span(&z->key, value);
    if (buf_error(&z->key))
        return -ENOMEM;
    struct store_share *share = strmap_get(map, buf_view(&z->key));
    if (!share) {
        bool ok = true;
        share = arena_array(&z->size.arena, 1, sizeof *share);
        if (!share)
            return -ENOMEM;
        *share = (struct store_share){.name = arena_span(&z->size.arena, name, &ok)};
        if (ok)
            share->value = arena_span(&z->size.arena, value, &ok);
        int r = ok ? strmap_put(map, buf_view(&z->key), share) : -ENOMEM;
        if (r < 0)
            return r;
    }
    *ret = share;
    return 0;
}

static void add_use(struct store_share *share, const struct use *use)
{
    share->series++;
    share->samples += use->samples;
    share->bytes += use->bytes;
}

static int on_series(void *ctx, uint32_t id, const struct labels *labels, size_t bytes UNUSED)
{
    struct sizing *z = ctx;
    struct use use = id < z->n_uses ? z->uses[id] : (struct use){0};
    struct store_share *metric, *label, *pair;
    if (z->size.log_samples)
        use.bytes += z->size.log_bytes * use.log_samples / z->size.log_samples;
    z->size.series++;
    int r = share_of(z, &z->metrics, SPAN("__name__"), labels_get(labels, SPAN("__name__")), &metric);
    if (r == -ENOSPC)
        z->size.pairs_cut++;
    else if (r == 0)
        add_use(metric, &use);
    for (size_t i = 0; (r == 0 || r == -ENOSPC) && i < labels->n; i++) {
        if (span_equal(labels->pairs[i].name, SPAN("__name__")))
            continue;
        r = share_of(z, &z->labels, labels->pairs[i].name, SPAN(""), &label);
        if (r == 0)
            add_use(label, &use);
        if (r == 0)
            r = share_of(z, &z->pairs, labels->pairs[i].name, labels->pairs[i].value, &pair);
        if (r == 0) {
            label->values += pair->series == 0;
            add_use(pair, &use);
        } else if (r == -ENOSPC) {
            z->size.pairs_cut++;
        }
    }
    return r == -ENOSPC ? 0 : r;
}

static int by_bytes(const void *a, const void *b)
{
    const struct store_share *x = *(struct store_share *const *)a, *y = *(struct store_share *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    int c = span_compare(x->name, y->name);
    return c ? c : span_compare(x->value, y->value);
}

static int list_of(struct sizing *z, const struct strmap *map, struct store_shares *ret)
{
    struct span key;
    void *value;
    size_t n = 0;
    struct store_share **list = arena_array(&z->size.arena, map->used, sizeof *list);
    if (!list)
        return -ENOMEM;
    for (size_t at = 0; strmap_next(map, &at, &key, &value);)
        list[n++] = value;
    if (n)
        qsort(list, n, sizeof *list, by_bytes);
    *ret = (struct store_shares){list, n};
    return 0;
}

static int add_files(struct store_files *f, struct sizing *z)
{
    struct store_file *files;
    size_t n;
    int r = store_files_list(f, &files, &n);
    for (size_t i = 0; r == 0 && i < n; i++)
        z->size.file_bytes += files[i].bytes;
    if (r == 0)
        z->size.files = n;
    return r;
}

int store_size(const char *dir, struct store_size *ret, char *why, size_t why_bytes)
{
    struct store_files *f = NULL;
    struct sizing z = {.size = {.oldest_ms = INT64_MAX, .newest_ms = INT64_MIN}};
    const struct store_walk walk = {&z, on_series, NULL, on_sample, on_histogram, on_record, on_extent, on_fault};
    why[0] = '\0';
    arena_init(&z.size.arena, ARENA_BYTES_MAX);
    buf_init(&z.key, 2 * LABEL_VALUE_BYTES_MAX + 2);
    strmap_init(&z.metrics, STORE_SIZE_PAIRS_MAX);
    strmap_init(&z.labels, STORE_SIZE_PAIRS_MAX);
    strmap_init(&z.pairs, STORE_SIZE_PAIRS_MAX);
    int r = store_files_open(dir, &f, why, why_bytes);
    if (r == 0)
        r = store_files_extents(f, &walk);
    if (r == 0)
        r = store_files_log(f, &walk);
    if (r == 0)
        r = store_files_series(f, &walk);
    if (r == 0)
        r = add_files(f, &z);
    if (r == 0)
        r = list_of(&z, &z.metrics, &z.size.metrics);
    if (r == 0)
        r = list_of(&z, &z.labels, &z.size.labels);
    if (r == 0)
        r = list_of(&z, &z.pairs, &z.size.pairs);
    if (r < 0 && !why[0])
        (void)snprintf(why, why_bytes, "%s: %s", dir, strerror(-r));
    store_files_close(f);
    free(z.uses);
    buf_done(&z.key);
    strmap_done(&z.metrics);
    strmap_done(&z.labels);
    strmap_done(&z.pairs);
    if (r < 0)
        arena_done(&z.size.arena);
    else
        *ret = z.size;
    return r;
}

void store_size_done(struct store_size *size)
{
    arena_done(&size->arena);
}
