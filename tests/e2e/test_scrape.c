/* From page to query: what the query API returns is what the page said, sample by sample. */
#include <math.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "tests/support/query.h"
#include "tests/support/stage.h"
#include "tests/support/stub_server.h"

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* ---- every kind of sample ---- */

static const char EVERY_KIND[] = "# HELP a_total what, with \\\\ and \\n\n"
                                 "# TYPE a_total counter\n"
                                 "a_total 1\n"
                                 "a_total{x=\"\"} 2\n" /* the same series: the first counts */
                                 "a_total{x=\"quoted \\\" \\\\ \\n\"} 3\n"
                                 "a_total{x=\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"} 4\n"
                                 "# TYPE g gauge\n"
                                 "g{n=\"inf\"} +Inf\n"
                                 "g{n=\"-inf\"} -Inf\n"
                                 "g{n=\"nan\"} NaN\n"
                                 "g{n=\"zero\"} 0\n"
                                 "g{n=\"-zero\"} -0\n"
                                 "g{n=\"tiny\"} 4.9406564584124654e-324\n"
                                 "g{n=\"huge\"} 1.7976931348623157e+308\n"
                                 "g{n=\"third\"} 0.3333333333333333\n"
                                 "g{n=\"int\"} 9007199254740993\n"
                                 "# TYPE h histogram\n"
                                 "h_bucket{le=\"0.1\"} 1\n"
                                 "h_bucket{le=\"1\"} 2\n"
                                 "h_bucket{le=\"+Inf\"} 3\n"
                                 "h_sum 4.5\n"
                                 "h_count 3\n"
                                 "# TYPE s summary\n"
                                 "s{quantile=\"0.5\"} 1\n"
                                 "s_sum 1\n"
                                 "s_count 1\n"
                                 "own_labels{job=\"mine\",instance=\"there\"} 1\n"
                                 "untyped_metric 7\n"
                                 "{\"name.with.dots\",\"label with blanks\"=\"v\"} 8\n"
                                 "many{a=\"1\",b=\"2\",c=\"3\",d=\"4\",e=\"5\",f=\"6\",g=\"7\",h=\"8\"} 1\n";

/* All samples of the job's newest scrape against the page. */
static void check_job(const struct e2e_program *collector, const char *job, const char *instance,
                      enum exposition_format format, struct span page)
{
    char text[256];
    struct sample_lines expected = {0}, told = {0};
    snprintf(text, sizeof text, "{job=\"%s\"}", job);
    json_t *result = query(collector, text);
    sample_lines_from_page(&expected, format, page, job, instance);
    /* Of a series twice on the page the first counts. */
    for (size_t i = 0; i < expected.n; i++)
        for (size_t k = i + 1; k < expected.n; k++) {
            const char *a = expected.list[i].text, *b = expected.list[k].text;
            size_t n = (size_t)(strrchr(a, ' ') - a);
            if (strncmp(a, b, n + 1) == 0) {
                free(expected.list[k].text);
                expected.list[k--] = expected.list[--expected.n];
            }
        }
    sample_lines_from_result(&told, result, 0, INT64_MAX);
    sample_lines_check_equal(&expected, &told, job);
    sample_lines_done(&expected);
    sample_lines_done(&told);
    json_decref(result);
}

static void every_kind_of_sample_comes_back_as_it_was_written(void **state UNUSED)
{
    struct stub_server *s = NULL;
    char jobs[256];
    check_ok(stub_server_start(0, NULL, NULL, &s));
    stub_server_page(s, "/metrics", &(struct stub_page){.body = EVERY_KIND, .content_type = TEXT_TYPE});
    snprintf(jobs, sizeof jobs, "  - {job_name: kinds, static_configs: [{targets: ['%s']}]}\n", stub_server_address(s));
    struct e2e_program *collector = stage_collector(), *agent = stage_agent(collector, jobs);
    query_wait(collector, "up{job='kinds'} == 1", 5000);
    check_job(collector, "kinds", stub_server_address(s), EXPOSITION_TEXT, span_str(EVERY_KIND));

    /* series, labels and metadata agree with it */
    json_t *root = get_json(collector, "/api/v1/series?match[]=own_labels", 200);
    json_t *series = json_array_get(json_object_get(root, "data"), 0);
    assert_string_equal(json_string_value(json_object_get(series, "exported_job")), "mine");
    assert_string_equal(json_string_value(json_object_get(series, "exported_instance")), "there");
    assert_string_equal(json_string_value(json_object_get(series, "job")), "kinds");
    json_decref(root);
    char *values = e2e_get(collector, "/api/v1/label/n/values", 200);
    check_contains(values, "[\"-inf\",\"-zero\",\"huge\",\"inf\",\"int\",\"nan\",\"third\",\"tiny\",\"zero\"]");
    free(values);
    char *metadata = e2e_get(collector, "/api/v1/metadata?metric=a_total", 200);
    check_contains(metadata, "\"type\":\"counter\"");
    check_contains(metadata, "what, with \\\\ and \\n");
    free(metadata);
    assert_true(query_value(collector, "scrape_samples_scraped{job='kinds'}") == 25);
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(s);
}

