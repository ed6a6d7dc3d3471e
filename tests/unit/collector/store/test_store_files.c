/* What is on disk: rows of series, merged extents, days in files of their own, and what damage and cut-off moves cost. */
#include "tests/unit/collector/store/store_test.h"

#include <math.h>

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

static size_t files_of(struct store_fixture *f, const char *names)
{
    char pattern[512];
    struct file_list files;
    (void)snprintf(pattern, sizeof pattern, "%s/%s", f->folder, names);
    check_ok(file_glob(pattern, &files));
    size_t n = files.n;
    file_list_done(&files);
    return n;
}

static size_t day_files(struct store_fixture *f)
{
    return files_of(f, "day-*");
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
    (void)snprintf(
        sql, sizeof sql,
        "ATTACH '%s/day-1970-04-11-1.db' AS day; INSERT INTO ext SELECT * FROM day.ext WHERE grp < %u; DETACH day",
        f->folder, EXTENT_ROLLUPS_5M);
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

/* ---- weeks ---- */
enum { MONDAY = 102, WEEK_SERIES = 60 }; /* 1970-04-13 */

static double hour_value(int day, int h, int i)
{
    return sqrt((double)(day * 1000 + h * 20 + i)); /* no decimals: they take room */
}

/* Each of these days has a sample an hour of each series, and is a file when `moved`. */
static void write_week(struct store_fixture *f, int first, int days, bool moved)
{
    shut(f);
    atomic_store(&day_clock, (first + days) * DAY + DAY / 2);
    f->config.now_ms = day_now;
    open_days(f);
    for (int day = first; day < first + days; day++) {
        struct write_request *w = request_new();
        for (int i = 0; i < WEEK_SERIES; i++) {
            char text[32];
            (void)snprintf(text, sizeof text, "m|i=%02d", i);
            struct write_series *ws = request_series(w, text, 24);
            for (int h = 0; h < 24; h++)
                ws->samples[ws->n_samples++] =
                    (struct sample){.t_ms = day * DAY + h * 3600000, .value = hour_value(day, h, i)};
        }
        assert_int_equal(write_now(f->s, w).samples, WEEK_SERIES * 24);
    }
    check_ok(store_seal(f->s));
    if (moved)
        check_ok(store_compact(f->s));
}

/* All hours of the days [first, end) and nothing else. */
static void check_hours(struct store_reader *rd, int first, int end, const char *when)
{
    struct sample_columns c;
    sample_columns_init(&c);
    for (int i = 0; i < WEEK_SERIES; i += WEEK_SERIES - 1) {
        char text[32];
        (void)snprintf(text, sizeof text, "m|i=%02d", i);
        read_in(rd, text, INT64_MIN, INT64_MAX, &c);
        if (c.n != (size_t)(end - first) * 24)
            check_failed("%s: %zu samples instead of %d", when, c.n, (end - first) * 24);
        for (size_t k = 0; k < c.n; k++) {
            int64_t day = first + (int64_t)k / 24, h = (int64_t)k % 24;
            assert_int_equal(c.t_ms[k], day * DAY + h * 3600000);
            assert_true(c.value[k] == hour_value((int)day, (int)h, i));
        }
    }
    sample_columns_done(&c);
}

static void check_hours_now(struct store_fixture *f, int first, int end, const char *when)
{
    struct store_reader *rd;
    check_ok(store_reader_open(f->s, &rd));
    check_hours(rd, first, end, when);
    store_reader_close(rd);
}

static void a_week_that_is_over_becomes_one_file_under_the_eyes_of_a_reader(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd;
    struct sample_columns c;
    write_week(f, MONDAY, 8, true);
    assert_int_equal(day_files(f), 8);
    atomic_store(&day_clock, (MONDAY + 14) * DAY); /* the week is over since a week, but for the hour */
    check_ok(store_compact(f->s));
    assert_int_equal(files_of(f, "week-*"), 0);
    check_ok(store_reader_open(f->s, &rd));
    sample_columns_init(&c);
    read_in(rd, "m|i=07", (MONDAY + 1) * DAY, (MONDAY + 2) * DAY - 1,
            &c); /* knows the list, has read one of the files */
    assert_int_equal(c.n, 24);
    sample_columns_done(&c);
    atomic_store(&day_clock, (MONDAY + 14) * DAY + 3600000);
    check_ok(store_compact(f->s));
    assert_int_equal(files_of(f, "week-1970-04-13-*.db"), 1);
    assert_int_equal(files_of(f, "week-*"), 1);
    assert_int_equal(day_files(f), 1); /* of the next week */
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 2);
    assert_int_equal(number_in_file(f, "SELECT sum(days) FROM part"), 8);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 0);
    assert_int_equal(stat_of(f->s, "crest_store_moved_weeks_total"), 1);
    check_hours(rd, MONDAY, MONDAY + 8, "the reader from before");
    store_reader_close(rd);
    for (int i = 0; i < 2; i++) {
        check_hours_now(f, MONDAY, MONDAY + 8, "moved");
        shut(f);
        open_days(f);
        check_ok(store_compact(f->s)); /* there is nothing more to do */
        assert_int_equal(stat_of(f->s, "crest_store_moved_weeks_total"), 0);
    }
    /* Late data for it are a tenth more: the file is written anew. */
    for (int i = 0; i < 400; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "late|i=%d", i);
        put(f->s, text, (MONDAY + 3) * DAY + i, i);
    }
    check_ok(store_seal(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(stat_of(f->s, "crest_store_moved_weeks_total"), 1);
    assert_int_equal(files_of(f, "week-*"), 1);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 0);
    check_hours_now(f, MONDAY, MONDAY + 8, "with late data");
    assert_int_equal(count_samples(f->s, "late|i=399"), 1);
}

