/* crest-loadgen run: options to a configuration, the run, its reports. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h> /* SIGTERM */

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "lib/term/term.h"
#include "loadgen/commands.h"
#include "loadgen/engine/plan_file.h"
#include "loadgen/engine/plan_shape.h"
#include "loadgen/guard.h"
#include "loadgen/hdr_log.h"
#include "loadgen/live.h"
#include "loadgen/load_options.h"
#include "loadgen/outputs.h"
#include "loadgen/push.h"
#include "loadgen/rehearse.h"
#include "loadgen/remote_run.h"
#include "loadgen/report.h"
#include "loadgen/bottleneck/run_limit.h"

#define DRAIN_MS 5000 /* SIGTERM: what is left of the 10 s that daemons have after the last results are sent */
#define PUSH_DRAIN_MS 10000
#define PUSH_DRAIN_STOPPED_MS 3000

struct running {
    struct run_config config;
    struct plan plan;
    struct plan_phase phases[2]; /* --warmup */
    struct plan_file *file;      /* NULL: the options say it all */
    struct load_options shared;
    struct rehearse rehearse; /* --event */
    struct live *screen;      /* NULL: lines on stderr */
    struct hdr_log *log;
    struct saved_run *before; /* --compare */
    struct guard *guard;
    int log_error; /* the first */
    struct push *push;
    struct remote_part part; /* of a run on several machines */
    bool live, terminal;
    int64_t stopped_us;
};

/* ---- the load ---- */

/* --warmup: the run's first part is in no figure. */
static int read_warmup(const struct options *o, struct running *run)
{
    struct run_config *c = &run->config;
    double warm_s = (double)options_duration_ms(o, "warmup") / 1000;
    double seconds = c->plan ? c->plan->seconds : (double)c->duration_ms / 1000;
    if (!options_given(o, "warmup"))
        return EXIT_OK;
    if (seconds > 0 && warm_s >= seconds)
        return usage_error("--warmup is as long as the run: nothing would be left to measure");
    run->phases[0] = (struct plan_phase){"warm-up", 0, warm_s, true};
    run->phases[1] = (struct plan_phase){"run", warm_s, seconds > 0 ? seconds : INFINITY, false};
    c->phases = run->phases;
    c->n_phases = ARRAY_LEN(run->phases);
    return EXIT_OK;
}

/* --rate, --stages, --users: what starts sessions. EXIT_OK or an exit code. */
static int read_load(const struct options *o, struct running *run)
{
    struct run_config *c = &run->config;
    const struct rehearse *event = run->rehearse.wanted ? &run->rehearse : NULL;
    const char *rate = event ? event->rate : options_text(o, "rate"),
               *stages = event ? event->stages : options_text(o, "stages");
    char why[200];
    double from, to;
    int64_t duration_ms = options_duration_ms(o, "duration");
    c->users = options_given(o, "users") ? (unsigned)options_count(o, "users") : 0;
    if (rate && stages)
        return usage_error("--rate and --stages both say when sessions start: give one");
    if (stages && !event && options_given(o, "duration"))
        return usage_error("--stages have durations of their own: leave --duration out");
    if (!rate && !stages && !c->users)
        return usage_error("say how much: --rate SESSIONS (a second), --stages 30s:5,10s:5-40, --users N, --event "
                           "NAME, or a plan file");
    if (rate && plan_range_parse(span_str(rate), PLAN_RATE_MAX, &from, &to) < 0)
        return usage_error("--rate takes sessions per second, as 40 or 5-40 (a ramp over --duration), not '%s'", rate);
    if (rate && plan_constant(&run->plan, from, to, duration_ms) < 0)
        return EXIT_FAILED;
    if (stages && plan_parse_stages(&run->plan, span_str(stages), why, sizeof why) < 0)
        return usage_error("--stages: %s", why);
    if (rate || stages) {
        if (plan_spacing_parse(options_text(o, "arrivals"), &run->plan.spacing) < 0)
            return EXIT_USAGE;
        plan_scale(&run->plan, options_number(o, "scale"), options_number(o, "speed"));
        c->plan = &run->plan;
    } else {
        /* users loop for the duration; a given number of sessions alone is bound enough */
        c->duration_ms = options_given(o, "sessions") && !options_given(o, "duration") ? 0 : duration_ms;
    }
    return read_warmup(o, run);
}

/* What a plan file says; what the command line says besides goes before it. */
static int read_plan(const struct options *o, struct running *run)
{
    static const char *const LOADS[] = {"rate", "stages", "users", "duration", "arrivals", "warmup"};
    struct run_config *c = &run->config, given = *c;
    for (size_t i = 0; i < ARRAY_LEN(LOADS); i++)
        if (options_given(o, LOADS[i]))
            return usage_error("the plan says when sessions start: --%s is for a run without one", LOADS[i]);
    plan_file_scale(run->file, run->rehearse.wanted ? run->rehearse.scale : options_number(o, "scale"),
                    options_number(o, "speed"));
    plan_file_apply(run->file, c);
#define KEEP(option, field)                                                                                            \
    if (options_given(o, option))                                                                                      \
    c->field = given.field
    KEEP("grace", grace_ms);
    KEEP("max-lag", max_lag_ms);
    KEEP("connect-timeout", connect_timeout_ms);
    KEEP("max-time", max_time_ms);
    KEEP("think-scale", think_scale);
    KEEP("money-rate", money_rate);
    KEEP("seed", seed);
    KEEP("threads", threads);
    KEEP("max-open", open_max);
#undef KEEP
    return EXIT_OK;
}

