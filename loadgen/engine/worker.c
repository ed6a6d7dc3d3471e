#include "loadgen/engine/worker.h"

#include <errno.h>
#include <sys/prctl.h>

#include "lib/base/clock.h"
#include "lib/base/thread.h"

#define DROPS_PER_TURN 100000u /* then the counters are handed over */
#define STARTS_PER_TURN 1000u  /* then the network has a turn: a late generator must not starve its answers */

static void on_response(void *user, const struct conn_response *response)
{
    user_response(user, response);
}

/* This worker's part of a number that all share. */
static unsigned share(unsigned total, unsigned index, unsigned n)
{
    return total / n + (index < total % n);
}

int worker_new(const struct run_config *config, unsigned index, int64_t start_us, struct worker **ret)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->config = config;
    w->index = index;
    w->start_us = start_us;
    w->users = share(config->users, index, config->threads);
    w->open_max = share(config->open_max, index, config->threads);
    w->cut_us = INT64_MAX;
    if (config->plan) /* a generator that is behind its plan ends all the same */
        w->cut_us = start_us + (int64_t)(config->plan->seconds * 1e6) + config->grace_ms * 1000;
    w->end_us = config->duration_ms ? start_us + config->duration_ms * 1000 : INT64_MAX;
    w->sessions_left = UINT64_MAX;
    if (config->sessions_max)
        w->sessions_left = config->sessions_max / config->threads + (index < config->sessions_max % config->threads);
    rng_seed(&w->rng, config->seed * 1000003 + index);
    struct conn_config conn = {.on_response = on_response, .user_agent = "crest-loadgen", .ca_file = config->ca_file};
    int r = stats_new(config->journeys->n_steps, &w->stats);
    if (r == 0)
        r = conn_engine_new(config->driver ? config->driver : &CONN_HTTP1, &conn, &w->engine);
    if (r < 0) {
        worker_free(w);
        return r;
    }
    w->arrivals_over = !config->plan;
    if (config->plan)
        arrivals_init(&w->arrivals, config->plan, index, config->threads, &w->rng, config->sessions_max);
    *ret = w;
    return 0;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    while (w->all_users) {
        struct user *u = w->all_users;
        w->all_users = u->older;
        user_free(u);
    }
    conn_engine_free(w->engine);
    stats_free(w->stats);
    stats_free(atomic_load(&w->offered));
    stats_free(atomic_load(&w->handed));
    free(w->heap);
    free(w->waiting);
    free(w);
}

/* ---- who waits: a binary heap by due time ---- */

static void place(struct worker *w, struct user *u, size_t at)
{
    w->heap[at] = u;
    u->heap_at = at;
}

static void sift_up(struct worker *w, struct user *u, size_t at)
{
    for (; at > 0 && w->heap[(at - 1) / 2]->due_us > u->due_us; at = (at - 1) / 2)
        place(w, w->heap[(at - 1) / 2], at);
    place(w, u, at);
}

int worker_schedule(struct worker *w, struct user *u, int64_t due_us)
{
    if (w->heap_n == w->heap_cap) {
        size_t cap = w->heap_cap ? w->heap_cap * 2 : 64;
        struct user **heap = realloc(w->heap, cap * sizeof *heap);
        if (!heap)
            return -ENOMEM;
        w->heap = heap;
        w->heap_cap = cap;
    }
    u->due_us = due_us;
    sift_up(w, u, w->heap_n++);
    return 0;
}

static struct user *pop_waiting(struct worker *w)
{
    struct user *first = w->heap[0], *last = w->heap[--w->heap_n];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= w->heap_n)
            break;
        if (child + 1 < w->heap_n && w->heap[child + 1]->due_us < w->heap[child]->due_us)
            child++;
        if (w->heap[child]->due_us >= last->due_us)
            break;
        place(w, w->heap[child], at);
        at = child;
    }
    if (w->heap_n)
        place(w, last, at);
    return first;
}

void worker_lag(struct worker *w, int64_t lag_us)
{
    hdr_record(w->stats->lag, lag_us > 0 ? lag_us : 0);
}

bool worker_money_allowed(struct worker *w, int64_t now_us)
{
    double rate = w->config->money_rate / w->config->threads;
    if (w->config->money_rate <= 0)
        return true;
    double burst = rate > 1 ? rate : 1;
    if (w->money_us == 0)
        w->money_tokens = burst;
    else
        w->money_tokens += rate * (double)(now_us - w->money_us) / 1e6;
    if (w->money_tokens > burst)
        w->money_tokens = burst;
    w->money_us = now_us;
    if (w->money_tokens < 1)
        return false;
    w->money_tokens -= 1;
    return true;
}

/* ---- sessions ---- */

static bool is_looping(const struct worker *w)
{
    return !w->config->plan;
}

