/* entry_options.h - the [Options] of an entry, rendered: what the step is told, and how its requests are made.
 *
 *   r = entry_options_read(&o, scope, entry, config, &out, &why);     // fills o, and what of it stands in the request itself
 *   ...out.route, out.limit_rate … point into o until the next read...
 *
 * config->options (of the command line) come first, the entry's own override them. Reused from step to step. */
#pragma once

#include "loadgen/engine/config.h"

struct entry_options {
    bool location, location_trusted, skip, digest, netrc, netrc_optional;
    int verbosity;                     /* 0: quiet; 1: requests and headers; 2: bodies too */
    int64_t max_redirs, retry, repeat; /* -1: no bound */
    int64_t retry_interval_ms, delay_ms;
    const char *user;       /* "name:password"; NULL: none */
    const char *netrc_file; /* NULL: ~/.netrc */
    const char *output;     /* file for the body; "-": stdout; NULL: none */
    struct conn_route route;
    bool routed; /* route says something */
    const char **resolve, **connect_to;
    struct arena texts;
};
void entry_options_init(struct entry_options *o);
void entry_options_done(struct entry_options *o);
/* Sets the scope's variables too (option `variable`). -EINVAL with *why; -ENOMEM. */
MUST_USE int entry_options_read(struct entry_options *o, struct hurl_scope *s, const struct hurl_entry *e,
                                const struct run_config *c, struct conn_request *out, struct hurl_failure *why);
