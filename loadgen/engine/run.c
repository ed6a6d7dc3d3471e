#include "loadgen/engine/run.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>

#include "lib/base/clock.h"
#include "lib/base/options.h"
#include "lib/base/thread.h"
#include "loadgen/engine/worker.h"

#define TICK_US 1000000
#define SLICE_MS 50

struct run {
    const struct run_config *config;
    const struct run_hooks *hooks;
    struct worker **workers;
    struct thread **threads;
    struct run_stats **spares; /* one empty object per worker */
    struct run_stats *interval;
    struct run_result *result;
    int64_t start_us, tick_us, cpu_us, tick_cpu_us;
    enum run_wish wish;
};

const char *run_verdict_name(enum run_verdict v)
{
    static const char *const NAMES[] = {"passed", "failed", "threshold", "void", "interrupted"};
    return NAMES[v];
}

int run_exit_code(const struct run_result *r)
{
    static const int CODES[] = {EXIT_OK, EXIT_FAILED, EXIT_THRESHOLD, EXIT_VOID, EXIT_INTERRUPTED};
    return CODES[r->verdict];
}

PRINTF_LIKE(3, 4)
static void blame(struct run_result *r, enum run_verdict verdict, const char *format, ...)
{
    if (verdict > r->verdict)
        r->verdict = verdict;
    if (r->n_reasons == RUN_REASONS_MAX)
        return;
    char *to = r->reasons[r->n_reasons++];
    va_list args;
    va_start(args, format);
    vsnprintf(to, sizeof r->reasons[0], format, args);
    va_end(args);
}

/* ---- ticks ---- */

MUST_USE static int collect(struct run *run)
{
    int result = 0;
    stats_reset(run->interval);
    for (unsigned i = 0; i < run->config->threads; i++) {
        struct run_stats *full = worker_swap(run->workers[i], run->spares[i]);
        if (!full)
            continue; /* ended: its rest comes when it is joined */
        int r = stats_merge(run->interval, full);
        stats_reset(full);
        run->spares[i] = full;
        if (r < 0)
            result = r;
    }
    return result;
}

MUST_USE static int tick(struct run *run, int64_t now_us, bool last)
{
    int r = stats_merge(run->result->total, run->interval);
    int64_t cpu_us = cpu_process_us();
    double wall = (double)(now_us - run->tick_us) / 1e6;
    struct run_tick t = {
        .second = (double)(now_us - run->start_us) / 1e6,
        .interval_s = wall,
        .interval = run->interval,
        .total = run->result->total,
        .last = last,
    };
    if (run->config->plan)
        t.planned_rate = plan_rate(run->config->plan, t.second - wall / 2);
    for (unsigned i = 0; i < run->config->threads; i++) {
        t.open += atomic_load_explicit(&run->workers[i]->open, memory_order_relaxed);
        t.in_flight += atomic_load_explicit(&run->workers[i]->in_flight, memory_order_relaxed);
    }
    if (wall >= 0.5) { /* the rest of the last second says little */
        double busy = (double)(cpu_us - run->tick_cpu_us) / 1e6 / (wall * run->result->cores);
        run->result->seconds++;
        run->result->busy_seconds += busy > RUN_BUSY_RATIO;
    }
    run->tick_us = now_us;
    run->tick_cpu_us = cpu_us;
    if (run->hooks->tick)
        run->hooks->tick(run->hooks->ctx, &t);
    return r;
}

static bool all_over(const struct run *run)
{
    for (unsigned i = 0; i < run->config->threads; i++)
        if (!atomic_load(&run->workers[i]->over))
            return false;
    return true;
}

static void obey(struct run *run)
{
    enum run_wish wish = run->hooks->wish ? run->hooks->wish(run->hooks->ctx) : RUN_GO_ON;
    if (wish <= run->wish)
        return;
    run->wish = wish;
    for (unsigned i = 0; i < run->config->threads; i++) {
        if (wish == RUN_STOP)
            worker_stop(run->workers[i]);
        else
            worker_abort(run->workers[i]);
    }
}

