#include "loadgen/live_view.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "loadgen/report.h"

#define STEP_COLUMNS 46 /* of figures beside a step's name */
#define GRAPH_LINES 5
#define LAG_BAD_RATIO 0.5 /* of the lag that makes a run void: worth a warning */

int live_view_init(struct live_view *v, const struct run_config *config, double planned_s)
{
    *v = (struct live_view){.config = config, .planned_s = planned_s};
    size_t n = config->journeys->n_steps;
    for (size_t i = 0; i < LIVE_SECONDS; i++)
        v->rate[i] = v->planned[i] = v->p95_ms[i] = NAN;
    v->steps = calloc(n ? n : 1, sizeof *v->steps);
    return v->steps ? 0 : -ENOMEM;
}

void live_view_done(struct live_view *v)
{
    free(v->steps);
    free(v->thresholds);
}

/* ---- taking a tick ---- */

static struct live_times times_of(const struct hdr *h)
{
    if (!h || hdr_count(h) == 0)
        return (struct live_times){-1, -1, -1};
    return (struct live_times){hdr_percentile(h, 50), hdr_percentile(h, 95), hdr_percentile(h, 99)};
}

static void remember(double values[LIVE_SECONDS], double v)
{
    memmove(values, values + 1, (LIVE_SECONDS - 1) * sizeof *values);
    values[LIVE_SECONDS - 1] = v;
}

MUST_USE static int take_thresholds(struct live_view *v, const struct run_tick *t)
{
    if (t->n_thresholds != v->n_thresholds) {
        struct live_threshold *list = calloc(t->n_thresholds + 1, sizeof *list);
        if (!list)
            return -ENOMEM;
        free(v->thresholds);
        v->thresholds = list;
        v->n_thresholds = t->n_thresholds;
    }
    for (size_t i = 0; i < t->n_thresholds; i++) {
        const struct run_threshold *from = &t->thresholds[i];
        struct live_threshold *to = &v->thresholds[i];
        char value[REPORT_TIME_MAX] = "no data yet";
        to->known = !isnan(from->value);
        to->met = from->met;
        if (to->known && hurl_slo_is_ratio(from->slo->metric))
            snprintf(value, sizeof value, "%.2f%%", 100 * from->value);
        else if (to->known)
            report_time(value, (int64_t)from->value);
        snprintf(to->text, sizeof to->text, "%s " SPAN_FMT ": %s", from->scope, SPAN_ARG(from->slo->text), value);
    }
    return 0;
}

int live_view_update(struct live_view *v, const struct run_tick *t)
{
    double wall = t->interval_s > 0 ? t->interval_s : 1;
    uint64_t steps = stats_outcomes(t->interval, OUTCOMES), good = stats_outcomes(t->interval, OUTCOME_OK);
    v->second = t->second;
    v->planned_rate = t->planned_rate;
    v->started_rate = (double)t->interval->sessions.started / wall;
    v->request_rate = (double)t->interval->requests.started / wall;
    v->failed_rate = (double)(steps - good) / wall;
    v->cpu_ratio = t->cpu_ratio;
    v->open = t->open;
    v->in_flight = t->in_flight;
    v->lag_p99_us = hdr_percentile(t->interval->lag, 99);
    v->hiccup_max_us = t->hiccup ? hdr_max(t->hiccup) : 0;
    v->sessions = t->total->sessions;
    v->requests = t->total->requests;
    snprintf(v->phase, sizeof v->phase, "%s", t->phase ? t->phase->name : "");
    v->warmup = t->phase && t->phase->warmup;
    for (size_t i = 0; i < t->total->n_steps; i++) {
        const struct step_stats *all = &t->total->steps[i], *now = &t->interval->steps[i];
        uint64_t count = stats_step_total(all);
        v->steps[i] = (struct live_step){count, count - all->outcomes[OUTCOME_OK],
                                         stats_step_total(now) - now->outcomes[OUTCOME_OK], times_of(now->response),
                                         times_of(all->response)};
    }
    struct hdr *h = stats_all(t->interval, false);
    v->all = times_of(h);
    hdr_free(h);
    remember(v->rate, v->started_rate);
    remember(v->planned, v->planned_rate > 0 ? v->planned_rate : NAN);
    remember(v->p95_ms, v->all.p95_us < 0 ? NAN : (double)v->all.p95_us / 1000);
    return take_thresholds(v, t);
}

/* ---- drawing ---- */

