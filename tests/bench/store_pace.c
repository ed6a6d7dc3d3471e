/* bench-store_pace: how long an acknowledgement takes while seals and merges go on: workload A over one connection at half the speed that
 * the collector reaches in a short trial at the start, or at BENCH_RATE requests per second, for BENCH_MINUTES (10); BENCH_FAST=1: for 15
 * seconds.
 *
 * Requests leave by a fixed schedule, and what is late counts from when it was due: a stalled collector is not asked less. A thread of its own
 * encodes ahead; where it falls behind, which is not the collector's fault, the schedule waits for it and that is counted. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "tests/support/bench.h"
#include "tests/support/disk_probe.h"
#include "tests/support/e2e.h"
#include "tests/support/store_load.h"
#include "tests/support/store_server.h"
#include "tests/support/write_client.h"

#define SERIES 10000u
#define PER_REQUEST 2000u
#define PER_ROUND (SERIES / PER_REQUEST)
#define STEP_MS 10000
#define TRIAL_ROUNDS 200u
#define AHEAD 256u       /* requests encoded before they are due: about a second */
#define SPEED_MAX 2000.0 /* requests per second: more rounds than the retention of 30 days would keep */
#define STALL_US 50000   /* is told at once, so that one can look what else happened then */
#define PROBE_EVERY_US 20000
#define ENCODER_NICENESS 5 /* the collector and the sender go first */

struct encoder {
    struct store_load *load;
    struct queue *ready; /* of struct buf, from malloc */
    int64_t base_ms;
    unsigned round; /* the next */
    atomic_bool stopping;
};

static void hand_over(void *ctx, struct buf *body, unsigned samples)
{
    struct encoder *e = ctx;
    struct buf *b = malloc(sizeof *b);
    (void)samples;
    if (!b)
        check_failed("out of memory");
    *b = *body;
    if (queue_push_wait(e->ready, b) < 0) { /* closed: enough was sent */
        buf_done(b);
        free(b);
    }
}

static void encoder_main(void *arg)
{
    struct encoder *e = arg;
    thread_nice(ENCODER_NICENESS);
    while (!atomic_load(&e->stopping))
        store_load_round(e->load, e->base_ms + (int64_t)e->round++ * STEP_MS, hand_over, e);
}

static void send_body(struct write_client *c, struct buf *body)
{
    char why[512] = "";
    int status = write_client_send(c, buf_view(body), why, sizeof why);
    if (status / 100 != 2)
        check_failed("the collector answers %d: %s", status, why);
    buf_done(body);
}

/* ---- the trial ---- */

struct kept {
    struct buf list[TRIAL_ROUNDS * PER_ROUND];
    size_t n;
};

static void keep(void *ctx, struct buf *body, unsigned samples)
{
    struct kept *k = ctx;
    (void)samples;
    k->list[k->n++] = *body;
}

/* Requests per second, one after the other. */
static double trial(struct encoder *e, struct write_client *c)
{
    static struct kept kept;
    for (; e->round < TRIAL_ROUNDS; e->round++)
        store_load_round(e->load, e->base_ms + (int64_t)e->round * STEP_MS, keep, &kept);
    int64_t start_us = mono_us();
    for (size_t i = 0; i < kept.n; i++)
        send_body(c, &kept.list[i]);
    return fmin(SPEED_MAX, (double)kept.n * 1e6 / (double)(mono_us() - start_us));
}

/* ---- the run ---- */

struct waits {
    int64_t *due_us, *sent_us; /* from when it was due, and from when it was sent, to its answer */
    int64_t *at_us;            /* when that came */
    size_t n;
    int64_t encoder_late_us;
};

static struct buf *next_body(struct encoder *e, struct waits *w, int64_t *due_us)
{
    void *item;
    if (queue_pop_all(e->ready, &item, 1, 0) == 1)
        return item;
    int64_t start_us = mono_us();
    (void)queue_pop_all(e->ready, &item, 1, -1);
    int64_t late_us = mono_us() - (start_us > *due_us ? start_us : *due_us);
    if (late_us > 0) {
        w->encoder_late_us += late_us;
        *due_us += late_us;
    }
    return item;
}

