#include "http_server.h"

#include <math.h>

#include "lib/base/file.h"
#include "lib/base/options.h"
#include "loadgen/engine/conn_driver.h"
#include "loadgen/engine/run.h"

/* ---- a run of one journey text against a server ---- */

struct rig {
    struct run_config config;
    struct journeys *journeys;
    struct plan plan;
    struct run_result result;
    char *folder;
};

static struct journeys *load(const char *const *texts, size_t n, char **ret_folder)
{
    char *paths[8];
    check_ok(dir_make_temp("loadgen", ret_folder));
    for (size_t i = 0; i < n; i++) {
        assert_true(asprintf(&paths[i], "%s/j%zu.hurl", *ret_folder, i) > 0);
        check_ok(file_write(paths[i], texts[i], strlen(texts[i])));
    }
    struct problems ps;
    problems_init(&ps);
    struct journeys *js = NULL;
    if (journeys_load((const char *const *)paths, n, &js, &ps) < 0) {
        problems_print(&ps, stderr);
        check_failed("the journey does not load");
    }
    problems_done(&ps);
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
    return js;
}

static void rig_init(struct rig *rig, const char *text, uint16_t port)
{
    *rig = (struct rig){0};
    rig->journeys = load(&text, 1, &rig->folder);
    char base[64];
    snprintf(base, sizeof base, "http://127.0.0.1:%u", port);
    check_ok(journeys_set(rig->journeys, SPAN("base"), hurl_value_text(span_str(base))) < 0 ? -ENOMEM : 0);
    char secure[64];
    snprintf(secure, sizeof secure, "https://127.0.0.1:%u", port);
    check_ok(journeys_set(rig->journeys, SPAN("secure"), hurl_value_text(span_str(secure))) < 0 ? -ENOMEM : 0);
    rig->config = (struct run_config){.journeys = rig->journeys,
                                      .threads = 1,
                                      .open_max = 10000,
                                      .grace_ms = 10000,
                                      .max_lag_ms = 10000,
                                      .connect_timeout_ms = 5000,
                                      .max_time_ms = 5000,
                                      .think_scale = 1,
                                      .seed = 1,
                                      .run_id = "test-1",
                                      .run_header = "load/test-1"};
}

static void rig_once(struct rig *rig)
{
    rig->config.users = 1;
    rig->config.sessions_max = 1;
}

static void rig_rate(struct rig *rig, const char *stages)
{
    char why[160];
    check_ok(plan_parse_stages(&rig->plan, span_str(stages), why, sizeof why));
    rig->config.plan = &rig->plan;
}

static void rig_run(struct rig *rig, const struct run_hooks *hooks)
{
    struct run_hooks none = {0};
    check_ok(run_execute(&rig->config, hooks ? hooks : &none, &rig->result));
}

static void rig_done(struct rig *rig)
{
    run_result_done(&rig->result);
    plan_done(&rig->plan);
    journeys_free(rig->journeys);
    check_ok(dir_remove(rig->folder));
    free(rig->folder);
}

static const struct step_stats *step_named(const struct rig *rig, const char *name)
{
    for (size_t i = 0; i < rig->journeys->n_steps; i++)
        if (span_equal(rig->journeys->steps[i].name, span_str(name)))
            return &rig->result.total->steps[i];
    check_failed("no step %s", name);
}

static void check_step(const struct rig *rig, const char *name, enum step_outcome outcome, enum step_error error)
{
    const struct step_stats *s = step_named(rig, name);
    if (s->outcomes[outcome] != 1 || stats_step_total(s) != 1 || (error != ERROR_NONE && s->errors[error] != 1)) {
        for (size_t i = 0; i < OUTCOMES; i++)
            print_message("%s %s: %lu\n", name, step_outcome_name((enum step_outcome)i), (unsigned long)s->outcomes[i]);
        for (size_t i = 0; i < ERRORS; i++)
            if (s->errors[i])
                print_message("%s: %s\n", step_error_name((enum step_error)i), s->samples[i]);
        check_failed("step %s: wanted %s", name, step_outcome_name(outcome));
    }
}

/* ---- a shop in small ---- */

