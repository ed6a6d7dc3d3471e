/* The server as a client sees it: routes, parameters, limits, who is let in, what answers carry. */
#include "tests/unit/lib/httpd/raw_client.h"

#include <zlib.h>

#include "lib/base/log.h"
#include "lib/httpd/httpd.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define BODY_MAX 100000u

static struct httpd *server;
static uint16_t port;

/* ---- handlers ---- */
static void put_pair(struct buf *b, struct span name, struct span value)
{
    buf_span(b, name);
    buf_char(b, '=');
    buf_span(b, value);
    buf_char(b, ';');
}

static void on_hello(struct httpd_request *r, void *ctx)
{
    assert_string_equal(ctx, "ctx");
    httpd_reply_text(r, 200, "hello " SPAN_FMT, SPAN_ARG(httpd_method(r)));
}

static void on_params(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    struct buf b;
    buf_init(&b, 1 << 20);
    struct span name, value;
    for (size_t i = 0; httpd_param_index(r, i, &name, &value); i++)
        put_pair(&b, name, value);
    buf_str(&b, "|");
    for (size_t i = 0; httpd_param_at(r, "match[]", i, &value); i++)
        put_pair(&b, SPAN("m"), value);
    buf_str(&b, httpd_param(r, "absent").ptr ? "bad" : "");
    httpd_reply(r, 200, "text/plain", &b);
    buf_done(&b);
}

static void on_segments(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_text(r, 200, SPAN_FMT "/" SPAN_FMT " " SPAN_FMT, SPAN_ARG(httpd_segment(r, "a")),
                     SPAN_ARG(httpd_segment(r, "b")), SPAN_ARG(httpd_path(r)));
}

static void on_rest(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_text(r, 200, "rest " SPAN_FMT, SPAN_ARG(httpd_segment(r, "*")));
}

static void on_echo(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    size_t n;
    char *body = httpd_body_take(r, &n);
    assert_non_null(body);
    assert_int_equal(httpd_body(r).len, 0);
    httpd_reply_text(r, 200, "%zu %s", n, body);
    free(body);
}

static void on_headers(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_header(r, "Set-Cookie", "a=1");
    httpd_reply_header(r, "Set-Cookie", "b=2");
    httpd_reply_text(r, 200, SPAN_FMT "," SPAN_FMT "," SPAN_FMT ",%s", SPAN_ARG(httpd_header(r, "x-one")),
                     SPAN_ARG(httpd_cookie(r, "id")), SPAN_ARG(httpd_cookie(r, "q")), httpd_peer(r));
}

static void on_split(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_header(r, "X-Bad", "a\r\nSet-Cookie: stolen=1");
    httpd_reply_text(r, 200, "never");
}

static void on_big(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "line %d\n", i);
    httpd_reply(r, 200, span_equal(httpd_param(r, "as"), SPAN("image")) ? "image/png" : "text/html; charset=utf-8", &b);
    assert_int_equal(b.len, 0);
}

static void on_full(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    struct buf b;
    buf_init(&b, 4);
    buf_str(&b, "too long for it");
    httpd_reply(r, 200, "text/plain", &b);
}

static void on_error(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_error(r, 422, "bad_data", "no \"%s\"", "<x>");
}

static void on_nothing(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_empty(r, 204);
}

static void on_silent(struct httpd_request *r, void *ctx)
{
    (void)r, (void)ctx;
}

static const struct httpd_route ROUTES[] = {
    {"GET", "/*", 0, on_rest, NULL},
    {"GET", "/hello", 0, on_hello, NULL},
    {"GET|POST", "/params", 0, on_params, NULL},
    {"GET", "/seg/{a}/x/{b}", 0, on_segments, NULL},
    {"GET", "/seg/one/x/two", 0, on_hello, NULL},
    {"POST", "/echo", BODY_MAX, on_echo, NULL},
    {"PUT|DELETE", "/thing", 100, on_hello, NULL},
    {"GET", "/thing", 0, on_hello, NULL},
    {"GET", "/headers", 0, on_headers, NULL},
    {"GET", "/split", 0, on_split, NULL},
    {"GET", "/big", 0, on_big, NULL},
    {"GET", "/full", 0, on_full, NULL},
    {"GET", "/error", 0, on_error, NULL},
    {"POST", "/nothing", 0, on_nothing, NULL},
    {"GET", "/silent", 0, on_silent, NULL},
    {0},
};
static const char *const NAMES[] = {"crest.example", NULL};

