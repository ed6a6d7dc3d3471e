/* The search against servers whose limit is known: computed curves, simulated queues of many seeds, a generator that gives up. */
#include "tests/support/check.h"

#include <math.h>
#include <stdlib.h>

#include "loadgen/hurl/random.h"
#include "loadgen/limit/search.h"

static const struct limit_rules RULES = {.start_rate = 10, .rate_max = 1e6, .precision = 0.05, .probes_max = 12};

/* ---- a queue with c workers, exponential service and Poisson arrivals ---- */

struct queue {
    unsigned workers;
    double served; /* per second and worker */
};

/* Erlang's C: the share of arrivals that wait. */
static double waiting_share(const struct queue *q, double rate)
{
    double load = rate / q->served, term = 1, sum = 1;
    for (unsigned k = 1; k < q->workers; k++) {
        term *= load / k;
        sum += term;
    }
    term *= load / q->workers;
    double all = term / (1 - load / q->workers);
    return all / (sum + all);
}

/* The share of responses above t: service, after a wait that is exponential with what capacity is left. */
static double slower_than(const struct queue *q, double rate, double t)
{
    double spare = q->workers * q->served - rate, m = q->served, c = waiting_share(q, rate);
    if (spare <= 0)
        return 1;
    if (fabs(spare - m) < 1e-9 * m)
        spare += 1e-6 * m;
    return (1 - c) * exp(-m * t) + c * (spare * exp(-m * t) - m * exp(-spare * t)) / (spare - m);
}

/* The rate at which 5 % take longer than t. */
static double limit_of(const struct queue *q, double t)
{
    double low = 0, high = q->workers * q->served;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (slower_than(q, middle, t) <= 0.05)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* p95 of a probe of so many seconds after the settling, the queue empty at its start; and what was done per second meanwhile. */
static double simulated_p95(const struct queue *q, double rate, double settle_s, double measure_s, struct rng *rng,
                            double *ret_served)
{
    enum { QUEUE_WORKERS_MAX = 64, SAMPLES_MAX = 400000 };
    static double times[SAMPLES_MAX];
    double free_at[QUEUE_WORKERS_MAX] = {0}, now = 0;
    size_t n = 0;
    *ret_served = 0;
    for (;;) {
        now += rng_exponential(rng) / rate;
        if (now >= settle_s + measure_s)
            break;
        unsigned first = 0;
        for (unsigned w = 1; w < q->workers; w++)
            if (free_at[w] < free_at[first])
                first = w;
        double done = fmax(now, free_at[first]) + rng_exponential(rng) / q->served;
        free_at[first] = done;
        *ret_served += done >= settle_s && done < settle_s + measure_s ? 1 / measure_s : 0;
        if (now >= settle_s && n < SAMPLES_MAX)
            times[n++] = done - now;
    }
    if (n == 0)
        return 0;
    qsort(times, n, sizeof times[0], compare);
    return times[(size_t)((double)n * 0.95)];
}

static void a_server_of_known_capacity_is_found_within_5_percent_in_12_probes(void **state)
{
    (void)state;
    static const struct {
        struct queue queue;
        double p95_s, start_rate, probe_s; /* long enough that p95 itself is steady: 40,000 arrivals */
    } cases[] = {{{8, 50}, 0.1, 20, 120},   {{2, 40}, 0.2, 5, 600},    {{32, 10}, 0.5, 10, 120},
                 {{1, 100}, 0.1, 50, 600},  {{8, 50}, 0.3, 0.08, 120}, {{32, 10}, 1, 0.064, 120},
                 {{8, 50}, 0.3, 0.57, 120}, {{2, 40}, 0.4, 0.114, 600}}; /* far below: a 5,000th, a 700th */
    unsigned good = 0, all = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double truth = limit_of(&cases[i].queue, cases[i].p95_s);
        for (uint64_t seed = 0; seed < 5; seed++) {
            struct rng rng;
            struct limit_search s;
            double rate;
            rng_seed(&rng, 1000 * i + seed);
            struct limit_rules rules = RULES;
            rules.start_rate = cases[i].start_rate;
            limit_search_init(&s, &rules);
            while (limit_search_next(&s, &rate)) {
                double served,
                    strain = simulated_p95(&cases[i].queue, rate, 10, cases[i].probe_s, &rng, &served) / cases[i].p95_s;
                limit_search_tell(&s, strain <= 1 ? LIMIT_MET : LIMIT_BROKEN, strain, served);
            }
            double found = s.end == LIMIT_FOUND ? s.sure : s.low, error = fabs(found / truth - 1);
            good += s.end == LIMIT_FOUND && error <= 0.05;
            if (s.n > 12 || error > 0.08 || (s.end != LIMIT_FOUND && s.end != LIMIT_UNSURE))
                check_failed("queue %zu, seed %llu: %s, %f after %zu probes, the truth is %f", i,
                             (unsigned long long)seed, limit_end_name(s.end), found, s.n, truth);
            all++;
        }
    }
    assert_true(good * 100 >= all * 90); /* a probe is a sample: p95 itself varies by more than the search does */
}

