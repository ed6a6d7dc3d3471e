#include "loadgen/workers/coordinator.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "loadgen/engine/threshold.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/workers/order.h"
#include "loadgen/workers/results.h"
#include "loadgen/workers/stats_codec.h"

#define CLOCK_TRIES 5
#define CLOCK_TIMEOUT_MS 3000
#define START_DELAY_MS 1500 /* for the orders to arrive and the journeys to be read */
#define TICK_US 1000000
#define SLICE_MS 20
#define OVERTIME_MS 60000 /* beyond the plan and its grace: whoever still speaks is left */
#define ABORT_MS 12000    /* after the second stop */

struct remote {
    struct run *run;
    char url[300];
    unsigned segment;
    int64_t ahead_us; /* its clock, compared with ours */
    uint64_t request;
    struct buf line;
    struct run_stats *sum, *warm, *second; /* from its ticks; the last one alone */
    unsigned open, in_flight;
    int64_t heard_us;
    bool started, ended, over; /* a tick or end came; "end" came; the request is done */
    enum run_verdict verdict;
    char reasons[RUN_REASONS_MAX][200];
    size_t n_reasons;
    char error[300];
};
struct run {
    const struct run_config *config;
    const struct workers *workers;
    const struct run_hooks *hooks;
    struct run_result *result;
    struct http_client *client;
    struct remote *remotes;
    struct run_stats *interval, *so_far;
    int64_t start_us, tick_us, abort_us;
    enum run_wish wish;
    int error; /* ours */
};

PRINTF_LIKE(3, 4)
static void blame(struct run_result *r, enum run_verdict verdict, const char *format, ...)
{
    if (verdict > r->verdict)
        r->verdict = verdict;
    if (r->n_reasons == RUN_REASONS_MAX)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(r->reasons[r->n_reasons++], sizeof r->reasons[0], format, args);
    va_end(args);
}

/* ---- clocks ---- */

/* How far the worker's clock is ahead: the middle of the quickest of several questions. */
MUST_USE static int compare_clocks(struct remote *w, const struct workers *ws, char *why, size_t why_bytes)
{
    char url[400];
    snprintf(url, sizeof url, "%s/api/crest/v1/load/clock", w->url);
    int64_t best_us = INT64_MAX;
    for (int i = 0; i < CLOCK_TRIES; i++) {
        struct http_request q = {
            .url = url, .credentials = ws->credentials, .timeout_ms = CLOCK_TIMEOUT_MS, .body_bytes_max = 1000};
        struct http_response a;
        int64_t before_us = unix_us(), theirs_us;
        int r = http_fetch(&q, &a);
        int64_t after_us = unix_us();
        bool good = r == 0 && a.status == 200 &&
                    parse_i64_span(span_trim(buf_view(&a.body)), 0, INT64_MAX / 2, &theirs_us) == 0;
        if (!good)
            snprintf(why, why_bytes, "worker %s: %s", w->url,
                     r < 0             ? a.error_text
                     : a.status == 401 ? "it asks for credentials (--worker-auth-file)"
                     : a.status == 200 ? "that is no crest-loadgen worker"
                                       : "it does not tell its clock");
        http_response_done(&a);
        if (!good)
            return r < 0 ? r : -EPROTO;
        if (after_us - before_us < best_us) {
            best_us = after_us - before_us;
            w->ahead_us = theirs_us - (before_us + after_us) / 2;
        }
    }
    return 0;
}

/* ---- what a worker says ---- */

MUST_USE static int take_tick(struct remote *w, struct span rest)
{
    struct results_second s = {.stats = w->second};
    stats_reset(w->second);
    int r = results_read_tick(rest, &s);
    if (r < 0)
        return r;
    w->open = s.open;
    w->in_flight = s.in_flight;
    w->started = true;
    r = stats_merge(w->run->interval, w->second);
    return r < 0 ? r : stats_merge(s.warm ? w->warm : w->sum, w->second);
}

MUST_USE static int take_line(struct remote *w, struct span line)
{
    struct span what, text;
    if (!take_word(&line, &what) || w->ended)
        return w->ended ? 0 : -EINVAL;
    if (span_equal(what, SPAN("tick")))
        return take_tick(w, line);
    if (span_equal(what, SPAN("end"))) {
        int r = results_read_end(line, w->run->result, &w->verdict, w->reasons, &w->n_reasons);
        w->ended = r == 0;
        w->open = w->in_flight = 0;
        return r;
    }
    if (span_equal(what, SPAN("log")) &&
        take_word(&line, &text)) { /* how its process ended: before "end" only when it failed */
        struct buf log;
        buf_init(&log, 4096);
        if (base64_decode(&log, span_from(text, 1), false) == 0 && log.len)
            snprintf(w->error, sizeof w->error, SPAN_FMT, SPAN_ARG(span_trim(buf_view(&log))));
        buf_done(&log);
        return 0;
    }
    return -EINVAL;
}

