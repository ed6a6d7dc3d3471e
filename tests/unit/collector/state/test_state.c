/* The state writer: order, isolation of a failing change, durability, migrations of rooms. */
#include "tests/support/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "collector/state/state.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/thread.h"

enum { SQL_PUT, SQL_COUNT_ROWS, SQL_GET };
static const char *const SQL[] = {
    [SQL_PUT] = "INSERT INTO t_item(k, v) VALUES(?1, ?2)",
    [SQL_COUNT_ROWS] = "SELECT count(*) FROM t_item",
    [SQL_GET] = "SELECT v FROM t_item WHERE k = ?1",
};
static const char *const MIGRATIONS[] = {"CREATE TABLE t_item(k INTEGER PRIMARY KEY, v INTEGER)", NULL};
static const struct state_room ITEMS = {"items", SQL, ARRAY_LEN(SQL), MIGRATIONS};

static const char *const OTHER_SQL[] = {"INSERT INTO o_log(at) VALUES(?1)", "SELECT count(*) FROM o_log"};
static const char *const OTHER_MIGRATIONS[] = {"CREATE TABLE o_log(at INTEGER)", NULL};
static const struct state_room OTHER = {"other", OTHER_SQL, ARRAY_LEN(OTHER_SQL), OTHER_MIGRATIONS};
static const struct state_room *const ROOMS[] = {&OTHER, &ITEMS};

struct put {
    int base;
    int64_t k, v;
    int then; /* what the change returns after its statement */
    int result;
};

static struct state *open_state(const char *dir)
{
    char why[256];
    struct state *st = NULL;
    int r = state_open(dir, ROOMS, ARRAY_LEN(ROOMS), &st, why, sizeof why);
    if (r < 0)
        check_failed("state_open: %s", why);
    return st;
}

static int put_change(struct db *db, void *arg)
{
    struct put *p = arg;
    db_bind_i64(db, p->base + SQL_PUT, 1, p->k);
    db_bind_i64(db, p->base + SQL_PUT, 2, p->v);
    int r = db_run(db, p->base + SQL_PUT);
    return r < 0 ? r : p->then;
}

static int put(struct state *st, int64_t k, int64_t v, int then)
{
    struct put p = {.base = state_base(st, &ITEMS), .k = k, .v = v, .then = then};
    return state_run(st, put_change, &p);
}

struct query {
    int statement;
    int64_t k, value;
};
static int query_change(struct db *db, void *arg)
{
    struct query *q = arg;
    if (q->k)
        db_bind_i64(db, q->statement, 1, q->k);
    int r = db_step(db, q->statement);
    if (r > 0)
        q->value = db_i64(db, q->statement, 0);
    db_reset(db, q->statement);
    return r < 0 ? r : 0;
}
static int64_t query(struct state *st, int sql, int64_t k)
{
    struct query q = {.statement = state_base(st, &ITEMS) + sql, .k = k, .value = -1};
    check_ok(state_run(st, query_change, &q));
    return q.value;
}

static void state_runs_changes_of_every_room_with_its_own_statements(void **unused)
{
    (void)unused;
    struct state *st = open_state(NULL);
    check_ok(put(st, 1, 42, 0));
    assert_int_equal(query(st, SQL_GET, 1), 42);
    struct query q = {.statement = state_base(st, &OTHER) + 1, .value = -1};
    check_ok(state_run(st, query_change, &q));
    assert_int_equal(q.value, 0);
    state_close(st);
}

static void state_undoes_a_failing_change_alone(void **unused)
{
    (void)unused;
    struct state *st = open_state(NULL);
    check_ok(put(st, 1, 1, 0));
    check_errno(put(st, 2, 2, -EINVAL), -EINVAL); /* inserted, then refused by its owner */
    check_errno(put(st, 1, 9, 0), -EEXIST);       /* refused by SQLite */
    check_ok(put(st, 3, 3, 0));
    assert_int_equal(query(st, SQL_COUNT_ROWS, 0), 2);
    assert_int_equal(query(st, SQL_GET, 1), 1);
    assert_int_equal(query(st, SQL_GET, 2), -1);
    state_close(st);
}

/* Holds the writer, so that what is submitted meanwhile is queued together. */
struct gate {
    pthread_mutex_t lock;
};
static int gate_change(struct db *db, void *arg)
{
    (void)db;
    struct gate *g = arg;
    pthread_mutex_lock(&g->lock);
    pthread_mutex_unlock(&g->lock);
    return 0;
}

static atomic_int done_at;
struct tracked {
    struct put put;
    int order;
};
static int tracked_change(struct db *db, void *arg)
{
    return put_change(db, &((struct tracked *)arg)->put);
}
static void tracked_done(void *arg, int result)
{
    struct tracked *t = arg;
    t->put.result = result;
    t->order = atomic_fetch_add(&done_at, 1);
}

static double committed_transactions(const struct state *st)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    struct metric_writer w;
    metric_writer_init(&w, &b, METRIC_TEXT);
    state_stats(st, &w);
    buf_char(&b, '\0');
    const char *at = strstr(b.data, "\ncrest_state_commits_total ");
    assert_non_null(at);
    double v = strtod(at + strlen("\ncrest_state_commits_total "), NULL);
    buf_done(&b);
    return v;
}

