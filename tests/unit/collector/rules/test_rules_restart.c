/* A restart changes nothing that the clock does not: alert states, what was sent, time stamps; on real files. */
#include "tests/unit/collector/rules/rules_bench.h"

#define RULES                                                                                                          \
    "groups:\n- name: g\n  interval: 1s\n  rules:\n"                                                                   \
    "  - {alert: Now, expr: 'up == 0'}\n"                                                                              \
    "  - {alert: Later, expr: 'up == 0', for: 30s}\n"                                                                  \
    "  - {alert: Kept, expr: 'up == 2', keep_firing_for: 5m}\n"                                                        \
    "  - {record: r, expr: up}\n"

static void put(struct bench *b, const char *series, double value, int64_t t_ms)
{
    char line[128];
    (void)snprintf(line, sizeof line, "%s %g %lld\n", series, value, (long long)t_ms);
    b->now_ms = t_ms;
    bench_put(b, line);
}
/* A second of life: a scrape, and the evaluation that its commit causes. */
static void second(struct bench *b, int64_t t_ms, double value)
{
    put(b, "up", value, t_ms);
    bench_step(b, t_ms + 20);
}
static size_t count_told(const struct bench *b, const char *what)
{
    size_t n = 0;
    for (const char *at = b->told.data; at && (at = strstr(at, what)); at++)
        n++;
    return n;
}
static void restart(struct bench *b, int64_t at_ms)
{
    bench_stop(b);
    b->now_ms = at_ms;
    bench_start(b, RULES);
}
static const char *state_of(struct bench *b, const char *alertname, char text[64])
{
    json_t *data = bench_alerts_json(b), *alerts = json_object_get(data, "alerts");
    (void)snprintf(text, 64, "inactive");
    for (size_t i = 0; i < json_array_size(alerts); i++) {
        json_t *a = json_array_get(alerts, i);
        if (strcmp(json_string_value(json_object_get(json_object_get(a, "labels"), "alertname")), alertname) == 0)
            (void)snprintf(text, 64, "%s since %s", json_string_value(json_object_get(a, "state")),
                           json_string_value(json_object_get(a, "activeAt")));
    }
    json_decref(data);
    return text;
}
static const char *since(const char *state, int64_t t_ms, char text[64])
{
    char at[NUMBER_TEXT_MAX];
    format_rfc3339_ms(at, t_ms);
    (void)snprintf(text, 64, "%s since %s", state, at);
    return text;
}

static void a_restart_goes_on_where_it_was(void **unused)
{
    (void)unused;
    struct bench b;
    int64_t t = 1000000000;
    char have[64], want[64];
    bench_open(&b, RULES, true);
    for (int i = 0; i < 10; i++)
        second(&b, t + i * 1000, 0);
    assert_int_equal(count_told(&b, "firing {alertname=\"Now\"}"), 1);
    buf_clear(&b.told);

    restart(&b, t + 15000);
    assert_string_equal(state_of(&b, "Now", have), since("firing", t, want)); /* known before any evaluation */
    assert_string_equal(state_of(&b, "Later", have), since("pending", t, want));
    for (int i = 15; i < 29; i++)
        second(&b, t + i * 1000, 0);
    assert_string_equal(state_of(&b, "Now", have), since("firing", t, want));
    assert_string_equal(state_of(&b, "Later", have), since("pending", t, want));
    bench_check_told(&b, ""); /* nobody is told again */
    for (int i = 29; i < 33; i++)
        second(&b, t + i * 1000, 0);
    assert_string_equal(state_of(&b, "Later", have),
                        since("firing", t, want)); /* 30 s after it began, not after the restart */
    assert_int_equal(count_told(&b, "firing {alertname=\"Later\"}"), 1);
    assert_int_equal(count_told(&b, "\n"), 1);
    for (int i = 33; i < 70; i++)
        second(&b, t + i * 1000, 0);
    assert_int_equal(count_told(&b, "firing {alertname=\"Now\"}"), 1); /* the resend, a minute after the first */

    restart(&b, t + 75000);
    buf_clear(&b.told);
    second(&b, t + 76000, 1); /* ended while nobody looked: the result says so at once… */
    for (int i = 77; i < 140; i++)
        second(&b, t + i * 1000, 1);
    assert_int_equal(count_told(&b, "resolved {alertname=\"Now\"}"),
                     1); /* …and it is believed after the grace of a minute */
    assert_int_equal(count_told(&b, "resolved {alertname=\"Later\"}"), 1);
    bench_close(&b);
}

