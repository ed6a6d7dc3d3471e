/* The collector is away: the agent's samples wait on disk, live ones go first once it is back, no gap is left, and the
 * spool never grows over its bound. */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/wire/remote_write.h"
#include "tests/support/query.h"
#include "tests/support/stage.h"
#include "tests/support/stub_server.h"

#define TEXT_TYPE "text/plain; version=0.0.4"

/* A page whose first value is its number; `padding` further series make it large. */
static struct {
    pthread_mutex_t lock;
    unsigned n, padding;
} served = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void serve(void *ctx UNUSED, const struct stub_request *request UNUSED, struct stub_page *page)
{
    struct buf text;
    pthread_mutex_lock(&served.lock);
    unsigned number = served.n++;
    pthread_mutex_unlock(&served.lock);
    buf_init(&text, 16 << 20);
    buf_printf(&text, "page_number %u\n", number);
    for (unsigned i = 0; i < served.padding; i++) /* values that do not compress */
        buf_printf(&text, "padding{n=\"%u\"} %u.%u\n", i, (number + i) * 2654435761u, (number + i) * 40503u);
    page->owned = buf_take(&text, NULL);
    page->content_type = TEXT_TYPE;
}

static unsigned served_pages(void)
{
    pthread_mutex_lock(&served.lock);
    unsigned n = served.n;
    pthread_mutex_unlock(&served.lock);
    return n;
}

static bool served_enough(void *wanted)
{
    return served_pages() >= *(unsigned *)wanted;
}

static void wait_for_pages(unsigned more)
{
    unsigned wanted = served_pages() + more;
    e2e_wait(20000, served_enough, &wanted);
}

static const char *config(uint16_t port, const struct stub_server *pages, const char *interval)
{
    static char text[1024];
    snprintf(text, sizeof text,
             "global: {scrape_interval: %s, scrape_timeout: %s}\n"
             "remote_write: [{url: 'http://127.0.0.1:%u/api/v1/write'}]\n"
             "scrape_configs: [{job_name: pages, static_configs: [{targets: ['%s']}]}]\n",
             interval, interval, (unsigned)port, stub_server_address(pages));
    return e2e_write("prometheus.yml", text);
}

static double agent_metric(const struct e2e_program *agent, uint16_t port, const char *name)
{
    char series[256], *page = e2e_get(agent, "/metrics", 200);
    snprintf(series, sizeof series, "%s{url=\"http://127.0.0.1:%u/api/v1/write\"}", name, (unsigned)port);
    double v = page_value(page, series);
    free(page);
    return v;
}

struct empty {
    const struct e2e_program *agent;
    uint16_t port;
};
static bool spool_is_empty(void *ctx)
{
    const struct empty *e = ctx;
    return agent_metric(e->agent, e->port, "crest_agent_spool_records") == 0;
}

/* How many of those pages are there; fails the test when they do not stand in the order of their scrapes, however they came. */
static size_t stored_pages(const struct e2e_program *collector, unsigned first, unsigned last)
{
    size_t n = 0;
    unsigned before = 0;
    json_t *result = query(collector, "page_number[1h]");
    json_t *values = json_object_get(json_array_get(result, 0), "values");
    for (size_t i = 0; i < json_array_size(values); i++) {
        unsigned at = (unsigned)strtoul(json_string_value(json_array_get(json_array_get(values, i), 1)), NULL, 10);
        n += at >= first && at <= last;
        if (i && at <= before)
            check_failed("page %u stands behind page %u", at, before);
        before = at;
    }
    json_decref(result);
    return n;
}

/* Those that came too late for their scrape's time-out, which its up says: on a busy machine 100 ms can be short. */
static size_t late_pages(const struct e2e_program *collector)
{
    return query_count(collector, "up[1h]", "0");
}

