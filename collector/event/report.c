/* Writes a report's figures as HTML. */
#include "collector/event/report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "collector/event/currency.h"
#include "collector/event/report_data.h"
#include "collector/event/report_page.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"
#include "lib/chart/chart.h"

#define MISSING "–"

static void text(struct buf *out, const char *s)
{
    html_text(out, span_str(s));
}

/* The small number behind a figure: its query's place in the list at the end. */
static void source(struct buf *out, size_t query)
{
    if (query)
        buf_printf(out, "<a class=\"q\" href=\"#q%zu\">%zu</a>", query, query);
}

static void amount(struct buf *out, double v, int decimals)
{
    char digits[MONEY_TEXT_MAX];
    if (isnan(v)) {
        buf_str(out, MISSING);
        return;
    }
    amount_format(digits, v, decimals);
    buf_str(out, digits);
}

static void when(const struct report *r, struct buf *out, int64_t t_ms)
{
    char clock[TZ_TEXT_MAX];
    int64_t length_ms = r->e->ends_ms - r->e->starts_ms;
    if (length_ms > 20 * 3600000ll)
        tz_format(clock, r->e->tz, t_ms, false);
    else
        tz_format_clock(clock, r->e->tz, t_ms, true);
    buf_str(out, clock);
}

/* Whole seconds, as people say it. */
static void duration(struct buf *out, int64_t ms)
{
    char words[NUMBER_TEXT_MAX];
    format_duration_ms(words, (ms + 500) / 1000 * 1000);
    buf_str(out, words);
}

/* "+12 %" of a beside b. */
static void difference(struct buf *out, double a, double b)
{
    if (isnan(a) || !(b > 0))
        return;
    buf_printf(out, " <span class=\"%s\">%+.0f %%</span>", a >= b ? "up" : "under", 100 * (a / b - 1));
}

/* ---- the verdict ---- */

/* Of all markets with a plan: the worst revenue, or orders where no revenue is planned. */
static double share_of_plan(const struct report *r, size_t market)
{
    const struct report_totals *t = &r->totals[market];
    enum curve_value v = t->plan[CURVE_REVENUE] > 0 ? CURVE_REVENUE : CURVE_ORDERS;
    return t->plan[v] > 0 ? t->now[v] / t->plan[v] : NAN;
}

static void verdict(const struct report *r, struct buf *out)
{
    const struct event *e = r->e;
    size_t planned = 0, met = 0;
    int64_t firing_ms = 0;
    for (size_t m = 0; m < e->n_markets; m++) {
        double share = share_of_plan(r, m);
        planned += isnan(share) ? 0 : 1;
        met += share >= 1 ? 1 : 0;
    }
    buf_str(out, "<p class=\"verdict\">");
    text(out, e->title);
    if (r->at_ms < e->ends_ms)
        buf_str(out, ", so far,");
    if (planned == 0)
        buf_str(out, " had no plan to be measured by");
    else if (met == planned)
        buf_str(out, planned > 1 ? " met its plan in every market" : " met its plan");
    else if (met == 0)
        buf_str(out, planned > 1 ? " stayed below its plan in every market" : " stayed below its plan");
    else
        buf_printf(out, " met its plan in %zu of %zu markets", met, planned);
    buf_str(out, ": ");
    for (size_t m = 0; m < e->n_markets; m++) {
        const struct report_totals *t = &r->totals[m];
        char money[MONEY_TEXT_MAX];
        buf_str(out, m ? m + 1 == e->n_markets ? " and " : ", " : "");
        if (isnan(t->now[CURVE_ORDERS]) && isnan(t->now[CURVE_REVENUE])) {
            buf_str(out, "nothing known from ");
            text(out, e->markets[m].name);
            continue;
        }
        amount(out, t->now[CURVE_ORDERS], 0);
        buf_str(out, " orders");
        if (!isnan(t->now[CURVE_REVENUE])) {
            money_format(money, t->now[CURVE_REVENUE], span_str(e->markets[m].currency));
            buf_printf(out, " worth %s", money);
        }
        buf_str(out, " from ");
        text(out, e->markets[m].name);
        double share = share_of_plan(r, m);
        if (!isnan(share))
            buf_printf(out, " (%.0f %% of plan)", 100 * share);
    }
    buf_str(out, ". ");
    if (!isnan(r->availability))
        buf_printf(out, "%.2f %% of the checkout's operations went well technically", 100 * r->availability);
    else
        buf_str(out, "Nothing is known about the checkout");
    for (size_t i = 0; i < r->n_alerts; i++)
        firing_ms += r->alerts[i].end_ms - r->alerts[i].start_ms;
    if (r->n_alerts) {
        buf_printf(out, "; %zu alert%s fired, ", r->n_alerts, r->n_alerts == 1 ? "" : "s");
        duration(out, firing_ms);
        buf_str(out, " in all.</p>\n");
    } else {
        buf_str(out, "; no alert fired.</p>\n");
    }
}

