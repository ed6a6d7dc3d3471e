/* The test runner is what says "green": programs that fail in every way must not look so. */
#include "tests/support/check.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/process.h"
#include "tests/support/e2e.h"

#define BEGIN "echo '[==========] Running 1 test(s).'; echo '[ RUN      ] t'; "
#define OK "echo '[       OK ] t'; "
#define END "echo '[==========] 1 test(s) run.'; "

static char *run_with(const char *script, const char *skips, const char *chances, int *ret_status)
{
    char program[1024], timeout[64], skip_file[1024], runner[1024], text[2048];
    snprintf(program, sizeof program, "%s", e2e_path("program"));
    snprintf(skip_file, sizeof skip_file, "%s", e2e_write("skips", skips));
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
    check_ok(file_write(program, text, strlen(text)));
    assert_int_equal(chmod(program, 0700), 0);
    const char *bin = getenv("CREST_BIN");
    snprintf(runner, sizeof runner, "%s/tests/run/run", bin && *bin ? bin : "build/release");
    snprintf(timeout, sizeof timeout, "--timeout=%s", check_slowness() > 1 ? "4s" : "1s");
    const char *argv[] = {runner, timeout, "--skips", skip_file, "--second-chances", chances, program, NULL};
    char *out = NULL;
    check_ok(process_run(argv, NULL, 60000, 1u << 20, &out, ret_status));
    return out;
}

static char *run(const char *script, const char *skips, int *ret_status)
{
    return run_with(script, skips, "0", ret_status);
}

static const char *last_line(char *out)
{
    size_t n = strlen(out);
    assert_true(n > 1 && out[n - 1] == '\n');
    out[n - 1] = '\0';
    const char *newline = strrchr(out, '\n');
    return newline ? newline + 1 : out;
}

static void the_last_line_counts_every_kind_of_failure(void **state)
{
    (void)state;
    static const struct {
        const char *script, *skips;
        int status;
        const char *last, *says;
    } CASES[] = {
        {BEGIN OK END, "", 0, "1 passed, 0 failed, 0 skipped", "ok "},
        {BEGIN "echo '[  FAILED  ] t'; " END "exit 1", "", 1, "0 passed, 1 failed, 0 skipped", "FAILED t"},
        {BEGIN "kill -SEGV $$", "", 1, "0 passed, 1 failed, 0 skipped", "ended by signal 11"},
        {BEGIN "exec sleep 30", "", 1, "0 passed, 1 failed, 0 skipped", "timed out"},
        {BEGIN OK END "echo leak of 3 bytes; exit 23", "", 1, "1 passed, 1 failed, 0 skipped", "leak of 3 bytes"},
        {BEGIN OK END "sleep 30 >/dev/null 2>&1 &", "", 1, "1 passed, 1 failed, 0 skipped", "(sleep) behind"},
        {"exit 0", "", 1, "0 passed, 1 failed, 0 skipped", "ran no tests"},
        {BEGIN "echo '[  SKIPPED ] t'; " END, "", 1, "0 passed, 1 failed, 0 skipped", "ALLOWED_SKIPS does not allow"},
        {BEGIN "echo '[  SKIPPED ] t'; " END, "t needs:sh never on a system with a shell\n", 1,
         "0 passed, 1 failed, 0 skipped", "ALLOWED_SKIPS does not allow"},
        {BEGIN "echo '[  SKIPPED ] t'; " END BEGIN OK END, "# why\nt needs:no-such-command it has no peer here\n", 0,
         "1 passed, 0 failed, 1 skipped", "skipped:\n  t ("},
        {BEGIN "echo '[  SKIPPED ] t'; " END BEGIN OK END, "t\n", 1, NULL, NULL}, /* a rule without reason */
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int status = -1;
        char *out = run(CASES[i].script, CASES[i].skips, &status);
        if (status != CASES[i].status)
            check_failed("case %zu: status %d\n%s", i, status, out);
        if (CASES[i].says)
            check_contains(out, CASES[i].says);
        if (CASES[i].last)
            assert_string_equal(last_line(out), CASES[i].last);
        free(out);
    }
}

