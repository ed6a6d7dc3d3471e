/* schedule.h - when a journey is due: once in each interval, at a place of its own, so that neither the journeys of one prober nor the same
 * journey on several of them go in lock-step.
 *
 *   struct schedule s = schedule_of(SPAN("web-01"), SPAN("checkout"), 30000);
 *   int64_t k = schedule_first(&s, unix_ms());
 *   wait_until(schedule_due_ms(&s, k));
 *
 * The k-th interval is [k every, (k+1) every) since the epoch: a restart does not move a journey. Its place is a hash of the prober's and the
 * journey's name in the first nine tenths, and a jitter of up to a tenth that is another in each interval (what the shop does on every
 * full minute is not met every time, or never). */
#pragma once

#include <stdint.h>

#include "lib/base/span.h"

struct schedule {
    uint64_t hash;
    int64_t every_ms, phase_ms;
};
/* every_ms > 0 */
struct schedule schedule_of(struct span prober, struct span journey, int64_t every_ms);
int64_t schedule_due_ms(const struct schedule *s, int64_t k); /* unix */
/* The first k that is due at now or later. */
int64_t schedule_first(const struct schedule *s, int64_t now_ms);
