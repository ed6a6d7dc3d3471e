#include "loadgen/bottleneck/gave_way.h"

#include <math.h>

double threshold_strain(const struct run_threshold *t)
{
    if (isnan(t->value))
        return 0;
    if (t->slo->limit > 0)
        return t->value / t->slo->limit;
    return t->value > 0 ? INFINITY : 0;
}

/* Was the bound broken in that second by itself? Quantiles that a second does not have are judged by the next higher one that it has, the mean by the
 * median. */
static bool broke_in(const struct series_step_point *s, const struct hurl_slo *slo)
{
    if (s->count == 0)
        return false;
    if (hurl_slo_is_ratio(slo->metric)) /* which of them were business, a second does not say */
        return (double)s->failed / (double)s->count > slo->limit;
    double value = slo->metric == HURL_SLO_MAX ? (double)s->response.max_us
                   : slo->percentile <= 50     ? (double)s->response.p50_us
                   : slo->percentile <= 95     ? (double)s->response.p95_us
                                               : (double)s->response.p99_us;
    return value > slo->limit;
}

static double broke_at(const struct run_result *r, const struct run_config *c, const struct run_threshold *t,
                       double from_s)
{
    if (!t->step)
        return INFINITY;
    size_t step = (size_t)(t->step - c->journeys->steps);
    for (size_t i = 0; r->series && i < series_count(r->series); i++) {
        double second = series_at(r->series, i)->second;
        if (second >= from_s && broke_in(series_step(r->series, i, step), t->slo))
            return second;
    }
    return INFINITY;
}

bool gave_way_find(const struct run_result *r, const struct run_config *c, double from_s, struct gave_way *ret)
{
    bool any = false;
    for (size_t i = 0; i < r->n_thresholds; i++) {
        const struct run_threshold *t = &r->thresholds[i];
        if (t->met || isnan(t->value))
            continue;
        struct gave_way this = {t, broke_at(r, c, t, from_s), threshold_strain(t)};
        if (!any || this.second < ret->second || (this.second == ret->second && this.strain > ret->strain))
            *ret = this;
        any = true;
    }
    return any;
}
