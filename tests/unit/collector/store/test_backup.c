/* A backup made while the store writes and moves days opens with all that was acknowledged before it began. */
#include "tests/unit/collector/store/store_test.h"

#include <unistd.h>

#include "collector/store/backup.h"
#include "collector/store/check.h"
#include "collector/store/store_inside.h"
#include "lib/base/clock.h"
#include "lib/base/thread.h"

#define DAY_MS INT64_C(86400000)
#define DAYS 40

static _Atomic int64_t now_is;

static int64_t told_now(void *ctx UNUSED)
{
    return atomic_load(&now_is);
}

static void count_fault(void *ctx, const struct store_fault *fault)
{
    (void)ctx;
    check_failed("%s %s: %s", fault->file, fault->table ? fault->table : "", fault->what);
}

/* A day's samples, sealed, and the day moved into a file of its own. */
static void one_day(struct store *s, int day)
{
    for (int k = 0; k < 5; k++)
        put(s, "n", day * DAY_MS + k, day * 10 + k);
    atomic_store(&now_is, (day + 2) * DAY_MS);
    check_ok(store_seal(s));
    check_ok(store_compact(s));
}

struct writing {
    struct store *s;
    _Atomic int days; /* done and acknowledged */
    atomic_bool stop;
};

static void write_days(void *ctx)
{
    struct writing *w = ctx;
    for (int day = 1; day <= DAYS && !atomic_load(&w->stop); day++) {
        one_day(w->s, day);
        put(w->s, "n", 7, 7); /* late: its day's file is written anew now and then */
        put(w->s, "late", (day / 2) * DAY_MS + 1000 + day, day);
        atomic_store(&w->days, day);
    }
}

static void a_copy_holds_all_that_was_acknowledged_before_it_began(void **state)
{
    struct store_fixture *f = *state;
    struct writing w = {0};
    struct thread *thread;
    shut(f);
    atomic_store(&now_is, DAY_MS);
    f->config.now_ms = told_now;
    open_again(f);
    f->s->part_bytes_min = 1;
    w.s = f->s;
    one_day(f->s, 0);
    check_ok(thread_start("days", write_days, &w, &thread));
    for (int copy = 0; copy < 6; copy++) {
        char to[512], why[512] = "";
        struct store_backup b;
        struct store_checked checked;
        int before = atomic_load(&w.days);
        (void)snprintf(to, sizeof to, "%s/copy-%d", f->folder, copy);
        int r = store_backup(f->folder, to, &b, why, sizeof why);
        if (r < 0)
            check_failed("copy %d: %d %s", copy, r, why);
        assert_int_equal(b.missing, 0);
        if (store_check(to, count_fault, NULL, &checked, why, sizeof why) < 0)
            check_failed("%s", why);
        struct store *s;
        struct store_config config = {.path = to, .future_ms_max = -1};
        check_ok(store_open(&config, &s, why, sizeof why));
        if (count_samples(s, "n") < (size_t)(before + 1) * 5)
            check_failed("copy %d: %zu samples, %d days were acknowledged", copy, count_samples(s, "n"), before + 1);
        assert_int_equal((int)stat_of(s, "crest_store_damaged_parts_total"), 0);
        store_close(s);
        check_ok(dir_remove(to));
    }
    atomic_store(&w.stop, true);
    thread_join(thread);
}

/* What the rollups of "n" come to, of samples that are there and of those that the retention took. */
static void read_sums(struct store *s, struct sample_columns *ret)
{
    const struct store_rolling how = {.as = STORE_ROLLED_SUM};
    struct store_reader *rd;
    check_ok(store_reader_open(s, &rd));
    store_reader_see_gone(rd);
    check_ok(store_read_rolled(rd, id_of(rd, "n"), INT64_MIN, INT64_MAX, &how, ret));
    store_reader_close(rd);
}

/* The retention runs soon after the start. */
static void wait_until_n_has(struct store *s, size_t samples)
{
    for (unsigned i = 0; i < 10000 * check_patience() && count_samples(s, "n") != samples; i++)
        sleep_us(1000);
    assert_int_equal(count_samples(s, "n"), samples);
}

