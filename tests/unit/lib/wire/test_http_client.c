#include "lib/wire/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <zlib.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/thread.h"
#include "tests/support/check.h"

/* ---- a peer that can misbehave: the path says how --------------------------------------------------------
 */

#define CONNECTIONS_MAX 512
struct connection {
    int fd; /* -1: free */
    struct buf in;
};
struct peer {
    int listen_fd, unix_fd, stop_fd;
    uint16_t port;
    struct thread *thread;
    atomic_int accepted;
    atomic_size_t sent_bytes;
    struct connection connections[CONNECTIONS_MAX];
};

static void say(struct peer *p, int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t w = send(fd, at, n, MSG_NOSIGNAL);
        if (w <= 0)
            return;
        p->sent_bytes += (size_t)w;
        at += w;
        n -= (size_t)w;
    }
}

static void say_text(struct peer *p, int fd, const char *text)
{
    say(p, fd, text, strlen(text));
}

static void say_body(struct peer *p, int fd, const char *headers, const void *body, size_t n)
{
    char head[512];
    int len = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", headers, n);
    say(p, fd, head, (size_t)len);
    say(p, fd, body, n);
}

static void say_zipped(struct peer *p, int fd, size_t body_bytes, bool broken)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    AUTO_FREE char *body = calloc(1, body_bytes);
    size_t cap = body_bytes / 500 + 1024;
    AUTO_FREE char *zipped = malloc(cap);
    memset(body, 'x', body_bytes);
    z.next_in = (unsigned char *)body;
    z.avail_in = (unsigned)body_bytes;
    z.next_out = (unsigned char *)zipped;
    z.avail_out = (unsigned)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    if (broken)
        zipped[z.total_out / 2] = (char)(zipped[z.total_out / 2] ^ 0x55);
    say_body(p, fd, "Content-Encoding: gzip\r\n", zipped, z.total_out);
    deflateEnd(&z);
}

