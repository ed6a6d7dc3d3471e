/* The Hurl language as crest-loadgen test runs it: the files of tests/hurl against a server that shows what it was sent, each with the result that its
 * first line names. */
#include <stdatomic.h>
#include <string.h>
#include <sys/un.h>
#include <zlib.h>

#include "lib/base/file.h"
#include "lib/base/number.h"
#include "tests/support/e2e.h"
#include "tests/support/stub_server.h"
#include "tests/unit/loadgen/engine/script_server.h"

#define ARGUMENTS_MAX 64

static struct stub_server *server;
static struct script_server *tls_server, *socket_server;
static struct identity ca, shop, client;
static char *gzipped;
static size_t gzipped_bytes;
static _Atomic unsigned flaky;

/* ---- the server ---- */

static const char JSON[] =
    "{\"id\":42,\"price\":9.5,\"big\":1000000000000000000000,\"ok\":true,\"none\":null,\"empty\":\"\","
    "\"name\":\"Caf\\u00e9 \\\"au lait\\\"\",\"list\":[1,2,3],\"none_list\":[],\"obj\":{\"a\":1},"
    "\"items\":[{\"sku\":\"A\",\"n\":1},{\"sku\":\"B\",\"n\":2}],\"date\":\"2026-11-27T00:00:00.123Z\","
    "\"old_date\":\"2020-01-01T00:00:00Z\",\"uuid\":\"3fa85f64-5717-4562-b3fc-2c963f66afa6\",\"ip4\":\"127.0.0.1\","
    "\"ip6\":\"::1\",\"b64\":\"SGVsbG8=\",\"b64url\":\"PDw_Pz8-Pg\",\"text\":\"a < b & c\","
    "\"html\":\"a &gt; b &amp;&amp; &#x41;\",\"url\":\"https://shop.test/a "
    "b?x=1&y=%C3%A9\",\"encoded\":\"a%20b/%C3%A9\","
    "\"inner\":\"{\\\"z\\\":[7]}\",\"page\":\"<p>so "
    "<b>bold</b></p>\",\"csv\":\"a,b,c\",\"number\":\"123\",\"float\":\"1.5\"}";
static const char HTML[] = "<!doctype html><title>A page</title><form><input name=csrf value='t0k&amp;n'></form>"
                           "<ul><li>one<li>two</ul>";
static const char NAMESPACES[] = "<book xmlns='urn:books' xmlns:isbn='urn:isbn'><title>Sale</title>"
                                 "<isbn:number>156</isbn:number></book>";

static const struct {
    const char *path, *type, *headers, *body;
    int status;
} PAGES[] = {
    {"/json", "application/json",
     "X-Twice: a\r\nX-Twice: b\r\nSet-Cookie: sid=s1; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; "
     "Expires=Wed, 13 Jan 2021 22:23:01 GMT\r\n",
     JSON, 200},
    {"/obj", "application/json", NULL, "{\"a\":\"x\",\"b\":[1,2]}", 200},
    {"/html", "text/html; charset=utf-8", NULL, HTML, 200},
    {"/xml", "application/xml", NULL,
     "<?xml version=\"1.0\"?><items><item id='1'>a</item><item id='2'>caf\xc3\xa9</item></items>", 200},
    {"/blanks", "text/html", NULL, "<ul>\n<li>1</li>\n<li>2</li></ul>", 200},
    {"/xml-latin1", "text/xml; charset=ISO-8859-1", NULL, "<?xml version='1.0' encoding='ISO-8859-1'?><a>caf\xe9</a>",
     200},
    {"/xml-broken", "application/xml", NULL, "<a><b></a>", 200},
    {"/namespaces", "text/xml", NULL, NAMESPACES, 200},
    {"/text", "text/plain", NULL, "hello", 200},
    {"/lines", "text/plain", NULL, "a\nb\n", 200},
    {"/file", "text/plain", NULL, "Hello from a file {{not_a_template}}\n", 200},
    {"/latin1", "text/plain; charset=ISO-8859-1", NULL, "caf\xe9", 200},
    {"/latin1-as-utf8", "text/plain; charset=utf-8", NULL, "caf\xe9", 200},
    {"/no-charset", "text/plain; charset=no-such", NULL, "caf\xe9", 200},
    {"/gb2312", "text/plain; charset=\"gb2312\"", NULL, "\xc4\xe3\xba\xc3", 200},
    {"/no-encoding", "text/plain", "Content-Encoding: no-such\r\n", "hello", 200},
    {"/bad-gzip", "text/plain", "Content-Encoding: gzip\r\n", "hello", 200},
    {"/status/418", "text/plain", NULL, "teapot", 418},
    {"/status/500", "text/plain", NULL, "broken", 500},
    {"/redirect/1", NULL, "Location: /text\r\n", "", 302},
    {"/redirect/2", NULL, "Location: /redirect/1\r\n", "", 301},
    {"/redirect/3", NULL, "Location: redirect/../2\r\n", "", 307},
};

