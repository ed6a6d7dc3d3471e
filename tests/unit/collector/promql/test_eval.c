#include "tests/support/check.h"

#include <errno.h>
#include <math.h>

#include "collector/promql/promql.h"
#include "lib/base/clock.h"

/* ---- a store and questions to it ---- */

static struct store *open_store(void)
{
    char why[256] = "";
    struct store *s;
    if (store_open(&(struct store_config){.future_ms_max = -1}, &s, why, sizeof why) < 0)
        check_failed("no store: %s", why);
    return s;
}

/* A series from its text, one sample every step_ms from start_ms on; NULL values are left out as NAN_BITS are not. */
struct feed {
    const char *series;
    int64_t start_ms, step_ms;
    const double *values;
    size_t n;
};

static void write_feeds(struct store *s, const struct feed *feeds, size_t n)
{
    struct write_request *w = write_request_new(256u << 20);
    assert_non_null(w);
    w->series = arena_array(&w->arena, n, sizeof *w->series);
    w->n_series = n;
    for (size_t i = 0; i < n; i++) {
        struct matcher *ms;
        size_t n_ms;
        struct parse_error error;
        struct label_builder b;
        check_ok(promql_parse_selector(span_str(feeds[i].series), &w->arena, &ms, &n_ms, &error));
        label_builder_init(&b, &w->arena);
        for (size_t k = 0; k < n_ms; k++) {
            label_builder_set(&b, ms[k].name, ms[k].value);
            matcher_done(&ms[k]);
        }
        check_ok(label_builder_finish(&b, &w->series[i].labels));
        w->series[i].samples = arena_array(&w->arena, feeds[i].n, sizeof *w->series[i].samples);
        for (size_t k = 0; k < feeds[i].n; k++)
            w->series[i].samples[w->series[i].n_samples++] =
                (struct sample){.t_ms = feeds[i].start_ms + (int64_t)k * feeds[i].step_ms, .value = feeds[i].values[k]};
    }
    struct store_written written;
    check_ok(store_write(s, w, &written));
    check_ok(written.error);
}

static int ask(struct store *s, const char *text, const struct promql_params *p, struct promql_result **ret,
               struct promql_error *error)
{
    struct arena a;
    struct promql_expr *e;
    struct parse_error why;
    arena_init(&a, 64u << 20);
    if (promql_parse(span_str(text), &a, &e, &why) < 0)
        check_failed("%s: %s", text, why.text);
    int r = promql_eval(s, e, p, ret, error);
    promql_expr_done(e);
    arena_done(&a);
    return r;
}

static struct promql_result *answer(struct store *s, const char *text, int64_t start_ms, int64_t end_ms,
                                    int64_t step_ms)
{
    struct promql_result *res;
    struct promql_error error;
    struct promql_params p = {.start_ms = start_ms, .end_ms = end_ms, .step_ms = step_ms};
    if (ask(s, text, &p, &res, &error) < 0)
        check_failed("%s: %s", text, error.text);
    return res;
}

static void assert_fails(struct store *s, const char *text, const struct promql_params *p, enum promql_error_kind kind,
                         const char *message)
{
    struct promql_result *res = NULL;
    struct promql_error error;
    if (ask(s, text, p, &res, &error) >= 0)
        check_failed("%s succeeds", text);
    assert_null(res);
    assert_int_equal(error.kind, kind);
    check_contains(error.text, message);
}

static void assert_labels(const struct labels *ls, const char *want)
{
    struct buf b;
    buf_init(&b, 10000);
    labels_format(&b, ls);
    assert_string_equal(b.data ? b.data : "{}", want);
    buf_done(&b);
}

#define FEED(text, every_ms, ...)                                                                                      \
    {                                                                                                                  \
        .series = text, .step_ms = every_ms, .values = (const double[]){__VA_ARGS__},                                  \
        .n = sizeof((const double[]){__VA_ARGS__}) / sizeof(double)                                                    \
    }

