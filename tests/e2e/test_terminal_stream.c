/* What crest-tui makes of its collector: lines and JSON for pipes, and collectors that are away, slow, old or wrong. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/process.h"
#include "lib/term/cells.h"
#include "lib/wire/json.h"
#include "tests/support/query.h"
#include "tests/support/samples.h"
#include "tests/support/stub_server.h"
#include "tests/support/tmux.h"

#define STREAM "/api/crest/v1/stream"
#define WAIT_MS 60000
#define NEEDS_TMUX()                                                                                                   \
    if (!e2e_have("tmux"))                                                                                             \
    skip()

static struct stub_page stream_of(const char *body)
{
    return (struct stub_page){.content_type = "text/event-stream", .body = body, .open_ended = true};
}

/* crest-tui with a pipe for its lines. */
static struct process *start_lines(const char *url, const char *option)
{
    char path[4096];
    const char *bin = getenv("CREST_BIN");
    struct process *p;
    snprintf(path, sizeof path, "%s/crest-tui", bin && *bin ? bin : "build/release");
    check_ok(process_start((const char *const[]){path, option, url, NULL}, &(struct process_options){0}, &p));
    return p;
}

static void expect_line(struct process *p, const char *text, const char *there)
{
    char line[8192];
    int r = process_wait_line(p, text, WAIT_MS, line, sizeof line);
    if (r < 0)
        check_failed("no line with '%s': %s", text, strerror(-r));
    check_contains(line, there);
}

static void end_lines(struct process *p)
{
    int status;
    assert_int_equal(process_stop(p, WAIT_MS, &status), 0);
    assert_int_equal(status, 128 + SIGTERM);
    process_free(p);
}

/* ---- a collector as it should be ---- */

static void the_state_comes_as_lines_and_as_json(void **state UNUSED)
{
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    struct sample_batch *b = sample_batch_new();
    int64_t now = unix_ms();
    for (int64_t s = -20; s <= 0; s++) {
        sample_batch_add(b, "commerce:throughput_rps|service=shop|stack=otel|tier=app", now + s * 1000, 24.5);
        sample_batch_add(b, "commerce:error_ratio|service=shop|stack=otel|tier=app", now + s * 1000, 0.0);
        sample_batch_add(b, "commerce:orders_per_minute|channel=web|currency=EUR|market=de|service=shop",
                         now + s * 1000, 31);
    }
    sample_batch_send(b, c);
    AUTO_FREE char *lines = e2e_run("crest-tui", E2E_ARGS("--once", e2e_url(c)), 0);
    check_contains(lines, "\nno alert fires\n");
    check_contains(lines, "\nshop: ");
    check_contains(lines, "; 24.5 requests/s, errors 0 %, p95 \xe2\x80\x93\n");
    check_contains(lines, "\nmarket shop/de/web/EUR: 31 orders/min, \xe2\x80\x93 EUR/min\n");
    assert_null(strchr(lines, '\033'));
    AUTO_FREE char *json = e2e_run("crest-tui", E2E_ARGS("--once", "--json", e2e_url(c)), 0);
    struct parse_error error;
    json_t *root = json_read(span_str(json), &error);
    assert_non_null(root);
    json_t *shop = json_object_get(json_object_get(json_object_get(root, "sections"), "services"), "shop");
    check_double_bits(json_number_value(json_object_get(json_object_get(shop, "signals"), "throughput_rps")), 24.5);
    assert_true(json_integer_value(json_object_get(root, "t")) >= now - 1000);
    assert_true(strlen(json_string_value(json_object_get(root, "id"))) > 0);
    json_decref(root);
    /* every state is a line of its own; a pipe gets lines without being asked to */
    struct process *p = start_lines(e2e_url(c), "--json");
    expect_line(p, "\"sections\"", "{\"id\":\"");
    expect_line(p, "\"sections\"", "{\"id\":\"");
    end_lines(p);
    p = start_lines(e2e_url(c), "--no-color");
    expect_line(p, "state at", "state at 2");
    expect_line(p, "shop: ", "24.5 requests/s");
    end_lines(p);
    e2e_stop(c);
}

struct chapters {
    const char *const *bodies;
    atomic_size_t n;
};

