/* prometheus.yml: what is read, what is refused and where, what is skipped loudly. */
#include "agent/config.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/metric/exposition.h"
#include "tests/support/check.h"

static char *folder;

static int make_folder(void **state UNUSED)
{
    return dir_make_temp("config", &folder);
}

static int remove_folder(void **state UNUSED)
{
    int r = dir_remove(folder);
    free(folder);
    return r;
}

static const char *write_file(const char *name, const char *text)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    check_ok(file_write(path, text, strlen(text)));
    return path;
}

static struct agent_config *load(const char *text, struct problems *problems)
{
    struct agent_config *c = NULL;
    problems_init(problems);
    if (agent_config_load(write_file("prometheus.yml", text), &c, problems) < 0)
        check_failed("refused: %u:%u: %s", problems->list[0].line, problems->list[0].column, problems->list[0].text);
    return c;
}

static void without_a_file_there_are_no_jobs_and_the_default_endpoint(void **state UNUSED)
{
    struct problems problems;
    struct agent_config *c = NULL;
    problems_init(&problems);
    check_ok(agent_config_load(NULL, &c, &problems));
    assert_int_equal(c->n_jobs, 0);
    assert_int_equal(c->n_remotes, 1);
    assert_string_equal(c->remotes[0].url, "http://127.0.0.1:9480/api/v1/write");
    agent_config_free(c);
    c = load("", &problems);
    assert_int_equal(c->n_remotes, 1);
    assert_int_equal(problems.n, 0);
    agent_config_free(c);
    problems_done(&problems);
}

static void a_job_takes_what_it_does_not_say_from_global(void **state UNUSED)
{
    struct problems problems;
    struct agent_config *c =
        load("global:\n"
             "  scrape_interval: 5s\n"
             "  scrape_timeout: 3s\n"
             "  sample_limit: 9\n"
             "  external_labels: {region: eu, n: 1}\n"
             "scrape_configs:\n"
             "  - job_name: a\n"
             "    static_configs: [{targets: ['h:1', 'h:2'], labels: {x: y}}, {targets: ['[::1]:3']}]\n"
             "  - job_name: b\n"
             "    scrape_interval: 1s\n"
             "    sample_limit: 7\n"
             "    metrics_path: /probe\n"
             "    scheme: https\n"
             "    params: {module: [m1, m2], target: [t]}\n"
             "    honor_labels: yes\n"
             "    honor_timestamps: false\n"
             "    body_size_limit: 10MB\n"
             "    enable_compression: false\n"
             "    fallback_scrape_protocol: PrometheusText0.0.4\n",
             &problems);
    assert_int_equal(problems.n, 0);
    assert_int_equal(c->n_jobs, 2);
    const struct scrape_job *a = &c->jobs[0], *b = &c->jobs[1];
    assert_string_equal(a->name, "a");
    assert_int_equal(a->interval_ms, 5000);
    assert_int_equal(a->timeout_ms, 3000);
    assert_int_equal(a->sample_limit, 9);
    assert_string_equal(a->metrics_path, "/metrics");
    assert_string_equal(a->scheme, "http");
    assert_true(a->honor_timestamps && !a->honor_labels && a->follow_redirects && a->compression);
    assert_int_equal(a->fallback_format, -1);
    assert_int_equal(a->n_groups, 2);
    assert_int_equal(a->groups[0].n_targets, 2);
    check_span(a->groups[0].targets[1], "h:2");
    check_span(a->groups[0].labels.pairs[0].value, "y");
    check_span(a->groups[1].targets[0], "[::1]:3");
    assert_int_equal(b->interval_ms, 1000);
    assert_int_equal(b->timeout_ms, 1000); /* the global one would be longer than the interval */
    assert_int_equal(b->sample_limit, 7);
    assert_int_equal(b->body_size_limit, 10 << 20);
    assert_true(b->honor_labels && !b->honor_timestamps && !b->compression);
    assert_int_equal(b->fallback_format, EXPOSITION_TEXT);
    assert_int_equal(b->params.n, 3);
    check_span(b->params.pairs[1].value, "m2");
    assert_int_equal(c->external_labels.n, 2);
    check_span(c->external_labels.pairs[1].value, "1");
    agent_config_free(c);
    problems_done(&problems);
}

