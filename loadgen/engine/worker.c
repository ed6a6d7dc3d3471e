#include "loadgen/engine/worker.h"

#include <errno.h>
#include <math.h>
#include <sys/prctl.h>

#include "lib/base/clock.h"
#include "lib/base/thread.h"

#define DROPS_PER_TURN 100000u /* then the counters are handed over */
#define STARTS_PER_TURN                                                                                                \
    200u /* then the network has a turn: a late generator must not starve its answers, nor hold more than that many half-made connections */

static void on_response(void *user, const struct conn_response *response);

/* This worker's part of a number that all share. */
static unsigned share(unsigned total, unsigned index, unsigned n)
{
    return total / n + (index < total % n);
}

static void traffic_init(struct worker *w, struct worker_traffic *t, const struct traffic_class *of)
{
    const struct run_config *c = w->config;
    unsigned segments = c->segments ? c->segments : 1;
    uint64_t worker = (uint64_t)c->segment * c->threads + w->index, workers = (uint64_t)segments * c->threads;
    *t = (struct worker_traffic){.of = of, .looping = !of->plan || of->plan->closed};
    t->think_scale = isnan(of->think_scale) ? c->think_scale : of->think_scale;
    t->users = share(of->users, (unsigned)worker, (unsigned)workers);
    t->open_max = share(c->open_max, w->index, c->threads);
    t->sessions_left = UINT64_MAX;
    if (c->sessions_max)
        t->sessions_left = c->sessions_max / workers + (worker < c->sessions_max % workers);
    t->end_us = c->duration_ms ? w->start_us + c->duration_ms * 1000 : INT64_MAX;
    t->late_us = INT64_MAX;
    t->arrivals_over = t->looping;
    if (of->plan) { /* a generator that is behind its plan ends all the same */
        t->end_us = w->start_us + (int64_t)(of->plan->seconds * 1e6);
        t->late_us = t->end_us + c->grace_ms * 1000;
    }
    if (!t->looping)
        arrivals_init(&t->arrivals, of->plan, worker, workers, &w->rng, c->sessions_max);
}

MUST_USE static int make_traffic(struct worker *w)
{
    const struct run_config *c = w->config;
    w->whole = (struct traffic_class){
        .n_journeys = c->journeys->n, .plan = c->plan, .users = c->users, .think_scale = c->think_scale};
    w->traffic = calloc(c->traffic ? c->n_traffic : 1, sizeof *w->traffic);
    if (!w->traffic)
        return -ENOMEM;
    w->n_traffic = c->traffic ? c->n_traffic : 1;
    w->cut_us = 0;
    for (size_t i = 0; i < w->n_traffic; i++) {
        struct worker_traffic *t = &w->traffic[i];
        traffic_init(w, t, c->traffic ? &c->traffic[i] : &w->whole);
        if (t->late_us > w->cut_us)
            w->cut_us = t->late_us;
    }
    return 0;
}

int worker_new(const struct run_config *config, unsigned index, int64_t start_us, struct worker **ret)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->config = config;
    w->index = index;
    w->start_us = start_us;
    arena_init(&w->scratch, STEP_BYTES_MAX);
    rng_seed(&w->rng, config->seed * 1000003 + index + (uint64_t)config->segment * 1009);
    struct conn_config conn = {.on_response = on_response, .user_agent = "crest-loadgen", .ca_file = config->ca_file};
    int r = make_traffic(w);
    if (r == 0)
        r = stats_set_new(config->phases ? config->n_phases : 1, config->journeys->n, config->journeys->n_steps,
                          &w->stats);
    if (r == 0)
        r = conn_engine_new(config->driver ? config->driver : &CONN_HTTP1, &conn, &w->engine);
    if (r < 0) {
        worker_free(w);
        return r;
    }
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
    stats_set_free(w->stats);
    stats_set_free(atomic_load(&w->offered));
    stats_set_free(atomic_load(&w->handed));
    free(w->heap);
    for (size_t i = 0; i < w->n_traffic; i++)
        free(w->traffic[i].waiting);
    free(w->traffic);
    arena_done(&w->scratch);
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

