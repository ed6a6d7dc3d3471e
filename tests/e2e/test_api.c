/* The query API as Prometheus's clients know it: each endpoint's shape, and Debian's promtool as a client that is not ours. */
#include "tests/support/e2e.h"

#include <jansson.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/process.h"

static struct e2e_program *shop, *collector, *agent;

static bool both_are_known(void *ctx)
{
    (void)ctx;
    char *text = e2e_get(collector, "/api/v1/query?query=count(up)", 200);
    bool known = strstr(text, ",\"2\"]") != NULL;
    free(text);
    return known;
}

static bool the_alert_fires(void *ctx)
{
    (void)ctx;
    char *text = e2e_get(collector, "/api/v1/alerts", 200);
    bool fires = strstr(text, "\"firing\"") != NULL;
    free(text);
    return fires;
}

static void start_all(void)
{
    char yaml[1024];
    shop = e2e_start("crest-shop", E2E_ARGS("gateway"));
    collector = e2e_start("crest-collector",
                          E2E_ARGS("--data", e2e_path("data"), "--rule-file",
                                   e2e_write("rules.yml", "groups:\n- name: g\n  interval: 1s\n  rules:\n"
                                                          "  - record: up:sum\n    expr: sum(up)\n"
                                                          "  - alert: Up\n    expr: up > 0\n"
                                                          "    labels: {severity: page}\n"
                                                          "    annotations: {summary: \"{{ $labels.job }}\"}\n")));
    snprintf(yaml, sizeof yaml,
             "scrape_configs:\n  - job_name: shop\n    scrape_interval: 1s\n    static_configs: [{targets: "
             "[\"127.0.0.1:%u\"]}]\n  - job_name: down\n    scrape_interval: 1s\n    static_configs: [{targets: "
             "[\"127.0.0.1:1\"]}]\nremote_write:\n  - url: %s/api/v1/write\n",
             (unsigned)e2e_port(shop), e2e_url(collector));
    agent = e2e_start("crest-agent", E2E_ARGS("--data", e2e_path("agent"), "--config", e2e_write("p.yml", yaml)));
    e2e_wait(10000, both_are_known, NULL);
    e2e_wait(10000, the_alert_fires, NULL);
}

static void stop_all(void)
{
    e2e_stop(agent);
    e2e_stop(collector);
    e2e_stop(shop);
}

/* GET it: the member "data" of a success, the caller decrefs; NULL after an expected error of that type. */
static json_t *data_of(const char *path, int status, const char *error_type)
{
    json_error_t error;
    char *text = e2e_get(collector, path, status);
    json_t *root = json_loads(text, 0, &error);
    if (!root)
        check_failed("%s: %s\n%s", path, error.text, text);
    const char *said = json_string_value(json_object_get(root, "status"));
    if (!said || strcmp(said, error_type ? "error" : "success") != 0)
        check_failed("%s: %s", path, text);
    json_t *data = json_incref(json_object_get(root, "data"));
    if (error_type) {
        assert_string_equal(json_string_value(json_object_get(root, "errorType")), error_type);
        assert_true(json_is_string(json_object_get(root, "error")));
        assert_null(data);
    }
    json_decref(root);
    free(text);
    return data;
}

static void check_members(const char *path, const json_t *object, const char *const *names)
{
    for (; *names; names++)
        if (!json_object_get(object, *names))
            check_failed("%s: no member %s in %s", path, *names, json_dumps(object, 0));
}

static void check_result(const char *path, const char *type, size_t n)
{
    json_t *data = data_of(path, 200, NULL), *result = json_object_get(data, "result");
    assert_string_equal(json_string_value(json_object_get(data, "resultType")), type);
    bool is_pair = strcmp(type, "scalar") == 0 || strcmp(type, "string") == 0;
    assert_int_equal(json_array_size(result), is_pair ? 2 : n);
    for (size_t i = 0; !is_pair && i < n; i++) {
        json_t *one = json_array_get(result, i);
        bool many = strcmp(type, "matrix") == 0;
        json_t *value = json_object_get(one, many ? "values" : "value");
        assert_true(json_is_object(json_object_get(one, "metric")));
        json_t *pair = many ? json_array_get(value, 0) : value;
        assert_true(json_is_number(json_array_get(pair, 0)) && json_is_string(json_array_get(pair, 1)));
    }
    json_decref(data);
}

