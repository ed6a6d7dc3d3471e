#include "loadgen/limit/search.h"

#include <assert.h>
#include <math.h>

#define BESIDE                                                                                                         \
    0.4 /* of the precision: how far beyond the expected limit a probe goes, so that two of them close the bracket */
#define AGAIN 0.7           /* of the precision: how far below what broke a kept rate is confirmed */
#define BENT 4              /* a strain above this is of a queue that grows: how it got there is no line any more */
#define EDGE_SHARE 0.1      /* of the bracket: no probe nearer to its ends, where it would teach little */
#define HALVINGS_MAX 1024.0 /* below start / this, it is not the rate that breaks the SLO */

#define ON_TIME 1.0001 /* of lateness: logarithms are not exact */

/* Steps up, while nothing has broken: */
#define FIRST_STEP 4.0 /* from one probe nothing can be told */
#define LONG_STEP 8.0  /* the strain is what it was: the limit is far */
#define STEP 2.0       /* it has grown: at most so far, */
#define STEP_MIN 1.2   /* and at least */
#define GREW 1.25      /* times the highest strain before: more than chance makes of it */
#define HALFWAY 0.5    /* a strain below does not tell where it will pass 1 */
#define DOUBT 2.0      /* and one that breaks by less than this may be luck, where a probe has few requests */

#define NEAR_SERVED                                                                                                    \
    0.85 /* of the lowest rate that broke: when the server served so much at its worst, that rate is near what it can do, */
#define TOWARDS 0.75 /* and the limit is this part of the way up to it */

const char *limit_answer_name(enum limit_answer a)
{
    static const char *const NAMES[] = {"met", "broken", "void"};
    return NAMES[a];
}

const char *limit_end_name(enum limit_end e)
{
    static const char *const NAMES[] = {"searching", "found", "unsure", "above", "below", "void", "unrecovered"};
    return NAMES[e];
}

void limit_search_init(struct limit_search *s, const struct limit_rules *rules)
{
    assert(rules->start_rate > 0 && rules->rate_max >= rules->start_rate && rules->precision > 0);
    assert(rules->probes_max >= 1 && rules->probes_max <= LIMIT_PROBES_MAX);
    *s = (struct limit_search){.rules = *rules};
}

/* The newest probe of a rate; NULL: it was not asked. */
static const struct limit_point *point_at(const struct limit_search *s, double rate)
{
    for (size_t i = s->n; i-- > 0;)
        if (s->points[i].rate == rate && s->points[i].answer != LIMIT_VOID)
            return &s->points[i];
    return NULL;
}

/* Did the i-th probe say so, and the rate's newest one too? */
static bool counts(const struct limit_search *s, size_t i, enum limit_answer answer)
{
    return s->points[i].answer == answer && point_at(s, s->points[i].rate)->answer == answer;
}

/* The highest rate that was kept below `below`, leaving out the probe `but`; NULL: none. */
static const struct limit_point *best_kept(const struct limit_search *s, double below, const struct limit_point *but)
{
    const struct limit_point *best = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const struct limit_point *p = &s->points[i];
        if (p != but && p->rate < below && counts(s, i, LIMIT_MET) && (!best || p->rate > best->rate))
            best = p;
    }
    return best;
}

/* From the probes to low, sure and high: what broke outweighs what was kept above it. */
static void bracket(struct limit_search *s)
{
    s->high = 0;
    for (size_t i = 0; i < s->n; i++)
        if (counts(s, i, LIMIT_BROKEN) && (s->high == 0 || s->points[i].rate < s->high))
            s->high = s->points[i].rate;
    double below = s->high > 0 ? s->high : INFINITY;
    const struct limit_point *first = best_kept(s, below, NULL);
    const struct limit_point *second = first ? best_kept(s, below, first) : NULL;
    s->low = first ? first->rate : 0;
    s->sure = second ? second->rate : 0;
}

static bool is_near(const struct limit_search *s, double low)
{
    return low > 0 && s->high > 0 && s->high / low <= 1 + s->rules.precision + 1e-9;
}

/* How wide the bracket is, in parts of what bisecting would have made of it by now, but for one probe that may be lost to guesses: above 1 they
 * have cost more than that. */
static double lateness(const struct limit_search *s)
{
    struct limit_search then = *s;
    double bisected = 0;
    for (then.n = 1; then.n <= s->n; then.n++) {
        bracket(&then);
        bool inside = then.low > 0 && then.high > 0;
        if (inside && bisected == 0)
            bisected = 2 * log(then.high / then.low);
        else if (inside && s->points[then.n - 1].answer != LIMIT_VOID)
            bisected /= 2;
    }
    return log(s->high / s->low) / bisected;
}

/* Where the straight line through two probes' 1/strain passes 1; INFINITY when it does not, or one of them has no strain. */
static double crossing(const struct limit_point *a, const struct limit_point *b)
{
    double ease_a = 1 / a->strain, ease_b = 1 / b->strain;
    bool falling = isfinite(ease_a) && isfinite(ease_b) && ease_a > ease_b && ease_a > 1;
    return falling ? a->rate + (b->rate - a->rate) * (ease_a - 1) / (ease_a - ease_b) : INFINITY;
}