size_t worker_phase_at(const struct worker *w, int64_t at_us)
{
    const struct run_config *c = w->config;
    double second = (double)(at_us - w->start_us) / 1e6;
    size_t i = 0;
    while (i + 1 < c->n_phases && second >= c->phases[i].end_s)
        i++;
    return i;
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

static struct user *take_user(struct worker *w, struct worker_traffic *t)
{
    struct user *u = t->free_users;
    if (u) {
        t->free_users = u->next;
        return u;
    }
    if (user_new(w, t, &u) < 0)
        return NULL;
    u->older = w->all_users;
    if (w->all_users)
        w->all_users->newer = u;
    w->all_users = u;
    return u;
}

static void give_user(struct user *u)
{
    u->state = USER_IDLE;
    u->next = u->traffic->free_users;
    u->traffic->free_users = u;
}

static void count_open(struct worker *w, struct worker_traffic *t, int change)
{
    t->open += (unsigned)change;
    worker_count(&w->open, change);
}

static const struct journey *pick_journey(struct worker *w, const struct worker_traffic *t)
{
    return journeys_pick(w->config->journeys, t->of->first_journey, t->of->n_journeys, &w->rng);
}

static void count_planned(struct worker *w, const struct journey *j, int64_t intended_us)
{
    struct run_stats *s = w->stats->of[worker_phase_at(w, intended_us)];
    s->sessions.planned++;
    s->journeys[j - w->config->journeys->list].sessions.planned++;
}

static void count_dropped(struct worker *w, const struct journey *j, int64_t intended_us)
{
    struct run_stats *s = w->stats->of[worker_phase_at(w, intended_us)];
    struct journey_stats *of = &s->journeys[j - w->config->journeys->list];
    s->sessions.dropped++;
    of->sessions.dropped++;
    s->requests.dropped += j->file->n_entries;
    of->requests.dropped += j->file->n_entries;
}

/* A session on this user; without a row of its feed it is dropped and the user is free again. */
static void start_session(struct worker *w, struct user *u, int64_t intended_us, int64_t ready_us)
{
    const struct journey *j = pick_journey(w, u->traffic);
    count_planned(w, j, intended_us);
    count_open(w, u->traffic, 1);
    if (user_start(u, j, intended_us, ready_us) == 0)
        return;
    count_open(w, u->traffic, -1);
    count_dropped(w, j, intended_us);
    give_user(u);
}

static void session_dropped(struct worker *w, const struct worker_traffic *t, int64_t intended_us)
{
    const struct journey *j = pick_journey(w, t);
    count_planned(w, j, intended_us);
    count_dropped(w, j, intended_us);
}

/* An arrival finds all users busy: it waits, and its wait counts as response time. */
static void queue_arrival(struct worker *w, struct worker_traffic *t, int64_t intended_us)
{
    if (t->waiting_n == t->waiting_cap) {
        size_t cap = t->waiting_cap ? t->waiting_cap * 2 : 1024;
        int64_t *ring = cap <= WAITING_ARRIVALS_MAX ? malloc(cap * sizeof *ring) : NULL;
        if (!ring) {
            session_dropped(w, t, intended_us);
            return;
        }
        for (size_t i = 0; i < t->waiting_n; i++)
            ring[i] = t->waiting[(t->waiting_at + i) % t->waiting_cap];
        free(t->waiting);
        t->waiting = ring;
        t->waiting_cap = cap;
        t->waiting_at = 0;
    }
    t->waiting[(t->waiting_at + t->waiting_n++) % t->waiting_cap] = intended_us;
}

static int64_t take_waiting(struct worker_traffic *t)
{
    int64_t intended_us = t->waiting[t->waiting_at];
    t->waiting_at = (t->waiting_at + 1) % t->waiting_cap;
    t->waiting_n--;
    return intended_us;
}

static void arrive(struct worker *w, struct worker_traffic *t, int64_t intended_us)
{
    if (t->of->users && t->open >= t->users) {
        queue_arrival(w, t, intended_us);
        return;
    }
    struct user *u = t->of->users || t->open < t->open_max ? take_user(w, t) : NULL;
    if (!u)
        session_dropped(w, t, intended_us);
    else
        start_session(w, u, intended_us, intended_us);
}

/* How many users loop now. */
static unsigned users_now(const struct worker *w, const struct worker_traffic *t, int64_t now_us)
{
    const struct run_config *c = w->config;
    if (!t->of->plan)
        return t->users;
    double users = plan_rate(t->of->plan, (double)(now_us - w->start_us) / 1e6);
    unsigned segments = c->segments ? c->segments : 1;
    return share((unsigned)lround(users), c->segment * c->threads + w->index, segments * c->threads);
}

static int phase_of(const struct worker *w)
{
    return atomic_load_explicit(&w->phase, memory_order_relaxed);
}

void worker_session_over(struct worker *w, struct user *u, enum session_end how)
{
    struct run_stats *s = w->stats->of[u->session_phase];
    size_t journey = (size_t)(u->journey - w->config->journeys->list);
    struct session_counts *const counts[] = {&s->sessions, &s->journeys[journey].sessions};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        counts[i]->completed += how == SESSION_COMPLETED;
        counts[i]->failed += how == SESSION_FAILED;
        counts[i]->unfinished += how == SESSION_UNFINISHED;
        counts[i]->capped += how == SESSION_CAPPED;
    }
    if (how == SESSION_COMPLETED)
        stats_session_times(s, journey, u->response_sum_us, u->service_sum_us, u->done_us - u->arrived_us);
    count_open(w, u->traffic, -1);
    if (u->traffic->of->users == 0 && !u->traffic->looping) { /* a visitor goes, and its connections with it */
        conn_close(u->conn);
        u->conn = NULL;
    }
    give_user(u);
}

