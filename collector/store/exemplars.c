#include "collector/store/exemplars.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "collector/store/crc32c.h"
#include "collector/store/residual.h"
#include "collector/store/series_index.h"
#include "collector/store/series_key.h"
#include "collector/store/u32map.h"
#include "collector/store/varint.h"
#include "lib/base/limits.h"

#define NONE UINT32_MAX
#define LABEL_CHARACTERS_MAX 128u
#define LABEL_BYTES_MAX (8u * LABELS_MAX + 4u * LABEL_CHARACTERS_MAX) /* as a key: lengths and tags of each label */
#define ROW_BYTES_MAX (4 + 2 * VARINT_BYTES_MAX + 8)                  /* before the labels */

struct node {
    uint32_t series;
    uint32_t older, newer;   /* of the series */
    uint32_t before, behind; /* of all, by row */
    bool pending, dying;     /* of the commit being made: not there yet, not there any more */
    uint32_t next_dying;
    int64_t row, t_ms;
    uint64_t bits;
    uint8_t *key; /* labels; malloc */
    uint32_t n_key;
};
struct exemplars {
    pthread_rwlock_t lock;
    uint32_t total_max, series_max;
    struct node *nodes;
    uint32_t n_nodes, cap, free; /* free: a chain by `older` */
    uint32_t first, last;        /* of all */
    uint32_t live;               /* not dying */
    struct u32map newest;        /* series -> node, NONE: it has none any more */
    uint32_t n_series;           /* with a node */
    int64_t next_row;
    uint32_t n_pending, first_dying; /* the pending ones are the last ones */
};

int exemplars_new(uint32_t total_max, uint32_t series_max, struct exemplars **ret)
{
    struct exemplars *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    pthread_rwlock_init(&e->lock, NULL);
    e->total_max = total_max;
    e->series_max = series_max;
    e->free = e->first = e->last = e->first_dying = NONE;
    e->next_row = 1;
    *ret = e;
    return 0;
}

void exemplars_free(struct exemplars *e)
{
    if (!e)
        return;
    for (uint32_t i = e->first; i != NONE; i = e->nodes[i].behind)
        free(e->nodes[i].key);
    free(e->nodes);
    u32map_done(&e->newest);
    pthread_rwlock_destroy(&e->lock);
    free(e);
}

/* ---- the lists ---- */
static uint32_t newest_of(const struct exemplars *e, uint32_t series)
{
    uint32_t node;
    return u32map_get(&e->newest, series, &node) ? node : NONE;
}

/* Series that come and go leave their keys in the map: now and then it is made anew. */
static int tidy_map(struct exemplars *e)
{
    struct u32map fresh = {0};
    if (e->newest.used < 2 * (size_t)e->n_series + 1024)
        return 0;
    int r = 0;
    for (uint32_t i = e->first; r == 0 && i != NONE; i = e->nodes[i].behind)
        if (e->nodes[i].newer == NONE)
            r = u32map_put(&fresh, e->nodes[i].series, i);
    if (r < 0) {
        u32map_done(&fresh);
        return r;
    }
    u32map_done(&e->newest);
    e->newest = fresh;
    return 0;
}

static int new_node(struct exemplars *e, uint32_t *ret)
{
    if (e->free != NONE) {
        *ret = e->free;
        e->free = e->nodes[*ret].older;
        return 0;
    }
    if (e->n_nodes == e->cap) {
        uint32_t cap = e->cap ? e->cap * 2 : 256;
        struct node *nodes = realloc(e->nodes, cap * sizeof *nodes);
        if (!nodes)
            return -ENOMEM;
        e->nodes = nodes;
        e->cap = cap;
    }
    *ret = e->n_nodes++;
    return 0;
}

