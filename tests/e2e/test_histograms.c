/* Remote write 2.0 with native histograms and exemplars, from a sender of another make, and back through the query API. */
#include <jansson.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/support/protobuf_write.h"
#include "tests/support/query.h"

static const char *const SYMBOLS[] = {"",   "__name__", "rpc_seconds", "job",    "shop",   "trace_id", "t1",
                                      "t2", "seconds",  "How long",    "custom", "broken", "plain",    "t0"};
enum { S_NAME = 1, S_RPC, S_JOB, S_SHOP, S_TRACE, S_T1, S_T2, S_SECONDS, S_HELP, S_CUSTOM, S_BROKEN, S_PLAIN, S_T0 };
#define TYPE_2 "application/x-protobuf;proto=io.prometheus.write.v2.Request"

static struct e2e_program *collector;
static int64_t now_ms;

static struct buf new_buf(void)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    return b;
}

/* One request over a connection of its own: the whole answer, head and body. */
static struct buf exchange(const struct buf *request)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(e2e_port(collector))};
    struct buf answer;
    char piece[4096];
    ssize_t n;
    buf_init(&answer, 1 << 20);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    for (size_t at = 0; at < request->len; at += (size_t)n) {
        n = send(fd, request->data + at, request->len - at, MSG_NOSIGNAL);
        assert_true(n > 0);
    }
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
        buf_bytes(&answer, piece, (size_t)n);
    close(fd);
    return answer;
}

static char *send_raw(const char *type, struct span body)
{
    struct buf request = new_buf();
    buf_printf(&request,
               "POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\nContent-Type: %s\r\n"
               "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 2.0.0\r\nContent-Length: %zu\r\n\r\n",
               e2e_port(collector), type, body.len);
    buf_span(&request, body);
    struct buf answer = exchange(&request);
    buf_done(&request);
    return buf_take(&answer, NULL);
}

/* The request is compressed, sent and emptied; the answer's status line must have the status. */
static char *send_request(struct buf *request, int status)
{
    size_t n = snappy_max_compressed_length(request->len);
    char *body = malloc(n), line[32];
    assert_int_equal(snappy_compress(request->data, request->len, body, &n), SNAPPY_OK);
    char *answer = send_raw(TYPE_2, span_of(body, n));
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    if (!answer || strncmp(answer, line, strlen(line)) != 0)
        check_failed("not %d: %s", status, answer ? answer : "no answer");
    free(body);
    buf_done(request);
    return answer;
}

static void check_written(const char *answer, unsigned samples, unsigned histograms, unsigned exemplars)
{
    char head[128];
    snprintf(head, sizeof head, "X-Prometheus-Remote-Write-Samples-Written: %u\r\n", samples);
    check_contains(answer, head);
    snprintf(head, sizeof head, "X-Prometheus-Remote-Write-Histograms-Written: %u\r\n", histograms);
    check_contains(answer, head);
    snprintf(head, sizeof head, "X-Prometheus-Remote-Write-Exemplars-Written: %u\r\n", exemplars);
    check_contains(answer, head);
}

static struct buf new_request(void)
{
    struct buf request = new_buf();
    for (size_t i = 0; i < ARRAY_LEN(SYMBOLS); i++)
        pbw_span(&request, 4, span_str(SYMBOLS[i]));
    return request;
}

/* name{job="shop"} */
static struct buf new_series(int name)
{
    struct buf series = new_buf();
    const char refs[] = {S_NAME, (char)name, S_JOB, S_SHOP};
    pbw_span(&series, 1, span_of(refs, sizeof refs));
    return series;
}

static void put_bucket_span(struct buf *h, unsigned field, int32_t offset, uint32_t length)
{
    struct buf s = new_buf();
    pbw_zigzag(&s, 1, offset);
    pbw_int(&s, 2, length);
    pbw_message(h, field, &s);
    buf_done(&s);
}

