/* Deliveries against a real receiver on loopback: format, order, retries, restarts, what is news and what is not. */
#include "tests/support/check.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/notify/notify_internal.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "tests/support/webhook_server.h"

#define T0 1790000000000

static const struct state_room *const ROOMS[] = {&NOTIFY_STATE_ROOM};

struct bench {
    char *dir; /* NULL: in memory */
    struct state *state;
    struct notify *notify;
    struct alert_sink sink;
    struct notify_config config;
};

static void open_room(struct bench *b)
{
    char why[256];
    if (state_open(b->dir, ROOMS, 1, &b->state, why, sizeof why) < 0)
        check_failed("state_open: %s", why);
    b->config.state = b->state;
    check_ok(notify_new(&b->config, &b->notify));
    b->sink = notify_sink(b->notify);
    check_ok(notify_start(b->notify));
}
static void close_room(struct bench *b)
{
    notify_free(b->notify);
    state_close(b->state);
}
static struct bench bench_new(const char *url, bool on_disk)
{
    struct bench b = {.config = {.webhook_url = url, .external_url = "http://crest:9480", .timeout_ms = 2000}};
    if (on_disk)
        check_ok(dir_make_temp("notify", &b.dir));
    open_room(&b);
    return b;
}
static void bench_done(struct bench *b)
{
    close_room(b);
    if (b->dir)
        check_ok(dir_remove(b->dir));
    free(b->dir);
}

struct offer {
    struct alert_sink sink;
    const struct alert *alerts;
    size_t n;
    int then;
};
static int offer_change(struct db *db, void *arg)
{
    struct offer *o = arg;
    int r = o->sink.accept(o->sink.ctx, db, o->alerts, o->n);
    return r < 0 ? r : o->then;
}
/* As rules do: accept in a transaction, committed after it. */
static void offer_all(struct bench *b, const struct alert *alerts, size_t n)
{
    struct offer o = {.sink = b->sink, .alerts = alerts, .n = n};
    check_ok(state_run(b->state, offer_change, &o));
    b->sink.committed(b->sink.ctx);
}

/* Labels: alertname, instance, severity. The pairs live in the caller's array of three. */
static struct alert alert(struct label pairs[3], const char *name, const char *instance, bool resolved, int64_t t_ms)
{
    static struct label annotations[] = {{SPAN_INIT("summary"), SPAN_INIT("it is \"slow\" <now>")}};
    pairs[0] = (struct label){SPAN("alertname"), span_str(name)};
    pairs[1] = (struct label){SPAN("instance"), span_str(instance)};
    pairs[2] = (struct label){SPAN("severity"), SPAN("page")};
    return (struct alert){.labels = {pairs, 3},
                          .annotations = {annotations, 1},
                          .starts_ms = T0,
                          .ends_ms = resolved ? t_ms : t_ms + 240000,
                          .updated_ms = t_ms,
                          .resolved = resolved,
                          .value = 1.5,
                          .generator_url = SPAN("http://crest:9480/graph?g0.expr=up")};
}
static void offer_one(struct bench *b, const char *name, const char *instance, bool resolved, int64_t t_ms)
{
    struct label pairs[3];
    struct alert a = alert(pairs, name, instance, resolved, t_ms);
    offer_all(b, &a, 1);
}

static double counter(const struct notify *n, const char *series)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    struct metric_writer w;
    metric_writer_init(&w, &b, METRIC_TEXT);
    notify_stats(n, &w);
    char line[128];
    (void)snprintf(line, sizeof line, "\n%s ", series);
    const char *at = strstr(b.data, line);
    if (!at)
        check_failed("no %s in\n%s", series, b.data);
    double v = strtod(at + strlen(line), NULL);
    buf_done(&b);
    return v;
}
static bool counter_reaches(const struct notify *n, const char *series, double v, int64_t timeout_ms)
{
    for (int64_t end = mono_us() + timeout_ms * 1000 * check_patience(); mono_us() < end; sleep_us(5000))
        if (counter(n, series) >= v)
            return true;
    return false;
}