/* Takes x.key on success. */
static int link_node(struct exemplars *e, const struct node *x)
{
    uint32_t i, newest = newest_of(e, x->series);
    int r = tidy_map(e);
    if (r == 0)
        r = new_node(e, &i);
    if (r < 0)
        return r;
    r = u32map_put(&e->newest, x->series, i);
    e->nodes[i] = *x;
    if (r < 0) {
        e->nodes[i].older = e->free;
        e->free = i;
        return r;
    }
    e->nodes[i].older = newest;
    e->nodes[i].newer = e->nodes[i].behind = NONE;
    e->nodes[i].before = e->last;
    e->n_series += newest == NONE;
    if (newest != NONE)
        e->nodes[newest].newer = i;
    if (e->last != NONE)
        e->nodes[e->last].behind = i;
    else
        e->first = i;
    e->last = i;
    e->live++;
    return 0;
}

static void unlink_node(struct exemplars *e, uint32_t i)
{
    struct node *x = &e->nodes[i];
    if (x->older != NONE)
        e->nodes[x->older].newer = x->newer;
    if (x->newer != NONE) {
        e->nodes[x->newer].older = x->older;
    } else {
        u32map_set(&e->newest, x->series, x->older);
        e->n_series -= x->older == NONE;
    }
    if (x->before != NONE)
        e->nodes[x->before].behind = x->behind;
    else
        e->first = x->behind;
    if (x->behind != NONE)
        e->nodes[x->behind].before = x->before;
    else
        e->last = x->before;
    e->live -= !x->dying;
    free(x->key);
    *x = (struct node){.older = e->free};
    e->free = i;
}

static void kill_node(struct exemplars *e, uint32_t i)
{
    if (i == NONE || e->nodes[i].dying)
        return;
    e->nodes[i].dying = true;
    e->nodes[i].next_dying = e->first_dying;
    e->first_dying = i;
    e->live--;
}

/* ---- appending ---- */
static bool too_long(const struct labels *ls)
{
    size_t n = 0;
    for (size_t i = 0; i < ls->n; i++) {
        struct span both[] = {ls->pairs[i].name, ls->pairs[i].value};
        for (size_t k = 0; k < ARRAY_LEN(both); k++)
            for (size_t c = 0; c < both[k].len; c++)
                n += ((unsigned char)both[k].ptr[c] & 0xc0) != 0x80; /* bytes that begin a character */
    }
    return n > LABEL_CHARACTERS_MAX;
}

static bool same(const struct node *a, const struct node *b)
{
    return a->t_ms == b->t_ms && a->bits == b->bits && a->n_key == b->n_key &&
           (a->n_key == 0 || memcmp(a->key, b->key, a->n_key) == 0);
}

static bool is_older(const struct node *x, const struct node *newest)
{
    double value = f64_from_bits(x->bits), other = f64_from_bits(newest->bits);
    if (x->t_ms != newest->t_ms)
        return x->t_ms < newest->t_ms;
    if (value < other || value > other)
        return value < other;
    return span_compare(span_of((const char *)x->key, x->n_key), span_of((const char *)newest->key, newest->n_key)) < 0;
}

static int append(struct exemplars *e, struct node *x)
{
    uint32_t newest = newest_of(e, x->series), oldest = NONE, count = 0;
    for (uint32_t i = newest; i != NONE; i = e->nodes[i].older) {
        if (same(&e->nodes[i], x))
            return EXEMPLAR_KNOWN;
        oldest = e->nodes[i].dying ? oldest : i;
        count += !e->nodes[i].dying;
    }
    if (newest != NONE && is_older(x, &e->nodes[newest]))
        return EXEMPLAR_OUT_OF_ORDER;
    int r = link_node(e, x);
    if (r < 0)
        return r;
    e->n_pending++;
    if (count >= e->series_max)
        kill_node(e, oldest);
    for (uint32_t i = e->first; e->live > e->total_max && i != NONE; i = e->nodes[i].behind)
        kill_node(e, i);
    return EXEMPLAR_TAKEN;
}

