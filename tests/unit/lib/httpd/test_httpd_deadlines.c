/* Slow and many clients: each is cut by its own deadline or limit while others are served. */
#include "tests/unit/lib/httpd/raw_client.h"

#include "lib/base/log.h"
#include "lib/httpd/httpd.h"
#include "tests/support/check.h"

#define BIG_BYTES (24u << 20) /* more than the kernel's buffers take */
#define HELLO "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"

static struct httpd *server;
static uint16_t port;

static void on_hello(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_text(r, 200, "hello");
}

static void on_echo(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_text(r, 200, "%zu", httpd_body(r).len);
}

static void on_big(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    struct buf b;
    buf_init(&b, BIG_BYTES);
    char *at = buf_reserve(&b, BIG_BYTES - 1);
    if (at) {
        memset(at, 'x', BIG_BYTES - 1);
        buf_grew(&b, BIG_BYTES - 1);
    }
    httpd_reply(r, 200, "image/png", &b);
}

static const struct httpd_route ROUTES[] = {
    {"GET", "/hello", 0, on_hello, NULL},
    {"GET", "/big", 0, on_big, NULL},
    {"POST", "/echo", 1 << 20, on_echo, NULL},
    {0},
};

static int64_t deadline_ms(void)
{
    return check_slowness() > 1 ? 800 : 300;
}

