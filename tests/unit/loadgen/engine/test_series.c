/* A run second by second: bounded, and merged where it becomes coarser. */
#include "tests/support/check.h"

#include <malloc.h>

#include "lib/base/number.h"
#include "loadgen/engine/series.h"

static struct run_stats *stats(void)
{
    struct run_stats *s;
    check_ok(stats_new(1, 2, &s));
    return s;
}

static void a_coarser_series_has_the_same_sums_and_the_quantiles_of_all_its_values(void **state)
{
    (void)state;
    struct run_series *s;
    struct run_stats *second = stats(), *all = stats();
    check_ok(series_new(2, &s));
    unsigned seconds = RUN_SERIES_POINTS_MAX + 401;
    for (unsigned i = 0; i < seconds; i++) {
        stats_reset(second);
        for (unsigned k = 0; k < 4; k++) /* most are fast, those of every 97th second slow */
            stats_step(second, k % 2, k == 3 ? OUTCOME_BUSINESS : OUTCOME_OK, ERROR_NONE,
                       i % 97 ? 1000 + k : 900000 + i, 500, NULL);
        second->sessions.planned = second->sessions.started = 3;
        check_ok(stats_merge(all, second));
        struct series_point p = {.second = i, .seconds = 1, .planned = 3, .open = i, .lag_max_us = i % 50};
        check_ok(series_add(s, &p, second));
        assert_true(series_count(s) <= RUN_SERIES_POINTS_MAX);
    }
    assert_int_equal(series_ticks(s), 2);
    uint64_t count = 0, started = 0, business = 0, step = 0;
    double planned = 0, length = 0;
    int64_t max_us = 0;
    for (size_t i = 0; i < series_count(s); i++) {
        const struct series_point *p = series_at(s, i);
        assert_true(p->second == 2.0 * (double)i);
        count += p->response.count;
        started += p->sessions.started;
        business += p->outcomes[OUTCOME_BUSINESS];
        planned += p->planned;
        length += p->seconds;
        step += series_step(s, i, 1)->count;
        max_us = p->response.max_us > max_us ? p->response.max_us : max_us;
        bool slow = (unsigned)p->second % 97 == 0 || (unsigned)(p->second + 1) % 97 == 0;
        if (slow &&
            i + 1 <
                series_count(s)) { /* half of eight values are slow: a mean of the seconds' p95 would be half of it */
            assert_true(p->response.p50_us < 2000);
            assert_true(p->response.p95_us > 890000);
        }
    }
    assert_int_equal(count, 4 * seconds);
    assert_int_equal(started, 3 * seconds);
    assert_int_equal(business, seconds);
    assert_int_equal(step, 2 * seconds);
    assert_true(planned == 3.0 * seconds && length == seconds);
    struct hdr *h = stats_all(all, false);
    assert_int_equal(max_us, hdr_max(h));
    hdr_free(h);
    stats_free(second);
    stats_free(all);
    series_free(s);
}

/* Memory that the histograms of a run take, however much is recorded. CREST_VALUES is how much (make honesty: 10^8). */
static void recorded_values_leave_memory_flat(void **state)
{
    (void)state;
    const char *wanted = getenv("CREST_VALUES");
    uint64_t n = 300000;
    if (wanted)
        check_ok(parse_u64(wanted, UINT64_MAX, &n));
    struct run_stats *s = stats();
    size_t before = 0;
    for (uint64_t i = 0; i < n; i++) {
        stats_step(s, i % 2, OUTCOME_OK, ERROR_NONE, (int64_t)(i * 7919 % 50000000), (int64_t)(i * 104729 % 900000),
                   NULL);
        if (i + 1 == n / 100)
            before = mallinfo2().uordblks;
    }
    assert_int_equal(mallinfo2().uordblks, before);
    assert_int_equal(hdr_count(s->steps[0].response) + hdr_count(s->steps[1].response), n);
    stats_free(s);
}

static void histograms_that_nobody_uses_are_given_back(void **state)
{
    (void)state;
    struct run_stats *s = stats();
    stats_step(s, 0, OUTCOME_OK, ERROR_NONE, 10, 10, NULL);
    stats_session_times(s, 0, 10, 10, 10);
    s->journeys[0].sessions.completed++;
    for (unsigned i = 0; i <= STATS_IDLE_RESETS; i++) {
        stats_reset(s);
        assert_non_null(s->steps[0].response);
    }
    stats_reset(s);
    assert_null(s->steps[0].response);
    assert_null(s->journeys[0].duration);
    stats_step(s, 0, OUTCOME_OK, ERROR_NONE, 20, 10, NULL);
    assert_int_equal(hdr_max(s->steps[0].response), 20);
    stats_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coarser_series_has_the_same_sums_and_the_quantiles_of_all_its_values),
        cmocka_unit_test(recorded_values_leave_memory_flat),
        cmocka_unit_test(histograms_that_nobody_uses_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
