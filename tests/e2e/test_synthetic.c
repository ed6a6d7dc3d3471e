/* crest-loadgen synthetic as a daemon: what it tells of journeys that pass, fail and hang, and what it keeps. */
#include "tests/support/e2e.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "tests/support/write_receiver.h"

static struct stub_server *shop;
static struct write_receiver *receiver;
static atomic_bool declines;

static void on_request(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    (void)ctx;
    page->content_type = "application/json";
    if (span_starts(request->path, SPAN("/hang")))
        page->status = -2;
    page->body = "{\"ok\": true}";
    if (span_starts(request->path, SPAN("/pay")) && atomic_load(&declines)) {
        page->status = 500;
        page->body = "{\"card\": \"4242 4242 4242 4242\", \"why\": \"the pool is empty\"}";
    }
}

static int start(void **state)
{
    (void)state;
    atomic_store(&declines, true);
    check_ok(stub_server_start(0, on_request, NULL, &shop));
    check_ok(write_receiver_start(&receiver));
    return 0;
}

static int stop(void **state)
{
    int r = e2e_teardown(state);
    write_receiver_stop(receiver);
    stub_server_stop(shop);
    return r;
}

/* The newest value that came of a series with this in its labels; -1: none. */
struct wanted {
    const char *name, *labels;
    double value;
};
static double newest(const struct wanted *w)
{
    static struct received_sample samples[20000];
    size_t n = write_receiver_samples(receiver, w->name, samples, ARRAY_LEN(samples));
    for (size_t i = n; i-- > 0;)
        if (strstr(samples[i].labels, w->labels))
            return samples[i].value;
    return -1;
}
static bool has_value(void *ctx)
{
    const struct wanted *w = ctx;
    return newest(w) == w->value;
}
static bool is_at_least(void *ctx)
{
    const struct wanted *w = ctx;
    return newest(w) >= w->value;
}

static bool is_kept(void *ctx)
{
    struct file_list *files = ctx;
    char pattern[4200];
    snprintf(pattern, sizeof pattern, "%s/*-pay-*.txt", e2e_path("failures"));
    file_list_done(files);
    *files = (struct file_list){0};
    return file_glob(pattern, files) == 0 && files->n > 0;
}

static void a_failing_journey_is_told_kept_without_secrets_and_up_again_after_a_reload(void **state)
{
    (void)state;
    const char *browse = e2e_write("browse.hurl", "# @step home\nGET {{host}}/home\nHTTP 200\n");
    const char *pay =
        e2e_write("pay.hurl", "# @step pay\nPOST {{host}}/pay\n{\"password\": \"{{password}}\", \"card\": "
                              "\"4242424242424242\"}\nHTTP 200\n");
    char host[128];
    snprintf(host, sizeof host, "host=%s", stub_server_url(shop));
    struct e2e_program *p =
        e2e_start("crest-loadgen", E2E_ARGS("synthetic", browse, pay, "--every", "1s", "--variable", host, "--variable",
                                            "password=hunter2hunter2", "--remote-write", write_receiver_url(receiver),
                                            "--run-id", "web-01", "--artifacts", e2e_path("failures")));
    struct wanted good = {"crest_synthetic_up", "journey=\"browse\"", 1},
                  bad = {"crest_synthetic_up", "journey=\"pay\"", 0},
                  counted = {"crest_loadgen_steps_total", "journey=\"pay\", outcome=\"status\"", 1};
    e2e_wait(20000, has_value, &good);
    e2e_wait(20000, has_value, &bad);
    e2e_wait(20000, is_at_least, &counted);
    char head[2048];
    stub_server_last_head(shop, "/home", head, sizeof head);
    check_contains(head, "X-Crest-Run: synthetic/web-01");
    char *metrics = e2e_get(p, "/metrics", 200);
    check_contains(metrics, "crest_synthetic_up{journey=\"pay\"} 0\n");
    check_contains(metrics, "crest_synthetic_step_up{journey=\"browse\",step=\"home\"} 1\n");
    free(metrics);

    struct file_list files = {0};
    e2e_wait(20000, is_kept, &files);
    char *text = NULL;
    size_t n;
    check_ok(file_read(files.paths[0], 65536, &text, &n));
    file_list_done(&files);
    check_contains(text, "wanted: status 200, actual: 500");
    check_contains(text, "the pool is empty");
    assert_null(strstr(text, "4242"));
    assert_null(strstr(text, "hunter2"));
    free(text);

    e2e_write("pay.hurl", "GET {{host}}/pay\nHTTP 2x0\n"); /* a file that is wrong keeps the old one */
    e2e_signal(p, SIGHUP);
    struct wanted failed_again = {
        "crest_synthetic_runs_total", "journey=\"pay\", outcome=\"failed\"",
        newest(&(struct wanted){"crest_synthetic_runs_total", "journey=\"pay\", outcome=\"failed\"", 0}) + 2};
    e2e_wait(20000, is_at_least, &failed_again);
    metrics = e2e_get(p, "/metrics", 200);
    check_contains(metrics, "crest_config_last_reload_successful 0\n");
    free(metrics);
    e2e_write("pay.hurl", "# @step pay\nPOST {{host}}/home\nHTTP 200\n");
    e2e_signal(p, SIGHUP);
    struct wanted up = {"crest_synthetic_up", "journey=\"pay\"", 1};
    e2e_wait(20000, has_value, &up);
    e2e_stop(p);
}

