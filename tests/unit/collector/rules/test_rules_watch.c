/* What the live stream is told of evaluations. */
#include "tests/unit/collector/rules/rules_bench.h"

#include "lib/base/log.h"

struct counts {
    struct rules *rules;
    int rounds, changes, alerts, firing;
};

static void on_round(void *ctx)
{
    ((struct counts *)ctx)->rounds++;
}

static void count_alert(void *ctx, const struct rules_alert *a)
{
    struct counts *c = ctx;
    c->alerts++;
    c->firing += a->firing;
    assert_int_equal(a->firing, a->fired_ms != INT64_MIN);
    check_span(a->expr, "m > 0");
    check_span(labels_get(a->labels, SPAN("alertname")), "Hot");
    check_span(labels_get(a->annotations, SPAN("summary")), "it is hot");
}

static void count_alerts(struct counts *c)
{
    c->alerts = c->firing = 0;
    rules_each_alert(c->rules, count_alert, c);
}

/* The copies have the news already when it is told. */
static void on_change(void *ctx)
{
    struct counts *c = ctx;
    c->changes++;
    count_alerts(c);
}

static void rules_tell_of_rounds_that_recorded_and_of_each_alerts_change(void **state)
{
    (void)state;
    struct bench b;
    struct counts c = {0};
    bench_init(&b, false);
    b.config.watch = (struct rules_watch){&c, on_round, on_change};
    bench_start(&b, "groups:\n- name: records\n  interval: 1s\n  rules: [{record: r, expr: m}]\n"
                    "- name: slow\n  interval: 1m\n  rules: [{record: s, expr: m}]\n"
                    "- name: pages\n  interval: 1s\n  rules:\n"
                    "  - {alert: Hot, expr: m > 0, for: 2s, annotations: {summary: it is hot}}\n");
    c.rules = b.rules;
    int64_t t = b.now_ms;
    static const struct {
        int value, changes, alerts, firing;
    } STEPS[] = {{0, 0, 0, 0}, {1, 1, 1, 0}, {1, 1, 1, 0}, {1, 2, 1, 1}, {1, 2, 1, 1},
                 {0, 3, 0, 0}, {0, 3, 0, 0}, {1, 4, 1, 0}, {0, 5, 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++) {
        t += 1000;
        char line[64];
        snprintf(line, sizeof line, "m %d %lld\n", STEPS[i].value, (long long)t);
        b.now_ms = t;
        bench_put(&b, line);
        (void)bench_step(&b, t);
        assert_int_equal(c.changes, STEPS[i].changes);
        count_alerts(&c);
        assert_int_equal(c.alerts, STEPS[i].alerts);
        assert_int_equal(c.firing, STEPS[i].firing);
        assert_int_equal(c.rounds, i + 1); /* groups that only page, and slow ones, are no round */
    }
    bench_close(&b);
}

int main(void)
{
    log_init("test", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_tell_of_rounds_that_recorded_and_of_each_alerts_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