static void shop(struct http_server *s, const struct asked *q, struct buf *out)
{
    (void)s;
    struct span cookie = asked_header(q, "cookie"), type = asked_header(q, "content-type");
    if (!span_equal(asked_header(q, "x-crest-run"), SPAN("load/test-1")))
        respond(out, 400, "", "no run header");
    else if (span_equal(q->target, SPAN("/home")))
        respond(out, 200, "Set-Cookie: sid=abc; Path=/\r\nContent-Type: text/html\r\n",
                "<form><input name=csrf value=tok1></form>");
    else if (span_equal(q->target, SPAN("/cart?sku=a%20b&n=2")))
        respond(out, 200, "Content-Type: application/json\r\n",
                span_equal(cookie, SPAN("theme=dark; sid=abc")) && span_equal(q->body, SPAN("{\"t\": \"tok1\"}")) &&
                        span_equal(type, SPAN("application/json"))
                    ? "{\"id\": 7, \"state\": \"open\"}"
                    : "{\"state\": \"wrong\"}");
    else if (span_equal(q->target, SPAN("/pay/7")) && span_equal(q->body, SPAN("card=4242%204242&csrf=tok1")) &&
             span_equal(type, SPAN("application/x-www-form-urlencoded")) &&
             span_equal(asked_header(q, "authorization"), SPAN("Basic YW5uOnNlY3JldA==")))
        respond(out, 302, "Location: done?order=9\r\nSet-Cookie: paid=1; Path=/pay\r\n", "");
    else if (span_equal(q->target, SPAN("/pay/done?order=9")) && span_equal(q->method, SPAN("GET")) &&
             span_equal(cookie, SPAN("paid=1; sid=abc")) && q->body.len == 0)
        respond(out, 303, "Location: /thanks\r\n", "");
    else if (span_equal(q->target, SPAN("/thanks")) && span_equal(cookie, SPAN("sid=abc")))
        respond(out, 200, "", "thanks");
    else
        respond(out, 404, "", "not here");
}

static void a_journey_runs_with_cookies_captures_forms_and_redirects(void **state)
{
    (void)state;
    struct http_server *s = server_start(shop);
    struct rig rig;
    rig_init(
        &rig,
        "# @step home\nGET {{base}}/home\nHTTP 200\n[Captures]\ntoken: xpath \"string(//input[@name='csrf']/@value)\"\n"
        "# @step cart\nPOST {{base}}/cart\n[Query]\nsku: a b\nn: 2\n[Cookies]\ntheme: dark\n{\"t\": \"{{token}}\"}\n"
        "HTTP 200\n[Captures]\nid: jsonpath \"$.id\"\n[Asserts]\njsonpath \"$.state\" == \"open\"\n"
        "# @step pay\nPOST {{base}}/pay/{{id}}\n[Options]\nlocation: true\n[BasicAuth]\nann: secret\n[Form]\ncard: "
        "4242 4242\n"
        "csrf: {{token}}\nHTTP 200\n[Asserts]\nbody == \"thanks\"\nurl endsWith \"/thanks\"\nduration < 5000\n"
        "redirects count == 2\nredirects last location == \"{{base}}/thanks\"\n",
        s->port);
    rig_once(&rig);
    rig_run(&rig, NULL);
    check_step(&rig, "home", OUTCOME_OK, ERROR_NONE);
    check_step(&rig, "cart", OUTCOME_OK, ERROR_NONE);
    check_step(&rig, "pay", OUTCOME_OK, ERROR_NONE);
    assert_int_equal(rig.result.verdict, RUN_PASSED);
    assert_int_equal(rig.result.total->requests.started, 5); /* each hop counts */
    assert_int_equal(rig.result.total->requests.completed, 5);
    assert_int_equal(rig.result.total->sessions.completed, 1);
    assert_int_equal(rig.result.total->fresh_connections, 1);
    assert_int_equal(atomic_load(&s->requests), 5);
    rig_done(&rig);
    server_stop(s);
}

/* ---- files ---- */

static void uploads(struct http_server *s, const struct asked *q, struct buf *out)
{
    (void)s;
    struct span type = asked_header(q, "content-type"), start = SPAN("multipart/form-data; boundary=");
    buf_printf(out, "HTTP/1.1 200 X\r\nX-Type: " SPAN_FMT "\r\n", SPAN_ARG(type));
    struct buf body; /* without what is by chance: the boundary is B */
    buf_init(&body, 1 << 20);
    struct span rest = q->body, boundary = span_starts(type, start) ? span_from(type, start.len) : SPAN("\r\n\r\n");
    while (rest.len) {
        size_t n = span_search(rest, boundary);
        buf_span(&body, span_of(rest.ptr, n));
        buf_str(&body, n < rest.len ? "B" : "");
        rest = n < rest.len ? span_from(rest, n + boundary.len) : span_from(rest, n);
    }
    buf_printf(out, "Content-Length: %zu\r\n\r\n", body.len);
    buf_span(out, buf_view(&body));
    buf_done(&body);
}

