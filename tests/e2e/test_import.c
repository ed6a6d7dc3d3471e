/* crest-loadgen import as a user runs it: what comes out runs, and what goes wrong has an exit code. */
#include "tests/support/e2e.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

static struct e2e_program *gateway, *shop;

static void start_shop(const char *const *args)
{
    gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--latency", "5ms", "--jitter", "1ms", "--decline", "0"));
    const char *all[12] = {"--gateway", e2e_url(gateway)};
    for (size_t i = 0; args && args[i]; i++)
        all[2 + i] = args[i];
    shop = e2e_start("crest-shop", all);
}

static void stop_shop(void)
{
    e2e_stop(shop);
    e2e_stop(gateway);
}

static json_t *read_json(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root)
        check_failed("%s: %s", path, error.text);
    return root;
}

static void a_curl_command_and_a_collection_run_as_journeys(void **state UNUSED)
{
    char command[512], collection[2048];
    start_shop(NULL);
    snprintf(command, sizeof command,
             "curl '%s/api/cart' -H 'Content-Type: application/json' --data-raw "
             "'{\"sku\":\"SKU-0001\",\"quantity\":2}' --compressed",
             e2e_url(shop));
    const char *journey = e2e_path("cart.hurl");
    free(e2e_run("crest-loadgen", E2E_ARGS("import", "curl", command, "-o", journey), 0));
    free(e2e_run("crest-loadgen", E2E_ARGS("check", journey), 0));
    free(e2e_run("crest-loadgen", E2E_ARGS("test", journey), 0));

    snprintf(collection, sizeof collection,
             "{\"variable\":[{\"key\":\"base\",\"value\":\"%s\"}],\"item\":[{\"name\":\"Search\",\"request\":{"
             "\"method\":\"GET\",\"url\":"
             "\"{{base}}/api/"
             "search?q=a\"},\"event\":[{\"listen\":\"test\",\"script\":{\"exec\":[\"pm.response.to.have.status(200);\","
             "\"pm.environment.set('sku', "
             "pm.response.json().products[1].sku);\"]}}]},{\"name\":\"Product\",\"request\":{\"method\":"
             "\"GET\",\"url\":\"{{base}}/api/product/:sku\"},\"event\":[{\"listen\":\"test\",\"script\":{\"exec\":["
             "\"pm.expect(pm.response.json().product.price.currency).to.eql('EUR');\"]}}]}]}",
             e2e_url(shop));
    journey = e2e_path("collection.hurl");
    free(e2e_run("crest-loadgen", E2E_ARGS("import", "postman", e2e_write("c.json", collection), "-o", journey), 0));
    free(e2e_run("crest-loadgen", E2E_ARGS("test", journey), 0));
    stop_shop();
}

/* What visitors did is done again: their arrivals, their routes, their products. */
static void the_log_of_a_shop_is_run_again(void **state UNUSED)
{
    const char *log = e2e_path("access.log"), *dir = e2e_path("imported");
    char plan[512], base[256], fidelity[512];
    start_shop(E2E_ARGS("--access-log-json", log));
    for (int i = 0; i < 3; i++) {
        free(e2e_get(shop, "/api/home", 200));
        free(e2e_get(shop, "/api/search?q=a", 200));
        free(e2e_get(shop, i ? "/api/product/SKU-0001" : "/api/product/SKU-0002", 200));
    }
    free(e2e_get(shop, "/api/product/no-such-1", 404)); /* not load as it was meant */
    char *report = e2e_run("crest-loadgen", E2E_ARGS("import", "log", log, "-o", dir), 0);
    check_contains(report, "9 requests in the plan");
    check_contains(report, "1 requests that were answered with 4xx");
    free(report);
    snprintf(plan, sizeof plan, "%s/plan.yml", dir);
    snprintf(base, sizeof base, "base=%s", e2e_url(shop));
    snprintf(fidelity, sizeof fidelity, "%s/fidelity.json", dir);
    json_t *root = read_json(fidelity);
    json_t *class = json_array_get(json_object_get(root, "classes"), 0);
    assert_string_equal(json_string_value(json_object_get(class, "name")), "people");
    assert_int_equal(json_integer_value(json_object_get(class, "sessions")), 1);
    assert_int_equal(json_array_size(json_object_get(class, "routes")), 3);
    json_decref(root);
    free(e2e_run("crest-loadgen", E2E_ARGS("check", "plan", plan), 0));
    char *result = e2e_run(
        "crest-loadgen",
        E2E_ARGS("run", plan, "--variable", base, "--quiet", "--max-lag", "10s", "--grace", "60s", "--json", "-"), 0);
    root = json_loads(result, 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "sessions"), "completed")), 1);
    assert_true(json_integer_value(json_object_get(json_object_get(root, "requests"), "completed")) >= 1);
    json_decref(root);
    free(result);
    stop_shop();
}