/* ---- orders and revenue ---- */

/* The plain difference when it says the same as the sum of the rises; else the samples themselves. */
static size_t total_query(struct report *r, size_t market, enum curve_value value)
{
    struct buf selector, plain;
    struct promql_result *result = NULL;
    struct promql_error error;
    const struct event_market *m = &r->e->markets[market];
    double scale = value == CURVE_REVENUE ? currency_scale(span_str(m->currency)) : 1;
    buf_init(&selector, 4096);
    buf_init(&plain, 16384);
    struct buf more;
    buf_init(&more, 1024);
    buf_str(&more, "market=");
    quote_go(&more, span_str(m->name));
    if (value == CURVE_REVENUE)
        buf_printf(&more, ",currency=\"%s\"", m->currency);
    report_selector(r, value == CURVE_ORDERS ? "commerce_orders_total" : "commerce_revenue_minor_units_total",
                    more.data ? more.data : "", &selector);
    char start[NUMBER_TEXT_MAX], end[NUMBER_TEXT_MAX];
    format_seconds_ms(start, r->e->starts_ms);
    format_seconds_ms(end, r->at_ms);
    buf_printf(&plain, "sum(%s @ %s) - (sum(%s @ %s) or vector(0))", selector.data, end, selector.data, start);
    struct query_request q = {.text = buf_view(&plain), .start_ms = r->at_ms, .end_ms = r->at_ms};
    bool same = !buf_error(&plain) && query_run(r->from->query, &q, &result, &error) == 0 && result->n_series == 1 &&
                fabs(result->series[0].values[0] - r->totals[market].now[value] * scale) < 0.001;
    size_t n =
        same ? report_query(r, "%s", plain.data)
             : report_query(r, "%s[%" PRId64 "ms] @ %s   # sum of the rises; a counter that falls began anew at 0",
                            selector.data, r->at_ms - r->e->starts_ms, end);
    promql_result_free(result);
    buf_done(&more);
    buf_done(&selector);
    buf_done(&plain);
    return n;
}

static void totals_table(struct report *r, struct buf *out)
{
    const struct event *e = r->e;
    buf_str(
        out,
        "<table><thead><tr><th scope=\"col\">market</th><th scope=\"col\"></th><th scope=\"col\">actual</th>"
        "<th scope=\"col\">plan</th><th scope=\"col\">last event</th><th scope=\"col\">peak minute</th></tr></thead>\n"
        "<tbody>\n");
    for (size_t m = 0; m < e->n_markets; m++) {
        const struct report_totals *t = &r->totals[m];
        for (enum curve_value v = CURVE_ORDERS; v < CURVE_VALUES; v++) {
            int decimals = v == CURVE_REVENUE ? currency_decimals(span_str(e->markets[m].currency)) : 0;
            buf_str(out, "<tr>");
            if (v == CURVE_ORDERS) {
                buf_str(out, "<th scope=\"rowgroup\" rowspan=\"2\">");
                text(out, e->markets[m].name);
                buf_str(out, "</th>");
            }
            buf_printf(out, "<td class=\"what\">%s</td><td class=\"main\">",
                       v == CURVE_ORDERS ? "orders" : e->markets[m].currency);
            amount(out, t->now[v], decimals);
            if (!isnan(t->now[v]))
                source(out, total_query(r, m, v));
            buf_str(out, "</td><td>");
            amount(out, t->plan[v], decimals);
            difference(out, t->now[v], t->plan[v]);
            buf_str(out, "</td><td>");
            amount(out, t->last[v], decimals);
            difference(out, t->now[v], t->last[v]);
            buf_str(out, "</td>");
            if (v == CURVE_ORDERS) {
                buf_str(out, "<td rowspan=\"2\">");
                if (isnan(t->peak)) {
                    buf_str(out, MISSING);
                } else {
                    amount(out, t->peak, 0);
                    buf_str(out, " orders from ");
                    when(r, out, t->peak_ms);
                }
                buf_str(out, "</td>");
            }
            buf_str(out, "</tr>\n");
        }
    }
    buf_str(out, "</tbody></table>\n");
    if (event_actual_has_strangers(r->actual))
        buf_str(out,
                "<p class=\"note\">There is money in other currencies or markets than the event's: it is in no figure "
                "here.</p>\n");
}

