/* A recording and the journey that it becomes (samples/shop.har, samples/shop.hurl), and recordings that mean no good. */
#include "loadgen/import/har.h"

#include <errno.h>

#include "loadgen/import/names.h"
#include "tests/unit/loadgen/import/sample.h"

static char *imported(struct span text, const struct har_options *o, char **ret_words)
{
    struct journey_draft d;
    struct problems ps;
    problems_init(&ps);
    journey_init(&d);
    int r = import_har(text, "samples/shop.har", o, &d, &ps);
    char *journey = r == 0 ? printed(&d) : NULL, *words = words_of(&ps);
    assert_true(r == 0 || ps.errors > 0);
    if (ret_words)
        *ret_words = words;
    else
        free(words);
    journey_done(&d);
    problems_done(&ps);
    return journey;
}

static void a_recording_becomes_the_journey_beside_it(void **state UNUSED)
{
    size_t n;
    char *text = sample("shop.har", &n), *words = NULL;
    char *journey = imported(span_of(text, n), &(struct har_options){0}, &words);
    check_sample(journey, "shop.hurl");
    assert_string_equal(words,
                        "notice: 10 requests of shop.example, 10 captures\n"
                        "notice: left out: 1 style sheets, scripts and pictures (--assets keeps them)\n"
                        "notice: left out: 1 requests without an answer, or answered by the browser itself\n"
                        "notice: left out: 1 of the third party cdn.example (--keep-host cdn.example keeps them)\n"
                        "notice: left out: 1 of the third party stats.example (--keep-host stats.example keeps them)\n"
                        "warning: these cookies were set by no answer of the recording and are not sent: consent\n"
                        "notice: to be set with --variable NAME=VALUE: password card cvc\n");
    static const char *const SECRETS[] = {"hunter2", "4242", "eyJ", "m3taT0ken", "h1dden", "pk_live", "5d41402abc"};
    for (size_t i = 0; i < ARRAY_LEN(SECRETS); i++)
        if (strstr(journey, SECRETS[i]))
            check_failed("'%s' stands in the journey", SECRETS[i]);
    free(journey);
    free(words);
    free(text);
}

static void assets_hosts_and_headers_are_kept_when_asked_for(void **state UNUSED)
{
    size_t n;
    char *text = sample("shop.har", &n);
    const char *hosts[] = {"*.example"}, *headers[] = {"User-Agent"};
    struct har_options o = {
        .keep_hosts = hosts, .n_keep_hosts = 1, .keep_headers = headers, .n_keep_headers = 1, .assets = true};
    char *journey = imported(span_of(text, n), &o, NULL);
    check_contains(journey, "# @step assets\nGET https://www.shop.example/app.css\n");
    check_contains(journey, "# @step assets\nGET https://cdn.example/lib.js\n");
    check_contains(journey, "GET https://stats.example/hit?x=1\n");
    check_contains(journey, "User-Agent: Mozilla/5.0\n");
    if (strstr(journey, "app.css") > strstr(journey, "# @step session"))
        check_failed("assets stand behind their page");
    free(journey);
    free(text);
}

/* One exchange after another, each a JSON object of entries. */
static char *har_of(const char *entries)
{
    struct buf out;
    buf_init(&out, 1 << 24);
    buf_printf(&out, "{\"log\":{\"entries\":[%s]}}", entries);
    return buf_take(&out, NULL);
}

#define ENTRY(second, method, url, status, headers, type, body)                                                        \
    "{\"startedDateTime\":\"2026-11-22T12:00:" second "Z\",\"time\":10,\"request\":{\"method\":\"" method              \
    "\",\"url\":\"" url "\",\"headers\":[]},\"response\":{\"status\":" status ",\"headers\":[" headers                 \
    "],\"content\":{\"mimeType\":\"" type "\",\"text\":\"" body "\"}}}"

static void a_renewed_token_is_taken_from_where_it_was_renewed(void **state UNUSED)
{
    char *text = har_of(ENTRY(
        "01", "GET", "http://h/a", "200", "", "text/html",
        "<input type=hidden name=t value=abcdef0123456789>") "," ENTRY("02", "GET", "http://h/b", "200", "",
                                                                       "application/json",
                                                                       "{\\\"n\\\":{\\\"next\\\":"
                                                                       "\\\"abcdef0123456789\\\"}"
                                                                       "}") "," ENTRY("03", "GET",
                                                                                      "http://h/"
                                                                                      "c?t="
                                                                                      "abcdef0123"
                                                                                      "456789",
                                                                                      "200", "", "text/html", ""));
    char *journey = imported(span_str(text), &(struct har_options){0}, NULL);
    check_contains(journey, "next: jsonpath \"$.n.next\"");
    check_contains(journey, "GET http://h/c?t={{next}}\n");
    assert_null(strstr(journey, "xpath"));
    free(journey);
    free(text);
}

