/* What the query API answers beyond its plain shapes: trees, filters, limits, long answers, federation; and the requests that
 * Grafana's Prometheus data source sends. */
#include <jansson.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/process.h"
#include "tests/support/query.h"
#include "tests/support/samples.h"

#define LONG_SERIES 300
#define LONG_POINTS 400

static struct e2e_program *collector;
static int64_t now_ms;

static void start(const char *const *more)
{
    const char *args[12] = {"--data", e2e_path("data"), "--rule-file",
                            e2e_write("rules.yml", "groups:\n"
                                                   "- name: one\n"
                                                   "  interval: 1h\n"
                                                   "  rules:\n"
                                                   "  - {record: 'a:sum', expr: 'sum(a)', labels: {team: shop}}\n"
                                                   "  - {alert: A, expr: 'a > 0', labels: {team: shop}}\n"
                                                   "- name: two\n"
                                                   "  interval: 1h\n"
                                                   "  rules:\n"
                                                   "  - {alert: B, expr: 'b > 0', labels: {team: pay}}\n"
                                                   "- name: three\n"
                                                   "  interval: 1h\n"
                                                   "  rules:\n"
                                                   "  - {record: 'c:sum', expr: 'sum(c)'}\n")};
    for (size_t i = 0; more && more[i]; i++)
        args[4 + i] = more[i];
    collector = e2e_start("crest-collector", args);
    now_ms = unix_ms();
}

static void send_long(void)
{
    for (int i = 0; i < LONG_SERIES; i++) {
        char series[64];
        struct sample_batch *b = sample_batch_new();
        snprintf(series, sizeof series, "long|n=%03d", i);
        for (int k = 0; k < LONG_POINTS; k++)
            sample_batch_add(b, series, now_ms - 1000 * (LONG_POINTS - k), i + k / 1000.0);
        sample_batch_send(b, collector);
    }
}

/* The answer to a form, as Grafana sends it. */
static json_t *post(const char *path, const char *form, int status)
{
    char *text = e2e_send(collector, "POST", path, "application/x-www-form-urlencoded", form, status);
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);
    if (!root)
        check_failed("%s: %s\n%s", path, error.text, text);
    free(text);
    return root;
}

static void check_error(const char *path, const char *form, int status, const char *type, const char *words)
{
    json_t *root = post(path, form, status);
    assert_string_equal(json_string_value(json_object_get(root, "errorType")), type);
    check_contains(json_string_value(json_object_get(root, "error")), words);
    json_decref(root);
}

static void an_expression_is_shown_as_a_tree_and_over_several_lines(void **state)
{
    (void)state;
    start(NULL);
    json_t *root =
        post("/api/v1/parse_query",
             "query=sum+by+(job)+(rate(foo%7Ba%3D~%22x%22%7D%5B5m%5D+offset+1h))+%2F+on(job)+bar+%2B+1e21", 200);
    json_t *sum = json_object_get(root, "data"), *quotient = json_object_get(sum, "lhs"),
           *aggregation = json_object_get(quotient, "lhs"), *call = json_object_get(aggregation, "expr"),
           *selector = json_array_get(json_object_get(call, "args"), 0);
    assert_string_equal(json_string_value(json_object_get(sum, "type")), "binaryExpr");
    assert_true(json_is_null(json_object_get(sum, "matching")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(sum, "rhs"), "val")),
                        "1000000000000000000000");
    assert_string_equal(json_string_value(json_object_get(json_object_get(quotient, "matching"), "card")),
                        "one-to-one");
    assert_true(json_is_true(json_object_get(json_object_get(quotient, "matching"), "on")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(aggregation, "grouping"), 0)), "job");
    assert_string_equal(json_string_value(json_object_get(json_object_get(call, "func"), "name")), "rate");
    assert_string_equal(json_string_value(json_object_get(selector, "type")), "matrixSelector");
    assert_int_equal(json_integer_value(json_object_get(selector, "range")), 300000);
    assert_int_equal(json_integer_value(json_object_get(selector, "offset")), 3600000);
    assert_int_equal(json_array_size(json_object_get(selector, "matchers")), 2);
    json_decref(root);
    root =
        post("/api/v1/format_query",
             "query=sum(rate(http_requests_total%7Bjob%3D%22api-server%22%2Chandler%3D%22%2Fone%22%7D%5B5m%5D))by(job)"
             "%2Fsum(rate(http_requests_total%7Bjob%3D%22api-server%22%7D%5B5m%5D))by(job)",
             200);
    assert_string_equal(json_string_value(json_object_get(root, "data")),
                        "  sum by (job) (rate(http_requests_total{job=\"api-server\",handler=\"/one\"}[5m]))\n"
                        "/\n"
                        "  sum by (job) (rate(http_requests_total{job=\"api-server\"}[5m]))");
    json_decref(root);
    check_error("/api/v1/parse_query", "query=1%2B", 400, "bad_data", "parse error: unexpected end of input");
    check_error("/api/v1/format_query", "query=1%2B", 400, "bad_data", "parse error: unexpected end of input");
    check_error("/api/v1/query_exemplars", "query=1%2B", 400, "bad_data", "parse error: unexpected end of input");
    check_error("/api/v1/query_exemplars", "query=up&start=2&end=1", 400, "bad_data",
                "end timestamp must not be before");
    e2e_stop(collector);
}

