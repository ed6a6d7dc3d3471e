/* The demo itself: a whole sale whose figures agree, and an interrupt in the middle; neither leaves a process or a file behind. */
#include "tests/support/e2e.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/process.h"

#define SALE_MS 150000 /* 80 s, and what a busy machine adds */
#define STOP_MS 12000
#define PROGRAMS 6u /* gateway, shop, collector, agent, load generator, the demo */

/* The demo's programs inherit this variable, so each of them is found, whoever its parent is by then. */
static char mark[64], temporary[1100];

static bool carries_mark(const char *pid)
{
    char path[320];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    return file_read(path, 1u << 20, &text, &n) == 0 && memmem(text, n, mark, strlen(mark) + 1) != NULL;
}

static unsigned marked_processes(void)
{
    unsigned count = 0;
    uint64_t pid;
    DIR *d = opendir("/proc");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (parse_u64(e->d_name, UINT64_MAX, &pid) == 0 && carries_mark(e->d_name))
            count++;
    closedir(d);
    return count;
}

static bool is_empty_folder(const char *path)
{
    unsigned entries = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        entries++;
    closedir(d);
    return entries == 2; /* . and .. */
}

static struct process *start_demo(const char *log_path)
{
    char program[4096];
    const char *bin = getenv("CREST_BIN");
    struct process *p = NULL;
    snprintf(mark, sizeof mark, "CREST_DEMO_TEST=%d-%lld", (int)getpid(), (long long)mono_us());
    snprintf(temporary, sizeof temporary, "TMPDIR=%s", e2e_path("tmp"));
    check_ok(dir_make(e2e_path("tmp")));
    if (!bin || !*bin)
        bin = "build/release";
    snprintf(program, sizeof program, "%s/crest-demo", bin);
    const char *argv[] = {program, "--bin", bin, "--source", "shop/demo", "--free-ports", NULL};
    const char *env[] = {"DEMO_SECONDS=80", mark, temporary, NULL};
    check_ok(
        process_start(argv, &(struct process_options){.log_path = log_path, .stdout_path = log_path, .env = env}, &p));
    return p;
}

/* The demo's story so far, for a test to look at or to show; from malloc. */
static void read_story(const char *path, char **ret)
{
    if (file_read(path, 1u << 20, ret, NULL) < 0)
        check_failed("%s cannot be read", path);
}

static bool said(const char *path, const char *words)
{
    AUTO_FREE char *text = NULL;
    return file_read(path, 1u << 20, &text, NULL) == 0 && strstr(text, words) != NULL;
}

static void a_sale_ends_by_itself_and_every_figure_agrees(void **state)
{
    (void)state;
    static const char *const FIGURES[] = {"orders", "units", "revenue EUR", "revenue JPY", "declines"};
    const char *log = e2e_path("demo.log");
    struct process *p = start_demo(log);
    int status = -1;
    int r = process_wait(p, SALE_MS, &status);
    char *story = NULL;
    read_story(log, &story);
    if (r < 0 || status != 0 || !strstr(story, "every figure agrees"))
        check_failed("the demo ended with %d (wait %d):\n%s", status, r, story);
    const char *books = strstr(story, "The books");
    for (size_t i = 0; i < ARRAY_LEN(FIGURES); i++) {
        const char *at = books ? strstr(books, FIGURES[i]) : NULL, *query = at ? strchr(at, '\n') : NULL;
        if (!query || !memmem(at, (size_t)(query - at), " equal", 6) ||
            strncmp(query, "\n      sum(commerce_", 20) != 0)
            check_failed("%s is not shown as equal with its query:\n%s", FIGURES[i], story);
        if (memmem(query, (size_t)(strchr(query + 1, '\n') - query), "increase", 8))
            check_failed("%s is extrapolated:\n%s", FIGURES[i], story);
    }
    check_contains(story, ": filled");
    check_contains(story, "load run verdict: passed");
    free(story);
    process_free(p);
    assert_int_equal(marked_processes(), 0);
    assert_true(is_empty_folder(e2e_path("tmp")));
}

static void an_interrupt_stops_everything_it_started(void **state)
{
    (void)state;
    const char *log = e2e_path("demo.log");
    struct process *p = start_demo(log);
    int status = -1;
    int64_t deadline = mono_us() + 30000000ll * check_slowness();
    while (!said(log, "warm-up") && process_running(p) && mono_us() < deadline)
        sleep_us(50000);
    sleep_us(1000000); /* the load generator is under way */
    unsigned running = marked_processes();
    if (running < PROGRAMS) {
        char *story = NULL;
        read_story(log, &story);
        check_failed("%u processes of %u:\n%s", running, PROGRAMS, story);
    }
    assert_int_equal(process_signal(p, SIGINT), 0);
    int r = process_wait(p, STOP_MS * (int64_t)check_slowness(), &status);
    unsigned left = marked_processes();
    if (r < 0 || status != 130 || left > 0) {
        char *story = NULL;
        read_story(log, &story);
        check_failed("wait %d, status %d, %u processes left:\n%s", r, status, left, story);
    }
    process_free(p);
    assert_true(is_empty_folder(e2e_path("tmp")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_interrupt_stops_everything_it_started, e2e_teardown),
        cmocka_unit_test_teardown(a_sale_ends_by_itself_and_every_figure_agrees, e2e_teardown),
    };
    return cmocka_run_group_tests_name("demo", tests, NULL, NULL);
}
