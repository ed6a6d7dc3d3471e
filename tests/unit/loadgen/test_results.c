/* What a run says of itself: JSON, and series by remote write. */
#include "tests/unit/loadgen/engine/http_server.h"

#include <math.h>

#include "lib/base/file.h"
#include "lib/wire/json.h"
#include "lib/wire/remote_write.h"
#include "loadgen/push.h"
#include "loadgen/report.h"
#include "loadgen/report_page.h"

static struct journeys *journeys_of(const char *text, char **ret_folder)
{
    check_ok(dir_make_temp("loadgen", ret_folder));
    char path[512];
    snprintf(path, sizeof path, "%s/cart.hurl", *ret_folder);
    check_ok(file_write(path, text, strlen(text)));
    struct problems ps;
    problems_init(&ps);
    const char *paths[] = {path};
    struct journeys *js = NULL;
    check_ok(journeys_load(paths, 1, &js, &ps));
    problems_done(&ps);
    return js;
}

static struct run_stats *some_stats(size_t steps)
{
    struct run_stats *s;
    check_ok(stats_new(1, steps, &s));
    for (int i = 1; i <= 100; i++)
        stats_step(s, 0, OUTCOME_OK, ERROR_NONE, i * 1000, i * 500, NULL);
    stats_step(s, 0, OUTCOME_BUSINESS, ERROR_BUSINESS, 200000, 100000, "it was \"declined\"");
    stats_step(s, 0, OUTCOME_TRANSPORT, ERROR_REFUSED, -1, -1, "no");
    s->sessions.planned = 110;
    s->sessions.started = 102;
    s->sessions.dropped = 8;
    s->sessions.completed = 100;
    s->sessions.failed = 2;
    s->requests.started = 101;
    s->requests.dropped = 16;
    s->requests.completed = 101;
    return s;
}

static void the_json_has_what_the_contract_names(void **state)
{
    (void)state;
    char *folder;
    struct journeys *js = journeys_of(
        "# @step pay\n# @slo p95<50ms err<5%\nGET http://x\n# @step never\n# @slo max<1s\nGET http://x\n", &folder);
    struct run_config config = {.journeys = js, .threads = 1, .run_id = "r1", .seed = 9};
    struct run_threshold thresholds[] = {
        {.step = &js->steps[0], .slo = &js->steps[0].slos[0], .value = 95000, .scope = "cart/a"},
        {.step = &js->steps[1], .slo = &js->steps[1].slos[0], .value = NAN, .scope = "cart/b"}};
    struct run_result result = {.verdict = RUN_THRESHOLD,
                                .total = some_stats(2),
                                .duration_s = 10.5,
                                .thresholds = thresholds,
                                .n_thresholds = 2,
                                .n_reasons = 1,
                                .cores = 1};
    snprintf(result.reasons[0], sizeof result.reasons[0], "because");
    struct buf out;
    buf_init(&out, 1 << 20);
    report_json(&out, &config, &result, NULL);
    struct parse_error error;
    json_t *root = json_read(buf_view(&out), &error);
    if (!root)
        check_failed("%s\n%s", error.text, out.data);
    const char *verdict, *name;
    double duration;
    json_int_t planned, started, dropped, p50, p99, max, service_p50, refused, business, ok;
    json_t *never;
    check_ok(json_unpack_ex(
        root, &(json_error_t){0}, 0,
        "{s:s, s:F, s:{s:I, s:I, s:I}, s:[{s:s, s:{s:I}, s:{s:I, s:I, s:I}, s:{s:I}, s:{s:I, s:I}}, o]}", "verdict",
        &verdict, "duration_s", &duration, "requests", "planned", &planned, "started", &started, "dropped", &dropped,
        "steps", "name", &name, "outcomes", "ok", &ok, "response_us", "p50", &p50, "p99", &p99, "max", &max,
        "service_us", "p50", &service_p50, "errors", "refused", &refused, "business", &business, &never));
    assert_string_equal(verdict, "threshold");
    assert_string_equal(name, "pay");
    assert_true(duration == 10.5);
    assert_int_equal(planned, 117);
    assert_int_equal(started + dropped, planned);
    assert_int_equal(ok, 100);
    assert_in_range(p50, 50900, 51100);
    assert_in_range(p99, 99900, 100200);
    assert_in_range(max, 200000, 200100);
    assert_in_range(service_p50, 25400, 25600);
    assert_int_equal(refused, 1);
    assert_int_equal(business, 1);
    assert_string_equal(json_string_value(json_object_get(
                            json_object_get(json_array_get(json_object_get(root, "steps"), 0), "samples"), "business")),
                        "it was \"declined\"");
    assert_true(json_is_null(json_object_get(never, "response_us"))); /* no data is not 0 */
    json_t *threshold = json_array_get(json_object_get(root, "thresholds"), 1);
    assert_true(json_is_null(json_object_get(threshold, "value_us")) &&
                json_is_false(json_object_get(threshold, "met")));
    json_decref(root);
    buf_done(&out);
    stats_free(result.total);
    journeys_free(js);
    check_ok(dir_remove(folder));
    free(folder);
}

