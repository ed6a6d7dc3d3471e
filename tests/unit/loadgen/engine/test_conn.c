#include <zlib.h>

#include "lib/base/limits.h"
#include "loadgen/engine/conn.h"
#include "tests/unit/loadgen/engine/script_server.h"

#define PATIENCE_MS 20000 /* how long a test waits for what must come */

/* Both drivers: what is said of one is asked of the other. */
static const struct {
    const char *name;
    const struct conn_driver *driver;
} DRIVERS[] = {{"http1", &CONN_HTTP1}, {"curl", &CONN_CURL}};

/* One user of one engine, and the last answer, copied. */
struct client {
    struct conn_engine *engine;
    struct conn *conn;
    unsigned answers;
    enum conn_error error;
    int status, version;
    bool fresh, sets_cookies, undecoded;
    struct buf text, headers, body, raw;
    struct conn_certificate certificate;
    char subject[256], serial[256];
    bool has_certificate;
    int64_t took_us, phases_us, tls_us;
};

static void keep(struct buf *b, struct span s)
{
    buf_clear(b);
    buf_span(b, s);
    buf_char(b, '\0');
    check_ok(buf_error(b));
}

static void on_response(void *user, const struct conn_response *r)
{
    struct client *c = user;
    c->answers++;
    c->error = r->error;
    c->status = r->status;
    c->version = r->version;
    c->fresh = r->fresh;
    c->sets_cookies = r->sets_cookies;
    c->undecoded = r->undecoded;
    keep(&c->text, span_str(r->error_text));
    keep(&c->headers, r->headers);
    keep(&c->body, r->body);
    keep(&c->raw, r->raw);
    c->has_certificate = r->certificate != NULL;
    if (r->certificate) {
        c->certificate = *r->certificate;
        snprintf(c->subject, sizeof c->subject, "%s", r->certificate->subject);
        snprintf(c->serial, sizeof c->serial, "%s", r->certificate->serial_number);
    }
    c->took_us = r->done_us - r->sent_us;
    c->phases_us = r->dns_us + r->connect_us + r->tls_us + r->first_byte_us;
    c->tls_us = r->tls_us;
}

static void client_init(struct client *c, const struct conn_driver *driver, const char *ca_file)
{
    *c = (struct client){0};
    struct conn_config config = {.on_response = on_response, .ca_file = ca_file};
    struct buf *const bufs[] = {&c->text, &c->headers, &c->body, &c->raw};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_init(bufs[i], 2 * BODY_BYTES_MAX);
    check_ok(conn_engine_new(driver, &config, &c->engine));
    check_ok(conn_open(c->engine, c, &c->conn));
}

static void client_done(struct client *c)
{
    conn_close(c->conn);
    conn_engine_free(c->engine);
    buf_done(&c->text);
    buf_done(&c->headers);
    buf_done(&c->body);
    buf_done(&c->raw);
}

static struct conn_request request_to(const char *url)
{
    return (struct conn_request){
        .method = "GET", .url = url, .timeout_ms = PATIENCE_MS, .connect_timeout_ms = PATIENCE_MS};
}

static void ask(struct client *c, const struct conn_request *q)
{
    unsigned before = c->answers;
    check_ok(conn_send(c->conn, q));
    int64_t until_us = mono_us() + 3 * PATIENCE_MS * 1000;
    while (c->answers == before && mono_us() < until_us)
        check_ok(conn_engine_wait(c->engine, 100000));
    if (c->answers != before + 1)
        check_failed("%u answers to one request", c->answers - before);
}

static void get(struct client *c, const struct script_server *s, const char *path)
{
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", (unsigned)s->port, path);
    struct conn_request q = request_to(url);
    ask(c, &q);
}

/* ---- hostile servers ---- */

struct hostile {
    const char *name;
    const char *start;       /* said at once */
    const char *then;        /* said again and again until the client has gone; NULL: the connection is closed */
    int64_t pause_us;        /* before each of them */
    int64_t timeout_ms;      /* of the request; 0: long */
    enum conn_error want[2]; /* of each driver; CONN_OK: it is not asked */
};
#define GOOD "HTTP/1.1 200 OK\r\n"
#define CHUNKED GOOD "Transfer-Encoding: chunked\r\n\r\n"
#define PAGE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PAGES PAGE PAGE PAGE PAGE PAGE PAGE PAGE PAGE PAGE PAGE PAGE PAGE PAGE PAGE PAGE PAGE

