/* How much counters rose: over resets, gaps, stale markers, the edges of the window, and in whatever pieces it is read. */
#include "collector/event/tally.h"

#include <math.h>

#include "lib/base/log.h"
#include "tests/unit/collector/rules/rules_bench.h"

#define T0 1700000000000ll
#define S 1000ll
#define STALE "NaN" /* put() makes a stale marker of it */

static const char *const BY[] = {"market"};

/* As bench_put, with stale markers. */
static void put(struct bench *b, const char *page)
{
    struct bench_page p = {.request = write_request_new(1 << 26)};
    size_t lines = 0;
    for (const char *at = page; *at; at++)
        lines += *at == '\n';
    p.request->series = arena_array(&p.request->arena, lines, sizeof *p.request->series);
    struct exposition_events events = {.ctx = &p, .sample = bench_sample};
    struct parse_error e;
    if (exposition_parse(EXPOSITION_TEXT, span_str(page), &events, &e) < 0)
        check_failed("%u:%u: %s", e.line, e.column, e.text);
    p.request->n_series = p.n;
    for (size_t i = 0; i < p.n; i++)
        if (isnan(p.request->series[i].samples->value))
            p.request->series[i].samples->value = stale_marker();
    struct store_written written;
    check_ok(store_write(b->store, p.request, &written));
    assert_int_equal(written.error, 0);
}

/* "second value" pairs of one series. */
static void put_series(struct bench *b, const char *series, const char *const (*points)[2], size_t n)
{
    struct buf page;
    buf_init(&page, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        int64_t second;
        check_ok(parse_i64_span(span_str(points[i][0]), -100000, 100000, &second));
        buf_printf(&page, "%s %s %lld\n", series, points[i][1], (long long)(T0 + second * S));
    }
    put(b, page.data);
    buf_done(&page);
}
#define PUT(b, series, ...)                                                                                            \
    do {                                                                                                               \
        static const char *const points[][2] = {__VA_ARGS__};                                                          \
        put_series(b, series, points, ARRAY_LEN(points));                                                              \
    } while (0)

static struct tally *count(struct bench *b, int64_t from_s, int64_t to_s, int64_t cell_s)
{
    struct tally *t = NULL;
    struct promql_error error;
    struct tally_config config = {.query = b->query,
                                  .selector = "c",
                                  .by = BY,
                                  .n_by = 1,
                                  .start_ms = T0 + from_s * S,
                                  .end_ms = T0 + to_s * S,
                                  .cell_ms = cell_s * S};
    check_ok(tally_new(&config, &t));
    check_ok(tally_advance(t, T0 + to_s * S, 0, &error));
    return t;
}

static double total(const struct tally *t)
{
    double sum = 0;
    for (size_t i = 0; i < tally_n(t); i++)
        sum += tally_group(t, i)->total;
    return sum;
}

static void resets_gaps_and_stale_markers_lose_nothing_that_was_stored(void **state UNUSED)
{
    struct bench b;
    bench_open(&b, "groups: []\n", false);
    PUT(&b, "up{job=\"shop\"}", {"-1", "1"});
    PUT(&b, "c{job=\"shop\"}", {"-1", "100"}, {"10", "110"}, {"20", "7"}, /* began anew: 7 since then */
        {"30", "9"}, {"31", STALE}, {"200", "19"},                        /* away and back, it went on counting */
        {"210", "19"}, {"211", STALE}, {"220", "3"});                     /* away and back as a new process */
    struct tally *t = count(&b, 0, 600, 0);
    check_double_bits(total(t), 10 + 7 + 2 + 10 + 3);
    assert_int_equal(tally_resets(t), 2);
    assert_int_equal(tally_unknown_births(t), 0);
    tally_free(t);
    bench_close(&b);
}

