#include "loadgen/engine/think.h"

int64_t think_draw(const struct hurl_think *t, struct rng *rng)
{
    double a = (double)t->a_us, b = (double)t->b_us;
    switch (t->kind) {
    case HURL_THINK_NONE:
        break;
    case HURL_THINK_FIXED:
        return t->a_us;
    case HURL_THINK_UNIFORM:
        return (int64_t)(a + rng_unit(rng) * (b - a));
    case HURL_THINK_EXP: /* the inverse of its distribution, of a number below the distribution's value at the cut */
        if (t->a_us == 0)
            return 0;
        if (t->b_us)
            return (int64_t)(-a * log1p(rng_unit(rng) * expm1(-b / a)));
        return (int64_t)(rng_exponential(rng) * a);
    case HURL_THINK_RECORDED:
        return t->n_times ? t->times_us[rng_below(rng, t->n_times)] : 0;
    }
    return 0;
}