/* A piece of the stream for each connection, so that no two of them come in one turn. */
static void on_chapter(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    struct chapters *c = ctx;
    if (!span_equal(request->path, SPAN(STREAM))) {
        page->status = 404;
        return;
    }
    size_t i = atomic_fetch_add(&c->n, 1);
    page->content_type = "text/event-stream";
    page->body = i < 4 ? c->bodies[i] : "event: hb\ndata: {\"t\":1795802409000}\n\n";
    page->open_ended = i >= 3;
}

static void a_moment_before_it_was_started_is_asked_for(void **state UNUSED)
{
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    struct sample_batch *b = sample_batch_new();
    int64_t now = unix_ms();
    for (int64_t s = -300; s <= 0; s++)
        sample_batch_add(b, "commerce:throughput_rps|service=shop|stack=otel|tier=app", now + s * 1000,
                         s < -100 ? 111 : 222);
    sample_batch_send(b, c);
    char script[1000], then[NUMBER_TEXT_MAX];
    AUTO_FREE char *past = strdup(e2e_path("past")), *back = strdup(e2e_path("back"));
    format_rfc3339_ms(then, now - 200000);
    snprintf(script, sizeof script,
             ":size 100x30\n:await live\n2\n:await requests/s 222\n:at %s\n:await PAUSED\n:await requests/s 111\n"
             ":await \xe2\xa3\xbf\n:save-display %s\nH\n:await requests/s 111\n0\n:await requests/s 222\n"
             ":save-display %s\n",
             then, past, back);
    free(e2e_run("crest-tui", E2E_ARGS("--script", e2e_write("script", script), e2e_url(c)), 0));
    AUTO_FREE char *screen = NULL, *live = NULL;
    check_ok(file_read(past, BODY_BYTES_MAX, &screen, NULL));
    check_ok(file_read(back, BODY_BYTES_MAX, &live, NULL));
    check_contains(screen, " past ");
    check_contains(screen, "unknown  shop"); /* whether it was well then nobody recorded */
    check_contains(screen, "\xe2\x94\x82");
    check_contains(live, " live ");
    e2e_stop(c);
}

static void changes_come_as_lines_with_their_time(void **state UNUSED)
{
    static const char *const BODIES[] = {
        "id: a-1\nevent: snapshot\ndata: "
        "{\"t\":1795802400000,\"sections\":{\"services\":{\"shop\":{\"state\":\"ok\"}}}}\n\n",
        "id: a-2\nevent: delta\ndata: "
        "{\"t\":1795802401000,\"sections\":{\"services\":{\"shop\":{\"state\":\"ok\"}}}}\n\n"
        "id: a-3\nevent: alert\ndata: {\"t\":1795802402000,\"sections\":{\"alerts\":{\"x\":{\"name\":\"Stuck\","
        "\"state\":\"firing\",\"severity\":\"page\",\"service\":\"shop\",\"summary\":\"nothing "
        "moves\",\"since\":1795802402000}}}}\n\n",
        "id: a-4\nevent: delta\ndata: "
        "{\"t\":1795802403000,\"sections\":{\"services\":{\"shop\":{\"state\":\"crit\",\"why\":\"Stuck\"}}}}\n\n",
        "id: a-5\nevent: alert\ndata: {\"t\":1795802404000,\"sections\":{},\"removed\":{\"alerts\":[\"x\"]}}\n\n"};
    struct chapters chapters = {.bodies = BODIES};
    struct stub_server *s;
    check_ok(stub_server_start(0, on_chapter, &chapters, &s));
    struct process *p = start_lines(stub_server_url(s), "--plain");
    expect_line(p, "", "state at 2026-11-27T18:00:00.000Z");
    expect_line(p, "", "no alert fires");
    expect_line(p, "", "shop: ok");
    expect_line(p, "", "the collector ended the stream");
    expect_line(p, "18:00:02", "18:00:02 PAGE shop: nothing moves"); /* and not again that shop is well */
    expect_line(p, "18:00:03", "18:00:03 shop: crit, Stuck;");
    expect_line(p, "18:00:04", "18:00:04 over: shop: nothing moves");
    end_lines(p);
    stub_server_stop(s);
}

/* ---- one that is away, ends, or cuts ---- */

struct flaky {
    pthread_mutex_t lock;
    int64_t asked_us[16];
    char last_id[16][64];
    size_t n;
    const char *first; /* the first answer; those after it are 503 but for the last */
    size_t good_again; /* this one is a stream again */
};

