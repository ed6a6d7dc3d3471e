/* Semantics of rules on the real store and engine, the clock in the test's hand. Slow groups (over 2 s) run on their grid: a test steps to
 * `grid + k * interval`, whose first point bench_grid() finds. Sources: prometheus.io/docs/prometheus/latest/configuration/{recording,alerting}_rules. */
#include "tests/unit/collector/rules/rules_bench.h"

#define MIN 60000

/* The first grid point of the group from t_ms on. */
static int64_t bench_grid(struct bench *b, int64_t t_ms)
{
    b->now_ms = t_ms;
    int64_t wait_ms = rules_step(b->rules, t_ms);
    return t_ms + wait_ms;
}

/* "2000060000 firing {…}" with times relative to t0, to keep expectations readable. */
static void check_told(struct bench *b, int64_t t0, const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_str(&out, "");
    struct span rest = buf_view(&b->told), word;
    while (span_cut(&rest, ' ', &word)) { /* numbers of 10 digits and more are times */
        int64_t t;
        size_t end = span_find(word, '\n');
        struct span number = span_of(word.ptr, end);
        if (number.len >= 9 && parse_i64_span(number, INT64_MIN, INT64_MAX, &t) == 0)
            buf_i64(&out, t - t0);
        else
            buf_span(&out, number);
        if (end < word.len) {
            buf_char(&out, '\n');
            number = span_from(word, end + 1);
            if (number.len >= 9 && parse_i64_span(number, INT64_MIN, INT64_MAX, &t) == 0)
                buf_i64(&out, t - t0);
            else
                buf_span(&out, number);
        }
        if (rest.len)
            buf_char(&out, ' ');
    }
    if (!span_equal(buf_view(&out), span_str(expected)))
        check_failed("told\n%sexpected\n%s", out.data ? out.data : "", expected);
    buf_done(&out);
    buf_clear(&b->told);
}

static void put_gauge(struct bench *b, const char *series, double value, int64_t t_ms)
{
    char line[256];
    (void)snprintf(line, sizeof line, "%s %g %lld\n", series, value, (long long)t_ms);
    bench_put(b, line);
}

/* ---- recording ---- */
static void recording_rules_write_their_result_and_see_each_other(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- name: g\n  interval: 1m\n  labels: {tier: app}\n  rules:\n"
               "  - {record: 'job:up:sum', expr: 'sum by (job) (up)', labels: {stack: demo, job: ''}}\n"
               "  - {record: twice, expr: '2 * {__name__=~\"job:up:.*\"}'}\n"
               "  - {record: once, expr: 'vector(1)', labels: {tier: db}}\n"
               "  - {record: scalar, expr: '3 + 4'}\n",
               false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{job=\"a\",i=\"1\"}", 1, t - 1000);
    put_gauge(&b, "up{job=\"a\",i=\"2\"}", 4, t - 1000);
    bench_step(&b, t);
    bench_check_query(&b, "job:up:sum", t, "job:up:sum{stack=\"demo\", tier=\"app\"} 5\n");
    bench_check_query(&b, "twice", t, "twice{stack=\"demo\", tier=\"app\"} 10\n");
    bench_check_query(&b, "once", t, "once{tier=\"db\"} 1\n");
    bench_check_query(&b, "scalar", t, "scalar{tier=\"app\"} 7\n");
    bench_check_query(&b, "once", t - 1, ""); /* stamped with the evaluation time, not before */
    bench_close(&b);
}

static void recorded_series_that_vanish_are_marked_stale(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, "groups:\n- {name: g, interval: 1m, rules: [{record: r, expr: 'up > 1'}]}\n", false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{i=\"1\"}", 2, t);
    put_gauge(&b, "up{i=\"2\"}", 2, t);
    bench_step(&b, t);
    bench_check_query(&b, "count(r)", t, "{} 2\n");
    put_gauge(&b, "up{i=\"1\"}", 0, t + MIN);
    bench_step(&b, t + MIN);
    bench_check_query(&b, "r", t + MIN, "r{i=\"2\"} 2\n"); /* at once, not after the lookback of 5 minutes */
    put_gauge(&b, "up{i=\"1\"}", 3, t + 2 * MIN);
    bench_step(&b, t + 2 * MIN);
    bench_check_query(&b, "r", t + 2 * MIN, "r{i=\"1\"} 3\nr{i=\"2\"} 2\n");
    bench_close(&b);
}

