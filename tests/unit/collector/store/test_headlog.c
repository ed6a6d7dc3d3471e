/* A log record gives back its samples, in order, or says that it is damaged. */
#include "tests/support/check.h"

#include <errno.h>

#include "collector/store/headlog.h"

struct item {
    uint32_t id;
    struct sample sample;
};

static void round_trip(struct headlog_writer *w, const struct item *items, size_t n, size_t *ret_bytes)
{
    headlog_begin(w);
    for (size_t i = 0; i < n; i++)
        headlog_add(w, items[i].id, &items[i].sample);
    const uint8_t *bytes;
    size_t n_bytes;
    check_ok(headlog_end(w, &bytes, &n_bytes));
    struct headlog_reader rd;
    check_ok(headlog_open(&rd, bytes, n_bytes));
    for (size_t i = 0; i < n; i++) {
        uint32_t id;
        struct sample s;
        assert_int_equal(headlog_next(&rd, &id, &s), 1);
        assert_int_equal(id, items[i].id);
        assert_int_equal(s.t_ms, items[i].sample.t_ms);
        assert_int_equal(s.start_ms, items[i].sample.start_ms);
        check_double_bits(s.value, items[i].sample.value);
    }
    uint32_t id;
    struct sample s;
    assert_int_equal(headlog_next(&rd, &id, &s), 0);
    *ret_bytes = n_bytes;
}

static void random_items_come_back(void **state)
{
    (void)state;
    struct check_random r = check_random_new("random_items_come_back");
    struct headlog_writer w;
    headlog_init(&w);
    static struct item items[3000];
    for (unsigned round = 0; round < 200 / check_slowness(); round++) {
        size_t n = check_random_below(&r, ARRAY_LEN(items)), bytes;
        uint32_t id = 0;
        int64_t t = (int64_t)check_random_u64(&r) >> check_random_below(&r, 64);
        for (size_t i = 0; i < n; i++) {
            id += (uint32_t)(check_random_below(&r, 4) ? check_random_below(&r, 2) : check_random_u64(&r));
            t = (int64_t)((uint64_t)t + (check_random_below(&r, 3) ? 1000 : check_random_u64(&r)));
            uint64_t pick = check_random_below(&r, 8);
            double v = pick == 0   ? f64_from_bits(check_random_u64(&r))
                       : pick == 1 ? -0.0
                       : pick == 2 ? stale_marker()
                       : pick == 3 ? 0x1p53
                       : pick == 4 ? -0x1p53 + 1
                                   : (double)check_random_below(&r, 1000) - 500;
            items[i] = (struct item){id, {.t_ms = t, .value = v}};
            items[i].sample.start_ms = check_random_below(&r, 10) ? 0 : (int64_t)check_random_u64(&r);
        }
        round_trip(&w, items, n, &bytes);
    }
    headlog_done(&w);
}

static void a_scrape_takes_few_bytes_per_sample(void **state)
{
    (void)state;
    struct headlog_writer w;
    headlog_init(&w);
    static struct item items[2000];
    for (uint32_t i = 0; i < 2000; i++)
        items[i] = (struct item){i, {.t_ms = 1700000000123, .value = i % 3 ? 123456 + i : 1}};
    size_t bytes;
    round_trip(&w, items, 2000, &bytes);
    assert_in_range(bytes, 2000, 2000 * 4);
    headlog_done(&w);
}

static void a_damaged_record_is_refused(void **state)
{
    (void)state;
    struct headlog_writer w;
    headlog_init(&w);
    headlog_begin(&w);
    for (uint32_t i = 0; i < 50; i++)
        headlog_add(&w, i * 3, &(struct sample){.t_ms = i, .value = 0.1 * i});
    const uint8_t *bytes;
    size_t n;
    check_ok(headlog_end(&w, &bytes, &n));
    uint8_t copy[1024];
    assert_true(n <= sizeof copy);
    struct headlog_reader rd;
    for (size_t i = 0; i < n; i++) {
        memcpy(copy, bytes, n);
        copy[i] ^= 1;
        check_errno(headlog_open(&rd, copy, n), -EBADMSG);
        check_errno(headlog_open(&rd, bytes, i), -EBADMSG);
    }
    headlog_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_items_come_back),
        cmocka_unit_test(a_scrape_takes_few_bytes_per_sample),
        cmocka_unit_test(a_damaged_record_is_refused),
    };
    return cmocka_run_group_tests_name("collector/store/headlog", tests, NULL, NULL);
}
