/* report.h - a run in words and in JSON: the live line, the summary, the file for machines (docs/loadgen.md has its schema).
 *
 *   report_live(stderr, &tick, terminal);          // each second
 *   report_text(stdout, &config, &result);
 *   report_json(&out, &config, &result, NULL); */
#pragma once

#include <stdio.h>

#include "lib/wire/json.h"
#include "loadgen/engine/run.h"

#define REPORT_TIME_MAX 24
/* "870us", "12.3ms", "1.25s": as many digits as mean something. Returns `to`. */
const char *report_time(char to[REPORT_TIME_MAX], int64_t us);

/* One line; with `terminal` it overwrites itself. */
void report_live(FILE *to, const struct run_tick *tick, bool terminal);
void report_text(FILE *to, const struct run_config *config, const struct run_result *result);
/* The series, a line per point and one per step in it. */
void report_csv(struct buf *out, const struct run_config *config, const struct run_result *result);
/* limit: what gave way; NULL: nobody looked. */
struct run_limit;
void report_json(struct buf *out, const struct run_config *config, const struct run_result *result,
                 const struct run_limit *limit);
/* The members that every result's JSON begins with: run, version, started, duration_s. */
void report_json_head(struct json_writer *j, const char *run_id, int64_t started_ms, double seconds);