static void run(struct encoder *e, struct write_client *c, struct waits *w, double interval_us)
{
    double shift_us = 0;
    int64_t start_us = mono_us();
    for (size_t i = 0; i < w->n; i++) {
        int64_t planned_us = start_us + (int64_t)((double)i * interval_us + shift_us), due_us = planned_us;
        struct buf *body = next_body(e, w, &due_us);
        shift_us += (double)(due_us - planned_us);
        if (due_us > mono_us())
            sleep_us(due_us - mono_us());
        int64_t sent_us = mono_us();
        send_body(c, body);
        free(body);
        int64_t end_us = mono_us();
        w->due_us[i] = end_us - due_us;
        w->sent_us[i] = end_us - sent_us;
        w->at_us[i] = end_us;
        if (end_us - sent_us > STALL_US) {
            printf("%.1f s: an acknowledgement took %.0f ms\n", (double)(end_us - start_us) / 1e6,
                   (double)(end_us - sent_us) / 1e3);
            fflush(stdout);
        }
    }
}

/* Which of the long ones waited for the disk, and what the longest of all others is. Before add_waits, which sorts them. */
struct shares {
    size_t many, shared;
    int64_t longest_us;
};
static struct shares shares_of(const struct waits *w, const struct disk_stall *stalls, size_t n_stalls)
{
    struct shares x = {0};
    size_t s = 0;
    for (size_t i = 0; i < w->n; i++) { /* both lists are in order */
        while (s < n_stalls && stalls[s].to_us < w->at_us[i] - w->sent_us[i])
            s++;
        bool stood = s < n_stalls && stalls[s].from_us < w->at_us[i];
        if (!stood && w->sent_us[i] > x.longest_us)
            x.longest_us = w->sent_us[i];
        x.many += w->sent_us[i] > STALL_US;
        x.shared += w->sent_us[i] > STALL_US && stood;
    }
    return x;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void add_waits(struct bench *b, const char *what, int64_t *us, size_t n)
{
    static const struct {
        const char *name;
        double share;
    } AT[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
    char row[128];
    qsort(us, n, sizeof *us, by_time);
    for (size_t i = 0; i < ARRAY_LEN(AT); i++) {
        snprintf(row, sizeof row, "%s, %s", what, AT[i].name);
        bench_add(b, row, "ms", (double)us[(size_t)(AT[i].share * (double)(n - 1))] / 1e3);
    }
}

static void drain(struct encoder *e, struct thread *t)
{
    void *item;
    atomic_store(&e->stopping, true);
    queue_close(e->ready);
    thread_join(t);
    while (queue_pop_all(e->ready, &item, 1, 0) == 1) {
        buf_done(item);
        free(item);
    }
    queue_free(e->ready);
    store_load_free(e->load);
}

static uint64_t setting(const char *name, uint64_t max, uint64_t otherwise)
{
    const char *wanted = getenv(name);
    if (wanted && *wanted && parse_u64(wanted, max, &otherwise) < 0)
        check_failed("%s=%s is not a number up to %llu", name, wanted, (unsigned long long)max);
    return otherwise;
}

static void clean_up(void)
{
    (void)e2e_teardown(NULL);
}

int main(void)
{
    bool fast = getenv("BENCH_FAST") && *getenv("BENCH_FAST");
    double seconds = fast ? 15 : (double)setting("BENCH_MINUTES", 24 * 60, 10) * 60;
    double rate = (double)setting("BENCH_RATE", (uint64_t)SPEED_MAX / 2, 0);
    (void)atexit(clean_up);
    struct store_server *server = store_server_start(STORE_CREST, 0);
    struct write_client *client = write_client_new(store_server_port(server));
    /* Far enough back that the last round is not ahead of the clock, whatever the trial says. */
    int64_t rounds_max = (int64_t)(seconds * SPEED_MAX / 2 / PER_ROUND) + TRIAL_ROUNDS + 2;
    struct encoder e = {.load = store_load_new(0, SERIES, SERIES, PER_REQUEST),
                        .base_ms = unix_ms() - rounds_max * STEP_MS};
    double speed = trial(&e, client);
    rate = rate > 0 ? rate : speed / 2;
    struct waits w = {.n = (size_t)(seconds * rate)};
    w.due_us = calloc(w.n, sizeof *w.due_us);
    w.sent_us = calloc(w.n, sizeof *w.sent_us);
    w.at_us = calloc(w.n, sizeof *w.at_us);
    if (!w.due_us || !w.sent_us || !w.at_us)
        check_failed("out of memory");
    struct thread *encoder;
    check_ok(queue_new(AHEAD, &e.ready));
    check_ok(thread_start("encoder", encoder_main, &e, &encoder));
    struct process_usage before = store_server_usage(server);
    struct disk_probe *probe = disk_probe_start(e2e_path("sync"), PROBE_EVERY_US);
    int64_t start_us = mono_us();
    run(&e, client, &w, 1e6 / rate);
    double took = (double)(mono_us() - start_us) / 1e6;
    const struct disk_stall *stalls;
    size_t n_stalls = disk_probe_stalls(probe, &stalls);
    struct shares shares = shares_of(&w, stalls, n_stalls);
    struct disk_syncs syncs = disk_probe_stop(probe);
    struct process_usage after = store_server_usage(server);
    drain(&e, encoder);
    write_client_free(client);

    struct bench *b = bench_new("store_pace", "Acknowledgements at half speed, with seals and merges");
    const char *p99 = "acknowledgement since it was due, p99";
    add_waits(b, "acknowledgement since it was due", w.due_us, w.n);
    add_waits(b, "acknowledgement since it was sent", w.sent_us, w.n);
    bench_add(b, "this disk's sync of another file's 8 KB meanwhile, p50", "ms", syncs.p50_ms);
    bench_add(b, "this disk's sync of another file's 8 KB meanwhile, p99", "ms", syncs.p99_ms);
    bench_add(b, "this disk's sync of another file's 8 KB meanwhile, max", "ms", syncs.max_ms);
    bench_add(b, "acknowledgements of more than 50 ms since they were sent", "", (double)shares.many);
    bench_add(b, "of them, while that other sync stood still, too", "", (double)shares.shared);
    bench_add(b, "acknowledgement since it was sent, max while it did not", "ms", (double)shares.longest_us / 1e3);
    double samples = (double)w.n * PER_REQUEST;
    bench_add(b, "samples per second, planned", "k/s", rate * PER_REQUEST / 1e3);
    bench_add(b, "samples per second, sent", "k/s", samples / took / 1e3);
    bench_add(b, "the encoder was late", "%", 100 * (double)w.encoder_late_us / 1e6 / took);
    bench_add(b, "collector", "cores", (after.cpu_seconds - before.cpu_seconds) / took);
    bench_add(b, "collector, peak RSS", "MB", (double)after.peak_rss_bytes / 1e6);
    bench_add(b, "bytes written per sample", "B", (double)(after.written_bytes - before.written_bytes) / samples);
    bench_add(b, "seals", "", store_server_metric(server, "crest_store_seals_total"));
    bench_add(b, "extents merged", "", store_server_metric(server, "crest_store_merged_extents_total"));
    struct store_cost cost = store_server_stop(server);
    bench_add(b, "bytes per sample on disk after SIGTERM", "B",
              (double)cost.disk_bytes / (samples + (double)TRIAL_ROUNDS * SERIES));
    bench_add(b, "stop", "s", cost.stop_seconds);
    store_server_remove(server);
    bench_must(b, p99, BENCH_AT_MOST, 20);
    bench_goal(b, p99, BENCH_AT_MOST, 5);
    bench_must(b, "acknowledgement since it was due, max", BENCH_AT_MOST, 250);
    bench_note(b, "%.3g minutes, one connection, %u samples a request; the trial reached %.0f requests/s.", took / 60,
               PER_REQUEST, speed);
    if (samples / took < 0.95 * rate * PER_REQUEST)
        bench_note(
            b,
            "The collector fell behind the schedule: the machine was slower than in the trial, and this was not half "
            "speed. Repeat it on a machine that does nothing else.");
    free(w.due_us);
    free(w.sent_us);
    free(w.at_us);
    return bench_finish(b);
}
