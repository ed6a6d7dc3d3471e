#include "loadgen/import/log.h"

#include <errno.h>

#include "lib/base/file.h"
#include "loadgen/import/line_reader.h"
#include "loadgen/import/log_report.h"
#include "loadgen/import/log_write.h"
#include "loadgen/import/names.h"

#define AWAY_US                                                                                                        \
    (INT64_C(500) * 86400 *                                                                                            \
     1000000) /* from the first line's time: a clock was wrong; one in which a plan's trace can be as long */

struct pending { /* requests of one second whose stamps have no fraction */
    int64_t second_us, duration_us;
    enum log_class class;
    size_t route, client_at, client_len; /* in the texts */
};
struct import {
    const struct log_options *o;
    struct problems *ps;
    struct log_format format;
    struct log_routes *routes[LOG_CLASSES]; /* what bots ask for is no measure of what people do */
    struct log_sessions *sessions;
    struct log_report report;
    struct pending *pending;
    size_t n_pending, cap_pending;
    int64_t origin_us; /* the first line's time; 0: none yet */
    struct buf texts;  /* their clients */
    struct buf client;
};

/* ---- what a request is ---- */

/* Crawlers, monitors and tools by their own names. */
static bool is_bot(struct span agent)
{
    static const char *const WORDS[] = {"bot",         "crawl",    "spider",           "slurp",   "curl/",
                                        "wget",        "python-",  "go-http",          "java/",   "okhttp/",
                                        "scrapy",      "monitor",  "uptime",           "pingdom", "kube-probe",
                                        "healthcheck", "headless", "facebookexternal", "preview", "http-client",
                                        "libwww",      "axios/",   "node-fetch",       "claude-", "gptbot"};
    for (size_t w = 0; w < ARRAY_LEN(WORDS); w++) {
        struct span word = span_str(WORDS[w]);
        for (size_t i = 0; i + word.len <= agent.len; i++)
            if (span_equal_nocase(span_of(agent.ptr + i, word.len), word))
                return true;
    }
    return false;
}

/* Counts what is left out. 429 and 499 were load as it was meant; what a scanner asked for in vain was not. */
static bool is_left_out(struct import *im, const struct log_line *l)
{
    bool body = !span_equal(l->method, SPAN("GET")) && !span_equal(l->method, SPAN("HEAD"));
    if (l->status >= 400 && l->status < 500 && l->status != 429 && l->status != 499 && l->status != 408)
        im->report.refused++;
    else if (span_equal(l->method, SPAN("OPTIONS")) || (body && !im->o->posts))
        im->report.bodies++;
    else if (!im->o->assets && is_asset_path(span_of(l->uri.ptr, span_find(l->uri, '?'))))
        im->report.assets++;
    else
        return false;
    return true;
}

/* ---- stamps of whole seconds, spread ---- */

/* The k-th of n requests of a second came at (k + 1/2)/n of it; then its duration is taken off. */
MUST_USE static int flush_second(struct import *im)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < im->n_pending; i++) {
        const struct pending *p = &im->pending[i];
        int64_t at_us = p->second_us + (int64_t)((2 * i + 1) * 1000000 / (2 * im->n_pending));
        struct span client = span_of(im->texts.data + p->client_at, p->client_len);
        r = log_sessions_add(im->sessions, client, p->class, p->route,
                             at_us - (p->duration_us > 0 ? p->duration_us : 0), p->duration_us);
    }
    im->n_pending = 0;
    buf_clear(&im->texts);
    return r;
}

