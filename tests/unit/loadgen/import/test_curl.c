/* Commands that browsers and people write, and what they ask for. */
#include "loadgen/import/curl.h"

#include <errno.h>

#include "tests/unit/loadgen/import/sample.h"

static void check_curl(const char *command, const char *expected, const char *expected_words)
{
    struct journey_draft d;
    struct problems ps;
    problems_init(&ps);
    journey_init(&d);
    int r = import_curl(span_str(command), "stdin", &d, &ps);
    char *words = words_of(&ps), *text = r == 0 ? printed(&d) : NULL;
    if (r < 0)
        check_failed("%s\n%s", command, words);
    assert_string_equal(text, expected);
    assert_string_equal(words, expected_words);
    free(text);
    free(words);
    journey_done(&d);
    problems_done(&ps);
}

static void what_a_browser_copies_is_the_same_request(void **state UNUSED)
{
    /* Chrome, for bash */
    check_curl("curl 'https://shop.example/api/cart?lang=de' \\\n  -H 'accept: */*' \\\n  -H 'content-type: "
               "application/json' \\\n"
               "  -b 'sid=1; theme=dark' \\\n  -H 'accept-encoding: gzip' \\\n  --data-raw "
               "$'{\"name\":\"Andr\\u00e9\\'s\"}' \\\n"
               "  --compressed ;\ncurl 'https://shop.example/x' -X 'DELETE' --insecure",
               "# @step post-api-cart\nPOST https://shop.example/api/cart?lang=de\naccept: */*\ncontent-type: "
               "application/json\n[Cookies]\nsid: 1\ntheme: dark\n[Options]\ncompressed: "
               "true\n{\"name\":\"Andr\xc3\xa9's\"}\n\n"
               "# @step delete-x\nDELETE https://shop.example/x\n[Options]\ninsecure: true\n",
               "");
    /* Firefox */
    check_curl("curl 'http://h/' --compressed -X POST -H 'Content-Type: application/x-www-form-urlencoded' --data-raw "
               "'a=1&b=x+y%26z'",
               "# @step post\nPOST http://h/\n[Options]\ncompressed: true\n[Form]\na: 1\nb: x y&z\n", "");
}

