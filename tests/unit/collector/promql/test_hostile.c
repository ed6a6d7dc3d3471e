/* Queries that want to take the collector down: each ends with an answer or an error, within bounds of time and memory.
 *
 * HOSTILE_SERIES (2,000; the long run takes 1,000,000) is how many series a regular expression has to look at; what each query took
 * is printed. */
#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "collector/promql/promql.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

#define DEADLINE_MS 2000

static uint64_t series_wanted(void)
{
    const char *text = getenv("HOSTILE_SERIES");
    uint64_t n = 2000;
    if (text)
        check_ok(parse_u64(text, 5000000, &n));
    return n;
}

/* x{n="1"}, ...: the value of label `long` is what a catastrophic pattern starves on; and a histogram. */
static struct store *fill_store(uint64_t n_series)
{
    static const struct span XS = SPAN_INIT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    char why[256] = "";
    struct store *s;
    check_ok(store_open(&(struct store_config){.future_ms_max = -1}, &s, why, sizeof why));
    for (uint64_t from = 0; from < n_series;) {
        uint64_t n = n_series - from < 10000 ? n_series - from : 10000;
        struct write_request *w = write_request_new(64u << 20);
        assert_non_null(w);
        w->series = arena_array(&w->arena, n, sizeof *w->series);
        for (uint64_t i = 0; i < n; i++) {
            struct write_series *ws = &w->series[w->n_series++];
            struct label *pairs = arena_array(&w->arena, 3, sizeof *pairs);
            pairs[0] = (struct label){SPAN("__name__"), SPAN("x")};
            pairs[1] = (struct label){SPAN("long"), XS};
            pairs[2] =
                (struct label){SPAN("n"), span_str(arena_printf(&w->arena, "%llu", (unsigned long long)(from + i)))};
            ws->labels = (struct labels){pairs, 3};
            ws->samples = arena_array(&w->arena, 2, sizeof *ws->samples);
            for (int64_t k = 0; k < 2; k++)
                ws->samples[ws->n_samples++] = (struct sample){.t_ms = 1000 + k * 15000, .value = (double)i};
        }
        struct store_written written;
        check_ok(store_write(s, w, &written));
        check_ok(written.error);
        from += n;
    }
    return s;
}

/* Which end it came to is one thing; that it came to one, in time, another. */
static int ask(struct store *s, const char *text, int64_t end_ms, struct promql_error *error)
{
    struct arena a;
    struct promql_expr *e = NULL;
    struct parse_error why;
    struct promql_result *res = NULL;
    int64_t start_us = mono_us();
    arena_init(&a, 64u << 20);
    *error = (struct promql_error){0};
    int r = promql_parse(span_str(text), &a, &e, &why);
    if (r < 0) {
        snprintf(error->text, sizeof error->text, "%s", why.text);
        error->kind = PROMQL_BAD_DATA;
    } else {
        struct promql_params p = {.start_ms = 16000,
                                  .end_ms = end_ms,
                                  .step_ms = end_ms > 16000 ? 1000 : 0,
                                  .bytes_max = 256u << 20,
                                  .deadline_mono_us = start_us + DEADLINE_MS * 1000};
        r = promql_eval(s, e, &p, &res, error);
        if (r == 0)
            promql_result_free(res);
    }
    promql_expr_done(e);
    arena_done(&a);
    int64_t took_us = mono_us() - start_us;
    print_message("%8.1f ms  %.60s%s  %s\n", (double)took_us / 1e3, text, strlen(text) > 60 ? "…" : "",
                  r == 0 ? "answered" : error->text);
    /* the deadline, and much more than a step behind it takes: this finds what hangs, and says nothing of speed */
    assert_true(took_us < (int64_t)(DEADLINE_MS * 1000 + 30000000) * check_patience());
    return r;
}

