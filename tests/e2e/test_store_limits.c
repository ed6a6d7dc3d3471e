/* What crest.yml and the command line bound in the store: limits with their refusals by reason, retention by selector and by size. */
#include <signal.h>
#include <string.h>

#include "lib/base/clock.h"
#include "tests/support/query.h"
#include "tests/support/samples.h"

static double refused(const struct e2e_program *p, const char *reason)
{
    char series[128], *page = e2e_get(p, "/metrics", 200);
    (void)snprintf(series, sizeof series, "crest_store_refused_samples_total{reason=\"%s\"}", reason);
    double n = page_value(page, series);
    free(page);
    return n;
}

static void each_limit_refuses_by_its_reason_and_what_is_known_goes_on(void **state UNUSED)
{
    static const struct {
        const char *series;
        int64_t ahead_ms;
        const char *reason, *words; /* NULL: it is taken */
    } CASES[] = {
        {"known|a=1", 0, NULL, NULL},
        {"known|a=1|b=2|c=3", 0, "labels", "known"}, /* four with the name */
        {"known|much_too_long=1", 0, "labels", "known"},
        {"known|a=12345678901", 0, "labels", "known"},
        {"known|a=\xff", 0, "labels",
         "1 refused, the rest was stored: series 1 (known): label value is not valid UTF-8"},
        {"known|a=1", 3500000, NULL, NULL},
        {"known|a=1", 3700000, "future", "known"},
        {"other|a=1", 0, NULL, NULL},
        {"other|a=1", 0, "duplicate", "other"}, /* another value */
        {"third|a=1", 0, "series_cap", "third"},
        {"known|a=1", 1000, NULL, NULL}, /* known ones go on at the cap */
        {"other|a=1", 1000, NULL, NULL},
    };
    struct e2e_program *p = e2e_start(
        "crest-collector",
        E2E_ARGS("--data", e2e_path("data"), "--config",
                 e2e_write("crest.yml", "storage:\n  limits: {series: 2, labels_per_series: 3, label_name_bytes: 8, "
                                        "label_value_bytes: 10, future: 1h}\n")));
    int64_t now_ms = unix_ms();
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct sample_batch *b = sample_batch_new();
        char *answer = NULL;
        double before = CASES[i].reason ? refused(p, CASES[i].reason) : 0;
        sample_batch_add(b, CASES[i].series, now_ms + CASES[i].ahead_ms, (double)i);
        int status = sample_batch_try(b, p, &answer);
        if (status != (CASES[i].reason ? 400 : 204))
            check_failed("%s: %d %s", CASES[i].series, status, answer ? answer : "");
        if (CASES[i].reason && refused(p, CASES[i].reason) != before + 1)
            check_failed("%s: not counted as %s", CASES[i].series, CASES[i].reason);
        if (CASES[i].words)
            check_contains(answer, CASES[i].words);
        free(answer);
    }
    assert_true(query_value(p, "count_over_time(known[2h:1s] offset -1h)") > 0);
    e2e_stop(p);
}

static bool is_reloaded(void *ctx)
{
    char *page = e2e_get(ctx, "/api/v1/status/config", 200);
    bool yes = strstr(page, "    '{job=\\\"debug\\\"}': 2h") != NULL;
    free(page);
    return yes;
}

static double count(const struct e2e_program *p, const char *series)
{
    char expression[128];
    (void)snprintf(expression, sizeof expression, "count_over_time(%s[1w])", series);
    json_t *result = query(p, expression);
    bool any = json_array_size(result) > 0;
    json_decref(result);
    return any ? query_value(p, expression) : 0;
}

static void a_selectors_retention_comes_into_force_with_a_reload(void **state UNUSED)
{
    char config[512], data[512];
    snprintf(config, sizeof config, "%s", e2e_write("crest.yml", "storage: {retention: 30d}\n"));
    snprintf(data, sizeof data, "%s", e2e_path("data"));
    struct e2e_program *p = e2e_start("crest-collector", E2E_ARGS("--data", data, "--config", config));
    int64_t now_ms = unix_ms();
    struct sample_batch *b = sample_batch_new();
    for (int hour = 0; hour < 5; hour++) {
        sample_batch_add(b, "m|job=debug", now_ms - hour * 3600000 - 600000, 1);
        sample_batch_add(b, "m|job=shop", now_ms - hour * 3600000 - 600000, 1);
    }
    sample_batch_send(b, p);
    assert_true(count(p, "m{job='debug'}") == 5);
    e2e_write("crest.yml", "storage:\n  retention: 30d\n  retention_selectors:\n    '{job=\"debug\"': 2h\n");
    e2e_signal(p, SIGHUP); /* a brace is missing: told with its place, and nothing changes */
    for (int i = 0; i < 500; i++) {
        char *log = e2e_log(p);
        bool told = strstr(log, "crest.yml:4:5: ") != NULL;
        free(log);
        if (told)
            break;
        sleep_us(20000);
    }
    char *log = e2e_log(p);
    check_contains(log, "crest.yml:4:5: ");
    free(log);
    assert_true(count(p, "m{job='debug'}") == 5);
    e2e_write("crest.yml", "storage:\n  retention: 30d\n  retention_selectors:\n    '{job=\"debug\"}': 2h\n");
    e2e_signal(p, SIGHUP);
    e2e_wait(10000, is_reloaded, p);
    assert_true(count(p, "m{job='debug'}") == 2);
    assert_true(count(p, "m{job='shop'}") == 5);
    e2e_stop(p);
    p = e2e_start("crest-collector", E2E_ARGS("--data", data, "--config", config)); /* and with a restart */
    assert_true(count(p, "m{job='debug'}") == 2);
    assert_true(count(p, "m{job='shop'}") == 5);
    e2e_stop(p);
}

static double retired_for_size(const struct e2e_program *p)
{
    char *page = e2e_get(p, "/metrics", 200);
    double n = page_value(page, "crest_store_size_retired_extents_total");
    free(page);
    return n;
}

static bool has_dropped_some(void *ctx)
{
    return retired_for_size(ctx) > 0;
}

static void above_the_size_the_oldest_samples_go(void **state UNUSED)
{
    char data[512];
    int64_t now_ms = unix_ms();
    snprintf(data, sizeof data, "%s", e2e_path("data"));
    struct e2e_program *p = e2e_start("crest-collector", E2E_ARGS("--data", data));
    for (int day = 6; day >= 0; day--) {
        struct sample_batch *b = sample_batch_new();
        for (int i = 0; i < 3000; i++)
            sample_batch_add(b, "m", now_ms - day * 86400000ll - i * 1000, (double)(i * 7919 % 100003) / 7);
        sample_batch_send(b, p);
    }
    e2e_stop(p);
    p = e2e_start("crest-collector", E2E_ARGS("--data", data, "--retention-size", "100KB"));
    e2e_wait(30000, has_dropped_some, p);
    assert_true(query_value(p, "m") == 0); /* the newest is there */
    json_t *oldest = query_at(p, "m", now_ms - 6 * 86400000ll);
    assert_int_equal(json_array_size(oldest), 0);
    json_decref(oldest);
    e2e_stop(p);
    free(e2e_run("crest-collector", E2E_ARGS("--data", data, "--retention-size", "much"), 2));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, e2e_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_limit_refuses_by_its_reason_and_what_is_known_goes_on),
        TEST(a_selectors_retention_comes_into_force_with_a_reload),
        TEST(above_the_size_the_oldest_samples_go),
    };
    return cmocka_run_group_tests_name("store limits", tests, NULL, NULL);
}
