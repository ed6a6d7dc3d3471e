/* bench-store_peers: workload A by HTTP, to our collector and to what else is installed of prometheus and victoria-metrics.
 *
 * 10,000 series (tests/support/store_load.h), 1,000 rounds 10 s apart that end about now, 2,000 samples a request, each sent when the one
 * before was acknowledged: over one connection, and over four, each with its own quarter of the series as the shards of a real sender are.
 * Requests are encoded beforehand. Servers take turns, each with an empty folder; what it costs is what its process has used when it has
 * ended, so that work put off until the stop counts. BENCH_RUNS (3) turns; BENCH_FAST=1: one, of 100 rounds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "tests/support/bench.h"
#include "tests/support/store_load.h"
#include "tests/support/store_server.h"
#include "tests/support/write_client.h"

#define SERIES 10000u
#define PER_REQUEST 2000u
#define STEP_MS 10000
#define SENDERS_MAX 4u

/* ---- requests ---- */

struct requests { /* one sender's */
    struct buf *list;
    size_t n, cap;
    uint64_t samples, bytes;
};

static void keep_request(void *ctx, struct buf *body, unsigned samples)
{
    struct requests *q = ctx;
    if (q->n == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 1024;
        q->list = realloc(q->list, q->cap * sizeof *q->list);
        if (!q->list)
            check_failed("out of memory");
    }
    q->list[q->n++] = *body;
    q->samples += samples;
    q->bytes += body->len;
}

static void encode(struct requests *q, unsigned sender, unsigned senders, unsigned rounds, int64_t base_ms)
{
    unsigned n = SERIES / senders;
    struct store_load *l = store_load_new(sender * n, n, SERIES, PER_REQUEST);
    for (unsigned round = 0; round < rounds; round++)
        store_load_round(l, base_ms + (int64_t)round * STEP_MS, keep_request, q);
    store_load_flush(l, keep_request, q);
    store_load_free(l);
}

static void free_requests(struct requests *q)
{
    for (size_t i = 0; i < q->n; i++)
        buf_done(&q->list[i]);
    free(q->list);
}

/* ---- sending ---- */

struct sender {
    const struct requests *requests;
    enum store_kind kind;
    uint16_t port;
    int64_t *took_us; /* per request */
    struct thread *thread;
};

static void sender_main(void *arg)
{
    struct sender *s = arg;
    char why[512] = "";
    struct write_client *c = write_client_new(s->port);
    for (size_t i = 0; i < s->requests->n; i++) {
        int64_t start_us = mono_us();
        int status = write_client_send(c, buf_view(&s->requests->list[i]), why, sizeof why);
        s->took_us[i] = mono_us() - start_us;
        if (status / 100 != 2)
            check_failed("%s answers %d: %s", STORE_NAMES[s->kind], status, why);
    }
    write_client_free(c);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

struct measured {
    double samples, wall_seconds, ack_ms[3]; /* p50, p99, max */
    struct store_cost cost;
};

/* Everything to one server, which is started and ended for it. */
static struct measured measure(enum store_kind kind, const struct requests *requests, unsigned senders)
{
    static unsigned number;
    struct sender list[SENDERS_MAX];
    struct measured m = {0};
    size_t n = 0, at = 0;
    for (unsigned i = 0; i < senders; i++)
        n += requests[i].n;
    AUTO_FREE int64_t *took_us = calloc(n, sizeof *took_us);
    if (!took_us)
        check_failed("out of memory");
    struct store_server *server = store_server_start(kind, number++);
    int64_t start_us = mono_us();
    for (unsigned i = 0; i < senders; i++) {
        list[i] = (struct sender){&requests[i], kind, store_server_port(server), took_us + at, NULL};
        at += requests[i].n;
        m.samples += (double)requests[i].samples;
        check_ok(thread_start("sender", sender_main, &list[i], &list[i].thread));
    }
    for (unsigned i = 0; i < senders; i++)
        thread_join(list[i].thread);
    m.wall_seconds = (double)(mono_us() - start_us) / 1e6;
    m.cost = store_server_stop(server);
    store_server_remove(server);
    qsort(took_us, n, sizeof *took_us, by_time);
    const double at_share[] = {0.5, 0.99, 1};
    for (size_t i = 0; i < ARRAY_LEN(at_share); i++)
        m.ack_ms[i] = (double)took_us[(size_t)(at_share[i] * (double)(n - 1))] / 1e3;
    return m;
}

/* ---- rows ---- */

/* "four, crest: peak RSS"; valid until four more were made. */
static const char *row(unsigned senders, const char *who, const char *what)
{
    static char names[4][128];
    static unsigned next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "%s, %s: %s", senders == 1 ? "one sender" : "four senders", who, what);
    return name;
}

