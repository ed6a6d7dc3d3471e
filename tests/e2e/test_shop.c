/* The shop as a system: business failures are HTTP 200, the ledger and the metrics agree, payments hold database sessions,
 * concurrent buyers oversell, and test traffic is told from customers'. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/thread.h"
#include "tests/support/buyer.h"
#include "tests/support/query.h"

static struct e2e_program *gateway, *shop;

static void open_shop(const char *const *args)
{
    const char *all[16] = {"--gateway"};
    size_t n = 1;
    gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--latency", "5ms", "--jitter", "0s", "--decline", "0"));
    all[n++] = e2e_url(gateway);
    while (args && *args)
        all[n++] = *args++;
    all[n] = NULL;
    shop = e2e_start("crest-shop", all);
}

static void close_shop(void)
{
    e2e_stop(shop);
    e2e_stop(gateway);
}

static void control(const char *body)
{
    free(e2e_send(shop, "PUT", "/control", "application/json", body, 200));
}

static double metric(const char *series)
{
    char *page = e2e_get(shop, "/metrics", 200);
    double v = page_value(page, series);
    free(page);
    return v;
}

/* A ledger's figure over the rows of a source ("" customers). */
static int64_t ledger(const char *source, const char *figure)
{
    json_t *root = get_json(shop, "/ledger", 200), *row;
    int64_t sum = 0;
    size_t i;
    json_array_foreach(json_object_get(root, "rows"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "source")), source) == 0)
            sum += json_integer_value(json_object_get(row, figure));
    }
    json_decref(root);
    return sum;
}

static int64_t ledger_sku(const char *sku, const char *figure)
{
    json_t *root = get_json(shop, "/ledger", 200), *row;
    int64_t v = -1;
    size_t i;
    json_array_foreach(json_object_get(root, "skus"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "sku")), sku) == 0)
            v = json_integer_value(json_object_get(row, figure));
    }
    json_decref(root);
    return v;
}

static const struct outcome {
    const char *control, *card;
    int status;
    const char *error, *operation, *payment;
} OUTCOMES[] = {
    {"{}", BUYER_CARD, 200, "", "ok", "approved"},
    {"{}", BUYER_CARD_DECLINED, 200, "payment_declined", "declined", "declined"},
    {"{}", BUYER_CARD_ERROR, 502, "gateway_error", "error", "error"},
    {"{\"gateway\":{\"decline_ratio\":1}}", BUYER_CARD, 200, "payment_declined", "declined", "declined"},
    {"{\"gateway\":{\"decline_ratio\":0,\"error_ratio\":1}}", BUYER_CARD, 502, "gateway_error", "error", "error"},
    {"{\"gateway\":{\"error_ratio\":0,\"latency_ms\":1500}}", BUYER_CARD, 504, "gateway_timeout", "timeout", "timeout"},
    {"{\"gateway\":{\"latency_ms\":0,\"hang_ratio\":1}}", BUYER_CARD, 504, "gateway_timeout", "timeout", "timeout"},
    {"{\"gateway\":{\"hang_ratio\":0}}", BUYER_CARD, 200, "", "ok", "approved"},
    {"{\"stock\":[{\"sku\":\"SKU-0001\",\"units\":0}]}", BUYER_CARD, 200, "out_of_stock", "out_of_stock", NULL},
};

static void business_failures_are_200_and_technical_ones_are_not(void **state UNUSED)
{
    open_shop(E2E_ARGS("--gateway-timeout", "1s"));
    for (size_t i = 0; i < ARRAY_LEN(OUTCOMES); i++) {
        const struct outcome *c = &OUTCOMES[i];
        char operation[128], payment[192];
        struct buyer b = {.url = e2e_url(shop)};
        snprintf(operation, sizeof operation, "commerce_operations_total{operation=\"payment\",outcome=\"%s\"}",
                 c->operation);
        snprintf(payment, sizeof payment,
                 "commerce_payments_total{outcome=\"%s\",market=\"de\",currency=\"EUR\",channel=\"web\"}",
                 c->payment ? c->payment : "approved");
        control(c->control);
        double operations = metric(operation), payments = metric(payment);
        struct paid paid = buyer_buy(&b, "SKU-0001", 1, c->card);
        if (paid.status != c->status || strcmp(paid.error, c->error) != 0)
            check_failed("%zu: %d '%s' %s", i, paid.status, paid.error, b.failure);
        assert_true((paid.order > 0) == !c->error[0]);
        assert_true(metric(operation) == operations + 1);
        assert_true(metric(payment) == payments + (c->payment ? 1 : 0));
    }
    assert_int_equal(ledger("", "orders"), 2);
    assert_int_equal(ledger("", "declines"), 2);
    assert_int_equal(ledger("", "payment_errors"), 2);
    assert_int_equal(ledger("", "payment_timeouts"), 2);
    assert_int_equal(ledger("", "out_of_stock"), 1);
    close_shop();
}