static bool has_text(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

static void every_endpoint_has_prometheus_shape(void **state)
{
    (void)state;
    char path[256];
    start_all();
    check_result("/api/v1/query?query=up", "vector", 2);
    check_result("/api/v1/query?query=1", "scalar", 0);
    check_result("/api/v1/query?query=%22a%22", "string", 0);
    check_result("/api/v1/query?query=up%5B1m%5D", "matrix", 2);
    int64_t now = unix_ms() / 1000 + 1; /* the first scrape may be younger than this full second */
    snprintf(path, sizeof path, "/api/v1/query_range?query=up&start=%lld&end=%lld&step=1", (long long)now - 5,
             (long long)now);
    check_result(path, "matrix", 2);
    json_decref(data_of("/api/v1/query?query=rate(", 400, "bad_data"));
    json_decref(data_of("/api/v1/query_range?query=up&start=1&end=2", 400, "bad_data"));
    json_decref(data_of("/api/v1/series", 400, "bad_data"));

    json_t *data = data_of("/api/v1/series?match%5B%5D=up", 200, NULL);
    assert_int_equal(json_array_size(data), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(data, 0), "__name__")), "up");
    json_decref(data);
    data = data_of("/api/v1/labels", 200, NULL);
    assert_true(has_text(data, "job") && has_text(data, "__name__"));
    json_decref(data);
    data = data_of("/api/v1/label/job/values", 200, NULL);
    assert_int_equal(json_array_size(data), 2);
    assert_true(has_text(data, "down") && has_text(data, "shop"));
    json_decref(data);

    data = data_of("/api/v1/rules", 200, NULL);
    json_t *group = json_array_get(json_object_get(data, "groups"), 0), *rules = json_object_get(group, "rules");
    check_members("rules", group,
                  (const char *const[]){"name", "file", "interval", "limit", "evaluationTime", "lastEvaluation", NULL});
    check_members("recording rule", json_array_get(rules, 0),
                  (const char *const[]){"name", "query", "health", "evaluationTime", "lastEvaluation", "type", NULL});
    check_members("alerting rule", json_array_get(rules, 1),
                  (const char *const[]){"state", "name", "query", "duration", "labels", "annotations", "alerts",
                                        "health", "evaluationTime", "lastEvaluation", "type", NULL});
    json_decref(data);
    data = data_of("/api/v1/alerts", 200, NULL);
    check_members("alert", json_array_get(json_object_get(data, "alerts"), 0),
                  (const char *const[]){"labels", "annotations", "state", "activeAt", "value", NULL});
    json_decref(data);

    data = data_of("/api/v1/targets", 200, NULL);
    json_t *targets = json_object_get(data, "activeTargets");
    assert_int_equal(json_array_size(targets), 2);
    for (size_t i = 0; i < 2; i++) {
        json_t *t = json_array_get(targets, i);
        check_members("target", t,
                      (const char *const[]){"discoveredLabels", "labels", "scrapePool", "scrapeUrl", "globalUrl",
                                            "lastError", "lastScrape", "lastScrapeDuration", "health", NULL});
        bool down = strcmp(json_string_value(json_object_get(t, "scrapePool")), "down") == 0;
        assert_string_equal(json_string_value(json_object_get(t, "health")), down ? "down" : "up");
        assert_int_equal(json_string_value(json_object_get(t, "lastError"))[0] != '\0', down);
    }
    json_decref(data);
    data = data_of("/api/v1/targets?state=dropped", 200, NULL);
    assert_int_equal(json_array_size(json_object_get(data, "activeTargets")), 0);
    json_decref(data);

    data = data_of("/api/v1/status/buildinfo", 200, NULL);
    assert_int_equal(strncmp(json_string_value(json_object_get(data, "version")), "3.", 2), 0);
    json_decref(data);
    data = data_of("/api/v1/status/runtimeinfo", 200, NULL);
    check_members("runtimeinfo", data,
                  (const char *const[]){"startTime", "serverTime", "CWD", "hostname", "reloadConfigSuccess",
                                        "lastConfigTime", "storageRetention", NULL});
    assert_true(json_is_true(json_object_get(data, "reloadConfigSuccess")));
    assert_string_equal(json_string_value(json_object_get(data, "storageRetention")), "30d");
    json_decref(data);
    data = data_of("/api/v1/status/tsdb?limit=3", 200, NULL);
    check_members("tsdb", data,
                  (const char *const[]){"headStats", "seriesCountByMetricName", "labelValueCountByLabelName",
                                        "memoryInBytesByLabelName", "seriesCountByLabelValuePair", NULL});
    assert_true(json_integer_value(json_object_get(json_object_get(data, "headStats"), "numSeries")) > 0);
    const json_t *most = json_object_get(data, "seriesCountByLabelValuePair");
    assert_int_equal(json_array_size(most), 3);
    assert_true(json_integer_value(json_object_get(json_array_get(most, 0), "value")) >=
                json_integer_value(json_object_get(json_array_get(most, 2), "value")));
    assert_non_null(strchr(json_string_value(json_object_get(json_array_get(most, 0), "name")), '='));
    json_decref(data);
    (void)data_of("/api/v1/status/tsdb?limit=0", 400, "bad_data");
    data = data_of("/api/v1/metadata", 200, NULL);
    assert_true(json_object_size(data) > 0);
    json_decref(data);
    stop_all();
}

