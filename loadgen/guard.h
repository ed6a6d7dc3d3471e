/* guard.h - watches a collector while load runs: pages about customers end the run.
 *
 *   struct guard *g;
 *   r = guard_new("http://127.0.0.1:9480", auth_file, 15000, &g);
 *   if (guard_look(g) ...)                     // before the first session: is there trouble already?
 *   guard_step(g);                             // often, from the run's loop: asks every GUARD_EVERY_MS, never waits
 *   if (guard_reason(g)) ...                   // stop, and say this
 *   guard_free(g);
 *
 * A page is an alert that fires with severity="page"; it is about customers when it has no label source, or an empty one (DESIGN principle 6:
 * paging rules select source="", so load alone cannot fire them). Who cannot see must not go on: without an answer for
 * blind_ms the run ends, too. */
#pragma once

#include <stdint.h>

#include "lib/base/macros.h"

#define GUARD_EVERY_MS 500
#define GUARD_TIMEOUT_MS 2000

struct guard;
/* url: scheme, host, port of a collector (or of a Prometheus). auth_file may be NULL. -ENOMEM. */
MUST_USE int guard_new(const char *url, const char *auth_file, int64_t blind_ms, struct guard **ret);
void guard_free(struct guard *g); /* NULL is fine */
/* Ask once and wait for the answer. 0: it answered, guard_reason() tells whether there is a page; negative: there is none, guard_error() says
 * why. */
MUST_USE int guard_look(struct guard *g);
void guard_step(struct guard *g);
/* A sentence; NULL: go on. */
const char *guard_reason(const struct guard *g);
/* Why the last question had no answer; "" when it had. */
const char *guard_error(const struct guard *g);
