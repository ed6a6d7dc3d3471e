#include "loadgen/report_charts.h"

#include <errno.h>
#include <math.h>

#include "lib/chart/chart.h"
#include "lib/chart/page.h"

#define TABLE_ROWS_MAX 24u
#define LINES_MAX 3u

struct charts {
    const struct run_config *config;
    const struct run_result *result;
    const struct run_series *series;
    size_t n;
    struct tz *tz;
    struct chart_mark *marks;
    size_t n_marks;
    int64_t end_ms;
    double *values; /* LINES_MAX times n */
};

/* What a line shows of a point; NAN: nothing happened. */
typedef double (*point_value)(const struct series_point *p);
struct line_def {
    const char *name;
    enum chart_class look;
    point_value value;
};
struct chart_def {
    const char *title, *unit;
    struct line_def lines[LINES_MAX];
};

static double per_second(double n, const struct series_point *p)
{
    return p->seconds > 0 ? n / p->seconds : NAN;
}

static double planned(const struct series_point *p)
{
    return per_second(p->planned, p);
}

static double started(const struct series_point *p)
{
    return per_second((double)p->sessions.started, p);
}

static double dropped(const struct series_point *p)
{
    return per_second((double)p->sessions.dropped, p);
}

static double ms_of(const struct series_times *t, int64_t us)
{
    return t->count ? (double)us / 1000 : NAN;
}

static double response_p50(const struct series_point *p)
{
    return ms_of(&p->response, p->response.p50_us);
}

static double response_p95(const struct series_point *p)
{
    return ms_of(&p->response, p->response.p95_us);
}

static double response_p99(const struct series_point *p)
{
    return ms_of(&p->response, p->response.p99_us);
}

static double service_p99(const struct series_point *p)
{
    return ms_of(&p->service, p->service.p99_us);
}

static double lag_max(const struct series_point *p)
{
    return (double)p->lag_max_us / 1000;
}

static double failed(const struct series_point *p)
{
    uint64_t n = 0;
    for (size_t i = 0; i < OUTCOMES; i++)
        n += i == OUTCOME_OK ? 0 : p->outcomes[i];
    return per_second((double)n, p);
}

static double business(const struct series_point *p)
{
    return per_second((double)p->outcomes[OUTCOME_BUSINESS], p);
}

static double transport(const struct series_point *p)
{
    return per_second((double)p->outcomes[OUTCOME_TRANSPORT], p);
}

static double open_sessions(const struct series_point *p)
{
    return p->open;
}

static double in_flight(const struct series_point *p)
{
    return p->in_flight;
}

static const struct chart_def OVER_TIME[] = {
    {"Sessions: planned, started, dropped",
     "per second",
     {{"started", CHART_ACTUAL, started}, {"planned", CHART_PLAN, planned}, {"dropped", CHART_LAST, dropped}}},
    {"Response time over time",
     "ms",
     {{"p99", CHART_ACTUAL, response_p99}, {"p95", CHART_PLAN, response_p95}, {"p50", CHART_LAST, response_p50}}},
    {"What users waited, and what the server took",
     "ms",
     {{"response p99", CHART_ACTUAL, response_p99},
      {"service p99", CHART_PLAN, service_p99},
      {"generator's lag, highest", CHART_LAST, lag_max}}},
    {"Failed steps",
     "per second",
     {{"all", CHART_ACTUAL, failed}, {"business", CHART_PLAN, business}, {"transport", CHART_LAST, transport}}},
    {"Open sessions and requests in flight",
     "at each point's end",
     {{"open sessions", CHART_ACTUAL, open_sessions}, {"in flight", CHART_PLAN, in_flight}}},
};

static int64_t point_ms(const struct charts *c, double second)
{
    return c->result->started_ms + (int64_t)llround(second * 1000);
}