static void rollups_come_along_also_those_whose_samples_are_gone(void **state)
{
    enum { LAST_DAY = 5, A_DAY = 48 };
    struct store_fixture *f = *state;
    struct sample_columns want, got;
    shut(f);
    atomic_store(&now_is, DAY_MS);
    f->config.now_ms = told_now;
    f->config.retention_ms = 2 * DAY_MS;
    f->config.rollup_retention_ms = 100 * DAY_MS;
    open_again(f);
    f->s->part_bytes_min = 1;
    for (int day = 0; day <= LAST_DAY; day++) {
        for (int k = 0; k < A_DAY; k++)
            put(f->s, "n", day * DAY_MS + k * 1800000, day * 100 + k);
        atomic_store(&now_is, (day + 1) * DAY_MS + 2 * DAY_OVER_MS);
        check_ok(store_seal(f->s));
        check_ok(store_compact(f->s));
    }
    atomic_store(&now_is, (LAST_DAY + 2) * DAY_MS);
    check_ok(store_set_pins(f->s, NULL, 0)); /* the retention runs now */
    wait_until_n_has(f->s, A_DAY);
    check_ok(store_compact(f->s));
    sample_columns_init(&want);
    sample_columns_init(&got);
    read_sums(f->s, &want);
    assert_non_null(want.count);
    assert_int_equal(want.n_gone, LAST_DAY * 25); /* the bucket over midnight is two, of which one may be gone */
    double samples = 0;
    for (size_t i = 0; i < want.n; i++)
        samples += want.count[i];
    assert_true(samples == (LAST_DAY + 1) * A_DAY);
    char folders[2][512];
    for (int copy = 0; copy < 2; copy++) { /* of what is open, and of that copy */
        char *to = folders[copy], why[512] = "";
        struct store_backup b;
        struct store_checked checked;
        (void)snprintf(to, sizeof folders[copy], "%s/copy-%d", f->folder, copy);
        if (store_backup(f->config.path, to, &b, why, sizeof why) < 0)
            check_failed("copy %d: %s", copy, why);
        if (store_check(to, count_fault, NULL, &checked, why, sizeof why) < 0)
            check_failed("%s", why);
        assert_in_range(checked.rollups, (LAST_DAY + 1) * 24, (LAST_DAY + 1) * 25);
        shut(f);
        f->config.path = to;
        open_again(f);
        wait_until_n_has(f->s, A_DAY);
        read_sums(f->s, &got);
        assert_int_equal(got.n, want.n);
        assert_int_equal(got.n_gone, want.n_gone);
        assert_memory_equal(got.t_ms, want.t_ms, want.n * sizeof *want.t_ms);
        assert_memory_equal(got.value, want.value, want.n * sizeof *want.value);
        assert_memory_equal(got.count, want.count, want.n * sizeof *want.count);
    }
    sample_columns_done(&want);
    sample_columns_done(&got);
}

static void a_backup_does_not_overwrite(void **state)
{
    struct store_fixture *f = *state;
    struct store_backup b;
    char to[512], why[512] = "";
    put(f->s, "n", 1, 1);
    (void)snprintf(to, sizeof to, "%s/copy", f->folder);
    check_ok(store_backup(f->folder, to, &b, why, sizeof why));
    assert_int_equal(b.files, 1);
    assert_int_equal(store_backup(f->folder, to, &b, why, sizeof why), -EEXIST);
    assert_non_null(strstr(why, "is not empty"));
    assert_int_equal(store_backup("/nonexistent/folder", "/nonexistent/to", &b, why, sizeof why), -ENOENT);
    assert_int_equal(access("/nonexistent/to", F_OK), -1);
}

static void a_file_that_is_gone_for_good_is_counted_and_the_rest_is_copied(void **state)
{
    struct store_fixture *f = *state;
    struct store_backup b;
    char to[512], why[512] = "", pattern[512];
    struct file_list files;
    shut(f);
    atomic_store(&now_is, DAY_MS);
    f->config.now_ms = told_now;
    open_again(f);
    f->s->part_bytes_min = 1;
    one_day(f->s, 0);
    one_day(f->s, 1);
    (void)snprintf(pattern, sizeof pattern, "%s/day-*", f->folder);
    check_ok(file_glob(pattern, &files));
    assert_int_equal(files.n, 2);
    assert_int_equal(unlink(files.paths[0]), 0);
    file_list_done(&files);
    (void)snprintf(to, sizeof to, "%s/copy", f->folder);
    check_ok(store_backup(f->folder, to, &b, why, sizeof why));
    assert_int_equal(b.missing, 1);
    assert_int_equal(b.files, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_copy_holds_all_that_was_acknowledged_before_it_began),
        TEST(rollups_come_along_also_those_whose_samples_are_gone),
        TEST(a_backup_does_not_overwrite),
        TEST(a_file_that_is_gone_for_good_is_counted_and_the_rest_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