/* The window of a rule is empty right after a restart: no end of an alert. */
static void a_gap_of_samples_does_not_resolve(void **unused)
{
    (void)unused;
    struct bench b;
    char have[64], want[64];
    static const char WINDOW[] = "groups:\n- name: g\n  interval: 1s\n  rules:\n"
                                 "  - {alert: Errors, expr: 'increase(errors_total[10s]) > 0'}\n";
    int64_t t = 1000000000;
    bench_open(&b, WINDOW, true);
    for (int i = 0; i < 20; i++) {
        put(&b, "errors_total", i, t + i * 1000);
        bench_step(&b, t + i * 1000 + 20);
    }
    assert_int_equal(count_told(&b, "firing"), 1);
    buf_clear(&b.told);
    bench_stop(&b);
    b.now_ms = t + 60000; /* away for 40 s */
    bench_start(&b, WINDOW);
    for (int i = 0; i < 5; i++)
        bench_step(&b, t + 60000 + i * 1000); /* ticks without a sample */
    for (int i = 0; i < 60; i++) {
        put(&b, "errors_total", 20 + i, t + 65000 + i * 1000);
        bench_step(&b, t + 65000 + i * 1000 + 20);
        assert_int_equal(count_told(&b, "resolved"), 0);
    }
    (void)since("firing", t, want);
    assert_true(strncmp(state_of(&b, "Errors", have), want, strlen("firing since 1970-01-12T13:46")) == 0);
    bench_close(&b);
}

static void keep_firing_survives_a_restart(void **unused)
{
    (void)unused;
    struct bench b;
    int64_t t = 1000000000;
    bench_open(&b, RULES, true);
    second(&b, t, 2);
    second(&b, t + 1000, 1); /* kept from here for 5 m */
    buf_clear(&b.told);
    restart(&b, t + 10000);
    json_t *data = bench_alerts_json(&b);
    json_t *alert = json_array_get(json_object_get(data, "alerts"), 0);
    char at[NUMBER_TEXT_MAX];
    format_rfc3339_ms(at, t + 1000);
    assert_string_equal(json_string_value(json_object_get(alert, "keepFiringSince")), at);
    json_decref(data);
    for (int i = 10; i < 300; i++)
        second(&b, t + i * 1000, 1);
    assert_int_equal(count_told(&b, "resolved"), 0);
    second(&b, t + 301000, 1);
    assert_int_equal(count_told(&b, "resolved {alertname=\"Kept\"}"), 1);
    bench_close(&b);
}

static void after_a_long_outage_pending_begins_anew(void **unused)
{
    (void)unused;
    struct bench b;
    int64_t t = 1000000000, later = t + 2 * 3600 * 1000;
    char have[64], want[64];
    bench_open(&b, RULES, true);
    second(&b, t, 0);
    restart(&b, later);
    assert_string_equal(state_of(&b, "Later", have), "inactive");
    assert_string_equal(state_of(&b, "Now", have), since("firing", t, want)); /* what fired, fires */
    second(&b, later, 0);
    assert_string_equal(state_of(&b, "Later", have), since("pending", later, want));
    bench_close(&b);
}

static void alerts_of_rules_that_are_gone_are_forgotten(void **unused)
{
    (void)unused;
    struct bench b;
    int64_t t = 1000000000;
    char have[64];
    bench_open(&b, RULES, true);
    second(&b, t, 0);
    bench_stop(&b);
    bench_start(&b, "groups: [{name: other, rules: []}]");
    bench_stop(&b);
    b.now_ms = t + 2000;
    bench_start(&b, RULES);
    assert_string_equal(state_of(&b, "Now", have), "inactive");
    bench_close(&b);
}

static void time_stamps_rise_across_a_restart(void **unused)
{
    (void)unused;
    struct bench b;
    int64_t t = 1000000000;
    bench_open(&b, RULES, true);
    second(&b, t, 1);
    restart(&b, t + 100);
    bench_step(&b, t + 200); /* no new sample */
    bench_step(&b, t + 1100);
    bench_step(&b, t + 2100);
    second(&b, t + 2500, 3);
    bench_check_query(&b, "r", t + 3200, "r 3\n");
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_goes_on_where_it_was),
        cmocka_unit_test(a_gap_of_samples_does_not_resolve),
        cmocka_unit_test(keep_firing_survives_a_restart),
        cmocka_unit_test(after_a_long_outage_pending_begins_anew),
        cmocka_unit_test(alerts_of_rules_that_are_gone_are_forgotten),
        cmocka_unit_test(time_stamps_rise_across_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
