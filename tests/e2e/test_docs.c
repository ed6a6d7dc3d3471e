/* What README and docs tell people to type or to write into a file is done here, word for word but for ports and folders. */
#include "tests/support/e2e.h"
#include "tests/support/samples.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/process.h"
#include "lib/wire/url.h"
#include "lib/wire/web_config.h"
#include "tests/support/identity.h"

#define PAGE_BYTES_MAX (1u << 20)

static void read_page(const char *path, char **ret)
{
    if (file_read(path, PAGE_BYTES_MAX, ret, NULL) < 0)
        check_failed("%s cannot be read", path);
}

/* The fenced block ```KIND of a page that holds `word`; fails the test when there is none. */
static void block_with(const char *page, const char *kind, const char *word, char *out, size_t n)
{
    AUTO_FREE char *text = NULL;
    char fence[32];
    read_page(page, &text);
    snprintf(fence, sizeof fence, "```%s\n", kind);
    for (const char *at = text; (at = strstr(at, fence)) != NULL;) {
        at += strlen(fence);
        const char *end = strstr(at, "```");
        if (end && memmem(at, (size_t)(end - at), word, strlen(word))) {
            snprintf(out, n, "%.*s", (int)(end - at), at);
            return;
        }
    }
    check_failed("%s has no %s block with '%s'", page, kind, word);
}

/* Put `to` in the place of each `from`; there must be one. */
static void replace(char *text, size_t n, const char *from, const char *to)
{
    char result[8192];
    size_t used = 0, found = 0;
    for (const char *at = text; *at;) {
        if (strncmp(at, from, strlen(from)) == 0) {
            used += (size_t)snprintf(result + used, sizeof result - used, "%s", to);
            at += strlen(from);
            found++;
        } else {
            result[used++] = *at++;
        }
        assert_true(used < sizeof result - 1 && used < n);
    }
    result[used] = '\0';
    if (!found)
        check_failed("'%s' does not stand in:\n%s", from, text);
    snprintf(text, n, "%s", result);
}

static void absolute(const char *path, char *out, size_t n)
{
    char *full = realpath(path, NULL);
    if (!full)
        check_failed("%s is not there", path);
    snprintf(out, n, "%s", full);
    free(full);
}

/* Run a script with the programs in PATH, in the test's folder: its output and status. */
static int run_script(const char *script, char **ret_out)
{
    char bin[4096], path[8192];
    const char *given = getenv("CREST_BIN"), *search = getenv("PATH");
    int status = -1;
    absolute(given && *given ? given : "build/release", bin, sizeof bin);
    snprintf(path, sizeof path, "PATH=%s:%s", bin, search ? search : "/usr/bin:/bin");
    const char *argv[] = {"/bin/sh", "-c", script, NULL}, *env[] = {path, NULL};
    check_ok(process_run(
        argv, &(struct process_options){.directory = e2e_folder(), .log_path = e2e_path("script.log"), .env = env},
        60000 * (int64_t)check_slowness(), PAGE_BYTES_MAX, ret_out, &status));
    return status;
}

static void expect_script(const char *script, const char *words)
{
    char *out = NULL, *log = NULL;
    int status = run_script(script, &out);
    if (status != 0 || (words && !strstr(out, words))) {
        read_page(e2e_path("script.log"), &log);
        check_failed("status %d, expected 0 and '%s'\n%s\n---- said ----\n%s\n---- stderr ----\n%s", status,
                     words ? words : "", script, out, log);
    }
    free(out);
}

