/* Export and import: the text that goes out comes in, and goes out again byte by byte. */
#include "tests/unit/collector/store/histogram_test.h"

#include "collector/store/text_in.h"
#include "collector/store/text_out.h"

static int collect(void *ctx, const char *text, size_t n)
{
    buf_bytes(ctx, text, n);
    return 0;
}

static struct text_export export_of(struct store *s, struct buf *out)
{
    struct text_export e = {.store = s, .min_ms = INT64_MIN, .max_ms = INT64_MAX, .write = collect, .ctx = out};
    buf_init(out, 64u << 20);
    check_ok(store_export(&e));
    return e;
}

static struct store *memory_store(void)
{
    struct store *s;
    char why[256];
    check_ok(store_open(&(struct store_config){.future_ms_max = -1}, &s, why, sizeof why));
    return s;
}

static void import_all(struct store *s, struct span text, uint64_t samples)
{
    struct parse_error error = {0};
    struct text_import i = {.store = s, .text = text};
    int r = store_import(&i, &error);
    if (r < 0)
        check_failed("%u:%u: %s %s", error.line, error.column, error.text, i.why);
    if (i.samples != samples || i.refused)
        check_failed("%llu samples, %llu refused: %s", (unsigned long long)i.samples, (unsigned long long)i.refused,
                     i.why);
}

static void put_family(struct store *s, const char *name, enum metric_type type, const char *unit, const char *help)
{
    struct write_request *w = request_new();
    w->metadata = arena_array(&w->arena, 1, sizeof *w->metadata);
    w->n_metadata = 1;
    w->metadata[0] = (struct metadata){span_str(name), type, span_str(unit), span_str(help)};
    (void)write_now(s, w);
}

/* Everything a store may hold that the text has a word for. */
static uint64_t fill(struct store *s)
{
    static const double VALUES[] = {
        0, -0.0, 1, -1.5, 0.1, 1e300, 5e-324, 1e-7, 12345678901234567.0, INFINITY, -INFINITY, 1e21, 3.0000000000000004};
    static const int64_t TIMES[] = {-86400001, -1, 0, 1, 999, 1732233600123, 4102444800000, 17322336023009};
    uint64_t n = 0;
    put_family(s, "requests_total", METRIC_TYPE_COUNTER, "", "text format's name for it");
    put_family(s, "orders", METRIC_TYPE_COUNTER, "", "a \\ and a\nline \"quoted\"");
    put_family(s, "latency_seconds", METRIC_TYPE_HISTOGRAM, "seconds", "How long.");
    put_family(s, "old_seconds", METRIC_TYPE_HISTOGRAM, "", "bounds as they were before Prometheus 3");
    put_family(s, "rpc", METRIC_TYPE_SUMMARY, "", "");
    put_family(s, "both", METRIC_TYPE_GAUGE, "", "a gauge");
    put_family(s, "both_total", METRIC_TYPE_COUNTER, "", "whose family is called like the gauge");
    put_family(s, "wrong", METRIC_TYPE_COUNTER, "", "a counter without _total");
    put_family(s, "size", METRIC_TYPE_GAUGE, "bytes", "a unit that its name does not end in");
    static const char *const SERIES[] = {"requests_total|job=a",
                                         "requests_total|job=b|path=/ä\"\\x",
                                         "orders_total",
                                         "latency_seconds_bucket|le=0.5",
                                         "latency_seconds_bucket|le=+Inf",
                                         "latency_seconds_sum",
                                         "latency_seconds_count",
                                         "old_seconds_bucket|le=1",
                                         "old_seconds_sum",
                                         "rpc|quantile=0.5",
                                         "rpc_count",
                                         "both",
                                         "both_total",
                                         "wrong",
                                         "size",
                                         "none|text=two\nlines",
                                         "my.metric|odd.label=1",
                                         "job:sum",
                                         "lonely_bucket|le=7"};
    for (size_t i = 0; i < ARRAY_LEN(SERIES); i++)
        for (size_t k = 0; k < ARRAY_LEN(TIMES); k++, n++)
            put(s, SERIES[i], TIMES[k], VALUES[(i + k) % ARRAY_LEN(VALUES)]);
    put(s, "both", 5, NAN);
    return n + 1;
}

