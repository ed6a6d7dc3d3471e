/* writers.h - remote-write senders that remember what was acknowledged, so that a test can ask for it.
 *
 *   struct writers *w = writers_new(4, 10, unix_ms() - 1800000);     // 4 senders, requests of 10 samples
 *   writers_start(w, url);  ... kill the collector ...  writers_stop(w);
 *   writers_check(w, collector, true);                    // every acknowledged sample is there, bit for bit
 *   writers_free(w);
 *
 * Sender i's n-th request holds one sample of each series crest_written{sender="i",k="0"…}, at base_ms + n. A request that
 * was not acknowledged is sent again, as a sender does; so what was acknowledged is 0 … writers_acked() - 1. */
#pragma once

#include "tests/support/e2e.h"

struct writers;
struct writers *writers_new(unsigned senders, unsigned samples, int64_t base_ms);
/* Send to the collector from a thread each, one request after the other, until writers_stop or until it does not answer. */
void writers_start(struct writers *w, const struct e2e_program *collector);
void writers_stop(struct writers *w);
void writers_free(struct writers *w);
/* Requests acknowledged so far, of all senders. */
uint64_t writers_acked(const struct writers *w);
/* Ask for the samples acknowledged since the last check, or for all. Fails the test when one is missing or has another value. Not while
 * they send. Returns how many samples it has seen. */
uint64_t writers_check(struct writers *w, const struct e2e_program *collector, bool all);
