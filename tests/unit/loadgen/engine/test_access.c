/* Who a request says it is, where it really goes, and what is not shown of it. */
#include "tests/support/check.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "loadgen/engine/cookie_jar.h"
#include "loadgen/engine/digest.h"
#include "loadgen/engine/netrc.h"
#include "loadgen/engine/route.h"
#include "loadgen/engine/secrets.h"

/* RFC 7616 3.9.1 has both; RFC 2069's form by hand from RFC 2617's formulas without qop. */
static void digest_answers_as_the_rfcs_examples(void **state)
{
    (void)state;
    static const struct {
        const char *challenge, *cnonce, *response;
    } cases[] = {
        {"Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, "
         "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
         "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
         "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec"},
        {"digest realm=\"http-auth@example.org\",qop=auth,algorithm=SHA-256,"
         "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\"",
         "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
         "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct digest_challenge c;
        struct buf out;
        char wanted[128];
        buf_init(&out, 65536);
        check_ok(digest_challenge_read(span_str(cases[i].challenge), &c));
        check_ok(digest_answer(&out, &c,
                               &(struct digest_request){.method = SPAN("GET"),
                                                        .uri = SPAN("/dir/index.html"),
                                                        .user = SPAN("Mufasa"),
                                                        .password = SPAN("Circle of Life"),
                                                        .cnonce = span_str(cases[i].cnonce)}));
        snprintf(wanted, sizeof wanted, "response=\"%s\"", cases[i].response);
        check_contains(out.data, wanted);
        check_contains(out.data, "uri=\"/dir/index.html\"");
        assert_true((strstr(out.data, "opaque=") != NULL) == (c.opaque.ptr != NULL));
        buf_done(&out);
    }
    static const struct {
        const char *challenge;
        int code;
    } refused[] = {{"Basic realm=\"x\"", -EINVAL},
                   {"Digest realm=\"x\"", -EINVAL},
                   {"Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512", -ENOTSUP},
                   {"Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"", -ENOTSUP},
                   {"Digest realm=\"x", -EINVAL},
                   {"Digest ,,,=", -EINVAL},
                   {"", -EINVAL}};
    struct digest_challenge c;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        check_errno(digest_challenge_read(span_str(refused[i].challenge), &c), refused[i].code);
    /* RFC 2069: no qop, no cnonce in the answer */
    struct buf out;
    buf_init(&out, 65536);
    check_ok(digest_challenge_read(SPAN("Digest realm=\"r\", nonce=\"n\""), &c));
    check_ok(digest_answer(&out, &c,
                           &(struct digest_request){.method = SPAN("GET"),
                                                    .uri = SPAN("/"),
                                                    .user = SPAN("a\"b"),
                                                    .password = SPAN("p"),
                                                    .cnonce = SPAN("x")}));
    check_contains(out.data, "username=\"a\\\"b\"");
    assert_null(strstr(out.data, "cnonce"));
    buf_done(&out);
}

static void netrc_is_read_as_curl_reads_it(void **state)
{
    (void)state;
    char path[] = "/tmp/netrc-XXXXXX";
    int fd = mkstemp(path);
    static const char TEXT[] =
        "# comment with machine shop.test login no\n"
        "machine other.test login o password op\n"
        "macdef init\nmachine shop.test login macro password m\n\n"
        "machine shop.test\n  account x\n  login first password \"with \\\"quotes\\\" and blanks\"\n"
        "machine shop.test login second password p2\n"
        "machine \"quoted.test\" \"login\" \"a login that is much longer than its key, and than what the key took\" "
        "password p\n"
        "default login any password thing";
    assert_true(fd >= 0);
    assert_int_equal(write(fd, TEXT, sizeof TEXT - 1), (ssize_t)sizeof TEXT - 1);
    close(fd);
    static const struct {
        const char *host, *login, *found;
    } cases[] = {
        {"shop.test", "", "first:with \"quotes\" and blanks"},
        {"SHOP.test", "second", "second:p2"},
        {"other.test", "", "o:op"},
        {"elsewhere.test", "", "any:thing"},
        {"quoted.test", "", "a login that is much longer than its key, and than what the key took:p"},
        {"other.test", "nobody", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, 65536);
        int r = netrc_find(path, span_str(cases[i].host), span_str(cases[i].login), &out);
        check_errno(r, cases[i].found ? 0 : -ENOENT);
        if (cases[i].found)
            assert_string_equal(out.data, cases[i].found);
        buf_done(&out);
    }
    unlink(path);
    struct buf out;
    buf_init(&out, 65536);
    check_errno(netrc_find(path, SPAN("shop.test"), SPAN(""), &out), -ENOENT);
    buf_done(&out);
}

static void a_route_says_where_a_request_goes(void **state)
{
    (void)state;
    static const struct {
        const char *resolve, *connect_to, *socket, *host;
        uint16_t port;
        const char *to;
        uint16_t to_port;
    } cases[] = {
        {NULL, NULL, NULL, "shop.test", 80, "shop.test", 80},
        {"shop.test:80:127.0.0.1", NULL, NULL, "shop.test", 80, "127.0.0.1", 80},
        {"SHOP.test:80:[::1]", NULL, NULL, "shop.test", 80, "::1", 80},
        {"+*:80:10.0.0.1,127.0.0.1", NULL, NULL, "localhost", 80, "10.0.0.1", 80},
        {"shop.test:443:127.0.0.1", NULL, NULL, "shop.test", 80, "shop.test", 80},
        {NULL, "shop.test:80:127.0.0.1:8080", NULL, "shop.test", 80, "127.0.0.1", 8080},
        {NULL, "::evil.example:", NULL, "127.0.0.1", 80, "evil.example", 80},
        {NULL, "127.0.0.1::[fd00::1]:81", NULL, "127.0.0.1", 80, "fd00::1", 81},
        {NULL, "other:80:evil.example:80", NULL, "127.0.0.1", 80, "127.0.0.1", 80},
        {"b.test:81:127.0.0.1", "a.test:80:b.test:81", NULL, "a.test", 80, "127.0.0.1", 81},
        {NULL, NULL, "/tmp/s", "shop.test", 80, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *const resolve[] = {cases[i].resolve}, *const connect_to[] = {cases[i].connect_to};
        struct conn_route route = {.resolve = resolve,
                                   .n_resolve = cases[i].resolve != NULL,
                                   .connect_to = connect_to,
                                   .n_connect_to = cases[i].connect_to != NULL,
                                   .unix_socket = cases[i].socket};
        struct span host = span_str(cases[i].host);
        uint16_t port = cases[i].port;
        assert_true(route_target(&route, &host, &port) == (cases[i].to != NULL));
        if (cases[i].to && (!span_equal(host, span_str(cases[i].to)) || port != cases[i].to_port))
            check_failed("case %zu: " SPAN_FMT ":%u", i, SPAN_ARG(host), (unsigned)port);
    }
    static const struct {
        const char *proxy, *host;
        uint16_t port;
    } proxies[] = {{"http://127.0.0.1:3128", "127.0.0.1", 3128},
                   {"proxy.example:8080/", "proxy.example", 8080},
                   {"socks5h://u:p@[::1]:1081", "::1", 1081},
                   {"proxy.example", "proxy.example", 1080}};
    for (size_t i = 0; i < ARRAY_LEN(proxies); i++) {
        struct conn_route route = {.proxy = proxies[i].proxy};
        struct span host;
        uint16_t port;
        assert_true(route_proxy(&route, &host, &port));
        check_span(host, proxies[i].host);
        assert_int_equal(port, proxies[i].port);
    }
    struct span host;
    uint16_t port;
    assert_false(route_proxy(NULL, &host, &port));
}

static void secrets_are_hidden_whole_and_in_part(void **state)
{
    (void)state;
    struct secrets s;
    secrets_init(&s);
    check_ok(secrets_add(&s, SPAN("hunter2/secret")));
    check_ok(secrets_add(&s, SPAN("abc")));
    check_ok(secrets_add(&s, SPAN("no"))); /* too short to be one */
    check_ok(secrets_add(&s, SPAN("")));
    check_ok(secrets_add(&s, SPAN("it's \"so\"")));
    check_ok(secrets_add_value(&s, &(struct hurl_value){.kind = HURL_VALUE_INT, .integer = 918273}));
    check_ok(secrets_add_value(&s, &(struct hurl_value){.kind = HURL_VALUE_BOOL, .boolean = true}));
    static const struct {
        const char *text, *shown;
    } cases[] = {{"", ""},
                 {"nothing", "nothing"},
                 {"hunter2/secret", "***"},
                 {"a hunter2/secret, again hunter2/secret.", "a ***, again ***."},
                 {"cut: \"hunter2/se\xe2\x80\xa6\"", "cut: \"***\xe2\x80\xa6\""},
                 {"hunte is not it", "hunte is not it"},
                 {"?q=hunter2%2Fsecret&r=1", "?q=***&r=1"},
                 {"abcabc abd no", "****** abd no"},
                 {"pin 918273 is true", "pin *** is true"},
                 {"{\"a\":\"it's \\\"so\\\"\"}", "{\"a\":\"***\"}"},
                 {"a=it%27s%20%22so%22&b=it%27s+%22so%22", "a=***&b=***"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, 65536);
        secrets_hide(&out, &s, span_str(cases[i].text));
        check_span(buf_view(&out), cases[i].shown);
        buf_done(&out);
    }
    struct secrets other;
    secrets_init(&other);
    check_ok(secrets_copy(&other, &s));
    assert_int_equal(other.n, s.n);
    char text[24] = "say abc and abc again!!";
    secrets_hide_in(text, sizeof text, &other);
    assert_string_equal(text, "say *** and *** again!!");
    snprintf(text, sizeof text, "%s", "");
    secrets_hide_in(text, sizeof text, &other);
    assert_string_equal(text, "");
    secrets_done(&other);
    secrets_done(&s);
}

static void cookies_go_through_a_file(void **state)
{
    (void)state;
    static const char TEXT[] =
        "# Netscape HTTP Cookie File\n\n#HttpOnly_shop.test\tFALSE\t/cart\tFALSE\t0\tsid\ts1\r\n"
        ".shop.test\tTRUE\t/\tFALSE\t4102444800\ttheme\tdark\n"
        "shop.test\tFALSE\t/\tFALSE\t1\told\tgone\nnonsense\nshop.test\tFALSE\t/\tFALSE\tsoon\tbad\tx\n"
        ".\tTRUE\t/\tFALSE\t0\tof\tnowhere\nshop.test\tFALSE\t/\tFALSE\t0\tcontrol\t\x01\nshop.test\tFALSE\t/"
        "\tFALSE\t0\t\t\n";
    static const char WRITTEN[] = "# Netscape HTTP Cookie File\nshop.test\tFALSE\t/cart\tFALSE\t0\tsid\ts1\n"
                                  ".shop.test\tTRUE\t/\tFALSE\t4102444800\ttheme\tdark\n";
    struct cookie_jar jar;
    struct url url;
    struct buf out;
    const char *why;
    cookie_jar_init(&jar);
    buf_init(&out, 65536);
    check_ok(cookie_jar_read(&jar, span_str(TEXT), 1000000));
    assert_int_equal(cookie_jar_count(&jar), 2);
    check_ok(url_parse(&url, SPAN("http://shop.test/cart/1"), &why));
    assert_int_equal(cookie_jar_header(&jar, &url, 1000000, &out), 2);
    assert_string_equal(out.data, "sid=s1; theme=dark");
    check_ok(url_parse(&url, SPAN("http://www.shop.test/cart/1"), &why));
    buf_clear(&out);
    assert_int_equal(cookie_jar_header(&jar, &url, 1000000, &out), 1);
    buf_clear(&out);
    cookie_jar_write(&jar, &out);
    assert_string_equal(out.data, WRITTEN);
    buf_done(&out);
    cookie_jar_done(&jar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_answers_as_the_rfcs_examples), cmocka_unit_test(netrc_is_read_as_curl_reads_it),
        cmocka_unit_test(a_route_says_where_a_request_goes),   cmocka_unit_test(secrets_are_hidden_whole_and_in_part),
        cmocka_unit_test(cookies_go_through_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
