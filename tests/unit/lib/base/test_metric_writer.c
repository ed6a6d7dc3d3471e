#include "tests/support/check.h"

#include <math.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/metric_writer.h"

static void write_all_kinds(struct buf *b, enum metric_format format)
{
    struct metric_writer w;
    static const double BOUNDS[] = {0.1, 1};
    static const uint64_t COUNTS[] = {2, 3, 1};
    static const char *const PAIRS[] = {"route", "/cart"};
    buf_init(b, 100000);
    metric_writer_init(&w, b, format);
    metric_family(&w, "crest_scrapes_total", METRIC_COUNTER, "Scrapes \"done\".\nAll.");
    metric_value(&w, 42, "job", "sh\"op\\\n", NULL);
    metric_value(&w, 1.5, NULL);
    metric_family(&w, "crest_depth", METRIC_GAUGE, "Depth.");
    metric_value(&w, INFINITY, "a", "1", "b", "", NULL);
    metric_family(&w, "crest_seconds", METRIC_HISTOGRAM, "Time.");
    metric_histogram(&w, BOUNDS, COUNTS, 2, 3.5, PAIRS, 1);
    metric_histogram(&w, BOUNDS, COUNTS, 0, 0, NULL, 0);
    metric_family(&w, "crest_info", METRIC_INFO, "Info.");
    metric_value(&w, 1, "version", "x", NULL);
    metric_writer_end(&w);
    check_ok(buf_error(b));
}

#define HISTOGRAM_SAMPLES                                                                                              \
    "crest_seconds_bucket{route=\"/cart\",le=\"0.1\"} 2\n"                                                             \
    "crest_seconds_bucket{route=\"/cart\",le=\"1.0\"} 5\n"                                                             \
    "crest_seconds_bucket{route=\"/cart\",le=\"+Inf\"} 6\n"                                                            \
    "crest_seconds_sum{route=\"/cart\"} 3.5\n"                                                                         \
    "crest_seconds_count{route=\"/cart\"} 6\n"                                                                         \
    "crest_seconds_bucket{le=\"+Inf\"} 2\n"                                                                            \
    "crest_seconds_sum 0\n"                                                                                            \
    "crest_seconds_count 2\n"

static void text_format_names_counters_in_full(void **state)
{
    (void)state;
    struct buf b;
    write_all_kinds(&b, METRIC_TEXT);
    assert_string_equal(b.data, "# HELP crest_scrapes_total Scrapes \"done\".\\nAll.\n"
                                "# TYPE crest_scrapes_total counter\n"
                                "crest_scrapes_total{job=\"sh\\\"op\\\\\\n\"} 42\n"
                                "crest_scrapes_total 1.5\n"
                                "# HELP crest_depth Depth.\n# TYPE crest_depth gauge\n"
                                "crest_depth{a=\"1\",b=\"\"} +Inf\n"
                                "# HELP crest_seconds Time.\n# TYPE crest_seconds histogram\n" HISTOGRAM_SAMPLES
                                "# HELP crest_info Info.\n# TYPE crest_info gauge\n"
                                "crest_info{version=\"x\"} 1\n");
    buf_done(&b);
}

static void openmetrics_drops_suffixes_in_metadata_and_ends_with_eof(void **state)
{
    (void)state;
    struct buf b;
    write_all_kinds(&b, METRIC_OPENMETRICS);
    check_contains(b.data, "# TYPE crest_scrapes counter\ncrest_scrapes_total{job=");
    check_contains(b.data, "# HELP crest_scrapes Scrapes \\\"done\\\".\\nAll.\n");
    check_contains(b.data, "# TYPE crest info\ncrest_info{version=\"x\"} 1\n");
    check_contains(b.data, HISTOGRAM_SAMPLES);
    assert_string_equal(b.data + b.len - 6, "# EOF\n");
    buf_done(&b);
}

static void accept_headers_choose_the_format(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum metric_format format;
    } CASES[] = {
        {"", METRIC_TEXT},
        {"*/*", METRIC_TEXT},
        {"text/html, */*;q=0.8", METRIC_TEXT},
        {"application/openmetrics-text; version=1.0.0", METRIC_OPENMETRICS},
        {"application/openmetrics-text", METRIC_OPENMETRICS},
        {"application/openmetrics-text;version=2.0.0", METRIC_TEXT},
        {"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.7", METRIC_TEXT},
        {"text/plain;q=0.5 , Application/OpenMetrics-Text; version=1.0.0 ;q=0.75", METRIC_OPENMETRICS},
        {"application/openmetrics-text;q=0", METRIC_TEXT},
        {"application/openmetrics-text;q=x", METRIC_TEXT},
        /* what Prometheus 2.42 sends */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRIC_OPENMETRICS},
        /* what Prometheus 3 sends */
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
         "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         METRIC_OPENMETRICS},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        if (metric_format_accepted(span_str(CASES[i].accept)) != CASES[i].format)
            check_failed("Accept: %s", CASES[i].accept);
}

static double value_of(const char *page, const char *name)
{
    char start[128];
    snprintf(start, sizeof start, "\n%s ", name);
    const char *at = strstr(page, start);
    if (!at)
        check_failed("%s is not in:\n%s", name, page);
    return strtod(at + strlen(start), NULL);
}

static void process_metrics_are_plausible(void **state)
{
    (void)state;
    struct metric_writer w;
    struct buf b;
    buf_init(&b, 100000);
    metric_writer_init(&w, &b, METRIC_TEXT);
    metric_process(&w, "crest-test");
    check_contains(b.data, "crest_build_info{program=\"crest-test\",version=\"");
    double now = (double)unix_ms() / 1000, started = value_of(b.data, "process_start_time_seconds");
    assert_true(started > now - 3600 && started <= now + 2);
    assert_true(value_of(b.data, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(b.data, "process_cpu_seconds_total") >= 0);
    double fds = value_of(b.data, "process_open_fds");
    AUTO_CLOSE int extra = dup(1);
    assert_true(extra >= 0);
    buf_clear(&b);
    metric_process(&w, "crest-test");
    check_double_bits(value_of(b.data, "process_open_fds"), fds + 1);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_format_names_counters_in_full),
        cmocka_unit_test(openmetrics_drops_suffixes_in_metadata_and_ends_with_eof),
        cmocka_unit_test(accept_headers_choose_the_format),
        cmocka_unit_test(process_metrics_are_plausible),
    };
    return cmocka_run_group_tests_name("metric_writer", tests, NULL, NULL);
}
