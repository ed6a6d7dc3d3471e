/* timeline.h - the frames that were seen, so that the console can show any moment of the past exactly as it was.
 *
 *   timeline_add(tl, "delta", t_ms, data);
 *   r = timeline_at(tl, t_ms, &model);      // the state at that time; the caller frees it with model_done
 *
 * Frames are kept as bytes, up to TIMELINE_BYTES_MAX; the oldest ones move into a model, from which any later state is built
 * by applying the frames after it. What is older than that is asked from the collector (past.h). */
#pragma once

#include "tui/model.h"
#include "lib/base/limits.h"

struct timeline;
MUST_USE int timeline_new(struct timeline **ret);
void timeline_free(struct timeline *tl);
/* A frame that the model took. Without memory the timeline starts anew. */
void timeline_add(struct timeline *tl, const char *event, int64_t t_ms, struct span data);
int64_t timeline_start_ms(const struct timeline *tl); /* of the oldest state; 0: none */
/* The state at that time. -ENOENT: older than the oldest state. */
MUST_USE int timeline_at(const struct timeline *tl, int64_t t_ms, struct model *ret);
