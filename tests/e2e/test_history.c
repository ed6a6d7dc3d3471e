/* store import DIR prometheus URL of the real program, from real servers. */
#include "tests/support/e2e.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/wire/http_client.h"
#include "lib/wire/remote_write.h"
#include "tests/support/store_server.h"
#include "tests/support/stub_server.h"
#include "tests/support/write_client.h"

enum { NAMES = 9, SERIES = 5, STEPS = 400 };
#define STEP_MS 15000
#define SAMPLES "18000 samples of 45 series"

/* The same samples to any server, in the order of time. Quarters: VictoriaMetrics rounds longer fractions. */
static void fill(uint16_t port, int64_t base_ms)
{
    struct remote_write_encoder *e;
    struct write_client *c = write_client_new(port);
    struct buf body;
    char why[256];
    check_ok(remote_write_encoder_new(&e));
    buf_init(&body, 64u << 20);
    for (unsigned step = 0; step < STEPS; step++) {
        for (unsigned i = 0; i < NAMES * SERIES; i++) {
            char name[32], instance[32];
            snprintf(name, sizeof name, "past_%u", i % NAMES);
            snprintf(instance, sizeof instance, "a:%u", i);
            struct label pairs[] = {{SPAN("__name__"), span_str(name)}, {SPAN("instance"), span_str(instance)}};
            struct labels ls = {pairs, 2};
            struct sample s = {.t_ms = base_ms + (int64_t)step * STEP_MS, .value = (double)(i + 1) * step / 4};
            check_ok(remote_write_add(e, &ls, &s, 1));
        }
        if (step % 50 != 49)
            continue;
        buf_clear(&body);
        check_ok(remote_write_finish(e, &body));
        int status = write_client_send(c, buf_view(&body), why, sizeof why);
        if (status / 100 != 2)
            check_failed("%d %s", status, why);
    }
    buf_done(&body);
    remote_write_encoder_free(e);
    write_client_free(c);
}

/* What a collector exports that was sent the same. */
static char *expected_text(int64_t base_ms)
{
    struct e2e_program *collector =
        e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("sent"), "--retention", "0"));
    fill(e2e_port(collector), base_ms);
    e2e_stop(collector);
    return e2e_run("crest-collector", E2E_ARGS("store", "export", e2e_path("sent")), 0);
}

/* A door in front of a server: it may stay shut, or want a password. */
struct door {
    char url[64];
    atomic_uint asked, stalls_at; /* from that request on none is answered; 0: never */
    atomic_bool wants_password;
};

static _Thread_local char type[128], encoding[128];

static void pass_on(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    struct door *d = ctx;
    unsigned n = atomic_fetch_add(&d->asked, 1) + 1, stalls_at = atomic_load(&d->stalls_at);
    AUTO_FREE char *url = NULL, *given_type = NULL, *given_encoding = NULL;
    if (stalls_at && n >= stalls_at) {
        page->status = -2;
        return;
    }
    if (atomic_load(&d->wants_password) &&
        !span_equal(stub_header(request->head, "authorization"), SPAN("Basic YWRhOmxvdmVsYWNl"))) {
        page->status = 401;
        page->body = "Unauthorized";
        return;
    }
    if (asprintf(&url, "%s" SPAN_FMT, d->url, SPAN_ARG(request->path)) < 0 ||
        asprintf(&given_type, "Content-Type: " SPAN_FMT, SPAN_ARG(stub_header(request->head, "content-type"))) < 0 ||
        asprintf(&given_encoding, "Content-Encoding: " SPAN_FMT,
                 SPAN_ARG(stub_header(request->head, "content-encoding"))) < 0)
        return;
    const char *headers[] = {given_type, given_encoding, NULL};
    char *method = span_dup(request->method);
    struct http_request q = {.method = method, .url = url, .headers = headers, .body = request->body};
    if (request->body.len == 0)
        q.headers = NULL;
    struct http_response response;
    page->status = http_fetch(&q, &response) < 0 ? 502 : response.status;
    snprintf(type, sizeof type, SPAN_FMT, SPAN_ARG(http_response_header(&response, "content-type")));
    struct span coded = http_response_header(&response, "content-encoding");
    encoding[0] = '\0';
    if (coded.len)
        snprintf(encoding, sizeof encoding, "Content-Encoding: " SPAN_FMT "\r\n", SPAN_ARG(coded));
    page->content_type = type;
    page->headers = encoding;
    page->owned = buf_take(&response.body, &page->body_bytes);
    http_response_done(&response);
    free(method);
}

static bool is_stalled(void *ctx)
{
    struct door *d = ctx;
    return atomic_load(&d->asked) >= atomic_load(&d->stalls_at);
}

