#include "tests/support/check.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>

#include "lib/metric/hdr.h"

#define HOUR_US INT64_C(3600000000)

static struct hdr *made(int64_t highest, int digits)
{
    struct hdr *h = NULL;
    check_ok(hdr_new(highest, digits, &h));
    return h;
}

/* Log-uniform over the whole range: as many small values as large ones. */
static int64_t random_value(struct check_random *r, int64_t highest)
{
    int64_t v = (int64_t)(check_random_u64(r) >> (1 + check_random_below(r, 62)));
    return v > highest ? highest : v;
}

static void refuses_layouts_that_make_no_sense(void **state)
{
    (void)state;
    struct hdr *h = NULL;
    check_errno(hdr_new(1, 3, &h), -EINVAL);
    check_errno(hdr_new(-5, 3, &h), -EINVAL);
    check_errno(hdr_new(1000, 0, &h), -EINVAL);
    check_errno(hdr_new(1000, 6, &h), -EINVAL);
    assert_null(h);
    h = made(2, 1);
    hdr_free(h);
    hdr_free(NULL);
}

static void an_empty_one_answers_zero(void **state)
{
    (void)state;
    struct hdr *h = made(HOUR_US, 3);
    assert_int_equal(hdr_count(h), 0);
    assert_int_equal(hdr_clamped(h), 0);
    assert_int_equal(hdr_min(h), 0);
    assert_int_equal(hdr_max(h), 0);
    check_double_bits(hdr_mean(h), 0);
    assert_int_equal(hdr_percentile(h, 99), 0);
    assert_int_equal(hdr_count_at_or_below(h, 1000), 0);
    size_t at = 0;
    int64_t value;
    uint64_t count;
    assert_false(hdr_next(h, &at, &value, &count));
    hdr_free(h);
}

/* A value comes back with its digits: the bucket's highest is the value or less than value / 10^digits above it. The
 * second, highest record keeps the answer from being cut to the maximum. */
static void every_value_keeps_its_digits(void **state)
{
    (void)state;
    struct check_random r = check_random_new("digits");
    for (int digits = 1; digits <= 5; digits++) {
        for (int big = 0; big < 2; big++) {
            int64_t highest = big ? INT64_MAX : HOUR_US;
            double parts = pow(10, digits);
            struct hdr *h = made(highest, digits);
            unsigned rounds = 400 / check_slowness() + 200;
            for (unsigned i = 0; i < rounds; i++) {
                /* powers of two and their neighbours, where buckets change width, then any value */
                int64_t v = i < 189 ? (INT64_C(1) << (i / 3)) + (int64_t)(i % 3) - 1 : random_value(&r, highest);
                if (v < 0 || v >= highest || (double)(highest - v) <= (double)v / parts)
                    continue; /* the second record would be in the same bucket */
                hdr_record(h, v);
                hdr_record(h, highest);
                int64_t got = hdr_percentile(h, 50);
                if (got < v || (double)(got - v) > (double)v / parts)
                    check_failed("%lld with %d digits came back as %lld", (long long)v, digits, (long long)got);
                if ((double)v <= parts)
                    assert_int_equal(got, v);
                assert_int_equal(hdr_count_at_or_below(h, v), 1);
                assert_int_equal(hdr_count_at_or_below(h, got), 1);
                size_t at = 0;
                int64_t walked;
                uint64_t count;
                assert_true(hdr_next(h, &at, &walked, &count));
                assert_int_equal(walked, got);
                assert_int_equal(count, 1);
                hdr_reset(h);
                assert_int_equal(hdr_count(h), 0);
            }
            hdr_free(h);
        }
    }
}

static void small_numbers_are_exact(void **state)
{
    (void)state;
    struct hdr *h = made(HOUR_US, 3);
    for (int64_t v = 0; v < 2048; v++)
        hdr_record(h, v);
    size_t at = 0;
    int64_t value;
    uint64_t count;
    for (int64_t v = 0; v < 2048; v++) {
        assert_true(hdr_next(h, &at, &value, &count));
        assert_int_equal(value, v);
        assert_int_equal(count, 1);
    }
    assert_false(hdr_next(h, &at, &value, &count));
    assert_false(hdr_next(h, &at, &value, &count));
    hdr_free(h);
}

