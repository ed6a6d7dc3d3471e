#include "tests/support/check.h"

#include "lib/base/buf.h"
#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"

static struct hurl_file *parsed(const char *text)
{
    struct problems ps;
    problems_init(&ps);
    struct hurl_file *f = NULL;
    int r = hurl_parse("journeys/cart.hurl", span_str(text), &f, &ps);
    if (r < 0 || problems_errors(&ps)) {
        problems_print(&ps, stderr);
        check_failed("does not parse (%d): %s", r, text);
    }
    problems_done(&ps);
    return f;
}

/* "2:5: words" of every error, one per line. */
static char *errors_of(const char *text, bool checked)
{
    struct problems ps;
    problems_init(&ps);
    struct hurl_file *f = NULL;
    int r = hurl_parse("x.hurl", span_str(text), &f, &ps);
    if (r == 0 && checked)
        r = hurl_check(f, &ps);
    if ((r < 0) != (problems_errors(&ps) > 0))
        check_failed("result %d with %zu errors", r, problems_errors(&ps));
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < ps.n; i++)
        if (ps.list[i].level == PROBLEM_ERROR)
            buf_printf(&out, "%u:%u: %s\n", ps.list[i].line, ps.list[i].column, ps.list[i].text);
    problems_done(&ps);
    hurl_file_free(f);
    return buf_take(&out, NULL);
}

static const char EVERYTHING[] =
    "# a comment\n"
    "# @weight 28\n"
    "# @feed users.csv shuffle\n"
    "\n"
    "# @step home\n"
    "GET {{base}}/home?x=1 # trailing comment\n"
    "Accept: text/html\n"
    "X-Long: a b \\# not a comment # a comment\n"
    "{{name}}: {{value}}\n"
    "[Query]\n"
    "q: summer dress\n"
    "a[]: 1\n"
    "[QueryStringParams]\n"
    "old: style\n"
    "[Cookies]\n"
    "theme: dark\n"
    "[BasicAuth]\n"
    "ann: secret:with:colons\n"
    "[Options]\n"
    "location: true\n"
    "max-redirs: -1\n"
    "retry: 3\n"
    "retry-interval: 200ms\n"
    "delay: 1s\n"
    "connect-timeout: 5\n"
    "max-time: 30s\n"
    "skip: {{skip_it}}\n"
    "variable: host=example.com\n"
    "variable: n=-12\n"
    "variable: t=\"a # b\"\n"
    "limit-rate: 1024\n"
    "proxy: http://127.0.0.1:3128\n"
    "compressed: false\n"
    "HTTP/1.1 200\n"
    "Content-Type: text/html\n"
    "[Captures]\n"
    "csrf: xpath \"string(//input[@name='csrf']/@value)\"\n"
    "id: jsonpath \"$.items[0].id\" toString\n"
    "secret: header \"X-Token\" redact\n"
    "[Asserts]\n"
    "status >= 200\n"
    "status < 300\n"
    "version == \"1.1\"\n"
    "header \"Content-Type\" contains \"html\"\n"
    "cookie \"sid[HttpOnly]\" exists\n"
    "jsonpath \"$.a\" == 1.5\n"
    "jsonpath \"$.a\" not == null\n"
    "jsonpath \"$.list\" count == {{n}}\n"
    "jsonpath \"$.list\" includes \"x\"\n"
    "jsonpath \"$.s\" startsWith \"a\"\n"
    "jsonpath \"$.s\" replace \"a\" \"b\" split \",\" nth -1 == \"c\"\n"
    "body matches /a\\/b\\d+/\n"
    "bytes startsWith hex,efbbbf;\n"
    "bytes count == 12\n"
    "body == ```\nline 1\nline 2\n```\n"
    "sha256 == hex,00ff;\n"
    "certificate Subject contains \"CN\"\n"
    "certificate \"Issuer\" exists\n"
    "duration < 1000\n"
    "variable \"n\" isInteger\n"
    "regex /id=(\\d+)/ toInt > 3\n"
    "jsonpath \"$.d\" toDate \"%Y\" daysAfterNow > 3\n"
    "jsonpath \"$.x\" not exists\n"
    "{\"full\": [1, 2, {\"deep\": \"{{t}}\"}], \"bare\": {{n}}}\n"
    "\n"
    "# @step pay\n"
    "# @think exp 7s max 70s\n"
    "# @goto p=0.3 home\n"
    "# @slo p95<800ms err<1%\n"
    "# @slo p999<=2s max<10s mean<100ms\n"
    "# @money\n"
    "POST https://shop.example/pay/{{id}}\n"
    "[Form]\n"
    "card: 4242 4242\n"
    "empty:\n"
    "HTTP 302\n"
    "\n"
    "# @always\n"
    "# @think 2s..5s\n"
    "DELETE http://localhost/cart\n"
    "[Multipart]\n"
    "f: file,a\\ b.txt; text/plain\n"
    "g: plain\n"
    "HTTP *\n"
    "POST http://localhost/xml\n"
    "<?xml version=\"1.0\"?>\n<!-- <x> --><a b='>'><c/>text<![CDATA[<]]></a>\n"
    "POST http://localhost/graph\n"
    "```graphql\nquery Q($id: ID!) { item(id: $id) { name } }\nvariables { \"id\": \"{{id}}\" }\n```\n"
    "POST http://localhost/raw\n"
    "```raw,novariable\n{{ not a template }}\n```\n"
    "POST http://localhost/one\n"
    "`one {{id urlEncode}} line\\n`\n"
    "POST http://localhost/b64\n"
    "base64,aGVs\nbG8=;\n"
    "POST http://localhost/hex\n"
    "hex, 00 ff;\n"
    "POST http://localhost/file\n"
    "file,data/{{id}}.json;\n"
    "POST http://localhost/num\n"
    "-12.5e3\n"
    "POST http://localhost/arr\n"
    "[1,\n2]\n"
    "HTTP/2 200\n"
    "`ok`\n"
    "GET http://localhost/last?t={{newUuid}}&e={{getEnv \"HOME\"}}";

