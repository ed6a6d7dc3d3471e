/* What gave way: a shop with one database session is loaded beyond it; step and server's first limit are named from what the collector saw. */
#include "tests/support/e2e.h"

#include <jansson.h>
#include <string.h>

#include "tests/support/query.h"

/* Fast rules, so that seconds of load are enough; the names are the packs'. */
static const char RULES[] =
    "groups:\n"
    "  - name: live\n"
    "    interval: 100ms\n"
    "    rules:\n"
    "      - record: commerce:db_connections_ratio\n"
    "        expr: sum by (service, tier) (db_client_connection_count{state='used'}) / (sum by (service, tier) "
    "(db_client_connection_max) > 0)\n"
    "      - record: commerce:inflight\n"
    "        expr: sum by (service, tier) (http_server_active_requests)\n";

/* A payment holds a session of the database while the gateway takes its 100 ms: one session is ten a second. */
static const char JOURNEY[] =
    "# @step cart\n"
    "POST {{host}}/api/cart\n{\"sku\": \"SKU-0001\", \"quantity\": 1}\nHTTP 200\n"
    "# @step address\n"
    "POST {{host}}/api/checkout/address\n"
    "{\"name\": \"A\", \"street\": \"B 1\", \"city\": \"C\", \"postcode\": \"12345\"}\nHTTP 200\n"
    "# @step shipping\n"
    "POST {{host}}/api/checkout/shipping\n{\"method\": \"standard\"}\nHTTP 200\n"
    "# @step pay\n# @slo p95<600ms\n"
    "POST {{host}}/api/checkout/payment\n{\"card\": \"4242424242424242\"}\nHTTP 200\n";

struct stage {
    struct e2e_program *gateway, *shop, *collector, *agent;
    const char *journey;
    char host[256];
};

static void open_stage(struct stage *s)
{
    char text[2048];
    s->gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--latency", "100ms", "--jitter", "0s", "--decline", "0"));
    s->shop = e2e_start("crest-shop", E2E_ARGS("--gateway", e2e_url(s->gateway), "--sessions", "1"));
    snprintf(text, sizeof text, "rule_files: ['%s']\n", e2e_write("rules.yml", RULES));
    s->collector = e2e_start("crest-collector",
                             E2E_ARGS("--config", e2e_write("crest.yml", text), "--data", e2e_path("collector")));
    snprintf(text, sizeof text,
             "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\n"
             "remote_write: [{url: '%s/api/v1/write'}]\n"
             "scrape_configs:\n"
             "  - {job_name: shop, static_configs: [{targets: ['%s'], labels: {service: shop, tier: app}}]}\n",
             e2e_url(s->collector), e2e_url(s->shop) + strlen("http://"));
    s->agent =
        e2e_start("crest-agent", E2E_ARGS("--config", e2e_write("prometheus.yml", text), "--data", e2e_path("agent")));
    snprintf(s->host, sizeof s->host, "host=%s", e2e_url(s->shop));
    s->journey = e2e_write("buy.hurl", JOURNEY);
    query_wait(s->collector, "commerce:db_connections_ratio == 0", 10000);
}

static void close_stage(struct stage *s)
{
    e2e_stop(s->agent);
    e2e_stop(s->collector);
    e2e_stop(s->shop);
    e2e_stop(s->gateway);
}

/* gave_way NULL: which step it was is not asked. */
static void check_pool_was_first(const char *path, const char *gave_way)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    assert_non_null(root);
    const json_t *limit = json_object_get(root, "server_limit");
    const json_t *first = json_array_get(json_object_get(limit, "bends"), 0);
    const char *kind = json_string_value(json_object_get(first, "kind")),
               *service = json_string_value(json_object_get(first, "service"));
    if (!kind || strcmp(kind, "pool") != 0 || strcmp(service, "shop") != 0)
        check_failed("%s", json_string_value(json_object_get(limit, "words")));
    assert_string_equal(json_string_value(json_object_get(limit, "state")), "found");
    assert_true(json_is_true(json_object_get(first, "first")));
    if (gave_way)
        assert_string_equal(json_string_value(json_object_get(json_object_get(root, "gave_way"), "scope")), gave_way);
    json_decref(root);
}

static void the_pool_that_was_used_up_stands_beside_the_step_that_gave_way(void **state UNUSED)
{
    struct stage s = {0};
    open_stage(&s);
    const char *json = e2e_path("run.json"), *html = e2e_path("run.html");
    char *text =
        e2e_run("crest-loadgen",
                E2E_ARGS("run", s.journey, "--variable", s.host, "--stages", "2s:2,2s:20", "--grace", "1s", "--max-lag",
                         "1m", "--quiet", "--collector", e2e_url(s.collector), "--json", json, "--html", html),
                4);
    check_contains(text, "gave way first: buy/pay: p95<600ms");
    check_contains(text, "the server's first limit: pool: ");
    free(text);
    check_pool_was_first(json, "buy/pay");

    /* A search that finds no rate, at twice what the pool can do and above: nothing is normal, but the pool has an end. */
    text = e2e_run("crest-loadgen",
                   E2E_ARGS("find-limit", s.journey, "--variable", s.host, "--rate", "40", "--probes", "2", "--settle",
                            "0", "--probe", "1s", "--recover-within", "1s", "--grace", "3s", "--max-lag", "1m",
                            "--quiet", "--collector", e2e_url(s.collector), "--json", json),
                   4);
    check_contains(text, "the server's first limit: pool: ");
    check_contains(text, " sessions/s");
    free(text);
    check_pool_was_first(json, NULL);

    /* nobody who could be asked: that is said, and the run is what it was */
    text = e2e_run("crest-loadgen",
                   E2E_ARGS("run", e2e_write("home.hurl", "GET {{host}}/api/home\nHTTP 200\n"), "--variable", s.host,
                            "--rate", "2", "--duration", "1s", "--max-lag", "1m", "--quiet", "--collector",
                            e2e_url(s.gateway)),
                   0);
    check_contains(text, "the server's first limit: unknown, the collector could not be asked: ");
    free(text);
    close_stage(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_pool_that_was_used_up_stands_beside_the_step_that_gave_way, e2e_teardown),
    };
    return cmocka_run_group_tests_name("server_limit", tests, NULL, NULL);
}