static void files_are_sent_and_compared(void **state)
{
    (void)state;
    struct http_server *s = server_start(uploads);
    struct rig rig;
    rig_init(&rig,
             "# @step body\nPOST {{base}}/up\nfile,data.bin;\nHTTP 200\nX-Type:\n[Asserts]\nbytes == file,data.bin;\n"
             "bytes count == 4\nbytes == hex,00ff0a31;\n"
             "# @step form\nPOST {{base}}/up\n[Multipart]\nname: Ann \"A\"\nlist: file,prices.txt;\n"
             "pic: file,data.bin; image/x-own\nHTTP 200\n[Asserts]\nheader \"X-Type\" startsWith "
             "\"multipart/form-data; boundary=\"\nbytes == file,wanted.bin;\n"
             "# @step same\nPOST {{base}}/up\n`abc`\nHTTP 200\nfile,abc;\n"
             "# @step away\nPOST {{base}}/up\nfile,../secret;\nHTTP 200\n"
             "# @step none\n# @always\nPOST {{base}}/up\nfile,none;\nHTTP 200\n",
             s->port);
    static const struct {
        const char *name, *bytes;
        size_t n;
    } FILES[] = {
#define BYTES(text) text, sizeof text - 1
        {"data.bin", BYTES("\0\xff\n1")},
        {"prices.txt", BYTES("1 EUR\n")},
        {"abc", BYTES("abc")},
        {"wanted.bin", BYTES("--B\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nAnn \"A\"\r\n--B\r\n"
                             "Content-Disposition: form-data; name=\"list\"; filename=\"prices.txt\"\r\n"
                             "Content-Type: text/plain\r\n\r\n1 EUR\n\r\n--B\r\n"
                             "Content-Disposition: form-data; name=\"pic\"; filename=\"data.bin\"\r\n"
                             "Content-Type: image/x-own\r\n\r\n\0\xff\n1\r\n--B--\r\n")},
#undef BYTES
    };
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", rig.folder, FILES[i].name);
        check_ok(file_write(path, FILES[i].bytes, FILES[i].n));
    }
    rig_once(&rig);
    rig_run(&rig, NULL);
    check_step(&rig, "body", OUTCOME_OK, ERROR_NONE);
    check_step(&rig, "form", OUTCOME_OK, ERROR_NONE);
    check_step(&rig, "same", OUTCOME_OK, ERROR_NONE);
    check_step(&rig, "away", OUTCOME_ASSERT, ERROR_JOURNEY);
    check_contains(step_named(&rig, "away")->samples[ERROR_JOURNEY], "is not beside the journey");
    check_step(&rig, "none", OUTCOME_ASSERT, ERROR_JOURNEY);
    check_contains(step_named(&rig, "none")->samples[ERROR_JOURNEY], "cannot be read");
    rig_done(&rig);
    server_stop(s);
}

static void a_step_is_repeated_until_it_fails(void **state)
{
    (void)state;
    struct http_server *s = server_start(uploads);
    struct rig rig;
    rig_init(&rig,
             "# @step three\nPOST {{base}}/up\n[Options]\nrepeat: 3\n`a`\nHTTP 200\n"
             "# @step fails\nPOST {{base}}/up\n[Options]\nrepeat: -1\n`b`\nHTTP 200\n[Asserts]\nbody == \"c\"\n",
             s->port);
    rig_once(&rig);
    rig_run(&rig, NULL);
    assert_int_equal(stats_step_total(step_named(&rig, "three")), 3);
    check_step(&rig, "fails", OUTCOME_BUSINESS, ERROR_BUSINESS);
    rig_done(&rig);
    server_stop(s);
}

/* ---- what goes wrong has a name ---- */

static void broken(struct http_server *s, const struct asked *q, struct buf *out)
{
    (void)s;
    if (span_equal(q->target, SPAN("/hang")))
        buf_str(out, "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n"); /* and nothing more */
    else if (span_equal(q->target, SPAN("/reset")))
        return;
    else if (span_equal(q->target, SPAN("/endless"))) {
        buf_str(out, "HTTP/1.1 200 X\r\n");
        for (int i = 0; i < 3000; i++)
            buf_printf(out, "X-%d: %0100d\r\n", i, i);
        buf_str(out, "Content-Length: 0\r\n\r\n");
    } else if (span_equal(q->target, SPAN("/short")))
        buf_str(out, "HTTP/1.0 200 X\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabc");
    else if (span_equal(q->target, SPAN("/garbage")))
        buf_str(out, "what?\r\n\r\n");
    else if (span_equal(q->target, SPAN("/500")))
        respond(out, 500, "", "{}");
    else if (span_equal(q->target, SPAN("/loop")))
        respond(out, 302, "Location: /loop\r\n", "");
    else if (span_equal(q->target, SPAN("/away")))
        respond(out, 302, "Location: http://shop.example/\r\n", "");
    else
        respond(out, 200, "", "{\"status\": \"declined\"}");
}

