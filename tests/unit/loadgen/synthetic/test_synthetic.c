/* What synthetic runs need of themselves: when they are due, and what of a failure may be kept. */
#include "tests/support/check.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "loadgen/synthetic/artifacts.h"
#include "loadgen/synthetic/redact.h"
#include "loadgen/synthetic/schedule.h"

/* ---- schedule ---- */

static void each_interval_has_one_run_at_a_place_of_the_journeys_own(void **state)
{
    (void)state;
    struct schedule a = schedule_of(SPAN("web-01"), SPAN("checkout"), 30000),
                    again = schedule_of(SPAN("web-01"), SPAN("checkout"), 30000),
                    other = schedule_of(SPAN("web-01"), SPAN("search"), 30000),
                    elsewhere = schedule_of(SPAN("web-02"), SPAN("checkout"), 30000);
    assert_int_equal(a.phase_ms, again.phase_ms);
    assert_true(a.phase_ms != other.phase_ms && a.phase_ms != elsewhere.phase_ms);
    int64_t k = schedule_first(&a, 1700000000000), jittered = 0;
    assert_true(schedule_due_ms(&a, k) >= 1700000000000 && schedule_due_ms(&a, k - 1) < 1700000000000);
    for (int i = 0; i < 1000; i++, k++) {
        int64_t due = schedule_due_ms(&a, k);
        assert_true(due >= k * 30000 && due < (k + 1) * 30000);
        assert_int_equal(schedule_first(&a, due), k);
        assert_int_equal(schedule_first(&a, due + 1), k + 1);
        jittered += due - schedule_due_ms(&a, k - 1) != 30000;
    }
    assert_true(jittered > 900);
}

static void journeys_spread_over_the_interval(void **state)
{
    (void)state;
    unsigned tenths[10] = {0};
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "journey-%d", i);
        struct schedule s = schedule_of(SPAN("web-01"), span_str(name), 10000);
        tenths[s.phase_ms / 1000]++; /* the tenth is the jitter's */
    }
    for (int i = 0; i < 9; i++)
        assert_true(tenths[i] > 60 && tenths[i] < 170);
}

/* ---- what is left out ---- */

static const struct secrets NO_SECRETS;

static void secrets_cookies_and_card_numbers_are_removed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kept;
    } cases[] = {
        {"{\"user\": \"ann\", \"password\": \"hunter2\", \"n\": 1}",
         "{\"user\": \"ann\", \"password\": \"[removed]\", \"n\": 1}"},
        {"{\"pin\":1234,\"accessToken\":\"e\\\"y\",\"ok\":true}",
         "{\"pin\":[removed],\"accessToken\":\"[removed]\",\"ok\":true}"},
        {"user=ann&password=hun%20ter2&go=1", "user=ann&password=[removed]&go=1"},
        {"<login><password>hunter2</password><name>ann</name></login>",
         "<login><password>[removed]</password><name>ann</name></login>"},
        {"<input name=\"csrf_token\" type=\"hidden\" value=\"abc\"> <input name=\"q\" value=\"x\">",
         "<input name=\"csrf_token\" type=\"hidden\" value=\"[removed]\"> <input name=\"q\" value=\"x\">"},
        {"Content-Disposition: form-data; name=\"cvc\"\r\n\r\n123\r\n--b",
         "Content-Disposition: form-data; name=\"cvc\"\r\n\r\n[removed]\r\n--b"},
        {"card 4242 4242 4242 4242, again 4242-4242-4242-4242.", "card [card number], again [card number]."},
        {"4242424242424242", "[card number]"},
        {"order 4242424242424243 of 2026", "order 4242424242424243 of 2026"}, /* Luhn does not hold */
        {"say s3cr3t twice: s3cr3t", "say *** twice: ***"},
        {"{\"tokens\": {\"a\": 1}, \"b\": 2}", "{\"tokens\": {\"a\": 1}, \"b\": 2}"},
        {"\"password\"", "\"password\""},
        {"\"password\": \"never closed", "\"password\": \"[removed]\""},
        {"password=", "password="},
        {"", ""},
    };
    struct secrets secrets;
    secrets_init(&secrets);
    check_ok(secrets_add(&secrets, SPAN("s3cr3t")));
    check_ok(secrets_add(&secrets, SPAN("a"))); /* one letter is no secret that can be looked for */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, 65536);
        buf_str(&out, "");
        redact_body(&out, span_str(cases[i].text), &secrets, 1000);
        assert_int_equal(buf_error(&out), 0);
        check_span(buf_view(&out), cases[i].kept);
        buf_done(&out);
    }
    secrets_done(&secrets);
}

static void headers_and_urls_keep_no_credentials(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 65536);
    redact_headers(&out,
                   SPAN("Authorization: Basic YTpi\r\nSet-Cookie: session=1\r\nX-Api-Key: k\r\nX-Auth-Token:t\r\n"
                        "Cookie: a=b\r\nContent-Type: text/html\r\nLocation: /a?token=t\r\n"),
                   &NO_SECRETS);
    check_span(buf_view(&out), "Authorization: [removed]\nSet-Cookie: [removed]\nX-Api-Key: [removed]\nX-Auth-Token: "
                               "[removed]\nCookie: [removed]\nContent-Type: text/html\n"
                               "Location: /a?token=[removed]\n");
    buf_clear(&out);
    redact_url(&out, SPAN("https://ann:pw@shop.example/a?token=xyz&page=2"), &NO_SECRETS);
    check_span(buf_view(&out), "https://[removed]@shop.example/a?token=[removed]&page=2");
    buf_done(&out);
}

