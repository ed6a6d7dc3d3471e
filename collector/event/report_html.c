#include "collector/event/report_html.h"

#include <inttypes.h>
#include <math.h>

#include "collector/event/currency.h"
#include "lib/base/number.h"
#include "lib/chart/chart.h"

#define NBSP "\xc2\xa0" /* a number stays with its unit */
#define DAY_SHOWN_MS (20 * 3600000ll)

void report_text(struct buf *out, const char *s)
{
    html_text(out, span_str(s));
}

void report_source(struct buf *out, size_t query)
{
    if (query)
        buf_printf(out, "<a class=\"q\" href=\"#q%zu\" aria-label=\"query %zu\">%zu</a>", query, query, query);
}

void report_amount(struct buf *out, double v, int decimals)
{
    char digits[MONEY_TEXT_MAX];
    if (isnan(v)) {
        buf_str(out, "–");
        return;
    }
    amount_format(digits, v, decimals);
    buf_str(out, digits);
}

void report_money(struct buf *out, double v, const char *currency)
{
    report_amount(out, v, currency_decimals(span_str(currency)));
    buf_printf(out, " %s", currency);
}

void report_share(struct buf *out, double ratio, int decimals)
{
    double power = pow(10, decimals);
    buf_printf(out, "%.*f" NBSP "%%", decimals, floor(100 * ratio * power + 1e-7) / power);
}

void report_when(const struct report *r, struct buf *out, int64_t t_ms)
{
    char clock[TZ_TEXT_MAX];
    if (r->e->ends_ms - r->e->starts_ms > DAY_SHOWN_MS)
        tz_format(clock, r->e->tz, t_ms, false);
    else
        tz_format_clock(clock, r->e->tz, t_ms, true);
    buf_str(out, clock);
}

void report_duration(struct buf *out, int64_t ms)
{
    int64_t s = (ms + 500) / 1000;
    if (s >= 3600)
        buf_printf(out, "%" PRId64 NBSP "h%s", s / 3600, s % 3600 ? " " : "");
    if (s % 3600 >= 60)
        buf_printf(out, "%" PRId64 NBSP "min%s", s % 3600 / 60, s % 60 ? " " : "");
    if (s % 60 || s == 0)
        buf_printf(out, "%" PRId64 NBSP "s", s % 60);
}

void report_difference(struct buf *out, double a, double b)
{
    if (isnan(a) || !(b > 0))
        return;
    double percent = 100 * (a / b - 1);
    int decimals = fabs(percent) < 9.95 ? 1 : 0;
    if (fabs(percent) < 0.05)
        buf_str(out, " <span class=\"up\">±0" NBSP "%</span>");
    else
        buf_printf(out, " <span class=\"%s\">%+.*f" NBSP "%%</span>", a >= b ? "up" : "under", decimals, percent);
}

void report_hidden_rows(struct buf *out, size_t n, unsigned columns)
{
    if (n > REPORT_ROWS_MAX)
        buf_printf(out, "<tr><td colspan=\"%u\">and %zu more</td></tr>\n", columns, n - REPORT_ROWS_MAX);
}

void report_table(struct buf *out, const char *label, const char *more)
{
    buf_printf(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table%s>", label, more);
}

void report_table_end(struct buf *out)
{
    buf_str(out, "</table></div>\n");
}
