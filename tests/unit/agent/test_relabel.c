/* Relabelling rules: each action on small label sets, and what is refused with its place. */
#include "agent/relabel.h"

#include <errno.h>

#include "tests/support/check.h"

/* Labels as "name=value name=value", in any order. */
static void read_labels(const char *text, struct label_builder *b)
{
    struct span rest = span_str(text), pair, name;
    while (span_cut(&rest, ' ', &pair))
        if (span_cut(&pair, '=', &name))
            label_builder_set(b, name, pair);
}

/* Apply rules (YAML) to labels; "dropped", or the labels as labels_format prints them. The caller frees. */
static char *relabelled(const char *rules, const char *labels)
{
    struct yaml *doc = NULL;
    struct problems problems;
    struct relabel_list list = {0};
    struct label_builder b;
    struct labels made;
    struct arena arena;
    struct buf scratch, out;
    problems_init(&problems);
    arena_init(&arena, 1 << 20);
    buf_init(&scratch, 1 << 20);
    buf_init(&out, 1 << 20);
    check_ok(yaml_parse("r.yml", span_str(rules), &doc, &problems));
    if (relabel_read(doc, yaml_root(doc), &list, &problems) < 0)
        check_failed("refused: %s", problems.list[0].text);
    label_builder_init(&b, &arena);
    read_labels(labels, &b);
    int r = relabel_apply(&list, &b, &scratch);
    assert_in_range(r + 1, 1, 2);
    if (r == 0) {
        buf_str(&out, "dropped");
    } else {
        check_ok(label_builder_finish(&b, &made));
        labels_format(&out, &made);
    }
    relabel_done(&list);
    problems_done(&problems);
    buf_done(&scratch);
    arena_done(&arena);
    yaml_free(doc);
    return buf_take(&out, NULL);
}

static const struct relabel_case {
    const char *rules, *labels, *expected;
} CASES[] = {
    {"[]", "a=1", "{a=\"1\"}"},
    /* replace */
    {"[{source_labels: [a], target_label: b}]", "a=1", "{a=\"1\", b=\"1\"}"},
    {"[{source_labels: [a, b], target_label: c}]", "a=1 b=2", "{a=\"1\", b=\"2\", c=\"1;2\"}"},
    {"[{source_labels: [a, b], separator: '', target_label: c}]", "a=1 b=2", "{a=\"1\", b=\"2\", c=\"12\"}"},
    {"[{source_labels: [a], regex: '(.)(.)', replacement: '$2${1}x', target_label: b}]", "a=pq",
     "{a=\"pq\", b=\"qpx\"}"},
    {"[{source_labels: [a], regex: 'p', target_label: b}]", "a=pq", "{a=\"pq\"}"}, /* anchored on both sides */
    {"[{source_labels: [a], regex: 'p.*', replacement: fix, target_label: b}]", "a=pq", "{a=\"pq\", b=\"fix\"}"},
    {"[{source_labels: [a], regex: '(?P<x>.).*', replacement: '$x', target_label: b}]", "a=pq", "{a=\"pq\", b=\"p\"}"},
    {"[{source_labels: [a], regex: '(.*)', replacement: '$1y', target_label: b}]", "a=pq", "{a=\"pq\"}"}, /* $1y */
    {"[{target_label: b, replacement: fix}]", "a=1", "{a=\"1\", b=\"fix\"}"},
    {"[{target_label: a, replacement: ''}]", "a=1 b=2", "{b=\"2\"}"},       /* empty takes away */
    {"[{source_labels: [none], target_label: a}]", "a=1 b=2", "{b=\"2\"}"}, /* an absent source is empty */
    {"[{source_labels: [a], target_label: '${1}_x'}]", "a=n", "{a=\"n\", n_x=\"n\"}"},
    {"[{source_labels: [none], target_label: '$1', replacement: v}]", "a=n", "{a=\"n\"}"}, /* no name, no label */
    {"[{source_labels: [a], target_label: my.label}]", "a=1", "{a=\"1\", \"my.label\"=\"1\"}"},
    {"[{action: Replace, source_labels: [a], target_label: b}]", "a=1", "{a=\"1\", b=\"1\"}"},
    /* keep, drop */
    {"[{action: keep, source_labels: [a], regex: '1|2'}]", "a=1", "{a=\"1\"}"},
    {"[{action: keep, source_labels: [a], regex: '1|2'}]", "a=12", "dropped"},
    {"[{action: keep, source_labels: [a, b], regex: '1;2'}]", "a=1 b=2", "{a=\"1\", b=\"2\"}"},
    {"[{action: drop, source_labels: [a], regex: '1.*'}]", "a=12", "dropped"},
    {"[{action: drop, source_labels: [a], regex: '1'}]", "a=12", "{a=\"12\"}"},
    {"[{action: drop, source_labels: [none], regex: ''}]", "a=12", "dropped"}, /* as Prometheus: empty matches empty */
    /* labelmap */
    {"[{action: labelmap, regex: '__meta_(.+)'}]", "__meta_x=1 __meta_y=2 z=3",
     "{__meta_x=\"1\", __meta_y=\"2\", x=\"1\", y=\"2\", z=\"3\"}"},
    {"[{action: labelmap, regex: 'a(b)?', replacement: '$1'}]", "a=1", "{a=\"1\"}"}, /* no name, no label */
    {"[{action: labelmap, regex: '(.*)_x', replacement: '${1}'}]", "a_x=2 a=1", "{a=\"2\", a_x=\"2\"}"},
    /* in order, each sees what the one before left */
    {"[{source_labels: [a], target_label: b}, {action: keep, source_labels: [b], regex: '1'}, {target_label: a, "
     "replacement: ''}]",
     "a=1", "{b=\"1\"}"},
    {"[{action: drop, source_labels: [a], regex: '1'}, {target_label: a, replacement: '2'}]", "a=1", "dropped"},
};

