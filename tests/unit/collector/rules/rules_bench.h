/* rules_bench.h - rules on the real store and engine with a clock of the test's own, and a sink that keeps what it was told.
 *
 *   struct bench b;
 *   bench_open(&b, "groups: …", false);                       // true: on disk, for restarts
 *   bench_put(&b, "up{job=\"a\"} 0 60000\n");                   // exposition text with time stamps in ms
 *   bench_step(&b, 60000);
 *   bench_check_query(&b, "ALERTS", 60000, "ALERTS{…} 1\n");
 *   bench_check_told(&b, "60000 firing {…} starts 60000\n");    // and forgets it
 *   bench_close(&b); */
#pragma once

#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "collector/notify/notify.h"
#include "collector/rules/rules.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/metric/exposition.h"
#include "lib/wire/json.h"

struct bench {
    char *dir, *file;
    bool on_disk;
    int64_t now_ms;
    struct store *store;
    struct state *state;
    struct query_engine *query;
    struct rules *rules;
    struct rules_config config;
    struct buf told;
    int sink_result; /* what accept() answers */
    unsigned commits;
};

static int64_t bench_now(void *ctx)
{
    return ((struct bench *)ctx)->now_ms;
}

static int bench_accept(void *ctx, struct db *db, const struct alert *alerts, size_t n)
{
    struct bench *b = ctx;
    (void)db;
    if (b->sink_result < 0)
        return b->sink_result;
    for (size_t i = 0; i < n; i++) {
        const struct alert *a = &alerts[i];
        buf_printf(&b->told, "%lld %s ", (long long)a->updated_ms, a->resolved ? "resolved" : "firing");
        labels_format(&b->told, &a->labels);
        buf_printf(&b->told, " starts %lld ends %lld\n", (long long)a->starts_ms, (long long)a->ends_ms);
    }
    return 0;
}
static void bench_committed(void *ctx)
{
    ((struct bench *)ctx)->commits++;
}

static int bench_load(struct bench *b, const char *yaml)
{
    struct problems problems;
    problems_init(&problems);
    check_ok(file_write(b->file, yaml, strlen(yaml)));
    const char *path = b->file;
    int r = rules_load(b->rules, &path, 1, &problems);
    if (r < 0)
        problems_print(&problems, stdout);
    problems_done(&problems);
    return r;
}

/* The process starts; state and samples of before are there when on disk. */
static void bench_start(struct bench *b, const char *yaml)
{
    char why[256];
    static const struct state_room *const ROOMS[] = {&RULES_STATE_ROOM, &NOTIFY_STATE_ROOM};
    struct store_config config = {.path = NULL, .future_ms_max = -1, .now_ms = bench_now, .now_ctx = b};
    AUTO_FREE char *data = NULL;
    if (b->on_disk) {
        assert_true(asprintf(&data, "%s/data", b->dir) > 0);
        config.path = data;
    }
    if (store_open(&config, &b->store, why, sizeof why) < 0 ||
        state_open(b->on_disk ? b->dir : NULL, ROOMS, ARRAY_LEN(ROOMS), &b->state, why, sizeof why) < 0)
        check_failed("cannot open: %s", why);
    check_ok(query_local_new(b->store, NULL, &b->query));
    b->config.query = b->query;
    b->config.store = b->store;
    b->config.state = b->state;
    b->config.now_ms = bench_now;
    b->config.now_ctx = b;
    if (!b->config.sink.accept)
        b->config.sink = (struct alert_sink){b, bench_accept, bench_committed};
    check_ok(rules_new(&b->config, &b->rules));
    store_set_commit_hook(b->store, rules_commit_hook(b->rules));
    check_ok(bench_load(b, yaml));
}
static void bench_stop(struct bench *b)
{
    rules_stop(b->rules);
    query_free(b->query);
    store_close(b->store);
    rules_free(b->rules);
    state_close(b->state);
}

static void bench_init(struct bench *b, bool on_disk)
{
    *b = (struct bench){.on_disk = on_disk, .now_ms = 1000000000};
    buf_init(&b->told, 1 << 24);
    check_ok(dir_make_temp("rules", &b->dir));
    assert_true(asprintf(&b->file, "%s/rules.yml", b->dir) > 0);
}
UNUSED static void bench_open(struct bench *b, const char *yaml, bool on_disk)
{
    bench_init(b, on_disk);
    bench_start(b, yaml);
}
UNUSED static void bench_close(struct bench *b)
{
    bench_stop(b);
    check_ok(dir_remove(b->dir));
    buf_done(&b->told);
    free(b->dir);
    free(b->file);
}

