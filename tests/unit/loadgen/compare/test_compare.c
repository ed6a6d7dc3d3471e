/* Comparing two runs: the same load twice is no change, a real one is found, and what cannot be known is not claimed. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>

#include "loadgen/compare/compare.h"
#include "loadgen/compare/rank_test.h"
#include "loadgen/hurl/random.h"

static void ranks_find_a_shift_and_nothing_where_there_is_none(void **state)
{
    (void)state;
    struct rng rng;
    struct check_random seed = check_random_new("ranks_find_a_shift_and_nothing_where_there_is_none");
    rng_seed(&rng, check_random_u64(&seed));
    unsigned found = 0, wrong = 0;
    for (unsigned round = 0; round < 400; round++) {
        double a[30], b[40], shifted[40];
        for (size_t i = 0; i < ARRAY_LEN(a); i++)
            a[i] = rng_exponential(&rng);
        for (size_t i = 0; i < ARRAY_LEN(b); i++) {
            b[i] = rng_exponential(&rng);
            shifted[i] = b[i] + 1;
        }
        wrong += rank_test(a, ARRAY_LEN(a), b, ARRAY_LEN(b)) < 0.01;
        found += rank_test(a, ARRAY_LEN(a), shifted, ARRAY_LEN(shifted)) < 0.01;
    }
    assert_true(found > 380);
    assert_true(wrong <= 12); /* 4 are expected; 13 or more have a chance of 1 in 3,000 */
}

static void ranks_agree_with_a_table(void **state)
{
    (void)state;
    /* U = 4 of two samples of 8 without ties: z = (|4 - 32| - 0.5) / sqrt(8 * 8 * 17 / 12) = 2.888, p = 0.0039 */
    static const double LOW[] = {1, 2, 3, 4, 5, 6, 7, 12}, HIGH[] = {8, 9, 10, 11, 13, 14, 15, 16};
    double p = rank_test(LOW, 8, HIGH, 8);
    assert_true(p > 0.0038 && p < 0.0040);
    check_double_ulps(rank_test(HIGH, 8, LOW, 8), p, 4);
    static const double SAME[] = {5, 5, 5, 5, 5, 5, 5, 5};
    assert_true(rank_test(SAME, 8, SAME, 8) >= 1);
    assert_true(isnan(rank_test(LOW, 7, HIGH, 8)));
    assert_true(isnan(share_test(0, 0, 1, 10)));
    assert_true(share_test(0, 100, 0, 100) >= 1);
    assert_true(share_test(10, 1000, 60, 1000) < 1e-6);
    assert_true(share_test(10, 1000, 12, 1000) > 0.5);
}

struct made {
    double p95_us; /* about */
    unsigned failed;
    const char *verdict, *more_steps;
    double rate;
};

/* A result as --json writes it, with 30 seconds of which the first 5 are a warm-up full of bad values. */
static struct saved_run *make_run(struct rng *rng, const struct made *m)
{
    struct buf out, points;
    buf_init(&out, 1u << 20);
    buf_init(&points, 1u << 20);
    buf_printf(&out,
               "{\"run\":\"r\",\"started\":\"2026-11-01T00:00:00Z\",\"verdict\":\"%s\",\"duration_s\":30,\"sessions\":{"
               "\"planned\":9},\"requests\":{\"started\":%g},\"phases\":[{\"name\":\"w\",\"start_s\":0,\"end_s\":5,"
               "\"warmup\":true}],\"series\":[",
               m->verdict, 30 * m->rate);
    for (int i = 0; i < 30; i++) {
        buf_printf(&out, "%s{\"second\":%d}", i ? "," : "", i);
        buf_printf(&points, "%s%.0f", i ? "," : "", i < 5 ? 9e9 : m->p95_us * (0.9 + 0.2 * rng_unit(rng)));
    }
    buf_printf(&out,
               "],\"steps\":[{\"journey\":\"cart\",\"name\":\"pay\",\"count\":3000,\"outcomes\":{\"ok\":%u},"
               "\"response_us\":{\"p50\":%g,\"p95\":%g,\"p99\":%g},\"points_us\":{\"p50\":[%s],\"p95\":[%s],\"p99\":[%"
               "s]}}%s]}",
               3000 - m->failed, m->p95_us, m->p95_us, m->p95_us, points.data, points.data, points.data,
               m->more_steps ? m->more_steps : "");
    struct saved_run *run = NULL;
    char why[200] = "";
    if (saved_run_read(buf_view(&out), &run, why, sizeof why) < 0)
        check_failed("%s\n%s", why, out.data);
    buf_done(&out);
    buf_done(&points);
    return run;
}

