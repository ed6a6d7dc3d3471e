/* bench-store_million: workload B. A million series, a sample each per 15 s, 1 % of them replaced per minute, for ten minutes, by four
 * senders. Five times as fast as life: a round every three seconds, sent as fast as the collector takes it.
 *
 * What a series costs in memory, and how long a start takes after kill -9: with what the ten minutes have left, and with as much in log and
 * head as there ever is, just before it is sealed. BENCH_SERIES (1000000); BENCH_FAST=1: a tenth. */
#include <math.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "tests/support/bench.h"
#include "tests/support/store_load.h"
#include "tests/support/store_server.h"
#include "tests/support/write_client.h"

#define PER_REQUEST 2000u
#define STEP_MS 15000
#define STEP_US_OF_RUN (STEP_MS * 1000 / 5)
#define ROUNDS 40u
#define ROUNDS_PER_MINUTE 4u
#define SENDERS 4u

struct sender {
    struct store_load *load;
    struct write_client *client;
    struct thread *thread;
    int64_t t_ms;
    uint64_t requests, turned_away;
};

static void send_request(void *ctx, struct buf *body, unsigned samples)
{
    struct sender *s = ctx;
    char why[512] = "";
    int status = 503;
    (void)samples;
    while (status == 503) { /* the queue is full: Retry-After says a second */
        status = write_client_send(s->client, buf_view(body), why, sizeof why);
        if (status == 503) {
            s->turned_away++;
            sleep_us(1000000);
        }
    }
    if (status / 100 != 2)
        check_failed("the collector answers %d: %s", status, why);
    s->requests++;
    buf_done(body);
}

static void send_round(void *arg)
{
    struct sender *s = arg;
    store_load_round(s->load, s->t_ms, send_request, s);
    store_load_flush(s->load, send_request, s);
}

struct fleet {
    struct sender list[SENDERS];
    unsigned series, round;
    int64_t base_ms;
};

static void fleet_init(struct fleet *f, const struct store_server *server, unsigned series)
{
    unsigned n = series / SENDERS;
    *f = (struct fleet){.series = series, .base_ms = unix_ms() - (int64_t)ROUNDS * STEP_MS};
    for (unsigned i = 0; i < SENDERS; i++) {
        f->list[i].load = store_load_new(i * n, n, series, PER_REQUEST);
        f->list[i].client = write_client_new(store_server_port(server));
    }
}

/* A sample of every series; from the second on, some targets are gone and others have come. */
static void fleet_round(struct fleet *f)
{
    unsigned churn = f->series / 100 / ROUNDS_PER_MINUTE / SENDERS;
    for (unsigned i = 0; i < SENDERS; i++) {
        struct sender *s = &f->list[i];
        if (f->round)
            store_load_churn(s->load, f->round * churn, churn);
        s->t_ms = f->base_ms + (int64_t)f->round * STEP_MS;
        check_ok(thread_start("sender", send_round, s, &s->thread));
    }
    for (unsigned i = 0; i < SENDERS; i++)
        thread_join(f->list[i].thread);
    f->round++;
}

static void fleet_done(struct fleet *f)
{
    for (unsigned i = 0; i < SENDERS; i++) {
        store_load_free(f->list[i].load);
        write_client_free(f->list[i].client);
    }
}

/* Kill and start again; every sample that was in log and head must be there. */
static void restart(struct bench *b, struct store_server *server, const char *row, const char *held)
{
    double before = store_server_metric(server, "crest_store_head_samples");
    store_server_kill(server);
    double ms = store_server_restart(server);
    double after = store_server_metric(server, "crest_store_head_samples");
    bench_add(b, held, "M", after / 1e6);
    bench_add(b, row, "s", ms / 1e3);
    printf("restart with %.1f M samples in log and head (%.1f M before the kill): %.2f s, RSS %.0f MB\n", after / 1e6,
           before / 1e6, ms / 1e3, (double)store_server_usage(server).rss_bytes / 1e6);
    fflush(stdout);
    if (after < before)
        check_failed("%.0f samples were in the head, %.0f are after the restart", before, after);
}