static void query_offset_looks_back_and_stamps_back(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, "groups:\n- {name: g, interval: 1m, query_offset: 30s, rules: [{record: r, expr: up}]}\n", false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up", 1, t - 30000);
    put_gauge(&b, "up", 2, t - 1000);
    bench_step(&b, t);
    bench_check_query(&b, "r", t - 30000, "r 1\n");
    bench_close(&b);
}

static json_t *rule_of(json_t *data, size_t group, size_t rule)
{
    return json_array_get(json_object_get(json_array_get(json_object_get(data, "groups"), group), "rules"), rule);
}
static void check_health(struct bench *b, size_t rule, const char *health, const char *error)
{
    json_t *data = bench_rules_json(b, "");
    json_t *r = rule_of(data, 0, rule);
    assert_string_equal(json_string_value(json_object_get(r, "health")), health);
    const char *last = json_string_value(json_object_get(r, "lastError"));
    if (error)
        check_contains(last ? last : "(none)", error);
    else
        assert_null(last);
    json_decref(data);
}

static void a_failing_rule_says_why_and_the_others_go_on(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- name: g\n  interval: 1m\n  limit: 2\n  rules:\n"
               "  - {record: same, expr: up, labels: {i: '', j: ''}}\n"
               "  - {record: many, expr: 'up or limit_test'}\n"
               "  - {record: matrix, expr: 'up[5m]'}\n"
               "  - {record: fine, expr: 'count(up)'}\n"
               "  - {alert: Same, expr: up, labels: {i: x, j: y}}\n"
               "  - {record: text, expr: '\"x\"'}\n",
               false);
    int64_t t = bench_grid(&b, 1000000000);
    check_health(&b, 0, "unknown", NULL);
    put_gauge(&b, "up{i=\"1\"}", 1, t);
    put_gauge(&b, "up{j=\"2\"}", 1, t);
    put_gauge(&b, "limit_test", 1, t);
    bench_step(&b, t);
    check_health(&b, 0, "err", "vector contains metrics with the same labelset after applying rule labels");
    check_health(&b, 1, "err", "exceeded limit of 2 with 3 series");
    check_health(&b, 2, "err", "rule result is not a vector or scalar");
    check_health(&b, 3, "ok", NULL);
    check_health(&b, 4, "err", "vector contains metrics with the same labelset after applying alert labels");
    check_health(&b, 5, "err", "rule result is not a vector or scalar");
    bench_check_query(&b, "{__name__=~'same|many|ALERTS'}", t, "");
    bench_check_query(&b, "fine", t, "fine 2\n");
    assert_true(bench_counter(&b, "crest_rule_evaluations_total") == 6);
    assert_true(bench_counter(&b, "crest_rule_evaluation_failures_total") == 5);
    bench_check_told(&b, "");
    bench_close(&b);
}

static void rules_that_write_the_same_series_are_told_whose_samples_were_refused(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- name: g\n  interval: 1m\n  rules:\n"
               "  - {record: r, expr: 'vector(1)'}\n"
               "  - {record: other, expr: 'vector(1)'}\n"
               "  - {record: r, expr: 'vector(2)'}\n",
               false);
    int64_t t = bench_grid(&b, 1000000000);
    bench_step(&b, t);
    bench_step(&b, t + MIN); /* the second evaluation writes rule by rule to find out */
    check_health(&b, 0, "ok", NULL);
    check_health(&b, 1, "ok", NULL);
    check_health(&b, 2, "err", "duplicate");
    bench_check_query(&b, "r", t + MIN, "r 1\n");
    bench_close(&b);
}

/* ---- alerts ---- */
#define ALERT_RULES                                                                                                    \
    "groups:\n- name: g\n  interval: 1m\n  rules:\n"                                                                   \
    "  - alert: Down\n    expr: up == 0\n    for: 2m\n    labels: {severity: page, note: '{{ $labels.job }}!', gone: " \
    "'{{ $labels.none }}'}\n"                                                                                          \
    "    annotations: {text: '{{ $labels.i }} of {{ $labels.job }} is {{ $value }}, {{ $labels.__name__ }}'}\n"