static void a_rate_limited_gateway_throttles_with_200_and_shows_its_quota(void **state UNUSED)
{
    open_shop(NULL);
    control("{\"gateway\":{\"rate_limit_rps\":1}}");
    unsigned throttled = 0;
    for (int i = 0; i < 6; i++) {
        struct buyer b = {.url = e2e_url(shop)};
        struct paid paid = buyer_buy(&b, "SKU-0001", 1, BUYER_CARD);
        assert_int_equal(paid.status, 200);
        throttled += strcmp(paid.error, "throttled") == 0;
    }
    assert_true(throttled >= 3);
    assert_true(metric("commerce_operations_total{operation=\"payment\",outcome=\"throttled\"}") == throttled);
    assert_true(metric("commerce_dependency_quota_limit{dependency=\"payment-gateway\"}") == 1);
    assert_true(metric("commerce_dependency_quota_used{dependency=\"payment-gateway\"}") == 1);
    close_shop();
}

/* ---- many buyers at once ---- */

#define BUYERS 20

struct crowd {
    struct buyer buyer;
    const char *sku, *card;
    struct paid paid;
    struct thread *thread;
};

static void crowd_main(void *arg)
{
    struct crowd *c = arg;
    c->paid = buyer_pay(&c->buyer, c->card);
}

/* All are at the till, then all pay at once. */
static void crowd_start(struct crowd crowd[BUYERS], const char *sku, const char *card, const char *run)
{
    for (size_t i = 0; i < BUYERS; i++) {
        crowd[i] = (struct crowd){.buyer = {.url = e2e_url(shop), .run = run}, .sku = sku, .card = card};
        if (buyer_add(&crowd[i].buyer, sku, 1) < 0 || buyer_check_out(&crowd[i].buyer) < 0)
            check_failed("%s", crowd[i].buyer.failure);
    }
    for (size_t i = 0; i < BUYERS; i++)
        check_ok(thread_start("buyer", crowd_main, &crowd[i], &crowd[i].thread));
}

static size_t crowd_end(struct crowd crowd[BUYERS], const char *error)
{
    size_t n = 0;
    for (size_t i = 0; i < BUYERS; i++) {
        thread_join(crowd[i].thread);
        n += crowd[i].paid.status == 200 && strcmp(crowd[i].paid.error, error) == 0;
    }
    return n;
}

static void twenty_buyers_of_five_units_oversell(void **state UNUSED)
{
    struct crowd crowd[BUYERS];
    open_shop(E2E_ARGS("--sessions", "20"));
    control("{\"gateway\":{\"latency_ms\":300},\"stock\":[{\"sku\":\"SKU-0007\",\"units\":5}]}");
    crowd_start(crowd, "SKU-0007", BUYER_CARD, NULL);
    size_t sold = crowd_end(crowd, "");
    assert_true(sold > 5);
    assert_int_equal(ledger_sku("SKU-0007", "received"), 5);
    assert_int_equal(ledger_sku("SKU-0007", "sold"), sold);
    assert_int_equal(ledger_sku("SKU-0007", "oversold"), sold - 5);
    assert_true(ledger_sku("SKU-0007", "stock") >= 0); /* the shop's own column looks fine */
    assert_true(metric("commerce_stock_received_units{sku=\"SKU-0007\"}") == 5);
    assert_true(metric("commerce_stock_sold_units_total{sku=\"SKU-0007\"}") == (double)sold);
    assert_int_equal(ledger("", "orders"), sold);
    close_shop();
}

