/* The story below the views: only whole lines, the newest last, at most one look in 100 ms. */
#include "tui/story.h"

#include <unistd.h>

#include "lib/base/file.h"
#include "tests/support/check.h"

static char *folder, path[512];

static int start(void **state)
{
    (void)state;
    if (dir_make_temp("crest-story", &folder) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/story.txt", folder);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    int r = dir_remove(folder);
    free(folder);
    return r;
}

static void append(const char *text)
{
    AUTO_FCLOSE FILE *f = fopen(path, "ae");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
}

static struct story *open_it(void)
{
    struct story *s = NULL;
    check_ok(story_new(path, &s));
    return s;
}

static void a_line_is_told_when_it_is_whole(void **state)
{
    (void)state;
    struct story *s = open_it();
    int64_t now = 1000;
    assert_false(story_step(s, now)); /* no file yet */
    assert_string_equal(story_line(s, 0), "");
    append("one\ntw");
    assert_true(story_step(s, now += STORY_EVERY_MS));
    assert_string_equal(story_line(s, 0), "one");
    append("o\nthree\n");
    assert_false(story_step(s, now + STORY_EVERY_MS - 1)); /* too soon to look */
    assert_true(story_step(s, now += STORY_EVERY_MS));
    assert_string_equal(story_line(s, 0), "three");
    assert_string_equal(story_line(s, 1), "two");
    assert_string_equal(story_line(s, 2), "one");
    assert_string_equal(story_line(s, 3), "");
    assert_false(story_step(s, now += STORY_EVERY_MS)); /* nothing new */
    assert_int_equal(unlink(path), 0);
    assert_false(story_step(s, now += STORY_EVERY_MS)); /* what was said stays said */
    assert_string_equal(story_line(s, 0), "three");
    story_free(s);
}

static void of_a_long_story_only_the_end_is_read(void **state)
{
    (void)state;
    struct story *s = open_it();
    for (int i = 0; i < 2000; i++)
        append("a line that nobody sees any more\n");
    append("the end, \x1b[31m\xff\n");
    assert_true(story_step(s, 1));
    assert_string_equal(story_line(s, 0), "the end, \x1b[31m\xff");
    struct cells c;
    check_ok(cells_init(&c, 40, 24));
    struct buf shown;
    buf_init(&shown, 1u << 16);
    assert_int_equal(story_draw(s, &c, 22), 2);
    cells_save(&c, &shown);
    check_contains(shown.data, "the end, ");
    assert_null(memchr(shown.data, 0x1b, shown.len)); /* a story cannot speak to the terminal */
    buf_done(&shown);
    cells_done(&c);
    assert_int_equal(story_draw(NULL, &c, 22), 0);
    story_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_is_told_when_it_is_whole, start, stop),
        cmocka_unit_test_setup_teardown(of_a_long_story_only_the_end_is_read, start, stop),
    };
    return cmocka_run_group_tests_name("story", tests, NULL, NULL);
}