/* --event and --weights, before there is a load: with the plan file as it stands. */
static int read_rehearsal(const struct options *o, struct journeys *js, struct running *run)
{
    struct run_config c = run->config;
    if (run->file)
        plan_file_apply(run->file, &c);
    if (options_given(o, "money-rate"))
        c.money_rate = options_number(o, "money-rate");
    int code = rehearse_read(o, &c, js, run->shared.collector, &run->rehearse);
    if (run->rehearse.wanted)
        run->config.rehearsal = &run->rehearse.rehearsal;
    return code;
}

static int read_options(const struct options *o, struct journeys *js, struct running *run)
{
    struct run_config *c = &run->config;
    c->threads = (unsigned)options_count(o, "threads");
    c->open_max = (unsigned)options_count(o, "max-open");
    if (run->file)
        run->shared.default_target = plan_file_target(run->file);
    int code = load_options_read(o, "load", &run->shared, c);
    if (code == EXIT_OK)
        code = read_rehearsal(o, js, run);
    if (code == EXIT_OK)
        code = run->file ? read_plan(o, run) : read_load(o, run);
    if (options_given(o, "sessions"))
        c->sessions_max = options_count(o, "sessions");
    if (options_given(o, "abort-on-threshold")) {
        c->abort_on_threshold = true;
        c->settle_ms = options_duration_ms(o, "abort-on-threshold");
    }
    if (c->users && c->threads > c->users)
        c->threads = c->users;
    if (c->open_max < c->threads)
        c->open_max = c->threads;
    return code;
}

/* The older run, before the new one starts: a file that cannot be read is not worth a run. */
static int read_before(const struct options *o, struct running *run)
{
    const char *path = options_text(o, "compare");
    char why[200];
    if (path && saved_run_load(path, &run->before, why, sizeof why) < 0)
        return usage_error("--compare %s: %s", path, why);
    return EXIT_OK;
}

/* A guard that sees nothing, or trouble before the first session, is no start. */
static int read_guard(const struct options *o, struct running *run)
{
    const char *url = options_text(o, "guard");
    if (!url)
        return EXIT_OK;
    int r = guard_new(url, options_text(o, "auth-file"), options_duration_ms(o, "guard-blind"), &run->guard);
    if (r == 0)
        r = guard_look(run->guard);
    if (r < 0) {
        fprintf(stderr, "crest-loadgen: --guard: %s\n", run->guard ? guard_error(run->guard) : strerror(-r));
        return EXIT_FAILED;
    }
    if (guard_reason(run->guard)) {
        fprintf(stderr, "crest-loadgen: no load is sent: %s\n", guard_reason(run->guard));
        return EXIT_THRESHOLD;
    }
    return EXIT_OK;
}

/* ---- while it runs ---- */

static void on_tick(void *ctx, const struct run_tick *tick)
{
    struct running *run = ctx;
    remote_part_tick(&run->part, tick);
    if (run->screen)
        live_tick(run->screen, tick);
    else if (run->live)
        report_live(stderr, tick, run->terminal);
    if (run->push && push_tick(run->push, tick, unix_ms()) < 0)
        fprintf(stderr, "crest-loadgen: results of this second could not be encoded\n");
    int r = run->log ? hdr_log_tick(run->log, tick, run->config.journeys) : 0;
    if (r < 0 && run->log_error == 0)
        run->log_error = r;
}

static enum run_wish on_wish(void *ctx)
{
    struct running *run = ctx;
    bool guarded = run->guard && guard_reason(run->guard);
    if (!daemon_stopping())
        return guarded ? RUN_STOP : RUN_GO_ON;
    int64_t now_us = mono_us();
    if (run->stopped_us == 0) {
        run->stopped_us = now_us;
        if (!run->screen)
            fprintf(stderr, "%screst-loadgen: no more sessions are started; running ones finish (again: at once)\n",
                    run->live && run->terminal ? "\n" : "");
    }
    bool drained = daemon_stop_signal() == SIGTERM && now_us - run->stopped_us > DRAIN_MS * 1000;
    return daemon_stop_count() >= 2 || drained ? RUN_ABORT : RUN_STOP;
}

static void on_wait(void *ctx, int64_t timeout_ms)
{
    struct running *run = ctx;
    if (run->guard)
        guard_step(run->guard);
    if (run->screen && live_poll(run->screen, daemon_stop_count()))
        raise(SIGINT);
    if (run->push)
        push_wait(run->push, timeout_ms);
    else
        sleep_us(timeout_ms * 1000);
}

