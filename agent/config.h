/* config.h - prometheus.yml as the agent reads it: global, scrape_configs, remote_write. Sections that Prometheus
 * knows and we don't use get one notice each; keys that Prometheus does not know are errors.
 *
 *   struct agent_config *c;
 *   r = agent_config_load("prometheus.yml", &c, &problems);     // NULL path: no jobs, the default remote_write
 *   agent_config_free(c);
 *
 * A job whose service discovery we lack is left out with a loud warning, the rest runs. Immutable once loaded; texts
 * live as long as the config. */
#pragma once

#include "agent/relabel.h"
#include "lib/base/hash.h"
#include "lib/wire/http_client.h"

struct pair_list {
    struct label *pairs;
    size_t n;
};
struct target_group {
    struct span *targets;
    size_t n_targets;
    struct pair_list labels;
};
struct scrape_job {
    const char *name;
    int64_t interval_ms, timeout_ms;
    const char *metrics_path, *scheme, *proxy;
    struct pair_list params; /* one pair per value, in order */
    bool honor_labels, honor_timestamps, track_timestamps_staleness, follow_redirects, compression;
    int fallback_format; /* enum exposition_format, or -1: a missing Content-Type fails the scrape */
    uint64_t body_size_limit, sample_limit, label_limit, label_name_length_limit, label_value_length_limit,
        target_limit; /* 0: none */
    struct http_credentials credentials;
    struct target_group *groups;
    size_t n_groups;
    const char **file_sd; /* patterns, resolved */
    size_t n_file_sd;
    struct relabel_list relabel, metric_relabel;
};
struct remote_endpoint {
    const char *name, *url;
    int64_t timeout_ms;
    const char **headers; /* "Name: value", ended by NULL */
    struct http_credentials credentials;
    struct relabel_list relabel;
    bool send_metadata;
};
struct agent_config {
    struct scrape_job *jobs;
    size_t n_jobs;
    struct strmap job_names; /* of skipped jobs too */
    struct remote_endpoint *remotes;
    size_t n_remotes;
    struct pair_list external_labels;
    struct yaml **docs; /* the file and its scrape_config_files */
    size_t n_docs;
    struct arena arena;
};
MUST_USE int agent_config_load(const char *path, struct agent_config **ret, struct problems *problems);
void agent_config_free(struct agent_config *c);
/* Targets of one file_sd file (YAML or JSON); the texts are copied into the arena. */
MUST_USE int agent_read_file_sd(const char *path, struct arena *arena, struct target_group **ret, size_t *ret_n,
                                struct problems *problems);
