#include "tests/support/check.h"

#include <errno.h>
#include <math.h>

#include "collector/promql/promql.h"

/* Twelve counters of four scrapes: neighbours have the same times, the second one begins later, another has a gap. Resets, stale
 * markers (which make a series' times its own) and counters near zero are among them. */
enum { SERIES = 12, SAMPLES = 60 };

static struct store *open_counters(void)
{
    char why[256] = "";
    struct store *s;
    struct store_written written;
    struct check_random random = check_random_new("counters");
    struct write_request *w = write_request_new(16u << 20);
    assert_non_null(w);
    if (store_open(&(struct store_config){.future_ms_max = -1}, &s, why, sizeof why) < 0)
        check_failed("no store: %s", why);
    w->series = arena_array(&w->arena, SERIES, sizeof *w->series);
    w->n_series = SERIES;
    for (unsigned i = 0; i < SERIES; i++) {
        struct write_series *to = &w->series[i];
        struct label_builder b;
        label_builder_init(&b, &w->arena);
        label_builder_set(&b, SPAN("__name__"), SPAN("m_total"));
        label_builder_set(&b, SPAN("i"), span_str(arena_printf(&w->arena, "%u", i)));
        check_ok(label_builder_finish(&b, &to->labels));
        to->samples = arena_array(&w->arena, SAMPLES, sizeof *to->samples);
        double value = i % 2 ? 0 : 100;
        for (int64_t k = 0; k < SAMPLES; k++) {
            if ((i % 4 == 1 && k < 7) || (i == 5 && k > 20 && k < 45))
                continue;
            value += (double)check_random_below(&random, 20);
            if (i % 3 == 2 && check_random_below(&random, 12) == 0)
                value = 1;
            bool stale = i == 6 && k == 30;
            to->samples[to->n_samples++] =
                (struct sample){.t_ms = 1000000 + k * 10000 + i / 4 * 7, .value = stale ? stale_marker() : value};
        }
    }
    check_ok(store_write(s, w, &written));
    check_ok(written.error);
    return s;
}

static struct promql_result *answer_of(struct store *s, const char *text, struct promql_params p)
{
    struct promql_result *res;
    struct promql_error error;
    struct parse_error why;
    struct promql_expr *e;
    struct arena a;
    arena_init(&a, 1 << 20);
    if (promql_parse(span_str(text), &a, &e, &why) < 0)
        check_failed("%s: %s", text, why.text);
    if (promql_eval(s, e, &p, &res, &error) < 0)
        check_failed("%s: %s", text, error.text);
    promql_expr_done(e);
    arena_done(&a);
    return res;
}

static struct promql_result *answer(struct store *s, const char *text)
{
    return answer_of(s, text, (struct promql_params){.start_ms = 990000, .end_ms = 1700000, .step_ms = 7000});
}

static const struct promql_series *series_of(const struct promql_result *res, unsigned i)
{
    char text[16];
    snprintf(text, sizeof text, "%u", i);
    for (size_t k = 0; k < res->n_series; k++)
        if (span_equal(labels_get(&res->series[k].labels, SPAN("i")), span_str(text)))
            return &res->series[k];
    check_failed("series %u is not there", i);
}

static void check_same(const struct promql_series *x, const struct promql_series *y, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        assert_int_equal(x->present[s], y->present[s]);
        if (x->present[s])
            check_double_bits(x->values[s], y->values[s]);
    }
}

static void series_beside_others_give_what_each_gives_alone(void **state)
{
    (void)state;
    static const char *const QUERIES[] = {"rate(%s[1m])",    "increase(%s[95s])",      "delta(%s[2m] offset 11s)",
                                          "rate(%s[10m])",   "max_over_time(%s[33s])", "changes(%s[1m])",
                                          "irate(%s[1m])",   "rate(%s[1m] anchored)",  "sum_over_time(%s[1m:13s])",
                                          "rate(%s[5m:10s])"};
    struct store *s = open_counters();
    for (size_t q = 0; q < ARRAY_LEN(QUERIES); q++) {
        char text[128], one[64];
        const char *slot = strstr(QUERIES[q], "%s");
        snprintf(text, sizeof text, "%.*sm_total%s", (int)(slot - QUERIES[q]), QUERIES[q], slot + 2);
        struct promql_result *all = answer(s, text);
        assert_int_equal(all->n_series, SERIES);
        for (unsigned i = 0; i < SERIES; i++) {
            snprintf(one, sizeof one, "m_total{i=\"%u\"}", i);
            snprintf(text, sizeof text, "%.*s%s%s", (int)(slot - QUERIES[q]), QUERIES[q], one, slot + 2);
            struct promql_result *alone = answer(s, text);
            assert_int_equal(alone->n_series, 1);
            check_same(series_of(all, i), &alone->series[0], all->n_steps);
            promql_result_free(alone);
        }
        promql_result_free(all);
    }
    store_close(s);
}

