/* report_html.h - the parts of a report's page, and how it writes numbers, times and texts. Private to the report.
 *
 * Shares of a plan and availabilities are cut, not rounded: 99.6 % of a plan is not "100 %". NAN is a dash: not known, not 0. */
#pragma once

#include "collector/event/report_data.h"

void report_text(struct buf *out, const char *s);
/* The small number behind a figure: its query's place in the list at the end. */
void report_source(struct buf *out, size_t query);
void report_amount(struct buf *out, double v, int decimals);
/* "1,234.50 EUR". */
void report_money(struct buf *out, double v, const char *currency);
/* "81 %" of 0.8199; decimals at most 3. */
void report_share(struct buf *out, double ratio, int decimals);
/* On the clock of the event's zone; with its day when the event is longer than most of one. */
void report_when(const struct report *r, struct buf *out, int64_t t_ms);
/* "1 h 2 min 3 s", whole seconds. */
void report_duration(struct buf *out, int64_t ms);
/* " +12 %" of a beside b; nothing where one is not known. */
void report_difference(struct buf *out, double a, double b);
/* <table> in a box of its own, which scrolls where the screen is narrower: with the keyboard, too. */
void report_table(struct buf *out, const char *label, const char *more);
void report_table_end(struct buf *out);
void report_hidden_rows(struct buf *out, size_t n, unsigned columns);

/* ---- the page's parts, in their order ---- */
void report_verdict(const struct report *r, struct buf *out);
MUST_USE int report_sale(struct report *r, struct buf *out);
void report_checkout(struct report *r, struct buf *out);
void report_timeline(struct report *r, struct buf *out);
void report_errors(struct report *r, struct buf *out);
void report_gaps(struct report *r, struct buf *out);