/* ---- servers without noise ---- */

enum shape { CLIFF, QUEUE, SLOPE };

/* The strain of a server whose limit is known; a cliff's says nothing before it and nothing behind it. */
static double strain_of(enum shape shape, double limit, double rate)
{
    switch (shape) {
    case CLIFF:
        return rate <= limit ? 0 : INFINITY;
    case QUEUE: {
        double capacity = limit * 1.04;
        return rate < capacity ? (capacity - limit) / (capacity - rate) : 50;
    }
    default:
        return pow(rate / limit, 4);
    }
}

static struct limit_search searched(enum shape shape, double limit, const struct limit_rules *rules)
{
    struct limit_search s;
    double rate;
    limit_search_init(&s, rules);
    while (limit_search_next(&s, &rate)) {
        double strain = strain_of(shape, limit, rate);
        limit_search_tell(&s, strain <= 1 ? LIMIT_MET : LIMIT_BROKEN, strain, 0);
    }
    return s;
}

static void any_shape_and_any_limit_within_16_times_the_start_takes_12_probes(void **state)
{
    (void)state;
    for (int shape = CLIFF; shape <= SLOPE; shape++)
        for (double limit = 0.7; limit < 160; limit *= 1.037) {
            struct limit_search s = searched((enum shape)shape, limit, &RULES);
            if (s.end != LIMIT_FOUND || s.sure > limit || s.high <= limit || s.high / s.sure > 1.05 + 1e-6)
                check_failed("shape %d, limit %f: %s, %f..%f after %zu probes", shape, limit, limit_end_name(s.end),
                             s.low, s.high, s.n);
        }
}

static void what_nothing_broke_is_above_and_what_nothing_kept_is_below(void **state)
{
    (void)state;
    struct limit_rules bounded = RULES;
    bounded.rate_max = 100;
    struct limit_search s = searched(CLIFF, 1e5, &bounded);
    assert_int_equal(s.end, LIMIT_ABOVE);
    assert_true(s.low == 100);
    assert_true(s.high == 0);
    struct limit_rules few = RULES;
    few.probes_max = 5;
    s = searched(CLIFF, 1e7, &few); /* the probes run out on the way up */
    assert_int_equal(s.end, LIMIT_ABOVE);
    assert_int_equal(s.n, 5);
    s = searched(CLIFF, 0, &RULES);
    assert_int_equal(s.end, LIMIT_BELOW);
    assert_true(s.low == 0 && s.high < 10);
}

static void too_few_probes_give_what_is_known_and_say_so(void **state)
{
    (void)state;
    struct limit_rules few = RULES;
    few.probes_max = 6;
    struct limit_search s = searched(CLIFF, 100, &few);
    assert_int_equal(s.end, LIMIT_UNSURE);
    assert_true(s.low <= 100 && s.high > 100 && s.high / s.low > 1.05);
}

