#include "tests/support/bench.h"

#include <math.h>
#include <string.h>

#include "lib/base/file.h"
#include "tests/support/check.h"
#include "tests/support/e2e.h"

static int finish_quietly(struct bench *b)
{
    check_capture_start(1);
    check_capture_start(2);
    int code = bench_finish(b);
    free(check_capture_end(2));
    free(check_capture_end(1));
    return code;
}

static int run_bench(const char *name, double limit)
{
    struct bench *b = bench_new(name, "A title");
    static const double VALUES[] = {5, 1, 3, 2, 4};
    for (size_t i = 0; i < ARRAY_LEN(VALUES); i++)
        bench_add(b, "time", "s", VALUES[i]);
    bench_must(b, "time", BENCH_AT_MOST, limit);
    bench_goal(b, "time", BENCH_AT_LEAST, 100);
    bench_note(b, "note of %s", name);
    check_double_bits(bench_median(b, "time"), 3);
    assert_true(isnan(bench_median(b, "none")));
    return finish_quietly(b);
}

static void results_keep_the_other_sections(void **state)
{
    (void)state;
    char path[1024], *text;
    snprintf(path, sizeof path, "%s", e2e_path("RESULTS.md"));
    setenv("CREST_RESULTS", path, 1);
    assert_int_equal(run_bench("one", 3), 0);
    assert_int_equal(run_bench("two", 2.9), 1);
    assert_int_equal(run_bench("one", 3.5), 0);
    check_ok(file_read(path, 100000, &text, NULL));
    assert_true(strncmp(text, "# Results\n", 10) == 0);
    const char *one = strstr(text, "## bench-one\n"), *two = strstr(text, "## bench-two\n");
    assert_true(one && two && one < two);
    assert_null(strstr(one + 1, "## bench-one\n"));
    check_contains(one, "| time | s | 5 | 3 | 1 | 5 | ≤ 3.5 ✓ | ≥ 100 **missed** |\n\nnote of one\n\n## bench-two");
    check_contains(two, "≤ 2.9 **missed**");
    check_contains(two, "note of two\n");
    free(text);
    unsetenv("CREST_RESULTS");
}

static void a_must_without_a_measured_value_is_missed(void **state)
{
    (void)state;
    setenv("CREST_RESULTS", e2e_path("other.md"), 1);
    struct bench *b = bench_new("none", "Nothing");
    bench_must(b, "never measured", BENCH_AT_MOST, 1);
    assert_int_equal(finish_quietly(b), 1);
    b = bench_new("none", "Nothing");
    bench_add(b, "even", "s", 1);
    bench_add(b, "even", "s", 2);
    check_double_bits(bench_median(b, "even"), 1.5);
    bench_must(b, "even", BENCH_AT_LEAST, 1.5);
    assert_int_equal(finish_quietly(b), 0);
    setenv("CREST_RESULTS", "/nonexistent/folder/RESULTS.md", 1);
    assert_int_equal(finish_quietly(bench_new("none", "Nothing")), 1);
    unsetenv("CREST_RESULTS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(results_keep_the_other_sections, e2e_teardown),
        cmocka_unit_test_teardown(a_must_without_a_measured_value_is_missed, e2e_teardown),
    };
    return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
