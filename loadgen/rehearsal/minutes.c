#include "loadgen/rehearsal/minutes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/base/limits.h"

/* An array of n minutes from `first` on with what the old one knew. */
static double *moved(const struct minutes *m, const double *old, int64_t first, size_t n)
{
    double *to = malloc(n * sizeof *to);
    for (size_t i = 0; to && i < n; i++) {
        int64_t at = first + (int64_t)i - m->first;
        to[i] = old && at >= 0 && at < (int64_t)m->n ? old[at] : NAN;
    }
    return to;
}

int minutes_reach(struct minutes *m, enum minute_value value, int64_t first, size_t n)
{
    if (n == 0)
        return 0;
    if (n > REHEARSAL_MINUTES_MAX || first < -REHEARSAL_MINUTES_MAX || first > REHEARSAL_MINUTES_MAX)
        return -E2BIG;
    int64_t from = m->n && m->first < first ? m->first : first, end = first + (int64_t)n;
    if (m->n && m->first + (int64_t)m->n > end)
        end = m->first + (int64_t)m->n;
    size_t all = (size_t)(end - from);
    if (all > REHEARSAL_MINUTES_MAX)
        return -E2BIG;
    struct minutes wider = {.first = from, .n = all};
    for (size_t v = 0; v < MINUTE_VALUES; v++)
        if ((m->values[v] || v == value) && !(wider.values[v] = moved(m, m->values[v], from, all))) {
            minutes_done(&wider);
            return -ENOMEM;
        }
    minutes_done(m);
    *m = wider;
    return 0;
}

void minutes_add(struct minutes *m, enum minute_value value, int64_t minute, double v)
{
    double *at = &m->values[value][minute - m->first];
    if (isfinite(v) && v >= 0)
        *at = isnan(*at) ? v : *at + v;
}

bool minutes_peak(const struct minutes *m, enum minute_value value, int64_t *ret_minute, double *ret_value)
{
    const double *list = m->values[value];
    size_t best = m->n;
    for (size_t i = 0; list && i < m->n; i++)
        if (!isnan(list[i]) && (best == m->n || list[i] > list[best]))
            best = i;
    if (best == m->n)
        return false;
    *ret_minute = m->first + (int64_t)best;
    *ret_value = list[best];
    return true;
}

void minutes_done(struct minutes *m)
{
    for (size_t v = 0; v < MINUTE_VALUES; v++)
        free(m->values[v]);
    *m = (struct minutes){0};
}
