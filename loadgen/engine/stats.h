/* stats.h - what a worker counts: one owner writes, whole objects change hands, sums are merged and never averaged.
 *
 *   struct run_stats *s;
 *   r = stats_new(n_journeys, n_steps, &s);
 *   stats_step(s, step, OUTCOME_OK, ERROR_NONE, response_us, service_us, NULL);
 *   r = stats_merge(total, s);
 *   struct stats_set *set;                       // one run_stats per phase of the run: what a worker writes and hands over
 *
 * Response time counts from when the step was meant to start, service time from when it was sent. Both histograms hold every step that was
 * sent, good or not: leaving time-outs out would hide the worst. 1 us to 1 h with 3 digits; made when something is first recorded, and
 * given back by stats_reset when it was not used for STATS_IDLE_RESETS: memory follows what is in use, not what once was. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/metric/hdr.h"

enum step_outcome {
    OUTCOME_OK,
    OUTCOME_BUSINESS, /* the status was as asserted, another assert failed */
    OUTCOME_ASSERT,   /* a capture or protocol assert failed, or the step could not be written */
    OUTCOME_STATUS,
    OUTCOME_TRANSPORT,
    OUTCOMES
};
enum step_error {
    ERROR_NONE,
    ERROR_DNS,
    ERROR_CONNECT,
    ERROR_TLS,
    ERROR_TIMEOUT,
    ERROR_RESET,
    ERROR_PROTOCOL,
    ERROR_STATUS,
    ERROR_BUSINESS, /* an assert about what was answered: declined, out of stock */
    ERROR_ASSERT,   /* about the protocol */
    ERROR_CAPTURE,
    ERROR_REDIRECTS, /* more than max-redirs */
    ERROR_REFUSED,   /* the host is not in the allow-list */
    ERROR_JOURNEY,   /* an unset variable and the like */
    ERRORS
};
const char *step_outcome_name(enum step_outcome o);
const char *step_error_name(enum step_error e);

#define STATS_HIGHEST_US 3600000000
#define STATS_DIGITS 3
#define STATS_SAMPLE_MAX 200

#define STATS_IDLE_RESETS 10u

/* What the service time went to. Name, connection and TLS are recorded where they happened: a connection that lives on pays none. */
enum step_part { PART_DNS, PART_CONNECT, PART_TLS, PART_FIRST_BYTE, PART_TRANSFER, PARTS };
const char *step_part_name(enum step_part p); /* "dns", "connect", "tls", "first_byte", "transfer" */

struct step_stats {
    struct hdr *response, *service; /* NULL: nothing recorded yet */
    struct hdr *parts[PARTS];
    unsigned idle; /* resets since something was recorded */
    uint64_t outcomes[OUTCOMES], errors[ERRORS];
    double response_sum_us, service_sum_us;
    char samples[ERRORS][STATS_SAMPLE_MAX]; /* the first text of each kind */
};
/* planned = started + dropped; started = completed + failed + unfinished + capped + those still running. */
struct session_counts {
    uint64_t planned, started, dropped, completed, failed, unfinished, capped;
};
/* Every hop and retry; dropped: what the dropped sessions would have sent at least. */
struct request_counts {
    uint64_t started, dropped, completed, failed;
};
void stats_add_sessions(struct session_counts *into, const struct session_counts *from);
void stats_add_requests(struct request_counts *into, const struct request_counts *from);
struct journey_stats {
    struct session_counts sessions;
    struct request_counts requests;
    struct hdr *response, *service; /* sums of a completed session's steps: what its user waited for the shop */
    struct hdr *duration;           /* from its planned arrival to its end, thinking included */
    unsigned idle;
};
struct run_stats {
    size_t n_steps, n_journeys;
    struct step_stats *steps;
    struct journey_stats *journeys;
    struct hdr *lag;                /* how late the generator itself was: session starts and sends */
    struct session_counts sessions; /* of all journeys */
    struct request_counts requests;
    uint64_t received_bytes, fresh_connections;
};
MUST_USE int stats_new(size_t n_journeys, size_t n_steps, struct run_stats **ret);
void stats_free(struct run_stats *s);
void stats_reset(struct run_stats *s);
/* Add all of `from`, which has the same steps. -ENOMEM. */
MUST_USE int stats_merge(struct run_stats *into, const struct run_stats *from);
/* One finished step. Negative times: it was not sent. text: what went wrong, may be NULL. A histogram that cannot be made (no memory) is
 * counted in nothing: the outcome still is. */
void stats_step(struct run_stats *s, size_t step, enum step_outcome outcome, enum step_error error, int64_t response_us,
                int64_t service_us, const char *text);
/* The parts of a step's time on the wire, microseconds; negative: did not happen. */
void stats_parts(struct run_stats *s, size_t step, const int64_t parts_us[PARTS]);
/* A completed session. */
void stats_session_times(struct run_stats *s, size_t journey, int64_t response_us, int64_t service_us,
                         int64_t duration_us);
/* All steps' histograms merged into one that the caller frees; NULL: nothing was recorded, or no memory. */
struct hdr *stats_all(const struct run_stats *s, bool service);
struct hdr *stats_all_parts(const struct run_stats *s, enum step_part part);
uint64_t stats_step_total(const struct step_stats *s);
/* Steps that came to that; OUTCOMES: all. */
uint64_t stats_outcomes(const struct run_stats *s, enum step_outcome o);

/* One per phase of the run. */
struct stats_set {
    size_t n;
    struct run_stats *of[];
};
MUST_USE int stats_set_new(size_t n, size_t n_journeys, size_t n_steps, struct stats_set **ret);
void stats_set_free(struct stats_set *set);
void stats_set_reset(struct stats_set *set);
/* Add all of `from`, phase by phase. -ENOMEM. */
MUST_USE int stats_set_merge(struct stats_set *into, const struct stats_set *from);
