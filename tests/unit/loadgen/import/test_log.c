/* Access logs: formats, routes, sessions, and what a plan made of them would do (samples/access.log). */
#include "loadgen/import/log.h"

#include <errno.h>
#include <zlib.h>

#include "loadgen/import/line_reader.h"
#include "loadgen/import/log_chain.h"
#include "loadgen/import/log_format.h"
#include "tests/unit/loadgen/import/sample.h"

/* ---- formats ---- */

static void lines_of_every_format_say_the_same(void **state UNUSED)
{
    static const struct {
        const char *format, *line;
        bool whole;
        int64_t duration_us;
    } CASES[] = {
        {NULL, "10.0.0.1 - ann [22/Nov/2026:13:44:01 +0100] \"GET /a?b=1 HTTP/1.1\" 200 5 \"-\" \"Mo \\x22zilla\"",
         true, -1},
        {"common", "10.0.0.1 - - [22/Nov/2026:13:44:01 +0100] \"GET /a?b=1 HTTP/1.1\" 200 5", true, -1},
        {"$msec|$remote_addr|$request_method|$uri|$args|$status|$request_time|$http_user_agent",
         "1795351441.000|10.0.0.1|GET|/a|b=1|200|0.250|Mo", false, 250000},
        {"${remote_addr} [$time_iso8601] \"$request\" $status $request_time",
         "10.0.0.1 [2026-11-22T12:44:01+00:00] \"GET /a?b=1 HTTP/1.1\" 200 0.250", true, 250000},
        {NULL,
         "{\"ts\":1795351441.0,\"method\":\"GET\",\"uri\":\"/"
         "a?b=1\",\"status\":200,\"rt\":0.25,\"remote_addr\":\"10.0.0.1\"}",
         false, 250000},
        {"json",
         "{\"time\":\"2026-11-22T12:44:01.000Z\",\"request\":{\"method\":\"GET\",\"uri\":\"/"
         "a?b=1\",\"remote_ip\":\"10.0.0.1\"},\"status\":\"200\",\"duration_ms\":250}",
         false, 250000},
        {NULL,
         "{\"time\":\"2026-11-22T13:44:01.000+01:00\",\"request\":\"GET /a?b=1 "
         "HTTP/2.0\",\"status\":200,\"latency\":\"250ms\",\"client_ip\":\"10.0.0.1, 10.9.9.9\"}",
         false, 250000},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct log_format f;
        struct log_line l;
        char why[256];
        check_ok(log_format_init(&f, CASES[i].format, NULL, 0, NULL, why, sizeof why));
        if (log_format_read(&f, span_str(CASES[i].line), &l) < 0)
            check_failed("%s: %s", CASES[i].line, f.why);
        check_span(l.method, "GET");
        check_span(l.uri, "/a?b=1");
        check_span(l.client, "10.0.0.1");
        assert_int_equal(l.status, 200);
        assert_int_equal(l.time_us, INT64_C(1795351441000000));
        assert_int_equal(l.whole_seconds, CASES[i].whole);
        assert_int_equal(l.duration_us, CASES[i].duration_us);
        log_format_done(&f);
    }
}

static void fields_and_sessions_may_be_named(void **state UNUSED)
{
    static const char *const FIELDS[] = {"time=when", "uri=where", "duration=took_ms"};
    struct log_format f;
    struct log_line l;
    char why[256];
    check_ok(log_format_init(&f, "json", FIELDS, ARRAY_LEN(FIELDS), "sid", why, sizeof why));
    check_ok(log_format_read(&f, SPAN("{\"when\":1795351441,\"where\":\"/x\",\"took_ms\":3,\"sid\":\"s1\",\"time\":7}"),
                             &l));
    check_span(l.session, "s1");
    assert_int_equal(l.duration_us, 3000);
    log_format_done(&f);
    check_ok(log_format_init(&f, "[$time_local] $cookie_sid \"$request\"", NULL, 0, "cookie_sid", why, sizeof why));
    check_ok(log_format_read(&f, SPAN("[22/Nov/2026:13:44:01 +0000] s2 \"GET /x HTTP/1.1\""), &l));
    check_span(l.session, "s2");
    log_format_done(&f);
    check_errno(log_format_init(&f, "$status $request", NULL, 0, NULL, why, sizeof why), -EINVAL);
    check_errno(log_format_init(&f, "common", NULL, 0, "cookie_sid", why, sizeof why), -EINVAL);
    check_errno(log_format_init(&f, "json", (const char *const[]){"when=x"}, 1, NULL, why, sizeof why), -EINVAL);
}

static void lines_that_are_none_have_a_reason(void **state UNUSED)
{
    static const char *const LINES[] = {"",
                                        "x",
                                        "1.2.3.4 - - [99/Nov/2026:13:44:01 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"",
                                        "1.2.3.4 - - [22/Nov/2026:13:44:01 +0000] \"\\x16\\x03\" 400 1 \"-\" \"-\"",
                                        "1.2.3.4 - - [22/Nov/2026:13:44:01 +0000] \"-\" 408 1 \"-\" \"-\"",
                                        "{\"ts\":\"never\"}",
                                        "{",
                                        "{\"a\":1}"};
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        struct log_format f;
        struct log_line l;
        char why[256];
        check_ok(log_format_init(&f, LINES[i][0] == '{' ? "json" : "combined", NULL, 0, NULL, why, sizeof why));
        check_errno(log_format_read(&f, span_str(LINES[i]), &l), -EINVAL);
        assert_true(f.why[0] != '\0');
        log_format_done(&f);
    }
}