static void the_whole_grammar_is_read_into_the_tree(void **state)
{
    (void)state;
    struct hurl_file *f = parsed(EVERYTHING);
    assert_string_equal(f->journey, "cart");
    assert_int_equal(f->n_entries, 13);
    assert_true(f->weight == 28);
    check_span(f->feeds[0].file, "users.csv");
    assert_int_equal(f->feeds[0].mode, HURL_FEED_SHUFFLE);

    const struct hurl_entry *home = &f->entries[0];
    check_span(home->step, "home");
    check_span(home->request.method, "GET");
    assert_int_equal(home->request.url.n, 2);
    check_span(home->request.url.parts[1].text, "/home?x=1");
    assert_int_equal(home->request.n_headers, 3);
    check_span(home->request.headers[1].value.parts[0].text, "a b # not a comment");
    assert_int_equal(home->request.n_query, 3);
    check_span(home->request.query[1].key.parts[0].text, "a[]");
    check_span(home->request.basic_auth[0].value.parts[0].text, "secret:with:colons");
    assert_int_equal(home->request.n_options, 14);
    assert_int_equal(home->request.options[1].integer, -1);
    assert_int_equal(home->request.options[3].integer, 200);
    assert_int_equal(home->request.options[5].integer, 5000);
    assert_int_equal(home->request.options[6].integer, 30000);
    assert_int_equal(home->request.options[9].value.integer, -12);
    check_span(home->request.options[10].value.text.parts[0].text, "a # b");

    assert_true(home->has_response);
    assert_int_equal(home->response.version, 11);
    assert_int_equal(home->response.status, 200);
    assert_int_equal(home->response.n_headers, 1);
    assert_int_equal(home->response.n_captures, 3);
    assert_int_equal(home->response.captures[1].query.n_filters, 1);
    assert_true(home->response.captures[2].redact);
    assert_int_equal(home->response.n_asserts, 23);
    const struct hurl_assert *a = home->response.asserts;
    assert_int_equal(a[5].predicate.operand.kind, HURL_OPERAND_FLOAT);
    assert_true(a[6].predicate.negated);
    assert_int_equal(a[7].predicate.operand.kind, HURL_OPERAND_EXPR);
    assert_int_equal(a[10].query.n_filters, 3);
    assert_int_equal(a[10].query.filters[2].args[0].integer, -1);
    check_span(a[11].predicate.operand.bytes, "a/b\\d+");
    check_span(a[12].predicate.operand.bytes, "\xef\xbb\xbf");
    check_span(a[14].predicate.operand.text.parts[0].text, "line 1\nline 2\n");
    assert_int_equal(home->response.body.kind, HURL_BODY_JSON);
    assert_int_equal(home->response.body.text.parts[1].kind, HURL_PART_EXPR_IN_JSON);
    assert_int_equal(home->response.body.text.parts[3].kind, HURL_PART_EXPR);

    const struct hurl_entry *pay = &f->entries[1];
    check_span(pay->step, "pay");
    assert_int_equal(pay->think.kind, HURL_THINK_EXP);
    assert_int_equal(pay->think.a_us, 7000000);
    assert_int_equal(pay->think.b_us, 70000000);
    assert_int_equal(pay->n_gotos, 1);
    assert_int_equal(pay->n_slos, 5);
    assert_true(pay->slos[0].percentile == 95 && pay->slos[0].limit == 800000);
    assert_true(pay->slos[1].metric == HURL_SLO_ERRORS && pay->slos[1].limit == 0.01);
    assert_true(pay->slos[2].percentile > 99.89 && pay->slos[2].percentile < 99.91 && pay->slos[2].inclusive);
    assert_true(pay->money && !pay->always);
    assert_int_equal(pay->request.n_form, 2);
    assert_int_equal(pay->request.form[1].value.n, 0);
    check_span(f->entries[2].step, "DELETE /cart");
    assert_true(f->entries[2].always && !f->entries[2].money);
    assert_int_equal(f->entries[2].response.status, HURL_ANY);
    check_span(f->entries[2].request.multipart[0].value.parts[0].text, "a b.txt");
    check_span(f->entries[2].request.multipart[0].content_type.parts[0].text, "text/plain");

    static const enum hurl_body_kind KINDS[] = {HURL_BODY_XML,  HURL_BODY_GRAPHQL, HURL_BODY_TEXT,
                                                HURL_BODY_TEXT, HURL_BODY_BYTES,   HURL_BODY_BYTES,
                                                HURL_BODY_FILE, HURL_BODY_JSON,    HURL_BODY_JSON};
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++)
        assert_int_equal(f->entries[3 + i].request.body.kind, KINDS[i]);
    assert_true(f->entries[4].request.body.has_variables);
    check_span(f->entries[5].request.body.text.parts[0].text, "{{ not a template }}\n");
    check_span(f->entries[7].request.body.bytes, "hello");
    assert_int_equal(f->entries[11].response.version, 20);
    assert_int_equal(f->entries[12].request.url.n, 4);
    hurl_file_free(f);
}