static void watch_your_own_service_works_as_the_readme_says(void **state)
{
    (void)state;
    char yaml[4096], sh[4096], script[8192], collector[32], at[96], agent[96], target[64];
    block_with("README.md", "yaml", "scrape_configs:", yaml, sizeof yaml);
    block_with("README.md", "sh", "crest-agent", sh, sizeof sh);
    unsigned lines = 0;
    for (const char *line = yaml; *line; line = strchr(line, '\n') + 1)
        lines += *line != '#';
    assert_int_equal(lines, 5); /* as the heading promises */

    e2e_write("prometheus.yml", yaml);
    expect_script("crest-agent check prometheus.yml", NULL);

    struct e2e_program *shop = e2e_start("crest-shop", E2E_ARGS("gateway"));
    snprintf(target, sizeof target, "127.0.0.1:%u", (unsigned)e2e_port(shop));
    snprintf(collector, sizeof collector, "127.0.0.1:%u", (unsigned)e2e_free_port());
    replace(yaml, sizeof yaml, "127.0.0.1:8080", target);
    /* on the documented port the agent needs no remote_write; elsewhere it is the README's other block */
    char feed[1024];
    block_with("README.md", "yaml", "remote_write:", feed, sizeof feed);
    replace(feed, sizeof feed, "127.0.0.1:9480", collector);
    size_t used = strlen(yaml);
    snprintf(yaml + used, sizeof yaml - used, "%s", feed);
    e2e_write("prometheus.yml", yaml);
    snprintf(at, sizeof at, "crest-collector --listen %s & pids=$!", collector);
    snprintf(agent, sizeof agent, "prometheus.yml --listen 127.0.0.1:0 & pids=\"$pids $!\"");
    replace(sh, sizeof sh, "crest-collector &", at);
    replace(sh, sizeof sh, "prometheus.yml &", agent);
    char *ask = strstr(sh, "curl ");
    assert_non_null(ask);
    char question[512];
    snprintf(question, sizeof question, "%s", ask);
    replace(question, sizeof question, "127.0.0.1:9480", collector);
    *ask = '\0';
    snprintf(script, sizeof script,
             "%s\nfor i in $(seq 600); do\nanswer=$(%s)\ncase $answer in *',\"1\"]'*) break ;; esac\nsleep 0.1\ndone\n"
             "echo \"$answer\"\nkill $pids\nwait\n",
             sh, question);
    if (!e2e_have("curl"))
        skip();
    expect_script(script, "\"job\":\"checkout\"");
    e2e_stop(shop);
}

static bool is_fed(void *ctx)
{
    char *answer = NULL, url[512];
    snprintf(url, sizeof url, "%s/api/v1/query?query=prometheus_build_info", (const char *)ctx);
    bool fed = e2e_try("GET", url, NULL, span_str(NULL), &answer) == 200 && strstr(answer, "\"job\":\"self\"");
    free(answer);
    return fed;
}

static void a_prometheus_feeds_us_with_the_two_lines(void **state)
{
    (void)state;
    if (!e2e_have("prometheus"))
        skip();
    char feed[1024], yaml[2048], listen[64], data[1100], config[1100], at[32];
    unsigned port = e2e_free_port();
    struct e2e_program *collector = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    block_with("README.md", "yaml", "remote_write:", feed, sizeof feed);
    snprintf(at, sizeof at, "127.0.0.1:%u", (unsigned)e2e_port(collector));
    replace(feed, sizeof feed, "127.0.0.1:9480", at);
    snprintf(yaml, sizeof yaml,
             "%sscrape_configs:\n  - job_name: self\n    scrape_interval: 1s\n    static_configs:\n"
             "      - targets: [\"127.0.0.1:%u\"]\n",
             feed, port);
    snprintf(config, sizeof config, "--config.file=%s", e2e_write("their.yml", yaml));
    snprintf(data, sizeof data, "--storage.agent.path=%s", e2e_path("their-data"));
    snprintf(listen, sizeof listen, "--web.listen-address=127.0.0.1:%u", port);
    struct e2e_program *theirs =
        e2e_start_other((const char *const[]){"prometheus", "--enable-feature=agent", config, data, listen, NULL});
    e2e_wait(60000, is_fed, (void *)(uintptr_t)e2e_url(collector));
    e2e_kill(theirs);
    e2e_stop(collector);
}

/* Any server of Prometheus's API will do: ours. */
static void the_past_comes_in_as_the_page_says(void **state)
{
    (void)state;
    char sh[1024], script[1200];
    struct e2e_program *theirs =
        e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("theirs"), "--retention", "0"));
    struct sample_batch *b = sample_batch_new();
    int64_t t_ms = INT64_C(1764288000000); /* 2025-11-28 */
    sample_batch_add(b, "up|instance=a", t_ms, 1);
    sample_batch_add(b, "orders_total|job=shop", t_ms, 12);
    sample_batch_add(b, "orders_total|job=other", t_ms, 13);
    sample_batch_add(b, "orders_total|job=shop", t_ms + 30 * INT64_C(86400000), 14); /* after --to */
    sample_batch_send(b, theirs);
    block_with("docs/care.md", "sh", "import crest-data prometheus", sh, sizeof sh);
    replace(sh, sizeof sh, "http://127.0.0.1:9090", e2e_url(theirs));
    snprintf(script, sizeof script, "%s\ncrest-collector store export crest-data", sh);
    expect_script(script, "crest-data: 2 samples of 2 series stored");
    expect_script("crest-collector store export crest-data", "orders_total{job=\"shop\"} 12 1764288000\n");
    e2e_stop(theirs);
}

