/* Bad input: each gets a clear error and a counter, and nothing else is lost or delayed. */
#include <math.h>
#include <string.h>

#include <errno.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/process.h"
#include "tests/support/ingest.h"
#include "tests/support/query.h"
#include "tests/support/stage.h"
#include "tests/support/stub_server.h"

#define TEXT_TYPE "text/plain; version=0.0.4"

/* ---- scrapes ---- */

static const struct bad_page {
    const char *job, *more;
    struct stub_page page;
    const char *error; /* a piece of it */
} PAGES[] = {
    {"malformed", "", {.body = "a 1\nb{x=\"1} 2\nc 3\n", .content_type = TEXT_TYPE}, "line 2:"},
    {"bad_value", "", {.body = "a 1\nb one\n", .content_type = TEXT_TYPE}, "line 2:3: "},
    {"html", "", {.body = "<html>", .content_type = "text/html"}, "is no exposition format"},
    {"cut", "", {.body = "a 1\n", .content_type = "application/openmetrics-text; version=1.0.0"}, "# EOF"},
    {"error", "", {.status = 500, .body = "a 1\n", .content_type = TEXT_TYPE}, "HTTP status 500"},
    {"large",
     ", body_size_limit: 100B",
     {.body = "a 1\n# 456789012345678901234567890123456789012345678901234567890\n"
              "# 4567890123456789012345678901234567890123456789\n",
      .content_type = TEXT_TYPE},
     "body_size_limit"},
    {"many", ", sample_limit: 2", {.body = "a 1\nb 1\nc 1\n", .content_type = TEXT_TYPE}, "sample_limit exceeded"},
    {"hangs", "", {.status = -2}, "no answer within the scrape timeout"},
    {"drips",
     "",
     {.body = "a 1\nb 2\nc 3\nd 4\ne 5\nf 6\ng 7\nh 8\n", .content_type = TEXT_TYPE, .drip_bytes = 1},
     "no answer within the scrape timeout"},
    {"closes", "", {.status = -1}, ""},
};