static void the_window_begins_after_its_start_and_ends_with_its_end(void **state UNUSED)
{
    static const struct {
        int64_t from_s, to_s;
        double rise;
    } CASES[] = {
        {0, 30, 3 + 4 + 5}, /* from the value at 0 to that at 30 */
        {1, 29, 3 + 4},     /* the base is the last one before, the end the last one inside */
        {-100, 0, 2},       /* it appears inside, at 0: its target was there before */
        {10, 10000, 4 + 5 + 6}, {31, 39, 0},
    };
    struct bench b;
    bench_open(&b, "groups: []\n", false);
    PUT(&b, "up{job=\"shop\"}", {"-50", "1"}, {"-101", "1"});
    PUT(&b, "c{job=\"shop\"}", {"-50", "0"}, {"0", "2"}, {"10", "5"}, {"20", "9"}, {"30", "14"}, {"40", "20"});
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct tally *t = count(&b, CASES[i].from_s, CASES[i].to_s, 0);
        if (total(t) != CASES[i].rise)
            check_failed("%lld to %lld: %g, not %g", (long long)CASES[i].from_s, (long long)CASES[i].to_s, total(t),
                         CASES[i].rise);
        tally_free(t);
    }
    bench_close(&b);
}

static void a_counter_that_appears_counts_from_0_only_when_that_is_known(void **state UNUSED)
{
    struct bench b;
    bench_open(&b, "groups: []\n", false);
    PUT(&b, "up{job=\"known\"}", {"-5", "1"});
    PUT(&b, "c{job=\"known\",market=\"a\"}", {"10", "4"}, {"20", "6"});        /* its target was there without it */
    PUT(&b, "c{job=\"stranger\",market=\"b\"}", {"10", "400"}, {"20", "403"}); /* might have counted for a year */
    PUT(&b, "process_start_time_seconds{job=\"born\"}", {"10", "1700000005"});
    PUT(&b, "c{job=\"born\",market=\"c\"}", {"10", "8"}, {"20", "9"});
    PUT(&b, "process_start_time_seconds{job=\"old\"}", {"10", "1600000000"});
    PUT(&b, "c{job=\"old\",market=\"d\"}", {"10", "50"}, {"20", "51"});
    PUT(&b, "up{job=\"down\"}", {"-5", "0"});
    PUT(&b, "c{job=\"down\",market=\"e\"}", {"10", "70"}, {"20", "72"});
    struct tally *t = count(&b, 0, 60, 0);
    static const double RISES[] = {6, 3, 9, 1, 2};
    tally_sort(t);
    assert_int_equal(tally_n(t), ARRAY_LEN(RISES));
    for (size_t i = 0; i < ARRAY_LEN(RISES); i++) {
        assert_int_equal(tally_group(t, i)->values[0][0], 'a' + (int)i);
        check_double_bits(tally_group(t, i)->total, RISES[i]);
    }
    assert_int_equal(tally_unknown_births(t), 3);
    assert_int_equal(tally_series(t), 5);
    tally_free(t);
    bench_close(&b);
}

static void a_rise_is_in_the_cell_of_its_later_sample_and_over_a_gap_in_all_of_them(void **state UNUSED)
{
    struct bench b;
    bench_open(&b, "groups: []\n", false);
    PUT(&b, "up{job=\"shop\"}", {"-1", "1"});
    PUT(&b, "c{job=\"shop\"}", {"0", "0"}, {"9", "5"}, {"11", "6"}, {"21", "8"}, {"60", "86"});
    struct tally *t = count(&b, 0, 65, 10);
    static const double CELLS[] = {5, 1, 2 + 18, 20, 20, 20, 0}; /* 78 over 39 s from 21 on: 2 a second */
    assert_int_equal(tally_cells(t), ARRAY_LEN(CELLS));
    for (size_t i = 0; i < ARRAY_LEN(CELLS); i++)
        check_double_ulps(tally_group(t, 0)->cells[i], CELLS[i], 8);
    tally_free(t);
    bench_close(&b);
}

