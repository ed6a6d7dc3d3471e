/* check: everything that is bad is named, with its place; what is good is counted. */
#include "tests/unit/collector/store/histogram_test.h"

#include "collector/store/check.h"
#include "collector/store/crc32c.h"
#include "collector/store/size.h"
#include "lib/db/db.h"

#define HOUR_MS INT64_C(3600000)
#define SERIES 200 /* two groups */
#define ROUNDS 300

struct told {
    size_t n;
    char text[4096]; /* one fault a line */
};

static void tell(void *ctx, const struct store_fault *f)
{
    struct told *t = ctx;
    size_t at = strlen(t->text);
    (void)snprintf(t->text + at, sizeof t->text - at, "%s|%s|%lld|%s|%s|%lld..%lld\n", f->file,
                   f->table ? f->table : "", (long long)f->row, f->what, f->series, (long long)f->min_ms,
                   (long long)f->max_ms);
    t->n++;
}

static struct store_checked check_folder(struct store_fixture *f, struct told *told)
{
    struct store_checked n;
    char why[512] = "";
    *told = (struct told){0};
    int r = store_check(f->folder, tell, told, &n, why, sizeof why);
    if (r < 0)
        check_failed("store_check: %d %s", r, why);
    assert_int_equal(n.faults, told->n);
    return n;
}

static void write_rounds(struct store_fixture *f)
{
    struct write_request *w = request_new();
    for (int i = 0; i < SERIES; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "requests_total|instance=i%03d|job=shop", i);
        struct write_series *ws = request_series(w, name, ROUNDS);
        for (int k = 0; k < ROUNDS; k++)
            ws->samples[ws->n_samples++] = (struct sample){.t_ms = HOUR_MS + k * 10000, .value = i * 1000 + k * k % 97};
    }
    struct store_written written = write_now(f->s, w);
    assert_int_equal(written.samples, SERIES * ROUNDS);
}

static void change(struct store_fixture *f, const char *sql)
{
    char path[512], why[256];
    struct db *db;
    const struct db_options options = {.sync = DB_SYNC_NORMAL};
    (void)snprintf(path, sizeof path, "%s/head.db", f->folder);
    if (db_open(path, &options, &db, why, sizeof why) < 0)
        check_failed("%s", why);
    if (db_exec(db, sql) < 0)
        check_failed("%s: %s", sql, db_why(db));
    db_close(db);
}

static void says(const struct told *told, const char *piece)
{
    if (!strstr(told->text, piece))
        check_failed("'%s' is not in:\n%s", piece, told->text);
}

static void a_good_folder_is_read_to_its_last_value(void **state)
{
    struct store_fixture *f = *state;
    struct told told;
    write_rounds(f);
    struct store_checked n = check_folder(f, &told); /* while it is open, all in the log */
    assert_int_equal(told.n, 0);
    assert_int_equal(n.log_samples, SERIES * ROUNDS);
    assert_int_equal(n.series, SERIES);
    shut(f);
    n = check_folder(f, &told);
    assert_int_equal(told.n, 0);
    assert_int_equal(n.log_samples, 0);
    assert_int_equal(n.samples, SERIES * ROUNDS);
    assert_int_equal(n.columns, SERIES);
    assert_int_equal(n.unnamed, 0);
    open_again(f);
}

static void a_changed_byte_of_an_extent_is_named_with_series_and_time(void **state)
{
    struct store_fixture *f = *state;
    struct told told;
    write_rounds(f);
    shut(f);
    change(f, "UPDATE ext SET data = CAST(substr(data, 1, length(data) - 1) || x'5a' AS BLOB) WHERE grp = 1");
    struct store_checked n = check_folder(f, &told);
    assert_int_equal(told.n, 1);
    says(&told, "head.db|ext|");
    says(&told, "CRC");
    says(&told, "requests_total{instance=\"i128\", job=\"shop\"}");
    says(&told, "|3600000..6590000");
    assert_int_equal(n.samples, 128 * ROUNDS);
    open_again(f);
}

static void a_row_that_contradicts_its_extent_is_bad(void **state)
{
    struct store_fixture *f = *state;
    struct told told;
    write_rounds(f);
    shut(f);
    change(f, "UPDATE ext SET max_ms = max_ms + 1 WHERE grp = 0");
    (void)check_folder(f, &told);
    assert_int_equal(told.n, 1);
    says(&told, "its row says another group, time or size");
    open_again(f);
}

