/* The load generator against the shop: what it reports is what the shop counted, and its exit codes can gate a release. */
#include "tests/support/e2e.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/process.h"
#include "tests/support/identity.h"
#include "tests/support/json.h"

static struct e2e_program *gateway, *shop;

static int start_shop(void **state)
{
    (void)state;
    gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--latency", "5ms", "--jitter", "1ms", "--decline", "0"));
    shop = e2e_start("crest-shop", E2E_ARGS("--gateway", e2e_url(gateway)));
    return 0;
}

static void stop_shop(void)
{
    e2e_stop(shop);
    e2e_stop(gateway);
}

static const char *variable(void)
{
    static char text[128];
    snprintf(text, sizeof text, "host=%s", e2e_url(shop));
    return text;
}

static const char BUY[] = "# @step home\nGET {{host}}/api/home\nHTTP 200\n"
                          "# @step cart\nPOST {{host}}/api/cart\n{\"sku\": \"SKU-0001\", \"quantity\": 1}\nHTTP "
                          "200\n[Asserts]\njsonpath \"$.ok\" == true\n"
                          "POST {{host}}/api/checkout/address\n{\"name\": \"A\", \"street\": \"B\", \"city\": \"C\", "
                          "\"postcode\": \"1\"}\nHTTP 200\n"
                          "POST {{host}}/api/checkout/shipping\n{\"method\": \"standard\"}\nHTTP 200\n"
                          "# @step pay\n# @money\n# @slo p95<20s err<1%\nPOST "
                          "{{host}}/api/checkout/payment\n{\"card\": \"4242424242424242\"}\n"
                          "HTTP 200\n[Asserts]\njsonpath \"$.ok\" == true\n";

/* Orders of the ledger from one source. */
static json_int_t orders(const char *source)
{
    char *text = e2e_get(shop, "/ledger", 200);
    json_t *root = check_json(text), *row;
    json_int_t n = 0;
    size_t i;
    json_array_foreach(json_object_get(root, "rows"), i,
                       row) if (strcmp(json_string_value(json_object_get(row, "source")), source) == 0) n +=
        json_integer_value(json_object_get(row, "orders"));
    json_decref(root);
    free(text);
    return n;
}

static void what_it_reports_is_what_the_shop_counted(void **state)
{
    (void)state;
    const char *file = e2e_write("buy.hurl", BUY);
    char *text = e2e_run("crest-loadgen",
                         E2E_ARGS("run", file, "--variable", variable(), "--stages", "1s:10,1s:10-30", "--json", "-",
                                  "--quiet", "--max-lag", "10s", "--grace", "60s"),
                         0);
    json_t *root = check_json(text);
    assert_string_equal(json_string_value(json_object_get(root, "verdict")), "passed");
    assert_int_equal(json_number_at(root, "sessions", "planned"), 30);
    assert_int_equal(json_number_at(root, "sessions", "completed"), 30);
    assert_int_equal(json_number_at(root, "requests", "completed"), 150);
    json_decref(root);
    free(text);
    assert_int_equal(orders("load"), 30); /* test traffic is not sales */
    assert_int_equal(orders(""), 0);
    stop_shop();
}

static void a_broken_threshold_is_exit_code_4(void **state)
{
    (void)state;
    const char *file = e2e_write("slow.hurl", "# @slo p50<1ms err<1%\nGET {{host}}/api/nothing-here\nHTTP 200\n");
    free(e2e_run("crest-loadgen",
                 E2E_ARGS("run", file, "--variable", variable(), "--users", "1", "--sessions", "5", "--max-lag", "10s"),
                 4));
    stop_shop();
}

static void wrong_files_and_foreign_hosts_are_refused_before_anything_is_sent(void **state)
{
    (void)state;
    const char *bad = e2e_write("bad.hurl", "GET http://127.0.0.1:1/\nHTTP 2x0\n");
    const char *foreign = e2e_write("foreign.hurl", "GET http://shop.example/\nHTTP 200\n");
    const char *hosts = e2e_write("hosts", "other.example\n");
    free(e2e_run("crest-loadgen", E2E_ARGS("run", bad, "--users", "1", "--sessions", "1"), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("check", bad), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("check", "hosts", hosts), 0));
    free(e2e_run("crest-loadgen", E2E_ARGS("run", foreign, "--users", "1", "--sessions", "1"), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("run", foreign, "--users", "1", "--sessions", "1", "--allow-hosts", hosts),
                 2));
    free(e2e_run("crest-loadgen",
                 E2E_ARGS("run", foreign, "--users", "1", "--sessions", "1", "--allow-hosts", hosts, "--as-customers"),
                 2));
    stop_shop();
}