static struct user *take_user(struct worker *w)
{
    struct user *u = w->free_users;
    if (u) {
        w->free_users = u->next;
        return u;
    }
    if (user_new(w, &u) < 0)
        return NULL;
    u->older = w->all_users;
    if (w->all_users)
        w->all_users->newer = u;
    w->all_users = u;
    return u;
}

static void give_user(struct worker *w, struct user *u)
{
    u->state = USER_IDLE;
    u->next = w->free_users;
    w->free_users = u;
}

static void drop_session(struct worker *w, const struct journey *j)
{
    w->stats->sessions.dropped++;
    w->stats->requests.dropped += j->file->n_entries;
}

/* A session on this user. false: it was dropped, the user is free again. */
static bool start_session(struct worker *w, struct user *u, int64_t intended_us, int64_t ready_us)
{
    const struct journey *j = journeys_pick(w->config->journeys, &w->rng);
    w->stats->sessions.planned++;
    atomic_fetch_add_explicit(&w->open, 1, memory_order_relaxed);
    int r = user_start(u, j, intended_us, ready_us);
    if (r == 0)
        return true;
    atomic_fetch_sub_explicit(&w->open, 1, memory_order_relaxed);
    drop_session(w, j);
    give_user(w, u);
    return false;
}

static unsigned open_sessions(const struct worker *w)
{
    return atomic_load_explicit(&w->open, memory_order_relaxed);
}

static void session_dropped(struct worker *w)
{
    w->stats->sessions.planned++;
    drop_session(w, journeys_pick(w->config->journeys, &w->rng));
}

/* An arrival finds all users busy: it waits, and its wait counts as response time. */
static void queue_arrival(struct worker *w, int64_t intended_us)
{
    if (w->waiting_n == w->waiting_cap) {
        size_t cap = w->waiting_cap ? w->waiting_cap * 2 : 1024;
        int64_t *ring = cap <= WAITING_ARRIVALS_MAX ? malloc(cap * sizeof *ring) : NULL;
        if (!ring) {
            session_dropped(w);
            return;
        }
        for (size_t i = 0; i < w->waiting_n; i++)
            ring[i] = w->waiting[(w->waiting_at + i) % w->waiting_cap];
        free(w->waiting);
        w->waiting = ring;
        w->waiting_cap = cap;
        w->waiting_at = 0;
    }
    w->waiting[(w->waiting_at + w->waiting_n++) % w->waiting_cap] = intended_us;
}

static void arrive(struct worker *w, int64_t intended_us)
{
    if (w->users ? open_sessions(w) >= w->users : open_sessions(w) >= w->open_max) {
        if (w->users)
            queue_arrival(w, intended_us);
        else
            session_dropped(w);
        return;
    }
    struct user *u = take_user(w);
    if (!u)
        session_dropped(w);
    else
        start_session(w, u, intended_us, intended_us);
}

static int phase_of(const struct worker *w)
{
    return atomic_load_explicit(&w->phase, memory_order_relaxed);
}

void worker_session_over(struct worker *w, struct user *u, enum session_end how)
{
    uint64_t *const counters[] = {&w->stats->sessions.completed, &w->stats->sessions.failed,
                                  &w->stats->sessions.unfinished, &w->stats->sessions.capped};
    ++*counters[how];
    atomic_fetch_sub_explicit(&w->open, 1, memory_order_relaxed);
    if (w->config->users == 0) { /* a visitor goes, and its connections with it */
        conn_close(u->conn);
        u->conn = NULL;
    }
    give_user(w, u);
}

/* Users without a session and what waits for them. In this order of a turn, not when a session ends: its end may come from deep inside. */
static void give_work(struct worker *w, int64_t now_us)
{
    if (phase_of(w) != WORKER_RUNNING)
        return;
    if (!is_looping(w)) {
        while (w->waiting_n && open_sessions(w) < w->users) {
            struct user *u = take_user(w);
            if (!u)
                return;
            int64_t intended_us = w->waiting[w->waiting_at];
            w->waiting_at = (w->waiting_at + 1) % w->waiting_cap;
            w->waiting_n--;
            start_session(w, u, intended_us, now_us);
        }
        return;
    }
    unsigned starts = 0;
    while (now_us < w->end_us && w->sessions_left && open_sessions(w) < w->users && starts++ < STARTS_PER_TURN) {
        struct user *u = take_user(w);
        if (!u)
            return;
        w->sessions_left--;
        start_session(w, u, now_us, now_us);
    }
}

static void take_next_arrival(struct worker *w)
{
    int64_t at_us;
    if (arrivals_next(&w->arrivals, &at_us))
        w->next_arrival_us = w->start_us + at_us;
    else
        w->arrivals_over = true;
}