static void a_slow_gateway_exhausts_the_pool_and_holds_transactions(void **state UNUSED)
{
    struct crowd crowd[BUYERS];
    open_shop(E2E_ARGS("--sessions", "4"));
    control("{\"gateway\":{\"latency_ms\":700}}");
    crowd_start(crowd, "SKU-0001", BUYER_CARD, NULL);
    double idle = 0, waiting = 0, oldest = 0, inflight = 0;
    for (int i = 0; i < 40; i++) {
        char *page = e2e_get(shop, "/metrics", 200);
        idle = fmax(idle, page_value(page, "db_client_connection_idle_in_transaction{pool=\"shop\"}"));
        waiting = fmax(waiting, page_value(page, "db_client_connection_pending_requests{pool=\"shop\"}"));
        inflight = fmax(inflight, page_value(page, "commerce_step_inflight{step=\"payment\"}"));
        oldest = fmax(oldest, page_value(page, "commerce_step_oldest_inflight_seconds{step=\"payment\"}"));
        free(page);
        sleep_us(20000);
    }
    assert_true(idle == 4);
    assert_true(waiting >= 8);
    assert_true(inflight == BUYERS);
    assert_true(oldest > 0.3);
    assert_int_equal(crowd_end(crowd, ""), BUYERS); /* late, but served */
    assert_true(metric("db_client_connection_idle_in_transaction{pool=\"shop\"}") == 0);
    assert_true(metric("db_client_connection_count{pool=\"shop\",state=\"used\"}") == 0);
    assert_true(metric("commerce_step_inflight{step=\"payment\"}") == 0);
    close_shop();
}

/* ---- who caused it ---- */

static void test_traffic_is_labelled_in_metrics_and_ledger(void **state UNUSED)
{
    static const char *const RUNS[] = {NULL, "load/run-1", "synthetic/check.2"}, *const SOURCES[] = {"", "load",
                                                                                                     "synthetic"};
    open_shop(NULL);
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++)
        for (size_t k = 0; k <= i; k++) { /* one, two, three orders */
            struct buyer b = {.url = e2e_url(shop), .run = RUNS[i]};
            struct paid paid = buyer_buy(&b, "SKU-0003", 2, BUYER_CARD);
            if (paid.status != 200 || paid.error[0])
                check_failed("%d %s %s", paid.status, paid.error, b.failure);
        }
    for (size_t i = 0; i < ARRAY_LEN(SOURCES); i++) {
        char source[64] = "", series[256];
        if (SOURCES[i][0])
            snprintf(source, sizeof source, ",source=\"%s\"", SOURCES[i]);
        snprintf(series, sizeof series, "commerce_orders_total{market=\"de\",currency=\"EUR\",channel=\"web\"%s}",
                 source);
        assert_true(metric(series) == (double)i + 1);
        snprintf(series, sizeof series, "commerce_operations_total{operation=\"payment\",outcome=\"ok\"%s}", source);
        assert_true(metric(series) == (double)i + 1);
        assert_int_equal(ledger(SOURCES[i], "orders"), i + 1);
        assert_int_equal(ledger(SOURCES[i], "units"), 2 * (i + 1));
    }
    /* The header is passed on: the gateway tells them apart, too. */
    char *page = e2e_get(gateway, "/metrics", 200);
    check_contains(page, "source=\"load\"");
    free(page);
    struct buyer bad = {.url = e2e_url(shop), .run = "load/"};
    assert_int_equal(buyer_add(&bad, "SKU-0003", 1), -1);
    check_contains(bad.failure, "400");
    close_shop();
}

static void ledger_and_metrics_agree_to_the_unit(void **state UNUSED)
{
    static const char *const MARKETS[][3] = {{"market=de&channel=web", "de", "EUR"},
                                             {"market=jp&channel=app", "jp", "JPY"},
                                             {"market=jp&channel=web", "jp", "JPY"}};
    open_shop(NULL);
    int64_t amount[2] = {0, 0};
    for (unsigned i = 0; i < 12; i++) {
        struct buyer b = {.url = e2e_url(shop), .query = MARKETS[i % 3][0]};
        char sku[16];
        snprintf(sku, sizeof sku, "SKU-%04u", 1 + i * 41);
        struct paid paid = buyer_buy(&b, sku, 1 + i % 4, i % 5 == 4 ? BUYER_CARD_DECLINED : BUYER_CARD);
        assert_int_equal(paid.status, 200);
        amount[i % 3 != 0] += paid.amount;
    }
    json_t *root = get_json(shop, "/ledger", 200), *row;
    size_t i;
    int64_t revenue[2] = {0, 0}, orders = 0;
    json_array_foreach(json_object_get(root, "rows"), i, row)
    {
        static const struct {
            const char *figure, *metric;
        } FIGURES[] = {{"orders", "commerce_orders_total"},
                       {"units", "commerce_order_units_total"},
                       {"revenue_minor", "commerce_revenue_minor_units_total"}};
        const char *market = json_string_value(json_object_get(row, "market")),
                   *channel = json_string_value(json_object_get(row, "channel")),
                   *currency = json_string_value(json_object_get(row, "currency"));
        for (size_t k = 0; k < ARRAY_LEN(FIGURES); k++) {
            char series[256];
            snprintf(series, sizeof series, "%s{market=\"%s\",currency=\"%s\",channel=\"%s\"}", FIGURES[k].metric,
                     market, currency, channel);
            assert_true(metric(series) == (double)json_integer_value(json_object_get(row, FIGURES[k].figure)));
        }
        orders += json_integer_value(json_object_get(row, "orders"));
        revenue[strcmp(market, "jp") == 0] += json_integer_value(json_object_get(row, "revenue_minor"));
    }
    json_decref(root);
    assert_int_equal(orders, 10);
    assert_int_equal(revenue[0], amount[0]); /* what the buyers were told, per currency */
    assert_int_equal(revenue[1], amount[1]);
    close_shop();
}

