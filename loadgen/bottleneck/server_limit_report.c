/* The server's first limit in words, as a section of a page, and as JSON (docs/loadgen-limit.md has the schema). */
#include <math.h>

#include "lib/base/number.h"
#include "lib/chart/chart.h"
#include "lib/chart/page.h"
#include "loadgen/report.h"
#include "loadgen/bottleneck/server_limit.h"

#define THEN_LINES_MAX 4u /* of the summary; page and JSON have them all */
#define VALUE_TEXT_MAX 32

static const char *value_text(char to[VALUE_TEXT_MAX], enum signal_unit unit, double v)
{
    char time[REPORT_TIME_MAX];
    if (!isfinite(v))
        snprintf(to, VALUE_TEXT_MAX, "%s", isnan(v) ? "unknown" : "without end");
    else if (unit == SIGNAL_SHARE)
        snprintf(to, VALUE_TEXT_MAX, "%.3g %%", v * 100);
    else if (unit == SIGNAL_SECONDS && fabs(v) < 1e6)
        snprintf(to, VALUE_TEXT_MAX, "%s", report_time(time, llround(v * 1e6)));
    else
        snprintf(to, VALUE_TEXT_MAX, "%.4g%s", v,
                 unit == SIGNAL_PER_SECOND ? "/s"
                 : unit == SIGNAL_SECONDS  ? " s"
                                           : "");
    return to;
}

static const char *rate_name(const struct server_limit *l)
{
    return l->in_probes ? "sessions/s" : "requests/s";
}

/* "pool: database connections in use (shop main)" */
static void name(struct buf *out, const struct server_bend *b)
{
    buf_printf(out, "%s: %s (%s%s%s)", b->signal->kind, b->signal->name, b->service, b->where[0] ? " " : "", b->where);
}

/* Behind the name: where, from what to what. */
static void evidence(struct buf *out, const struct server_limit *l, const struct server_bend *b)
{
    char value[VALUE_TEXT_MAX], before[VALUE_TEXT_MAX], alone[VALUE_TEXT_MAX];
    enum signal_unit unit = b->signal->unit;
    buf_printf(out, " %s %s, ",
               b->bend.used_up         ? "was used up,"
               : b->signal->rule.falls ? "fell to"
                                       : "rose to",
               value_text(value, unit, b->bend.value));
    if (l->in_probes)
        buf_printf(out, "%.0f s into the probe at %.4g sessions/s", b->second, b->rate);
    else
        buf_printf(out, "%.0f s into the run under %.4g requests/s", b->second, b->rate);
    buf_printf(out, " (%s before", value_text(before, unit, b->bend.before));
    if (b->signal->rule.relation == BEND_RISES && !b->bend.used_up && !isnan(b->bend.expected))
        buf_printf(out, "; %s would go with the load", value_text(alone, unit, b->bend.expected));
    buf_char(out, ')');
}

void server_limit_sentence(struct buf *out, const struct server_limit *l)
{
    switch (l->state) {
    case SERVER_LIMIT_NOT_ASKED:
        buf_str(out, "no collector was asked");
        break;
    case SERVER_LIMIT_UNREACHABLE:
        buf_printf(out, "unknown, the collector could not be asked: %s", l->why);
        break;
    case SERVER_LIMIT_NO_SIGNALS:
        buf_str(out, "unknown, the collector has no signals of these services (no pool, cache, dependency, queue or "
                     "response time in this time)");
        break;
    case SERVER_LIMIT_TOO_LITTLE:
        buf_printf(out,
                   "unknown, the collector has %zu series of these services but too few samples of normal load, or "
                   "behind it, to see one bend",
                   l->series);
        break;
    case SERVER_LIMIT_NONE:
        buf_printf(out, "none was seen: no signal bent, %zu series kept to what this load makes of them", l->judged);
        break;
    case SERVER_LIMIT_FOUND:
        name(out, &l->bends[0]);
        evidence(out, l, &l->bends[0]);
        for (size_t i = 1; i < l->at_once; i++) {
            buf_str(out, i == 1 ? "; at the same time " : ", ");
            name(out, &l->bends[i]);
        }
        break;
    }
    if (l->left_out)
        buf_printf(out, "; %zu series more were left out", l->left_out);
}

/* ---- the summary ---- */

void server_limit_text(FILE *to, const struct server_limit *l)
{
    struct buf words;
    if (l->state == SERVER_LIMIT_NOT_ASKED)
        return;
    buf_init(&words, 65536);
    buf_str(&words, "the server's first limit: ");
    server_limit_sentence(&words, l);
    buf_char(&words, '\n');
    for (size_t i = l->at_once; i < l->n && i < l->at_once + THEN_LINES_MAX; i++) {
        buf_str(&words, "  then ");
        name(&words, &l->bends[i]);
        evidence(&words, l, &l->bends[i]);
        buf_char(&words, '\n');
    }
    fwrite(words.data, 1, words.len, to);
    buf_done(&words);
}

