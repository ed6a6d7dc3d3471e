/* The loop under a fake clock: when targets are scraped, which time stamps they get when clocks step and turns come late, and what a
 * reload does. Pages and the receiver are real servers; only time is made. */
#include "agent/agent.h"

#include <errno.h>
#include <poll.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "tests/support/check.h"
#include "tests/support/write_receiver.h"

#define TEXT_TYPE "text/plain; version=0.0.4"
#define MAX 500

static struct {
    char *folder, config[4096], data[4096];
    struct write_receiver *receiver;
    struct stub_server *pages;
    struct agent *agent;
    int64_t now_us, unix_ms; /* the fake clocks */
    size_t hanging;          /* requests that nobody answers */
} f;

static struct received_sample got[MAX];

static void write_config(const char *jobs)
{
    char text[4096];
    snprintf(text, sizeof text,
             "global: {scrape_interval: 1s, scrape_timeout: 1s}\nremote_write: [{url: '%s'}]\nscrape_configs:\n%s",
             write_receiver_url(f.receiver), jobs);
    check_ok(file_write(f.config, text, strlen(text)));
}

static void open_agent(const char *jobs)
{
    struct problems problems;
    struct agent_settings settings = {f.config, f.data, 1 << 20};
    write_config(jobs);
    problems_init(&problems);
    if (agent_new(&settings, f.now_us, f.unix_ms, &problems, &f.agent) < 0)
        check_failed("%s", problems.n ? problems.list[0].text : "agent_new");
    problems_done(&problems);
}

static const char *job(const char *name, const char *path, const char *more)
{
    static char text[4][1024];
    static unsigned next;
    char *to = text[next++ % 4];
    snprintf(to, sizeof text[0], "  - {job_name: %s, metrics_path: %s%s, static_configs: [{targets: ['%s']}]}\n", name,
             path, more, stub_server_address(f.pages));
    return to;
}

static int setup(void **state UNUSED)
{
    memset(&f, 0, sizeof f);
    check_ok(dir_make_temp("agent", &f.folder));
    snprintf(f.config, sizeof f.config, "%s/prometheus.yml", f.folder);
    snprintf(f.data, sizeof f.data, "%s/data", f.folder);
    check_ok(write_receiver_start(&f.receiver));
    check_ok(stub_server_start(0, NULL, NULL, &f.pages));
    stub_server_page(f.pages, "/a", &(struct stub_page){.body = "a 1\n", .content_type = TEXT_TYPE});
    stub_server_page(f.pages, "/b", &(struct stub_page){.body = "b 1\n", .content_type = TEXT_TYPE});
    f.now_us = mono_us(); /* http_client has its own clock, so the fake one starts at the real one */
    f.unix_ms = 1700000000250;
    return 0;
}

static int teardown(void **state UNUSED)
{
    agent_free(f.agent);
    write_receiver_stop(f.receiver);
    stub_server_stop(f.pages);
    int r = dir_remove(f.folder);
    free(f.folder);
    return r;
}

static void advance(int64_t us)
{
    f.now_us += us;
    f.unix_ms += us / 1000;
}

/* Turns at the present fake time, until nothing is on its way any more but what hangs. */
static int64_t settle(void)
{
    int64_t until = mono_us() + 5000000 * (int64_t)check_patience();
    for (int quiet = 0;;) {
        size_t before = agent_in_flight(f.agent);
        int64_t next = agent_step(f.agent, f.now_us, f.unix_ms);
        size_t now = agent_in_flight(f.agent);
        quiet = now == before ? quiet + 1 : 0;
        if (now <= f.hanging && (f.hanging == 0 || quiet > 10)) /* which one hangs, only time tells */
            return next;
        if (mono_us() > until)
            check_failed("%zu requests are still on their way", agent_in_flight(f.agent));
        struct pollfd fd = {.fd = agent_fd(f.agent), .events = POLLIN};
        (void)poll(&fd, 1, 5);
    }
}

