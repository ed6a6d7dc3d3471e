/* signals.h - what the collector recorded of the servers while load ran: the signals that tell of a limit (DESIGN §10), as samples.
 *
 *   struct signal_set set;
 *   char why[300];
 *   r = signals_fetch("http://127.0.0.1:9480", auth_file, start_ms, end_ms, &set, why, sizeof why);
 *   for (size_t i = 0; i < set.n; i++) ... set.list[i].signal->name, .service, .points[k].t_ms ...
 *   signals_done(&set);
 *
 * Samples come as they were stored, not on a grid: what says that a value held for five samples must not count one five times. Asked
 * in pieces of SIGNALS_PIECE_MS; a series of more than SIGNAL_POINTS_MAX samples keeps every second one, and so on. */
#pragma once

#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"
#include "loadgen/bottleneck/bend.h"

enum signal_unit { SIGNAL_SHARE, SIGNAL_SECONDS, SIGNAL_COUNT, SIGNAL_PER_SECOND };
struct server_signal {
    const char *kind;     /* pool, cache, dependency … */
    const char *name;     /* in words */
    const char *selector; /* PromQL, a plain selector */
    enum signal_unit unit;
    struct bend_rule rule;
    bool symptom; /* it shows a limit that lies elsewhere: what bends with it goes first */
};
struct signal_point {
    int64_t t_ms;
    double value;
};
struct signal_series {
    const struct server_signal *signal;
    char service[100], where[160]; /* where: its other labels, as "payment-gateway"; "" without */
    bool symptom;                  /* the signal's, but for a dependency's own response time */
    struct signal_point *points;   /* in time */
    size_t n, cap, every, seen;    /* every: so many samples stand behind one */
};
struct signal_set {
    struct signal_series *list;
    size_t n, cap;
    size_t left_out; /* series over SIGNAL_SERIES_MAX */
};
/* All signals between the two times. auth_file may be NULL. -errno with why: it did not answer, or not as a collector does. */
MUST_USE int signals_fetch(const char *collector, const char *auth_file, int64_t start_ms, int64_t end_ms,
                           struct signal_set *ret, char *why, size_t why_bytes);
/* What one answer of /api/v1/query says of a signal, added to the set. -EBADMSG: it is no matrix; -ENOMEM. For signals_fetch and its tests. */
MUST_USE int signals_read(struct signal_set *set, const struct server_signal *signal, struct span body);
void signals_done(struct signal_set *set);
/* The signals that are asked for, in the order in which they are named when several bend at once. */
const struct server_signal *server_signal_at(size_t i); /* NULL: past the last */
