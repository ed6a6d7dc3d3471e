/* trace.h - recorded arrivals: a file with one time a line, replayed as a phase of a plan.
 *
 *   struct trace t;
 *   r = trace_load("arrivals.csv", 2.0, &t, &problems);       // twice as fast as recorded
 *   trace_done(&t);
 *
 * A line is a number of seconds (12.5) or an RFC 3339 time, alone or as the first field of a CSV row; a first line that is neither is a
 * header; # begins a comment. Numbers from 100000000 on are seconds since 1970; these and RFC 3339 times count from the earliest of them,
 * smaller numbers from the phase's start. Any order. */
#pragma once

#include <stdint.h>

#include "lib/base/problem.h"
#include "lib/base/span.h"

struct trace {
    int64_t *at_us; /* rising, from the phase's start */
    size_t n;
    char *path; /* what trace_load read; NULL: a text was parsed */
};
MUST_USE int trace_load(const char *path, double speed, struct trace *ret, struct problems *problems);
MUST_USE int trace_parse(const char *name, struct span text, double speed, struct trace *ret,
                         struct problems *problems);
void trace_done(struct trace *t);