static void state_commits_what_is_queued_together_in_order_and_calls_back_after(void **unused)
{
    (void)unused;
    struct state *st = open_state(NULL);
    atomic_store(&done_at, 0);
    struct gate g = {PTHREAD_MUTEX_INITIALIZER};
    pthread_mutex_lock(&g.lock);
    check_ok(state_submit(st, gate_change, &g, NULL));
    struct tracked t[20];
    memset(t, 0, sizeof t);
    for (int i = 0; i < 20; i++) {
        t[i].put = (struct put){.base = state_base(st, &ITEMS), .k = i + 1, .v = i, .then = i == 7 ? -ECANCELED : 0};
        check_ok(state_submit(st, tracked_change, &t[i], tracked_done));
    }
    pthread_mutex_unlock(&g.lock);
    assert_int_equal(query(st, SQL_COUNT_ROWS, 0), 19);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(t[i].put.result, i == 7 ? -ECANCELED : 0);
        assert_int_equal(t[i].order, i);
    }
    /* The gate, the 20 (in the gate's or one further transaction) and the query: far fewer than 22. */
    assert_true(committed_transactions(st) <= 4);
    state_close(st);
}

static void state_close_commits_what_was_queued(void **unused)
{
    (void)unused;
    AUTO_FREE char *dir = NULL;
    check_ok(dir_make_temp("state", &dir));
    struct state *st = open_state(dir);
    struct put p[100];
    for (int i = 0; i < 100; i++) {
        p[i] = (struct put){.base = state_base(st, &ITEMS), .k = i + 1, .v = i};
        check_ok(state_submit(st, put_change, &p[i], NULL));
    }
    state_close(st);
    st = open_state(dir);
    assert_int_equal(query(st, SQL_COUNT_ROWS, 0), 100);
    state_close(st);
    check_ok(dir_remove(dir));
}

static struct state *many_state;
static void many_main(void *arg)
{
    int64_t first = (int64_t)(intptr_t)arg;
    for (int64_t k = first; k < first + 50; k++)
        check_ok(put(many_state, k, k, 0));
}

static void state_serves_many_threads(void **unused)
{
    (void)unused;
    many_state = open_state(NULL);
    struct thread *t[4];
    for (int i = 0; i < 4; i++)
        check_ok(thread_start("many", many_main, (void *)(intptr_t)(1 + 1000 * i), &t[i]));
    for (int i = 0; i < 4; i++)
        thread_join(t[i]);
    assert_int_equal(query(many_state, SQL_COUNT_ROWS, 0), 200);
    state_close(many_state);
}

static void state_migrates_each_room_from_its_own_version(void **unused)
{
    (void)unused;
    AUTO_FREE char *dir = NULL;
    check_ok(dir_make_temp("state", &dir));
    struct state *st = open_state(dir);
    check_ok(put(st, 1, 5, 0));
    state_close(st);

    const char *const more[] = {MIGRATIONS[0], "ALTER TABLE t_item ADD COLUMN w INTEGER NOT NULL DEFAULT 7", NULL};
    const char *const sql[] = {"SELECT v + w FROM t_item WHERE k = ?1"};
    const struct state_room newer = {"items", sql, 1, more};
    const struct state_room *const rooms[] = {&newer};
    char why[256];
    check_ok(state_open(dir, rooms, 1, &st, why, sizeof why));
    struct query q = {.statement = state_base(st, &newer), .k = 1, .value = -1};
    check_ok(state_run(st, query_change, &q));
    assert_int_equal(q.value, 12);
    state_close(st);

    /* The older program refuses the newer room's tables instead of writing into them. */
    check_errno(state_open(dir, ROOMS, ARRAY_LEN(ROOMS), &st, why, sizeof why), -EOVERFLOW);
    check_contains(why, "'items'");
    check_contains(why, "newer version");
    check_ok(dir_remove(dir));
}

static void state_says_why_it_cannot_open(void **unused)
{
    (void)unused;
    AUTO_FREE char *dir = NULL;
    check_ok(dir_make_temp("state", &dir));
    AUTO_FREE char *path = NULL;
    assert_true(asprintf(&path, "%s/state.db", dir) > 0);
    static const char junk[8192] = "this is not a database";
    check_ok(file_write(path, junk, sizeof junk));
    struct state *st = NULL;
    char why[256];
    check_errno(state_open(dir, ROOMS, ARRAY_LEN(ROOMS), &st, why, sizeof why), -EUCLEAN);
    check_contains(why, "state.db");
    check_ok(dir_remove(dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_runs_changes_of_every_room_with_its_own_statements),
        cmocka_unit_test(state_undoes_a_failing_change_alone),
        cmocka_unit_test(state_commits_what_is_queued_together_in_order_and_calls_back_after),
        cmocka_unit_test(state_close_commits_what_was_queued),
        cmocka_unit_test(state_serves_many_threads),
        cmocka_unit_test(state_migrates_each_room_from_its_own_version),
        cmocka_unit_test(state_says_why_it_cannot_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
