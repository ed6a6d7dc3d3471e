/* One run on several machines, here several processes: totals are exact, and a worker that is killed is counted and said. */
#include "tests/support/e2e.h"
#include "tests/support/json.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/thread.h"
#include "tests/support/stub_server.h"

static struct stub_server *shop;
static atomic_uint rows[64], whole; /* whole: requests that had everything that the plan's run has to bring */

static void on_request(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    (void)ctx;
    page->body = "ok";
    if (span_starts(request->path, SPAN("/api/crest/v1/load/clock")))
        page->body = "1700000000000000\n"; /* years behind: its own business */
    if (span_starts(request->path, SPAN("/api/crest/v1/load/segment")))
        page->body = "tick 1000 1000 0 0 0 1 1 18446744073709551615 18446744073709551615 nonsense\n";
    static const struct span BROUGHT[] = {SPAN_INIT("body of a file"), SPAN_INIT("set-by-file"),
                                          SPAN_INIT("set-by-environment"), SPAN_INIT("set-by-flag"),
                                          SPAN_INIT("a \"secret\"")};
    size_t found = 0;
    for (size_t i = 0; i < ARRAY_LEN(BROUGHT); i++)
        found += span_search(request->body, BROUGHT[i]) < request->body.len;
    atomic_fetch_add(&whole, found == ARRAY_LEN(BROUGHT));
    size_t at = span_search(request->path, SPAN("row="));
    if (at < request->path.len) {
        unsigned n = 0;
        for (at += 4; at < request->path.len && request->path.ptr[at] >= '0' && request->path.ptr[at] <= '9'; at++)
            n = n * 10 + (unsigned)(request->path.ptr[at] - '0');
        if (n < 64)
            atomic_fetch_add(&rows[n], 1);
    }
}

static int start(void **state)
{
    (void)state;
    for (size_t i = 0; i < 64; i++)
        atomic_store(&rows[i], 0);
    atomic_store(&whole, 0);
    check_ok(stub_server_start(0, on_request, NULL, &shop));
    return 0;
}

static int stop(void **state)
{
    int r = e2e_teardown(state);
    stub_server_stop(shop);
    return r;
}

static const char *addresses(struct e2e_program *a, struct e2e_program *b)
{
    static char text[128];
    snprintf(text, sizeof text, "127.0.0.1:%u,127.0.0.1:%u", e2e_port(a), e2e_port(b));
    return text;
}

static void two_workers_make_the_plan_between_them_exactly(void **state)
{
    (void)state;
    struct e2e_program *a = e2e_start("crest-loadgen", E2E_ARGS("worker")),
                       *b = e2e_start("crest-loadgen", E2E_ARGS("worker"));
    char feed[400] = "row\n", host[128];
    for (unsigned i = 0; i < 40; i++)
        snprintf(feed + strlen(feed), sizeof feed - strlen(feed), "%u\n", i);
    e2e_write("rows.csv", feed);
    const char *file =
        e2e_write("buy.hurl", "# @feed rows.csv unique\n# @step home\n# @slo err<1%\nGET {{host}}/home\nHTTP 200\n"
                              "# @step buy\nGET {{host}}/buy?row={{row}}\nHTTP 200\n");
    snprintf(host, sizeof host, "host=%s", stub_server_url(shop));
    char *text =
        e2e_run("crest-loadgen",
                E2E_ARGS("run", file, "--variable", host, "--stages", "1s:10,1s:10-50", "--workers", addresses(a, b),
                         "--run-id", "two-1", "--max-lag", "10m", "--grace", "10m", "--json", "-", "--quiet"),
                0);
    json_t *root = check_json(text);
    assert_string_equal(json_string_value(json_object_get(root, "verdict")), "passed");
    assert_int_equal(json_number_at(root, "sessions", "planned"), 40);
    assert_int_equal(json_number_at(root, "sessions", "completed"), 40);
    assert_int_equal(json_number_at(root, "requests", "completed"), 80);
    json_t *step = json_array_get(json_object_get(root, "steps"), 1);
    assert_int_equal(json_number_at(step, "response_us", "count"), 40); /* one histogram, merged */
    json_decref(root);
    free(text);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(atomic_load(&rows[i]), 1); /* each row once, whoever took it */
    char head[2048];
    stub_server_last_head(shop, "/home", head, sizeof head);
    char *metrics = e2e_get(b, "/metrics", 200);
    check_contains(metrics, "crest_loadgen_worker_segments_total 1\n");
    free(metrics);
    e2e_stop(a);
    e2e_stop(b);
}

