/* What a rehearsal took from where: in words, as JSON, as a section of the page. */
#include <math.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/tz.h"
#include "lib/chart/chart.h"
#include "lib/chart/page.h"
#include "loadgen/rehearsal/rehearsal.h"

#define AMOUNT_TEXT_MAX 32
#define WHEN_TEXT_MAX (TZ_TEXT_MAX + 40)
#define NAME_PRINTED 64 /* bytes of a name in a line */

/* As many digits as mean something: 1500, 37.5, 0.33, 0.0012. */
static const char *amount(char to[AMOUNT_TEXT_MAX], double v)
{
    int digits = v >= 100 ? 0 : v >= 10 ? 1 : v >= 0.1 || v <= 0 ? 2 : 4;
    int n = snprintf(to, AMOUNT_TEXT_MAX, "%.*f", digits, v);
    while (digits && n > 0 && (to[n - 1] == '0' || to[n - 1] == '.')) {
        bool point = to[n - 1] == '.';
        to[--n] = 0;
        if (point)
            break;
    }
    return to;
}

/* "2026-11-30 00:15 CET (minute +15)" */
static const char *when(char to[WHEN_TEXT_MAX], const struct rehearsal *r, int64_t minute)
{
    char clock[TZ_TEXT_MAX] = "";
    struct tz *tz = NULL;
    if (r->starts_ms && (tz_load(r->zone ? r->zone : "UTC", &tz) == 0 || tz_load("UTC", &tz) == 0))
        tz_format(clock, tz, r->starts_ms + minute * MINUTE_MS, false);
    tz_free(tz);
    if (clock[0])
        snprintf(to, WHEN_TEXT_MAX, "%s (minute %+lld)", clock, (long long)minute);
    else
        snprintf(to, WHEN_TEXT_MAX, "minute %+lld from doors open", (long long)minute);
    return to;
}

/* Whose minutes: "of its plan", "measured at summer-sale". */
static void basis(char *to, size_t bytes, const struct rehearsal *r)
{
    if (r->basis == REHEARSAL_PLAN && !isnan(r->growth))
        snprintf(to, bytes, "of its plan, the last event times %g", r->growth);
    else if (r->basis == REHEARSAL_PLAN)
        snprintf(to, bytes, "of its plan");
    else if (r->of)
        snprintf(to, bytes, "measured at %.*s", NAME_PRINTED, r->of);
    else
        snprintf(to, bytes, "of its last event's file");
}

static const char *const VALUE_NAMES[MINUTE_VALUES] = {"sessions", "orders", "requests"};
static const char *const MIX_NAMES[] = {
    [REHEARSAL_MIX_GIVEN] = "weights",
    [REHEARSAL_MIX_ONE_KIND] = "one-kind",
    [REHEARSAL_MIX_SESSIONS] = "sessions",
    [REHEARSAL_MIX_REQUESTS] = "requests",
    [REHEARSAL_MIX_LAST_SESSIONS] = "last-sessions",
    [REHEARSAL_MIX_LAST_REQUESTS] = "last-requests",
};
static const char *const MIX_SAYS[] = {
    [REHEARSAL_MIX_GIVEN] = "as their weights say",
    [REHEARSAL_MIX_ONE_KIND] = "by weight: they are all of one kind",
    [REHEARSAL_MIX_SESSIONS] = "so many of the sessions buy as there are orders",
    [REHEARSAL_MIX_REQUESTS] = "orders make those that buy, the other requests those that look around",
    [REHEARSAL_MIX_LAST_SESSIONS] = "as many sessions for an order as at the last event",
    [REHEARSAL_MIX_LAST_REQUESTS] = "as many requests for an order as at the last event",
};
static const char *const BASIS_NAMES[] = {
    [REHEARSAL_ANY] = "", [REHEARSAL_PLAN] = "plan", [REHEARSAL_LAST] = "last", [REHEARSAL_MEASURED] = "measured"};
static const char *const SHAPE_NAMES[] = {
    [REHEARSAL_HOLD] = "hold", [REHEARSAL_CURVE] = "curve", [REHEARSAL_OF_PLAN] = "plan"};
static const char *const SHAPE_SAYS[] = {[REHEARSAL_HOLD] = "held at the peak",
                                         [REHEARSAL_CURVE] = "minute by minute as the event",
                                         [REHEARSAL_OF_PLAN] =
                                             "in the shape of the plan file, whose highest rate it is"};

/* "37.5 sessions a second at the peak, 3.13 % of them buy: 70.5 orders a minute" */
static void sentence(struct buf *out, const struct rehearsal *r)
{
    char rate[AMOUNT_TEXT_MAX], share[AMOUNT_TEXT_MAX], orders[AMOUNT_TEXT_MAX];
    buf_printf(out, "%s sessions a second at the peak, %s %% of them buy: %s orders a minute; %s",
               amount(rate, r->rate), amount(share, 100 * r->buying_ratio), amount(orders, r->orders_per_minute),
               SHAPE_SAYS[r->shape]);
}

/* "browse 96.9 %, buy 3.13 %" */
static void shares(struct buf *out, const struct rehearsal *r)
{
    char share[AMOUNT_TEXT_MAX];
    double sum = 0;
    for (size_t i = 0; i < r->n; i++)
        sum += r->weights[i];
    for (size_t i = 0; i < r->n; i++)
        buf_printf(out, "%s%.*s %s %%", i ? ", " : "", NAME_PRINTED, r->journeys[i].name,
                   amount(share, 100 * r->weights[i] / sum));
}

