/* From a cause to the page about it, and from a scrape to an answer: what the alert's reader waits for.
 *
 * 1. The gateway fails all payments (the answer to PUT /control is the cause) until the webhook about PaymentGatewayErrors comes: the real
 *    programs, shipped rules, 1 s scrapes, six payments a second, faults at random phase.
 * 2. A gauge that becomes 1, with the rule `bench_gauge > 0`: the same against Debian's prometheus and prometheus-alertmanager, taking turns. Both
 *    sides start anew in each run, because Prometheus's offsets of scrapes and rules are fixed while it lives.
 * 3. The end of a scrape until the query API shows its value.
 *
 * BENCH_FAST=1 does little of each, for those who change this file. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/httpd/httpd.h"
#include "lib/wire/json.h"
#include "lib/wire/url.h"
#include "tests/support/bench.h"
#include "tests/support/sale.h"

#define PAYMENTS_PER_S 6
#define PEER_RUNS 5u
#define CLOCKS 10u
#define CLOCK_VALUES 4096u

static bool fast;
static struct check_random rng;

static void sleep_random_ms(uint64_t ms)
{
    sleep_us((int64_t)check_random_below(&rng, ms * 1000));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The smallest value that `share` of them do not pass. Sorts. */
static double quantile(double *values, size_t n, double share)
{
    qsort(values, n, sizeof *values, by_value);
    size_t rank = (size_t)ceil(share * (double)n);
    return n ? values[rank ? rank - 1 : 0] : NAN;
}

/* ---- 1. a fault of the shop ---- */

/* The time stamp of the evaluation that fired, in seconds after the cause. */
static double evaluated_s(struct sale *s, int64_t cause_us)
{
    size_t n = webhook_server_count(s->pager);
    json_t *alert = n ? json_array_get(json_object_get(webhook_server_body(s->pager, n - 1), "alerts"), 0) : NULL;
    const char *starts = json_string_value(json_object_get(alert, "startsAt"));
    int64_t ms;
    if (!starts || parse_rfc3339_ms(span_str(starts), &ms) < 0)
        return NAN;
    return (double)(ms - unix_ms()) / 1e3 + (double)(mono_us() - cause_us) / 1e6;
}

static void bench_faults(struct bench *b)
{
    double seconds[50];
    size_t faults = fast ? 4 : ARRAY_LEN(seconds);
    struct sale *s = sale_open();
    struct customers *c = customers_start(s->shop, PAYMENTS_PER_S, 0);
    sleep_us(13000000); /* the rules' windows are full */
    for (size_t i = 0; i < faults; i++) {
        int64_t paged_us = 0, third_us = 0;
        size_t from = webhook_server_count(s->pager);
        sleep_random_ms(1000);
        uint64_t errors = customers_count(c).errors;
        int64_t cause_us = sale_control(s, "{\"gateway\":{\"error_ratio\":1}}");
        if (!sale_wait_alert(s, "firing PaymentGatewayErrors", from, 30000, &paged_us))
            check_failed("fault %zu: no page within 30 s", i);
        while (!(third_us = customers_error_us(c, errors + 2)))
            sleep_us(1000);
        seconds[i] = (double)(paged_us - cause_us) / 1e6;
        printf("fault %2zu: third failed payment %.3f s, evaluated %.3f s, page %.3f s\n", i + 1,
               (double)(third_us - cause_us) / 1e6, evaluated_s(s, cause_us), seconds[i]);
        fflush(stdout);
        bench_add(b, "cause to page, each fault", "s", seconds[i]);
        bench_add(b, "of that: third failed payment to page", "s", (double)(paged_us - third_us) / 1e6);
        (void)sale_control(s, "{\"gateway\":{\"error_ratio\":0}}");
        if (!sale_wait_alert(s, "resolved PaymentGatewayErrors", from, 60000, NULL))
            check_failed("fault %zu: not resolved within 60 s", i);
    }
    struct customer_counts n = customers_count(c);
    bench_add(b, "cause to page, p95", "s", quantile(seconds, faults, 0.95));
    bench_add(b, "cause to page, max", "s", quantile(seconds, faults, 1));
    bench_note(
        b, "Faults: %zu at random phase, %d payments/s (%llu in all, %llu visits late), gateway latency 80 ± 40 ms.",
        faults, PAYMENTS_PER_S, (unsigned long long)n.payments, (unsigned long long)n.late);
    customers_stop(c);
    sale_close(s);
}

/* ---- 2. a gauge against the peer ---- */

struct gauge {
    struct httpd *httpd;
    atomic_uint round;
    atomic_bool on;
};

