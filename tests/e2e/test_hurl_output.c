/* What crest-loadgen test writes: words, reports for machines and people, bodies, cookies; and nothing secret in any of it. */
#include <string.h>

#include "lib/base/file.h"
#include "tests/support/e2e.h"
#include "tests/support/json.h"
#include "tests/support/stub_server.h"

static struct stub_server *server;

static const char JSON[] = "{\"id\":42,\"uuid\":\"3fa85f64-5717-4562-b3fc-2c963f66afa6\"}";

static void answer(void *ctx, const struct stub_request *r, struct stub_page *page)
{
    (void)ctx;
    page->content_type = "application/json";
    if (span_equal(r->path, SPAN("/json"))) {
        page->headers = "Set-Cookie: sid=s1; Path=/; Max-Age=600\r\n";
        page->body = JSON;
    } else if (span_equal(r->path, SPAN("/text"))) {
        page->content_type = "text/plain";
        page->body = "hello";
    } else {
        page->owned = stub_echo(r);
    }
}

static int start(void **state)
{
    (void)state;
    check_ok(stub_server_start(0, answer, NULL, &server));
    return 0;
}

static int stop(void **state)
{
    stub_server_stop(server);
    return e2e_teardown(state);
}

static char *text_of(const char *path)
{
    char *text = NULL;
    check_ok(file_read(path, 1u << 24, &text, NULL));
    return text;
}

static const char *host_variable(void)
{
    static char text[128];
    snprintf(text, sizeof text, "host=%s", stub_server_url(server));
    return text;
}

static void reports_say_what_happened_and_go_on(void **state)
{
    (void)state;
    const char *good = e2e_write("good.hurl", "GET {{host}}/json\nHTTP 200\n[Captures]\nid: jsonpath \"$.id\"\n");
    const char *bad = e2e_write("bad.hurl", "GET {{host}}/text\nHTTP 200\n[Asserts]\nbody == \"<other>\"\n");
    const char *wrong = e2e_write("wrong.hurl", "GET http://127.0.0.1:1/\n");
    const char *junit = e2e_path("junit.xml"), *tap = e2e_path("tests.tap"), *folder = e2e_path("report");
    const char *const *args = E2E_ARGS("test", good, bad, "--variable", host_variable(), "--report-junit", junit,
                                       "--report-tap", tap, "--report-json", folder);
    free(e2e_run("crest-loadgen", args, 4));
    free(e2e_run("crest-loadgen",
                 E2E_ARGS("test", wrong, "--report-junit", junit, "--report-tap", tap, "--report-json", folder), 3));
    char *xml = text_of(junit), *lines = text_of(tap), path[4096];
    check_contains(xml, "<testsuite tests=\"2\" errors=\"0\" failures=\"1\">");
    check_contains(xml, "<testsuite tests=\"1\" errors=\"1\" failures=\"0\">");
    check_contains(xml, "wanted: == text &quot;&lt;other&gt;&quot;");
    check_contains(lines, "1..3\nok 1 - ");
    check_contains(lines, "\nnot ok 2 - ");
    check_contains(lines, "\nnot ok 3 - ");
    snprintf(path, sizeof path, "%s/report.json", folder);
    json_t *root = check_json_file(path),
           *entry = json_array_get(json_object_get(json_array_get(root, 0), "entries"), 0);
    assert_int_equal(json_array_size(root), 3);
    assert_true(json_is_true(json_object_get(json_array_get(root, 0), "success")));
    assert_true(json_is_false(json_object_get(json_array_get(root, 1), "success")));
    json_t *capture = json_array_get(json_object_get(entry, "captures"), 0);
    assert_int_equal(json_integer_value(json_object_get(capture, "value")), 42);
    json_t *response = json_object_get(json_array_get(json_object_get(entry, "calls"), 0), "response");
    assert_int_equal(json_integer_value(json_object_get(response, "status")), 200);
    snprintf(path, sizeof path, "%s/%s", folder, json_string_value(json_object_get(response, "body")));
    char *body = text_of(path);
    assert_string_equal(body, JSON);
    json_decref(root);
    free(body);
    free(xml);
    free(lines);
}