static void files_are_looked_for_beside_the_configuration(void **state UNUSED)
{
    struct problems problems;
    char expected[4096];
    write_file("more.yml", "scrape_configs:\n  - job_name: more\n    static_configs: [{targets: ['h:9']}]\n");
    struct agent_config *c = load("scrape_config_files: ['mor*.yml']\n"
                                  "scrape_configs:\n"
                                  "  - job_name: a\n"
                                  "    file_sd_configs: [{files: [sd/*.json, /abs.yml]}]\n"
                                  "    basic_auth: {username: u, password_file: secret}\n"
                                  "    tls_config: {ca_file: ca.pem, server_name: n, insecure_skip_verify: true}\n",
                                  &problems);
    assert_int_equal(c->n_jobs, 2);
    assert_string_equal(c->jobs[1].name, "more");
    assert_int_equal(c->jobs[0].n_file_sd, 2);
    snprintf(expected, sizeof expected, "%s/sd/*.json", folder);
    assert_string_equal(c->jobs[0].file_sd[0], expected);
    assert_string_equal(c->jobs[0].file_sd[1], "/abs.yml");
    snprintf(expected, sizeof expected, "%s/secret", folder);
    assert_string_equal(c->jobs[0].credentials.password_file, expected);
    assert_string_equal(c->jobs[0].credentials.user, "u");
    assert_string_equal(c->jobs[0].credentials.server_name, "n");
    assert_true(c->jobs[0].credentials.insecure_skip_verify);
    agent_config_free(c);
    problems_done(&problems);
}

static void remote_write_endpoints_are_read(void **state UNUSED)
{
    struct problems problems;
    struct agent_config *c = load("remote_write:\n"
                                  "  - url: http://h:1/w\n"
                                  "    name: first\n"
                                  "    remote_timeout: 7s\n"
                                  "    headers: {X-Scope-OrgID: t1, X-B: c}\n"
                                  "    authorization: {type: Token, credentials: abc}\n"
                                  "    write_relabel_configs: [{action: drop, source_labels: [a], regex: b}]\n"
                                  "    metadata_config: {send: false}\n"
                                  "    queue_config: {capacity: 5}\n"
                                  "  - url: http://h:2/w\n"
                                  "    bearer_token: t\n",
                                  &problems);
    assert_int_equal(c->n_remotes, 2);
    const struct remote_endpoint *r = &c->remotes[0];
    assert_string_equal(r->url, "http://h:1/w");
    assert_int_equal(r->timeout_ms, 7000);
    assert_string_equal(r->headers[0], "X-Scope-OrgID: t1");
    assert_string_equal(r->headers[1], "X-B: c");
    assert_null(r->headers[2]);
    assert_string_equal(r->credentials.authorization_type, "Token");
    assert_string_equal(r->credentials.bearer, "abc");
    assert_int_equal(r->relabel.n, 1);
    assert_false(r->send_metadata);
    assert_true(c->remotes[1].send_metadata);
    assert_int_equal(c->remotes[1].timeout_ms, 30000);
    assert_string_equal(c->remotes[1].credentials.bearer, "t");
    assert_int_equal(problems.n, 1); /* the notice about queue_config */
    assert_int_equal(problems.list[0].level, PROBLEM_NOTICE);
    agent_config_free(c);
    problems_done(&problems);
}

