/* When groups run: once per slot, at the commit or the tick, with rising time stamps. */
#include "tests/support/check.h"

#include "collector/rules/schedule.h"

#define NONE SCHEDULE_NEVER

static struct schedule fast_from(int64_t now_ms)
{
    struct schedule s;
    schedule_init(&s, 1000, 300, now_ms); /* slots start at …300 */
    return s;
}
static void check_due(struct schedule *s, int64_t now_ms, int64_t newest_ms, int64_t eval_ms, int64_t missed)
{
    struct schedule_turn t = schedule_turn(s, now_ms, newest_ms);
    if (!t.due || t.eval_ms != eval_ms || t.missed != missed)
        check_failed("at %lld: due %d at %lld missed %lld, expected at %lld missed %lld", (long long)now_ms, t.due,
                     (long long)t.eval_ms, (long long)t.missed, (long long)eval_ms, (long long)missed);
}
static void check_idle(struct schedule *s, int64_t now_ms, int64_t newest_ms, int64_t wait_ms)
{
    struct schedule_turn t = schedule_turn(s, now_ms, newest_ms);
    if (t.due || t.wait_ms != wait_ms)
        check_failed("at %lld: due %d, waits %lld, expected to wait %lld", (long long)now_ms, t.due,
                     (long long)t.wait_ms, (long long)wait_ms);
}

static void fast_groups_run_at_the_first_commit_of_each_slot(void **unused)
{
    (void)unused;
    struct schedule s = fast_from(100000);
    check_idle(&s, 100000, NONE, 300);
    check_due(&s, 100050, 100040, 100040, 0);
    check_idle(&s, 100060, 100055, 240);      /* one more commit in the slot */
    check_due(&s, 100300, 100055, 100055, 0); /* it is picked up when the next slot opens */
    check_idle(&s, 101040, 101030, 260);
    check_due(&s, 101300, 101030, 101030, 0);
}

static void fast_groups_run_on_the_tick_without_a_commit(void **unused)
{
    (void)unused;
    struct schedule s = fast_from(100310);
    check_idle(&s, 100310, NONE, 990);
    check_due(&s, 101300, NONE, 101300, 0);
    check_idle(&s, 101301, NONE, 999);
    check_due(&s, 102303, NONE, 102300, 0);
    check_due(&s, 102400, 102390, 102390, 0); /* the present slot is still open */
}

/* Samples that are always older than the tick must not push a group into running a slot late for ever. */
static void fast_groups_find_back_from_the_tick_to_lagging_commits(void **unused)
{
    (void)unused;
    struct schedule s = fast_from(100310);
    check_due(&s, 101300, NONE, 101300, 0);
    check_due(&s, 101400, 101000, 101301, 0); /* stamped 400 ms ago: older than the tick's time, but a new scrape */
    check_due(&s, 102400, 102000, 102000, 0);
    check_due(&s, 103400, 103000, 103000, 0);
}

static void fast_groups_count_missed_slots(void **unused)
{
    (void)unused;
    struct schedule s = fast_from(100310);
    check_due(&s, 100400, 100390, 100390, 0);
    check_due(&s, 104500, 104490, 104490, 2); /* for the slot that ended last; 101300 and 102300 went by */
    check_due(&s, 104600, 104590, 104590, 0);
    check_due(&s, 107310, NONE, 107300, 1);
}

static void time_stamps_rise_even_when_samples_do_not(void **unused)
{
    (void)unused;
    struct schedule s = fast_from(100310);
    schedule_resume(&s, 102000); /* an earlier process, or a sender that is 2 s ahead */
    check_due(&s, 100400, 100390, 102001, 0);
    check_due(&s, 101400, 101390, 102002, 0);
    check_due(&s, 102400, 102390, 102390, 0);
}

static void slow_groups_keep_the_grid(void **unused)
{
    (void)unused;
    struct schedule s;
    schedule_init(&s, 60000, 60000 * 7 + 12345, 1000000);
    check_idle(&s, 1000000, NONE, 32345);   /* the next of …, 972345, 1032345 */
    check_idle(&s, 1000000, 999999, 32345); /* a commit does not matter */
    check_due(&s, 1032345, NONE, 1032345, 0);
    check_idle(&s, 1032346, NONE, 59999);
    check_due(&s, 1092400, NONE, 1092345, 0); /* late by 55 ms: the time stamp is the grid's */
    check_due(&s, 1300000, NONE, 1272345, 2);
    check_idle(&s, 1300001, NONE, 32344);
}

static void a_clock_stepped_back_starts_the_slots_anew(void **unused)
{
    (void)unused;
    struct schedule s = fast_from(5000310);
    check_due(&s, 5000400, 5000390, 5000390, 0);
    struct schedule_turn t = schedule_turn(&s, 1000000, NONE); /* over an hour back */
    assert_true(t.stepped_back);
    assert_false(t.due);
    check_due(&s, 1000310, NONE, 1000300, 0);
    check_due(&s, 1000400, 1000390, 1000390, 0);

    struct schedule slow;
    schedule_init(&slow, 60000, 0, 5000000);
    check_due(&slow, 5040000, NONE, 5040000, 0);
    t = schedule_turn(&slow, 1000000, NONE);
    assert_true(t.stepped_back);
    check_due(&slow, 1020000, NONE, 1020000, 0);
}

/* Drifting scrapes and wake-ups at random: once per slot, time stamps rise, waits never overshoot the slot. */
static void schedules_hold_under_random_clocks(void **unused)
{
    (void)unused;
    struct check_random random = check_random_new("schedules_hold_under_random_clocks");
    for (int round = 0; round < 50; round++) {
        int64_t interval = 1 + (int64_t)check_random_below(&random, 2000), now = 1000000, newest = NONE, last = NONE;
        struct schedule s;
        schedule_init(&s, interval, check_random_u64(&random), now);
        int64_t runs = 0, missed = 0, start = now;
        for (int i = 0; i < 2000; i++) {
            now += (int64_t)check_random_below(&random, (uint64_t)interval);
            if (check_random_below(&random, 3) == 0)
                newest = now - (int64_t)check_random_below(&random, 500);
            struct schedule_turn t = schedule_turn(&s, now, newest);
            assert_false(t.stepped_back);
            assert_true(t.wait_ms > 0 && t.wait_ms <= interval);
            if (t.due) {
                assert_true(t.eval_ms > last && t.missed >= 0);
                last = t.eval_ms;
                runs++;
                missed += t.missed;
            }
        }
        int64_t slots = (now - start) / interval;
        if (runs + missed < slots - 1 || runs + missed > slots + 2)
            check_failed("interval %lld: %lld runs and %lld missed in %lld slots", (long long)interval, (long long)runs,
                         (long long)missed, (long long)slots);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_groups_run_at_the_first_commit_of_each_slot),
        cmocka_unit_test(fast_groups_run_on_the_tick_without_a_commit),
        cmocka_unit_test(fast_groups_find_back_from_the_tick_to_lagging_commits),
        cmocka_unit_test(fast_groups_count_missed_slots),
        cmocka_unit_test(time_stamps_rise_even_when_samples_do_not),
        cmocka_unit_test(slow_groups_keep_the_grid),
        cmocka_unit_test(a_clock_stepped_back_starts_the_slots_anew),
        cmocka_unit_test(schedules_hold_under_random_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
