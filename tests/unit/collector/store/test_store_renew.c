/* At the end head.db is written anew, without the log and with extents merged: it is as large as what it has, and all of that is there. */
#include "tests/unit/collector/store/store_test.h"

#include "collector/store/store_inside.h"
#include "lib/db/db_test_vfs.h"

enum { ROUNDS = 40, FAR_SERIES = 2 * EXTENT_SERIES_MAX };

static void seal_held(struct store *s, void *ctx)
{
    (void)ctx;
    check_ok(store_seal_held(s));
}

/* ROUNDS samples of m and n, each a commit. */
static void put_some(struct store_fixture *f, int turn)
{
    for (int i = 0; i < ROUNDS; i++) {
        put(f->s, "m", (turn * ROUNDS + i) * 1000, i);
        put(f->s, "n", (turn * ROUNDS + i) * 1000, 0.5);
    }
}

static void must_have(struct store_fixture *f, int turns)
{
    assert_int_equal(count_samples(f->s, "m"), turns * ROUNDS);
    assert_int_equal(count_samples(f->s, "n"), turns * ROUNDS);
}

static void what_is_held_and_what_the_file_has_become_one(void **state)
{
    struct store_fixture *f = *state;
    put_some(f, 0);
    check_ok(store_seal(f->s));
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 1);
    for (int turn = 1; turn < 4; turn++) {
        put_some(f, turn);
        check_ok(store_call(f->s, seal_held, NULL));
    }
    put_some(f, 4); /* in the head still */
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 1);
    assert_true(number_in_file(f, "SELECT count(*) FROM headlog") > 0);
    shut(f);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 1);
    assert_int_equal(number_in_file(f, "SELECT id FROM ext"),
                     6); /* those before were 1 to 5: a new one has a new number */
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM headlog"), 0);
    assert_int_equal(number_in_file(f, "PRAGMA freelist_count"), 0);
    assert_int_equal(number_in_file(f, "SELECT value FROM meta WHERE key = 'log_trimmed'"), 5 * 2 * ROUNDS);
    open_again(f);
    must_have(f, 5);
    put_some(f, 5); /* commits are counted on */
    restart(f);
    must_have(f, 6);
}

static void what_stands_alone_comes_along_as_it_is(void **state)
{
    struct store_fixture *f = *state;
    for (int i = 0; i < FAR_SERIES; i++) { /* the last of them are alone in their group */
        char name[32];
        (void)snprintf(name, sizeof name, "far_%03d", i);
        put(f->s, name, 1000, i);
    }
    check_ok(store_seal(f->s));
    put_some(f, 1);
    check_ok(store_call(f->s, seal_held, NULL));
    put(f->s, "held_alone", 86400000, 7); /* another day */
    shut(f);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext WHERE id <= 2"), 2);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext WHERE min_ms >= 86400000"), 1);
    open_again(f);
    assert_int_equal(count_samples(f->s, "far_000"), 1);
    assert_int_equal(count_samples(f->s, "far_255"), 1);
    assert_int_equal(count_samples(f->s, "held_alone"), 1);
    assert_int_equal(count_samples(f->s, "m"), ROUNDS);
}

static void a_damaged_extent_stays_and_the_others_are_merged(void **state)
{
    struct store_fixture *f = *state;
    static const char *const DAMAGE[] = {"UPDATE ext SET data = zeroblob(length(data)) WHERE id = 2"};
    char file[512], why[512];
    for (int turn = 0; turn < 3; turn++) {
        put_some(f, turn);
        check_ok(store_seal(f->s));
    }
    struct db *db;
    (void)snprintf(file, sizeof file, "%s/head.db", f->folder);
    check_ok(db_open(file, &(struct db_options){.sql = DAMAGE, .sql_count = 1}, &db, why, sizeof why));
    check_ok(db_run(db, 0));
    db_close(db);
    put_some(f, 3);
    shut(f);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext WHERE id = 2"), 1);
    open_again(f);
    must_have(f, 3);
    put_some(f, 4);
    shut(f);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext WHERE id = 2"), 1);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 2);
    open_again(f);
    must_have(f, 4);
}

/* With no room from some write on, nearly each of the stop's once. */
static void without_room_the_file_is_what_it_was_and_the_log_has_the_rest(void **state)
{
    struct store_fixture *f = *state;
    uint64_t last = 1;
    int turns = 0;
    for (uint64_t at = 0; at < last; at++) {
        put_some(f, turns++);
        check_ok(store_seal(f->s));
        put_some(f, turns++);
        check_ok(store_call(f->s, seal_held, NULL));
        bool all = at == 0; /* once with enough room, to count the places */
        db_test_vfs_fail(all ? UINT64_MAX / 2 : at - 1, UINT64_MAX / 4, ENOSPC);
        shut(f);
        last = all ? db_test_vfs_attempts() : last;
        assert_true(all == (db_test_vfs_failed() == 0));
        db_test_vfs_fail(0, 0, ENOSPC);
        open_again(f);
        must_have(f, turns);
        at += at / 4;
    }
    assert_true(last > 10);
}

static int install(void **state)
{
    (void)state;
    return db_test_vfs_install();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_held_and_what_the_file_has_become_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_stands_alone_comes_along_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_extent_stays_and_the_others_are_merged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_room_the_file_is_what_it_was_and_the_log_has_the_rest, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("collector/store renew", tests, install, NULL);
}