static const struct hostile HOSTILE[] = {
    {"hangs up", "", NULL, 0, 0, {CONN_RESET, CONN_RESET}},
    {"hangs up in the status line", "HTTP/1.1 2", NULL, 0, 0, {CONN_RESET, CONN_OK}},
    {"hangs up in the headers", GOOD "X: y\r\nCont", NULL, 0, 0, {CONN_RESET, CONN_OK}},
    {"says less than it promised", GOOD "Content-Length: 100\r\n\r\nshort", NULL, 0, 0, {CONN_RESET, CONN_RESET}},
    {"hangs up between chunks", CHUNKED "5\r\nhello\r\n", NULL, 0, 0, {CONN_RESET, CONN_RESET}},
    {"is no web server", "SSH-2.0-OpenSSH_9.2\r\n", NULL, 0, 0, {CONN_PROTOCOL, CONN_PROTOCOL}},
    {"says noise without an end", "", "\x01\xff\x7f\x80noise", 0, 0, {CONN_PROTOCOL, CONN_PROTOCOL}},
    {"has a header with a NUL-like control line", GOOD "no colon at all\r\n\r\n", NULL, 0, 0, {CONN_PROTOCOL, CONN_OK}},
    {"has two lengths", GOOD "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", NULL, 0, 0, {CONN_PROTOCOL, CONN_OK}},
    {"has a length that is none", GOOD "Content-Length: many\r\n\r\nab", NULL, 0, 0, {CONN_PROTOCOL, CONN_OK}},
    {"has a chunk size that is none", CHUNKED "zz\r\nab\r\n", NULL, 0, 0, {CONN_PROTOCOL, CONN_RESET}},
    {"has a chunk that is longer", CHUNKED "1\r\nabc\r\n0\r\n\r\n", NULL, 0, 0, {CONN_PROTOCOL, CONN_RESET}},
    {"has a chunk size without an end", CHUNKED, "0000000000000000", 0, 0, {CONN_PROTOCOL, CONN_RESET}},
    {"has a chunk extension without an end", CHUNKED "1;", PAGES, 0, 0, {CONN_PROTOCOL, CONN_OK}},
    {"has headers without an end", GOOD, "X-Header: " PAGE "\r\n", 0, 0, {CONN_TOO_LARGE, CONN_TOO_LARGE}},
    {"has one header without an end", GOOD "X: ", PAGES, 0, 0, {CONN_TOO_LARGE, CONN_PROTOCOL}},
    {"says 100 for ever", "", "HTTP/1.1 100 Continue\r\n\r\n", 0, 0, {CONN_TOO_LARGE, CONN_OK}},
    {"has trailers without an end", CHUNKED "0\r\n", "X-Trailer: " PAGE "\r\n", 0, 0, {CONN_TOO_LARGE, CONN_OK}},
    {"has a body without an end", GOOD "\r\n", PAGES, 0, 0, {CONN_TOO_LARGE, CONN_TOO_LARGE}},
    {"promises a body over the limit",
     GOOD "Content-Length: 99999999999\r\n\r\n",
     PAGES,
     0,
     0,
     {CONN_TOO_LARGE, CONN_TOO_LARGE}},
    {"drips its headers", GOOD "X: ", "a", 5000, 300, {CONN_TIMEOUT, CONN_TIMEOUT}},
    {"drips its body", GOOD "Content-Length: 1000000\r\n\r\n", "a", 5000, 300, {CONN_TIMEOUT, CONN_TIMEOUT}},
    {"drips its chunks", CHUNKED, "1\r\na\r\n", 5000, 300, {CONN_TIMEOUT, CONN_TIMEOUT}},
    {"is not gzip",
     GOOD "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
     NULL,
     0,
     0,
     {CONN_PROTOCOL, CONN_PROTOCOL}},
    {"is not brotli",
     GOOD "Content-Encoding: br\r\nContent-Length: 5\r\n\r\nplain",
     NULL,
     0,
     0,
     {CONN_PROTOCOL, CONN_PROTOCOL}},
};

