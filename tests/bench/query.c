/* bench-query: two range queries and a small one, over workload A, beside prometheus and victoria-metrics where they are installed.
 *
 * 10,000 series (tests/support/store_load.h) of 1,000 samples 10 s apart are sent to each server, which is then ended. Every run starts each
 * server again for each query, on one core that is the same for all of them, with its files in the page cache: the first answer is the cold
 * one, the median of those that follow the warm one. victoria-metrics is asked without its cache of results (nocache=1), which would also
 * move the steps; with it the warm answer is a row of its own. Servers take turns. Answers are compared from ten minutes after the
 * first sample on, where no window is cut off by it, at steps that put no sample on a window's edge.
 * BENCH_RUNS (5) runs; BENCH_FAST=1: one, of 100 samples a series. */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"
#include "lib/wire/url.h"
#include "tests/support/bench.h"
#include "tests/support/store_load.h"
#include "tests/support/store_server.h"
#include "tests/support/write_client.h"

#define SERIES 10000u
#define PER_REQUEST 2000u
#define SCRAPE_MS 10000
#define STEP_MS 15000
#define STEPS_MAX 1000u
#define JOBS 10u
#define WARM_TIMES 5u
#define INSTANT_TIMES 500u
#define COMPARED_FROM_MS 600000
#define SETTLE_US 1000000 /* what a server does behind its start is not the query's */

static const struct {
    const char *name, *text;
    const char *compared; /* with victoria-metrics, instead of the text */
} QUERIES[] = {
    {"rate of 4,000 series by job", "sum by (job) (rate(http_requests_total[5m]))", NULL},
    {"quantile of 4,000 buckets by job",
     "histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket[5m])))",
     "sum by (job) (rate(http_request_duration_seconds_bucket[5m]))"},
};
#define ONE_SERIES "process_resident_memory_bytes{shard=\"shard-05008\"}"

/* ---- one core for the servers, the others for us ---- */
static cpu_set_t all_cpus;

static void use_cpus(const cpu_set_t *set)
{
    if (sched_setaffinity(0, sizeof *set, set) < 0)
        check_failed("sched_setaffinity: %s", strerror(errno));
}

/* The last of our cores, alone; `others`: all but it, unless there is no other. */
static cpu_set_t servers_core(bool others)
{
    size_t last = 0;
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all_cpus))
            last = i;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(last, &set);
    if (others && CPU_COUNT(&all_cpus) > 1)
        CPU_XOR(&set, &set, &all_cpus);
    return set;
}

static void restart_pinned(struct store_server *server)
{
    cpu_set_t one = servers_core(false), others = servers_core(true);
    use_cpus(&one); /* children inherit it */
    (void)store_server_restart(server);
    use_cpus(&others);
    store_server_cache_files(server);
    sleep_us(SETTLE_US);
}

/* ---- loading ---- */
struct loading {
    struct write_client *client;
    enum store_kind kind;
};

static void send_request(void *ctx, struct buf *body, unsigned samples UNUSED)
{
    struct loading *l = ctx;
    char why[512] = "";
    int status = write_client_send(l->client, buf_view(body), why, sizeof why);
    if (status / 100 != 2)
        check_failed("%s answers %d: %s", STORE_NAMES[l->kind], status, why);
    buf_done(body);
}

static struct store_server *load(enum store_kind kind, unsigned rounds, int64_t base_ms)
{
    struct store_server *server = store_server_start(kind, 0);
    struct loading l = {write_client_new(store_server_port(server)), kind};
    struct store_load *data = store_load_new(0, SERIES, SERIES, PER_REQUEST);
    for (unsigned round = 0; round < rounds; round++)
        store_load_round(data, base_ms + (int64_t)round * SCRAPE_MS, send_request, &l);
    store_load_flush(data, send_request, &l);
    store_load_free(data);
    write_client_free(l.client);
    (void)store_server_stop(server);
    return server;
}

/* ---- asking ---- */
struct range {
    int64_t start_ms, end_ms;
};

