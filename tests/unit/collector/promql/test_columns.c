#include "tests/support/check.h"

#include <math.h>
#include <string.h>

#include "collector/promql/columns.h"
#include "collector/promql/eval.h"

#define MOST 19u

static double pick(struct check_random *r, unsigned odd)
{
    static const double ODD[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 1.7e308, -1.7e308, 5e-324, 1e100, -1e100};
    if (check_random_below(r, 8) < odd)
        return ODD[check_random_below(r, ARRAY_LEN(ODD))];
    return (double)((int64_t)check_random_below(r, 2000) - 1000) / 7;
}

static void sums_are_bit_for_bit_those_of_one_by_one(void **state)
{
    (void)state;
    struct check_random r = check_random_new("sums");
    for (unsigned round = 0; round < 20000; round++) {
        size_t n = check_random_below(&r, MOST + 1);
        double sum[MOST] = {0}, c[MOST] = {0}, x[MOST];
        struct kahan one[MOST] = {0};
        for (unsigned times = 0; times < 5; times++) {
            for (size_t i = 0; i < n; i++) {
                x[i] = pick(&r, round % 3);
                kahan_add(&one[i], x[i]);
            }
            columns_add_kahan(sum, c, x, n);
        }
        for (size_t i = 0; i < MOST; i++) {
            if (!isnan(one[i].sum) || !isnan(sum[i]))
                check_double_bits(sum[i], one[i].sum);
            if (!isnan(one[i].c) || !isnan(c[i]))
                check_double_bits(c[i], one[i].c);
        }
    }
}

static void a_nan_or_a_fall_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (size_t n = 0; n <= MOST; n++) {
        double v[MOST + 1];
        for (size_t i = 0; i <= MOST; i++)
            v[i] = (double)(i / 2); /* equal neighbours are no fall */
        assert_false(column_has_nan(v, n));
        assert_false(column_falls(v, n));
        for (size_t at = 0; at <= MOST; at++) {
            double before = v[at];
            v[at] = NAN;
            assert_int_equal(column_has_nan(v, n), at < n);
            assert_false(column_falls(v, n)); /* nothing is below a NaN */
            v[at] = -1;
            assert_int_equal(column_falls(v, n), at > 0 && at < n);
            v[at] = before;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_bit_for_bit_those_of_one_by_one),
        cmocka_unit_test(a_nan_or_a_fall_is_found_wherever_it_is),
    };
    return cmocka_run_group_tests_name("collector/promql/columns", tests, NULL, NULL);
}