static void talk_hostile(struct script_server *s, struct peer *p)
{
    const struct hostile *h = s->script;
    char line[256];
    if (!peer_hears(p, line, sizeof line) || !peer_say(p, h->start))
        return;
    while (h->then) {
        if (h->pause_us)
            sleep_us(h->pause_us);
        if (!peer_say(p, h->then))
            return;
    }
    shutdown(p->fd, SHUT_WR);
    (void)!recv(p->fd, line, sizeof line, 0); /* no reset that overtakes the bytes */
}

static void hostile_servers_end_in_an_error_with_a_name(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(DRIVERS); d++)
        for (size_t i = 0; i < ARRAY_LEN(HOSTILE); i++) {
            const struct hostile *h = &HOSTILE[i];
            if (h->want[d] == CONN_OK)
                continue;
            struct script_server *s = script_start(talk_hostile, h, NULL);
            struct client c;
            char url[64];
            client_init(&c, DRIVERS[d].driver, NULL);
            snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)s->port);
            struct conn_request q = request_to(url);
            if (h->timeout_ms)
                q.timeout_ms = h->timeout_ms;
            ask(&c, &q);
            if (c.error != h->want[d] || c.text.len < 2 || c.status != 0)
                check_failed("%s: a server that %s: %s '%s', wanted %s", DRIVERS[d].name, h->name,
                             conn_error_name(c.error), c.text.data, conn_error_name(h->want[d]));
            client_done(&c);
            script_stop(s);
        }
}

/* ---- encodings ---- */

static void deflate_into(struct buf *out, int window, const char *bytes, size_t n, unsigned times)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    for (unsigned i = 0; i < times; i++) {
        int r;
        z.next_in = (unsigned char *)(uintptr_t)bytes;
        z.avail_in = (unsigned)n;
        do {
            char *to = buf_reserve(out, 65536);
            assert_non_null(to);
            z.next_out = (unsigned char *)to;
            z.avail_out = 65536;
            r = deflate(&z, i + 1 < times ? Z_NO_FLUSH : Z_FINISH);
            buf_grew(out, 65536 - z.avail_out);
        } while (z.avail_out == 0);
        assert_true(r >= 0);
    }
    deflateEnd(&z);
}

struct encoded {
    const char *encoding;
    struct span body;
};

static void talk_encoded(struct script_server *s, struct peer *p)
{
    const struct encoded *e = s->script;
    char line[256], head[256];
    while (peer_hears(p, line, sizeof line)) {
        snprintf(head, sizeof head, GOOD "content-encoding: %s\r\nContent-Length: %zu\r\n\r\n", e->encoding,
                 e->body.len);
        if (!peer_say(p, head) || !peer_send(p, e->body.ptr, e->body.len))
            return;
    }
}

static void check_encoded(const struct encoded *e, enum conn_error want, const char *text)
{
    for (size_t d = 0; d < ARRAY_LEN(DRIVERS); d++) {
        struct script_server *s = script_start(talk_encoded, e, NULL);
        struct client c;
        client_init(&c, DRIVERS[d].driver, NULL);
        get(&c, s, "/");
        if (c.error != want || (text && strcmp(c.body.data, text) != 0))
            check_failed("%s, %s: %s, '%.100s'", DRIVERS[d].name, e->encoding, conn_error_name(c.error), c.body.data);
        if (want == CONN_OK && !span_equal(span_of(c.raw.data, c.raw.len - 1), e->body))
            check_failed("%s, %s: the raw body is another", DRIVERS[d].name, e->encoding);
        assert_int_equal(c.undecoded, strcmp(e->encoding, "zebra") == 0);
        client_done(&c);
        script_stop(s);
    }
}