static void on_flaky(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    struct flaky *f = ctx;
    if (!span_equal(request->path, SPAN(STREAM))) {
        page->status = 404;
        return;
    }
    pthread_mutex_lock(&f->lock);
    size_t i = f->n < ARRAY_LEN(f->asked_us) ? f->n++ : ARRAY_LEN(f->asked_us) - 1;
    f->asked_us[i] = mono_us();
    snprintf(f->last_id[i], sizeof f->last_id[i], SPAN_FMT, SPAN_ARG(stub_header(request->head, "last-event-id")));
    pthread_mutex_unlock(&f->lock);
    page->content_type = "text/event-stream";
    if (i == 0) {
        page->body = f->first;
    } else if (i < f->good_again) {
        page->status = 503;
        page->headers = i == 2 ? "Retry-After: 4\r\n" : NULL;
    } else {
        page->body =
            "id: b-1\nevent: snapshot\ndata: {\"t\":1795802409000,\"sections\":{\"services\":{\"back\":{\"state\":"
            "\"ok\"}}}}\n\n";
        page->open_ended = true;
    }
}

static void a_lost_stream_is_said_and_tried_again_more_and_more_slowly(void **state UNUSED)
{
    struct flaky f = {.lock = PTHREAD_MUTEX_INITIALIZER, .good_again = 4};
    /* the third frame is cut in the middle: its id is not the one to go on from, and nothing of it is shown */
    f.first = "id: a-1\nevent: snapshot\ndata: "
              "{\"t\":1795802400000,\"sections\":{\"services\":{\"shop\":{\"state\":\"ok\"}}}}\n\n"
              "id: a-2\nevent: delta\ndata: "
              "{\"t\":1795802401000,\"sections\":{\"services\":{\"shop\":{\"state\":\"warn\"}}}}\n\n"
              "id: a-3\nevent: delta\ndata: "
              "{\"t\":1795802402000,\"sections\":{\"services\":{\"shop\":{\"state\":\"crit\"}}}}\n";
    struct stub_server *s;
    check_ok(stub_server_start(0, on_flaky, &f, &s));
    struct process *p = start_lines(stub_server_url(s), "--plain");
    expect_line(p, "state at", "state at 2026-11-27T18:00:0");
    expect_line(p, "warn", "shop: warn");
    expect_line(p, "STALE", "the collector ended the stream");
    expect_line(p, "", "the stream is back"); /* and not a word of crit */
    expect_line(p, "", "18:00:09 back: ok");
    end_lines(p);
    pthread_mutex_lock(&f.lock);
    assert_int_equal(f.n, 5);
    assert_string_equal(f.last_id[0], "");
    for (size_t i = 1; i < f.n; i++)
        assert_string_equal(f.last_id[i], "a-2");
    static const int64_t AT_LEAST_MS[] = {500, 1000, 4000 /* Retry-After */, 4000};
    for (size_t i = 0; i + 1 < f.n; i++)
        if (f.asked_us[i + 1] - f.asked_us[i] < AT_LEAST_MS[i] * 1000 - 20000)
            check_failed("try %zu came %lld ms after the one before", i + 1,
                         (long long)(f.asked_us[i + 1] - f.asked_us[i]) / 1000);
    pthread_mutex_unlock(&f.lock);
    stub_server_stop(s);
}

static void what_is_no_collector_is_said_in_words(void **state UNUSED)
{
    AUTO_FREE char *endless = malloc((6u << 20) + 1);
    assert_non_null(endless);
    memset(endless, 'x', 6u << 20);
    endless[6u << 20] = '\0';
    const struct {
        struct stub_page page;
        const char *option, *says;
    } CASES[] = {
        {{.status = 200, .content_type = "text/html", .body = "<!doctype html><title>Welcome to nginx!</title>"},
         "--plain",
         "what answers is no collector"},
        {{.status = 401, .body = "no"}, "--plain", "the collector wants credentials: --auth-file FILE (HTTP 401)"},
        {{.status = 403, .body = "no"}, "--plain", "the collector refuses (HTTP 403)"},
        {{.status = 404, .body = "no"}, "--plain", "this collector has no stream (HTTP 404): is it old?"},
        {{.status = 500, .body = "no"}, "--plain", "the collector answers HTTP 500"},
        {{.status = 302, .headers = "Location: /login\r\n", .body = "no"}, "--plain", "the collector answers HTTP 302"},
        {{.status = 200, .content_type = "text/event-stream", .body = endless},
         "--plain",
         "what comes is not a stream"},
        {{.status = 200, .content_type = "text/event-stream", .body = "data: {}\n\nevent: x\ndata: y\n\n"},
         "--plain",
         "what answers is no collector"},
        {{.status = -1}, "--plain", "trying again in"},
    };
    struct stub_server *s;
    check_ok(stub_server_start(0, NULL, NULL, &s));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        stub_server_page(s, STREAM, &CASES[i].page);
        struct process *p = start_lines(stub_server_url(s), CASES[i].option);
        expect_line(p, "STALE", CASES[i].says);
        end_lines(p);
        /* a script wants to know at once */
        free(e2e_run("crest-tui", E2E_ARGS("--once", stub_server_url(s)), 1));
    }
    stub_server_stop(s);
    free(e2e_run("crest-tui", E2E_ARGS("--once", "ftp://127.0.0.1/"), 2));
}

