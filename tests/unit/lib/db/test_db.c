/* What every user of lib/db relies on: errors that name their cause, transactions that are all or nothing,
 * migrations. */
#include "lib/db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { SQL_PUT, SQL_GET, SQL_COUNT_ROWS, SQL_BROKEN, SQL_TWO, SQL_N };
static const char *const SQL[SQL_N] = {
    [SQL_PUT] = "INSERT INTO kv(k, v) VALUES(?1, ?2)",
    [SQL_GET] = "SELECT k, v FROM kv WHERE ?1 IS NULL OR k = ?1 ORDER BY k",
    [SQL_COUNT_ROWS] = "SELECT count(*) FROM kv",
    [SQL_BROKEN] = "SELEKT 1",
    [SQL_TWO] = "DELETE FROM kv; DELETE FROM kv",
};
static const char *const V1[] = {"CREATE TABLE kv(k TEXT PRIMARY KEY, v) WITHOUT ROWID", NULL};
static const char *const V2[] = {
    "CREATE TABLE kv(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
    "ALTER TABLE kv ADD COLUMN note TEXT; UPDATE kv SET note = 'from v1'",
    NULL,
};
static const char *const V3_BROKEN[] = {
    "CREATE TABLE kv(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
    "ALTER TABLE kv ADD COLUMN note TEXT; UPDATE kv SET note = 'from v1'",
    "CREATE TABLE more(x); INSERT INTO nowhere VALUES(1)",
    NULL,
};
static const struct db_options PLAIN = {
    .sql = SQL, .sql_count = SQL_N, .migrations = V1, .application_id = 0xC2E57001u};

struct fixture {
    char folder[64], path[PATH_MAX], other[PATH_MAX], why[512];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/crest-db-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof f->path, "%s/a.db", f->folder);
    (void)snprintf(f->other, sizeof f->other, "%s/b.db", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    static const char *const SUFFIX[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_LEN(SUFFIX); i++) {
        char name[PATH_MAX + 16];
        (void)snprintf(name, sizeof name, "%s%s", f->path, SUFFIX[i]);
        (void)unlink(name);
        (void)snprintf(name, sizeof name, "%s%s", f->other, SUFFIX[i]);
        (void)unlink(name);
    }
    int r = rmdir(f->folder);
    free(f);
    return r;
}

static struct db *open_ok(struct fixture *f, const char *path, const struct db_options *options)
{
    struct db *db = NULL;
    int r = db_open(path, options, &db, f->why, sizeof f->why);
    if (r < 0)
        fail_msg("db_open: %d %s", r, f->why);
    return db;
}

static int put(struct db *db, const char *k, int64_t v)
{
    db_bind_text(db, SQL_PUT, 1, span_str(k));
    db_bind_i64(db, SQL_PUT, 2, v);
    return db_run(db, SQL_PUT);
}

static int64_t rows(struct db *db)
{
    assert_int_equal(db_step(db, SQL_COUNT_ROWS), 1);
    int64_t n = db_i64(db, SQL_COUNT_ROWS, 0);
    assert_int_equal(db_step(db, SQL_COUNT_ROWS), 0);
    return n;
}

static bool text_is(struct span s, const char *want)
{
    return s.ptr && s.len == strlen(want) && memcmp(s.ptr, want, s.len) == 0;
}

