/* bench-rules: 10,000 alerting rules over 100,000 series, evaluated in one process on one core; store and alert states on disk.
 *
 * Each of 10,000 services has ten series, http_requests_total of five instances with two codes, and a rule that selects them by the service's
 * name: half of the rules look at the share of errors, half for instances without traffic. One service in a hundred is in trouble, so its
 * alert fires. 100 groups of 100 rules run every 15 s, which is also the distance of scrapes; a scrape is written between two evaluations
 * and not measured, as are the first six evaluations, until the alerts fire.
 * BENCH_RUNS (10) evaluations of all rules; BENCH_FAST=1: two, of a tenth of the services. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "collector/notify/notify.h"
#include "collector/rules/rules.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/metric/sample.h"
#include "tests/support/bench.h"
#include "tests/support/check.h"

#define SERIES_PER_SERVICE 10u
#define SERVICES_PER_REQUEST 200u
#define RULES_PER_GROUP 100u
#define SCRAPE_MS 15000
#define SCRAPES 20u /* before the first evaluation: five minutes */
#define FIRST_TURNS 6u

struct world {
    unsigned services, scrapes;
    int64_t now_ms;
    char *dir;
    struct store *store;
    struct state *state;
    struct query_engine *query;
    struct rules *rules;
    uint64_t told;
};

static int64_t clock_of(void *ctx)
{
    return ((struct world *)ctx)->now_ms;
}

static int count_alerts(void *ctx, struct db *db UNUSED, const struct alert *alerts UNUSED, size_t n)
{
    ((struct world *)ctx)->told += n;
    return 0;
}

static void use_one_core(void)
{
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        check_failed("sched_getaffinity: %s", strerror(errno));
    size_t last = 0;
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all))
            last = i;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        check_failed("sched_setaffinity: %s", strerror(errno));
}

/* ---- samples ---- */

static bool in_trouble(unsigned service)
{
    return service % 100 == 7;
}

/* Errors are a thousandth of requests, a tenth where there is trouble; instance 4 of every second such service stands still. */
static double value_of(const struct world *w, unsigned service, unsigned instance, bool errors)
{
    double requests = (double)w->scrapes * (150 + (service * 7 + instance * 13) % 100);
    if (!in_trouble(service))
        return errors ? requests / 1000 : requests;
    return instance == 4 && service % 200 == 107 ? 0 : errors ? requests / 10 : requests;
}

static void write_services(struct world *w, unsigned first, unsigned n)
{
    struct write_request *request = write_request_new(256u << 20);
    if (!request)
        check_failed("out of memory");
    struct arena *a = &request->arena;
    request->n_series = (size_t)n * SERIES_PER_SERVICE;
    request->series = arena_array(a, request->n_series, sizeof *request->series);
    for (unsigned i = 0; i < request->n_series; i++) {
        unsigned service = first + i / SERIES_PER_SERVICE, instance = i % SERIES_PER_SERVICE / 2;
        struct write_series *s = &request->series[i];
        struct label_builder b;
        char *service_text = arena_printf(a, "service-%05u", service);
        char *instance_text = arena_printf(a, "10.0.%u.%u:9100", service % 250, instance);
        label_builder_init(&b, a);
        label_builder_set(&b, SPAN("__name__"), SPAN("http_requests_total"));
        label_builder_set(&b, SPAN("service"), span_str(service_text));
        label_builder_set(&b, SPAN("instance"), span_str(instance_text));
        label_builder_set(&b, SPAN("code"), i % 2 ? SPAN("500") : SPAN("200"));
        check_ok(label_builder_finish(&b, &s->labels));
        s->samples = arena_alloc(a, sizeof *s->samples);
        *s->samples = (struct sample){.t_ms = w->now_ms, .value = value_of(w, service, instance, i % 2)};
        s->n_samples = 1;
    }
    struct store_written written;
    check_ok(store_write(w->store, request, &written));
    if (written.samples != (uint64_t)n * SERIES_PER_SERVICE)
        check_failed("samples were refused: %s", written.why);
}