/* Schema 0: 4 in (0.5, 1], 3 + k in (1, 2], 2 in (4, 8], 1 in [-1, -0.5), 2 of zero. */
static void put_integer_histogram(struct buf *series, int64_t t_ms, int64_t k)
{
    struct buf h = new_buf();
    pbw_int(&h, 1, 12 + k);
    pbw_double(&h, 3, 17.5 + (double)k);
    pbw_zigzag(&h, 4, 0);
    pbw_double(&h, 5, 0.001);
    pbw_int(&h, 6, 2);
    put_bucket_span(&h, 8, 0, 1);
    pbw_zigzag(&h, 9, 1);
    put_bucket_span(&h, 11, 0, 2);
    put_bucket_span(&h, 11, 1, 1);
    pbw_zigzag(&h, 12, 4);
    pbw_zigzag(&h, 12, -1 + k);
    pbw_zigzag(&h, 12, -1 - k);
    pbw_int(&h, 15, t_ms);
    pbw_int(&h, 17, t_ms - 60000);
    pbw_message(series, 3, &h);
    buf_done(&h);
}

static void put_exemplar(struct buf *series, int64_t t_ms, double value, int trace)
{
    struct buf x = new_buf();
    const char refs[] = {S_TRACE, (char)trace};
    pbw_span(&x, 1, span_of(refs, sizeof refs));
    pbw_double(&x, 2, value);
    pbw_int(&x, 3, t_ms);
    pbw_message(series, 4, &x);
    buf_done(&x);
}

static json_t *histogram_of(const char *expression, int64_t time_ms)
{
    json_t *result = query_at(collector, expression, time_ms);
    if (json_array_size(result) != 1)
        check_failed("%s: %zu series", expression, json_array_size(result));
    json_t *pair = json_incref(json_object_get(json_array_get(result, 0), "histogram"));
    assert_int_equal(json_array_size(pair), 2);
    json_t *h = json_incref(json_array_get(pair, 1));
    json_decref(pair);
    json_decref(result);
    return h;
}

static void check_bucket(const json_t *h, size_t i, int rule, const char *low, const char *high, const char *count)
{
    const json_t *bucket = json_array_get(json_object_get(h, "buckets"), i);
    assert_int_equal(json_integer_value(json_array_get(bucket, 0)), rule);
    assert_string_equal(json_string_value(json_array_get(bucket, 1)), low);
    assert_string_equal(json_string_value(json_array_get(bucket, 2)), high);
    assert_string_equal(json_string_value(json_array_get(bucket, 3)), count);
}

