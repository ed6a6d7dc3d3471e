/* console.h - what crest-tui does with its options: terminal, script, or lines. */
#pragma once

#include "lib/base/options.h"

extern const struct program_def CONSOLE_PROGRAM;
/* Runs until it is told to end; the exit code. */
int console_run(const struct options *o);
