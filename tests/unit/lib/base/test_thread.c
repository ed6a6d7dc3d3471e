#include "tests/support/check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/thread.h"

static void look_around(void *arg)
{
    char *name = arg;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    pthread_getname_np(pthread_self(), name, 16);
    name[15] = (char)(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP));
}

static void threads_carry_their_name_and_block_signals(void **state)
{
    (void)state;
    struct thread *t;
    char name[16] = "";
    check_ok(thread_start("a-name-that-is-too-long", look_around, name, &t));
    thread_join(t);
    assert_memory_equal(name, "a-name-that-is-", 15);
    assert_int_equal(name[15], 1);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM)); /* ours is as before */
    thread_join(NULL);
    assert_true(thread_cpu_count() >= 1);
}

static void queue_is_first_in_first_out_and_bounded(void **state)
{
    (void)state;
    struct queue *q;
    int items[5];
    void *got[8];
    check_errno(queue_new(0, &q), -EINVAL);
    check_ok(queue_new(3, &q));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            check_ok(queue_push(q, &items[i]));
        check_errno(queue_push(q, &items[3]), -EAGAIN);
        assert_int_equal(queue_depth(q), 3);
        assert_int_equal(queue_pop_all(q, got, 2, 0), 2);
        assert_ptr_equal(got[0], &items[0]);
        assert_ptr_equal(got[1], &items[1]);
        check_ok(queue_push(q, &items[4]));
        assert_int_equal(queue_pop_all(q, got, 8, -1), 2);
        assert_ptr_equal(got[0], &items[2]);
        assert_ptr_equal(got[1], &items[4]);
        assert_int_equal(queue_pop_all(q, got, 8, 0), 0);
    }
    queue_free(q);
    queue_free(NULL);
}

static void queue_waits_no_longer_than_told(void **state)
{
    (void)state;
    struct queue *q;
    void *got[1];
    check_ok(queue_new(1, &q));
    int64_t before = mono_us();
    assert_int_equal(queue_pop_all(q, got, 1, 30000), 0);
    int64_t took = mono_us() - before;
    assert_true(took >= 30000 && took < 5000000);
    queue_free(q);
}

static void queue_closed_gives_out_what_it_has_and_takes_no_more(void **state)
{
    (void)state;
    struct queue *q;
    int item;
    void *got[4];
    check_ok(queue_new(4, &q));
    check_ok(queue_push(q, &item));
    assert_false(queue_is_closed(q));
    queue_close(q);
    assert_true(queue_is_closed(q));
    check_errno(queue_push(q, &item), -ESHUTDOWN);
    check_errno(queue_push_wait(q, &item), -ESHUTDOWN);
    assert_int_equal(queue_pop_all(q, got, 4, -1), 1);
    assert_int_equal(queue_pop_all(q, got, 4, -1), 0);
    queue_free(q);
}

#define PRODUCERS 3
#define EACH 20000u

struct crowd {
    struct queue *q;
    atomic_uint next_producer, taken;
    atomic_ulong sum;
    atomic_int failures;
};

static void produce(void *arg)
{
    struct crowd *c = arg;
    uintptr_t base = atomic_fetch_add(&c->next_producer, 1) * EACH;
    for (uintptr_t i = 1; i <= EACH; i++)
        if (queue_push_wait(c->q, (void *)(base + i)) != 0)
            atomic_fetch_add(&c->failures, 1);
}

static void consume(void *arg)
{
    struct crowd *c = arg;
    void *items[16];
    size_t n;
    while ((n = queue_pop_all(c->q, items, 16, -1)) > 0) {
        for (size_t i = 0; i < n; i++)
            atomic_fetch_add(&c->sum, (uintptr_t)items[i]);
        atomic_fetch_add(&c->taken, (unsigned)n);
    }
}

static void queue_loses_nothing_between_many_producers_and_consumers(void **state)
{
    (void)state;
    struct crowd c = {0};
    struct thread *producers[PRODUCERS], *consumers[2];
    check_ok(queue_new(7, &c.q));
    for (size_t i = 0; i < ARRAY_LEN(consumers); i++)
        check_ok(thread_start("consumer", consume, &c, &consumers[i]));
    for (size_t i = 0; i < PRODUCERS; i++)
        check_ok(thread_start("producer", produce, &c, &producers[i]));
    for (size_t i = 0; i < PRODUCERS; i++)
        thread_join(producers[i]);
    queue_close(c.q);
    for (size_t i = 0; i < ARRAY_LEN(consumers); i++)
        thread_join(consumers[i]);
    unsigned long total = PRODUCERS * EACH;
    assert_int_equal(atomic_load(&c.failures), 0);
    assert_int_equal(atomic_load(&c.taken), total);
    assert_int_equal(atomic_load(&c.sum), total * (total + 1) / 2);
    queue_free(c.q);
}

static void push_later(void *arg)
{
    sleep_us(20000);
    if (queue_push(arg, arg) != 0)
        abort();
}

static void queue_wakes_a_waiting_consumer(void **state)
{
    (void)state;
    struct queue *q;
    struct thread *t;
    void *got[1];
    check_ok(queue_new(1, &q));
    check_ok(thread_start("later", push_later, q, &t));
    assert_int_equal(queue_pop_all(q, got, 1, 10000000), 1);
    assert_ptr_equal(got[0], q);
    thread_join(t);
    queue_free(q);
}

static void clocks_move_on_and_sleep_is_not_short(void **state)
{
    (void)state;
    int64_t before = mono_us(), cpu = cpu_process_us();
    sleep_us(-5);
    sleep_us(0);
    assert_true(mono_us() - before < 5000000);
    before = mono_us();
    sleep_us(12345);
    assert_true(mono_us() - before >= 12345);
    volatile unsigned work = 0;
    int64_t thread_cpu = cpu_thread_us();
    while (cpu_thread_us() - thread_cpu < 2000)
        work++;
    assert_true(cpu_process_us() - cpu >= 2000);
    int64_t wall = unix_ms();
    assert_true(wall > 1700000000000 && unix_us() / 1000 - wall < 1000);
    assert_true(mono_ns() / 1000 >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_carry_their_name_and_block_signals),
        cmocka_unit_test(queue_is_first_in_first_out_and_bounded),
        cmocka_unit_test(queue_waits_no_longer_than_told),
        cmocka_unit_test(queue_closed_gives_out_what_it_has_and_takes_no_more),
        cmocka_unit_test(queue_loses_nothing_between_many_producers_and_consumers),
        cmocka_unit_test(queue_wakes_a_waiting_consumer),
        cmocka_unit_test(clocks_move_on_and_sleep_is_not_short),
    };
    return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
