/* live.h - what the consoles see, as one stream of frames: snapshot, deltas, alerts, heartbeats (docs/stream.md).
 *
 *   struct live *l;
 *   r = live_new(&(struct live_config){.clients_max = 2048, .clients_per_address_max = 64}, &l);
 *   r = live_add_source(l, &(struct frame_source){.name = "services", .ctx = v, .render = render_services, .rows_max = 200});
 *   r = live_start(l);                               // its thread renders, compares, encodes
 *   live_tick(l); live_alert(l);                     // from the rules: a round is over; an alert has changed
 *   r = live_join(l, peer, last_event_id, &client);  // http: then live_on_wake, live_read, live_leave
 *   live_stop(l); live_free(l);                      // stop before what the sources read is freed
 *
 * A source renders all rows of its section; this room knows only bytes: it compares them with the last ones, key by key, and
 * encodes what changed once per tick into a frame that all clients share. The last LIVE_RING frames are kept for those who come
 * back. It includes no other room of the collector: main.c brings sources and triggers.
 *
 * Who is more than LIVE_RING frames behind, or unknown, gets a snapshot instead. While nobody watches nothing is rendered. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/metric_writer.h"
#include "lib/wire/json.h"

#define LIVE_RING 8u

/* ---- sections ---- */
struct frame_rows;
/* Add a row and return the writer for its value: exactly one JSON value. It ends with the next frame_row, or the render. The
 * key is any text, unique in its section (of two the first stays). rank sorts: what has most is kept when not all rows fit. */
struct json_writer *frame_row(struct frame_rows *rows, struct span key, double rank);
int64_t frame_now_ms(const struct frame_rows *rows); /* one clock for all sections of a frame */
unsigned frame_clients(const struct frame_rows *rows);

struct frame_source {
    const char *name; /* of the section; must live as long as live */
    void *ctx;
    /* On live's thread, once a second; may block for some milliseconds. Negative: the rows stay as they were, counted. */
    int (*render)(void *ctx, struct frame_rows *rows);
    size_t rows_max; /* rows in frames, by rank; 0: as many as fit. /state has all of them */
    bool at_once;    /* rendered for alert frames, too: must not query */
};

/* ---- life ---- */
struct live;
struct live_config {
    unsigned clients_max, clients_per_address_max; /* 0: limits.h */
};
MUST_USE int live_new(const struct live_config *config, struct live **ret);
/* Before live_start. Sections appear in frames in this order. -ENOSPC: more than LIVE_SOURCES_MAX. */
MUST_USE int live_add_source(struct live *l, const struct frame_source *source);
MUST_USE int live_start(struct live *l);
void live_stop(struct live *l); /* ends the thread; waiting snapshots get -ESHUTDOWN. NULL is fine */
void live_free(struct live *l); /* all clients have left. NULL is fine */

/* ---- triggers: any thread, cheap, never wait ---- */
/* New values are there: a delta leaves at once, but one a second at most; without any tick, one a second all the same. */
void live_tick(struct live *l);
/* An alert began to fire or ended: a frame of the at_once sections leaves at once. */
void live_alert(struct live *l);
/* One turn with given clocks, for tests; returns µs until the next deadline. Not beside live_start. */
int64_t live_step(struct live *l, int64_t mono_us, int64_t unix_ms);

/* ---- clients ---- */
struct live_client;
enum live_refusal { LIVE_REFUSED_FULL = 1, LIVE_REFUSED_ADDRESS };
/* last_id: the id of the last frame the client saw, or empty. Positive: a live_refusal; -ENOMEM. */
MUST_USE int live_join(struct live *l, const char *address, struct span last_id, struct live_client **ret);
/* From now on wake(ctx) is called (on live's thread, under its lock) when there is something to read; until live_leave. */
void live_on_wake(struct live_client *c, void (*wake)(void *ctx), void *ctx);
/* The next bytes of the stream, up to max; 0: nothing yet. One reader at a time per client. */
ssize_t live_read(struct live_client *c, char *at, size_t max);
void live_leave(struct live_client *c);

/* All rows as JSON, {"id":…,"t":…,"sections":{…}}, not older than a second: done is called once, from live's thread (or at once:
 * error -ESHUTDOWN, -EAGAIN when LIVE_WAITERS_MAX wait), with bytes that it may keep only during the call. */
void live_state(struct live *l, void (*done)(void *ctx, struct span json, int error), void *ctx);

/* Families crest_stream_*: clients, refused, frames and bytes by event, snapshots for slow ones, render seconds. */
void live_stats(struct live *l, struct metric_writer *w);
