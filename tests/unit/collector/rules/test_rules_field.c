/* Rule files as the field writes them: each loads, each expression prints as something that is the same expression, and each rule
 * evaluates, on a store that has data for some of them. */
#include "tests/unit/collector/rules/rules_bench.h"

#include "collector/promql/promql.h"

static void check_prints_back(const char *file, const char *query)
{
    struct arena arena;
    struct promql_expr *e = NULL;
    struct parse_error error;
    struct buf text;
    arena_init(&arena, 1u << 26);
    buf_init(&text, 1u << 22);
    if (promql_parse(span_str(query), &arena, &e, &error) < 0)
        check_failed("%s: %s: %s", file, query, error.text);
    promql_format(e, &text);
    if (!span_equal(buf_view(&text), span_str(query)))
        check_failed("%s: printed\n%s\nand again\n%s", file, query, text.data);
    promql_expr_done(e);
    arena_done(&arena);
    buf_done(&text);
}

static void every_rule_of_the_field_evaluates_and_prints_back(void **unused)
{
    (void)unused;
    char pattern[4096];
    struct file_list files;
    struct problems problems;
    struct bench b;
    const char *dir = check_shared_path("conformance/rules");
    size_t n_rules = 0;
    if (!dir)
        skip();
    snprintf(pattern, sizeof pattern, "%s/*.yml", dir);
    check_ok(file_glob(pattern, &files));
    bench_open(&b, "groups: []\n", false);
    problems_init(&problems);
    if (rules_load(b.rules, (const char *const *)files.paths, files.n, &problems) < 0) {
        problems_print(&problems, stdout);
        check_failed("they do not load");
    }
    problems_done(&problems);
    /* an hour on, every grid has come by */
    int64_t t = 1000000000;
    bench_put(&b, "up{job=\"a\",instance=\"i\"} 0 1003500000\nnode_load1{instance=\"i\"} 900 1003500000\n");
    for (int64_t end = t + 3600000; t < end;) {
        int64_t wait = bench_step(&b, t);
        t += wait > 15000 ? wait : 15000;
    }
    json_t *data = bench_rules_json(&b, "");
    size_t g, i;
    json_t *group, *rule;
    json_array_foreach(json_object_get(data, "groups"), g, group)
    {
        const char *file = json_string_value(json_object_get(group, "file"));
        json_array_foreach(json_object_get(group, "rules"), i, rule)
        {
            const char *query = json_string_value(json_object_get(rule, "query"));
            check_prints_back(file, query);
            if (strcmp(json_string_value(json_object_get(rule, "health")), "ok") != 0)
                check_failed("%s: %s\n%s: %s", file, query, json_string_value(json_object_get(rule, "health")),
                             json_string_value(json_object_get(rule, "lastError")));
            n_rules++;
        }
    }
    assert_true(n_rules > 400);
    json_decref(data);
    file_list_done(&files);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule_of_the_field_evaluates_and_prints_back)};
    return cmocka_run_group_tests_name("rules of the field", tests, NULL, NULL);
}