MUST_USE static int coordinate(struct run *run)
{
    int result = 0;
    while (!all_over(run)) {
        int64_t now_us = mono_us(), left_ms = (run->tick_us + TICK_US - now_us + 999) / 1000;
        if (left_ms <= 0) {
            int r = collect(run);
            if (r == 0)
                r = tick(run, mono_us(), false);
            if (r < 0)
                result = r;
            continue;
        }
        int64_t slice_ms = left_ms < SLICE_MS ? left_ms : SLICE_MS;
        if (run->hooks->wait)
            run->hooks->wait(run->hooks->ctx, slice_ms);
        else
            sleep_us(slice_ms * 1000);
        obey(run);
    }
    return result;
}

/* ---- the verdict ---- */

static double slo_value(const struct hurl_slo *slo, const struct step_stats *s)
{
    uint64_t total = stats_step_total(s);
    if (slo->metric == HURL_SLO_ERRORS)
        return total ? (double)(total - s->outcomes[OUTCOME_OK]) / (double)total : NAN;
    if (!s->response || hdr_count(s->response) == 0)
        return NAN;
    switch (slo->metric) {
    case HURL_SLO_MAX:
        return (double)hdr_max(s->response);
    case HURL_SLO_MEAN:
        return s->response_sum_us / (double)hdr_count(s->response);
    default:
        return (double)hdr_percentile(s->response, slo->percentile);
    }
}

MUST_USE static int judge_thresholds(const struct journeys *js, struct run_result *r)
{
    size_t n = 0;
    for (size_t i = 0; i < js->n_steps; i++)
        n += js->steps[i].n_slos;
    r->thresholds = calloc(n ? n : 1, sizeof *r->thresholds);
    if (!r->thresholds)
        return -ENOMEM;
    for (size_t i = 0; i < js->n_steps; i++)
        for (size_t k = 0; k < js->steps[i].n_slos; k++) {
            const struct hurl_slo *slo = &js->steps[i].slos[k];
            double value = slo_value(slo, &r->total->steps[i]);
            bool met = slo->inclusive ? value <= slo->limit : value < slo->limit; /* NaN: no data is not met */
            r->thresholds[r->n_thresholds++] = (struct run_threshold){&js->steps[i], slo, value, met};
            if (!met)
                blame(r, RUN_THRESHOLD, "%s: " SPAN_FMT ": " SPAN_FMT " is not met", js->steps[i].journey,
                      SPAN_ARG(js->steps[i].name), SPAN_ARG(slo->text));
        }
    return 0;
}

MUST_USE static int judge(struct run *run)
{
    struct run_result *r = run->result;
    const struct run_config *c = run->config;
    if (run->wish != RUN_GO_ON)
        blame(r, RUN_INTERRUPTED, "%s",
              run->wish == RUN_ABORT ? "stopped at once: running sessions were cut" : "stopped early");
    bool mostly_busy = r->cpu_ratio > RUN_BUSY_RATIO && r->seconds > 0;
    if (mostly_busy || (r->busy_seconds > 1 && r->busy_seconds * 20 > r->seconds))
        blame(r, RUN_VOID,
              "the generator was the bottleneck: more than %.0f %% of its %u core%s in %u of %u seconds (more "
              "--threads, or a "
              "machine of its own)",
              RUN_BUSY_RATIO * 100, r->cores, r->cores == 1 ? "" : "s", r->busy_seconds, r->seconds);
    int64_t lag_us = hdr_percentile(r->total->lag, 99);
    if (lag_us > c->max_lag_ms * 1000)
        blame(r, RUN_VOID, "the generator was late: its lag p99 is %.1f ms, the limit is %lld ms",
              (double)lag_us / 1000, (long long)c->max_lag_ms);
    for (unsigned i = 0; i < c->threads; i++)
        if (atomic_load(&run->workers[i]->error) < 0)
            blame(r, RUN_FAILED, "worker %u ended early: %s", i, strerror(-atomic_load(&run->workers[i]->error)));
    if (r->total->requests.completed == 0)
        blame(r, RUN_FAILED, "no request got an answer");
    return judge_thresholds(c->journeys, r);
}