static void every_failure_has_its_outcome_and_kind(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        enum step_outcome outcome;
        enum step_error error;
        const char *text;
    } cases[] = {
        {"GET {{base}}/ok\nHTTP 200\n", OUTCOME_OK, ERROR_NONE, NULL},
        {"GET {{base}}/500\n", OUTCOME_STATUS, ERROR_STATUS, "status 500"},
        {"GET {{base}}/500\nHTTP 500\n", OUTCOME_OK, ERROR_NONE, NULL},
        {"GET {{base}}/500\nHTTP 200\n", OUTCOME_STATUS, ERROR_STATUS, "wanted: status 200, actual: 500"},
        {"GET {{base}}/500\nHTTP *\n[Asserts]\nstatus < 500\n", OUTCOME_STATUS, ERROR_STATUS, "actual: integer 500"},
        {"GET {{base}}/ok\nHTTP 200\n[Asserts]\njsonpath \"$.status\" == \"paid\"\n", OUTCOME_BUSINESS, ERROR_BUSINESS,
         "text \"declined\""},
        {"GET {{base}}/ok\nHTTP 200\n[Captures]\nid: jsonpath \"$.id\"\n", OUTCOME_ASSERT, ERROR_CAPTURE,
         "nothing to capture"},
        {"GET {{base}}/ok\nHTTP/2 200\n", OUTCOME_ASSERT, ERROR_ASSERT, "version"},
        {"GET {{base}}/{{nope}}\n", OUTCOME_ASSERT, ERROR_JOURNEY, "'nope' is not set"},
        {"GET {{base}}/hang\n[Options]\nmax-time: 200ms\n", OUTCOME_TRANSPORT, ERROR_TIMEOUT, "timeout"},
        {"GET {{base}}/reset\n", OUTCOME_TRANSPORT, ERROR_RESET, "reset"},
        {"GET {{base}}/garbage\n", OUTCOME_TRANSPORT, ERROR_PROTOCOL, "protocol"},
        {"GET {{base}}/endless\n", OUTCOME_TRANSPORT, ERROR_PROTOCOL, "over the limit"},
        {"GET {{base}}/short\n[Options]\nmax-time: 300ms\n", OUTCOME_TRANSPORT, ERROR_TIMEOUT, "timeout"},
        {"GET {{secure}}/ok\n", OUTCOME_TRANSPORT, ERROR_TLS, "tls"},
        {"GET http://127.0.0.1:1/\n", OUTCOME_TRANSPORT, ERROR_CONNECT, "connect"},
        {"GET http://localhost:99999/\n", OUTCOME_ASSERT, ERROR_JOURNEY, "cannot be asked"},
        {"GET http://shop.example/\n", OUTCOME_TRANSPORT, ERROR_REFUSED, "--allow-hosts"},
        {"GET {{base}}/away\n[Options]\nlocation: true\n", OUTCOME_TRANSPORT, ERROR_REFUSED, "shop.example:80"},
        {"GET {{base}}/loop\n[Options]\nlocation: true\nmax-redirs: 3\n", OUTCOME_ASSERT, ERROR_REDIRECTS,
         "more than 3 redirects"},
        {"GET {{base}}/ok\n[Options]\nretry: 2\nretry-interval: 1ms\nHTTP 201\n", OUTCOME_STATUS, ERROR_STATUS, "201"},
        {"GET {{base}}/ok\nX: {{bad}}\n[Options]\nvariable: bad=\"a\\nb\"\n", OUTCOME_ASSERT, ERROR_JOURNEY,
         "line end"},
    };
    struct http_server *s = server_start(broken);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        struct rig rig;
        snprintf(text, sizeof text, "# @step it\n%s", cases[i].entry);
        rig_init(&rig, text, s->port);
        rig_once(&rig);
        rig_run(&rig, NULL);
        check_step(&rig, "it", cases[i].outcome, cases[i].error);
        if (cases[i].text)
            check_contains(step_named(&rig, "it")->samples[cases[i].error], cases[i].text);
        if (strstr(cases[i].entry, "retry:"))
            assert_int_equal(rig.result.total->requests.started, 3);
        rig_done(&rig);
    }
    server_stop(s);
}

static void echo(struct http_server *s, const struct asked *q, struct buf *out)
{
    (void)s;
    char headers[512];
    snprintf(headers, sizeof headers,
             "X-Method: " SPAN_FMT "\r\nX-Type: " SPAN_FMT "\r\nX-Length: " SPAN_FMT "\r\nX-Empty: %d\r\n",
             SPAN_ARG(q->method), SPAN_ARG(asked_header(q, "content-type")),
             SPAN_ARG(asked_header(q, "content-length")),
             span_search(q->headers, SPAN("X-Nothing:\r\n")) < q->headers.len);
    if (span_equal(q->method, SPAN("HEAD")))
        buf_printf(out, "HTTP/1.1 200 X\r\n%sContent-Length: 1000\r\n\r\n", headers);
    else
        respond(out, 200, headers, "secret-token-123456789");
}

static void methods_and_bodies_arrive_as_they_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *asserts;
    } cases[] = {
        {"HEAD {{base}}/\n", "header \"X-Method\" == \"HEAD\"\nbody isEmpty"},
        {"OPTIONS {{base}}/\n", "header \"X-Method\" == \"OPTIONS\"\nheader \"X-Length\" == \"\""},
        {"POST {{base}}/\n", "header \"X-Length\" == \"0\"\nheader \"X-Type\" == \"\""},
        {"PUT {{base}}/\n`text`\n", "header \"X-Length\" == \"4\"\nheader \"X-Type\" == \"\""},
        {"PATCH {{base}}/\nContent-Type: text/x\nX-Nothing:\n{\"a\": 1}\n",
         "header \"X-Type\" == \"text/x\"\nheader \"X-Empty\" == \"1\""},
        {"DELETE {{base}}/\n```graphql\n{ a(b: \"c\") }\n```\n",
         "header \"X-Length\" == \"29\"\nheader \"X-Type\" == \"application/json\""},
        {"CUSTOM {{base}}/\nhex,00ff;\n", "header \"X-Method\" == \"CUSTOM\"\nheader \"X-Length\" == \"2\""},
        {"POST {{base}}/\n[Options]\nuser: a:b\nheader: X-More: 1\nhttp1.0: true\n<a/>\n",
         "header \"X-Type\" == \"application/xml\""},
    };
    struct http_server *s = server_start(echo);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        struct rig rig;
        snprintf(text, sizeof text, "# @step it\n%sHTTP 200\n[Asserts]\n%s\n", cases[i].entry, cases[i].asserts);
        rig_init(&rig, text, s->port);
        rig_once(&rig);
        rig_run(&rig, NULL);
        check_step(&rig, "it", OUTCOME_OK, ERROR_NONE);
        rig_done(&rig);
    }
    server_stop(s);
}

