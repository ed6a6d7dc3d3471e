/* From a fault to the page and back: gateway errors fire PaymentGatewayErrors, recovery resolves it, and a collector that is
 * killed in between neither pages again nor takes the page back. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/thread.h"
#include "tests/support/buyer.h"
#include "tests/support/query.h"
#include "tests/support/webhook_server.h"

#define ALERT "PaymentGatewayErrors"

/* ---- customers ---- */

#define BUYERS 4

struct customers {
    const char *shop_url;
    atomic_bool stopping;
    atomic_uint payments;
    atomic_llong amount; /* of each order: all buy the same */
    struct thread *threads[BUYERS];
};

static void customer_main(void *arg)
{
    struct customers *c = arg;
    while (!atomic_load(&c->stopping)) {
        struct buyer b = {.url = c->shop_url};
        struct paid paid = buyer_buy(&b, "SKU-0042", 1, BUYER_CARD);
        if (paid.amount > 0)
            atomic_store(&c->amount, paid.amount);
        if (paid.status > 0)
            atomic_fetch_add(&c->payments, 1);
        sleep_us(300000);
    }
}

static void customers_come(struct customers *c, const char *shop_url)
{
    *c = (struct customers){.shop_url = shop_url};
    for (size_t i = 0; i < BUYERS; i++)
        check_ok(thread_start("customer", customer_main, c, &c->threads[i]));
}

static void customers_go(struct customers *c)
{
    atomic_store(&c->stopping, true);
    for (size_t i = 0; i < BUYERS; i++)
        thread_join(c->threads[i]);
}

/* ---- the stage ---- */

struct stage {
    struct webhook_server *pager;
    struct e2e_program *gateway, *shop, *collector, *agent;
    char collector_config[1024], collector_data[1024];
    uint16_t collector_port;
};

static void start_collector(struct stage *s)
{
    s->collector = e2e_start_at(
        "crest-collector", E2E_ARGS("--config", s->collector_config, "--data", s->collector_data), s->collector_port);
}

static void open_stage(struct stage *s)
{
    char text[2048], rules[1024];
    check_ok(webhook_server_start(0, &s->pager));
    s->gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--latency", "20ms", "--jitter", "0s", "--decline", "0"));
    s->shop = e2e_start("crest-shop", E2E_ARGS("--gateway", e2e_url(s->gateway)));
    s->collector_port = e2e_free_port();
    assert_non_null(realpath("dashboards/signals", rules));
    snprintf(text, sizeof text,
             "rule_files: ['%s/shop.rules.yml', '%s/shop.alerts.yml']\nwebhook_url: %s\n"
             "external_url: http://crest.example:9480/\n",
             rules, rules, webhook_server_url(s->pager));
    snprintf(s->collector_config, sizeof s->collector_config, "%s", e2e_write("crest.yml", text));
    snprintf(s->collector_data, sizeof s->collector_data, "%s", e2e_path("collector"));
    start_collector(s);
    snprintf(text, sizeof text,
             "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
             "remote_write: [{url: '%s/api/v1/write'}]\n"
             "scrape_configs:\n"
             "  - {job_name: shop, static_configs: [{targets: ['%s'], labels: {service: shop, tier: app}}]}\n",
             e2e_url(s->collector), e2e_url(s->shop) + strlen("http://"));
    s->agent =
        e2e_start("crest-agent", E2E_ARGS("--config", e2e_write("prometheus.yml", text), "--data", e2e_path("agent")));
}

static void close_stage(struct stage *s)
{
    e2e_stop(s->agent);
    e2e_stop(s->collector);
    e2e_stop(s->shop);
    e2e_stop(s->gateway);
    webhook_server_stop(s->pager);
}

static void set_errors(struct stage *s, const char *ratio)
{
    char body[128];
    snprintf(body, sizeof body, "{\"gateway\":{\"error_ratio\":%s}}", ratio);
    free(e2e_send(s->shop, "PUT", "/control", "application/json", body, 200));
}