static bool on_data(void *ctx, struct span piece)
{
    struct remote *w = ctx;
    w->heard_us = mono_us();
    buf_span(&w->line, piece);
    for (;;) {
        struct span all = buf_view(&w->line);
        size_t n = span_find(all, '\n');
        if (n == all.len)
            break;
        int r = take_line(w, span_of(all.ptr, n));
        if (r < 0) {
            snprintf(w->error, sizeof w->error, "what it says is not understood: %s", strerror(-r));
            return false;
        }
        buf_consume(&w->line, n + 1);
    }
    if (buf_error(&w->line))
        snprintf(w->error, sizeof w->error, "what it says is too long");
    return buf_error(&w->line) == 0;
}

static void on_done(void *ctx, struct http_response *response)
{
    struct remote *w = ctx;
    w->over = true;
    if (w->ended || w->error[0])
        return;
    if (response->error)
        snprintf(w->error, sizeof w->error, "%s", response->error_text);
    else if (response->status != 200)
        snprintf(w->error, sizeof w->error, "HTTP %d: " SPAN_FMT, response->status,
                 SPAN_ARG(span_trim(buf_view(&response->body))));
    else
        snprintf(w->error, sizeof w->error, "it ended in the middle of the run");
}

/* ---- orders ---- */

MUST_USE static int send_order(struct run *run, struct remote *w, int64_t start_unix_us)
{
    struct buf body;
    char url[400];
    buf_init(&body, ORDER_BYTES_MAX);
    order_begin(&body, w->segment, run->workers->n, (start_unix_us + w->ahead_us) / 1000);
    buf_span(&body, run->workers->order);
    snprintf(url, sizeof url, "%s/api/crest/v1/load/segment", w->url);
    struct http_request q = {.method = "POST",
                             .url = url,
                             .body = buf_view(&body),
                             .credentials = run->workers->credentials,
                             .on_data = on_data,
                             .on_data_ctx = w};
    int r = buf_error(&body);
    w->heard_us = mono_us();
    if (r == 0)
        r = http_send(run->client, &q, on_done, w, &w->request);
    buf_done(&body);
    return r;
}

static void ignore(void *ctx, struct http_response *response)
{
    (void)ctx;
    (void)response;
}

static void send_stops(struct run *run)
{
    for (unsigned i = 0; i < run->workers->n; i++) {
        char url[400];
        snprintf(url, sizeof url, "%s/api/crest/v1/load/segment", run->remotes[i].url);
        struct http_request q = {
            .method = "DELETE", .url = url, .credentials = run->workers->credentials, .timeout_ms = 5000};
        if (!run->remotes[i].over && http_send(run->client, &q, ignore, NULL, NULL) < 0)
            http_cancel(run->client, run->remotes[i].request);
    }
}

/* ---- the run ---- */

static double run_seconds(const struct run_config *c)
{
    double seconds = (double)c->duration_ms / 1000;
    if (c->plan)
        seconds = c->plan->seconds;
    for (size_t i = 0; i < c->n_traffic; i++)
        if (c->traffic[i].plan)
            seconds = fmax(seconds, c->traffic[i].plan->seconds);
    return seconds;
}

static void leave(struct remote *w, const char *why)
{
    snprintf(w->error, sizeof w->error, "%s", why);
    http_cancel(w->run->client, w->request);
}

static void watch(struct run *run, int64_t now_us)
{
    double seconds = run_seconds(run->config);
    int64_t end_us = seconds > 0
                         ? run->start_us + (int64_t)(seconds * 1e6) + (run->config->grace_ms + OVERTIME_MS) * 1000
                         : INT64_MAX;
    for (unsigned i = 0; i < run->workers->n; i++) {
        struct remote *w = &run->remotes[i];
        if (w->over)
            continue;
        if (now_us - w->heard_us > (WORKER_SILENT_MS + (w->started ? 0 : START_DELAY_MS)) * INT64_C(1000))
            leave(w, "it says nothing any more");
        else if (now_us > end_us || (run->abort_us && now_us > run->abort_us))
            leave(w, "it does not come to an end");
    }
}

static void obey(struct run *run)
{
    enum run_wish wish = run->hooks->wish ? run->hooks->wish(run->hooks->ctx) : RUN_GO_ON;
    if (wish <= run->wish)
        return;
    if (run->wish == RUN_GO_ON)
        send_stops(run);
    if (wish == RUN_ABORT) {
        send_stops(run);
        run->abort_us = mono_us() + ABORT_MS * 1000;
    }
    run->wish = wish;
}