/* Each with all its errors: line, column, and what makes the message useful. */
static void every_error_comes_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* lines "L:C: start of message" */
    } cases[] = {
        {"GET\n", "1:1: expected a request such as GET http://…, found 'GET'"},
        {"GET http://x\nHTTP 20x\n", "2:6: expected a status of three digits or *, found '20x'|unexpected"},
        {"GET http://x\nHTTP/4 200\n", "2:1: unknown version 'HTTP/4'"},
        {"GET http://x y\n", "1:14: unexpected 'y' behind the URL"},
        {"GET http://x\n[Asert]\nstatus == 200\n", "2:1: unknown section [Asert]"},
        {"GET http://x\n[Captures]\n", "2:1: [Captures] belongs to the response"},
        {"GET http://x\n[Options]\nlocaton: true\nretry: many\n",
         "3:1: unknown option 'locaton' (did you mean 'location'?)\n4:8: retry needs a whole number"},
        {"GET http://x\n[Options]\nlocation: yes\ndelay: 3x\n",
         "3:11: location is true or false, found 'yes'\n4:8: delay needs a time"},
        {"GET http://x\nHTTP 200\n[Asserts]\njsonpat \"$\" == 1\nstatus equal 200\nheader X exists\n",
         "4:1: unknown query 'jsonpat' (did you mean 'jsonpath'?)\n"
         "5:8: unknown filter or predicate 'equal' (did you mean 'equals'?)\n"
         "6:8: expected a value, found 'X exists' (texts stand in quotes)"},
        {"GET http://x\nHTTP 200\n[Captures]\na: jsonpath \"$.x\" cuont\nb: header\n",
         "4:19: unknown filter 'cuont' (did you mean 'count'?)\n5:10: a value is missing here"},
        {"GET http://x\nHTTP 200\n[Asserts]\nstatus ==\nstatus == abc\nbody contains \"x\nduration < 5 6\n",
         "4:10: a value is missing here\n5:11: expected a value, found 'abc'\n6:15: this text has no closing quote"},
        {"GET http://x/{{a\nA: {{b.c}}\nB: {{}}\nC: {{a frobnicate}}\n",
         "1:14: '{{' without '}}' on its line\n2:7: expected a filter or '}}', found '.c}}'\n"
         "3:6: expected a variable name after '{{', found '}}'\n4:8: unknown filter 'frobnicate'"},
        {"POST http://x\n{\"a\": }\n", "2:7: JSON: expected a value, found '}'"},
        {"POST http://x\n{\"a\": 01}\n", "2:7: JSON: expected a number without leading zeros"},
        {"POST http://x\n{\"a\" 1}\n", "2:6: JSON: expected ':', found '1}'"},
        {"POST http://x\n{\"a\": \"\\q\"}\n", "2:8: JSON has no such escape"},
        {"POST http://x\n{\"a\": [1, 2\n", "3:1: the file ends inside a JSON body: expected ',' or ']'"},
        {"POST http://x\n```jsonn\n{}\n```\n", "2:4: unknown type 'jsonn' behind ```"},
        {"POST http://x\n```\nabc\n", "2:1: ``` has no closing ```"},
        {"POST http://x\nbase64,a;\n", "2:1: these bytes are not base64"},
        {"POST http://x\nhex,123;\n", "2:1: these bytes are not pairs of hex digits"},
        {"POST http://x\n<a><b></a>\n", "2:1: this XML body does not end"},
        {"# @cookie_storage_set a b\nGET http://x\n", "1:3: @cookie_storage_set needs ':'"},
        {"GET http://x\nA: b\\q\n", "2:5: unknown escape '\\q'"},
        {"GET http://x\n[BasicAuth]\na: b\nc: d\n", "4:1: [BasicAuth] takes one line"},
        {"GET http://x\nHTTP 200\nHTTP 200\n", "3:1: this entry has a response already"},
        {"GET http://x\nHTTP 200\n[Asserts]\nregex /a == 1\n", "4:7: this regular expression has no closing '/'"},
        {"# @think soon\n# @slo p95<fast\n# @goto 0.3 x\n# @weight -1\nGET http://x\n",
         "1:10: @think is a time (5s)\n2:8: @slo needs thresholds\n3:9: @goto needs a probability\n"
         "4:11: @weight needs a number"},
        {"GET http://x\n# @step late\n", "2:3: this setting belongs to no request"},
        {"# @step a b\n# @feed f.csv sorted\nGET http://x\n",
         "1:11: @step takes no further word 'b'\n2:15: @feed reads its rows"},
        {"nonsense\nGET http://x\nmore nonsense\n",
         "1:1: expected a request such as GET http://…, found 'nonsense'\n3:1: expected a header, a section, a body"},
        {"GET http://x\xff\n", "0:0: the file is not UTF-8 text"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *got = errors_of(cases[i].text, false);
        struct span want = span_str(cases[i].want), actual = span_str(got), w, a = {0};
        while (span_cut(&want, '\n', &w)) {
            w.len = span_find(w, '|'); /* further errors of the same line are allowed behind | */
            if (!span_cut(&actual, '\n', &a) || !span_starts(a, w))
                check_failed("%s\nwanted: " SPAN_FMT "\ngot:\n%s", cases[i].text, SPAN_ARG(w), got);
        }
        free(got);
    }
}