static const char *on_reason(void *ctx)
{
    const struct running *run = ctx;
    return run->guard ? guard_reason(run->guard) : NULL;
}

/* ---- afterwards ---- */

static bool say_written(const char *path, int error)
{
    if (error < 0)
        fprintf(stderr, "crest-loadgen: %s: %s\n", path, strerror(-error));
    return error == 0;
}

/* false: a file could not be written. */
static bool write_files(const struct options *o, struct running *run, const struct run_result *result,
                        const struct run_limit *limit, FILE *to)
{
    struct buf changes;
    buf_init(&changes, RESULT_BYTES_MAX);
    bool good = true;
    if (run->before)
        good = say_written("--compare", outputs_compare(run->before, &run->config, result, to, &changes));
    good &=
        outputs_write(o, &run->config, result, &(struct report_more){.section = buf_view(&changes), .limit = limit});
    buf_done(&changes);
    if (run->log) {
        int closed = hdr_log_close(run->log);
        run->log = NULL;
        good &= say_written(options_text(o, "hdr-log"), run->log_error ? run->log_error : closed);
    }
    return good;
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

/* A terminal that cannot gets the lines. */
static void open_screen(struct running *run)
{
    const struct run_config *c = &run->config;
    double planned_s = c->plan ? c->plan->seconds : (double)c->duration_ms / 1000;
    if (run->file)
        planned_s = plan_file_seconds(run->file);
    if (live_open(c, planned_s, &run->screen) == 0)
        daemon_allow_stops(UINT_MAX); /* the second one ends the run; a third must not leave the screen as it is */
}

static int execute(const struct options *o, struct running *run)
{
    struct run_hooks hooks = {.ctx = run, .tick = on_tick, .wish = on_wish, .wait = on_wait, .reason = on_reason};
    const char *remote = options_text(o, "remote-write"), *log = options_text(o, "hdr-log");
    int r = log ? hdr_log_open(log, unix_ms(), &run->log) : 0;
    if (r < 0) {
        say_written(log, r);
        return EXIT_FAILED;
    }
    if (remote) {
        r = push_new(remote, options_text(o, "auth-file"), &run->config, &run->push);
        if (r == 0)
            r = push_tick(run->push, NULL, unix_ms() - 1); /* the zeros that the first second counts from */
    }
    struct run_result result = {0};
    if (r == 0 && run->live && !options_flag(o, "plain") && term_capable(NULL) && !outputs_to_stdout(o))
        open_screen(run);
    remote_part_begin(&run->part);
    if (r == 0)
        r = remote_wanted(o) ? remote_run(o, &run->config, run->file, &run->rehearse, &hooks, &result)
                             : run_execute(&run->config, &hooks, &result);
    live_close(run->screen);
    run->screen = NULL;
    if (r < 0) {
        fprintf(stderr, "crest-loadgen: the run could not be made: %s\n", strerror(-r));
        return EXIT_FAILED;
    }
    remote_part_end(&run->part, &result);
    finish_push(run);
    FILE *words = outputs_to_stdout(o) ? stderr : stdout;
    report_text(words, &run->config, &result);
    struct run_limit limit;
    const char *collector = run->rehearse.wanted ? run->rehearse.rehearsal.collector : run->shared.collector;
    if (run->config.segments)
        collector = NULL; /* a part is no load of its own */
    run_limit_find(collector, options_text(o, "auth-file"), &run->config, &result, &limit);
    run_limit_text(words, &limit);
    int code = run_exit_code(&result);
    if (!write_files(o, run, &result, &limit, words) && code == EXIT_OK)
        code = EXIT_FAILED;
    run_result_done(&result);
    return code;
}

int command_run(const struct options *o)
{
    struct running run = {0};
    int code = EXIT_OK;
    struct journeys *js = load_run(o, &run.file, &code);
    if (!js)
        return code;
    run.config.journeys = js;
    run.live = !options_flag(o, "quiet");
    run.terminal = isatty(STDERR_FILENO);
    code = read_options(o, js, &run);
    int part_code = remote_segment_read(o, &run.config, js, &run.part);
    code = code == EXIT_OK ? part_code : code;
    if (code == EXIT_OK)
        code = read_before(o, &run);
    if (code == EXIT_OK)
        code = read_guard(o, &run);
    if (code == EXIT_OK) {
        daemon_init("crest-loadgen");
        daemon_allow_stops(2); /* once: let running sessions finish; twice: cut them and report; three times: gone */
        raise_descriptor_limit();
        code = execute(o, &run);
    }
    remote_part_done(&run.part);
    push_free(run.push);
    plan_done(&run.plan);
    load_options_done(&run.shared);
    rehearse_done(&run.rehearse);
    hdr_log_close(run.log);
    saved_run_free(run.before);
    guard_free(run.guard);
    if (run.file)
        plan_file_free(run.file);
    else
        journeys_free(js);
    return code;
}
