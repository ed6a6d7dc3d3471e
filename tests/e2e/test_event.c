/* Events, annotations and the report through the real collector and its commands. */
#include "tests/support/e2e.h"
#include "tests/support/query.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "tests/support/samples.h"

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

/* Two minutes of a sale that began then: de 30 orders and 2,400.60 EUR a minute, jp one order of 9,000 JPY every ten seconds,
 * and a load test's orders, which are no sale. The shop restarts after one minute. */
static void write_sale(struct e2e_program *c, int64_t starts_ms)
{
    struct sample_batch *b = sample_batch_new();
    for (int64_t s = -10; s <= 120; s++) {
        int64_t t = starts_ms + s * 1000;
        double since = (double)(s < 60 ? s + 10 : s - 60); /* counters begin anew at second 60 */
        sample_batch_add(b, "up|instance=a:1|job=shop", t, 1);
        sample_batch_add(b,
                         "commerce_orders_total|channel=web|currency=EUR|instance=a:1|job=shop|market=de|service=shop",
                         t, since * 0.5);
        sample_batch_add(
            b,
            "commerce_revenue_minor_units_total|channel=web|currency=EUR|instance=a:1|job=shop|market=de|service=shop",
            t, since * 4001);
        sample_batch_add(b, "commerce_orders_total|instance=a:1|job=shop|market=de|service=shop|source=load", t,
                         since * 100);
        if (s >= 30) { /* the first order from jp: its counters are not there before */
            double jp = (double)((s < 60 ? s - 20 : s - 60) / 10);
            sample_batch_add(
                b, "commerce_orders_total|channel=web|currency=JPY|instance=a:1|job=shop|market=jp|service=shop", t,
                jp);
            sample_batch_add(b,
                             "commerce_revenue_minor_units_total|channel=web|currency=JPY|instance=a:1|job=shop|market="
                             "jp|service=shop",
                             t, jp * 9000);
        }
        if (s > 110)
            sample_batch_add(b, "commerce:orders_per_minute|channel=web|currency=EUR|market=de|service=shop", t, 31.5);
    }
    sample_batch_send(b, c);
}

static const char *write_event(int64_t starts_ms, const char *more)
{
    char text[1000], starts[NUMBER_TEXT_MAX];
    format_rfc3339_ms(starts, starts_ms);
    snprintf(text, sizeof text,
             "name: sale\nwindow: {zone: Europe/Berlin, starts: \"%s\", length: 10m}\nmarkets: {de: EUR, jp: JPY}\n"
             "phases: [{name: rush, at: +0}, {name: late, at: +5}]\nplan: plan.csv\nlast: last.csv\n%s",
             starts, more);
    e2e_write("plan.csv", "minute,market,orders,revenue\n+0,de,40,3000\n+1,de,40,3000\n+2,de,40,3000\n+3,de,20,1500\n");
    e2e_write("last.csv", "minute,market,orders,revenue\n+0,de,10,700\n+1,de,12,800\n+2,de,6,400\n");
    return e2e_write("event.yml", text);
}

static json_t *section_row(struct e2e_program *c, const char *section, const char *key)
{
    json_t *all = get_json(c, "/api/crest/v1/state", 200);
    json_t *row = json_incref(json_object_get(json_object_get(json_object_get(all, "sections"), section), key));
    json_decref(all);
    return row;
}

static double at(json_t *row, const char *market, const char *part, const char *value, const char *which)
{
    json_t *m = json_object_get(json_object_get(row, "markets"), market);
    m = *part ? json_object_get(m, part) : m;
    return json_number_value(json_object_get(json_object_get(m, value), which));
}

static bool totals_are_there(void *ctx)
{
    json_t *row = section_row(ctx, "event", "sale");
    bool yes = at(row, "de", "total", "orders", "now") > 0;
    json_decref(row);
    return yes;
}

