/* deadline_wheel.h - many deadlines that are set and taken back all the time, and hardly ever come: both cost a few pointers.
 *
 *   struct deadline_wheel w;
 *   deadline_wheel_init(&w, mono_us());
 *   deadline_set(&w, &x->deadline, due_us);              // a member of what has the deadline
 *   deadline_clear(&x->deadline);                         // nothing happens when it is not set
 *   while ((d = deadline_passed(&w, now_us))) ...         // taken off; up to DEADLINE_SLOT_US late
 */
#pragma once

#include <stdint.h>

#define DEADLINE_SLOTS 256u
#define DEADLINE_SLOT_US 10000

struct deadline {
    struct deadline *next, **at; /* at NULL: not set */
    int64_t due_us;
};
struct deadline_wheel {
    struct deadline *slots[DEADLINE_SLOTS]; /* those further away than a turn of the wheel are met and left */
    int64_t tick;
};
void deadline_wheel_init(struct deadline_wheel *w, int64_t now_us);
void deadline_set(struct deadline_wheel *w, struct deadline *d, int64_t due_us);
void deadline_clear(struct deadline *d);
/* One that has passed, NULL when there is none left. */
struct deadline *deadline_passed(struct deadline_wheel *w, int64_t now_us);
