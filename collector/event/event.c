#include "collector/event/event.h"

#include <errno.h>
#include <math.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"

bool event_is_name(struct span name)
{
    if (name.len == 0 || name.len > EVENT_NAME_MAX || name.ptr[0] == '.' || name.ptr[0] == '-')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}

int event_market(const struct event *e, struct span name)
{
    for (size_t i = 0; i < e->n_markets; i++)
        if (span_equal(name, span_str(e->markets[i].name)))
            return (int)i;
    return -1;
}

const struct curve *event_plan(const struct event *e, size_t market)
{
    return e->plan.curves ? &e->plan.curves[market] : e->grown ? &e->grown[market] : NULL;
}

const struct curve *event_last(const struct event *e, size_t market)
{
    return e->last.curves ? &e->last.curves[market] : NULL;
}

const char *event_phase_at(const struct event *e, int64_t t_ms)
{
    const char *name = t_ms < e->starts_ms ? "before doors open" : t_ms >= e->ends_ms ? "over" : "open";
    for (size_t i = 0; i < e->n_phases && t_ms < e->ends_ms; i++)
        if (e->phases[i].starts_ms <= t_ms)
            name = e->phases[i].name;
    return name;
}

double curve_at(const struct curve *c, enum curve_value value, int64_t minute)
{
    if (!c || minute < c->first || minute >= c->first + (int64_t)c->n)
        return NAN;
    return c->values[value][minute - c->first];
}

bool curve_knows(const struct curve *c, enum curve_value value)
{
    for (size_t i = 0; c && i < c->n; i++)
        if (!isnan(c->values[value][i]))
            return true;
    return false;
}

double curve_sum(const struct curve *c, enum curve_value value, int64_t from_ms, int64_t to_ms)
{
    double sum = NAN;
    if (!c || to_ms <= from_ms)
        return NAN;
    int64_t first = from_ms >= 0 ? from_ms / MINUTE_MS : (from_ms - MINUTE_MS + 1) / MINUTE_MS;
    int64_t end = c->first + (int64_t)c->n;
    if (first < c->first)
        first = c->first;
    for (int64_t m = first; m < end && m * MINUTE_MS < to_ms; m++) {
        double v = c->values[value][m - c->first];
        int64_t begin_ms = m * MINUTE_MS, end_ms = begin_ms + MINUTE_MS;
        if (begin_ms < from_ms)
            begin_ms = from_ms;
        if (end_ms > to_ms)
            end_ms = to_ms;
        if (!isnan(v))
            sum = (isnan(sum) ? 0 : sum) + v * (double)(end_ms - begin_ms) / (double)MINUTE_MS;
    }
    return sum;
}

struct event *event_keep(struct event *e)
{
    atomic_fetch_add(&e->readers, 1);
    return e;
}

void event_free(struct event *e)
{
    if (!e || atomic_fetch_sub(&e->readers, 1) > 0)
        return;
    struct arena arena = e->arena; /* the event itself lives in it */
    tz_free(e->tz);
    arena_done(&arena);
}

void event_source_done(struct event_source *s)
{
    char *all[] = {s->file, s->text, s->plan_file, s->plan_text, s->last_file, s->last_text, s->starts, s->length};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        free(all[i]);
    *s = (struct event_source){0};
}

int event_read_time(const struct tz *tz, struct span text, int64_t *ret_ms, const char **ret_wrong)
{
    char full[40];
    int64_t local_ms;
    if (parse_rfc3339_ms(text, ret_ms) == 0)
        return 0;
    snprintf(full, sizeof full, SPAN_FMT "%sZ", SPAN_ARG(span_of(text.ptr, text.len < 30 ? text.len : 30)),
             text.len == 16 ? ":00" : "");
    if ((text.len != 16 && text.len != 19) || parse_rfc3339_ms(span_str(full), &local_ms) < 0) {
        *ret_wrong = "is no time such as 2026-11-27T20:00";
        return -EINVAL;
    }
    if (tz_to_unix(tz, local_ms, ret_ms) == TZ_NEVER) {
        *ret_wrong = "is never on the clock there: it is put forward over it";
        return -EINVAL;
    }
    return 0;
}
