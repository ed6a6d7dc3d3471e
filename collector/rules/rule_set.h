/* rule_set.h - rule files as read: immutable, shared by the evaluation and by readers of the API until the last lets go.
 *
 *   struct rule_set *set;
 *   r = rule_set_load(paths, n, 60000, &set, &problems);      // -EINVAL: problems has file:line:col
 *   rule_set_free(set);
 *
 * What is refused: what Prometheus's model/rulefmt refuses. */
#pragma once

#include "collector/template/template.h"
#include "lib/base/arena.h"
#include "lib/base/problem.h"
#include "lib/metric/labels.h"

enum rule_kind { RULE_RECORD, RULE_ALERT };
struct rule_def {
    enum rule_kind kind;
    struct span name;     /* metric name, or alertname */
    struct span expr;     /* as written */
    struct span query;    /* as the formatter prints it */
    struct labels labels; /* as written, the group's below the rule's; values may be empty (that removes the label) */
    struct labels annotations;                                 /* as written */
    struct template **label_templates, **annotation_templates; /* RULE_ALERT: one per pair */
    int64_t for_ms, keep_firing_ms;
    struct span
        presence; /* # crest: keep_last_state: the expression with its filters opened; empty: an alert that vanishes ends */
    uint32_t line; /* of the rule in its file */
    /* The last rule before this one in its group whose output it may select, -1: none. What those wrote must be visible first. */
    int reads_from;
    struct span *reads; /* metric names of its selectors */
    size_t n_reads;
    bool reads_any; /* a selector without a name */
    /* What makes a rule the same across reloads and restarts: file, group, kind, name, labels, and its number among equals. */
    struct span key;
};
struct group_def {
    struct span file, name;
    int64_t interval_ms, query_offset_ms;
    uint64_t limit; /* 0: none */
    struct rule_def *rules;
    size_t n_rules;
    uint64_t hash; /* of file and name: where on the grid it runs */
    /* Fast groups: the names that are not written by rules, on which what it reads depends, and their numbers in the store. None: any commit
     * may be news for it. */
    struct span *inputs;
    size_t n_inputs;
    uint32_t *watched;
};
struct rule_set {
    unsigned refs; /* 1 at first; counted by whoever shares it */
    struct arena arena;
    struct group_def *groups; /* in the order of files and of each file */
    size_t n_groups, n_rules;
};

/* Paths may hold shell patterns; a file named twice is read once. A pattern without a file is a warning, a missing file an error. */
MUST_USE int rule_set_load(const char *const *paths, size_t n, int64_t interval_ms, struct rule_set **ret,
                           struct problems *problems);
/* rule_doubts.c: warnings about rules that are there twice and expressions that can hardly be meant. -ENOMEM. */
MUST_USE int rule_set_doubts(const struct rule_set *set, struct problems *problems);
void rule_set_free(struct rule_set *set);
/* inputs.c: fill in the groups' inputs. */
MUST_USE int rule_set_find_inputs(struct rule_set *set);

/* Internal to the two files that read: one file's groups, appended by the caller. */
MUST_USE int rule_file_read(const char *path, int64_t interval_ms, struct arena *arena, struct group_def **ret,
                            size_t *ret_n, struct problems *problems);