static size_t groups_of(const char *path, char *next_token, size_t bytes)
{
    json_t *root = get_json(collector, path, 200), *data = json_object_get(root, "data");
    size_t n = json_array_size(json_object_get(data, "groups"));
    const char *token = json_string_value(json_object_get(data, "groupNextToken"));
    if (next_token)
        snprintf(next_token, bytes, "%s", token ? token : "");
    json_decref(root);
    return n;
}

static void rules_are_filtered_and_paged(void **state)
{
    (void)state;
    char token[64], path[256], rules_file[512];
    start(NULL);
    assert_int_equal(groups_of("/api/v1/rules", token, sizeof token), 3);
    assert_string_equal(token, "");
    assert_int_equal(groups_of("/api/v1/rules?type=alert", NULL, 0), 2);
    assert_int_equal(groups_of("/api/v1/rules?rule_group%5B%5D=two&rule_group%5B%5D=three", NULL, 0), 2);
    assert_int_equal(groups_of("/api/v1/rules?rule_name%5B%5D=A", NULL, 0), 1);
    assert_int_equal(groups_of("/api/v1/rules?match%5B%5D=%7Bteam%3D%22shop%22%7D", NULL, 0), 1);
    assert_int_equal(groups_of("/api/v1/rules?file%5B%5D=other.yml", NULL, 0), 0);
    snprintf(rules_file, sizeof rules_file, "/api/v1/rules?file%%5B%%5D=%s", e2e_path("rules.yml"));
    assert_int_equal(groups_of(rules_file, NULL, 0), 3);
    assert_int_equal(groups_of("/api/v1/rules?group_limit=2", token, sizeof token), 2);
    assert_string_not_equal(token, "");
    snprintf(path, sizeof path, "/api/v1/rules?group_limit=2&group_next_token=%s", token);
    assert_int_equal(groups_of(path, token, sizeof token), 1);
    assert_string_equal(token, "");
    json_decref(get_json(collector, "/api/v1/rules?group_limit=2&group_next_token=gone", 400));
    json_decref(get_json(collector, "/api/v1/rules?group_next_token=gone", 400));
    json_decref(get_json(collector, "/api/v1/rules?type=both", 400));
    e2e_stop(collector);
}

static void check_body(const char *path, int status, const char *words)
{
    char *text = e2e_get(collector, path, status);
    if (!strstr(text, words))
        check_failed("%s: no %s in %.300s", path, words, text);
    free(text);
}