/* ---- real pages ---- */

/* What the page is decides, not its name: prometheus.openmetrics has no # EOF, it is text 0.0.4. */
static bool is_openmetrics(struct span page)
{
    return page.len > 6 && span_equal(span_from(page, page.len - 6), SPAN("# EOF\n"));
}

static const char *const FIXTURES[] = {"alertmanager.prom",         "blackbox_probe.prom", "haproxy_native.prom",
                                       "nginx_exporter.prom",       "node_exporter.prom",  "postgres_exporter.prom",
                                       "prometheus.openmetrics",    "prometheus.prom",     "pushgateway.prom",
                                       "python_client.openmetrics", "python_client.prom",  "redis_exporter.prom"};

static void every_page_of_the_fixtures_comes_back_sample_by_sample(void **state UNUSED)
{
    struct stub_server *s = NULL;
    char *pages[ARRAY_LEN(FIXTURES)], jobs[8192] = "", expression[64];
    size_t bytes[ARRAY_LEN(FIXTURES)], samples = 0;
    if (!check_shared_path("fixtures/exposition/node_exporter.prom"))
        skip();
    check_ok(stub_server_start(0, NULL, NULL, &s));
    for (size_t i = 0; i < ARRAY_LEN(FIXTURES); i++) {
        char name[128], path[128];
        snprintf(name, sizeof name, "fixtures/exposition/%s", FIXTURES[i]);
        snprintf(path, sizeof path, "/%s", FIXTURES[i]);
        check_ok(file_read(check_shared_path(name), 1 << 24, &pages[i], &bytes[i]));
        bool open = is_openmetrics(span_of(pages[i], bytes[i]));
        stub_server_page(s, path,
                         &(struct stub_page){.body = pages[i],
                                             .body_bytes = bytes[i],
                                             .content_type = open ? OPENMETRICS_TYPE : TEXT_TYPE});
        size_t at = strlen(jobs);
        snprintf(jobs + at, sizeof jobs - at,
                 "  - {job_name: %s, metrics_path: %s, honor_timestamps: false, static_configs: [{targets: ['%s']}]}\n",
                 FIXTURES[i], path, stub_server_address(s));
    }
    struct e2e_program *collector = stage_collector(), *agent = stage_agent(collector, jobs);
    snprintf(expression, sizeof expression, "count(up == 1) == %zu", ARRAY_LEN(FIXTURES));
    query_wait(collector, expression, 10000);
    for (size_t i = 0; i < ARRAY_LEN(FIXTURES); i++) {
        bool open = is_openmetrics(span_of(pages[i], bytes[i]));
        check_job(collector, FIXTURES[i], stub_server_address(s), open ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT,
                  span_of(pages[i], bytes[i]));
        snprintf(expression, sizeof expression, "scrape_samples_scraped{job='%s'}", FIXTURES[i]);
        samples += (size_t)query_value(collector, expression);
        free(pages[i]);
    }
    print_message("%zu samples of %zu pages\n", samples, ARRAY_LEN(FIXTURES));
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(s);
}

/* ---- time ---- */

static void samples_stand_on_the_schedule_and_end_with_their_series(void **state UNUSED)
{
    struct stub_server *s = NULL;
    char jobs[256];
    check_ok(stub_server_start(0, NULL, NULL, &s));
    stub_server_page(s, "/metrics", &(struct stub_page){.body = "a 1\nb 2\n", .content_type = TEXT_TYPE});
    snprintf(jobs, sizeof jobs, "  - {job_name: t, static_configs: [{targets: ['%s']}]}\n", stub_server_address(s));
    struct e2e_program *collector = stage_collector(), *agent = stage_agent(collector, jobs);
    query_wait(collector, "count_over_time(b[1m]) >= 3", 8000);
    stub_server_page(s, "/metrics", &(struct stub_page){.body = "a 1\n", .content_type = TEXT_TYPE});
    query_wait(collector, "absent(b)", 3000); /* not after 5 minutes */
    query_wait(collector, "a", 3000);
    json_t *result = query(collector, "a[1m]"), *values = json_object_get(json_array_get(result, 0), "values");
    size_t on_time = 0;
    for (size_t i = 1; i < json_array_size(values); i++) {
        double step = json_number_value(json_array_get(json_array_get(values, i), 0)) -
                      json_number_value(json_array_get(json_array_get(values, i - 1), 0));
        on_time += fabs(step - 1) < 0.25;
    }
    /* Each of them only where nothing else runs: unit/agent/test_agent.c has it under a fake clock. */
    assert_true(json_array_size(values) >= 4);
    assert_true(on_time > 0 || check_slowness() > 1);
    json_decref(result);

    stub_server_page(s, "/metrics", &(struct stub_page){.status = 500});
    query_wait(collector, "up == 0", 3000);
    query_wait(collector, "absent(a)", 3000);
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(s);
}

