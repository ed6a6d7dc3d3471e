/* What is on disk: rows of series, merged extents, days in files of their own, and what damage and cut-off moves cost. */
#include "tests/unit/collector/store/store_test.h"

#include <stdatomic.h>

#include "collector/store/store_inside.h"
#include "lib/base/clock.h"

static void a_damaged_extent_is_skipped_and_counted_and_the_rest_serves(void **state)
{
    struct store_fixture *f = *state;
    const int64_t day_ms = 86400000;
    for (int i = 0; i < 3; i++) {
        put(f->s, "m", day_ms * i, i); /* days are not merged */
        check_ok(store_seal(f->s));
    }
    edit_file(f, "UPDATE ext SET data = CAST(substr(data, 1, 50) || x'ee' || substr(data, 52) AS BLOB) WHERE id = 2");
    for (int round = 0; round < 2; round++) {
        const struct sample want[] = {{0, 0, 0}, {2 * day_ms, 0, 2}};
        check_samples(f->s, "m", want, 2);
        assert_int_equal(stat_of(f->s, "crest_store_damaged_extents"), 1);
    }
    put(f->s, "m", day_ms, 1); /* cannot be compared with what is lost: kept */
    assert_int_equal(count_samples(f->s, "m"), 3);
}

static void a_damaged_log_record_costs_its_own_samples_and_some_behind_it(void **state)
{
    struct store_fixture *f = *state;
    char copy[512], file[512], why[512];
    enum { PUT = 150 };
    for (int i = 0; i < PUT; i++)
        put(f->s, "m", 1000 * i, i);
    /* as kill -9 leaves it: the file as it is now, opened in another folder */
    (void)snprintf(copy, sizeof copy, "%s/copy", f->folder);
    (void)snprintf(file, sizeof file, "%s/copy/head.db", f->folder);
    check_ok(dir_make(copy));
    struct db *db;
    char from[512];
    (void)snprintf(from, sizeof from, "%s/head.db", f->folder);
    check_ok(db_open(from, &(struct db_options){.read_only = true}, &db, why, sizeof why));
    check_ok(db_backup(db, file));
    db_close(db);
    check_ok(db_open(file, &(struct db_options){.sync = DB_SYNC_NORMAL}, &db, why, sizeof why));
    check_ok(db_exec(
        db, "UPDATE headlog SET data = CAST(substr(data, 1, 24) || x'ee' || substr(data, 26) AS BLOB) WHERE slot = 1"));
    db_close(db);
    struct store_config config = f->config;
    config.path = copy;
    struct store *s;
    check_ok(store_open(&config, &s, why, sizeof why));
    struct sample_columns c;
    sample_columns_init(&c);
    read_series(s, "m", INT64_MIN, INT64_MAX, &c);
    double lost = stat_of(s, "crest_store_damaged_log_samples_total");
    assert_in_range((int)lost, 1, HEADLOG_STEPS); /* told by their difference to it */
    assert_int_equal(c.n, PUT - 1 - (size_t)lost);
    for (size_t i = 0; i < c.n; i++)
        assert_true(c.value[i] * 1000 == (double)c.t_ms[i]);
    sample_columns_done(&c);
    assert_int_equal(stat_of(s, "crest_store_damaged_log_records_total"), 1);
    store_close(s);
}

static void series_that_came_one_by_one_end_up_in_common_rows(void **state)
{
    struct store_fixture *f = *state;
    char text[64];
    for (int i = 0; i < 1200; i++) { /* two whole blocks of 512 and a part */
        (void)snprintf(text, sizeof text, "m|i=%d", i);
        put(f->s, text, 1000, i);
    }
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM series"), 1200);
    check_ok(store_seal(f->s));
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM series"), 2 + 1200 - 1024);
    restart(f);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM series"), 3);
    put(f->s, "m|i=1200", 1000, 1200); /* joins the last block */
    restart(f);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM series"), 3);
    assert_int_equal(store_series_count(f->s), 1201);
    for (int i = 0; i <= 1200; i += 75) {
        (void)snprintf(text, sizeof text, "m|i=%d", i);
        assert_int_equal(count_samples(f->s, text), 1);
    }
}