static void scrape(struct world *w)
{
    w->now_ms += SCRAPE_MS;
    w->scrapes++;
    for (unsigned first = 0; first < w->services; first += SERVICES_PER_REQUEST)
        write_services(w, first, SERVICES_PER_REQUEST);
}

/* ---- rules ---- */

static void write_rule(struct buf *out, unsigned service)
{
    char m[96];
    snprintf(m, sizeof m, "http_requests_total{service=\"service-%05u\"", service);
    if (service % 2)
        buf_printf(out,
                   "  - alert: Errors%u\n    expr: sum by (service) (rate(%s,code=\"500\"}[5m])) / sum by (service) "
                   "(rate(%s}[5m])) > 0.05\n",
                   service, m, m);
    else
        buf_printf(out, "  - alert: Idle%u\n    expr: sum by (service, instance) (rate(%s}[1m])) == 0\n", service, m);
    buf_str(out, "    for: 1m\n    labels: {severity: page}\n    annotations:\n"
                 "      summary: '{{ $labels.service }} at {{ $value | humanizePercentage }}'\n");
}

static char *write_rules(const struct world *w)
{
    struct buf text;
    char *path;
    buf_init(&text, 64u << 20);
    buf_str(&text, "groups:\n");
    for (unsigned i = 0; i < w->services; i++) {
        if (i % RULES_PER_GROUP == 0)
            buf_printf(&text, "- name: group-%u\n  interval: 15s\n  rules:\n", i / RULES_PER_GROUP);
        write_rule(&text, i);
    }
    check_ok(buf_error(&text));
    if (asprintf(&path, "%s/bench.rules.yml", w->dir) < 0)
        check_failed("out of memory");
    check_ok(file_write(path, text.data, text.len));
    buf_done(&text);
    return path;
}

static void open_world(struct world *w)
{
    static const struct state_room *const ROOMS[] = {&RULES_STATE_ROOM, &NOTIFY_STATE_ROOM};
    AUTO_FREE char *data = NULL;
    char why[256] = "";
    check_ok(dir_make_temp("crest-bench-rules", &w->dir));
    if (asprintf(&data, "%s/data", w->dir) < 0)
        check_failed("out of memory");
    const struct store_config config = {.path = data, .now_ms = clock_of, .now_ctx = w};
    if (store_open(&config, &w->store, why, sizeof why) < 0 ||
        state_open(w->dir, ROOMS, ARRAY_LEN(ROOMS), &w->state, why, sizeof why) < 0)
        check_failed("cannot open: %s", why);
    check_ok(query_local_new(w->store, NULL, &w->query));
    const struct rules_config rules = {.query = w->query,
                                       .store = w->store,
                                       .state = w->state,
                                       .sink = {w, count_alerts, NULL},
                                       .now_ms = clock_of,
                                       .now_ctx = w};
    check_ok(rules_new(&rules, &w->rules));
}

static void load_rules(struct world *w)
{
    struct problems problems;
    AUTO_FREE char *file = write_rules(w);
    const char *path = file;
    problems_init(&problems);
    if (rules_load(w->rules, &path, 1, &problems) < 0) {
        problems_print(&problems, stderr);
        check_failed("the rules cannot be loaded");
    }
    problems_done(&problems);
}

static void close_world(struct world *w)
{
    rules_stop(w->rules);
    query_free(w->query);
    store_close(w->store);
    rules_free(w->rules);
    state_close(w->state);
    check_ok(dir_remove(w->dir));
    free(w->dir);
}

/* ---- evaluations ---- */

struct counted {
    double evaluations, failures, firing;
};

static double sum_of(const char *page, const char *family, const char *label)
{
    struct span rest = span_str(page), line;
    double sum = 0;
    while (span_cut(&rest, '\n', &line)) {
        const char *space = memrchr(line.ptr, ' ', line.len);
        double v;
        if (!span_starts(line, span_str(family)) || !space ||
            (label && !memmem(line.ptr, line.len, label, strlen(label))))
            continue;
        if (parse_f64_span(span_from(line, (size_t)(space + 1 - line.ptr)), &v) == 0)
            sum += v;
    }
    return sum;
}