static void options_mean_what_they_mean_to_curl(void **state UNUSED)
{
    static const struct {
        const char *command, *journey;
    } CASES[] = {
        {"curl h/p", "# @step p\nGET http://h/p\n"},
        {"curl -I http://h/", "# @step head\nHEAD http://h/\n"},
        {"curl -G -d q=1 -d 'r=a b' 'http://h/s?x=0'", "# @step s\nGET http://h/s?x=0&q=1&r=a%20b\n"},
        {"curl -G --data-urlencode 'q=a&b' http://h/s", "# @step s\nGET http://h/s?q=a%26b\n"},
        {"curl -u ann:se:cret http://h/", "# @step home\nGET http://h/\n[BasicAuth]\nann: se:cret\n"},
        {"curl --oauth2-bearer T http://h/", "# @step home\nGET http://h/\nAuthorization: Bearer T\n"},
        {"curl -A me -e http://r/ -r 0-9 http://h/",
         "# @step home\nGET http://h/\nUser-Agent: me\nReferer: http://r/\nRange: bytes=0-9\n"},
        {"curl -sSkL -m 5 http://h/",
         "# @step home\nGET http://h/\n[Options]\ninsecure: true\nlocation: true\nmax-time: 5s\n"},
        {"curl -XPUT -d @body.json -H 'Content-Type: application/json' http://h/",
         "# @step put\nPUT http://h/\nContent-Type: application/json\nfile,body.json;\n"},
        {"curl -F a=1 -F 'f=@x y.png;type=image/png' -F 'g=file,z' http://h/",
         "# @step post\nPOST http://h/\n[Multipart]\na: 1\nf: file,x\\ y.png; image/png\ng: \\u{66}ile,z\n"},
        {"curl --json '{\"a\":\"{{b}}\"}' http://h/",
         "# @step post\nPOST http://h/\nAccept: application/json\n{\"a\":\"\\u007b{b}}\"}\n"},
        {"curl -d 'plain # text {{x}}' http://h/", "# @step post\nPOST http://h/\nContent-Type: "
                                                   "application/x-www-form-urlencoded\n`plain \\# text \\u{7b}{x}}`\n"},
        {"curl -H 'X: a # b' -H 'Y;' -H 'Accept:' http://h/", "# @step home\nGET http://h/\nX: a \\# b\nY:\n"},
        {"curl http://h/a http://h/b", "# @step a\nGET http://h/a\n\n# @step b\nGET http://h/b\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        check_curl(CASES[i].command, CASES[i].journey, "");
}

static void what_has_no_counterpart_is_a_warning_by_name(void **state UNUSED)
{
    check_curl("curl --frobnicate -Q http://h/", "# @step home\nGET http://h/\n",
               "warning: this option of curl is not known here and left out: -- 'frobnicate'\n"
               "warning: this option of curl is not known here, the word is passed over: - 'Q'\n");
    check_curl("curl -d \"a=$HOME\" http://h/", "# @step post\nPOST http://h/\n[Form]\na: $HOME\n",
               "warning: a shell would put something in place of this; it is taken as it is\n");
}

static void what_is_no_command_is_refused_at_its_place(void **state UNUSED)
{
    static const struct {
        const char *text;
        uint32_t line, column;
    } CASES[] = {{"curl 'http://h/", 1, 6},
                 {"wget http://h/", 1, 1},
                 {"curl http://h/ \\\n -H", 2, 2},
                 {"curl -s", 1, 1},
                 {"", 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct journey_draft d;
        struct problems ps;
        problems_init(&ps);
        journey_init(&d);
        check_errno(import_curl(span_str(CASES[i].text), "stdin", &d, &ps), -EINVAL);
        assert_int_equal(ps.errors, 1);
        assert_int_equal(ps.list[0].line, CASES[i].line);
        assert_int_equal(ps.list[0].column, CASES[i].column);
        journey_done(&d);
        problems_done(&ps);
    }
}

/* Whatever a text holds, it comes back as it was when the journey is read. */
static void any_text_survives_the_journey(void **state)
{
    (void)state;
    static const char PIECES[][4] = {"{{",       "}}", "\\", "#",    "\"", "`",  " ",    "\t", "\n", "a",
                                     "\xc3\xa9", ":",  "{",  "file", ";",  "\r", "\x02", "%",  "$",  "'"};
    struct check_random random = check_random_new("any_text_survives_the_journey");
    for (unsigned round = 0; round < 2000 / check_slowness(); round++) {
        struct journey_draft d;
        struct problems ps;
        struct buf text;
        problems_init(&ps);
        journey_init(&d);
        buf_init(&text, 4096);
        for (uint64_t n = check_random_below(&random, 8) + 1; n > 0; n--)
            buf_str(&text, PIECES[check_random_below(&random, ARRAY_LEN(PIECES))]);
        struct span meant = draft_text(&d, buf_view(&text));
        struct draft_request *q = journey_add(&d);
        q->url = SPAN("http://h/");
        q->body_kind = DRAFT_FORM;
        check_ok(draft_pair_add(&d, &q->headers, SPAN("X"), meant));
        check_ok(draft_pair_add(&d, &q->fields, meant, meant));
        char *journey = printed(&d);
        struct hurl_file *f = NULL;
        check_ok(hurl_parse("x", span_str(journey), &f, &ps));
        struct span value = {0};
        assert_int_equal(f->n_entries, 1);
        assert_int_equal(f->entries[0].request.n_headers, 1);
        assert_int_equal(f->entries[0].request.n_form, 1);
        assert_true(hurl_template_static(&f->entries[0].request.headers[0].value, &value));
        assert_true(span_equal(value, meant));
        assert_true(hurl_template_static(&f->entries[0].request.form[0].key, &value));
        assert_true(span_equal(value, meant));
        hurl_file_free(f);
        free(journey);
        buf_done(&text);
        journey_done(&d);
        problems_done(&ps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_browser_copies_is_the_same_request),
        cmocka_unit_test(options_mean_what_they_mean_to_curl),
        cmocka_unit_test(what_has_no_counterpart_is_a_warning_by_name),
        cmocka_unit_test(what_is_no_command_is_refused_at_its_place),
        cmocka_unit_test(any_text_survives_the_journey),
    };
    return cmocka_run_group_tests_name("import_curl", tests, NULL, NULL);
}