/* ---- remote write ---- */

static _Atomic int refuse_next; /* answers 503 so often */
static struct {
    unsigned bodies;
    double pay_count, pay_le_50ms, pay_inf, ok, zero_seen;
    int64_t last_ms;
    bool in_order;
} seen;

static void collect(struct http_server *s, const struct asked *q, struct buf *out)
{
    (void)s;
    if (atomic_load(&refuse_next) > 0) {
        atomic_fetch_sub(&refuse_next, 1);
        respond(out, 503, "Retry-After: 0\r\n", "later");
        return;
    }
    struct write_request *w;
    struct remote_write_report report;
    if (remote_write_decode(REMOTE_WRITE_1, q->body, &w, &report) < 0 || report.rejected_series) {
        respond(out, 400, "", "broken");
        return;
    }
    for (size_t i = 0; i < w->n_series; i++) {
        const struct labels *l = &w->series[i].labels;
        double v = w->series[i].samples[0].value;
        struct span name = labels_get(l, SPAN("__name__"));
        seen.in_order &= w->series[i].samples[0].t_ms >= seen.last_ms;
        seen.last_ms = w->series[i].samples[0].t_ms;
        bool pay = span_equal(labels_get(l, SPAN("step")), SPAN("pay")) &&
                   span_equal(labels_get(l, SPAN("run")), SPAN("r1")) &&
                   span_equal(labels_get(l, SPAN("journey")), SPAN("cart"));
        if (pay && span_equal(name, SPAN("crest_loadgen_step_response_seconds_count"))) {
            seen.pay_count = v;
            seen.zero_seen += v == 0;
        }
        if (pay && span_equal(name, SPAN("crest_loadgen_step_response_seconds_bucket"))) {
            if (span_equal(labels_get(l, SPAN("le")), SPAN("0.05")))
                seen.pay_le_50ms = v;
            if (span_equal(labels_get(l, SPAN("le")), SPAN("+Inf")))
                seen.pay_inf = v;
        }
        if (pay && span_equal(name, SPAN("crest_loadgen_steps_total")) &&
            span_equal(labels_get(l, SPAN("outcome")), SPAN("ok")))
            seen.ok = v;
    }
    seen.bodies++;
    write_request_free(w);
    respond(out, 204, "", "");
}

static void results_reach_the_collector_though_it_was_away(void **state)
{
    (void)state;
    struct http_server *s = server_start(collect);
    char *folder;
    struct journeys *js = journeys_of("# @step pay\nGET http://x\n", &folder);
    struct run_config config = {.journeys = js, .threads = 1, .run_id = "r1"};
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/api/v1/write", s->port);
    memset(&seen, 0, sizeof seen);
    seen.in_order = true;
    struct run_stats *total = some_stats(1);
    struct run_tick tick = {.interval = total, .total = total, .open = 3};
    struct push *p;
    check_ok(push_new(url, NULL, &config, &p));
    atomic_store(&refuse_next, 1);
    check_ok(push_tick(p, NULL, 1000));
    push_wait(p, 100);
    assert_int_equal(seen.bodies, 0);
    check_contains(push_error(p), "503");
    check_ok(push_tick(p, &tick, 2000));
    check_ok(push_tick(p, &tick, 3000));
    assert_true(push_finish(p, 20000));
    assert_int_equal(seen.bodies, 3);
    assert_true(seen.in_order && seen.last_ms == 3000);
    assert_true(seen.zero_seen == 1); /* counters begin at 0 */
    assert_true(seen.pay_count == 101 && seen.pay_inf == 101 && seen.pay_le_50ms == 50 && seen.ok == 100);
    push_free(p);
    stats_free(total);
    journeys_free(js);
    check_ok(dir_remove(folder));
    free(folder);
    server_stop(s);
}

