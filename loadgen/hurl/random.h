/* random.h - pseudo-random numbers for think times, mixes and uuids: fast, seeded, one state per thread. Not
 * for secrets.
 *
 *   struct rng rng;
 *   rng_seed(&rng, 42);
 *   double u = rng_unit(&rng);           // [0, 1)
 *
 * xoshiro256** by Blackman and Vigna (prng.di.unimi.it), seeded by splitmix64 as they advise. */
#pragma once

#include <math.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};
static inline void rng_seed(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->s[i] = z ^ (z >> 31);
    }
}
static inline uint64_t rng_rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}
static inline uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s, result = rng_rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rng_rotl(s[3], 45);
    return result;
}
/* [0, 1) */
static inline double rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1.0p-53;
}
/* Exponential with mean 1. */
static inline double rng_exponential(struct rng *r)
{
    return -log1p(-rng_unit(r));
}
/* 0..n-1, n > 0 */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
    return (uint64_t)(rng_unit(r) * (double)n);
}