static void bodies_are_decoded_by_both_drivers_alike(void **state)
{
    (void)state;
    static const char TEXT[] = "text that was compressed";
    static const unsigned char BROTLI[] = {0x8b, 0x0b, 0x80, 't', 'e', 'x', 't', ' ', 't', 'h', 'a', 't', ' ', 'w',
                                           'a',  's',  ' ',  'c', 'o', 'm', 'p', 'r', 'e', 's', 's', 'e', 'd', 0x03};
    static const int WINDOWS[] = {31, 15, -15};
    static const char *const NAMES[] = {"gzip", "deflate", "Deflate"};
    struct buf b, twice;
    buf_init(&b, BODY_BYTES_MAX);
    buf_init(&twice, BODY_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(WINDOWS); i++) {
        buf_clear(&b);
        deflate_into(&b, WINDOWS[i], TEXT, strlen(TEXT), 1);
        check_encoded(&(struct encoded){NAMES[i], buf_view(&b)}, CONN_OK, TEXT);
        b.len -= 9; /* cut short */
        check_encoded(&(struct encoded){NAMES[i], buf_view(&b)}, CONN_PROTOCOL, NULL);
        b.len += 9;
    }
    check_encoded(&(struct encoded){"br", span_of((const char *)BROTLI, sizeof BROTLI)}, CONN_OK, TEXT);
    deflate_into(&twice, 31, b.data, b.len, 1);
    check_encoded(&(struct encoded){"deflate, gzip", buf_view(&twice)}, CONN_OK, TEXT);
    check_encoded(&(struct encoded){"identity", span_str(TEXT)}, CONN_OK, TEXT);
    check_encoded(&(struct encoded){"zebra", span_str(TEXT)}, CONN_OK, TEXT);
    buf_done(&b);
    buf_done(&twice);
}

static void a_compressed_bomb_ends_at_the_limit(void **state)
{
    (void)state;
    static const char ZEROS[65536];
    struct buf b;
    buf_init(&b, BODY_BYTES_MAX);
    deflate_into(&b, 31, ZEROS, sizeof ZEROS, BODY_BYTES_MAX / sizeof ZEROS + 1);
    assert_true(b.len < BODY_BYTES_MAX / 100);
    check_encoded(&(struct encoded){"gzip", buf_view(&b)}, CONN_TOO_LARGE, NULL);
    buf_done(&b);
}

/* ---- connections ---- */

/* /close answers and closes without a word; /extra says more than it should; /full fills the reader's buffer to its end; anything else echoes. */
static void talk_web(struct script_server *s, struct peer *p)
{
    (void)s;
    char line[256];
    while (peer_hears(p, line, sizeof line)) {
        const char *path = strchr(line, ' ') + 1;
        char answer[512];
        if (strcmp(path, "/extra") == 0)
            peer_say(p, GOOD "Content-Length: 2\r\n\r\nokHTTP/1.1 500 Surprise\r\nContent-Length: 0\r\n\r\n");
        else if (strcmp(path, "/none") == 0)
            peer_say(p, "HTTP/1.1 204 No Content\r\nSet-Cookie: a=1\r\n\r\n");
        else if (strncmp(line, "HEAD", 4) == 0)
            peer_say(p, GOOD "Content-Length: 1000\r\n\r\n");
        else if (strcmp(path, "/pieces") == 0) {
            for (const char *at = GOOD
                 "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n";
                 *at; at++)
                peer_send(p, at, 1);
        } else if (strcmp(path, "/silent") == 0) {
            return;                              /* the request is read, and nothing said */
        } else if (strcmp(path, "/full") == 0) { /* just what is read at once */
            static char full[65536];
            size_t head = sizeof GOOD "Content-Length: 65000\r\n\r\n" - 1;
            memset(full, 'f', sizeof full);
            snprintf(answer, sizeof answer, GOOD "Content-Length: %zu\r\n\r\n", sizeof full - head);
            memcpy(full, answer, head);
            peer_send(p, full, sizeof full);
        } else {
            snprintf(answer, sizeof answer, GOOD "Content-Length: %zu\r\n\r\n%s", strlen(line), line);
            peer_say(p, answer);
        }
        if (strcmp(path, "/close") == 0)
            return;
    }
}

static void check_body(const struct client *c, const char *driver, bool fresh, const char *want)
{
    if (c->error != CONN_OK || strcmp(c->body.data, want) != 0 || c->fresh != fresh)
        check_failed("%s: %s '%s', %s connection, body '%s', wanted '%s'", driver, conn_error_name(c->error),
                     c->text.data, c->fresh ? "new" : "old", c->body.data, want);
}