/* Who shows the last hour's instances in a list must not see those of the day before. */
static void series_and_labels_are_those_of_the_times(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {
        "series?match%5B%5D=%7Bjob%3D~%22.%2B%22%7D",
        "labels?x=", "label/job/values?x=", "label/__name__/values?match%5B%5D=%7Bjob%21%3D%22%22%7D"};
    static const struct {
        int from_s, to_s; /* from now */
        const char *words[4];
    } CASES[] = {
        {-7300,
         10,
         {"[{\"__name__\":\"new\",\"job\":\"here\",\"more\":\"1\"},{\"__name__\":\"old\",\"job\":\"gone\"}]",
          "[\"__name__\",\"job\",\"more\"]", "[\"gone\",\"here\"]", "[\"new\",\"old\"]"}},
        {-3600,
         10,
         {"[{\"__name__\":\"new\",\"job\":\"here\",\"more\":\"1\"}]", "[\"__name__\",\"job\",\"more\"]", "[\"here\"]",
          "[\"new\"]"}},
        {-7300,
         -7100,
         {"[{\"__name__\":\"old\",\"job\":\"gone\"}]", "[\"__name__\",\"job\"]", "[\"gone\"]", "[\"old\"]"}},
        {-3600, -3000, {"\"data\":[]", "\"data\":[]", "\"data\":[]", "\"data\":[]"}},
    };
    start(NULL);
    struct sample_batch *b = sample_batch_new();
    sample_batch_add(b, "old|job=gone", now_ms - 7200000, 1);
    sample_batch_add(b, "new|job=here|more=1", now_ms - 1000, 1);
    sample_batch_send(b, collector);
    int64_t sent_ms = now_ms;
    for (int sealed = 0; sealed < 2; sealed++) {
        for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
            for (size_t k = 0; k < ARRAY_LEN(ROUTES); k++) {
                char path[256];
                snprintf(path, sizeof path, "/api/v1/%s&start=%lld&end=%lld", ROUTES[k],
                         (long long)sent_ms / 1000 + CASES[i].from_s, (long long)sent_ms / 1000 + CASES[i].to_s);
                check_body(path, 200, CASES[i].words[k]);
            }
        if (!sealed) {
            e2e_stop(collector); /* seals */
            start(NULL);
        }
    }
    check_body("/api/v1/label/job/values", 200, "[\"gone\",\"here\"]");
    e2e_stop(collector);
}

/* Parameters that clients send and nobody means: status, error type and words are Prometheus's. */
static void odd_parameters_are_answered_as_prometheus_does(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int status;
        const char *words;
    } CASES[] = {
        {"query", 400, "\"bad_data\""},
        {"query?query=1&time=later", 400, "\"time\\\": cannot parse \\\"later\\\" to a valid timestamp"},
        {"query?query=1&time=NaN", 400, "cannot parse"},
        {"query?query=1&time=-5.25", 200, "[-5.25,\"1\"]"},
        {"query?query=1&time=2015-07-01T20:10:51.781%2B02:00", 200, "[1435774251.781,\"1\"]"},
        {"query?query=1&time=-292273086-05-16T16:47:06Z", 400, "timestamp out of bounds"},
        {"query?query=up&timeout=-1", 503, "\"timeout\""},
        {"query?query=up&timeout=0s", 503, "\"timeout\""},
        {"query?query=up&timeout=soon", 400, "\"timeout\\\": cannot parse \\\"soon\\\" to a valid duration"},
        {"query?query=up&lookback_delta=0", 200, "\"vector\""},
        {"query?query=up&lookback_delta=-1", 200, "\"vector\""},
        {"query?query=max_over_time(up%5B1h%5D)&rollup=1h", 200, "\"vector\""},
        {"query?query=up&rollup=off", 200, "\"vector\""},
        {"query_range?query=up&start=1&end=2&step=1&rollup=2h", 400, "\"rollup\\\": it is auto, off, 5m or 1h"},
        {"query?query=up&limit=-1", 400, "limit must be non-negative"},
        {"query?query=up&limit=all", 400, "\"bad_data\""},
        {"query?query=1&stats=all", 200, "\"totalQueryableSamples\":0"},
        {"query_range?query=1&start=1&end=2&step=0", 400, "zero or negative query resolution step widths"},
        {"query_range?query=1&start=1&end=2&step=-1", 400, "zero or negative query resolution step widths"},
        {"query_range?query=1&start=1&end=2", 400, "\"step\\\": cannot parse \\\"\\\" to a valid duration"},
        {"query_range?query=1&end=2&step=1", 400, "\"start\\\": cannot parse \\\"\\\" to a valid timestamp"},
        {"query_range?query=1&start=3&end=2&step=1", 400, "end timestamp must not be before start time"},
        {"query_range?query=1&start=0&end=11000&step=1", 200, "[11000,\"1\"]"},
        {"query_range?query=1&start=0&end=11001&step=1", 400, "exceeded maximum resolution of 11,000 points"},
        {"query_range?query=1&start=0&end=0.57&step=0.57", 200, "[[0,\"1\"],[0.57,\"1\"]]"},
        {"query_range?query=up%5B5m%5D&start=1&end=2&step=1", 400, "invalid expression type \\\"range vector\\\""},
        {"series", 400, "no match[] parameter provided"},
        {"series?match%5B%5D=%7B%7D", 400, "match[] must contain at least one non-empty matcher"},
        {"series?match%5B%5D=long&start=5&end=1", 200, "\"data\":[]"},
        {"series?match%5B%5D=long&start=-292273086-05-16T16:47:06Z&end=292277025-08-18T07:12:54.999999999Z&limit=1",
         200, "\"__name__\":\"long\""},
        {"series?match%5B%5D=long&start=-9223372036854775&end=9223372036854775&limit=1", 200, "\"__name__\":\"long\""},
        {"labels?start=5&end=1", 200, "\"data\":[]"},
        {"labels?match%5B%5D=up%7B", 400, "parse error: unexpected end of input inside braces"},
        {"label/n/values?limit=2", 200, "[\"000\",\"001\"]"},
        {"label/%FF/values", 400, "invalid label name"},
        {"label/U__not_zz_hex/values", 200, "\"data\":[]"},
        {"metadata?limit=-1", 200, "\"success\""},
        {"metadata?limit=0", 200, "\"data\":{}"},
        {"metadata?limit=x", 400, "limit must be a number"},
        {"metadata?limit_per_metric=x", 400, "limit_per_metric must be a number"},
        {"query_exemplars?query=up&start=2&end=1", 400, "end timestamp must not be before start timestamp"},
        {"query_exemplars?query=1", 200, "\"data\":[]"},
        {"rules?type=both", 400, "not supported value"},
        {"status/tsdb?limit=0", 400, "limit must be a positive number"},
    };
    start(NULL);
    send_long();
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char path[256];
        snprintf(path, sizeof path, "/api/v1/%s", CASES[i].path);
        check_body(path, CASES[i].status, CASES[i].words);
    }
    /* what a form says counts before what the address says */
    json_t *root = post("/api/v1/query?query=2&time=9", "query=1%2B2", 200);
    const json_t *pair = json_object_get(json_object_get(root, "data"), "result");
    assert_int_equal(json_integer_value(json_array_get(pair, 0)), 9);
    assert_string_equal(json_string_value(json_array_get(pair, 1)), "3");
    json_decref(root);
    e2e_stop(collector);
}

