#include "collector/store/log_slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/file.h"
#include "tests/support/check.h"

enum { RECORDS_MAX = 4000 };
struct slots_test {
    char *folder, file[512];
    struct db *db;
    struct log_slots slots;
    int64_t seq, trimmed;
    size_t bytes[RECORDS_MAX]; /* of record seq */
    int64_t next;              /* that loading must give */
};

static void open_file(struct slots_test *t)
{
    char why[256];
    const struct db_options options = {.sync = DB_SYNC_NORMAL,
                                       .page_bytes = STORE_PAGE_BYTES,
                                       .sql = STORE_SQL,
                                       .sql_count = STORE_STATEMENTS,
                                       .migrations = STORE_MIGRATIONS};
    check_ok(db_open(t->file, &options, &t->db, why, sizeof why));
    log_slots_init(&t->slots);
}

static int set_up(void **state)
{
    struct slots_test *t = calloc(1, sizeof *t);
    check_ok(dir_make_temp("crest-slots", &t->folder));
    (void)snprintf(t->file, sizeof t->file, "%s/head.db", t->folder);
    open_file(t);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct slots_test *t = *state;
    log_slots_done(&t->slots);
    db_close(t->db);
    check_ok(dir_remove(t->folder));
    free(t->folder);
    free(t);
    return 0;
}

static uint8_t byte_of(int64_t seq, size_t at)
{
    return (uint8_t)((uint64_t)seq * 31 + at * 7 + at / 256);
}

static void put(struct slots_test *t, size_t n, bool commits)
{
    uint8_t *record = malloc(n + 1);
    size_t wrote;
    for (size_t i = 0; i < n; i++)
        record[i] = byte_of(t->seq + 1, i);
    check_ok(db_begin(t->db));
    check_ok(log_slots_put(&t->slots, t->db, t->seq + 1, record, n, &wrote));
    if (commits) {
        check_ok(db_commit(t->db));
        log_slots_keep(&t->slots);
        t->bytes[++t->seq] = n;
    } else {
        db_rollback(t->db);
        log_slots_undo(&t->slots);
    }
    free(record);
}

static void trim(struct slots_test *t, int64_t seq, bool commits)
{
    check_ok(db_begin(t->db));
    check_ok(log_slots_trim(&t->slots, t->db, seq));
    if (commits) {
        check_ok(db_commit(t->db));
        log_slots_trimmed(&t->slots, seq);
        t->trimmed = seq;
    } else {
        db_rollback(t->db);
    }
}

static int expect(void *ctx, int64_t seq, struct span record, bool damaged)
{
    struct slots_test *t = ctx;
    assert_false(damaged);
    assert_int_equal(seq, t->next++);
    assert_int_equal(record.len, t->bytes[seq]);
    for (size_t i = 0; i < record.len; i++)
        assert_int_equal((uint8_t)record.ptr[i], byte_of(seq, i));
    return 0;
}

static void load_again(struct slots_test *t)
{
    log_slots_done(&t->slots);
    db_close(t->db);
    open_file(t);
    t->next = t->trimmed + 1;
    check_ok(log_slots_load(&t->slots, t->db, t->trimmed, expect, t));
    assert_int_equal(t->next, t->seq + 1);
}

static unsigned rows(struct slots_test *t)
{
    unsigned n = 0;
    while (db_step(t->db, SQL_LOG_LIST) > 0)
        n++;
    return n;
}

static void what_was_put_and_not_trimmed_comes_back_in_order(void **state)
{
    struct slots_test *t = *state;
    struct check_random rnd = check_random_new("log slots");
    int64_t closed = 0;
    while (t->seq < RECORDS_MAX / check_slowness() - 1) {
        uint32_t what = (uint32_t)check_random_below(&rnd, 100);
        size_t most = check_random_below(&rnd, 20) ? 5000 : 200000;
        size_t n = 1 + check_random_below(&rnd, check_random_below(&rnd, 3) ? 300 : most);
        if (what < 85) {
            put(t, n, true);
        } else if (what < 90) {
            put(t, n, false);
        } else if (what < 94) { /* a seal begins … */
            log_slots_close(&t->slots);
            closed = t->seq;
        } else if (what < 98) { /* … and ends, or not */
            trim(t, closed, what < 96);
        } else {
            load_again(t);
        }
    }
    load_again(t);
    trim(t, t->seq, true);
    load_again(t);
    check_ok(log_slots_drop(&t->slots, t->db));
    assert_int_equal(rows(t), 0);
}

static void a_commit_writes_the_pages_of_its_record_and_no_others(void **state)
{
    struct slots_test *t = *state;
    static const struct {
        size_t bytes;
        int64_t pages;
    } CASES[] = {{1900, 1}, {3900, 2}, {300, 1}, {300, 1}, {8000, 4}};
    for (int64_t i = 0; i < 200; i++) /* seq grows out of its first widths, which change a row's size */
        put(t, CASES[(size_t)i % ARRAY_LEN(CASES)].bytes, true);
    log_slots_close(&t->slots);
    trim(t, t->seq, true);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        put(t, CASES[i].bytes, true); /* once more: the row's size is settled */
        log_slots_close(&t->slots);
    }
    trim(t, t->seq, true);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int64_t before = db_wal_bytes(t->db);
        put(t, CASES[i].bytes, true);
        log_slots_close(&t->slots);
        assert_int_equal(db_wal_bytes(t->db) - before, CASES[i].pages * (STORE_PAGE_BYTES + 24));
    }
}

static void slots_of_a_burst_are_given_back(void **state)
{
    struct slots_test *t = *state;
    for (int i = 0; i < 300; i++)
        put(t, 1900, true);
    log_slots_close(&t->slots);
    trim(t, t->seq, true);
    for (int burst = 0; burst < 2; burst++) {
        for (int i = 0; i < 20; i++)
            put(t, 1900, true);
        log_slots_close(&t->slots);
        trim(t, t->seq, true);
    }
    assert_in_range(rows(t), 20, 60);
    load_again(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_and_not_trimmed_comes_back_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_commit_writes_the_pages_of_its_record_and_no_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slots_of_a_burst_are_given_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
