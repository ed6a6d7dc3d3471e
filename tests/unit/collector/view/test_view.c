/* What the consoles are told of services, journeys, targets and coverage, from samples and rules. */
#include "collector/view/view.h"

#include "tests/support/schema.h"
#include "tests/unit/collector/rules/rules_bench.h"

#include "lib/base/limits.h"
#include "lib/base/log.h"

#define NO_RULES "groups: []\n"
#define T0 1700000000000ll

struct bed {
    struct bench b;
    struct live *live;
    struct view *view;
    int64_t us, now_ms;
    json_t *doc;
    int64_t took_us;
};

static void bed_open(struct bed *d, const char *rules)
{
    memset(d, 0, sizeof *d);
    d->b.now_ms = d->now_ms = T0;
    bench_open(&d->b, rules, false);
    d->b.now_ms = T0;
    check_ok(live_new(&(struct live_config){0}, &d->live));
    check_ok(view_new(&(struct view_config){.query = d->b.query, .store = d->b.store, .rules = d->b.rules}, &d->view));
    check_ok(view_add_sources(d->view, d->live));
    d->us = 1000000000;
}

static void bed_close(struct bed *d)
{
    json_decref(d->doc);
    live_free(d->live);
    view_free(d->view);
    bench_close(&d->b);
}

static void keep_state(void *ctx, struct span json, int error)
{
    struct bed *d = ctx;
    struct parse_error why;
    check_ok(error);
    d->doc = json_read(json, &why);
    if (!d->doc)
        check_failed("%s", why.text);
}

/* All rows at that time. */
static void look(struct bed *d, int64_t t_ms)
{
    json_decref(d->doc);
    d->doc = NULL;
    d->us += 10000000;
    d->now_ms = d->b.now_ms = t_ms;
    live_state(d->live, keep_state, d);
    int64_t start_us = mono_us();
    (void)live_step(d->live, d->us, t_ms);
    d->took_us = mono_us() - start_us;
    assert_non_null(d->doc);
    schema_check("docs/schemas/state.json", d->doc, "the state");
}

static json_t *row(const struct bed *d, const char *section, const char *key)
{
    return json_object_get(json_object_get(json_object_get(d->doc, "sections"), section), key);
}

static const char *text(const struct bed *d, const char *section, const char *key, const char *member)
{
    const char *s = json_string_value(json_object_get(row(d, section, key), member));
    return s ? s : "(none)";
}

static double signal_of(const struct bed *d, const char *service, const char *name)
{
    json_t *v = json_object_get(json_object_get(row(d, "services", service), "signals"), name);
    return v ? json_number_value(v) : -1;
}

static void put(struct bed *d, const char *series, double value, int64_t t_ms)
{
    char line[1024];
    snprintf(line, sizeof line, "%s %.17g %lld\n", series, value, (long long)t_ms);
    bench_put(&d->b, line);
}

/* ---- tests ---- */
static void a_service_without_samples_is_unknown_and_says_since_when(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, NO_RULES);
    for (int i = 0; i < 5; i++) {
        put(&d, "up{job=\"shop\",instance=\"a:1\"}", 1, T0 + i * 1000);
        put(&d, "commerce:throughput_rps{service=\"shop\",tier=\"app\",stack=\"otel\"}", 7, T0 + i * 1000);
        look(&d, T0 + i * 1000 + 100);
    }
    assert_string_equal(text(&d, "services", "shop", "state"), "ok");
    assert_int_equal(json_integer_value(json_object_get(row(&d, "services", "shop"), "t")), T0 + 4000);
    assert_int_equal(json_integer_value(json_object_get(row(&d, "services", "shop"), "interval_ms")), 1000);
    look(&d, T0 + 6900); /* 3 intervals are not over */
    assert_string_equal(text(&d, "services", "shop", "state"), "ok");
    look(&d, T0 + 9000);
    assert_string_equal(text(&d, "services", "shop", "state"), "unknown");
    assert_string_equal(text(&d, "services", "shop", "why"), "no sample for 5 s");
    assert_int_equal((int)signal_of(&d, "shop", "throughput_rps"), 7); /* the last word, with its time beside it */
    look(&d, T0 + 1200000);                                            /* the series are past the lookback */
    assert_string_equal(text(&d, "services", "shop", "state"), "unknown");
    look(&d, T0 + 3 * 3600000);
    assert_null(row(&d, "services", "shop"));
    bed_close(&d);
}