static void test_uses_hurls_exit_codes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"GET {{host}}/api/home\nHTTP 200\n[Asserts]\njsonpath \"$.ok\" == true\n", 0},
        {"GET {{host}}/api/home\nHTTP 200\n[Asserts]\njsonpath \"$.ok\" == false\n", 4},
        {"GET {{host}}/api/home\nHTTP 404\n", 4},
        {"GET {{host}}/api/none-such\n", 0}, /* nothing asserted, as in hurl */
        {"GET http://127.0.0.1:1/\n", 3},
        {"GET {{host}}/api/home\nHTTP\n", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *file = e2e_write("one.hurl", cases[i].text);
        free(e2e_run("crest-loadgen", E2E_ARGS("test", file, "--variable", variable()), cases[i].code));
    }
    free(e2e_run("crest-loadgen", E2E_ARGS("test", "--no-such-option"), 1));
    free(e2e_run("crest-loadgen", E2E_ARGS("test", "no-such-file.hurl"), 1));
    assert_int_equal(orders("synthetic"), 0);
    free(e2e_run("crest-loadgen", E2E_ARGS("test", e2e_write("buy.hurl", BUY), "--variable", variable()), 0));
    assert_int_equal(orders("synthetic"), 1);
    stop_shop();
}

/* Sessions have begun; the shop counts what it answers. */
static bool ten_have_begun(void *before)
{
    static const char SERIES[] = "commerce_operations_total{operation=\"home\",outcome=\"ok\",source=\"load\"} ";
    char *metrics = e2e_get(shop, "/metrics", 200), *at = strstr(metrics, SERIES);
    double n = at ? strtod(at + strlen(SERIES), NULL) : 0, *seen = before;
    free(metrics);
    if (isnan(*seen))
        *seen = n;
    return n >= *seen + 10;
}

static bool has_heard_the_first(void *path)
{
    char *log = NULL;
    bool heard = file_read(path, 1u << 20, &log, NULL) == 0 && strstr(log, "no more sessions are started");
    free(log);
    return heard;
}

/* One Ctrl-C: no more sessions, running ones finish; the report comes all the same. */
static void an_interrupt_still_gives_the_report(void **state)
{
    (void)state;
    const char *file =
        e2e_write("think.hurl", "GET {{host}}/api/home\n# @step after\n# @think 20s\nGET {{host}}/api/home\n");
    for (int signals = 1; signals <= 2; signals++) {
        char program[512], path[512], log[512];
        double before = NAN;
        (void)ten_have_begun(&before);
        snprintf(program, sizeof program, "%s/crest-loadgen",
                 getenv("CREST_BIN") ? getenv("CREST_BIN") : "build/release");
        snprintf(path, sizeof path, "%s", e2e_path("out.json"));
        snprintf(log, sizeof log, "%s%d", e2e_path("stop.log"), signals);
        const char *argv[] = {program,
                              "run",
                              file,
                              "--variable",
                              variable(),
                              "--rate",
                              "20",
                              "--duration",
                              "60s",
                              "--max-lag",
                              "10s",
                              "--json",
                              path,
                              "--run-id",
                              "stopped",
                              "--think-scale",
                              signals == 1 ? "0.05" : "1",
                              NULL};
        struct process *p;
        check_ok(process_start(argv, &(struct process_options){.quiet = true, .log_path = log}, &p));
        e2e_wait(30000, ten_have_begun, &before);
        check_ok(process_signal(p, SIGINT));
        if (signals == 2) { /* two at once would be one */
            e2e_wait(30000, has_heard_the_first, log);
            check_ok(process_signal(p, SIGINT));
        }
        int status = -1;
        check_ok(process_wait(p, 30000, &status));
        assert_int_equal(status, 130);
        process_free(p);
        json_t *root = json_load_file(path, 0, NULL);
        assert_non_null(root);
        assert_string_equal(json_string_value(json_object_get(root, "verdict")), "interrupted");
        assert_true(json_number_at(root, "sessions", "started") >= 10);
        if (signals == 1)
            assert_int_equal(json_number_at(root, "sessions", "unfinished"), 0);
        else /* they think for twenty seconds: some are cut */
            assert_true(json_number_at(root, "sessions", "unfinished") > 0);
        assert_int_equal(json_number_at(root, "sessions", "planned"),
                         json_number_at(root, "sessions", "started") + json_number_at(root, "sessions", "dropped"));
        json_decref(root);
        unlink(path);
    }
    stop_shop();
}

struct question {
    struct e2e_program *collector;
    const char *path;
    double want, got;
};

static bool answers(void *ctx)
{
    struct question *q = ctx;
    char *text = e2e_get(q->collector, q->path, 200);
    json_t *root = check_json(text);
    json_t *value = json_array_get(
        json_object_get(json_array_get(json_object_get(json_object_get(root, "data"), "result"), 0), "value"), 1);
    q->got = value ? strtod(json_string_value(value), NULL) : -1;
    json_decref(root);
    free(text);
    return q->got == q->want;
}