/* What broke was not far above what the server can do at all: the limit is nearer to it than to what was kept far below. */
static double middle_of(const struct limit_search *s)
{
    double served = 0;
    for (size_t i = 0; i < s->n; i++)
        if (counts(s, i, LIMIT_BROKEN))
            served = fmax(served, s->points[i].served);
    bool is_near_it = served > NEAR_SERVED * s->high && lateness(s) <= ON_TIME;
    return is_near_it ? s->low * pow(s->high / s->low, TOWARDS) : sqrt(s->low * s->high);
}

static double between(const struct limit_search *s)
{
    double middle = middle_of(s);
    const struct limit_point *low = point_at(s, s->low), *high = point_at(s, s->high);
    const struct limit_point *lower = best_kept(s, s->low, NULL);
    bool is_on_time = lateness(s) <= ON_TIME;
    double limit = INFINITY;
    if (high->strain > 1 &&
        high->strain < BENT) /* between what was kept and what broke by little: the best guess, always */
        limit = crossing(low, high);
    if (lower && is_on_time)
        limit = fmin(limit, crossing(lower, low));
    if (high->served > s->low && is_on_time)
        limit = fmin(limit, high->served);
    if (!(limit > s->low && limit < s->high))
        return middle;
    double beside = 1 + s->rules.precision * BESIDE;
    bool was_met = s->points[s->n - 1].answer == LIMIT_MET;
    double rate = was_met ? limit * beside : limit / beside;
    double edge = pow(s->high / s->low, EDGE_SHARE);
    return fmin(fmax(rate, s->low * edge), s->high / edge);
}

/* Beyond all that was kept. Where the strain has not grown since the lowest rate, the limit is far: long steps. Where it has, no further than a little
 * beyond where it would pass 1. */
static double beyond(const struct limit_search *s)
{
    const struct limit_point *low = point_at(s, s->low), *lower = best_kept(s, s->low, NULL);
    if (!lower)
        return s->low * FIRST_STEP;
    double most = 0;
    for (size_t i = 0; i < s->n; i++)
        if (&s->points[i] != low && counts(s, i, LIMIT_MET))
            most = fmax(most, s->points[i].strain);
    if (!(low->strain > most * GREW))
        return s->low * LONG_STEP;
    if (low->strain < HALFWAY)
        return s->low * STEP;
    double limit = crossing(lower, low) * (1 + s->rules.precision * BESIDE);
    return fmin(s->low * STEP, fmax(limit, s->low * STEP_MIN));
}

/* The first break behind long steps, and by little: was it luck? At a low rate a probe has few requests, and a p95 of those is any of
 * them. */
static bool is_doubtful(const struct limit_search *s)
{
    const struct limit_point *last = &s->points[s->n - 1];
    if (last->answer != LIMIT_BROKEN || last->rate != s->high || last->strain >= DOUBT)
        return false;
    for (size_t i = 0; i + 1 < s->n; i++)
        if (s->points[i].answer == LIMIT_BROKEN)
            return false;
    return s->low == 0 || s->high > s->low * STEP * 1.0001;
}

bool limit_search_next(struct limit_search *s, double *ret_rate)
{
    if (s->end != LIMIT_SEARCHING)
        return false;
    const struct limit_rules *rules = &s->rules;
    const struct limit_point *last = s->n ? &s->points[s->n - 1] : NULL;
    if (!last)
        s->asked = rules->start_rate;
    else if (last->answer == LIMIT_VOID || is_doubtful(s))
        s->asked = last->rate;
    else if (s->high == 0)
        s->asked = fmin(beyond(s), rules->rate_max);
    else if (s->low == 0)
        s->asked = s->high / 2;
    else if (is_near(s, s->low)) /* once more, not so near to what broke that luck decides */
        s->asked = fmin(s->low, s->high / (1 + s->rules.precision * AGAIN));
    else
        s->asked = between(s);
    *ret_rate = s->asked;
    return true;
}

static enum limit_end end_of(const struct limit_search *s)
{
    size_t n = s->n;
    bool again = n >= 2 && s->points[n - 2].answer == LIMIT_VOID;
    if (s->points[n - 1].answer == LIMIT_VOID && again)
        return LIMIT_VOIDED;
    if (is_near(s, s->sure))
        return LIMIT_FOUND;
    if (s->high == 0 && s->low >= s->rules.rate_max)
        return LIMIT_ABOVE;
    if (s->low == 0 && s->high > 0 && s->high <= s->rules.start_rate / HALVINGS_MAX)
        return LIMIT_BELOW;
    if (n < s->rules.probes_max)
        return LIMIT_SEARCHING;
    if (s->points[n - 1].answer == LIMIT_VOID)
        return LIMIT_VOIDED;
    return s->high == 0 ? LIMIT_ABOVE : s->low == 0 ? LIMIT_BELOW : LIMIT_UNSURE;
}

void limit_search_tell(struct limit_search *s, enum limit_answer answer, double strain, double served)
{
    assert(s->end == LIMIT_SEARCHING && s->n < s->rules.probes_max);
    s->points[s->n++] = (struct limit_point){s->asked, answer, strain, served};
    bracket(s);
    s->end = end_of(s);
}

void limit_search_stop(struct limit_search *s, enum limit_end why)
{
    if (s->end == LIMIT_SEARCHING)
        s->end = why;
}