MUST_USE static int wait_for_second(struct import *im, const struct log_line *l, enum log_class class, size_t route,
                                    struct span client)
{
    int r = 0;
    if (im->n_pending && (im->pending[0].second_us != l->time_us || im->n_pending >= LOG_SECOND_MAX))
        r = flush_second(im);
    if (r == 0 && im->n_pending == im->cap_pending) {
        size_t cap = im->cap_pending ? 2 * im->cap_pending : 256;
        struct pending *bigger = realloc(im->pending, cap * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        im->pending = bigger;
        im->cap_pending = cap;
    }
    if (r < 0)
        return r;
    im->pending[im->n_pending++] =
        (struct pending){l->time_us, l->duration_us, class, route, im->texts.len, client.len};
    buf_span(&im->texts, client);
    return buf_error(&im->texts) ? -ENOMEM : 0;
}

/* ---- lines ---- */

/* Who it was: the session field, else address and user agent. Empty: nobody can tell. */
static struct span client_of(struct import *im, const struct log_line *l)
{
    buf_clear(&im->client);
    if (im->o->session) {
        buf_span(&im->client, l->session);
    } else if (l->client.len) {
        buf_span(&im->client, l->client);
        buf_char(&im->client, ' ');
        buf_span(&im->client, l->agent);
    }
    return buf_view(&im->client);
}

MUST_USE static int add_line(struct import *im, const struct log_line *l)
{
    struct log_report *report = &im->report;
    size_t route;
    if (is_left_out(im, l))
        return 0;
    enum log_class class = is_bot(l->agent) ? LOG_BOTS : LOG_PEOPLE;
    int r = log_routes_add(im->routes[class], l, &route);
    if (r < 0)
        return r;
    if (route == LOG_NO_ROUTE) {
        report->other++;
        return 0;
    }
    report->requests++;
    report->first_us = report->first_us == 0 || l->time_us < report->first_us ? l->time_us : report->first_us;
    report->last_us = l->time_us > report->last_us ? l->time_us : report->last_us;
    report->whole_seconds = report->whole_seconds || l->whole_seconds;
    report->has_durations = report->has_durations || l->duration_us >= 0;
    struct span client = client_of(im, l);
    report->has_clients = report->has_clients || client.len > 0;
    if (l->whole_seconds)
        return wait_for_second(im, l, class, route, client);
    return log_sessions_add(im->sessions, client, class, route, l->time_us - (l->duration_us > 0 ? l->duration_us : 0),
                            l->duration_us);
}

/* NULL, or why it cannot be. */
static const char *read_line(struct import *im, struct span line, struct log_line *ret)
{
    if (log_format_read(&im->format, line, ret) < 0)
        return im->format.why;
    if (im->origin_us == 0)
        im->origin_us = ret->time_us;
    bool far = ret->time_us < im->origin_us - AWAY_US || ret->time_us > im->origin_us + AWAY_US;
    return far ? "its time is more than 500 days from the first line's" : NULL;
}

MUST_USE static int read_file(struct import *im, const char *path)
{
    struct line_reader *reader = NULL;
    struct span line;
    uint32_t number = 0;
    uint64_t bad = 0, good = 0;
    const char *name = strcmp(path, "-") == 0 ? "stdin" : path;
    int r = line_reader_open(path, &reader), more = 0;
    while (r == 0 && (more = line_reader_next(reader, &line)) > 0) {
        struct log_line l;
        number++;
        if (span_trim(line).len == 0)
            continue;
        im->report.lines++;
        const char *why = line_reader_cut(reader) ? "it is too long" : read_line(im, line, &l);
        if (!why) {
            good++;
            r = add_line(im, &l);
            continue;
        }
        if (bad++ < LOG_BAD_LINES_SHOWN)
            problem_add(im->ps, PROBLEM_WARNING, name, number, 1, "this line is left out: %s", why);
    }
    line_reader_close(reader);
    im->report.bad += bad;
    if (r == 0 && more < 0)
        r = more;
    if (r < 0 && r != -ENOMEM) {
        problem_add(im->ps, PROBLEM_ERROR, name, 0, 0, "cannot be read: %s",
                    r == -EBADMSG ? "its compressed bytes are broken" : strerror(-r));
        return -EINVAL;
    }
    if (r == 0 && bad > LOG_BAD_LINES_SHOWN)
        problem_add(im->ps, PROBLEM_WARNING, name, 0, 0, "%llu lines are left out, %llu were read",
                    (unsigned long long)bad, (unsigned long long)good);
    return r;
}

/* ---- what came of it ---- */

MUST_USE static int write_report(struct import *im, const char *dir, FILE *to)
{
    struct buf out;
    char path[4096];
    buf_init(&out, CONFIG_BYTES_MAX);
    log_report_json(&im->report, &out);
    snprintf(path, sizeof path, "%s/fidelity.json", dir);
    int r = buf_error(&out) ? -ENOMEM : file_write(path, out.data, out.len);
    buf_done(&out);
    if (r < 0 && r != -ENOMEM) {
        problem_add(im->ps, PROBLEM_ERROR, path, 0, 0, "cannot be written: %s", strerror(-r));
        return -EINVAL;
    }
    if (r == 0)
        log_report_print(&im->report, to);
    return r;
}

MUST_USE static int write_all(struct import *im, const char *const *files, size_t n, const char *dir, FILE *to)
{
    size_t order[LOG_CLASSES][LOG_ROUTES_MAX];
    struct log_chain *chains[LOG_CLASSES] = {NULL};
    struct log_fidelity fidelity[LOG_CLASSES] = {0};
    struct rng rng;
    const char *slash = strrchr(files[0], '/');
    char title[300];
    snprintf(title, sizeof title, "%s%s", slash ? slash + 1 : files[0], n > 1 ? " and others" : "");
    struct log_writer w = {.dir = dir, .title = title, .problems = im->ps, .first_us = INT64_MAX};
    int r = 0;
    rng_seed(&rng, 1);
    for (size_t i = 0; r == 0 && i < LOG_CLASSES; i++) {
        struct log_group *g = &im->sessions->of[i];
        r = log_routes_settle(im->routes[i], order[i]);
        if (r == 0)
            r = log_chain_new(g, im->routes[i], order[i], &chains[i]);
        if (r == 0)
            r = log_chain_compare(chains[i], g, order[i], &rng, &fidelity[i]);
        if (g->starts.n && g->starts.at[0] < w.first_us)
            w.first_us = g->starts.at[0];
        im->report.times_left_out += g->starts.left_out + g->requests.left_out;
    }
    im->report.crowded = im->sessions->crowded;
    for (size_t i = 0; r == 0 && i < LOG_CLASSES; i++) {
        r = log_write_class(&w, (enum log_class)i, chains[i], &im->sessions->of[i], im->routes[i]);
        if (im->sessions->of[i].sessions)
            im->report.classes[im->report.n_classes++] =
                (struct log_report_class){LOG_CLASS_NAMES[i], im->routes[i], chains[i], &fidelity[i]};
    }
    if (r == 0)
        r = log_write_plan(&w);
    if (r == 0)
        r = write_report(im, dir, to);
    for (size_t i = 0; i < LOG_CLASSES; i++) {
        log_chain_free(chains[i]);
        log_fidelity_done(&fidelity[i]);
    }
    return r;
}

int import_logs(const char *const *files, size_t n, const char *dir, const struct log_options *o, FILE *report,
                struct problems *ps)
{
    struct import im = {.o = o, .ps = ps};
    char why[256] = "";
    int r = log_format_init(&im.format, o->format, o->fields, o->n_fields, o->session, why, sizeof why);
    if (r < 0) {
        if (r == -EINVAL)
            problem_add(ps, PROBLEM_ERROR, "", 0, 0, "%s", why);
        return r;
    }
    buf_init(&im.texts, (size_t)LOG_SECOND_MAX * LOG_LINE_BYTES_MAX);
    buf_init(&im.client, 4 * LOG_LINE_BYTES_MAX);
    r = 0;
    for (size_t i = 0; r == 0 && i < LOG_CLASSES; i++)
        r = log_routes_new(&im.routes[i]);
    if (r == 0)
        r = log_sessions_new(o->gap_ms * 1000, &im.sessions);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = read_file(&im, files[i]);
    if (r == 0)
        r = flush_second(&im);
    if (r == 0 && im.report.requests == 0) {
        problem_add(ps, PROBLEM_ERROR, n ? files[0] : "", 0, 0, "no request of the log can be in a plan");
        r = -EINVAL;
    }
    if (r == 0) {
        log_sessions_end(im.sessions);
        r = dir_make(dir);
        if (r < 0 && r != -ENOMEM) {
            problem_add(ps, PROBLEM_ERROR, dir, 0, 0, "cannot be made: %s", strerror(-r));
            r = -EINVAL;
        }
    }
    if (r == 0)
        r = write_all(&im, files, n, dir, report);
    log_sessions_free(im.sessions);
    for (size_t i = 0; i < LOG_CLASSES; i++)
        log_routes_free(im.routes[i]);
    log_format_done(&im.format);
    buf_done(&im.texts);
    buf_done(&im.client);
    free(im.pending);
    return r;
}
