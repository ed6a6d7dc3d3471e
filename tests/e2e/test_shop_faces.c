/* The shop's faces: forms with their token, typed failures, faults, access logs, and what all our programs say on /metrics. */
#include "tests/support/e2e.h"

#include <jansson.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/metric/exposition.h"
#include "lib/wire/http_client.h"

static struct e2e_program *gateway, *shop;

static int start_shop(void **state)
{
    (void)state;
    gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--latency", "5ms", "--jitter", "1ms", "--decline", "0"));
    shop = e2e_start("crest-shop", E2E_ARGS("--gateway", e2e_url(gateway), "--gateway-timeout", "500ms", "--access-log",
                                            e2e_path("access.log"), "--access-log-json", e2e_path("access.json")));
    return 0;
}

static void stop_shop(void)
{
    e2e_stop(shop);
    e2e_stop(gateway);
}

struct visitor {
    char cookie[160];
};

/* One request of a visitor; the answer's body from malloc. */
static char *ask(struct visitor *v, const char *path, const char *type, const char *body, int expected_status)
{
    char url[512], content_type[96];
    snprintf(url, sizeof url, "%s%s", e2e_url(shop), path);
    snprintf(content_type, sizeof content_type, "Content-Type: %s", type);
    const char *headers[4] = {content_type};
    size_t n = 1;
    if (v->cookie[0])
        headers[n++] = v->cookie;
    struct http_request request = {.url = url, .headers = headers, .body = span_str(body), .timeout_ms = 20000};
    struct http_response response = {0};
    check_ok(http_fetch(&request, &response));
    struct span set = http_response_header(&response, "set-cookie");
    if (set.len)
        snprintf(v->cookie, sizeof v->cookie, "Cookie: " SPAN_FMT, SPAN_ARG(span_of(set.ptr, span_find(set, ';'))));
    if (response.status != expected_status)
        check_failed("%s answered %d instead of %d: " SPAN_FMT, path, response.status, expected_status,
                     SPAN_ARG(buf_view(&response.body)));
    char *text = buf_take(&response.body, NULL);
    http_response_done(&response);
    return text;
}

static char *pay_for(struct visitor *v, const char *sku, const char *card, int expected_status)
{
    char body[160];
    snprintf(body, sizeof body, "{\"sku\":\"%s\",\"quantity\":1}", sku);
    free(ask(v, "/api/cart", "application/json", body, 200));
    free(ask(v, "/api/checkout/address", "application/json",
             "{\"name\":\"A\",\"street\":\"B 1\",\"city\":\"C\",\"postcode\":\"1\"}", 200));
    free(ask(v, "/api/checkout/shipping", "application/json", "{\"method\":\"express\"}", 200));
    snprintf(body, sizeof body, "{\"card\":\"%s\"}", card);
    return ask(v, "/api/checkout/payment", "application/json", body, expected_status);
}

static void declines_and_out_of_stock_are_200_with_a_typed_error(void **state)
{
    start_shop(state);
    struct visitor a = {.cookie = ""}, b = {.cookie = ""}, c = {.cookie = ""};
    char *answer = pay_for(&a, "SKU-0001", "4000000000000002", 200);
    check_contains(answer, "\"ok\":false");
    check_contains(answer, "\"payment_declined\"");
    free(answer);
    free(
        e2e_send(shop, "PUT", "/control", "application/json", "{\"stock\":[{\"sku\":\"SKU-0002\",\"units\":0}]}", 200));
    answer = pay_for(&b, "SKU-0002", "4242424242424242", 200);
    check_contains(answer, "\"out_of_stock\"");
    free(answer);
    answer = pay_for(&c, "SKU-0003", "4000000000000119", 502);
    check_contains(answer, "\"gateway_error\"");
    free(answer);
    stop_shop();
}

static void a_hanging_gateway_is_504_after_its_time_out(void **state)
{
    start_shop(state);
    struct visitor v = {.cookie = ""};
    free(e2e_send(shop, "PUT", "/control", "application/json", "{\"gateway\":{\"hang_ratio\":1}}", 200));
    int64_t before = mono_us();
    char *answer = pay_for(&v, "SKU-0001", "4242424242424242", 504);
    assert_true(mono_us() - before >= 500000);
    check_contains(answer, "\"gateway_timeout\"");
    free(answer);
    stop_shop();
}