static void a_service_that_is_up_without_any_signal_is_unknown_not_green(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, NO_RULES);
    put(&d, "up{job=\"blind\",instance=\"a:1\"}", 1, T0);
    put(&d, "up{job=\"half\",instance=\"b:1\"}", 1, T0);
    put(&d, "up{job=\"half\",instance=\"b:2\"}", 0, T0);
    put(&d, "up{job=\"quiet\",instance=\"c:1\"}", 1, T0);
    put(&d, "commerce:error_ratio{service=\"quiet\",tier=\"app\",stack=\"otel\"}", 0, T0);
    put(&d, "commerce:cache_hit_ratio{service=\"low\",tier=\"app\",stack=\"otel\"}", 0.1, T0);
    look(&d, T0 + 100);
    assert_string_equal(text(&d, "services", "blind", "state"), "unknown");
    check_contains(text(&d, "services", "blind", "why"), "no signal is recorded");
    assert_string_equal(text(&d, "services", "half", "why"), "1 of 2 targets down");
    assert_string_equal(text(&d, "services", "quiet", "state"), "ok");
    double blind = json_number_value(json_object_get(row(&d, "services", "blind"), "trouble"));
    assert_true(blind > json_number_value(json_object_get(row(&d, "services", "quiet"), "trouble")));
    assert_true(blind < json_number_value(json_object_get(row(&d, "services", "low"), "trouble")));
    int64_t later_ms = T0 + LOOKBACK_MS + 60000; /* no traffic is no series */
    put(&d, "up{job=\"quiet\",instance=\"c:1\"}", 1, later_ms);
    look(&d, later_ms + 100);
    assert_string_equal(text(&d, "services", "quiet", "state"), "unknown");
    check_contains(text(&d, "services", "quiet", "why"), "no signal now");
    bed_close(&d);
}

static void a_target_that_is_down_makes_its_service_no_green(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, NO_RULES);
    put(&d, "up{job=\"shop\",instance=\"a:1\"}", 1, T0);
    put(&d, "up{job=\"shop\",instance=\"b:1\"}", 0, T0);
    put(&d,
        "crest_agent_target_info{job=\"shop\",instance=\"b:1\",scrape_url=\"http://b:1/metrics\",error=\"refused\"}", 1,
        T0);
    put(&d, "up{job=\"dead\",instance=\"c:1\"}", 0, T0);
    look(&d, T0 + 100);
    assert_string_equal(text(&d, "services", "shop", "state"), "warn");
    assert_string_equal(text(&d, "services", "shop", "why"), "1 of 2 targets down");
    assert_string_equal(text(&d, "services", "dead", "state"), "unknown");
    assert_string_equal(text(&d, "targets", "shop/a:1", "health"), "up");
    assert_string_equal(text(&d, "targets", "shop/b:1", "health"), "down");
    assert_string_equal(text(&d, "targets", "shop/b:1", "error"), "refused");
    assert_string_equal(text(&d, "targets", "shop/b:1", "url"), "http://b:1/metrics");
    look(&d, T0 + 60000); /* the agent is gone */
    assert_string_equal(text(&d, "targets", "shop/a:1", "health"), "unknown");
    assert_string_equal(text(&d, "targets", "shop/b:1", "health"), "unknown");
    bed_close(&d);
}

