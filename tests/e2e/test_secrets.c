/* What is given as a secret, or captured as one, is in nothing that run, find-limit and synthetic write. */
#include "tests/support/e2e.h"

#include <string.h>

#include "lib/base/file.h"
#include "tests/support/stub_server.h"

static struct stub_server *server;

/* Says everything that it was told, in as many ways as a server may. */
static void on_request(void *ctx, const struct stub_request *r, struct stub_page *page)
{
    (void)ctx;
    page->content_type = "application/json";
    if (span_starts(r->path, SPAN("/login"))) {
        page->body = "{\"token\": \"captured-3fa85f64\", \"pin\": 918273}";
        return;
    }
    struct buf body;
    buf_init(&body, 1u << 20);
    buf_printf(&body, "{\"asked\": \"" SPAN_FMT "\", \"key\": \"" SPAN_FMT "\", \"sent\": " SPAN_FMT "}",
               SPAN_ARG(r->path), SPAN_ARG(stub_header(r->head, "X-Shop")),
               SPAN_ARG(r->body.len ? r->body : SPAN("null")));
    page->owned = buf_take(&body, NULL);
}

static int start(void **state)
{
    (void)state;
    check_ok(stub_server_start(0, on_request, NULL, &server));
    return 0;
}

static int stop(void **state)
{
    int r = e2e_teardown(state);
    stub_server_stop(server);
    return r;
}

/* Each way of saying a secret in a reason of its own: steps of one kind of failure keep the first text only. */
static const char JOURNEY[] =
    "# @step login\nGET {{host}}/login\nHTTP 200\n[Captures]\ntoken: jsonpath \"$.token\" redact\n"
    "pin: jsonpath \"$.pin\" redact\n{{name}}: jsonpath \"$.token\" redact\n"
    "# @step said\nPOST {{host}}/said?a={{given}}&q={{odd}}\nX-Shop: {{filed}}\n"
    "{\"x\": \"{{given}}\", \"odd\": \"{{odd}}\", \"t\": \"{{token}}\", \"pin\": {{pin}}}\n"
    "HTTP 200\n[Asserts]\njsonpath \"$.sent.x\" == \"no\"\n"
    "# @step url\n# @always\nGET {{host}}/said?q={{odd}}\nHTTP 200\n[Asserts]\njsonpath \"$.asked\" == \"no\"\n"
    "# @step key\n# @always\nGET {{host}}/said\nX-Shop: {{filed}}\nHTTP 200\n[Asserts]\nheader \"X-{{given}}\" exists\n"
    "# @step body\n# @always\nPOST {{host}}/said\n{\"pin\": {{pin}}, \"t\": \"{{token}}\"}\nHTTP 200\n"
    "[Asserts]\njsonpath \"$.sent.pin\" == 1\n"
    "# @step token\n# @always\nPOST {{host}}/said\n[Form]\nodd: {{odd}}\nHTTP 200\n[Asserts]\n"
    "variable \"token\" == \"no\"\n"
    "# @step named\n# @always\nGET {{host}}/said?{{other}}\nHTTP 200\n[Asserts]\nvariable \"other\" == \"no\"\n"
    "# @step given\n# @always\nGET {{host}}/said\nHTTP 200\n[Asserts]\nvariable \"given\" == \"no\"\n";
static const char *const HIDDEN[] = {"hunter2-and-more", "from-the-file", "captured-3fa85f64", "918273",
                                     "a/slash",          "a%2Fslash",     "from-outside"};

static void must_not_show(const char *name, const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(HIDDEN); i++)
        if (strstr(text, HIDDEN[i]))
            check_failed("%s shows '%s':\n%s", name, HIDDEN[i], text);
}

static char *text_of(const char *path)
{
    char *text = NULL;
    size_t n;
    check_ok(file_read(path, 1u << 24, &text, &n));
    return text;
}

static const char *host(void)
{
    static char text[128];
    snprintf(text, sizeof text, "host=%s", stub_server_url(server));
    return text;
}

