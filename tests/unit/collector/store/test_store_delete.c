/* Deleting series: hidden at once and for good, whatever is still in the files; what is written again lives. */
#include "tests/unit/collector/store/store_test.h"

#include <stdatomic.h>
#include <unistd.h>

#include "collector/store/store_inside.h"

static const int64_t DAY = 86400000;
static _Atomic int64_t clock_ms;

static int64_t now(void *ctx)
{
    (void)ctx;
    return atomic_load(&clock_ms);
}

static uint64_t delete_in(struct store *s, const char *name, const char *value, int64_t min_ms, int64_t max_ms)
{
    struct matcher m;
    struct parse_error error;
    uint64_t n = 0;
    check_ok(matcher_init(&m, MATCH_EQUAL, span_str(name), span_str(value), &error));
    struct store_selection selection = {.matchers = &m, .n_matchers = 1, .min_ms = min_ms, .max_ms = max_ms};
    check_ok(store_delete(s, &selection, 1, &n));
    matcher_done(&m);
    return n;
}

static uint64_t delete_metric(struct store *s, const char *name)
{
    return delete_in(s, "__name__", name, INT64_MIN, INT64_MAX);
}

static bool is_listed(struct store *s, const char *text)
{
    struct store_reader *rd;
    check_ok(store_reader_open(s, &rd));
    bool listed = id_of(rd, text) != UINT32_MAX;
    store_reader_close(rd);
    return listed;
}

static void a_deleted_series_is_gone_at_once_and_after_a_restart(void **state)
{
    struct store_fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        put(f->s, "m|job=a", 1000 * i, i);
        put(f->s, "m|job=b", 1000 * i, i);
        if (i == 5)
            check_ok(store_seal(f->s)); /* half of it is sealed, half in the head and the log */
    }
    struct store_reader *before;
    struct sample_columns c;
    sample_columns_init(&c);
    check_ok(store_reader_open(f->s, &before));
    assert_int_equal(delete_in(f->s, "job", "a", INT64_MIN, INT64_MAX), 1);
    assert_false(is_listed(f->s, "m|job=a"));
    for (int round = 0; round < 2; round++) {
        assert_int_equal(count_samples(f->s, "m|job=a"), 0);
        assert_int_equal(count_samples(f->s, "m|job=b"), 10);
        if (round == 0) {
            read_in(before, "m|job=a", INT64_MIN, INT64_MAX, &c);
            assert_int_equal(c.n, 10); /* it was opened before */
            store_reader_close(before);
            restart(f);
        }
    }
    sample_columns_done(&c);
}

static void a_deletion_survives_kill_9(void **state)
{
    struct store_fixture *f = *state;
    char copy[512], from[512], to[512], why[512];
    put(f->s, "m", 1000, 1);
    put(f->s, "n", 1000, 1);
    assert_int_equal(delete_metric(f->s, "m"), 1);
    put(f->s, "m", 2000, 2);
    /* as kill -9 leaves it: the file as it is now, opened in another folder */
    (void)snprintf(copy, sizeof copy, "%s/copy", f->folder);
    (void)snprintf(from, sizeof from, "%s/head.db", f->folder);
    (void)snprintf(to, sizeof to, "%s/copy/head.db", f->folder);
    check_ok(dir_make(copy));
    struct db *db;
    check_ok(db_open(from, &(struct db_options){.read_only = true}, &db, why, sizeof why));
    check_ok(db_backup(db, to));
    db_close(db);
    struct store_config config = f->config;
    config.path = copy;
    struct store *s;
    check_ok(store_open(&config, &s, why, sizeof why));
    const struct sample m[] = {{2000, 0, 2}}, n[] = {{1000, 0, 1}};
    check_samples(s, "m", m, 1);
    check_samples(s, "n", n, 1);
    store_close(s);
}

static void what_is_written_again_lives_at_the_same_times_too(void **state)
{
    struct store_fixture *f = *state;
    for (int i = 0; i < 4; i++)
        put(f->s, "m", 1000 * i, i);
    assert_int_equal(delete_in(f->s, "__name__", "m", 1000, 2000), 1);
    const struct sample left[] = {{0, 0, 0}, {3000, 0, 3}};
    check_samples(f->s, "m", left, 2);
    put(f->s, "m", 1000, 7); /* another value: no duplicate of what is gone */
    const struct sample again[] = {{0, 0, 0}, {1000, 0, 7}, {3000, 0, 3}};
    for (int round = 0; round < 4; round++) {
        check_samples(f->s, "m", again, 3);
        if (round == 0)
            check_ok(store_seal(f->s));
        else if (round == 1)
            restart(f);
        else
            check_ok(store_clean(f->s));
    }
    assert_int_equal(stat_of(f->s, "crest_store_tombstones"), 0);
}

static void cleaning_takes_it_out_of_head_db_and_the_days_files(void **state)
{
    struct store_fixture *f = *state;
    shut(f);
    atomic_store(&clock_ms, 102 * DAY + DAY / 2);
    f->config.now_ms = now;
    open_again(f);
    f->s->part_bytes_min = 1;
    for (int i = 0; i < 30; i++) {
        put(f->s, "m", 100 * DAY + i * (DAY / 10), i);
        put(f->s, "n", 100 * DAY + i * (DAY / 10), -i);
        put(f->s, "first_day|i=1", 100 * DAY + i, i);
    }
    check_ok(store_seal(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 2);
    assert_int_equal(delete_metric(f->s, "m"), 1);
    check_ok(store_clean(f->s));
    assert_int_equal(stat_of(f->s, "crest_store_tombstones"), 0);
    assert_int_equal(stat_of(f->s, "crest_store_purged_extents_total"), 3);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM tombstone"), 0);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 2);
    for (int round = 0; round < 2; round++) { /* no tombstone hides it any more: it is not in the files */
        assert_int_equal(count_samples(f->s, "m"), 0);
        assert_int_equal(count_samples(f->s, "n"), 30);
        assert_int_equal(count_samples(f->s, "first_day|i=1"), 30);
        restart(f);
    }
    assert_int_equal(delete_metric(f->s, "n") + delete_metric(f->s, "first_day"), 2);
    check_ok(store_clean(f->s));
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 0); /* days without anything left have no file */
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 0);
    restart(f);
    assert_int_equal(count_samples(f->s, "n"), 0);
}

static void a_reader_from_before_keeps_what_was_deleted_until_it_is_closed(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd;
    struct sample_columns c;
    sample_columns_init(&c);
    put(f->s, "m", 1000, 1);
    put(f->s, "n", 1000, 1);
    check_ok(store_seal(f->s));
    check_ok(store_reader_open(f->s, &rd));
    assert_int_equal(delete_metric(f->s, "m"), 1);
    check_ok(store_compact(f->s));
    read_in(rd, "m", INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 1);
    assert_int_equal(stat_of(f->s, "crest_store_purged_extents_total"), 0);
    store_reader_close(rd);
    check_ok(store_clean(f->s));
    assert_int_equal(stat_of(f->s, "crest_store_purged_extents_total"), 1);
    assert_int_equal(count_samples(f->s, "n"), 1);
    sample_columns_done(&c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_deleted_series_is_gone_at_once_and_after_a_restart),
        TEST(a_deletion_survives_kill_9),
        TEST(what_is_written_again_lives_at_the_same_times_too),
        TEST(cleaning_takes_it_out_of_head_db_and_the_days_files),
        TEST(a_reader_from_before_keeps_what_was_deleted_until_it_is_closed),
    };
    return cmocka_run_group_tests_name("collector/store deleting", tests, NULL, NULL);
}