static void carts_and_orders_survive_a_restart(void **state UNUSED)
{
    char data[1024];
    snprintf(data, sizeof data, "%s", e2e_path("shop"));
    open_shop(E2E_ARGS("--data", data));
    struct buyer b = {.url = e2e_url(shop)};
    assert_int_equal(buyer_buy(&b, "SKU-0005", 3, BUYER_CARD).status, 200);
    assert_int_equal(ledger("", "units"), 3);
    e2e_kill(shop);
    shop = e2e_start("crest-shop", E2E_ARGS("--gateway", e2e_url(gateway), "--data", data));
    assert_int_equal(ledger("", "units"), 3);
    assert_int_equal(ledger_sku("SKU-0005", "sold"), 3);
    assert_true(metric("commerce_stock_sold_units_total{sku=\"SKU-0005\"}") == 3);
    close_shop();
}

/* ---- faults and input ---- */

static const struct bad_request {
    const char *method, *path, *type, *body;
    int status;
    const char *words;
} REQUESTS[] = {
    {"PUT", "/control", "application/json", "{\"gatway\":{}}", 400, "gatway"},
    {"PUT", "/control", "application/json", "{\"gateway\":{\"latency\":1}}", 400, "latency"},
    {"PUT", "/control", "application/json", "{\"gateway\":{\"error_ratio\":2}}", 400, "error_ratio"},
    {"PUT", "/control", "application/json", "{\"cache\":{\"ttl_ms\":-1}}", 400, "ttl_ms"},
    {"PUT", "/control", "application/json", "{\"db\":{\"sessions\":0}}", 400, "sessions"},
    {"PUT", "/control", "application/json", "{\"stock\":[{\"sku\":\"SKU-9999\",\"units\":1}]}", 400, "stock"},
    {"PUT", "/control", "application/json", "{", 400, "JSON"},
    {"POST", "/api/cart", "application/json", "{\"sku\":\"SKU-9999\",\"quantity\":1}", 400, "bad_item"},
    {"POST", "/api/cart", "application/json", "{\"sku\":\"SKU-0001\",\"quantity\":100}", 400, "bad_item"},
    {"POST", "/api/cart", "application/json", "{\"sku\":\"SKU-0001\",\"quantity\":1e3}", 400, "bad_type"},
    {"POST", "/api/cart", "application/json", "{\"sku\":\"SKU-0001\",\"quantity\":null}", 400, "bad_type"},
    {"POST", "/api/cart", "application/json", "not json", 400, "bad_item"},
    {"POST", "/api/checkout/payment", "application/json", "{\"card\":\"4242424242424242\"}", 400,
     "checkout_incomplete"},
    {"POST", "/api/checkout/payment", "application/json", "{\"card\":\"1\"}", 400, "bad_card"},
    {"POST", "/cart", "application/x-www-form-urlencoded", "sku=SKU-0001&quantity=1&csrf=wrong", 403, "not ours"},
    {"GET", "/api/product/SKU-9999", NULL, NULL, 404, "no_such_product"},
    {"GET", "/api/order/1", NULL, NULL, 404, "no_such_order"},
    {"GET", "/nothing", NULL, NULL, 404, ""},
};

