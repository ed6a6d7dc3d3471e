/* Rule files: what is read, what is refused and at which place; the field's own files all load. */
#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "collector/rules/rule_place.h"
#include "collector/rules/rule_set.h"
#include "collector/rules/rules.h"
#include "lib/base/file.h"

struct files {
    char *dir, *path;
    struct problems problems;
    struct rule_set *set;
    int result;
};

static void load_begin(struct files *f)
{
    *f = (struct files){0};
    check_ok(dir_make_temp("rulefile", &f->dir));
    assert_true(asprintf(&f->path, "%s/a.yml", f->dir) > 0);
    problems_init(&f->problems);
}
static void load_text(struct files *f, const char *text)
{
    load_begin(f);
    check_ok(file_write(f->path, text, strlen(text)));
    const char *path = f->path;
    f->result = rule_set_load(&path, 1, 60000, &f->set, &f->problems);
}
static void load_end(struct files *f)
{
    if (f->result == 0)
        rule_set_free(f->set);
    problems_done(&f->problems);
    check_ok(dir_remove(f->dir));
    free(f->dir);
    free(f->path);
}

static void a_group_is_read_with_every_field(void **unused)
{
    (void)unused;
    struct files f;
    load_text(&f, "groups:\n"
                  "- name: g\n  interval: 5s\n  limit: 10\n  query_offset: 1m30s\n  labels: {team: shop, tier: app}\n"
                  "  rules:\n"
                  "  - record: a:b\n    expr: sum(up)by(job)\n    labels: {tier: db}\n"
                  "  - alert: Down\n    expr: |\n      a:b == 0\n        and up\n    for: 1h\n    keep_firing_for: 2m\n"
                  "    labels: {severity: 1}\n    annotations: {z: x, a: 'y {{ $value }}'}\n"
                  "- name: default\n  rules: []\n");
    assert_int_equal(f.result, 0);
    assert_int_equal(f.set->n_groups, 2);
    assert_int_equal(f.set->n_rules, 2);
    const struct group_def *g = &f.set->groups[0];
    assert_int_equal(g->interval_ms, 5000);
    assert_int_equal(g->limit, 10);
    assert_int_equal(g->query_offset_ms, 90000);
    assert_int_equal(f.set->groups[1].interval_ms, 60000);
    const struct rule_def *record = &g->rules[0], *alert = &g->rules[1];
    assert_int_equal(record->kind, RULE_RECORD);
    check_span(record->name, "a:b");
    check_span(record->query, "sum by (job) (up)");
    check_span(labels_get(&record->labels, SPAN("tier")), "db"); /* the rule's wins over the group's */
    check_span(labels_get(&record->labels, SPAN("team")), "shop");
    assert_int_equal(record->reads_from, -1);
    assert_int_equal(alert->kind, RULE_ALERT);
    check_span(alert->name, "Down");
    check_span(alert->query, "a:b == 0 and up");
    assert_int_equal(alert->for_ms, 3600000);
    assert_int_equal(alert->keep_firing_ms, 120000);
    check_span(labels_get(&alert->labels, SPAN("severity")), "1");
    check_span(alert->annotations.pairs[0].name, "a");
    assert_int_equal(alert->reads_from, 0);
    assert_int_equal(alert->line, 11);
    load_end(&f);
}

static void rules_know_whose_output_they_read(void **unused)
{
    (void)unused;
    struct files f;
    load_text(&f, "groups:\n- name: g\n  rules:\n"
                  "  - {record: a, expr: 'up'}\n"                          /* 0 */
                  "  - {record: b, expr: 'sum(a) + on () up'}\n"           /* 1 reads 0 */
                  "  - {alert: X, expr: 'up'}\n"                           /* 2 */
                  "  - {record: c, expr: 'count(ALERTS)'}\n"               /* 3 reads 2 */
                  "  - {record: d, expr: '{__name__=~\"b|nothing\"}'}\n"   /* 4 reads 1 */
                  "  - {record: e, expr: '{job=\"x\"}'}\n"                 /* 5 may read 4 */
                  "  - {record: f, expr: 'max_over_time(later[5m:1m])'}\n" /* 6 reads what comes after it only */
                  "  - {record: later, expr: 'rate(a[5m]) / ignoring(x) {\"c\"}'}\n" /* 7 reads 3 */
                  "  - {record: a, expr: 'vector(1)'}\n"                             /* 8 */
                  "  - {record: g, expr: 'a'}\n"); /* 9 reads 8, the last that writes it */
    assert_int_equal(f.result, 0);
    static const int EXPECTED[] = {-1, 0, -1, 2, 1, 4, -1, 3, -1, 8};
    for (size_t i = 0; i < ARRAY_LEN(EXPECTED); i++)
        if (f.set->groups[0].rules[i].reads_from != EXPECTED[i])
            check_failed("rule %zu reads from %d, expected %d", i, f.set->groups[0].rules[i].reads_from, EXPECTED[i]);
    load_end(&f);
}