/* false: close the connection. */
static bool answer(struct peer *p, int fd, const char *request, size_t bytes)
{
    char path[128] = "";
    const char *at = strchr(request, ' ');
    if (at)
        snprintf(path, sizeof path, "%.*s", (int)strcspn(at + 1, " ?"), at + 1);
    if (strcmp(path, "/ok") == 0) {
        say_body(p, fd, "Content-Type: text/plain\r\nX-Mixed-Case:  Value \r\n", "hello", 5);
    } else if (strcmp(path, "/echo") == 0) {
        say_body(p, fd, "", request, bytes);
    } else if (strcmp(path, "/ok-then-close") == 0) {
        say_body(p, fd, "", "bye", 3);
        return false;
    } else if (strcmp(path, "/continue") == 0) {
        say_text(p, fd, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n");
        say_body(p, fd, "", "x", 1);
    } else if (strcmp(path, "/folded") == 0) {
        say_body(p, fd, "X-Long: one\r\n  two\r\n", "", 0);
    } else if (strcmp(path, "/503") == 0) {
        say_text(p, fd, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy");
    } else if (strcmp(path, "/hang") == 0) {
        return true;
    } else if (strcmp(path, "/hang-in-body") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    } else if (strcmp(path, "/drip") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        for (int i = 0; i < 5; i++) {
            sleep_us(10000);
            say_text(p, fd, "d");
        }
    } else if (strcmp(path, "/close") == 0) {
        return false;
    } else if (strcmp(path, "/cut") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return false;
    } else if (strcmp(path, "/garbage") == 0) {
        say_text(p, fd, "\x16\x03\x01 what is this?\r\n\r\n");
        return false;
    } else if (strcmp(path, "/bad-length") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nContent-Length: minus one\r\n\r\n");
        return false;
    } else if (strcmp(path, "/headers") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 100; i++) {
            char line[8192];
            memset(line, 'h', sizeof line);
            memcpy(line, "X: ", 3);
            memcpy(line + sizeof line - 3, "\r\n", 3);
            say_text(p, fd, line);
        }
        say_text(p, fd, "Content-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/big") == 0) {
        char body[10000];
        memset(body, 'b', sizeof body);
        say_body(p, fd, "", body, sizeof body);
    } else if (strcmp(path, "/endless") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 1000; i++)
            say_text(p, fd, "10\r\n0123456789abcdef\r\n");
        return false;
    } else if (strcmp(path, "/gzip") == 0) {
        say_zipped(p, fd, 10000, false);
    } else if (strcmp(path, "/bad-gzip") == 0) {
        say_zipped(p, fd, 10000, true);
    } else if (strcmp(path, "/bomb") == 0) {
        say_zipped(p, fd, 64u << 20, false);
    } else if (strcmp(path, "/redirect") == 0) {
        say_text(p, fd, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nX-First: 1\r\nContent-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/redirect-away") == 0) {
        char text[256];
        snprintf(text, sizeof text,
                 "HTTP/1.1 302 Found\r\nLocation: http://localhost:%u/echo\r\nContent-Length: 0\r\n\r\n", p->port);
        say_text(p, fd, text);
    } else if (strcmp(path, "/redirect-ftp") == 0) {
        say_text(p, fd, "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/loop") == 0) {
        say_text(p, fd, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
    } else {
        say_text(p, fd, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    }
    return true;
}

static size_t request_bytes(const struct buf *in)
{
    const char *end = in->data ? strstr(in->data, "\r\n\r\n") : NULL;
    if (!end)
        return 0;
    size_t head = (size_t)(end - in->data) + 4, body = 0;
    const char *length = strcasestr(in->data, "\r\nContent-Length:");
    if (length && length < end)
        body = strtoul(length + 17, NULL, 10);
    return in->len >= head + body ? head + body : 0;
}

static void drop(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
    buf_done(&c->in);
}

static void serve(struct peer *p, struct connection *c)
{
    char *room = buf_reserve(&c->in, 65536);
    ssize_t n = room ? recv(c->fd, room, 65536, 0) : 0;
    if (n <= 0) {
        drop(c);
        return;
    }
    buf_grew(&c->in, (size_t)n);
    size_t bytes;
    while ((bytes = request_bytes(&c->in)) > 0) {
        if (!answer(p, c->fd, c->in.data, bytes)) {
            drop(c);
            return;
        }
        buf_consume(&c->in, bytes);
    }
}

static void accept_one(struct peer *p, int listen_fd)
{
    int fd = accept(listen_fd, NULL, NULL);
    size_t at = 0;
    while (at < CONNECTIONS_MAX && p->connections[at].fd >= 0)
        at++;
    if (fd < 0 || at == CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    p->accepted++;
    p->connections[at].fd = fd;
    buf_init(&p->connections[at].in, 1u << 20);
}

static void peer_main(void *arg)
{
    struct peer *p = arg;
    for (;;) {
        struct pollfd fds[CONNECTIONS_MAX + 3];
        struct connection *who[CONNECTIONS_MAX + 3] = {0};
        nfds_t n = 0;
        fds[n++] = (struct pollfd){.fd = p->stop_fd, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = p->listen_fd, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = p->unix_fd, .events = POLLIN};
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            if (p->connections[i].fd >= 0) {
                who[n] = &p->connections[i];
                fds[n++] = (struct pollfd){.fd = p->connections[i].fd, .events = POLLIN};
            }
        poll(fds, n, -1);
        if (fds[0].revents)
            return;
        for (nfds_t i = 3; i < n; i++)
            if (fds[i].revents)
                serve(p, who[i]);
        for (nfds_t i = 1; i < 3; i++)
            if (fds[i].revents)
                accept_one(p, fds[i].fd);
    }
}

static char unix_path[108];
static char *temp_dir;

static int start_peer(void **state)
{
    struct peer *p = calloc(1, sizeof *p);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        p->connections[i].fd = -1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_ok(bind(p->listen_fd, (struct sockaddr *)&a, sizeof a));
    check_ok(listen(p->listen_fd, 1024));
    check_ok(getsockname(p->listen_fd, (struct sockaddr *)&a, &n));
    p->port = ntohs(a.sin_port);
    check_ok(dir_make_temp("crest-http", &temp_dir));
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    snprintf(unix_path, sizeof unix_path, "%s/s", temp_dir);
    memcpy(u.sun_path, unix_path, sizeof u.sun_path);
    p->unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_ok(bind(p->unix_fd, (struct sockaddr *)&u, sizeof u));
    check_ok(listen(p->unix_fd, 16));
    p->stop_fd = eventfd(0, EFD_CLOEXEC);
    check_ok(thread_start("peer", peer_main, p, &p->thread));
    *state = p;
    return 0;
}

static int stop_peer(void **state)
{
    struct peer *p = *state;
    check_ok(eventfd_write(p->stop_fd, 1));
    thread_join(p->thread);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (p->connections[i].fd >= 0)
            drop(&p->connections[i]);
    close(p->listen_fd);
    close(p->unix_fd);
    close(p->stop_fd);
    check_ok(dir_remove(temp_dir));
    free(temp_dir);
    free(p);
    return 0;
}

static const char *url_of(const struct peer *p, const char *path)
{
    static char url[4][256];
    static unsigned turn;
    char *to = url[turn++ % 4];
    snprintf(to, sizeof url[0], "http://127.0.0.1:%u%s", p->port, path);
    return to;
}

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

static char *file_with(const char *name, const char *text)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", temp_dir, name) > 0);
    check_ok(file_write(path, text, strlen(text)));
    return path;
}

/* ---- blocking calls ---------------------------------------------------------------------------------------
 */

static void fetch_gives_status_headers_body_and_times(void **state)
{
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/ok")}, &r));
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body.data, "hello");
    check_contains(r.headers.data, "x-mixed-case: Value\n");
    check_span(http_response_header(&r, "Content-Type"), "text/plain");
    assert_int_equal(http_response_header(&r, "content").len, 0);
    assert_true(r.connect_us > 0 && r.first_byte_us >= r.connect_us && r.total_us >= r.first_byte_us);
    char peer[64];
    snprintf(peer, sizeof peer, "127.0.0.1:%u", ((struct peer *)*state)->port);
    assert_string_equal(r.peer, peer);
    http_response_done(&r);

    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/none")}, &r));
    assert_int_equal(r.status, 404);
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/ok"), .method = "HEAD"}, &r));
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.len, 0);
    http_response_done(&r);
}

static void fetch_sends_what_was_asked_and_nothing_more(void **state)
{
    const char *headers[] = {"X-A: b", "X-Empty:", "Content-Type: application/x-protobuf", NULL};
    struct http_response r;
    check_ok(http_fetch(
        &(struct http_request){.url = url_of(*state, "/echo?a=1"), .headers = headers, .body = SPAN("p\0q")}, &r));
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

    check_ok(
        http_fetch(&(struct http_request){.url = url_of(*state, "/echo"), .method = "PUT", .body = SPAN("x")}, &r));
    assert_true(span_starts(buf_view(&r.body), SPAN("PUT /echo HTTP/1.1\r\n")));
    assert_null(strstr(r.body.data, "Content-Type"));
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/echo"), .method = "POST"}, &r));
    check_contains(r.body.data, "\r\nContent-Length: 0\r\n");
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/echo"), .method = "DELETE"}, &r));
    assert_true(span_starts(buf_view(&r.body), SPAN("DELETE /echo HTTP/1.1\r\n")));
    http_response_done(&r);
}

static void headers_of_interim_responses_are_dropped_and_folds_joined(void **state)
{
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/continue")}, &r));
    assert_int_equal(r.status, 200);
    assert_int_equal(http_response_header(&r, "x-early").len, 0);
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/folded")}, &r));
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
        int error = http_fetch(&(struct http_request){.url = url_of(*state, CASES[i].path),
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
    const char *url = url_of(*state, "/ok");
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
        &(struct http_request){.url = url_of(*state, "/gzip"), .accept_encoding = true, .body_bytes_max = 10000}, &r));
    assert_int_equal(r.body.len, 10000);
    assert_true(r.body.data[0] == 'x' && r.body.data[9999] == 'x');
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/gzip")}, &r));
    assert_true(r.body.len > 0 && r.body.len < 1000 && r.body.data[0] == 0x1f);
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/echo"), .accept_encoding = true}, &r));
    check_contains(r.body.data, "Accept-Encoding: gzip\r\n");
    http_response_done(&r);
}

static void a_gzip_bomb_is_stopped_by_its_decoded_size(void **state)
{
    struct http_response r;
    check_errno(http_fetch(&(struct http_request){.url = url_of(*state, "/bomb"), .accept_encoding = true}, &r),
                -EFBIG);
    assert_true(r.body.cap <= BODY_BYTES_MAX + 1);
    http_response_done(&r);
}

static void redirects_are_followed_only_when_asked(void **state)
{
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/redirect")}, &r));
    assert_int_equal(r.status, 302);
    check_span(http_response_header(&r, "location"), "/ok");
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/redirect"), .follow_redirects = true}, &r));
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
        check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/echo"), .credentials = CASES[i].credentials},
                            &r));
        check_contains(r.body.data, CASES[i].line);
        http_response_done(&r);
        check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/redirect-away"),
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
    AUTO_FREE char *token = file_with("token", " first\n");
    AUTO_FREE char *password = file_with("password", "open sesame\n");
    struct http_credentials bearer = {.bearer_file = token}, basic = {.user = "Aladdin", .password_file = password};
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/echo"), .credentials = &bearer}, &r));
    check_contains(r.body.data, "Authorization: Bearer first\r\n");
    http_response_done(&r);
    check_ok(file_write(token, "second", 6));
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/echo"), .credentials = &bearer}, &r));
    check_contains(r.body.data, "Authorization: Bearer second\r\n");
    http_response_done(&r);
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/echo"), .credentials = &basic}, &r));
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
        AUTO_FREE char *path = file_with("credentials", CASES[i].text);
        struct http_credentials c = {.auth_file = path};
        struct http_response r;
        int error = http_fetch(&(struct http_request){.url = url_of(*state, "/echo"), .credentials = &c}, &r);
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
    int error = http_fetch(&(struct http_request){.url = url_of(*state, "/ok")}, &r);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    check_ok(error);
    http_response_done(&r);
    /* and a proxy that is asked for is used, whatever no_proxy says: the peer sees an absolute URL */
    setenv("no_proxy", "*", 1);
    error = http_fetch(&(struct http_request){.url = "http://shop.invalid/x", .proxy = url_of(*state, "")}, &r);
    unsetenv("no_proxy");
    check_ok(error);
    assert_int_equal(r.status, 404);
    http_response_done(&r);
}