static void results_are_series_in_the_collector(void **state)
{
    (void)state;
    struct e2e_program *collector = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    const char *file = e2e_write("buy.hurl", BUY);
    char url[128];
    snprintf(url, sizeof url, "%s/api/v1/write", e2e_url(collector));
    free(e2e_run("crest-loadgen",
                 E2E_ARGS("run", file, "--variable", variable(), "--users", "2", "--sessions", "20", "--remote-write",
                          url, "--run-id", "r-7", "--max-lag", "10s"),
                 0));
    struct question questions[] = {
        {collector,
         "/api/v1/"
         "query?query=crest_loadgen_step_response_seconds_count%7Brun%3D%22r-7%22%2Cjourney%3D%22buy%22%2Cstep%3D%"
         "22pay%22%7D",
         20, 0},
        {collector, "/api/v1/query?query=sum(crest_loadgen_steps_total%7Brun%3D%22r-7%22%2Coutcome%3D%22ok%22%7D)", 100,
         0},
        {collector, "/api/v1/query?query=crest_loadgen_sessions_total%7Brun%3D%22r-7%22%2Cstate%3D%22completed%22%7D",
         20, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        e2e_wait(5000, answers, &questions[i]);
    e2e_stop(collector);
    stop_shop();
}

static bool listens(void *url)
{
    return e2e_try("GET", url, NULL, (struct span){0}, NULL) > 0;
}

struct lines {
    const char *path, *text;
    size_t n;
};
static size_t lines_with(const char *path, const char *text)
{
    char *log, *at;
    size_t bytes, n = 0;
    check_ok(file_read(path, 1u << 20, &log, &bytes));
    for (at = log; (at = strstr(at, text)); at++)
        n++;
    free(log);
    return n;
}

static bool are_there(void *ctx)
{
    const struct lines *l = ctx;
    return lines_with(l->path, l->text) == l->n;
}

/* nginx writes down what it was spoken to; a user keeps one connection. */
static void http2_is_what_the_server_sees_under_load(void **state UNUSED)
{
    static char text[2048], url[64], log[400];
    struct identity ca, server;
    if (!e2e_have("nginx"))
        skip();
    identity_make(&ca, "ca.test", NULL);
    identity_make(&server, "localhost", &ca);
    const char *folder = e2e_folder(), *trusted = e2e_write("ca.pem", ca.certificate_pem);
    const char *key = e2e_write("key.pem", server.key_pem), *chain = e2e_write("chain.pem", server.certificate_pem);
    unsigned secure = e2e_free_port(), plain = e2e_free_port();
    snprintf(log, sizeof log, "%s/access.log", folder);
    snprintf(text, sizeof text,
             "daemon off;\nmaster_process off;\npid %s/nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\n"
             "  log_format spoken '$server_protocol on $connection';\n  access_log %s spoken;\n"
             "  client_body_temp_path %s/t1; proxy_temp_path %s/t2; fastcgi_temp_path %s/t3; uwsgi_temp_path %s/t4;\n"
             "  scgi_temp_path %s/t5;\n  server {\n    listen 127.0.0.1:%u ssl http2;\n    listen 127.0.0.1:%u;\n"
             "    ssl_certificate %s;\n    ssl_certificate_key %s;\n"
             "    location /ready { access_log off; return 200 ok; }\n    location / { return 200 ok; }\n  }\n}\n",
             folder, log, folder, folder, folder, folder, folder, secure, plain, chain, key);
    struct e2e_program *nginx =
        e2e_start_other(E2E_ARGS("nginx", "-p", folder, "-e", "stderr", "-c", e2e_write("nginx.conf", text)));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/ready", plain);
    e2e_wait(20000, listens, url);
    snprintf(text, sizeof text, "GET https://localhost:%u/a\nHTTP 200\nGET https://localhost:%u/b\nHTTP 200\n", secure,
             secure);
    const char *file = e2e_write("pages.hurl", text);
    for (int http2 = 0; http2 <= 1; http2++) {
        char *out = e2e_run("crest-loadgen",
                            E2E_ARGS("run", file, "--users", "2", "--sessions", "6", "--ca-file", trusted, "--max-lag",
                                     "10m", "--quiet", "--json", "-", http2 ? "--http2" : "--plain"),
                            0);
        json_t *root = check_json(out);
        assert_int_equal(json_number_at(root, "requests", "completed"), 12);
        assert_int_equal(json_number_at(root, "requests", "failed"), 0);
        assert_int_equal(json_integer_value(json_object_get(root, "connections")), 2);
        json_decref(root);
        free(out);
    }
    struct lines spoken[] = {{log, "HTTP/2.0 on", 12}, {log, "HTTP/1.1 on", 12}};
    for (size_t i = 0; i < ARRAY_LEN(spoken); i++) /* it writes a line when the answer has gone */
        e2e_wait(20000, are_there, &spoken[i]);
    e2e_kill(nginx);
    identity_free(&server);
    identity_free(&ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_it_reports_is_what_the_shop_counted, start_shop, e2e_teardown),
        cmocka_unit_test_setup_teardown(a_broken_threshold_is_exit_code_4, start_shop, e2e_teardown),
        cmocka_unit_test_setup_teardown(wrong_files_and_foreign_hosts_are_refused_before_anything_is_sent, start_shop,
                                        e2e_teardown),
        cmocka_unit_test_setup_teardown(test_uses_hurls_exit_codes, start_shop, e2e_teardown),
        cmocka_unit_test_setup_teardown(an_interrupt_still_gives_the_report, start_shop, e2e_teardown),
        cmocka_unit_test_setup_teardown(results_are_series_in_the_collector, start_shop, e2e_teardown),
        cmocka_unit_test_teardown(http2_is_what_the_server_sees_under_load, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
