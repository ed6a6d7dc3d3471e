/* har.h - a browser's recording as a journey that runs without edits.
 *
 *   struct har_options o = {.keep_hosts = hosts, .n_keep_hosts = n};
 *   r = import_har(text, "shop.har", &o, &draft, &problems);    // problems: what was left out, what has to be set
 *
 * Kept are the requests to the site of the first page (its host, and hosts below it without www.), in the order in which they
 * started, with the gaps between them as think times. What a response brought and a later request sends is captured
 * (har_capture.h). Cookies are the jar's. Passwords, card numbers and credentials become variables to be set. */
#pragma once

#include "lib/base/problem.h"
#include "loadgen/import/journey.h"

struct har_options {
    const char *const *keep_hosts; /* beside the site's own; HOST or *.DOMAIN */
    size_t n_keep_hosts;
    const char *const *keep_headers; /* although they are the browser's own */
    size_t n_keep_headers;
    bool assets; /* style sheets, scripts, pictures: a step "assets" behind each page */
};
/* -EINVAL: problems has the reason; -ENOMEM. */
MUST_USE int import_har(struct span text, const char *name, const struct har_options *o, struct journey_draft *d,
                        struct problems *ps);
