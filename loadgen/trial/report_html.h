/* report_html.h - what tests came to, for people: DIR/index.html has a line per run of a file, DIR/store a page for each.
 *
 *   r = report_html_folder("out/html", records, n);       // out/html/store must be there
 *
 * A page has the failures, the requests in their order and the file's text. No script, nothing from elsewhere, secrets in none of it. Lines of a
 * report that is there already stay, as hurl's do: several calls make one. */
#pragma once

#include "loadgen/trial/record.h"

/* -errno when it cannot be written. */
MUST_USE int report_html_folder(const char *folder, struct record *const *records, size_t n);
