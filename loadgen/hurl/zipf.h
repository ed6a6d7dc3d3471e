/* zipf.h - skewed choices: of n items the k-th (from 1) is taken in proportion to 1 / k^exponent, as a few articles get most of a
 * shop's visits.
 *
 *   double *cumulative = malloc(n * sizeof *cumulative);
 *   zipf_fill(cumulative, n, 1.1);
 *   size_t rank = zipf_pick(cumulative, n, &rng);       // 0..n-1, 0 the hottest
 *
 * Exact, by the cumulative sums: no rejection, one random number a choice. */
#pragma once

#include <stddef.h>

#include "loadgen/hurl/random.h"

#define ZIPF_EXPONENT_MAX 20.0 /* beyond, all choices are the first item */

/* n > 0, exponent 0 (all alike) .. ZIPF_EXPONENT_MAX. */
void zipf_fill(double *cumulative, size_t n, double exponent);
size_t zipf_pick(const double *cumulative, size_t n, struct rng *rng);
