/* crest-loadgen worker: makes a part of a run that a coordinator elsewhere has planned. One at a time, each in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/process.h"
#include "lib/httpd/httpd_daemon.h"
#include "loadgen/commands.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/load_options.h"
#include "loadgen/workers/order.h"

extern char **environ;

#define TURN_MS 20
#define LOG_TAIL_BYTES 2000u /* of the run's stderr: why it could not be made */
#define STOP_MS 8000         /* a run whose coordinator is gone: it drains, then it is killed */

struct worker_daemon {
    const struct options *options;
    pthread_mutex_t lock;
    struct httpd_request *pending; /* an order that waits for the main loop */
    struct httpd_stream *stream;
    bool busy, stream_over;
    unsigned stops; /* asked for */
    /* the main loop's, and between start and end of a run also the stream's */
    char *folder, *log_path;
    struct process *run;
    int results; /* the FIFO */
    _Atomic bool ended;
    bool told; /* the last line has gone out */
    unsigned stopped;
    int64_t kill_us;
    _Atomic uint64_t runs, failed;
};

/* ---- requests ---- */

static void on_clock(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_text(r, 200, "%lld\n", (long long)unix_us());
}

static void on_order(struct httpd_request *r, void *ctx)
{
    struct worker_daemon *d = ctx;
    pthread_mutex_lock(&d->lock);
    bool busy = d->busy;
    if (!busy) {
        d->busy = true;
        d->stops = 0;
        httpd_defer(r);
        d->pending = r;
    }
    pthread_mutex_unlock(&d->lock);
    if (busy)
        httpd_reply_text(r, 409, "this worker is in another run\n");
}

static void on_stop(struct httpd_request *r, void *ctx)
{
    struct worker_daemon *d = ctx;
    pthread_mutex_lock(&d->lock);
    d->stops++;
    pthread_mutex_unlock(&d->lock);
    httpd_reply_empty(r, 204);
}

static const struct httpd_route ROUTES[] = {
    {"GET", "/api/crest/v1/load/clock", 0, on_clock, "this machine's clock, unix microseconds"},
    {"POST", "/api/crest/v1/load/segment", ORDER_BYTES_MAX, on_order,
     "make a part of a run; the answer is what came of it"},
    {"DELETE", "/api/crest/v1/load/segment", 0, on_stop, "start no more sessions; again: at once"},
    {0},
};

static void write_metrics(void *ctx, struct httpd *server, struct metric_writer *w)
{
    struct worker_daemon *d = ctx;
    metric_family(w, "crest_loadgen_worker_segments_total", METRIC_COUNTER, "Parts of runs that were begun.");
    metric_value(w, (double)atomic_load(&d->runs), NULL);
    metric_family(w, "crest_loadgen_worker_segments_failed_total", METRIC_COUNTER, "Those whose process failed.");
    metric_value(w, (double)atomic_load(&d->failed), NULL);
    httpd_stats(server, w);
}

/* ---- the answer: what the run writes, then the end of its log ---- */

static ssize_t last_line(struct worker_daemon *d, char *at, size_t max)
{
    char *text = NULL;
    size_t n = 0;
    struct buf line;
    buf_init(&line, 2 * LOG_TAIL_BYTES);
    if (file_read(d->log_path, 16u << 20, &text, &n) < 0)
        n = 0;
    size_t shown = n > LOG_TAIL_BYTES ? LOG_TAIL_BYTES : n;
    buf_printf(&line, "log .");
    base64_encode(&line, span_of(text + n - shown, shown), false);
    buf_char(&line, '\n');
    free(text);
    ssize_t written = -1;
    if (buf_error(&line) == 0 && line.len <= max) {
        memcpy(at, line.data, line.len);
        written = (ssize_t)line.len;
    }
    buf_done(&line);
    return written;
}

static ssize_t read_results(void *ctx, char *at, size_t max)
{
    struct worker_daemon *d = ctx;
    bool ended = atomic_load(&d->ended); /* before the read: what it wrote last is still there */
    ssize_t n = read(d->results, at, max);
    if (n > 0)
        return n;
    if (!ended)
        return 0;
    if (d->told)
        return -1;
    d->told = true;
    return last_line(d, at, max);
}

static void results_over(void *ctx)
{
    struct worker_daemon *d = ctx;
    pthread_mutex_lock(&d->lock);
    d->stream = NULL;
    d->stream_over = true;
    pthread_mutex_unlock(&d->lock);
}