/* Plan and last event hold for their minute; the actual rate is that of its cell. */
MUST_USE static int market_chart(struct report *r, size_t market, enum curve_value value, struct buf *out)
{
    const struct event *e = r->e;
    size_t cells = (size_t)((r->at_ms - e->starts_ms) / r->cell_ms),
           points = (size_t)((e->ends_ms - e->starts_ms + r->cell_ms - 1) / r->cell_ms);
    cells = cells < event_actual_cells(r->actual) ? cells : event_actual_cells(r->actual);
    AUTO_FREE double *actual = calloc(cells + 1, sizeof *actual), *plan = calloc(points + 1, sizeof *plan),
                     *last = calloc(points + 1, sizeof *last);
    AUTO_FREE struct chart_mark *marks = calloc(r->n_alerts + r->n_notes + 1, sizeof *marks);
    AUTO_FREE char(*labels)[24] = calloc(r->n_alerts + r->n_notes + 1, sizeof *labels);
    char title[256];
    struct chart *c = NULL;
    if (!actual || !plan || !last || !marks || !labels)
        return -ENOMEM;
    for (size_t i = 0; i < cells; i++)
        actual[i] = event_actual_cell(r->actual, market, value, i) * (double)MINUTE_MS / (double)r->cell_ms;
    for (size_t i = 0; i < points; i++) {
        int64_t minute = (int64_t)i * r->cell_ms / MINUTE_MS;
        plan[i] = curve_at(event_beside_plan(r->beside, market), value, minute);
        last[i] = curve_at(event_beside_last(r->beside, market), value, minute);
    }
    size_t n_marks = 0;
    for (size_t i = 0; i < r->n_alerts; i++, n_marks++) {
        snprintf(labels[n_marks], sizeof labels[0], "%.12s", r->alerts[i].name);
        marks[n_marks] = (struct chart_mark){r->alerts[i].start_ms, r->alerts[i].end_ms, labels[n_marks], true};
    }
    for (size_t i = 0; i < r->n_notes; i++, n_marks++) {
        snprintf(labels[n_marks], sizeof labels[0], "%.12s", r->notes[i].kind ? r->notes[i].kind : "");
        marks[n_marks] = (struct chart_mark){r->notes[i].t_ms, r->notes[i].t_ms, labels[n_marks], false};
    }
    snprintf(title, sizeof title, "%s per minute, %.60s", value == CURVE_ORDERS ? "Orders" : "Revenue",
             e->markets[market].name);
    struct chart_line lines[] = {
        {"actual", CHART_ACTUAL, actual, cells, e->starts_ms, r->cell_ms},
        {"plan", CHART_PLAN, plan, points, e->starts_ms, r->cell_ms},
        {"last event", CHART_LAST, last, points, e->starts_ms, r->cell_ms},
    };
    struct chart_spec spec = {.title = title,
                              .unit = value == CURVE_ORDERS ? "orders/min" : e->markets[market].currency,
                              .start_ms = e->starts_ms,
                              .end_ms = e->ends_ms,
                              .tz = e->tz,
                              .lines = lines,
                              .n_lines = ARRAY_LEN(lines),
                              .marks = marks,
                              .n_marks = n_marks};
    int x = chart_draw(&spec, &c);
    if (x < 0)
        return x;
    buf_str(out, "<figure><figcaption>");
    text(out, title);
    buf_str(out, "</figcaption>\n");
    chart_svg(c, out);
    buf_str(out, "<details><summary>The numbers of this chart</summary>\n");
    chart_table(&spec, 24, out);
    buf_str(out, "</details></figure>\n");
    chart_free(c);
    return 0;
}

/* ---- checkout ---- */