static void check_alert(struct webhook_server *s, size_t request, size_t k, const char *expected)
{
    char text[128];
    assert_string_equal(webhook_server_alert(s, request, k, "instance", text, sizeof text), expected);
}

static void check_text(json_t *object, const char *key, const char *expected)
{
    const char *v = json_string_value(json_object_get(object, key));
    if (!v || strcmp(v, expected) != 0)
        check_failed("%s is %s, expected %s", key, v ? v : "(none)", expected);
}

static void notify_sends_alertmanagers_webhook_json(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    struct bench b = bench_new(webhook_server_url(s), false);
    struct label one[3], two[3];
    struct alert alerts[] = {alert(one, "Slow\"er", "b", false, T0 + 1000),
                             alert(two, "Slow\"er", "a", false, T0 + 1000)};
    one[2].value = SPAN("ticket");
    offer_all(&b, alerts, 2);
    assert_true(webhook_server_wait(s, 1, 5000));
    json_t *body = webhook_server_body(s, 0);
    check_text(body, "receiver", "webhook");
    check_text(body, "status", "firing");
    check_text(body, "version", "4");
    check_text(body, "externalURL", "http://crest:9480");
    check_text(body, "groupKey", "{}:{alertname=\"Slow\\\"er\"}");
    assert_int_equal(json_integer_value(json_object_get(body, "truncatedAlerts")), 0);
    check_text(json_object_get(body, "groupLabels"), "alertname", "Slow\"er");
    json_t *common = json_object_get(body, "commonLabels");
    assert_int_equal(json_object_size(common), 1); /* neither instance nor severity is the same */
    check_text(common, "alertname", "Slow\"er");
    check_text(json_object_get(body, "commonAnnotations"), "summary", "it is \"slow\" <now>");
    assert_int_equal(json_array_size(json_object_get(body, "alerts")), 2);
    check_alert(s, 0, 0, "firing Slow\"er/a");
    check_alert(s, 0, 1, "firing Slow\"er/b");
    json_t *first = json_array_get(json_object_get(body, "alerts"), 0);
    check_text(first, "startsAt", "2026-09-21T14:13:20.000Z");
    check_text(first, "endsAt", "0001-01-01T00:00:00Z");
    check_text(first, "generatorURL", "http://crest:9480/graph?g0.expr=up");
    check_text(json_object_get(first, "labels"), "severity", "page");
    char fingerprint[20];
    (void)snprintf(fingerprint, sizeof fingerprint, "%016llx",
                   (unsigned long long)labels_fingerprint(&alerts[1].labels));
    check_text(first, "fingerprint", fingerprint);

    struct alert ended = alert(two, "Slow\"er", "a", true, T0 + 61000);
    offer_all(&b, &ended, 1);
    assert_true(webhook_server_wait(s, 2, 5000));
    body = webhook_server_body(s, 1);
    check_text(body, "status", "resolved");
    first = json_array_get(json_object_get(body, "alerts"), 0);
    check_text(first, "status", "resolved");
    check_text(first, "endsAt", "2026-09-21T14:14:21.000Z");
    assert_int_equal(json_object_size(json_object_get(body, "commonLabels")), 3);
    bench_done(&b);
    webhook_server_stop(s);
}

static void notify_groups_what_changed_together_by_alertname(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    struct bench b = bench_new(webhook_server_url(s), false);
    static const char *const NAMES[] = {"B", "A", "B", "A", "A"};
    static const char *const INSTANCES[] = {"1", "2", "3", "4", "5"};
    struct label pairs[5][3];
    struct alert alerts[5];
    for (int i = 0; i < 5; i++)
        alerts[i] = alert(pairs[i], NAMES[i], INSTANCES[i], false, T0);
    offer_all(&b, alerts, 5);
    assert_true(webhook_server_wait(s, 2, 5000));
    sleep_us(50000);
    assert_int_equal(webhook_server_count(s), 2);
    size_t a = json_array_size(json_object_get(webhook_server_body(s, 0), "alerts"));
    size_t c = json_array_size(json_object_get(webhook_server_body(s, 1), "alerts"));
    assert_int_equal(a + c, 5);
    assert_true(a == 3 || a == 2);
    bench_done(&b);
    webhook_server_stop(s);
}

