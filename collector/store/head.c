#include "collector/store/head.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SLAB_BYTES (256u << 10)
#define HISTOGRAM_LOAD_BYTES 64u /* of histograms count as much as a sample: 64 MB are a full head */
#define BLOCK_FIRST 4u
#define BLOCK_LEAST 2u
#define BLOCK_MAX 2048u
#define LANE_BIT 0x80000000u
static_assert(SERIES_LIMIT <= LANE_BIT, "an id and a lane share 32 bits");

/* Slabs come from the kernel directly: a released head's memory goes back at once. */
struct head_slab {
    struct head_slab *older;
    size_t bytes, used;
};
/* In memory: the block, bits[cap], starts[cap] if has_starts, offset[cap], seq[cap]. Readers look at n, the arrays below n and
 * what never changes; sorted is the writer's. None in a chain is empty. */
struct head_block {
    struct head_block *older;
    int64_t base_ms;    /* the first sample's time, */
    uint32_t first_seq; /* and its commit: seq[] counts from here */
    atomic_uint n;
    uint16_t cap;
    bool has_starts, sorted;
};

static uint64_t *block_bits(const struct head_block *b)
{
    return (uint64_t *)(b + 1);
}
static int64_t *block_starts(const struct head_block *b)
{
    return b->has_starts ? (int64_t *)(block_bits(b) + b->cap) : NULL;
}
static int32_t *block_offsets(const struct head_block *b)
{
    return (int32_t *)(block_bits(b) + (size_t)b->cap * (b->has_starts ? 2 : 1));
}
/* Atomic, because an undone commit's numbers are written over while readers may compare with them; either is too new for them. */
static _Atomic uint16_t *block_seqs(const struct head_block *b)
{
    return (_Atomic uint16_t *)(block_offsets(b) + b->cap);
}
#define ITEM_BYTES (sizeof(uint64_t) + sizeof(int32_t) + sizeof(uint16_t))

int head_new(struct head **ret)
{
    struct head *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    atomic_init(&h->holders, 1);
    h->min_ms = INT64_MAX;
    h->max_ms = INT64_MIN;
    *ret = h;
    return 0;
}

void head_hold(struct head *h)
{
    atomic_fetch_add_explicit(&h->holders, 1, memory_order_relaxed);
}

void head_release(struct head *h)
{
    if (!h || atomic_fetch_sub_explicit(&h->holders, 1, memory_order_acq_rel) != 1)
        return;
    for (struct head_slab *s = h->slab; s;) {
        struct head_slab *older = s->older;
        munmap(s, s->bytes);
        s = older;
    }
    for (size_t i = 0; i < SERIES_LIMIT / HEAD_SEGMENT; i++)
        free(atomic_load_explicit(&h->segments[i], memory_order_relaxed));
    histogram_head_free(atomic_load_explicit(&h->histograms, memory_order_relaxed));
    free(h->appended);
    free(h);
}

static struct histogram_head *histograms_of(const struct head *h)
{
    return atomic_load_explicit(&h->histograms, memory_order_acquire);
}

/* ---- the writer ---- */
static struct head_chain *chain_at(const struct head *h, uint32_t id)
{
    struct head_chain *segment = atomic_load_explicit(&h->segments[id / HEAD_SEGMENT], memory_order_acquire);
    return segment ? &segment[id % HEAD_SEGMENT] : NULL;
}

static struct head_chain *chain_make(struct head *h, uint32_t id)
{
    struct head_chain *segment = atomic_load_explicit(&h->segments[id / HEAD_SEGMENT], memory_order_relaxed);
    if (!segment) {
        segment = calloc(HEAD_SEGMENT, sizeof *segment);
        if (!segment)
            return NULL;
        h->bytes += HEAD_SEGMENT * sizeof *segment;
        atomic_store_explicit(&h->segments[id / HEAD_SEGMENT], segment, memory_order_release);
    }
    return &segment[id % HEAD_SEGMENT];
}

static void *slab_room(struct head *h, size_t n)
{
    n = (n + 7) & ~(size_t)7;
    if (!h->slab || h->slab->bytes - h->slab->used < n) {
        struct head_slab *s = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (s == MAP_FAILED)
            return NULL;
        (void)madvise(s, SLAB_BYTES,
                      MADV_POPULATE_WRITE); /* all of it will be written: at once costs half of page by page */
        *s = (struct head_slab){h->slab, SLAB_BYTES, sizeof *s};
        h->slab = s;
        h->bytes += SLAB_BYTES;
    }
    void *p = (char *)h->slab + h->slab->used;
    h->slab->used += n;
    return p;
}