static void a_damaged_row_of_series_costs_its_own_and_their_ids_stay_taken(void **state)
{
    struct store_fixture *f = *state;
    char text[64];
    for (int i = 0; i < 600; i++) {
        (void)snprintf(text, sizeof text, "m|i=%d", i);
        put(f->s, text, 1000, i);
    }
    restart(f);
    edit_file(
        f,
        "UPDATE series SET labels = CAST(substr(labels, 1, 50) || x'ee' || substr(labels, 52) AS BLOB) WHERE id = 512");
    for (int round = 0; round < 3; round++) {
        assert_int_equal(stat_of(f->s, "crest_store_damaged_series_rows_total"), 1);
        assert_int_equal(store_series_count(f->s), 512 + (uint64_t)round);
        assert_int_equal(count_samples(f->s, "m|i=511"), 1);
        assert_int_equal(count_samples(f->s, "m|i=512"), 0);
        (void)snprintf(text, sizeof text, "new|i=%d", round); /* must not find what lies under a damaged name */
        put(f->s, text, 2000, 1);
        assert_int_equal(count_samples(f->s, text), 1);
        restart(f);
    }
}

static void small_extents_become_one_and_nothing_changes(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *listed, *before;
    struct sample_columns c;
    sample_columns_init(&c);
    for (int i = 0; i < 16; i++) {
        put(f->s, "m", 1000 * i, i);
        put(f->s, "n", 5000 + 1000 * i + 500 - i % 3 * 1500, i); /* some late, one series at times of its own */
        if (i == 7)
            check_ok(store_reader_open(f->s, &before)); /* has some of the parts and not the others */
        check_ok(store_seal(f->s));
    }
    for (int i = 0; i < 2; i++) { /* the open reader keeps its parts apart, as often as it is tried */
        check_ok(store_compact(f->s));
        assert_in_range(number_in_file(f, "SELECT count(*) FROM ext"), 9, 16);
    }
    read_in(before, "m", INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 8);
    store_reader_close(before);
    check_ok(store_reader_open(f->s, &listed)); /* knows the parts, has read one of them */
    read_in(listed, "m", 0, 0, &c);
    assert_int_equal(c.n, 1);
    check_ok(store_compact(f->s));
    assert_in_range(number_in_file(f, "SELECT count(*) FROM ext"), 1, 3); /* the thread merges, too */
    for (int round = 0; round < 2; round++) {
        read_in(listed, "m", INT64_MIN, INT64_MAX, &c);
        assert_int_equal(c.n, 16);
        for (int i = 0; i < 16; i++) {
            assert_int_equal(c.t_ms[i], 1000 * i);
            assert_true(c.value[i] == i);
        }
        read_in(listed, "n", INT64_MIN, INT64_MAX, &c);
        assert_int_equal(c.n, 16);
        store_reader_close(listed);
        restart(f);
        check_ok(store_reader_open(f->s, &listed));
    }
    store_reader_close(listed);
    sample_columns_done(&c);
}

/* ---- days in files of their own ---- */
static const int64_t DAY = 86400000;
static _Atomic int64_t day_clock;

static int64_t day_now(void *ctx)
{
    (void)ctx;
    return atomic_load(&day_clock);
}

static void open_days(struct store_fixture *f)
{
    open_again(f);
    f->s->part_bytes_min = 1;
}

/* Three days of a series, the last of which is not over. */
static void write_days(struct store_fixture *f)
{
    shut(f);
    atomic_store(&day_clock, 102 * DAY + DAY / 2);
    f->config.now_ms = day_now;
    open_days(f);
    for (int i = 0; i < 30; i++) {
        put(f->s, "m", 100 * DAY + i * (DAY / 10), i);
        put(f->s, "n", 100 * DAY + i * (DAY / 10), -i);
    }
    check_ok(store_seal(f->s));
    check_ok(store_compact(f->s));
}

static void check_days(struct store_fixture *f, int first, const char *when)
{
    struct sample_columns c;
    sample_columns_init(&c);
    for (int k = 0; k < 2; k++) {
        read_series(f->s, k ? "n" : "m", INT64_MIN, INT64_MAX, &c);
        if (c.n != (size_t)(30 - first))
            check_failed("%s: %zu samples instead of %d", when, c.n, 30 - first);
        for (size_t i = 0; i < c.n; i++)
            assert_true(c.value[i] == (k ? -1 : 1) * ((double)first + (double)i));
    }
    sample_columns_done(&c);
}

static size_t day_files(struct store_fixture *f)
{
    char pattern[512];
    struct file_list files;
    (void)snprintf(pattern, sizeof pattern, "%s/day-*", f->folder);
    check_ok(file_glob(pattern, &files));
    size_t n = files.n;
    file_list_done(&files);
    return n;
}