static void check_answers(void)
{
    json_t *h = histogram_of("rpc_seconds", now_ms);
    assert_string_equal(json_string_value(json_object_get(h, "count")), "17");
    assert_string_equal(json_string_value(json_object_get(h, "sum")), "22.5");
    assert_int_equal(json_array_size(json_object_get(h, "buckets")), 5);
    check_bucket(h, 0, 1, "-1", "-0.5", "1");
    check_bucket(h, 1, 3, "-0.001", "0.001", "2");
    check_bucket(h, 2, 0, "0.5", "1", "4");
    check_bucket(h, 3, 0, "1", "2", "8");
    check_bucket(h, 4, 0, "4", "8", "2");
    json_decref(h);
    h = histogram_of("custom", now_ms);
    assert_string_equal(json_string_value(json_object_get(h, "count")), "3.5");
    check_bucket(h, 0, 3, "-Inf", "0.1", "1.5"); /* the first of custom ones is closed on both sides */
    check_bucket(h, 1, 0, "1", "+Inf", "2");
    json_decref(h);
    assert_true(query_value(collector, "histogram_count(rpc_seconds)") == 17);
    assert_true(query_value(collector, "histogram_sum(rpc_seconds)") == 22.5);
    assert_true(query_value(collector, "plain") == 7);
    json_t *result = query_at(collector, "rpc_seconds[10m]", now_ms);
    assert_int_equal(json_array_size(json_object_get(json_array_get(result, 0), "histograms")), 6);
    json_decref(result);

    char path[256];
    snprintf(
        path, sizeof path,
        "/api/v1/query_range?query=%%7Bjob%%3D%%22shop%%22,__name__!=%%22custom%%22%%7D&start=%lld&end=%lld&step=60",
        (long long)now_ms / 1000 - 120, (long long)now_ms / 1000);
    json_t *range = get_json(collector, path, 200);
    result = json_object_get(json_object_get(range, "data"), "result");
    assert_int_equal(json_array_size(result), 2);
    assert_int_equal(json_array_size(json_object_get(json_array_get(result, 0), "values")), 1); /* plain */
    assert_null(json_object_get(json_array_get(result, 0), "histograms"));
    json_t *points = json_object_get(json_array_get(result, 1), "histograms"), *last = json_array_get(points, 2);
    assert_null(json_object_get(json_array_get(result, 1), "values"));
    assert_int_equal(json_array_size(points), 3);
    assert_int_equal(json_integer_value(json_array_get(last, 0)), now_ms / 1000);
    assert_string_equal(json_string_value(json_object_get(json_array_get(last, 1), "count")), "17");
    check_bucket(json_array_get(last, 1), 0, 1, "-1", "-0.5", "1");
    json_decref(range);
    snprintf(path, sizeof path, "/api/v1/query_exemplars?query=rpc_seconds&start=%.3f&end=%.3f",
             (double)(now_ms - 600000) / 1000, (double)now_ms / 1000);
    json_t *root = get_json(collector, path, 200);
    const json_t *series = json_array_get(json_object_get(root, "data"), 0),
                 *exemplars = json_object_get(series, "exemplars");
    assert_string_equal(json_string_value(json_object_get(json_object_get(series, "seriesLabels"), "job")), "shop");
    assert_int_equal(json_array_size(exemplars), 2);
    const json_t *x = json_array_get(exemplars, 1);
    assert_string_equal(json_string_value(json_object_get(json_object_get(x, "labels"), "trace_id")), "t2");
    assert_string_equal(json_string_value(json_object_get(x, "value")), "1.5");
    assert_true(json_number_value(json_object_get(x, "timestamp")) == (double)now_ms / 1000);
    json_decref(root);
    snprintf(path, sizeof path, "/api/v1/query_exemplars?query=sum(rate(rpc_seconds%%5B1m%%5D))+%%2F+plain&end=%.3f",
             (double)(now_ms - 30000) / 1000); /* of every selector, up to a time */
    root = get_json(collector, path, 200);
    assert_int_equal(json_array_size(json_object_get(root, "data")), 1);
    series = json_array_get(json_object_get(root, "data"), 0);
    assert_int_equal(json_array_size(json_object_get(series, "exemplars")), 1);
    json_decref(root);
    for (int ago_s = 0; ago_s <= 3600; ago_s += 3600) { /* lists know when a histogram was there */
        snprintf(path, sizeof path, "/api/v1/series?match%%5B%%5D=rpc_seconds&start=%lld&end=%lld",
                 (long long)now_ms / 1000 - 600 - ago_s, (long long)now_ms / 1000 - ago_s);
        root = get_json(collector, path, 200);
        assert_int_equal(json_array_size(json_object_get(root, "data")), ago_s == 0);
        json_decref(root);
    }
    root = get_json(collector, "/api/v1/metadata?metric=rpc_seconds", 200);
    const json_t *m = json_array_get(json_object_get(json_object_get(root, "data"), "rpc_seconds"), 0);
    assert_string_equal(json_string_value(json_object_get(m, "type")), "histogram");
    assert_string_equal(json_string_value(json_object_get(m, "help")), "How long");
    json_decref(root);
}