static void alerts_go_from_pending_to_firing_to_resolved(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, ALERT_RULES, false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{job=\"a\",i=\"1\"}", 0, t);
    bench_step(&b, t);
#define DOWN "{alertname=\"Down\", alertstate=\"%s\", i=\"1\", job=\"a\", note=\"a!\", severity=\"page\"} 1\n"
    char text[256];
    (void)snprintf(text, sizeof text, "ALERTS" DOWN, "pending");
    bench_check_query(&b, "ALERTS", t, text);
    (void)snprintf(text, sizeof text,
                   "ALERTS_FOR_STATE{alertname=\"Down\", i=\"1\", job=\"a\", note=\"a!\", severity=\"page\"} %lld\n",
                   (long long)t / 1000);
    bench_check_query(&b, "ALERTS_FOR_STATE", t, text);
    check_told(&b, t, "");
    bench_step(&b, t + MIN);
    bench_check_query(&b, "ALERTS_FOR_STATE", t + MIN, text); /* still since t */
    check_told(&b, t, "");

    bench_step(&b, t + 2 * MIN); /* pending for 2 m: fires */
    (void)snprintf(text, sizeof text, "ALERTS" DOWN, "firing");
    bench_check_query(&b, "ALERTS", t + 2 * MIN, text); /* and the pending series is stale */
    check_told(&b, t,
               "120000 firing {alertname=\"Down\", i=\"1\", job=\"a\", note=\"a!\", severity=\"page\"} starts 120000 "
               "ends 360000\n");
    assert_int_equal(b.commits, 1);

    bench_step(&b, t + 3 * MIN); /* one minute is not more than the resend delay */
    check_told(&b, t, "");
    bench_step(&b, t + 4 * MIN);
    check_told(&b, t,
               "240000 firing {alertname=\"Down\", i=\"1\", job=\"a\", note=\"a!\", severity=\"page\"} starts 120000 "
               "ends 480000\n");

    put_gauge(&b, "up{job=\"a\",i=\"1\"}", 1, t + 5 * MIN);
    bench_step(&b, t + 5 * MIN);
    check_told(&b, t,
               "300000 resolved {alertname=\"Down\", i=\"1\", job=\"a\", note=\"a!\", severity=\"page\"} starts 120000 "
               "ends 300000\n");
    bench_check_query(&b, "{__name__=~'ALERTS.*'}", t + 5 * MIN, "");
    bench_close(&b);
}

static void resolved_alerts_are_said_again_for_fifteen_minutes(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, "groups:\n- {name: g, interval: 1m, rules: [{alert: Up, expr: 'up > 0'}]}\n", false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up", 1, t);
    bench_step(&b, t);
    put_gauge(&b, "up", 0, t + MIN);
    for (int i = 1; i <= 25; i++) {
        put_gauge(&b, "up", 0, t + i * MIN + 1);
        bench_step(&b, t + i * MIN);
    }
    size_t resolved = 0;
    for (const char *at = b.told.data; (at = strstr(at, "resolved")); at++)
        resolved++;
    /* At 1 min, then every second minute (resend after *more* than a minute) while not older than 15: 1, 3, …, 15 and the 16th drops it. */
    assert_int_equal(resolved, 8);
    bench_close(&b);
}

static void a_pending_alert_that_misses_once_begins_anew(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, ALERT_RULES, false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{i=\"1\"}", 0, t);
    bench_step(&b, t);
    put_gauge(&b, "up{i=\"1\"}", 1, t + MIN);
    bench_step(&b, t + MIN);
    put_gauge(&b, "up{i=\"1\"}", 0, t + 2 * MIN);
    bench_step(&b, t + 2 * MIN);
    bench_step(&b, t + 3 * MIN);
    check_told(&b, t, "");
    bench_step(&b, t + 4 * MIN);
    check_told(
        &b, t,
        "240000 firing {alertname=\"Down\", i=\"1\", note=\"!\", severity=\"page\"} starts 240000 ends 480000\n");
    bench_close(&b);
}

static void keep_firing_for_bridges_gaps(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, "groups:\n- {name: g, interval: 1m, rules: [{alert: A, expr: 'up == 0', keep_firing_for: 2m}]}\n",
               false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up", 0, t);
    bench_step(&b, t);
    check_told(&b, t, "0 firing {alertname=\"A\"} starts 0 ends 240000\n");
    put_gauge(&b, "up", 1, t + MIN);
    bench_step(&b, t + MIN); /* kept, since now */
    bench_check_query(&b, "ALERTS", t + MIN, "ALERTS{alertname=\"A\", alertstate=\"firing\"} 1\n");
    json_t *data = bench_alerts_json(&b);
    json_t *alert = json_array_get(json_object_get(data, "alerts"), 0);
    char since[NUMBER_TEXT_MAX];
    format_rfc3339_ms(since, t + MIN);
    assert_string_equal(json_string_value(json_object_get(alert, "keepFiringSince")), since);
    json_decref(data);
    put_gauge(&b, "up", 0, t + 2 * MIN);
    bench_step(&b, t + 2 * MIN); /* the gap is over */
    put_gauge(&b, "up", 1, t + 3 * MIN);
    bench_step(&b, t + 3 * MIN); /* a new one */
    bench_step(&b, t + 4 * MIN);
    buf_clear(&b.told);
    bench_step(&b, t + 5 * MIN);
    check_told(&b, t, "300000 resolved {alertname=\"A\"} starts 0 ends 300000\n");
    bench_close(&b);
}