struct answer { /* a column per job */
    double values[JOBS][STEPS_MAX];
    bool present[JOBS][STEPS_MAX];
    double wall_ms, cpu_ms;
};

static size_t job_of(const json_t *series)
{
    const char *job = json_string_value(json_object_get(json_object_get(series, "metric"), "job"));
    uint64_t n = JOBS;
    if (!job || strncmp(job, "job-", 4) != 0 || parse_u64(job + 4, JOBS - 1, &n) < 0)
        check_failed("a series without its job");
    return (size_t)n;
}

static void read_answer(struct span body, const struct range *range, struct answer *a)
{
    struct parse_error why;
    json_t *page = json_read(body, &why), *series, *point;
    json_t *result = json_object_get(json_object_get(page, "data"), "result");
    size_t i, k;
    if (json_array_size(result) != JOBS)
        check_failed("%zu series in the answer: %.300s", json_array_size(result), body.ptr);
    json_array_foreach(result, i, series)
    {
        size_t job = job_of(series);
        json_array_foreach(json_object_get(series, "values"), k, point)
        {
            int64_t ms = llround(json_number_value(json_array_get(point, 0)) * 1e3) - range->start_ms;
            double v;
            if (ms < 0 || ms % STEP_MS || ms / STEP_MS >= STEPS_MAX ||
                parse_f64_span(span_str(json_string_value(json_array_get(point, 1))), &v) < 0)
                check_failed("a point that was not asked for");
            a->values[job][ms / STEP_MS] = v;
            a->present[job][ms / STEP_MS] = true;
        }
    }
    json_decref(page);
}

static char *range_url(const struct store_server *server, const char *query, const struct range *range,
                       const char *more)
{
    struct buf url;
    buf_init(&url, 65536);
    buf_printf(&url, "http://127.0.0.1:%u/api/v1/query_range?step=15&start=%lld.%03lld&end=%lld.%03lld%s&query=",
               store_server_port(server), (long long)range->start_ms / 1000, (long long)range->start_ms % 1000,
               (long long)range->end_ms / 1000, (long long)range->end_ms % 1000, more);
    url_encode(&url, span_str(query));
    char *text = buf_take(&url, NULL);
    if (!text)
        check_failed("out of memory");
    return text;
}

static void ask(const struct store_server *server, const char *url, const struct range *range, struct answer *ret)
{
    char *body = NULL;
    *ret = (struct answer){0};
    double cpu = store_server_usage(server).cpu_seconds;
    int64_t start_us = mono_us();
    int status = e2e_try("GET", url, NULL, (struct span){NULL, 0}, &body);
    ret->wall_ms = (double)(mono_us() - start_us) / 1e3;
    ret->cpu_ms = (store_server_usage(server).cpu_seconds - cpu) * 1e3;
    if (status != 200)
        check_failed("%s answers %d: %.300s", url, status, body ? body : "");
    read_answer(span_str(body), range, ret);
    free(body);
}

/* ---- rows ---- */

/* "rate …, crest: cold"; valid until eight more were made. */
static const char *row(size_t query, enum store_kind kind, const char *what)
{
    static char names[8][160];
    static unsigned next;
    char *name = names[next++ % ARRAY_LEN(names)];
    snprintf(name, sizeof names[0], "%s, %s: %s", QUERIES[query].name, STORE_NAMES[kind], what);
    return name;
}

static const char *times_row(size_t query, enum store_kind peer, const char *what)
{
    char text[96];
    snprintf(text, sizeof text, "%s, times %s", what, STORE_NAMES[peer]);
    return row(query, STORE_CREST, text);
}