static void ranks_are_the_nearest_ones(void **state)
{
    (void)state;
    struct hdr *h = made(HOUR_US, 4);
    for (int64_t v = 1; v <= 1000; v++)
        hdr_record(h, v);
    static const struct {
        double percentile;
        int64_t want;
    } cases[] = {{0, 1},        {0.1, 1},    {0.11, 2},   {50, 500}, {50.01, 501},  {90, 900},   {99, 990}, {99.9, 999},
                 {99.91, 1000}, {100, 1000}, {120, 1000}, {-5, 1},   {99.99, 1000}, {57.1, 571}, {29, 290}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (hdr_percentile(h, cases[i].percentile) != cases[i].want)
            check_failed("p%g is %lld", cases[i].percentile, (long long)hdr_percentile(h, cases[i].percentile));
    assert_int_equal(hdr_percentile(h, NAN), 1);
    hdr_free(h);
}

static void too_large_is_clamped_and_counted(void **state)
{
    (void)state;
    struct hdr *h = made(1000000, 3);
    hdr_record(h, 1000000);
    assert_int_equal(hdr_clamped(h), 0);
    hdr_record(h, 1000001);
    hdr_record_n(h, INT64_MAX, 3);
    hdr_record_n(h, INT64_MAX, 0);
    hdr_record(h, -7);
    hdr_record(h, INT64_MIN);
    assert_int_equal(hdr_clamped(h), 4);
    assert_int_equal(hdr_count(h), 7);
    assert_int_equal(hdr_min(h), 0);
    assert_int_equal(hdr_max(h), 1000000);
    assert_int_equal(hdr_percentile(h, 100), 1000000);
    assert_int_equal(hdr_count_at_or_below(h, 0), 2);
    assert_int_equal(hdr_count_at_or_below(h, -1), 0);
    assert_int_equal(hdr_count_at_or_below(h, INT64_MAX), 7);
    check_double_bits(hdr_mean(h), 5000000.0 / 7);
    hdr_free(h);
}

static void maximum_and_minimum_are_exact_and_bound_every_answer(void **state)
{
    (void)state;
    struct hdr *h = made(HOUR_US, 3);
    hdr_record(h, 1234567);
    hdr_record(h, 9876543);
    assert_int_equal(hdr_min(h), 1234567);
    assert_int_equal(hdr_max(h), 9876543);
    assert_int_equal(hdr_percentile(h, 100), 9876543);
    assert_true(hdr_percentile(h, 50) >= 1234567);
    check_double_bits(hdr_mean(h), 5555555);
    size_t at = 0;
    int64_t value;
    uint64_t count;
    while (hdr_next(h, &at, &value, &count))
        assert_true(value <= 9876543);
    hdr_free(h);
}

static int compare_values(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Against all values, sorted: percentiles, counts below, mean. Two halves merged are the same as one. */
static void answers_agree_with_a_sorted_array(void **state)
{
    (void)state;
    struct check_random r = check_random_new("sorted");
    size_t n = 200000 / check_slowness();
    AUTO_FREE int64_t *all = malloc(n * sizeof *all);
    assert_non_null(all);
    struct hdr *h = made(HOUR_US, 3), *half[2] = {made(HOUR_US, 3), made(HOUR_US, 3)};
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        all[i] = random_value(&r, HOUR_US);
        sum += (double)all[i];
        hdr_record(h, all[i]);
        hdr_record(half[check_random_below(&r, 2)], all[i]);
    }
    qsort(all, n, sizeof *all, compare_values);
    check_ok(hdr_merge(half[0], half[1]));
    for (int k = 0; k < 2; k++) {
        const struct hdr *which = k ? half[0] : h;
        assert_int_equal(hdr_count(which), n);
        assert_int_equal(hdr_min(which), all[0]);
        assert_int_equal(hdr_max(which), all[n - 1]);
        assert_true(fabs(hdr_mean(which) - sum / (double)n) <= 1e-9 * sum / (double)n);
        for (size_t rank = 1; rank <= n; rank += 1 + n / 997) {
            double percentile = 100.0 * ((double)rank - 0.5) / (double)n; /* between two ranks: no doubt which */
            int64_t got = hdr_percentile(which, percentile), want = all[rank - 1];
            if (got < want || (double)(got - want) > (double)want / 1000)
                check_failed("rank %zu of %zu is %lld, hdr says %lld", rank, n, (long long)want, (long long)got);
            uint64_t below = hdr_count_at_or_below(which, got);
            assert_true(below >= rank);
            assert_true(below == n || all[below] > got);
        }
    }
    hdr_free(h);
    hdr_free(half[0]);
    hdr_free(half[1]);
}

static void merging_adds_and_needs_the_same_layout(void **state)
{
    (void)state;
    struct hdr *a = made(HOUR_US, 3), *b = made(HOUR_US, 3), *other = made(HOUR_US, 2), *lower = made(HOUR_US - 1, 3);
    hdr_record_n(a, 100, 5);
    hdr_record_n(b, HOUR_US + 1, 2);
    hdr_record(b, 7);
    check_ok(hdr_merge(a, b));
    assert_int_equal(hdr_count(a), 8);
    assert_int_equal(hdr_clamped(a), 2);
    assert_int_equal(hdr_min(a), 7);
    assert_int_equal(hdr_max(a), HOUR_US);
    assert_int_equal(hdr_count(b), 3);
    check_errno(hdr_merge(a, other), -EINVAL);
    check_errno(hdr_merge(a, lower), -EINVAL);
    assert_int_equal(hdr_count(a), 8);
    hdr_reset(b);
    check_ok(hdr_merge(a, b)); /* an empty one changes nothing, its minimum of 0 neither */
    assert_int_equal(hdr_min(a), 7);
    check_ok(hdr_merge(b, a)); /* into an empty one: a copy */
    assert_int_equal(hdr_min(b), 7);
    assert_int_equal(hdr_count(b), 8);
    hdr_free(a);
    hdr_free(b);
    hdr_free(other);
    hdr_free(lower);
}

static void ten_million_records_take_no_more_memory_than_none(void **state)
{
    (void)state;
    struct check_random r = check_random_new("flat");
    struct hdr *h = made(HOUR_US, 3);
    size_t bytes = hdr_memory_bytes(h), heap = mallinfo2().uordblks;
    assert_true(bytes < 200000); /* what the load generator keeps per step and thread */
    uint64_t n = 4000000 / check_slowness();
    for (uint64_t i = 0; i < n; i++)
        hdr_record(h, random_value(&r, 2 * HOUR_US));
    assert_int_equal(hdr_count(h), n);
    assert_int_equal(hdr_memory_bytes(h), bytes);
    assert_int_equal(mallinfo2().uordblks, heap);
    uint64_t walked = 0, count;
    int64_t value, last = -1;
    for (size_t at = 0; hdr_next(h, &at, &value, &count); walked += count) {
        assert_true(value > last);
        last = value;
    }
    assert_int_equal(walked, n);
    hdr_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_layouts_that_make_no_sense),
        cmocka_unit_test(an_empty_one_answers_zero),
        cmocka_unit_test(every_value_keeps_its_digits),
        cmocka_unit_test(small_numbers_are_exact),
        cmocka_unit_test(ranks_are_the_nearest_ones),
        cmocka_unit_test(too_large_is_clamped_and_counted),
        cmocka_unit_test(maximum_and_minimum_are_exact_and_bound_every_answer),
        cmocka_unit_test(answers_agree_with_a_sorted_array),
        cmocka_unit_test(merging_adds_and_needs_the_same_layout),
        cmocka_unit_test(ten_million_records_take_no_more_memory_than_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
