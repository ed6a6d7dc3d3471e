/* run --event against a collector and the shop: the load is the event's, from its plan, its last event or what was measured. */
#include "tests/support/e2e.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "tests/support/samples.h"

static const char LOOK[] = "# @step home\nGET {{host}}/api/home\nHTTP 200\n"
                           "# @step search\nGET {{host}}/api/search?q=lamp\nHTTP 200\n";
static const char BUY[] =
    "# @step home\nGET {{host}}/api/home\nHTTP 200\n"
    "# @step cart\nPOST {{host}}/api/cart\n{\"sku\": \"SKU-0001\", \"quantity\": 1}\nHTTP 200\n"
    "POST {{host}}/api/checkout/address\n{\"name\": \"A\", \"street\": \"B\", \"city\": \"C\", "
    "\"postcode\": \"1\"}\nHTTP 200\n"
    "POST {{host}}/api/checkout/shipping\n{\"method\": \"standard\"}\nHTTP 200\n"
    "# @step pay\n# @money\nPOST {{host}}/api/checkout/payment\n{\"card\": \"4242424242424242\"}\n"
    "HTTP 200\n";

static struct e2e_program *gateway, *shop, *collector;
static char look[512], buy[512], host[128];

static void write_text(char *to, size_t bytes, const char *name, const char *text)
{
    snprintf(to, bytes, "%s", e2e_write(name, text));
}

/* One stage for all tests: each has events of its own. */
static int open_stage(void **state)
{
    (void)state;
    gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--latency", "2ms", "--jitter", "0s", "--decline", "0"));
    shop = e2e_start("crest-shop", E2E_ARGS("--gateway", e2e_url(gateway)));
    collector = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    write_text(look, sizeof look, "look.hurl", LOOK);
    write_text(buy, sizeof buy, "buy.hurl", BUY);
    snprintf(host, sizeof host, "host=%s", e2e_url(shop));
    return 0;
}

static int close_stage(void **state)
{
    e2e_stop(collector);
    e2e_stop(shop);
    e2e_stop(gateway);
    return e2e_teardown(state);
}

/* starts_s: seconds from now. more: further lines of its file. */
static void import_event(const char *name, int64_t starts_s, const char *more)
{
    char text[600], starts[NUMBER_TEXT_MAX];
    format_rfc3339_ms(starts, (unix_ms() / 60000 * 60 + starts_s) * 1000);
    snprintf(text, sizeof text, "name: %s\nwindow: {zone: UTC, starts: \"%s\", length: 10m}\nmarkets: {de: EUR}\n%s",
             name, starts, more);
    free(e2e_run("crest-collector",
                 E2E_ARGS("event", "import", e2e_write("event.yml", text), "--url", e2e_url(collector)), 0));
}

#define RUN(...) E2E_ARGS("run", __VA_ARGS__, "--variable", host, "--quiet", "--max-lag", "10s", "--grace", "60s")

/* The run's JSON. */
static json_t *rehearse(const char *const *args)
{
    char *text = e2e_run("crest-loadgen", args, 0);
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);
    if (!root)
        check_failed("%s: %s", error.text, text);
    free(text);
    return root;
}

static double number(json_t *root, const char *a, const char *b, const char *c)
{
    json_t *v = json_object_get(json_object_get(root, a), b);
    return json_number_value(c ? json_object_get(json_object_get(v, "orders"), c) : v);
}

static void check_text(json_t *root, const char *key, const char *expected)
{
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "rehearsal"), key)), expected);
}

static double weight(json_t *root, size_t journey)
{
    return json_number_value(json_object_get(json_array_get(json_object_get(root, "journeys"), journey), "weight"));
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-6 * fmax(1, fabs(b));
}

/* ---- its plan ---- */

