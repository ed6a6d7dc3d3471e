/* test_setup.h - what `crest-loadgen test` knows before the first request: files, variables, secrets, options for every entry.
 *
 *   struct test_setup s;
 *   int code = test_setup_read(o, &s);         // 0, or hurl's exit code after saying why
 *   test_setup_done(&s);
 *
 * Operands are files, folders (their .hurl files, and below) and "-"; --glob adds more. */
#pragma once

#include "lib/base/options.h"
#include "loadgen/command_options.h"
#include "loadgen/engine/config.h"

struct test_setup {
    struct journeys *journeys;
    char *cookies; /* --cookie; NULL: none */
    struct run_config config;
    struct command_options options;
    struct allow_hosts *allow;
    struct url target;
    char run_id[RUN_ID_BYTES_MAX + 1], header[RUN_ID_BYTES_MAX + 16];
};
/* Done is to be called whatever comes of it. */
int test_setup_read(const struct options *o, struct test_setup *ret);
void test_setup_done(struct test_setup *s);