static void sections_we_do_not_use_get_one_notice_each(void **state UNUSED)
{
    static const char *const SECTIONS[] = {"rule_files", "alerting", "storage", "remote_read", "tracing", "otlp"};
    struct problems problems;
    struct agent_config *c = load("global: {evaluation_interval: 1s}\n"
                                  "rule_files: [a, b]\n"
                                  "alerting: {alertmanagers: [{static_configs: [{targets: [h]}]}]}\n"
                                  "storage: {tsdb: {}}\n"
                                  "remote_read: [{url: 'http://h'}]\n"
                                  "tracing: {endpoint: h}\n"
                                  "otlp: {}\n",
                                  &problems);
    assert_int_equal(problems_errors(&problems), 0);
    for (size_t i = 0; i < ARRAY_LEN(SECTIONS); i++) {
        size_t n = 0;
        for (size_t k = 0; k < problems.n; k++)
            n += strstr(problems.list[k].text, SECTIONS[i]) != NULL && problems.list[k].level == PROBLEM_NOTICE;
        if (n != 1)
            check_failed("%zu notices about %s", n, SECTIONS[i]);
    }
    assert_int_equal(problems.n, ARRAY_LEN(SECTIONS) + 1); /* and evaluation_interval */
    agent_config_free(c);
    problems_done(&problems);
}

static void a_job_with_service_discovery_that_we_lack_is_skipped_loudly(void **state UNUSED)
{
    struct problems problems;
    struct agent_config *c = load("scrape_configs:\n"
                                  "  - job_name: k8s\n"
                                  "    kubernetes_sd_configs: [{role: pod}]\n"
                                  "    relabel_configs: [{action: hashmod, modulus: 3, target_label: x}]\n"
                                  "  - job_name: a\n"
                                  "    static_configs: [{targets: ['h:1']}]\n",
                                  &problems);
    assert_int_equal(c->n_jobs, 1);
    assert_string_equal(c->jobs[0].name, "a");
    assert_int_equal(problems.n, 1);
    assert_int_equal(problems.list[0].level, PROBLEM_WARNING);
    assert_int_equal(problems.list[0].line, 3);
    assert_int_equal(problems.list[0].column, 5);
    check_contains(problems.list[0].text, "job 'k8s': kubernetes_sd_configs is not supported");
    agent_config_free(c);
    problems_done(&problems);
}

static void a_skipped_jobs_keys_are_looked_at_all_the_same(void **state UNUSED)
{
    struct problems problems;
    struct agent_config *c = NULL;
    problems_init(&problems);
    const char *path = write_file("prometheus.yml", "scrape_configs:\n"
                                                    "  - job_name: k8s\n"
                                                    "    kubernetes_sd_configs: [{role: pod}]\n"
                                                    "    oauth2: {}\n"
                                                    "    relabel_config: []\n");
    check_errno(agent_config_load(path, &c, &problems), -EINVAL);
    assert_int_equal(problems.n, 2); /* the warning, and the key: oauth2 would be refused in a job that runs */
    assert_int_equal(problems.list[1].line, 5);
    assert_int_equal(problems.list[1].column, 5);
    check_contains(problems.list[1].text, "did you mean 'relabel_configs'?");
    problems_done(&problems);
}

