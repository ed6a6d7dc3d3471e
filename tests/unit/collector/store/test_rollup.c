/* What a bucket comes to, and the bytes that say so. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "collector/store/crc32c.h"
#include "collector/store/little_endian.h"
#include "collector/store/rollup_extent.h"
#include "lib/base/number.h"
#include "lib/metric/sample.h"

#define HOUR ROLLUP_1H_MS

static void buckets_are_open_at_the_left_and_say_what_promql_says(void **state UNUSED)
{
    struct rollup_list l = {0};
    const double nan = f64_from_bits(UINT64_C(0x7ff8000000000007));
    const struct {
        int64_t t_ms;
        double value;
    } samples[] = {{0, 5},           {1, 3},        {1000, 9},       {2000, stale_marker()}, {3000, 4},     {HOUR, 2},
                   {HOUR + 1, -0.0}, {HOUR + 2, 0}, {3 * HOUR, nan}, {4 * HOUR, nan},        {-HOUR * 2, 7}};
    rollup_list_clear(&l);
    for (size_t i = 0; i + 1 < ARRAY_LEN(samples); i++)
        check_ok(rollup_list_add(&l, HOUR, samples[i].t_ms, samples[i].value));
    assert_int_equal(l.n, 5); /* an hour without samples has no bucket */
    assert_int_equal(l.rollups[0].end_ms, 0);
    const struct rollup *b = &l.rollups[1];
    assert_int_equal(b->end_ms, HOUR);
    assert_int_equal(b->first_ms, 1);
    assert_int_equal(b->last_ms, HOUR);
    assert_int_equal(b->count, 4);
    assert_true(b->first == 3 && b->last == 2 && b->min == 2 && b->max == 9 && b->sum == 18);
    assert_true(b->lost == 9 + 4); /* it fell twice: 2 - 3 + 13 is what a counter has grown by */
    b = &l.rollups[2];
    check_double_bits(b->min, 0.0); /* of equal ones the last */
    check_double_bits(b->first, -0.0);
    assert_false(l.integers);
    check_double_bits(l.rollups[3].max, nan);
    rollup_list_clear(&l);
    check_ok(rollup_list_add(&l, HOUR, samples[10].t_ms, samples[10].value));
    assert_int_equal(l.rollups[0].end_ms, -2 * HOUR);
    assert_true(l.integers);
    check_ok(rollup_list_add(&l, HOUR, -HOUR, 9007199254740992.0));
    check_ok(rollup_list_add(&l, HOUR, -HOUR + 1, 1));
    assert_true(l.integers);
    check_ok(rollup_list_add(&l, HOUR, -HOUR + 2, 9007199254740992.0)); /* their sum is above 2^53 */
    assert_false(l.integers);
    check_errno(rollup_list_add(&l, HOUR, INT64_MAX, 1), -ERANGE);
    rollup_list_done(&l);
}

static double odd_value(struct check_random *r)
{
    switch (check_random_below(r, 6)) {
    case 0:
        return f64_from_bits(check_random_u64(r));
    case 1:
        return -0.0;
    case 2:
        return (double)INFINITY;
    default:
        return (double)check_random_below(r, 1000) / (check_random_below(r, 2) ? 10 : 1);
    }
}

static void fill(struct rollup_list *l, struct check_random *r, unsigned ord, int64_t length_ms)
{
    double counter = 0;
    rollup_list_clear(l);
    for (int64_t t_ms = ord % 3; t_ms < 86400000; t_ms += length_ms / 4 + ord % 5 * 1000) {
        counter += (double)check_random_below(r, 9);
        check_ok(rollup_list_add(l, length_ms, t_ms, ord % 4 == 0 ? odd_value(r) : ord % 4 == 1 ? 1 : counter));
    }
}