static void rules_change_label_sets_as_prometheus_does(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char *got = relabelled(CASES[i].rules, CASES[i].labels);
        if (strcmp(got, CASES[i].expected) != 0)
            check_failed("%s on %s: %s, expected %s", CASES[i].rules, CASES[i].labels, got, CASES[i].expected);
        free(got);
    }
}

static const struct refused_case {
    const char *rules;
    uint32_t line, column;
    const char *words;
} REFUSED[] = {
    {"- action: hashmod\n", 1, 11, "relabel action 'hashmod' is not supported (replace, keep, drop, labelmap are)"},
    {"- action: labeldrop\n  regex: a\n", 1, 11, "relabel action 'labeldrop' is not supported"},
    {"- action: lowercase\n", 1, 11, "'lowercase'"},
    {"- modulus: 8\n", 1, 3, "hashmod"},
    {"- source_labels: [a]\n  regex: '('\n  target_label: b\n", 2, 10, "regex: "},
    {"- source_labels: [a]\n  regex: '(?=x)'\n  target_label: b\n", 2, 10, "regex: "},
    {"- source_labels: [a]\n", 1, 3, "replace needs target_label"},
    {"- source_labels: a\n  target_label: b\n", 1, 18, "source_labels is a list"},
    {"- source_labels: [[a]]\n  target_label: b\n", 1, 19, "a label name is a text"},
    {"- traget_label: b\n", 1, 3, "target_label"},
    {"a: b\n", 1, 1, "a list of relabelling rules is wanted"},
};

static void what_is_not_supported_is_refused_at_its_place(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(REFUSED); i++) {
        const struct refused_case *c = &REFUSED[i];
        struct yaml *doc = NULL;
        struct problems problems;
        struct relabel_list list = {0};
        problems_init(&problems);
        check_ok(yaml_parse("r.yml", span_str(c->rules), &doc, &problems));
        check_errno(relabel_read(doc, yaml_root(doc), &list, &problems), -EINVAL);
        assert_null(list.rules);
        assert_true(problems.n >= 1);
        if (problems.list[0].line != c->line || problems.list[0].column != c->column)
            check_failed("%s: %u:%u: %s", c->rules, problems.list[0].line, problems.list[0].column,
                         problems.list[0].text);
        check_contains(problems.list[0].text, c->words);
        problems_done(&problems);
        yaml_free(doc);
    }
}

static void every_bad_rule_of_a_list_is_named(void **state UNUSED)
{
    struct yaml *doc = NULL;
    struct problems problems;
    struct relabel_list list = {0};
    problems_init(&problems);
    check_ok(
        yaml_parse("r.yml", SPAN("- action: no\n- regex: '['\n  target_label: x\n- action: keep\n"), &doc, &problems));
    check_errno(relabel_read(doc, yaml_root(doc), &list, &problems), -EINVAL);
    assert_int_equal(problems.n, 2);
    problems_done(&problems);
    yaml_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_change_label_sets_as_prometheus_does),
        cmocka_unit_test(what_is_not_supported_is_refused_at_its_place),
        cmocka_unit_test(every_bad_rule_of_a_list_is_named),
    };
    return cmocka_run_group_tests_name("relabel", tests, NULL, NULL);
}