static void what_went_out_comes_in_and_goes_out_the_same(void **state)
{
    struct store_fixture *f = *state;
    struct store *other = memory_store(), *third = memory_store();
    struct buf first, second, from_third;
    uint64_t n = fill(f->s);
    struct text_export e = export_of(f->s, &first);
    assert_int_equal(e.samples, n);
    import_all(other, buf_view(&first), n);
    (void)export_of(other, &second);
    if (!span_equal(buf_view(&first), buf_view(&second)))
        check_failed("first:\n%s\nsecond:\n%s", first.data, second.data);
    import_all(other, buf_view(&first), n); /* again: nothing changes */
    import_all(third, buf_view(&second), n);
    (void)export_of(third, &from_third);
    assert_true(span_equal(buf_view(&first), buf_view(&from_third)));
    buf_done(&first);
    buf_done(&second);
    buf_done(&from_third);
    store_close(other);
    store_close(third);
}

static void the_copy_has_the_same_bits_at_the_same_times(void **state)
{
    struct store_fixture *f = *state;
    struct store *other = memory_store();
    struct buf text;
    struct sample_columns a, b;
    uint64_t n = fill(f->s);
    (void)export_of(f->s, &text);
    import_all(other, buf_view(&text), n);
    static const char *const SERIES[] = {"requests_total|job=b|path=/ä\"\\x", "old_seconds_bucket|le=1",
                                         "my.metric|odd.label=1", "none|text=two\nlines", "rpc|quantile=0.5"};
    sample_columns_init(&a);
    sample_columns_init(&b);
    for (size_t i = 0; i < ARRAY_LEN(SERIES); i++) {
        read_series(f->s, SERIES[i], INT64_MIN, INT64_MAX, &a);
        read_series(other, SERIES[i], INT64_MIN, INT64_MAX, &b);
        assert_true(a.n > 0);
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.t_ms, b.t_ms, a.n * sizeof *a.t_ms);
        assert_memory_equal(a.value, b.value, a.n * sizeof *a.value);
    }
    sample_columns_done(&a);
    sample_columns_done(&b);
    buf_done(&text);
    store_close(other);
}

static void families_stand_as_openmetrics_wants_them(void **state)
{
    struct store_fixture *f = *state;
    struct buf text;
    (void)fill(f->s);
    (void)export_of(f->s, &text);
    static const char *const PIECES[] = {
        "# TYPE requests counter\n# HELP requests text format's name for it\nrequests_total{job=\"a\"} 0 -86400.001\n",
        "# TYPE latency_seconds histogram\n# UNIT latency_seconds seconds\n# HELP latency_seconds How long.\n",
        "# TYPE old_seconds_bucket unknown\nold_seconds_bucket{le=\"1\"} ",
        "# TYPE both unknown\n",
        "# TYPE both_total unknown\n",
        "# TYPE wrong unknown\n",
        "# TYPE size gauge\n# HELP size a unit",
        "# TYPE \"my.metric\" unknown\n{\"my.metric\",\"odd.label\"=\"1\"} ",
    };
    for (size_t i = 0; i < ARRAY_LEN(PIECES); i++)
        if (!strstr(text.data, PIECES[i]))
            check_failed("'%s' is not in:\n%s", PIECES[i], text.data);
    assert_string_equal(text.data + text.len - 6, "# EOF\n");
    buf_done(&text);
}

