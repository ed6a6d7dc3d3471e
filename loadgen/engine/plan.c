#include "loadgen/engine/plan.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"

#define EPSILON 1e-6 /* of an arrival: what rounding of the integral may add up to */

/* ---- curves: rate, integral from the stage's start, and the integral's inverse ---- */

static double rate_of(const struct plan_stage *s, double t)
{
    switch (s->curve) {
    case PLAN_SINE:
        return (s->from + s->to) / 2 - (s->to - s->from) / 2 * cos(2 * M_PI * t / s->scale_s);
    case PLAN_DECAY:
        return s->to + (s->from - s->to) * exp(-t / s->scale_s);
    case PLAN_TRACE:
        return s->arrivals / s->seconds;
    default:
        return s->from + (s->to - s->from) * t / s->seconds;
    }
}

/* How many of a trace's arrivals stand before the time. */
static size_t traced(const struct plan_stage *s, double t)
{
    size_t low = 0, high = s->n_trace;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((double)s->trace_us[middle] < t * 1e6)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double integral_of(const struct plan_stage *s, double t)
{
    switch (s->curve) {
    case PLAN_SINE:
        return (s->from + s->to) / 2 * t -
               (s->to - s->from) / 2 * s->scale_s / (2 * M_PI) * sin(2 * M_PI * t / s->scale_s);
    case PLAN_DECAY:
        return s->to * t - (s->from - s->to) * s->scale_s * expm1(-t / s->scale_s);
    case PLAN_TRACE:
        return (double)traced(s, t);
    default:
        return s->from * t + (s->to - s->from) * t * t / (2 * s->seconds);
    }
}

/* The root of from·t + slope/2·t² = want, in the form that keeps its digits when the slope is small. */
static double solve_line(const struct plan_stage *s, double want)
{
    double slope = (s->to - s->from) / s->seconds;
    double root = sqrt(fmax(0, s->from * s->from + 2 * slope * want));
    return s->from + root > 0 ? 2 * want / (s->from + root) : 0;
}

/* Newton's steps, halved where they would leave the bracket. */
static double solve_curve(const struct plan_stage *s, double want)
{
    double low = 0, high = s->seconds, t = s->arrivals > 0 ? s->seconds * want / s->arrivals : 0;
    for (int i = 0; i < 60 && high - low > 1e-7; i++) {
        double miss = integral_of(s, t) - want, rate = rate_of(s, t);
        if (miss > 0)
            high = t;
        else
            low = t;
        double next = rate > 0 ? t - miss / rate : -1;
        if (!(next > low && next < high))
            next = (low + high) / 2;
        if (fabs(next - t) < 1e-8)
            return next;
        t = next;
    }
    return t;
}

/* When, in seconds of the stage, its integral has grown by `want`. */
static double solve(const struct plan_stage *s, double want)
{
    double t;
    if (s->curve == PLAN_TRACE) {
        size_t i = want > 0 ? (size_t)want : 0;
        t = s->n_trace ? (double)s->trace_us[i < s->n_trace ? i : s->n_trace - 1] / 1e6 : 0;
    } else {
        t = s->curve == PLAN_LINE ? solve_line(s, want) : solve_curve(s, want);
    }
    return fmin(fmax(t, 0), s->seconds);
}

/* ---- stages ---- */

/* Behind the others; there is room. */
static void place_stage(struct plan *p, const struct plan_stage *stage)
{
    struct plan_stage *s = &p->stages[p->n++];
    *s = *stage;
    s->start_s = p->seconds;
    s->before = p->arrivals;
    s->arrivals = s->curve == PLAN_TRACE ? (double)s->n_trace : integral_of(s, s->seconds);
    p->seconds += s->seconds;
    p->arrivals += s->arrivals;
}

int plan_add(struct plan *p, const struct plan_stage *stage)
{
    if (p->n >= PLAN_STAGES_MAX)
        return -E2BIG;
    struct plan_stage *stages = realloc(p->stages, (p->n + 1) * sizeof *stages);
    if (!stages)
        return -ENOMEM;
    p->stages = stages;
    place_stage(p, stage);
    return 0;
}

MUST_USE static int add_stage(struct plan *p, double seconds, double from, double to)
{
    return plan_add(p, &(struct plan_stage){.seconds = seconds, .from = from, .to = to});
}

int plan_add_stairs(struct plan *p, double from, double to, unsigned steps, double seconds, enum plan_spacing spacing)
{
    int r = 0;
    for (unsigned i = 0; i < steps && r == 0; i++) {
        double rate = steps > 1 ? from + (to - from) * i / (steps - 1) : to;
        r = plan_add(p, &(struct plan_stage){.seconds = seconds / steps, .from = rate, .to = rate, .spacing = spacing});
    }
    return r;
}

int plan_add_spike(struct plan *p, double base, double peak, double rise_s, double hold_s, double decay_s,
                   double seconds, enum plan_spacing spacing)
{
    int r = 0;
    if (rise_s > 0)
        r = plan_add(p, &(struct plan_stage){.seconds = rise_s, .from = base, .to = peak, .spacing = spacing});
    if (r == 0 && hold_s > 0)
        r = plan_add(p, &(struct plan_stage){.seconds = hold_s, .from = peak, .to = peak, .spacing = spacing});
    double rest = seconds - rise_s - hold_s;
    if (r == 0 && rest > 0)
        r = plan_add(p, &(struct plan_stage){.curve = PLAN_DECAY,
                                             .seconds = rest,
                                             .from = peak,
                                             .to = base,
                                             .scale_s = decay_s,
                                             .spacing = spacing});
    return r;
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

void plan_scale(struct plan *p, double rates, double speed)
{
    struct plan_stage *stages = p->stages;
    size_t n = p->n;
    p->n = 0;
    p->seconds = p->arrivals = 0;
    for (size_t i = 0; i < n; i++) { /* added anew, in place: each is read before it is written */
        struct plan_stage s = stages[i];
        s.from *= rates;
        s.to *= rates;
        s.seconds /= speed;
        s.scale_s /= speed;
        place_stage(p, &s);
    }
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
    return s ? rate_of(s, second - s->start_s) : 0;
}

double plan_peak(const struct plan *p)
{
    double peak = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_stage *s = &p->stages[i];
        double highest =
            s->curve == PLAN_TRACE ? rate_of(s, 0) : fmax(s->from, s->to); /* of all curves one of the ends */
        peak = fmax(peak, highest);
    }
    return peak;
}

double plan_integral(const struct plan *p, double second)
{
    const struct plan_stage *s = second < 0 ? NULL : stage_at(p, second);
    if (!s)
        return second < 0 ? 0 : p->arrivals;
    return s->before + integral_of(s, second - s->start_s);
}

/* How many even arrivals stand before this value of the integral: k + 1/2 < value. */
static uint64_t even_before(double integral)
{
    return (uint64_t)floor(fmax(0, integral) + 0.5 + EPSILON);
}

uint64_t plan_count(const struct plan *p)
{
    return p->closed ? 0 : even_before(p->arrivals);
}

/* ---- arrivals ---- */

void arrivals_init(struct arrivals *a, const struct plan *plan, uint64_t worker, uint64_t workers, struct rng *rng,
                   uint64_t sessions_max)
{
    *a = (struct arrivals){.plan = plan, .rng = rng, .worker = worker, .workers = workers, .left = UINT64_MAX};
    if (plan->closed)
        a->stage = plan->n;
    if (sessions_max)
        a->left = sessions_max / workers + (worker < sessions_max % workers);
}

static enum plan_spacing spacing_of(const struct plan *p, const struct plan_stage *s)
{
    if (s->curve == PLAN_TRACE)
        return PLAN_EVEN; /* it says itself when */
    return s->spacing != PLAN_EVEN ? s->spacing : p->spacing;
}

/* The first of this worker's numbers (worker, worker + workers, ...) that is not below k. */
static uint64_t first_from(const struct arrivals *a, uint64_t k)
{
    uint64_t behind = (k + a->workers - a->worker % a->workers) % a->workers; /* of k, past our last number */
    return behind ? k + a->workers - behind : k;
}

static void enter_stage(struct arrivals *a, const struct plan_stage *s)
{
    uint64_t first = even_before(s->before), end = even_before(s->before + s->arrivals);
    a->entered = true;
    a->at = s->before;
    a->index = first_from(a, first);
    a->exact = a->index < end ? (end - a->index - 1) / a->workers + 1 : 0;
}

/* The integral at this worker's next arrival in the stage; false: it has no more. */
static bool next_in_stage(struct arrivals *a, const struct plan_stage *s, double *ret)
{
    double end = s->before + s->arrivals;
    switch (spacing_of(a->plan, s)) {
    case PLAN_POISSON: /* without memory: it may start anew at every stage */
        *ret = a->at + rng_exponential(a->rng) * (double)a->workers;
        return *ret < end;
    case PLAN_EXACT: /* the lowest of the n uniform ones that are left in what is left */
        if (a->exact == 0)
            return false;
        *ret = a->at + (end - a->at) * -expm1(-rng_exponential(a->rng) / (double)a->exact);
        a->exact--;
        return true;
    default:
        if (a->index >= even_before(end))
            return false;
        *ret = fmin((double)a->index + 0.5, end); /* the last of 10.49999 arrivals is at the end */
        a->index += a->workers;
        return true;
    }
}

bool arrivals_next(struct arrivals *a, int64_t *ret_us)
{
    const struct plan *p = a->plan;
    if (a->left == 0)
        return false;
    for (; a->stage < p->n; a->stage++, a->entered = false) {
        const struct plan_stage *s = &p->stages[a->stage];
        double want;
        if (!a->entered)
            enter_stage(a, s);
        if (!next_in_stage(a, s, &want))
            continue;
        a->at = want;
        a->left--;
        *ret_us = (int64_t)((s->start_s + solve(s, want - s->before)) * 1e6);
        return true;
    }
    return false;
}
