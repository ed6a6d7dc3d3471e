/* What happened when: alerts and annotations, and where nothing is known. */
#include <inttypes.h>

#include "collector/event/report_html.h"
#include "lib/base/number.h"

static void alert_row(const struct report *r, struct buf *out, const struct report_alert *a)
{
    buf_str(out, "<tr class=\"alert\"><td>");
    report_when(r, out, a->start_ms);
    buf_str(out, "</td><td>");
    report_duration(out, a->end_ms - a->start_ms);
    buf_str(out, a->still ? ", still" : "");
    buf_str(out, "</td><td>alert ");
    report_text(out, a->severity);
    buf_str(out, "</td><td>");
    report_text(out, a->service);
    buf_str(out, "</td><td><strong>");
    report_text(out, a->name);
    buf_str(out, "</strong> ");
    report_text(out, a->words);
    buf_str(out, "</td></tr>\n");
}

static void note_row(const struct report *r, struct buf *out, const struct report_note *n)
{
    buf_str(out, "<tr><td>");
    report_when(r, out, n->t_ms);
    buf_str(out, "</td><td></td><td>");
    report_text(out, n->kind);
    buf_str(out, "</td><td>");
    report_text(out, n->service);
    buf_str(out, "</td><td>");
    report_text(out, n->text);
    buf_str(out, "</td></tr>\n");
}

/* What nobody looked at cannot have fired. */
static void pauses(const struct report *r, struct buf *out)
{
    if (r->n_pauses == 0)
        return;
    buf_str(out, "<p class=\"note\">Rules were not evaluated");
    for (size_t i = 0; i < r->n_pauses && i < REPORT_ROWS_MAX; i++) {
        buf_str(out, i == 0 ? " from " : i + 1 == r->n_pauses ? " and from " : ", from ");
        report_when(r, out, r->pauses[i].start_ms);
        buf_str(out, " to ");
        report_when(r, out, r->pauses[i].end_ms);
    }
    if (r->n_pauses > REPORT_ROWS_MAX)
        buf_printf(out, " and %zu times more", r->n_pauses - REPORT_ROWS_MAX);
    buf_str(out, ": the collector was down or behind. What began and ended in between fired no alert.</p>\n");
}

void report_timeline(struct report *r, struct buf *out)
{
    buf_str(out, "<h2>Time-line</h2>\n");
    size_t query = report_query(r, "ALERTS{alertstate=\"firing\"}   # every %" PRId64 " s", r->alert_step_ms / 1000);
    pauses(r, out);
    if (r->n_alerts + r->n_notes == 0) {
        buf_str(out, "<p>No alert fired");
        report_source(out, query);
        buf_str(out, " and nobody wrote an annotation.</p>\n");
        return;
    }
    report_table(out, "Alerts and annotations", " class=\"timeline\"");
    buf_str(out, "<thead><tr><th scope=\"col\">at</th><th scope=\"col\">for</th><th scope=\"col\">kind</th>"
                 "<th scope=\"col\">service</th><th scope=\"col\">what");
    report_source(out, query);
    buf_str(out, "</th></tr></thead>\n<tbody>\n");
    size_t a = 0, n = 0;
    while (a + n < REPORT_ROWS_MAX && (a < r->n_alerts || n < r->n_notes)) {
        if (n == r->n_notes || (a < r->n_alerts && r->alerts[a].start_ms <= r->notes[n].t_ms))
            alert_row(r, out, &r->alerts[a++]);
        else
            note_row(r, out, &r->notes[n++]);
    }
    report_hidden_rows(out, r->n_alerts + r->n_notes, 5);
    buf_str(out, "</tbody>");
    report_table_end(out);
}

void report_gaps(struct report *r, struct buf *out)
{
    char end[NUMBER_TEXT_MAX];
    format_seconds_ms(end, r->at_ms);
    buf_str(out, "<h2>Data gaps</h2>\n");
    size_t query = report_query(r, "up[%" PRId64 "ms] @ %s   # distances between its samples, and where it is 0",
                                r->at_ms - r->e->starts_ms, end);
    if (!r->has_targets) {
        buf_str(out, "<p>Nothing is known: there is no sample of <code>up</code>, which every scrape leaves");
        report_source(out, query);
        buf_str(out, ". Gaps may be there and cannot be told.</p>\n");
        return;
    }
    if (r->n_gaps == 0) {
        buf_str(out, "<p>None: every target was scraped and answered throughout");
        report_source(out, query);
        buf_str(out, ".</p>\n");
        return;
    }
    buf_str(out,
            "<p>A counter that goes on through a gap loses nothing: what it counted is there when the gap ends, spread "
            "evenly over it in the charts. What a process counted after its last scrape and then lost in a restart is "
            "in no figure.</p>\n");
    report_table(out, "Data gaps", " class=\"words\"");
    buf_str(out, "<thead><tr><th scope=\"col\">target");
    report_source(out, query);
    buf_str(out, "</th><th scope=\"col\">from</th><th scope=\"col\">for</th><th "
                 "scope=\"col\">what</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->n_gaps && i < REPORT_ROWS_MAX; i++) {
        buf_str(out, "<tr><td class=\"what\">");
        report_text(out, r->gaps[i].target);
        buf_str(out, "</td><td>");
        report_when(r, out, r->gaps[i].start_ms);
        buf_str(out, "</td><td>");
        report_duration(out, r->gaps[i].end_ms - r->gaps[i].start_ms);
        buf_str(out, r->gaps[i].down ? "</td><td class=\"what\">did not answer</td></tr>\n"
                                     : "</td><td class=\"what\">no samples</td></tr>\n");
    }
    report_hidden_rows(out, r->n_gaps, 4);
    buf_str(out, "</tbody>");
    report_table_end(out);
}