static void a_journey_that_hangs_holds_up_neither_the_others_nor_the_end(void **state)
{
    (void)state;
    const char *browse = e2e_write("browse.hurl", "GET {{host}}/home\nHTTP 200\n");
    const char *hang = e2e_write("hang.hurl", "GET {{host}}/hang\nHTTP 200\n");
    char host[128];
    snprintf(host, sizeof host, "host=%s", stub_server_url(shop));
    struct e2e_program *p = e2e_start(
        "crest-loadgen", E2E_ARGS("synthetic", hang, browse, "--every", "1s", "--variable", host, "--remote-write",
                                  write_receiver_url(receiver), "--grace", "1h", "--max-time", "1h"));
    struct wanted runs = {"crest_synthetic_runs_total", "journey=\"browse\", outcome=\"passed\"", 2};
    e2e_wait(20000, is_at_least, &runs);
    struct wanted hanging = {"crest_synthetic_up", "journey=\"hang\"", 0};
    assert_true(newest(&hanging) == -1); /* it neither passed nor failed yet */
    e2e_stop(p);                         /* within 10 s */
    assert_int_equal(stub_server_requests(shop, "/hang"), 1);
}

static void it_wants_to_know_where_the_outcome_goes(void **state)
{
    (void)state;
    const char *browse = e2e_write("browse.hurl", "GET http://127.0.0.1:1/\nHTTP 200\n");
    free(e2e_run("crest-loadgen", E2E_ARGS("synthetic", browse), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("synthetic", browse, "--listen", "127.0.0.1:0", "--every", "10ms"), 2));
    const char *foreign = e2e_write("foreign.hurl", "GET http://shop.example/\nHTTP 200\n");
    free(e2e_run("crest-loadgen", E2E_ARGS("synthetic", foreign, "--listen", "127.0.0.1:0"), 2));
}

/* The rules of the documentation, as a user would copy them. */
static void the_documented_alerts_are_good_rules(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n;
    check_ok(file_read("docs/loadgen-synthetic.md", 1 << 20, &text, &n));
    char *begin = strstr(text, "```yaml\n"), *end = begin ? strstr(begin + 8, "```") : NULL;
    assert_non_null(end);
    *end = '\0';
    const char *rules = e2e_write("synthetic.yml", begin + 8);
    free(text);
    free(e2e_run("crest-collector", E2E_ARGS("check", "rules", rules), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failing_journey_is_told_kept_without_secrets_and_up_again_after_a_reload,
                                        start, stop),
        cmocka_unit_test_setup_teardown(a_journey_that_hangs_holds_up_neither_the_others_nor_the_end, start, stop),
        cmocka_unit_test_setup_teardown(it_wants_to_know_where_the_outcome_goes, start, stop),
        cmocka_unit_test_teardown(the_documented_alerts_are_good_rules, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
