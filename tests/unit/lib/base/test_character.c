/* Characters one by one. */
#include "tests/support/check.h"

#include "lib/base/character.h"
#include "lib/base/span.h"

static void every_character_has_its_utf8(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        const char *bytes;
    } KNOWN[] = {{'a', "a"},
                 {0x7f, "\x7f"},
                 {0x80, "\xc2\x80"},
                 {0x7ff, "\xdf\xbf"},
                 {0x800, "\xe0\xa0\x80"},
                 {0x20ac, "\xe2\x82\xac"},
                 {0xffff, "\xef\xbf\xbf"},
                 {0x10000, "\xf0\x90\x80\x80"},
                 {0x1f600, "\xf0\x9f\x98\x80"},
                 {0x10ffff, "\xf4\x8f\xbf\xbf"}};
    char bytes[UTF8_BYTES_MAX];
    for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++)
        check_span(span_of(bytes, utf8_put(bytes, KNOWN[i].code)), KNOWN[i].bytes);
    for (uint32_t code = 1; code <= 0x10ffff; code++)
        if (span_is_utf8(span_of(bytes, utf8_put(bytes, code))) == (code >= 0xd800 && code <= 0xdfff))
            check_failed("U+%X", (unsigned)code);
}

static void hex_digits_have_their_values_and_nothing_else_has(void **state)
{
    (void)state;
    static const char DIGITS[] = "0123456789abcdef", UPPER[] = "0123456789ABCDEF";
    for (int c = -128; c < 128; c++) {
        const char *low = c ? strchr(DIGITS, c) : NULL, *up = c ? strchr(UPPER, c) : NULL;
        int wanted = low ? (int)(low - DIGITS) : up ? (int)(up - UPPER) : -1;
        assert_int_equal(hex_digit_value((char)c), wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_has_its_utf8),
        cmocka_unit_test(hex_digits_have_their_values_and_nothing_else_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
