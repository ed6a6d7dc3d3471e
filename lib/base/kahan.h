/* kahan.h - sums that lose no low bits (Kahan-Neumaier), operation by operation as PromQL's sums are.
 *
 *   struct kahan k = {0};
 *   kahan_add(&k, x) …
 *   double sum = kahan_value(&k); */
#pragma once

struct kahan {
    double sum, c;
};
static inline void kahan_add(struct kahan *k, double x)
{
    double t = k->sum + x;
    if (__builtin_isinf(t))
        k->c = 0;
    else if (__builtin_fabs(k->sum) >= __builtin_fabs(x))
        k->c += (k->sum - t) + x;
    else
        k->c += (x - t) + k->sum;
    k->sum = t;
}
static inline double kahan_value(const struct kahan *k)
{
    return __builtin_isinf(k->sum) ? k->sum : k->sum + k->c;
}