static const char *apart_row(size_t query, enum store_kind peer)
{
    char text[96];
    snprintf(text, sizeof text, "answer's largest relative difference to %s", STORE_NAMES[peer]);
    return row(query, STORE_CREST, text);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct measured {
    double cold_wall, cold_cpu, warm_wall, warm_cpu; /* ms */
};

static void add_warm(struct bench *b, size_t query, enum store_kind kind, const struct store_server *server,
                     const char *url, const struct range *range, const char *what, struct measured *ret)
{
    static struct answer a;
    double wall[WARM_TIMES], cpu[WARM_TIMES];
    char name[64];
    for (size_t i = 0; i < WARM_TIMES; i++) {
        ask(server, url, range, &a);
        wall[i] = a.wall_ms;
        cpu[i] = a.cpu_ms;
    }
    qsort(wall, WARM_TIMES, sizeof *wall, by_value);
    qsort(cpu, WARM_TIMES, sizeof *cpu, by_value);
    ret->warm_wall = wall[WARM_TIMES / 2];
    ret->warm_cpu = cpu[WARM_TIMES / 2];
    bench_add(b, row(query, kind, what), "ms", ret->warm_wall);
    snprintf(name, sizeof name, "%s, CPU", what);
    bench_add(b, row(query, kind, name), "ms", ret->warm_cpu);
}

struct answers { /* one server's to one query */
    struct answer cold, compared;
};

static struct measured measure(struct bench *b, size_t query, enum store_kind kind, struct store_server *server,
                               const struct range *range, struct answers *ret)
{
    struct answer *cold = &ret->cold;
    struct measured m = {0}, cached;
    restart_pinned(server);
    const char *more = kind == STORE_VICTORIA ? "&nocache=1" : "";
    AUTO_FREE char *url = range_url(server, QUERIES[query].text, range, more);
    ask(server, url, range, cold);
    m.cold_wall = cold->wall_ms;
    m.cold_cpu = cold->cpu_ms;
    bench_add(b, row(query, kind, "cold"), "ms", m.cold_wall);
    bench_add(b, row(query, kind, "cold, CPU"), "ms", m.cold_cpu);
    add_warm(b, query, kind, server, url, range, "warm", &m);
    if (kind == STORE_VICTORIA) {
        struct range even = {range->start_ms / STEP_MS * STEP_MS, range->end_ms / STEP_MS * STEP_MS};
        AUTO_FREE char *again = range_url(server, QUERIES[query].text, &even, "");
        add_warm(b, query, kind, server, again, &even, "warm, from its cache of results", &cached);
    }
    ret->compared = *cold;
    if (QUERIES[query].compared) {
        AUTO_FREE char *other = range_url(server, QUERIES[query].compared, range, more);
        ask(server, other, range, &ret->compared);
    }
    (void)store_server_stop(server);
    printf("%s, %s: cold %.1f ms (CPU %.1f), warm %.1f ms (CPU %.1f)\n", QUERIES[query].name, STORE_NAMES[kind],
           m.cold_wall, m.cold_cpu, m.warm_wall, m.warm_cpu);
    fflush(stdout);
    return m;
}

static void add_ratios(struct bench *b, size_t query, enum store_kind peer, const struct measured *ours,
                       const struct measured *theirs)
{
    bench_add(b, times_row(query, peer, "cold"), "×", ours->cold_wall / theirs->cold_wall);
    bench_add(b, times_row(query, peer, "cold, CPU"), "×", ours->cold_cpu / theirs->cold_cpu);
    bench_add(b, times_row(query, peer, "warm"), "×", ours->warm_wall / theirs->warm_wall);
    bench_add(b, times_row(query, peer, "warm, CPU"), "×", ours->warm_cpu / theirs->warm_cpu);
}

/* The largest difference, relative to the larger of the two; infinite where one has a point and the other has none. */
static double apart(const struct answer *x, const struct answer *y, size_t steps)
{
    double most = 0;
    for (size_t job = 0; job < JOBS; job++)
        for (size_t s = COMPARED_FROM_MS / STEP_MS; s < steps; s++) {
            double v = x->values[job][s], w = y->values[job][s];
            if (!x->present[job][s] && !y->present[job][s])
                continue;
            if (x->present[job][s] != y->present[job][s] || isnan(v) != isnan(w))
                return INFINITY;
            if (!isnan(v) && v != w)
                most = fmax(most, fabs(v - w) / fmax(fabs(v), fabs(w)));
        }
    return most;
}

/* One series now and then, as an alert's link or a dashboard's number asks: seconds inside the engine, and all that its process uses. */
static void measure_instant(struct bench *b, struct store_server *server, int64_t t_ms)
{
    struct buf url;
    buf_init(&url, 65536);
    restart_pinned(server);
    buf_printf(&url, "http://127.0.0.1:%u/api/v1/query?time=%lld.%03lld&query=", store_server_port(server),
               (long long)t_ms / 1000, (long long)t_ms % 1000);
    url_encode(&url, SPAN(ONE_SERIES));
    double seconds = 0, count = 0, cpu = 0, wall[INSTANT_TIMES];
    for (size_t i = 0; i <= INSTANT_TIMES; i++) { /* the first one opens what a process opens once */
        char *body = NULL;
        int64_t start_us = mono_us();
        int status = e2e_try("GET", url.data, NULL, (struct span){NULL, 0}, &body);
        if (i > 0)
            wall[i - 1] = (double)(mono_us() - start_us) / 1e3;
        if (status != 200 || !strstr(body ? body : "", "shard-05008"))
            check_failed("an instant query answers %d: %.300s", status, body ? body : "");
        free(body);
        if (i == 0) {
            seconds = store_server_metric(server, "crest_query_duration_seconds_sum");
            count = store_server_metric(server, "crest_query_duration_seconds_count");
            cpu = store_server_usage(server).cpu_seconds;
        }
    }
    cpu = store_server_usage(server).cpu_seconds - cpu;
    seconds = store_server_metric(server, "crest_query_duration_seconds_sum") - seconds;
    count = store_server_metric(server, "crest_query_duration_seconds_count") - count;
    if (count != INSTANT_TIMES)
        check_failed("%g queries were counted", count);
    qsort(wall, INSTANT_TIMES, sizeof *wall, by_value);
    bench_add(b, "one series at an instant: in the engine", "ms", seconds / count * 1e3);
    bench_add(b, "one series at an instant: CPU with its connection", "ms", cpu / INSTANT_TIMES * 1e3);
    bench_add(b, "one series at an instant: from connect to answer, p50", "ms", wall[INSTANT_TIMES / 2]);
    bench_add(b, "one series at an instant: from connect to answer, p99", "ms", wall[INSTANT_TIMES * 99 / 100]);
    printf("one series at an instant: %.3f ms in the engine, %.3f ms CPU, p50 %.3f ms\n", seconds / count * 1e3,
           cpu / INSTANT_TIMES * 1e3, wall[INSTANT_TIMES / 2]);
    fflush(stdout);
    (void)store_server_stop(server);
    buf_done(&url);
}

static void set_bounds(struct bench *b)
{
    static const struct {
        enum store_kind peer;
        double must, goal, apart;
    } BOUNDS[] = {{STORE_PROMETHEUS, 0.1, NAN, 1e-9}, {STORE_VICTORIA, 0.5, 0.25, 0.02}};
    for (size_t q = 0; q < ARRAY_LEN(QUERIES); q++)
        for (size_t i = 0; i < ARRAY_LEN(BOUNDS); i++) {
            static const char *const ROWS[] = {"cold", "cold, CPU", "warm", "warm, CPU"};
            if (!store_server_have(BOUNDS[i].peer))
                continue;
            for (size_t k = 0; k < ARRAY_LEN(ROWS); k++) {
                bench_must(b, times_row(q, BOUNDS[i].peer, ROWS[k]), BENCH_AT_MOST, BOUNDS[i].must);
                if (!isnan(BOUNDS[i].goal))
                    bench_goal(b, times_row(q, BOUNDS[i].peer, ROWS[k]), BENCH_AT_MOST, BOUNDS[i].goal);
            }
            bench_must(b, apart_row(q, BOUNDS[i].peer), BENCH_AT_MOST, BOUNDS[i].apart);
        }
    bench_must(b, "one series at an instant: in the engine", BENCH_AT_MOST, 1);
    bench_must(b, "one series at an instant: CPU with its connection", BENCH_AT_MOST, 1);
}

static void one_run(struct bench *b, uint64_t run, struct store_server *servers[STORE_KINDS], const struct range *range)
{
    static struct answers answers[STORE_KINDS];
    size_t steps = (size_t)((range->end_ms - range->start_ms) / STEP_MS) + 1;
    for (size_t q = 0; q < ARRAY_LEN(QUERIES); q++) {
        struct measured m[STORE_KINDS] = {0};
        for (unsigned turn = 0; turn < STORE_KINDS; turn++) {
            enum store_kind kind = (enum store_kind)((turn + run) % STORE_KINDS);
            if (servers[kind])
                m[kind] = measure(b, q, kind, servers[kind], range, &answers[kind]);
        }
        for (enum store_kind peer = STORE_PROMETHEUS; peer < STORE_KINDS; peer++) {
            if (!servers[peer])
                continue;
            add_ratios(b, q, peer, &m[STORE_CREST], &m[peer]);
            const struct answers *ours = &answers[STORE_CREST], *theirs = &answers[peer];
            double most = peer == STORE_VICTORIA ? apart(&ours->compared, &theirs->compared, steps)
                                                 : apart(&ours->cold, &theirs->cold, steps);
            bench_add(b, apart_row(q, peer), "", most);
        }
    }
    measure_instant(b, servers[STORE_CREST], range->end_ms);
}

static void clean_up(void)
{
    (void)e2e_teardown(NULL);
}

int main(void)
{
    bool fast = getenv("BENCH_FAST") && *getenv("BENCH_FAST");
    uint64_t runs = fast ? 1 : 5;
    unsigned rounds = fast ? 100 : 1000;
    const char *wanted = getenv("BENCH_RUNS");
    if (wanted && *wanted && parse_u64(wanted, 1000, &runs) < 0)
        check_failed("BENCH_RUNS=%s is not a number", wanted);
    (void)atexit(clean_up);
    if (sched_getaffinity(0, sizeof all_cpus, &all_cpus) < 0)
        check_failed("sched_getaffinity: %s", strerror(errno));
    /* It ends ten minutes ago, as all have what came last within a minute; 2.5 s: no step, nor the edge of its window, meets a sample. */
    int64_t base_ms = (unix_ms() - 600000) / 60000 * 60000 - (int64_t)rounds * SCRAPE_MS;
    struct range range = {base_ms + 2500, base_ms + (int64_t)rounds * SCRAPE_MS};
    struct store_server *servers[STORE_KINDS] = {0};
    struct bench *b = bench_new("query", "Range queries over ten thousand series, beside other stores");
    for (enum store_kind kind = 0; kind < STORE_KINDS; kind++)
        if (store_server_have(kind))
            servers[kind] = load(kind, rounds, base_ms);
    for (uint64_t run = 0; run < runs; run++)
        one_run(b, run, servers, &range);
    set_bounds(b);
    for (size_t q = 0; q < ARRAY_LEN(QUERIES); q++)
        bench_note(b, "%s: `%s`.", QUERIES[q].name, QUERIES[q].text);
    bench_note(b,
               "One series: `%s`. Workload: %u series of %u samples 10 s apart; %lld s at step 15 s; one core for each "
               "server.",
               ONE_SERIES, SERIES, rounds, (long long)(range.end_ms - range.start_ms) / 1000);
    bench_note(b,
               "victoria-metrics takes the sample before a window into its rates and guesses nothing at the edges: its "
               "answers differ a "
               "little. Buckets that are no histogram, as this workload's, it mends downwards and not upwards, so what "
               "is compared "
               "with it is `%s`.",
               QUERIES[1].compared);
    for (enum store_kind kind = STORE_PROMETHEUS; kind < STORE_KINDS; kind++)
        bench_note(b, "Peer: %s %s.", STORE_NAMES[kind],
                   store_server_have(kind) ? store_server_version(kind) : "is not installed, so it was left out");
    for (enum store_kind kind = 0; kind < STORE_KINDS; kind++)
        if (servers[kind])
            store_server_remove(servers[kind]);
    use_cpus(&all_cpus); /* the table tells their number */
    return bench_finish(b);
}