static void notify_tells_only_news(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    struct bench b = bench_new(webhook_server_url(s), false);
    offer_one(&b, "Slow", "a", true, T0);                             /* ended, but never told that it fired */
    offer_one(&b, "Slow", "a", false, T0);                            /* news */
    offer_one(&b, "Slow", "a", false, T0 + 60000);                    /* the rules' resend */
    offer_one(&b, "Slow", "b", false, T0 + 120000);                   /* news */
    offer_one(&b, "Slow", "a", true, T0 + 180000);                    /* news */
    offer_one(&b, "Slow", "a", true, T0 + 240000);                    /* the rules' resend */
    offer_one(&b, "Slow", "b", false, T0 + 120000 + 4 * 3600 * 1000); /* fires for four hours: said again */
    assert_true(webhook_server_wait(s, 4, 5000));
    sleep_us(50000);
    assert_int_equal(webhook_server_count(s), 4);
    check_alert(s, 0, 0, "firing Slow/a");
    check_alert(s, 1, 0, "firing Slow/b");
    check_alert(s, 2, 0, "resolved Slow/a");
    check_alert(s, 3, 0, "firing Slow/b");
    bench_done(&b);
    webhook_server_stop(s);
}

static void notify_writes_nothing_when_the_transaction_fails(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    struct bench b = bench_new(webhook_server_url(s), false);
    struct label pairs[3];
    struct alert a = alert(pairs, "Slow", "a", false, T0);
    struct offer o = {.sink = b.sink, .alerts = &a, .n = 1, .then = -ENOSPC};
    check_errno(state_run(b.state, offer_change, &o), -ENOSPC);
    b.sink.committed(b.sink.ctx);
    sleep_us(100000);
    assert_int_equal(webhook_server_count(s), 0);
    offer_all(&b, &a, 1); /* still news: nothing was remembered */
    assert_true(webhook_server_wait(s, 1, 5000));
    bench_done(&b);
    webhook_server_stop(s);
}

static void notify_retries_in_order_until_accepted(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    webhook_server_answer(s, &(struct webhook_answer){.status = 503});
    webhook_server_answer(s, &(struct webhook_answer){.status = 0});
    webhook_server_answer(s, &(struct webhook_answer){.status = 500});
    struct bench b = bench_new(webhook_server_url(s), false);
    offer_one(&b, "Slow", "a", false, T0);
    offer_one(&b, "Slow", "a", true, T0 + 1000);
    assert_true(webhook_server_wait(s, 5, 20000));
    for (size_t i = 0; i < 4; i++)
        check_alert(s, i, 0, "firing Slow/a"); /* the end waits behind the beginning */
    check_alert(s, 4, 0, "resolved Slow/a");
    assert_int_equal(webhook_server_status(s, 3), 200);
    assert_true(counter_reaches(b.notify, "crest_notify_deliveries_total{outcome=\"delivered\"}", 2, 2000));
    /* libcurl itself asks again when a kept connection closes without an answer. */
    assert_true(counter(b.notify, "crest_notify_retries_total") >= 2);
    assert_true(counter_reaches(b.notify, "crest_notify_delivery_seconds_count", 2, 2000));
    bench_done(&b);
    webhook_server_stop(s);
}

static void notify_waits_as_long_as_the_receiver_asks(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    webhook_server_answer(s, &(struct webhook_answer){.status = 429, .retry_after_s = 2});
    struct bench b = bench_new(webhook_server_url(s), false);
    offer_one(&b, "Slow", "a", false, T0);
    assert_true(webhook_server_wait(s, 1, 5000));
    assert_true(counter_reaches(b.notify, "crest_notify_retries_total", 1, 5000)); /* the 429 was read */
    offer_one(&b, "Other", "a", false, T0); /* another group: the receiver is still the same */
    assert_true(webhook_server_wait(s, 3, 10000));
    assert_true(webhook_server_at_us(s, 1) - webhook_server_at_us(s, 0) >= 1900000);
    bench_done(&b);
    webhook_server_stop(s);
}

