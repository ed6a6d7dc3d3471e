/* The first thing on the page: one sentence, then what it rests on. */
#include <math.h>

#include "collector/event/event_beside.h"
#include "collector/event/report_html.h"

#define NAMED_MAX 4u /* markets that a sentence can name */

struct measure {
    const char *word; /* "plan", "last event"; NULL: neither is known */
    size_t measured, met;
};

static double total_of(const struct report_totals *t, const char *word, enum curve_value v)
{
    return strcmp(word, "plan") == 0 ? t->plan[v] : t->last[v];
}

/* Of a market: revenue, or orders where no revenue is known on both sides. NAN: nothing to compare. */
static double share(const struct report *r, size_t market, const char *word, enum curve_value *ret_value)
{
    const struct report_totals *t = &r->totals[market];
    for (int v = CURVE_REVENUE; v >= CURVE_ORDERS; v--)
        if (total_of(t, word, (enum curve_value)v) > 0 && !isnan(t->now[v])) {
            *ret_value = (enum curve_value)v;
            return t->now[v] / total_of(t, word, (enum curve_value)v);
        }
    return NAN;
}

static bool knows_market(const struct report *r, size_t market)
{
    const struct report_totals *t = &r->totals[market];
    return !isnan(t->now[CURVE_ORDERS]) || !isnan(t->now[CURVE_REVENUE]);
}

static bool knows_sales(const struct report *r)
{
    for (size_t m = 0; m < r->e->n_markets; m++)
        if (knows_market(r, m))
            return true;
    return false;
}

static struct measure measure(const struct report *r)
{
    static const char *const WORDS[] = {"plan", "last event"};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++) {
        struct measure x = {.word = WORDS[i]};
        for (size_t m = 0; m < r->e->n_markets; m++) {
            enum curve_value v;
            double s = share(r, m, WORDS[i], &v);
            x.measured += isnan(s) ? 0 : 1;
            x.met += s >= 1 ? 1 : 0;
        }
        if (x.measured)
            return x;
    }
    return (struct measure){0};
}

/* "81 % of the planned revenue in de", for markets on one side of 100 %. */
static void name_markets(const struct report *r, struct buf *out, const char *word, bool met, size_t n)
{
    size_t named = 0;
    enum curve_value v, before = CURVE_VALUES;
    for (size_t m = 0; m < r->e->n_markets && named < NAMED_MAX; m++) {
        double s = share(r, m, word, &v);
        if (isnan(s) || (s >= 1) != met)
            continue;
        buf_str(out, named == 0 ? "" : named + 1 == n ? " and " : ", ");
        report_share(out, s, 0);
        if (v != before)
            buf_printf(out, strcmp(word, "plan") == 0 ? " of the planned %s" : " of the last event's %s",
                       v == CURVE_REVENUE ? "revenue" : "orders");
        before = v;
        buf_str(out, " in ");
        report_text(out, r->e->markets[m].name);
        named++;
    }
    if (n > named)
        buf_printf(out, " and %zu more", n - named);
}

static void judge(const struct report *r, struct buf *out)
{
    struct measure x = measure(r);
    bool running = r->at_ms < r->e->ends_ms;
    size_t below = x.measured - x.met;
    const char *verb_met = running ? " is at or above " : " met ",
               *verb_below = running ? " is below " : " fell short of ";
    const char *its = x.word && strcmp(x.word, "plan") == 0 ? "its plan" : "its last event";
    if (!x.word) {
        buf_str(out, running ? " has no plan and no last event to be measured by so far"
                             : " had no plan and no last event to be measured by");
    } else if (below == 0) {
        buf_printf(out, "%s%s%s: ", verb_met, its, x.measured > 1 ? " in every market" : "");
        name_markets(r, out, x.word, true, x.met);
    } else if (x.met == 0) {
        buf_printf(out, "%s%s%s: ", verb_below, its, x.measured > 1 ? " in every market" : "");
        name_markets(r, out, x.word, false, below);
    } else {
        buf_printf(out, "%s%s in %zu of %zu markets: ", verb_below, its, below, x.measured);
        name_markets(r, out, x.word, false, below);
        buf_str(out, "; it ");
        buf_printf(out, "%s", running ? "is at " : "reached ");
        name_markets(r, out, x.word, true, x.met);
    }
    buf_char(out, '.');
}

