/* Targets as the agents report them: crest_agent_target_info names pool, URL and last error; up,
 * scrape_duration_seconds and their time stamps say the rest. */
#include "collector/http/api.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

enum { INFO, UP, UP_TIME, DURATION, QUERIES };
static const char *const TEXTS[QUERIES] = {
    [INFO] = "timestamp(crest_agent_target_info)",
    [UP] = "up",
    [UP_TIME] = "timestamp(up)",
    [DURATION] = "scrape_duration_seconds",
};

/* The series of an answer in the order of their targets: 10,000 targets are looked up one by one. */
struct by_target {
    const struct promql_series **list;
    size_t n;
};

static int compare_targets(const struct labels *a, const struct labels *b)
{
    int c = span_compare(labels_get(a, SPAN("job")), labels_get(b, SPAN("job")));
    return c ? c : span_compare(labels_get(a, SPAN("instance")), labels_get(b, SPAN("instance")));
}

/* By target and URL, the newest first. */
static int compare_series(const void *left, const void *right)
{
    const struct promql_series *a = *(const struct promql_series *const *)left,
                               *b = *(const struct promql_series *const *)right;
    int c = compare_targets(&a->labels, &b->labels);
    if (!c)
        c = span_compare(labels_get(&a->labels, SPAN("scrape_url")), labels_get(&b->labels, SPAN("scrape_url")));
    if (!c)
        c = (a->values[0] < b->values[0]) - (a->values[0] > b->values[0]);
    return c ? c : (a > b) - (a < b);
}

MUST_USE static int sort_by_target(const struct promql_result *result, struct arena *arena, struct by_target *ret)
{
    ret->list = arena_array(arena, result->n_series, sizeof(const struct promql_series *));
    if (!ret->list)
        return -ENOMEM;
    for (size_t i = 0; i < result->n_series; i++)
        if (result->series[i].present[0])
            ret->list[ret->n++] = &result->series[i];
    if (ret->n)
        qsort(ret->list, ret->n, sizeof(const struct promql_series *), compare_series);
    return 0;
}

static const struct promql_series *find(const struct by_target *sorted, const struct labels *target)
{
    size_t low = 0, high = sorted->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_targets(&sorted->list[middle]->labels, target) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sorted->n && compare_targets(&sorted->list[low]->labels, target) == 0 ? sorted->list[low] : NULL;
}

static void text_member(struct json_writer *j, const char *key, struct span value)
{
    jw_key(j, key);
    jw_text(j, value);
}

static void target(struct json_writer *j, const struct labels *info, const struct by_target *sorted)
{
    const struct promql_series *up = find(&sorted[UP], info), *at = find(&sorted[UP_TIME], info),
                               *took = find(&sorted[DURATION], info);
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
static bool is_newest(const struct by_target *infos, size_t i)
{
    if (i == 0)
        return true;
    const struct labels *a = &infos->list[i - 1]->labels, *b = &infos->list[i]->labels;
    return compare_targets(a, b) != 0 ||
           !span_equal(labels_get(a, SPAN("scrape_url")), labels_get(b, SPAN("scrape_url")));
}

static void write_targets(struct httpd_request *r, const struct by_target *sorted)
{
    /* state: "active", "dropped" or "any", as Prometheus has it; agents tell the active */
    struct span state = httpd_param(r, "state"), pool = httpd_param(r, "scrapePool");
    bool active = !span_equal(state, SPAN("dropped"));
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    jw_object(&j);
    jw_key(&j, "activeTargets");
    jw_array(&j);
    for (size_t i = 0; active && i < sorted[INFO].n; i++) {
        const struct labels *info = &sorted[INFO].list[i]->labels;
        if (is_newest(&sorted[INFO], i) && (pool.len == 0 || span_equal(pool, labels_get(info, SPAN("pool")))))
            target(&j, info, sorted);
    }
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

static void work_targets(struct httpd_request *r, struct http_room *room)
{
    struct promql_result *results[QUERIES] = {0};
    struct by_target sorted[QUERIES] = {0};
    struct promql_error error = {0};
    struct arena arena;
    int64_t now = unix_ms();
    int e = 0;
    arena_init(&arena, QUERY_BYTES_MAX);
    for (size_t i = 0; i < QUERIES && e == 0; i++) {
        struct query_request q = {.text = span_str(TEXTS[i]), .start_ms = now, .end_ms = now};
        e = query_run(room->query, &q, &results[i], &error);
        if (e == 0 && sort_by_target(results[i], &arena, &sorted[i]) < 0) {
            error.kind = PROMQL_EXECUTION;
            snprintf(error.text, sizeof error.text, "the targets need too much memory");
            e = -ENOMEM;
        }
    }
    if (e < 0)
        api_query_error(r, &error);
    else
        write_targets(r, sorted);
    for (size_t i = 0; i < QUERIES; i++)
        promql_result_free(results[i]);
    arena_done(&arena);
}

void on_targets(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_targets);
}