/* To the next scrape's time and through it. */
static void next_scrape(void)
{
    uint64_t before = atomic_load(&agent_counts(f.agent)->scrapes);
    for (int i = 0; i < 1000 && atomic_load(&agent_counts(f.agent)->scrapes) == before; i++) {
        int64_t next = settle();
        if (atomic_load(&agent_counts(f.agent)->scrapes) == before)
            advance(next > f.now_us ? next - f.now_us < 1000000 ? (next - f.now_us + 999) / 1000 * 1000 : 1000000
                                    : 1000);
    }
    advance(200000); /* the batch is held for a moment */
    settle();
    if (atomic_load(&agent_counts(f.agent)->scrapes) == before)
        check_failed("no scrape came");
}

static size_t samples_of(const char *name)
{
    return write_receiver_samples(f.receiver, name, got, MAX);
}

static void targets_are_scraped_on_the_grid(void **state UNUSED)
{
    open_agent(job("a", "/a", ""));
    for (int i = 0; i < 5; i++)
        next_scrape();
    size_t n = samples_of("a");
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i].t_ms % 1000, 0); /* live targets stand on the second */
        assert_true(i == 0 || got[i].t_ms == got[i - 1].t_ms + 1000);
    }
    assert_int_equal(samples_of("up"), 5);
    assert_int_equal(got[0].t_ms % 1000, 0);
}

static void slower_targets_are_spread_over_their_interval(void **state UNUSED)
{
    char jobs[4096] = "";
    int64_t phases[8];
    size_t different = 0;
    for (int i = 0; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof name, "j%d", i);
        snprintf(jobs + strlen(jobs), sizeof jobs - strlen(jobs), "%s", job(name, "/a", ", scrape_interval: 10s"));
    }
    open_agent(jobs);
    while (atomic_load(&agent_counts(f.agent)->scrapes) < 8)
        next_scrape();
    assert_true(samples_of("up") >= 8);
    for (size_t i = 0; i < 8; i++) {
        bool again = false;
        phases[i] = got[i].t_ms % 10000;
        for (size_t k = 0; k < i; k++)
            again = again || phases[k] == phases[i];
        different += !again;
    }
    assert_true(different >= 6);
}

static void a_turn_that_comes_late_scrapes_once_and_goes_back_to_the_grid(void **state UNUSED)
{
    open_agent(job("a", "/a", ""));
    next_scrape();
    assert_int_equal(samples_of("a"), 1);
    int64_t first = got[0].t_ms;
    advance(3400000); /* asleep for three and a half seconds */
    settle();
    advance(200000);
    settle();
    assert_int_equal(samples_of("a"), 2);
    assert_int_equal(got[1].t_ms, first + 3600); /* its own time: it was not on schedule */
    next_scrape();
    assert_int_equal(samples_of("a"), 3);
    assert_int_equal(got[2].t_ms, first + 4000);
    assert_true(atomic_load(&agent_counts(f.agent)->lateness_us_max) >= 2500000);
}

static const struct step_case {
    const char *words;
    int64_t ms;
} STEPS[] = {{"a little ahead", 40},      {"half a second ahead", 500}, {"half a second back", -500},
             {"an hour ahead", 3600000},  {"an hour back", -3600000},   {"a day back", -86400000},
             {"by a drift of some ms", 7}};

static void a_stepped_clock_moves_the_grid_at_once(void **state UNUSED)
{
    open_agent(job("a", "/a", ""));
    next_scrape();
    for (size_t k = 0; k < ARRAY_LEN(STEPS); k++) {
        size_t before = samples_of("a");
        int64_t last = got[before - 1].t_ms;
        f.unix_ms += STEPS[k].ms;
        for (int i = 0; i < 3; i++)
            next_scrape();
        assert_int_equal(samples_of("a"), before + 3);
        for (int i = 0; i < 3; i++) {
            int64_t expected = last + STEPS[k].ms + 1000 * (i + 1);
            if (got[before + (size_t)i].t_ms != expected)
                check_failed("%s: sample %d stands %lld ms off", STEPS[k].words, i,
                             (long long)(got[before + (size_t)i].t_ms - expected));
        }
    }
    assert_int_equal(samples_of("up"), 1 + 3 * ARRAY_LEN(STEPS)); /* none was skipped, none came twice */
}