/* ---- packed files ---- */

static void logs_may_be_packed_and_cut_off(void **state UNUSED)
{
    AUTO_FREE char *dir = NULL;
    char path[512], longest[LOG_LINE_BYTES_MAX + 3];
    struct line_reader *r = NULL;
    struct span line;
    check_ok(dir_make_temp("crest-lines-", &dir));
    snprintf(path, sizeof path, "%s/a.gz", dir);
    for (int member = 0; member < 2; member++) { /* rotated files behind one another */
        gzFile gz = gzopen(path, member ? "ab" : "wb");
        assert_non_null(gz);
        assert_true(gzputs(gz, member ? "three" : "one\ntwo\r\n") > 0);
        assert_int_equal(gzclose(gz), Z_OK);
    }
    check_ok(line_reader_open(path, &r));
    static const char *const WANTED[] = {"one", "two", "three"};
    for (size_t i = 0; i < ARRAY_LEN(WANTED); i++) {
        assert_int_equal(line_reader_next(r, &line), 1);
        check_span(line, WANTED[i]);
    }
    assert_int_equal(line_reader_next(r, &line), 0);
    line_reader_close(r);
    char *bytes = NULL;
    size_t n;
    check_ok(file_read(path, 1 << 20, &bytes, &n));
    check_ok(file_write(path, bytes, n - 5));
    free(bytes);
    check_ok(line_reader_open(path, &r));
    int e;
    while ((e = line_reader_next(r, &line)) > 0)
        ;
    check_errno(e, -EBADMSG);
    line_reader_close(r);

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\n';
    snprintf(path, sizeof path, "%s/long", dir);
    check_ok(file_write(path, longest, sizeof longest));
    check_ok(line_reader_open(path, &r));
    assert_int_equal(line_reader_next(r, &line), 1);
    assert_true(line_reader_cut(r));
    assert_int_equal(line_reader_next(r, &line), 0);
    line_reader_close(r);
    check_ok(dir_remove(dir));
}

/* ---- routes ---- */

static size_t route_of(struct log_routes *r, const char *method, const char *uri)
{
    struct log_line l = {.method = span_str(method), .uri = span_str(uri), .status = 200, .duration_us = -1};
    size_t route = 0;
    check_ok(log_routes_add(r, &l, &route));
    return route;
}

static void requests_that_differ_in_ids_are_one_route(void **state UNUSED)
{
    struct log_routes *r = NULL;
    size_t order[LOG_ROUTES_MAX];
    check_ok(log_routes_new(&r));
    size_t product = route_of(r, "GET", "/product/SKU-0001");
    assert_int_equal(route_of(r, "GET", "/product/SKU-0002?utm_source=x"), product);
    assert_int_equal(route_of(r, "GET", "http://shop.example/product/17"), product);
    assert_int_not_equal(route_of(r, "POST", "/product/SKU-0001"), product);
    assert_int_not_equal(route_of(r, "GET", "/product/SKU-0001/reviews"), product);
    size_t search = route_of(r, "GET", "/search?q=tent");
    assert_int_equal(route_of(r, "GET", "/search?q=bike"), search);
    assert_int_not_equal(route_of(r, "GET", "/search?q=bike&page=2"), search);
    assert_int_not_equal(route_of(r, "GET", "/api?operationName=A"), route_of(r, "GET", "/api?operationName=B"));
    /* a place with more words than a menu has names things, the first words included */
    size_t first = route_of(r, "GET", "/category/tents"), last = 0;
    for (char c = 'a'; c <= 'z'; c++)
        last = route_of(r, "GET", (char[]){'/', 'c', 'a', 't', 'e', 'g', 'o', 'r', 'y', '/', c, 'x', 0});
    assert_int_not_equal(first, last);
    check_ok(log_routes_settle(r, order));
    assert_int_equal(order[first], order[last]);
    struct buf text;
    buf_init(&text, 4096);
    log_route_template(r, order[last], NULL, &text);
    buf_char(&text, ' ');
    log_route_template(r, search, NULL, &text);
    assert_string_equal(text.data, "/category/{} /search?q={}");
    buf_done(&text);
    struct log_slots slots;
    log_route_slots(r, search, SPAN("/search?q=tent"), &slots);
    assert_int_equal(slots.n, 1);
    check_span(slots.names[0], "q");
    check_span(slots.values[0], "tent");
    log_routes_free(r);
}

/* ---- the whole ---- */

static char *file_of(const char *dir, const char *name)
{
    char path[1024], *text = NULL;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    check_ok(file_read(path, 1 << 24, &text, &n));
    return text;
}