static void rules_are_refused_at_their_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *text; /* %s of the file's place is "line:column: words" */
        const char *problems[4];
    } CASES[] = {
        {"groups:\n- rules: []\n", {"2:3: Groupname must not be empty"}},
        {"groups:\n- name: a\n- name: a\n", {"3:9: groupname: \"a\" is repeated in the same file"}},
        {"group: []\n", {"1:1: unknown key 'group' (did you mean 'groups'?)"}},
        {"groups:\n- name: a\n  intervall: 1s\n", {"3:3: unknown key 'intervall' (did you mean 'interval'?)"}},
        {"groups:\n- name: a\n  interval: soon\n", {"3:13: "}},
        {"groups:\n- name: a\n  rules:\n  - record: x\n    alert: y\n    expr: up\n",
         {"4:5: only one of 'record' and 'alert' must be set"}},
        {"groups:\n- name: a\n  rules:\n  - expr: up\n", {"4:5: one of 'record' or 'alert' must be set"}},
        {"groups:\n- name: a\n  rules:\n  - alert: x\n", {"4:5: field 'expr' must be set in rule"}},
        {"groups:\n- name: a\n  rules:\n  - {alert: x, expr: ''}\n", {"4:5: field 'expr' must be set in rule"}},
        {"groups:\n- name: a\n  rules:\n  - {record: x, expr: up, for: 5m}\n",
         {"4:32: invalid field 'for' in recording rule"}},
        {"groups:\n- name: a\n  rules:\n  - {record: x, expr: up, keep_firing_for: 5m}\n",
         {"4:44: invalid field 'keep_firing_for' in recording rule"}},
        {"groups:\n- name: a\n  rules:\n  - {record: x, expr: up, annotations: {a: b}}\n",
         {"4:40: invalid field 'annotations' in recording rule"}},
        {"groups:\n- name: a\n  rules:\n  - {record: 'x{a=\"b\"}', expr: up}\n",
         {"4:14: braces present in the recording rule name; should it be in expr?: x{a=\"b\"}"}},
        {"groups:\n- name: a\n  rules:\n  - {record: x, expr: up, labels: {__name__: y}}\n",
         {"invalid label name: __name__"}},
        {"groups:\n- name: a\n  rules:\n  - {record: x, expr: up, labels: {'': y}}\n", {"invalid label name: "}},
        {"groups:\n- name: a\n  rules:\n  - {alert: x, expr: up, labels: {a: [1]}}\n", {"label 'a' must be text"}},
        {"groups:\n- name: a\n  rules:\n  - {alert: x, expr: up, fro: 5m}\n",
         {"unknown key 'fro' (did you mean 'for'?)"}},
        {"groups:\n- name: a\n  labels: {__name__: x}\n  rules:\n  - {alert: x, expr: up}\n  - {alert: y, expr: up}\n",
         {"3:22: invalid label name: __name__"}},
        /* Errors inside an expression, in every scalar style. */
        {"groups:\n- name: a\n  rules:\n  - alert: x\n    expr: up ==== 1\n", {"5:16: could not parse expression: "}},
        {"groups:\n- name: a\n  rules:\n  - {alert: x, expr: 'up{a=''b''} foo'}\n",
         {"4:35: could not parse expression: "}},
        {"groups:\n- name: a\n  rules:\n  - {alert: x, expr: \"up{a=\\\"b\\\"} foo\"}\n",
         {"4:35: could not parse expression: "}},
        {"groups:\n- name: a\n  rules:\n  - alert: x\n    expr: |\n      sum(\n        up) foo\n",
         {"7:13: could not parse expression: "}},
        {"groups:\n- name: a\n  rules:\n  - alert: x\n    expr: >-\n      sum(\n      up)\n      foo\n",
         {"8:7: could not parse expression: "}},
        {"groups:\n- name: a\n  rules:\n  - alert: x\n    expr: sum(\n      up) foo\n",
         {"6:11: could not parse expression: "}},
        {"groups:\n- name: a\n  rules:\n  - alert: x\n    expr: sum(up\n", {"5:17: could not parse expression: "}},
        /* Errors inside a template. */
        {"groups:\n- name: a\n  rules:\n  - alert: x\n    expr: up\n    annotations:\n      text: 'at {{ $lables.job "
         "}}'\n",
         {"7:20: annotation 'text': undefined variable \"$lables\""}},
        {"groups:\n- name: a\n  rules:\n  - alert: x\n    expr: up\n    labels:\n      text: |\n        {{ if true "
         "}}\n        {{ range $labels }}\n",
         {"9:9: label 'text': unexpected end of the template: this {{range}} has no {{end}}"}},
        /* All at once. */
        {"groups:\n- name: a\n  rules:\n  - {alert: x, expr: 'up +'}\n  - {record: y}\n  - {alert: z, expr: up, ofr: "
         "1m}\n",
         {"4:", "5:5: field 'expr' must be set", "6:26: unknown key 'ofr'"}},
        {"groups: 5\n", {"1:9: 'groups' must be a list"}},
        {"- a\n", {"1:1: a rule file is a map with 'groups'"}},
        {"groups:\n- name: a\n  rules: {}\n", {"3:10: 'rules' must be a list"}},
        {"groups:\n- name: a\n  rules: [x]\n", {"3:11: a rule must be a map"}},
        {"groups: [\n", {"1"}},
    };
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct files f;
        load_text(&f, CASES[i].text);
        if (f.result != -EINVAL)
            check_failed("not refused:\n%s", CASES[i].text);
        size_t n = 0;
        while (n < 4 && CASES[i].problems[n])
            n++;
        if (f.problems.n != n)
            check_failed("%zu problems instead of %zu (the first: %s) in\n%s", f.problems.n, n,
                         f.problems.n ? f.problems.list[0].text : "-", CASES[i].text);
        for (size_t k = 0; k < n; k++) {
            const struct problem *p = &f.problems.list[k];
            char text[PROBLEM_TEXT_MAX + 64];
            (void)snprintf(text, sizeof text, "%u:%u: %s", p->line, p->column, p->text);
            if (!strstr(text, CASES[i].problems[k])) {
                print_message("problem\n  %s\nexpected\n  %s\nin\n%s\n", text, CASES[i].problems[k], CASES[i].text);
                wrong++;
            }
            assert_string_equal(p->file, f.path);
        }
        load_end(&f);
    }
    assert_int_equal(wrong, 0);
}

