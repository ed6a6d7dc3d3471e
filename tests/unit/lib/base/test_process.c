#include "tests/support/check.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/process.h"

static struct process *start_shell(const char *script, const struct process_options *options)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    struct process *p = NULL;
    check_ok(process_start(argv, options, &p));
    return p;
}

static void a_program_that_cannot_run_is_an_error_of_start(void **state)
{
    (void)state;
    struct process *p = NULL;
    const char *none[] = {"/nonexistent/program", NULL}, *folder[] = {"/tmp", NULL}, *fine[] = {"true", NULL};
    check_errno(process_start(none, NULL, &p), -ENOENT);
    check_errno(process_start(folder, NULL, &p), -EACCES);
    check_errno(process_start(fine, &(struct process_options){.directory = "/nonexistent"}, &p), -ENOENT);
    check_errno(process_start(fine, &(struct process_options){.log_path = "/nonexistent/log"}, &p), -ENOENT);
    assert_null(p);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
    process_free(NULL);
}

static void lines_are_waited_for_and_handed_out_once(void **state)
{
    (void)state;
    struct process *p =
        start_shell("echo noise; echo listening 127.0.0.1:1; sleep 0.05; echo second; echo part; exec sleep 60", NULL);
    char line[64];
    check_ok(process_wait_line(p, "listening ", 5000, line, sizeof line));
    assert_string_equal(line, "listening 127.0.0.1:1");
    check_ok(process_wait_line(p, "", 5000, line, sizeof line));
    assert_string_equal(line, "second");
    check_errno(process_wait_line(p, "never", 30, line, sizeof line), -ETIMEDOUT);
    int status = 0;
    check_ok(process_stop(p, 5000, &status));
    assert_int_equal(status, 128 + SIGTERM);
    check_errno(process_wait_line(p, "never", 1000, line, sizeof line), -EPIPE);
    check_errno(process_signal(p, SIGTERM), -ESRCH);
    process_free(p);
}

static void a_program_that_ends_early_is_not_waited_for(void **state)
{
    (void)state;
    struct process *p = start_shell("echo last words; exit 3", NULL);
    char line[8];
    int64_t before = mono_us();
    check_errno(process_wait_line(p, "listening", 10000, line, sizeof line), -EPIPE);
    assert_true(mono_us() - before < 5000000);
    int status = 0;
    check_ok(process_wait(p, 5000, &status));
    assert_int_equal(status, 3);
    assert_int_equal(process_status(p), 3);
    assert_false(process_running(p));
    process_free(p);
}

static void a_program_that_ignores_sigterm_is_killed(void **state)
{
    (void)state;
    struct process *p = start_shell("trap '' TERM; echo ready; while :; do sleep 0.02; done", NULL);
    char line[8];
    int status = 0;
    check_ok(process_wait_line(p, "ready", 5000, line, sizeof line));
    assert_int_equal(process_status(p), -1);
    check_errno(process_wait(p, 20, NULL), -ETIMEDOUT);
    check_errno(process_stop(p, 50, &status), -ETIMEDOUT);
    assert_int_equal(status, 128 + SIGKILL);
    process_free(p);
}

static void free_kills_what_still_runs(void **state)
{
    (void)state;
    struct process *p = start_shell("exec sleep 60", NULL);
    pid_t pid = process_pid(p);
    process_free(p);
    assert_int_equal(kill(pid, 0), -1);
}

static void children_end_with_their_parent(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        struct process *p = NULL;
        const char *argv[] = {"sleep", "60", NULL};
        pid_t pid = process_start(argv, NULL, &p) == 0 ? process_pid(p) : -1;
        (void)!write(fds[1], &pid, sizeof pid);
        _exit(0); /* as a crash would: nothing is stopped */
    }
    pid_t child = -1;
    assert_int_equal(read(fds[0], &child, sizeof child), sizeof child);
    assert_true(child > 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    close(fds[0]);
    close(fds[1]);
    char path[64], *text = NULL;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    int64_t until = mono_us() + 5000000 * (int64_t)check_patience();
    for (;;) { /* gone, or a zombie that init has not collected */
        if (file_read(path, 4096, &text, NULL) < 0)
            break;
        bool zombie = strstr(text, ") Z ") != NULL;
        free(text);
        if (zombie)
            break;
        if (mono_us() > until)
            check_failed("the child lives on");
        sleep_us(5000);
    }
}

