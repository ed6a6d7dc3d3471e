/* A comparison in words, and as a section of the report's page. */
#include <math.h>

#include "lib/chart/chart.h"
#include "loadgen/compare/compare.h"

static const char *const QUANTILE_NAMES[SAVED_QUANTILES] = {"p50", "p95", "p99"};

struct row {
    const struct compared *step;
    const char *what;
    const struct compared_value *value;
    bool is_share;
};

static const struct saved_step *either(const struct compared *s)
{
    return s->now ? s->now : s->old;
}

static void value_text(char to[32], double v, bool is_share)
{
    if (isnan(v))
        snprintf(to, 32, "no data");
    else if (is_share)
        snprintf(to, 32, "%.2f %%", 100 * v);
    else
        snprintf(to, 32, "%.*f ms", v < 10000 ? 2 : v < 100000 ? 1 : 0, v / 1000);
}

/* "+12 %"; of shares in points: twice nothing is nothing. */
static void difference_text(char to[32], const struct row *r)
{
    double old = r->value->old, now = r->value->now;
    if (isnan(old) || isnan(now))
        snprintf(to, 32, "-");
    else if (r->is_share)
        snprintf(to, 32, "%+.2f points", 100 * (now - old));
    else if (old > 0)
        snprintf(to, 32, "%+.0f %%", 100 * (now / old - 1));
    else
        snprintf(to, 32, "-");
}

/* Every value of every step, in order. */
static bool next_row(const struct comparison *c, size_t *at, struct row *ret)
{
    size_t step = *at / (SAVED_QUANTILES + 1), what = *at % (SAVED_QUANTILES + 1);
    if (step >= c->n)
        return false;
    ++*at;
    const struct compared *s = &c->steps[step];
    if (what < SAVED_QUANTILES)
        *ret = (struct row){s, QUANTILE_NAMES[what], &s->quantiles[what], false};
    else
        *ret = (struct row){s, "not ok", &s->failures, true};
    return true;
}

static const char *caveat(const struct comparison *c)
{
    if (c->is_void)
        return "One of the runs is void: it says nothing about the server, and so does this comparison.";
    if (c->other_load)
        return "The runs were under different load: a change may be the load's.";
    return NULL;
}

void compare_text(FILE *to, const struct comparison *c)
{
    const char *but = caveat(c);
    fprintf(to, "against run %s of %s: %zu worse, %zu better, %zu within noise, %zu unknown\n", c->old->run,
            c->old->started, compare_count(c, CHANGE_WORSE), compare_count(c, CHANGE_BETTER),
            compare_count(c, CHANGE_NONE), compare_count(c, CHANGE_UNKNOWN));
    if (but)
        fprintf(to, "  %s\n", but);
    struct row r;
    for (size_t at = 0; next_row(c, &at, &r);) {
        char old[32], now[32], difference[32];
        if (r.value->change != CHANGE_WORSE && r.value->change != CHANGE_BETTER)
            continue;
        value_text(old, r.value->old, r.is_share);
        value_text(now, r.value->now, r.is_share);
        difference_text(difference, &r);
        fprintf(to, "  %-6s %s/%s %s: %s, was %s (%s)\n", change_name(r.value->change), either(r.step)->journey,
                either(r.step)->name, r.what, now, old, difference);
    }
    for (size_t i = 0; i < c->n; i++)
        if (!c->steps[i].now || !c->steps[i].old)
            fprintf(to, "  only the %s run has %s/%s\n", c->steps[i].now ? "new" : "old", either(&c->steps[i])->journey,
                    either(&c->steps[i])->name);
}

void compare_html(struct buf *out, const struct comparison *c)
{
    const char *but = caveat(c);
    buf_str(out, "<h2>Against run ");
    html_text(out, span_str(c->old->run));
    buf_printf(out, "</h2>\n<p>%zu values worse, %zu better, %zu within noise, %zu unknown.",
               compare_count(c, CHANGE_WORSE), compare_count(c, CHANGE_BETTER), compare_count(c, CHANGE_NONE),
               compare_count(c, CHANGE_UNKNOWN));
    if (but)
        buf_printf(out, " <strong class=\"note\">%s</strong>", but);
    buf_str(out, "</p>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Comparison\"><table><thead><tr>"
                 "<th scope=\"col\">journey / step</th><th scope=\"col\">what</th><th scope=\"col\">was</th><th "
                 "scope=\"col\">is</th><th scope=\"col\">difference</th><th scope=\"col\">verdict</th></tr></thead>\n"
                 "<tbody>\n");
    struct row r;
    for (size_t at = 0; next_row(c, &at, &r);) {
        char old[32], now[32], difference[32];
        value_text(old, r.value->old, r.is_share);
        value_text(now, r.value->now, r.is_share);
        difference_text(difference, &r);
        buf_str(out, "<tr><th scope=\"row\">");
        html_text(out, span_str(either(r.step)->journey));
        buf_str(out, " / ");
        html_text(out, span_str(either(r.step)->name));
        buf_printf(out, "</th><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td%s>%s</td></tr>\n", r.what, old, now,
                   difference, r.value->change == CHANGE_WORSE ? " class=\"under\"" : "", change_name(r.value->change));
    }
    buf_str(out, "</tbody></table></div>\n");
}
