/* event.yml, plan.csv and last.csv: what they say when they are right, and where they are wrong: line and column of every
 * complaint. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>

#include "collector/event/event.h"
#include "lib/base/file.h"
#include "lib/base/number.h"

#define YML                                                                                                            \
    "name: sale\n"                                                                                                     \
    "title: The Sale\n"                                                                                                \
    "window: {zone: Europe/Berlin, starts: 2026-11-27T20:00, ends: 2026-11-28T02:00}\n"                                \
    "phases:\n"                                                                                                        \
    "  - {name: warm-up, at: -30}\n"                                                                                   \
    "  - {name: doors open, at: +0}\n"                                                                                 \
    "  - {name: night, at: 2026-11-28T00:00}\n"                                                                        \
    "markets: {de: EUR, jp: JPY}\n"                                                                                    \
    "plan: plan.csv\n"                                                                                                 \
    "last: last.csv\n"                                                                                                 \
    "last_starts: 2025-11-28T20:00\n"                                                                                  \
    "money_per_order: {jp: 9000}\n"
#define PLAN                                                                                                           \
    "minute,market,channel,sessions,orders,revenue\n"                                                                  \
    "+0,de,web,1000,30,2400.50\n"                                                                                      \
    "+0,de,app,500,10,800\n"                                                                                           \
    "+0,jp,web,100,2,\n"                                                                                               \
    "2026-11-27T20:01,de,web,,40,3200\n"                                                                               \
    "-30,de,web,10,1,80\n"
#define LAST                                                                                                           \
    "orders,minute,market\n"                                                                                           \
    "20,2025-11-28T20:00,de\n"                                                                                         \
    "22,2025-11-28T20:01,de\n"

static int read_event(const char *yml, const char *plan, const char *last, struct event **ret,
                      struct problems *problems)
{
    char plan_file[] = "plan.csv", last_file[] = "last.csv", file[] = "event.yml";
    struct event_source source = {.file = file,
                                  .text = (char *)(uintptr_t)yml,
                                  .plan_file = plan_file,
                                  .plan_text = (char *)(uintptr_t)plan,
                                  .last_file = last_file,
                                  .last_text = (char *)(uintptr_t)last};
    problems_init(problems);
    return event_read(&source, ret, problems);
}

static void an_event_says_when_where_and_how_much(void **state)
{
    (void)state;
    struct event *e = NULL;
    struct problems problems;
    int64_t starts_ms;
    int r = read_event(YML, PLAN, LAST, &e, &problems);
    if (r < 0)
        check_failed("%u:%u: %s", problems.list[0].line, problems.list[0].column, problems.list[0].text);
    check_ok(parse_rfc3339_ms(SPAN("2026-11-27T19:00:00Z"), &starts_ms));
    assert_true(e->starts_ms == starts_ms);
    assert_int_equal(event_minutes(e), 360);
    assert_int_equal(e->n_markets, 2);
    assert_string_equal(event_phase_at(e, starts_ms - 31 * MINUTE_MS), "before doors open");
    assert_string_equal(event_phase_at(e, starts_ms - 1), "warm-up");
    assert_string_equal(event_phase_at(e, starts_ms), "doors open");
    assert_string_equal(event_phase_at(e, starts_ms + 240 * MINUTE_MS), "night");
    assert_string_equal(event_phase_at(e, starts_ms + 360 * MINUTE_MS), "over");
    const struct curve *de = event_plan(e, 0), *jp = event_plan(e, 1), *last = event_last(e, 0);
    check_double_bits(curve_at(de, CURVE_ORDERS, 0), 40);
    check_double_bits(curve_at(de, CURVE_REVENUE, 0), 3200.5);
    check_double_bits(curve_at(de, CURVE_SESSIONS, 0), 1500);
    assert_true(isnan(curve_at(de, CURVE_SESSIONS, 1))); /* empty is unknown, not 0 */
    check_double_bits(curve_at(de, CURVE_ORDERS, -30), 1);
    assert_true(isnan(curve_at(de, CURVE_ORDERS, 2)));
    check_double_bits(curve_at(jp, CURVE_REVENUE, 0), 18000); /* two orders by money_per_order */
    check_double_bits(curve_at(last, CURVE_ORDERS, 1), 22);   /* last year's clock, moved by last_starts */
    check_double_bits(curve_sum(de, CURVE_ORDERS, 0, 2 * MINUTE_MS), 80);
    check_double_bits(curve_sum(de, CURVE_ORDERS, 30000, 90000), 40);
    check_double_bits(curve_sum(de, CURVE_ORDERS, -60 * MINUTE_MS, 0), 1);
    assert_true(isnan(curve_sum(de, CURVE_ORDERS, 5 * MINUTE_MS, 6 * MINUTE_MS)));
    event_free(e);
    problems_done(&problems);
}

