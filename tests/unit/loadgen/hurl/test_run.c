#include "tests/support/check.h"

#include <errno.h>

#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/hurl/run.h"
#include "loadgen/hurl/set_cookie.h"

struct bench {
    struct hurl_file *file;
    struct hurl_scope scope;
    struct arena keep, scratch;
    struct rng rng;
    struct hurl_failure why;
};

static void setup(struct bench *b, const char *text)
{
    struct problems ps;
    problems_init(&ps);
    int r = hurl_parse("x.hurl", span_str(text), &b->file, &ps);
    if (r == 0)
        r = hurl_check(b->file, &ps);
    if (r < 0) {
        problems_print(&ps, stderr);
        check_failed("%s", text);
    }
    problems_done(&ps);
    arena_init(&b->keep, 64 << 20);
    arena_init(&b->scratch, 64 << 20);
    rng_seed(&b->rng, 1);
    b->why = (struct hurl_failure){0};
    b->scope = (struct hurl_scope){.file = b->file, .keep = &b->keep, .scratch = &b->scratch, .rng = &b->rng};
    b->scope.values = calloc(b->file->n_variables + 1, sizeof *b->scope.values);
    assert_non_null(b->scope.values);
}

static void set(struct bench *b, const char *name, struct hurl_value v)
{
    int slot = hurl_slot_of(b->file, span_str(name));
    if (slot >= 0)
        b->scope.values[slot] = v;
}

static void teardown(struct bench *b)
{
    free(b->scope.values);
    hurl_file_free(b->file);
    arena_done(&b->keep);
    arena_done(&b->scratch);
}

static const char HEADERS[] = "Content-Type: application/json\r\nX-Two: a\r\nx-two: b\r\nEmpty:\r\n"
                              "Set-Cookie: sid=s1; Path=/shop; Max-Age=60; HttpOnly\r\n"
                              "Set-Cookie: theme=dark; Domain=example.com; Secure; SameSite=Lax; "
                              "Expires=Wed, 09 Jun 2021 10:18:14 GMT\r\n";
static const char JSON[] =
    "{\"id\": 42, \"price\": 9.5, \"name\": \"Caf\\u00e9 \\\"x\\\"\", \"none\": null, \"ok\": true,"
    "\"list\": [3, \"b\", {\"k\": 1}], \"empty\": [], \"obj\": {\"a\": 1},"
    "\"uuid\": \"3fa85f64-5717-4562-b3fc-2c963f66afa6\", \"ip\": \"127.0.0.1\", \"ip6\": \"::1\","
    "\"when\": \"2026-11-27T00:00:00Z\", \"big\": 123456789012345678901234567890,"
    "\"entities\": \"&#65 &#x42; &#x1D306; caf&eacute &lt; &nosuch; &alpha a&b &\","
    "\"url\": \"http://x/?q=a%20b&r=2#f\", \"b64\": \"aGVsbG8=\", \"inner\": \"{\\\"z\\\":[7]}\"}";
static const char HTML[] =
    "<!doctype html><html><body><form action=/pay><input type=hidden name=csrf value='t0k&amp;n'>"
    "<ul><li class=p>one<li class=p>two</ul></form><p>id=77 id=78</body></html>";

static struct hurl_exchange exchange_of(const char *body)
{
    bool html = body[0] == '<';
    return (struct hurl_exchange){.status = 200,
                                  .version = 11,
                                  .url = SPAN("http://localhost/x"),
                                  .headers = html ? SPAN("Content-Type: text/html\r\n") : span_str(HEADERS),
                                  .body = span_str(body),
                                  .duration_us = 12345,
                                  .ip = SPAN("127.0.0.1"),
                                  .redirects = SPAN("[\"http://localhost/a\",\"http://localhost/x\"]")};
}

/* Runs one assert line; 0 when it holds. */
static int assert_line(const char *line, const char *body, struct hurl_failure *why)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_printf(&text, "GET http://x\nHTTP 200\n[Captures]\nmine: status\n[Asserts]\n%s\n", line);
    struct bench b = {0};
    setup(&b, text.data);
    struct hurl_exchange x = exchange_of(body);
    set(&b, "n", hurl_value_int(3));
    set(&b, "t", hurl_value_text(SPAN("b")));
    int r = hurl_verify(&b.scope, &b.file->entries[0], &x, &b.why);
    *why = b.why;
    hurl_exchange_done(&x);
    teardown(&b);
    buf_done(&text);
    return r;
}