/* ---- start to end ---- */

MUST_USE static int make(struct run *run)
{
    unsigned n = run->config->threads;
    run->workers = calloc(n, sizeof *run->workers);
    run->threads = calloc(n, sizeof *run->threads);
    run->spares = calloc(n, sizeof *run->spares);
    if (!run->workers || !run->threads || !run->spares)
        return -ENOMEM;
    size_t steps = run->config->journeys->n_steps;
    int r = stats_new(steps, &run->interval);
    if (r == 0)
        r = stats_new(steps, &run->result->total);
    for (unsigned i = 0; i < n && r == 0; i++)
        r = stats_new(steps, &run->spares[i]);
    run->start_us = mono_us();
    for (unsigned i = 0; i < n && r == 0; i++)
        r = worker_new(run->config, i, run->start_us, &run->workers[i]);
    return r;
}

MUST_USE static int start(struct run *run)
{
    run->tick_us = run->start_us;
    run->cpu_us = run->tick_cpu_us = cpu_process_us();
    run->result->started_ms = unix_ms();
    for (unsigned i = 0; i < run->config->threads; i++) {
        char name[16];
        snprintf(name, sizeof name, "load-%u", i);
        int r = thread_start(name, worker_main, run->workers[i], &run->threads[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Joins what was started and collects what is left in it. */
MUST_USE static int finish(struct run *run, int result)
{
    if (result < 0)
        for (unsigned i = 0; i < run->config->threads; i++)
            worker_abort(run->workers[i]);
    for (unsigned i = 0; i < run->config->threads; i++)
        thread_join(run->threads[i]);
    stats_reset(run->interval);
    for (unsigned i = 0; i < run->config->threads; i++) {
        struct run_stats *handed = atomic_exchange(&run->workers[i]->handed, NULL),
                         *rest = worker_take(run->workers[i]);
        if (stats_merge(run->interval, rest) < 0 || (handed && stats_merge(run->interval, handed) < 0))
            result = -ENOMEM;
        stats_free(rest);
        stats_free(handed);
    }
    int64_t now_us = mono_us();
    run->result->duration_s = (double)(now_us - run->start_us) / 1e6;
    run->result->cpu_ratio =
        (double)(cpu_process_us() - run->cpu_us) / 1e6 / (run->result->duration_s * run->result->cores);
    int r = tick(run, now_us, true);
    return result < 0 ? result : r;
}

static void done(struct run *run)
{
    for (unsigned i = 0; i < run->config->threads; i++) {
        if (run->workers)
            worker_free(run->workers[i]);
        if (run->spares)
            stats_free(run->spares[i]);
    }
    free(run->workers);
    free(run->threads);
    free(run->spares);
    stats_free(run->interval);
}

int run_execute(const struct run_config *config, const struct run_hooks *hooks, struct run_result *ret)
{
    *ret = (struct run_result){0};
    int cpus = thread_cpu_count();
    ret->cores = config->threads < (unsigned)cpus ? config->threads : (unsigned)cpus;
    struct run run = {.config = config, .hooks = hooks, .result = ret};
    int r = make(&run);
    if (r == 0) {
        r = start(&run);
        if (r == 0)
            r = coordinate(&run);
        r = finish(&run, r);
    }
    if (r == 0)
        r = judge(&run);
    done(&run);
    if (r < 0)
        run_result_done(ret);
    return r;
}

void run_result_done(struct run_result *r)
{
    stats_free(r->total);
    free(r->thresholds);
    r->total = NULL;
    r->thresholds = NULL;
}