/* ---- shapes ---- */

static void answers_come_in_the_order_that_was_asked_for(void **state)
{
    (void)state;
    struct store *s = open_store();
    const struct feed feeds[] = {FEED("m{i=\"c\"}", 1000, 1, 1), FEED("m{i=\"a\"}", 1000, 2, 2),
                                 FEED("m{i=\"b\"}", 1000, 3, 3)};
    write_feeds(s, feeds, ARRAY_LEN(feeds));
    struct promql_result *res = answer(s, "m", 1000, 1000, 0);
    assert_int_equal(res->type, PROMQL_VECTOR);
    assert_int_equal(res->n_series, 3);
    assert_labels(&res->series[0].labels, "m{i=\"a\"}");
    assert_labels(&res->series[2].labels, "m{i=\"c\"}");
    assert_int_equal(res->samples_read, 6);
    promql_result_free(res);
    res = answer(s, "sort_desc(m) * 10", 1000, 1000, 0);
    assert_labels(&res->series[0].labels, "{i=\"b\"}");
    check_double_bits(res->series[0].values[0], 30);
    assert_labels(&res->series[2].labels, "{i=\"c\"}");
    promql_result_free(res);
    res = answer(s, "sort_desc(m)", 0, 1000, 1000); /* a range is ordered by labels */
    assert_labels(&res->series[0].labels, "m{i=\"a\"}");
    assert_int_equal(res->n_steps, 2);
    assert_string_equal(res->warnings[0], "PromQL warning: sort is ineffective for range queries since results are "
                                          "always ordered by labels (1:1)");
    assert_null(res->warnings[1]);
    promql_result_free(res);
    store_close(s);
}

static void scalars_strings_and_raw_samples_are_answers_too(void **state)
{
    (void)state;
    struct store *s = open_store();
    const struct feed feeds[] = {FEED("m", 1000, 1, 2, stale_marker(), 4)};
    write_feeds(s, feeds, 1);
    struct promql_result *res = answer(s, "1 + 1", 0, 2000, 1000);
    assert_int_equal(res->type, PROMQL_SCALAR);
    assert_int_equal(res->n_series, 1);
    check_double_bits(res->series[0].values[2], 2);
    promql_result_free(res);
    res = answer(s, "\"a\"", 5, 5, 0);
    assert_int_equal(res->type, PROMQL_STRING);
    check_span(res->string, "a");
    promql_result_free(res);
    res = answer(s, "m[3s]", 3000, 3000, 0); /* left-open, without the stale marker */
    assert_int_equal(res->n_matrix, 1);
    assert_int_equal(res->matrix[0].n, 2);
    assert_int_equal(res->matrix[0].t_ms[0], 1000);
    check_double_bits(res->matrix[0].values[1], 4);
    promql_result_free(res);
    res = answer(s, "(m * 2)[2s:1s]", 1000, 1000, 0);
    assert_int_equal(res->n_matrix, 1);
    assert_labels(&res->matrix[0].labels, "{}");
    check_double_bits(res->matrix[0].values[1], 4);
    promql_result_free(res);
    store_close(s);
}

static void a_sample_counts_until_the_lookback_ends_or_a_stale_marker_comes(void **state)
{
    (void)state;
    struct store *s = open_store();
    const struct feed feeds[] = {FEED("m", 10000, 1, stale_marker(), 3)};
    write_feeds(s, feeds, 1);
    struct promql_result *res = answer(s, "m", 0, 330000, 5000);
    const struct promql_series *m = &res->series[0];
    assert_true(m->present[0] && m->present[1]);
    assert_false(m->present[2] || m->present[3]); /* stale from 10 s to 20 s */
    assert_true(m->present[4] && m->present[(319000 - 0) / 5000]);
    assert_false(m->present[320000 / 5000]); /* exactly the lookback later: left-open */
    promql_result_free(res);
    struct promql_params p = {.start_ms = 22000, .end_ms = 22000, .lookback_ms = 1000};
    struct promql_error error;
    check_ok(ask(s, "m", &p, &res, &error));
    assert_int_equal(res->n_series, 0);
    promql_result_free(res);
    store_close(s);
}

