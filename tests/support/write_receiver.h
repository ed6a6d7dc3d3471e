/* write_receiver.h - a remote-write endpoint for tests: keeps every sample it accepted, answers as told.
 *
 *   struct write_receiver *w;
 *   check_ok(write_receiver_start(&w));
 *   write_receiver_answer(w, &(struct stub_page){.status = 503, .headers = "Retry-After: 1\r\n"});   // from now on
 *   ... write_receiver_url(w) ...
 *   n = write_receiver_samples(w, "up", samples, 100);    // of all series of that name, in order of arrival
 *   write_receiver_stop(w); */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tests/support/stub_server.h"

struct write_receiver;
struct received_sample {
    double value;
    int64_t t_ms;
    size_t request; /* number of the request that brought it, from 0; refused ones count */
    char labels[256];
};
MUST_USE int write_receiver_start(struct write_receiver **ret);
void write_receiver_stop(struct write_receiver *w);
const char *write_receiver_url(const struct write_receiver *w);
/* What requests get from now on; status 204 accepts (the default), anything else refuses. */
void write_receiver_answer(struct write_receiver *w, const struct stub_page *page);
size_t write_receiver_requests(struct write_receiver *w);
size_t write_receiver_samples(struct write_receiver *w, const char *name, struct received_sample *ret, size_t max);
/* Families whose metadata came, "name type help" each; how many. */
size_t write_receiver_metadata(struct write_receiver *w);
/* Header lines of the last request. */
void write_receiver_last_head(struct write_receiver *w, char *text, size_t bytes);