static void a_plan_at_150_percent_is_what_runs(void **state)
{
    (void)state;
    e2e_write("plan.csv", "minute,sessions,orders\n+0,300,15\n+1,600,60\n+2,400,40\n");
    import_event("bf", 86400, "title: Black Friday\nplan: plan.csv\n");
    AUTO_FREE char *page = strdup(e2e_path("run.html"));
    json_t *run = rehearse(RUN(look, buy, "--event", "bf", "--at", "150%", "--duration", "1s", "--collector",
                               e2e_url(collector), "--json", "-", "--html", page));
    assert_int_equal(number(run, "sessions", "planned", NULL), 15); /* 600 a minute and a half, for a second */
    assert_int_equal(number(run, "sessions", "completed", NULL), 15);
    check_text(run, "event", "bf");
    check_text(run, "from", "plan");
    check_text(run, "mix_from", "sessions");
    check_text(run, "shape", "hold");
    assert_true(near(number(run, "rehearsal", "rate", NULL), 15));
    assert_true(near(number(run, "rehearsal", "orders_per_minute", NULL), 90));
    assert_true(near(number(run, "rehearsal", "peaks", "per_minute"), 60));
    assert_true(near(number(run, "rehearsal", "peaks", "minute"), 1));
    assert_true(near(weight(run, 0), 0.9) && near(weight(run, 1), 0.1));
    json_decref(run);
    AUTO_FREE char *html = NULL;
    size_t n;
    check_ok(file_read(page, 1 << 24, &html, &n));
    check_contains(html, "Black Friday (bf) at 150");
    check_contains(html, "of its plan");

    /* the curve: two minutes up to the peak, six hundred times faster, in words */
    char *words = e2e_run("crest-loadgen",
                          RUN(buy, "--event", "bf", "--at", "4000%", "--event-shape", "curve", "--duration", "200ms",
                              "--speed", "600", "--guard", e2e_url(collector)),
                          0);
    check_contains(words, "planned 5 = started 5 + dropped 0"); /* forty times 15 + 60 a minute, for 0.1 s each */
    check_contains(words, "rehearsal of bf at 4000 %: 40 sessions a second at the peak, 100 % of them buy");
    check_contains(words, "minute by minute as the event");
    free(words);

    /* two workers make it between them, and ask nobody */
    struct e2e_program *a = e2e_start("crest-loadgen", E2E_ARGS("worker")),
                       *b = e2e_start("crest-loadgen", E2E_ARGS("worker"));
    char workers[128];
    snprintf(workers, sizeof workers, "127.0.0.1:%u,127.0.0.1:%u", e2e_port(a), e2e_port(b));
    run = rehearse(RUN(look, buy, "--event", "bf", "--at", "150%", "--event-shape", "curve", "--duration", "1s",
                       "--workers", workers, "--collector", e2e_url(collector), "--json", "-"));
    assert_int_equal(number(run, "sessions", "planned", NULL), 15);
    assert_int_equal(number(run, "sessions", "completed", NULL), 15);
    check_text(run, "shape", "curve");
    json_decref(run);
    e2e_stop(a);
    e2e_stop(b);

    /* a plan file keeps its shape, its mix and its classes; its highest rate is the event's */
    write_text((char[512]){0}, 512, "bot.hurl", LOOK);
    char plan[512];
    write_text(plan, sizeof plan, "plan.yml",
               "phases:\n  - {name: up, duration: 1s, rate: 1-2}\n  - {name: there, duration: 1s, rate: 2}\n"
               "journeys: [{file: look.hurl, weight: 3}, {file: buy.hurl, weight: 1}]\n"
               "traffic: [{name: bots, journeys: [bot.hurl], rate: 1}]\n");
    run = rehearse(RUN(plan, "--event", "bf", "--at", "200%", "--collector", e2e_url(collector), "--json", "-"));
    assert_true(near(number(run, "rehearsal", "rate", NULL), 20));
    assert_int_equal(number(run, "sessions", "planned", NULL), 15 + 20 + 20); /* customers' phases, bots */
    check_text(run, "mix_from", "weights");
    check_text(run, "shape", "plan");
    assert_true(weight(run, 0) == 3 && weight(run, 1) == 1);
    json_decref(run);
}

/* ---- what was measured ---- */

/* Ten minutes from starts_s on: one order and ten operations a second, twice as many in the fourth minute; and a load test's. */
static void write_sale(int64_t starts_ms)
{
    struct sample_batch *b = sample_batch_new();
    double orders = 0, operations = 0;
    for (int64_t s = -10; s <= 600; s += 5) {
        int64_t t = starts_ms + s * 1000;
        double more = s > 180 && s <= 240 ? 2 : 1;
        orders += 5 * more;
        operations += 100 * more;
        sample_batch_add(b, "commerce_orders_total|currency=EUR|instance=a:1|job=shop|market=de|service=shop", t,
                         orders);
        sample_batch_add(b,
                         "commerce_orders_total|currency=EUR|instance=a:1|job=shop|market=de|service=shop|source=load",
                         t, orders * 100);
        sample_batch_add(b, "commerce_operations_total|instance=a:1|job=shop|operation=home|outcome=ok|service=shop", t,
                         operations);
    }
    sample_batch_send(b, collector);
}