static void what_the_text_has_no_word_for_is_counted(void **state)
{
    struct store_fixture *f = *state;
    struct buf text;
    put(f->s, "up", 1000, 1);
    put(f->s, "up", 2000, stale_marker());
    put(f->s, "up", 3000, f64_from_bits(0x7ff8000000abcdefULL));
    struct text_export e = export_of(f->s, &text);
    assert_int_equal(e.stale, 1);
    assert_int_equal(e.nans, 1);
    assert_string_equal(text.data, "# TYPE up unknown\nup 1 1\nup NaN 3\n# EOF\n");
    buf_done(&text);
}

/* Behind the first sample from their time on, one each; the last takes what is newer than all samples. */
static void exemplars_go_out_with_counters_and_buckets_and_come_in(void **state)
{
    struct store_fixture *f = *state;
    static const char TEXT[] =
        "# TYPE lat_seconds histogram\n"
        "lat_seconds_bucket{le=\"+Inf\"} 2 1600000000 # {id=\"q\"} 9.5 1599999990\n"
        "lat_seconds_bucket{le=\"+Inf\"} 3 1600000010\n"
        "lat_seconds_bucket{le=\"1.0\"} 1 1600000000\n"
        "# TYPE sold counter\n"
        "sold_total{shop=\"a\"} 1 1600000000 # {trace_id=\"a\\\"b\",\"x.y\"=\"z\"} 0.5 1599999999.5\n"
        "sold_total{shop=\"a\"} 2 1600000010 # {} 1 1599999999.6\n"
        "sold_total{shop=\"a\"} 3 1600000020\n"
        "sold_total{shop=\"a\"} 4 1600000030 # {trace_id=\"late\"} -1 1600000031\n"
        "sold_total{shop=\"b\"} 1 1600000000 # {trace_id=\"b\"} 1 1600000000\n"
        "# EOF\n";
    for (int twice = 0; twice < 2; twice++) {
        struct buf text;
        import_all(f->s, span_str(TEXT), 8);
        struct text_export e = export_of(f->s, &text);
        assert_string_equal(text.data, TEXT);
        assert_int_equal(e.exemplars, 0);
        buf_done(&text);
        restart(f);
    }
    struct parse_error error;
    struct buf text;
    struct text_import old = {.store = f->s,
                              .text = SPAN("# TYPE sold counter\n"
                                           "sold_total{shop=\"a\"} 0.5 1500000000 # {} 1 1500000000\n"
                                           "# TYPE g gauge\ng 1 5 # {trace_id=\"g\"} 1 5\n# EOF\n")};
    check_ok(store_import(&old, &error));
    assert_int_equal(old.samples, 2);
    assert_int_equal(old.exemplars, 1);
    assert_int_equal(old.exemplars_refused, 1); /* the series has newer ones */
    assert_int_equal(old.refused, 0);
    struct text_export e = export_of(f->s, &text);
    assert_int_equal(e.exemplars, 1); /* the text has no place for a gauge's */
    assert_null(strstr(text.data, "\"g\""));
    buf_done(&text);
}

static void selectors_and_times_choose_and_a_series_of_two_comes_once(void **state)
{
    struct store_fixture *f = *state;
    struct buf text;
    struct parse_error error;
    struct matcher a, b;
    put(f->s, "up|job=a", 1000, 1);
    put(f->s, "up|job=a", 2000, 2);
    put(f->s, "up|job=b", 2000, 3);
    put(f->s, "down|job=a", 2000, 4);
    check_ok(matcher_init(&a, MATCH_EQUAL, SPAN("__name__"), SPAN("up"), &error));
    check_ok(matcher_init(&b, MATCH_EQUAL, SPAN("job"), SPAN("a"), &error));
    const struct store_selection selections[] = {{&a, 1, ALL_TIME, 0}, {&b, 1, ALL_TIME, 0}};
    buf_init(&text, 1 << 20);
    struct text_export e = {.store = f->s,
                            .selections = selections,
                            .n_selections = 2,
                            .min_ms = 1500,
                            .max_ms = 2500,
                            .write = collect,
                            .ctx = &text};
    check_ok(store_export(&e));
    assert_string_equal(text.data, "# TYPE down unknown\ndown{job=\"a\"} 4 2\n"
                                   "# TYPE up unknown\nup{job=\"a\"} 2 2\nup{job=\"b\"} 3 2\n# EOF\n");
    buf_done(&text);
    matcher_done(&a);
    matcher_done(&b);
}