static void a_signal_over_its_bound_warns_in_words(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, NO_RULES);
    put(&d, "commerce:error_ratio{service=\"a\",tier=\"app\",stack=\"otel\"}", 0.25, T0);
    put(&d, "commerce:cache_hit_ratio{service=\"b\",tier=\"app\",stack=\"otel\"}", 0.1, T0);
    put(&d, "commerce:error_ratio{service=\"c\",tier=\"app\",stack=\"otel\"}", 0, T0);
    look(&d, T0 + 100);
    assert_string_equal(text(&d, "services", "a", "why"), "25 % of requests end in an error");
    assert_string_equal(text(&d, "services", "a", "state"), "warn");
    assert_string_equal(text(&d, "services", "b", "why"), "10 % of cache requests hit");
    assert_string_equal(text(&d, "services", "c", "state"), "ok");
    assert_string_equal(text(&d, "services", "c", "why"), "(none)");
    bed_close(&d);
}

static void the_page_that_fired_first_speaks_for_its_service(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, "groups:\n- name: g\n  interval: 1s\n  rules:\n"
                 "  - {alert: Slow, expr: 'm > 1', labels: {severity: ticket}, annotations: {summary: '{{ "
                 "$labels.service }}: slow'}}\n"
                 "  - {alert: Late, expr: 'm > 3', labels: {severity: page}}\n"
                 "  - {alert: Stuck, expr: 'm > 2', labels: {severity: page}, annotations: {summary: '{{ "
                 "$labels.service }}: hangs'}}\n"
                 "  - {alert: Waits, expr: 'm > 2', for: 1h, labels: {severity: page}}\n");
    put(&d, "m{service=\"shop\"}", 1.5, T0);
    (void)bench_step(&d.b, T0);
    look(&d, T0);
    assert_string_equal(text(&d, "services", "shop", "state"),
                        "unknown"); /* a ticket, and no sample of the service itself */
    put(&d, "commerce:inflight{service=\"shop\",tier=\"app\",stack=\"otel\"}", 1, T0);
    look(&d, T0 + 1);
    assert_string_equal(text(&d, "services", "shop", "state"), "warn");
    assert_string_equal(text(&d, "services", "shop", "why"), "Slow: slow");
    put(&d, "m{service=\"shop\"}", 2.5, T0 + 1000);
    (void)bench_step(&d.b, T0 + 1000);
    put(&d, "m{service=\"shop\"}", 4, T0 + 2000);
    (void)bench_step(&d.b, T0 + 2000);
    look(&d, T0 + 2000);
    assert_string_equal(text(&d, "services", "shop", "state"), "crit");
    assert_string_equal(text(&d, "services", "shop", "why"), "Stuck: hangs (and 2 more)");
    assert_int_equal(json_object_size(json_object_get(json_object_get(d.doc, "sections"), "alerts")), 4);
    const char *key;
    json_t *alert;
    json_object_foreach(json_object_get(json_object_get(d.doc, "sections"), "alerts"), key, alert)
    {
        bool waits = strcmp(json_string_value(json_object_get(alert, "name")), "Waits") == 0;
        assert_string_equal(json_string_value(json_object_get(alert, "state")), waits ? "pending" : "firing");
        if (strcmp(json_string_value(json_object_get(alert, "name")), "Stuck") == 0)
            assert_int_equal(json_integer_value(json_object_get(alert, "since")), T0 + 1000);
    }
    bed_close(&d);
}