static void db_keeps_rows_of_every_type_over_a_reopen(void **state)
{
    struct fixture *f = *state;
    struct db *db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(put(db, "a_int", INT64_MIN), 0);
    db_bind_text(db, SQL_PUT, 1, SPAN("b_float"));
    db_bind_f64(db, SQL_PUT, 2, 0.1);
    assert_int_equal(db_run(db, SQL_PUT), 0);
    db_bind_text(db, SQL_PUT, 1, SPAN("c_text"));
    db_bind_text(db, SQL_PUT, 2, SPAN("h\303\251\0x"));
    assert_int_equal(db_run(db, SQL_PUT), 0);
    db_bind_text(db, SQL_PUT, 1, SPAN("d_blob"));
    db_bind_blob(db, SQL_PUT, 2, "\0\1\2", 3);
    assert_int_equal(db_run(db, SQL_PUT), 0);
    db_bind_text(db, SQL_PUT, 1, SPAN("e_empty"));
    db_bind_blob(db, SQL_PUT, 2, "", 0);
    assert_int_equal(db_run(db, SQL_PUT), 0);
    db_bind_text(db, SQL_PUT, 1, SPAN("f_null"));
    db_bind_text(db, SQL_PUT, 2, span_of(NULL, 0));
    assert_int_equal(db_run(db, SQL_PUT), 0);
    db_close(db);

    db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(db_step(db, SQL_GET), 1);
    assert_true(text_is(db_text(db, SQL_GET, 0), "a_int"));
    assert_true(db_i64(db, SQL_GET, 1) == INT64_MIN);
    assert_int_equal(db_step(db, SQL_GET), 1);
    assert_true(db_f64(db, SQL_GET, 1) == 0.1);
    assert_int_equal(db_step(db, SQL_GET), 1);
    assert_int_equal(db_text(db, SQL_GET, 1).len, 5);
    assert_memory_equal(db_text(db, SQL_GET, 1).ptr, "h\303\251\0x", 5);
    assert_int_equal(db_step(db, SQL_GET), 1);
    assert_int_equal(db_blob(db, SQL_GET, 1).len, 3);
    assert_memory_equal(db_blob(db, SQL_GET, 1).ptr, "\0\1\2", 3);
    assert_int_equal(db_step(db, SQL_GET), 1);
    assert_false(db_is_null(db, SQL_GET, 1));
    assert_non_null(db_blob(db, SQL_GET, 1).ptr);
    assert_int_equal(db_blob(db, SQL_GET, 1).len, 0);
    assert_int_equal(db_step(db, SQL_GET), 1);
    assert_true(db_is_null(db, SQL_GET, 1));
    assert_null(db_blob(db, SQL_GET, 1).ptr);
    assert_null(db_text(db, SQL_GET, 1).ptr);
    assert_int_equal(db_step(db, SQL_GET), 0);
    db_close(db);
}

static void db_unbinds_at_a_reset_so_that_no_old_value_is_used(void **state)
{
    struct db *db = open_ok(*state, NULL, &PLAIN);
    assert_int_equal(put(db, "a", 1), 0);
    assert_int_equal(put(db, "b", 2), 0);
    db_bind_text(db, SQL_GET, 1, SPAN("b"));
    assert_int_equal(db_step(db, SQL_GET), 1);
    assert_true(text_is(db_text(db, SQL_GET, 0), "b"));
    db_reset(db, SQL_GET);
    assert_int_equal(db_step(db, SQL_GET), 1); /* ?1 is NULL again: all rows */
    assert_true(text_is(db_text(db, SQL_GET, 0), "a"));
    db_reset(db, SQL_GET);
    db_close(db);
}

static void db_reports_wrong_statements_and_binds_at_the_next_run(void **state)
{
    struct db *db = open_ok(*state, NULL, &PLAIN);
    assert_int_equal(db_run(db, SQL_BROKEN), -EINVAL);
    assert_non_null(strstr(db_why(db), "SELEKT"));
    assert_int_equal(db_run(db, SQL_TWO), -EINVAL); /* the second statement would never run */
    db_bind_text(db, SQL_PUT, 1, SPAN("k"));
    db_bind_i64(db, SQL_PUT, 3, 1);
    assert_int_equal(db_run(db, SQL_PUT), -EINVAL);
    assert_int_equal(rows(db), 0);
    assert_int_equal(put(db, "k", 1), 0); /* the failure is forgotten */
    db_close(db);
}

static void db_says_which_constraint_failed_and_keeps_the_transaction(void **state)
{
    struct db *db = open_ok(*state, NULL, &PLAIN);
    assert_int_equal(db_begin(db), 0);
    assert_true(db_in_transaction(db));
    assert_int_equal(put(db, "a", 1), 0);
    assert_int_equal(put(db, "a", 2), -EEXIST);
    assert_non_null(strstr(db_why(db), "kv.k"));
    assert_true(db_in_transaction(db));
    assert_int_equal(put(db, "b", 2), 0);
    assert_int_equal(db_changes(db), 1);
    assert_int_equal(db_commit(db), 0);
    assert_false(db_in_transaction(db));
    assert_int_equal(rows(db), 2);
    db_close(db);
}