static void on_guarded(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    (void)ctx;
    if (!span_equal(stub_header(request->head, "authorization"), SPAN("Bearer s3cret"))) {
        page->status = 401;
        return;
    }
    page->body =
        "id: a-1\nevent: snapshot\ndata: {\"t\":1795802400000,\"sections\":{\"services\":{\"inside\":{}}}}\n\n";
    page->open_ended = true;
}

static void the_token_of_a_file_lets_it_in(void **state UNUSED)
{
    struct stub_server *s;
    check_ok(stub_server_start(0, on_guarded, NULL, &s));
    free(e2e_run("crest-tui", E2E_ARGS("--once", stub_server_url(s)), 1));
    free(e2e_run("crest-tui", E2E_ARGS("--once", "--auth-file", e2e_write("wrong", "other\n"), stub_server_url(s)), 1));
    free(e2e_run("crest-tui", E2E_ARGS("--once", "--auth-file", e2e_path("missing"), stub_server_url(s)), 1));
    const char *file = e2e_write("token", "s3cret\n");
    AUTO_FREE char *lines = e2e_run("crest-tui", E2E_ARGS("--once", "--auth-file", file, stub_server_url(s)), 0);
    check_contains(lines, "inside: unknown");
    stub_server_stop(s);
}

/* ---- old and slow ones, in a terminal ---- */

static const char OLD_FRAME[] =
    "event: snapshot\ndata: {\"t\":1795802400000,\"sections\":{\"services\":{\"shop\":{}},\"alerts\":{\"a\":{}},"
    "\"markets\":{\"m\":{}},\"steps\":{\"s\":{}},\"targets\":{\"t\":{}},\"coverage\":{\"shop\":{}},\"event\":{\"e\":{}}"
    ","
    "\"annotations\":{\"1\":{}},\"news\":{\"n\":{}}}}\n\n";

static void a_collector_that_says_less_is_shown_as_unknown(void **state UNUSED)
{
    static const char *const FRAMES[] = {
        "event: snapshot\ndata: {\"t\":1795802400000,\"sections\":{}}\n\n",
        "event: snapshot\ndata: "
        "{\"t\":1795802400000,\"sections\":{\"services\":{\"shop\":{\"state\":\"brilliant\"}}}}\n\n",
        OLD_FRAME,
    };
    for (size_t i = 0; i < ARRAY_LEN(FRAMES); i++) {
        char script[12000] = "", path[8][1100];
        static const char *const KEYS[] = {"1", "2", "3", "4", "5", "6", "2g<Enter>", "?"};
        struct stub_server *s;
        struct stub_page page = stream_of(FRAMES[i]);
        check_ok(stub_server_start(0, NULL, NULL, &s));
        stub_server_page(s, STREAM, &page);
        for (size_t k = 0; k < ARRAY_LEN(KEYS); k++) {
            char name[32];
            snprintf(name, sizeof name, "old-%zu-%zu", i, k);
            snprintf(path[k], sizeof path[k], "%s", e2e_path(name));
            size_t used = strlen(script);
            snprintf(script + used, sizeof script - used, ":await live\n%s\n:save-display %s\n", KEYS[k], path[k]);
        }
        free(e2e_run("crest-tui", E2E_ARGS("--script", e2e_write("script", script), stub_server_url(s)), 0));
        for (size_t k = 0; k < ARRAY_LEN(KEYS); k++) {
            AUTO_FREE char *screen = NULL;
            size_t n;
            check_ok(file_read(path[k], BODY_BYTES_MAX, &screen, &n));
            check_contains(screen, " crest ");
            if (strstr(screen, "\xe2\x97\x8f shop") || strstr(screen, "shop ok"))
                check_failed("what is not known is shown as well:\n%s", screen);
            if (k == 1 && i > 0)
                check_contains(screen, "\xe2\x97\x8b unknown  shop");
        }
        stub_server_stop(s);
    }
}

