/* Who may come in: addresses, hosts, origins, passwords, TLS, from both sides. */
#include <crypt.h>
#include <signal.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/process.h"
#include "lib/wire/http_client.h"
#include "tests/support/identity.h"
#include "tests/support/query.h"
#include "tests/support/stage.h"
#include "tests/support/stub_server.h"

static void another_address_than_loopback_needs_credentials(void **state UNUSED)
{
    static const char *const PROGRAMS[] = {"crest-collector", "crest-agent"};
    for (size_t i = 0; i < ARRAY_LEN(PROGRAMS); i++) {
        char program[4096], log_path[1024], *log = NULL;
        const char *bin = getenv("CREST_BIN");
        int status = -1;
        snprintf(program, sizeof program, "%s/%s", bin && *bin ? bin : "build/release", PROGRAMS[i]);
        snprintf(log_path, sizeof log_path, "%s", e2e_path("open.log"));
        (void)unlink(log_path);
        const char *const argv[] = {program, "--listen", "0.0.0.0:0", "--data", e2e_path("data"), NULL};
        check_ok(process_run(argv, &(struct process_options){.log_path = log_path}, 10000 * check_slowness(), 1 << 20,
                             NULL, &status));
        check_ok(file_read(log_path, 1 << 20, &log, NULL));
        assert_int_equal(status, 1);
        check_contains(log, "0.0.0.0:0");
        check_contains(log, "web config file"); /* the cure */
        free(log);
    }
}

static int request(const struct e2e_program *p, const char *method, const char *path, const char *header)
{
    char url[512];
    const char *headers[] = {header, NULL};
    snprintf(url, sizeof url, "%s%s", e2e_url(p), path);
    return e2e_try(method, url, headers, span_str(strcmp(method, "POST") == 0 ? "x" : NULL), NULL);
}

static void a_foreign_host_or_origin_is_403(void **state UNUSED)
{
    char own[128];
    struct e2e_program *p =
        e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("collector"), "--config",
                                              e2e_write("crest.yml", "external_url: https://crest.example/\n")));
    assert_int_equal(request(p, "GET", "/-/ready", "Host: evil.example"), 403);
    assert_int_equal(request(p, "GET", "/api/v1/query?query=1", "Host: evil.example:9480"), 403);
    assert_int_equal(request(p, "GET", "/-/ready", "Host: localhost"), 200);
    assert_int_equal(request(p, "GET", "/-/ready", "Host: crest.example"), 200); /* external_url's */
    assert_int_equal(request(p, "POST", "/-/reload", "Origin: https://evil.example"), 403);
    assert_int_equal(request(p, "POST", "/api/v1/write", "Origin: null"), 403);
    snprintf(own, sizeof own, "Origin: %s", e2e_url(p));
    assert_int_equal(request(p, "POST", "/api/v1/write", own), 415); /* let in, and then no remote write */
    assert_int_equal(request(p, "GET", "/-/ready", "Origin: https://evil.example"), 200); /* reading changes nothing */
    char *page = e2e_get(p, "/metrics", 200);
    check_contains(page, "crest_http_refused_total{");
    free(page);
    e2e_stop(p);
}

/* ---- passwords and TLS ---- */

#define PASSWORD "s3cret"

struct doors {
    struct identity ca, server;
    char web_config[1024], ca_file[1024], password_file[1024], token_file[1024];
};

static void make_doors_of(struct doors *d, bool tls, const char *name)
{
    char text[2048], setting[64];
    struct crypt_data crypt = {0};
    identity_make(&d->ca, "ca.test", NULL);
    identity_make(&d->server, name, &d->ca);
    assert_non_null(crypt_gensalt_rn("$2b$", 4, NULL, 0, setting, sizeof setting));
    const char *hash = crypt_r(PASSWORD, setting, &crypt);
    assert_non_null(hash);
    snprintf(d->ca_file, sizeof d->ca_file, "%s", e2e_write("ca.pem", d->ca.certificate_pem));
    e2e_write("server.pem", d->server.certificate_pem);
    e2e_write("server.key", d->server.key_pem);
    snprintf(d->password_file, sizeof d->password_file, "%s", e2e_write("password", PASSWORD "\n"));
    snprintf(d->token_file, sizeof d->token_file, "%s", e2e_write("token", "t0ken\n"));
    snprintf(text, sizeof text, "%sbasic_auth_users: {ada: '%s'}\nbearer_token_files: {agent: token}\n",
             tls ? "tls_server_config: {cert_file: server.pem, key_file: server.key}\n" : "", hash);
    snprintf(d->web_config, sizeof d->web_config, "%s", e2e_write("web.yml", text));
}

static void make_doors(struct doors *d, bool tls)
{
    make_doors_of(d, tls, "crest.test");
}