static void limits_end_one_query_and_name_themselves(void **state)
{
    (void)state;
    char form[256];
    start(E2E_ARGS("--query-max-samples", "50000", "--query-max-memory", "1MB"));
    send_long();
    snprintf(form, sizeof form, "query=long&start=%lld&end=%lld&step=1", (long long)now_ms / 1000 - 390,
             (long long)now_ms / 1000 - 10);
    check_error("/api/v1/query_range", form, 422, "execution",
                "too many samples into memory in query execution (limit 50000)");
    /* 300 series of 141 steps are within the samples, and their copies and labels are not within a megabyte */
    snprintf(form, sizeof form,
             "query=sort(label_replace(sum+by(n)(long),%%22x%%22,%%22$1%%22,%%22n%%22,%%22(.*)%%22))&start=%lld&end=%"
             "lld&step=1",
             (long long)now_ms / 1000 - 150, (long long)now_ms / 1000 - 10);
    check_error("/api/v1/query_range", form, 422, "execution", "memory limit 1048576 bytes");
    json_t *root = post("/api/v1/query", "query=count(long)", 200); /* others go on */
    json_decref(root);
    root = post("/api/v1/query", "query=long&limit=7&stats=all", 200);
    assert_int_equal(json_array_size(json_object_get(json_object_get(root, "data"), "result")), 7);
    assert_string_equal(json_string_value(json_array_get(json_object_get(root, "warnings"), 0)),
                        "results truncated due to limit");
    json_t *stats = json_object_get(json_object_get(root, "data"), "stats");
    assert_true(json_number_value(json_object_get(json_object_get(stats, "timings"), "execTotalTime")) > 0);
    assert_true(json_integer_value(json_object_get(json_object_get(stats, "samples"), "totalQueryableSamples")) >=
                LONG_SERIES);
    json_decref(root);
    root = post("/api/v1/query", "query=long&limit=300", 200);
    assert_null(json_object_get(root, "warnings"));
    json_decref(root);
    /* a sample of ten minutes ago is the present value of who looks back an hour */
    snprintf(form, sizeof form, "query=count(long)&time=%lld", (long long)now_ms / 1000 + 600);
    root = post("/api/v1/query", form, 200);
    assert_int_equal(json_array_size(json_object_get(json_object_get(root, "data"), "result")), 0);
    json_decref(root);
    snprintf(form, sizeof form, "query=count(long)&time=%lld&lookback_delta=1h", (long long)now_ms / 1000 + 600);
    root = post("/api/v1/query", form, 200);
    assert_int_equal(json_array_size(json_object_get(json_object_get(root, "data"), "result")), 1);
    json_decref(root);
    e2e_stop(collector);
}

