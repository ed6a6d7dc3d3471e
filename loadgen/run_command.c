/* crest-loadgen run: options to a configuration, the run, its reports. */
#include <errno.h>
#include <math.h>
#include <signal.h> /* SIGTERM */

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "loadgen/commands.h"
#include "loadgen/load_options.h"
#include "loadgen/push.h"
#include "loadgen/report.h"

#define DRAIN_MS 5000 /* SIGTERM: what is left of the 10 s that daemons have after the last results are sent */
#define PUSH_DRAIN_MS 10000
#define PUSH_DRAIN_STOPPED_MS 3000

struct running {
    struct run_config config;
    struct plan plan;
    struct load_options shared;
    struct push *push;
    bool live, terminal;
    int64_t stopped_us;
};

/* ---- the load ---- */

/* 40 or 5-40 */
static bool read_rate(const char *text, double *from, double *to)
{
    struct span s = span_str(text);
    size_t dash = span_find(s, '-');
    if (parse_f64_span(span_of(s.ptr, dash), from) < 0)
        return false;
    *to = *from;
    if (dash < s.len && parse_f64_span(span_from(s, dash + 1), to) < 0)
        return false;
    return *from >= 0 && *to >= 0 && *from <= PLAN_RATE_MAX && *to <= PLAN_RATE_MAX;
}

/* --rate, --stages, --users: what starts sessions. EXIT_OK or an exit code. */
static int read_load(const struct options *o, struct running *run)
{
    struct run_config *c = &run->config;
    const char *rate = options_text(o, "rate"), *stages = options_text(o, "stages");
    char why[200];
    double from, to;
    int64_t duration_ms = options_duration_ms(o, "duration");
    c->users = options_given(o, "users") ? (unsigned)options_count(o, "users") : 0;
    c->sessions_max = options_given(o, "sessions") ? options_count(o, "sessions") : 0;
    if (rate && stages)
        return usage_error("--rate and --stages both say when sessions start: give one");
    if (stages && options_given(o, "duration"))
        return usage_error("--stages have durations of their own: leave --duration out");
    if (!rate && !stages && !c->users)
        return usage_error("say how much: --rate SESSIONS (a second), --stages 30s:5,10s:5-40 or --users N");
    if (rate && !read_rate(rate, &from, &to))
        return usage_error("--rate takes sessions per second, as 40 or 5-40 (a ramp over --duration), not '%s'", rate);
    if (rate && plan_constant(&run->plan, from, to, duration_ms) < 0)
        return EXIT_FAILED;
    if (stages && plan_parse_stages(&run->plan, span_str(stages), why, sizeof why) < 0)
        return usage_error("--stages: %s", why);
    if (rate || stages) {
        run->plan.spacing = strcmp(options_text(o, "arrivals"), "poisson") == 0 ? PLAN_POISSON : PLAN_EVEN;
        c->plan = &run->plan;
    } else {
        /* users loop for the duration; a given number of sessions alone is bound enough */
        c->duration_ms = c->sessions_max && !options_given(o, "duration") ? 0 : duration_ms;
    }
    c->threads = (unsigned)options_count(o, "threads");
    if (c->users && c->threads > c->users)
        c->threads = c->users;
    c->open_max = (unsigned)options_count(o, "max-open");
    if (c->open_max < c->threads)
        c->open_max = c->threads;
    return EXIT_OK;
}

/* ---- while it runs ---- */

static void on_tick(void *ctx, const struct run_tick *tick)
{
    struct running *run = ctx;
    if (run->live)
        report_live(stderr, tick, run->terminal);
    if (run->push && push_tick(run->push, tick, unix_ms()) < 0)
        fprintf(stderr, "crest-loadgen: results of this second could not be encoded\n");
}

static enum run_wish on_wish(void *ctx)
{
    struct running *run = ctx;
    if (!daemon_stopping())
        return RUN_GO_ON;
    int64_t now_us = mono_us();
    if (run->stopped_us == 0) {
        run->stopped_us = now_us;
        fprintf(stderr, "%screst-loadgen: no more sessions are started; running ones finish (again: at once)\n",
                run->live && run->terminal ? "\n" : "");
    }
    bool drained = daemon_stop_signal() == SIGTERM && now_us - run->stopped_us > DRAIN_MS * 1000;
    return daemon_stop_count() >= 2 || drained ? RUN_ABORT : RUN_STOP;
}

static void on_wait(void *ctx, int64_t timeout_ms)
{
    struct running *run = ctx;
    if (run->push)
        push_wait(run->push, timeout_ms);
    else
        sleep_us(timeout_ms * 1000);
}

/* ---- afterwards ---- */

static bool write_json(const char *path, const struct run_config *c, const struct run_result *r)
{
    struct buf out;
    buf_init(&out, 256u << 20);
    report_json(&out, c, r);
    int error = buf_error(&out);
    if (error == 0 && strcmp(path, "-") == 0)
        error = fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0 : -EIO;
    else if (error == 0)
        error = file_write(path, out.data, out.len);
    buf_done(&out);
    if (error < 0)
        fprintf(stderr, "crest-loadgen: %s: %s\n", path, strerror(-error));
    return error == 0;
}

static void finish_push(struct running *run)
{
    if (run->push && !push_finish(run->push, run->stopped_us ? PUSH_DRAIN_STOPPED_MS : PUSH_DRAIN_MS))
        fprintf(stderr,
                "crest-loadgen: not all results reached the collector: %llu bodies dropped, %llu refused, the last "
                "error: %s\n",
                (unsigned long long)push_dropped(run->push), (unsigned long long)push_refused(run->push),
                push_error(run->push));
}

static int execute(const struct options *o, struct running *run)
{
    struct run_hooks hooks = {.ctx = run, .tick = on_tick, .wish = on_wish, .wait = on_wait};
    const char *json = options_text(o, "json"), *remote = options_text(o, "remote-write");
    int r = 0;
    if (remote) {
        r = push_new(remote, options_text(o, "auth-file"), &run->config, &run->push);
        if (r == 0)
            r = push_tick(run->push, NULL, unix_ms() - 1); /* the zeros that the first second counts from */
    }
    struct run_result result = {0};
    if (r == 0)
        r = run_execute(&run->config, &hooks, &result);
    if (r < 0) {
        fprintf(stderr, "crest-loadgen: the run could not be made: %s\n", strerror(-r));
        return EXIT_FAILED;
    }
    finish_push(run);
    report_text(json && strcmp(json, "-") == 0 ? stderr : stdout, &run->config, &result);
    int code = run_exit_code(&result);
    if (json && !write_json(json, &run->config, &result) && code == EXIT_OK)
        code = EXIT_FAILED;
    run_result_done(&result);
    return code;
}

int command_run(const struct options *o)
{
    struct running run = {0};
    int code = EXIT_OK;
    struct journeys *js = load_journeys(o, &code);
    if (!js)
        return code;
    run.config.journeys = js;
    run.live = !options_flag(o, "quiet");
    run.terminal = isatty(STDERR_FILENO);
    code = read_load(o, &run);
    if (code == EXIT_OK)
        code = load_options_read(o, "load", &run.shared, &run.config);
    if (code == EXIT_OK) {
        daemon_init("crest-loadgen");
        daemon_allow_stops(2); /* once: let running sessions finish; twice: cut them and report; three times: gone */
        raise_descriptor_limit();
        code = execute(o, &run);
    }
    push_free(run.push);
    plan_done(&run.plan);
    load_options_done(&run.shared);
    journeys_free(js);
    return code;
}