/* ---- samples in ---- */
struct bench_page {
    struct write_request *request;
    size_t n;
};
static int bench_sample(void *ctx, const struct exposition_sample *s)
{
    struct bench_page *p = ctx;
    struct write_series *to = &p->request->series[p->n++];
    to->samples = arena_alloc(&p->request->arena, sizeof *to->samples);
    *to->samples = (struct sample){.t_ms = s->t_ms, .value = s->value};
    to->n_samples = 1;
    return labels_copy(&p->request->arena, &s->labels, &to->labels);
}
UNUSED static void bench_put(struct bench *b, const char *page)
{
    struct bench_page p = {.request = write_request_new(1 << 26)};
    size_t lines = 0;
    for (const char *at = page; *at; at++)
        lines += *at == '\n';
    p.request->series = arena_array(&p.request->arena, lines, sizeof *p.request->series);
    struct exposition_events events = {.ctx = &p, .sample = bench_sample};
    struct parse_error e;
    if (exposition_parse(EXPOSITION_TEXT, span_str(page), &events, &e) < 0)
        check_failed("%u:%u: %s", e.line, e.column, e.text);
    p.request->n_series = p.n;
    struct store_written written;
    check_ok(store_write(b->store, p.request, &written));
    assert_int_equal(written.error, 0);
    assert_int_equal(written.samples, p.n);
}
/* A gauge at one value from t_ms on, every step_ms, n times. */
UNUSED static void bench_put_many(struct bench *b, const char *series, double value, int64_t t_ms, int64_t step_ms,
                                  int n)
{
    struct buf page;
    buf_init(&page, 1 << 24);
    for (int i = 0; i < n; i++)
        buf_printf(&page, "%s %g %lld\n", series, value, (long long)(t_ms + i * step_ms));
    bench_put(b, page.data);
    buf_done(&page);
}

UNUSED static int64_t bench_step(struct bench *b, int64_t now_ms)
{
    b->now_ms = now_ms;
    return rules_step(b->rules, now_ms);
}

/* ---- answers out ---- */
static int bench_by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}
/* One line "labels value" per series, sorted. */
UNUSED static void bench_query(struct bench *b, const char *text, int64_t t_ms, struct buf *out)
{
    struct query_request request = {.text = span_str(text), .start_ms = t_ms, .end_ms = t_ms};
    struct promql_result *result;
    struct promql_error error;
    if (query_run(b->query, &request, &result, &error) < 0)
        check_failed("%s: %s", text, error.text);
    char *lines[1000];
    size_t n = 0;
    for (size_t i = 0; i < result->n_series && n < ARRAY_LEN(lines); i++) {
        if (!result->series[i].present[0])
            continue;
        struct buf line;
        buf_init(&line, 1 << 20);
        labels_format(&line, &result->series[i].labels);
        buf_char(&line, ' ');
        buf_f64(&line, result->series[i].values[0]);
        lines[n++] = buf_take(&line, NULL);
    }
    qsort(lines, n, sizeof *lines, bench_by_text);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s\n", lines[i]);
        free(lines[i]);
    }
    promql_result_free(result);
}
UNUSED static void bench_check_query(struct bench *b, const char *text, int64_t t_ms, const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 24);
    buf_str(&out, "");
    bench_query(b, text, t_ms, &out);
    if (!span_equal(buf_view(&out), span_str(expected)))
        check_failed("%s at %lld gave\n%sexpected\n%s", text, (long long)t_ms, out.data ? out.data : "", expected);
    buf_done(&out);
}
UNUSED static void bench_check_told(struct bench *b, const char *expected)
{
    if (!span_equal(buf_view(&b->told), span_str(expected)))
        check_failed("told\n%sexpected\n%s", b->told.data ? b->told.data : "", expected);
    buf_clear(&b->told);
}

/* The API's data, parsed; the caller decrefs. */
UNUSED static json_t *bench_rules_json(const struct bench *b, const char *type)
{
    struct buf out;
    struct json_writer j;
    struct parse_error e;
    buf_init(&out, 1 << 24);
    jw_init(&j, &out);
    check_ok(rules_write_json(b->rules, &(struct rules_filter){.type = span_str(type)}, &j));
    json_t *v = json_read(buf_view(&out), &e);
    if (!v)
        check_failed("no JSON: %s", e.text);
    buf_done(&out);
    return v;
}
UNUSED static json_t *bench_alerts_json(const struct bench *b)
{
    struct buf out;
    struct json_writer j;
    struct parse_error e;
    buf_init(&out, 1 << 24);
    jw_init(&j, &out);
    rules_alerts_json(b->rules, &j);
    json_t *v = json_read(buf_view(&out), &e);
    if (!v)
        check_failed("no JSON: %s", e.text);
    buf_done(&out);
    return v;
}
UNUSED static double bench_counter(const struct bench *b, const char *series)
{
    struct buf out;
    struct metric_writer w;
    buf_init(&out, 1 << 24);
    metric_writer_init(&w, &out, METRIC_TEXT);
    rules_stats(b->rules, &w);
    AUTO_FREE char *line = NULL;
    assert_true(asprintf(&line, "\n%s", series) > 0);
    const char *at = strstr(out.data, line);
    if (!at)
        check_failed("no %s in\n%s", series, out.data);
    double v = strtod(strchr(at + 1, '\n') ? strrchr(strndupa(at + 1, strcspn(at + 1, "\n")), ' ') + 1 : at, NULL);
    buf_done(&out);
    return v;
}
