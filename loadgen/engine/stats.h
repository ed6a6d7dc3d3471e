/* stats.h - what a worker counts: one owner writes, whole objects change hands, sums are merged and never averaged.
 *
 *   struct run_stats *s;
 *   r = stats_new(n_steps, &s);
 *   stats_step(s, step, OUTCOME_OK, ERROR_NONE, response_us, service_us, NULL);
 *   r = stats_merge(total, s);
 *
 * Response time counts from when the step was meant to start, service time from when it was sent. Both histograms hold every step that was
 * sent, good or not: leaving time-outs out would hide the worst. 1 us to 1 h with 3 digits; made when a step is first recorded. */
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

struct step_stats {
    struct hdr *response, *service; /* NULL: nothing recorded yet */
    uint64_t outcomes[OUTCOMES], errors[ERRORS];
    double response_sum_us, service_sum_us;
    char samples[ERRORS][STATS_SAMPLE_MAX]; /* the first text of each kind */
};
struct run_stats {
    size_t n_steps;
    struct step_stats *steps;
    struct hdr *lag; /* how late the generator itself was: session starts and sends */
    struct {
        uint64_t planned, started, dropped, completed, failed, unfinished, capped;
    } sessions;
    struct {
        uint64_t started, dropped, completed, failed;
    } requests; /* every hop and retry; dropped: what the dropped sessions would have sent at least */
    uint64_t received_bytes, fresh_connections;
};
MUST_USE int stats_new(size_t n_steps, struct run_stats **ret);
void stats_free(struct run_stats *s);
void stats_reset(struct run_stats *s);
/* Add all of `from`, which has the same steps. -ENOMEM. */
MUST_USE int stats_merge(struct run_stats *into, const struct run_stats *from);
/* One finished step. Negative times: it was not sent. text: what went wrong, may be NULL. A histogram that cannot be made (no memory) is
 * counted in nothing: the outcome still is. */
void stats_step(struct run_stats *s, size_t step, enum step_outcome outcome, enum step_error error, int64_t response_us,
                int64_t service_us, const char *text);
uint64_t stats_step_total(const struct step_stats *s);