static void without_a_plan_the_last_event_s_peak_is_rehearsed(void **state)
{
    (void)state;
    int64_t starts_s = -1800, starts_ms = (unix_ms() / 60000 * 60 + starts_s) * 1000;
    import_event("summer", starts_s, "service: shop\n");
    import_event("bf", 86400, "");
    write_sale(starts_ms);
    /* 120 orders and 2,400 operations in the highest minute; a buyer makes 5 of them, who looks around 2: 900 of these */
    json_t *run =
        rehearse(RUN(look, buy, "--event", "bf", "--duration", "1s", "--collector", e2e_url(collector), "--json", "-"));
    check_text(run, "from", "last");
    check_text(run, "of", "summer");
    check_text(run, "mix_from", "requests");
    assert_true(near(number(run, "rehearsal", "peaks", "per_minute"), 120));
    assert_true(near(number(run, "rehearsal", "peaks", "minute"), 3));
    assert_true(near(number(run, "rehearsal", "rate", NULL), 17));
    assert_int_equal(number(run, "sessions", "planned", NULL), 17);
    assert_true(near(weight(run, 1), 120 / 1020.0));
    json_decref(run);
    /* the event itself, when it is over; five times of it; the orders alone */
    run = rehearse(RUN(buy, "--event", "summer", "--at", "500%", "--duration", "100ms", "--collector",
                       e2e_url(collector), "--json", "-"));
    check_text(run, "from", "measured");
    assert_true(near(number(run, "rehearsal", "rate", NULL), 10));
    json_decref(run);
    /* named as the last one, with growth: the collector makes a plan of it, the mix is as measured */
    import_event("xmas", 86400, "last: summer\ngrowth: 1.5\n");
    run = rehearse(
        RUN(look, buy, "--event", "xmas", "--duration", "100ms", "--collector", e2e_url(collector), "--json", "-"));
    check_text(run, "from", "plan");
    check_text(run, "mix_from", "last-requests");
    assert_true(near(number(run, "rehearsal", "growth", NULL), 1.5));
    assert_true(near(number(run, "rehearsal", "rate", NULL), 17 * 1.5));
    json_decref(run);
}

/* ---- what is refused ---- */

/* What a run that does not start says. */
static void check_refused(const char *const *args, int code, const char *why)
{
    char *out = e2e_run("crest-loadgen", args, code), *said = NULL;
    check_ok(file_read(e2e_path("run.log"), 1 << 20, &said, NULL));
    assert_string_equal(out, "");
    check_contains(said, why);
    free(out);
    free(said);
}

static void what_cannot_be_rehearsed_is_said_before_anything_is_sent(void **state)
{
    (void)state;
    const char *url = e2e_url(collector);
    e2e_write("plan.csv", "minute,orders\n+0,6000\n");
    import_event("big", 86400, "plan: plan.csv\n");
    import_event("empty", 86400, "");
    char closed[64];
    snprintf(closed, sizeof closed, "http://127.0.0.1:%u", e2e_free_port());
    check_refused(RUN(buy, "--event", "big", "--at", "150", "--collector", url), 2, "--at takes a share of the event");
    check_refused(RUN(buy, "--event", "big", "--at", "0%", "--collector", url), 2,
                  "--at is above 0% and at most 10000%");
    check_refused(RUN(buy, "--at", "150%", "--rate", "1"), 2, "--at is about an event: give --event NAME");
    check_refused(RUN(buy, "--event", "big", "--rate", "1"), 2, "leave --rate out");
    check_refused(RUN(buy, "--event", "bigg", "--collector", url), 1, "no event is called 'bigg'");
    check_refused(RUN(buy, "--event", "bigg", "--collector", url), 1, "there are: ");
    check_refused(RUN(buy, "--event", "empty", "--collector", url), 1, "empty has no plan and no last event");
    check_refused(RUN(buy, "--event", "big", "--collector", closed), 1, "Connection refused");
    check_refused(RUN(buy, "--event", "big", "--collector", e2e_url(shop)), 1, "is a crest-collector there?");
    check_refused(RUN(look, buy, "--event", "big", "--collector", url), 2, "nothing says how many sessions");
    check_refused(RUN(look, "--event", "big", "--collector", url), 2, "no journey buys");
    /* 100 payments a second: the cap is no secret */
    check_refused(RUN(buy, "--event", "big", "--collector", url), 2, "give --money-rate 121, or 0 for no cap");
    check_refused(RUN(look, buy, "--weights", "3", "--event", "big", "--collector", url), 2,
                  "1 numbers for 2 journeys");
    check_refused(RUN(look, buy, "--weights", "0,0", "--rate", "1"), 2, "nothing would run");
    char *ledger = e2e_get(shop, "/ledger", 200);
    assert_null(strstr(ledger, "\"source\":\"load\""));
    free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_rehearsed_is_said_before_anything_is_sent),
        cmocka_unit_test(a_plan_at_150_percent_is_what_runs),
        cmocka_unit_test(without_a_plan_the_last_event_s_peak_is_rehearsed),
    };
    return cmocka_run_group_tests(tests, open_stage, close_stage);
}
