/* The agent beside Prometheus's agent mode: memory and CPU at 20 targets of 500 series, scraped once a second, sent by remote write to the same
 * sink; and how long the agent and an empty collector take to start.
 *
 * The two take turns against targets that cost them the same. The sink decodes what comes, so that what is compared has done the same work.
 * BENCH_FAST=1 does little of each. */
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/process.h"
#include "lib/httpd/httpd.h"
#include "lib/wire/remote_write.h"
#include "tests/support/bench.h"
#include "tests/support/e2e.h"

#define TARGETS 20u
#define FAMILIES 25u
#define SERIES_PER_FAMILY 20u /* 500 series a target */
#define REPORTS 6u            /* up and scrape_*: 5 for Prometheus, 6 for us */
#define RUNS 5u
#define START_RUNS 11u

static bool fast;

/* ---- targets ---- */

struct target {
    struct httpd *httpd;
    struct buf text; /* the page but for its numbers */
    atomic_uint scrapes;
};

/* Names, labels and lengths as a service's own page has them: two in three series are counters that grow now and then, the rest gauges. */
static void write_page(struct buf *out, unsigned scrape)
{
    for (unsigned f = 0; f < FAMILIES; f++) {
        bool counter = f % 3 != 0;
        const char *suffix = counter ? "_total" : "";
        buf_printf(out, "# HELP service_component_%02u%s What this part of the service did.\n", f, suffix);
        buf_printf(out, "# TYPE service_component_%02u%s %s\n", f, suffix, counter ? "counter" : "gauge");
        for (unsigned i = 0; i < SERIES_PER_FAMILY; i++) {
            buf_printf(out, "service_component_%02u%s{route=\"/api/v1/resource/%u\",method=\"%s\",code=\"%u\"} ", f,
                       suffix, i / 4, i % 2 ? "GET" : "POST", i % 4 < 2 ? 200u : 500u);
            if (counter)
                buf_printf(out, "%u\n", 1000000 + f * 1000 + i + (i % 3 ? scrape * (i + 1) : 0));
            else
                buf_printf(out, "%u.%03u\n", (scrape * 7 + i) % 100, (scrape * 37 + f) % 1000);
        }
    }
}

static void on_metrics(struct httpd_request *r, void *ctx)
{
    struct target *t = ctx;
    struct buf out;
    buf_init(&out, 1 << 20);
    write_page(&out, atomic_fetch_add(&t->scrapes, 1));
    httpd_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
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

/* ---- the sink ---- */

struct sink {
    struct httpd *httpd;
    atomic_ullong samples, requests, bytes;
};

static void on_write(struct httpd_request *r, void *ctx)
{
    struct sink *s = ctx;
    struct write_request *w = NULL;
    struct remote_write_report report;
    struct span body = httpd_body(r);
    if (remote_write_decode(REMOTE_WRITE_1, body, &w, &report) < 0) {
        httpd_reply_text(r, 400, "broken\n");
        return;
    }
    for (size_t i = 0; i < w->n_series; i++)
        atomic_fetch_add_explicit(&s->samples, w->series[i].n_samples, memory_order_relaxed);
    atomic_fetch_add(&s->requests, 1);
    atomic_fetch_add(&s->bytes, body.len);
    write_request_free(w);
    httpd_reply_empty(r, 204);
}

/* ---- a side ---- */

static struct target targets[TARGETS];
static struct sink sink;

static const char *write_config(const char *name)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_str(&text, "global: {scrape_interval: 1s, scrape_timeout: 900ms}\nscrape_configs:\n  - job_name: bench\n"
                   "    static_configs:\n");
    for (unsigned i = 0; i < TARGETS; i++)
        buf_printf(&text, "      - targets: ['127.0.0.1:%u']\n", httpd_port(targets[i].httpd));
    buf_printf(&text, "remote_write: [{url: 'http://127.0.0.1:%u/api/v1/write'}]\n", httpd_port(sink.httpd));
    check_ok(buf_error(&text));
    const char *path = e2e_write(name, text.data);
    buf_done(&text);
    return path;
}

static struct e2e_program *start_ours(unsigned run)
{
    char data[32];
    snprintf(data, sizeof data, "ours-%u", run);
    return e2e_start("crest-agent", E2E_ARGS("--config", write_config("ours.yml"), "--data", e2e_path(data)));
}

static struct e2e_program *start_peer(unsigned run)
{
    char config[1100], data[1100], listen[64];
    snprintf(config, sizeof config, "--config.file=%s", write_config("peer.yml"));
    snprintf(data, sizeof data, "--storage.agent.path=%s/peer-%u", e2e_folder(), run);
    snprintf(listen, sizeof listen, "--web.listen-address=127.0.0.1:%u", e2e_free_port());
    return e2e_start_other(
        (const char *const[]){"prometheus", "--enable-feature=agent", config, data, listen, "--log.level=error", NULL});
}

struct measured {
    double cores, rss_anon_mib, samples_per_s;
};

