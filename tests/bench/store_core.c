/* bench-store_core: how much work a sample is inside the store, from the bytes of remote write to the commit on disk, and back out to
 * columns; in one process and without HTTP.
 *
 * In: workload A (tests/support/store_load.h), one sender, decompressing and decoding included. Out: 1,000 series of a day at 15 s, sealed,
 * merged and opened again. BENCH_RUNS (5), BENCH_ROUNDS (500); BENCH_FAST=1: one run of 100. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "collector/store/store.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/process.h"
#include "lib/wire/remote_write.h"
#include "tests/support/bench.h"
#include "tests/support/store_load.h"

enum { SERIES = 10000, PER_REQUEST = 2000, STEP_MS = 10000 };
enum { READ_SERIES = 1000, READ_STEP_MS = 15000, READ_SAMPLES = 24 * 3600 / 15, READ_TIMES = 3 };
#define START_MS 1700006400000 /* a midnight */

NORETURN static void stop(const char *what, int r)
{
    fprintf(stderr, "bench-store_core: %s: %s\n", what, strerror(-r));
    exit(1);
}
static void need(const char *what, int r)
{
    if (r < 0)
        stop(what, r);
}

/* This thread encodes and gives; what it takes to give is the store's, as is all that other threads do meanwhile. */
struct intake {
    struct store *store;
    int64_t given_us, wall_us; /* this thread's CPU, and waiting, in take() */
    uint64_t samples, requests;
};

static uint64_t written_bytes(void)
{
    struct process_usage usage;
    need("/proc", process_usage(getpid(), &usage));
    return usage.written_bytes;
}

static void take(void *ctx, struct buf *body, unsigned samples)
{
    struct intake *in = ctx;
    struct write_request *w;
    struct remote_write_report report;
    struct store_written written;
    int64_t cpu = cpu_thread_us(), wall = mono_us();
    need("decode", remote_write_decode(REMOTE_WRITE_1, buf_view(body), &w, &report));
    need("write", store_write(in->store, w, &written));
    if (written.samples != samples)
        stop(written.why, -EIO);
    in->given_us += cpu_thread_us() - cpu;
    in->wall_us += mono_us() - wall;
    in->samples += samples;
    in->requests++;
    buf_done(body);
}

static struct store *open_store(const char *folder)
{
    const struct store_config config = {.path = folder, .future_ms_max = -1};
    char why[256] = "";
    struct store *s;
    int r = store_open(&config, &s, why, sizeof why);
    if (r < 0)
        stop(why, r);
    return s;
}

static void bench_write(struct bench *b, int64_t rounds)
{
    AUTO_FREE char *folder = NULL;
    need("folder", dir_make_temp("crest-bench-store", &folder));
    struct intake in = {.store = open_store(folder)};
    struct store_load *l = store_load_new(0, SERIES, SERIES, PER_REQUEST);
    uint64_t before = written_bytes();
    int64_t process = cpu_process_us(), thread = cpu_thread_us();
    for (int64_t round = 0; round < rounds; round++)
        store_load_round(l, START_MS + round * STEP_MS, take, &in);
    int64_t encoding_us = cpu_thread_us() - thread - in.given_us;
    store_load_free(l);
    store_close(in.store);
    int64_t cpu_us = cpu_process_us() - process - encoding_us;
    double samples = (double)in.samples;
    char file[4096];
    struct stat st;
    (void)snprintf(file, sizeof file, "%s/head.db", folder);
    need("size", stat(file, &st) < 0 ? -errno : 0);
    bench_add(b, "samples per CPU-second, decoding to disk, one sender", "M/s", samples / (double)cpu_us);
    bench_add(b, "acknowledgement, mean", "ms", (double)in.wall_us / 1000 / (double)in.requests);
    bench_add(b, "bytes per sample on disk after a stop", "B", (double)st.st_size / samples);
    bench_add(b, "bytes written per sample", "B", (double)(written_bytes() - before) / samples);
    int64_t wall = mono_us();
    struct store *s = open_store(folder);
    bench_add(b, "open with 10,000 series", "ms", (double)(mono_us() - wall) / 1000);
    store_close(s);
    need("remove", dir_remove(folder));
}

static void bench_read(struct bench *b)
{
    AUTO_FREE char *folder = NULL;
    need("folder", dir_make_temp("crest-bench-store", &folder));
    struct intake in = {.store = open_store(folder)};
    struct store_load *l = store_load_new(0, READ_SERIES, READ_SERIES, PER_REQUEST);
    for (int64_t i = 0; i < READ_SAMPLES; i++)
        store_load_round(l, START_MS + i * READ_STEP_MS, take, &in);
    store_load_flush(l, take, &in);
    store_load_free(l);
    need("seal", store_seal(in.store));
    need("merge", store_compact(in.store));
    store_close(in.store);
    struct store *s = open_store(folder);
    for (int time = 0; time < READ_TIMES; time++) {
        struct sample_columns c;
        struct store_reader *rd;
        uint64_t samples = 0;
        sample_columns_init(&c);
        int64_t cpu = cpu_thread_us();
        need("reader", store_reader_open(s, &rd));
        for (uint32_t id = 0; id < READ_SERIES; id++) {
            need("read", store_read(rd, id, INT64_MIN, INT64_MAX, &c));
            samples += c.n;
        }
        store_reader_close(rd);
        double us = (double)(cpu_thread_us() - cpu);
        sample_columns_done(&c);
        if (samples != (uint64_t)READ_SERIES * READ_SAMPLES)
            stop("read: samples are missing", -EIO);
        bench_add(b, "read: 1,000 series × 24 h at 15 s decoded on one core", "ms", us / 1e3);
        bench_add(b, "read: sealed samples decoded per CPU-second", "M/s", (double)samples / us);
    }
    store_close(s);
    need("remove", dir_remove(folder));
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *wanted = getenv(name);
    if (wanted && *wanted)
        need(name, parse_u64(wanted, 100000, &otherwise));
    return otherwise;
}

int main(void)
{
    bool fast = setting("BENCH_FAST", 0) != 0;
    uint64_t rounds = setting("BENCH_ROUNDS", fast ? 100 : 500), runs = setting("BENCH_RUNS", fast ? 1 : 5);
    struct bench *b = bench_new("store_core", "From the bytes of remote write to the disk, and back");
    for (uint64_t run = 0; run < runs; run++)
        bench_write(b, (int64_t)rounds);
    bench_read(b);
    bench_note(b,
               "%llu rounds of %d series, %d samples a request, durability full; decompressing and decoding included, "
               "HTTP not. The day that is read was sealed, merged, and opened again.",
               (unsigned long long)rounds, SERIES, PER_REQUEST);
    const char *read = "read: 1,000 series × 24 h at 15 s decoded on one core";
    bench_must(b, "samples per CPU-second, decoding to disk, one sender", BENCH_AT_LEAST, 0.5);
    bench_must(b, read, BENCH_AT_MOST, 60);
    bench_goal(b, read, BENCH_AT_MOST, 30);
    return bench_finish(b);
}