static void a_bad_page_is_down_with_its_reason_and_delays_nobody(void **state UNUSED)
{
    struct stub_server *s = NULL;
    char jobs[8192] = "", expression[256], text[512];
    check_ok(stub_server_start(0, NULL, NULL, &s));
    stub_server_page(s, "/good", &(struct stub_page){.body = "good 1\n", .content_type = TEXT_TYPE});
    for (size_t i = 0; i < ARRAY_LEN(PAGES); i++) {
        snprintf(text, sizeof text, "/%s", PAGES[i].job);
        stub_server_page(s, text, &PAGES[i].page);
        snprintf(jobs + strlen(jobs), sizeof jobs - strlen(jobs),
                 "  - {job_name: %s, metrics_path: /%s%s, static_configs: [{targets: ['%s']}]}\n", PAGES[i].job,
                 PAGES[i].job, PAGES[i].more, stub_server_address(s));
    }
    snprintf(jobs + strlen(jobs), sizeof jobs - strlen(jobs),
             "  - {job_name: nobody, static_configs: [{targets: ['127.0.0.1:%u']}]}\n"
             "  - {job_name: good, metrics_path: /good, static_configs: [{targets: ['%s']}]}\n",
             (unsigned)e2e_free_port(), stub_server_address(s));
    struct e2e_program *collector = stage_collector(), *agent = stage_agent(collector, jobs);
    snprintf(expression, sizeof expression, "count(up == 0) == %zu", ARRAY_LEN(PAGES) + 1);
    query_wait(collector, expression, 8000);
    query_wait(collector, "count_over_time(good[1m]) >= 4", 8000);

    json_t *targets = get_json(collector, "/api/v1/targets", 200);
    json_t *list = json_object_get(json_object_get(targets, "data"), "activeTargets");
    assert_int_equal(json_array_size(list), ARRAY_LEN(PAGES) + 2);
    for (size_t i = 0; i < ARRAY_LEN(PAGES); i++) {
        snprintf(expression, sizeof expression, "crest_agent_target_info{job='%s',error!=''}", PAGES[i].job);
        check_contains(query_label(collector, expression, "error", text, sizeof text), PAGES[i].error);
        assert_true(text[0] != 0);
        bool listed = false;
        for (size_t k = 0; k < json_array_size(list); k++) {
            json_t *t = json_array_get(list, k);
            if (strcmp(json_string_value(json_object_get(t, "scrapePool")), PAGES[i].job) != 0)
                continue;
            listed = true;
            assert_string_equal(json_string_value(json_object_get(t, "health")), "down");
            check_contains(json_string_value(json_object_get(t, "lastError")), PAGES[i].error);
            check_contains(json_string_value(json_object_get(t, "scrapeUrl")), PAGES[i].job);
        }
        assert_true(listed);
    }
    json_decref(targets);
    targets = get_json(collector, "/api/v1/targets?scrapePool=good", 200);
    list = json_object_get(json_object_get(targets, "data"), "activeTargets");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "health")), "up");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "lastError")), "");
    json_decref(targets);
    check_contains(query_label(collector, "crest_agent_target_info{job='nobody'}", "error", text, sizeof text),
                   "onnect");
    assert_true(isnan(query_value(collector, "count({__name__=~'[a-h]'})"))); /* nothing of a bad page is kept */

    /* The good one was scraped on its schedule all the while. */
    json_t *result = query(collector, "good[1m]"), *values = json_object_get(json_array_get(result, 0), "values");
    size_t n = json_array_size(values), late = 0;
    for (size_t i = 1; i < n; i++)
        late += fabs(json_number_value(json_array_get(json_array_get(values, i), 0)) -
                     json_number_value(json_array_get(json_array_get(values, i - 1), 0)) - 1) > 0.25;
    assert_true(n >= 4);
    assert_true(late < (check_slowness() > 1 ? n : n / 2)); /* a hanging one would make each of them late */
    json_decref(result);

    char *page = e2e_get(agent, "/metrics", 200);
    assert_true(page_value(page, "crest_agent_scrape_failures_total") >= ARRAY_LEN(PAGES));
    assert_true(page_value(page, "crest_agent_targets") == (double)ARRAY_LEN(PAGES) + 2);
    assert_true(page_value(page, "crest_agent_targets_up") == 1);
    free(page);

    /* Well again, it is up and its error is gone. */
    stub_server_page(s, "/malformed", &(struct stub_page){.body = "a 1\n", .content_type = TEXT_TYPE});
    query_wait(collector, "up{job='malformed'} == 1", 3000);
    assert_string_equal(query_label(collector, "crest_agent_target_info{job='malformed'}", "error", text, sizeof text),
                        "");
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(s);
}

/* ---- remote write ---- */

static const struct bad_write {
    const char *type, *encoding, *body;
    size_t bytes;
    int status;
    const char *words;
} WRITES[] = {
    {"application/x-protobuf", "snappy", "garbage", 7, 400, "cannot decode"},
    {"application/x-protobuf", "snappy", "", 0, 400, "cannot decode"},
    {"application/x-protobuf", "snappy", "\x05\x10\xff\xff\xff\xff\xff", 7, 400, "cannot decode"}, /* broken protobuf */
    {"application/x-protobuf", "snappy", "\xff\xff\xff\xff\x0f", 5, 413, "larger"},                /* says 4 GB */
    {"application/x-protobuf", "gzip", "x", 1, 415, "snappy"},
    {"application/x-protobuf", NULL, "x", 1, 415, "snappy"},
    {"application/json", "snappy", "{}", 2, 415, "x-protobuf"},
    {NULL, "snappy", "x", 1, 415, "x-protobuf"},
};