static void a_change_is_told_and_noise_is_not(void **state)
{
    (void)state;
    struct rng rng;
    struct check_random seed = check_random_new("a_change_is_told_and_noise_is_not");
    rng_seed(&rng, check_random_u64(&seed));
    static const struct {
        struct made old, now;
        enum change time, failures;
        bool is_void, other_load;
    } CASES[] = {
        {{1000, 3, "passed", NULL, 100}, {1001, 4, "passed", NULL, 100}, CHANGE_NONE, CHANGE_NONE, false, false},
        {{1000, 3, "passed", NULL, 100}, {1500, 3, "passed", NULL, 100}, CHANGE_WORSE, CHANGE_NONE, false, false},
        {{1500, 90, "passed", NULL, 100}, {1000, 3, "threshold", NULL, 200}, CHANGE_BETTER, CHANGE_BETTER, false, true},
        {{1000, 3, "passed", NULL, 100}, {1500, 300, "void", NULL, 100}, CHANGE_UNKNOWN, CHANGE_UNKNOWN, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct saved_run *old = make_run(&rng, &CASES[i].old), *now = make_run(&rng, &CASES[i].now);
        assert_int_equal(old->steps[0].n_points, 25); /* without the warm-up */
        struct comparison *c = NULL;
        check_ok(compare_runs(old, now, &c));
        assert_int_equal(c->steps[0].quantiles[SAVED_P95].change, CASES[i].time);
        assert_int_equal(c->steps[0].failures.change, CASES[i].failures);
        assert_int_equal(c->is_void, CASES[i].is_void);
        assert_int_equal(c->other_load, CASES[i].other_load);
        compare_free(c);
        saved_run_free(old);
        saved_run_free(now);
    }
}

static void steps_of_one_run_alone_are_named(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 1);
    struct saved_run *old = make_run(
        &rng, &(struct made){1000, 3, "passed", ",{\"journey\":\"cart\",\"name\":\"<old>\",\"count\":0}", 100});
    struct saved_run *now =
        make_run(&rng, &(struct made){2000, 3, "passed", ",{\"journey\":\"cart\",\"name\":\"new\",\"count\":0}", 100});
    struct comparison *c = NULL;
    check_ok(compare_runs(old, now, &c));
    assert_int_equal(c->n, 3);
    assert_int_equal(compare_count(c, CHANGE_WORSE), 3);
    assert_int_equal(compare_count(c, CHANGE_UNKNOWN), 8);
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    assert_non_null(to);
    compare_text(to, c);
    check_ok(fclose(to));
    assert_non_null(strstr(text, "worse  cart/pay p95: 2.00 ms, was 1.00 ms (+100 %)"));
    assert_non_null(strstr(text, "only the new run has cart/new"));
    assert_non_null(strstr(text, "only the old run has cart/<old>"));
    free(text);
    struct buf page;
    buf_init(&page, 1u << 20);
    compare_html(&page, c);
    assert_non_null(strstr(page.data, "cart / &lt;old&gt;"));
    assert_null(strstr(page.data, "<old>"));
    buf_done(&page);
    compare_free(c);
    saved_run_free(old);
    saved_run_free(now);
}

static void what_is_no_result_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "{",
                                      "[]",
                                      "{\"verdict\":1,\"steps\":[]}",
                                      "{\"verdict\":\"passed\"}",
                                      "null",
                                      "{\"verdict\":\"passed\",\"steps\":[{\"name\":\"a\"},{\"name\":\"a\"}]}"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct saved_run *run = NULL;
        char why[200] = "";
        assert_int_equal(saved_run_read(span_str(BAD[i]), &run, why, sizeof why), -EINVAL);
        assert_true(why[0]);
        assert_null(run);
    }
    struct saved_run *run = NULL;
    char why[200];
    /* everything in it may be of another kind than it should be */
    check_ok(saved_run_read(
        SPAN("{\"verdict\":\"passed\",\"steps\":[1,{\"name\":\"a\",\"points_us\":[],\"outcomes\":4}],\"series\":[2,"
             "{}],\"phases\":{}}"),
        &run, why, sizeof why));
    assert_int_equal(run->n_steps, 2);
    assert_int_equal(run->steps[1].n_points, 0);
    saved_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_find_a_shift_and_nothing_where_there_is_none),
        cmocka_unit_test(ranks_agree_with_a_table),
        cmocka_unit_test(a_change_is_told_and_noise_is_not),
        cmocka_unit_test(steps_of_one_run_alone_are_named),
        cmocka_unit_test(what_is_no_result_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
