/* report_data.h - the figures of a report, before they are written. Private to the report. */
#pragma once

#include "collector/event/event_actual.h"
#include "collector/event/event_beside.h"
#include "collector/event/report.h"
#include "lib/base/limits.h"

struct report_totals {                                                /* of a market: NAN is unknown */
    double now[CURVE_VALUES], plan[CURVE_VALUES], last[CURVE_VALUES]; /* plan and last up to at_ms */
    double plan_whole[CURVE_VALUES];
    double peak; /* most orders in a minute */
    int64_t peak_ms;
};
struct report_step {       /* of the checkout */
    const char *operation; /* the tally's */
    double all, ok, business, technical, p95_s;
};
struct report_alert {
    char *name, *severity, *service;
    char *words; /* its rule's summary; "" is none */
    int64_t start_ms, end_ms;
    bool still; /* fires at the report's end */
};
struct report_note {
    int64_t t_ms;
    char *kind, *text, *service;
};
struct report_pause {
    int64_t start_ms, end_ms;
};
struct report_error {
    char *service, *what, *outcome;
    double count, share;
};
struct report_gap {
    char *target;
    int64_t start_ms, end_ms;
    bool down; /* scraped, but the target did not answer */
};
struct report {
    const struct report_sources *from;
    struct event *e;
    int64_t at_ms; /* the figures' end: the window's, or the newest sample's */
    bool
        begun; /* there are samples from after doors open; else at_ms is starts_ms and plan and last are the whole window's */
    int64_t cell_ms, alert_step_ms;
    bool has_targets; /* some `up` is stored: gaps can be told */
    struct event_actual *actual;
    struct event_beside *beside;  /* plan and last event */
    struct report_totals *totals; /* per market */
    struct tally *operations, *operation_buckets, *checkout_buckets, *http_all;
    struct report_step *steps;
    size_t n_steps;
    double checkout_p95_s, availability, operations_all, operations_failed;
    struct report_alert *alerts;
    size_t n_alerts, cap_alerts;
    struct report_note *notes;
    size_t n_notes, cap_notes;
    struct report_pause *pauses; /* no rule was evaluated */
    size_t n_pauses, cap_pauses;
    struct report_error *errors;
    size_t n_errors, cap_errors;
    struct report_gap *gaps;
    size_t n_gaps, cap_gaps;
    char **queries; /* PromQL of figure i + 1 */
    size_t n_queries, cap_queries;
};
MUST_USE int report_gather(struct report *r, struct promql_error *ret_error);
void report_done(struct report *r);
/* The number of a query in the list at the end; known texts keep theirs. 0 without memory. */
size_t report_query(struct report *r, const char *format, ...) PRINTF_LIKE(2, 3);
/* The quantile of a cumulative histogram by le from a tally whose last label is le, of the groups whose first labels are
 * `values`. NAN without samples. */
double report_quantile(const struct tally *t, const char *const *values, size_t n, double q);
/* {source="",service="…"…}: the event's selector with more matchers behind. */
void report_selector(const struct report *r, const char *metric, const char *more, struct buf *out);