static void no_row_mixes_two_services_or_two_stacks(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, NO_RULES);
    put(&d, "commerce:throughput_rps{service=\"a\",tier=\"app\",stack=\"otel\"}", 1, T0);
    put(&d, "commerce:inflight{service=\"a\",tier=\"app\",stack=\"otel\"}", 2, T0);
    put(&d, "commerce:throughput_rps{service=\"a\",tier=\"edge\",stack=\"nginx\"}", 100, T0);
    put(&d, "commerce:cache_hit_ratio{service=\"a\",tier=\"edge\",stack=\"nginx\"}", 0.9, T0);
    put(&d, "commerce:throughput_rps:5m{service=\"a\",tier=\"app\",stack=\"otel\"}", 55, T0);
    put(&d, "commerce:throughput_rps{service=\"b\",tier=\"app\",stack=\"otel\"}", 3, T0);
    put(&d, "commerce:queue_drain_seconds{service=\"b\",tier=\"app\",stack=\"otel\"}", INFINITY, T0);
    put(&d,
        "commerce:orders_per_minute{service=\"b\",tier=\"app\",stack=\"otel\",market=\"de\",channel=\"web\",currency="
        "\"EUR\"}",
        10, T0);
    put(&d,
        "commerce:orders_per_minute{service=\"b\",tier=\"app\",stack=\"otel\",market=\"jp\",channel=\"web\",currency="
        "\"JPY\"}",
        5, T0);
    put(&d,
        "commerce:revenue_per_minute{service=\"b\",tier=\"app\",stack=\"otel\",market=\"jp\",channel=\"web\",currency="
        "\"JPY\"}",
        12345678, T0);
    put(&d, "commerce:route_operation_rps{service=\"a\",tier=\"app\",stack=\"otel\",route=\"payment\"}", 4, T0);
    put(&d, "commerce:route_operation_rps{service=\"b\",tier=\"app\",stack=\"otel\",route=\"payment\"}", 5, T0);
    put(&d, "commerce:route_api_failure_ratio{service=\"b\",tier=\"app\",stack=\"otel\",route=\"psp\"}", 0.5, T0);
    look(&d, T0 + 100);
    assert_int_equal((int)signal_of(&d, "a", "throughput_rps"), 1); /* app/otel has as many and is first */
    assert_int_equal((int)signal_of(&d, "a", "inflight"), 2);
    assert_true(signal_of(&d, "a", "cache_hit_ratio") > 0.89); /* only nginx has it */
    assert_true(signal_of(&d, "a", "throughput_rps:5m") < 0);
    assert_int_equal((int)signal_of(&d, "b", "throughput_rps"), 3);
    assert_int_equal((int)signal_of(&d, "b", "orders_per_minute"), 15);
    assert_true(signal_of(&d, "b", "revenue_per_minute") < 0); /* yen and euro do not add up */
    assert_int_equal(json_number_value(json_object_get(row(&d, "markets", "b/jp/web/JPY"), "revenue_per_minute")),
                     12345678);
    assert_int_equal(json_number_value(json_object_get(row(&d, "steps", "a/payment"), "rps")), 4);
    assert_int_equal(json_number_value(json_object_get(row(&d, "steps", "b/payment"), "rps")), 5);
    assert_true(json_number_value(json_object_get(row(&d, "dependencies", "b/psp"), "failure_ratio")) == 0.5);
    bed_close(&d);
}

static void coverage_tells_blind_from_idle_and_names_the_cure(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, NO_RULES);
    put(&d, "commerce:payment_failure_ratio{service=\"shop\",tier=\"app\",stack=\"otel\"}", 0, T0);
    put(&d, "commerce:payment_failure_ratio{service=\"shop\",tier=\"app\",stack=\"otel\"}", NAN, T0 + 1000);
    put(&d, "commerce:throughput_rps{service=\"shop\",tier=\"app\",stack=\"otel\"}", 1, T0);
    put(&d, "commerce_cache_requests_total{service=\"shop\",result=\"hit\"}", 1, T0);
    look(&d, T0 + 100);
    json_t *signals = json_object_get(row(&d, "coverage", "shop"), "signals");
    assert_int_equal(json_object_size(signals), 8);
    assert_true(json_is_true(json_object_get(json_object_get(signals, "payments"), "present")));
    assert_null(json_object_get(json_object_get(signals, "payments"), "idle"));
    assert_true(json_is_false(json_object_get(json_object_get(signals, "cache"), "present")));
    check_contains(json_string_value(json_object_get(json_object_get(signals, "cache"), "cure")), "rule_files: [");
    check_contains(json_string_value(json_object_get(json_object_get(signals, "database"), "cure")), "job_name: shop");
    look(&d, T0 + 400000); /* no payments any more: no series, and yet not blind */
    signals = json_object_get(row(&d, "coverage", "shop"), "signals");
    assert_true(json_is_true(json_object_get(json_object_get(signals, "payments"), "idle")));
    bed_close(&d);
}