static void db_rolls_back_all_of_a_transaction(void **state)
{
    struct fixture *f = *state;
    struct db *db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(put(db, "before", 1), 0);
    assert_int_equal(db_begin(db), 0);
    assert_int_equal(put(db, "a", 1), 0);
    db_rollback(db);
    assert_int_equal(rows(db), 1);
    assert_int_equal(db_commit(db), -EINVAL); /* there is none */
    assert_int_equal(db_begin(db), 0);
    assert_int_equal(put(db, "b", 1), 0);
    db_close(db); /* without a commit */
    db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(rows(db), 1);
    db_close(db);
}

static void db_maps_a_full_database_to_enospc_and_goes_on_afterwards(void **state)
{
    struct fixture *f = *state;
    struct db *db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(put(db, "kept", 1), 0);
    assert_int_equal(db_exec(db, "PRAGMA max_page_count = 8"), 0);
    static char page[8192];
    int r = db_begin(db);
    for (int i = 0; r == 0 && i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        db_bind_text(db, SQL_PUT, 1, span_str(key));
        db_bind_blob(db, SQL_PUT, 2, page, sizeof page);
        r = db_run(db, SQL_PUT);
    }
    assert_int_equal(r, -ENOSPC);
    assert_non_null(strstr(db_why(db), "full"));
    db_rollback(db);
    assert_int_equal(rows(db), 1);
    assert_int_equal(db_exec(db, "PRAGMA max_page_count = 1000"), 0);
    assert_int_equal(put(db, "after", 1), 0);
    db_close(db);
    db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(rows(db), 2);
    db_close(db);
}

static void db_maps_a_failing_write_to_eio_and_loses_nothing_committed(void **state)
{
    struct fixture *f = *state;
    struct db *db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(put(db, "kept", 1), 0);
    /* The kernel refuses writes beyond the limit (EFBIG): to SQLite that is a failing disk. */
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 64 << 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    static char big[200000];
    db_bind_text(db, SQL_PUT, 1, SPAN("big"));
    db_bind_blob(db, SQL_PUT, 2, big, sizeof big);
    int r = db_run(db, SQL_PUT);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, before);
    assert_int_equal(r, -EIO);
    assert_string_equal(db_why(db), "disk I/O error");
    assert_int_equal(rows(db), 1);
    assert_int_equal(put(db, "after", 1), 0);
    db_close(db);
    db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(rows(db), 2);
    assert_int_equal(db_quick_check(db), 0);
    db_close(db);
}

static void db_migrates_an_old_file_in_one_step_and_only_once(void **state)
{
    struct fixture *f = *state;
    struct db *db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(put(db, "a", 1), 0);
    db_close(db);
    struct db_options newer = PLAIN;
    newer.migrations = V2;
    for (int i = 0; i < 2; i++) {
        db = open_ok(f, f->path, &newer);
        assert_int_equal(db_exec(db, "INSERT INTO kv(k, note) VALUES(hex(randomblob(8)), 'new')"), 0);
        assert_int_equal(rows(db), 2 + i);
        db_close(db);
    }
}

static void db_leaves_the_old_schema_when_a_migration_fails(void **state)
{
    struct fixture *f = *state;
    struct db *db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(put(db, "a", 1), 0);
    db_close(db);
    struct db_options broken = PLAIN;
    broken.migrations = V3_BROKEN;
    struct db *none = NULL;
    assert_int_equal(db_open(f->path, &broken, &none, f->why, sizeof f->why), -EINVAL);
    assert_null(none);
    assert_non_null(strstr(f->why, "schema version 3"));
    assert_non_null(strstr(f->why, "nowhere"));
    db = open_ok(f, f->path, &PLAIN); /* still version 1: the step to 2 was undone as well */
    assert_int_equal(db_exec(db, "UPDATE kv SET note = ''"), -EINVAL);
    assert_int_equal(rows(db), 1);
    db_close(db);
}