/* ---- errors ---- */

static void matching_errors_say_which_series_met(void **state)
{
    (void)state;
    struct store *s = open_store();
    const struct feed feeds[] = {FEED("a{x=\"1\"}", 1000, 1), FEED("b{x=\"1\",y=\"1\"}", 1000, 1),
                                 FEED("b{x=\"1\",y=\"2\"}", 1000, 1), FEED("c{x=\"1\"}", 1000, 1)};
    write_feeds(s, feeds, ARRAY_LEN(feeds));
    struct promql_params p = {0};
    assert_fails(
        s, "a + on (x) b", &p, PROMQL_EXECUTION,
        "found duplicate series for the match group {x=\"1\"} on the right hand-side of the operation: "
        "[b{x=\"1\", y=\"1\"}, b{x=\"1\", y=\"2\"}];many-to-many matching not allowed: matching labels must be "
        "unique on one side");
    assert_fails(s, "b + on (x) a", &p, PROMQL_EXECUTION,
                 "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
    assert_fails(s, "b * on (x) group_left (y) (b{y=\"1\"})", &p, PROMQL_EXECUTION,
                 "multiple matches for labels: grouping labels must ensure unique matches");
    assert_fails(s, "-{x=\"1\",y=\"\"}", &p, PROMQL_EXECUTION, "vector cannot contain metrics with the same labelset");
    assert_fails(s, "topk(NaN, a)", &p, PROMQL_EXECUTION, "Parameter value is NaN");
    assert_fails(s, "topk(Inf, a)", &p, PROMQL_EXECUTION, "Scalar value +Inf overflows int64");
    assert_fails(s, "label_replace(a, \"\", \"\", \"\", \"\")", &p, PROMQL_EXECUTION,
                 "invalid destination label name in label_replace(): ");
    store_close(s);
}

static void times_that_make_no_sense_are_bad_data(void **state)
{
    (void)state;
    struct store *s = open_store();
    assert_fails(s, "1", &(struct promql_params){.start_ms = 1, .end_ms = 2}, PROMQL_BAD_DATA, "one time");
    assert_fails(s, "1", &(struct promql_params){.start_ms = 2, .end_ms = 1, .step_ms = 1}, PROMQL_BAD_DATA,
                 "end timestamp must not be before start time");
    assert_fails(s, "1", &(struct promql_params){.start_ms = 0, .end_ms = 1, .step_ms = -1}, PROMQL_BAD_DATA,
                 "zero or negative query resolution step widths are not accepted");
    assert_fails(s, "m[5m]", &(struct promql_params){.start_ms = 0, .end_ms = 1, .step_ms = 1}, PROMQL_BAD_DATA,
                 "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
    assert_fails(s, "1", &(struct promql_params){.start_ms = INT64_MIN, .end_ms = INT64_MIN}, PROMQL_BAD_DATA,
                 "timestamp out of bounds");
    assert_fails(s, "rate(m[step()])", &(struct promql_params){0}, PROMQL_EXECUTION, "duration must be greater than 0");
    store_close(s);
}

/* ---- limits ---- */

static void fill_store(struct store *s, size_t n_series, size_t n_samples)
{
    double *values = calloc(n_samples, sizeof *values);
    struct feed *feeds = calloc(n_series, sizeof *feeds);
    char(*names)[64] = calloc(n_series, sizeof *names);
    assert_true(values && feeds && names);
    for (size_t i = 0; i < n_samples; i++)
        values[i] = (double)i;
    for (size_t i = 0; i < n_series; i++) {
        snprintf(names[i], sizeof names[i], "m{i=\"%zu\"}", i);
        feeds[i] = (struct feed){.series = names[i], .step_ms = 1000, .values = values, .n = n_samples};
    }
    write_feeds(s, feeds, n_series);
    free(values);
    free(feeds);
    free(names);
}

static void a_query_over_its_sample_limit_ends_with_prometheus_words(void **state)
{
    (void)state;
    struct store *s = open_store();
    fill_store(s, 10, 1000);
    struct promql_params p = {.end_ms = 999000, .step_ms = 1000, .samples_max = 5000};
    struct promql_error error;
    struct promql_result *res;
    assert_fails(s, "m", &p, PROMQL_EXECUTION,
                 "query processing would load too many samples into memory in query execution");
    assert_fails(s, "sum(m) + sum(max_over_time(vector(1)[100y:1ms]))", &p, PROMQL_EXECUTION, "too many samples");
    p.step_ms = 1;
    assert_fails(s, "1", &p, PROMQL_EXECUTION, "too many samples");
    p.step_ms = 1000;
    check_ok(ask(s, "sum(m)", &p, &res, &error)); /* one series at a time: all ten never are in memory */
    assert_int_equal(res->samples_read, 10000);
    promql_result_free(res);
    store_close(s);
}

static void a_query_over_its_memory_ends_and_leaks_nothing(void **state)
{
    (void)state;
    struct store *s = open_store();
    fill_store(s, 10, 100);
    static const char *const QUERIES[] = {
        "m",
        "sum by (i) (rate(m[5m]))",
        "topk(2, m) / on (i) m",
        "label_replace(m, \"j\", \"$1\", \"i\", \"(.*)\") or m * 2",
        "count_values(\"v\", m)",
        "histogram_quantile(0.5, label_replace(m, \"le\", \"$1\", \"i\", \"(.*)\"))",
        "max_over_time(quantile_over_time(0.5, m[1m:1s])[1m:10s])",
    };
    for (size_t i = 0; i < ARRAY_LEN(QUERIES); i++) {
        unsigned failed = 0;
        for (size_t max = 256; max < 400000; max = max * 5 / 4) {
            struct promql_params p = {.end_ms = 99000, .step_ms = 1000, .bytes_max = max};
            struct promql_error error;
            struct promql_result *res = NULL;
            if (ask(s, QUERIES[i], &p, &res, &error) == 0) {
                promql_result_free(res);
                continue;
            }
            assert_int_equal(error.kind, PROMQL_EXECUTION);
            check_contains(error.text, "too many samples into memory");
            failed++;
        }
        assert_true(failed > 0);
    }
    store_close(s);
}

static void a_deadline_or_a_cancelled_flag_ends_a_query_soon(void **state)
{
    (void)state;
    struct store *s = open_store();
    fill_store(s, 1, 10000);
    /* Each step looks at every sample of its window: hours of work if it were let. */
    static const char HOSTILE[] = "sum_over_time(sum_over_time(m[10000s:1s])[10000s:1s])";
    struct promql_params p = {.start_ms = 10000000, .end_ms = 20000000, .step_ms = 1000};
    p.deadline_mono_us = mono_us() + 100000;
    int64_t started = mono_us();
    assert_fails(s, HOSTILE, &p, PROMQL_TIMEOUT, "query timed out in expression evaluation");
    assert_true(mono_us() - started < 5000000 * (int64_t)check_patience());
    atomic_bool cancelled = true;
    p = (struct promql_params){.cancelled = &cancelled};
    assert_fails(s, "m", &p, PROMQL_CANCELED, "query was canceled in expression evaluation");
    store_close(s);
}

static void a_chain_of_two_thousand_operators_evaluates(void **state)
{
    (void)state;
    struct store *s = open_store();
    const struct feed feeds[] = {FEED("m", 1000, 1)};
    write_feeds(s, feeds, 1);
    char *text = malloc(3 * 2000 + 2), *at = text;
    assert_non_null(text);
    *at++ = 'm';
    for (int i = 0; i < 2000; i++)
        at = stpcpy(at, "+1");
    struct promql_result *res = answer(s, text, 0, 0, 0);
    check_double_bits(res->series[0].values[0], 2001);
    promql_result_free(res);
    at = stpcpy(text, "m");
    for (int i = 0; i < 1900; i++)
        at = stpcpy(at, "+m");
    res = answer(s, text, 0, 1000, 1000);
    check_double_bits(res->series[0].values[1], 1901);
    promql_result_free(res);
    free(text);
    store_close(s);
}

/* ---- a range query is its instant queries ---- */

static void feed_random(struct store *s, struct check_random *r)
{
    enum { SERIES = 7, SAMPLES = 120 };
    static double values[SERIES][SAMPLES];
    static const char *const NAMES[SERIES] = {"a_total{i=\"1\",g=\"x\"}",
                                              "a_total{i=\"2\",g=\"x\"}",
                                              "a_total{i=\"3\",g=\"y\"}",
                                              "b{i=\"1\",g=\"x\"}",
                                              "b{i=\"2\",g=\"x\"}",
                                              "b{i=\"4\",g=\"y\"}",
                                              "c{g=\"x\"}"};
    struct feed feeds[SERIES];
    for (size_t i = 0; i < SERIES; i++) {
        double v = 0;
        for (size_t k = 0; k < SAMPLES; k++) {
            uint64_t what = check_random_below(r, 40);
            v = what == 0 ? 0 : v + (double)check_random_below(r, 100) / 8;
            values[i][k] = what == 1 ? stale_marker() : what == 2 && i > 2 ? NAN : i > 2 ? v - 300 : v;
        }
        feeds[i] = (struct feed){.series = NAMES[i],
                                 .start_ms = (int64_t)check_random_below(r, 60000),
                                 .step_ms = 5000 + (int64_t)check_random_below(r, 10000),
                                 .values = values[i],
                                 .n = SAMPLES};
    }
    write_feeds(s, feeds, SERIES);
}

static void assert_same_as_instants(struct store *s, const char *text, int64_t start_ms, int64_t end_ms,
                                    int64_t step_ms)
{
    struct promql_result *range = answer(s, text, start_ms, end_ms, step_ms);
    for (size_t k = 0; k < range->n_steps; k++) {
        int64_t t = start_ms + (int64_t)k * step_ms;
        struct promql_result *one = answer(s, text, t, t, 0);
        size_t present = 0;
        for (size_t i = 0; i < range->n_series; i++) {
            if (!range->series[i].present[k])
                continue;
            present++;
            const struct promql_series *same = NULL;
            for (size_t j = 0; j < one->n_series; j++)
                if (labels_equal(&one->series[j].labels, &range->series[i].labels))
                    same = &one->series[j];
            if (!same)
                check_failed("%s at %lld: only the range has it", text, (long long)t);
            double x = range->series[i].values[k], y = same->values[0];
            if (!(x == y || (isnan(x) && isnan(y))))
                check_failed("%s at %lld: %.17g in the range, %.17g alone", text, (long long)t, x, y);
        }
        if (present != one->n_series)
            check_failed("%s at %lld: %zu series in the range, %zu alone", text, (long long)t, present, one->n_series);
        promql_result_free(one);
    }
    promql_result_free(range);
}

static void a_range_query_agrees_with_its_steps_asked_alone(void **state)
{
    (void)state;
    static const char *const QUERIES[] = {
        "a_total",
        "{g=\"x\"} offset 1m",
        "rate(a_total[1m])",
        "increase(a_total[3m])",
        "delta(b[2m])",
        "irate(a_total[1m])",
        "idelta(b[1m])",
        "deriv(b[3m])",
        "predict_linear(b[3m], 60)",
        "changes(b[2m])",
        "resets(a_total[4m])",
        "rate(a_total[1m] anchored)",
        "increase(a_total[1m] smoothed)",
        "delta(b[2m] smoothed)",
        "changes(a_total[1m] anchored)",
        "resets(a_total[2m] anchored)",
        "b smoothed",
        "min_over_time(b[2m])",
        "max_over_time(b[2m])",
        "ts_of_max_over_time(a_total[2m])",
        "ts_of_min_over_time(b[90s])",
        "avg_over_time(b[2m])",
        "sum_over_time(b[2m])",
        "count_over_time(b[15s])",
        "last_over_time(b[20s])",
        "first_over_time(b[100s])",
        "present_over_time(b[10s])",
        "absent_over_time(b{i=\"1\"}[8s])",
        "absent(b{i=\"4\"})",
        "quantile_over_time(0.9, b[2m])",
        "quantile_over_time(scalar(c) / 100, b[2m])",
        "stddev_over_time(b[2m])",
        "mad_over_time(a_total[2m])",
        "double_exponential_smoothing(a_total[2m], 0.3, 0.6)",
        "max_over_time(rate(a_total[1m])[3m:20s])",
        "sum_over_time(sum(b)[2m:7s] offset 30s)",
        "avg_over_time(a_total[1m:13s])",
        "sum by (g) (a_total)",
        "avg without (i) ({g=~\".+\"})",
        "stddev(b)",
        "quantile by (g) (0.3, b)",
        "count_values by (g) (\"v\", round(b, 100))",
        "topk by (g) (1, a_total)",
        "bottomk(2, a_total)",
        "limitk(2, a_total)",
        "group by (i) (b)",
        "a_total + on (i, g) b",
        "a_total > b",
        "a_total > bool on (i) group_left () b{g=\"x\"}",
        "a_total / on (g) group_left c",
        "c * on (g) group_right b",
        "b + fill (0) a_total",
        "a_total and b",
        "a_total unless on (i) b",
        "b > 0 or a_total",
        "-b",
        "2 ^ -b % 3",
        "clamp(b, -10, scalar(c))",
        "timestamp(b)",
        "timestamp(b + 1)",
        "minute(a_total) + hour()",
        "b @ 300",
        "rate(a_total[2m] @ 400) + 0 * a_total",
        "label_replace(b, \"i\", \"same\", \"i\", \"2|4\")",
        "histogram_quantile(0.5, label_replace(b, \"le\", \"$1\", \"i\", \"(.*)\"))",
        "time() - a_total",
        "vector(time())",
    };
    struct check_random r = check_random_new("range against instants");
    for (unsigned round = 0; round < 4 / check_slowness() + 1; round++) {
        struct store *s = open_store();
        feed_random(s, &r);
        for (size_t i = 0; i < ARRAY_LEN(QUERIES); i++) {
            int64_t start = (int64_t)check_random_below(&r, 300000),
                    step = 1000 + (int64_t)check_random_below(&r, 40000);
            assert_same_as_instants(s, QUERIES[i], start, start + 25 * step, step);
        }
        store_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_the_order_that_was_asked_for),
        cmocka_unit_test(scalars_strings_and_raw_samples_are_answers_too),
        cmocka_unit_test(a_sample_counts_until_the_lookback_ends_or_a_stale_marker_comes),
        cmocka_unit_test(matching_errors_say_which_series_met),
        cmocka_unit_test(times_that_make_no_sense_are_bad_data),
        cmocka_unit_test(a_query_over_its_sample_limit_ends_with_prometheus_words),
        cmocka_unit_test(a_query_over_its_memory_ends_and_leaks_nothing),
        cmocka_unit_test(a_deadline_or_a_cancelled_flag_ends_a_query_soon),
        cmocka_unit_test(a_chain_of_two_thousand_operators_evaluates),
        cmocka_unit_test(a_range_query_agrees_with_its_steps_asked_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