static void unix_sockets_are_spoken_to(void **state)
{
    (void)state;
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = "http://shop/ok", .unix_socket = unix_path}, &r));
    assert_string_equal(r.body.data, "hello");
    http_response_done(&r);
}

static void retry_after_reads_seconds_and_dates(void **state)
{
    struct http_response r;
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/503")}, &r));
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

/* ---- the client in somebody's loop ------------------------------------------------------------------------
 */

struct seen {
    int done, ok;
    int last_error;
    struct http_client *again; /* send another one from the callback */
    const char *again_url;
};

static void on_done(void *ctx, struct http_response *response)
{
    struct seen *s = ctx;
    s->done++;
    s->ok += response->error == 0 && response->status == 200;
    s->last_error = response->error;
    if (s->again) {
        struct http_client *c = s->again;
        s->again = NULL;
        check_ok(http_send(c, &(struct http_request){.url = s->again_url}, on_done, s, NULL));
    }
}

/* The owner polls the one descriptor and nothing else. */
static void run(struct http_client *c, const struct seen *s, int until_done)
{
    int64_t end_us = mono_us() + 20000000;
    while (s->done < until_done) {
        struct pollfd p = {.fd = http_client_fd(c), .events = POLLIN};
        if (poll(&p, 1, 10000) != 1 || mono_us() > end_us)
            check_failed("the descriptor never woke us: %d of %d done", s->done, until_done);
        http_client_step(c);
    }
}

static void one_descriptor_wakes_the_owner_for_everything(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    assert_true(http_client_timeout_ms(c) == -1);
    struct seen s = {0};
    check_ok(http_send(c, &(struct http_request){.url = url_of(*state, "/ok")}, on_done, &s, NULL));
    assert_int_equal(s.done, 0); /* never from http_send */
    assert_int_equal(http_client_pending(c), 1);
    run(c, &s, 1);
    assert_int_equal(s.ok, 1);
    check_ok(http_send(c, &(struct http_request){.url = url_of(*state, "/hang"), .timeout_ms = 50}, on_done, &s, NULL));
    run(c, &s, 2);
    assert_int_equal(s.last_error, -ETIMEDOUT);
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, on_done, &s, NULL));
    assert_int_equal(s.done, 2);
    assert_true(http_client_timeout_ms(c) == 0);
    run(c, &s, 3);
    assert_int_equal(s.last_error, -EINVAL);
    check_ok(http_send(c, &(struct http_request){.url = url_of(*state, "/drip")}, on_done, &s, NULL));
    run(c, &s, 4);
    assert_int_equal(s.ok, 2);
    assert_int_equal(http_client_pending(c), 0);
    http_client_free(c);
}

