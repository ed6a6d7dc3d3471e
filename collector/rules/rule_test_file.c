#include "collector/rules/rule_test_file.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

#define TEST_FILE_BYTES_MAX (1ul << 30)

struct file_yaml {
    const struct yaml_node *rule_files, *group_eval_order, *tests;
    int64_t evaluation_interval_ms;
    bool fuzzy;
};
static const struct yaml_field FILE_FIELDS[] = {
    {"rule_files", YAML_FIELD_NODE, offsetof(struct file_yaml, rule_files)},
    {"evaluation_interval", YAML_FIELD_DURATION, offsetof(struct file_yaml, evaluation_interval_ms)},
    {"group_eval_order", YAML_FIELD_NODE, offsetof(struct file_yaml, group_eval_order)},
    {"tests", YAML_FIELD_NODE, offsetof(struct file_yaml, tests)},
    {"fuzzy_compare", YAML_FIELD_BOOL, offsetof(struct file_yaml, fuzzy)},
    {0}};
struct group_yaml {
    int64_t interval_ms;
    const struct yaml_node *input_series, *alert_rule_test, *promql_expr_test, *external_labels;
    const char *external_url, *name, *start_timestamp;
};
static const struct yaml_field GROUP_FIELDS[] = {
    {"interval", YAML_FIELD_DURATION, offsetof(struct group_yaml, interval_ms)},
    {"input_series", YAML_FIELD_NODE, offsetof(struct group_yaml, input_series)},
    {"alert_rule_test", YAML_FIELD_NODE, offsetof(struct group_yaml, alert_rule_test)},
    {"promql_expr_test", YAML_FIELD_NODE, offsetof(struct group_yaml, promql_expr_test)},
    {"external_labels", YAML_FIELD_NODE, offsetof(struct group_yaml, external_labels)},
    {"external_url", YAML_FIELD_TEXT, offsetof(struct group_yaml, external_url)},
    {"name", YAML_FIELD_TEXT, offsetof(struct group_yaml, name)},
    {"start_timestamp", YAML_FIELD_TEXT, offsetof(struct group_yaml, start_timestamp)},
    {0}};
struct series_yaml {
    const char *series, *values;
};
static const struct yaml_field SERIES_FIELDS[] = {{"series", YAML_FIELD_TEXT, offsetof(struct series_yaml, series)},
                                                  {"values", YAML_FIELD_TEXT, offsetof(struct series_yaml, values)},
                                                  {0}};
struct alert_case_yaml {
    int64_t eval_ms;
    const char *alertname;
    const struct yaml_node *exp_alerts;
};
static const struct yaml_field ALERT_CASE_FIELDS[] = {
    {"eval_time", YAML_FIELD_DURATION, offsetof(struct alert_case_yaml, eval_ms)},
    {"alertname", YAML_FIELD_TEXT, offsetof(struct alert_case_yaml, alertname)},
    {"exp_alerts", YAML_FIELD_NODE, offsetof(struct alert_case_yaml, exp_alerts)},
    {0}};
struct alert_yaml {
    const struct yaml_node *exp_labels, *exp_annotations;
};
static const struct yaml_field ALERT_FIELDS[] = {
    {"exp_labels", YAML_FIELD_NODE, offsetof(struct alert_yaml, exp_labels)},
    {"exp_annotations", YAML_FIELD_NODE, offsetof(struct alert_yaml, exp_annotations)},
    {0}};
struct expr_case_yaml {
    const char *expr;
    int64_t eval_ms;
    const struct yaml_node *exp_samples;
};
static const struct yaml_field EXPR_CASE_FIELDS[] = {
    {"expr", YAML_FIELD_TEXT, offsetof(struct expr_case_yaml, expr)},
    {"eval_time", YAML_FIELD_DURATION, offsetof(struct expr_case_yaml, eval_ms)},
    {"exp_samples", YAML_FIELD_NODE, offsetof(struct expr_case_yaml, exp_samples)},
    {0}};
struct sample_yaml {
    const char *labels, *histogram;
    double value;
};
static const struct yaml_field SAMPLE_FIELDS[] = {
    {"labels", YAML_FIELD_TEXT, offsetof(struct sample_yaml, labels)},
    {"value", YAML_FIELD_F64, offsetof(struct sample_yaml, value)},
    {"histogram", YAML_FIELD_TEXT, offsetof(struct sample_yaml, histogram)},
    {0}};

