#include "lib/wire/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "lib/base/thread.h"
#include "tests/support/check.h"
#include "tests/support/identity.h"

/* ---- a server that answers each connection once with what it saw ------------------------------------------ */

struct server {
    struct identity ca, own, client, stranger_ca;
    int listen_fd;
    uint16_t port;
    atomic_bool stop, want_client_certificate;
    struct thread *thread;
};

static void serve_one(struct server *s, gnutls_certificate_credentials_t credentials, int fd)
{
    gnutls_session_t session;
    char request[2048] = "", name[256] = "", body[512], reply[1024];
    size_t name_bytes = sizeof name;
    unsigned type;
    check_ok(gnutls_init(&session, GNUTLS_SERVER));
    check_ok(gnutls_set_default_priority(session));
    check_ok(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
    gnutls_certificate_server_set_request(session,
                                          s->want_client_certificate ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    gnutls_handshake_set_timeout(session, 3000);
    gnutls_transport_set_int(session, fd);
    int r;
    do {
        r = gnutls_handshake(session);
    } while (r < 0 && !gnutls_error_is_fatal(r));
    bool peer_is_trusted = false;
    if (r == 0 && s->want_client_certificate) {
        unsigned status = 1;
        r = gnutls_certificate_verify_peers2(session, &status);
        peer_is_trusted = r == 0 && status == 0;
    }
    if (r == 0 && gnutls_record_recv(session, request, sizeof request - 1) > 0) {
        if (gnutls_server_name_get(session, name, &name_bytes, &type, 0) < 0)
            name[0] = '\0';
        const char *host = strcasestr(request, "\r\nHost: ");
        int n = snprintf(body, sizeof body, "sni=%s client=%d host=%.*s", name, peer_is_trusted,
                         host ? (int)strcspn(host + 8, "\r") : 0, host ? host + 8 : "");
        n = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", n,
                     body);
        gnutls_record_send(session, reply, (size_t)n);
        gnutls_bye(session, GNUTLS_SHUT_WR);
    }
    gnutls_deinit(session);
    close(fd);
}

static void server_main(void *arg)
{
    struct server *s = arg;
    gnutls_certificate_credentials_t credentials;
    check_ok(gnutls_certificate_allocate_credentials(&credentials));
    check_ok(gnutls_certificate_set_x509_key(credentials, &s->own.certificate, 1, s->own.key));
    assert_true(gnutls_certificate_set_x509_trust(credentials, &s->ca.certificate, 1) == 1);
    for (;;) {
        int fd = accept(s->listen_fd, NULL, NULL);
        if (s->stop || fd < 0)
            break;
        serve_one(s, credentials, fd);
    }
    gnutls_certificate_free_credentials(credentials);
}

static int start_server(void **state)
{
    struct server *s = calloc(1, sizeof *s);
    identity_make(&s->ca, "ca.test", NULL);
    identity_make(&s->stranger_ca, "other.test", NULL);
    identity_make(&s->own, "shop.test", &s->ca);
    identity_make(&s->client, "agent.test", &s->ca);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_ok(bind(s->listen_fd, (struct sockaddr *)&a, sizeof a));
    check_ok(listen(s->listen_fd, 16));
    check_ok(getsockname(s->listen_fd, (struct sockaddr *)&a, &n));
    s->port = ntohs(a.sin_port);
    check_ok(thread_start("tls", server_main, s, &s->thread));
    *state = s;
    return 0;
}

static int stop_server(void **state)
{
    struct server *s = *state;
    s->stop = true;
    shutdown(s->listen_fd, SHUT_RDWR);
    thread_join(s->thread);
    close(s->listen_fd);
    identity_free(&s->ca);
    identity_free(&s->stranger_ca);
    identity_free(&s->own);
    identity_free(&s->client);
    free(s);
    return 0;
}

static int fetch(const struct server *s, const struct http_credentials *credentials, struct http_response *response)
{
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u/x", s->port);
    return http_fetch(&(struct http_request){.url = url, .credentials = credentials, .timeout_ms = 10000}, response);
}

static void a_server_of_a_given_ca_is_trusted_by_its_server_name(void **state)
{
    struct server *s = *state;
    struct http_response r;
    check_ok(fetch(s, &(struct http_credentials){.ca_pem = s->ca.certificate_pem, .server_name = "shop.test"}, &r));
    char want[128];
    snprintf(want, sizeof want, "sni=shop.test client=0 host=127.0.0.1:%u", s->port);
    assert_string_equal(r.body.data, want);
    assert_true(r.tls_us > r.connect_us && r.first_byte_us >= r.tls_us);
    http_response_done(&r);
}

static void strangers_and_wrong_names_are_refused(void **state)
{
    struct server *s = *state;
    const struct http_credentials CASES[] = {
        {.server_name = "shop.test"}, /* the system's CAs do not know it */
        {.ca_pem = s->stranger_ca.certificate_pem, .server_name = "shop.test"},
        {.ca_pem = s->ca.certificate_pem, .server_name = "other.test"},
        {.ca_pem = s->ca.certificate_pem}, /* the certificate is not for 127.0.0.1 */
        {.ca_file = "/nonexistent/ca.pem", .server_name = "shop.test"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct http_response r;
        int error = fetch(s, &CASES[i], &r);
        if (error != -EPROTO || strncmp(r.error_text, "TLS with 127.0.0.1:", 19) != 0)
            check_failed("case %zu: error %d, \"%s\"", i, error, r.error_text);
        http_response_done(&r);
    }
}

static void verification_can_be_skipped(void **state)
{
    struct http_response r;
    check_ok(fetch(*state, &(struct http_credentials){.insecure_skip_verify = true}, &r));
    assert_int_equal(r.status, 200);
    http_response_done(&r);
}

static void a_client_certificate_is_shown_when_asked_for(void **state)
{
    struct server *s = *state;
    struct http_response r;
    s->want_client_certificate = true;
    check_ok(fetch(s,
                   &(struct http_credentials){.ca_pem = s->ca.certificate_pem,
                                              .cert_pem = s->client.certificate_pem,
                                              .key_pem = s->client.key_pem,
                                              .server_name = "shop.test"},
                   &r));
    check_contains(r.body.data, "client=1");
    http_response_done(&r);
    assert_true(fetch(s, &(struct http_credentials){.ca_pem = s->ca.certificate_pem, .server_name = "shop.test"}, &r) <
                0);
    http_response_done(&r);
    s->want_client_certificate = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_of_a_given_ca_is_trusted_by_its_server_name),
        cmocka_unit_test(strangers_and_wrong_names_are_refused),
        cmocka_unit_test(verification_can_be_skipped),
        cmocka_unit_test(a_client_certificate_is_shown_when_asked_for),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
