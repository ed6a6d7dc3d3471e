/* The pool of database sessions: taken, waited for, given back, resized; nobody waits for ever and none is lost. */
#include "shop/pool.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/thread.h"
#include "tests/support/check.h"

static struct pool_counts counts(struct pool *p)
{
    struct pool_counts c;
    pool_count(p, &c);
    return c;
}

static void an_exhausted_pool_makes_wait_and_gives_up(void **state UNUSED)
{
    struct pool *p = NULL;
    int64_t waited = -1;
    check_ok(pool_new(2, &p));
    check_ok(pool_take(p, 1000, &waited));
    check_ok(pool_take(p, 1000, &waited));
    assert_in_range(waited, 0, 900000);
    assert_int_equal(counts(p).used, 2);
    check_errno(pool_take(p, 30, &waited), -ETIMEDOUT);
    assert_true(waited >= 30000);
    assert_int_equal(counts(p).used, 2);
    assert_int_equal(counts(p).waiting, 0);
    pool_give(p);
    check_ok(pool_take(p, 0, &waited));
    check_errno(pool_take(p, 0, &waited), -ETIMEDOUT);
    pool_free(p);
}

static void idle_in_transaction_is_counted(void **state UNUSED)
{
    struct pool *p = NULL;
    check_ok(pool_new(2, &p));
    pool_idle_in_transaction(p, 1);
    pool_idle_in_transaction(p, 1);
    assert_int_equal(counts(p).idle_in_transaction, 2);
    pool_idle_in_transaction(p, -1);
    assert_int_equal(counts(p).idle_in_transaction, 1);
    pool_free(p);
}

struct worker {
    struct pool *pool;
    struct thread *thread;
    atomic_int *inside, *most, *served;
};

static void work(void *arg)
{
    struct worker *w = arg;
    int64_t waited;
    for (int i = 0; i < 20; i++) {
        if (pool_take(w->pool, 10000, &waited) < 0)
            continue;
        int now = atomic_fetch_add(w->inside, 1) + 1, most = atomic_load(w->most);
        while (now > most && !atomic_compare_exchange_weak(w->most, &most, now))
            ;
        sleep_us(300);
        atomic_fetch_sub(w->inside, 1);
        atomic_fetch_add(w->served, 1);
        pool_give(w->pool);
    }
}

static void everybody_is_served_and_never_more_than_its_size_at_once(void **state UNUSED)
{
    enum { WORKERS_HERE = 12 };
    struct pool *p = NULL;
    struct worker workers[WORKERS_HERE];
    atomic_int inside = 0, most = 0, served = 0;
    check_ok(pool_new(3, &p));
    for (size_t i = 0; i < WORKERS_HERE; i++) {
        workers[i] = (struct worker){.pool = p, .inside = &inside, .most = &most, .served = &served};
        check_ok(thread_start("worker", work, &workers[i], &workers[i].thread));
    }
    for (size_t i = 0; i < WORKERS_HERE; i++)
        thread_join(workers[i].thread);
    assert_int_equal(served, WORKERS_HERE * 20);
    assert_int_equal(most, 3);
    assert_int_equal(counts(p).used, 0);
    pool_free(p);
}

static void take_one(void *arg)
{
    struct worker *w = arg;
    int64_t waited;
    if (pool_take(w->pool, 10000, &waited) == 0)
        atomic_fetch_add(w->served, 1);
}

static void a_larger_pool_wakes_those_who_wait(void **state UNUSED)
{
    struct pool *p = NULL;
    struct worker workers[3];
    atomic_int served = 0;
    int64_t waited, since = mono_us();
    check_ok(pool_new(1, &p));
    check_ok(pool_take(p, 0, &waited));
    for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
        workers[i] = (struct worker){.pool = p, .served = &served};
        check_ok(thread_start("worker", take_one, &workers[i], &workers[i].thread));
    }
    while (counts(p).waiting < ARRAY_LEN(workers))
        sleep_us(1000);
    pool_resize(p, 4);
    for (size_t i = 0; i < ARRAY_LEN(workers); i++)
        thread_join(workers[i].thread);
    assert_int_equal(served, 3);
    assert_true(mono_us() - since < 9000000);
    pool_resize(p, 2); /* those in use are not taken away */
    assert_int_equal(counts(p).used, 4);
    assert_int_equal(counts(p).max, 2);
    pool_give(p);
    pool_give(p);
    check_errno(pool_take(p, 0, &waited), -ETIMEDOUT);
    pool_give(p);
    check_ok(pool_take(p, 0, &waited));
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exhausted_pool_makes_wait_and_gives_up),
        cmocka_unit_test(idle_in_transaction_is_counted),
        cmocka_unit_test(everybody_is_served_and_never_more_than_its_size_at_once),
        cmocka_unit_test(a_larger_pool_wakes_those_who_wait),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