static void the_timeout_alone_is_enough_too(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {0};
    check_ok(
        http_send(c, &(struct http_request){.url = url_of(*state, "/hang"), .timeout_ms = 100}, on_done, &s, NULL));
    int64_t end_us = mono_us() + 5000000 * (int64_t)check_patience();
    while (s.done == 0 && mono_us() < end_us) {
        int64_t ms = http_client_timeout_ms(c);
        assert_true(ms >= 0 && ms <= 1000);
        sleep_us(ms * 1000);
        http_client_step(c);
    }
    assert_int_equal(s.last_error, -ETIMEDOUT);
    http_client_free(c);
}

static void connections_are_reused_unless_a_fresh_one_is_asked_for(void **state)
{
    struct peer *p = *state;
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {0};
    int before = p->accepted;
    for (int i = 0; i < 5; i++) {
        check_ok(http_send(c, &(struct http_request){.url = url_of(p, "/ok")}, on_done, &s, NULL));
        run(c, &s, i + 1);
    }
    assert_int_equal(p->accepted - before, 1);
    for (int i = 0; i < 3; i++) {
        check_ok(http_send(c, &(struct http_request){.url = url_of(p, "/ok"), .no_reuse = true}, on_done, &s, NULL));
        run(c, &s, i + 6);
    }
    assert_int_equal(p->accepted - before, 4);
    assert_int_equal(s.ok, 8);
    http_client_free(c);
}