/* Some 3 MB: sent as they are taken, plain and compressed, and the same. */
static void a_long_answer_is_whole(void **state)
{
    (void)state;
    char path[256], url[512];
    start(NULL);
    send_long();
    snprintf(path, sizeof path, "/api/v1/query_range?query=long&start=%lld&end=%lld&step=1",
             (long long)now_ms / 1000 - LONG_POINTS + 1, (long long)now_ms / 1000 - 2);
    char *text = e2e_get(collector, path, 200);
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);
    if (!root)
        check_failed("%s at %d", error.text, error.position);
    assert_true(strlen(text) > 2u << 20);
    json_t *result = json_object_get(json_object_get(root, "data"), "result");
    assert_int_equal(json_array_size(result), LONG_SERIES);
    for (size_t i = 0; i < LONG_SERIES; i++) {
        json_t *values = json_object_get(json_array_get(result, i), "values");
        assert_int_equal(json_array_size(values), LONG_POINTS - 2);
    }
    json_decref(root);
    snprintf(url, sizeof url, "%s%s", e2e_url(collector), path);
    const char *argv[] = {"/usr/bin/curl", "-sS", "--compressed", "-o", e2e_path("answer"), url, NULL};
    char *other = NULL;
    int status = -1;
    check_ok(
        process_run(argv, &(struct process_options){.log_path = e2e_path("curl.log")}, 60000, 1u << 20, NULL, &status));
    assert_int_equal(status, 0);
    check_ok(file_read(e2e_path("answer"), 64u << 20, &other, NULL));
    size_t same = 0;
    while (text[same] && text[same] == other[same])
        same++;
    if (text[same] != other[same])
        check_failed("differs at byte %zu of %zu and %zu: %.40s", same, strlen(text), strlen(other), other + same);
    free(other);
    free(text);
    snprintf(path, sizeof path, "query=quantile_over_time(0.5,long%%5B5m%%5D)&start=%lld&end=%lld&step=1&timeout=1ms",
             (long long)now_ms / 1000 - LONG_POINTS, (long long)now_ms / 1000);
    check_error("/api/v1/query_range", path, 503, "timeout", "(the request's timeout 1ms)");
    e2e_stop(collector);
}

/* Lists are sent as they are taken, too: 10,000 series of 150 bytes are more than is sent at once. */
static void a_long_list_is_whole(void **state)
{
    (void)state;
    enum { MANY = 10000 };
    char series[256];
    start(NULL);
    struct sample_batch *b = sample_batch_new();
    for (int i = 0; i < MANY; i++) {
        snprintf(series, sizeof series, "many|n=%05d|pad=%0100d", i, i);
        sample_batch_add(b, series, now_ms, i);
    }
    sample_batch_send(b, collector);
    static const struct {
        const char *path;
        size_t n;
        const char *last;
    } CASES[] = {{"/api/v1/series?match%5B%5D=many", MANY, NULL},
                 {"/api/v1/series?match%5B%5D=many&limit=9999", MANY - 1, NULL},
                 {"/api/v1/label/pad/values", MANY, NULL},
                 {"/api/v1/label/n/values?limit=9998", MANY - 2, "09997"}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        json_t *root = get_json(collector, CASES[i].path, 200), *data = json_object_get(root, "data");
        assert_int_equal(json_array_size(data), CASES[i].n);
        assert_int_equal(json_array_size(json_object_get(root, "warnings")), CASES[i].n < MANY);
        if (CASES[i].last)
            assert_string_equal(json_string_value(json_array_get(data, CASES[i].n - 1)), CASES[i].last);
        json_decref(root);
    }
    e2e_stop(collector);
}

