/* command_options.h - hurl's options on the command line: they hold for every entry that does not say otherwise.
 *
 *   struct command_options given;
 *   r = command_options_read(o, &given);            // read as their lines in [Options] would be
 *   config.options = given.list; config.n_options = given.n;
 *   command_options_done(&given);
 *
 * Which of them a command takes is said in the table of options. */
#pragma once

#include "lib/base/options.h"
#include "loadgen/hurl/tree.h"

struct command_options {
    struct hurl_option *list;
    size_t n;
    struct hurl_file *file; /* owns their texts */
};
/* -EINVAL, -ENOMEM: said on stderr. Done is to be called whatever comes of it. */
MUST_USE int command_options_read(const struct options *o, struct command_options *ret);
void command_options_done(struct command_options *co);