static int start(void **state)
{
    (void)state;
    char why[256];
    struct httpd_config config = {
        .listen = "127.0.0.1:0", .routes = ROUTES, .ctx = (void *)(uintptr_t) "ctx", .allowed_hosts = NAMES};
    int r = httpd_start(&config, &server, why, sizeof why);
    if (r < 0)
        fail_msg("%s", why);
    port = httpd_port(server);
    assert_string_equal(httpd_address(server), "127.0.0.1");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    httpd_stop(server, 1000);
    return 0;
}

/* ---- routes ---- */
static void httpd_answers_the_most_specific_route(void **state)
{
    (void)state;
    raw_expect(port, GET("/hello"), 200, "hello GET");
    raw_expect(port, GET("/hello?x=1"), 200, "hello GET");
    raw_expect(port, GET("/%68ello"), 200, "hello GET");
    raw_expect(port, GET("/hello/"), 200, "rest hello/");
    raw_expect(port, GET("/"), 200, "rest ");
    raw_expect(port, GET("/a/b%20c"), 200, "rest a/b c");
    raw_expect(port, GET("/seg/one/x/two"), 200, "hello GET");
    raw_expect(port, GET("/seg/1/x/2"), 200, "1/2 /seg/1/x/2");
    raw_expect(port, GET("/seg/a%2Fb/x/%E2%82%AC"), 200, "a/b/\xe2\x82\xac /seg/a/b/x/\xe2\x82\xac");
    raw_expect(port, GET("/seg//x/2"), 200, "rest seg//x/2");
    raw_expect(port, GET("/a%00b"), 400, NULL);
    raw_expect(port, GET("nonsense"), 400, NULL);
}

static void httpd_answers_405_with_the_methods_of_the_path_not_of_the_catch_all(void **state)
{
    (void)state;
    struct raw_reply reply = raw_ask(port, "PATCH /thing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_int_equal(reply.status, 405);
    assert_true(span_equal(raw_header(&reply, "Allow"), SPAN("PUT, DELETE, GET, HEAD")));
    raw_done(&reply);
    raw_expect(port, GET("/echo"), 405, NULL);
    raw_expect(port, "PUT /thing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab", 200, "hello PUT");
}

static void httpd_answers_head_as_get_without_the_body(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, "HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    struct raw_reply reply = raw_read_of(fd, true);
    assert_int_equal(reply.status, 200);
    assert_true(span_equal(raw_header(&reply, "Content-Length"), SPAN("10")));
    raw_done(&reply);
    raw_send(fd, GET("/hello")); /* had a body followed, this would read it */
    reply = raw_read(fd);
    assert_true(raw_body_is(&reply, "hello GET"));
    raw_done(&reply);
    close(fd);
}

/* ---- parameters and bodies ---- */
static void httpd_decodes_query_and_form_parameters_in_order(void **state)
{
    (void)state;
    raw_expect(port, GET("/params?b=1&a=%7B%22x%22%7D&c=1+2&d&=e&&match[]=up&match%5B%5D=down"), 200,
               "b=1;a={\"x\"};c=1 2;d=;=e;match[]=up;match[]=down;|m=up;m=down;");
    raw_expect(port, GET("/params?x=%zz%4"), 200, "x=%zz%4;|");
    raw_expect(port, GET("/params"), 200, "|");
    raw_expect(port,
               "POST /params?a=q HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded; "
               "charset=utf-8\r\n"
               "Content-Length: 25\r\n\r\na=b&match[]=%7Bx%3D1%7D+y",
               200, "a=b;match[]={x=1} y;a=q;|m={x=1} y;"); /* the form counts first */
    raw_expect(port, "POST /params HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 200, "|");
    raw_expect(port,
               "POST /params HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\na=b",
               413, NULL);
}

static void httpd_refuses_more_parameters_than_its_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 20000; i++)
        buf_str(&b, i ? "&a" : "a");
    int fd = raw_connect(port);
    struct buf head;
    buf_init(&head, 1000);
    buf_printf(&head,
               "POST /params HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
               "application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n",
               b.len);
    raw_send(fd, head.data);
    raw_send_bytes(fd, b.data, b.len);
    struct raw_reply reply = raw_read(fd);
    assert_int_equal(reply.status, 400);
    raw_done(&reply);
    buf_done(&head);
    buf_done(&b);
    close(fd);
}

