#include "loadgen/limit/probe.h"

#include <math.h>

#include "loadgen/bottleneck/gave_way.h"

#define GROWTH_RATIO_MAX 0.1 /* of what was answered: more that stays behind is a queue that grows */
#define GROWTH_MIN 10.0      /* requests: fewer are chance */
#define GROWTH_POINTS_MIN 6u /* seconds of measuring, to see a trend */
#define PHASE_SETTLE 0
#define PHASE_MEASURE 1

PRINTF_LIKE(3, 4)
static void decide(struct limit_probe *p, enum limit_answer answer, const char *format, ...)
{
    p->answer = answer;
    va_list args;
    va_start(args, format);
    vsnprintf(p->why, sizeof p->why, format, args);
    va_end(args);
}

/* ---- thresholds ---- */

static void judge_thresholds(const struct run_result *r, const struct run_config *c, double settle_s,
                             struct limit_probe *p)
{
    struct gave_way first;
    for (size_t i = 0; i < r->n_thresholds; i++)
        p->strain = fmax(p->strain, threshold_strain(&r->thresholds[i]));
    if (!gave_way_find(r, c, settle_s, &first))
        return;
    decide(p, LIMIT_BROKEN, "%s: " SPAN_FMT " is not met", first.of->scope, SPAN_ARG(first.of->slo->text));
    snprintf(p->gave_way, sizeof p->gave_way, "%s", first.of->scope);
    p->gave_way_s = isfinite(first.second) ? first.second - settle_s : 0;
}

/* ---- what thresholds do not see ---- */

/* Requests that were answered and what stood at the server, in the seconds that measured. */
static void measure_flow(const struct run_result *r, const struct probe_plan *plan, struct limit_probe *p,
                         double *ret_growth, double *ret_answered)
{
    double settle_s = (double)plan->settle_ms / 1000, end_s = settle_s + (double)plan->measure_ms / 1000;
    double seconds = 0, sessions = 0, early = 0, late = 0;
    size_t n = 0, at = 0;
    *ret_answered = *ret_growth = 0;
    for (size_t i = 0; i < series_count(r->series); i++) {
        const struct series_point *s = series_at(r->series, i);
        if (s->second < settle_s - 0.5 || s->second + s->seconds > end_s + 0.5)
            continue;
        seconds += s->seconds;
        sessions += (double)s->sessions.completed;
        *ret_answered += (double)s->requests.completed;
        n++;
    }
    for (size_t i = 0; i < series_count(r->series); i++) {
        const struct series_point *s = series_at(r->series, i);
        if (s->second < settle_s - 0.5 || s->second + s->seconds > end_s + 0.5)
            continue;
        early += at < n / 3 ? s->in_flight / (double)(n / 3) : 0;
        late += at >= n - n / 3 ? s->in_flight / (double)(n / 3) : 0;
        at++;
    }
    if (n >= GROWTH_POINTS_MIN)
        *ret_growth = (late - early) * 1.5; /* the thirds' middles are two thirds of the time apart */
    if (seconds > 0) {
        p->throughput = *ret_answered / seconds;
        p->served_rate = sessions / seconds;
    }
}

static void measure_times(const struct run_result *r, struct limit_probe *p)
{
    const struct run_stats *t = r->total;
    uint64_t steps = 0, good = 0, sent = 0;
    double service_us = 0;
    for (size_t i = 0; i < t->n_steps; i++) {
        steps += stats_step_total(&t->steps[i]);
        good += t->steps[i].outcomes[OUTCOME_OK];
        service_us += t->steps[i].service_sum_us;
        sent += t->steps[i].service ? hdr_count(t->steps[i].service) : 0;
    }
    p->error_ratio = steps ? (double)(steps - good) / (double)steps : NAN;
    p->concurrency = sent ? p->throughput * service_us / (double)sent / 1e6 : 0;
    struct hdr *all = stats_all(t, false);
    if (all) {
        p->p50_us = hdr_percentile(all, 50);
        p->p95_us = hdr_percentile(all, 95);
        p->p99_us = hdr_percentile(all, 99);
    }
    hdr_free(all);
}

static void judge(const struct run_result *r, const struct run_config *c, const struct probe_plan *plan,
                  struct limit_probe *p)
{
    double growth, answered;
    measure_flow(r, plan, p, &growth, &answered);
    measure_times(r, p);
    judge_thresholds(r, c, (double)plan->settle_ms / 1000, p);
    if (p->answer == LIMIT_MET && r->total->sessions.dropped > 0) {
        decide(p, LIMIT_BROKEN, "%llu sessions were dropped: too many were open",
               (unsigned long long)r->total->sessions.dropped);
        p->strain = INFINITY;
    }
    if (p->answer == LIMIT_MET && growth > GROWTH_MIN && growth > GROWTH_RATIO_MAX * answered) {
        decide(p, LIMIT_BROKEN, "the queue grows: %.0f more requests wait at the end than at the start", growth);
        p->strain = INFINITY; /* the times so far are not those that would come */
    }
    uint64_t cut = r->total->sessions.unfinished < r->total->requests.failed ? r->total->sessions.unfinished
                                                                             : r->total->requests.failed;
    if (p->answer == LIMIT_MET && (double)cut > GROWTH_MIN && (double)cut > GROWTH_RATIO_MAX * answered) {
        decide(p, LIMIT_BROKEN, "%llu requests had no answer when the grace was over", (unsigned long long)cut);
        p->strain = INFINITY; /* what was answered was the lucky part */
    }
    if (r->verdict == RUN_FAILED && r->total->requests.completed == 0) {
        decide(p, LIMIT_BROKEN, "no request got an answer");
        p->strain = INFINITY;
    }
    if (r->verdict == RUN_VOID)
        decide(p, LIMIT_VOID, "%s", r->n_reasons ? r->reasons[0] : "the generator was the bottleneck");
    p->interrupted = r->verdict == RUN_INTERRUPTED;
}

/* ---- the run ---- */

int probe_run(const struct run_config *config, const struct probe_plan *plan, double rate,
              const struct run_hooks *hooks, struct limit_probe *ret)
{
    double settle_s = (double)plan->settle_ms / 1000, measure_s = (double)plan->measure_ms / 1000;
    struct plan arrivals = {0};
    struct plan_stage settle = {.seconds = settle_s, .from = rate, .to = rate, .spacing = plan->spacing},
                      measure = {.seconds = measure_s, .from = rate, .to = rate, .spacing = plan->spacing};
    struct plan_phase phases[] = {
        [PHASE_SETTLE] = {.name = "settle", .end_s = settle_s, .warmup = true},
        [PHASE_MEASURE] = {.name = "measure", .start_s = settle_s, .end_s = settle_s + measure_s}};
    int r = settle_s > 0 ? plan_add(&arrivals, &settle) : 0;
    if (r == 0)
        r = plan_add(&arrivals, &measure);
    struct run_config c = *config;
    c.plan = &arrivals;
    c.phases = settle_s > 0 ? phases : NULL;
    c.n_phases = settle_s > 0 ? ARRAY_LEN(phases) : 0;
    struct run_result result;
    if (r == 0)
        r = run_execute(&c, hooks, &result);
    plan_done(&arrivals);
    if (r < 0)
        return r;
    *ret = (struct limit_probe){.rate = rate,
                                .started_ms = result.started_ms,
                                .settle_s = settle_s,
                                .measured_s = measure_s,
                                .answer = LIMIT_MET,
                                .recovery_s = NAN};
    judge(&result, &c, plan, ret);
    run_result_done(&result);
    return 0;
}
