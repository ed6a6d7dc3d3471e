/* search.h - looks for the highest arrival rate that keeps the SLO: names one probe after the other and learns from what came of it.
 * It knows no clock and no network.
 *
 *   struct limit_search s;
 *   limit_search_init(&s, &(struct limit_rules){.start_rate = 10, .rate_max = 1e4, .precision = 0.05, .probes_max = 12});
 *   double rate;
 *   while (limit_search_next(&s, &rate))
 *       limit_search_tell(&s, LIMIT_MET, 0.4, rate);      // what the probe at that rate said
 *   printf("%f..%f", s.low, s.high);
 *
 * Steps up from the start rate until the SLO breaks (four times as much, then eight times as much for as long as the strain stays what it was,
 * at most twice as much once it has grown; halves when the start is broken already), narrows the bracket to the precision and confirms: the limit is a rate that kept
 * the SLO twice (or a higher one did, too), within the precision of one that did not. A first break by little, behind a long step or at the start, is asked once more: a
 * probe at a low rate has few requests, and may break by luck. Between a kept and a broken rate it guesses: where 1/strain, taken as a straight line through two probes,
 * passes 1 (in a queue the wait grows as 1/(capacity - rate)), or what the server still served when it was given too much, and probes a little beyond that on the
 * side that is open. When guesses have cost a probe more than bisecting would have, the middle is taken, or the line to a rate that broke by little.
 *
 * A void probe says nothing about the server: the same rate is asked once more, then the search ends as void. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/limits.h"

enum limit_answer { LIMIT_MET, LIMIT_BROKEN, LIMIT_VOID };
enum limit_end {
    LIMIT_SEARCHING,
    LIMIT_FOUND,      /* sure..high are within the precision */
    LIMIT_UNSURE,     /* the probes are used up: sure or low..high is what is known */
    LIMIT_ABOVE,      /* nothing broke it: the limit is above low */
    LIMIT_BELOW,      /* nothing kept it: the limit is below high */
    LIMIT_VOIDED,     /* the generator was the bottleneck */
    LIMIT_UNRECOVERED /* the server did not come back after a breach (said by the caller) */
};
const char *limit_answer_name(enum limit_answer a);
const char *limit_end_name(enum limit_end e);

struct limit_rules {
    double start_rate, rate_max; /* > 0, start <= max */
    double precision;            /* high/low - 1 at the end, > 0 */
    unsigned probes_max;         /* 1..LIMIT_PROBES_MAX, void ones included */
};
struct limit_point {
    double rate;
    enum limit_answer answer;
    double strain, served;
};
struct limit_search {
    struct limit_rules rules;
    struct limit_point points[LIMIT_PROBES_MAX];
    size_t n;
    enum limit_end end;
    double low, high; /* the highest rate that kept the SLO, the lowest that broke it, low < high; 0: none */
    double sure;      /* the highest rate for which two probes kept it, at it or between it and high; 0: none */
    double asked;     /* what limit_search_next gave last */
};
void limit_search_init(struct limit_search *s, const struct limit_rules *rules);
/* The rate of the next probe; false when the search has ended. */
bool limit_search_next(struct limit_search *s, double *ret_rate);
/* What came of it. strain: the worst of the thresholds' values in parts of their limits (1: at the limit); INFINITY when
 * nobody can say. served: sessions per second that came to a good end; 0 when nobody can say. */
void limit_search_tell(struct limit_search *s, enum limit_answer answer, double strain, double served);
/* The caller gives up. */
void limit_search_stop(struct limit_search *s, enum limit_end why);
