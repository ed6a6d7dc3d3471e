#include "loadgen/limit/limit_page.h"

#include <inttypes.h>
#include <math.h>

#include "lib/base/options.h"
#include "lib/base/tz.h"
#include "lib/chart/chart.h"
#include "lib/chart/page.h"
#include "loadgen/report.h"

#define NBSP "\xc2\xa0" /* a number stays with its unit */
#define FAR_FACTOR 1.6 /* of the lowest rate that broke: probes beyond would press the curve flat, the table has them */
#define CURVE_POINTS 60u
#define CURVE_BEYOND 1.1 /* of the highest concurrency that is shown */

/* ---- which probes are drawn ---- */

struct shown {
    const struct limit_probe *list[LIMIT_PROBES_MAX]; /* by rate */
    size_t n, left_out;
};

static void choose(const struct limit_result *r, struct shown *s)
{
    const struct limit_probe *sorted[LIMIT_PROBES_MAX], *broken = limit_first_broken(r);
    size_t n = limit_probes_by_rate(r, sorted);
    s->n = s->left_out = 0;
    for (size_t i = 0; i < n; i++) {
        bool has_answers = sorted[i]->answer != LIMIT_VOID && sorted[i]->p95_us > 0;
        if (!has_answers || (broken && sorted[i]->rate > broken->rate * FAR_FACTOR))
            s->left_out++;
        else
            s->list[s->n++] = sorted[i];
    }
}

static void say_left_out(const struct shown *s, struct buf *out)
{
    if (s->left_out)
        buf_printf(out,
                   "<p class=\"soft\">%zu probe%s far above the limit, void or without an answer %s in the table "
                   "only.</p>\n",
                   s->left_out, s->left_out == 1 ? "" : "s", s->left_out == 1 ? "is" : "are");
}

/* ---- charts ---- */

typedef double (*probe_value)(const struct limit_probe *p);

static double p50_ms(const struct limit_probe *p)
{
    return (double)p->p50_us / 1000;
}

static double p95_ms(const struct limit_probe *p)
{
    return (double)p->p95_us / 1000;
}

static double p99_ms(const struct limit_probe *p)
{
    return (double)p->p99_us / 1000;
}

static double rate_of(const struct limit_probe *p)
{
    return p->rate;
}

static double concurrency_of(const struct limit_probe *p)
{
    return p->concurrency;
}

static double throughput_of(const struct limit_probe *p)
{
    return p->throughput;
}

static bool is_kept(const struct limit_probe *p)
{
    return p->answer == LIMIT_MET;
}

static bool is_broken(const struct limit_probe *p)
{
    return p->answer == LIMIT_BROKEN;
}

/* Points of the probes that `which` takes (NULL: all). Returns how many. */
static size_t points_of(const struct shown *s, probe_value x, probe_value y, bool (*which)(const struct limit_probe *),
                        double points[LIMIT_PROBES_MAX][2])
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!which || which(s->list[i])) {
            points[n][0] = x(s->list[i]);
            points[n++][1] = y(s->list[i]);
        }
    return n;
}

MUST_USE static int draw(const struct chart_xy_spec *spec, struct buf *out)
{
    struct chart *drawn = NULL;
    int e = chart_xy_draw(spec, &drawn);
    if (e == 0)
        e = page_figure(out, spec->title, drawn);
    if (e < 0)
        return e;
    chart_xy_table(spec, LIMIT_PROBES_MAX, out);
    page_figure_end(out);
    return buf_error(out);
}

#define POINTS(array) (const double(*)[2])(array)

