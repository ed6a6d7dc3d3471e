/* The commands around an event: what check tells, a stopped collector's folder, crest.yml's events, another event as the last
 * one, clocks that are put back, and what retention leaves alone. */
#include <math.h>
#include <signal.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/process.h"
#include "tests/support/query.h"
#include "tests/support/samples.h"

#define HOUR_MS 3600000ll
#define DAY_MS (24 * HOUR_MS)

/* What a command that fails says on stderr; from malloc. */
static char *refusal(const char *const *args, int expected_status)
{
    char program[4096], log_path[1024], *text = NULL;
    const char *bin = getenv("CREST_BIN"), *argv[32];
    int status = -1;
    size_t n = 0;
    snprintf(program, sizeof program, "%s/crest-collector", bin && *bin ? bin : "build/release");
    snprintf(log_path, sizeof log_path, "%s", e2e_path("refusal.log"));
    (void)unlink(log_path);
    argv[n++] = program;
    while (*args && n < ARRAY_LEN(argv) - 1)
        argv[n++] = *args++;
    argv[n] = NULL;
    check_ok(process_run(argv, &(struct process_options){.log_path = log_path}, 20000 * check_slowness(), 1 << 20, NULL,
                         &status));
    check_ok(file_read(log_path, 1 << 20, &text, NULL));
    if (status != expected_status)
        check_failed("status %d: %s", status, text);
    return text;
}

static char *kept_path(const char *name)
{
    char *copy = strdup(e2e_path(name));
    assert_non_null(copy);
    return copy;
}

static void check_tells_every_mistake_at_once_with_its_line_and_column(void **state UNUSED)
{
    static const char *const WANTED[] = {
        "bad.yml:4:24: ", "bad.yml:5:9: ",   "plan.csv:2:7: ",          "plan.csv:4:4: ",
        "plan.csv:5:1: ", "other.yml:1:1: ", "did you mean 'markets'?",
    };
    e2e_write("plan.csv", "minute,market,orders\n+0,de,many\n+1,de,4\n+2,fr,4\n+999,de,1\n");
    AUTO_FREE char *bad =
        strdup(e2e_write("bad.yml", "name: sale\n"
                                    "window: {zone: Europe/Berlin, starts: 2026-11-30T00:00, length: 1h}\n"
                                    "markets: {de: EUR}\n"
                                    "phases: [{name: p, at: soon}]\n"
                                    "growth: -1\n"
                                    "last: last-year\n"
                                    "plan: plan.csv\n"));
    AUTO_FREE char *other = strdup(e2e_write(
        "other.yml", "marketz: {de: EUR}\nname: o\nwindow: {zone: UTC, starts: 2026-11-30T00:00, length: 1h}\n"));
    AUTO_FREE char *good = strdup(e2e_write(
        "good.yml", "name: g\nmarkets: {de: EUR}\nwindow: {zone: UTC, starts: 2026-11-30T00:00, length: 1h}\n"));
    char *said = refusal(E2E_ARGS("event", "check", bad, good, other), 2);
    for (size_t i = 0; i < ARRAY_LEN(WANTED); i++)
        check_contains(said, WANTED[i]);
    free(said);
    said = refusal(E2E_ARGS("check", bad), 2); /* known by what it holds */
    check_contains(said, "plan.csv:2:7: ");
    free(said);
    said = e2e_run("crest-collector", E2E_ARGS("event", "check", good), 0);
    check_contains(said, "good.yml: ok: event g");
    free(said);
    said = refusal(E2E_ARGS("event", "check", e2e_path("nowhere.yml")), 2);
    check_contains(said, "nowhere.yml: cannot read it");
    free(said);
}