static void the_demos_configuration_is_valid(void **state)
{
    (void)state;
    free(e2e_run("crest-agent", E2E_ARGS("check", "shop/demo/prometheus.yml"), 0));
    free(e2e_run("crest-collector", E2E_ARGS("check", "shop/demo/crest.yml"), 0));
    free(e2e_run("crest-loadgen",
                 E2E_ARGS("check", "shop/demo/journeys/browse.hurl", "shop/demo/journeys/checkout-de.hurl",
                          "shop/demo/journeys/checkout-jp.hurl"),
                 0));
    char *init = e2e_run("crest-collector", E2E_ARGS("init"), 0);
    free(e2e_run("crest-collector", E2E_ARGS("check", "config", e2e_write("crest.yml", init)), 0));
    free(init);
}

static void debians_promtool_takes_the_shipped_rules(void **state)
{
    (void)state;
    if (!e2e_have("promtool"))
        skip();
    char script[1024], rules[2][4096];
    absolute("dashboards/signals/shop.rules.yml", rules[0], sizeof rules[0]);
    absolute("dashboards/signals/shop.alerts.yml", rules[1], sizeof rules[1]);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        snprintf(script, sizeof script, "promtool check rules '%.400s'", rules[i]);
        expect_script(script, "SUCCESS");
        snprintf(script, sizeof script, "crest-collector check rules '%.400s'", rules[i]); /* findings would be 3 */
        expect_script(script, NULL);
    }
}

static void the_web_config_of_the_docs_lets_its_user_in(void **state)
{
    (void)state;
    char yaml[4096];
    const char *user = NULL;
    struct web_config *wc = NULL;
    struct problems problems;
    struct identity server;
    block_with("docs/wire.md", "yaml", "basic_auth_users:", yaml, sizeof yaml);
    identity_make(&server, "localhost", NULL);
    e2e_write("server.pem", server.certificate_pem);
    e2e_write("server.key", server.key_pem);
    e2e_write("clients.pem", server.certificate_pem);
    e2e_write("agent.token", "secret-token\n");
    problems_init(&problems);
    if (web_config_load(e2e_write("web.yml", yaml), &wc, &problems) < 0) {
        problems_print(&problems, stderr);
        check_failed("the example is refused");
    }
    assert_true(web_config_has_tls(wc) && web_config_requires_client_certificate(wc));
    /* alice:change me, as the comment says */
    check_ok(web_config_check(wc, SPAN("Basic YWxpY2U6Y2hhbmdlIG1l"), &user));
    assert_string_equal(user, "alice");
    check_ok(web_config_check(wc, SPAN("Bearer secret-token"), &user));
    assert_string_equal(user, "agent");
    check_errno(web_config_check(wc, SPAN("Basic YWxpY2U6Y2hhbmdlIHlv"), &user), -EACCES);
    web_config_free(wc);
    problems_done(&problems);
    identity_free(&server);
}

static void the_load_generators_commands_run(void **state)
{
    (void)state;
    static const char *const COMMANDS[] = {"crest-loadgen run cart.hurl", "crest-loadgen test cart.hurl",
                                           "crest-loadgen check *.hurl"};
    AUTO_FREE char *text = NULL;
    char command[1024], script[2048], base[64];
    struct e2e_program *shop = e2e_start("crest-shop", NULL);
    snprintf(base, sizeof base, "127.0.0.1:%u", (unsigned)e2e_port(shop));
    read_page("docs/loadgen.md", &text);
    e2e_write("cart.hurl", "GET {{base}}/api/home\nHTTP 200\n[Asserts]\nheader \"content-type\" contains \"json\"\n");
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        const char *at = strstr(text, COMMANDS[i]);
        if (!at)
            check_failed("docs/loadgen.md has no '%s'", COMMANDS[i]);
        snprintf(command, sizeof command, "%.*s", (int)strcspn(at, "\n"), at);
        if (strstr(command, "127.0.0.1:9483"))
            replace(command, sizeof command, "127.0.0.1:9483", base);
        if (strstr(command, "--duration"))
            replace(command, sizeof command, "--duration 1m", "--duration 1s --max-lag 10s");
        snprintf(script, sizeof script, "export HURL_base=http://%s\n%s", base, command);
        expect_script(script, NULL);
    }
    AUTO_FREE char *result = NULL;
    read_page(e2e_path("result.json"), &result);
    check_contains(result, "\"verdict\"");
    e2e_stop(shop);
}

