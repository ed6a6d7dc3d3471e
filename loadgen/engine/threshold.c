#include "loadgen/engine/threshold.h"

#include <errno.h>
#include <math.h>

/* The class that a journey belongs to. */
static const char *class_of(const struct run_config *c, size_t journey)
{
    for (size_t i = 0; i < c->n_traffic; i++)
        if (journey >= c->traffic[i].first_journey && journey < c->traffic[i].first_journey + c->traffic[i].n_journeys)
            return c->traffic[i].name;
    return "";
}

static bool matches(const struct run_config *c, const struct run_threshold *t, const struct journey_step *step)
{
    const struct threshold *of = t->of;
    if (!of)
        return step == t->step;
    return (!of->step || span_equal(step->name, span_str(of->step))) &&
           (!of->journey || strcmp(step->journey, of->journey) == 0) &&
           (!of->traffic || strcmp(class_of(c, step->journey_index), of->traffic) == 0);
}

static void describe(const struct threshold *of, char *to, size_t bytes)
{
    const char *class_name = of->traffic ? of->traffic : "", *journey = of->journey ? of->journey : "";
    size_t n = 0;
    if (!of->traffic && !of->journey && !of->step)
        n = (size_t)snprintf(to, bytes, "all steps");
    else
        n = (size_t)snprintf(to, bytes, "%s%s%s%s%s", class_name, *class_name && (of->journey || of->step) ? ": " : "",
                             journey, of->journey && of->step ? "/" : "", of->step ? of->step : "");
    if (of->phase && n < bytes)
        snprintf(to + n, bytes - n, " in %s", of->phase);
}

int thresholds_make(const struct run_config *c, struct run_threshold **ret, size_t *ret_n)
{
    const struct journeys *js = c->journeys;
    size_t n = c->n_thresholds, at = 0;
    for (size_t i = 0; i < js->n_steps; i++)
        n += js->steps[i].n_slos;
    struct run_threshold *list = calloc(n ? n : 1, sizeof *list);
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < js->n_steps; i++)
        for (size_t k = 0; k < js->steps[i].n_slos; k++) {
            struct run_threshold *t = &list[at++];
            *t = (struct run_threshold){.step = &js->steps[i], .slo = &js->steps[i].slos[k], .value = NAN};
            snprintf(t->scope, sizeof t->scope, "%s/" SPAN_FMT, js->steps[i].journey, SPAN_ARG(js->steps[i].name));
        }
    for (size_t i = 0; i < c->n_thresholds; i++) {
        struct run_threshold *t = &list[at++];
        *t = (struct run_threshold){.of = &c->thresholds[i], .slo = &c->thresholds[i].slo, .value = NAN};
        describe(t->of, t->scope, sizeof t->scope);
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

/* What the steps of a scope have come to, together. */
struct sums {
    uint64_t total, good, business;
    double response_sum_us;
    const struct hdr *response; /* of one step, or */
    struct hdr *merged;         /* of several */
};

static void add_response(struct sums *s, const struct hdr *h)
{
    if (!h || hdr_count(h) == 0)
        return;
    if (!s->response) {
        s->response = h;
        return;
    }
    if (!s->merged &&
        (hdr_new(STATS_HIGHEST_US, STATS_DIGITS, &s->merged) < 0 || hdr_merge(s->merged, s->response) < 0))
        return;
    if (s->merged && hdr_merge(s->merged, h) == 0)
        s->response = s->merged;
}

static double value_of(const struct hurl_slo *slo, const struct sums *s)
{
    if (slo->metric == HURL_SLO_ERRORS)
        return s->total ? (double)(s->total - s->good) / (double)s->total : NAN;
    if (slo->metric == HURL_SLO_BUSINESS)
        return s->total ? (double)s->business / (double)s->total : NAN;
    if (!s->response)
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

static const struct run_stats *stats_for(const struct run_config *c, const struct run_threshold *t,
                                         const struct run_stats *total, const struct run_phase *phases)
{
    for (size_t i = 0; t->of && t->of->phase && phases && i < c->n_phases; i++)
        if (strcmp(c->phases[i].name, t->of->phase) == 0)
            return phases[i].stats;
    return total;
}

void thresholds_evaluate(const struct run_config *c, const struct run_stats *total, const struct run_phase *phases,
                         struct run_threshold *list, size_t n)
{
    const struct journeys *js = c->journeys;
    for (size_t i = 0; i < n; i++) {
        struct run_threshold *t = &list[i];
        const struct run_stats *stats = stats_for(c, t, total, phases);
        struct sums s = {0};
        for (size_t k = 0; k < js->n_steps; k++) {
            const struct step_stats *step = &stats->steps[k];
            if (!matches(c, t, &js->steps[k]))
                continue;
            s.total += stats_step_total(step);
            s.good += step->outcomes[OUTCOME_OK];
            s.business += step->outcomes[OUTCOME_BUSINESS];
            s.response_sum_us += step->response_sum_us;
            add_response(&s, step->response);
        }
        t->value = value_of(t->slo, &s);
        t->met = t->slo->inclusive ? t->value <= t->slo->limit : t->value < t->slo->limit; /* NaN: not met */
        hdr_free(s.merged);
    }
}

bool threshold_broken(const struct run_threshold *t)
{
    return !t->met && !isnan(t->value);
}