static void a_queue_that_is_full_loses_its_oldest_and_says_so(void **state)
{
    (void)state;
    char *folder;
    struct journeys *js = journeys_of("GET http://x\n", &folder);
    struct run_config config = {.journeys = js, .threads = 1, .run_id = "r1"};
    struct push *p;
    check_ok(push_new("http://127.0.0.1:1/", NULL, &config, &p));
    for (int i = 0; i < PUSH_QUEUE_MAX + 3; i++)
        check_ok(push_tick(p, NULL, i));
    assert_int_equal(push_dropped(p), 3);
    assert_false(push_finish(p, 100));
    assert_true(push_error(p)[0] != 0);
    push_free(p);
    journeys_free(js);
    check_ok(dir_remove(folder));
    free(folder);
}

/* What the page shows comes from journeys and servers: none of it may become markup. */
static void the_page_says_the_verdict_first_and_escapes_what_is_foreign(void **state)
{
    (void)state;
    char *folder;
    struct journeys *js =
        journeys_of("# @step <b>pay\n# @slo p95<50ms\nGET http://x\n# @step never\nGET http://x\n", &folder);
    static const struct plan_phase phases[] = {{"warm-up", 0, 2, true}, {"peak", 2, 4, false}};
    struct run_config config = {
        .journeys = js, .threads = 1, .run_id = "r1", .phases = phases, .n_phases = ARRAY_LEN(phases)};
    struct run_threshold threshold = {
        .step = &js->steps[0], .slo = &js->steps[0].slos[0], .value = 95000, .scope = "cart/<b>pay"};
    struct run_phase stats[] = {{&phases[0], some_stats(2)}, {&phases[1], some_stats(2)}};
    struct run_result result = {.verdict = RUN_THRESHOLD,
                                .total = some_stats(2),
                                .phases = stats,
                                .n_phases = ARRAY_LEN(stats),
                                .started_ms = 1796083200000,
                                .duration_s = 4,
                                .thresholds = &threshold,
                                .n_thresholds = 1,
                                .n_reasons = 1,
                                .cores = 1};
    snprintf(result.reasons[0], sizeof result.reasons[0], "because <script>");
    snprintf(result.total->steps[0].samples[ERROR_BUSINESS], STATS_SAMPLE_MAX, "said <img src=x>");
    check_ok(series_new(2, &result.series));
    for (int i = 0; i < 4; i++)
        check_ok(series_add(result.series, &(struct series_point){.second = i, .seconds = 1, .planned = 30},
                            stats[0].stats));
    struct buf out;
    buf_init(&out, 1 << 20);
    check_ok(report_page(&config, &result, NULL, &out));
    const char *verdict = strstr(out.data, "Not passed: a threshold was broken"),
               *steps = strstr(out.data, "<h2>Steps"), *chart = strstr(out.data, "<svg");
    assert_true(verdict && steps && chart && verdict < chart && chart < steps);
    assert_non_null(strstr(out.data, "cart/&lt;b&gt;pay"));
    assert_non_null(strstr(out.data, "95.0ms</td><td class=\"under\">not met"));
    assert_non_null(strstr(out.data, "110 sessions planned = 102 started + 8 dropped"));
    assert_non_null(strstr(out.data, "warm-up (warm-up: in no other figure)"));
    assert_non_null(strstr(out.data, "because &lt;script&gt;"));
    assert_null(strstr(out.data, "<script"));
    assert_null(strstr(out.data, "<img"));
    assert_null(strstr(out.data, "<b>"));
    buf_done(&out);

    struct buf small;
    buf_init(&small, 1000);
    assert_int_equal(report_page(&config, &result, NULL, &small), -ENOSPC);
    buf_done(&small);
    series_free(result.series);
    for (size_t i = 0; i < ARRAY_LEN(stats); i++)
        stats_free(stats[i].stats);
    stats_free(result.total);
    journeys_free(js);
    check_ok(dir_remove(folder));
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_json_has_what_the_contract_names),
        cmocka_unit_test(the_page_says_the_verdict_first_and_escapes_what_is_foreign),
        cmocka_unit_test(results_reach_the_collector_though_it_was_away),
        cmocka_unit_test(a_queue_that_is_full_loses_its_oldest_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
