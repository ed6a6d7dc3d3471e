/* The whole path with its threads and the real clock: sample -> store -> rules -> state.db -> webhook, while others read and reload. */
#include "tests/unit/collector/rules/rules_bench.h"

#include <stdatomic.h>

#include "lib/base/thread.h"
#include "tests/support/webhook_server.h"

#define SCRAPES 12
#define RULES                                                                                                          \
    "groups:\n- name: live\n  interval: 1s\n  rules:\n"                                                                \
    "  - {record: 'job:up:sum', expr: 'sum by (job) (up)'}\n"                                                          \
    "  - {alert: Down, expr: 'job:up:sum < 1', annotations: {text: '{{ $labels.job }} has {{ $value }}'}}\n"           \
    "- name: grid\n  interval: 3s\n  rules:\n  - {record: slow, expr: 'count({__name__=~\".+\"})'}\n"

static int64_t real_now(void *ctx)
{
    (void)ctx;
    return unix_ms();
}

struct readers {
    struct bench *b;
    atomic_bool stop;
    atomic_uint reads;
};
static void read_main(void *arg)
{
    struct readers *r = arg;
    while (!atomic_load(&r->stop)) {
        json_decref(bench_rules_json(r->b, ""));
        json_decref(bench_alerts_json(r->b));
        (void)bench_counter(r->b, "crest_rule_group_iterations_total");
        atomic_fetch_add(&r->reads, 1);
        sleep_us(1000);
    }
}
static void reload_main(void *arg)
{
    struct readers *r = arg;
    while (!atomic_load(&r->stop)) {
        check_ok(bench_load(r->b, RULES));
        sleep_us(150000);
    }
}

static void put_up(struct bench *b, double value)
{
    char line[64];
    (void)snprintf(line, sizeof line, "up{job=\"shop\"} %g %lld\n", value, (long long)unix_ms());
    bench_put(b, line);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void a_cause_reaches_the_webhook_within_the_second(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    struct bench b;
    bench_init(&b, true);
    static const struct state_room *const ROOMS[] = {&RULES_STATE_ROOM, &NOTIFY_STATE_ROOM};
    char why[256];
    AUTO_FREE char *data = NULL;
    assert_true(asprintf(&data, "%s/data", b.dir) > 0);
    struct store_config store = {.path = data};
    check_ok(store_open(&store, &b.store, why, sizeof why));
    check_ok(state_open(b.dir, ROOMS, ARRAY_LEN(ROOMS), &b.state, why, sizeof why));
    check_ok(query_local_new(b.store, NULL, &b.query));
    struct notify *notify;
    check_ok(notify_new(&(struct notify_config){.state = b.state, .webhook_url = webhook_server_url(s)}, &notify));
    check_ok(notify_start(notify));
    b.config = (struct rules_config){
        .query = b.query, .store = b.store, .state = b.state, .sink = notify_sink(notify), .now_ms = real_now};
    check_ok(rules_new(&b.config, &b.rules));
    store_set_commit_hook(b.store, rules_commit_hook(b.rules));
    check_ok(bench_load(&b, RULES));
    check_ok(rules_start(b.rules));
    struct readers r = {.b = &b};
    struct thread *reading, *reloading;
    check_ok(thread_start("reading", read_main, &r, &reading));
    check_ok(thread_start("reloading", reload_main, &r, &reloading));

    int64_t took_us[SCRAPES], next_us = mono_us();
    put_up(&b, 1);
    for (int i = 0; i < SCRAPES; i++) { /* a scrape a second; each turns the state over */
        next_us += 1000000;
        sleep_us(next_us - mono_us());
        int64_t start_us = mono_us();
        put_up(&b, i % 2);
        assert_true(webhook_server_wait(s, (size_t)i + 1, 5000));
        took_us[i] = webhook_server_at_us(s, (size_t)i) - start_us;
        char text[64];
        assert_string_equal(webhook_server_alert(s, (size_t)i, 0, "job", text, sizeof text),
                            i % 2 ? "resolved Down/shop" : "firing Down/shop");
    }
    atomic_store(&r.stop, true);
    thread_join(reading);
    thread_join(reloading);
    assert_true(atomic_load(&r.reads) > 10);
    assert_true(bench_counter(&b, "crest_rule_evaluation_failures_total") == 0);
    rules_stop(b.rules);
    notify_free(notify);
    query_free(b.query);
    store_close(b.store);
    rules_free(b.rules);
    state_close(b.state);
    check_ok(dir_remove(b.dir));
    buf_done(&b.told);
    free(b.dir);
    free(b.file);
    webhook_server_stop(s);

    qsort(took_us, SCRAPES, sizeof took_us[0], by_value);
    print_message("sample to webhook: median %.1f ms, worst of %d %.1f ms\n", (double)took_us[SCRAPES / 2] / 1000,
                  SCRAPES, (double)took_us[SCRAPES - 1] / 1000);
    /* At the commit, not at the next tick, which would take half a second in the mean. */
    assert_true(took_us[SCRAPES / 4] < 250000 * (int64_t)check_slowness()); /* the others may have met a busy machine */
    assert_true(took_us[SCRAPES - 1] < 1500000 * (int64_t)check_patience());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_cause_reaches_the_webhook_within_the_second)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