struct reader {
    struct test_file *f;
    struct problems *problems;
    bool ignore_unknown;
    int error; /* the first: -EINVAL, -ENOMEM */
};

static void note(struct reader *rd, int r)
{
    if (r < 0 && rd->error == 0)
        rd->error = r;
}

static void complain(struct reader *rd, const struct yaml_node *at, const char *words)
{
    yaml_problem(rd->f->doc, at, rd->problems, "%s", words);
    note(rd, -EINVAL);
}

/* By the table. Problems with unknown keys may be wished away. */
static void read_map(struct reader *rd, const struct yaml_node *map, const struct yaml_field *fields, void *into)
{
    struct problems found;
    problems_init(&found);
    int r = yaml_read(rd->f->doc, map, fields, into, &found);
    size_t errors = 0;
    for (size_t i = 0; i < found.n; i++) {
        const struct problem *p = &found.list[i];
        bool unknown = rd->ignore_unknown && strncmp(p->text, "unknown key", 11) == 0;
        errors += p->level == PROBLEM_ERROR && !unknown;
        problem_add(rd->problems, unknown ? PROBLEM_WARNING : p->level, p->file, p->line, p->column, "%s", p->text);
    }
    problems_done(&found);
    note(rd, r == -EINVAL && errors == 0 ? 0 : r);
}

/* The items of a list and room for what they become; 0 items where there is none. */
static void *read_list(struct reader *rd, const struct yaml_node *list, const char *what, size_t size, size_t *ret_n)
{
    *ret_n = 0;
    if (!list || list->kind == YAML_NULL)
        return NULL;
    if (list->kind != YAML_LIST) {
        yaml_problem(rd->f->doc, list, rd->problems, "%s must be a list, not %s", what, yaml_kind_name(list));
        note(rd, -EINVAL);
        return NULL;
    }
    void *items = arena_array(&rd->f->arena, list->n, size);
    if (!items)
        note(rd, -ENOMEM);
    else
        *ret_n = list->n;
    return items;
}

static void read_labels(struct reader *rd, const struct yaml_node *map, const char *alertname, struct labels *ret)
{
    *ret = (struct labels){NULL, 0};
    if (map && map->kind != YAML_NULL && map->kind != YAML_MAP) {
        complain(rd, map, "labels must be a map");
        return;
    }
    size_t n = (map ? map->n : 0) + (alertname ? 1 : 0);
    struct label *pairs = arena_array(&rd->f->arena, n, sizeof *pairs);
    if (!pairs) {
        note(rd, -ENOMEM);
        return;
    }
    ret->pairs = pairs;
    YAML_EACH(map, pair)
    {
        if (pair->kind == YAML_LIST || pair->kind == YAML_MAP) {
            complain(rd, pair, "a label's value is a text");
            continue;
        }
        if (alertname && span_equal(pair->key, SPAN("alertname")))
            continue;
        pairs[ret->n++] = (struct label){pair->key, pair->kind == YAML_NULL ? SPAN("") : pair->text};
    }
    if (alertname)
        pairs[ret->n++] = (struct label){SPAN("alertname"), span_str(alertname)};
    for (size_t i = 1; i < ret->n; i++) /* by name; a handful */
        for (size_t k = i; k > 0 && span_compare(pairs[k - 1].name, pairs[k].name) > 0; k--) {
            struct label swap = pairs[k];
            pairs[k] = pairs[k - 1];
            pairs[k - 1] = swap;
        }
}

static void read_series(struct reader *rd, const struct yaml_node *node, struct test_group *g, struct test_series *s)
{
    struct series_yaml y = {0};
    struct parse_error e = {0};
    read_map(rd, node, SERIES_FIELDS, &y);
    int r = series_text_labels(span_str(y.series), &rd->f->arena, &s->labels, &e);
    if (r == 0)
        r = series_text_points(span_str(y.values), &rd->f->arena, &s->points, &s->n, &e);
    if (r == -EINVAL && !g->wrong)
        g->wrong =
            arena_printf(&rd->f->arena, "%s:%u: input_series \"%s %s\": %u:%u: %s", yaml_file(rd->f->doc), node->line,
                         y.series ? y.series : "", y.values ? y.values : "", e.line, e.column, e.text);
    if (r == -ENOMEM || (r == -EINVAL && !g->wrong))
        note(rd, -ENOMEM);
}