static void a_mistake_has_its_place_and_nothing_was_stored(void **state)
{
    struct store_fixture *f = *state;
    static const struct {
        const char *text;
        uint32_t line, column;
    } CASES[] = {
        {"# TYPE up gauge\nup 1 1\nup{job=a} 1 2\n# EOF\n", 3, 8},
        {"# TYPE up gauge\nup 1 1\nup 2\n# EOF\n", 3, 1}, /* no time stamp */
        {"# TYPE up gauge\nup 1 1\n", 3, 1},              /* cut off */
        {"# TYPE up gauge\nup 1 one\n# EOF\n", 2, 6},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct parse_error error = {0};
        struct text_import in = {.store = f->s, .text = span_str(CASES[i].text)};
        assert_int_equal(store_import(&in, &error), -EINVAL);
        if (error.line != CASES[i].line || error.column != CASES[i].column)
            check_failed("case %zu: %u:%u: %s", i, error.line, error.column, error.text);
    }
    assert_int_equal(store_series_count(f->s), 0);
}

static void another_value_at_the_same_time_is_refused_and_said(void **state)
{
    struct store_fixture *f = *state;
    struct parse_error error = {0};
    put(f->s, "up", 1000, 1);
    struct text_import in = {.store = f->s, .text = SPAN("up 2 1\nup 3 2\n# EOF\n")};
    check_ok(store_import(&in, &error));
    assert_int_equal(in.samples, 1);
    assert_int_equal(in.refused, 1);
    assert_non_null(strstr(in.why, "up"));
}

static void a_long_text_comes_in_batches(void **state)
{
    struct store_fixture *f = *state;
    struct buf text, again;
    buf_init(&text, 64u << 20);
    buf_str(&text, "# TYPE n gauge\n");
    for (int i = 0; i < 50; i++)
        for (int k = 0; k < 1000; k++)
            buf_printf(&text, "n{i=\"%02d\"} %d %d\n", i, k * i, k);
    buf_str(&text, "# EOF\n");
    import_all(f->s, buf_view(&text), 50000);
    restart(f);
    (void)export_of(f->s, &again);
    assert_true(span_equal(buf_view(&text), buf_view(&again)));
    buf_done(&text);
    buf_done(&again);
}

