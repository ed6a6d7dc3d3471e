#include "tests/support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    return dir_make_temp("crest-file", &folder);
}
static int remove_folder(void **state)
{
    (void)state;
    int r = dir_remove(folder);
    free(folder);
    return r;
}

static const char *in_folder(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void files_are_written_whole_and_read_back(void **state)
{
    (void)state;
    static const char BYTES[] = "a\0b\n";
    char *data = NULL;
    size_t n = 0;
    check_ok(file_write(in_folder("f"), BYTES, sizeof BYTES));
    check_ok(file_write(in_folder("f"), BYTES, 4));
    check_ok(file_read(in_folder("f"), 4, &data, &n));
    assert_int_equal(n, 4);
    assert_memory_equal(data, "a\0b\n", 5);
    free(data);
    assert_int_equal(access(in_folder("f.tmp"), F_OK), -1);
    check_ok(file_write(in_folder("empty"), "", 0));
    check_ok(file_read(in_folder("empty"), 0, &data, &n));
    assert_int_equal(n, 0);
    assert_string_equal(data, "");
    free(data);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    check_ok(file_write(in_folder("keep"), "old", 3));
    check_ok(dir_make(in_folder("keep.tmp"))); /* in the way */
    assert_true(file_write(in_folder("keep"), "new", 3) < 0);
    char *data = NULL;
    check_ok(file_read(in_folder("keep"), 100, &data, NULL));
    assert_string_equal(data, "old");
    free(data);
    check_errno(file_write(in_folder("no/such/folder"), "x", 1), -ENOENT);
}

static void reading_stops_at_the_limit_and_at_what_is_no_file(void **state)
{
    (void)state;
    char *data = NULL;
    size_t n;
    check_ok(file_write(in_folder("five"), "12345", 5));
    check_errno(file_read(in_folder("five"), 4, &data, &n), -EFBIG);
    check_errno(file_read(in_folder("none"), 4, &data, &n), -ENOENT);
    check_errno(file_read(folder, 4096, &data, &n), -EISDIR);
    check_errno(file_read("/proc/self/status", 10, &data, &n), -EFBIG); /* no size in stat */
    assert_null(data);
    check_ok(file_read("/proc/self/status", 100000, &data, &n));
    check_contains(data, "VmRSS");
    free(data);
}

static void folders_are_made_with_their_parents_and_removed_with_their_content(void **state)
{
    (void)state;
    check_ok(dir_make(in_folder("x/y/z")));
    check_ok(dir_make(in_folder("x/y/z/")));
    check_ok(file_write(in_folder("x/file"), "", 0));
    check_errno(dir_make(in_folder("x/file/sub")), -ENOTDIR);
    check_errno(dir_make(""), -ENOENT);
    check_ok(file_write(in_folder("precious"), "p", 1));
    char target[4096];
    snprintf(target, sizeof target, "%s", in_folder("precious"));
    assert_int_equal(symlink(target, in_folder("x/y/link")), 0);
    check_ok(dir_remove(in_folder("x")));
    assert_int_equal(access(in_folder("x"), F_OK), -1);
    assert_int_equal(access(in_folder("precious"), F_OK), 0); /* links are removed, not followed */
    check_errno(dir_remove(in_folder("x")), -ENOENT);
    struct stat st;
    check_ok(dir_make(in_folder("mode")));
    assert_int_equal(stat(in_folder("mode"), &st), 0);
    assert_int_equal(st.st_mode & 07, 0); /* data folders are nobody else's */
}

static void patterns_list_paths_in_order(void **state)
{
    (void)state;
    struct file_list l;
    check_ok(dir_make(in_folder("g")));
    check_ok(file_write(in_folder("g/b.yml"), "", 0));
    check_ok(file_write(in_folder("g/a.yml"), "", 0));
    check_ok(file_write(in_folder("g/c.txt"), "", 0));
    check_ok(file_glob(in_folder("g/*.yml"), &l));
    assert_int_equal(l.n, 2);
    assert_non_null(strstr(l.paths[0], "/a.yml"));
    assert_non_null(strstr(l.paths[1], "/b.yml"));
    file_list_done(&l);
    check_ok(file_glob(in_folder("g/*.none"), &l));
    assert_int_equal(l.n, 0);
    file_list_done(&l);
}

static void paths_in_a_file_are_relative_to_its_folder(void **state)
{
    (void)state;
    static const struct {
        const char *base, *path, *expected;
    } CASES[] = {{"/etc/crest/crest.yml", "rules.yml", "/etc/crest/rules.yml"},
                 {"/etc/crest/crest.yml", "/abs/rules.yml", "/abs/rules.yml"},
                 {"crest.yml", "rules.yml", "rules.yml"},
                 {"a/crest.yml", "../rules.yml", "a/../rules.yml"}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char *p = path_beside(CASES[i].base, CASES[i].path);
        assert_string_equal(p, CASES[i].expected);
        free(p);
    }
    uint64_t bytes = 0;
    check_ok(disk_free_bytes(folder, &bytes));
    assert_true(bytes > 0);
    check_errno(disk_free_bytes(in_folder("none"), &bytes), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_written_whole_and_read_back),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(reading_stops_at_the_limit_and_at_what_is_no_file),
        cmocka_unit_test(folders_are_made_with_their_parents_and_removed_with_their_content),
        cmocka_unit_test(patterns_list_paths_in_order),
        cmocka_unit_test(paths_in_a_file_are_relative_to_its_folder),
    };
    return cmocka_run_group_tests_name("file", tests, make_folder, remove_folder);
}
