/* arena.h - memory by lifetime: one arena per request, tick or query, freed or reset at once.
 *
 *   struct arena a;
 *   arena_init(&a, QUERY_BYTES_MAX);
 *   char *name = arena_dup(&a, span);      // NULL when over the limit or out of memory
 *   arena_reset(&a);                       // all of it gone, the first block kept
 *   arena_done(&a);
 *
 * Memory is zeroed, aligned to 16. After a reset old memory is poisoned under ASan. Not thread-safe. */
#pragma once

#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

struct arena_block;
struct arena {
    struct arena_block *block; /* newest first */
    size_t used_bytes, max_bytes;
};

void arena_init(struct arena *a, size_t max_bytes);
void arena_done(struct arena *a);
void arena_reset(struct arena *a);
/* n zeroed bytes (n = 0 gives a valid pointer); NULL: over max_bytes or no memory. */
void *arena_alloc(struct arena *a, size_t n);
/* The same, not zeroed: for what is written over at once. */
void *arena_room(struct arena *a, size_t n);
/* count * size with overflow check. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* A NUL-terminated copy. */
char *arena_dup(struct arena *a, struct span s);
/* The same as a span (empty span in, empty span out). *ok is set to false (never to true) without memory. */
struct span arena_span(struct arena *a, struct span s, bool *ok);
char *arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);
