#include "collector/http/api.h"

#include "lib/base/clock.h"
#include "lib/base/limits.h"

static const struct httpd_route ROUTES[] = {
    {"POST", "/api/v1/write", WRITE_BODY_BYTES_MAX, on_write, .help = "Prometheus remote write"},
    {"GET|POST", "/api/v1/query", 0, on_query, .help = "instant query"},
    {"GET|POST", "/api/v1/query_range", 0, on_query_range, .help = "range query"},
    {"GET|POST", "/api/v1/format_query", 0, on_format_query, .help = "print an expression in one form"},
    {"GET|POST", "/api/v1/parse_query", 0, on_parse_query, .help = "an expression's tree as JSON"},
    {"GET|POST", "/api/v1/query_exemplars", 0, on_query_exemplars, .help = "exemplars of what an expression selects"},
    {"GET|POST", "/api/v1/series", 0, on_series, .help = "series that match"},
    {"GET|POST", "/api/v1/labels", 0, on_labels, .help = "label names"},
    {"GET", "/api/v1/label/{name}/values", 0, on_label_values, .help = "values of a label"},
    {"GET", "/api/v1/metadata", 0, on_metadata, .help = "type, unit and help of metrics"},
    {"GET", "/api/v1/rules", 0, on_rules, .help = "rule groups and their state"},
    {"GET", "/api/v1/alerts", 0, on_alerts, .help = "active alerts"},
    {"GET", "/api/v1/targets", 0, on_targets, .help = "targets, from the agents' own series"},
    {"GET", "/federate", 0, on_federate, .help = "the newest sample of each series that matches (match[]), to scrape"},
    {"GET", "/api/v1/status/buildinfo", 0, on_buildinfo, .help = "version"},
    {"GET", "/api/v1/status/runtimeinfo", 0, on_runtimeinfo, .help = "start, folder, last reload"},
    {"GET", "/api/v1/status/tsdb", 0, on_tsdb, .help = "series by metric, label and value (limit)"},
    {"GET", "/api/v1/status/config", 0, on_config, .help = "the configuration in force"},
    {"GET", "/api/v1/status/flags", 0, on_flags, .help = "the options in force"},
    {"POST|PUT", "/api/v1/admin/tsdb/delete_series", 0, on_delete_series,
     .help = "delete series (match[], start, end); with --enable-admin-api"},
    {"POST|PUT", "/api/v1/admin/tsdb/clean_tombstones", 0, on_clean_tombstones,
     .help = "remove what was deleted from the files now; with --enable-admin-api"},
    {"POST", "/api/crest/v1/annotations", API_BODY_BYTES_MAX, on_annotate, .help = "say that something happened"},
    {"GET", "/api/crest/v1/annotations", 0, on_annotations, .help = "what people said happened (start, end, limit)"},
    {"POST", "/api/crest/v1/events", EVENT_BODY_BYTES_MAX, on_event_import, .help = "import an event and its plan"},
    {"GET", "/api/crest/v1/events", 0, on_events, .help = "the events by doors open"},
    {"GET", "/api/crest/v1/events/{name}", 0, on_event, .help = "an event with plan and last event by the minute"},
    {"GET", "/api/crest/v1/events/{name}/report", 0, on_report, .help = "what an event came to, as HTML"},
    {"DELETE", "/api/crest/v1/events/{name}", 0, on_event_remove,
     .help = "forget an event; its window is not pinned any more"},
    {"GET", "/api/crest/v1/stream", 0, on_stream, .help = "what the consoles show, once a second (docs/stream.md)"},
    {"GET", "/api/crest/v1/state", 0, on_state, .help = "the same as one JSON document"},
    {"GET", "/", 0, on_page, .help = "the web page"},
    {"GET", "/event", 0, on_page, .help = "its view of the event"},
    {"GET", "/services", 0, on_page, .help = "its view of services"},
    {"GET", "/journeys", 0, on_page, .help = "its view of journeys"},
    {"GET", "/alerts", 0, on_page, .help = "its view of alerts"},
    {"GET", "/targets", 0, on_page, .help = "its view of targets and coverage"},
    {"GET", "/explore", 0, on_page, .help = "its view for queries"},
    {"GET", "/graph", 0, on_graph, .help = "where links in alerts lead, as Prometheus names it: to /explore"},
    {"GET", "/web/{version}/*", 0, on_asset, .help = "the page's files"},
    {0},
};

int http_start(struct http_room *room, struct httpd_config *config, struct httpd **ret, char *why, size_t why_bytes)
{
    config->routes = ROUTES;
    config->ctx = room;
    room->started_ms = unix_ms();
    room->daemon.program = "crest-collector";
    room->daemon.metrics = http_metrics;
    room->daemon.reloads = true;
    config->daemon = &room->daemon;
    config->server_name = "crest-collector";
    return httpd_start(config, ret, why, why_bytes);
}