static void growth_stands_for_a_plan_that_is_not_there(void **state)
{
    (void)state;
    struct event *e = NULL;
    struct problems problems;
    check_ok(read_event("name: s\nwindow: {zone: UTC, starts: 2026-01-01T00:00, length: 1h}\nmarkets: {de: EUR}\n"
                        "last: last.csv\ngrowth: 1.5\n",
                        NULL, "minute,orders\n+0,20\n", &e, &problems));
    check_double_bits(curve_at(event_plan(e, 0), CURVE_ORDERS, 0), 30);
    check_double_bits(curve_at(event_last(e, 0), CURVE_ORDERS, 0), 20);
    event_free(e);
    problems_done(&problems);
}

static void a_rehearsal_moves_the_whole_window(void **state)
{
    (void)state;
    struct event *e = NULL;
    struct problems problems;
    int64_t t;
    char file[] = "e",
         text[] = "name: s\nwindow: {zone: UTC, starts: 2026-01-01T00:00, ends: 2026-01-01T03:00}\n"
                  "markets: {de: EUR}\n",
         starts[] = "2026-02-01T10:00:05Z";
    struct event_source source = {.file = file, .text = text, .starts = starts};
    problems_init(&problems);
    check_ok(event_read(&source, &e, &problems));
    check_ok(parse_rfc3339_ms(SPAN("2026-02-01T10:00:05Z"), &t));
    assert_true(e->starts_ms == t && e->ends_ms == t + 180 * MINUTE_MS);
    event_free(e);
    problems_done(&problems);
}