/* Ten seconds to settle, then CPU over the window, and the most memory seen in it. */
static struct measured measure(struct e2e_program *p)
{
    int64_t settle_us = fast ? 4000000 : 10000000, window_us = fast ? 6000000 : 30000000;
    struct process_usage before, now;
    sleep_us(settle_us);
    struct measured m = {0};
    uint64_t samples = atomic_load(&sink.samples);
    int64_t start_us = mono_us(), end_us = start_us + window_us;
    check_ok(process_usage(e2e_pid(p), &before));
    do {
        sleep_us(500000);
        check_ok(process_usage(e2e_pid(p), &now));
        double mib = (double)now.rss_anon_bytes / (1 << 20);
        m.rss_anon_mib = mib > m.rss_anon_mib ? mib : m.rss_anon_mib;
    } while (mono_us() < end_us);
    double seconds = (double)(mono_us() - start_us) / 1e6;
    m.cores = (now.cpu_seconds - before.cpu_seconds) / seconds;
    m.samples_per_s = (double)(atomic_load(&sink.samples) - samples) / seconds;
    double expected = (double)TARGETS * (FAMILIES * SERIES_PER_FAMILY + REPORTS);
    double slack = expected * 1.5 / seconds; /* a second's scrapes come together */
    if (m.samples_per_s < expected - slack || m.samples_per_s > expected + slack)
        check_failed("%.0f samples/s came instead of about %.0f: nothing to compare", m.samples_per_s, expected);
    return m;
}

static void bench_load(struct bench *b)
{
    static const struct httpd_route PAGES[] = {{"GET", "/metrics", 0, on_metrics}, {0}};
    static const struct httpd_route WRITES[] = {{"POST", "/api/v1/write", 8 << 20, on_write}, {0}};
    bool peer = e2e_have("prometheus");
    for (unsigned i = 0; i < TARGETS; i++)
        targets[i].httpd = serve(PAGES, &targets[i]);
    sink.httpd = serve(WRITES, &sink);
    for (unsigned run = 0; run < (fast ? 1 : RUNS); run++) {
        struct e2e_program *p = start_ours(run);
        struct measured ours = measure(p), theirs = {0};
        e2e_stop(p);
        bench_add(b, "agent: RssAnon", "MiB", ours.rss_anon_mib);
        bench_add(b, "agent: CPU", "cores", ours.cores);
        bench_add(b, "agent: samples arriving", "1/s", ours.samples_per_s);
        if (!peer)
            continue;
        p = start_peer(run);
        theirs = measure(p);
        e2e_stop(p);
        bench_add(b, "prometheus agent mode: RssAnon", "MiB", theirs.rss_anon_mib);
        bench_add(b, "prometheus agent mode: CPU", "cores", theirs.cores);
        bench_add(b, "prometheus agent mode: samples arriving", "1/s", theirs.samples_per_s);
        bench_add(b, "CPU, ratio", "×", ours.cores / theirs.cores);
        printf("run %u: crest-agent %.4f cores, %.1f MiB; prometheus %.4f cores, %.1f MiB\n", run + 1, ours.cores,
               ours.rss_anon_mib, theirs.cores, theirs.rss_anon_mib);
        fflush(stdout);
    }
    for (unsigned i = 0; i < TARGETS; i++)
        httpd_stop(targets[i].httpd, 100);
    httpd_stop(sink.httpd, 100);
    bench_note(b, "%u targets of %u series once a second%s.", TARGETS, FAMILIES * SERIES_PER_FAMILY,
               peer ? "; the peer is Debian's prometheus --enable-feature=agent with the same file and the same sink"
                    : "; prometheus is not installed, so nothing was compared");
}

/* ---- start ---- */

/* From before fork to a 200 of /-/ready. */
static double start_ms(const char *name, const char *const *args)
{
    char url[160];
    int64_t start_us = mono_us();
    struct e2e_program *p = e2e_start(name, args);
    snprintf(url, sizeof url, "%s/-/ready", e2e_url(p));
    while (e2e_try("GET", url, NULL, (struct span){NULL, 0}, NULL) != 200)
        sleep_us(500);
    double ms = (double)(mono_us() - start_us) / 1e3;
    e2e_stop(p);
    return ms;
}

static void bench_starts(struct bench *b)
{
    char data[32];
    const char *config = write_config("start.yml");
    AUTO_FREE char *path = strdup(config);
    for (unsigned i = 0; i < (fast ? 3 : START_RUNS); i++) {
        snprintf(data, sizeof data, "empty-%u", i);
        bench_add(b, "collector without data: start to ready", "ms",
                  start_ms("crest-collector", E2E_ARGS("--data", e2e_path(data))));
        snprintf(data, sizeof data, "agent-%u", i);
        bench_add(b, "agent with 20 targets: start to ready", "ms",
                  start_ms("crest-agent", E2E_ARGS("--config", path, "--data", e2e_path(data))));
    }
}

static void clean_up(void)
{
    (void)e2e_teardown(NULL);
}

int main(void)
{
    const char *flag = getenv("BENCH_FAST");
    fast = flag && *flag;
    (void)atexit(clean_up);
    struct bench *b = bench_new("agent", "The agent's memory and CPU, and how fast programs start");
    bench_load(b);
    bench_starts(b);
    bench_goal(b, "agent: RssAnon", BENCH_AT_MOST, 6);
    bench_goal(b, "CPU, ratio", BENCH_AT_MOST, 0.2);
    bench_goal(b, "collector without data: start to ready", BENCH_AT_MOST, 100);
    return bench_finish(b);
}