static void answer(void *ctx, const struct stub_request *r, struct stub_page *page)
{
    (void)ctx;
    struct span path = r->path;
    path.len = span_find(path, '?');
    for (size_t i = 0; i < ARRAY_LEN(PAGES); i++)
        if (span_equal(path, span_str(PAGES[i].path))) {
            page->status = PAGES[i].status;
            page->content_type = PAGES[i].type;
            page->headers = PAGES[i].headers;
            page->body = PAGES[i].body;
            return;
        }
    struct span authorization = stub_header(r->head, "Authorization");
    if (span_search(path, SPAN("/echo")) < path.len) {
        page->content_type = "application/json";
        page->owned = stub_echo(r);
    } else if (span_equal(path, SPAN("/gzip"))) {
        page->content_type = "text/plain";
        page->headers = "Content-Encoding: gzip\r\n";
        page->body = gzipped;
        page->body_bytes = gzipped_bytes;
    } else if (span_starts(path, SPAN("/flaky/"))) { /* every other time it is well */
        page->status = atomic_fetch_add(&flaky, 1) % 2 ? 200 : 503;
        page->body = "now and then";
    } else if (span_equal(path, SPAN("/elsewhere"))) { /* the same server by another name */
        static _Thread_local char location[64];
        snprintf(location, sizeof location, "Location: http://localhost:%u/echo\r\n",
                 (unsigned)stub_server_port(server));
        page->status = 302;
        page->headers = location;
    } else if (span_equal(path, SPAN("/slow"))) {
        page->delay_ms = 2000;
        page->body = "late";
    } else if (span_equal(path, SPAN("/digest"))) {
        bool known = span_starts(authorization, SPAN("Digest username=\"bob\", realm=\"shop\"")) &&
                     span_search(authorization, SPAN("uri=\"/digest\"")) < authorization.len;
        page->status = known ? 200 : 401;
        page->headers = known ? NULL : "WWW-Authenticate: Digest realm=\"shop\", nonce=\"n0nce\", qop=\"auth\"\r\n";
        page->body = known ? "welcome" : "who?";
    } else {
        page->status = 404;
        page->body = "no such page";
    }
}

/* One request per connection: another may come by another way meanwhile. */
static void say_what_was_asked(struct script_server *s, struct peer *p)
{
    (void)s;
    char line[512], text[1024];
    if (!peer_hears(p, line, sizeof line))
        return;
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(line),
             line);
    (void)peer_say(p, text);
    if (p->tls)
        (void)gnutls_bye(p->tls, GNUTLS_SHUT_WR);
}

static struct script_server *socket_start(const char *path)
{
    struct script_server *s = calloc(1, sizeof *s);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    assert_non_null(s);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    s->talk = say_what_was_asked;
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    check_ok(thread_start("socket", script_main, s, &s->thread));
    return s;
}

