/* crest-loadgen synthetic: journeys on a schedule for ever, as a daemon. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/log.h"
#include "lib/httpd/httpd_daemon.h"
#include "loadgen/commands.h"
#include "loadgen/load_options.h"
#include "loadgen/push.h"
#include "loadgen/synthetic/signals.h"

#define DRAIN_MS 3000       /* at a stop: running journeys, of the 10 s that a daemon has */
#define PUSH_DRAIN_MS 2000  /* and what waits for the collector */
#define PUSH_EVERY_MS 10000 /* when nothing has happened */
#define PUSH_SOON_MS 1000   /* at most so often when something has */
#define TURN_MS 200

/* One reading of the files: journeys, hosts, and what runs them. */
struct generation {
    struct run_config config;
    struct load_options shared;
    struct journeys *journeys;
    struct prober *prober;
};
struct synthetic {
    const struct options *options;
    char prober_name[RUN_ID_BYTES_MAX + 1];
    struct artifacts *artifacts;
    pthread_mutex_t lock; /* generation: the server's threads read it */
    struct generation *generation;
    struct run_config push_config; /* what push looks at lives on when files are read again */
    struct push *push;
    struct push_message *message; /* while one is made */
    const struct prober_view *view;
};

/* ---- files ---- */

static void generation_free(struct generation *g)
{
    if (!g)
        return;
    prober_free(g->prober, DRAIN_MS);
    load_options_done(&g->shared);
    journeys_free(g->journeys);
    free(g);
}

/* NULL: the problems were printed, and *ret_code is the exit code. */
static struct generation *generation_load(struct synthetic *s, int *ret_code)
{
    struct generation *g = calloc(1, sizeof *g);
    *ret_code = EXIT_FAILED;
    if (!g)
        return NULL;
    g->journeys = load_journeys(s->options, ret_code);
    if (g->journeys && g->journeys->n > SYNTHETIC_JOURNEYS_MAX) {
        *ret_code = usage_error("%zu journeys: one process runs at most %u, a thread each", g->journeys->n,
                                SYNTHETIC_JOURNEYS_MAX);
    } else if (g->journeys) {
        g->config =
            (struct run_config){.journeys = g->journeys, .users = 1, .threads = 1, .open_max = 1, .sessions_max = 1};
        *ret_code = load_options_read(s->options, "synthetic", &g->shared, &g->config);
    }
    if (!g->journeys || *ret_code != EXIT_OK) {
        generation_free(g);
        return NULL;
    }
    g->config.run_id = s->prober_name;
    snprintf(g->shared.header, sizeof g->shared.header, "synthetic/%s", s->prober_name);
    if (!options_given(s->options, "think-scale"))
        g->config.think_scale = 0; /* a check has no time to lose */
    return g;
}

/* It takes over from the one before, which ends its runs. */
static int generation_start(struct synthetic *s, struct generation *g)
{
    struct prober_config config = {
        .base = &g->config, .every_ms = options_duration_ms(s->options, "every"), .artifacts = s->artifacts};
    int r = prober_start(&config, &g->prober);
    if (r < 0)
        return r;
    pthread_mutex_lock(&s->lock);
    struct generation *before = s->generation;
    s->generation = g;
    pthread_mutex_unlock(&s->lock);
    s->push_config = g->config;
    generation_free(before);
    return 0;
}

static void reload(struct synthetic *s, struct httpd *httpd, struct httpd_daemon *daemon)
{
    int code;
    struct problems problems;
    problems_init(&problems);
    int r = httpd ? httpd_daemon_reload_web(httpd, options_text(s->options, "web-config"), &problems) : 0;
    problems_print(&problems, stderr);
    problems_done(&problems);
    struct generation *g = generation_load(s, &code);
    int started = g ? generation_start(s, g) : -EINVAL;
    if (g && started < 0)
        generation_free(g);
    httpd_daemon_loaded(daemon, r == 0 && started == 0);
    if (r < 0 || started < 0)
        log_error("reload refused, the old files stay", "error", "%s", strerror(started < 0 ? -started : -r));
    else
        log_info("files read again", "journeys", "%zu", g->journeys->n);
}