static void checkout(struct report *r, struct buf *out)
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
        buf_str(out, "<p>Nothing is known: there are no <code>commerce_operations_total</code> samples.</p>\n");
        return;
    }
    buf_printf(out, "<p>Availability <strong>%.2f %%</strong>", 100 * r->availability);
    source(out, operations);
    buf_str(out, ": of ");
    amount(out, r->operations_all, 0);
    buf_str(out, " operations ");
    amount(out, r->operations_failed, 0);
    buf_str(
        out,
        " failed technically (error, time-out, throttled). A declined card or a sold-out article is no fault of the "
        "checkout and counts as business.");
    if (!isnan(r->checkout_p95_s)) {
        buf_str(out, " From the address to the order 95 % of the customers took at most <strong>");
        amount(out, r->checkout_p95_s, r->checkout_p95_s < 10 ? 2 : 0);
        buf_str(out, " s</strong>");
        source(out, buckets);
        buf_str(out, ".");
    }
    buf_str(out,
            "</p>\n<table><thead><tr><th scope=\"col\">step</th><th scope=\"col\">operations</th><th scope=\"col\">ok"
            "</th><th scope=\"col\">business</th><th scope=\"col\">technical</th><th scope=\"col\">p95");
    source(out, steps);
    buf_str(out, "</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->n_steps; i++) {
        const struct report_step *s = &r->steps[i];
        buf_str(out, "<tr><th scope=\"row\">");
        text(out, s->operation);
        buf_str(out, "</th><td>");
        amount(out, s->all, 0);
        buf_printf(out, "</td><td>%.1f %%</td><td>", 100 * s->ok / s->all);
        amount(out, s->business, 0);
        buf_str(out, "</td><td>");
        amount(out, s->technical, 0);
        buf_str(out, "</td><td>");
        amount(out, 1000 * s->p95_s, 0);
        buf_str(out, isnan(s->p95_s) ? "</td></tr>\n" : " ms</td></tr>\n");
    }
    buf_str(out, "</tbody></table>\n");
}

/* ---- time-line ---- */

static void hidden_rows(struct buf *out, size_t n, unsigned columns)
{
    if (n > REPORT_ROWS_MAX)
        buf_printf(out, "<tr><td colspan=\"%u\">and %zu more</td></tr>\n", columns, n - REPORT_ROWS_MAX);
}

static void alert_row(const struct report *r, struct buf *out, const struct report_alert *a)
{
    buf_str(out, "<tr class=\"alert\"><td>");
    when(r, out, a->start_ms);
    buf_str(out, "</td><td>");
    duration(out, a->end_ms - a->start_ms);
    buf_str(out, a->still ? ", still" : "");
    buf_str(out, "</td><td>alert ");
    text(out, a->severity);
    buf_str(out, "</td><td><strong>");
    text(out, a->name);
    buf_str(out, "</strong> ");
    text(out, a->service);
    buf_str(out, "</td></tr>\n");
}

static void note_row(const struct report *r, struct buf *out, const struct report_note *n)
{
    buf_str(out, "<tr><td>");
    when(r, out, n->t_ms);
    buf_str(out, "</td><td></td><td>");
    text(out, n->kind);
    buf_str(out, "</td><td>");
    text(out, n->text);
    buf_str(out, " ");
    text(out, n->service);
    buf_str(out, "</td></tr>\n");
}

static void timeline(struct report *r, struct buf *out)
{
    buf_str(out, "<h2>Time-line</h2>\n");
    size_t query = report_query(r, "ALERTS{alertstate=\"firing\"}");
    if (r->n_alerts + r->n_notes == 0) {
        buf_str(out, "<p>No alert fired");
        source(out, query);
        buf_str(out, " and nobody wrote an annotation.</p>\n");
        return;
    }
    buf_str(out, "<table class=\"timeline\"><thead><tr><th scope=\"col\">at</th><th scope=\"col\">for</th>"
                 "<th scope=\"col\">kind</th><th scope=\"col\">what");
    source(out, query);
    buf_str(out, "</th></tr></thead>\n<tbody>\n");
    size_t a = 0, n = 0;
    while (a + n < REPORT_ROWS_MAX && (a < r->n_alerts || n < r->n_notes)) {
        if (n == r->n_notes || (a < r->n_alerts && r->alerts[a].start_ms <= r->notes[n].t_ms))
            alert_row(r, out, &r->alerts[a++]);
        else
            note_row(r, out, &r->notes[n++]);
    }
    hidden_rows(out, r->n_alerts + r->n_notes, 4);
    buf_str(out, "</tbody></table>\n");
}

