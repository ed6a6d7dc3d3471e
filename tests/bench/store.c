/* bench-store: how much work a sample is, from the bytes of remote write to the commit on disk, and back out to columns.
 *
 * 10,000 series in requests of 2,000 samples, 10 s apart, each request sent when the one before was acknowledged: 40 %
 * http_requests_total{code,instance,job,route,shard}, 40 % http_request_duration_seconds_bucket{instance,job,le,route,shard},
 * 10 % process_resident_memory_bytes, 10 % up. Counters rise by irregular integers, memory moves in 4 KiB steps, up is 1; 250
 * neighbours share a millisecond. HTTP is left out; decompressing and decoding are in. The store's folder is below $TMPDIR. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "collector/store/store.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/process.h"
#include "lib/wire/remote_write.h"
#include "tests/support/bench.h"
#include "tests/support/check.h"

enum { SERIES = 10000, PER_REQUEST = 2000, PER_ROUND = SERIES / PER_REQUEST, RUNS = 5, READ_SERIES = 1000 };
#define STEP_MS 10000

struct source { /* what one series does next */
    double value, rate;
};
struct bodies {
    struct buf *list;
    size_t n;
};

static NORETURN void stop(const char *what, int r)
{
    fprintf(stderr, "bench-store: %s: %s\n", what, strerror(-r));
    exit(1);
}
static void need(const char *what, int r)
{
    if (r < 0)
        stop(what, r);
}

static double uniform(struct check_random *r)
{
    return (double)(check_random_u64(r) >> 11) * 0x1p-53;
}

static void labels_of(unsigned i, struct arena *a, struct labels *ret)
{
    struct label_builder b;
    label_builder_init(&b, a);
    static const char *const NAMES[] = {"http_requests_total", "http_request_duration_seconds_bucket",
                                        "process_resident_memory_bytes", "up"};
    static const char *const LE[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "+Inf"};
    static const char *const CODES[] = {"200", "201", "301", "404", "500"};
    unsigned kind = i % 10 < 4 ? 0 : i % 10 < 8 ? 1 : i % 10 == 8 ? 2 : 3;
    label_builder_set(&b, SPAN("__name__"), span_str(NAMES[kind]));
    label_builder_set(&b, SPAN("job"), span_str(arena_printf(a, "job-%u", i / (SERIES / 10))));
    label_builder_set(&b, SPAN("instance"), span_str(arena_printf(a, "10.0.%u.%u:9100", i / 250, i % 250)));
    label_builder_set(&b, SPAN("shard"), span_str(arena_printf(a, "shard-%05u", i)));
    if (kind == 0)
        label_builder_set(&b, SPAN("code"), span_str(CODES[i / 10 % ARRAY_LEN(CODES)]));
    if (kind == 1)
        label_builder_set(&b, SPAN("le"), span_str(LE[i / 10 % ARRAY_LEN(LE)]));
    if (kind < 2)
        label_builder_set(&b, SPAN("route"), span_str(arena_printf(a, "/api/v1/route/%u", i / 10 % 50)));
    need("labels", label_builder_finish(&b, ret));
}

static double next_value(unsigned i, struct source *s, struct check_random *r)
{
    if (i % 10 == 9)
        return 1;
    if (i % 10 == 8)
        return s->value += uniform(r) < 0.7 ? 4096 * (floor(uniform(r) * 129) - 64) : 0;
    return s->value += floor(s->rate * (0.5 + uniform(r)) + uniform(r));
}

/* The bodies of some rounds; not timed. */
static struct bodies encode(const struct labels *labels, struct source *sources, struct check_random *r,
                            int64_t first_round, int64_t rounds)
{
    struct remote_write_encoder *e;
    need("encoder", remote_write_encoder_new(&e));
    struct bodies b = {calloc((size_t)rounds * PER_ROUND, sizeof *b.list), 0};
    if (!b.list)
        stop("bodies", -ENOMEM);
    for (int64_t round = first_round; round < first_round + rounds; round++) {
        for (unsigned i = 0; i < SERIES; i++) {
            struct sample s = {.t_ms = 1700000000000 + round * STEP_MS + i / 250 * 13,
                               .value = next_value(i, &sources[i], r)};
            need("encode", remote_write_add(e, &labels[i], &s, 1));
            if ((i + 1) % PER_REQUEST)
                continue;
            buf_init(&b.list[b.n], 16u << 20);
            need("encode", remote_write_finish(e, &b.list[b.n++]));
        }
    }
    remote_write_encoder_free(e);
    return b;
}

