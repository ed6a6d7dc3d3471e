/* relabel.h - Prometheus relabelling rules: keep, drop, replace, labelmap (other actions are refused by name for now).
 *
 *   struct relabel_list rules;
 *   r = relabel_read(doc, node, &rules, &problems);
 *   if (relabel_apply(&rules, &builder, &scratch) == 0) ... the target or series is dropped
 *   relabel_done(&rules);
 *
 * Source: prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config. */
#pragma once

#include "lib/match/regex.h"
#include "lib/metric/labels.h"
#include "lib/wire/yaml.h"

enum relabel_action { RELABEL_REPLACE, RELABEL_KEEP, RELABEL_DROP, RELABEL_LABELMAP };
struct relabel_rule {
    enum relabel_action action;
    struct span *source_labels; /* names, in the document's memory */
    size_t n_source_labels;
    struct span separator, target_label, replacement;
    struct regex *regex;
};
struct relabel_list {
    struct relabel_rule *rules;
    size_t n;
};
/* NULL node: an empty list. Texts live as long as the document. -EINVAL: problems has them. */
MUST_USE int relabel_read(const struct yaml *doc, const struct yaml_node *list, struct relabel_list *ret,
                          struct problems *problems);
void relabel_done(struct relabel_list *l);
/* 1: keep, 0: dropped, negative: -ENOMEM, -E2BIG (a regex over its match limit). Changed values are copied into the
 * builder's arena. */
MUST_USE int relabel_apply(const struct relabel_list *l, struct label_builder *labels, struct buf *scratch);
