/* The short form of rule tests' series, as promtool reads it. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "collector/rules/series_text.h"
#include "lib/base/buf.h"

/* "1 _ stale 2.5" again, histograms as {count sum}. */
static void write_points(const struct series_point *p, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i ? " " : "");
        if (!p[i].present)
            buf_char(out, '_');
        else if (p[i].histogram)
            buf_printf(out, "{%g %g}", p[i].histogram->count, p[i].histogram->sum);
        else if (is_stale(p[i].value))
            buf_str(out, "stale");
        else
            buf_f64(out, p[i].value);
    }
}

static void points_repeat_and_grow(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *points;
    } CASES[] = {
        {"", ""},
        {"1 2.5  -3e2\t+4", "1 2.5 -300 4"},
        {"0+10x3", "0 10 20 30"},
        {"5-2x2 1", "5 3 1 1"},
        {"-1-1x1", "-1 -2"},
        {"7x2", "7 7 7"},
        {"0x5", "0 0 0 0 0 0"},
        {"1x0", "1"},
        {"_ 1 _x3 stale 2", "_ 1 _ _ _ stale 2"},
        {"_x0", ""},
        {"NaN Inf -Inf +Infx1", "NaN +Inf -Inf +Inf +Inf"},
        {"1e-3+1e+1x1", "0.001 10.001"},
        {"{{schema:0 count:3 sum:1.5 buckets:[1 2]}} 1", "{3 1.5} 1"},
        {"{{count:1 sum:2 buckets:[1]}}x1", "{1 2} {1 2}"},
        {"{{count:1 sum:2 buckets:[1]}}+{{count:2 sum:3 buckets:[2]}}x2", "{1 2} {3 5} {5 8}"},
        {"{{schema:-53 custom_values:[1 5] count:2 sum:4 buckets:[1 1] counter_reset_hint:gauge}}", "{2 4}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct arena arena;
        struct series_point *points = NULL;
        struct parse_error e = {0};
        struct buf out;
        size_t n = 0;
        arena_init(&arena, 1u << 26);
        buf_init(&out, 1u << 16);
        buf_str(&out, "");
        if (series_text_points(span_str(CASES[i].text), &arena, &points, &n, &e) < 0)
            check_failed("%s: %u: %s", CASES[i].text, e.column, e.text);
        write_points(points, n, &out);
        if (!span_equal(buf_view(&out), span_str(CASES[i].points)))
            check_failed("%s gave %s, expected %s", CASES[i].text, out.data, CASES[i].points);
        buf_done(&out);
        arena_done(&arena);
    }
}

static void what_is_no_series_is_refused_at_its_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        unsigned column;
        const char *says;
    } CASES[] = {
        {"1 a", 3, "not a number"},
        {"1+2", 1, "expected xN behind a+b"},
        {"1x", 2, "expected xN"},
        {"1x-1", 2, "expected xN"},
        {"1x2000000", 2, "expected xN"},
        {"_y", 2, "expected xN"},
        {"{{count:1", 1, "expected a histogram"},
        {"{{cuont:1}}", 3, "a histogram has no such part"},
        {"{{schema:9 count:1}}", 1, "schema must be"},
        {"{{buckets:1}}", 11, "expected a list"},
        {"{{count:1 sum:1 buckets:[1]}}+1x2", 31, "expected a histogram"},
        {"{{schema:0 buckets:[1] count:1}}+{{schema:-53 custom_values:[1] buckets:[1] count:1}}x1", 0, "do not add up"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct arena arena;
        struct series_point *points = NULL;
        struct parse_error e = {0};
        size_t n = 0;
        arena_init(&arena, 1u << 26);
        check_errno(series_text_points(span_str(CASES[i].text), &arena, &points, &n, &e), -EINVAL);
        check_contains(e.text, CASES[i].says);
        if (CASES[i].column && e.column != CASES[i].column)
            check_failed("%s: column %u, expected %u: %s", CASES[i].text, e.column, CASES[i].column, e.text);
        arena_done(&arena);
    }
}

static void labels_are_a_metric_with_its_pairs(void **unused)
{
    (void)unused;
    struct arena arena;
    struct labels ls;
    struct parse_error e = {0};
    arena_init(&arena, 1u << 20);
    check_ok(series_text_labels(SPAN("up{job=\"a\",b='c'}"), &arena, &ls, &e));
    assert_int_equal(ls.n, 3);
    assert_true(span_equal(labels_get(&ls, SPAN("__name__")), SPAN("up")));
    check_ok(series_text_labels(SPAN("{}"), &arena, &ls, &e));
    assert_int_equal(ls.n, 0);
    check_ok(series_text_labels(SPAN(""), &arena, &ls, &e));
    assert_int_equal(ls.n, 0);
    check_errno(series_text_labels(SPAN("up{job=~\"a\"}"), &arena, &ls, &e), -EINVAL);
    check_contains(e.text, "not matchers");
    check_errno(series_text_labels(SPAN("up{job="), &arena, &ls, &e), -EINVAL);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_repeat_and_grow),
        cmocka_unit_test(what_is_no_series_is_refused_at_its_place),
        cmocka_unit_test(labels_are_a_metric_with_its_pairs),
    };
    return cmocka_run_group_tests_name("series text", tests, NULL, NULL);
}
