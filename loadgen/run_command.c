/* crest-loadgen run: options to a configuration, the run, its reports. */
#include <errno.h>
#include <math.h>
#include <signal.h> /* SIGTERM */
#include <sys/random.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "loadgen/commands.h"
#include "loadgen/push.h"
#include "loadgen/report.h"

#define DRAIN_MS 5000 /* SIGTERM: what is left of the 10 s that daemons have after the last results are sent */
#define PUSH_DRAIN_MS 10000
#define PUSH_DRAIN_STOPPED_MS 3000

struct running {
    struct run_config config;
    struct plan plan;
    struct url target;
    struct allow_hosts *allow;
    struct push *push;
    bool live, terminal;
    int64_t stopped_us;
    char run_id[RUN_ID_BYTES_MAX + 1], header[RUN_ID_BYTES_MAX + 16];
};

PRINTF_LIKE(1, 2) static int usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("crest-loadgen: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE;
}

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
        return usage("--rate and --stages both say when sessions start: give one");
    if (stages && options_given(o, "duration"))
        return usage("--stages have durations of their own: leave --duration out");
    if (!rate && !stages && !c->users)
        return usage("say how much: --rate SESSIONS (a second), --stages 30s:5,10s:5-40 or --users N");
    if (rate && !read_rate(rate, &from, &to))
        return usage("--rate takes sessions per second, as 40 or 5-40 (a ramp over --duration), not '%s'", rate);
    if (rate && plan_constant(&run->plan, from, to, duration_ms) < 0)
        return EXIT_FAILED;
    if (stages && plan_parse_stages(&run->plan, span_str(stages), why, sizeof why) < 0)
        return usage("--stages: %s", why);
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

/* ---- where it may go ---- */

/* Hosts that are known before the start, and not allowed: each at its place. */
static size_t refuse_hosts(const struct running *run)
{
    struct problems ps;
    problems_init(&ps);
    for (size_t i = 0; i < run->config.journeys->n; i++) {
        const struct journey *j = &run->config.journeys->list[i];
        struct arena scratch;
        struct rng rng;
        arena_init(&scratch, 16u << 20);
        rng_seed(&rng, 1);
        struct hurl_scope scope = {
            .file = j->file, .values = j->values, .keep = &scratch, .scratch = &scratch, .rng = &rng};
        for (size_t k = 0; k < j->file->n_entries; k++) {
            const struct hurl_template *t = &j->file->entries[k].request.url;
            struct hurl_failure why;
            struct buf text;
            struct url u;
            const char *reason;
            buf_init(&text, 65536);
            bool known = hurl_render(&scope, t, &text, &why) == 0 && url_parse(&u, buf_view(&text), &reason) == 0;
            if (known && !allow_hosts_permits(run->allow, u.host, u.port))
                problem_add(&ps, PROBLEM_ERROR, j->file->name, t->at.line, t->at.column,
                            "no load to '" SPAN_FMT
                            ":%u': it is not loopback; name it in a file given with --allow-hosts FILE",
                            SPAN_ARG(u.host), (unsigned)u.port);
            buf_done(&text);
        }
        arena_done(&scratch);
    }
    problems_print(&ps, stderr);
    size_t n = problems_errors(&ps);
    problems_done(&ps);
    return n;
}

static int read_target(const struct options *o, struct running *run)
{
    const char *target = options_text(o, "target"), *hosts = options_text(o, "allow-hosts"), *reason;
    bool customers = options_flag(o, "as-customers");
    if (customers && hosts)
        return usage("--as-customers is for loopback only: elsewhere requests must carry X-Crest-Run, or a rehearsal "
                     "counts as sales");
    if (hosts) {
        struct problems ps;
        problems_init(&ps);
        int r = allow_hosts_load(hosts, &run->allow, &ps);
        problems_print(&ps, stderr);
        problems_done(&ps);
        if (r < 0)
            return EXIT_USAGE;
        run->config.allow = run->allow;
    }
    if (target) {
        if (url_parse(&run->target, span_str(target), &reason) < 0)
            return usage("--target: %s", reason);
        if (run->target.path.len > 1 || run->target.query.ptr)
            return usage("--target is scheme, host and port: the paths are the journeys'");
        if (!allow_hosts_permits(run->allow, run->target.host, run->target.port))
            return usage("no load to '" SPAN_FMT
                         ":%u': it is not loopback; name it in a file given with --allow-hosts FILE",
                         SPAN_ARG(run->target.host), (unsigned)run->target.port);
        run->config.target = &run->target;
        return EXIT_OK;
    }
    return refuse_hosts(run) ? EXIT_USAGE : EXIT_OK;
}

static int read_options(const struct options *o, struct running *run)
{
    struct run_config *c = &run->config;
    c->grace_ms = options_duration_ms(o, "grace");
    c->max_lag_ms = options_duration_ms(o, "max-lag");
    c->connect_timeout_ms = options_duration_ms(o, "connect-timeout");
    c->max_time_ms = options_duration_ms(o, "max-time");
    c->think_scale = options_number(o, "think-scale");
    c->money_rate = options_number(o, "money-rate");
    c->ca_file = options_text(o, "ca-file");
    if (options_given(o, "seed"))
        c->seed = options_count(o, "seed");
    else if (getrandom(&c->seed, sizeof c->seed, 0) != (ssize_t)sizeof c->seed)
        c->seed = (uint64_t)unix_us();
    c->seed &= 0xffffffff; /* short enough to type again */
    if (!make_run_id(o, c->seed, run->run_id, sizeof run->run_id))
        return EXIT_USAGE;
    c->run_id = run->run_id;
    snprintf(run->header, sizeof run->header, "load/%s", run->run_id);
    c->run_header = options_flag(o, "as-customers") ? NULL : run->header;
    int code = read_load(o, run);
    return code ? code : read_target(o, run);
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
    code = read_options(o, &run);
    if (code == EXIT_OK) {
        daemon_init("crest-loadgen");
        daemon_allow_stops(2); /* once: let running sessions finish; twice: cut them and report; three times: gone */
        raise_descriptor_limit();
        code = execute(o, &run);
    }
    push_free(run.push);
    plan_done(&run.plan);
    allow_hosts_free(run.allow);
    journeys_free(js);
    return code;
}