static void a_form_without_its_token_is_refused(void **state)
{
    start_shop(state);
    struct visitor v = {.cookie = ""};
    char form[256], token[80];
    char *page = ask(&v, "/product/SKU-0001", "text/html", NULL, 200);
    const char *at = strstr(page, "name=\"csrf\" value=\"");
    if (!at)
        check_failed("no form with a token:\n%s", page);
    at += strlen("name=\"csrf\" value=\"");
    snprintf(token, sizeof token, "%.*s", (int)strcspn(at, "\""), at);
    free(page);
    free(ask(&v, "/cart", "application/x-www-form-urlencoded", "sku=SKU-0001&quantity=1", 403));
    free(ask(&v, "/cart", "application/x-www-form-urlencoded", "sku=SKU-0001&quantity=1&csrf=00000000", 403));
    snprintf(form, sizeof form, "sku=SKU-0001&quantity=1&csrf=%s", token);
    free(ask(&v, "/cart", "application/x-www-form-urlencoded", form, 303));
    page = ask(&v, "/cart", "text/html", NULL, 200);
    check_contains(page, "<li>1 &times; ");
    free(page);
    snprintf(form, sizeof form, "sku=SKU-0002&csrf=%s", token);
    free(ask(&v, "/wishlist", "application/x-www-form-urlencoded", "sku=SKU-0002", 403));
    free(ask(&v, "/wishlist", "application/x-www-form-urlencoded", form, 303));
    page = ask(&v, "/wishlist", "text/html", NULL, 200);
    check_contains(page, "<li><a href=\"/product/SKU-0002\">");
    free(page);
    stop_shop();
}

/* Each visitor has lists of their own, in the order in which things were noted; one article stands there once. */
static void what_is_noted_is_the_visitors_own(void **state)
{
    start_shop(state);
    struct visitor v = {.cookie = ""}, other = {.cookie = ""};
    char body[64];
    for (unsigned i = 1; i <= 12; i++) {
        snprintf(body, sizeof body, "{\"sku\":\"SKU-%04u\"}", 13 - i);
        free(ask(&v, "/api/compare", "application/json", body, 200));
    }
    free(ask(&v, "/api/compare", "application/json", "{\"sku\":\"SKU-0012\"}", 200));
    char *answer = ask(&v, "/api/compare", "application/json", "{\"sku\":\"SKU-0013\"}", 400);
    check_contains(answer, "list_full");
    free(answer);
    free(ask(&v, "/api/wishlist", "application/json", "{\"sku\":\"SKU-9999\"}", 400));
    answer = ask(&v, "/api/compare", "application/json", NULL, 200);
    json_t *root = json_loads(answer, 0, NULL), *products = json_object_get(root, "products");
    assert_int_equal(json_array_size(products), 12);
    assert_string_equal(json_string_value(json_object_get(json_array_get(products, 0), "sku")), "SKU-0012");
    assert_string_equal(json_string_value(json_object_get(json_array_get(products, 11), "sku")), "SKU-0001");
    json_decref(root);
    free(answer);
    static const char *const EMPTY[] = {"/api/compare", "/api/wishlist"};
    for (size_t i = 0; i < ARRAY_LEN(EMPTY); i++) {
        answer = ask(i ? &v : &other, EMPTY[i], "application/json", NULL, 200);
        check_contains(answer, "\"products\":[]");
        free(answer);
    }
    stop_shop();
}

static void control_refuses_what_it_does_not_know(void **state)
{
    start_shop(state);
    static const char *const BAD[] = {"{\"gatway\":{}}",
                                      "{\"gateway\":{\"latency\":1}}",
                                      "{\"cache\":{\"enabled\":3}}",
                                      "{",
                                      "[]",
                                      "{\"gateway\":{\"error_ratio\":2}}"};
    char *before = e2e_get(shop, "/control", 200);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        free(e2e_send(shop, "PUT", "/control", "application/json", BAD[i], 400));
    char *after = e2e_get(shop, "/control", 200);
    assert_string_equal(before, after);
    free(before);
    free(after);
    stop_shop();
}

