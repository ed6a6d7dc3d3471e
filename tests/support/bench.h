/* bench.h - a bench's rows, its musts, and its section of docs/RESULTS.md.
 *
 *   struct bench *b = bench_new("latency", "From a fault to the webhook");
 *   bench_note(b, "peer: prometheus 2.42, prometheus-alertmanager 0.25");
 *   for (run = 0; run < 5; run++)
 *       bench_add(b, "p95 cause to webhook", "s", measured);     // one value a run
 *   bench_must(b, "p95 cause to webhook", BENCH_AT_MOST, 2);     // of the median
 *   bench_goal(b, "p95 cause to webhook", BENCH_AT_MOST, 1);     // is shown, does not fail
 *   return bench_finish(b);                                       // prints, writes, 1 when a must is missed
 *
 * bench_finish replaces the section "## bench-NAME" of docs/RESULTS.md ($CREST_RESULTS): commit, date, machine, and per
 * row the number of runs, median, least and most. Rows appear in the order of their first value. */
#pragma once

#include "lib/base/macros.h"

struct bench;
enum bench_bound { BENCH_AT_MOST, BENCH_AT_LEAST };

struct bench *bench_new(const char *name, const char *title); /* exits when there is no memory */
void bench_note(struct bench *b, const char *format, ...) PRINTF_LIKE(2, 3);
void bench_add(struct bench *b, const char *row, const char *unit, double value);
void bench_must(struct bench *b, const char *row, enum bench_bound bound, double limit);
void bench_goal(struct bench *b, const char *row, enum bench_bound bound, double limit);
/* The median of a row's values so far, NaN without any. */
double bench_median(const struct bench *b, const char *row);
/* Frees b. The exit code of the bench: 1 when a must is missed (or its row has no value), or nothing could be written. */
MUST_USE int bench_finish(struct bench *b);