static void httpd_gives_whole_bodies_however_they_arrive(void **state)
{
    (void)state;
    raw_expect(port, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde", 200, "5 abcde");
    raw_expect(
        port,
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        200, "5 abcde");
    int fd = raw_connect(port);
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    struct raw_reply reply = raw_read_head(fd);
    assert_int_equal(reply.status, 100);
    raw_done(&reply);
    raw_send(fd, "ab");
    sleep_us(20000);
    raw_send(fd, "cd");
    reply = raw_read(fd);
    assert_true(raw_body_is(&reply, "4 abcd"));
    raw_done(&reply);
    close(fd);
}

static void httpd_answers_413_before_reading_a_body_that_is_announced_too_large(void **state)
{
    (void)state;
    static const char *const METHODS[] = {"POST /echo", "PUT /thing", "DELETE /thing", "GET /hello"};
    for (size_t i = 0; i < ARRAY_LEN(METHODS); i++) {
        char request[256];
        (void)snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
                       METHODS[i]);
        int fd = raw_connect(port); /* not one byte of the body is sent */
        raw_send(fd, request);
        struct raw_reply reply = raw_read(fd);
        if (reply.status != 413)
            fail_msg("%s-> %d", request, reply.status);
        assert_true(span_equal_nocase(raw_header(&reply, "Connection"), SPAN("close")));
        raw_done(&reply);
        close(fd);
    }
    raw_expect(port, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1x\r\n\r\nab", 400, NULL);
}

static void httpd_gets_413_across_to_a_sender_that_only_writes(void **state)
{
    (void)state;
    static char piece[1u << 20];
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < 5; i++) {
        int fd = raw_connect(port);
        raw_send(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 33554432\r\n\r\n");
        for (int k = 0; k < 32; k++)
            for (size_t at = 0; at < sizeof piece;) {
                ssize_t n = send(fd, piece + at, sizeof piece - at, MSG_NOSIGNAL);
                if (n <= 0)
                    fail_msg("reset after %d MB: %s", k, strerror(errno));
                at += (size_t)n;
            }
        struct raw_reply reply = raw_read(fd);
        assert_int_equal(reply.status, 413);
        raw_done(&reply);
        close(fd);
    }
}

static void httpd_answers_413_to_a_chunked_body_that_grows_too_large(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    static char chunk[10000];
    memset(chunk, 'x', sizeof chunk);
    for (unsigned i = 0; i < BODY_MAX / sizeof chunk + 1; i++) {
        raw_send(fd, "2710\r\n");
        raw_send_bytes(fd, chunk, sizeof chunk);
        raw_send(fd, "\r\n");
    }
    raw_send(fd, "0\r\n\r\n");
    struct raw_reply reply = raw_read(fd);
    assert_int_equal(reply.status, 413);
    raw_done(&reply);
    close(fd);

    fd = raw_connect(port); /* and one without end is cut */
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    int i = 0;
    for (; i < 100000; i++) {
        if (send(fd, "2710\r\n", 6, MSG_NOSIGNAL) < 0 || send(fd, chunk, sizeof chunk, MSG_NOSIGNAL) < 0 ||
            send(fd, "\r\n", 2, MSG_NOSIGNAL) < 0)
            break;
    }
    assert_true(i < 10000);
    close(fd);
}

static void httpd_gets_a_refusal_across_to_a_sender_of_a_small_body_and_keeps_the_connection(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    for (int i = 0; i < 3; i++) {
        raw_send(fd, "POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n");
        static char body[200000];
        raw_send_bytes(fd, body, sizeof body);
        struct raw_reply reply = raw_read(fd);
        assert_int_equal(reply.status, 405);
        raw_done(&reply);
    }
    close(fd);
}

/* ---- connections ---- */
static void httpd_answers_pipelined_requests_in_order(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, GET("/seg/1/x/1")
                     GET("/echo") "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc" GET(
                         "/none/such") "POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
                                       "GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n" GET("/hello"));
    static const struct {
        int status;
        const char *body;
    } WANT[] = {{200, "1/1 /seg/1/x/1"}, {405, NULL}, {200, "3 abc"}, {200, "rest none/such"}, {405, NULL}, {403, NULL},
                {200, "hello GET"}};
    for (size_t i = 0; i < ARRAY_LEN(WANT); i++) {
        struct raw_reply reply = raw_read(fd);
        if (reply.status != WANT[i].status || (WANT[i].body && !raw_body_is(&reply, WANT[i].body)))
            fail_msg("answer %zu: %d %s", i, reply.status, reply.body.data);
        raw_done(&reply);
    }
    close(fd);
}