static const char *short_time(char to[REPORT_TIME_MAX], int64_t us)
{
    if (us < 0)
        return "-";
    return report_time(to, us);
}

static void draw_head(const struct live_view *v, struct cells *c)
{
    static const char *const STATES[] = {"running", "stopping: running sessions finish", "cut off"};
    unsigned state = v->stops < ARRAY_LEN(STATES) ? v->stops : (unsigned)ARRAY_LEN(STATES) - 1;
    cells_fill(c, (struct box){0, 0, c->w, 1}, ' ', STYLE_TITLE);
    int x = cells_printf(c, 0, 0, c->w, STYLE_TITLE, " %s  %.0f s", v->config->run_id, v->second);
    if (v->planned_s > 0)
        x += cells_printf(c, x, 0, c->w - x, STYLE_TITLE, " of %.0f", v->planned_s);
    if (v->phase[0])
        x += cells_printf(c, x, 0, c->w - x, STYLE_TITLE, "  %s%s", v->phase, v->warmup ? " (warm-up)" : "");
    cells_printf(c, x, 0, c->w - x, STYLE_TITLE, "  %s", STATES[state]);
}

/* Four lines of sums. Returns the next line. */
static int draw_sums(const struct live_view *v, struct cells *c, int y)
{
    char text[3][REPORT_TIME_MAX];
    int x = cells_printf(c, 0, y, c->w, STYLE_PLAIN, "sessions  %.1f/s", v->started_rate);
    if (v->planned_rate > 0)
        x += cells_printf(c, x, y, c->w - x, STYLE_PLAIN, " of %.1f planned", v->planned_rate);
    x += cells_printf(c, x, y, c->w - x, STYLE_PLAIN, "   open %u   in flight %u", v->open, v->in_flight);
    y++;
    x = cells_printf(c, 0, y, c->w, STYLE_PLAIN, "so far    planned %" PRIu64 " = started %" PRIu64 " + dropped ",
                     v->sessions.planned, v->sessions.started);
    x += cells_printf(c, x, y, c->w - x, v->sessions.dropped ? STYLE_WARN : STYLE_PLAIN, "%" PRIu64,
                      v->sessions.dropped);
    cells_printf(c, x, y, c->w - x, STYLE_PLAIN, "   failed %" PRIu64, v->sessions.failed);
    y++;
    x = cells_printf(c, 0, y, c->w, STYLE_PLAIN, "requests  %.0f/s   response p50 %s p95 %s p99 %s   ", v->request_rate,
                     short_time(text[0], v->all.p50_us), short_time(text[1], v->all.p95_us),
                     short_time(text[2], v->all.p99_us));
    cells_printf(c, x, y, c->w - x, v->failed_rate > 0 ? STYLE_CRIT : STYLE_PLAIN, "not ok %.1f/s", v->failed_rate);
    y++;
    bool busy = v->cpu_ratio > RUN_BUSY_RATIO,
         late = (double)v->lag_p99_us > LAG_BAD_RATIO * 1000 * (double)v->config->max_lag_ms;
    x = cells_text(c, 0, y, c->w, STYLE_PLAIN, "generator ");
    x += cells_printf(c, x, y, c->w - x, busy ? STYLE_WARN : STYLE_PLAIN, "CPU %.0f %%%s", 100 * v->cpu_ratio,
                      busy ? " too much" : "");
    x += cells_printf(c, x, y, c->w - x, late ? STYLE_WARN : STYLE_PLAIN, "   lag p99 %s%s",
                      short_time(text[0], v->lag_p99_us), late ? " late" : "");
    cells_printf(c, x, y, c->w - x, STYLE_PLAIN, "   the machine's worst stall %s",
                 short_time(text[1], v->hiccup_max_us));
    return y + 1;
}

static void draw_graph(const double *values, const double *plan, struct cells *c, struct box box, enum graph_mode mode,
                       const char *title, const char *unit)
{
    size_t n = graph_columns(mode, box.w);
    if (n > LIVE_SECONDS)
        n = LIVE_SECONDS;
    values += LIVE_SECONDS - n;
    double top = graph_top(values, n, 1);
    if (plan) {
        plan += LIVE_SECONDS - n;
        double planned_top = graph_top(plan, n, 1);
        top = planned_top > top ? planned_top : top;
    }
    cells_printf(c, box.x, box.y, box.w, STYLE_HEAD, "%s, up to %g %s", title, top, unit);
    struct box area = {box.x, box.y + 1, box.w, box.h - 1};
    graph_area(c, area, values, n, 0, top, mode, STYLE_NOW);
    if (plan)
        graph_line(c, area, plan, n, 0, top, mode, STYLE_PLAN, 1);
}

