/* sender.h - one remote_write endpoint: batches leave at once while it answers, wait in the spool while it does not.
 *
 *   r = sender_new(&endpoint, http, dir, spool_bytes, &s);
 *   sender_add(s, &labels, &sample, now_us);            // from scrapes
 *   deadline_us = sender_step(s, now_us, 0);                // sends what is due; INT64_MAX: nothing to wait for
 *   sender_free(s);                                       // what was not acknowledged goes to the spool
 *
 * At most one live request is in flight; samples that come meanwhile gather in the next batch. A batch (or a request in
 * flight) that is older than SPOOL_AFTER_US is written to the spool, so that a sample is acknowledged, in the spool, or
 * at most a second old. While the endpoint answers, live batches go first and the backlog follows one request at a time.
 * 5xx, 429 and network errors are retried with backoff (Retry-After honoured); other 4xx drop the batch, counted. */
#pragma once

#include <stdatomic.h>

#include "agent/config.h"
#include "agent/spool.h"
#include "lib/base/metric_writer.h"
#include "lib/metric/sample.h"

struct sender;
/* dir NULL: no spool, what cannot be sent is dropped and counted. */
MUST_USE int sender_new(const struct remote_endpoint *endpoint, struct http_client *http, const char *dir,
                        uint64_t spool_bytes, struct sender **ret);
void sender_free(struct sender *s);
void sender_add(struct sender *s, const struct labels *labels, const struct sample *sample, int64_t now_us);
void sender_metadata(struct sender *s, const struct metadata *m);
/* hold_until_us: no live batch leaves before, more of the same moment is on its way; 0: none. Never longer than 100 ms. */
int64_t sender_step(struct sender *s, int64_t now_us, int64_t hold_until_us);
/* Nothing in memory waits to be sent or spooled? */
bool sender_idle(const struct sender *s);
const char *sender_url(const struct sender *s); /* a password in it is shown as xxxxx */
/* Plain counters, read by /metrics from another thread. */
struct sender_counts {
    atomic_ullong samples, sent_samples, dropped_samples, failed_requests, requests, spool_bytes, spool_records,
        spool_dropped_samples, spool_damaged_records;
    atomic_bool healthy;
};
const struct sender_counts *sender_counts(const struct sender *s);