static void a_collector_that_was_away_finds_no_gap(void **state UNUSED)
{
    struct stub_server *pages = NULL;
    uint16_t port = e2e_free_port();
    served.n = served.padding = 0;
    check_ok(stub_server_start(0, serve, NULL, &pages));
    struct e2e_program *agent =
        e2e_start("crest-agent", E2E_ARGS("--config", config(port, pages, "100ms"), "--data", e2e_path("agent")));
    wait_for_pages(15); /* nobody was there yet */
    struct e2e_program *collector = stage_collector_at(port);
    query_wait(collector, "page_number", 8000);
    for (int outage = 0; outage < 2; outage++) {
        e2e_stop(collector);
        wait_for_pages(outage ? 5 : 20);
        assert_true(agent_metric(agent, port, "crest_agent_spool_records") > 0 || outage);
        collector = stage_collector_at(port);
        char expression[64];
        snprintf(expression, sizeof expression, "page_number > %u", served_pages());
        int64_t took = query_wait(collector, expression, 8000);
        print_message("live again %lld ms after the return\n", (long long)took);
        e2e_wait(8000, spool_is_empty, &((struct empty){agent, port}));
    }
    unsigned last = served_pages() - 3;
    wait_for_pages(5);
    query_wait(collector, "page_number", 1000);
    size_t n = stored_pages(collector, 0, last) + late_pages(collector);
    if (n < last + 1)
        check_failed("%zu of %u pages are there", n, last + 1);
    assert_true(agent_metric(agent, port, "crest_agent_remote_dropped_samples_total") == 0);
    assert_true(agent_metric(agent, port, "crest_agent_remote_failed_requests_total") > 0);
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(pages);
}

static void a_stopped_agent_leaves_what_it_could_not_send_for_the_next(void **state UNUSED)
{
    struct stub_server *pages = NULL;
    uint16_t port = e2e_free_port();
    char path[1024], data[1024];
    served.n = served.padding = 0;
    check_ok(stub_server_start(0, serve, NULL, &pages));
    snprintf(path, sizeof path, "%s", config(port, pages, "100ms"));
    snprintf(data, sizeof data, "%s", e2e_path("agent"));
    const char *const *args = E2E_ARGS("--config", path, "--data", data);
    struct e2e_program *agent = e2e_start("crest-agent", args);
    wait_for_pages(10);
    e2e_stop(agent);
    unsigned first_run = served_pages();
    struct e2e_program *collector = stage_collector_at(port);
    agent = e2e_start("crest-agent", args);
    query_wait(collector, "page_number", 5000);
    e2e_wait(5000, spool_is_empty, &((struct empty){agent, port}));
    /* the last request may have been cut off by the stop */
    size_t n = stored_pages(collector, 0, first_run - 2) + late_pages(collector);
    if (n < first_run - 1)
        check_failed("%zu of %u pages of the first run are there", n, first_run - 1);
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(pages);
}

static void the_spool_stays_within_its_bound_and_keeps_the_newest(void **state UNUSED)
{
    enum { BOUND = 1 << 20 };
    struct stub_server *pages = NULL;
    uint16_t port = e2e_free_port();
    served.n = 0;
    served.padding = 4000;
    check_ok(stub_server_start(0, serve, NULL, &pages));
    struct e2e_program *agent = e2e_start("crest-agent", E2E_ARGS("--config", config(port, pages, "200ms"), "--data",
                                                                  e2e_path("agent"), "--spool-size", "1048576"));
    int64_t since = mono_us();
    while (agent_metric(agent, port, "crest_agent_spool_dropped_samples_total") < 20000) {
        assert_true(agent_metric(agent, port, "crest_agent_spool_bytes") <= BOUND);
        if (mono_us() - since > 15000000 * (int64_t)check_slowness())
            check_failed("nothing was dropped: %g bytes", agent_metric(agent, port, "crest_agent_spool_bytes"));
        sleep_us(100000);
    }
    char pattern[1100];
    struct file_list files;
    snprintf(pattern, sizeof pattern, "%s/spool-*/*.seg", e2e_path("agent"));
    check_ok(file_glob(pattern, &files));
    size_t bytes = 0;
    for (size_t i = 0; i < files.n; i++) {
        char *data = NULL;
        size_t n = 0;
        if (file_read(files.paths[i], 16 << 20, &data, &n) == 0)
            bytes += n;
        free(data);
    }
    file_list_done(&files);
    assert_true(bytes > BOUND / 2 && bytes <= BOUND + BOUND / 8); /* on disk as it says, but for what came meanwhile */
    struct e2e_program *collector = stage_collector_at(port);
    query_wait(collector, "page_number", 5000);
    e2e_wait(10000, spool_is_empty, &((struct empty){agent, port}));
    unsigned first = 0, last = served_pages() - 3;
    wait_for_pages(5);
    query_wait(collector, "page_number", 1000);
    while (first < last && stored_pages(collector, first, first) == 0)
        first++;
    print_message("pages %u to %u were kept\n", first, last);
    assert_true(first > 2); /* the oldest are gone, and counted; the newest are all there */
    assert_true(stored_pages(collector, first, last) + late_pages(collector) >= last - first + 1);
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(pages);
}

