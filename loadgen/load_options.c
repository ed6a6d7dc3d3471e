#include "loadgen/load_options.h"

#include <stdarg.h>
#include <sys/random.h>

#include "lib/base/clock.h"
#include "lib/base/problem.h"
#include "loadgen/commands.h"

int usage_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("crest-loadgen: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE;
}

/* ---- where it may go ---- */

/* Hosts that are known before the start, and not allowed: each at its place. */
static size_t refuse_hosts(const struct run_config *c)
{
    struct problems ps;
    problems_init(&ps);
    for (size_t i = 0; i < c->journeys->n; i++) {
        const struct journey *j = &c->journeys->list[i];
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
            struct buf host;
            buf_init(&host, 65536);
            if (known && !allow_hosts_permits(c->allow, u.host, u.port)) {
                secrets_hide(&host, &c->journeys->secrets, u.host);
                problem_add(&ps, PROBLEM_ERROR, j->file->name, t->at.line, t->at.column,
                            "no load to '" SPAN_FMT
                            ":%u': it is not loopback; name it in a file given with --allow-hosts FILE",
                            SPAN_ARG(buf_view(&host)), (unsigned)u.port);
            }
            buf_done(&host);
            buf_done(&text);
        }
        arena_done(&scratch);
    }
    problems_print(&ps, stderr);
    size_t n = problems_errors(&ps);
    problems_done(&ps);
    return n;
}

static int read_target(const struct options *o, struct load_options *to, struct run_config *c)
{
    const char *given = options_text(o, "target"), *target = given ? given : to->default_target,
               *hosts = options_text(o, "allow-hosts"), *reason;
    bool customers = options_flag(o, "as-customers");
    if (customers && hosts)
        return usage_error(
            "--as-customers is for loopback only: elsewhere requests must carry X-Crest-Run, or a rehearsal "
            "counts as sales");
    if (hosts) {
        struct problems ps;
        problems_init(&ps);
        int r = allow_hosts_load(hosts, &to->allow, &ps);
        problems_print(&ps, stderr);
        problems_done(&ps);
        if (r < 0)
            return EXIT_USAGE;
        c->allow = to->allow;
    }
    if (target) {
        if (url_parse(&to->target, span_str(target), &reason) < 0)
            return usage_error("--target: %s", reason);
        if (to->target.path.len > 1 || to->target.query.ptr)
            return usage_error("--target is scheme, host and port: the paths are the journeys'");
        if (!allow_hosts_permits(c->allow, to->target.host, to->target.port))
            return usage_error("no load to '" SPAN_FMT
                               ":%u': it is not loopback; name it in a file given with --allow-hosts FILE",
                               SPAN_ARG(to->target.host), (unsigned)to->target.port);
        c->target = &to->target;
        return EXIT_OK;
    }
    return refuse_hosts(c) ? EXIT_USAGE : EXIT_OK;
}

/* ---- who watches ---- */

#define WRITE_PATH "/api/v1/write"

static void read_collector(const struct options *o, struct load_options *to)
{
    const char *results = options_text(o, "remote-write"), *guard = options_text(o, "guard");
    struct span base = span_str(results), path = SPAN(WRITE_PATH);
    to->collector = options_text(o, "collector");
    if (!to->collector)
        to->collector = guard;
    if (to->collector || base.len <= path.len || !span_equal(span_from(base, base.len - path.len), path))
        return;
    int n = snprintf(to->collector_text, sizeof to->collector_text, SPAN_FMT, (int)(base.len - path.len), base.ptr);
    if (n >= 0 && (size_t)n < sizeof to->collector_text)
        to->collector = to->collector_text;
}

int load_options_read(const struct options *o, const char *kind, struct load_options *to, struct run_config *c)
{
    c->grace_ms = options_duration_ms(o, "grace");
    c->max_lag_ms = options_duration_ms(o, "max-lag");
    c->connect_timeout_ms = options_duration_ms(o, "connect-timeout");
    c->max_time_ms = options_duration_ms(o, "max-time");
    c->think_scale = options_number(o, "think-scale");
    c->money_rate = options_number(o, "money-rate");
    c->ca_file = options_text(o, "ca-file");
    read_collector(o, to);
    if (options_given(o, "seed"))
        c->seed = options_count(o, "seed");
    else if (getrandom(&c->seed, sizeof c->seed, 0) != (ssize_t)sizeof c->seed)
        c->seed = (uint64_t)unix_us();
    c->seed &= 0xffffffff; /* short enough to type again */
    if (!make_run_id(o, c->seed, to->run_id, sizeof to->run_id))
        return EXIT_USAGE;
    c->run_id = to->run_id;
    snprintf(to->header, sizeof to->header, "%s/%s", kind, to->run_id);
    c->run_header = options_flag(o, "as-customers") ? NULL : to->header;
    if (command_options_read(o, &to->options) < 0)
        return EXIT_USAGE;
    c->options = to->options.list;
    c->n_options = to->options.n;
    return read_target(o, to, c);
}

void load_options_done(struct load_options *lo)
{
    allow_hosts_free(lo->allow);
    command_options_done(&lo->options);
}