/* A wrong column under a CRC that fits it: only decoding finds it. */
static void a_column_that_cannot_be_decoded_is_named_by_its_series(void **state)
{
    enum { GET, PUT, COUNT };
    static const char *const SQL[COUNT] = {
        [GET] = "SELECT data FROM ext WHERE grp = 1", [PUT] = "UPDATE ext SET data = ?1 WHERE grp = 1"};
    struct store_fixture *f = *state;
    struct told told;
    char path[512], why[256];
    struct db *db;
    const struct db_options options = {.sync = DB_SYNC_NORMAL, .sql = SQL, .sql_count = COUNT};
    write_rounds(f);
    shut(f);
    (void)snprintf(path, sizeof path, "%s/head.db", f->folder);
    check_ok(db_open(path, &options, &db, why, sizeof why));
    assert_int_equal(db_step(db, GET), 1);
    struct span blob = db_blob(db, GET, 0);
    uint8_t *bytes = malloc(blob.len);
    assert_non_null(bytes);
    size_t n_bytes = blob.len;
    memcpy(bytes, blob.ptr, n_bytes);
    db_reset(db, GET);
    struct extent x;
    struct extent_series at;
    check_ok(extent_open(&x, bytes, n_bytes));
    assert_true(extent_find(&x, 3, &at));
    bytes[at.values_at] = 0xee; /* no such mode */
    uint32_t crc = crc32c(0, bytes + 8, n_bytes - 8);
    memcpy(bytes + 4, &crc, sizeof crc);
    db_bind_blob(db, PUT, 1, bytes, n_bytes);
    check_ok(db_run(db, PUT));
    db_close(db);
    free(bytes);
    (void)check_folder(f, &told);
    assert_int_equal(told.n, 1);
    says(&told, "its column of values cannot be decoded|requests_total{instance=\"i131\", job=\"shop\"}");
    open_again(f);
}

static void damaged_log_records_and_series_rows_are_named(void **state)
{
    struct store_fixture *f = *state;
    struct told told;
    put(f->s, "up|job=a", 1000, 1);
    put(f->s, "up|job=a", 2000, 1); /* this record is damaged */
    put(f->s, "up|job=a", 3000, 2.5);
    change(f,
           "UPDATE headlog SET data = CAST(substr(data, 1, 57) || x'ee' || substr(data, 59) AS BLOB) WHERE slot = 1");
    (void)check_folder(f, &told);
    says(&told, "head.db|headlog|1|its CRC or structure is wrong");
    change(f, "UPDATE series SET labels = zeroblob(length(labels))");
    struct store_checked n = check_folder(f, &told);
    says(&told, "head.db|series|0|its CRC or structure is wrong");
    assert_int_equal(n.series, 0);
    assert_true(n.unnamed > 0);
}

static int64_t told_now(void *ctx)
{
    return *(int64_t *)ctx;
}

static void a_days_file_that_cannot_be_read_is_named_and_the_rest_is_read(void **state)
{
    struct store_fixture *f = *state;
    struct told told;
    static int64_t now;
    now = 30 * HOUR_MS;
    shut(f);
    f->config.now_ms = told_now;
    f->config.now_ctx = &now;
    open_again(f);
    struct write_request *w = request_new();
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 20; i++) { /* noise: a day of more than the 64 KB that stay in head.db */
        char name[32];
        (void)snprintf(name, sizeof name, "noise|i=%d", i);
        struct write_series *ws = request_series(w, name, 1000);
        for (int k = 0; k < 1000; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            ws->samples[ws->n_samples++] = (struct sample){.t_ms = HOUR_MS + k * 1000, .value = (double)random};
        }
    }
    assert_int_equal(write_now(f->s, w).samples, 20000);
    put(f->s, "today", 28 * HOUR_MS, 1);
    check_ok(store_seal(f->s));
    check_ok(store_compact(f->s));
    struct store_checked n = check_folder(f, &told);
    assert_int_equal(told.n, 0);
    assert_int_equal(n.files, 2);
    assert_int_equal(n.samples, 20001);
    shut(f);
    struct file_list files;
    char pattern[512];
    (void)snprintf(pattern, sizeof pattern, "%s/day-*.db", f->folder);
    check_ok(file_glob(pattern, &files));
    assert_int_equal(files.n, 1);
    check_ok(file_write(files.paths[0], "this is no database, and long enough to be taken for one", 56));
    n = check_folder(f, &told);
    assert_true(told.n >= 1);
    says(&told, "day-1970-01-01-");
    assert_int_equal(n.samples, 1);
    assert_int_equal(unlink(files.paths[0]), 0);
    (void)check_folder(f, &told);
    says(&told, "day-1970-01-01-");
    says(&told, "the file is missing");
    assert_int_equal(told.n, 1); /* said once */
    file_list_done(&files);
    open_again(f);
}