/* The rehearsal's clock, too: what a wall clock says twice, and what it never says. */
static void an_event_over_a_change_of_the_clock_has_its_real_length(void **state UNUSED)
{
    AUTO_FREE char *autumn = strdup(e2e_write("autumn.yml", "name: autumn\nmarkets: {de: EUR}\n"
                                                            "window: {zone: Europe/Berlin, starts: 2026-10-25T00:00, "
                                                            "ends: 2026-10-26T00:00}\n"));
    AUTO_FREE char *spring = strdup(e2e_write("spring.yml", "name: spring\nmarkets: {de: EUR}\n"
                                                            "window: {zone: Europe/Berlin, starts: 2026-03-29T02:30, "
                                                            "length: 1h}\n"));
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    free(e2e_run("crest-collector", E2E_ARGS("event", "import", autumn, "--url", e2e_url(c)), 0));
    json_t *one = get_json(c, "/api/crest/v1/events/autumn", 200), *data = json_object_get(one, "data");
    assert_int_equal(json_integer_value(json_object_get(data, "ends")) -
                         json_integer_value(json_object_get(data, "starts")),
                     25 * HOUR_MS);
    json_decref(one);
    char *said = e2e_run("crest-collector", E2E_ARGS("event", "list", "--url", e2e_url(c)), 0);
    check_contains(said, "2026-10-25 00:00");
    check_contains(said, "2026-10-26 00:00"); /* on the clock there, before and after */
    free(said);
    said = refusal(E2E_ARGS("event", "import", spring, "--url", e2e_url(c)), 2);
    check_contains(said, "spring.yml:3:39: '2026-03-29T02:30' is never on the clock there");
    free(said);
    e2e_stop(c);
}

static void commands_work_on_the_folder_of_a_stopped_collector(void **state UNUSED)
{
    AUTO_FREE char *dir = kept_path("data"), *html = kept_path("report.html");
    AUTO_FREE char *file =
        strdup(e2e_write("sale.yml", "name: sale\ntitle: The Sale\nmarkets: {de: EUR}\nplan: plan.csv\n"
                                     "window: {zone: UTC, starts: 2026-11-30T00:00, length: 1h}\n"));
    AUTO_FREE char *broken =
        strdup(e2e_write("broken.yml", "name: sale\nmarkets: {de: euro}\n"
                                       "window: {zone: UTC, starts: 2026-11-30T00:00, length: 1h}\n"));
    e2e_write("plan.csv", "minute,orders\n+0,30\n");
    char *said = refusal(E2E_ARGS("event", "import", file, "--data", dir), 1); /* a typing error makes no store */
    check_contains(said, "is no data folder");
    free(said);
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", dir));
    said = refusal(E2E_ARGS("event", "import", file, "--data", dir), 1);
    check_contains(said, "ask it with --url");
    free(said);
    e2e_stop(c);
    free(e2e_run("crest-collector", E2E_ARGS("event", "import", file, "--data", dir), 0));
    free(refusal(E2E_ARGS("event", "import", broken, "--data", dir), 2));
    free(e2e_run("crest-collector",
                 E2E_ARGS("mark", "deploy", "shop", "v42", "--at", "2026-11-30T00:01:00Z", "--data", dir), 0));
    free(refusal(E2E_ARGS("mark", "Not a kind", "-", "x", "--data", dir), 2));
    said = e2e_run("crest-collector", E2E_ARGS("event", "list", "--data", dir), 0);
    check_contains(said, "The Sale");
    free(said);
    c = e2e_start("crest-collector", E2E_ARGS("--data", dir)); /* it finds what the commands left */
    json_t *one = get_json(c, "/api/crest/v1/events/sale", 200);
    json_decref(one);
    json_t *notes = get_json(c, "/api/crest/v1/annotations", 200);
    assert_int_equal(json_array_size(json_object_get(notes, "data")), 1);
    json_decref(notes);
    e2e_stop(c);
    free(e2e_run("crest-collector", E2E_ARGS("event", "remove", "sale", "--data", dir), 0));
    said = refusal(E2E_ARGS("event", "remove", "sale", "--data", dir), 1);
    check_contains(said, "there is none of that name");
    free(said);
    said = refusal(E2E_ARGS("report", "sale", "-o", html, "--data", dir), 1);
    check_contains(said, "no event is called 'sale'");
    free(said);
    said = e2e_run("crest-collector", E2E_ARGS("event", "list", "--data", dir), 0);
    assert_string_equal(said, "");
    free(said);
}

/* ---- crest.yml ---- */

struct reloaded {
    struct e2e_program *c;
    double successful;
    const char *title; /* of the event afterwards */
};
static bool reloaded(void *ctx)
{
    const struct reloaded *w = ctx;
    char *page = e2e_get(w->c, "/metrics", 200);
    bool yes = page_value(page, "crest_config_last_reload_successful") == w->successful;
    free(page);
    json_t *one = get_json(w->c, "/api/crest/v1/events/sale", 200);
    yes = yes && strcmp(json_string_value(json_object_get(json_object_get(one, "data"), "title")), w->title) == 0;
    json_decref(one);
    return yes;
}