static void connections_live_on_and_are_made_anew_when_the_server_closed_them(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(DRIVERS); d++) {
        const char *name = DRIVERS[d].name;
        struct script_server *s = script_start(talk_web, NULL, NULL);
        struct client c;
        client_init(&c, DRIVERS[d].driver, NULL);
        get(&c, s, "/one");
        check_body(&c, name, true, "GET /one");
        assert_true(c.phases_us > 0 && c.phases_us <= c.took_us);
        get(&c, s, "/two?x=1#away");
        check_body(&c, name, false, "GET /two?x=1");
        get(&c, s, "/none");
        check_body(&c, name, false, "");
        assert_int_equal(c.status, 204);
        assert_true(c.sets_cookies);
        get(&c, s, "/pieces");
        check_body(&c, name, false, "abcde");
        get(&c, s, "/a/../b/./c");
        check_body(&c, name, false, "GET /b/c");
        get(&c, s, "/full");
        assert_true(c.error == CONN_OK && !c.fresh && c.body.len > 65000);
        get(&c, s, "/close");
        check_body(&c, name, false, "GET /close");
        get(&c, s, "/after"); /* whether the end was seen before or after it was sent: it is answered */
        check_body(&c, name, true, "GET /after");
        get(&c, s, "/extra");
        check_body(&c, name, false, "ok");
        get(&c, s, "/more");
        check_body(&c, name, true, "GET /more");
        get(&c, s, "/silent");
        assert_int_equal(c.error, CONN_RESET); /* sent twice: over the old connection, and over a new one */
        client_done(&c);
        script_stop(s);
    }
}

static void methods_options_and_large_bodies_go_over_both_drivers(void **state)
{
    (void)state;
    size_t n = 3 << 20;
    AUTO_FREE char *large = malloc(n);
    assert_non_null(large);
    memset(large, 'x', n);
    for (size_t d = 0; d < ARRAY_LEN(DRIVERS); d++) {
        const char *name = DRIVERS[d].name;
        struct script_server *s = script_start(talk_web, NULL, NULL);
        struct client c;
        char url[128], to[128];
        client_init(&c, DRIVERS[d].driver, NULL);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/up", (unsigned)s->port);
        struct conn_request q = request_to(url);
        q.method = "HEAD";
        ask(&c, &q);
        check_body(&c, name, true, "");
        q.method = "POST";
        q.has_body = true;
        q.body = span_of(large, n);
        ask(&c, &q);
        check_body(&c, name, false, "POST /up");
        q.body = SPAN("small");
        ask(&c, &q);
        check_body(&c, name, false, "POST /up");
        q.path_as_is = true;
        snprintf(url, sizeof url, "http://127.0.0.1:%u/a/../b", (unsigned)s->port);
        ask(&c, &q);
        check_body(&c, name, false, "POST /a/../b");
        q = request_to("http://shop.test/by/name");
        snprintf(to, sizeof to, "shop.test:80:127.0.0.1:%u", (unsigned)s->port);
        const char *const connect_to[] = {to};
        struct conn_route route = {.connect_to = connect_to, .n_connect_to = 1};
        q.route = &route;
        conn_close(c.conn); /* the server talks with one at a time */
        check_ok(conn_open(c.engine, &c, &c.conn));
        ask(&c, &q);
        check_body(&c, name, true, "GET /by/name");
        ask(&c, &q);
        check_body(&c, name, false, "GET /by/name");
        client_done(&c);
        script_stop(s);
    }
}

static void what_is_not_http1_goes_through_libcurl(void **state)
{
    (void)state;
    struct script_server *s = script_start(talk_web, NULL, NULL);
    struct client c;
    char url[128], proxy[128];
    client_init(&c, &CONN_HTTP1, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", (unsigned)s->port);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", (unsigned)s->port);
    struct conn_request q = request_to(url);
    q.http = CONN_HTTP_2; /* asks for an upgrade, which the server does not give */
    ask(&c, &q);
    check_body(&c, "http2", true, "GET /x");
    q = request_to(url);
    q.limit_rate = 1 << 20;
    ask(&c, &q);
    check_body(&c, "limit-rate", false, "GET /x");
    q = request_to("http://shop.test/far");
    struct conn_route route = {.proxy = proxy};
    q.route = &route;
    conn_close(c.conn);
    check_ok(conn_open(c.engine, &c, &c.conn));
    ask(&c, &q);
    check_body(&c, "proxy", true, "GET http://shop.test/far");
    client_done(&c);
    script_stop(s);
}