static void notify_drops_what_is_refused_for_good(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    webhook_server_answer(s, &(struct webhook_answer){.status = 400});
    struct bench b = bench_new(webhook_server_url(s), false);
    offer_one(&b, "Slow", "a", false, T0);
    assert_true(counter_reaches(b.notify, "crest_notify_deliveries_total{outcome=\"refused\"}", 1, 5000));
    offer_one(&b, "Slow", "a", true, T0 + 1000);
    assert_true(webhook_server_wait(s, 2, 5000));
    check_alert(s, 1, 0, "resolved Slow/a");
    assert_true(counter_reaches(b.notify, "crest_notify_deliveries_total{outcome=\"delivered\"}", 1, 5000));
    assert_true(counter(b.notify, "crest_notify_queue_depth") == 0);
    bench_done(&b);
    webhook_server_stop(s);
}

static void a_slow_group_does_not_hold_up_the_others(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    webhook_server_answer(s, &(struct webhook_answer){.status = 200, .delay_ms = 1500});
    struct bench b = bench_new(webhook_server_url(s), false);
    offer_one(&b, "Slow", "a", false, T0);
    assert_true(webhook_server_wait(s, 1, 5000));
    int64_t start_us = mono_us();
    offer_one(&b, "Slow", "b", false, T0); /* behind the one under way */
    offer_one(&b, "Other", "c", false, T0);
    assert_true(webhook_server_wait(s, 2, 5000));
    assert_true(webhook_server_at_us(s, 1) - start_us < 1500000); /* the slow one is still under way */
    check_alert(s, 1, 0, "firing Other/c");
    assert_true(webhook_server_wait(s, 3, 5000));
    check_alert(s, 2, 0, "firing Slow/b");
    bench_done(&b);
    webhook_server_stop(s);
}

static void notify_goes_on_after_a_restart(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    uint16_t port = webhook_server_port(s);
    char url[64];
    (void)snprintf(url, sizeof url, "%s", webhook_server_url(s));
    webhook_server_stop(s); /* nobody listens */
    struct bench b = bench_new(url, true);
    offer_one(&b, "Slow", "a", false, T0);
    offer_one(&b, "Slow", "a", true, T0 + 1000);
    offer_one(&b, "Slow", "b", false, T0 + 2000);
    assert_true(counter_reaches(b.notify, "crest_notify_retries_total", 1, 5000));
    close_room(&b);
    check_ok(webhook_server_start(port, &s));
    open_room(&b);
    assert_true(webhook_server_wait(s, 3, 10000));
    check_alert(s, 0, 0, "firing Slow/a");
    check_alert(s, 1, 0, "resolved Slow/a");
    check_alert(s, 2, 0, "firing Slow/b");
    assert_true(counter_reaches(b.notify, "crest_notify_deliveries_total{outcome=\"delivered\"}", 3, 5000));
    close_room(&b);
    open_room(&b); /* nothing is sent twice, and what was told is remembered */
    offer_one(&b, "Slow", "b", false, T0 + 62000);
    sleep_us(200000);
    assert_int_equal(webhook_server_count(s), 3);
    bench_done(&b);
    webhook_server_stop(s);
}

/* The child is killed while the receiver has the request but has not answered: the row must still be there. It is forked before any
 * thread of this test starts, and waits for the receiver's address. */