static void compress_page(void)
{
    static const char TEXT[] = "hello gzip";
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    gzipped = calloc(1, 256);
    assert_non_null(gzipped);
    z.next_in = (unsigned char *)(uintptr_t)TEXT;
    z.avail_in = sizeof TEXT - 1;
    z.next_out = (unsigned char *)gzipped;
    z.avail_out = 256;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    gzipped_bytes = 256 - z.avail_out;
    deflateEnd(&z);
}

static int start_servers(void **state)
{
    (void)state;
    atomic_store(&flaky, 0);
    compress_page();
    identity_make(&ca, "ca.test", NULL);
    identity_make(&shop, "shop.test", &ca);
    identity_make(&client, "client.test", &ca);
    check_ok(stub_server_start(0, answer, NULL, &server));
    tls_server = script_start(say_what_was_asked, NULL, &shop);
    socket_server = socket_start(e2e_path("s"));
    return 0;
}

static int stop_servers(void **state)
{
    stub_server_stop(server);
    script_stop(tls_server);
    script_stop(socket_server);
    identity_free(&ca);
    identity_free(&shop);
    identity_free(&client);
    free(gzipped);
    return e2e_teardown(state);
}

/* ---- one file ---- */

static const char *pin_of(const struct identity *id)
{
    static char text[128];
    unsigned char hash[64];
    size_t n = sizeof hash;
    gnutls_datum_t encoded;
    assert_int_equal(gnutls_x509_crt_get_key_id(id->certificate, GNUTLS_KEYID_USE_SHA256, hash, &n), 0);
    gnutls_datum_t bytes = {hash, (unsigned)n};
    assert_int_equal(gnutls_base64_encode2(&bytes, &encoded), 0);
    snprintf(text, sizeof text, "sha256//%.*s", (int)encoded.size, encoded.data);
    gnutls_free(encoded.data);
    return text;
}

struct arguments {
    const char *list[ARGUMENTS_MAX];
    size_t n;
    char *owned[16];
    size_t n_owned;
};

static void add(struct arguments *a, const char *text)
{
    assert_true(a->n + 1 < ARGUMENTS_MAX);
    a->list[a->n++] = text;
}

static void add_variable(struct arguments *a, const char *name, const char *value)
{
    char text[8192];
    snprintf(text, sizeof text, "%s=%s", name, value);
    add(a, "--variable");
    assert_true(a->n_owned < ARRAY_LEN(a->owned));
    a->owned[a->n_owned] = strdup(text);
    add(a, a->owned[a->n_owned++]);
}

static void arguments_init(struct arguments *a)
{
    char port[16], tls_port[16];
    *a = (struct arguments){0};
    snprintf(port, sizeof port, "%u", (unsigned)stub_server_port(server));
    snprintf(tls_port, sizeof tls_port, "%u", (unsigned)tls_server->port);
    add(a, "test");
    const char *const VARIABLES[][2] = {{"host", stub_server_url(server)},
                                        {"port", port},
                                        {"tls_port", tls_port},
                                        {"ca", e2e_write("ca.pem", ca.certificate_pem)},
                                        {"client_cert", e2e_write("client.pem", client.certificate_pem)},
                                        {"client_key", e2e_write("client.key", client.key_pem)},
                                        {"pin", pin_of(&shop)},
                                        {"socket", e2e_path("s")}};
    for (size_t i = 0; i < ARRAY_LEN(VARIABLES); i++)
        add_variable(a, VARIABLES[i][0], VARIABLES[i][1]);
}

static void arguments_done(struct arguments *a)
{
    for (size_t i = 0; i < a->n_owned; i++)
        free(a->owned[i]);
}

/* The text of a comment line "# name: …", or "". */
static struct span heading(struct span text, const char *name, char *to, size_t n)
{
    char start[32];
    struct span line;
    snprintf(start, sizeof start, "# %s: ", name);
    to[0] = '\0';
    while (span_cut(&text, '\n', &line) && span_starts(line, SPAN("#")))
        if (span_starts(line, span_str(start)))
            snprintf(to, n, SPAN_FMT, SPAN_ARG(span_from(line, strlen(start))));
    return span_str(to);
}

