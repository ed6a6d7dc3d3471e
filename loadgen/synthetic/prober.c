#include "loadgen/synthetic/prober.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/thread.h"
#include "loadgen/synthetic/schedule.h"

#define NAP_MAX_MS 1000  /* the wall clock may step: the time of day is looked at this often */
#define STREAK_ALL 3u    /* failures in a row that are all kept; the first tells most */
#define STREAK_EVERY 20u /* then so often one */
#define SEED_STEP 0x9e3779b97f4a7c15u

struct runner {
    struct prober *prober;
    size_t index;
    struct schedule schedule;
    struct traffic_class only; /* this journey */
    struct thread *thread;
    uint64_t streak; /* failures in a row */
    bool kept;       /* of this run */
};
struct prober {
    struct prober_config config;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* stopping */
    bool stopping;
    _Atomic int64_t cut_us; /* when running ones are cut; 0: not stopping */
    struct runner *runners;
    struct journey_state *states;
    struct step_state *steps;
    struct run_stats *total;
    uint64_t artifacts_failed;
};

/* ---- one run ---- */

static enum run_wish on_wish(void *ctx)
{
    struct runner *r = ctx;
    int64_t cut_us = atomic_load(&r->prober->cut_us);
    if (cut_us == 0)
        return RUN_GO_ON;
    return mono_us() >= cut_us ? RUN_ABORT : RUN_STOP;
}

static bool is_worth_keeping(const struct runner *r)
{
    return !r->kept && (r->streak < STREAK_ALL || r->streak % STREAK_EVERY == 0);
}

/* From the run's own thread. */
static void on_step(void *ctx, const struct step_report *step)
{
    struct runner *r = ctx;
    struct prober *p = r->prober;
    int failed = 0;
    if (!step->good && p->config.artifacts && is_worth_keeping(r)) {
        failed = artifacts_keep(p->config.artifacts, step, unix_ms());
        r->kept = true;
        if (failed < 0)
            log_warn("a failure could not be kept", "journey", "%s", step->journey->name, "error", "%s",
                     strerror(-failed));
    }
    pthread_mutex_lock(&p->lock);
    struct step_state *s = &p->steps[step->step];
    s->known = true;
    s->up = step->good;
    if (step->response_us >= 0)
        s->response_s = (double)step->response_us / 1e6;
    p->artifacts_failed += failed < 0;
    pthread_mutex_unlock(&p->lock);
    if (!step->good)
        log_warn("a step failed", "journey", "%s", step->journey->name, "step", SPAN_FMT, SPAN_ARG(step->entry->step),
                 "why", "%s", step->why->text);
}

static void remember(struct runner *r, const struct run_result *result, int64_t started_ms)
{
    struct prober *p = r->prober;
    struct journey_state *s = &p->states[r->index];
    bool passed = result->total->sessions.completed > 0;
    pthread_mutex_lock(&p->lock);
    if (stats_merge(p->total, result->total) < 0)
        log_warn("times of a run are lost", "error", "%s", strerror(ENOMEM));
    s->known = true;
    s->up = passed;
    s->duration_s = result->duration_s;
    s->last_run_ms = started_ms;
    if (passed)
        s->last_success_ms = started_ms;
    s->passed += passed;
    s->failed += !passed;
    pthread_mutex_unlock(&p->lock);
    r->streak = passed ? 0 : r->streak + 1;
}

static void run_once(struct runner *r, int64_t k)
{
    struct run_config c = *r->prober->config.base;
    c.traffic = &r->only;
    c.n_traffic = 1;
    c.seed += (uint64_t)k * SEED_STEP;
    c.on_step = on_step;
    c.on_step_ctx = r;
    r->kept = false;
    struct run_hooks hooks = {.ctx = r, .wish = on_wish};
    struct run_result result;
    int64_t started_ms = unix_ms();
    int code = run_execute(&c, &hooks, &result);
    if (code < 0) {
        log_error("a journey could not be run", "journey", "%s", r->prober->states[r->index].journey->name, "error",
                  "%s", strerror(-code));
        return;
    }
    bool cut_by_stop = result.verdict == RUN_INTERRUPTED && result.total->sessions.unfinished > 0;
    if (!cut_by_stop) /* says nothing about the journey */
        remember(r, &result, started_ms);
    run_result_done(&result);
}

