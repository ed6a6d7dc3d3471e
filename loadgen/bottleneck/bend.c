#include "loadgen/bottleneck/bend.h"

#include <math.h>
#include <stdlib.h>

#include "lib/base/macros.h"

#define NOISES 4.0        /* a point in some 16,000 is that far from normal by chance; four of five are not */
#define WINDOW 5u         /* points that make a bend, */
#define WINDOW_AWAY 4u    /* of which so many are away */
#define AFTER_SHARE 0.5   /* of what follows */
#define SAME_LOAD 0.9     /* under at least so much of the load at the bend */
#define NEAR_END 0.97     /* of the end: used up; ratios are sampled between two of its uses */
#define SPREAD_MIN 0.15   /* of the load in the base, deviation over mean: below, no slope can be told */
#define PAIRS_SIDE 200u   /* base points that the slope is told from: all pairs of them */
#define MAD_SIGMA 1.4826  /* of a normal distribution: deviation over median absolute deviation */
#define MEAN_SIGMA 1.2533 /* and over mean absolute deviation, which is not 0 when most points are equal */

struct normal {
    bool known;
    enum bend_relation relation;
    double level, slope; /* expected: level + slope * load */
    double noise;        /* of a point */
    double load, spread; /* of the base: mean and deviation */
    double n;
    double before;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n == 0 ? NAN : n % 2 ? v[n / 2] : v[n / 2 - 1] / 2 + v[n / 2] / 2;
}

static double expected(const struct normal *o, double load)
{
    return o->relation == BEND_RISES ? o->level + o->slope * load : o->level;
}

/* ---- what is normal ---- */

/* Theil and Sen's slope: the median of those of all pairs; NAN without memory. */
static double middle_slope(const struct bend_point *p, size_t n)
{
    size_t step = n / PAIRS_SIDE + 1, count = 0;
    size_t side = (n + step - 1) / step;
    double *slopes = calloc(side * side / 2 + 1, sizeof *slopes);
    if (!slopes)
        return NAN;
    for (size_t i = 0; i < n; i += step)
        for (size_t k = i + step; k < n; k += step)
            if (fabs(p[k].load - p[i].load) > 0)
                slopes[count++] = (p[k].value - p[i].value) / (p[k].load - p[i].load);
    double middle = median(slopes, count);
    free(slopes);
    return middle;
}

/* base: n >= BEND_BASE_MIN points with values; scratch: as many. */
static void learn_line(struct normal *o, const struct bend_point *base, size_t n, double *scratch)
{
    for (size_t i = 0; i < n; i++)
        o->load += base[i].load / (double)n;
    for (size_t i = 0; i < n; i++)
        o->spread += (base[i].load - o->load) * (base[i].load - o->load) / (double)n;
    o->spread = sqrt(o->spread);
    double slope = o->spread > SPREAD_MIN * o->load ? middle_slope(base, n) : NAN;
    if (slope >= 0) {
        o->slope = slope;
        for (size_t i = 0; i < n; i++)
            scratch[i] = base[i].value - slope * base[i].load;
        o->level = median(scratch, n);
    } else { /* one load only, or chance made it fall: in proportion, from nothing */
        o->spread = o->load;
        o->slope = o->load > 0 ? o->before / o->load : 0;
        o->level = o->load > 0 ? 0 : o->before;
    }
}

static void learn(struct normal *o, const struct bend_point *base, size_t n, enum bend_relation relation,
                  double *scratch)
{
    *o = (struct normal){.known = n >= BEND_BASE_MIN, .relation = relation, .before = NAN, .n = (double)n};
    for (size_t i = 0; i < n; i++)
        scratch[i] = base[i].value;
    o->before = median(scratch, n);
    if (!o->known)
        return;
    o->level = o->before;
    if (relation == BEND_RISES)
        learn_line(o, base, n, scratch);
    double mean = 0;
    for (size_t i = 0; i < n; i++) {
        scratch[i] = fabs(base[i].value - expected(o, base[i].load));
        mean += scratch[i] / (double)n;
    }
    o->noise = fmax(median(scratch, n) * MAD_SIGMA, mean * MEAN_SIGMA);
}

/* ---- what is away from it ---- */

static bool is_used_up(const struct bend_rule *rule, double value)
{
    return rule->end > 0 && value >= rule->end * NEAR_END;
}

static bool is_away(const struct normal *o, const struct bend_rule *rule, const struct bend_point *p)
{
    if (is_used_up(rule, p->value))
        return true;
    if (!o->known)
        return false;
    double of_point = o->noise, of_line = o->noise / sqrt(o->n), e = expected(o, p->load);
    if (o->relation == BEND_RISES && o->load > 0) {
        of_point *= sqrt(fmax(1, p->load / o->load));
        of_line *= fmax(1, fabs(p->load - o->load) / o->spread);
    }
    double allowed =
        fmax(NOISES * sqrt(of_point * of_point + of_line * of_line), fmax(rule->least, rule->least_ratio * fabs(e)));
    double beyond = rule->falls ? e - p->value : p->value - e;
    return beyond > allowed;
}

/* points: all with values. Is it a bend that begins at i? */
static bool holds(const struct bend_point *points, const bool *away, size_t n, size_t i)
{
    size_t in_window = 0, follow = 0, follow_away = 0;
    if (!away[i] || i + WINDOW > n)
        return false;
    for (size_t k = i; k < i + WINDOW; k++)
        in_window += away[k];
    for (size_t k = i + WINDOW; k < n; k++) {
        bool counts = points[k].load >= points[i].load * SAME_LOAD;
        follow += counts;
        follow_away += counts && away[k];
    }
    return in_window >= WINDOW_AWAY && (double)follow_away >= AFTER_SHARE * (double)follow;
}

static void describe(struct bend *b, const struct normal *o, const struct bend_rule *rule,
                     const struct bend_point *points, size_t i)
{
    double window[WINDOW];
    for (size_t k = 0; k < WINDOW; k++)
        window[k] = points[i + k].value;
    b->before = o->before;
    b->value = median(window, WINDOW);
    b->expected = o->known ? expected(o, points[i].load) : NAN;
    b->used_up = is_used_up(rule, b->value);
}

enum bend_state bend_find(const struct bend_point *points, size_t n, size_t n_base, const struct bend_rule *rule,
                          struct bend *ret)
{
    AUTO_FREE struct bend_point *valued = calloc(n + 1, sizeof *valued);
    AUTO_FREE size_t *index = calloc(n + 1, sizeof *index);
    AUTO_FREE double *scratch = calloc(n + 1, sizeof *scratch);
    AUTO_FREE bool *away = calloc(n + 1, sizeof *away);
    size_t count = 0, base = 0;
    if (!valued || !index || !scratch || !away)
        return BEND_TOO_LITTLE;
    for (size_t i = 0; i < n; i++) {
        if (isnan(points[i].value))
            continue;
        base += i < n_base;
        index[count] = i;
        valued[count++] = points[i];
    }
    struct normal normal;
    learn(&normal, valued, base, rule->relation, scratch);
    for (size_t i = 0; i < count; i++) /* the base is what is normal, unless it is used up there already */
        away[i] = (i >= base || is_used_up(rule, valued[i].value)) && is_away(&normal, rule, &valued[i]);
    for (size_t i = 0; i < count; i++)
        if (holds(valued, away, count, i)) {
            describe(ret, &normal, rule, valued, i);
            ret->at = index[i];
            return BEND_FOUND;
        }
    return normal.known && count >= base + WINDOW ? BEND_NONE : BEND_TOO_LITTLE;
}