/* A busy machine reads one clock some ms after the other, and a turn later it does not: with both in whole ms the way back is
 * one shorter or longer than the way there. */
static void a_clock_that_was_misread_once_leaves_the_grid_where_it_was(void **state UNUSED)
{
    static const int64_t THERE[] = {7, 7, -5, 30}, BACK[] = {-6, -8, 4, -31};
    open_agent(job("a", "/a", ""));
    next_scrape();
    for (size_t k = 0; k < ARRAY_LEN(THERE); k++) {
        f.unix_ms += THERE[k];
        next_scrape();
        f.unix_ms += BACK[k];
        size_t before = samples_of("a");
        for (int i = 0; i < 3; i++)
            next_scrape();
        assert_int_equal(samples_of("a"), before + 3);
        for (size_t i = before; i < before + 3; i++)
            if (got[i].t_ms % 1000 != 0)
                check_failed("after %lld ms: %lld ms beside the grid", (long long)THERE[k],
                             (long long)(got[i].t_ms % 1000));
        f.unix_ms -= THERE[k] + BACK[k];
    }
}

static void a_target_that_hangs_delays_no_other(void **state UNUSED)
{
    char jobs[2048];
    stub_server_page(f.pages, "/hangs", &(struct stub_page){.status = -2});
    snprintf(jobs, sizeof jobs, "%s%s", job("hangs", "/hangs", ", scrape_interval: 30s, scrape_timeout: 30s"),
             job("a", "/a", ""));
    open_agent(jobs);
    f.hanging = 1;
    for (int i = 0; i < 40; i++)
        next_scrape();
    size_t n = samples_of("a");
    assert_true(n >= 39);
    for (size_t i = 1; i < n; i++)
        assert_int_equal(got[i].t_ms, got[i - 1].t_ms + 1000);
    assert_int_equal(stub_server_requests(f.pages, "/hangs"), 1); /* one at a time */
}

/* Turns at the present fake time until the page was asked for so many times. */
static void wait_for_requests(const char *path, uint64_t n)
{
    int64_t until = mono_us() + 20000000 * (int64_t)check_patience();
    while (stub_server_requests(f.pages, path) < n) {
        (void)agent_step(f.agent, f.now_us, f.unix_ms);
        if (mono_us() > until)
            check_failed("%s was not asked for %llu times", path, (unsigned long long)n);
        struct pollfd fd = {.fd = agent_fd(f.agent), .events = POLLIN};
        (void)poll(&fd, 1, 5);
    }
}

static void a_target_that_hangs_as_long_as_its_interval_misses_none(void **state UNUSED)
{
    stub_server_page(f.pages, "/hangs", &(struct stub_page){.status = -2});
    f.unix_ms = 1700000000000;
    open_agent(job("hangs", "/hangs", ""));
    for (uint64_t i = 1; i <= 3; i++) { /* on the slot, though the request before ends a moment after it */
        wait_for_requests("/hangs", i);
        advance(1000000);
    }
    wait_for_requests("/hangs", 4);
    assert_int_equal(atomic_load(&agent_counts(f.agent)->skipped), 0);
    advance(2500000); /* two slots pass: one is gone, one is late */
    wait_for_requests("/hangs", 5);
    assert_int_equal(atomic_load(&agent_counts(f.agent)->skipped), 1);
    advance(200000);
    f.hanging = 1;
    settle();
    size_t n = samples_of("up");
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i].t_ms, 1700000000000 + (int64_t)i * 1000);
        assert_true(got[i].value == 0);
    }
}