static void a_redacted_capture_is_never_shown(void **state)
{
    (void)state;
    struct http_server *s = server_start(echo);
    struct rig rig;
    rig_init(&rig,
             "GET {{base}}/\nHTTP 200\n[Captures]\ntoken: body redact\n# @step it\nGET {{base}}/\nHTTP "
             "200\n[Asserts]\nbody == \"x\"\n",
             s->port);
    rig_once(&rig);
    rig_run(&rig, NULL);
    check_step(&rig, "it", OUTCOME_BUSINESS, ERROR_BUSINESS);
    const char *said = step_named(&rig, "it")->samples[ERROR_BUSINESS];
    assert_null(strstr(said, "token"));
    check_contains(said, "actual: text \"***\"");
    rig_done(&rig);
    server_stop(s);
}

static void after_a_failure_only_always_steps_run(void **state)
{
    (void)state;
    struct http_server *s = server_start(broken);
    struct rig rig;
    rig_init(&rig,
             "# @step a\nGET {{base}}/500\n# @step b\nGET {{base}}/ok\n# @step c\n# @always\nDELETE {{base}}/ok\n# "
             "@step d\nGET {{base}}/ok\n",
             s->port);
    rig_once(&rig);
    rig_run(&rig, NULL);
    check_step(&rig, "a", OUTCOME_STATUS, ERROR_STATUS);
    check_step(&rig, "c", OUTCOME_OK, ERROR_NONE);
    assert_int_equal(stats_step_total(step_named(&rig, "b")) + stats_step_total(step_named(&rig, "d")), 0);
    assert_int_equal(rig.result.total->sessions.failed, 1);
    rig_done(&rig);
    server_stop(s);
}

static void goto_and_skip_steer_the_journey(void **state)
{
    (void)state;
    struct http_server *s = server_start(broken);
    struct rig rig;
    rig_init(&rig,
             "# @step a\nGET {{base}}/ok\n# @step b\n# @goto p=1 d\nGET {{base}}/ok\n# @step c\nGET {{base}}/ok\n# "
             "@step d\nGET {{base}}/ok\n"
             "# @step e\nGET {{base}}/ok\n[Options]\nskip: true\n",
             s->port);
    rig_once(&rig);
    rig_run(&rig, NULL);
    check_step(&rig, "b", OUTCOME_OK, ERROR_NONE);
    check_step(&rig, "d", OUTCOME_OK, ERROR_NONE);
    assert_int_equal(stats_step_total(step_named(&rig, "c")) + stats_step_total(step_named(&rig, "e")), 0);
    rig_done(&rig);
    server_stop(s);
}

/* ---- arrivals ---- */

static void planned_sessions_are_started_or_dropped(void **state)
{
    (void)state;
    struct http_server *s = server_start(broken);
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct rig rig;
        rig_init(&rig, "GET {{base}}/ok\nHTTP 200\nGET {{base}}/ok\nHTTP 200\n", s->port);
        rig.config.threads = threads;
        rig_rate(&rig, "500ms:100,500ms:100-200");
        rig_run(&rig, NULL);
        const struct run_stats *t = rig.result.total;
        assert_int_equal(t->sessions.planned, 125);
        assert_int_equal(t->sessions.started, 125);
        assert_int_equal(t->sessions.completed, 125);
        assert_int_equal(t->requests.started, 250);
        assert_int_equal(t->fresh_connections, 125); /* each session is a new visitor */
        rig_done(&rig);
    }
    /* one may be open, and it lasts 200 ms: most are dropped, and all are accounted for */
    struct rig rig;
    rig_init(&rig, "GET {{base}}/hang\n[Options]\nmax-time: 200ms\nGET {{base}}/ok\n", s->port);
    rig.config.open_max = 1;
    rig_rate(&rig, "1s:100");
    rig_run(&rig, NULL);
    const struct run_stats *t = rig.result.total;
    assert_int_equal(t->sessions.planned, 100);
    assert_int_equal(t->sessions.started + t->sessions.dropped, 100);
    assert_in_range(t->sessions.started, 3, 6);
    assert_int_equal(t->requests.dropped, 2 * t->sessions.dropped);
    assert_int_equal(t->sessions.failed, t->sessions.started);
    rig_done(&rig);
    server_stop(s);
}

