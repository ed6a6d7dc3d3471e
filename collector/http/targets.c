/* Targets as the agents report them: crest_agent_target_info names pool, URL and last error; up,
 * scrape_duration_seconds and their time stamps say the rest. */
#include "collector/http/api.h"

#include "lib/base/clock.h"
#include "lib/base/number.h"

enum { INFO, UP, UP_TIME, DURATION, QUERIES };
static const char *const TEXTS[QUERIES] = {
    [INFO] = "timestamp(crest_agent_target_info)",
    [UP] = "up",
    [UP_TIME] = "timestamp(up)",
    [DURATION] = "scrape_duration_seconds",
};

static bool same_target(const struct labels *a, const struct labels *b)
{
    return span_equal(labels_get(a, SPAN("job")), labels_get(b, SPAN("job"))) &&
           span_equal(labels_get(a, SPAN("instance")), labels_get(b, SPAN("instance")));
}

static const struct promql_series *find(const struct promql_result *result, const struct labels *target)
{
    for (size_t i = 0; i < result->n_series; i++)
        if (result->series[i].present[0] && same_target(&result->series[i].labels, target))
            return &result->series[i];
    return NULL;
}

static void text_member(struct json_writer *j, const char *key, struct span value)
{
    jw_key(j, key);
    jw_text(j, value);
}

static void target(struct json_writer *j, const struct labels *info, struct promql_result *const *results)
{
    const struct promql_series *up = find(results[UP], info), *at = find(results[UP_TIME], info),
                               *took = find(results[DURATION], info);
    char when[NUMBER_TEXT_MAX];
    size_t when_len = format_rfc3339_ms(when, at ? (int64_t)(at->values[0] * 1000.0) : 0);
    jw_object(j);
    jw_key(j, "discoveredLabels");
    jw_object(j);
    jw_end(j);
    jw_key(j, "labels");
    jw_object(j);
    const struct labels *shown = up ? &up->labels : info;
    for (size_t i = 0; i < shown->n; i++) {
        struct span name = shown->pairs[i].name;
        if (span_equal(name, SPAN("__name__")) ||
            (!up && !span_equal(name, SPAN("job")) && !span_equal(name, SPAN("instance"))))
            continue;
        jw_key_span(j, name);
        jw_text(j, shown->pairs[i].value);
    }
    jw_end(j);
    text_member(j, "scrapePool", labels_get(info, SPAN("pool")));
    text_member(j, "scrapeUrl", labels_get(info, SPAN("scrape_url")));
    text_member(j, "globalUrl", labels_get(info, SPAN("scrape_url")));
    text_member(j, "lastError", labels_get(info, SPAN("error")));
    text_member(j, "lastScrape", span_of(when, when_len));
    jw_key(j, "lastScrapeDuration");
    jw_f64(j, took ? took->values[0] : 0);
    text_member(j, "health", !up ? SPAN("unknown") : up->values[0] > 0 ? SPAN("up") : SPAN("down"));
    jw_end(j);
}

/* A target whose error changed while its agent was away has two series for a while: the newer one speaks. */
static bool is_newest(const struct promql_result *infos, size_t i)
{
    const struct promql_series *a = &infos->series[i];
    for (size_t k = 0; k < infos->n_series; k++) {
        const struct promql_series *b = &infos->series[k];
        if (k != i && same_target(&a->labels, &b->labels) &&
            span_equal(labels_get(&a->labels, SPAN("scrape_url")), labels_get(&b->labels, SPAN("scrape_url"))) &&
            (b->values[0] > a->values[0] || (b->values[0] == a->values[0] && k < i)))
            return false;
    }
    return true;
}

static void work_targets(struct httpd_request *r, struct http_room *room)
{
    struct promql_result *results[QUERIES] = {0};
    struct promql_error error = {0};
    int64_t now = unix_ms();
    struct span wanted =
        httpd_param(r, "state"); /* "active", "dropped" or "any", as Prometheus has it; agents tell the active */
    bool ok = true, active = !span_equal(wanted, SPAN("dropped"));
    for (size_t i = 0; i < QUERIES && ok; i++) {
        struct query_request q = {.text = span_str(TEXTS[i]), .start_ms = now, .end_ms = now};
        ok = query_run(room->query, &q, &results[i], &error) == 0;
    }
    if (!ok) {
        api_query_error(r, &error);
    } else {
        struct json_writer j;
        struct buf out;
        api_success_begin(&j, &out);
        jw_object(&j);
        jw_key(&j, "activeTargets");
        jw_array(&j);
        for (size_t i = 0; active && i < results[INFO]->n_series; i++)
            if (is_newest(results[INFO], i))
                target(&j, &results[INFO]->series[i].labels, results);
        jw_end(&j);
        jw_key(&j, "droppedTargets");
        jw_array(&j);
        jw_end(&j);
        jw_key(&j, "droppedTargetCounts");
        jw_object(&j);
        jw_end(&j);
        jw_end(&j);
        api_success_end(r, &j, NULL, NULL);
    }
    for (size_t i = 0; i < QUERIES; i++)
        promql_result_free(results[i]);
}

void on_targets(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_targets);
}
