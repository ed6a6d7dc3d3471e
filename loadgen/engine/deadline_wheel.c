#include "loadgen/engine/deadline_wheel.h"

#include <stddef.h>

void deadline_wheel_init(struct deadline_wheel *w, int64_t now_us)
{
    *w = (struct deadline_wheel){.tick = now_us / DEADLINE_SLOT_US};
}

void deadline_set(struct deadline_wheel *w, struct deadline *d, int64_t due_us)
{
    struct deadline **slot = &w->slots[(size_t)(due_us / DEADLINE_SLOT_US) % DEADLINE_SLOTS];
    d->due_us = due_us;
    d->next = *slot;
    if (d->next)
        d->next->at = &d->next;
    d->at = slot;
    *slot = d;
}

void deadline_clear(struct deadline *d)
{
    if (!d->at)
        return;
    *d->at = d->next;
    if (d->next)
        d->next->at = d->at;
    d->at = NULL;
}

struct deadline *deadline_passed(struct deadline_wheel *w, int64_t now_us)
{
    int64_t tick = now_us / DEADLINE_SLOT_US;
    if (w->tick < tick - (int64_t)DEADLINE_SLOTS)
        w->tick = tick - (int64_t)DEADLINE_SLOTS; /* one turn meets all */
    for (; w->tick < tick; w->tick++)
        for (struct deadline *d = w->slots[(size_t)w->tick % DEADLINE_SLOTS]; d; d = d->next)
            if (d->due_us <= now_us) {
                deadline_clear(d);
                return d;
            }
    return NULL;
}