/* "--a b --c "d e"", cut in place. */
static void add_words(struct arguments *a, char *text)
{
    while (*text) {
        while (*text == ' ')
            text++;
        char end = *text == '"' ? '"' : ' ';
        text += end == '"';
        if (!*text)
            break;
        add(a, text);
        text += strcspn(text, (char[2]){end, 0});
        if (*text)
            *text++ = '\0';
    }
}

/* Every "FILE:line:col" of stderr, in order. */
static void check_places(const char *file, struct span wanted, const char *log)
{
    struct buf found;
    buf_init(&found, 65536);
    size_t n = strlen(file);
    for (const char *at = log; (at = strstr(at, file)); at += n) {
        uint64_t line, column;
        struct span rest = span_str(at + n), number;
        if (*rest.ptr != ':')
            continue;
        rest = span_from(rest, 1);
        number = span_of(rest.ptr, strspn(rest.ptr, "0123456789"));
        if (number.len == 0 || parse_u64_span(number, UINT32_MAX, &line) < 0 || rest.ptr[number.len] != ':')
            continue;
        rest = span_from(rest, number.len + 1);
        number = span_of(rest.ptr, strspn(rest.ptr, "0123456789"));
        if (number.len == 0 || parse_u64_span(number, UINT32_MAX, &column) < 0)
            continue;
        buf_printf(&found, "%s%u:%u", found.len ? " " : "", (unsigned)line, (unsigned)column);
    }
    if (!span_equal(wanted, buf_view(&found)))
        check_failed("%s: failures at " SPAN_FMT "\nwanted at " SPAN_FMT "\n%s", file, SPAN_ARG(buf_view(&found)),
                     SPAN_ARG(wanted), log);
    buf_done(&found);
}

struct expectation {
    int64_t code;
    char places[512], words[512];
};

static struct expectation expectation_of(const char *path)
{
    struct expectation e = {0};
    char expected[512], *text = NULL;
    size_t n;
    check_ok(file_read(path, 1u << 20, &text, &n));
    struct span expect = heading(span_of(text, n), "expect", expected, sizeof expected);
    heading(span_of(text, n), "args", e.words, sizeof e.words);
    struct span first = span_of(expect.ptr, span_find(expect, ' '));
    if (parse_i64_span(first, 0, 9, &e.code) < 0)
        check_failed("%s: no '# expect:' line", path);
    snprintf(e.places, sizeof e.places, SPAN_FMT, SPAN_ARG(span_trim(span_from(expect, first.len))));
    free(text);
    return e;
}

static void run_file(const char *path, struct expectation *e)
{
    char *log = NULL;
    struct arguments a;
    arguments_init(&a);
    add_words(&a, e->words);
    add(&a, path);
    add(&a, NULL);
    printf("  %s\n", path);
    free(e2e_run("crest-loadgen", a.list, (int)e->code));
    check_ok(file_read(e2e_path("run.log"), 1u << 24, &log, NULL));
    check_places(path, span_str(e->places), log);
    arguments_done(&a);
    free(log);
}

/* Those that hold as they are go in one process, one after the other. */
static void every_file_comes_to_what_it_says(void **state)
{
    (void)state;
    struct file_list files;
    struct arguments together;
    size_t n = 0;
    check_ok(file_glob("tests/hurl/*.hurl", &files));
    assert_true(files.n >= 20);
    arguments_init(&together);
    add(&together, "--jobs");
    add(&together, "1");
    for (size_t i = 0; i < files.n; i++) {
        struct expectation e = expectation_of(files.paths[i]);
        if (e.code || e.words[0]) {
            run_file(files.paths[i], &e);
        } else {
            add(&together, files.paths[i]);
            n++;
        }
    }
    add(&together, NULL);
    free(e2e_run("crest-loadgen", together.list, 0));
    assert_true(n >= 10);
    arguments_done(&together);
    file_list_done(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_file_comes_to_what_it_says, start_servers, stop_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
