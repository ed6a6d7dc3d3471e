#include "tests/support/check.h"

#include <errno.h>

#include "loadgen/engine/cookie_jar.h"

#define NOW 1700000000000

static struct url url_of(const char *text)
{
    struct url u;
    const char *why;
    check_ok(url_parse(&u, span_str(text), &why));
    return u;
}

static int store(struct cookie_jar *j, const char *url, const char *header, int64_t now)
{
    struct url u = url_of(url);
    return cookie_jar_store(j, &u, span_str(header), now);
}

static void check_sent(struct cookie_jar *j, const char *url, int64_t now, const char *want)
{
    struct url u = url_of(url);
    struct buf out;
    buf_init(&out, 1 << 20);
    cookie_jar_header(j, &u, now, &out);
    const char *got = out.data ? out.data : "";
    if (strcmp(got, want) != 0)
        check_failed("%s gets '%s', wanted '%s'", url, got, want);
    buf_done(&out);
}

/* One cookie set by one URL, asked for by another: is it sent? */
static void cookies_go_where_the_rules_send_them(void **state)
{
    (void)state;
    static const struct {
        const char *from, *header, *to;
        bool sent;
    } cases[] = {
        {"http://shop.example/a/b", "x=1", "http://shop.example/a/c", true},
        {"http://shop.example/a/b", "x=1", "http://shop.example/a", true},
        {"http://shop.example/a/b", "x=1", "http://shop.example/", false},
        {"http://shop.example/a/b", "x=1", "http://shop.example/ab", false},
        {"http://shop.example", "x=1", "http://shop.example", true},
        {"http://shop.example/", "x=1", "http://www.shop.example/", false},
        {"http://shop.example/", "x=1", "http://SHOP.example:8080/", true},
        {"http://shop.example/", "x=1; Domain=shop.example", "http://www.shop.example/", true},
        {"http://www.shop.example/", "x=1; Domain=.shop.example", "http://shop.example/", true},
        {"http://www.shop.example/", "x=1; Domain=shop.example", "http://evilshop.example/", false},
        {"http://www.shop.example/", "x=1; Domain=other.example", "http://other.example/", false},
        {"http://www.shop.example/", "x=1; Domain=example", "http://www.shop.example/", false},
        {"http://localhost/", "x=1; Domain=localhost", "http://localhost/", true},
        {"http://127.0.0.1/", "x=1; Domain=127.0.0.1", "http://127.0.0.1/", true},
        {"http://127.0.0.1/", "x=1; Domain=0.0.1", "http://127.0.0.1/", false},
        {"http://shop.example/", "x=1; Path=/cart", "http://shop.example/cart/pay", true},
        {"http://shop.example/", "x=1; Path=/cart", "http://shop.example/carts", false},
        {"http://shop.example/", "x=1; Path=/cart/", "http://shop.example/cart/pay", true},
        {"http://shop.example/", "x=1; Path=cart", "http://shop.example/", true},
        {"https://shop.example/", "x=1; Secure", "https://shop.example/", true},
        {"https://shop.example/", "x=1; Secure", "http://shop.example/", false},
        {"http://shop.example/", "x=1; Secure", "https://shop.example/", false},
        {"http://127.0.0.1/", "x=1; Secure", "http://127.0.0.1/", true},
        {"https://shop.example/", "__Secure-x=1; Secure", "https://shop.example/", true},
        {"https://shop.example/", "__Secure-x=1", "https://shop.example/", false},
        {"https://shop.example/", "__Host-x=1; Secure; Path=/", "https://shop.example/", true},
        {"https://shop.example/", "__host-x=1; Secure", "https://shop.example/", false},
        {"https://shop.example/", "__Host-x=1; Secure; Path=/; Domain=shop.example", "https://shop.example/", false},
        {"http://shop.example/", "x=1; Max-Age=10", "http://shop.example/", true},
        {"http://shop.example/", "x=1; Max-Age=0", "http://shop.example/", false},
        {"http://shop.example/", "x=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://shop.example/", false},
        {"http://shop.example/", "x=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5", "http://shop.example/", true},
        {"http://shop.example/", "x=1; Expires=nonsense", "http://shop.example/", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cookie_jar j;
        cookie_jar_init(&j);
        (void)!store(&j, cases[i].from, cases[i].header, NOW);
        struct url to = url_of(cases[i].to);
        struct buf out;
        buf_init(&out, 1 << 20);
        bool sent = cookie_jar_header(&j, &to, NOW, &out) == 1;
        if (sent != cases[i].sent)
            check_failed("'%s' from %s to %s: sent %d", cases[i].header, cases[i].from, cases[i].to, sent);
        buf_done(&out);
        cookie_jar_done(&j);
    }
}

static void a_cookie_ends_when_its_time_has_come(void **state)
{
    (void)state;
    struct cookie_jar j;
    cookie_jar_init(&j);
    check_ok(store(&j, "http://x.example/", "a=1; Max-Age=10", NOW));
    check_sent(&j, "http://x.example/", NOW + 9999, "a=1");
    check_sent(&j, "http://x.example/", NOW + 10000, "");
    cookie_jar_done(&j);
}

static void the_same_name_replaces_and_an_old_date_removes(void **state)
{
    (void)state;
    struct cookie_jar j;
    cookie_jar_init(&j);
    check_ok(store(&j, "http://x.example/", "a=1", NOW));
    check_ok(store(&j, "http://x.example/", "b=2", NOW));
    check_ok(store(&j, "http://x.example/", "a=3", NOW));
    check_ok(store(&j, "http://x.example/", "a=4; Path=/deep", NOW));
    check_sent(&j, "http://x.example/deep/x", NOW, "a=4; a=3; b=2");
    check_ok(store(&j, "http://x.example/", "a=; Max-Age=0", NOW));
    check_sent(&j, "http://x.example/", NOW, "b=2");
    cookie_jar_clear(&j);
    check_sent(&j, "http://x.example/", NOW, "");
    cookie_jar_done(&j);
}

static void a_full_jar_lets_the_oldest_go(void **state)
{
    (void)state;
    struct cookie_jar j;
    cookie_jar_init(&j);
    for (unsigned i = 0; i < COOKIES_MAX + 5; i++) {
        char header[32];
        snprintf(header, sizeof header, "c%u=%u", i, i);
        check_ok(store(&j, "http://x.example/", header, NOW));
    }
    assert_int_equal(cookie_jar_count(&j), COOKIES_MAX);
    struct url u = url_of("http://x.example/");
    struct buf out;
    buf_init(&out, 1 << 20);
    cookie_jar_header(&j, &u, NOW, &out);
    assert_true(span_starts(buf_view(&out), SPAN("c5=5; c6=6;")));
    buf_done(&out);
    cookie_jar_done(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_go_where_the_rules_send_them),
        cmocka_unit_test(a_cookie_ends_when_its_time_has_come),
        cmocka_unit_test(the_same_name_replaces_and_an_old_date_removes),
        cmocka_unit_test(a_full_jar_lets_the_oldest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
