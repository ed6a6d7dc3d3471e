/* Deleting series through Prometheus's admin API: closed by default, hidden at once, gone for good after kill -9. */
#include <string.h>

#include "lib/base/clock.h"
#include "tests/support/query.h"
#include "tests/support/samples.h"

#define FORM "application/x-www-form-urlencoded"
#define DELETE "/api/v1/admin/tsdb/delete_series"
#define CLEAN "/api/v1/admin/tsdb/clean_tombstones"

static void send_samples(const struct e2e_program *collector, int64_t t_ms)
{
    struct sample_batch *b = sample_batch_new();
    sample_batch_add(b, "debug|job=a", t_ms, 1);
    sample_batch_add(b, "debug|job=b", t_ms, 2);
    sample_batch_send(b, collector);
}

static void the_admin_api_is_closed_unless_it_was_asked_for(void **state UNUSED)
{
    struct e2e_program *p = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    send_samples(p, unix_ms());
    free(e2e_send(p, "POST", DELETE "?match[]=debug", FORM, "", 403));
    free(e2e_send(p, "POST", CLEAN, FORM, "", 403));
    assert_true(query_value(p, "count(debug)") == 2);
    e2e_stop(p);
}

static void deleted_series_stay_deleted_and_live_when_they_are_written_again(void **state UNUSED)
{
    const char *const *args =
        E2E_ARGS("--data", e2e_path("data"), "--config", e2e_write("crest.yml", "admin_api: true\n"));
    struct e2e_program *p = e2e_start("crest-collector", args);
    int64_t t_ms = unix_ms() - 5000;
    send_samples(p, t_ms);
    char *body = e2e_send(p, "POST", DELETE, FORM, "start=0", 400);
    check_contains(body, "no match[] parameter provided");
    free(body);
    free(e2e_send(p, "POST", DELETE, FORM, "match[]=debug{", 400));
    free(e2e_send(p, "POST", DELETE, FORM, "match[]=debug&start=2&end=1", 400));
    free(e2e_send(p, "POST", DELETE, FORM, "match[]=debug&start=0&end=1000", 204)); /* long before */
    assert_true(query_value(p, "count(debug)") == 2);
    free(e2e_send(p, "POST", DELETE "?match[]=debug{job=\"a\"}&match[]=nothing", FORM, "", 204));
    assert_true(query_value(p, "count(debug)") == 1);
    body = e2e_get(p, "/api/v1/series?match[]=debug", 200);
    assert_null(strstr(body, "\"a\""));
    free(body);
    e2e_kill(p);
    p = e2e_start("crest-collector", args);
    assert_true(query_value(p, "count(debug)") == 1);
    assert_true(query_value(p, "debug{job=\"b\"}") == 2);
    free(e2e_send(p, "PUT", CLEAN, FORM, "", 204));
    assert_true(query_value(p, "count(debug)") == 1);
    send_samples(p, t_ms); /* the same times: the one is a duplicate, the other lives again */
    assert_true(query_value(p, "count(debug)") == 2);
    char *page = e2e_get(p, "/metrics", 200);
    assert_true(page_value(page, "crest_store_purged_extents_total") >= 1);
    free(page);
    e2e_stop(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_admin_api_is_closed_unless_it_was_asked_for, e2e_teardown),
        cmocka_unit_test_teardown(deleted_series_stay_deleted_and_live_when_they_are_written_again, e2e_teardown),
    };
    return cmocka_run_group_tests_name("admin API", tests, NULL, NULL);
}
