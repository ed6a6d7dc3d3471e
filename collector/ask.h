/* ask.h - the commands that talk to a running collector (--url) or read the data folder of a stopped one (--data).
 *
 *   if (strcmp(command, "mark") == 0) code = ask_mark(options);
 *
 * Each returns the exit code and has said on stderr what went wrong. */
#pragma once

#include "lib/base/options.h"
#include "lib/base/problem.h"
#include "lib/base/span.h"

#define ASK_URL "http://127.0.0.1:9480"

/* mark KIND SERVICE TEXT: an annotation at --at, or now; "-" is no service. */
int ask_mark(const struct options *o);
/* event import FILE | list | check FILE… | remove NAME */
int ask_event(const struct options *o);
/* report EVENT --output FILE, one self-contained HTML file. */
int ask_report(const struct options *o);
/* store check|stat|… DIR: care for the data folder (ask_store.h). */
int ask_store(const struct options *o);
/* One event file and what it names, for `check`: prints what it holds when it is good. o may be NULL. */
MUST_USE int ask_event_check(const char *file, const struct options *o, struct problems *problems);
/* An event file (a map with `window` and `markets`)? What `check` without a kind goes by. */
bool ask_is_event_file(struct span text);
/* Is the folder of a stopped collector meant? */
bool ask_wants_data(const struct options *o);
