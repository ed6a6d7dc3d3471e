/* The guard of a run: which alerts end it, and what is said when it cannot see. */
#include "tests/support/check.h"

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
        check_ok(guard_new(stub_server_url(server), NULL, &g));
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
        check_ok(guard_new(stub_server_url(server), NULL, &g));
        assert_true(guard_look(g) < 0);
        check_contains(guard_error(g), CASES[i].error);
        assert_null(guard_reason(g)); /* one answer that is missing is no reason yet */
        guard_free(g);
    }
    stub_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_page_about_customers_ends_a_run),
        cmocka_unit_test(what_cannot_be_seen_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
