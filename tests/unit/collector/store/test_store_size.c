/* Retention by size, and limits of labels that a configuration tightens. */
#include "tests/unit/collector/store/store_test.h"

#include "collector/store/store_inside.h"
#include "lib/base/clock.h"

static const int64_t DAY = 86400000;

static int64_t now(void *ctx)
{
    (void)ctx;
    return 108 * DAY; /* no week of theirs is over since a week */
}

static void write_days(struct store_fixture *f)
{
    shut(f);
    f->config.now_ms = now;
    open_again(f);
    f->s->part_bytes_min = 1;
    for (int day = 100; day < 106; day++) {
        struct write_request *w = request_new();
        for (int i = 0; i < 500; i++)
            request_add(w, "m", day * DAY + i * 1000, (double)(i * 7919 % 1000) / 7);
        assert_int_equal(write_now(f->s, w).samples, 500);
    }
    check_ok(store_seal(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 6);
}

static void wait_for(struct store_fixture *f, size_t samples)
{
    for (int i = 0; i < 20000 && count_samples(f->s, "m") != samples; i++)
        sleep_us(1000);
    assert_int_equal(count_samples(f->s, "m"), samples);
}

static void the_oldest_days_go_first_when_the_size_is_reached(void **state)
{
    struct store_fixture *f = *state;
    write_days(f);
    uint64_t parts = store_parts_bytes(f->s);
    shut(f);
    f->config.retention_bytes = parts / 2 + 16 * STORE_PAGE_BYTES; /* head.db and three or four days */
    open_again(f);
    for (int i = 0; i < 20000 && count_samples(f->s, "m") > 2000; i++)
        sleep_us(1000);
    struct sample_columns c;
    sample_columns_init(&c);
    read_series(f->s, "m", INT64_MIN, INT64_MAX, &c);
    assert_true(c.n > 0 && c.n <= 2000 && c.n % 500 == 0); /* whole days, the newest ones */
    assert_int_equal(c.t_ms[0], (106 - (int64_t)c.n / 500) * DAY);
    sample_columns_done(&c);
    assert_int_equal(stat_of(f->s, "crest_store_over_size_bytes"), 0);
}

static void pinned_days_stay_above_the_size_and_that_is_told(void **state)
{
    struct store_fixture *f = *state;
    static const char *const PREFIXES[] = {"m", NULL};
    const struct store_pin pin = {100 * DAY, 101 * DAY - 1, PREFIXES};
    write_days(f);
    shut(f);
    f->config.retention_bytes = 1;
    f->config.retention_waits = true;
    open_again(f);
    check_ok(store_set_pins(f->s, &pin, 1));
    wait_for(f, 500);
    for (int i = 0; i < 20000 && stat_of(f->s, "crest_store_over_size_bytes") <= 0; i++)
        sleep_us(1000);
    assert_true(stat_of(f->s, "crest_store_over_size_bytes") > 0);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 1);
}

static void new_series_keep_the_configured_limits_of_labels(void **state)
{
    struct store_fixture *f = *state;
    static const struct {
        const char *series;
        unsigned refused;
    } CASES[] = {
        {"m|a=1", 0}, {"m|a=1|b=2", 1}, {"m|long_name_of_label=1", 1}, {"m|a=1234567890", 1}, {"m|a=12345678", 0}};
    put(f->s, "m|known=before|the=limits", 1, 1);
    shut(f);
    f->config.labels_max = 2;
    f->config.label_name_bytes_max = 8;
    f->config.label_value_bytes_max = 8;
    open_again(f);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct write_request *w = request_new();
        request_add(w, CASES[i].series, 1000, 1);
        assert_int_equal(write_now(f->s, w).refused[STORE_REFUSED_LABELS], CASES[i].refused);
    }
    put(f->s, "m|known=before|the=limits", 2, 1);
    assert_int_equal(stat_of(f->s, "crest_store_refused_samples_total{reason=\"labels\"}"), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_oldest_days_go_first_when_the_size_is_reached),
        TEST(pinned_days_stay_above_the_size_and_that_is_told),
        TEST(new_series_keep_the_configured_limits_of_labels),
    };
    return cmocka_run_group_tests_name("collector/store size", tests, NULL, NULL);
}