static void rollups_come_back_bit_by_bit_and_series_of_a_scrape_share_their_times(void **state UNUSED)
{
    static struct rollup_list lists[EXTENT_SERIES_MAX];
    struct rollup_writer *w;
    struct rollup_list back = {0};
    check_ok(rollup_writer_new(&w));
    for (unsigned tier = 0; tier < 2; tier++) {
        struct check_random r = check_random_new("rollups");
        uint32_t group = 7 | (tier ? EXTENT_ROLLUPS_5M : EXTENT_ROLLUPS_1H);
        struct extent x;
        uint8_t *bytes;
        size_t n;
        int64_t min_ms, max_ms;
        rollup_writer_begin(w, group, 3);
        for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
            fill(&lists[ord], &r, ord / 32 * 32 + ord % 4, rollup_length_ms(group));
            check_ok(rollup_writer_add(w, ord, &lists[ord], ord == 5));
        }
        check_ok(rollup_writer_end(w, &bytes, &n, &min_ms, &max_ms));
        check_ok(extent_open(&x, bytes, n));
        assert_true(x.rollups);
        assert_int_equal(x.group, group);
        assert_int_equal(rollup_extents(&x), 3);
        assert_int_equal(x.min_ms, min_ms);
        assert_int_equal(x.max_ms, max_ms);
        for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
            struct rollup_series at;
            assert_true(rollup_find(&x, ord, &at));
            check_ok(rollup_read(&x, &at, &back));
            assert_int_equal(at.beyond, ord == 5);
            assert_int_equal(back.n, lists[ord].n);
            assert_int_equal(back.integers, lists[ord].integers);
            assert_memory_equal(back.rollups, lists[ord].rollups, back.n * sizeof *back.rollups);
        }
        struct rollup_series a, b;
        assert_true(rollup_find(&x, 33, &a) && rollup_find(&x, 33 + 4 * 0, &b));
        assert_int_equal(a.clock, b.clock);
        for (size_t i = 8; i < n; i += 1 + n / 300) { /* damage is found, or does no harm */
            uint8_t was = bytes[i];
            bytes[i] ^= 0x41;
            check_errno(extent_open(&x, bytes, n), -EBADMSG);
            put_le(bytes + 4, crc32c(0, bytes + 8, n - 8), 4);
            if (extent_open(&x, bytes, n) == 0)
                for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++)
                    if (rollup_find(&x, ord, &a))
                        (void)!rollup_read(&x, &a, &back);
            bytes[i] = was;
        }
        free(bytes);
    }
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++)
        rollup_list_done(&lists[ord]);
    rollup_list_done(&back);
    rollup_writer_free(w);
}

/* The page that describes the format has these very bytes. */
static void the_bytes_are_those_of_the_page(void **state UNUSED)
{
    struct rollup_writer *w;
    struct rollup_list l = {0};
    uint8_t *bytes;
    size_t n;
    int64_t min_ms, max_ms;
    check_ok(rollup_writer_new(&w));
    rollup_list_clear(&l);
    check_ok(rollup_list_add(&l, HOUR, 1000, 4));
    check_ok(rollup_list_add(&l, HOUR, 2000, 6));
    rollup_writer_begin(w, 1 | EXTENT_ROLLUPS_1H, 2);
    check_ok(rollup_writer_add(w, 3, &l, false));
    check_ok(rollup_writer_end(w, &bytes, &n, &min_ms, &max_ms));
    const uint8_t want[] = {0x01, 0x00, 0x00, 0x20,             /* group */
                            0x01, 0x00, 0x01, 0x00,             /* a series, a clock */
                            0xe8, 0x03, 0,    0,    0, 0, 0, 0, /* 1000 */
                            0xd0, 0x07, 0,    0,    0, 0, 0, 0, /* 2000 */
                            0x02, 0x00};                        /* of two extents */
    assert_memory_equal(bytes, "CrR1", 4);
    assert_memory_equal(bytes + 8, want, sizeof want);
    assert_int_equal(get_le(bytes + 34, 2), 1);                          /* the clock: one bucket */
    assert_int_equal(bytes[38], 3);                                      /* the series' ord */
    assert_int_equal(bytes[42 + get_le(bytes + 36, 2)], 2 | 4 | 8 | 16); /* flags behind the clock: a counter */
    free(bytes);
    rollup_list_done(&l);
    rollup_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_open_at_the_left_and_say_what_promql_says),
        cmocka_unit_test(rollups_come_back_bit_by_bit_and_series_of_a_scrape_share_their_times),
        cmocka_unit_test(the_bytes_are_those_of_the_page),
    };
    return cmocka_run_group_tests_name("collector/store/rollup", tests, NULL, NULL);
}