MUST_USE static int over_time(struct charts *c, const struct chart_def *def, struct buf *out)
{
    struct chart_line lines[LINES_MAX];
    struct chart_spec spec = {.title = def->title,
                              .unit = def->unit,
                              .start_ms = c->result->started_ms,
                              .end_ms = c->end_ms,
                              .tz = c->tz,
                              .lines = lines,
                              .marks = c->marks,
                              .n_marks = c->n_marks};
    int64_t step_ms = llround(series_at(c->series, 0)->seconds * 1000); /* the last point may be shorter */
    for (; spec.n_lines < LINES_MAX && def->lines[spec.n_lines].name; spec.n_lines++) {
        const struct line_def *l = &def->lines[spec.n_lines];
        double *values = c->values + spec.n_lines * c->n;
        for (size_t i = 0; i < c->n; i++)
            values[i] = l->value(series_at(c->series, i));
        lines[spec.n_lines] =
            (struct chart_line){l->name, l->look, values, c->n, c->result->started_ms, step_ms > 0 ? step_ms : 1000};
    }
    struct chart *drawn = NULL;
    int r = chart_draw(&spec, &drawn);
    if (r == 0)
        r = page_figure(out, def->title, drawn);
    if (r < 0)
        return r;
    chart_table(&spec, TABLE_ROWS_MAX, out);
    page_figure_end(out);
    return 0;
}

/* Does the latency bend as the load grows? A dot for each point of the run: nothing is fitted. */
MUST_USE static int against_rate(struct charts *c, struct buf *out)
{
    AUTO_FREE double(*p95)[2] = calloc(c->n, sizeof *p95);
    AUTO_FREE double(*p50)[2] = calloc(c->n, sizeof *p50);
    if (!p95 || !p50)
        return -ENOMEM;
    for (size_t i = 0; i < c->n; i++) {
        const struct series_point *p = series_at(c->series, i);
        p95[i][0] = p50[i][0] = per_second((double)p->requests.started, p);
        p95[i][1] = response_p95(p);
        p50[i][1] = response_p50(p);
    }
    struct chart_dots dots[] = {{"p95", CHART_ACTUAL, (const double(*)[2])p95, c->n, false},
                                {"p50", CHART_LAST, (const double(*)[2])p50, c->n, false}};
    struct chart_xy_spec spec = {.title = "Response time against rate",
                                 .x_name = "requests per second",
                                 .unit = "ms",
                                 .dots = dots,
                                 .n_dots = ARRAY_LEN(dots)};
    struct chart *drawn = NULL;
    int r = chart_xy_draw(&spec, &drawn);
    if (r == 0)
        r = page_figure(out, spec.title, drawn);
    if (r < 0)
        return r;
    chart_xy_table(&spec, TABLE_ROWS_MAX, out);
    page_figure_end(out);
    return 0;
}

MUST_USE static int make_marks(struct charts *c)
{
    c->marks = calloc(c->config->n_phases ? c->config->n_phases : 1, sizeof *c->marks);
    if (!c->marks)
        return -ENOMEM;
    for (size_t i = 0; i < c->config->n_phases; i++) {
        const struct plan_phase *p = &c->config->phases[i];
        int64_t from_ms = point_ms(c, p->start_s);
        if (from_ms < c->end_ms) /* a warm-up is a bar, what counts is a line where it begins */
            c->marks[c->n_marks++] =
                (struct chart_mark){from_ms, p->warmup ? point_ms(c, p->end_s) : from_ms, p->name, NULL, false};
    }
    return 0;
}

int report_charts(const struct run_config *config, const struct run_result *result, struct buf *out)
{
    struct charts c = {.config = config, .result = result, .series = result->series};
    c.n = c.series ? series_count(c.series) : 0;
    if (c.n == 0)
        return 0;
    const struct series_point *last = series_at(c.series, c.n - 1);
    c.end_ms = point_ms(&c, last->second + last->seconds);
    if (c.end_ms <= result->started_ms)
        c.end_ms = result->started_ms + 1;
    c.values = calloc(LINES_MAX * c.n, sizeof *c.values);
    int r = c.values ? tz_load("UTC", &c.tz) : -ENOMEM;
    if (r == 0)
        r = make_marks(&c);
    if (r == 0)
        buf_str(out, "<h2>The run over time</h2>\n");
    for (size_t i = 0; i < ARRAY_LEN(OVER_TIME) && r == 0; i++)
        r = over_time(&c, &OVER_TIME[i], out);
    if (r == 0)
        r = against_rate(&c, out);
    free(c.values);
    free(c.marks);
    tz_free(c.tz);
    return r;
}
