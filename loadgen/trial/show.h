/* show.h - what a trial says to people: failures with their source line, requests and answers when asked for.
 *
 *   struct show how = {.source = text, .file = "cart.hurl", .secrets = &secrets, .color = isatty(2)};
 *   show_failure(&out, &how, entry, &why);
 *   show_call(&out, &how, call, 1);
 *
 * Everything is written with the secrets hidden. */
#pragma once

#include "loadgen/trial/trial.h"

struct show {
    struct span source; /* of the file */
    const char *file;
    const struct secrets *secrets;
    bool color;
};
/* As hurl shows it: what, where, the request's line, the line itself, wanted and actual. */
void show_failure(struct buf *out, const struct show *how, const struct hurl_entry *e, const struct hurl_failure *why);
/* "Assert failed", "Assert status code", … */
const char *show_title(const struct hurl_failure *why);
/* Lines with > < and *; verbosity 2 has bodies too. */
void show_call(struct buf *out, const struct show *how, const struct trial_call *call, int verbosity);
/* Status line and headers of an answer, as --include puts them before the body. */
void show_head(struct buf *out, const struct show *how, const struct conn_response *r);
/* A header line with the value of Authorization hidden where anything is secret. */
void show_header(struct buf *out, const struct secrets *secrets, struct span line);
