/* coverage: which of the eight signals a service has, and the line of configuration that cures a blind one. */
#include <errno.h>

#include "collector/view/view_internal.h"

#define FAMILIES_EVERY_MS 15000
#define COVERED_MS (3600 * 1000ll) /* no traffic is no series: what was there within the hour is not blind */

const struct covered_signal COVERED_SIGNALS[COVERED] = {
    {"response_time",
     {"response_seconds:p95"},
     {"http_server_request_duration_seconds_bucket", "http_server_request_duration_seconds",
      "crest_http_request_duration_seconds_bucket"},
     "http_server_request_duration_seconds (a histogram)"},
    {"errors",
     {"error_ratio"},
     {"http_server_request_duration_seconds_count", "crest_http_requests_total"},
     "http_server_request_duration_seconds with http_response_status_code"},
    {"throughput",
     {"throughput_rps"},
     {"http_server_request_duration_seconds_count", "crest_http_requests_total"},
     "http_server_request_duration_seconds"},
    {"checkout",
     {"checkout_seconds:p95", "checkout_step_seconds:p95"},
     {"commerce_checkout_duration_seconds_bucket", "commerce_operation_duration_seconds_bucket"},
     "commerce_checkout_duration_seconds (a histogram)"},
    {"payments",
     {"payment_failure_ratio", "payment_decline_ratio"},
     {"commerce_payments_total"},
     "commerce_payments_total{outcome}"},
    {"api",
     {"api_failure_ratio", "dependency_seconds:p95"},
     {"commerce_dependency_duration_seconds_count"},
     "commerce_dependency_duration_seconds{dependency,outcome}"},
    {"cache",
     {"cache_hit_ratio"},
     {"commerce_cache_requests_total"},
     "commerce_cache_requests_total{result=\"hit|miss\"}"},
    {"database",
     {"db_connections_ratio", "db_idle_in_tx"},
     {"db_client_connection_count"},
     "db_client_connection_count{state} and db_client_connection_max"},
};

static bool is_one_of(const char *const *names, size_t n, struct span name)
{
    for (size_t i = 0; i < n && names[i]; i++)
        if (span_equal(name, span_str(names[i])))
            return true;
    return false;
}

/* Seen now, or (not now) within the hour. */
static void note_signal(struct service *s, struct span name, int64_t now_ms, bool now)
{
    for (size_t i = 0; i < COVERED; i++)
        if (is_one_of(COVERED_SIGNALS[i].signals, ARRAY_LEN(COVERED_SIGNALS[i].signals), name) &&
            (now || s->covered_ms[i] == TIME_NONE))
            s->covered_ms[i] = now ? now_ms : now_ms - 1;
}

static void note_family(struct service *s, struct span name)
{
    for (size_t i = 0; i < COVERED; i++)
        s->has_family[i] |= is_one_of(COVERED_SIGNALS[i].families, ARRAY_LEN(COVERED_SIGNALS[i].families), name);
}

/* FUNCTION({__name__=~"a|b|…"}RANGE) by service, with a prefix before each name. */
static void names_query(struct buf *q, bool signals)
{
    buf_str(q, signals ? "count by (service, job, __name__) (last_over_time({__name__=~\""
                       : "count by (service, job, __name__) ({__name__=~\"");
    size_t n = 0;
    for (size_t i = 0; i < COVERED; i++) {
        const char *const *names = signals ? COVERED_SIGNALS[i].signals : COVERED_SIGNALS[i].families;
        for (size_t k = 0; k < 3 && names[k]; k++)
            buf_printf(q, "%s%s%s", n++ ? "|" : "", signals ? "commerce:" : "", names[k]);
    }
    buf_str(q, signals ? "\"}[1h]))" : "\"})");
}

MUST_USE static int ask(struct view *v, bool signals)
{
    struct buf q;
    buf_init(&q, 8192);
    names_query(&q, signals);
    struct promql_result *result = NULL;
    int r = buf_error(&q) ? buf_error(&q) : view_query(v, q.data, &result);
    buf_done(&q);
    for (size_t i = 0; r == 0 && i < result->n_series; i++) {
        const struct labels *labels = &result->series[i].labels;
        struct span name = labels_get(labels, SPAN("__name__"));
        struct service *s = strmap_get(&v->services, service_label(labels));
        if (s && signals)
            note_signal(s, span_from(name, sizeof "commerce:" - 1), v->now_ms, false);
        else if (s)
            note_family(s, name);
    }
    promql_result_free(result);
    return r;
}