static void asserts_hold_and_fail_as_hurls_do(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool holds, html;
        enum hurl_failure_kind kind;
    } cases[] = {
        {"status == 200", true, false, 0},
        {"status != 200", false, false, HURL_FAILED_STATUS},
        {"version == \"1.1\"", true, false, 0},
        {"version == \"2\"", false, false, HURL_FAILED_PROTOCOL},
        {"url endsWith \"/x\"", true, false, 0},
        {"ip isIpv4", true, false, 0},
        {"duration < 13", true, false, 0},
        {"duration <= 11", false, false, HURL_FAILED_ASSERT},
        {"variable \"mine\" == 200", true, false, 0},
        {"variable \"nobody\" not exists", true, false, 0},
        {"header \"content-type\" contains \"json\"", true, false, 0},
        {"header \"X-Two\" count == 2", true, false, 0},
        {"header \"X-Two\" contains \"{{t}}\"", true, false, 0},
        {"header \"Empty\" isEmpty", true, false, 0},
        {"header \"Missing\" exists", false, false, HURL_FAILED_ASSERT},
        {"header \"Missing\" not exists", true, false, 0},
        {"header \"Missing\" not == \"x\"", true, false, 0}, /* as in hurl: nothing is not that */
        {"header \"Missing\" != \"x\"", false, false, HURL_FAILED_ASSERT},
        {"cookie \"sid\" == \"s1\"", true, false, 0},
        {"cookie \"sid[Max-Age]\" == 60", true, false, 0},
        {"cookie \"sid[HttpOnly]\" exists", true, false, 0},
        {"cookie \"sid[Secure]\" not exists", true, false, 0},
        {"cookie \"theme[SameSite]\" == \"Lax\"", true, false, 0},
        {"cookie \"theme[Expires]\" isDate", true, false, 0},
        {"cookie \"theme[Expires]\" dateFormat \"%a, %d %b %Y %H:%M:%S\" == \"Wed, 09 Jun 2021 10:18:14\"", true, false,
         0},
        {"cookie \"theme[{{newUuid}}]\" exists", false, false, HURL_FAILED_RUN},
        {"jsonpath \"$.id\" == 42", true, false, 0},
        {"jsonpath \"$.id\" == 42.0", true, false, 0},
        {"jsonpath \"$.id\" == \"42\"", false, false, HURL_FAILED_ASSERT},
        {"jsonpath \"$.id\" toString == \"42\"", true, false, 0},
        {"jsonpath \"$.id\" isInteger", true, false, 0},
        {"jsonpath \"$.price\" isFloat", true, false, 0},
        {"jsonpath \"$.price\" isInteger", false, false, HURL_FAILED_ASSERT},
        {"jsonpath \"$.price\" >= 9.5", true, false, 0},
        {"jsonpath \"$.big\" isNumber", true, false, 0},
        {"jsonpath \"$.big\" isInteger", true, false, 0},
        {"jsonpath \"$.big\" == 123456789012345678901234567890", true, false, 0},
        {"jsonpath \"$.big\" toString == \"123456789012345678901234567890\"", true, false, 0},
        {"jsonpath \"$.big\" > 9223372036854775807", true, false, 0},
        /* a path that may name several: one is given as itself, and still has a count */
        {"jsonpath \"$.list[?@.k == 1]\" isObject", true, false, 0},
        {"jsonpath \"$.list[?@.k == 1].k\" == 1", true, false, 0},
        {"jsonpath \"$.list[?@.k == 1].k\" count == 1", true, false, 0},
        {"jsonpath \"$.list[?@.k == 1].k\" nth 0 == 1", true, false, 0},
        {"jsonpath \"$.list[?@.k == 1].k\" nth 1 not exists", true, false, 0},
        {"jsonpath \"$.list[?@.k == 2]\" not exists", true, false, 0},
        {"jsonpath \"$.list[?@.k == 2]\" count == 0", true, false, 0},
        {"jsonpath \"$.list[?@.k == 2]\" isEmpty", true, false, 0},
        {"jsonpath \"$.name\" == \"Caf\\u{e9} \\\"x\\\"\"", true, false, 0},
        {"jsonpath \"$.name\" startsWith \"Caf\"", true, false, 0},
        {"jsonpath \"$.name\" matches /^C.f/", true, false, 0},
        {"jsonpath \"$.name\" not matches \"zzz\"", true, false, 0},
        {"jsonpath \"$.none\" == null", true, false, 0},
        {"jsonpath \"$.ok\" == true", true, false, 0},
        {"jsonpath \"$.ok\" isBoolean", true, false, 0},
        {"jsonpath \"$.list\" count == 3", true, false, 0},
        {"jsonpath \"$.list\" count == {{n}}", true, false, 0},
        {"jsonpath \"$.list\" includes {{n}}", true, false, 0},
        {"jsonpath \"$.list\" contains \"b\"", true, false, 0},
        {"jsonpath \"$.list\" not includes \"c\"", true, false, 0},
        {"jsonpath \"$.list\" isCollection", true, false, 0},
        {"jsonpath \"$.list\" isList", true, false, 0},
        {"jsonpath \"$.obj\" isObject", true, false, 0},
        {"jsonpath \"$.empty\" isEmpty", true, false, 0},
        {"jsonpath \"$.list\" nth -1 jsonpath \"$.k\" == 1", true, false, 0},
        {"jsonpath \"$.list\" first == 3", true, false, 0},
        {"jsonpath \"$.list[*]\" last isObject", true, false, 0},
        {"jsonpath \"$.list\" nth 9 not exists", true, false, 0},
        {"jsonpath \"$.missing\" count == 0", false, false, HURL_FAILED_PROTOCOL},
        {"jsonpath \"$.uuid\" isUuid", true, false, 0},
        {"jsonpath \"$.id\" isUuid", false, false, HURL_FAILED_ASSERT},
        {"jsonpath \"$.ip\" isIpv4", true, false, 0},
        {"jsonpath \"$.ip6\" isIpv6", true, false, 0},
        {"jsonpath \"$.ip6\" not isIpv4", true, false, 0},
        {"jsonpath \"$.when\" isIsoDate", true, false, 0},
        {"jsonpath \"$.url\" urlQueryParam \"q\" == \"a b\"", true, false, 0},
        {"jsonpath \"$.url\" urlQueryParam \"r\" toInt == 2", true, false, 0},
        {"jsonpath \"$.url\" urlQueryParam \"zz\" not exists", true, false, 0},
        {"jsonpath \"$.b64\" base64Decode utf8Decode == \"hello\"", true, false, 0},
        {"jsonpath \"$.b64\" base64Decode toHex == \"68656c6c6f\"", true, false, 0},
        {"jsonpath \"$.b64\" base64Decode base64Encode == \"aGVsbG8=\"", true, false, 0},
        {"jsonpath \"$.inner\" jsonpath \"$.z[0]\" == 7", true, false, 0},
        {"jsonpath \"$.ip\" split \".\" count == 4", true, false, 0},
        {"jsonpath \"$.ip\" split \".\" nth 0 toInt == 127", true, false, 0},
        {"jsonpath \"$.ip\" replace \".\" \"-\" == \"127-0-0-1\"", true, false, 0},
        {"jsonpath \"$.ip\" replaceRegex /(\\d+)\\./ \"<$1>\" == \"<127><0><0>1\"", true, false, 0},
        {"jsonpath \"$.ip\" replaceRegex \"x*\" \"-\" startsWith \"-1-2\"", true, false, 0},
        {"jsonpath \"$.ip\" regex /(\\d+)$/ == \"1\"", true, false, 0},
        {"jsonpath \"$.name\" urlEncode == \"Caf%C3%A9%20%22x%22\"", true, false, 0},
        {"jsonpath \"$.name\" htmlEscape contains \"&quot;\"", true, false, 0},
        {"jsonpath \"$.name\" toInt == 1", false, false, HURL_FAILED_PROTOCOL},
        {"jsonpath \"$.price\" toInt == 9", true, false, 0},
        {"jsonpath \"$.id\" toFloat isFloat", true, false, 0},
        {"regex \"\\\"id\\\": (\\\\d+)\" == \"42\"", true, false, 0},
        {"body contains \"price\"", true, false, 0},
        {"bytes count > 100", true, false, 0},
        {"bytes startsWith hex,7b22;", true, false, 0},
        {"jsonpath \"$.id\" > \"a\"", false, false, HURL_FAILED_ASSERT},
        {"jsonpath \"$.id\" not > \"a\"", false, false, HURL_FAILED_ASSERT},
        {"jsonpath \"$.id\" == {{unset}}", false, false, HURL_FAILED_RUN},
        {"jsonpath \"$.x\" exists", false, true, HURL_FAILED_QUERY},
        {"xpath \"string(//input[@name='csrf']/@value)\" == \"t0k&n\"", true, true, 0},
        {"sha256 == hex,a5bfa341ed2813940bce9f0fb46ef0120711ead0bfa120ba22d16817dda665ae;", true, true, 0},
        {"md5 == hex,8adea213a0ce31a4cd70774aa528c7f8;", true, true, 0},
        {"md5 toHex == \"8adea213a0ce31a4cd70774aa528c7f8\"", true, true, 0},
        {"sha256 == hex,00;", false, true, HURL_FAILED_ASSERT},
        {"redirects count == 2", true, false, 0},
        {"redirects nth 0 location == \"http://localhost/a\"", true, false, 0},
        {"redirects last location endsWith \"/x\"", true, false, 0},
        {"jsonpath \"$.when\" toDate \"%Y-%m-%dT%H:%M:%SZ\" isDate", true, false, 0},
        {"jsonpath \"$.when\" not isDate", true, false, 0},
        {"jsonpath \"$.when\" toDate \"%+\" format \"%A %e %B\" == \"Friday 27 November\"", true, false, 0},
        {"jsonpath \"$.when\" toDate \"%+\" dateFormat \"%s\" toInt == 1795737600", true, false, 0},
        {"jsonpath \"$.when\" toDate \"%d.%m.%Y\" isDate", false, false, HURL_FAILED_PROTOCOL},
        {"jsonpath \"$.when\" toDate \"%+\" format \"%Q\" == \"\"", false, false, HURL_FAILED_RUN},
        {"jsonpath \"$.when\" toDate \"%+\" toString == \"2026-11-27T00:00:00.000000Z\"", true, false, 0},
        {"cookie \"theme[Expires]\" daysBeforeNow > 1900", true, false, 0},
        {"cookie \"theme[Expires]\" daysAfterNow < 0", true, false, 0},
        {"jsonpath \"$.b64\" base64Decode decode \"UTF-16LE\" startsWith \"敨\"", false, false, HURL_FAILED_PROTOCOL},
        {"jsonpath \"$.b64\" base64Decode decode \"ISO-8859-1\" == \"hello\"", true, false, 0},
        {"jsonpath \"$.b64\" base64Decode charsetDecode \"no-such\" == \"\"", false, false, HURL_FAILED_PROTOCOL},
        {"jsonpath \"$.b64\" decode \"utf-8\" == \"\"", false, false, HURL_FAILED_PROTOCOL},
        {"regex /value='([^']+)'/ htmlUnescape == \"t0k&n\"", true, true, 0},
        {"jsonpath \"$.entities\" htmlUnescape == \"A B \\u{1d306} caf\\u{e9} < &nosuch; &alpha a&b &\"", true, false,
         0},
        {"xpath \"//li\" count == 2", true, true, 0},
        {"xpath \"//li\" nth 1 == \"two\"", true, true, 0},
        {"xpath \"count(//li)\" == 2", true, true, 0},
        {"xpath \"boolean(//form)\" == true", true, true, 0},
        {"xpath \"//table\" not exists", true, true, 0},
        {"xpath \"//table\" count == 0", true, true, 0},
        {"body xpath \"string(//p)\" contains \"77\"", true, true, 0},
        {"regex /id=(\\d+)/ toInt == 77", true, true, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hurl_failure why = {0};
        int r = assert_line(cases[i].line, cases[i].html ? HTML : JSON, &why);
        if (r != (cases[i].holds ? 0 : -EINVAL) || (r < 0 && why.kind != cases[i].kind))
            check_failed("%s\n-> %d, kind %d: %s", cases[i].line, r, (int)why.kind, why.text);
        if (r < 0)
            assert_int_equal(why.at.line, 6);
    }
}