static void alerts_over_the_limit_are_forgotten_with_an_error(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, "groups:\n- {name: g, interval: 1m, limit: 1, rules: [{alert: A, expr: 'up == 0'}]}\n", false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{i=\"1\"}", 0, t);
    bench_step(&b, t);
    check_told(&b, t, "0 firing {alertname=\"A\", i=\"1\"} starts 0 ends 240000\n");
    put_gauge(&b, "up{i=\"2\"}", 0, t + MIN);
    bench_step(&b, t + MIN);
    check_health(&b, 0, "err", "exceeded limit of 1 with 2 alerts");
    check_told(&b, t, "");
    bench_check_query(&b, "ALERTS", t + MIN,
                      "ALERTS{alertname=\"A\", alertstate=\"firing\", i=\"1\"} 1\n"); /* no stale marker */
    put_gauge(&b, "up{i=\"2\"}", 1, t + 2 * MIN);
    bench_step(&b, t + 2 * MIN); /* begins anew */
    check_told(&b, t, "120000 firing {alertname=\"A\", i=\"1\"} starts 120000 ends 360000\n");
    bench_close(&b);
}

static void external_labels_leave_with_alerts_only(void **unused)
{
    (void)unused;
    struct bench b;
    bench_init(&b, false);
    static struct label external[] = {{SPAN_INIT("job"), SPAN_INIT("never")}, {SPAN_INIT("region"), SPAN_INIT("eu")}};
    b.config.external_labels = (struct labels){external, 2};
    b.config.external_url = "http://crest:9480/";
    bench_start(&b, "groups:\n- name: g\n  interval: 1m\n  rules:\n  - alert: A\n    expr: up == 0\n"
                    "    labels: {from: '{{ $externalLabels.region }} {{ $externalURL }}'}\n");
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{job=\"a\"}", 0, t);
    bench_step(&b, t);
    check_told(
        &b, t,
        "0 firing {alertname=\"A\", from=\"eu http://crest:9480\", job=\"a\", region=\"eu\"} starts 0 ends 240000\n");
    bench_check_query(&b, "ALERTS", t,
                      "ALERTS{alertname=\"A\", alertstate=\"firing\", from=\"eu http://crest:9480\", job=\"a\"} 1\n");
    bench_close(&b);
}

static void a_template_that_fails_gives_its_error_and_the_alert_fires(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- name: g\n  interval: 1m\n  rules:\n  - alert: A\n    expr: up == 0\n"
               "    annotations: {text: '{{ humanize \"x\" }}'}\n",
               false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up", 0, t);
    bench_step(&b, t);
    check_told(&b, t, "0 firing {alertname=\"A\"} starts 0 ends 240000\n");
    json_t *data = bench_alerts_json(&b);
    json_t *alert = json_array_get(json_object_get(data, "alerts"), 0);
    check_contains(json_string_value(json_object_get(json_object_get(alert, "annotations"), "text")),
                   "<error expanding template: ");
    json_decref(data);
    assert_true(bench_counter(&b, "crest_rule_template_failures_total") == 1);
    bench_close(&b);
}

static void templates_ask_the_store_and_see_the_rules_before(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- name: g\n  interval: 1m\n  rules:\n"
               "  - {record: 'job:up:sum', expr: 'sum by (job) (up)'}\n"
               "  - alert: Up\n    expr: up > 0\n"
               "    labels: {all: '{{ query \"job:up:sum\" | first | value }}'}\n"
               "    annotations:\n"
               "      each: '{{ range query \"sort(up)\" }}{{ .Labels.i }}={{ .Value }} {{ end }}'\n"
               "      none: '{{ with query \"nothing\" }}some{{ else }}none{{ end }}'\n"
               "      bad: '{{ query \"up[5m]\" }}'\n",
               false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{job=\"a\",i=\"1\"}", 4, t - 1000);
    put_gauge(&b, "up{job=\"a\",i=\"2\"}", 0, t - 1000);
    bench_step(&b, t);
    check_told(&b, t, "0 firing {alertname=\"Up\", all=\"4\", i=\"1\", job=\"a\"} starts 0 ends 240000\n");
    json_t *data = bench_alerts_json(&b);
    const json_t *notes = json_object_get(json_array_get(json_object_get(data, "alerts"), 0), "annotations");
    assert_string_equal(json_string_value(json_object_get(notes, "each")), "2=0 1=4 ");
    assert_string_equal(json_string_value(json_object_get(notes, "none")), "none");
    check_contains(json_string_value(json_object_get(notes, "bad")), "<error expanding template: ");
    json_decref(data);
    bench_close(&b);
}

