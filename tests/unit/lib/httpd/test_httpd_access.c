/* Credentials and TLS: who gets in, and that guessing passwords costs only the guesser. */
#include "tests/unit/lib/httpd/raw_client.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/httpd/httpd.h"
#include "lib/wire/http_client.h"
#include "tests/support/check.h"
#include "tests/support/identity.h"

/* "secret" and "slow": the second at a cost that takes some 100 ms to check */
#define HASH_OF_SECRET "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define HASH_OF_SLOW "$2b$10$abcdefghijklmnopqrstuuTL3rBAB2FTLNnpGNZhAYflp5RzALnWK"
#define AS_ANN "Authorization: Basic YW5uOnNlY3JldA==\r\n"         /* ann:secret */
#define AS_ANN_WRONGLY "Authorization: Basic YW5uOnNlY3JldHM=\r\n" /* ann:secrets */
#define GET(path, more) "GET " path " HTTP/1.1\r\nHost: localhost\r\n" more "\r\n"

struct fixture {
    char *folder;
    struct identity ca, server, client, stranger_ca, stranger;
    struct web_config *web;
    struct httpd *httpd;
    uint16_t port;
    char url[64];
};

static void on_user(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_text(r, 200, "user %s", httpd_user(r) ? httpd_user(r) : "-");
}

static void on_later(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_defer(r);
    httpd_reply_text(r, 200, "later");
}

static ssize_t read_thrice(void *ctx, char *at, size_t max)
{
    int *left = ctx;
    if ((*left)-- == 0)
        return -1;
    size_t n = max < 1000 ? max : 1000;
    memset(at, 'x', n);
    return (ssize_t)n;
}

static void nothing_to_do(void *ctx)
{
    (void)ctx;
}

static void on_stream(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    static int left;
    left = 3;
    static const struct httpd_stream_ops OPS = {read_thrice, nothing_to_do};
    struct httpd_stream *s;
    httpd_reply_stream(r, 200, "text/plain", &OPS, &left, &s);
}

static void on_size(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_text(r, 200, "%zu", httpd_body(r).len);
}

static const struct httpd_route ROUTES[] = {
    {"GET", "/user", 0, on_user, NULL},        {"GET", "/-/healthy", 0, on_user, NULL},
    {"GET", "/later", 0, on_later, NULL},      {"GET", "/stream", 0, on_stream, NULL},
    {"POST", "/size", 1 << 20, on_size, NULL}, {0},
};

static void write_text(const struct fixture *f, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    check_ok(file_write(path, text, strlen(text)));
}

static int try_start(struct fixture *f, const char *web_yml, const char *listen, char *why, size_t why_bytes)
{
    char path[512];
    struct problems problems;
    problems_init(&problems);
    write_text(f, "web.yml", web_yml);
    (void)snprintf(path, sizeof path, "%s/web.yml", f->folder);
    if (web_config_load(path, &f->web, &problems) < 0) {
        problems_print(&problems, stderr);
        fail_msg("web.yml is refused");
    }
    problems_done(&problems);
    struct httpd_config config = {.listen = listen, .routes = ROUTES, .web_config = f->web, .header_deadline_ms = 1000};
    int r = httpd_start(&config, &f->httpd, why, why_bytes);
    if (r == 0) {
        f->port = httpd_port(f->httpd);
        (void)snprintf(f->url, sizeof f->url, "https://localhost:%u", (unsigned)f->port);
    }
    return r;
}

static void start(struct fixture *f, const char *web_yml)
{
    char why[512];
    if (try_start(f, web_yml, "127.0.0.1:0", why, sizeof why) < 0)
        fail_msg("%s", why);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    check_ok(dir_make_temp("crest-httpd", &f->folder));
    identity_make(&f->ca, "ca.test", NULL);
    identity_make(&f->server, "localhost", &f->ca);
    identity_make(&f->client, "client.test", &f->ca);
    identity_make(&f->stranger_ca, "other.test", NULL);
    identity_make(&f->stranger, "stranger.test", &f->stranger_ca);
    write_text(f, "ca.pem", f->ca.certificate_pem);
    write_text(f, "server.pem", f->server.certificate_pem);
    write_text(f, "server.key", f->server.key_pem);
    write_text(f, "token", "t0ken\n");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    httpd_stop(f->httpd, 1000);
    web_config_free(f->web);
    struct identity *all[] = {&f->ca, &f->server, &f->client, &f->stranger_ca, &f->stranger};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        identity_free(all[i]);
    check_ok(dir_remove(f->folder));
    free(f->folder);
    free(f);
    return 0;
}