static struct buf full_request(void)
{
    struct buf request = new_request(), series = new_series(S_RPC), m = new_buf();
    for (int64_t k = 0; k <= 5; k++)
        put_integer_histogram(&series, now_ms - (5 - k) * 60000, k);
    put_exemplar(&series, now_ms - 60000, 0.75, S_T1);
    put_exemplar(&series, now_ms, 1.5, S_T2);
    pbw_int(&m, 1, 3);
    pbw_int(&m, 3, S_HELP);
    pbw_int(&m, 4, S_SECONDS);
    pbw_message(&series, 5, &m);
    pbw_message(&request, 5, &series);
    buf_done(&series);

    series = new_series(S_CUSTOM);
    struct buf h = new_buf();
    pbw_double(&h, 2, 3.5);
    pbw_double(&h, 3, 9);
    pbw_zigzag(&h, 4, -53);
    put_bucket_span(&h, 11, 0, 1);
    put_bucket_span(&h, 11, 1, 1);
    pbw_double(&h, 13, 1.5);
    pbw_double(&h, 13, 2);
    pbw_double(&h, 16, 0.1);
    pbw_double(&h, 16, 1);
    pbw_int(&h, 14, 3);
    pbw_int(&h, 15, now_ms);
    pbw_message(&series, 3, &h);
    pbw_message(&request, 5, &series);
    buf_done(&series);

    series = new_series(S_PLAIN);
    pbw_double(&m, 1, 7);
    pbw_int(&m, 2, now_ms);
    pbw_message(&series, 2, &m);
    pbw_message(&request, 5, &series);
    buf_done(&series);
    buf_done(&m);
    buf_done(&h);
    return request;
}

/* ---- federation ---- */
static struct buf get_federate(const char *accept)
{
    struct buf request = new_buf();
    buf_printf(&request,
               "GET /federate?match%%5B%%5D=%%7Bjob%%3D%%22shop%%22%%7D HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: "
               "close\r\nAccept: %s\r\n\r\n",
               e2e_port(collector), accept);
    struct buf answer = exchange(&request);
    buf_done(&request);
    return answer;
}

static void put_pair(struct buf *metric, const char *name, const char *value)
{
    struct buf pair = new_buf();
    pbw_span(&pair, 1, span_str(name));
    pbw_span(&pair, 2, span_str(value));
    pbw_message(metric, 1, &pair);
    buf_done(&pair);
}

static void put_family(struct buf *page, const char *name, int type, unsigned field, struct buf *value)
{
    struct buf family = new_buf(), metric = new_buf();
    put_pair(&metric, "instance", "");
    put_pair(&metric, "job", "shop");
    pbw_message(&metric, field, value);
    pbw_int(&metric, 6, now_ms);
    pbw_span(&family, 1, span_str(name));
    pbw_int(&family, 3, type);
    pbw_message(&family, 4, &metric);
    pbw_varint(page, family.len);
    buf_span(page, buf_view(&family));
    buf_done(&family);
    buf_done(&metric);
    buf_done(value);
}

