/* A log record gives back its samples, in order, or says that it is damaged. */
#include "tests/support/check.h"

#include <errno.h>

#include "collector/store/headlog.h"

struct item {
    uint32_t id;
    struct sample sample;
};

/* One log: who writes and who reads it keep bases of their own. */
struct log {
    struct headlog_writer w;
    struct headlog_reader rd;
    struct headlog_bases written, read;
};

static void log_open(struct log *log)
{
    check_ok(headlog_init(&log->w));
    check_ok(headlog_reader_init(&log->rd));
    headlog_bases_init(&log->written);
    headlog_bases_init(&log->read);
}

static void log_close(struct log *log)
{
    headlog_done(&log->w);
    headlog_reader_done(&log->rd);
    headlog_bases_done(&log->written);
    headlog_bases_done(&log->read);
}

static void put(struct log *log, const struct item *items, size_t n, const uint8_t **ret, size_t *ret_bytes)
{
    headlog_begin(&log->w, &log->written);
    for (size_t i = 0; i < n; i++)
        headlog_add(&log->w, &log->written, items[i].id, &items[i].sample);
    check_ok(headlog_end(&log->w, ret, ret_bytes));
}

static size_t round_trip(struct log *log, const struct item *items, size_t n)
{
    const uint8_t *bytes;
    size_t n_bytes;
    uint32_t id;
    struct sample s;
    put(log, items, n, &bytes, &n_bytes);
    check_ok(headlog_open(&log->rd, &log->read, bytes, n_bytes));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(headlog_next(&log->rd, &log->read, &id, &s), 1);
        assert_int_equal(id, items[i].id);
        assert_int_equal(s.t_ms, items[i].sample.t_ms);
        assert_int_equal(s.start_ms, items[i].sample.start_ms);
        check_double_bits(s.value, items[i].sample.value);
    }
    assert_int_equal(headlog_next(&log->rd, &log->read, &id, &s), 0);
    return n_bytes;
}

static void random_items_come_back(void **state)
{
    (void)state;
    struct check_random r = check_random_new("random_items_come_back");
    struct log log;
    log_open(&log);
    static struct item items[3000];
    for (unsigned round = 0; round < 200 / check_slowness(); round++) {
        size_t n = check_random_below(&r, ARRAY_LEN(items));
        uint32_t id = 0;
        int64_t t = (int64_t)check_random_u64(&r) >> check_random_below(&r, 64);
        for (size_t i = 0; i < n; i++) {
            id += (uint32_t)(check_random_below(&r, 4) ? check_random_below(&r, 2) : check_random_u64(&r));
            id %= 20000; /* so that they come again */
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
        round_trip(&log, items, n);
        if (check_random_below(&r, 10) == 0) { /* trimmed */
            headlog_bases_forget(&log.written);
            headlog_bases_forget(&log.read);
        }
    }
    log_close(&log);
}

static void a_scrape_takes_few_bytes_per_sample(void **state)
{
    (void)state;
    struct check_random r = {7};
    struct log log;
    log_open(&log);
    static struct item items[2000];
    for (uint32_t i = 0; i < 2000; i++)
        items[i] = (struct item){
            i, {.t_ms = 1700000000123, .value = i % 3 ? 1e9 + (double)check_random_below(&r, 1000000) : 1}};
    assert_in_range(round_trip(&log, items, 2000), 2000, 2000 * 4);
    size_t bytes = 0;
    for (unsigned round = 0; round < 3; round++) { /* after the first one it is known how large differences are */
        for (uint32_t i = 0; i < 2000; i++) {
            items[i].sample.t_ms += 1000;
            items[i].sample.value += i % 3 ? (double)check_random_below(&r, 50) : 0;
        }
        bytes = round_trip(&log, items, 2000);
    }
    assert_in_range(bytes, 2000 * 2 / 3 * 5 / 8, 1500); /* differences of 5 bits, and 2,000 times nearly the same */
    log_close(&log);
}

/* Two series, 200 times; a record is damaged. Those behind it that cannot be read. */
static uint64_t lost_behind(int damaged)
{
    struct log log;
    log_open(&log);
    struct item items[2] = {{3, {.t_ms = 0, .value = 100}}, {4, {.t_ms = 0, .value = 0.5}}};
    uint64_t lost = 0, kept = 0;
    for (int round = 0; round < 200; round++) {
        const uint8_t *bytes;
        size_t n;
        uint32_t id;
        struct sample s;
        int r;
        items[0].sample.value += 1;
        items[0].sample.t_ms = items[1].sample.t_ms = 1000 * round;
        put(&log, items, 2, &bytes, &n);
        if (round == damaged) {
            headlog_bases_lose(&log.read);
            continue;
        }
        check_ok(headlog_open(&log.rd, &log.read, bytes, n));
        while ((r = headlog_next(&log.rd, &log.read, &id, &s)) > 0) {
            lost += r == 2;
            kept += r == 1;
            if (r == 1)
                check_double_bits(s.value, id == 3 ? items[0].sample.value : 0.5);
        }
        assert_int_equal(r, 0);
    }
    assert_int_equal(lost + kept, 2 * 199);
    log_close(&log);
    return lost;
}

static void a_lost_record_costs_some_samples_behind_it_and_never_a_wrong_one(void **state)
{
    (void)state;
    assert_in_range(lost_behind(20), 1, 2 * HEADLOG_STEPS);
    for (int damaged = 0; damaged < 2; damaged++) /* had the widths */
        assert_in_range(lost_behind(damaged), 1, 2 * HEADLOG_STEPS);
    assert_int_equal(lost_behind(199), 0);
}

static void a_damaged_record_is_refused(void **state)
{
    (void)state;
    struct log log;
    log_open(&log);
    for (uint32_t count = 10; count <= 100; count += 90) { /* as it is, and compressed */
        struct item items[100];
        const uint8_t *bytes;
        size_t n;
        uint8_t copy[2048];
        for (uint32_t i = 0; i < count; i++)
            items[i] = (struct item){i * 3, {.t_ms = i, .value = 0.1 * i}};
        put(&log, items, count, &bytes, &n);
        assert_true(n <= sizeof copy);
        for (size_t i = 0; i < n; i++) {
            memcpy(copy, bytes, n);
            copy[i] ^= 1;
            check_errno(headlog_open(&log.rd, &log.read, copy, n), -EBADMSG);
            check_errno(headlog_open(&log.rd, &log.read, bytes, i), -EBADMSG);
        }
    }
    log_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_items_come_back),
        cmocka_unit_test(a_scrape_takes_few_bytes_per_sample),
        cmocka_unit_test(a_lost_record_costs_some_samples_behind_it_and_never_a_wrong_one),
        cmocka_unit_test(a_damaged_record_is_refused),
    };
    return cmocka_run_group_tests_name("collector/store/headlog", tests, NULL, NULL);
}
