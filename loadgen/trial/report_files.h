/* report_files.h - what tests came to, as other tools read it: JUnit XML, TAP, hurl's report.json.
 *
 *   r = report_junit("out/junit.xml", records, n);
 *   r = report_tap("out/results.tap", records, n);
 *   r = report_json_folder("out/json", records, n);       // out/json/report.json; bodies are in out/json/store
 *
 * A report that is there already is gone on with, as hurl does: several calls make one. -errno when it cannot be written. */
#pragma once

#include "loadgen/trial/record.h"

MUST_USE int report_junit(const char *path, struct record *const *records, size_t n);
MUST_USE int report_tap(const char *path, struct record *const *records, size_t n);
MUST_USE int report_json_folder(const char *folder, struct record *const *records, size_t n);
/* --curl: a line per entry. */
MUST_USE int report_curl(const char *path, struct record *const *records, size_t n);
/* One record's object of report.json, as --json prints it. */
void report_json_record(struct buf *out, const struct record *r);
enum trial_outcome record_outcome(const struct record *r);
