#include "loadgen/remote_run.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/options_print.h"
#include "loadgen/load_options.h"
#include "loadgen/workers/coordinator.h"
#include "loadgen/workers/order.h"
#include "loadgen/workers/results.h"
#include "loadgen/workers/run_files.h"

/* ---- a part of a run, in the worker's hands ---- */

/* This machine's share of a number that all share. */
static unsigned share(unsigned total, unsigned index, unsigned n)
{
    return total / n + (index < total % n);
}

int remote_segment_read(const struct options *o, struct run_config *c, struct journeys *js, struct remote_part *part)
{
    *part = (struct remote_part){.fd = -1};
    buf_init(&part->line, RESULT_LINE_BYTES_MAX);
    const char *text = options_text(o, "segment"), *to = options_text(o, "results-to");
    if (options_given(o, "start-at"))
        part->start_ms = (int64_t)options_count(o, "start-at");
    if (to) {
        part->fd = open(to, O_WRONLY | O_CLOEXEC);
        if (part->fd < 0)
            return usage_error("--results-to %s: %s", to, strerror(errno));
    }
    if (!text)
        return EXIT_OK;
    struct span s = span_str(text);
    size_t slash = span_find(s, '/');
    uint64_t segment, segments;
    if (slash == s.len || parse_u64_span(span_from(s, slash + 1), WORKERS_MAX, &segments) < 0 || segments == 0 ||
        parse_u64_span(span_of(s.ptr, slash), segments - 1, &segment) < 0)
        return usage_error("--segment takes I/N, as 0/3 for the first of three, not '%s'", text);
    unsigned i = (unsigned)segment, n = (unsigned)segments;
    c->segment = i;
    c->segments = n;
    c->open_max = share(c->open_max, i, n); /* arrivals, users and sessions are shared by the engine */
    c->money_rate /= n;
    if (c->open_max < c->threads)
        c->open_max = c->threads;
    journeys_segment(js, i, n);
    return EXIT_OK;
}

void remote_part_begin(const struct remote_part *part)
{
    int64_t left_us = part->start_ms ? part->start_ms * 1000 - unix_us() : 0;
    if (left_us > 0)
        sleep_us(left_us);
}

/* Whole lines; a reader that is gone ends it quietly: the run is told by a signal. */
static void write_out(struct remote_part *part)
{
    size_t at = 0;
    while (buf_error(&part->line) == 0 && at < part->line.len) {
        ssize_t n = write(part->fd, part->line.data + at, part->line.len - at);
        if (n < 0 && errno != EINTR)
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    buf_clear(&part->line);
}

void remote_part_tick(struct remote_part *part, const struct run_tick *tick)
{
    if (part->fd < 0)
        return;
    results_tick(&part->line, tick);
    write_out(part);
}

void remote_part_end(struct remote_part *part, const struct run_result *result)
{
    if (part->fd < 0)
        return;
    results_end(&part->line, result);
    write_out(part);
}

void remote_part_done(struct remote_part *part)
{
    if (part->fd >= 0)
        close(part->fd);
    part->fd = -1;
    buf_done(&part->line);
}

/* ---- the coordinator's: options and files into an order ---- */

static bool stays_here(const char *option)
{
    return option_in_list("json|csv|html|hdr-log|compare|remote-write|quiet|plain|workers|worker-auth-file|allow-hosts|"
                          "auth-file|guard|guard-blind|ca-file|run-id|seed|event|at|event-from|event-shape|collector",
                          option);
}

/* What the event says instead: workers do not ask for it themselves. */
static void add_event(const struct rehearse *event, struct buf *out)
{
    char scale[NUMBER_TEXT_MAX];
    format_f64(scale, event->scale);
    if (event->rate)
        order_option(out, "rate", event->rate);
    else if (event->stages)
        order_option(out, "stages", event->stages);
    else
        order_option(out, "scale", scale);
    order_option(out, "weights", event->weights);
}

/* Said apart, by what they came to: a file of them may be one that can be read only once. */
static bool is_variable(const char *option)
{
    return option_in_list("variable|variables-file|secret|secrets-file", option);
}

/* What load to make goes to the workers; what is made of it here stays; anything else would be lost unsaid. */
static bool add_options(const struct options *o, const struct run_config *c, const struct rehearse *event,
                        struct buf *out)
{
    const struct option_def *def;
    char seed[NUMBER_TEXT_MAX];
    for (size_t i = 0; (def = options_def(o, i)); i++) {
        if (!options_given(o, def->name) || stays_here(def->name) || is_variable(def->name))
            continue;
        if (event->wanted && option_in_list(event->stages ? "weights|duration" : "weights", def->name))
            continue;
        if (!order_takes(def->name)) {
            usage_error("--%s cannot be given with --workers", def->name);
            return false;
        }
        order_option(out, def->name, def->type == OPT_FLAG ? NULL : options_text(o, def->name));
    }
    for (const struct journey_given *g = c->journeys->given; g; g = g->next)
        if (g->secret)
            order_secret(out, g->text);
        else
            order_option(out, "variable", g->text.ptr);
    if (event->wanted)
        add_event(event, out);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->seed);
    order_option(out, "run-id", c->run_id);
    order_option(out, "seed", seed);
    return true;
}

