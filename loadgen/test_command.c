/* crest-loadgen test: journeys as functional tests, with hurl's rules and exit codes; and check: files without running them. */
#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "loadgen/commands.h"
#include "loadgen/engine/plan_file.h"

enum hurl_exit { HURL_OK = 0, HURL_USAGE = 1, HURL_PARSE = 2, HURL_RUNTIME = 3, HURL_ASSERT = 4 };

struct testing {
    int code; /* the worst so far of this file */
};

static void on_failure(void *ctx, const struct journey *j, const struct hurl_entry *e, const struct hurl_failure *why)
{
    struct testing *t = ctx;
    (void)e;
    int code = why->kind == HURL_FAILED_RUN ? HURL_RUNTIME : HURL_ASSERT;
    fprintf(stderr, "%s:%u:%u: %s: %s\n", j->file->name, why->at.line, why->at.column,
            code == HURL_RUNTIME ? "runtime error" : "assert failed", why->text);
    if (t->code == HURL_OK || code == HURL_RUNTIME)
        t->code = code;
}

static enum run_wish on_wish(void *ctx)
{
    (void)ctx;
    return daemon_stopping() ? RUN_ABORT : RUN_GO_ON;
}

/* One file, once. */
static int test_file(const struct journeys *all, size_t i, const struct run_config *base)
{
    struct testing t = {0};
    struct journeys one = *all; /* the same steps, only this journey to pick */
    one.list = &all->list[i];
    one.n = 1;
    struct run_config config = *base;
    config.journeys = &one;
    config.on_failure = on_failure;
    config.on_failure_ctx = &t;
    struct run_hooks hooks = {.wish = on_wish};
    struct run_result result;
    int r = run_execute(&config, &hooks, &result);
    if (r < 0) {
        fprintf(stderr, "%s: cannot be run: %s\n", all->list[i].file->name, strerror(-r));
        return HURL_RUNTIME;
    }
    printf("%s: %s (%llu request%s in %.0f ms)\n", all->list[i].file->name, t.code ? "Failure" : "Success",
           (unsigned long long)result.total->requests.started, result.total->requests.started == 1 ? "" : "s",
           result.duration_s * 1000);
    run_result_done(&result);
    return t.code;
}

int command_test(const struct options *o)
{
    int code = 0;
    struct journeys *js = load_journeys(o, &code);
    if (!js)
        return code == EXIT_USAGE ? HURL_PARSE : HURL_RUNTIME;
    char run_id[RUN_ID_BYTES_MAX + 1], header[RUN_ID_BYTES_MAX + 16];
    struct allow_hosts *allow = NULL;
    uint64_t seed = options_given(o, "seed") ? options_count(o, "seed") : (uint64_t)unix_us() & 0xffffffff;
    struct problems ps;
    problems_init(&ps);
    bool good = make_run_id(o, seed, run_id, sizeof run_id);
    if (good && options_text(o, "allow-hosts"))
        good = allow_hosts_load(options_text(o, "allow-hosts"), &allow, &ps) == 0;
    problems_print(&ps, stderr);
    problems_done(&ps);
    snprintf(header, sizeof header, "synthetic/%s", run_id);
    struct url target;
    const char *reason = "";
    if (good && options_text(o, "target") && url_parse(&target, span_str(options_text(o, "target")), &reason) < 0) {
        fprintf(stderr, "crest-loadgen: --target: %s\n", reason);
        good = false;
    }
    struct run_config config = {
        .users = 1,
        .threads = 1,
        .open_max = 1,
        .sessions_max = 1,
        .grace_ms = INT64_C(86400000),
        .max_lag_ms = INT64_C(86400000),
        .connect_timeout_ms = options_duration_ms(o, "connect-timeout"),
        .max_time_ms = options_duration_ms(o, "max-time"),
        .seed = seed,
        .run_id = run_id,
        .run_header = options_flag(o, "as-customers") ? NULL : header,
        .target = good && options_text(o, "target") ? &target : NULL,
        .allow = allow,
        .ca_file = options_text(o, "ca-file"),
        .functional = true,
    };
    size_t failed = 0;
    daemon_init("crest-loadgen");
    for (size_t i = 0; good && i < js->n && !daemon_stopping(); i++) {
        int file_code = test_file(js, i, &config);
        failed += file_code != HURL_OK;
        if (file_code == HURL_RUNTIME || code == HURL_OK)
            code = file_code;
    }
    if (good)
        printf("%zu file%s: %zu succeeded, %zu failed\n", js->n, js->n == 1 ? "" : "s", js->n - failed, failed);
    allow_hosts_free(allow);
    journeys_free(js);
    if (daemon_stopping())
        return EXIT_INTERRUPTED;
    return good ? code : HURL_USAGE;
}

/* ---- check ---- */

static const char *const KINDS[] = {"journey", "plan", "hosts", "feed"};

static void check_file(const char *kind, const char *path, struct problems *ps)
{
    if (strcmp(kind, "hosts") == 0) {
        struct allow_hosts *a = NULL;
        if (allow_hosts_load(path, &a, ps) == 0)
            allow_hosts_free(a);
    } else if (strcmp(kind, "feed") == 0) {
        struct feed *f = NULL;
        if (feed_load(path, HURL_FEED_SEQUENTIAL, 0, 1, &f, ps) == 0)
            feed_free(f);
    } else if (strcmp(kind, "plan") == 0) {
        struct plan_file *plan = NULL;
        if (plan_file_load(path, &plan, ps) == 0)
            plan_file_free(plan);
    } else {
        struct journeys *js = NULL;
        if (journeys_load(&path, 1, &js, ps) == 0)
            journeys_free(js);
    }
}

/* Without a KIND the name decides: .csv is a feed, .yml a plan; anything else is read as a journey. */
static const char *kind_of(const char *path)
{
    struct span s = span_str(path), csv = SPAN(".csv");
    if (is_plan_path(path))
        return "plan";
    return s.len > csv.len && span_equal(span_from(s, s.len - csv.len), csv) ? "feed" : "journey";
}

int command_check(const struct options *o)
{
    struct problems ps;
    problems_init(&ps);
    size_t first = 0, n = options_operand_count(o);
    const char *kind = NULL;
    for (size_t i = 0; i < ARRAY_LEN(KINDS) && n > 1; i++)
        if (strcmp(options_operand(o, 0), KINDS[i]) == 0) {
            kind = KINDS[i];
            first = 1;
        }
    for (size_t i = first; i < n; i++)
        check_file(kind ? kind : kind_of(options_operand(o, i)), options_operand(o, i), &ps);
    problems_print(&ps, stderr);
    int code = problems_errors(&ps) ? EXIT_USAGE : EXIT_OK;
    problems_done(&ps);
    return code;
}
