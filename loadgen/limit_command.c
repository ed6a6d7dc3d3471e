/* crest-loadgen find-limit: the highest arrival rate that keeps the SLO. */
#include <errno.h>
#include <math.h>
#include <signal.h> /* SIGTERM */

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/commands.h"
#include "loadgen/hurl/slo.h"
#include "loadgen/limit/limit_page.h"
#include "loadgen/load_options.h"
#include "loadgen/outputs.h"
#include "loadgen/push.h"

#define SETTLE_MAX_MS 600000     /* longer journeys want their --settle said */
#define RECOVERY_MEASURE_MS 3000 /* of a look whether the server is back */
#define RECOVERY_SHARE 0.25      /* of a rate that was kept: how much the server gets to recover */
#define RECOVERY_MIN_REQUESTS 5.0
#define PUSH_DRAIN_MS 5000

struct finding {
    struct run_config config;
    struct load_options shared;
    struct probe_plan plan;
    struct limit_rules rules;
    int64_t recover_ms;
    struct threshold *thresholds;
    size_t n_thresholds;
    struct arena arena;
    struct push *push;
    struct limit_result result;
    bool quiet;
};

/* ---- options ---- */

static bool has_own_slo(const struct journeys *js)
{
    for (size_t i = 0; i < js->n_steps; i++)
        if (js->steps[i].n_slos)
            return true;
    return false;
}

/* --slo: for each step that has none of its own. */
static int read_slo(const struct options *o, struct finding *f)
{
    const struct journeys *js = f->config.journeys;
    const char *text = options_text(o, "slo");
    if (!text)
        return has_own_slo(js) ? EXIT_OK
                               : usage_error("nothing says where the limit is: give --slo 'p95<800ms err<1%%', or the "
                                             "journeys' steps their # @slo");
    struct span rest = span_str(text), word;
    size_t words = 1;
    for (size_t i = 0; i < rest.len; i++)
        words += rest.ptr[i] == ' ';
    f->thresholds = calloc(js->n_steps * words + 1, sizeof *f->thresholds);
    if (!f->thresholds)
        return EXIT_FAILED;
    while (span_cut(&rest, ' ', &word)) {
        struct hurl_slo slo;
        if (word.len == 0)
            continue;
        if (hurl_slo_parse(word, &slo) < 0)
            return usage_error("--slo: '" SPAN_FMT "' is no threshold; write %s", SPAN_ARG(word), HURL_SLO_SYNTAX);
        for (size_t i = 0; i < js->n_steps; i++) {
            char *step = arena_dup(&f->arena, js->steps[i].name);
            if (!step)
                return EXIT_FAILED;
            if (js->steps[i].n_slos == 0)
                f->thresholds[f->n_thresholds++] =
                    (struct threshold){.journey = js->steps[i].journey, .step = step, .slo = slo};
        }
    }
    f->config.thresholds = f->thresholds;
    f->config.n_thresholds = f->n_thresholds;
    return EXIT_OK;
}

/* What a session of the longest journey thinks on average: as long as that, a new rate has not arrived at its last step. */
static int64_t think_ms(const struct run_config *c)
{
    double most_us = 0;
    for (size_t i = 0; i < c->journeys->n; i++) {
        const struct hurl_file *f = c->journeys->list[i].file;
        double us = 0;
        for (size_t k = 0; k < f->n_entries; k++) {
            const struct hurl_think *t = &f->entries[k].think;
            us += t->kind == HURL_THINK_UNIFORM ? (double)(t->a_us + t->b_us) / 2 : (double)t->a_us;
        }
        most_us = fmax(most_us, us);
    }
    return (int64_t)fmin(most_us * c->think_scale / 1000, SETTLE_MAX_MS);
}