static void a_weeks_samples_leave_by_days_and_its_file_shrinks(void **state)
{
    struct store_fixture *f = *state;
    write_week(f, MONDAY, 7, true);
    atomic_store(&day_clock, (MONDAY + 15) * DAY);
    check_ok(store_compact(f->s));
    assert_int_equal(files_of(f, "week-*"), 1);
    uint64_t whole = store_parts_bytes(f->s);
    shut(f);
    f->config.retention_ms = 12 * DAY;
    for (int day = 3; day < 7; day += 3) {
        atomic_store(&day_clock, (MONDAY + day + 12) * DAY + 1);
        open_days(f);
        for (int i = 0; i < 60000 && store_oldest_ms(f->s) < (MONDAY + day) * DAY; i++)
            sleep_us(1000);
        check_hours_now(f, MONDAY + day, MONDAY + 7, "some days are over");
        check_ok(store_compact(f->s));
        check_hours_now(f, MONDAY + day, MONDAY + 7, "and left the file");
        assert_int_equal(files_of(f, "week-*"), 1);
        assert_in_range(store_parts_bytes(f->s), 1, whole - 1);
        whole = store_parts_bytes(f->s);
        shut(f);
        open_days(f);
        check_hours_now(f, MONDAY + day, MONDAY + 7, "for good");
        shut(f);
    }
    atomic_store(&day_clock, (MONDAY + 7 + 12) * DAY + 1);
    open_days(f);
    for (int i = 0; i < 60000 && files_of(f, "week-*"); i++)
        sleep_us(1000);
    assert_int_equal(files_of(f, "week-*"), 0);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 0);
}

static void pinned_days_of_a_week_stay(void **state)
{
    struct store_fixture *f = *state;
    static const char *const NAMES[] = {"m", NULL};
    const struct store_pin pin = {(MONDAY + 2) * DAY, (MONDAY + 4) * DAY - 1, NAMES};
    write_week(f, MONDAY, 7, true);
    atomic_store(&day_clock, (MONDAY + 15) * DAY);
    check_ok(store_compact(f->s));
    shut(f);
    f->config.retention_ms = DAY;
    f->config.retention_waits = true;
    open_days(f);
    check_ok(store_set_pins(f->s, &pin, 1));
    for (int i = 0; i < 60000 && store_oldest_ms(f->s) < (MONDAY + 2) * DAY; i++)
        sleep_us(1000);
    for (int i = 0; i < 60000 && store_newest_ms(f->s) >= (MONDAY + 4) * DAY; i++)
        sleep_us(1000);
    check_ok(store_compact(f->s));
    check_hours_now(f, MONDAY + 2, MONDAY + 4, "pinned");
    assert_int_equal(files_of(f, "week-*"), 1);
    check_ok(store_set_pins(f->s, NULL, 0));
    for (int i = 0; i < 60000 && files_of(f, "week-*"); i++)
        sleep_us(1000);
    assert_int_equal(files_of(f, "week-*"), 0);
}

static void small_days_of_an_old_week_find_a_file_together(void **state)
{
    struct store_fixture *f = *state;
    write_week(f, MONDAY, 7, false);
    f->s->part_bytes_min = 32768; /* more than a day has, less than the week */
    check_ok(store_compact(f->s));
    assert_int_equal(day_files(f), 0);
    atomic_store(&day_clock, (MONDAY + 15) * DAY);
    check_ok(store_compact(f->s));
    assert_int_equal(files_of(f, "week-*"), 1);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 0);
    check_hours_now(f, MONDAY, MONDAY + 7, "together");
}

static void a_clock_that_goes_to_and_fro_loses_nothing_of_a_week(void **state)
{
    struct store_fixture *f = *state;
    write_week(f, MONDAY, 7, true);
    atomic_store(&day_clock, (MONDAY + 15) * DAY);
    check_ok(store_compact(f->s));
    assert_int_equal(files_of(f, "week-*"), 1);
    atomic_store(&day_clock, (MONDAY + 8) * DAY); /* its week is not over since a week now */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            char text[32];
            (void)snprintf(text, sizeof text, "late|i=%d", i);
            put(f->s, text, (MONDAY + 2 * round) * DAY + i, i);
        }
        check_ok(store_seal(f->s));
        check_ok(store_compact(f->s));
        check_hours_now(f, MONDAY, MONDAY + 7, "put back");
        assert_int_equal(count_samples(f->s, "late|i=299"), (size_t)round + 1);
        shut(f);
        open_days(f);
        check_hours_now(f, MONDAY, MONDAY + 7, "put back and opened again");
    }
    atomic_store(&day_clock, (MONDAY + 30) * DAY);
    check_ok(store_compact(f->s));
    check_hours_now(f, MONDAY, MONDAY + 7, "and forth");
    assert_int_equal(count_samples(f->s, "late|i=7"), 3);
    assert_int_equal(files_of(f, "week-*") + day_files(f), 1);
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
        TEST(a_week_that_is_over_becomes_one_file_under_the_eyes_of_a_reader),
        TEST(a_weeks_samples_leave_by_days_and_its_file_shrinks),
        TEST(pinned_days_of_a_week_stay),
        TEST(small_days_of_an_old_week_find_a_file_together),
        TEST(a_clock_that_goes_to_and_fro_loses_nothing_of_a_week),
        TEST(a_damaged_log_record_costs_its_own_samples_and_some_behind_it),
    };
    return cmocka_run_group_tests_name("collector/store files", tests, NULL, NULL);
}
