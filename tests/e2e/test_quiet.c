/* A shop that is well pages nobody: not while it is quiet, not when eight times the visitors come. And it does page when it is not.
 *
 * QUIET_SECONDS (12) of the usual visitors, SPIKE_SECONDS (8) of eight times as many; `make quiet` takes ten minutes and two. */
#include <math.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"
#include "tests/support/sale.h"

#define CHECKOUTS_PER_S 1.0
#define BROWSERS_PER_S 2.0
#define SPIKE 8

static int64_t seconds_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    if (text && *text && parse_u64(text, 86400, &otherwise) < 0)
        check_failed("%s=%s is not a number of seconds", name, text);
    return (int64_t)otherwise;
}

static double query(struct sale *s, const char *format, int64_t seconds)
{
    char text[256];
    snprintf(text, sizeof text, format, (int)seconds);
    return sale_query(s, text);
}

/* What was sent, so that a failure says it. */
static void fail_on_pages(struct sale *s, const char *when)
{
    size_t n = webhook_server_count(s->pager);
    for (size_t i = 0; i < n; i++) {
        char *text = json_dumps(webhook_server_body(s->pager, i), 0);
        print_error("page %zu: %s\n", i, text ? text : "?");
        free(text);
    }
    if (n)
        check_failed("%zu pages %s", n, when);
}

/* Each rule must have been looked at, and without an error: a rule that cannot be evaluated is quiet, too. */
static void check_rules_are_well(struct sale *s)
{
    struct parse_error error;
    char *body = e2e_get(s->collector, "/api/v1/rules", 200);
    json_t *answer = json_read(span_str(body), &error), *group, *rule;
    size_t i, k, n = 0;
    json_array_foreach(json_object_get(json_object_get(answer, "data"), "groups"), i, group)
    {
        json_array_foreach(json_object_get(group, "rules"), k, rule)
        {
            const char *health = json_string_value(json_object_get(rule, "health"));
            const char *group_name = json_string_value(json_object_get(group, "name"));
            if (group_name && strcmp(group_name, "shop-report") == 0)
                continue; /* every 30 s: perhaps not yet */
            if (!health || strcmp(health, "ok") != 0)
                check_failed("rule %s: health %s: %s", json_string_value(json_object_get(rule, "name")), health,
                             json_string_value(json_object_get(rule, "lastError")));
            n++;
        }
    }
    assert_true(n >= 20);
    json_decref(answer);
    free(body);
}

static void a_shop_that_is_well_pages_nobody_and_one_that_is_not_does(void **state)
{
    (void)state;
    int64_t quiet_s = seconds_of("QUIET_SECONDS", 12), spike_s = seconds_of("SPIKE_SECONDS", 8), at_us = 0;
    struct sale *s = sale_open();
    struct customers *c = customers_start(s->shop, CHECKOUTS_PER_S * SPIKE, BROWSERS_PER_S * SPIKE);
    customers_pace(c, CHECKOUTS_PER_S, BROWSERS_PER_S);
    sleep_us(quiet_s * 1000000);
    fail_on_pages(s, "while it was quiet");
    double quiet_rps = query(s, "avg_over_time(commerce:throughput_rps{service=\"shop\"}[%ds])", quiet_s);
    customers_pace(c, CHECKOUTS_PER_S * SPIKE, BROWSERS_PER_S * SPIKE);
    sleep_us(spike_s * 1000000);
    fail_on_pages(s, "in the spike");
    double peak_rps = query(s, "max_over_time(commerce:throughput_rps{service=\"shop\"}[%ds])", spike_s);
    customers_pace(c, CHECKOUTS_PER_S, BROWSERS_PER_S);
    sleep_us(spike_s < 10 ? spike_s * 1000000 : 10000000); /* the windows see it go */
    fail_on_pages(s, "after the spike");
    check_rules_are_well(s);
    /* "ALERTS" has a series from the first moment on in which an alert fires. */
    double firing = query(s, "count(count_over_time(ALERTS{alertstate=\"firing\"}[%ds]))", quiet_s + 2 * spike_s + 20);
    assert_true(isnan(firing));
    struct customer_counts n = customers_count(c);
    print_message("%d s quiet (%.1f requests/s), %d s spike (up to %.1f requests/s), %llu payments, %llu of them "
                  "declined: no page\n",
                  (int)quiet_s, quiet_rps, (int)spike_s, peak_rps, (unsigned long long)n.payments,
                  (unsigned long long)n.declined);
    assert_true(quiet_rps > 1 && peak_rps > 2.5 * quiet_rps);
    assert_true((double)n.payments > CHECKOUTS_PER_S * (double)quiet_s / 2);
    assert_int_equal(n.errors, 0);

    /* The same shop pages when payments fail. */
    customers_pace(c, CHECKOUTS_PER_S * SPIKE, 0);
    (void)sale_control(s, "{\"gateway\":{\"error_ratio\":1}}");
    assert_true(sale_wait_alert(s, "firing PaymentGatewayErrors", 0, 10000 * check_patience(), &at_us));
    customers_stop(c);
    sale_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_shop_that_is_well_pages_nobody_and_one_that_is_not_does, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