int coverage_refresh(struct view *v)
{
    for (size_t i = 0; i < v->n_signals; i++) {
        struct service *s = v->signals[i].plain ? strmap_get(&v->services, v->signals[i].service) : NULL;
        if (s)
            note_signal(s, v->signals[i].name, v->now_ms, true);
    }
    int r = 0;
    if (!v->history_read) {
        r = ask(v, true);
        v->history_read = r == 0;
    }
    if (r == 0 && (v->families_ms == TIME_NONE || v->now_ms - v->families_ms >= FAMILIES_EVERY_MS ||
                   v->now_ms < v->families_ms)) {
        size_t at = 0;
        struct span key;
        void *value;
        while (strmap_next(&v->services, &at, &key, &value))
            memset(((struct service *)value)->has_family, 0, sizeof((struct service *)value)->has_family);
        r = ask(v, false);
        v->families_ms = r == 0 ? v->now_ms : TIME_NONE;
    }
    return r;
}

/* Which of them a service can have at all, by its label tier. Every other tier, and none: all of them. docs/stream.md
 * has this table, too. */
static const struct scope {
    const char *tier;
    const char *keys[COVERED];
} SCOPES[] = {
    {"dependency", {"response_time", "errors", "throughput"}}, /* a gateway, seen from inside: no shop of its own */
    {"edge", {"response_time", "errors", "throughput", "cache"}},
    {"cache", {"throughput", "cache"}},
    {"database", {"throughput", "database"}},
    {"crest", {"response_time", "errors", "throughput"}}, /* our own programs */
};

bool coverage_applies(struct span tier, size_t signal)
{
    for (size_t i = 0; i < ARRAY_LEN(SCOPES); i++)
        if (span_equal(tier, span_str(SCOPES[i].tier)))
            return is_one_of(SCOPES[i].keys, COVERED, span_str(COVERED_SIGNALS[signal].key));
    return true;
}

/* A second scrape_config of the same job_name is refused by agent and Prometheus: only who has no target gets one. */
static void write_cure(struct json_writer *j, const struct service *s, size_t i, struct buf *text)
{
    const struct covered_signal *c = &COVERED_SIGNALS[i];
    buf_clear(text);
    if (s->has_family[i]) {
        buf_printf(text,
                   "rule_files: [dashboards/signals/shop.rules.yml]  # crest.yml: %s is there; without this file no "
                   "rule records it, with it traffic will",
                   c->families[0]);
    } else if (s->targets && s->targets == s->targets_down) {
        buf_printf(text, "job " SPAN_FMT ": no target of it answers; Targets says why, cure that first",
                   SPAN_ARG(s->job));
    } else if (s->targets) {
        buf_printf(text, "job " SPAN_FMT ": its page has none of ", SPAN_ARG(s->job));
        for (size_t k = 0; k < ARRAY_LEN(c->families) && c->families[k]; k++)
            buf_printf(text, "%s%s", k ? ", " : "", c->families[k]);
        buf_printf(text, ": expose %s, or add a rule to dashboards/signals that records commerce:%s from what it has",
                   c->needs, c->signals[0]);
    } else {
        buf_printf(text,
                   "- {job_name: %s, static_configs: [{targets: [\"HOST:PORT\"], labels: {service: %s}}]}  # "
                   "prometheus.yml of the agent: a target that exposes %s",
                   s->name, s->name, c->needs);
    }
    jw_key(j, "cure");
    jw_text(j, buf_view(text));
}

static bool is_covered(const struct view *v, const struct service *s, size_t i)
{
    return s->covered_ms[i] != TIME_NONE && v->now_ms - s->covered_ms[i] <= COVERED_MS;
}

static void write_service(struct frame_rows *rows, const struct view *v, const struct service *s, struct buf *text)
{
    unsigned blind = 0;
    for (size_t i = 0; i < COVERED; i++)
        blind += !is_covered(v, s, i) && coverage_applies(s->tier, i);
    struct json_writer *j = frame_row(rows, span_str(s->name), COVERED - blind); /* who has some should have all */
    jw_object(j);
    jw_key(j, "service");
    jw_str(j, s->name);
    jw_key(j, "signals");
    jw_object(j);
    for (size_t i = 0; i < COVERED; i++) {
        bool now = s->covered_ms[i] == v->now_ms, present = is_covered(v, s, i);
        jw_key(j, COVERED_SIGNALS[i].key);
        jw_object(j);
        jw_key(j, "present");
        jw_bool(j, present);
        if (present && !now) {
            jw_key(j, "idle");
            jw_bool(j, true);
        }
        if (!present && coverage_applies(s->tier, i)) {
            write_cure(j, s, i, text);
        } else if (!present) {
            jw_key(j, "not_applicable");
            jw_bool(j, true);
        }
        jw_end(j);
    }
    jw_end(j);
    jw_end(j);
}

int render_coverage(void *ctx, struct frame_rows *rows)
{
    struct view *v = ctx;
    int r = view_refresh(v, frame_now_ms(rows));
    if (r < 0)
        return r;
    struct buf text;
    buf_init(&text, 1 << 18);
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&v->services, &at, &key, &value))
        write_service(rows, v, value, &text);
    buf_done(&text);
    return 0;
}