static const struct bad_case {
    const char *text;
    uint32_t line, column;
    const char *words;
} BAD[] = {
    {"scrape_config:\n", 1, 1, "scrape_configs"},
    {"nonsense: 1\n", 1, 1, "nonsense"},
    {"crest: {probes: []}\n", 1, 1, "not supported yet"},
    {"global: {scrape_intervall: 1s}\n", 1, 10, "scrape_interval"},
    {"global: {scrape_interval: 1x}\n", 1, 27, "1x"},
    {"scrape_configs: [{job_name: k, kubernets_sd_configs: []}]\n", 1, 32, "unknown key 'kubernets_sd_configs'"},
    {"global: {scrape_interval: 0s}\n", 1, 27, "scrape_interval"},
    {"scrape_configs: 5\n", 1, 17, "list"},
    {"scrape_configs:\n  - static_configs: []\n", 2, 5, "job_name"},
    {"scrape_configs:\n  - job_name: a\n    scrape_timeout: 10s\n    scrape_interval: 5s\n", 3, 21,
     "scrape timeout greater than scrape interval"},
    {"scrape_configs:\n  - job_name: a\n  - job_name: a\n", 3, 15, "multiple scrape configs"},
    {"scrape_configs:\n  - job_name: a\n  - job_name: a\n    kubernetes_sd_configs: []\n", 3, 15,
     "multiple scrape configs"},
    {"scrape_configs:\n  - job_name: a\n    scheme: ftp\n", 3, 13, "http or https"},
    {"scrape_configs:\n  - job_name: a\n    metric_path: /x\n", 3, 5, "metrics_path"},
    {"scrape_configs:\n  - job_name: a\n    static_configs: [{targets: ['http://h:1/m']}]\n", 3, 33, "HOST:PORT"},
    {"scrape_configs:\n  - job_name: a\n    static_configs: [{targets: h}]\n", 3, 32, "list"},
    {"scrape_configs:\n  - job_name: a\n    static_configs: [{targets: [h], label: {}}]\n", 3, 37, "labels"},
    {"scrape_configs:\n  - job_name: a\n    static_configs: [{targets: [h], labels: {a: [b]}}]\n", 3, 49,
     "a label value is a text"},
    {"scrape_configs:\n  - job_name: a\n    params: {m: v}\n", 3, 17, "lists of values"},
    {"scrape_configs:\n  - job_name: a\n    sample_limit: -1\n", 3, 19, "sample_limit"},
    {"scrape_configs:\n  - job_name: a\n    body_size_limit: 10XB\n", 3, 22, "body_size_limit"},
    {"scrape_configs:\n  - job_name: a\n    honor_labels: maybe\n", 3, 19, "honor_labels"},
    {"scrape_configs:\n  - job_name: a\n    fallback_scrape_protocol: Proto\n", 3, 31, "PrometheusText0.0.4"},
    {"scrape_configs:\n  - job_name: a\n    oauth2: {}\n", 3, 5, "not supported"},
    {"scrape_configs:\n  - job_name: a\n    basic_auth: {usernam: x}\n", 3, 18, "username"},
    {"scrape_configs:\n  - job_name: a\n    bearer_token: x\n    basic_auth: {username: x}\n", 2, 5, "at most one of"},
    {"scrape_configs:\n  - job_name: a\n    relabel_configs: [{action: hashmod}]\n", 3, 32, "hashmod"},
    {"scrape_configs:\n  - job_name: a\n    file_sd_configs: [{}]\n", 3, 23, "files"},
    {"remote_write: [{}]\n", 1, 16, "url"},
    {"remote_write: [{url: 'not a url'}]\n", 1, 22, "url"},
    {"remote_write: [{url: 'http://h/', protobuf_message: io.prometheus.write.v2.Request}]\n", 1, 53,
     "remote write 1.0"},
    {"a: [\n", 2, 1, ""},
    {"global: {}\nglobal: {}\n", 2, 1, "global"},
};

static void errors_name_their_place_and_what_was_meant(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        const struct bad_case *c = &BAD[i];
        struct problems problems;
        struct agent_config *config = NULL;
        const char *path = write_file("prometheus.yml", c->text);
        problems_init(&problems);
        int r = agent_config_load(path, &config, &problems);
        if (r != -EINVAL || config || problems_errors(&problems) != 1)
            check_failed("%s: %d, %zu problems%s%s", c->text, r, problems.n, problems.n ? ": " : "",
                         problems.n ? problems.list[0].text : "");
        const struct problem *p = &problems.list[0];
        if (p->line != c->line || p->column != c->column || !strstr(p->text, c->words))
            check_failed("%s: %u:%u: %s", c->text, p->line, p->column, p->text);
        assert_string_equal(p->file, path);
        problems_done(&problems);
    }
}