static void read_alert_case(struct reader *rd, const struct yaml_node *node, struct test_alert_case *c)
{
    struct alert_case_yaml y = {0};
    size_t i = 0;
    read_map(rd, node, ALERT_CASE_FIELDS, &y);
    c->eval_ms = y.eval_ms;
    c->alertname = y.alertname;
    c->expected = read_list(rd, y.exp_alerts, "exp_alerts", sizeof *c->expected, &c->n);
    for (const struct yaml_node *one = c->n ? y.exp_alerts->first : NULL; one; one = one->next, i++) {
        struct alert_yaml a = {0};
        read_map(rd, one, ALERT_FIELDS, &a);
        read_labels(rd, a.exp_labels, y.alertname ? y.alertname : "", &c->expected[i].labels);
        read_labels(rd, a.exp_annotations, NULL, &c->expected[i].annotations);
    }
}

static void read_expr_case(struct reader *rd, const struct yaml_node *node, struct test_expr_case *c)
{
    struct expr_case_yaml y = {0};
    read_map(rd, node, EXPR_CASE_FIELDS, &y);
    *c = (struct test_expr_case){.eval_ms = y.eval_ms, .expr = y.expr ? y.expr : "", .samples = y.exp_samples};
    if (y.exp_samples && y.exp_samples->kind != YAML_NULL && y.exp_samples->kind != YAML_LIST)
        complain(rd, y.exp_samples, "exp_samples must be a list");
    else
        YAML_EACH(y.exp_samples, one)
        {
            struct sample_yaml s = {0};
            read_map(rd, one, SAMPLE_FIELDS, &s);
        }
}

static void read_start(struct reader *rd, const struct yaml_node *node, const char *text, int64_t *ret)
{
    double seconds;
    if (!text)
        return;
    if (parse_f64_span(span_str(text), &seconds) == 0 && seconds > -9e12 && seconds < 9e12)
        *ret = (int64_t)(seconds * 1000);
    else if (parse_rfc3339_ms(span_str(text), ret) < 0)
        complain(rd, yaml_get(node, "start_timestamp"), "start_timestamp is RFC 3339 or seconds since 1970");
}

static void read_group(struct reader *rd, const struct yaml_node *node, struct test_group *g)
{
    struct group_yaml y = {0};
    size_t i = 0;
    read_map(rd, node, GROUP_FIELDS, &y);
    g->name = y.name && *y.name ? y.name : NULL;
    g->interval_ms = y.interval_ms;
    g->external_url = y.external_url;
    read_start(rd, node, y.start_timestamp, &g->start_ms);
    read_labels(rd, y.external_labels, NULL, &g->external_labels);
    g->series = read_list(rd, y.input_series, "input_series", sizeof *g->series, &g->n_series);
    for (const struct yaml_node *one = g->n_series ? y.input_series->first : NULL; one; one = one->next)
        read_series(rd, one, g, &g->series[i++]);
    if (g->n_series && g->interval_ms <= 0 && !g->wrong)
        g->wrong = arena_printf(&rd->f->arena, "%s:%u: a test with input_series needs an interval",
                                yaml_file(rd->f->doc), node->line);
    g->alerts = read_list(rd, y.alert_rule_test, "alert_rule_test", sizeof *g->alerts, &g->n_alerts);
    i = 0;
    for (const struct yaml_node *one = g->n_alerts ? y.alert_rule_test->first : NULL; one; one = one->next)
        read_alert_case(rd, one, &g->alerts[i++]);
    g->exprs = read_list(rd, y.promql_expr_test, "promql_expr_test", sizeof *g->exprs, &g->n_exprs);
    i = 0;
    for (const struct yaml_node *one = g->n_exprs ? y.promql_expr_test->first : NULL; one; one = one->next)
        read_expr_case(rd, one, &g->exprs[i++]);
}

static void read_texts(struct reader *rd, const struct yaml_node *list, const char *what, const char ***ret,
                       size_t *ret_n)
{
    size_t i = 0;
    *ret = read_list(rd, list, what, sizeof **ret, ret_n);
    for (const struct yaml_node *one = *ret_n ? list->first : NULL; one; one = one->next, i++) {
        if (one->kind != YAML_SCALAR)
            complain(rd, one, "expected a text");
        (*ret)[i] = one->kind == YAML_SCALAR ? one->text.ptr : "";
    }
}

