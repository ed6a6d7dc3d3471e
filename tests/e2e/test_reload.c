/* Reload by SIGHUP and by POST /-/reload: a good file is in force, a bad one keeps the old and a metric says so; file_sd
 * needs no reload at all. */
#include <math.h>
#include <signal.h>
#include <string.h>

#include "lib/base/clock.h"
#include "tests/support/query.h"
#include "tests/support/stage.h"
#include "tests/support/stub_server.h"
#include "tests/support/webhook_server.h"

#define TEXT_TYPE "text/plain; version=0.0.4"

struct reloaded {
    struct e2e_program *p;
    double successful, after_s; /* the metric's value; loaded after this time */
};
static bool reloaded(void *ctx)
{
    const struct reloaded *r = ctx;
    char *page = e2e_get(r->p, "/metrics", 200);
    bool yes = page_value(page, "crest_config_last_reload_successful") == r->successful &&
               page_value(page, "crest_config_last_reload_success_timestamp_seconds") > r->after_s;
    free(page);
    return yes;
}

static double loaded_at(const struct e2e_program *p)
{
    char *page = e2e_get(p, "/metrics", 200);
    double at = page_value(page, "crest_config_last_reload_success_timestamp_seconds");
    free(page);
    return at;
}

static void post_reload(const struct e2e_program *p)
{
    free(e2e_send(p, "POST", "/-/reload", NULL, "", 0));
}

static void the_agent_takes_a_good_file_and_keeps_the_old_when_it_is_bad(void **state UNUSED)
{
    struct stub_server *s = NULL;
    char jobs[1024], job_a[300], job_b[300];
    check_ok(stub_server_start(0, NULL, NULL, &s));
    stub_server_page(s, "/a", &(struct stub_page){.body = "a 1\n", .content_type = TEXT_TYPE});
    stub_server_page(s, "/b", &(struct stub_page){.body = "b 1\n", .content_type = TEXT_TYPE});
    snprintf(job_a, sizeof job_a, "  - {job_name: a, metrics_path: /a, static_configs: [{targets: ['%s']}]}\n",
             stub_server_address(s));
    snprintf(job_b, sizeof job_b, "  - {job_name: b, metrics_path: /b, static_configs: [{targets: ['%s']}]}\n",
             stub_server_address(s));
    struct e2e_program *collector = stage_collector(), *agent = stage_agent(collector, job_a);
    query_wait(collector, "up{job='a'} == 1", 5000);

    stage_agent_config(collector, "  - {job_nam: a}\n");
    e2e_signal(agent, SIGHUP);
    e2e_wait(5000, reloaded, &((struct reloaded){agent, 0, 0}));
    char *log = e2e_log(agent);
    check_contains(log, ":4:6: unknown key 'job_nam' (did you mean 'job_name'?)");
    free(log);
    size_t before = stub_server_requests(s, "/a");
    sleep_us(2200000);
    assert_true(stub_server_requests(s, "/a") >= before + 2); /* the old one goes on */

    double at = loaded_at(agent);
    snprintf(jobs, sizeof jobs, "%s%s", job_a, job_b);
    stage_agent_config(collector, jobs);
    e2e_signal(agent, SIGHUP);
    e2e_wait(5000, reloaded, &((struct reloaded){agent, 1, at}));
    query_wait(collector, "up{job='b'} == 1", 5000);

    at = loaded_at(agent);
    stage_agent_config(collector, job_b);
    post_reload(agent);
    e2e_wait(5000, reloaded, &((struct reloaded){agent, 1, at}));
    query_wait(collector, "absent(up{job='a'})", 3000); /* at once, not after 5 minutes */
    query_wait(collector, "absent(a)", 3000);
    assert_true(query_value(collector, "up{job='b'}") == 1);
    /* Nothing was lost over the reloads: the target that was in both files has no gap. */
    assert_true(query_value(collector, "max_over_time(crest_agent_target_info{job='b'}[1m])") == 1);
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(s);
}