static void check_file(const char *dir, const char *name, const char *expected)
{
    char *text = file_of(dir, name);
    check_sample(text, expected);
    free(text);
}

static void a_log_becomes_journeys_arrivals_and_a_plan(void **state UNUSED)
{
    AUTO_FREE char *dir = NULL;
    const char *files[] = {SAMPLES "access.log"};
    struct problems ps;
    problems_init(&ps);
    check_ok(dir_make_temp("crest-log-", &dir));
    char *report = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&report, &n);
    assert_non_null(to);
    check_ok(import_logs(files, 1, dir, &(struct log_options){.gap_ms = 1800000}, to, &ps));
    fclose(to);
    check_file(dir, "people.hurl", "people.hurl");
    check_file(dir, "bots.hurl", "bots.hurl");
    check_file(dir, "plan.yml", "plan.yml");
    char *arrivals = file_of(dir, "people.arrivals.csv"), *feed = file_of(dir, "people.csv");
    assert_string_equal(arrivals,
                        "seconds\n0.000000\n0.500000\n3619.250000\n"); /* two of one second, the third an hour later */
    size_t seven = 0, eight = 0;
    for (const char *at = feed; (at = strstr(at, "SKU-000")) != NULL; at++) {
        seven += at[7] == '7';
        eight += at[7] == '8';
    }
    assert_in_range(seven, LOG_FEED_ROWS * 2 / 3, LOG_FEED_ROWS * 2 / 3 + 1); /* as often as they were seen */
    assert_int_equal(seven + eight, LOG_FEED_ROWS);
    check_contains(report, "12 lines, 8 requests in the plan");
    check_contains(report, "people: 3 sessions, 7 requests");
    check_contains(report, "bots: 1 sessions, 1 requests");
    assert_int_equal(ps.warnings, 1);
    assert_int_equal(ps.list[0].line, 11);
    free(arrivals);
    free(feed);
    free(report);
    problems_done(&ps);
    check_ok(dir_remove(dir));
}

/* Visitors who walk by a known chain: the import finds its probabilities, and a run of it is like what was. */
static void the_chain_of_known_visitors_is_found(void **state UNUSED)
{
    struct check_random random = check_random_new("the_chain_of_known_visitors_is_found");
    struct log_routes *routes = NULL;
    struct log_sessions *sessions = NULL;
    size_t order[LOG_ROUTES_MAX];
    check_ok(log_routes_new(&routes));
    check_ok(log_sessions_new(INT64_C(1800000000), &sessions));
    const size_t home = route_of(routes, "GET", "/"), product = route_of(routes, "GET", "/product/1");
    for (unsigned visitor = 0; visitor < 4000; visitor++) { /* home, then products: on with 0.6 each time, 2 s apart */
        char name[16];
        snprintf(name, sizeof name, "%u", visitor);
        int64_t at = INT64_C(1795351441000000) + visitor * INT64_C(50000);
        check_ok(log_sessions_add(sessions, span_str(name), LOG_PEOPLE, home, at, 100000));
        while (check_random_below(&random, 10) < 6) {
            at += 2100000;
            check_ok(log_sessions_add(sessions, span_str(name), LOG_PEOPLE, product, at, 100000));
        }
    }
    log_sessions_end(sessions);
    check_ok(log_routes_settle(routes, order));
    struct log_chain *chain = NULL;
    struct log_fidelity f;
    struct rng rng;
    rng_seed(&rng, 7);
    check_ok(log_chain_new(&sessions->of[LOG_PEOPLE], routes, order, &chain));
    assert_int_equal(chain->n, 2);
    size_t at_product = chain->route[0] == product ? 1 : 2, at_home = 3 - at_product;
    assert_true(chain->p[0][at_home] == 1);
    assert_true(chain->p[at_home][at_product] > 0.57 && chain->p[at_home][at_product] < 0.63);
    assert_true(chain->p[at_product][at_product] > 0.57 && chain->p[at_product][at_product] < 0.63);
    assert_int_equal(chain->think_ms[at_product - 1][0], 2000);
    check_ok(log_chain_compare(chain, &sessions->of[LOG_PEOPLE], order, &rng, &f));
    assert_int_equal(f.sessions, 4000);
    assert_true(f.lengths.ks < 0.03);
    assert_true(f.thinks.ks < 0.01);
    assert_true(f.share_error < 0.02);
    assert_true(f.starts.ks == 0);
    log_fidelity_done(&f);
    log_chain_free(chain);
    log_sessions_free(sessions);
    log_routes_free(routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_every_format_say_the_same),
        cmocka_unit_test(fields_and_sessions_may_be_named),
        cmocka_unit_test(lines_that_are_none_have_a_reason),
        cmocka_unit_test(logs_may_be_packed_and_cut_off),
        cmocka_unit_test(requests_that_differ_in_ids_are_one_route),
        cmocka_unit_test(a_log_becomes_journeys_arrivals_and_a_plan),
        cmocka_unit_test(the_chain_of_known_visitors_is_found),
    };
    return cmocka_run_group_tests_name("import_log", tests, NULL, NULL);
}
