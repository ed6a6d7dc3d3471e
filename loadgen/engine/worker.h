/* worker.h - one thread of a run: its own connections, users, arrivals and counters; nothing is shared but a few flags.
 *
 *   struct worker *w;
 *   r = worker_new(&config, index, start_us, &w);
 *   thread_start("load-0", worker_main, w, &t);
 *   struct stats_set *part = worker_swap(w, empty);      // each second: the interval's counters against empty ones
 *   worker_stop(w);                                       // no more sessions; running ones finish within the grace time
 *   worker_abort(w);                                      // at once
 *   thread_join(t); rest = worker_take(w); worker_free(w);
 *
 * A loop turn: start what is due, wake who is due, hand over counters when asked, wait for the network until the next of these. */
#pragma once

#include <stdatomic.h>

#include "loadgen/engine/config.h"
#include "loadgen/engine/stats.h"
#include "loadgen/engine/user.h"
#include "lib/base/limits.h"

#define WORKER_TURN_US 20000 /* the flags are looked at this often */

enum worker_phase { WORKER_RUNNING, WORKER_STOPPING, WORKER_ABORTING };

/* A class of traffic in this worker. */
struct worker_traffic {
    const struct traffic_class *of;
    double think_scale;
    bool looping; /* users start their next session when the one before is over; else there are arrivals */
    struct arrivals arrivals;
    bool arrivals_over;
    int64_t next_arrival_us; /* from the epoch of mono_us; valid unless arrivals_over */
    int64_t *waiting;        /* ring of intended times: arrivals that wait for one of the users */
    size_t waiting_at, waiting_n, waiting_cap;
    unsigned users, open_max, open;
    uint64_t sessions_left; /* looping */
    int64_t end_us;         /* looping: no session starts after it */
    int64_t late_us;        /* what is due and has not started by then is dropped */
    struct user *free_users;
};
/* A number that only the worker's own thread changes: others may look at it any time, and no bus is locked for them. */
static inline void worker_count(_Atomic unsigned *n, int change)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + (unsigned)change, memory_order_relaxed);
}

struct worker {
    const struct run_config *config;
    unsigned index;
    int64_t start_us; /* mono_us of second 0 of the plan */
    struct conn_engine *engine;
    struct rng rng;
    struct arena
        scratch; /* while a step is written, or its answer looked at: nothing in it outlives a call into user.c */
    struct stats_set *stats;             /* the worker's */
    _Atomic(struct stats_set *) offered; /* empty ones from the outside */
    _Atomic(struct stats_set *) handed;  /* full ones for the outside */
    _Atomic int phase;
    _Atomic bool over;                /* the loop has ended */
    _Atomic int error;                /* why it ended early */
    _Atomic unsigned open, in_flight; /* for the live line */

    struct user **heap; /* waiting users, the next due first */
    size_t heap_n, heap_cap;
    struct user *all_users;
    struct worker_traffic *traffic;
    size_t n_traffic;
    struct traffic_class whole; /* when the configuration names no classes */
    int64_t cut_us; /* when unfinished sessions are cut and nothing starts any more; INT64_MAX: not yet known */
    double money_tokens;
    int64_t money_us;
};
MUST_USE int worker_new(const struct run_config *config, unsigned index, int64_t start_us, struct worker **ret);
void worker_free(struct worker *w);
void worker_main(void *w);
void worker_stop(struct worker *w);
void worker_abort(struct worker *w);
/* Ask for the counters so far: gives `empty` away and takes them. NULL when the worker has ended (take the rest with worker_take): then
 * empty stays the caller's. */
struct stats_set *worker_swap(struct worker *w, struct stats_set *empty);
/* After its thread was joined: the counters that are left; the caller frees. */
struct stats_set *worker_take(struct worker *w);

/* ---- for user.c ---- */
/* Wake the user at that time. -ENOMEM. */
MUST_USE int worker_schedule(struct worker *w, struct user *u, int64_t due_us);
enum session_end { SESSION_COMPLETED, SESSION_FAILED, SESSION_UNFINISHED, SESSION_CAPPED };
void worker_session_over(struct worker *w, struct user *u, enum session_end how);
/* May a @money step go now? */
bool worker_money_allowed(struct worker *w, int64_t now_us);
/* The phase of the run that a time belongs to: an index into the worker's stats. */
size_t worker_phase_at(const struct worker *w, int64_t at_us);