static void imports_run_as_the_page_says(void **state)
{
    (void)state;
    static const struct {
        const char *name, *sample;
    } FILES[] = {{"shop.har", "tests/unit/loadgen/import/samples/shop.har"},
                 {"shop.postman_collection.json", "tests/unit/loadgen/import/samples/shop.postman.json"},
                 {"staging.json", "tests/unit/loadgen/import/samples/shop.environment.json"}};
    static const char *const COMMANDS[] = {"crest-loadgen import curl \"", "crest-loadgen import log access.log",
                                           "crest-loadgen import har shop.har", "crest-loadgen import postman shop",
                                           "crest-loadgen run from-the-log/plan.yml"};
    AUTO_FREE char *text = NULL;
    char command[1024], base[64];
    struct e2e_program *shop = e2e_start("crest-shop", NULL);
    snprintf(base, sizeof base, "127.0.0.1:%u", (unsigned)e2e_port(shop));
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        AUTO_FREE char *file = NULL;
        read_page(FILES[i].sample, &file);
        e2e_write(FILES[i].name, file);
    }
    e2e_write("access.log",
              "10.0.0.1 - - [22/Nov/2026:13:44:01 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0\"\n"
              "10.0.0.1 - - [22/Nov/2026:13:44:01 +0000] \"GET /cart HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0\"\n");
    read_page("docs/loadgen-import.md", &text);
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        const char *at = strstr(text, COMMANDS[i]);
        if (!at)
            check_failed("docs/loadgen-import.md has no '%s'", COMMANDS[i]);
        snprintf(command, sizeof command, "%.*s%s", (int)strcspn(at, "\n"), at,
                 strstr(COMMANDS[i], " run ") ? " --quiet --max-lag 10s" : "");
        if (strstr(command, "127.0.0.1:9483"))
            replace(command, sizeof command, "127.0.0.1:9483", base);
        expect_script(command, NULL);
    }
    expect_script("crest-loadgen test home.hurl && crest-loadgen check shop.hurl", NULL);
    e2e_stop(shop);
}

/* [words](target): every file that a page links to is there. */
static void check_links(const char *page)
{
    AUTO_FREE char *text = NULL;
    char target[512], path[1024];
    const char *slash = strrchr(page, '/');
    read_page(page, &text);
    for (const char *at = text; (at = strstr(at, "](")) != NULL;) {
        at += 2;
        size_t n = strcspn(at, ")#\n");
        if (n == 0 || at[n] == '\n' || memmem(at, n, "://", 3))
            continue;
        snprintf(target, sizeof target, "%.*s", (int)n, at);
        snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - page + 1) : 0, page, target);
        if (access(path, R_OK) < 0)
            check_failed("%s links to %s, which is not there", page, path);
    }
}

static void links_of_the_documents_lead_somewhere(void **state)
{
    (void)state;
    char page[512];
    DIR *d = opendir("docs");
    assert_non_null(d);
    check_links("README.md");
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!strstr(e->d_name, ".md"))
            continue;
        snprintf(page, sizeof page, "docs/%s", e->d_name);
        check_links(page);
    }
    closedir(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(watch_your_own_service_works_as_the_readme_says, e2e_teardown),
        cmocka_unit_test_teardown(a_prometheus_feeds_us_with_the_two_lines, e2e_teardown),
        cmocka_unit_test_teardown(the_past_comes_in_as_the_page_says, e2e_teardown),
        cmocka_unit_test_teardown(the_demos_configuration_is_valid, e2e_teardown),
        cmocka_unit_test_teardown(debians_promtool_takes_the_shipped_rules, e2e_teardown),
        cmocka_unit_test_teardown(the_web_config_of_the_docs_lets_its_user_in, e2e_teardown),
        cmocka_unit_test_teardown(the_load_generators_commands_run, e2e_teardown),
        cmocka_unit_test_teardown(imports_run_as_the_page_says, e2e_teardown),
        cmocka_unit_test_teardown(links_of_the_documents_lead_somewhere, e2e_teardown),
    };
    return cmocka_run_group_tests_name("docs", tests, NULL, NULL);
}