/* The rule's comment line makes the difference between "well" and "no data". */
static void with_keep_last_state_missing_data_ends_nothing(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- name: g\n  interval: 1m\n  rules:\n"
               "  # crest: keep_last_state\n"
               "  - alert: Kept\n    expr: errors / total > 0.5 and on (job) total > 10 unless on (job) muted\n"
               "    labels: {severity: page}\n"
               "  - alert: Plain\n    expr: errors / total > 0.5\n",
               false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "errors{job=\"a\"}", 90, t - 1000);
    put_gauge(&b, "total{job=\"a\"}", 100, t - 1000);
    bench_step(&b, t);
    bench_check_query(&b, "ALERTS", t,
                      "ALERTS{alertname=\"Kept\", alertstate=\"firing\", job=\"a\", severity=\"page\"} 1\n"
                      "ALERTS{alertname=\"Plain\", alertstate=\"firing\", job=\"a\"} 1\n");
    /* the sender is away: after the lookback there is no data */
    for (int i = 1; i <= 7; i++)
        bench_step(&b, t + i * MIN);
    bench_check_query(&b, "ALERTS", t + 7 * MIN,
                      "ALERTS{alertname=\"Kept\", alertstate=\"firing\", job=\"a\", severity=\"page\"} 1\n");
    /* half of it back says nothing */
    put_gauge(&b, "total{job=\"a\"}", 100, t + 8 * MIN - 1000);
    bench_step(&b, t + 8 * MIN);
    bench_check_query(&b, "count(ALERTS)", t + 8 * MIN, "{} 1\n");
    /* all of it back, and it is well: that ends it */
    put_gauge(&b, "errors{job=\"a\"}", 1, t + 9 * MIN - 1000);
    put_gauge(&b, "total{job=\"a\"}", 100, t + 9 * MIN - 1000);
    bench_step(&b, t + 9 * MIN);
    bench_check_query(&b, "ALERTS", t + 9 * MIN, "");
    bench_close(&b);
}

static void what_the_state_writer_refuses_is_tried_again(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, "groups:\n- {name: g, interval: 1m, rules: [{alert: A, expr: 'up == 0'}]}\n", false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up", 0, t);
    b.sink_result = -ENOSPC;
    bench_step(&b, t);
    check_told(&b, t, "");
    check_health(&b, 0, "err", "alert state could not be committed");
    assert_int_equal(b.commits, 0);
    bench_check_query(&b, "ALERTS", t, "ALERTS{alertname=\"A\", alertstate=\"firing\"} 1\n"); /* shown all the same */
    b.sink_result = 0;
    bench_step(&b, t + MIN); /* within the resend delay, but it was never sent */
    check_told(&b, t, "60000 firing {alertname=\"A\"} starts 0 ends 300000\n");
    check_health(&b, 0, "ok", NULL);
    bench_close(&b);
}

static void a_rule_that_cannot_be_evaluated_does_not_end_its_alerts(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- {name: g, interval: 1m, rules: [{alert: A, expr: 'up == 0 or on() (a * on() b > 5)'}]}\n",
               false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up", 0, t);
    bench_step(&b, t);
    check_told(&b, t, "0 firing {alertname=\"A\"} starts 0 ends 240000\n");
    put_gauge(&b, "a", 1, t + MIN);
    put_gauge(&b, "b{i=\"1\"}", 1, t + MIN); /* many to many */
    put_gauge(&b, "b{i=\"2\"}", 1, t + MIN);
    bench_step(&b, t + MIN);
    check_health(&b, 0, "err", "found duplicate series");
    check_told(&b, t, "");
    bench_step(&b, t + 2 * MIN); /* still unknown: said again, so that nobody takes it for resolved */
    check_told(&b, t, "120000 firing {alertname=\"A\"} starts 0 ends 360000\n");
    json_t *data = bench_alerts_json(&b);
    assert_int_equal(json_array_size(json_object_get(data, "alerts")), 1);
    json_decref(data);
    bench_close(&b);
}