static void read_order(struct reader *rd, const struct yaml_node *list)
{
    struct test_file *f = rd->f;
    read_texts(rd, list, "group_eval_order", &f->order, &f->n_order);
    for (size_t i = 0; i < f->n_order; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(f->order[i], f->order[k]) == 0)
                complain(rd, list, "group name repeated in evaluation order");
}

static void read_rule_files(struct reader *rd, const char *path, const struct yaml_node *list)
{
    const char **names = NULL, *slash = strrchr(path, '/');
    struct test_file *f = rd->f;
    read_texts(rd, list, "rule_files", &names, &f->n_rule_files);
    f->rule_files = arena_array(&f->arena, f->n_rule_files, sizeof *f->rule_files);
    for (size_t i = 0; i < f->n_rule_files && f->rule_files; i++) {
        bool own = names[i][0] && names[i][0] != '/' && slash;
        f->rule_files[i] = arena_printf(&f->arena, "%.*s%s", own ? (int)(slash - path + 1) : 0, path, names[i]);
        if (!f->rule_files[i])
            note(rd, -ENOMEM);
    }
    if (!f->rule_files)
        note(rd, -ENOMEM);
}

int test_file_read(const char *path, bool ignore_unknown, struct test_file *f, struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t len = 0, i = 0;
    struct reader rd = {.f = f, .problems = problems, .ignore_unknown = ignore_unknown};
    struct file_yaml y = {.evaluation_interval_ms = 60000};
    *f = (struct test_file){0};
    arena_init(&f->arena, TEST_FILE_BYTES_MAX);
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &len);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot read the file: %s", strerror(-r));
        return -EINVAL;
    }
    r = yaml_parse(path, span_of(text, len), &f->doc, problems);
    if (r < 0)
        return r;
    const struct yaml_node *root = yaml_root(f->doc);
    if (root->kind != YAML_MAP && root->kind != YAML_NULL) {
        complain(&rd, root, "a file of rule tests is a map with 'rule_files' and 'tests'");
        return rd.error;
    }
    read_map(&rd, root, FILE_FIELDS, &y);
    f->evaluation_interval_ms = y.evaluation_interval_ms > 0 ? y.evaluation_interval_ms : 60000;
    f->fuzzy = y.fuzzy;
    read_rule_files(&rd, path, y.rule_files);
    read_order(&rd, y.group_eval_order);
    f->groups = read_list(&rd, y.tests, "tests", sizeof *f->groups, &f->n);
    for (const struct yaml_node *one = f->n ? y.tests->first : NULL; one; one = one->next)
        read_group(&rd, one, &f->groups[i++]);
    return rd.error;
}

void test_file_done(struct test_file *f)
{
    yaml_free(f->doc);
    arena_done(&f->arena);
}

int test_samples_read(const struct yaml_node *list, struct arena *arena, struct test_sample **ret, size_t *ret_n,
                      char **ret_why)
{
    size_t i = 0, n = list ? list->n : 0;
    struct test_sample *samples = arena_array(arena, n, sizeof *samples);
    if (!samples)
        return -ENOMEM;
    YAML_EACH(list, node)
    {
        const struct yaml_node *labels = yaml_get(node, "labels"), *value = yaml_get(node, "value"),
                               *histogram = yaml_get(node, "histogram");
        struct span text = labels && labels->kind == YAML_SCALAR ? labels->text : SPAN("");
        struct test_sample *s = &samples[i++];
        struct parse_error e = {0};
        int r = series_text_labels(text, arena, &s->labels, &e);
        if (r == 0 && value && value->kind == YAML_SCALAR)
            r = yaml_as_f64(value, &s->value);
        if (r == 0 && histogram && histogram->kind == YAML_SCALAR && histogram->text.len) {
            struct series_point *points = NULL;
            size_t n_points = 0;
            r = series_text_points(histogram->text, arena, &points, &n_points, &e);
            if (r == 0 && (n_points != 1 || !points[0].histogram)) {
                r = -EINVAL;
                snprintf(e.text, sizeof e.text, "expected one histogram, got \"" SPAN_FMT "\"",
                         SPAN_ARG(histogram->text));
            }
            if (r == 0)
                s->histogram = &points[0];
        }
        if (r < 0) {
            *ret_why = arena_printf(arena, "labels \"" SPAN_FMT "\": %s", SPAN_ARG(text), e.text);
            return *ret_why ? r : -ENOMEM;
        }
    }
    *ret = samples;
    *ret_n = n;
    return 0;
}