static void a_bad_write_gets_its_status_and_a_counter(void **state UNUSED)
{
    struct e2e_program *collector = stage_collector();
    char url[128], type[128], encoding[64];
    double before, after;
    snprintf(url, sizeof url, "%s/api/v1/write", e2e_url(collector));
    int64_t start_ms = unix_ms() - 10000; /* a time of its own for each sample, however fast this runs */
    char *page = e2e_get(collector, "/metrics", 200);
    before = page_value(page, "crest_write_refused_total{reason=\"invalid\"}");
    free(page);
    for (size_t i = 0; i < ARRAY_LEN(WRITES); i++) {
        const struct bad_write *c = &WRITES[i];
        const char *headers[4] = {0};
        char *answer = NULL;
        size_t n = 0;
        snprintf(type, sizeof type, "Content-Type:%s%s", c->type ? " " : "", c->type ? c->type : "");
        snprintf(encoding, sizeof encoding, "Content-Encoding: %s", c->encoding ? c->encoding : "");
        headers[n++] = type;
        if (c->encoding)
            headers[n++] = encoding;
        int status = e2e_try("POST", url, headers, span_of(c->body, c->bytes), &answer);
        if (status != c->status)
            check_failed("write %zu: %d: %s", i, status, answer ? answer : "");
        check_contains(answer, c->words);
        free(answer);
        assert_int_equal(ingest(e2e_url(collector), "good", 1, start_ms + (int64_t)i, (double)i), 204);
    }
    page = e2e_get(collector, "/metrics", 200);
    after = page_value(page, "crest_write_refused_total{reason=\"invalid\"}");
    free(page);
    if (after - before != ARRAY_LEN(WRITES))
        check_failed("%g refusals counted, %zu expected", after - before, ARRAY_LEN(WRITES));
    assert_true(query_value(collector, "count_over_time(good[1m])") == ARRAY_LEN(WRITES));
    e2e_stop(collector);
}

static void a_body_over_the_limit_is_refused_before_it_is_read(void **state UNUSED)
{
    struct e2e_program *collector = stage_collector();
    size_t bytes = 17u << 20;
    char *large = calloc(1, bytes), *answer = NULL;
    assert_non_null(large);
    int status = ingest_body(e2e_url(collector), span_of(large, bytes), &answer);
    if (status != 413)
        check_failed("%d: %s", status, answer ? answer : "");
    free(large);
    free(answer);
    char *page = e2e_get(collector, "/metrics", 200);
    assert_true(page_value(page, "crest_http_refused_total{reason=\"body_size\"}") == 1);
    assert_true(page_value(page, "crest_write_body_bytes_total") == 0);
    free(page);
    assert_int_equal(ingest(e2e_url(collector), "good", 1, unix_ms(), 1), 204);
    e2e_stop(collector);
}

static void a_sample_that_contradicts_is_refused_and_the_rest_kept(void **state UNUSED)
{
    struct e2e_program *collector = stage_collector();
    int64_t now = unix_ms();
    assert_int_equal(ingest(e2e_url(collector), "m", 2, now, 1), 204);
    assert_int_equal(ingest(e2e_url(collector), "m", 2, now, 1), 204); /* the same again is silent */
    assert_int_equal(ingest(e2e_url(collector), "m", 2, now, 2), 400);
    assert_true(query_value(collector, "sum(m)") == 2);
    assert_int_equal(ingest(e2e_url(collector), "m", 1, now + 3600000, 3),
                     400); /* an hour ahead: somebody's clock is wrong */
    assert_int_equal(ingest(e2e_url(collector), "old", 1, now - 30ll * 24 * 3600000 + 60000, 3),
                     204); /* late is fine */
    e2e_stop(collector);
}

/* ---- queries ---- */

static const struct bad_query {
    const char *path;
    int status;
    const char *words;
} QUERIES[] = {
    {"/api/v1/query?query=sum(", 400, "\"errorType\":\"bad_data\""},
    {"/api/v1/query?query=up%20up", 400, "1:4"},
    {"/api/v1/query", 400, "bad_data"},
    {"/api/v1/query?query=up&time=noon", 400, "time"},
    {"/api/v1/query?query=up&time=NaN", 400, "time"},
    {"/api/v1/query?query=up&timeout=x", 400, "timeout"},
    {"/api/v1/query_range?query=up&start=1&end=2", 400, "step"},
    {"/api/v1/query_range?query=up&start=2&end=1&step=1", 400, "end"},
    {"/api/v1/query_range?query=up&start=0&end=100000&step=1", 400, "11,000"},
    {"/api/v1/query_range?query=up&start=0&end=1&step=0", 400, "step"},
    {"/api/v1/query_range?query=up%5B1m%5D&start=0&end=1&step=1", 400, "bad_data"},
    {"/api/v1/series", 400, "match[]"},
    {"/api/v1/series?match[]=%7B", 400, "bad_data"},
    {"/api/v1/label/x/values?limit=-1", 400, "limit"},
    {"/api/v1/rules?type=x", 400, "type"},
    {"/api/v1/nothing", 404, ""},
};

