/* A collection with its environment (samples/shop.postman.json, samples/postman.hurl), and what is no collection. */
#include "loadgen/import/postman.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "tests/unit/loadgen/import/sample.h"

static void a_collection_becomes_the_journey_beside_it(void **state UNUSED)
{
    size_t n, m;
    char *text = sample("shop.postman.json", &n), *environment = sample("shop.environment.json", &m);
    struct journey_draft d;
    struct problems ps;
    problems_init(&ps);
    journey_init(&d);
    check_ok(import_postman(span_of(text, n), "shop.json", span_of(environment, m), "env.json", &d, &ps));
    char *journey = printed(&d), *words = words_of(&ps);
    check_sample(journey, "postman.hurl");
    assert_null(strstr(journey, "hunter2"));
    assert_string_equal(words, "warning: Sign in: this line of the test script is not understood: doSomething();\n"
                               "notice: to be set with --variable NAME=VALUE: password\n");
    free(words);
    free(journey);
    free(text);
    free(environment);
    journey_done(&d);
    problems_done(&ps);
}

/* What one line of a test script comes to. */
static void sentences_of_scripts_are_asserts_and_captures(void **state UNUSED)
{
    static const struct {
        const char *line, *expected;
    } CASES[] = {
        {"pm.test('x', () => pm.response.to.have.status(201));", "HTTP 201\n"},
        {"pm.expect(pm.response.code).to.eql(204);", "HTTP 204\n"},
        {"pm.response.to.be.ok;", "HTTP *\n[Asserts]\nstatus < 300\n"},
        {"pm.collectionVariables.set('id', pm.response.json().data[0].id);",
         "HTTP *\n[Captures]\nid: jsonpath \"$.data[0].id\"\n"},
        {"postman.setEnvironmentVariable('t', JSON.parse(responseBody)['a b']);",
         "HTTP *\n[Captures]\nt: jsonpath \"$['a b']\"\n"},
        {"pm.environment.set('loc', pm.response.headers.get('Location'));",
         "HTTP *\n[Captures]\nloc: header \"Location\"\n"},
        {"pm.expect(pm.response.json().total).to.be.above(0);", "HTTP *\n[Asserts]\njsonpath \"$.total\" > 0\n"},
        {"pm.expect(pm.response.json().id).to.exist;", "HTTP *\n[Asserts]\njsonpath \"$.id\" exists\n"},
        {"pm.expect(pm.response.json().name).to.eql(\"a \\u0041\");", NULL},
        {"pm.expect(pm.response.json().list.map(x => x.id)).to.include(1);", NULL},
        {"pm.environment.set('x', Math.random());", NULL},
        {"// nothing", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct buf text;
        struct journey_draft d;
        struct problems ps;
        buf_init(&text, 65536);
        problems_init(&ps);
        journey_init(&d);
        buf_str(&text, "{\"item\":[{\"name\":\"n\",\"request\":\"http://h/"
                       "\",\"event\":[{\"listen\":\"test\",\"script\":{\"exec\":[\"");
        for (const char *c = CASES[i].line; *c; c++)
            buf_printf(&text, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        buf_str(&text, "\"]}}]}]}");
        check_ok(import_postman(buf_view(&text), "c.json", (struct span){0}, NULL, &d, &ps));
        char *journey = printed(&d), expected[512];
        snprintf(expected, sizeof expected, "# @step n\nGET http://h/\n%s", CASES[i].expected ? CASES[i].expected : "");
        assert_string_equal(journey, expected);
        if ((ps.warnings > 0) != (CASES[i].expected == NULL))
            check_failed("%s: %zu warnings", CASES[i].line, ps.warnings);
        free(journey);
        buf_done(&text);
        journey_done(&d);
        problems_done(&ps);
    }
}

static void what_is_no_collection_is_refused(void **state UNUSED)
{
    static const char *const TEXTS[] = {
        "", "{", "[]", "{\"item\":[]}", "{\"item\":[{\"name\":\"x\",\"request\":{}}]}", "{\"requests\":[]}"};
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct journey_draft d;
        struct problems ps;
        problems_init(&ps);
        journey_init(&d);
        check_errno(import_postman(span_str(TEXTS[i]), "c.json", (struct span){0}, NULL, &d, &ps), -EINVAL);
        assert_true(ps.errors > 0);
        journey_done(&d);
        problems_done(&ps);
    }
}

static void more_variables_than_a_journey_has_are_refused_with_words(void **state UNUSED)
{
    struct journey_draft d;
    struct problems ps;
    struct buf text;
    problems_init(&ps);
    journey_init(&d);
    buf_init(&text, 1 << 20);
    buf_str(&text, "{\"item\":[{\"request\":\"http://h/\"}],\"variable\":[");
    for (unsigned i = 0; i <= HURL_VARIABLES_MAX; i++)
        buf_printf(&text, "%s{\"key\":\"v%u\",\"value\":\"x\"}", i ? "," : "", i);
    buf_str(&text, "]}");
    check_errno(import_postman(buf_view(&text), "c.json", (struct span){0}, NULL, &d, &ps), -EINVAL);
    assert_int_equal(ps.errors, 1);
    assert_non_null(strstr(ps.list[0].text, "more than 4096 variables"));
    buf_done(&text);
    journey_done(&d);
    problems_done(&ps);
}

/* Braces that are no name are text; a megabyte of them is read once, not once for each. */
static void braces_without_a_name_are_text(void **state UNUSED)
{
    struct journey_draft d;
    struct problems ps;
    struct buf text;
    problems_init(&ps);
    journey_init(&d);
    buf_init(&text, 4 << 20);
    buf_str(&text, "{\"item\":[{\"request\":\"http://h/{{ }}\"},{\"request\":\"http://h/");
    for (unsigned i = 0; i < 1000000; i++)
        buf_str(&text, "{{");
    buf_str(&text, "}}\"}]}");
    check_ok(import_postman(buf_view(&text), "c.json", (struct span){0}, NULL, &d, &ps));
    assert_int_equal(d.n, 2);
    check_span(d.first->url, "http://h/{{ }}");
    assert_true(d.last->url.len == sizeof "http://h/}}" - 1 + 2000000);
    buf_done(&text);
    journey_done(&d);
    problems_done(&ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_collection_becomes_the_journey_beside_it),
        cmocka_unit_test(sentences_of_scripts_are_asserts_and_captures),
        cmocka_unit_test(what_is_no_collection_is_refused),
        cmocka_unit_test(more_variables_than_a_journey_has_are_refused_with_words),
        cmocka_unit_test(braces_without_a_name_are_text),
    };
    return cmocka_run_group_tests_name("import_postman", tests, NULL, NULL);
}