static void tick(struct run *run, int64_t now_us, bool last)
{
    double second = (double)(now_us - run->start_us) / 1e6, wall = (double)(now_us - run->tick_us) / 1e6;
    struct run_tick t = {
        .second = second, .interval_s = wall, .interval = run->interval, .total = run->so_far, .last = last};
    for (unsigned i = 0; i < run->workers->n; i++) {
        t.open += run->remotes[i].open;
        t.in_flight += run->remotes[i].in_flight;
    }
    const struct plan *plan = run->config->plan;
    if (plan && !plan->closed)
        t.planned_rate = plan_rate(plan, second - wall / 2);
    struct series_point point = {.second = fmax(0, second - wall),
                                 .seconds = wall,
                                 .planned = t.planned_rate * wall,
                                 .open = t.open,
                                 .in_flight = t.in_flight,
                                 .lag_max_us = hdr_max(run->interval->lag)};
    int r = stats_merge(run->so_far, run->interval);
    if (r == 0 && second > 0)
        r = series_add(run->result->series, &point, run->interval);
    run->error = r < 0 ? r : run->error;
    if (run->hooks->tick && second > 0)
        run->hooks->tick(run->hooks->ctx, &t);
    stats_reset(run->interval);
    run->tick_us = now_us;
}

static bool all_over(const struct run *run)
{
    for (unsigned i = 0; i < run->workers->n; i++)
        if (!run->remotes[i].over)
            return false;
    return true;
}

static void coordinate(struct run *run)
{
    while (!all_over(run)) {
        if (run->hooks->wait)
            run->hooks->wait(run->hooks->ctx, SLICE_MS);
        else
            poll(&(struct pollfd){.fd = http_client_fd(run->client), .events = POLLIN}, 1, SLICE_MS);
        http_client_step(run->client);
        int64_t now_us = mono_us();
        watch(run, now_us);
        obey(run);
        if (now_us - run->tick_us >= TICK_US)
            tick(run, now_us, false);
    }
    tick(run, mono_us(), true);
}

/* ---- what came of it ---- */

/* Sessions that a segment of the plan has, as far as that can be known: of Poisson arrivals it is what another draw gives. */
static uint64_t planned_of(const struct run_config *c, const struct plan *plan, unsigned segment, unsigned segments)
{
    uint64_t n = 0;
    struct rng rng;
    rng_seed(&rng, c->seed);
    for (unsigned t = 0; plan && !plan->closed && t < c->threads; t++) {
        struct arrivals a;
        int64_t at_us;
        arrivals_init(&a, plan, (uint64_t)segment * c->threads + t, (uint64_t)segments * c->threads, &rng,
                      c->sessions_max);
        while (arrivals_next(&a, &at_us))
            n++;
    }
    return n;
}

/* A worker that is gone: what it told, what it had open, what it would have started. */
MUST_USE static int count_lost(struct run *run, struct remote *w)
{
    const struct run_config *c = run->config;
    uint64_t planned = planned_of(c, c->plan, w->segment, run->workers->n);
    for (size_t i = 0; i < c->n_traffic; i++)
        planned += planned_of(c, c->traffic[i].plan, w->segment, run->workers->n);
    struct session_counts *told = &w->sum->sessions;
    uint64_t seen = told->planned + w->warm->sessions.planned, missing = planned > seen ? planned - seen : 0;
    uint64_t over = told->completed + told->failed + told->unfinished + told->capped;
    uint64_t open = told->started > over ? told->started - over : 0;
    told->planned += missing;
    told->dropped += missing;
    told->unfinished += open;
    blame(run->result, RUN_FAILED,
          "worker %s was lost: %llu sessions of its part were not started, %llu were open: %.80s", w->url,
          (unsigned long long)missing, (unsigned long long)open, w->error);
    int r = stats_merge(run->result->total, w->sum);
    return r == 0 && run->result->warmup ? stats_merge(run->result->warmup, w->warm) : r;
}

