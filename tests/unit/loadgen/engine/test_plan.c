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

/* Kolmogorov and Smirnov: the largest distance of n numbers' distribution from the uniform one, times the root of n. 1.63 is the 1 % level;
 * the seeds are fixed, so that the answer is, too. */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double distance(double *u, size_t n)
{
    qsort(u, n, sizeof *u, by_value);
    double d = 0;
    for (size_t i = 0; i < n; i++) {
        d = fmax(d, fabs(u[i] - (double)i / (double)n));
        d = fmax(d, fabs(u[i] - (double)(i + 1) / (double)n));
    }
    return d * sqrt((double)n);
}

enum { ARRIVALS_MAX = 40000 };

/* Where the arrivals of all workers stand in the plan's integral, 0..1: uniform, whatever the shape. */
static size_t places(const struct plan *p, uint64_t workers, uint64_t seed, double u[ARRIVALS_MAX])
{
    size_t n = 0;
    for (uint64_t w = 0; w < workers; w++) {
        struct rng rng;
        rng_seed(&rng, seed + w);
        struct arrivals a;
        arrivals_init(&a, p, w, workers, &rng, 0);
        int64_t at, before = 0;
        while (n < ARRIVALS_MAX && arrivals_next(&a, &at)) {
            assert_true(at >= before && (double)at <= p->seconds * 1e6);
            before = at;
            u[n++] = plan_integral(p, (double)at / 1e6) / p->arrivals;
        }
    }
    return n;
}

static void poisson_gaps_are_exponential(void **state)
{
    (void)state;
    struct plan p = stages("100s:50");
    p.spacing = PLAN_POISSON;
    struct rng rng;
    rng_seed(&rng, 42);
    struct arrivals a;
    arrivals_init(&a, &p, 0, 1, &rng, 0);
    static double u[ARRIVALS_MAX];
    size_t n = 0;
    int64_t at, before = 0;
    while (n < ARRIVALS_MAX && arrivals_next(&a, &at)) {
        u[n++] = 1 - exp(-(double)(at - before) / 1e6 * 50);
        before = at;
    }
    assert_true(n > 4700 && n < 5300);
    assert_true(distance(u, n) < 1.63);
    plan_done(&p);
}

/* Every shape that a plan file can have. */
static void shape(struct plan *p, size_t i, enum plan_spacing spacing)
{
    *p = (struct plan){0};
    switch (i) {
    case 0:
        check_ok(plan_add(p, &(struct plan_stage){.seconds = 100, .from = 30, .to = 30, .spacing = spacing}));
        break;
    case 1:
        check_ok(plan_add(p, &(struct plan_stage){.seconds = 100, .from = 0, .to = 80, .spacing = spacing}));
        break;
    case 2:
        check_ok(plan_add_stairs(p, 10, 40, 4, 100, spacing));
        break;
    case 3:
        check_ok(plan_add_spike(p, 5, 200, 2, 10, 20, 100, spacing));
        break;
    case 4:
        check_ok(plan_add(
            p, &(struct plan_stage){
                   .curve = PLAN_SINE, .seconds = 100, .from = 0, .to = 60, .scale_s = 30, .spacing = spacing}));
        break;
    default: /* one behind the other, with a fraction of an arrival between them */
        check_ok(plan_add(p, &(struct plan_stage){.seconds = 10.05, .from = 30, .to = 31, .spacing = spacing}));
        check_ok(plan_add_stairs(p, 3, 90, 5, 33.3, spacing));
        check_ok(plan_add_spike(p, 5, 100, 0, 1, 3, 30, spacing));
    }
}
enum { SHAPES = 6 };

