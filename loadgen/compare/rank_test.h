/* rank_test.h - do two samples come from one distribution? Mann and Whitney's test (1947): it looks at ranks only, so that neither long tails nor a single
 * spike decide.
 *
 *   double p = rank_test(a, n, b, m);        // small: one of them tends to be higher
 *
 * Two-sided, by the normal approximation with corrections for ties and continuity, which is good from 8 values on both sides on. */
#pragma once

#include <stddef.h>

#define RANK_TEST_MIN 8u

/* Finite values. NAN: too few of them, or no memory. 1: all are equal. */
double rank_test(const double *a, size_t n, const double *b, size_t m);
/* The same for two shares, part of whole each: the pooled two-proportion z test. NAN when a whole is 0. */
double share_test(double part_a, double whole_a, double part_b, double whole_b);