static void empty_files_are_no_rules(void **unused)
{
    (void)unused;
    static const char *const TEXTS[] = {"", "# nothing\n", "groups:\n", "groups: []\n", "groups:\n- name: a\n"};
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct files f;
        load_text(&f, TEXTS[i]);
        assert_int_equal(f.result, 0);
        assert_int_equal(f.set->n_rules, 0);
        load_end(&f);
    }
}

static void utf8_names_are_names(void **unused)
{
    (void)unused;
    struct files f;
    load_text(&f, "groups:\n- name: a\n  rules:\n  - {record: 'größe.der kasse', expr: up, labels: {'l.x': y}}\n");
    assert_int_equal(f.result, 0);
    load_end(&f);
}

static void patterns_name_many_files_each_read_once(void **unused)
{
    (void)unused;
    struct files f;
    load_begin(&f);
    static const char TEXT[] = "groups: [{name: g, rules: [{record: r, expr: up}]}]";
    AUTO_FREE char *b = NULL, *pattern = NULL, *none = NULL, *missing = NULL;
    assert_true(asprintf(&b, "%s/b.yml", f.dir) > 0 && asprintf(&pattern, "%s/*.yml", f.dir) > 0 &&
                asprintf(&none, "%s/*.rules", f.dir) > 0 && asprintf(&missing, "%s/missing.yml", f.dir) > 0);
    check_ok(file_write(f.path, TEXT, strlen(TEXT)));
    check_ok(file_write(b, TEXT, strlen(TEXT)));
    const char *const paths[] = {pattern, b, none};
    f.result = rule_set_load(paths, 3, 60000, &f.set, &f.problems);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.set->n_groups, 2); /* the same group name in two files is fine */
    check_span(f.set->groups[1].file, b);
    assert_true(f.set->groups[0].hash != f.set->groups[1].hash);
    assert_false(span_equal(f.set->groups[0].rules[0].key, f.set->groups[1].rules[0].key));
    assert_int_equal(f.problems.warnings, 1); /* the pattern without a file */
    const char *const bad[] = {missing};
    struct rule_set *set;
    check_errno(rule_set_load(bad, 1, 60000, &set, &f.problems), -EINVAL);
    check_contains(f.problems.list[1].text, "No such file");
    load_end(&f);
}