static void the_same_target_twice_is_scraped_once(void **state UNUSED)
{
    char jobs[2048];
    snprintf(jobs, sizeof jobs,
             "  - {job_name: a, metrics_path: /a, static_configs: [{targets: ['%s', '%s']}, {targets: ['%s']}]}\n",
             stub_server_address(f.pages), stub_server_address(f.pages), stub_server_address(f.pages));
    open_agent(jobs);
    assert_int_equal(atomic_load(&agent_counts(f.agent)->targets), 1);
    next_scrape();
    assert_int_equal(samples_of("a"), 1);
}

static void a_target_limit_leaves_the_rest_out(void **state UNUSED)
{
    char jobs[2048];
    snprintf(
        jobs, sizeof jobs,
        "  - {job_name: a, metrics_path: /a, target_limit: 2, static_configs: [{targets: ['%s', 'b:1', 'c:1']}]}\n",
        stub_server_address(f.pages));
    open_agent(jobs);
    assert_int_equal(atomic_load(&agent_counts(f.agent)->targets), 2);
}

static int reload(const char *jobs)
{
    struct problems problems;
    write_config(jobs);
    problems_init(&problems);
    int r = agent_reload(f.agent, f.now_us, f.unix_ms, &problems);
    problems_done(&problems);
    return r;
}

static void a_reload_keeps_known_targets_on_their_schedule(void **state UNUSED)
{
    char jobs[2048];
    open_agent(job("a", "/a", ""));
    next_scrape();
    snprintf(jobs, sizeof jobs, "%s%s", job("b", "/b", ""), job("a", "/a", ""));
    check_ok(reload(jobs));
    assert_int_equal(atomic_load(&agent_counts(f.agent)->targets), 2);
    next_scrape();
    assert_int_equal(samples_of("a"), 2);
    assert_int_equal(got[1].t_ms, got[0].t_ms + 1000);
    assert_int_equal(samples_of("b"), 1);

    check_ok(reload(job("b", "/b", "")));
    settle();
    advance(200000);
    settle();
    assert_int_equal(samples_of("a"), 3);
    assert_true(is_stale(got[2].value)); /* a is gone */
    assert_int_equal(samples_of("b"), 1);
}

static void a_bad_file_changes_nothing(void **state UNUSED)
{
    open_agent(job("a", "/a", ""));
    next_scrape();
    check_errno(reload("  - {job_nam: a}\n"), -EINVAL);
    next_scrape();
    assert_int_equal(samples_of("a"), 2);
    check_ok(reload(job("a", "/a", "")));
    next_scrape();
    assert_int_equal(samples_of("a"), 3);
}

static void a_scrape_in_flight_survives_a_reload(void **state UNUSED)
{
    stub_server_page(f.pages, "/slow",
                     &(struct stub_page){.body = "a 1\n", .content_type = TEXT_TYPE, .delay_ms = 200});
    open_agent(job("a", "/slow", ""));
    while (agent_in_flight(f.agent) == 0) {
        advance(1000);
        (void)agent_step(f.agent, f.now_us, f.unix_ms);
    }
    check_ok(reload(job("a", "/slow", "")));
    for (int i = 0; i < 5000 && atomic_load(&agent_counts(f.agent)->scrapes) == 0; i++) {
        (void)agent_step(f.agent, f.now_us, f.unix_ms);
        sleep_us(1000);
    }
    advance(200000);
    settle();
    assert_int_equal(stub_server_requests(f.pages, "/slow"), 1);
    assert_int_equal(samples_of("a"), 1);
    assert_int_equal(samples_of("up"), 1);
    assert_true(got[0].value == 1);
}

