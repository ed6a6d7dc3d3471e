#include "tests/support/check.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/span.h"

static void log_writes_one_logfmt_line_with_quoted_values(void **state)
{
    (void)state;
    log_init("crest-test", LOG_LEVEL_INFO);
    unsigned long before = log_count(LOG_LEVEL_WARN);
    check_capture_start(2);
    log_warn("scrape failed", "job", "%s", "shop", "error", "%s", "a \"b\"\n\x01\\", "n", "%d/%zu/%lld/%.2f%%", 1,
             (size_t)2, -3LL, 0.5, "empty", "%s", "", "part", SPAN_FMT, SPAN_ARG(span_of("abcdef", 3)), "pad",
             "%-4s|%*d", "x", 3, 7);
    log_debug("hidden");
    char *text = check_capture_end(2);
    check_contains(text, "ts=2");
    const char *rest = strstr(text, " level=");
    assert_string_equal(
        rest, " level=warn program=crest-test msg=\"scrape failed\" job=shop error=\"a \\\"b\\\"\\n\\x01\\\\\" "
              "n=1/2/-3/0.50% empty=\"\" part=abc pad=\"x   |  7\"\n");
    assert_int_equal(log_count(LOG_LEVEL_WARN), before + 1);
    assert_int_equal(log_count(LOG_LEVEL_DEBUG), 0);
    free(text);
}

static void log_cuts_what_is_too_long_and_still_ends_the_line(void **state)
{
    (void)state;
    static char large[30000];
    memset(large, 'x', sizeof large - 1);
    check_capture_start(2);
    log_error(large, "a", "%s", large, "b", "%s", large, "c", "%s", large, "d", "%s", large, "e", "%s", large);
    char *text = check_capture_end(2);
    size_t n = strlen(text);
    assert_true(n > 1000 && n <= 16384);
    assert_int_equal(text[n - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + n - 1);
    free(text);
}

static void log_levels_have_names(void **state)
{
    (void)state;
    enum log_level l = LOG_LEVEL_INFO;
    assert_true(log_level_parse("error", &l) && l == LOG_LEVEL_ERROR);
    assert_true(log_level_parse("debug", &l) && l == LOG_LEVEL_DEBUG);
    assert_false(log_level_parse("warning", &l));
    assert_int_equal(l, LOG_LEVEL_DEBUG);
}

static void log_allow_hides_repetitions_and_counts_them(void **state)
{
    (void)state;
    unsigned long hidden = 42;
    assert_true(log_allow("cause a", 100000, &hidden));
    assert_int_equal(hidden, 0);
    assert_false(log_allow("cause a", 100000, &hidden));
    assert_true(log_allow("cause b", 20, &hidden));
    assert_false(log_allow("cause b", 20, NULL));
    assert_false(log_allow("cause b", 20, NULL));
    sleep_us(25000);
    assert_true(log_allow("cause b", 20, &hidden));
    assert_int_equal(hidden, 2);
    /* Strangers may invent causes: the table stays bounded, and an old cause just starts again. */
    for (int i = 0; i < 2000; i++) {
        char cause[32];
        snprintf(cause, sizeof cause, "cause %d", i);
        assert_true(log_allow(cause, 1, &hidden));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_writes_one_logfmt_line_with_quoted_values),
        cmocka_unit_test(log_cuts_what_is_too_long_and_still_ends_the_line),
        cmocka_unit_test(log_levels_have_names),
        cmocka_unit_test(log_allow_hides_repetitions_and_counts_them),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
