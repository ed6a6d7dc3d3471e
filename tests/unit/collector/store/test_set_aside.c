#include "tests/unit/collector/store/store_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/store/set_aside.h"
#include "lib/base/number.h"

#define PAGE 2048
#define SERIES 1100u /* three rows of names */
#define ROUNDS 40
#define START_MS 1000000
#define STEP_MS 10000
#define DAY_MS INT64_C(86400000)

/* Series n, sample k: every value is another one, so that a wrong one is seen. */
static double value_of(unsigned n, int64_t k)
{
    return (double)(n * 1000 + (unsigned)(k * k % 97)); /* a difference in the log */
}

static void write_round(struct store *s, int64_t k)
{
    struct store_written written;
    struct write_request *w = request_new();
    w->series = arena_array(&w->arena, SERIES, sizeof *w->series);
    for (unsigned n = 0; n < SERIES; n++) {
        struct write_series *ws = &w->series[w->n_series++];
        struct sample *sample = arena_array(&w->arena, 1, sizeof *sample);
        *sample = (struct sample){.t_ms = START_MS + k * STEP_MS, .value = value_of(n, k)};
        *ws = (struct write_series){.labels =
                                        labels_of(&w->arena, arena_printf(&w->arena, "m%u|n=%u|job=shop", n % 7, n)),
                                    .samples = sample,
                                    .n_samples = 1};
    }
    check_ok(store_write(s, w, &written));
    check_ok(written.error);
}

static void copy_file(const char *from_folder, const char *to_folder, const char *name)
{
    char from[512], to[512], *data;
    size_t n;
    (void)snprintf(from, sizeof from, "%s/%s", from_folder, name);
    (void)snprintf(to, sizeof to, "%s/%s", to_folder, name);
    if (access(from, F_OK) < 0)
        return;
    check_ok(file_read(from, 1 << 28, &data, &n));
    check_ok(file_write(to, data, n));
    free(data);
}

/* What kill -9 leaves, as head.db alone: extents, names, and rounds that are in the log only. */
static void leave_a_head(struct store_fixture *f, char *folder)
{
    struct db *db;
    char path[512];
    for (int64_t k = 0; k < ROUNDS; k++) {
        write_round(f->s, k);
        if (k == 12)
            check_ok(store_seal(f->s));
    }
    copy_file(f->folder, folder, "head.db");
    copy_file(f->folder, folder, "head.db-wal");
    copy_file(f->folder, folder, "store.lock");
    (void)snprintf(path, sizeof path, "%s/head.db", folder);
    check_ok(db_open(path, &(struct db_options){0}, &db, NULL, 0));
    db_close(db); /* the write-ahead log goes into the file */
}