/* Not in words, not in reports, not in kept bodies; given, from a file, captured, in a URL, in Basic's letters. */
static void secrets_are_shown_nowhere(void **state)
{
    (void)state;
    static const char *const HIDDEN[] = {"hunter2-and-more", "from-the-file", "3fa85f64-5717-4562",
                                         "a%2Fslash%20or%20two", "Ym9iOmh1bnRlcjI"};
    const char *file =
        e2e_write("secret.hurl", "GET {{host}}/json\nHTTP 200\n[Captures]\ntoken: jsonpath \"$.uuid\" redact\n"
                                 "GET {{host}}/echo?a={{given}}&b={{filed}}&c={{token}}\n[Query]\nd: {{odd}}\n"
                                 "[BasicAuth]\nbob: {{given}}\nHTTP 200\n[Asserts]\n"
                                 "body == \"no\"\nheader \"X-{{given}}\" exists\nvariable \"given\" == \"x\"\n");
    const char *secrets = e2e_write("secrets", "filed=from-the-file\n");
    const char *junit = e2e_path("junit.xml"), *tap = e2e_path("tests.tap"), *folder = e2e_path("report");
    const char *commands = e2e_path("commands");
    char *out = e2e_run("crest-loadgen",
                        E2E_ARGS("test", file, "--variable", host_variable(), "--secret", "given=hunter2-and-more",
                                 "--secret", "odd=a/slash or two", "--secrets-file", secrets, "--very-verbose",
                                 "--json", "--error-format", "long", "--report-junit", junit, "--report-tap", tap,
                                 "--report-json", folder, "--report-html", folder, "--curl", commands),
                        4);
    struct file_list bodies;
    char pattern[4096], index[4096];
    snprintf(pattern, sizeof pattern, "%s/store/*", folder);
    check_ok(file_glob(pattern, &bodies));
    assert_int_equal(bodies.n, 3); /* and the page */
    snprintf(pattern, sizeof pattern, "%s/report.json", folder);
    snprintf(index, sizeof index, "%s/index.html", folder);
    const char *const written[] = {e2e_path("run.log"), junit,           tap,      pattern, bodies.paths[0],
                                   bodies.paths[1],     bodies.paths[2], commands, index};
    for (size_t i = 0; i <= ARRAY_LEN(written); i++) {
        char *text = i < ARRAY_LEN(written) ? text_of(written[i]) : strdup(out);
        for (size_t k = 0; k < ARRAY_LEN(HIDDEN); k++)
            if (strstr(text, HIDDEN[k]))
                check_failed("%s shows '%s':\n%s", i < ARRAY_LEN(written) ? written[i] : "stdout", HIDDEN[k], text);
        free(text);
    }
    char *log = text_of(e2e_path("run.log"));
    check_contains(log, "***");
    free(log);
    free(out);
    file_list_done(&bodies);
}

/* A page for each run of a file; what an earlier call wrote stays. */
static void pages_and_commands_are_written_for_people(void **state)
{
    (void)state;
    const char *good =
        e2e_write("good.hurl", "GET {{host}}/json\nHTTP 200\nPOST {{host}}/echo\nX: it's\n`a b`\nHTTP 200\n");
    const char *bad = e2e_write("bad.hurl", "GET {{host}}/text\nHTTP 200\n[Asserts]\nbody == \"<other>\"\n");
    const char *folder = e2e_path("pages"), *commands = e2e_path("commands");
    char path[4096];
    free(e2e_run("crest-loadgen",
                 E2E_ARGS("test", good, "--variable", host_variable(), "--report-html", folder, "--curl", commands),
                 0));
    free(e2e_run("crest-loadgen", E2E_ARGS("test", bad, "--variable", host_variable(), "--report-html", folder), 4));
    snprintf(path, sizeof path, "%s/index.html", folder);
    char *index = text_of(path), *lines = text_of(commands);
    check_contains(index, "2 files run, 1 passed, 1 failed");
    check_contains(index, "good.hurl</a></td><td>passed</td><td>2</td>");
    struct span row = span_from(span_str(index), span_search(span_str(index), SPAN("<tr class=\"failed\">"))),
                link = span_from(row, span_search(row, SPAN("href=\"")) + 6);
    snprintf(path, sizeof path, "%s/" SPAN_FMT, folder, SPAN_ARG(span_of(link.ptr, span_find(link, '"'))));
    char *page = text_of(path);
    check_contains(page, "bad.hurl:4:1: Assert failed: ");
    check_contains(page, "&lt;other&gt;");
    check_contains(page, "<td>1</td><td>1</td><td>GET</td><td>http://127.0.0.1:");
    check_contains(page, "</td><td>200</td><td>");
    check_contains(page, "<mark>   4 ");
    check_contains(lines, "curl ");
    check_contains(lines, "/json'\ncurl --request POST ");
    check_contains(lines, "--data-binary 'a b'");
    free(index);
    free(lines);
    free(page);
    const char *large = e2e_write("large.hurl", "GET {{host}}/text\nHTTP 200\n"); /* hello */
    free(e2e_run("crest-loadgen", E2E_ARGS("test", large, "--variable", host_variable(), "--max-filesize", "5"), 0));
    free(e2e_run("crest-loadgen", E2E_ARGS("test", large, "--variable", host_variable(), "--max-filesize", "4"), 3));
    char *log = text_of(e2e_path("run.log"));
    check_contains(log, "too_large: the body is over --max-filesize");
    free(log);
}