static void the_event_stands_beside_its_plan_in_the_stream(void **state)
{
    (void)state;
    AUTO_FREE char *data = strdup(e2e_path("data"));
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", data));
    int64_t starts_ms = unix_ms() - 125000;
    write_sale(c, starts_ms);
    const char *file = write_event(starts_ms, "");
    free(e2e_run("crest-collector", E2E_ARGS("event", "import", file, "--url", e2e_url(c)), 0));
    (void)e2e_wait(5000, totals_are_there, c);
    json_t *row = section_row(c, "event", "sale");
    assert_string_equal(json_string_value(json_object_get(row, "phase")), "rush");
    assert_true(json_integer_value(json_object_get(row, "starts")) == starts_ms);
    /* seconds 0 to 59: 59 rises of 0.5; then from 0: 60 of them; the load test's are not among them */
    check_double_ulps(at(row, "de", "total", "orders", "now"), 59 * 0.5 + 60 * 0.5, 4);
    check_double_ulps(at(row, "de", "total", "revenue", "now"), (59 + 60) * 40.01, 4);
    check_double_ulps(at(row, "jp", "total", "orders", "now"), 3 + 6, 4); /* the first one counts, too */
    check_double_ulps(at(row, "jp", "total", "revenue", "now"), 9 * 9000, 4);
    check_double_bits(at(row, "de", "", "orders", "now"), 31.5);
    check_double_bits(at(row, "de", "", "orders", "plan"), 40);
    check_double_bits(at(row, "de", "", "orders", "last"), 6);
    assert_true(at(row, "de", "total", "orders", "plan") > 80 && at(row, "de", "total", "orders", "plan") < 90);
    double on = at(row, "de", "on_pace_for", "orders", "at");
    assert_true(on > 90 && on < 115); /* of 140 planned, at three quarters of the plan */
    assert_true(at(row, "de", "on_pace_for", "orders", "low") <= on &&
                at(row, "de", "on_pace_for", "orders", "high") >= on);
    assert_null(
        json_object_get(json_object_get(json_object_get(json_object_get(row, "markets"), "jp"), "orders"), "plan"));
    json_decref(row);
    json_t *one = get_json(c, "/api/crest/v1/events/sale", 200);
    json_t *plan = json_object_get(
        json_object_get(json_object_get(json_object_get(json_object_get(one, "data"), "markets"), "de"), "plan"),
        "orders");
    check_double_bits(json_number_value(json_array_get(plan, 3)), 20);
    json_decref(one);
    free(e2e_get(c, "/api/crest/v1/events/other", 404));

    /* a broken plan is told with its place, by the command and by the API, and the event stays as it was */
    const char *broken = write_event(starts_ms, "growth: twice\n");
    free(e2e_run("crest-collector", E2E_ARGS("event", "import", broken, "--url", e2e_url(c)), 2));
    char *answer = e2e_send(c, "POST", "/api/crest/v1/events", "application/json",
                            "{\"file\":\"e.yml\",\"text\":\"name: sale\\nwindow: {}\\nmarkets: {de: EUR}\\n\"}", 400);
    check_contains(answer, "e.yml:2:9");
    free(answer);
    e2e_stop(c);

    /* it is there after a restart, and for commands that read a stopped collector's folder */
    char *listed = e2e_run("crest-collector", E2E_ARGS("event", "list", "--data", data), 0);
    check_contains(listed, "sale");
    free(listed);
    c = e2e_start("crest-collector", E2E_ARGS("--data", data));
    listed = e2e_run("crest-collector", E2E_ARGS("event", "list", "--url", e2e_url(c)), 0);
    check_contains(listed, "rush");
    free(listed);
    free(e2e_run("crest-collector", E2E_ARGS("event", "list", "--data", data), 1)); /* it is running */
    (void)e2e_wait(5000, totals_are_there, c);
    free(e2e_run("crest-collector", E2E_ARGS("event", "remove", "sale", "--url", e2e_url(c)), 0));
    free(e2e_run("crest-collector", E2E_ARGS("event", "remove", "sale", "--url", e2e_url(c)), 1));
    e2e_stop(c);
    free(e2e_run("crest-collector", E2E_ARGS("event", "list", "--data", e2e_path("nowhere")), 1));
}

