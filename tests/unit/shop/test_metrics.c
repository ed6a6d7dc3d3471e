/* What the shop counts of durations. */
#include "shop/metrics.h"
#include "tests/support/check.h"

static void payments_of_a_slow_gateway_are_told_apart(void **state UNUSED)
{
    /* each in a bucket of its own: else a p95 of 3 s is guessed to be near 5 s */
    static const int64_t US[] = {800, 2000, 4000, 1200000, 1800000, 2300000, 2900000, 3070000, 4500000};
    struct duration d = {0};
    for (size_t i = 0; i < ARRAY_LEN(US); i++)
        duration_record(&d, US[i]);
    for (size_t i = 0; i <= DURATION_BOUNDS; i++)
        assert_true(atomic_load(&d.counts[i]) <= 1);
    assert_int_equal(atomic_load(&d.counts[DURATION_BOUNDS]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(payments_of_a_slow_gateway_are_told_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
