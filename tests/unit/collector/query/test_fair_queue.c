#include "tests/support/check.h"

#include <errno.h>

#include "collector/query/fair_queue.h"

struct item {
    struct fair_entry entry;
    int number;
};

static int pop_number(struct fair_queue *q)
{
    struct fair_entry *e = fair_queue_pop(q);
    return e ? ((struct item *)e)->number : -1;
}

static void origins_are_served_in_turn(void **state)
{
    (void)state;
    struct fair_queue q;
    struct item items[7];
    static const char *const ORIGINS[7] = {"a", "a", "a", "a", "b", "b", "c"};
    fair_queue_init(&q, 10);
    for (int i = 0; i < 7; i++) {
        items[i].number = i;
        check_ok(fair_queue_push(&q, span_str(ORIGINS[i]), &items[i].entry));
    }
    static const int WANT[7] = {0, 4, 6, 1, 5, 2, 3};
    for (int i = 0; i < 7; i++)
        assert_int_equal(pop_number(&q), WANT[i]);
    assert_int_equal(pop_number(&q), -1);
    fair_queue_done(&q);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    struct fair_queue q;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    fair_queue_init(&q, 2);
    check_ok(fair_queue_push(&q, SPAN("a"), &items[0].entry));
    check_ok(fair_queue_push(&q, SPAN(""), &items[1].entry));
    check_errno(fair_queue_push(&q, SPAN("b"), &items[2].entry), -EAGAIN);
    assert_int_equal(pop_number(&q), 0);
    check_ok(fair_queue_push(&q, SPAN("b"), &items[2].entry));
    assert_int_equal(pop_number(&q), 1);
    assert_int_equal(pop_number(&q), 2);
    fair_queue_done(&q);
}

/* Against a naive twin: origins as arrays, the turn as an order of names. */
static void random_pushes_pops_and_removals_agree_with_a_list(void **state)
{
    (void)state;
    enum { MAX = 40 };
    struct check_random r = check_random_new("fair queue");
    struct fair_queue q;
    static struct item items[MAX];
    int ring[MAX], n_ring = 0;         /* origins in turn order */
    int list[5][MAX], n_list[5] = {0}; /* items per origin */
    bool used[MAX] = {false};
    fair_queue_init(&q, MAX);
    for (int round = 0; round < 20000; round++) {
        int o = (int)check_random_below(&r, 5), i = (int)check_random_below(&r, MAX);
        char name[2] = {(char)('a' + o), 0};
        switch (check_random_below(&r, 3)) {
        case 0:
            if (used[i])
                break;
            items[i].number = i;
            check_ok(fair_queue_push(&q, span_str(name), &items[i].entry));
            used[i] = true;
            if (n_list[o] == 0)
                ring[n_ring++] = o;
            list[o][n_list[o]++] = i;
            break;
        case 1: {
            if (n_ring == 0) {
                assert_int_equal(pop_number(&q), -1);
                break;
            }
            int turn = ring[0], want = list[turn][0];
            memmove(ring, ring + 1, (size_t)--n_ring * sizeof *ring);
            memmove(list[turn], list[turn] + 1, (size_t)--n_list[turn] * sizeof **list);
            if (n_list[turn])
                ring[n_ring++] = turn;
            assert_int_equal(pop_number(&q), want);
            used[want] = false;
            break;
        }
        default:
            fair_queue_remove(&q, &items[i].entry); /* also when it is in none */
            if (!used[i])
                break;
            used[i] = false;
            for (int k = 0; k < 5; k++)
                for (int j = 0; j < n_list[k]; j++)
                    if (list[k][j] == i) {
                        memmove(&list[k][j], &list[k][j + 1], (size_t)(--n_list[k] - j) * sizeof **list);
                        for (int m = 0; n_list[k] == 0 && m < n_ring; m++)
                            if (ring[m] == k) {
                                memmove(&ring[m], &ring[m + 1], (size_t)(--n_ring - m) * sizeof *ring);
                                break;
                            }
                    }
        }
    }
    while (pop_number(&q) >= 0)
        ;
    fair_queue_done(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_are_served_in_turn),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(random_pushes_pops_and_removals_agree_with_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
