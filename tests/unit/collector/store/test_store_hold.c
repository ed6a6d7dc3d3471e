/* What is sealed waits in memory until a few seals' extents are one; the log has it until then. */
#include "tests/unit/collector/store/store_test.h"

#include "collector/store/store_inside.h"
#include "lib/base/clock.h"

enum { ROUNDS = 20 };

static void seal_held(struct store *s, void *ctx)
{
    (void)ctx;
    check_ok(store_seal_held(s));
}

/* ROUNDS samples each of two series, sealed and held. */
static void hold_some(struct store_fixture *f, int seal)
{
    for (int i = 0; i < ROUNDS; i++) {
        put(f->s, "m", (seal * ROUNDS + i) * 1000, i);
        put(f->s, "n", (seal * ROUNDS + i) * 1000, 0.5);
    }
    check_ok(store_call(f->s, seal_held, NULL));
}

static uint64_t extents(struct store_fixture *f)
{
    return extent_dir_totals(&f->s->extents).extents;
}

static void wait_until_written(struct store_fixture *f)
{
    for (int i = 0; i < 60000 && number_in_file(f, "SELECT count(*) FROM ext") == 0; i++)
        sleep_us(1000);
}

static void a_few_seals_are_written_once_and_the_log_has_them_until_then(void **state)
{
    struct store_fixture *f = *state;
    for (int seal = 0; seal < (int)STORE_HELD_SEALS - 1; seal++) {
        hold_some(f, seal);
        assert_int_equal(extents(f), seal + 1);
        assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 0);
        assert_int_equal(number_in_file(f, "SELECT value FROM meta WHERE key = 'log_trimmed'"), 0);
        assert_int_equal(count_samples(f->s, "m"), (size_t)(seal + 1) * ROUNDS);
    }
    hold_some(f, STORE_HELD_SEALS - 1); /* enough of them: the writer begins */
    wait_until_written(f);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext WHERE level = 1"), 1);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 1);
    assert_true(number_in_file(f, "SELECT value FROM meta WHERE key = 'log_trimmed'") > 0);
    assert_int_equal(count_samples(f->s, "m"), STORE_HELD_SEALS * ROUNDS);
    restart(f);
    assert_int_equal(count_samples(f->s, "m"), STORE_HELD_SEALS * ROUNDS);
    assert_int_equal(count_samples(f->s, "n"), STORE_HELD_SEALS * ROUNDS);
}

static void readers_from_before_the_last_seal_are_waited_for(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd;
    struct sample_columns c;
    sample_columns_init(&c);
    hold_some(f, 0);
    hold_some(f, 1);
    check_ok(store_reader_open(f->s, &rd));
    for (int seal = 2; seal < (int)STORE_HELD_SEALS; seal++)
        hold_some(f, seal);
    for (int i = 0; i < 3; i++) { /* the writer looks after each commit whether it may */
        put(f->s, "other", i, i);
        assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 0);
    }
    read_in(rd, "m", INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 2 * ROUNDS);
    store_reader_close(rd);
    put(f->s, "other", 10, 1);
    wait_until_written(f);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 1);
    assert_int_equal(count_samples(f->s, "m"), STORE_HELD_SEALS * ROUNDS);
    sample_columns_done(&c);
}

static void with_a_reader_that_stays_the_parts_are_written_as_they_are(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd;
    struct sample_columns c;
    sample_columns_init(&c);
    hold_some(f, 0);
    check_ok(store_reader_open(f->s, &rd));
    hold_some(f, 1);
    check_ok(store_seal(f->s)); /* does not wait */
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext WHERE level = 0"), 2);
    read_in(rd, "m", INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, ROUNDS);
    store_reader_close(rd);
    assert_int_equal(count_samples(f->s, "m"), 2 * ROUNDS);
    sample_columns_done(&c);
}

static void a_late_sample_is_compared_with_what_is_held(void **state)
{
    struct store_fixture *f = *state;
    hold_some(f, 0);
    struct write_request *w = request_new();
    request_add(w, "m", 3000, 3); /* the same */
    request_add(w, "m", 4000, 5); /* another value */
    request_add(w, "m", 4500, 5);
    struct store_written written = write_now(f->s, w);
    assert_int_equal(written.samples, 2);
    assert_int_equal(written.refused[STORE_REFUSED_DUPLICATE], 1);
    assert_int_equal(count_samples(f->s, "m"), ROUNDS + 1);
}

static void what_is_deleted_while_it_is_held_stays_so(void **state)
{
    struct store_fixture *f = *state;
    struct matcher m;
    struct parse_error err;
    uint64_t series;
    hold_some(f, 0);
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("__name__"), SPAN("m"), &err));
    const struct store_selection all = {.matchers = &m, .n_matchers = 1, ALL_TIME};
    check_ok(store_delete(f->s, &all, 1, &series));
    matcher_done(&m);
    assert_int_equal(series, 1);
    hold_some(f, 1);
    assert_int_equal(count_samples(f->s, "m"), ROUNDS);
    restart(f);
    assert_int_equal(count_samples(f->s, "m"), ROUNDS);
    assert_int_equal(count_samples(f->s, "n"), 2 * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_few_seals_are_written_once_and_the_log_has_them_until_then, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(readers_from_before_the_last_seal_are_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_a_reader_that_stays_the_parts_are_written_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_sample_is_compared_with_what_is_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_deleted_while_it_is_held_stays_so, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("collector/store hold", tests, NULL, NULL);
}
