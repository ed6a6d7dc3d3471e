/* config.h - what a run is told: plain data, borrowed, read by all workers, changed by nobody while they run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/wire/url.h"
#include "loadgen/engine/allow_hosts.h"
#include "loadgen/engine/conn.h"
#include "loadgen/engine/journeys.h"
#include "loadgen/engine/plan.h"
#include "loadgen/hurl/run.h"

#define RUN_ID_BYTES_MAX 64 /* DESIGN principle 6: [A-Za-z0-9._-]{1,64} */

/* One finished step, told while its answer is still there (`synthetic` keeps what failed). */
struct step_report {
    const struct journey *journey;
    const struct hurl_entry *entry;
    size_t step; /* in journeys.steps */
    bool good;
    const struct hurl_failure *why;     /* NULL when it is good */
    const struct hurl_scope *scope;     /* of the session: its variables */
    const struct secrets *secrets;      /* of the run */
    int64_t response_us, service_us;    /* negative: it was not sent */
    const struct conn_request *request; /* of the last hop; NULL: it was not sent */
    const struct conn_response *answer; /* NULL: there is none */
};
/* Load of one kind beside others, counted apart: customers, bots. It has journeys of its own, which are neighbours in the list. */
struct traffic_class {
    const char *name;
    size_t first_journey, n_journeys;
    const struct plan *plan; /* arrivals, or users over time when it is closed; NULL: `users` loop */
    unsigned users;          /* with a plan of arrivals: they share it, and arrivals wait for a free one */
    double think_scale;      /* 1: as the journeys say; 0: no thinking; NaN: as the run's */
    const char *user_agent;  /* NULL: the generator's own */
};
/* A bound that the run is to keep; a journey's own @slo is another way to say one of a step. NULL: of all. */
struct threshold {
    const char *traffic, *journey, *step, *phase;
    struct hurl_slo slo;
};

struct rehearsal;
struct run_config {
    const struct journeys *journeys;
    const struct rehearsal
        *rehearsal; /* the event that the load was made of, for reports (rehearsal/rehearsal.h); NULL: none */
    /* Several classes of traffic; NULL: one of all journeys, from `plan`, `users` and `think_scale`. */
    const struct traffic_class *traffic;
    size_t n_traffic;
    const struct plan_phase *phases; /* one behind the other from second 0; NULL: the run is one phase */
    size_t n_phases;
    const struct threshold *thresholds; /* beside the journeys' own */
    size_t n_thresholds;
    bool abort_on_threshold; /* stop when one is broken, from settle_ms after the start (of its phase) on */
    int64_t settle_ms;
    unsigned segment, segments; /* this machine's part of a run on several; segments 0: all of it */
    const struct plan *plan;    /* arrivals over time; NULL: users loop */
    unsigned
        users; /* with a plan: they share the arrivals, which wait for a free one; 0: each session is a new visitor */
    unsigned threads;      /* >= 1 */
    unsigned open_max;     /* sessions of a class open at once, of all threads; arrivals beyond are dropped */
    uint64_t sessions_max; /* 0: no bound */
    int64_t duration_ms;   /* without a plan; 0: until sessions_max */
    int64_t
        grace_ms; /* how long sessions may go on after the plan's end or the last start; what is due and has not started by then is dropped */
    int64_t max_lag_ms;                      /* p99 of the generator's own lateness above which the run is void */
    int64_t connect_timeout_ms, max_time_ms; /* of a request, unless its options say otherwise */
    double think_scale;                      /* 1: as the journeys say; 0: no thinking */
    double money_rate;                       /* @money steps per second, of all threads; 0: no cap */
    uint64_t seed;
    const char *run_id;
    const char *run_header;          /* value of X-Crest-Run, "load/ID"; NULL: not sent */
    const struct url *target;        /* NULL: the journeys' own hosts */
    const struct allow_hosts *allow; /* NULL: loopback only */
    const char *ca_file;
    const struct hurl_option *options; /* of the command line: every entry's, unless it says otherwise */
    size_t n_options;
    void (*on_step)(void *ctx, const struct step_report *step); /* from the workers' threads; NULL: nobody asks */
    void *on_step_ctx;
    const struct conn_driver *driver; /* NULL: CONN_HTTP1 */
};
