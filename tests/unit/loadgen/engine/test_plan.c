#include "tests/support/check.h"

#include <errno.h>
#include <math.h>

#include "loadgen/engine/plan.h"

static struct plan stages(const char *text)
{
    struct plan p;
    char why[160] = "";
    if (plan_parse_stages(&p, span_str(text), why, sizeof why) < 0)
        check_failed("%s: %s", text, why);
    return p;
}

static uint64_t run(const struct plan *p, uint64_t workers, uint64_t max, int64_t *first, int64_t *last)
{
    uint64_t n = 0;
    *first = INT64_MAX;
    *last = -1;
    for (uint64_t w = 0; w < workers; w++) {
        struct rng rng;
        rng_seed(&rng, 7 + w);
        struct arrivals a;
        arrivals_init(&a, p, w, workers, &rng, max);
        int64_t at, before = -1;
        while (arrivals_next(&a, &at)) {
            assert_true(at >= before);
            before = at;
            *first = at < *first ? at : *first;
            *last = at > *last ? at : *last;
            n++;
        }
    }
    return n;
}

static void counts_are_the_integral_of_the_rate(void **state)
{
    (void)state;
    static const struct {
        const char *stages;
        uint64_t count;
    } cases[] = {
        {"30s:5", 150},
        {"30s:5,10s:40", 550},
        {"10s:0-100", 500},
        {"10s:100-0", 500},
        {"1s:10,1s:0,1s:10", 20},
        {"3s:0.1", 0},
        {"1s:0.5", 1},
        {"7s:0.1,3s:0.1", 1},
        {"1h:33.3", 119880},
        {"100ms:3,100ms:3,100ms:3,100ms:3,100ms:3,100ms:3,100ms:3,100ms:3,100ms:3,100ms:3", 3},
        {"1m:0-1000,1m:1000,1m:1000-0", 120000},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plan p = stages(cases[i].stages);
        int64_t first, last;
        for (uint64_t workers = 1; workers <= 3; workers++) {
            uint64_t n = run(&p, workers, 0, &first, &last);
            if (n != cases[i].count || plan_count(&p) != n)
                check_failed("%s with %u workers: %lu arrivals, planned %lu", cases[i].stages, (unsigned)workers,
                             (unsigned long)n, (unsigned long)plan_count(&p));
            assert_true(n == 0 || (first >= 0 && last <= (int64_t)(p.seconds * 1e6)));
        }
        plan_done(&p);
    }
}

static void arrivals_stand_where_the_rate_puts_them(void **state)
{
    (void)state;
    struct plan p = stages("2s:2,2s:0,2s:0-4");
    struct arrivals a;
    arrivals_init(&a, &p, 0, 1, NULL, 0);
    /* 4 even ones at .25 .75 1.25 1.75; a pause; the ramp t² = k + 1/2 */
    const double want[] = {0.25, 0.75, 1.25, 1.75, 4 + sqrt(0.5), 4 + sqrt(1.5), 4 + sqrt(2.5), 4 + sqrt(3.5)};
    int64_t at;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(arrivals_next(&a, &at));
        if (fabs((double)at / 1e6 - want[i]) > 2e-6)
            check_failed("arrival %zu at %f, wanted %f", i, (double)at / 1e6, want[i]);
    }
    assert_false(arrivals_next(&a, &at));
    assert_true(plan_rate(&p, 5) == 2 && plan_rate(&p, 3) == 0 && plan_rate(&p, 7) == 0);
    assert_true(fabs(plan_integral(&p, 5) - 5) < 1e-9);
    plan_done(&p);
}

/* Kolmogorov-Smirnov of the gaps against the exponential distribution; the seeds are fixed. */
static void poisson_gaps_are_exponential(void **state)
{
    (void)state;
    struct plan p = stages("100s:50");
    p.spacing = PLAN_POISSON;
    struct rng rng;
    rng_seed(&rng, 42);
    struct arrivals a;
    arrivals_init(&a, &p, 0, 1, &rng, 0);
    enum { MAX = 10000 };
    static double u[MAX];
    size_t n = 0;
    int64_t at, before = 0;
    while (n < MAX && arrivals_next(&a, &at)) {
        u[n++] = 1 - exp(-(double)(at - before) / 1e6 * 50);
        before = at;
    }
    assert_true(n > 4700 && n < 5300);
    for (size_t i = 1; i < n; i++) { /* sort */
        double v = u[i];
        size_t k = i;
        for (; k > 0 && u[k - 1] > v; k--)
            u[k] = u[k - 1];
        u[k] = v;
    }
    double d = 0;
    for (size_t i = 0; i < n; i++) {
        d = fmax(d, fabs(u[i] - (double)i / (double)n));
        d = fmax(d, fabs(u[i] - (double)(i + 1) / (double)n));
    }
    assert_true(d * sqrt((double)n) < 1.63); /* 1 % level */
    plan_done(&p);
}

static void poisson_workers_share_the_rate(void **state)
{
    (void)state;
    struct plan p = stages("100s:0-100,100s:100");
    p.spacing = PLAN_POISSON;
    int64_t first, last;
    uint64_t n = run(&p, 4, 0, &first, &last);
    assert_true(n > 15000 - 4 * 123 && n < 15000 + 4 * 123); /* 4 standard deviations */
    plan_done(&p);
}

static void a_bound_on_sessions_is_shared_out_exactly(void **state)
{
    (void)state;
    struct plan p = stages("10s:100");
    int64_t first, last;
    for (uint64_t workers = 1; workers <= 4; workers++)
        assert_int_equal(run(&p, workers, 10, &first, &last), 10);
    plan_done(&p);
}

static void bad_stages_are_refused_with_the_piece(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "30s",  "30s:",         "x:5",     "30s:-5",
                                      "30s:5-", "0s:5", "30s:5,,30s:6", "30s:nan", "30s:1e9"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct plan p;
        char why[160] = "";
        check_errno(plan_parse_stages(&p, span_str(bad[i]), why, sizeof why), -EINVAL);
        assert_true(why[0] != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_the_integral_of_the_rate),
        cmocka_unit_test(arrivals_stand_where_the_rate_puts_them),
        cmocka_unit_test(poisson_gaps_are_exponential),
        cmocka_unit_test(poisson_workers_share_the_rate),
        cmocka_unit_test(a_bound_on_sessions_is_shared_out_exactly),
        cmocka_unit_test(bad_stages_are_refused_with_the_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
