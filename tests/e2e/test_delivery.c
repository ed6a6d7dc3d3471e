/* Deliveries: a page outlives a receiver that is away, a collector that is killed, and a refusal. */
#include "lib/base/clock.h"
#include "tests/support/query.h"
#include "tests/support/webhook_server.h"

static void a_page_waits_for_a_receiver_that_is_away(void **state UNUSED)
{
    struct webhook_server *pager = NULL;
    char text[512], url[64], data[1024], rules[1024];
    uint16_t port = e2e_free_port();
    snprintf(rules, sizeof rules, "%s",
             e2e_write("rules.yml", "groups:\n  - name: g\n    interval: 1s\n    rules:\n"
                                    "      - {alert: Always, expr: 'vector(1) > 0', labels: {severity: page}}\n"));
    snprintf(data, sizeof data, "%s", e2e_path("collector"));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/hook", (unsigned)port);
    const char *const *args = E2E_ARGS("--rule-file", rules, "--data", data, "--webhook-url", url);
    struct e2e_program *collector = e2e_start("crest-collector", args);
    query_wait(collector, "ALERTS{alertstate='firing'}", 5000);
    e2e_kill(collector); /* the delivery must have survived in its table */
    collector = e2e_start("crest-collector", args);
    check_ok(webhook_server_start(port, &pager));
    webhook_server_answer(pager, &(struct webhook_answer){.status = 503});
    /* The refused one, then the same again, then no more. */
    assert_true(webhook_server_wait(pager, 2, 15000));
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(webhook_server_alert(pager, i, 0, "severity", text, sizeof text), "firing Always/page");
    sleep_us(1500000);
    assert_int_equal(webhook_server_count(pager), 2);
    e2e_stop(collector);
    webhook_server_stop(pager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_page_waits_for_a_receiver_that_is_away, e2e_teardown),
    };
    return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
