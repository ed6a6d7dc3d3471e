/* push.h - results to a collector by remote write, each second while the run goes on.
 *
 *   struct push *p;
 *   r = push_new(url, auth_file, &config, &p);
 *   push_tick(p, &tick, unix_ms());            // encodes the totals so far
 *   push_wait(p, 50);                           // sends; instead of sleeping
 *   push_finish(p, 10000);                      // what is left
 *   push_free(p);
 *
 * crest_loadgen_step_response_seconds, crest_loadgen_step_service_seconds (classic histograms), crest_loadgen_steps_total{outcome},
 * crest_loadgen_sessions_total{state}, crest_loadgen_open_sessions; labels run, journey, step. Counters start at 0 with the run, so rate() and
 * differences see the first second. While the collector is away bodies wait in order, PUSH_QUEUE_MAX of them; then the oldest is dropped and
 * counted: the totals lose only resolution. */
#pragma once

#include "loadgen/engine/run.h"
#include "lib/base/limits.h"

struct push;
/* auth_file: one line, USER:PASSWORD or a bearer token, read at each request; NULL: none. It and config stay the caller's. */
MUST_USE int push_new(const char *url, const char *auth_file, const struct run_config *config, struct push **ret);
void push_free(struct push *p);
/* tick NULL: the zeros before the run starts. -ENOMEM. */
MUST_USE int push_tick(struct push *p, const struct run_tick *tick, int64_t now_ms);
/* Series of the caller's own: `more` is called for each message, and adds them with push_add. step empty: of the whole journey; label may be NULL. */
struct push_message;
void push_extend(struct push *p, void (*more)(void *ctx, struct push_message *m), void *ctx);
void push_add(struct push_message *m, const char *journey, struct span step, const char *name, double value,
              const char *label, const char *label_value);
/* Let the network work for that long. */
void push_wait(struct push *p, int64_t timeout_ms);
/* Send what waits, within the time. false: something was not delivered. */
bool push_finish(struct push *p, int64_t timeout_ms);
/* Why the last one failed ("" when it did not), bodies dropped, bodies refused for good (4xx). */
const char *push_error(const struct push *p);
uint64_t push_dropped(const struct push *p);
uint64_t push_refused(const struct push *p);