/* ---- who goes first ---- */

/* A receiver that writes down the newest time stamp of each request. */
static struct {
    pthread_mutex_t lock;
    int64_t newest_ms[4096];
    size_t n;
    int status;
} received = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void receive(void *ctx UNUSED, const struct stub_request *request, struct stub_page *page)
{
    struct write_request *w = NULL;
    struct remote_write_report report = {0};
    pthread_mutex_lock(&received.lock);
    page->status = received.status;
    if (received.status == 204 && remote_write_decode(REMOTE_WRITE_1, request->body, &w, &report) == 0) {
        int64_t newest = 0;
        for (size_t i = 0; i < w->n_series; i++)
            for (size_t k = 0; k < w->series[i].n_samples; k++)
                if (w->series[i].samples[k].t_ms > newest)
                    newest = w->series[i].samples[k].t_ms;
        if (newest && received.n < ARRAY_LEN(received.newest_ms))
            received.newest_ms[received.n++] = newest;
        write_request_free(w);
    }
    pthread_mutex_unlock(&received.lock);
    page->delay_ms = 40; /* a slow receiver: the backlog takes a while */
}

static void live_samples_do_not_wait_behind_the_backlog(void **state UNUSED)
{
    struct stub_server *pages = NULL, *receiver = NULL;
    served.n = served.padding = 0;
    received.n = 0;
    received.status = 503;
    check_ok(stub_server_start(0, serve, NULL, &pages));
    check_ok(stub_server_start(0, receive, NULL, &receiver));
    struct e2e_program *agent =
        e2e_start("crest-agent", E2E_ARGS("--config", config(stub_server_port(receiver), pages, "100ms"), "--data",
                                          e2e_path("agent")));
    wait_for_pages(40);
    pthread_mutex_lock(&received.lock);
    received.status = 204;
    int64_t back_ms = unix_ms();
    pthread_mutex_unlock(&received.lock);
    e2e_wait(15000, spool_is_empty, &((struct empty){agent, stub_server_port(receiver)}));
    wait_for_pages(3);
    pthread_mutex_lock(&received.lock);
    size_t backlog = 0, first_live = 0, last_backlog = 0;
    for (size_t i = 0; i < received.n; i++) {
        bool live = received.newest_ms[i] >= back_ms;
        backlog += !live;
        if (live && !first_live)
            first_live = i + 1;
        if (!live)
            last_backlog = i + 1;
    }
    print_message("%zu requests of backlog; live from request %zu on, backlog until %zu\n", backlog, first_live,
                  last_backlog);
    pthread_mutex_unlock(&received.lock);
    assert_true(backlog >= 5);
    assert_true(first_live > 0 && first_live < last_backlog); /* it did not wait for the end of the backlog */
    assert_true(first_live <= 6);
    e2e_stop(agent);
    stub_server_stop(receiver);
    stub_server_stop(pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_collector_that_was_away_finds_no_gap, e2e_teardown),
        cmocka_unit_test_teardown(a_stopped_agent_leaves_what_it_could_not_send_for_the_next, e2e_teardown),
        cmocka_unit_test_teardown(the_spool_stays_within_its_bound_and_keeps_the_newest, e2e_teardown),
        cmocka_unit_test_teardown(live_samples_do_not_wait_behind_the_backlog, e2e_teardown),
    };
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
