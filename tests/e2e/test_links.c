/* The link in a page, as who gets it follows it. */
#include <string.h>

#include "lib/wire/http_client.h"
#include "lib/wire/url.h"
#include "tests/support/e2e.h"
#include "tests/support/webhook_server.h"

#define EXPRESSION "vector(1) + 1 == 2 and on () vector(3) % 2 > 0 != bool 5"

static void location_of(const char *url, int status, char *text, size_t bytes)
{
    struct http_request request = {.method = "GET", .url = url, .timeout_ms = 30000};
    struct http_response response;
    check_ok(http_fetch(&request, &response));
    assert_int_equal(response.status, status);
    struct span location = http_response_header(&response, "location");
    snprintf(text, bytes, SPAN_FMT, SPAN_ARG(location));
    http_response_done(&response);
}

static void the_link_in_a_page_leads_to_its_expression(void **state UNUSED)
{
    struct webhook_server *pager = NULL;
    char start[256], expected[512], location[512];
    check_ok(webhook_server_start(0, &pager));
    struct e2e_program *p =
        e2e_start("crest-collector",
                  E2E_ARGS("--data", e2e_path("data"), "--webhook-url", webhook_server_url(pager), "--rule-file",
                           e2e_write("rules.yml", "groups:\n  - name: g\n    interval: 1s\n    rules:\n"
                                                  "      - {alert: Always, expr: '" EXPRESSION "'}\n")));
    assert_true(webhook_server_wait(pager, 1, 10000));
    const json_t *body = webhook_server_body(pager, 0);
    assert_string_equal(json_string_value(json_object_get(body, "externalURL")), e2e_url(p));
    const char *link =
        json_string_value(json_object_get(json_array_get(json_object_get(body, "alerts"), 0), "generatorURL"));
    snprintf(start, sizeof start, "%s/graph?g0.expr=", e2e_url(p));
    assert_memory_equal(link, start, strlen(start));
    location_of(link, 302, location, sizeof location);
    struct buf encoded;
    buf_init(&encoded, 1024);
    url_encode(&encoded, SPAN(EXPRESSION));
    snprintf(expected, sizeof expected, "/explore?q=" SPAN_FMT, SPAN_ARG(buf_view(&encoded)));
    buf_done(&encoded);
    assert_string_equal(location, expected);

    /* Nothing but the expression is taken over, and it stays one parameter of one header. */
    snprintf(start, sizeof start, "%s/graph?g0.expr=a%%0d%%0aX:%%20b%%26c%%23&g0.tab=1&q=evil", e2e_url(p));
    location_of(start, 302, location, sizeof location);
    assert_string_equal(location, "/explore?q=a%0D%0AX%3A%20b%26c%23");
    snprintf(start, sizeof start, "%s/graph", e2e_url(p));
    location_of(start, 302, location, sizeof location);
    assert_string_equal(location, "/explore");
    free(e2e_get(p, "/explore?q=up", 200));
    e2e_stop(p);
    webhook_server_stop(pager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_link_in_a_page_leads_to_its_expression, e2e_teardown),
    };
    return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