static void hostile_queries_end_in_time_with_an_answer_or_its_limit(void **state)
{
    (void)state;
    static const char *const QUERIES[] = {
        "max_over_time(x[30000y:1ms])",
        "max_over_time(max_over_time(max_over_time(x[1y:1s])[1y:1s])[1y:1s])",
        "sum_over_time((x or vector(1))[10d:1ms])",
        "quantile_over_time(0.5, x[1000y])",
        "x * on() group_left() x",
        "count({__name__=~\".+\"} or {__name__=~\".*.*.*.*.*x\"})",
        "label_replace(x, \"y\", \"$1$1$1$1$1$1$1$1\", \"long\", \"(.*)\")",
        "sort_by_label(x, \"long\", \"n\", \"__name__\")",
        "topk(1e9, x)",
        "limitk(1e300, x)",
        "count_values(\"v\", x)",
        "label_join(x, \"y\", \"xxxxxxxxxxxxxxxx\", \"long\", \"long\", \"long\", \"long\", \"long\", \"long\", "
        "\"long\")",
        "info(x)",
        "x offset 29000y @ -1e9",
        "absent(x{n=~\"(a|b|c|d|e|f|g|h){100}\"})",
    };
    struct store *s = fill_store(series_wanted());
    struct promql_error error;
    for (size_t i = 0; i < ARRAY_LEN(QUERIES); i++) {
        int r = ask(s, QUERIES[i], 16000, &error);
        assert_true(r == 0 || error.text[0]);
        r = ask(s, QUERIES[i], 616000, &error);
        assert_true(r == 0 || error.text[0]);
    }
    store_close(s);
}

static void a_catastrophic_regex_is_an_error_and_never_a_no(void **state)
{
    (void)state;
    struct store *s = fill_store(10);
    struct promql_error error;
    assert_true(ask(s, "x{long=~\"(x+x+)+[yz]\"}", 16000, &error) < 0);
    check_contains(error.text, "match limit");
    assert_int_equal(error.kind, PROMQL_EXECUTION);
    assert_true(ask(s, "label_replace(x, \"a\", \"b\", \"long\", \"(x+x+)+[yz]\")", 16000, &error) < 0);
    check_contains(error.text, "match limit");
    store_close(s);
}

static void a_regex_over_many_series_is_bounded(void **state)
{
    (void)state;
    uint64_t n = series_wanted();
    struct store *s = fill_store(n);
    struct promql_error error;
    ask(s, "count(x{n=~\".*9.*9.*\"})", 16000, &error);
    ask(s, "count({n=~\".+\"})", 16000, &error);
    ask(s, "sum(rate({n=~\"[0-9]+5\",long!~\"y.*\"}[1m]))", 16000, &error);
    store_close(s);
}

static void deep_and_long_expressions_end_at_their_limits(void **state)
{
    (void)state;
    struct store *s = fill_store(1);
    struct promql_error error;
    static const struct {
        const char *open, *inside, *close;
    } CASES[] = {{"(", "x", ")"},
                 {"-", "x", ""},
                 {"abs(", "x", ")"},
                 {"sum by (n) (", "x", ")"},
                 {"1 + ", "x", ""},
                 {"2 ^ ", "x", ""},
                 {"max_over_time((", "x", ")[1m:1s])"},
                 {"x and (", "x", ")"}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct buf text;
        buf_init(&text, 1u << 20);
        for (size_t k = 0; k < 20000; k++)
            buf_str(&text, CASES[i].open);
        buf_str(&text, CASES[i].inside);
        for (size_t k = 0; k < 20000; k++)
            buf_str(&text, CASES[i].close);
        check_ok(buf_error(&text));
        int r = ask(s, text.data, 16000, &error);
        assert_true(r < 0 && error.text[0]);
        buf_done(&text);
    }
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_queries_end_in_time_with_an_answer_or_its_limit),
        cmocka_unit_test(a_catastrophic_regex_is_an_error_and_never_a_no),
        cmocka_unit_test(a_regex_over_many_series_is_bounded),
        cmocka_unit_test(deep_and_long_expressions_end_at_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
