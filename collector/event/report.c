/* A report from its first line to its last. */
#include "collector/event/report.h"

#include "collector/event/report_html.h"
#include "lib/base/number.h"
#include "lib/chart/page.h"

static void method(struct report *r, struct buf *out)
{
    unsigned resets = 0, births = 0;
    for (enum curve_value v = CURVE_ORDERS; v < CURVE_VALUES; v++) {
        resets += tally_resets(event_actual_tally(r->actual, v));
        births += tally_unknown_births(event_actual_tally(r->actual, v));
    }
    buf_str(
        out,
        "<h2>Method</h2>\n<p>Totals are differences of stored counter values between doors open and the end, added up "
        "sample by sample; where a counter fell it began anew at 0. Nothing is extrapolated. Only customers count: "
        "load tests and synthetic checks carry a <code>source</code> label and are left out. Currencies are not added "
        "up. Peak minutes and charts come from the same differences. A dash means that nothing is known, not 0.</p>\n");
    buf_printf(out, "<p>Counters of orders and money fell %u time%s, as they do when a process restarts.", resets,
               resets == 1 ? "" : "s");
    if (births)
        buf_printf(
            out,
            " %u of them appeared inside the window with a value whose beginning is not known: that value is not "
            "counted.",
            births);
    buf_str(out, "</p>\n<h2>Queries</h2>\n<ol class=\"queries\">\n");
    for (size_t i = 0; i < r->n_queries; i++) {
        buf_printf(out, "<li id=\"q%zu\"><code>", i + 1);
        report_text(out, r->queries[i]);
        buf_str(out, "</code></li>\n");
    }
    buf_str(out, "</ol>\n");
}

static void head(const struct report *r, struct buf *out)
{
    char starts[TZ_TEXT_MAX], ends[TZ_TEXT_MAX], at[TZ_TEXT_MAX];
    const struct event *e = r->e;
    tz_format(starts, e->tz, e->starts_ms, true);
    tz_format(ends, e->tz, e->ends_ms, true);
    tz_format(at, e->tz, r->at_ms, true);
    page_begin(out, span_str(e->title));
    buf_str(out, "<header><h1>");
    report_text(out, e->title);
    buf_printf(out, "</h1>\n<p class=\"window\">%s to %s, %s", starts, ends, e->zone);
    if (r->begun && r->at_ms < e->ends_ms)
        buf_printf(out, "<br>The samples end before the event does: all figures are until %s.", at);
    buf_str(out, "</p></header>\n");
}

int report_write(const struct report_sources *from, struct event *e, struct buf *out, struct promql_error *ret_error)
{
    struct report r = {.from = from, .e = e};
    int x = report_gather(&r, ret_error);
    if (x == 0) {
        head(&r, out);
        report_verdict(&r, out);
        x = report_sale(&r, out);
    }
    if (x == 0 && r.begun) {
        report_checkout(&r, out);
        report_timeline(&r, out);
        report_errors(&r, out);
        report_gaps(&r, out);
        method(&r, out);
    }
    if (x == 0) {
        page_end(out);
        x = buf_error(out);
    }
    report_done(&r);
    return x;
}