static int read_options(const struct options *o, struct finding *f)
{
    const char *rate = options_text(o, "rate");
    double start = 10;
    if (rate && (parse_f64_span(span_str(rate), &start) < 0 || !(start > 0 && start <= PLAN_RATE_MAX)))
        return usage_error("--rate takes the sessions per second to begin with, not '%s'", rate);
    f->rules = (struct limit_rules){.start_rate = start,
                                    .rate_max = options_number(o, "max-rate"),
                                    .precision = options_number(o, "precision") / 100,
                                    .probes_max = (unsigned)options_count(o, "probes")};
    if (f->rules.rate_max < start)
        return usage_error("--max-rate is below the rate to begin with");
    f->config.threads = (unsigned)options_count(o, "threads");
    f->config.open_max = (unsigned)options_count(o, "max-open");
    if (f->config.open_max < f->config.threads)
        f->config.open_max = f->config.threads;
    f->recover_ms = options_duration_ms(o, "recover-within");
    f->quiet = options_flag(o, "quiet");
    int code = load_options_read(o, "load", &f->shared, &f->config);
    if (code != EXIT_OK)
        return code;
    f->plan = (struct probe_plan){.settle_ms = options_duration_ms(o, "settle"),
                                  .measure_ms = options_duration_ms(o, "probe"),
                                  .spacing = PLAN_EXACT};
    int64_t think = think_ms(&f->config);
    if (!options_given(o, "settle") && think > f->plan.settle_ms) {
        f->plan.settle_ms = think;
        fprintf(stderr, "crest-loadgen: each probe settles for %.0f s: a session thinks that long (--settle)\n",
                (double)think / 1000);
    }
    return read_slo(o, f);
}

/* ---- the search ---- */

static void on_tick(void *ctx, const struct run_tick *tick)
{
    struct finding *f = ctx;
    if (f->push && push_tick(f->push, tick, unix_ms()) < 0)
        fprintf(stderr, "crest-loadgen: results of this second could not be encoded\n");
}

static enum run_wish on_wish(void *ctx)
{
    (void)ctx;
    if (!daemon_stopping())
        return RUN_GO_ON;
    return daemon_stop_count() >= 2 || daemon_stop_signal() == SIGTERM ? RUN_ABORT : RUN_STOP;
}

static void on_wait(void *ctx, int64_t timeout_ms)
{
    struct finding *f = ctx;
    if (f->push)
        push_wait(f->push, timeout_ms);
    else
        sleep_us(timeout_ms * 1000);
}

/* Low load until the SLO is met again. *ret_s: how long it took; -ETIMEDOUT: it did not come back in time; -EINTR. */
MUST_USE static int await_recovery(struct finding *f, const struct run_hooks *hooks, double broken_rate, double *ret_s)
{
    const struct limit_search *s = &f->result.search;
    double rate = (s->low > 0 ? s->low : broken_rate) * RECOVERY_SHARE;
    int64_t measure_ms = (int64_t)fmax(RECOVERY_MEASURE_MS, RECOVERY_MIN_REQUESTS / rate * 1000);
    struct probe_plan look = {.measure_ms = measure_ms < f->plan.measure_ms ? measure_ms : f->plan.measure_ms,
                              .spacing = PLAN_EVEN};
    int64_t start_us = mono_us();
    do {
        struct limit_probe p;
        int r = probe_run(&f->config, &look, rate, hooks, &p);
        if (r < 0)
            return r;
        if (p.interrupted)
            return -EINTR;
        if (p.answer == LIMIT_MET) {
            *ret_s = fmax(0, (double)(mono_us() - start_us) / 1e6 - (double)look.measure_ms / 1000);
            return 0;
        }
        if (!f->quiet)
            fprintf(stderr, "  not back yet at %.4g sessions/s: %s\n", rate, p.why);
    } while (mono_us() - start_us < f->recover_ms * 1000);
    return -ETIMEDOUT;
}

MUST_USE static int search(struct finding *f, const struct run_hooks *hooks)
{
    struct limit_search *s = &f->result.search;
    double rate;
    limit_search_init(s, &f->rules);
    while (limit_search_next(s, &rate)) {
        struct limit_probe *p = &f->result.probes[s->n];
        f->config.seed++; /* the same arrivals each time would be one sample */
        int r = probe_run(&f->config, &f->plan, rate, hooks, p);
        if (r < 0)
            return r;
        f->result.interrupted = p->interrupted;
        if (p->interrupted)
            return 0;
        limit_search_tell(s, p->answer, p->strain, p->served_rate);
        if (!f->quiet)
            limit_report_probe(stderr, p, s->n);
        if (p->answer != LIMIT_BROKEN || s->end != LIMIT_SEARCHING)
            continue;
        r = await_recovery(f, hooks, rate, &p->recovery_s);
        f->result.interrupted = r == -EINTR;
        if (r == -EINTR)
            return 0;
        if (r == -ETIMEDOUT)
            limit_search_stop(s, LIMIT_UNRECOVERED);
        else if (r < 0)
            return r;
    }
    return 0;
}

