/* config.h - crest.yml: the collector's configuration, every key optional.
 *
 *   struct collector_config c;
 *   collector_config_init(&c);
 *   r = collector_config_load(&c, "crest.yml", &problems);      // -EINVAL: problems says where
 *   collector_config_done(&c);
 *
 * Paths in the file are relative to the file. Texts live as long as the config. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "collector/store/store.h"
#include "lib/base/buf.h"
#include "lib/base/problem.h"
#include "lib/base/span.h"

struct yaml;
struct collector_config {
    struct yaml *doc; /* owns the texts */
    const char *listen, *webhook_url;
    char *external_url;           /* without a slash at its end */
    char *web_config_file, *data; /* resolved paths; NULL when not given */
    char **rule_files, **events;
    size_t n_rule_files, n_events;
    int64_t retention_ms;
    struct store_retention *retentions; /* storage.retention_selectors, in the file's order */
    size_t n_retentions;
    int64_t rollup_retention_ms;          /* as the file has it: 0 is for ever */
    struct store_retention *fine_rollups; /* storage.rollup_5m; commerce:.* by default */
    size_t n_fine_rollups;
    struct arena retention_arena; /* of all their matchers */
    enum store_durability durability;
    uint64_t series_max, labels_max, label_name_bytes_max, label_value_bytes_max, retention_bytes; /* 0: not given */
    int64_t future_ms_max; /* as store_config's; 0: not given */
    bool admin_api;        /* as --enable-admin-api */
    bool retention_given, rollup_retention_given, durability_given;
};
void collector_config_init(struct collector_config *c);
void collector_config_done(struct collector_config *c);
MUST_USE int collector_config_load(struct collector_config *c, const char *path, struct problems *problems);
/* Load and follow every reference: rule files, event files and what they name, web config. For `crest-collector check`. */
MUST_USE int collector_config_check(const char *path, struct problems *problems);
/* Is it a rule file (a map with `groups` and none of our keys)? What `check` without a kind goes by. */
bool collector_is_rule_file(struct span text);
/* As store_config has it. */
int64_t collector_rollup_retention_ms(const struct collector_config *c);
/* What was loaded as YAML that crest-collector reads, without secrets. -ENOMEM. */
MUST_USE int collector_config_print(const struct collector_config *c, struct buf *out);
/* A commented crest.yml for `crest-collector init`. */
extern const char COLLECTOR_CONFIG_EXAMPLE[];