static void looping_users_keep_their_connection_and_lose_their_cookies(void **state)
{
    (void)state;
    struct http_server *s = server_start(shop);
    struct rig rig;
    rig_init(&rig, "GET {{base}}/home\nHTTP 200\nGET {{base}}/thanks\nHTTP 200\n", s->port);
    rig.config.users = 3;
    rig.config.threads = 2;
    rig.config.sessions_max = 50;
    rig_run(&rig, NULL);
    assert_int_equal(rig.result.total->sessions.completed, 50);
    assert_int_equal(rig.result.total->requests.completed, 100);
    assert_int_equal(atomic_load(&s->connections), 3);
    rig_done(&rig);

    rig_init(&rig, "# @step a\nGET {{base}}/thanks\nHTTP 404\nGET {{base}}/home\nHTTP 200\n", s->port);
    rig.config.users = 1;
    rig.config.sessions_max = 3;
    rig_run(&rig, NULL);
    assert_int_equal(step_named(&rig, "a")->outcomes[OUTCOME_OK], 3); /* no sid cookie from the session before */
    rig_done(&rig);
    server_stop(s);
}

static void think_time_is_no_response_time(void **state)
{
    (void)state;
    struct http_server *s = server_start(broken);
    struct rig rig;
    rig_init(&rig, "GET {{base}}/ok\n# @step b\n# @think 300ms\nGET {{base}}/ok\n[Options]\ndelay: 100ms\n", s->port);
    rig_once(&rig);
    rig_run(&rig, NULL);
    assert_true(rig.result.duration_s >= 0.39);
    double response_s =
        (double)hdr_max(step_named(&rig, "b")->response) / 1e6; /* the run has taken the pauses beside it */
    assert_true(response_s < rig.result.duration_s - 0.39);
    rig_done(&rig);
    rig_init(&rig, "# @think 20s\nGET {{base}}/ok\n", s->port);
    rig.config.think_scale = 0;
    rig_once(&rig);
    rig_run(&rig, NULL);
    assert_true(rig.result.duration_s < 5);
    rig_done(&rig);
    server_stop(s);
}

/* The server stands still for 0.7 s. With 8 users that share 400 arrivals a second only 8 requests see it, but some 280 sessions
 * start late because of it: response time must say so, service time must not. */
static void a_frozen_server_shows_in_response_time_not_in_service_time(void **state)
{
    (void)state;
    struct http_server *s = server_start(broken);
    struct rig rig;
    rig_init(&rig, "# @step it\nGET {{base}}/ok\nHTTP 200\n", s->port);
    rig.config.users = 8;
    rig_rate(&rig, "3s:400");
    atomic_store(&s->freeze_us, 700000);
    atomic_store(&s->freeze_at_us, mono_us() + 1000000);
    rig_run(&rig, NULL);
    const struct step_stats *it = step_named(&rig, "it");
    assert_int_equal(hdr_count(it->response), 1200);
    if (hdr_percentile(it->response, 99) < 500000)
        check_failed("response p99 %lld us hides the pause", (long long)hdr_percentile(it->response, 99));
    if (hdr_percentile(it->service, 99) > 400000)
        check_failed("service p99 %lld us", (long long)hdr_percentile(it->service, 99));
    assert_true(hdr_max(it->service) > 500000);
    /* the wait for a user is the server's doing, not the generator's */
    assert_true(hdr_percentile(rig.result.total->lag, 99) < 400000);
    rig_done(&rig);
    server_stop(s);
}

/* ---- verdicts ---- */

static void thresholds_decide_the_verdict(void **state)
{
    (void)state;
    static const struct {
        const char *slo;
        const char *path;
        enum run_verdict verdict;
    } cases[] = {
        {"p95<4s err<1%", "/ok", RUN_PASSED}, {"err<=0%", "/ok", RUN_PASSED},        {"err<1%", "/500", RUN_THRESHOLD},
        {"max<0s", "/ok", RUN_THRESHOLD},     {"p50<4s mean<4s", "/ok", RUN_PASSED},
    };
    struct http_server *s = server_start(broken);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256];
        struct rig rig;
        snprintf(text, sizeof text, "# @slo %s\nGET {{base}}%s\nHTTP 200\n", cases[i].slo, cases[i].path);
        rig_init(&rig, text, s->port);
        rig_once(&rig);
        rig_run(&rig, NULL);
        if (rig.result.verdict != cases[i].verdict)
            check_failed("%s: %s", cases[i].slo, run_verdict_name(rig.result.verdict));
        assert_int_equal(run_exit_code(&rig.result), cases[i].verdict == RUN_PASSED ? EXIT_OK : EXIT_THRESHOLD);
        rig_done(&rig);
    }
    /* a step that was never reached has no data: its threshold is not met */
    struct rig rig;
    rig_init(&rig, "GET {{base}}/500\nHTTP 200\n# @slo p95<4s\nGET {{base}}/ok\n", s->port);
    rig_once(&rig);
    rig_run(&rig, NULL);
    assert_int_equal(rig.result.verdict, RUN_THRESHOLD);
    assert_true(isnan(rig.result.thresholds[0].value));
    rig_done(&rig);
    server_stop(s);
}

static void a_run_without_any_answer_has_failed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "GET http://127.0.0.1:1/\n", 1);
    rig_once(&rig);
    rig_run(&rig, NULL);
    assert_int_equal(rig.result.verdict, RUN_FAILED);
    assert_int_equal(run_exit_code(&rig.result), EXIT_FAILED);
    rig_done(&rig);
}