static void a_failed_assert_says_what_was_wanted_and_what_was(void **state)
{
    (void)state;
    struct hurl_failure why = {0};
    check_errno(assert_line("jsonpath \"$.id\" not == 42", JSON, &why), -EINVAL);
    assert_string_equal(why.text, "wanted: not == integer 42, actual: integer 42");
    check_errno(assert_line("jsonpath \"$.name\" matches /zz/", JSON, &why), -EINVAL);
    assert_string_equal(why.text, "wanted: matches /zz/, actual: text \"Café \\\"x\\\"\"");
}

static void responses_are_checked_in_hurls_order(void **state)
{
    (void)state;
    static const struct {
        const char *response;
        enum hurl_failure_kind kind;
        const char *text; /* NULL: passes */
    } cases[] = {
        {"HTTP 200", 0, NULL},
        {"HTTP *", 0, NULL},
        {"HTTP/1.1 200", 0, NULL},
        {"HTTP/2 200", HURL_FAILED_PROTOCOL, "wanted: version HTTP/2, actual: HTTP/1.1"},
        {"HTTP 201\n[Captures]\na: jsonpath \"$.no\"", HURL_FAILED_STATUS, "wanted: status 201, actual: 200"},
        {"HTTP 200\n[Captures]\na: jsonpath \"$.no\"\n[Asserts]\nstatus == 1", HURL_FAILED_CAPTURE,
         "nothing to capture for 'a'"},
        {"HTTP 200\n[Captures]\na: jsonpath \"$.no\"\n[Asserts]\njsonpath \"$.ok\" == false", HURL_FAILED_ASSERT,
         "wanted: == boolean false, actual: boolean true"},
        {"HTTP 200\n[Captures]\na: jsonpath \"$.no\"\n[Asserts]\nvariable \"a\" toInt == 1", HURL_FAILED_CAPTURE,
         "nothing to capture for 'a'"},
        {"HTTP 200\nX-Two: b", 0, NULL},
        {"HTTP 200\nX-Two: c", HURL_FAILED_ASSERT, "header X-Two: wanted: \"c\", actual: \"a\""},
        {"HTTP 200\nX-No: c", HURL_FAILED_ASSERT, "wanted: header X-No, actual: it is missing"},
        {"HTTP 200\n[Captures]\na: jsonpath \"$.id\"\n[Asserts]\nvariable \"a\" == 42", 0, NULL},
        {"HTTP 200\n[1]", HURL_FAILED_ASSERT, "the body is other JSON: "},
        {"HTTP 200\n`abc`", HURL_FAILED_ASSERT, "the body differs from byte 1 on"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf text;
        buf_init(&text, 1 << 16);
        buf_printf(&text, "GET http://x\n%s\n", cases[i].response);
        struct bench b = {0};
        setup(&b, text.data);
        struct hurl_exchange x = exchange_of(JSON);
        int r = hurl_verify(&b.scope, &b.file->entries[0], &x, &b.why);
        if ((r == 0) != (cases[i].text == NULL))
            check_failed("%s: %d %s", cases[i].response, r, b.why.text);
        if (r < 0) {
            assert_int_equal(b.why.kind, cases[i].kind);
            check_contains(b.why.text, cases[i].text);
        }
        hurl_exchange_done(&x);
        teardown(&b);
        buf_done(&text);
    }
}

static void bodies_are_compared_by_their_kind(void **state)
{
    (void)state;
    static const struct {
        const char *want, *body;
        bool same;
    } cases[] = {
        {"{\"b\": [1], \"a\": \"{{t}}\"}", "{\"a\":\"q\\\"\",\"b\":[1.0]}", true},
        {"{\"b\": [1]}", "{\"b\":[2]}", false},
        {"```\na\nb\n```", "a\nb\n", true},
        {"`{{t}}`", "q\"", true},
        {"base64,aGk=;", "hi", true},
        {"<a/>", "<a/>", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf text;
        buf_init(&text, 1 << 16);
        buf_printf(&text, "GET http://x\nHTTP 200\n%s\n", cases[i].want);
        struct bench b = {0};
        setup(&b, text.data);
        set(&b, "t", hurl_value_text(SPAN("q\"")));
        struct hurl_exchange x = exchange_of(cases[i].body);
        int r = hurl_verify(&b.scope, &b.file->entries[0], &x, &b.why);
        if ((r == 0) != cases[i].same)
            check_failed("%s against %s: %s", cases[i].want, cases[i].body, b.why.text);
        teardown(&b);
        buf_done(&text);
    }
}

static void templates_write_values_where_they_stand(void **state)
{
    (void)state;
    struct bench b = {0};
    setup(&b, "POST http://x/{{t}}?a={{t urlEncode}}&f={{f}}&n={{n}}&z={{z}}\n{\"s\": \"{{t}}\", \"n\": {{n}}, "
              "\"raw\": {{o}}}\n"
              "GET http://x/{{newUuid}}\nGET http://x/{{list}}\n");
    set(&b, "t", hurl_value_text(SPAN("a \"b\"")));
    set(&b, "n", hurl_value_int(-7));
    set(&b, "f", hurl_value_float(2));
    set(&b, "z", (struct hurl_value){.kind = HURL_VALUE_NULL});
    set(&b, "o", hurl_value_text(SPAN("[1]")));
    set(&b, "list", (struct hurl_value){.kind = HURL_VALUE_LIST, .text = SPAN("[1]")});
    struct buf out;
    buf_init(&out, 1 << 16);
    check_ok(hurl_render(&b.scope, &b.file->entries[0].request.url, &out, &b.why));
    assert_string_equal(out.data, "http://x/a \"b\"?a=a%20%22b%22&f=2.0&n=-7&z=null");
    buf_clear(&out);
    check_ok(hurl_render(&b.scope, &b.file->entries[0].request.body.text, &out, &b.why));
    assert_string_equal(out.data, "{\"s\": \"a \\\"b\\\"\", \"n\": -7, \"raw\": [1]}");
    buf_clear(&out);
    check_ok(hurl_render(&b.scope, &b.file->entries[1].request.url, &out, &b.why));
    assert_int_equal(out.len, strlen("http://x/") + 36);
    assert_int_equal(out.data[strlen("http://x/") + 14], '4');
    check_errno(hurl_render(&b.scope, &b.file->entries[2].request.url, &out, &b.why), -EINVAL);
    check_contains(b.why.text, "has no text");
    buf_done(&out);
    teardown(&b);
}

static void captured_texts_outlive_their_response(void **state)
{
    (void)state;
    struct bench b = {0};
    setup(&b, "GET http://x\nHTTP 200\n[Captures]\nname: jsonpath \"$.name\"\nall: jsonpath \"$\"\n");
    char *body = strdup(JSON);
    struct hurl_exchange x = exchange_of(body);
    check_ok(hurl_verify(&b.scope, &b.file->entries[0], &x, &b.why));
    hurl_exchange_done(&x);
    memset(body, 'x', strlen(body));
    free(body);
    arena_reset(&b.scratch);
    check_span(b.scope.values[hurl_slot_of(b.file, SPAN("name"))].text, "Café \"x\"");
    assert_int_equal(b.scope.values[hurl_slot_of(b.file, SPAN("all"))].kind, HURL_VALUE_OBJECT);
    teardown(&b);
}

static void set_cookie_headers_are_read_as_browsers_do(void **state)
{
    (void)state;
    struct set_cookie c;
    check_ok(
        set_cookie_parse(SPAN(" a = b=c ; path = /x; SECURE; httponly; Max-Age=10; max-age=x; Domain=.Ex.com"), &c));
    check_span(c.name, "a");
    check_span(c.value, "b=c");
    check_span(c.path, "/x");
    check_span(c.domain, ".Ex.com");
    assert_true(c.secure && c.http_only && c.has_max_age && c.max_age_s == 10);
    check_ok(set_cookie_parse(SPAN("justvalue; Max-Age=-5"), &c));
    check_span(c.name, "");
    assert_true(c.has_max_age && c.max_age_s == 0);
    check_errno(set_cookie_parse(SPAN(""), &c), -EINVAL);
    check_errno(set_cookie_parse(SPAN("=; path=/"), &c), -EINVAL);
    check_errno(set_cookie_parse(SPAN("a=b\x01"), &c), -EINVAL);

    static const struct {
        const char *text;
        int64_t want; /* -1: no date */
    } dates[] = {
        {"Wed, 09 Jun 2021 10:18:14 GMT", 1623233894},
        {"Wednesday, 09-Jun-21 10:18:14 GMT", 1623233894},
        {"Wed Jun  9 10:18:14 2021", 1623233894},
        {"09 Jun 70 0:0:0", 13737600},
        {"09 Jun 2021", -1},
        {"32 Jun 2021 10:18:14", -1},
        {"09 Foo 2021 10:18:14", -1},
        {"09 Jun 1500 10:18:14", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        int64_t s = -1;
        int r = cookie_date_parse(span_str(dates[i].text), &s);
        if (s != dates[i].want || (r == 0) != (dates[i].want >= 0))
            check_failed("%s: %d %lld", dates[i].text, r, (long long)s);
    }
}

/* @generate: anew for each session, the same for the same seed. */
static void generators_give_each_session_its_own_values(void **state)
{
    (void)state;
    static const char TEXT[] =
        "# @generate id uuid\n# @generate key idempotency-key\n# @generate n int 5 7\n# @generate t text 9\n"
        "# @generate w word\n# @generate d date\n# @generate f first-name\n# @generate l last-name\n"
        "# @generate full full-name\n# @generate mail email\n# @generate card test-card\n"
        "GET http://x/{{id}}/{{key}}/{{n}}/{{t}}/{{w}}/{{f}}/{{l}}/{{mail}}/{{card}}\n";
    char *texts[3] = {0};
    for (size_t session = 0; session < 3; session++) {
        struct bench b = {0};
        setup(&b, TEXT);
        rng_seed(&b.rng, session == 2 ? 1 : session + 1);
        struct buf out;
        buf_init(&out, 1 << 16);
        check_ok(hurl_start_session(&b.scope));
        check_ok(hurl_render(&b.scope, &b.file->entries[0].request.url, &out, &b.why));
        int card = hurl_slot_of(b.file, SPAN("card")), n = hurl_slot_of(b.file, SPAN("n"));
        struct span number = b.scope.values[card].text;
        unsigned sum = 0;
        for (size_t i = 0; i < number.len; i++) { /* Luhn: cards that shops take for cards */
            unsigned digit = (unsigned)(number.ptr[number.len - 1 - i] - '0') * (i % 2 ? 2 : 1);
            sum += digit > 9 ? digit - 9 : digit;
        }
        assert_true(number.len >= 14 && sum % 10 == 0);
        assert_in_range(b.scope.values[n].integer, 5, 7);
        assert_int_equal(b.scope.values[hurl_slot_of(b.file, SPAN("t"))].text.len, 9);
        assert_int_equal(b.scope.values[hurl_slot_of(b.file, SPAN("d"))].kind, HURL_VALUE_DATE);
        texts[session] = buf_take(&out, NULL);
        teardown(&b);
    }
    assert_string_not_equal(texts[0], texts[1]);
    assert_string_equal(texts[0], texts[2]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asserts_hold_and_fail_as_hurls_do),
        cmocka_unit_test(a_failed_assert_says_what_was_wanted_and_what_was),
        cmocka_unit_test(responses_are_checked_in_hurls_order),
        cmocka_unit_test(bodies_are_compared_by_their_kind),
        cmocka_unit_test(templates_write_values_where_they_stand),
        cmocka_unit_test(captured_texts_outlive_their_response),
        cmocka_unit_test(set_cookie_headers_are_read_as_browsers_do),
        cmocka_unit_test(generators_give_each_session_its_own_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