static struct counted count(const struct world *w)
{
    struct buf page;
    struct metric_writer m;
    buf_init(&page, 64u << 20);
    metric_writer_init(&m, &page, METRIC_TEXT);
    rules_stats(w->rules, &m);
    check_ok(buf_error(&page));
    struct counted c = {sum_of(page.data, "crest_rule_evaluations_total{", NULL),
                        sum_of(page.data, "crest_rule_evaluation_failures_total{", NULL),
                        sum_of(page.data, "crest_rule_alerts{", "state=\"firing\"")};
    buf_done(&page);
    return c;
}

static void turn(struct bench *b, struct world *w)
{
    scrape(w);
    struct counted before = count(w);
    int64_t cpu_us = cpu_process_us(), thread_us = cpu_thread_us(), wall_us = mono_us();
    (void)rules_step(w->rules, w->now_ms + 14999); /* wherever in the interval a group's turn is */
    wall_us = mono_us() - wall_us;
    thread_us = cpu_thread_us() - thread_us;
    cpu_us = cpu_process_us() - cpu_us;
    struct counted after = count(w);
    if (after.evaluations - before.evaluations != w->services || after.failures > 0)
        check_failed("%g rules were evaluated, %g failed", after.evaluations - before.evaluations, after.failures);
    printf("%u rules: %.0f ms, CPU %.0f ms, of the evaluation's thread %.0f ms, %g fire\n", w->services,
           (double)wall_us / 1e3, (double)cpu_us / 1e3, (double)thread_us / 1e3, after.firing);
    fflush(stdout);
    if (!b)
        return;
    bench_add(b, "10,000 rules over 100,000 series: evaluated in", "s", (double)wall_us / 1e6);
    bench_add(b, "10,000 rules over 100,000 series: CPU, with state and recorded samples", "s", (double)cpu_us / 1e6);
    bench_add(b, "10,000 rules over 100,000 series: CPU per rule", "µs", (double)cpu_us / w->services);
    bench_add(b, "alerts that fire", "", after.firing);
}

int main(void)
{
    bool fast = getenv("BENCH_FAST") && *getenv("BENCH_FAST");
    uint64_t runs = fast ? 2 : 10;
    const char *wanted = getenv("BENCH_RUNS");
    if (wanted && *wanted && parse_u64(wanted, 1000, &runs) < 0)
        check_failed("BENCH_RUNS=%s is not a number", wanted);
    struct world w = {.services = fast ? 1000 : 10000, .now_ms = unix_ms() / SCRAPE_MS * SCRAPE_MS - 3600000};
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        check_failed("sched_getaffinity: %s", strerror(errno));
    use_one_core();
    open_world(&w);
    for (unsigned i = 0; i < SCRAPES; i++)
        scrape(&w);
    load_rules(&w);
    struct bench *b = bench_new("rules", "Ten thousand alerting rules over a hundred thousand series");
    for (uint64_t i = 0; i < runs + FIRST_TURNS; i++)
        turn(i < FIRST_TURNS ? NULL : b, &w);
    bench_must(b, "10,000 rules over 100,000 series: evaluated in", BENCH_AT_MOST, 1);
    bench_must(b, "10,000 rules over 100,000 series: CPU, with state and recorded samples", BENCH_AT_MOST, 1);
    bench_must(b, "alerts that fire", BENCH_AT_LEAST, w.services / 200.0);
    bench_note(b,
               "%u rules of two kinds over %u series, groups of %u, scrapes %d s apart, on one core; store and states "
               "on disk.",
               w.services, w.services * SERIES_PER_SERVICE, RULES_PER_GROUP, SCRAPE_MS / 1000);
    close_world(&w);
    if (sched_setaffinity(0, sizeof all, &all) < 0)
        check_failed("sched_setaffinity: %s", strerror(errno));
    return bench_finish(b);
}