static void outputs_and_cookies_are_files(void **state)
{
    (void)state;
    const char *file =
        e2e_write("one.hurl", "GET {{host}}/json\nGET {{host}}/text\n[Options]\noutput: body.txt\nHTTP 200\n");
    const char *next =
        e2e_write("two.hurl", "GET {{host}}/echo\nHTTP 200\n[Asserts]\njsonpath \"$.head\" contains \"sid=s1\"\n");
    const char *jar = e2e_path("jar"), *last = e2e_path("last");
    free(e2e_run(
        "crest-loadgen",
        E2E_ARGS("test", file, "--variable", host_variable(), "--output", last, "--include", "--cookie-jar", jar), 0));
    char *body = text_of(e2e_path("body.txt")), *whole = text_of(last), *cookies = text_of(jar);
    assert_string_equal(body, "hello");
    check_contains(whole, "HTTP/1.1 200\n");
    check_contains(whole, "Content-Type: text/plain\n");
    check_contains(whole, "\n\nhello");
    check_contains(cookies, "\tsid\ts1\n");
    free(body);
    free(whole);
    free(cookies);
    free(e2e_run("crest-loadgen", E2E_ARGS("test", next, "--variable", host_variable()), 4));
    free(e2e_run("crest-loadgen", E2E_ARGS("test", next, "--variable", host_variable(), "--cookie", jar), 0));
    char *out =
        e2e_run("crest-loadgen", E2E_ARGS("test", next, "--variable", host_variable(), "--no-assert", "-o", "-"), 0);
    check_contains(out, "\"path\":\"/echo\"");
    free(out);
}

/* Folders, patterns, several times, side by side: the order of what is said is the files'. */
static void many_files_are_told_in_their_order(void **state)
{
    (void)state;
    char name[32], pattern[4096];
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "many-%d.hurl", i);
        e2e_write(name,
                  i % 2 ? "GET {{host}}/text\nHTTP 200\n" : "GET {{host}}/text\n[Options]\ndelay: 30ms\nHTTP 200\n");
    }
    snprintf(pattern, sizeof pattern, "%s/many-*.hurl", e2e_folder());
    for (int jobs = 1; jobs <= 4; jobs += 3) {
        free(e2e_run("crest-loadgen",
                     E2E_ARGS("test", "--glob", pattern, "--repeat", "2", "--jobs", jobs == 1 ? "1" : "4", "--variable",
                              host_variable()),
                     0));
        char *log = text_of(e2e_path("run.log")), *at = log;
        for (int i = 0; i < 12; i++) {
            snprintf(name, sizeof name, "many-%d.hurl: Success", i % 6);
            at = strstr(at, name);
            if (!at)
                check_failed("%s is not told in its place:\n%s", name, log);
            at++;
        }
        check_contains(log, "Executed files:    12\n");
        free(log);
    }
    free(e2e_run("crest-loadgen", E2E_ARGS("test", e2e_folder(), "--variable", host_variable()), 0));
    free(e2e_run("crest-loadgen", E2E_ARGS("test", "--glob", "/nowhere/*.hurl"), 1));
    free(e2e_run("crest-loadgen", E2E_ARGS("test"), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reports_say_what_happened_and_go_on, start, stop),
        cmocka_unit_test_setup_teardown(secrets_are_shown_nowhere, start, stop),
        cmocka_unit_test_setup_teardown(pages_and_commands_are_written_for_people, start, stop),
        cmocka_unit_test_setup_teardown(outputs_and_cookies_are_files, start, stop),
        cmocka_unit_test_setup_teardown(many_files_are_told_in_their_order, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
