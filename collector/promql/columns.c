#include "collector/promql/columns.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "collector/promql/eval.h"

#define LANES 2u /* what every x86-64 and arm64 has; wider ones are taken apart by the compiler, badly */
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t masks __attribute__((vector_size(LANES * sizeof(int64_t)))); /* per lane all bits or none */

/* By pointer: how such vectors are handed over depends on the machine. */
static inline void load(lanes *to, const double *from)
{
    memcpy(to, from, sizeof *to);
}

static inline bool any(const masks *m)
{
    return ((*m)[0] | (*m)[1]) != 0;
}

bool column_has_nan(const double *v, size_t n)
{
    masks odd = {0};
    lanes x;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        load(&x, v + i);
        odd |= x != x;
    }
    if (any(&odd))
        return true;
    for (; i < n; i++)
        if (isnan(v[i]))
            return true;
    return false;
}

bool column_falls(const double *v, size_t n)
{
    masks odd = {0};
    lanes x, before;
    size_t i = 1;
    for (; i + LANES <= n; i += LANES) {
        load(&x, v + i);
        load(&before, v + i - 1);
        odd |= x < before;
    }
    if (any(&odd))
        return true;
    for (; i < n; i++)
        if (v[i] < v[i - 1])
            return true;
    return false;
}

void columns_add_kahan(double *sum, double *c, const double *x, size_t n)
{
    const masks magnitude = {INT64_MAX, INT64_MAX};
    const lanes infinity = {INFINITY, INFINITY};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        lanes s, v, low;
        load(&s, sum + i);
        load(&v, x + i);
        load(&low, c + i);
        lanes t = s + v;
        masks s_is_larger = (lanes)((masks)s & magnitude) >= (lanes)((masks)v & magnitude);
        lanes larger = (lanes)(((masks)s & s_is_larger) | ((masks)v & ~s_is_larger));
        lanes smaller = (lanes)(((masks)v & s_is_larger) | ((masks)s & ~s_is_larger));
        low += (larger - t) + smaller;
        low = (lanes)((masks)low & ~((lanes)((masks)t & magnitude) == infinity));
        memcpy(c + i, &low, sizeof low);
        memcpy(sum + i, &t, sizeof t);
    }
    for (; i < n; i++) {
        struct kahan k = {sum[i], c[i]};
        kahan_add(&k, x[i]);
        sum[i] = k.sum;
        c[i] = k.c;
    }
}
