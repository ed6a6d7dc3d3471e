#include "lib/wire/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_span(struct span got, const char *want)
{
    if (!want) {
        assert_null(got.ptr);
        return;
    }
    assert_non_null(got.ptr);
    assert_true(span_equal(got, span_str(want)));
}

static void url_splits_into_its_parts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *user, *password, *host, *path, *query, *fragment;
        uint16_t port;
        bool port_given;
    } CASES[] = {
        {"http://127.0.0.1:9480/metrics?x=1", "http", NULL, NULL, "127.0.0.1", "/metrics", "x=1", NULL, 9480, true},
        {"https://shop.example", "https", NULL, NULL, "shop.example", "", NULL, NULL, 443, false},
        {"HTTP://Shop.example/?#", "HTTP", NULL, NULL, "Shop.example", "/", "", "", 80, false},
        {"http://u:p:q@h/a", "http", "u", "p:q", "h", "/a", NULL, NULL, 80, false},
        {"http://u@h?q=/?", "http", "u", NULL, "h", "", "q=/?", NULL, 80, false},
        {"http://[::1]:80/x#f#g", "http", NULL, NULL, "::1", "/x", NULL, "f#g", 80, true},
        {"http://[2001:db8::1]", "http", NULL, NULL, "2001:db8::1", "", NULL, NULL, 80, false},
        {"http://a@b@c/", "http", "a@b", NULL, "c", "/", NULL, NULL, 80, false},
        {"http://h:/x", "http", NULL, NULL, "h", "/x", NULL, NULL, 80, false},
        {"http://h/caf\xc3\xa9", "http", NULL, NULL, "h", "/caf\xc3\xa9", NULL, NULL, 80, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct url u;
        const char *why = NULL;
        assert_int_equal(url_parse(&u, span_str(CASES[i].text), &why), 0);
        expect_span(u.scheme, CASES[i].scheme);
        expect_span(u.user, CASES[i].user);
        expect_span(u.password, CASES[i].password);
        expect_span(u.host, CASES[i].host);
        expect_span(u.path, CASES[i].path);
        expect_span(u.query, CASES[i].query);
        expect_span(u.fragment, CASES[i].fragment);
        assert_int_equal(u.port, CASES[i].port);
        assert_int_equal(u.port_given, CASES[i].port_given);
    }
}

static void url_refuses_with_a_reason_and_leaves_the_result_alone(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "",
        "shop.example/x",
        "ftp://h/",
        "http:/h",
        "http:///x",
        "http://",
        "http://u@/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:8a/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[zz::]/",
        "http://[127.0.0.1]/",
        "http://h/a b",
        "http://h/a\r\nHost: x",
        "http://h\x7f/",
        "http://h_<>/",
        "http://h%/",
        "javascript:alert(1)",
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct url u = {.port = 7};
        const char *why = NULL;
        assert_int_equal(url_parse(&u, span_str(CASES[i]), &why), -EINVAL);
        assert_non_null(why);
        assert_int_equal(u.port, 7);
    }
    struct url u;
    const char *why;
    assert_int_equal(url_parse(&u, span_of("http://h/\0", 10), &why), -EINVAL);
}

static void percent_encoding_round_trips_every_byte(void **state)
{
    (void)state;
    char all[256];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    struct buf encoded, decoded;
    buf_init(&encoded, 4096);
    buf_init(&decoded, 4096);
    url_encode(&encoded, span_of(all, sizeof all));
    for (size_t i = 0; i < encoded.len; i++)
        assert_true(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%", encoded.data[i]) !=
                    NULL);
    url_decode(&decoded, buf_view(&encoded), true);
    assert_int_equal(buf_error(&decoded), 0);
    assert_int_equal(decoded.len, sizeof all);
    assert_memory_equal(decoded.data, all, sizeof all);
    buf_done(&encoded);
    buf_done(&decoded);
}

static void a_bad_escape_is_kept_as_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        bool plus;
    } CASES[] = {
        {"a%2", "a%2", false}, {"%zz%41", "%zzA", false}, {"%", "%", false},           {"a+b", "a+b", false},
        {"a+b", "a b", true},  {"%2B+%2b", "+ +", true},  {"100%%20", "100% ", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct buf b;
        buf_init(&b, 64);
        url_decode(&b, span_str(CASES[i].in), CASES[i].plus);
        assert_string_equal(b.data, CASES[i].out);
        buf_done(&b);
    }
}

static void expect_resolved(const char *base_text, const char *reference, const char *want)
{
    struct url base;
    const char *why;
    assert_int_equal(url_parse(&base, span_str(base_text), &why), 0);
    struct buf b;
    buf_init(&b, 4096);
    int r = url_resolve(&b, &base, span_str(reference));
    if (!want) {
        assert_int_equal(r, -EINVAL);
    } else {
        assert_int_equal(r, 0);
        assert_string_equal(b.data, want);
    }
    buf_done(&b);
}

static void references_resolve_as_rfc_3986_lists_them(void **state)
{
    (void)state;
    static const struct {
        const char *reference, *want;
    } CASES[] = {
        /* 5.4.1 and 5.4.2; schemes other than http(s) are refused */
        {"g:h", NULL},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q#s"},
        {"g#s", "http://a/b/c/g#s"},
        {"g?y#s", "http://a/b/c/g?y#s"},
        {";x", "http://a/b/c/;x"},
        {"g;x", "http://a/b/c/g;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y#s"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g#s/../x", "http://a/b/c/g#s/../x"},
        {"http:g", NULL},
        {"javascript:alert(1)", NULL},
        {"/a b", NULL},
        {"https://x/../y", "https://x/y"},
        {"//h:99999/", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        expect_resolved("http://a/b/c/d;p?q", CASES[i].reference, CASES[i].want);
    expect_resolved("http://u:p@[::1]:8080", "x", "http://u:p@[::1]:8080/x");
    expect_resolved("https://h", "?q", "https://h?q");
}

static void loopback_hosts_are_known_by_their_text(void **state)
{
    (void)state;
    static const char *const LOOPBACK[] = {"localhost", "LocalHost",   "a.localhost", "localhost.",
                                           "127.0.0.1", "127.255.1.2", "::1"};
    static const char *const FOREIGN[] = {"",
                                          "localhost.example",
                                          "xlocalhost",
                                          "128.0.0.1",
                                          "127.0.0.1.example",
                                          "127.1",
                                          "127.0.0.256",
                                          "0177.0.0.1",
                                          "::2",
                                          "127.0.0.01",
                                          "127.0.0.1.1",
                                          ".localhost.x"};
    for (size_t i = 0; i < ARRAY_LEN(LOOPBACK); i++)
        assert_true(url_host_is_loopback(span_str(LOOPBACK[i])));
    for (size_t i = 0; i < ARRAY_LEN(FOREIGN); i++)
        assert_false(url_host_is_loopback(span_str(FOREIGN[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_splits_into_its_parts),
        cmocka_unit_test(url_refuses_with_a_reason_and_leaves_the_result_alone),
        cmocka_unit_test(percent_encoding_round_trips_every_byte),
        cmocka_unit_test(a_bad_escape_is_kept_as_it_is),
        cmocka_unit_test(references_resolve_as_rfc_3986_lists_them),
        cmocka_unit_test(loopback_hosts_are_known_by_their_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