/* ---- the page ---- */

static void cell(struct buf *out, const struct server_bend *b, double v)
{
    char text[VALUE_TEXT_MAX];
    buf_printf(out, "<td>%s</td>", value_text(text, b->signal->unit, v));
}

static void row(struct buf *out, const struct server_bend *b)
{
    struct buf words;
    buf_init(&words, 4096);
    name(&words, b);
    buf_str(out, "<tr><th scope=\"row\">");
    html_text(out, buf_view(&words));
    buf_done(&words);
    buf_printf(out, "</th><td>%.4g</td><td>%.0f s</td>", b->rate, b->second);
    cell(out, b, b->bend.before);
    cell(out, b, b->bend.expected);
    cell(out, b, b->bend.value);
    buf_str(out, "</tr>\n");
}

void server_limit_html(struct buf *out, const struct server_limit *l)
{
    struct buf words;
    if (l->state == SERVER_LIMIT_NOT_ASKED)
        return;
    buf_init(&words, 65536);
    server_limit_sentence(&words, l);
    buf_str(out, "<h2>The server’s first limit</h2>\n<p>");
    buf_str(out, l->state == SERVER_LIMIT_FOUND ? "First to bend was " : "It is ");
    html_text(out, buf_view(&words));
    buf_done(&words);
    buf_str(out, ".</p>\n");
    if (l->state != SERVER_LIMIT_FOUND)
        return;
    page_table(out, "Signals that bent");
    buf_printf(out,
               "<thead><tr><th scope=\"col\">signal (service)</th><th scope=\"col\">at %s</th><th scope=\"col\">%s</th>"
               "<th scope=\"col\">before</th><th scope=\"col\">expected</th><th scope=\"col\">was</th></tr></thead>\n"
               "<tbody>\n",
               rate_name(l), l->in_probes ? "in the probe" : "in the run");
    for (size_t i = 0; i < l->n; i++)
        row(out, &l->bends[i]);
    page_table_end(out);
}

/* ---- JSON ---- */

static const char *state_name(enum server_limit_state s)
{
    static const char *const NAMES[] = {[SERVER_LIMIT_NOT_ASKED] = "not_asked",
                                        [SERVER_LIMIT_UNREACHABLE] = "unreachable",
                                        [SERVER_LIMIT_NO_SIGNALS] = "no_signals",
                                        [SERVER_LIMIT_TOO_LITTLE] = "too_little",
                                        [SERVER_LIMIT_NONE] = "none",
                                        [SERVER_LIMIT_FOUND] = "found"};
    return NAMES[s];
}

static void json_bend(struct json_writer *j, const struct server_bend *b, bool at_once)
{
    char at[NUMBER_TEXT_MAX];
    size_t n = format_rfc3339_ms(at, b->t_ms);
    jw_object(j);
    jw_member_str(j, "kind", b->signal->kind);
    jw_member_str(j, "signal", b->signal->name);
    jw_member_str(j, "selector", b->signal->selector);
    jw_member_str(j, "service", b->service);
    jw_member_str(j, "where", b->where[0] ? b->where : NULL);
    jw_member_text(j, "at", span_of(at, n));
    jw_member_f64(j, "second", b->second);
    jw_member_f64(j, "rate", b->rate);
    jw_member_f64(j, "before", b->bend.before);
    jw_member_f64(j, "expected", b->bend.expected);
    jw_member_f64(j, "value", b->bend.value);
    jw_member_bool(j, "used_up", b->bend.used_up);
    jw_member_bool(j, "first", at_once);
    jw_end(j);
}

void server_limit_json(struct json_writer *j, const struct server_limit *l)
{
    if (l->state == SERVER_LIMIT_NOT_ASKED) {
        jw_null(j);
        return;
    }
    struct buf words;
    buf_init(&words, 65536);
    server_limit_sentence(&words, l);
    jw_object(j);
    jw_member_str(j, "state", state_name(l->state));
    jw_member_text(j, "words", buf_view(&words));
    jw_member_str(j, "collector", l->collector);
    jw_member_str(j, "rate_unit", rate_name(l));
    jw_member_u64(j, "series", l->series);
    jw_member_u64(j, "judged", l->judged);
    jw_key(j, "bends");
    jw_array(j);
    for (size_t i = 0; i < l->n; i++)
        json_bend(j, &l->bends[i], i < l->at_once);
    jw_end(j);
    jw_end(j);
    buf_done(&words);
}
