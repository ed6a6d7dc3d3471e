#include "collector/http/api.h"

#include "lib/base/limits.h"

static const struct httpd_route ROUTES[] = {
    {"POST", "/api/v1/write", WRITE_BODY_BYTES_MAX, on_write, .help = "Prometheus remote write"},
    {"GET|POST", "/api/v1/query", 0, on_query, .help = "instant query"},
    {"GET|POST", "/api/v1/query_range", 0, on_query_range, .help = "range query"},
    {"GET|POST", "/api/v1/format_query", 0, on_format_query, .help = "print an expression in one form"},
    {"GET|POST", "/api/v1/series", 0, on_series, .help = "series that match"},
    {"GET|POST", "/api/v1/labels", 0, on_labels, .help = "label names"},
    {"GET", "/api/v1/label/{name}/values", 0, on_label_values, .help = "values of a label"},
    {"GET", "/api/v1/metadata", 0, on_metadata, .help = "type, unit and help of metrics"},
    {"GET", "/api/v1/rules", 0, on_rules, .help = "rule groups and their state"},
    {"GET", "/api/v1/alerts", 0, on_alerts, .help = "active alerts"},
    {"GET", "/api/v1/targets", 0, on_targets, .help = "targets, from the agents' own series"},
    {"GET", "/api/v1/status/buildinfo", 0, on_buildinfo, .help = "version"},
    {"GET", "/-/healthy", 0, on_healthy, .help = "alive"},
    {"GET", "/-/ready", 0, on_ready, .help = "serving"},
    {"POST", "/-/reload", 0, on_reload, .help = "read configuration and rules again"},
    {"GET", "/metrics", 0, on_metrics, .help = "metrics about the collector"},
    {"GET", "/", 0, on_root, .help = "what this is"},
    {0},
};

int http_start(struct http_room *room, struct httpd_config *config, struct httpd **ret, char *why, size_t why_bytes)
{
    config->routes = ROUTES;
    config->ctx = room;
    config->server_name = "crest-collector";
    return httpd_start(config, ret, why, why_bytes);
}