static void db_refuses_a_migration_that_breaks_foreign_keys(void **state)
{
    struct fixture *f = *state;
    static const char *const FIRST[] = {"CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id));"
                                        "INSERT INTO p VALUES(1); INSERT INTO c VALUES(1)",
                                        NULL};
    const char *const lossy[] = {FIRST[0], "DELETE FROM p", NULL};
    const char *const rebuild[] = {FIRST[0],
                                   "CREATE TABLE q(id INTEGER PRIMARY KEY, x); INSERT INTO q(id) SELECT id FROM p;"
                                   "DROP TABLE p; ALTER TABLE q RENAME TO p",
                                   NULL};
    struct db_options options = {.migrations = FIRST};
    db_close(open_ok(f, f->path, &options));
    options.migrations = lossy;
    struct db *none = NULL;
    assert_int_equal(db_open(f->path, &options, &none, f->why, sizeof f->why), -EUCLEAN);
    assert_non_null(strstr(f->why, "'c'"));
    options.migrations = rebuild;
    struct db *db = open_ok(f, f->path, &options);
    assert_int_equal(db_exec(db, "DELETE FROM p"), -EEXIST); /* keys are enforced again */
    db_close(db);
}

static void db_refuses_what_is_not_its_own(void **state)
{
    struct fixture *f = *state;
    struct db_options newer = PLAIN, other = PLAIN;
    newer.migrations = V2;
    other.application_id = 0x12345678;
    db_close(open_ok(f, f->path, &newer));
    struct db *none = NULL;
    assert_int_equal(db_open(f->path, &PLAIN, &none, f->why, sizeof f->why), -EOVERFLOW);
    assert_non_null(strstr(f->why, "schema version 2 is newer"));
    assert_int_equal(db_open(f->path, &other, &none, f->why, sizeof f->why), -EUCLEAN);
    assert_non_null(strstr(f->why, "0xc2e57001"));

    int fd = open(f->other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    static char text[4096] = "this is a text file, not a database";
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    close(fd);
    assert_int_equal(db_open(f->other, &PLAIN, &none, f->why, sizeof f->why), -EUCLEAN);
    assert_non_null(strstr(f->why, "not a database"));
    assert_int_equal(db_open("/nonexistent/x.db", &PLAIN, &none, f->why, sizeof f->why), -ENOENT);
    assert_non_null(strstr(f->why, "/nonexistent/x.db"));
    struct db_options odd = PLAIN;
    odd.page_bytes = 5000;
    assert_int_equal(db_open(NULL, &odd, &none, f->why, sizeof f->why), -EINVAL);
    assert_null(none);
}

static void db_lets_readers_read_but_not_write(void **state)
{
    struct fixture *f = *state;
    struct db_options reading = PLAIN;
    reading.read_only = true;
    struct db *none = NULL;
    assert_int_equal(db_open(f->path, &reading, &none, f->why, sizeof f->why), -ENOENT);

    struct db *writer = open_ok(f, f->path, &PLAIN);
    struct db *reader = open_ok(f, f->path, &reading);
    assert_int_equal(put(writer, "a", 1), 0);
    assert_int_equal(rows(reader), 1); /* committed is visible at once */
    assert_int_equal(put(reader, "b", 1), -EROFS);
    assert_int_equal(db_checkpoint(reader, false), -EROFS);

    /* A walk in progress sees its snapshot and holds the log back. */
    assert_int_equal(db_step(reader, SQL_GET), 1);
    assert_int_equal(put(writer, "c", 1), 0);
    assert_true(db_wal_bytes(writer) > 0);
    assert_int_equal(db_checkpoint(writer, false), -EBUSY);
    assert_int_equal(db_step(reader, SQL_GET), 0);
    assert_int_equal(db_checkpoint(writer, true), 0);
    assert_int_equal(db_wal_bytes(writer), 0);

    struct db_options ahead = reading;
    ahead.migrations = V2;
    assert_int_equal(db_open(f->path, &ahead, &none, f->why, sizeof f->why), -ENODATA);
    db_close(writer);
    assert_int_equal(rows(reader), 2);
    db_close(reader);
}

static void db_sets_the_pragmas_that_the_design_asks_for(void **state)
{
    struct fixture *f = *state;
    static const char *const PRAGMAS[] = {
        "PRAGMA journal_mode", "PRAGMA synchronous",    "PRAGMA secure_delete",      "PRAGMA wal_autocheckpoint",
        "PRAGMA foreign_keys", "PRAGMA trusted_schema", "PRAGMA cell_size_check",    "PRAGMA page_size",
        "PRAGMA cache_size",   "PRAGMA user_version",   "PRAGMA journal_size_limit",
    };
    static const char *const WANT[] = {"wal", "2", "0", "0", "1", "0", "1", "16384", "-512", "1", "4194304"};
    struct db_options options = {.sync = DB_SYNC_FULL,
                                 .page_bytes = 16384,
                                 .cache_kib = 512,
                                 .migrations = V1,
                                 .sql = PRAGMAS,
                                 .sql_count = ARRAY_LEN(PRAGMAS)};
    struct db *db = open_ok(f, f->path, &options);
    for (int i = 0; i < (int)ARRAY_LEN(PRAGMAS); i++) {
        assert_int_equal(db_step(db, i), 1);
        if (!text_is(db_text(db, i, 0), WANT[i]))
            fail_msg("%s is " SPAN_FMT ", not %s", PRAGMAS[i], SPAN_ARG(db_text(db, i, 0)), WANT[i]);
        db_reset(db, i);
    }
    db_close(db);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0007, 0);
}