/* ---- and what came of it ---- */

static void ask_collector(const struct options *o, struct finding *f)
{
    struct load_span spans[LIMIT_PROBES_MAX];
    size_t n = limit_result_spans(&f->result, spans);
    if (f->shared.collector && n)
        server_limit_find(&(struct limit_question){.collector = f->shared.collector,
                                                   .auth_file = options_text(o, "auth-file"),
                                                   .spans = spans,
                                                   .n = n,
                                                   .in_probes = true},
                          &f->result.server);
}

static int write_json(const struct finding *f, struct buf *out)
{
    limit_report_json(out, &f->result, &f->config);
    return buf_error(out);
}

static int write_html(const struct finding *f, struct buf *out)
{
    return limit_page(&f->result, &f->config, out);
}

static const struct output {
    const char *option;
    int (*write)(const struct finding *f, struct buf *out);
} OUTPUTS[] = {{"json", write_json}, {"html", write_html}};

/* false: it could not be written, which stands on stderr. */
static bool write_output(const struct output *output, const char *path, const struct finding *f)
{
    struct buf out;
    buf_init(&out, RESULT_BYTES_MAX);
    int r = output->write(f, &out);
    if (r == 0)
        r = output_put(path, buf_view(&out));
    buf_done(&out);
    if (r < 0)
        fprintf(stderr, "crest-loadgen: %s: %s\n", path, strerror(-r));
    return r == 0;
}

static int report(const struct options *o, struct finding *f)
{
    bool on_stdout = false, good = true;
    for (size_t i = 0; i < ARRAY_LEN(OUTPUTS); i++) {
        const char *path = options_text(o, OUTPUTS[i].option);
        on_stdout |= path && strcmp(path, "-") == 0;
    }
    limit_result_fit(&f->result);
    ask_collector(o, f);
    limit_report_text(on_stdout ? stderr : stdout, &f->result, f->config.run_id);
    for (size_t i = 0; i < ARRAY_LEN(OUTPUTS); i++) {
        const char *path = options_text(o, OUTPUTS[i].option);
        good &= !path || write_output(&OUTPUTS[i], path, f);
    }
    int code = limit_exit_code(&f->result);
    return !good && code == EXIT_OK ? EXIT_FAILED : code;
}

static int execute(const struct options *o, struct finding *f)
{
    struct run_hooks hooks = {.ctx = f, .tick = on_tick, .wish = on_wish, .wait = on_wait};
    const char *remote = options_text(o, "remote-write");
    daemon_init("crest-loadgen");
    daemon_allow_stops(2);
    raise_descriptor_limit();
    f->result.started_ms = unix_ms();
    int64_t start_us = mono_us();
    int r = remote ? push_new(remote, options_text(o, "auth-file"), &f->config, &f->push) : 0;
    if (r == 0)
        r = search(f, &hooks);
    f->result.seconds = (double)(mono_us() - start_us) / 1e6;
    if (r < 0) {
        fprintf(stderr, "crest-loadgen: the search could not be made: %s\n", strerror(-r));
        return EXIT_FAILED;
    }
    if (f->push && !push_finish(f->push, PUSH_DRAIN_MS))
        fprintf(stderr, "crest-loadgen: not all results reached the collector: %s\n", push_error(f->push));
    return report(o, f);
}

int command_find_limit(const struct options *o)
{
    struct finding *f = calloc(1, sizeof *f);
    int code = EXIT_FAILED;
    struct journeys *js = f ? load_journeys(o, &code) : NULL;
    if (js) {
        arena_init(&f->arena, 16u << 20);
        f->config.journeys = js;
        code = read_options(o, f);
        if (code == EXIT_OK)
            code = execute(o, f);
        push_free(f->push);
        load_options_done(&f->shared);
        free(f->thresholds);
        arena_done(&f->arena);
    }
    journeys_free(js);
    free(f);
    return code;
}
