/* crest.yml: what is read, what is refused and where, and that the example of `crest-collector init` is right. */
#include "collector/config.h"

#include <errno.h>

#include "lib/base/file.h"
#include "tests/support/check.h"

static char *folder;

static int make_folder(void **state UNUSED)
{
    return dir_make_temp("crest", &folder);
}

static int remove_folder(void **state UNUSED)
{
    int r = dir_remove(folder);
    free(folder);
    return r;
}

static const char *write_file(const char *name, const char *text)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    check_ok(file_write(path, text, strlen(text)));
    return path;
}

static struct collector_config load(const char *text)
{
    struct collector_config c;
    struct problems problems;
    problems_init(&problems);
    collector_config_init(&c);
    if (collector_config_load(&c, write_file("crest.yml", text), &problems) < 0)
        check_failed("%s: %s", text, problems.list[0].text);
    problems_done(&problems);
    return c;
}

static void an_empty_file_gives_the_defaults(void **state UNUSED)
{
    static const char *const TEXTS[] = {"",           "# nothing\n",   "{}\n",
                                        "storage:\n", "rule_files:\n", "storage: {}\nrule_files: []\n"};
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct collector_config c = load(TEXTS[i]);
        assert_int_equal(c.retention_ms, 30ll * 24 * 3600 * 1000);
        assert_int_equal(c.durability, STORE_FULL);
        assert_false(c.retention_given || c.durability_given);
        assert_int_equal(c.n_rule_files, 0);
        assert_null(c.listen);
        assert_null(c.data);
        assert_null(c.external_url);
        collector_config_done(&c);
    }
}

static void every_key_is_read_and_paths_are_beside_the_file(void **state UNUSED)
{
    char expected[4096];
    struct collector_config c =
        load("listen: 127.0.0.1:0\n"
             "external_url: https://crest.example/sub//\n"
             "web_config_file: web.yml\n"
             "webhook_url: http://127.0.0.1:9499/page\n"
             "storage: {path: data, retention: 1h30m, durability: normal, limits: {series: 1000}}\n"
             "rule_files: [rules/*.yml, /abs/r.yml]\n"
             "events: [sale.yml]\n");
    assert_string_equal(c.listen, "127.0.0.1:0");
    assert_string_equal(c.external_url, "https://crest.example/sub");
    assert_string_equal(c.webhook_url, "http://127.0.0.1:9499/page");
    snprintf(expected, sizeof expected, "%s/web.yml", folder);
    assert_string_equal(c.web_config_file, expected);
    snprintf(expected, sizeof expected, "%s/data", folder);
    assert_string_equal(c.data, expected);
    assert_int_equal(c.retention_ms, 5400000);
    assert_int_equal(c.durability, STORE_NORMAL);
    assert_true(c.retention_given && c.durability_given);
    assert_int_equal(c.series_max, 1000);
    assert_int_equal(c.n_rule_files, 2);
    snprintf(expected, sizeof expected, "%s/rules/*.yml", folder);
    assert_string_equal(c.rule_files[0], expected);
    assert_string_equal(c.rule_files[1], "/abs/r.yml");
    snprintf(expected, sizeof expected, "%s/sale.yml", folder);
    assert_int_equal(c.n_events, 1);
    assert_string_equal(c.events[0], expected);
    collector_config_done(&c);
    c = load("storage: {retention: 0}\n"); /* for ever */
    assert_int_equal(c.retention_ms, 0);
    assert_true(c.retention_given);
    collector_config_done(&c);
}

