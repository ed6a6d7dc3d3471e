/* A target: what it is called, what becomes of a page, and what is told when series, pages or the target go away. */
#include "agent/target.h"

#include <errno.h>

#include "lib/base/file.h"
#include "tests/support/check.h"

/* ---- everything that the target tells, as text ---- */

struct told {
    struct buf samples; /* "labels value@time" lines; stale markers as "stale" */
    struct buf metadata;
    size_t n;
};

static void on_sample(void *ctx, const struct labels *labels, const struct sample *s)
{
    struct told *told = ctx;
    labels_format(&told->samples, labels);
    if (is_stale(s->value)) {
        buf_str(&told->samples, " stale");
    } else {
        buf_char(&told->samples, ' ');
        buf_f64(&told->samples, s->value);
    }
    buf_printf(&told->samples, "@%lld\n", (long long)s->t_ms);
    told->n++;
}

static void on_metadata(void *ctx, const struct metadata *m)
{
    struct told *told = ctx;
    buf_printf(&told->metadata, SPAN_FMT " %s " SPAN_FMT "\n", SPAN_ARG(m->name), metric_type_name(m->type),
               SPAN_ARG(m->help));
}

static struct told told;
static struct sample_sink sink = {&told, on_sample, on_metadata};

static void forget(void)
{
    buf_clear(&told.samples);
    buf_clear(&told.metadata);
    told.n = 0;
}

static void expect_line(const char *line)
{
    char text[1024];
    snprintf(text, sizeof text, "\n%s\n", line);
    struct buf all;
    buf_init(&all, 1 << 20);
    buf_char(&all, '\n');
    buf_span(&all, buf_view(&told.samples));
    bool there = all.data && strstr(all.data, text) != NULL;
    buf_done(&all);
    if (!there)
        check_failed("%s is not in:\n%s", line, told.samples.data ? told.samples.data : "");
}

static void expect_no(const char *piece)
{
    if (told.samples.data && strstr(told.samples.data, piece))
        check_failed("%s is in:\n%s", piece, told.samples.data);
}

/* ---- a configuration with one job, its first target ---- */

static char *folder;
static struct agent_config *config;
static struct target *target;

static struct agent_config *load(const char *text)
{
    struct agent_config *c = NULL;
    struct problems problems;
    char path[4096];
    snprintf(path, sizeof path, "%s/prometheus.yml", folder);
    check_ok(file_write(path, text, strlen(text)));
    problems_init(&problems);
    if (agent_config_load(path, &c, &problems) < 0)
        check_failed("%s: %s", text, problems.list[0].text);
    problems_done(&problems);
    return c;
}

static struct pair_table *pairs;

static struct target *first_target(const struct agent_config *c)
{
    struct target *t = NULL;
    const struct scrape_job *job = &c->jobs[0];
    check_ok(target_new(job, &job->groups[0].labels, job->groups[0].targets[0], &c->external_labels, pairs, &t));
    return t;
}

static void use(const char *text)
{
    config = load(text);
    target = first_target(config);
    if (target)
        target->time_ms = 1000;
}

#define JOB "scrape_configs:\n  - job_name: j\n    static_configs: [{targets: ['h:1']}]\n"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

static int setup(void **state UNUSED)
{
    buf_init(&told.samples, 1 << 20);
    buf_init(&told.metadata, 1 << 20);
    told.n = 0;
    check_ok(pair_table_new(&pairs));
    return dir_make_temp("target", &folder);
}

static int teardown(void **state UNUSED)
{
    target_free(target);
    agent_config_free(config);
    target = NULL;
    config = NULL;
    buf_done(&told.samples);
    buf_done(&told.metadata);
    size_t left = pair_table_count(pairs);
    pair_table_free(pairs);
    int r = dir_remove(folder);
    free(folder);
    return left ? -1 : r; /* every label was given back */
}

static void answer(int status, const char *type, const char *page)
{
    struct http_response response = {.status = status};
    buf_init(&response.headers, 65536);
    buf_init(&response.body, 1 << 20);
    if (type)
        buf_printf(&response.headers, "content-type: %s\n", type);
    buf_str(&response.body, page);
    target_take_page(target, &response, 2500, &sink);
    http_response_done(&response);
}

static void page(const char *text)
{
    answer(200, TEXT_TYPE, text);
}

