/* One program more is started only when the processors have shown that they wait. */
#include "tests/support/check.h"

#include "tests/run/idle.h"

#define BEGIN "cpu  1000 10 500 8000 100 0 20 0 0 0\ncpu0 500 5 250 4000 50 0 10 0 0 0\n"

static bool look_twice(const char *first, const char *second)
{
    struct idle idle = {0};
    assert_false(idle_look(&idle, span_str(first), 1000000));
    return idle_look(&idle, span_str(second), 1300000);
}

static void more_than_a_third_of_the_time_since_the_last_look_must_be_idle(void **state)
{
    (void)state;
    static const struct {
        const char *second;
        bool idle;
    } CASES[] = {
        {"cpu  1010 10 500 8050 100 0 20 0 0 0\n", true},  /* 50 of 60 */
        {"cpu  1040 10 500 8020 100 0 20 0 0 0\n", false}, /* 20 of 60 */
        {"cpu  1010 10 520 8021 100 0 20 9 0 0\n", true},  /* 21 of 60 */
        {"cpu  1000 70 500 8000 100 0 20 0 0 0\n", false}, /* niced work is work */
        {"cpu  1000 10 500 8020 140 0 20 0 0 0\n", false}, /* and so is waiting for the disk */
        {BEGIN, false},                                    /* no time has passed */
        {"cpu  900 10 500 8500 100 0 20 0 0 0\n", true},
        {"cpu  2000 10 500 7000 100 0 20 0 0 0\n", false}, /* counts backwards, as it may for iowait */
        {"cpu  0 0 0 8050 0 0 0 0\n", false},
        {"", false},
        {"cpu", false},
        {"cpu  1010 10 500\n", false},
        {"cpu  1010 10 x 8050 100 0 20 0\n", false},
        {"intr 1 2 3 4 5 6 7 8\n", false},
        {"cpu  1010 10 500 99999999999999999999 100 0 20 0\n", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        if (look_twice(BEGIN, CASES[i].second) != CASES[i].idle)
            check_failed("case %zu: %s", i, CASES[i].second);
}

static void what_cannot_be_read_is_no_past_either(void **state)
{
    (void)state;
    assert_false(look_twice("", "cpu  1010 10 500 8050 100 0 20 0 0 0\n"));
}

static void a_look_is_due_at_first_and_when_the_last_start_has_had_its_time(void **state)
{
    (void)state;
    struct idle idle = {0};
    assert_true(idle_due(&idle, 1000000));
    assert_false(idle_look(&idle, span_str(""), 1000000)); /* also when there was nothing to see */
    assert_false(idle_due(&idle, 1000000 + IDLE_EVERY_US - 1));
    assert_true(idle_due(&idle, 1000000 + IDLE_EVERY_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_a_third_of_the_time_since_the_last_look_must_be_idle),
        cmocka_unit_test(what_cannot_be_read_is_no_past_either),
        cmocka_unit_test(a_look_is_due_at_first_and_when_the_last_start_has_had_its_time),
    };
    return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