/* Users without a session and what waits for them. In this order of a turn, not when a session ends: its end may come from deep inside. */
static void give_work(struct worker *w, struct worker_traffic *t, int64_t now_us)
{
    if (phase_of(w) != WORKER_RUNNING)
        return;
    while (t->waiting_n && t->open < t->users) {
        struct user *u = take_user(w, t);
        if (!u)
            return;
        start_session(w, u, take_waiting(t), now_us);
    }
    unsigned starts = 0, users = t->looping && now_us < t->end_us ? users_now(w, t, now_us) : 0;
    while (t->open < users && t->sessions_left && starts++ < STARTS_PER_TURN) {
        struct user *u = take_user(w, t);
        if (!u)
            return;
        t->sessions_left--;
        start_session(w, u, now_us, now_us);
    }
}

/* When its session is over by this answer, a looping user goes on at once: the server has something to do while the other answers are read. */
static void on_response(void *user, const struct conn_response *response)
{
    struct user *u = user;
    struct worker *w = u->worker;
    struct worker_traffic *t = u->traffic;
    int64_t done_us = response->done_us;
    user_response(u, response);
    if (u->state == USER_IDLE && t->looping && done_us < w->cut_us)
        give_work(w, t, done_us);
}

static void take_next_arrival(struct worker *w, struct worker_traffic *t)
{
    int64_t at_us;
    if (!t->arrivals_over && arrivals_next(&t->arrivals, &at_us))
        t->next_arrival_us = w->start_us + at_us;
    else
        t->arrivals_over = true;
}

