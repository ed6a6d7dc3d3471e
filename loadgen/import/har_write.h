/* har_write.h - one recorded request as a request of the journey: what came from a response becomes its variable, what is
 * secret becomes one to be set, what is the browser's own business goes.
 *
 *   struct har_writer w;
 *   har_writer_init(&w, &draft, keep_headers, n);
 *   r = har_write(&w, &exchange, &request);                // request: added to the draft
 *   r = har_sources_add(&w.sources, &exchange, request);    // for the requests that follow
 *   har_writer_done(&w);
 */
#pragma once

#include "loadgen/import/har_capture.h"

struct har_writer {
    struct journey_draft *draft;
    struct variable_names names;
    struct har_sources sources;
    struct strmap secrets;  /* value -> name of its variable (malloc) */
    struct buf secret_list; /* "card password" */
    const char *const *keep_headers;
    size_t n_keep_headers, n_secrets;
    bool card_used; /* by the request being written: it moves money */
};
void har_writer_init(struct har_writer *w, struct journey_draft *d, const char *const *keep_headers, size_t n);
void har_writer_done(struct har_writer *w);
/* -E2BIG: JOURNEY_STEPS_MAX requests stand in the draft; -ENOMEM. */
MUST_USE int har_write(struct har_writer *w, const struct har_exchange *x, struct draft_request **ret);