static void on_gauge(struct httpd_request *r, void *ctx)
{
    struct gauge *g = ctx;
    struct buf out;
    buf_init(&out, 4096);
    buf_printf(&out, "# TYPE bench_gauge gauge\nbench_gauge{round=\"%u\"} %d\n", atomic_load(&g->round),
               atomic_load(&g->on));
    httpd_reply(r, 200, "text/plain; version=0.0.4", &out);
}

static struct httpd *serve(const struct httpd_route *routes, void *ctx)
{
    char why[256] = "";
    struct httpd *h = NULL;
    struct httpd_config config = {
        .listen = "127.0.0.1:0", .routes = routes, .ctx = ctx, .threads = 1, .server_name = "bench"};
    if (httpd_start(&config, &h, why, sizeof why) < 0)
        check_failed("%s", why);
    return h;
}

/* One side: what scrapes the gauge, runs the rule and pages. */
struct side {
    const char *name;
    struct gauge gauge;
    struct webhook_server *pager;
    struct e2e_program *programs[2];
};

static const char RULE_FILE[] = "groups:\n"
                                "  - name: bench\n"
                                "    interval: 1s\n"
                                "    rules:\n"
                                "      - alert: BenchGauge\n"
                                "        expr: bench_gauge > 0\n";

static void open_side(struct side *s, const char *name)
{
    static const struct httpd_route ROUTES[] = {{"GET", "/metrics", 0, on_gauge}, {0}};
    *s = (struct side){.name = name};
    s->gauge.httpd = serve(ROUTES, &s->gauge);
    check_ok(webhook_server_start(0, &s->pager));
}

static void open_ours(struct side *s, unsigned run)
{
    char config[512], file[64];
    open_side(s, "crest");
    snprintf(file, sizeof file, "ours-%u", run);
    s->programs[0] = e2e_start("crest-collector",
                               E2E_ARGS("--data", e2e_path(file), "--rule-file", e2e_write("rules.yml", RULE_FILE),
                                        "--webhook-url", webhook_server_url(s->pager)));
    snprintf(config, sizeof config,
             "global: {scrape_interval: 1s, scrape_timeout: 900ms}\n"
             "scrape_configs: [{job_name: bench, static_configs: [{targets: ['127.0.0.1:%u']}]}]\n"
             "remote_write: [{url: '%s/api/v1/write'}]\n",
             httpd_port(s->gauge.httpd), e2e_url(s->programs[0]));
    s->programs[1] =
        e2e_start("crest-agent", E2E_ARGS("--config", e2e_write("ours.yml", config), "--data", e2e_path("ours-agent")));
}

static bool answers(void *url)
{
    return e2e_try("GET", url, NULL, (struct span){NULL, 0}, NULL) == 200;
}

static void open_peer(struct side *s, unsigned run)
{
    char config[1024], url[2][64], listen[2][64], data[2][1100];
    open_side(s, "prometheus");
    for (int i = 0; i < 2; i++) {
        uint16_t port = e2e_free_port();
        snprintf(url[i], sizeof url[i], "http://127.0.0.1:%u/-/ready", port);
        snprintf(listen[i], sizeof listen[i], "--web.listen-address=127.0.0.1:%u", port);
    }
    snprintf(config, sizeof config,
             "route: {receiver: bench, group_by: ['alertname', 'round'], group_wait: 0s, group_interval: 1s, "
             "repeat_interval: 1h}\n"
             "receivers: [{name: bench, webhook_configs: [{url: '%s', send_resolved: true}]}]\n",
             webhook_server_url(s->pager));
    const char *am_config = e2e_write("alertmanager.yml", config);
    snprintf(data[0], sizeof data[0], "--storage.path=%s/alertmanager-%u", e2e_folder(), run);
    char am_file[1100];
    snprintf(am_file, sizeof am_file, "--config.file=%s", am_config);
    s->programs[0] = e2e_start_other((const char *const[]){"prometheus-alertmanager", am_file, data[0], listen[0],
                                                           "--cluster.listen-address=", NULL});
    snprintf(config, sizeof config,
             "global: {scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}\n"
             "rule_files: ['%s']\n"
             "alerting: {alertmanagers: [{static_configs: [{targets: ['%s']}]}]}\n"
             "scrape_configs: [{job_name: bench, static_configs: [{targets: ['127.0.0.1:%u']}]}]\n",
             e2e_write("peer-rules.yml", RULE_FILE), strchr(listen[0], '=') + 1, httpd_port(s->gauge.httpd));
    char file[1100];
    snprintf(file, sizeof file, "--config.file=%s", e2e_write("peer.yml", config));
    snprintf(data[1], sizeof data[1], "--storage.tsdb.path=%s/prometheus-%u", e2e_folder(), run);
    s->programs[1] = e2e_start_other((const char *const[]){"prometheus", file, data[1], listen[1], NULL});
    e2e_wait(30000, answers, url[0]);
    e2e_wait(30000, answers, url[1]);
}