void rehearsal_text(FILE *to, const struct rehearsal *r)
{
    char value[AMOUNT_TEXT_MAX], at[WHEN_TEXT_MAX], from[160];
    struct buf line;
    buf_init(&line, REHEARSAL_WORDS_BYTES_MAX);
    basis(from, sizeof from, r);
    buf_printf(&line, "rehearsal of %s at %g %%: ", r->event, r->at * 100);
    sentence(&line, r);
    buf_char(&line, '\n');
    for (size_t v = 0; v < MINUTE_VALUES; v++)
        if (!isnan(r->peaks[v].per_minute))
            buf_printf(&line, "  %-9s %s a minute, the peak %s: %s\n", VALUE_NAMES[v],
                       amount(value, r->peaks[v].per_minute), from, when(at, r, r->peaks[v].minute));
    buf_str(&line, "  mix       ");
    shares(&line, r);
    buf_printf(&line, ": %s\n", MIX_SAYS[r->mix]);
    for (size_t i = 0; i < r->n_notes; i++)
        buf_printf(&line, "  note      %s\n", r->notes[i]);
    fwrite(line.data, 1, line.len, to);
    buf_done(&line);
}

static void json_peak(struct json_writer *j, const struct rehearsal *r, enum minute_value value)
{
    const struct rehearsal_peak *p = &r->peaks[value];
    jw_key(j, VALUE_NAMES[value]);
    if (isnan(p->per_minute)) {
        jw_null(j);
        return;
    }
    jw_object(j);
    jw_member_f64(j, "per_minute", p->per_minute);
    jw_key(j, "minute");
    jw_i64(j, p->minute);
    char at[NUMBER_TEXT_MAX];
    jw_key(j, "at");
    if (r->starts_ms)
        jw_text(j, span_of(at, format_rfc3339_ms(at, r->starts_ms + p->minute * MINUTE_MS)));
    else
        jw_null(j);
    jw_end(j);
}

void rehearsal_json(struct json_writer *j, const struct rehearsal *r)
{
    if (!r) {
        jw_null(j);
        return;
    }
    jw_object(j);
    jw_member_str(j, "event", r->event);
    jw_member_str(j, "title", r->title);
    jw_member_str(j, "collector", r->collector);
    jw_member_f64(j, "at_ratio", r->at);
    jw_member_str(j, "from", BASIS_NAMES[r->basis]);
    jw_member_str(j, "of", r->of);
    jw_member_f64(j, "growth", r->growth);
    jw_key(j, "peaks");
    jw_object(j);
    for (size_t v = 0; v < MINUTE_VALUES; v++)
        json_peak(j, r, (enum minute_value)v);
    jw_end(j);
    jw_member_str(j, "mix_from", MIX_NAMES[r->mix]);
    jw_member_str(j, "shape", SHAPE_NAMES[r->shape]);
    jw_member_f64(j, "rate", r->rate);
    jw_member_f64(j, "buying_ratio", r->buying_ratio);
    jw_member_f64(j, "orders_per_minute", r->orders_per_minute);
    jw_member_f64(j, "money_steps_per_second", r->payments);
    jw_key(j, "notes");
    jw_array(j);
    for (size_t i = 0; i < r->n_notes; i++)
        jw_str(j, r->notes[i]);
    jw_end(j);
    jw_end(j);
}

static void html_str(struct buf *out, const char *text)
{
    html_text(out, span_str(text));
}

void rehearsal_html(struct buf *out, const struct rehearsal *r)
{
    if (!r)
        return;
    char value[AMOUNT_TEXT_MAX], at[WHEN_TEXT_MAX], from[160];
    struct buf words;
    buf_init(&words, REHEARSAL_WORDS_BYTES_MAX);
    basis(from, sizeof from, r);
    buf_str(out, "<h2>The rehearsal</h2>\n<p>");
    html_str(out, r->title ? r->title : r->event);
    buf_printf(out, " (");
    html_str(out, r->event);
    buf_printf(out, ") at %g\xc2\xa0%%: ", r->at * 100);
    sentence(&words, r);
    html_text(out, buf_view(&words));
    buf_str(out, ".</p>\n");
    page_table(out, "The rehearsal");
    buf_str(out, "<thead><tr><th scope=\"col\">100\xc2\xa0%</th><th scope=\"col\">a minute</th>"
                 "<th scope=\"col\" class=\"what\">the peak</th><th scope=\"col\" class=\"what\">when</th></tr></thead>"
                 "\n<tbody>\n");
    for (size_t v = 0; v < MINUTE_VALUES; v++) {
        if (isnan(r->peaks[v].per_minute))
            continue;
        buf_printf(out, "<tr><th scope=\"row\">%s</th><td>%s</td><td class=\"what\">", VALUE_NAMES[v],
                   amount(value, r->peaks[v].per_minute));
        html_str(out, from);
        buf_str(out, "</td><td class=\"what\">");
        html_str(out, when(at, r, r->peaks[v].minute));
        buf_str(out, "</td></tr>\n");
    }
    page_table_end(out);
    buf_str(out, "<p class=\"soft\">Mix: ");
    buf_clear(&words);
    shares(&words, r);
    html_text(out, buf_view(&words));
    buf_printf(out, "; %s.</p>\n", MIX_SAYS[r->mix]);
    for (size_t i = 0; i < r->n_notes; i++) {
        buf_str(out, "<p class=\"note\">");
        html_str(out, r->notes[i]);
        buf_str(out, ".</p>\n");
    }
    buf_done(&words);
}
