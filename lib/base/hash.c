#include "lib/base/hash.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/clock.h"

static uint64_t process_seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void draw_seed(void)
{
    if (getrandom(&process_seed, sizeof process_seed, GRND_NONBLOCK) != (ssize_t)sizeof process_seed)
        process_seed = (uint64_t)mono_ns() * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&process_seed;
}

uint64_t hash_seed(void)
{
    pthread_once(&seed_once, draw_seed);
    return process_seed;
}

/* Folded 64x64->128 multiplication, the mixing step that wyhash and its kin are built on. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t load64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t load32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

#define MIX_A 0xa0761d6478bd642fu
#define MIX_B 0xe7037ed1a0b428dbu
#define MIX_C 0x8ebc6af09c88c6e3u

uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t h = seed ^ fold(seed ^ MIX_A, MIX_B), a, b;
    size_t left = n;
    while (left > 16) {
        h = fold(load64(p) ^ MIX_B, load64(p + 8) ^ h);
        p += 16;
        left -= 16;
    }
    if (n > 16) { /* the last 16 bytes, overlapping what was read: no byte loop */
        a = load64(p + left - 16);
        b = load64(p + left - 8);
    } else if (left >= 8) {
        a = load64(p);
        b = load64(p + left - 8);
    } else if (left >= 4) {
        a = load32(p);
        b = load32(p + left - 4);
    } else if (left) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
        b = 0;
    } else {
        a = b = 0;
    }
    return fold(MIX_C ^ n, fold(a ^ MIX_B, b ^ h) ^ MIX_A);
}

/* Open addressing, linear probing, deletion by shifting back: no tombstones, so a map that churns stays fast.
 */
struct strmap_entry {
    char *key; /* NULL: free slot */
    size_t key_bytes;
    uint64_t hash;
    void *value;
};

void strmap_init(struct strmap *m, size_t max_entries)
{
    *m = (struct strmap){.max = max_entries};
}

void strmap_done(struct strmap *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    strmap_init(m, m->max);
}

/* The slot that holds the key, or the free one where it belongs. The table is never full. */
static size_t slot_of(const struct strmap *m, struct span key, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);
    for (;; i = (i + 1) & (m->cap - 1)) {
        const struct strmap_entry *e = &m->slots[i];
        if (!e->key || (e->hash == hash && span_equal(key, span_of(e->key, e->key_bytes))))
            return i;
    }
}

static const struct strmap_entry *find(const struct strmap *m, struct span key)
{
    if (m->used == 0)
        return NULL;
    const struct strmap_entry *e = &m->slots[slot_of(m, key, hash_bytes(key.ptr, key.len, hash_seed()))];
    return e->key ? e : NULL;
}

void *strmap_get(const struct strmap *m, struct span key)
{
    const struct strmap_entry *e = find(m, key);
    return e ? e->value : NULL;
}

bool strmap_has(const struct strmap *m, struct span key)
{
    return find(m, key) != NULL;
}

static int grow(struct strmap *m)
{
    if (m->cap && m->used < m->cap / 4 * 3)
        return 0;
    struct strmap bigger = {.cap = m->cap ? m->cap * 2 : 16, .max = m->max, .used = m->used};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        const struct strmap_entry *e = &m->slots[i];
        if (e->key)
            bigger.slots[slot_of(&bigger, span_of(e->key, e->key_bytes), e->hash)] = *e;
    }
    free(m->slots);
    *m = bigger;
    return 0;
}

int strmap_put(struct strmap *m, struct span key, void *value)
{
    uint64_t hash = hash_bytes(key.ptr, key.len, hash_seed());
    if (m->used) {
        struct strmap_entry *e = &m->slots[slot_of(m, key, hash)];
        if (e->key) {
            e->value = value;
            return 0;
        }
    }
    if (m->used >= m->max)
        return -ENOSPC;
    int r = grow(m);
    if (r < 0)
        return r;
    char *copy = span_dup(key);
    if (!copy)
        return -ENOMEM;
    m->slots[slot_of(m, key, hash)] = (struct strmap_entry){copy, key.len, hash, value};
    m->used++;
    return 0;
}

void *strmap_remove(struct strmap *m, struct span key)
{
    if (m->used == 0)
        return NULL;
    size_t mask = m->cap - 1;
    size_t hole = slot_of(m, key, hash_bytes(key.ptr, key.len, hash_seed()));
    if (!m->slots[hole].key)
        return NULL;
    void *value = m->slots[hole].value;
    free(m->slots[hole].key);
    for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* its probe passes the hole: move it there */
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].key = NULL;
    m->used--;
    return value;
}

bool strmap_next(const struct strmap *m, size_t *at, struct span *ret_key, void **ret_value)
{
    while (*at < m->cap) {
        const struct strmap_entry *e = &m->slots[(*at)++];
        if (!e->key)
            continue;
        *ret_key = span_of(e->key, e->key_bytes);
        *ret_value = e->value;
        return true;
    }
    return false;
}