MUST_USE static int latency_chart(const struct shown *s, struct buf *out)
{
    double kept[LIMIT_PROBES_MAX][2], broken[LIMIT_PROBES_MAX][2], p99[LIMIT_PROBES_MAX][2], p50[LIMIT_PROBES_MAX][2];
    size_t n_kept = points_of(s, rate_of, p95_ms, is_kept, kept),
           n_broken = points_of(s, rate_of, p95_ms, is_broken, broken), n = points_of(s, rate_of, p99_ms, NULL, p99);
    points_of(s, rate_of, p50_ms, NULL, p50);
    struct chart_dots dots[] = {{"p95, SLO kept", CHART_ACTUAL, POINTS(kept), n_kept, false},
                                {"p95, SLO broken", CHART_ALERT, POINTS(broken), n_broken, false},
                                {"p99", CHART_PLAN, POINTS(p99), n, true},
                                {"p50", CHART_LAST, POINTS(p50), n, true}};
    return draw(&(struct chart_xy_spec){.title = "Response time against rate",
                                        .x_name = "sessions per second",
                                        .unit = "ms",
                                        .dots = dots,
                                        .n_dots = ARRAY_LEN(dots)},
                out);
}

MUST_USE static int scalability_chart(const struct limit_result *r, const struct shown *s, struct buf *out)
{
    double kept[LIMIT_PROBES_MAX][2], broken[LIMIT_PROBES_MAX][2], curve[CURVE_POINTS][2], most = 0;
    size_t n_kept = points_of(s, concurrency_of, throughput_of, is_kept, kept),
           n_broken = points_of(s, concurrency_of, throughput_of, is_broken, broken);
    const struct usl_fit *f = &r->usl;
    for (size_t i = 0; i < s->n; i++)
        most = fmax(most, s->list[i]->concurrency);
    bool has_peak = r->usl_state == USL_FITTED && f->peak_concurrency <= most * CURVE_BEYOND;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        curve[i][0] = most * CURVE_BEYOND * (double)i / (CURVE_POINTS - 1);
        curve[i][1] = i ? usl_throughput(f, curve[i][0]) : 0;
    }
    double peak[1][2] = {{f->peak_concurrency, f->peak_throughput}};
    struct chart_dots dots[4] = {{"SLO kept", CHART_ACTUAL, POINTS(kept), n_kept, false},
                                 {"SLO broken", CHART_ALERT, POINTS(broken), n_broken, false}};
    size_t n = 2;
    if (r->usl_state == USL_FITTED)
        dots[n++] = (struct chart_dots){"scalability law", CHART_PLAN, POINTS(curve), CURVE_POINTS, true};
    if (has_peak)
        dots[n++] = (struct chart_dots){"its peak", CHART_LAST, POINTS(peak), 1, false};
    return draw(&(struct chart_xy_spec){.title = "Throughput against concurrency",
                                        .x_name = "requests at once",
                                        .unit = "requests per second",
                                        .dots = dots,
                                        .n_dots = n},
                out);
}

/* ---- words ---- */

static void head(const struct limit_result *r, const struct run_config *c, struct buf *out)
{
    char started[TZ_TEXT_MAX];
    struct tz *utc = NULL;
    buf_str(out, "<header><h1>How much the server takes</h1>\n<p class=\"window\">Search ");
    html_text(out, span_str(c->run_id));
    if (tz_load("UTC", &utc) == 0) {
        tz_format(started, utc, r->started_ms, true);
        buf_printf(out, ", %s", started);
    }
    tz_free(utc);
    buf_printf(out, ", %zu probes in %.0f" NBSP "s", r->search.n, r->seconds);
    if (c->target) {
        buf_str(out, ", to ");
        html_text(out, c->target->host);
        buf_printf(out, ":%u", (unsigned)c->target->port);
    }
    buf_str(out, "</p></header>\n");
}

/* A sentence of `words`, its first letter in capitals, as HTML. */
static void sentence(struct buf *out, struct buf *words)
{
    if (words->len && words->data[0] >= 'a' && words->data[0] <= 'z')
        words->data[0] = (char)(words->data[0] - 'a' + 'A');
    html_text(out, buf_view(words));
    buf_str(out, ".");
}

static void verdict(const struct limit_result *r, struct buf *out)
{
    struct buf words;
    bool found = r->search.end == LIMIT_FOUND && !r->interrupted;
    buf_init(&words, 65536);
    limit_say_end(&words, r);
    buf_printf(out, "<p class=\"verdict%s\"><strong>", found ? "" : " alert");
    sentence(out, &words);
    buf_str(out, "</strong></p>\n");
    buf_clear(&words);
    if (limit_say_gave_way(&words, r)) {
        buf_str(out, "<h2>What gave way first</h2>\n<p>");
        html_text(out, buf_view(&words));
        buf_str(out, ".</p>\n");
    }
    buf_done(&words);
    server_limit_html(out, &r->server);
}