static void free_doors(struct doors *d)
{
    identity_free(&d->server);
    identity_free(&d->ca);
}

static int fetch(const struct e2e_program *p, const char *scheme, const char *path,
                 const struct http_credentials *credentials, char **ret_body)
{
    char url[256];
    struct http_response response = {0};
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, (unsigned)e2e_port(p), path);
    struct http_request r = {.url = url, .credentials = credentials, .timeout_ms = 10000};
    int status = http_fetch(&r, &response);
    status = status ? status : response.status;
    if (ret_body)
        *ret_body = buf_take(&response.body, NULL);
    http_response_done(&response);
    return status;
}

static void basic_auth_and_tokens_decide_who_comes_in(void **state UNUSED)
{
    struct doors d;
    make_doors(&d, false);
    struct e2e_program *p =
        e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("collector"), "--web-config", d.web_config));
    assert_int_equal(fetch(p, "http", "/api/v1/query?query=1", NULL, NULL), 401);
    assert_int_equal(fetch(p, "http", "/metrics", NULL, NULL), 401);
    assert_int_equal(fetch(p, "http", "/-/healthy", NULL, NULL), 200); /* for supervisors */
    assert_int_equal(fetch(p, "http", "/metrics", &(struct http_credentials){.user = "ada", .password = "wrong"}, NULL),
                     401);
    assert_int_equal(
        fetch(p, "http", "/metrics", &(struct http_credentials){.user = "ada", .password = PASSWORD}, NULL), 200);
    assert_int_equal(fetch(p, "http", "/metrics", &(struct http_credentials){.bearer_file = d.token_file}, NULL), 200);
    assert_int_equal(fetch(p, "http", "/metrics", &(struct http_credentials){.bearer = "other"}, NULL), 401);
    e2e_stop(p);
    free_doors(&d);
}

struct remote {
    const struct e2e_program *collector;
    const struct http_credentials *credentials;
    const char *expression, *expected;
};
static bool answers(void *ctx)
{
    const struct remote *r = ctx;
    char path[256], *body = NULL;
    snprintf(path, sizeof path, "/api/v1/query?query=%s", r->expression);
    int status = fetch(r->collector, "https", path, r->credentials, &body);
    bool yes = status == 200 && body && strstr(body, r->expected);
    free(body);
    return yes;
}

/* The agent scrapes the collector through TLS with a password, and sends to it through TLS with a token. */
static void an_agent_comes_through_tls_and_passwords(void **state UNUSED)
{
    struct doors d;
    char config[4096];
    make_doors(&d, true);
    struct e2e_program *p =
        e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("collector"), "--web-config", d.web_config));
    assert_true(fetch(p, "http", "/-/healthy", NULL, NULL) != 200); /* no plain HTTP */
    assert_true(fetch(p, "https", "/-/healthy", NULL, NULL) < 0);   /* an authority that nobody knows */
    struct http_credentials ada = {
        .user = "ada", .password = PASSWORD, .ca_file = d.ca_file, .server_name = "crest.test"};
    assert_int_equal(fetch(p, "https", "/-/healthy", &ada, NULL), 200);
    snprintf(config, sizeof config,
             "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
             "remote_write:\n"
             "  - url: https://127.0.0.1:%u/api/v1/write\n"
             "    authorization: {credentials_file: token}\n"
             "    tls_config: {ca_file: ca.pem, server_name: crest.test}\n"
             "scrape_configs:\n"
             "  - job_name: basic\n"
             "    scheme: https\n"
             "    basic_auth: {username: ada, password_file: password}\n"
             "    tls_config: {ca_file: ca.pem, server_name: crest.test}\n"
             "    static_configs: &at [{targets: ['127.0.0.1:%u']}]\n"
             "  - job_name: wrong_password\n"
             "    scheme: https\n"
             "    basic_auth: {username: ada, password: no}\n"
             "    tls_config: {insecure_skip_verify: true}\n"
             "    static_configs: *at\n"
             "  - job_name: wrong_name\n"
             "    scheme: https\n"
             "    authorization: {credentials_file: token}\n"
             "    tls_config: {ca_file: ca.pem, server_name: other.test}\n"
             "    static_configs: *at\n",
             (unsigned)e2e_port(p), (unsigned)e2e_port(p));
    struct e2e_program *agent = e2e_start(
        "crest-agent", E2E_ARGS("--config", e2e_write("prometheus.yml", config), "--data", e2e_path("agent")));
    e2e_wait(8000, answers, &((struct remote){p, &ada, "up", "\"job\":\"wrong_name\""}));
    e2e_wait(8000, answers, &((struct remote){p, &ada, "up%7Bjob%3D%22basic%22%7D", ",\"1\"]"}));
    e2e_wait(8000, answers,
             &((struct remote){p, &ada, "crest_agent_target_info%7Bjob%3D%22wrong_password%22%7D", "HTTP status 401"}));
    e2e_wait(8000, answers, &((struct remote){p, &ada, "up%7Bjob%3D%22wrong_password%22%7D", ",\"0\"]"}));
    e2e_wait(8000, answers, &((struct remote){p, &ada, "up%7Bjob%3D%22wrong_name%22%7D", ",\"0\"]"}));
    char *log = e2e_log(agent);
    assert_null(strstr(log, PASSWORD)); /* no secret in a log */
    assert_null(strstr(log, "t0ken"));
    free(log);
    e2e_stop(agent);
    e2e_stop(p);
    free_doors(&d);
}

