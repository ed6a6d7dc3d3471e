/* idle.h - have the processors time for one program more? From the kernel's own account, the first line of /proc/stat.
 *
 *   struct idle idle = {0};
 *   if (idle_due(&idle, now_us) && idle_look(&idle, text, now_us)) ...   // more than a third of the time since the last look was idle
 *
 * The first look only begins. What is started after a look has its say in the next: it is due IDLE_EVERY_US later. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/span.h"

#define IDLE_EVERY_US 300000 /* 60 ticks of two processors */

struct idle {
    int64_t looked_us;  /* 0: not yet */
    uint64_t idle, all; /* ticks at that time; 0: unknown */
};
bool idle_due(const struct idle *i, int64_t now_us);
/* false also when either look saw something else than the kernel's account, or one that counts backwards. */
bool idle_look(struct idle *i, struct span stat, int64_t now_us);
