/* config_fields.h - the keys of prometheus.yml, one table per section. Private to config.c. */
#pragma once

#include "agent/config.h"

#define NOT_USED "known to Prometheus, not used by crest-agent"

struct root_keys {
    const struct yaml_node *global, *scrape_configs, *scrape_config_files, *remote_write;
};
static const struct yaml_field ROOT_FIELDS[] = {
    {"global", YAML_FIELD_NODE, offsetof(struct root_keys, global)},
    {"scrape_configs", YAML_FIELD_NODE, offsetof(struct root_keys, scrape_configs)},
    {"scrape_config_files", YAML_FIELD_NODE, offsetof(struct root_keys, scrape_config_files)},
    {"remote_write", YAML_FIELD_NODE, offsetof(struct root_keys, remote_write)},
    {"rule_files", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": rules run in crest-collector"},
    {"alerting", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": alerts leave crest-collector"},
    {"storage", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"remote_read", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"tracing", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"otlp", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"runtime", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"crest", YAML_FIELD_REFUSED, 0, .help = "crest's own sources are not supported yet"},
    {0},
};

struct global_keys {
    int64_t scrape_interval_ms, scrape_timeout_ms;
    uint64_t body_size_limit, sample_limit, label_limit, label_name_length_limit, label_value_length_limit,
        target_limit;
    const struct yaml_node *external_labels;
};
static const struct yaml_field GLOBAL_FIELDS[] = {
    {"scrape_interval", YAML_FIELD_DURATION, offsetof(struct global_keys, scrape_interval_ms), .min = 1},
    {"scrape_timeout", YAML_FIELD_DURATION, offsetof(struct global_keys, scrape_timeout_ms), .min = 1},
    {"external_labels", YAML_FIELD_NODE, offsetof(struct global_keys, external_labels)},
    {"body_size_limit", YAML_FIELD_BYTES, offsetof(struct global_keys, body_size_limit)},
    {"sample_limit", YAML_FIELD_U64, offsetof(struct global_keys, sample_limit)},
    {"label_limit", YAML_FIELD_U64, offsetof(struct global_keys, label_limit)},
    {"label_name_length_limit", YAML_FIELD_U64, offsetof(struct global_keys, label_name_length_limit)},
    {"label_value_length_limit", YAML_FIELD_U64, offsetof(struct global_keys, label_value_length_limit)},
    {"target_limit", YAML_FIELD_U64, offsetof(struct global_keys, target_limit)},
    {"evaluation_interval", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": rules run in crest-collector"},
    {"rule_query_offset", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"query_log_file", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"scrape_failure_log_file", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"keep_dropped_targets", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"scrape_protocols", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": OpenMetrics 1.0 and text 0.0.4 are offered"},
    {"scrape_native_histograms", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"convert_classic_histograms_to_nhcb", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"always_scrape_classic_histograms", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"metric_name_validation_scheme", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": UTF-8 names are taken"},
    {"metric_name_escaping_scheme", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": UTF-8 names are taken"},
    {0},
};

/* Credentials: basic_auth, authorization, tls_config; shared by scrapes and remote write. */
struct auth_keys {
    const struct yaml_node *basic_auth, *authorization, *tls_config;
    const char *bearer_token, *bearer_token_file;
};
struct basic_keys {
    const char *username, *password, *password_file;
};
static const struct yaml_field BASIC_FIELDS[] = {
    {"username", YAML_FIELD_TEXT, offsetof(struct basic_keys, username)},
    {"username_file", YAML_FIELD_REFUSED, 0, .help = "not supported: give username"},
    {"password", YAML_FIELD_TEXT, offsetof(struct basic_keys, password)},
    {"password_file", YAML_FIELD_TEXT, offsetof(struct basic_keys, password_file)},
    {0},
};
struct authorization_keys {
    const char *type, *credentials, *credentials_file;
};
static const struct yaml_field AUTHORIZATION_FIELDS[] = {
    {"type", YAML_FIELD_TEXT, offsetof(struct authorization_keys, type)},
    {"credentials", YAML_FIELD_TEXT, offsetof(struct authorization_keys, credentials)},
    {"credentials_file", YAML_FIELD_TEXT, offsetof(struct authorization_keys, credentials_file)},
    {0},
};
struct tls_keys {
    const char *ca_file, *cert_file, *key_file, *ca, *cert, *key, *server_name;
    bool insecure_skip_verify;
};
static const struct yaml_field TLS_FIELDS[] = {
    {"ca_file", YAML_FIELD_TEXT, offsetof(struct tls_keys, ca_file)},
    {"cert_file", YAML_FIELD_TEXT, offsetof(struct tls_keys, cert_file)},
    {"key_file", YAML_FIELD_TEXT, offsetof(struct tls_keys, key_file)},
    {"ca", YAML_FIELD_TEXT, offsetof(struct tls_keys, ca)},
    {"cert", YAML_FIELD_TEXT, offsetof(struct tls_keys, cert)},
    {"key", YAML_FIELD_TEXT, offsetof(struct tls_keys, key)},
    {"server_name", YAML_FIELD_TEXT, offsetof(struct tls_keys, server_name)},
    {"insecure_skip_verify", YAML_FIELD_BOOL, offsetof(struct tls_keys, insecure_skip_verify)},
    {"min_version", YAML_FIELD_REFUSED, 0, .help = "not supported: TLS 1.2 is the least"},
    {"max_version", YAML_FIELD_REFUSED, 0, .help = "not supported"},
    {0},
};