/* ---- credentials ---- */
#define USERS "basic_auth_users:\n  ann: " HASH_OF_SECRET "\n  bob: " HASH_OF_SLOW "\n"

static void httpd_lets_in_who_has_a_password_or_a_token(void **state)
{
    struct fixture *f = *state;
    start(f, USERS "bearer_token_files:\n  robot: token\n");
    for (int i = 0; i < 2; i++) { /* checked, then remembered */
        raw_expect(f->port, GET("/user", AS_ANN), 200, "user ann");
        raw_expect(f->port, GET("/user", AS_ANN_WRONGLY), 401, NULL);
        raw_expect(f->port, GET("/user", "Authorization: Bearer t0ken\r\n"), 200, "user robot");
        raw_expect(f->port, GET("/user", "Authorization: Bearer t0kens\r\n"), 401, NULL);
        raw_expect(f->port, GET("/user", "Authorization: nonsense\r\n"), 401, NULL);
        raw_expect(f->port, GET("/user", "Authorization: \r\n"), 401, NULL);
        raw_expect(f->port, GET("/user", ""), 401, NULL);
        raw_expect(f->port, GET("/none", ""), 401, NULL); /* what exists is nobody's business */
        raw_expect(f->port, GET("/-/healthy", ""), 200, "user -");
    }
    struct raw_reply reply = raw_ask(f->port, GET("/user", ""));
    assert_true(span_starts(raw_header(&reply, "WWW-Authenticate"), SPAN("Basic realm=")));
    raw_done(&reply);
}

static void httpd_reads_the_body_after_the_check_and_serves_what_is_pipelined(void **state)
{
    struct fixture *f = *state;
    start(f, USERS);
    int fd = raw_connect(f->port);
    raw_send(fd, "POST /size HTTP/1.1\r\nHost: localhost\r\n" AS_ANN "Content-Length: 10\r\n\r\n0123456789" GET(
                     "/user", AS_ANN) GET("/user", AS_ANN_WRONGLY) GET("/user", AS_ANN));
    static const int WANT[] = {200, 200, 401, 200};
    for (size_t i = 0; i < ARRAY_LEN(WANT); i++) {
        struct raw_reply reply = raw_read(fd);
        if (reply.status != WANT[i])
            fail_msg("answer %zu: %d, not %d", i, reply.status, WANT[i]);
        if (i == 0)
            assert_true(raw_body_is(&reply, "10"));
        raw_done(&reply);
    }
    close(fd);
}

static void httpd_serves_others_while_passwords_are_guessed(void **state)
{
    struct fixture *f = *state;
    start(f, USERS);
    raw_expect(f->port, GET("/user", AS_ANN), 200, "user ann");
    int fds[100]; /* more than the queue holds */
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        char request[256]; /* "bob:" and a guess in base64, each another */
        (void)snprintf(request, sizeof request,
                       "GET /user HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic Ym9iOkFB%c%cFB\r\n\r\n",
                       'A' + (int)(i % 26), 'A' + (int)(i / 26));
        fds[i] = raw_connect(f->port);
        raw_send(fds[i], request);
    }
    for (int i = 0; i < 20; i++)
        raw_expect(f->port, GET("/user", AS_ANN), 200, "user ann");
    size_t waiting = 0, busy = 0;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct pollfd p = {.fd = fds[i], .events = POLLIN};
        if (poll(&p, 1, 0) == 0) {
            waiting++;
        } else {
            struct raw_reply reply = raw_read(fds[i]);
            if (reply.status == 503) {
                assert_true(span_equal(raw_header(&reply, "Retry-After"), SPAN("1")));
                busy++;
            } else {
                assert_int_equal(reply.status, 401);
            }
            raw_done(&reply);
        }
    }
    assert_true(waiting > 0); /* ann was served before the guesses were through */
    assert_true(busy > 0);
    httpd_stop(f->httpd, 1000); /* and those that still wait are let go */
    f->httpd = NULL;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
}

