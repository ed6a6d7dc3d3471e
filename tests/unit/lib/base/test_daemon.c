#include "tests/support/check.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/process.h"

static bool wake_is_readable(void)
{
    struct pollfd p = {.fd = daemon_wake_fd(), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void a_stop_signal_wakes_and_stays(void **state)
{
    (void)state;
    daemon_init("crest-test");
    assert_false(daemon_stopping());
    assert_false(wake_is_readable());
    int64_t before = mono_us();
    daemon_wait(10);
    assert_true(mono_us() - before >= 10000);
    raise(SIGTERM);
    assert_true(daemon_stopping());
    assert_int_equal(daemon_stop_signal(), SIGTERM);
    daemon_wait(100000); /* returns at once */
    assert_false(daemon_take_reload());
    assert_true(wake_is_readable());
    daemon_init("crest-test");
    daemon_stop();
    assert_true(daemon_stopping() && wake_is_readable());
    assert_int_equal(daemon_stop_signal(), 0);
}

static void a_hangup_asks_for_one_reload(void **state)
{
    (void)state;
    daemon_init("crest-test");
    raise(SIGHUP);
    assert_true(wake_is_readable());
    assert_true(daemon_take_reload());
    assert_false(daemon_take_reload());
    assert_false(wake_is_readable());
    daemon_reload();
    assert_true(wake_is_readable());
    assert_true(daemon_take_reload());
    assert_false(daemon_stopping());
    raise(SIGPIPE); /* ignored */
}

static void a_second_stop_signal_ends_the_process(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        daemon_init("crest-test");
        raise(SIGINT);
        raise(SIGTERM);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
}

static void notify_tells_systemd(void **state)
{
    (void)state;
    char *folder, path[108], got[64] = "";
    check_ok(dir_make_temp("crest-notify", &folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, path, sizeof path);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    unsetenv("NOTIFY_SOCKET");
    daemon_notify("READY=1"); /* nobody asked */
    setenv("NOTIFY_SOCKET", path, 1);
    daemon_notify("STATUS=serving");
    assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), 14);
    assert_string_equal(got, "STATUS=serving");
    unsetenv("NOTIFY_SOCKET");
    check_ok(dir_remove(folder));
    free(folder);
}

static void listening_is_printed_for_both_address_families(void **state)
{
    (void)state;
    check_capture_start(1);
    daemon_print_listening("127.0.0.1", 9480);
    daemon_print_listening("::1", 9481);
    char *text = check_capture_end(1);
    assert_string_equal(text, "listening 127.0.0.1:9480\nlistening [::1]:9481\n");
    free(text);
}

static uint64_t file_bytes(void)
{
    struct process_usage u;
    check_ok(process_usage(getpid(), &u));
    return u.rss_bytes - u.rss_anon_bytes;
}

static void what_only_the_start_needed_leaves_memory_and_comes_back(void **state)
{
    (void)state;
    static int changed = 1;
    static const char *const WORDS[] = {"one", "two"}; /* relocated: written by the loader, then read only */
    changed = 2;
    uint64_t before = file_bytes();
    daemon_forget_start();
    uint64_t after = file_bytes();
    assert_in_range(after, 1, before - 1);
    assert_int_equal(changed, 2);
    assert_string_equal(WORDS[1], "two");
    a_hangup_asks_for_one_reload(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_signal_wakes_and_stays),
        cmocka_unit_test(a_hangup_asks_for_one_reload),
        cmocka_unit_test(a_second_stop_signal_ends_the_process),
        cmocka_unit_test(notify_tells_systemd),
        cmocka_unit_test(listening_is_printed_for_both_address_families),
        cmocka_unit_test(what_only_the_start_needed_leaves_memory_and_comes_back),
    };
    return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
