/* crest-loadgen find-limit against a server whose limit is its design: a token bucket that turns away what is too much. */
#include "tests/support/e2e.h"
#include "tests/support/json.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "tests/support/stub_server.h"

#define CAPACITY 40.0 /* per second */
#define BURST 6.0

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double tokens;
static int64_t filled_us;

static void on_request(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    (void)ctx;
    page->body = "ok";
    if (!span_starts(request->path, SPAN("/buy")))
        return;
    pthread_mutex_lock(&lock);
    int64_t now_us = mono_us();
    tokens += CAPACITY * (double)(now_us - filled_us) / 1e6;
    tokens = tokens > BURST ? BURST : tokens;
    filled_us = now_us;
    bool served = tokens >= 1;
    tokens -= served;
    pthread_mutex_unlock(&lock);
    page->status = served ? 200 : 503;
}

static void a_limit_by_design_is_found_and_the_step_that_gave_way_named(void **state)
{
    (void)state;
    struct stub_server *server;
    check_ok(stub_server_start(0, on_request, NULL, &server));
    char target[64];
    snprintf(target, sizeof target, "host=%s", stub_server_url(server));
    const char *file = e2e_write("shop.hurl", "# @step home\nGET {{host}}/home\nHTTP 200\n"
                                              "# @step buy\n# @slo err<10%\nGET {{host}}/buy\nHTTP 200\n");
    const char *page = e2e_path("limit.html");
    char *text = e2e_run("crest-loadgen",
                         E2E_ARGS("find-limit", file, "--variable", target, "--rate", "30", "--settle", "0", "--probe",
                                  "1s", "--precision", "100", "--probes", "30", "--max-lag", "1m", "--recover-within",
                                  "10m", "--quiet", "--json", "-", "--html", page),
                         0);
    json_t *root = check_json(text);
    assert_string_equal(json_string_value(json_object_get(root, "outcome")), "found");
    double limit = json_number_value(json_object_get(root, "limit_rate")),
           broken = json_number_value(json_object_get(root, "broken_rate"));
    /* a slow machine makes bursts, which lower it; nothing lifts it above what the bucket gives */
    assert_true(limit > 0 && limit < (CAPACITY + BURST) / 0.9 && broken > limit && broken <= limit * 2.01);
    assert_string_equal(json_string_value(json_object_get(root, "gave_way")), "shop/buy");
    json_t *probes = json_object_get(root, "probes");
    assert_true(json_array_size(probes) >= 3);
    for (size_t i = 0; i < json_array_size(probes); i++) {
        json_t *p = json_array_get(probes, i);
        bool was_broken = strcmp(json_string_value(json_object_get(p, "answer")), "broken") == 0;
        if (was_broken) /* and the server was given time to come back, but after the last */
            assert_true(json_is_number(json_object_get(p, "recovery_s")) || i + 1 == json_array_size(probes));
    }
    assert_true(json_is_string(json_object_get(json_object_get(root, "usl"), "state")));
    json_decref(root);
    free(text);
    char *html;
    check_ok(file_read(page, 1u << 20, &html, NULL));
    check_contains(html, "<strong>The limit is ");
    check_contains(html, "What gave way first</h2>\n<p>shop/buy (at ");
    free(html);
    stub_server_stop(server);
}

static void a_generator_that_is_the_bottleneck_makes_it_void_and_no_slo_is_refused(void **state)
{
    (void)state;
    struct stub_server *server;
    check_ok(stub_server_start(0, on_request, NULL, &server));
    char target[64];
    snprintf(target, sizeof target, "host=%s", stub_server_url(server));
    const char *file = e2e_write("home.hurl", "GET {{host}}/home\nHTTP 200\n");
    free(e2e_run("crest-loadgen", E2E_ARGS("find-limit", file, "--variable", target), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("find-limit", file, "--variable", target, "--slo", "p95<1"), 2));
    char *text = e2e_run("crest-loadgen", /* no generator is never late at all */
                         E2E_ARGS("find-limit", file, "--variable", target, "--rate", "20", "--settle", "0", "--probe",
                                  "1s", "--slo", "p95<10s err<50%", "--max-lag", "0"),
                         5);
    check_contains(text, "that is not the server's limit");
    free(text);
    stub_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_limit_by_design_is_found_and_the_step_that_gave_way_named, e2e_teardown),
        cmocka_unit_test_teardown(a_generator_that_is_the_bottleneck_makes_it_void_and_no_slo_is_refused, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