/* ---- names ---- */

static const struct name_case {
    const char *config, *url, *labels;
} NAMES[] = {
    {JOB, "http://h:1/metrics", "{instance=\"h:1\", job=\"j\"}"},
    {JOB "    metrics_path: /m\n    scheme: https\n    params: {a: [x y, '2'], b: ['&']}\n",
     "https://h:1/m?a=x%20y&b=%26&a=2", "{instance=\"h:1\", job=\"j\"}"},
    {JOB "    metrics_path: m\n", "http://h:1/m", "{instance=\"h:1\", job=\"j\"}"},
    {"scrape_configs:\n  - job_name: j\n    static_configs: [{targets: ['h:1'], labels: {x: y, job: other, instance: "
     "i}}]\n",
     "http://h:1/metrics", "{instance=\"i\", job=\"other\", x=\"y\"}"},
    /* the blackbox pattern */
    {JOB "    params: {module: [http]}\n    relabel_configs:\n"
         "      - {source_labels: [__address__], target_label: __param_target}\n"
         "      - {source_labels: [__param_target], target_label: instance}\n"
         "      - {target_label: __address__, replacement: 'probe:9115'}\n",
     "http://probe:9115/metrics?module=http&target=h%3A1", "{instance=\"h:1\", job=\"j\"}"},
    {JOB "    relabel_configs:\n      - {target_label: __metrics_path__, replacement: /other}\n"
         "      - {target_label: __scheme__, replacement: https}\n      - {target_label: __tmp_x, replacement: gone}\n",
     "https://h:1/other", "{instance=\"h:1\", job=\"j\"}"},
};

static void a_target_is_called_as_its_configuration_says(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        struct buf labels;
        use(NAMES[i].config);
        buf_init(&labels, 4096);
        labels_format(&labels, &target->labels);
        assert_string_equal(target->url, NAMES[i].url);
        assert_string_equal(labels.data, NAMES[i].labels);
        buf_done(&labels);
        target_free(target);
        agent_config_free(config);
        target = NULL;
        config = NULL;
    }
}

static void relabelling_can_change_the_schedule_of_a_target(void **state UNUSED)
{
    use(JOB "    scrape_interval: 10s\n    scrape_timeout: 10s\n    relabel_configs:\n"
            "      - {target_label: __scrape_interval__, replacement: 2s}\n");
    assert_int_equal(target->interval_ms, 2000);
    assert_int_equal(target->timeout_ms, 2000); /* never longer than the interval */
}

static void a_dropped_target_is_none(void **state UNUSED)
{
    use(JOB "    relabel_configs: [{action: drop, source_labels: [__address__], regex: 'h:.*'}]\n");
    assert_null(target);
    agent_config_free(config);
    use(JOB "    relabel_configs: [{target_label: __address__, replacement: ''}]\n");
    assert_null(target);
}

/* ---- pages ---- */

static void a_page_becomes_samples_with_the_targets_labels(void **state UNUSED)
{
    use(JOB);
    page("# HELP a what a is\n# TYPE a counter\na{x=\"1\"} 5\na{x=\"2\"} NaN\nb 1e3\n");
    expect_line("a{instance=\"h:1\", job=\"j\", x=\"1\"} 5@1000");
    expect_line("a{instance=\"h:1\", job=\"j\", x=\"2\"} NaN@1000");
    expect_line("b{instance=\"h:1\", job=\"j\"} 1000@1000");
    expect_line("up{instance=\"h:1\", job=\"j\"} 1@1000");
    expect_line("scrape_samples_scraped{instance=\"h:1\", job=\"j\"} 3@1000");
    expect_line("scrape_samples_post_metric_relabeling{instance=\"h:1\", job=\"j\"} 3@1000");
    expect_line("scrape_series_added{instance=\"h:1\", job=\"j\"} 3@1000");
    expect_line("scrape_duration_seconds{instance=\"h:1\", job=\"j\"} 0.0025@1000");
    expect_line(
        "crest_agent_target_info{instance=\"h:1\", job=\"j\", pool=\"j\", scrape_url=\"http://h:1/metrics\"} 1@1000");
    assert_int_equal(told.n, 9);
    assert_string_equal(told.metadata.data, "a counter what a is\n"); /* once, whole */

    forget();
    target->time_ms = 2000;
    page("a{x=\"1\"} 6\na{x=\"2\"} 7\nb 8\n");
    expect_line("scrape_series_added{instance=\"h:1\", job=\"j\"} 0@2000");
    assert_int_equal(told.n, 9);
}