/* How often did the alert come with this status, over all bodies? */
static size_t count_alerts(struct webhook_server *pager, const char *status)
{
    size_t n = 0;
    for (size_t i = 0; i < webhook_server_count(pager); i++) {
        json_t *alerts = json_object_get(webhook_server_body(pager, i), "alerts");
        for (size_t k = 0; k < json_array_size(alerts); k++) {
            json_t *alert = json_array_get(alerts, k);
            const char *name = json_string_value(json_object_get(json_object_get(alert, "labels"), "alertname"));
            n += name && strcmp(name, ALERT) == 0 &&
                 strcmp(json_string_value(json_object_get(alert, "status")), status) == 0;
        }
    }
    return n;
}

struct told {
    struct webhook_server *pager;
    const char *status;
    size_t n;
};
static bool told(void *ctx)
{
    const struct told *t = ctx;
    return count_alerts(t->pager, t->status) >= t->n;
}

/* Is it written down that the receiver has taken everything? Delivery is at least once. */
static bool nothing_waits(void *ctx)
{
    char *page = e2e_get(ctx, "/metrics", 200);
    bool yes = page_value(page, "crest_notify_queue_depth") == 0 && page_value(page, "crest_state_queue_depth") == 0;
    free(page);
    return yes;
}

static void check_body(struct webhook_server *pager)
{
    for (size_t i = 0; i < webhook_server_count(pager); i++) {
        char text[256];
        json_t *body = webhook_server_body(pager, i);
        assert_non_null(body);
        assert_string_equal(json_string_value(json_object_get(body, "version")), "4");
        assert_non_null(json_string_value(json_object_get(body, "groupKey")));
        assert_non_null(json_string_value(json_object_get(body, "receiver")));
        assert_true(json_is_object(json_object_get(body, "groupLabels")));
        assert_true(json_is_object(json_object_get(body, "commonLabels")));
        assert_true(json_is_object(json_object_get(body, "commonAnnotations")));
        assert_string_equal(json_string_value(json_object_get(body, "externalURL")), "http://crest.example:9480");
        webhook_server_alert(pager, i, 0, "service", text, sizeof text);
        if (strcmp(text, "firing " ALERT "/shop") != 0)
            continue;
        json_t *alert = json_array_get(json_object_get(body, "alerts"), 0);
        const char *words = json_string_value(json_object_get(json_object_get(alert, "annotations"), "summary"));
        check_contains(words, "shop: payments fail at the gateway");
        check_contains(json_string_value(json_object_get(alert, "startsAt")), "T");
        check_contains(json_string_value(json_object_get(alert, "generatorURL")), "http://crest.example:9480/graph?");
        assert_int_equal(strlen(json_string_value(json_object_get(alert, "fingerprint"))), 16);
        return;
    }
    check_failed("no body fires %s", ALERT);
}

static void a_gateway_that_fails_pages_once_and_resolves_over_a_kill(void **state UNUSED)
{
    struct stage s = {0};
    struct customers customers;
    open_stage(&s);
    customers_come(&customers, e2e_url(s.shop));
    query_wait(s.collector, "sum(increase(commerce_payments_total{outcome='approved'}[10s])) > 3", 10000);
    sleep_us(1000000);
    assert_int_equal(count_alerts(s.pager, "firing"), 0); /* a quiet shop pages nobody */

    int64_t cause = mono_us();
    set_errors(&s, "1");
    e2e_wait(6000, told, &((struct told){s.pager, "firing", 1}));
    print_message("cause to page: %lld ms\n", (long long)(mono_us() - cause) / 1000);
    check_body(s.pager);
    char *alerts = e2e_get(s.collector, "/api/v1/alerts", 200);
    check_contains(alerts, "\"alertname\":\"" ALERT "\"");
    check_contains(alerts, "\"state\":\"firing\"");
    free(alerts);
    assert_true(query_value(s.collector, "ALERTS{alertname='" ALERT "',alertstate='firing'}") == 1);

    /* Killed while it fires: it knows that it has told, and the shop is still broken. */
    e2e_wait(5000, nothing_waits, s.collector);
    e2e_kill(s.collector);
    start_collector(&s);
    query_wait(s.collector, "ALERTS{alertname='" ALERT "',alertstate='firing'}", 8000);
    sleep_us(2000000);
    assert_int_equal(count_alerts(s.pager, "firing"), 1);
    assert_int_equal(count_alerts(s.pager, "resolved"), 0);

    set_errors(&s, "0");
    e2e_wait(25000, told, &((struct told){s.pager, "resolved", 1})); /* 10 s window and 5 s keep_firing_for */
    assert_int_equal(count_alerts(s.pager, "firing"), 1);
    assert_int_equal(count_alerts(s.pager, "resolved"), 1);
    query_wait(s.collector, "absent(ALERTS{alertname='" ALERT "'})", 5000);
    customers_go(&customers);
    assert_true(atomic_load(&customers.payments) > 10);
    close_stage(&s);
}