static struct head_block *newest_of(const struct head_chain *c, unsigned lane)
{
    return atomic_load_explicit(&c->newest[lane], memory_order_relaxed);
}

static unsigned count_of(const struct head_block *b)
{
    return atomic_load_explicit(&b->n, memory_order_relaxed);
}

/* A little more than the block before held: what is unused of the last one costs as much as the headers of many small ones, and with a
 * million series of some thirty samples it is what a series costs. Few at first: the next head begins while the one before is whole. */
static struct head_block *block_make(struct head *h, const struct head_block *before, const struct sample *s,
                                     uint32_t seq)
{
    unsigned cap = BLOCK_FIRST;
    if (before && count_of(before) < before->cap) { /* something in it did not fit: perhaps it never does */
        cap = count_of(before) > BLOCK_LEAST ? count_of(before) : BLOCK_LEAST;
    } else if (before) {
        unsigned more = before->cap < 12 ? 4 : before->cap < 16 ? 2 : before->cap / 8u;
        cap = before->cap + more > BLOCK_MAX ? BLOCK_MAX : before->cap + more;
    }
    bool has_starts = s->start_ms != 0;
    struct head_block *b = slab_room(h, sizeof *b + cap * (ITEM_BYTES + (has_starts ? sizeof(int64_t) : 0)));
    if (!b)
        return NULL;
    b->base_ms = s->t_ms;
    b->first_seq = seq;
    b->cap = (uint16_t)cap;
    b->has_starts = has_starts;
    b->sorted = true;
    atomic_init(&b->n, 0);
    return b;
}

static bool fits(const struct head_block *b, const struct sample *s, uint32_t seq)
{
    uint64_t offset = (uint64_t)s->t_ms - (uint64_t)b->base_ms;
    return count_of(b) < b->cap && (b->has_starts || s->start_ms == 0) && offset + INT32_MAX <= UINT32_MAX - 1 &&
           seq - b->first_seq <= UINT16_MAX;
}

static int64_t time_at(const struct head_block *b, unsigned i)
{
    return (int64_t)((uint64_t)b->base_ms + (uint64_t)block_offsets(b)[i]);
}

/* Of a block of lane 0 its latest. */
static int64_t last_ms(const struct head_block *b)
{
    return time_at(b, count_of(b) - 1);
}

static bool remember(struct head *h, uint32_t id, unsigned lane)
{
    if (h->n_appended == h->appended_cap) {
        size_t cap = h->appended_cap ? h->appended_cap * 2 : 4096;
        uint32_t *appended = realloc(h->appended, cap * sizeof *appended);
        if (!appended)
            return false;
        h->appended = appended;
        h->appended_cap = cap;
    }
    h->appended[h->n_appended++] = id | (lane ? LANE_BIT : 0);
    return true;
}

static void put(struct head_block *b, const struct sample *s, uint32_t seq, bool late)
{
    unsigned n = count_of(b);
    if (UNLIKELY(late))
        b->sorted = b->sorted && (n == 0 || s->t_ms > last_ms(b));
    block_bits(b)[n] = f64_bits(s->value);
    if (b->has_starts)
        block_starts(b)[n] = s->start_ms;
    block_offsets(b)[n] = (int32_t)((uint64_t)s->t_ms - (uint64_t)b->base_ms);
    atomic_store_explicit(&block_seqs(b)[n], (uint16_t)(seq - b->first_seq), memory_order_relaxed);
    atomic_store_explicit(&b->n, n + 1, memory_order_release);
}

int head_append(struct head *h, uint32_t id, const struct sample *s, uint32_t seq)
{
    struct head_chain *c = chain_make(h, id);
    if (!c)
        return -ENOMEM;
    const struct head_block *in_order = newest_of(c, 0);
    unsigned lane = in_order && s->t_ms <= last_ms(in_order) ? 1 : 0;
    struct head_block *b = newest_of(c, lane), *fresh = NULL;
    if (!b || !fits(b, s, seq)) {
        fresh = block_make(h, b, s, seq);
        if (!fresh)
            return -ENOMEM;
        fresh->older = b;
        b = fresh;
    }
    if (!remember(h, id, lane))
        return -ENOMEM;
    put(b, s, seq, lane > 0);
    if (fresh)
        atomic_store_explicit(&c->newest[lane], fresh, memory_order_release);
    h->samples++;
    if (s->t_ms < h->min_ms)
        h->min_ms = s->t_ms;
    if (s->t_ms > h->max_ms)
        h->max_ms = s->t_ms;
    return 0;
}