static void sentence(const struct report *r, struct buf *out)
{
    const struct event *e = r->e;
    buf_str(out, "<p class=\"verdict\">");
    if (!knows_sales(r)) {
        buf_str(out, r->begun ? "What " : "Nothing is known of ");
        report_text(out, e->title);
        buf_str(out, r->begun ? " brought in is not known: there is no sample of orders or revenue from its markets."
                              : " yet: there is no sample from after its doors opened.");
    } else {
        if (r->at_ms < e->ends_ms) {
            buf_str(out, "At ");
            report_when(r, out, r->at_ms);
            buf_str(out, ", ");
            report_share(out, (double)(r->at_ms - e->starts_ms) / (double)(e->ends_ms - e->starts_ms), 0);
            buf_str(out, " through, ");
        }
        report_text(out, e->title);
        judge(r, out);
    }
    buf_str(out, "</p>\n");
}

/* ---- what it rests on ---- */

static void market_line(const struct report *r, struct buf *out, size_t market)
{
    const struct report_totals *t = &r->totals[market];
    const struct event_market *m = &r->e->markets[market];
    buf_str(out, "<li><strong>");
    report_text(out, m->name);
    buf_str(out, "</strong>: ");
    if (!knows_market(r, market)) {
        buf_str(out, "nothing is known");
    } else {
        report_amount(out, t->now[CURVE_ORDERS], 0);
        buf_str(out, " orders");
        if (!isnan(t->now[CURVE_REVENUE])) {
            buf_str(out, ", ");
            report_money(out, t->now[CURVE_REVENUE], m->currency);
        }
    }
    double away = t->now[CURVE_REVENUE] - t->plan[CURVE_REVENUE];
    if (!isnan(away) && fabs(away) >= 0.005) {
        buf_str(out, ", ");
        report_money(out, fabs(away), m->currency);
        buf_str(out, away < 0 ? " less than planned" : " more than planned");
        buf_str(out, r->at_ms < r->e->ends_ms ? " by then" : "");
    }
    if (r->at_ms < r->e->ends_ms && t->plan_whole[CURVE_ORDERS] > 0) {
        buf_str(out, "; planned in all: ");
        report_amount(out, t->plan_whole[CURVE_ORDERS], 0);
        buf_str(out, " orders");
        if (t->plan_whole[CURVE_REVENUE] > 0) {
            buf_str(out, ", ");
            report_money(out, t->plan_whole[CURVE_REVENUE], m->currency);
        }
    }
    buf_str(out, "</li>\n");
}

/* Time in which at least one alert fired; alerts come by their start. */
static int64_t alerting_ms(const struct report *r)
{
    int64_t sum = 0, until = INT64_MIN;
    for (size_t i = 0; i < r->n_alerts; i++) {
        int64_t from = r->alerts[i].start_ms > until ? r->alerts[i].start_ms : until;
        if (r->alerts[i].end_ms > from) {
            sum += r->alerts[i].end_ms - from;
            until = r->alerts[i].end_ms;
        }
    }
    return sum;
}

static void alerts_line(const struct report *r, struct buf *out)
{
    const struct report_alert *longest = NULL;
    for (size_t i = 0; i < r->n_alerts; i++)
        if (!longest || r->alerts[i].end_ms - r->alerts[i].start_ms > longest->end_ms - longest->start_ms)
            longest = &r->alerts[i];
    if (!longest) {
        buf_str(out, "<li><strong>Alerts</strong>: none fired.</li>\n");
        return;
    }
    buf_printf(out, "<li><strong>Alerts</strong>: %zu fired, over ", r->n_alerts);
    report_duration(out, alerting_ms(r));
    buf_str(out, r->n_alerts > 1 ? " together; the longest: " : ": ");
    report_text(out, longest->name);
    if (longest->service[0]) {
        buf_str(out, " of ");
        report_text(out, longest->service);
    }
    if (longest->words[0]) {
        buf_str(out, " (");
        report_text(out, longest->words);
        buf_str(out, ")");
    }
    buf_str(out, ", from ");
    report_when(r, out, longest->start_ms);
    buf_str(out, " for ");
    report_duration(out, longest->end_ms - longest->start_ms);
    buf_str(out, longest->still ? ", still firing.</li>\n" : ".</li>\n");
}

