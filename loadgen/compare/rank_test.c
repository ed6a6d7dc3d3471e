#include "loadgen/compare/rank_test.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/base/macros.h"

struct ranked {
    double value;
    bool first; /* of sample a */
};

static int by_value(const void *x, const void *y)
{
    double a = ((const struct ranked *)x)->value, b = ((const struct ranked *)y)->value;
    return (a > b) - (a < b);
}

double rank_test(const double *a, size_t n, const double *b, size_t m)
{
    if (n < RANK_TEST_MIN || m < RANK_TEST_MIN)
        return NAN;
    size_t all = n + m;
    AUTO_FREE struct ranked *r = calloc(all, sizeof *r);
    if (!r)
        return NAN;
    for (size_t i = 0; i < all; i++)
        r[i] = i < n ? (struct ranked){a[i], true} : (struct ranked){b[i - n], false};
    qsort(r, all, sizeof *r, by_value);
    double rank_sum = 0, ties = 0;
    for (size_t i = 0, end; i < all; i = end) {
        for (end = i + 1; end < all && r[end].value <= r[i].value; end++)
            ;
        double equal = (double)(end - i), rank = (double)i + (equal + 1) / 2;
        ties += equal * equal * equal - equal;
        for (size_t k = i; k < end; k++)
            rank_sum += r[k].first ? rank : 0;
    }
    double dn = (double)n, dm = (double)m, d = dn + dm;
    double u = rank_sum - dn * (dn + 1) / 2, mean = dn * dm / 2;
    double variance = dn * dm / 12 * (d + 1 - ties / (d * (d - 1)));
    if (!(variance > 0))
        return 1;
    double distance = fabs(u - mean) - 0.5;
    return distance <= 0 ? 1 : erfc(distance / sqrt(2 * variance));
}

double share_test(double part_a, double whole_a, double part_b, double whole_b)
{
    if (!(whole_a > 0) || !(whole_b > 0))
        return NAN;
    double pooled = (part_a + part_b) / (whole_a + whole_b);
    double variance = pooled * (1 - pooled) * (1 / whole_a + 1 / whole_b);
    if (!(variance > 0))
        return 1;
    return erfc(fabs(part_a / whole_a - part_b / whole_b) / sqrt(2 * variance));
}