static void equal_rules_have_different_keys(void **unused)
{
    (void)unused;
    struct files f;
    load_text(&f, "groups:\n- name: g\n  rules:\n  - {alert: A, expr: up}\n  - {alert: A, expr: up}\n  - {alert: A, "
                  "expr: up, labels: {x: y}}\n");
    assert_int_equal(f.result, 0);
    const struct rule_def *r = f.set->groups[0].rules;
    assert_false(span_equal(r[0].key, r[1].key));
    assert_false(span_equal(r[0].key, r[2].key));
    load_end(&f);
}

static void the_fields_own_rule_files_load(void **unused)
{
    (void)unused;
    const char *dir = check_shared_path("conformance/rules");
    if (!dir)
        skip();
    AUTO_FREE char *pattern = NULL;
    assert_true(asprintf(&pattern, "%s/*.yml", dir) > 0);
    struct problems problems;
    problems_init(&problems);
    struct rule_set *set;
    const char *path = pattern;
    int r = rule_set_load(&path, 1, 60000, &set, &problems);
    problems_print(&problems, stdout);
    check_ok(r);
    assert_int_equal(problems.errors, 0);
    assert_true(set->n_groups >= 55 && set->n_rules > 400);
    print_message("%zu groups with %zu rules\n", set->n_groups, set->n_rules);
    rule_set_free(set);
    problems_done(&problems);
}

/* Every byte of a value is found again in the source, whatever the style. */
static void places_are_right_in_every_scalar_style(void **unused)
{
    (void)unused;
    static const char *const SOURCES[] = {
        "k: alpha beta gamma\n",
        "k: 'alpha beta gamma'\n",
        "k: \"alpha beta gamma\"\n",
        "k: |\n  alpha\n    beta\n\n  gamma\n",
        "k: >\n  alpha\n  beta\n\n  gamma\n",
        "k: |-\n\n   alpha beta\n   gamma",
        "k: alpha\n  beta\n    gamma\n",
        "k: \"alpha\n  beta \\\n  gamma\"\n",
        "k: # words\n  'alpha\n\n  beta gamma'\n",
    };
    static const char *const WORDS[] = {"alpha", "beta", "gamma"};
    for (size_t i = 0; i < ARRAY_LEN(SOURCES); i++) {
        struct problems problems;
        problems_init(&problems);
        struct yaml *doc;
        struct span source = span_str(SOURCES[i]);
        check_ok(yaml_parse("x", source, &doc, &problems));
        const struct yaml_node *node = yaml_get(yaml_root(doc), "k");
        for (size_t w = 0; w < ARRAY_LEN(WORDS); w++)
            for (size_t c = 0; c < 4; c++) {
                size_t in_value = span_search(node->text, span_str(WORDS[w])) + c;
                size_t in_source = span_search(source, span_str(WORDS[w])) + c;
                uint32_t line = 1, column = 1, got_line, got_column;
                for (size_t k = 0; k < in_source; k++) {
                    column = source.ptr[k] == '\n' ? 1 : column + 1;
                    line += source.ptr[k] == '\n';
                }
                rule_place(source, node, in_value, &got_line, &got_column);
                if (got_line != line || got_column != column)
                    check_failed("%s + %zu at %u:%u, expected %u:%u in\n%s", WORDS[w], c, got_line, got_column, line,
                                 column, SOURCES[i]);
            }
        yaml_free(doc);
        problems_done(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_is_read_with_every_field),
        cmocka_unit_test(rules_know_whose_output_they_read),
        cmocka_unit_test(rules_are_refused_at_their_place),
        cmocka_unit_test(empty_files_are_no_rules),
        cmocka_unit_test(utf8_names_are_names),
        cmocka_unit_test(patterns_name_many_files_each_read_once),
        cmocka_unit_test(equal_rules_have_different_keys),
        cmocka_unit_test(the_fields_own_rule_files_load),
        cmocka_unit_test(places_are_right_in_every_scalar_style),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