/* ---- what came of it: /metrics and remote write ---- */

static void on_family(void *ctx, const char *name, enum metric_kind kind, const char *help)
{
    metric_family(ctx, name, kind, help);
}

static void on_value(void *ctx, const char *name, double value, const char *journey, struct span step,
                     const char *label, const char *label_value)
{
    (void)name; /* on_family said it */
    char step_text[160];
    snprintf(step_text, sizeof step_text, SPAN_FMT, SPAN_ARG(step));
    const char *pairs[7] = {"journey", journey};
    size_t n = 2;
    if (step.len) {
        pairs[n++] = "step";
        pairs[n++] = step_text;
    }
    if (label) {
        pairs[n++] = label;
        pairs[n++] = label_value;
    }
    metric_value(ctx, value, pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], pairs[5], NULL);
}

static void write_view(void *ctx, const struct prober_view *view)
{
    struct synthetic_sink sink = {.ctx = ctx, .family = on_family, .value = on_value};
    synthetic_signals(view, &sink);
    metric_family(ctx, "crest_synthetic_artifacts_failed_total", METRIC_COUNTER, "Failures that could not be kept.");
    metric_value(ctx, (double)view->artifacts_failed, NULL);
}

/* On a thread of the server. */
static void write_metrics(void *ctx, struct httpd *server, struct metric_writer *w)
{
    struct synthetic *s = ctx;
    pthread_mutex_lock(&s->lock);
    if (s->generation)
        prober_read(s->generation->prober, write_view, w);
    pthread_mutex_unlock(&s->lock);
    httpd_stats(server, w);
}

static void push_value(void *ctx, const char *name, double value, const char *journey, struct span step,
                       const char *label, const char *label_value)
{
    push_add(ctx, journey, step, name, value, label, label_value);
}

static void add_signals(void *ctx, struct push_message *m)
{
    struct synthetic *s = ctx;
    struct synthetic_sink sink = {.ctx = m, .value = push_value};
    synthetic_signals(s->view, &sink);
}

static void push_view(void *ctx, const struct prober_view *view)
{
    struct synthetic *s = ctx;
    struct run_tick tick = {.interval = view->total, .total = view->total};
    s->view = view;
    if (push_tick(s->push, &tick, unix_ms()) < 0)
        log_warn("results could not be encoded");
    s->view = NULL;
}

/* ---- the daemon ---- */

static void work(struct synthetic *s, struct httpd *httpd, struct httpd_daemon *daemon)
{
    int64_t pushed_us = 0;
    uint64_t pushed_runs = 0;
    while (!daemon_stopping()) {
        if (daemon_take_reload())
            reload(s, httpd, daemon);
        uint64_t runs = prober_runs(s->generation->prober);
        int64_t wait_ms = runs != pushed_runs ? PUSH_SOON_MS : PUSH_EVERY_MS;
        if (s->push && mono_us() >= pushed_us + wait_ms * 1000) {
            prober_read(s->generation->prober, push_view, s);
            pushed_us = mono_us();
            pushed_runs = runs;
        }
        if (s->push)
            push_wait(s->push, TURN_MS);
        else
            daemon_wait(TURN_MS * 5);
    }
    daemon_notify("STOPPING=1");
    pthread_mutex_lock(&s->lock); /* no more /metrics from it */
    struct generation *g = s->generation;
    s->generation = NULL;
    pthread_mutex_unlock(&s->lock);
    struct prober *p = g->prober;
    prober_stop(p, DRAIN_MS);
    if (s->push) {
        prober_read(p, push_view, s);
        if (!push_finish(s->push, PUSH_DRAIN_MS))
            log_warn("not all results reached the collector", "error", "%s", push_error(s->push));
    }
    generation_free(g);
}