static void what_is_not_executed_yet_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "0:0: the file has no request"},
        {"GET http://x\n[Options]\naws-sigv4: aws\n", "3:1: supported by hurl, not by crest: option aws-sigv4"},
        {"GET http://x\n[Options]\nhttp3: true\n", "3:1: supported by hurl, not by crest: option http3"},
        {"GET http://x\n[Options]\nntlm: true\n", "3:1: supported by hurl, not by crest: option ntlm"},
        {"GET http://x\n[Options]\nnegotiate: true\n", "3:1: supported by hurl, not by crest: option negotiate"},
        {"# @think recorded\nGET http://x\n", "1:18: @think is a time"},
        {"# @feed a.csv zipf x\nGET http://x\n", "1:20: zipf takes an exponent"},
        {"# @goto p=1 nowhere\nGET http://x\n", "1:3: @goto: no step is called 'nowhere'"},
        {"GET http://x\nHTTP 200\n[Asserts]\nregex \"(\" exists\njsonpath \"a.b\" exists\nxpath \"//[\" exists\n",
         "4:7: regular expression: "},
        {"GET http://x\nHTTP 200\n[Asserts]\njsonpath \"a.b\" exists\n", "4:10: JSONPath: a JSONPath starts with $"},
        {"GET http://x\nHTTP 200\n[Asserts]\nxpath \"//[\" exists\n", "4:7: this is no XPath expression"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *got = errors_of(cases[i].text, true);
        if (!span_starts(span_str(got), span_str(cases[i].want)))
            check_failed("%s\nwanted: %s\ngot:\n%s", cases[i].text, cases[i].want, got);
        free(got);
    }
}

