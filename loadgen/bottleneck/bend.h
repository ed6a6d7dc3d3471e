/* bend.h - where a signal of the server left its relation to the load. It knows no clock, no network and no names.
 *
 *   struct bend_point points[] = {{.load = 5, .value = 0.2}, ...};     // as the load grew: by time, or probes by their rate
 *   struct bend bend;
 *   if (bend_find(points, n, n_base, &rule, &bend) == BEND_FOUND) ... points[bend.at] ...
 *
 * The first n_base points say what is normal: a level (median), or a line over the load (Theil and Sen), and the noise around it. A later point is away
 * when it differs in the bad direction by more than the rule's least and by more than four times the noise: that of a point, which for counts
 * grows with the root of the load, and that of the line, which grows with the distance from where it was learnt. What may end (a pool) is away
 * where it is used up, too. The bend is the first point away after which four of five are, and half of all that follow under as much load: a hiccup
 * is none, and what comes back by itself is no limit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define BEND_BASE_MIN 5u /* points with a value, before anything is called normal */

enum bend_relation {
    BEND_LEVEL, /* the same under any load: times, shares of hits */
    BEND_RISES  /* in proportion to it: connections in use, requests in flight */
};
struct bend_rule {
    enum bend_relation relation;
    bool falls;         /* down is the bad direction */
    double end;         /* where there is no more of it; 0: nowhere */
    double least;       /* no smaller difference is a bend */
    double least_ratio; /* nor one smaller than this share of what was expected */
};
struct bend_point {
    double load, value; /* NAN: a gap */
};
enum bend_state {
    BEND_NONE,
    BEND_FOUND,
    BEND_TOO_LITTLE /* fewer than BEND_BASE_MIN values say what is normal, or too few follow */
};
struct bend {
    size_t at;       /* the first point away */
    double before;   /* median of what is normal; NAN: nothing is known */
    double value;    /* median of the points that made it a bend */
    double expected; /* of the load at that point alone; NAN: nothing is known */
    bool used_up;    /* it had reached its end */
};
/* *ret is set with BEND_FOUND only. BEND_TOO_LITTLE also when there is no memory. */
enum bend_state bend_find(const struct bend_point *points, size_t n, size_t n_base, const struct bend_rule *rule,
                          struct bend *ret);