int exemplars_append(struct exemplars *e, uint32_t series, const struct exemplar *exemplar, int64_t t_ms)
{
    struct buf key;
    size_t n_key;
    if (too_long(&exemplar->labels))
        return EXEMPLAR_TOO_LONG;
    buf_init(&key, LABEL_BYTES_MAX);
    series_key_build(&key, &exemplar->labels);
    struct node x = {.series = series, .t_ms = t_ms, .bits = f64_bits(exemplar->value), .pending = true};
    if (buf_error(&key) || !(x.key = (uint8_t *)buf_take(&key, &n_key))) {
        buf_done(&key);
        return -ENOMEM;
    }
    x.n_key = (uint32_t)n_key;
    x.row = e->next_row;
    pthread_rwlock_wrlock(&e->lock);
    int r = append(e, &x);
    pthread_rwlock_unlock(&e->lock);
    if (r == EXEMPLAR_TAKEN)
        e->next_row++;
    else
        free(x.key);
    return r;
}

void exemplars_forget(struct exemplars *e, uint32_t series, int64_t min_ms, int64_t max_ms)
{
    pthread_rwlock_wrlock(&e->lock);
    for (uint32_t i = newest_of(e, series); i != NONE; i = e->nodes[i].older)
        if (e->nodes[i].t_ms >= min_ms && e->nodes[i].t_ms <= max_ms)
            kill_node(e, i);
    pthread_rwlock_unlock(&e->lock);
}

size_t exemplars_forget_over(struct exemplars *e, bool (*is_over)(void *ctx, uint32_t series, int64_t t_ms), void *ctx,
                             size_t most)
{
    size_t n = 0;
    pthread_rwlock_wrlock(&e->lock);
    for (uint32_t i = e->first; n < most && i != NONE; i = e->nodes[i].behind) {
        if (e->nodes[i].dying || !is_over(ctx, e->nodes[i].series, e->nodes[i].t_ms))
            continue;
        kill_node(e, i);
        n++;
    }
    pthread_rwlock_unlock(&e->lock);
    return n;
}

/* ---- the table ---- */
bool exemplars_changed(const struct exemplars *e)
{
    return e->n_pending || e->first_dying != NONE;
}

static int put_row(const struct node *x, const struct exemplar_sink *sink)
{
    uint8_t bytes[ROW_BYTES_MAX + LABEL_BYTES_MAX], *p = bytes + 4;
    p = varint_put(p, x->series);
    p = put64(varint_put(p, zigzag((uint64_t)x->t_ms)), x->bits);
    memcpy(p, x->key, x->n_key);
    p += x->n_key;
    uint32_t crc = crc32c(0, bytes + 4, (size_t)(p - bytes) - 4);
    memcpy(bytes, &crc, sizeof crc);
    return sink->put(sink->ctx, x->row, span_of((const char *)bytes, (size_t)(p - bytes)));
}

int exemplars_save(struct exemplars *e, const struct exemplar_sink *sink)
{
    int r = 0;
    for (uint32_t i = e->last, n = e->n_pending; r == 0 && n > 0; i = e->nodes[i].before, n--)
        if (!e->nodes[i].dying)
            r = put_row(&e->nodes[i], sink);
    for (uint32_t i = e->first_dying; r == 0 && i != NONE; i = e->nodes[i].next_dying)
        if (!e->nodes[i].pending)
            r = sink->drop(sink->ctx, e->nodes[i].row);
    return r;
}

void exemplars_keep(struct exemplars *e)
{
    if (!exemplars_changed(e))
        return;
    pthread_rwlock_wrlock(&e->lock);
    for (uint32_t i = e->last, n = e->n_pending; n > 0; i = e->nodes[i].before, n--)
        e->nodes[i].pending = false;
    for (uint32_t i = e->first_dying, next; i != NONE; i = next) {
        next = e->nodes[i].next_dying;
        unlink_node(e, i);
    }
    e->first_dying = NONE;
    e->n_pending = 0;
    pthread_rwlock_unlock(&e->lock);
}

