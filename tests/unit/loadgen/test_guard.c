/* The guard of a run: which alerts end it, and what is said when it cannot see. */
#include "tests/support/check.h"

#include "lib/base/clock.h"
#include "loadgen/guard.h"
#include "tests/support/stub_server.h"

#define ALERT(state, labels)                                                                                           \
    "{\"state\":\"" state "\",\"labels\":{" labels "},\"annotations\":{\"summary\":\"it burns\"}}"
#define ANSWER(alerts) "{\"status\":\"success\",\"data\":{\"alerts\":[" alerts "]}}"

static void only_a_page_about_customers_ends_a_run(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *reason; /* NULL: go on */
    } CASES[] = {
        {ANSWER(""), NULL},
        {ANSWER(ALERT("firing", "\"alertname\":\"A\",\"severity\":\"ticket\"")), NULL},
        {ANSWER(ALERT("pending", "\"alertname\":\"A\",\"severity\":\"page\"")), NULL},
        {ANSWER(ALERT("firing", "\"alertname\":\"A\",\"severity\":\"page\",\"source\":\"load\"")), NULL},
        {ANSWER(ALERT("firing", "\"alertname\":\"A\",\"severity\":\"ticket\"") "," ALERT(
             "firing", "\"alertname\":\"B\",\"severity\":\"page\",\"source\":\"\",\"service\":\"shop\"")),
         "the guard ended it: B fires for shop with severity=\"page\": it burns"},
        {ANSWER("7," ALERT("firing", "\"alertname\":\"C\",\"severity\":\"page\"")),
         "the guard ended it: C fires with severity=\"page\": it burns"},
    };
    struct stub_server *server;
    check_ok(stub_server_start(0, NULL, NULL, &server));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct guard *g = NULL;
        stub_server_page(server, "/api/v1/alerts", &(struct stub_page){.body = CASES[i].answer});
        check_ok(guard_new(stub_server_url(server), NULL, 3600000, &g));
        check_ok(guard_look(g));
        assert_string_equal(guard_error(g), "");
        if (CASES[i].reason)
            assert_string_equal(guard_reason(g), CASES[i].reason);
        else
            assert_null(guard_reason(g));
        guard_free(g);
    }
    stub_server_stop(server);
}

static void what_cannot_be_seen_is_said(void **state)
{
    (void)state;
    static const struct {
        struct stub_page page;
        const char *error;
    } CASES[] = {{{.status = 503, .body = "busy"}, "/api/v1/alerts: status 503"},
                 {{.body = "<html>"}, "its answer is no list of alerts"},
                 {{.body = "{\"data\":{}}"}, "its answer is no list of alerts"},
                 {{.status = -1}, "/api/v1/alerts: "}};
    struct stub_server *server;
    check_ok(stub_server_start(0, NULL, NULL, &server));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct guard *g = NULL;
        stub_server_page(server, "/api/v1/alerts", &CASES[i].page);
        check_ok(guard_new(stub_server_url(server), NULL, 3600000, &g));
        assert_true(guard_look(g) < 0);
        check_contains(guard_error(g), CASES[i].error);
        assert_null(guard_reason(g)); /* one answer that is missing is no reason yet */
        guard_free(g);
    }
    stub_server_stop(server);
}

/* One that hangs, one that refuses: who cannot see ends the run when the bound is over, and not before. */
static void a_guard_that_sees_nothing_for_too_long_ends_the_run(void **state)
{
    (void)state;
    static const struct {
        struct stub_page page;
        const char *error;
    } CASES[] = {{{.status = 503, .body = "busy"}, "it could not see for 0.7 s ("},
                 {{.status = -2}, "(no answer yet)"}};
    struct stub_server *server;
    check_ok(stub_server_start(0, NULL, NULL, &server));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct guard *g = NULL;
        stub_server_page(server, "/api/v1/alerts", &CASES[i].page);
        int64_t start_us = mono_us();
        check_ok(guard_new(stub_server_url(server), NULL, 700, &g));
        while (!guard_reason(g) && mono_us() - start_us < 60000000) {
            guard_step(g);
            sleep_us(5000);
        }
        assert_non_null(guard_reason(g));
        check_contains(guard_reason(g), CASES[i].error);
        assert_true(mono_us() - start_us > 700000);
        guard_free(g);
    }
    stub_server_stop(server);
}

/* It was away for less than the bound: nothing has happened. */
static void a_guard_that_sees_again_goes_on(void **state)
{
    (void)state;
    struct stub_server *server;
    struct guard *g = NULL;
    check_ok(stub_server_start(0, NULL, NULL, &server));
    stub_server_page(server, "/api/v1/alerts", &(struct stub_page){.status = 503, .body = "busy"});
    check_ok(guard_new(stub_server_url(server), NULL, 3600000, &g));
    while (stub_server_requests(server, "/api/v1/alerts") < 2) {
        guard_step(g);
        sleep_us(5000);
    }
    stub_server_page(
        server, "/api/v1/alerts",
        &(struct stub_page){.body = ANSWER(ALERT("firing", "\"alertname\":\"A\",\"severity\":\"ticket\""))});
    int64_t start_us = mono_us();
    while ((guard_error(g)[0] || stub_server_requests(server, "/api/v1/alerts") < 3) &&
           mono_us() - start_us < 60000000) {
        guard_step(g);
        sleep_us(5000);
    }
    assert_string_equal(guard_error(g), "");
    assert_null(guard_reason(g));
    guard_free(g);
    stub_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_page_about_customers_ends_a_run),
        cmocka_unit_test(what_cannot_be_seen_is_said),
        cmocka_unit_test(a_guard_that_sees_nothing_for_too_long_ends_the_run),
        cmocka_unit_test(a_guard_that_sees_again_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
