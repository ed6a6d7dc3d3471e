/* Synthetic signals whose bend is known: ramps, levels, noise, gaps, hiccups. */
#include "tests/support/check.h"

#include <math.h>
#include <stdlib.h>

#include "loadgen/bottleneck/bend.h"
#include "loadgen/hurl/random.h"

#define N 120u
#define BASE 30u

static const struct bend_rule POOL = {.relation = BEND_RISES, .end = 1, .least = 0.1, .least_ratio = 0.5},
                              WAIT = {.relation = BEND_LEVEL, .least = 0.005, .least_ratio = 0.5},
                              HITS = {.relation = BEND_LEVEL, .falls = true, .least = 0.05, .least_ratio = 0.05};

/* Mean 0, deviation 1, tails as heavy as those of times. */
static double noise(struct rng *rng)
{
    return rng_exponential(rng) - 1;
}

static double normal_noise(struct rng *rng)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += rng_unit(rng);
    return sum;
}

/* A ramp of load, with the points' loads as uneven as a second's count is. */
static void ramp(struct bend_point *p, struct rng *rng)
{
    for (size_t i = 0; i < N; i++)
        p[i].load = (double)(i + 1) * (1 + 0.05 * normal_noise(rng));
}

static void a_pool_that_is_used_up_bends_where_it_is(void **state UNUSED)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct bend_point p[N];
        struct bend b;
        struct rng rng;
        rng_seed(&rng, seed);
        ramp(p, &rng);
        for (size_t i = 0; i < N; i++) /* 100 a second fill ten connections; some are free now and then */
            p[i].value = round(fmin(10, fmax(0, p[i].load / 10 + 0.3 * normal_noise(&rng)))) / 10;
        assert_int_equal(bend_find(p, N, BASE, &POOL, &b), BEND_FOUND);
        if (b.at < 85 || b.at > 105 || !b.used_up || b.value < 0.99 || fabs(b.before - 0.15) > 0.1)
            check_failed("seed %d: at %zu, %f, %f before", (int)seed, b.at, b.value, b.before);
    }
}

static void a_pool_held_longer_than_the_load_explains_bends_before_its_end(void **state UNUSED)
{
    struct bend_point p[N];
    struct bend b;
    for (size_t i = 0; i < N; i++) {
        p[i].load = (double)(i + 1);
        p[i].value = p[i].load * (p[i].load > 60 ? 0.012 : 0.004); /* three times as long from 60 on */
    }
    assert_int_equal(bend_find(p, N, BASE, &POOL, &b), BEND_FOUND);
    assert_int_equal(b.at, 60);
    assert_false(b.used_up);
    assert_true(fabs(b.expected - 61 * 0.004) < 0.01);
}

static void times_bend_at_the_knee_and_noise_alone_does_not(void **state UNUSED)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct bend_point p[N], quiet[N];
        struct bend b;
        struct rng rng;
        rng_seed(&rng, seed);
        ramp(p, &rng);
        for (size_t i = 0; i < N; i++) {
            quiet[i] = (struct bend_point){p[i].load, 0.08 + 0.015 * noise(&rng)};
            p[i].value = quiet[i].value + (i > 70 ? 0.02 * (double)(i - 70) : 0);
        }
        if (bend_find(quiet, N, BASE, &WAIT, &b) != BEND_NONE)
            check_failed("seed %d: noise bends at %zu: %f, %f before", (int)seed, b.at, b.value, b.before);
        assert_int_equal(bend_find(p, N, BASE, &WAIT, &b), BEND_FOUND);
        if (b.at < 68 || b.at > 78) /* a far point just before the knee may count as its first */
            check_failed("seed %d: at %zu", (int)seed, b.at);
    }
}

static void counts_that_grow_with_the_load_are_no_bend_however_uneven(void **state UNUSED)
{
    static const struct bend_rule IN_FLIGHT = {.relation = BEND_RISES, .least = 5, .least_ratio = 1};
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct bend_point p[N];
        struct bend b;
        struct rng rng;
        rng_seed(&rng, seed);
        ramp(p, &rng);
        for (size_t i = 0; i < N; i++) { /* Poisson, mean a tenth of the load: what stands at the server */
            double left = p[i].load / 10;
            p[i].value = -1;
            for (; left > 0; p[i].value++)
                left -= rng_exponential(&rng);
        }
        if (bend_find(p, N, BASE, &IN_FLIGHT, &b) != BEND_NONE)
            check_failed("seed %d: bends at %zu: %f, %f expected", (int)seed, b.at, b.value, b.expected);
    }
}