static void db_backs_up_while_in_use(void **state)
{
    struct fixture *f = *state;
    struct db *db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(put(db, "a", 1), 0);
    assert_int_equal(db_backup(db, f->other), 0);
    assert_int_equal(put(db, "b", 1), 0);
    assert_int_equal(db_backup(db, f->other), -EEXIST);
    struct db *copy = open_ok(f, f->other, &PLAIN); /* same application and version */
    assert_int_equal(rows(copy), 1);
    assert_int_equal(db_quick_check(copy), 0);
    db_close(copy);
    assert_int_equal(db_backup(db, "/nonexistent/copy.db"), -ENOENT);
    db_close(db);
}

static bool is_not_two(void *ctx, int64_t key)
{
    ++*(int *)ctx;
    return key != 2;
}

static void rows_are_copied_as_they_are_but_those_that_are_not_wanted(void **state)
{
    struct fixture *f = *state;
    static const char *const TABLES[] = {"CREATE TABLE t(id INTEGER PRIMARY KEY, v)", NULL};
    static const char *const STATEMENTS[] = {
        "INSERT INTO t(id, v) VALUES(1, x'00ff'), (2, 'two'), (3, NULL), (-4, 0.5), (5, '')",
        "INSERT INTO t(id, v) VALUES(5, 'replaced'), (6, 'stays')",
        "SELECT group_concat(id || '=' || typeof(v) || coalesce(quote(v), ''), ' ') FROM (SELECT * FROM t ORDER BY "
        "id)"};
    const struct db_options options = {.migrations = TABLES, .sql = STATEMENTS, .sql_count = ARRAY_LEN(STATEMENTS)};
    struct db *from = open_ok(f, f->path, &options), *to = open_ok(f, NULL, &options);
    int asked = 0;
    assert_int_equal(db_run(from, 0), 0);
    assert_int_equal(db_run(to, 1), 0);
    assert_int_equal(db_copy_rows(from, to, "t", is_not_two, &asked), 0);
    assert_int_equal(asked, 5);
    assert_int_equal(db_step(to, 2), 1);
    assert_true(span_equal(db_text(to, 2, 0), SPAN("-4=real0.5 1=blobX'00FF' 3=nullNULL 5=text'' 6=text'stays'")));
    db_reset(to, 2);
    assert_int_equal(db_copy_rows(from, to, "t", NULL, NULL), 0);
    assert_int_equal(db_copy_rows(from, to, "nothing", NULL, NULL), -EINVAL);
    db_close(from);
    db_close(to);
}

