/* annotations.h - what people and their tools say happened (a deploy, a note, a phase), kept in state.db.
 *
 *   struct annotations *a;
 *   r = annotations_open(state, &a);                          // ANNOTATIONS_STATE_ROOM is one of the state's rooms
 *   r = annotations_add(a, &annotation, done, ctx);            // done(ctx, result, id) on the state writer, after the commit
 *   r = annotations_each(a, start_ms, end_ms, limit, fn, ctx); // blocking: a query worker, a command
 *   live_add_source(l, &source) with annotations_source(a)     // the newest ANNOTATIONS_SHOWN, from memory
 *   annotations_free(a);                                       // after state_close
 *
 * At most ANNOTATIONS_MAX are kept; the oldest make room. */
#pragma once

#include "collector/live/live.h"
#include "collector/state/state.h"
#include "lib/base/limits.h"

#define ANNOTATIONS_SHOWN 200u

struct annotation {
    int64_t id, t_ms;
    struct span kind, text, service, user; /* service and user may be empty */
};
extern const struct state_room ANNOTATIONS_STATE_ROOM;

struct annotations;
MUST_USE int annotations_open(struct state *state, struct annotations **ret);
void annotations_free(struct annotations *a); /* NULL is fine */
/* NULL, or what is wrong with it, for people: kind is [a-z][a-z0-9_-]*, texts are UTF-8 within their limits and not empty. */
const char *annotation_wrong(const struct annotation *n);
/* Copied. -EINVAL: annotation_wrong knows; -ENOMEM, -ESHUTDOWN: done is not called. */
MUST_USE int annotations_add(struct annotations *a, const struct annotation *n,
                             void (*done)(void *ctx, int result, int64_t id), void *ctx);
/* Those with start_ms <= t <= end_ms, oldest first; of more than limit the newest ones. fn runs on the state writer and must
 * only copy. Blocks: never from a server thread. */
MUST_USE int annotations_each(struct annotations *a, int64_t start_ms, int64_t end_ms, size_t limit,
                              void (*fn)(void *ctx, const struct annotation *n), void *ctx);
/* The section "annotations" of the stream. */
struct frame_source annotations_source(struct annotations *a);
/* {"id","t","kind","text","service","user"}; empty ones are left out. */
void annotation_json(const struct annotation *n, struct json_writer *j);
