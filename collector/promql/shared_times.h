/* shared_times.h - what follows from a series' times alone, kept for the next series: those of one scrape have the same ones.
 *
 *   if (!shared_times_are(src->shared, raw, steps, lo, hi)) ...find the windows...   // also notes the times for the next series
 *   if (rates_of_shared_times(call)) return 0;                                           // rate, increase, delta of plain floats
 *
 * One belongs to a range_source. Without memory for it nothing is shared; results are the same, bit for bit. */
#pragma once

#include "collector/promql/eval.h"

struct shared_times {
    struct arena *arena;
    int64_t *t_ms; /* of the series before */
    size_t n, cap, steps;
    const size_t *lo, *hi;     /* its windows */
    struct edge *edges;        /* per step, of rate and its family; of edges_of */
    unsigned number, edges_of; /* counts the different times seen */
};
struct range_call;

/* NULL without memory. */
struct shared_times *shared_times_new(struct arena *a);
/* Are the series' times those of the one before, so that lo and hi stand? NULL shares nothing. */
bool shared_times_are(struct shared_times *sh, const struct raw *raw, size_t steps, const size_t *lo, const size_t *hi);
/* The run's values and where they are present; false: not possible here (start times, windows of its own), nothing is done. */
bool rates_of_shared_times(struct range_call *c);