static void series_without_the_label_are_a_group_of_their_own(void **state UNUSED)
{
    struct bench b;
    bench_open(&b, "groups: []\n", false);
    PUT(&b, "up{job=\"shop\"}", {"-1", "1"});
    PUT(&b, "c{job=\"shop\"}", {"-1", "0"}, {"5", "2"});
    PUT(&b, "c{job=\"shop\",market=\"de\",channel=\"web\"}", {"-1", "0"}, {"5", "3"});
    PUT(&b, "c{job=\"shop\",market=\"de\",channel=\"app\"}", {"-1", "0"}, {"5", "4"});
    struct tally *t = count(&b, 0, 10, 0);
    tally_sort(t);
    assert_int_equal(tally_n(t), 2);
    assert_string_equal(tally_group(t, 0)->values[0], "");
    check_double_bits(tally_group(t, 0)->total, 2);
    check_double_bits(tally_group(t, 1)->total, 7);
    tally_free(t);
    bench_close(&b);
}

/* Random counters with resets, gaps and late scrapes beside a naive sum; read at once, and in random pieces as samples come. */
static void any_counter_read_in_any_pieces_is_the_sum_of_its_rises(void **state UNUSED)
{
    struct check_random r = check_random_new("tally");
    for (int round = 0; round < 20; round++) {
        struct bench b;
        struct tally *pieces = NULL;
        struct promql_error error;
        double expected = 0;
        bench_open(&b, "groups: []\n", false);
        PUT(&b, "up{job=\"shop\"}", {"-1", "1"});
        struct tally_config config = {.query = b.query,
                                      .selector = "c",
                                      .by = BY,
                                      .n_by = 1,
                                      .start_ms = T0,
                                      .end_ms = T0 + 5400 * S,
                                      .cell_ms = 60 * S};
        check_ok(tally_new(&config, &pieces));
        double value[3] = {0, 50, 1e9};
        for (int64_t s = -10; s < 5500;) {
            struct buf page;
            buf_init(&page, 1 << 16);
            for (int k = 0; k < 3; k++) {
                double before = value[k];
                value[k] = check_random_u64(&r) % 40 == 0 ? (double)(check_random_u64(&r) % 30)
                                                          : value[k] + (double)(check_random_u64(&r) % 100);
                if (s > 0 && s <= 5400)
                    expected += value[k] >= before ? value[k] - before : value[k];
                buf_printf(&page, "c{job=\"shop\",market=\"%c\"} %.0f %lld\n", 'a' + k, value[k],
                           (long long)(T0 + s * S));
            }
            put(&b, page.data);
            buf_done(&page);
            if (s > 0 && check_random_u64(&r) % 7 == 0)
                check_ok(tally_advance(pieces, T0 + s * S, 0, &error));
            s += check_random_u64(&r) % 50 == 0 ? 200 + (int64_t)(check_random_u64(&r) % 900)
                                                : 5 + (int64_t)(check_random_u64(&r) % 15);
        }
        check_ok(tally_advance(pieces, T0 + 5400 * S, 0, &error));
        struct tally *once = count(&b, 0, 5400, 60);
        check_double_bits(total(once), expected);
        check_double_bits(total(pieces), expected);
        double cells = 0;
        for (size_t i = 0; i < tally_n(once); i++)
            for (size_t k = 0; k < tally_cells(once); k++)
                cells += tally_group(once, i)->cells[k];
        if (fabs(cells - expected) > 1e-6 * expected)
            check_failed("cells %.17g, total %.17g", cells, expected);
        tally_free(once);
        tally_free(pieces);
        bench_close(&b);
    }
}

int main(void)
{
    log_init("test_tally", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets_gaps_and_stale_markers_lose_nothing_that_was_stored),
        cmocka_unit_test(the_window_begins_after_its_start_and_ends_with_its_end),
        cmocka_unit_test(a_counter_that_appears_counts_from_0_only_when_that_is_known),
        cmocka_unit_test(a_rise_is_in_the_cell_of_its_later_sample_and_over_a_gap_in_all_of_them),
        cmocka_unit_test(series_without_the_label_are_a_group_of_their_own),
        cmocka_unit_test(any_counter_read_in_any_pieces_is_the_sum_of_its_rises),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