/* ---- a run ---- */

static void clean_up(struct worker_daemon *d)
{
    process_free(d->run);
    d->run = NULL;
    if (d->results >= 0)
        close(d->results);
    d->results = -1;
    if (d->folder && dir_remove(d->folder) < 0)
        log_warn("the run's folder could not be removed", "folder", "%s", d->folder);
    free(d->folder);
    free(d->log_path);
    d->folder = d->log_path = NULL;
    pthread_mutex_lock(&d->lock);
    d->busy = false;
    pthread_mutex_unlock(&d->lock);
}

/* An option of this daemon's for the run, which works in another folder; false: it was not given. */
static bool own_file(const struct options *o, const char *name, char *to, size_t to_bytes)
{
    const char *given = options_text(o, name);
    char *path = given ? realpath(given, NULL) : NULL;
    if (given)
        snprintf(to, to_bytes, "--%s=%s", name, path ? path : given);
    free(path);
    return given != NULL;
}

MUST_USE static int start_process(struct worker_daemon *d, const struct order *order, const char *fifo)
{
    char segment[64], start[64], to[4200], hosts[4200], ca[4200];
    const char **argv = calloc(order->n_args + 10, sizeof *argv);
    if (!argv)
        return -ENOMEM;
    size_t n = 0;
    argv[n++] = "/proc/self/exe";
    argv[n++] = "run";
    for (size_t i = 0; i < order->n_args; i++)
        argv[n++] = order->args[i];
    snprintf(segment, sizeof segment, "--segment=%u/%u", order->segment, order->segments);
    snprintf(start, sizeof start, "--start-at=%lld", (long long)order->start_ms);
    snprintf(to, sizeof to, "--results-to=%s", fifo);
    argv[n++] = segment;
    argv[n++] = start;
    argv[n++] = to;
    argv[n++] = "--quiet";
    if (own_file(d->options, "allow-hosts", hosts, sizeof hosts))
        argv[n++] = hosts;
    if (own_file(d->options, "ca-file", ca, sizeof ca))
        argv[n++] = ca;
    struct process_options o = {.log_path = d->log_path,
                                .stdout_path = "/dev/null",
                                .directory = d->folder,
                                .env = (const char *const *)order->env};
    int r = process_start(argv, &o, &d->run);
    free(argv);
    return r;
}