static void a_hit_ratio_bends_down_only(void **state UNUSED)
{
    struct bend_point p[N];
    struct bend b;
    for (size_t i = 0; i < N; i++)
        p[i] = (struct bend_point){10, i < 50 ? 0.9 : 0.99}; /* better: a cache that has warmed */
    assert_int_equal(bend_find(p, N, BASE, &HITS, &b), BEND_NONE);
    for (size_t i = 80; i < N; i++)
        p[i].value = 0.6;
    assert_int_equal(bend_find(p, N, BASE, &HITS, &b), BEND_FOUND);
    assert_int_equal(b.at, 80);
    assert_true(b.before == 0.9 && b.value == 0.6);
}

static void gaps_hide_nothing_and_make_nothing(void **state UNUSED)
{
    struct bend_point p[N];
    struct bend b;
    for (size_t i = 0; i < N; i++)
        p[i] = (struct bend_point){(double)i, i % 3 == 0 || (i > 40 && i < 60) ? NAN : i >= 91 ? 0.5 : 0.1};
    assert_int_equal(bend_find(p, N, BASE, &WAIT, &b), BEND_FOUND);
    assert_int_equal(b.at, 91);
    for (size_t i = 91; i < N; i++)
        p[i].value = NAN;
    assert_int_equal(bend_find(p, N, BASE, &WAIT, &b), BEND_NONE);
    for (size_t i = 4; i < N; i++)
        p[i].value = NAN;
    assert_int_equal(bend_find(p, N, BASE, &WAIT, &b), BEND_TOO_LITTLE);
    assert_int_equal(bend_find(p, 0, 0, &WAIT, &b), BEND_TOO_LITTLE);
}

static void a_hiccup_is_none_and_neither_is_what_comes_back_under_the_same_load(void **state UNUSED)
{
    struct bend_point p[N];
    struct bend b;
    for (size_t i = 0; i < N; i++)
        p[i] = (struct bend_point){50, 0.1};
    p[50].value = p[51].value = p[52].value = 3; /* three of five */
    assert_int_equal(bend_find(p, N, BASE, &WAIT, &b), BEND_NONE);
    for (size_t i = 50; i < 60; i++)
        p[i].value = 3; /* ten seconds, and then a minute as before */
    assert_int_equal(bend_find(p, N, BASE, &WAIT, &b), BEND_NONE);
    for (size_t i = 60; i < N; i++)
        p[i].load = 5; /* it is back, but so is the low load */
    assert_int_equal(bend_find(p, N, BASE, &WAIT, &b), BEND_FOUND);
    assert_int_equal(b.at, 50);
}

static void what_is_used_up_from_the_start_needs_nothing_normal(void **state UNUSED)
{
    struct bend_point p[6];
    struct bend b;
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        p[i] = (struct bend_point){10, 1};
    assert_int_equal(bend_find(p, ARRAY_LEN(p), 0, &POOL, &b), BEND_FOUND);
    assert_true(b.at == 0 && b.used_up && isnan(b.before) && isnan(b.expected));
    assert_int_equal(bend_find(p, ARRAY_LEN(p), ARRAY_LEN(p), &POOL, &b), BEND_FOUND);
    assert_int_equal(bend_find(p, ARRAY_LEN(p), 0, &WAIT, &b), BEND_TOO_LITTLE);
}

static void what_has_no_end_in_sight_bends_too(void **state UNUSED)
{
    static const struct bend_rule DRAIN = {.relation = BEND_LEVEL, .least = 5, .least_ratio = 1};
    struct bend_point p[N];
    struct bend b;
    for (size_t i = 0; i < N; i++)
        p[i] = (struct bend_point){(double)i, i < 60 ? 2 : INFINITY};
    assert_int_equal(bend_find(p, N, BASE, &DRAIN, &b), BEND_FOUND);
    assert_true(b.at == 60 && b.value == INFINITY && b.before == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_that_is_used_up_bends_where_it_is),
        cmocka_unit_test(a_pool_held_longer_than_the_load_explains_bends_before_its_end),
        cmocka_unit_test(times_bend_at_the_knee_and_noise_alone_does_not),
        cmocka_unit_test(counts_that_grow_with_the_load_are_no_bend_however_uneven),
        cmocka_unit_test(a_hit_ratio_bends_down_only),
        cmocka_unit_test(gaps_hide_nothing_and_make_nothing),
        cmocka_unit_test(a_hiccup_is_none_and_neither_is_what_comes_back_under_the_same_load),
        cmocka_unit_test(what_is_used_up_from_the_start_needs_nothing_normal),
        cmocka_unit_test(what_has_no_end_in_sight_bends_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
