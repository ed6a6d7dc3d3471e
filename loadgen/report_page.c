#include "loadgen/report_page.h"

#include <inttypes.h>
#include <math.h>

#include "lib/base/options.h"
#include "lib/base/tz.h"
#include "lib/chart/chart.h"
#include "lib/chart/page.h"
#include "loadgen/rehearsal/rehearsal.h"
#include "loadgen/report.h"
#include "loadgen/report_charts.h"
#include "loadgen/bottleneck/run_limit.h"

#define NBSP "\xc2\xa0" /* a number stays with its unit */

static void text(struct buf *out, const char *s)
{
    html_text(out, span_str(s));
}

static void times(struct buf *out, int64_t us)
{
    char t[REPORT_TIME_MAX];
    buf_str(out, report_time(t, us));
}

/* A cell; a dash where nothing was recorded. */
static void quantile(struct buf *out, const struct hdr *h, double percentile)
{
    buf_str(out, "<td>");
    if (h && hdr_count(h))
        times(out, hdr_percentile(h, percentile));
    else
        buf_str(out, "–");
    buf_str(out, "</td>");
}

/* Cut, not rounded: a share that is not 0 is never shown as 0. */
static void share(struct buf *out, uint64_t part, uint64_t whole)
{
    if (whole == 0)
        buf_str(out, "–");
    else if (part == 0)
        buf_str(out, "0" NBSP "%");
    else if (part * 10000 < whole)
        buf_str(out, "&lt;" NBSP "0.01" NBSP "%");
    else
        buf_printf(out, "%.2f" NBSP "%%", floor(10000.0 * (double)part / (double)whole) / 100);
}

/* ---- the verdict ---- */

static void head(const struct run_config *c, const struct run_result *r, const char *title, struct buf *out)
{
    char started[TZ_TEXT_MAX];
    struct tz *utc = NULL;
    buf_str(out, "<header><h1>");
    text(out, title);
    buf_str(out, "</h1>\n<p class=\"window\">Run ");
    text(out, c->run_id);
    if (tz_load("UTC", &utc) == 0) {
        tz_format(started, utc, r->started_ms, true);
        buf_printf(out, ", %s", started);
    }
    tz_free(utc);
    buf_printf(out, ", %.1f" NBSP "s", r->duration_s);
    if (c->target) {
        buf_str(out, ", to ");
        html_text(out, c->target->host);
        buf_printf(out, ":%u", (unsigned)c->target->port);
    }
    buf_str(out, "</p></header>\n");
}

static void verdict(const struct run_result *r, const struct report_more *more, struct buf *out)
{
    static const char *const SAYS[] = {
        [RUN_PASSED] = "Passed",
        [RUN_FAILED] = "Failed: the run itself did not work",
        [RUN_THRESHOLD] = "Not passed: a threshold was broken",
        [RUN_VOID] = "Void: the generator was the bottleneck, so these figures say nothing about the server",
        [RUN_INTERRUPTED] = "Interrupted: the run was ended before its plan was over",
    };
    bool good = r->verdict == RUN_PASSED;
    buf_printf(out, "<p class=\"verdict%s\"><strong>%s</strong>", good ? "" : " alert", SAYS[r->verdict]);
    if (good && r->n_thresholds)
        buf_str(out, ": every threshold was met");
    else if (good)
        buf_str(out, ". No threshold was set: nothing was demanded of the server");
    buf_str(out, ".");
    buf_span(out, more->verdict);
    buf_str(out, "</p>\n");
    if (r->n_reasons) {
        buf_str(out, "<ul class=\"short\">\n");
        for (size_t i = 0; i < r->n_reasons; i++) {
            buf_str(out, "<li>");
            text(out, r->reasons[i]);
            buf_str(out, "</li>\n");
        }
        buf_str(out, "</ul>\n");
    }
}

static void sentence(const struct run_result *r, struct buf *out)
{
    const struct run_stats *t = r->total;
    struct hdr *response = stats_all(t, false);
    uint64_t steps = stats_outcomes(t, OUTCOMES), good = stats_outcomes(t, OUTCOME_OK);
    buf_printf(out,
               "<p>%" PRIu64 " sessions planned = %" PRIu64 " started + %" PRIu64 " dropped; %" PRIu64
               " completed, %" PRIu64 " failed, %" PRIu64 " unfinished",
               t->sessions.planned, t->sessions.started, t->sessions.dropped, t->sessions.completed, t->sessions.failed,
               t->sessions.unfinished);
    if (t->sessions.capped)
        buf_printf(out, ", %" PRIu64 " ended by the money cap", t->sessions.capped);
    buf_printf(out, ". %" PRIu64 " requests, ", t->requests.started);
    share(out, steps - good, steps);
    buf_str(out, " of the steps not ok.");
    if (response && hdr_count(response)) {
        buf_str(out, " Response time p50 ");
        times(out, hdr_percentile(response, 50));
        buf_str(out, ", p95 ");
        times(out, hdr_percentile(response, 95));
        buf_str(out, ", p99 ");
        times(out, hdr_percentile(response, 99));
        buf_str(out, ", highest ");
        times(out, hdr_max(response));
        buf_str(out, ".");
    }
    buf_str(out, "</p>\n");
    hdr_free(response);
}