static void a_series_that_vanishes_ends_with_a_stale_marker_once(void **state UNUSED)
{
    use(JOB);
    page("a 1\nb 2\n");
    forget();
    target->time_ms = 2000;
    page("a 1\n");
    expect_line("b{instance=\"h:1\", job=\"j\"} stale@2000");
    expect_line("a{instance=\"h:1\", job=\"j\"} 1@2000");
    forget();
    target->time_ms = 3000;
    page("a 1\n");
    expect_no("stale");
    forget();
    target->time_ms = 4000;
    page("a 1\nb 3\n");
    expect_line("b{instance=\"h:1\", job=\"j\"} 3@4000");
}

static const struct failure_case {
    int status;
    const char *type, *page, *error;
} FAILURES[] = {
    {500, TEXT_TYPE, "a 1\n", "server returned HTTP status 500"},
    {204, TEXT_TYPE, "", "server returned HTTP status 204"},
    {200, TEXT_TYPE, "a 1\nb x\n", "line 2:3: "},
    {200, TEXT_TYPE, "a{b=\"c} 1\n", "line 1:"},
    {200, "text/html", "<html>", "Content-Type \\\"text/html\\\" is no exposition format"},
    {200, NULL, "a 1\n", "Content-Type \\\"\\\" is no exposition format"},
    {200, OPENMETRICS_TYPE, "a 1\n", "EOF"}, /* cut off: all or nothing */
};

static void a_failed_scrape_is_all_or_nothing_and_says_why(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(FAILURES); i++) {
        const struct failure_case *c = &FAILURES[i];
        use(JOB);
        page("a 1\nold 2\n");
        forget();
        target->time_ms = 2000;
        answer(c->status, c->type, c->page);
        expect_line("up{instance=\"h:1\", job=\"j\"} 0@2000");
        expect_line("a{instance=\"h:1\", job=\"j\"} stale@2000");
        expect_line("old{instance=\"h:1\", job=\"j\"} stale@2000");
        expect_no("b{");
        check_contains(told.samples.data, c->error);
        /* the info without an error ends, the one with it begins */
        expect_line(
            "crest_agent_target_info{instance=\"h:1\", job=\"j\", pool=\"j\", scrape_url=\"http://h:1/metrics\"} "
            "stale@2000");
        check_contains(told.samples.data, "crest_agent_target_info{error=\"");
        assert_int_equal(told.n, 2 + REPORTS + 2);

        forget(); /* and back: the error's info ends, everything is new */
        target->time_ms = 3000;
        page("a 1\n");
        expect_line("up{instance=\"h:1\", job=\"j\"} 1@3000");
        expect_line("a{instance=\"h:1\", job=\"j\"} 1@3000");
        check_contains(told.samples.data, "crest_agent_target_info{error=\"");
        expect_line("crest_agent_target_info{instance=\"h:1\", job=\"j\", pool=\"j\", "
                    "scrape_url=\"http://h:1/metrics\"} 1@3000");
        forget();
        target_free(target);
        agent_config_free(config);
        target = NULL;
        config = NULL;
    }
}

static void a_network_error_is_the_targets_error(void **state UNUSED)
{
    use(JOB);
    struct http_response response = {.error = -ECONNREFUSED, .error_text = "connection\nrefused \xff"};
    target_take_page(target, &response, 10, &sink);
    assert_string_equal(target->error, "connection refused ?"); /* one line, valid UTF-8 */
    expect_line("up{instance=\"h:1\", job=\"j\"} 0@1000");
    response = (struct http_response){.error = -ETIMEDOUT};
    target_take_page(target, &response, 10, &sink);
    check_contains(target->error, "no answer within the scrape timeout of 10000 ms");
}

static void a_long_error_is_cut_at_a_character(void **state UNUSED)
{
    use(JOB);
    struct http_response response = {.error = -EPROTO};
    for (size_t i = 0; i < sizeof response.error_text - 2; i += 2)
        memcpy(response.error_text + i, "\xc3\xa4", 3); /* ä */
    for (size_t shift = 0; shift < 2; shift++) {
        memmove(response.error_text + shift, response.error_text, 240);
        memset(response.error_text, 'x', shift);
        target_take_page(target, &response, 10, &sink);
        assert_true(strlen(target->error) >= 198 && strlen(target->error) <= 200);
        assert_true(span_is_utf8(span_str(target->error)));
        assert_null(strchr(target->error, '?'));
    }
}

