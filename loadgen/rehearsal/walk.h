/* walk.h - what a session of a journey does on average: its requests, and whether it comes to a step that moves money.
 *
 *   struct walk w = walk_of(journey->file);
 *   double orders_per_second = sessions_per_second * w.orders;
 *
 * Of a journey with @goto these are expectations over all its ways, of one without they are counts. A session that fails
 * on its way does less; `repeat` and `retry` do more. */
#pragma once

#include "loadgen/hurl/tree.h"

struct walk {
    double requests; /* entries sent per session */
    double buys;     /* probability that a session comes to a @money step at all */
    double orders;   /* per session: several @money steps on one way are one order, coming back to one is another */
    double payments; /* @money steps per session: what --money-rate counts */
};
MUST_USE int walk_of(const struct hurl_file *f, struct walk *ret); /* -ENOMEM */