static void days_that_are_over_move_into_files_and_leave_with_the_retention(void **state)
{
    struct store_fixture *f = *state;
    write_days(f);
    check_days(f, 0, "moved");
    assert_int_equal(day_files(f), 2);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 1);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 2);
    shut(f);
    open_days(f);
    check_days(f, 0, "opened again");
    put(f->s, "m", 100 * DAY, 0); /* equal: silent, and nothing is kept */
    check_days(f, 0, "written again");
    shut(f);
    f->config.retention_ms = 3 * DAY;
    atomic_store(&day_clock, 104 * DAY + 1);
    open_days(f);
    for (int i = 0; i < 5000 && day_files(f) > 1; i++)
        sleep_us(1000);
    assert_int_equal(day_files(f), 1);
    check_days(f, 10, "a day is dropped");
    shut(f);
    open_days(f);
    check_days(f, 10, "and stays dropped");
    check_ok(store_compact(f->s)); /* the third day is over by now */
    assert_int_equal(day_files(f), 2);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 0);
    check_days(f, 10, "all in files");
}

static void late_data_join_a_days_file_under_the_eyes_of_a_reader(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd;
    struct sample_columns c;
    sample_columns_init(&c);
    write_days(f);
    check_ok(store_reader_open(f->s, &rd));
    read_in(rd, "m", 101 * DAY, 102 * DAY - 1, &c); /* knows the list, has read one of the files */
    assert_int_equal(c.n, 10);
    for (int i = 0; i < 200; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "late|i=%d", i);
        put(f->s, text, 100 * DAY + i, i);
    }
    check_ok(store_seal(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(day_files(f), 2);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 2);
    read_in(rd, "m", INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 30);
    read_in(rd, "late|i=7", INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 0); /* the reader is older than it */
    store_reader_close(rd);
    for (int round = 0; round < 2; round++) {
        check_days(f, 0, "with late data");
        assert_int_equal(count_samples(f->s, "late|i=199"), 1);
        shut(f);
        open_days(f);
    }
    sample_columns_done(&c);
}

static void a_move_that_was_cut_off_anywhere_loses_and_doubles_nothing(void **state)
{
    struct store_fixture *f = *state;
    char path[512], sql[1024];
    write_days(f);
    (void)snprintf(path, sizeof path, "%s/day-1970-04-11-77.db", f->folder);
    check_ok(file_write(path, "half of it", 10)); /* before head.db knew of it */
    (void)snprintf(sql, sizeof sql,
                   "ATTACH '%s/day-1970-04-11-1.db' AS day; INSERT INTO ext SELECT * FROM day.ext; DETACH day",
                   f->folder);
    edit_file(f, sql); /* after head.db knew, before its rows were dropped */
    assert_int_equal(day_files(f), 2);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 1);
    check_days(f, 0, "after the cut");
}

static void a_damaged_day_is_left_out_and_the_rest_serves(void **state)
{
    struct store_fixture *f = *state;
    char path[512];
    write_days(f);
    shut(f);
    (void)snprintf(path, sizeof path, "%s/day-1970-04-11-1.db", f->folder);
    check_ok(
        file_write(path, "this is no database, but long enough to be looked at: 0123456789012345678901234567890", 85));
    open_days(f);
    check_days(f, 10, "damaged");
    assert_int_equal(stat_of(f->s, "crest_store_damaged_parts_total"), 1);
    assert_int_equal(access(path, F_OK), 0); /* for whoever repairs it */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_damaged_extent_is_skipped_and_counted_and_the_rest_serves),
        TEST(series_that_came_one_by_one_end_up_in_common_rows),
        TEST(a_damaged_row_of_series_costs_its_own_and_their_ids_stay_taken),
        TEST(small_extents_become_one_and_nothing_changes),
        TEST(days_that_are_over_move_into_files_and_leave_with_the_retention),
        TEST(late_data_join_a_days_file_under_the_eyes_of_a_reader),
        TEST(a_move_that_was_cut_off_anywhere_loses_and_doubles_nothing),
        TEST(a_damaged_day_is_left_out_and_the_rest_serves),
        TEST(a_damaged_log_record_costs_its_own_samples_and_some_behind_it),
    };
    return cmocka_run_group_tests_name("collector/store files", tests, NULL, NULL);
}
