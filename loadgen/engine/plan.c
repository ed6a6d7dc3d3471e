#include "loadgen/engine/plan.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"

#define EPSILON 1e-6 /* of an arrival: what rounding of the integral may add up to */

MUST_USE static int add_stage(struct plan *p, double seconds, double from, double to)
{
    struct plan_stage *stages = realloc(p->stages, (p->n + 1) * sizeof *stages);
    if (!stages)
        return -ENOMEM;
    p->stages = stages;
    stages[p->n++] = (struct plan_stage){seconds, from, to, p->seconds, p->arrivals};
    p->seconds += seconds;
    p->arrivals += seconds * (from + to) / 2;
    return 0;
}

MUST_USE static int parse_rate(struct span text, double *ret)
{
    double v;
    if (parse_f64_span(span_trim(text), &v) < 0 || !(v >= 0 && v <= PLAN_RATE_MAX))
        return -EINVAL;
    *ret = v;
    return 0;
}

MUST_USE static int parse_stage(struct plan *p, struct span text, char *why, size_t why_bytes)
{
    size_t colon = span_find(text, ':');
    struct span rates = span_from(text, colon + 1);
    size_t dash = span_find(rates, '-');
    int64_t ms;
    double from, to;
    bool good = colon < text.len && parse_duration_ms(span_trim(span_of(text.ptr, colon)), &ms) == 0 && ms > 0 &&
                parse_rate(span_of(rates.ptr, dash), &from) == 0;
    if (good && dash < rates.len)
        good = parse_rate(span_from(rates, dash + 1), &to) == 0;
    else if (good)
        to = from;
    if (!good) {
        snprintf(why, why_bytes,
                 "'" SPAN_FMT "' is no stage: write DURATION:RATE or DURATION:FROM-TO, as 30s:5 or 10s:5-40",
                 SPAN_ARG(text));
        return -EINVAL;
    }
    return add_stage(p, (double)ms / 1000, from, to);
}

int plan_parse_stages(struct plan *p, struct span text, char *why, size_t why_bytes)
{
    *p = (struct plan){0};
    struct span rest = text, piece;
    int r = 0;
    while (r == 0 && span_cut(&rest, ',', &piece)) {
        if (p->n == PLAN_STAGES_MAX) {
            snprintf(why, why_bytes, "more than %u stages", PLAN_STAGES_MAX);
            r = -EINVAL;
        } else {
            r = parse_stage(p, span_trim(piece), why, why_bytes);
        }
    }
    if (r == 0 && p->n == 0) {
        snprintf(why, why_bytes, "no stage given");
        r = -EINVAL;
    }
    if (r < 0)
        plan_done(p);
    return r;
}

int plan_constant(struct plan *p, double rate_from, double rate_to, int64_t duration_ms)
{
    *p = (struct plan){0};
    return add_stage(p, (double)duration_ms / 1000, rate_from, rate_to);
}

void plan_done(struct plan *p)
{
    free(p->stages);
    *p = (struct plan){0};
}

static const struct plan_stage *stage_at(const struct plan *p, double second)
{
    for (size_t i = 0; i < p->n; i++)
        if (second < p->stages[i].start_s + p->stages[i].seconds)
            return &p->stages[i];
    return NULL;
}

double plan_rate(const struct plan *p, double second)
{
    const struct plan_stage *s = second < 0 ? NULL : stage_at(p, second);
    return s ? s->from + (s->to - s->from) * (second - s->start_s) / s->seconds : 0;
}

double plan_integral(const struct plan *p, double second)
{
    const struct plan_stage *s = second < 0 ? NULL : stage_at(p, second);
    if (!s)
        return second < 0 ? 0 : p->arrivals;
    double t = second - s->start_s;
    return s->before + s->from * t + (s->to - s->from) * t * t / (2 * s->seconds);
}

uint64_t plan_count(const struct plan *p)
{
    return (uint64_t)floor(p->arrivals + 0.5 + EPSILON);
}

/* When, in seconds of the stage, its integral has grown by `want`: the root of from·t + slope/2·t² = want, in the form that keeps its
 * digits when the slope is small. */
static double solve(const struct plan_stage *s, double want)
{
    double slope = (s->to - s->from) / s->seconds;
    double root = sqrt(fmax(0, s->from * s->from + 2 * slope * want));
    double t = s->from + root > 0 ? 2 * want / (s->from + root) : 0;
    return fmin(fmax(t, 0), s->seconds);
}

void arrivals_init(struct arrivals *a, const struct plan *plan, uint64_t worker, uint64_t workers, struct rng *rng,
                   uint64_t sessions_max)
{
    *a = (struct arrivals){.plan = plan, .rng = rng, .index = worker, .stride = workers, .left = UINT64_MAX};
    if (sessions_max)
        a->left = sessions_max / workers + (worker < sessions_max % workers);
}

bool arrivals_next(struct arrivals *a, int64_t *ret_us)
{
    const struct plan *p = a->plan;
    double want;
    if (a->left == 0)
        return false;
    if (p->spacing == PLAN_POISSON) {
        want = a->at + rng_exponential(a->rng) * (double)a->stride;
        if (want >= p->arrivals)
            return false;
    } else {
        if (a->index >= plan_count(p))
            return false;
        want = fmin((double)a->index + 0.5, p->arrivals); /* the last of 10.49999 arrivals is at the end */
        a->index += a->stride;
    }
    while (a->stage + 1 < p->n && p->stages[a->stage + 1].before <= want)
        a->stage++;
    const struct plan_stage *s = &p->stages[a->stage];
    a->at = want;
    a->left--;
    *ret_us = (int64_t)((s->start_s + solve(s, want - s->before)) * 1e6);
    return true;
}