void head_expect(const struct head *h, uint32_t id)
{
    const struct head_chain *c = chain_at(h, id);
    if (c)
        __builtin_prefetch(newest_of(c, 0));
}

void head_expect_end(const struct head *h, uint32_t id)
{
    const struct head_chain *c = chain_at(h, id);
    const struct head_block *b = c ? newest_of(c, 0) : NULL;
    if (!b)
        return;
    unsigned n = count_of(b);
    __builtin_prefetch(&block_bits(b)[n], 1);
    __builtin_prefetch(&block_offsets(b)[n], 1);
    __builtin_prefetch(&block_seqs(b)[n], 1);
}

int head_append_histogram(struct head *h, uint32_t id, const struct histogram_item *item, uint32_t seq)
{
    struct histogram_head *histograms = histograms_of(h);
    int r = histograms ? 0 : histogram_head_new(&histograms);
    if (r < 0)
        return r;
    atomic_store_explicit(&h->histograms, histograms, memory_order_release);
    size_t before = histogram_head_bytes(histograms);
    r = histogram_head_append(histograms, id, item, seq);
    h->bytes += histogram_head_bytes(histograms) - before;
    if (r < 0)
        return r;
    h->samples++;
    h->min_ms = item->t_ms < h->min_ms ? item->t_ms : h->min_ms;
    h->max_ms = item->t_ms > h->max_ms ? item->t_ms : h->max_ms;
    return 0;
}

uint64_t head_load(const struct head *h)
{
    const struct histogram_head *histograms = histograms_of(h);
    return h->samples + (histograms ? histogram_head_bytes(histograms) / HISTOGRAM_LOAD_BYTES : 0);
}