/* ---- the same, while it runs ---- */

struct outcome {
    struct e2e_program *program;
    const struct http_credentials *credentials;
    const char *scheme, *text;
};
/* Is the text on its page of metrics? */
static bool says(void *ctx)
{
    const struct outcome *o = ctx;
    char *page = NULL;
    bool yes = fetch(o->program, o->scheme, "/metrics", o->credentials, &page) == 200 && strstr(page, o->text);
    free(page);
    return yes;
}

static void write_users(const char *user, const char *more)
{
    char text[512], setting[64];
    struct crypt_data crypt = {0};
    assert_non_null(crypt_gensalt_rn("$2b$", 4, NULL, 0, setting, sizeof setting));
    snprintf(text, sizeof text, "%sbasic_auth_users: {%s: '%s'}\n", more, user, crypt_r(PASSWORD, setting, &crypt));
    e2e_write("web.yml", text);
}

#define TLS_FILES "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
#define RELOAD_FAILED "crest_config_last_reload_successful 0"

static void a_reload_takes_new_passwords_and_certificates_and_keeps_the_old_when_they_are_bad(void **state UNUSED)
{
    static const char *const PROGRAMS[] = {"crest-collector", "crest-agent"};
    for (size_t i = 0; i < ARRAY_LEN(PROGRAMS); i++) {
        struct doors d;
        struct identity renewed;
        make_doors(&d, true);
        struct http_credentials ada = {
            .user = "ada", .password = PASSWORD, .ca_file = d.ca_file, .server_name = "crest.test"};
        struct http_credentials bob = {
            .user = "bob", .password = PASSWORD, .ca_file = d.ca_file, .server_name = "renewed.test"};
        struct http_credentials old = {
            .user = "bob", .password = PASSWORD, .ca_file = d.ca_file, .server_name = "crest.test"};
        struct e2e_program *p =
            e2e_start(PROGRAMS[i], E2E_ARGS("--data", e2e_path("data"), "--web-config", d.web_config));
        assert_int_equal(fetch(p, "https", "/metrics", &ada, NULL), 200);
        assert_int_equal(fetch(p, "https", "/metrics", &old, NULL), 401);

        identity_make(&renewed, "renewed.test", &d.ca);
        e2e_write("server.pem", renewed.certificate_pem);
        e2e_write("server.key", renewed.key_pem);
        write_users("bob", TLS_FILES);
        e2e_signal(p, SIGHUP);
        e2e_wait(5000, says, &((struct outcome){p, &bob, "https", "crest_config_last_reload_successful 1"}));
        assert_true(fetch(p, "https", "/-/healthy", &old, NULL) < 0); /* the certificate is another's now */
        ada.server_name = "renewed.test";
        assert_int_equal(fetch(p, "https", "/metrics", &ada, NULL), 401); /* a taken back password */

        e2e_write("server.pem", "no certificate\n");
        write_users("eve", TLS_FILES);
        e2e_signal(p, SIGHUP);
        e2e_wait(5000, says, &((struct outcome){p, &bob, "https", RELOAD_FAILED}));
        e2e_write("server.pem", renewed.certificate_pem);
        e2e_signal(p, SIGHUP);
        struct http_credentials eve = bob;
        eve.user = "eve";
        e2e_wait(5000, says, &((struct outcome){p, &eve, "https", "crest_config_last_reload_successful 1"}));
        write_users("bob", ""); /* without TLS: not while it runs */
        e2e_signal(p, SIGHUP);
        e2e_wait(5000, says, &((struct outcome){p, &eve, "https", RELOAD_FAILED}));
        char *log = e2e_log(p);
        check_contains(log, "at a restart only");
        free(log);
        e2e_stop(p);
        identity_free(&renewed);
        free_doors(&d);
    }
}