static void add_rows(struct bench *b, unsigned senders, const char *who, const struct measured *m)
{
    bench_add(b, row(senders, who, "samples per CPU-second, stop included"), "k/s",
              m->samples / m->cost.cpu_seconds / 1e3);
    bench_add(b, row(senders, who, "samples per second"), "k/s", m->samples / m->wall_seconds / 1e3);
    bench_add(b, row(senders, who, "peak RSS"), "MB", (double)m->cost.peak_rss_bytes / 1e6);
    bench_add(b, row(senders, who, "bytes written per sample"), "B", (double)m->cost.written_bytes / m->samples);
    bench_add(b, row(senders, who, "bytes per sample on disk after SIGTERM"), "B",
              (double)m->cost.disk_bytes / m->samples);
    bench_add(b, row(senders, who, "acknowledgement, p50"), "ms", m->ack_ms[0]);
    bench_add(b, row(senders, who, "acknowledgement, p99"), "ms", m->ack_ms[1]);
    bench_add(b, row(senders, who, "acknowledgement, max"), "ms", m->ack_ms[2]);
    bench_add(b, row(senders, who, "stop"), "s", m->cost.stop_seconds);
    printf("%s, %s: %.0f k samples per CPU-second, %.1f s, RSS %.1f MB, %.2f B written, %.3f B on disk, p50 %.2f p99 "
           "%.2f max %.1f ms, stop %.1f s\n",
           senders == 1 ? "one sender" : "four senders", who, m->samples / m->cost.cpu_seconds / 1e3, m->wall_seconds,
           (double)m->cost.peak_rss_bytes / 1e6, (double)m->cost.written_bytes / m->samples,
           (double)m->cost.disk_bytes / m->samples, m->ack_ms[0], m->ack_ms[1], m->ack_ms[2], m->cost.stop_seconds);
    fflush(stdout);
}

/* Of one turn, so that what else the machine did hits both sides. */
static void add_ratios(struct bench *b, unsigned senders, const struct measured m[STORE_KINDS])
{
    double smaller = INFINITY;
    for (enum store_kind k = STORE_PROMETHEUS; k < STORE_KINDS; k++) {
        if (m[k].samples == 0)
            continue;
        char what[128];
        snprintf(what, sizeof what, "samples per CPU-second, times %s", STORE_NAMES[k]);
        bench_add(b, row(senders, STORE_NAMES[STORE_CREST], what), "×",
                  m[k].cost.cpu_seconds / m[STORE_CREST].cost.cpu_seconds);
        smaller = fmin(smaller, (double)m[k].cost.peak_rss_bytes);
    }
    if (isfinite(smaller))
        bench_add(b, row(senders, STORE_NAMES[STORE_CREST], "peak RSS, of the smaller peer's"), "×",
                  (double)m[STORE_CREST].cost.peak_rss_bytes / smaller);
}

