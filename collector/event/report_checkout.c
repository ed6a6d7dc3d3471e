/* The checkout by step, and what went wrong. */
#include <inttypes.h>
#include <math.h>

#include "collector/event/report_html.h"
#include "lib/base/number.h"

void report_checkout(struct report *r, struct buf *out)
{
    struct buf selector;
    char end[NUMBER_TEXT_MAX];
    format_seconds_ms(end, r->at_ms);
    buf_init(&selector, 4096);
    int64_t whole = r->at_ms - r->e->starts_ms;
    report_selector(r, "commerce_operations_total", "operation=~\"cart|address|shipping|payment|order\"", &selector);
    size_t operations = report_query(r, "%s[%" PRId64 "ms] @ %s   # sum of the rises by operation and outcome",
                                     selector.data ? selector.data : "", whole, end);
    buf_clear(&selector);
    report_selector(r, "commerce_checkout_duration_seconds_bucket", "", &selector);
    size_t buckets = report_query(r, "%s[%" PRId64 "ms] @ %s   # sum of the rises by le, then the quantile",
                                  selector.data ? selector.data : "", whole, end);
    buf_clear(&selector);
    report_selector(r, "commerce_operation_duration_seconds_bucket",
                    "operation=~\"cart|address|shipping|payment|order\"", &selector);
    size_t steps = report_query(r, "%s[%" PRId64 "ms] @ %s   # sum of the rises by operation and le, then the quantile",
                                selector.data ? selector.data : "", whole, end);
    buf_done(&selector);
    buf_str(out, "<h2>Checkout</h2>\n");
    if (isnan(r->availability)) {
        buf_str(out,
                "<p>Nothing is known about it: there are no <code>commerce_operations_total</code> samples.</p>\n");
        return;
    }
    buf_str(out, "<p>Availability <strong>");
    report_share(out, r->availability, 2);
    buf_str(out, "</strong>");
    report_source(out, operations);
    buf_str(out, ": of ");
    report_amount(out, r->operations_all, 0);
    buf_str(out, " operations ");
    report_amount(out, r->operations_failed, 0);
    buf_str(
        out,
        " failed technically (error, time-out, throttled). A declined card or a sold-out article is no fault of the "
        "checkout and counts as business.");
    if (!isnan(r->checkout_p95_s)) {
        buf_str(out, " From the address to the order 95\xc2\xa0% of the customers took at most <strong>");
        report_amount(out, r->checkout_p95_s, r->checkout_p95_s < 10 ? 2 : 0);
        buf_str(out, " s</strong>");
        report_source(out, buckets);
        buf_str(out, ".");
    }
    buf_str(out, "</p>\n");
    report_table(out, "The checkout by step", " class=\"whole\"");
    buf_str(out, "<thead><tr><th scope=\"col\">step</th><th scope=\"col\">operations</th><th scope=\"col\">ok"
                 "</th><th scope=\"col\">business</th><th scope=\"col\">technical</th><th scope=\"col\">p95");
    report_source(out, steps);
    buf_str(out, "</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->n_steps; i++) {
        const struct report_step *s = &r->steps[i];
        buf_str(out, "<tr><th scope=\"row\">");
        report_text(out, s->operation);
        buf_str(out, "</th><td>");
        report_amount(out, s->all, 0);
        buf_str(out, "</td><td>");
        report_share(out, s->ok / s->all, 1);
        buf_str(out, "</td><td>");
        report_amount(out, s->business, 0);
        buf_str(out, "</td><td>");
        report_amount(out, s->technical, 0);
        buf_str(out, "</td><td>");
        report_amount(out, 1000 * s->p95_s, 0);
        buf_str(out, isnan(s->p95_s) ? "</td></tr>\n" : " ms</td></tr>\n");
    }
    buf_str(out, "</tbody>");
    report_table_end(out);
}

void report_errors(struct report *r, struct buf *out)
{
    struct buf selector;
    char end[NUMBER_TEXT_MAX];
    format_seconds_ms(end, r->at_ms);
    buf_init(&selector, 4096);
    report_selector(r, "commerce_operations_total", "outcome!=\"ok\"", &selector);
    size_t one = report_query(r, "%s[%" PRId64 "ms] @ %s   # sum of the rises by service, operation and outcome",
                              selector.data ? selector.data : "", r->at_ms - r->e->starts_ms, end);
    buf_clear(&selector);
    report_selector(r, "http_server_request_duration_seconds_count", "http_response_status_code=~\"5..\"", &selector);
    size_t two = report_query(r, "%s[%" PRId64 "ms] @ %s   # sum of the rises by service, route and status",
                              selector.data ? selector.data : "", r->at_ms - r->e->starts_ms, end);
    buf_done(&selector);
    buf_str(out, "<h2>Errors</h2>\n");
    if (r->n_errors == 0) {
        buf_str(out, tally_n(r->operations) || tally_n(r->http_all) ? "<p>None: every operation succeeded"
                                                                    : "<p>Nothing is known: there are no samples");
        report_source(out, one);
        report_source(out, two);
        buf_str(out, ".</p>\n");
        return;
    }
    report_table(out, "Errors", "");
    buf_str(out, "<thead><tr><th scope=\"col\">service</th><th class=\"what\" scope=\"col\">operation or route</th>"
                 "<th class=\"what\" scope=\"col\">outcome");
    report_source(out, one);
    report_source(out, two);
    buf_str(out, "</th><th scope=\"col\">count</th><th scope=\"col\">share</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->n_errors && i < REPORT_ROWS_MAX; i++) {
        const struct report_error *e = &r->errors[i];
        buf_str(out, "<tr><td class=\"what\">");
        report_text(out, e->service);
        buf_str(out, "</td><td class=\"what\">");
        report_text(out, e->what);
        buf_str(out, "</td><td class=\"what\">");
        report_text(out, e->outcome);
        buf_str(out, "</td><td>");
        report_amount(out, e->count, 0);
        buf_printf(out, "</td><td>%.2f %%</td></tr>\n", 100 * e->share);
    }
    report_hidden_rows(out, r->n_errors, 5);
    buf_str(out, "</tbody>");
    report_table_end(out);
}