/* What a Prometheus that scrapes native histograms asks for, and what it gets: the histogram of check_answers(). */
static void check_federation(void)
{
    static const double positive[] = {4, 8, 2}, negative[] = {1};
    struct buf page = new_buf(), value = new_buf();
    pbw_double(&value, 1, 7);
    put_family(&page, "plain", 3, 5, &value);
    value = new_buf();
    pbw_double(&value, 2, 22.5);
    pbw_double(&value, 4, 17);
    pbw_zigzag(&value, 5, 0);
    pbw_double(&value, 6, 0.001);
    pbw_double(&value, 8, 2);
    put_bucket_span(&value, 9, 0, 1);
    pbw_span(&value, 11, span_of((const char *)negative, sizeof negative));
    put_bucket_span(&value, 12, 0, 2);
    put_bucket_span(&value, 12, 1, 1);
    pbw_span(&value, 14, span_of((const char *)positive, sizeof positive));
    put_family(&page, "rpc_seconds", 4, 7, &value);
    struct buf answer = get_federate("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding="
                                     "delimited;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
    if (answer.len < page.len || memcmp(answer.data + answer.len - page.len, page.data, page.len) != 0)
        check_failed("another page of %zu bytes, expected %zu at its end", answer.len, page.len);
    buf_char(&answer, '\0');
    check_contains(answer.data,
                   "Content-Type: application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
                   "encoding=delimited; escaping=allow-utf-8\r\n");
    buf_done(&answer);
    answer = get_federate("application/openmetrics-text;q=0.9,text/plain;version=0.0.4;q=0.3");
    buf_char(&answer, '\0');
    check_contains(answer.data, "Content-Type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n");
    check_contains(answer.data, "# TYPE plain untyped\nplain{instance=\"\",job=\"shop\"} 7 ");
    assert_null(strstr(answer.data, "rpc_seconds"));
    buf_done(&answer);
    buf_done(&page);
}

static void histograms_and_exemplars_of_remote_write_2_come_back_from_queries(void **state)
{
    (void)state;
    const char *const args[] = {"--data", e2e_path("data"), NULL};
    collector = e2e_start("crest-collector", args);
    now_ms = unix_ms() / 1000 * 1000;
    for (int twice = 0; twice < 2; twice++) { /* a retry is silent */
        struct buf request = full_request();
        char *answer = send_request(&request, 204);
        check_written(answer, 1, 7, 2);
        free(answer);
        check_answers();
    }
    check_federation();
    e2e_kill(collector); /* acknowledged: it survives */
    collector = e2e_start("crest-collector", args);
    check_answers();
    e2e_stop(collector); /* seals */
    collector = e2e_start("crest-collector", args);
    check_answers();
    e2e_stop(collector);
}

static void what_is_invalid_is_told_and_the_rest_is_kept(void **state)
{
    (void)state;
    const char *const args[] = {"--data", e2e_path("data"), NULL};
    collector = e2e_start("crest-collector", args);
    now_ms = unix_ms() / 1000 * 1000;
    struct buf request = new_request(), series = new_series(S_BROKEN), h = new_buf();
    pbw_int(&h, 1, 99); /* its buckets do not add up to it */
    put_bucket_span(&h, 11, 0, 1);
    pbw_zigzag(&h, 12, 4);
    pbw_int(&h, 15, now_ms);
    pbw_message(&series, 3, &h);
    pbw_message(&request, 5, &series);
    buf_done(&series);
    series = new_series(S_RPC);
    put_integer_histogram(&series, now_ms, 0);
    put_exemplar(&series, now_ms, 1, S_T1);
    put_exemplar(&series, now_ms - 1000, 1, S_T0); /* out of order */
    pbw_message(&request, 5, &series);
    buf_done(&series);
    buf_done(&h);
    char *answer = send_request(&request, 400);
    check_contains(answer, "2 refused, the rest was stored: ");
    check_contains(answer, "do not add up to its count");
    check_written(answer, 0, 1, 1);
    free(answer);
    answer = e2e_get(collector, "/metrics", 200);
    assert_true(page_value(answer, "crest_store_refused_samples_total{reason=\"histogram\"}") == 1);
    assert_true(page_value(answer, "crest_store_refused_samples_total{reason=\"exemplar\"}") == 1);
    free(answer);
    assert_true(query_value(collector, "histogram_count(rpc_seconds)") == 12);
    json_t *result = query(collector, "broken");
    assert_int_equal(json_array_size(result), 0);
    json_decref(result);
    answer = send_raw("application/json", SPAN("{}")); /* nothing that we know */
    check_contains(answer, "HTTP/1.1 415 ");
    check_written(answer, 0, 0, 0);
    free(answer);
    answer = send_raw(TYPE_2, SPAN("no snappy"));
    check_contains(answer, "HTTP/1.1 400 ");
    check_written(answer, 0, 0, 0);
    free(answer);
    e2e_stop(collector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(histograms_and_exemplars_of_remote_write_2_come_back_from_queries, e2e_teardown),
        cmocka_unit_test_teardown(what_is_invalid_is_told_and_the_rest_is_kept, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