static void a_variable_that_nothing_sets_is_found_before_the_run(void **state)
{
    (void)state;
    struct hurl_file *f =
        parsed("GET {{base}}/x\nHTTP 200\n[Captures]\nid: jsonpath \"$.id\"\n"
               "GET {{base}}/{{id}}/{{typo}}\n[Options]\nvariable: own=1\n[Query]\na: {{own}}{{typo}}\n");
    struct problems ps;
    problems_init(&ps);
    bool known[16] = {false};
    known[hurl_slot_of(f, SPAN("base"))] = true;
    assert_int_equal(hurl_check_variables(f, known, &ps), 1);
    assert_int_equal(ps.list[0].line, 5);
    assert_int_equal(ps.list[0].column, 23);
    check_contains(ps.list[0].text, "'typo'");
    problems_done(&ps);
    hurl_file_free(f);
}

static void comments_with_an_at_sign_stay_comments(void **state)
{
    (void)state;
    struct problems ps;
    problems_init(&ps);
    struct hurl_file *f = NULL;
    check_ok(hurl_parse("x.hurl", SPAN("# @author Ann\n# @thinks 5s\nGET http://x\n"), &f, &ps));
    assert_int_equal(ps.n, 1);
    assert_int_equal(ps.list[0].level, PROBLEM_WARNING);
    check_contains(ps.list[0].text, "did you mean '@think'?");
    assert_int_equal(f->entries[0].think.kind, HURL_THINK_NONE);
    problems_done(&ps);
    hurl_file_free(f);
}

static void windows_line_ends_change_nothing(void **state)
{
    (void)state;
    struct hurl_file *f = parsed("GET http://x/a\r\nAccept: b\r\n\r\nHTTP 200\r\n[Asserts]\r\nstatus == 200\r\n");
    check_span(f->entries[0].request.headers[0].value.parts[0].text, "b");
    assert_int_equal(f->entries[0].response.n_asserts, 1);
    hurl_file_free(f);
}

/* The parser must end and place its errors inside the text wherever a file is cut. */
static void every_prefix_of_a_file_ends_well(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof EVERYTHING - 1; n++) {
        struct problems ps;
        problems_init(&ps);
        struct hurl_file *f = NULL;
        int r = hurl_parse("x", span_of(EVERYTHING, n), &f, &ps);
        if (r != 0 && r != -22)
            check_failed("prefix of %zu bytes: %d", n, r);
        if (r == 0) {
            r = hurl_check(f, &ps);
            hurl_file_free(f);
        }
        problems_done(&ps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_grammar_is_read_into_the_tree),
        cmocka_unit_test(every_error_comes_with_its_place),
        cmocka_unit_test(what_is_not_executed_yet_is_refused_by_name),
        cmocka_unit_test(a_variable_that_nothing_sets_is_found_before_the_run),
        cmocka_unit_test(comments_with_an_at_sign_stay_comments),
        cmocka_unit_test(windows_line_ends_change_nothing),
        cmocka_unit_test(every_prefix_of_a_file_ends_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