static void selectors_with_a_retention_of_their_own_stand_in_the_files_order(void **state UNUSED)
{
    struct collector_config c = load("storage:\n  retention_selectors:\n    '{job=\"debug\",a!~\"it''s\"}': 2d\n"
                                     "    up: 0\n    '{__name__=~\"commerce:.*\"}': 5y\n");
    static const int64_t KEEP_MS[] = {2 * 86400000ll, 0, 5 * 365 * 86400000ll};
    struct buf text;
    assert_int_equal(c.n_retentions, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c.retentions[i].keep_ms, KEEP_MS[i]);
    assert_int_equal(c.retentions[0].n_matchers, 2);
    check_span(c.retentions[1].matchers[0].value, "up");
    buf_init(&text, 65536);
    check_ok(collector_config_print(&c, &text)); /* what is shown says the same */
    check_contains(text.data, "  retention_selectors:\n    '{job=\"debug\",a!~\"it''s\"}': 2d\n");
    struct collector_config again = load(text.data);
    assert_int_equal(again.n_retentions, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(again.retentions[i].keep_ms, KEEP_MS[i]);
    collector_config_done(&again);
    buf_done(&text);
    collector_config_done(&c);
}

static void rollups_have_a_retention_and_fine_ones_a_list_of_their_own(void **state UNUSED)
{
    struct collector_config c = load("storage: {retention: 30d}\n");
    assert_int_equal(collector_rollup_retention_ms(&c), 0); /* as long as their samples */
    assert_int_equal(c.n_fine_rollups, 1);
    check_span(c.fine_rollups[0].matchers[0].value, "commerce:.*");
    collector_config_done(&c);
    c = load("storage: {rollup_retention: 0, rollup_5m: []}\n");
    assert_true(collector_rollup_retention_ms(&c) < 0); /* for ever */
    assert_int_equal(c.n_fine_rollups, 0);
    collector_config_done(&c);
    c = load("storage:\n  rollup_retention: 400d\n  rollup_5m: [up, '{job=\"shop\"}']\n");
    struct buf text;
    buf_init(&text, 65536);
    check_ok(collector_config_print(&c, &text)); /* what is shown says the same */
    struct collector_config again = load(text.data);
    assert_int_equal(collector_rollup_retention_ms(&again), 400 * 86400000ll);
    assert_int_equal(again.n_fine_rollups, 2);
    check_span(again.fine_rollups[1].matchers[0].value, "shop");
    collector_config_done(&again);
    collector_config_done(&c);
    buf_done(&text);
}

static const struct bad_case {
    const char *text;
    uint32_t line, column;
    const char *words;
} BAD[] = {
    {"retention: 5d\n", 1, 1, "retention"},
    {"rule_file: []\n", 1, 1, "did you mean 'rule_files'?"},
    {"- a\n", 1, 1, "map"},
    {"storage:\n  pth: x\n", 2, 3, "did you mean 'path'?"},
    {"storage: 5\n", 1, 10, "map"},
    {"storage: {retention: long}\n", 1, 22, "'long' is not a duration such as 30d, or 0"},
    {"storage: {retention: -1d}\n", 1, 22, "-1d"},
    {"storage: {durability: maybe}\n", 1, 23, "full or normal"},
    {"storage: {limits: {series: 0}}\n", 1, 28, "series"},
    {"storage: {limits: {samples: 1}}\n", 1, 20, "samples"},
    {"storage: {limits: {labels_per_series: 129}}\n", 1, 39, "labels_per_series"},
    {"storage: {retention_selectors: {'{job=\"a\"}': soon}}\n", 1, 46, "soon is not a duration such as 2d, or 0"},
    {"storage:\n  retention_selectors:\n    '{job=\"a\"}': 2d\n    '{job=~\"(\"}': 2d\n", 4, 5,
     "not a series selector"},
    {"storage:\n  retention_selectors:\n    up{job: 2d\n", 3, 5, "'up{job' is not a series selector"},
    {"storage: {rollup_retention: soon}\n", 1, 29, "'soon' is not a duration"},
    {"storage: {rollup_5m: up}\n", 1, 22, "rollup_5m is a list of series selectors"},
    {"storage: {rollup_5m: ['up{']}\n", 1, 23, "is not a series selector"},
    {"storage:\n  retention_selectors:\n    '{}': 2d\n", 3, 5, "does not need any label"},
    {"storage:\n  retention_selectors: ['{job=\"a\"}']\n", 2, 24, "a map of series selectors to durations"},
    {"rule_files: rules.yml\n", 1, 13, "rule_files is a list of paths"},
    {"rule_files: [{a: b}]\n", 1, 14, "a rule file is a path"},
    {"events: sale.yml\n", 1, 9, "events is a list of paths"},
    {"events: [[a]]\n", 1, 10, "an event file is a path"},
    {"webhook_url: nowhere\n", 1, 14, "webhook_url"},
    {"webhook_url: ftp://h/\n", 1, 14, "webhook_url"},
    {"external_url: crest.example\n", 1, 15, "external_url"},
    {"slo_files: [a]\n", 1, 1, "not yet"},
    {"remote: {write_url: 'http://h'}\n", 1, 1, "not yet"},
    {"listen: [a]\n", 1, 9, "listen"},
    {"a: {b\n", 2, 1, ""},
};

static void errors_name_their_place_and_what_was_meant(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        const struct bad_case *b = &BAD[i];
        struct collector_config c;
        struct problems problems;
        const char *path = write_file("crest.yml", b->text);
        problems_init(&problems);
        collector_config_init(&c);
        int r = collector_config_load(&c, path, &problems);
        if (r != -EINVAL || problems_errors(&problems) != 1)
            check_failed("%s: %d, %zu problems", b->text, r, problems.n);
        const struct problem *p = &problems.list[0];
        if (p->line != b->line || p->column != b->column || !strstr(p->text, b->words))
            check_failed("%s: %u:%u: %s", b->text, p->line, p->column, p->text);
        assert_string_equal(p->file, path);
        collector_config_done(&c);
        problems_done(&problems);
    }
}

