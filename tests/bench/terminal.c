/* bench-terminal: what crest-tui writes, costs and how soon it shows something, on a pseudo terminal of 160x50 with a real collector
 * behind it: a stream of SERVICES services that all change each second, and a sale in three currencies, whose Event view has four
 * graphs and three lines of graphs in its table.
 *
 * A frame is what comes between two silences of QUIET_MS. The first frame is counted from before fork to the last byte of the
 * first screen that shows data. BENCH_FAST=1 does little of each. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <utmp.h>

#include "lib/base/clock.h"
#include "lib/base/process.h"
#include "lib/base/thread.h"
#include "tests/support/bench.h"
#include "tests/support/e2e.h"
#include "tests/support/samples.h"

#define SERVICES 200u
#define W 160
#define H 50
#define STARTS 15u
#define FRAMES_MAX 1024u
#define QUIET_MS 60

static struct {
    struct e2e_program *collector;
    atomic_bool stop;
    double bytes[FRAMES_MAX];
    size_t n_frames;
} bed;

static const char *const SIGNALS[] = {"throughput_rps", "error_ratio",     "response_seconds:p95",
                                      "inflight",       "cache_hit_ratio", "db_connections_ratio"};
static const char *const MARKETS[][2] = {{"de", "EUR"}, {"us", "USD"}, {"jp", "JPY"}};

static void feed(int64_t t_ms)
{
    struct sample_batch *b = sample_batch_new();
    int64_t s = t_ms / 1000;
    char series[256];
    for (unsigned i = 0; i < SERVICES; i++)
        for (size_t k = 0; k < ARRAY_LEN(SIGNALS); k++) {
            snprintf(series, sizeof series, "commerce:%s|service=service-%03u|stack=test|tier=app", SIGNALS[k], i);
            sample_batch_add(b, series, t_ms,
                             0.001 * (double)(((uint64_t)s * 37 + k * 11 + i * 7) % 97) * (k % 3 ? 1 : 1000));
        }
    for (size_t m = 0; m < ARRAY_LEN(MARKETS); m++) {
        double orders = 40 + (double)(((uint64_t)s * (7 + m)) % 23);
        snprintf(series, sizeof series,
                 "commerce:orders_per_minute|channel=web|currency=%s|market=%s|service=service-000", MARKETS[m][1],
                 MARKETS[m][0]);
        sample_batch_add(b, series, t_ms, orders);
        snprintf(series, sizeof series,
                 "commerce:revenue_per_minute|channel=web|currency=%s|market=%s|service=service-000", MARKETS[m][1],
                 MARKETS[m][0]);
        sample_batch_add(b, series, t_ms, orders * 61.5);
    }
    sample_batch_send(b, bed.collector);
}

static void feed_main(void *arg)
{
    (void)arg;
    int64_t next_us = mono_us();
    while (!atomic_load(&bed.stop)) {
        feed(unix_ms());
        next_us += 1000000;
        while (mono_us() < next_us && !atomic_load(&bed.stop))
            sleep_us(20000);
    }
}

/* ---- crest-tui on a pseudo terminal ---- */

struct tui {
    pid_t pid;
    int master;
    int64_t exec_us;
};