/* What the prober is called in X-Crest-Run and in the series: the same after a restart. */
static bool name_prober(struct synthetic *s)
{
    if (options_given(s->options, "run-id"))
        return make_run_id(s->options, 0, s->prober_name, sizeof s->prober_name);
    char host[RUN_ID_BYTES_MAX + 1] = "";
    if (gethostname(host, sizeof host - 1) < 0 || host[0] == '\0')
        snprintf(host, sizeof host, "prober");
    size_t n = 0;
    for (; host[n] && n < RUN_ID_BYTES_MAX; n++) {
        char c = host[n], lower = (char)(c | 0x20);
        bool plain = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        s->prober_name[n] = plain ? c : '-';
    }
    s->prober_name[n] = '\0';
    return true;
}

static int open_parts(struct synthetic *s, struct httpd_daemon *daemon, struct web_config *web, struct httpd **ret)
{
    const struct options *o = s->options;
    const char *folder = options_text(o, "artifacts"), *remote = options_text(o, "remote-write"),
               *listen = options_text(o, "listen");
    static const struct httpd_route NONE[] = {{0}};
    char why[512] = "";
    int r = folder ? artifacts_open(folder, &s->artifacts) : 0;
    if (r < 0) {
        fprintf(stderr, "crest-loadgen: --artifacts %s: %s\n", folder, strerror(-r));
        return r;
    }
    if (remote)
        r = push_new(remote, options_text(o, "auth-file"), &s->push_config, &s->push);
    if (r == 0 && remote)
        push_extend(s->push, add_signals, s);
    if (r == 0 && listen) {
        struct httpd_config config = {.listen = listen,
                                      .routes = NONE,
                                      .ctx = s,
                                      .daemon = daemon,
                                      .web_config = web,
                                      .server_name = "crest-loadgen",
                                      .threads = 1};
        r = httpd_start(&config, ret, why, sizeof why);
        if (r < 0)
            log_error("cannot listen", "address", "%s", listen, "error", "%s", why);
    }
    return r;
}

int command_synthetic(const struct options *o)
{
    struct synthetic s = {.options = o};
    struct httpd_daemon daemon = {.program = "crest-loadgen", .metrics = write_metrics, .reloads = true};
    struct httpd *httpd = NULL;
    struct web_config *web = NULL;
    struct problems problems;
    int code = EXIT_USAGE;
    if (!options_text(o, "remote-write") && !options_text(o, "listen"))
        return usage_error("say where the outcome goes: --remote-write URL, or --listen ADDR:PORT for a scrape");
    if (!name_prober(&s))
        return EXIT_USAGE;
    pthread_mutex_init(&s.lock, NULL);
    problems_init(&problems);
    const char *web_path = options_text(o, "web-config");
    int r = web_path ? web_config_load(web_path, &web, &problems) : 0;
    problems_print(&problems, stderr);
    problems_done(&problems);
    struct generation *g = r == 0 ? generation_load(&s, &code) : NULL;
    if (g) {
        s.push_config = g->config;
        daemon_init("crest-loadgen");
        raise_descriptor_limit();
        code = EXIT_FAILED;
        r = open_parts(&s, &daemon, web, &httpd);
        if (r == 0)
            r = generation_start(&s, g);
        if (r < 0)
            generation_free(g);
    }
    if (g && r == 0) {
        httpd_daemon_loaded(&daemon, true);
        atomic_store(&daemon.ready, true);
        if (httpd)
            daemon_print_listening(httpd_address(httpd), httpd_port(httpd));
        daemon_notify("READY=1");
        log_info("journeys run", "journeys", "%zu", g->journeys->n, "every", "%s", options_text(o, "every"), "as",
                 "synthetic/%s", s.prober_name);
        work(&s, httpd, &daemon);
        code = EXIT_OK;
    }
    httpd_stop(httpd, 1000);
    push_free(s.push);
    artifacts_free(s.artifacts);
    web_config_free(web);
    pthread_mutex_destroy(&s.lock);
    return code;
}