/* First index in a sorted block's first n whose time is >= t_ms. */
static unsigned lower_bound(const struct head_block *b, unsigned n, int64_t t_ms)
{
    unsigned low = 0, high = n;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        if (time_at(b, mid) < t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool find_in_block(const struct head_block *b, int64_t t_ms, uint64_t *ret_bits)
{
    unsigned n = count_of(b), i = 0;
    if (b->sorted)
        i = lower_bound(b, n, t_ms);
    else
        while (i < n && time_at(b, i) != t_ms)
            i++;
    if (i == n || time_at(b, i) != t_ms)
        return false;
    *ret_bits = block_bits(b)[i];
    return true;
}

bool head_find(const struct head *h, uint32_t id, int64_t t_ms, uint64_t *ret_bits)
{
    const struct head_chain *c = chain_at(h, id);
    for (unsigned lane = 0; c && lane < HEAD_LANES; lane++) {
        for (const struct head_block *b = newest_of(c, lane); b; b = b->older) {
            if (lane == 0 && t_ms > last_ms(b))
                break; /* older blocks of this lane end earlier still */
            if ((lane == 1 || t_ms >= b->base_ms) && find_in_block(b, t_ms, ret_bits))
                return true;
        }
    }
    return false;
}

void head_keep(struct head *h)
{
    struct histogram_head *histograms = histograms_of(h);
    if (histograms)
        histogram_head_keep(histograms);
    h->n_appended = 0;
}

static void take_back(struct head_chain *c, unsigned lane)
{
    struct head_block *b = newest_of(c, lane);
    unsigned n = count_of(b) - 1;
    if (n == 0) { /* readers may still look into it: it stays in its slab, empty */
        atomic_store_explicit(&b->n, 0, memory_order_release);
        atomic_store_explicit(&c->newest[lane], b->older, memory_order_release);
        return;
    }
    b->sorted = true;
    for (unsigned i = 1; i < n; i++)
        b->sorted = b->sorted && time_at(b, i) > time_at(b, i - 1);
    atomic_store_explicit(&b->n, n, memory_order_release);
}

void head_undo(struct head *h)
{
    struct histogram_head *histograms = histograms_of(h);
    if (histograms)
        h->samples -= histogram_head_undo(histograms);
    while (h->n_appended) {
        uint32_t id = h->appended[--h->n_appended];
        take_back(chain_at(h, id & ~LANE_BIT), (id & LANE_BIT) != 0);
        h->samples--;
    }
}

/* ---- readers ---- */
bool head_has(const struct head *h, uint32_t id)
{
    const struct head_chain *c = chain_at(h, id);
    return (c && newest_of(c, 0)) || head_has_histograms(h, id); /* lane 1 comes after lane 0 */
}

int64_t head_newest_ms(const struct head *h, uint32_t id)
{
    const struct head_chain *c = chain_at(h, id);
    int64_t newest = c && newest_of(c, 0) ? last_ms(newest_of(c, 0)) : INT64_MIN;
    int64_t histogram = histograms_of(h) ? histogram_head_newest_ms(histograms_of(h), id) : INT64_MIN;
    return histogram > newest ? histogram : newest;
}

/* Commits have ascending numbers inside a block; numbers wrap, so they are compared by their distance (a head lives for
 * minutes, not for 2^31 commits). */
static bool is_visible(const struct head_block *b, unsigned i, uint32_t seq)
{
    return (int32_t)(b->first_seq + atomic_load_explicit(&block_seqs(b)[i], memory_order_relaxed) - seq) <= 0;
}

static unsigned visible(const struct head_block *b, uint32_t seq)
{
    unsigned low = 0, high = atomic_load_explicit(&b->n, memory_order_acquire);
    if (high && is_visible(b, high - 1, seq))
        return high;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        if (is_visible(b, mid, seq))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int give(const struct head_block *b, unsigned from, unsigned to, head_sink sink, void *ctx)
{
    const int64_t *starts = block_starts(b);
    struct head_run run = {b->base_ms, block_offsets(b) + from, block_bits(b) + from, starts ? starts + from : NULL,
                           to - from};
    return from < to ? sink(ctx, &run) : 0;
}

static int read_in_order(const struct head_block *newest, uint32_t seq, int64_t min_ms, int64_t max_ms, head_sink sink,
                         void *ctx)
{
    /* The chain leads backwards: collect the blocks of the range first, a piece of the chain at a time when it is long. */
    enum { PIECE = 64 };
    const struct head_block *piece[PIECE], *stop = NULL;
    int r = 0;
    do {
        size_t n = 0;
        for (const struct head_block *b = newest; b != stop; b = b->older) {
            if (b->base_ms > max_ms) /* the first sample's time */
                continue;
            piece[n++ % PIECE] = b;
            if (b->base_ms <= min_ms)
                break;
        }
        size_t kept = n < PIECE ? n : PIECE;
        for (size_t i = 0; r == 0 && i < kept; i++) {
            const struct head_block *b = piece[(n - 1 - i) % PIECE];
            unsigned count = visible(b, seq), from = lower_bound(b, count, min_ms);
            unsigned to = max_ms == INT64_MAX ? count : lower_bound(b, count, max_ms + 1);
            r = give(b, from, to, sink, ctx);
        }
        if (n <= PIECE)
            return r;
        stop = piece[n % PIECE];
    } while (r == 0);
    return r;
}

static int read_late(const struct head_block *newest, uint32_t seq, int64_t min_ms, int64_t max_ms, head_sink sink,
                     void *ctx)
{
    int r = 0;
    for (const struct head_block *b = newest; r == 0 && b; b = b->older) {
        unsigned count = visible(b, seq);
        for (unsigned i = 0; r == 0 && i < count;) {
            unsigned from = i;
            while (i < count && time_at(b, i) >= min_ms && time_at(b, i) <= max_ms)
                i++;
            r = give(b, from, i, sink, ctx);
            while (i < count && (time_at(b, i) < min_ms || time_at(b, i) > max_ms))
                i++;
        }
    }
    return r;
}

int head_read(const struct head *h, uint32_t id, uint32_t seq, int64_t min_ms, int64_t max_ms, head_sink sink,
              void *ctx)
{
    const struct head_chain *c = chain_at(h, id);
    if (!c)
        return 0;
    int r = read_in_order(atomic_load_explicit(&c->newest[0], memory_order_acquire), seq, min_ms, max_ms, sink, ctx);
    const struct head_block *late = atomic_load_explicit(&c->newest[1], memory_order_acquire);
    return r == 0 && late ? read_late(late, seq, min_ms, max_ms, sink, ctx) : r;
}

bool head_find_histogram(const struct head *h, uint32_t id, int64_t t_ms, struct histogram_item *ret)
{
    const struct histogram_head *histograms = histograms_of(h);
    return histograms && histogram_head_find(histograms, id, t_ms, ret);
}

bool head_has_histograms(const struct head *h, uint32_t id)
{
    const struct histogram_head *histograms = histograms_of(h);
    return histograms && histogram_head_has(histograms, id);
}

int head_read_histograms(const struct head *h, uint32_t id, uint32_t seq, int64_t min_ms, int64_t max_ms,
                         histogram_sink sink, void *ctx)
{
    const struct histogram_head *histograms = histograms_of(h);
    return histograms ? histogram_head_read(histograms, id, seq, min_ms, max_ms, sink, ctx) : 0;
}