static void a_capture_that_would_not_find_its_value_is_none(void **state UNUSED)
{
    /* libxml2 sees no second link inside a comment that the browser's own tokenizer closed early */
    char *text = har_of(
        ENTRY("01", "GET", "http://h/a", "200", "", "text/html",
              "<a href='/p/x'>1</a><textarea><a href='/p/12345'></textarea>") "," ENTRY("02", "GET", "http://h/p/12345",
                                                                                        "200", "", "text/html", ""));
    char *journey = imported(span_str(text), &(struct har_options){0}, NULL);
    assert_true(strstr(journey, "GET http://h/p/12345\n") || strstr(journey, "regex"));
    free(journey);
    free(text);
}

static void hostile_recordings_end_in_words_or_a_journey(void **state UNUSED)
{
    size_t n;
    char *text = sample("shop.har", &n), *words = NULL, *journey;
    for (size_t cut = 0; cut < n; cut += n / 97 + 1) { /* cut off anywhere */
        assert_null(imported(span_of(text, cut), &(struct har_options){0}, &words));
        check_contains(words, "error: ");
        free(words);
    }
    free(text);
    static const char *const NONE[] = {"",
                                       "[]",
                                       "{}",
                                       "{\"log\":{\"entries\":{}}}",
                                       "{\"log\":{\"entries\":[]}}",
                                       "{\"log\":{\"entries\":[1,null,{},{\"request\":[]}]}}"};
    for (size_t i = 0; i < ARRAY_LEN(NONE); i++) {
        assert_null(imported(span_str(NONE[i]), &(struct har_options){0}, &words));
        check_contains(words, "error: ");
        free(words);
    }
    struct buf deep;
    buf_init(&deep, 1 << 20);
    for (unsigned i = 0; i < 100000; i++)
        buf_char(&deep, '[');
    assert_null(imported(buf_view(&deep), &(struct har_options){0}, &words));
    free(words);
    buf_done(&deep);
    /* redirects in a circle are requests like others */
    text = har_of(ENTRY(
        "01", "GET", "http://h/1000001", "302", "{\"name\":\"Location\",\"value\":\"/1000002\"}", "text/html",
        "") "," ENTRY("02", "GET", "http://h/1000002", "302", "{\"name\":\"Location\",\"value\":\"/1000001\"}",
                      "text/html", "") "," ENTRY("03", "GET", "http://h/1000001", "302",
                                                 "{\"name\":\"Location\",\"value\":\"/1000002\"}", "text/html", ""));
    journey = imported(span_str(text), &(struct har_options){0}, NULL);
    check_contains(journey, "GET http://h/{{id}}\n");
    free(journey);
    free(text);
}

static void cards_and_secrets_are_known_when_seen(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool card;
    } CARDS[] = {{"4242424242424242", true}, {"4242 4242 4242 4242", true}, {"5555-5555-5555-4444", true},
                 {"378282246310005", true},  {"4242424242424243", false},   {"1732300000123", false},
                 {"42424242", false},        {"x4242424242424242", false}};
    for (size_t i = 0; i < ARRAY_LEN(CARDS); i++)
        assert_int_equal(is_card_number(span_str(CARDS[i].text)), CARDS[i].card);
    assert_true(is_secret_name(SPAN("user[password]")));
    assert_true(is_secret_name(SPAN("newPwd")));
    assert_true(is_secret_name(SPAN("cvc")));
    assert_false(is_secret_name(SPAN("shipping")));
    assert_false(is_secret_name(SPAN("csrf_token")));
    assert_true(looks_like_id(SPAN("42")));
    assert_true(looks_like_id(SPAN("c0ffee12-aaaa-4bbb-8ccc-121212121212")));
    assert_true(looks_like_id(SPAN("SKU-0001")));
    assert_false(looks_like_id(SPAN("v1")));
    assert_false(looks_like_id(SPAN("checkout")));
    assert_false(looks_like_id(SPAN("shop-api")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recording_becomes_the_journey_beside_it),
        cmocka_unit_test(assets_hosts_and_headers_are_kept_when_asked_for),
        cmocka_unit_test(a_renewed_token_is_taken_from_where_it_was_renewed),
        cmocka_unit_test(a_capture_that_would_not_find_its_value_is_none),
        cmocka_unit_test(hostile_recordings_end_in_words_or_a_journey),
        cmocka_unit_test(cards_and_secrets_are_known_when_seen),
    };
    return cmocka_run_group_tests_name("import_har", tests, NULL, NULL);
}