static void damage(const char *folder, off_t at, size_t n)
{
    char path[512], bytes[PAGE];
    (void)snprintf(path, sizeof path, "%s/head.db", folder);
    memset(bytes, 0xa5, sizeof bytes);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

/* How many of the samples are there; none is a wrong one, none stands with another series. */
static size_t count_right(struct store *s)
{
    struct store_reader *rd;
    struct arena a;
    struct store_series *list;
    struct sample_columns c;
    size_t n, right = 0;
    arena_init(&a, 64u << 20);
    sample_columns_init(&c);
    check_ok(store_reader_open(s, &rd));
    check_ok(store_select(rd, &(struct store_selection){ALL_TIME}, &a, &list, &n));
    for (size_t i = 0; i < n; i++) {
        uint64_t number;
        if (parse_u64_span(labels_get(&list[i].labels, SPAN("n")), UINT64_MAX, &number) < 0)
            continue; /* written afterwards */
        check_ok(store_read(rd, list[i].id, INT64_MIN, INT64_MAX, &c));
        for (size_t k = 0; k < c.n; k++)
            check_double_bits(c.value[k], value_of((unsigned)number, (c.t_ms[k] - START_MS) / STEP_MS));
        right += c.n;
    }
    store_reader_close(rd);
    sample_columns_done(&c);
    arena_done(&a);
    return right;
}

static void check_there(struct store *s, const char *text, double value)
{
    struct sample_columns c;
    sample_columns_init(&c);
    read_series(s, text, INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 1);
    check_double_bits(c.value[0], value);
    sample_columns_done(&c);
}

static size_t number_of_files(const char *folder, const char *names)
{
    char pattern[512];
    struct file_list files;
    (void)snprintf(pattern, sizeof pattern, "%s/%s", folder, names);
    check_ok(file_glob(pattern, &files));
    size_t n = files.n;
    file_list_done(&files);
    return n;
}

static void whichever_page_is_damaged_the_rest_serves(void **state)
{
    struct store_fixture *f = *state;
    char *folder, path[512], *whole;
    size_t n_bytes, all = (size_t)SERIES * ROUNDS, nearly_all = 0, aside = 0, pages;
    check_ok(dir_make_temp("crest-aside", &folder));
    leave_a_head(f, folder);
    (void)snprintf(path, sizeof path, "%s/head.db", folder);
    check_ok(file_read(path, 1 << 28, &whole, &n_bytes));
    pages = n_bytes / PAGE;
    size_t step = pages / 100 + 1;
    for (size_t page = 0; page < pages; page += page < 16 ? 1 : step) {
        struct store_config config = {.path = folder, .future_ms_max = -1, .durability = STORE_NORMAL};
        struct store *s;
        char why[512] = "";
        check_ok(dir_remove(folder));
        check_ok(dir_make(folder));
        check_ok(file_write(path, whole, n_bytes));
        copy_file(f->folder, folder, "store.lock");
        damage(folder, (off_t)(page * PAGE), PAGE);
        for (int starts = 0; starts < 2; starts++) {
            int r = store_open(&config, &s, why, sizeof why);
            if (r < 0)
                check_failed("page %zu: %d %s", page, r, why);
            size_t right = count_right(s);
            put(s, starts ? "after|again=1" : "after", 5000000, 7);
            assert_int_equal(count_right(s), right);
            check_there(s, "after", 7);
            if (page == 0) /* that one is the same in all files */
                assert_int_equal(right, all);
            if (starts == 0)
                nearly_all += right > all / 2;
            store_close(s);
        }
        aside += number_of_files(folder, "damaged-*/head.db");
        assert_true(number_of_files(folder, "damaged-*/head.db") <= 1);
    }
    print_message("%zu pages, %zu times set aside, %zu times more than half was there\n", pages, aside, nearly_all);
    assert_true(aside > 10);
    assert_true(nearly_all > 20);
    free(whole);
    check_ok(dir_remove(folder));
    free(folder);
}

static _Atomic int64_t clock_ms = 111 * DAY_MS;

static int64_t told_now(void *ctx UNUSED)
{
    return atomic_load(&clock_ms);
}

/* Two days in files of their own. */
static void write_days(struct store_fixture *f)
{
    shut(f);
    f->config.now_ms = told_now;
    open_again(f);
    for (int64_t day = 108; day < 110; day++)
        for (unsigned i = 0; i < 40; i++) {
            char name[32];
            struct write_request *w = request_new();
            (void)snprintf(name, sizeof name, "day|n=%u", i);
            struct write_series *ws = request_series(w, name, 1000);
            for (int64_t k = 0; k < 1000; k++)
                ws->samples[ws->n_samples++] =
                    (struct sample){.t_ms = day * DAY_MS + k * 60000, .value = 1.0 / (double)(k + 3 + i)};
            assert_int_equal(write_now(f->s, w).samples, 1000);
        }
    check_ok(store_seal(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(number_of_files(f->folder, "day-*.db"), 2);
    shut(f);
}

static void check_begins_anew(struct store_fixture *f, size_t heads_aside)
{
    struct sample_columns c;
    sample_columns_init(&c);
    open_again(f);
    assert_int_equal(number_of_files(f->folder, "day-*.db"), 0);
    assert_int_equal(number_of_files(f->folder, "damaged-*/day-*.db"), 2);
    assert_int_equal(number_of_files(f->folder, "damaged-*/head.db"), heads_aside);
    read_series(f->s, "day|n=3", INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 0);
    put(f->s, "after", 109 * DAY_MS, 7);
    restart(f);
    check_there(f->s, "after", 7);
    assert_int_equal(number_of_files(f->folder, "damaged-*"), 1);
    sample_columns_done(&c);
}

static void days_files_without_their_head_are_kept_and_not_removed(void **state)
{
    struct store_fixture *f = *state;
    char path[512];
    write_days(f);
    (void)snprintf(path, sizeof path, "%s/head.db", f->folder);
    assert_int_equal(unlink(path), 0);
    check_begins_anew(f, 0);
}

static void a_head_of_which_nothing_can_be_read_goes_aside_with_the_days(void **state)
{
    struct store_fixture *f = *state;
    write_days(f);
    for (off_t page = 0; page < 20; page++)
        damage(f->folder, page * PAGE, PAGE);
    check_begins_anew(f, 1);
}

static int64_t root_of(struct store_fixture *f, const char *table)
{
    static const char *const ROOT[] = {"SELECT rootpage FROM sqlite_schema WHERE name = ?1"};
    struct db *db;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/head.db", f->folder);
    check_ok(db_open(path, &(struct db_options){.sql = ROOT, .sql_count = 1}, &db, NULL, 0));
    db_bind_text(db, 0, 1, span_str(table));
    assert_int_equal(db_step(db, 0), 1);
    int64_t page = db_i64(db, 0, 0);
    db_close(db);
    return page;
}

/* Also of a file that VACUUM has laid out anew; of one as the migrations made it see above. */
static void the_first_page_is_made_again(void **state)
{
    struct store_fixture *f = *state;
    struct db *db;
    char path[512];
    for (int64_t k = 0; k < 3; k++)
        write_round(f->s, k);
    shut(f);
    (void)snprintf(path, sizeof path, "%s/head.db", f->folder);
    check_ok(db_open(path, &(struct db_options){0}, &db, NULL, 0));
    check_ok(db_exec(db, "VACUUM"));
    db_close(db);
    assert_int_equal(root_of(f, "ext_time"), 11);
    damage(f->folder, 0, PAGE);
    open_again(f);
    assert_int_equal(count_right(f->s), (size_t)SERIES * 3);
    assert_int_equal(number_of_files(f->folder, "damaged-*/head.db"), 1);
    assert_int_equal(number_of_files(f->folder, "head.db.*"), 0); /* neither a copy nor a half of the new one */
}

static void a_head_that_is_no_database_goes_aside_as_it_is(void **state)
{
    struct store_fixture *f = *state;
    static const char TEXT[] = "this is no database, but somebody may want to look at it";
    char path[512], *data;
    struct file_list aside;
    size_t n;
    write_days(f);
    (void)snprintf(path, sizeof path, "%s/head.db", f->folder);
    check_ok(file_write(path, TEXT, sizeof TEXT));
    check_begins_anew(f, 1);
    (void)snprintf(path, sizeof path, "%s/damaged-*/head.db", f->folder);
    check_ok(file_glob(path, &aside));
    check_ok(file_read(aside.paths[0], 4096, &data, &n));
    assert_int_equal(n, sizeof TEXT);
    assert_memory_equal(data, TEXT, n);
    free(data);
    file_list_done(&aside);
}

static void days_files_stay_where_only_a_page_of_the_log_is_lost(void **state)
{
    struct store_fixture *f = *state;
    struct sample_columns c;
    write_days(f);
    damage(f->folder, (off_t)(root_of(f, "headlog") - 1) * PAGE, PAGE);
    open_again(f);
    assert_int_equal(number_of_files(f->folder, "damaged-*/head.db"), 1);
    assert_int_equal(number_of_files(f->folder, "day-*.db"), 2);
    sample_columns_init(&c);
    read_series(f->s, "day|n=3", INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 2000);
    sample_columns_done(&c);
}

/* New series get no number that extents of lost ones carry, also when the store was opened again before they came. */
static void numbers_of_lost_series_stay_taken(void **state)
{
    struct store_fixture *f = *state;
    struct db *db;
    char path[512];
    static const char *const LOSE[] = {"DELETE FROM series WHERE id >= 512",
                                       "INSERT INTO meta(key, value) VALUES('lost_series', 1)"};
    struct sample_columns c;
    for (int64_t k = 0; k < 2; k++)
        write_round(f->s, k);
    shut(f);
    (void)snprintf(path, sizeof path, "%s/head.db", f->folder);
    check_ok(db_open(path, &(struct db_options){.sql = LOSE, .sql_count = 2}, &db, NULL, 0));
    check_ok(db_run(db, 0));
    check_ok(db_run(db, 1));
    db_close(db);
    open_again(f);
    restart(f);
    put(f->s, "after", 5000000, 7);
    assert_int_equal(count_right(f->s), 512 * 2);
    check_there(f->s, "after", 7);
    sample_columns_init(&c);
    read_series(f->s, "after", INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 1);
    sample_columns_done(&c);
}

static void what_is_not_ours_stays_where_it_is(void **state)
{
    struct store_fixture *f = *state;
    static const char *const OTHERS[] = {"UPDATE meta SET value = 5 WHERE key = 'format'", "PRAGMA application_id = 77",
                                         "PRAGMA user_version = 99"};
    shut(f);
    for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++) {
        struct db *db;
        char path[512], why[512] = "";
        (void)snprintf(path, sizeof path, "%s/head.db", f->folder);
        check_ok(db_open(path, &(struct db_options){0}, &db, NULL, 0));
        check_ok(db_exec(db, OTHERS[i]));
        db_close(db);
        assert_int_equal(store_open(&f->config, &f->s, why, sizeof why), -EUCLEAN);
        assert_true(why[0] != '\0');
        assert_int_equal(number_of_files(f->folder, "damaged-*"), 0);
        assert_int_equal(number_of_files(f->folder, "head.db"), 1);
        assert_int_equal(store_set_aside(f->folder), 0);
    }
    f->s = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whichever_page_is_damaged_the_rest_serves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(days_files_without_their_head_are_kept_and_not_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_of_which_nothing_can_be_read_goes_aside_with_the_days, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_first_page_is_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_that_is_no_database_goes_aside_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(days_files_stay_where_only_a_page_of_the_log_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_of_lost_series_stay_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_ours_stays_where_it_is, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("collector/store/set_aside", tests, NULL, NULL);
}