/* ---- scheduling ---- */
static void fast_groups_run_at_the_commit_of_a_live_sample(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, "groups:\n- {name: g, interval: 1s, rules: [{record: r, expr: up}, {record: s, expr: 'r + 1'}]}\n",
               false);
    int64_t t = bench_grid(&b, 1000000000); /* the start of a slot */
    bench_step(&b, t);                      /* the tick that ends the slot in which we began */
    double before = bench_counter(&b, "crest_rule_group_iterations_total");
    b.now_ms = t + 100;
    put_gauge(&b, "up", 1, t + 50);
    bench_step(&b, t + 100);
    assert_true(bench_counter(&b, "crest_rule_group_iterations_total") == before + 1);
    assert_true(bench_counter(&b, "crest_rule_group_last_evaluation_timestamp_seconds") == (double)(t + 50) / 1000);
    bench_check_query(&b, "s", t + 50, "s 2\n");
    bench_check_query(&b, "s", t + 49, ""); /* stamped with that sample's time */
    bench_close(&b);
}

static double iterations(struct bench *b)
{
    return bench_counter(b, "crest_rule_group_iterations_total");
}

/* Its one run in the interval must not be spent on another sender's commit, before its own samples are there. */
static void a_fast_group_runs_at_the_commit_of_what_it_reads(void **unused)
{
    (void)unused;
    static const struct {
        const char *rules;
        bool waits; /* for `up` */
    } CASES[] = {
        {"[{alert: A, expr: 'up > 0'}]", true},
        {"[{record: r, expr: up}, {alert: A, expr: 'r > 0'}]", true}, /* through the rule that writes it */
        {"[{alert: A, expr: 'up > 0 unless ALERTS'}]", true},
        {"[{alert: A, expr: '{job=\"x\"} or up > 0'}]", false}, /* reads anything */
        {"[{alert: A, expr: 'vector(1)'}]", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct bench b;
        char yaml[256];
        (void)snprintf(yaml, sizeof yaml, "groups:\n- {name: g, interval: 1s, rules: %s}\n", CASES[i].rules);
        bench_open(&b, yaml, false);
        int64_t t = bench_grid(&b, 1000000000);
        bench_step(&b, t);
        double before = iterations(&b);
        b.now_ms = t + 100;
        put_gauge(&b, "other", 1, t + 50);
        bench_step(&b, t + 100);
        assert_true(iterations(&b) == before + (CASES[i].waits ? 0 : 1));
        b.now_ms = t + 200;
        put_gauge(&b, "up", 1, t + 150);
        bench_step(&b, t + 200);
        assert_true(iterations(&b) == before + 1);
        if (CASES[i].waits)
            assert_true(bench_counter(&b, "crest_rule_group_last_evaluation_timestamp_seconds") ==
                        (double)(t + 150) / 1000);
        bench_step(&b, t + 2000); /* without news, at the slot's end */
        assert_true(iterations(&b) == before + 2);
        bench_close(&b);
    }
}

static void old_and_future_samples_and_the_rules_own_wake_nobody(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- {name: fast, interval: 1s, rules: [{record: r, expr: up}]}\n"
               "- {name: slow, interval: 1m, rules: [{record: now, expr: 'time()'}]}\n",
               false);
    int64_t t = 1000000000;
    b.now_ms = t;
    bench_step(&b, t);
    bench_step(&b, t + 1000);
    double before = bench_counter(&b, "crest_rule_group_iterations_total{rule_group=\"");
    b.now_ms = t + 1001;
    put_gauge(&b, "up", 1, t - 3600000); /* history */
    put_gauge(&b, "up", 1, t + 3600000); /* a wrong clock */
    bench_step(&b, t + 1002);
    assert_true(bench_counter(&b, "crest_rule_group_iterations_total{rule_group=\"") == before);
    put_gauge(&b, "up", 1, t + 1001);
    bench_step(&b, t + 1003);
    assert_true(bench_counter(&b, "crest_rule_group_iterations_total{rule_group=\"") == before + 1);
    bench_close(&b);
}

static void missed_evaluations_are_skipped_and_counted(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, "groups:\n- {name: g, interval: 1m, rules: [{record: r, expr: 'vector(1)'}]}\n", false);
    int64_t t = bench_grid(&b, 1000000000);
    bench_step(&b, t);
    bench_step(&b, t + 5 * MIN + 10);
    assert_true(bench_counter(&b, "crest_rule_group_iterations_total") == 2);
    assert_true(bench_counter(&b, "crest_rule_group_iterations_missed_total") == 4);
    assert_true(bench_counter(&b, "crest_rule_group_last_evaluation_timestamp_seconds") ==
                (double)(t + 5 * MIN) / 1000);
    bench_close(&b);
}