static void all_errors_are_told_at_once(void **state UNUSED)
{
    struct collector_config c;
    struct problems problems;
    problems_init(&problems);
    collector_config_init(&c);
    check_errno(collector_config_load(&c,
                                      write_file("crest.yml", "nonsense: 1\n"
                                                              "storage: {retention: x, durability: y, nonsense: z}\n"
                                                              "rule_files: 5\n"
                                                              "webhook_url: a\n"
                                                              "external_url: b\n"),
                                      &problems),
                -EINVAL);
    assert_int_equal(problems_errors(&problems), 7);
    collector_config_done(&c);
    problems_done(&problems);
}

static void a_file_that_cannot_be_read_is_named(void **state UNUSED)
{
    struct collector_config c;
    struct problems problems;
    char path[4096];
    snprintf(path, sizeof path, "%s/none.yml", folder);
    problems_init(&problems);
    collector_config_init(&c);
    check_errno(collector_config_load(&c, path, &problems), -ENOENT);
    assert_string_equal(problems.list[0].file, path);
    collector_config_done(&c);
    problems_done(&problems);
}

static void check_follows_every_reference(void **state UNUSED)
{
    struct problems problems;
    problems_init(&problems);
    write_file("good.yml", "groups: [{name: g, rules: [{record: a, expr: 'sum(b)'}]}]\n");
    write_file("web.yml", "{}\n");
    check_ok(collector_config_check(write_file("crest.yml", "rule_files: [good.yml]\nweb_config_file: web.yml\n"),
                                    &problems));
    assert_int_equal(problems.n, 0);
    write_file("bad.yml", "groups: [{name: g, rules: [{record: a, expr: 'sum('}]}]\n");
    write_file("web.yml", "nonsense: 1\n");
    check_errno(collector_config_check(
                    write_file("crest.yml", "rule_files: [good.yml, bad.yml]\nweb_config_file: web.yml\n"), &problems),
                -EINVAL);
    assert_int_equal(problems_errors(&problems), 2);
    check_contains(problems.list[0].file, "bad.yml");
    check_contains(problems.list[1].file, "web.yml");
    problems_done(&problems);
}

#define EVENT "window: {zone: UTC, starts: 2026-11-27T00:00, length: 1h}\nmarkets: {de: EUR}\n"