void exemplars_undo(struct exemplars *e)
{
    if (!exemplars_changed(e))
        return;
    pthread_rwlock_wrlock(&e->lock);
    for (uint32_t i = e->first_dying; i != NONE; i = e->nodes[i].next_dying) {
        e->nodes[i].dying = false;
        e->live++;
    }
    e->first_dying = NONE;
    for (; e->n_pending > 0; e->n_pending--)
        unlink_node(e, e->last);
    pthread_rwlock_unlock(&e->lock);
}

int exemplars_load(struct exemplars *e, int64_t row, struct span bytes, uint32_t *ret_series)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr, *end = p + bytes.len;
    struct label pairs[LABELS_MAX];
    uint32_t crc;
    uint64_t series, t;
    size_t n;
    e->next_row = row >= e->next_row && row < INT64_MAX ? row + 1 : e->next_row;
    if (bytes.len < 4)
        return -EBADMSG;
    memcpy(&crc, p, sizeof crc);
    p += 4;
    if (crc != crc32c(0, p, (size_t)(end - p)) || !varint_get(&p, end, &series) || !varint_get(&p, end, &t) ||
        end - p < 8 || (size_t)(end - p) - 8 > LABEL_BYTES_MAX || series >= SERIES_LIMIT)
        return -EBADMSG;
    struct node x = {.series = (uint32_t)series, .t_ms = (int64_t)unzigzag(t), .bits = load64(p), .row = row};
    p += 8;
    x.n_key = (uint32_t)(end - p);
    if (series_key_parse(span_of((const char *)p, x.n_key), pairs, LABELS_MAX, &n) < 0)
        return -EBADMSG;
    x.key = malloc(x.n_key + 1);
    if (!x.key)
        return -ENOMEM;
    memcpy(x.key, p, x.n_key);
    int r = link_node(e, &x);
    if (r < 0)
        free(x.key);
    else
        *ret_series = x.series;
    return r;
}

/* ---- reading ---- */
static int copy_node(const struct node *x, struct arena *arena, struct exemplar *ret)
{
    struct label pairs[LABELS_MAX];
    struct labels labels = {.pairs = pairs};
    int r = series_key_parse(span_of((const char *)x->key, x->n_key), pairs, LABELS_MAX, &labels.n);
    *ret = (struct exemplar){.t_ms = x->t_ms, .value = f64_from_bits(x->bits), .has_time = true};
    return r < 0 ? r : labels_copy(arena, &labels, &ret->labels);
}

int exemplars_list(struct exemplars *e, uint32_t series, int64_t min_ms, int64_t max_ms, struct arena *arena,
                   struct exemplar **ret, size_t *ret_n)
{
    struct exemplar *list = NULL;
    size_t n = 0, at = 0;
    int r = 0;
    pthread_rwlock_rdlock(&e->lock);
    uint32_t newest = newest_of(e, series);
    for (uint32_t i = newest; i != NONE; i = e->nodes[i].older)
        n += !e->nodes[i].pending && e->nodes[i].t_ms >= min_ms && e->nodes[i].t_ms <= max_ms;
    if (n && !(list = arena_array(arena, n, sizeof *list)))
        r = -ENOMEM;
    at = n;
    for (uint32_t i = newest; r == 0 && at > 0; i = e->nodes[i].older)
        if (!e->nodes[i].pending && e->nodes[i].t_ms >= min_ms && e->nodes[i].t_ms <= max_ms)
            r = copy_node(&e->nodes[i], arena, &list[--at]);
    pthread_rwlock_unlock(&e->lock);
    if (r < 0)
        return r;
    *ret = list;
    *ret_n = n;
    return 0;
}

uint32_t exemplars_count(struct exemplars *e)
{
    pthread_rwlock_rdlock(&e->lock);
    uint32_t n = e->live;
    pthread_rwlock_unlock(&e->lock);
    return n;
}
