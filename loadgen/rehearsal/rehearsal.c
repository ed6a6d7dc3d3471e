#include "loadgen/rehearsal/rehearsal.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"

int rehearsal_at_parse(const char *text, double *ret)
{
    struct span s = span_trim(span_str(text));
    double v;
    if (s.len < 2 || s.ptr[s.len - 1] != '%' || parse_f64_span(span_trim(span_of(s.ptr, s.len - 1)), &v) < 0)
        return -EINVAL;
    if (!(v > 0 && v <= REHEARSAL_AT_MAX * 100))
        return -ERANGE;
    *ret = v / 100;
    return 0;
}

void rehearsal_note(struct rehearsal *r, const char *format, ...)
{
    va_list args;
    if (r->n_notes == REHEARSAL_NOTES_MAX)
        return;
    va_start(args, format);
    vsnprintf(r->notes[r->n_notes++], sizeof r->notes[0], format, args);
    va_end(args);
}

static int refuse(struct rehearsal *r, int error, const char *format, ...) PRINTF_LIKE(3, 4);
static int refuse(struct rehearsal *r, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->why, sizeof r->why, format, args);
    va_end(args);
    return error;
}

/* ---- whose minutes ---- */

static bool is_known(double v)
{
    return !isnan(v);
}

static double peak(const struct rehearsal *r, enum minute_value value)
{
    return r->peaks[value].per_minute;
}

static void take_peak(struct rehearsal *r, const struct minutes *m, enum minute_value value)
{
    r->peaks[value].per_minute = NAN;
    if (!minutes_peak(m, value, &r->peaks[value].minute, &r->peaks[value].per_minute))
        r->peaks[value].per_minute = NAN;
}

/* false: nothing is known there. */
static bool take_minutes(struct rehearsal *r, enum rehearsal_basis basis, const struct event_facts *of,
                         const struct minutes *m)
{
    for (size_t v = 0; v < MINUTE_VALUES; v++)
        take_peak(r, m, (enum minute_value)v);
    r->basis = basis;
    r->curve = m;
    r->of = of ? of->name : NULL;
    r->zone = of ? of->zone : NULL;
    r->starts_ms = of ? of->starts_ms : 0;
    return is_known(peak(r, MINUTE_SESSIONS)) || is_known(peak(r, MINUTE_ORDERS)) || is_known(peak(r, MINUTE_REQUESTS));
}

/* 0, a need, or -ENODATA when this basis has nothing. */
MUST_USE static int try_plan(struct rehearsal *r, const struct rehearsal_known *k)
{
    return take_minutes(r, REHEARSAL_PLAN, k->event, &k->event->plan) ? 0 : -ENODATA;
}

MUST_USE static int try_last(struct rehearsal *r, const struct rehearsal_known *k, bool any_event)
{
    const struct event_facts *e = k->event;
    bool named = e->last_event != NULL;
    if (!named && take_minutes(r, REHEARSAL_LAST, NULL, &e->last))
        return 0; /* a file: when it was, only the file knows */
    if (!named && !any_event)
        return -ENODATA;
    if (!k->has_last)
        return REHEARSAL_NEEDS_LAST;
    return k->last.name && take_minutes(r, REHEARSAL_LAST, &k->last, &k->last_measured) ? 0 : -ENODATA;
}

MUST_USE static int try_measured(struct rehearsal *r, const struct rehearsal_known *k)
{
    if (!k->has_measured)
        return REHEARSAL_NEEDS_MEASURED;
    return take_minutes(r, REHEARSAL_MEASURED, k->event, &k->measured) ? 0 : -ENODATA;
}

MUST_USE static int choose_basis(const struct rehearsal_wish *wish, struct rehearsal *r,
                                 const struct rehearsal_known *k)
{
    const struct event_facts *e = k->event;
    bool any = wish->basis == REHEARSAL_ANY;
    int x = -ENODATA;
    if (any || wish->basis == REHEARSAL_PLAN)
        x = try_plan(r, k);
    if (x == -ENODATA && (any || wish->basis == REHEARSAL_LAST))
        x = try_last(r, k, !any);
    if (x == -ENODATA && (wish->basis == REHEARSAL_MEASURED || (any && e->ends_ms <= k->now_ms)))
        x = try_measured(r, k);
    if (x == -ENODATA && any)
        x = try_last(r, k, true);
    if (x != -ENODATA)
        return x;
    if (wish->basis == REHEARSAL_PLAN)
        return refuse(r, x, "%s has no plan: give its file a plan or last and growth, or say --event-from last",
                      e->name);
    if (wish->basis == REHEARSAL_MEASURED)
        return refuse(r, x, "%s: the collector has no orders and no requests of it%s", e->name,
                      e->starts_ms > k->now_ms ? ": it has not begun" : "");
    if (k->last.name)
        return refuse(r, x, "%s has %s, and the collector has no orders and no requests of the last event, %s", e->name,
                      any ? "no plan" : "no figures of a last event", k->last.name);
    if (e->last_event)
        return refuse(r, x, "%s has %s its last event, %s, is not at the collector", e->name,
                      any ? "no plan, and" : "no figures:", e->last_event);
    return refuse(r, x, "%s has %s no last event, and no other event is over: there is nothing to rehearse", e->name,
                  any ? "no plan and" : "");
}