/* What came in from from_ms to to_ms; of a cell that is cut its part. */
static double actual_between(const struct report *r, size_t market, enum curve_value v, int64_t from_ms, int64_t to_ms)
{
    double sum = NAN;
    int64_t from = from_ms - r->e->starts_ms, to = to_ms - r->e->starts_ms;
    for (int64_t c = from / r->cell_ms; c * r->cell_ms < to; c++) {
        double x = event_actual_cell(r->actual, market, v, (size_t)c);
        int64_t begin = c * r->cell_ms > from ? c * r->cell_ms : from,
                end = (c + 1) * r->cell_ms < to ? (c + 1) * r->cell_ms : to;
        if (!isnan(x))
            sum = (isnan(sum) ? 0 : sum) + x * (double)(end - begin) / (double)r->cell_ms;
    }
    return sum;
}

/* What came in while alerts fired, beside what the plan had for that time. Says nothing about the cause. */
static void cost_line(const struct report *r, struct buf *out)
{
    size_t named = 0;
    for (size_t m = 0; m < r->e->n_markets && named < NAMED_MAX; m++) {
        double actual = 0, plan = 0;
        int64_t until = INT64_MIN;
        for (size_t i = 0; i < r->n_alerts; i++) {
            int64_t from = r->alerts[i].start_ms > until ? r->alerts[i].start_ms : until;
            if (r->alerts[i].end_ms <= from)
                continue;
            until = r->alerts[i].end_ms;
            actual += actual_between(r, m, CURVE_REVENUE, from, until);
            plan += curve_sum(event_beside_plan(r->beside, m), CURVE_REVENUE, from - r->e->starts_ms,
                              until - r->e->starts_ms);
        }
        if (until == INT64_MIN || isnan(actual) || !(plan > 0))
            continue;
        buf_str(out, named++ ? "; " : "<li><strong>While alerts fired</strong>: ");
        report_text(out, r->e->markets[m].name);
        buf_str(out, " took in about ");
        report_amount(out, actual, 0);
        buf_printf(out, " %s, planned for that time: ", r->e->markets[m].currency);
        report_amount(out, plan, 0);
        buf_printf(out, " %s", r->e->markets[m].currency);
    }
    if (named)
        buf_str(out, ".</li>\n");
}

static void checkout_line(const struct report *r, struct buf *out)
{
    buf_str(out, "<li><strong>Checkout</strong>: ");
    if (isnan(r->availability)) {
        buf_str(out, "nothing is known.</li>\n");
        return;
    }
    report_share(out, r->availability, 2);
    buf_str(out, " of its operations worked");
    if (!isnan(r->checkout_p95_s)) {
        buf_str(out, "; 95\xc2\xa0% of the customers needed at most ");
        report_amount(out, r->checkout_p95_s, r->checkout_p95_s < 10 ? 2 : 0);
        buf_str(out, " s from the address to the order");
    }
    buf_str(out, ".</li>\n");
}

static void data_line(const struct report *r, struct buf *out)
{
    buf_str(out, "<li><strong>Data</strong>: ");
    if (!r->has_targets)
        buf_str(out, "whether samples are missing is not known: no target's scrapes are stored");
    else if (r->n_gaps == 0)
        buf_str(out, "complete: no target was missing");
    else
        buf_printf(out, "%zu gap%s; see below what that means for the figures", r->n_gaps, r->n_gaps == 1 ? "" : "s");
    buf_str(out, ".</li>\n");
}

void report_verdict(const struct report *r, struct buf *out)
{
    sentence(r, out);
    buf_str(out, "<ul class=\"short\">\n");
    for (size_t m = 0; m < r->e->n_markets; m++)
        market_line(r, out, m);
    if (r->begun) {
        checkout_line(r, out);
        alerts_line(r, out);
        cost_line(r, out);
        data_line(r, out);
    }
    buf_str(out, "</ul>\n");
}