static void thresholds(const struct run_result *r, struct buf *out)
{
    if (r->n_thresholds == 0)
        return;
    buf_str(out, "<h2>Thresholds</h2>\n");
    page_table(out, "Thresholds");
    buf_str(out, "<thead><tr><th scope=\"col\">of</th><th scope=\"col\">demanded</th><th scope=\"col\">measured</th>"
                 "<th scope=\"col\">verdict</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->n_thresholds; i++) {
        const struct run_threshold *t = &r->thresholds[i];
        buf_str(out, "<tr><th scope=\"row\">");
        text(out, t->scope);
        buf_str(out, "</th><td>");
        html_text(out, t->slo->text);
        buf_str(out, "</td><td>");
        if (isnan(t->value))
            buf_str(out, "no data");
        else if (hurl_slo_is_ratio(t->slo->metric))
            buf_printf(out, "%.2f" NBSP "%%", 100 * t->value);
        else
            times(out, (int64_t)t->value);
        buf_str(out, t->met ? "</td><td>met</td></tr>\n" : "</td><td class=\"under\">not met</td></tr>\n");
    }
    page_table_end(out);
}

/* ---- steps, errors ---- */

static void step_row(const struct journey_step *step, const struct step_stats *s, struct buf *out)
{
    uint64_t total = stats_step_total(s);
    buf_str(out, "<tr><th scope=\"row\">");
    text(out, step->journey);
    buf_str(out, " / ");
    html_text(out, step->name);
    buf_printf(out, "</th><td>%" PRIu64 "</td><td%s>", total,
               total > s->outcomes[OUTCOME_OK] ? " class=\"under\"" : "");
    share(out, total - s->outcomes[OUTCOME_OK], total);
    buf_str(out, "</td>");
    quantile(out, s->response, 50);
    quantile(out, s->response, 95);
    quantile(out, s->response, 99);
    quantile(out, s->response, 100);
    quantile(out, s->service, 50);
    quantile(out, s->service, 99);
    buf_str(out, "</tr>\n");
}

static void steps(const struct run_config *c, const struct run_result *r, struct buf *out)
{
    buf_str(out, "<h2>Steps</h2>\n<p class=\"soft\">Response time counts from when the step was meant to start, "
                 "service time from when it was sent: where they part, users waited for their turn.</p>\n");
    page_table(out, "Steps");
    buf_str(out, "<thead><tr><th scope=\"col\">journey / step</th><th scope=\"col\">count</th><th scope=\"col\">not "
                 "ok</th><th scope=\"col\">resp. p50</th><th scope=\"col\">p95</th><th scope=\"col\">p99</th>"
                 "<th scope=\"col\">highest</th><th scope=\"col\">serv. p50</th><th scope=\"col\">p99</th></tr>"
                 "</thead>\n<tbody>\n");
    for (size_t i = 0; i < r->total->n_steps; i++)
        step_row(&c->journeys->steps[i], &r->total->steps[i], out);
    page_table_end(out);
    buf_str(out, "<h2>Where the service time went</h2>\n<p class=\"soft\">Medians; name, connection and TLS only of "
                 "requests that needed a new connection.</p>\n");
    page_table(out, "Parts of the service time");
    buf_str(out, "<thead><tr><th scope=\"col\">journey / step</th>");
    for (size_t k = 0; k < PARTS; k++) {
        buf_str(out, "<th scope=\"col\">");
        for (const char *at = step_part_name((enum step_part)k); *at; at++)
            buf_char(out, *at == '_' ? ' ' : *at);
        buf_str(out, "</th>");
    }
    buf_str(out, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->total->n_steps; i++) {
        buf_str(out, "<tr><th scope=\"row\">");
        text(out, c->journeys->steps[i].journey);
        buf_str(out, " / ");
        html_text(out, c->journeys->steps[i].name);
        buf_str(out, "</th>");
        for (size_t k = 0; k < PARTS; k++)
            quantile(out, r->total->steps[i].parts[k], 50);
        buf_str(out, "</tr>\n");
    }
    page_table_end(out);
}