static void close_side(struct side *s)
{
    e2e_stop(s->programs[1]);
    e2e_stop(s->programs[0]);
    webhook_server_stop(s->pager);
    httpd_stop(s->gauge.httpd, 100);
}

/* Wait until the webhook has got this status for this round. */
static int64_t wait_page(struct side *s, const char *status, unsigned round)
{
    char want[64], got[128];
    int64_t until = mono_us() + 30000000;
    snprintf(want, sizeof want, "%s BenchGauge/%u", status, round);
    for (size_t i = 0; mono_us() < until;) {
        if (!webhook_server_wait(s->pager, i + 1, 1000))
            continue;
        size_t n = json_array_size(json_object_get(webhook_server_body(s->pager, i), "alerts"));
        for (size_t k = 0; k < n; k++)
            if (strcmp(webhook_server_alert(s->pager, i, k, "round", got, sizeof got), want) == 0)
                return webhook_server_at_us(s->pager, i);
        i++;
    }
    check_failed("%s: no page \"%s\" within 30 s", s->name, want);
}

static double one_gauge(struct side *s)
{
    unsigned round = atomic_fetch_add(&s->gauge.round, 1) + 1; /* a series, and a group of alerts, of its own */
    sleep_us(2500000);                                         /* it is scraped at 0 first */
    sleep_random_ms(1000);
    int64_t cause_us = mono_us();
    atomic_store(&s->gauge.on, true);
    int64_t paged_us = wait_page(s, "firing", round);
    atomic_store(&s->gauge.on, false);
    (void)wait_page(s, "resolved", round);
    return (double)(paged_us - cause_us) / 1e6;
}

static void bench_gauges(struct bench *b)
{
    double ours[10], theirs[10];
    size_t rounds = fast ? 3 : ARRAY_LEN(ours);
    bool peer = e2e_have("prometheus") && e2e_have("prometheus-alertmanager");
    for (unsigned run = 0; run < (fast ? 1 : PEER_RUNS); run++) {
        struct side us, them;
        open_ours(&us, run);
        if (peer)
            open_peer(&them, run);
        sleep_us(3000000);
        for (size_t i = 0; i < rounds; i++) {
            ours[i] = one_gauge(&us);
            theirs[i] = peer ? one_gauge(&them) : NAN;
            printf("gauge run %u.%zu: crest %.3f s, prometheus %.3f s\n", run + 1, i + 1, ours[i], theirs[i]);
            fflush(stdout);
        }
        close_side(&us);
        if (peer)
            close_side(&them);
        double our = quantile(ours, rounds, 0.5), their = peer ? quantile(theirs, rounds, 0.5) : NAN;
        bench_add(b, "gauge to page, crest (median of a run)", "s", our);
        if (!peer)
            continue;
        bench_add(b, "gauge to page, prometheus + alertmanager (median of a run)", "s", their);
        bench_add(b, "gauge to page, ratio", "×", our / their);
    }
    bench_note(b, "Gauge: %zu rounds a run; %s.", rounds,
               peer ? "the peer tuned to 1 s scrapes, 1 s rules, group_wait 0, an alert group of its own a round"
                    : "prometheus or prometheus-alertmanager is not installed, so nothing was compared");
}

/* ---- 3. from a scrape to an answer ---- */

struct clocks {
    atomic_uint value[CLOCKS];
    _Atomic int64_t answered_us[CLOCKS][CLOCK_VALUES];
};

static void on_clock(struct httpd_request *r, void *ctx)
{
    struct clocks *c = ctx;
    uint64_t i = CLOCKS;
    struct buf out;
    if (parse_u64_span(httpd_segment(r, "i"), CLOCKS - 1, &i) < 0) {
        httpd_reply_empty(r, 404);
        return;
    }
    unsigned value = atomic_load(&c->value[i]) + 1;
    buf_init(&out, 4096);
    buf_printf(&out, "# TYPE bench_clock gauge\nbench_clock %u\n", value);
    httpd_reply(r, 200, "text/plain; version=0.0.4", &out);
    atomic_store(&c->answered_us[i][value % CLOCK_VALUES], mono_us());
    atomic_store(&c->value[i], value);
}

