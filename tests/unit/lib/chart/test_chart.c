/* Charts: ticks that people read, gaps that stay gaps, text that cannot break out, equal bytes for equal input. */
#include "tests/support/check.h"

#include <math.h>

#include "lib/chart/chart.h"

static void ticks_fall_on_round_numbers(void **state)
{
    (void)state;
    static const struct {
        double range;
        unsigned ticks;
        double step;
    } CASES[] = {{100, 5, 20}, {99, 5, 20}, {7, 5, 2}, {0.7, 5, 0.2}, {1, 5, 0.2}, {12345, 5, 5000}, {0, 5, 1}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        check_double_ulps(chart_step(CASES[i].range, CASES[i].ticks), CASES[i].step, 4);
    assert_true(chart_time_step_ms(3600000, 8) == 600000);
    assert_true(chart_time_step_ms(70000, 8) == 10000);
    assert_true(chart_time_step_ms(86400000ll * 31, 8) == 604800000);
}

static char *draw(const struct chart_spec *spec, bool table)
{
    struct chart *c = NULL;
    struct buf out;
    buf_init(&out, 1u << 20);
    check_ok(chart_draw(spec, &c));
    if (table)
        chart_table(spec, 24, &out);
    else
        chart_svg(c, &out);
    chart_free(c);
    return buf_take(&out, NULL);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void a_gap_is_never_joined_over_and_labels_are_escaped(void **state)
{
    (void)state;
    struct tz *tz = NULL;
    check_ok(tz_load("UTC", &tz));
    double values[] = {1, 2, NAN, 4, 5}, none[] = {NAN, NAN};
    struct chart_line lines[] = {{"<actual> & \x01", CHART_ACTUAL, values, 5, 0, 60000},
                                 {"plan", CHART_PLAN, none, 2, 0, 60000}};
    struct chart_mark marks[] = {{60000, 120000, "a\"b", NULL, true},
                                 {900000, 900000, "outside", NULL, false},
                                 {70000, 70000, "v…", "v42 < v43, whole", false}};
    struct chart_spec spec = {.title = "T",
                              .start_ms = 0,
                              .end_ms = 300000,
                              .tz = tz,
                              .lines = lines,
                              .n_lines = 2,
                              .marks = marks,
                              .n_marks = 3};
    char *one = draw(&spec, false), *two = draw(&spec, false), *table = draw(&spec, true);
    assert_string_equal(one, two);
    assert_int_equal(count(one, "class=\"c-actual\""), 3); /* two pieces and the legend */
    assert_int_equal(count(one, "class=\"c-plan\""), 1);   /* the legend alone */
    assert_int_equal(count(one, "c-alert-bar"), 1);
    check_contains(one, "&lt;actual&gt; &amp; \xef\xbf\xbd");
    check_contains(one, "a&quot;b");
    assert_null(strstr(one, "outside"));
    assert_null(strstr(one, "nan"));
    check_contains(table, "<th scope=\"row\">00:02</th><td>\xe2\x80\x93</td>");
    check_contains(table, "<th scope=\"row\">00:03</th><td>4.0</td>");
    check_contains(table,
                   "<td class=\"what\">a&quot;b; v42 &lt; v43, whole</td>"); /* also where the chart had no room */
    assert_int_equal(count(table, "<td class=\"what\"></td>"), 4);
    assert_null(strstr(table, "outside"));
    free(one);
    free(two);
    free(table);
    tz_free(tz);
}

static void a_chart_without_time_is_refused(void **state)
{
    (void)state;
    struct chart *c = NULL;
    struct chart_spec spec = {.title = "T", .start_ms = 5, .end_ms = 5};
    assert_true(chart_draw(&spec, &c) < 0);
    assert_null(c);
}

static void one_number_against_another_has_dots_lines_and_a_table(void **state)
{
    (void)state;
    static const double RUNS[][2] = {{10, 1}, {20, 2}, {NAN, 3}, {30, -1}, {40, 8}};
    static const double CURVE[][2] = {{0, 0.5}, {20, 2}, {50, INFINITY}};
    struct chart_dots dots[] = {{"pr<obes", CHART_ACTUAL, RUNS, ARRAY_LEN(RUNS), false},
                                {"fit", CHART_PLAN, CURVE, ARRAY_LEN(CURVE), true}};
    struct chart_xy_spec spec = {
        .title = "Latency & rate", .x_name = "sessions/s", .unit = "ms", .dots = dots, .n_dots = 2};
    struct chart *c = NULL;
    struct buf out;
    buf_init(&out, 1u << 20);
    check_ok(chart_xy_draw(&spec, &c));
    chart_svg(c, &out);
    chart_free(c);
    AUTO_FREE char *svg = buf_take(&out, NULL);
    assert_int_equal(count(svg, "<circle class=\"c-actual-dot\""), 3);
    assert_int_equal(count(svg, "<polyline class=\"c-plan\""), 2); /* its curve, and its sample in the legend */
    assert_int_equal(count(svg, "pr<obes"), 0);
    assert_int_equal(count(svg, "nan"), 0);
    assert_int_equal(count(svg, "inf"), 0);
    buf_init(&out, 1u << 20);
    chart_xy_table(&spec, 3, &out);
    AUTO_FREE char *table = buf_take(&out, NULL);
    assert_int_equal(count(table, "pr&lt;obes"), 2); /* the first, the last; the middle one is no number */
    assert_non_null(strstr(table, "<td>40.0</td><td>8.0</td>"));
    assert_int_equal(count(table, ">fit<"), 2);
}

static void nothing_to_draw_is_axes_alone(void **state)
{
    (void)state;
    struct chart_xy_spec spec = {.title = "none", .x_name = "x"};
    struct chart *c = NULL;
    struct buf out;
    buf_init(&out, 1u << 16);
    check_ok(chart_xy_draw(&spec, &c));
    chart_svg(c, &out);
    chart_free(c);
    AUTO_FREE char *svg = buf_take(&out, NULL);
    assert_int_equal(count(svg, "<circle"), 0);
    assert_non_null(strstr(svg, "c-axis"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_fall_on_round_numbers),
        cmocka_unit_test(a_gap_is_never_joined_over_and_labels_are_escaped),
        cmocka_unit_test(a_chart_without_time_is_refused),
        cmocka_unit_test(one_number_against_another_has_dots_lines_and_a_table),
        cmocka_unit_test(nothing_to_draw_is_axes_alone),
    };
    return cmocka_run_group_tests_name("chart", tests, NULL, NULL);
}