static struct tui start_tui(void)
{
    struct winsize size = {.ws_row = H, .ws_col = W};
    char path[4096];
    const char *bin = getenv("CREST_BIN");
    snprintf(path, sizeof path, "%s/crest-tui", bin && *bin ? bin : "build/release");
    const char *argv[] = {path, e2e_url(bed.collector), NULL};
    const char *env[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", NULL};
    int master, slave;
    if (openpty(&master, &slave, NULL, NULL, &size) < 0)
        check_failed("openpty: %s", strerror(errno));
    struct tui t = {.master = master, .exec_us = mono_us()};
    t.pid = fork();
    if (t.pid < 0)
        check_failed("fork: %s", strerror(errno));
    if (t.pid == 0) {
        close(master);
        if (login_tty(slave) == 0)
            execve(path, (char **)(uintptr_t)argv, (char **)(uintptr_t)env);
        _exit(127);
    }
    close(slave);
    return t;
}

static void end_tui(struct tui *t)
{
    int status;
    kill(t->pid, SIGTERM);
    for (char unused[4096]; read(t->master, unused, sizeof unused) > 0;)
        ;
    if (waitpid(t->pid, &status, 0) != t->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 128 + SIGTERM)
        check_failed("crest-tui ended with %d", status);
    close(t->master);
}

/* What comes until a silence of quiet_ms: bytes and when the last one came. 0: nothing within wait_ms. The text is kept as far as
 * there is room. */
static size_t burst(struct tui *t, int wait_ms, int quiet_ms, char *text, size_t n, int64_t *ret_last_us)
{
    size_t bytes = 0;
    struct pollfd p = {.fd = t->master, .events = POLLIN};
    while (poll(&p, 1, bytes ? quiet_ms : wait_ms) > 0) {
        char piece[65536];
        ssize_t got = read(t->master, piece, sizeof piece);
        if (got <= 0)
            check_failed("crest-tui has ended");
        for (ssize_t i = 0; i < got; i++)
            if (text && bytes + (size_t)i + 1 < n)
                text[bytes + (size_t)i] = piece[i];
        bytes += (size_t)got;
        *ret_last_us = mono_us();
    }
    if (text)
        text[bytes < n ? bytes : n - 1] = '\0';
    return bytes;
}

static double first_frame_ms(void)
{
    static char text[1 << 18];
    struct tui t = start_tui();
    int64_t last_us = 0;
    do {
        if (burst(&t, 5000, 8, text, sizeof text, &last_us) == 0)
            check_failed("no first frame within 5 s");
    } while (!strstr(text, "live"));
    double ms = (double)(last_us - t.exec_us) / 1e3;
    end_tui(&t);
    return ms;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static void watch(struct bench *b, const char *view, const char *key, int seconds)
{
    struct process_usage before, now = {0};
    struct tui t = start_tui();
    char row[96];
    int64_t last_us = 0, end_us;
    for (end_us = mono_us() + 3000000; mono_us() < end_us;) /* history has come, graphs have begun */
        (void)burst(&t, 500, QUIET_MS, NULL, 0, &last_us);
    if (write(t.master, key, strlen(key)) < 0)
        check_failed("%s", strerror(errno));
    for (end_us = mono_us() + 2000000; mono_us() < end_us;)
        (void)burst(&t, 500, QUIET_MS, NULL, 0, &last_us);
    check_ok(process_usage(t.pid, &before));
    int64_t start_us = mono_us();
    bed.n_frames = 0;
    for (end_us = start_us + seconds * 1000000ll; mono_us() < end_us && bed.n_frames < FRAMES_MAX;) {
        size_t bytes = burst(&t, 1500, QUIET_MS, NULL, 0, &last_us);
        if (bytes > 0)
            bed.bytes[bed.n_frames++] = (double)bytes;
    }
    check_ok(process_usage(t.pid, &now));
    double elapsed = (double)(mono_us() - start_us) / 1e6;
    qsort(bed.bytes, bed.n_frames, sizeof *bed.bytes, compare);
    snprintf(row, sizeof row, "%s: bytes a frame, median", view);
    bench_add(b, row, "B", bed.n_frames ? bed.bytes[bed.n_frames / 2] : NAN);
    snprintf(row, sizeof row, "%s: bytes a frame, p99", view);
    bench_add(b, row, "B", bed.n_frames ? bed.bytes[(bed.n_frames - 1) * 99 / 100] : NAN);
    snprintf(row, sizeof row, "%s: frames", view);
    bench_add(b, row, "1/s", (double)bed.n_frames / elapsed);
    snprintf(row, sizeof row, "%s: CPU", view);
    bench_add(b, row, "% of a core", (now.cpu_seconds - before.cpu_seconds) / elapsed * 100);
    snprintf(row, sizeof row, "%s: RSS", view);
    bench_add(b, row, "MiB", (double)now.rss_bytes / (1 << 20));
    snprintf(row, sizeof row, "%s: RssAnon", view);
    bench_add(b, row, "MiB", (double)now.rss_anon_bytes / (1 << 20));
    end_tui(&t);
}

static void clean_up(void)
{
    (void)e2e_teardown(NULL);
}

int main(void)
{
    const char *flag = getenv("BENCH_FAST");
    bool fast = flag && *flag;
    struct thread *feeder;
    (void)atexit(clean_up);
    struct bench *b = bench_new("terminal", "The terminal: bytes, CPU, first frame");
    bed.collector = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data"), "--durability", "normal"));
    for (int64_t now = unix_ms(), s = -120; s < 0; s++)
        feed(now + s * 1000);
    check_ok(thread_start("feed", feed_main, NULL, &feeder));
    sleep_us(2000000);
    for (unsigned i = 0; i < (fast ? 3 : STARTS); i++)
        bench_add(b, "first frame with data, after exec", "ms", first_frame_ms());
    watch(b, "Event", "1", fast ? 8 : 65);
    watch(b, "Services", "2", fast ? 8 : 30);
    atomic_store(&bed.stop, true);
    thread_join(feeder);
    e2e_stop(bed.collector);
    bench_note(b,
               "%dx%d, xterm-256color, a collector whose %u services all change each second; the Event view has 4 "
               "graphs and 3 "
               "lines of graphs, the Services view %u changing rows.",
               W, H, SERVICES, (unsigned)H - 7);
    bench_must(b, "first frame with data, after exec", BENCH_AT_MOST, 100);
    bench_must(b, "Event: bytes a frame, median", BENCH_AT_MOST, 3072);
    bench_must(b, "Event: bytes a frame, p99", BENCH_AT_MOST, 3072);
    bench_must(b, "Event: CPU", BENCH_AT_MOST, 1);
    bench_goal(b, "Services: CPU", BENCH_AT_MOST, 1);
    return bench_finish(b);
}