static const json_t *covered(const struct bed *d, const char *service, const char *signal)
{
    return json_object_get(json_object_get(row(d, "coverage", service), "signals"), signal);
}

static const char *cure_of(const struct bed *d, const char *service, const char *signal)
{
    const char *s = json_string_value(json_object_get(covered(d, service, signal), "cure"));
    return s ? s : "(none)";
}

static void the_cure_of_a_scraped_service_is_no_second_job(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, NO_RULES);
    put(&d, "up{job=\"web-pods\",instance=\"a:1\",service=\"shop\",tier=\"app\"}", 1, T0);
    put(&d, "up{job=\"dead\",instance=\"b:1\",service=\"dead\"}", 0, T0);
    put(&d, "commerce:throughput_rps{service=\"fed\",tier=\"app\",stack=\"otel\"}", 1, T0);
    look(&d, T0 + 100);
    assert_string_equal(cure_of(&d, "shop", "payments"),
                        "job web-pods: its page has none of commerce_payments_total: expose "
                        "commerce_payments_total{outcome}, or add a rule to dashboards/signals that records "
                        "commerce:payment_failure_ratio from what it has");
    check_contains(cure_of(&d, "dead", "payments"), "job dead: no target of it answers");
    check_contains(cure_of(&d, "fed", "payments"), "- {job_name: fed, ");
    bed_close(&d);
}

static void signals_that_a_tier_cannot_have_are_not_blind(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, NO_RULES);
    put(&d, "up{job=\"g\",instance=\"a:1\",service=\"gateway\",tier=\"dependency\"}", 1, T0);
    put(&d, "up{job=\"s\",instance=\"b:1\",service=\"shop\",tier=\"app\"}", 1, T0);
    put(&d, "commerce:cache_hit_ratio{service=\"odd\",tier=\"dependency\",stack=\"x\"}", 1, T0);
    look(&d, T0 + 100);
    static const char *const KEYS[] = {"response_time", "errors", "throughput", "checkout",
                                       "payments",      "api",    "cache",      "database"};
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        bool none = json_is_true(json_object_get(covered(&d, "gateway", KEYS[i]), "not_applicable"));
        assert_int_equal(none, i >= 3);
        assert_int_equal(strcmp(cure_of(&d, "gateway", KEYS[i]), "(none)") == 0, none);
        assert_null(json_object_get(covered(&d, "shop", KEYS[i]), "not_applicable"));
    }
    assert_true(json_is_true(json_object_get(covered(&d, "odd", "cache"), "present"))); /* what is there is there */
    assert_null(json_object_get(covered(&d, "odd", "cache"), "not_applicable"));
    bed_close(&d);
}

static void the_dependency_that_an_alert_names_is_the_broken_thing(void **state)
{
    (void)state;
    struct bed d;
    bed_open(&d, "groups:\n- name: g\n  interval: 1s\n  rules:\n"
                 "  - {alert: Stuck, expr: 'm > 2', labels: {severity: page}, annotations: {summary: '{{ "
                 "$labels.service }}: {{ $labels.dependency }} does not answer'}}\n"
                 "  - {alert: Slow, expr: 'n > 2', labels: {severity: ticket, dependency: search}}\n");
    put(&d, "up{job=\"gateway\",instance=\"a:1\"}", 1, T0);
    put(&d, "up{job=\"search\",instance=\"b:1\"}", 1, T0);
    put(&d, "commerce:throughput_rps{service=\"shop\",tier=\"app\",stack=\"otel\"}", 500, T0);
    put(&d, "m{service=\"shop\",dependency=\"gateway\"}", 3, T0);
    put(&d, "m{service=\"shop\",dependency=\"nobody-we-watch\"}", 3, T0);
    put(&d, "n{service=\"shop\"}", 3, T0);
    look(&d, T0);
    (void)bench_step(&d.b, T0);
    look(&d, T0 + 1);
    assert_string_equal(text(&d, "services", "gateway", "state"), "crit");
    assert_string_equal(text(&d, "services", "gateway", "why"), "Stuck: shop: gateway does not answer");
    assert_string_equal(text(&d, "services", "search", "state"), "warn");
    assert_string_equal(text(&d, "services", "shop", "state"), "crit");
    assert_true(json_number_value(json_object_get(row(&d, "services", "gateway"), "trouble")) >
                json_number_value(json_object_get(row(&d, "services", "shop"), "trouble")));
    assert_null(row(&d, "services", "nobody-we-watch"));
    bed_close(&d);
}

