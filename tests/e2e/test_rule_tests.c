/* `test rules` and `check rules` beside Debian's promtool: the same verdict on the same files, ours in tests/rule_tests and
 * the field's in the shared conformance folder. good_* must pass, bad_* must fail; new_* use what promtool 2.42 does not know yet. */
#include <jansson.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/process.h"
#include "tests/support/e2e.h"

#define PROMTOOL "/usr/bin/promtool"

static int verdict(const char *const *argv)
{
    int status = -1;
    check_ok(
        process_run(argv, &(struct process_options){.log_path = e2e_path("log")}, 60000, 16u << 20, NULL, &status));
    return status;
}

static int ours(const char *command, const char *path)
{
    char program[4096];
    const char *bin = getenv("CREST_BIN");
    snprintf(program, sizeof program, "%s/crest-collector", bin ? bin : "build/release");
    return verdict((const char *const[]){program, command, "rules", path, NULL});
}

static void every_test_file_has_promtools_verdict(void **state)
{
    (void)state;
    static const char *const PATTERNS[] = {"tests/rule_tests/good_*.yml", "tests/rule_tests/bad_*.yml",
                                           "tests/rule_tests/new_good*.yml", "tests/rule_tests/new_bad*.yml"};
    bool promtool = e2e_have("promtool");
    for (size_t p = 0; p < ARRAY_LEN(PATTERNS); p++) {
        struct file_list files;
        int expected = strstr(PATTERNS[p], "good") ? 0 : 1;
        check_ok(file_glob(PATTERNS[p], &files));
        assert_true(files.n > 0);
        for (size_t i = 0; i < files.n; i++) {
            const char *path = files.paths[i];
            if (ours("test", path) != expected)
                check_failed("%s: our verdict is not %d", path, expected);
            if (promtool && p < 2 && verdict((const char *const[]){PROMTOOL, "test", "rules", path, NULL}) != expected)
                check_failed("%s: promtool's verdict is not %d", path, expected);
        }
        file_list_done(&files);
    }
}

static void results_are_written_as_junit(void **state)
{
    (void)state;
    AUTO_FREE char *xml = NULL;
    const char *path = e2e_path("junit.xml");
    char *out = e2e_run("crest-collector",
                        E2E_ARGS("test", "rules", "--junit", path, "tests/rule_tests/good_alerts.yml",
                                 "tests/rule_tests/bad_value.yml", "tests/rule_tests/bad_field.yml"),
                        1);
    check_contains(out, "Unit Testing:  tests/rule_tests/good_alerts.yml\n  SUCCESS\n");
    check_contains(out, "    expr: \"m\", time: 1m,\n        exp: m 2E+00\n        got: m 1E+00\n");
    check_contains(out, "bad_field.yml:3:5: unknown key 'input_serie' (did you mean 'input_series'?)");
    free(out);
    check_ok(file_read(path, 1u << 20, &xml, NULL));
    check_contains(xml, "<testsuite name=\"tests/rule_tests/good_alerts.yml\" tests=\"2\" failures=\"0\" errors=\"0\"");
    check_contains(xml, "<testcase name=\"errors\" time=\"");
    check_contains(xml, "<testsuite name=\"tests/rule_tests/bad_value.yml\" tests=\"1\" failures=\"1\" errors=\"0\"");
    check_contains(xml, "<failure message=\"");
    check_contains(xml, "<testsuite name=\"tests/rule_tests/bad_field.yml\" tests=\"1\" failures=\"0\" errors=\"1\"");
    out =
        e2e_run("crest-collector", E2E_ARGS("test", "rules", "--run", "^nobody$", "tests/rule_tests/bad_value.yml"), 0);
    free(out);
}

static void what_can_hardly_be_meant_is_found(void **state)
{
    (void)state;
    char program[4096];
    const char *bin = getenv("CREST_BIN");
    AUTO_FREE char *said = NULL;
    int status = -1;
    static const char *const FOUND[] = {
        ":4: warning: ratio:recorded: ", "while no series has code=~\"5..\" the ratio has no value",
        ":6: warning: Filled: ",         "divided by a made-up number",
        ":8: warning: FilledBehind: ",   "without data the ratio has a made-up value",
        ":10: warning: OtherValues: ",   "the label job is \"a\" on the left and \"b\" on the right",
        ":12: warning: OtherLabels: ",   "the left side has the label job and the other one cannot have it",
        ":14: warning: OnMissing: ",     "the left side is aggregated without that label",
        ":16: warning: NoSeries: ",      "no series has job=\"a\" and job=~\"b|c\"",
        ":18: warning: NoValue: ",       "no value is in both ranges",
        ":20: warning: NoValue: ",       "with this name and these labels in line 18",
    };
    assert_int_equal(ours("check", "tests/rule_tests/doubtful.yml"), 3);
    assert_int_equal(ours("check", "tests/rule_tests/doubtless.yml"), 0);
    assert_int_equal(ours("check", "tests/rule_tests/rules_broken.yml"), 2);
    snprintf(program, sizeof program, "%s/crest-collector", bin ? bin : "build/release");
    check_ok(process_run((const char *const[]){program, "check", "rules", "tests/rule_tests/doubtful.yml", NULL},
                         &(struct process_options){.log_path = e2e_path("found")}, 60000, 1u << 20, NULL, &status));
    check_ok(file_read(e2e_path("found"), 1u << 20, &said, NULL));
    for (size_t i = 0; i < ARRAY_LEN(FOUND); i++)
        check_contains(said, FOUND[i]);
}

static void the_fields_rule_files_are_good_to_both(void **state)
{
    (void)state;
    char pattern[4096], program[4096];
    struct file_list files;
    const char *dir = check_shared_path("conformance/rules"), *bin = getenv("CREST_BIN");
    if (!dir)
        skip();
    snprintf(pattern, sizeof pattern, "%s/*.yml", dir);
    snprintf(program, sizeof program, "%s/crest-collector", bin ? bin : "build/release");
    check_ok(file_glob(pattern, &files));
    assert_true(files.n > 50);
    AUTO_FREE const char **argv = calloc(files.n + 4, sizeof *argv);
    assert_non_null(argv);
    argv[1] = "check";
    argv[2] = "rules";
    for (size_t i = 0; i < files.n; i++)
        argv[3 + i] = files.paths[i];
    argv[0] = program;
    int mine = verdict(argv);
    if (mine != 0 && mine != 3) /* findings are no mistakes */
        check_failed("our verdict is %d", mine);
    argv[0] = PROMTOOL;
    if (e2e_have("promtool"))
        assert_int_equal(verdict(argv), 0);
    file_list_done(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_test_file_has_promtools_verdict, e2e_teardown),
        cmocka_unit_test_teardown(results_are_written_as_junit, e2e_teardown),
        cmocka_unit_test_teardown(what_can_hardly_be_meant_is_found, e2e_teardown),
        cmocka_unit_test_teardown(the_fields_rule_files_are_good_to_both, e2e_teardown),
    };
    return cmocka_run_group_tests_name("rule tests", tests, NULL, NULL);
}