static void notify_loses_nothing_by_kill(void **unused)
{
    (void)unused;
    struct bench b = {.config = {.timeout_ms = 60000}};
    check_ok(dir_make_temp("notify", &b.dir));
    int ends[2];
    char url[64] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (read(ends[0], url, sizeof url) != sizeof url)
            _exit(1);
        b.config.webhook_url = url;
        open_room(&b);
        offer_one(&b, "Slow", "a", false, T0);
        offer_one(&b, "Slow", "a", true, T0 + 1000);
        for (;;)
            pause();
    }
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    webhook_server_answer(s, &(struct webhook_answer){.status = 200, .delay_ms = 60000});
    (void)snprintf(url, sizeof url, "%s", webhook_server_url(s));
    assert_int_equal(write(ends[1], url, sizeof url), sizeof url);
    assert_true(webhook_server_wait(s, 1, 10000));
    sleep_us(300000); /* the child's second offer is committed, too */
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(ends[0]);
    close(ends[1]);
    b.config.webhook_url = url;
    open_room(&b);
    assert_true(webhook_server_wait(s, 3, 10000));
    check_alert(s, 1, 0, "firing Slow/a"); /* a second time: at least once */
    check_alert(s, 2, 0, "resolved Slow/a");
    bench_done(&b);
    webhook_server_stop(s);
}

/* Alertmanager's rule: who is not said to fire any more by the end of its validity is resolved. */
static void notify_resolves_what_nobody_speaks_of(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    struct bench b = bench_new(webhook_server_url(s), false);
    offer_one(&b, "Slow", "a", false, T0); /* valid for 4 minutes from now */
    offer_one(&b, "Slow", "b", false, T0);
    assert_true(webhook_server_wait(s, 2, 5000));
    size_t found;
    check_ok(notify_time_out(b.notify, unix_ms() + 239000, &found));
    assert_int_equal(found, 0);
    check_ok(notify_extend_all(b.notify, unix_ms() + 100000)); /* as after a restart: nobody could speak meanwhile */
    check_ok(notify_time_out(b.notify, unix_ms() + 339000, &found));
    assert_int_equal(found, 0);
    offer_one(&b, "Slow", "b", false, T0 + 60000);             /* still spoken of: valid for 4 minutes from now again */
    check_ok(notify_extend_all(b.notify, unix_ms() - 200000)); /* 200 s later… */
    offer_one(&b, "Slow", "b", false, T0 + 260000);
    check_ok(notify_time_out(b.notify, unix_ms() + 60000, &found));
    assert_int_equal(found, 1);
    notify_wake(b.notify);
    assert_true(webhook_server_wait(s, 3, 5000));
    check_alert(s, 2, 0, "resolved Slow/a");
    json_t *alert = json_array_get(json_object_get(webhook_server_body(s, 2), "alerts"), 0);
    check_text(alert, "startsAt", "2026-09-21T14:13:20.000Z");
    check_text(json_object_get(alert, "annotations"), "summary", "it is \"slow\" <now>");
    offer_one(&b, "Slow", "a", true, T0 + 300000); /* its end was told */
    sleep_us(100000);
    assert_int_equal(webhook_server_count(s), 3);
    bench_done(&b);
    webhook_server_stop(s);
}

static void notify_gives_up_what_is_too_old(void **unused)
{
    (void)unused;
    struct bench b = {.config = {.webhook_url = "http://127.0.0.1:1/", .expire_ms = 300}};
    open_room(&b);
    offer_one(&b, "Slow", "a", false, T0);
    assert_true(counter_reaches(b.notify, "crest_notify_deliveries_total{outcome=\"expired\"}", 1, 10000));
    assert_true(counter(b.notify, "crest_notify_deliveries_total{outcome=\"delivered\"}") == 0);
    bench_done(&b);
}

static void notify_cuts_many_alerts_into_several_bodies(void **unused)
{
    (void)unused;
    enum { N = DELIVERY_ALERTS_MAX * 2 + 7 };
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    struct bench b = bench_new(webhook_server_url(s), false);
    struct label(*pairs)[3] = calloc(N, sizeof *pairs);
    struct alert *alerts = calloc(N, sizeof *alerts);
    char(*names)[NUMBER_TEXT_MAX] = calloc(N, sizeof *names);
    for (int i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "i%05d", i);
        alerts[i] = alert(pairs[i], "Slow", names[i], false, T0);
    }
    offer_all(&b, alerts, N);
    assert_true(webhook_server_wait(s, 3, 10000));
    size_t sum = 0;
    for (size_t i = 0; i < 3; i++)
        sum += json_array_size(json_object_get(webhook_server_body(s, i), "alerts"));
    assert_int_equal(sum, N);
    bench_done(&b);
    webhook_server_stop(s);
    free(pairs);
    free(alerts);
    free(names);
}

