/* thread.h - the only way to start a thread, and the only way between two of them.
 *
 *   struct thread *t;
 *   r = thread_start("writer", writer_main, w, &t);     // the name shows in top -H and in core dumps
 *   thread_join(t);                                      // frees t
 *
 *   struct queue *q;
 *   r = queue_new(WRITE_QUEUE_MAX, &q);
 *   r = queue_push(q, item);                             // -EAGAIN: full, the caller decides and counts; -ESHUTDOWN
 *   n = queue_pop_all(q, items, 64, timeout_us);         // consumer
 *   queue_close(q); ...drain...; queue_free(q);
 *
 * Threads start with all signals blocked (the main thread handles them). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"

struct thread;
MUST_USE int thread_start(const char *name, void (*fn)(void *arg), void *arg, struct thread **ret);
void thread_join(struct thread *t); /* NULL is fine */
/* Lower the calling thread's CPU priority (compactor, batch work). */
void thread_nice(int increment);
int thread_cpu_count(void); /* CPUs this process may use, >= 1 */

/* A bounded FIFO of pointers: many producers, many consumers. */
struct queue;
MUST_USE int queue_new(size_t max_items, struct queue **ret);
void queue_free(struct queue *q); /* the items left are not touched: drain first */
MUST_USE int queue_push(struct queue *q, void *item);
/* Wait for space instead of -EAGAIN. -ESHUTDOWN after close. */
MUST_USE int queue_push_wait(struct queue *q, void *item);
/* Up to max items, waiting up to timeout_us (<0: for ever, 0: not at all) for the first. 0: none came, or closed
 * and empty. */
size_t queue_pop_all(struct queue *q, void **items, size_t max, int64_t timeout_us);
/* No more pushes; consumers are woken. */
void queue_close(struct queue *q);
bool queue_is_closed(struct queue *q);
size_t queue_depth(struct queue *q);
