/* Rules, alerts, build information, health, reload, our own metrics. */
#include "collector/http/api.h"

#include "lib/base/options.h"

/* The Prometheus whose language and API we speak: clients such as Grafana switch features by it. */
#define PROMETHEUS_API_VERSION "3.5.0"

void on_rules(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    struct span type = httpd_param(r, "type");
    if (type.len && !span_equal(type, SPAN("alert")) && !span_equal(type, SPAN("record"))) {
        httpd_reply_error(r, 400, "bad_data", "invalid parameter \"type\": not supported value \"" SPAN_FMT "\"",
                          SPAN_ARG(type));
        return;
    }
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    rules_write_json(room->rules, type, &j);
    api_success_end(r, &j, NULL, NULL);
}

void on_alerts(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    rules_alerts_json(room->rules, &j);
    api_success_end(r, &j, NULL, NULL);
}

void on_buildinfo(struct httpd_request *r, void *ctx UNUSED)
{
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    jw_object(&j);
    jw_key(&j, "version");
    jw_str(&j, PROMETHEUS_API_VERSION);
    jw_key(&j, "revision");
    jw_str(&j, crest_version());
    jw_key(&j, "branch");
    jw_str(&j, "crest");
    jw_key(&j, "buildUser");
    jw_str(&j, "");
    jw_key(&j, "buildDate");
    jw_str(&j, "");
    jw_key(&j, "goVersion");
    jw_str(&j, "");
    jw_end(&j);
    api_success_end(r, &j, NULL, NULL);
}

void http_metrics(void *ctx, struct httpd *server, struct metric_writer *w)
{
    struct http_room *room = ctx;
    metric_family(w, "crest_write_body_bytes_total", METRIC_COUNTER,
                  "Compressed bytes of remote-write bodies decoded.");
    metric_value(w, (double)atomic_load(&room->writes_decoded_bytes), NULL);
    metric_family(w, "crest_write_refused_total", METRIC_COUNTER,
                  "Remote-write requests answered with 4xx or 503, by reason.");
    metric_value(w, (double)atomic_load(&room->writes_refused_bad), "reason", "invalid", NULL);
    metric_value(w, (double)atomic_load(&room->writes_refused_busy), "reason", "queue_full", NULL);
    metric_value(w, (double)atomic_load(&room->writes_refused_failed), "reason", "not_stored", NULL);
    httpd_stats(server, w);
    store_stats(room->store, w);
    query_stats(room->query, w);
    rules_stats(room->rules, w);
    notify_stats(room->notify, w);
    state_stats(room->state, w);
    live_stats(room->live, w);
}