static int accept_sample(void *ctx, const struct exposition_sample *s)
{
    (void)s;
    ++*(unsigned *)ctx;
    return 0;
}

/* What our own programs say must pass the strict reader, which knows what the specifications forbid. */
static void check_strict(const struct e2e_program *p, const char *accept, enum exposition_format format)
{
    char url[256];
    char *page = NULL;
    unsigned samples = 0;
    struct parse_error error = {0};
    const char *headers[] = {accept, NULL};
    snprintf(url, sizeof url, "%s/metrics", e2e_url(p));
    assert_int_equal(e2e_try("GET", url, headers, span_str(NULL), &page), 200);
    struct exposition_events events = {.sample = accept_sample, .strict = true, .ctx = &samples};
    if (exposition_parse(format, span_str(page), &events, &error) < 0)
        check_failed("%s: %u:%u: %s\n%s", accept, error.line, error.column, error.text, page);
    assert_true(samples > 10);
    free(page);
}

static void both_metric_formats_pass_the_strict_reader(void **state)
{
    start_shop(state);
    struct visitor v = {.cookie = ""};
    free(pay_for(&v, "SKU-0001", "4242424242424242", 200));
    e2e_write("agent.yml", "scrape_configs:\n  - job_name: none\n    static_configs: []\n");
    struct e2e_program *programs[] = {
        gateway, shop, e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("c"))),
        e2e_start("crest-agent", E2E_ARGS("--data", e2e_path("a"), "--config", e2e_path("agent.yml")))};
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        check_strict(programs[i], "Accept: text/plain; version=0.0.4", EXPOSITION_TEXT);
        check_strict(programs[i], "Accept: application/openmetrics-text; version=1.0.0", EXPOSITION_OPENMETRICS);
    }
    e2e_stop(programs[3]);
    e2e_stop(programs[2]);
    stop_shop();
}

static void both_access_logs_tell_of_each_request(void **state)
{
    start_shop(state);
    struct visitor v = {.cookie = ""};
    free(ask(&v, "/api/home", "application/json", NULL, 200));
    free(pay_for(&v, "SKU-0001", "4242424242424242", 200));
    stop_shop();
    char *combined = NULL, *lines = NULL;
    check_ok(file_read(e2e_path("access.log"), 1u << 20, &combined, NULL));
    check_ok(file_read(e2e_path("access.json"), 1u << 20, &lines, NULL));
    check_contains(combined, "\"GET /api/home HTTP/1.1\" 200 ");
    check_contains(combined, "\"POST /api/checkout/payment HTTP/1.1\" 200 ");
    assert_null(strstr(combined, "4242424242424242"));
    assert_null(strstr(lines, "4242424242424242"));
    unsigned n = 0;
    struct span rest = span_str(lines), line;
    while (span_cut(&rest, '\n', &line)) {
        json_error_t error;
        json_t *one = line.len ? json_loadb(line.ptr, line.len, 0, &error) : NULL;
        if (line.len && !one)
            check_failed("no JSON: " SPAN_FMT, SPAN_ARG(line));
        n += one != NULL;
        json_decref(one);
    }
    assert_true(n >= 5);
    free(combined);
    free(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(declines_and_out_of_stock_are_200_with_a_typed_error, e2e_teardown),
        cmocka_unit_test_teardown(a_hanging_gateway_is_504_after_its_time_out, e2e_teardown),
        cmocka_unit_test_teardown(a_form_without_its_token_is_refused, e2e_teardown),
        cmocka_unit_test_teardown(what_is_noted_is_the_visitors_own, e2e_teardown),
        cmocka_unit_test_teardown(control_refuses_what_it_does_not_know, e2e_teardown),
        cmocka_unit_test_teardown(both_metric_formats_pass_the_strict_reader, e2e_teardown),
        cmocka_unit_test_teardown(both_access_logs_tell_of_each_request, e2e_teardown),
    };
    return cmocka_run_group_tests_name("shop faces", tests, NULL, NULL);
}