/* ---- reload ---- */
static void a_reload_keeps_the_state_of_equal_rules(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, ALERT_RULES, false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{i=\"1\"}", 0, t);
    bench_step(&b, t);
    bench_step(&b, t + MIN);
    /* A rule before it, another expression, other annotations: still the same rule (name and labels). */
    check_ok(bench_load(&b, "groups:\n- name: g\n  interval: 1m\n  rules:\n"
                            "  - {record: x, expr: 'vector(1)'}\n"
                            "  - alert: Down\n    expr: up < 1\n    for: 2m\n"
                            "    labels: {severity: page, note: '{{ $labels.job }}!', gone: '{{ $labels.none }}'}\n"));
    bench_step(&b, t + 2 * MIN);
    check_told(
        &b, t,
        "120000 firing {alertname=\"Down\", i=\"1\", note=\"!\", severity=\"page\"} starts 120000 ends 360000\n");
    bench_close(&b);
}

static void a_bad_file_keeps_the_old_rules(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b, ALERT_RULES, false);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{i=\"1\"}", 0, t);
    bench_step(&b, t);
    check_errno(bench_load(&b, "groups:\n- {name: g, rules: [{alert: X}]}\n"), -EINVAL);
    assert_true(bench_counter(&b, "crest_rules_last_load_successful") == 0);
    bench_step(&b, t + MIN);
    bench_step(&b, t + 2 * MIN);
    check_told(
        &b, t,
        "120000 firing {alertname=\"Down\", i=\"1\", note=\"!\", severity=\"page\"} starts 120000 ends 360000\n");
    bench_close(&b);
}

static void series_of_removed_rules_become_stale_unless_somebody_else_writes_them(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- name: g\n  interval: 1m\n  rules:\n"
               "  - {record: gone, expr: 'vector(1)'}\n  - {record: moved, expr: 'vector(2)'}\n"
               "  - {alert: A, expr: 'vector(1)'}\n",
               false);
    int64_t t = bench_grid(&b, 1000000000);
    bench_step(&b, t);
    check_ok(bench_load(&b, "groups:\n- {name: other, interval: 10s, rules: [{record: moved, expr: 'vector(3)'}]}\n"));
    for (int64_t at = t; at <= t + 3 * MIN; at += 1000)
        bench_step(&b, at);
    bench_check_query(&b, "{__name__=~'gone|ALERTS.*'}", t + 3 * MIN, "");
    bench_check_query(&b, "moved", t + 3 * MIN, "moved 3\n");
    bench_check_query(&b, "count_over_time(moved[1m])", t + 3 * MIN, "{} 6\n");
    bench_close(&b);
}