static void a_folder_that_is_no_store_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct store_checked n;
    char why[512] = "";
    assert_int_equal(store_check("/nonexistent/folder", NULL, NULL, &n, why, sizeof why), -ENOENT);
    assert_non_null(strstr(why, "is no data folder"));
    shut(f);
    change(f, "UPDATE meta SET value = 99 WHERE key = 'format'");
    assert_int_equal(store_check(f->folder, NULL, NULL, &n, why, sizeof why), -EUCLEAN);
    assert_non_null(strstr(why, "store format 99"));
    change(f, "UPDATE meta SET value = 6 WHERE key = 'format'");
    open_again(f);
}

static void sizes_are_told_by_metric_label_and_pair(void **state)
{
    struct store_fixture *f = *state;
    struct store_size size;
    char why[512] = "";
    write_rounds(f);
    put(f->s, "up|job=shop", HOUR_MS, 1);
    shut(f);
    if (store_size(f->folder, &size, why, sizeof why) < 0)
        check_failed("%s", why);
    assert_int_equal(size.series, SERIES + 1);
    assert_int_equal(size.samples, SERIES * ROUNDS + 1);
    assert_int_equal(size.oldest_ms, HOUR_MS);
    assert_int_equal(size.newest_ms, HOUR_MS + (ROUNDS - 1) * 10000);
    assert_int_equal(size.metrics.n, 2);
    const struct store_share *most = size.metrics.list[0];
    assert_true(span_equal(most->value, SPAN("requests_total")));
    assert_int_equal(most->series, SERIES);
    assert_int_equal(most->samples, SERIES * ROUNDS);
    assert_true(most->bytes > 0 && most->bytes <= size.extent_bytes);
    assert_int_equal(size.labels.n, 2);
    assert_true(span_equal(size.labels.list[0]->name, SPAN("job")));
    assert_int_equal(size.labels.list[0]->values, 1);
    assert_int_equal(size.labels.list[1]->values, SERIES);
    assert_int_equal(size.pairs.n, SERIES + 1);
    assert_int_equal(size.pairs.list[0]->series, SERIES + 1);
    store_size_done(&size);
    open_again(f);
}

static void cardinality_lists_the_largest_first(void **state)
{
    struct store_fixture *f = *state;
    struct store_cardinality c;
    struct arena a;
    write_rounds(f);
    put(f->s, "up|job=shop", HOUR_MS, 1);
    put(f->s, "up|job=web", HOUR_MS, 1);
    arena_init(&a, 16u << 20);
    check_ok(store_cardinality(f->s, 2, &a, &c));
    assert_int_equal(c.series_by_metric.n, 2);
    assert_true(span_equal(c.series_by_metric.list[0].value, SPAN("requests_total")));
    assert_int_equal(c.series_by_metric.list[0].count, SERIES);
    assert_int_equal(c.series_by_metric.list[1].count, 2);
    assert_true(span_equal(c.values_by_label.list[0].name, SPAN("instance")));
    assert_int_equal(c.values_by_label.list[0].count, SERIES);
    assert_true(span_equal(c.series_by_pair.list[0].value, SPAN("shop")));
    assert_int_equal(c.series_by_pair.list[0].count, SERIES + 1);
    assert_true(span_equal(c.bytes_by_label.list[0].name, SPAN("__name__")));
    assert_int_equal(c.bytes_by_label.list[0].count, SERIES * strlen("requests_total") + 2 * strlen("up"));
    assert_int_equal(c.label_pairs, 2 + 2 + SERIES);
    arena_done(&a);
}

static void write_histograms(struct store_fixture *f)
{
    struct arena a;
    arena_init(&a, 16u << 20);
    struct write_request *w = request_new();
    for (unsigned k = 0; k < 50; k++)
        request_add_histogram(w, "rpc_seconds|job=shop", HOUR_MS + k * 10000, histogram_of(&w->arena, k));
    struct store_written written = write_now(f->s, w);
    assert_int_equal(written.histograms, 50);
    arena_done(&a);
}