static void a_rate_that_does_not_keep_the_slo_again_is_no_limit(void **state)
{
    (void)state;
    struct limit_search s;
    struct limit_rules patient = RULES; /* what was believed wrongly costs probes */
    double rate, lied = 0;
    patient.probes_max = 20;
    limit_search_init(&s, &patient);
    while (limit_search_next(&s, &rate)) {
        bool met = rate <= 50;
        if (rate > 50 && rate < 53 && lied == 0) { /* good luck, once */
            met = true;
            lied = rate;
        }
        limit_search_tell(&s, met ? LIMIT_MET : LIMIT_BROKEN, met ? 0 : INFINITY, 0);
    }
    assert_true(lied > 0);
    assert_int_equal(s.end, LIMIT_FOUND);
    assert_true(s.sure <= 50 && s.high <= 53);
}

static void a_void_probe_is_asked_again_and_never_counts_as_the_servers_limit(void **state)
{
    (void)state;
    struct limit_search s;
    double rate;
    limit_search_init(&s, &RULES);
    unsigned hiccups = 0;
    while (limit_search_next(&s, &rate)) {
        if (rate == 40 && hiccups++ == 0)
            limit_search_tell(&s, LIMIT_VOID, 0, 0);
        else
            limit_search_tell(&s, rate <= 100 ? LIMIT_MET : LIMIT_BROKEN, NAN, 0);
    }
    assert_int_equal(hiccups, 2);
    assert_int_equal(s.end, LIMIT_FOUND);
    assert_true(s.low <= 100 && s.high > 100);

    limit_search_init(&s, &RULES); /* a generator that cannot do more than 80 a second */
    while (limit_search_next(&s, &rate))
        limit_search_tell(&s, rate >= 80 ? LIMIT_VOID : LIMIT_MET, 0.1, 0);
    assert_int_equal(s.end, LIMIT_VOIDED);
    assert_true(s.low == 40);
    assert_true(s.high == 0);
}

static void far_from_the_limit_the_steps_are_long_and_near_it_short(void **state)
{
    (void)state;
    struct limit_search s;
    double rate, before = 0;
    limit_search_init(&s, &RULES);
    while (limit_search_next(&s, &rate) && s.high == 0) { /* one worker: the wait grows as 1/(1000 - rate) */
        double strain = 200 / fmax(1, 1000 - rate);
        if (s.n > 1 && s.low < 200)
            assert_true(rate == before * 8);
        if (s.low > 500)
            assert_true(rate < 1.25 * 800); /* the limit is 800 */
        before = rate;
        limit_search_tell(&s, strain <= 1 ? LIMIT_MET : LIMIT_BROKEN, strain, fmin(rate, 1000));
    }
    assert_true(s.n >= 4);
}

static void a_first_break_by_little_is_asked_once_more(void **state)
{
    (void)state;
    struct limit_search s;
    double rate;
    unsigned breaks = 0;
    limit_search_init(&s, &RULES);
    while (limit_search_next(&s, &rate)) {
        bool unlucky = s.n == 0; /* p95 of ten requests */
        breaks += unlucky;
        limit_search_tell(&s, !unlucky && rate <= 1000 ? LIMIT_MET : LIMIT_BROKEN,
                          unlucky ? 1.3 : strain_of(QUEUE, 1000, rate), fmin(rate, 1040));
    }
    assert_int_equal(breaks, 1);
    assert_true(s.points[1].rate == s.points[0].rate);
    assert_int_equal(s.end, LIMIT_FOUND);
    assert_true(s.sure <= 1000 && s.sure > 950);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_of_known_capacity_is_found_within_5_percent_in_12_probes),
        cmocka_unit_test(any_shape_and_any_limit_within_16_times_the_start_takes_12_probes),
        cmocka_unit_test(what_nothing_broke_is_above_and_what_nothing_kept_is_below),
        cmocka_unit_test(too_few_probes_give_what_is_known_and_say_so),
        cmocka_unit_test(a_rate_that_does_not_keep_the_slo_again_is_no_limit),
        cmocka_unit_test(far_from_the_limit_the_steps_are_long_and_near_it_short),
        cmocka_unit_test(a_first_break_by_little_is_asked_once_more),
        cmocka_unit_test(a_void_probe_is_asked_again_and_never_counts_as_the_servers_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