static int draw_graphs(const struct live_view *v, struct cells *c, int y, enum graph_mode mode)
{
    int half = (c->w - 2) / 2;
    draw_graph(v->rate, v->planned, c, (struct box){0, y, half, GRAPH_LINES}, mode, "sessions started", "a second");
    draw_graph(v->p95_ms, NULL, c, (struct box){half + 2, y, half, GRAPH_LINES}, mode, "response p95", "ms");
    return y + GRAPH_LINES;
}

static int draw_thresholds(const struct live_view *v, struct cells *c, int y, int lines)
{
    /* what is broken comes first: there may be no room for all */
    for (int broken = 1; broken >= 0; broken--)
        for (size_t i = 0; i < v->n_thresholds && lines > 0; i++) {
            const struct live_threshold *t = &v->thresholds[i];
            if ((t->known && !t->met) != (broken == 1))
                continue;
            enum cell_style style = !t->known ? STYLE_UNKNOWN : t->met ? STYLE_OK : STYLE_CRIT;
            cells_printf(c, 0, y, 9, style, "%s", !t->known ? "unknown" : t->met ? "met" : "NOT MET");
            cells_text(c, 9, y, c->w - 9, STYLE_PLAIN, t->text);
            y++;
            lines--;
        }
    return y;
}

static void draw_steps(const struct live_view *v, struct cells *c, int y, int end)
{
    int name = c->w - STEP_COLUMNS;
    static const char *const HEADS[] = {"count", "not ok", "p50", "p95", "p99", "run p95"};
    static const int WIDTHS[] = {8, 7, 7, 8, 8, 8};
    size_t n = v->config->journeys->n_steps;
    if (y >= end)
        return;
    cells_fill(c, (struct box){0, y, c->w, 1}, ' ', STYLE_HEAD);
    cells_text(c, 0, y, name, STYLE_HEAD, "journey/step");
    for (size_t k = 0, x = (size_t)(name > 0 ? name : 0); k < ARRAY_LEN(HEADS); x += (size_t)WIDTHS[k++])
        cells_text_right(c, (int)x, y, WIDTHS[k], STYLE_HEAD, HEADS[k]);
    y++;
    for (size_t i = 0; i < n && y < end; i++, y++) {
        const struct live_step *s = &v->steps[i];
        const struct journey_step *step = &v->config->journeys->steps[i];
        char text[6][REPORT_TIME_MAX];
        if (y == end - 1 && i + 1 < n) {
            cells_printf(c, 0, y, c->w, STYLE_DIM, "… and %zu more steps", n - i);
            return;
        }
        cells_printf(c, 0, y, name - 1, s->failed_now ? STYLE_CRIT : STYLE_PLAIN, "%s/" SPAN_FMT, step->journey,
                     SPAN_ARG(step->name));
        snprintf(text[0], sizeof text[0], "%" PRIu64, s->count);
        snprintf(text[1], sizeof text[1], "%" PRIu64, s->failed);
        const char *cells[] = {text[0],
                               text[1],
                               short_time(text[2], s->now.p50_us),
                               short_time(text[3], s->now.p95_us),
                               short_time(text[4], s->now.p99_us),
                               short_time(text[5], s->all.p95_us)};
        for (size_t k = 0, x = (size_t)(name > 0 ? name : 0); k < ARRAY_LEN(cells); x += (size_t)WIDTHS[k++])
            cells_text_right(c, (int)x, y, WIDTHS[k], k == 1 && s->failed ? STYLE_CRIT : STYLE_PLAIN, cells[k]);
    }
}

void live_view_draw(const struct live_view *v, struct cells *c, enum graph_mode mode)
{
    cells_clear(c);
    draw_head(v, c);
    int y = draw_sums(v, c, 1), keys = c->h - 1;
    if (c->h >= 20)
        y = draw_graphs(v, c, y + 1, mode) + 1;
    if (c->h >= 12)
        y = draw_thresholds(v, c, y, (keys - y) / 3);
    draw_steps(v, c, y, keys);
    cells_fill(c, (struct box){0, keys, c->w, 1}, ' ', STYLE_BAR);
    cells_text(c, 0, keys, c->w, STYLE_BAR,
               v->stops ? " q again: cut the running sessions; the report is written all the same"
                        : " q: start no more sessions, let running ones finish, write the report");
}