/* ---- the shop ---- */

static void the_shops_metrics_are_there(void **state UNUSED)
{
    char jobs[512];
    struct e2e_program *gateway = e2e_start("crest-shop", E2E_ARGS("gateway"));
    struct e2e_program *shop = e2e_start("crest-shop", E2E_ARGS("--gateway", e2e_url(gateway)));
    snprintf(jobs, sizeof jobs,
             "  - {job_name: shop, static_configs: [{targets: ['%s'], labels: {service: shop, tier: front}}]}\n"
             "  - {job_name: gateway, static_configs: [{targets: ['%s']}]}\n",
             e2e_url(shop) + strlen("http://"), e2e_url(gateway) + strlen("http://"));
    struct e2e_program *collector = stage_collector(), *agent = stage_agent(collector, jobs);
    query_wait(collector, "count(up == 1) == 2", 5000);
    free(e2e_get(shop, "/api/home", 200));
    free(e2e_get(shop, "/api/product/SKU-0001", 200));
    query_wait(collector,
               "sum(commerce_operations_total{operation='product',outcome='ok',service="
               "'shop',tier='front'}) == 1",
               5000);
    /* Known series stand at 0 from the start, so that their first increase is one. */
    assert_true(query_value(collector, "sum(commerce_payments_total)") == 0);
    assert_true(query_value(collector, "count(commerce_payments_total{source=''})") >= 5 * 4);
    assert_true(query_value(collector, "sum(http_server_request_duration_seconds_count{http_route='/api/product/{sku}'"
                                       ",http_response_status_code='200'})") == 1);
    char *text = e2e_get(collector, "/api/v1/metadata?metric=commerce_operations", 200);
    check_contains(text, "counter");
    free(text);
    e2e_stop(agent);
    e2e_stop(collector);
    e2e_stop(shop);
    e2e_stop(gateway);
}

static void the_programs_own_metrics_can_be_scraped(void **state UNUSED)
{
    char jobs[512];
    struct e2e_program *collector = stage_collector();
    uint16_t port = e2e_free_port();
    snprintf(jobs, sizeof jobs,
             "  - {job_name: collector, static_configs: [{targets: ['%s']}]}\n"
             "  - {job_name: agent, static_configs: [{targets: ['127.0.0.1:%u']}]}\n",
             e2e_url(collector) + strlen("http://"), (unsigned)port);
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "global: {scrape_interval: 1s}\nremote_write: [{url: '%s/api/v1/write'}]\nscrape_configs:\n%s",
               e2e_url(collector), jobs);
    struct e2e_program *agent = e2e_start_at(
        "crest-agent", E2E_ARGS("--config", e2e_write("p.yml", text.data), "--data", e2e_path("agent")), port);
    buf_done(&text);
    query_wait(collector, "count(up == 1) == 2", 5000);
    query_wait(collector, "crest_agent_remote_sent_samples_total > 100", 5000);
    assert_true(query_value(collector, "crest_agent_targets") == 2);
    assert_true(query_value(collector, "crest_config_last_reload_successful{job='collector'}") == 1);
    e2e_stop(agent);
    e2e_stop(collector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_kind_of_sample_comes_back_as_it_was_written, e2e_teardown),
        cmocka_unit_test_teardown(every_page_of_the_fixtures_comes_back_sample_by_sample, e2e_teardown),
        cmocka_unit_test_teardown(samples_stand_on_the_schedule_and_end_with_their_series, e2e_teardown),
        cmocka_unit_test_teardown(the_shops_metrics_are_there, e2e_teardown),
        cmocka_unit_test_teardown(the_programs_own_metrics_can_be_scraped, e2e_teardown),
    };
    return cmocka_run_group_tests_name("scrape", tests, NULL, NULL);
}