struct group_keys {
    const struct yaml_node *targets, *labels;
};
static const struct yaml_field GROUP_FIELDS[] = {
    {"targets", YAML_FIELD_NODE, offsetof(struct group_keys, targets)},
    {"labels", YAML_FIELD_NODE, offsetof(struct group_keys, labels)},
    {0},
};
struct file_sd_keys {
    const struct yaml_node *files;
};
static const struct yaml_field FILE_SD_FIELDS[] = {
    {"files", YAML_FIELD_NODE, offsetof(struct file_sd_keys, files), .required = true},
    {"refresh_interval", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": files are looked at every second"},
    {0},
};

/* Service discovery of Prometheus 3 that is not here. */
static const char *const DISCOVERIES[] = {
    "aws_sd_configs",       "azure_sd_configs",     "consul_sd_configs",      "digitalocean_sd_configs",
    "dns_sd_configs",       "docker_sd_configs",    "dockerswarm_sd_configs", "ec2_sd_configs",
    "ecs_sd_configs",       "eureka_sd_configs",    "gce_sd_configs",         "hetzner_sd_configs",
    "http_sd_configs",      "ionos_sd_configs",     "kubernetes_sd_configs",  "kuma_sd_configs",
    "lightsail_sd_configs", "linode_sd_configs",    "marathon_sd_configs",    "nerve_sd_configs",
    "nomad_sd_configs",     "openstack_sd_configs", "ovhcloud_sd_configs",    "puppetdb_sd_configs",
    "scaleway_sd_configs",  "serverset_sd_configs", "stackit_sd_configs",     "triton_sd_configs",
    "uyuni_sd_configs",     "vultr_sd_configs"};

struct job_keys {
    struct scrape_job job;
    struct auth_keys auth;
    const char *fallback;
    const struct yaml_node *params, *static_configs, *file_sd_configs, *relabel_configs, *metric_relabel_configs;
};
#define JOB(member) offsetof(struct job_keys, member)
static const struct yaml_field JOB_FIELDS[] = {
    {"job_name", YAML_FIELD_TEXT, JOB(job.name), .required = true},
    {"scrape_interval", YAML_FIELD_DURATION, JOB(job.interval_ms), .min = 1},
    {"scrape_timeout", YAML_FIELD_DURATION, JOB(job.timeout_ms), .min = 1},
    {"metrics_path", YAML_FIELD_TEXT, JOB(job.metrics_path)},
    {"scheme", YAML_FIELD_TEXT, JOB(job.scheme)},
    {"proxy_url", YAML_FIELD_TEXT, JOB(job.proxy)},
    {"params", YAML_FIELD_NODE, JOB(params)},
    {"honor_labels", YAML_FIELD_BOOL, JOB(job.honor_labels)},
    {"honor_timestamps", YAML_FIELD_BOOL, JOB(job.honor_timestamps)},
    {"track_timestamps_staleness", YAML_FIELD_BOOL, JOB(job.track_timestamps_staleness)},
    {"follow_redirects", YAML_FIELD_BOOL, JOB(job.follow_redirects)},
    {"enable_compression", YAML_FIELD_BOOL, JOB(job.compression)},
    {"fallback_scrape_protocol", YAML_FIELD_TEXT, JOB(fallback)},
    {"body_size_limit", YAML_FIELD_BYTES, JOB(job.body_size_limit)},
    {"sample_limit", YAML_FIELD_U64, JOB(job.sample_limit)},
    {"label_limit", YAML_FIELD_U64, JOB(job.label_limit)},
    {"label_name_length_limit", YAML_FIELD_U64, JOB(job.label_name_length_limit)},
    {"label_value_length_limit", YAML_FIELD_U64, JOB(job.label_value_length_limit)},
    {"target_limit", YAML_FIELD_U64, JOB(job.target_limit)},
    {"basic_auth", YAML_FIELD_NODE, JOB(auth.basic_auth)},
    {"authorization", YAML_FIELD_NODE, JOB(auth.authorization)},
    {"bearer_token", YAML_FIELD_TEXT, JOB(auth.bearer_token)},
    {"bearer_token_file", YAML_FIELD_TEXT, JOB(auth.bearer_token_file)},
    {"tls_config", YAML_FIELD_NODE, JOB(auth.tls_config)},
    {"static_configs", YAML_FIELD_NODE, JOB(static_configs)},
    {"file_sd_configs", YAML_FIELD_NODE, JOB(file_sd_configs)},
    {"relabel_configs", YAML_FIELD_NODE, JOB(relabel_configs)},
    {"metric_relabel_configs", YAML_FIELD_NODE, JOB(metric_relabel_configs)},
    {"oauth2", YAML_FIELD_REFUSED, 0, .help = "not supported: use authorization"},
    {"enable_http2", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": scrapes use HTTP/1.1"},
    {"scrape_protocols", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": OpenMetrics 1.0 and text 0.0.4 are offered"},
    {"scrape_native_histograms", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"scrape_classic_histograms", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"always_scrape_classic_histograms", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"convert_classic_histograms_to_nhcb", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"native_histogram_bucket_limit", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"native_histogram_min_bucket_factor", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"keep_dropped_targets", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"scrape_failure_log_file", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"metric_name_validation_scheme", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": UTF-8 names are taken"},
    {"metric_name_escaping_scheme", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": UTF-8 names are taken"},
    {"no_proxy", YAML_FIELD_REFUSED, 0, .help = "not supported"},
    {"proxy_from_environment", YAML_FIELD_REFUSED, 0, .help = "not supported: set proxy_url"},
    {"proxy_connect_header", YAML_FIELD_REFUSED, 0, .help = "not supported"},
    {"http_headers", YAML_FIELD_REFUSED, 0, .help = "not supported"},
    {0},
};