static void a_kept_connection_that_the_peer_closed_is_replaced(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {0};
    for (int i = 0; i < 10; i++) {
        check_ok(http_send(c, &(struct http_request){.url = url_of(*state, "/ok-then-close"), .body = SPAN("x")},
                           on_done, &s, NULL));
        run(c, &s, i + 1);
        if (i % 2)
            sleep_us(2000); /* once the close has come, once not */
    }
    assert_int_equal(s.ok, 10);
    http_client_free(c);
}

static void many_requests_at_once_each_end_once(void **state)
{
    enum { N = 200 };
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen each[N] = {0};
    struct seen all = {0};
    for (int i = 0; i < N; i++) {
        const char *path = i % 4 == 3 ? "/close" : i % 4 == 2 ? "/gzip" : "/ok";
        check_ok(http_send(c, &(struct http_request){.url = url_of(*state, path)}, on_done, &each[i], NULL));
    }
    assert_int_equal(http_client_pending(c), N);
    int64_t end_us = mono_us() + 20000000;
    while (http_client_pending(c) > 0 && mono_us() < end_us) {
        struct pollfd p = {.fd = http_client_fd(c), .events = POLLIN};
        poll(&p, 1, 1000);
        http_client_step(c);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(each[i].done, 1);
        all.ok += each[i].ok;
    }
    assert_int_equal(all.ok, N * 3 / 4);
    http_client_free(c);
}

static void callbacks_may_send_again(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {.again = c, .again_url = url_of(*state, "/ok")};
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, on_done, &s, NULL));
    run(c, &s, 2);
    assert_int_equal(s.ok, 1);
    http_client_free(c);
}

static void cancel_ends_a_request_at_once_and_ignores_unknown_ids(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {0};
    uint64_t id = 0, bad = 0;
    check_ok(http_send(c, &(struct http_request){.url = url_of(*state, "/hang")}, on_done, &s, &id));
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, on_done, &s, &bad));
    http_client_step(c);
    assert_int_equal(s.done, 1); /* the bad one */
    http_cancel(c, bad);
    http_cancel(c, id + (1ull << 40));
    assert_int_equal(s.done, 1);
    http_cancel(c, id);
    assert_int_equal(s.done, 2);
    assert_int_equal(s.last_error, -ECANCELED);
    http_cancel(c, id);
    assert_int_equal(s.done, 2);
    /* one that failed before it started, cancelled before it was told */
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, on_done, &s, &bad));
    check_ok(http_send(c, &(struct http_request){.url = "nonsense too"}, on_done, &s, NULL));
    http_cancel(c, bad);
    assert_int_equal(s.last_error, -ECANCELED);
    run(c, &s, 4);
    assert_int_equal(s.last_error, -EINVAL);
    check_ok(http_send(c, &(struct http_request){.url = url_of(*state, "/ok")}, on_done, &s, NULL));
    run(c, &s, 5);
    assert_int_equal(s.ok, 1);
    http_client_free(c);
}