/* ---- a rehearsal beside customers ---- */

/* A thread ends it: e2e_run waits for its end. */
struct fault {
    struct stage *stage;
    int64_t at_us;
};
static void fault_main(void *arg)
{
    struct fault *f = arg;
    sleep_us(3000000);
    f->at_us = mono_us();
    set_errors(f->stage, "1");
}

static void a_rehearsal_ends_when_customers_are_paged_about(void **state UNUSED)
{
    struct stage s = {0};
    struct customers customers;
    char host[256], journey[1024];
    open_stage(&s);
    customers_come(&customers, e2e_url(s.shop));
    query_wait(s.collector, "sum(increase(commerce_payments_total{outcome='approved',source=''}[10s])) > 3", 10000);
    snprintf(host, sizeof host, "host=%s", e2e_url(s.shop));
    assert_non_null(realpath("shop/demo/journeys/checkout-de.hurl", journey));
    const char *const *args =
        E2E_ARGS("run", journey, "--variable", host, "--rate", "5", "--duration", "2m", "--think-scale", "0.1",
                 "--max-lag", "10s", "--guard", e2e_url(s.collector), "--quiet");
    struct fault fault = {.stage = &s};
    struct thread *thread;
    check_ok(thread_start("fault", fault_main, &fault, &thread));
    char *text = e2e_run("crest-loadgen", args, 4);
    int64_t over_us = mono_us();
    thread_join(thread);
    print_message("cause to the end of the run: %lld ms\n", (long long)(over_us - fault.at_us) / 1000);
    check_contains(text, "the guard ended it: " ALERT " fires for shop with severity=\"page\"");
    free(text);

    /* It is the load's business alone: customers' signals and the page know nothing of it. */
    assert_true(query_value(s.collector, "sum(commerce_orders_total{source='load'})") > 0);
    assert_true(query_value(s.collector, "count(ALERTS{source='load'}) or vector(0)") == 0);
    assert_true(query_value(s.collector, "sum(commerce_revenue_minor_units_total{source='load'})") > 0);
    char orders[128], revenue[160];
    unsigned payments = atomic_load(&customers.payments);
    snprintf(orders, sizeof orders, "sum(commerce_orders_total{source=''}) <= bool %u", payments);
    assert_true(query_value(s.collector, orders) == 1);
    snprintf(revenue, sizeof revenue, "sum(commerce_revenue_minor_units_total{source=''}) <= bool %lld",
             payments * atomic_load(&customers.amount));
    assert_true(query_value(s.collector, revenue) == 1);

    /* And with trouble already there none is sent. */
    free(e2e_run("crest-loadgen", args, 4));
    customers_go(&customers);
    close_stage(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_gateway_that_fails_pages_once_and_resolves_over_a_kill, e2e_teardown),
        cmocka_unit_test_teardown(a_rehearsal_ends_when_customers_are_paged_about, e2e_teardown),
    };
    return cmocka_run_group_tests_name("alert", tests, NULL, NULL);
}