static void file_sd_files_are_looked_at_every_second(void **state UNUSED)
{
    char jobs[4096], path[4096], text[256];
    snprintf(path, sizeof path, "%s/sd.yml", f.folder);
    snprintf(jobs, sizeof jobs, "  - {job_name: sd, metrics_path: /a, file_sd_configs: [{files: [sd.yml]}]}\n");
    open_agent(jobs);
    assert_int_equal(atomic_load(&agent_counts(f.agent)->targets), 0);
    snprintf(text, sizeof text, "- targets: ['%s']\n", stub_server_address(f.pages));
    check_ok(file_write(path, text, strlen(text)));
    settle();
    advance(1100000);
    settle();
    assert_int_equal(atomic_load(&agent_counts(f.agent)->targets), 1);
    next_scrape();
    assert_true(samples_of("a") >= 1);
    check_ok(file_write(path, "- targets: [", 12)); /* half written */
    advance(1100000);
    settle();
    assert_int_equal(atomic_load(&agent_counts(f.agent)->targets), 1);
    check_ok(file_write(path, "[]", 2));
    advance(1100000);
    settle();
    assert_int_equal(atomic_load(&agent_counts(f.agent)->targets), 0);
    /* A reload that brings file_sd for the first time is followed, too. */
    check_ok(reload(job("a", "/a", "")));
    settle();
    check_ok(file_write(path, text, strlen(text)));
    check_ok(reload(jobs));
    assert_int_equal(atomic_load(&agent_counts(f.agent)->targets), 1);
    check_ok(file_write(path, "[]", 2));
    settle();
    advance(1100000);
    settle();
    assert_int_equal(atomic_load(&agent_counts(f.agent)->targets), 0);
}

static void metadata_goes_once_and_again_after_five_minutes(void **state UNUSED)
{
    stub_server_page(f.pages, "/a",
                     &(struct stub_page){.body = "# TYPE a counter\n# HELP a what\na 1\n", .content_type = TEXT_TYPE});
    open_agent(job("a", "/a", ", scrape_interval: 60s"));
    next_scrape();
    size_t first = write_receiver_metadata(f.receiver);
    assert_true(first >= 1);
    next_scrape();
    assert_int_equal(write_receiver_metadata(f.receiver), first);
    for (int i = 0; i < 5; i++)
        next_scrape();
    assert_int_equal(write_receiver_metadata(f.receiver), 2 * first);
}

static void what_was_gathered_when_it_ends_is_in_the_spool(void **state UNUSED)
{
    write_receiver_answer(f.receiver, &(struct stub_page){.status = -2});
    open_agent(job("a", "/a", ""));
    f.hanging = 1;
    next_scrape();
    agent_free(f.agent);
    f.agent = NULL;
    f.hanging = 0;
    write_receiver_answer(f.receiver, &(struct stub_page){.status = 204});
    open_agent("  []\n");
    settle();
    assert_int_equal(samples_of("a"), 1);
    assert_int_equal(samples_of("up"), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(targets_are_scraped_on_the_grid),
        TEST(slower_targets_are_spread_over_their_interval),
        TEST(a_turn_that_comes_late_scrapes_once_and_goes_back_to_the_grid),
        TEST(a_stepped_clock_moves_the_grid_at_once),
        TEST(a_clock_that_was_misread_once_leaves_the_grid_where_it_was),
        TEST(a_target_that_hangs_delays_no_other),
        TEST(a_target_that_hangs_as_long_as_its_interval_misses_none),
        TEST(the_same_target_twice_is_scraped_once),
        TEST(a_target_limit_leaves_the_rest_out),
        TEST(a_reload_keeps_known_targets_on_their_schedule),
        TEST(a_bad_file_changes_nothing),
        TEST(a_scrape_in_flight_survives_a_reload),
        TEST(file_sd_files_are_looked_at_every_second),
        TEST(metadata_goes_once_and_again_after_five_minutes),
        TEST(what_was_gathered_when_it_ends_is_in_the_spool),
    };
    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