static void httpd_speaks_http_1_0(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, "GET /hello HTTP/1.0\r\n\r\n");
    struct raw_reply reply = raw_read(fd);
    assert_true(raw_body_is(&reply, "hello GET"));
    raw_done(&reply);
    assert_true(raw_ends_within(fd, RAW_TIMEOUT_MS));
    close(fd);
}

static void httpd_answers_a_client_that_says_no_more_and_lets_it_go(void **state)
{
    (void)state;
    int fds[20];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = raw_connect(port);
        raw_send(fds[i], GET("/hello"));
        shutdown(fds[i], SHUT_WR); /* as `nc -N` does: request and end arrive together */
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct raw_reply reply = raw_read(fds[i]);
        assert_true(raw_body_is(&reply, "hello GET"));
        raw_done(&reply);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) { /* not only after the idle time of two minutes */
        assert_true(raw_ends_within(fds[i], RAW_TIMEOUT_MS));
        close(fds[i]);
    }
}

static void httpd_survives_requests_that_are_not_http(void **state)
{
    (void)state;
    static const char *const JUNK[] = {
        "\x16\x03\x01\x02\x00\x01\xfc\r\n\r\n",
        "GET\r\n\r\n",
        "GET /hello HTTP/9.9\r\n\r\n",
        "GET /hello HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(JUNK); i++) {
        int fd = raw_connect(port);
        raw_send(fd, JUNK[i]);
        shutdown(fd, SHUT_WR);
        if (!raw_ends_within(fd, RAW_TIMEOUT_MS))
            fail_msg("junk %zu keeps its connection", i);
        close(fd);
        fd = raw_connect(port); /* and every beginning of it, left by the client */
        raw_send_bytes(fd, JUNK[i], strlen(JUNK[i]) - 1);
        close(fd);
    }
    raw_expect(port, GET("/hello"), 200, "hello GET");
}

/* ---- who is let in ---- */
static void httpd_refuses_hosts_that_are_not_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int status;
    } CASES[] = {{"localhost", 200},
                 {"LOCALHOST:9999", 200},
                 {"127.0.0.1", 200},
                 {"127.0.0.1:1", 200},
                 {"[::1]:80", 200},
                 {"crest.example", 200},
                 {"Crest.Example:443", 200},
                 {"crest.example.", 200},
                 {"evil.example", 403},
                 {"127.0.0.1.evil.example", 403},
                 {"localhost.evil.example", 403},
                 {"crest.example.evil", 403},
                 {"", 403},
                 {"10.0.0.1", 403},
                 {"[::2]", 403}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char request[256];
        (void)snprintf(request, sizeof request, "GET /hello HTTP/1.1\r\nHost: %s\r\n\r\n", CASES[i].host);
        raw_expect(port, request, CASES[i].status, NULL);
    }
    raw_expect(port, "GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 403, NULL);
}

static void httpd_refuses_changes_by_pages_of_another_origin(void **state)
{
    (void)state;
    static const struct {
        const char *method, *origin;
        int status;
    } CASES[] = {{"PUT", "http://localhost:9480", 200}, {"PUT", "http://localhost:3000", 403},
                 {"PUT", "http://evil.example", 403},   {"PUT", "null", 403},
                 {"PUT", "https://crest.example", 200}, {"DELETE", "http://localhost", 403},
                 {"GET", "http://evil.example", 200},   {"PUT", "", 403}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char request[256];
        (void)snprintf(request, sizeof request, "%s /thing HTTP/1.1\r\nHost: localhost:9480\r\nOrigin: %s\r\n\r\n",
                       CASES[i].method, CASES[i].origin);
        raw_expect(port, request, CASES[i].status, NULL);
    }
}