static void the_handed_out_logs_come_in_with_their_fidelity(void **state UNUSED)
{
    static const struct {
        const char *name;
        size_t routes;
        json_int_t requests, with_body;
        double share_error;
    } LOGS[] = {{"fixtures/access-log/combined.log", 3, 484, 224, 0.05},
                {"fixtures/access-log/edge-json.log", 4, 639, 259, 0.05}};
    for (size_t i = 0; i < ARRAY_LEN(LOGS); i++) {
        const char *log = check_shared_path(LOGS[i].name), *dir = e2e_path(i ? "two" : "one");
        char path[1024];
        if (!log)
            skip();
        snprintf(path, sizeof path, "%s", log);
        free(e2e_run("crest-loadgen", E2E_ARGS("import", "log", path, "-o", dir), 0));
        snprintf(path, sizeof path, "%s/people.hurl", dir);
        free(e2e_run("crest-loadgen", E2E_ARGS("check", path), 0));
        snprintf(path, sizeof path, "%s/fidelity.json", dir);
        json_t *root = read_json(path), *class = json_array_get(json_object_get(root, "classes"), 0);
        assert_int_equal(json_integer_value(json_object_get(root, "bad_lines")), 0);
        assert_int_equal(json_integer_value(json_object_get(root, "requests")), LOGS[i].requests);
        assert_int_equal(json_integer_value(json_object_get(root, "with_body")), LOGS[i].with_body);
        assert_int_equal(json_array_size(json_object_get(class, "routes")), LOGS[i].routes);
        if (json_number_value(json_object_get(class, "share_error")) > LOGS[i].share_error)
            check_failed("%s: shares differ by %g", LOGS[i].name,
                         json_number_value(json_object_get(class, "share_error")));
        assert_true(json_number_value(json_object_get(json_object_get(class, "request_gaps"), "ks")) < 0.25);
        json_decref(root);
    }
}

static void what_cannot_be_imported_has_exit_code_2(void **state UNUSED)
{
    const char *broken = e2e_write("broken", "{\"log\": ");
    free(e2e_run("crest-loadgen", E2E_ARGS("import", "har", broken), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("import", "postman", broken), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("import", "curl", broken), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("import", "log", broken, "-o", e2e_path("none")), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("import", "log", broken, "--format", "$status", "-o", e2e_path("none")), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("import", "har", "/nowhere/x.har"), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("import", "jmx", broken), 2));
    assert_int_not_equal(access(e2e_path("none"), F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_curl_command_and_a_collection_run_as_journeys, e2e_teardown),
        cmocka_unit_test_teardown(the_log_of_a_shop_is_run_again, e2e_teardown),
        cmocka_unit_test_teardown(the_handed_out_logs_come_in_with_their_fidelity, e2e_teardown),
        cmocka_unit_test_teardown(what_cannot_be_imported_has_exit_code_2, e2e_teardown),
    };
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
