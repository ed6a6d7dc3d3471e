/* Orders and revenue: the table beside plan and last event, and a chart of each. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "collector/event/currency.h"
#include "collector/event/report_html.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"
#include "lib/chart/chart.h"

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
    bool whole = r->at_ms >= e->ends_ms || !r->begun;
    report_table(out, "Orders and revenue by market", " class=\"sale\"");
    buf_str(out, "<thead><tr><th scope=\"col\">market</th><th scope=\"col\" class=\"what\">what</th><th "
                 "scope=\"col\">actual</th>");
    buf_printf(out, "<th scope=\"col\">%s</th><th scope=\"col\">%s</th>", whole ? "plan" : "plan by then",
               whole ? "last event" : "last event by then");
    buf_str(out, "<th scope=\"col\">peak minute</th></tr></thead>\n");
    for (size_t m = 0; m < e->n_markets; m++) {
        const struct report_totals *t = &r->totals[m];
        for (enum curve_value v = CURVE_ORDERS; v < CURVE_VALUES; v++) {
            int decimals = v == CURVE_REVENUE ? currency_decimals(span_str(e->markets[m].currency)) : 0;
            buf_str(out, v == CURVE_ORDERS ? "<tbody><tr>" : "<tr>");
            if (v == CURVE_ORDERS) {
                buf_str(out, "<th scope=\"rowgroup\" rowspan=\"2\">");
                report_text(out, e->markets[m].name);
                buf_str(out, "</th>");
            }
            buf_printf(out, "<td class=\"what\">%s</td><td class=\"main\">",
                       v == CURVE_ORDERS ? "orders" : e->markets[m].currency);
            report_amount(out, t->now[v], decimals);
            if (!isnan(t->now[v]))
                report_source(out, total_query(r, m, v));
            buf_str(out, "</td><td>");
            report_amount(out, t->plan[v], decimals);
            report_difference(out, t->now[v], t->plan[v]);
            buf_str(out, "</td><td>");
            report_amount(out, t->last[v], decimals);
            report_difference(out, t->now[v], t->last[v]);
            buf_str(out, "</td>");
            if (v == CURVE_ORDERS) {
                buf_str(out, "<td rowspan=\"2\">");
                if (isnan(t->peak)) {
                    report_amount(out, NAN, 0);
                } else {
                    report_amount(out, t->peak, 0);
                    buf_str(out, " orders from ");
                    report_when(r, out, t->peak_ms);
                }
                buf_str(out, "</td>");
            }
            buf_str(out, v == CURVE_REVENUE ? "</tr></tbody>\n" : "</tr>\n");
        }
    }
    report_table_end(out);
    if (!isnan(e->growth) && !e->plan.curves)
        buf_printf(out, "<p class=\"soft\">Nobody wrote a plan: the last event times %.3g stands for it.</p>\n",
                   e->growth);
    if (event_beside_misses_last(r->beside)) {
        buf_str(out, "<p class=\"note\">The last event, ");
        report_text(out, e->last_event);
        buf_str(out, ", is not known to this collector: nothing stands beside the figures for it.</p>\n");
    }
    if (r->begun && event_actual_has_strangers(r->actual))
        buf_str(out,
                "<p class=\"note\">There is money in other currencies or markets than the event's: it is in no figure "
                "here.</p>\n");
}

#define MARK_LABEL_BYTES 40

/* As much of it as stands over a line. */
static void mark_label(char label[MARK_LABEL_BYTES], const char *words)
{
    const size_t most = MARK_LABEL_BYTES - sizeof "…";
    size_t n = strnlen(words, MARK_LABEL_BYTES);
    bool cut = n > most;
    n = cut ? most : n;
    while (cut && n && ((unsigned char)words[n] & 0xc0) == 0x80) /* letters stay whole */
        n--;
    snprintf(label, MARK_LABEL_BYTES, "%.*s%s", (int)n, words, cut ? "…" : "");
}

/* Plan and last event hold for their minute; the actual rate is that of its cell. */
MUST_USE static int market_chart(struct report *r, size_t market, enum curve_value value, struct buf *out)
{
    const struct event *e = r->e;
    size_t cells = (size_t)((r->at_ms - e->starts_ms) / r->cell_ms),
           points = (size_t)((e->ends_ms - e->starts_ms + r->cell_ms - 1) / r->cell_ms);
    size_t known = r->begun ? event_actual_cells(r->actual) : 0;
    cells = cells < known ? cells : known;
    AUTO_FREE double *actual = calloc(cells + 1, sizeof *actual), *plan = calloc(points + 1, sizeof *plan),
                     *last = calloc(points + 1, sizeof *last);
    AUTO_FREE struct chart_mark *marks = calloc(r->n_alerts + r->n_notes + 1, sizeof *marks);
    AUTO_FREE char(*labels)[MARK_LABEL_BYTES] = calloc(r->n_alerts + r->n_notes + 1, sizeof *labels);
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
        const struct report_alert *a = &r->alerts[i];
        const char *words = a->words[0] ? a->words : a->name;
        mark_label(labels[n_marks], words);
        marks[n_marks] = (struct chart_mark){a->start_ms, a->end_ms, labels[n_marks], words, true};
    }
    for (size_t i = 0; i < r->n_notes; i++) {
        if (r->notes[i].t_ms < e->starts_ms) /* before doors open: in the time-line only */
            continue;
        const struct report_note *n = &r->notes[i];
        mark_label(labels[n_marks], n->kind ? n->kind : "");
        marks[n_marks] = (struct chart_mark){n->t_ms, n->t_ms, labels[n_marks], n->text, false};
        n_marks++;
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
    report_text(out, title);
    buf_str(out, "</figcaption>\n");
    chart_svg(c, out);
    buf_str(out, "<details><summary>The numbers of this chart</summary>\n");
    chart_table(&spec, 24, out);
    buf_str(out, "</details></figure>\n");
    chart_free(c);
    return 0;
}

/* Does any line of the chart have a value? */
static bool has_chart(const struct report *r, size_t market, enum curve_value value)
{
    return !isnan(r->totals[market].now[value]) || curve_knows(event_beside_plan(r->beside, market), value) ||
           curve_knows(event_beside_last(r->beside, market), value);
}

int report_sale(struct report *r, struct buf *out)
{
    int x = 0;
    buf_str(out, "<h2>Orders and revenue</h2>\n");
    totals_table(r, out);
    for (size_t m = 0; x == 0 && m < r->e->n_markets; m++)
        for (enum curve_value v = CURVE_ORDERS; x == 0 && v < CURVE_VALUES; v++)
            if (has_chart(r, m, v))
                x = market_chart(r, m, v, out);
    return x;
}