static void start_arrivals(struct worker *w, int64_t now_us)
{
    unsigned n = 0;
    while (!w->arrivals_over && w->next_arrival_us <= now_us && n++ < STARTS_PER_TURN) {
        arrive(w, w->next_arrival_us);
        take_next_arrival(w);
    }
}

static void wake_users(struct worker *w, int64_t now_us)
{
    while (w->heap_n && w->heap[0]->due_us <= now_us)
        user_timer(pop_waiting(w));
}

/* ---- the loop ---- */

static void offer_counters(struct worker *w)
{
    struct run_stats *empty = atomic_exchange(&w->offered, NULL);
    if (!empty)
        return;
    struct run_stats *full = w->stats;
    w->stats = empty;
    atomic_store(&w->handed, full);
}

/* Will another session start? */
static bool starts_more(const struct worker *w, int64_t now_us)
{
    if (phase_of(w) != WORKER_RUNNING)
        return false;
    if (is_looping(w))
        return now_us < w->end_us && w->sessions_left > 0;
    return !w->arrivals_over || w->waiting_n > 0;
}

/* Stopped early: what was due and waits for a user will not start. */
static void drop_waiting(struct worker *w)
{
    for (; w->waiting_n; w->waiting_n--)
        session_dropped(w);
    w->arrivals_over = true;
}

/* The time to start anything is over: so much of what the plan still has is dropped. */
static void drop_late(struct worker *w)
{
    for (; w->waiting_n; w->waiting_n--)
        session_dropped(w);
    for (unsigned n = 0; !w->arrivals_over && n < DROPS_PER_TURN; n++) {
        session_dropped(w);
        take_next_arrival(w);
    }
}

static void cut_sessions(struct worker *w)
{
    w->heap_n = 0;
    for (struct user *u = w->all_users; u; u = u->older) {
        if (u->state == USER_IDLE)
            continue;
        if (u->state == USER_IN_FLIGHT) {
            atomic_fetch_sub_explicit(&w->in_flight, 1, memory_order_relaxed);
            w->stats->requests.failed++;
        }
        conn_close(u->conn);
        u->conn = NULL;
        worker_session_over(w, u, SESSION_UNFINISHED);
    }
}

static int64_t next_turn_us(const struct worker *w, int64_t now_us)
{
    int64_t next = now_us + WORKER_TURN_US;
    if (w->heap_n && w->heap[0]->due_us < next)
        next = w->heap[0]->due_us;
    if (!is_looping(w) && !w->arrivals_over && w->next_arrival_us < next)
        next = w->next_arrival_us;
    return next;
}

void worker_main(void *arg)
{
    struct worker *w = arg;
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 us is time that we would add to every start */
    if (w->config->plan)
        take_next_arrival(w);
    int r = 0;
    int64_t now_us = mono_us();
    while (r == 0) {
        int phase = phase_of(w);
        if (phase != WORKER_RUNNING)
            drop_waiting(w);
        if (now_us >= w->cut_us) {
            cut_sessions(w);
            drop_late(w);
        } else {
            start_arrivals(w, now_us);
            wake_users(w, now_us);
            give_work(w, now_us);
        }
        offer_counters(w);
        if (!starts_more(w, now_us)) {
            int64_t grace_over_us = now_us + w->config->grace_ms * 1000;
            if (grace_over_us < w->cut_us)
                w->cut_us = grace_over_us;
            if (open_sessions(w) == 0 || phase == WORKER_ABORTING || now_us >= w->cut_us)
                break;
        }
        /* users of a loop that became free just now start in the next turn: do not sleep first */
        bool again = is_looping(w) && starts_more(w, now_us) && open_sessions(w) < w->users;
        int64_t wait_us = again ? 0 : next_turn_us(w, now_us) - mono_us();
        r = conn_engine_wait(w->engine, wait_us > 0 ? wait_us : 0);
        now_us = mono_us();
    }
    cut_sessions(w);
    atomic_store(&w->error, r);
    atomic_store(&w->over, true);
}

/* ---- from outside ---- */

void worker_stop(struct worker *w)
{
    int running = WORKER_RUNNING;
    atomic_compare_exchange_strong(&w->phase, &running, WORKER_STOPPING);
}

void worker_abort(struct worker *w)
{
    atomic_store(&w->phase, WORKER_ABORTING);
}

struct run_stats *worker_swap(struct worker *w, struct run_stats *empty)
{
    atomic_store(&w->offered, empty);
    for (;;) {
        struct run_stats *full = atomic_exchange(&w->handed, NULL);
        if (full)
            return full;
        if (atomic_load(&w->over)) { /* it may have taken the offer just before */
            full = atomic_exchange(&w->handed, NULL);
            if (!full)
                atomic_store(&w->offered, NULL);
            return full;
        }
        sleep_us(200);
    }
}

struct run_stats *worker_take(struct worker *w)
{
    struct run_stats *rest = w->stats;
    w->stats = NULL;
    return rest;
}
