/* command_line.h - crest-collector's table of commands and options, and `check`.
 *
 *   code = options_parse(&COLLECTOR_PROGRAM, argc, argv, &options);
 *   if (strcmp(options_command(options), "check") == 0) code = collector_check(options); */
#pragma once

#include "lib/base/options.h"

extern const struct program_def COLLECTOR_PROGRAM;
/* check [KIND] FILE…: each file is validated with what it refers to; all mistakes on stderr. An exit code. */
int collector_check(const struct options *options);
/* test rules FILE…: promtool's unit tests. An exit code. */
int collector_test(const struct options *options);