static void ten_thousand_services_fit_a_frame_with_the_worst_in_it(void **state)
{
    (void)state;
    enum { N = 10000 };
    struct bed d;
    bed_open(&d, NO_RULES);
    struct buf page;
    buf_init(&page, 64u << 20);
    for (int i = 0; i < N; i++) {
        double errors = i == 7777 ? 0.5 : 0;
        buf_printf(&page, "commerce:error_ratio{service=\"s%d\",tier=\"app\",stack=\"otel\"} %g %lld\n", i, errors, T0);
        buf_printf(&page, "commerce:throughput_rps{service=\"s%d\",tier=\"app\",stack=\"otel\"} %d %lld\n", i, i % 100,
                   T0);
    }
    bench_put(&d.b, page.data);
    buf_done(&page);
    look(&d, T0 + 100);
    look(&d, T0 + 200); /* the first one also asked for the past hour */
    print_message("10,000 services: a look, all rows as JSON and read back in %lld ms\n", (long long)d.took_us / 1000);
    assert_int_equal(json_object_size(json_object_get(json_object_get(d.doc, "sections"), "services")), N);
    struct live_client *c;
    assert_int_equal(live_join(d.live, "192.0.2.1", SPAN(""), &c), 0);
    static char at[1 << 20];
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        for (ssize_t got; (got = live_read(c, at + n, sizeof at - 1 - n)) > 0;)
            n += (size_t)got;
        (void)live_step(d.live, d.us, T0 + 100);
    }
    at[n] = '\0';
    assert_in_range(n, 10000, LIVE_FRAME_BYTES_MAX + 100);
    check_contains(at, "\"s7777\":{\"service\":\"s7777\",\"tier\":\"app\",\"stack\":\"otel\",\"state\":\"warn\"");
    check_contains(at, "\"more\":{\"services\":9800,\"coverage\":9");
    const char *data = strstr(at, "data: ");
    struct parse_error error;
    json_t *doc = json_read(span_of(data + 6, strcspn(data + 6, "\n")), &error);
    assert_non_null(doc);
    schema_check("docs/schemas/snapshot.json", doc, "the snapshot");
    json_decref(doc);
    live_leave(c);
    bed_close(&d);
}

int main(void)
{
    log_init("test_view", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_without_samples_is_unknown_and_says_since_when),
        cmocka_unit_test(a_service_that_is_up_without_any_signal_is_unknown_not_green),
        cmocka_unit_test(a_target_that_is_down_makes_its_service_no_green),
        cmocka_unit_test(a_signal_over_its_bound_warns_in_words),
        cmocka_unit_test(the_page_that_fired_first_speaks_for_its_service),
        cmocka_unit_test(no_row_mixes_two_services_or_two_stacks),
        cmocka_unit_test(coverage_tells_blind_from_idle_and_names_the_cure),
        cmocka_unit_test(the_cure_of_a_scraped_service_is_no_second_job),
        cmocka_unit_test(signals_that_a_tier_cannot_have_are_not_blind),
        cmocka_unit_test(the_dependency_that_an_alert_names_is_the_broken_thing),
        cmocka_unit_test(ten_thousand_services_fit_a_frame_with_the_worst_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