static void with_credentials_another_address_is_fine(void **state UNUSED)
{
    struct doors d;
    char program[4096], line[256];
    const char *bin = getenv("CREST_BIN");
    struct process *p = NULL;
    int status = -1;
    make_doors(&d, true);
    snprintf(program, sizeof program, "%s/crest-collector", bin && *bin ? bin : "build/release");
    const char *const argv[] = {program,          "--listen",     "0.0.0.0:0",  "--data",
                                e2e_path("data"), "--web-config", d.web_config, NULL};
    check_ok(process_start(argv, &(struct process_options){.log_path = e2e_path("any.log")}, &p));
    check_ok(process_wait_line(p, "listening ", E2E_START_MS, line, sizeof line));
    check_ok(process_stop(p, 10000 * check_slowness(), &status));
    assert_int_equal(status, 0);
    process_free(p);
    free_doors(&d);
}

/* mark, event and report are let in as an agent is. */
static void commands_come_through_tls_with_a_password_or_a_token(void **state UNUSED)
{
    struct doors d;
    char url[64];
    make_doors_of(&d, true, "localhost");
    const char *basic = strdup(e2e_write("ada", "ada:" PASSWORD "\n")), *wrong = strdup(e2e_write("no", "ada:no\n"));
    const char *sale = strdup(e2e_write("sale.yml", "name: sale\nmarkets: {de: EUR}\n"
                                                    "window: {zone: UTC, starts: 2020-01-01T00:00, length: 1h}\n"));
    const char *html = strdup(e2e_path("report.html"));
    struct e2e_program *p =
        e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("collector"), "--web-config", d.web_config));
    snprintf(url, sizeof url, "https://localhost:%u", (unsigned)e2e_port(p));
#define IN "--url", url, "--ca-file", d.ca_file, "--auth-file"
    const char *const files[] = {basic, d.token_file};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        free(e2e_run("crest-collector", E2E_ARGS("event", "import", sale, IN, files[i]), 0));
        char *listed = e2e_run("crest-collector", E2E_ARGS("event", "list", IN, files[i]), 0);
        check_contains(listed, "sale");
        free(listed);
        free(e2e_run("crest-collector", E2E_ARGS("mark", "note", "-", "hello", IN, files[i]), 0));
        free(e2e_run("crest-collector", E2E_ARGS("report", "sale", "-o", html, IN, files[i]), 0));
        free(e2e_run("crest-collector", E2E_ARGS("event", "remove", "sale", IN, files[i]), 0));
    }
    free(e2e_run("crest-collector", E2E_ARGS("event", "list", IN, wrong), 1));
    free(e2e_run("crest-collector", E2E_ARGS("mark", "note", "-", "hello", IN, wrong), 1));
    free(e2e_run("crest-collector", E2E_ARGS("event", "list", "--url", url, "--ca-file", d.ca_file), 1));
    free(e2e_run("crest-collector", E2E_ARGS("event", "list", "--url", url, "--auth-file", basic), 1)); /* no CA */
    char journey[128], write_url[128];
    snprintf(journey, sizeof journey, "GET %s/metrics\nHTTP 401\n", url);
    snprintf(write_url, sizeof write_url, "%s/api/v1/write", url);
    free(e2e_run("crest-loadgen",
                 E2E_ARGS("run", e2e_write("j.hurl", journey), "--users", "1", "--sessions", "2", "--max-lag", "1h",
                          "--run-id", "behind-a-door", "--remote-write", write_url, "--ca-file", d.ca_file,
                          "--auth-file", basic),
                 0));
    struct http_credentials ada = {.auth_file = basic, .ca_file = d.ca_file, .server_name = "localhost"};
    char *labels = NULL;
    assert_int_equal(fetch(p, "https", "/api/v1/label/run/values", &ada, &labels), 200);
    check_contains(labels, "behind-a-door");
    free(labels);
    char *log = e2e_log(p);
    assert_null(strstr(log, PASSWORD));
    free(log);
    e2e_stop(p);
    free((void *)basic);
    free((void *)wrong);
    free((void *)sale);
    free((void *)html);
    free_doors(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(another_address_than_loopback_needs_credentials, e2e_teardown),
        cmocka_unit_test_teardown(a_foreign_host_or_origin_is_403, e2e_teardown),
        cmocka_unit_test_teardown(basic_auth_and_tokens_decide_who_comes_in, e2e_teardown),
        cmocka_unit_test_teardown(an_agent_comes_through_tls_and_passwords, e2e_teardown),
        cmocka_unit_test_teardown(commands_come_through_tls_with_a_password_or_a_token, e2e_teardown),
        cmocka_unit_test_teardown(a_reload_takes_new_passwords_and_certificates_and_keeps_the_old_when_they_are_bad,
                                  e2e_teardown),
        cmocka_unit_test_teardown(with_credentials_another_address_is_fine, e2e_teardown),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
