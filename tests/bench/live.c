/* bench-live: what stream clients cost the collector, and how soon a frame is there.
 *
 * A collector gets a scrape of SERVICES services, records their signals once a second, and sends every client a frame a second in
 * which every service has changed. Cost is the difference of its CPU time and memory with and without clients, over the same load.
 *
 * Delay is from the answer to the remote write of a sample to the last byte of the frame that shows it, at one of the clients. The
 * rules run when their second begins and see the newest sample, which came up to 50 ms before (20 scrapes a second, for this): the
 * delay contains that wait, the commit that is under way then, evaluation, the commit of what was recorded, rendering and sending.
 * With --durability full, as everybody has it: every one of those scrapes waits for the disk, and a disk that others keep busy is
 * seen here. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/process.h"
#include "lib/base/thread.h"
#include "lib/wire/json.h"
#include "tests/support/bench.h"
#include "tests/support/disk_probe.h"
#include "tests/support/sse.h"

#define SERVICES 10
#define CLIENTS_MAX 1000
#define WINDOW_S 30
#define PROBE_MORE_S 50 /* a p99 needs more than a hundred frames */
#define SYNCS 200
#define SYNC_EVERY_US 20000
#define DELAYS_MAX 4096

static const char *const SIGNALS[] = {"throughput_rps",
                                      "error_ratio",
                                      "operation_error_ratio",
                                      "response_seconds:p95",
                                      "inflight",
                                      "payment_failure_ratio",
                                      "api_failure_ratio",
                                      "cache_hit_ratio",
                                      "db_connections_ratio",
                                      "checkout_seconds:p95",
                                      "oldest_inflight_seconds",
                                      "dependency_seconds:p95"};

static struct {
    struct e2e_program *collector;
    atomic_bool stop;
    atomic_llong acknowledged_us[1 << 16]; /* by sequence number */
    atomic_int sequence;
    int epoll;
    int clients[CLIENTS_MAX];
    size_t n_clients;
    atomic_ullong received_bytes;
    double delays_ms[DELAYS_MAX];
    size_t n_delays; /* the probe's, until it is joined */
} bed;

static const char *write_rules(void)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    buf_str(&b, "groups:\n  - name: live\n    interval: 1s\n    rules:\n");
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++)
        buf_printf(&b,
                   "      - {record: 'commerce:%s', expr: 'sum by (service, tier) (test_signal{n=\"%zu\"})', labels: "
                   "{stack: test}}\n",
                   SIGNALS[i], i);
    const char *path = e2e_write("bench.rules.yml", b.data);
    buf_done(&b);
    return path;
}

/* ---- the load ---- */
static void scrape(int sequence)
{
    struct feed *f = feed_new();
    int64_t now = unix_ms();
    for (int s = 0; s < SERVICES; s++) {
        char service[32], n[8];
        snprintf(service, sizeof service, "service-%d", s);
        feed_add(f, 1, now, "__name__", "up", "job", service, "instance", "a:1", "service", service, NULL);
        for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
            snprintf(n, sizeof n, "%zu", i);
            bool is_probe = strcmp(SIGNALS[i], "inflight") == 0;
            feed_add(f, is_probe ? sequence : 0.001 * (double)((sequence * 37 + (int)i * 11 + s) % 97), now, "__name__",
                     "test_signal", "service", service, "tier", "app", "n", n, NULL);
        }
    }
    feed_send(f, bed.collector);
    atomic_store(&bed.acknowledged_us[sequence & 0xffff], mono_us());
}

static void feed_main(void *arg)
{
    (void)arg;
    int64_t next_us = mono_us();
    while (!atomic_load(&bed.stop)) {
        scrape(atomic_fetch_add(&bed.sequence, 1) + 1);
        next_us += 50000;
        int64_t wait_us = next_us - mono_us();
        if (wait_us > 0)
            sleep_us(wait_us);
        else
            next_us -= wait_us; /* what is late is left out: two in one millisecond would be refused */
    }
}

/* ---- the clients ---- */
static void open_clients(size_t n)
{
    static const char REQUEST[] = "GET /api/crest/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(e2e_port(bed.collector)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    while (bed.n_clients < n) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof in) < 0 ||
            send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) != (ssize_t)sizeof REQUEST - 1) {
            perror("client");
            exit(1);
        }
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(bed.epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
            perror("epoll_ctl");
            exit(1);
        }
        bed.clients[bed.n_clients++] = fd;
        sleep_us(1000);
    }
}

static void clients_main(void *arg)
{
    (void)arg;
    static char at[1 << 18];
    while (!atomic_load(&bed.stop)) {
        struct epoll_event events[64];
        int n = epoll_wait(bed.epoll, events, 64, 100);
        for (int i = 0; i < n; i++) {
            ssize_t got = recv(events[i].data.fd, at, sizeof at, MSG_DONTWAIT);
            if (got == 0) {
                fprintf(stderr, "a stream has ended\n");
                exit(1);
            }
            if (got > 0)
                atomic_fetch_add(&bed.received_bytes, (unsigned long long)got);
        }
    }
}

