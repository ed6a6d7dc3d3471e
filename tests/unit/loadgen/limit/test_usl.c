#include "tests/support/check.h"

#include <math.h>

#include "loadgen/hurl/random.h"
#include "loadgen/limit/usl.h"

static void near(double got, double want, double ratio)
{
    if (!(fabs(got - want) <= ratio * fabs(want)))
        check_failed("%g is not within %g of %g", got, ratio, want);
}

static size_t points_of(const struct usl_fit *f, double noise, uint64_t seed, struct usl_point to[9])
{
    static const double AT[9] = {0.5, 1, 2, 4, 8, 12, 16, 24, 40};
    struct rng rng;
    rng_seed(&rng, seed);
    for (size_t i = 0; i < 9; i++)
        to[i] = (struct usl_point){AT[i], usl_throughput(f, AT[i]) * (1 + noise * (2 * rng_unit(&rng) - 1))};
    return 9;
}

static void the_law_comes_back_from_its_own_points(void **state)
{
    (void)state;
    static const struct usl_fit LAWS[] = {
        {.lambda = 1000, .sigma = 0.02, .kappa = 0.0005}, {.lambda = 3.5, .sigma = 0.2, .kappa = 0.01},
        {.lambda = 80, .sigma = 0.1, .kappa = 0},         {.lambda = 80, .sigma = 0, .kappa = 0.001},
        {.lambda = 1e6, .sigma = 0.9, .kappa = 0.1},
    };
    for (size_t i = 0; i < ARRAY_LEN(LAWS); i++) {
        struct usl_point p[9];
        struct usl_fit f;
        assert_int_equal(usl_fit(p, points_of(&LAWS[i], 0, 1, p), &f), USL_FITTED);
        near(f.lambda, LAWS[i].lambda, 1e-4);
        assert_true(fabs(f.sigma - LAWS[i].sigma) < 1e-4 && fabs(f.kappa - LAWS[i].kappa) < 1e-5);
        assert_true(f.r_squared > 0.999999 && f.worst_ratio < 1e-4);
    }
}

static void the_peak_is_where_more_concurrency_gives_less(void **state)
{
    (void)state;
    struct usl_fit law = {.lambda = 100, .sigma = 0.05, .kappa = 0.002}, f;
    struct usl_point p[9];
    assert_int_equal(usl_fit(p, points_of(&law, 0, 1, p), &f), USL_FITTED);
    near(f.peak_concurrency, sqrt(0.95 / 0.002), 1e-3);
    near(f.peak_throughput, usl_throughput(&law, sqrt(0.95 / 0.002)), 1e-3);
    assert_true(usl_throughput(&f, f.peak_concurrency * 1.2) < f.peak_throughput);
    law.kappa = 0; /* contention alone: it only levels off */
    assert_int_equal(usl_fit(p, points_of(&law, 0, 1, p), &f), USL_FITTED);
    near(f.peak_throughput, 100 / 0.05, 0.02);
}

static void residuals_tell_how_good_the_fit_is(void **state)
{
    (void)state;
    struct usl_fit law = {.lambda = 100, .sigma = 0.05, .kappa = 0.002}, f;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct usl_point p[9];
        assert_int_equal(usl_fit(p, points_of(&law, 0.05, seed, p), &f), USL_FITTED);
        near(f.peak_throughput, usl_throughput(&law, sqrt(0.95 / 0.002)), 0.1);
        assert_true(f.worst_ratio > 0.005 && f.worst_ratio < 0.12);
    }
    /* points that follow no such law: high, low, high */
    struct usl_point odd[6] = {{1, 10}, {2, 40}, {3, 10}, {4, 60}, {6, 12}, {8, 70}};
    if (usl_fit(odd, 6, &f) == USL_FITTED)
        assert_true(f.r_squared < 0.7 && f.worst_ratio > 0.3);
}

static void too_little_to_see_a_curve_gives_none(void **state)
{
    (void)state;
    struct usl_fit law = {.lambda = 100, .sigma = 0.05, .kappa = 0.002}, f = {.lambda = -1};
    struct usl_point p[9];
    points_of(&law, 0, 1, p);
    assert_int_equal(usl_fit(p, 5, &f), USL_TOO_FEW);
    struct usl_point spot[6] = {{4, 40}, {4.1, 41}, {4.2, 40}, {4.3, 42}, {4.4, 41}, {4.5, 43}};
    assert_int_equal(usl_fit(spot, 6, &f), USL_NARROW);
    struct usl_point line[6] = {{0.5, 50}, {1, 100}, {2, 200}, {4, 401}, {8, 799}, {16, 1600}};
    assert_int_equal(usl_fit(line, 6, &f), USL_NO_CURVE);
    struct usl_point none[6] = {{0.5, 50}, {1, 100}, {2, 0}, {4, 401}, {8, 799}, {16, 1600}};
    assert_int_equal(usl_fit(none, 6, &f), USL_TOO_FEW);
    assert_true(f.lambda == -1);
    for (int i = USL_TOO_FEW; i <= USL_NO_CURVE; i++)
        assert_true(usl_state_text((enum usl_state)i)[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_law_comes_back_from_its_own_points),
        cmocka_unit_test(the_peak_is_where_more_concurrency_gives_less),
        cmocka_unit_test(residuals_tell_how_good_the_fit_is),
        cmocka_unit_test(too_little_to_see_a_curve_gives_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