/* Each answer takes three seconds; keys do not wait for it. */
static void a_slow_collector_does_not_hold_up_the_keys(void **state UNUSED)
{
    NEEDS_TMUX();
    struct stub_server *s;
    check_ok(stub_server_start(0, NULL, NULL, &s));
    struct stub_page page = stream_of(OLD_FRAME);
    page.delay_ms = 3000;
    stub_server_page(s, STREAM, &page);
    struct tmux *t = tmux_start("t", 100, 30);
    int64_t from = mono_us();
    tmux_run_tui(t, "TERM=tmux-256color", stub_server_url(s));
    tmux_see(t, "no data yet");
    tmux_keys(t, "2");
    tmux_see(t, "no service is known yet");
    tmux_keys(t, "?");
    tmux_see(t, "this help");
    AUTO_FREE char *screen = tmux_screen(t);
    if (mono_us() - from < 2500000) /* a machine that is slower than the collector says nothing */
        check_contains(screen, "no data yet");
    tmux_keys(t, "2");
    tmux_see(t, "\xe2\x97\x8b unknown");
    tmux_keys(t, "q");
    tmux_see(t, "ended with 0.");
    tmux_stop(t);
    stub_server_stop(s);
}

/* ---- ten thousand services, and names from elsewhere ---- */

static void ten_thousand_services_scroll_and_filter(void **state UNUSED)
{
    NEEDS_TMUX();
    struct buf b;
    buf_init(&b, 8u << 20);
    buf_str(&b, "id: a-1\nevent: snapshot\ndata: {\"t\":1795802400000,\"sections\":{\"services\":{");
    for (int i = 0; i < 10000; i++)
        buf_printf(&b,
                   "%s\"service-%05d\":{\"service\":\"service-%05d\",\"state\":\"ok\",\"trouble\":%d,\"signals\":"
                   "{\"throughput_rps\":%d,\"error_ratio\":0.0%d,\"inflight\":3}}",
                   i ? "," : "", i, i, i % 97, i, i % 10);
    buf_str(&b, "}}}\n\n");
    check_ok(buf_error(&b));
    struct stub_server *s;
    check_ok(stub_server_start(0, NULL, NULL, &s));
    struct stub_page page = stream_of(b.data);
    page.body_bytes = b.len;
    stub_server_page(s, STREAM, &page);
    buf_done(&b);
    struct tmux *t = tmux_start("t", 100, 30);
    tmux_run_tui(t, "TERM=tmux-256color", stub_server_url(s));
    tmux_keys(t, "2");
    tmux_see(t, "service-00096"); /* most trouble first */
    tmux_see(t, "+9977 more");
    tmux_keys(t, "G");
    tmux_see(t, "service-09991");
    tmux_keys(t, "g");
    for (int i = 0; i < 40; i++)
        tmux_keys(t, "j");
    tmux_see(t, "service-03976"); /* the forty-first: 96 + 40 * 97 */
    tmux_keys(t, "/");
    tmux_bytes(t, "~^service-0777[78] ");
    tmux_keys(t, "Enter");
    tmux_see(t, "service-07777");
    tmux_see(t, "service-07778");
    tmux_see_no(t, "service-03976");
    tmux_keys(t, "1");
    tmux_see(t, "and more: 2");
    tmux_keys(t, "q");
    tmux_see(t, "ended with 0.");
    tmux_stop(t);
    stub_server_stop(s);
}

/* Columns on the screen up to a text. */
static int columns_before(const char *screen, const char *row, const char *text)
{
    const char *line = strstr(screen, row), *at = line ? strstr(line, text) : NULL;
    if (!at)
        check_failed("there is no %s behind %s in\n%s", text, row, screen);
    while (line > screen && line[-1] != '\n')
        line--;
    AUTO_FREE char *before = strndup(line, (size_t)(at - line));
    return cells_text_width(before);
}