/* Out, in, and out again: the same text, and the same bits of every histogram. */
static void native_histograms_go_out_and_come_in(void **state)
{
    struct store_fixture *f = *state;
    struct arena arena;
    struct buf text, again;
    struct store *copy;
    char why[256];
    uint64_t n = 0, stale = 0;
    arena_init(&arena, 64u << 20);
    buf_init(&text, 16u << 20);
    buf_init(&again, 16u << 20);
    put_family(f->s, "rpc_seconds", METRIC_TYPE_HISTOGRAM, "seconds", "How long.");
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct native_histogram *h = histogram_of(&arena, seed);
        if (isnan(h->sum) && !is_stale(h->sum))
            h->sum = f64_from_bits(NAN_BITS);
        stale += is_stale(h->sum);
        put_histogram(f->s, seed % 2 ? "rpc_seconds|job=a" : "rpc_seconds|job=b", (int64_t)seed * 1000, h);
    }
    put(f->s, "rpc_seconds|job=a", 500, 1.5); /* it was a float once */
    struct text_export e = {.store = f->s, ALL_TIME, .write = collect, .ctx = &text};
    check_ok(store_export(&e));
    assert_int_equal(e.samples, 1);
    assert_int_equal(e.histograms, 200 - stale); /* what promtool cannot read is left out, unless it is asked for */
    assert_int_equal(e.stale, stale);
    buf_clear(&text);
    e = (struct text_export){.store = f->s, ALL_TIME, .native_histograms = true, .write = collect, .ctx = &text};
    check_ok(store_export(&e));
    assert_int_equal(e.samples, 201 - stale);
    assert_int_equal(e.histograms + e.nans, 0);
    check_contains(text.data, "# TYPE rpc_seconds histogram\n");
    check_contains(text.data, "rpc_seconds{job=\"a\"} {count:");
    check_ok(store_open(&(struct store_config){.future_ms_max = -1}, &copy, why, sizeof why));
    import_all(copy, buf_view(&text), 201 - stale);
    e = (struct text_export){.store = copy, ALL_TIME, .native_histograms = true, .write = collect, .ctx = &again};
    check_ok(store_export(&e));
    assert_string_equal(text.data, again.data);
    for (int k = 0; k < 2; k++) {
        struct sample_columns c;
        sample_columns_init(&c);
        read_series(copy, k ? "rpc_seconds|job=a" : "rpc_seconds|job=b", INT64_MIN, INT64_MAX, &c);
        for (size_t i = 0; i < c.n; i++) {
            if (c.t_ms[i] == 500)
                continue;
            struct native_histogram *want = histogram_of(&arena, (uint64_t)c.t_ms[i] / 1000);
            if (isnan(want->sum))
                want->sum = f64_from_bits(NAN_BITS);
            check_histogram(c.histograms[i], want);
            n++;
        }
        sample_columns_done(&c);
    }
    assert_int_equal(n, 200 - stale);
    store_close(copy);
    buf_done(&text);
    buf_done(&again);
    arena_done(&arena);
}

static void a_histogram_that_is_none_has_its_place(void **state)
{
    struct store_fixture *f = *state;
#define GOOD "count:3,sum:1,schema:0,zero_threshold:0,zero_count:1"
    static const struct {
        const char *text;
        uint32_t column;
        const char *why;
    } CASES[] = {
        {"h {" GOOD "} 1\n", 3, "add up"},
        {"h {" GOOD ",positive_spans:[0:1],positive_buckets:[2],count:3} 1\n", 99, "twice"},
        {"h {" GOOD ",what:1} 1\n", 57, "no such field"},
        {"h {count:3} 1\n", 3, "needs count, sum"},
        {"h {" GOOD ",positive_spans:[0:x]} 1\n", 75, "whole number"},
        {"h {" GOOD ",positive_spans:[0:1],positive_buckets:[2,} 1\n", 98, "not a number"},
        {"h {" GOOD ",positive_spans:[0:1],positive_buckets:[2 1\n", 97, "']'"},
        {"h {" GOOD "1\n", 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct parse_error error = {0};
        struct text_import in = {.store = f->s, .text = span_str(CASES[i].text)};
        assert_int_equal(store_import(&in, &error), -EINVAL);
        if (CASES[i].why && (error.line != 1 || error.column != CASES[i].column || !strstr(error.text, CASES[i].why)))
            check_failed("case %zu: %u:%u: %s", i, error.line, error.column, error.text);
    }
    assert_int_equal(store_series_count(f->s), 0);
    import_all(f->s, SPAN("h {" GOOD ",positive_spans:[0:1],positive_buckets:[2]} 1\n# EOF\n"), 1);
    assert_int_equal(count_samples(f->s, "h"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_went_out_comes_in_and_goes_out_the_same),
        TEST(the_copy_has_the_same_bits_at_the_same_times),
        TEST(families_stand_as_openmetrics_wants_them),
        TEST(what_the_text_has_no_word_for_is_counted),
        TEST(exemplars_go_out_with_counters_and_buckets_and_come_in),
        TEST(selectors_and_times_choose_and_a_series_of_two_comes_once),
        TEST(a_mistake_has_its_place_and_nothing_was_stored),
        TEST(another_value_at_the_same_time_is_refused_and_said),
        TEST(a_long_text_comes_in_batches),
        TEST(native_histograms_go_out_and_come_in),
        TEST(a_histogram_that_is_none_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