static void all_errors_are_told_at_once(void **state UNUSED)
{
    struct problems problems;
    struct agent_config *config = NULL;
    problems_init(&problems);
    check_errno(agent_config_load(write_file("prometheus.yml", "globl: {}\n"
                                                               "scrape_configs:\n"
                                                               "  - job_name: a\n"
                                                               "    scheme: ftp\n"
                                                               "    metric_path: /x\n"
                                                               "  - job_name: a\n"
                                                               "remote_write: [{}]\n"),
                                  &config, &problems),
                -EINVAL);
    assert_int_equal(problems_errors(&problems), 5);
    problems_done(&problems);
}

static void a_file_that_cannot_be_read_is_named(void **state UNUSED)
{
    struct problems problems;
    struct agent_config *config = NULL;
    char path[4096];
    snprintf(path, sizeof path, "%s/none.yml", folder);
    problems_init(&problems);
    check_errno(agent_config_load(path, &config, &problems), -ENOENT);
    assert_int_equal(problems.n, 1);
    assert_string_equal(problems.list[0].file, path);
    check_contains(problems.list[0].text, "No such file");
    problems_done(&problems);
}

static void file_sd_takes_yaml_and_json(void **state UNUSED)
{
    static const char *const TEXTS[] = {
        "- targets: ['h:1', 'h:2']\n  labels: {env: x}\n- targets: ['h:3']\n",
        "[{\"targets\": [\"h:1\", \"h:2\"], \"labels\": {\"env\": \"x\"}}, {\"targets\": [\"h:3\"]}]",
    };
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct problems problems;
        struct target_group *groups = NULL;
        struct arena arena;
        size_t n = 0;
        problems_init(&problems);
        arena_init(&arena, 1 << 20);
        check_ok(agent_read_file_sd(write_file("sd", TEXTS[i]), &arena, &groups, &n, &problems));
        assert_int_equal(n, 2);
        assert_int_equal(groups[0].n_targets, 2);
        check_span(groups[0].targets[1], "h:2");
        check_span(groups[1].targets[0], "h:3");
        bool named = false;
        for (size_t k = 0; k < groups[0].labels.n; k++)
            named = named || (span_equal(groups[0].labels.pairs[k].name, SPAN("env")) &&
                              span_equal(groups[0].labels.pairs[k].value, SPAN("x")));
        assert_true(named);
        arena_done(&arena);
        problems_done(&problems);
    }
}

static void a_broken_file_sd_file_gives_no_targets_and_its_place(void **state UNUSED)
{
    static const char *const TEXTS[] = {"- targets: [h:1\n", "{}", "- targets: ['h:1/x']\n", "- target: [h]\n"};
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct problems problems;
        struct target_group *groups = NULL;
        struct arena arena;
        size_t n = 0;
        problems_init(&problems);
        arena_init(&arena, 1 << 20);
        assert_true(agent_read_file_sd(write_file("sd", TEXTS[i]), &arena, &groups, &n, &problems) < 0);
        assert_null(groups);
        assert_true(problems_errors(&problems) == 1 && problems.list[0].line >= 1);
        arena_done(&arena);
        problems_done(&problems);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(without_a_file_there_are_no_jobs_and_the_default_endpoint),
        TEST(a_job_takes_what_it_does_not_say_from_global),
        TEST(files_are_looked_for_beside_the_configuration),
        TEST(remote_write_endpoints_are_read),
        TEST(sections_we_do_not_use_get_one_notice_each),
        TEST(a_job_with_service_discovery_that_we_lack_is_skipped_loudly),
        TEST(a_skipped_jobs_keys_are_looked_at_all_the_same),
        TEST(errors_name_their_place_and_what_was_meant),
        TEST(all_errors_are_told_at_once),
        TEST(a_file_that_cannot_be_read_is_named),
        TEST(file_sd_takes_yaml_and_json),
        TEST(a_broken_file_sd_file_gives_no_targets_and_its_place),
    };
    return cmocka_run_group_tests_name("agent config", tests, NULL, NULL);
}