/* ---- the probe: one client that reads what it gets ---- */
static void probe_main(void *arg)
{
    atomic_bool *stop = arg;
    struct sse *s = sse_open(e2e_port(bed.collector), NULL, 200);
    struct sse_event e;
    int last = 0;
    while (!atomic_load(stop)) {
        if (!sse_next(s, 3000, &e))
            continue;
        int64_t now_us = mono_us();
        struct parse_error error;
        json_t *doc = json_read(e.data, &error);
        json_t *v = json_object_get(
            json_object_get(json_object_get(json_object_get(json_object_get(doc, "sections"), "services"), "service-0"),
                            "signals"),
            "inflight");
        int sequence = v ? (int)json_number_value(v) : 0;
        long long since_us = atomic_load(&bed.acknowledged_us[sequence & 0xffff]);
        if (sequence > last && since_us && strcmp(e.event, "delta") == 0 && bed.n_delays < DELAYS_MAX)
            bed.delays_ms[bed.n_delays++] = (double)(now_us - since_us) / 1000;
        last = sequence > last ? sequence : last;
        json_decref(doc);
    }
    sse_close(s);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile_of(double *list, size_t n, double p)
{
    qsort(list, n, sizeof *list, by_value);
    size_t at = (size_t)(p * (double)n);
    return n ? list[at < n ? at : n - 1] : 1e9;
}

static double percentile(double p)
{
    return percentile_of(bed.delays_ms, bed.n_delays, p);
}

/* ---- measuring ---- */
struct cost {
    double cpu_percent, rss_mb;
    unsigned long long bytes;
};
static struct cost measure(void)
{
    struct process_usage before, after;
    pid_t pid = e2e_pid(bed.collector);
    unsigned long long bytes = atomic_load(&bed.received_bytes);
    int64_t start_us = mono_us();
    check_ok(process_usage(pid, &before));
    sleep_us(WINDOW_S * 1000000ll);
    check_ok(process_usage(pid, &after));
    double seconds = (double)(mono_us() - start_us) / 1e6;
    return (struct cost){(after.cpu_seconds - before.cpu_seconds) / seconds * 100, (double)after.rss_bytes / (1 << 20),
                         atomic_load(&bed.received_bytes) - bytes};
}

static struct thread *start_thread(const char *name, void (*fn)(void *), void *arg)
{
    struct thread *t;
    check_ok(thread_start(name, fn, arg, &t));
    return t;
}

int main(void)
{
    struct rlimit files = {8192, 8192};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    struct bench *b = bench_new("live", "What stream clients cost");
    const char *rules = write_rules();
    bed.collector =
        e2e_start("crest-collector",
                  E2E_ARGS("--data", e2e_path("data"), "--rule-file", rules, "--stream-clients-per-address", "2000",
                           "--durability", getenv("CREST_DURABILITY") ? getenv("CREST_DURABILITY") : "full"));
    bed.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct thread *feeder = start_thread("feeder", feed_main, NULL);
    struct thread *clients = start_thread("clients", clients_main, NULL);
    sleep_us(5000000);
    struct cost none = measure();

    atomic_bool probe_stop = false;
    struct thread *probe = start_thread("probe", probe_main, &probe_stop);
    sleep_us(3000000);
    open_clients(300);
    sleep_us(3000000);
    struct cost few = measure();

    open_clients(CLIENTS_MAX);
    sleep_us(3000000);
    struct cost many = measure();
    sleep_us(PROBE_MORE_S * 1000000ll);
    atomic_store(&probe_stop, true);
    thread_join(probe);
    size_t n_delays = bed.n_delays;
    double p50 = percentile(0.5), p99 = percentile(0.99), most = percentile(1);
    struct disk_probe *disk = disk_probe_start(e2e_path("sync"), SYNC_EVERY_US);
    sleep_us(SYNCS * SYNC_EVERY_US);
    struct disk_syncs syncs = disk_probe_stop(disk);
    double per_frame = (double)few.bytes / WINDOW_S / 300;

    bench_note(b,
               "%d services with %zu signals each, all of them different every second; a frame has %.0f bytes; %zu "
               "frames timed",
               SERVICES, ARRAY_LEN(SIGNALS), per_frame, n_delays);
    bench_add(b, "collector without clients", "% of a core", none.cpu_percent);
    bench_add(b, "300 clients", "% of a core", few.cpu_percent - none.cpu_percent);
    bench_add(b, "300 clients, memory", "MB", few.rss_mb - none.rss_mb);
    bench_add(b, "1,000 clients", "% of a core", many.cpu_percent - none.cpu_percent);
    bench_add(b, "1,000 clients, memory", "MB", many.rss_mb - none.rss_mb);
    bench_add(b, "commit to frame read, p50", "ms", p50);
    bench_add(b, "commit to frame read, p99", "ms", p99);
    bench_add(b, "commit to frame read, max", "ms", most);
    bench_add(b, "this disk's own sync of 8 KB, p50", "ms", syncs.p50_ms);
    bench_add(b, "this disk's own sync of 8 KB, p99", "ms", syncs.p99_ms);
    bench_must(b, "300 clients", BENCH_AT_MOST, 2);
    bench_must(b, "300 clients, memory", BENCH_AT_MOST, 32);
    bench_must(b, "1,000 clients", BENCH_AT_MOST, 10);
    bench_must(b, "commit to frame read, p99", BENCH_AT_MOST, 250);
    atomic_store(&bed.stop, true);
    thread_join(feeder);
    thread_join(clients);
    for (size_t i = 0; i < bed.n_clients; i++)
        close(bed.clients[i]);
    close(bed.epoll);
    e2e_stop(bed.collector);
    (void)e2e_teardown(NULL);
    if (few.bytes < 300ull * (WINDOW_S - 2) * 1000 || n_delays < WINDOW_S / 2) {
        fprintf(stderr, "bench-live: clients got %llu bytes and %zu frames were timed: nothing was measured\n",
                few.bytes, n_delays);
        return 1;
    }
    return bench_finish(b);
}
