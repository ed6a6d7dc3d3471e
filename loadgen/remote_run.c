#include "loadgen/remote_run.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "loadgen/load_options.h"
#include "loadgen/workers/coordinator.h"
#include "loadgen/workers/order.h"
#include "loadgen/workers/results.h"

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

static bool is_listed(const char *name, const char *const *list)
{
    for (size_t i = 0; list[i]; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

/* What load to make goes to the workers; what is made of it here stays; anything else would be lost unsaid. */
static bool add_options(const struct options *o, const struct run_config *c, struct buf *out)
{
    static const char *const HERE[] = {"json",      "csv",   "html",        "hdr-log", "compare", "remote-write",
                                       "auth-file", "quiet", "allow-hosts", "ca-file", "workers", "worker-auth-file",
                                       "run-id",    "seed",  NULL};
    char text[8192];
    const struct option_def *def;
    for (size_t i = 0; (def = options_def(o, i)); i++) {
        if (!options_given(o, def->name) || is_listed(def->name, HERE))
            continue;
        if (!is_listed(def->name, ORDER_OPTIONS) || def->type == OPT_FLAG) {
            usage_error("--%s cannot be given with --workers", def->name);
            return false;
        }
        size_t n = def->type == OPT_LIST ? options_list_count(o, def->name) : 1;
        for (size_t k = 0; k < n; k++) {
            snprintf(text, sizeof text, "--%s=%s", def->name,
                     def->type == OPT_LIST ? options_list(o, def->name, k) : options_text(o, def->name));
            order_arg(out, text);
        }
    }
    snprintf(text, sizeof text, "--run-id=%s", c->run_id);
    order_arg(out, text);
    snprintf(text, sizeof text, "--seed=%llu", (unsigned long long)c->seed);
    order_arg(out, text);
    return true;
}

struct sent_files {
    char *paths[ORDER_ARGS_MAX]; /* absolute */
    size_t n, operands;
    size_t common; /* bytes of the folder that all are below, with its slash */
};

static bool add_path(struct sent_files *f, const char *path)
{
    char *real = realpath(path, NULL);
    if (!real) {
        usage_error("%s: %s", path, strerror(errno));
        return false;
    }
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->paths[i], real) == 0) {
            free(real);
            return true;
        }
    if (f->n == ORDER_ARGS_MAX) {
        free(real);
        usage_error("more than %u files", ORDER_ARGS_MAX);
        return false;
    }
    f->paths[f->n++] = real;
    return true;
}

static bool add_beside(struct sent_files *f, const char *journey, struct span name)
{
    char *text = span_dup(name), *path = text ? path_beside(journey, text) : NULL;
    bool good = path && add_path(f, path);
    free(text);
    free(path);
    return good;
}

/* What a journey reads: feeds, and bodies whose names are known. */
static bool add_files_of(struct sent_files *f, const struct hurl_file *file)
{
    struct span name;
    bool good = add_path(f, file->name);
    for (size_t i = 0; good && i < file->n_feeds; i++)
        good = add_beside(f, file->name, file->feeds[i].file);
    for (size_t i = 0; good && i < file->n_entries; i++) {
        const struct hurl_request *r = &file->entries[i].request;
        if (r->body.kind == HURL_BODY_FILE && hurl_template_static(&r->body.text, &name))
            good = add_beside(f, file->name, name);
        for (size_t k = 0; good && k < r->n_multipart; k++)
            if (r->multipart[k].is_file && hurl_template_static(&r->multipart[k].value, &name))
                good = add_beside(f, file->name, name);
    }
    return good;
}

static void find_common(struct sent_files *f)
{
    f->common = f->n ? (size_t)(strrchr(f->paths[0], '/') - f->paths[0]) + 1 : 0;
    for (size_t i = 1; i < f->n; i++) {
        size_t same = 0;
        while (same < f->common && f->paths[i][same] == f->paths[0][same])
            same++;
        while (same && f->paths[0][same - 1] != '/')
            same--;
        f->common = same;
    }
}

static bool add_files(const struct options *o, const struct run_config *c, struct buf *out)
{
    struct sent_files *f = calloc(1, sizeof *f);
    bool good = f != NULL;
    for (size_t i = 0; good && i < options_operand_count(o); i++)
        good = add_path(f, options_operand(o, i));
    if (good)
        f->operands = f->n;
    for (size_t i = 0; good && i < c->journeys->n; i++)
        good = add_files_of(f, c->journeys->list[i].file);
    if (good)
        find_common(f);
    for (size_t i = 0; good && i < f->n; i++) {
        struct span name = span_str(f->paths[i] + f->common);
        char *text = NULL;
        size_t n;
        int r = file_read(f->paths[i], FEED_BYTES_MAX, &text, &n);
        if (r < 0)
            usage_error("%s: %s", f->paths[i], strerror(-r));
        else
            order_file(out, name, span_of(text, n));
        if (i < f->operands)
            order_operand(out, name);
        free(text);
        good = r == 0;
    }
    for (size_t i = 0; f && i < f->n; i++)
        free(f->paths[i]);
    free(f);
    return good;
}

/* ---- and the run ---- */

bool remote_wanted(const struct options *o)
{
    return options_text(o, "workers") != NULL;
}

int remote_run(const struct options *o, const struct run_config *config, const struct run_hooks *hooks,
               struct run_result *result)
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
    int r = add_options(o, config, &order) && add_files(o, config, &order) ? 0 : -EINVAL;
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