static void broken_requests_are_told_what_is_wrong_and_change_nothing(void **state UNUSED)
{
    open_shop(NULL);
    char *before = e2e_get(shop, "/control", 200);
    for (size_t i = 0; i < ARRAY_LEN(REQUESTS); i++) {
        const struct bad_request *c = &REQUESTS[i];
        char *answer = e2e_send(shop, c->method, c->path, c->type, c->body, c->status);
        check_contains(answer, c->words);
        free(answer);
    }
    /* Refused as a whole: what was right in it is not in force either. */
    free(e2e_send(shop, "PUT", "/control", "application/json",
                  "{\"cache\":{\"ttl_ms\":1},\"db\":{\"latency_ms\":7},\"gateway\":{\"error_ratio\":2}}", 400));
    free(e2e_send(shop, "PUT", "/control", "application/json",
                  "{\"gateway\":{\"error_ratio\":1},\"cache\":{\"ttl_ms\":-1}}", 400));
    char *after = e2e_get(shop, "/control", 200);
    assert_string_equal(after, before);
    free(before);
    free(after);
    close_shop();
}

static void the_cache_hits_misses_and_can_be_lost(void **state UNUSED)
{
    open_shop(NULL);
    for (int i = 0; i < 3; i++)
        free(e2e_get(shop, "/api/product/SKU-0002", 200));
    assert_true(metric("commerce_cache_requests_total{cache=\"catalogue\",result=\"miss\"}") == 1);
    assert_true(metric("commerce_cache_requests_total{cache=\"catalogue\",result=\"hit\"}") == 2);
    control("{\"cache\":{\"flush\":true}}");
    free(e2e_get(shop, "/api/product/SKU-0002", 200));
    assert_true(metric("commerce_cache_requests_total{cache=\"catalogue\",result=\"miss\"}") == 2);
    control("{\"cache\":{\"enabled\":false}}");
    free(e2e_get(shop, "/api/product/SKU-0002", 200));
    assert_true(metric("commerce_cache_requests_total{cache=\"catalogue\",result=\"miss\"}") == 3);
    close_shop();
}

static void a_card_number_is_nowhere(void **state UNUSED)
{
    char access[1024], json_log[1024];
    snprintf(access, sizeof access, "%s", e2e_path("access.log"));
    snprintf(json_log, sizeof json_log, "%s", e2e_path("access.json"));
    open_shop(E2E_ARGS("--access-log", access, "--access-log-json", json_log));
    struct buyer b = {.url = e2e_url(shop), .run = "load/r"};
    assert_int_equal(buyer_buy(&b, "SKU-0001", 1, BUYER_CARD).status, 200);
    assert_int_equal(buyer_buy(&b, "SKU-0001", 1, BUYER_CARD_ERROR).status, 502);
    char *texts[] = {
        e2e_get(shop, "/metrics", 200), e2e_get(gateway, "/metrics", 200), e2e_log(shop), e2e_log(gateway), NULL, NULL};
    check_ok(file_read(access, 1 << 20, &texts[4], NULL));
    check_ok(file_read(json_log, 1 << 20, &texts[5], NULL));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_null(strstr(texts[i], BUYER_CARD));
        assert_null(strstr(texts[i], BUYER_CARD_ERROR));
    }
    check_contains(texts[4], "\"POST /api/checkout/payment HTTP/1.1\" 502");
    check_contains(texts[5], "/api/checkout/payment");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    close_shop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(business_failures_are_200_and_technical_ones_are_not, e2e_teardown),
        cmocka_unit_test_teardown(a_rate_limited_gateway_throttles_with_200_and_shows_its_quota, e2e_teardown),
        cmocka_unit_test_teardown(twenty_buyers_of_five_units_oversell, e2e_teardown),
        cmocka_unit_test_teardown(a_slow_gateway_exhausts_the_pool_and_holds_transactions, e2e_teardown),
        cmocka_unit_test_teardown(test_traffic_is_labelled_in_metrics_and_ledger, e2e_teardown),
        cmocka_unit_test_teardown(ledger_and_metrics_agree_to_the_unit, e2e_teardown),
        cmocka_unit_test_teardown(carts_and_orders_survive_a_restart, e2e_teardown),
        cmocka_unit_test_teardown(broken_requests_are_told_what_is_wrong_and_change_nothing, e2e_teardown),
        cmocka_unit_test_teardown(the_cache_hits_misses_and_can_be_lost, e2e_teardown),
        cmocka_unit_test_teardown(a_card_number_is_nowhere, e2e_teardown),
    };
    return cmocka_run_group_tests_name("shop", tests, NULL, NULL);
}
