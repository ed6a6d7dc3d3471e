/* Events, annotations and the report through the real collector and its commands. */
#include "tests/support/e2e.h"
#include "tests/support/query.h"

#include <string.h>

static void a_mark_is_in_the_list_and_in_the_stream_s_state(void **state)
{
    (void)state;
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    free(e2e_run("crest-collector", E2E_ARGS("mark", "deploy", "checkout", "v42 <b>", "--url", e2e_url(c)), 0));
    free(e2e_run("crest-collector",
                 E2E_ARGS("mark", "note", "-", "before", "--at", "2026-11-27T00:00:00Z", "--url", e2e_url(c)), 0));
    free(e2e_run("crest-collector", E2E_ARGS("mark", "Bad Kind", "-", "x", "--url", e2e_url(c)), 2));
    json_t *list = get_json(c, "/api/crest/v1/annotations?start=1795737600&end=1795737600", 200);
    json_t *data = json_object_get(list, "data"), *first = json_array_get(data, 0);
    assert_int_equal(json_array_size(data), 1);
    assert_string_equal(json_string_value(json_object_get(first, "text")), "before");
    assert_null(json_object_get(first, "service"));
    assert_int_equal(json_integer_value(json_object_get(first, "t")), 1795737600000);
    json_decref(list);
    json_t *all = get_json(c, "/api/crest/v1/state", 200);
    json_t *deploy = json_object_get(json_object_get(json_object_get(all, "sections"), "annotations"), "1");
    assert_string_equal(json_string_value(json_object_get(deploy, "kind")), "deploy");
    assert_string_equal(json_string_value(json_object_get(deploy, "service")), "checkout");
    assert_string_equal(json_string_value(json_object_get(deploy, "text")), "v42 <b>");
    json_decref(all);
    free(e2e_send(c, "POST", "/api/crest/v1/annotations", "application/json", "{\"kind\":\"note\"}", 400));
    free(e2e_send(c, "POST", "/api/crest/v1/annotations", "application/json", "{\"kind\":", 400));
    free(e2e_send(c, "POST", "/api/crest/v1/annotations", "application/json",
                  "{\"kind\":\"note\",\"text\":\"x\",\"t\":\"yesterday\"}", 400));
    e2e_stop(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_mark_is_in_the_list_and_in_the_stream_s_state, e2e_teardown),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
