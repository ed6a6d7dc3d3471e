/* When something is rendered, and what is sent then. */
#include "collector/live/live.h"

#include <errno.h>
#include <time.h>

#include "collector/live/live_internal.h"
#include "lib/base/clock.h"

#define SECOND_US 1000000ll
#define ROUND_GAP_US (7 * SECOND_US / 10)   /* a round sooner after the last waits for the next: scrapes jitter */
#define ROUND_LATE_US (13 * SECOND_US / 10) /* no round came: a delta leaves all the same */
#define IDLE_US (10 * SECOND_US)            /* after the last client: who reconnects finds its deltas */
#define BEAT_US (8 * SECOND_US)             /* docs/stream.md promises 10 s */
#define FRESH_US (3 * SECOND_US / 2)
#define PACE 4                       /* rendering takes at most a quarter of the time ... */
#define PACE_US_MAX (10 * SECOND_US) /* ... unless it takes longer than that */

/* ---- life ---- */
int live_new(const struct live_config *config, struct live **ret)
{
    struct live *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->config = *config;
    l->config.clients_max = config->clients_max ? config->clients_max : LIVE_CLIENTS_MAX;
    l->config.clients_per_address_max =
        config->clients_per_address_max ? config->clients_per_address_max : LIVE_CLIENTS_PER_ADDRESS_MAX;
    snprintf(l->epoch, sizeof l->epoch, "%llx", (unsigned long long)unix_ms());
    l->ticked_us = l->watched_us = l->sent_us = INT64_MIN / 2;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
    strmap_init(&l->per_address, l->config.clients_max + 1u);
    for (size_t i = 0; i < ARRAY_LEN(l->sections); i++) {
        struct section *s = &l->sections[i];
        for (size_t k = 0; k < ARRAY_LEN(s->sets); k++)
            rows_init(&s->sets[k]);
        s->now = &s->sets[0];
        s->before = &s->sets[1];
        s->next = &s->sets[2];
    }
    int r = frame_text("retry: 2000\n\n", &l->hello);
    if (r < 0) {
        live_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

int live_add_source(struct live *l, const struct frame_source *source)
{
    if (l->n_sections == LIVE_SOURCES_MAX)
        return -ENOSPC;
    l->sections[l->n_sections++].source = *source;
    return 0;
}

void live_free(struct live *l)
{
    if (!l)
        return;
    live_stop(l);
    for (size_t i = 0; i < ARRAY_LEN(l->sections); i++)
        for (size_t k = 0; k < ARRAY_LEN(l->sections[i].sets); k++)
            rows_done(&l->sections[i].sets[k]);
    for (size_t i = 0; i < LIVE_RING; i++)
        frame_unref_locked(l->ring[i]);
    frame_unref_locked(l->snapshot);
    frame_unref_locked(l->beat);
    frame_unref_locked(l->hello);
    strmap_done(&l->per_address);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* ---- triggers ---- */
static void ask(struct live *l, bool *flag)
{
    pthread_mutex_lock(&l->lock);
    *flag = l->woken = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

void live_tick(struct live *l)
{
    ask(l, &l->tick_asked);
}

void live_alert(struct live *l)
{
    ask(l, &l->alert_asked);
}

void live_state(struct live *l, void (*done)(void *ctx, struct span json, int error), void *ctx)
{
    int error = 0;
    pthread_mutex_lock(&l->lock);
    if (l->stopping)
        error = -ESHUTDOWN;
    else if (l->n_waiters == LIVE_WAITERS_MAX)
        error = -EAGAIN;
    else
        l->waiters[l->n_waiters++] = (struct waiter){done, ctx};
    l->woken = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    if (error < 0)
        done(ctx, (struct span){0}, error);
}

/* ---- sending ---- */
static void count_frame(struct live *l, const struct frame *f)
{
    atomic_fetch_add_explicit(&l->frames[f->event], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&l->frame_bytes[f->event], f->len, memory_order_relaxed);
    atomic_store_explicit(&l->last_frame_bytes, (long long)f->len, memory_order_relaxed);
}

/* Takes the reference. */
static void send_frame(struct live *l, struct frame *f, int64_t now_us)
{
    count_frame(l, f);
    l->sent_us = now_us;
    pthread_mutex_lock(&l->lock);
    if (f->event == EVENT_HB) {
        frame_unref_locked(l->beat);
        l->beat = f;
        l->n_beats++;
    } else {
        l->head = f->seq;
        frame_unref_locked(l->ring[f->seq % LIVE_RING]);
        l->ring[f->seq % LIVE_RING] = f;
    }
    clients_wake_locked(l);
    pthread_mutex_unlock(&l->lock);
}

/* What this turn changed leaves as one frame; when that cannot be, everybody gets a snapshot of its own. */
static void send_changes(struct live *l, enum live_event event, int64_t now_us, int64_t now_ms)
{
    struct frame *f = NULL;
    int r = frame_changes(l, event, l->head + 1, now_ms, &f);
    if (r == -ENOSPC) {
        atomic_fetch_add_explicit(&l->oversize, 1, memory_order_relaxed);
        r = frame_snapshot(l, l->head + 1, now_ms, &f);
    }
    if (r == 0 && f) {
        send_frame(l, f, now_us);
    } else if (r < 0) { /* the rows have moved on without a frame: nobody may continue from what it has */
        pthread_mutex_lock(&l->lock);
        l->head += LIVE_RING + 1;
        for (size_t i = 0; i < LIVE_RING; i++) {
            frame_unref_locked(l->ring[i]);
            l->ring[i] = NULL;
        }
        frame_unref_locked(l->snapshot);
        l->snapshot = NULL;
        clients_wake_locked(l);
        pthread_mutex_unlock(&l->lock);
    }
}

static void tick(struct live *l, bool round, int64_t now_us, int64_t now_ms, unsigned clients)
{
    int64_t start_us = mono_us();
    l->ticked_us = now_us;
    l->tick_was_round = round;
    if (sections_render(l, false, now_ms, clients) > 0) {
        l->rows_ms = now_ms;
        send_changes(l, EVENT_DELTA, now_us, now_ms);
    }
    l->render_us = mono_us() - start_us;
    atomic_store_explicit(&l->last_render_us, l->render_us, memory_order_relaxed);
}

static void make_snapshot(struct live *l)
{
    struct frame *f = NULL;
    if (frame_snapshot(l, l->head, l->rows_ms, &f) < 0)
        return; /* asked for again by those who wait, with the next frame's wake */
    count_frame(l, f);
    pthread_mutex_lock(&l->lock);
    frame_unref_locked(l->snapshot);
    l->snapshot = f;
    clients_wake_locked(l);
    pthread_mutex_unlock(&l->lock);
}

static void answer_waiters(struct live *l, struct waiter *waiters, size_t n)
{
    struct buf out;
    buf_init(&out, LIVE_STATE_BYTES_MAX);
    write_state(l, l->head, l->rows_ms, &out);
    for (size_t i = 0; i < n; i++)
        waiters[i].done(waiters[i].ctx, buf_error(&out) ? (struct span){0} : buf_view(&out), buf_error(&out));
    buf_done(&out);
}

/* ---- a turn ---- */
static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t pace_us(const struct live *l)
{
    return earliest(l->render_us * PACE, PACE_US_MAX);
}

/* When is the next tick due? */
static int64_t tick_due_us(const struct live *l, bool asked)
{
    int64_t gap_us = asked ? (l->tick_was_round ? ROUND_GAP_US : 0) : (l->tick_was_round ? ROUND_LATE_US : SECOND_US);
    return l->ticked_us + (gap_us > pace_us(l) ? gap_us : pace_us(l));
}

static void go_idle(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    frame_unref_locked(l->snapshot); /* of rows that grow old */
    l->snapshot = NULL;
    pthread_mutex_unlock(&l->lock);
}

int64_t live_step(struct live *l, int64_t now_us, int64_t now_ms)
{
    struct waiter waiters[LIVE_WAITERS_MAX];
    pthread_mutex_lock(&l->lock);
    unsigned clients = l->n_clients;
    size_t n_waiters = l->n_waiters;
    memcpy(waiters, l->waiters, n_waiters * sizeof *waiters);
    l->n_waiters = 0;
    bool round = l->tick_asked, alert = l->alert_asked, snapshot = l->snapshot_asked;
    l->tick_asked = l->alert_asked = l->snapshot_asked = l->woken = false;
    pthread_mutex_unlock(&l->lock);

    if (clients)
        l->watched_us = now_us;
    bool watched = now_us - l->watched_us < IDLE_US;
    bool stale = now_us - l->ticked_us > (pace_us(l) > FRESH_US ? pace_us(l) : FRESH_US);
    if (alert && watched && l->head > 0 && sections_render(l, true, now_ms, clients) > 0)
        send_changes(l, EVENT_ALERT, now_us, now_ms);
    if ((watched && now_us >= tick_due_us(l, round)) || (stale && (snapshot || n_waiters))) {
        tick(l, round, now_us, now_ms, clients);
    }
    if (snapshot)
        make_snapshot(l);
    if (n_waiters)
        answer_waiters(l, waiters, n_waiters);
    if (!watched) {
        go_idle(l);
        return 3600 * SECOND_US;
    }
    struct frame *beat = NULL;
    if (now_us - l->sent_us >= BEAT_US && frame_hb(now_ms, &beat) == 0)
        send_frame(l, beat, now_us);
    int64_t next_us = earliest(tick_due_us(l, false), l->sent_us + BEAT_US);
    return next_us > now_us ? next_us - now_us : 1000;
}

/* ---- the thread ---- */
static void wait_locked(struct live *l, int64_t wait_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_us / SECOND_US;
    until.tv_nsec += wait_us % SECOND_US * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int r = 0;
    while (!l->woken && !l->stopping && r == 0)
        r = pthread_cond_timedwait(&l->wake, &l->lock, &until);
}

static void live_main(void *arg)
{
    struct live *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        pthread_mutex_unlock(&l->lock);
        int64_t wait_us = live_step(l, mono_us(), unix_ms());
        pthread_mutex_lock(&l->lock);
        wait_locked(l, wait_us);
    }
    pthread_mutex_unlock(&l->lock);
}

int live_start(struct live *l)
{
    return thread_start("live", live_main, l, &l->thread);
}

void live_stop(struct live *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    thread_join(l->thread);
    l->thread = NULL;
    for (size_t i = 0; i < l->n_waiters; i++)
        l->waiters[i].done(l->waiters[i].ctx, (struct span){0}, -ESHUTDOWN);
    l->n_waiters = 0;
}

/* ---- /metrics ---- */
void live_stats(struct live *l, struct metric_writer *w)
{
    metric_family(w, "crest_stream_clients", METRIC_GAUGE, "Clients of the live stream.");
    metric_value(w, atomic_load_explicit(&l->clients_now, memory_order_relaxed), NULL);
    metric_family(w, "crest_stream_refused_total", METRIC_COUNTER, "Clients of the live stream refused, by reason.");
    metric_value(w, (double)atomic_load_explicit(&l->refused_full, memory_order_relaxed), "reason", "full", NULL);
    metric_value(w, (double)atomic_load_explicit(&l->refused_address, memory_order_relaxed), "reason", "address", NULL);
    metric_family(w, "crest_stream_frames_total", METRIC_COUNTER, "Frames encoded, by event.");
    for (size_t i = 0; i < EVENTS; i++)
        metric_value(w, (double)atomic_load_explicit(&l->frames[i], memory_order_relaxed), "event", LIVE_EVENT_NAMES[i],
                     NULL);
    metric_family(w, "crest_stream_frame_bytes_total", METRIC_COUNTER, "Bytes of the frames encoded, by event.");
    for (size_t i = 0; i < EVENTS; i++)
        metric_value(w, (double)atomic_load_explicit(&l->frame_bytes[i], memory_order_relaxed), "event",
                     LIVE_EVENT_NAMES[i], NULL);
    static const struct {
        const char *name, *help;
        size_t at;
    } COUNTS[] = {
        {"crest_stream_sent_bytes_total", "Bytes handed to clients.", offsetof(struct live, sent_bytes)},
        {"crest_stream_slow_total", "Times that a client was too far behind and got a snapshot.",
         offsetof(struct live, slow)},
        {"crest_stream_render_failures_total", "Sections that could not be rendered; their last rows stayed.",
         offsetof(struct live, failures)},
        {"crest_stream_oversize_total", "Deltas that were too large and left as snapshots.",
         offsetof(struct live, oversize)},
    };
    for (size_t i = 0; i < ARRAY_LEN(COUNTS); i++) {
        const atomic_ullong *counter = (const atomic_ullong *)(const void *)((const char *)l + COUNTS[i].at);
        metric_family(w, COUNTS[i].name, METRIC_COUNTER, COUNTS[i].help);
        metric_value(w, (double)atomic_load_explicit(counter, memory_order_relaxed), NULL);
    }
    metric_family(w, "crest_stream_render_seconds", METRIC_GAUGE, "How long the last frame took to render and encode.");
    metric_value(w, (double)atomic_load_explicit(&l->last_render_us, memory_order_relaxed) / 1e6, NULL);
}