static void federation_gives_the_newest_sample_of_each_series(void **state)
{
    (void)state;
    char line[128];
    start(NULL);
    struct sample_batch *b = sample_batch_new();
    sample_batch_add(b, "b|instance=h:1|path=\\q\"", now_ms - 2000, 1);
    sample_batch_add(b, "b|instance=h:1|path=\\q\"", now_ms - 1000, 2.5);
    sample_batch_add(b, "a|job=shop", now_ms - 1000, 1e21);
    sample_batch_add(b, "old|job=shop", now_ms - 3600000, 1);
    sample_batch_send(b, collector);
    char *page = e2e_get(collector, "/federate?match%5B%5D=b&match%5B%5D=%7Bjob%3D%22shop%22%7D", 200);
    char expected[512];
    snprintf(expected, sizeof expected,
             "# TYPE a untyped\na{instance=\"\",job=\"shop\"} 1e+21 %lld\n"
             "# TYPE b untyped\nb{instance=\"h:1\",path=\"\\\\q\\\"\"} 2.5 %lld\n",
             (long long)now_ms - 1000, (long long)now_ms - 1000);
    assert_string_equal(page, expected);
    free(page);
    snprintf(line, sizeof line, "/federate?match%%5B%%5D=%%7B%%7D"); /* all, as Prometheus gives it here */
    page = e2e_get(collector, line, 200);
    assert_string_equal(page, expected);
    free(page);
    page = e2e_get(collector, "/federate", 200);
    assert_string_equal(page, "");
    free(page);
    e2e_stop(collector);
}

/* What Grafana's Prometheus data source sends: the health check of "Save & test", variables, the query builder, explore. */
static void grafanas_requests_are_answered(void **state)
{
    (void)state;
    char form[512];
    long long s = unix_ms() / 1000;
    start(NULL);
    send_long();
    static const char *const PATHS[] = {
        "/api/v1/status/buildinfo",
        "/api/v1/rules",
        "/api/v1/metadata",
        "/api/v1/metadata?limit=10&limit_per_metric=1",
        "/api/v1/label/__name__/values?limit=40000",
        "/api/v1/label/n/values?match%5B%5D=%7B__name__%3D%22long%22%7D&limit=5",
        "/api/v1/label/U__na_3a_me/values",
        "/api/v1/series?match%5B%5D=long&limit=5",
        "/api/v1/labels?match%5B%5D=long",
    };
    for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
        json_t *root = get_json(collector, PATHS[i], 200);
        assert_string_equal(json_string_value(json_object_get(root, "status")), "success");
        json_decref(root);
    }
    const struct {
        const char *path, *form;
    } FORMS[] = {
        {"/api/v1/query", "query=1%2B1&time=%lld.123"},
        {"/api/v1/query", "query=count(long)&time=%lld&timeout=60s"},
        {"/api/v1/query_range", "query=sum(long)&start=%lld&end=%lld&step=15"},
        {"/api/v1/query_range", "query=sum(long)&start=%lld.5&end=%lld.25&step=100ms&timeout=30s"},
        {"/api/v1/labels", "start=%lld&end=%lld&match%%5B%%5D=long"},
        {"/api/v1/series", "start=%lld&end=%lld&match%%5B%%5D=long"},
        {"/api/v1/query_exemplars", "query=long&start=%lld&end=%lld"},
        {"/api/v1/parse_query", "query=long"},
        {"/api/v1/format_query", "query=sum(long)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(FORMS); i++) {
        struct buf b;
        buf_init(&b, sizeof form);
        const char *at = FORMS[i].form;
        for (long long t = s - 60; *at;) {
            if (strncmp(at, "%lld", 4) == 0) {
                buf_i64(&b, t);
                t += 60;
                at += 4;
            } else if (strncmp(at, "%%", 2) == 0) {
                buf_char(&b, '%');
                at += 2;
            } else {
                buf_char(&b, *at++);
            }
        }
        snprintf(form, sizeof form, "%s", b.data);
        buf_done(&b);
        json_t *root = post(FORMS[i].path, form, 200);
        assert_string_equal(json_string_value(json_object_get(root, "status")), "success");
        json_decref(root);
    }
    e2e_stop(collector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_expression_is_shown_as_a_tree_and_over_several_lines, e2e_teardown),
        cmocka_unit_test_teardown(rules_are_filtered_and_paged, e2e_teardown),
        cmocka_unit_test_teardown(series_and_labels_are_those_of_the_times, e2e_teardown),
        cmocka_unit_test_teardown(odd_parameters_are_answered_as_prometheus_does, e2e_teardown),
        cmocka_unit_test_teardown(limits_end_one_query_and_name_themselves, e2e_teardown),
        cmocka_unit_test_teardown(a_long_answer_is_whole, e2e_teardown),
        cmocka_unit_test_teardown(a_long_list_is_whole, e2e_teardown),
        cmocka_unit_test_teardown(federation_gives_the_newest_sample_of_each_series, e2e_teardown),
        cmocka_unit_test_teardown(grafanas_requests_are_answered, e2e_teardown),
    };
    return cmocka_run_group_tests_name("query api", tests, NULL, NULL);
}
