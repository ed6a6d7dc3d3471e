/* One request that is waited for: what is sent, what comes back, and in which words it fails. */
#include "lib/wire/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "tests/support/check.h"
#include "tests/support/odd_peer.h"

/* A port of 127.0.0.1 where nobody listens, kept bound so that it stays so. */
static uint16_t dead_port(int *ret_fd)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_ok(bind(*ret_fd, (struct sockaddr *)&a, sizeof a));
    check_ok(getsockname(*ret_fd, (struct sockaddr *)&a, &n));
    return ntohs(a.sin_port);
}

static void fetch_gives_status_headers_body_and_times(void **state)
{
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/ok")}, &r));
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body.data, "hello");
    check_contains(r.headers.data, "x-mixed-case: Value\n");
    check_span(http_response_header(&r, "Content-Type"), "text/plain");
    assert_int_equal(http_response_header(&r, "content").len, 0);
    assert_true(r.connect_us > 0 && r.first_byte_us >= r.connect_us && r.total_us >= r.first_byte_us);
    char peer[64];
    snprintf(peer, sizeof peer, "127.0.0.1:%u", ((struct odd_peer *)*state)->port);
    assert_string_equal(r.peer, peer);
    http_response_done(&r);

    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/none")}, &r));
    assert_int_equal(r.status, 404);
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/ok"), .method = "HEAD"}, &r));
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.len, 0);
    http_response_done(&r);
}

static void fetch_sends_what_was_asked_and_nothing_more(void **state)
{
    const char *headers[] = {"X-A: b", "X-Empty:", "Content-Type: application/x-protobuf", NULL};
    struct http_response r;
    check_ok(http_fetch(
        &(struct http_request){.url = odd_peer_url(*state, "/echo?a=1"), .headers = headers, .body = SPAN("p\0q")},
        &r));
    assert_int_equal(r.status, 200);
    assert_true(span_starts(buf_view(&r.body), SPAN("POST /echo?a=1 HTTP/1.1\r\n")));
    check_contains(r.body.data, "\r\nX-A: b\r\n");
    check_contains(r.body.data, "\r\nX-Empty:\r\n");
    check_contains(r.body.data, "\r\nContent-Type: application/x-protobuf\r\n");
    check_contains(r.body.data, "\r\nContent-Length: 3\r\n");
    assert_null(strstr(r.body.data, "Expect"));
    assert_null(strstr(r.body.data, "Accept-Encoding"));
    assert_null(strstr(r.body.data, "Authorization"));
    assert_memory_equal(r.body.data + r.body.len - 3, "p\0q", 3);
    http_response_done(&r);

    check_ok(http_fetch(
        &(struct http_request){.url = odd_peer_url(*state, "/echo"), .method = "PUT", .body = SPAN("x")}, &r));
    assert_true(span_starts(buf_view(&r.body), SPAN("PUT /echo HTTP/1.1\r\n")));
    assert_null(strstr(r.body.data, "Content-Type"));
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/echo"), .method = "POST"}, &r));
    check_contains(r.body.data, "\r\nContent-Length: 0\r\n");
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/echo"), .method = "DELETE"}, &r));
    assert_true(span_starts(buf_view(&r.body), SPAN("DELETE /echo HTTP/1.1\r\n")));
    http_response_done(&r);
}

static void headers_of_interim_responses_are_dropped_and_folds_joined(void **state)
{
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/continue")}, &r));
    assert_int_equal(r.status, 200);
    assert_int_equal(http_response_header(&r, "x-early").len, 0);
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/folded")}, &r));
    check_span(http_response_header(&r, "x-long"), "one two");
    http_response_done(&r);
}