static void errors(const struct run_config *c, const struct run_result *r, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < r->total->n_steps; i++)
        for (size_t k = 0; k < ERRORS; k++) {
            const struct step_stats *s = &r->total->steps[i];
            if (s->errors[k] == 0)
                continue;
            if (!any) {
                buf_str(out, "<h2>Errors</h2>\n");
                page_table(out, "Errors");
                buf_str(out, "<thead><tr><th scope=\"col\">journey / step</th><th scope=\"col\">kind</th>"
                             "<th scope=\"col\">count</th><th scope=\"col\" class=\"what\">the first of them</th></tr>"
                             "</thead>\n<tbody>\n");
            }
            any = true;
            buf_str(out, "<tr><th scope=\"row\">");
            text(out, c->journeys->steps[i].journey);
            buf_str(out, " / ");
            html_text(out, c->journeys->steps[i].name);
            buf_printf(out, "</th><td>%s</td><td>%" PRIu64 "</td><td class=\"what\">",
                       step_error_name((enum step_error)k), s->errors[k]);
            text(out, s->samples[k]);
            buf_str(out, "</td></tr>\n");
        }
    if (any)
        page_table_end(out);
    else
        buf_str(out, "<h2>Errors</h2>\n<p>None.</p>\n");
}

/* ---- how far to trust it ---- */

static void phases(const struct run_result *r, struct buf *out)
{
    if (r->n_phases < 2)
        return;
    buf_str(out, "<h2>Phases</h2>\n");
    page_table(out, "Phases");
    buf_str(out, "<thead><tr><th scope=\"col\">phase</th><th scope=\"col\">sessions started</th><th "
                 "scope=\"col\">dropped</th><th scope=\"col\">not ok</th><th scope=\"col\">resp. p50</th><th "
                 "scope=\"col\">p95</th><th scope=\"col\">p99</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->n_phases; i++) {
        const struct run_stats *s = r->phases[i].stats;
        struct hdr *response = stats_all(s, false);
        uint64_t all = stats_outcomes(s, OUTCOMES);
        buf_str(out, "<tr><th scope=\"row\">");
        text(out, r->phases[i].of->name);
        buf_printf(out, "%s</th><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>",
                   r->phases[i].of->warmup ? " (warm-up: in no other figure)" : "", s->sessions.started,
                   s->sessions.dropped);
        share(out, all - stats_outcomes(s, OUTCOME_OK), all);
        buf_str(out, "</td>");
        quantile(out, response, 50);
        quantile(out, response, 95);
        quantile(out, response, 99);
        buf_str(out, "</tr>\n");
        hdr_free(response);
    }
    page_table_end(out);
}

static void generator(const struct run_config *c, const struct run_result *r, struct buf *out)
{
    buf_printf(out,
               "<h2>The generator</h2>\n<p>%u thread%s; own CPU %.0f" NBSP "%% of %u core%s, above %.0f" NBSP
               "%% in %u of %u seconds. Its own lateness: p99 ",
               c->threads, c->threads == 1 ? "" : "s", 100 * r->cpu_ratio, r->cores, r->cores == 1 ? "" : "s",
               100 * RUN_BUSY_RATIO, r->busy_seconds, r->seconds);
    times(out, hdr_percentile(r->total->lag, 99));
    buf_str(out, ", highest ");
    times(out, hdr_max(r->total->lag));
    if (r->hiccup && hdr_count(r->hiccup)) {
        buf_str(out, ". The machine's own stalls: p99 ");
        times(out, hdr_percentile(r->hiccup, 99));
        buf_str(out, ", highest ");
        times(out, hdr_max(r->hiccup));
    }
    buf_printf(out, ". %" PRIu64 " connections, %.1f" NBSP "MB received. Seed %" PRIu64 ", crest-loadgen %s.</p>\n",
               r->total->fresh_connections, (double)r->total->received_bytes / 1e6, c->seed, crest_version());
}

int report_page(const struct run_config *c, const struct run_result *r, const struct report_more *more, struct buf *out)
{
    static const struct report_more NOTHING;
    more = more ? more : &NOTHING;
    const char *title = more->title ? more->title : "Load run";
    page_begin(out, span_str(title));
    head(c, r, title, out);
    verdict(r, more, out);
    sentence(r, out);
    rehearsal_html(out, c->rehearsal);
    thresholds(r, out);
    if (more->limit)
        run_limit_html(out, more->limit);
    buf_span(out, more->section);
    int e = report_charts(c, r, out);
    if (e < 0)
        return e;
    steps(c, r, out);
    errors(c, r, out);
    phases(r, out);
    generator(c, r, out);
    page_end(out);
    return buf_error(out);
}