static void httpd_listens_beyond_loopback_with_credentials(void **state)
{
    struct fixture *f = *state;
    char why[512];
    check_ok(try_start(f, USERS, "0.0.0.0:0", why, sizeof why));
    raw_expect(f->port, GET("/user", AS_ANN), 200, "user ann");
    raw_expect(f->port, "GET /user HTTP/1.1\r\nHost: 0.0.0.0\r\n" AS_ANN "\r\n", 403, NULL);
    raw_expect(f->port, "GET /user HTTP/1.1\r\nHost: evil.example\r\n" AS_ANN "\r\n", 403, NULL);
}

/* ---- TLS ---- */
#define TLS "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"

static int fetch(struct fixture *f, const char *path, const struct identity *as, struct span body,
                 struct http_response *response)
{
    char url[128];
    (void)snprintf(url, sizeof url, "%s%s", f->url, path);
    struct http_credentials credentials = {.ca_pem = f->ca.certificate_pem};
    if (as) {
        credentials.cert_pem = as->certificate_pem;
        credentials.key_pem = as->key_pem;
    }
    struct http_request request = {
        .url = url, .body = body, .credentials = &credentials, .timeout_ms = 5000, .no_reuse = true};
    return http_fetch(&request, response);
}

static void expect(struct fixture *f, const char *path, const struct identity *as, struct span body, int status,
                   const char *want)
{
    struct http_response response;
    int r = fetch(f, path, as, body, &response);
    if (r < 0 || response.status != status || (want && !span_equal(buf_view(&response.body), span_str(want))))
        fail_msg("%s: %d %d %s", path, r, response.status, response.error_text);
    http_response_done(&response);
}

static void httpd_speaks_tls(void **state)
{
    struct fixture *f = *state;
    start(f, TLS);
    expect(f, "/user", NULL, span_of(NULL, 0), 200, "user -");
    expect(f, "/later", NULL, span_of(NULL, 0), 200, "later");
    struct http_response response;
    check_ok(fetch(f, "/stream", NULL, span_of(NULL, 0), &response));
    assert_int_equal(response.body.len, 3000);
    http_response_done(&response);
    static char big[300000];
    expect(f, "/size", NULL, span_of(big, sizeof big), 200, "300000");
    /* plain HTTP gets nothing */
    int fd = raw_connect(f->port);
    raw_send(fd, GET("/user", ""));
    assert_true(raw_ends_within(fd, RAW_TIMEOUT_MS));
    close(fd);
}

static void httpd_cuts_a_handshake_that_does_not_go_on(void **state)
{
    struct fixture *f = *state;
    start(f, TLS);
    int fd = raw_connect(f->port);
    raw_send_bytes(fd, "\x16\x03\x01\x02", 4);
    int64_t begun = mono_us();
    assert_true(raw_ends_within(fd, RAW_TIMEOUT_MS));
    assert_true(mono_us() - begun > 700000);
    close(fd);
}

static void httpd_wants_a_client_certificate_of_its_authority(void **state)
{
    struct fixture *f = *state;
    start(f, TLS "  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n");
    expect(f, "/user", &f->client, span_of(NULL, 0), 200, "user -");
    expect(f, "/user", NULL, span_of(NULL, 0), 403, NULL);
    struct http_response response; /* refused in the handshake or after it, but never let in */
    if (fetch(f, "/user", &f->stranger, span_of(NULL, 0), &response) == 0)
        assert_int_equal(response.status, 403);
    http_response_done(&response);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    log_init("test", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(httpd_lets_in_who_has_a_password_or_a_token),
        TEST(httpd_reads_the_body_after_the_check_and_serves_what_is_pipelined),
        TEST(httpd_serves_others_while_passwords_are_guessed),
        TEST(httpd_listens_beyond_loopback_with_credentials),
        TEST(httpd_speaks_tls),
        TEST(httpd_cuts_a_handshake_that_does_not_go_on),
        TEST(httpd_wants_a_client_certificate_of_its_authority),
    };
    return cmocka_run_group_tests_name("lib/httpd access", tests, NULL, NULL);
}