static void the_report_says_what_came_in_and_says_it_again_byte_for_byte(void **state)
{
    (void)state;
    AUTO_FREE char *data = strdup(e2e_path("data")), *one = strdup(e2e_path("one.html"));
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", data));
    int64_t starts_ms = (unix_ms() - 700000) / 1000 * 1000;
    write_sale(c, starts_ms);
    struct sample_batch *b = sample_batch_new();
    for (int64_t s = 0; s <= 610; s++) {     /* quiet until the end; an alert from 70 to 90 */
        if (s > 120 && (s < 300 || s > 340)) /* and a gap in the data */
            sample_batch_add(b, "up|instance=a:1|job=shop", starts_ms + s * 1000, 1);
        if (s >= 70 && s < 90)
            sample_batch_add(b, "ALERTS|alertname=PaymentStuck|alertstate=firing|service=shop|severity=page",
                             starts_ms + s * 1000, 1);
        sample_batch_add(b, "commerce_operations_total|job=shop|operation=payment|outcome=ok|service=shop",
                         starts_ms + s * 1000, (double)s);
        sample_batch_add(b, "commerce_operations_total|job=shop|operation=payment|outcome=declined|service=shop",
                         starts_ms + s * 1000, (double)(s / 10));
        sample_batch_add(b, "commerce_operations_total|job=shop|operation=payment|outcome=error|service=shop",
                         starts_ms + s * 1000, (double)(s / 100));
    }
    sample_batch_add(b, "ALERTS|alertname=PaymentStuck|alertstate=firing|service=shop|severity=page", starts_ms + 90000,
                     1);
    sample_batch_send(b, c);
    char at[NUMBER_TEXT_MAX];
    format_rfc3339_ms(at, starts_ms + 65000);
    free(e2e_run("crest-collector",
                 E2E_ARGS("mark", "deploy", "shop", "v42 <script>alert(1)</script>", "--at", at, "--url", e2e_url(c)),
                 0));
    free(e2e_run("crest-collector", E2E_ARGS("report", "sale", "-o", one, "--url", e2e_url(c)), 1)); /* no such event */
    free(e2e_run("crest-collector", E2E_ARGS("event", "import", write_event(starts_ms, ""), "--url", e2e_url(c)), 0));
    char *html = e2e_get(c, "/api/crest/v1/events/sale/report", 200);
    free(html);
    html = e2e_run("crest-collector", E2E_ARGS("report", "sale", "--output", "-", "--url", e2e_url(c)), 0);
    static const char *const WANTED[] = {
        "fell short of its plan", "4,761.19 EUR", "81,000 JPY", "PaymentStuck",   "v42 &lt;script&gt;", "no samples",
        "fell 4 times",           "declined",     "<svg ",      "99.09\xc2\xa0%",
    };
    for (size_t i = 0; i < ARRAY_LEN(WANTED); i++)
        check_contains(html, WANTED[i]);
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "http://127"));
    free(html);
    e2e_stop(c);
    free(e2e_run("crest-collector", E2E_ARGS("report", "sale", "-o", one, "--data", data), 0));
    AUTO_FREE char *first = NULL, *second = NULL;
    size_t n = 0, m = 0;
    check_ok(file_read(one, 64u << 20, &first, &n));
    second = e2e_run("crest-collector", E2E_ARGS("report", "sale", "-o", "-", "--data", data), 0);
    m = strlen(second);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_mark_is_in_the_list_and_in_the_stream_s_state, e2e_teardown),
        cmocka_unit_test_teardown(the_event_stands_beside_its_plan_in_the_stream, e2e_teardown),
        cmocka_unit_test_teardown(the_report_says_what_came_in_and_says_it_again_byte_for_byte, e2e_teardown),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