static int start(void **state)
{
    (void)state;
    char why[256];
    struct httpd_config config = {.listen = "127.0.0.1:0",
                                  .routes = ROUTES,
                                  .header_deadline_ms = deadline_ms(),
                                  .body_deadline_ms = deadline_ms(),
                                  .reply_deadline_ms = deadline_ms(),
                                  .idle_deadline_ms = deadline_ms() * 4,
                                  .connections_max = 40,
                                  .connections_per_address_max = 30};
    int r = httpd_start(&config, &server, why, sizeof why);
    if (r < 0)
        fail_msg("%s", why);
    port = httpd_port(server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    httpd_stop(server, 1000);
    return 0;
}

static double refused(const char *reason)
{
    struct buf out, want;
    struct metric_writer w;
    buf_init(&out, 1 << 20);
    buf_init(&want, 200);
    metric_writer_init(&w, &out, METRIC_TEXT);
    httpd_stats(server, &w);
    buf_printf(&want, "crest_http_refused_total{reason=\"%s\"} ", reason);
    const char *at = strstr(out.data, want.data);
    assert_non_null(at);
    double v = strtod(at + want.len, NULL);
    buf_done(&out);
    buf_done(&want);
    return v;
}

/* Send `drip` one byte at a time, every 20 ms, until the server ends the connection; the time that took. Another client
 * is served all the while. */
static int64_t drip_until_cut_ms(int fd, const char *drip)
{
    int64_t begun = mono_us();
    for (size_t i = 0; mono_us() - begun < 10 * deadline_ms() * 1000; i++) {
        char c = drip[i % strlen(drip)];
        (void)send(fd, &c, 1, MSG_NOSIGNAL);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char junk[256];
        if (poll(&p, 1, 20) > 0 && recv(fd, junk, sizeof junk, 0) <= 0)
            return (mono_us() - begun) / 1000;
        if (i % 8 == 0)
            raw_expect(port, HELLO, 200, "hello");
    }
    return -1;
}

static void check_cut_in_time(int64_t ms)
{
    if (ms < deadline_ms() * 8 / 10 || ms > deadline_ms() * 3)
        fail_msg("cut after %lld ms, not %lld", (long long)ms, (long long)deadline_ms());
}

static void httpd_cuts_a_client_that_drips_its_headers(void **state)
{
    (void)state;
    double before = refused("header_deadline");
    int fd = raw_connect(port);
    raw_send(fd, "GET /hello HTTP/1.1\r\n");
    check_cut_in_time(drip_until_cut_ms(fd, "X-Drip: drop\r\n"));
    close(fd);
    fd = raw_connect(port); /* within the first line */
    check_cut_in_time(drip_until_cut_ms(fd, "G"));
    close(fd);
    fd = raw_connect(port); /* and one that says nothing */
    assert_true(raw_ends_within(fd, RAW_TIMEOUT_MS));
    close(fd);
    assert_true(refused("header_deadline") >= before + 3);
}

static void httpd_cuts_dripping_headers_on_a_kept_connection(void **state)
{
    (void)state;
    static const struct {
        const char *at_once, *drip;
    } CASES[] = {{"", "G"}, {"GET /hello HTTP/1.1\r\n", "X-Drip: drop\r\n"}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int fd = raw_connect(port);
        raw_send(fd, HELLO);
        struct raw_reply reply = raw_read(fd);
        assert_int_equal(reply.status, 200);
        raw_done(&reply);
        sleep_us(deadline_ms() * 1000 / 2); /* the sweeper has seen it idle */
        raw_send(fd, CASES[i].at_once);
        check_cut_in_time(drip_until_cut_ms(fd, CASES[i].drip));
        close(fd);
    }
}

static void httpd_keeps_an_idle_connection_longer_than_a_deadline(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    for (int i = 0; i < 3; i++) {
        raw_send(fd, HELLO);
        struct raw_reply reply = raw_read(fd);
        assert_int_equal(reply.status, 200);
        raw_done(&reply);
        sleep_us(deadline_ms() * 2 * 1000);
    }
    close(fd);
}

static void httpd_cuts_a_client_that_drips_its_body(void **state)
{
    (void)state;
    double before = refused("body_deadline");
    int fd = raw_connect(port);
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
    check_cut_in_time(drip_until_cut_ms(fd, "x"));
    close(fd);
    fd = raw_connect(port);
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_cut_in_time(drip_until_cut_ms(fd, "1\r\nx\r\n"));
    close(fd);
    fd = raw_connect(port); /* a refused body has the same deadline */
    raw_send(fd, "POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
    check_cut_in_time(drip_until_cut_ms(fd, "x"));
    close(fd);
    assert_true(refused("body_deadline") >= before + 3);
}

static int ask_for_big(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 8192;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    raw_send(fd, "GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return fd;
}

static void httpd_cuts_a_client_that_takes_its_answer_by_drops(void **state)
{
    (void)state;
    double before = refused("reply_deadline");
    int64_t begun = mono_us();
    int fd = ask_for_big();
    char c;
    while (refused("reply_deadline") == before && mono_us() - begun < 10 * deadline_ms() * 1000) {
        (void)recv(fd, &c, 1, MSG_DONTWAIT);
        sleep_us(10000);
    }
    check_cut_in_time((mono_us() - begun) / 1000);
    close(fd);

    fd = ask_for_big(); /* and serves one that reads on */
    static char piece[1 << 20];
    size_t all = 0;
    for (ssize_t n; (n = recv(fd, piece, sizeof piece, 0)) > 0;)
        all += (size_t)n;
    assert_true(all >= BIG_BYTES - 1);
    close(fd);
}

static void httpd_ends_a_connection_that_stays_idle(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, HELLO);
    struct raw_reply reply = raw_read(fd);
    raw_done(&reply);
    assert_false(raw_ends_within(fd, (int)deadline_ms() * 2));
    assert_true(raw_ends_within(fd, RAW_TIMEOUT_MS));
    close(fd);
}

static void httpd_takes_a_body_that_keeps_the_least_rate(void **state)
{
    (void)state;
    static char piece[10000];
    int fd = raw_connect(port);
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
    int64_t pause_us = deadline_ms() * 1000 * 2 / 100; /* twice the deadline in all, far above 64 KB/s */
    for (int i = 0; i < 100; i++) {
        raw_send_bytes(fd, piece, sizeof piece);
        sleep_us(pause_us);
    }
    struct raw_reply reply = raw_read(fd);
    assert_int_equal(reply.status, 200);
    assert_true(raw_body_is(&reply, "1000000"));
    raw_done(&reply);
    close(fd);
}

static void httpd_limits_the_connections_of_one_address(void **state)
{
    (void)state;
    int fds[30];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = raw_connect(port);
        raw_send(fds[i], HELLO);
        struct raw_reply reply = raw_read(fds[i]);
        assert_int_equal(reply.status, 200);
        raw_done(&reply);
    }
    double before = refused("address");
    int fd = raw_connect(port);
    assert_true(raw_ends_within(fd, RAW_TIMEOUT_MS));
    close(fd);
    assert_true(refused("address") == before + 1);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        raw_send(fds[i], HELLO); /* those who are in are served on */
        struct raw_reply reply = raw_read(fds[i]);
        assert_int_equal(reply.status, 200);
        raw_done(&reply);
        close(fds[i]);
    }
    int tries = 0; /* and places become free again */
    for (bool served = false; !served && tries < 100; tries++) {
        fd = raw_connect(port);
        raw_send(fd, HELLO);
        struct raw_reply reply = raw_read(fd);
        served = reply.status == 200;
        raw_done(&reply);
        close(fd);
        sleep_us(10000);
    }
    assert_true(tries < 100);
}

int main(void)
{
    log_init("test", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(httpd_cuts_a_client_that_drips_its_headers),
        cmocka_unit_test(httpd_cuts_dripping_headers_on_a_kept_connection),
        cmocka_unit_test(httpd_keeps_an_idle_connection_longer_than_a_deadline),
        cmocka_unit_test(httpd_cuts_a_client_that_drips_its_body),
        cmocka_unit_test(httpd_cuts_a_client_that_takes_its_answer_by_drops),
        cmocka_unit_test(httpd_ends_a_connection_that_stays_idle),
        cmocka_unit_test(httpd_takes_a_body_that_keeps_the_least_rate),
        cmocka_unit_test(httpd_limits_the_connections_of_one_address),
    };
    return cmocka_run_group_tests_name("lib/httpd deadlines", tests, start, stop);
}