/* A plan in a folder of its own; what it names lies elsewhere: a feed, recorded arrivals and think times, a part of a form. Variables from everywhere. */
static void a_plan_brings_its_feeds_recordings_files_and_variables(void **state)
{
    (void)state;
    setenv("HURL_environment", "the-workers-own", 1); /* not the run's business */
    struct e2e_program *a = e2e_start("crest-loadgen", E2E_ARGS("worker")),
                       *b = e2e_start("crest-loadgen", E2E_ARGS("worker"));
    static const char *const FOLDERS[] = {"plans", "data", "journeys", "journeys/parts"};
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++)
        check_ok(dir_make(e2e_path(FOLDERS[i])));
    char feed[400] = "row\n", times[800] = "seconds\n", host[128];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(feed + strlen(feed), sizeof feed - strlen(feed), "%u\n", i);
        snprintf(times + strlen(times), sizeof times - strlen(times), "%.2f\n", i * 0.05);
    }
    e2e_write("data/rows.csv", feed);
    e2e_write("data/arrivals.csv", times);
    e2e_write("journeys/thinking", "0.001\n0.002\n");
    e2e_write("journeys/parts/body.txt", "body of a file");
    e2e_write("journeys/buy.hurl",
              "# @step buy\n# @think recorded thinking\nPOST {{host}}/buy?row={{row}}\n[Multipart]\n"
              "from: file,parts/{{part}}.txt;\na: {{filed}}\nb: {{environment}}\nc: {{given}}\nd: {{token}}\nHTTP 200\n"
              "[Asserts]\nbytes == file,parts/answer.txt;\n");
    e2e_write("journeys/parts/answer.txt", "ok");
    const char *plan =
        e2e_write("plans/peak.yml",
                  "variables: {part: body, given: by-the-plan}\nfeeds: [{file: ../data/rows.csv, mode: unique}]\n"
                  "phases: [{trace: {file: ../data/arrivals.csv}}]\njourneys: [../journeys/buy.hurl]\n");
    const char *variables = e2e_write("variables", "# of a file\nfiled=set-by-file\ngiven=by-the-file\n");
    snprintf(host, sizeof host, "host=%s", stub_server_url(shop));
    setenv("HURL_environment", "set-by-environment", 1);
    char *text = e2e_run("crest-loadgen",
                         E2E_ARGS("run", plan, "--variables-file", variables, "--variable", host, "--variable",
                                  "given=set-by-flag", "--secret", "token=a \"secret\"", "--workers", addresses(a, b),
                                  "--max-lag", "10m", "--grace", "10m", "--json", "-", "--quiet"),
                         0);
    unsetenv("HURL_environment");
    json_t *root = check_json(text);
    assert_int_equal(json_number_at(root, "sessions", "planned"), 20);
    assert_int_equal(json_number_at(root, "sessions", "completed"), 20);
    json_decref(root);
    free(text);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(atomic_load(&rows[i]), 1);
    assert_int_equal(atomic_load(&whole), 20);
    e2e_stop(a);
    e2e_stop(b);
}

static void what_workers_cannot_be_sent_is_refused_at_its_place(void **state)
{
    (void)state;
    const char *late = e2e_write("late.hurl", "GET http://127.0.0.1:1/\nHTTP 200\n[Captures]\nname: body\n"
                                              "POST http://127.0.0.1:1/\nfile,{{name}};\n");
    char *text =
             e2e_run("crest-loadgen", E2E_ARGS("run", late, "--rate", "1", "--workers", "127.0.0.1:1", "--quiet"), 1),
         *log = NULL;
    size_t n;
    check_ok(file_read(e2e_path("run.log"), 1u << 20, &log, &n));
    check_contains(log, "late.hurl:6:6: workers cannot be sent a file whose name is known only while the run goes on");
    free(text);
    free(log);
    const char *key = e2e_write("key.hurl", "GET https://127.0.0.1:1/\n[Options]\nkey: no-such.pem\nHTTP 200\n");
    free(e2e_run("crest-loadgen", E2E_ARGS("run", key, "--rate", "1", "--workers", "127.0.0.1:1", "--quiet"), 1));
    check_ok(file_read(e2e_path("run.log"), 1u << 20, &log, &n));
    check_contains(log, "key.hurl:3:1: with --workers this file must lie beside the journey");
    free(log);
}

static bool is_running(void *ctx)
{
    (void)ctx;
    return stub_server_requests(shop, "/home") >= 10;
}