static void names_of_all_kinds_stay_in_their_columns(void **state UNUSED)
{
    NEEDS_TMUX();
    static const struct {
        const char *json, *shown, *ascii;
    } NAMES[] = {
        {"plain", "plain", "plain"},
        {"esc\\u001b[31m", "esc\xef\xbf\xbd[31m", "esc?[31m"},
        {"bell\\u0007\\u009b2J",
         "bell\xef\xbf\xbd\xef\xbf\xbd"
         "2J",
         "bell??2J"},
        {"line\\nend", "line end", "line end"},
        {"\xe5\xba\x97\xe8\x88\x97", "\xe5\xba\x97\xe8\x88\x97", "????"},                 /* wide */
        {"\xd7\x97\xd7\xa0\xd7\x95\xd7\xaa", "\xd7\x97\xd7\xa0\xd7\x95\xd7\xaa", "????"}, /* right to left */
        {"\\u202etxet", "\xef\xbf\xbdtxet", "?txet"},                                     /* turns the direction */
        {"cafe\\u0301", "cafe\xcc\x81", "cafe"},                                          /* combining */
        {"\xf0\x9f\x9b\x92 cart", "\xf0\x9f\x9b\x92 cart", "?? cart"},                    /* emoji */
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         "gr\xc3\xb6\xc3\x9f"
         "e",
         "grose"},
    };
    struct buf b;
    buf_init(&b, 65536);
    buf_str(&b, "id: a-1\nevent: snapshot\ndata: {\"t\":1795802400000,\"sections\":{\"services\":{");
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        buf_printf(&b, "%s\"%s\":{\"state\":\"ok\",\"signals\":{\"throughput_rps\":%zu}}", i ? "," : "", NAMES[i].json,
                   4710 + i);
    buf_str(&b, "}}}\n\n");
    struct stub_server *s;
    check_ok(stub_server_start(0, NULL, NULL, &s));
    struct stub_page page = stream_of(b.data);
    stub_server_page(s, STREAM, &page);
    buf_done(&b);
    struct tmux *t = tmux_start("t", 100, 30);
    for (int ascii = 0; ascii < 2; ascii++) {
        tmux_run_tui(t, ascii ? "LC_ALL=C TERM=tmux-256color" : "TERM=tmux-256color", stub_server_url(s));
        tmux_keys(t, "2");
        tmux_see(t, "4,719");
        AUTO_FREE char *screen = tmux_screen(t);
        for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
            char rate[16];
            snprintf(rate, sizeof rate, "4,%d", 710 + (int)i);
            const char *name = ascii ? NAMES[i].ascii : NAMES[i].shown;
            check_contains(screen, name);
            int columns = columns_before(screen, rate, rate);
            if (columns != 36 - (int)strlen(rate)) /* state and service take 29, numbers end 7 behind */
                check_failed("%s pushes its row: its rate stands at column %d\n%s", NAMES[i].json, columns, screen);
        }
        for (const char *p = screen; ascii && *p; p++)
            assert_true((*p & 0x80) == 0);
        tmux_keys(t, "q");
        tmux_see(t, "ended with 0.");
    }
    tmux_stop(t);
    AUTO_FREE char *lines = e2e_run("crest-tui", E2E_ARGS("--once", stub_server_url(s)), 0);
    assert_null(strchr(lines, '\033'));
    check_contains(lines, "\nesc\xef\xbf\xbd[31m: ok");
    stub_server_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_state_comes_as_lines_and_as_json, e2e_teardown),
        cmocka_unit_test_teardown(a_moment_before_it_was_started_is_asked_for, e2e_teardown),
        cmocka_unit_test_teardown(changes_come_as_lines_with_their_time, e2e_teardown),
        cmocka_unit_test_teardown(a_lost_stream_is_said_and_tried_again_more_and_more_slowly, e2e_teardown),
        cmocka_unit_test_teardown(what_is_no_collector_is_said_in_words, e2e_teardown),
        cmocka_unit_test_teardown(the_token_of_a_file_lets_it_in, e2e_teardown),
        cmocka_unit_test_teardown(a_collector_that_says_less_is_shown_as_unknown, e2e_teardown),
        cmocka_unit_test_teardown(a_slow_collector_does_not_hold_up_the_keys, e2e_teardown),
        cmocka_unit_test_teardown(ten_thousand_services_scroll_and_filter, e2e_teardown),
        cmocka_unit_test_teardown(names_of_all_kinds_stay_in_their_columns, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