static void arrivals_of_every_shape_follow_its_rate(void **state)
{
    (void)state;
    static double u[ARRIVALS_MAX];
    static const enum plan_spacing SPACINGS[] = {PLAN_EVEN, PLAN_POISSON, PLAN_EXACT};
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t k = 0; k < ARRAY_LEN(SPACINGS); k++)
            for (uint64_t workers = 1; workers <= 3; workers++) {
                struct plan p;
                shape(&p, i, SPACINGS[k]);
                size_t n = places(&p, workers, 11, u);
                double d = distance(u, n), most = SPACINGS[k] == PLAN_EVEN ? 0.05 : 1.63;
                if (d > most)
                    check_failed("shape %zu, spacing %zu, %u workers: %zu arrivals, distance %g", i, k,
                                 (unsigned)workers, n, d);
                if (SPACINGS[k] != PLAN_POISSON && n != plan_count(&p))
                    check_failed("shape %zu, spacing %zu, %u workers: %zu arrivals, planned %lu", i, k,
                                 (unsigned)workers, n, (unsigned long)plan_count(&p));
                if (SPACINGS[k] == PLAN_POISSON)
                    assert_true(fabs((double)n - p.arrivals) < 4 * sqrt(p.arrivals));
                plan_done(&p);
            }
}

/* A Poisson process given its count: the number in each half varies as a coin's throws do, which an even spacing's does not. */
static void exact_arrivals_vary_in_place_not_in_number(void **state)
{
    (void)state;
    double sum = 0;
    enum { ROUNDS = 400, COUNT = 100 };
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct plan p = stages("10s:10");
        p.spacing = PLAN_EXACT;
        static double u[ARRIVALS_MAX];
        size_t n = places(&p, 2, seed * 2, u);
        assert_int_equal(n, COUNT);
        double first = 0;
        for (size_t i = 0; i < n; i++)
            first += u[i] < 0.5;
        sum += (first - COUNT / 2.0) * (first - COUNT / 2.0);
        plan_done(&p);
    }
    double variance = sum / ROUNDS; /* of a binomial: 100 / 4; its own standard error is 25 * sqrt(2 / 400) */
    if (fabs(variance - 25) > 4 * 25 * sqrt(2.0 / ROUNDS))
        check_failed("variance %g", variance);
}

static void recorded_arrivals_come_when_they_were_recorded(void **state)
{
    (void)state;
    static const int64_t AT[] = {0, 0, 250000, 700000, 700000, 2000000};
    struct plan p = stages("1s:2.6");
    check_ok(plan_add(&p, &(struct plan_stage){.curve = PLAN_TRACE, .seconds = 2.5, .trace_us = AT, .n_trace = 6}));
    check_ok(plan_add(&p, &(struct plan_stage){.seconds = 1, .from = 1, .to = 1}));
    assert_int_equal(plan_count(&p), 10); /* 2.6 + 6 + 1 */
    for (uint64_t workers = 1; workers <= 3; workers++) {
        bool seen[ARRAY_LEN(AT)] = {false};
        unsigned others = 0;
        for (uint64_t w = 0; w < workers; w++) {
            struct rng rng;
            rng_seed(&rng, 1);
            struct arrivals a;
            arrivals_init(&a, &p, w, workers, &rng, 0);
            int64_t at;
            while (arrivals_next(&a, &at)) {
                size_t i = 0;
                while (i < ARRAY_LEN(AT) && (seen[i] || at != 1000000 + AT[i]))
                    i++;
                if (i < ARRAY_LEN(AT))
                    seen[i] = true;
                else
                    others++;
            }
        }
        for (size_t i = 0; i < ARRAY_LEN(AT); i++)
            assert_true(seen[i]);
        assert_int_equal(others, 4);
    }
    plan_done(&p);
}

static void scaling_changes_rates_and_speed_times(void **state)
{
    (void)state;
    struct plan p;
    shape(&p, 5, PLAN_EVEN);
    double arrivals = p.arrivals, seconds = p.seconds;
    plan_scale(&p, 3, 2);
    assert_true(fabs(p.arrivals - 1.5 * arrivals) < 1e-6 && fabs(p.seconds - seconds / 2) < 1e-9);
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
        cmocka_unit_test(arrivals_of_every_shape_follow_its_rate),
        cmocka_unit_test(exact_arrivals_vary_in_place_not_in_number),
        cmocka_unit_test(recorded_arrivals_come_when_they_were_recorded),
        cmocka_unit_test(scaling_changes_rates_and_speed_times),
        cmocka_unit_test(poisson_workers_share_the_rate),
        cmocka_unit_test(a_bound_on_sessions_is_shared_out_exactly),
        cmocka_unit_test(bad_stages_are_refused_with_the_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
