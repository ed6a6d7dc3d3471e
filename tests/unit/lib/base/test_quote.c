#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "lib/base/quote.h"

static void quotes_as_go_does(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        const char *want;
    } cases[] = {
        {SPAN_INIT(""), "\"\""},
        {SPAN_INIT("plain 'text'"), "\"plain 'text'\""},
        {SPAN_INIT("\a\b\f\n\r\t\v\\\""), "\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\""},
        {SPAN_INIT("\0\x1f\x7f"), "\"\\x00\\x1f\\x7f\""},
        {SPAN_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x9b\x92"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x9b\x92\""},
        {SPAN_INIT("\xc2\x80\xc2\x9f\xc2\xa1"), "\"\\u0080\\u009f\xc2\xa1\""},
        {SPAN_INIT("\xff\xc3"), "\"\\xff\\xc3\""},
        {SPAN_INIT("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\""}, /* a surrogate is no UTF-8 */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        buf_init(&b, 256);
        quote_go(&b, cases[i].in);
        assert_string_equal(b.data, cases[i].want);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(quotes_as_go_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
