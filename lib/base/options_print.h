/* options_print.h - the texts made from an option table: --help, the man page, the range in an error message.
 *
 * Only options.c and options_print.c need this; programs use options.h. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/options.h"

/* Is word one of "a|b|c"? */
bool option_in_list(const char *bar_list, const char *word);
bool option_applies(const struct option_def *d, const char *command);
/* "1 to 64", "a, b or c", "" when anything goes. Cut at n bytes. */
void option_print_range(const struct option_def *d, char *text, size_t n);
/* "only with run or check", "only without a command". */
void option_print_commands(const struct option_def *d, char *text, size_t n);
/* The man page (troff, man(7)) that `make install` writes. */
void options_man(const struct program_def *program, FILE *to);
