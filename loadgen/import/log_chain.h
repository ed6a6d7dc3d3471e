/* log_chain.h - the visitors of a log as a Markov chain, and that chain at work: what a run of it would do, beside what was.
 *
 *   struct log_chain *c;
 *   r = log_chain_new(group, routes, order, &c);           // the LOG_STEPS_MAX most frequent routes; the others are bridged
 *   struct log_fidelity f;
 *   r = log_chain_compare(c, group, order, zero_us, &rng, &f);
 *   log_fidelity_done(&f); log_chain_free(c);
 *
 * A route that is left out is bridged: who went over it to the next one goes there at once, with the same probability. */
#pragma once

#include "lib/metric/hdr.h"
#include "loadgen/hurl/random.h"
#include "loadgen/import/log_routes.h"
#include "loadgen/import/log_sessions.h"

#define LOG_CHAIN_THINKS 40u

struct log_chain {
    size_t n;
    size_t route[LOG_STEPS_MAX]; /* most frequent first */
    uint64_t count[LOG_STEPS_MAX];
    double p[LOG_STEPS_MAX + 1][LOG_STEPS_MAX + 1]; /* 0: before the first, behind the last */
    double duration_us[LOG_STEPS_MAX];
    int64_t think_ms[LOG_STEPS_MAX][LOG_CHAIN_THINKS]; /* quantiles of the pauses before it, drawn with equal chances */
    size_t n_thinks[LOG_STEPS_MAX];
    uint64_t left_out; /* requests of routes that are none of these */
    size_t routes_left_out;
};
/* order: of log_routes_settle(). -ENOMEM. A group without requests gives n = 0. */
MUST_USE int log_chain_new(const struct log_group *g, const struct log_routes *routes, const size_t *order,
                           struct log_chain **ret);
void log_chain_free(struct log_chain *c);

/* What was (actual) and what a run of the plan would do (planned). */
struct log_pair {
    struct hdr *actual, *planned;
    double ks; /* the largest distance of the two distributions */
};
struct log_fidelity {
    struct log_pair gaps;    /* between requests, microseconds */
    struct log_pair starts;  /* between sessions */
    struct log_pair thinks;  /* pauses within sessions */
    struct log_pair lengths; /* requests per session */
    uint64_t sessions, actual_requests, planned_requests;
    double actual_share[LOG_STEPS_MAX], planned_share[LOG_STEPS_MAX], share_error; /* largest difference */
};
/* Sorts the group's times. -ENOMEM. */
MUST_USE int log_chain_compare(const struct log_chain *c, struct log_group *g, const size_t *order, struct rng *rng,
                               struct log_fidelity *ret);
void log_fidelity_done(struct log_fidelity *f);
