/* curl.h - curl commands as a journey: what a browser's "copy as cURL (bash)" gives, or a line of a script.
 *
 *   r = import_curl(text, "stdin", &draft, &problems);       // problems: warnings, and what cannot be read
 *
 * One request per URL of each command. Options that only change what curl shows are passed over; those that change the request
 * and have no counterpart in a journey are a warning with their name. */
#pragma once

#include "lib/base/problem.h"
#include "loadgen/import/journey.h"

/* -EINVAL: problems has the place; -ENOMEM. */
MUST_USE int import_curl(struct span text, const char *file, struct journey_draft *d, struct problems *ps);
