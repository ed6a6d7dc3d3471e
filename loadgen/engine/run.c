#include "loadgen/engine/run.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>

#include "lib/base/clock.h"
#include "lib/base/options.h"
#include "lib/base/thread.h"
#include "loadgen/engine/hiccup.h"
#include "loadgen/engine/threshold.h"
#include "loadgen/engine/worker.h"

#define TICK_US 1000000
#define SLICE_MS 50

struct run {
    const struct run_config *config;
    const struct run_hooks *hooks;
    struct worker **workers;
    struct thread **threads;
    struct stats_set **spares;  /* one empty object per worker */
    struct stats_set *interval; /* by phase */
    struct run_stats *all;      /* of the interval, all phases together */
    struct run_stats *so_far;   /* warm-up and all; NULL: as the result's total */
    struct hiccup *hiccup;
    struct hdr *hiccup_now;
    struct run_result *result;
    int64_t start_us, tick_us, tick_cpu_us;
    double measured_s, measured_cpu_s; /* outside the warm-up */
    unsigned broken_ticks;             /* in a row, of a threshold */
    enum run_wish wish;
    bool aborted;
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

/* ---- phases ---- */

static bool is_warmup(const struct run_config *c, size_t phase)
{
    return c->phases && c->phases[phase].warmup;
}

static size_t phase_at(const struct run_config *c, double second)
{
    size_t i = 0;
    while (i + 1 < c->n_phases && second >= c->phases[i].end_s)
        i++;
    return i;
}

/* ---- ticks ---- */

MUST_USE static int collect(struct run *run)
{
    int result = 0;
    stats_set_reset(run->interval);
    for (unsigned i = 0; i < run->config->threads; i++) {
        struct stats_set *full = worker_swap(run->workers[i], run->spares[i]);
        if (!full)
            continue; /* ended: its rest comes when it is joined */
        int r = stats_set_merge(run->interval, full);
        stats_set_reset(full);
        run->spares[i] = full;
        if (r < 0)
            result = r;
    }
    return result;
}

/* The interval into all that it belongs to. */
MUST_USE static int add_interval(struct run *run)
{
    struct run_result *result = run->result;
    int r = 0;
    stats_reset(run->all);
    for (size_t i = 0; i < run->interval->n && r == 0; i++) {
        const struct run_stats *part = run->interval->of[i];
        r = stats_merge(run->all, part);
        if (r == 0)
            r = stats_merge(is_warmup(run->config, i) ? result->warmup : result->total, part);
        if (r == 0 && result->phases)
            r = stats_merge(result->phases[i].stats, part);
    }
    return r == 0 && run->so_far ? stats_merge(run->so_far, run->all) : r;
}

static double planned_between(const struct run_config *c, double from, double to)
{
    double sum = 0;
    for (size_t i = 0; i < c->n_traffic; i++)
        if (c->traffic[i].plan && !c->traffic[i].plan->closed)
            sum += plan_integral(c->traffic[i].plan, to) - plan_integral(c->traffic[i].plan, from);
    if (!c->traffic && c->plan && !c->plan->closed)
        sum = plan_integral(c->plan, to) - plan_integral(c->plan, from);
    return sum;
}

/* How busy the generator and the machine were. */
MUST_USE static int look_at_itself(struct run *run, struct run_tick *t, double cpu_s)
{
    struct run_result *result = run->result;
    bool warm = is_warmup(run->config, phase_at(run->config, t->second - t->interval_s / 2));
    t->cpu_ratio = t->interval_s > 0 ? cpu_s / (t->interval_s * result->cores) : 0;
    if (!warm) {
        run->measured_s += t->interval_s;
        run->measured_cpu_s += cpu_s;
        if (t->interval_s >= 0.5) { /* the rest of the last second says little */
            result->seconds++;
            result->busy_seconds += t->cpu_ratio > RUN_BUSY_RATIO;
        }
    }
    if (!run->hiccup)
        return 0;
    hdr_reset(run->hiccup_now);
    int r = hiccup_take(run->hiccup, run->hiccup_now);
    t->hiccup = run->hiccup_now;
    return r == 0 && !warm ? hdr_merge(result->hiccup, run->hiccup_now) : r;
}

MUST_USE static int add_point(struct run *run, const struct run_tick *t, double cpu_s)
{
    struct series_point point = {
        .second = t->second - t->interval_s,
        .seconds = t->interval_s,
        .planned = planned_between(run->config, t->second - t->interval_s, t->second),
        .cpu_s = cpu_s,
        .open = t->open,
        .in_flight = t->in_flight,
        .lag_max_us = hdr_max(run->all->lag),
        .hiccup_max_us = t->hiccup ? hdr_max(t->hiccup) : 0,
    };
    return series_add(run->result->series, &point, run->all);
}

/* A threshold that is broken in two ticks one behind the other ends the run, when that was asked for. */
static void abort_when_broken(struct run *run, double second)
{
    const struct run_config *c = run->config;
    double settled_s = (double)c->settle_ms / 1000;
    for (size_t i = 0; c->phases && i < c->n_phases && c->phases[i].warmup; i++)
        settled_s = c->phases[i].end_s + (double)c->settle_ms / 1000;
    if (!c->abort_on_threshold || run->aborted || second < settled_s)
        return;
    bool broken = false;
    for (size_t i = 0; i < run->result->n_thresholds; i++)
        broken |= threshold_broken(&run->result->thresholds[i]);
    run->broken_ticks = broken ? run->broken_ticks + 1 : 0;
    if (run->broken_ticks < 2)
        return;
    run->aborted = true;
    blame(run->result, RUN_THRESHOLD, "stopped after %.0f s: a threshold was broken", second);
    for (unsigned i = 0; i < c->threads; i++)
        worker_stop(run->workers[i]);
}

MUST_USE static int tick(struct run *run, int64_t now_us, bool last)
{
    struct run_result *result = run->result;
    const struct run_config *c = run->config;
    int r = add_interval(run);
    int64_t cpu_us = cpu_process_us();
    double wall = (double)(now_us - run->tick_us) / 1e6, cpu_s = (double)(cpu_us - run->tick_cpu_us) / 1e6;
    struct run_tick t = {
        .second = (double)(now_us - run->start_us) / 1e6,
        .interval_s = wall,
        .interval = run->all,
        .total = run->so_far ? run->so_far : result->total,
        .thresholds = result->thresholds,
        .n_thresholds = result->n_thresholds,
        .last = last,
    };
    if (wall > 0)
        t.planned_rate = planned_between(c, t.second - wall, t.second) / wall;
    if (c->phases)
        t.phase = &c->phases[phase_at(c, t.second - wall / 2)];
    for (unsigned i = 0; i < c->threads; i++) {
        t.open += atomic_load_explicit(&run->workers[i]->open, memory_order_relaxed);
        t.in_flight += atomic_load_explicit(&run->workers[i]->in_flight, memory_order_relaxed);
    }
    if (r == 0)
        r = look_at_itself(run, &t, cpu_s);
    if (r == 0)
        r = add_point(run, &t, cpu_s);
    thresholds_evaluate(c, result->total, result->phases, result->thresholds, result->n_thresholds);
    if (!last)
        abort_when_broken(run, t.second);
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

static void judge_thresholds(struct run_result *r)
{
    for (size_t i = 0; i < r->n_thresholds; i++) {
        const struct run_threshold *t = &r->thresholds[i];
        if (!t->met)
            blame(r, RUN_THRESHOLD, "%s: " SPAN_FMT " is not met%s", t->scope, SPAN_ARG(t->slo->text),
                  isnan(t->value) ? ": no data" : "");
    }
}

static void judge_machine(const struct run_config *c, struct run_result *r)
{
    int64_t lag_us = hdr_percentile(r->total->lag, 99), stall_us = r->hiccup ? hdr_percentile(r->hiccup, 99) : 0;
    if (lag_us > c->max_lag_ms * 1000)
        blame(r, RUN_VOID, "the generator was late: its lag p99 is %.1f ms, the limit is %lld ms",
              (double)lag_us / 1000, (long long)c->max_lag_ms);
    if (stall_us > c->max_lag_ms * 1000)
        blame(r, RUN_VOID,
              "the generator's machine stalled: a thread that only sleeps woke up late by %.1f ms (p99), the "
              "limit is %lld ms",
              (double)stall_us / 1000, (long long)c->max_lag_ms);
}

static void judge(struct run *run)
{
    struct run_result *r = run->result;
    const struct run_config *c = run->config;
    const char *reason = run->wish != RUN_GO_ON && run->hooks->reason ? run->hooks->reason(run->hooks->ctx) : NULL;
    if (reason)
        blame(r, RUN_THRESHOLD, "%s", reason);
    else if (run->wish != RUN_GO_ON)
        blame(r, RUN_INTERRUPTED, "%s",
              run->wish == RUN_ABORT ? "stopped at once: running sessions were cut" : "stopped early");
    bool mostly_busy = r->cpu_ratio > RUN_BUSY_RATIO && r->seconds > 0;
    if (mostly_busy || (r->busy_seconds > 1 && r->busy_seconds * 20 > r->seconds))
        blame(r, RUN_VOID,
              "the generator was the bottleneck: more than %.0f %% of its %u core%s in %u of %u seconds (more "
              "--threads, or a "
              "machine of its own)",
              RUN_BUSY_RATIO * 100, r->cores, r->cores == 1 ? "" : "s", r->busy_seconds, r->seconds);
    judge_machine(c, r);
    for (unsigned i = 0; i < c->threads; i++)
        if (atomic_load(&run->workers[i]->error) < 0)
            blame(r, RUN_FAILED, "worker %u ended early: %s", i, strerror(-atomic_load(&run->workers[i]->error)));
    if (r->total->requests.completed == 0 && (!r->warmup || r->warmup->requests.completed == 0))
        blame(r, RUN_FAILED, "no request got an answer");
    judge_thresholds(r);
}

/* ---- start to end ---- */

MUST_USE static int make_workers(struct run *run)
{
    const struct run_config *c = run->config;
    unsigned n = c->threads;
    size_t phases = c->phases ? c->n_phases : 1;
    run->workers = calloc(n, sizeof *run->workers);
    run->threads = calloc(n, sizeof *run->threads);
    run->spares = calloc(n, sizeof *run->spares);
    if (!run->workers || !run->threads || !run->spares)
        return -ENOMEM;
    int r = stats_set_new(phases, c->journeys->n, c->journeys->n_steps, &run->interval);
    for (unsigned i = 0; i < n && r == 0; i++)
        r = stats_set_new(phases, c->journeys->n, c->journeys->n_steps, &run->spares[i]);
    run->start_us = mono_us();
    for (unsigned i = 0; i < n && r == 0; i++)
        r = worker_new(c, i, run->start_us, &run->workers[i]);
    return r;
}

MUST_USE static int make_phases(struct run *run)
{
    const struct run_config *c = run->config;
    struct run_result *result = run->result;
    bool warm = false;
    int r = 0;
    for (size_t i = 0; i < c->n_phases; i++)
        warm |= is_warmup(c, i);
    if (warm) {
        r = stats_new(c->journeys->n, c->journeys->n_steps, &result->warmup);
        if (r == 0)
            r = stats_new(c->journeys->n, c->journeys->n_steps, &run->so_far);
    }
    if (c->n_phases < 2 || r < 0)
        return r;
    result->phases = calloc(c->n_phases, sizeof *result->phases);
    if (!result->phases)
        return -ENOMEM;
    result->n_phases = c->n_phases;
    for (size_t i = 0; i < c->n_phases && r == 0; i++) {
        result->phases[i].of = &c->phases[i];
        r = stats_new(c->journeys->n, c->journeys->n_steps, &result->phases[i].stats);
    }
    return r;
}

MUST_USE static int make(struct run *run)
{
    const struct run_config *c = run->config;
    struct run_result *result = run->result;
    int r = stats_new(c->journeys->n, c->journeys->n_steps, &run->all);
    if (r == 0)
        r = stats_new(c->journeys->n, c->journeys->n_steps, &result->total);
    if (r == 0)
        r = make_phases(run);
    if (r == 0)
        r = series_new(c->journeys->n_steps, &result->series);
    if (r == 0)
        r = thresholds_make(c, &result->thresholds, &result->n_thresholds);
    if (r == 0)
        r = hdr_new(STATS_HIGHEST_US, STATS_DIGITS, &result->hiccup);
    if (r == 0)
        r = hdr_new(STATS_HIGHEST_US, STATS_DIGITS, &run->hiccup_now);
    if (r == 0)
        r = hiccup_start(&run->hiccup);
    return r < 0 ? r : make_workers(run);
}

MUST_USE static int start(struct run *run)
{
    run->tick_us = run->start_us;
    run->tick_cpu_us = cpu_process_us();
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
    stats_set_reset(run->interval);
    for (unsigned i = 0; i < run->config->threads; i++) {
        struct stats_set *handed = atomic_exchange(&run->workers[i]->handed, NULL),
                         *rest = worker_take(run->workers[i]);
        if (stats_set_merge(run->interval, rest) < 0 || (handed && stats_set_merge(run->interval, handed) < 0))
            result = -ENOMEM;
        stats_set_free(rest);
        stats_set_free(handed);
    }
    int64_t now_us = mono_us();
    run->result->duration_s = (double)(now_us - run->start_us) / 1e6;
    int r = tick(run, now_us, true);
    if (run->measured_s > 0)
        run->result->cpu_ratio = run->measured_cpu_s / (run->measured_s * run->result->cores);
    return result < 0 ? result : r;
}

static void done(struct run *run)
{
    for (unsigned i = 0; i < run->config->threads; i++) {
        if (run->workers)
            worker_free(run->workers[i]);
        if (run->spares)
            stats_set_free(run->spares[i]);
    }
    free(run->workers);
    free(run->threads);
    free(run->spares);
    stats_set_free(run->interval);
    stats_free(run->all);
    stats_free(run->so_far);
    hiccup_stop(run->hiccup);
    hdr_free(run->hiccup_now);
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
        judge(&run);
    done(&run);
    if (r < 0)
        run_result_done(ret);
    return r;
}

void run_result_done(struct run_result *r)
{
    stats_free(r->total);
    stats_free(r->warmup);
    for (size_t i = 0; i < r->n_phases; i++)
        stats_free(r->phases[i].stats);
    free(r->phases);
    series_free(r->series);
    hdr_free(r->hiccup);
    free(r->thresholds);
    *r = (struct run_result){0};
}