MUST_USE static int judge(struct run *run)
{
    struct run_result *r = run->result;
    int code = run->error;
    const char *why = run->wish != RUN_GO_ON && run->hooks->reason ? run->hooks->reason(run->hooks->ctx) : NULL;
    if (run->wish != RUN_GO_ON)
        blame(r, why ? RUN_THRESHOLD : RUN_INTERRUPTED, "%s", why ? why : "stopped early");
    for (unsigned i = 0; i < run->workers->n && code == 0; i++) {
        struct remote *w = &run->remotes[i];
        if (!w->ended)
            code = count_lost(run, w);
        else if (w->verdict == RUN_VOID || w->verdict == RUN_FAILED)
            blame(r, w->verdict, "worker %s: %.120s", w->url, w->n_reasons ? w->reasons[0] : "");
    }
    if (r->total->requests.completed == 0 && (!r->warmup || r->warmup->requests.completed == 0))
        blame(r, RUN_FAILED, "no request got an answer");
    if (code == 0)
        code = thresholds_make(run->config, &r->thresholds, &r->n_thresholds);
    if (code < 0)
        return code;
    thresholds_evaluate(run->config, r->total, r->phases, r->thresholds, r->n_thresholds);
    for (size_t i = 0; i < r->n_thresholds; i++)
        if (!r->thresholds[i].met)
            blame(r, RUN_THRESHOLD, "%s: " SPAN_FMT " is not met", r->thresholds[i].scope,
                  SPAN_ARG(r->thresholds[i].slo->text));
    return 0;
}

/* ---- start to end ---- */

MUST_USE static int make_result(const struct run_config *c, struct run_result *r)
{
    size_t journeys = c->journeys->n, steps = c->journeys->n_steps;
    bool warm = false;
    for (size_t i = 0; i < c->n_phases; i++)
        warm |= c->phases[i].warmup;
    int code = stats_new(journeys, steps, &r->total);
    if (code == 0 && warm)
        code = stats_new(journeys, steps, &r->warmup);
    if (code == 0)
        code = series_new(steps, &r->series);
    if (code < 0 || c->n_phases < 2)
        return code;
    r->phases = calloc(c->n_phases, sizeof *r->phases);
    if (!r->phases)
        return -ENOMEM;
    r->n_phases = c->n_phases;
    for (size_t i = 0; i < c->n_phases && code == 0; i++) {
        r->phases[i].of = &c->phases[i];
        code = stats_new(journeys, steps, &r->phases[i].stats);
    }
    return code;
}

MUST_USE static int make(struct run *run)
{
    const struct run_config *c = run->config;
    size_t journeys = c->journeys->n, steps = c->journeys->n_steps;
    run->remotes = calloc(run->workers->n, sizeof *run->remotes);
    if (!run->remotes)
        return -ENOMEM;
    int r = http_client_new(&run->client);
    if (r == 0)
        r = stats_new(journeys, steps, &run->interval);
    if (r == 0)
        r = stats_new(journeys, steps, &run->so_far);
    for (unsigned i = 0; r == 0 && i < run->workers->n; i++) {
        struct remote *w = &run->remotes[i];
        w->run = run;
        w->segment = i;
        buf_init(&w->line, RESULT_LINE_BYTES_MAX);
        snprintf(w->url, sizeof w->url, "%s", run->workers->urls[i]);
        r = stats_new(journeys, steps, &w->sum);
        if (r == 0)
            r = stats_new(journeys, steps, &w->warm);
        if (r == 0)
            r = stats_new(journeys, steps, &w->second);
    }
    return r < 0 ? r : make_result(c, run->result);
}

static void done(struct run *run)
{
    http_client_free(run->client);
    for (unsigned i = 0; run->remotes && i < run->workers->n; i++) {
        buf_done(&run->remotes[i].line);
        stats_free(run->remotes[i].sum);
        stats_free(run->remotes[i].warm);
        stats_free(run->remotes[i].second);
    }
    free(run->remotes);
    stats_free(run->interval);
    stats_free(run->so_far);
}

int workers_run(const struct run_config *config, const struct workers *workers, const struct run_hooks *hooks,
                struct run_result *ret, char *why, size_t why_bytes)
{
    *ret = (struct run_result){0};
    struct run run = {.config = config, .workers = workers, .hooks = hooks, .result = ret};
    snprintf(why, why_bytes, "no memory");
    int r = make(&run);
    for (unsigned i = 0; r == 0 && i < workers->n; i++)
        r = compare_clocks(&run.remotes[i], workers, why, why_bytes);
    int64_t start_unix_us = unix_us() + START_DELAY_MS * 1000;
    run.start_us = mono_us() + START_DELAY_MS * 1000;
    run.tick_us = mono_us();
    ret->started_ms = start_unix_us / 1000;
    for (unsigned i = 0; r == 0 && i < workers->n; i++)
        r = send_order(&run, &run.remotes[i], start_unix_us);
    if (r == 0) {
        coordinate(&run);
        r = judge(&run);
    }
    done(&run);
    if (r < 0)
        run_result_done(ret);
    return r;
}