static void reloads_make_no_gap(void **state UNUSED)
{
    struct stub_server *s = NULL;
    char job[300];
    check_ok(stub_server_start(0, NULL, NULL, &s));
    stub_server_page(s, "/a", &(struct stub_page){.body = "a 1\n", .content_type = TEXT_TYPE, .delay_ms = 300});
    snprintf(job, sizeof job, "  - {job_name: a, metrics_path: /a, static_configs: [{targets: ['%s']}]}\n",
             stub_server_address(s));
    struct e2e_program *collector = stage_collector(), *agent = stage_agent(collector, job);
    query_wait(collector, "a", 5000);
    for (int i = 0; i < 12; i++) { /* also in the midst of a scrape: it takes 300 of each 1000 ms */
        double at = loaded_at(agent);
        e2e_signal(agent, SIGHUP);
        e2e_wait(5000, reloaded, &((struct reloaded){agent, 1, at}));
        sleep_us(170000);
    }
    json_t *result = query(collector, "a[1m]"), *values = json_object_get(json_array_get(result, 0), "values");
    size_t n = json_array_size(values);
    double first = json_number_value(json_array_get(json_array_get(values, 0), 0)),
           last = json_number_value(json_array_get(json_array_get(values, n - 1), 0));
    assert_true(n >= 2);
    /* 12 reloads in 2 s, a third of them while a scrape is under way: a busy machine may cost one, reloads would cost four. */
    if (check_slowness() == 1 && fabs(last - first - (double)(n - 1)) > 1.5)
        check_failed("%zu samples in %g s", n, last - first);
    json_decref(result);
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(s);
}

static void file_sd_is_followed(void **state UNUSED)
{
    struct stub_server *s = NULL;
    char text[512];
    check_ok(stub_server_start(0, NULL, NULL, &s));
    stub_server_page(s, "/metrics", &(struct stub_page){.body = "a 1\n", .content_type = TEXT_TYPE});
    snprintf(text, sizeof text, "- {targets: ['%s'], labels: {who: one}}\n", stub_server_address(s));
    e2e_write("sd_1.yml", text);
    struct e2e_program *collector = stage_collector();
    struct e2e_program *agent =
        stage_agent(collector, "  - job_name: sd\n    file_sd_configs: [{files: ['sd_*.yml', 'sd_*.json']}]\n"
                               "    relabel_configs:\n"
                               "      - {source_labels: [__meta_filepath], regex: '.*/([^/]+)', target_label: file}\n");
    query_wait(collector, "up{who='one',file='sd_1.yml'} == 1", 5000);
    snprintf(text, sizeof text, "[{\"targets\": [\"localhost:%u\"], \"labels\": {\"who\": \"two\"}}]",
             (unsigned)stub_server_port(s));
    e2e_write("sd_2.json", text);
    query_wait(collector, "up{who='two',file='sd_2.json'} == 1", 5000);
    e2e_write("sd_1.yml", "- targets: ['broken\n"); /* half written: its targets stay */
    sleep_us(1500000);
    query_wait(collector, "count(up) == 2", 1000);
    char *log = e2e_log(agent);
    check_contains(log, "sd_1.yml");
    free(log);
    e2e_write("sd_1.yml", "[]");
    query_wait(collector, "absent(up{who='one'})", 5000);
    assert_true(query_value(collector, "count(up == 1)") == 1);
    e2e_stop(agent);
    e2e_stop(collector);
    stub_server_stop(s);
}

#define RULES(name, expression)                                                                                        \
    "groups:\n  - name: g\n    interval: 1s\n    rules:\n      - {record: '" name "', expr: '" expression "'}\n"

