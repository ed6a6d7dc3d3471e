/* "On pace for": the interval holds what comes as often as it says, in simulated sales. */
#include "tests/support/check.h"

#include <math.h>

#include "collector/event/pace.h"

static double uniform(struct check_random *r)
{
    return ((double)(check_random_u64(r) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(struct check_random *r)
{
    return sqrt(-2 * log(uniform(r))) * cos(2 * 3.14159265358979323846 * uniform(r));
}

/* A sale of 360 minutes whose plan has a peak; the truth is another pace with noise, alike by `alike` from minute to minute. */
static double coverage(struct check_random *r, size_t known, double scatter, double alike, unsigned sales)
{
    unsigned inside = 0;
    for (unsigned s = 0; s < sales; s++) {
        double actual[360], plan[360], e = 0, total = 0, end = 0, remaining = 0, pace = 0.6 + uniform(r);
        for (size_t i = 0; i < 360; i++) {
            plan[i] = 40 + 60 * exp(-((double)i - 60) * ((double)i - 60) / 2000);
            e = alike * e + sqrt(1 - alike * alike) * normal(r);
            actual[i] = fmax(0, pace * plan[i] + sqrt(scatter * pace * plan[i]) * e);
            end += actual[i];
            if (i < known)
                total += actual[i];
            else
                remaining += plan[i];
        }
        struct pace p;
        assert_true(pace_forecast(actual, plan, known, remaining, total, &p));
        inside += p.low <= end && end <= p.high;
    }
    return (double)inside / sales;
}

static void the_interval_holds_what_comes_as_often_as_it_says(void **state)
{
    (void)state;
    struct check_random r = check_random_new("pace");
    static const struct {
        size_t known;
        double scatter, alike, low, high;
    } CASES[] = {
        {5, 1, 0, 0.72, 0.88},   {30, 1, 0, 0.74, 0.86},   {180, 4, 0, 0.74, 0.87},
        {300, 1, 0, 0.74, 0.88}, {60, 2, 0.5, 0.66, 0.88}, {180, 4, 0.7, 0.68, 0.88},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        double c = coverage(&r, CASES[i].known, CASES[i].scatter, CASES[i].alike, 2000 / check_slowness());
        print_message("  %zu minutes known, scatter %.0f, alike %.1f: 80 %% interval holds %.1f %%\n", CASES[i].known,
                      CASES[i].scatter, CASES[i].alike, 100 * c);
        if (check_slowness() == 1 && (c < CASES[i].low || c > CASES[i].high))
            check_failed("case %zu: %.3f is not within %.2f to %.2f", i, c, CASES[i].low, CASES[i].high);
    }
}

static void nothing_is_said_without_enough_to_go_by(void **state)
{
    (void)state;
    struct pace p;
    double actual[] = {1, 2, 3}, plan[] = {1, NAN, 3}, none[] = {0, 0, 0}, full[] = {1, 1, 1};
    assert_false(pace_forecast(actual, plan, 3, 10, 6, &p)); /* two cells have a plan */
    assert_false(pace_forecast(none, full, 3, 10, 0, &p));
    assert_false(pace_forecast(actual, full, 2, 10, 3, &p));
    assert_true(pace_forecast(actual, full, 3, 10, 6, &p));
    check_double_ulps(p.at, 26, 2);
    assert_true(p.low >= 6 && p.low < 26 && p.high > 26);
    assert_true(pace_forecast(actual, full, 3, 0, 6, &p)); /* nothing is left: what came in is what it comes to */
    check_double_bits(p.low, 6);
    check_double_bits(p.high, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interval_holds_what_comes_as_often_as_it_says),
        cmocka_unit_test(nothing_is_said_without_enough_to_go_by),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