static void run_collects_output_and_status(void **state)
{
    (void)state;
    char *out = NULL;
    int status = -1;
    const char *env[] = {"CREST_TEST_VALUE=from env", NULL};
    const char *argv[] = {"/bin/sh", "-c", "printf '%s ' \"$CREST_TEST_VALUE\"; pwd; cat; exit 4", NULL};
    check_ok(process_run(argv, &(struct process_options){.env = env, .directory = "/"}, 5000, 1000, &out, &status));
    assert_string_equal(out, "from env /\n");
    assert_int_equal(status, 4);
    free(out);
    const char *large[] = {
        "/bin/sh", "-c",
        "i=0; while [ $i -lt 40000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done", NULL};
    check_ok(process_run(large, NULL, 60000, 100, &out, &status)); /* more than a pipe and our buffer hold */
    assert_int_equal(strlen(out), 100);
    assert_int_equal(status, 0);
    free(out);
    const char *slow[] = {"sleep", "60", NULL};
    check_errno(process_run(slow, NULL, 50, 100, NULL, &status), -ETIMEDOUT);
    const char *grandchild[] = {"/bin/sh", "-c", "sleep 60 & echo $!", NULL};
    int64_t before = mono_us();
    check_ok(process_run(grandchild, NULL, 10000, 100, &out, &status));
    assert_true(mono_us() - before < 5000000); /* the pipe's other holder is not waited for */
    assert_int_equal(kill((pid_t)strtol(out, NULL, 10), SIGKILL), 0);
    free(out);
}

static void output_goes_to_files_when_asked(void **state)
{
    (void)state;
    char *folder, out[4096], err[4096], *text;
    check_ok(dir_make_temp("crest-process", &folder));
    snprintf(out, sizeof out, "%s/out", folder);
    snprintf(err, sizeof err, "%s/err", folder);
    for (int i = 0; i < 2; i++) {
        struct process *p =
            start_shell("echo o; echo e >&2", &(struct process_options){.stdout_path = out, .log_path = err});
        check_ok(process_wait(p, 5000, NULL));
        process_free(p);
    }
    check_ok(file_read(out, 100, &text, NULL));
    assert_string_equal(text, "o\no\n");
    free(text);
    check_ok(file_read(err, 100, &text, NULL));
    assert_string_equal(text, "e\ne\n");
    free(text);
    check_ok(dir_remove(folder));
    free(folder);
}

static void children_get_no_descriptors_and_default_signals(void **state)
{
    (void)state;
    AUTO_CLOSE int leak = dup(2); /* without CLOEXEC, as a library may leave one */
    signal(SIGPIPE, SIG_IGN);
    char *out = NULL;
    const char *argv[] = {"/bin/sh", "-c",
                          "ls /proc/self/fd | wc -l; grep SigIgn /proc/self/status; grep SigBlk /proc/self/status",
                          NULL};
    check_ok(process_run(argv, NULL, 5000, 1000, &out, NULL));
    assert_true(leak > 2);
    check_contains(out, "4\n"); /* 0, 1, 2 and ls's own */
    const char *ignored = strstr(out, "SigIgn:\t");
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + 8, NULL, 16) >> (SIGPIPE - 1) & 1, 0); /* others may come from our own parent */
    check_contains(out, "SigBlk:\t0000000000000000");
    free(out);
    signal(SIGPIPE, SIG_DFL);
}

static void only_a_child_with_the_terminal_shares_our_group_and_output(void **state)
{
    (void)state;
    const char *argv[] = {"/bin/sh", "-c", "echo on our stdout", NULL};
    struct process *p = NULL, *other = start_shell("exec sleep 60", NULL);
    assert_int_equal(getpgid(process_pid(other)), process_pid(other));
    process_free(other);
    check_capture_start(STDOUT_FILENO);
    int r = process_start(argv, &(struct process_options){.terminal = true}, &p), status = -1;
    pid_t group = r == 0 ? getpgid(process_pid(p)) : -1; /* a child not yet reaped has one */
    int waited = r == 0 ? process_wait(p, 10000, &status) : -1;
    char *out = check_capture_end(STDOUT_FILENO);
    process_free(p);
    check_ok(r);
    check_ok(waited);
    assert_int_equal(group, getpgrp());
    assert_int_equal(status, 0);
    check_contains(out, "on our stdout\n");
    free(out);
}

static void usage_counts_cpu_and_memory(void **state)
{
    (void)state;
    struct process_usage u, later;
    check_ok(process_usage(getpid(), &u));
    volatile unsigned work = 0;
    int64_t cpu = cpu_process_us();
    while (cpu_process_us() - cpu < 30000)
        work++;
    check_ok(process_usage(getpid(), &later));
    assert_true(later.cpu_seconds - u.cpu_seconds >= 0.03 && later.cpu_seconds - u.cpu_seconds < 10);
    assert_true(u.rss_bytes >= u.rss_anon_bytes && u.rss_anon_bytes > 10000 && u.peak_rss_bytes >= u.rss_bytes);
    check_errno(process_usage(0x3fffff + 5, &u), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_cannot_run_is_an_error_of_start),
        cmocka_unit_test(lines_are_waited_for_and_handed_out_once),
        cmocka_unit_test(a_program_that_ends_early_is_not_waited_for),
        cmocka_unit_test(a_program_that_ignores_sigterm_is_killed),
        cmocka_unit_test(free_kills_what_still_runs),
        cmocka_unit_test(children_end_with_their_parent),
        cmocka_unit_test(run_collects_output_and_status),
        cmocka_unit_test(output_goes_to_files_when_asked),
        cmocka_unit_test(children_get_no_descriptors_and_default_signals),
        cmocka_unit_test(only_a_child_with_the_terminal_shares_our_group_and_output),
        cmocka_unit_test(usage_counts_cpu_and_memory),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