static void start_arrivals(struct worker *w, struct worker_traffic *t, int64_t now_us)
{
    unsigned n = 0;
    while (!t->arrivals_over && t->next_arrival_us <= now_us && n++ < STARTS_PER_TURN) {
        arrive(w, t, t->next_arrival_us);
        take_next_arrival(w, t);
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
    if (!atomic_load_explicit(&w->offered, memory_order_relaxed))
        return;
    struct stats_set *empty = atomic_exchange(&w->offered, NULL);
    if (!empty)
        return;
    struct stats_set *full = w->stats;
    w->stats = empty;
    atomic_store(&w->handed, full);
}

/* Will another session of it start? */
static bool starts_more(const struct worker *w, const struct worker_traffic *t, int64_t now_us)
{
    if (phase_of(w) != WORKER_RUNNING)
        return false;
    if (t->looping)
        return now_us < t->end_us && t->sessions_left > 0;
    return !t->arrivals_over || t->waiting_n > 0;
}

static bool any_starts_more(const struct worker *w, int64_t now_us)
{
    for (size_t i = 0; i < w->n_traffic; i++)
        if (starts_more(w, &w->traffic[i], now_us))
            return true;
    return false;
}

/* Stopped early: what was due and waits for a user will not start. */
static void drop_waiting(struct worker *w, struct worker_traffic *t)
{
    while (t->waiting_n)
        session_dropped(w, t, take_waiting(t));
    t->arrivals_over = true;
}

/* The time to start anything is over: so much of what the plan still has is dropped. */
static void drop_late(struct worker *w, struct worker_traffic *t)
{
    while (t->waiting_n)
        session_dropped(w, t, take_waiting(t));
    for (unsigned n = 0; !t->arrivals_over && n < DROPS_PER_TURN; n++) {
        session_dropped(w, t, t->next_arrival_us);
        take_next_arrival(w, t);
    }
}

static void cut_sessions(struct worker *w)
{
    w->heap_n = 0;
    for (struct user *u = w->all_users; u; u = u->older) {
        if (u->state == USER_IDLE)
            continue;
        if (u->state == USER_IN_FLIGHT)
            user_cut(u);
        conn_close(u->conn);
        u->conn = NULL;
        worker_session_over(w, u, SESSION_UNFINISHED);
    }
}

/* Everything that is due now. */
static void turn(struct worker *w, int64_t now_us)
{
    int phase = phase_of(w);
    if (now_us >= w->cut_us)
        cut_sessions(w);
    for (size_t i = 0; i < w->n_traffic; i++) {
        struct worker_traffic *t = &w->traffic[i];
        if (phase != WORKER_RUNNING)
            drop_waiting(w, t);
        else if (now_us >= t->late_us || now_us >= w->cut_us)
            drop_late(w, t);
        else
            start_arrivals(w, t, now_us);
    }
    wake_users(w, now_us);
    for (size_t i = 0; i < w->n_traffic; i++)
        if (now_us < w->cut_us)
            give_work(w, &w->traffic[i], now_us);
}

static int64_t next_turn_us(const struct worker *w, int64_t now_us)
{
    int64_t next = now_us + WORKER_TURN_US;
    if (w->heap_n && w->heap[0]->due_us < next)
        next = w->heap[0]->due_us;
    for (size_t i = 0; i < w->n_traffic; i++) {
        const struct worker_traffic *t = &w->traffic[i];
        if (!t->arrivals_over && t->next_arrival_us < next)
            next = t->next_arrival_us;
        /* users of a loop that became free just now start in the next turn: do not sleep first */
        if (t->looping && starts_more(w, t, now_us) && t->open < users_now(w, t, now_us))
            next = now_us;
    }
    return next;
}

void worker_main(void *arg)
{
    struct worker *w = arg;
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 us is time that we would add to every start */
    for (size_t i = 0; i < w->n_traffic; i++)
        take_next_arrival(w, &w->traffic[i]);
    int r = 0;
    int64_t now_us = mono_us();
    while (r == 0) {
        turn(w, now_us);
        offer_counters(w);
        if (!any_starts_more(w, now_us)) {
            int64_t grace_over_us = now_us + w->config->grace_ms * 1000;
            if (grace_over_us < w->cut_us)
                w->cut_us = grace_over_us;
            if (atomic_load_explicit(&w->open, memory_order_relaxed) == 0 || phase_of(w) == WORKER_ABORTING ||
                now_us >= w->cut_us)
                break;
        }
        int64_t wait_us = next_turn_us(w, now_us) - mono_us();
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

struct stats_set *worker_swap(struct worker *w, struct stats_set *empty)
{
    atomic_store(&w->offered, empty);
    for (;;) {
        struct stats_set *full = atomic_exchange(&w->handed, NULL);
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

struct stats_set *worker_take(struct worker *w)
{
    struct stats_set *rest = w->stats;
    w->stats = NULL;
    return rest;
}