static void a_fallback_protocol_reads_pages_without_a_type(void **state UNUSED)
{
    use(JOB "    fallback_scrape_protocol: PrometheusText0.0.4\n");
    answer(200, NULL, "a 1\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} 1@1000");
    expect_line("up{instance=\"h:1\", job=\"j\"} 1@1000");
}

static void the_pages_own_labels_are_kept_as_exported(void **state UNUSED)
{
    use(JOB);
    page("a{job=\"x\",instance=\"y\",exported_job=\"z\"} 1\n");
    expect_line("a{exported_exported_job=\"x\", exported_instance=\"y\", exported_job=\"z\", instance=\"h:1\", "
                "job=\"j\"} 1@1000");
}

static void honor_labels_lets_the_page_win(void **state UNUSED)
{
    use(JOB "    honor_labels: true\n");
    page("a{job=\"x\",instance=\"\"} 1\n");
    expect_line("a{instance=\"h:1\", job=\"x\"} 1@1000"); /* an empty one is none */
    expect_line("up{instance=\"h:1\", job=\"j\"} 1@1000");
}

static void metric_relabel_configs_drop_and_change_series(void **state UNUSED)
{
    use(JOB "    metric_relabel_configs:\n"
            "      - {action: drop, source_labels: [__name__], regex: 'go_.*'}\n"
            "      - {source_labels: [x], target_label: y, replacement: 'n$1'}\n"
            "      - {target_label: instance, replacement: ''}\n");
    page("go_a 1\ngo_b 2\nb{x=\"1\"} 3\n");
    expect_no("go_");
    expect_line("b{job=\"j\", x=\"1\", y=\"n1\"} 3@1000");
    expect_line("scrape_samples_scraped{instance=\"h:1\", job=\"j\"} 3@1000");
    expect_line("scrape_samples_post_metric_relabeling{instance=\"h:1\", job=\"j\"} 1@1000");
    forget();
    target->time_ms = 2000;
    page("b{x=\"1\"} 3\n"); /* what was dropped has no end either */
    expect_no("stale");
}

static void a_sample_that_loses_its_name_fails_the_scrape(void **state UNUSED)
{
    use(JOB "    metric_relabel_configs: [{target_label: __name__, replacement: ''}]\n");
    page("a 1\n");
    expect_line("up{instance=\"h:1\", job=\"j\"} 0@1000");
    check_contains(target->error, "without its name");
}

static void external_labels_come_where_nothing_else_is(void **state UNUSED)
{
    use("global: {external_labels: {region: eu, x: ext}}\n" JOB);
    page("a{x=\"own\"} 1\nb 2\n");
    expect_line("a{instance=\"h:1\", job=\"j\", region=\"eu\", x=\"own\"} 1@1000");
    expect_line("b{instance=\"h:1\", job=\"j\", region=\"eu\", x=\"ext\"} 2@1000");
    expect_line("up{instance=\"h:1\", job=\"j\", region=\"eu\", x=\"ext\"} 1@1000");
}

static void time_stamps_of_the_page_are_honoured_and_get_no_stale_marker(void **state UNUSED)
{
    use(JOB);
    page("a 1 777\nb 2\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} 1@777");
    forget();
    target->time_ms = 2000;
    page("b 2\n");
    expect_no("stale");
}

static void time_stamps_can_be_tracked_or_not_honoured(void **state UNUSED)
{
    use(JOB "    track_timestamps_staleness: true\n");
    page("a 1 777\n");
    forget();
    target->time_ms = 2000;
    page("b 2\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} stale@2000");
    target_free(target);
    agent_config_free(config);
    forget();
    use(JOB "    honor_timestamps: false\n");
    page("a 1 777\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} 1@1000");
    forget();
    target->time_ms = 2000;
    page("b 2\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} stale@2000");
}

