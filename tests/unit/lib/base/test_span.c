#include "tests/support/check.h"

#include <string.h>

#include "lib/base/span.h"

static void span_cut_yields_every_piece_also_the_empty_last_one(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pieces;
    } CASES[] = {{"a,b", "[a][b]"}, {"a,", "[a][]"}, {",a", "[][a]"}, {",", "[][]"}, {"", "[]"}, {"abc", "[abc]"}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct span rest = span_str(CASES[i].text), piece;
        char got[64] = "";
        size_t n = 0;
        while (span_cut(&rest, ',', &piece))
            n += (size_t)snprintf(got + n, sizeof got - n, "[" SPAN_FMT "]", SPAN_ARG(piece));
        assert_string_equal(got, CASES[i].pieces);
    }
    struct span none = {NULL, 0}, piece;
    assert_false(span_cut(&none, ',', &piece));
}

static void spans_trim_search_and_compare(void **state)
{
    (void)state;
    check_span(span_trim(SPAN(" \t\r\n a b \n")), "a b");
    check_span(span_trim(SPAN("  ")), "");
    assert_int_equal(span_search(SPAN("hello"), SPAN("llo")), 2);
    assert_int_equal(span_search(SPAN("hello"), SPAN("lx")), 5);
    assert_int_equal(span_search(SPAN("hello"), SPAN("")), 0);
    assert_int_equal(span_search(span_str(NULL), SPAN("x")), 0);
    assert_int_equal(span_find(SPAN("a:b"), ':'), 1);
    assert_int_equal(span_find(SPAN("ab"), ':'), 2);
    assert_true(span_equal(span_str(NULL), SPAN("")));
    assert_true(span_equal_nocase(SPAN("Content-Type"), SPAN("content-tYPE")));
    assert_false(span_equal_nocase(SPAN("[a"), SPAN("{a"))); /* 0x5b and 0x7b differ by the case bit only */
    assert_true(span_compare(SPAN("a"), SPAN("ab")) < 0);
    assert_true(span_compare(SPAN("b"), SPAN("ab")) > 0);
    assert_true(span_compare(SPAN("\x7f"), SPAN("\x80")) < 0); /* bytes, not chars */
    assert_int_equal(span_compare(span_str(NULL), SPAN("")), 0);
    assert_true(span_starts(SPAN("abc"), SPAN("")));
    assert_false(span_starts(SPAN("ab"), SPAN("abc")));
    check_span(span_from(SPAN("abc"), 1), "bc");
    assert_int_equal(span_from(SPAN("abc"), 9).len, 0);
    char *copy = span_dup(span_of("ab\0c", 4));
    assert_memory_equal(copy, "ab\0c", 5);
    free(copy);
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"",
                                       "plain ascii of some length",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "12345678\xe2\x82\xac",
                                       "1234567\xe2\x82\xac 12345678"};
    static const char *const BAD[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2"
                                      "A",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "12345678\x80",
                                      "1234567\xe2\x82"};
    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
        if (!span_is_utf8(span_str(GOOD[i])))
            check_failed("good text %zu is refused", i);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        if (span_is_utf8(span_str(BAD[i])))
            check_failed("bad text %zu is accepted", i);
    assert_true(span_is_utf8(span_of("a\0b", 3)));
}

static void every_code_point_and_nothing_else_is_utf8(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c += c < 0x3000 || (c > 0xd000 && c < 0xf000) ? 1 : 251) {
        unsigned char t[4];
        size_t n;
        if (c < 0x80) {
            t[0] = (unsigned char)c;
            n = 1;
        } else if (c < 0x800) {
            t[0] = (unsigned char)(0xc0 | c >> 6);
            t[1] = (unsigned char)(0x80 | (c & 63));
            n = 2;
        } else if (c < 0x10000) {
            t[0] = (unsigned char)(0xe0 | c >> 12);
            t[1] = (unsigned char)(0x80 | (c >> 6 & 63));
            t[2] = (unsigned char)(0x80 | (c & 63));
            n = 3;
        } else {
            t[0] = (unsigned char)(0xf0 | c >> 18);
            t[1] = (unsigned char)(0x80 | (c >> 12 & 63));
            t[2] = (unsigned char)(0x80 | (c >> 6 & 63));
            t[3] = (unsigned char)(0x80 | (c & 63));
            n = 4;
        }
        bool valid = c < 0x110000 && (c < 0xd800 || c > 0xdfff);
        if (span_is_utf8(span_of((const char *)t, n)) != valid)
            check_failed("U+%04X", (unsigned)c);
    }
}

static void distance_counts_edits_and_stops_at_its_limit(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t max, distance;
    } CASES[] = {{"scrape", "scrape", 3, 0}, {"scrpe", "scrape", 3, 1},   {"scarpe", "scrape", 3, 1},
                 {"abc", "xyz", 3, 3},       {"abc", "xyz", 2, 3},        {"", "abc", 3, 3},
                 {"abc", "", 2, 3},          {"kitten", "sitting", 5, 3}, {"intreval", "interval", 3, 1},
                 {"a", "abcdefgh", 3, 4}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        assert_int_equal(span_distance(span_str(CASES[i].a), span_str(CASES[i].b), CASES[i].max), CASES[i].distance);
    char large[200];
    memset(large, 'a', sizeof large);
    assert_int_equal(span_distance(span_of(large, 200), span_of(large, 199), 3), 4);
    assert_int_equal(span_distance(span_of(large, 200), span_of(large, 200), 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(span_cut_yields_every_piece_also_the_empty_last_one),
        cmocka_unit_test(spans_trim_search_and_compare),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(every_code_point_and_nothing_else_is_utf8),
        cmocka_unit_test(distance_counts_edits_and_stops_at_its_limit),
    };
    return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
