/* event_ask.h - asks a collector about its events, before a run: blocking.
 *
 *   struct event_ask ask = {.url = "http://127.0.0.1:9480", .auth_file = file};
 *   r = event_ask_event(&ask, "bf", &event);
 *   r = event_ask_measured(&ask, &event, until_ms, &minutes);
 *   if (r < 0) fprintf(stderr, "%s\n", ask.error);
 *
 * All return 0 or a negative errno with a sentence in ask.error; -ENOENT: there is no such event (the sentence names those that
 * there are). */
#pragma once

#include "loadgen/rehearsal/event_facts.h"

struct event_ask {
    const char *url;                 /* scheme, host and port of a collector */
    const char *auth_file, *ca_file; /* NULL: none */
    char error[600];
};
MUST_USE int event_ask_event(struct event_ask *ask, const char *name, struct event_facts *ret);
/* The event that ended last, before now; not the one called `but`. Without its minutes. -ENOENT: none is over. */
MUST_USE int event_ask_last_over(struct event_ask *ask, const char *but, int64_t now_ms, struct event_facts *ret);
/* Orders and requests of each minute that was over by until_ms; what the collector has no samples of is not known. */
MUST_USE int event_ask_measured(struct event_ask *ask, const struct event_facts *e, int64_t until_ms,
                                struct minutes *to);