/* ---- stopping ---- */

struct stopping {
    enum run_wish wish;
    int64_t after_us, start_us;
    unsigned ticks;
};

static enum run_wish wish_after(void *ctx)
{
    struct stopping *s = ctx;
    if (s->start_us == 0)
        s->start_us = mono_us();
    return mono_us() - s->start_us >= s->after_us ? s->wish : RUN_GO_ON;
}

static void count_tick(void *ctx, const struct run_tick *tick)
{
    struct stopping *s = ctx;
    s->ticks++;
    assert_true(tick->total->sessions.started >= tick->interval->sessions.started);
}

static void stopping_lets_sessions_finish_and_aborting_cuts_them(void **state)
{
    (void)state;
    struct http_server *s = server_start(broken);
    for (int abort = 0; abort <= 1; abort++) {
        struct rig rig;
        rig_init(&rig, "GET {{base}}/ok\n# @think 700ms\nGET {{base}}/ok\n", s->port);
        rig_rate(&rig, "20s:50");
        struct stopping stopping = {.wish = abort ? RUN_ABORT : RUN_STOP, .after_us = 1200000};
        struct run_hooks hooks = {.ctx = &stopping, .wish = wish_after, .tick = count_tick};
        rig_run(&rig, &hooks);
        const struct run_stats *t = rig.result.total;
        assert_int_equal(rig.result.verdict, RUN_INTERRUPTED);
        assert_int_equal(run_exit_code(&rig.result), 130);
        assert_true(rig.result.duration_s < 10);
        assert_int_equal(t->sessions.planned, t->sessions.started + t->sessions.dropped);
        assert_int_equal(t->sessions.started, t->sessions.completed + t->sessions.failed + t->sessions.unfinished);
        assert_in_range(t->sessions.started, 40, 90);
        if (abort)
            assert_in_range(t->sessions.unfinished, 10, 60);
        else
            assert_int_equal(t->sessions.unfinished, 0);
        assert_true(stopping.ticks >= 2);
        rig_done(&rig);
    }
    server_stop(s);
}

static void sessions_over_the_grace_time_are_cut_and_counted(void **state)
{
    (void)state;
    struct http_server *s = server_start(broken);
    struct rig rig;
    rig_init(&rig, "GET {{base}}/hang\n", s->port);
    rig.config.grace_ms = 500;
    rig_rate(&rig, "100ms:100");
    rig_run(&rig, NULL);
    const struct run_stats *t = rig.result.total;
    assert_int_equal(t->sessions.planned, 10);
    assert_int_equal(t->sessions.unfinished + t->sessions.dropped,
                     10); /* dropped: this machine stood still for so long */
    assert_int_equal(t->requests.failed, t->sessions.unfinished);
    rig_done(&rig);
    server_stop(s);
}

/* ---- another driver: the scheduler knows nothing but conn.h ---- */

struct stub_conn {
    struct conn base;
    struct stub_conn *next;
    void *user;
    int64_t sent_us;
    bool pending;
};
static struct conn_config stub_config;
static struct stub_conn *stub_pending;
static int64_t stub_block_us;

static int stub_engine_new(const struct conn_config *config, struct conn_engine **ret)
{
    stub_config = *config;
    stub_pending = NULL;
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : -ENOMEM;
}
static void stub_engine_free(struct conn_engine *e)
{
    free(e);
}
/* Answers everything, after having blocked the whole thread: a starved machine. */
static int stub_wait(struct conn_engine *e, int64_t timeout_us)
{
    (void)e;
    sleep_us(stub_block_us ? stub_block_us : timeout_us < 1000 ? timeout_us : 1000);
    while (stub_pending) {
        struct stub_conn *c = stub_pending;
        stub_pending = c->next;
        c->pending = false;
        struct conn_response r = {
            .status = 200, .version = 11, .ip = "", .error_text = "", .sent_us = c->sent_us, .done_us = mono_us()};
        stub_config.on_response(c->user, &r);
    }
    return 0;
}
static int stub_open(struct conn_engine *e, void *user, struct conn **ret)
{
    (void)e;
    struct stub_conn *c = calloc(1, sizeof *c);
    c->user = user;
    *ret = &c->base;
    return 0;
}
static int stub_send(struct conn *base, const struct conn_request *request)
{
    struct stub_conn *c = (struct stub_conn *)base;
    assert_true(span_starts(span_str(request->url), SPAN("http://")));
    c->sent_us = mono_us();
    c->pending = true;
    c->next = stub_pending;
    stub_pending = c;
    return 0;
}
static void stub_close(struct conn *base)
{
    struct stub_conn *c = (struct stub_conn *)base;
    for (struct stub_conn **at = &stub_pending; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    free(c);
}
static const struct conn_driver STUB = {stub_engine_new, stub_engine_free, stub_wait, stub_open, stub_send, stub_close};

static void a_starved_generator_makes_the_run_void(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "GET http://localhost/\nHTTP 200\n", 1);
    rig.config.driver = &STUB;
    rig.config.max_lag_ms = 50;
    rig_rate(&rig, "1s:200");
    stub_block_us = 300000;
    rig_run(&rig, NULL);
    stub_block_us = 0;
    assert_int_equal(rig.result.verdict, RUN_VOID);
    assert_int_equal(run_exit_code(&rig.result), EXIT_VOID);
    check_contains(rig.result.reasons[0], "lag p99");
    assert_int_equal(rig.result.total->sessions.completed, 200);
    rig_done(&rig);

    rig_init(&rig, "GET http://localhost/\nHTTP 200\n", 1);
    rig.config.driver = &STUB;
    rig.config.max_lag_ms = 2000;
    rig_rate(&rig, "1s:200");
    rig_run(&rig, NULL);
    if (rig.result.verdict != RUN_PASSED)
        check_failed("%s", rig.result.reasons[0]);
    rig_done(&rig);
}

