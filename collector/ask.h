/* ask.h - the commands that talk to a running collector (--url) or read the data folder of a stopped one (--data).
 *
 *   if (strcmp(command, "mark") == 0) code = ask_mark(options);
 *
 * Each returns the exit code and has said on stderr what went wrong. */
#pragma once

#include "lib/base/options.h"

#define ASK_URL "http://127.0.0.1:9480"

/* mark KIND SERVICE TEXT: an annotation at --at, or now; "-" is no service. */
int ask_mark(const struct options *o);