static void what_is_in_force_is_told_without_secrets(void **state)
{
    (void)state;
    const char *config =
        e2e_write("crest.yml", "webhook_url: http://127.0.0.1:9/hook/t0ken\nstorage: {retention: 10d}\n"
                               "external_url: http://crest.example\n");
    collector = e2e_start("crest-collector", E2E_ARGS("--config", config, "--data", e2e_path("data"), "--webhook-url",
                                                      "http://127.0.0.1:9/hook/t0ken", "--stream-clients", "77"));
    json_t *data = data_of("/api/v1/status/config", 200, NULL);
    const char *yaml = json_string_value(json_object_get(data, "yaml"));
    check_contains(yaml, "external_url: \"http://crest.example\"\n");
    check_contains(yaml, "  retention: 10d\n");
    check_contains(yaml, "webhook_url: <secret>\n");
    assert_null(strstr(yaml, "t0ken"));
    json_decref(data);
    data = data_of("/api/v1/status/flags", 200, NULL);
    assert_string_equal(json_string_value(json_object_get(data, "stream-clients")), "77");
    assert_string_equal(json_string_value(json_object_get(data, "webhook-url")), "<secret>");
    assert_string_equal(json_string_value(json_object_get(data, "durability")), "full");
    assert_null(json_object_get(data, "starts")); /* of another command */
    json_decref(data);
    data = data_of("/api/v1/status/runtimeinfo", 200, NULL);
    assert_string_equal(json_string_value(json_object_get(data, "storageRetention")), "10d");
    json_decref(data);
    e2e_stop(collector);
    collector = NULL;
}

static void debians_promtool_asks_us(void **state)
{
    (void)state;
    if (!e2e_have("promtool"))
        skip();
    start_all();
    const struct {
        const char *args[8];
        const char *expected;
    } CASES[] = {
        {{"query", "instant", "@", "up"}, "job=\"shop\"} => 1 @["},
        {{"query", "range", "--step=1s", "@", "sum(up)"}, "{} =>\n1 @["},
        {{"query", "labels", "@", "job"}, "down\nshop\n"},
        {{"query", "series", "--match=up", "@"}, "__name__=\"up\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const char *argv[10] = {"/usr/bin/promtool"};
        char *out = NULL;
        int status = -1;
        for (size_t k = 0; k < 8 && CASES[i].args[k]; k++)
            argv[k + 1] = CASES[i].args[k][0] == '@' ? e2e_url(collector) : CASES[i].args[k];
        check_ok(process_run(argv, &(struct process_options){.log_path = e2e_path("promtool.log")}, 30000, 1u << 20,
                             &out, &status));
        assert_int_equal(status, 0);
        check_contains(out, CASES[i].expected);
        free(out);
    }
    stop_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_endpoint_has_prometheus_shape, e2e_teardown),
        cmocka_unit_test_teardown(what_is_in_force_is_told_without_secrets, e2e_teardown),
        cmocka_unit_test_teardown(debians_promtool_asks_us, e2e_teardown),
    };
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
