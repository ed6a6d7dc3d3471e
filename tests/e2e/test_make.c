/* The Makefile's own promises: what is missing is named with its cure, help lists targets, install goes where it is told. */
#include "tests/support/e2e.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/process.h"

static int make(const char *const *args, const char *environment, char **ret_out)
{
    const char *argv[16] = {"/usr/bin/make", "--no-print-directory"}, *env[] = {"MAKEFLAGS=", environment, NULL};
    size_t n = 2;
    int status = -1;
    while (*args && n < 15)
        argv[n++] = *args++;
    check_ok(process_run(argv, &(struct process_options){.env = env, .log_path = e2e_path("make.log")},
                         240000 * (int64_t)check_slowness(), 1u << 20, ret_out, &status));
    return status;
}

static void a_missing_package_is_named_with_its_cure(void **state)
{
    (void)state;
    char build[1200], *out = NULL, *log = NULL;
    snprintf(build, sizeof build, "BUILD=%s", e2e_path("build"));
    /* a pkg-config that knows nothing: as on a machine without the -dev packages */
    int status = make(E2E_ARGS("all", build, "PKG_CONFIG=false"), "PKG_CONFIG=false", &out);
    assert_int_equal(status, 2);
    check_ok(file_read(e2e_path("make.log"), 1u << 20, &log, NULL));
    check_contains(log, "libmicrohttpd-dev");
    check_contains(log, "libsqlite3-dev");
    check_contains(log, "Run: make deps");
    assert_null(strstr(log, "error:")); /* of a compiler */
    free(out);
    free(log);
}

static void help_lists_the_targets(void **state)
{
    (void)state;
    static const char *const TARGETS[] = {"all",     "demo",  "test", "deps", "lint",
                                          "install", "clean", "help", "unit", "e2e"};
    char *out = NULL, line[64];
    assert_int_equal(make(E2E_ARGS("help"), "LC_ALL=C", &out), 0);
    for (size_t i = 0; i < ARRAY_LEN(TARGETS); i++) {
        snprintf(line, sizeof line, "make %s ", TARGETS[i]);
        check_contains(out, line);
    }
    free(out);
}

static void install_puts_programs_and_pages_below_its_folder(void **state)
{
    (void)state;
    static const char *const PROGRAMS[] = {"crest-agent", "crest-collector", "crest-loadgen", "crest-shop"};
    char folder[1200], path[1400], *out = NULL;
    snprintf(folder, sizeof folder, "DESTDIR=%s", e2e_path("root"));
    assert_int_equal(make(E2E_ARGS("-j2", "MODE=release", "install", folder, "PREFIX=/opt/crest"), "LC_ALL=C", &out),
                     0);
    free(out);
    for (size_t i = 0; i < ARRAY_LEN(PROGRAMS); i++) {
        snprintf(path, sizeof path, "%s/opt/crest/bin/%s", e2e_path("root"), PROGRAMS[i]);
        assert_int_equal(access(path, X_OK), 0);
        const char *argv[] = {path, "--version", NULL};
        int status = -1;
        check_ok(process_run(argv, NULL, 10000, 4096, NULL, &status));
        assert_int_equal(status, 0);
        snprintf(path, sizeof path, "%s/opt/crest/share/man/man1/%s.1", e2e_path("root"), PROGRAMS[i]);
        check_ok(file_read(path, 1u << 20, &out, NULL));
        check_contains(out, ".TH");
        check_contains(out, PROGRAMS[i]);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_missing_package_is_named_with_its_cure, e2e_teardown),
        cmocka_unit_test_teardown(help_lists_the_targets, e2e_teardown),
        cmocka_unit_test_teardown(install_puts_programs_and_pages_below_its_folder, e2e_teardown),
    };
    return cmocka_run_group_tests_name("make", tests, NULL, NULL);
}