static void closing_and_failing_to_connect_are_told_as_they_should(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(DRIVERS); d++) {
        struct script_server *s = script_start(talk_web, NULL, NULL);
        struct client c;
        char url[128];
        client_init(&c, DRIVERS[d].driver, NULL);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/x", (unsigned)s->port);
        struct conn_request q = request_to(url);
        check_ok(conn_send(c.conn, &q));
        assert_int_equal(conn_send(c.conn, &q), -EBUSY);
        conn_close(c.conn); /* given up: no answer comes */
        check_ok(conn_open(c.engine, &c, &c.conn));
        for (int i = 0; i < 5; i++)
            check_ok(conn_engine_wait(c.engine, 1000));
        assert_int_equal(c.answers, 0);
        get(&c, s, "/alive");
        check_body(&c, DRIVERS[d].name, true, "GET /alive");
        uint16_t port = s->port;
        conn_close(c.conn); /* the server waits for its end */
        check_ok(conn_open(c.engine, &c, &c.conn));
        script_stop(s);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/gone", (unsigned)port);
        q = request_to(url);
        ask(&c, &q);
        if (c.error != CONN_CONNECT)
            check_failed("%s: a closed port gave %s '%s'", DRIVERS[d].name, conn_error_name(c.error), c.text.data);
        q = request_to("http://" PAGE "aaaa.test/"); /* a label of 68 bytes: no name, and no name server is asked */
        ask(&c, &q);
        if (c.error != CONN_DNS)
            check_failed("%s: an unknown name gave %s '%s'", DRIVERS[d].name, conn_error_name(c.error), c.text.data);
        client_done(&c);
    }
}

/* ---- TLS ---- */

static void tls_is_checked_and_its_certificate_told(void **state)
{
    (void)state;
    struct identity ca, server;
    identity_make(&ca, "ca.test", NULL);
    identity_make(&server, "shop.test", &ca);
    char path[] = "/tmp/conn-ca-XXXXXX", url[64], resolve[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, ca.certificate_pem, strlen(ca.certificate_pem)), (ssize_t)strlen(ca.certificate_pem));
    close(fd);
    size_t n = 1 << 20;
    AUTO_FREE char *large = malloc(n);
    assert_non_null(large);
    memset(large, 'y', n);
    for (size_t d = 0; d < ARRAY_LEN(DRIVERS); d++) {
        const char *name = DRIVERS[d].name;
        struct script_server *s = script_start(talk_web, NULL, &server);
        struct client c;
        client_init(&c, DRIVERS[d].driver, path);
        snprintf(url, sizeof url, "https://shop.test:%u/safe", (unsigned)s->port);
        snprintf(resolve, sizeof resolve, "shop.test:%u:127.0.0.1", (unsigned)s->port);
        const char *const list[] = {resolve};
        struct conn_route route = {.resolve = list, .n_resolve = 1};
        struct conn_request q = request_to(url);
        q.route = &route;
        ask(&c, &q);
        check_body(&c, name, true, "GET /safe");
        assert_true(c.tls_us > 0 && c.phases_us <= c.took_us);
        if (!c.has_certificate || !strstr(c.subject, "CN=shop.test") || !c.serial[0] ||
            c.certificate.expires_s <= c.certificate.starts_s)
            check_failed("%s: certificate of '%s', number '%s'", name, c.subject, c.serial);
        q.method = "POST";
        q.has_body = true;
        q.body = span_of(large, n);
        ask(&c, &q);
        check_body(&c, name, false, "POST /safe");
        conn_close(c.conn);
        check_ok(conn_open(c.engine, &c, &c.conn));
        struct conn_route other = {.resolve = list, .n_resolve = 1, .ca_file = "/dev/null"};
        q = request_to(url);
        q.route = &other;
        ask(&c, &q);
        if (c.error != CONN_TLS)
            check_failed("%s: an unknown authority gave %s '%s'", name, conn_error_name(c.error), c.text.data);
        q.insecure = true;
        ask(&c, &q);
        check_body(&c, name, true, "GET /safe");
        client_done(&c);
        script_stop(s);
    }
    unlink(path);
    identity_free(&server);
    identity_free(&ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_servers_end_in_an_error_with_a_name),
        cmocka_unit_test(bodies_are_decoded_by_both_drivers_alike),
        cmocka_unit_test(a_compressed_bomb_ends_at_the_limit),
        cmocka_unit_test(connections_live_on_and_are_made_anew_when_the_server_closed_them),
        cmocka_unit_test(methods_options_and_large_bodies_go_over_both_drivers),
        cmocka_unit_test(what_is_not_http1_goes_through_libcurl),
        cmocka_unit_test(closing_and_failing_to_connect_are_told_as_they_should),
        cmocka_unit_test(tls_is_checked_and_its_certificate_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