/* ---- the mix ---- */

struct kinds { /* of the journeys: those that come to a @money step, and the others */
    size_t n_buying, n_looking;
    double orders;          /* orders per session of a buying one, by weight */
    double requests_buying; /* per session */
    double requests_looking;
    double weight_buying, weight_looking;
    bool weighed;
};

static struct kinds kinds_of(const struct rehearsal_wish *wish)
{
    struct kinds k = {0};
    for (size_t i = 0; i < wish->n; i++) {
        const struct rehearsal_journey *j = &wish->journeys[i];
        k.weighed |= j->weighed;
        if (j->walk.buys > 0) {
            k.n_buying++;
            k.weight_buying += j->weight;
            k.orders += j->weight * j->walk.orders;
            k.requests_buying += j->weight * j->walk.requests;
        } else {
            k.n_looking++;
            k.weight_looking += j->weight;
            k.requests_looking += j->weight * j->walk.requests;
        }
    }
    if (k.weight_buying > 0) {
        k.orders /= k.weight_buying;
        k.requests_buying /= k.weight_buying;
    }
    if (k.weight_looking > 0)
        k.requests_looking /= k.weight_looking;
    return k;
}

/* Sessions per minute of both kinds, at 100 %. */
struct sessions {
    double buying, looking;
};

/* The weights say which part buys: one figure is enough. The surest that there is. */
MUST_USE static int mix_as_weighed(struct rehearsal *r, const struct kinds *k, struct sessions *ret)
{
    double all = k->weight_buying + k->weight_looking;
    double share = k->weight_buying / all, orders = share * k->orders;
    double requests = share * k->requests_buying + (1 - share) * k->requests_looking;
    double total;
    r->mix = REHEARSAL_MIX_GIVEN;
    if (is_known(peak(r, MINUTE_SESSIONS))) {
        r->driver = MINUTE_SESSIONS;
        total = peak(r, MINUTE_SESSIONS);
    } else if (is_known(peak(r, MINUTE_ORDERS)) && orders > 0) {
        r->driver = MINUTE_ORDERS;
        total = peak(r, MINUTE_ORDERS) / orders;
    } else if (is_known(peak(r, MINUTE_REQUESTS)) && requests > 0) {
        r->driver = MINUTE_REQUESTS;
        total = peak(r, MINUTE_REQUESTS) / requests;
    } else {
        return refuse(r, -EINVAL,
                      "%s: only orders are known, and none of the journeys that have a weight buys: mark the step that "
                      "pays with # @money",
                      r->event);
    }
    *ret = (struct sessions){total * share, total * (1 - share)};
    return 0;
}

MUST_USE static int only_looking(struct rehearsal *r, const struct kinds *k, struct sessions *ret)
{
    double orders = is_known(peak(r, MINUTE_ORDERS)) ? peak(r, MINUTE_ORDERS) : 0;
    r->mix = REHEARSAL_MIX_ONE_KIND;
    if (is_known(peak(r, MINUTE_SESSIONS))) {
        r->driver = MINUTE_SESSIONS;
        ret->looking = fmax(0, peak(r, MINUTE_SESSIONS) - orders);
    } else if (is_known(peak(r, MINUTE_REQUESTS)) && k->requests_looking > 0) {
        r->driver = MINUTE_REQUESTS;
        ret->looking = peak(r, MINUTE_REQUESTS) / k->requests_looking;
    } else {
        return refuse(r, -EINVAL,
                      "%s: only orders are known, and no journey buys: mark the step that pays with # @money, or add a "
                      "journey that buys",
                      r->event);
    }
    return 0;
}