static void each_failure_has_its_errno_and_a_sentence(void **state)
{
    static const struct {
        const char *path;
        int error, status;
        const char *words;
    } CASES[] = {
        {"/hang", -ETIMEDOUT, 0, "no response from 127.0.0.1:"},
        {"/hang-in-body", -ETIMEDOUT, 200, "4 bytes of body came"},
        {"/close", -ECONNRESET, 0, "before it responded"},
        {"/cut", -ECONNRESET, 200, "inside the response (4 bytes"},
        {"/garbage", -EPROTO, 0, "does not answer in HTTP"},
        {"/bad-length", -EPROTO, 200, ""},
        {"/big", -EFBIG, 200, "over the limit of 9999 bytes"},
        {"/endless", -EFBIG, 200, "over the limit of 9999 bytes"},
        {"/headers", -EPROTO, 200, "headers are over the limit"},
        {"/bomb", -EFBIG, 200, "over the limit of 9999 bytes"},
        {"/bad-gzip", -EPROTO, 200, "encoding"},
        {"/redirect-ftp", -EPROTO, 302, ""},
        {"/loop", -EPROTO, 302, "redirects"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct http_response r;
        int64_t start_us = mono_us();
        int error = http_fetch(&(struct http_request){.url = odd_peer_url(*state, CASES[i].path),
                                                      .timeout_ms = CASES[i].error == -ETIMEDOUT ? 200 : 10000,
                                                      .body_bytes_max = 9999,
                                                      .accept_encoding = true,
                                                      .follow_redirects = true},
                               &r);
        if (error != CASES[i].error || r.error != error || r.status != CASES[i].status ||
            !strstr(r.error_text, CASES[i].words) || r.error_text[0] == '\0')
            check_failed("%s: error %d, status %d, \"%s\"", CASES[i].path, error, r.status, r.error_text);
        assert_true(r.body.len <= 9999);
        if (CASES[i].error == -ETIMEDOUT) {
            int64_t ms = (mono_us() - start_us) / 1000;
            assert_true(ms >= 200 && ms < 2000 * (int64_t)check_patience());
        }
        http_response_done(&r);
    }
}

static void a_refused_connection_is_told_from_a_name_that_does_not_resolve(void **state)
{
    (void)state;
    int fd;
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", dead_port(&fd));
    struct http_response r;
    check_errno(http_fetch(&(struct http_request){.url = url}, &r), -ECONNREFUSED);
    check_contains(r.error_text, "Connection refused");
    assert_int_equal(r.status, 0);
    http_response_done(&r);
    close(fd);
    check_errno(http_fetch(&(struct http_request){.url = "http://no-such-host.invalid/", .timeout_ms = 5000}, &r),
                -EHOSTUNREACH);
    check_contains(r.error_text, "no-such-host.invalid");
    http_response_done(&r);
}

static void requests_that_cannot_be_sent_say_why(void **state)
{
    const char *url = odd_peer_url(*state, "/ok");
    const char *no_colon[] = {"no colon", NULL}, *split[] = {"X: a\r\nY: b", NULL}, *name[] = {"X Y: a", NULL};
    struct http_credentials gone = {.bearer_file = "/nonexistent/token"},
                            no_password = {.password_file = "/nonexistent/p"};
    struct http_credentials split_token = {.bearer = "a\r\nX: b"}, bad_name = {.server_name = "a/b"};
    const struct {
        struct http_request request;
        int error;
        const char *words;
    } CASES[] = {
        {{.url = NULL}, -EINVAL, "empty"},
        {{.url = "ftp://127.0.0.1/"}, -EINVAL, "http://"},
        {{.url = "http://127.0.0.1:99999/"}, -EINVAL, "port"},
        {{.url = url, .headers = no_colon}, -EINVAL, "header 1"},
        {{.url = url, .headers = split}, -EINVAL, "header 1"},
        {{.url = url, .headers = name}, -EINVAL, "header 1"},
        {{.url = url, .method = "GET /x"}, -EINVAL, "method"},
        {{.url = url, .credentials = &gone}, -ENOENT, "/nonexistent/token"},
        {{.url = url, .credentials = &no_password}, -ENOENT, "/nonexistent/p"},
        {{.url = url, .credentials = &split_token}, -EINVAL, "token"},
        {{.url = "https://127.0.0.1/", .credentials = &bad_name}, -EINVAL, "server_name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct http_response r;
        int error = http_fetch(&CASES[i].request, &r);
        if (error != CASES[i].error || !strstr(r.error_text, CASES[i].words) || r.status != 0)
            check_failed("case %zu: error %d, \"%s\"", i, error, r.error_text);
        http_response_done(&r);
    }
}

static void gzip_is_decoded_when_asked_for(void **state)
{
    struct http_response r;
    check_ok(http_fetch(
        &(struct http_request){.url = odd_peer_url(*state, "/gzip"), .accept_encoding = true, .body_bytes_max = 10000},
        &r));
    assert_int_equal(r.body.len, 10000);
    assert_true(r.body.data[0] == 'x' && r.body.data[9999] == 'x');
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/gzip")}, &r));
    assert_true(r.body.len > 0 && r.body.len < 1000 && r.body.data[0] == 0x1f);
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/echo"), .accept_encoding = true}, &r));
    check_contains(r.body.data, "Accept-Encoding: gzip\r\n");
    http_response_done(&r);
}

static void a_gzip_bomb_is_stopped_by_its_decoded_size(void **state)
{
    struct http_response r;
    check_errno(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/bomb"), .accept_encoding = true}, &r),
                -EFBIG);
    assert_true(r.body.cap <= BODY_BYTES_MAX + 1);
    http_response_done(&r);
}

static void redirects_are_followed_only_when_asked(void **state)
{
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/redirect")}, &r));
    assert_int_equal(r.status, 302);
    check_span(http_response_header(&r, "location"), "/ok");
    http_response_done(&r);
    check_ok(
        http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/redirect"), .follow_redirects = true}, &r));
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body.data, "hello");
    assert_int_equal(http_response_header(&r, "x-first").len, 0);
    http_response_done(&r);
}

static void credentials_go_to_the_host_they_are_for_and_no_other(void **state)
{
    struct http_credentials basic = {.user = "Aladdin", .password = "open sesame"}, bearer = {.bearer = "t0ken"},
                            typed = {.bearer = "k", .authorization_type = "ApiKey"};
    const struct {
        const struct http_credentials *credentials;
        const char *line;
    } CASES[] = {{&basic, "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"},
                 {&bearer, "\r\nAuthorization: Bearer t0ken\r\n"},
                 {&typed, "\r\nAuthorization: ApiKey k\r\n"}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct http_response r;
        check_ok(http_fetch(
            &(struct http_request){.url = odd_peer_url(*state, "/echo"), .credentials = CASES[i].credentials}, &r));
        check_contains(r.body.data, CASES[i].line);
        http_response_done(&r);
        check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/redirect-away"),
                                                   .credentials = CASES[i].credentials,
                                                   .follow_redirects = true},
                            &r));
        check_contains(r.body.data, "Host: localhost");
        assert_null(strstr(r.body.data, "Authorization"));
        http_response_done(&r);
    }
}

