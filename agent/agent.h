/* agent.h - the agent's loop: when to scrape whom, and where the samples go. All state in one struct, one thread.
 *
 *   r = agent_new(&settings, mono_us(), unix_ms(), &problems, &a);
 *   while (!stopping) { next_us = agent_step(a, mono_us(), unix_ms()); wait for agent_fd(a) or next_us; }
 *   agent_drain(a, ...);  agent_free(a);
 *
 * A turn is a fixed list: HTTP events, file SD, scrapes that are due, senders. */
#pragma once

#include "agent/sender.h"
#include "agent/target.h"

struct agent;
struct agent_settings {
    const char *config_path; /* NULL: no targets */
    const char *data_dir;    /* spools live below it; NULL: none */
    uint64_t spool_bytes;    /* per endpoint */
};
/* Read by /metrics and status from the HTTP threads. */
struct agent_counts {
    atomic_ullong targets, targets_up, scrapes, scrape_failures, samples, duplicates;
    atomic_ullong skipped;         /* scrapes whose time passed before they could start */
    atomic_ullong lateness_us_max; /* scrape started after its time, since the start */
};
/* -EINVAL with problems: the configuration; other errors in why. */
MUST_USE int agent_new(const struct agent_settings *settings, int64_t now_us, int64_t unix_now_ms,
                       struct problems *problems, struct agent **ret);
void agent_free(struct agent *a);
int agent_fd(const struct agent *a);
/* One turn; returns the monotonic time (us) of the next deadline. */
int64_t agent_step(struct agent *a, int64_t now_us, int64_t unix_now_ms);
/* -EINVAL with problems: the old configuration stays. */
MUST_USE int agent_reload(struct agent *a, int64_t now_us, int64_t unix_now_ms, struct problems *problems);
/* Requests on their way: scrapes and writes. */
size_t agent_in_flight(const struct agent *a);
/* Has everything left memory (acknowledged or in the spool)? */
bool agent_idle(const struct agent *a);
const struct agent_counts *agent_counts(const struct agent *a);
/* The senders' counters, one call per endpoint, by index; false past the last. Endpoints are fixed while the process lives but for a reload
 * that changes them; safe from the HTTP threads. */
void agent_write_metrics(struct agent *a, struct metric_writer *w);