static void write_titled(const char *title)
{
    char text[300];
    snprintf(text, sizeof text,
             "name: sale\ntitle: %s\nmarkets: {de: EUR}\nwindow: {zone: UTC, starts: 2026-11-30T00:00, length: 1h}\n",
             title);
    e2e_write("sale.yml", text);
}

static void a_bad_event_file_of_crest_yml_keeps_the_old_event(void **state UNUSED)
{
    AUTO_FREE char *config = strdup(e2e_write("crest.yml", "events: [sale.yml]\n"));
    write_titled("One");
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--config", config, "--data", e2e_path("data")));
    e2e_wait(5000, reloaded, &((struct reloaded){c, 1, "One"}));
    write_titled("Two");
    e2e_signal(c, SIGHUP);
    e2e_wait(5000, reloaded, &((struct reloaded){c, 1, "Two"}));
    write_titled("Three\nnonsense: 1");
    free(e2e_send(c, "POST", "/-/reload", NULL, "", 0));
    e2e_wait(5000, reloaded, &((struct reloaded){c, 0, "Two"}));
    char *log = e2e_log(c);
    check_contains(log, "sale.yml:3:1: unknown key 'nonsense'");
    free(log);
    write_titled("Four");
    e2e_signal(c, SIGHUP);
    e2e_wait(5000, reloaded, &((struct reloaded){c, 1, "Four"}));
    e2e_stop(c);
    write_titled("Five\nnonsense: 1");
    char *said = refusal(E2E_ARGS("--config", config, "--data", e2e_path("data"), "--listen", "127.0.0.1:0"), 2);
    check_contains(said, "sale.yml:3:1: ");
    free(said);
    said = refusal(E2E_ARGS("check", config), 2);
    check_contains(said, "sale.yml:3:1: ");
    free(said);
}

/* ---- another event as the last one ---- */

struct stream_row {
    struct e2e_program *c;
    json_t *row;
};
static bool last_is_known(void *ctx)
{
    struct stream_row *w = ctx;
    json_t *all = get_json(w->c, "/api/crest/v1/state", 200);
    json_t *row = json_object_get(json_object_get(json_object_get(all, "sections"), "event"), "now");
    json_t *total = json_object_get(json_object_get(json_object_get(row, "markets"), "de"), "total");
    bool yes = json_object_get(json_object_get(total, "orders"), "last") != NULL;
    if (yes) {
        json_decref(w->row);
        w->row = json_incref(row);
    }
    json_decref(all);
    return yes;
}

static void write_event_at(const char *file, const char *name, int64_t starts_ms, const char *more)
{
    char text[600], starts[NUMBER_TEXT_MAX];
    format_rfc3339_ms(starts, starts_ms);
    snprintf(text, sizeof text,
             "name: %s\nwindow: {zone: UTC, starts: \"%s\", length: 10m}\nmarkets: {de: EUR, jp: JPY}\n%s", name,
             starts, more);
    e2e_write(file, text);
}

/* Six orders and 120 EUR a minute for ten minutes then. */
static void the_last_event_can_be_another_one_that_is_stored(void **state UNUSED)
{
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    int64_t now_ms = unix_ms(), then_ms = now_ms - 2 * DAY_MS, starts_ms = now_ms - 150000;
    struct sample_batch *b = sample_batch_new();
    for (int64_t s = -10; s <= 600; s += 10) {
        sample_batch_add(b, "up|instance=a:1|job=shop", then_ms + s * 1000, 1);
        sample_batch_add(b, "commerce_orders_total|currency=EUR|instance=a:1|job=shop|market=de", then_ms + s * 1000,
                         (double)(s + 10) / 10);
        sample_batch_add(b, "commerce_revenue_minor_units_total|currency=EUR|instance=a:1|job=shop|market=de",
                         then_ms + s * 1000, (double)(s + 10) * 200);
    }
    sample_batch_send(b, c);
    write_event_at("then.yml", "then", then_ms, "");
    write_event_at("now.yml", "now", starts_ms, "last: then\ngrowth: 1.5\n");
    AUTO_FREE char *now = kept_path("now.yml"), *then = kept_path("then.yml");
    free(e2e_run("crest-collector", E2E_ARGS("event", "import", now, "--url", e2e_url(c)), 0));
    free(e2e_run("crest-collector", E2E_ARGS("event", "import", then, "--url", e2e_url(c)), 0)); /* comes later: fine */
    struct stream_row w = {c, NULL};
    e2e_wait(5000, last_is_known, &w);
    json_t *de = json_object_get(json_object_get(w.row, "markets"), "de");
    json_t *orders = json_object_get(de, "orders"), *revenue = json_object_get(de, "revenue");
    check_double_ulps(json_number_value(json_object_get(orders, "last")), 6, 8);
    check_double_ulps(json_number_value(json_object_get(orders, "plan")), 9, 8);
    check_double_ulps(json_number_value(json_object_get(revenue, "last")), 120, 8);
    check_double_ulps(json_number_value(json_object_get(revenue, "plan")), 180, 8);
    assert_null(
        json_object_get(json_object_get(json_object_get(json_object_get(w.row, "markets"), "jp"), "orders"), "last"));
    json_decref(w.row);
    json_t *one = get_json(c, "/api/crest/v1/events/now", 200);
    json_t *market = json_object_get(json_object_get(json_object_get(one, "data"), "markets"), "de");
    json_t *last = json_object_get(json_object_get(market, "last"), "orders");
    assert_int_equal(json_array_size(last), 10);
    check_double_ulps(json_number_value(json_array_get(last, 9)), 6, 8);
    check_double_ulps(json_number_value(json_array_get(json_object_get(json_object_get(market, "plan"), "orders"), 0)),
                      9, 8);
    json_decref(one);
    e2e_stop(c);
}