/* ---- answers ---- */
static void httpd_sends_headers_of_its_own_and_of_the_handler(void **state)
{
    (void)state;
    struct raw_reply reply = raw_ask(port, "GET /headers HTTP/1.1\r\nHost: localhost\r\nX-One: 1\r\n"
                                           "Cookie: idx=9; id=abc==; q=\"7\"\r\n\r\n");
    assert_true(raw_body_is(&reply, "1,abc==,7,127.0.0.1"));
    assert_true(span_equal(raw_header(&reply, "X-Content-Type-Options"), SPAN("nosniff")));
    assert_true(span_search(buf_view(&reply.head), SPAN("Set-Cookie: a=1\r\nSet-Cookie: b=2")) < reply.head.len);
    raw_done(&reply);
    reply = raw_ask(port, GET("/split"));
    assert_int_equal(reply.status, 500);
    assert_null(raw_header(&reply, "Set-Cookie").ptr);
    raw_done(&reply);
}

static void httpd_compresses_for_those_who_accept_it(void **state)
{
    (void)state;
    static const struct {
        const char *path, *accept;
        bool gzip;
    } CASES[] = {{"/big", "gzip", true},           {"/big", "deflate, gzip;q=0.5, br", true},
                 {"/big", "gzip;q=0", false},      {"/big", "*", true},
                 {"/big", "gzip; q=0, *", false},  {"/big", "identity", false},
                 {"/big?as=image", "gzip", false}, {"/hello", "gzip", false}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char request[256];
        (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %s\r\n\r\n",
                       CASES[i].path, CASES[i].accept);
        struct raw_reply reply = raw_ask(port, request);
        assert_int_equal(reply.status, 200);
        if ((raw_header(&reply, "Content-Encoding").ptr != NULL) != CASES[i].gzip)
            fail_msg("%s %s", CASES[i].path, CASES[i].accept);
        if (strcmp(CASES[i].path, "/big") == 0) {
            assert_true(span_equal(raw_header(&reply, "Vary"), SPAN("Accept-Encoding")));
            assert_true(span_equal(raw_header(&reply, "X-Frame-Options"), SPAN("DENY")));
        }
        if (CASES[i].gzip) {
            static char plain[1 << 20];
            z_stream z = {.next_in = (Bytef *)reply.body.data,
                          .avail_in = (uInt)reply.body.len,
                          .next_out = (Bytef *)plain,
                          .avail_out = sizeof plain};
            assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
            assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
            assert_int_equal(z.total_out, 5000 * 6 + 10 + 90 * 2 + 900 * 3 + 4000 * 4);
            assert_memory_equal(plain, "line 0\nline 1\n", 14);
            (void)inflateEnd(&z);
        }
        raw_done(&reply);
    }
}

