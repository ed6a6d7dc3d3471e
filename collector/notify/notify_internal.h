/* notify_internal.h - the two halves of the notify room: notify.c decides what is to be told and writes rows (on the state writer's
 * thread), delivery.c sends the rows (on a loop of its own). They share the rows, counters and an eventfd. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "collector/notify/notify.h"
#include "lib/base/thread.h"
#include "lib/wire/http_client.h"

#define LATENCY_BUCKETS 14
extern const double NOTIFY_LATENCY_BOUNDS[LATENCY_BUCKETS];

enum notify_outcome { NOTIFY_DELIVERED, NOTIFY_REFUSED, NOTIFY_EXPIRED, NOTIFY_OVERFLOWED, NOTIFY_OUTCOMES };
struct notify_counters {
    atomic_uint_least64_t outcomes[NOTIFY_OUTCOMES];
    atomic_uint_least64_t attempts, retries, firing, resolved, unrouted, timed_out, state_errors;
    atomic_uint_least64_t latency_counts[LATENCY_BUCKETS + 1], latency_sum_us;
    atomic_size_t queued, in_flight;
    atomic_int_least64_t oldest_ms; /* created; 0: nothing queued */
};

enum item_state { ITEM_WAITING, ITEM_SENDING, ITEM_GONE };
struct delivery_item { /* a row without its body */
    int64_t id;
    uint64_t group; /* hash of receiver and group key: one in flight per group, in order */
    int64_t created_ms, next_ms;
    uint32_t attempts;
    enum item_state state;
};

struct notify {
    struct state *state;
    int base; /* of our statements */
    char *external_url, *user_agent;
    atomic_bool routed; /* is there a receiver? */
    int64_t timeout_ms, expire_ms, repeat_ms;
    struct notify_counters counters;

    int wake_fd;
    atomic_bool stopping;
    struct thread *thread;
    /* owned by the loop */
    struct http_client *client;
    char *url;                   /* of the receiver; NULL: none */
    struct delivery_item *items; /* by id */
    size_t n_items, cap_items, n_gone;
    int64_t last_id;
    int64_t pause_until_us; /* the receiver asked for a break, or cannot be reached */
    unsigned failures;      /* in a row: while there are some, one request at a time probes */
    uint64_t random;
    int64_t swept_wall_ms, swept_mono_us;
    bool loaded; /* are the rows of the last run in? */
    pthread_mutex_t lock;
    /* the receiver from now on, until the loop takes it */
    char *new_url;
    bool url_changed;
    /* row changes on their way to the state writer */
    pthread_cond_t idle;
    size_t outstanding;
};

/* Turn alerts into delivery rows, inside the state writer's transaction. `alerts` are those to be told; -errno. */
MUST_USE int notify_enqueue(struct notify *n, struct db *db, const struct alert **alerts, size_t count);
/* Alerts of which the rules say nothing any more are resolved; *ret_found of them. -errno. */
MUST_USE int notify_time_out(struct notify *n, int64_t now_ms, size_t *ret_found);
/* Time passed without the rules running (restart, clock step): nobody is to be timed out for that. */
MUST_USE int notify_extend_all(struct notify *n, int64_t now_ms);
void notify_wake(struct notify *n);
void notify_loop(void *arg);