static void errors(struct report *r, struct buf *out)
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
        source(out, one);
        source(out, two);
        buf_str(out, ".</p>\n");
        return;
    }
    buf_str(out,
            "<table><thead><tr><th scope=\"col\">service</th><th class=\"what\" scope=\"col\">operation or route</th>"
            "<th class=\"what\" scope=\"col\">outcome");
    source(out, one);
    source(out, two);
    buf_str(out, "</th><th scope=\"col\">count</th><th scope=\"col\">share</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->n_errors && i < REPORT_ROWS_MAX; i++) {
        const struct report_error *e = &r->errors[i];
        buf_str(out, "<tr><td class=\"what\">");
        text(out, e->service);
        buf_str(out, "</td><td class=\"what\">");
        text(out, e->what);
        buf_str(out, "</td><td class=\"what\">");
        text(out, e->outcome);
        buf_str(out, "</td><td>");
        amount(out, e->count, 0);
        buf_printf(out, "</td><td>%.2f %%</td></tr>\n", 100 * e->share);
    }
    hidden_rows(out, r->n_errors, 5);
    buf_str(out, "</tbody></table>\n");
}

/* ---- method ---- */

static void gaps(struct report *r, struct buf *out)
{
    buf_str(out, "<h2>Data gaps</h2>\n");
    size_t query = report_query(r, "up");
    if (r->n_gaps == 0) {
        buf_str(out, "<p>None: every target was scraped and answered throughout");
        source(out, query);
        buf_str(out, ".</p>\n");
        return;
    }
    buf_str(out, "<table><thead><tr><th scope=\"col\">target");
    source(out, query);
    buf_str(out, "</th><th scope=\"col\">from</th><th scope=\"col\">for</th><th "
                 "scope=\"col\">what</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->n_gaps && i < REPORT_ROWS_MAX; i++) {
        buf_str(out, "<tr><td class=\"what\">");
        text(out, r->gaps[i].target);
        buf_str(out, "</td><td>");
        when(r, out, r->gaps[i].start_ms);
        buf_str(out, "</td><td>");
        duration(out, r->gaps[i].end_ms - r->gaps[i].start_ms);
        buf_str(out, r->gaps[i].down ? "</td><td class=\"what\">did not answer</td></tr>\n"
                                     : "</td><td class=\"what\">no samples</td></tr>\n");
    }
    hidden_rows(out, r->n_gaps, 4);
    buf_str(out, "</tbody></table>\n");
}

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
        "up. A dash means that nothing is known, not 0.</p>\n");
    buf_printf(out, "<p>Counters of orders and money began anew %u time%s.", resets, resets == 1 ? "" : "s");
    if (births)
        buf_printf(
            out,
            " %u of them appeared inside the window with a value whose beginning is not known: that value is not "
            "counted.",
            births);
    buf_str(out, "</p>\n<h2>Queries</h2>\n<ol class=\"queries\">\n");
    for (size_t i = 0; i < r->n_queries; i++) {
        buf_printf(out, "<li id=\"q%zu\"><code>", i + 1);
        text(out, r->queries[i]);
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
    buf_str(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                 "content=\"width=device-width, initial-scale=1\">\n<title>");
    text(out, e->title);
    buf_str(out, "</title>\n<style>\n");
    buf_str(out, REPORT_STYLE);
    buf_str(out, "</style></head>\n<body><main>\n<header><h1>");
    text(out, e->title);
    buf_printf(out, "</h1>\n<p class=\"window\">%s to %s, %s", starts, ends, e->zone);
    if (r->at_ms < e->ends_ms)
        buf_printf(out, "<br>The event has not ended, or its data have: figures until %s", at);
    buf_str(out, "</p></header>\n");
}

int report_write(const struct report_sources *from, struct event *e, struct buf *out, struct promql_error *ret_error)
{
    struct report r = {.from = from, .e = e};
    int x = report_gather(&r, ret_error);
    if (x == 0) {
        head(&r, out);
        verdict(&r, out);
        buf_str(out, "<h2>Orders and revenue</h2>\n");
        totals_table(&r, out);
        for (size_t m = 0; x == 0 && m < e->n_markets; m++)
            for (enum curve_value v = CURVE_ORDERS; x == 0 && v < CURVE_VALUES; v++)
                x = market_chart(&r, m, v, out);
        checkout(&r, out);
        timeline(&r, out);
        errors(&r, out);
        gaps(&r, out);
        method(&r, out);
        buf_str(out, "</main></body></html>\n");
        x = x < 0 ? x : buf_error(out);
    }
    report_done(&r);
    return x;
}