MUST_USE static int only_buying(struct rehearsal *r, const struct kinds *k, struct sessions *ret)
{
    r->mix = REHEARSAL_MIX_ONE_KIND;
    if (k->orders < 1 && is_known(peak(r, MINUTE_SESSIONS))) { /* a walk, which some leave without buying */
        r->driver = MINUTE_SESSIONS;
        ret->buying = peak(r, MINUTE_SESSIONS);
        return 0;
    }
    if (!is_known(peak(r, MINUTE_ORDERS)))
        return refuse(r, -EINVAL,
                      "%s: orders are not known, and every journey buys: add one that looks around, and give both a "
                      "# @weight",
                      r->event);
    r->driver = MINUTE_ORDERS;
    ret->buying = peak(r, MINUTE_ORDERS) / k->orders;
    if (k->orders >= 1)
        rehearsal_note(r, "every journey buys: those who look around without buying are not rehearsed");
    return 0;
}

/* What the last event says of how many sessions, or requests, go with an order. 0, a need or an error. */
MUST_USE static int ask_last(struct rehearsal *r, const struct rehearsal_known *known, const struct kinds *k,
                             struct sessions *ret)
{
    double orders = peak(r, MINUTE_ORDERS), last_orders, last_more;
    int64_t minute;
    const struct minutes *m = &known->event->last;
    if (minutes_peak(m, MINUTE_ORDERS, &minute, &last_orders) && last_orders > 0 &&
        minutes_peak(m, MINUTE_SESSIONS, &minute, &last_more)) {
        r->mix = REHEARSAL_MIX_LAST_SESSIONS;
        ret->looking = fmax(0, orders / last_orders * last_more - ret->buying);
        return 0;
    }
    if (!known->has_last)
        return REHEARSAL_NEEDS_LAST;
    m = &known->last_measured;
    if (known->last.name && minutes_peak(m, MINUTE_ORDERS, &minute, &last_orders) && last_orders > 0 &&
        minutes_peak(m, MINUTE_REQUESTS, &minute, &last_more)) {
        r->mix = REHEARSAL_MIX_LAST_REQUESTS;
        ret->looking =
            fmax(0, orders / last_orders * last_more - ret->buying * k->requests_buying) / k->requests_looking;
        return 0;
    }
    return refuse(r, -EINVAL,
                  "%s: orders are known, but nothing says how many sessions there are for one: give the plan a column "
                  "sessions, or the journeys their # @weight (or --weights)",
                  r->event);
}

MUST_USE static int both_kinds(struct rehearsal *r, const struct rehearsal_known *known, const struct kinds *k,
                               struct sessions *ret)
{
    if (!is_known(peak(r, MINUTE_ORDERS)))
        return refuse(r, -EINVAL,
                      "%s: orders are not known, so nothing says how many sessions buy: give the journeys their "
                      "# @weight (or --weights)",
                      r->event);
    ret->buying = peak(r, MINUTE_ORDERS) / k->orders;
    if (is_known(peak(r, MINUTE_SESSIONS))) {
        r->mix = REHEARSAL_MIX_SESSIONS;
        r->driver = MINUTE_SESSIONS;
        ret->looking = peak(r, MINUTE_SESSIONS) - ret->buying;
    } else if (is_known(peak(r, MINUTE_REQUESTS)) && k->requests_looking > 0) {
        r->mix = REHEARSAL_MIX_REQUESTS;
        r->driver = MINUTE_REQUESTS;
        ret->looking = (peak(r, MINUTE_REQUESTS) - ret->buying * k->requests_buying) / k->requests_looking;
    } else {
        r->driver = MINUTE_ORDERS;
        int x = ask_last(r, known, k, ret);
        if (x != 0)
            return x;
    }
    if (ret->looking <= 0) {
        ret->looking = 0;
        rehearsal_note(r, "the sessions that buy make all of it: none is left to look around");
    }
    return 0;
}

/* ---- the load ---- */

MUST_USE static int set_load(const struct rehearsal_wish *wish, const struct kinds *k, const struct sessions *s,
                             struct rehearsal *r)
{
    double total = s->buying + s->looking;
    if (!(total > 0))
        return refuse(r, -ENODATA, "%s: its highest minute is 0: there is nothing to rehearse", r->event);
    r->rate = total / 60 * wish->at;
    if (r->rate > PLAN_RATE_MAX)
        return refuse(r, -ERANGE, "%s at %g %% is %g sessions a second: more than a run may have (%g)", r->event,
                      wish->at * 100, r->rate, PLAN_RATE_MAX);
    if (!(peak(r, r->driver) > 0)) /* fewer sessions than orders, or an order of the last event */
        r->driver = MINUTE_ORDERS;
    r->weights = calloc(wish->n, sizeof *r->weights);
    if (!r->weights)
        return refuse(r, -ENOMEM, "out of memory");
    for (size_t i = 0; i < wish->n; i++) {
        const struct rehearsal_journey *j = &wish->journeys[i];
        bool buying = j->walk.buys > 0;
        double of = buying ? k->weight_buying : k->weight_looking;
        double share = of > 0 ? (buying ? s->buying : s->looking) / total * j->weight / of : 0;
        r->weights[i] = r->mix == REHEARSAL_MIX_GIVEN ? j->weight : share;
        r->buying_ratio += share * j->walk.buys;
        r->orders_per_minute += share * j->walk.orders * r->rate * 60;
        r->payments += share * j->walk.payments * r->rate;
    }
    return 0;
}

