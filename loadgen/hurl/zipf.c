#include "loadgen/hurl/zipf.h"

void zipf_fill(double *cumulative, size_t n, double exponent)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        cumulative[i] = sum += pow((double)(i + 1), -exponent);
}

size_t zipf_pick(const double *cumulative, size_t n, struct rng *rng)
{
    double at = rng_unit(rng) * cumulative[n - 1];
    size_t low = 0, high = n - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (cumulative[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
