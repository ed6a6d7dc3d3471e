#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "lib/base/buf.h"

static void buf_grows_up_to_its_limit_and_no_byte_further(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    for (int i = 0; i < 100; i++)
        buf_char(&b, 'x');
    assert_int_equal(buf_error(&b), 0);
    assert_int_equal(b.len, 100);
    buf_char(&b, 'y');
    check_errno(buf_error(&b), -ENOSPC);
    assert_int_equal(strlen(b.data), 100);
    buf_done(&b);
}

static void buf_error_sticks_until_cleared(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_str(&b, "abcde");
    buf_str(&b, "f"); /* would fit, but the text would have a hole */
    check_errno(buf_error(&b), -ENOSPC);
    assert_int_equal(b.len, 0);
    assert_null(buf_reserve(&b, 1));
    buf_printf(&b, "%d", 1);
    assert_int_equal(b.len, 0);
    buf_clear(&b);
    buf_printf(&b, "%d%s", 12, "ab");
    check_ok(buf_error(&b));
    check_span(buf_view(&b), "12ab");
    buf_printf(&b, "%d", 1);
    check_errno(buf_error(&b), -ENOSPC);
    check_span(buf_view(&b), "12ab");
    buf_done(&b);
}

static void buf_prints_across_a_growth(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    char expected[5000];
    size_t n = 0;
    for (int i = 0; i < 500; i++) {
        n += (size_t)snprintf(expected + n, sizeof expected - n, "%d,", i);
        buf_printf(&b, "%d,", i);
    }
    check_span(buf_view(&b), expected);
    assert_int_equal(b.data[b.len], 0);
    buf_done(&b);
}

static void buf_reserve_hands_out_room_that_buf_grew_commits(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    char *at = buf_reserve(&b, 1000);
    assert_non_null(at);
    memset(at, 'a', 1000);
    buf_grew(&b, 1000);
    assert_int_equal(b.data[1000], 0);
    assert_null(buf_reserve(&b, 1));
    buf_clear(&b);
    buf_consume(&b, 0);
    buf_str(&b, "hello");
    buf_consume(&b, 2);
    buf_truncate(&b, b.len);
    buf_str(&b, " and more");
    buf_truncate(&b, 3);
    check_span(buf_view(&b), "llo");
    assert_string_equal(b.data, "llo");
    buf_consume(&b, 3);
    assert_int_equal(b.len, 0);
    buf_done(&b);
    buf_str(&b, "again"); /* after done the limit still stands */
    check_span(buf_view(&b), "again");
    buf_done(&b);
}

static void buf_take_gives_the_text_away(void **state)
{
    (void)state;
    struct buf b;
    size_t n = 42;
    buf_init(&b, 100);
    char *nothing = buf_take(&b, &n);
    assert_string_equal(nothing, "");
    assert_int_equal(n, 0);
    buf_u64(&b, UINT64_MAX);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_f64(&b, 0.1);
    buf_char(&b, ' ');
    buf_u64(&b, 0);
    char *text = buf_take(&b, &n);
    assert_string_equal(text, "18446744073709551615 -9223372036854775808 0.1 0");
    assert_int_equal(n, strlen(text));
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    free(nothing);
    free(text);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_grows_up_to_its_limit_and_no_byte_further),
        cmocka_unit_test(buf_error_sticks_until_cleared),
        cmocka_unit_test(buf_prints_across_a_growth),
        cmocka_unit_test(buf_reserve_hands_out_room_that_buf_grew_commits),
        cmocka_unit_test(buf_take_gives_the_text_away),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
