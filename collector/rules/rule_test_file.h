/* rule_test_file.h - a file of rule tests as read: for rule_test.c, which runs them. Texts live as long as the file. */
#pragma once

#include "collector/rules/series_text.h"
#include "lib/wire/yaml.h"

struct test_series {
    struct labels labels;
    struct series_point *points;
    size_t n;
    size_t loaded; /* points in the store */
};
struct test_alert {
    struct labels labels, annotations; /* alertname included */
};
struct test_alert_case {
    int64_t eval_ms;
    const char *alertname;
    struct test_alert *expected;
    size_t n;
};
struct test_sample {
    struct labels labels;
    double value;
    const struct series_point *histogram; /* NULL: the value counts */
};
struct test_expr_case {
    int64_t eval_ms;
    const char *expr;
    const struct yaml_node *samples; /* read when it is compared: a mistake fails the case, not the file */
};
struct test_group {
    const char *name; /* NULL: none */
    int64_t interval_ms, start_ms;
    struct labels external_labels;
    const char *external_url;
    struct test_series *series;
    struct test_alert_case *alerts;
    struct test_expr_case *exprs;
    size_t n_series, n_alerts, n_exprs;
    char *wrong; /* its series cannot be read: the test fails with this; in the arena */
};
struct test_file {
    struct arena arena;
    struct yaml *doc;
    char **rule_files; /* relative ones from the file's own folder on; may hold patterns */
    size_t n_rule_files;
    int64_t evaluation_interval_ms;
    bool fuzzy;
    const char **order;
    size_t n_order;
    struct test_group *groups;
    size_t n;
};
/* -EINVAL: problems; -ENOMEM. */
MUST_USE int test_file_read(const char *path, bool ignore_unknown, struct test_file *ret, struct problems *problems);
void test_file_done(struct test_file *f);
/* Expected samples of one expression. -EINVAL: *ret_why, in the arena. */
MUST_USE int test_samples_read(const struct yaml_node *list, struct arena *arena, struct test_sample **ret,
                               size_t *ret_n, char **ret_why);