struct remote_keys {
    struct remote_endpoint remote;
    struct auth_keys auth;
    const char *protobuf_message;
    const struct yaml_node *headers, *write_relabel_configs, *metadata_config;
};
#define REMOTE(member) offsetof(struct remote_keys, member)
static const struct yaml_field REMOTE_FIELDS[] = {
    {"url", YAML_FIELD_TEXT, REMOTE(remote.url), .required = true},
    {"name", YAML_FIELD_TEXT, REMOTE(remote.name)},
    {"remote_timeout", YAML_FIELD_DURATION, REMOTE(remote.timeout_ms), .min = 1},
    {"headers", YAML_FIELD_NODE, REMOTE(headers)},
    {"write_relabel_configs", YAML_FIELD_NODE, REMOTE(write_relabel_configs)},
    {"metadata_config", YAML_FIELD_NODE, REMOTE(metadata_config)},
    {"protobuf_message", YAML_FIELD_TEXT, REMOTE(protobuf_message)},
    {"basic_auth", YAML_FIELD_NODE, REMOTE(auth.basic_auth)},
    {"authorization", YAML_FIELD_NODE, REMOTE(auth.authorization)},
    {"bearer_token", YAML_FIELD_TEXT, REMOTE(auth.bearer_token)},
    {"bearer_token_file", YAML_FIELD_TEXT, REMOTE(auth.bearer_token_file)},
    {"tls_config", YAML_FIELD_NODE, REMOTE(auth.tls_config)},
    {"queue_config", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": batches leave at once, a spool holds what waits"},
    {"send_exemplars", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"send_native_histograms", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"follow_redirects", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"enable_http2", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"round_robin_dns", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {"proxy_url", YAML_FIELD_REFUSED, 0, .help = "not supported"},
    {"oauth2", YAML_FIELD_REFUSED, 0, .help = "not supported: use authorization"},
    {"sigv4", YAML_FIELD_REFUSED, 0, .help = "not supported"},
    {"azuread", YAML_FIELD_REFUSED, 0, .help = "not supported"},
    {"google_iam", YAML_FIELD_REFUSED, 0, .help = "not supported"},
    {0},
};
struct metadata_keys {
    bool send;
};
static const struct yaml_field METADATA_FIELDS[] = {
    {"send", YAML_FIELD_BOOL, offsetof(struct metadata_keys, send)},
    {"send_interval", YAML_FIELD_IGNORED, 0, .help = NOT_USED ": metadata leaves when it changes"},
    {"max_samples_per_send", YAML_FIELD_IGNORED, 0, .help = NOT_USED},
    {0},
};
