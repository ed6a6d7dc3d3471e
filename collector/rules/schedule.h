/* schedule.h - when a group is evaluated, and at which time stamp. Pure: clock and newest sample come in as numbers.
 *
 *   schedule_init(&s, interval_ms, hash, now_ms);
 *   struct schedule_turn t = schedule_turn(&s, now_ms, newest_ms);
 *   if (t.due) evaluate at t.eval_ms; count t.missed;
 *   sleep t.wait_ms (or until a commit, for a fast group)
 *
 * Time is cut into slots of one interval, shifted by a hash of the group so that groups spread out.
 * Fast groups (interval <= SCHEDULE_FAST_MS) run once per slot: as soon as a sample newer than what the last
 * evaluation saw is there, else when the slot ends (the tick). The time stamp is that newest sample's, else the tick,
 * and always later than the one before.
 * Slower groups run at the slot's start with that time stamp: Prometheus's grid.
 * Slots that went by without a run are missed: skipped and counted. A clock that was stepped back starts the slots
 * anew; it is the one case in which time stamps fall. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_FAST_MS 2000
#define SCHEDULE_NEVER INT64_MIN

struct schedule {
    int64_t interval_ms, offset_ms;
    int64_t slot;         /* fast: the last one with a run; slow: the next to run */
    int64_t last_eval_ms; /* SCHEDULE_NEVER: none yet */
    int64_t seen_ms;      /* newest sample at the last evaluation */
};
struct schedule_turn {
    bool due, stepped_back;
    int64_t eval_ms, missed, wait_ms;
};

void schedule_init(struct schedule *s, int64_t interval_ms, uint64_t hash, int64_t now_ms);
/* Evaluations before (of an earlier process) had time stamps up to t_ms. */
void schedule_resume(struct schedule *s, int64_t t_ms);
static inline bool schedule_is_fast(const struct schedule *s)
{
    return s->interval_ms <= SCHEDULE_FAST_MS;
}
/* newest_ms: of the live samples committed so far; SCHEDULE_NEVER: none. A due turn counts as run. */
struct schedule_turn schedule_turn(struct schedule *s, int64_t now_ms, int64_t newest_ms);