static void set_bounds(struct bench *b, unsigned senders)
{
    const char *who = STORE_NAMES[STORE_CREST];
    const char *ratio = row(senders, who, "samples per CPU-second, times victoria-metrics");
    if (store_server_have(STORE_VICTORIA)) {
        bench_must(b, ratio, BENCH_AT_LEAST, 2.5);
        bench_goal(b, ratio, BENCH_AT_LEAST, 4);
    }
    if (store_server_have(STORE_VICTORIA) || store_server_have(STORE_PROMETHEUS))
        bench_must(b, row(senders, who, "peak RSS, of the smaller peer's"), BENCH_AT_MOST, 1.0 / 3);
    bench_goal(b, row(senders, who, "peak RSS"), BENCH_AT_MOST, 30);
    bench_must(b, row(senders, who, "bytes per sample on disk after SIGTERM"), BENCH_AT_MOST, 0.65);
    bench_goal(b, row(senders, who, "bytes per sample on disk after SIGTERM"), BENCH_AT_MOST, 0.55);
    bench_must(b, row(senders, who, "bytes written per sample"), BENCH_AT_MOST, senders == 1 ? 12 : 6);
    bench_goal(b, row(senders, who, "bytes written per sample"), BENCH_AT_MOST, senders == 1 ? 6 : 4);
}

static void clean_up(void)
{
    (void)e2e_teardown(NULL);
}

int main(void)
{
    static const unsigned SENDERS[] = {1, SENDERS_MAX};
    struct requests requests[ARRAY_LEN(SENDERS)][SENDERS_MAX] = {0};
    bool fast = getenv("BENCH_FAST") && *getenv("BENCH_FAST");
    uint64_t rounds = fast ? 100 : 1000, runs = fast ? 1 : 3, bytes = 0;
    const char *wanted = getenv("BENCH_RUNS");
    if (wanted && *wanted && parse_u64(wanted, 1000, &runs) < 0)
        check_failed("BENCH_RUNS=%s is not a number", wanted);
    (void)atexit(clean_up);
    int64_t base_ms = unix_ms() - (int64_t)rounds * STEP_MS;
    for (size_t k = 0; k < ARRAY_LEN(SENDERS); k++)
        for (unsigned i = 0; i < SENDERS[k]; i++) {
            encode(&requests[k][i], i, SENDERS[k], (unsigned)rounds, base_ms);
            bytes += requests[k][i].bytes;
        }
    struct bench *b = bench_new("store_peers", "Ten thousand series by remote write, beside other stores");
    for (uint64_t run = 0; run < runs; run++)
        for (size_t k = 0; k < ARRAY_LEN(SENDERS); k++) {
            struct measured m[STORE_KINDS] = {0};
            for (unsigned turn = 0; turn < STORE_KINDS; turn++) {
                enum store_kind kind = (enum store_kind)((turn + run) % STORE_KINDS); /* each is first once */
                if (store_server_have(kind))
                    m[kind] = measure(kind, requests[k], SENDERS[k]);
            }
            for (enum store_kind kind = 0; kind < STORE_KINDS; kind++)
                if (store_server_have(kind))
                    add_rows(b, SENDERS[k], STORE_NAMES[kind], &m[kind]);
            add_ratios(b, SENDERS[k], m);
        }
    for (size_t k = 0; k < ARRAY_LEN(SENDERS); k++)
        set_bounds(b, SENDERS[k]);
    bench_note(b, "%llu rounds of %u series 10 s apart, %u samples and %.0f bytes a request, by HTTP; durability full.",
               (unsigned long long)rounds, SERIES, PER_REQUEST,
               (double)bytes * PER_REQUEST / ((double)rounds * SERIES * ARRAY_LEN(SENDERS)));
    for (enum store_kind kind = STORE_PROMETHEUS; kind < STORE_KINDS; kind++)
        bench_note(b, "Peer: %s %s.", STORE_NAMES[kind],
                   store_server_have(kind) ? store_server_version(kind) : "is not installed, so it was left out");
    for (size_t k = 0; k < ARRAY_LEN(SENDERS); k++)
        for (unsigned i = 0; i < SENDERS[k]; i++)
            free_requests(&requests[k][i]);
    return bench_finish(b);
}