/* ---- for ever ---- */

/* Until that time of day; false: stopping. */
static bool wait_until(struct prober *p, int64_t due_ms)
{
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        int64_t left_ms = due_ms - unix_ms();
        if (left_ms <= 0)
            break;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t nap_ns = (left_ms < NAP_MAX_MS ? left_ms : NAP_MAX_MS) * 1000000 + until.tv_nsec;
        until.tv_sec += nap_ns / 1000000000;
        until.tv_nsec = nap_ns % 1000000000;
        pthread_cond_timedwait(&p->wake, &p->lock, &until);
    }
    bool go = !p->stopping;
    pthread_mutex_unlock(&p->lock);
    return go;
}

static void runner_main(void *arg)
{
    struct runner *r = arg;
    int64_t k = schedule_first(&r->schedule, unix_ms());
    while (wait_until(r->prober, schedule_due_ms(&r->schedule, k))) {
        run_once(r, k);
        int64_t next = schedule_first(&r->schedule, unix_ms());
        if (next > k + 1) {
            pthread_mutex_lock(&r->prober->lock);
            r->prober->states[r->index].skipped += (uint64_t)(next - k - 1);
            pthread_mutex_unlock(&r->prober->lock);
        }
        k = next > k ? next : k + 1; /* the clock went back: not the same interval twice */
    }
}

int prober_start(const struct prober_config *config, struct prober **ret)
{
    const struct journeys *js = config->base->journeys;
    struct prober *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->config = *config;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&p->lock, NULL);
    p->runners = calloc(js->n, sizeof *p->runners);
    p->states = calloc(js->n, sizeof *p->states);
    p->steps = calloc(js->n_steps ? js->n_steps : 1, sizeof *p->steps);
    int r = p->runners && p->states && p->steps ? stats_new(js->n, js->n_steps, &p->total) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < js->n; i++) {
        struct runner *one = &p->runners[i];
        p->states[i].journey = &js->list[i];
        *one = (struct runner){.prober = p, .index = i};
        one->only = (struct traffic_class){.name = "synthetic",
                                           .first_journey = i,
                                           .n_journeys = 1,
                                           .users = 1,
                                           .think_scale = config->base->think_scale};
        one->schedule = schedule_of(span_str(config->base->run_id), span_str(js->list[i].name), config->every_ms);
        char name[16];
        snprintf(name, sizeof name, "journey-%zu", i);
        r = thread_start(name, runner_main, one, &one->thread);
    }
    if (r < 0)
        prober_free(p, 0);
    else
        *ret = p;
    return r;
}

void prober_stop(struct prober *p, int64_t drain_ms)
{
    int64_t cut_us = 0;
    atomic_compare_exchange_strong(&p->cut_us, &cut_us, mono_us() + drain_ms * 1000);
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; p->runners && i < p->config.base->journeys->n; i++) {
        thread_join(p->runners[i].thread);
        p->runners[i].thread = NULL;
    }
}

void prober_free(struct prober *p, int64_t drain_ms)
{
    if (!p)
        return;
    prober_stop(p, drain_ms);
    stats_free(p->total);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->runners);
    free(p->states);
    free(p->steps);
    free(p);
}

uint64_t prober_runs(struct prober *p)
{
    uint64_t n = 0;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->config.base->journeys->n; i++)
        n += p->states[i].passed + p->states[i].failed;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void prober_read(struct prober *p, void (*read)(void *ctx, const struct prober_view *view), void *ctx)
{
    pthread_mutex_lock(&p->lock);
    struct prober_view view = {.journeys = p->config.base->journeys,
                               .states = p->states,
                               .steps = p->steps,
                               .total = p->total,
                               .artifacts_failed = p->artifacts_failed};
    read(ctx, &view);
    pthread_mutex_unlock(&p->lock);
}