MUST_USE static int curves(const struct limit_result *r, struct buf *out)
{
    struct shown shown;
    struct buf words;
    choose(r, &shown);
    if (shown.n == 0)
        return 0;
    buf_str(out, "<h2>The curve</h2>\n");
    int e = latency_chart(&shown, out);
    if (e < 0)
        return e;
    say_left_out(&shown, out);
    buf_init(&words, 65536);
    limit_say_usl(&words, r);
    buf_str(out, "<h2>Scalability</h2>\n<p>");
    sentence(out, &words);
    buf_str(out, "</p>\n");
    buf_done(&words);
    return scalability_chart(r, &shown, out);
}

static void time_cell(struct buf *out, int64_t us)
{
    char text[REPORT_TIME_MAX];
    buf_printf(out, "<td>%s</td>", us > 0 ? report_time(text, us) : "–");
}

static void probe_row(struct buf *out, const struct limit_probe *p, size_t number)
{
    buf_printf(out, "<tr><th scope=\"row\">%zu</th><td>%.4g</td><td%s>%s</td><td>%.1f</td><td>%.1f</td>", number,
               p->rate, p->answer == LIMIT_MET ? "" : " class=\"under\"", limit_answer_name(p->answer), p->throughput,
               p->concurrency);
    time_cell(out, p->p50_us);
    time_cell(out, p->p95_us);
    time_cell(out, p->p99_us);
    if (isnan(p->error_ratio))
        buf_str(out, "<td>–</td>");
    else
        buf_printf(out, "<td>%.2f" NBSP "%%</td>", 100 * p->error_ratio);
    if (isnan(p->recovery_s))
        buf_str(out, "<td>–</td>");
    else
        buf_printf(out, "<td>%.1f" NBSP "s</td>", p->recovery_s);
    buf_str(out, "</tr>\n");
}

/* Of the probes that were not kept. */
static void reasons(const struct limit_result *r, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < r->search.n; i++) {
        if (!r->probes[i].why[0])
            continue;
        buf_printf(out, "%s<li>Probe %zu, at %.4g sessions/s: ", any ? "" : "<ul class=\"short\">\n", i + 1,
                   r->probes[i].rate);
        html_text(out, span_str(r->probes[i].why));
        buf_str(out, "</li>\n");
        any = true;
    }
    if (any)
        buf_str(out, "</ul>\n");
}

static void probes(const struct limit_result *r, struct buf *out)
{
    buf_str(out, "<h2>Probes</h2>\n<p class=\"soft\">In their order; recovery: how long the server took at a low rate "
                 "until it kept the SLO again.</p>\n");
    page_table(out, "Probes");
    buf_str(out, "<thead><tr><th scope=\"col\">no.</th><th scope=\"col\">sessions/s</th><th scope=\"col\">SLO</th>"
                 "<th scope=\"col\">requests/s</th><th scope=\"col\">at once</th><th scope=\"col\">p50</th><th "
                 "scope=\"col\">p95</th><th scope=\"col\">p99</th><th scope=\"col\">not ok</th><th "
                 "scope=\"col\">recovery</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->search.n; i++)
        probe_row(out, &r->probes[i], i + 1);
    page_table_end(out);
    reasons(r, out);
}

int limit_page(const struct limit_result *r, const struct run_config *c, struct buf *out)
{
    page_begin(out, SPAN("How much the server takes"));
    head(r, c, out);
    verdict(r, out);
    int e = curves(r, out);
    if (e < 0)
        return e;
    probes(r, out);
    buf_printf(out, "<p class=\"soft\">%u thread%s of the generator; seed %" PRIu64 ", crest-loadgen %s.</p>\n",
               c->threads, c->threads == 1 ? "" : "s", c->seed, crest_version());
    page_end(out);
    return buf_error(out);
}