static void an_import_that_was_killed_goes_on_and_the_past_is_whole(void **state)
{
    (void)state;
    if (!store_server_have(STORE_PROMETHEUS))
        skip();
    int64_t base_ms = unix_ms() - (int64_t)STEPS * STEP_MS;
    char from[32], program[512], dir[512];
    struct door door = {0};
    struct stub_server *stub;
    struct store_server *server = store_server_start(STORE_PROMETHEUS, 0);
    fill(store_server_port(server), base_ms);
    snprintf(door.url, sizeof door.url, "http://127.0.0.1:%u", store_server_port(server));
    snprintf(from, sizeof from, "%lld", (long long)(base_ms / 1000));
    snprintf(dir, sizeof dir, "%s", e2e_path("imported"));
    const char *bin = getenv("CREST_BIN");
    snprintf(program, sizeof program, "%s/crest-collector", bin ? bin : "build/release");
    check_ok(stub_server_start(0, pass_on, &door, &stub));
    for (unsigned killed = 0; killed < 4; killed++) { /* at once, and in the middle, again and again */
        atomic_store(&door.stalls_at, atomic_load(&door.asked) + 2 + 2 * killed);
        struct e2e_program *import = e2e_start_other((const char *const[]){
            program, "store", "import", dir, "prometheus", stub_server_url(stub), "--from", from, NULL});
        e2e_wait(60000, is_stalled, &door);
        e2e_kill(import);
    }
    atomic_store(&door.stalls_at, 0);
    unsigned asked = atomic_load(&door.asked);
    free(e2e_run("crest-collector",
                 E2E_ARGS("store", "import", dir, "prometheus", stub_server_url(stub), "--from", from), 0));
    assert_true(atomic_load(&door.asked) - asked < NAMES + 3); /* some names were finished before */
    char *text = e2e_run("crest-collector", E2E_ARGS("store", "export", dir), 0), *expected = expected_text(base_ms);
    assert_string_equal(text, expected);
    free(text);
    text = e2e_run("crest-collector", E2E_ARGS("store", "check", dir), 0);
    check_contains(text, ": 0 bad; ");
    free(text);
    /* once more from the beginning: all of it is known, and that is no fault */
    text = e2e_run("crest-collector",
                   E2E_ARGS("store", "import", "prometheus", stub_server_url(stub), "--data", dir, "--from", from), 0);
    check_contains(text, SAMPLES);
    free(text);
    free(expected);
    stub_server_stop(stub);
    (void)store_server_stop(server);
    store_server_remove(server);
}

static void victoria_metrics_is_imported_by_range_selectors(void **state)
{
    (void)state;
    if (!store_server_have(STORE_VICTORIA))
        skip();
    int64_t base_ms = unix_ms() - (int64_t)(STEPS + 10) * STEP_MS;
    char from[32], to[32], url[64], flush[128], dir[512];
    struct store_server *server = store_server_start(STORE_VICTORIA, 0);
    fill(store_server_port(server), base_ms);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", store_server_port(server));
    snprintf(flush, sizeof flush, "%s/internal/force_flush", url);
    snprintf(from, sizeof from, "%lld", (long long)(base_ms / 1000));
    snprintf(to, sizeof to, "%lld", (long long)(unix_ms() / 1000));
    snprintf(dir, sizeof dir, "%s", e2e_path("imported"));
    assert_int_equal(e2e_try("GET", flush, NULL, (struct span){NULL, 0}, NULL), 200);
    char *text = e2e_run("crest-collector",
                         E2E_ARGS("store", "import", dir, "prometheus", url, "--from", from, "--to", to, "--match",
                                  "{__name__=~\"past_.*\"}"),
                         0);
    check_contains(text, SAMPLES);
    free(text);
    text = e2e_run("crest-collector", E2E_ARGS("store", "export", dir), 0);
    char *expected = expected_text(base_ms);
    assert_string_equal(text, expected);
    free(text);
    free(expected);
    (void)store_server_stop(server);
    store_server_remove(server);
}

static void no_such_path(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    (void)ctx;
    bool names = span_starts(request->path, SPAN("/api/v1/label/"));
    page->status = names ? 200 : 404;
    page->body = names ? "{\"status\":\"success\",\"data\":[]}" : "404";
}

static void wrong_addresses_times_and_credentials_are_told(void **state)
{
    (void)state;
    static const char *const FROM = "2026-11-20T00:00:00Z";
    char dir[512], url[64], auth[512];
    struct door door = {0};
    struct stub_server *nothing, *stub;
    snprintf(dir, sizeof dir, "%s", e2e_path("imported"));
    snprintf(auth, sizeof auth, "%s", e2e_write("auth", "ada:lovelace\n"));
    free(e2e_run("crest-collector", E2E_ARGS("store", "import", dir, "prometheus", "old:9090", "--from", FROM), 2));
    free(e2e_run("crest-collector", E2E_ARGS("store", "import", dir, "prometheus", "http://127.0.0.1:1"), 2));
    free(e2e_run("crest-collector", E2E_ARGS("store", "import", dir, "http://127.0.0.1:1", "--from", FROM), 2));
    free(e2e_run("crest-collector",
                 E2E_ARGS("store", "import", dir, "prometheus", "http://127.0.0.1:1", "--from", "2126-01-01T00:00:00Z"),
                 2));
    free(e2e_run("crest-collector",
                 E2E_ARGS("store", "import", dir, "prometheus", "http://127.0.0.1:1", "--from", FROM, "--match", "{"),
                 2));
    free(e2e_run("crest-collector",
                 E2E_ARGS("store", "import", dir, "prometheus", "http://127.0.0.1:1", "--from", FROM), 1));
    check_ok(stub_server_start(0, no_such_path, NULL, &nothing));
    snprintf(door.url, sizeof door.url, "%s", stub_server_url(nothing));
    atomic_store(&door.wants_password, true);
    check_ok(stub_server_start(0, pass_on, &door, &stub));
    snprintf(url, sizeof url, "%s", stub_server_url(stub));
    free(e2e_run("crest-collector", E2E_ARGS("store", "import", dir, "prometheus", url, "--from", FROM), 1));
    char *text = e2e_run("crest-collector",
                         E2E_ARGS("store", "import", dir, "prometheus", url, "--from", FROM, "--auth-file", auth), 0);
    check_contains(text, "0 samples of 0 series");
    free(text);
    stub_server_stop(stub);
    stub_server_stop(nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_import_that_was_killed_goes_on_and_the_past_is_whole, e2e_teardown),
        cmocka_unit_test_teardown(victoria_metrics_is_imported_by_range_selectors, e2e_teardown),
        cmocka_unit_test_teardown(wrong_addresses_times_and_credentials_are_told, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
