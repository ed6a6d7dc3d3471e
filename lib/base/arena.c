#include "lib/base/arena.h"

#include <assert.h>
#include <malloc.h>
#include <stdarg.h>
#include <string.h>

#include "lib/base/number.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN 16u
#define FIRST_BLOCK_BYTES 4096u
#define LARGEST_BLOCK_BYTES (1u << 20) /* larger ones only for one larger allocation */
/* Who used that much gives it back to the system: the allocator keeps what is freed, and each thread's share of it, for ever. */
#define TRIM_BYTES (64u << 20)

/* used_bytes counts what callers asked for, rounded up to ALIGN; blocks are counted by that, not by their
 * size. */
struct arena_block {
    struct arena_block *older;
    size_t size, used; /* of bytes[] */
    _Alignas(ALIGN) char bytes[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max_bytes = max_bytes};
}

static void free_blocks(struct arena_block *b)
{
    while (b) {
        struct arena_block *older = b->older;
        UNPOISON(b->bytes, b->size);
        free(b);
        b = older;
    }
}

void arena_done(struct arena *a)
{
    free_blocks(a->block);
    if (a->used_bytes >= TRIM_BYTES)
        (void)malloc_trim(0);
    arena_init(a, a->max_bytes);
}

void arena_reset(struct arena *a)
{
    struct arena_block *first = a->block;
    if (!first)
        return;
    struct arena_block *newer = NULL;
    while (first->older) { /* the oldest block is the one kept: a later giant one must not stay */
        struct arena_block *older = first->older;
        first->older = newer;
        newer = first;
        first = older;
    }
    free_blocks(newer);
    first->used = 0;
    POISON(first->bytes, first->size);
    a->block = first;
    a->used_bytes = 0;
}

static struct arena_block *add_block(struct arena *a, size_t n)
{
    size_t size = a->block ? a->block->size : FIRST_BLOCK_BYTES / 2;
    size = size >= LARGEST_BLOCK_BYTES / 2 ? LARGEST_BLOCK_BYTES : size * 2;
    if (size < n)
        size = n;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->size = size;
    b->used = 0;
    b->older = a->block;
    POISON(b->bytes, b->size);
    a->block = b;
    return b;
}

void *arena_room(struct arena *a, size_t n)
{
    size_t need = n ? n : 1;
    if (need > SIZE_MAX - ALIGN)
        return NULL;
    need = (need + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (need > a->max_bytes || a->used_bytes > a->max_bytes - need)
        return NULL;
    struct arena_block *b = a->block;
    if (!b || b->size - b->used < need) {
        b = add_block(a, need);
        if (!b)
            return NULL;
    }
    char *p = b->bytes + b->used;
    UNPOISON(p, n ? n : 1); /* the rounding stays poisoned: an overrun by one is found */
    b->used += need;
    a->used_bytes += need;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    void *p = arena_room(a, n);
    return p ? memset(p, 0, n ? n : 1) : NULL;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    return size_mul(count, size, &n) < 0 ? NULL : arena_alloc(a, n);
}

char *arena_dup(struct arena *a, struct span s)
{
    char *p = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;
    if (p && s.len)
        memcpy(p, s.ptr, s.len);
    return p;
}

struct span arena_span(struct arena *a, struct span s, bool *ok)
{
    if (s.len == 0)
        return (struct span){NULL, 0};
    char *p = arena_alloc(a, s.len);
    if (!p) {
        *ok = false;
        return (struct span){NULL, 0};
    }
    memcpy(p, s.ptr, s.len);
    return (struct span){p, s.len};
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return p;
}
