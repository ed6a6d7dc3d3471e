#include "collector/rules/schedule.h"

#define AHEAD_MS_MAX                                                                                                   \
    10000 /* a sender's clock may run that far ahead of ours; last_eval_ms beyond it is from before a step back */

static int64_t slot_at(const struct schedule *s, int64_t t_ms)
{
    int64_t t = t_ms - s->offset_ms;
    return t >= 0 ? t / s->interval_ms : -((-t + s->interval_ms - 1) / s->interval_ms);
}
static int64_t slot_start(const struct schedule *s, int64_t slot)
{
    return slot * s->interval_ms + s->offset_ms;
}

/* Fast: the present slot is open. Slow: the next grid point is the first to run, as Prometheus waits for it. */
static void start_anew(struct schedule *s, int64_t now_ms)
{
    int64_t present = slot_at(s, now_ms);
    s->slot = schedule_is_fast(s) ? present - 1 : present + 1;
}

void schedule_init(struct schedule *s, int64_t interval_ms, uint64_t hash, int64_t now_ms)
{
    *s = (struct schedule){.interval_ms = interval_ms,
                           .offset_ms = (int64_t)(hash % (uint64_t)interval_ms),
                           .last_eval_ms = SCHEDULE_NEVER,
                           .seen_ms = SCHEDULE_NEVER};
    start_anew(s, now_ms);
}

void schedule_resume(struct schedule *s, int64_t t_ms)
{
    if (t_ms > s->last_eval_ms)
        s->last_eval_ms = t_ms;
}

static void step_back_if_needed(struct schedule *s, int64_t now_ms, struct schedule_turn *t)
{
    bool slots_ahead = slot_start(s, s->slot) - now_ms > s->interval_ms;
    bool evals_ahead = s->last_eval_ms != SCHEDULE_NEVER && s->last_eval_ms - now_ms > AHEAD_MS_MAX;
    t->stepped_back = slots_ahead || evals_ahead;
    if (evals_ahead)
        s->last_eval_ms = s->seen_ms = SCHEDULE_NEVER;
    if (slots_ahead)
        start_anew(s, now_ms);
}

static int64_t rising(const struct schedule *s, int64_t t_ms)
{
    return s->last_eval_ms != SCHEDULE_NEVER && t_ms <= s->last_eval_ms ? s->last_eval_ms + 1 : t_ms;
}

static void turn_fast(struct schedule *s, int64_t now_ms, int64_t newest_ms, struct schedule_turn *t)
{
    int64_t present = slot_at(s, now_ms);
    bool fresh = newest_ms != SCHEDULE_NEVER && newest_ms > s->seen_ms;
    bool slot_ended = present > s->slot + 1; /* one without a run */
    t->wait_ms = slot_start(s, present + 1) - now_ms;
    if (present <= s->slot || (!fresh && !slot_ended))
        return;
    /* What comes late counts for the slot that has ended; the present one stays open for its own commit. */
    int64_t of = slot_ended ? present - 1 : present;
    t->due = true;
    t->missed = of - s->slot - 1;
    t->eval_ms = rising(s, fresh ? newest_ms : slot_start(s, present));
    s->slot = of;
    if (fresh)
        s->seen_ms = newest_ms;
}

static void turn_slow(struct schedule *s, int64_t now_ms, struct schedule_turn *t)
{
    int64_t present = slot_at(s, now_ms);
    if (present >= s->slot) {
        t->due = true;
        t->missed = present - s->slot;
        t->eval_ms = rising(s, slot_start(s, present));
        s->slot = present + 1;
    }
    t->wait_ms = slot_start(s, s->slot) - now_ms;
}

struct schedule_turn schedule_turn(struct schedule *s, int64_t now_ms, int64_t newest_ms)
{
    struct schedule_turn t = {0};
    step_back_if_needed(s, now_ms, &t);
    if (schedule_is_fast(s))
        turn_fast(s, now_ms, newest_ms, &t);
    else
        turn_slow(s, now_ms, &t);
    if (t.due)
        s->last_eval_ms = t.eval_ms;
    return t;
}