static void a_bad_query_gets_prometheuss_error(void **state UNUSED)
{
    struct e2e_program *collector = stage_collector();
    for (size_t i = 0; i < ARRAY_LEN(QUERIES); i++) {
        char *answer = e2e_get(collector, QUERIES[i].path, QUERIES[i].status);
        check_contains(answer, QUERIES[i].words);
        free(answer);
    }
    free(e2e_send(collector, "DELETE", "/api/v1/query", NULL, NULL, 405));
    e2e_stop(collector);
}

/* ---- configuration ---- */

static const struct bad_file {
    const char *program, *flag, *text, *place;
} FILES[] = {
    {"crest-agent", "--config", "global:\n  scrape_intervall: 1s\n", ":2:3: unknown key 'scrape_intervall'"},
    {"crest-agent", "--config", "scrape_configs:\n  - job_name: [a\n", ":3:1: "},
    {"crest-collector", "--config", "rule_file: [x]\n", ":1:1: unknown key 'rule_file' (did you mean 'rule_files'?)"},
    {"crest-collector", "--config", "storage:\n  retention: 3 weeks\n", ":2:14: "},
    {"crest-collector", "--config", "webhook_url: nowhere\n", ":1:14: webhook_url: "},
    {"crest-collector", "--config", "slo_files: [x]\n", ":1:1: "},
    {"crest-collector", "--rule-file", "groups:\n  - name: g\n    rules:\n      - {alert: A, expr: 'sum('}\n", ":4:"},
    {"crest-collector", "--rule-file", "groups:\n  - name: g\n    rule: []\n", ":3:5: "},
    {"crest-collector", "--web-config", "basic_auth_user: {}\n", ":1:1: "},
};

static void run_with_file(const struct bad_file *c, const char *path, const char *log_path, bool check, int *status)
{
    char program[4096];
    const char *bin = getenv("CREST_BIN");
    snprintf(program, sizeof program, "%s/%s", bin && *bin ? bin : "build/release", c->program);
    const char *const run[] = {program, c->flag, path, "--listen", "127.0.0.1:0", "--data", e2e_path("data"), NULL};
    const char *const checked[] = {program, "check", path, NULL};
    (void)unlink(log_path);
    check_ok(process_run(check ? checked : run, &(struct process_options){.log_path = log_path},
                         10000 * check_slowness(), 1 << 20, NULL, status));
}

static void a_bad_file_ends_with_code_2_and_its_place(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(FILES) * 2; i++) {
        const struct bad_file *c = &FILES[i / 2];
        bool check = i % 2;
        char path[1024], log_path[1024], expected[1200], *log = NULL;
        int status = -1;
        if (check && strcmp(c->flag, "--web-config") == 0)
            continue;
        snprintf(path, sizeof path, "%s", e2e_write("bad.yml", c->text));
        snprintf(log_path, sizeof log_path, "%s", e2e_path("bad.log"));
        run_with_file(c, path, log_path, check, &status);
        check_ok(file_read(log_path, 1 << 20, &log, NULL));
        snprintf(expected, sizeof expected, "%s%s", path, c->place);
        if (status != 2 || !strstr(log, expected))
            check_failed("%s %s: status %d, %s expected in:\n%s", c->program, check ? "check" : c->flag, status,
                         expected, log);
        free(log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_bad_page_is_down_with_its_reason_and_delays_nobody, e2e_teardown),
        cmocka_unit_test_teardown(a_bad_write_gets_its_status_and_a_counter, e2e_teardown),
        cmocka_unit_test_teardown(a_body_over_the_limit_is_refused_before_it_is_read, e2e_teardown),
        cmocka_unit_test_teardown(a_sample_that_contradicts_is_refused_and_the_rest_kept, e2e_teardown),
        cmocka_unit_test_teardown(a_bad_query_gets_prometheuss_error, e2e_teardown),
        cmocka_unit_test_teardown(a_bad_file_ends_with_code_2_and_its_place, e2e_teardown),
    };
    return cmocka_run_group_tests_name("bad input", tests, NULL, NULL);
}