static void one_database_takes_the_place_of_another_in_one_transaction(void **state)
{
    struct fixture *f = *state;
    struct db_options scratch = PLAIN, reading = PLAIN;
    scratch.bulk = true;
    reading.read_only = true;
    struct db *db = open_ok(f, f->path, &PLAIN), *fresh = open_ok(f, "", &scratch);
    assert_int_equal(put(db, "old", 1), 0);
    assert_int_equal(put(fresh, "a", 1), 0);
    assert_int_equal(put(fresh, "b", 2), 0);
    struct db *reader = open_ok(f, f->path, &reading);
    assert_int_equal(db_step(reader, SQL_GET), 1); /* and goes on reading the old one */
    assert_int_equal(db_replace(db, fresh), 0);
    assert_int_equal(rows(db), 2);
    assert_int_equal(rows(fresh), 2);
    assert_int_equal(rows(reader), 1);
    db_reset(reader, SQL_GET);
    assert_int_equal(rows(reader), 2);
    db_close(reader);
    db_close(fresh);
    db_close(db);
    db = open_ok(f, f->path, &PLAIN); /* its version and application are those of the other */
    assert_int_equal(rows(db), 2);
    assert_int_equal(db_quick_check(db), 0);
    scratch.page_bytes = 8192;
    fresh = open_ok(f, "", &scratch);
    assert_true(db_replace(db, fresh) < 0);
    assert_int_equal(rows(db), 2);
    db_close(fresh);
    db_close(db);
}

static void db_quick_check_finds_a_damaged_page(void **state)
{
    struct fixture *f = *state;
    struct db *db = open_ok(f, f->path, &PLAIN);
    static char blob[3000];
    memset(blob, 'x', sizeof blob);
    assert_int_equal(db_begin(db), 0);
    for (int i = 0; i < 50; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%02d", i);
        db_bind_text(db, SQL_PUT, 1, span_str(key));
        db_bind_blob(db, SQL_PUT, 2, blob, sizeof blob);
        assert_int_equal(db_run(db, SQL_PUT), 0);
    }
    assert_int_equal(db_commit(db), 0);
    assert_int_equal(db_quick_check(db), 0);
    db_close(db);
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    static const char junk[64] = {(char)0xff, (char)0xff, (char)0xff};
    assert_int_equal(pwrite(fd, junk, sizeof junk, 5 * 4096), sizeof junk);
    close(fd);
    db = open_ok(f, f->path, &PLAIN);
    assert_int_equal(db_quick_check(db), -EUCLEAN);
    assert_true(strlen(db_why(db)) > 0);
    db_close(db);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(db_keeps_rows_of_every_type_over_a_reopen),
        TEST(db_unbinds_at_a_reset_so_that_no_old_value_is_used),
        TEST(db_reports_wrong_statements_and_binds_at_the_next_run),
        TEST(db_says_which_constraint_failed_and_keeps_the_transaction),
        TEST(db_rolls_back_all_of_a_transaction),
        TEST(db_maps_a_full_database_to_enospc_and_goes_on_afterwards),
        TEST(db_maps_a_failing_write_to_eio_and_loses_nothing_committed),
        TEST(db_migrates_an_old_file_in_one_step_and_only_once),
        TEST(db_leaves_the_old_schema_when_a_migration_fails),
        TEST(db_refuses_a_migration_that_breaks_foreign_keys),
        TEST(db_refuses_what_is_not_its_own),
        TEST(db_lets_readers_read_but_not_write),
        TEST(db_sets_the_pragmas_that_the_design_asks_for),
        TEST(db_backs_up_while_in_use),
        TEST(rows_are_copied_as_they_are_but_those_that_are_not_wanted),
        TEST(one_database_takes_the_place_of_another_in_one_transaction),
        TEST(db_quick_check_finds_a_damaged_page),
    };
    return cmocka_run_group_tests_name("lib/db", tests, NULL, NULL);
}
