/* columns.h - loops over whole columns of numbers, several at a time. Each number meets the same operations in the same order as one by one:
 * results are the same, bit for bit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Is there a NaN (stale markers are)? */
bool column_has_nan(const double *v, size_t n);
/* Is a value below the one before it? */
bool column_falls(const double *v, size_t n);
/* kahan_add (eval.h) of x[i] to sum[i] and c[i], for each i. */
void columns_add_kahan(double *sum, double *c, const double *x, size_t n);