/* What an SRE would find out too late. */
static void add_doubts(const struct rehearsal_wish *wish, struct rehearsal *r)
{
    double wanted = peak(r, MINUTE_ORDERS) * wish->at;
    if (!(r->buying_ratio > 0))
        rehearsal_note(r, "no journey comes to a # @money step: orders are not rehearsed");
    if (is_known(wanted) && wanted > 0 && r->orders_per_minute > 0 && fabs(r->orders_per_minute / wanted - 1) > 0.01)
        rehearsal_note(r, "the journeys' own shares make %.4g orders a minute, %s has %.4g at %g %%",
                       r->orders_per_minute, r->basis == REHEARSAL_PLAN ? "the plan" : "the event", wanted,
                       wish->at * 100);
    if (wish->money_rate > 0 && r->payments > wish->money_rate)
        rehearsal_note(r,
                       "--money-rate holds @money steps down to %.4g a second of %.4g: sessions over it end before "
                       "they pay",
                       wish->money_rate, r->payments);
}

int rehearsal_derive(const struct rehearsal_wish *wish, const struct rehearsal_known *known, struct rehearsal *r)
{
    const struct event_facts *e = known->event;
    *r = (struct rehearsal){.event = e->name,
                            .title = e->title,
                            .at = wish->at,
                            .growth = NAN,
                            .shape = wish->shape,
                            .journeys = wish->journeys,
                            .n = wish->n};
    int x = choose_basis(wish, r, known);
    if (x != 0)
        return x;
    if (r->basis == REHEARSAL_PLAN && e->plan_is_growth)
        r->growth = e->growth;
    struct kinds k = kinds_of(wish);
    struct sessions s = {0};
    if (k.weighed)
        x = mix_as_weighed(r, &k, &s);
    else if (k.n_buying == 0)
        x = only_looking(r, &k, &s);
    else if (k.n_looking == 0)
        x = only_buying(r, &k, &s);
    else
        x = both_kinds(r, known, &k, &s);
    if (x == 0)
        x = set_load(wish, &k, &s, r);
    if (x == 0)
        add_doubts(wish, r);
    return x;
}

void rehearsal_done(struct rehearsal *r)
{
    free(r->weights);
    r->weights = NULL;
}

void rehearsal_known_done(struct rehearsal_known *known)
{
    event_facts_done(&known->last);
    minutes_done(&known->measured);
    minutes_done(&known->last_measured);
}

/* ---- the curve ---- */

/* The minute's height among all, 0..1: what is not known is as the known minute before it. */
static double height(const struct rehearsal *r, size_t i)
{
    const double *list = r->curve->values[r->driver];
    while (i > 0 && isnan(list[i]))
        i--;
    return isnan(list[i]) ? 0 : list[i] / peak(r, r->driver);
}

void rehearsal_stages(const struct rehearsal *r, int64_t length_ms, struct buf *out)
{
    const double *list = r->curve->values[r->driver];
    size_t from = 0, end = r->curve->n, top = (size_t)(r->peaks[r->driver].minute - r->curve->first);
    while (from < top && isnan(list[from]))
        from++;
    while (end > top + 1 && isnan(list[end - 1]))
        end--;
    int64_t left_ms = length_ms ? length_ms : (int64_t)(end - from) * MINUTE_MS;
    size_t wanted = (size_t)((left_ms + MINUTE_MS - 1) / MINUTE_MS);
    if (wanted <= top - from)
        from = top + 1 - wanted;
    if (wanted < end - from)
        end = from + wanted;
    size_t group = (end - from + PLAN_STAGES_MAX - 1) / PLAN_STAGES_MAX;
    for (size_t i = from; i < end && left_ms > 0; i += group) {
        double highest = 0;
        size_t n = group < end - i ? group : end - i;
        for (size_t k = 0; k < n; k++)
            highest = fmax(highest, height(r, i + k));
        char duration[NUMBER_TEXT_MAX], rate[NUMBER_TEXT_MAX];
        int64_t ms = (int64_t)n * MINUTE_MS;
        ms = ms < left_ms ? ms : left_ms;
        left_ms -= ms;
        format_duration_ms(duration, ms);
        format_f64(rate, r->rate * highest);
        buf_printf(out, "%s%s:%s", i > from ? "," : "", duration, rate);
    }
}