static void ten_minutes(struct bench *b, unsigned series, int64_t step_us)
{
    struct store_server *server = store_server_start(STORE_CREST, 0);
    struct fleet f;
    double highest = 0;
    uint64_t requests = 0, turned_away = 0;
    fleet_init(&f, server, series);
    int64_t start_us = mono_us(), sending_us = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        int64_t next_us = start_us + (int64_t)round * step_us;
        if (next_us > mono_us())
            sleep_us(next_us - mono_us());
        int64_t round_us = mono_us();
        fleet_round(&f);
        sending_us += mono_us() - round_us;
        double rss = (double)store_server_usage(server).rss_bytes;
        if (round >= ROUNDS / 2)
            highest = fmax(highest, rss);
        printf("round %u: %.0f s, RSS %.0f B a series, %.1f M samples in the head\n", round + 1,
               (double)(mono_us() - start_us) / 1e6, rss / series,
               store_server_metric(server, "crest_store_head_samples") / 1e6);
        fflush(stdout);
        if (round == 0)
            bench_add(b, "RSS per active series, one sample each", "B", rss / series);
    }
    struct process_usage u = store_server_usage(server);
    for (unsigned i = 0; i < SENDERS; i++) {
        requests += f.list[i].requests;
        turned_away += f.list[i].turned_away;
    }
    fleet_done(&f);
    bench_add(b, "RSS per active series, highest of the second five minutes", "B", highest / series);
    bench_add(b, "RSS per active series, highest of all", "B", (double)u.peak_rss_bytes / series);
    bench_add(b, "samples per CPU-second", "k/s", (double)ROUNDS * series / u.cpu_seconds / 1e3);
    bench_add(b, "samples per second while a round is sent", "k/s", (double)ROUNDS * series * 1e3 / (double)sending_us);
    bench_add(b, "requests turned away with 503, of all", "%",
              100 * (double)turned_away / (double)(requests + turned_away));
    bench_add(b, "series after the ten minutes", "k", store_server_metric(server, "crest_store_series") / 1e3);
    restart(b, server, "restart to /-/ready after the ten minutes", "samples in log and head then");
    struct store_cost c = store_server_stop(server);
    bench_add(b, "stop after the restart", "s", c.stop_seconds);
    bench_add(b, "bytes per sample on disk after SIGTERM, series included", "B",
              (double)c.disk_bytes / ((double)ROUNDS * series));
    store_server_remove(server);
}

/* One round fewer than a head takes. */
static void fullest_head(struct bench *b, unsigned series)
{
    struct store_server *server = store_server_start(STORE_CREST, 1);
    struct fleet f;
    fleet_init(&f, server, series);
    for (unsigned round = 1; round < STORE_HEAD_SAMPLES_PER_SERIES; round++)
        fleet_round(&f);
    fleet_done(&f);
    restart(b, server, "restart to /-/ready with the head at its fullest", "samples in log and head at its fullest");
    store_server_kill(server);
    store_server_remove(server);
}

static void clean_up(void)
{
    (void)e2e_teardown(NULL);
}

int main(void)
{
    bool fast = getenv("BENCH_FAST") && *getenv("BENCH_FAST");
    uint64_t series = fast ? 100000 : 1000000;
    const char *wanted = getenv("BENCH_SERIES");
    if (wanted && *wanted && parse_u64(wanted, 8000000, &series) < 0)
        check_failed("BENCH_SERIES=%s is not a number", wanted);
    (void)atexit(clean_up);
    struct bench *b = bench_new("store_million", "A million series");
    ten_minutes(b, (unsigned)series, STEP_US_OF_RUN / (fast ? 10 : 1));
    fullest_head(b, (unsigned)series);
    bench_must(b, "RSS per active series, highest of the second five minutes", BENCH_AT_MOST, 1024);
    bench_goal(b, "RSS per active series, highest of the second five minutes", BENCH_AT_MOST, 512);
    bench_must(b, "restart to /-/ready after the ten minutes", BENCH_AT_MOST, 5);
    bench_goal(b, "restart to /-/ready after the ten minutes", BENCH_AT_MOST, 3);
    bench_must(b, "restart to /-/ready with the head at its fullest", BENCH_AT_MOST, 5);
    bench_goal(b, "restart to /-/ready with the head at its fullest", BENCH_AT_MOST, 3);
    bench_note(b,
               "%llu series, %u samples each, 1 %% churn per minute, a round every %d ms, %u senders, %u samples a "
               "request, by HTTP; "
               "durability full. "
               "More than %u samples a series are never in log and head: they are sealed.",
               (unsigned long long)series, ROUNDS, STEP_US_OF_RUN / (fast ? 10000 : 1000), SENDERS, PER_REQUEST,
               STORE_HEAD_SAMPLES_PER_SERIES);
    return bench_finish(b);
}
