/* minutes.h - what came in, or is to come in, minute by minute; all markets together: these are counts, not money.
 *
 *   struct minutes m = {0};
 *   r = minutes_reach(&m, MINUTE_ORDERS, -30, 1440);          // room for the minutes -30..1409 from doors open
 *   minutes_add(&m, MINUTE_ORDERS, 15, 40);
 *   if (minutes_peak(&m, MINUTE_ORDERS, &minute, &value)) ...
 *   minutes_done(&m);
 *
 * What is not known is NAN, never 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"

#define MINUTE_MS 60000ll

enum minute_value { MINUTE_SESSIONS, MINUTE_ORDERS, MINUTE_REQUESTS, MINUTE_VALUES };
struct minutes {
    int64_t first; /* minute of [0], from doors open; may be negative */
    size_t n;
    double *values[MINUTE_VALUES]; /* NULL: none is known */
};
/* Let the minutes first..first+n-1 be there, new ones unknown. -E2BIG: over REHEARSAL_MINUTES_MAX; -ENOMEM. */
MUST_USE int minutes_reach(struct minutes *m, enum minute_value value, int64_t first, size_t n);
/* To what is known of the minute, which is there; v that is not finite or below 0 is not known. */
void minutes_add(struct minutes *m, enum minute_value value, int64_t minute, double v);
/* The first of its highest minutes; false: none is known. */
bool minutes_peak(const struct minutes *m, enum minute_value value, int64_t *ret_minute, double *ret_value);
void minutes_done(struct minutes *m);