static void every_mistake_has_its_line_and_column(void **state)
{
    (void)state;
#define HEAD "name: s\nwindow: {zone: UTC, starts: 2026-01-01T00:00, length: 1h}\nmarkets: {de: EUR, jp: JPY}\n"
#define COLUMNS "minute,market,channel,sessions,orders,revenue\n"
    static const struct {
        const char *yml, *plan, *place, *words;
    } CASES[] = {
        {"name: s\nwindow: {zone: Europe/Atlantis, starts: 2026-01-01T00:00, length: 1h}\nmarkets: {de: EUR}\n", NULL,
         "event.yml:2:16", "time zone"},
        {"name: s\nwindow: {zone: UTC, starts: 2026-01-01 00:00, length: 1h}\nmarkets: {de: EUR}\n", NULL,
         "event.yml:2:29", "no time"},
        {"name: s\nwindow: {zone: UTC, starts: 2026-01-01T00:00}\nmarkets: {de: EUR}\n", NULL, "event.yml:2:9",
         "ends or length"},
        {"name: s\nwindow: {zone: UTC, starts: 2026-01-01T00:00, ends: 2025-01-01T00:00}\nmarkets: {de: EUR}\n", NULL,
         "event.yml:2:53", "ends before"},
        {"name: s\nwindow: {zone: Europe/Berlin, starts: 2026-03-29T02:30, length: 1h}\nmarkets: {de: EUR}\n", NULL,
         "event.yml:2:39", "never on the clock"},
        {"name: s\nwindow: {zone: UTC, starts: 2026-01-01T00:00, length: 40d}\nmarkets: {de: EUR}\n", NULL,
         "event.yml:2:9", "31 days"},
        {"name: s\nwindow: {zone: UTC, starts: 2026-01-01T00:00, length: 1h}\nmarkets: {de: euro}\n", NULL,
         "event.yml:3:15", "three capital letters"},
        {"name: a/b\nwindow: {zone: UTC, starts: 2026-01-01T00:00, length: 1h}\nmarkets: {de: EUR}\n", NULL,
         "event.yml:1:7", "letters, digits"},
        {HEAD "plann: plan.csv\n", NULL, "event.yml:4:1", "did you mean 'plan'"},
        {HEAD "growth: 1.3\n", NULL, "event.yml:4:9", "growth needs last"},
        {HEAD "last: s\n", NULL, "event.yml:4:7", "another event"},
        {HEAD "money_per_order: {us: 80}\n", NULL, "event.yml:4:23", "not one of the markets"},
        {HEAD "phases:\n  - {name: b, at: +10}\n  - {name: a, at: +5}\n", NULL, "event.yml:6:5", "order of time"},
        {HEAD "phases:\n  - {name: b, at: +60}\n", NULL, "event.yml:5:5", "after the window's end"},
        {HEAD "plan: plan.csv\n", NULL, "event.yml:4:7", "did not come along"},
        {HEAD "plan: plan.csv\n", "", "plan.csv:1:1", "empty"},
        {HEAD "plan: plan.csv\n", COLUMNS, "plan.csv:1:1", "no rows"},
        {HEAD "plan: plan.csv\n", "minute,market,orderz\n", "plan.csv:1:15", "did you mean 'orders'"},
        {HEAD "plan: plan.csv\n", "minute,orders\n+0,1\n", "plan.csv:1:1", "'market' is missing"},
        {HEAD "plan: plan.csv\n", "minute,market,orders,orders\n", "plan.csv:1:22", "twice"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,de,web,1,2\n", "plan.csv:2:1", "5 fields"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,de,web,1,2,3,4\n", "plan.csv:2:17", "7 fields"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,dee,web,1,2,3\n", "plan.csv:2:4", "did you mean 'de'"},
        {HEAD "plan: plan.csv\n", COLUMNS "+60,de,web,1,2,3\n", "plan.csv:2:1", "outside of the window"},
        {HEAD "plan: plan.csv\n", COLUMNS "2027-01-01T00:00,de,web,1,2,3\n", "plan.csv:2:1", "outside of the window"},
        {HEAD "plan: plan.csv\n", COLUMNS "+-5,de,web,1,2,3\n", "plan.csv:2:1", "no minute"},
        {HEAD "plan: plan.csv\n", COLUMNS "noon,de,web,1,2,3\n", "plan.csv:2:1", "no +N"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,de,web,1,many,3\n", "plan.csv:2:13", "no number of orders"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,de,web,1,-2,3\n", "plan.csv:2:13", "no number of orders"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,de,web,nan,2,3\n", "plan.csv:2:11", "no number of sessions"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,de,web,1,2,3.999\n", "plan.csv:2:16", "EUR has 2 decimals"},
        {HEAD "plan: plan.csv\n", COLUMNS "\n# a comment\n+0,jp,web,1,2,3.5\n", "plan.csv:4:16", "JPY has 0 decimals"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,de,web,1,2,3\r\n+0,de,web,1,2,3\r\n", "plan.csv:3:1", "line 2 has this"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,de,\"web,1,2,3\n", "plan.csv:2:7", "quote is not closed"},
        {HEAD "plan: plan.csv\n", COLUMNS "+0,de,\"web\"x,1,2,3\n", "plan.csv:2:12", "comma must follow"},
        {"name: [\n", NULL, "event.yml:", ""},
        {"", NULL, "event.yml:", "name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct event *e = NULL;
        struct problems problems;
        char place[300];
        check_errno(read_event(CASES[i].yml, CASES[i].plan, NULL, &e, &problems), -EINVAL);
        assert_true(problems.n > 0);
        const struct problem *p = &problems.list[0];
        snprintf(place, sizeof place, "%s:%u:%u", p->file, p->line, p->column);
        bool whole = CASES[i].place[strlen(CASES[i].place) - 1] != ':';
        if ((whole ? strcmp(place, CASES[i].place) != 0
                   : strncmp(place, CASES[i].place, strlen(CASES[i].place)) != 0) ||
            !strstr(p->text, CASES[i].words))
            check_failed("case %zu: %s: %s\ninstead of %s: %s", i, place, p->text, CASES[i].place, CASES[i].words);
        problems_done(&problems);
    }
}

static void all_mistakes_of_a_plan_are_told_at_once(void **state)
{
    (void)state;
    struct event *e = NULL;
    struct problems problems;
    check_errno(read_event(HEAD "plan: plan.csv\n", COLUMNS "+0,us,web,1,2,3\n+1,de,web,1,x,3\n+2,de,web,1,2,y\n", NULL,
                           &e, &problems),
                -EINVAL);
    assert_int_equal(problems.n, 3);
    problems_done(&problems);
}

static void nine_mistakes_of_all_kinds_are_told_at_once(void **state)
{
    (void)state;
    struct event *e = NULL;
    struct problems problems;
    static const struct {
        const char *file;
        uint32_t line, column;
    } WANTED[] = {{"event.yml", 1, 7},  {"event.yml", 2, 1},  {"event.yml", 3, 16},
                  {"event.yml", 3, 41}, {"event.yml", 3, 55}, {"event.yml", 4, 15},
                  {"event.yml", 5, 9},  {"plan.csv", 1, 15},  {"plan.csv", 2, 4}};
    check_errno(read_event("name: a/b\ntitel: x\nwindow: {zone: Europe/Atlantis, starts: noon, length: soon}\n"
                           "markets: {de: euro}\ngrowth: -1\nlast: last.csv\nplan: plan.csv\n",
                           "minute,market,orderz,orders\n+0,us,1,1\n", "minute,orders\n+0,1\n", &e, &problems),
                -EINVAL);
    for (size_t i = 0; i < ARRAY_LEN(WANTED); i++) {
        bool told = false;
        for (size_t k = 0; k < problems.n; k++)
            told = told || (strcmp(problems.list[k].file, WANTED[i].file) == 0 &&
                            problems.list[k].line == WANTED[i].line && (problems.list[k].column == WANTED[i].column));
        if (!told)
            for (size_t k = 0; k < problems.n; k++)
                print_message("%s:%u:%u: %s\n", problems.list[k].file, problems.list[k].line, problems.list[k].column,
                              problems.list[k].text);
        if (!told)
            check_failed("%s:%u:%u is not told", WANTED[i].file, WANTED[i].line, WANTED[i].column);
    }
    assert_int_equal(problems.n, ARRAY_LEN(WANTED)); /* and nothing that only follows from them */
    problems_done(&problems);
}

static void a_quoted_field_and_a_byte_order_mark_are_read(void **state)
{
    (void)state;
    struct event *e = NULL;
    struct problems problems;
    check_ok(read_event(HEAD "plan: plan.csv\n", "\xef\xbb\xbf" COLUMNS "\"+0\",de,\"a \"\"b\"\", c\", 1 ,2,3\r\n\r\n",
                        NULL, &e, &problems));
    assert_int_equal(e->n_channels, 2);
    assert_string_equal(e->channels[1], "a \"b\", c");
    check_double_bits(curve_at(event_plan(e, 0), CURVE_SESSIONS, 0), 1);
    event_free(e);
    problems_done(&problems);
}

static void a_cut_or_changed_file_never_breaks_the_reader(void **state)
{
    (void)state;
    struct check_random random = check_random_new("event-file");
    for (int i = 0; i < 3000 / (int)check_slowness(); i++) {
        char yml[sizeof YML], plan[sizeof PLAN];
        memcpy(yml, YML, sizeof yml);
        memcpy(plan, PLAN, sizeof plan);
        char *texts[] = {yml, plan};
        for (int k = 0; k < 3; k++) {
            char *text = texts[check_random_below(&random, 2)];
            size_t n = strlen(text);
            if (n == 0)
                continue;
            char c = (char)(1 + check_random_below(&random, 126));
            text[check_random_below(&random, n)] = check_random_below(&random, 20) == 0 ? '\0' : c;
        }
        struct event *e = NULL;
        struct problems problems;
        int r = read_event(yml, plan, LAST, &e, &problems);
        assert_true(r == 0 || problems.errors > 0);
        if (r == 0)
            event_free(e);
        problems_done(&problems);
    }
}

static void a_file_that_is_not_text_is_refused_where_it_goes_wrong(void **state)
{
    (void)state;
    char *dir = NULL;
    check_ok(dir_make_temp("event-", &dir));
    char yml[300], plan[300];
    snprintf(yml, sizeof yml, "%s/event.yml", dir);
    snprintf(plan, sizeof plan, "%s/plan.csv", dir);
    check_ok(file_write(yml, HEAD "plan: plan.csv\n", strlen(HEAD "plan: plan.csv\n")));
    struct event_source source = {0};
    struct problems problems;
    problems_init(&problems);
    check_errno(event_source_load(yml, NULL, NULL, &source, &problems), -ENOENT);
    assert_int_equal(problems.list[0].line, 4);
    problems_done(&problems);
    check_ok(file_write(yml, HEAD "plan: plan.csv\ngrowth: -1\n", strlen(HEAD "plan: plan.csv\ngrowth: -1\n")));
    problems_init(&problems); /* a file that cannot be read does not hide the rest */
    check_errno(event_source_load(yml, NULL, NULL, &source, &problems), -ENOENT);
    assert_int_equal(problems.n, 3);
    assert_int_equal(problems.list[1].line, 5);
    problems_done(&problems);
    check_ok(file_write(yml, HEAD "plan: plan.csv\n", strlen(HEAD "plan: plan.csv\n")));
    check_ok(file_write(plan, COLUMNS "+0,de,caf\xe9,1,2,3\n", strlen(COLUMNS) + 17));
    problems_init(&problems);
    check_errno(event_source_load(yml, NULL, NULL, &source, &problems), -EINVAL);
    assert_int_equal(problems.list[0].line, 2);
    assert_int_equal(problems.list[0].column, 10);
    problems_done(&problems);
    check_ok(dir_remove(dir));
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_says_when_where_and_how_much),
        cmocka_unit_test(growth_stands_for_a_plan_that_is_not_there),
        cmocka_unit_test(a_rehearsal_moves_the_whole_window),
        cmocka_unit_test(every_mistake_has_its_line_and_column),
        cmocka_unit_test(all_mistakes_of_a_plan_are_told_at_once),
        cmocka_unit_test(nine_mistakes_of_all_kinds_are_told_at_once),
        cmocka_unit_test(a_quoted_field_and_a_byte_order_mark_are_read),
        cmocka_unit_test(a_cut_or_changed_file_never_breaks_the_reader),
        cmocka_unit_test(a_file_that_is_not_text_is_refused_where_it_goes_wrong),
    };
    return cmocka_run_group_tests_name("event-file", tests, NULL, NULL);
}
