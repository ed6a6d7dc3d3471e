#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>

#include "lib/match/matcher.h"

static void each_operator_matches_as_it_says(void **state)
{
    (void)state;
    static const struct {
        enum match_type type;
        const char *value, *text;
        int want;
        bool empty;
    } cases[] = {
        {MATCH_EQUAL, "shop", "shop", 1, false},
        {MATCH_EQUAL, "shop", "shops", 0, false},
        {MATCH_EQUAL, "", "", 1, true},
        {MATCH_EQUAL, "", "x", 0, true},
        {MATCH_NOT_EQUAL, "shop", "shop", 0, true},
        {MATCH_NOT_EQUAL, "shop", "api", 1, true},
        {MATCH_NOT_EQUAL, "", "api", 1, false},
        {MATCH_REGEX, "shop|api", "api", 1, false},
        {MATCH_REGEX, "shop|api", "apis", 0, false},
        {MATCH_REGEX, ".*", "", 1, true},
        {MATCH_REGEX, "a.+", "a", 0, false},
        {MATCH_NOT_REGEX, "shop|api", "api", 0, true},
        {MATCH_NOT_REGEX, "shop|api", "apis", 1, true},
        {MATCH_NOT_REGEX, "a*", "b", 1, false},
        {MATCH_EQUAL, "sh.p", "shop", 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct matcher m;
        struct parse_error err = {0};
        assert_int_equal(matcher_init(&m, cases[i].type, SPAN("job"), span_str(cases[i].value), &err), 0);
        assert_int_equal(matcher_matches(&m, span_str(cases[i].text)), cases[i].want);
        assert_int_equal(matcher_matches_empty(&m), cases[i].empty);
        assert_int_equal(m.regex != NULL, cases[i].type == MATCH_REGEX || cases[i].type == MATCH_NOT_REGEX);
        matcher_done(&m);
        matcher_done(&m); /* twice is harmless */
    }
}

static void name_and_value_are_copied(void **state)
{
    (void)state;
    char name[] = "job", value[] = "shop";
    struct matcher m;
    struct parse_error err = {0};
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, span_str(name), span_str(value), &err), 0);
    memset(name, 'x', 3);
    memset(value, 'x', 4);
    assert_true(span_equal(m.name, SPAN("job")));
    assert_int_equal(matcher_matches(&m, SPAN("shop")), 1);
    matcher_done(&m);
}

static void a_bad_expression_leaves_the_matcher_untouched(void **state)
{
    (void)state;
    struct matcher m;
    memset(&m, 0x5a, sizeof m);
    struct matcher before = m;
    struct parse_error err = {0};
    assert_int_equal(matcher_init(&m, MATCH_REGEX, SPAN("job"), SPAN("a(?=b)"), &err), -EINVAL);
    assert_memory_equal(&m, &before, sizeof m);
    assert_int_equal(err.column, 2);
    assert_non_null(strstr(err.text, "look-ahead"));
    /* only the regex operators read an expression */
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, SPAN("job"), SPAN("a(?=b)"), &err), 0);
    matcher_done(&m);
}

static void too_costly_is_an_error_for_both_signs(void **state)
{
    (void)state;
    static char text[1500];
    memset(text, 'a', sizeof text);
    for (int negative = 0; negative < 2; negative++) {
        struct matcher m;
        struct parse_error err = {0};
        assert_int_equal(
            matcher_init(&m, negative ? MATCH_NOT_REGEX : MATCH_REGEX, SPAN("job"), SPAN("(a+)+[bc]"), &err), 0);
        assert_int_equal(matcher_matches(&m, span_of(text, sizeof text)), -E2BIG);
        matcher_done(&m);
    }
}

static void matchers_print_as_in_a_selector(void **state)
{
    (void)state;
    static const struct {
        enum match_type type;
        const char *name, *value, *want;
    } cases[] = {
        {MATCH_EQUAL, "job", "shop", "job=\"shop\""},
        {MATCH_NOT_EQUAL, "job", "", "job!=\"\""},
        {MATCH_REGEX, "path", "/a\\.b\"c", "path=~\"/a\\\\.b\\\"c\""},
        {MATCH_NOT_REGEX, "my.label", "x\n", "\"my.label\"!~\"x\\n\""},
        {MATCH_EQUAL, "9lives", "x", "\"9lives\"=\"x\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct matcher m;
        struct parse_error err = {0};
        assert_int_equal(matcher_init(&m, cases[i].type, span_str(cases[i].name), span_str(cases[i].value), &err), 0);
        struct buf b;
        buf_init(&b, 256);
        matcher_format(&b, &m);
        assert_string_equal(b.data, cases[i].want);
        buf_done(&b);
        matcher_done(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operator_matches_as_it_says),
        cmocka_unit_test(name_and_value_are_copied),
        cmocka_unit_test(a_bad_expression_leaves_the_matcher_untouched),
        cmocka_unit_test(too_costly_is_an_error_for_both_signs),
        cmocka_unit_test(matchers_print_as_in_a_selector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