static void notify_keeps_its_queue_bounded(void **unused)
{
    (void)unused;
    struct bench b = bench_new("http://127.0.0.1:1/", false);
    struct label pairs[200][3];
    struct alert alerts[200];
    static char names[200][16];
    for (int round = 0; round < (int)DELIVERY_ROWS_MAX / 200 + 2; round++) {
        for (int i = 0; i < 200; i++) {
            (void)snprintf(names[i], sizeof names[i], "N%d", i);
            alerts[i] = alert(pairs[i], names[i], "a", round % 2, T0 + round);
        }
        offer_all(&b, alerts, 200);
    }
    assert_true(counter(b.notify, "crest_notify_deliveries_total{outcome=\"dropped\"}") == 400);
    assert_true(counter_reaches(b.notify, "crest_notify_queue_depth", DELIVERY_ROWS_MAX, 20000));
    sleep_us(100000);
    assert_true(counter(b.notify, "crest_notify_queue_depth") == DELIVERY_ROWS_MAX);
    bench_done(&b);
}

static void notify_counts_alerts_without_a_receiver(void **unused)
{
    (void)unused;
    struct bench b = bench_new(NULL, false);
    offer_one(&b, "Slow", "a", false, T0);
    assert_true(counter(b.notify, "crest_notify_unrouted_alerts_total") == 1);
    bench_done(&b);
}

static void notify_delivers_within_milliseconds(void **unused)
{
    (void)unused;
    struct webhook_server *s;
    check_ok(webhook_server_start(0, &s));
    struct bench b = bench_new(webhook_server_url(s), true);
    int64_t worst_us = 0, best_us = INT64_MAX;
    for (size_t i = 0; i < 20; i++) {
        int64_t start_us = mono_us();
        offer_one(&b, "Slow", "a", i % 2, T0 + (int64_t)i);
        assert_true(webhook_server_wait(s, i + 1, 5000));
        int64_t took_us = webhook_server_at_us(s, i) - start_us;
        worst_us = took_us > worst_us ? took_us : worst_us;
        best_us = took_us < best_us ? took_us : best_us;
    }
    print_message("from offer to receiver: best of 20 %.1f ms, worst %.1f ms\n", (double)best_us / 1000,
                  (double)worst_us / 1000);
    /* A few ms here; a loaded machine may take longer, a missing wake-up takes seconds each time. */
    assert_true(best_us < 250000 && worst_us < 250000 * (int64_t)check_patience());
    bench_done(&b);
    webhook_server_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notify_sends_alertmanagers_webhook_json),
        cmocka_unit_test(notify_groups_what_changed_together_by_alertname),
        cmocka_unit_test(notify_tells_only_news),
        cmocka_unit_test(notify_writes_nothing_when_the_transaction_fails),
        cmocka_unit_test(notify_retries_in_order_until_accepted),
        cmocka_unit_test(notify_waits_as_long_as_the_receiver_asks),
        cmocka_unit_test(notify_drops_what_is_refused_for_good),
        cmocka_unit_test(a_slow_group_does_not_hold_up_the_others),
        cmocka_unit_test(notify_goes_on_after_a_restart),
        cmocka_unit_test(notify_loses_nothing_by_kill),
        cmocka_unit_test(notify_resolves_what_nobody_speaks_of),
        cmocka_unit_test(notify_gives_up_what_is_too_old),
        cmocka_unit_test(notify_cuts_many_alerts_into_several_bodies),
        cmocka_unit_test(notify_keeps_its_queue_bounded),
        cmocka_unit_test(notify_counts_alerts_without_a_receiver),
        cmocka_unit_test(notify_delivers_within_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