static void native_histograms_are_read_to_their_last_bucket(void **state)
{
    struct store_fixture *f = *state;
    struct told told;
    struct store_size size;
    char why[512] = "";
    write_histograms(f);
    struct store_checked n = check_folder(f, &told); /* in the log */
    assert_int_equal(told.n, 0);
    assert_int_equal(n.histograms, 50);
    change(f, "UPDATE histlog SET data = CAST(x'00' || substr(data, 2) AS BLOB)");
    (void)check_folder(f, &told);
    says(&told, "head.db|histlog|");
    says(&told, "a commit's histograms are lost");
    shut(f); /* the writer has them in memory: sealed */
    n = check_folder(f, &told);
    assert_int_equal(told.n, 0);
    assert_int_equal(n.histograms, 50);
    assert_int_equal(n.unnamed, 0);
    if (store_size(f->folder, &size, why, sizeof why) < 0)
        check_failed("%s", why);
    assert_int_equal(size.samples, 50);
    assert_true(size.metrics.list[0]->bytes > 50);
    store_size_done(&size);
    change(f, "UPDATE ext SET data = CAST(substr(data, 1, length(data) - 1) || x'5a' AS BLOB)");
    (void)check_folder(f, &told);
    says(&told,
         "numbers 0 to 127) have lost a stretch of native histograms|rpc_seconds{job=\"shop\"}|3600000..4090000");
    open_again(f);
}

static void exemplars_are_read(void **state)
{
    struct store_fixture *f = *state;
    struct told told;
    struct write_request *w = request_new();
    request_add(w, "requests_total|job=shop", HOUR_MS, 1);
    struct exemplar *x = arena_array(&w->arena, 1, sizeof *x);
    *x = (struct exemplar){
        .labels = labels_of(&w->arena, "trace_id=abc"), .t_ms = HOUR_MS, .value = 2, .has_time = true};
    w->series[0].exemplars = x;
    w->series[0].n_exemplars = 1;
    assert_int_equal(write_now(f->s, w).exemplars, 1);
    assert_int_equal(check_folder(f, &told).lists.exemplars, 1);
    assert_int_equal(told.n, 0);
    change(f, "UPDATE exemplar SET data = zeroblob(length(data))");
    (void)check_folder(f, &told);
    assert_int_equal(told.n, 1);
    says(&told, "head.db|exemplar|");
}

static void deletions_and_the_list_of_days_are_looked_at(void **state)
{
    struct store_fixture *f = *state;
    struct told told;
    uint64_t gone = 0;
    write_rounds(f);
    struct matcher m;
    struct parse_error error;
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("instance"), SPAN("i150"), &error));
    check_ok(store_delete(f->s, &(struct store_selection){.matchers = &m, .n_matchers = 1, ALL_TIME}, 1, &gone));
    matcher_done(&m);
    assert_int_equal(gone, 1);
    struct store_checked n = check_folder(f, &told);
    assert_int_equal(told.n, 0);
    assert_int_equal(n.lists.deletions, 1);
    change(f, "UPDATE tombstone SET ords = x'00'");
    (void)check_folder(f, &told);
    says(&told, "head.db|tombstone|1|no deletion can be like this");
    change(f, "DELETE FROM tombstone; INSERT INTO part(id, file, day_ms, days) VALUES(7, '../x', 0, 1), "
              "(8, 'day-x.db', 5, 1), (9, 'day-1970-01-01-9.db', 0, 1), (10, 'week-1970-01-05-10.db', 345600000, 8)");
    (void)check_folder(f, &told);
    says(&told, "head.db|part|7|no file of a day or week has such a name");
    says(&told, "head.db|part|8|its day does not begin at midnight");
    says(&told, "day-1970-01-01-9.db||0|the file is missing");
    says(&told, "head.db|part|10|no file has so many days");
    change(f, "DELETE FROM part");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_folder_is_read_to_its_last_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_byte_of_an_extent_is_named_with_series_and_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_that_contradicts_its_extent_is_bad, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_column_that_cannot_be_decoded_is_named_by_its_series, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_log_records_and_series_rows_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_days_file_that_cannot_be_read_is_named_and_the_rest_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(native_histograms_are_read_to_their_last_bucket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exemplars_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deletions_and_the_list_of_days_are_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_is_no_store_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes_are_told_by_metric_label_and_pair, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cardinality_lists_the_largest_first, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
