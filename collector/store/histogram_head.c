#include "collector/store/histogram_head.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "collector/store/histogram_pack.h"
#include "collector/store/series_index.h"

#define SLAB_BYTES (1u << 20)
#define SEGMENT 4096u

struct slab {
    struct slab *older;
    size_t used;
};
struct node {
    struct node *older;
    int64_t t_ms, start_ms;
    int64_t max_ms; /* of this one and all older ones: where a search may end */
    uint32_t seq, n_bytes;
    uint8_t bytes[];
};
static_assert(sizeof(struct slab) + sizeof(struct node) + HISTOGRAM_PACK_BYTES_MAX <= SLAB_BYTES,
              "any histogram must fit a slab");

struct histogram_chain {
    _Atomic(struct node *) newest;
};
struct histogram_head {
    _Atomic(struct histogram_chain *) segments[SERIES_LIMIT / SEGMENT + 1];
    struct slab *slab;
    /* the writer's */
    size_t bytes;
    uint32_t *appended; /* ids since histogram_head_keep() */
    size_t n_appended, appended_cap;
};

int histogram_head_new(struct histogram_head **ret)
{
    struct histogram_head *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->bytes = sizeof *h;
    *ret = h;
    return 0;
}

void histogram_head_free(struct histogram_head *h)
{
    if (!h)
        return;
    for (struct slab *s = h->slab; s;) {
        struct slab *older = s->older;
        munmap(s, SLAB_BYTES);
        s = older;
    }
    for (size_t i = 0; i < ARRAY_LEN(h->segments); i++)
        free(atomic_load_explicit(&h->segments[i], memory_order_relaxed));
    free(h->appended);
    free(h);
}

/* ---- the writer ---- */
static struct histogram_chain *chain_at(const struct histogram_head *h, uint32_t id)
{
    struct histogram_chain *segment = atomic_load_explicit(&h->segments[id / SEGMENT], memory_order_acquire);
    return segment ? &segment[id % SEGMENT] : NULL;
}

static struct histogram_chain *chain_make(struct histogram_head *h, uint32_t id)
{
    struct histogram_chain *chain = chain_at(h, id);
    if (chain)
        return chain;
    struct histogram_chain *segment = calloc(SEGMENT, sizeof *segment);
    if (!segment)
        return NULL;
    h->bytes += SEGMENT * sizeof *segment;
    atomic_store_explicit(&h->segments[id / SEGMENT], segment, memory_order_release);
    return &segment[id % SEGMENT];
}

static void *slab_room(struct histogram_head *h, size_t n)
{
    n = (n + 7) & ~(size_t)7;
    if (!h->slab || SLAB_BYTES - h->slab->used < n) {
        struct slab *s = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (s == MAP_FAILED)
            return NULL;
        *s = (struct slab){h->slab, sizeof *s};
        h->slab = s;
        h->bytes += SLAB_BYTES;
    }
    void *p = (char *)h->slab + h->slab->used;
    h->slab->used += n;
    return p;
}

static bool remember(struct histogram_head *h, uint32_t id)
{
    if (h->n_appended == h->appended_cap) {
        size_t cap = h->appended_cap ? h->appended_cap * 2 : 256;
        uint32_t *appended = realloc(h->appended, cap * sizeof *appended);
        if (!appended)
            return false;
        h->appended = appended;
        h->appended_cap = cap;
    }
    h->appended[h->n_appended++] = id;
    return true;
}

static struct node *newest_of(const struct histogram_chain *c)
{
    return c ? atomic_load_explicit(&c->newest, memory_order_acquire) : NULL;
}

int histogram_head_append(struct histogram_head *h, uint32_t id, const struct histogram_item *item, uint32_t seq)
{
    assert(item->n_bytes <= HISTOGRAM_PACK_BYTES_MAX);
    struct histogram_chain *c = chain_make(h, id);
    struct node *node = c ? slab_room(h, sizeof *node + item->n_bytes) : NULL;
    if (!node || !remember(h, id))
        return -ENOMEM;
    struct node *older = newest_of(c);
    *node = (struct node){.older = older,
                          .t_ms = item->t_ms,
                          .start_ms = item->start_ms,
                          .max_ms = older && older->max_ms > item->t_ms ? older->max_ms : item->t_ms,
                          .seq = seq,
                          .n_bytes = (uint32_t)item->n_bytes};
    memcpy(node->bytes, item->bytes, item->n_bytes);
    atomic_store_explicit(&c->newest, node, memory_order_release);
    return 0;
}

static struct histogram_item item_of(const struct node *node)
{
    return (struct histogram_item){node->t_ms, node->start_ms, node->bytes, node->n_bytes};
}

bool histogram_head_find(const struct histogram_head *h, uint32_t id, int64_t t_ms, struct histogram_item *ret)
{
    for (const struct node *node = newest_of(chain_at(h, id)); node && node->max_ms >= t_ms; node = node->older) {
        if (node->t_ms != t_ms)
            continue;
        *ret = item_of(node);
        return true;
    }
    return false;
}

bool histogram_head_has(const struct histogram_head *h, uint32_t id)
{
    return newest_of(chain_at(h, id)) != NULL;
}

int64_t histogram_head_newest_ms(const struct histogram_head *h, uint32_t id)
{
    const struct node *node = newest_of(chain_at(h, id));
    return node ? node->max_ms : INT64_MIN;
}

void histogram_head_keep(struct histogram_head *h)
{
    h->n_appended = 0;
}

size_t histogram_head_undo(struct histogram_head *h)
{
    size_t n = h->n_appended;
    while (
        h->n_appended) { /* the memory stays in its slab: a reader may be looking at it, and leaves it for its number */
        struct histogram_chain *c = chain_at(h, h->appended[--h->n_appended]);
        atomic_store_explicit(&c->newest, newest_of(c)->older, memory_order_release);
    }
    return n;
}

size_t histogram_head_bytes(const struct histogram_head *h)
{
    return h->bytes;
}

/* ---- readers ---- */
static bool is_wanted(const struct node *node, uint32_t seq, int64_t min_ms, int64_t max_ms)
{
    return (int32_t)(node->seq - seq) <= 0 && node->t_ms >= min_ms && node->t_ms <= max_ms; /* as head.c's visible() */
}

int histogram_head_read(const struct histogram_head *h, uint32_t id, uint32_t seq, int64_t min_ms, int64_t max_ms,
                        histogram_sink sink, void *ctx)
{
    /* The chain leads backwards: pieces of it are turned round. */
    enum { PIECE = 64 };
    const struct node *piece[PIECE], *newest = newest_of(chain_at(h, id)), *stop = NULL;
    int r = 0;
    do {
        size_t n = 0;
        for (const struct node *node = newest; node != stop && node->max_ms >= min_ms; node = node->older)
            if (is_wanted(node, seq, min_ms, max_ms))
                piece[n++ % PIECE] = node;
        size_t kept = n < PIECE ? n : PIECE;
        for (size_t i = 0; r == 0 && i < kept; i++) {
            struct histogram_item item = item_of(piece[(n - 1 - i) % PIECE]);
            r = sink(ctx, &item);
        }
        if (n <= PIECE)
            return r;
        stop = piece[n % PIECE];
    } while (r == 0);
    return r;
}