static void of_a_series_twice_in_a_page_the_first_counts(void **state UNUSED)
{
    use(JOB);
    page("a 1\na 2\nb 3\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} 1@1000");
    expect_no("a{instance=\"h:1\", job=\"j\"} 2@");
    expect_line("up{instance=\"h:1\", job=\"j\"} 1@1000");
    forget();
    target->time_ms = 2000;
    page("a 5 100\na 6 200\n"); /* with times of their own they are two samples */
    expect_line("a{instance=\"h:1\", job=\"j\"} 5@100");
    expect_line("a{instance=\"h:1\", job=\"j\"} 6@200");
}

static const struct limit_case {
    const char *limit, *error;
} LIMITS[] = {
    {"sample_limit: 2", "sample_limit exceeded"},
    {"label_limit: 3", "label_limit exceeded"}, /* name, instance, job, x */
    {"label_name_length_limit: 8", "label_name_length_limit exceeded"},
    {"label_value_length_limit: 4", "label_value_length_limit exceeded"},
};

static void of_series_that_relabelling_makes_equal_the_first_counts(void **state UNUSED)
{
    use(JOB "    metric_relabel_configs: [{target_label: pod, replacement: ''}]\n");
    page("a{pod=\"1\"} 1\na{pod=\"2\"} 2\nb 3\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} 1@1000");
    expect_no(" 2@1000");
    expect_line("b{instance=\"h:1\", job=\"j\"} 3@1000");
    assert_int_equal(target->duplicates, 1);
    forget();
    target->time_ms = 2000;
    page("a{pod=\"2\"} 4\nb 3\n"); /* the first is gone, its name is not */
    expect_line("a{instance=\"h:1\", job=\"j\"} 4@2000");
    expect_no("stale");
    forget();
    target->time_ms = 3000;
    page("b 3\na{pod=\"3\"} 5\na{pod=\"2\"} 6\na{pod=\"3\"} 7\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} 5@3000"); /* page order, whoever was known before */
    expect_no(" 6@3000");
    expect_no(" 7@3000");
    assert_int_equal(target->duplicates, 3);
    forget();
    target->time_ms = 4000;
    page("b 3\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} stale@4000");
}

static void a_page_over_a_limit_is_refused_whole(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(LIMITS); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s    %s\n", JOB, LIMITS[i].limit);
        use(text);
        page("a 1\nb 2\nc{x=\"12345\",long_name=\"1\"} 3\n");
        expect_line("up{instance=\"h:1\", job=\"j\"} 0@1000");
        expect_no("a{");
        assert_string_equal(target->error, LIMITS[i].error);
        target_free(target);
        agent_config_free(config);
        target = NULL;
        config = NULL;
        forget();
    }
}

static void a_limit_counts_what_relabelling_left(void **state UNUSED)
{
    use(JOB "    sample_limit: 1\n    metric_relabel_configs: [{action: drop, source_labels: [__name__], regex: a}]\n");
    page("a 1\nb 2\n");
    expect_line("up{instance=\"h:1\", job=\"j\"} 1@1000");
}

static void an_openmetrics_page_brings_start_times(void **state UNUSED)
{
    use(JOB);
    answer(200, OPENMETRICS_TYPE, "# TYPE a counter\na_total 5 1.5\na_created 0.25\n# EOF\n");
    expect_line("a_total{instance=\"h:1\", job=\"j\"} 5@1500");
    expect_line("up{instance=\"h:1\", job=\"j\"} 1@1000");
}

static void a_target_that_goes_takes_everything_with_it(void **state UNUSED)
{
    use(JOB);
    page("a 1\nb 2 777\n");
    forget();
    target_gone(target, 5000, &sink);
    expect_line("a{instance=\"h:1\", job=\"j\"} stale@5000");
    expect_line("up{instance=\"h:1\", job=\"j\"} stale@5000");
    expect_line("scrape_series_added{instance=\"h:1\", job=\"j\"} stale@5000");
    expect_line("crest_agent_target_info{instance=\"h:1\", job=\"j\", pool=\"j\", scrape_url=\"http://h:1/metrics\"} "
                "stale@5000");
    expect_no("b{");
    assert_int_equal(told.n, 1 + REPORTS + 1);
    forget();
    target_gone(target, 6000, &sink);
    assert_int_equal(told.n, 0);
}

static void a_target_that_was_never_scraped_goes_silently(void **state UNUSED)
{
    use(JOB);
    target_gone(target, 5000, &sink);
    assert_int_equal(told.n, 0);
}

