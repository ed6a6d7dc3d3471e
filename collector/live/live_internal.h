/* live_internal.h - what the files of this room share.
 *
 *   live.c     construction, triggers, the thread: when something is rendered and sent
 *   rows.c     a section's rows: compared, cut to fit
 *   frame.c    sections -> the bytes of a frame
 *   client.c   who listens, what each has seen, what it gets next
 *
 * Sections belong to live's thread alone. Everything else below `lock` is everybody's under it; a frame's bytes never change. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "collector/live/live.h"
#include "collector/live/rows.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/thread.h"

enum live_event { EVENT_SNAPSHOT, EVENT_DELTA, EVENT_ALERT, EVENT_HB, EVENTS };
extern const char *const LIVE_EVENT_NAMES[EVENTS];

/* ---- frame.c ---- */
struct frame {
    unsigned refs; /* under live's lock */
    enum live_event event;
    uint64_t seq;
    size_t len;
    char bytes[];
};
struct section {
    struct frame_source source;
    struct frame_rows sets[3]; /* rotating: now, before, the next render's */
    struct frame_rows *now, *before, *next;
    bool rendered; /* this turn: now and before differ by it */
};
/* Render what is due: all sections, or those that are at_once. Returns how many were rendered. */
size_t sections_render(struct live *l, bool at_once, int64_t now_ms, unsigned clients);
/* The frame that says what this turn's renders changed, with one reference. Without changes: an alert frame is none (NULL, 0).
 * -ENOSPC: larger than a frame may be; -ENOMEM. */
MUST_USE int frame_changes(struct live *l, enum live_event event, uint64_t seq, int64_t now_ms, struct frame **ret);
MUST_USE int frame_snapshot(struct live *l, uint64_t seq, int64_t now_ms, struct frame **ret);
MUST_USE int frame_hb(int64_t now_ms, struct frame **ret);
MUST_USE int frame_text(const char *text, struct frame **ret);
void write_state(struct live *l, uint64_t seq, int64_t now_ms, struct buf *out);

/* ---- client.c ---- */
struct live_client {
    struct live *live;
    struct live_client *prev, *next;
    char address[64];
    struct frame *frame; /* being read, referenced */
    size_t at;
    uint64_t seq;  /* of the last frame taken */
    uint64_t beat; /* the last heartbeat taken or made needless */
    bool needs_snapshot;
    void (*wake)(void *ctx);
    void *wake_ctx;
};
void clients_wake_locked(struct live *l);
void frame_unref_locked(struct frame *f);

struct waiter {
    void (*done)(void *ctx, struct span json, int error);
    void *ctx;
};
struct live {
    struct live_config config;
    char epoch[24];
    struct section sections[LIVE_SOURCES_MAX];
    size_t n_sections;
    struct thread *thread;

    /* live's thread */
    int64_t ticked_us, watched_us, sent_us; /* INT64_MIN: never */
    int64_t render_us;                      /* how long the last tick took */
    int64_t rows_ms;                        /* the clock of the rows */
    bool tick_was_round;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, tick_asked, alert_asked, snapshot_asked, woken;
    struct waiter waiters[LIVE_WAITERS_MAX];
    size_t n_waiters;
    struct live_client *clients;
    unsigned n_clients;
    struct strmap per_address;
    struct frame *ring[LIVE_RING]; /* seq % LIVE_RING */
    uint64_t head;                 /* seq of the newest frame; 0: none yet */
    struct frame *snapshot;        /* may be older than head, not by more than the ring */
    struct frame *beat, *hello;
    uint64_t n_beats;

    atomic_ullong frames[EVENTS], frame_bytes[EVENTS], sent_bytes, slow, refused_full, refused_address, failures,
        oversize;
    atomic_llong last_render_us, last_frame_bytes;
    atomic_uint clients_now;
};