static void send(struct store *s, struct bodies *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct write_request *w;
        struct remote_write_report report;
        struct store_written written;
        need("decode", remote_write_decode(REMOTE_WRITE_1, buf_view(&b->list[i]), &w, &report));
        need("write", store_write(s, w, &written));
        if (written.samples != PER_REQUEST)
            stop(written.why, -EIO);
    }
}

static void free_bodies(struct bodies *b)
{
    for (size_t i = 0; i < b->n; i++)
        buf_done(&b->list[i]);
    free(b->list);
}

static uint64_t written_bytes(void)
{
    struct process_usage usage;
    need("/proc", process_usage(getpid(), &usage));
    return usage.written_bytes;
}

static void bench_read(struct bench *b, struct store *s)
{
    struct store_reader *rd;
    struct sample_columns c;
    uint64_t samples = 0;
    sample_columns_init(&c);
    int64_t started = cpu_process_us();
    need("reader", store_reader_open(s, &rd));
    for (uint32_t id = 0; id < READ_SERIES; id++) {
        need("read", store_read(rd, id, INT64_MIN, INT64_MAX, &c));
        samples += c.n;
    }
    store_reader_close(rd);
    double seconds = (double)(cpu_process_us() - started) / 1e6;
    sample_columns_done(&c);
    bench_add(b, "read: sealed samples decoded per CPU-second", "M/s", (double)samples / seconds / 1e6);
}

static void bench_run(struct bench *b, const struct labels *labels, int64_t rounds)
{
    AUTO_FREE char *folder = NULL;
    AUTO_FREE struct source *sources = calloc(SERIES, sizeof *sources);
    struct check_random r = {12345};
    struct store *s;
    char why[256];
    if (!sources)
        stop("sources", -ENOMEM);
    for (unsigned i = 0; i < SERIES; i++)
        sources[i].rate = 0.5 * pow(1000, uniform(&r));
    need("folder", dir_make_temp("crest-bench-store", &folder));
    const struct store_config config = {.path = folder, .future_ms_max = -1};
    need("open", store_open(&config, &s, why, sizeof why));
    enum { ROUNDS_AT_ONCE = 50 };
    int64_t cpu_us = 0, wall_us = 0;
    uint64_t written = 0;
    for (int64_t at = 0; at < rounds; at += ROUNDS_AT_ONCE) {
        struct bodies bodies = encode(labels, sources, &r, at, ROUNDS_AT_ONCE);
        int64_t cpu = cpu_process_us(), wall = mono_us();
        uint64_t before = written_bytes();
        send(s, &bodies);
        cpu_us += cpu_process_us() - cpu;
        wall_us += mono_us() - wall;
        written += written_bytes() - before;
        free_bodies(&bodies);
    }
    double samples = (double)rounds * SERIES;
    int64_t cpu = cpu_process_us();
    uint64_t before = written_bytes();
    store_close(s);
    cpu_us += cpu_process_us() - cpu;
    written += written_bytes() - before;
    char file[4096];
    struct stat st;
    (void)snprintf(file, sizeof file, "%s/head.db", folder);
    need("size", stat(file, &st) < 0 ? -errno : 0);
    bench_add(b, "samples per CPU-second, decoding to disk, one sender", "M/s", samples / (double)cpu_us);
    bench_add(b, "acknowledgement, mean", "ms", (double)wall_us / 1000 / ((double)rounds * PER_ROUND));
    bench_add(b, "bytes per sample on disk after a stop", "B", (double)st.st_size / samples);
    bench_add(b, "bytes written per sample", "B", (double)written / samples);
    int64_t wall = mono_us();
    need("open", store_open(&config, &s, why, sizeof why));
    bench_add(b, "open with 10,000 series", "ms", (double)(mono_us() - wall) / 1000);
    bench_read(b, s);
    store_close(s);
    need("remove", dir_remove(folder));
}

int main(void)
{
    static struct labels labels[SERIES];
    struct arena a;
    uint64_t rounds = 500;
    const char *wanted = getenv("BENCH_ROUNDS");
    if (wanted)
        need("BENCH_ROUNDS", parse_u64(wanted, 100000, &rounds));
    arena_init(&a, 64u << 20);
    for (unsigned i = 0; i < SERIES; i++)
        labels_of(i, &a, &labels[i]);
    struct bench *b = bench_new("store", "From the bytes of remote write to the disk, and back");
    bench_note(b,
               "%llu rounds of %d series, %d samples a request, durability full; decompressing and decoding included, "
               "HTTP not",
               (unsigned long long)rounds, SERIES, PER_REQUEST);
    for (int run = 0; run < RUNS; run++)
        bench_run(b, labels, (int64_t)rounds);
    bench_must(b, "samples per CPU-second, decoding to disk, one sender", BENCH_AT_LEAST, 0.5);
    arena_done(&a);
    return bench_finish(b);
}