static void httpd_says_when_a_handler_went_wrong(void **state)
{
    (void)state;
    raw_expect(port, GET("/full"), 500, NULL);
    raw_expect(port, GET("/silent"), 500, NULL);
    raw_expect(port, GET("/error"), 422,
               "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"no \\\"\\u003cx\\u003e\\\"\"}");
    raw_expect(port, "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 204, "");
}

static void httpd_counts_what_it_did(void **state)
{
    (void)state;
    struct buf out;
    struct metric_writer w;
    raw_expect(port, GET("/seg/q/x/r"), 200, NULL);
    raw_expect(port, "PUT /thing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 200, NULL);
    raw_expect(port, GET("/thing"), 200, NULL);
    raw_expect(port, "GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, NULL);
    sleep_us(50000); /* the counters follow the answer */
    buf_init(&out, 1 << 20);
    metric_writer_init(&w, &out, METRIC_TEXT);
    httpd_stats(server, &w);
    metric_writer_end(&w);
    assert_int_equal(buf_error(&out), 0);
    static const char *const WANT[] = {"crest_http_requests_total{route=\"/seg/{a}/x/{b}\",status=\"200\"} ",
                                       "crest_http_requests_total{route=\"/thing\",status=\"200\"} ",
                                       "crest_http_requests_total{route=\"none\",status=\"403\"} ",
                                       "crest_http_request_duration_seconds_bucket{route=\"/thing\",le=\"+Inf\"} ",
                                       "crest_http_refused_total{reason=\"host\"} ",
                                       "crest_http_requests_in_flight 0",
                                       "crest_http_streams 0"};
    for (size_t i = 0; i < ARRAY_LEN(WANT); i++)
        if (span_search(buf_view(&out), span_str(WANT[i])) == out.len)
            fail_msg("%s is not in\n%s", WANT[i], out.data);
    const char *one = strstr(out.data, WANT[1]); /* GET and PUT of one path are one series */
    assert_null(strstr(one + 1, WANT[1]));
    buf_done(&out);
}

/* ---- starting ---- */
static int try_start(const char *listen, char *why, size_t why_bytes)
{
    struct httpd *h = NULL;
    struct httpd_config config = {.listen = listen, .routes = ROUTES};
    int r = httpd_start(&config, &h, why, why_bytes);
    if (r == 0)
        httpd_stop(h, 0);
    else
        assert_null(h);
    return r;
}

static void httpd_says_why_it_cannot_listen(void **state)
{
    (void)state;
    char why[512], taken[32];
    static const char *const BAD[] = {
        "",         "9480",           "127.0.0.1",    "127.0.0.1:",    "127.0.0.1:65536", "127.0.0.1:-1",
        "::1:9480", "host.example:1", "127.0.0.1:1x", "[127.0.0.1]:1", "[::1:1"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        assert_int_equal(try_start(BAD[i], why, sizeof why), -EINVAL);
        assert_non_null(strstr(why, "127.0.0.1:9480"));
    }
    static const char *const OPEN[] = {"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0"};
    for (size_t i = 0; i < ARRAY_LEN(OPEN); i++) {
        assert_int_equal(try_start(OPEN[i], why, sizeof why), -EPERM);
        assert_non_null(strstr(why, "basic_auth_users"));
    }
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", (unsigned)port);
    assert_int_equal(try_start(taken, why, sizeof why), -EADDRINUSE);
    assert_non_null(strstr(why, taken));
    assert_non_null(strstr(why, "another program"));
    assert_int_equal(try_start("localhost:0", why, sizeof why), 0);
    assert_int_equal(try_start("127.0.0.2:0", why, sizeof why), 0);
}

int main(void)
{
    log_init("test", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(httpd_answers_the_most_specific_route),
        cmocka_unit_test(httpd_answers_405_with_the_methods_of_the_path_not_of_the_catch_all),
        cmocka_unit_test(httpd_answers_head_as_get_without_the_body),
        cmocka_unit_test(httpd_decodes_query_and_form_parameters_in_order),
        cmocka_unit_test(httpd_refuses_more_parameters_than_its_limit),
        cmocka_unit_test(httpd_gives_whole_bodies_however_they_arrive),
        cmocka_unit_test(httpd_answers_413_before_reading_a_body_that_is_announced_too_large),
        cmocka_unit_test(httpd_gets_413_across_to_a_sender_that_only_writes),
        cmocka_unit_test(httpd_answers_413_to_a_chunked_body_that_grows_too_large),
        cmocka_unit_test(httpd_gets_a_refusal_across_to_a_sender_of_a_small_body_and_keeps_the_connection),
        cmocka_unit_test(httpd_answers_pipelined_requests_in_order),
        cmocka_unit_test(httpd_speaks_http_1_0),
        cmocka_unit_test(httpd_answers_a_client_that_says_no_more_and_lets_it_go),
        cmocka_unit_test(httpd_survives_requests_that_are_not_http),
        cmocka_unit_test(httpd_refuses_hosts_that_are_not_its_own),
        cmocka_unit_test(httpd_refuses_changes_by_pages_of_another_origin),
        cmocka_unit_test(httpd_sends_headers_of_its_own_and_of_the_handler),
        cmocka_unit_test(httpd_compresses_for_those_who_accept_it),
        cmocka_unit_test(httpd_says_when_a_handler_went_wrong),
        cmocka_unit_test(httpd_counts_what_it_did),
        cmocka_unit_test(httpd_says_why_it_cannot_listen),
    };
    return cmocka_run_group_tests_name("lib/httpd", tests, start, stop);
}
