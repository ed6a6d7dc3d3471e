/* har_read.h - a HAR 1.2 recording as plain data: the exchanges in the order in which they started.
 *
 *   struct har_file f;
 *   r = har_read(&arena, text, "shop.har", &f, &problems);
 *   for (size_t i = 0; i < f.n; i++) use(&f.exchanges[i]);
 *
 * Spans point into the text or the arena. A body that is not there (browsers leave some out) is empty. What an exchange lacks
 * (no URL, no start) makes it one that is left out and counted, not an error: recordings of real browsers have them. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/problem.h"

struct har_header {
    struct span name, value;
};
struct har_exchange {
    int64_t start_us, end_us; /* since the epoch */
    struct span method, url;
    struct har_header *headers, *answer_headers;
    size_t n_headers, n_answer_headers;
    struct span post_type, post; /* the body sent */
    int status;                  /* 0: no answer */
    struct span type;            /* media type of the answer, with its parameters */
    struct span body;            /* decoded */
    bool from_cache;
};
struct har_file {
    struct har_exchange *exchanges;
    size_t n;
    size_t unusable; /* entries without a URL or a time, and those beyond HAR_ENTRIES_MAX */
};

/* -EINVAL: no JSON or no HAR (a problem was added); -ENOMEM. */
MUST_USE int har_read(struct arena *a, struct span text, const char *name, struct har_file *ret, struct problems *ps);
/* The first header of that name; empty when there is none. */
struct span har_header(const struct har_header *headers, size_t n, const char *name);