static void check_follows_event_files_and_what_they_name(void **state UNUSED)
{
    struct problems problems;
    problems_init(&problems);
    write_file("plan.csv", "minute,orders\n+0,3\n");
    write_file("sale.yml", "name: sale\nplan: plan.csv\n" EVENT);
    const char *config = write_file("crest.yml", "events: [sale.yml]\n");
    check_ok(collector_config_check(config, &problems));
    assert_int_equal(problems.n, 0);
    write_file("plan.csv", "minute,orders\n+0,many\n");
    write_file("twin.yml", "name: sale\nlast: none.csv\n" EVENT);
    config = write_file("crest.yml", "events: [sale.yml, twin.yml, nowhere.yml]\n");
    check_errno(collector_config_check(config, &problems), -EINVAL);
    assert_int_equal(problems_errors(&problems), 3);
    check_contains(problems.list[0].file, "plan.csv");
    assert_int_equal(problems.list[0].line, 2);
    assert_int_equal(problems.list[0].column, 4);
    check_contains(problems.list[1].file, "twin.yml");
    check_contains(problems.list[1].text, "none.csv");
    check_contains(problems.list[2].file, "nowhere.yml");
    problems_done(&problems);
    problems_init(&problems);
    write_file("plan.csv", "minute,orders\n+0,3\n");
    write_file("twin.yml", "name: sale\n" EVENT);
    config = write_file("crest.yml", "events: [sale.yml, twin.yml]\n");
    check_errno(collector_config_check(config, &problems), -EINVAL);
    check_contains(problems.list[0].text, "sale.yml describes the event 'sale', too");
    problems_done(&problems);
}

static void a_rule_file_is_known_by_its_groups(void **state UNUSED)
{
    assert_true(collector_is_rule_file(SPAN("groups: []\n")));
    assert_false(collector_is_rule_file(SPAN("rule_files: []\n")));
    assert_false(collector_is_rule_file(SPAN("")));
    assert_false(collector_is_rule_file(SPAN("groups: [\n"))); /* broken: the other check names the error */
}

static void the_example_of_init_is_right_and_says_the_defaults(void **state UNUSED)
{
    struct collector_config c = load(COLLECTOR_CONFIG_EXAMPLE);
    assert_string_equal(c.listen, "127.0.0.1:9480");
    assert_int_equal(c.retention_ms, 30ll * 24 * 3600 * 1000);
    assert_int_equal(c.durability, STORE_FULL);
    assert_int_equal(c.n_rule_files, 0);
    collector_config_done(&c);
    /* And what stands there as a comment is right, too: every "# key: …" line taken in. */
    char text[4096];
    size_t n = 0;
    for (const char *at = COLLECTOR_CONFIG_EXAMPLE; *at && n < sizeof text - 1;) {
        const char *end = strchr(at, '\n') + 1, *hash = strstr(at, "# ");
        bool commented = hash && hash < end && strspn(at, " ") == (size_t)(hash - at) &&
                         memchr(hash, ':', (size_t)(end - hash)) && strncmp(at, "# crest-collector", 17) != 0;
        for (const char *c2 = at; c2 < end && n < sizeof text - 1; c2++)
            if (!commented || c2 < hash || c2 >= hash + 2)
                text[n++] = *c2;
        at = end;
    }
    text[n] = 0;
    write_file("web.yml", "{}\n");
    c = load(text);
    assert_non_null(c.external_url);
    assert_non_null(c.web_config_file);
    assert_non_null(c.webhook_url);
    assert_int_equal(c.series_max, 10000000);
    collector_config_done(&c);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_file_gives_the_defaults),
        TEST(every_key_is_read_and_paths_are_beside_the_file),
        TEST(selectors_with_a_retention_of_their_own_stand_in_the_files_order),
        TEST(rollups_have_a_retention_and_fine_ones_a_list_of_their_own),
        TEST(errors_name_their_place_and_what_was_meant),
        TEST(all_errors_are_told_at_once),
        TEST(a_file_that_cannot_be_read_is_named),
        TEST(check_follows_every_reference),
        TEST(check_follows_event_files_and_what_they_name),
        TEST(a_rule_file_is_known_by_its_groups),
        TEST(the_example_of_init_is_right_and_says_the_defaults),
    };
    return cmocka_run_group_tests_name("collector config", tests, NULL, NULL);
}