/* ---- the API ---- */
static void the_api_has_prometheus_shape(void **unused)
{
    (void)unused;
    struct bench b;
    bench_open(&b,
               "groups:\n- name: g\n  interval: 30s\n  limit: 5\n  rules:\n"
               "  - {record: r, expr: 'sum(up)by(job)', labels: {stack: x}}\n"
               "  - {alert: A, expr: 'up==0', for: 90s, keep_firing_for: 1m, labels: {severity: page}, annotations: "
               "{s: 'v={{ $value }}'}}\n",
               false);
    json_t *data = bench_rules_json(&b, "");
    assert_int_equal(json_array_size(json_object_get(data, "groups")), 1);
    assert_string_equal(json_string_value(json_object_get(rule_of(data, 0, 1), "lastEvaluation")),
                        "0001-01-01T00:00:00Z");
    json_decref(data);
    int64_t t = bench_grid(&b, 1000000000);
    put_gauge(&b, "up{job=\"a\"}", 0, t);
    bench_step(&b, t);
    char at[NUMBER_TEXT_MAX];
    format_rfc3339_ms(at, t);
    data = bench_rules_json(&b, "");
    /* The durations vary: pin them. */
    json_t *group = json_array_get(json_object_get(data, "groups"), 0);
    assert_true(json_is_number(json_object_get(group, "evaluationTime")));
    json_object_set_new(group, "evaluationTime", json_real(0));
    for (size_t i = 0; i < 2; i++) {
        assert_true(json_is_number(json_object_get(rule_of(data, 0, i), "evaluationTime")));
        json_object_set_new(rule_of(data, 0, i), "evaluationTime", json_real(0));
    }
    json_t *expected = json_pack("{s:[{s:s, s:s, s:[{s:s, s:s, s:{s:s}, s:s, s:f, s:s, s:s},"
                                 " {s:s, s:s, s:s, s:f, s:f, s:{s:s}, s:{s:s}, s:[{s:{s:s, s:s, s:s}, s:{s:s}, s:s, "
                                 "s:s, s:s}], s:s, s:f, s:s, s:s}],"
                                 " s:f, s:i, s:f, s:s}]}",
                                 "groups", "name", "g", "file", b.file, "rules",
                                 /* recording */ "name", "r", "query", "sum by (job) (up)", "labels", "stack", "x",
                                 "health", "ok", "evaluationTime", 0.0, "lastEvaluation", at, "type", "recording",
                                 /* alerting */ "state", "pending", "name", "A", "query", "up == 0", "duration", 90.0,
                                 "keepFiringFor", 60.0, "labels", "severity", "page", "annotations", "s",
                                 "v={{ $value }}", "alerts", "labels", "alertname", "A", "job", "a", "severity", "page",
                                 "annotations", "s", "v=0", "state", "pending", "activeAt", at, "value", "0e+00",
                                 "health", "ok", "evaluationTime", 0.0, "lastEvaluation", at, "type", "alerting",
                                 /* group */ "interval", 30.0, "limit", 5, "evaluationTime", 0.0, "lastEvaluation", at);
    assert_non_null(expected);
    AUTO_FREE char *have = json_dumps(data, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    AUTO_FREE char *want = json_dumps(expected, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    /* 90 and 90.0 are the same number in JSON, not in jansson. */
    json_decref(data);
    json_decref(expected);
    AUTO_FREE char *have_plain = strdup(have), *want_plain = strdup(want);
    for (char *p = have_plain; (p = strstr(p, ".0")) != NULL;)
        memmove(p, p + 2, strlen(p + 2) + 1);
    for (char *p = want_plain; (p = strstr(p, ".0")) != NULL;)
        memmove(p, p + 2, strlen(p + 2) + 1);
    assert_string_equal(have_plain, want_plain);

    data = bench_rules_json(&b, "record");
    assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(data, "groups"), 0), "rules")), 1);
    json_decref(data);
    data = bench_alerts_json(&b);
    assert_int_equal(json_array_size(json_object_get(data, "alerts")), 1);
    json_decref(data);
    check_ok(bench_load(&b, "groups: [{name: empty}]")); /* a group without rules is not shown */
    data = bench_rules_json(&b, "");
    assert_int_equal(json_array_size(json_object_get(data, "groups")), 0);
    json_decref(data);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recording_rules_write_their_result_and_see_each_other),
        cmocka_unit_test(recorded_series_that_vanish_are_marked_stale),
        cmocka_unit_test(query_offset_looks_back_and_stamps_back),
        cmocka_unit_test(a_failing_rule_says_why_and_the_others_go_on),
        cmocka_unit_test(rules_that_write_the_same_series_are_told_whose_samples_were_refused),
        cmocka_unit_test(alerts_go_from_pending_to_firing_to_resolved),
        cmocka_unit_test(resolved_alerts_are_said_again_for_fifteen_minutes),
        cmocka_unit_test(a_pending_alert_that_misses_once_begins_anew),
        cmocka_unit_test(keep_firing_for_bridges_gaps),
        cmocka_unit_test(alerts_over_the_limit_are_forgotten_with_an_error),
        cmocka_unit_test(external_labels_leave_with_alerts_only),
        cmocka_unit_test(a_template_that_fails_gives_its_error_and_the_alert_fires),
        cmocka_unit_test(templates_ask_the_store_and_see_the_rules_before),
        cmocka_unit_test(with_keep_last_state_missing_data_ends_nothing),
        cmocka_unit_test(what_the_state_writer_refuses_is_tried_again),
        cmocka_unit_test(a_rule_that_cannot_be_evaluated_does_not_end_its_alerts),
        cmocka_unit_test(fast_groups_run_at_the_commit_of_a_live_sample),
        cmocka_unit_test(a_fast_group_runs_at_the_commit_of_what_it_reads),
        cmocka_unit_test(old_and_future_samples_and_the_rules_own_wake_nobody),
        cmocka_unit_test(missed_evaluations_are_skipped_and_counted),
        cmocka_unit_test(a_reload_keeps_the_state_of_equal_rules),
        cmocka_unit_test(a_bad_file_keeps_the_old_rules),
        cmocka_unit_test(series_of_removed_rules_become_stale_unless_somebody_else_writes_them),
        cmocka_unit_test(the_api_has_prometheus_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
