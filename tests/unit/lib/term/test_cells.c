#include "lib/term/cells.h"

#include <errno.h>
#include <locale.h>
#include <wchar.h>

#include "lib/base/limits.h"
#include "tests/support/check.h"

static char *saved(const struct cells *c)
{
    static char text[8192];
    struct buf b;
    buf_init(&b, sizeof text - 1);
    cells_save(c, &b);
    assert_int_equal(buf_error(&b), 0);
    snprintf(text, sizeof text, "%s", b.data);
    buf_done(&b);
    return text;
}

static struct cells line_of(int columns, int room, const char *text)
{
    struct cells c;
    check_ok(cells_init(&c, columns, 1));
    cells_text(&c, 0, 0, room, STYLE_PLAIN, text);
    return c;
}

static void check_line(int columns, int room, const char *text, const char *expected)
{
    struct cells c = line_of(columns, room, text);
    assert_string_equal(saved(&c), expected);
    cells_done(&c);
}

static void text_that_is_too_long_ends_in_an_ellipsis(void **state)
{
    (void)state;
    check_line(20, 20, "payment", "payment\n");
    check_line(20, 7, "payment", "payment\n");
    check_line(20, 6, "payment", "payme…\n");
    check_line(20, 1, "payment", "…\n");
    check_line(20, 0, "payment", "\n");
    check_line(4, 20, "payment", "paym\n"); /* the grid cuts, too */
}

static void control_characters_never_reach_the_screen(void **state)
{
    (void)state;
    check_line(30, 30, "a\x1b[31mred\x07", "a\xef\xbf\xbd[31mred\xef\xbf\xbd\n");
    check_line(30, 30, "tab\tnl\n.", "tab nl .\n");
    check_line(30, 30, "c1:\xc2\x9b.", "c1:\xef\xbf\xbd.\n");
    check_line(30, 30, "bad:\xff\xc0\xaf.", "bad:\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.\n");
    check_line(30, 30, "cut:\xe2\x82", "cut:\xef\xbf\xbd\xef\xbf\xbd\n");
    check_line(30, 30,
               "bidi:\xe2\x80\xae"
               "abc",
               "bidi:\xef\xbf\xbd"
               "abc\n"); /* right-to-left override */
    check_line(30, 30, "surrogate:\xed\xa0\x80", "surrogate:\xef\xbf\xbd\n");
}

static void right_to_left_letters_stay_as_they_are(void **state)
{
    (void)state;
    check_line(30, 30, "שלום 42", "שלום 42\n");
}

static void wide_characters_take_two_columns_and_are_never_halved(void **state)
{
    (void)state;
    check_line(30, 30, "日本 x", "日本 x\n");
    assert_int_equal(cells_text_width("日本 x"), 6);
    check_line(30, 4, "日本 x", "日…\n");
    struct cells c = line_of(5, 5, "日本");
    cells_put(&c, 1, 0, 'x', STYLE_PLAIN); /* the right half of the first */
    assert_string_equal(saved(&c), " x本\n");
    cells_done(&c);
    c = line_of(3, 3, "");
    cells_put(&c, 2, 0, 0x65e5, STYLE_PLAIN); /* no room for its right half */
    assert_string_equal(saved(&c), "\n");
    cells_done(&c);
}

static void one_combining_mark_is_kept_and_a_heap_of_them_is_not(void **state)
{
    (void)state;
    check_line(30, 30, "cafe\xcc\x81!", "cafe\xcc\x81!\n");
    check_line(30, 30, "z\xcc\x81\xcc\x82\xcc\x83.", "z\xcc\x81.\n");
    check_line(30, 30,
               "\xcc\x81"
               "a",
               "a\n");
}

static void ascii_keeps_every_column(void **state)
{
    (void)state;
    struct cells c;
    check_ok(cells_init(&c, 30, 1));
    c.ascii = true;
    cells_text(&c, 0, 0, 30, STYLE_PLAIN, "● ok · 日 … █ é");
    assert_string_equal(saved(&c), "o ok . ?? ~ # e\n");
    cells_clear(&c);
    cells_text(&c, 0, 0, 30, STYLE_PLAIN, "Gro\u00dfe \u00dcbermut \u0141\u00f3d\u017a \u20ac \u5e97 \u0627");
    assert_string_equal(saved(&c), "Grose Ubermut Lodz E ?? ?\n");
    cells_done(&c);
}

static void drawing_outside_does_nothing(void **state)
{
    (void)state;
    struct cells c;
    check_ok(cells_init(&c, 3, 2));
    cells_text(&c, -2, 0, 10, STYLE_PLAIN, "abcdefgh");
    cells_text(&c, 0, 7, 10, STYLE_PLAIN, "x");
    cells_fill(&c, (struct box){-5, 1, 100, 100}, '#', STYLE_PLAIN);
    assert_string_equal(saved(&c), "cde\n###\n");
    assert_null(cells_at(&c, 3, 0));
    check_errno(cells_resize(&c, 0, 5), -EINVAL);
    check_errno(cells_resize(&c, CELLS_SIDE_MAX + 1, 5), -EINVAL);
    assert_string_equal(saved(&c), "cde\n###\n");
    cells_done(&c);
}

static void styles_are_saved_as_runs(void **state)
{
    (void)state;
    struct cells c;
    struct buf b;
    check_ok(cells_init(&c, 10, 2));
    buf_init(&b, 1000);
    cells_text(&c, 2, 1, 5, STYLE_PAGE, "PAGE");
    cells_reverse(&c, (struct box){8, 1, 2, 1});
    cells_save_styles(&c, &b);
    assert_string_equal(b.data, "1: 2+4 page\n1: 8+2 plain reverse\n");
    buf_done(&b);
    cells_done(&c);
}

/* Where the C library knows a character at all, a terminal and we must agree on its width. */
static void widths_are_those_of_the_c_library(void **state)
{
    (void)state;
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        skip();
    for (uint32_t ch = 0x20; ch < 0x110000; ch++) {
        int theirs = wcwidth((wchar_t)ch);
        if (ch >= 0x300 && theirs >= 0 && theirs != cell_width(ch))
            check_failed("U+%04X is %d columns wide, not %d", ch, theirs, cell_width(ch));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_is_too_long_ends_in_an_ellipsis),
        cmocka_unit_test(control_characters_never_reach_the_screen),
        cmocka_unit_test(right_to_left_letters_stay_as_they_are),
        cmocka_unit_test(wide_characters_take_two_columns_and_are_never_halved),
        cmocka_unit_test(one_combining_mark_is_kept_and_a_heap_of_them_is_not),
        cmocka_unit_test(ascii_keeps_every_column),
        cmocka_unit_test(drawing_outside_does_nothing),
        cmocka_unit_test(styles_are_saved_as_runs),
        cmocka_unit_test(widths_are_those_of_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