/* ---- retention ---- */

static double retired(const struct e2e_program *c)
{
    char *page = e2e_get(c, "/metrics", 200);
    double n = page_value(page, "crest_store_retired_extents_total");
    free(page);
    return n;
}
static bool something_is_retired(void *ctx)
{
    return retired(ctx) > 0;
}

#define WINDOW_START_MS 1700000000000ll
static size_t found(const struct e2e_program *c, const char *name)
{
    json_t *result = query_at(c, name, WINDOW_START_MS + 60000);
    size_t n = json_array_size(result);
    json_decref(result);
    return n;
}
static bool orders_are_gone(void *ctx)
{
    return found(ctx, "commerce_orders_total") == 0;
}

static void an_imported_event_keeps_its_window_until_it_is_removed(void **state UNUSED)
{
    AUTO_FREE char *dir = kept_path("data"), *file = kept_path("old.yml");
    write_event_at("old.yml", "old", WINDOW_START_MS, "");
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", dir, "--retention", "0"));
    free(e2e_run("crest-collector", E2E_ARGS("event", "import", file, "--url", e2e_url(c)), 0));
    struct sample_batch *b = sample_batch_new();
    for (int64_t s = 0; s < 120; s += 10)
        sample_batch_add(b, "commerce_orders_total|currency=EUR|market=de", WINDOW_START_MS + s * 1000, (double)s);
    sample_batch_send(b, c);
    b = sample_batch_new();
    for (int i = 0; i < 300; i++) { /* enough for extents of their own */
        char text[64];
        snprintf(text, sizeof text, "other|i=%d", i);
        sample_batch_add(b, text, WINDOW_START_MS + 30000, i);
    }
    sample_batch_send(b, c);
    e2e_stop(c); /* seals */
    c = e2e_start("crest-collector", E2E_ARGS("--data", dir, "--retention", "1d"));
    e2e_wait(15000, something_is_retired, c);
    assert_int_equal(found(c, "commerce_orders_total"), 1);
    assert_int_equal(found(c, "other{i=\"299\"}"), 0);
    e2e_stop(c);
    c = e2e_start("crest-collector", E2E_ARGS("--data", dir, "--retention", "1d")); /* a restart keeps the pin */
    assert_int_equal(found(c, "commerce_orders_total"), 1);
    free(e2e_run("crest-collector", E2E_ARGS("event", "remove", "old", "--url", e2e_url(c)), 0));
    e2e_wait(15000, orders_are_gone, c);
    e2e_stop(c);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, e2e_teardown)
    const struct CMUnitTest tests[] = {
        TEST(check_tells_every_mistake_at_once_with_its_line_and_column),
        TEST(an_event_over_a_change_of_the_clock_has_its_real_length),
        TEST(commands_work_on_the_folder_of_a_stopped_collector),
        TEST(a_bad_event_file_of_crest_yml_keeps_the_old_event),
        TEST(the_last_event_can_be_another_one_that_is_stored),
        TEST(an_imported_event_keeps_its_window_until_it_is_removed),
    };
    return cmocka_run_group_tests_name("event commands", tests, NULL, NULL);
}
