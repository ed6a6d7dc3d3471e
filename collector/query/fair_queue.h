/* fair_queue.h - a bounded queue that serves origins in turn: whoever asks much waits behind himself, not before others.
 *
 *   fair_queue_init(&q, QUERY_QUEUE_MAX);
 *   r = fair_queue_push(&q, SPAN("192.0.2.7"), &job->entry);      // -EAGAIN: full
 *   struct fair_entry *e = fair_queue_pop(&q);                    // NULL: empty
 *   fair_queue_remove(&q, &job->entry);                           // one that waits
 *   fair_queue_done(&q);
 *
 * Entries are embedded in the jobs and owned by the caller. Origins exist while they have entries. Not thread-safe: the
 * engine's lock is around it. */
#pragma once

#include <stddef.h>

#include "lib/base/hash.h"

struct fair_origin;
struct fair_entry {
    struct fair_origin *origin; /* NULL: not in a queue */
    struct fair_entry *before, *behind;
};
struct fair_queue {
    struct strmap origins;
    struct fair_origin *turn; /* a ring; whose turn it is */
    size_t n, max;
};
void fair_queue_init(struct fair_queue *q, size_t max);
/* The queue must be empty. */
void fair_queue_done(struct fair_queue *q);
/* -EAGAIN: full; -ENOMEM. */
MUST_USE int fair_queue_push(struct fair_queue *q, struct span origin, struct fair_entry *e);
struct fair_entry *fair_queue_pop(struct fair_queue *q);
/* Nothing happens when it is in no queue. */
void fair_queue_remove(struct fair_queue *q, struct fair_entry *e);