static void what_is_no_text_is_only_measured_and_what_is_long_is_cut(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    redact_body(&out, SPAN("\x89PNG\0\xff"), &NO_SECRETS, 1000);
    check_span(buf_view(&out), "[6 bytes that are no text]");
    buf_clear(&out);
    static char text[40000];
    memset(text, 'x', sizeof text);
    memcpy(text + 10990, "4242424242424242", 16);
    redact_body(&out, span_of(text, sizeof text), &NO_SECRETS, 11000);
    assert_true(out.len < 12100);
    assert_true(span_search(buf_view(&out), SPAN("42424242")) == out.len); /* not even a part of it */
    check_contains(out.data, "[cut: 40000 bytes in all]");
    buf_done(&out);
}

/* ---- the folder ---- */

static void a_failure_is_kept_with_its_reason_and_the_oldest_goes(void **state)
{
    (void)state;
    char *folder = NULL;
    check_ok(dir_make_temp("crest-artifacts", &folder));
    struct artifacts *a = NULL;
    check_ok(artifacts_open(folder, &a));
    struct span names[] = {SPAN("password"), SPAN("sku")};
    struct hurl_value values[] = {hurl_value_text(SPAN("correct horse")), hurl_value_text(SPAN("SKU-1"))};
    struct hurl_file file = {.name = "pay.hurl", .variables = names, .n_variables = 2};
    struct hurl_scope scope = {.file = &file, .values = values};
    struct journey journey = {.file = &file, .name = "pay"};
    struct hurl_entry entry = {.step = SPAN("POST /pay/../x")};
    struct hurl_failure why = {.kind = HURL_FAILED_STATUS, .at = {7, 6}, .text = "status 500, wanted 200"};
    const char *headers[] = {"Cookie: s=1", "X-Crest-Run: synthetic/web-01"};
    struct conn_request request = {.method = "POST",
                                   .url = "http://127.0.0.1/pay",
                                   .headers = headers,
                                   .n_headers = 2,
                                   .has_body = true,
                                   .body = SPAN("pass=correct horse&sku=SKU-1")};
    struct conn_response answer = {.status = 500,
                                   .version = 11,
                                   .error_text = "",
                                   .headers = SPAN("Set-Cookie: s=2\r\n"),
                                   .body = SPAN("{\"why\":\"pool\"}")};
    struct step_report step = {.journey = &journey,
                               .entry = &entry,
                               .why = &why,
                               .scope = &scope,
                               .service_us = 1234000,
                               .request = &request,
                               .answer = &answer};
    for (unsigned i = 0; i < ARTIFACTS_MAX + 5; i += 101) /* enough to see names and order */
        check_ok(artifacts_keep(a, &step, 1700000000000 + i));
    struct buf path;
    buf_init(&path, 4096);
    struct file_list files;
    buf_printf(&path, "%s/*", folder);
    check_ok(file_glob(path.data, &files));
    assert_int_equal(files.n, 5);
    char *text = NULL;
    size_t n;
    check_ok(file_read(files.paths[0], 65536, &text, &n));
    check_contains(files.paths[0], "/20231114T221320.000Z-pay-POST--pay-..-x.txt");
    check_contains(text, "failed   pay.hurl:7:6: status 500, wanted 200\n");
    check_contains(text, "took     1.234 s\n");
    check_contains(text, "POST http://127.0.0.1/pay\nCookie: [removed]\nX-Crest-Run: synthetic/web-01\n");
    check_contains(text, "HTTP/1.1 500\nSet-Cookie: [removed]\n\n{\"why\":\"pool\"}\n");
    check_contains(text, "sku=SKU-1");
    assert_null(strstr(text, "correct"));
    free(text);
    file_list_done(&files);
    for (unsigned i = 0; i < ARTIFACTS_MAX; i++) { /* older ones, of an earlier run */
        buf_clear(&path);
        buf_printf(&path, "%s/20200101T000000.%03uZ-old-x.txt", folder, i);
        check_ok(file_write(path.data, "x", 1));
    }
    buf_clear(&path);
    buf_printf(&path, "%s/notes.txt", folder);
    check_ok(file_write(path.data, "mine", 4));
    check_ok(artifacts_keep(a, &step, 1700000009999));
    buf_clear(&path);
    buf_printf(&path, "%s/*", folder);
    check_ok(file_glob(path.data, &files));
    assert_int_equal(files.n, ARTIFACTS_MAX + 1);
    check_contains(files.paths[0], "/20200101T000000.006Z-old");
    check_contains(files.paths[files.n - 1], "/notes.txt");
    file_list_done(&files);
    buf_done(&path);
    artifacts_free(a);
    check_ok(dir_remove(folder));
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_interval_has_one_run_at_a_place_of_the_journeys_own),
        cmocka_unit_test(journeys_spread_over_the_interval),
        cmocka_unit_test(secrets_cookies_and_card_numbers_are_removed),
        cmocka_unit_test(headers_and_urls_keep_no_credentials),
        cmocka_unit_test(what_is_no_text_is_only_measured_and_what_is_long_is_cut),
        cmocka_unit_test(a_failure_is_kept_with_its_reason_and_the_oldest_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
