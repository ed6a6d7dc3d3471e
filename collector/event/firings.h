/* firings.h - what fired, in the words of its rule, and when nothing could fire. The series ALERTS knows names and times only;
 * a report is read by people who do not know the names, and a time-line without alerts says little when nobody looked.
 *
 *   r = firings_open(state, &f);                        // FIRINGS_STATE_ROOM is one of the state's rooms
 *   rules.sink = firings_sink(f, notify_sink(n));       // words are committed with the alert and what it causes
 *   firings_round(f, now_ms);                           // after each round of rules; far apart, they are a pause
 *   r = firings_words(f, &labels, until_ms, &words);
 *   r = firings_pauses(f, start_ms, end_ms, fn, ctx);
 *   firings_free(f);                                    // after the rules
 *
 * Any thread, but not the state writer's. */
#pragma once

#include "collector/alert.h"
#include "collector/state/state.h"

struct firings;
extern const struct state_room FIRINGS_STATE_ROOM;
/* -ENOMEM. */
MUST_USE int firings_open(struct state *state, struct firings **ret);
void firings_free(struct firings *f); /* NULL is fine */
/* A sink that keeps the summary (else the description) of each alert that fires, and hands all of them to `next`. `f` outlives it. */
struct alert_sink firings_sink(struct firings *f, struct alert_sink next);
/* Rules have run, or (the first call) may run from now on: before that they ran until `since_ms`; 0: not known. Never waits
 * for the disk. A round that is late by more than FIRINGS_PAUSE_MS and by far more than rounds used to be ends a pause. */
void firings_began(struct firings *f, int64_t since_ms, int64_t now_ms);
void firings_round(struct firings *f, int64_t now_ms);
/* Words of the last firing of this alert that began by until_ms; labels with alertname, without __name__ and alertstate. The
 * caller frees; "" when none are kept. -ENOMEM, what the state answers. */
MUST_USE int firings_words(struct firings *f, const struct labels *labels, int64_t until_ms, char **ret);
/* Stretches of [start_ms, end_ms] in which no rule was evaluated, by their beginning. */
MUST_USE int firings_pauses(struct firings *f, int64_t start_ms, int64_t end_ms,
                            void (*fn)(void *ctx, int64_t from_ms, int64_t to_ms), void *ctx);