static void programs_run_in_a_folder_of_their_own_that_is_gone_afterwards(void **state)
{
    (void)state;
    int status = -1;
    char script[1024], *out, *noted;
    snprintf(script, sizeof script, BEGIN OK END "echo \"$TMPDIR\" >%s; touch \"$TMPDIR/left\"", e2e_path("noted"));
    out = run(script, "", &status);
    assert_int_equal(status, 0);
    free(out);
    check_ok(file_read(e2e_path("noted"), 4096, &noted, NULL));
    noted[strcspn(noted, "\n")] = '\0';
    assert_true(noted[0] == '/');
    assert_int_equal(access(noted, F_OK), -1);
    free(noted);
}

static void a_second_chance_is_used_once_and_told(void **state)
{
    (void)state;
    int status = -1;
    char script[1024];
    snprintf(script, sizeof script,
             BEGIN "if [ -e %s ]; then " OK END "exit 0; fi; touch %s; echo '[  FAILED  ] t'; " END "exit 1",
             e2e_path("noted"), e2e_path("noted"));
    char *out = run_with(script, "", "1", &status);
    assert_int_equal(status, 0);
    check_contains(out, "FAILED t");
    check_contains(out, "failed at first and had to run again:\n  t (");
    assert_string_equal(last_line(out), "1 passed, 0 failed, 0 skipped");
    free(out);
    out = run_with(BEGIN "echo '[  FAILED  ] t'; " END "exit 1", "", "1", &status);
    assert_int_equal(status, 1);
    assert_string_equal(last_line(out), "0 passed, 1 failed, 0 skipped");
    free(out);
}

/* The first program writes what the kernel would say of user, nice, system and idle time. It waits for the second at most so many turns. */
static void two_programs(const char *cpu, unsigned turns, const char *then, const char *more, int *ret_status)
{
    char runner[1024], first[1024], second[1024], stat[1024], text[4096], *out = NULL;
    const char *bin = getenv("CREST_BIN");
    snprintf(runner, sizeof runner, "%s/tests/run/run", bin && *bin ? bin : "build/release");
    snprintf(first, sizeof first, "%s", e2e_path("first"));
    snprintf(second, sizeof second, "%s", e2e_path("second"));
    snprintf(stat, sizeof stat, "%s", e2e_path("stat"));
    snprintf(text, sizeof text,
             "#!/bin/sh\n" BEGIN
             "i=1; while [ ! -e %s.ran ] && [ $i -lt %u ]; do i=$((i + 1)); echo \"cpu %s 0 0 0 0\" >%s.new; "
             "mv %s.new %s; sleep 0.02; done; %s\n" OK END "\n",
             second, turns, cpu, stat, stat, stat, then);
    check_ok(file_write(first, text, strlen(text)));
    snprintf(text, sizeof text, "#!/bin/sh\n" BEGIN "touch %s.ran; " OK END "\n", second);
    check_ok(file_write(second, text, strlen(text)));
    assert_int_equal(chmod(first, 0700), 0);
    assert_int_equal(chmod(second, 0700), 0);
    const char *argv[] = {runner, "--jobs=1", "--more-jobs", more, "--processor-times", stat, first, second, NULL};
    check_ok(process_run(argv, NULL, 240000, 1u << 20, &out, ret_status));
    if (*ret_status != 0)
        print_message("%s\n", out);
    free(out);
}

static void programs_more_are_started_while_the_processors_are_idle_and_only_then(void **state)
{
    (void)state;
    int status = -1;
    char ran[1100], must_run[1200], must_not[1200];
    snprintf(ran, sizeof ran, "%s.ran", e2e_path("second"));
    snprintf(must_run, sizeof must_run, "[ -e %s ] || exit 1;", ran);
    snprintf(must_not, sizeof must_not, "[ ! -e %s ] || exit 1;", ran);
    two_programs("1 0 0 $((i * 100))", 5000, must_run, "1", &status);
    assert_int_equal(status, 0);
    assert_int_equal(unlink(ran), 0);
    two_programs("$((i * 100)) 0 0 1", 50, must_not, "1", &status); /* busy */
    assert_int_equal(status, 0);
    assert_int_equal(unlink(ran), 0);
    two_programs("1 0 0 $((i * 100))", 50, must_not, "0", &status); /* idle, but more are not wanted */
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_last_line_counts_every_kind_of_failure, e2e_teardown),
        cmocka_unit_test_teardown(a_second_chance_is_used_once_and_told, e2e_teardown),
        cmocka_unit_test_teardown(programs_more_are_started_while_the_processors_are_idle_and_only_then, e2e_teardown),
        cmocka_unit_test_teardown(programs_run_in_a_folder_of_their_own_that_is_gone_afterwards, e2e_teardown),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