static void resend(void *ctx, struct http_response *response)
{
    struct seen *s = ctx;
    s->done++;
    s->last_error = response->error;
    check_errno(http_send(s->again, &(struct http_request){.url = s->again_url}, resend, s, NULL), -ESHUTDOWN);
}

static void free_cancels_what_is_pending(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {.again = c, .again_url = url_of(*state, "/ok")};
    check_ok(http_send(c, &(struct http_request){.url = url_of(*state, "/hang")}, resend, &s, NULL));
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, resend, &s, NULL));
    http_client_free(c);
    assert_int_equal(s.done, 2);
    assert_int_equal(s.last_error, -ECANCELED);
    http_client_free(NULL);
}

struct pieces {
    size_t bytes, stop_after, calls;
    char first[17];
};

static bool on_piece(void *ctx, struct span piece)
{
    struct pieces *p = ctx;
    assert_true(piece.len > 0 && piece.len <= 16384);
    if (p->bytes == 0)
        snprintf(p->first, sizeof p->first, SPAN_FMT, SPAN_ARG(piece));
    p->bytes += piece.len;
    p->calls++;
    return p->bytes < p->stop_after;
}

static void a_streamed_body_comes_in_pieces_and_is_not_kept(void **state)
{
    struct http_response response;
    struct pieces p = {.stop_after = SIZE_MAX};
    check_ok(http_fetch(
        &(struct http_request){
            .url = url_of(*state, "/big"), .on_data = on_piece, .on_data_ctx = &p, .body_bytes_max = 100},
        &response));
    assert_int_equal(p.bytes, 10000);
    assert_int_equal(response.body.len, 0);
    http_response_done(&response);
    p = (struct pieces){.stop_after = SIZE_MAX};
    check_errno(
        http_fetch(&(struct http_request){.url = url_of(*state, "/cut"), .on_data = on_piece, .on_data_ctx = &p},
                   &response),
        -ECONNRESET);
    assert_string_equal(p.first, "half");
    http_response_done(&response);
    p = (struct pieces){.stop_after = SIZE_MAX}; /* an error's body is for people, and kept */
    check_ok(http_fetch(&(struct http_request){.url = url_of(*state, "/503"), .on_data = on_piece, .on_data_ctx = &p},
                        &response));
    assert_int_equal(p.calls, 0);
    check_span(buf_view(&response.body), "busy");
    http_response_done(&response);
}

static void the_receiver_of_a_stream_can_end_it(void **state)
{
    struct http_response response;
    struct pieces p = {.stop_after = 100};
    check_errno(
        http_fetch(&(struct http_request){.url = url_of(*state, "/endless"), .on_data = on_piece, .on_data_ctx = &p},
                   &response),
        -ECANCELED);
    assert_true(p.bytes >= 100 && p.bytes < 17000);
    assert_string_equal(response.error_text, "ended by the receiver");
    http_response_done(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_streamed_body_comes_in_pieces_and_is_not_kept),
        cmocka_unit_test(the_receiver_of_a_stream_can_end_it),
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
        cmocka_unit_test(one_descriptor_wakes_the_owner_for_everything),
        cmocka_unit_test(the_timeout_alone_is_enough_too),
        cmocka_unit_test(connections_are_reused_unless_a_fresh_one_is_asked_for),
        cmocka_unit_test(a_kept_connection_that_the_peer_closed_is_replaced),
        cmocka_unit_test(many_requests_at_once_each_end_once),
        cmocka_unit_test(callbacks_may_send_again),
        cmocka_unit_test(cancel_ends_a_request_at_once_and_ignores_unknown_ids),
        cmocka_unit_test(free_cancels_what_is_pending),
    };
    return cmocka_run_group_tests(tests, start_peer, stop_peer);
}