/* In the first 60 s every second series of four, beginning later, has no sample; series 1 stands between neighbours that share their times. */
static void a_series_without_samples_takes_none_from_those_behind_it(void **state)
{
    (void)state;
    struct store *s = open_counters();
    struct promql_params at = {.start_ms = 1060000, .end_ms = 1060000};
    struct promql_result *res = answer_of(s, "m_total[1m]", at);
    assert_int_equal(res->n_matrix, SERIES - 3);
    for (size_t i = 0; i < res->n_matrix; i++) {
        struct span name = labels_get(&res->matrix[i].labels, SPAN("i"));
        assert_false(span_equal(name, SPAN("1")) || span_equal(name, SPAN("5")) || span_equal(name, SPAN("9")));
        assert_int_equal(res->matrix[i].n, 6);
        assert_true(res->matrix[i].t_ms[0] > 1000000);
        assert_true(res->matrix[i].t_ms[5] <= 1060000);
    }
    promql_result_free(res);
    static const char *const CALLS[] = {"count_over_time(m_total[1m])", "sum_over_time(m_total[1m])",
                                        "count_over_time(m_total[1m:10s])"};
    for (size_t q = 0; q < ARRAY_LEN(CALLS); q++) {
        res = answer_of(s, CALLS[q], at);
        assert_int_equal(res->n_series, SERIES - 3);
        promql_result_free(res);
    }
    store_close(s);
}

/* The definition, window by window, without anything that is kept from step to step or series to series. */
static bool rate_by_definition(const struct sample *v, size_t n, int64_t end_ms, int64_t range_ms, double *ret)
{
    size_t lo = 0, hi = 0;
    while (hi < n && v[hi].t_ms <= end_ms)
        hi++;
    while (lo < hi && v[lo].t_ms <= end_ms - range_ms)
        lo++;
    if (hi - lo < 2)
        return false;
    double growth = v[hi - 1].value - v[lo].value, first = v[lo].value;
    for (size_t i = lo + 1; i < hi; i++)
        if (v[i].value < v[i - 1].value)
            growth += v[i - 1].value;
    double sampled = (double)(v[hi - 1].t_ms - v[lo].t_ms), average = sampled / (double)(hi - lo - 1);
    double to_start = (double)(v[lo].t_ms - (end_ms - range_ms)), to_end = (double)(end_ms - v[hi - 1].t_ms);
    if (to_start >= average * 1.1)
        to_start = average / 2;
    if (growth > 0 && first >= 0 && sampled * (first / growth) < to_start)
        to_start = sampled * (first / growth);
    if (to_end >= average * 1.1)
        to_end = average / 2;
    *ret = growth * (((sampled + to_start + to_end) / sampled) / ((double)range_ms / 1000.0));
    return true;
}

static void rates_are_those_of_the_definition(void **state)
{
    (void)state;
    struct store *s = open_counters();
    struct promql_result *res = answer(s, "rate(m_total[100s])");
    struct store_reader *rd;
    struct sample_columns c;
    sample_columns_init(&c);
    check_ok(store_reader_open(s, &rd));
    size_t seen = 0;
    for (uint32_t id = 0; id < SERIES; id++) {
        struct sample samples[SAMPLES];
        size_t n = 0;
        check_ok(store_read(rd, id, INT64_MIN, INT64_MAX, &c));
        for (size_t k = 0; k < c.n; k++)
            if (!is_stale(c.value[k]))
                samples[n++] = (struct sample){.t_ms = c.t_ms[k], .value = c.value[k]};
        const struct promql_series *got = series_of(res, id);
        for (size_t step = 0; step < res->n_steps; step++) {
            double want = 0;
            bool there = rate_by_definition(samples, n, 990000 + (int64_t)step * 7000, 100000, &want);
            assert_int_equal(got->present[step], there);
            if (there)
                check_double_ulps(got->values[step], want, 2);
            seen += there;
        }
    }
    assert_true(seen > 500);
    sample_columns_done(&c);
    store_reader_close(rd);
    promql_result_free(res);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_beside_others_give_what_each_gives_alone),
        cmocka_unit_test(a_series_without_samples_takes_none_from_those_behind_it),
        cmocka_unit_test(rates_are_those_of_the_definition),
    };
    return cmocka_run_group_tests_name("collector/promql/shared_times", tests, NULL, NULL);
}
