/* sse.h - cuts a text/event-stream into events, whatever pieces it comes in.
 *
 *   sse_init(&s);
 *   ok = sse_feed(&s, piece, on_event, ctx);      // false: this is no stream of ours, end it
 *   sse_reset(&s);                                 // a new connection: what was cut in the middle is dropped
 *   sse_done(&s);
 *
 * An event counts only with its closing empty line, so a stream cut in the middle of a frame shows nothing of it, and its id is
 * not the one to go on from. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"

struct sse_event {
    const char *name; /* "message" when the stream names none */
    struct span data;
    const char *id; /* the last id seen, "" before the first */
};
struct sse {
    struct buf line, data;
    char name[32], id[SSE_ID_BYTES_MAX], coming_id[SSE_ID_BYTES_MAX];
    int64_t retry_ms; /* what the server asked for, or 0 */
    bool has_data, after_cr;
};
void sse_init(struct sse *s);
void sse_reset(struct sse *s); /* keeps the last id */
void sse_done(struct sse *s);
/* false: a line or an event is over SSE_EVENT_BYTES_MAX, or there is no memory. */
bool sse_feed(struct sse *s, struct span piece, void (*on_event)(void *ctx, const struct sse_event *event), void *ctx);