static void credential_files_are_read_at_each_request(void **state)
{
    AUTO_FREE char *token = odd_peer_file(*state, "token", " first\n");
    AUTO_FREE char *password = odd_peer_file(*state, "password", "open sesame\n");
    struct http_credentials bearer = {.bearer_file = token}, basic = {.user = "Aladdin", .password_file = password};
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/echo"), .credentials = &bearer}, &r));
    check_contains(r.body.data, "Authorization: Bearer first\r\n");
    http_response_done(&r);
    check_ok(file_write(token, "second", 6));
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/echo"), .credentials = &bearer}, &r));
    check_contains(r.body.data, "Authorization: Bearer second\r\n");
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/echo"), .credentials = &basic}, &r));
    check_contains(r.body.data, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n");
    http_response_done(&r);
}

static void one_file_holds_a_token_or_a_user_with_a_password(void **state)
{
    static const struct {
        const char *text, *line; /* NULL: it is refused */
    } CASES[] = {{"t0ken\n", "Authorization: Bearer t0ken\r\n"},
                 {"Aladdin:open sesame\n", "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"},
                 {"ada:a:b", "Authorization: Basic YWRhOmE6Yg==\r\n"},
                 {"\n", NULL},
                 {"ada:one\ntwo", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO_FREE char *path = odd_peer_file(*state, "credentials", CASES[i].text);
        struct http_credentials c = {.auth_file = path};
        struct http_response r;
        int error = http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/echo"), .credentials = &c}, &r);
        assert_int_equal(error, CASES[i].line ? 0 : -EINVAL);
        if (CASES[i].line)
            check_contains(r.body.data, CASES[i].line);
        http_response_done(&r);
    }
}

static void error_text_never_tells_a_secret(void **state)
{
    (void)state;
    int fd;
    uint16_t port = dead_port(&fd);
    char url[128], proxy[128];
    snprintf(url, sizeof url, "http://u:s3cret@127.0.0.1:%u/?token=s3cret", port);
    snprintf(proxy, sizeof proxy, "http://u:s3cret@127.0.0.1:%u", port);
    struct http_credentials c = {.user = "u", .password = "s3cret"};
    const struct http_request CASES[] = {
        {.url = url},
        {.url = url, .credentials = &c},
        {.url = "http://127.0.0.1:1/", .proxy = proxy},
        {.url = "http://127.0.0.1:1/", .proxy = "http://u:s3cret@no-such.invalid"},
        {.url = "http://127.0.0.1:1/", .proxy = "gopher://u:s3cret@x"},
        {.url = "http://127.0.0.1:1/", .proxy = "http://u:s3cret@[::"},
        {.url = "http://u:s3cret@no-such.invalid/"},
        {.url = "http://u:s3cret@127.0.0.1:x/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct http_response r;
        assert_true(http_fetch(&CASES[i], &r) < 0);
        assert_true(r.error_text[0] != '\0');
        if (strstr(r.error_text, "s3cret"))
            check_failed("case %zu tells: %s", i, r.error_text);
        http_response_done(&r);
    }
    close(fd);
}

static void the_proxy_environment_is_ignored(void **state)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    struct http_response r;
    int error = http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/ok")}, &r);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    check_ok(error);
    http_response_done(&r);
    /* and a proxy that is asked for is used, whatever no_proxy says: the peer sees an absolute URL */
    setenv("no_proxy", "*", 1);
    error = http_fetch(&(struct http_request){.url = "http://shop.invalid/x", .proxy = odd_peer_url(*state, "")}, &r);
    unsetenv("no_proxy");
    check_ok(error);
    assert_int_equal(r.status, 404);
    http_response_done(&r);
}

static void unix_sockets_are_spoken_to(void **state)
{
    (void)state;
    struct http_response r;
    check_ok(http_fetch(
        &(struct http_request){.url = "http://shop/ok", .unix_socket = ((struct odd_peer *)*state)->unix_path}, &r));
    assert_string_equal(r.body.data, "hello");
    http_response_done(&r);
}

static void retry_after_reads_seconds_and_dates(void **state)
{
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/503")}, &r));
    assert_int_equal(r.status, 503);
    assert_true(http_retry_after_ms(&r) == 7000);
    static const struct {
        const char *line;
        int64_t ms;
    } CASES[] = {
        {"retry-after: 0\n", 0},
        {"retry-after: soon\n", -1},
        {"retry-after: -5\n", -1},
        {"x: y\n", -1},
        {"retry-after: Wed, 21 Oct 2015 07:28:00 GMT\n", 0},
        {"retry-after: 99999999999999999999\n", 365LL * 86400 * 1000},
        {"retry-after: Fri, 31 Dec 9999 23:59:59 GMT\n", 365LL * 86400 * 1000},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        buf_clear(&r.headers);
        buf_str(&r.headers, CASES[i].line);
        if (http_retry_after_ms(&r) != CASES[i].ms)
            check_failed("%s gives %lld", CASES[i].line, (long long)http_retry_after_ms(&r));
    }
    http_response_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetch_gives_status_headers_body_and_times),
        cmocka_unit_test(fetch_sends_what_was_asked_and_nothing_more),
        cmocka_unit_test(headers_of_interim_responses_are_dropped_and_folds_joined),
        cmocka_unit_test(each_failure_has_its_errno_and_a_sentence),
        cmocka_unit_test(a_refused_connection_is_told_from_a_name_that_does_not_resolve),
        cmocka_unit_test(requests_that_cannot_be_sent_say_why),
        cmocka_unit_test(gzip_is_decoded_when_asked_for),
        cmocka_unit_test(a_gzip_bomb_is_stopped_by_its_decoded_size),
        cmocka_unit_test(redirects_are_followed_only_when_asked),
        cmocka_unit_test(credentials_go_to_the_host_they_are_for_and_no_other),
        cmocka_unit_test(credential_files_are_read_at_each_request),
        cmocka_unit_test(one_file_holds_a_token_or_a_user_with_a_password),
        cmocka_unit_test(error_text_never_tells_a_secret),
        cmocka_unit_test(the_proxy_environment_is_ignored),
        cmocka_unit_test(unix_sockets_are_spoken_to),
        cmocka_unit_test(retry_after_reads_seconds_and_dates),
    };
    return cmocka_run_group_tests(tests, odd_peer_start, odd_peer_stop);
}
