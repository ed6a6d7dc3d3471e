/* The Makefile's own promises: what is missing is named with its cure, help lists targets, install goes where it is told. */
#include "tests/support/e2e.h"

#include <string.h>
#include <sys/stat.h>
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

static void each_mode_builds_in_a_folder_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *mode, *flag;
    } MODES[] = {{"release", "-O2"}, {"asan", "-fsanitize=address,undefined"}, {"tsan", "-fsanitize=thread"}};
    for (size_t i = 0; i < ARRAY_LEN(MODES); i++) {
        char mode[64], build[1200], path[1400], *out = NULL;
        snprintf(mode, sizeof mode, "MODE=%s", MODES[i].mode);
        snprintf(build, sizeof build, "BUILD=%s", e2e_path("build"));
        assert_int_equal(make(E2E_ARGS("-n", "all", mode, build), "LC_ALL=C", &out), 0); /* what it would do */
        check_contains(out, MODES[i].flag);
        for (size_t k = 0; k < ARRAY_LEN(MODES); k++) {
            snprintf(path, sizeof path, "%s/%s/", e2e_path("build"), MODES[k].mode);
            if ((strstr(out, path) != NULL) != (i == k))
                check_failed("MODE=%s and %s", MODES[i].mode, path);
        }
        free(out);
    }
}

/* ---- packages.sh, on a machine of fakes: nothing is installed ---- */

static void fake(const char *name, const char *script)
{
    char text[2048];
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
    const char *path = e2e_write(name, text);
    assert_int_equal(chmod(path, 0755), 0);
}

/* Run packages.sh with the fakes before everything else in PATH. What it says goes to *ret_said, from malloc. */
static int packages(const char *arguments, char **ret_said)
{
    char script[6000], log[1024], path[4096];
    snprintf(log, sizeof log, "%s", e2e_path("packages.log"));
    snprintf(path, sizeof path, "%s", e2e_folder());
    snprintf(script, sizeof script,
             "export PATH=%s:$PATH PKG_CONFIG=%s/pkg-config CREST_POLICY_RC_D=%s/policy\n./packages.sh %s </dev/null",
             path, path, path, arguments);
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    int status = -1;
    (void)unlink(log);
    check_ok(process_run(argv, &(struct process_options){.log_path = log}, 60000 * (int64_t)check_patience(), 1u << 20,
                         NULL, &status));
    check_ok(file_read(log, 1u << 20, ret_said, NULL));
    return status;
}

static void make_fakes(int user)
{
    char text[1024];
    const char *folder = e2e_folder();
    snprintf(text, sizeof text, "[ \"$1\" = -u ] && echo %d", user);
    fake("id", text);
    fake("sudo", "exit 1");                                                            /* no password, no terminal */
    snprintf(text, sizeof text, "[ -e %s/jansson ] || [ \"$2\" != jansson ]", folder); /* all but one are there */
    fake("pkg-config", text);
    snprintf(text, sizeof text,
             "echo \"$@\" >>%s/apt\ncase \"$*\" in *install*) %s/policy; echo \"policy $?\" >>%s/apt; touch "
             "%s/jansson;; esac",
             folder, folder, folder, folder);
    fake("apt-get", text);
    snprintf(text, sizeof text, "[ ! -e %s/jansson ] || echo 'ii libjansson-dev'", folder);
    fake("dpkg-query", text);
    fake("dpkg", "echo /lib/systemd/system/jansson.service");
    snprintf(text, sizeof text, "echo \"$@\" >>%s/systemctl", folder);
    fake("systemctl", text);
}

static void missing_packages_are_installed_and_nothing_they_bring_is_started(void **state)
{
    (void)state;
    char *said = NULL, *apt = NULL, *disabled = NULL, *policy = NULL;
    make_fakes(0);
    fake("policy", "exit 7"); /* the machine's own */
    assert_int_equal(packages("build", &said), 0);
    check_contains(said, "libjansson-dev: reading JSON");
    check_ok(file_read(e2e_path("apt"), 1u << 16, &apt, NULL));
    check_contains(apt, "install -q -y --no-install-recommends libjansson-dev\n");
    check_contains(apt, "policy 101\n"); /* while it installs */
    check_ok(file_read(e2e_path("systemctl"), 1u << 16, &disabled, NULL));
    check_contains(disabled, "disable jansson.service");
    check_ok(file_read(e2e_path("policy"), 1u << 16, &policy, NULL));
    check_contains(policy, "exit 7"); /* put back */
    free(policy);
    free(disabled);
    free(said);
    assert_int_equal(packages("build", &said), 0); /* a second time there is nothing to do */
    assert_string_equal(said, "");
    check_ok(file_read(e2e_path("apt"), 1u << 16, &disabled, NULL));
    assert_string_equal(disabled, apt);
    free(disabled);
    free(apt);
    free(said);
}

static void without_root_the_command_is_named_and_peers_are_left_out(void **state)
{
    (void)state;
    char *said = NULL;
    make_fakes(1000);
    assert_int_equal(packages("build", &said), 1);
    check_contains(said, "Please run as root: apt-get install --no-install-recommends libjansson-dev");
    free(said);
    assert_int_equal(packages("--optional build", &said), 0);
    check_contains(said, "the tests that need it are skipped");
    free(said);
    assert_int_equal(access(e2e_path("apt"), F_OK), -1);
    assert_int_equal(access(e2e_path("policy"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_missing_package_is_named_with_its_cure, e2e_teardown),
        cmocka_unit_test_teardown(each_mode_builds_in_a_folder_of_its_own, e2e_teardown),
        cmocka_unit_test_teardown(missing_packages_are_installed_and_nothing_they_bring_is_started, e2e_teardown),
        cmocka_unit_test_teardown(without_root_the_command_is_named_and_peers_are_left_out, e2e_teardown),
        cmocka_unit_test_teardown(help_lists_the_targets, e2e_teardown),
        cmocka_unit_test_teardown(install_puts_programs_and_pages_below_its_folder, e2e_teardown),
    };
    return cmocka_run_group_tests_name("make", tests, NULL, NULL);
}