static void an_overloaded_run_ends_with_its_plan_and_grace(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "GET http://localhost/\nHTTP 200\n", 1);
    rig.config.driver = &STUB;
    rig.config.max_lag_ms = 1;
    rig.config.grace_ms = 500;
    rig_rate(&rig, "100ms:1000000");
    stub_block_us = 100000; /* with a thousand starts in between: all of them would take ten seconds */
    rig_run(&rig, NULL);
    stub_block_us = 0;
    const struct run_stats *t = rig.result.total;
    assert_int_equal(t->sessions.planned, 100000);
    assert_int_equal(t->sessions.started + t->sessions.dropped, 100000);
    assert_int_equal(t->sessions.completed + t->sessions.unfinished, t->sessions.started);
    assert_int_equal(t->requests.dropped, t->sessions.dropped);
    assert_true(t->sessions.started <= 10000); /* one thousand in each turn that fits */
    assert_true(rig.result.verdict != RUN_PASSED);
    rig_done(&rig);
}

static void money_steps_stay_under_their_cap(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "# @step look\nGET http://localhost/\n# @step pay\n# @money\nPOST http://localhost/pay\n", 1);
    rig.config.driver = &STUB;
    rig.config.money_rate = 10;
    rig_rate(&rig, "2s:100");
    rig_run(&rig, NULL);
    assert_int_equal(stats_step_total(step_named(&rig, "look")), 200);
    assert_in_range(stats_step_total(step_named(&rig, "pay")), 15, 32);
    assert_int_equal(rig.result.total->sessions.capped + rig.result.total->sessions.completed, 200);
    rig_done(&rig);
}

static void journeys_share_sessions_by_weight(void **state)
{
    (void)state;
    static const char *const texts[] = {"# @weight 70\n# @step a\nGET http://localhost/\n",
                                        "# @weight 30\n# @step b\nGET http://localhost/\n",
                                        "# @weight 0\n# @step c\nGET http://localhost/\n"};
    struct rig rig;
    rig_init(&rig, "GET http://localhost/\n", 1);
    journeys_free(rig.journeys);
    check_ok(dir_remove(rig.folder));
    free(rig.folder);
    rig.journeys = load(texts, 3, &rig.folder);
    rig.config.journeys = rig.journeys;
    rig.config.driver = &STUB;
    rig_rate(&rig, "1s:2000");
    rig_run(&rig, NULL);
    assert_int_equal(rig.result.total->sessions.completed, 2000);
    assert_in_range(stats_step_total(step_named(&rig, "a")), 1300, 1500); /* 5 standard deviations */
    assert_int_equal(stats_step_total(step_named(&rig, "a")) + stats_step_total(step_named(&rig, "b")), 2000);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journey_runs_with_cookies_captures_forms_and_redirects),
        cmocka_unit_test(files_are_sent_and_compared),
        cmocka_unit_test(a_step_is_repeated_until_it_fails),
        cmocka_unit_test(every_failure_has_its_outcome_and_kind),
        cmocka_unit_test(methods_and_bodies_arrive_as_they_are_written),
        cmocka_unit_test(a_redacted_capture_is_never_shown),
        cmocka_unit_test(after_a_failure_only_always_steps_run),
        cmocka_unit_test(goto_and_skip_steer_the_journey),
        cmocka_unit_test(planned_sessions_are_started_or_dropped),
        cmocka_unit_test(looping_users_keep_their_connection_and_lose_their_cookies),
        cmocka_unit_test(think_time_is_no_response_time),
        cmocka_unit_test(a_frozen_server_shows_in_response_time_not_in_service_time),
        cmocka_unit_test(thresholds_decide_the_verdict),
        cmocka_unit_test(a_run_without_any_answer_has_failed),
        cmocka_unit_test(stopping_lets_sessions_finish_and_aborting_cuts_them),
        cmocka_unit_test(sessions_over_the_grace_time_are_cut_and_counted),
        cmocka_unit_test(a_starved_generator_makes_the_run_void),
        cmocka_unit_test(an_overloaded_run_ends_with_its_plan_and_grace),
        cmocka_unit_test(money_steps_stay_under_their_cap),
        cmocka_unit_test(journeys_share_sessions_by_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
