/* load_options.h - the options that every command that sends load has: how patient it is, where it may go, what the run is called.
 *
 *   struct load_options shared = {0};
 *   config.journeys = journeys;
 *   int code = load_options_read(o, "load", &shared, &config);     // X-Crest-Run: load/ID
 *   load_options_done(&shared); */
#pragma once

#include "lib/base/options.h"
#include "loadgen/command_options.h"
#include "loadgen/engine/config.h"

struct load_options {
    const char *default_target; /* of a plan; NULL: none. To be set before load_options_read */
    struct url target;
    struct allow_hosts *allow;
    struct command_options options;
    /* The collector that sees what the load does to the servers: --collector, else --guard's, else the one that results go to; NULL: none is
     * known. */
    const char *collector;
    char collector_text[512];
    char run_id[RUN_ID_BYTES_MAX + 1], header[RUN_ID_BYTES_MAX + 16];
};
/* Fills in the configuration, which then points into *to. kind: what the requests' X-Crest-Run says before the ID. Hosts that are known before
 * the start and not allowed are refused, each at its place. EXIT_OK, or an exit code after saying why. */
MUST_USE int load_options_read(const struct options *o, const char *kind, struct load_options *to,
                               struct run_config *config);
void load_options_done(struct load_options *lo);
/* "crest-loadgen: …" on stderr; EXIT_USAGE. */
int usage_error(const char *format, ...) PRINTF_LIKE(1, 2);