static void adopt(const char *text)
{
    struct agent_config *fresh = load(text);
    struct target *t = first_target(fresh);
    target->due_us = 77;
    target->grid_ms = 88;
    target->request_id = 9;
    forget();
    target_adopt(target, t, 2000, &sink);
    target_free(target);
    agent_config_free(config);
    target = t;
    config = fresh;
    target->time_ms = 3000;
    assert_int_equal(target->due_us, 77);
    assert_int_equal(target->grid_ms, 88);
    assert_int_equal(target->request_id, 9);
}

static void a_reload_that_changes_nothing_goes_on_without_a_gap(void **state UNUSED)
{
    use(JOB);
    page("a 1\nb 2\n");
    adopt(JOB);
    assert_int_equal(told.n, 0);
    page("a 1\n");
    expect_line("b{instance=\"h:1\", job=\"j\"} stale@3000"); /* it still knows what was there */
    expect_line("scrape_series_added{instance=\"h:1\", job=\"j\"} 0@3000");
}

static void a_reload_ends_the_series_that_it_calls_otherwise(void **state UNUSED)
{
    use(JOB);
    page("a 1\nb 2\n");
    adopt(
        JOB
        "    metric_relabel_configs:\n      - {source_labels: [__name__], regex: a, target_label: x, replacement: n}\n"
        "      - {action: drop, source_labels: [__name__], regex: b}\n");
    expect_line("a{instance=\"h:1\", job=\"j\"} stale@2000");
    expect_line("b{instance=\"h:1\", job=\"j\"} stale@2000");
    assert_int_equal(told.n, 2);
    forget();
    page("a 1\nb 2\n");
    expect_line("a{instance=\"h:1\", job=\"j\", x=\"n\"} 1@3000");
    expect_no("b{");
    expect_no("stale");
}

static void a_reload_with_other_external_labels_ends_the_old_names(void **state UNUSED)
{
    use("global: {external_labels: {region: eu}}\n" JOB);
    page("a 1\n");
    adopt("global: {external_labels: {region: us}}\n" JOB);
    expect_line("a{instance=\"h:1\", job=\"j\", region=\"eu\"} stale@2000");
    expect_line("up{instance=\"h:1\", job=\"j\", region=\"eu\"} stale@2000");
    check_contains(told.samples.data, "crest_agent_target_info{");
    assert_int_equal(told.n, 1 + REPORTS + 1);
    forget();
    page("a 1\n");
    expect_line("up{instance=\"h:1\", job=\"j\", region=\"us\"} 1@3000");
    expect_no("eu");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_target_is_called_as_its_configuration_says),
        TEST(relabelling_can_change_the_schedule_of_a_target),
        TEST(a_dropped_target_is_none),
        TEST(a_page_becomes_samples_with_the_targets_labels),
        TEST(a_series_that_vanishes_ends_with_a_stale_marker_once),
        TEST(a_failed_scrape_is_all_or_nothing_and_says_why),
        TEST(a_network_error_is_the_targets_error),
        TEST(a_long_error_is_cut_at_a_character),
        TEST(a_fallback_protocol_reads_pages_without_a_type),
        TEST(the_pages_own_labels_are_kept_as_exported),
        TEST(honor_labels_lets_the_page_win),
        TEST(metric_relabel_configs_drop_and_change_series),
        TEST(a_sample_that_loses_its_name_fails_the_scrape),
        TEST(external_labels_come_where_nothing_else_is),
        TEST(time_stamps_of_the_page_are_honoured_and_get_no_stale_marker),
        TEST(time_stamps_can_be_tracked_or_not_honoured),
        TEST(of_a_series_twice_in_a_page_the_first_counts),
        TEST(of_series_that_relabelling_makes_equal_the_first_counts),
        TEST(a_page_over_a_limit_is_refused_whole),
        TEST(a_limit_counts_what_relabelling_left),
        TEST(an_openmetrics_page_brings_start_times),
        TEST(a_target_that_goes_takes_everything_with_it),
        TEST(a_target_that_was_never_scraped_goes_silently),
        TEST(a_reload_that_changes_nothing_goes_on_without_a_gap),
        TEST(a_reload_ends_the_series_that_it_calls_otherwise),
        TEST(a_reload_with_other_external_labels_ends_the_old_names),
    };
    return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