static void the_collector_takes_good_rules_and_keeps_the_old_when_they_are_bad(void **state UNUSED)
{
    char rules[1024], config[1024];
    snprintf(rules, sizeof rules, "%s", e2e_write("rules.yml", RULES("r:one", "vector(1)")));
    snprintf(config, sizeof config, "%s", e2e_write("crest.yml", "rule_files: [rules.yml]\n"));
    struct e2e_program *p = e2e_start("crest-collector", E2E_ARGS("--config", config, "--data", e2e_path("collector")));
    query_wait(p, "r:one == 1", 5000);
    assert_true(reloaded(&(struct reloaded){p, 1, 0}));

    e2e_write("rules.yml", RULES("r:two", "sum("));
    e2e_signal(p, SIGHUP);
    e2e_wait(5000, reloaded, &((struct reloaded){p, 0, 0}));
    char *log = e2e_log(p);
    check_contains(log, "rules.yml:5:");
    free(log);
    char *answer = e2e_get(p, "/api/v1/rules", 200);
    check_contains(answer, "r:one");
    free(answer);
    query_wait(p, "timestamp(r:one) > time() - 2", 5000); /* it still runs */

    double at = loaded_at(p);
    e2e_write("rules.yml", RULES("r:two", "vector(2)"));
    post_reload(p);
    e2e_wait(5000, reloaded, &((struct reloaded){p, 1, at}));
    query_wait(p, "r:two == 2", 5000);
    query_wait(p, "absent(r:one)", 5000); /* its series ended with its rule */

    e2e_write("crest.yml", "rule_files: [rules.yml]\nnonsense: 1\n");
    e2e_signal(p, SIGHUP);
    e2e_wait(5000, reloaded, &((struct reloaded){p, 0, 0}));
    log = e2e_log(p);
    check_contains(log, "crest.yml:2:1: unknown key 'nonsense'");
    free(log);
    e2e_stop(p);
}

static void a_reload_sends_pages_to_the_new_receiver_and_says_what_needs_a_restart(void **state UNUSED)
{
    struct webhook_server *pager = NULL;
    char text[512], config[1024];
    check_ok(webhook_server_start(0, &pager));
    e2e_write("rules.yml", "groups:\n  - name: g\n    interval: 1s\n    rules:\n      - {alert: A, expr: vector(1)}\n");
    snprintf(text, sizeof text, "rule_files: [rules.yml]\nwebhook_url: http://127.0.0.1:%u/\n",
             (unsigned)e2e_free_port());
    snprintf(config, sizeof config, "%s", e2e_write("crest.yml", text));
    struct e2e_program *p = e2e_start("crest-collector", E2E_ARGS("--config", config, "--data", e2e_path("collector")));
    query_wait(p, "ALERTS{alertstate='firing'}", 5000);

    double at = loaded_at(p);
    snprintf(text, sizeof text,
             "rule_files: [rules.yml]\nwebhook_url: %s\nlisten: 127.0.0.1:1\nstorage: {path: elsewhere, retention: "
             "90d, durability: normal}\n",
             webhook_server_url(pager));
    e2e_write("crest.yml", text);
    e2e_signal(p, SIGHUP);
    e2e_wait(5000, reloaded, &((struct reloaded){p, 1, at}));
    assert_true(webhook_server_wait(pager, 1, 15000)); /* the row that the old one did not take */
    webhook_server_alert(pager, 0, 0, NULL, text, sizeof text);
    assert_string_equal(text, "firing A");
    char *log = e2e_log(p);
    static const char *const KEYS[] = {"key=listen", "key=storage.path", "key=storage.durability"};
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        check_contains(log, KEYS[i]);
    assert_null(strstr(log, "key=admin_api"));
    assert_null(strstr(log, "key=storage.retention")); /* in force at once */
    free(log);
    char *shown = e2e_get(p, "/api/v1/status/config", 200);
    check_contains(shown, "retention: 90d");
    check_contains(shown, "durability: full");
    assert_null(strstr(shown, "elsewhere"));
    free(shown);
    e2e_stop(p);
    webhook_server_stop(pager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_agent_takes_a_good_file_and_keeps_the_old_when_it_is_bad, e2e_teardown),
        cmocka_unit_test_teardown(reloads_make_no_gap, e2e_teardown),
        cmocka_unit_test_teardown(file_sd_is_followed, e2e_teardown),
        cmocka_unit_test_teardown(the_collector_takes_good_rules_and_keeps_the_old_when_they_are_bad, e2e_teardown),
        cmocka_unit_test_teardown(a_reload_sends_pages_to_the_new_receiver_and_says_what_needs_a_restart, e2e_teardown),
    };
    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
