#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/problem.h"

static char *printed(const struct problems *ps)
{
    check_capture_start(1);
    problems_print(ps, stdout);
    return check_capture_end(1);
}

static void problems_are_printed_in_file_order_with_their_place(void **state)
{
    (void)state;
    struct problems ps;
    problems_init(&ps);
    problem_add(&ps, PROBLEM_ERROR, "b.yml", 12, 5, "unknown key '%s'", "scrap");
    problem_add(&ps, PROBLEM_WARNING, "b.yml", 3, 0, "old");
    problem_add(&ps, PROBLEM_ERROR, "a.yml", 1, 1, "second file");
    problem_add(&ps, PROBLEM_ERROR, "b.yml", 12, 2, "earlier column");
    problem_add(&ps, PROBLEM_NOTICE, "b.yml", 0, 0, "whole file");
    problem_add(&ps, PROBLEM_ERROR, NULL, 0, 0, "no file");
    char *text = printed(&ps);
    assert_string_equal(text, "b.yml: notice: whole file\nb.yml:3: warning: old\nb.yml:12:2: earlier column\n"
                              "b.yml:12:5: unknown key 'scrap'\na.yml:1:1: second file\nno file\n");
    assert_int_equal(problems_errors(&ps), 4);
    assert_int_equal(ps.warnings, 1);
    free(text);
    problems_done(&ps);
}

static void problems_over_the_limit_are_counted(void **state)
{
    (void)state;
    struct problems ps;
    char large[2 * PROBLEM_TEXT_MAX];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    problems_init(&ps);
    for (unsigned i = 0; i < PROBLEMS_MAX + 7; i++)
        problem_add(&ps, PROBLEM_ERROR, "f", i + 1, 1, "%s", large);
    assert_int_equal(ps.n, PROBLEMS_MAX);
    assert_int_equal(problems_errors(&ps), PROBLEMS_MAX + 7);
    char *text = printed(&ps);
    check_contains(text, "... and 7 more\n");
    free(text);
    problems_done(&ps);
}

static void parse_errors_carry_line_and_column(void **state)
{
    (void)state;
    struct parse_error e = {0};
    static const char TEXT[] = "sum(\n  rat(x)\n)";
    parse_error_set(&e, -EINVAL, TEXT, 7, 10, "unknown function '%.*s'", 3, TEXT + 7);
    assert_int_equal(e.line, 2);
    assert_int_equal(e.column, 3);
    assert_int_equal(e.start, 7);
    assert_int_equal(e.end, 10);
    assert_string_equal(e.text, "unknown function 'rat'");
    parse_error_set(&e, -EINVAL, TEXT, 0, 0, "x");
    assert_true(e.line == 1 && e.column == 1);
    parse_error_set(&e, -EINVAL, TEXT, sizeof TEXT - 1, sizeof TEXT - 1, "unexpected end");
    assert_true(e.line == 3 && e.column == 2);
}

static void suggestions_are_near_or_absent(void **state)
{
    (void)state;
    static const char *const KEYS[] = {"scrape_interval", "scrape_timeout", "job_name", "params"};
    assert_string_equal(suggest("scrape_intervall", KEYS, ARRAY_LEN(KEYS)), "scrape_interval");
    assert_string_equal(suggest("scrap_timeuot", KEYS, ARRAY_LEN(KEYS)), "scrape_timeout");
    assert_string_equal(suggest("param", KEYS, ARRAY_LEN(KEYS)), "params");
    assert_null(suggest("target", KEYS, ARRAY_LEN(KEYS)));
    assert_null(suggest("", KEYS, ARRAY_LEN(KEYS)));
    assert_null(suggest("x", KEYS, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_are_printed_in_file_order_with_their_place),
        cmocka_unit_test(problems_over_the_limit_are_counted),
        cmocka_unit_test(parse_errors_carry_line_and_column),
        cmocka_unit_test(suggestions_are_near_or_absent),
    };
    return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