static void a_run_and_a_search_show_no_secret_in_anything_that_they_write(void **state)
{
    (void)state;
    const char *file = e2e_write("secret.hurl", JOURNEY), *secrets = e2e_write("secrets", "filed=from-the-file\n");
    const char *foreign = e2e_write("foreign.hurl", "GET http://{{outside}}.example/\nHTTP 200\n");
    const char *json = e2e_path("out.json"), *html = e2e_path("out.html"), *csv = e2e_path("out.csv");
    setenv("HURL_SECRET_outside", "from-outside", 1);
    char *out = e2e_run("crest-loadgen",
                        E2E_ARGS("run", file, "--variable", host(), "--variable", "name=other", "--variable",
                                 "other=none", "--secret", "given=hunter2-and-more", "--secret",
                                 "odd=a/slash \"or\" two", "--secrets-file", secrets, "--users", "1", "--sessions", "2",
                                 "--max-lag", "10m", "--json", json, "--html", html, "--csv", csv),
                        0);
    must_not_show("stdout", out);
    const char *const written[] = {e2e_path("run.log"), json, html, csv};
    for (size_t i = 0; i < ARRAY_LEN(written); i++) {
        char *text = text_of(written[i]);
        must_not_show(written[i], text);
        if (written[i] == json) { /* the reasons are there, and had something to hide */
            check_contains(text, "\"business\":");
            check_contains(text, "***");
        }
        free(text);
    }
    free(out);
    free(e2e_run("crest-loadgen", E2E_ARGS("run", foreign, "--rate", "1"), 2));
    free(e2e_run("crest-loadgen", E2E_ARGS("run", foreign, "--secret", "from-outside", "--rate", "1"), 2));
    file = e2e_write("secret.hurl", JOURNEY); /* paths are valid for a while only */
    secrets = e2e_write("secrets", "filed=from-the-file\n");
    json = e2e_path("limit.json");
    out = e2e_run("crest-loadgen",
                  E2E_ARGS("find-limit", file, "--variable", host(), "--variable", "name=other", "--variable",
                           "other=none", "--secret", "given=hunter2-and-more", "--secret", "odd=a/slash",
                           "--secrets-file", secrets, "--slo", "err<1%", "--rate", "5", "--probe", "1s", "--settle",
                           "0", "--probes", "1", "--max-lag", "10m", "--recover-within", "0", "--json", json),
                  4);
    must_not_show("find-limit", out);
    free(out);
    const char *const more[] = {e2e_path("run.log"), json};
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        char *text = text_of(more[i]);
        must_not_show(more[i], text);
        free(text);
    }
    unsetenv("HURL_SECRET_outside");
}

static bool is_kept(void *ctx)
{
    struct file_list *files = ctx;
    char pattern[4200];
    snprintf(pattern, sizeof pattern, "%s/*-said.txt", e2e_path("failures"));
    file_list_done(files);
    *files = (struct file_list){0};
    return file_glob(pattern, files) == 0 && files->n > 0;
}

static bool has_told(void *program)
{
    char *log = e2e_log(program);
    bool told = strstr(log, "a step failed") != NULL;
    free(log);
    return told;
}

static void synthetic_keeps_no_secret_of_what_failed(void **state)
{
    (void)state;
    const char *file = e2e_write("secret.hurl", JOURNEY), *secrets = e2e_write("secrets", "filed=from-the-file\n");
    struct e2e_program *p = e2e_start(
        "crest-loadgen", E2E_ARGS("synthetic", file, "--every", "1s", "--variable", host(), "--variable", "name=other",
                                  "--variable", "other=none", "--secret", "given=hunter2-and-more", "--secret",
                                  "odd=a/slash", "--secrets-file", secrets, "--artifacts", e2e_path("failures")));
    struct file_list files = {0};
    e2e_wait(20000, is_kept, &files);
    e2e_wait(20000, has_told, p);
    char *text = text_of(files.paths[0]), *log = e2e_log(p), *metrics = e2e_get(p, "/metrics", 200);
    must_not_show(files.paths[0], text);
    check_contains(text, "X-Shop: ***\n");
    check_contains(text, "\"x\": \"***\"");
    must_not_show("the log", log);
    must_not_show("/metrics", metrics);
    file_list_done(&files);
    free(text);
    free(log);
    free(metrics);
    e2e_stop(p);
}

/* Every line that is no name=value at once, and never what stands there: it may be a secret. */
static void each_bad_line_of_a_file_of_variables_or_secrets_is_named(void **state)
{
    (void)state;
    static const char LINES[] = "# a comment\ngood=1\nhunter2-and-more\n\n=from-the-file\n";
    static const struct {
        const char *name;
        int status;
    } COMMANDS[] = {{"run", 2}, {"test", 1}};
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        const char *file = e2e_write("any.hurl", "GET http://127.0.0.1:1/\n"), *variables = e2e_write("names", LINES);
        const char *secrets = e2e_write("secrets", LINES);
        char *out = e2e_run("crest-loadgen",
                            E2E_ARGS(COMMANDS[i].name, file, "--variables-file", variables, "--secrets-file", secrets),
                            COMMANDS[i].status);
        char *log = text_of(e2e_path("run.log"));
        check_contains(log, "names:3:1: expected name=value");
        check_contains(log, "names:5:1: expected name=value");
        check_contains(log, "secrets:3:1: expected name=value");
        check_contains(log, "secrets:5:1: expected name=value");
        must_not_show(COMMANDS[i].name, log);
        free(log);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_and_a_search_show_no_secret_in_anything_that_they_write, start, stop),
        cmocka_unit_test_setup_teardown(each_bad_line_of_a_file_of_variables_or_secrets_is_named, start, stop),
        cmocka_unit_test_setup_teardown(synthetic_keeps_no_secret_of_what_failed, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