/* What the query API shows now, into shown[]; when its answer was there. */
static int64_t look(const struct e2e_program *collector, unsigned shown[CLOCKS])
{
    struct parse_error error;
    char *body = e2e_get(collector, "/api/v1/query?query=bench_clock", 200);
    int64_t at_us = mono_us();
    json_t *answer = json_read(span_str(body), &error), *series;
    size_t k;
    json_array_foreach(json_object_get(json_object_get(answer, "data"), "result"), k, series)
    {
        const char *instance = json_string_value(json_object_get(json_object_get(series, "metric"), "instance"));
        const char *text = json_string_value(json_array_get(json_object_get(series, "value"), 1));
        uint64_t i, value;
        if (instance && text && parse_u64(instance, CLOCKS - 1, &i) == 0 && parse_u64(text, UINT32_MAX, &value) == 0)
            shown[i] = (unsigned)value;
    }
    json_decref(answer);
    free(body);
    return at_us;
}

static void bench_visible(struct bench *b)
{
    static const struct httpd_route ROUTES[] = {{"GET", "/clock/{i}", 0, on_clock}, {0}};
    static struct clocks clocks;
    struct httpd *httpd = serve(ROUTES, &clocks);
    struct e2e_program *collector = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("visible")));
    struct buf config;
    unsigned seen[CLOCKS] = {0}, shown[CLOCKS] = {0};
    size_t n = 0, want = fast ? 100 : 1000;
    double *ms = calloc(want, sizeof *ms);
    buf_init(&config, 1 << 20);
    buf_str(&config, "global: {scrape_interval: 1s, scrape_timeout: 900ms}\nscrape_configs:\n");
    for (unsigned i = 0; i < CLOCKS; i++)
        buf_printf(&config,
                   "  - {job_name: c%u, metrics_path: /clock/%u, static_configs: [{targets: ['127.0.0.1:%u'], labels: "
                   "{instance: '%u'}}]}\n",
                   i, i, httpd_port(httpd), i);
    buf_printf(&config, "remote_write: [{url: '%s/api/v1/write'}]\n", e2e_url(collector));
    check_ok(buf_error(&config));
    struct e2e_program *agent =
        e2e_start("crest-agent", E2E_ARGS("--config", e2e_write("visible.yml", config.data), "--data", e2e_path("va")));
    buf_done(&config);
    int64_t until = mono_us() + 300000000;
    while (ms && n < want && mono_us() < until) {
        int64_t at_us = look(collector, shown);
        for (unsigned i = 0; i < CLOCKS; i++) {
            for (; seen[i] < shown[i]; seen[i]++)
                if (seen[i] > 2 && n < want) /* the first scrapes find connections to make */
                    ms[n++] = (double)(at_us - atomic_load(&clocks.answered_us[i][(seen[i] + 1) % CLOCK_VALUES])) / 1e3;
        }
        sleep_us(3000);
    }
    if (!ms || n < want)
        check_failed("only %zu of %zu scrapes became visible", n, want);
    bench_add(b, "scrape end to query-visible, p50", "ms", quantile(ms, n, 0.5));
    bench_add(b, "scrape end to query-visible, p99", "ms", quantile(ms, n, 0.99));
    bench_add(b, "scrape end to query-visible, max", "ms", quantile(ms, n, 1));
    bench_note(b, "Visible: %zu scrapes of %u targets, the query API asked every few ms.", n, CLOCKS);
    free(ms);
    e2e_stop(agent);
    e2e_stop(collector);
    httpd_stop(httpd, 100);
}

static void clean_up(void)
{
    (void)e2e_teardown(NULL);
}

int main(void)
{
    const char *flag = getenv("BENCH_FAST"), *only = getenv("BENCH_ONLY");
    fast = flag && *flag;
    (void)atexit(clean_up);
    rng = check_random_new("bench-latency");
    struct bench *b = bench_new("latency", "From a cause to its page, from a scrape to an answer");
    if (!only || strcmp(only, "visible") == 0)
        bench_visible(b);
    if (!only || strcmp(only, "gauge") == 0)
        bench_gauges(b);
    if (!only || strcmp(only, "fault") == 0)
        bench_faults(b);
    bench_must(b, "cause to page, p95", BENCH_AT_MOST, 2);
    bench_must(b, "cause to page, max", BENCH_AT_MOST, 3);
    bench_must(b, "gauge to page, ratio", BENCH_AT_MOST, 1);
    bench_goal(b, "gauge to page, ratio", BENCH_AT_MOST, 0.6);
    bench_must(b, "scrape end to query-visible, p99", BENCH_AT_MOST, 250);
    return bench_finish(b);
}