MUST_USE static int find_files(const struct options *o, const struct run_config *c, const struct plan_file *plan,
                               struct run_files *files)
{
    struct problems ps;
    const char *trace;
    int r = 0;
    problems_init(&ps);
    for (size_t i = 0; i < options_operand_count(o) && r == 0; i++)
        r = run_files_add(files, options_operand(o, i));
    for (size_t i = 0; plan && r == 0 && (trace = plan_file_trace_path(plan, i)); i++)
        r = run_files_add(files, trace);
    if (r == 0)
        r = run_files_add_journeys(files, c->journeys, &ps);
    problems_print(&ps, stderr);
    problems_done(&ps);
    if (r == -E2BIG)
        usage_error("more than %u files", ORDER_ARGS_MAX);
    return r;
}

MUST_USE static int add_files(const struct options *o, const struct run_config *c, const struct plan_file *plan,
                              struct buf *out)
{
    struct run_files files;
    run_files_init(&files);
    int r = find_files(o, c, plan, &files);
    for (size_t i = 0; i < files.n && r == 0; i++) {
        char *text = NULL;
        size_t n;
        r = file_read(files.list[i].path, FEED_BYTES_MAX, &text, &n);
        if (r < 0)
            usage_error("%s: %s", files.list[i].path, strerror(-r));
        else
            order_file(out, span_str(run_files_name(&files, i)), span_of(text, n));
        free(text);
    }
    for (size_t i = 0; i < options_operand_count(o) && r == 0; i++) {
        const char *name = run_files_find(&files, options_operand(o, i));
        if (name)
            order_operand(out, span_str(name));
        else
            r = -ENOMEM;
    }
    run_files_done(&files);
    return r;
}

/* ---- and the run ---- */

bool remote_wanted(const struct options *o)
{
    return options_text(o, "workers") != NULL;
}

int remote_run(const struct options *o, const struct run_config *config, const struct plan_file *plan,
               const struct rehearse *event, const struct run_hooks *hooks, struct run_result *result)
{
    char urls[WORKERS_MAX][280], why[400] = "";
    const char *list[WORKERS_MAX];
    struct workers ws = {.urls = list};
    struct span rest = span_str(options_text(o, "workers")), one;
    while (span_cut(&rest, ',', &one)) {
        one = span_trim(one);
        if (one.len == 0 || one.len > 250 || ws.n == WORKERS_MAX) {
            usage_error("--workers takes up to %u of HOST:PORT, separated by commas", WORKERS_MAX);
            return -EINVAL;
        }
        bool url = span_search(one, SPAN("://")) < one.len;
        snprintf(urls[ws.n], sizeof urls[0], "%s" SPAN_FMT, url ? "" : "http://", SPAN_ARG(one));
        list[ws.n] = urls[ws.n];
        ws.n++;
    }
    struct http_credentials credentials = {.auth_file = options_text(o, "worker-auth-file"),
                                           .ca_file = options_text(o, "ca-file")};
    struct buf order;
    buf_init(&order, ORDER_BYTES_MAX);
    ws.credentials = &credentials;
    int r = add_options(o, config, event, &order) ? add_files(o, config, plan, &order) : -EINVAL;
    if (r == 0 && buf_error(&order))
        r = buf_error(&order);
    ws.order = buf_view(&order);
    if (r == 0)
        r = workers_run(config, &ws, hooks, result, why, sizeof why);
    if (r < 0 && why[0])
        fprintf(stderr, "crest-loadgen: %s\n", why);
    buf_done(&order);
    return r;
}