struct coordinator {
    const char *const *args;
    char *output;
};
static void run_it(void *arg)
{
    struct coordinator *c = arg;
    c->output = e2e_run("crest-loadgen", c->args, 1);
}

static void a_worker_that_is_killed_is_counted_and_said(void **state)
{
    (void)state;
    struct e2e_program *a = e2e_start("crest-loadgen", E2E_ARGS("worker")),
                       *b = e2e_start("crest-loadgen", E2E_ARGS("worker"));
    char host[128];
    const char *file = e2e_write("home.hurl", "GET {{host}}/home\nHTTP 200\n");
    snprintf(host, sizeof host, "host=%s", stub_server_url(shop));
    struct coordinator c = {.args = E2E_ARGS("run", file, "--variable", host, "--rate", "20", "--duration", "6s",
                                             "--workers", addresses(a, b), "--max-lag", "10m", "--grace", "10m",
                                             "--json", "-", "--quiet")};
    struct thread *t;
    check_ok(thread_start("coordinator", run_it, &c, &t));
    e2e_wait(60000, is_running, NULL);
    e2e_kill(b); /* -9, and its run with it */
    thread_join(t);
    json_t *root = check_json(c.output);
    assert_string_equal(json_string_value(json_object_get(root, "verdict")), "failed");
    assert_int_equal(json_number_at(root, "sessions", "planned"), 120); /* nothing is forgotten */
    assert_int_equal(json_number_at(root, "sessions", "planned"),
                     json_number_at(root, "sessions", "started") + json_number_at(root, "sessions", "dropped"));
    assert_true(json_number_at(root, "sessions", "dropped") > 0);
    assert_true(json_number_at(root, "sessions", "completed") >= 60); /* the other's part is whole */
    const char *reason = json_string_value(json_array_get(json_object_get(root, "reasons"), 0));
    check_contains(reason, "was lost");
    json_decref(root);
    free(c.output);
    e2e_stop(a);
}

static void a_worker_goes_only_where_it_may_and_is_not_trusted_either(void **state)
{
    (void)state;
    struct e2e_program *a = e2e_start("crest-loadgen", E2E_ARGS("worker"));
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", e2e_port(a));
    const char *hosts = e2e_write("hosts", "shop.example\n");
    const char *foreign = e2e_write("foreign.hurl", "GET http://shop.example/\nHTTP 200\n");
    char *text = e2e_run("crest-loadgen", /* the coordinator allows it, the worker does not */
                         E2E_ARGS("run", foreign, "--rate", "1", "--duration", "1s", "--allow-hosts", hosts,
                                  "--workers", address, "--quiet"),
                         1);
    check_contains(text, "no load to 'shop.example:80'");
    free(text);
    const char *file = e2e_write("home.hurl", "GET http://127.0.0.1:1/\nHTTP 200\n");
    free(e2e_run("crest-loadgen", E2E_ARGS("run", file, "--rate", "1", "--workers", "127.0.0.1:1", "--quiet"), 1));
    free(e2e_run("crest-loadgen",
                 E2E_ARGS("run", file, "--rate", "1", "--workers", address, "--as-customers", "--quiet"), 1));
    char hostile[64];
    snprintf(hostile, sizeof hostile, "%s", stub_server_address(shop));
    text = e2e_run("crest-loadgen",
                   E2E_ARGS("run", file, "--rate", "1", "--duration", "1s", "--workers", hostile, "--quiet"), 1);
    check_contains(text, "what it says is not understood");
    free(text);
    free(e2e_send(a, "POST", "/api/crest/v1/load/segment", "text/plain", "arg LS1qc29uPS9ldGMvcGFzc3dk\n",
                  400));                                                                                /* --json=… */
    free(e2e_send(a, "POST", "/api/crest/v1/load/segment", "text/plain", "file Li4veA== eA==\n", 400)); /* ../x */
    e2e_stop(a);
    free(e2e_run("crest-loadgen", E2E_ARGS("worker", "--listen", "0.0.0.0:0"), 1)); /* not without credentials */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_workers_make_the_plan_between_them_exactly, start, stop),
        cmocka_unit_test_setup_teardown(a_plan_brings_its_feeds_recordings_files_and_variables, start, stop),
        cmocka_unit_test_setup_teardown(what_workers_cannot_be_sent_is_refused_at_its_place, start, stop),
        cmocka_unit_test_setup_teardown(a_worker_that_is_killed_is_counted_and_said, start, stop),
        cmocka_unit_test_setup_teardown(a_worker_goes_only_where_it_may_and_is_not_trusted_either, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
