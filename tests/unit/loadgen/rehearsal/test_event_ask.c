/* Asking a collector about events: what is asked, and what is said when there is no answer to go by. */
#include "tests/support/check.h"

#include <errno.h>

#include "loadgen/rehearsal/event_ask.h"
#include "tests/support/stub_server.h"

#define EVENTS "/api/crest/v1/events"
#define OK(data) "{\"status\":\"success\",\"data\":" data "}"
#define NO_EVENT "{\"status\":\"error\",\"errorType\":\"not_found\",\"error\":\"no event is called 'bf'\"}"
#define EVENT(name, starts, ends)                                                                                      \
    "{\"name\":\"" name "\",\"starts\":" starts ",\"ends\":" ends ",\"markets\":{\"de\":{}}}"

static void an_answer_that_says_nothing_is_told_in_words(void **state)
{
    (void)state;
    static const struct {
        struct stub_page page;
        int error;
        const char *words;
    } CASES[] = {
        {{.status = 401, .body = "who"}, -EPROTO, "asks for credentials: give --auth-file"},
        {{.status = 404, .body = "<html>"}, -EPROTO, "has no events: is a crest-collector there?"},
        {{.status = 404, .body = NO_EVENT}, -ENOENT, "no event is called 'bf'"},
        {{.status = 503, .body = "{\"error\":\"busy\"}"}, -EPROTO, "status 503: busy"},
        {{.body = "<html>"}, -EBADMSG, "its answer is none of a crest-collector"},
        {{.body = OK("{}")}, -EINVAL, "the event cannot be read: that is no event"},
        {{.status = -1}, -ECONNRESET, "http://127.0.0.1:"},
    };
    struct stub_server *server;
    check_ok(stub_server_start(0, NULL, NULL, &server));
    stub_server_page(server, EVENTS, &(struct stub_page){.body = OK("[{\"name\":\"summer\"}]")});
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct event_ask ask = {.url = stub_server_url(server)};
        struct event_facts e = {0};
        stub_server_page(server, EVENTS "/bf", &CASES[i].page);
        int r = event_ask_event(&ask, "bf", &e);
        if (r >= 0 || (CASES[i].page.status != -1 && r != CASES[i].error))
            check_failed("case %zu: %d", i, r);
        check_contains(ask.error, CASES[i].words);
        if (r == -ENOENT)
            check_contains(ask.error, "there are: summer");
    }
    stub_server_stop(server);
}

static void the_last_event_is_the_one_that_ended_last(void **state)
{
    (void)state;
    struct stub_server *server;
    struct event_facts e;
    check_ok(stub_server_start(0, NULL, NULL, &server));
    struct event_ask ask = {.url = stub_server_url(server)};
    stub_server_page(
        server, EVENTS,
        &(struct stub_page){.body = OK("[" EVENT("a", "1", "500") "," EVENT("b", "2", "700") "," EVENT(
                                "bf", "3", "900") "," EVENT("c", "4", "600") "," EVENT("later", "5", "1001") "]")});
    check_ok(event_ask_last_over(&ask, "bf", 1000, &e));
    assert_string_equal(e.name, "b");
    event_facts_done(&e);
    check_errno(event_ask_last_over(&ask, "bf", 499, &e), -ENOENT);
    check_contains(ask.error, "no other event at");
    stub_server_stop(server);
}

/* What a range query was asked for, and an answer for its first minute. */
struct asked {
    char paths[8][600];
    size_t n;
};
static void on_query(void *ctx, const struct stub_request *request, struct stub_page *page)
{
    struct asked *a = ctx;
    if (a->n < ARRAY_LEN(a->paths))
        snprintf(a->paths[a->n++], sizeof a->paths[0], SPAN_FMT, SPAN_ARG(request->path));
    page->body = OK("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1795734060,\"7\"]]}]}");
}

static void a_month_is_measured_in_pieces_minute_by_minute_up_to_now(void **state)
{
    (void)state;
    struct asked asked = {0};
    struct stub_server *server;
    struct parse_error error;
    char why[120];
    check_ok(stub_server_start(0, on_query, &asked, &server));
    struct event_ask ask = {.url = stub_server_url(server)};
    json_t *data = json_read(SPAN(EVENT("bf", "1795734000000", "1798412400000")), &error); /* 31 days */
    struct event_facts e;
    struct minutes m = {0};
    check_ok(event_facts_read(data, &e, why, sizeof why));
    check_ok(event_ask_measured(&ask, &e, 1795734000000 + 12000 * MINUTE_MS + 59999, &m));
    assert_int_equal(asked.n, 4); /* orders and requests, 10,000 minutes and 2,000 */
    check_contains(asked.paths[0],
                   "query_range?start=1795734060&end=1796334000&step=60&query=sum%28increase%28commerce_orders");
    check_contains(asked.paths[1], "start=1796334060&end=1796454000&step=60");
    check_contains(asked.paths[2], "commerce_operations_total");
    int64_t minute;
    double v;
    assert_true(minutes_peak(&m, MINUTE_REQUESTS, &minute, &v) && minute == 0 && v == 14); /* both pieces' answers */
    minutes_done(&m);
    asked.n = 0;
    check_ok(event_ask_measured(&ask, &e, 1795734000000 + 59999, &m)); /* no minute is over */
    assert_int_equal(asked.n, 0);
    event_facts_done(&e);
    json_decref(data);
    stub_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_says_nothing_is_told_in_words),
        cmocka_unit_test(the_last_event_is_the_one_that_ended_last),
        cmocka_unit_test(a_month_is_measured_in_pieces_minute_by_minute_up_to_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