MUST_USE static int begin(struct worker_daemon *d, struct span body, char *why, size_t why_bytes)
{
    struct order order = {0};
    struct buf fifo, log;
    buf_init(&fifo, 4096);
    buf_init(&log, 4096);
    int r = dir_make_temp("crest-load", &d->folder);
    if (r == 0) {
        buf_printf(&fifo, "%s/.results", d->folder);
        buf_printf(&log, "%s/.log", d->folder);
        d->log_path = buf_take(&log, NULL);
        r = d->log_path ? order_take(body, d->folder, &order, why, why_bytes) : -ENOMEM;
    }
    if (r == 0 && mkfifo(fifo.data, 0600) < 0)
        r = -errno;
    if (r == 0) {
        d->results = open(fifo.data, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        r = d->results < 0 ? -errno : start_process(d, &order, fifo.data);
    }
    if (r < 0 && !why[0])
        snprintf(why, why_bytes, "%s", strerror(-r));
    order_done(&order);
    buf_done(&fifo);
    buf_done(&log);
    return r;
}

static void take_order(struct worker_daemon *d, struct httpd_request *request)
{
    static const struct httpd_stream_ops OPS = {.read = read_results, .done = results_over};
    char why[300] = "";
    atomic_store(&d->ended, false);
    d->told = false;
    d->stopped = 0;
    d->kill_us = 0;
    d->stream_over = false;
    int r = begin(d, httpd_body(request), why, sizeof why);
    if (r < 0) {
        log_warn("an order could not be taken", "why", "%s", why);
        clean_up(d);
        httpd_reply_text(request, r == -EINVAL ? 400 : 500, "%s\n", why);
        return;
    }
    atomic_fetch_add(&d->runs, 1);
    log_info("a part of a run begins", "coordinator", "%s", httpd_peer(request));
    struct httpd_stream *stream = NULL;
    httpd_reply_stream(request, 200, "text/plain", &OPS, d, &stream);
    pthread_mutex_lock(&d->lock);
    if (!d->stream_over)
        d->stream = stream;
    pthread_mutex_unlock(&d->lock);
}

/* Nobody listens any more, or a stop was asked for: the run is told as by Ctrl-C. */
static void tend(struct worker_daemon *d)
{
    pthread_mutex_lock(&d->lock);
    bool over = d->stream_over;
    unsigned stops = d->stops;
    if (d->stream)
        httpd_stream_wake(d->stream);
    pthread_mutex_unlock(&d->lock);
    bool running = process_running(d->run);
    if (!running && !atomic_load(&d->ended)) {
        bool bad = process_status(d->run) != EXIT_OK && process_status(d->run) != EXIT_THRESHOLD &&
                   process_status(d->run) != EXIT_VOID && process_status(d->run) != EXIT_INTERRUPTED;
        atomic_fetch_add(&d->failed, bad);
        atomic_store(&d->ended, true);
    }
    if (running && over && d->kill_us == 0) {
        log_warn("the coordinator is gone: the run ends");
        process_signal(d->run, SIGTERM);
        d->kill_us = mono_us() + STOP_MS * 1000;
    } else if (running && over && mono_us() > d->kill_us) {
        process_signal(d->run, SIGKILL);
    } else if (running && d->stopped < stops) {
        process_signal(d->run, SIGINT);
        d->stopped++;
    }
    if (!running && over)
        clean_up(d);
}

static void work(struct worker_daemon *d, struct httpd *httpd, struct httpd_daemon *daemon)
{
    while (!daemon_stopping()) {
        pthread_mutex_lock(&d->lock);
        struct httpd_request *request = d->pending;
        d->pending = NULL;
        pthread_mutex_unlock(&d->lock);
        if (request)
            take_order(d, request);
        else if (d->run)
            tend(d);
        if (daemon_take_reload()) {
            struct problems problems;
            problems_init(&problems);
            int r = httpd_daemon_reload_web(httpd, options_text(d->options, "web-config"), &problems);
            problems_print(&problems, stderr);
            problems_done(&problems);
            httpd_daemon_loaded(daemon, r == 0);
        }
        daemon_wait(TURN_MS);
    }
    daemon_notify("STOPPING=1");
}

/* A run's variables are its coordinator's: what this machine has of the kind is left out. */
static void forget_variables(void)
{
    for (size_t i = 0; environ[i];) {
        struct span entry = span_str(environ[i]);
        AUTO_FREE char *name = span_dup(span_of(entry.ptr, span_find(entry, '=')));
        if (!span_starts(entry, SPAN("HURL_")) || !name || unsetenv(name) < 0)
            i++;
    }
}

int command_worker(const struct options *o)
{
    struct worker_daemon d = {.options = o, .results = -1};
    struct httpd_daemon daemon = {.program = "crest-loadgen", .metrics = write_metrics, .reloads = true};
    struct httpd *httpd = NULL;
    struct web_config *web = NULL;
    struct problems problems;
    char why[512] = "";
    const char *web_path = options_text(o, "web-config"), *listen = options_text(o, "listen");
    problems_init(&problems);
    int r = web_path ? web_config_load(web_path, &web, &problems) : 0;
    problems_print(&problems, stderr);
    problems_done(&problems);
    if (r < 0)
        return EXIT_USAGE;
    forget_variables();
    pthread_mutex_init(&d.lock, NULL);
    daemon_init("crest-loadgen");
    raise_descriptor_limit();
    struct httpd_config config = {.listen = listen ? listen : "127.0.0.1:9482",
                                  .routes = ROUTES,
                                  .ctx = &d,
                                  .daemon = &daemon,
                                  .web_config = web,
                                  .server_name = "crest-loadgen"};
    r = httpd_start(&config, &httpd, why, sizeof why);
    if (r < 0) {
        log_error("cannot listen", "address", "%s", config.listen, "error", "%s", why);
    } else {
        httpd_daemon_loaded(&daemon, true);
        atomic_store(&daemon.ready, true);
        daemon_print_listening(httpd_address(httpd), httpd_port(httpd));
        daemon_notify("READY=1");
        work(&d, httpd, &daemon);
    }
    int status;
    if (d.run)
        process_stop(d.run, STOP_MS / 2, &status);
    atomic_store(&d.ended, true);
    httpd_stop(httpd, 1000);
    if (d.run)
        clean_up(&d);
    web_config_free(web);
    pthread_mutex_destroy(&d.lock);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}
