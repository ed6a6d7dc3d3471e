#include "tests/support/check.h"

#include <string.h>

#include "tests/run/results.h"

/* Outcomes as "name:outcome" words; the reason behind a '!'. */
static char seen[1024];

static void on_test(void *ctx, struct span name, enum outcome outcome, struct span output, const char *why)
{
    static const char *const WORDS[] = {"passed", "failed", "skipped"};
    size_t n = strlen(seen);
    if (ctx)
        snprintf(ctx, 256, SPAN_FMT, SPAN_ARG(output));
    snprintf(seen + n, sizeof seen - n, SPAN_FMT ":%s%s%s ", SPAN_ARG(name), WORDS[outcome], why ? "!" : "",
             why ? why : "");
}

static const char *outcomes(enum results_format format, const char *log, int status, bool timed_out, char *output)
{
    seen[0] = '\0';
    results_parse(format, span_str(log),
                  &(struct results_end){.status = status, .timed_out = timed_out, .program = "PROG"}, on_test, output);
    return seen;
}

#define BEGIN "[==========] Running 2 test(s).\n"
#define END "[==========] 2 test(s) run.\n"
#define A_OK "[ RUN      ] a\n[       OK ] a\n"

static void every_test_that_started_has_one_outcome(void **state)
{
    (void)state;
    static const struct {
        const char *log;
        int status;
        bool timed_out;
        const char *expected;
    } CASES[] = {
        {BEGIN A_OK "[ RUN      ] b\n[       OK ] b\n" END "[  PASSED  ] 2 test(s).\n", 0, false, "a:passed b:passed "},
        {BEGIN A_OK "[ RUN      ] b\nnoise\n[  ERROR   ] --- 1 != 2\n[  FAILED  ] b\n" END
                    "[  PASSED  ] 1 test(s).\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] b\n",
         1, false, "a:passed b:failed "},
        {BEGIN A_OK "[ RUN      ] b\n[  SKIPPED ] b\n" END "[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] b\n", 0,
         false, "a:passed b:skipped "},
        {BEGIN A_OK "[ RUN      ] b\n", 139, false, "a:passed b:failed!ended by signal 11 "},
        {BEGIN A_OK "[ RUN      ] b\n", 0, true, "a:passed b:failed!timed out "},
        {BEGIN A_OK, 0, false, "a:passed PROG:failed!the program left before its end "},
        {BEGIN A_OK END, 23, false, "a:passed PROG:failed!exit status 23 "}, /* a leak, found at exit */
        {BEGIN A_OK END, 0, true, "a:passed PROG:failed!timed out "},
        {BEGIN "[ RUN      ] a\n" A_OK END, 1, false,
         "a:failed!the test has no outcome (its set-up or tear-down failed?) a:passed "},
        {BEGIN "[  FAILED  ] GROUP SETUP\n" END, 1, false, "GROUP SETUP:failed "},
        {BEGIN A_OK END BEGIN "[ RUN      ] c\n[       OK ] c\n" END, 0, false, "a:passed c:passed "}, /* two groups */
        {"", 0, false, "PROG:failed!the program ran no tests "},
        {"error while loading shared libraries\n", 127, false, "PROG:failed!exit status 127 "},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        assert_string_equal(outcomes(RESULTS_CMOCKA, CASES[i].log, CASES[i].status, CASES[i].timed_out, NULL),
                            CASES[i].expected);
}

static void a_failed_test_comes_with_what_it_printed(void **state)
{
    (void)state;
    char output[256];
    outcomes(RESULTS_CMOCKA, BEGIN A_OK "[ RUN      ] b\nfirst\nsecond\n[  FAILED  ] b\n" END, 1, false, output);
    assert_string_equal(output, "first\nsecond\n");
}

static void tap_counts_top_level_lines_only(void **state)
{
    (void)state;
    assert_string_equal(outcomes(RESULTS_TAP,
                                 "TAP version 13\n# Subtest: a\n    ok 1 - inner\nok 1 - a\nnot ok 2 - b # TODO\n"
                                 "ok 3 - c # SKIP no browser\n1..3\n",
                                 1, false, NULL),
                        "a:passed b:failed c:skipped ");
    assert_string_equal(outcomes(RESULTS_TAP, "ok 1 - a\n", 1, false, NULL), "a:passed PROG:failed!exit status 1 ");
}

/* As node 18 and 22 print it. */
static void a_failed_tap_test_comes_with_its_error_block(void **state)
{
    (void)state;
    char output[256];
    assert_string_equal(outcomes(RESULTS_TAP,
                                 "ok 1 - a\n  ---\n  duration_ms: 1\n  ...\n# Subtest: b\nnot ok 2 - b\n  ---\n"
                                 "  error: 'false is not true'\n  ...\n1..2\n# fail 1\n",
                                 1, false, output),
                        "a:passed b:failed ");
    check_contains(output, "# Subtest: b\nnot ok 2 - b\n  ---\n  error: 'false is not true'\n  ...\n");
    assert_null(strstr(output, "1..2"));
    outcomes(RESULTS_TAP, "not ok 1 - b\n  ---\n  error: cut o", 1, false, output); /* node was killed */
    check_contains(output, "error: cut o");
    assert_string_equal(
        outcomes(RESULTS_TAP, "not ok 1 - b\n  ---\n  ...\nnot ok 2 - c\n  ---\n  ...\n1..2\n", 1, false, NULL),
        "b:failed c:failed ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_test_that_started_has_one_outcome),
        cmocka_unit_test(a_failed_test_comes_with_what_it_printed),
        cmocka_unit_test(tap_counts_top_level_lines_only),
        cmocka_unit_test(a_failed_tap_test_comes_with_its_error_block),
    };
    return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
